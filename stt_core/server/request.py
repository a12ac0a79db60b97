"""A request, as a server half sees it: small fields in memory, uploads on disk, everything bounded."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, TypeVar, cast
from uuid import uuid4

from aiohttp import BodyPartReader, web

from .refused import Refused

if TYPE_CHECKING:
    from multidict import MultiMapping

__all__ = ["Form", "Request", "Upload"]

MAX_FIELD = 1 << 20
"""Bytes of one form field that is not a file, or of a JSON body."""

MAX_PARTS = 4096
"""Parts of a form."""

BODY_SECONDS = 60.0
"""A client that needs longer for 64 KiB of its body is refused."""

_CHUNK = 1 << 16

T = TypeVar("T")


class Upload:
    """A file of a form, on disk; gone when the request is answered unless it is taken.

    Attributes:
        name: as the client calls it, without folders; ``upload`` if it does not say.
        content_type: as the client says.
        size: bytes.
    """

    def __init__(self, name: str, content_type: str, file: BinaryIO, size: int) -> None:
        self.name = name
        self.content_type = content_type
        self.size = size
        self._file = file
        self._taken = False

    @property
    def audio(self) -> tuple[str, BinaryIO]:
        """What ``recognize()`` takes."""
        return self.name, self._file

    def take(self) -> None:
        """The caller will :meth:`close` it, because a job outlives the request."""
        self._taken = True

    def close(self) -> None:
        """Drops the file."""
        self._file.close()

    def close_unless_taken(self) -> None:
        """For the host, when the request is answered."""
        if not self._taken:
            self.close()


class Form:
    """The parts of a ``multipart/form-data`` body."""

    def __init__(self) -> None:
        self._fields: dict[str, list[str]] = {}
        self._files: dict[str, Upload] = {}

    def field(self, name: str) -> str | None:
        """The field's first value, ``None`` without one."""
        values = self._fields.get(name)
        return values[0] if values else None

    def values(self, name: str) -> Sequence[str]:
        """All values of a field that may be repeated."""
        return self._fields.get(name, ())

    def file(self, name: str) -> Upload | None:
        """The file of that name, ``None`` without one."""
        return self._files.get(name)

    def add_field(self, name: str, value: str) -> None:
        """One more value."""
        self._fields.setdefault(name, []).append(value)

    def add_file(self, name: str, upload: Upload) -> None:
        """A file; one of the same name is replaced."""
        if name in self._files:
            self._files[name].close()
        self._files[name] = upload

    def close(self) -> None:
        """Drops the files that nobody has taken."""
        for upload in self._files.values():
            upload.close_unless_taken()


class Request:
    """An HTTP request or a WebSocket handshake.

    Args:
        raw: the server's.
        prefix: under which the half is mounted; not part of :attr:`path`.
        max_upload: bytes of a whole body.
    """

    def __init__(self, raw: web.Request, *, prefix: str = "", max_upload: int) -> None:
        self._raw = raw
        self._prefix = prefix
        self._max_upload = max_upload
        self._form: Form | None = None

    @cached_property
    def id(self) -> str:
        """Its own, for answers and logs to name it by."""
        return str(uuid4())

    @property
    def method(self) -> str:
        """In capitals."""
        return self._raw.method

    @property
    def path(self) -> str:
        """Without the prefix and the query, decoded."""
        return self._raw.path.removeprefix(self._prefix)

    @property
    def target_length(self) -> int:
        """Characters of the path and the query, as they came."""
        return len(self._raw.raw_path)

    @property
    def headers(self) -> MultiMapping[str]:
        """By name in any case."""
        return self._raw.headers

    @property
    def query(self) -> MultiMapping[str]:
        """Decoded; ``+`` and ``%20`` are both a space."""
        return self._raw.query

    @property
    def params(self) -> Mapping[str, str]:
        """What stands in the place of the route's ``{name}``."""
        return self._raw.match_info

    @property
    def bearer(self) -> str | None:
        """What follows ``Authorization: Bearer``, ``None`` without such a header."""
        scheme, _, credential = self._raw.headers.get("Authorization", "").partition(" ")
        return credential.strip() if scheme.lower() == "bearer" else None

    async def json(self) -> object:
        """The body, read as JSON.

        Raises:
            Refused: it is none (400), or more than 1 MiB (413).
        """
        body = bytearray()
        while chunk := await self._within(self._raw.content.read(_CHUNK)):
            body += chunk
            if len(body) > MAX_FIELD:
                raise Refused(413, f"the body has more than {MAX_FIELD} bytes")
        try:
            return cast("object", json.loads(body))
        except (ValueError, RecursionError) as error:
            raise Refused(400, f"the body is not JSON: {error}") from None

    async def form(self) -> Form:
        """The body, read as ``multipart/form-data``.

        Raises:
            Refused: it is none (415), malformed (400), too large (413), or does not come (408).
        """
        if self._form is None:
            if self._raw.content_type != "multipart/form-data":
                raise Refused(415, "the body has to be multipart/form-data")
            length = self._raw.content_length
            if length is not None and length > self._max_upload:
                raise self._too_large()
            self._form = Form()
            try:
                await self._read_form(self._form)
            except (ValueError, AssertionError, web.HTTPException) as error:  # so aiohttp says that it is malformed
                raise Refused(400, f"the multipart body is malformed: {str(error)[:200]}") from None
        return self._form

    async def _read_form(self, form: Form) -> None:
        reader = await self._raw.multipart()
        left = self._max_upload
        for _ in range(MAX_PARTS):
            part = await self._within(reader.next())
            if part is None:
                return
            if not isinstance(part, BodyPartReader) or part.name is None:
                raise Refused(400, "a part of the multipart body has no name")
            left -= await (self._read_field(form, part) if part.filename is None else self._read_file(form, part, left))
            if left < 0:
                raise self._too_large()
        raise Refused(413, f"the multipart body has more than {MAX_PARTS} parts")

    async def _read_field(self, form: Form, part: BodyPartReader) -> int:
        data = bytearray()
        while chunk := await self._within(part.read_chunk(_CHUNK)):
            data += chunk
            if len(data) > MAX_FIELD:
                raise Refused(413, f"the field `{part.name}` has more than {MAX_FIELD} bytes")
        try:
            form.add_field(part.name or "", data.decode())
        except UnicodeDecodeError:
            raise Refused(400, f"the field `{part.name}` is not UTF-8") from None
        return len(data)

    async def _read_file(self, form: Form, part: BodyPartReader, left: int) -> int:
        file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115  (the form's)
        size = 0
        try:
            while chunk := await self._within(part.read_chunk(_CHUNK)):
                size += len(chunk)
                if size > left:
                    break
                await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(file.seek, 0)
        except BaseException:
            file.close()
            raise
        name = (part.filename or "").replace("\\", "/").rpartition("/")[2] or "upload"
        content_type = part.headers.get("Content-Type", "application/octet-stream")
        form.add_file(part.name or "", Upload(name, content_type, file, size))
        return size

    async def _within(self, reading: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await reading
        except TimeoutError:
            raise Refused(408, f"less than {_CHUNK} bytes of the body came in {BODY_SECONDS:g} s") from None

    def _too_large(self) -> Refused:
        return Refused(413, f"the body has more than {self._max_upload} bytes, which is what this server takes")

    def close(self) -> None:
        """For the host: drops what was uploaded and not taken."""
        if self._form is not None:
            self._form.close()
