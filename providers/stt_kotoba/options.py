"""Kotoba's models, which are its three APIs, their options, and what each of them carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, TypedDict, cast

from stt_core.errors import ConfigError
from stt_core.options import Default, Doc, Pattern, Range, Unit
from stt_core.provider import Carries

from .wire import SILENCE_MS

if TYPE_CHECKING:
    from stt_core.registry import Resolved

__all__ = [
    "CARRIES",
    "LANGUAGE_MAP",
    "REALTIME_CARRIES",
    "JobsModel",
    "JobsOptions",
    "KotobaOptions",
    "OneShotModel",
    "OneShotOptions",
    "RealtimeModel",
    "RealtimeOptions",
    "Surface",
    "carries_of",
    "check",
    "keywords_from",
]

JobsModel = Literal["jobs"]
"""``POST /transcription_jobs``: submitted, then asked after."""

OneShotModel = Literal["one-shot"]
"""``POST /speech-to-text``: answered at once."""

RealtimeModel = Literal["realtime"]
"""The WebSocket."""

Surface: TypeAlias = Literal["jobs", "one-shot", "realtime"]

LANGUAGE_MAP = {"cmn": "zh"}
"""BCP-47 to Kotoba's code where they differ; ``ja-JP`` becomes ``ja`` by itself."""

_LAG = 3.0
"""Without times: a turn ends most of a second after its last word, and results come up to 2 s behind the audio."""

REALTIME_CARRIES: Mapping[bool, Carries] = {
    True: Carries(interims=True, grows=True, times="session", lag=_LAG),
    False: Carries(interims=True, grows=True, lag=_LAG),
}
"""With ``timestamps`` and without."""

CARRIES: Mapping[Surface, Carries] = {
    "jobs": Carries(times="session"),
    "one-shot": Carries(words=True, confidence=True, speakers=True, language=True, times="session"),
    "realtime": REALTIME_CARRIES[True],
}

_URL = Pattern(r"(https?|wss?)://[^\s/?#]+[^\s]*", "a URL that begins with http://, https://, ws:// or wss://")


class _Options(TypedDict, total=False):
    kana: Annotated[bool, Doc("Whether names of people are written in kana."), Default(value=False)]


class _RestOptions(_Options, total=False):
    rest_url: Annotated[
        str,
        _URL,
        Doc("Where the REST API is, `/v1` included. It beats `base_url`."),
        Default(None, "base_url, else KOTOBA_ASR_REST_URL"),
    ]
    with_timestamps: Annotated[
        bool,
        Doc("Files: whether segments (jobs) or words (one-shot) come with their times."),
        Default(value=False),
    ]


class _KeywordOptions(TypedDict, total=False):
    keywords: Annotated[
        list[str],
        Doc("Terms to listen for. fal.ai takes 1000 of at most 64 characters; some deployments take none."),
        Default(None, "none"),
    ]


class JobsOptions(_RestOptions, total=False):
    """The options of ``kotoba/jobs``."""


class OneShotOptions(_RestOptions, _KeywordOptions, total=False):
    """The options of ``kotoba/one-shot``."""

    diarization: Annotated[
        bool | str,
        Doc("Files: whether speakers are told apart, true or false. Deployments that cannot answer with an error."),
        Default(value=False),
    ]


class RealtimeOptions(_Options, _KeywordOptions, total=False):
    """The options of ``kotoba/realtime``."""

    ws_url: Annotated[
        str,
        _URL,
        Doc("The address of the WebSocket, used as it is. It beats `base_url`."),
        Default(None, "base_url and /realtime, else KOTOBA_ASR_URL"),
    ]
    turn_detection: Annotated[
        bool,
        Doc(
            "Live: whether the server ends turns. Without, a segment ends on flush() or with the stream. It is always "
            "sent, because deployments disagree on what they do when it is not."
        ),
        Default(value=True),
    ]
    silence_duration_ms: Annotated[
        int,
        Range(ge=0),
        Unit("ms"),
        Doc("Live: how long nothing may be said before the turn ends; the server rounds up to steps of 80 ms."),
        Default(SILENCE_MS),
    ]
    timestamps: Annotated[
        bool,
        Doc(
            "Live: whether results say which audio they are of. Without, what is heard again after a lost connection "
            "can only be estimated, and words may come twice. Off for deployments that refuse it."
        ),
        Default(value=True),
    ]
    interim_results: Annotated[bool, Doc("Live: whether the text of a turn is told as it grows."), Default(value=True)]
    upstream_encoding: Annotated[
        Literal["pcm16", "float32", "twilio", "mulaw"],
        Doc("Live: the encoding of the audio on its way to Kotoba; `mulaw` is what AWS calls `twilio`."),
        Default(None, "twilio for mu-law at 8 kHz, else pcm16"),
    ]
    kana_field: Annotated[
        Literal["style_preference", "kana"],
        Doc("Live: how `kana` is spelt: as the SDKs do, or as the container that AWS sells does."),
        Default("style_preference"),
    ]


class KotobaOptions(OneShotOptions, RealtimeOptions, total=False):
    """The options of ``kotoba`` alone: those of all three, each for the calls that it is about."""


def keywords_from(keyterms: object) -> Mapping[str, object]:
    """The portable ``keyterms`` as Kotoba takes them: without weights.

    Raises:
        ConfigError: a term has one.
    """
    terms = cast("Sequence[str | tuple[str, float]]", keyterms)
    weighted = [term for term in terms if not isinstance(term, str)]
    if weighted:
        raise ConfigError(f"kotoba: keyterms have no weights here; give `{weighted[0][0]}` alone", provider="kotoba")
    return {"keywords": list(terms)}


def check(options: Mapping[str, object]) -> str | None:
    """What is wrong between the options of any of them."""
    if not all(term.strip() for term in cast("Sequence[str]", options.get("keywords", ()))):
        return "`keywords` has an empty term"
    if isinstance(options.get("diarization"), str):
        return "`diarization` is true or false: there is one way of it"
    if options.get("turn_detection") is False and "silence_duration_ms" in options:
        return "`silence_duration_ms` is for turn_detection=true: leave one of them out"
    if "kana_field" in options and not options.get("kana"):
        return "`kana_field` says how kana=true is spelt: leave it out, or ask for kana"
    return None


def carries_of(settings: Resolved) -> Carries:
    """What the WebSocket carries with these settings."""
    return REALTIME_CARRIES[settings.options.get("timestamps") is not False]
