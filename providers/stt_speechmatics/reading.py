"""Fields of Speechmatics' documents, as they come: few are always there, many are ``null``, others are not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from stt_core.errors import ProtocolError

__all__ = ["dump", "format_time", "items_of", "number_of", "object_of", "parse", "read_time", "text_of", "texts_of"]


def parse(body: str | bytes) -> Mapping[str, object]:
    """A body as a JSON object.

    Raises:
        ProtocolError: it is none.
    """
    from pydantic_core import from_json

    try:
        found: object = from_json(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ProtocolError(f"Speechmatics sent what is no JSON object: {body[:80]!r}", provider="speechmatics")
    return cast("Mapping[str, object]", found)


def dump(document: object) -> str:
    """A document as JSON."""
    from pydantic_core import to_json

    return to_json(document).decode()


def text_of(document: Mapping[str, object], name: str) -> str:
    """A text field; ``""`` where it is missing or null.

    Raises:
        ProtocolError: it is something else.
    """
    value = document.get(name)
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    raise _mistyped(name, value)


def number_of(document: Mapping[str, object], name: str) -> float | None:
    """A number field, ``None`` where it is missing or null.

    Raises:
        ProtocolError: it is something else.
    """
    value = document.get(name)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise _mistyped(name, value)


def object_of(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    """An object inside; an empty one where it is missing or null.

    Raises:
        ProtocolError: it is something else.
    """
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _mistyped(name, value)
    return cast("Mapping[str, object]", value)


def items_of(document: Mapping[str, object], name: str) -> Sequence[Mapping[str, object]] | None:
    """A list of objects; ``None`` where it is missing or null.

    Raises:
        ProtocolError: it is something else.
    """
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise _mistyped(name, value)
    items = cast("list[object]", value)
    if not all(isinstance(item, dict) for item in items):
        raise _mistyped(name, items)
    return cast("Sequence[Mapping[str, object]]", items)


def texts_of(document: Mapping[str, object], name: str) -> Sequence[str]:
    """A list of texts; an empty one where it is missing or null.

    Raises:
        ProtocolError: it is something else.
    """
    value = document.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _mistyped(name, value)
    items = cast("list[object]", value)
    if not all(isinstance(item, str) for item in items):
        raise _mistyped(name, items)
    return cast("Sequence[str]", items)


def _mistyped(name: str, value: object) -> ProtocolError:
    return ProtocolError(f"Speechmatics sent {value!r:.60} as `{name}`", provider="speechmatics")


def format_time(moment: datetime) -> str:
    """A moment as the API writes it: UTC, milliseconds, ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_time(text: str) -> datetime | None:
    """A moment as ISO 8601 has it, up to nanoseconds, in UTC where it names no zone; ``None`` if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
