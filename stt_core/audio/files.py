"""Binary files as audio comes in them: the caller's own, pipes, and files that can only be read once."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from typing import TYPE_CHECKING, BinaryIO, cast

from typing_extensions import override

from ..errors import AudioError, AudioFileNotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Buffer

__all__ = ["BorrowedFile", "bytes_left", "can_seek", "not_found", "open_path", "read_exactly", "spool", "unreadable"]


def open_path(path: Path) -> BinaryIO:
    """Open for reading.

    Raises:
        AudioFileNotFoundError: it is not there.
        AudioError: it is a directory, may not be read, or is no path at all.
    """
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise not_found(path) from None
    except (OSError, ValueError) as error:
        raise unreadable(str(path), error) from error


def not_found(path: Path) -> AudioFileNotFoundError:
    """The error for a path that leads nowhere."""
    return AudioFileNotFoundError(f"there is no audio file {str(path)!r}", path=str(path))


def unreadable(what: str, error: OSError | ValueError) -> AudioError:
    """The error for a file that does not let itself be read."""
    return AudioError(f"{what!r} cannot be read: {getattr(error, 'strerror', None) or error}")


def read_exactly(file: BinaryIO, size: int) -> bytes:
    """That many bytes, fewer only at the end: pipes and sockets give less at a time.

    Raises:
        AudioError: reading fails, or the file gives something else than bytes.
    """
    parts: list[bytes] = []
    while size > 0:
        try:
            part = cast("object", file.read(size))
        except (OSError, ValueError) as error:
            raise unreadable(str(getattr(file, "name", "the file")), error) from error
        if not isinstance(part, bytes):
            wrong = "in text mode: open it with 'rb'" if isinstance(part, str) else "and gave nothing: it must block"
            raise AudioError(f"the file was opened {wrong}")
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def can_seek(file: BinaryIO) -> bool:
    """Whether the file can be rewound; objects that do not say cannot."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return file.seekable()
    return False


def bytes_left(file: BinaryIO) -> int | None:
    """Bytes from here to the end; ``None`` for a file that cannot be asked."""
    if not can_seek(file):
        return None
    here = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(here)
    return max(end - here, 0)


def spool(file: BinaryIO, head: bytes = b"") -> BinaryIO:
    """A temporary file with the rest of ``file``, rewound; it is gone once closed.

    Args:
        file: read to its end.
        head: bytes to put before.
    """
    copy = tempfile.TemporaryFile()  # noqa: SIM115  (handed out)
    try:
        copy.write(head)
        shutil.copyfileobj(file, copy, 1 << 16)
    except OSError as error:
        copy.close()
        raise unreadable(str(getattr(file, "name", "the file")), error) from error
    copy.seek(0)
    return cast("BinaryIO", copy)


class BorrowedFile(io.RawIOBase):
    """A file from where it stands.

    Positions count from where it stood. The beginning can be looked at also where the file cannot be rewound.

    Args:
        file: the caller's, and the caller's to close, unless
        owned: says that closing this closes it too.
    """

    def __init__(self, file: BinaryIO, *, owned: bool = False) -> None:
        self._file = file
        self._owned = owned
        self._seekable = can_seek(file)
        self._start = file.tell() if self._seekable else 0
        self._head = b""

    def peek(self, size: int) -> bytes:
        """The next bytes, which stay there to be read."""
        if len(self._head) < size:
            self._head += read_exactly(self._file, size - len(self._head))
        return self._head[:size]

    @override
    def close(self) -> None:
        if self._owned:
            self._file.close()
        super().close()

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return self._seekable

    @override
    def fileno(self) -> int:
        # An upload asks it how long the file is, and that counts from its beginning.
        if not self._seekable or self._start:
            raise io.UnsupportedOperation("the file does not begin here")
        return self._file.fileno()

    @override
    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        if self.closed:
            return b""  # an upload that was given up may read once more, in a thread, when the next one has begun
        if self._head:
            cut = len(self._head) if size is None or size < 0 else size
            data, self._head = self._head[:cut], self._head[cut:]
            return data + self.read(size) if cut != size else data
        return self._file.read(-1 if size is None else size)

    @override
    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if not self._seekable:
            raise io.UnsupportedOperation("this file cannot be rewound")
        # libsndfile asks broken files for positions before their beginning, and would print the exception.
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell()}.get(whence)
        if base is None:
            base = self._file.seek(0, os.SEEK_END) - self._start
        self._head = b""
        return self._file.seek(self._start + max(base + offset, 0)) - self._start

    @override
    def tell(self) -> int:
        return self._file.tell() - len(self._head) - self._start
