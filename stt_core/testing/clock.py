"""An event loop whose time passes only when nobody has anything left to do.

On a :class:`VirtualTimeLoop` ``await asyncio.sleep(3600)`` takes no time at all and yet comes after everything that is
due earlier: a test of a time-out is exact and quick, and a test that hangs fails with a list of what was waiting. Only
the loop's own clock is virtual (``loop.time()`` and all timers of asyncio); ``time.monotonic()`` is not.

::

    @virtual_time
    async def test_patience() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 3600)
"""

from __future__ import annotations

import asyncio
import functools
import math
import selectors
import time
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from _typeshed import FileDescriptorLike

__all__ = ["DeadlockError", "LeftoverError", "VirtualTimeLoop", "virtual_time", "virtual_time_run"]

P = ParamSpec("P")
T = TypeVar("T")

_SETTLING_TURNS = 10


class DeadlockError(AssertionError):
    """Everything waits, and nothing is scheduled that could end it."""


class LeftoverError(AssertionError):
    """The coroutine is done, and a task still runs or an error was left to the loop's exception handler."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A selector event loop that jumps to its next timer whenever nothing is ready.

    Sockets and pipes work and come first: time jumps only when none of them has anything at that moment. While a job of
    an executor runs (``asyncio.to_thread``, name resolution), and when nothing is scheduled at all, the loop really
    waits, so threads can wake it.

    Args:
        start: what :meth:`time` says first, in seconds.
        patience: for how many real seconds the loop waits for a thread or a socket before it jumps all the same, or
            raises :class:`DeadlockError` when there is nothing to jump to.
    """

    def __init__(self, *, start: float = 0.0, patience: float = 5.0) -> None:
        self._now = start
        self._patience = patience
        self._executor_jobs = 0
        super().__init__(_VirtualTimeSelector(self._wait))
        self._jump(0)

    def time(self) -> float:
        """Virtual seconds."""
        return self._now

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """As usual; time stands still until the job is done."""
        future = super().run_in_executor(executor, func, *args)
        self._executor_jobs += 1
        future.add_done_callback(self._executor_job_done)
        return future

    def _executor_job_done(self, _: asyncio.Future[Any]) -> None:
        self._executor_jobs -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """As usual, but without a time-out, which would be over at once."""
        await super().shutdown_default_executor()

    def _wait(self, selector: selectors.BaseSelector, timeout: float | None) -> _Ready:
        ready = selector.select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None or self._executor_jobs:
            ready = self._really_wait(selector)
            if not ready and timeout is None:
                raise DeadlockError(f"everything waits and nothing is scheduled: {_describe(asyncio.all_tasks(self))}")
        if not ready and timeout is not None:
            self._jump(timeout)
        return ready

    def _jump(self, seconds: float) -> None:
        self._now += seconds
        # asyncio runs what is due before now + resolution. After half a year a nanosecond is lost in rounding, and a
        # timer that is due now would never run.
        self._clock_resolution = max(1e-9, math.ulp(self._now))

    def _really_wait(self, selector: selectors.BaseSelector) -> _Ready:
        deadline = time.monotonic() + self._patience
        # A signal ends select() early and empty-handed.
        while (left := deadline - time.monotonic()) > 0:
            if ready := selector.select(left):
                return ready
        return []


_Ready = list[tuple[selectors.SelectorKey, int]]


class _VirtualTimeSelector(selectors.BaseSelector):
    def __init__(self, wait: Callable[[selectors.BaseSelector, float | None], _Ready]) -> None:
        self._real = selectors.DefaultSelector()
        self._wait = wait

    def select(self, timeout: float | None = None) -> _Ready:
        return self._wait(self._real, timeout)

    def register(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


def virtual_time_run(main: Coroutine[Any, Any, T], *, start: float = 0.0, patience: float = 5.0) -> T:
    """Runs a coroutine on a :class:`VirtualTimeLoop` of its own, and sees to it that nothing outlives it.

    A task that only needs its turn to end is given it; time does not pass for it.

    Raises:
        DeadlockError: the coroutine hangs.
        LeftoverError: a task was left running, or an exception reached the loop's handler (a callback failed, a task's
            exception was never looked at).
    """
    complaints: list[Mapping[str, Any]] = []

    def complain(_: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        complaints.append(context)

    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(start=start, patience=patience)) as runner:
        loop = runner.get_loop()
        loop.set_exception_handler(complain)
        result = runner.run(main)
        for _ in range(_SETTLING_TURNS):
            runner.run(asyncio.sleep(0))
        if leftover := asyncio.all_tasks(loop):
            raise LeftoverError(f"still running at the end: {_describe(leftover)}")
    if complaints:
        texts = [f"{context.get('message')} ({context.get('exception')!r})" for context in complaints]
        raise LeftoverError("; ".join(texts)) from complaints[0].get("exception")
    return result


def virtual_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Makes an asynchronous test a synchronous one that runs under :func:`virtual_time_run`.

    Fixtures and ``@given`` work as with any other test; asynchronous fixtures do not, they belong to another loop.
    """

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return virtual_time_run(test(*args, **kwargs))

    return run


def _describe(tasks: set[asyncio.Task[Any]]) -> str:
    return "; ".join(sorted(map(_describe_task, tasks))) or "no task is left"


def _describe_task(task: asyncio.Task[Any]) -> str:
    where = ", ".join(
        f"{frame.f_code.co_name} at {frame.f_code.co_filename}:{frame.f_lineno}" for frame in task.get_stack()
    )
    return f"{task.get_name()} in {where or 'nothing yet'}"
