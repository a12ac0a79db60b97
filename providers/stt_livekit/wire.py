"""The protocol of the LiveKit inference gateway, both directions, without a socket, an event loop or a clock.

One WebSocket per session, ``{base_url}/stt``; every frame is text with one JSON object, audio included. Two dialects
are spoken. The old one (livekit-agents 1.2, September 2025) creates, sends audio, finalizes at its end, and waits for
the socket to be closed; it knows no other server message than ``session.created``, the interim and final transcript,
``session.finalized``, ``session.closed`` and ``error``. The new one names the model in the query too, says
``connection`` when it creates, may finalize in the middle of the audio, updates, and closes.

Each message has a TypedDict and a ``build_`` function for the side that sends it. The receiving side looks fields up
with :func:`text_of` and its neighbours: nothing says which of them are always there, and null stands for missing.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypeAlias, TypedDict
from urllib.parse import quote, urlencode

from pydantic_core import to_json

from stt_core.errors import ProtocolError
from stt_core.jsonfields import JsonFields

__all__ = [
    "ALGORITHM",
    "AUTO",
    "BASE_URL",
    "CLOSE_MESSAGE",
    "ENCODING",
    "FINALIZE_MESSAGE",
    "GRANT",
    "MODEL_PARAMETER",
    "SESSION_HEADER",
    "SOCKET_PATH",
    "STAGING_BASE_URL",
    "STAGING_HOSTS",
    "SUBJECT",
    "TOKEN_SECONDS",
    "USER_AGENT",
    "AudioMessage",
    "Claims",
    "ClientMessage",
    "ConnectionPolicy",
    "CreateMessage",
    "Dialect",
    "ErrorMessage",
    "Fallback",
    "FallbackMember",
    "Grant",
    "ServerMessage",
    "SessionMessage",
    "Settings",
    "SpeechMessage",
    "TranscriptKind",
    "TranscriptMessage",
    "UpdateMessage",
    "UpdateSettings",
    "WireWord",
    "audio_of",
    "build_audio",
    "build_claims",
    "build_close",
    "build_closed",
    "build_create",
    "build_created",
    "build_error",
    "build_finalize",
    "build_finalized",
    "build_speech_start",
    "build_transcript",
    "build_update",
    "dialect_of",
    "dump",
    "fields_of",
    "items_of",
    "number_of",
    "parse",
    "sample_rate_of",
    "socket_url",
    "text_of",
]

BASE_URL = "https://agent-gateway.livekit.cloud/v1"
STAGING_BASE_URL = "https://agent-gateway.staging.livekit.cloud/v1"
STAGING_HOSTS = ".staging.livekit.cloud"
"""A ``LIVEKIT_URL`` with this in it makes LiveKit's newer client take :data:`STAGING_BASE_URL`."""

SOCKET_PATH = "/stt"
"""Behind the base URL."""

MODEL_PARAMETER = "model"
"""In the query of the new dialect, beside the ``model`` of ``session.create``."""

AUTO = "auto"
"""As a model: the gateway chooses. It stands in the query only, ``session.create`` has no ``model`` then."""

SESSION_HEADER = "X-LiveKit-Session-ID"
"""``inference_…``, made by the client of the new dialect for each connection; it serves as the request's id."""

USER_AGENT = "stt-core"
"""What our client half calls itself. It always says ``session.close`` when it has heard everything, so that a server
need not guess whether a ``session.finalize`` was the last one; LiveKit's own clients wait for ``session.closed``."""

ENCODING = "pcm_s16le"
"""The only one: signed 16 bit, little endian, one channel."""


# -- the token -----------------------------------------------------------------------------------------------------

ALGORITHM = "HS256"
SUBJECT = "agent"
TOKEN_SECONDS = 600
"""It is looked at in the handshake only, so that a session may outlive it."""


class Grant(TypedDict):
    """What the token is for."""

    perform: bool


GRANT: Grant = {"perform": True}


class Claims(TypedDict):
    """The payload of the bearer token: these and no others."""

    inference: Grant
    sub: str
    iss: str
    nbf: int
    exp: int


def build_claims(api_key: str, *, now: int) -> Claims:
    """The claims of a token for ``api_key`` that is good from ``now`` (seconds since 1970) on."""
    return {"inference": GRANT, "sub": SUBJECT, "iss": api_key, "nbf": now, "exp": now + TOKEN_SECONDS}


# -- what the client says ------------------------------------------------------------------------------------------

Dialect: TypeAlias = Literal["old", "new"]
"""``old`` is what livekit-agents 1.2 speaks, ``new`` what 1.8 speaks."""


