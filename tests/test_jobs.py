"""Jobs: when the vendor is asked, what ends the wait, and what is told of a job that did not go well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from math import isclose
from random import Random
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.errors import (
    AuthenticationError,
    ConfigError,
    ConnectionLostError,
    JobError,
    JobExpiredError,
    JobFailedError,
    JobNotFoundError,
    JobTimeoutError,
    ProtocolError,
    RateLimitError,
    ResultNotReadyError,
    ServerError,
    StreamClosedError,
    STTError,
    STTTimeoutError,
    UnsupportedError,
)
from stt_core.jobs import Job, JobBackend, JobInfo, JobProgress, JobStatus, Polling
from stt_core.testing.clock import virtual_time, virtual_time_run
from stt_core.testing.scripted import ScriptedSTT
from stt_core.transcript import Transcript

if TYPE_CHECKING:
    from stt_core.audio.decode import AudioInput
    from stt_core.registry import Resolved

RUNNING = JobStatus("processing", "running")
DONE = JobStatus("done", "done")
SILENCE = bytes(32_000)


class ScriptedBackend(JobBackend):
    """Gives the answers of a script, one after the other and the last one for ever, and notes when it was asked."""

    polling = Polling(1.0, 2.0, 10.0)
    formats = ("json", "txt")

    def __init__(self, *answers: JobStatus | STTError, upload_seconds: float = 0.0) -> None:
        self.answers = list(answers) or [DONE]
        self.results: list[Transcript | STTError] = [Transcript("hello")]
        self.deletions: list[STTError | None] = [None]
        self.upload_seconds = upload_seconds
        self.asked: list[float] = []
        self.calls: list[str] = []
        self.body = b'{"text": "hello"}'

    async def submit(self, audio: AudioInput, settings: Resolved) -> str:
        await asyncio.sleep(self.upload_seconds)
        self.calls.append("submit")
        return "job-1"

    async def status(self, job_id: str, settings: Resolved) -> JobStatus:
        self.asked.append(asyncio.get_running_loop().time())
        return _next(self.answers)

    async def info(self, job_id: str, settings: Resolved) -> JobInfo:
        self.calls.append("info")
        return JobInfo(job_id, "error", "rejected", errors=("too long", "too loud"))

    async def result(self, job_id: str, settings: Resolved) -> Transcript:
        self.calls.append("result")
        return _next(self.results)

    async def rendering(self, job_id: str, format: str, settings: Resolved) -> bytes:  # noqa: A002
        self.calls.append(format)
        return self.body

    async def delete(self, job_id: str, settings: Resolved, *, force: bool) -> None:
        self.calls.append(f"delete {force}")
        error = self.deletions.pop(0) if len(self.deletions) > 1 else self.deletions[0]
        if error is not None:
            raise error

    async def list(
        self, settings: Resolved, *, limit: int | None, created_before: datetime | None, include_deleted: bool
    ) -> AsyncIterator[JobInfo]:
        for number in range(3 if limit is None else limit):
            yield JobInfo(f"job-{number}", "done", "done")


T = TypeVar("T")


def _next(answers: list[T | STTError]) -> T:
    answer = answers.pop(0) if len(answers) > 1 else answers[0]
    if isinstance(answer, STTError):
        raise answer
    return answer


class JobSTT(ScriptedSTT):
    """A provider that recognises files by jobs."""

    def __init__(self, backend: ScriptedBackend, *, max_retries: int = 5) -> None:
        super().__init__(max_retries=max_retries)
        self.backend = backend

    def create_jobs(self) -> JobBackend:
        """See :class:`stt_core.stt.STT`."""
        return self.backend

    def uses_jobs(self, settings: Resolved) -> bool:
        """See :class:`stt_core.stt.STT`."""
        return True


def now() -> float:
    return asyncio.get_running_loop().time()


# -- when the vendor is asked --------------------------------------------------------------------------------------


@virtual_time
async def test_the_first_question_comes_at_once_and_the_others_at_growing_distances() -> None:
    """With jitter: jobs that were submitted together are not asked after together."""
    backend = ScriptedBackend(*[RUNNING] * 8, DONE)
    await JobSTT(backend).job("a").wait()
    gaps = [later - earlier for earlier, later in pairwise(backend.asked)]
    assert backend.asked[0] == 0
    for gap, expected in zip(gaps, [1, 2, 4, 8, 10, 10, 10, 10], strict=True):
        assert 0.8 * expected <= gap <= 1.2 * expected
    assert len({round(gap / expected, 6) for gap, expected in zip(gaps[4:], [10] * 4, strict=True)}) > 1


@virtual_time
async def test_the_callers_knobs_beat_the_providers() -> None:
    """One by one: what is not given stays the provider's."""
    backend = ScriptedBackend(*[RUNNING] * 4, DONE)
    await JobSTT(backend).job("a").wait(poll_interval=3, backoff=1)
    gaps = [later - earlier for earlier, later in pairwise(backend.asked)]
    assert all(2.4 <= gap <= 3.6 for gap in gaps)


