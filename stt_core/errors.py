"""Every exception that leaves the library.

::

    STTError
    ├── ConfigError (ValueError)        a config string, option, model or language is wrong
    ├── UnsupportedError                the provider cannot do this at all
    ├── MissingExtraError (ImportError) an optional package is not installed
    ├── AudioError (ValueError)         the audio cannot be read as described
    │   └── AudioFileNotFoundError (FileNotFoundError)
    ├── StreamClosedError               pushed to a stream after end_input() or aclose()
    ├── SlowConsumerError               finals were not read for longer than the stream can keep them
    ├── STTTimeoutError (TimeoutError)
    │   ├── ConnectTimeoutError
    │   ├── FlushTimeoutError
    │   ├── DrainTimeoutError
    │   └── JobTimeoutError
    ├── ConnectionLostError             the connection, or the engine's process, went away
    ├── ProtocolError                   the other side said something that its protocol does not allow
    ├── APIError                        the vendor answered with an error
    │   ├── BadRequestError             400, 404 on a path, 405, 413, 415, 422
    │   ├── AuthenticationError         401
    │   ├── QuotaError                  402
    │   ├── PermissionDeniedError       403
    │   ├── NotFoundError               404
    │   ├── RateLimitError              429
    │   └── ServerError                 5xx
    ├── JobError
    │   ├── JobNotFoundError
    │   ├── JobFailedError(reasons)
    │   ├── JobExpiredError
    │   └── ResultNotReadyError
    └── AllProvidersFailedError(causes)

The builtin twins in brackets are base classes too, so ``except FileNotFoundError`` or ``except TimeoutError`` in older
code still holds. Every exception survives pickling with its attributes.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

__all__ = [
    "APIError",
    "AllProvidersFailedError",
    "AudioError",
    "AudioFileNotFoundError",
    "AuthenticationError",
    "BadRequestError",
    "ConfigError",
    "ConnectTimeoutError",
    "ConnectionLostError",
    "DrainTimeoutError",
    "FlushTimeoutError",
    "JobError",
    "JobExpiredError",
    "JobFailedError",
    "JobNotFoundError",
    "JobTimeoutError",
    "MissingExtraError",
    "NotFoundError",
    "PermissionDeniedError",
    "ProtocolError",
    "QuotaError",
    "RateLimitError",
    "ResultNotReadyError",
    "STTError",
    "STTTimeoutError",
    "ServerError",
    "SlowConsumerError",
    "StreamClosedError",
    "UnsupportedError",
]


class STTError(Exception):
    """The base of all errors of this library.

    Args:
        message: what went wrong, what is accepted and what to do, in one or two sentences, without any secret.
        provider: the provider's registered name, ``None`` when no provider was involved yet.
        request_id: the vendor's id of the request or session, for a support ticket.
        retryable: whether the same call may succeed when it is made again; ``None`` takes the class's answer.
    """

    _retryable_by_default: ClassVar[bool] = False

    def __init__(
        self,
        message: str = "",
        *,
        provider: str | None = None,
        request_id: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.request_id = request_id
        self.retryable = self._retryable_by_default if retryable is None else retryable

    def __str__(self) -> str:
        # OSError and ImportError, twins of two subclasses, would each print their own idea of the arguments.
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _rebuild(cls: type[STTError], args: tuple[Any, ...], state: Mapping[str, Any]) -> STTError:
    error = cls(*args)
    for name, value in state.items():
        setattr(error, name, value)
    return error


class ConfigError(STTError, ValueError):
    """A config string, an option, a model, a language or a credential is wrong or missing. Nothing was sent."""


class UnsupportedError(STTError):
    """The provider has no such call or feature. Nothing was sent."""


class MissingExtraError(STTError, ImportError):
    """A package of an optional extra is not installed; the message names the extra."""


class AudioError(STTError, ValueError):
    """The audio is not what it was said to be, or cannot be decoded."""


class AudioFileNotFoundError(AudioError, FileNotFoundError):
    """The audio file does not exist."""

    def __init__(self, message: str = "", *, path: str | None = None, provider: str | None = None) -> None:
        super().__init__(message, provider=provider)
        self.errno = errno.ENOENT
        self.filename = path

    def __reduce__(self) -> tuple[Any, ...]:
        # OSError keeps these two outside the instance's dictionary.
        return _rebuild, (type(self), self.args, {**self.__dict__, "errno": self.errno, "filename": self.filename})


class StreamClosedError(STTError):
    """Audio was pushed, or a flush asked for, after ``end_input()`` or ``aclose()``."""


class SlowConsumerError(STTError):
    """Nobody read the stream's events until its reserve for finals and status was full."""


