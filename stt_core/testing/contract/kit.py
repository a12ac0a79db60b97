"""Which checks prove which promise, and how they are run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from ..clock import virtual_time_run
from . import accounts, audio, bounds, closing, ending, failing, liveness, loss, order, secrecy, times, updating
from .report import NotProven, Outcome, Promise, PromiseBroken, Report, State
from .subject import Subject

__all__ = ["CHECKS", "Check", "prove", "prove_all", "prove_now"]

Check: TypeAlias = Callable[[Subject], Awaitable[None]]
"""Returns when it saw its promise kept; raises PromiseBroken, or NotProven when it could not see that."""

CHECKS: Mapping[Promise, tuple[Check, ...]] = {
    Promise.ORDER: (order.segments_are_in_order, order.open_segment_survives_a_drop),
    Promise.CLOCK: (times.silence_before_shifts_the_times, times.times_go_on_after_a_drop),
    Promise.NO_LOSS: (
        loss.every_word_is_final,
        loss.nothing_is_lost_by_keeping_little,
        loss.files_are_whole,
        loss.drops_lose_no_word,
        loss.audio_that_had_to_go_is_reported,
    ),
    Promise.LIVENESS: (liveness.a_dead_peer_is_noticed, liveness.silence_is_not_death),
    Promise.DRAIN: (
        ending.end_brings_every_final,
        ending.nothing_pushed_ends_clean,
        ending.peer_that_never_acknowledges_the_end,
    ),
    Promise.FLUSH: (ending.flush_returns_its_span, ending.flush_gives_up_in_time),
    Promise.BOUNDS: (bounds.unread_interims_are_overwritten, bounds.a_full_reserve_ends_the_stream),
    Promise.CLOSE: (closing.closing_is_idempotent, closing.nothing_outlives_it, closing.a_given_session_stays_open),
    Promise.ERRORS: (
        failing.refusals_for_good_are_one_attempt,
        failing.retry_after_is_waited_for,
        failing.time_outs_spend_the_budget,
        failing.drops_spend_the_budget,
        failing.words_make_the_budget_whole,
        failing.malformed_messages_are_drops,
        failing.strangers_are_turned_away,
        failing.what_fails_behind_is_told,
    ),
    Promise.USAGE: (accounts.usage_adds_up, accounts.usage_adds_up_after_a_drop),
    Promise.UNKNOWN: (accounts.nothing_is_invented,),
    Promise.SECRETS: (secrecy.no_secret_is_seen,),
    Promise.AUDIO: (
        audio.every_format_sounds_the_same,
        audio.what_is_pushed_arrives,
    ),
    Promise.UPDATE: (updating.an_update_arrives_and_loses_nothing, updating.what_cannot_change_is_refused),
}


async def prove(subject: Subject, promise: Promise) -> Outcome:
    """Runs the checks of one promise: broken if one of them breaks it, proven if all of them see it kept."""
    async with subject.environment():
        return await _prove(subject, promise)


def prove_now(subject: Subject, promise: Promise) -> Outcome:
    """:func:`prove` where no event loop runs, on the kind of loop that the subject takes."""
    work = prove(subject, promise)
    return virtual_time_run(work) if subject.virtual_time else asyncio.run(work)


async def prove_all(subject: Subject) -> Report:
    """Runs all checks."""
    async with subject.environment():
        return Report(subject.name, [await _prove(subject, promise) for promise in CHECKS])


async def _prove(subject: Subject, promise: Promise) -> Outcome:
    doubts: list[str] = []
    for check in CHECKS[promise]:
        try:
            await check(subject)
        except PromiseBroken as broken:
            return Outcome(broken.promise, State.BROKEN, broken.what)
        except NotProven as doubt:
            doubts.append(f"{check.__name__}: {doubt}")
        except Exception as error:  # noqa: BLE001  (a provider that fails in a new way has proven nothing)
            doubts.append(f"{check.__name__}: {type(error).__name__}: {error}")
    return Outcome(promise, State.NOT_PROVEN if doubts else State.PROVEN, "; ".join(doubts))
