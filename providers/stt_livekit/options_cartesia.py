"""Cartesia behind the gateway: ink-whisper, which is fed segments, and ink-2, which finds turns."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Literal, cast

from stt_core.options import Default, Doc, Range, Unit

from .options import GatewayOptions

__all__ = [
    "CartesiaModel",
    "CartesiaOptions",
    "Ink2Model",
    "Ink2Options",
    "InkWhisperModel",
    "InkWhisperOptions",
    "check_cartesia",
]

CartesiaModel = Literal["cartesia"]
"""The vendor alone: the gateway chooses the model. So do ids of Cartesia's that are not known here."""

InkWhisperModel = Literal["cartesia/ink-whisper"]
Ink2Model = Literal["cartesia/ink-2"]

MAX_KEYTERMS = 100
MAX_KEYTERM_CHARACTERS = 1200


class InkWhisperOptions(GatewayOptions, total=False):
    """The options of ink-whisper."""

    min_volume: Annotated[
        float,
        Range(ge=0, le=1),
        Doc("Audio below this volume counts as silence."),
        Default(None, "Cartesia's"),
    ]
    max_silence_duration_secs: Annotated[
        float,
        Range(ge=0),
        Unit("s"),
        Doc("A silence of this length finalises what was said before it."),
        Default(None, "Cartesia's"),
    ]


class Ink2Options(GatewayOptions, total=False):
    """The options of ink-2. A *higher* end threshold ends a turn *earlier*."""

    turn_start_threshold: Annotated[
        float,
        Range(ge=0.5, le=0.9),
        Doc("The likelihood above which a turn starts."),
        Default(None, "Cartesia's, 0.8 as published"),
    ]
    turn_eager_end_threshold: Annotated[
        float,
        Range(ge=0.3, le=0.6),
        Doc("The likelihood below which a turn has probably ended (PREFLIGHT_TRANSCRIPT)."),
        Default(None, "Cartesia's, 0.4 as published"),
    ]
    turn_end_threshold: Annotated[
        float,
        Range(ge=0.05, le=0.5),
        Doc("The likelihood below which a turn has ended."),
        Default(None, "Cartesia's, 0.2 as published"),
    ]
    turn_end_timeout_ms: Annotated[
        int,
        Range(ge=640, le=11200),
        Unit("ms"),
        Doc("The longest silence inside a turn, whatever its likelihood."),
        Default(None, "Cartesia's, 5600 as published"),
    ]
    keyterm: Annotated[
        str | list[str],
        Doc(
            f"Terms to listen for: at most {MAX_KEYTERMS}, and {MAX_KEYTERM_CHARACTERS} characters in all. The "
            "portable `keyterms` comes to this."
        ),
        Default(None, "none"),
    ]


class CartesiaOptions(InkWhisperOptions, Ink2Options, total=False):
    """Where the gateway chooses the model: what any of Cartesia's takes."""


_THRESHOLDS = ("turn_start_threshold", "turn_eager_end_threshold", "turn_end_threshold")


def check_cartesia(options: Mapping[str, object]) -> str | None:
    """What is wrong between the options of a model of Cartesia's."""
    keyterm = cast("str | list[str]", options.get("keyterm", []))
    terms = [keyterm] if isinstance(keyterm, str) else keyterm
    characters = sum(map(len, terms))
    if len(terms) > MAX_KEYTERMS or characters > MAX_KEYTERM_CHARACTERS:
        return (
            f"`keyterm` has {len(terms)} terms of {characters} characters in all; Cartesia takes {MAX_KEYTERMS} of "
            f"{MAX_KEYTERM_CHARACTERS}"
        )
    given = [(name, value) for name in _THRESHOLDS if isinstance(value := options.get(name), float)]
    for (upper, high), (lower, low) in pairwise(given):
        if high <= low:
            return f"`{upper}` has to be above `{lower}`, and {high:g} is not above {low:g}"
    return None
