"""One sample rate to another.

Two filters behind one class, which owns what both must keep: the exact length, the alignment, and samples that do not
depend on how the input was cut.

- ``live``: our own, in :mod:`~stt_core.audio.fir`. Late by 1 to 4 ms, or up to 5 where pieces are uneven. Level up to
  3.3 kHz of 4, 7.1 kHz of 8 (0.88 of half the lower rate above); what does not fit is more than 80 dB down.
- ``file``: soxr's HQ filter. Level up to 0.91 of half the lower rate, more than 120 dB down; hands out in blocks, up to
  0.17 s late.

soxr is always given float32: with int16 it adds dither, so that the same input never gives the same output twice.
"""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Literal, Protocol, cast

import numpy as np

from .fir import FirFilter, plan
from .frames import AudioFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from .encodings import Samples

__all__ = ["Mode", "Resampler"]

Mode = Literal["live", "file"]


class _Filter(Protocol):
    """What a resampling filter has to be: independent of the chunking, and aligned after ``skip`` samples."""

    skip: int
    """Output samples to drop at the start, so that the first one kept stands for the first input sample."""

    def process(self, samples: Samples) -> Samples:
        """``(n, channels)`` in, what is ready of ``(m, channels)`` out."""
        ...

    def finish(self) -> Samples:
        """The rest, and perhaps some silence behind it."""
        ...


class _SoxrStream(Protocol):
    def resample_chunk(self, x: Samples, last: bool = False) -> Samples: ...


class _Soxr(Protocol):
    # soxr ships no types for this class.
    ResampleStream: Callable[..., _SoxrStream]


class _SoxrFilter:
    skip = 0

    def __init__(self, in_rate: int, out_rate: int, channels: int) -> None:
        soxr = cast("_Soxr", importlib.import_module("soxr"))
        self._stream = soxr.ResampleStream(in_rate, out_rate, channels, "float32", "HQ")
        # soxr rounds the length in its own way: with some silence behind the end it has enough.
        self._silence = np.zeros((8 * in_rate // out_rate + 8, channels), np.float32)

    def process(self, samples: Samples) -> Samples:
        return self._stream.resample_chunk(np.ascontiguousarray(samples, np.float32))

    def finish(self) -> Samples:
        return self._stream.resample_chunk(self._silence, last=True)


class Resampler:
    """A stream of samples at another rate.

    After :meth:`flush` exactly ``round(n_in * out_rate / in_rate)`` samples (halves up) have come out for ``n_in`` that
    went in, and each is the same however the input was cut. Equal rates pass through untouched and at once.

    Args:
        in_rate: Hz.
        out_rate: Hz.
        channels: of every array given.
        mode: ``live`` holds back 5 ms at most, ``file`` is the better filter. With rates below 8 kHz ``live`` holds
            back more; rates without a short period in common (44100 and 44056 Hz) only have the ``file`` filter.

    Raises:
        AudioError: a rate or the number of channels is not accepted.
    """

    def __init__(self, in_rate: int, out_rate: int, channels: int = 1, *, mode: Mode = "live") -> None:
        self.in_rate = AudioFormat(in_rate, channels).sample_rate
        self.out_rate = AudioFormat(out_rate).sample_rate
        self.channels = channels
        self.mode: Mode = mode
        common = math.gcd(in_rate, out_rate)
        self._in_step, self._out_step = in_rate // common, out_rate // common
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next sample is the first of a new stream."""
        # A filter costs 15 to 50 µs to make and some kilobytes to keep: not before there is audio.
        self._filter: _Filter | None = None
        self._skip = self._n_in = self._n_out = 0
        self._flat = self.channels == 1

    @property
    def delay(self) -> float:
        """Seconds of input that are held back at this moment."""
        return self._n_in / self.in_rate - self._n_out / self.out_rate

    def prime(self, samples: Samples) -> None:
        """Give the filter the samples that came before the stream; they do not come out.

        What follows is then what an uninterrupted stream would have given. Only whole periods of the two rates count
        (441 samples for 44.1 to 16 kHz, 3 for 48 to 16), so that the first sample out falls on the first one in.

        Args:
            samples: 0.1 s of them is more than any filter here remembers.
        """
        self.reset()
        periods = len(samples) // self._in_step
        if self._in_step == self._out_step or periods == 0:
            return
        self._filter = self._new_filter()
        self._skip += periods * self._out_step
        self._dropped(
            self._filter.process(samples[len(samples) - periods * self._in_step :].reshape(-1, self.channels))
        )

    def process(self, samples: Samples) -> Samples:
        """Resample the next samples.

        Args:
            samples: float32 ``(n,)`` for one channel, ``(n, channels)`` for any number.

        Returns:
            what is ready, in the same shape; often nothing, which does not mean the end.
        """
        self._n_in += len(samples)
        self._flat = samples.ndim == 1
        if self._in_step == self._out_step:
            self._n_out = self._n_in
            return samples
        if self._filter is None:
            self._filter = self._new_filter()
        out = self._dropped(self._filter.process(samples.reshape(-1, self.channels)))
        self._n_out += len(out)
        return out[:, 0] if self._flat else out

    def flush(self) -> Samples:
        """End the stream; the resampler is as new afterwards.

        Returns:
            the rest, in the shape of the last input.
        """
        due = (2 * self._n_in * self._out_step + self._in_step) // (2 * self._in_step) - self._n_out
        if self._filter is None or due == 0:
            tail = np.zeros((0, self.channels), np.float32)
        else:
            tail = self._dropped(self._filter.finish())[:due]
        flat = self._flat
        self.reset()
        return tail[:, 0] if flat else tail

    def _new_filter(self) -> _Filter:
        design = plan(self.in_rate, self.out_rate) if self.mode == "live" else None
        if design is None:
            made = _SoxrFilter(self.in_rate, self.out_rate, self.channels)
        else:
            made = FirFilter(design, self.channels)
        self._skip = made.skip
        return made

    def _dropped(self, out: Samples) -> Samples:
        if self._skip:
            dropped = min(self._skip, len(out))
            self._skip -= dropped
            out = out[dropped:]
        return out
