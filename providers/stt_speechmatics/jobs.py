"""Jobs at Speechmatics, one request at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from stt_core.errors import (
    APIError,
    JobError,
    JobExpiredError,
    JobFailedError,
    JobNotFoundError,
    NotFoundError,
    ResultNotReadyError,
    UnsupportedError,
)
from stt_core.jobs import JobBackend, JobInfo, JobState, JobStatus, Polling

from .api import QUESTION_SECONDS, REQUEST_SECONDS, Api, is_on_prem
from .configured import configured
from .errors import without_secrets
from .logs import log_of
from .reading import format_time, items_of, number_of, object_of, parse, read_time, text_of
from .results import read_transcript
from .submitting import Submission
from .wire import FORMATS, JOBS_PATH, MAX_LISTED, job_path, log_path, transcript_path

if TYPE_CHECKING:
    from stt_core.audio.decode import AudioInput
    from stt_core.registry import Resolved
    from stt_core.transcript import Transcript
    from stt_core.transport.http import HttpResponse

__all__ = ["SpeechmaticsJobs", "read_job"]

_STATES: Mapping[str, JobState] = {"running": "processing", "created": "processing", "done": "done"}

_LARGE = 1 << 18
"""Bytes of a document from which on reading it would hold the event loop up."""

_GONE = 410
_LOCKED = 423


class SpeechmaticsJobs(JobBackend):
    """See :class:`stt_core.jobs.JobBackend`. Polls as the vendor's newest client does."""

    polling = Polling(interval=0.5, backoff=1.6, max_interval=5.0)
    formats = ("json", *FORMATS)

    def __init__(self, api: Api) -> None:
        self._api = api

    async def submit(self, audio: AudioInput, settings: Resolved) -> str:
        """Uploads a recording, or tells the server where to fetch it.

        Raises:
            ConfigError: the config of the job is not accepted; nothing was sent.
            AudioError: the recording cannot be read, or is of a kind that Speechmatics does not take.
            STTError: the job was not taken, as far as can be known.
        """
        self._api.check(settings)
        config = await asyncio.to_thread(configured, settings)
        submission = await asyncio.to_thread(Submission.prepare, audio, config, settings)
        job_id = await submission.send(self._api, lambda: self._pages(settings, None, None, include_deleted=False))
        log_of(job_id).info("submitted")
        return job_id

    async def status(self, job_id: str, settings: Resolved) -> JobStatus:
        """One answer, for which the server takes at most the seconds of the option ``wait``."""
        try:
            info = await self.info(job_id, settings)
        except JobExpiredError:
            return JobStatus("error", "expired")
        log_of(job_id).debug("is %s", info.vendor_state)
        return JobStatus(info.state, info.vendor_state, info.errors if info.state == "error" else ())

    async def info(self, job_id: str, settings: Resolved) -> JobInfo:
        """What the server tells; it tells nothing of one that has expired (``JobExpiredError``)."""
        wait = settings.options.get("wait", 0)
        seconds = QUESTION_SECONDS + (wait if isinstance(wait, int) else 0)
        params = [] if is_on_prem(settings) else [("wait", str(wait))]
        response = await self._get(job_id, job_path(job_id), settings, params=params, seconds=seconds)
        return read_job(object_of(parse(response.body), "job"), job_id)

    async def result(self, job_id: str, settings: Resolved) -> Transcript:
        """The transcript."""
        response = await self._transcript(job_id, "json-v2", settings)
        if len(response.body) < _LARGE:
            transcript = _read(response)
        else:
            transcript = await asyncio.to_thread(_read, response)
        log = log_of(job_id)
        log.info("transcribed")
        for warning in transcript.warnings or ():
            log.warning("went without what failed: %s", warning)
        return transcript

    async def rendering(self, job_id: str, format: str, settings: Resolved) -> bytes:  # noqa: A002
        """The transcript as the server writes it."""
        response = await self._transcript(job_id, "json-v2" if format == "json" else format, settings)
        return response.body

    async def delete(self, job_id: str, settings: Resolved, *, force: bool) -> None:
        """Deletes a job; one that runs only with ``force``."""
        self._refuse_on_prem(settings, "deletes no jobs")
        try:
            await self._api.request("DELETE", job_path(job_id), settings, params=[("force", "true")] if force else ())
        except APIError as error:
            if error.status == _LOCKED:
                raise JobError(
                    f"the job {job_id} is running, and goes on: delete(force=True) ends it",
                    job_id=job_id,
                    provider="speechmatics",
                    request_id=error.request_id,
                ) from None
            raise _of_job(error, job_id) from None
        log_of(job_id).info("deleted")

    def list(
        self, settings: Resolved, *, limit: int | None, created_before: datetime | None, include_deleted: bool
    ) -> AsyncIterator[JobInfo]:
        """All jobs, a page at a time."""
        self._refuse_on_prem(settings, "lists only what runs: request('GET', '/jobs') tells it")
        return self._pages(settings, limit, created_before, include_deleted=include_deleted)

    async def _pages(
        self, settings: Resolved, limit: int | None, before: datetime | None, *, include_deleted: bool
    ) -> AsyncIterator[JobInfo]:
        asked = MAX_LISTED if limit is None else min(limit, MAX_LISTED)
        seen: set[str] = set()
        exact = False
        while True:
            params = [("limit", str(asked))]
            if before is not None:
                params.append(("created_before", format_time(before)))
            if include_deleted:
                params.append(("include_deleted", "true"))
            response = await self._api.request("GET", JOBS_PATH, settings, params=params, retry=True)
            page = [read_job(each) for each in items_of(parse(response.body), "jobs") or ()]
            new = [job for job in page if job.id not in seen]
            for job in new:
                seen.add(job.id)
                yield job
                if len(seen) == limit:
                    return
            moments = [job.created_at for job in page if job.created_at is not None]
            if len(page) < asked or not moments or (exact and not new):
                return
            # Jobs of one millisecond may be on both sides of a page's end; so may be more of them than a page holds.
            exact = not new
            before = min(moments) + timedelta(milliseconds=0 if exact else 1)

    async def log(self, job_id: str, settings: Resolved) -> str:
        """The server's log of a job."""
        response = await self._get(job_id, log_path(job_id), settings)
        return response.body.decode("utf-8", "replace")

    # -- beneath ---------------------------------------------------------------------------------------------------

    async def _get(
        self,
        job_id: str,
        path: str,
        settings: Resolved,
        *,
        params: list[tuple[str, str]] | None = None,
        seconds: float = REQUEST_SECONDS,
    ) -> HttpResponse:
        try:
            return await self._api.request("GET", path, settings, params=params or (), seconds=seconds)
        except APIError as error:
            raise _of_job(error, job_id) from None

    async def _transcript(self, job_id: str, format: str, settings: Resolved) -> HttpResponse:  # noqa: A002
        params = [("format", format)]
        if not is_on_prem(settings):
            params.append(("wait", "0"))
        try:
            return await self._get(job_id, transcript_path(job_id), settings, params=params)
        except JobNotFoundError as error:
            request_id = error.request_id
        # The same answer stands for a job that is not known, one that is not done, and one that failed.
        info = await self.info(job_id, settings)
        raise _without_result(info, request_id)

    def _refuse_on_prem(self, settings: Resolved, what: str) -> None:
        if is_on_prem(settings):
            raise UnsupportedError(f"a container of one's own (on_prem) {what}", provider="speechmatics")


