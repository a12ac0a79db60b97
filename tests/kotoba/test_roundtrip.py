"""Client half -> server half -> scripted provider: what is said comes back as far as each wire can bring it across."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias
from unittest.mock import patch

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from stt_core.audio.frames import AudioFormat
from stt_core.audio.wav import wav_header
from stt_core.events import SpeechEvent, SpeechEventType, Word
from stt_core.factory import create_stt
from stt_core.server import Host
from stt_core.testing.scripted import FULL, Cue, ScriptedSTT, utterance
from stt_kotoba.server import KotobaServer

if TYPE_CHECKING:
    from stt_core.provider import Carries
    from stt_core.transcript import Transcript

pytestmark = pytest.mark.asyncio(loop_scope="module")

RATE = 16000

START = SpeechEventType.START_OF_SPEECH
INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
FINAL = SpeechEventType.FINAL_TRANSCRIPT
END = SpeechEventType.END_OF_SPEECH
SPEECH = (START, INTERIM, FINAL, END)

# -- scripts -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """What becomes one final; its times are seconds."""

    text: str
    prefix: str
    start: float
    end: float


Turn: TypeAlias = Sequence[Said]


@dataclass(frozen=True)
class Script:
    turns: Sequence[Turn]
    delay: float
    interims: bool
    carries: Carries

    def cues(self) -> list[Cue]:
        cues: list[Cue] = []
        for turn in self.turns:
            start, end = turn[0].start, turn[-1].end
            cues.append(Cue(start + self.delay, SpeechEvent(START, time=start), start))
            for said in turn:
                spoken = utterance(
                    said.text, start=said.start, end=said.end, delay=self.delay, interims=self.interims, turns=False
                )
                for cue in spoken:
                    cue.event.alternatives[0].prefix = said.prefix
                cues += spoken
            cues.append(Cue(end + self.delay, SpeechEvent(END, time=end), end))
        return cues

    @property
    def duration(self) -> float:
        return (self.turns[-1][-1].end if self.turns else 0.0) + 0.1

    @property
    def timed(self) -> bool:
        return self.carries.times == "session"


JAPANESE = ("日本語", "ありがとう。", "「はい」")
ODD_WORDS = ("don't", "3.50", "naïve", "¿qué?", "...", "—", "A.M.", "مرحبا", "नमस्ते", "🙂", '"', "\\n", *JAPANESE)
WORDS = st.sampled_from(ODD_WORDS) | st.text(
    # Below the scripts that have no spaces, which are those above and nobody else's.
    st.characters(categories=("L", "N", "P", "S"), max_codepoint=0x2FF),
    min_size=1,
    max_size=8,
)
CARRIED = (
    FULL,
    replace(FULL, turns=False),
    replace(FULL, words=False, times="none", language=False),
    replace(FULL, turns=False, interims=False, confidence=False, language=False),
)


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    # Whole milliseconds, as recognisers give them.
    milliseconds = st.integers(0, 400)
    turns: list[Turn] = []
    at = 0
    for _ in range(draw(st.integers(0, 4))):
        turn: list[Said] = []
        for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
            words = draw(st.lists(WORDS, min_size=1, max_size=6))
            start = at + draw(milliseconds)
            at = start + len(words) * draw(st.integers(60, 200))
            turn.append(Said(" ".join(words), draw(st.sampled_from((" ", " ", ""))), start / 1000, at / 1000))
        turns.append(turn)
    return Script(turns, draw(milliseconds) / 1000, draw(st.booleans()), draw(st.sampled_from(CARRIED)))


# -- what comes back -----------------------------------------------------------------------------------------------

Span: TypeAlias = tuple[float | None, float | None]
Shown: TypeAlias = tuple[SpeechEventType, str, Span]
"""An event as it is compared: its type, its prefix and text, its span."""

NEVER: Span = (None, None)


def project(script: Script, *, turns: bool, timestamps: bool) -> list[Shown]:
    """The script's events, without the interims, as the socket brings them across.

    Args:
        script: what the provider says.
        turns: whether turns are detected; without, everything is one.
        timestamps: whether times were asked for.
    """
    finals = [said for turn in script.turns for said in turn]
    groups: Sequence[Turn] = [finals] if finals and not turns else script.turns
    if turns and not script.carries.turns:
        groups = [[said] for said in finals]
    shown: list[Shown] = []
    before = ""
    for group in groups:
        text = "".join([group[0].text, *(said.prefix + said.text for said in group[1:])])
        prefix = joint(before, group[0].prefix, text)
        span = (group[0].start, group[-1].end) if timestamps and script.timed else NEVER
        shown += [(START, "", NEVER), (FINAL, prefix + text, span), (END, "", NEVER)]
        before = text
    return shown


def joint(before: str, prefix: str, text: str) -> str:
    """What is between two turns: a space where one is said, and where both scripts have spaces."""
    unspaced = before.endswith(JAPANESE) or text.startswith(JAPANESE)
    return "" if not before or (unspaced and not prefix) else " "


def show(event: SpeechEvent) -> Shown:
    if event.type is not FINAL:
        return event.type, "", NEVER
    data = event.alternatives[0]
    return event.type, data.prefix + data.text, (data.start_time, data.end_time)


def assert_nothing_invented(events: Sequence[SpeechEvent]) -> None:
    """Nothing that this wire does not carry (S11); its turns have no beginning, so they are ours."""
    for event in events:
        for data in event.alternatives:
            assert data.words is data.confidence is data.speaker_id is None
        assert event.derived == (event.type in (START, END))


def assert_interims_lead_up(events: Sequence[SpeechEvent]) -> None:
    """An interim is the beginning of its segment's final, and a longer one than that which it replaces."""
    finals = {event.segment_id: event.text for event in events if event.type is FINAL}
    texts: dict[int | None, str] = {}
    for event in events:
        if event.type is INTERIM:
            assert finals[event.segment_id].startswith(event.text)
            assert event.text.startswith(texts.get(event.segment_id, ""))
            texts[event.segment_id] = event.text


