"""The bounded queue that events travel in."""

from __future__ import annotations

import asyncio
import gc
import threading
import traceback
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stt_core.channel import Channel, ChannelClosed, ChannelEmpty, ChannelFull
from stt_core.testing.clock import virtual_time

# What must hold in plain cases


def test_items_come_out_in_order_and_are_counted() -> None:
    """First in, first out; len() is what is unread; tickets count from 0."""
    channel: Channel[str] = Channel(3)
    assert [channel.send_nowait(item) for item in "abc"] == [0, 1, 2]
    assert (len(channel), channel.capacity, channel.closed) == (3, 3, False)
    assert [channel.receive_nowait() for _ in range(3)] == ["a", "b", "c"]
    with pytest.raises(ChannelEmpty):
        channel.receive_nowait()


def test_a_full_channel_refuses() -> None:
    """The capacity is a bound, and reading makes room again."""
    channel: Channel[int] = Channel(1)
    channel.send_nowait(1)
    with pytest.raises(ChannelFull):
        channel.send_nowait(2)
    channel.receive_nowait()
    channel.send_nowait(2)
    assert len(channel) == 1


def test_a_channel_without_room_for_anything_cannot_be_made() -> None:
    """The capacity is at least 1."""
    with pytest.raises(ValueError, match="at least 1, not 0"):
        Channel[int](0)


def test_replace_overwrites_what_is_unread() -> None:
    """An unread item is replaced in its place; a received one is not, and nothing else changes."""
    channel: Channel[str] = Channel(8)
    tickets = [channel.send_nowait(item) for item in "abc"]
    channel.receive_nowait()
    assert [channel.replace(ticket, "x") for ticket in tickets[:2]] == [False, True]
    assert channel.replace(tickets[1], "y")
    assert [channel.receive_nowait() for _ in range(2)] == ["y", "c"]
    assert not channel.replace(tickets[2], "z")


@pytest.mark.parametrize("error", [None, KeyError("why"), ChannelClosed("as an error")])
@virtual_time
async def test_close_leaves_what_is_unread_and_then_says_why(error: Exception | None) -> None:
    """Unread items survive; after them every receiver gets the error that close() was given, or ChannelClosed."""
    channel: Channel[int] = Channel(2)
    channel.send_nowait(1)
    channel.close(error)
    channel.close(ZeroDivisionError("too late"))
    with pytest.raises(ChannelClosed):
        channel.send_nowait(2)
    with pytest.raises(ChannelClosed):
        await channel.send(2)
    with pytest.raises(ChannelClosed):
        channel.send_threadsafe(2)
    assert channel.closed
    assert await channel.receive() == 1
    for receive in (channel.receive, channel.receive_batch):
        with pytest.raises(type(error) if error else ChannelClosed) as raised:
            await receive()
        assert error is None or raised.value is error
    with pytest.raises(type(error) if error else ChannelClosed):
        channel.receive_nowait()


@virtual_time
async def test_iteration_ends_with_the_channel() -> None:
    """async for takes everything and stops at a close, whether the items were there or had to be waited for."""
    channel: Channel[int] = Channel(2)

    async def send_all() -> None:
        for item in range(10):
            await channel.send(item)
        channel.close()

    sender = asyncio.create_task(send_all())
    assert [item async for item in channel] == list(range(10))
    await sender


@pytest.mark.parametrize("error", [KeyError("why"), ChannelClosed("as an error")])
@virtual_time
async def test_iteration_raises_the_error_of_close(error: Exception) -> None:
    """An error is never taken for a clean end, not even one that is a ChannelClosed."""
    channel: Channel[int] = Channel(2)
    channel.send_nowait(1)
    channel.close(error)
    assert await anext(channel) == 1
    with pytest.raises(type(error)):
        await anext(channel)


@virtual_time
async def test_a_raised_error_does_not_collect_tracebacks() -> None:
    """However often the error is raised, its traceback is that of its origin and of the last raise."""
    channel: Channel[int] = Channel(1)
    with pytest.raises(ZeroDivisionError) as origin:
        _ = 1 / len(channel)
    channel.close(origin.value)
    lengths: list[int] = []
    for _ in range(3):
        with pytest.raises(ZeroDivisionError) as raised:
            await channel.receive()
        lengths.append(len(traceback.extract_tb(raised.value.__traceback__)))
    assert len(set(lengths)) == 1
    assert "1 / len(channel)" in traceback.format_exception(origin.value)[-2]


