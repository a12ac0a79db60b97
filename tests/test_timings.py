"""How fast a stream was: each timing is what its definition in StreamTimings says, on a clock that is exact."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Unpack
from unittest.mock import patch

import pytest

from stt_core.errors import ConnectionLostError
from stt_core.events import SpeechData, SpeechEvent, SpeechEventType, StreamTimings
from stt_core.runner import AudioChunk, EndOfInput, FlushRequest, OptionsUpdate
from stt_core.testing.clock import virtual_time
from stt_core.testing.scripted import Cue, Fault, ScriptedRunner, ScriptedSTT, utterance

if TYPE_CHECKING:
    from stt_core.options import CommonOptions
    from stt_core.registry import Resolved
    from stt_core.runner import AudioSource, EventSink, Runner, SourceItem
    from stt_core.stream import RecognizeStream

RATE = 16000
FINAL = SpeechEventType.FINAL_TRANSCRIPT
INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
CONNECTED = SpeechEventType.CONNECTED
USAGE = SpeechEventType.RECOGNITION_USAGE
SCRIPT = utterance("one two three four", start=0.1, end=1.7)  # the first word is over at 0.5 s and said at 0.8 s


@dataclass
class Delays:
    """Seconds that the provider takes: for each connection, and for each answer to a flush or to the end."""

    connects: list[float] = field(default_factory=list[float])
    answers: list[float] = field(default_factory=list[float])


class SlowRunner(ScriptedRunner):
    delays = Delays()

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        await asyncio.sleep(self.delays.connects.pop(0) if self.delays.connects else 0)
        receive = source.receive

        async def receive_slowly() -> SourceItem:
            item = await receive()
            if isinstance(item, FlushRequest | EndOfInput) and self.delays.answers:
                await asyncio.sleep(self.delays.answers.pop(0))
            return item

        with patch.object(source, "receive", receive_slowly):
            await super().run(source, sink)


class SlowSTT(ScriptedSTT):
    runner_type: type[SlowRunner] = SlowRunner
    delays = Delays()

    def create_runner(self, settings: Resolved) -> Runner:
        runner = self.runner_type(self.cues, faults=self.faults)
        runner.delays = self.delays
        return runner


@dataclass
class Log:
    """The events of a stream and when they came."""

    entries: list[tuple[float, SpeechEvent]] = field(default_factory=list[tuple[float, SpeechEvent]])

    async def read(self, stream: RecognizeStream) -> None:
        loop = asyncio.get_running_loop()
        async for event in stream:
            self.entries.append((loop.time(), event))

    def when(self, kind: SpeechEventType) -> list[float]:
        return [at for at, event in self.entries if event.type is kind]

    def timings(self, kind: SpeechEventType) -> list[StreamTimings]:
        return [event.timings for _, event in self.entries if event.type is kind and event.timings is not None]


@asynccontextmanager
async def opened(
    script: Sequence[Cue] = SCRIPT,
    *,
    delays: Delays | None = None,
    faults: Sequence[Fault] = (),
    runner: type[SlowRunner] = SlowRunner,
    **options: Unpack[CommonOptions],
) -> AsyncGenerator[tuple[RecognizeStream, Log]]:
    """A stream, read all along; at the end its input is ended and it is read to the end."""
    stt = SlowSTT(script, faults=faults, **options)
    stt.delays, stt.runner_type = delays or Delays(), runner
    log = Log()
    async with stt, stt.stream(sample_rate=RATE) as stream:
        reading = asyncio.create_task(log.read(stream))
        await asyncio.sleep(0)
        yield stream, log
        if not stream.finished:
            stream.end_input()
        await reading


def audio(seconds: float) -> bytes:
    """Loud, or nobody would miss it."""
    return b"\x00\x10\x00\xf0" * round(seconds * RATE / 2)


async def talk(stream: RecognizeStream, seconds: float) -> None:
    """In real time, 0.1 s at once, from now on."""
    for _ in range(round(seconds * 10)):
        stream.push_frame(audio(0.1))
        await asyncio.sleep(0.1)


# -- connect -----------------------------------------------------------------------------------------------------------


@virtual_time
async def test_connect_is_how_long_the_provider_took_to_be_ready() -> None:
    """On CONNECTED, on the stream and on usage."""
    async with opened(delays=Delays(connects=[2.0])) as (stream, log):
        await asyncio.sleep(1)
        assert stream.timings.connect is None
        await asyncio.sleep(2)
        await talk(stream, 2)
        assert stream.timings.connect == pytest.approx(2)
    assert [timings.connect for timings in log.timings(CONNECTED) + log.timings(USAGE)] == [pytest.approx(2)] * 3


@virtual_time
async def test_connect_is_that_of_the_connection_in_use() -> None:
    """A reconnect has its own, from the attempt on: the wait before it is none of the provider's."""
    refused = Fault(1, "refuse", error=ConnectionLostError("no"))
    delays = Delays(connects=[2.0, 1.0, 3.0])
    async with opened(delays=delays, faults=[Fault(0.5), refused], retry_interval=5.0) as (stream, log):
        await asyncio.sleep(3)
        await talk(stream, 20)
    assert [timings.connect for timings in log.timings(CONNECTED)] == [pytest.approx(2), pytest.approx(3)]
    assert log.timings(USAGE)[-1].connect == pytest.approx(3)


