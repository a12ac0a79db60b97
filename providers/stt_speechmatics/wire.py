"""Speechmatics' batch API (REST v2), both directions, without a socket, an event loop or a clock.

A job is submitted as a multipart form (:data:`CONFIG_FIELD`, :data:`FILE_FIELD`), polled under its id, and its
transcript fetched in one of three formats; what the JSON one holds is in :mod:`.document`, and what a job may be told
in :mod:`.config`. Paths are below a base URL that ends in ``/v2`` (:data:`API_KEYS_PATH`: below the management
platform's, ``/v1``).

The TypedDicts hold the fields that Speechmatics documents. The receiving side looks them up with what is in
:mod:`.reading`, because few fields are always there, many are sent as ``null``, and others are added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, NotRequired, TypeAlias, TypedDict, get_args
from urllib.parse import quote

from .reading import format_time

__all__ = [
    "API_KEYS_PATH",
    "BASE_URL",
    "CONFIG_FIELD",
    "CONTENT_TYPES",
    "FILE_FIELD",
    "FORMATS",
    "JOBS_PATH",
    "KEY_TYPE",
    "MANAGEMENT_URL",
    "MAX_LISTED",
    "MAX_TTL",
    "MAX_UPLOAD",
    "MIN_TTL",
    "PROCESSING_HEADER",
    "REGIONS",
    "REQUEST_ID_HEADER",
    "TELEMETRY_PARAMETERS",
    "USAGE_PATH",
    "ActiveJob",
    "ActiveJobs",
    "ErrorBody",
    "ErrorName",
    "JobAnswer",
    "JobComplaint",
    "JobDetails",
    "JobsAnswer",
    "KeyRequest",
    "ProcessingData",
    "Region",
    "Submitted",
    "TemporaryKey",
    "Tracking",
    "TranscriptFormat",
    "Usage",
    "UsageItem",
    "VendorState",
    "build_complaint",
    "build_error",
    "build_job",
    "job_path",
    "log_path",
    "region_url",
    "transcript_path",
]

# -- places --------------------------------------------------------------------------------------------------------

BASE_URL = "https://asr.api.speechmatics.com/v2"
"""What the vendor's own clients use as long as nobody names a region."""

Region: TypeAlias = Literal["eu1", "us1", "au1", "eu2", "us2"]
"""A job exists only in the region that took it. ``eu2`` and ``us2`` are for enterprise customers."""

REGIONS: tuple[Region, ...] = get_args(Region)

MANAGEMENT_URL = "https://mp.speechmatics.com/v1"
"""Where temporary keys are minted."""

JOBS_PATH = "/jobs"
USAGE_PATH = "/usage"
API_KEYS_PATH = "/api_keys"

REQUEST_ID_HEADER = "Request-Id"
PROCESSING_HEADER = "X-SM-Processing-Data"
"""On premises: :class:`ProcessingData` as JSON."""

TELEMETRY_PARAMETERS = frozenset({"sm-sdk", "sm-app"})
"""Query parameters that any request may have and that change nothing."""

CONFIG_FIELD = "config"
FILE_FIELD = "data_file"

MAX_UPLOAD = 1_000_000_000
"""Bytes: from here on an upload is rejected, and ``fetch_data`` is the way."""

MAX_LISTED = 100
"""Jobs of one list."""


def region_url(region: Region) -> str:
    """The base URL of a region."""
    return f"https://{region}.asr.api.speechmatics.com/v2"


def job_path(job_id: str) -> str:
    """Of one job."""
    return f"{JOBS_PATH}/{quote(job_id, safe='')}"


def transcript_path(job_id: str) -> str:
    """Of its result."""
    return f"{job_path(job_id)}/transcript"


def log_path(job_id: str) -> str:
    """Of its log."""
    return f"{job_path(job_id)}/log"


# -- formats -------------------------------------------------------------------------------------------------------

TranscriptFormat: TypeAlias = Literal["json-v2", "txt", "srt"]

FORMATS: tuple[TranscriptFormat, ...] = get_args(TranscriptFormat)

CONTENT_TYPES: Mapping[TranscriptFormat, str] = {
    "json-v2": "application/vnd.speechmatics.v2+json",
    "txt": "text/plain; charset=utf-8",
    "srt": "text/plain; charset=utf-8",
}


# -- jobs ----------------------------------------------------------------------------------------------------------

VendorState: TypeAlias = Literal["running", "done", "rejected", "deleted", "expired", "created"]
"""``created`` is said only in the answer to a submit with ``wait``, of a job that was not over by then; ``expired``
only by older servers: now such a job is 404 or 410."""


class Tracking(TypedDict, total=False):
    """The caller's own notes on a job, which come back with it."""

    title: str
    reference: str
    tags: list[str]
    details: Mapping[str, object]


