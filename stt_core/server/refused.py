"""The one exception that a server half answers a client with."""

from __future__ import annotations

from ..errors import (
    AllProvidersFailedError,
    APIError,
    AudioError,
    BadRequestError,
    ConfigError,
    MissingExtraError,
    NotFoundError,
    RateLimitError,
    STTError,
    STTTimeoutError,
    UnsupportedError,
)

__all__ = ["Refused"]


class Refused(Exception):  # noqa: N818  (an answer)
    """A request is answered with an error.

    Args:
        status: the HTTP status.
        message: what was wrong, what is accepted and what to do; for the client to read.
        code: the vendor's own code, where the half knows one.
        title: the vendor's headline, where it has one.
        retry_after: seconds.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        title: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.title = title
        self.retry_after = retry_after

    @classmethod
    def from_error(cls, error: STTError) -> Refused:
        """What the client is told when the provider behind the server fails.

        Only what the client can change is a 4xx. That the provider does not take *our* key is not the client's 401: it
        would throw its own away.
        """
        if isinstance(error, MissingExtraError):
            return cls(415, error.message)
        if isinstance(error, AudioError | ConfigError | UnsupportedError | BadRequestError | NotFoundError):
            return cls(400, error.message)
        if isinstance(error, RateLimitError):
            return cls(429, error.message, retry_after=error.retry_after)
        if isinstance(error, STTTimeoutError):
            return cls(504, error.message)
        if isinstance(error, AllProvidersFailedError) or error.retryable:
            return cls(503, error.message, retry_after=error.retry_after if isinstance(error, APIError) else None)
        return cls(502, error.message)
