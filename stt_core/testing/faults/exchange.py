"""One HTTP request: its upload read, its answer written, each as badly as the plan says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from .messages import as_bytes
from .plan import Alter, Corrupt, CutResponse, CutUpload, HttpFault, Replace, SlowResponse, SlowUpload, Status
from .rewrite import Rewriter
from .session import cut

if TYPE_CHECKING:
    from .messages import Json
    from .plan import SocketFault
    from .record import Exchange

__all__ = ["Answer", "AnswerTo", "CutShortError", "HttpHandler", "Upload", "answer_request", "planned", "read_all"]

_PIECE = 2**16


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; a mapping or a sequence is sent as JSON.

    Attributes:
        body: of the answer.
        status: of the answer.
        headers: beside content type and length.
        content_type: ``None`` guesses: JSON, HTML or plain text, bytes without one.
    """

    body: str | bytes | Mapping[str, Json] | Sequence[Json] = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content_type: str | None = None

    def encoded(self) -> tuple[bytes, str]:
        """The body's bytes and its content type."""
        if isinstance(self.body, bytes):
            return self.body, self.content_type or "application/octet-stream"
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        guess = {"<": "text/html", "{": "application/json", "[": "application/json"}.get(text[:1], "text/plain")
        return text.encode(), self.content_type or guess


HttpHandler = Callable[["Exchange"], Awaitable[Answer]]
Upload = AsyncIterator[bytes]
AnswerTo = Callable[[Upload], Awaitable[Answer]]


class CutShortError(Exception):
    """A fault has ended the connection."""


async def answer_request(
    request: web.BaseRequest, record: Exchange, faults: Sequence[HttpFault], answer_to: AnswerTo
) -> web.StreamResponse:
    """Reads the request, has it answered and sends the answer."""
    async with aclosing(_upload(request, record, faults)) as upload:
        try:
            if any(isinstance(fault, Status | CutUpload) for fault in faults):
                await read_all(upload)
            answer = planned(faults, record.note_fault) or await answer_to(upload)
            await read_all(upload)
        except CutShortError:
            return web.Response()
    return await _respond(request, record, faults, answer)


async def read_all(upload: Upload) -> None:
    """What was read is in the record."""
    async for _ in upload:
        pass


def planned(faults: Sequence[SocketFault] | Sequence[HttpFault], happened: Callable[[Status], None]) -> Answer | None:
    """The answer that the plan prescribes; ``None`` for the server's own."""
    for fault in faults:
        if isinstance(fault, Status):
            happened(fault)
            headers = dict(fault.headers)
            if fault.retry_after is not None:
                headers["Retry-After"] = str(fault.retry_after)
            return Answer(fault.body, fault.status, headers, fault.content_type)
    return None


async def _upload(
    request: web.BaseRequest, record: Exchange, faults: Sequence[HttpFault]
) -> AsyncGenerator[bytes, None]:
    end = next((fault for fault in faults if isinstance(fault, CutUpload)), None)
    slow = next((fault for fault in faults if isinstance(fault, SlowUpload)), None)
    if slow is not None:
        record.note_fault(slow)
    while end is None or record.body_bytes < end.after:
        size = _PIECE if slow is None else slow.size
        piece = await request.content.read(size if end is None else min(size, end.after - record.body_bytes))
        if not piece:
            break
        record.note_upload(piece)
        yield piece
        if slow is not None:
            await asyncio.sleep(slow.every)
    if end is not None:
        record.note_fault(end)
        cut(request.transport, end.how)
        raise CutShortError


async def _respond(
    request: web.BaseRequest, record: Exchange, faults: Sequence[HttpFault], answer: Answer
) -> web.StreamResponse:
    body, content_type = answer.encoded()
    body = _changed(record, faults, body)
    end = next((fault for fault in faults if isinstance(fault, CutResponse)), None)
    slow = next((fault for fault in faults if isinstance(fault, SlowResponse)), None)
    response = web.StreamResponse(status=answer.status, headers={"Content-Type": content_type, **answer.headers})
    response.content_length = len(body)
    await response.prepare(request)
    shown = body if end is None else body[: end.after]
    record.note_answer(answer.status, shown)
    if slow is None:
        await response.write(shown)
    else:
        record.note_fault(slow)
        for start in range(0, len(shown), slow.size):
            await response.write(shown[start : start + slow.size])
            await asyncio.sleep(slow.every)
    if end is not None:
        record.note_fault(end)
        cut(request.transport, end.how)
    return response


def _changed(record: Exchange, faults: Sequence[HttpFault], body: bytes) -> bytes:
    changes = [fault for fault in faults if isinstance(fault, Alter | Corrupt | Replace)]
    if not changes:
        return body

    def happened(fault: SocketFault) -> None:
        if isinstance(fault, Alter | Corrupt | Replace):
            record.note_fault(fault)

    return b"".join(as_bytes(part) for part in Rewriter(changes, happened).rewrite(body.decode(errors="replace")))