def whole(script: Script) -> str:
    said = [said for turn in script.turns for said in turn]
    return "".join([said[0].text, *(each.prefix + each.text for each in said[1:])]) if said else ""


def words(script: Script) -> list[Word] | None:
    """What a document tells of them; none at all are the same as no words."""
    if not script.carries.words:
        return None
    return [
        Word(
            word.text,
            word.start_time if script.timed else None,
            word.end_time if script.timed else None,
            pytest.approx(0.9) if script.carries.confidence else None,  # pyright: ignore[reportArgumentType]
        )
        for turn in script.turns
        for said in turn
        for word in utterance(said.text, start=said.start, end=said.end)[-2].event.alternatives[0].words or ()
    ] or None


# -- there and back ------------------------------------------------------------------------------------------------


class Server:
    """A server whose provider says what it is told to."""

    def __init__(self, provider: ScriptedSTT, url: str) -> None:
        self._provider = provider
        self._url = url

    async def hear(self, script: Script, **options: object) -> tuple[list[SpeechEvent], str]:
        """The client's events about speech, and the text of the whole."""
        self._provider.cues, self._provider.carries = script.cues(), script.carries
        config = "kotoba/realtime:en"
        async with (
            create_stt(config, base_url=self._url, api_key="k", max_pace=1e6, max_retries=0, **options) as stt,
            stt.stream(sample_rate=RATE) as stream,
        ):
            await stream.send_frame(silence(script))
            stream.end_input()
            events = [event async for event in stream if event.type in SPEECH]
            return events, (await stream.transcript()).text

    async def recognize(self, script: Script, config: str, *, timestamps: bool) -> Transcript:
        self._provider.cues, self._provider.carries = script.cues(), script.carries
        audio = silence(script)
        file = wav_header(AudioFormat(RATE), len(audio)) + audio
        async with create_stt(config, base_url=self._url, api_key="k", with_timestamps=timestamps) as stt:
            if not stt.capabilities.jobs:
                return await stt.recognize(("call.wav", file))
            return await stt.recognize(("call.wav", file), poll_interval=0.005, backoff=1.0)


def silence(script: Script) -> bytes:
    return bytes(2 * round(script.duration * RATE))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncGenerator[Server]:
    provider = ScriptedSTT()
    async with provider, Host(provider) as host:
        yield Server(provider, host.urls["kotoba"])


async def check(server: Server, script: Script, *, turns: bool, timestamps: bool) -> None:
    events, text = await server.hear(script, turn_detection=turns, timestamps=timestamps)
    wanted = project(script, turns=turns, timestamps=timestamps)
    assert [show(event) for event in events if event.type is not INTERIM] == wanted
    assert text == "".join(text for kind, text, _ in wanted if kind is FINAL)
    assert_interims_lead_up(events)
    assert_nothing_invented(events)


@settings(max_examples=40, deadline=None)
@given(scripts(), st.booleans())
async def test_the_socket_brings_across_turns_and_their_times(server: Server, script: Script, timestamps: bool) -> None:
    """What was said in which turn, and when, if that is known and was asked for."""
    await check(server, script, turns=True, timestamps=timestamps)


@settings(max_examples=30, deadline=None)
@given(scripts(), st.booleans(), st.booleans())
async def test_without_turns_everything_is_said_exactly_once(
    server: Server, script: Script, timestamps: bool, completed: bool
) -> None:
    """Whether or not a server repeats it all as completed behind the commit."""
    with patch.object(KotobaServer, "completed_after_commit", completed):
        await check(server, script, turns=False, timestamps=timestamps)


@settings(max_examples=25, deadline=None)
@given(scripts(), st.booleans())
async def test_one_shot_brings_across_words_and_the_language(server: Server, script: Script, timestamps: bool) -> None:
    """The text verbatim; words with times and confidence, if they were asked for; the language that was heard."""
    transcript = await server.recognize(script, "kotoba/one-shot", timestamps=timestamps)
    assert transcript.text == whole(script)
    assert transcript.words == (words(script) if timestamps else None)
    assert transcript.duration == pytest.approx(script.duration)
    assert transcript.language == ("en" if script.carries.language and script.turns else None)
    assert (transcript.segments, transcript.speakers, transcript.confidence) == (None, None, None)


@settings(max_examples=25, deadline=None)
@given(scripts(), st.booleans())
async def test_jobs_bring_across_segments_and_their_times(server: Server, script: Script, timestamps: bool) -> None:
    """The text verbatim, and each final as a segment, attached as it was, if times were asked for and are known."""
    transcript = await server.recognize(script, "kotoba/jobs:en", timestamps=timestamps)
    assert transcript.text == whole(script)
    said = [said for turn in script.turns for said in turn]
    segments = [(each.prefix if index else "", each.text, each.start, each.end) for index, each in enumerate(said)]
    shown = [
        (segment.prefix, segment.text, segment.start_time, segment.end_time) for segment in transcript.segments or ()
    ]
    assert shown == (segments if timestamps and script.timed else [])
    assert (transcript.words, transcript.language, transcript.confidence) == (None, None, None)
    assert transcript.job_id
