"""A process of the engine as asyncio sees it.

A decoder holds the GIL for up to seconds, so it runs in a process of its own, started as a plain command with pipes:
multiprocessing would import the caller's main module again, which an unguarded script, stdin and a notebook do not
survive.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from stt_core.errors import (
    ConfigError,
    ConnectionLostError,
    ConnectTimeoutError,
    ProtocolError,
    StreamClosedError,
    STTError,
)

from . import wire
from .engine import EventKind
from .launch import command, environment

if TYPE_CHECKING:
    from .endpoint import Endpointing
    from .task import Task

__all__ = ["Reply", "Worker", "WorkerSession"]

PROVIDER = "pocketsphinx"

Reply = wire.Happened | wire.Flushed | wire.Ended
"""What a session receives."""

_LIVE_CREDIT = 2 * 32000
_FILE_CREDIT = 10 * 32000
"""Bytes of audio under way: enough to keep the engine busy, little enough to be dropped or sent again."""

_INBOX = 256
_STDERR_TAIL = 4096


class Worker(asyncio.SubprocessProtocol):
    """One process of the engine. Made by :meth:`start`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.SubprocessTransport | None = None
        self._decoder = wire.Decoder()
        self._stderr = bytearray()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._session: WorkerSession | None = None
        self._number = 0
        self.task: Task | None = None
        """What it has loaded, or been told to."""
        self.error: STTError | None = None
        """Why it is of no use any more."""

    @classmethod
    async def start(cls, task: Task, *, timeout: float = 10.0) -> Worker:
        """Start a process and wait until it has loaded what a task needs (about half a second).

        Args:
            task: what it will listen for first.
            timeout: seconds.

        Raises:
            ConfigError: it cannot load that.
            MissingExtraError, UnsupportedError: see :func:`command`.
            ConnectTimeoutError: it was not ready in time.
            ConnectionLostError: it ended; the message has its last words.
        """
        argv = command()
        loop = asyncio.get_running_loop()
        _, worker = await loop.subprocess_exec(cls, *argv, env=environment())
        try:
            worker.load(task)
            async with asyncio.timeout(timeout):
                await worker._ready
        except TimeoutError as error:
            await worker.aclose()
            raise ConnectTimeoutError(
                f"the embedded engine was not ready within {timeout:g} s{worker._last_words()}", provider=PROVIDER
            ) from error
        except BaseException:
            await worker.aclose()
            raise
        return worker

    @property
    def pid(self) -> int:
        """The process's id."""
        return cast("asyncio.SubprocessTransport", self._transport).get_pid()

    def load(self, task: Task) -> None:
        """Have the process load what a task needs, unless it has. That it cannot is known by :attr:`error` later."""
        if task != self.task:
            self.task = task
            self.send(wire.Load(0, task))

    def open(self, *, live: bool, settings: Endpointing, liveness_timeout: float = 10.0) -> WorkerSession:
        """Begin a session; one that was open before is over. See :meth:`.pool.WorkerPool.session`."""
        self._number += 1
        credit = _LIVE_CREDIT if live else _FILE_CREDIT
        session = WorkerSession(self, self._number, credit=credit, patience=liveness_timeout)
        self._session = session
        self.send(wire.Open(self._number, live, settings))
        return session

    def send(self, message: wire.Message) -> None:
        """Put a message on its way; how much audio is under way is bounded by :class:`WorkerSession`."""
        if self.error is not None:
            raise self.error
        pipe = cast("asyncio.SubprocessTransport", self._transport).get_pipe_transport(0)
        cast("asyncio.WriteTransport", pipe).write(wire.encode(message))

    def close_session(self, session: WorkerSession) -> None:
        """Tell the process that nobody wants to know any more about a session."""
        if self._session is session:
            self._session = None
            if self.error is None:
                self.send(wire.Close(session.number))

    def pause(self, *, reading: bool) -> None:
        """Stop or go on reading what the process says."""
        pipe = cast("asyncio.SubprocessTransport", self._transport).get_pipe_transport(1)
        if pipe is None or pipe.is_closing():
            return
        transport = cast("asyncio.ReadTransport", pipe)
        if reading:
            transport.resume_reading()
        else:
            transport.pause_reading()

    async def aclose(self) -> None:
        """End the process, at once, and wait until it is gone. May be called again."""
        self.fail(StreamClosedError("the embedded engine was closed", provider=PROVIDER))
        await asyncio.shield(self._gone)

    def fail(self, error: STTError) -> None:
        """Give the process up."""
        if self.error is None:
            self.error = error
            if not self._ready.done():
                self._ready.set_exception(error)
                self._ready.exception()  # looked at: start() may be gone
            if self._session is not None:
                self._session.wake()
        self._kill()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Called by asyncio."""
        if fd == 2:
            self._stderr += data
            del self._stderr[:-_STDERR_TAIL]
            return
        try:
            messages = self._decoder.feed(data)
        except ProtocolError as error:
            self.fail(error)
            return
        for message in messages:
            if isinstance(message, wire.Ready):
                if not self._ready.done():
                    self._ready.set_result(None)
            elif isinstance(message, wire.Failed) and message.session == 0:
                self.fail(ConfigError(f"the embedded engine cannot load that: {message.reason}", provider=PROVIDER))
            elif self._session is not None and message.session == self._session.number:
                self._session.deliver(message)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Called by asyncio."""
        self._kill()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio when the process has ended and its pipes are drained."""
        code = None if self._transport is None else self._transport.get_returncode()
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with exit status {code}"
        self.fail(ConnectionLostError(f"the embedded engine's process {how}{self._last_words()}", provider=PROVIDER))
        if self._transport is not None:
            self._transport.close()  # or asyncio warns of it
        if not self._gone.done():
            self._gone.set_result(None)

    def _kill(self) -> None:
        # Not transport.kill(): it looks first whether the process has ended, which takes its exit status away from
        # asyncio's own watcher.
        if self._transport is not None and self._transport.get_returncode() is None:
            with suppress(ProcessLookupError):
                os.kill(self._transport.get_pid(), signal.SIGKILL)

    def _last_words(self) -> str:
        text = self._stderr.decode("utf-8", "replace").strip()
        return f": {text}" if text else ""


class WorkerSession:
    """One stretch of audio in a worker. One task may :meth:`send` while another does :meth:`receive`."""

    def __init__(self, worker: Worker, number: int, *, credit: int, patience: float) -> None:
        self.number = number
        self._worker = worker
        self._credit = credit
        self._patience = patience
        self._sent = 0
        self._taken = 0
        self._unanswered = 0  # flushes and the end
        self._inbox: deque[wire.Message] = deque()
        self._paused = False
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._heard = asyncio.get_running_loop().time()

    async def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send audio, 16 kHz mono s16le, in pieces of any size; waits while the engine has enough.

        Raises:
            ConnectionLostError: the process died or hangs.
        """
        view = memoryview(data)
        step = min(self._credit, wire.MAX_AUDIO)
        for at in range(0, len(view), step):
            piece = bytes(view[at : at + step])
            while self._worker.error is None and self._under_way + len(piece) > self._credit:
                self._room.clear()
                await self._wait(self._room)
            self._expect()
            self._worker.send(wire.Audio(self.number, piece))
            self._sent += len(piece)

    def flush(self, marker: int) -> None:
        """Ask for all that was sent to be recognised at once; answered by :class:`.wire.Flushed` with the marker."""
        self._expect()
        self._worker.send(wire.Flush(self.number, marker))
        self._unanswered += 1

    def end(self) -> None:
        """Say that there is no more audio; answered by :class:`.wire.Ended`."""
        self._expect()
        self._worker.send(wire.End(self.number))
        self._unanswered += 1

    async def receive(self) -> Reply:
        """The next reply. Of progress reported while nobody listened, only the last is kept.

        Raises:
            ConnectionLostError: the process died or hangs.
            ProtocolError: it said something that it should not.
        """
        while not self._inbox:
            if self._worker.error is not None:
                raise self._worker.error
            self._arrived.clear()
            await self._wait(self._arrived)
        message = self._inbox.popleft()
        if self._paused and len(self._inbox) <= _INBOX // 2:
            self._paused = False
            self._heard = asyncio.get_running_loop().time()  # it was we who did not listen
            self._worker.pause(reading=True)
        if isinstance(message, Reply):
            return message
        reason = message.reason if isinstance(message, wire.Failed) else f"{type(message).__name__} from a worker"
        raise ProtocolError(f"the embedded engine failed: {reason}", provider=PROVIDER)

    def deliver(self, message: wire.Message) -> None:
        """Called by the worker."""
        self._heard = asyncio.get_running_loop().time()
        progress = False
        if isinstance(message, wire.Happened):
            self._taken = max(self._taken, 2 * message.event.position)
            progress = message.event.kind is EventKind.PROGRESS
        else:
            self._unanswered -= 1
        last = self._inbox[-1] if self._inbox else None
        if progress and isinstance(last, wire.Happened) and last.event.kind is EventKind.PROGRESS:
            self._inbox[-1] = message
        else:
            self._inbox.append(message)
        if len(self._inbox) >= _INBOX and not self._paused:
            self._paused = True
            self._worker.pause(reading=False)
        self.wake()

    def wake(self) -> None:
        """Called by the worker when there is news."""
        self._arrived.set()
        self._room.set()

    @property
    def _under_way(self) -> int:
        return self._sent - self._taken

    def _expect(self) -> None:
        # From when on the worker owes a sign of life. An odd byte may stay with it unseen.
        if self._under_way <= 1 and not self._unanswered:
            self._heard = asyncio.get_running_loop().time()

    async def _wait(self, event: asyncio.Event) -> None:
        """Waits for the event, but no longer than the worker may be silent; the caller looks what there is."""
        now = asyncio.get_running_loop().time()
        owing = (self._under_way > 1 or self._unanswered) and not self._paused
        patience = self._heard + self._patience - now if owing else self._patience
        if patience <= 0:
            silent = now - self._heard
            self._worker.fail(
                ConnectionLostError(f"the embedded engine made no progress for {silent:.0f} s", provider=PROVIDER)
            )
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await event.wait()