# -- first_interim -----------------------------------------------------------------------------------------------------


@virtual_time
async def test_first_interim_runs_from_the_first_audio_to_the_first_text() -> None:
    """Not from the opening of the stream, nor from the connection; and it stays."""
    async with opened() as (stream, log):
        await asyncio.sleep(5)
        await talk(stream, 0.5)
        assert stream.timings.first_interim is None
        await talk(stream, 2.5)
        # The frame that ends at 0.8 s is pushed 0.7 s after the first one.
        assert stream.timings.first_interim == pytest.approx(0.7)
    assert log.when(INTERIM)[0] == pytest.approx(5.7)
    assert [timings.first_interim for timings in log.timings(USAGE)] == [pytest.approx(0.7)] * 2


@virtual_time
async def test_first_interim_counts_from_audio_that_a_lost_connection_was_given() -> None:
    """What the caller waited for is the sum of both."""
    async with opened(faults=[Fault(0.3)], delays=Delays(connects=[0.0, 4.0])) as (stream, log):
        await talk(stream, 8)
    first = log.when(INTERIM)[0]
    assert first > 4
    assert stream.timings.first_interim == pytest.approx(first)


@virtual_time
async def test_text_of_the_very_first_audio_counts() -> None:
    """Also when it is said before the transport asks for more."""
    script = [Cue(0.01, SpeechEvent(FINAL, [SpeechData("yes")]), 0.01)]
    async with opened(script) as (stream, log):
        await asyncio.sleep(1)
        await talk(stream, 1)
    assert log.timings(USAGE)[-1].first_interim == 0


@virtual_time
async def test_an_empty_interim_is_no_text() -> None:
    """Some vendors send them for silence; neither are they a result that gives the retries back."""
    empty = [Cue(at / 10, SpeechEvent(INTERIM, [SpeechData("")]), at / 10) for at in range(1, 8)]
    faults = [Fault(0.25), Fault(0.35), Fault(0.45)]
    with pytest.raises(ConnectionLostError):
        async with opened([*empty, *SCRIPT], faults=faults, max_retries=2) as (stream, _):
            stream.push_frame(audio(2))
    async with opened([*empty, *SCRIPT]) as (stream, _):
        await talk(stream, 2)
        assert stream.timings.first_interim == pytest.approx(0.7)


# -- end_to_final ------------------------------------------------------------------------------------------------------


@virtual_time
async def test_end_to_final_is_how_long_a_flush_took() -> None:
    """It is on the usage just before that FINAL, and on the stream afterwards."""
    async with opened(delays=Delays(answers=[0.6])) as (stream, log):
        await talk(stream, 1.8)
        assert [event.text for event in await stream.flush()] == ["one two three four"]
        assert stream.timings.end_to_final == pytest.approx(0.6)
        await talk(stream, 1)
    assert log.when(FINAL) == [pytest.approx(2.4)]
    assert [timings.end_to_final for timings in log.timings(USAGE)] == [pytest.approx(0.6)] * 2


@virtual_time
async def test_end_to_final_is_how_long_the_end_took() -> None:
    """The last FINAL decides, not the end of the stream behind it."""
    async with opened(delays=Delays(answers=[0.4])) as (stream, log):
        await talk(stream, 1.8)
    assert stream.timings.end_to_final == pytest.approx(0.4)
    assert [timings.end_to_final for timings in log.timings(USAGE)] == [pytest.approx(0.4)]


@virtual_time
async def test_a_final_that_comes_by_itself_was_not_asked_for() -> None:
    """Nor is an end with nothing left to say a fast one."""
    async with opened(delays=Delays(answers=[3.0])) as (stream, log):
        await talk(stream, 3)
    assert len(log.when(FINAL)) == 1
    assert [timings.end_to_final for timings in log.timings(USAGE)] == [None, None]


@virtual_time
async def test_a_flush_of_silence_leaves_the_last_value() -> None:
    """There was no FINAL to wait for."""
    async with opened(delays=Delays(answers=[0.6, 2.0])) as (stream, _):
        await talk(stream, 1.8)
        await stream.flush()
        await talk(stream, 1)
        assert await stream.flush() == []
        assert stream.timings.end_to_final == pytest.approx(0.6)


