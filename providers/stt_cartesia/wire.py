"""Cartesia's protocol, both directions, without a socket, an event loop or a clock.

Four surfaces: **A** ``/stt/websocket`` (the client says when a segment ends), **B** ``/stt/turns/websocket`` (the
server finds the turns), **C** ``POST /stt`` and **D** ``POST /audio/transcriptions`` (whole files). A takes bare words
in text frames and B takes JSON; what the server says is one JSON object per text frame on both.

Each message has a TypedDict, whose fields are those that Cartesia documents, and a ``build_`` function for the side
that sends it. The receiving side looks fields up with :func:`text_of` and its neighbours: Cartesia requires hardly any
of them, adds others, and has changed the shape of its errors twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NotRequired, TypeAlias, TypedDict, cast
from urllib.parse import quote

from stt_core.jsonfields import JsonFields

__all__ = [
    "BASE_URL",
    "BATCH_PATH",
    "CLOSE_MESSAGE",
    "FINALIZE",
    "KEY_HEADER",
    "MANUAL_PATH",
    "OPENAI_PATH",
    "REQUEST_ID_HEADER",
    "SECRET_PARAMETERS",
    "STRUCTURED_ERRORS_SINCE",
    "TOKEN_PATH",
    "TURNS_PATH",
    "TURN_TEXTS",
    "VERSION_HEADER",
    "VERSION_PARAMETER",
    "VOICES_PATH",
    "WIRE_ENCODINGS",
    "CloseMessage",
    "CloseWord",
    "ConfigMessage",
    "ConnectedMessage",
    "DoneMessage",
    "ErrorMessage",
    "FlushDoneMessage",
    "LegacyErrorMessage",
    "ServerMessage",
    "TranscriptMessage",
    "Transcription",
    "TurnEvent",
    "TurnMessage",
    "TurnThresholds",
    "WireEncoding",
    "WireWord",
    "build_config",
    "build_connected",
    "build_done",
    "build_flush_done",
    "build_transcript",
    "build_transcription",
    "build_turn",
    "dump",
    "full_floats",
    "half_floats",
    "items_of",
    "number_of",
    "parse",
    "query",
    "tag_of",
    "text_of",
]

BASE_URL = "https://api.cartesia.ai"
MANUAL_PATH = "/stt/websocket"
TURNS_PATH = "/stt/turns/websocket"
BATCH_PATH = "/stt"
OPENAI_PATH = "/audio/transcriptions"
TOKEN_PATH = "/access-token"  # noqa: S105  (a path)
VOICES_PATH = "/voices"

STRUCTURED_ERRORS_SINCE = "2026-03-01"
"""From this version on errors are JSON with a title and a code; before, REST answers plain text."""

VERSION_HEADER = "Cartesia-Version"
VERSION_PARAMETER = "cartesia_version"
KEY_HEADER = "X-API-Key"
REQUEST_ID_HEADER = "X-Request-Id"

SECRET_PARAMETERS = frozenset({"api_key", "access_token"})
"""Query parameters that Cartesia takes in place of a header, and that end up in everybody's logs."""

WireEncoding: TypeAlias = Literal["pcm_s16le", "pcm_s32le", "pcm_f16le", "pcm_f32le", "pcm_mulaw", "pcm_alaw"]

WIRE_ENCODINGS: Mapping[WireEncoding, int] = {
    "pcm_s16le": 2,
    "pcm_s32le": 4,
    "pcm_f16le": 2,
    "pcm_f32le": 4,
    "pcm_mulaw": 1,
    "pcm_alaw": 1,
}
"""Bytes of a sample. All is mono and without a header."""


# -- what the client says ------------------------------------------------------------------------------------------

FINALIZE = "finalize"
"""On A, as a bare word: recognise all audio so far; acknowledged by ``flush_done``."""

CloseWord: TypeAlias = Literal["close", "done"]
"""On A, as a bare word: the end; acknowledged by ``done``. ``done`` is what clients before SDK 3 send."""


class TurnThresholds(TypedDict, total=False):
    """On B, inside ``config``: the same as the query's, without their prefix ``turn_``."""

    start_threshold: float
    eager_end_threshold: float
    end_threshold: float
    end_timeout_ms: int


class ConfigMessage(TypedDict):
    """On B: other thresholds from here on. Nothing acknowledges it."""

    type: Literal["config"]
    turn: TurnThresholds


class CloseMessage(TypedDict):
    """On B: the end; the server says what is left and closes the connection."""

    type: Literal["close"]


CLOSE_MESSAGE = '{"type":"close"}'


def build_config(turn: TurnThresholds) -> ConfigMessage:
    """See :class:`ConfigMessage`."""
    return {"type": "config", "turn": turn}


# -- what the server says ------------------------------------------------------------------------------------------


class WireWord(TypedDict):
    """A word on A, C and D; seconds, of what is not said (see :class:`~stt_cartesia.codec.WordTimes`)."""

    word: str
    start: float
    end: float


class TranscriptMessage(TypedDict):
    """On A: text since the last final. It may begin with a space, and in the middle of a word."""

    type: Literal["transcript"]
    request_id: str
    text: str
    is_final: bool
    duration: NotRequired[float]
    language: NotRequired[str]
    words: NotRequired[Sequence[WireWord]]


