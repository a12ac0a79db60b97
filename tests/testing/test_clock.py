"""The event loop with virtual time."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.testing.clock import DeadlockError, LeftoverError, VirtualTimeLoop, virtual_time, virtual_time_run

HOUR = 3600.0


async def wait_for_ever() -> NoReturn:
    await asyncio.Event().wait()
    raise AssertionError("nobody set the event")


@virtual_time
async def test_sleeping_takes_virtual_time_only() -> None:
    """An hour of sleep is an hour on the loop's clock, and next to nothing on the wall's."""
    loop = asyncio.get_running_loop()
    started, real = loop.time(), time.monotonic()
    await asyncio.sleep(HOUR)
    assert loop.time() - started == HOUR
    assert time.monotonic() - real < HOUR


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
@virtual_time
async def test_timers_fire_in_order_and_on_time(delays: list[float]) -> None:
    """Whatever is scheduled, each timer fires at its own time, earlier ones first."""
    loop = asyncio.get_running_loop()
    fired: list[tuple[float, float]] = []
    for delay in delays:
        loop.call_later(delay, lambda delay=delay: fired.append((delay, loop.time())))
    await asyncio.sleep(max(delays) + 1)
    assert [delay for delay, _ in fired] == sorted(delays)
    assert all(at == pytest.approx(delay, abs=1e-8) for delay, at in fired)


@virtual_time
async def test_timeouts_are_exact() -> None:
    """asyncio's own time-outs run on the virtual clock."""
    loop = asyncio.get_running_loop()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10):
            await wait_for_ever()
    assert loop.time() == 10


def test_a_result_is_handed_back_and_the_start_can_be_chosen() -> None:
    """virtual_time_run() returns what the coroutine returns."""

    async def now() -> float:
        return asyncio.get_running_loop().time()

    assert virtual_time_run(now(), start=1e6) == 1e6


def test_time_goes_on_where_floats_are_coarse() -> None:
    """A timer whose delay is lost in rounding does not spin for ever."""

    async def main() -> float:
        await asyncio.sleep(1e-9)
        return asyncio.get_running_loop().time()

    assert virtual_time_run(main(), start=1e15) >= 1e15


def test_a_hang_is_reported_with_the_place_that_hangs() -> None:
    """Where nothing can ever happen again the run fails and names the function that waits."""
    with pytest.raises(DeadlockError, match="wait_for_ever"):
        virtual_time_run(wait_for_ever(), patience=0)


def test_a_task_left_behind_fails_the_run() -> None:
    """A pending task at the end is an error, and it is cancelled nevertheless."""
    cancelled: list[bool] = []

    async def forgotten() -> None:
        try:
            await asyncio.sleep(HOUR)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def main() -> asyncio.Task[None]:
        return asyncio.create_task(forgotten())

    with pytest.raises(LeftoverError, match="forgotten"):
        virtual_time_run(main())
    assert cancelled


def test_a_task_that_is_about_to_end_may_end() -> None:
    """A task that needs its turn but no time is no leftover."""

    async def two_turns() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def main() -> asyncio.Task[None]:
        return asyncio.create_task(two_turns())

    assert virtual_time_run(main()).done()


def test_an_exception_in_a_callback_fails_the_run() -> None:
    """What asyncio would only log fails the test."""

    def fail() -> None:
        raise KeyError("lost")

    async def main() -> None:
        asyncio.get_running_loop().call_soon(fail)
        await asyncio.sleep(1)

    with pytest.raises(LeftoverError, match="lost") as raised:
        virtual_time_run(main())
    assert isinstance(raised.value.__cause__, KeyError)


def test_the_tests_own_exception_comes_first() -> None:
    """A failing test is reported as such, whatever it leaves behind."""

    async def main() -> None:
        task = asyncio.create_task(wait_for_ever())
        raise KeyError(task.get_name())

    with pytest.raises(KeyError):
        virtual_time_run(main())


@virtual_time
async def test_time_stands_still_while_an_executor_works() -> None:
    """A time-out does not fire early because a thread has not had the chance to answer."""
    release = threading.Event()
    asyncio.get_running_loop().call_soon(release.set)
    async with asyncio.timeout(0.001):
        assert await asyncio.to_thread(release.wait, 60)
    assert asyncio.get_running_loop().time() == 0


@virtual_time
async def test_a_thread_can_wake_a_loop_that_has_nothing_scheduled() -> None:
    """call_soon_threadsafe() works as on any loop."""
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(woken.set))
    thread.start()
    await woken.wait()
    thread.join()


@virtual_time
async def test_input_comes_before_timers() -> None:
    """Bytes that wait in a socket are read before time jumps."""
    near, far = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=near)
    far.sendall(b"x")
    async with asyncio.timeout(1):
        assert await reader.readexactly(1) == b"x"
    assert asyncio.get_running_loop().time() == 0
    writer.close()
    await writer.wait_closed()
    far.close()


def test_the_loop_works_without_the_helper() -> None:
    """It is an ordinary event loop to asyncio.Runner."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(asyncio.sleep(HOUR))
        assert runner.get_loop().time() == HOUR
