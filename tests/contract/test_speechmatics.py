"""Speechmatics keeps the promises of a stream that is made of jobs, its client half against its server half.

A stream of jobs has no connection that could drop: what fails are requests, and those are made again. The kit's checks
that wait for a reconnect say NOT PROVEN of it; what they are about is shown here request by request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from stt_core.events import SpeechEventType
from stt_core.testing.clock import virtual_time_run
from stt_core.testing.contract import CHECKS, Subject
from stt_core.testing.contract.drive import Speech
from stt_core.testing.faults import BAD_GATEWAY, Corrupt, CutResponse, CutUpload, FaultProxy, Refuse, Status
from stt_speechmatics.contract import World, subject_in

OF_CONNECTIONS = {
    "open_segment_survives_a_drop",
    "times_go_on_after_a_drop",
    "drops_lose_no_word",
    "audio_that_had_to_go_is_reported",
    "a_dead_peer_is_noticed",
    "peer_that_never_acknowledges_the_end",
    "flush_gives_up_in_time",
    "retry_after_is_waited_for",
    "time_outs_spend_the_budget",
    "drops_spend_the_budget",
    "words_make_the_budget_whole",
    "usage_adds_up_after_a_drop",
    "no_secret_is_seen",
    "what_fails_behind_is_told",
    "every_format_sounds_the_same",
}
"""The last two are of jobs, which fail later and tell why, and of sound: counted audio is none in another format."""

Check = Callable[[Subject], Awaitable[None]]
ALL: dict[str, Check] = {check.__name__: check for checks in CHECKS.values() for check in checks}


@pytest.mark.parametrize("name", sorted(set(ALL) - OF_CONNECTIONS))
def test_it_keeps(name: str) -> None:
    """Every check of the kit that is not about a connection sees its promise kept."""
    subject = subject_in(World())

    async def run() -> None:
        async with subject.environment():
            await ALL[name](subject)

    virtual_time_run(run())


def test_the_exceptions_are_checks() -> None:
    """A check that is gone, or renamed, is not excused."""
    assert set(ALL) >= OF_CONNECTIONS


LOST: list[Any] = [
    Refuse(),
    CutUpload(100),
    CutUpload(20_000),
    CutResponse(5),
    BAD_GATEWAY,
    Status(429, retry_after=1),
    Corrupt("truncated"),
]


@pytest.mark.parametrize("request_number", range(4))
@pytest.mark.parametrize("fault", LOST, ids=repr)
def test_a_lost_request_loses_no_word(fault: Any, request_number: int) -> None:
    """S2, S3: of the two segments' requests (submit, poll, fetch) any one may fail; words and times are the same."""
    world = World()
    subject = subject_in(world)
    speech = Speech.of(subject.sample, 2)

    async def run(faulty: bool) -> list[tuple[str, float | None]]:
        async with subject.environment(), subject.opened(speech.starts) as stt:
            if faulty:
                world.proxy.http_plan = {request_number: [fault]}
            async with stt.stream(sample_rate=speech.format.sample_rate) as stream:
                await stream.send_frame(speech.data)
                stream.end_input()
                events = [event async for event in stream]
                words = (await stream.transcript()).words or []
        assert not [event for event in events if event.type is SpeechEventType.AUDIO_LOST]
        proxy: FaultProxy = world.proxy
        assert bool([each for each in proxy.requests if each.faults]) is faulty
        assert len({id(each) for each in proxy.requests}) >= 6
        return [(word.text, word.start_time) for word in words]

    assert virtual_time_run(run(faulty=True)) == virtual_time_run(run(faulty=False))
    assert [text for text, _ in virtual_time_run(run(faulty=False))] == speech.words
