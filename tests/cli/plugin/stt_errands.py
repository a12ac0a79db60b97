"""A provider of jobs for the tests of the command line; what it knows is in the folder ERRANDS, as a vendor's is."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NoReturn, TypedDict

from stt_core.errors import JobError, JobExpiredError, JobFailedError, JobNotFoundError, ResultNotReadyError
from stt_core.jobs import JobBackend, JobInfo, JobStatus, Polling
from stt_core.provider import Capabilities, ModelFamily, Provider
from stt_core.stt import STT
from stt_core.transcript import Transcript

if TYPE_CHECKING:
    from stt_core.audio.decode import AudioInput
    from stt_core.registry import Resolved


class NoOptions(TypedDict, total=False):
    """It takes none."""


PROVIDER = Provider(
    "errands",
    (ModelFamily("errands", options=NoOptions, models=("errands",), capabilities=Capabilities(jobs=True)),),
    client="stt_errands:ErrandsSTT",
    kind="jobs",
)

COURSE = ("queued", "running", "done")
"""What a job is, each time that it is asked after."""


class Errand(TypedDict):
    """What is known of a job."""

    name: str
    polls: int
    deleted: bool


def _path(job_id: str) -> Path:
    return Path(os.environ["ERRANDS"]) / f"{job_id}.json"


def _load(job_id: str) -> Errand:
    try:
        return json.loads(_path(job_id).read_text())
    except FileNotFoundError:
        raise JobNotFoundError(f"there is no job {job_id}", job_id=job_id, provider="errands") from None


class Errands(JobBackend):
    """The jobs: a file called ``broken`` fails, one called ``slow`` is never done, one called ``stuck``
    never taken."""

    polling = Polling(interval=0.01, backoff=1.0)
    formats = ("json", "srt")

    async def submit(self, audio: AudioInput, settings: Resolved) -> str:
        """See :class:`JobBackend`."""
        if PurePath(audio.name).stem == "stuck":
            print("errands: the upload has begun", file=sys.stderr, flush=True)
            await asyncio.get_running_loop().create_future()
        job_id = f"job-{len(list(_path('x').parent.iterdir())) + 1}"
        _path(job_id).write_text(json.dumps(Errand(name=audio.name, polls=0, deleted=False)))
        return job_id

    async def status(self, job_id: str, settings: Resolved) -> JobStatus:
        """See :class:`JobBackend`."""
        info = await self.info(job_id, settings)
        errand = _load(job_id)
        errand["polls"] += 1
        _path(job_id).write_text(json.dumps(errand))
        return JobStatus(info.state, info.vendor_state, info.errors)

    async def info(self, job_id: str, settings: Resolved) -> JobInfo:
        """See :class:`JobBackend`."""
        errand = _load(job_id)
        info = JobInfo(
            job_id,
            "processing",
            COURSE[min(errand["polls"], 1)],
            created_at=datetime(2026, 11, 20, 13, 40, tzinfo=UTC),
            name=errand["name"],
            duration=63.0,
        )
        match PurePath(errand["name"]).stem:
            case _ if errand["deleted"]:
                return replace(info, state="error", vendor_state="deleted")
            case "slow":
                return info
            case "broken":
                return replace(info, state="error", vendor_state="rejected", errors=("no audio", "none at all"))
            case _:
                return replace(info, state="done", vendor_state="done") if errand["polls"] >= 2 else info

    async def result(self, job_id: str, settings: Resolved) -> Transcript:
        """See :class:`JobBackend`."""
        info = await self.info(job_id, settings)
        if info.state == "error":
            raise JobFailedError("errands gave it up: no audio", job_id=job_id)
        if info.state == "processing":
            raise ResultNotReadyError(f"the job {job_id} is still {info.vendor_state}", job_id=job_id)
        if info.name == "gone.wav":
            raise JobExpiredError(f"the job {job_id} is gone", job_id=job_id)
        return Transcript(f"this is {PurePath(info.name or '').stem}", duration=63.0)

    async def rendering(self, job_id: str, format: str, settings: Resolved) -> bytes:  # noqa: A002
        """See :class:`JobBackend`."""
        return b'{"said": "this"}' if format == "json" else b"1\n00:00:00,000 --> 00:00:01,000\nthis\n\n"

    async def delete(self, job_id: str, settings: Resolved, *, force: bool) -> None:
        """See :class:`JobBackend`."""
        if not force and (await self.info(job_id, settings)).state == "processing":
            raise JobError(f"the job {job_id} is running: force deletes it all the same", job_id=job_id)
        _path(job_id).write_text(json.dumps(_load(job_id) | {"deleted": True}))

    async def list(
        self, settings: Resolved, *, limit: int | None, created_before: datetime | None, include_deleted: bool
    ) -> AsyncIterator[JobInfo]:
        """See :class:`JobBackend`."""
        for path in sorted(_path("x").parent.iterdir(), reverse=True)[:limit]:
            if include_deleted or not _load(path.stem)["deleted"]:
                yield await self.info(path.stem, settings)


class ErrandsSTT(STT):
    """The provider."""

    provider_name = "errands"

    def create_runner(self, settings: Resolved) -> NoReturn:
        """Nothing here streams."""
        raise NotImplementedError

    def create_jobs(self) -> Errands:
        """See :class:`STT`."""
        return Errands()
