from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stt_core.audio.resample import Resampler
from stt_core.errors import AudioError

if TYPE_CHECKING:
    from stt_core.audio.encodings import Samples

Mode = Literal["live", "file"]

RATES = [8000, 11025, 16000, 22050, 24000, 44100, 48000]
pairs = st.tuples(st.sampled_from(RATES), st.sampled_from(RATES))
modes = st.sampled_from(["live", "file"])


def soxr_version() -> tuple[int, ...]:
    return tuple(int(part) for part in version("soxr").split(".")[:2])


def noise(frames: int, channels: int, seed: int = 0) -> Samples:
    shape = frames if channels == 0 else (frames, channels)
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype(np.float32)


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


def tone(hz: float, sample_rate: int, seconds: float) -> Samples:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * sample_rate)) / sample_rate)).astype(np.float32)


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


@pytest.mark.skipif(soxr_version() < (1,), reason="soxr before 1.0 has no variable-rate filter")
@pytest.mark.parametrize(("rates", "longest"), [((48000, 16000), 0.014), ((8000, 16000), 0.031)])
def test_live_holds_back_little(rates: tuple[int, int], longest: float) -> None:
    """Live audio is held back for less than the file filter's 37 and 115 ms, and steadily so."""
    resampler = Resampler(*rates)
    delays: list[float] = []
    for _ in range(100):
        resampler.process(noise(rates[0] // 50, 0))
        delays.append(resampler.delay)
    assert max(delays) <= longest


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
