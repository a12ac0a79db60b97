"""Cartesia's models, their options, and which surface serves them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, TypedDict, cast

from stt_core.errors import ConfigError
from stt_core.options import Default, Doc, Length, Pattern, Range, Unit
from stt_core.provider import Carries

if TYPE_CHECKING:
    from stt_core.provider import Capabilities
    from stt_core.registry import Resolved

__all__ = [
    "API_VERSION",
    "CARRIES",
    "LANGUAGES",
    "LANGUAGE_MAP",
    "Ink2Model",
    "Ink2Options",
    "InkPreviewModel",
    "InkWhisperModel",
    "InkWhisperOptions",
    "Surface",
    "capabilities_of",
    "check_ink_2",
    "check_ink_preview",
    "check_ink_whisper",
    "keyterm_from",
    "surface_of",
    "without_region",
]

InkWhisperModel = Literal["ink-whisper", "ink-whisper-2025-06-04"]
"""The multilingual model and its snapshot; later snapshots (``ink-whisper-…``) are passed on."""

Ink2Model = Literal["ink-2"]
"""The English model that finds turns; snapshots (``ink-2-…``) are passed on."""

InkPreviewModel = Literal["ink-preview"]
"""What comes next; every id that begins like this is passed on."""

Surface: TypeAlias = Literal["manual", "turns"]
"""Which WebSocket: ``manual`` is ``/stt/websocket``, ``turns`` is ``/stt/turns/websocket``."""

CARRIES: Mapping[Surface, Carries] = {
    "manual": Carries(interims=True, words=True, language=True, times="session"),
    # A turn ends half a second after its last word at the least, and results come up to 2 s behind the audio.
    "turns": Carries(turns=True, interims=True, preflight=True, lag=3.0),
}
"""What each carries; why times may be called the session's is said at :class:`stt_cartesia.manual.WordTimes`."""

API_VERSION = "2026-08-14"
"""What Cartesia's newest SDK (4.2.0) sends."""

MAX_KEYTERMS = 100
MAX_KEYTERM_CHARACTERS = 1200

_CODES = """
en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml cy sk
te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo
ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue
"""

LANGUAGES = tuple(_CODES.split())
"""What ink-whisper speaks, in Cartesia's codes: a closed list without regions."""

LANGUAGE_MAP = {"cmn": "zh", "fil": "tl", "iw": "he", "jv": "jw", "nb": "no"}
"""BCP-47 to Cartesia's code where they differ; ``pt-BR`` becomes ``pt`` by itself."""


_REGIONAL = re.compile(r"([a-z]{2,3})(-[A-Za-z0-9]{1,8})+")


def without_region(tag: str) -> str | None:
    """The language alone: Cartesia takes no regions. ``None`` where the tag has none."""
    regional = _REGIONAL.fullmatch(tag)
    return regional and regional[1]


class _RealtimeOptions(TypedDict, total=False):
    endpoint: Annotated[
        Literal["auto", "manual", "turns"],
        Doc(
            "Which WebSocket serves live streams: `manual` finalises on flush() or after a silence, `turns` finds the "
            "turns itself. `auto`: turns for ink-2, and for ink-preview in English or without a language; else manual."
        ),
        Default("auto"),
    ]
    interim_results: Annotated[
        bool, Doc("Whether a stream tells what it has heard before it is sure."), Default(value=True)
    ]
    upstream_encoding: Annotated[
        Literal["pcm_s16le", "pcm_s32le", "pcm_f16le", "pcm_f32le", "pcm_mulaw", "pcm_alaw"],
        Doc("The encoding of live audio on its way to Cartesia."),
        Default(None, "that of the audio pushed"),
    ]
    close_word: Annotated[
        Literal["close", "done"],
        Doc("On `manual`: how the end is said; `done` is what servers and clients before 2026 say."),
        Default("close"),
    ]
    cumulative_finals: Annotated[
        bool,
        Doc(
            "On `manual`: finals repeat the whole session, as Cartesia's documents of 2025 show them, and what was "
            "known is cut off. Off, because a speaker may repeat himself too."
        ),
        Default(value=False),
    ]
    idle_silence_after: Annotated[
        float,
        Range(ge=0),
        Unit("s"),
        Doc(
            "On `manual`: after so long without audio 0.1 s of silence is sent (and billed), because Cartesia closes "
            "idle connections after 20 s or more. 0 lets it."
        ),
        Default(10.0),
    ]
    api_version: Annotated[
        str,
        Pattern(r"20\d\d-\d\d-\d\d", "a date such as 2026-08-14"),
        Doc("The version of Cartesia's API (Cartesia-Version)."),
        Default(API_VERSION),
    ]


