"""Chains of real connections: whoever is killed when, every word of the call comes, in order and on one clock."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from stt_core.errors import AllProvidersFailedError, ConnectTimeoutError
from stt_core.events import SpeechEvent, SpeechEventType
from stt_core.factory import create_stt
from stt_core.server import Host
from stt_core.testing.clock import virtual_time
from stt_core.testing.counted import CountedSTT, counted_audio
from stt_core.testing.faults import (
    Accepted,
    AudioSent,
    AudioWire,
    BlackHole,
    Close,
    Drop,
    FaultProxy,
    HalfOpen,
    Refuse,
    Status,
    base64_audio,
)
from stt_core.testing.scripted import utterance

if TYPE_CHECKING:
    from stt_core.stt import STT
    from stt_core.testing.faults.plan import SocketFault

RATE = 16000
SENTENCES = [("the quick brown fox jumps", 0.5, 3.0), ("over a lazy dog", 4.0, 6.0), ("and runs away again", 7.0, 9.0)]
WORDS = " ".join(text for text, _, _ in SENTENCES).split()
SCRIPT = [cue for text, start, end in SENTENCES for cue in utterance(text, start=start, end=end)]
AUDIO = counted_audio(10.0, voiced=[(start, end) for _, start, end in SENTENCES])
FINAL = SpeechEventType.FINAL_TRANSCRIPT

CONFIGS = {
    "cartesia": "cartesia/ink-whisper:en",
    "livekit": "livekit/deepgram/nova-3:en",
    "kotoba": "kotoba/realtime:en",
}
WIRES = {
    "cartesia": None,
    "livekit": AudioWire(audio_of=base64_audio("audio", type="input_audio")),
    "kotoba": AudioWire(audio_of=base64_audio("audio", type="input_audio_buffer.append")),
}
GONE: dict[int, list[SocketFault]] = {number: [Refuse()] for number in range(1, 60)}


@asynccontextmanager
async def chain(
    plans: dict[str, dict[int, list[SocketFault]]], **options: object
) -> AsyncGenerator[tuple[STT, dict[str, FaultProxy]]]:
    """Members in the order of ``plans``, each its vendor's server half on a network of its own."""
    async with AsyncExitStack() as stack:
        proxies: dict[str, FaultProxy] = {}
        parts: list[str] = []
        for name, plan in plans.items():
            behind = await stack.enter_async_context(CountedSTT(SCRIPT))
            host = await stack.enter_async_context(Host(behind))
            wire = WIRES[name]
            proxy = FaultProxy(host.urls[name], plan) if wire is None else FaultProxy(host.urls[name], plan, audio=wire)
            proxies[name] = await stack.enter_async_context(proxy)
            parts.append(f"{CONFIGS[name]}?base_url={proxy.url}")
        patience: dict[str, object] = {"liveness_timeout": 1.0, "connect_timeout": 1.0, "retry_interval": 0.05}
        stt = create_stt(
            " | ".join(parts),
            api_key=dict.fromkeys(plans, "a-key-of-the-chain"),
            api_secret={"livekit": "a-secret-of-the-chain-that-is-long-enough"} if "livekit" in plans else None,
            max_pace=20.0,
            **{**patience, **options},
        )
        yield await stack.enter_async_context(stt), proxies


async def call(stt: STT) -> list[SpeechEvent]:
    async with stt.stream(sample_rate=RATE) as stream:
        await stream.send_frame(AUDIO)
        stream.end_input()
        return [event async for event in stream]


def said(events: Sequence[SpeechEvent]) -> list[str]:
    return " ".join(event.text for event in events if event.type is FINAL).split()