def read_job(job: Mapping[str, object], job_id: str = "") -> JobInfo:
    """A job as the server describes it; a state that is not known counts as an error.

    Raises:
        ProtocolError: a field is of another type than the API says.
    """
    state = text_of(job, "status")
    errors = tuple(without_secrets(text_of(each, "message")) for each in items_of(job, "errors") or ())
    return JobInfo(
        id=text_of(job, "id") or job_id,
        state=_STATES.get(state, "error"),
        vendor_state=state,
        created_at=read_time(text_of(job, "created_at")),
        name=text_of(job, "data_name") or None,
        duration=number_of(job, "duration"),
        errors=errors,
        raw=job,
    )


def _read(response: HttpResponse) -> Transcript:
    return read_transcript(parse(response.body), request_id=response.headers.get("Request-Id"))


def _of_job(error: APIError, job_id: str) -> APIError | JobError:
    """What a refusal says about the job, if it does."""
    if isinstance(error, NotFoundError):
        return JobNotFoundError(
            f"Speechmatics knows no job {job_id}, in this region and with this key",
            job_id=job_id,
            provider="speechmatics",
            request_id=error.request_id,
        )
    if error.status == _GONE:
        return JobExpiredError(
            f"the job {job_id} has expired: Speechmatics keeps jobs for a week ({error.message})",
            job_id=job_id,
            provider="speechmatics",
            request_id=error.request_id,
        )
    return error


def _without_result(info: JobInfo, request_id: str | None) -> JobError:
    if info.state != "error":
        error: JobError = ResultNotReadyError(f"the job {info.id} is {info.vendor_state}, and has no transcript yet")
    elif info.vendor_state in ("deleted", "expired"):
        error = JobExpiredError(f"the job {info.id} is {info.vendor_state}")
    else:
        said = "; ".join(info.errors) or "it gave no reason"
        error = JobFailedError(
            f"Speechmatics gave the job {info.id} up ({info.vendor_state}): {said}", reasons=info.errors
        )
    error.job_id, error.provider, error.request_id = info.id, "speechmatics", request_id
    return error
