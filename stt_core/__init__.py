"""Speech to text behind one interface, with the provider chosen by a string.

``create_stt`` makes an :class:`STT` from a config string such as ``cartesia/ink-whisper:en``; ``transcribe`` is the
shortest way from a file to its words.

The public names below are imported on first use, so that ``import stt_core`` costs a millisecond and a program that
only catches :class:`STTError` never loads numpy or aiohttp.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .audio.frames import AudioFormat, AudioFrame, Encoding
    from .audio.resample import Resampler
    from .errors import (
        AllProvidersFailedError,
        APIError,
        AudioError,
        AudioFileNotFoundError,
        AuthenticationError,
        BadRequestError,
        ConfigError,
        ConnectionLostError,
        ConnectTimeoutError,
        DrainTimeoutError,
        FlushTimeoutError,
        JobError,
        JobExpiredError,
        JobFailedError,
        JobNotFoundError,
        JobTimeoutError,
        MissingExtraError,
        NotFoundError,
        PermissionDeniedError,
        ProtocolError,
        QuotaError,
        RateLimitError,
        ResultNotReadyError,
        ServerError,
        SlowConsumerError,
        StreamClosedError,
        STTError,
        STTTimeoutError,
        UnsupportedError,
    )
    from .events import (
        AudioSpan,
        RecognitionUsage,
        SpeechData,
        SpeechEvent,
        SpeechEventType,
        StreamTimings,
        Word,
    )
    from .factory import create_stt, transcribe
    from .fallback import FallbackSTT
    from .jobs import Job, JobInfo, JobProgress, JobStatus
    from .options import StreamOptions, STTOptions
    from .registry import ModelFamily, Provider
    from .stream import RecognizeStream
    from .stt import STT
    from .sync import SyncJob, SyncStream, SyncSTT
    from .transcript import Segment, Transcript

    __version__: str

__all__ = [
    "STT",
    "APIError",
    "AllProvidersFailedError",
    "AudioError",
    "AudioFileNotFoundError",
    "AudioFormat",
    "AudioFrame",
    "AudioSpan",
    "AuthenticationError",
    "BadRequestError",
    "ConfigError",
    "ConnectTimeoutError",
    "ConnectionLostError",
    "DrainTimeoutError",
    "Encoding",
    "FallbackSTT",
    "FlushTimeoutError",
    "Job",
    "JobError",
    "JobExpiredError",
    "JobFailedError",
    "JobInfo",
    "JobNotFoundError",
    "JobProgress",
    "JobStatus",
    "JobTimeoutError",
    "MissingExtraError",
    "ModelFamily",
    "NotFoundError",
    "PermissionDeniedError",
    "ProtocolError",
    "Provider",
    "QuotaError",
    "RateLimitError",
    "RecognitionUsage",
    "RecognizeStream",
    "Resampler",
    "ResultNotReadyError",
    "STTError",
    "STTOptions",
    "STTTimeoutError",
    "Segment",
    "ServerError",
    "SlowConsumerError",
    "SpeechData",
    "SpeechEvent",
    "SpeechEventType",
    "StreamClosedError",
    "StreamOptions",
    "StreamTimings",
    "SyncJob",
    "SyncSTT",
    "SyncStream",
    "Transcript",
    "UnsupportedError",
    "Word",
    "__version__",
    "create_stt",
    "transcribe",
]

# What is in no module named here is an error: by far the longest group, and the one that needs nothing but itself.
_HOME = {
    "AudioFormat": "audio.frames",
    "AudioFrame": "audio.frames",
    "AudioSpan": "events",
    "Encoding": "audio.frames",
    "FallbackSTT": "fallback",
    "Job": "jobs",
    "JobInfo": "jobs",
    "JobProgress": "jobs",
    "JobStatus": "jobs",
    "ModelFamily": "registry",
    "Provider": "registry",
    "RecognitionUsage": "events",
    "RecognizeStream": "stream",
    "Resampler": "audio.resample",
    "STT": "stt",
    "STTOptions": "options",
    "Segment": "transcript",
    "SpeechData": "events",
    "SpeechEvent": "events",
    "SpeechEventType": "events",
    "StreamOptions": "options",
    "StreamTimings": "events",
    "SyncJob": "sync",
    "SyncSTT": "sync",
    "SyncStream": "sync",
    "Transcript": "transcript",
    "Word": "events",
    "create_stt": "factory",
    "transcribe": "factory",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object
    if name == "__version__":
        from importlib.metadata import version

        value = version("stt-core")
    else:
        value = getattr(importlib.import_module(f".{_HOME.get(name, 'errors')}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
