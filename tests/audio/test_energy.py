from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.audio.encodings import Samples, encode
from stt_core.audio.energy import is_voiced, quietest
from stt_core.audio.frames import ENCODINGS, AudioFormat, Encoding

MONO = AudioFormat(16000)


def tone(dbfs: float, seconds: float = 0.05, sample_rate: int = 16000) -> Samples:
    """200 Hz at that RMS level."""
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    return (10 ** (dbfs / 20) * np.sqrt(2) * np.sin(2 * np.pi * 200 * times)).astype(np.float32)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_speech_level_is_voiced_and_silence_is_not(encoding: Encoding) -> None:
    """In every encoding a soft voice opens the gate, and the encoding's own silence does not."""
    declared = AudioFormat(16000, 1, encoding)
    assert is_voiced(encode(tone(-50), encoding), declared)
    assert not is_voiced(encode(np.zeros(800, np.float32), encoding), declared)


def test_where_the_gate_is() -> None:
    """About -62 dBFS: two decibels above it is voiced, two below is not."""
    assert is_voiced(encode(tone(-60), "pcm_f32le"), AudioFormat(16000, 1, "pcm_f32le"))
    assert not is_voiced(encode(tone(-64), "pcm_f32le"), AudioFormat(16000, 1, "pcm_f32le"))


def test_an_offset_is_no_voice() -> None:
    """A constant offset, however large, is not heard; a voice on top of it is."""
    flat = np.full(800, 0.3, np.float32)
    assert not is_voiced(encode(flat, "pcm_s16le"), MONO)
    assert is_voiced(encode(flat + tone(-50), "pcm_s16le"), MONO)


@given(st.integers(0, 4000 - 320), st.integers(4000, 4400))
def test_any_20_ms_are_enough(start: int, length: int) -> None:
    """20 ms of voice anywhere in a second of silence are found, wherever the windows fall and the data ends."""
    samples = np.zeros(length, np.float32)
    samples[start : start + 320] = tone(-50, 0.02)
    assert is_voiced(encode(samples, "pcm_s16le"), MONO)


def test_the_last_samples_count() -> None:
    """Voice in the uneven rest behind the last whole window is found, and so is voice in less than a window."""
    samples = np.zeros(3 * 320 + 200, np.float32)
    samples[-200:] = tone(-40, 200 / 16000)
    assert is_voiced(encode(samples, "pcm_s16le"), MONO)
    assert is_voiced(encode(tone(-40, 0.005), "pcm_s16le"), MONO)


def test_one_channel_is_enough() -> None:
    """A voice on one of two channels, even one that the other cancels in a mix."""
    voice = tone(-50)
    for other in (np.zeros_like(voice), -voice):
        assert is_voiced(encode(np.stack([voice, other], axis=1), "pcm_s16le"), AudioFormat(16000, 2))


def test_nothing_is_not_voiced() -> None:
    """No data, and half a sample, hold no voice; half a sample behind a voice does not hide it."""
    assert not is_voiced(b"", MONO)
    assert not is_voiced(b"\x7f", MONO)
    assert is_voiced(encode(tone(-50), "pcm_s16le") + b"\x00", MONO)


@given(st.integers(0, 8000 - 320))
def test_quietest_finds_the_gap(start: int) -> None:
    """The middle of the one quiet stretch, whatever its position."""
    samples = tone(-20, 0.5)
    samples[start : start + 320] = 0
    assert abs(quietest(encode(samples, "pcm_s16le"), MONO) - (start + 160)) <= 8


def test_quietest_is_about_power_not_offset() -> None:
    """A constant stretch is quiet, at whatever level it stands."""
    samples = tone(-20, 0.5)
    samples[2000:2400] = 0.5
    assert 2000 + 150 <= quietest(encode(samples, "pcm_s16le"), MONO) <= 2400 - 150


def test_quietest_of_equals_is_the_last() -> None:
    """In plain silence the last window is taken: nothing is repeated that need not be. Both ends stay inside."""
    assert quietest(bytes(16000), MONO) == 8000 - 160
    assert quietest(bytes(640), MONO) == 160
    assert quietest(bytes(100), MONO) == 25
    assert quietest(b"", MONO) == 0


def test_quietest_counts_sample_frames_of_all_channels() -> None:
    """The offset is in sample frames, and both channels have to be quiet."""
    left, right = tone(-20, 0.5), tone(-20, 0.5)
    left[1000:3000] = 0
    right[2000:4000] = 0
    found = quietest(encode(np.stack([left, right], axis=1), "pcm_s16le"), AudioFormat(16000, 2))
    assert 2000 + 150 <= found <= 3000 - 150


@given(st.binary(max_size=2000), st.sampled_from(ENCODINGS), st.integers(1, 3))
def test_any_bytes_have_an_answer(data: bytes, encoding: Encoding, channels: int) -> None:
    """Neither function fails on any bytes, and the offset is within them."""
    declared = AudioFormat(8000, channels, encoding)
    assert is_voiced(data, declared) in (True, False)
    assert 0 <= quietest(data, declared, window=0.005) <= len(data) // declared.frame_bytes
