"""One WebSocket connection: what the client sends goes to the server behind, its answers back, faults in between."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from .backend import Gone
from .messages import Outgoing, Raw, anything, frame
from .plan import (
    Accepted,
    AudioSent,
    ClientSends,
    Close,
    DelayResults,
    Drop,
    HalfOpen,
    KeepOpen,
    Repeat,
    Send,
    ServerSends,
    Stall,
    StopReading,
)
from .record import Controls
from .rewrite import Counted, Delays, Rewriter

if TYPE_CHECKING:
    from ...transport.codec import Message
    from .backend import Backend
    from .plan import Act, Cut, SocketFault
    from .record import Connection, EndedBy

__all__ = ["SocketSession", "cut"]

_CLOSE_TIMEOUT = 5.0
_QUEUE = 1000
_BINARY, _CLOSE = 2, 8


def cut(transport: asyncio.BaseTransport | None, how: Cut) -> None:
    """Ends a TCP connection, with an RST or in good order."""
    if not isinstance(transport, asyncio.Transport):
        return
    if how == "eof":
        transport.close()
        return
    raw: socket.socket | None = transport.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        # Lingering for no time is what turns the close into a reset.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


@dataclass(frozen=True, slots=True)
class _Armed:
    act: Act
    counted: Counted


class SocketSession:
    """Runs one accepted connection to its end.

    Args:
        request: the handshake.
        connection: the record.
        backend: the server's side, already open; ended by the session.
        faults: the connection's; those of the handshake mean nothing here.
        outage: stops listening for so many seconds.
        failed: is given what a fault that cannot be done, or a predicate, raises.
    """

    def __init__(
        self,
        request: web.BaseRequest,
        connection: Connection,
        backend: Backend,
        faults: Sequence[SocketFault],
        outage: Callable[[float], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._request = request
        self._connection = connection
        self._backend = backend
        self._outage = outage
        self._failed = failed
        self._socket = web.WebSocketResponse(
            timeout=_CLOSE_TIMEOUT,
            autoping=False,
            autoclose=False,
            compress=False,
            max_msg_size=0,
            protocols=[backend.subprotocol] if backend.subprotocol else [],
        )
        self._socket.headers.update(backend.headers)
        self._rewriter = Rewriter(faults, connection.note_fault)
        self._acts = [_armed(fault) for fault in faults if isinstance(fault, _ACTS)]
        self._keep_open = next((fault for fault in faults if isinstance(fault, KeepOpen)), None)
        self._delay = next((fault for fault in faults if isinstance(fault, DelayResults)), None)
        self._answers: asyncio.Queue[tuple[Message | Gone, float]] = asyncio.Queue(_QUEUE)
        self._heard = asyncio.Event()
        self._urged = False
        self._closing = False
        self._reading, self._speaking, self._over = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._reading.set()
        self._speaking.set()
        self._resuming: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._client_gone = Gone(orderly=False)

    # -- life --------------------------------------------------------------------------------------------------------

    async def run(self) -> web.StreamResponse:
        """Returns when the connection has ended and nothing of it is left."""
        try:
            await self._socket.prepare(self._request)
            self._connection.note_accepted(Controls(self._by_hand, self._read_again))
            self._spawn(self._converse())
            await self._over.wait()
        except ConnectionError:
            self._end("client")
        finally:
            await self._stop()
        return self._socket

    def shut(self) -> None:
        """The connection is lost, by the hand of the test; ``run`` returns soon."""
        self._end("fault")
        cut(self._request.transport, "reset")

    async def _converse(self) -> None:
        for act in self._due(lambda at: isinstance(at, Accepted)):
            await self._happens(act)
        self._spawn(self._from_client())
        self._spawn(self._from_server())
        self._spawn(self._to_client())

    async def _stop(self) -> None:
        if self._resuming is not None:
            self._resuming.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            # Writing to a connection that the client has left is no failure of ours.
            if isinstance(result, Exception) and not isinstance(result, ConnectionError):
                self._failed(result)
        await self._backend.end(self._client_gone)

    def _end(self, by: EndedBy) -> None:
        self._connection.note_end(by)
        self._over.set()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            self._tasks.discard(task)
        else:
            self._end("client" if isinstance(error, ConnectionError) else "server")

    async def _unless_over(self) -> None:
        """Does not return once the connection has ended: the task that asks is about to be cancelled."""
        if self._over.is_set():
            await asyncio.get_running_loop().create_future()

    # -- from the client ---------------------------------------------------------------------------------------------

    async def _from_client(self) -> None:
        while True:
            await self._reading.wait()
            message = await self._socket.receive()
            await self._reading.wait()
            match message.type:
                case WSMsgType.TEXT | WSMsgType.BINARY:
                    await self._pass_on(message.data)
                case WSMsgType.PING:
                    await self._socket.pong(message.data)
                    self._connection.note_ping()
                case WSMsgType.PONG:
                    pass
                case WSMsgType.CLOSE:
                    self._client_gone = Gone(message.data or None, message.extra or "")
                    self._connection.note_end("client", self._client_gone.code, self._client_gone.reason)
                    await self._socket.close(code=self._client_gone.code or 1000)
                    return self._over.set()
                case _:
                    # While we close ourselves, whoever does that waits for the client's answer.
                    return None if self._closing else self._end("client")

    async def _pass_on(self, message: Message) -> None:
        note = self._connection.note_received(message)
        self._urged = note.audio is None
        self._heard.set()
        if self._rewriter.passes(message):
            await self._backend.send(message)
        position = self._connection.audio_seconds
        for act in self._due(lambda at: isinstance(at, AudioSent) and position >= at.seconds):
            await self._happens(act)
        for act in self._due_with(message, ClientSends):
            await self._happens(act)

    # -- from the server ---------------------------------------------------------------------------------------------

    async def _from_server(self) -> None:
        delays = Delays(self._delay, self._connection.number) if self._delay is not None else None
        while True:
            message = await self._backend.receive()
            gone = isinstance(message, Gone)
            position = self._connection.audio_seconds
            until = delays.until(position, None if gone else message) if delays is not None else position
            await self._answers.put((message, until))
            if gone:
                return

    async def _to_client(self) -> None:
        while True:
            message, until = await self._answers.get()
            await self._audio_reaches(until)
            if isinstance(message, Gone):
                return await self._server_gone(message)
            for outgoing in self._rewriter.rewrite(message):
                await self._deliver(outgoing)

    async def _audio_reaches(self, until: float) -> None:
        wait = until - self._connection.audio_seconds
        if wait > 0 and self._delay is not None:
            self._connection.note_fault(self._delay)
        while self._connection.audio_seconds < until and not self._urged:
            self._heard.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._heard.wait()
            except TimeoutError:
                return

    async def _server_gone(self, gone: Gone) -> None:
        for message in self._rewriter.rest():
            await self._deliver(message)
        await self._speaking.wait()
        if self._keep_open is not None:
            self._connection.note_fault(self._keep_open)
        elif gone.orderly:
            await self._close("server", gone.code, gone.reason)
        else:
            self._end("server")
            cut(self._request.transport, "eof")

    async def _deliver(self, message: Outgoing) -> None:
        if isinstance(message, Raw):
            return await self._write(message)
        due = self._due_with(message, ServerSends)
        for act in _of_side(due, "before"):
            await self._happens(act)
        if during := _of_side(due, "during"):
            whole = frame(message.encode()) if isinstance(message, str) else frame(message, _BINARY)
            await self._write(Raw(whole[: len(whole) // 2]))
            for act in during:
                await self._happens(act)
            await self._write(Raw(whole[len(whole) // 2 :]))
        else:
            await self._write(message)
        for act in _of_side(due, "after"):
            await self._happens(act)
        return None

    async def _write(self, message: Outgoing) -> None:
        await self._speaking.wait()
        await self._unless_over()
        self._connection.note_sent(message)
        if isinstance(message, str):
            await self._socket.send_str(message)
        elif isinstance(message, bytes):
            await self._socket.send_bytes(message)
        elif self._request.transport is not None:
            self._request.transport.write(message.data)

    # -- acts --------------------------------------------------------------------------------------------------------

    def _due(self, now: Callable[[object], bool]) -> list[Act]:
        due = [armed.act for armed in self._acts if now(armed.act.at)]
        self._acts = [armed for armed in self._acts if not now(armed.act.at)]
        return due

    def _due_with(self, message: Message, kind: type[ServerSends | ClientSends]) -> list[Act]:
        return [armed.act for armed in self._acts if isinstance(armed.act.at, kind) and armed.counted.hits(message)]

    async def _happens(self, act: Act) -> None:
        await self._act(act)
        await self._unless_over()

    async def _by_hand(self, act: Act) -> None:
        try:
            await self._act(act)
        except ConnectionError:
            self._end("client")

    async def _act(self, act: Act) -> None:
        self._connection.note_fault(act)
        match act:
            case Drop():
                if act.outage:
                    self._outage(act.outage)
                self._end("fault")
                cut(self._request.transport, act.how)
            case Close():
                await self._close("fault", act.code, act.reason)
            case HalfOpen():
                self._speaking.clear()
                self._stop_reading()
            case Stall():
                self._speaking.clear()
            case StopReading():
                self._stop_reading()
                if act.seconds is not None:
                    self._resuming = asyncio.get_running_loop().call_later(act.seconds, self._read_again)
            case Send():
                for message in act.messages:
                    await self._write(message)
            case Repeat():
                self._spawn(self._repeat(act))

    async def _repeat(self, act: Repeat) -> None:
        while True:
            await self._write(act.message)
            await asyncio.sleep(act.every)

    async def _close(self, by: EndedBy, code: int | None, reason: str) -> None:
        self._connection.note_end(by, code, reason)
        self._speaking.clear()
        if code is None and self._request.transport is not None:
            # aiohttp cannot; the client's answer, or its leaving, ends the connection.
            self._request.transport.write(frame(b"", _CLOSE))
        else:
            self._closing = True
            await self._socket.close(code=code or 1000, message=reason.encode())
            self._over.set()

    def _stop_reading(self) -> None:
        self._reading.clear()
        if self._request.transport is not None:
            self._request.transport.pause_reading()

    def _read_again(self) -> None:
        self._reading.set()
        if self._request.transport is not None:
            self._request.transport.resume_reading()


_ACTS = (Drop, Close, HalfOpen, Stall, StopReading, Send, Repeat)


def _armed(act: Act) -> _Armed:
    if isinstance(act.at, ServerSends | ClientSends):
        return _Armed(act, Counted(act.at.match, act.at.nth))
    return _Armed(act, Counted(anything, None))


def _of_side(acts: Sequence[Act], side: str) -> list[Act]:
    return [act for act in acts if isinstance(act.at, ServerSends) and act.at.side == side]
