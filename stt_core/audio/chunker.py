"""Chunks of one exact size out of pieces of any size."""

from __future__ import annotations

from ..errors import AudioError

__all__ = ["Chunker"]


class Chunker:
    """Joins what is pushed (20 ms frames) into what a provider is sent (50 ms chunks).

    Nothing is added, dropped or reordered. Holds less than one chunk.

    Args:
        chunk_bytes: the size of every chunk, a multiple of ``frame_bytes``.
        frame_bytes: bytes of one sample frame, which :meth:`flush` does not cut.

    Raises:
        AudioError: the sizes do not go together.
    """

    __slots__ = ("_held", "_parts", "chunk_bytes", "frame_bytes")

    def __init__(self, chunk_bytes: int, frame_bytes: int = 1) -> None:
        if frame_bytes < 1 or chunk_bytes < frame_bytes or chunk_bytes % frame_bytes:
            raise AudioError(f"a chunk of {chunk_bytes} bytes does not hold whole sample frames of {frame_bytes}")
        self.chunk_bytes = chunk_bytes
        self.frame_bytes = frame_bytes
        self._parts: list[bytes] = []
        self._held = 0

    @property
    def pending(self) -> int:
        """Bytes held back."""
        return self._held

    def push(self, data: bytes) -> list[bytes]:
        """Add bytes, any number of them.

        Returns:
            the chunks that are full now, in order; often none.
        """
        size = self.chunk_bytes
        held = self._held + len(data)
        if held < size:
            # Empty pieces are not kept, or a caller that pushes nothing for ever would grow the list.
            if data:
                self._parts.append(data)
                self._held = held
            return []
        if self._parts:
            self._parts.append(data)
            data = b"".join(self._parts)
        end = held - held % size
        self._held = held - end
        self._parts = [data[end:]] if self._held else []
        return [data] if held == size else [data[start : start + size] for start in range(0, end, size)]

    def flush(self) -> bytes:
        """What is left, as far as it is whole sample frames; half a frame stays for the next piece."""
        data = b"".join(self._parts)
        end = len(data) - len(data) % self.frame_bytes
        self._held = len(data) - end
        self._parts = [data[end:]] if self._held else []
        return data[:end]
