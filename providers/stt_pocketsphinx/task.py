"""What a worker is to listen for: the part of the options that decides which models it loads."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["DIGIT_NUMERALS", "Kind", "Task", "digits_grammar"]


class Kind(enum.StrEnum):
    """What is searched for in the audio."""

    DICTATION = "dictation"
    """Any words, as the language model finds them likely."""

    GRAMMAR = "grammar"
    """What a grammar allows, and nothing else."""

    KEYPHRASE = "keyphrase"
    """Some phrases, in whatever else is said."""


@dataclass(frozen=True, slots=True)
class Task:
    """What to listen for. Equal tasks are served by the same models.

    Attributes:
        kind: see :class:`Kind`.
        grammar: JSGF, for a grammar.
        rejection: for a grammar: by how much a loop of any sounds may explain the words better than the grammar does
            (see :mod:`.rejection`); ``None`` for however much.
        interims: for a grammar: whether there are hypotheses before the end, which cost a search more.
        keyphrases: phrases with the likelihood ratios at which they count as heard.
        pronunciations: more words, and how they sound: lines of a dictionary.
        dictionary: absolute path of a file of such lines.
        language_model: absolute path of another one, for dictation.
    """

    kind: Kind = Kind.DICTATION
    grammar: str = ""
    rejection: float | None = None
    interims: bool = True
    keyphrases: tuple[tuple[str, float], ...] = ()
    pronunciations: tuple[str, ...] = ()
    dictionary: str | None = None
    language_model: str | None = None


DIGIT_NUMERALS = {
    "zero": "0",
    "oh": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
}
"""The words of spoken digits, and how they are written."""


def digits_grammar(least: int = 1, most: int | None = None) -> str:
    """JSGF for so many digits; ``most=None`` for any number of them."""
    items = ["<digit>"] * least
    if most is None:
        items.append("<digit>*")
    else:
        items += ["[ <digit>"] * (most - least) + ["]"] * (most - least)
    return f"#JSGF V1.0;\npublic <digits> = {' '.join(items)};\n<digit> = {' | '.join(DIGIT_NUMERALS)};\n"
