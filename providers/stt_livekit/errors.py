"""The gateway's errors, in a session and instead of one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

from stt_core.errors import APIError, ProtocolError

from .wire import dump, number_of, parse, text_of

__all__ = ["read_error", "read_error_body"]

MAX_QUOTED = 2000
"""Characters of an answer that are kept in an error."""

_SECRET = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


def read_error(message: Mapping[str, object]) -> APIError:
    """An ``error`` message; its code, where it has one, is an HTTP status.

    Without one nobody can say whether the same would fail again: it is tried.
    """
    number = number_of(message, "code")
    status = None if number is None or not 400 <= number <= 599 else int(number)
    said = text_of(message, "message")
    return _error(status, said, dump(message), code=None if number is None else f"{number:g}")


def read_error_body(status: int, body: bytes) -> APIError:
    """The body of a refusal: JSON with the reason under one of its usual names, or whatever a proxy wrote."""
    text = body.decode("utf-8", "replace").strip()
    try:
        fields = parse(text)
    except ProtocolError:
        return _error(status, "" if text.startswith("<") else text, text)
    texts = [value for name in ("message", "msg", "error", "detail") if isinstance(value := fields.get(name), str)]
    code = fields.get("code")
    return _error(status, texts[0] if texts else "", text, code=code if isinstance(code, str) else None)


def _error(status: int | None, said: str, body: str, *, code: str | None = None) -> APIError:
    kind = APIError if status is None else APIError.for_status(status)
    reason = _scrub(said)[:MAX_QUOTED] or (HTTPStatus(status).phrase if status in _KNOWN else "no reason given")
    return kind(
        f"the LiveKit gateway answered: {f'{status} ' if status else ''}{reason}",
        status=status,
        code=code,
        body=_scrub(body)[:MAX_QUOTED] or None,
        provider="livekit",
        retryable=True if status is None or status in _RETRYABLE else None,
    )


_KNOWN = frozenset(HTTPStatus)

# Beyond those that every vendor means to be tried again: the gateway's own client gave up on the upstream provider.
_RETRYABLE = frozenset({499})


def _scrub(text: str) -> str:
    """Without the tokens that a server may quote."""
    return _SECRET.sub("***", text)