class STTTimeoutError(STTError, TimeoutError):
    """A deadline passed."""

    _retryable_by_default = True


class ConnectTimeoutError(STTTimeoutError):
    """The provider was not ready within ``connect_timeout``."""


class FlushTimeoutError(STTTimeoutError):
    """A segment stayed open for ``flush_timeout`` seconds after ``flush()`` had reached the provider."""


class DrainTimeoutError(STTTimeoutError):
    """Finals were still missing ``drain_timeout`` seconds after ``end_input()`` had reached the provider."""


class JobTimeoutError(STTTimeoutError):
    """The job was not finished by the caller's deadline. It goes on at the vendor; its id still works.

    Args:
        job_id: the vendor's id of the job.
    """

    def __init__(
        self,
        message: str = "",
        *,
        job_id: str | None = None,
        provider: str | None = None,
        request_id: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message, provider=provider, request_id=request_id, retryable=retryable)
        self.job_id = job_id


class ConnectionLostError(STTError):
    """The connection dropped, or the engine's process died."""

    _retryable_by_default = True


class ProtocolError(STTError):
    """The other side sent something that its protocol does not allow."""

    _retryable_by_default = True


class APIError(STTError):
    """The vendor answered with an error.

    Args:
        status: the HTTP status, or the vendor's equivalent; ``None`` when it gave none.
        code: the vendor's own error code, as sent.
        retry_after: seconds the vendor asked to wait.
        body: the vendor's answer, bounded and scrubbed of secrets.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        body: str | None = None,
        provider: str | None = None,
        request_id: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message, provider=provider, request_id=request_id, retryable=retryable)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.body = body

    @staticmethod
    def for_status(status: int) -> type[APIError]:
        """The class that stands for an HTTP status; :class:`APIError` itself for one that has none of its own."""
        if status >= 500:
            return ServerError
        return _BY_STATUS.get(status, BadRequestError if status >= 400 else APIError)


class BadRequestError(APIError):
    """The vendor refused the request as it stands (400 and its relatives)."""


class AuthenticationError(APIError):
    """The key or token was not accepted (401)."""


class QuotaError(APIError):
    """The account has no credit left (402)."""


class PermissionDeniedError(APIError):
    """The key is valid and may not do this (403)."""


class NotFoundError(APIError):
    """There is no such thing at the vendor (404)."""


class RateLimitError(APIError):
    """Too many requests (429); ``retry_after`` says when to come back, if the vendor did."""

    _retryable_by_default = True


class ServerError(APIError):
    """The vendor failed (5xx)."""

    _retryable_by_default = True


_BY_STATUS: dict[int, type[APIError]] = {
    401: AuthenticationError,
    402: QuotaError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: ServerError,
    429: RateLimitError,
}


class JobError(STTError):
    """Something about a job at a job-style vendor.

    Args:
        job_id: the vendor's id of the job.
    """

    def __init__(
        self,
        message: str = "",
        *,
        job_id: str | None = None,
        provider: str | None = None,
        request_id: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message, provider=provider, request_id=request_id, retryable=retryable)
        self.job_id = job_id


class JobNotFoundError(JobError):
    """The vendor knows no job of this id."""


class JobFailedError(JobError):
    """The vendor gave the job up.

    Args:
        reasons: the vendor's own words, in its order.
    """

    def __init__(
        self,
        message: str = "",
        *,
        reasons: Sequence[str] = (),
        job_id: str | None = None,
        provider: str | None = None,
        request_id: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message, job_id=job_id, provider=provider, request_id=request_id, retryable=retryable)
        self.reasons = tuple(reasons)


class JobExpiredError(JobError):
    """The vendor has deleted the job or its result."""


class ResultNotReadyError(JobError):
    """The job is still running."""

    _retryable_by_default = True


class AllProvidersFailedError(STTError):
    """Every member of a chain failed.

    Args:
        causes: one error per member, in the chain's order.
    """

    def __init__(self, message: str = "", *, causes: Sequence[STTError] = (), provider: str | None = None) -> None:
        super().__init__(message, provider=provider, retryable=any(cause.retryable for cause in causes))
        self.causes = tuple(causes)
