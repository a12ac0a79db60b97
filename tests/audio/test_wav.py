from __future__ import annotations

import io
import logging
import struct
import tracemalloc
import wave
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stt_core.audio.encodings import Samples, decode, encode
from stt_core.audio.frames import ENCODINGS, AudioFormat, Encoding
from stt_core.audio.wav import WavCodecError, WavReader, wav_header, write_wav
from stt_core.errors import AudioError

if TYPE_CHECKING:
    from conftest import SoundFileModule


def noise(frames: int, channels: int) -> Samples:
    return np.random.default_rng(0).uniform(-1, 1, (frames, channels)).astype(np.float32)


def read_all(file: BinaryIO, seconds: float = 0.01) -> Samples:
    reader = WavReader(file)
    return np.concatenate([np.zeros((0, reader.channels), np.float32), *reader.blocks(seconds)])


class Pipe(io.RawIOBase):
    """A file that cannot be rewound and gives a few bytes at a time."""

    def __init__(self, data: bytes, at_most: int = 7) -> None:
        self._data = io.BytesIO(data)
        self._at_most = at_most

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        return self._data.read(self._at_most if size is None or size < 0 else min(size, self._at_most))


def pipe(data: bytes, at_most: int = 7) -> BinaryIO:
    return cast("BinaryIO", Pipe(data, at_most))


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
def test_reads_as_libsndfile(subtype: str, container: str, channels: int, sf: SoundFileModule) -> None:
    """Every sample format, plain, extensible and RF64, comes out exactly as libsndfile reads the same bytes."""
    file = io.BytesIO()
    sf.write(file, noise(1001, channels), 11025, format=container, subtype=subtype)
    file.seek(0)
    want, _ = sf.read(file, dtype="float32", always_2d=True)
    for opened in (io.BytesIO(file.getvalue()), pipe(file.getvalue())):
        reader = WavReader(opened)
        assert (reader.sample_rate, reader.channels, reader.duration) == (11025, channels, 1001 / 11025)
        np.testing.assert_array_equal(np.concatenate(list(reader.blocks(0.02))), want)
        assert not reader.truncated


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_writes_what_libsndfile_reads(encoding: Encoding, channels: int, tmp_path: Path, sf: SoundFileModule) -> None:
    """All five encodings, to a path and to a file object, odd sizes padded, from samples and from bytes."""
    samples = noise(333, channels)
    declared = AudioFormat(8000, channels, encoding)
    path, file = tmp_path / "a.wav", io.BytesIO()
    write_wav(path, samples, declared)
    write_wav(file, encode(samples, encoding), declared)
    assert path.read_bytes() == file.getvalue()
    assert len(file.getvalue()) % 2 == 0
    assert struct.unpack_from("<I", file.getvalue(), 4)[0] == len(file.getvalue()) - 8
    got, rate = sf.read(path, dtype="float32", always_2d=True)
    assert rate == 8000
    np.testing.assert_array_equal(got.ravel(), decode(encode(samples, encoding), encoding))


def test_agrees_with_the_standard_library(tmp_path: Path) -> None:
    """The wave module reads what we write, and we read what it writes."""
    data = encode(noise(500, 2), "pcm_s16le")
    write_wav(tmp_path / "ours.wav", data, AudioFormat(16000, 2))
    with wave.open(str(tmp_path / "ours.wav")) as theirs:
        assert theirs.getparams()[:4] == (2, 2, 16000, 500)
        assert theirs.readframes(1000) == data
    with wave.open(str(tmp_path / "theirs.wav"), "wb") as theirs:
        theirs.setnchannels(2)
        theirs.setsampwidth(2)
        theirs.setframerate(16000)
        theirs.writeframes(data)
    assert encode(read_all(io.BytesIO((tmp_path / "theirs.wav").read_bytes())), "pcm_s16le") == data


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(1, 3), st.sampled_from(ENCODINGS), st.integers(1, 50))
def test_a_written_file_reads_back(frames: int, channels: int, encoding: Encoding, block: int) -> None:
    """Whatever is written comes back, in blocks of any size, and blocks are full but for the last."""
    data = encode(noise(frames, channels), encoding)
    file = io.BytesIO()
    write_wav(file, data, AudioFormat(8000, channels, encoding))
    reader = WavReader(io.BytesIO(file.getvalue()))
    blocks = list(reader.blocks(block / 8000))
    assert all(len(b) == block for b in blocks[:-1])
    assert b"".join(encode(b, encoding) for b in blocks) == encode(
        decode(data, encoding).reshape(-1, channels), encoding
    )


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) & 1)


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return struct.pack("<4sI", b"RIFF", len(body)) + body


FORM = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16))
AUDIO = np.arange(-50, 50).astype("<i2").tobytes()


@pytest.mark.parametrize("opened", [io.BytesIO, pipe])
def test_other_chunks_are_skipped(opened: type[io.BytesIO]) -> None:
    """Chunks before, between and behind, of odd sizes too, are no audio."""
    data = riff(
        chunk(b"JUNK", b"abc"), FORM, chunk(b"LIST", b"INFOx"), chunk(b"data", AUDIO), chunk(b"LIST", b"tail" * 9)
    )
    assert encode(read_all(cast("BinaryIO", opened(data))), "pcm_s16le") == AUDIO


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
@pytest.mark.parametrize("opened", [io.BytesIO, pipe])
def test_streamed_files_run_to_their_end(size: int, opened: type[io.BytesIO], caplog: pytest.LogCaptureFixture) -> None:
    """A writer that could not go back leaves 0 or a huge size: all that follows is audio, without any complaint."""
    for riff_size in (size, min(size + 36, 0xFFFFFFFF)):
        data = struct.pack("<4sI4s", b"RIFF", riff_size, b"WAVE") + FORM + struct.pack("<4sI", b"data", size) + AUDIO
        assert encode(read_all(cast("BinaryIO", opened(data))), "pcm_s16le") == AUDIO
    assert not caplog.records


