"""A provider that hears what a script says.

It behaves like a recogniser of audio, without listening to it: a script says which words lie where in the audio that is
pushed, and the provider gives the events of those words when it has been sent that audio. So a program that uses the
library can be tested without a network, a key or an engine, and the library itself with every fault at every moment::

    stt = ScriptedSTT([*utterance("turn the light on", start=0.5, end=1.6)])
    async with stt, stt.stream(sample_rate=16000) as stream:
        ...

Each connection hears only what it is sent: after a fault it starts where the stream resumes, counts its own time from
there, and finds only the words, or the ends of words, that lie behind.
"""

from __future__ import annotations

import asyncio
import json
import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict, Unpack

from typing_extensions import Doc

from ..config import ModelConfig
from ..errors import ConfigError, ConnectionLostError, STTError
from ..events import SpeechData, SpeechEvent, SpeechEventType, Word
from ..provider import Always, Capabilities, Carries, ModelFamily, Provider
from ..runner import AudioChunk, FlushRequest, OptionsUpdate
from ..stt import STT

if TYPE_CHECKING:
    from ..options import CommonOptions
    from ..registry import Resolved
    from ..runner import AudioSource, EventSink, Runner

__all__ = ["PROVIDER", "Cue", "Fault", "ScriptedOptions", "ScriptedRunner", "ScriptedSTT", "utterance"]

_START = SpeechEventType.START_OF_SPEECH
_INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
_FINAL = SpeechEventType.FINAL_TRANSCRIPT
_END = SpeechEventType.END_OF_SPEECH
_ROUNDING_SECONDS = 0.005
_TEXTS = (_INTERIM, SpeechEventType.PREFLIGHT_TRANSCRIPT, _FINAL)

FULL = Carries(
    turns=True,
    interims=True,
    preflight=True,
    words=True,
    confidence=True,
    speakers=True,
    language=True,
    times="session",
)


@dataclass(frozen=True, slots=True)
class Cue:
    """An event, and when it is said.

    Attributes:
        at: seconds of audio that have to be heard before.
        event: with the caller's times.
        spoken: seconds of audio at which the speech behind it is over: a flush behind that brings the event at once.
    """

    at: float
    event: SpeechEvent
    spoken: float


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong once.

    Attributes:
        at: seconds of audio after which it happens; with ``refuse`` it is the number of the connection, from 0.
        kind: ``drop`` breaks the connection, ``refuse`` does not let one come about, ``stall`` says nothing any more,
            ``crash`` raises an exception that is no STTError, ``end`` ends the session although the input goes on.
        error: what ``drop`` and ``refuse`` raise.
    """

    at: float
    kind: Literal["drop", "refuse", "stall", "crash", "end"] = "drop"
    error: STTError = field(default_factory=lambda: ConnectionLostError("the script says so"))


def utterance(
    text: str, *, start: float, end: float, delay: float = 0.3, interims: bool = True, turns: bool = True
) -> list[Cue]:
    """The events of some words spoken one after the other, each taking the same time.

    Args:
        text: the words.
        start: seconds of audio.
        end: seconds of audio.
        delay: seconds of audio that the provider needs to hear after a word before it says so.
        interims: one after each word.
        turns: START and END as well.
    """
    texts = text.split()
    start, end = round(start, 6), round(end, 6)  # as the words' times are: END must not sort before its FINAL
    length = (end - start) / len(texts)
    words = [
        Word(word, round(start + index * length, 6), round(start + (index + 1) * length, 6), 0.9)
        for index, word in enumerate(texts)
    ]
    cues: list[Cue] = []
    if turns:
        cues.append(Cue(start + delay, SpeechEvent(_START, time=start), start))
    for count, word in enumerate(words, 1):
        spoken = word.end_time or 0.0
        last = count == len(words)
        if interims or last:
            data = SpeechData(" ".join(texts[:count]), " ", "en", start, spoken, 0.9, words=words[:count])
            cues.append(Cue(spoken + delay, SpeechEvent(_FINAL if last else _INTERIM, [data]), spoken))
    if turns:
        cues.append(Cue(end + delay, SpeechEvent(_END, time=end), end))
    return cues


class ScriptedOptions(TypedDict, total=False):
    """What the scripted provider takes from a config string."""

    script: Annotated[
        str,
        Doc('Path of a JSON file with what there is to hear: [{"text": "...", "start": 0.5, "end": 1.5}, ...].'),
    ]


PROVIDER = Provider(
    name="scripted",
    families=(
        ModelFamily(
            name="scripted",
            options=ScriptedOptions,
            models=("scripted",),
            default_model="scripted",
            portable={"word_timestamps": Always(True), "interim_results": Always(True), "punctuation": Always(False)},
            capabilities=Capabilities(
                streaming=True, interim_results=True, turns=True, words=True, flush="native", update="in_band"
            ),
            carries=FULL,
            doc="Hears what a script says; for tests.",
        ),
    ),
    client="stt_core.testing.scripted:ScriptedSTT",
    kind="local",
    doc="A provider for tests: it hears what a script says.",
)


class ScriptedRunner:
    """Plays cues into a stream. One for all of its connections; see :class:`ScriptedSTT` for the arguments."""

    def __init__(
        self, cues: Iterable[Cue], *, faults: Iterable[Fault] = (), carries: Carries = FULL, exact: bool = False
    ) -> None:
        self.carries = carries
        self.cues = sorted(cues, key=lambda cue: cue.at)
        self.faults = list(faults)
        self.exact = exact
        self.connections = 0
        self.heard: list[tuple[int, int]] = []
        """What each connection was sent, as positions."""
        self.voiced = math.inf
        """The second up to which there was a voice in it; one that listens knows."""
        self.finalizes = False
        """Whether a flush, and the end, make a FINAL of half an utterance."""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        """See :class:`stt_core.runner.Runner`."""
        number, self.connections = self.connections, self.connections + 1
        self._trip(number, "refuse")
        sink.connected(request_id=f"scripted-{number}")
        session = _Session(self, source, sink)
        while True:
            item = await source.receive()
            if isinstance(item, AudioChunk):
                if (located := self.locate(item)) is not None:
                    session.hear(located)
                if self._trip(session.heard, "stall"):
                    await asyncio.get_running_loop().create_future()
                if self._trip(session.heard, "end"):
                    return
                self._trip(session.heard, "drop")
                self._trip(session.heard, "crash")
            elif isinstance(item, FlushRequest):
                session.play(finalize=True)
                sink.flushed(item)
            elif isinstance(item, OptionsUpdate):
                sink.updated(item)
            else:  # the end of input
                session.play(finalize=True)
                return

    def locate(self, chunk: AudioChunk) -> AudioChunk | None:
        """The chunk at its place in the caller's audio; ``None`` as long as that is unknown."""
        return chunk

    def _trip(self, reached: float, kind: str) -> bool:
        for fault in self.faults:
            if fault.kind == kind and fault.at <= reached and (kind != "refuse" or fault.at == reached):
                self.faults.remove(fault)
                if kind in ("drop", "refuse"):
                    raise fault.error
                if kind == "crash":
                    raise KeyError("a field that the codec relied on")
                return True
        return False


