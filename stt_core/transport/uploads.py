"""Files on their way up."""

from __future__ import annotations

import io
from typing import BinaryIO

from typing_extensions import override

__all__ = ["UploadedFile", "uploaded"]


class UploadedFile(io.BufferedReader):
    """A file that may be read once more when it is closed, and is at its end then.

    aiohttp reads files in threads, and does not wait for the last read when a request is over before its body is:
    nobody would look at the error, and the event loop would complain of that.
    """

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        try:
            return super().read(size)
        except ValueError:
            if not self.closed:
                raise
            return b""


def uploaded(file: BinaryIO) -> BinaryIO:
    """The file as one to be uploaded, from where it stands. Others than files of the disk stay as they are."""
    if not isinstance(file, io.BufferedReader | io.BufferedRandom):
        return file
    position = file.tell()
    raw = file.detach()
    raw.seek(position)
    return UploadedFile(raw)
