"""What a stream promises, on a clock that only moves when nobody has anything to do."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stt_core.audio.frames import AudioFrame
from stt_core.driver import Driver
from stt_core.errors import (
    AudioError,
    AuthenticationError,
    ConfigError,
    ConnectionLostError,
    ConnectTimeoutError,
    DrainTimeoutError,
    FlushTimeoutError,
    ProtocolError,
    RateLimitError,
    SlowConsumerError,
    StreamClosedError,
    UnsupportedError,
)
from stt_core.events import SpeechData, SpeechEvent, SpeechEventType
from stt_core.runner import AudioChunk, AudioSource, EndOfInput, EventSink, FlushRequest, Runner
from stt_core.stream import RESERVE, RecognizeStream
from stt_core.testing.clock import virtual_time, virtual_time_run
from stt_core.testing.scripted import FULL, Cue, Fault, ScriptedRunner, ScriptedSTT, utterance

if TYPE_CHECKING:
    from stt_core.options import CommonOptions
    from stt_core.registry import Resolved

START = SpeechEventType.START_OF_SPEECH
INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
FINAL = SpeechEventType.FINAL_TRANSCRIPT
END = SpeechEventType.END_OF_SPEECH
USAGE = SpeechEventType.RECOGNITION_USAGE
LOST = SpeechEventType.AUDIO_LOST
RECONNECTING = SpeechEventType.RECONNECTING

RATE = 8000
TIMED = FULL
UNTIMED = replace(FULL, times="none", words=False)
BARE = replace(FULL, times="none", words=False, turns=False, interims=False)

HELLO = utterance("hello big round world", start=0.5, end=1.5)
AGAIN = utterance("here we are again", start=2.5, end=3.5)


def loud(seconds: float) -> bytes:
    """Audio that counts as voice."""
    return np.tile(np.array([9000, -9000], "<i2"), round(seconds * RATE) // 2).tobytes()


def quiet(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE))


CALL = quiet(0.5) + loud(1.0) + quiet(1.0) + loud(1.0) + quiet(1.0)
"""The audio of HELLO and AGAIN: 4.5 s."""


@asynccontextmanager
async def opened(stt: ScriptedSTT, **options: Unpack[CommonOptions]) -> AsyncGenerator[RecognizeStream]:
    async with stt, stt.stream(sample_rate=RATE, **options) as stream:
        yield stream


async def play(stream: RecognizeStream, audio: bytes, *, pace: float = 1.0, chunk: float = 0.02) -> None:
    """Pushes audio in real time, in frames of 20 ms."""
    size = round(chunk * RATE) * 2
    for at in range(0, len(audio), size):
        stream.push_frame(audio[at : at + size])
        await asyncio.sleep(chunk / pace)


async def talk(stream: RecognizeStream, audio: bytes) -> list[SpeechEvent]:
    """A live call: audio in real time, events as they come."""

    async def speak() -> None:
        with suppress(StreamClosedError):  # the reader has the reason
            await play(stream, audio)
            stream.end_input()

    speaker = asyncio.create_task(speak())
    try:
        return [event async for event in stream]
    finally:
        await speaker


def finals(events: list[SpeechEvent]) -> list[str]:
    return [event.text for event in events if event.type is FINAL]


def kinds(events: list[SpeechEvent]) -> str:
    letters = {START: "S", INTERIM: "i", FINAL: "F", END: "E"}
    return "".join(letters.get(event.type, "") for event in events)


# -- the plain case ----------------------------------------------------------------------------------------------------


@virtual_time
async def test_a_call_gives_its_turns_in_order() -> None:
    """START, interims that grow, FINAL, END; times, confidence and words as the provider gave them."""
    async with opened(ScriptedSTT([*HELLO, *AGAIN])) as stream:
        events = await talk(stream, CALL)
    assert kinds(events) == "SiiiFESiiiFE"
    assert finals(events) == ["hello big round world", "here we are again"]
    assert [event.segment_id for event in events if event.type is FINAL] == [0, 1]
    data = next(event for event in events if event.type is FINAL).alternatives[0]
    assert (data.start_time, data.end_time, data.confidence, data.language) == (0.5, 1.5, 0.9, "en")
    assert [word.text for word in data.words or ()] == ["hello", "big", "round", "world"]
    assert {event.provider for event in events} == {"scripted"}


@virtual_time
async def test_everything_can_be_pushed_before_anything_is_read() -> None:
    """Send all, flush, end, and only then iterate, in one task."""
    async with opened(ScriptedSTT([*HELLO, *AGAIN])) as stream:
        await stream.send_frame(CALL)
        flushed = await stream.flush()
        stream.end_input()
        events = [event async for event in stream]
    assert finals(flushed) == finals(events) == ["hello big round world", "here we are again"]


@virtual_time
async def test_an_hour_can_be_sent_before_anything_is_read() -> None:
    """The ledger and the reserve hold: no deadlock, no loss."""
    cues = [cue for n in range(1200) for cue in utterance(f"turn {n}", start=3 * n + 0.5, end=3 * n + 2)]
    async with opened(ScriptedSTT(cues)) as stream:
        for _ in range(3600):
            await stream.send_frame(quiet(0.5) + loud(0.5))
        stream.end_input()
        events = [event async for event in stream]
    assert finals(events) == [f"turn {n}" for n in range(1200)]


@virtual_time
async def test_text_and_transcript_agree() -> None:
    """All pieces joined are the transcript's text, every word once."""
    async with opened(ScriptedSTT([*HELLO, *AGAIN])) as stream:
        stream.feed([CALL])
        pieces = [piece async for piece in stream.text()]
        transcript = await stream.transcript()
    assert "".join(pieces) == transcript.text == "hello big round world here we are again"
    assert transcript.duration == 4.5
    assert transcript.request_id == "scripted-0"
    assert [word.text for word in transcript.words or ()] == transcript.text.split()