def check(events: Sequence[SpeechEvent]) -> None:
    """No word is missing; one that comes twice is marked. Turns alternate, times go forward, nothing is lost."""
    words = said(events)
    remaining = iter(words)
    assert all(word in remaining for word in WORDS), words
    assert not Counter(words) - Counter(WORDS) or any(event.replayed for event in events if event.type is FINAL), words
    kinds = [event.type for event in events if event.type in ("start_of_speech", "end_of_speech")]
    assert kinds == ["start_of_speech", "end_of_speech"] * (len(kinds) // 2)
    times = [event.alternatives[0].start_time for event in events if event.type is FINAL]
    known = [time for time in times if time is not None]
    assert known == sorted(known)
    for event in events:
        for word in event.alternatives[0].words or () if event.type is FINAL else ():
            spoken = next((start, end) for text, start, end in SENTENCES if word.text in text.split())
            assert word.start_time is None or spoken[0] - 0.6 <= word.start_time <= spoken[1] + 0.1, word
    assert not [event for event in events if event.type is SpeechEventType.AUDIO_LOST]


@pytest.mark.parametrize("order", list(permutations(CONFIGS)), ids="-".join)
@virtual_time
async def test_the_first_two_are_killed_in_the_middle_of_a_sentence(order: tuple[str, ...]) -> None:
    """The third brings the call to its end, whichever they are."""
    first, second, third = order
    plans: dict[str, dict[int, list[SocketFault]]] = {
        first: {0: [Drop(AudioSent(1.7))], **GONE},
        second: {0: [Drop(AudioSent(2.2))], **GONE},
        third: {},
    }
    async with chain(plans) as (stt, _):
        events = await call(stt)
    check(events)
    switches = [event for event in events if event.type is SpeechEventType.PROVIDER_SWITCHED]
    assert [(event.previous_provider, event.provider) for event in switches] == [(first, second), (second, third)]


FAULTS: list[SocketFault] = [
    Refuse(),
    BlackHole(),
    Status(401, "no"),
    Status(503),
    Drop(Accepted()),
    HalfOpen(AudioSent(1.0)),
]


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
@virtual_time
async def test_however_the_first_one_fails_the_second_takes_over(fault: SocketFault) -> None:
    """A refusal, a black hole, a server error, a peer that is half there."""
    plans: dict[str, dict[int, list[SocketFault]]] = {
        "livekit": {0: [fault], **GONE},
        "cartesia": {},
    }
    async with chain(plans) as (stt, _):
        events = await call(stt)
    check(events)
    assert said(events) == WORDS


@virtual_time
async def test_a_black_hole_is_left_when_its_connect_timeout_is_over() -> None:
    """And the next stream does not try it at all."""
    async with chain({"kotoba": {n: [BlackHole()] for n in range(60)}, "cartesia": {}}) as (stt, proxies):
        events = await call(stt)
        check(events)
        (switch,) = [event for event in events if event.type is SpeechEventType.PROVIDER_SWITCHED]
        assert isinstance(switch.error, ConnectTimeoutError)
        tried = len(proxies["kotoba"].connections)
        check(await call(stt))
        assert len(proxies["kotoba"].connections) == tried


@virtual_time
async def test_when_nobody_is_there_every_cause_is_told() -> None:
    """With no key in any of them."""
    dead: dict[int, list[SocketFault]] = {number: [Status(401, "no such key")] for number in range(9)}
    async with chain({"cartesia": dead, "kotoba": dead, "livekit": dead}) as (stt, _):
        with pytest.raises(AllProvidersFailedError) as caught:
            await call(stt)
    assert [cause.provider for cause in caught.value.causes] == ["cartesia", "kotoba", "livekit"]
    assert "of-the-chain" not in str(caught.value) + repr(caught.value.causes)


def chaos(seed: int) -> dict[str, dict[int, list[SocketFault]]]:
    """What happens to every connection of the first two members, from a seed; the third has a bad network and lives."""
    drawn = random.Random(seed)  # noqa: S311  (to be repeated, not secret)
    order = list(CONFIGS)
    drawn.shuffle(order)

    def trouble(*, fatal: bool) -> list[SocketFault]:
        at = AudioSent(drawn.uniform(0.1, 5.0))
        mild: list[SocketFault | None] = [None, None, Drop(at), Close(1011, "", at), HalfOpen(at)]
        severe: list[SocketFault | None] = [Refuse(), Status(503), BlackHole(), Drop(Accepted())]
        fault = drawn.choice([*mild, *severe] if fatal else mild)
        return [] if fault is None else [fault]

    plans = {name: {number: trouble(fatal=True) for number in range(20)} for name in order[:2]}
    plans[order[2]] = {number: trouble(fatal=False) for number in range(3)}
    return plans


@pytest.mark.parametrize("seed", range(12))
@virtual_time
async def test_chaos(seed: int) -> None:
    """Anything, to anyone, at any time: a seed that fails is in the test's name, and does the same again."""
    async with chain(chaos(seed)) as (stt, _):
        check(await call(stt))