@virtual_time
async def test_receiving_what_is_there_does_not_suspend() -> None:
    """A consumer with unread items gets them without a round of the event loop."""
    channel: Channel[int] = Channel(4)
    for item in range(4):
        channel.send_nowait(item)
    turns: list[bool] = []
    asyncio.get_running_loop().call_soon(turns.append, True)
    assert await channel.receive() == 0
    assert await channel.receive_batch(1) == [1]
    assert await anext(channel) == 2
    assert await channel.receive_batch() == [3]
    await channel.send(4)
    assert not turns


@virtual_time
async def test_a_batch_waits_for_the_first_item_and_takes_all() -> None:
    """receive_batch() never returns nothing, and never less than there is within its limit."""
    channel: Channel[int] = Channel(8)
    batch = asyncio.create_task(channel.receive_batch())
    await asyncio.sleep(1)
    assert not batch.done()
    for item in range(5):
        channel.send_nowait(item)
    assert await batch == [0, 1, 2, 3, 4]
    for item in range(5):
        channel.send_nowait(item)
    assert await channel.receive_batch(3) == [0, 1, 2]
    assert await channel.receive_batch(3) == [3, 4]


@virtual_time
async def test_a_woken_receiver_cannot_be_robbed() -> None:
    """An item for which a receiver was woken is kept for it."""
    channel: Channel[int] = Channel(8)
    receiver = asyncio.create_task(channel.receive())
    await asyncio.sleep(0)
    channel.send_nowait(1)
    with pytest.raises(ChannelEmpty):
        channel.receive_nowait()
    assert await receiver == 1


@virtual_time
async def test_a_woken_sender_cannot_be_robbed() -> None:
    """A place for which a sender was woken is kept for it."""
    channel: Channel[int] = Channel(1)
    channel.send_nowait(1)
    sender = asyncio.create_task(channel.send(2))
    await asyncio.sleep(0)
    assert channel.receive_nowait() == 1
    with pytest.raises(ChannelFull):
        channel.send_nowait(3)
    assert await sender == 1
    assert channel.receive_nowait() == 2


@virtual_time
async def test_waiting_is_ended_by_close() -> None:
    """Senders and receivers that wait are told, those with an item or none alike; a sender's item does not get in."""
    full: Channel[int] = Channel(1)
    full.send_nowait(1)
    waiting, woken = asyncio.create_task(full.send(2)), asyncio.create_task(full.send(3))
    empty: Channel[int] = Channel(1)
    receiver = asyncio.create_task(empty.receive())
    await asyncio.sleep(0)
    assert full.receive_nowait() == 1
    full.close()
    empty.close(KeyError("why"))
    outcomes = await asyncio.gather(waiting, woken, receiver, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ChannelClosed, ChannelClosed, KeyError]
    assert len(full) == 0


@virtual_time
async def test_a_promise_to_one_who_is_cancelled_goes_to_the_next() -> None:
    """The item or the place for which a waiter was woken is not forgotten with it."""
    channel: Channel[int] = Channel(1)
    receivers = [asyncio.create_task(channel.receive()) for _ in range(2)]
    await asyncio.sleep(0)
    channel.send_nowait(1)
    receivers[0].cancel()
    assert await receivers[1] == 1
    channel.send_nowait(2)
    senders = [asyncio.create_task(channel.send(item)) for item in (3, 4)]
    await asyncio.sleep(0)
    assert channel.receive_nowait() == 2
    senders[0].cancel()
    await senders[1]
    assert channel.receive_nowait() == 4


@virtual_time
async def test_a_batch_makes_room_for_all_who_wait() -> None:
    """As many senders go on as there are places."""
    channel: Channel[int] = Channel(2)
    senders = [asyncio.create_task(channel.send(item)) for item in range(4)]
    await asyncio.sleep(0)
    assert await channel.receive_batch() == [0, 1]
    await asyncio.gather(*senders)
    assert await channel.receive_batch() == [2, 3]


def live_futures() -> int:
    gc.collect()
    return sum(isinstance(value, asyncio.Future) for value in gc.get_objects())


