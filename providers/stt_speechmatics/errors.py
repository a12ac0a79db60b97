"""Speechmatics' refusals as errors: JSON from its servers, HTML from a gateway before them, and what a status means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stt_core.errors import APIError, ProtocolError

from .reading import parse
from .wire import REQUEST_ID_HEADER

__all__ = ["Refusal", "read_refusal", "without_secrets"]

MAX_QUOTED = 2000
"""Characters of an answer that are kept in an error."""

_ADVICE = {
    401: "is the key right, and of this region?",
    403: "the key has expired, or the account has no such feature",
    413: "files of 1 GB and more go through fetch_data",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an answer that is not 2xx says.

    Attributes:
        status: of HTTP.
        error: what kind of thing is wrong, in free text; ``""`` in HTML.
        detail: what exactly.
        request_id: for a support ticket.
        body: what was received, bounded; ``None`` for nothing.
    """

    status: int
    error: str = ""
    detail: str = ""
    request_id: str | None = None
    body: str | None = None

    def to_exception(self) -> APIError:
        """As the library raises it."""
        said = ": ".join(part for part in (self.error, self.detail) if part) or f"HTTP {self.status}"
        advice = _ADVICE.get(self.status)
        return APIError.for_status(self.status)(
            f"Speechmatics answered: {said}" + (f" ({advice})" if advice else ""),
            status=self.status,
            code=self.error or None,
            body=self.body,
            provider="speechmatics",
            request_id=self.request_id,
        )


def read_refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """The refusal in any of its shapes: ``code``, ``error``, ``detail``; on premises only ``detail``; or HTML."""
    text = body.decode("utf-8", "replace").strip()
    shown = without_secrets(text)[:MAX_QUOTED]
    request_id = headers.get(REQUEST_ID_HEADER)
    try:
        document = parse(text)
    except ProtocolError:
        return Refusal(status, "" if text.startswith("<") else shown, request_id=request_id, body=shown or None)
    return Refusal(status, _said(document, "error"), _said(document, "detail"), request_id, shown)


def _said(document: Mapping[str, object], name: str) -> str:
    value = document.get(name)
    return without_secrets(value)[:MAX_QUOTED] if isinstance(value, str) else ""


_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
_BEARER = re.compile(r"\b(Bearer)\s+[^\s\"'\\,]+", re.IGNORECASE)
_URL = re.compile(r"(https?://)([^\s/@\"']*@)?([^\s?#\"'\\]*)(\?[^\s\"'\\]*)?")


def without_secrets(text: str) -> str:
    """Without what servers repeat and logs must not have: keys, and what opens the URL of a recording."""
    text = _BEARER.sub(r"\1 ***", _TOKEN.sub("***", text))
    return _URL.sub(lambda url: f"{url[1]}{url[3]}{'?***' if url[4] else ''}", text)
