"""xAI, Inworld, Google and OpenAI behind the gateway."""

from __future__ import annotations

from typing import Annotated, Literal

from stt_core.options import Default, Doc, Length, Range, Unit

from .options import GatewayOptions

__all__ = [
    "OPENAI_SAMPLE_RATE",
    "GoogleModel",
    "GoogleOptions",
    "InworldModel",
    "InworldOptions",
    "OpenAIModel",
    "OpenAIOptions",
    "XaiModel",
    "XaiOptions",
]

XaiModel = Literal["xai/stt-1"]
InworldModel = Literal["inworld/inworld-stt-1"]
GoogleModel = Literal["google/gemini-3.5-transcribe-live"]
OpenAIModel = Literal["openai", "openai/gpt-live-transcribe"]
"""The vendor alone leaves the model to the gateway."""

OPENAI_SAMPLE_RATE = 24000
"""Hz: the only rate that OpenAI takes."""


class XaiOptions(GatewayOptions, total=False):
    """The options of xAI's models."""

    diarize: Annotated[bool, Doc("Whether speakers are told apart."), Default(None, "false")]
    endpointing: Annotated[
        int,
        Range(ge=0, le=5000),
        Unit("ms"),
        Doc("A silence of this length finalises what was said before it."),
        Default(None, "xAI's"),
    ]
    format: Annotated[
        bool, Doc("Whether numbers, dates and the like are written as usual; needs a language."), Default(None, "xAI's")
    ]


class InworldOptions(GatewayOptions, total=False):
    """The options of Inworld's models."""

    enable_voice_profile: Annotated[
        bool, Doc("Whether the voice is described, in `raw`."), Default(None, "the gateway's, true as published")
    ]
    voice_profile_top_n: Annotated[
        int,
        Range(ge=1, le=20),
        Doc("How many labels each part of the description has."),
        Default(None, "Inworld's, 10 as published"),
    ]
    include_word_timestamps: Annotated[
        bool, Doc("Whether words come with times."), Default(None, "the gateway's, true as published")
    ]
    audio_encoding: Annotated[
        Literal["LINEAR16", "AUTO_DETECT"],
        Doc("What the audio is taken for; it is LINEAR16."),
        Default(None, "the gateway's, LINEAR16"),
    ]
    inactivity_timeout_seconds: Annotated[
        int, Range(ge=0), Unit("s"), Doc("After so long without speech the session ends; 0 never."), Default(None, "0")
    ]
    end_of_turn_confidence_threshold: Annotated[
        float,
        Range(ge=0, le=1),
        Doc("How sure the model has to be that the turn has ended."),
        Default(None, "Inworld's, 0.5 as published"),
    ]
    min_end_of_turn_silence_when_confident: Annotated[
        int, Range(ge=0), Unit("ms"), Doc("The silence that ends a turn when it is sure."), Default(None, "Inworld's")
    ]
    vad_threshold: Annotated[
        float, Range(ge=0, le=1), Doc("How loud speech has to be."), Default(None, "Inworld's, 0.5 as published")
    ]
    prompts: Annotated[list[str], Doc("What is being talked about."), Default(None, "none")]


class GoogleOptions(GatewayOptions, total=False):
    """The options of Google's models."""

    language_codes: Annotated[
        list[str], Doc("The languages that may be spoken, BCP-47."), Default(None, "Google finds out")
    ]
    custom_vocabulary: Annotated[
        list[str],
        Length(le=1000),
        Doc("Terms to listen for. The portable `keyterms` comes to this."),
        Default(None, "none"),
    ]


class OpenAIOptions(GatewayOptions, total=False):
    """The options of OpenAI's models, which do no endpointing behind the gateway: a segment ends on flush()."""

    languages: Annotated[
        list[str], Doc("The languages that may be spoken; they beat `language`."), Default(None, "OpenAI finds out")
    ]
    prompt: Annotated[
        str, Length(le=1024), Doc("What is being talked about, at most 1024 characters."), Default(None, "none")
    ]
    keywords: Annotated[
        list[str], Doc("Terms to listen for. The portable `keyterms` comes to this."), Default(None, "none")
    ]
    delay: Annotated[
        Literal["minimal", "low", "medium", "high", "xhigh"],
        Doc("How much is listened to before it is written down."),
        Default(None, "OpenAI's"),
    ]
    noise_reduction: Annotated[
        Literal["near_field", "far_field"], Doc("Where the speaker is, from the microphone."), Default(None, "none")
    ]
