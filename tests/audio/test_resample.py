from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stt_core.audio.resample import Resampler
from stt_core.errors import AudioError

if TYPE_CHECKING:
    from stt_core.audio.encodings import Samples

Mode = Literal["live", "file"]

RATES = [8000, 11025, 16000, 22050, 24000, 44100, 48000]
# 1 kHz, and 44056 Hz from the days of NTSC, have no short period in common with the others.
pairs = st.tuples(st.sampled_from([*RATES, 32000]), st.sampled_from([*RATES, 1000, 44056, 96000]))
modes = st.sampled_from(["live", "file"])
LIVE_PAIRS = list(itertools.permutations([8000, 16000, 22050, 24000, 32000, 44100, 48000], 2))


class Soxr(Protocol):
    """What is used of soxr, which types it incompletely."""

    def resample(self, x: Samples, in_rate: int, out_rate: int, quality: str) -> Samples: ...


def noise(frames: int, channels: int, seed: int = 0, level: float = 0.5) -> Samples:
    shape = frames if channels == 0 else (frames, channels)
    return np.random.default_rng(seed).uniform(-level, level, shape).astype(np.float32)


def run(resampler: Resampler, samples: Samples, cuts: list[int] | None = None) -> Samples:
    """All of it, cut into pieces of these lengths and a last one."""
    parts: list[Samples] = []
    position = 0
    for cut in cuts or []:
        parts.append(resampler.process(samples[position : position + cut]))
        position += cut
    parts.append(resampler.process(samples[position:]))
    parts.append(resampler.flush())
    return np.concatenate(parts)


def tone(hz: float | npt.NDArray[np.float64], sample_rate: int, seconds: float) -> Samples:
    """``(n,)`` for one frequency, ``(n, channels)`` for several."""
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * np.multiply.outer(times, hz))).astype(np.float32)


def decibels(samples: npt.NDArray[np.floating], reference: float = 0.5) -> float:
    return float(20 * np.log10(np.abs(samples).max() / reference))


@settings(deadline=None)
@given(pairs, modes, st.integers(0, 3000))
def test_the_length_is_exact(rates: tuple[int, int], mode: Mode, frames: int) -> None:
    """round(n * out / in) samples, halves up, for every length: 0, 1 and uneven ones too."""
    in_rate, out_rate = rates
    out = run(Resampler(in_rate, out_rate, mode=mode), noise(frames, 0))
    assert len(out) == (2 * frames * out_rate + in_rate) // (2 * in_rate)
    assert out.dtype == np.float32


@settings(deadline=None, max_examples=50)
@given(pairs, modes, st.integers(0, 2), st.lists(st.integers(0, 700), max_size=12))
def test_cutting_does_not_show(rates: tuple[int, int], mode: Mode, channels: int, cuts: list[int]) -> None:
    """Samples are bit-identical however the input was cut, empty and single-sample pieces included."""
    samples = noise(4000, channels)
    make = lambda: Resampler(*rates, max(channels, 1), mode=mode)  # noqa: E731
    np.testing.assert_array_equal(run(make(), samples, cuts), run(make(), samples))


@pytest.mark.parametrize("mode", ["live", "file"])
def test_cutting_does_not_show_in_the_long_run(mode: Mode) -> None:
    """Single samples, 20 ms frames and one piece of 20 s agree."""
    samples = noise(48000 * 4, 0)
    whole = run(Resampler(48000, 16000, mode=mode), samples)
    np.testing.assert_array_equal(run(Resampler(48000, 16000, mode=mode), samples, [960] * 200), whole)
    np.testing.assert_array_equal(run(Resampler(48000, 16000, mode=mode), samples, [1] * 5000), whole)


@settings(deadline=None, max_examples=30)
@given(pairs, modes, st.integers(0, 9000), st.integers(0, 2))
def test_primed_is_uninterrupted(rates: tuple[int, int], mode: Mode, before: int, channels: int) -> None:
    """After priming, the samples are those of a stream that began earlier, by whole periods of the two rates."""
    in_rate, out_rate = rates
    step = in_rate // np.gcd(in_rate, out_rate)
    samples = noise(before - before % step + 3000, channels)
    whole = run(Resampler(in_rate, out_rate, max(channels, 1), mode=mode), samples)
    primed = Resampler(in_rate, out_rate, max(channels, 1), mode=mode)
    primed.prime(samples[: len(samples) - 3000])
    rest = run(primed, samples[-3000:])
    assert len(rest) == (2 * 3000 * out_rate + in_rate) // (2 * in_rate)
    # The tail is filtered with silence after it on both sides; where a period is incomplete, lengths round differently.
    common = min(len(rest), len(whole))
    offset = (len(samples) - 3000) * out_rate // in_rate
    np.testing.assert_array_equal(rest[: common - 1], whole[offset : offset + common - 1][: len(rest)])


