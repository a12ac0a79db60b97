"""Fields of Speechmatics' documents, as they come: few are always there, many are ``null``, others are not known."""

from __future__ import annotations

from datetime import UTC, datetime

from stt_core.jsonfields import JsonFields

__all__ = ["dump", "format_time", "items_of", "number_of", "object_of", "parse", "read_time", "text_of", "texts_of"]


_fields = JsonFields("Speechmatics", provider="speechmatics")
parse, object_of, items_of = _fields.parse, _fields.object_of, _fields.items_of
text_of, texts_of, number_of = _fields.text_of, _fields.texts_of, _fields.number_of


def dump(document: object) -> str:
    """A document as JSON."""
    from pydantic_core import to_json

    return to_json(document).decode()


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
