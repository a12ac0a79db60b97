"""Jobs: ``POST /transcription_jobs``, then ``GET /transcription_jobs/{id}`` until there is an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypedDict, Unpack

from typing_extensions import override

from stt_core.errors import APIError, JobFailedError, JobNotFoundError, ProtocolError, ResultNotReadyError
from stt_core.jobs import JobBackend, JobInfo, JobStatus
from stt_core.transcript import Segment, Transcript
from stt_core.transport.http import FormPart

from .documents import JOBS_PATH, job_fields
from .upload import extra_fields, file_part
from .wire import DEFAULT_LANGUAGE, items_of, number_of, object_of, parse, text_of

if TYPE_CHECKING:
    from stt_core.audio.decode import AudioInput
    from stt_core.registry import Resolved
    from stt_core.transport.http import HttpResponse

__all__ = ["KotobaJobs", "Send", "Sending", "job_form", "read_job"]

_STILL = 202
"""Kotoba has no state for a job that is not done: it answers with this status."""

_PROCESSING = ("processing", "queued")
"""States that its documents know and its wire has not shown."""

_NO_SUCH = (404, 422)
"""A job that is not there, or an id that cannot be one."""

POLL_SECONDS = 30.0
"""For one question, as in Kotoba's own client."""


class Sending(TypedDict, total=False):
    """What goes with a request, as :meth:`stt_core.transport.http.HttpClient.request` takes it."""

    form: Sequence[FormPart]
    timeout: float | None
    retry: bool


class Send(Protocol):
    """Signs a request and makes it."""

    async def __call__(self, method: str, path: str, settings: Resolved, **more: Unpack[Sending]) -> HttpResponse:
        """Raises an ``STTError`` where it is refused or does not arrive."""
        ...


class KotobaJobs(JobBackend):
    """Kotoba's jobs: no list, nothing to delete, no rendering but the document itself.

    Args:
        send: makes a request: its method, path and settings, and more.
    """

    formats = ("json",)

    def __init__(self, send: Send) -> None:
        self._send = send

    @override
    async def submit(self, audio: AudioInput, settings: Resolved) -> str:
        form = await asyncio.to_thread(job_form, audio, settings)
        response = await self._send(
            "POST", JOBS_PATH, settings, form=form, timeout=settings.stt["request_timeout"], retry=False
        )
        job_id = text_of(object_of(parse(response.body)), "job_id")
        if not job_id:
            raise ProtocolError("Kotoba took the recording and gave no job_id", provider="kotoba", retryable=False)
        return job_id

    @override
    async def status(self, job_id: str, settings: Resolved) -> JobStatus:
        info = await self.info(job_id, settings)
        transcript = read_job(job_id, info.raw) if info.state == "done" else None
        return JobStatus(info.state, info.vendor_state, info.errors, transcript)

    @override
    async def info(self, job_id: str, settings: Resolved) -> JobInfo:
        response = await self._ask(job_id, settings)
        if response.status == _STILL:
            return JobInfo(job_id, "processing", "processing")
        return _info(job_id, object_of(parse(response.body)))

    @override
    async def result(self, job_id: str, settings: Resolved) -> Transcript:
        response = await self._ask(job_id, settings)
        if response.status == _STILL:
            raise _not_ready(job_id)
        return read_job(job_id, object_of(parse(response.body)))

    @override
    async def rendering(self, job_id: str, format: str, settings: Resolved) -> bytes:
        response = await self._ask(job_id, settings)
        if response.status == _STILL:
            raise _not_ready(job_id)
        read_job(job_id, object_of(parse(response.body)))
        return response.body

    async def _ask(self, job_id: str, settings: Resolved) -> HttpResponse:
        try:
            return await self._send(
                "GET",
                f"{JOBS_PATH}/{job_id}",
                settings,
                timeout=settings.stt["request_timeout"] or POLL_SECONDS,
                retry=False,
            )
        except APIError as error:
            if error.status not in _NO_SUCH:
                raise
            missing = JobNotFoundError(error.message, job_id=job_id, provider="kotoba", request_id=error.request_id)
        raise missing


def job_form(audio: AudioInput, settings: Resolved) -> Sequence[FormPart]:
    """The form of a new job. It looks into the recording, so it belongs into a thread.

    Raises:
        AudioError: the recording is empty or cannot be read.
        ConfigError: a field of ``extra`` has no place in a form.
    """
    options = settings.options
    fields = job_fields(
        settings.vendor_language or DEFAULT_LANGUAGE,
        with_timestamps=options.get("with_timestamps") is True,
        kana=options.get("kana") is True,
    )
    return [*(FormPart(*field) for field in fields), *extra_fields(settings), file_part(audio)]


def read_job(job_id: str, document: Mapping[str, object]) -> Transcript:
    """What a finished job says. Segments are there if times were asked for.

    Raises:
        JobFailedError: it failed.
        ResultNotReadyError: it is not finished.
        ProtocolError: the document is not what Kotoba says it is.
    """
    info = _info(job_id, document)
    if info.state == "error":
        raise JobFailedError(
            f"Kotoba gave the job {job_id} up: {'; '.join(info.errors) or 'it gave no reason'}",
            reasons=info.errors,
            job_id=job_id,
            provider="kotoba",
        )
    if info.state == "processing":
        raise _not_ready(job_id)
    items = items_of(document, "segments")
    segments = [
        Segment(text_of(item, "text").strip(), start_time=number_of(item, "start"), end_time=number_of(item, "end"))
        for item in items or ()
    ]
    text = text_of(document, "transcription").strip()
    _attach(segments, text)
    return Transcript(text, segments=segments or None, job_id=job_id, raw=document)


def _info(job_id: str, document: Mapping[str, object]) -> JobInfo:
    state = text_of(document, "state")
    if state == "done":
        return JobInfo(job_id, "done", state, raw=document)
    if state == "error":
        reason = text_of(document, "error_message").strip()
        return JobInfo(job_id, "error", state, errors=(reason,) if reason else (), raw=document)
    if state in _PROCESSING:
        return JobInfo(job_id, "processing", state, raw=document)
    raise ProtocolError(f"Kotoba says {state!r:.60} of the job {job_id}, and neither done nor error", provider="kotoba")


def _not_ready(job_id: str) -> ResultNotReadyError:
    return ResultNotReadyError(f"the job {job_id} is not done: wait() waits for it", job_id=job_id, provider="kotoba")


def _attach(segments: Sequence[Segment], text: str) -> None:
    """Finds in the whole text what stands between the segments."""
    at = 0
    for segment in segments:
        found = text.find(segment.text, at)
        if found < 0:
            continue
        segment.prefix = " " if text[at:found].isspace() else ""
        at = found + len(segment.text)
