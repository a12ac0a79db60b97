"""Streams made of single calls: cut where nobody speaks, in order, with the stream's times, and whole whatever fails.

A word is a second of one loudness here, and the recogniser reads it back from the samples that it is given, so that
every word is accounted for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stt_core.audio.endpoint import Endpointing
from stt_core.audio.vad import FRAME_BYTES
from stt_core.errors import (
    AuthenticationError,
    BadRequestError,
    ConnectionLostError,
    ServerError,
    STTError,
    STTTimeoutError,
)
from stt_core.events import SpeechEvent, SpeechEventType, Word
from stt_core.segment import SegmentRunner
from stt_core.testing.clock import virtual_time, virtual_time_run
from stt_core.testing.scripted import ScriptedSTT
from stt_core.transcript import Transcript

if TYPE_CHECKING:
    from stt_core.audio.decode import AudioInput
    from stt_core.registry import Resolved
    from stt_core.runner import Runner

RATE = 16000
START = SpeechEventType.START_OF_SPEECH
FINAL = SpeechEventType.FINAL_TRANSCRIPT
END = SpeechEventType.END_OF_SPEECH
LOST = SpeechEventType.AUDIO_LOST


def silence(seconds: float, rate: int = RATE) -> bytes:
    return bytes(2 * round(seconds * rate))


def word(number: int, rate: int = RATE) -> bytes:
    """A tone whose loudness is its number."""
    return (np.sign(np.sin(np.arange(rate) * 0.5)) * number * 500).astype("<i2").tobytes()


def heard(samples: np.ndarray[tuple[int, ...], np.dtype[np.int16]], rate: int) -> list[tuple[int, float, float]]:
    found: list[tuple[int, float, float]] = []
    at = 0
    for number, run in groupby(np.abs(samples.astype(int)) // 500):
        length = len(list(run))
        if number and length > rate // 50:
            found.append((int(number), at / rate, (at + length) / rate))
        at += length
    return found


class LoudVad:
    """Whatever is not silent is speech."""

    def is_speech(self, frame: bytes) -> bool:
        assert len(frame) == FRAME_BYTES
        return bool(np.abs(np.frombuffer(frame, "<i2").astype(int)).max() > 250)


class Batch(ScriptedSTT):
    """Recognises whole recordings only.

    Args:
        seconds: how long the call for a piece takes that begins with this word.
        failures: raised in the call for a piece that begins with this word, one after the other.
    """

    def __init__(
        self,
        *,
        seconds: Callable[[int], float] = lambda _: 1.0,
        failures: dict[int, list[STTError]] | None = None,
        concurrency: int = 4,
        max_speech: float = 30.0,
        **options: int,
    ) -> None:
        super().__init__(**options)  # pyright: ignore[reportArgumentType]
        self.seconds = seconds
        self.failures = failures or {}
        self.concurrency = concurrency
        self.max_speech = max_speech
        self.pieces: list[list[int]] = []
        self.running = self.most_at_once = 0

    def create_runner(self, settings: Resolved) -> Runner:
        return SegmentRunner(
            self.recognize_audio,
            settings,
            new_vad=LoudVad,
            concurrency=self.concurrency,
            endpointing=Endpointing(max_speech=self.max_speech),
        )

    async def recognize_audio(self, audio: AudioInput, settings: Resolved) -> Transcript:
        with audio.open() as reader:
            samples = np.concatenate([np.rint(block * 32768).astype(np.int16).ravel() for block in reader.blocks(10)])
        words = heard(samples, reader.sample_rate)
        first = words[0][0] if words else 0
        self.pieces.append([number for number, _, _ in words])
        self.running += 1
        self.most_at_once = max(self.running, self.most_at_once)
        try:
            await asyncio.sleep(self.seconds(first))
        finally:
            self.running -= 1
        if failures := self.failures.get(first):
            raise failures.pop(0)
        return Transcript(
            " ".join(str(number) for number, _, _ in words),
            language="en",
            words=[Word(str(number), start, end) for number, start, end in words],
        )


def turns(*words: int, pause: float = 1.0, rate: int = RATE) -> bytes:
    return silence(pause, rate) + b"".join(word(number, rate) + silence(pause, rate) for number in words)


async def said(stt: Batch, audio: bytes, *, push_seconds: float = 0.05, rate: int = RATE) -> list[SpeechEvent]:
    size = 2 * round(push_seconds * rate)
    async with stt, stt.stream(sample_rate=rate) as stream:
        for start in range(0, len(audio), size):
            stream.push_frame(audio[start : start + size])
            await asyncio.sleep(push_seconds)
        stream.end_input()
        return [event async for event in stream]


def of(events: list[SpeechEvent], *kinds: SpeechEventType) -> list[SpeechEvent]:
    return [event for event in events if event.type in kinds]


def texts(events: list[SpeechEvent]) -> list[str]:
    return [event.text for event in of(events, FINAL)]


@virtual_time
async def test_each_turn_is_recognised_by_a_call_of_its_own() -> None:
    """START, FINAL, END; with times of the stream."""
    events = of(await said(Batch(), turns(1, 2, 3)), START, FINAL, END)
    assert [event.type for event in events] == [START, FINAL, END] * 3
    for number, (start, final, end) in enumerate(zip(events[::3], events[1::3], events[2::3], strict=True), 1):
        spoken = 2 * number - 1
        (found,) = final.alternatives[0].words or []
        assert (start.time, found.start_time, found.end_time, end.time) == pytest.approx(  # pyright: ignore[reportUnknownMemberType]
            (spoken, spoken, spoken + 1, spoken + 1), abs=0.03
        )
        assert final.settlement == "exact"
        assert final.text == str(number)


@virtual_time
async def test_start_comes_while_it_is_spoken() -> None:
    """Before the call for it is made, let alone back."""
    async with Batch(seconds=lambda _: 60.0) as stt, stt.stream(sample_rate=RATE) as stream:
        stream.push_frame(silence(1) + word(1))
        async for event in stream:
            if event.type is START:
                break
        assert stt.pieces == []


@virtual_time
async def test_results_come_in_the_order_of_speaking_whichever_is_first_ready() -> None:
    """The first turn takes longest; the calls overlap."""
    stt = Batch(seconds=lambda number: 10.0 - 2 * number)
    events = await said(stt, turns(1, 2, 3, 4))
    assert texts(events) == ["1", "2", "3", "4"]
    assert [event.type for event in of(events, START, FINAL, END)] == [START, FINAL, END] * 4
    assert stt.most_at_once > 1


@virtual_time
async def test_calls_at_once_are_bounded() -> None:
    """What comes meanwhile waits in the ledger, and nothing of it is lost."""
    stt = Batch(seconds=lambda _: 20.0, concurrency=2)
    events = await said(stt, turns(*range(1, 9)))
    assert texts(events) == [str(number) for number in range(1, 9)]
    assert stt.most_at_once == 2


@virtual_time
async def test_speech_without_a_pause_is_cut_where_it_is_quietest() -> None:
    """One turn, several FINALs; no word is cut when there is a place to cut."""
    audio = silence(1) + b"".join(word(number) + silence(0.2) for number in range(1, 16)) + silence(1)
    stt = Batch(max_speech=5.0)
    events = of(await said(stt, audio), START, FINAL, END)
    assert [event.type for event in events] == [START, *[FINAL] * (len(events) - 2), END]
    assert " ".join(texts(events)).split() == [str(number) for number in range(1, 16)]
    assert len(events) > 4


@virtual_time
async def test_flush_recognises_what_was_said_so_far() -> None:
    """Also in the middle of a turn; nothing said gives nothing."""
    async with Batch() as stt, stt.stream(sample_rate=RATE) as stream:
        assert await stream.flush() == []
        stream.push_frame(silence(1) + word(1))
        (final,) = await stream.flush()
        assert final.text == "1"
        stream.push_frame(silence(2))
        assert await stream.flush() == []
        stream.push_frame(word(2))
        stream.end_input()
        assert (await stream.transcript()).text == "1 2"


@virtual_time
async def test_a_call_that_takes_long_is_waited_for() -> None:
    """Longer than ``flush_timeout`` and ``drain_timeout``, which are for a provider that gives no sign of life."""
    async with Batch(seconds=lambda _: 100.0) as stt, stt.stream(sample_rate=RATE) as stream:
        stream.push_frame(silence(1) + word(1))
        assert [event.text for event in await stream.flush()] == ["1"]
        stream.push_frame(word(2))
        stream.end_input()
        assert (await stream.transcript()).text == "1 2"


@virtual_time
async def test_a_call_that_hangs_is_not_waited_for_for_ever() -> None:
    """Each try has its time, and the retry budget bounds their number."""
    stt = Batch(seconds=lambda _: 1e9, max_retries=2)
    with pytest.raises(STTTimeoutError, match="request_timeout"):
        await said(stt, turns(1))
    assert len(stt.pieces) == 3


@virtual_time
async def test_a_call_that_fails_is_made_again() -> None:
    """And nobody hears of it."""
    stt = Batch(failures={2: [ConnectionLostError("gone"), ServerError("502", status=502)]})
    events = await said(stt, turns(1, 2, 3))
    assert texts(events) == ["1", "2", "3"]
    assert not of(events, LOST)
    assert stt.pieces.count([2]) == 3


@virtual_time
async def test_a_piece_that_cannot_be_recognised_is_reported_and_the_stream_goes_on() -> None:
    """With its span, and the vendor's words."""
    events = await said(Batch(failures={2: [BadRequestError("too loud", status=400)]}), turns(1, 2, 3))
    assert texts(events) == ["1", "3"]
    (lost,) = of(events, LOST)
    assert lost.span is not None
    assert lost.span.start_time < 3.0 < 4.0 < lost.span.end_time < 4.5
    assert str(lost.error) == "too loud"
    assert [event.type for event in of(events, START, FINAL, END)] == [START, FINAL, END, START, END, START, FINAL, END]


