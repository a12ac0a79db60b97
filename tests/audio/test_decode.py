from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
import pytest

from stt_core.audio import AudioFormat, AudioFrame, AudioInput, AudioReader, open_audio, write_wav
from stt_core.audio.encodings import Samples, decode, encode
from stt_core.errors import AudioError, AudioFileNotFoundError, MissingExtraError, STTError

if TYPE_CHECKING:
    from conftest import MakeMedia, SoundFileModule

RATE = 16000
TONE = (0.4 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
PCM = encode(TONE, "pcm_s16le")


def wav_bytes(samples: Samples = TONE, declared: AudioFormat = AudioFormat(RATE)) -> bytes:  # noqa: B008  (frozen)
    file = io.BytesIO()
    write_wav(file, samples, declared)
    return file.getvalue()


WAV = wav_bytes()


class Pipe(io.RawIOBase):
    """A file that cannot be rewound."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        return self._data.read(size)


def pipe(data: bytes) -> BinaryIO:
    return cast("BinaryIO", Pipe(data))


def samples_of(source: Any, **declared: Any) -> Samples:
    with open_audio(source, **declared) as reader:
        return np.concatenate([np.zeros((0, reader.channels), np.float32), *reader.blocks(0.13)])


def as_pcm(samples: Samples) -> bytes:
    return encode(samples, "pcm_s16le")


def frames() -> list[AudioFrame]:
    return [AudioFrame(PCM[start : start + 640], RATE) for start in range(0, len(PCM), 640)]


def wav_file(tmp_path: Path) -> Path:
    path = tmp_path / "speech.wav"
    path.write_bytes(WAV)
    return path


SOURCES: dict[str, Callable[[Path], tuple[Any, dict[str, Any]]]] = {
    "path": lambda tmp: (wav_file(tmp), {}),
    "string": lambda tmp: (str(wav_file(tmp)), {}),
    "bytes": lambda tmp: (WAV, {}),
    "bytearray": lambda tmp: (bytearray(WAV), {}),
    "memoryview": lambda tmp: (memoryview(WAV), {}),
    "named bytes": lambda tmp: (("speech.wav", WAV), {}),
    "named file": lambda tmp: (("speech.wav", io.BytesIO(WAV)), {}),
    "file": lambda tmp: (io.BytesIO(WAV), {}),
    "pipe": lambda tmp: (pipe(WAV), {}),
    "raw bytes": lambda tmp: (PCM, {"sample_rate": RATE, "encoding": "pcm_s16le"}),
    "raw file": lambda tmp: (io.BytesIO(PCM), {"sample_rate": RATE, "encoding": "pcm_s16le"}),
    "raw pipe": lambda tmp: (pipe(PCM + b"x"), {"sample_rate": RATE, "encoding": "pcm_s16le"}),
    "raw pieces": lambda tmp: ([PCM[:3], b"", PCM[3:]], {"sample_rate": RATE, "encoding": "pcm_s16le"}),
    "int16 array": lambda tmp: (np.frombuffer(PCM, "<i2"), {"sample_rate": RATE}),
    "float32 array": lambda tmp: (TONE, {"sample_rate": RATE}),
    "column": lambda tmp: (TONE.reshape(-1, 1), {"sample_rate": RATE}),
    "16 bit view": lambda tmp: (memoryview(bytearray(PCM)).cast("h"), {"sample_rate": RATE}),
    "frame": lambda tmp: (AudioFrame(PCM, RATE), {}),
    "frames": lambda tmp: (frames(), {}),
    "iterator of frames": lambda tmp: (iter(frames()), {}),
}


@pytest.mark.parametrize("shape", SOURCES)
def test_every_shape_gives_the_same_samples(shape: str, tmp_path: Path) -> None:
    """A path, bytes, a file, bare samples, an array or frames: the same recording, the same samples, in full blocks."""
    source, declared = SOURCES[shape](tmp_path)
    with open_audio(source, **declared) as reader:
        assert (reader.sample_rate, reader.channels) == (RATE, 1)
        if reader.duration is not None:
            assert reader.duration == 1.0
        blocks = list(reader.blocks(0.3))
    assert [len(block) for block in blocks] == [4800, 4800, 4800, 1600]
    assert all(block.dtype == np.float32 and block.shape[1] == 1 for block in blocks)
    assert as_pcm(np.concatenate(blocks)) == PCM


@pytest.mark.parametrize("shape", SOURCES)
def test_every_shape_can_be_uploaded(shape: str, tmp_path: Path) -> None:
    """The caller's file goes out byte for byte, bare samples with a WAV header; name, type and size fit."""
    source, declared = SOURCES[shape](tmp_path)
    audio = AudioInput.from_any(source, **declared)
    assert audio.content_type == "audio/wav"
    assert audio.name == ("speech.wav" if shape in ("path", "string", "named bytes", "named file") else "audio.wav")
    with audio.open_binary() as file:
        data = file.read()
    assert audio.size in (None, len(data))
    assert as_pcm(samples_of(data)) == PCM
    if not declared and "frame" not in shape:
        assert data == WAV


@pytest.mark.parametrize("shape", SOURCES)
def test_opening_again(shape: str, tmp_path: Path) -> None:
    """A retry sees the whole recording again; a pipe or an iterator says that it cannot, before and when asked."""
    source, declared = SOURCES[shape](tmp_path)
    audio = AudioInput.from_any(source, **declared)
    with audio.open() as reader:
        next(reader.blocks(0.1))
    assert audio.rewindable == ("pipe" not in shape and "iterator" not in shape)
    if audio.rewindable:
        with audio.open_binary() as file:
            first = file.read()
        with audio.open_binary() as file:
            assert file.read() == first
        with audio.open() as reader:
            assert sum(len(block) for block in reader.blocks()) == RATE
    else:
        with pytest.raises(AudioError, match="only once"):
            audio.open()


def test_the_callers_file_stays_open() -> None:
    """A file that was given is read from where it stands and never closed; blocks before it are not touched."""
    file = io.BytesIO(b"prefix" + WAV)
    file.seek(6)
    audio = AudioInput.from_any(file)
    assert audio.size == len(WAV)
    for _ in range(2):
        with audio.open() as reader:
            assert as_pcm(np.concatenate(list(reader.blocks()))) == PCM
        with audio.open_binary() as upload:
            assert upload.read() == WAV
            assert upload.seek(-4, os.SEEK_END) == len(WAV) - 4
            assert upload.tell() == len(WAV) - 4
            assert upload.seek(-100_000, os.SEEK_CUR) == 0
            assert upload.read(4) == b"RIFF"
    gc.collect()
    assert not file.closed


SOUNDFILE_KINDS = [
    ("FLAC", "PCM_16", "audio/flac", 0.0),
    ("OGG", "VORBIS", "audio/ogg", 0.05),
    ("OGG", "OPUS", "audio/ogg", 0.1),
    ("MP3", "MPEG_LAYER_III", "audio/mpeg", 0.1),
    ("AIFF", "PCM_16", "audio/aiff", 0.0),
    ("AU", "PCM_16", "application/octet-stream", 0.0),
    ("WAV", "IMA_ADPCM", "audio/wav", 0.05),
]


@pytest.mark.parametrize(("container", "subtype", "media_type", "loss"), SOUNDFILE_KINDS)
@pytest.mark.parametrize("opened", [io.BytesIO, pipe])
def test_files_of_libsndfile(
    container: str,
    subtype: str,
    media_type: str,
    loss: float,
    opened: Callable[[bytes], BinaryIO],
    sf: SoundFileModule,
) -> None:
    """FLAC, Ogg, MP3, AIFF and what else libsndfile reads, from memory and, except compressed WAV, from a pipe."""
    made = io.BytesIO()
    both = np.stack([TONE, TONE], axis=1)
    given_ = np.frombuffer(as_pcm(both), "<i2").reshape(-1, 2) if subtype == "PCM_16" else both
    sf.write(made, given_, RATE, format=container, subtype=subtype)
    audio = AudioInput.from_any(opened(made.getvalue()))
    assert audio.content_type == media_type
    if container == "WAV" and opened is pipe:
        with pytest.raises(AudioError, match="IMA ADPCM"):
            audio.open()
        return
    with audio.open() as reader:
        assert (reader.sample_rate, reader.channels) == (RATE, 2)
        assert reader.duration == pytest.approx(1.0, abs=0.1)
        got = np.concatenate(list(reader.blocks(0.2)))
    assert abs(len(got) - RATE) < 1200
    middle = slice(4000, 12000)
    assert abs(np.sqrt(2 * np.mean(got[middle] ** 2)) - 0.4) <= max(loss, 1e-3)
    if loss == 0:
        assert as_pcm(got[:, 0]) == PCM


MEDIA_KINDS = [
    ("aac", "mp4", "audio/mp4"),
    ("aac", "adts", "audio/aac"),
    ("libopus", "webm", "audio/webm"),
    ("flac", "matroska", "audio/webm"),
]


@pytest.mark.parametrize(("codec", "container", "media_type"), MEDIA_KINDS)
@pytest.mark.parametrize("opened", [io.BytesIO, pipe])
def test_files_of_ffmpeg(
    codec: str,
    container: str,
    media_type: str,
    opened: Callable[[bytes], BinaryIO],
    make_media: MakeMedia,
    peak_hz: Callable[[Samples, int], float],
) -> None:
    """M4A, WebM, Matroska and bare AAC, from memory and from a pipe, the index at the end included."""
    audio = AudioInput.from_any(opened(make_media(codec, container)))
    assert audio.content_type == media_type
    with audio.open() as reader:
        assert (reader.sample_rate, reader.channels) == (48000, 1)
        blocks = list(reader.blocks(0.1))
    assert all(len(block) == 4800 and block.dtype == np.float32 for block in blocks[:-1])
    got = np.concatenate(blocks)[:, 0]
    assert abs(len(got) - 24000) <= 2048
    assert abs(peak_hz(got, 48000) - 440) < 4
    assert np.sqrt(2 * np.mean(got[4800:19200] ** 2)) == pytest.approx(8000 / 32768, rel=0.1)


def test_content_decides_not_the_name(tmp_path: Path, sf: SoundFileModule) -> None:
    """A WAV that is called .mp3 and a FLAC that is called .wav are read as what they are."""
    (tmp_path / "a.mp3").write_bytes(WAV)
    assert as_pcm(samples_of(tmp_path / "a.mp3")) == PCM
    sf.write(tmp_path / "a.wav", TONE, RATE, format="FLAC", subtype="PCM_16")
    assert as_pcm(samples_of(tmp_path / "a.wav")) == PCM
    assert AudioInput.from_any(tmp_path / "a.wav").content_type == "audio/flac"


@pytest.mark.parametrize("package", ["soundfile", "av"])
def test_a_missing_extra_is_named(
    package: str, monkeypatch: pytest.MonkeyPatch, sf: SoundFileModule, make_media: MakeMedia
) -> None:
    """Without its package a file is an error that says what to install; plain WAV needs none."""
    flac = io.BytesIO()
    sf.write(flac, TONE, RATE, format="FLAC")
    webm = make_media("libopus", "webm")
    monkeypatch.setitem(sys.modules, package, None)
    assert len(samples_of(WAV)) == RATE
    if package == "av":
        with pytest.raises(MissingExtraError, match=r'pip install "stt-core\[media\]"'):
            open_audio(webm)
        return
    # FFmpeg reads FLAC as well, where it is installed.
    assert len(samples_of(flac.getvalue())) == RATE
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r'pip install "stt-core\[files\]"'):
        open_audio(flac.getvalue())
    with pytest.raises(AudioError, match=r"stt-core\[files\]"):
        open_audio(b"no audio at all")


