"""The models of the embedded engine and their options."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from stt_core.options import Default, Doc, Length, Range, Unit

__all__ = [
    "DigitsModel",
    "DigitsOptions",
    "EnUsModel",
    "EnUsOptions",
    "GrammarModel",
    "GrammarOptions",
    "KeyphraseModel",
    "KeyphraseOptions",
]

EnUsModel = Literal["en-us"]
"""Free dictation with the general English model that comes with pocketsphinx."""

DigitsModel = Literal["digits"]
"""Spoken digits."""

GrammarModel = Literal["grammar"]
"""What a JSGF grammar allows."""

KeyphraseModel = Literal["keyphrase"]
"""Phrases to be spotted."""


class _EngineOptions(TypedDict, total=False):
    """What all models take."""

    vad_mode: Annotated[
        Literal[0, 1, 2, 3],
        Doc("How readily sound is taken for speech, from 0 (most of it) to 3, which misses the beginnings of words."),
        Default(2),
    ]
    min_speech: Annotated[
        float, Range(ge=0.02, le=2), Unit("s"), Doc("Voiced audio that begins an utterance."), Default(0.12)
    ]
    word_timestamps: Annotated[bool, Doc("Whether words come one by one, with their times."), Default(value=True)]
    max_workers: Annotated[
        int,
        Range(ge=1, le=1000),
        Doc("Streams and files at a time, each in a process of its own; others wait for `connect_timeout`."),
        Default(None, "4 per processor"),
    ]
    max_idle: Annotated[
        int, Range(ge=0, le=1000), Doc("Processes that are kept for the next stream or file."), Default(2)
    ]


class _UtteranceOptions(_EngineOptions, total=False):
    """Where an utterance ends."""

    end_silence: Annotated[float, Range(ge=0.1, le=5), Unit("s"), Doc("Silence that ends an utterance."), Default(0.5)]
    max_utterance: Annotated[
        float,
        Range(ge=5, le=60),
        Unit("s"),
        Doc("An utterance that goes on for longer is finalised in pieces, cut where it is quietest."),
        Default(20.0),
    ]


class _VocabularyOptions(TypedDict, total=False):
    """Words beyond the 126,000 that the engine knows."""

    pronunciations: Annotated[
        list[str],
        Length(le=10_000),
        Doc("More words, or other ways to say one, as lines of a dictionary: `kubernetes K UW B ER N EH T IY Z`."),
        Default(None, "none"),
    ]
    dictionary: Annotated[
        str, Doc("Path of a file of such lines (the format of the CMU dictionary)."), Default(None, "none")
    ]


class _RejectionOptions(TypedDict, total=False):
    """What is done about speech that the grammar does not cover."""

    rejection: Annotated[
        float,
        Range(ge=0, le=100),
        Doc(
            "How much better than the grammar's words a loop of any sounds may explain what was said (log likelihood "
            "per 10 ms) until it is rejected: lower rejects more, of what should be heard too. 100 rejects nothing."
        ),
        Default(2.0),
    ]
    interim_results: Annotated[
        bool,
        Doc(
            "Whether a stream tells what it has heard before the end. Only the whole utterance can be rejected: "
            "until then the grammar's nearest words are shown, whatever was said."
        ),
        Default(value=False),
    ]


class EnUsOptions(_UtteranceOptions, _VocabularyOptions, total=False):
    """Free dictation."""

    interim_results: Annotated[
        bool, Doc("Whether a stream tells what it has heard before it is sure."), Default(value=True)
    ]
    language_model: Annotated[
        str,
        Doc(
            "Path of an n-gram model in place of the general one: ARPA text, or pocketsphinx's binary form. A word of "
            "it that has no pronunciation is not heard."
        ),
        Default(None, "the general one"),
    ]


class DigitsOptions(_UtteranceOptions, _RejectionOptions, total=False):
    """Spoken digits: zero or oh, one, ... nine."""

    end_silence: Annotated[float, Range(ge=0.1, le=5), Unit("s"), Doc("Silence that ends a number."), Default(0.8)]
    min_digits: Annotated[int, Range(ge=1, le=40), Doc("A number has at least so many digits."), Default(1)]
    max_digits: Annotated[
        int,
        Range(ge=1, le=40),
        Doc("A number has at most so many digits. A PIN of known length is heard better with both set."),
        Default(None, "no limit"),
    ]
    numerals: Annotated[
        bool, Doc("Whether digits are written `5 0` or `five oh`; either way each is a word of its own."), Default(True)
    ]


class GrammarOptions(_UtteranceOptions, _VocabularyOptions, _RejectionOptions, total=False):
    """What a grammar allows."""

    grammar: Annotated[
        str,
        Doc("JSGF: the path of a file, or the text itself, which begins with `#JSGF`. It has to be given."),
    ]


class KeyphraseOptions(_EngineOptions, _VocabularyOptions, total=False):
    """Phrases to be spotted in whatever is said."""

    keyphrases: Annotated[
        list[str | tuple[str, float]],
        Length(ge=1, le=100),
        Range(gt=0, lt=1),
        Doc(
            "The phrases, each alone or with a threshold of its own, `hey computer:1e-20`: the smaller, the more "
            "readily it is heard, and misheard. They have to be given."
        ),
    ]
    threshold: Annotated[
        float,
        Range(gt=0, lt=1),
        Doc("The threshold of phrases that come without one."),
        Default(None, "by the length of the phrase"),
    ]
