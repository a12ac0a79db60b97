"""How Speechmatics refuses: its servers in JSON, the gateway before them in HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stt_core.server import Response

from .wire import REQUEST_ID_HEADER, build_error

if TYPE_CHECKING:
    from stt_core.server import Refused, Request

__all__ = ["BUSY", "refusal", "request_id_of"]

CLIENT_ID_HEADER = "X-Request-Id"
"""Speechmatics' clients name their requests in it."""

BUSY = "busy"
"""The code of a refusal that the container words in its own way."""

_MAX_ID = 100
_NAMES: Mapping[int, str] = {
    400: "Malformed request",
    403: "Forbidden",
    404: "Not Found",
    410: "Job Expired",
    413: "Request Entity Too Large",
    415: "Malformed request",
    422: "Unprocessable Entity",
    423: "Resource Locked",
    429: "Max concurrent running jobs exceeded",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_UNAUTHORIZED = (
    b"<html>\r\n<head><title>401 Authorization Required</title></head>\r\n"
    b"<body>\r\n<center><h1>401 Authorization Required</h1></center>\r\n</body>\r\n</html>\r\n"
)


def refusal(request: Request, refused: Refused) -> Response:
    """The answer; without a key the gateway's, which is what vendors' clients see."""
    headers = {REQUEST_ID_HEADER: request_id_of(request)}
    if refused.retry_after is not None:
        headers["Retry-After"] = f"{refused.retry_after:g}"
    if refused.status == 401:
        return Response(401, _UNAUTHORIZED, "text/html", headers)
    if refused.code == BUSY:
        return Response.json({"detail": refused.message}, refused.status, headers=headers)
    status = 400 if refused.status == 415 else refused.status
    name = refused.title or _NAMES.get(status, "Job error")
    return Response.json(build_error(status, name, refused.message or None), status, headers=headers)


def request_id_of(request: Request) -> str:
    """What the client calls the request, if that can be an id; else the server's own for it."""
    named = request.headers.get(CLIENT_ID_HEADER, "")
    return named if 0 < len(named) <= _MAX_ID and named.isascii() and named.isprintable() else request.id
