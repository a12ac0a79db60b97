"""How the server half refuses: which code, and in which of Kotoba's shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stt_core.server import Response

from .asked import Invalid
from .documents import Detail, Envelope, ErrorBody, build_validation
from .forms import Unprocessable
from .wire import build_error_object

if TYPE_CHECKING:
    from stt_core.server import Refused

    from .wire import ErrorObject

__all__ = ["error_object", "refusal"]

_CODES = {
    401: "invalid_api_key",
    404: "invalid_url",
    408: "timeout_error",
    429: "rate_limit_error",
    503: "worker_unavailable",
    504: "timeout_error",
}
_PLAIN = frozenset({401, 403})
"""What the framework below Kotoba's API answers by itself, without an envelope."""


def error_object(refused: Refused) -> ErrorObject:
    """The refusal as it stands in an envelope and in an error frame."""
    code = refused.code or _CODES.get(refused.status)
    if code is None:
        code = "invalid_parameters" if refused.status < 500 else "internal_error"
    return build_error_object(code, refused.message, param=refused.param if isinstance(refused, Invalid) else None)


def refusal(refused: Refused) -> Response:
    """The answer to a request."""
    headers = {} if refused.retry_after is None else {"Retry-After": f"{refused.retry_after:g}"}
    return Response.json(_body(refused), refused.status, headers=headers)


def _body(refused: Refused) -> ErrorBody:
    if isinstance(refused, Unprocessable):
        return build_validation((refused.field, refused.message, refused.kind))
    if refused.status in _PLAIN:
        return Detail(detail=refused.message)
    return Envelope(error=error_object(refused))
