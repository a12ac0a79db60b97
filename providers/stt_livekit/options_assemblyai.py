"""AssemblyAI behind the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from stt_core.options import Default, Doc, Length, Range, Unit

from .options import GatewayOptions

__all__ = ["AssemblyAIModel", "AssemblyAIOptions", "check_assemblyai"]

AssemblyAIModel = Literal[
    "assemblyai",
    "assemblyai/universal-streaming",
    "assemblyai/universal-streaming-multilingual",
    "assemblyai/u3-rt-pro",
    "assemblyai/universal-3-5-pro",
    "assemblyai/universal-3-6-pro",
]
"""The vendor alone leaves the model to the gateway; other ids of AssemblyAI's are passed on."""


class AssemblyAIOptions(GatewayOptions, total=False):
    """AssemblyAI's streaming models. "U3" below is ``u3-rt-pro`` and ``universal-3-…``; others may refuse it."""

    format_turns: Annotated[
        bool,
        Doc("Whether the text of a turn is punctuated and cased; U3 always does so."),
        Default(None, "the gateway's, false as published"),
    ]
    end_of_turn_confidence_threshold: Annotated[
        float,
        Range(ge=0, le=1),
        Doc("How sure the model has to be that the turn has ended."),
        Default(None, "the gateway's, 0.01 as published"),
    ]
    min_end_of_turn_silence_when_confident: Annotated[
        int,
        Range(ge=0),
        Unit("ms"),
        Doc("The silence that ends a turn when it is sure."),
        Default(None, "the gateway's, 0 as published"),
    ]
    max_turn_silence: Annotated[
        int,
        Range(ge=0),
        Unit("ms"),
        Doc("The silence that ends a turn in any case."),
        Default(None, "AssemblyAI's, 1280 (U3: 1000) as published"),
    ]
    keyterms_prompt: Annotated[
        list[str],
        Doc("Terms to listen for; not beside `prompt`. The portable `keyterms` comes to this."),
        Default(None, "none"),
    ]
    prompt: Annotated[str, Doc("What is being talked about; not beside `keyterms_prompt`."), Default(None, "none")]
    language_detection: Annotated[bool, Doc("Whether the language is found out."), Default(None, "AssemblyAI's")]
    inactivity_timeout: Annotated[
        float,
        Range(gt=0),
        Unit("s"),
        Doc("After so long without speech AssemblyAI ends the session, and the library begins another one."),
        Default(None, "never"),
    ]
    speaker_labels: Annotated[bool, Doc("Whether speakers are told apart."), Default(None, "false")]
    agent_context: Annotated[
        str, Length(le=1750), Doc("What the agent has said last, at most 1750 characters; U3."), Default(None, "none")
    ]
    previous_context_n_turns: Annotated[
        int, Range(ge=0), Doc("How many turns before count as context; U3."), Default(None, "0")
    ]
    voice_focus: Annotated[
        Literal["near-field", "far-field"], Doc("Where the speaker is, from the microphone; U3."), Default(None, "none")
    ]
    voice_focus_threshold: Annotated[
        float, Range(ge=0, le=1), Doc("How strictly other voices are left out; U3."), Default(None, "AssemblyAI's")
    ]
    mode: Annotated[
        Literal["min_latency", "balanced", "max_accuracy"],
        Doc("Whether it is rather fast or rather right; U3."),
        Default(None, "AssemblyAI's"),
    ]


def check_assemblyai(options: Mapping[str, object]) -> str | None:
    """What is wrong between the options of AssemblyAI's models."""
    if "prompt" in options and "keyterms_prompt" in options:
        return "`prompt` and `keyterms_prompt` (the portable `keyterms`) exclude each other: leave one of them out"
    return None