class _Session:
    """One connection: what it has heard, in the caller's time and in its own."""

    def __init__(self, runner: ScriptedRunner, source: AudioSource, sink: EventSink) -> None:
        self.heard = 0.0
        self._runner = runner
        self._sink = sink
        self._cues = list(runner.cues)
        self._rate = source.format.sample_rate
        self._stretches: list[tuple[float, float]] = []  # (caller's seconds, own seconds) where a stretch begins
        self._own = 0.0
        self._open: Cue | None = None  # the interim that no FINAL has replaced
        self._told = -math.inf  # the second up to which a FINAL has told everything

    def hear(self, chunk: AudioChunk) -> None:
        """Takes audio, and says what it hears in it."""
        start, end = chunk.start / self._rate, chunk.end / self._rate
        if not self._stretches or abs(start - self.heard) > 1e-9:
            self._stretches.append((start, self._own))
            self._runner.heard.append((chunk.start, chunk.end))
        else:
            self._runner.heard[-1] = (self._runner.heard[-1][0], chunk.end)
        self._own += end - start
        self.heard = end
        self._sink.processed(self._own)
        self.play()

    def play(self, *, finalize: bool = False) -> None:
        """Says what is due."""
        rest: list[Cue] = []
        for cue in self._cues:
            if (cue.spoken if finalize else cue.at) > self.heard + 1e-9 or not self._voiced(cue):
                rest.append(cue)
            else:
                self._say(cue)
        self._cues = rest
        if finalize and self._runner.finalizes and self._open is not None:
            final = replace(self._open, event=replace(self._open.event, type=_FINAL))
            self._say(final)
            self._told = final.spoken

    def _say(self, cue: Cue) -> None:
        kind = cue.event.type
        if kind is _INTERIM or kind is _FINAL:
            self._open = cue if kind is _INTERIM else None
        event = self._as_heard(cue)
        if event is not None:
            exact = self._runner.exact and kind is _FINAL
            self._sink.emit(event, settled=self._to_own(cue.spoken) if exact else None)

    def _voiced(self, cue: Cue) -> bool:
        # A start is where the voice begins, all else where it has ended.
        margin = _ROUNDING_SECONDS if cue.event.type is _START else -_ROUNDING_SECONDS
        return cue.spoken + margin <= self._runner.voiced

    def _as_heard(self, cue: Cue) -> SpeechEvent | None:
        """The event as this connection would give it: the words that it heard, its own times, what its wire carries."""
        if not self._stretches or cue.spoken <= self._stretches[0][0]:
            return None
        carries = self._runner.carries
        event = replace(cue.event, alternatives=[deepcopy(data) for data in cue.event.alternatives])
        if event.type in (_START, _END) and not carries.turns:
            return None
        if event.type is _INTERIM and not carries.interims:
            return None
        event.time = None if event.time is None or carries.times != "session" else self._to_own(event.time)
        for data in event.alternatives:
            self._fit(data, carries)
        return None if event.type in _TEXTS and cue.event.text and not event.text else event

    def _fit(self, data: SpeechData, carries: Carries) -> None:
        if data.words:
            heard = [word for word in data.words if self._was_sent(word)]
            if len(heard) < len(data.words):
                data.words = heard
                data.text = " ".join(word.text for word in heard)
                data.start_time = heard[0].start_time if heard else None
        timed = carries.times == "session"
        data.start_time = self._to_own(data.start_time) if timed and data.start_time is not None else None
        data.end_time = self._to_own(data.end_time) if timed and data.end_time is not None else None
        data.confidence = data.confidence if carries.confidence else None
        data.language = data.language if carries.language else None
        data.speaker_id = data.speaker_id if carries.speakers else None
        for word in data.words or ():
            word.start_time = self._to_own(word.start_time) if timed and word.start_time is not None else None
            word.end_time = self._to_own(word.end_time) if timed and word.end_time is not None else None
            word.confidence = word.confidence if carries.confidence else None
            word.speaker_id = word.speaker_id if carries.speakers else None
        if not carries.words:
            data.words = None

    def _was_sent(self, word: Word) -> bool:
        """A recogniser makes a word out of its second half, too, but not out of less. And it tells a word once."""
        if word.start_time is None or word.end_time is None:
            return True
        if word.end_time <= self._told:
            return False
        middle = (word.start_time + word.end_time) / 2
        index = bisect_right([start for start, _ in self._stretches], middle) - 1
        if index < 0:
            return False
        # Between two stretches lies what was dropped before it could be sent.
        (start, own), after = self._stretches[index], self._stretches[index + 1 : index + 2]
        return middle - start < (after[0][1] if after else self._own) - own

    def _to_own(self, seconds: float) -> float:
        index = max(bisect_right([start for start, _ in self._stretches], seconds) - 1, 0)
        start, own = self._stretches[index]
        return max(own + seconds - start, 0.0)


