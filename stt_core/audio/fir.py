"""The low-delay resampling filter: a windowed sinc, applied as a few small matrix products.

Every output sample is a weighted sum of the input around it. The weights depend on where it falls between two input
samples, and repeat after a period of the two rates (441 samples in and 160 out, from 44.1 to 16 kHz). The output is
made in blocks of about a millisecond: a block is a window of the input times a matrix of weights, and all blocks of a
frame are one call of numpy.

Sums are exact, because samples and weights are rounded to so few bits that no sum of their products needs more than
the 53 of a float64. Otherwise its last bit would depend on the order in which a machine adds, and so on the chunking.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from .encodings import Samples

__all__ = ["FirFilter", "Plan", "plan"]

_Wide: TypeAlias = npt.NDArray[np.float64]

# Half the filter's length: this many samples of the lower rate, if they are no longer than 4 ms.
_HALF, _HALF_SECONDS = 48, 0.004
# dB, of Kaiser's window. With the length it says how wide the transition is, which ends at half the lower rate.
_ATTENUATION = 85.0
# Seconds: how long a block may be, and what it and half the filter's length may come to.
_BLOCK, _LONGEST = 0.0012, 0.005
# Weights. Rates without a short period in common, as 44.1 and 44.056 kHz, would need more.
_LARGEST = 1 << 18

# With 22 bits behind the point for both factors, sums are exact below 2**9. No filter's weights add up to 4, so that
# leaves room for samples 40 dB above full scale.
_GRID = 2.0**-22
# A float64 to which this is added, and taken away again, is rounded to the grid.
_ROUNDER = np.float64(1.5 * 2.0**52 * _GRID)

# Samples: longer input is done in pieces, to need little room, and to leave the other cores alone.
_PIECE = 8192
_STEPS = 16


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a period is divided into blocks. Lengths are in samples."""

    period_in: int
    period_out: int
    blocks: int
    block_out: int
    stride: int
    """From the window of a block to that of the next, of the input."""
    window: int
    lead: int
    """What the first window takes of the input before the period."""
    spare: int
    """How far a window may reach beyond what its block needs; the weights there are 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What every filter from one rate to another has in common."""

    layout: _Layout
    alike: bool
    """All blocks have the same weights."""
    delay: int
    """By how many output samples the filter is late."""
    weights: _Wide
    """``(blocks, window, block_out)``."""


