"""What stands beside a job in the requests of Speechmatics' clients: in the query, in headers, and in small bodies.

A parameter of the query that is not accepted is answered as Speechmatics does: 422, with the complaint in the place of
the error's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, cast

from stt_core.server import Refused

from .asked import rejected
from .reading import read_time
from .wire import FORMATS, KEY_TYPE, MAX_LISTED, MAX_TTL, MIN_TTL, PROCESSING_HEADER

if TYPE_CHECKING:
    from stt_core.server import Request

    from .wire import TranscriptFormat

__all__ = [
    "KeyAsked",
    "ListAsked",
    "read_dates",
    "read_engines",
    "read_flag",
    "read_format",
    "read_key",
    "read_list",
    "read_wait",
]

_WHOLE = re.compile(r"[+-]?\d{1,18}")

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ListAsked:
    """Which jobs are listed."""

    limit: int
    created_before: datetime | None
    include_deleted: bool


@dataclass(frozen=True, slots=True)
class KeyAsked:
    """A temporary key."""

    ttl: int
    kind: str
    client_ref: str | None


def read_wait(request: Request, default: int | None) -> int | None:
    """Seconds that the client lets the server wait; ``default`` where it does not say.

    Raises:
        Refused: 422, it is no number, or below 0.
    """
    text = request.query.get("wait")
    return default if text is None else _whole("wait", text, 0, None)


def read_format(request: Request) -> TranscriptFormat:
    """The format of a transcript.

    Raises:
        Refused: 422, it is none.
    """
    text = request.query.get("format", FORMATS[0])
    for known in FORMATS:
        if text == known:
            return known
    raise _unprocessable(f"format in query should be one of [{' '.join(FORMATS)}]")


def read_flag(request: Request, name: str) -> bool:
    """A switch in the query.

    Raises:
        Refused: 422, it is neither true nor false.
    """
    text = request.query.get(name, "false").lower()
    if text not in ("true", "false", "1", "0"):
        raise _unprocessable(f"{name} in query must be of type boolean")
    return text in ("true", "1")


def read_list(request: Request) -> ListAsked:
    """The query of a list.

    Raises:
        Refused: 422, a parameter is not accepted.
    """
    limit = request.query.get("limit")
    before = request.query.get("created_before")
    moment = None if before is None else read_time(before)
    if before is not None and moment is None:
        raise _unprocessable("created_before in query must be of type date-time")
    return ListAsked(
        MAX_LISTED if limit is None else _whole("limit", limit, 1, MAX_LISTED),
        moment,
        read_flag(request, "include_deleted"),
    )


def read_dates(request: Request, first: date, last: date) -> tuple[date, date]:
    """``since`` and ``until`` of the query, else the two given.

    Raises:
        Refused: 422, one of them is no date.
    """
    found: list[date] = []
    for name, default in (("since", first), ("until", last)):
        text = request.query.get(name)
        try:
            found.append(default if text is None else date.fromisoformat(text))
        except ValueError:
            raise _unprocessable(f"{name} in query must be of type date") from None
    return found[0], found[1]


def read_engines(request: Request) -> int:
    """On premises: how many engines share the job.

    Raises:
        Refused: 400, the header is not the JSON that it has to be.
    """
    text = request.headers.get(PROCESSING_HEADER)
    if text is None:
        return 1
    try:
        data: object = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    engines = cast("Json", data).get("parallel_engines", 1) if isinstance(data, dict) else None
    if not isinstance(engines, int) or isinstance(engines, bool) or engines < 1:
        raise rejected(f'{PROCESSING_HEADER} is JSON such as {{"parallel_engines": 2, "user_id": "me"}}')
    return engines


async def read_key(request: Request) -> KeyAsked:
    """A request for a temporary key.

    Raises:
        Refused: 400, it says too little, or what is not accepted.
    """
    body = await request.json()
    asked: Json = cast("Json", body) if isinstance(body, dict) else {}
    ttl, client_ref, kind = asked.get("ttl"), asked.get("client_ref"), request.query.get("type")
    if not isinstance(ttl, int) or not MIN_TTL <= ttl <= MAX_TTL:
        raise Refused(400, f"`ttl` is {MIN_TTL} to {MAX_TTL} seconds", title="Bad Request")
    if kind not in (KEY_TYPE, "rt", "tts"):
        raise Refused(400, "`type` in the query is batch, rt or tts", title="Bad Request")
    if client_ref is not None and not isinstance(client_ref, str):
        raise Refused(400, "`client_ref` is a text", title="Bad Request")
    return KeyAsked(ttl, kind, client_ref or None)


def _whole(name: str, text: str, low: int, high: int | None) -> int:
    if not _WHOLE.fullmatch(text):
        raise _unprocessable(f"{name} in query must be of type int64")
    value = int(text)
    if value < low:
        raise _unprocessable(f"{name} in query should be greater than or equal to {low}")
    if high is not None and value > high:
        raise _unprocessable(f"{name} in query should be less than or equal to {high}")
    return value


def _unprocessable(message: str) -> Refused:
    """Speechmatics says in these what is wrong in the place of the error's name."""
    return Refused(422, "", title=message)