@virtual_time
async def test_text_does_not_wait_for_the_end_of_a_turn_where_nothing_is_taken_back() -> None:
    """Each piece is what was added; joined they are the transcript's text, also over a lost connection."""
    for faults in ([], [Fault(1.1, "drop"), Fault(3.4, "drop")]):
        grows = replace(FULL, grows=True)
        async with opened(ScriptedSTT([*HELLO, *AGAIN], carries=grows, faults=faults)) as stream:
            pieces: list[str] = []

            async def read(stream: RecognizeStream = stream, pieces: list[str] = pieces) -> None:
                async for piece in stream.text():
                    pieces.append(piece)  # noqa: PERF401  (what is there at a moment is looked at)

            reading = asyncio.create_task(read())
            for start in range(0, len(CALL), 3200):
                stream.push_frame(CALL[start : start + 3200])
                await asyncio.sleep(0.1)
                if start >= 2 * 16000 and len(pieces) > 1:
                    assert "".join(pieces) in "hello big round world here we are again"
            stream.end_input()
            await reading
            transcript = await stream.transcript()
        assert "".join(pieces) == transcript.text == "hello big round world here we are again"
        assert pieces[0] == "hello"
        assert len(pieces) > 4


@virtual_time
async def test_a_transcript_needs_no_reader() -> None:
    """It waits for the end by itself, and leaves the events to whoever reads them."""
    async with opened(ScriptedSTT(HELLO)) as stream:
        await stream.send_frame(CALL)
        stream.end_input()
        assert (await stream.transcript()).text == "hello big round world"
        assert finals([event async for event in stream]) == ["hello big round world"]


@virtual_time
async def test_the_format_may_come_with_the_first_frame() -> None:
    """A frame says what it is; bare bytes without a declaration are refused, not guessed at."""
    stt = ScriptedSTT(HELLO)
    async with stt, stt.stream() as stream:
        with pytest.raises(AudioError, match="sample_rate"):
            stream.push_frame(CALL)
        stream.push_frame(AudioFrame(CALL, RATE))
        stream.end_input()
        assert finals([event async for event in stream]) == ["hello big round world"]


