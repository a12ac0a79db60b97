"""The embedded engine through the public interface."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from stt_core import (
    ConfigError,
    ConnectionLostError,
    ConnectTimeoutError,
    SpeechEvent,
    SpeechEventType,
    STTError,
    create_stt,
)
from stt_core.audio import Converter
from stt_core.audio.frames import AudioFormat
from stt_core.runner import AudioChunk, EndOfInput, FlushRequest, OptionsUpdate, SourceItem
from stt_pocketsphinx import PROVIDER
from stt_pocketsphinx.stt import PocketsphinxSTT

Speech = Callable[[str], tuple[bytes, str]]

SPEECH = Path(__file__).parent.parent / "data" / "speech"
FINAL = SpeechEventType.FINAL_TRANSCRIPT
INTERIM = SpeechEventType.INTERIM_TRANSCRIPT


def children() -> list[int]:
    """Ids of the processes that this one has started and that are not gone."""
    files = Path("/proc/self/task").glob("*/children")
    return [int(pid) for file in files for pid in file.read_text().split()]


def words_of(events: list[SpeechEvent]) -> list[str]:
    return [word for event in events if event.type is FINAL for word in event.text.split()]


async def test_the_default_engine_transcribes_files() -> None:
    """A file's words come with times in order and its duration; several files one after the other use one process."""
    async with create_stt() as stt:
        assert isinstance(stt, PocketsphinxSTT)
        for name in ("garden", "message"):
            transcript = await stt.recognize(SPEECH / f"{name}.wav")
            assert transcript.text == (SPEECH / f"{name}.txt").read_text().strip()
            assert transcript.words is not None
            assert [word.text for word in transcript.words] == transcript.text.split()
            assert transcript.duration == pytest.approx((SPEECH / f"{name}.wav").stat().st_size / 32000, abs=0.01)
            assert transcript.language == "en"
        assert len(children()) == 1
    assert children() == []


async def test_a_stream_survives_the_death_of_its_process(speech: Speech) -> None:
    """kill -9 in the middle of an utterance: a new process hears it again, and no word is lost or said twice."""
    first, first_text = speech("garden")
    second, second_text = speech("message")
    async with create_stt("pocketsphinx/en-us") as stt, stt.stream(sample_rate=16000) as stream:
        await stream.send_frame(first + bytes(32000) + second)
        stream.end_input()
        events: list[SpeechEvent] = []
        killed = False
        async for event in stream:
            events.append(event)
            if not killed and event.type is INTERIM and first_text in " ".join(words_of(events)):
                killed = True
                for pid in children():
                    os.kill(pid, signal.SIGKILL)
    types = [event.type for event in events]
    assert types.count(SpeechEventType.RECONNECTING) == 1
    assert types.count(SpeechEventType.CONNECTED) == 2
    assert words_of(events) == (first_text + " " + second_text).split()
    assert [event.settlement for event in events if event.type is FINAL] == ["exact", "exact"]


async def test_a_file_survives_it_too_unless_retries_are_forbidden(speech: Speech) -> None:
    """recognize() starts again in a new process; without retries it is a typed error, and the next call works."""

    async def kill_once() -> None:
        while not children():
            await asyncio.to_thread(os.sched_yield)
        os.kill(children()[0], signal.SIGKILL)

    async with create_stt("pocketsphinx/en-us") as stt:
        killing = asyncio.ensure_future(kill_once())
        transcript = await stt.recognize(SPEECH / "garden.wav")
        await killing
        assert transcript.text == speech("garden")[1]
        os.kill(children()[0], signal.SIGKILL)
        with pytest.raises(ConnectionLostError, match="killed by signal 9"):
            await stt.recognize(SPEECH / "garden.wav", max_retries=0)
        assert (await stt.recognize(SPEECH / "garden.wav")).text == speech("garden")[1]


async def test_digits_are_written_as_numerals_or_words(speech: Speech) -> None:
    """`4 1 7` by default, `four one seven` where that is wanted; a word for each digit, as a file and live."""
    pcm, text = speech("phone")
    async with create_stt("pocketsphinx/digits?min_digits=6&max_digits=6") as stt:
        numerals = await stt.recognize(SPEECH / "phone.wav")
        assert numerals.text == "4 1 7 2 9 6"
        assert numerals.words is not None
        assert [word.text for word in numerals.words] == numerals.text.split()
        assert (await stt.recognize(SPEECH / "phone.wav", numerals=False)).text == text
        assert (await stt.recognize(SPEECH / "message.wav")).text == ""
        async with stt.stream(sample_rate=16000) as stream:
            await stream.send_frame(speech("message")[0] + bytes(32000) + pcm)
            stream.end_input()
            events = [event async for event in stream]
    assert words_of(events) == numerals.text.split()
    assert [event.type for event in events].count(SpeechEventType.END_OF_SPEECH) == 2
    assert INTERIM not in [event.type for event in events]


