"""Recognition that goes on after the request that asked for it was answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from ..errors import STTError
from .refused import Refused

if TYPE_CHECKING:
    import logging

    from ..transcript import Transcript

__all__ = ["Job", "JobBoard"]

AT_ONCE = 4
"""Jobs of a half that are recognised at once; the others wait their turn."""

KEEP_SECONDS = 7 * 86400.0
"""How long a job is kept once it is over, unless newer ones take its place before."""

JobState = Literal["running", "done", "failed", "cancelled"]


class Closeable(Protocol):
    """Something to be let go of."""

    def close(self) -> None:
        """Lets go."""


class Job:
    """One recognition.

    Attributes:
        id: the half's.
        about: what the half wants to remember of the request.
        created: seconds since 1970.
        state: waiting for its turn counts as running.
        transcript: once it is done.
        error: once it has failed.
    """

    def __init__(self, job_id: str, about: object) -> None:
        self.id = job_id
        self.about = about
        self.created = time.time()
        self.state: JobState = "running"
        self.transcript: Transcript | None = None
        self.error: STTError | None = None
        self.over = asyncio.Event()

    async def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is over, at most so many seconds; returns whether it is."""
        try:
            async with asyncio.timeout(timeout):
                await self.over.wait()
        except TimeoutError:
            return False
        return True


class JobBoard:
    """The jobs of one half.

    Args:
        max_jobs: kept in all. Those that have been over longest make room; when all of them run, a new one is refused.
        log: where a job's failure that is no STTError goes.
        keep: seconds for which a job is kept once it is over.
    """

    def __init__(self, *, max_jobs: int, log: logging.Logger, keep: float = KEEP_SECONDS) -> None:
        self._max_jobs = max_jobs
        self._log = log
        self._keep = keep
        self._jobs: dict[str, Job] = {}
        self._over: dict[str, float] = {}  # since when, by the loop's clock, in that order
        self._tasks: dict[Job, asyncio.Task[None]] = {}  # the id of a job that was deleted may be another's by now
        self._following: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)

    def submit(
        self,
        job_id: str,
        work: Callable[[], Awaitable[Transcript]],
        *,
        about: object = None,
        holding: Sequence[Closeable] = (),
        then: Callable[[Job], Awaitable[None]] | None = None,
    ) -> Job:
        """Starts a job.

        Args:
            job_id: new.
            work: recognises.
            about: see :class:`Job`.
            holding: closed when the job is over, or at once when it is refused.
            then: called once it is done or has failed, and everybody can see that.

        Raises:
            Refused: 429, too many jobs run.
        """
        self._expire()
        if len(self._jobs) >= self._max_jobs:
            over = next(iter(self._over), None)
            if over is None:
                _close(holding)
                raise Refused(429, f"{self._max_jobs} jobs are running, which is what this server takes", retry_after=1)
            self._forget(over)
        job = self._jobs[job_id] = Job(job_id, about)
        task = asyncio.create_task(self._run(job, work), name=f"stt server job {job_id}")
        self._tasks[job] = task
        task.add_done_callback(lambda _: self._finish(job, holding, then))
        return job

    def get(self, job_id: str) -> Job | None:
        """The job, as long as it is kept."""
        self._expire()
        return self._jobs.get(job_id)

    def all(self) -> Sequence[Job]:
        """Those that are kept, the oldest first."""
        self._expire()
        return list(self._jobs.values())

    def delete(self, job_id: str) -> Job | None:
        """Forgets a job, and stops it if it runs; returns it, ``None`` if there is none."""
        self._expire()
        job = self._forget(job_id)
        if job is not None and (task := self._tasks.get(job)) is not None:
            task.cancel()
        return job

    async def aclose(self) -> None:
        """Stops all of them."""
        tasks = [*self._tasks.values(), *self._following]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, job: Job, work: Callable[[], Awaitable[Transcript]]) -> None:
        try:
            async with self._turns:
                job.transcript = await work()
            job.state = "done"
        except STTError as error:
            job.error, job.state = error, "failed"
        except Exception:  # noqa: BLE001  (nobody awaits this task: what is not told here is never told)
            self._log.exception("the job %s failed", job.id)
            job.error, job.state = STTError("the server failed; its log says why"), "failed"

    def _finish(self, job: Job, holding: Sequence[Closeable], then: Callable[[Job], Awaitable[None]] | None) -> None:
        if job.state == "running":
            job.state = "cancelled"
        _close(holding)
        del self._tasks[job]
        if self._jobs.get(job.id) is job:
            self._over[job.id] = asyncio.get_running_loop().time()
        job.over.set()
        if then is None or job.state == "cancelled":
            return
        if len(self._following) >= self._max_jobs:
            self._log.warning("what should follow the job %s is left out: too much is going on already", job.id)
            return
        task = asyncio.create_task(self._follow(job, then), name=f"stt server job {job.id} is over")
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def _follow(self, job: Job, then: Callable[[Job], Awaitable[None]]) -> None:
        try:
            await then(job)
        except Exception:  # noqa: BLE001  (as above)
            self._log.exception("what followed the job %s failed", job.id)

    def _expire(self) -> None:
        # Whenever somebody asks: what nobody asks for is bounded all the same, and no timer is needed.
        due = asyncio.get_running_loop().time() - self._keep
        while (oldest := next(iter(self._over), None)) is not None and self._over[oldest] <= due:
            self._forget(oldest)

    def _forget(self, job_id: str) -> Job | None:
        self._over.pop(job_id, None)
        return self._jobs.pop(job_id, None)


def _close(holding: Sequence[Closeable]) -> None:
    for each in holding:
        each.close()