@virtual_time
async def test_nothing_pushed_is_nothing_said() -> None:
    """An empty stream ends clean: declared or not, flushed or not."""
    stt = ScriptedSTT(HELLO)
    async with stt, stt.stream() as undeclared, stt.stream(sample_rate=RATE) as declared:
        for stream in (undeclared, declared):
            assert await stream.flush() == []
            stream.end_input()
            assert kinds([event async for event in stream]) == ""
            assert (await stream.transcript()).text == ""


# -- S1, S2: order and clock -------------------------------------------------------------------------------------------


@virtual_time
async def test_turns_are_derived_where_the_provider_marks_none() -> None:
    """START before the first text, END after the FINAL, both saying so."""
    async with opened(ScriptedSTT(HELLO, carries=BARE)) as stream:
        events = await talk(stream, CALL)
    assert kinds(events) == "SFE"
    assert all(event.derived for event in events if event.type in (START, END))


@virtual_time
async def test_unknown_is_none() -> None:
    """What the wire does not carry is not made up."""
    async with opened(ScriptedSTT(HELLO, carries=replace(BARE, confidence=False, language=False))) as stream:
        events = await talk(stream, CALL)
    (final,) = [event for event in events if event.type is FINAL]
    data = final.alternatives[0]
    assert (data.start_time, data.end_time, data.confidence, data.language, data.words) == (None,) * 5


@virtual_time
async def test_times_count_from_the_first_sample_pushed() -> None:
    """After a drop the provider counts from zero again; the caller never sees that."""
    stt = ScriptedSTT([*HELLO, *AGAIN], faults=[Fault(2.2)])
    async with opened(stt) as stream:
        events = await talk(stream, CALL)
    assert stt.runners[0].connections == 2
    data = [event.alternatives[0] for event in events if event.type is FINAL]
    assert [(item.start_time, item.end_time) for item in data] == [(0.5, 1.5), (2.5, 3.5)]
    assert [word.start_time for word in data[1].words or ()] == pytest.approx([2.5, 2.75, 3.0, 3.25])


@virtual_time
async def test_a_clock_that_runs_away_settles_nothing() -> None:
    """Times far ahead of what was sent are unknown, and what they would have settled is replayed."""
    wild = [Cue(1.0, SpeechEvent(FINAL, [SpeechData("far", start_time=0.5, end_time=1e6)]), 1.0), *AGAIN]
    stt = ScriptedSTT(wild, faults=[Fault(1.1)])
    async with opened(stt) as stream:
        events = await talk(stream, CALL)
    first = next(event for event in events if event.type is FINAL)
    assert first.alternatives[0].end_time is None
    assert first.settlement == "estimated"
    assert finals(events)[-1] == "here we are again"


# -- S3: no silent loss ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exact", [True, False])
@settings(max_examples=60, deadline=None)
@given(drops=st.lists(st.floats(0.05, 4.4), max_size=5), refusals=st.sets(st.integers(0, 6), max_size=3))
def test_no_word_is_lost_or_doubled_whenever_the_connection_drops(
    exact: bool, drops: list[float], refusals: set[int]
) -> None:
    """With times or exact settlements every word comes once, in order, at its own time, in segments that are whole."""
    faults = [*(Fault(at) for at in drops), *(Fault(number, "refuse") for number in refusals)]

    async def call() -> list[SpeechEvent]:
        async with opened(ScriptedSTT([*HELLO, *AGAIN], faults=faults, exact=exact), max_retries=20) as stream:
            return await talk(stream, CALL)

    events = virtual_time_run(call())
    assert " ".join(finals(events)) == "hello big round world here we are again"
    words = [word for event in events if event.type is FINAL for word in event.alternatives[0].words or ()]
    assert [word.start_time for word in words] == pytest.approx([0.5, 0.75, 1.0, 1.25, 2.5, 2.75, 3.0, 3.25])
    assert kinds(events).replace("i", "") in ("SFESFE", "SFFESFE", "SFESFFE", "SFFESFFE")
    assert not [event for event in events if event.type is LOST]


