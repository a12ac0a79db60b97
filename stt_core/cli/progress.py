"""How far a command is: on a terminal in a line that is written over, else a line for what begins and ends."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from .inplace import InPlace, note

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Progress", "Run", "Ticking"]

_TICK_SECONDS = 1.0


class Ticking:
    """A line on stderr, in place and on a terminal only, that is written anew every second. A context manager.

    Args:
        say: what there is to say now, given the seconds since the beginning; ``""`` for nothing.

    Attributes:
        works: whether it shows anything.
    """

    def __init__(self, say: Callable[[float], str]) -> None:
        self._line = InPlace(sys.stderr)
        self.works = self._line.works
        self._say = say
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._next: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._next is not None:
            self._next.cancel()
        self.clear()

    def clear(self) -> None:
        """Make room for something that stays; the line comes again within a second."""
        self._line.clear()

    def show(self) -> None:
        """Show what there is to say now, and from here on every second."""
        if not self.works:
            return
        if self._next is not None:
            self._next.cancel()
        self._next = self._loop.call_later(_TICK_SECONDS, self.show)
        text = self._say(self._loop.time() - self._start)
        if text:
            self._line.show(text)
        else:
            self._line.clear()


@dataclass(slots=True, eq=False)
class Run:
    """A file that is being recognised: since when, and how many seconds of audio it has, where that is known."""

    file: Path
    start: float
    duration: float | None = None


class Progress:
    """Of the files that are recognised: how much audio, how long it took, and the real-time factor. A context manager.

    The real-time factor is the time that recognition took, as a fraction of the audio's own.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._running: list[Run] = []
        self._done = 0
        self._heard = 0.0
        self._failed = 0
        self._ticking = Ticking(self._say)
        self._time = asyncio.get_running_loop().time
        self._start = self._time()

    def __enter__(self) -> Self:
        self._ticking.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ticking.__exit__()
        if self._total > 1 and self._done:
            failed = f"; {self._failed} failed" if self._failed else ""
            note(f"{self._done} of {self._total} files: {_rate(self._heard, self._time() - self._start)}{failed}")

    def clear(self) -> None:
        """See :meth:`Ticking.clear`."""
        self._ticking.clear()

    def begin(self, file: Path) -> Run:
        """A file's recognition begins."""
        run = Run(file, self._time())
        self._running.append(run)
        self._ticking.show()
        if not self._ticking.works:
            number = self._done + len(self._running)
            note(f"transcribing {file}" + (f" ({number} of {self._total})" if self._total > 1 else ""))
        return run

    def end(self, run: Run, *, failed: bool = False) -> None:
        """It has ended."""
        self._running.remove(run)
        self._done += 1
        self._failed += failed
        self._ticking.show()
        if failed:
            return
        self._heard += run.duration or 0.0
        note(f"{run.file}: {_rate(run.duration, self._time() - run.start)}")

    def _say(self, seconds: float) -> str:
        if not self._running:
            return ""
        if self._total == 1:
            duration = self._running[0].duration
            audio = "" if duration is None else f": {duration:.1f} s of audio"
            return f"stt: transcribing {self._running[0].file.name}{audio}, {seconds:.0f} s so far"
        names = ", ".join(run.file.name for run in self._running)
        return f"stt: {self._done} of {self._total} done, {seconds:.0f} s so far: {names}"


def _rate(duration: float | None, seconds: float) -> str:
    if not duration:
        return f"done in {seconds:.1f} s"
    return f"{duration:.1f} s of audio in {seconds:.1f} s, real-time factor {seconds / duration:.2f}"
