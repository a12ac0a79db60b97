"""Speechmatics behind the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Required, TypedDict

from stt_core.options import Default, Doc, Pattern, Range, Unit

from .options import GatewayOptions

__all__ = [
    "LindenModel",
    "SpeechmaticsModel",
    "SpeechmaticsOptions",
    "VocabularyItem",
    "diarization",
    "punctuation",
    "vocabulary_item",
]

SpeechmaticsModel = Literal["speechmatics/enhanced", "speechmatics/standard"]
LindenModel = Literal["speechmatics/linden-1"]

_WAYS = "none|speaker|channel|channel_and_speaker_change|speaker_change"


class VocabularyItem(TypedDict, total=False):
    """A term to listen for."""

    content: Required[Annotated[str, Doc("How it is written.")]]
    sounds_like: Annotated[list[str], Doc("How it may be pronounced, in spelling."), Default(None, "as written")]


class SpeechmaticsOptions(GatewayOptions, total=False):
    """Speechmatics' realtime models. They do no endpointing behind the gateway unless they are asked to."""

    domain: Annotated[str, Doc("A language pack for a field, such as `finance`."), Default(None, "none")]
    output_locale: Annotated[str, Doc("How the text is spelt, such as `en-GB`."), Default(None, "Speechmatics'")]
    max_delay: Annotated[
        float,
        Range(ge=0.7, le=4.0),
        Unit("s"),
        Doc("How long a final may take behind what it says."),
        Default(None, "the gateway's, 1.0 as published"),
    ]
    max_delay_mode: Annotated[
        Literal["flexible", "fixed"],
        Doc("Whether `max_delay` may be exceeded for a number or a date."),
        Default(None, "Speechmatics', flexible"),
    ]
    diarization: Annotated[
        bool | str,
        Pattern(_WAYS, "true, false, `none`, `speaker`, `channel`, `channel_and_speaker_change` or `speaker_change`"),
        Doc("How speakers are told apart; true is `speaker`."),
        Default(None, "none"),
    ]
    speaker_sensitivity: Annotated[
        float, Range(ge=0, le=1), Doc("How readily another speaker is heard."), Default(None, "Speechmatics', 0.5")
    ]
    max_speakers: Annotated[int, Range(ge=2), Doc("The most that are told apart."), Default(None, "no limit")]
    prefer_current_speaker: Annotated[
        bool, Doc("Whether the same speaker is assumed as long as possible."), Default(None, "false")
    ]
    enable_partials: Annotated[
        bool, Doc("Whether there are interims; the gateway asks for them."), Default(None, "the gateway's, true")
    ]
    enable_entities: Annotated[
        bool, Doc("Whether numbers, dates and the like come with their spoken form, in `raw`."), Default(None, "false")
    ]
    punctuation_overrides: Annotated[
        Mapping[str, object],
        Doc(
            "Which punctuation is used: `permitted_marks` (a list; without any mark, none) and `sensitivity` (0 to 1)."
        ),
        Default(None, "Speechmatics'"),
    ]
    additional_vocab: Annotated[
        list[VocabularyItem],
        Doc("Terms to listen for. The portable `keyterms` comes to this."),
        Default(None, "none"),
    ]
    end_of_utterance_silence_trigger: Annotated[
        float,
        Range(ge=0, le=2),
        Unit("s"),
        Doc("A silence of this length ends an utterance; 0 for none."),
        Default(None, "the gateway's"),
    ]
    audio_filtering_config: Annotated[
        Mapping[str, object],
        Doc("What audio counts: below `volume_threshold` (0 to 100) it is left out, as that of others."),
        Default(None, "all"),
    ]
    transcript_filtering_config: Annotated[
        Mapping[str, object],
        Doc("What of the text is kept: `remove_disfluencies`, `replacements` (each with `from` and `to`)."),
        Default(None, "all of it"),
    ]


def diarization(value: object) -> Mapping[str, object]:
    """The portable ``diarization`` in Speechmatics' words."""
    if isinstance(value, bool):
        value = "speaker" if value else "none"
    return {"diarization": value}


def punctuation(value: object) -> Mapping[str, object]:
    """The portable ``punctuation``: it is there unless no mark is permitted."""
    return {} if value else {"punctuation_overrides": {"permitted_marks": []}}


def vocabulary_item(term: str) -> VocabularyItem:
    """A term of the portable ``keyterms``."""
    return {"content": term}