class ScriptedSTT(STT):
    """The scripted provider.

    Args:
        script: cues: see :func:`utterance`, or your own. From a config string, a member that names a ``script`` file.
        faults: what goes wrong, in each stream.
        carries: what the wire brings across: the rest is taken off the events.
        exact: FINALs say up to where the audio has been recognised.
        **options: the framework's.
    """

    provider_name = "scripted"

    def __init__(
        self,
        script: Sequence[Cue] | ModelConfig | None = None,
        *,
        faults: Sequence[Fault] = (),
        carries: Carries = FULL,
        exact: bool = False,
        **options: Unpack[CommonOptions],
    ) -> None:
        member = script if isinstance(script, ModelConfig) else None
        super().__init__(member, **options)
        self.cues = [] if script is None or isinstance(script, ModelConfig) else list(script)
        self.faults = list(faults)
        self.carries = carries
        self.exact = exact
        self.runners: list[ScriptedRunner] = []
        """One per stream, in the order of their opening."""

    def create_runner(self, settings: Resolved) -> Runner:
        """See :class:`stt_core.stt.STT`."""
        path = settings.options.get("script")
        cues = self.cues if path is None else _read(Path(str(path)))
        runner = ScriptedRunner(cues, faults=self.faults, carries=self.carries, exact=self.exact)
        self.runners.append(runner)
        return runner


class _Line(TypedDict):
    text: str
    start: float
    end: float


def _read(path: Path) -> list[Cue]:
    try:
        lines: list[_Line] = json.loads(path.read_text("utf-8"))
        return [cue for line in lines for cue in utterance(line["text"], start=line["start"], end=line["end"])]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f'script: {path} cannot be read as [{{"text": "...", "start": 0.5, "end": 1.5}}, ...]: {error}'
        ) from error