class FlushDoneMessage(TypedDict):
    """On A: one ``finalize`` is done."""

    type: Literal["flush_done"]
    request_id: str


class DoneMessage(TypedDict):
    """On A: the last message before the server closes the connection."""

    type: Literal["done"]
    request_id: str


class ConnectedMessage(TypedDict):
    """On B: the settings are accepted."""

    type: Literal["connected"]
    request_id: str


TurnEvent: TypeAlias = Literal["turn.start", "turn.update", "turn.eager_end", "turn.resume", "turn.end"]

TURN_TEXTS = frozenset({"turn.update", "turn.eager_end", "turn.end"})
"""The events of a turn that have a transcript."""


class TurnMessage(TypedDict):
    """On B: ``transcript`` is all of the turn so far; ``turn.start`` and ``turn.resume`` have none."""

    type: TurnEvent
    request_id: str
    transcript: NotRequired[str]


class ErrorMessage(TypedDict):
    """On A and B, and (without ``type``) as the body of a refusal, since :data:`STRUCTURED_ERRORS_SINCE`."""

    type: NotRequired[Literal["error"]]
    error_code: str | None
    title: str
    message: str
    request_id: str
    status_code: NotRequired[int]
    doc_url: NotRequired[str]


class LegacyErrorMessage(TypedDict):
    """On A and B before that version. Not every server said its ``code``."""

    type: Literal["error"]
    message: str
    code: int
    request_id: str


class Transcription(TypedDict):
    """The answer on C and D."""

    type: Literal["transcript"]
    request_id: str
    text: str
    language: NotRequired[str]
    duration: NotRequired[float]
    words: NotRequired[Sequence[WireWord]]


ServerMessage: TypeAlias = (
    TranscriptMessage
    | FlushDoneMessage
    | DoneMessage
    | ConnectedMessage
    | TurnMessage
    | ErrorMessage
    | LegacyErrorMessage
)


def build_transcript(
    request_id: str,
    text: str,
    *,
    is_final: bool,
    duration: float | None = None,
    language: str | None = None,
    words: Sequence[WireWord] | None = None,
) -> TranscriptMessage:
    """See :class:`TranscriptMessage`."""
    message: TranscriptMessage = {
        "type": "transcript",
        "request_id": request_id,
        "text": text,
        "is_final": is_final,
    }
    if duration is not None:
        message["duration"] = duration
    if language is not None:
        message["language"] = language
    if words is not None:
        message["words"] = words
    return message


def build_flush_done(request_id: str) -> FlushDoneMessage:
    """See :class:`FlushDoneMessage`."""
    return {"type": "flush_done", "request_id": request_id}


def build_done(request_id: str) -> DoneMessage:
    """See :class:`DoneMessage`."""
    return {"type": "done", "request_id": request_id}


def build_connected(request_id: str) -> ConnectedMessage:
    """See :class:`ConnectedMessage`."""
    return {"type": "connected", "request_id": request_id}


def build_turn(event: TurnEvent, request_id: str, transcript: str = "") -> TurnMessage:
    """See :class:`TurnMessage`."""
    message: TurnMessage = {"type": event, "request_id": request_id}
    if event in TURN_TEXTS:
        message["transcript"] = transcript
    return message


def build_transcription(
    request_id: str,
    text: str,
    *,
    language: str | None = None,
    duration: float | None = None,
    words: Sequence[WireWord] | None = None,
) -> Transcription:
    """See :class:`Transcription`."""
    message: Transcription = {"type": "transcript", "request_id": request_id, "text": text}
    if language is not None:
        message["language"] = language
    if duration is not None:
        message["duration"] = duration
    if words is not None:
        message["words"] = words
    return message


# -- reading and writing -------------------------------------------------------------------------------------------

_fields = JsonFields("Cartesia", provider="cartesia")
parse, text_of, number_of, items_of = _fields.parse, _fields.text_of, _fields.number_of, _fields.items_of


def dump(message: Mapping[str, object] | ServerMessage | ConfigMessage | Transcription) -> str:
    """A message as JSON."""
    from pydantic_core import to_json

    return to_json(message).decode()


_TAGS = {"jw": "jv"}


def tag_of(code: str) -> str | None:
    """Cartesia's code of a language as BCP-47; ``None`` for ``""``."""
    return _TAGS.get(code, code) or None


def query(fields: Iterable[tuple[str, object]]) -> str:
    """A query string: lists repeat their key, ``None`` is left out, a space is ``%20`` and a plus ``%2B``.

    A space as ``%20`` is read rightly by every server; ``+``, which form encoders write, by some.
    """
    pairs: list[str] = []
    for name, value in fields:
        values = cast("Sequence[object]", value) if isinstance(value, list | tuple) else (value,)
        pairs += [f"{quote(name, safe='[]')}={quote(_spelt(each), safe='')}" for each in values if each is not None]
    return "&".join(pairs)


def _spelt(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def half_floats(data: bytes) -> bytes:
    """``pcm_f32le`` as ``pcm_f16le``, the one encoding of Cartesia's that the framework has not."""
    import numpy as np

    return np.frombuffer(data, "<f4").astype("<f2").tobytes()


def full_floats(data: bytes) -> bytes:
    """``pcm_f16le`` as ``pcm_f32le``."""
    import numpy as np

    return np.frombuffer(data, "<f2").astype("<f4").tobytes()
