"""The options of the engine's models: what is checked before a process is started, and how a refusal reads."""

import typing
from pathlib import Path

import pytest

from stt_core import ConfigError, create_stt
from stt_core.config import parse
from stt_core.options import CommonOptions, fields
from stt_core.registry import resolve
from stt_pocketsphinx import PROVIDER
from stt_pocketsphinx.configure import endpointing_of, task_of
from stt_pocketsphinx.dictionary import DictionaryError, missing_words, read_pronunciations
from stt_pocketsphinx.endpoint import Endpointing
from stt_pocketsphinx.stt import PocketsphinxSTT
from stt_pocketsphinx.task import Kind, Task

STOP = "#JSGF V1.0;\npublic <a> = stop | go;"


def task(config: str, **options: object) -> Task:
    return task_of(resolve(parse(config)[0], options))


@pytest.mark.parametrize(
    ("model", "options", "says"),
    [
        ("grammar", {}, "`grammar` has to be given"),
        ("grammar", {"grammar": "no/such.gram"}, "`grammar`: there is no file no/such.gram"),
        ("grammar", {"grammar": "#JSGF V1.0;\npublic <a> =\n;"}, "`grammar`, line 3: a word or a rule was expected"),
        (
            "grammar",
            {"grammar": "#JSGF V1.0;\npublic <a> = stop\n| qeen;"},
            r"line 3: `qeen` is not in the dictionary; near it are .*queen.*pronunciations=\[\"qeen \.\.\.\"\]",
        ),
        ("grammar", {"grammar": STOP, "rejection": -1}, "from 0 to 100"),
        ("keyphrase", {}, "`keyphrases` has to be given"),
        ("keyphrase", {"keyphrases": []}, "at least 1|1 to 100"),
        ("keyphrase", {"keyphrases": ["  "]}, "no phrase"),
        ("keyphrase", {"keyphrases": ["stop /1/"]}, "no phrase"),
        ("keyphrase", {"keyphrases": ["stop", ("Stop", 1e-5)]}, "twice"),
        ("keyphrase", {"keyphrases": [("stop", 2.0)]}, "below 1"),
        ("keyphrase", {"keyphrases": ["hey deepgram"]}, "`deepgram` is not in the dictionary"),
        ("digits", {"min_digits": 5, "max_digits": 4}, "less than `min_digits`"),
        ("digits", {"grammar": STOP}, "it is an option of pocketsphinx/grammar"),
        ("en-us", {"language_model": "no/such.lm"}, "there is no file"),
        ("en-us", {"language_model": __file__}, "is no n-gram model"),
        ("en-us", {"dictionary": "no/such.dict"}, "there is no file"),
        ("en-us", {"pronunciations": ["hello"]}, "`pronunciations`, line 1: `hello` has no phones"),
        ("en-us", {"pronunciations": ["a AH", "hello HH XX"]}, "line 2: `XX` is no phone"),
        ("en-us", {"max_workers": 0}, "from 1 to 1000"),
    ],
)
def test_what_does_not_hold_is_refused(model: str, options: dict[str, object], says: str) -> None:
    """Nothing is started; the message names the option, the place, what is accepted and what to do."""
    with pytest.raises(ConfigError, match=says):
        create_stt(f"pocketsphinx/{model}", **options)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    """A folder, a file in another encoding, one that is too large."""
    latin, large = tmp_path / "latin.gram", tmp_path / "large.gram"
    latin.write_bytes(STOP.replace("stop", "café").encode("latin-1"))
    large.write_text(STOP + " " * (1 << 20))
    for path, says in ((tmp_path, "no file"), (latin, "cannot be read"), (large, "has more than")):
        with pytest.raises(ConfigError, match=says):
            create_stt("pocketsphinx/grammar", grammar=str(path))


def test_a_grammar_is_text_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both come to the same task; relative paths are those of the caller, and mistakes in a file name it."""
    file = tmp_path / "stop.gram"
    file.write_text(STOP)
    monkeypatch.chdir(tmp_path)
    assert task("pocketsphinx/grammar?grammar=stop.gram") == task("pocketsphinx/grammar", grammar=STOP)
    file.write_text(STOP.replace("go", "gooo"))
    with pytest.raises(ConfigError, match=r"stop\.gram, line 2: `gooo` is not in the dictionary"):
        create_stt("pocketsphinx/grammar?grammar=stop.gram")


def test_words_can_be_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As lines or in a file, with or without stress; the worker gets the file's absolute path."""
    (tmp_path / "names.dict").write_text(";;; ours\ndeepgram D IY1 P G R AE2 M\n")
    monkeypatch.chdir(tmp_path)
    grammar = "#JSGF V1.0;\npublic <a> = deepgram | kotoba;"
    found = task(
        "pocketsphinx/grammar", grammar=grammar, dictionary="names.dict", pronunciations=["kotoba K OW T OW B AH"]
    )
    assert found.dictionary == str(tmp_path / "names.dict")
    assert found.pronunciations == ("kotoba K OW T OW B AH",)
    with pytest.raises(ConfigError, match="`kotoba` is not in the dictionary"):
        create_stt("pocketsphinx/grammar", grammar=grammar, dictionary="names.dict")


