"""What was seen on the wire: one record per WebSocket connection and per HTTP request."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import quote, quote_plus

from .messages import AudioOf, Outgoing, as_bytes, binary_audio

if TYPE_CHECKING:
    from multidict import MultiMapping

    from ...transport.codec import Message
    from .plan import Act, HttpFault, SocketFault

__all__ = ["AudioWire", "Changes", "Connection", "EndedBy", "Exchange", "Frame", "RequestHead", "places_of"]

T = TypeVar("T")

EndedBy = Literal["client", "server", "fault", "refused", "shutdown"]
"""Who ended it: the client; the server behind; a fault; the handshake's answer; the end of the test."""


class Changes:
    """Lets a test wait until something it looks for has come about."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def notify(self) -> None:
        """Something is different now."""
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def wait_for(self, predicate: Callable[[], T], timeout: float) -> T:
        """Waits until the predicate gives something true, and returns that."""
        async with asyncio.timeout(timeout):
            while not (found := predicate()):
                waiter = asyncio.get_running_loop().create_future()
                self._waiting.append(waiter)
                await waiter
        return found


@dataclass(frozen=True, slots=True)
class AudioWire:
    """How audio is found in what a client sends, and how long it lasts.

    Attributes:
        bytes_per_second: of the audio itself, after any base64; 16 kHz, 16 bit, mono without more.
        audio_of: the audio in a message; without more every binary message is audio.
    """

    bytes_per_second: float = 32_000
    audio_of: AudioOf = binary_audio


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request as the client made it.

    Attributes:
        number: counted from 0; connections and HTTP requests apart.
        method: ``GET`` for a WebSocket.
        target: path and query exactly as they came, still percent-encoded.
        path: decoded.
        query: decoded.
        headers: all of them, under names of any case.
    """

    number: int
    method: str
    target: str
    path: str
    query: MultiMapping[str]
    headers: MultiMapping[str]


@dataclass(frozen=True, slots=True)
class Frame:
    """A message, with the moment at which it was read from the socket or written to it.

    Attributes:
        at: the loop's clock.
        audio_seconds: what the client had sent by then, this message included.
        message: as it was on the wire.
        audio: what it holds, decoded; ``None`` if it is no audio message.
    """

    at: float
    audio_seconds: float
    message: Outgoing
    audio: bytes | None = None


class Connection:
    """One WebSocket connection, or the attempt at one.

    Attributes:
        head: the handshake's request.
        received: what the client sent, without Pings; empty when the server does not record.
        sent: what was sent to the client, without Pongs; empty when the server does not record.
        audio_bytes: received, decoded.
        pings: received and answered.
        faults: those that have happened, in order, each once.
        accepted: the handshake was answered with 101.
        ended_by: who ended it; ``None`` while it lives.
        status: of the handshake's answer; ``None`` for none.
        close_code: of the Close frame that ended it; ``None`` if there was none, or none in it.
        close_reason: of the same.
    """

    def __init__(self, head: RequestHead, wire: AudioWire, changes: Changes, *, recording: bool) -> None:
        self.head = head
        self.received: list[Frame] = []
        self.sent: list[Frame] = []
        self.audio_bytes = 0
        self.pings = 0
        self.faults: list[SocketFault] = []
        self.accepted = False
        self.ended_by: EndedBy | None = None
        self.status: int | None = None
        self.close_code: int | None = None
        self.close_reason = ""
        self._controls: Controls | None = None
        self._wire = wire
        self._changes = changes
        self._recording = recording

    def __repr__(self) -> str:
        return f"<Connection {self.head.number} {self.head.path} {self.audio_seconds:.3f}s ended_by={self.ended_by}>"

    @property
    def number(self) -> int:
        """Counted from 0."""
        return self.head.number

    @property
    def audio_seconds(self) -> float:
        """Seconds of audio received."""
        return self.audio_bytes / self._wire.bytes_per_second

    @property
    def audio(self) -> bytes:
        """All audio received, decoded."""
        return b"".join(frame.audio for frame in self.received if frame.audio is not None)

    @property
    def texts(self) -> list[str]:
        """The text messages received that hold no audio."""
        return [frame.message for frame in self.received if frame.audio is None and isinstance(frame.message, str)]

    @property
    def answers(self) -> list[str]:
        """The text messages sent to the client."""
        return [frame.message for frame in self.sent if isinstance(frame.message, str)]

    async def act(self, fault: Act) -> None:
        """Does this now, whatever its moment says; nothing once the connection has ended."""
        if self._controls is not None and self.ended_by is None:
            await self._controls.act(fault)

    def resume_reading(self) -> None:
        """Ends ``StopReading``."""
        if self._controls is not None:
            self._controls.resume_reading()

    # The rest is for the server.

    def note_received(self, message: Message) -> Frame:
        """A message of the client's."""
        audio = self._wire.audio_of(message)
        self.audio_bytes += len(audio or b"")
        frame = Frame(asyncio.get_running_loop().time(), self.audio_seconds, message, audio)
        if self._recording:
            self.received.append(frame)
        self._changes.notify()
        return frame

    def note_sent(self, message: Outgoing) -> None:
        """A message to the client."""
        if self._recording:
            self.sent.append(Frame(asyncio.get_running_loop().time(), self.audio_seconds, message))
        self._changes.notify()

    def note_ping(self) -> None:
        """An answered Ping."""
        self.pings += 1
        self._changes.notify()

    def note_fault(self, fault: SocketFault) -> None:
        """A fault happens."""
        if not any(fault is known for known in self.faults):
            self.faults.append(fault)
        self._changes.notify()

    def note_accepted(self, controls: Controls) -> None:
        """The handshake was answered with 101."""
        self.accepted, self.status, self._controls = True, 101, controls
        self._changes.notify()

    def note_end(self, by: EndedBy, code: int | None = None, reason: str = "") -> None:
        """The first end is the one that counts."""
        if self.ended_by is None:
            self.ended_by, self.close_code, self.close_reason = by, code, reason
            # A long run keeps thousands of records, and need not keep what served them.
            self._controls = None
        self._changes.notify()


