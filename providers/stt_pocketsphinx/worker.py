"""The engine's process: ``python -m stt_pocketsphinx.worker``, messages of :mod:`.wire` on stdin and stdout.

It lives until stdin ends, so that it cannot outlive its parent however that one dies. One session at a time; between
two the decoder is reset to what a new one is.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections import deque
from collections.abc import Callable

from . import wire
from .decoder import MeanEstimator, Recognizer
from .dictionary import DictionaryError
from .engine import Event, FileSession, LiveSession, Session
from .jsgf import JSGFError
from .searches import new_recognizer
from .spotting import SpottingSession
from .task import Kind, Task

__all__ = ["Worker", "main"]

_READ = 1 << 16


class _SessionOver(Exception):  # noqa: N818 - not an error: it unwinds the engine
    """The session was closed, or the parent is gone, while the engine was at work."""


class Worker:
    """Answers messages one by one.

    Args:
        receive: gives the next bytes, ``b""`` at the end; with ``False``, ``None`` when there are none right now.
        send: takes bytes to write.
    """

    def __init__(self, receive: Callable[[bool], bytes | None], send: Callable[[bytes], None]) -> None:
        self._receive = receive
        self._send = send
        self._decoder = wire.Decoder()
        # Not a queue of its own: the parent keeps at most its credit of audio under way.
        self._inbox: deque[wire.Message] = deque()
        self._eof = False
        self._estimator = MeanEstimator()
        self._task: Task | None = None
        self._recognizer: Recognizer | None = None
        self._session: Session | None = None
        self._number = 0

    def run(self) -> None:
        """Serve until there is no more input."""
        while (message := self._next()) is not None:
            try:
                self._handle(message)
            except _SessionOver:
                self._over()
            except (
                RuntimeError,
                ValueError,
                OSError,
                JSGFError,
                DictionaryError,
            ) as error:  # the first are pocketsphinx's
                self._send(wire.encode(wire.Failed(message.session, f"{type(error).__name__}: {error}")))
                self._over()

    def _next(self) -> wire.Message | None:
        while not self._inbox and not self._eof:
            self._take(self._receive(True))
        return None if self._eof else self._inbox.popleft()

    def _take(self, data: bytes | None) -> None:
        if data is None:
            return
        if data:
            self._inbox.extend(self._decoder.feed(data))
        else:
            self._eof = True

    def _handle(self, message: wire.Message) -> None:
        if isinstance(message, wire.Load):
            self._load(message.task)
            self._send(wire.encode(wire.Ready(0)))
        elif isinstance(message, wire.Open):
            self._over()
            if self._recognizer is None or self._task is None:
                raise RuntimeError("nothing is loaded")
            spotting = self._task.kind is Kind.KEYPHRASE
            kind = SpottingSession if spotting else LiveSession if message.live else FileSession
            self._number = message.session
            self._session = kind(self._recognizer, self._estimator, message.settings, self._emit)
        elif self._session is None or message.session != self._number:
            return  # the rest of a session that failed
        elif isinstance(message, wire.Audio):
            self._session.feed(message.data)
        elif isinstance(message, wire.Flush):
            settled = self._session.flush()
            self._send(wire.encode(wire.Flushed(self._number, message.marker, settled)))
        elif isinstance(message, wire.End):
            self._session.flush()
            self._send(wire.encode(wire.Ended(self._number, self._session.position)))
            self._over()
        elif isinstance(message, wire.Close):
            self._over()

    def _load(self, task: Task) -> None:
        self._over()
        if task != self._task:
            # The old models go before the new ones come: two of them at a time are 180 MB.
            self._recognizer = self._task = None
            self._recognizer = new_recognizer(task)
            self._task = task

    def _over(self) -> None:
        if self._session is not None:
            self._session = None
            if self._recognizer is not None:
                self._recognizer.reset()

    def _emit(self, event: Event) -> None:
        self._send(wire.encode(wire.Happened(self._number, event)))
        self._take(self._receive(False))
        if self._eof or any(
            isinstance(message, wire.Close) and message.session == self._number for message in self._inbox
        ):
            raise _SessionOver


def main() -> None:
    """Serve the parent."""
    # Ctrl-C in a terminal reaches the whole group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A print from anywhere must not end up between the messages.
    out = os.dup(1)
    os.dup2(2, 1)

    def receive(wait: bool) -> bytes | None:
        if not wait and not select.select([0], [], [], 0)[0]:
            return None
        return os.read(0, _READ)

    def send(data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(out, view) :]

    try:
        Worker(receive, send).run()
    except BrokenPipeError:
        sys.exit(0)  # the parent is gone


if __name__ == "__main__":
    main()
