"""Audio that says which part of it one holds, and a scripted provider that reads that.

A recogniser behind a socket hears what it is sent, wherever in a call that was. The scripted provider knows only where
its own connection began; with counted audio it sees from the samples where in the caller's audio they lie. A test can
cut a connection anywhere, also behind a server half, and know which words must come.

No resampling on the way: the count is in the amplitude of 16 bit samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .scripted import ScriptedRunner, ScriptedSTT

if TYPE_CHECKING:
    from ..registry import Resolved
    from ..runner import AudioChunk, AudioSource, EventSink, Runner

__all__ = ["CountedRunner", "CountedSTT", "counted_audio"]

_STEPS_PER_SECOND = 100
_FLOOR = 4096
_LONGEST = (32767 - _FLOOR) / _STEPS_PER_SECOND


def counted_audio(seconds: float, *, voiced: Sequence[tuple[float, float]], sample_rate: int = 16000) -> bytes:
    """16 bit mono audio: a loud tone that counts hundredths of seconds where it is voiced, else digital silence.

    Args:
        seconds: its length, up to 286.
        voiced: spans in seconds, rounded to hundredths.
        sample_rate: a multiple of 100.
    """
    if seconds > _LONGEST or sample_rate % _STEPS_PER_SECOND:
        raise ValueError(f"counted audio is at most {_LONGEST:.0f} s long, at a sample rate that is a multiple of 100")
    position = np.arange(round(seconds * sample_rate))
    step = position // (sample_rate // _STEPS_PER_SECOND)
    loud = np.zeros(len(position), bool)
    for start, end in voiced:
        loud |= (step >= round(start * _STEPS_PER_SECOND)) & (step < round(end * _STEPS_PER_SECOND))
    return np.where(loud, (_FLOOR + step) * np.where(position % 2, 1, -1), 0).astype("<i2").tobytes()


def _find(levels: npt.NDArray[np.int32], sample_rate: int) -> int | None:
    """The position of the first sample; ``None`` where nothing counted tells it."""
    changes = np.flatnonzero((levels[1:] != levels[:-1]) & (levels[1:] >= _FLOOR)) + 1
    if not len(changes):
        return None
    first = int(changes[0])
    return (int(levels[first]) - _FLOOR) * (sample_rate // _STEPS_PER_SECOND) - first


class CountedRunner(ScriptedRunner):
    """A scripted runner that takes positions from the audio, and hears no word in silence."""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        """See :meth:`stt_core.runner.Runner.run`."""
        self._at: int | None = None
        self._before = 0
        self.voiced = 0.0
        self.finalizes = True
        self._sample_rate = source.format.sample_rate
        source.convert(replace(source.format, channels=1, encoding="pcm_s16le"))
        await super().run(source, sink)

    def locate(self, chunk: AudioChunk) -> AudioChunk | None:
        """The chunk with the positions that its samples say."""
        length = chunk.end - chunk.start
        levels = np.abs(np.frombuffer(chunk.data, "<i2").astype(np.int32))
        found = _find(levels, self._sample_rate)
        if found is None and self._at is None:
            self._before += length  # silence from the start, which the first count will place
            return None
        start = self._at if found is None else found
        if start is None:
            return None
        self._at = start + length
        loud = np.flatnonzero(levels)
        if len(loud):
            self.voiced = (start + int(loud[-1]) + 1) / self._sample_rate
        start, self._before = start - self._before, 0
        return replace(chunk, start=max(start, 0), end=self._at)


class CountedSTT(ScriptedSTT):
    """The scripted provider for counted audio."""

    def create_runner(self, settings: Resolved) -> Runner:
        """See :class:`stt_core.stt.STT`."""
        runner = CountedRunner(self.cues, faults=self.faults, carries=self.carries, exact=self.exact)
        self.runners.append(runner)
        return runner