@settings(max_examples=60, deadline=None)
@given(drops=st.lists(st.floats(0.05, 4.4), max_size=5))
def test_no_word_is_lost_without_times_either(drops: list[float]) -> None:
    """Without times a replay may repeat words, marked as replayed; it never loses one."""

    async def call() -> list[SpeechEvent]:
        stt = ScriptedSTT([*HELLO, *AGAIN], faults=[Fault(at) for at in drops], carries=UNTIMED)
        async with opened(stt, max_retries=20) as stream:
            return await talk(stream, CALL)

    events = virtual_time_run(call())
    texts = [event for event in events if event.type is FINAL]
    fresh = [word for event in texts for word in event.text.split()]
    remaining = iter(fresh)
    assert all(word in remaining for word in ["hello", "big", "round", "world", "here", "we", "are", "again"])
    if len(fresh) > 8:
        assert any(event.replayed for event in texts)


@virtual_time
async def test_audio_waits_for_the_first_connection() -> None:
    """What is pushed before the provider is ready is sent when it is, after refusals too."""
    stt = ScriptedSTT([*HELLO, *AGAIN], faults=[Fault(0, "refuse"), Fault(1, "refuse")])
    async with opened(stt) as stream:
        assert finals(await talk(stream, CALL)) == ["hello big round world", "here we are again"]


@virtual_time
async def test_an_outage_longer_than_the_ledger_is_reported() -> None:
    """The unsent audio that had to be dropped is named, to the sample, and the rest is recognised."""
    stt = ScriptedSTT(AGAIN, faults=[Fault(n, "refuse") for n in range(3)])
    async with opened(stt, replay_seconds=2, retry_interval=1) as stream:
        events = await talk(stream, CALL)
    lost = [event.span for event in events if event.type is LOST]
    assert lost
    assert lost[0] is not None
    assert lost[0].start_time == 0
    heard = stt.runners[0].heard[0][0] / RATE
    assert lost[-1] is not None
    assert lost[-1].end_time == pytest.approx(heard)


@virtual_time
async def test_a_spent_budget_ends_the_stream_with_what_there_was() -> None:
    """The last interim is kept as a promoted final, the rest of the audio is reported, and the error is raised."""
    faults = [Fault(1.4), *(Fault(n, "refuse") for n in range(1, 9))]
    stt = ScriptedSTT(HELLO, faults=faults)
    events: list[SpeechEvent] = []
    async with opened(stt, max_retries=2) as stream:
        await stream.send_frame(CALL)
        with pytest.raises(ConnectionLostError) as caught:
            async for event in stream:
                events.append(event)  # noqa: PERF401  (what came before the error counts)
        assert caught.value.provider == "scripted"
        with pytest.raises(StreamClosedError) as late:
            stream.push_frame(CALL)
        assert late.value.__cause__ is caught.value
    assert stt.runners[0].connections == 3
    assert finals(events) == ["hello big"]
    assert [event.promoted for event in events if event.type is FINAL] == [True]
    assert kinds(events)[-1] == "E"
    (lost,) = [event.span for event in events if event.type is LOST]
    assert lost is not None
    assert lost.end_time == 4.5


@virtual_time
async def test_a_refusal_that_will_not_change_is_not_retried() -> None:
    """A bad key is one attempt and the vendor's own error."""
    stt = ScriptedSTT(HELLO, faults=[Fault(0, "refuse", AuthenticationError("no such key", status=401))])
    async with opened(stt) as stream:
        with pytest.raises(AuthenticationError, match="no such key"):
            await talk(stream, CALL)
    assert stt.runners[0].connections == 1


@virtual_time
async def test_retry_after_is_honoured() -> None:
    """The next attempt comes no earlier than the vendor asked for."""
    error = RateLimitError("slow down", status=429, retry_after=3)
    async with opened(ScriptedSTT(HELLO, faults=[Fault(0, "refuse", error)])) as stream:
        stream.push_frame(CALL)
        stream.end_input()
        events = [event async for event in stream]
    assert asyncio.get_running_loop().time() >= 3
    assert [event.error for event in events if event.type is RECONNECTING] == [error]


