from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stt_core.audio
from stt_core.audio.encodings import encode
from stt_core.audio.frames import (
    ENCODINGS,
    AudioFormat,
    AudioFrame,
    Encoding,
    refuse_container,
    sniff_container,
)
from stt_core.audio.pushed import to_bytes
from stt_core.errors import AudioError

MONO = AudioFormat(16000)
STEREO = AudioFormat(16000, 2)


def test_public_names_resolve() -> None:
    """Every name of ``__all__`` is there, and no other is promised."""
    for name in stt_core.audio.__all__:
        assert getattr(stt_core.audio, name) is not None
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = getattr(stt_core.audio, "nothing_like_it")  # noqa: B009  (pyright would refuse the attribute)


def test_pushing_bytes_needs_no_numpy() -> None:
    """Describing audio and pushing bytes does not import numpy, which costs more than the rest of the framework."""
    code = (
        "import sys; from stt_core.audio import AudioFormat, AudioFrame, Chunker, to_bytes, sniff_container;"
        "f = AudioFormat(16000); to_bytes(b'ab', f); to_bytes(AudioFrame(b'ab', 16000), f);"
        "sniff_container(b'RIFF'); Chunker(640, 2).push(b'ab');"
        "assert not {'numpy', 'soxr'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("encoding", "size"), [("pcm_s16le", 2), ("pcm_s32le", 4), ("pcm_f32le", 4), ("pcm_mulaw", 1), ("pcm_alaw", 1)]
)
def test_sizes(encoding: Encoding, size: int) -> None:
    """Bytes, seconds and sample frames of a format agree with each other."""
    stereo = AudioFormat(8000, 2, encoding)
    assert stereo.frame_bytes == 2 * size
    assert stereo.bytes_for(0.02) == 160 * 2 * size
    assert stereo.seconds(stereo.bytes_for(0.02)) == 0.02
    assert AudioFrame(bytes(320 * size), 16000, 1, encoding).duration == 0.02


def test_duration_of_a_view_counts_bytes() -> None:
    """A memoryview of 16 bit items has twice as many bytes as items."""
    assert AudioFrame(np.zeros(320, np.int16).data, 16000).duration == 0.02


@pytest.mark.parametrize(
    "wrong",
    [
        {"sample_rate": 0},
        {"sample_rate": -16000},
        {"sample_rate": 16000.0},
        {"sample_rate": "16000"},
        {"sample_rate": True},
        {"sample_rate": None},
        {"sample_rate": 10_000_000},
        {"sample_rate": 16000, "channels": 0},
        {"sample_rate": 16000, "channels": 1000},
        {"sample_rate": 16000, "encoding": "pcm16"},
        {"sample_rate": 16000, "encoding": ["pcm_s16le"]},
    ],
)
def test_wrong_formats_are_refused(wrong: dict[str, Any]) -> None:
    """What is not accepted is an AudioError that says what is."""
    with pytest.raises(AudioError, match=r"must be (a whole number from \d+ to \d+|one of pcm_s16le, .*), not"):
        AudioFormat(**wrong)


def test_numpy_integers_are_whole_numbers() -> None:
    """A rate that comes out of an array is as good as any, and becomes an int."""
    assert type(AudioFormat(int(np.int64(16000))).sample_rate) is int
    rate: Any = np.int64(16000)
    assert type(AudioFormat(rate).sample_rate) is int


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "wav"),
        (b"RF64\xff\xff\xff\xffWAVEds64", "wav"),
        (b"fLaC\x00\x00\x00\x22", "flac"),
        (b"OggS\x00\x02", "ogg"),
        (b"ID3\x04\x00", "mp3"),
        (b"\x1aE\xdf\xa3\x9f", "webm"),
        (b"\x00\x00\x00\x1cftypM4A ", "mp4"),
        (b"FORM\x00\x00\x00\x00AIFF", "aiff"),
        (b"", None),
        (b"RIF", None),
        (b"\xff\xfb\x90\x00\x00\x00\x00\x00", None),
        (bytes(16), None),
    ],
)
def test_containers_are_known_by_their_beginning(head: bytes, kind: str | None) -> None:
    """Files are told from samples by their first bytes, and pushing them is refused with a way out."""
    for view in (head, bytearray(head), memoryview(head)):
        assert sniff_container(view) == kind
    if kind is None:
        refuse_container(head)
    else:
        with pytest.raises(AudioError, match=r"recognize\(\)"):
            refuse_container(head)


