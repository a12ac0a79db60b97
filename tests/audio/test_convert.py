from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stt_core.audio.convert import Converter
from stt_core.audio.encodings import Samples, decode, encode
from stt_core.audio.frames import ENCODINGS, AudioFormat
from stt_core.errors import AudioError

formats = st.builds(
    AudioFormat, st.sampled_from([8000, 16000, 44100, 48000]), st.sampled_from([1, 2]), st.sampled_from(ENCODINGS)
)
MONO = AudioFormat(16000)


def noise(frames: int, audio_format: AudioFormat, seed: int = 0) -> bytes:
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, (frames, audio_format.channels)).astype(np.float32)
    return encode(samples, audio_format.encoding)


def run(converter: Converter, data: bytes, cuts: list[int] | None = None) -> bytes:
    out = b""
    for cut in cuts or []:
        out += converter.convert(data[:cut])
        data = data[cut:]
    return out + converter.convert(data) + converter.flush()


@settings(deadline=None)
@given(formats, formats, st.lists(st.integers(0, 500), max_size=12), st.integers(0, 7))
def test_cutting_does_not_show(source: AudioFormat, target: AudioFormat, cuts: list[int], odd: int) -> None:
    """Bytes are identical however they were cut, in the middle of a sample too, and their number is exact.

    Half a sample frame at the very end is dropped.
    """
    data = noise(1500, source)
    odd %= source.frame_bytes
    out = run(Converter(source, target), data + data[:odd], cuts)
    assert out == run(Converter(source, target), data)
    frames = (2 * 1500 * target.sample_rate + source.sample_rate) // (2 * source.sample_rate)
    assert len(out) == frames * target.frame_bytes


@settings(deadline=None, max_examples=20)
@given(formats, formats)
def test_flush_begins_anew(source: AudioFormat, target: AudioFormat) -> None:
    """A converter serves one stream after the other; nothing of the first, half samples included, is in the second."""
    data = noise(1000, source)
    converter = Converter(source, target)
    first = run(converter, data)
    run(converter, noise(333, source, seed=5) + b"\x01" * (source.frame_bytes - 1))
    assert run(converter, data) == first


@given(formats)
def test_equal_formats_pass_through(same: AudioFormat) -> None:
    """The same object comes out: 8 kHz mu-law goes out as the 8 kHz mu-law that came in."""
    converter = Converter(same, AudioFormat(same.sample_rate, same.channels, same.encoding))
    data = bytes(range(256))[: 8 * same.frame_bytes]
    assert converter.convert(data) is data
    assert converter.flush() == b""
    assert converter.delay == 0


def test_stereo_440_stays_440(peak_hz: Callable[[Samples, int], float]) -> None:
    """Stereo at 48 kHz to mono at 16 kHz keeps pitch, level and duration: it was not read as twice as long a mono."""
    times = np.arange(48000) / 48000
    tone = (0.5 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
    data = encode(np.stack([tone, tone], axis=1), "pcm_s16le")
    out = decode(run(Converter(AudioFormat(48000, 2), MONO), data, [3841] * 40), "pcm_s16le")
    assert len(out) == 16000
    assert abs(peak_hz(out, 16000) - 440) < 2
    assert 0.499 < np.abs(out[1000:-1000]).max() < 0.502


def test_three_channels_become_one() -> None:
    """The mean of all three; three to two is refused before any audio comes."""
    data = np.array([[300, 600, 900], [-3, 0, 3]], "<i2").tobytes()
    out = run(Converter(AudioFormat(16000, 3), MONO), data)
    assert np.frombuffer(out, "<i2").tolist() == [600, 0]
    with pytest.raises(AudioError, match="3 channels"):
        Converter(AudioFormat(16000, 3), AudioFormat(16000, 2))


def test_one_channel_becomes_two() -> None:
    """Repeated, not interleaved with itself."""
    out = run(Converter(MONO, AudioFormat(16000, 2)), np.array([1, 2], "<i2").tobytes())
    assert np.frombuffer(out, "<i2").tolist() == [1, 1, 2, 2]


def test_mulaw_becomes_linear_exactly() -> None:
    """8 kHz mu-law to 8 kHz 16 bit is the table of the standard, without any rounding on the way."""
    codes = bytes(range(256))
    out = run(Converter(AudioFormat(8000, 1, "pcm_mulaw"), AudioFormat(8000)), codes)
    np.testing.assert_array_equal(decode(out, "pcm_s16le"), decode(codes, "pcm_mulaw"))


@settings(deadline=None, max_examples=30)
@given(formats, formats, st.integers(0, 6000), st.integers(0, 3))
def test_primed_goes_on_as_if_never_interrupted(
    source: AudioFormat, target: AudioFormat, before: int, odd: int
) -> None:
    """What follows a priming equals the same stretch of one uninterrupted conversion, sample for sample."""
    step = source.sample_rate // np.gcd(source.sample_rate, target.sample_rate)
    before -= before % step
    data = noise(before + 2000, source)
    cut = before * source.frame_bytes
    primed = Converter(source, target)
    # Something older, in the way, and with its half sample: priming starts afresh.
    primed.convert(noise(77, source, seed=3) + b"\x01" * (source.frame_bytes - 1))
    primed.prime(b"\x00" * (odd % source.frame_bytes) + data[:cut])
    rest = run(primed, data[cut:])
    whole = run(Converter(source, target), data)
    begin = before * target.sample_rate // source.sample_rate * target.frame_bytes
    # One sample of the tail may differ: the whole's length and the rest's are rounded each by itself.
    assert rest[: -target.frame_bytes] == whole[begin:][: len(rest) - target.frame_bytes]


def test_loud_input_clips_instead_of_wrapping() -> None:
    """A full-scale square overshoots in any filter: it comes out clipped, never with its sign turned over."""
    square = np.where(np.arange(4800) // 48 % 2 == 0, 32767, -32768).astype("<i2")
    out = np.frombuffer(run(Converter(AudioFormat(48000), MONO), square.tobytes()), "<i2")
    assert out.max() == 32767
    assert out.min() == -32768
    middle = out[16:-16].reshape(-1, 16)[:, 4:12]
    assert (np.abs(middle.astype(int)) > 25000).all()
    assert (np.diff(np.sign(middle), axis=1) == 0).all()
