"""What Ctrl-C and SIGTERM do to a command."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Self

__all__ = ["Stop"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """The first Ctrl-C or SIGTERM asks the command to come to its end; a second one ends the process at once.

    Unless the command says otherwise (:meth:`calls`), to be asked is to be cancelled. A signal that is ignored when the
    command starts, as that of the terminal is for what a script has put into the background, stays ignored.

    Attributes:
        asked: the signal that asked, ``None`` as long as none has.
    """

    def __init__(self) -> None:
        self.asked: signal.Signals | None = None
        self._previous: dict[signal.Signals, object] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._react: Callable[[], object] = lambda: None

    @property
    def code(self) -> int:
        """The exit code of what the signal cut short: as a shell gives it, 130 for Ctrl-C and 143 for SIGTERM."""
        return 128 + (self.asked or signal.SIGINT)

    def calls(self, react: Callable[[], object]) -> None:
        """Instead of cancelling the command, the first signal calls this, in the event loop."""
        self._react = react
        if self.asked:
            react()

    async def bounds(self, work: Coroutine[None, None, int]) -> int:
        """The work, and its exit code."""
        task = asyncio.create_task(work)
        self._loop = asyncio.get_running_loop()
        self.calls(task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            if self.asked is None:
                raise
            return self.code

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    # Not the loop's own handlers: the second signal has to be heard while the loop is blocked or
                    # being closed, too.
                    self._previous[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous if callable(previous) else signal.SIG_DFL)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.asked is None:
            self.asked = signal.Signals(number)
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._react)
            return
        # Engines of this machine end when our end of their pipe goes away; the shell's prompt gets a line of its own.
        if os.isatty(2):
            os.write(2, b"\n")
        os._exit(self.code)
