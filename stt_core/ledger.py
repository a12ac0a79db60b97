"""The ledger: every sample that was pushed and is not settled yet (promise S3).

Positions are sample frames since the first one pushed. Four of them move, and only forward::

    0 ......... base ....... settled ....... sent ......... end
      let go         kept for     unsettled:       pushed,
                     context      would be         not sent
                                  sent again       yet

``settled`` says up to where the audio has been recognised. How surely, is a *settlement*:

``exact``
    the provider said so: the acknowledgement of a flush behind which no finals trail, or a count of processed audio;
``timed``
    the end of a FINAL's last word, where the provider's times count from the start of its session;
``estimated``
    what had been sent when a FINAL came, less a margin, moved back to the quietest place nearby. Audio replayed from an
    estimate may be recognised twice, and is never lost.

The bytes are kept as they were pushed; what a connection needs is made from them anew. There is no I/O, clock or await
here.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .audio.frames import AudioFormat
    from .events import Settlement

__all__ = ["Ledger", "Span"]

Span = tuple[int, int]
"""From one position up to, and without, another."""

BLOCKS_PER_SECOND = 20
"""Frames of any size are joined to blocks of 50 ms as they are pushed: every later step costs per block."""

PREROLL_SECONDS = 0.3
"""Sent again before the first voice, so that a recogniser hears the onset in its context."""

CONTEXT_SECONDS = 1.0
"""Settled audio that is kept: the preroll, and what primes a resampler."""

ESTIMATE_SEARCH_SECONDS = 0.5
"""An estimate moves back to the quietest place within this much audio."""


class Ledger:
    """Keeps pushed audio until it is settled, at most ``capacity_seconds`` of it.

    Args:
        audio_format: of the bytes that will be pushed.
        capacity_seconds: beyond it the oldest audio is let go: see :meth:`push` and :meth:`forfeit`.
    """

    def __init__(self, audio_format: AudioFormat, capacity_seconds: float) -> None:
        rate = audio_format.sample_rate
        self.format = audio_format
        self.capacity = max(round(capacity_seconds * rate), rate)
        self.base = 0
        self.settled = 0
        self.settlement: Settlement = "exact"
        self.sent = 0
        self.end = 0
        self._frame_bytes = audio_format.frame_bytes
        self._block_frames = max(rate // BLOCKS_PER_SECOND, 1)
        self._block_bytes = self._block_frames * self._frame_bytes
        self._blocks: deque[tuple[int, bytes]] = deque()
        self._first = 0  # the running number of _blocks[0]
        self._tail = bytearray()
        self._evicted: list[Span] = []  # sent, unsettled, voiced, and let go for want of room

    # -- pushing ---------------------------------------------------------------------------------------------------

    def push(self, data: bytes | bytearray | memoryview) -> Span | None:
        """Takes audio of any length; a torn sample frame at the end waits for its rest.

        Returns:
            The span of unsent audio that was dropped to make room, if any.
        """
        tail = self._tail
        tail += data
        size = self._block_bytes
        if len(tail) < size:
            return None
        if len(tail) < 2 * size:
            self._append(bytes(tail[:size]))
            del tail[:size]
        else:
            whole = len(tail) // size * size
            view = bytes(tail[:whole])
            del tail[:whole]
            for offset in range(0, whole, size):
                self._append(view[offset : offset + size])
        if self.end - self.base > self.capacity:
            return self._make_room()
        return None

    def seal(self) -> Span | None:
        """Makes what was pushed so far readable, although it does not fill a block.

        Returns:
            As :meth:`push`.
        """
        whole = len(self._tail) // self._frame_bytes * self._frame_bytes
        if whole:
            self._append(bytes(self._tail[:whole]))
            del self._tail[:whole]
        return self._make_room() if self.end - self.base > self.capacity else None

    def _append(self, block: bytes) -> None:
        self._blocks.append((self.end, block))
        self.end += len(block) // self._frame_bytes

    def room_for(self, nbytes: int) -> bool:
        """Whether pushing ``nbytes`` more would drop no unsent audio."""
        # Whole blocks are let go, so up to one of them more than is needed.
        kept = self.capacity - self._block_frames
        return self.end + (len(self._tail) + nbytes) // self._frame_bytes - kept <= self.sent

    def _make_room(self) -> Span | None:
        # In steps, because each of them is reported: not one event for every block of a long outage.
        keep = self.capacity - min(self.capacity // 10, self.format.sample_rate)
        lost_from: int | None = None
        while self._blocks and self.end - self.base > (self.capacity if self.base < self.sent else keep):
            start, block = self._drop_first()
            if self.base > self.sent and lost_from is None:
                lost_from = max(start, self.sent)
            owed = max(start, self.settled), min(self.base, self.sent)
            if owed[0] < owed[1] and self._is_voiced(block):
                self._note_evicted(*owed)
        return None if lost_from is None else (lost_from, self.base)

    def _drop_first(self) -> tuple[int, bytes]:
        start, block = self._blocks.popleft()
        self._first += 1
        self.base = start + len(block) // self._frame_bytes
        return start, block

    def _note_evicted(self, start: int, end: int) -> None:
        gap = self.format.sample_rate
        if self._evicted and start - self._evicted[-1][1] <= gap:
            start = self._evicted.pop()[0]
        self._evicted.append((start, end))
        if len(self._evicted) > 100:  # a provider that never settles: the spans grow together instead of in number
            self._evicted[:2] = [(self._evicted[0][0], self._evicted[1][1])]

    # -- reading ---------------------------------------------------------------------------------------------------

    def find(self, position: int) -> int:
        """The number of the block that holds ``position``, or of the next one that will be appended."""
        for index, (start, block) in enumerate(self._blocks):
            if position < start + len(block) // self._frame_bytes:
                return self._first + index
        return self._first + len(self._blocks)

    def block(self, number: int) -> tuple[int, int, bytes] | None:
        """The block of that number, or the first one still kept, as (number, start, bytes); ``None`` past the last."""
        index = number - self._first
        if index < 0:
            number, index = self._first, 0
        if index >= len(self._blocks):
            return None
        start, data = self._blocks[index]
        return number, start, data

    def read(self, start: int, end: int) -> bytes:
        """The kept bytes between two positions; shorter when some of it was let go or is not sealed yet."""
        parts: list[bytes] = []
        size = self._frame_bytes
        for at, block in self._blocks:
            if at >= end:
                break
            if at + len(block) // size > start:
                parts.append(block[max(start - at, 0) * size : (end - at) * size])
        return b"".join(parts)

    # -- settling --------------------------------------------------------------------------------------------------

    def settle(self, position: int, settlement: Settlement) -> bool:
        """Audio before ``position`` has been recognised. Returns whether that is news."""
        position = min(position, self.sent)
        if position < self.settled or (position == self.settled and settlement != "exact"):
            return False
        moved = position > self.settled
        self.settled = position
        self.settlement = settlement
        keep_from = position - round(CONTEXT_SECONDS * self.format.sample_rate)
        blocks = self._blocks
        while blocks and blocks[0][0] + len(blocks[0][1]) // self._frame_bytes <= keep_from:
            self._drop_first()
        if self._evicted:
            self._evicted = [(max(start, position), end) for start, end in self._evicted if end > position]
        return moved

    def estimate(self, position: int) -> int:
        """The quietest place shortly before ``position``: where a cut does least harm to a word."""
        start = max(position - round(ESTIMATE_SEARCH_SECONDS * self.format.sample_rate), self.base, self.settled)
        data = self.read(start, position)
        if not data:
            return max(min(position, self.sent), self.settled)
        from .audio.energy import quietest

        return start + quietest(data, self.format)

    def has_unsettled_voice(self) -> bool:
        """Whether anything that sounds like voice has been sent or pushed and is not settled."""
        return bool(self._evicted) or self._first_voice(self.end) is not None

    def replay_start(self) -> int:
        """Where the next connection begins: the first unsettled voice less a preroll, or the first unsent sample."""
        voice = self._first_voice(self.sent)
        start = (self.sent if voice is None else voice) - round(PREROLL_SECONDS * self.format.sample_rate)
        # Before an exact position everything is known, and words recognised again could not always be told apart.
        earliest = self.settled if self.settlement == "exact" else start
        return max(start, earliest, self.base)

    def forfeit(self) -> list[Span]:
        """The connection failed: the voiced spans that it still owed and that cannot be sent again."""
        lost, self._evicted = self._evicted, []
        return lost

    def _first_voice(self, before: int) -> int | None:
        size = self._frame_bytes
        for start, block in self._blocks:
            if start >= before:
                return None
            skip = max(self.settled - start, 0)
            if skip * size < len(block) and self._is_voiced(block[skip * size :]):
                return start + skip
        return None

    def _is_voiced(self, block: bytes) -> bool:
        from .audio.energy import is_voiced

        return is_voiced(block, self.format)