def test_options_reach_the_task() -> None:
    """Every option that changes what is listened for is in it, and every default."""
    assert task("pocketsphinx/en-us") == Task()
    assert task("pocketsphinx/digits?max_digits=4&interim_results=true").interims
    assert task("pocketsphinx/digits").rejection is not None
    assert task("pocketsphinx/digits?rejection=100").rejection is None
    assert task("pocketsphinx/digits?rejection=3").rejection == 3
    found = task("pocketsphinx/keyphrase?keyphrases=Hey Computer:1e-12&keyphrases=open the window&threshold=1e-9")
    assert found.kind is Kind.KEYPHRASE
    assert found.keyphrases == (("hey computer", 1e-12), ("open the window", 1e-9))
    short, long = task("pocketsphinx/keyphrase?keyphrases=stop&keyphrases=turn on the light").keyphrases
    assert short[1] > long[1]


def test_a_language_model_is_known_by_how_it_begins(tmp_path: Path) -> None:
    """ARPA text after a comment, and the binary form."""
    for name, head in (("a.lm", b"# ours\n\n\\data\\\nngram 1=3\n"), ("b.bin", b"Trie Language Model\0\1")):
        (tmp_path / name).write_bytes(head)
        assert task("pocketsphinx/en-us", language_model=str(tmp_path / name)).language_model == str(tmp_path / name)


def test_declared_defaults_are_those_in_force() -> None:
    """What the options say happens when nothing is given is what happens."""
    for family in PROVIDER.families:
        options: dict[str, object] = {"grammar": STOP} if family.name == "grammar" else {}
        options |= {"keyphrases": ["stop"]} if family.name == "keyphrase" else {}
        settings = resolve(parse(f"pocketsphinx/{family.name}")[0], options)
        declared = {name: field.default.value for name, field in fields(family.options).items() if field.default}
        default = Endpointing()
        assert endpointing_of(settings) == Endpointing(
            vad_mode=typing.cast("int", declared["vad_mode"]),
            min_speech=typing.cast("float", declared["min_speech"]),
            end_silence=typing.cast("float", declared.get("end_silence", default.end_silence)),
            max_speech=typing.cast("float", declared.get("max_utterance", default.max_speech)),
        )
        if "rejection" in declared:
            assert task_of(settings).rejection == declared["rejection"]
            assert task_of(settings).interims == declared["interim_results"]


def test_the_class_is_typed_as_the_families_are_registered() -> None:
    """Each family's models and options are those of an overload."""
    import stt_pocketsphinx.stt as module

    overloads = typing.get_overloads(PocketsphinxSTT.__init__)[: len(PROVIDER.families)]
    for family, overload in zip(PROVIDER.families, overloads, strict=True):
        written = typing.cast("dict[str, str]", overload.__annotations__)
        name = written["options"].removeprefix("Unpack[").removesuffix("]")
        arguments = getattr(module, name)
        assert set(fields(arguments)) == set(fields(CommonOptions)) | set(fields(family.options))
        literal = getattr(module, written["model"].removesuffix(" | None"))
        assert typing.get_args(literal) == family.models


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("word", "no phones"),
        ("word AH QX", "`QX` is no phone"),
        ("To(2) ah0", ""),
        ("", ""),
        ("# word", ""),
        (";;; x", ""),
    ],
)
def test_dictionaries_are_read_line_by_line(line: str, says: str) -> None:
    """Comments and empty lines are no words; case and stress do not matter."""
    if says:
        with pytest.raises(DictionaryError, match=f"line 2: .*{says}"):
            list(read_pronunciations(["a AH", line]))
    else:
        assert list(read_pronunciations([line, "a AH"]))[-1] == ("a", "AH")
        assert all(each == ("to", "AH") for each in read_pronunciations([line]))


def test_missing_words_come_with_near_ones() -> None:
    """Words of the engine's dictionary and of the user's are there; a misspelt one has those that it may be."""
    missing = missing_words(["hello", "kubernetes", "qeen", "é"], {"kubernetes"})
    assert set(missing) == {"qeen", "é"}
    assert "queen" in missing["qeen"]
