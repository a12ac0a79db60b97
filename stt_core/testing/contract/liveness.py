"""S4: liveness."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from .drive import Call, Speech, require_all
from .report import NotProven, Promise, PromiseBroken

if TYPE_CHECKING:
    from .subject import Subject

__all__ = ["a_dead_peer_is_noticed", "silence_is_not_death"]

LIVENESS_SECONDS = 2.0
SLACK_SECONDS = 1.0
"""What a busy machine may be late by."""


async def a_dead_peer_is_noticed(subject: Subject) -> None:
    """It takes nothing, says nothing, answers no ping, and nobody tells: the stream goes on over a new connection."""
    if subject.hold is None:
        raise NotProven("the subject has no way to make the other end fall silent")
    speech = Speech.of(subject.sample, 2)
    noticed = False
    async with Call.open(subject, speech, liveness_timeout=LIVENESS_SECONDS, max_retries=20) as call:
        await call.speak(to=speech.times[len(speech.times) // 4][1])
        before = call.reconnects
        async with subject.hold(call.stt):
            with suppress(TimeoutError):
                async with asyncio.timeout(LIVENESS_SECONDS + SLACK_SECONDS):
                    noticed = await call.speak(lambda call: call.reconnects > before)
        await call.speak()
        await call.finish()
    if call.error is None and not noticed:
        raise PromiseBroken(
            Promise.LIVENESS, f"a peer without a sign of life was not noticed within {LIVENESS_SECONDS:g} s"
        )
    if call.hung or call.error is not None:
        raise PromiseBroken(
            Promise.LIVENESS,
            f"the stream did not go on after a peer had fallen silent: {call.error or 'it hangs'}",
        ) from call.error
    require_all(subject, speech, call)


async def silence_is_not_death(subject: Subject) -> None:
    """A peer that has nothing to say is not dead: while nothing is pushed, and while nothing is said."""
    long = 2.5 * LIVENESS_SECONDS
    speech = Speech.of(subject.sample, lead=long * subject.pace)
    async with Call.open(subject, speech, liveness_timeout=LIVENESS_SECONDS) as call:
        await asyncio.sleep(long)
        await call.speak()
        await call.finish()
    if call.reconnects:
        raise PromiseBroken(Promise.LIVENESS, "a peer that had nothing to say was taken for dead")
    call.require_end()