class Settings(TypedDict):
    """Of a session. ``extra`` goes to the upstream provider as it is; ``language`` is BCP-47."""

    sample_rate: str
    encoding: str
    extra: Mapping[str, object]
    language: NotRequired[str]


class FallbackMember(TypedDict):
    """A model that the gateway goes on to when the one before fails."""

    model: str
    extra: Mapping[str, object] | None


class Fallback(TypedDict):
    """In their order."""

    models: Sequence[FallbackMember]


class ConnectionPolicy(TypedDict):
    """How hard the gateway tries to reach the upstream provider; ``timeout`` in seconds."""

    timeout: float
    retries: int


class CreateMessage(TypedDict):
    """The first message. Without ``model`` the gateway chooses one."""

    type: Literal["session.create"]
    settings: Settings
    model: NotRequired[str]
    fallback: NotRequired[Fallback]
    connection: NotRequired[ConnectionPolicy]


class AudioMessage(TypedDict):
    """Base64 (standard alphabet, padded) of samples in :data:`ENCODING`; LiveKit's clients send 50 ms each."""

    type: Literal["input_audio"]
    audio: str


class UpdateSettings(TypedDict, total=False):
    """Only what changes. The model is in here, and beside ``settings`` in ``session.create``."""

    model: str
    language: str
    extra: Mapping[str, object]


class UpdateMessage(TypedDict):
    """New dialect: other settings from here on. Nothing acknowledges it."""

    type: Literal["session.update"]
    settings: UpdateSettings


class SessionMessage(TypedDict):
    """What has nothing but its type.

    From the client: ``session.finalize``, recognise all audio so far (in the old dialect: and that was all), and
    ``session.close`` (new dialect), let go of everything. From the server: ``session.finalized``, which need not come
    and may come before the last transcripts, and ``session.closed``, the last message.
    """

    type: Literal["session.finalize", "session.close", "session.finalized", "session.closed"]


FINALIZE_MESSAGE = '{"type":"session.finalize"}'
CLOSE_MESSAGE = '{"type":"session.close"}'

ClientMessage: TypeAlias = CreateMessage | AudioMessage | UpdateMessage | SessionMessage


def build_create(
    *,
    sample_rate: int,
    extra: Mapping[str, object] | None = None,
    model: str | None = None,
    language: str | None = None,
    fallback: Sequence[FallbackMember] = (),
    connection: ConnectionPolicy | None = None,
) -> CreateMessage:
    """See :class:`CreateMessage`. ``sample_rate`` in Hz; :data:`AUTO` as the model is left out."""
    settings: Settings = {"sample_rate": str(sample_rate), "encoding": ENCODING, "extra": extra or {}}
    if language is not None:
        settings["language"] = language
    message: CreateMessage = {"type": "session.create", "settings": settings}
    if model is not None and model != AUTO:
        message["model"] = model
    if fallback:
        message["fallback"] = {"models": fallback}
    if connection is not None:
        message["connection"] = connection
    return message


_AUDIO_HEAD, _AUDIO_TAIL = '{"type":"input_audio","audio":"', '"}'


def build_audio(data: bytes) -> str:
    """An :class:`AudioMessage`, as the frame that it is sent in."""
    return f"{_AUDIO_HEAD}{b64encode(data).decode('ascii')}{_AUDIO_TAIL}"


def build_update(settings: UpdateSettings) -> UpdateMessage:
    """See :class:`UpdateMessage`."""
    return {"type": "session.update", "settings": settings}


def build_finalize() -> SessionMessage:
    """See :class:`SessionMessage`."""
    return {"type": "session.finalize"}


def build_close() -> SessionMessage:
    """See :class:`SessionMessage`."""
    return {"type": "session.close"}


def dialect_of(create: Mapping[str, object]) -> Dialect:
    """The dialect of the client that said this ``session.create``: the new one always says ``connection``."""
    return "new" if create.get("connection") is not None else "old"


def sample_rate_of(settings: Mapping[str, object]) -> int:
    """The rate in ``settings``, in Hz; it is text on the wire, and a number is taken as well.

    Raises:
        ProtocolError: there is none, or it is no number of samples.
    """
    value = settings.get("sample_rate")
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise _fields.mistyped("settings.sample_rate", value)
    return value


def audio_of(message: Mapping[str, object]) -> bytes:
    """The samples in an :class:`AudioMessage`.

    Raises:
        ProtocolError: they are no base64.
    """
    value = message.get("audio")
    if not isinstance(value, str):
        raise _fields.mistyped("audio", value)
    try:
        return b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise _fields.mistyped("audio", value) from None


# -- what the server says ------------------------------------------------------------------------------------------


class SessionCreated(TypedDict):
    """The session exists. LiveKit's clients do not wait for it."""

    type: Literal["session.created"]
    session_id: NotRequired[str]