async def test_models_change_hands(speech: Speech) -> None:
    """Calls with other options get the process that has their models, or one loads others; each hears its own."""
    config = "pocketsphinx/keyphrase?keyphrases=turn on the light&max_idle=2"
    async with create_stt(config) as stt:
        await stt.prewarm()
        (pid,) = children()
        assert (await stt.recognize(SPEECH / "light.wav")).text == "turn on the light"
        assert (await stt.recognize(SPEECH / "message.wav", keyphrases=["leave a message"])).text == "leave a message"
        async with stt.stream(sample_rate=16000) as stream:
            await stream.send_frame(speech("light")[0])
            assert words_of(await stream.flush()) == ["turn", "on", "the", "light"]
        assert children() == [pid]


async def test_a_model_that_cannot_be_loaded_is_a_config_error(tmp_path: Path) -> None:
    """What begins like a language model and is none: the error says so, at once, and again."""
    (tmp_path / "broken.lm").write_text("\\data\\\nngram 1=2\n")
    async with create_stt("pocketsphinx/en-us", language_model=str(tmp_path / "broken.lm")) as stt:
        for _ in range(2):
            with pytest.raises(ConfigError, match="cannot load"):
                await stt.recognize(SPEECH / "light.wav")
        # A process that serves already is no worse off.
        with pytest.raises(ConfigError, match="cannot load"):
            await stt.stream(source=SPEECH / "light.wav").transcript()


async def test_another_language_model_limits_dictation(tmp_path: Path) -> None:
    """A small model is loaded at once, words of the user's included, and hears no others."""
    words = ["<s>", *["turn", "on", "the", "lite", "in", "the", "kitchen"], "</s>"]
    grams = [sorted(set(zip(*(words[at:] for at in range(order)), strict=False))) for order in (1, 2, 3)]
    text = "\n".join(["\\data\\", *(f"ngram {order}={len(each)}" for order, each in enumerate(grams, 1)), ""])
    for order, each in enumerate(grams, 1):
        text += "\n".join([f"\n\\{order}-grams:", *(f"-0.5 {' '.join(gram)} -0.3" for gram in each), ""])
    (tmp_path / "ours.lm").write_text(text + "\n\\end\\\n")
    options = {"language_model": str(tmp_path / "ours.lm"), "pronunciations": ["lite L AY T"]}
    async with create_stt("pocketsphinx/en-us", **options) as stt:
        assert (await stt.recognize(SPEECH / "light.wav")).text == "turn on the lite in the kitchen"
        assert set((await stt.recognize(SPEECH / "garden.wav")).text.split()) <= set(words)


async def test_max_workers_bounds_streams(speech: Speech) -> None:
    """A stream beyond the limit waits for connect_timeout, and then says which limit it is; no idle process is kept."""
    config = "pocketsphinx/digits?max_workers=1&max_idle=0&connect_timeout=5&max_retries=0"
    async with create_stt(config) as stt:
        async with stt.stream(sample_rate=16000) as first:
            await first.send_frame(bytes(32000))
            await first.flush()
            with pytest.raises(ConnectTimeoutError, match="max_workers"):
                await stt.recognize(SPEECH / "phone.wav", connect_timeout=0.01)
        while children():
            await asyncio.to_thread(os.sched_yield)


async def test_telephone_audio_is_understood(speech: Speech) -> None:
    """8 kHz mu-law, pushed as it comes off the line, gives most of the words."""
    pcm, text = speech("weather")
    line = AudioFormat(8000, 1, "pcm_mulaw")
    converter = Converter(AudioFormat(16000), line)
    data = converter.convert(pcm) + converter.flush()
    async with create_stt("pocketsphinx/en-us") as stt, stt.stream(sample_rate=8000, encoding="pcm_mulaw") as stream:
        for at in range(0, len(data), 160):
            stream.push_frame(data[at : at + 160])
        stream.end_input()
        transcript = await stream.transcript()
    assert len(set(transcript.text.split()) & set(text.split())) >= 0.7 * len(set(text.split()))
    assert transcript.words
    assert transcript.words[-1].end_time is not None
    assert transcript.words[-1].end_time <= len(pcm) / 32000


async def test_streams_side_by_side_keep_apart(speech: Speech) -> None:
    """Two streams at a time have a process each, and each hears its own words."""

    async def one(stt: PocketsphinxSTT, name: str) -> str:
        async with stt.stream(sample_rate=16000) as stream:
            for at in range(0, len(speech(name)[0]), 3001):
                await stream.send_frame(speech(name)[0][at : at + 3001])
            stream.end_input()
            return (await stream.transcript()).text

    async with PocketsphinxSTT() as stt:
        texts = await asyncio.gather(one(stt, "garden"), one(stt, "message"))
        assert texts == [speech("garden")[1], speech("message")[1]]
        assert len(children()) == 2


async def test_flush_gives_the_words_so_far_at_once(speech: Speech) -> None:
    """flush() returns the FINAL of what was pushed; the stream goes on and repeats nothing."""
    pcm, text = speech("garden")
    async with PocketsphinxSTT() as stt, stt.stream(sample_rate=16000) as stream:
        assert await stream.flush() == []
        stream.push_frame(pcm)
        assert words_of(await stream.flush()) == text.split()
        stream.push_frame(bytes(16000))
        assert await stream.flush() == []
        stream.end_input()
        assert (await stream.transcript()).text == text


