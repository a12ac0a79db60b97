"""What the live resampler holds back, costs and lets through, beside soxr's HQ filter in blocks.

    python benchmarks/resample.py [RATE ...]

One line per pair of rates:

- what is held back at most, in ms: in 20 ms frames, in pieces of other lengths (10 and 30 ms, 128, 777 and single
  samples), and by soxr in 20 ms frames;
- CPU in µs per second of audio in 20 ms frames, ours (the whole of ``Resampler.process``) and soxr's (its bare call),
  the median of rounds that take turns; and the ratio, in frames of 20, 50 and 10 ms;
- the worst signal to noise ratio of tones up to 0.83 of half the lower rate, against the ideal tone at the new rate,
  and the loudest alias (of tones above half the lower rate) or image, in dB;
- what the first stream of a pair waits for its filter, in ms of CPU.
"""

from __future__ import annotations

import importlib
import itertools
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from stt_core.audio import fir
from stt_core.audio.resample import Resampler

RATES = (8000, 16000, 22050, 24000, 32000, 44100, 48000)
ROUNDS = 21
PASS_BAND = 0.83


def held_back(make: Callable[[], Resampler], lengths: list[int]) -> float:
    """The most that was held back after a piece, in ms, over a second in pieces of each of these lengths."""
    most = 0.0
    for length in lengths:
        resampler = make()
        piece = np.zeros(length, np.float32)
        for _ in range(min(2000, resampler.in_rate // length)):
            resampler.process(piece)
            most = max(most, resampler.delay)
    return most * 1000


def cpu(in_rate: int, out_rate: int, milliseconds: int) -> tuple[float, float]:
    """µs of CPU per second of audio: ours and soxr's, each called with float32 as it wants it."""
    piece = np.random.default_rng(1).uniform(-0.5, 0.5, in_rate * milliseconds // 1000).astype(np.float32)
    live = Resampler(in_rate, out_rate)
    soxr = importlib.import_module("soxr").ResampleStream(in_rate, out_rate, 1, "float32", "HQ")
    calls = (live.process, soxr.resample_chunk)
    spent: tuple[list[int], list[int]] = ([], [])
    for call in calls:
        for _ in range(20):
            call(piece)
    for _ in range(ROUNDS):
        for call, times in zip(calls, spent, strict=True):
            begin = time.process_time_ns()
            for _ in range(100):
                call(piece)
            times.append(time.process_time_ns() - begin)
    ours, theirs = (statistics.median(times) / 100 / len(piece) * in_rate / 1000 for times in spent)
    return ours, theirs


def tones(hz: np.ndarray, sample_rate: int, seconds: float) -> np.ndarray:
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    return 0.5 * np.sin(2 * np.pi * np.multiply.outer(times, hz))


def resample(samples: np.ndarray, in_rate: int, out_rate: int) -> np.ndarray:
    resampler = Resampler(in_rate, out_rate, samples.shape[1])
    return np.concatenate([resampler.process(samples.astype(np.float32)), resampler.flush()])


def quality(in_rate: int, out_rate: int) -> tuple[float, float]:
    """The worst signal to noise ratio in the pass band, and the loudest alias or image, in dB."""
    middle = slice(out_rate // 50, -out_rate // 50)
    lower = min(in_rate, out_rate) / 2
    pass_band = np.linspace(0.002, PASS_BAND, 192).reshape(3, 64) * lower
    noise = max(
        np.square((resample(tones(hz, in_rate, 0.2), in_rate, out_rate) - tones(hz, out_rate, 0.2))[middle])
        .mean(axis=0)
        .max()
        for hz in pass_band
    )
    if out_rate < in_rate:
        stop_band = np.linspace(out_rate / 2, in_rate / 2, 192).reshape(3, 64)
        loudest = max(np.abs(resample(tones(hz, in_rate, 0.2), in_rate, out_rate)[middle]).max() for hz in stop_band)
    else:
        loudest = max(image(hz, in_rate, out_rate) for hz in np.linspace(0.01, 0.99, 192).reshape(3, 64) * lower)
    return -10 * float(np.log10(noise / 0.125)), 20 * float(np.log10(loudest / 0.5))


def image(hz: np.ndarray, in_rate: int, out_rate: int) -> float:
    """The strongest line above half the input rate."""
    out = resample(tones(hz, in_rate, 0.4), in_rate, out_rate)[out_rate // 50 : -out_rate // 50]
    window = np.blackman(len(out))[:, np.newaxis] ** 3
    spectrum = np.abs(np.fft.rfft(out * window, axis=0)) / (window.sum() / 2)
    return float(spectrum[np.fft.rfftfreq(len(out), 1 / out_rate) > in_rate / 2 + 40].max())


def build(in_rate: int, out_rate: int) -> float:
    fir.plan.cache_clear()
    begin = time.process_time_ns()
    fir.plan(in_rate, out_rate)
    return (time.process_time_ns() - begin) / 1e6


def main() -> None:
    rates = [int(rate) for rate in sys.argv[1:]] or RATES
    print(
        "                | held back, ms     | CPU, µs/s    | ratio at         | SNR   alias  | first\n"
        "      Hz        |  20 ms  any  soxr | live    soxr | 20 ms  50 ms  10 | dB    dB     | ms"
    )
    for in_rate, out_rate in itertools.permutations(rates, 2):
        first = build(in_rate, out_rate)
        frame = [in_rate // 50]
        live = partial(Resampler, in_rate, out_rate)
        held = held_back(live, frame)
        uneven = held_back(live, [in_rate // 100, 3 * in_rate // 100, 128, 777, 1])
        blocks = held_back(partial(live, mode="file"), frame)
        ours, theirs = cpu(in_rate, out_rate, 20)
        ratios = [ours / theirs, *(ours / theirs for ours, theirs in (cpu(in_rate, out_rate, ms) for ms in (50, 10)))]
        noise, loudest = quality(in_rate, out_rate)
        print(
            f"{in_rate:5} -> {out_rate:5} | {held:6.2f} {uneven:5.2f} {blocks:4.0f} | {ours:5.0f} {theirs:6.0f} "
            f"| {ratios[0]:5.2f} {ratios[1]:6.2f} {ratios[2]:4.1f} | {noise:4.1f} {loudest:6.1f} | {first:4.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