@lru_cache(maxsize=16)
def plan(in_rate: int, out_rate: int) -> Plan | None:
    """The filter from one rate to another; None if they have no short period in common."""
    common = math.gcd(in_rate, out_rate)
    step_in, step_out = in_rate // common, out_rate // common
    lower = min(in_rate, out_rate)
    delay = -(-min(_HALF, max(32, int(_HALF_SECONDS * lower))) * out_rate // lower)
    if 2 * delay * step_in > _LARGEST:
        return None
    longest = max(1, int(min(_BLOCK, max(_BLOCK / 2, _LONGEST - delay / out_rate)) * out_rate))
    # 20 ms, the usual frame, are done in one call if blocks and periods divide them.
    usual = max(1, common // 50)
    alike = step_out <= longest
    if alike:
        sizes = {step_out * _divisor(usual, longest // step_out)}
    else:
        sizes = {_divisor(step_out, longest), _divisor(step_out * usual, longest)}
    layouts = [layout for size in sizes if (layout := _layout(step_in, step_out, delay, size, usual))]
    if not layouts:
        return None
    layout = min(layouts, key=lambda layout: layout.window * layout.period_out)
    kinds = np.arange(1 if alike else layout.blocks)[:, np.newaxis, np.newaxis]
    row = np.arange(layout.window) + layout.stride * kinds - layout.lead
    column = np.arange(layout.block_out)[:, np.newaxis] + layout.block_out * kinds
    half = _half(in_rate, out_rate, delay)
    weights = half[np.minimum(np.abs(row * step_out - (column - delay) * step_in), len(half) - 1)]
    # The weights of a sample add up to 1, or a constant level would come out with a ripple.
    weights = np.rint(weights / weights.sum(axis=2, keepdims=True) / _GRID) * _GRID
    if layout.block_out % 16 == 0:
        # Measured: BLAS likes whole cache lines of outputs best, and otherwise long rows of weights.
        weights = np.ascontiguousarray(weights.swapaxes(1, 2)).swapaxes(1, 2)
    shape = layout.blocks, layout.window, layout.block_out
    return Plan(layout, alike, delay, np.broadcast_to(weights.swapaxes(1, 2), shape))


def _divisor(number: int, longest: int) -> int:
    return max(size for size in range(1, longest + 1) if number % size == 0)


def _layout(step_in: int, step_out: int, delay: int, block_out: int, usual: int) -> _Layout | None:
    shortest = math.lcm(step_out, block_out) * step_in // step_out
    multiples = [n for n in range(1, usual + 1) if usual * step_in % (n * shortest) == 0]
    for multiple in (*multiples, *range(1, 2 * delay)):
        period_in = multiple * shortest
        period_out = period_in * step_out // step_in
        blocks = period_out // block_out
        stride = period_in // blocks
        if stride == 0:
            return None
        index = np.arange(blocks)
        # The first and the last input sample that each block depends on, from where its window would be.
        first = -((2 * delay - index * block_out) * step_in // step_out) - stride * index
        last = ((index + 1) * block_out - 1) * step_in // step_out - stride * index
        window = int(last.max() - first.min()) + 1
        # numpy leaves a product to BLAS only where its rows, which are a period apart, do not overlap.
        if window <= period_in:
            lead, spare = -int(first.min()), int(last.max() - last.min())
            return _Layout(period_in, period_out, blocks, block_out, stride, window, lead, spare)
    return None


def _half(in_rate: int, out_rate: int, delay: int) -> _Wide:
    """The right half of the filter, at the least common multiple of both rates, and a 0 for all that lies outside."""
    rate = math.lcm(in_rate, out_rate)
    half = delay * (rate // out_rate)
    at = np.arange(half + 1)
    transition = (_ATTENUATION - 7.95) / (14.36 * 2 * half / rate)
    cutoff = min(in_rate, out_rate) / 2 - transition / 2
    kaiser = np.i0(0.1102 * (_ATTENUATION - 8.7) * np.sqrt(1 - (at / half) ** 2))
    return np.append(np.sinc(2 * cutoff / rate * at) * kaiser, 0.0)


class _Step:
    """What is done with one more piece of a certain length, in a certain state: views that are made once."""

    __slots__ = ("have", "kept", "new", "next_block", "out", "products", "rest")

    def __init__(self, plan: Plan, audio: _Wide, out: _Wide, length: int, have: int, next_block: int) -> None:
        layout = plan.layout
        size = audio.itemsize
        begin = have - layout.stride * next_block + layout.lead
        end = begin + length
        self.new = audio[:, begin:end]
        self.products: list[tuple[_Wide, _Wide, _Wide]] = []
        have += length
        # Sample n of the output needs the input up to n * period_in / period_out.
        ready = -(-have * layout.period_out // layout.period_in) // layout.block_out
        at = done = 0
        while next_block < ready:
            # From the start of a period as many as there are; otherwise up to the end of the period.
            periods = ready // layout.blocks if next_block == 0 and ready > layout.blocks else 1
            count = min(layout.blocks, ready) - next_block
            windows = np.ndarray(
                (len(audio), count, periods, layout.window),
                np.float64,
                audio,
                at * size,
                (audio.strides[0], layout.stride * size, layout.period_in * size, size),
            )
            products = np.ndarray(
                (len(audio), count, periods, layout.block_out),
                np.float64,
                out,
                done * size,
                (out.strides[0], layout.block_out * size, layout.period_out * size, size),
            )
            self.products.append((windows, plan.weights[next_block : next_block + count], products))
            done += count * periods * layout.block_out
            at += count * layout.stride
            next_block += count
            if next_block == layout.blocks:
                at += periods * layout.period_in - layout.blocks * layout.stride
                have -= periods * layout.period_in
                ready -= periods * layout.blocks
                next_block = 0
        if plan.alike:
            # One block is as good as another: fewer states.
            have -= layout.stride * next_block
            next_block = 0
        self.out = out[:, :done]
        self.rest, self.kept = audio[:, at:end], audio[:, : end - at]
        self.have, self.next_block = have, next_block


class FirFilter:
    """One stream through the filter: see :class:`~stt_core.audio.resample.Resampler`.

    Args:
        plan: from :func:`plan`.
        channels: of every array given.
    """

    def __init__(self, plan: Plan, channels: int) -> None:
        self.skip = plan.delay
        self._plan = plan
        # The input from the start of the next block's window on; and room for the next piece, and for its output.
        self._audio = self._out = np.zeros((channels, 0))
        # Input since the start of the period, and the block of it that is next.
        self._have = self._next_block = 0
        # Frames of one length come back to the same few states.
        self._steps: dict[tuple[int, int, int], _Step] = {}
        self._longest = max(plan.layout.period_in, _PIECE // plan.layout.period_in * plan.layout.period_in)

    def process(self, samples: Samples) -> Samples:
        """``(n, channels)`` in, every block that is ready of ``(m, channels)`` out."""
        if len(samples) <= self._longest:
            return self._process(samples)
        starts = range(0, len(samples), self._longest)
        return np.concatenate([self._process(samples[start : start + self._longest]) for start in starts])

    def finish(self) -> Samples:
        """The rest, and perhaps some silence."""
        layout = self._plan.layout
        return self.process(np.zeros((layout.lead + layout.period_in, len(self._audio)), np.float32))

    def _process(self, samples: Samples) -> Samples:
        key = len(samples), self._have, self._next_block
        step = self._steps.get(key) or self._step(key)
        new = step.new
        new[:] = samples.T
        new += _ROUNDER
        new -= _ROUNDER
        for windows, weights, out in step.products:
            np.matmul(windows, weights, out=out)
        step.kept[:] = step.rest
        self._have, self._next_block = step.have, step.next_block
        return step.out.T.astype(np.float32)

    def _step(self, key: tuple[int, int, int]) -> _Step:
        plan, layout = self._plan, self._plan.layout
        length, have, next_block = key
        channels, room = self._audio.shape
        need = layout.lead + have + length + layout.spare
        if need > room:
            audio = np.zeros((channels, need))
            audio[:, :room] = self._audio
            self._audio = audio
            self._out = np.empty((channels, (need // layout.period_in + 1) * layout.period_out))
            self._steps.clear()
        if len(self._steps) == _STEPS:
            self._steps.clear()
        step = self._steps[key] = _Step(plan, self._audio, self._out, length, have, next_block)
        return step
