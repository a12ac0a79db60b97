"""What a caller gives as audio, in all its shapes, brought to one: something that can be opened as a binary file."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

import numpy as np
from typing_extensions import override

from ..errors import AudioError
from .arrays import array_to_bytes, describe_array
from .files import BorrowedFile, bytes_left, can_seek, not_found, open_path, unreadable
from .frames import AudioData, AudioFormat, AudioFrame, Encoding
from .pushed import to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .frames import SampleArray

__all__ = ["AudioLike", "Origin", "origin_of"]

FileSource: TypeAlias = "bytes | bytearray | memoryview | BinaryIO"

AudioLike: TypeAlias = (
    "str | os.PathLike[str] | FileSource | tuple[str, FileSource] | SampleArray | AudioFrame | Iterable[AudioData]"
)
"""A path, the bytes of a file, a binary file, one of these two with a name, an array of samples, or frames."""


@dataclass(slots=True)
class Origin:
    """Where the bytes come from.

    Attributes:
        make: opens it at its beginning.
        name: what the caller calls it, without folders; ``None`` if nothing.
        declared: the format of bare samples; ``None`` for a file that describes itself.
        rewindable: whether ``make`` may be called more than once.
        size: in bytes, where known.
    """

    make: Callable[[], BinaryIO]
    name: str | None = None
    declared: AudioFormat | None = None
    rewindable: bool = True
    size: int | None = None


def origin_of(audio: AudioLike, sample_rate: int | None, channels: int | None, encoding: Encoding | None) -> Origin:
    """See :meth:`stt_core.audio.decode.AudioInput.from_any`."""
    if isinstance(audio, tuple):
        name, audio = _named(cast("tuple[object, ...]", audio))
        origin = origin_of(audio, sample_rate, channels, encoding)
        origin.name = name
        return origin
    if isinstance(audio, (str, os.PathLike)):
        origin = _from_path(audio)
    elif isinstance(audio, np.ndarray) or (isinstance(audio, memoryview) and audio.format not in ("B", "b", "c")):
        return _from_array(cast("object", audio), sample_rate, channels, encoding)
    elif isinstance(audio, (bytes, bytearray, memoryview)):
        data = bytes(audio)
        origin = Origin(lambda: io.BytesIO(data), size=len(data))
    elif isinstance(audio, AudioFrame):
        return _from_pieces([audio], sample_rate, channels, encoding)
    elif hasattr(audio, "read"):
        origin = _from_file(cast("BinaryIO", audio))
    elif isinstance(cast("object", audio), Iterable):
        return _from_pieces(audio, sample_rate, channels, encoding)
    else:
        raise AudioError(
            "audio must be a path, bytes, a binary file, (name, bytes), an array with sample_rate=, an AudioFrame or "
            f"an iterable of them, not {type(audio).__name__}"
        )
    if encoding is not None:
        if sample_rate is None:
            raise AudioError(f"encoding={encoding!r} says that these are bare samples, which needs sample_rate= too")
        origin.declared = AudioFormat(sample_rate, 1 if channels is None else channels, encoding)
    return origin


def _named(pair: tuple[object, ...]) -> tuple[str, AudioLike]:
    if len(pair) != 2 or not isinstance(pair[0], str):
        raise AudioError("a tuple of audio must be (name, bytes) or (name, binary file)")
    if not isinstance(pair[1], (bytes, bytearray, memoryview)) and not hasattr(pair[1], "read"):
        raise AudioError(f"(name, bytes) has {type(pair[1]).__name__} for the bytes")
    return PurePath(pair[0]).name, cast("AudioLike", pair[1])


def _from_path(given: str | os.PathLike[str]) -> Origin:
    path = Path(given)
    # RuntimeError: no such user. Then the name is taken as it is, and will not be found.
    with contextlib.suppress(RuntimeError):
        path = path.expanduser()
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise not_found(path) from None
    except (OSError, ValueError) as error:
        raise unreadable(str(path), error) from error
    if stat.S_ISDIR(found.st_mode):
        raise AudioError(f"{str(path)!r} is a directory, not an audio file")
    if not stat.S_ISREG(found.st_mode):
        # A pipe or a device gives its bytes once, to whoever opens it first.
        return Origin(lambda: cast("BinaryIO", BorrowedFile(open_path(path), owned=True)), path.name, rewindable=False)
    return Origin(lambda: open_path(path), path.name, size=found.st_size)


def _from_file(file: BinaryIO) -> Origin:
    if isinstance(file, io.TextIOBase):
        raise AudioError("the audio file was opened in text mode: open it with 'rb'")
    if getattr(file, "closed", False):
        raise AudioError("the audio file is closed")
    given: object = getattr(file, "name", None)
    name = PurePath(given).name if isinstance(given, str) and not given.startswith("<") else None
    if not can_seek(file):
        return Origin(lambda: cast("BinaryIO", BorrowedFile(file)), name, rewindable=False)
    start = file.tell()

    def rewound() -> BinaryIO:
        file.seek(start)
        return cast("BinaryIO", BorrowedFile(file))

    return Origin(rewound, name, size=bytes_left(file))


def _from_array(array: object, sample_rate: int | None, channels: int | None, encoding: Encoding | None) -> Origin:
    if sample_rate is None:
        raise AudioError("an array of samples needs sample_rate=")
    have, native = describe_array(array)
    declared = AudioFormat(sample_rate, have if channels is None else channels, encoding or native)
    data = array_to_bytes(array, declared)
    return Origin(lambda: io.BytesIO(data), declared=declared, size=len(data))


def _from_pieces(
    pieces: Iterable[AudioData], sample_rate: int | None, channels: int | None, encoding: Encoding | None
) -> Origin:
    iterator = iter(pieces)
    first = next(iterator, None)
    if first is None:
        raise AudioError("the audio is empty: the iterable gave nothing")
    if isinstance(first, AudioFrame):
        declared = AudioFormat(
            first.sample_rate if sample_rate is None else sample_rate,
            first.channels if channels is None else channels,
            encoding or first.encoding,
        )
    elif sample_rate is None or encoding is None:
        raise AudioError(
            f"an iterable of {type(first).__name__} needs sample_rate= and encoding=, or has to be of AudioFrame"
        )
    else:
        declared = AudioFormat(sample_rate, 1 if channels is None else channels, encoding)
    if iterator is not pieces:
        return Origin(lambda: _PiecesFile.opened(iter(pieces), declared), declared=declared)
    whole = itertools.chain((first,), iterator)
    return Origin(lambda: _PiecesFile.opened(whole, declared), declared=declared, rewindable=False)


class _PiecesFile(io.RawIOBase):
    """Frames as a file of bare samples."""

    def __init__(self, pieces: Iterator[AudioData], declared: AudioFormat) -> None:
        self._pieces = pieces
        self._declared = declared
        self._rest = b""

    @classmethod
    def opened(cls, pieces: Iterator[AudioData], declared: AudioFormat) -> BinaryIO:
        return cast("BinaryIO", BorrowedFile(cast("BinaryIO", cls(pieces, declared))))

    @override
    def readable(self) -> bool:
        return True

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return self.readall()
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = to_bytes(piece, self._declared)
        data, self._rest = self._rest[:size], self._rest[size:]
        return data
