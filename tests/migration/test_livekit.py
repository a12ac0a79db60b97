"""What users of LiveKit's inference client do today, written with this library (scenario 8).

The scenario stands here as a user writes it. Credentials and address come from the environment, which is how it gets to
our server half; the only other addition is `max_pace`, so that nobody waits for speech to be spoken.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import numpy as np
import pytest

from stt_core import create_stt
from stt_core.audio.frames import AudioFrame
from stt_core.errors import ConfigError, RateLimitError
from stt_core.events import SpeechEvent, SpeechEventType
from stt_core.server import Host
from stt_core.testing.faults import AudioWire, FaultProxy, Status, base64_audio
from stt_core.testing.scripted import ScriptedSTT, utterance
from stt_livekit import LiveKitSTT

if TYPE_CHECKING:
    from stt_core.stream import RecognizeStream
    from stt_core.stt import STT
    from stt_core.testing.faults import Plan

SPEECH = Path(__file__).parents[1] / "data" / "speech"
SECRET = "the-secret-that-signs-the-tokens-of-scenario-8"  # noqa: S105
TURNS = [("turn the light on", 0.2, 1.0), ("and off again", 1.6, 2.4)]
SCRIPT = [cue for text, start, end in TURNS for cue in utterance(text, start=start, end=end)]

START = SpeechEventType.START_OF_SPEECH
INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
USAGE = SpeechEventType.RECOGNITION_USAGE
FINAL = SpeechEventType.FINAL_TRANSCRIPT
END = SpeechEventType.END_OF_SPEECH


def stereo_48k_frame(seconds: float = 3.0) -> AudioFrame:
    """A tone in both channels."""
    tone = np.sin(np.arange(round(seconds * 48000)) / 20) * 12000
    return AudioFrame(np.repeat(tone, 2).astype("<i2").tobytes(), 48000, channels=2)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's, with key and secret and without a proxy."""
    monkeypatch.setenv("LIVEKIT_API_KEY", "APIkey")
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
    for name in ("LIVEKIT_INFERENCE_API_KEY", "LIVEKIT_INFERENCE_API_SECRET", "LIVEKIT_URL"):
        monkeypatch.delenv(name, raising=False)


@asynccontextmanager
async def gateway(monkeypatch: pytest.MonkeyPatch, plan: Plan = ()) -> AsyncGenerator[FaultProxy]:
    """Our server half, which checks the token, and a look at the wire."""
    audio = AudioWire(audio_of=base64_audio("audio", type="input_audio"))
    script = ScriptedSTT(SCRIPT)
    async with (
        script,
        Host(script, api_keys=[SECRET]) as host,
        FaultProxy(host.urls["livekit"], plan, audio=audio) as wire,
    ):
        monkeypatch.setenv("LIVEKIT_INFERENCE_URL", wire.url)
        yield wire


async def heard(stream: RecognizeStream) -> list[SpeechEvent]:
    stream.end_input()
    return [event async for event in stream]


async def scenario_8(mine: aiohttp.ClientSession) -> tuple[STT, RecognizeStream, RecognizeStream]:
    stt = create_stt(
        "livekit/deepgram/nova-3",
        filler_words=False,
        endpointing=50,
        keywords=[("Acme", 1.5)],
        http_session=mine,
        max_pace=1e6,
    )
    a, b = stt.stream(language="multi"), stt.stream(connect_timeout=10, max_retries=3)
    a.push_frame(stereo_48k_frame())
    await stt.update_options(language="de")  # both streams
    b.push_frame(stereo_48k_frame())
    return stt, a, b


def shown(events: Sequence[SpeechEvent]) -> list[SpeechEventType]:
    kinds = [event.type for event in events if event.type in (START, INTERIM, USAGE, FINAL, END)]
    return [kind for at, kind in enumerate(kinds) if kind is not INTERIM or kinds[at - 1] is not INTERIM]


