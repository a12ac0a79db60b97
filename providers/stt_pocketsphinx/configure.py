"""From checked options to what a worker is told; files are looked into here, before a process is started."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from stt_core.errors import ConfigError

from .dictionary import DictionaryError, missing_words, read_pronunciations
from .endpoint import Endpointing
from .jsgf import Grammar, JSGFError
from .task import Kind, Task, digits_grammar

if TYPE_CHECKING:
    from stt_core.registry import Resolved

    from .options import DigitsOptions, EnUsOptions, GrammarOptions, KeyphraseOptions

__all__ = ["check_digits", "check_en_us", "check_grammar", "check_keyphrase", "endpointing_of", "task_of"]

MAX_FILE = 1 << 20
"""Bytes that a grammar or a dictionary may have."""

REJECTION = 2.0

_MODEL_HEADS = (b"Trie Language Model", b"Darpa Trigram LM", b"\x10\x00\x00\x00Darpa Trigram LM")


class _WrongError(Exception):
    """An option does not hold; the message says why."""


def task_of(settings: Resolved) -> Task:
    """What a worker has to listen for.

    Raises:
        ConfigError: a file has gone or changed since the options were checked.
    """
    try:
        return _TASKS[settings.family.name](settings.options)
    except _WrongError as error:
        raise ConfigError(f"{settings.label}: {error}", provider=settings.provider.name) from error


def endpointing_of(settings: Resolved) -> Endpointing:
    """Where utterances begin and end."""
    options = cast("EnUsOptions", settings.options)
    default = Endpointing()
    return Endpointing(
        vad_mode=options.get("vad_mode", default.vad_mode),
        min_speech=options.get("min_speech", default.min_speech),
        end_silence=options.get("end_silence", 0.8 if settings.family.name == "digits" else default.end_silence),
        max_speech=options.get("max_utterance", default.max_speech),
    )


def _checked(make: Callable[[Mapping[str, object]], Task]) -> Callable[[Mapping[str, object]], str | None]:
    def check(options: Mapping[str, object]) -> str | None:
        try:
            make(options)
        except _WrongError as error:
            return str(error)
        return None

    return check


def _en_us(given: Mapping[str, object]) -> Task:
    options = cast("EnUsOptions", given)
    model = options.get("language_model")
    if model is not None:
        with _opened("language_model", model).open("rb") as file:
            head = file.read(4096)
        if b"\\data\\" not in head and not head.startswith(_MODEL_HEADS):
            raise _WrongError(
                f"`language_model`: {model} is no n-gram model: neither ARPA text, which has a line `\\data\\`, nor "
                "the binary form that pocketsphinx_lm_convert writes"
            )
        model = str(Path(model).absolute())
    lines, path, _ = _vocabulary(options)
    return Task(Kind.DICTATION, pronunciations=lines, dictionary=path, language_model=model)


def _digits(given: Mapping[str, object]) -> Task:
    options = cast("DigitsOptions", given)
    least, most = options.get("min_digits", 1), options.get("max_digits")
    if most is not None and most < least:
        raise _WrongError(f"`max_digits` is {most}, less than `min_digits`, {least}")
    return _bounded(digits_grammar(least, most), options)


def _grammar(given: Mapping[str, object]) -> Task:
    options = cast("GrammarOptions", given)
    text = options.get("grammar")
    if text is None:
        raise _WrongError("`grammar` has to be given: the path of a JSGF file, or its text, which begins with `#JSGF`")
    where = "`grammar`"
    if not text.lstrip("\ufeff \t\r\n").startswith("#JSGF"):
        where = f"`grammar`: {text}"
        text = _read("grammar", text)
    elif len(text) > MAX_FILE:
        raise _WrongError(f"`grammar` has more than {MAX_FILE:,} characters")
    lines, path, added = _vocabulary(options)
    try:
        grammar = Grammar(text)
        grammar.network()
    except JSGFError as error:
        raise _WrongError(f"{where}, {error}") from error
    places = {word: f"{where}, line {line}: `{word}`" for word, line in grammar.words.items()}
    _require(places, added)
    return _bounded(text, options, lines, path)


def _keyphrase(given: Mapping[str, object]) -> Task:
    options = cast("KeyphraseOptions", given)
    lines, path, added = _vocabulary(options)
    phrases: dict[str, float] = {}
    for item in options.get("keyphrases", []):
        phrase, threshold = (item, options.get("threshold")) if isinstance(item, str) else item
        phrase = " ".join(phrase.lower().split())
        if not phrase or "/" in phrase:
            raise _WrongError(f"`keyphrases`: `{phrase}` is no phrase: write words, `hey computer`")
        if phrase in phrases:
            raise _WrongError(f"`keyphrases` has `{phrase}` twice")
        phrases[phrase] = usual_threshold(phrase) if threshold is None else threshold
    if not phrases:
        raise _WrongError("`keyphrases` has to be given: the phrases to listen for")
    _require({word: f"`keyphrases`: `{word}`" for phrase in phrases for word in phrase.split()}, added)
    return Task(Kind.KEYPHRASE, keyphrases=tuple(phrases.items()), pronunciations=lines, dictionary=path)


def usual_threshold(phrase: str) -> float:
    """The threshold of a phrase that comes without one: the longer the phrase, the smaller."""
    letters = sum(map(len, phrase.split()))
    return float(f"1e-{min(40, max(5, 2 * letters - 4))}")


def _bounded(
    grammar: str, options: DigitsOptions | GrammarOptions, lines: tuple[str, ...] = (), path: str | None = None
) -> Task:
    rejection = options.get("rejection", REJECTION)
    return Task(
        Kind.GRAMMAR,
        grammar=grammar,
        rejection=rejection if rejection < 100 else None,
        interims=options.get("interim_results", False),
        pronunciations=lines,
        dictionary=path,
    )


def _vocabulary(
    options: EnUsOptions | GrammarOptions | KeyphraseOptions,
) -> tuple[tuple[str, ...], str | None, set[str]]:
    """The lines and the file that were added, and the words in them."""
    lines = tuple(options.get("pronunciations", ()))
    path = options.get("dictionary")
    added = _words("`pronunciations`", lines)
    if path is not None:
        added |= _words(f"`dictionary`: {path}", _read("dictionary", path).splitlines())
        path = str(Path(path).absolute())
    return lines, path, added


def _words(where: str, lines: Iterable[str]) -> set[str]:
    try:
        return {each.word for each in read_pronunciations(lines)}
    except DictionaryError as error:
        raise _WrongError(f"{where}, {error}") from error


def _require(places: Mapping[str, str], added: set[str]) -> None:
    """That there is a pronunciation of each word, which is used in some place."""
    missing = missing_words(places, added)
    if missing:
        word, near = next(iter(missing.items()))
        more = f" ({len(missing) - 1} more are missing: {', '.join(list(missing)[1:6])})" if len(missing) > 1 else ""
        like = f"; near it are {', '.join(near)}" if near else ""
        raise _WrongError(
            f"{places[word]} is not in the dictionary{more}{like}. Say how it sounds: "
            f'pronunciations=["{word} ..."] with phones as in `hello HH AH L OW`'
        )


def _opened(option: str, path: str) -> Path:
    file = Path(path)
    if not file.is_file():
        raise _WrongError(f"`{option}`: there is no file {path}")
    return file


def _read(option: str, path: str) -> str:
    file = _opened(option, path)
    try:
        if file.stat().st_size > MAX_FILE:
            raise _WrongError(f"`{option}`: {path} has more than {MAX_FILE:,} bytes")
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _WrongError(f"`{option}`: {path} cannot be read: {error}") from error


_TASKS: Mapping[str, Callable[[Mapping[str, object]], Task]] = {
    "en-us": _en_us,
    "digits": _digits,
    "grammar": _grammar,
    "keyphrase": _keyphrase,
}

check_en_us, check_digits, check_grammar, check_keyphrase = map(_checked, _TASKS.values())
