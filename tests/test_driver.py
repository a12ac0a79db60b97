"""The driver's deadlines, with a peer that takes nothing any more, and what it reports as lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack
from unittest.mock import patch

import pytest

from stt_core.errors import DrainTimeoutError, FlushTimeoutError
from stt_core.events import SpeechEventType
from stt_core.testing.clock import virtual_time
from stt_core.testing.contract.scripted import TONES, DisturbableRunner, DisturbableSTT
from stt_core.testing.scripted import FULL, utterance

if TYPE_CHECKING:
    from stt_core.events import SpeechEvent
    from stt_core.options import CommonOptions
    from stt_core.provider import Carries
    from stt_core.runner import AudioSource, EventSink
    from stt_core.stream import RecognizeStream

RATE = TONES.format.sample_rate
SENTENCE = TONES.data
UNTIMED = replace(FULL, times="none", words=False)


@asynccontextmanager
async def opened(
    *, carries: Carries = FULL, **options: Unpack[CommonOptions]
) -> AsyncGenerator[tuple[DisturbableSTT, RecognizeStream]]:
    script = utterance("one two three four", start=0.1, end=1.9)
    stt = DisturbableSTT(script, carries=carries, runner=DisturbableRunner)
    async with stt, stt.stream(sample_rate=RATE, **options) as stream:
        yield stt, stream


@virtual_time
async def test_a_peer_that_takes_no_more_audio_cannot_hold_up_the_end() -> None:
    """It never hears of the end of input, so the deadline runs from when the caller gave it."""
    async with opened(drain_timeout=7) as (stt, stream):
        stream.push_frame(SENTENCE[:RATE])
        await asyncio.sleep(1)
        stt.released.clear()
        stream.push_frame(SENTENCE)
        stream.end_input()
        with pytest.raises(DrainTimeoutError):
            _ = [event async for event in stream]
    assert 8 <= asyncio.get_running_loop().time() < 9


@virtual_time
async def test_a_peer_that_goes_on_taking_audio_is_waited_for() -> None:
    """Every piece that it takes puts the deadline off."""
    async with opened(drain_timeout=2) as (stt, stream):
        stt.released.clear()
        await asyncio.sleep(0)
        stream.push_frame(SENTENCE)
        stream.end_input()
        reader = asyncio.create_task(anext(stream))
        for _ in range(RATE * 2 // 400 + 5):
            stt.released.set()
            await asyncio.sleep(0)
            stt.released.clear()
            await asyncio.sleep(1.5)
            if stream.finished:
                break
        stt.released.set()
        await reader
        finals = [event.text async for event in stream if event.type is SpeechEventType.FINAL_TRANSCRIPT]
    assert finals == ["one two three four"]


@virtual_time
async def test_a_flush_that_the_peer_does_not_take_has_a_deadline() -> None:
    """An open segment is told of after flush_timeout, as if the peer had taken the flush and not answered."""
    async with opened(flush_timeout=3) as (stt, stream):
        stream.push_frame(SENTENCE[:RATE])
        await asyncio.sleep(0.1)
        stt.released.clear()
        stream.push_frame(SENTENCE[RATE:])
        with pytest.raises(FlushTimeoutError):
            await stream.flush()
    assert asyncio.get_running_loop().time() < 4


@virtual_time
async def test_a_flush_waits_for_audio_that_was_not_heard_yet() -> None:
    """While no segment is open and the peer takes nothing, nobody can say that nothing was said."""
    async with opened(flush_timeout=3) as (stt, stream):
        await asyncio.sleep(0.1)
        stt.released.clear()
        stream.push_frame(bytes(2 * 800))
        await asyncio.sleep(0.1)
        stream.push_frame(SENTENCE)
        flush = asyncio.create_task(stream.flush())
        await asyncio.sleep(10)
        assert not flush.done()
        stt.released.set()
        assert [event.text for event in await flush] == ["one two three four"]


@pytest.mark.parametrize("exact", [True, False])
@virtual_time
async def test_times_from_a_clock_that_runs_away_are_unknown(exact: bool) -> None:
    """In interims too, and in finals that say by other means what they settle."""
    script = utterance("one two three four", start=0.1, end=1.9)
    stt = DisturbableSTT(script, exact=exact, runner=Hurried)
    async with stt, stt.stream(sample_rate=RATE) as stream:
        for n in range(20):
            stream.push_frame(SENTENCE[n * 1600 : (n + 1) * 1600])
            await asyncio.sleep(0.1)
        stream.end_input()
        data = [event.alternatives[0] async for event in stream if event.alternatives]
    assert len(data) == 2  # the last interim, and the final
    assert all((each.start_time, each.end_time) == (None, None) for each in data)


class Hurried(DisturbableRunner):
    """Its clock has run for a thousand seconds before the audio."""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        emit = sink.emit

        def emit_late(event: SpeechEvent, *, settled: float | None = None) -> None:
            for data in event.alternatives:
                for part in (data, *(data.words or ())):
                    part.start_time, part.end_time = 1000.0, 1001.0
            emit(event, settled=settled)

        with patch.object(sink, "emit", emit_late):
            await super().run(source, sink)


@virtual_time
async def test_what_a_provider_was_done_with_is_not_lost() -> None:
    """A clean end settles everything, also audio that was let go before an estimate could say so."""
    async with opened(carries=UNTIMED, replay_seconds=1) as (_, stream):
        await stream.send_frame(SENTENCE + bytes(2 * 3 * RATE))
        stream.end_input()
        events = [event async for event in stream]
    assert [event.text for event in events if event.type is SpeechEventType.FINAL_TRANSCRIPT] == ["one two three four"]
    assert not [event for event in events if event.type is SpeechEventType.AUDIO_LOST]
