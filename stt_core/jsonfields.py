"""Fields of a vendor's JSON, as they come: few are always there, many are ``null``, others are not known.

A provider makes one :class:`JsonFields` and reads everything through it, so that a field of the wrong type
is an error that names vendor and field, wherever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import cast

from .errors import ProtocolError

__all__ = ["JsonFields"]


class JsonFields:
    """Reads the fields of one vendor's messages and documents.

    What is missing and what is ``null`` are the same; what has another type than the field's is a ``ProtocolError``.

    Args:
        sender: for errors: ``Cartesia sent 7 as `text```.
        provider: the registered name, for errors.
    """

    def __init__(self, sender: str, *, provider: str) -> None:
        self._sender = sender
        self._provider = provider

    @cached_property
    def _from_json(self) -> Callable[[str | bytes], object]:
        # Not at the top, because a provider's registration is read without it; not with each message either, where the
        # statement takes longer than the parsing.
        from pydantic_core import from_json

        return from_json

    def parse(self, message: str | bytes) -> Mapping[str, object]:
        """A message as a JSON object.

        Raises:
            ProtocolError: it is none.
        """
        try:
            found = self._from_json(message)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ProtocolError(
                f"{self._sender} sent what is no JSON object: {message[:200]!r}", provider=self._provider
            )
        return cast("Mapping[str, object]", found)

    def text_of(self, message: Mapping[str, object], name: str) -> str:
        """A text; ``""`` where there is none."""
        value = message.get(name)
        if isinstance(value, str):
            return value
        if value is None:
            return ""
        raise self.mistyped(name, value)

    def number_of(self, message: Mapping[str, object], name: str) -> float | None:
        """A number; ``None`` where there is none."""
        value = message.get(name)
        if value is None or type(value) is float or type(value) is int:  # and not bool, which is an int
            return value
        raise self.mistyped(name, value)

    def object_of(self, message: Mapping[str, object], name: str) -> Mapping[str, object]:
        """An object inside; an empty one where there is none."""
        value = message.get(name)
        if value is None:
            return {}
        if isinstance(value, dict):
            return cast("Mapping[str, object]", value)
        raise self.mistyped(name, value)

    def items_of(self, message: Mapping[str, object], name: str) -> Sequence[Mapping[str, object]] | None:
        """A list of objects; ``None`` where there is none."""
        items = self._list(message, name, dict)
        return cast("Sequence[Mapping[str, object]] | None", items)

    def texts_of(self, message: Mapping[str, object], name: str) -> Sequence[str]:
        """A list of texts; an empty one where there is none."""
        return cast("Sequence[str]", self._list(message, name, str) or ())

    def _list(self, message: Mapping[str, object], name: str, kind: type) -> Sequence[object] | None:
        value = message.get(name)
        if value is None:
            return None
        if not isinstance(value, list):
            raise self.mistyped(name, value)
        items = cast("list[object]", value)
        for item in items:
            if not isinstance(item, kind):
                raise self.mistyped(name, items)
        return items

    def mistyped(self, name: str, value: object) -> ProtocolError:
        """The error for a field that is not what it should be."""
        return ProtocolError(f"{self._sender} sent {value!r:.60} as `{name}`", provider=self._provider)
