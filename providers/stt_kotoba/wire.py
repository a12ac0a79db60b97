"""Kotoba's protocol, both directions, without a socket, an event loop or a clock.

Three surfaces: **jobs** (``POST /transcription_jobs``, then ``GET /transcription_jobs/{id}``), **one-shot**
(``POST /speech-to-text``: the answer comes with the request) and **realtime** (a WebSocket, ``/realtime``; one JSON
object per text frame in both directions, audio as base64 inside). Which of them exists depends on what was deployed.

Where Kotoba's documents disagree with each other, both dialects are here: that of its SDKs and of fal.ai, and that of
the container which AWS sells. Each message has a TypedDict and a ``build_`` function for the side that sends it. The
receiving side looks fields up with :func:`text_of` and its neighbours, because hardly any of them is always there.
The documents of the two REST surfaces are in :mod:`.documents`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypeAlias, TypedDict, cast

from stt_core.errors import ProtocolError
from stt_core.jsonfields import JsonFields

__all__ = [
    "COMMIT",
    "DEFAULT_LANGUAGE",
    "DEFAULT_SAMPLE_RATE",
    "ERROR_KINDS",
    "FAL_HOST",
    "KANA",
    "LANGUAGES",
    "MAX_APPEND_BYTES",
    "MAX_EVENT_ID_CHARACTERS",
    "MODEL_STEP_SECONDS",
    "REALTIME_PATH",
    "SILENCE_MS",
    "UPDATE_WITHIN_SECONDS",
    "VERSION_PATH",
    "WIRE_FORMATS",
    "AppendMessage",
    "CommitMessage",
    "CommittedMessage",
    "CompletedMessage",
    "CreatedMessage",
    "DeltaMessage",
    "ErrorKind",
    "ErrorMessage",
    "ErrorObject",
    "FalErrorMessage",
    "FlatErrorMessage",
    "ServerMessage",
    "ServerVAD",
    "Session",
    "SessionTranscription",
    "StylePreference",
    "TurnDetection",
    "UpdateMessage",
    "UpdatedMessage",
    "WireFormat",
    "authorization",
    "build_append",
    "build_committed",
    "build_completed",
    "build_created",
    "build_delta",
    "build_error",
    "build_error_object",
    "build_fal_error",
    "build_item_created",
    "build_update",
    "build_updated",
    "dump",
    "items_of",
    "number_of",
    "object_of",
    "parse",
    "text_of",
]

VERSION_PATH = "/v1"
"""What the base of every address ends with; Kotoba's own SDK wants it spelt out."""

REALTIME_PATH = "/realtime"

FAL_HOST = "fal.run"
"""The gateway, and every host beneath it, that takes its key as ``Key`` instead of ``Bearer``."""

LANGUAGES = ("ja", "en", "ko", "zh")
"""ISO-639-1, a closed list. Which of them a deployment speaks, it alone knows."""

DEFAULT_LANGUAGE = "ja"
"""What the SDKs send for jobs and sockets where nothing is given."""

WireFormat: TypeAlias = Literal["pcm16", "float32", "twilio", "mulaw"]

WIRE_FORMATS: Mapping[WireFormat, Literal["pcm_s16le", "pcm_f32le", "pcm_mulaw"]] = {
    "pcm16": "pcm_s16le",
    "float32": "pcm_f32le",
    "twilio": "pcm_mulaw",
    "mulaw": "pcm_mulaw",
}
"""``input_audio_format`` and what it is; ``mulaw`` is AWS's name for ``twilio``. All is mono. ``ogg/opus`` is left out:
each of its appends would be an Ogg file of its own."""

DEFAULT_SAMPLE_RATE = 24000
MAX_APPEND_BYTES = 1 << 20
"""Of audio in one append, before base64: about 10 s as the documents have it."""

MAX_EVENT_ID_CHARACTERS = 36
"""Letters, digits, ``_`` and ``-``."""

MODEL_STEP_SECONDS = 0.08
SILENCE_MS = 800
"""How much silence ends a turn where ``turn_detection`` does not say."""

UPDATE_WITHIN_SECONDS = 10.0
"""How long the server waits for the one ``transcription_session.update``."""

KANA = "kana"
"""The only style of names there is."""


def authorization(host: str, key: str) -> str:
    """The value of ``Authorization`` for a host, which is compared whole: ``fal.run.example.com`` is not fal's."""
    host = host.lower().rstrip(".")
    scheme = "Key" if host == FAL_HOST or host.endswith(f".{FAL_HOST}") else "Bearer"
    return f"{scheme} {key}"


# -- realtime: what the client says --------------------------------------------------------------------------------


class ServerVAD(TypedDict):
    """The server ends turns after so much silence, which it judges by what its model does not write."""

    type: Literal["server_vad"]
    silence_duration_ms: NotRequired[int]