class SpeechMessage(TypedDict):
    """New dialect: a turn begins, where the upstream provider marks turns (Cartesia's ink-2)."""

    type: Literal["start_of_speech"]


TranscriptKind: TypeAlias = Literal["interim_transcript", "preflight_transcript", "final_transcript"]


class WireWord(TypedDict):
    """A word; seconds from the session's first sample."""

    word: str
    start: NotRequired[float]
    end: NotRequired[float]
    confidence: NotRequired[float]
    speaker_id: NotRequired[str]
    extra: NotRequired[object]


class TranscriptMessage(TypedDict):
    """Text since the last final; ``preflight_transcript`` (new dialect): the turn is probably over.

    ``start`` is in seconds from the session's first sample, and ``duration`` counts from there. LiveKit's client takes
    a field that is missing for its default: ``start`` and ``duration`` 0, ``confidence`` 1.0, the ``language`` asked
    for.
    """

    type: TranscriptKind
    transcript: str
    session_id: NotRequired[str]
    request_id: NotRequired[str]
    language: NotRequired[str]
    start: NotRequired[float]
    duration: NotRequired[float]
    confidence: NotRequired[float]
    words: NotRequired[Sequence[WireWord]]
    speaker_id: NotRequired[str]
    extra: NotRequired[object]


class ErrorMessage(TypedDict):
    """What is wrong, with an HTTP status as its code; -1 where there is none."""

    type: Literal["error"]
    message: NotRequired[str]
    code: NotRequired[int]


ServerMessage: TypeAlias = SessionCreated | SpeechMessage | TranscriptMessage | SessionMessage | ErrorMessage


def build_created(session_id: str) -> SessionCreated:
    """See :class:`SessionCreated`."""
    return {"type": "session.created", "session_id": session_id}


def build_speech_start() -> SpeechMessage:
    """See :class:`SpeechMessage`."""
    return {"type": "start_of_speech"}


def build_transcript(
    kind: TranscriptKind,
    transcript: str,
    *,
    session_id: str | None = None,
    language: str | None = None,
    start: float | None = None,
    duration: float | None = None,
    confidence: float | None = None,
    words: Sequence[WireWord] | None = None,
    speaker_id: str | None = None,
    extra: object = None,
) -> TranscriptMessage:
    """See :class:`TranscriptMessage`. What is ``None`` is left out: LiveKit's client stumbles over a null."""
    message: TranscriptMessage = {"type": kind, "transcript": transcript}
    if session_id is not None:
        message["session_id"] = session_id
    if language is not None:
        message["language"] = language
    if start is not None:
        message["start"] = start
    if duration is not None:
        message["duration"] = duration
    if confidence is not None:
        message["confidence"] = confidence
    if words is not None:
        message["words"] = words
    if speaker_id is not None:
        message["speaker_id"] = speaker_id
    if extra is not None:
        message["extra"] = extra
    return message


def build_finalized() -> SessionMessage:
    """See :class:`SessionMessage`."""
    return {"type": "session.finalized"}


def build_closed() -> SessionMessage:
    """See :class:`SessionMessage`."""
    return {"type": "session.closed"}


def build_error(message: str, *, code: int | None = None) -> ErrorMessage:
    """See :class:`ErrorMessage`; ``code`` is an HTTP status."""
    error: ErrorMessage = {"type": "error", "message": message}
    if code is not None:
        error["code"] = code
    return error


# -- reading and writing -------------------------------------------------------------------------------------------


def socket_url(base_url: str, model: str | None) -> str:
    """Where to connect, with ``ws://`` or ``wss://``; without a model there is no query."""
    scheme, _, rest = base_url.rstrip("/").partition("://")
    query = "" if model is None else "?" + urlencode({MODEL_PARAMETER: model}, safe="/", quote_via=quote)
    return f"{ {'http': 'ws', 'https': 'wss'}.get(scheme, scheme) }://{rest}{SOCKET_PATH}{query}"


_fields = JsonFields("LiveKit's gateway", provider="livekit")
text_of, number_of, fields_of, items_of = _fields.text_of, _fields.number_of, _fields.object_of, _fields.items_of


def parse(message: str | bytes) -> Mapping[str, object]:
    """A frame as a JSON object.

    Raises:
        ProtocolError: it is none, or not text.
    """
    if isinstance(message, bytes):
        raise ProtocolError(f"a binary frame of {len(message)} bytes came, where all are text", provider="livekit")
    return _fields.parse(message)


def dump(message: Mapping[str, object] | ClientMessage | ServerMessage) -> str:
    """A message as JSON."""
    return to_json(message).decode()
