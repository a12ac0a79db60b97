"""Pronunciations: the engine's own dictionary, and what users add to it.

A line is a word and its phones, as in the CMU dictionary: ``hello HH AH L OW``; another pronunciation of the same word
is ``hello(2) HH EH L OW``.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "PHONES",
    "DictionaryError",
    "Pronunciation",
    "arpa_words",
    "dictionary_of",
    "missing_words",
    "read_pronunciations",
]

_PHONES = "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
PHONES = frozenset(_PHONES.split())
"""The sounds of American English that the acoustic model knows (ARPABET without stress)."""

_VARIANT = re.compile(r"\(\d+\)$")


class DictionaryError(Exception):
    """A line is no pronunciation; the message says why."""


class Pronunciation(NamedTuple):
    """A word in lower case, and how it sounds."""

    word: str
    phones: str


def read_pronunciations(lines: Iterable[str]) -> Iterator[Pronunciation]:
    """The pronunciations in the lines of a dictionary; empty lines and comments (``;;;``, ``#``) are read over.

    Raises:
        DictionaryError: with the number of the line.
    """
    for number, line in enumerate(lines, 1):
        word, *phones = line.split() or [""]
        if not word or word.startswith((";;;", "#")):
            continue
        # Stress, as the CMU dictionary marks it (AH0), is not in the model.
        plain = [phone.upper().rstrip("012") for phone in phones]
        wrong = next((phone for phone in plain if phone not in PHONES), None)
        if not plain:
            raise DictionaryError(f"line {number}: `{word[:40]}` has no phones; write for instance `hello HH AH L OW`")
        if wrong is not None:
            raise DictionaryError(f"line {number}: `{wrong[:10]}` is no phone; they are {_PHONES}")
        yield Pronunciation(_VARIANT.sub("", word).lower(), " ".join(plain))


def missing_words(words: Iterable[str], added: Iterable[str] = ()) -> dict[str, list[str]]:
    """Those of the words that neither the engine's dictionary nor ``added`` has, each with the nearest that are."""
    known = set(added)
    text = _built_in()
    missing = [word for word in words if word not in known and f"\n{word} ".encode() not in text]
    return {word: _nearest(word, text, known) for word in missing}


def arpa_words(lines: Iterable[str]) -> set[str] | None:
    """The words of an n-gram model in ARPA's text form; ``None`` if it is none."""
    words: set[str] | None = None
    for line in lines:
        if line.startswith("\\1-grams:"):
            words = set()
        elif words is not None and line.startswith("\\"):
            return words
        elif words is not None and len(parts := line.split()) > 1:
            words.add(parts[1])
    return words


def dictionary_of(words: set[str], added: Iterable[Pronunciation]) -> str:
    """A dictionary of these words alone: all ways to say them that the engine knows, and those that were added."""
    ways: dict[str, list[str]] = {}
    for line in _built_in().decode().splitlines():
        word, _, phones = line.partition(" ")
        if (word := _VARIANT.sub("", word)) in words:
            ways.setdefault(word, []).append(phones)
    for word, phones in added:
        if word in words:
            ways.setdefault(word, []).append(phones)
    return "".join(
        f"{word if number == 1 else f'{word}({number})'} {phones}\n"
        for word, all_phones in ways.items()
        for number, phones in enumerate(dict.fromkeys(all_phones), 1)
    )


def _nearest(word: str, text: bytes, added: Iterable[str]) -> list[str]:
    # Those that begin alike or end alike: comparing with all of 134,000 words takes seconds.
    first, rest = re.escape(word[:1].encode()), re.escape(word[1:].encode())
    alike = re.findall(rb"\n(" + first + rb"[a-z']*|[a-z']{0,2}" + rest + rb") ", text)
    return difflib.get_close_matches(word, [*added, *(each.decode() for each in alike)], n=5, cutoff=0.75)


@cache
def _built_in() -> bytes:
    spec = importlib.util.find_spec("pocketsphinx")
    folders = spec.submodule_search_locations if spec is not None else None
    if not folders:
        return b""  # whoever wants to recognise is told so by then
    return b"\n" + (Path(folders[0]) / "model" / "en-us" / "cmudict-en-us.dict").read_bytes()
