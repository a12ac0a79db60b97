"""Client half -> server half -> scripted provider: what is said comes back as far as the wire can bring it across."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, TypeAlias

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from stt_cartesia.options import CARRIES
from stt_core.events import SpeechData, SpeechEvent, SpeechEventType, Word
from stt_core.factory import create_stt
from stt_core.server import Host
from stt_core.testing.scripted import FULL, Cue, ScriptedSTT, utterance

if TYPE_CHECKING:
    from stt_cartesia.options import Surface
    from stt_core.provider import Carries

pytestmark = pytest.mark.asyncio(loop_scope="module")

RATE = 8000

START = SpeechEventType.START_OF_SPEECH
INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
PREFLIGHT = SpeechEventType.PREFLIGHT_TRANSCRIPT
CANCELLED = SpeechEventType.PREFLIGHT_CANCELLED
FINAL = SpeechEventType.FINAL_TRANSCRIPT
END = SpeechEventType.END_OF_SPEECH
SPEECH = (START, INTERIM, PREFLIGHT, CANCELLED, FINAL, END)

AFTER = 0.02
"""Seconds after a turn at which it may be flushed: mostly before a provider would say by itself that it is over."""

# -- scripts -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """What becomes one final; its times are seconds."""

    text: str
    prefix: str
    start: float
    end: float

    @property
    def words(self) -> list[tuple[str, float | None, float | None]]:
        texts = self.text.split()
        length = (self.end - self.start) / len(texts)
        return [
            (text, round(self.start + index * length, 6), round(self.start + (index + 1) * length, 6))
            for index, text in enumerate(texts)
        ]


@dataclass(frozen=True)
class Turn:
    """One or more finals; an eager end of it may come before the last, and be taken back."""

    said: Sequence[Said]
    eager: Literal["never", "kept", "resumed"]
    flush: bool

    @property
    def end(self) -> float:
        return self.said[-1].end


@dataclass(frozen=True)
class Script:
    turns: Sequence[Turn]
    delay: float
    interims: bool
    carries: Carries

    def cues(self) -> list[Cue]:
        return [cue for turn in self.turns for cue in self._cues_of(turn)]

    def _cues_of(self, turn: Turn) -> list[Cue]:
        first, at = turn.said[0], turn.end + self.delay
        cues = [Cue(first.start + self.delay, SpeechEvent(START, time=first.start), first.start)]
        for said in turn.said:
            spoken = utterance(
                said.text, start=said.start, end=said.end, delay=self.delay, interims=self.interims, turns=False
            )
            for cue in spoken:
                cue.event.alternatives[0].prefix = said.prefix
            cues += spoken
        final = cues.pop()
        if turn.eager != "never":
            cues.append(Cue(at, SpeechEvent(PREFLIGHT, final.event.alternatives), turn.end))
        if turn.eager == "resumed":
            cues.append(Cue(at, SpeechEvent(CANCELLED), turn.end))
        return [*cues, final, Cue(at, SpeechEvent(END, time=turn.end), turn.end)]


ODD_WORDS = (
    "don't",
    "3.50",
    "naïve",
    "¿qué?",
    "...",
    "—",
    "A.M.",
    "日本語",
    "ありがとう。",
    "مرحبا",
    "नमस्ते",
    "🙂",
    '"',
    "\\n",
)
WORDS = st.sampled_from(ODD_WORDS) | st.text(
    st.characters(categories=("L", "N", "P", "M", "S")), min_size=1, max_size=8
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
        said: list[Said] = []
        for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
            words = draw(st.lists(WORDS, min_size=1, max_size=6))
            start = at + draw(milliseconds)
            at = start + len(words) * draw(st.integers(60, 200))
            said.append(Said(" ".join(words), draw(st.sampled_from((" ", " ", ""))), start / 1000, at / 1000))
        eager = draw(st.sampled_from(("never", "never", "kept", "resumed")))
        turns.append(Turn(said, eager, draw(st.booleans())))
    return Script(turns, draw(milliseconds) / 1000, draw(st.booleans()), draw(st.sampled_from(CARRIED)))


# -- what comes back -----------------------------------------------------------------------------------------------

Words: TypeAlias = "list[tuple[str, float | None, float | None]] | None"
Shown: TypeAlias = tuple[SpeechEventType, str, Words]
"""An event as it is compared: its type, its prefix and text, its words with their times."""


def common(one: Carries, other: Carries) -> Carries:
    """What comes through both of two wires, one behind the other."""
    return replace(
        one,
        turns=one.turns and other.turns,
        preflight=one.preflight and other.preflight,
        words=one.words and other.words,
        times="session" if one.times == other.times == "session" else "none",
    )


def project(script: Script, carries: Carries, *, spaced: bool) -> list[Shown]:
    """The script's events, without the interims, as a wire brings them across that ``carries`` so much.

    Where turns are not carried every final is one. Cartesia's wire has no words without times, so they go with them.

    Args:
        script: what the provider says.
        carries: everything on the way.
        spaced: whether turns are joined with a space; otherwise as they were said.
    """
    shown: list[Shown] = []
    joint = ""  # nothing is before the first
    for turn in script.turns:
        for group in [turn.said] if carries.turns else [[said] for said in turn.said]:
            texts = [group[0].text, *(said.prefix + said.text for said in group[1:])]
            text = (" " if spaced and joint else joint and group[0].prefix) + "".join(texts)
            timed = carries.words and carries.times == "session"
            shown.append((START, "", None))
            if carries.preflight and group[-1] is turn.said[-1] and turn.eager != "never":
                shown.append((PREFLIGHT, "".join(texts), None))
                shown += [(CANCELLED, "", None)] * (turn.eager == "resumed")
            shown.append((FINAL, text, group[0].words if timed else None))
            shown.append((END, "", None))
            joint = " "
    return shown


def show(event: SpeechEvent) -> Shown:
    if not event.alternatives:
        return event.type, "", None
    data = event.alternatives[0]
    text = data.prefix + data.text if event.type is FINAL else data.text
    return event.type, text, _shown_words(data) if event.type is FINAL else None


def _shown_words(data: SpeechData) -> Words:
    return None if data.words is None else [(word.text, word.start_time, word.end_time) for word in data.words]


def assert_nothing_invented(events: Sequence[SpeechEvent], surface: Surface) -> None:
    """Nothing that the wire does not carry (S11), and no START or END of ours that claims to be the provider's."""
    for event in events:
        for data in event.alternatives:
            parts: list[SpeechData | Word] = [data, *(data.words or ())]
            assert all(part.confidence is None and part.speaker_id is None for part in parts)
            assert data.language == ("en" if surface == "manual" else None)
        if event.type in (START, END):
            assert event.derived == (surface == "manual")


