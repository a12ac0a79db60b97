"""What can be done to a message on its way: choosing it, reading the audio out of it, altering and corrupting it."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeGuard, cast

from ...transport.codec import Message

__all__ = [
    "CORRUPTIONS",
    "AudioOf",
    "Corruption",
    "Json",
    "Match",
    "Matching",
    "Outgoing",
    "Raw",
    "altered",
    "anything",
    "as_bytes",
    "base64_audio",
    "binary_audio",
    "corrupted",
    "frame",
    "leaves",
    "matching",
    "parsed",
]

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"
Match = Callable[[Message], bool]
AudioOf = Callable[[Message], bytes | None]
"""The audio in a client's message; ``None`` if it is of another kind."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that are put on the socket as they are, outside of any frame; as an HTTP body, the body."""

    data: bytes


Outgoing = Message | Raw


def as_bytes(message: Outgoing) -> bytes:
    """Text in UTF-8, bytes as they are."""
    if isinstance(message, Raw):
        return message.data
    return message.encode() if isinstance(message, str) else message


# -- reading ---------------------------------------------------------------------------------------------------------


def parsed(message: Outgoing) -> dict[str, Json] | None:
    """The JSON object in a text message; ``None`` for anything else."""
    if not isinstance(message, str):
        return None
    try:
        document = cast("Json", json.loads(message))
    except ValueError:
        return None
    return document if _is_object(document) else None


def _is_object(document: Json) -> TypeGuard[dict[str, Json]]:
    return isinstance(document, dict)


def _is_list(document: Json) -> TypeGuard[list[Json]]:
    return isinstance(document, list)


def anything(message: Message) -> bool:
    """Matches every message."""
    return True


@dataclass(frozen=True, slots=True)
class Matching:
    """See :func:`matching`."""

    text: str | None
    fields: tuple[tuple[str, Json], ...]

    def __call__(self, message: Message) -> bool:
        """Whether the message is of this kind."""
        if self.text is not None and message != self.text:
            return False
        if not self.fields:
            return True
        document = parsed(message)
        return document is not None and all(name in document and document[name] == value for name, value in self.fields)


def matching(text: str | None = None, /, **fields: Json) -> Matching:
    """Matches messages that are exactly ``text``, or JSON objects with (at least) these fields."""
    return Matching(text, tuple(fields.items()))


def binary_audio(message: Message) -> bytes | None:
    """Binary messages are audio, text messages are not."""
    return message if isinstance(message, bytes) else None


def base64_audio(name: str, /, **fields: Json) -> AudioOf:
    """Audio travels as base64 in the field ``name`` of JSON objects that have these ``fields``."""
    kind = matching(**fields)

    def audio(message: Message) -> bytes | None:
        value = (parsed(message) or {}).get(name)
        return base64.b64decode(value) if isinstance(value, str) and kind(message) else None

    return audio


# -- altering --------------------------------------------------------------------------------------------------------


def leaves(message: Message) -> list[str]:
    """The dotted paths of all fields of a JSON object, inner ones too, lists by number: ``words.0.start``."""

    def inner(document: Json) -> list[str]:
        if _is_object(document):
            items = list(document.items())
        elif _is_list(document):
            items = [(str(index), item) for index, item in enumerate(document)]
        else:
            return []
        return [path for name, value in items for path in [name, *(f"{name}.{rest}" for rest in inner(value))]]

    return inner(parsed(message))


def altered(message: str, *, missing: Sequence[str], values: Mapping[str, Json]) -> str:
    """The JSON object in ``message`` without the fields ``missing`` and with ``values``; both by dotted paths.

    Raises:
        LookupError: there is no such field to take away, or nothing to put one into: the test does not test.
    """
    document = cast("Json", json.loads(message))
    for path in missing:
        holder, name = _holder(document, path)
        if _is_object(holder):
            del holder[name]
        elif _is_list(holder):
            del holder[int(name)]
    for path, value in values.items():
        holder, name = _holder(document, path)
        if _is_object(holder):
            holder[name] = value
        elif _is_list(holder):
            holder[int(name)] = value
    return json.dumps(document)


def _holder(document: Json, path: str) -> tuple[Json, str]:
    *way, name = path.split(".")
    for step in way:
        if _is_object(document):
            document = document[step]
        elif _is_list(document):
            document = document[int(step)]
    if not (_is_object(document) or _is_list(document)):
        raise LookupError(f"nothing to put {path!r} into")
    return document, name


# -- corrupting ------------------------------------------------------------------------------------------------------

Corruption = Literal[
    "not json",
    "truncated",
    "oversized",
    "binary",
    "empty",
    "array",
    "null",
    "bad utf-8",
    "bad opcode",
    "reserved bits",
    "huge",
    "cut short",
    "unfinished",
]

_TEXT = 1
_OVERSIZED = 5 * 2**20


def frame(
    payload: bytes,
    opcode: int = _TEXT,
    *,
    fin: bool = True,
    rsv: int = 0,
    masked: bool = False,
    length: int | None = None,
) -> bytes:
    """A WebSocket frame (RFC 6455, 5.2) with any of its fields wrong.

    Args:
        payload: as it is, also where the mask bit is set (the masking key is then all zeros).
        opcode: 0 to 15.
        fin: whether it ends its message.
        rsv: the three reserved bits.
        masked: what only a client may do.
        length: what the header says of the payload's length; ``None`` for the truth.
    """
    size = len(payload) if length is None else length
    mask = 0x80 if masked else 0
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    if size < 126:
        head = struct.pack("!BB", first, mask | size)
    elif size < 2**16:
        head = struct.pack("!BBH", first, mask | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask | 127, size)
    return head + (bytes(4) if masked else b"") + payload


def _oversized(message: bytes) -> str:
    return json.dumps({**(parsed(message.decode()) or {}), "padding": "x" * _OVERSIZED})


_CORRUPT: dict[Corruption, Callable[[bytes], Outgoing]] = {
    "not json": lambda message: "{not json",
    "truncated": lambda message: message[: len(message) // 2].decode(errors="ignore"),
    "oversized": _oversized,
    "binary": lambda message: message,
    "empty": lambda message: "",
    "array": lambda message: "[]",
    "null": lambda message: "null",
    "bad utf-8": lambda message: Raw(frame(message + b"\xff\xfe")),
    "bad opcode": lambda message: Raw(frame(message, 3)),
    "reserved bits": lambda message: Raw(frame(message, rsv=7)),
    "huge": lambda message: Raw(frame(message, length=2**62)),
    "cut short": lambda message: Raw(frame(message, length=len(message) + 2**20)),
    "unfinished": lambda message: Raw(frame(message, fin=False)),
}

CORRUPTIONS: tuple[Corruption, ...] = tuple(_CORRUPT)
"""All kinds, to parametrise a test with."""


def corrupted(message: Message, kind: Corruption) -> Outgoing:
    """What comes instead of ``message``; the meaning of ``kind`` is in :class:`~stt_core.testing.faults.Corrupt`."""
    return _CORRUPT[kind](as_bytes(message))