class InkWhisperOptions(_RealtimeOptions, total=False):
    """The options of ink-whisper, live (``/stt/websocket``) and for files (``/stt``)."""

    min_volume: Annotated[
        float,
        Range(ge=0, le=1),
        Doc(
            "Live: audio below this volume counts as silence. High values also silence quiet speech: 0.5 is reported "
            "to leave nothing, 0.1 to 0.15 to work."
        ),
        Default(None, "the server's"),
    ]
    max_silence_duration_secs: Annotated[
        float,
        Range(ge=0),
        Unit("s"),
        Doc("Live: a silence of this length finalises what was said before it."),
        Default(None, "the server's"),
    ]
    word_timestamps: Annotated[
        bool,
        Doc("Whether words come with their times. Live they always come, and false leaves them out."),
        Default(None, "true for streams, false for files"),
    ]
    batch_path: Annotated[
        Literal["/stt", "/audio/transcriptions"],
        Doc("Where files are uploaded: Cartesia's own path or the one shaped like OpenAI's. Both answer the same."),
        Default("/stt"),
    ]


class Ink2Options(_RealtimeOptions, total=False):
    """The options of ink-2 and ink-preview.

    The model tells how likely it is that the user is inside a turn. A turn starts when that rises above
    ``turn_start_threshold`` and ends when it falls below ``turn_end_threshold``: a *higher* end threshold ends
    *earlier* (the other way round than Deepgram Flux). They keep the order start > eager end > end. Cartesia has moved
    its defaults once, so nothing is sent for what is not set.
    """

    keyterm: Annotated[
        list[str],
        Length(le=MAX_KEYTERMS),
        Doc(
            f"Terms to listen for, a phrase being one of them; at most {MAX_KEYTERM_CHARACTERS} characters in all. "
            "Another list takes a new connection."
        ),
        Default(None, "none"),
    ]
    turn_start_threshold: Annotated[
        float,
        Range(ge=0.5, le=0.9),
        Doc("On `turns`: the likelihood above which a turn starts."),
        Default(None, "the server's, 0.8 as published"),
    ]
    turn_eager_end_threshold: Annotated[
        float,
        Range(ge=0.3, le=0.8),
        Doc("On `turns`: the likelihood below which a turn has probably ended (PREFLIGHT_TRANSCRIPT)."),
        Default(None, "the server's, 0.4 or 0.6 as published"),
    ]
    turn_end_threshold: Annotated[
        float,
        Range(ge=0.05, le=0.5),
        Doc("On `turns`: the likelihood below which a turn has ended."),
        Default(None, "the server's, 0.2 or 0.3 as published"),
    ]
    turn_end_timeout_ms: Annotated[
        int,
        Range(ge=640, le=11200),
        Unit("ms"),
        Doc("On `turns`: the longest silence inside a turn, whatever its likelihood."),
        Default(None, "the server's, 5600 as published"),
    ]


THRESHOLDS = ("turn_start_threshold", "turn_eager_end_threshold", "turn_end_threshold", "turn_end_timeout_ms")
"""What ``config`` can change during a session."""

_ONLY_MANUAL = ("close_word", "cumulative_finals", "idle_silence_after")