def assert_interims_lead_up(events: Sequence[SpeechEvent]) -> None:
    """An interim is the beginning of its segment's final, and none is shorter than the one that it replaces."""
    finals = {event.segment_id: event.text for event in events if event.type is FINAL}
    interims = [event for event in events if event.type is INTERIM]
    assert all(finals[event.segment_id].startswith(event.text) for event in interims)
    for before, after in pairwise(interims):
        assert before.segment_id != after.segment_id or after.text.startswith(before.text)


# -- there and back ------------------------------------------------------------------------------------------------


class Server:
    """A server whose provider says what it is told to."""

    def __init__(self, provider: ScriptedSTT, url: str) -> None:
        self._provider = provider
        self._url = url

    async def hear(self, script: Script, model: str, *, flushes: bool) -> tuple[list[SpeechEvent], str]:
        """The client's events about speech, and the text of the whole; with ``flushes`` after each turn that asks."""
        self._provider.cues, self._provider.carries = script.cues(), script.carries
        async with (
            create_stt(f"cartesia/{model}", base_url=self._url, api_key="k", max_pace=1e6, max_retries=0) as stt,
            stt.stream(sample_rate=RATE) as stream,
        ):
            sent = 0.0
            unflushed: list[str] = []
            for turn in script.turns:
                await stream.send_frame(silence(turn.end + AFTER - sent))
                sent = turn.end + AFTER
                unflushed += [said.text for said in turn.said]
                if flushes and turn.flush:
                    assert [event.text for event in await stream.flush()] == unflushed
                    unflushed.clear()
            await stream.send_frame(silence(0.1))
            stream.end_input()
            events = [event async for event in stream if event.type in SPEECH]
            return events, (await stream.transcript()).text


def silence(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncGenerator[Server]:
    provider = ScriptedSTT()
    async with provider, Host(provider) as host:
        yield Server(provider, host.urls["cartesia"])


async def check(server: Server, script: Script, surface: Surface, model: str, *, spaced: bool) -> None:
    carries = common(script.carries, CARRIES[surface])
    events, text = await server.hear(script, model, flushes=surface == "manual")
    wanted = project(script, carries, spaced=spaced)
    assert [show(event) for event in events if event.type is not INTERIM] == wanted
    assert text == "".join(text for kind, text, _ in wanted if kind is FINAL)
    assert_interims_lead_up(events)
    assert_nothing_invented(events, surface)


@settings(max_examples=40, deadline=None)
@given(scripts())
async def test_manual_brings_across_finals_words_and_their_times(server: Server, script: Script) -> None:
    """A: text verbatim, words with times, flushes with exactly their finals; turns are ours."""
    await check(server, script, "manual", "ink-whisper", spaced=False)


@settings(max_examples=40, deadline=None)
@given(scripts())
async def test_turns_bring_across_what_was_said_in_which_turn(server: Server, script: Script) -> None:
    """B with ink-2: turns, eager ends and texts; English turns are a space apart."""
    await check(server, script, "turns", "ink-2", spaced=True)


@settings(max_examples=25, deadline=None)
@given(scripts())
async def test_turns_of_any_language_join_as_they_came(server: Server, script: Script) -> None:
    """B with ink-preview: the space between turns is the server's."""
    await check(server, script, "turns", "ink-preview", spaced=False)