@virtual_time
async def test_a_codec_that_trips_is_a_dropped_connection() -> None:
    """A KeyError over a malformed message costs a reconnect, not the call, and never reaches the caller."""
    async with opened(ScriptedSTT([*HELLO, *AGAIN], faults=[Fault(1.0, "crash")])) as stream:
        events = await talk(stream, CALL)
    assert " ".join(finals(events)) == "hello big round world here we are again"
    (error,) = [event.error for event in events if event.type is RECONNECTING]
    assert isinstance(error, ProtocolError)
    assert isinstance(error.__cause__, KeyError)


@virtual_time
async def test_a_session_that_ends_too_early_is_a_dropped_connection() -> None:
    """A clean goodbye before the end of input loses nothing."""
    async with opened(ScriptedSTT([*HELLO, *AGAIN], faults=[Fault(1.0, "end")])) as stream:
        events = await talk(stream, CALL)
    assert " ".join(finals(events)) == "hello big round world here we are again"


# -- S5: drain ---------------------------------------------------------------------------------------------------------


class Custom(ScriptedSTT):
    """A scripted provider with a runner of the test's own."""

    def __init__(self, runner: Runner) -> None:
        super().__init__()
        self.runner = runner

    def create_runner(self, settings: Resolved) -> Runner:
        return self.runner


class Endless(ScriptedRunner):
    """Never acknowledges the end, and never stops talking about nothing."""

    def __init__(self, text: str) -> None:
        super().__init__([])
        self.text = text

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        sink.connected()
        while not isinstance(await source.receive(), EndOfInput):
            pass
        sink.emit(SpeechEvent(INTERIM, [SpeechData(self.text)]))
        while True:
            sink.emit(SpeechEvent(INTERIM, [SpeechData("")] if not self.text else [SpeechData(self.text)]))
            await asyncio.sleep(0.5)


@pytest.mark.parametrize("text", ["", "last words"])
@virtual_time
async def test_the_end_has_a_deadline(text: str) -> None:
    """Endless interims do not keep the stream alive: the last one is promoted, and the time-out raised."""
    events: list[SpeechEvent] = []
    async with opened(Custom(Endless(text)), drain_timeout=7) as stream:
        await stream.send_frame(CALL)
        stream.end_input()
        with pytest.raises(DrainTimeoutError):
            async for event in stream:
                events.append(event)  # noqa: PERF401
    assert 7 <= asyncio.get_running_loop().time() < 8
    assert finals(events) == ([text] if text else [])
    assert all(event.promoted for event in events if event.type is FINAL)


@virtual_time
async def test_a_drop_after_the_end_replays_what_is_owed() -> None:
    """The last sentence survives a connection that breaks between the end of input and its final."""
    stt = ScriptedSTT([*HELLO, *AGAIN], faults=[Fault(4.5)])
    async with opened(stt) as stream:
        assert " ".join(finals(await talk(stream, CALL))) == "hello big round world here we are again"
    assert stt.runners[0].connections <= 2


# -- S6: flush ---------------------------------------------------------------------------------------------------------


@virtual_time
async def test_flush_returns_the_finals_of_its_span() -> None:
    """Before the provider would have finalised by itself; the next flush starts where this one ended."""
    async with opened(ScriptedSTT([*utterance("one two", start=0.5, end=1.5, delay=60), *AGAIN])) as stream:
        await stream.send_frame(CALL[: round(1.6 * RATE) * 2])
        assert finals(await stream.flush()) == ["one two"]
        assert await stream.flush() == []
        await stream.send_frame(CALL[round(1.6 * RATE) * 2 :])
        assert finals(await stream.flush()) == ["here we are again"]
        stream.end_input()
        assert len(finals([event async for event in stream])) == 2


@virtual_time
async def test_flush_survives_a_drop() -> None:
    """It is asked of the next connection again."""
    stt = ScriptedSTT(utterance("one two", start=0.5, end=1.5, delay=60), faults=[Fault(1.55)])
    async with opened(stt) as stream:
        await stream.send_frame(CALL[: round(1.6 * RATE) * 2])
        assert finals(await stream.flush()) == ["one two"]
    assert stt.runners[0].connections == 2


class Deaf(ScriptedRunner):
    """Never acknowledges a flush."""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        sink.connected()
        while not isinstance(item := await source.receive(), EndOfInput):
            if isinstance(item, AudioChunk) and self.cues:
                sink.emit(self.cues.pop(0).event)