class Pipelined(SlowRunner):
    """Hears everything up to the end of input before it answers the first request, a second apart."""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        sink.connected()
        requests: list[FlushRequest] = []
        while not isinstance(item := await source.receive(), EndOfInput):
            if isinstance(item, FlushRequest):
                requests.append(item)
            elif isinstance(item, OptionsUpdate):
                sink.updated(item)
        for index, request in enumerate([*requests, None]):
            await asyncio.sleep(1)
            sink.emit(SpeechEvent(FINAL, [SpeechData(f"text {index}")]))
            if request is not None:
                sink.flushed(request)


@virtual_time
async def test_a_final_counts_for_the_oldest_request() -> None:
    """Each of several at once from its own beginning, whatever else was asked for in between."""
    async with opened(runner=Pipelined, flush_timeout=60) as (stream, log):
        flushes: list[asyncio.Task[list[SpeechEvent]]] = []
        for _ in range(2):
            stream.push_frame(audio(1))
            flushes.append(asyncio.create_task(stream.flush()))
            await asyncio.sleep(1)
        await stream.update_options(flush_timeout=50)
        await asyncio.sleep(3)
        stream.end_input()
        assert [[event.text for event in await flush] for flush in flushes] == [["text 0"], ["text 1"]]
    # Given at 0, 1 and 5 s; answered at 6, 7 and 8 s.
    assert log.when(FINAL) == [pytest.approx(at) for at in (6, 7, 8)]
    assert stream.timings.end_to_final == pytest.approx(3)
    assert log.timings(USAGE)[0].end_to_final == pytest.approx(6)


@pytest.mark.parametrize("how", ["flush", "end"])
@virtual_time
async def test_a_reconnect_does_not_start_the_time_anew(how: str) -> None:
    """The caller waits for his FINAL all along."""
    delays = Delays(connects=[0.0, 5.0], answers=[0.5])
    async with opened(delays=delays, runner=Dropping) as (stream, log):
        await talk(stream, 1.8)
        if how == "flush":
            await stream.flush()
    final = log.when(FINAL)[0]
    assert final > 7
    assert stream.timings.end_to_final == pytest.approx(final - 1.8)


class Dropping(SlowRunner):
    """Loses its first connection a second after it was asked for something."""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        if self.connections:
            await super().run(source, sink)
            return
        self.connections += 1
        await asyncio.sleep(self.delays.connects.pop(0))
        sink.connected()
        while not isinstance(await source.receive(), FlushRequest | EndOfInput):
            pass
        await asyncio.sleep(1)
        raise ConnectionLostError("the script says so")


# -- backlog -----------------------------------------------------------------------------------------------------------


@virtual_time
async def test_backlog_is_what_was_pushed_and_not_accepted() -> None:
    """While nothing is connected, all of it; on CONNECTED, what has come together; afterwards nothing."""
    async with opened(delays=Delays(connects=[3.0])) as (stream, log):
        stream.push_frame(audio(1))
        await asyncio.sleep(1)
        stream.push_frame(audio(1))
        assert stream.timings.backlog == pytest.approx(2)
        await asyncio.sleep(3)
        assert stream.timings.backlog == pytest.approx(0)
    assert [timings.backlog for timings in log.timings(CONNECTED)] == [pytest.approx(2)]
    assert log.timings(USAGE)[-1].backlog == pytest.approx(0)


class OneASecond(SlowRunner):
    """Takes a piece of audio a second."""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        sink.connected()
        while not isinstance(item := await source.receive(), EndOfInput):
            if isinstance(item, AudioChunk):
                await asyncio.sleep(1)


@virtual_time
async def test_backlog_counts_the_piece_that_is_being_sent() -> None:
    """It is not accepted before the transport asks for the next one."""
    async with opened(runner=OneASecond, drain_timeout=100) as (stream, _):
        await asyncio.sleep(0.5)
        stream.push_frame(audio(0.5))
        await asyncio.sleep(0.5)
        before = stream.timings.backlog
        await asyncio.sleep(1)
        after = stream.timings.backlog
    assert before == pytest.approx(0.5)
    assert after is not None
    assert 0.3 < after < 0.5


@virtual_time
async def test_audio_to_be_sent_again_is_no_backlog() -> None:
    """It was accepted once."""
    async with opened(faults=[Fault(0.5)], delays=Delays(connects=[0.0, 4.0])) as (stream, log):
        await talk(stream, 1)
        assert stream.timings.backlog == pytest.approx(0.5, abs=0.1)
        await asyncio.sleep(10)
    assert log.timings(CONNECTED)[1].backlog == pytest.approx(0.5, abs=0.1)


def test_nothing_has_happened_yet() -> None:
    """All of it is unknown before the stream has begun."""
    assert StreamTimings() == StreamTimings(None, None, None, None)
