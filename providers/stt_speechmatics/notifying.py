"""``notification_config``: the server half tells others that a job is over (section 4.2 of the facts)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from stt_core.errors import JobFailedError
from stt_core.server import Refused

from .fetching import PAUSES, UNFETCHED, USER_AGENT
from .reading import dump
from .wire import CONTENT_TYPES, FORMATS

if TYPE_CHECKING:
    from stt_core.server import Fetcher

    from .asked import Notification
    from .records import Record, Records
    from .wire import TranscriptFormat

__all__ = ["notify"]

Render = Callable[["Record", "TranscriptFormat"], Awaitable[str]]
"""The transcript of a job."""

_ATTACHMENT = "data_file"
"""What the transcript is called where the client did not say what it wants."""


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    file_name: str
    content_type: str
    body: bytes


async def notify(fetcher: Fetcher, record: Record, records: Records, render: Render) -> None:
    """Tells everybody who is to be told; what does not arrive is one more complaint of the job, which stays done."""
    await asyncio.gather(*(_tell(each, fetcher, record, records, render) for each in record.asked.notifications))


async def _tell(notification: Notification, fetcher: Fetcher, record: Record, records: Records, render: Render) -> None:
    done = records.status(record) == "done"
    unfetched = bool(record.complaints) and record.complaints[-1]["message"].startswith(UNFETCHED)
    status = "success" if done else "fetch_error" if unfetched else "error"
    url = notification.callback.url
    url += f"{'&' if '?' in url else '?'}{urlencode({'id': record.id, 'status': status})}"
    content_type, body = _message(notification, await _parts(notification, record, records, render, done=done))
    headers = {"User-Agent": USER_AGENT, "Content-Type": content_type, **notification.callback.headers}
    for pause in (*PAUSES, None):
        try:
            await fetcher.deliver(notification.method.upper(), url, body, headers=headers)
        except JobFailedError as error:
            records.complain(record, f"unable to send the notification: {error.message}")
            if pause is None or not error.retryable:
                break
            await asyncio.sleep(pause)
        else:
            records.note(record, "notified")
            return
    records.note(record, "not notified")


async def _parts(
    notification: Notification, record: Record, records: Records, render: Render, *, done: bool
) -> Sequence[_Part]:
    asked = ("transcript",) if notification.contents is None else notification.contents
    parts: list[_Part] = []
    for content in asked:
        if content == "jobinfo":
            parts.append(_Part(content, "jobinfo.json", "application/json", dump(records.details(record)).encode()))
        elif done:
            form_of = _format_of(content)
            try:
                text = await render(record, form_of)
            except Refused as refused:  # not in this format
                records.complain(record, f"the notification goes without its {content}: {refused.message}")
                continue
            file_name = f"transcript.{'json' if form_of == 'json-v2' else form_of}"
            parts.append(_Part(content, file_name, CONTENT_TYPES[form_of], text.encode()))
    return parts


def _format_of(content: str) -> TranscriptFormat:
    for form_of in FORMATS:
        if content == f"transcript.{form_of}":
            return form_of
    return FORMATS[0]


def _message(notification: Notification, parts: Sequence[_Part]) -> tuple[str, bytes]:
    """One thing that was asked for as it is, several as attachments, and so the one that goes unasked."""
    if not parts:
        return "application/octet-stream", b""
    if notification.contents is not None and len(notification.contents) == 1:
        return parts[0].content_type, parts[0].body
    boundary = secrets.token_hex(16)
    body = bytearray()
    for part in parts:
        name = _ATTACHMENT if notification.contents is None else part.name
        body += (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="{name}"; filename="{part.file_name}"\r\n'
            f"Content-Type: {part.content_type}\r\n\r\n"
        ).encode()
        body += part.body + b"\r\n"
    return f"multipart/form-data; boundary={boundary}", bytes(body) + f"--{boundary}--\r\n".encode()