async def test_8_options_session_and_live_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn's events in their order, one connection per stream, the update on both, the user's session left open."""
    async with aiohttp.ClientSession() as mine, gateway(monkeypatch) as wire:
        stt, a, b = await scenario_8(mine)
        events = [await heard(stream) for stream in (a, b)]
        await stt.aclose()
        assert not mine.closed
        sessions = [[json.loads(text) for text in connection.texts] for connection in wire.connections]
    for each in events:
        assert [event.text for event in each if event.type is FINAL] == [text for text, _, _ in TURNS]
        # What both turns cost is known with the first one: all audio was sent before.
        assert [kind for kind in shown(each) if kind is not USAGE] == [START, INTERIM, FINAL, END] * 2
        assert shown(each).index(USAGE) + 1 == shown(each).index(FINAL)
    assert len(sessions) == 2
    creates = [session[0] for session in sessions]
    for create in creates:
        assert create["model"] == "deepgram/nova-3"
        assert create["settings"]["sample_rate"] == "48000"
        assert create["settings"]["extra"] == {
            "filler_words": False,
            "endpointing": 50,
            "keywords": [["Acme", 1.5]],
        }
    # The second stream had not been opened yet: it begins with what is new.
    assert sorted(create["settings"]["language"] for create in creates) == ["de", "multi"]
    (updated,) = [session for session in sessions if session[0]["settings"]["language"] == "multi"]
    assert {"type": "session.update", "settings": {"language": "de"}} in updated


def test_8_whose_option_it_is() -> None:
    """At run time; what a type checker says of it is in tests/typing."""
    with pytest.raises(ConfigError, match="no option `min_volume`; it is an option of livekit/cartesia"):
        create_stt("livekit/deepgram/nova-3", min_volume=0.1)


@pytest.mark.parametrize(
    ("config", "options", "model"),
    [
        ("livekit/assemblyai", {"format_turns": True}, "assemblyai"),
        ("livekit", {}, None),
        ("livekit/acme/one:en", {"extra": {"anything": [1]}}, "acme/one"),
    ],
)
async def test_8_any_model_or_none(
    monkeypatch: pytest.MonkeyPatch, config: str, options: dict[str, object], model: str | None
) -> None:
    """A vendor alone, no model at all, and one that nobody here has heard of."""
    async with gateway(monkeypatch) as wire, create_stt(config, max_pace=1e6, **options) as stt:
        assert (await stt.recognize(stereo_48k_frame())).text == "turn the light on and off again"
        create = json.loads(wire.connections[0].texts[0])
    assert create.get("model") == model
    assert create["settings"]["extra"] == options.get("extra", options)


async def test_8_too_many_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Typed, with the gateway's words, after as many retries as were asked for."""
    async with gateway(monkeypatch, [Status(429, "8 of 8 sessions")]) as wire:
        stt = create_stt("livekit/deepgram/nova-3", max_retries=2, retry_interval=0)
        async with stt, stt.stream() as stream:
            stream.push_frame(stereo_48k_frame(0.1))
            with pytest.raises(RateLimitError, match="8 of 8 sessions"):
                await heard(stream)
        assert len(wire.connections) == 3


async def test_8_a_token_that_is_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another secret than the gateway's: one attempt, and the reason."""
    async with gateway(monkeypatch) as wire:
        stt = LiveKitSTT("deepgram/nova-3", api_secret="another-secret-that-signs-other-tokens")  # noqa: S106
        async with stt, stt.stream() as stream:
            stream.push_frame(stereo_48k_frame(0.1))
            with pytest.raises(Exception, match="401") as caught:
                await heard(stream)
        assert len(wire.connections) == 1
    assert type(caught.value).__name__ == "AuthenticationError"


async def test_8_closing_while_streaming_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No task, and the gateway sees the connections end."""
    async with aiohttp.ClientSession() as mine, gateway(monkeypatch) as wire:
        before = asyncio.all_tasks()
        stt, *_ = await scenario_8(mine)
        for number in range(2):
            connection = await wire.connection(number)
            await wire.wait_for(lambda connection=connection: connection.audio_bytes)
        await stt.aclose()
        for number in range(2):
            await wire.ended(number)
        ours = {task.get_name() for task in asyncio.all_tasks() - before if "livekit" in repr(task)}
        assert not ours


async def test_8_real_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded engine behind the gateway, heard as it hears by itself."""
    async with Host("pocketsphinx/en-us", api_keys=[SECRET]) as host:
        monkeypatch.setenv("LIVEKIT_INFERENCE_URL", host.urls["livekit"])
        stt = create_stt("livekit/deepgram/nova-3:en", max_pace=1e6, drain_timeout=60)
        async with stt, stt.stream(source=SPEECH / "garden.wav") as stream:
            events = [event async for event in stream]
            transcript = await stream.transcript()
    text = (SPEECH / "garden.txt").read_text("utf-8").strip()
    assert [event.text for event in events if event.type is FINAL] == [text]
    assert INTERIM in {event.type for event in events}
    assert transcript.text == text
    assert [word.text for word in transcript.words or ()] == text.split()
