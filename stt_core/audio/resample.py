"""One sample rate to another.

Two filters behind one class, which owns what both must keep: the exact length, the alignment, and samples that do not
depend on how the input was cut.

- ``file``: soxr's HQ filter. Best quality; hands out in blocks, up to 0.12 s late.
- ``live``: soxr's variable-rate filter at a constant rate. 13 ms (48 to 16 kHz) to 30 ms (8 to 16 kHz) late, steadily.
  soxr before 1.0 has none: there it is the LQ filter, up to 20 and 61 ms late.

soxr is always given float32: with int16 it adds dither, so that the same input never gives the same output twice.
"""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Literal, Protocol, cast

import numpy as np

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

    def process(self, samples: Samples, *, last: bool = False) -> Samples:
        """``(n, channels)`` in, what is ready of ``(m, channels)`` out; everything when it is the last."""
        ...


class _SoxrStream(Protocol):
    def resample_chunk(self, x: Samples, last: bool = False) -> Samples: ...


class _Soxr(Protocol):
    # soxr ships no types for this class.
    ResampleStream: Callable[..., _SoxrStream]


class _SoxrFilter:
    skip = 0

    def __init__(self, in_rate: int, out_rate: int, channels: int, *, mode: Mode) -> None:
        soxr = cast("_Soxr", importlib.import_module("soxr"))
        if mode == "live":
            try:
                self._stream = soxr.ResampleStream(in_rate, out_rate, channels, "float32", "HQ", vr=True)
            except TypeError:
                self._stream = soxr.ResampleStream(in_rate, out_rate, channels, "float32", "LQ")
            else:
                # Measured: this filter is 1.6 to 1.9 output samples late when it lowers the rate, and within half a
                # sample when it raises it. The others are exact.
                self.skip = 2 if out_rate < in_rate else 0
        else:
            self._stream = soxr.ResampleStream(in_rate, out_rate, channels, "float32", "HQ")

    def process(self, samples: Samples, *, last: bool = False) -> Samples:
        return self._stream.resample_chunk(np.ascontiguousarray(samples, np.float32), last)


class Resampler:
    """A stream of samples at another rate.

    After :meth:`flush` exactly ``round(n_in * out_rate / in_rate)`` samples (halves up) have come out for ``n_in`` that
    went in, and each is the same however the input was cut. Equal rates pass through untouched and at once.

    Args:
        in_rate: Hz.
        out_rate: Hz.
        channels: of every array given.
        mode: ``live`` holds back little, ``file`` is the better filter.

    Raises:
        AudioError: a rate or the number of channels is not accepted.
    """

    def __init__(self, in_rate: int, out_rate: int, channels: int = 1, *, mode: Mode = "live") -> None:
        self.in_rate = AudioFormat(in_rate, channels).sample_rate
        self.out_rate = AudioFormat(out_rate).sample_rate
        self.channels = channels
        self.mode: Mode = mode
        self._make_filter = _SoxrFilter
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
        self._run(self._filter, samples[len(samples) - periods * self._in_step :].reshape(-1, self.channels))

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
        out = self._run(self._filter, samples.reshape(-1, self.channels))
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
            # The filters round the length each in its own way: with some silence behind the end, both have enough.
            silence = np.zeros(((self._skip + 8) * self._in_step // self._out_step + 8, self.channels), np.float32)
            tail = self._run(self._filter, silence, last=True)[:due]
        flat = self._flat
        self.reset()
        return tail[:, 0] if flat else tail

    def _new_filter(self) -> _Filter:
        made = self._make_filter(self.in_rate, self.out_rate, self.channels, mode=self.mode)
        self._skip = made.skip
        return made

    def _run(self, filter_: _Filter, samples: Samples, *, last: bool = False) -> Samples:
        out = filter_.process(samples, last=last)
        if self._skip:
            dropped = min(self._skip, len(out))
            self._skip -= dropped
            out = out[dropped:]
        return out
