"""Channels recognised each for itself: tagged, in the order of time, and none the worse for the other's troubles."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.audio import write_wav
from stt_core.audio.frames import AudioFormat, Encoding
from stt_core.errors import AuthenticationError, BadRequestError, ConnectionLostError
from stt_core.events import SpeechEvent, SpeechEventType, Word
from stt_core.fallback import FallbackSTT
from stt_core.split import split_bytes
from stt_core.testing.clock import virtual_time
from stt_core.testing.scripted import FULL, Cue, Fault, ScriptedRunner, ScriptedSTT, utterance
from stt_core.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stt_core.audio.decode import AudioInput
    from stt_core.registry import Resolved
    from stt_core.runner import Runner

RATE = 8000
FINAL = SpeechEventType.FINAL_TRANSCRIPT
CALLER = [*utterance("hello I would like", start=0.5, end=2.5), *utterance("a taxi", start=5.0, end=6.0)]
AGENT = [*utterance("where to", start=3.0, end=4.0)]
TALK = "hello I would like where to a taxi"


class TwoSided(ScriptedSTT):
    """Hears another script on each connection's runner: the caller on the first channel, the agent on the second."""

    def __init__(self, *scripts: Sequence[Cue], faults: Sequence[Sequence[Fault]] = ((), ())) -> None:
        super().__init__()
        self.scripts = scripts
        self.faults_of = faults

    def create_runner(self, settings: Resolved) -> Runner:
        number = len(self.runners) % 2
        runner = ScriptedRunner(self.scripts[number], faults=self.faults_of[number], carries=FULL)
        self.runners.append(runner)
        return runner


def stereo(seconds: float) -> bytes:
    return (np.sin(np.arange(2 * round(seconds * RATE)) * 0.3) * 8000).astype("<i2").tobytes()


async def events_of(
    stt: ScriptedSTT | FallbackSTT, audio: bytes, **options: str
) -> tuple[list[SpeechEvent], Transcript]:
    async with stt, stt.stream(sample_rate=RATE, channels=2, channel_mode="split") as stream:
        for start in range(0, len(audio), 801):
            stream.push_frame(audio[start : start + 801])
            await asyncio.sleep(0.025)
        stream.end_input()
        return [event async for event in stream], await stream.transcript()