TurnDetection: TypeAlias = Literal[False] | ServerVAD
"""``true`` and ``null`` are refused. What a missing one means, Kotoba's documents disagree on, so it is always sent."""


class StylePreference(TypedDict):
    """The SDKs' spelling of :data:`KANA`."""

    human_name: Literal["kana"]


class SessionTranscription(TypedDict):
    """``language`` is ``target_language``, or is left out. AWS spells ``style_preference`` as ``kana``."""

    target_language: str
    language: NotRequired[str | None]
    keywords: NotRequired[Sequence[str]]
    style_preference: NotRequired[StylePreference]
    kana: NotRequired[bool]
    timestamps: NotRequired[bool]


class Session(TypedDict):
    """The settings of a session, as asked for and as echoed."""

    input_audio_format: NotRequired[WireFormat]
    input_audio_sample_rate: NotRequired[int]
    input_audio_number_of_channels: NotRequired[int]
    input_audio_transcription: SessionTranscription
    turn_detection: NotRequired[TurnDetection]
    object: NotRequired[Literal["realtime.transcription_session"]]


class UpdateMessage(TypedDict):
    """Exactly once, and before any audio."""

    type: Literal["transcription_session.update"]
    event_id: NotRequired[str]
    session: Session


class AppendMessage(TypedDict):
    """Audio, in base64 with the standard alphabet. Nothing acknowledges it."""

    type: Literal["input_audio_buffer.append"]
    event_id: NotRequired[str]
    audio: str


class CommitMessage(TypedDict):
    """The end of the audio; acknowledged by ``input_audio_buffer.committed``."""

    type: Literal["input_audio_buffer.commit"]


COMMIT = '{"type":"input_audio_buffer.commit"}'


def build_update(session: Session) -> UpdateMessage:
    """See :class:`UpdateMessage`."""
    return {"type": "transcription_session.update", "session": session}


def build_append(audio: bytes) -> str:
    """See :class:`AppendMessage`: the JSON itself, because base64 needs no escapes."""
    return f'{{"type":"input_audio_buffer.append","audio":"{b64encode(audio).decode("ascii")}"}}'


# -- realtime: what the server says --------------------------------------------------------------------------------


class CreatedMessage(TypedDict):
    """Right after the handshake; and, as ``conversation.item.created``, once there is audio."""

    type: Literal["transcription_session.created", "conversation.item.created"]
    event_id: str


class UpdatedMessage(TypedDict):
    """The settings are accepted: audio may come."""

    type: Literal["transcription_session.updated"]
    event_id: str
    session: Session


class DeltaMessage(TypedDict):
    """A piece of text, to be appended as it is; ``""`` where a step of the model wrote nothing.

    Times are there if ``timestamps`` was asked for: milliseconds from the first sample of the session. All audio before
    ``audio_processed_ms`` is fully transcribed. What ``item_id`` means, the documents disagree on: it is no key.
    """

    type: Literal["conversation.item.input_audio_transcription.delta"]
    item_id: NotRequired[str | None]
    delta: str
    start_ms: NotRequired[float]
    end_ms: NotRequired[float]
    audio_processed_ms: NotRequired[float]


class CompletedMessage(TypedDict):
    """The whole text of a turn, and its span if ``timestamps`` was asked for.

    It comes with every turn where the server detects turns. Whether one comes after ``commit`` where it does not, the
    documents disagree on.
    """

    type: Literal["conversation.item.input_audio_transcription.completed"]
    event_id: NotRequired[str]
    item_id: NotRequired[str | None]
    transcript: str
    start_ms: NotRequired[float]
    end_ms: NotRequired[float]


class CommittedMessage(TypedDict):
    """The last message: all audio is transcribed."""

    type: Literal["input_audio_buffer.committed"]
    event_id: str


class ErrorObject(TypedDict):
    """What is wrong, in a frame and in a body; ``param`` may name several, separated by commas."""

    type: str
    code: str | None
    message: str
    param: str | None


class ErrorMessage(TypedDict):
    """An error frame, the last of a session; some say no more than a text."""

    type: Literal["error"]
    event_id: NotRequired[str]
    error: ErrorObject | str
    item_id: NotRequired[str | None]


class FlatErrorMessage(TypedDict):
    """The same without an ``error`` inside."""

    type: Literal["error"]
    code: str
    message: str


class FalErrorMessage(TypedDict):
    """The gateway's own."""

    type: Literal["x-fal-error"]
    message: str
    code: NotRequired[str]


ServerMessage: TypeAlias = (
    CreatedMessage
    | UpdatedMessage
    | DeltaMessage
    | CompletedMessage
    | CommittedMessage
    | ErrorMessage
    | FlatErrorMessage
    | FalErrorMessage
)


def build_created(event_id: str) -> CreatedMessage:
    """See :class:`CreatedMessage`."""
    return {"type": "transcription_session.created", "event_id": event_id}