@pytest.mark.parametrize("mode", ["live", "file"])
@pytest.mark.parametrize("rates", [(48000, 16000), (44100, 16000), (8000, 16000), (16000, 8000), (16000, 48000)])
def test_a_tone_stays_where_it_is(rates: tuple[int, int], mode: Mode, peak_hz: Callable[[Samples, int], float]) -> None:
    """440 Hz stays 440 Hz, at its level and within half an output sample of its place in time."""
    in_rate, out_rate = rates
    out = run(Resampler(in_rate, out_rate, mode=mode), tone(440, in_rate, 1.0))
    assert abs(peak_hz(out, out_rate) - 440) < 2
    middle = slice(out_rate // 4, 3 * out_rate // 4)
    times = np.arange(out_rate)[middle] / out_rate
    phase = np.angle(np.sum(out[middle] * np.exp(-2j * np.pi * 440 * times)) / -1j)
    assert abs(phase / (2 * np.pi * 440) * out_rate) < 0.51
    assert 0.499 < np.abs(out[middle]).max() < 0.501


@pytest.mark.parametrize("mode", ["live", "file"])
def test_what_does_not_fit_is_removed(mode: Mode) -> None:
    """A 12 kHz tone leaves nothing at 16 kHz, where it would alias to 4 kHz; it is 80 dB down."""
    out = run(Resampler(48000, 16000, mode=mode), tone(12000, 48000, 0.5))
    assert np.abs(out[500:-500]).max() < 0.5e-4


def test_equal_rates_pass_through() -> None:
    """Nothing is held back or touched, and the same array comes out."""
    for mode in ("live", "file"):
        resampler = Resampler(16000, 16000, 2, mode=mode)
        samples = noise(320, 2)
        assert resampler.process(samples) is samples
        assert resampler.delay == 0
        assert len(resampler.flush()) == 0


@pytest.mark.parametrize("rates", LIVE_PAIRS)
def test_live_holds_back_at_most_5_ms(rates: tuple[int, int]) -> None:
    """At every pair, for frames of 10, 20 and 30 ms, for powers of two and for single samples."""
    in_rate = rates[0]
    for length in (in_rate // 100, in_rate // 50, 3 * in_rate // 100, 128, 1024, 777, 1):
        resampler = Resampler(*rates)
        delays: list[float] = []
        for _ in range(in_rate // 10 // length + 50):
            resampler.process(np.zeros(length, np.float32))
            delays.append(resampler.delay)
        assert 0 < max(delays) <= 0.005


@pytest.mark.parametrize("rates", LIVE_PAIRS)
def test_live_leaves_the_pass_band_alone(rates: tuple[int, int]) -> None:
    """Up to 0.83 of half the lower rate, what comes out is the same tone at the new rate, to 80 dB."""
    in_rate, out_rate = rates
    hz = np.linspace(0.002, 0.83, 60) * min(rates) / 2
    out = run(Resampler(in_rate, out_rate, len(hz)), tone(hz, in_rate, 0.2))
    error = (out - tone(hz, out_rate, 0.2))[out_rate // 50 : -out_rate // 50]
    assert decibels(np.sqrt(np.square(error).mean(axis=0)), 0.5 / np.sqrt(2)) < -80


@pytest.mark.parametrize("rates", [(high, low) for high, low in LIVE_PAIRS if high > low])
def test_live_removes_what_would_alias(rates: tuple[int, int]) -> None:
    """Every tone from half the lower rate on is 80 dB down."""
    in_rate, out_rate = rates
    hz = np.linspace(out_rate, in_rate, 64) / 2
    out = run(Resampler(in_rate, out_rate, len(hz)), tone(hz, in_rate, 0.2))
    assert decibels(out[out_rate // 50 : -out_rate // 50]) < -80


@pytest.mark.parametrize("rates", [(low, high) for low, high in LIVE_PAIRS if high > low])
def test_live_adds_no_images(rates: tuple[int, int]) -> None:
    """Beside each tone, in the transition band too, nothing comes out: 80 dB."""
    in_rate, out_rate = rates
    hz = np.linspace(0.01, 0.99, 60) * in_rate / 2
    out = run(Resampler(in_rate, out_rate, len(hz)), tone(hz, in_rate, 0.2))[out_rate // 50 : -out_rate // 50]
    times = np.arange(len(out)) / out_rate
    for column, frequency in enumerate(hz):
        angle = 2 * np.pi * frequency * times
        basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
        fit = np.linalg.lstsq(basis, out[:, column], rcond=None)[0]
        residue = out[:, column] - basis @ fit
        assert decibels(np.sqrt(np.square(residue).mean(keepdims=True)), 0.5 / np.sqrt(2)) < -80


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(LIVE_PAIRS), st.integers(0, 2**32 - 1), st.lists(st.integers(0, 900), max_size=8))
def test_live_is_close_to_soxr(rates: tuple[int, int], seed: int, cuts: list[int]) -> None:
    """Whatever is in the pass band comes out as from soxr's HQ filter over the whole signal, to 80 dB."""
    in_rate, out_rate = rates
    frames = in_rate // 5
    random = np.random.default_rng(seed)
    spectrum = random.normal(size=frames // 2 + 1) + 1j * random.normal(size=frames // 2 + 1)
    spectrum[np.fft.rfftfreq(frames, 1 / in_rate) > 0.8 * min(rates) / 2] = 0
    samples = np.fft.irfft(spectrum, frames) * np.hanning(frames)
    samples = (samples / np.abs(samples).max()).astype(np.float32)
    out = run(Resampler(*rates), samples, cuts)
    soxr = cast("Soxr", importlib.import_module("soxr"))
    expected = soxr.resample(samples, in_rate, out_rate, "HQ")[: len(out)]
    assert np.square(out - expected).mean() < 1e-8 * np.square(expected).mean()


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(LIVE_PAIRS), st.sampled_from([0.001, 1, 100]), st.lists(st.integers(0, 40), max_size=8))
def test_live_is_exact(rates: tuple[int, int], level: float, cuts: list[int]) -> None:
    """Sums do not round, so no machine's order of adding matters: they equal integer arithmetic on the same weights."""
    impulses = np.eye(128, dtype=np.float32)
    weights = np.concatenate(
        [run(Resampler(*rates, 64), half) for half in (impulses[:, :64], impulses[:, 64:])], axis=1
    )
    samples = noise(128, 0, level=level)
    sums = np.rint(np.ldexp(weights, 22)).astype(int) @ np.rint(np.ldexp(samples.astype(float), 22)).astype(int)
    np.testing.assert_array_equal(run(Resampler(*rates), samples, cuts), np.ldexp(sums, -44).astype(np.float32))


@settings(deadline=None, max_examples=20)
@given(pairs, modes)
def test_flush_and_reset_begin_anew(rates: tuple[int, int], mode: Mode) -> None:
    """After a flush or a reset the next stream comes out as from a new resampler."""
    samples = noise(2000, 0)
    resampler = Resampler(*rates, mode=mode)
    first = run(resampler, samples)
    np.testing.assert_array_equal(run(resampler, samples), first)
    resampler.process(noise(500, 0, seed=9))
    resampler.reset()
    np.testing.assert_array_equal(run(resampler, samples), first)
    assert len(resampler.flush()) == 0


def test_channels_stay_apart() -> None:
    """Each channel is filtered as if it were alone."""
    both = noise(3000, 2)
    out = run(Resampler(48000, 16000, 2, mode="file"), both)
    for channel in range(2):
        alone = run(Resampler(48000, 16000, mode="file"), np.ascontiguousarray(both[:, channel]))
        np.testing.assert_array_equal(out[:, channel], alone)


@pytest.mark.parametrize("wrong", [(0, 16000), (16000, -1), (16000, 44100.5), (16000, 8000, 0)])
def test_wrong_rates_are_refused(wrong: Any) -> None:
    """Rates and channels are checked before anything is built."""
    with pytest.raises(AudioError, match="must be a whole number"):
        Resampler(*wrong)