@virtual_time
async def test_cancelled_waiters_leave_nothing_behind() -> None:
    """A consumer that polls with a time-out does not fill the channel with dead waiters, nor does a producer."""
    channel: Channel[int] = Channel(1)

    async def poll_in_vain(times: int) -> int:
        for _ in range(times):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(channel.send(2) if len(channel) else channel.receive(), 1)
        return live_futures()

    assert await poll_in_vain(1) == await poll_in_vain(5)
    channel.send_nowait(1)
    assert await poll_in_vain(1) == await poll_in_vain(5)
    assert await channel.receive_batch() == [1]


# Threads


@virtual_time
async def test_threads_send_in_order_and_lose_nothing() -> None:
    """What several threads send arrives once, each thread's items in their order; there is room for the capacity."""
    threads, each = 4, 500
    channel: Channel[tuple[int, int]] = Channel(8)
    room = threading.Semaphore(channel.capacity)
    loop = asyncio.get_running_loop()
    left = threads

    def one_less() -> None:
        nonlocal left
        left -= 1
        if not left:
            channel.close()

    def send_all(thread: int) -> None:
        for number in range(each):
            room.acquire()
            channel.send_threadsafe((thread, number))
        loop.call_soon_threadsafe(one_less)

    workers = [threading.Thread(target=send_all, args=(thread,)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    seen: list[tuple[int, int]] = []
    async for item in channel:
        seen.append(item)
        room.release()
    for worker in workers:
        worker.join()
    assert len(seen) == threads * each
    for thread in range(threads):
        assert [number for origin, number in seen if origin == thread] == list(range(each))


@virtual_time
async def test_items_on_their_way_count_and_are_in_time_for_a_close() -> None:
    """A thread cannot send more than the capacity before the loop comes round, nor can the loop's own senders."""
    channel: Channel[int] = Channel(2)
    channel.send_threadsafe(1)
    channel.send_threadsafe(2)
    assert len(channel) == 0
    for send in (channel.send_threadsafe, channel.send_nowait):
        with pytest.raises(ChannelFull):
            send(3)
    channel.close()
    assert await channel.receive_batch() == [1, 2]
    await asyncio.sleep(0)
    with pytest.raises(ChannelClosed):
        await channel.receive()


@virtual_time
async def test_a_thread_wakes_a_receiver_that_waits() -> None:
    """An arriving item gets its ticket and its receiver."""
    channel: Channel[int] = Channel(2)
    receiver = asyncio.create_task(channel.receive())
    await asyncio.sleep(0)
    thread = threading.Thread(target=channel.send_threadsafe, args=(7,))
    thread.start()
    assert await receiver == 7
    thread.join()
    assert channel.send_nowait(8) == 1


def test_a_closed_loop_is_a_closed_channel() -> None:
    """An audio callback that outlives the event loop gets ChannelClosed, each time."""

    async def make() -> Channel[int]:
        return Channel(2)

    channel = asyncio.run(make())
    for _ in range(3):
        with pytest.raises(ChannelClosed):
            channel.send_threadsafe(1)


def test_threads_need_a_loop() -> None:
    """A channel that no loop has used yet says so; waiting on it binds it."""
    channel: Channel[int] = Channel(2)
    with pytest.raises(RuntimeError, match="inside a running one"):
        channel.send_threadsafe(1)

    async def use() -> int:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(channel.receive(), 0)
        receiver = asyncio.create_task(channel.receive())
        await asyncio.sleep(0)
        channel.send_threadsafe(2)
        return await receiver

    assert asyncio.run(use()) == 2


# Any schedule of senders, receivers, cancellations, replacements, threads' items and a close, against a plain list


class ChannelMachine(RuleBasedStateMachine):
    """The model is the list of all items accepted, by ticket, and how many of them have been taken."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.accepted: list[int] = []
        self.taken: list[int] = []
        self.arriving: list[int] = []
        self.next_item = 0
        self.closed = False
        self.senders: list[asyncio.Task[None]] = []
        self.receivers: list[asyncio.Task[None]] = []

    @initialize(capacity=st.integers(1, 4))
    def make(self, capacity: int) -> None:
        async def in_the_loop() -> Channel[int]:
            return Channel(capacity)

        self.channel = self.loop.run_until_complete(in_the_loop())

    def new_item(self) -> int:
        self.next_item += 1
        return self.next_item

    def arrived(self) -> None:
        self.accepted += self.arriving
        self.arriving.clear()

    def accept(self, ticket: int, item: int) -> None:
        # Items from threads get their tickets whenever the loop comes round to them.
        while len(self.accepted) < ticket:
            self.accepted.append(self.arriving.pop(0))
        assert ticket == len(self.accepted)
        self.accepted.append(item)

    def take(self, items: list[int]) -> None:
        while len(self.accepted) < len(self.taken) + len(items):
            self.accepted.append(self.arriving.pop(0))
        assert items == self.accepted[len(self.taken) : len(self.taken) + len(items)]
        self.taken += items

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self.loop.create_task(coroutine)

    def turn(self) -> None:
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    @rule()
    def let_the_loop_turn(self) -> None:
        self.turn()

    @rule()
    def send_nowait(self) -> None:
        item = self.new_item()
        try:
            self.accept(self.channel.send_nowait(item), item)
        except ChannelClosed:
            assert self.closed
        except ChannelFull:
            assert not self.closed
            promised = len(self.channel) + len(self.arriving) + len(self.senders)
            assert promised >= self.channel.capacity

    @rule(turn=st.booleans())
    def send(self, turn: bool) -> None:
        item = self.new_item()

        async def send() -> None:
            try:
                self.accept(await self.channel.send(item), item)
            except ChannelClosed:
                assert self.closed

        self.senders.append(self.spawn(send()))
        if turn:
            self.turn()

    @rule()
    def send_threadsafe(self) -> None:
        item = self.new_item()
        try:
            self.channel.send_threadsafe(item)
            self.arriving.append(item)
        except ChannelClosed:
            assert self.closed
        except ChannelFull:
            assert not self.closed
            promised = len(self.channel) + len(self.arriving) + len(self.senders)
            assert promised >= self.channel.capacity

    @rule()
    def receive_nowait(self) -> None:
        try:
            self.take([self.channel.receive_nowait()])
        except ChannelClosed:
            assert self.closed
        except ChannelEmpty:
            assert len(self.channel) <= len(self.receivers)

    @rule(limit=st.sampled_from([0, 1, 2, None]), turn=st.booleans())
    def receive(self, limit: int | None, turn: bool) -> None:
        async def receive() -> None:
            try:
                if limit == 0:
                    self.take([await self.channel.receive()])
                else:
                    batch = await self.channel.receive_batch(limit)
                    assert 1 <= len(batch) <= (limit or len(batch))
                    self.take(batch)
            except ChannelClosed:
                assert self.closed

        self.receivers.append(self.spawn(receive()))
        if turn:
            self.turn()

    @precondition(lambda self: self.senders)
    @rule(data=st.data())
    def cancel_a_sender(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.senders), label="sender").cancel()

    @precondition(lambda self: self.receivers)
    @rule(data=st.data())
    def cancel_a_receiver(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.receivers), label="receiver").cancel()

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def replace(self, data: st.DataObject) -> None:
        ticket = data.draw(st.integers(0, len(self.accepted) - 1), label="ticket")
        item = self.new_item()
        assert self.channel.replace(ticket, item) == (ticket >= len(self.taken))
        if ticket >= len(self.taken):
            self.accepted[ticket] = item

    @rule()
    def close(self) -> None:
        self.channel.close()
        self.arrived()
        self.closed = True

    @invariant()
    def it_agrees_with_the_model(self) -> None:
        if not hasattr(self, "channel"):
            return
        for task in [*self.senders, *self.receivers]:
            if task.done() and not task.cancelled():
                task.result()
        self.senders = [task for task in self.senders if not task.done()]
        self.receivers = [task for task in self.receivers if not task.done()]
        unread = len(self.accepted) - len(self.taken)
        assert len(self.channel) - len(self.arriving) <= unread <= len(self.channel)
        assert len(self.channel) <= self.channel.capacity
        assert self.channel.closed == self.closed

    def come_to_rest(self) -> None:
        for _ in range(4 * (1 + len(self.senders) + len(self.receivers))):
            self.turn()
            self.it_agrees_with_the_model()

    def teardown(self) -> None:
        if hasattr(self, "channel"):
            self.come_to_rest()
            assert not (self.receivers and len(self.channel)), "a receiver sleeps beside an item"
            assert not (self.senders and len(self.channel) < self.channel.capacity), "a sender sleeps beside a place"
            self.channel.close()
            self.closed = True
            self.come_to_rest()
            assert not self.receivers
            assert not self.senders
            while len(self.channel):
                self.take([self.channel.receive_nowait()])
            assert self.taken == self.accepted
        self.loop.close()


TestAnySchedule = ChannelMachine.TestCase
TestAnySchedule.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
