"""The models of the embedded engine and their options."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from stt_core.options import Default, Doc, Range, Unit

__all__ = ["EnUsModel", "EnUsOptions"]

EnUsModel = Literal["en-us"]
"""The general English model that comes with pocketsphinx."""


class EnUsOptions(TypedDict, total=False):
    """Where speech begins and ends, and what is told about it."""

    end_silence: Annotated[float, Range(ge=0.1, le=5), Unit("s"), Doc("Silence that ends an utterance."), Default(0.5)]
    min_speech: Annotated[
        float, Range(ge=0.02, le=2), Unit("s"), Doc("Voiced audio that begins an utterance."), Default(0.12)
    ]
    max_utterance: Annotated[
        float,
        Range(ge=5, le=60),
        Unit("s"),
        Doc("An utterance that goes on for longer is finalised in pieces, cut where it is quietest."),
        Default(20.0),
    ]
    vad_mode: Annotated[
        Literal[0, 1, 2, 3],
        Doc("How readily sound is taken for speech, from 0 (most of it) to 3, which misses the beginnings of words."),
        Default(2),
    ]
    interim_results: Annotated[
        bool, Doc("Whether a stream tells what it has heard before it is sure."), Default(value=True)
    ]
    word_timestamps: Annotated[bool, Doc("Whether words come one by one, with their times."), Default(value=True)]
