"""Compressed files and rare containers, by soundfile (extra ``files``) and PyAV (extra ``media``).

The content decides, never the name. What both can read is read by soundfile, which is 1.3 MB against 36.
"""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

import numpy as np
from typing_extensions import override

from ..errors import AudioError, MissingExtraError
from .files import BorrowedFile
from .frames import CONTAINERS, AudioFormat, sniff_container
from .reader import AudioReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .encodings import Samples

__all__ = ["ACCEPTED", "CONTENT_TYPES", "AvReader", "SoundfileReader", "open_container", "sniff_file"]

ACCEPTED = (
    "WAV; FLAC, Ogg, MP3 and AIFF with stt-core[files]; M4A, MP4 and WebM with stt-core[media]; "
    "and bare samples, where sample_rate= and encoding= say how to read them"
)

CONTENT_TYPES: dict[str | None, tuple[str, str]] = {
    "wav": ("audio/wav", ".wav"),
    "flac": ("audio/flac", ".flac"),
    "ogg": ("audio/ogg", ".ogg"),
    "mp3": ("audio/mpeg", ".mp3"),
    "aac": ("audio/aac", ".aac"),
    "webm": ("audio/webm", ".webm"),
    "mp4": ("audio/mp4", ".m4a"),
    "aiff": ("audio/aiff", ".aiff"),
    None: ("application/octet-stream", ".bin"),
}
"""For what :func:`sniff_file` gives: the media type and the usual ending of a name."""


def sniff_file(head: bytes) -> str | None:
    """What a file is that is known to be one: :func:`sniff_container`, and MP3 and AAC without a header."""
    kind = sniff_container(head)
    if kind is None and len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        # The layer bits are zero in ADTS only.
        return "mp3" if head[1] & 0x06 else "aac"
    return kind


class _SoundFile(Protocol):
    seekable: Callable[[], bool]
    samplerate: int
    channels: int
    frames: int

    def read(self, frames: int, *, dtype: str, always_2d: bool) -> Samples: ...

    def close(self) -> None: ...


class SoundfileReader(AudioReader):
    """Whatever libsndfile reads.

    Args:
        file: at its start; must be able to seek.
        close: called by :meth:`close`.

    Raises:
        MissingExtraError: the package is not installed.
        AudioError: it cannot make sense of the file.
    """

    def __init__(self, file: BinaryIO, close: Callable[[], object] | None = None) -> None:
        soundfile: Any = _extra("soundfile", "files")
        self._error = cast("type[Exception]", soundfile.SoundFileError)
        try:
            self._sound = cast("_SoundFile", soundfile.SoundFile(BorrowedFile(file)))
        except self._error as error:
            raise AudioError(f"libsndfile: {str(error).rpartition(': ')[2].rstrip('.')}") from error
        sound = self._sound
        # soundfile seeks to where it stands after every read, and in an MP3 file that loses what the decoder needs
        # for the next frame: a plain tone came out as silence. A file that cannot seek is just read on.
        sound.seekable = lambda: False
        checked = AudioFormat(sound.samplerate, sound.channels)
        # libsndfile says 2**63 - 1 for a length that it cannot know.
        duration = sound.frames / sound.samplerate if sound.frames < 1 << 62 else None
        super().__init__(checked.sample_rate, checked.channels, duration, close)

    @override
    def _pull(self, frames: int) -> Samples:
        try:
            return self._sound.read(frames, dtype="float32", always_2d=True)
        except self._error as error:
            raise AudioError(f"the audio cannot be decoded any further: {error}") from error

    @override
    def close(self) -> None:
        self._sound.close()
        super().close()