async def test_closing_leaves_nothing_behind(speech: Speech) -> None:
    """Streams left in the middle and a process at work: aclose() ends them, and no task or process is left."""
    before = asyncio.all_tasks()
    stt = PocketsphinxSTT()
    await stt.prewarm()
    assert len(children()) == 1
    stream = stt.stream(sample_rate=16000)
    stream.push_frame(speech("garden")[0])
    async for event in stream:
        if event.type is SpeechEventType.START_OF_SPEECH:
            break
    await stream.aclose()
    assert len(children()) == 1
    other = stt.stream(sample_rate=16000)
    other.push_frame(speech("garden")[0])
    await stt.aclose()
    assert children() == []
    assert asyncio.all_tasks() == before


async def test_options_are_taken_over(speech: Speech) -> None:
    """No interims and no word times where they are not wanted; options that change in the middle lose no word."""
    first, first_text = speech("garden")
    second, second_text = speech("message")
    config = "pocketsphinx/en-us:en-US?interim_results=false&end_silence=0.4"
    async with create_stt(config) as stt, stt.stream(sample_rate=16000, word_timestamps=False) as stream:
        await stream.send_frame(first)
        await stream.update_options(end_silence=0.6)
        await stream.send_frame(second)
        stream.end_input()
        events = [event async for event in stream]
    assert words_of(events) == (first_text + " " + second_text).split()
    reconnects = [event for event in events if event.type is SpeechEventType.RECONNECTING]
    assert [event.attempt for event in reconnects] in ([], [0])  # a planned one spends no budget
    assert INTERIM not in [event.type for event in events]
    assert all(data.words is None for event in events for data in event.alternatives)
    assert {data.language for event in events for data in event.alternatives} == {"en-US"}


class ListSource:
    """Gives a runner its items."""

    def __init__(self, *items: SourceItem) -> None:
        self.format = AudioFormat(16000)
        self.backlog = 0.0
        self._items = list(items)

    def convert(self, target: AudioFormat) -> None:
        self.format = target

    async def receive(self) -> SourceItem:
        return self._items.pop(0)

    def receive_nowait(self) -> SourceItem | None:
        return self._items.pop(0) if self._items else None

    def add_silence(self, seconds: float) -> None:
        raise AssertionError("it needs no silence")


class ListSink:
    """Keeps what a runner says."""

    def __init__(self) -> None:
        self.log_context: dict[str, object] = {}
        self.ready = False
        self.settled: list[float] = []
        self.heard: list[float] = []
        self.events: list[SpeechEvent] = []
        self.answers: list[tuple[FlushRequest, bool]] = []

    def connected(self, *, request_id: str | None = None) -> None:
        self.ready = True

    def emit(self, event: SpeechEvent, *, settled: float | None = None) -> None:
        self.events.append(event)

    def settle(self, seconds: float) -> None:
        self.settled.append(seconds)

    def processed(self, seconds: float) -> None:
        self.heard.append(seconds)

    def working(self) -> None:
        raise AssertionError("the engine says how far it is")

    def lost(self, start: float, end: float, error: STTError) -> None:
        raise AssertionError("the engine loses nothing")

    def flushed(self, request: FlushRequest, *, exact: bool = True) -> None:
        self.answers.append((request, exact))

    def updated(self, update: OptionsUpdate) -> None:
        raise AssertionError("nothing was updated")


async def test_its_runner_settles_silence_as_it_goes(speech: Speech) -> None:
    """Audio without speech is settled but for the pre-roll; a flush in the onset of a word is not exact."""
    hum = bytes(2 * 32000)
    onset = speech("garden")[0][:7680]  # 0.1 s of voice: too little to be speech yet
    first, second = FlushRequest(32000), FlushRequest(32000 + len(onset) // 2)
    sink = ListSink()
    async with PocketsphinxSTT() as stt:
        await stt.create_runner(stt.settings).run(
            ListSource(AudioChunk(hum, 0, 32000), first, AudioChunk(onset, 32000, 35840), second, EndOfInput(35840)),
            sink,
        )
    assert sink.ready
    assert sink.answers == [(first, True), (second, False)]
    assert sink.settled == sorted(set(sink.settled))
    assert sink.settled[-1] == pytest.approx(2 + len(onset) / 32000)
    assert any(1.6 <= seconds < 2 for seconds in sink.settled)
    assert max(sink.heard) == sink.settled[-1]
    assert sink.events == []


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("pocketsphinx/en-gb", "en-us"),
        ("pocketsphinx/en-us:fr", "not among en"),
        ("pocketsphinx/en-us?end_silense=0.4", "end_silence"),
        ("pocketsphinx/en-us?max_utterance=600", "60"),
        ("pocketsphinx/en-us?punctuation=true", "always false"),
    ],
)
def test_what_it_does_not_take_is_refused(config: str, says: str) -> None:
    """Another model, language or option is a ConfigError that names what is accepted."""
    with pytest.raises(ConfigError, match=says):
        create_stt(config)


def test_its_declaration_is_right() -> None:
    """The registry takes it."""
    PROVIDER.verify()
    assert PROVIDER.load_client() is PocketsphinxSTT