@virtual_time
async def test_each_channel_is_a_conversation_of_its_own() -> None:
    """Events say whose they are; the transcript has them in the order of speaking."""
    events, transcript = await events_of(TwoSided(CALLER, AGENT), stereo(7))
    assert transcript.text == TALK
    assert transcript.segments is not None
    assert [(segment.channel, segment.text) for segment in transcript.segments] == [
        (0, "hello I would like"),
        (1, "where to"),
        (0, "a taxi"),
    ]
    assert {(word.text, word.channel) for word in transcript.words or ()} >= {("hello", 0), ("where", 1)}
    assert {event.channel for event in events} == {0, 1}
    for channel in (0, 1):
        kinds = [event.type for event in events if event.channel == channel]
        turns = [kind for kind in kinds if kind in ("start_of_speech", "end_of_speech")]
        assert turns == ["start_of_speech", "end_of_speech"] * (len(turns) // 2)
    assert len({event.segment_id for event in events if event.type is FINAL}) == 3
    assert transcript.duration == pytest.approx(7)  # pyright: ignore[reportUnknownMemberType]


@virtual_time
async def test_each_channel_is_sent_as_mono() -> None:
    """The whole of it, in the rate pushed; and it is paid for twice."""
    stt = TwoSided(CALLER, AGENT)
    async with stt, stt.stream(sample_rate=RATE, channels=2, channel_mode="split") as stream:
        stream.push_frame(stereo(7))
        stream.end_input()
        _ = [event async for event in stream]
        assert stream.usage.sent_duration == pytest.approx(14)  # pyright: ignore[reportUnknownMemberType]
    assert [runner.heard for runner in stt.runners] == [[(0, 7 * RATE)], [(0, 7 * RATE)]]


@virtual_time
async def test_a_drop_on_one_channel_is_not_the_others() -> None:
    """Its words come all the same, and the order too."""
    stt = TwoSided(CALLER, AGENT, faults=([Fault(2.0, "drop")], []))
    events, transcript = await events_of(stt, stereo(7))
    assert transcript.text == TALK
    assert [event.channel for event in events if event.type is SpeechEventType.RECONNECTING] == [0]


@virtual_time
async def test_what_ends_one_channel_ends_the_stream() -> None:
    """With its error; half a conversation is none."""
    stt = TwoSided(CALLER, AGENT, faults=([], [Fault(0, "refuse", AuthenticationError("no", status=401))]))
    async with stt, stt.stream(sample_rate=RATE, channels=2, channel_mode="split") as stream:
        stream.end_input()
        with pytest.raises(AuthenticationError):
            _ = [event async for event in stream]


@virtual_time
async def test_a_flush_gives_the_finals_of_both() -> None:
    """In the order of speaking."""
    stt = TwoSided(CALLER, AGENT)
    async with stt, stt.stream(sample_rate=RATE, channels=2, channel_mode="split") as stream:
        stream.push_frame(stereo(4.5))
        assert [(event.channel, event.text) for event in await stream.flush()] == [
            (0, "hello I would like"),
            (1, "where to"),
        ]
        await stream.update_options(language="de")
        stream.push_frame(stereo(2.5))
        assert [event.text for event in await stream.flush()] == ["a taxi"]


@virtual_time
async def test_a_chain_switches_the_channel_that_needs_it() -> None:
    """The other one stays where it is."""
    refuse = [Fault(number, "refuse", ConnectionLostError("gone")) for number in range(9)]
    chain = FallbackSTT([TwoSided(CALLER, AGENT, faults=(refuse, [])), TwoSided(CALLER, AGENT)])
    events, transcript = await events_of(chain, stereo(7))
    assert transcript.text == TALK
    assert [event.channel for event in events if event.type is SpeechEventType.PROVIDER_SWITCHED] == [0]


@virtual_time
async def test_one_channel_is_as_ever() -> None:
    """And several are mixed, unless they are asked for apart."""
    stt = TwoSided(CALLER, AGENT)
    async with stt, stt.stream(sample_rate=RATE, channel_mode="split") as stream:
        stream.push_frame(stereo(3.5))
        stream.end_input()
        events = [event async for event in stream]
    assert {event.channel for event in events} == {None}
    assert len(stt.runners) == 1


@given(
    st.binary(max_size=400),
    st.integers(1, 4),
    st.sampled_from(["pcm_s16le", "pcm_s32le", "pcm_f32le", "pcm_mulaw", "pcm_alaw"]),
)
def test_every_sample_stays_in_its_channel(data: bytes, channels: int, encoding: Encoding) -> None:
    """Whatever its width: what is put together again is what was taken apart."""
    audio_format = AudioFormat(RATE, channels, encoding)
    whole = data[: len(data) - len(data) % audio_format.frame_bytes]
    parts = split_bytes(whole, audio_format)
    width = audio_format.frame_bytes // channels
    joined = b"".join(part[at : at + width] for at in range(0, len(parts[0]), width) for part in parts)
    assert joined == whole


# -- files ---------------------------------------------------------------------------------------------------------


class Loudness(ScriptedSTT):
    """Recognises a recording as how loud it is."""

    def __init__(self, fail_at: int | None = None) -> None:
        super().__init__()
        self.fail_at = fail_at

    async def recognize_audio(self, audio: AudioInput, settings: Resolved) -> Transcript:
        assert settings.stream["channel_mode"] == "mix"
        with audio.open() as reader:
            assert reader.channels == 1
            samples = np.concatenate([block.ravel() for block in reader.blocks(10)])
        level = round(float(np.abs(samples).max()) * 100)
        if level == self.fail_at:
            raise BadRequestError("too loud", status=400)
        at = 1.0 / level
        return Transcript(f"level {level}", words=[Word(f"level {level}", at, at + 0.1)], duration=1.0, language="en")


def recording(*levels: int) -> bytes:
    file = io.BytesIO()
    samples = np.full((RATE, len(levels)), [level * 327.68 for level in levels]).astype("<i2")
    write_wav(file, samples.tobytes(), AudioFormat(RATE, len(levels)))
    return file.getvalue()


@virtual_time
async def test_the_channels_of_a_file_are_recognised_each_for_itself() -> None:
    """And put together in the order of time."""
    async with Loudness() as stt:
        transcript = await stt.recognize(recording(20, 50), channel_mode="split")
    assert transcript.text == "level 50 level 20"
    assert [segment.channel for segment in transcript.segments or ()] == [1, 0]
    assert [(word.text, word.channel) for word in transcript.words or ()] == [("level 50", 1), ("level 20", 0)]
    assert (transcript.language, transcript.duration) == ("en", 1.0)
    async with Loudness() as stt:
        assert (await stt.recognize(recording(20), channel_mode="split")).text == "level 20"


@virtual_time
async def test_a_channel_that_cannot_be_recognised_is_an_error() -> None:
    """Half a conversation would look like a whole one."""
    async with Loudness(fail_at=50) as stt:
        with pytest.raises(BadRequestError):
            await stt.recognize(recording(20, 50), channel_mode="split")
