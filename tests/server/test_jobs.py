"""Recognition that outlives its request: bounded, and over when the server is."""

from __future__ import annotations

import asyncio
import io
import logging

import pytest

from stt_core.errors import JobFailedError
from stt_core.server import Job, JobBoard, Refused
from stt_core.server.jobs import AT_ONCE
from stt_core.testing.clock import virtual_time
from stt_core.transcript import Transcript

LOG = logging.getLogger("test")


class Work:
    """Recognises when it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.go = asyncio.Event()
        self.begun = asyncio.Event()
        self.error = error

    async def __call__(self) -> Transcript:
        self.begun.set()
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return Transcript("done")


@virtual_time
async def test_a_job_is_done_when_its_work_is() -> None:
    """Its transcript is there then, what it held is let go of, and it is kept to be asked for."""
    board = JobBoard(max_jobs=2, log=LOG)
    work, file = Work(), io.BytesIO()
    job = board.submit("1", work, about="call.wav", holding=[file])
    assert (job.state, job.about, await job.wait(5), file.closed) == ("running", "call.wav", False, False)
    work.go.set()
    assert await job.wait()
    assert job.transcript
    assert (job.state, job.transcript.text, file.closed, board.get("1")) == ("done", "done", True, job)


@virtual_time
async def test_a_job_that_fails_keeps_its_error(caplog: pytest.LogCaptureFixture) -> None:
    """The provider's own, or for a bug one that tells nothing, whose story is in the log."""
    board = JobBoard(max_jobs=2, log=LOG)
    told, bug = Work(JobFailedError("no speech")), Work(KeyError("inside"))
    jobs = [board.submit("1", told), board.submit("2", bug)]
    for work, job in zip((told, bug), jobs, strict=True):
        work.go.set()
        await job.wait()
    assert [(job.state, str(job.error)) for job in jobs] == [
        ("failed", "no speech"),
        ("failed", "the server failed; its log says why"),
    ]
    assert "KeyError: 'inside'" in caplog.text


@virtual_time
async def test_the_oldest_that_is_over_makes_room() -> None:
    """When all run, one more is refused with 429 and what it held is let go of."""
    board = JobBoard(max_jobs=2, log=LOG)
    first, second, file = Work(), Work(), io.BytesIO()
    board.submit("1", first)
    job = board.submit("2", second)
    with pytest.raises(Refused, match="2 jobs") as refused:
        board.submit("3", Work(), holding=[file])
    assert (refused.value.status, file.closed) == (429, True)
    second.go.set()
    await job.wait()
    board.submit("3", Work())
    assert [each.id for each in board.all()] == ["1", "3"]
    await board.aclose()


@virtual_time
async def test_those_that_have_been_over_longest_make_room() -> None:
    """Not those that were submitted first: a result is there to be fetched for as long as can be."""
    board = JobBoard(max_jobs=2, log=LOG)
    first, second = Work(), Work()
    jobs = [board.submit("1", first), board.submit("2", second)]
    for work, job in ((second, jobs[1]), (first, jobs[0])):
        work.go.set()
        await job.wait()
    board.submit("3", Work())
    assert [each.id for each in board.all()] == ["1", "3"]
    await board.aclose()


@virtual_time
async def test_a_job_expires_some_time_after_it_is_over() -> None:
    """It is kept for so long from its end on, however long it ran; then it is as if it had never been."""
    board = JobBoard(max_jobs=9, log=LOG, keep=60)
    work, running = Work(), Work()
    job = board.submit("1", work)
    board.submit("2", running)
    await asyncio.sleep(100)
    work.go.set()
    await job.wait()
    await asyncio.sleep(59)
    assert board.get("1") is job
    await asyncio.sleep(1)
    assert board.get("1") is None
    assert [each.id for each in board.all()] == ["2"]
    assert board.delete("1") is None
    await board.aclose()


@virtual_time
async def test_an_id_may_be_used_again() -> None:
    """The end of a job that was deleted does not make the new one of its name look over."""
    board = JobBoard(max_jobs=1, log=LOG, keep=60)
    board.submit("1", Work())
    board.delete("1")
    again = board.submit("1", Work())
    await asyncio.sleep(100)
    assert board.get("1") is again
    with pytest.raises(Refused):
        board.submit("2", Work())
    await board.aclose()


@virtual_time
async def test_only_some_are_recognised_at_once() -> None:
    """The others wait their turn, in order."""
    board = JobBoard(max_jobs=AT_ONCE + 1, log=LOG)
    works = [Work() for _ in range(AT_ONCE + 1)]
    for number, work in enumerate(works):
        board.submit(str(number), work)
    await asyncio.sleep(1)
    assert [work.begun.is_set() for work in works] == [True] * AT_ONCE + [False]
    works[0].go.set()
    await works[-1].begun.wait()
    await board.aclose()


@virtual_time
async def test_a_job_that_is_deleted_stops() -> None:
    """It is gone at once, its work is cancelled and what it held is let go of, also when its turn had not come."""
    board = JobBoard(max_jobs=9, log=LOG)
    files = [io.BytesIO() for _ in range(AT_ONCE + 1)]
    jobs = [board.submit(str(number), Work(), holding=[file]) for number, file in enumerate(files)]
    for job in jobs:
        assert board.delete(job.id) is job
        assert board.get(job.id) is None
        await job.wait()
        assert job.state == "cancelled"
    assert all(file.closed for file in files)
    assert board.delete("0") is None


@virtual_time
async def test_closing_the_board_stops_all_of_them() -> None:
    """No task is left; jobs that are over stay as they are."""
    board = JobBoard(max_jobs=9, log=LOG)
    work = Work()
    done = board.submit("1", work)
    work.go.set()
    await done.wait()
    running = board.submit("2", Work())
    await board.aclose()
    assert (done.state, running.state) == ("done", "cancelled")
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual_time
async def test_what_follows_a_job_sees_that_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    """Once it is done or has failed, and not when it was deleted; the board waits for nothing of it to close."""
    board = JobBoard(max_jobs=4, log=LOG)
    seen: list[tuple[str, str, bool]] = []
    never = asyncio.Event()

    async def then(job: Job) -> None:
        seen.append((job.id, job.state, job.over.is_set()))
        if job.id == "3":
            raise KeyError("inside")
        if job.id == "4":
            await never.wait()

    works = {name: Work(JobFailedError("no speech") if name == "2" else None) for name in ("1", "2", "3", "4")}
    jobs = [board.submit(name, work, then=then) for name, work in works.items()]
    for name, work in works.items():
        work.go.set()
        await jobs[int(name) - 1].wait()
    await asyncio.sleep(0)
    assert sorted(seen) == [("1", "done", True), ("2", "failed", True), ("3", "done", True), ("4", "done", True)]
    assert "what followed the job 3 failed" in caplog.text
    await board.aclose()


@virtual_time
async def test_nothing_follows_a_job_that_was_deleted() -> None:
    """Nobody waits for it any more."""
    board = JobBoard(max_jobs=4, log=LOG)
    followed: list[Job] = []

    async def then(job: Job) -> None:
        followed.append(job)

    job = board.submit("1", Work(), then=then)
    board.delete("1")
    await job.wait()
    await asyncio.sleep(0)
    assert followed == []
    await board.aclose()
