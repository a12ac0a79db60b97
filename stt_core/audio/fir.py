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
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from .encodings import Samples

__all__ = ["FirFilter", "Plan", "plan"]

_Wide: TypeAlias = npt.NDArray[np.float64]

# Half the filter's length in samples of the lower rate: as many as fit into 4 ms, in these bounds. It is 4 ms at 8 kHz,
# 3 ms at 16 kHz.
_SHORTEST_HALF, _LONGEST_HALF, _HALF_SECONDS = 32, 48, 0.004
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

# Multiplications in one matrix product: beyond, OpenBLAS wakes up the other cores, which costs more than it gains.
_PRODUCT = 1 << 19
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
    half = min(_LONGEST_HALF, max(_SHORTEST_HALF, int(_HALF_SECONDS * lower)))
    delay = -(-half * out_rate // lower)
    if 2 * delay * step_in > _LARGEST:
        return None
    longest = max(1, int(min(_BLOCK, max(_BLOCK / 2, _LONGEST - delay / out_rate)) * out_rate))
    # 20 ms, the usual frame, should be whole periods, and those whole blocks: then there is no rest to carry.
    usual = max(1, common // 50)
    if step_out <= longest:
        divisions = [(step_out * _divisor(usual, longest // step_out),) * 2]
    else:
        divisions = [(step_out, _divisor(step_out, longest)), (step_out * usual, _divisor(step_out * usual, longest))]
    layouts = [_layout(step_in, step_out, delay, period_out, block_out) for period_out, block_out in divisions]
    layout = min(layouts, key=lambda layout: layout.window * layout.period_out)
    if layout.window * layout.period_out > _LARGEST:
        return None
    blocks = np.arange(layout.blocks)[:, np.newaxis, np.newaxis]
    row = np.arange(layout.window) + layout.stride * blocks - layout.lead
    column = np.arange(layout.block_out)[:, np.newaxis] + layout.block_out * blocks
    curve = _right_half(in_rate, out_rate, delay)
    weights = curve[np.minimum(np.abs(row * step_out - (column - delay) * step_in), len(curve) - 1)]
    # The weights of a sample add up to 1, or a constant level would come out with a ripple.
    weights = np.rint(weights / weights.sum(axis=2, keepdims=True) / _GRID) * _GRID
    if layout.block_out % 16 == 0:
        # Measured: BLAS likes whole cache lines of outputs best, and otherwise long rows of weights.
        weights = np.ascontiguousarray(weights.swapaxes(1, 2)).swapaxes(1, 2)
    return Plan(layout, delay, weights.swapaxes(1, 2))


def _divisor(number: int, longest: int) -> int:
    return max(size for size in range(1, longest + 1) if number % size == 0)


def _layout(step_in: int, step_out: int, delay: int, period_out: int, block_out: int) -> _Layout:
    period_in = period_out * step_in // step_out
    blocks = period_out // block_out
    stride = period_in // blocks
    index = np.arange(blocks)
    # The first and the last input sample that each block depends on, from where its window would be.
    first = -((2 * delay - index * block_out) * step_in // step_out) - stride * index
    last = ((index + 1) * block_out - 1) * step_in // step_out - stride * index
    window = int(last.max() - first.min()) + 1
    lead, spare = -int(first.min()), int(last.max() - last.min())
    return _Layout(period_in, period_out, blocks, block_out, stride, window, lead, spare)


def _right_half(in_rate: int, out_rate: int, delay: int) -> _Wide:
    """The filter from its middle on, at the least common multiple of both rates; then a 0 for all that lies outside."""
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
        self.new = audio[:, begin : begin + length]
        # Sample n of the output needs the input up to n * period_in / period_out.
        ready = -(-(have + length) * layout.period_out // layout.period_in) // layout.block_out
        periods, self.next_block = divmod(ready, layout.blocks)
        self.have = have + length - periods * layout.period_in
        self.products: list[tuple[_Wide, _Wide, _Wide]] = []
        # Blocks of the same place in their periods have the same weights, and are the rows of one product. There is one
        # row less, or more, for those before the first block and after the last.
        for low, high in pairwise(sorted({0, next_block, self.next_block, layout.blocks})):
            skipped = int(low < next_block)
            rows = -((low - ready) // layout.blocks) - skipped
            if rows <= 0:
                continue
            shape = len(audio), high - low, rows
            at = skipped * layout.period_in + (low - next_block) * layout.stride
            windows = np.ndarray(
                (*shape, layout.window),
                np.float64,
                audio,
                at * size,
                (audio.strides[0], layout.stride * size, layout.period_in * size, size),
            )
            at = skipped * layout.period_out + (low - next_block) * layout.block_out
            products = np.ndarray(
                (*shape, layout.block_out),
                np.float64,
                out,
                at * size,
                (out.strides[0], layout.block_out * size, layout.period_out * size, size),
            )
            self.products.append((windows, plan.weights[low:high], products))
        self.out = out[:, : (ready - next_block) * layout.block_out]
        used = periods * layout.period_in + (self.next_block - next_block) * layout.stride
        self.rest, self.kept = audio[:, used : begin + length], audio[:, : begin + length - used]


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
        layout = plan.layout
        self._overlap = layout.window > layout.period_in
        # Longer input is done in pieces.
        self._longest = layout.period_in * max(1, _PRODUCT // (layout.window * layout.block_out))

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
            # numpy leaves a product to BLAS only where its rows do not overlap.
            np.matmul(windows.copy() if self._overlap else windows, weights, out=out)
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