@virtual_time
async def test_flush_has_a_deadline() -> None:
    """FlushTimeoutError only if a segment stayed open; otherwise nothing was said."""
    async with opened(Custom(Deaf([]))) as stream:
        await stream.send_frame(CALL)
        assert await stream.flush() == []
    interim = Cue(0, SpeechEvent(INTERIM, [SpeechData("and then")]), 0)
    async with opened(Custom(Deaf([interim]))) as stream:
        await stream.send_frame(CALL)
        with pytest.raises(FlushTimeoutError):
            await stream.flush()


class Hasty(ScriptedRunner):
    """Acknowledges a flush before the final that belongs to it."""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        sink.connected()
        while not isinstance(item := await source.receive(), EndOfInput):
            if isinstance(item, FlushRequest):
                sink.emit(SpeechEvent(INTERIM, [SpeechData("late")]))
                sink.flushed(item, exact=False)
                await asyncio.sleep(1)
                sink.emit(SpeechEvent(FINAL, [SpeechData("late words")]))


@virtual_time
async def test_flush_waits_for_a_final_that_trails() -> None:
    """An open text at the acknowledgement means that its final is still to come."""
    async with opened(Custom(Hasty([]))) as stream:
        await stream.send_frame(CALL)
        assert finals(await stream.flush()) == ["late words"]


# -- S7: bounds --------------------------------------------------------------------------------------------------------


@virtual_time
async def test_unread_interims_are_overwritten() -> None:
    """A minute of not reading costs nothing and hides nothing that matters."""
    cues = utterance(" ".join(f"w{n}" for n in range(500)), start=0, end=60, delay=0)
    async with opened(ScriptedSTT(cues)) as stream:
        await play(stream, loud(60.0))
        stream.end_input()
        events = [event async for event in stream]
    assert kinds(events) in ("SiFE", "SFE")
    assert len(finals(events)[0].split()) == 500
    assert stream.usage.sent_duration == pytest.approx(60)


class Chatty(ScriptedRunner):
    """More finals than anybody could have waiting."""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        sink.connected()
        for n in range(RESERVE):
            sink.emit(SpeechEvent(FINAL, [SpeechData(f"{n}")]))
        await asyncio.get_running_loop().create_future()


@virtual_time
async def test_a_consumer_that_never_reads_fails_with_its_own_error() -> None:
    """The reserve is bounded; what is in it can still be read, and then the reason comes."""
    async with opened(Custom(Chatty([]))) as stream:
        await stream.send_frame(CALL)
        stream.end_input()
        events: list[SpeechEvent] = []
        with pytest.raises(SlowConsumerError):
            async for event in stream:
                events.append(event)  # noqa: PERF401
    assert RESERVE <= len(events) < RESERVE + 5


@virtual_time
async def test_memory_stays_flat_in_silence() -> None:
    """An hour of silence keeps no more than the ledger's share."""
    async with opened(ScriptedSTT([]), replay_seconds=10) as stream:
        for _ in range(3600):
            await stream.send_frame(quiet(1.0))
        driver = stream._driver  # pyright: ignore[reportPrivateUsage]
        assert isinstance(driver, Driver)
        ledger = driver.ledger
        assert ledger.end - ledger.base <= 10 * RATE
        assert len(stream._events) < 10  # pyright: ignore[reportPrivateUsage]


# -- S8: close ---------------------------------------------------------------------------------------------------------


@virtual_time
async def test_closing_twice_and_late_is_harmless() -> None:
    """aclose() is idempotent, ends iteration, and pushing afterwards says why it cannot be."""
    stt = ScriptedSTT(HELLO)
    stream = stt.stream(sample_rate=RATE)
    await stream.send_frame(CALL)
    await stream.aclose()
    await stream.aclose()
    with pytest.raises(StreamClosedError):
        stream.push_frame(CALL)
    with pytest.raises(StreamClosedError):
        await stream.flush()
    _ = [event async for event in stream]
    await stt.aclose()
    await stt.aclose()