@given(
    interval=st.floats(0, 100),
    backoff=st.floats(1, 10),
    most=st.floats(0, 1000),
    timeout=st.floats(0.01, 500),
    seed=st.integers(0, 99),
)
def test_waiting_ends_at_the_deadline_and_asks_shortly_before_it(
    interval: float, backoff: float, most: float, timeout: float, seed: int
) -> None:
    """Whatever the knobs, and with a job that never ends: nobody waits longer than asked for."""
    backend = ScriptedBackend(RUNNING)
    backend.polling = Polling(max(min(interval, most), 0.05 * timeout), backoff, max(most, 0.05 * timeout))

    async def run() -> float:
        stt = JobSTT(backend)
        job = Job("a", backend, stt.settings, check=lambda: None, random=Random(seed))  # noqa: S311  (jitter is no secret)
        with pytest.raises(JobTimeoutError) as caught:
            await job.wait(timeout=timeout)
        assert caught.value.job_id == "a"
        return now()

    assert isclose(virtual_time_run(run()), timeout)
    assert timeout - backend.asked[-1] <= min(1.0, 0.1 * timeout) + 1e-6


@pytest.mark.parametrize(
    ("knobs", "complaint"),
    [
        ({"poll_interval": -1.0}, "poll_interval takes a number of 0 or more"),
        ({"backoff": 0.5}, "backoff takes a number of 1 or more"),
        ({"max_poll_interval": float("nan")}, "max_poll_interval takes"),
        ({"poll_interval": 5.0, "max_poll_interval": 2.0}, "poll_interval=5 is more than max_poll_interval=2"),
    ],
)
@virtual_time
async def test_knobs_that_make_no_sense_are_refused_before_anything_is_uploaded(
    knobs: dict[str, float], complaint: str
) -> None:
    """An upload costs."""
    backend = ScriptedBackend()
    with pytest.raises(ConfigError, match=complaint):
        await JobSTT(backend).recognize(
            SILENCE,
            sample_rate=16000,
            encoding="pcm_s16le",
            poll_interval=knobs.get("poll_interval"),
            backoff=knobs.get("backoff"),
            max_poll_interval=knobs.get("max_poll_interval"),
        )
    assert backend.calls == []


# -- what goes wrong -----------------------------------------------------------------------------------------------


@virtual_time
async def test_a_question_without_an_answer_is_asked_again() -> None:
    """An hour's job is not lost to one refused connection, and an answer makes the budget whole."""
    failures = [ConnectionLostError("gone"), ServerError("502", status=502), STTTimeoutError("slow")]
    backend = ScriptedBackend(*failures, RUNNING, *failures, RUNNING, *failures, DONE)
    transcript = await JobSTT(backend, max_retries=3).job("a").wait()
    assert transcript.text == "hello"


@virtual_time
async def test_the_budget_for_questions_without_an_answer_ends() -> None:
    """What failed last is raised, after as many retries as were allowed."""
    backend = ScriptedBackend(RUNNING, ServerError("down", status=503))
    with pytest.raises(ServerError, match="down"):
        await JobSTT(backend, max_retries=4).job("a").wait()
    assert len(backend.asked) == 1 + 1 + 4


@virtual_time
async def test_a_vendors_wish_for_patience_is_heeded() -> None:
    """``Retry-After`` is the least that is waited."""
    backend = ScriptedBackend(RateLimitError("slow down", status=429, retry_after=20), DONE)
    await JobSTT(backend).job("a").wait()
    assert backend.asked[1] - backend.asked[0] >= 20