def test_bytes_are_not_copied() -> None:
    """Bytes are passed on as the same object: it is the common case, 50 times a second and stream."""
    data = bytes(640)
    assert to_bytes(data, MONO) is data
    assert to_bytes(AudioFrame(data, 16000), MONO) is data


def test_buffers_are_copied() -> None:
    """The caller may go on writing to a bytearray once it has been pushed."""
    buffer = bytearray(b"abcd")
    for pushed in (buffer, memoryview(buffer), AudioFrame(buffer, 16000), AudioFrame(memoryview(buffer), 16000)):
        taken = to_bytes(pushed, MONO)
        assert type(taken) is bytes
        assert taken == b"abcd"
    taken = to_bytes(buffer, MONO)
    buffer[0] = 0
    assert taken == b"abcd"


@given(st.lists(st.integers(-32768, 32767), max_size=50), st.sampled_from(ENCODINGS))
def test_arrays_mean_the_same_in_every_type(values: list[int], encoding: Encoding) -> None:
    """int16, int32, float32 and float64 arrays of the same samples give the same bytes, in any encoding."""
    ints = np.array(values, np.int16)
    declared = AudioFormat(16000, 1, encoding)
    want = encode((ints / 32768).astype(np.float32), encoding)
    assert to_bytes(ints, declared) == want
    assert to_bytes((ints.astype(np.int32) * 65536), declared) == want
    assert to_bytes((ints / 32768).astype(np.float32), declared) == want
    assert to_bytes(ints / 32768, declared) == want
    assert to_bytes(ints.astype(">i2"), declared) == want
    assert to_bytes(ints.reshape(-1, 1), declared) == want
    assert to_bytes(ints.data, declared) == want


def test_strided_arrays_are_read_in_their_order() -> None:
    """A slice or a transposed view is read as its elements say, not as its memory lies."""
    both = np.array([[1, 2, 3], [-1, -2, -3]], np.int16)
    assert to_bytes(both.T, STEREO) == np.array([1, -1, 2, -2, 3, -3], "<i2").tobytes()
    assert to_bytes(both[0, ::2], MONO) == np.array([1, 3], "<i2").tobytes()


@pytest.mark.parametrize(
    ("array", "declared"),
    [
        (np.zeros(320, np.int16), STEREO),
        (np.zeros((320, 2), np.int16), MONO),
        (np.zeros((2, 320), np.int16), STEREO),
        (np.zeros((1, 2, 3), np.int16), MONO),
        (np.zeros((), np.int16), MONO),
        (np.zeros(320, np.uint8), MONO),
        (np.zeros(320, np.uint16), MONO),
        (np.zeros(320, np.int64), MONO),
        (np.zeros(320, np.complex64), MONO),
        (np.array(["a"]), MONO),
        (np.full(320, 1200, np.float32), MONO),
        ([0, 0], MONO),
        ("abc", MONO),
        (None, MONO),
        (3, MONO),
    ],
)
def test_what_cannot_be_meant_is_refused(array: Any, declared: AudioFormat) -> None:
    """Another shape or type than declared is refused: as interleaved or raw bytes it would be noise."""
    with pytest.raises(AudioError):
        to_bytes(array, declared)


def test_what_is_no_number_becomes_silence() -> None:
    """NaN and infinity in a float array do not reach anybody's filter."""
    array = np.array([0.5, np.nan, np.inf, -np.inf], np.float32)
    assert np.frombuffer(to_bytes(array, MONO), "<i2").tolist() == [16384, 0, 0, 0]


def test_frames_are_converted_to_the_stream() -> None:
    """A frame says what it is, so another encoding or number of channels is converted."""
    stereo = AudioFrame(np.array([1000, 3000, -2, -4], "<i2").tobytes(), 16000, 2)
    assert np.frombuffer(to_bytes(stereo, MONO), "<i2").tolist() == [2000, -3]
    mono = AudioFrame(np.array([0.5, -0.5], "<f4").tobytes(), 16000, 1, "pcm_f32le")
    assert np.frombuffer(to_bytes(mono, STEREO), "<i2").tolist() == [16384, 16384, -16384, -16384]


@pytest.mark.parametrize(
    "frame",
    [
        AudioFrame(bytes(640), 48000),
        AudioFrame(bytes(642), 16000, 3),
        AudioFrame(bytes(3), 16000, 1, "pcm_f32le"),
        AudioFrame(bytes(640), 16000, 0),
    ],
)
def test_frames_that_disagree_are_refused(frame: AudioFrame) -> None:
    """Another sample rate, or bytes that are not whole samples of what the frame claims."""
    with pytest.raises(AudioError):
        to_bytes(frame, STEREO)
