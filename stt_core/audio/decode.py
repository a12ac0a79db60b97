"""Any recording as samples, or as the bytes that the caller gave, for an upload.

Opening and reading block on the disk: in a coroutine, do both in a thread.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO, Self, cast

from ..errors import AudioError
from .codecs import CONTENT_TYPES, open_container, sniff_file
from .files import BorrowedFile, can_seek, read_exactly, spool
from .frames import CONTAINERS, sniff_container
from .reader import AudioReader, RawReader
from .source import AudioLike, Origin, origin_of
from .wav import WavCodecError, WavReader, wav_header

if TYPE_CHECKING:
    from .frames import AudioFormat, Encoding

__all__ = ["AudioInput", "open_audio"]

_HEAD = 16


def open_audio(
    source: AudioLike,
    *,
    sample_rate: int | None = None,
    channels: int | None = None,
    encoding: Encoding | None = None,
) -> AudioReader:
    """Decode any source: :meth:`AudioInput.from_any` and :meth:`AudioInput.open` in one."""
    return AudioInput.from_any(source, sample_rate=sample_rate, channels=channels, encoding=encoding).open()


class AudioInput:
    """One recording, made by :meth:`from_any`: to decode with :meth:`open`, or to upload from :meth:`open_binary`.

    Each call of either starts at the beginning. Pipes and iterators have only one beginning, and a second call is an
    :class:`~stt_core.errors.AudioError`.

    Attributes:
        rewindable: whether there may be a second call, for a retry.
        declared: the format of bare samples; ``None`` for a file that describes itself.
    """

    def __init__(self, origin: Origin, sample_rate: int | None = None, channels: int | None = None) -> None:
        self.rewindable = origin.rewindable
        self.declared: AudioFormat | None = origin.declared
        self._origin = origin
        self._expected = sample_rate, channels
        self._head: bytes | None = None
        self._once: BorrowedFile | None = None

    @classmethod
    def from_any(
        cls,
        audio: AudioLike,
        *,
        sample_rate: int | None = None,
        channels: int | None = None,
        encoding: Encoding | None = None,
    ) -> Self:
        """Take whatever the caller has. Nothing is read yet, except the first frame of an iterator.

        Args:
            audio: see :data:`~stt_core.audio.source.AudioLike`; ``~`` in a path is expanded.
            sample_rate: Hz. Needed for an array and, with ``encoding``, for bare samples; else only compared with what
                the file says.
            channels: of bare samples (default 1); else only compared with what the file says.
            encoding: says that the bytes are bare samples, and of which kind.

        Raises:
            AudioFileNotFoundError: there is no such file.
            AudioError: this is no audio, or lacks its ``sample_rate``.
        """
        return cls(origin_of(audio, sample_rate, channels, encoding), sample_rate, channels)

    @property
    def name(self) -> str:
        """A file name for the upload: the caller's, or one that fits the content. Bare samples become ``.wav``."""
        name = self._origin.name or f"audio{CONTENT_TYPES[self._kind()][1]}"
        return PurePath(name).stem + ".wav" if self.declared is not None else name

    @property
    def content_type(self) -> str:
        """The media type of what :meth:`open_binary` gives, by its content; ``application/octet-stream`` if unknown."""
        return CONTENT_TYPES[self._kind()][0]

    @property
    def size(self) -> int | None:
        """Bytes that :meth:`open_binary` gives; ``None`` where only reading will tell."""
        size = self._origin.size
        if size is None or self.declared is None:
            return size
        whole = size - size % self.declared.frame_bytes
        return len(wav_header(self.declared, whole)) + whole + (whole & 1)

    def open(self) -> AudioReader:
        """The recording as samples, to be closed by the caller.

        Raises:
            MissingExtraError: its kind needs an extra that is not installed.
            AudioError: it is empty, cannot be decoded, or is not what the caller said.
        """
        try:
            return self._open()
        except AudioError as error:
            if not self._origin.name or self._origin.name in error.message:
                raise
            raise AudioError(f"{self._origin.name}: {error.message}") from error.__cause__

    def _open(self) -> AudioReader:
        with ExitStack() as closing:
            file = self._take()
            closing.callback(file.close)
            reader = self._reader(file, closing)
            for what, expected in zip(("sample_rate", "channels"), self._expected, strict=True):
                found = getattr(reader, what)
                if expected is not None and expected != found:
                    reader.close()
                    raise AudioError(f"{what}={expected} was given, and the file says {found}: leave {what} out")
            closing.pop_all()
            return reader

    def open_binary(self) -> BinaryIO:
        """The caller's bytes, undecoded, as a binary file to be closed by the caller.

        Bare samples, arrays and frames get a WAV header, because nothing else would say what they are.

        Raises:
            AudioError: the recording is empty or cannot be read.
        """
        file = self._take()
        if self.declared is None:
            return file
        with file:
            self._refuse_container()
            wrapped = spool(file, wav_header(self.declared, None))
        start = len(wav_header(self.declared, None))
        data_bytes = wrapped.seek(0, 2) - start
        data_bytes -= data_bytes % self.declared.frame_bytes
        wrapped.truncate(start + data_bytes)
        wrapped.seek(start + data_bytes)
        wrapped.write(b"\0" * (data_bytes & 1))
        wrapped.seek(0)
        wrapped.write(wav_header(self.declared, data_bytes))
        wrapped.seek(0)
        return wrapped

    def open_samples(self) -> BinaryIO:
        """The bare samples of :attr:`declared` as the caller gave them, to be closed by the caller.

        For vendors that are told the format beside the upload; nothing is copied to the disk first.

        Raises:
            AudioError: the recording is empty, cannot be read, or is a file that describes itself.
        """
        if self.declared is None:
            raise AudioError("these are no bare samples: the file describes itself")
        self._refuse_container()
        return self._take()

    def _kind(self) -> str | None:
        return "wav" if self.declared is not None else sniff_file(self._peek())

    def _peek(self) -> bytes:
        if self._head is None:
            file = self._origin.make()
            if self.rewindable:
                with file:
                    self._head = read_exactly(file, _HEAD)
            else:
                self._once = cast("BorrowedFile", file)
                self._head = self._once.peek(_HEAD)
        return self._head

    def _take(self) -> BinaryIO:
        if not self._peek():
            raise AudioError("the audio is empty")
        if self.rewindable:
            return self._origin.make()
        if self._once is None:
            raise AudioError("audio from a pipe or an iterator can be read only once")
        file, self._once = self._once, None
        return cast("BinaryIO", file)

    def _reader(self, file: BinaryIO, closing: ExitStack) -> AudioReader:
        if self.declared is not None:
            self._refuse_container()
            return RawReader(file, self.declared, file.close)
        head = self._peek()
        if sniff_file(head) == "wav":
            try:
                return WavReader(file, file.close)
            except WavCodecError as error:
                if not can_seek(file):
                    raise AudioError(f"{error.message}, which cannot be decoded from a pipe") from error
        if not can_seek(file):
            with file:
                file = spool(file)
            closing.callback(file.close)
        return open_container(file, head, file.close)

    def _refuse_container(self) -> None:
        kind = sniff_container(self._peek())
        if kind is not None and self.declared is not None:
            raise AudioError(
                f"encoding={self.declared.encoding!r} says that these are bare samples, and they begin like "
                f"{CONTAINERS[kind]}: leave sample_rate, channels and encoding out, and the file says them itself"
            )