class JobComplaint(TypedDict):
    """Something that went wrong with a job; in one that is ``done``, with its notification."""

    timestamp: str
    message: str


class JobDetails(TypedDict):
    """A job. ``config`` is an echo that may have ``null`` in it; ``data_name`` is ``""`` where the server fetches."""

    id: str
    status: VendorState
    created_at: str
    data_name: str
    duration: NotRequired[int]
    config: NotRequired[Mapping[str, object]]
    tracking: NotRequired[Mapping[str, object]]
    errors: NotRequired[list[JobComplaint]]
    request_id: NotRequired[str]


class JobAnswer(TypedDict):
    """``GET`` and ``DELETE`` of a job."""

    job: JobDetails


class JobsAnswer(TypedDict):
    """``GET /jobs``, the newest first."""

    jobs: list[JobDetails]


class ActiveJob(TypedDict):
    """A job of :class:`ActiveJobs`."""

    job_id: str
    parallel_engines: int


class ActiveJobs(TypedDict):
    """``GET /jobs`` on premises: what runs, and nothing else."""

    active_jobs: list[ActiveJob]
    max_engines: int
    unused_engines: int


Submitted = TypedDict(
    "Submitted",
    {
        "id": str,
        "status": NotRequired[VendorState],
        "json-v2": NotRequired[Mapping[str, object]],
        "txt": NotRequired[str],
        "srt": NotRequired[str],
    },
)
"""The answer to a submit (201). All but the id comes only with ``wait``, the transcript only of a job that is done."""


class ProcessingData(TypedDict, total=False):
    """The header :data:`PROCESSING_HEADER`."""

    parallel_engines: int
    user_id: str


class UsageItem(TypedDict):
    """How much of one kind was used."""

    mode: str
    type: str
    count: int
    duration_hrs: float
    language: NotRequired[str]
    operating_point: NotRequired[str]
    model: NotRequired[str]


class Usage(TypedDict):
    """``GET /usage``; dates are ``YYYY-MM-DD``, and the current day (UTC) is never in it."""

    since: str
    until: str
    summary: list[UsageItem]
    details: list[UsageItem]


def build_complaint(message: str, timestamp: datetime) -> JobComplaint:
    """See :class:`JobComplaint`."""
    return {"timestamp": format_time(timestamp), "message": message}


def build_job(
    job_id: str,
    status: VendorState,
    created_at: datetime,
    *,
    data_name: str = "",
    duration: float | None = None,
    config: Mapping[str, object] | None = None,
    tracking: Mapping[str, object] | None = None,
    errors: Sequence[JobComplaint] = (),
    request_id: str | None = None,
) -> JobDetails:
    """See :class:`JobDetails`; the duration is in whole seconds there."""
    job: JobDetails = {
        "id": job_id,
        "status": status,
        "created_at": format_time(created_at),
        "data_name": data_name,
    }
    if duration is not None:
        job["duration"] = round(duration)
    if config is not None:
        job["config"] = config
    if tracking is not None:
        job["tracking"] = tracking
    if errors:
        job["errors"] = list(errors)
    if request_id is not None:
        job["request_id"] = request_id
    return job


# -- temporary keys ------------------------------------------------------------------------------------------------

KEY_TYPE = "batch"
"""The query parameter ``type`` of :data:`API_KEYS_PATH`."""

MIN_TTL, MAX_TTL = 60, 86_400
"""Seconds."""


class KeyRequest(TypedDict):
    """The body of a request for a temporary key."""

    ttl: int
    client_ref: NotRequired[str]


class TemporaryKey(TypedDict):
    """The answer to it (201)."""

    apikey_id: str | None
    key_value: str


# -- errors --------------------------------------------------------------------------------------------------------

ErrorName: TypeAlias = Literal[
    "Bad Request",
    "File Expired",
    "Forbidden",
    "Format Not Supported",
    "Internal Server Error",
    "Job Expired",
    "Job In Progress",
    "Job error",
    "Job not found",
    "Job rejected",
    "Job rejected due to invalid audio",
    "Log file not available",
    "Malformed request",
    "Max concurrent running jobs exceeded",
    "Missing data_file",
    "No language selected",
    "Not Implemented",
    "Permission Denied",
    "Requested product not available",
    "Resource Locked",
    "Service Unavailable",
    "Transcription not ready",
    "Unauthorized",
    "Unprocessable Entity",
]
"""What ``error`` may be, as documented; servers say other things there too."""


class ErrorBody(TypedDict):
    """The body of a refusal. A gateway before the servers answers 401, 413, 429 and 5xx in HTML instead."""

    code: int
    error: str
    detail: NotRequired[str]


def build_error(code: int, error: str, detail: str | None = None) -> ErrorBody:
    """See :class:`ErrorBody`."""
    body: ErrorBody = {"code": code, "error": error}
    if detail:
        body["detail"] = detail
    return body
