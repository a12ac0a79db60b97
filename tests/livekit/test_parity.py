"""What users of LiveKit's streams and of its FallbackAdapter rely on, kept here: over the gateway, and better where it
was found wanting (the defects of its study, D1 to D18, by their numbers).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from stt_core.errors import (
    AllProvidersFailedError,
    AuthenticationError,
    BadRequestError,
    ConnectionLostError,
    ServerError,
    StreamClosedError,
)
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
    Drop,
    FaultProxy,
    Plan,
    Refuse,
    ServerSends,
    Status,
    base64_audio,
    matching,
)
from stt_core.testing.scripted import utterance

if TYPE_CHECKING:
    from stt_core.stt import STT

RATE = 16000
TEXTS = [("the quick brown fox", 0.5, 2.5), ("over a lazy dog", 3.5, 5.5)]
WORDS = " ".join(text for text, _, _ in TEXTS).split()
AUDIO = counted_audio(6.0, voiced=[(start, end) for _, start, end in TEXTS])

FINAL = SpeechEventType.FINAL_TRANSCRIPT
SWITCHED = SpeechEventType.PROVIDER_SWITCHED
is_final = matching(type="final_transcript")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_API_KEY", "APIkey")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "a-secret-that-is-long-enough-for-everybody")


@asynccontextmanager
async def gateways(*plans: Plan) -> AsyncGenerator[Sequence[FaultProxy]]:
    """One for each plan, on a network of its own; the same words behind all of them."""
    async with AsyncExitStack() as stack:
        behind = await stack.enter_async_context(
            CountedSTT([cue for text, start, end in TEXTS for cue in utterance(text, start=start, end=end)])
        )
        host = await stack.enter_async_context(Host(behind))
        wire = AudioWire(audio_of=base64_audio("audio", type="input_audio"))
        yield [await stack.enter_async_context(FaultProxy(host.urls["livekit"], plan, audio=wire)) for plan in plans]


def chain(proxies: Sequence[FaultProxy], **options: object) -> STT:
    """A member for each gateway."""
    models = ("deepgram/nova-3", "assemblyai", "cartesia/ink-whisper")
    members = [f"livekit/{model}?base_url={proxy.url}" for model, proxy in zip(models, proxies, strict=False)]
    given: dict[str, object] = {"max_pace": 1e6, "retry_interval": 0.0, "max_retries": 1, "connect_timeout": 1.0}
    return create_stt(" | ".join(members), **{**given, **options})


async def listen(stt: STT) -> list[SpeechEvent]:
    async with stt.stream(sample_rate=RATE) as stream:
        await stream.send_frame(AUDIO)
        stream.end_input()
        return [event async for event in stream]


def said(events: Sequence[SpeechEvent]) -> list[str]:
    return " ".join(event.text for event in events if event.type is FINAL).split()


# -- streams -------------------------------------------------------------------------------------------------------


async def test_a_failure_is_raised_every_time_it_is_asked_for() -> None:
    """From iteration; who goes on pushing is told the reason too, and not only that it is too late."""
    async with gateways([Status(401)]) as proxies, chain(proxies) as stt, stt.stream(sample_rate=RATE) as stream:
        stream.push_frame(AUDIO)
        for _ in range(2):
            with pytest.raises(AuthenticationError):
                async for _ in stream:
                    pass
        with pytest.raises(StreamClosedError) as caught:
            stream.push_frame(AUDIO)
        assert isinstance(caught.value.__cause__, AuthenticationError)


async def test_a_closed_stream_has_come_to_its_end() -> None:
    """Closing twice is once; iteration stops without an error; nothing more is taken."""
    async with gateways(()) as proxies, chain(proxies) as stt:
        stream = stt.stream(sample_rate=RATE)
        await stream.send_frame(AUDIO)
        await proxies[0].connection()
        await stream.aclose()
        await stream.aclose()
        assert SpeechEventType.RECONNECTING not in [event.type async for event in stream]
        with pytest.raises(StreamClosedError):
            stream.push_frame(AUDIO)
        with pytest.raises(StreamClosedError):
            await stream.flush()


@virtual_time
async def test_a_final_makes_the_retries_whole() -> None:
    """One retry is enough for any number of drops, as long as there are words between them (D7, D14: at their time)."""
    drops: Plan = {number: [Drop(ServerSends(is_final, 0, "after"))] for number in range(2)}
    async with gateways(drops) as proxies, chain(proxies) as stt:
        events = await listen(stt)
        assert len(proxies[0].connections) == 3
    assert said(events) == WORDS
    starts = [event.alternatives[0].start_time for event in events if event.type is FINAL]
    assert starts == [pytest.approx(start, abs=0.05) for _, start, _ in TEXTS]


@virtual_time
@pytest.mark.parametrize("plan", [[BlackHole()], [Drop(Accepted())]], ids=lambda plan: repr(plan)[1:12])
async def test_retries_come_to_an_end(plan: Plan) -> None:
    """D1, D18: also those of a handshake that nobody answers; as many attempts as were asked for, and one."""
    async with gateways(plan) as proxies, chain(proxies, max_retries=2) as stt:
        with pytest.raises((ConnectionLostError, TimeoutError)):
            await listen(stt)
        assert len(proxies[0].connections) == 3


@virtual_time
async def test_usage_is_what_was_sent() -> None:
    """Once each second, however many finals and connections there were, and what was sent again apart from it."""
    async with gateways({0: [Drop(AudioSent(1.5))]}) as proxies, chain(proxies) as stt:
        events = await listen(stt)
        sent = sum(proxy.audio_bytes for proxy in proxies) / 2 / RATE
    usages = [event.recognition_usage for event in events if event.recognition_usage]
    assert sum(usage.sent_duration for usage in usages) == pytest.approx(6.0)
    assert sum(usage.audio_duration for usage in usages) == pytest.approx(sent, abs=0.06)
    assert sum(usage.replayed_duration for usage in usages) > 0


@virtual_time
@pytest.mark.parametrize("model", ["deepgram/nova-3-medical", "cartesia/ink-2"])
async def test_another_model_in_the_middle_of_a_sentence(model: str) -> None:
    """In the same session where the wire stays the same, else in a new one, where a word may be marked as replayed."""
    async with gateways(()) as (proxy,):
        stt = create_stt(f"livekit/deepgram/nova-3?base_url={proxy.url}", max_pace=1e6)
        async with stt, stt.stream(sample_rate=RATE) as stream:
            await stream.send_frame(AUDIO[: 3 * RATE])
            await stream.update_options(model=model)
            await stream.send_frame(AUDIO[3 * RATE :])
            stream.end_input()
            events = [event async for event in stream]
        words = iter(said(events))
        assert all(word in words for word in WORDS)
        assert said(events) == WORDS or any(event.replayed for event in events)
        # Only the second of the two models marks where turns end.
        ends = [event.derived for event in events if event.type is SpeechEventType.END_OF_SPEECH]
        assert ends[-1] is (model != "cartesia/ink-2")
        models = [text for connection in proxy.connections for text in connection.texts if f'"model":"{model}"' in text]
        assert len(models) == 1
        assert len(proxy.connections) == (2 if model == "cartesia/ink-2" else 1)


# -- chains --------------------------------------------------------------------------------------------------------


@virtual_time
@pytest.mark.parametrize(
    "plan",
    [
        [Status(503)],
        [Status(400)],
        [Refuse()],
        [BlackHole()],
        [Drop(AudioSent(1.5))],
        [Drop(ServerSends(is_final, 0, "before"))],
    ],
    ids=["503", "400", "refused", "black hole", "in the first sentence", "before its final"],
)
async def test_the_next_one_takes_over(plan: Plan) -> None:
    """D1, D6: whatever happens to the first, within its retries; no word is lost or doubled, and a reader is told."""
    async with gateways(plan, ()) as proxies, chain(proxies) as stt:
        events = await listen(stt)
        assert len(proxies[1].connections) == 1
    assert said(events) == WORDS
    assert [event.type for event in events].count(SWITCHED) == 1


@virtual_time
async def test_the_next_one_takes_over_for_files() -> None:
    """One answer, from whoever could."""
    async with gateways([Status(503)], ()) as proxies, chain(proxies) as stt:
        assert (await stt.recognize(AUDIO, sample_rate=RATE, encoding="pcm_s16le")).text.split() == WORDS


@virtual_time
async def test_when_nobody_can() -> None:
    """What each of them said, in their order."""
    async with gateways([Status(503, "one")], [Status(400, "two")]) as proxies, chain(proxies) as stt:
        with pytest.raises(AllProvidersFailedError) as caught:
            await listen(stt)
    assert [type(cause) for cause in caught.value.causes] == [ServerError, BadRequestError]
    assert "one" in str(caught.value)
    assert "two" in str(caught.value)


@virtual_time
async def test_a_later_stream_leaves_the_ill_one_alone() -> None:
    """It goes to the next one at once, and pays no connect timeout again."""
    async with gateways([BlackHole()], ()) as proxies, chain(proxies, probe_interval=3600.0) as stt:
        await listen(stt)
        attempts = len(proxies[0].connections)
        assert said(await listen(stt)) == WORDS
        assert len(proxies[0].connections) == attempts


@virtual_time
async def test_an_update_reaches_who_comes_next() -> None:
    """On LiveKit's adapter it does nothing, without a word."""
    gone: Plan = {0: [Drop(AudioSent(4.0))], **{number: [Refuse()] for number in range(1, 9)}}
    async with gateways(gone, ()) as proxies, chain(proxies) as stt:
        async with stt.stream(sample_rate=RATE) as stream:
            await stream.send_frame(AUDIO[: 2 * RATE])
            await stt.update_options(language="de")
            await stream.send_frame(AUDIO[2 * RATE :])
            stream.end_input()
            assert said([event async for event in stream]) == WORDS
        assert '"language":"de"' in proxies[1].connections[0].texts[0]
