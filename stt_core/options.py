"""The options of the framework and those that every provider shares; each provider adds the TypedDicts of its models.

All durations are in seconds. What a TypedDict here declares with ``Default`` is the one place where that default is
written; :func:`with_defaults` fills it in. ``STTSettings``, ``StreamSettings`` and ``ChainSettings`` are the same
options when none is left open.
"""

from __future__ import annotations

import ssl as _ssl
from collections.abc import Mapping
from copy import copy
from typing import Annotated, Literal, TypedDict

from typing_extensions import Doc

from .errors import ConfigError
from .markers import Default, Length, OptionField, Pattern, Range, Secret, Unit
from .schema import OptionsType, closest, fields, validate

__all__ = [
    "FRAMEWORK",
    "ChainOptions",
    "ChainSettings",
    "CommonOptions",
    "Default",
    "Doc",
    "Length",
    "OptionField",
    "OptionsType",
    "Pattern",
    "PortableOptions",
    "Range",
    "STTOptions",
    "STTSettings",
    "Secret",
    "StreamOptions",
    "StreamSettings",
    "Unit",
    "closest",
    "fields",
    "validate",
    "with_defaults",
]

_Seconds = Annotated[float, Range(gt=0), Unit("s")]
_URL = Pattern(r"(https?|wss?)://[^\s/?#]+[^\s]*", "a URL that begins with http://, https://, ws:// or wss://")
# A user and a password are percent-encoded, as in any URL.
_PROXY = Pattern(
    r"https?://([^\s/?#@]*@)?(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(:\d{1,5})?/?",
    "http://host:port, with user:password@ before the host where it is asked for",
)


class STTOptions(TypedDict, total=False):
    """How to reach the provider and how hard to try."""

    base_url: Annotated[
        str | None,
        _URL,
        Doc("Where the vendor's API is, as the vendor's own SDK takes it; http and https stand for ws and wss too."),
        Default(None, "the vendor's"),
    ]
    connect_timeout: Annotated[
        _Seconds, Doc("How long the provider may take until it is ready for audio."), Default(10.0)
    ]
    request_timeout: Annotated[
        _Seconds | None,
        Doc("How long one HTTP request may take, an upload included."),
        Default(None, "that of the vendor's own client"),
    ]
    max_retries: Annotated[
        int,
        Range(ge=0),
        Doc("How often a failed connection or request is tried again before the error is raised."),
        Default(5),
    ]
    retry_interval: Annotated[
        float,
        Range(ge=0),
        Unit("s"),
        Doc(
            "The wait before the second retry, doubled for each one after it, with jitter; the first comes after 0.1 s."
        ),
        Default(1.0),
    ]
    proxy: Annotated[
        str | None,
        _PROXY,
        Doc("The HTTP proxy to go through."),
        Default(None, "HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment"),
    ]
    ssl: Annotated[
        bool | _ssl.SSLContext | str,
        Doc("How to check the server's certificate: false for not at all, or a path to a file of trusted authorities."),
        Default(True),
    ]
    extra: Annotated[
        Mapping[str, object],
        Doc("Fields merged unchecked into the vendor's query, body or session settings."),
        Default({}, "nothing"),
    ]


class StreamOptions(TypedDict, total=False):
    """How a live stream behaves."""

    liveness_timeout: Annotated[
        _Seconds,
        Doc("How long the peer may be silent, pongs included, before the connection counts as lost."),
        Default(10.0),
    ]
    flush_timeout: Annotated[
        _Seconds, Doc("How long a segment may stay open after flush() has reached the provider."), Default(5.0)
    ]
    drain_timeout: Annotated[
        _Seconds, Doc("How long finals may take after end_input() has reached the provider."), Default(10.0)
    ]
    replay_seconds: Annotated[
        float,
        Range(ge=0),
        Unit("s"),
        Doc("How much audio is kept for the case that a connection is lost before its finals came."),
        Default(60.0),
    ]
    max_pace: Annotated[
        float | None,
        Range(gt=0),
        Doc("How many times faster than real time a backlog is sent."),
        Default(None, "what the provider bears"),
    ]
    upstream_sample_rate: Annotated[
        int | None,
        Range(ge=8000, le=192000),
        Unit("Hz"),
        Doc("The rate of the audio that goes to the provider, whatever the rate of the audio pushed."),
        Default(None, "the rate pushed, where the provider takes it"),
    ]
    channel_mode: Annotated[
        Literal["mix", "split"],
        Doc("Whether several channels become one, or are recognised each for itself."),
        Default("mix"),
    ]


class ChainOptions(TypedDict, total=False):
    """How a chain of providers moves between its members."""

    deadline: Annotated[
        _Seconds | None,
        Doc("How long all members together may take to recognise a file, or to bring a stream back."),
        Default(None, "no limit but those of the members"),
    ]
    probe_interval: Annotated[
        _Seconds, Doc("How long a member that failed is left alone before it is tried again."), Default(60.0)
    ]
    progress_timeout: Annotated[
        _Seconds | None,
        Doc("How much speech a member may hear, and say nothing about, before the next one gets it."),
        Default(15.0),
    ]


class PortableOptions(TypedDict, total=False):
    """What many models know under different names; each model family maps these to its own or refuses them."""

    language: Annotated[str, Doc("The language spoken, as a BCP-47 tag.")]
    word_timestamps: Annotated[bool, Doc("Whether words come with their times.")]
    keyterms: Annotated[
        list[str | tuple[str, float]],
        Doc("Terms to listen for, each alone or with a weight on the vendor's own scale."),
    ]
    diarization: Annotated[
        bool | str,
        Doc("Whether speakers are told apart: true for the model's usual way, or the vendor's name of a way."),
    ]
    interim_results: Annotated[bool, Doc("Whether a stream tells what it has heard before it is sure.")]
    punctuation: Annotated[bool, Doc("Whether the text is punctuated.")]
    profanity_filter: Annotated[bool, Doc("Whether profane words are masked.")]


class CommonOptions(STTOptions, StreamOptions, PortableOptions, total=False):
    """What every provider's class and every call take beside the model's own options."""


class STTSettings(TypedDict):
    """:class:`STTOptions` with every default in place."""

    base_url: str | None
    connect_timeout: float
    request_timeout: float | None
    max_retries: int
    retry_interval: float
    proxy: str | None
    ssl: bool | _ssl.SSLContext | str
    extra: Mapping[str, object]


class StreamSettings(TypedDict):
    """:class:`StreamOptions` with every default in place."""

    liveness_timeout: float
    flush_timeout: float
    drain_timeout: float
    replay_seconds: float
    max_pace: float | None
    upstream_sample_rate: int | None
    channel_mode: Literal["mix", "split"]


class ChainSettings(TypedDict):
    """:class:`ChainOptions` with every default in place."""

    deadline: float | None
    probe_interval: float
    progress_timeout: float | None


FRAMEWORK: tuple[OptionsType, ...] = (STTOptions, StreamOptions, ChainOptions)
"""The TypedDicts whose names no model family may use for an option of its own."""


def with_defaults(options: OptionsType, values: Mapping[str, object]) -> dict[str, object]:
    """The values, and the declared default of every option that is not among them.

    Raises:
        ConfigError: an option has neither a value nor a default.
    """
    filled: dict[str, object] = {}
    for name, declared in fields(options).items():
        if name in values:
            filled[name] = values[name]
        elif declared.default is None:
            raise ConfigError(f"{options.__name__}.{name} has no default and was not given")
        else:
            filled[name] = copy(declared.default.value)
    return filled