def test_an_empty_recording_is_empty() -> None:
    """A complete file with no samples has none, also when other chunks follow, which are not audio."""
    for data in (riff(FORM, chunk(b"data", b"")), riff(FORM, chunk(b"data", b""), chunk(b"LIST", b"INFO" * 50))):
        assert len(read_all(io.BytesIO(data))) == 0
    assert WavReader(io.BytesIO(riff(FORM, chunk(b"data", b"")))).duration == 0


@given(st.integers(0, len(AUDIO)))
def test_truncated_audio_is_read_as_far_as_it_goes(cut: int) -> None:
    """Whole samples up to the cut come out, and ``truncated`` says that something is missing."""
    data = riff(FORM, chunk(b"data", AUDIO))
    data = data[: len(data) - len(AUDIO) + cut]
    for opened in (io.BytesIO(data), pipe(data)):
        reader = WavReader(opened)
        got = b"".join(encode(block, "pcm_s16le") for block in reader.blocks(0.001))
        assert got == AUDIO[: cut - cut % 2]
        assert reader.truncated == (cut < len(AUDIO))


def test_truncation_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """The log has one warning with both lengths; the duration is that of what is there, where it can be known."""
    data = riff(FORM, chunk(b"data", AUDIO))[:-100]
    with caplog.at_level(logging.WARNING, "stt_core.audio"):
        assert WavReader(io.BytesIO(data)).duration == 50 / 8000
        read_all(pipe(data))
    assert [record.getMessage() for record in caplog.records] == [
        "the WAV data ends after 100 of 200 bytes: reading what is there"
    ] * 2


def test_a_header_cut_anywhere_is_an_audio_error() -> None:
    """Wherever the file ends before its audio, the error says so."""
    data = riff(chunk(b"JUNK", b"abc"), FORM, chunk(b"data", AUDIO))
    for cut in range(len(data) - len(AUDIO)):
        for opened in (io.BytesIO(data[:cut]), pipe(data[:cut])):
            with pytest.raises(AudioError, match="cut short"):
                WavReader(opened)


def form(tag: int, channels: int, rate: int, block: int, bits: int) -> bytes:
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * block % 2**32, block, bits))


@pytest.mark.parametrize(
    ("header", "match"),
    [
        (b"", "no format chunk"),
        (chunk(b"fmt ", b"\1\0\1\0"), "at least 16"),
        (form(1, 0, 8000, 2, 16), "channels"),
        (form(1, 1, 0, 2, 16), "sample_rate"),
        (form(1, 1, 8000, 5, 40), "40 bit"),
        (form(3, 1, 8000, 2, 16), "16 bit"),
        (form(1, 500, 8000, 1000, 16), "channels"),
    ],
)
def test_impossible_headers_are_audio_errors(header: bytes, match: str) -> None:
    """A header that contradicts itself is an AudioError that says how."""
    with pytest.raises(AudioError, match=match):
        WavReader(io.BytesIO(riff(header, chunk(b"data", AUDIO))))


def test_compressed_wav_is_named() -> None:
    """A codec that is not read here is named, so that somebody else may try."""
    with pytest.raises(WavCodecError, match="GSM"):
        WavReader(io.BytesIO(riff(form(0x31, 1, 8000, 65, 0), chunk(b"data", AUDIO))))


@given(st.binary(max_size=80))
def test_garbage_behind_the_magic_is_an_audio_error(garbage: bytes) -> None:
    """No bytes make the reader fail otherwise."""
    for data in (b"RIFF" + garbage, b"RIFF\0\0\0\0WAVE" + garbage, riff(b"fmt \x10\0\0\0" + garbage)):
        try:
            samples = read_all(io.BytesIO(data))
        except AudioError:
            continue
        assert np.isfinite(samples).all()


def test_a_long_file_is_read_in_little_memory() -> None:
    """20 minutes of stereo (230 MB) are read block by block: a block or two at a time is all that is ever held."""
    declared = AudioFormat(48000, 2)
    second = bytes(declared.bytes_for(1))

    class Long(io.RawIOBase):
        """A file that makes its content up."""

        head = wav_header(declared, 1200 * len(second))
        left = 1200 * len(second)

        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 <= size <= len(second)
            if self.head:
                data, self.head = self.head[:size], self.head[size:]
                return data
            self.left -= min(size, self.left)
            return second[:size] if self.left else b""

    tracemalloc.start()
    try:
        blocks = sum(1 for _ in WavReader(cast("BinaryIO", Long())).blocks(1.0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert blocks == 1199
    assert peak < 8 * len(second)


def test_a_length_beyond_32_bit_is_left_open() -> None:
    """4 GiB and more cannot be said in a RIFF header; the size that says "until the end" is written."""
    head = wav_header(AudioFormat(8000), 5_000_000_000)
    assert struct.unpack_from("<I", head, len(head) - 4)[0] == 0xFFFFFFFF


def test_what_cannot_be_written(tmp_path: Path) -> None:
    """Half samples, and a path that cannot be written, are AudioErrors."""
    with pytest.raises(AudioError, match="whole sample frames"):
        write_wav(tmp_path / "a.wav", b"abc", AudioFormat(8000))
    with pytest.raises(AudioError, match="cannot be written"):
        write_wav(tmp_path / "missing" / "a.wav", b"ab", AudioFormat(8000))