@dataclass(frozen=True, slots=True)
class Controls:
    """What a test may do to a connection by hand."""

    act: Callable[[Act], Awaitable[None]]
    resume_reading: Callable[[], None]


class Exchange:
    """One HTTP request and its answer.

    Attributes:
        head: of the request.
        body: the request's, as far as it was read and no further than the server records.
        body_bytes: how much of the request's body was read.
        status: of the answer; ``None`` before, and for none.
        answer: the answer's body, as far as it was sent.
        faults: those that have happened.
        ended: nothing more comes.
    """

    def __init__(self, head: RequestHead, changes: Changes, *, body_limit: int) -> None:
        self.head = head
        self.body = bytearray()
        self.body_bytes = 0
        self.status: int | None = None
        self.answer = b""
        self.faults: list[HttpFault] = []
        self.ended = False
        self._changes = changes
        self._body_limit = body_limit

    def __repr__(self) -> str:
        return f"<Exchange {self.head.number} {self.head.method} {self.head.path} status={self.status}>"

    def note_upload(self, data: bytes) -> None:
        """A piece of the request's body."""
        self.body_bytes += len(data)
        self.body += data[: self._body_limit - len(self.body)]
        self._changes.notify()

    def note_answer(self, status: int, body: bytes) -> None:
        """What is sent."""
        self.status, self.answer = status, body
        self._changes.notify()

    def note_fault(self, fault: HttpFault) -> None:
        """A fault happens."""
        self.faults.append(fault)
        self._changes.notify()

    def note_end(self) -> None:
        """Nothing more comes."""
        self.ended = True
        self._changes.notify()


# -- secrets ---------------------------------------------------------------------------------------------------------


def places_of(
    secret: str,
    connections: Sequence[Connection],
    requests: Sequence[Exchange],
    *,
    allowed_headers: Collection[str] = (),
) -> list[str]:
    """Where a secret was seen: as it is, percent-encoded or in base64, anywhere but in the headers allowed.

    Returns:
        Places such as ``connections[0].query`` or ``requests[2].headers[Cookie]``, without what stands there.
    """
    forms = {secret, quote(secret, safe=""), quote_plus(secret), base64.b64encode(secret.encode()).decode().rstrip("=")}
    needles = [form.encode() for form in forms]
    allowed = {name.lower() for name in allowed_headers}
    return [
        place
        for place, text in _everything(connections, requests, allowed)
        if any(needle in text for needle in needles)
    ]


def _everything(
    connections: Sequence[Connection], requests: Sequence[Exchange], allowed: Collection[str]
) -> Iterator[tuple[str, bytes]]:
    for index, connection in enumerate(connections):
        place = f"connections[{index}]"
        yield from _head(place, connection.head, allowed)
        for name, frames in (("received", connection.received), ("sent", connection.sent)):
            for number, frame in enumerate(frames):
                yield f"{place}.{name}[{number}]", as_bytes(frame.message)
        yield f"{place}.close_reason", connection.close_reason.encode()
    for index, exchange in enumerate(requests):
        place = f"requests[{index}]"
        yield from _head(place, exchange.head, allowed)
        yield f"{place}.body", bytes(exchange.body)
        yield f"{place}.answer", exchange.answer


def _head(place: str, head: RequestHead, allowed: Collection[str]) -> Iterator[tuple[str, bytes]]:
    path, _, query = head.target.partition("?")
    yield f"{place}.path", path.encode()
    yield f"{place}.query", query.encode()
    for name, value in head.headers.items():
        if name.lower() not in allowed:
            yield f"{place}.headers[{name}]", value.encode()