@virtual_time
async def test_closing_the_stt_closes_its_streams() -> None:
    """Whoever waits on a stream is told; the leak check of the clock sees that nothing is left."""
    stt = Custom(Deaf([]))
    stream = stt.stream(sample_rate=RATE)
    reader = asyncio.create_task(talk(stream, CALL[:1000]))
    flusher = asyncio.create_task(stream.flush())
    await asyncio.sleep(0)
    await stt.aclose()
    assert kinds(await reader) == ""
    with pytest.raises(StreamClosedError):
        await flusher


@virtual_time
async def test_a_closed_stt_opens_nothing() -> None:
    """Neither streams nor files, and the error says why."""
    stt = ScriptedSTT(HELLO)
    await stt.aclose()
    with pytest.raises(StreamClosedError, match="closed"):
        stt.stream(sample_rate=RATE)
    with pytest.raises(StreamClosedError, match="closed"):
        await stt.recognize(CALL, sample_rate=RATE, encoding="pcm_s16le")


@virtual_time
async def test_push_after_end_is_refused() -> None:
    """The end is the end; ending twice is not an error."""
    async with opened(ScriptedSTT([])) as stream:
        stream.push_frame(CALL)
        stream.end_input()
        stream.end_input()
        with pytest.raises(StreamClosedError, match="end_input"):
            stream.push_frame(CALL)
        with pytest.raises(StreamClosedError):
            await stream.send_frame(CALL)


def test_a_stream_needs_a_loop() -> None:
    """Outside one, the error says what to do."""
    with pytest.raises(UnsupportedError, match="event loop"):
        ScriptedSTT([]).stream(sample_rate=RATE)


@virtual_time
async def test_connecting_has_a_deadline() -> None:
    """A provider that never gets ready spends the budget, attempt by attempt."""

    class Silent(ScriptedRunner):
        async def run(self, source: AudioSource, sink: EventSink) -> None:
            self.connections += 1
            await asyncio.get_running_loop().create_future()

    runner = Silent([])
    async with opened(Custom(runner), connect_timeout=2, max_retries=1, retry_interval=0) as stream:
        stream.push_frame(CALL)
        with pytest.raises(ConnectTimeoutError):
            _ = [event async for event in stream]
    assert runner.connections == 2
    assert 4 <= asyncio.get_running_loop().time() < 5


# -- S10: usage --------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(drops=st.lists(st.floats(0.05, 4.4), max_size=4))
def test_usage_adds_up_to_what_was_sent(drops: list[float]) -> None:
    """The events' sums are the stream's total, and the total is what the provider was sent."""
    stt = ScriptedSTT([*HELLO, *AGAIN], faults=[Fault(at) for at in drops])

    async def call() -> tuple[list[SpeechEvent], RecognizeStream]:
        async with opened(stt, max_retries=20) as stream:
            return await talk(stream, CALL), stream

    events, stream = virtual_time_run(call())
    usages = [event.recognition_usage for event in events if event.recognition_usage is not None]
    total = stream.usage
    assert sum(usage.audio_duration for usage in usages) == pytest.approx(total.audio_duration)
    assert total.sent_duration == pytest.approx(4.5)
    assert total.audio_duration == pytest.approx(total.sent_duration + total.replayed_duration)
    # A chunk whose transport failed was not accepted: at most one block for each drop.
    received = sum(end - start for start, end in stt.runners[0].heard) / RATE
    assert received - 0.05 * len(drops) - 1e-6 <= total.audio_duration <= received + 1e-6
    order = [event.type for event in events if event.type in (USAGE, FINAL)]
    assert all(before is USAGE for before, after in itertools.pairwise(order) if after is FINAL)


# -- S13 and what is pushed --------------------------------------------------------------------------------------------


class Recorder(ScriptedRunner):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__([])
        self.data = b""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        sink.connected()
        while not isinstance(item := await source.receive(), EndOfInput):
            if isinstance(item, AudioChunk):
                self.data += item.data


