"""Jobs: recordings that a vendor recognises in its own time, and that are asked after until they are done.

A job-style provider implements a :class:`JobBackend`; users hold a :class:`Job`. What every vendor's client does anew,
and differently, is here once: when to ask, how to wait, what to make of an answer that did not come.
"""

from __future__ import annotations

import abc
import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, cast, overload

from .errors import (
    ConfigError,
    JobError,
    JobExpiredError,
    JobFailedError,
    JobNotFoundError,
    JobTimeoutError,
    ProtocolError,
    ResultNotReadyError,
    STTError,
    UnsupportedError,
)
from .options import closest
from .retry import RetryBudget, RetryPolicy

if TYPE_CHECKING:
    from .audio.decode import AudioInput
    from .registry import Resolved
    from .transcript import Transcript

__all__ = [
    "DocumentFormat",
    "Job",
    "JobBackend",
    "JobInfo",
    "JobProgress",
    "JobState",
    "JobStatus",
    "Polling",
    "ProgressCallback",
    "TextFormat",
]

JobState = Literal["processing", "done", "error"]
"""Where a job is, the same for every vendor."""

DocumentFormat = Literal["json", "json-v2"]
TextFormat = Literal["txt", "srt"]

T = TypeVar("T")

_JITTER = 0.2
_ID = re.compile(r"[^\s/\\?#%\x00-\x1f\x7f]{1,200}")


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What asking after a job tells.

    Attributes:
        state: the same for every vendor.
        vendor_state: the vendor's own word: ``running``, ``rejected``, ``deleted``, ``expired`` ...
        reasons: of an error, in the vendor's words, where the answer gives them.
        transcript: what was recognised, where the answer has it already.
    """

    state: JobState
    vendor_state: str
    reasons: tuple[str, ...] = ()
    transcript: Transcript | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class JobInfo:
    """Everything that a vendor tells about a job; what it does not tell is ``None``.

    Attributes:
        id: the vendor's.
        state: as of a :class:`JobStatus`.
        vendor_state: as of a :class:`JobStatus`.
        created_at: when it was submitted, with its time zone.
        name: of the file.
        duration: of the audio, in seconds.
        errors: why it failed, in the vendor's words.
        raw: the vendor's document.
    """

    id: str
    state: JobState
    vendor_state: str
    created_at: datetime | None = None
    name: str | None = None
    duration: float | None = None
    errors: tuple[str, ...] = ()
    raw: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How waiting for a job goes.

    Attributes:
        job_id: the vendor's.
        status: as the vendor last answered.
        elapsed: seconds since waiting began.
        polls: how often the vendor has answered.
    """

    job_id: str
    status: JobStatus
    elapsed: float
    polls: int


ProgressCallback: TypeAlias = Callable[[JobProgress], object]
"""Called after every answer, in the event loop's thread: it must not block. What it raises ends the wait."""


@dataclass(frozen=True, slots=True)
class Polling:
    """How often to ask. The first question is asked at once.

    Attributes:
        interval: seconds between the first question and the second.
        backoff: by how much each wait is longer than the one before.
        max_interval: seconds at which the waits stop growing; all of them vary by 20 %, so that jobs which were
            submitted together are not asked after together.
    """

    interval: float = 1.0
    backoff: float = 1.5
    max_interval: float = 10.0

    def with_knobs(
        self,
        *,
        poll_interval: float | None = None,
        backoff: float | None = None,
        max_poll_interval: float | None = None,
    ) -> Polling:
        """The same with what a caller gave. An interval above the most raises the most, unless both are given.

        Raises:
            ConfigError: a value is not accepted.
        """
        for name, value, least in (
            ("poll_interval", poll_interval, 0.0),
            ("backoff", backoff, 1.0),
            ("max_poll_interval", max_poll_interval, 0.0),
        ):
            if value is not None and not (isfinite(value) and value >= least):
                raise ConfigError(f"{name} takes a number of {least:g} or more, not {value!r}")
        if poll_interval is not None and max_poll_interval is not None and poll_interval > max_poll_interval:
            raise ConfigError(f"poll_interval={poll_interval:g} is more than max_poll_interval={max_poll_interval:g}")
        most = max_poll_interval
        if most is None:
            most = self.max_interval if poll_interval is None else max(poll_interval, self.max_interval)
        first = poll_interval if poll_interval is not None else min(self.interval, most)
        return Polling(first, self.backoff if backoff is None else backoff, most)

    def delay(self, polls: int, random: Random) -> float:
        """Seconds to wait after so many questions."""
        grown = self.interval * self.backoff ** min(polls - 1, 100)
        return min(grown, self.max_interval) * random.uniform(1 - _JITTER, 1 + _JITTER)


