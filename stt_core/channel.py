"""The bounded queue that a stream's events travel in.

A :class:`Channel` belongs to one event loop and may have any number of senders and receivers. Sending into a channel
with room and receiving from one with unread items touch a deque and nothing else, and never suspend. One that has to
wait is woken in turn, and what it was woken for (an item, a place) is kept for it: nobody can take it in between, and a
waiter that is cancelled hands it on.

The three exceptions here are the channel's own control flow. They are no :class:`~stt_core.errors.STTError`, because
none of them reaches a user of the library.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Channel", "ChannelClosed", "ChannelEmpty", "ChannelFull"]

T = TypeVar("T")


class ChannelFull(Exception):  # noqa: N818 - the standard library's names for the same (queue.Full, asyncio.QueueFull)
    """There is no room, or what there is has been promised to senders that waited."""


class ChannelEmpty(Exception):  # noqa: N818
    """There is no unread item, or those there are have been promised to receivers that waited."""


class ChannelClosed(Exception):  # noqa: N818
    """Nothing can be sent any more, or nothing is left to be received."""


class Channel(Generic[T]):
    """A bounded first-in first-out queue with an end.

    All methods but :meth:`send_threadsafe` belong to the event loop's thread.

    Args:
        capacity: how many items may be unread, at least 1. When :meth:`send_threadsafe` and a sender on the loop race
            for the last place both may get one, so that one item more is unread.
    """

    __slots__ = (
        "_arriving",
        "_capacity",
        "_closed",
        "_error",
        "_error_traceback",
        "_items",
        "_limit",
        "_lock",
        "_loop",
        "_promised",
        "_receivers",
        "_senders",
        "_sent",
    )

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a channel's capacity is at least 1, not {capacity}")
        self._capacity = capacity
        # What the fast path of sending compares with: the capacity less all places that are spoken for; 0 once closed.
        self._limit = capacity
        self._items: deque[T] = deque()
        self._sent = 0
        self._receivers: deque[asyncio.Future[bool]] = deque()
        self._promised = 0
        self._senders: deque[asyncio.Future[bool]] = deque()
        self._closed = False
        self._error: BaseException | None = None
        self._error_traceback: TracebackType | None = None
        # Guards what other threads change: _arriving and _limit.
        self._lock = threading.Lock()
        self._arriving: deque[T] = deque()
        self._loop: asyncio.AbstractEventLoop | None
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def __len__(self) -> int:
        """The number of unread items."""
        return len(self._items)

    @property
    def capacity(self) -> int:
        """How many items may be unread."""
        return self._capacity

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called; unread items may be left."""
        return self._closed

    # Sending

    def send_nowait(self, item: T) -> int:
        """Appends an item.

        Returns:
            The item's ticket for :meth:`replace`: the number of items sent before it.

        Raises:
            ChannelFull: there is no room.
            ChannelClosed: after :meth:`close`.
        """
        items = self._items
        if len(items) >= self._limit:
            raise ChannelClosed if self._closed else ChannelFull
        items.append(item)
        ticket = self._sent
        self._sent = ticket + 1
        if self._receivers:
            self._wake_receivers()
        return ticket

    async def send(self, item: T) -> int:
        """Appends an item as soon as there is room; see :meth:`send_nowait`. A cancelled call has sent nothing.

        Raises:
            ChannelClosed: after :meth:`close`, also when it is called while this waits.
        """
        if len(self._items) >= self._limit and not self._closed:
            waiter = self._waiter(self._senders)
            try:
                woken = await waiter
            except BaseException:
                if _was_woken(waiter):
                    self._reserve(-1)
                    self._wake_senders()
                else:
                    _discard(self._senders, waiter)
                raise
            # Not by send_nowait(): a place was kept, whoever else has come in the meantime.
            if woken and not self._closed:
                self._reserve(-1)
                self._append([item])
                return self._sent - 1
        return self.send_nowait(item)

    def send_threadsafe(self, item: T) -> None:
        """Appends an item from any thread, without ever blocking: it is made for audio callbacks.

        The item is unread once the event loop has come round to it, at the latest when the channel is closed. Items on
        their way count as unread for the capacity.

        Raises:
            ChannelFull: there is no room; the caller decides what to drop.
            ChannelClosed: after :meth:`close`, or when the event loop is closed.
            RuntimeError: the channel was made outside a running event loop and none has waited on it yet.
        """
        loop = self._loop
        if loop is None:
            raise RuntimeError("no event loop uses this channel yet: make it inside a running one")
        if loop.is_closed():
            raise ChannelClosed("the event loop is closed")
        with self._lock:
            if len(self._items) >= self._limit:
                raise ChannelClosed if self._closed else ChannelFull
            first = not self._arriving
            self._arriving.append(item)
            self._limit -= 1
        if first:
            try:
                loop.call_soon_threadsafe(self._arrive)
            except RuntimeError:
                raise ChannelClosed("the event loop is closed") from None

    def replace(self, ticket: int, item: T) -> bool:
        """Puts an item in the place of one that has not been received yet.

        Args:
            ticket: what sending the old item returned.
            item: the new one; it has the old one's ticket.

        Returns:
            ``False``, and nothing was changed, when the old item has been received.
        """
        position = ticket - self._sent + len(self._items)
        if position < 0:
            return False
        self._items[position] = item
        return True

    # Receiving

    def receive_nowait(self) -> T:
        """Takes the oldest unread item.

        Raises:
            ChannelEmpty: there is none.
            ChannelClosed: there is none and never will be.
            BaseException: the same, with the error that :meth:`close` was given.
        """
        if len(self._items) > self._promised:
            return self._take()
        self._raise_if_ended()
        raise ChannelEmpty

    async def receive(self) -> T:
        """Takes the oldest unread item, waiting for one if need be. A cancelled call has taken nothing.

        Raises:
            ChannelClosed: there is none and never will be.
            BaseException: the same, with the error that :meth:`close` was given.
        """
        items = self._items
        if len(items) > self._promised:
            item = items.popleft()
            if self._senders:
                self._wake_senders()
            return item
        await self._wait_for_item()
        return self._take()

    async def receive_batch(self, limit: int | None = None) -> list[T]:
        """Takes all unread items, at least one and at most ``limit``, waiting for the first if need be.

        Raises:
            ChannelClosed: there is none and never will be.
            BaseException: the same, with the error that :meth:`close` was given.
        """
        items = self._items
        if len(items) <= self._promised:
            await self._wait_for_item()
        count = len(items) - self._promised
        if limit is not None and limit < count:
            count = max(limit, 1)
        if count == len(items):
            batch = list(items)
            items.clear()
        else:
            batch = [items.popleft() for _ in range(count)]
        if self._senders:
            self._wake_senders()
        return batch

    def __aiter__(self) -> Channel[T]:
        return self

    async def __anext__(self) -> T:
        # receive() again, because a second coroutine per item is what iteration would mostly consist of.
        items = self._items
        if len(items) > self._promised:
            item = items.popleft()
            if self._senders:
                self._wake_senders()
            return item
        try:
            await self._wait_for_item()
        except ChannelClosed as end:
            # An error that close() was given may be a ChannelClosed, too, and is not the end of an iteration.
            if end is self._error:
                raise
            raise StopAsyncIteration from None
        return self._take()

    # The end

    def close(self, error: BaseException | None = None) -> None:
        """Ends the channel; the first call decides.

        Unread items can still be received. Senders that wait, and all later ones, get :class:`ChannelClosed`.

        Args:
            error: what receivers get once nothing is left, in place of :class:`ChannelClosed`.
        """
        if self._closed:
            return
        with self._lock:
            self._closed = True
            self._limit = 0
        self._arrive()
        self._error = error
        self._error_traceback = error.__traceback__ if error is not None else None
        for waiters in (self._receivers, self._senders):
            while waiters:
                waiter = waiters.popleft()
                if not waiter.done():
                    waiter.set_result(False)

    def _raise_if_ended(self) -> None:
        if not self._closed:
            return
        if self._error is None:
            raise ChannelClosed
        # The same exception is raised to every receiver and would collect all their frames.
        raise self._error.with_traceback(self._error_traceback)

    # Waiting and waking

    def _waiter(self, waiters: deque[asyncio.Future[bool]]) -> asyncio.Future[bool]:
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        waiters.append(waiter)
        return waiter

    async def _wait_for_item(self) -> None:
        """Returns with an item in the channel that nobody else was promised; the caller takes it at once."""
        if not self._closed:
            waiter = self._waiter(self._receivers)
            try:
                woken = await waiter
            except BaseException:
                if _was_woken(waiter):
                    self._promised -= 1
                    self._wake_receivers()
                else:
                    _discard(self._receivers, waiter)
                raise
            if woken:
                self._promised -= 1
                return
        self._raise_if_ended()

    def _take(self) -> T:
        item = self._items.popleft()
        if self._senders:
            self._wake_senders()
        return item

    def _wake_receivers(self) -> None:
        while self._receivers and len(self._items) > self._promised:
            waiter = self._receivers.popleft()
            if not waiter.done():
                self._promised += 1
                waiter.set_result(True)

    def _wake_senders(self) -> None:
        while self._senders and len(self._items) < self._limit:
            waiter = self._senders.popleft()
            if not waiter.done():
                self._reserve(1)
                waiter.set_result(True)

    def _reserve(self, places: int) -> None:
        with self._lock:
            if not self._closed:
                self._limit -= places

    def _arrive(self) -> None:
        with self._lock:
            arrived = list(self._arriving)
            self._arriving.clear()
            if not self._closed:
                self._limit += len(arrived)
        self._append(arrived)

    def _append(self, items: list[T]) -> None:
        self._items.extend(items)
        self._sent += len(items)
        self._wake_receivers()


def _was_woken(waiter: asyncio.Future[bool]) -> bool:
    return waiter.done() and not waiter.cancelled() and waiter.result()


def _discard(waiters: deque[asyncio.Future[bool]], waiter: asyncio.Future[bool]) -> None:
    if waiter in waiters:
        waiters.remove(waiter)