@virtual_time
async def test_a_refusal_is_not_asked_about_twice() -> None:
    """A wrong key does not become right."""
    backend = ScriptedBackend(AuthenticationError("no", status=401))
    with pytest.raises(AuthenticationError):
        await JobSTT(backend).job("a").wait()
    assert len(backend.asked) == 1


@pytest.mark.parametrize(
    ("status", "error", "reasons"),
    [
        (JobStatus("error", "rejected", ("bad audio",)), JobFailedError, ("bad audio",)),
        (JobStatus("error", "rejected"), JobFailedError, ("too long", "too loud")),
        (JobStatus("error", "expired"), JobExpiredError, None),
        (JobStatus("error", "deleted"), JobExpiredError, None),
    ],
)
@virtual_time
async def test_a_job_that_the_vendor_gave_up_says_why(
    status: JobStatus, error: type[JobError], reasons: Sequence[str] | None
) -> None:
    """With the vendor's words, asked for where the poll did not have them."""
    backend = ScriptedBackend(RUNNING, status)
    with pytest.raises(error) as caught:
        await JobSTT(backend).job("a").wait()
    assert caught.value.job_id == "a"
    if isinstance(caught.value, JobFailedError):
        assert caught.value.reasons == reasons
        assert all(reason in str(caught.value) for reason in reasons or ())


@virtual_time
async def test_a_result_that_is_a_moment_late_is_waited_for() -> None:
    """Vendors say done before every one of their machines knows."""
    backend = ScriptedBackend()
    backend.results.insert(0, ResultNotReadyError("in a moment"))
    assert (await JobSTT(backend).job("a").wait()).text == "hello"
    backend.results.insert(0, ResultNotReadyError("in a moment"))
    with pytest.raises(ResultNotReadyError):
        await JobSTT(backend).job("a").result()


@virtual_time
async def test_an_answer_that_has_the_result_is_not_asked_for_again() -> None:
    """One request fewer for every job."""
    backend = ScriptedBackend(RUNNING, JobStatus("done", "done", transcript=Transcript("there")))
    assert (await JobSTT(backend).job("a").wait()).text == "there"
    assert "result" not in backend.calls


@virtual_time
async def test_cancelling_the_wait_leaves_the_job_alone() -> None:
    """The work is paid for: another process may want it."""
    backend = ScriptedBackend(RUNNING)
    job = JobSTT(backend).job("a")
    waiting = asyncio.create_task(job.wait())
    await asyncio.sleep(5)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    assert waiting.cancelled()
    assert not any(call.startswith("delete") for call in backend.calls)


@virtual_time
async def test_closing_the_stt_ends_its_waits() -> None:
    """Within one interval, and by the error of everything else that is used after it was closed."""
    stt = JobSTT(ScriptedBackend(RUNNING))
    waiting = asyncio.create_task(stt.job("a").wait())
    await asyncio.sleep(5)
    await stt.aclose()
    with pytest.raises(StreamClosedError):
        await waiting
    with pytest.raises(StreamClosedError):
        stt.job("a")


@virtual_time
async def test_progress_is_told_after_every_answer() -> None:
    """And what the callback raises ends the wait, so that it can give up."""
    backend = ScriptedBackend(RUNNING, ConnectionLostError("gone"), RUNNING, DONE)
    told: list[JobProgress] = []
    await JobSTT(backend).job("a").wait(on_progress=told.append)
    assert [progress.status.vendor_state for progress in told] == ["running", "running", "done"]
    assert [progress.polls for progress in told] == [1, 2, 3]
    assert told[0].elapsed == 0 < told[-1].elapsed

    def give_up(progress: JobProgress) -> None:
        raise LookupError(progress.job_id)

    with pytest.raises(LookupError, match="a"):
        await JobSTT(ScriptedBackend(RUNNING)).job("a").wait(on_progress=give_up)


# -- one call for everything ---------------------------------------------------------------------------------------


@virtual_time
async def test_recognize_submits_waits_and_fetches_within_one_timeout() -> None:
    """The upload's seconds are taken off the polling's."""
    backend = ScriptedBackend(RUNNING, upload_seconds=7)
    with pytest.raises(JobTimeoutError, match="job-1") as caught:
        await JobSTT(backend).recognize(SILENCE, sample_rate=16000, encoding="pcm_s16le", timeout=20)
    assert isclose(now(), 20)
    assert caught.value.job_id == "job-1"
    backend.answers[:] = [RUNNING, DONE]
    transcript = await JobSTT(backend).recognize(SILENCE, sample_rate=16000, encoding="pcm_s16le", timeout=20)
    assert transcript.text == "hello"