def keyterm_from(keyterms: object) -> Mapping[str, object]:
    """The portable ``keyterms`` as Cartesia takes them: without weights.

    Raises:
        ConfigError: a term has one.
    """
    terms = cast("Sequence[str | tuple[str, float]]", keyterms)
    weighted = [term for term in terms if not isinstance(term, str)]
    if weighted:
        raise ConfigError(
            f"cartesia: keyterms have no weights here; give `{weighted[0][0]}` alone", provider="cartesia"
        )
    return {"keyterm": list(terms)}


def check_ink_whisper(options: Mapping[str, object]) -> str | None:
    """What is wrong between the options of ink-whisper."""
    if options.get("endpoint") == "turns":
        return "ink-whisper is not served by the endpoint `turns`; leave `endpoint` out, or take ink-2"
    return None


def check_ink_2(options: Mapping[str, object]) -> str | None:
    """What is wrong between the options of ink-2."""
    surface: Surface = "manual" if options.get("endpoint") == "manual" else "turns"
    return _check_keyterm(options) or _check_thresholds(options) or _check_surface(options, surface)


def check_ink_preview(options: Mapping[str, object]) -> str | None:
    """What is wrong between the options of ink-preview, as far as that does not depend on the language."""
    endpoint = options.get("endpoint", "auto")
    complaint = _check_keyterm(options) or _check_thresholds(options)
    return complaint or (None if endpoint == "auto" else _check_surface(options, cast("Surface", endpoint)))


def _check_keyterm(options: Mapping[str, object]) -> str | None:
    terms = cast("Sequence[str]", options.get("keyterm", ()))
    if not all(term.strip() for term in terms):
        return "`keyterm` has an empty term"
    characters = sum(map(len, terms))
    if characters > MAX_KEYTERM_CHARACTERS:
        return f"`keyterm` has {characters} characters in all; Cartesia takes {MAX_KEYTERM_CHARACTERS}"
    return None


def _check_thresholds(options: Mapping[str, object]) -> str | None:
    given = [(name, cast("float", options[name])) for name in THRESHOLDS[:3] if name in options]
    for (upper, high), (lower, low) in pairwise(given):
        if high <= low:
            return f"`{upper}` has to be above `{lower}`, and {high:g} is not above {low:g}"
    return None


def _check_surface(options: Mapping[str, object], surface: Surface) -> str | None:
    foreign = THRESHOLDS if surface == "manual" else _ONLY_MANUAL
    other: Surface = "turns" if surface == "manual" else "manual"
    for name in foreign:
        if name in options:
            return f"`{name}` belongs to the endpoint `{other}`, and this is `{surface}`: leave one of them out"
    return None


def surface_of(settings: Resolved) -> Surface:
    """The WebSocket that serves a stream with these settings.

    Raises:
        ConfigError: none does: the endpoint that was asked for knows nothing of the language or of an option.
    """
    if settings.family.name == "ink-whisper":
        return "manual"
    language = settings.vendor_language
    any_or_english = language is None or language in ("en", "multi")
    endpoint = cast("str", settings.options.get("endpoint", "auto"))
    surface: Surface = "manual" if endpoint == "manual" or (endpoint == "auto" and not any_or_english) else "turns"
    complaint = _check_surface(settings.options, surface)
    if surface == "turns" and not any_or_english:
        complaint = f"the endpoint `turns` takes no language, and `{language}` was asked for: leave one of them out"
    if surface == "manual" and language == "multi":
        complaint = "the endpoint `manual` hears one language: name it"
    if complaint:
        raise ConfigError(f"{settings.label}: {complaint}", provider=settings.provider.name)
    return surface


def capabilities_of(settings: Resolved) -> Capabilities:
    """What the model does by itself over the endpoint that serves it."""
    declared = settings.family.capabilities
    if surface_of(settings) == "turns":
        return declared
    return replace(declared, turns=False, words=True, flush="native", update="reconnect")
