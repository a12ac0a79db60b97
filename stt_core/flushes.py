"""Flushes: callers who wait for the finals of what they have pushed so far (promise S6)."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from .errors import FlushTimeoutError, STTError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .events import SpeechEvent
    from .outbox import Outbox
    from .runner import FlushRequest
    from .turns import TurnOrder

__all__ = ["Flushes"]


class _Flush:
    __slots__ = ("acknowledged", "asked_at", "future", "given", "request")

    def __init__(self, request: FlushRequest, future: asyncio.Future[list[SpeechEvent]]) -> None:
        self.request = request
        self.future = future
        self.given = False
        self.asked_at: float | None = None
        self.acknowledged = False


class Flushes:
    """The flushes that are not answered yet, the oldest first. They are answered in order.

    Args:
        orders: of the stream's channels; grows as channels come up.
        outbox: has the finals.
        provider: for errors.
        on_answered: called with each request that the provider need not be asked again on another connection.
    """

    def __init__(
        self,
        orders: Mapping[int | None, TurnOrder],
        outbox: Outbox,
        *,
        provider: Callable[[], str],
        on_answered: Callable[[FlushRequest], None],
    ) -> None:
        self.timeout = 0.0
        """Seconds that a segment may stay open without progress."""
        self._orders = orders
        self._outbox = outbox
        self._provider = provider
        self._on_answered = on_answered
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Flush] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._connected = False
        self._finals_given = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def asked_at(self) -> float | None:
        """When the oldest was given to a provider for the first time, in seconds of the loop's clock."""
        return self._waiting[0].asked_at if self._waiting else None

    def add(self, request: FlushRequest) -> asyncio.Future[list[SpeechEvent]]:
        """A caller waits; to be followed by :meth:`forget` when it gives up."""
        flush = _Flush(request, self._loop.create_future())
        self._waiting.append(flush)
        if self._timer is None:
            self.watch()
        return flush.future

    def forget(self, request: FlushRequest) -> None:
        """Nobody waits for this one any more."""
        flush = self._find(request)
        if flush is not None:
            self._remove(flush)

    def give(self, request: FlushRequest) -> None:
        """The runner took the request over."""
        flush = self._find(request)
        if flush is not None:
            flush.given = True
            if flush.asked_at is None:
                flush.asked_at = self._loop.time()
        self.watch()

    def acknowledge(self, request: FlushRequest) -> bool:
        """The provider has finalised everything before the request. Returns whether somebody waits for that."""
        flush = self._find(request)
        if flush is None:
            return False
        flush.acknowledged = True
        return True

    def resolve(self) -> None:
        """Answers the flushes whose finals are all there."""
        while self._waiting and self._waiting[0].acknowledged:
            if any(order.open_text is not None for order in self._orders.values()):
                return  # the acknowledgement came before the final
            self._answer(self._waiting[0])

    def connect(self, *, connected: bool) -> None:
        """A provider is ready, or the connection is gone, and with it what was asked of it."""
        self._connected = connected
        if not connected:
            for flush in self._waiting:
                flush.given = flush.acknowledged = False
        self.watch()

    def watch(self) -> None:
        """Lets the oldest flush's time run anew: something has happened that counts as progress."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and self._connected:
            self._timer = self._loop.call_later(self.timeout, self._on_overdue)

    def close(self, error: Callable[[], STTError]) -> None:
        """The stream is over: whoever waits gets an error of his own."""
        for flush in list(self._waiting):
            self._remove(flush)
            if not flush.future.done():
                flush.future.set_exception(error())

    def _find(self, request: FlushRequest) -> _Flush | None:
        return next((flush for flush in self._waiting if flush.request is request), None)

    def _remove(self, flush: _Flush) -> None:
        self._waiting.remove(flush)
        self._on_answered(flush.request)
        self.watch()

    def _answer(self, flush: _Flush) -> None:
        for order in self._orders.values():
            order.close_untitled()
        self._remove(flush)
        finals = self._outbox.finals
        span, self._finals_given = finals[self._finals_given :], len(finals)
        if not flush.future.done():
            flush.future.set_result(span)

    def _on_overdue(self) -> None:
        self._timer = None
        flush = self._waiting[0]
        if not any(order.speaking for order in self._orders.values()):
            if flush.given:  # else what may be said in the audio before it has not been heard
                self._answer(flush)
            return
        self._remove(flush)
        if not flush.future.done():
            flush.future.set_exception(
                FlushTimeoutError(
                    f"{self._provider()} did not finalise the segment within {self.timeout:g} s (flush_timeout)",
                    provider=self._provider(),
                )
            )
