"""S7: bounds, whether anybody reads or not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ...errors import SlowConsumerError, STTError
from ...events import SpeechEvent, SpeechEventType
from .drive import Call, Speech
from .report import NotProven, Promise, PromiseBroken

if TYPE_CHECKING:
    from .subject import Subject

__all__ = ["a_full_reserve_ends_the_stream", "unread_interims_are_overwritten"]

_INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
_OF_A_SEGMENT = (
    SpeechEventType.START_OF_SPEECH,
    SpeechEventType.PREFLIGHT_TRANSCRIPT,
    SpeechEventType.PREFLIGHT_CANCELLED,
    SpeechEventType.FINAL_TRANSCRIPT,
    SpeechEventType.END_OF_SPEECH,
)
SMALL_RESERVE = 4
SLACK = 3


async def unread_interims_are_overwritten(subject: Subject) -> None:
    """A whole call before the first event is read: the finals are all there, the interims are not."""
    speech = Speech.of(subject.sample, 2)
    read = await Call.whole(subject, speech)
    read.require_end()
    if read.carries.interims and longest_run(read.events) < 2:
        raise NotProven("the sample does not bring two interims in a row")
    async with Call.open(subject, speech, read=False) as call:
        await call.speak()
        call.stream.end_input()
        with suppress(STTError, TimeoutError):
            async with asyncio.timeout(subject.patience):
                await call.stream.transcript()
        await call.finish()
    if call.hung:
        raise NotProven("the stream did not end")
    if call.error is not None or call.reconnects:
        raise PromiseBroken(Promise.BOUNDS, f"not reading made a healthy connection look dead: {call.error!r}")
    if (count := longest_run(call.events)) > 1:
        raise PromiseBroken(Promise.BOUNDS, f"{count} interims of one segment were kept unread, one above the other")
    if len(call.words) < len(read.words) * (1 - subject.word_tolerance):
        raise PromiseBroken(Promise.BOUNDS, f"unread, {' '.join(call.words)!r} was left of {' '.join(read.words)!r}")


def longest_run(events: Sequence[SpeechEvent]) -> int:
    """The most interims that nothing else of their segment stands between."""
    longest = run = 0
    for event in events:
        if event.type is _INTERIM:
            run += 1
            longest = max(longest, run)
        elif event.type in _OF_A_SEGMENT:
            run = 0
    return longest


async def a_full_reserve_ends_the_stream(subject: Subject) -> None:
    """Beyond what is kept, the stream says why it cannot go on."""
    speech = Speech.of(subject.sample, 3)
    async with Call.open(subject, speech, read=False, reserve=SMALL_RESERVE) as call:
        await call.speak()
        call.stream.end_input()
        with suppress(STTError, TimeoutError):
            async with asyncio.timeout(subject.patience):
                await call.stream.transcript()
        await call.finish()
    if call.hung:
        raise NotProven("the stream did not end")
    if not isinstance(call.error, SlowConsumerError):
        if call.error is not None:
            call.require_end()
        kept = len(call.events)
        raise PromiseBroken(
            Promise.BOUNDS, f"the reserve was {SMALL_RESERVE} events, {kept} came, and there was no SlowConsumerError"
        )
    if len(call.events) > SMALL_RESERVE + SLACK:
        raise PromiseBroken(Promise.BOUNDS, f"the reserve was {SMALL_RESERVE} events, and {len(call.events)} were kept")
