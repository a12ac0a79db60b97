"""Cartesia's errors: read from every shape that they have had, and written in the one that an API version has.

What is tried again: 429, 5xx and what has no status but went wrong in a session that had worked. Never 400, 401, 402,
403, 404, 413 or 414: the same attempt would fail again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from stt_core.errors import APIError, ProtocolError

from .options import API_VERSION
from .wire import STRUCTURED_ERRORS_SINCE, ErrorMessage, LegacyErrorMessage, dump, parse, text_of

__all__ = ["WireError", "build_error", "build_error_body", "read_error", "read_error_body"]

_STATUS_OF_CODE = {
    "authentication_failed": 401,
    "concurrency_limited": 429,
    "model_not_found": 400,
    "plan_upgrade_required": 402,
    "quota_exceeded": 402,
    "voice_not_found": 404,
}

# Beyond those that every vendor means to be tried again: Cartesia's own SDK repeats a conflict.
_RETRYABLE = frozenset({409})

MAX_QUOTED = 2000
"""Characters of a vendor's answer that are kept in an error."""


@dataclass(frozen=True, slots=True)
class WireError:
    """An error in any of the shapes that Cartesia gives it.

    Attributes:
        message: what is wrong; the title where there is nothing else.
        title: what kind of thing is wrong.
        status: as an HTTP status.
        code: Cartesia's ``error_code``.
        request_id: of the session or request.
        doc_url: where it is explained.
        body: what was received.
    """

    message: str
    title: str = ""
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    doc_url: str | None = None
    body: str | None = None

    def to_exception(self, *, retryable: bool | None = None) -> APIError:
        """As the library raises it.

        Args:
            retryable: what to say where neither status nor code tells; ``None`` means no.
        """
        status = self.status
        kind = APIError if status is None else APIError.for_status(status)
        said = f"{self.title}: {self.message}" if self.title and self.title != self.message else self.message
        see = f" (see {self.doc_url})" if self.doc_url else ""
        if status is not None:
            retryable = True if status in _RETRYABLE else None
        return kind(
            f"Cartesia answered: {said or 'error without a reason'}{see}",
            status=status,
            code=self.code,
            body=self.body,
            provider="cartesia",
            request_id=self.request_id,
            retryable=retryable,
        )


def read_error(message: Mapping[str, object]) -> WireError:
    """An error frame, or the JSON body of a refusal, of any version."""
    said = message.get("error")
    fields = {name: value for name, value in message.items() if value is not None}
    title = text_of(fields, "title")
    error_code = fields.get("error_code")
    code = error_code if isinstance(error_code, str) else None
    status = _status_of(fields.get("status_code"), fields.get("code"))
    if status is None and code is not None:
        status = _STATUS_OF_CODE.get(code)
    return WireError(
        message=_scrub(text_of(fields, "message") or (said if isinstance(said, str) else "") or title),
        title=title,
        status=status,
        code=code,
        request_id=text_of(fields, "request_id") or None,
        doc_url=text_of(fields, "doc_url") or None,
        body=_scrub(dump(message))[:MAX_QUOTED],
    )


def read_error_body(status: int, body: bytes) -> WireError:
    """The body of a refusal: JSON, ``Title: Message`` in plain text before 2026-03-01, or whatever a proxy wrote."""
    text = _scrub(body.decode("utf-8", "replace").strip())
    try:
        error = read_error(parse(text))
    except ProtocolError:
        html = text.startswith("<")
        title, colon, message = ("", "", "") if html else text.partition(": ")
        if colon and title and "\n" not in title:
            error = WireError(message.strip(), title)
        else:
            error = WireError("" if html else text[:MAX_QUOTED])
    if not error.message:
        error = replace(error, message=f"HTTP {status}")
    return replace(error, status=status, body=text[:MAX_QUOTED] or None)


def build_error(error: WireError, *, request_id: str, version: str = API_VERSION) -> ErrorMessage | LegacyErrorMessage:
    """An error frame as the given API version has it."""
    status = error.status or 500
    if version < STRUCTURED_ERRORS_SINCE:
        return {"type": "error", "message": error.message, "code": status, "request_id": request_id}
    message = _structured(error, request_id)
    return {"type": "error", "status_code": status, **message}


def build_error_body(error: WireError, *, request_id: str, version: str = API_VERSION) -> tuple[str, bytes]:
    """Content type and body of a refusal as the given API version has it."""
    if version < STRUCTURED_ERRORS_SINCE:
        text = f"{error.title}: {error.message}" if error.title else error.message
        return "text/plain; charset=utf-8", text.encode()
    return "application/json", dump(_structured(error, request_id)).encode()


def _structured(error: WireError, request_id: str) -> ErrorMessage:
    message: ErrorMessage = {
        "error_code": error.code,
        "title": error.title,
        "message": error.message,
        "request_id": request_id,
    }
    if error.doc_url:
        message["doc_url"] = error.doc_url
    return message


_SECRET = re.compile(r"sk_car_\w+|eyJ[\w-]+\.[\w-]+\.[\w-]+")


def _scrub(text: str) -> str:
    """Without the keys and tokens that a server may quote."""
    return _SECRET.sub("***", text)


def _status_of(*candidates: object) -> int | None:
    for value in candidates:
        number = int(value) if isinstance(value, str) and value.isdigit() else value
        if isinstance(number, int) and not isinstance(number, bool) and 100 <= number <= 599:
            return number
    return None
