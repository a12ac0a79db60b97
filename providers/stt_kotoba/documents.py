"""Kotoba's REST documents, both directions: the forms that are uploaded, the answers, the bodies of refusals.

See :mod:`.wire` for what they are part of, and for how they are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NotRequired, TypeAlias, TypedDict

from .wire import KANA, ErrorObject

__all__ = [
    "JOBS_PATH",
    "ONE_SHOT_PATH",
    "RAW_FORMAT",
    "UNDETERMINED",
    "Detail",
    "Envelope",
    "ErrorBody",
    "Job",
    "JobSegment",
    "JobSubmitted",
    "OneShot",
    "OneShotWord",
    "Validation",
    "ValidationProblem",
    "WordType",
    "build_job_done",
    "build_job_error",
    "build_one_shot",
    "build_validation",
    "job_fields",
    "one_shot_fields",
]

JOBS_PATH = "/transcription_jobs"
ONE_SHOT_PATH = "/speech-to-text"

RAW_FORMAT = "pcm_s16le_16"
"""``file_format`` of bare 16-bit samples at 16 kHz, mono; everything else is ``other``."""


UNDETERMINED = "und"
"""``language_code`` where nobody knows (ISO 639-2's, and BCP-47's): Kotoba's document has to have one."""


class JobSubmitted(TypedDict):
    """The answer (202) to ``POST /transcription_jobs``."""

    job_id: str


class JobSegment(TypedDict):
    """Times in seconds, on a grid of 80 ms."""

    text: str
    start: float
    end: float


class Job(TypedDict):
    """The answer (200) to ``GET /transcription_jobs/{id}`` once there is one; until then 202 says that there is none.

    ``segments`` is ``null`` or empty unless ``with_timestamps`` was asked for.
    """

    state: Literal["done", "error"]
    transcription: NotRequired[str]
    segments: NotRequired[Sequence[JobSegment] | None]
    error_message: NotRequired[str]


WordType: TypeAlias = Literal["word", "spacing", "audio_event"]


class OneShotWord(TypedDict):
    """Times in seconds, ``null`` unless asked for; ``speaker_1``, ``speaker_2`` in the order in which they spoke."""

    text: str
    type: WordType
    start: float | None
    end: float | None
    speaker_id: str | None
    logprob: NotRequired[float]


class OneShot(TypedDict):
    """The answer (200) to ``POST /speech-to-text``; ``words`` is empty unless times or speakers were asked for."""

    language_code: str
    language_probability: float
    text: str
    words: Sequence[OneShotWord]
    audio_duration_secs: float | None


def build_job_done(transcription: str, segments: Sequence[JobSegment] | None = None) -> Job:
    """See :class:`Job`."""
    return {"state": "done", "transcription": transcription, "segments": segments}


def build_job_error(error_message: str) -> Job:
    """See :class:`Job`."""
    return {"state": "error", "error_message": error_message}


def build_one_shot(
    text: str,
    words: Sequence[OneShotWord] = (),
    *,
    language_code: str,
    language_probability: float,
    duration: float | None = None,
) -> OneShot:
    """See :class:`OneShot`."""
    return {
        "language_code": language_code,
        "language_probability": language_probability,
        "text": text,
        "words": words,
        "audio_duration_secs": duration,
    }


def _flag(value: bool) -> str:
    return "true" if value else "false"


def job_fields(language: str, *, with_timestamps: bool = False, kana: bool = False) -> list[tuple[str, str]]:
    """The form of a job beside its ``file``, in the SDKs' order."""
    fields = [("language", language), ("with_timestamps", _flag(with_timestamps))]
    return [*fields, ("human_name", KANA)] if kana else fields


def one_shot_fields(
    language: str | None = None,
    *,
    file_format: str = "other",
    with_timestamps: bool = False,
    keywords: Iterable[str] = (),
    kana: bool = False,
    diarization: bool = False,
) -> list[tuple[str, str]]:
    """The form of a one-shot request beside its ``file``, in the SDKs' order; what is off is left out."""
    fields = [("file_format", file_format), ("with_timestamps", _flag(with_timestamps))]
    if language is not None:
        fields.append(("language", language))
    if diarization:
        fields.append(("diarization", "true"))
    fields += [("keywords", term) for term in keywords]
    if kana:
        fields.append(("kana", "true"))
    return fields


# -- errors --------------------------------------------------------------------------------------------------------


class Detail(TypedDict):
    """``{"detail": "Job not found"}``; some say ``{"message": …}`` or ``{"error": …}``."""

    detail: str


class ValidationProblem(TypedDict):
    """One wrong field of a form."""

    loc: Sequence[str | int]
    msg: str
    type: str


class Validation(TypedDict):
    """The body of a 422."""

    detail: Sequence[ValidationProblem]


class Envelope(TypedDict):
    """The API's own shape of an error."""

    error: ErrorObject


ErrorBody: TypeAlias = Detail | Validation | Envelope


def build_validation(*problems: tuple[str, str, str]) -> Validation:
    """See :class:`Validation`; each problem is the field's name, what is wrong, and Kotoba's (FastAPI's) type of it."""
    return {"detail": [{"loc": ["body", name], "msg": message, "type": kind} for name, message, kind in problems]}