def build_updated(event_id: str, session: Session) -> UpdatedMessage:
    """See :class:`UpdatedMessage`."""
    echo: Session = {"object": "realtime.transcription_session", **session}
    return {"type": "transcription_session.updated", "event_id": event_id, "session": echo}


def build_item_created(event_id: str) -> CreatedMessage:
    """See :class:`CreatedMessage`."""
    return {"type": "conversation.item.created", "event_id": event_id}


def build_delta(
    delta: str,
    *,
    item_id: str | None = None,
    start: float | None = None,
    end: float | None = None,
    processed: float | None = None,
) -> DeltaMessage:
    """See :class:`DeltaMessage`; times in seconds."""
    message: DeltaMessage = {
        "type": "conversation.item.input_audio_transcription.delta",
        "item_id": item_id,
        "delta": delta,
    }
    if start is not None:
        message["start_ms"] = _milliseconds(start)
    if end is not None:
        message["end_ms"] = _milliseconds(end)
    if processed is not None:
        message["audio_processed_ms"] = _milliseconds(processed)
    return message


def build_completed(
    transcript: str,
    *,
    event_id: str,
    item_id: str | None = None,
    start: float | None = None,
    end: float | None = None,
) -> CompletedMessage:
    """See :class:`CompletedMessage`; times in seconds."""
    message: CompletedMessage = {
        "type": "conversation.item.input_audio_transcription.completed",
        "event_id": event_id,
        "item_id": item_id,
        "transcript": transcript,
    }
    if start is not None:
        message["start_ms"] = _milliseconds(start)
    if end is not None:
        message["end_ms"] = _milliseconds(end)
    return message


def build_committed(event_id: str) -> CommittedMessage:
    """See :class:`CommittedMessage`."""
    return {"type": "input_audio_buffer.committed", "event_id": event_id}


def build_error(error: ErrorObject, *, event_id: str) -> ErrorMessage:
    """See :class:`ErrorMessage`."""
    return {"type": "error", "event_id": event_id, "error": error, "item_id": None}


def build_fal_error(message: str, code: str) -> FalErrorMessage:
    """See :class:`FalErrorMessage`."""
    return {"type": "x-fal-error", "message": message, "code": code}


def _milliseconds(seconds: float) -> float:
    milliseconds = round(seconds * 1000, 3)
    return int(milliseconds) if milliseconds.is_integer() else milliseconds


# -- errors --------------------------------------------------------------------------------------------------------

ErrorKind: TypeAlias = Literal["invalid_request_error", "limitation", "server_error"]

ERROR_KINDS: Mapping[str, tuple[ErrorKind, int]] = {
    "internal_error": ("server_error", 500),
    "invalid_api_key": ("invalid_request_error", 401),
    "invalid_event": ("invalid_request_error", 400),
    "invalid_json": ("invalid_request_error", 400),
    "invalid_parameters": ("invalid_request_error", 400),
    "invalid_url": ("invalid_request_error", 404),
    "rate_limit_error": ("limitation", 429),
    "session_expired": ("invalid_request_error", 401),
    "timeout_error": ("limitation", 504),
    "unsupported_language": ("invalid_request_error", 400),
    "worker_unavailable": ("server_error", 503),
}
"""Kotoba's codes: the type of each, and the HTTP status that means the same. Kotoba names none for ``invalid_json``,
``invalid_event`` and ``session_expired`` (a client secret used up)."""


def build_error_object(code: str, message: str, *, param: str | None = None) -> ErrorObject:
    """See :class:`ErrorObject`; ``code`` is one of :data:`ERROR_KINDS`."""
    return {"type": ERROR_KINDS[code][0], "code": code, "message": message, "param": param}


# -- reading and writing -------------------------------------------------------------------------------------------


_fields = JsonFields("Kotoba", provider="kotoba")
text_of, number_of, items_of = _fields.text_of, _fields.number_of, _fields.items_of


def parse(message: str | bytes) -> object:
    """A text frame, or a body, as JSON.

    Raises:
        ProtocolError: it is none.
    """
    from pydantic_core import from_json

    try:
        return from_json(message)
    except ValueError:
        raise ProtocolError(f"Kotoba sent what is no JSON: {message[:200]!r}", provider="kotoba") from None


def dump(message: Mapping[str, object] | ServerMessage | UpdateMessage) -> str:
    """A message as JSON."""
    from pydantic_core import to_json

    return to_json(message).decode()


def object_of(document: object) -> Mapping[str, object]:
    """What has to be a JSON object.

    Raises:
        ProtocolError: it is something else.
    """
    if isinstance(document, dict):
        return cast("Mapping[str, object]", document)
    raise ProtocolError(f"Kotoba sent what is no JSON object: {document!r:.200}", provider="kotoba")