class JobBackend(abc.ABC):
    """What a job-style provider implements; one object serves all jobs of an STT.

    Each method makes one attempt: trying again is the caller's, which has one budget for it. Only :meth:`list` has its
    pages fetched by a client that tries again by itself. Ids come checked: they have no slash, blank or percent sign.

    Attributes:
        polling: how often the vendor's own client asks.
        formats: what :meth:`rendering` knows.
    """

    polling: Polling = Polling()
    formats: tuple[str, ...] = ()

    @abc.abstractmethod
    async def submit(self, audio: AudioInput, settings: Resolved) -> str:
        """Uploads a recording; returns the job's id. Never called twice for one recording."""

    @abc.abstractmethod
    async def status(self, job_id: str, settings: Resolved) -> JobStatus:
        """Asks after a job.

        Raises:
            JobNotFoundError: the vendor knows none of this id.
        """

    @abc.abstractmethod
    async def info(self, job_id: str, settings: Resolved) -> JobInfo:
        """Everything about a job.

        Raises:
            JobNotFoundError: the vendor knows none of this id.
        """

    @abc.abstractmethod
    async def result(self, job_id: str, settings: Resolved) -> Transcript:
        """What was recognised.

        Raises:
            ResultNotReadyError: it is not done.
            JobFailedError: it failed, with the vendor's reasons.
            JobExpiredError: the vendor has deleted it.
            JobNotFoundError: the vendor knows none of this id.
        """

    async def rendering(self, job_id: str, format: str, settings: Resolved) -> bytes:  # noqa: A002
        """The vendor's own document or text, byte by byte.

        Args:
            job_id: the vendor's.
            format: one of :attr:`formats`.
            settings: of the call.

        Raises:
            JobError: as :meth:`result`.
        """
        raise UnsupportedError(f"{settings.provider.name} renders no `{format}`", provider=settings.provider.name)

    async def delete(self, job_id: str, settings: Resolved, *, force: bool) -> None:
        """Deletes a job and what it recognised.

        Args:
            job_id: the vendor's.
            settings: of the call.
            force: also while it runs.

        Raises:
            UnsupportedError: the vendor cannot.
            JobNotFoundError: the vendor knows none of this id.
            JobError: it runs, and ``force`` was not given.
        """
        raise UnsupportedError(f"{settings.provider.name} cannot delete jobs", provider=settings.provider.name)

    def list(
        self, settings: Resolved, *, limit: int | None, created_before: datetime | None, include_deleted: bool
    ) -> AsyncIterator[JobInfo]:
        """The jobs of the account, the newest first; see :meth:`stt_core.stt.STT.list_jobs`.

        Raises:
            UnsupportedError: the vendor has no list, or not with these filters.
        """
        raise UnsupportedError(f"{settings.provider.name} does not list jobs", provider=settings.provider.name)