@pytest.mark.parametrize(
    "data",
    [
        b"#EXTM3U\n#EXTINF:10,\nfile:///etc/hostname\n",
        b"<html>no</html>",
        bytes(1000),
        b"fLaC",
        b"OggS" + bytes(60),
        b"ID3\x03" + bytes(60),
        b"\x1aE\xdf\xa3" + bytes(60),
        bytes(4) + b"ftypM4A " + bytes(60),
        b"RIFF\x00\x00\x00\x00AVI LIST" + bytes(60),
        b"\x00",
    ],
)
def test_what_is_no_audio(data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """Junk, cut headers and playlists are an AudioError that shows how they begin and lists what is accepted."""
    with pytest.raises(AudioError, match=r"begins like .*Accepted are WAV; FLAC") as caught:
        open_audio(data)
    assert repr(data[:12]) in str(caught.value)
    assert "hostname" not in str(caught.value)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("tag", [b"", b"ID3\x03\x00\x00\x00\x00\x00\x0aTIT2" + bytes(6)])
def test_a_playlist_is_not_followed(tag: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes from a stranger that name another file, which FFmpeg would open and play, are refused."""
    wav_file(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AudioError):
        open_audio(tag + b"ffconcat version 1.0\nfile 'speech.wav'\n")


@pytest.mark.parametrize("cut", [24, 44])
def test_a_cut_aiff_is_quiet(cut: int, sf: SoundFileModule) -> None:
    """libsndfile seeks before the beginning of such a file; no exception is lost in its callback on the way."""
    made = io.BytesIO()
    sf.write(made, TONE, RATE, format="AIFF", subtype="PCM_16")
    with pytest.raises(AudioError, match="begins like an AIFF file"):
        open_audio(made.getvalue()[:cut])


@pytest.mark.parametrize("empty", [b"", io.BytesIO(), pipe(b""), [], iter(()), [AudioFrame(b"", RATE)]])
def test_empty_audio(empty: Any) -> None:
    """Nothing at all is an AudioError, to decode and to upload."""
    with pytest.raises(AudioError, match="empty"):
        AudioInput.from_any(empty).open()
    with pytest.raises(AudioError, match="empty"):
        AudioInput.from_any(empty).open_binary()


def test_paths_that_lead_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, a directory, unreadable, impossible: found out before anything is sent. ``~`` is the home."""
    wav = wav_file(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(samples_of("~/speech.wav")) == RATE
    for missing in (tmp_path / "no.wav", "~/no.wav", "~no-such-user/no.wav", wav / "below.wav"):
        with pytest.raises(AudioFileNotFoundError, match="no audio file") as caught:
            AudioInput.from_any(missing)
        assert isinstance(caught.value, FileNotFoundError)
        assert str(caught.value.filename).endswith(".wav")
    with pytest.raises(AudioError, match="is a directory"):
        AudioInput.from_any(tmp_path)
    with pytest.raises(AudioError, match="cannot be read"):
        AudioInput.from_any("a\0b")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    audio = AudioInput.from_any(wav)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AudioError, match="Permission denied"):
        audio.open()


def test_a_named_pipe_is_read_once(tmp_path: Path) -> None:
    """``/dev/stdin`` and its like are opened once and not rewound."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(WAV,))
    writer.start()
    audio = AudioInput.from_any(path)
    assert not audio.rewindable
    with audio.open() as reader:
        assert as_pcm(np.concatenate(list(reader.blocks()))) == PCM
    writer.join()
    with pytest.raises(AudioError, match="only once"):
        audio.open_binary()


@pytest.mark.parametrize(
    ("source", "declared", "match"),
    [
        (WAV, {"sample_rate": RATE, "encoding": "pcm_s16le"}, "begin like a WAV file"),
        (WAV, {"sample_rate": 8000}, "sample_rate=8000 was given, and the file says 16000"),
        (WAV, {"channels": 2}, "channels=2 was given"),
        (PCM, {"encoding": "pcm_s16le"}, "needs sample_rate="),
        (PCM, {"sample_rate": RATE}, "begins like nothing known"),
        (PCM, {"sample_rate": RATE, "encoding": "mp3"}, "encoding must be one of"),
        (TONE, {}, "needs sample_rate="),
        (TONE, {"sample_rate": RATE, "channels": 2}, "channels=2"),
        (TONE.astype(np.complex64), {"sample_rate": RATE}, "audio must be"),
        (AudioFrame(PCM, RATE), {"sample_rate": 8000}, "sample_rate=8000 was declared"),
        (iter([AudioFrame(PCM, RATE), AudioFrame(PCM, 8000)]), {}, "8000 Hz"),
        ([PCM], {}, "needs sample_rate= and encoding="),
        ([1, 2, 3], {"sample_rate": RATE, "encoding": "pcm_s16le"}, "not int"),
        (io.StringIO("text"), {}, "text mode"),
        (("a.wav", "b.wav"), {}, "has str for the bytes"),
        (("a.wav",), {}, "must be"),
        (5, {}, "not int"),
        (None, {}, "not NoneType"),
    ],
)
def test_what_does_not_add_up(source: Any, declared: dict[str, Any], match: str) -> None:
    """What the caller said and what the audio says are never reconciled by misreading it."""
    with pytest.raises(AudioError, match=match), open_audio(source, **declared) as reader:
        list(reader.blocks())


def test_a_closed_file_and_a_failing_one() -> None:
    """A file that is closed, or that fails while it is read, is an AudioError and nothing else."""
    closed = io.BytesIO(WAV)
    closed.close()
    with pytest.raises(AudioError, match="closed"):
        open_audio(closed)

    class Failing(Pipe):
        def read(self, size: int | None = -1, /) -> bytes:
            if self._data.tell() > 1000:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(AudioError, match="Input/output error"), open_audio(cast("BinaryIO", Failing(WAV))) as reader:
        list(reader.blocks(0.01))


def test_raw_mulaw() -> None:
    """8 kHz mu-law without a header is read as declared."""
    codes = bytes(range(256)) * 10
    got = samples_of(codes, sample_rate=8000, encoding="pcm_mulaw")
    np.testing.assert_array_equal(got[:, 0], decode(codes, "pcm_mulaw"))
    audio = AudioInput.from_any(("call.ulaw", codes + b"x"), sample_rate=8000, channels=2, encoding="pcm_mulaw")
    assert audio.name == "call.wav"
    with audio.open_binary() as file:
        data = file.read()
    # The odd byte is half a sample frame: it neither shifts the channels nor makes the header lie.
    assert audio.size == len(data)
    np.testing.assert_array_equal(samples_of(data).ravel(), decode(codes, "pcm_mulaw"))


def test_frames_are_brought_to_the_first() -> None:
    """Frames of another encoding or number of channels on the way are converted, not misread."""
    stereo = AudioFrame(np.array([1000, 3000], "<i2").tobytes(), RATE, 2)
    mixed = [AudioFrame(np.array([5], "<i2").tobytes(), RATE), stereo]
    assert np.frombuffer(as_pcm(samples_of(mixed)), "<i2").tolist() == [5, 2000]


def test_decoding_holds_no_more_than_a_block(sf: SoundFileModule) -> None:
    """Ten minutes of FLAC are decoded in the memory of a few seconds, and an upload of raw samples likewise."""
    flac = io.BytesIO()
    sf.write(flac, np.zeros(RATE * 600, np.int16), RATE, format="FLAC", subtype="PCM_16")
    source = io.BytesIO(flac.getvalue())

    def silence() -> Iterator[AudioFrame]:
        for _ in range(600):
            yield AudioFrame(bytes(2 * RATE), RATE)

    def decode_all(reader: AudioReader) -> None:
        with reader:
            assert sum(len(block) for block in reader.blocks()) == 600 * RATE

    def upload() -> None:
        with AudioInput.from_any(silence()).open_binary() as file:
            while file.read(1 << 16):
                pass

    for work in (lambda: decode_all(open_audio(source)), lambda: decode_all(open_audio(silence())), upload):
        tracemalloc.start()
        try:
            work()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 2_000_000


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_are_typed_errors(
    seed: int, sf: SoundFileModule, make_media: MakeMedia, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever is cut off or overwritten, reading ends, with samples or with an error of ours."""
    random = np.random.default_rng(seed)
    flac = io.BytesIO()
    sf.write(flac, TONE, RATE, format="FLAC", subtype="PCM_16")
    for whole in (WAV, flac.getvalue(), make_media("aac", "mp4"), make_media("libopus", "webm")):
        for _ in range(30):
            data = np.frombuffer(whole, np.uint8)[: random.integers(1, len(whole))].copy()
            spots = random.integers(0, min(len(data), random.choice([64, len(data)])), 4)
            data[spots] = random.integers(0, 256, 4)
            with contextlib.suppress(STTError):
                assert np.isfinite(samples_of(data.tobytes())).all()
    assert "Traceback" not in capfd.readouterr().err
