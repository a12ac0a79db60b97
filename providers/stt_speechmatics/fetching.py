"""``fetch_data``: the server half gets the recording itself, and says in the job what came of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from stt_core.errors import JobFailedError

if TYPE_CHECKING:
    from stt_core.server import Fetcher, Upload

    from .records import Record, Records

__all__ = ["PAUSES", "UNFETCHED", "USER_AGENT", "fetch"]

PAUSES = (2.0, 10.0, 20.0)
"""Seconds before the second, third and last attempt."""

USER_AGENT = "Speechmatics-API/2.0"
UNFETCHED = "unable to fetch audio: "
"""How the complaints begin."""


async def fetch(fetcher: Fetcher, record: Record, records: Records) -> Upload:
    """The recording; every attempt that fails is one more complaint of the job.

    Raises:
        JobFailedError: the last one failed, or another would.
    """
    callback = record.asked.fetch
    if callback is None:
        raise JobFailedError("the job has no recording")
    headers = {"User-Agent": USER_AGENT, **callback.headers}
    for pause in (*PAUSES, None):
        try:
            return await fetcher.fetch(callback.url, headers=headers)
        except JobFailedError as error:
            message = UNFETCHED + error.message
            records.complain(record, message)
            if pause is None or not error.retryable:
                raise JobFailedError(message) from None
            await asyncio.sleep(pause)
    raise AssertionError("the last pause is none")