@virtual_time
async def test_a_piece_that_fails_while_others_succeed_does_not_end_the_stream() -> None:
    """It is not the vendor that is down."""
    stt = Batch(failures={1: [ServerError("500", status=500) for _ in range(9)]}, max_retries=2)
    events = await said(stt, turns(1, 2, 3))
    assert texts(events) == ["2", "3"]
    assert len(of(events, LOST)) == 1


@pytest.mark.parametrize(
    "failure", [AuthenticationError("no", status=401), ServerError("down", status=503), ConnectionLostError("gone")]
)
@virtual_time
async def test_a_vendor_that_cannot_be_reached_ends_the_stream(failure: STTError) -> None:
    """With its error, after the budget, and with what was not recognised reported."""
    stt = Batch(failures={number: [failure] * 20 for number in (1, 2, 3)}, max_retries=2)
    events: list[SpeechEvent] = []
    async with stt, stt.stream(sample_rate=RATE) as stream:
        stream.push_frame(turns(1, 2, 3))
        stream.end_input()
        with pytest.raises(type(failure)):
            async for event in stream:
                events.append(event)  # noqa: PERF401  (what came before the error is looked at)
    assert of(events, LOST)
    assert stt.pieces.count([1]) == (1 if isinstance(failure, AuthenticationError) else 3)


