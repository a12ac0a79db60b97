"""From a connection's own time to the time of the audio that was pushed (promise S2)."""

from __future__ import annotations

from bisect import bisect_right

__all__ = ["ClockMap"]

_EPSILON = 1e-6
"""Of a sample: a time that was a sample's beginning before it went through a float still is."""


class ClockMap:
    """What one connection was sent, in order: stretches of pushed audio and injected silence.

    A provider counts the seconds that *this* connection was sent. After a reconnect they start somewhere inside the
    call, and silence that was injected lies between. The map turns the provider's seconds into sample positions of the
    audio as pushed; injected silence maps to the point where it was injected.

    Only changes of course are kept, so the map stays small however long the call is.

    Args:
        sample_rate: of the audio as pushed, in Hz.
        start: the input position at which the connection begins.
    """

    __slots__ = ("_begins", "_length", "_next", "_positions", "_rate", "_silent", "_start", "identity")

    def __init__(self, sample_rate: int, start: int = 0) -> None:
        self._rate = sample_rate
        self._start = start
        self._begins: list[float] = []  # provider's time at which a stretch begins, in samples of the input rate
        self._positions: list[int] = []  # the input position there
        self._silent: list[bool] = []
        self._length = 0.0
        self._next: int | None = None
        self.identity = True
        """Whether both times are the same so far, which spares the look-ups."""

    @property
    def length(self) -> float:
        """Seconds that the connection was sent, injected silence included."""
        return self._length / self._rate

    def add_audio(self, start: int, end: int) -> None:
        """The samples ``start`` to ``end`` follow."""
        if start != self._next or self._silent[-1]:
            if self._length or start:
                self.identity = False
            self._append(start, silent=False)
        self._length += end - start
        self._next = end

    def add_silence(self, seconds: float) -> None:
        """``seconds`` of silence that nobody pushed follow."""
        if not self._silent or not self._silent[-1]:
            self._append(self._start if self._next is None else self._next, silent=True)
        self.identity = False
        self._length += seconds * self._rate

    def _append(self, position: int, *, silent: bool) -> None:
        self._begins.append(self._length)
        self._positions.append(position)
        self._silent.append(silent)

    def to_position(self, seconds: float) -> int:
        """The input position, in samples, that the provider means by ``seconds``; clipped to what was sent."""
        if not self._begins:
            return self._start
        offset = min(max(seconds * self._rate, 0.0), self._length)
        index = max(bisect_right(self._begins, offset + _EPSILON) - 1, 0)
        if self._silent[index]:
            return self._positions[index]
        return self._positions[index] + round(offset - self._begins[index])

    def to_seconds(self, seconds: float) -> float:
        """The same in seconds of the audio as pushed."""
        return self.to_position(seconds) / self._rate