class Job:
    """One recording at a vendor. It needs nothing but its id, so that any process with the same key can go on with it.

    Made by :meth:`stt_core.stt.STT.submit` and :meth:`stt_core.stt.STT.job`.

    Attributes:
        id: the vendor's; worth keeping before anything else is done.
    """

    def __init__(
        self,
        job_id: str,
        backend: JobBackend,
        settings: Resolved,
        *,
        check: Callable[[], None],
        random: Random | None = None,
    ) -> None:
        if not _ID.fullmatch(job_id) or job_id in (".", ".."):
            raise ConfigError(f"{job_id[:80]!r} is not the id of a job", provider=settings.provider.name)
        self.id = job_id
        self._backend = backend
        self._settings = settings
        self._check = check
        self._random = SystemRandom() if random is None else random

    def __repr__(self) -> str:
        return f"<Job {self._settings.provider.name} {self.id}>"

    async def status(self) -> JobStatus:
        """Asks after it, once.

        Raises:
            JobNotFoundError: the vendor knows none of this id.
            STTError: the vendor cannot be asked.
        """
        return await self._tried(self._status)

    async def info(self) -> JobInfo:
        """Everything that the vendor tells about it.

        Raises:
            JobNotFoundError: the vendor knows none of this id.
            STTError: the vendor cannot be asked.
        """
        return await self._tried(lambda: self._backend.info(self.id, self._settings))

    async def wait(
        self,
        *,
        poll_interval: float | None = None,
        backoff: float | None = None,
        max_poll_interval: float | None = None,
        timeout: float | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> Transcript:
        """Waits until it is done, and fetches what was recognised.

        Being cancelled ends the waiting and not the job.

        Args:
            poll_interval: seconds between the first two questions; ``None`` does as the vendor's own client.
            backoff: by how much each wait is longer than the one before, 1 or more; likewise.
            max_poll_interval: the longest wait; likewise.
            timeout: seconds for the polling and the fetch together; ``None`` for no limit. One more question is asked
                shortly before they are over.
            on_progress: see :data:`ProgressCallback`.

        Raises:
            JobFailedError: it failed; with the vendor's reasons.
            JobExpiredError: the vendor has deleted it.
            JobNotFoundError: the vendor knows none of this id.
            JobTimeoutError: it was not done in time. It goes on at the vendor.
            ConfigError: a value is not accepted.
            STTError: the vendor cannot be asked, for longer than retries last.
        """
        polling = self._backend.polling.with_knobs(
            poll_interval=poll_interval, backoff=backoff, max_poll_interval=max_poll_interval
        )
        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                return await self._poll(polling, on_progress, limit.when())
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise JobTimeoutError(
                f"the job {self.id} was not done in time (timeout). It goes on at {self._settings.provider.name}: "
                f"job({self.id!r}) finds it again",
                job_id=self.id,
                provider=self._settings.provider.name,
            ) from error

    @overload
    async def result(self, format: None = None) -> Transcript: ...

    @overload
    async def result(self, format: DocumentFormat) -> Mapping[str, object]: ...

    @overload
    async def result(self, format: TextFormat) -> str: ...

    @overload
    async def result(self, format: str | None) -> Transcript | Mapping[str, object] | str: ...

    async def result(self, format: str | None = None) -> Transcript | Mapping[str, object] | str:  # noqa: A002
        """What was recognised.

        Args:
            format: ``None`` for a :class:`~stt_core.transcript.Transcript`; ``json`` or ``json-v2`` for the vendor's
                document; ``txt`` or ``srt`` for the vendor's own rendering, where it has one.

        Raises:
            ConfigError: the vendor has no such format; nothing was sent.
            ResultNotReadyError: it is not done.
            JobFailedError: it failed; with the vendor's reasons.
            JobExpiredError: the vendor has deleted it.
            JobNotFoundError: the vendor knows none of this id.
        """
        if format is None:
            return await self._tried(self._result)
        formats = self._backend.formats
        if format not in formats:
            accepted = ", ".join(("None", *map(repr, formats)))
            raise ConfigError(
                f"{self._settings.provider.name} has no result format {format[:40]!r}; there are {accepted}"
                f"{closest(format, formats)}. Transcript.to() renders others",
                provider=self._settings.provider.name,
            )
        body = await self._tried(lambda: self._backend.rendering(self.id, format, self._settings))
        return self._document(body) if format.startswith("json") else self._text(body)

    async def delete(self, *, force: bool = False) -> None:
        """Deletes it at the vendor, with what was recognised.

        Args:
            force: also while it runs.

        Raises:
            UnsupportedError: the vendor cannot.
            JobError: it runs, and ``force`` was not given.
            JobNotFoundError: the vendor knows none of this id.
        """
        attempts = 0

        async def delete() -> None:
            nonlocal attempts
            attempts += 1
            try:
                await self._backend.delete(self.id, self._settings, force=force)
            except (JobNotFoundError, JobExpiredError):
                if attempts == 1:
                    raise  # later, it is what an attempt whose answer was lost has done

        await self._tried(delete)

    # -- beneath ---------------------------------------------------------------------------------------------------

    def _status(self) -> Awaitable[JobStatus]:
        return self._backend.status(self.id, self._settings)

    def _result(self) -> Awaitable[Transcript]:
        return self._backend.result(self.id, self._settings)

    def _budget(self) -> RetryBudget:
        stt = self._settings.stt
        return RetryBudget(RetryPolicy(max_retries=stt["max_retries"], interval=stt["retry_interval"]), self._random)

    async def _tried(self, call: Callable[[], Awaitable[T]]) -> T:
        budget = self._budget()
        while True:
            self._check()
            try:
                return await call()
            except JobError:
                raise  # the vendor's answer about the job, and not a failure to get one
            except STTError as error:
                delay = budget.spend(error)
                if delay is None:
                    raise
            await asyncio.sleep(delay)

    async def _poll(self, polling: Polling, on_progress: ProgressCallback | None, deadline: float | None) -> Transcript:
        clock = asyncio.get_running_loop().time
        start = clock()
        # When the next wait would end after the deadline, the last question comes this long before it.
        last = None if deadline is None else deadline - min(1.0, 0.1 * (deadline - start))
        budget = self._budget()
        polls = 0
        done = False
        while True:
            self._check()
            try:
                if done:
                    return await self._result()
                status = await self._status()
            except ResultNotReadyError as error:  # after it was said to be done: it will be there in a moment
                delay = budget.spend(error)
                if delay is None:
                    raise
            except JobError:
                raise
            except STTError as error:
                delay = budget.spend(error)
                if delay is None:
                    raise
            else:
                budget.reset()
                polls += 1
                if on_progress is not None:
                    on_progress(JobProgress(self.id, status, clock() - start, polls))
                if status.state == "error":
                    raise await self._failure(status)
                done = status.state == "done"
                if status.transcript is not None:
                    return status.transcript
                if done:
                    continue
                delay = polling.delay(polls, self._random)
            if last is not None and clock() < last:
                delay = min(delay, last - clock())
            await asyncio.sleep(delay)

    async def _failure(self, status: JobStatus) -> JobError:
        name = self._settings.provider.name
        if status.vendor_state in ("deleted", "expired"):
            return JobExpiredError(
                f"the job {self.id} is {status.vendor_state} at {name}", job_id=self.id, provider=name
            )
        reasons = status.reasons
        if not reasons:
            try:
                reasons = (await self.info()).errors
            except STTError:
                reasons = ()  # that it failed is known, and says more than that nobody could be asked why
        said = "; ".join(reasons) or "it gave no reason"
        return JobFailedError(
            f"{name} gave the job {self.id} up ({status.vendor_state}): {said}",
            reasons=reasons,
            job_id=self.id,
            provider=name,
        )

    def _document(self, body: bytes) -> Mapping[str, object]:
        from pydantic_core import from_json

        try:
            document: object = from_json(body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise ProtocolError(
                f"the result of the job {self.id} is not a JSON object", provider=self._settings.provider.name
            )
        return cast("Mapping[str, object]", document)

    def _text(self, body: bytes) -> str:
        try:
            return body.decode()
        except UnicodeDecodeError:
            raise ProtocolError(
                f"the result of the job {self.id} is not UTF-8 text", provider=self._settings.provider.name
            ) from None
