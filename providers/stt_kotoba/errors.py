"""Kotoba's errors, read from every shape that they have.

What is tried again: 429, 5xx, what Kotoba words as a passing want of capacity, and what has no status but went wrong
in a session that had worked. Never another 4xx: the same attempt would fail again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from stt_core.errors import APIError, ProtocolError

from .wire import ERROR_KINDS, dump, parse

__all__ = ["WireError", "read_error", "read_error_body"]

_STATUS_OF_TYPE = {"invalid_request_error": 400, "server_error": 500}

_PASSING = ("No available batch slot", "init_success not received", "worker_unavailable", "try again later")
"""What the vendor's own (unreleased) client takes for a reason to connect again."""

MAX_QUOTED = 2000
"""Characters of a vendor's answer that are kept in an error, and a quarter of them in its message."""


@dataclass(frozen=True, slots=True)
class WireError:
    """An error in any of the shapes that Kotoba gives it.

    Attributes:
        message: what is wrong.
        status: as an HTTP status, said or implied by the code; ``None`` where neither tells.
        code: Kotoba's.
        param: the names of the fields that are meant, separated by commas.
        passing: it is worded as something that will not last.
        body: what was received.
    """

    message: str
    status: int | None = None
    code: str | None = None
    param: str | None = None
    passing: bool = False
    body: str | None = None

    def to_exception(self, *, retryable: bool | None = None) -> APIError:
        """As the library raises it.

        Args:
            retryable: what to say where neither status nor wording tells; ``None`` means no.
        """
        status = self.status
        kind = APIError if status is None else APIError.for_status(status)
        about = f" ({self.param})" if self.param and self.param not in self.message else ""
        if status is not None:
            retryable = None
        return kind(
            f"Kotoba answered: {self.message[: MAX_QUOTED // 4]}{about}",
            status=status,
            code=self.code,
            body=self.body,
            provider="kotoba",
            retryable=True if self.passing else retryable,
        )


def read_error(document: Mapping[str, object]) -> WireError:
    """An error frame, or the JSON body of a refusal, whatever its shape."""
    inner = document.get("error")
    fields = cast("Mapping[str, object]", inner) if isinstance(inner, dict) else document
    detail = document.get("detail")
    said: Sequence[object] = (detail, document.get("message"), fields.get("message"), cast("object", inner))
    message = next((text for text in said if isinstance(text, str) and text.strip()), "")
    if not message and isinstance(detail, list):
        message = "; ".join(_problem(each) for each in cast("Sequence[object]", detail))
    code = fields.get("code") or document.get("code")
    code = str(code) if isinstance(code, str | int) else None
    kind = fields.get("type")
    status = ERROR_KINDS[code][1] if code is not None and code in ERROR_KINDS else _status(code)
    if status is None and fields is not document and isinstance(kind, str):
        status = _STATUS_OF_TYPE.get(kind)
    param = fields.get("param")
    return WireError(
        message=message.strip() or code or "an error without a reason",
        status=status,
        code=code,
        param=param if isinstance(param, str) and param else None,
        passing=any(words in f"{code} {message}" for words in _PASSING),
        body=dump(document)[:MAX_QUOTED],
    )


def read_error_body(status: int, body: bytes) -> WireError:
    """The body of a refusal: JSON, or whatever a gateway wrote."""
    text = body.decode("utf-8", "replace").strip()
    try:
        document = parse(text)
    except ProtocolError:
        document = None
    if isinstance(document, dict):
        error = read_error(cast("Mapping[str, object]", document))
    else:
        error = WireError("" if text.startswith("<") else text)
    return replace(error, message=error.message or f"HTTP {status}", status=status, body=text[:MAX_QUOTED] or None)


def _problem(problem: object) -> str:
    if not isinstance(problem, dict):
        return str(problem)
    fields = cast("Mapping[str, object]", problem)
    where = fields.get("loc")
    path = ".".join(str(part) for part in cast("Sequence[object]", where)) if isinstance(where, list) else ""
    return f"{path}: {fields.get('msg', '')}".strip(": ")


def _status(code: str | None) -> int | None:
    number = int(code) if code is not None and code.isascii() and code.isdigit() and len(code) == 3 else 0
    return number if 400 <= number <= 599 else None
