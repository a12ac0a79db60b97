"""Both directions of a streaming session: the client's messages go in, the stream's events come out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ..errors import StreamClosedError
from ..events import SpeechEvent, SpeechEventType

if TYPE_CHECKING:
    from ..stream import RecognizeStream
    from .socket import Socket

__all__ = ["Relay"]

_FINAL = SpeechEventType.FINAL_TRANSCRIPT


class Relay:
    """Runs a stream for a socket.

    Args:
        socket: the client's, accepted.
        stream: the backend's; the caller opens and closes it.
        on_event: sends an event on, in the vendor's messages.
    """

    def __init__(
        self, socket: Socket, stream: RecognizeStream, on_event: Callable[[SpeechEvent], Awaitable[None]]
    ) -> None:
        self._socket = socket
        self._stream = stream
        self._on_event = on_event
        self._delivered = 0  # FINALs that on_event is done with
        self._flushed = 0  # FINALs that all flushes have given back
        self._waiter: asyncio.Future[None] | None = None
        self.patience: float | None = None
        """Seconds that the client's next message may take; without one the input ends as after its last. For
        ``on_message`` alone; ``None`` waits for as long as the socket does."""

    async def run(self, on_message: Callable[[str | bytes], Awaitable[bool]]) -> None:
        """Returns when everything is said: after the client's last message, and when the server stops.

        Args:
            on_message: handles one message of the client, and says whether it goes on: after ``False`` no more is
                read, and the stream's input ends.

        Raises:
            SocketClosed: the client went away.
            STTError: the stream failed, or what ``on_message`` raised.
        """
        delivering = asyncio.create_task(self._deliver(), name="stt server events")
        reading = asyncio.create_task(self._read(on_message), name="stt server messages")
        tasks = (delivering, reading)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            if reading.done() and isinstance(_error(reading), StreamClosedError):
                await asyncio.wait([delivering])  # whose error says why
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in tasks:
            error = _error(task)
            if error is not None:
                raise error

    async def flush(self) -> None:
        """Has everything sent so far recognised; returns when ``on_event`` is done with its finals.

        For ``on_message`` alone, which is how the client's messages keep their order.

        Raises:
            FlushTimeoutError: see :meth:`stt_core.stream.RecognizeStream.flush`.
        """
        self._flushed += len(await self._stream.flush())
        if self._delivered < self._flushed:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    async def _read(self, on_message: Callable[[str | bytes], Awaitable[bool]]) -> None:
        while (message := await self._next()) is not None:
            if not await on_message(message):
                break
        self._stream.end_input()

    async def _next(self) -> str | bytes | None:
        try:
            async with asyncio.timeout(self.patience):
                return await self._socket.receive()
        except TimeoutError:
            return None

    async def _deliver(self) -> None:
        async for event in self._stream:
            await self._on_event(event)
            if event.type is _FINAL:
                self._delivered += 1
                waiter = self._waiter
                if waiter is not None and self._delivered >= self._flushed and not waiter.done():
                    waiter.set_result(None)


def _error(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()
