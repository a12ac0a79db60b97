"""Client half -> server half -> scripted provider: what is said comes back as far as the wire can bring it across."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, TypeAlias

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from stt_core.events import SpeechData, SpeechEvent, SpeechEventType, Word
from stt_core.factory import create_stt
from stt_core.server import Host
from stt_core.testing.scripted import FULL, Cue, ScriptedSTT, utterance
from stt_livekit import PROVIDER

if TYPE_CHECKING:
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

Eager: TypeAlias = Literal["never", "kept", "resumed"]


@dataclass(frozen=True)
class Said:
    """What becomes one final; its times are seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Turn:
    """One or more finals; an eager end of it may come before the last, and be taken back."""

    said: Sequence[Said]
    eager: Eager
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
            cues += utterance(
                said.text, start=said.start, end=said.end, delay=self.delay, interims=self.interims, turns=False
            )
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
        at += round(1000 * AFTER) + 10  # a turn that has begun when the one before is flushed would be ended with it
        for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
            words = draw(st.lists(WORDS, min_size=1, max_size=6))
            start = at + draw(milliseconds)
            at = start + len(words) * draw(st.integers(60, 200))
            said.append(Said(" ".join(words), start / 1000, at / 1000))
        eager: Eager = draw(st.sampled_from(("never", "never", "kept", "resumed")))
        turns.append(Turn(said, eager, draw(st.booleans())))
    return Script(turns, draw(milliseconds) / 1000, draw(st.booleans()), draw(st.sampled_from(CARRIED)))


# -- what comes back -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """An event as it is compared."""

    type: SpeechEventType
    text: str = ""
    words: Sequence[tuple[str, float | None, float | None, float | None]] | None = None
    span: tuple[float | None, float | None] = (None, None)
    language: str | None = None
    confidence: float | None = None


def common(one: Carries, other: Carries) -> Carries:
    """What comes through both of two wires, one behind the other. A word without times is not said on the first."""
    return replace(
        one,
        preflight=one.preflight and other.preflight,
        words=one.words and one.times == "session" and other.words,
        times="session" if one.times == other.times == "session" else "none",
    )


UNSPACED = re.compile("[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def project(script: Script, carries: Carries) -> list[Shown]:
    """The script's events, without the interims, as a wire brings them across that ``carries`` so much.

    Every final is a segment of its own: the wire does not say where a turn ends. What attaches it to the one before is
    not said either, and follows from its script.
    """
    shown: list[Shown] = []
    for turn in script.turns:
        for said in turn.said:
            joint = " " if shown and not UNSPACED.match(said.text) else ""
            shown.append(Shown(START))
            if said is turn.said[-1] and turn.eager != "never":
                shown.append(Shown(PREFLIGHT, said.text))
                shown += [Shown(CANCELLED)] * (turn.eager == "resumed")
            shown.append(final_of(said, joint, carries))
            shown.append(Shown(END))
    return shown


def final_of(said: Said, joint: str, carries: Carries) -> Shown:
    (final,) = utterance(said.text, start=said.start, end=said.end, interims=False, turns=False)
    (data,) = final.event.alternatives
    parts: list[SpeechData | Word] = [data, *(data.words or ())]
    for part in parts:
        if carries.times != "session":
            part.start_time = part.end_time = None
        if not carries.confidence:
            part.confidence = None
    data.prefix = joint
    data.language = data.language if carries.language else None
    data.words = data.words if carries.words else None
    return show(final.event)


def show(event: SpeechEvent) -> Shown:
    if event.type is not FINAL:
        return Shown(event.type, event.text)
    (data,) = event.alternatives
    return Shown(
        FINAL,
        data.prefix + data.text,
        None if data.words is None else [(w.text, w.start_time, w.end_time, w.confidence) for w in data.words],
        (rounded(data.start_time), rounded(data.end_time)),
        data.language,
        data.confidence,
    )


def rounded(seconds: float | None) -> float | None:
    """An end is said as a duration."""
    return None if seconds is None else round(seconds, 6)


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

    async def hear(self, script: Script, model: str) -> tuple[list[SpeechEvent], str]:
        """The client's events about speech, and the text of the whole; flushed after each turn that asks."""
        self._provider.cues, self._provider.carries = script.cues(), script.carries
        async with (
            create_stt(
                f"livekit/{model}",
                base_url=self._url,
                api_key="k",
                api_secret="s",  # noqa: S106
                max_pace=1e6,
                max_retries=0,
            ) as stt,
            stt.stream(sample_rate=RATE) as stream,
        ):
            sent = 0.0
            unflushed: list[str] = []
            for turn in script.turns:
                await stream.send_frame(silence(turn.end + AFTER - sent))
                sent = turn.end + AFTER
                unflushed += [said.text for said in turn.said]
                if turn.flush:
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
        yield Server(provider, host.urls["livekit"])


@pytest.mark.parametrize(
    "model",
    ["deepgram/nova-3", "deepgram/flux-general", "cartesia/ink-2", "speechmatics/linden-1", "xai/stt-1", "a/new-one"],
)
@settings(max_examples=20, deadline=None)
@given(script=scripts())
async def test_what_was_said_comes_back(server: Server, model: str, script: Script) -> None:
    """Texts, words, times, confidence, language and eager ends, as far as both wires carry them; nothing invented."""
    carries = common(script.carries, PROVIDER.family_for(model).carries)
    events, text = await server.hear(script, model)
    wanted = project(script, carries)
    assert [show(event) for event in events if event.type is not INTERIM] == wanted
    assert text == "".join(shown.text for shown in wanted if shown.type is FINAL)
    assert_interims_lead_up(events)