class AvReader(AudioReader):
    """The first audio track of a file that FFmpeg reads.

    Args:
        file: at its start; must be able to seek.
        kind: of :func:`sniff_file`. FFmpeg is told it and never guesses: among what it would guess are playlists, which
            make it open other files and addresses.
        close: called by :meth:`close`.

    Raises:
        MissingExtraError: the package is not installed.
        AudioError: FFmpeg cannot make sense of the file, or there is no audio in it.
    """

    def __init__(self, file: BinaryIO, kind: str, close: Callable[[], object] | None = None) -> None:
        _extra("av", "media")
        import av
        from av.error import FFmpegError

        self._error = FFmpegError
        try:
            self._container = av.open(file, mode="r", format=_DEMUXERS[kind], metadata_errors="replace")
        except FFmpegError as error:
            raise AudioError(f"FFmpeg: {error.strerror}") from error
        with ExitStack() as closing:
            closing.callback(self._container.close)
            if not self._container.streams.audio:
                raise AudioError("the file has no audio track")
            track = self._container.streams.audio[0]
            if getattr(track, "codec_context", None) is None:
                # Typed as always there, which holds only for codecs that this FFmpeg knows.
                raise AudioError("FFmpeg has no decoder for its audio track")
            checked = AudioFormat(track.rate, track.channels)
            self._resampler = av.AudioResampler(format="flt", layout=track.layout, rate=track.rate)
            closing.pop_all()
        if track.duration is not None and track.time_base is not None:
            duration = float(track.duration * track.time_base)
        else:
            duration = None if self._container.duration is None else self._container.duration / av.time_base
        super().__init__(checked.sample_rate, checked.channels, duration, close)
        self._frames = self._decode()

    def _decode(self) -> Iterator[Samples]:
        for frame in self._container.decode(audio=0):
            for packed in self._resampler.resample(frame):
                yield packed.to_ndarray().astype(np.float32, copy=False).reshape(-1, self.channels)

    @override
    def _pull(self, frames: int) -> Samples:
        try:
            for samples in self._frames:
                if len(samples):
                    return samples
        except (self._error, ValueError) as error:
            # ValueError: the track changes its rate or channels on the way.
            raise AudioError(f"the audio cannot be decoded any further: {error}") from error
        return np.zeros((0, self.channels), np.float32)

    @override
    def close(self) -> None:
        self._container.close()
        super().close()


_DEMUXERS = {"webm": "matroska", **{kind: kind for kind in ("wav", "flac", "ogg", "mp3", "aac", "aiff", "mp4")}}
_AV_ONLY = ("webm", "mp4", "aac")


def open_container(file: BinaryIO, head: bytes, close: Callable[[], object] | None = None) -> AudioReader:
    """A reader for a file that is not a plain WAV.

    Args:
        file: at its start; must be able to seek.
        head: its first bytes.
        close: called when the reader is closed.

    Raises:
        MissingExtraError: the file is of a kind that an extra would read.
        AudioError: nothing here can decode it; the message says what it begins with and what is accepted.
    """
    kind = sniff_file(head)
    missing: MissingExtraError | None = None
    reasons: list[str] = []
    readers: list[Callable[[], AudioReader]] = []
    if kind not in _AV_ONLY:
        readers.append(lambda: SoundfileReader(file, close))
    if kind is not None:
        readers.append(lambda: AvReader(file, kind, close))
    for reader in readers:
        file.seek(0)
        try:
            return reader()
        except MissingExtraError as error:
            missing = missing or error
        except AudioError as error:
            reasons.append(error.message)
    if missing is not None and kind is not None and not reasons:
        raise missing
    raise _undecodable(head, kind, reasons)


def _undecodable(head: bytes, kind: str | None, reasons: list[str]) -> AudioError:
    known: dict[str | None, str] = {**CONTAINERS, "aac": "an AAC file"}
    text = head[:12].isascii() and head[:12].decode("ascii").isprintable()
    looks = f"begins like {known.get(kind, 'text' if text else 'nothing known')} ({head[:12]!r})"
    why = f" ({'; '.join(reasons)})" if reasons else ""
    return AudioError(f"this audio {looks} and cannot be decoded{why}. Accepted are {ACCEPTED}")


def _extra(module: str, extra: str) -> object:
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:
        # OSError: soundfile without its shared library.
        raise MissingExtraError(
            f'reading this audio needs {module}, which is not installed: pip install "stt-core[{extra}]"'
        ) from error