@given(st.binary(min_size=12, max_size=5000), st.lists(st.integers(1, 700), min_size=1))
@settings(max_examples=50, deadline=None)
def test_bytes_arrive_as_they_were_pushed(data: bytes, sizes: list[int]) -> None:
    """Odd pieces are put together again; only half a sample at the very end is left out."""
    runner = Recorder()
    data = b"\0\0\0\0" + data  # not the beginning of a file

    async def call() -> None:
        async with opened(Custom(runner)) as stream:
            at = 0
            while at < len(data):
                size = sizes[at % len(sizes)]
                stream.push_frame(memoryview(data)[at : at + size])
                at += size
            stream.end_input()
            _ = [event async for event in stream]

    virtual_time_run(call())
    assert runner.data == data[: len(data) // 2 * 2]


@virtual_time
async def test_a_file_pushed_as_samples_is_refused() -> None:
    """A WAV header is not audio."""
    async with opened(ScriptedSTT([])) as stream:
        with pytest.raises(AudioError, match="WAV"):
            stream.push_frame(b"RIFF\x00\x00\x00\x00WAVEfmt ")


@virtual_time
async def test_other_threads_may_push() -> None:
    """Audio callbacks hand their frames over without touching the loop."""
    runner = Recorder()
    async with opened(Custom(runner)) as stream:

        def callback() -> None:
            for _ in range(100):
                stream.push_frame_threadsafe(loud(0.02))

        thread = threading.Thread(target=callback)
        thread.start()
        await asyncio.to_thread(thread.join)
        stream.end_input()
        _ = [event async for event in stream]
    assert runner.data == loud(2.0)


# -- feeding -----------------------------------------------------------------------------------------------------------


@virtual_time
async def test_a_source_that_fails_is_heard_and_then_raised() -> None:
    """What it gave is recognised; its own exception reaches the reader."""

    def source() -> Iterator[bytes]:
        yield CALL
        raise OSError("the microphone is gone")

    stt = ScriptedSTT(HELLO)
    events: list[SpeechEvent] = []
    async with stt, stt.stream(sample_rate=RATE, source=source()) as stream:
        with pytest.raises(OSError, match="microphone"):
            async for event in stream:
                events.append(event)  # noqa: PERF401
    assert finals(events) == ["hello big round world"]


@virtual_time
async def test_an_asynchronous_source_runs_beside_reading() -> None:
    """The first final comes before the source ends."""
    exhausted = asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        for at in range(0, len(CALL), 320):
            yield CALL[at : at + 320]
            await asyncio.sleep(0.02)
        exhausted.set()

    stt = ScriptedSTT([*HELLO, *AGAIN])
    async with stt, stt.stream(sample_rate=RATE, source=source()) as stream:
        async for event in stream:
            if event.text == "hello big round world" and event.type is FINAL:
                assert not exhausted.is_set()
    assert exhausted.is_set()


@virtual_time
async def test_what_cannot_be_fed_is_refused() -> None:
    """The error says what can."""
    async with opened(ScriptedSTT([])) as stream:
        with pytest.raises(AudioError, match="path, an iterable"):
            stream.feed(cast("list[bytes]", b"abc"))


# -- updates -----------------------------------------------------------------------------------------------------------


@virtual_time
async def test_what_cannot_change_is_refused() -> None:
    """An option that a running stream keeps for life is named, and nothing changes."""
    async with opened(ScriptedSTT([])) as stream:
        with pytest.raises(UnsupportedError, match="replay_seconds"):
            await stream.update_options(replay_seconds=5, flush_timeout=1)
        with pytest.raises(ConfigError, match="flush_timeout"):
            await stream.update_options(flush_timeuot=1)


@virtual_time
async def test_options_are_updated_behind_the_audio_pushed_so_far() -> None:
    """update_options() returns when the provider has taken them over, in order with the audio."""
    stt = ScriptedSTT(HELLO)
    async with opened(stt) as stream:
        await stream.send_frame(CALL)
        await stream.update_options(liveness_timeout=1)
        await stt.update_options(flush_timeout=2)
        stream.end_input()
        assert finals([event async for event in stream]) == ["hello big round world"]
        with pytest.raises(StreamClosedError):
            await stream.update_options(flush_timeout=1)
