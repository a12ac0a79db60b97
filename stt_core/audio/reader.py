"""What decoded audio is read through, whatever it comes from."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, BinaryIO, Self

import numpy as np
from typing_extensions import override

from .encodings import Samples, decode
from .files import bytes_left, read_exactly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from .frames import AudioFormat

__all__ = ["AudioReader", "RawReader"]


class AudioReader(abc.ABC):
    """Audio as float32 samples, block by block, in constant memory. A context manager.

    Attributes:
        sample_rate: Hz.
        channels: of every block.
        duration: seconds, ``None`` when only reading will tell. What the source says of itself; a damaged one may end
            earlier.
    """

    def __init__(
        self, sample_rate: int, channels: int, duration: float | None, close: Callable[[], object] | None = None
    ) -> None:
        self.sample_rate = sample_rate
        self.channels = channels
        self.duration = duration
        self._close = close
        self._rest: Samples | None = None

    @abc.abstractmethod
    def _pull(self, frames: int) -> Samples:
        """The next samples ``(n, channels)``: about so many, any number, none at the end only."""

    def read(self, frames: int) -> Samples:
        """The next ``frames`` samples ``(frames, channels)``; fewer at the end, and none after it.

        Raises:
            AudioError: the source cannot be read or decoded any further.
        """
        parts: list[Samples] = []
        missing = frames
        while missing > 0:
            part, self._rest = (self._pull(missing), None) if self._rest is None else (self._rest, None)
            if not len(part):
                break
            if len(part) > missing:
                part, self._rest = part[:missing], part[missing:]
            parts.append(part)
            missing -= len(part)
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.zeros((0, self.channels), np.float32)

    def blocks(self, seconds: float = 1.0) -> Iterator[Samples]:
        """All that is left, in blocks ``(n, channels)`` of that duration; the last may be shorter.

        Raises:
            AudioError: as :meth:`read`.
        """
        frames = max(round(seconds * self.sample_rate), 1)
        while len(block := self.read(frames)):
            yield block

    def close(self) -> None:
        """Close what was opened for reading; a file of the caller's stays open. Idempotent."""
        close, self._close = self._close, None
        if close is not None:
            close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RawReader(AudioReader):
    """Bare samples from a binary file; half a sample frame at the end is dropped."""

    def __init__(self, file: BinaryIO, audio_format: AudioFormat, close: Callable[[], object] | None = None) -> None:
        left = bytes_left(file)
        whole = None if left is None else left // audio_format.frame_bytes / audio_format.sample_rate
        super().__init__(audio_format.sample_rate, audio_format.channels, whole, close)
        self._file = file
        self._format = audio_format

    @override
    def _pull(self, frames: int) -> Samples:
        size = self._format.frame_bytes
        data = read_exactly(self._file, frames * size)
        return decode(data[: len(data) - len(data) % size], self._format.encoding).reshape(-1, self.channels)
