"""What passes between the library and a worker process, and how it is put into bytes.

A message is a little-endian frame: length of what follows (u32), type (u8), session (u32), fields. Text is UTF-8 with
its length in bytes before it (u16). Positions (u64) are samples of 16 kHz mono. Times in options are seconds (f64).

The library says LOAD, then OPEN, AUDIO, FLUSH, END and CLOSE; the worker says READY for every LOAD, and EVENT, FLUSHED,
ENDED and FAILED. FAILED with session 0 is the answer to a LOAD. What to load is a JSON object.

A worker has one session at a time, numbered by the library: what still comes from an earlier one is known by its
number.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import asdict, dataclass
from typing import Any, cast

from stt_core.errors import ProtocolError

from .decoder import Word
from .endpoint import Endpointing
from .engine import Event, EventKind
from .task import Kind, Task

__all__ = [
    "MAX_AUDIO",
    "Audio",
    "Close",
    "Decoder",
    "End",
    "Ended",
    "Failed",
    "Flush",
    "Flushed",
    "Happened",
    "Load",
    "Message",
    "Open",
    "Ready",
    "encode",
]

MAX_AUDIO = 1 << 16
"""Bytes of audio that one message may carry (2 s)."""

_MAX_BODY = 1 << 22
"""Above the longest event (20 s hold some hundred words of some dozen bytes) and the longest task."""

_LENGTH = struct.Struct("<I")
_HEAD = struct.Struct("<BI")
_OPEN = struct.Struct("<?4dB")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_MARK = struct.Struct("<IQ")
_EVENT = struct.Struct("<BQQQH")
_WORD = struct.Struct("<QQd")
_TEXT = struct.Struct("<H")


@dataclass(frozen=True, slots=True)
class Load:
    """Load what a task needs, unless it is loaded; answered by :class:`Ready`. Session 0, and none is open."""

    session: int
    task: Task


@dataclass(frozen=True, slots=True)
class Open:
    """Begin a session: live, or a file."""

    session: int
    live: bool
    settings: Endpointing


@dataclass(frozen=True, slots=True)
class Audio:
    """Bytes of audio, of any number up to :data:`MAX_AUDIO`."""

    session: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Flush:
    """Recognise at once what was sent; answered by :class:`Flushed` after the events that it causes."""

    session: int
    marker: int


@dataclass(frozen=True, slots=True)
class End:
    """There is no more audio; answered by :class:`Ended` after the last event."""

    session: int


@dataclass(frozen=True, slots=True)
class Close:
    """Nobody wants to know any more; not answered."""

    session: int


@dataclass(frozen=True, slots=True)
class Ready:
    """The models are loaded. Session 0."""

    session: int


@dataclass(frozen=True, slots=True)
class Happened:
    """The engine said something; its progress is said for every audio message at least."""

    session: int
    event: Event


@dataclass(frozen=True, slots=True)
class Flushed:
    """All audio before ``settled`` is recognised and its words have been said."""

    session: int
    marker: int
    settled: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over; all its audio is recognised. ``position`` is its length."""

    session: int
    position: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The session is over because of an error of the engine; session 0: it cannot load what it should."""

    session: int
    reason: str


Message = Load | Open | Audio | Flush | End | Close | Ready | Happened | Flushed | Ended | Failed

_TYPES: dict[int, type[Message]] = {
    1: Open,
    2: Audio,
    3: Flush,
    4: End,
    5: Close,
    6: Load,
    16: Ready,
    17: Happened,
    18: Flushed,
    19: Ended,
    20: Failed,
}
_NUMBERS = {kind: number for number, kind in _TYPES.items()}


def encode(message: Message) -> bytes:
    """One message as bytes."""
    body = _HEAD.pack(_NUMBERS[type(message)], message.session) + _fields(message)
    return _LENGTH.pack(len(body)) + body


def _fields(message: Message) -> bytes:
    match message:
        case Load(task=task):
            return json.dumps(asdict(task)).encode()
        case Open(live=live, settings=s):
            return _OPEN.pack(live, s.min_speech, s.end_silence, s.pre_roll, s.max_speech, s.vad_mode)
        case Audio(data=data):
            return data
        case Flush(marker=marker):
            return _U32.pack(marker)
        case Happened(event=e):
            head = _EVENT.pack(e.kind, e.position, e.settled, e.time, len(e.words))
            return head + b"".join(_word(word) for word in e.words)
        case Flushed(marker=marker, settled=settled):
            return _MARK.pack(marker, settled)
        case Ended(position=position):
            return _U64.pack(position)
        case Failed(reason=reason):
            return _text(reason)
        case End() | Close() | Ready():
            return b""


def _text(text: str) -> bytes:
    data = text[: 0xFFFF // 4].encode("utf-8", "replace")
    return _TEXT.pack(len(data)) + data


def _word(word: Word) -> bytes:
    confidence = math.nan if word.confidence is None else word.confidence
    return _WORD.pack(word.start, word.end, confidence) + _text(word.text)


class Decoder:
    """Messages out of a byte stream, however it was split.

    After a :class:`~stt_core.errors.ProtocolError` the stream has no known frame boundary any more and the decoder is
    of no use.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that ``data`` completes.

        Raises:
            ProtocolError: a frame is longer than any message, has an unknown type, or does not hold what its type says.
        """
        self._buffer += data
        messages: list[Message] = []
        at = 0
        while len(self._buffer) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, at)
            if not _HEAD.size <= length <= _MAX_BODY:
                raise ProtocolError(f"a message of the embedded engine claims to be {length} bytes long")
            begin = at + _LENGTH.size
            if len(self._buffer) < begin + length:
                break
            at = begin + length
            messages.append(_decode(bytes(self._buffer[begin:at])))
        del self._buffer[:at]
        return messages


class _Fields:
    def __init__(self, body: bytes, at: int) -> None:
        self._body = body
        self.at = at

    def take(self, fields: struct.Struct) -> tuple[Any, ...]:
        values = fields.unpack_from(self._body, self.at)
        self.at += fields.size
        return values

    def data(self, size: int) -> bytes:
        if size > len(self._body) - self.at:
            raise ValueError("text ends early")
        self.at += size
        return self._body[self.at - size : self.at]

    def text(self) -> str:
        (size,) = self.take(_TEXT)
        return self.data(size).decode()

    def rest(self) -> bytes:
        return self.data(len(self._body) - self.at)

    def word(self) -> Word:
        start, end, confidence = self.take(_WORD)
        return Word(self.text(), start, end, None if math.isnan(confidence) else confidence)

    def event(self) -> Event:
        kind, position, settled, time, count = self.take(_EVENT)
        return Event(EventKind(kind), position, settled, time, tuple(self.word() for _ in range(count)))


def _decode(body: bytes) -> Message:
    number, session = _HEAD.unpack_from(body)
    fields = _Fields(body, _HEAD.size)
    try:
        message = _build(number, session, fields)
    except (struct.error, ValueError) as error:
        raise ProtocolError(f"a message of the embedded engine (type {number}) does not hold what it should") from error
    if fields.at != len(body):
        raise ProtocolError(f"a message of the embedded engine (type {number}) is longer than what it holds")
    return message


def _build(number: int, session: int, fields: _Fields) -> Message:
    kind = _TYPES.get(number)
    if kind is Load:
        return Load(session, _task(json.loads(fields.rest())))
    if kind is Open:
        live, *settings = fields.take(_OPEN)
        return Open(session, live, Endpointing(*settings))
    if kind is Audio:
        return Audio(session, fields.rest())
    if kind is Flush:
        return Flush(session, *fields.take(_U32))
    if kind is Happened:
        return Happened(session, fields.event())
    if kind is Flushed:
        return Flushed(session, *fields.take(_MARK))
    if kind is Ended:
        return Ended(session, *fields.take(_U64))
    if kind is Failed:
        return Failed(session, fields.text())
    if kind is End or kind is Close or kind is Ready:
        return kind(session)
    raise ValueError("unknown type")


def _task(values: dict[str, Any]) -> Task:
    try:
        phrases = [(str(phrase), float(threshold)) for phrase, threshold in values.pop("keyphrases")]
        lines = cast("list[str]", values.pop("pronunciations"))
        return Task(Kind(values.pop("kind")), keyphrases=tuple(phrases), pronunciations=tuple(lines), **values)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("no task") from error