@virtual_time
async def test_a_vendor_that_refuses_everything_ends_the_stream() -> None:
    """At the third piece in a row: it is not the pieces."""
    stt = Batch(failures={number: [BadRequestError("no", status=400)] for number in range(1, 9)})
    async with stt, stt.stream(sample_rate=RATE) as stream:
        stream.push_frame(turns(*range(1, 9)))
        stream.end_input()
        with pytest.raises(BadRequestError):
            await stream.transcript()


@virtual_time
async def test_an_option_changes_for_what_is_spoken_next() -> None:
    """Without a reconnect."""
    async with Batch() as stt, stt.stream(sample_rate=RATE) as stream:
        stream.push_frame(turns(1))
        await stream.flush()
        await stream.update_options(language="de")
        stream.push_frame(turns(2))
        stream.end_input()
        assert (await stream.transcript()).text == "1 2"


@settings(max_examples=12, deadline=None)
@given(
    spoken=st.lists(st.integers(1, 40), max_size=8, unique=True),
    pause=st.floats(0.9, 2.0),
    push=st.floats(0.003, 1.3),
    rate=st.sampled_from([8000, 16000, 22050, 48000]),
    delays=st.lists(st.floats(0.0, 8.0), min_size=41, max_size=41),
)
def test_every_word_comes_once_and_in_order(
    spoken: list[int], pause: float, push: float, rate: int, delays: list[float]
) -> None:
    """Whatever the words, the pauses, the rate, the pieces pushed and how long the calls take."""

    async def run() -> list[SpeechEvent]:
        stt = Batch(seconds=lambda number: delays[number])
        return await said(stt, turns(*spoken, pause=pause, rate=rate), push_seconds=push, rate=rate)

    events = virtual_time_run(run())
    assert texts(events) == [str(number) for number in spoken]
    times = [data.start_time or 0.0 for event in of(events, FINAL) for data in event.alternatives]
    assert times == sorted(times)


@virtual_time
async def test_texts_without_spaces_are_joined_without() -> None:
    """As Japanese and Chinese are written."""

    class Japanese(Batch):
        async def recognize_audio(self, audio: AudioInput, settings: Resolved) -> Transcript:
            found = await super().recognize_audio(audio, settings)
            return Transcript({"1": "今日は", "2": "いい天気。", "3": "OK", "4": "です"}[found.text])

    events = await said(Japanese(), turns(1, 2, 3, 4))
    assert (
        Transcript.from_finals([event.alternatives[0] for event in of(events, FINAL)]).text
        == "今日はいい天気。 OK です"
    )