@virtual_time
async def test_an_upload_that_takes_too_long_names_no_job() -> None:
    """There is none that anybody could ask for."""
    for call in (
        JobSTT(ScriptedBackend(upload_seconds=30)).recognize,
        JobSTT(ScriptedBackend(upload_seconds=30)).submit,
    ):
        with pytest.raises(STTTimeoutError) as caught:
            await call(SILENCE, sample_rate=16000, encoding="pcm_s16le", timeout=4)
        assert not isinstance(caught.value, JobTimeoutError)


@virtual_time
async def test_polling_knobs_are_refused_where_nothing_is_polled() -> None:
    """Nothing is accepted and then dropped."""
    with pytest.raises(ConfigError, match="`poll_interval` is for models that recognise files by jobs"):
        await ScriptedSTT().recognize(SILENCE, sample_rate=16000, encoding="pcm_s16le", poll_interval=1)


@virtual_time
async def test_a_provider_without_jobs_says_so() -> None:
    """Whichever of the calls is tried."""
    stt = ScriptedSTT()
    with pytest.raises(UnsupportedError, match="recognize"):
        await stt.submit(SILENCE, sample_rate=16000, encoding="pcm_s16le")
    with pytest.raises(UnsupportedError):
        stt.job("a")
    with pytest.raises(UnsupportedError):
        stt.list_jobs()


# -- a job in another process --------------------------------------------------------------------------------------


@virtual_time
async def test_the_id_alone_finds_a_job_again() -> None:
    """``submit`` here, ``job`` there."""
    job = await JobSTT(ScriptedBackend()).submit(SILENCE, sample_rate=16000, encoding="pcm_s16le")
    assert (await JobSTT(ScriptedBackend()).job(job.id).result()).text == "hello"


@pytest.mark.parametrize("job_id", ["", "a/b", "..", "a b", "a%2fb", "a?b", "x" * 201, "a\n"])
@virtual_time
async def test_what_cannot_be_an_id_is_refused(job_id: str) -> None:
    """It would name another path of the vendor's API."""
    with pytest.raises(ConfigError, match="is not the id of a job"):
        JobSTT(ScriptedBackend()).job(job_id)


@virtual_time
async def test_formats_are_the_vendors_and_others_are_refused_without_a_request() -> None:
    """JSON comes as a mapping, text as it is."""
    backend = ScriptedBackend()
    job = JobSTT(backend).job("a")
    assert await job.result("json") == {"text": "hello"}
    backend.body = "1\r\nほ\r\n".encode()
    assert await job.result("txt") == "1\r\nほ\r\n"
    calls = list(backend.calls)
    for name in ("docx", "srt", "json-v2"):
        with pytest.raises(ConfigError, match="'json', 'txt'"):
            await job.result(name)
    assert backend.calls == calls
    backend.body = b"\xff[1]"
    for name in ("json", "txt"):
        with pytest.raises(ProtocolError):
            await job.result(name)


@virtual_time
async def test_a_deletion_whose_answer_was_lost_is_done() -> None:
    """The second attempt finds nothing; a first one that finds nothing says so."""
    backend = ScriptedBackend()
    backend.deletions = [ConnectionLostError("gone"), JobNotFoundError("no such job")]
    await JobSTT(backend).job("a").delete(force=True)
    assert backend.calls == ["delete True", "delete True"]
    with pytest.raises(JobNotFoundError):
        await JobSTT(backend).job("a").delete()


@virtual_time
async def test_jobs_are_listed_as_they_are_iterated_over() -> None:
    """With a bound; filters are checked before anything is asked."""
    stt = JobSTT(ScriptedBackend())
    assert [info.id async for info in stt.list_jobs(limit=2)] == ["job-0", "job-1"]
    with pytest.raises(ConfigError, match="limit"):
        stt.list_jobs(limit=0)
    with pytest.raises(ConfigError, match="time zone"):
        stt.list_jobs(created_before=datetime(2026, 1, 1))  # noqa: DTZ001  (that is the point)
    assert [info.id async for info in stt.list_jobs(created_before=datetime(2026, 1, 1, tzinfo=UTC))]
