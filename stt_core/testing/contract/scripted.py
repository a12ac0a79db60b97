"""The scripted provider as a subject that can be disturbed in every way the kit knows.

It shows that the kit passes what is right; and, with one thing in it made wrong, that the kit finds it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from ...audio.frames import AudioFormat
from ...errors import APIError, ConnectionLostError
from ...events import SpeechData, SpeechEvent, SpeechEventType
from ...runner import AudioChunk, EndOfInput, OptionsUpdate, ReconnectRequested
from ..scripted import FULL, Cue, Fault, ScriptedRunner, ScriptedSTT, utterance
from .drive import silence
from .subject import Received, Refusal, Sample, Subject, Update

if TYPE_CHECKING:
    from ...provider import Capabilities, Carries
    from ...registry import Resolved
    from ...runner import AudioSource, EventSink, Runner, SourceItem
    from ...stt import STT

__all__ = [
    "TONES",
    "DisturbableRunner",
    "DisturbableSTT",
    "InjectingRunner",
    "ReconnectingRunner",
    "scripted_subject",
    "subjects",
]

_RATE = 8000
_WORDS = "one two three four five six seven eight"
_SECONDS = 2.0

TONES = Sample(
    # Loud, which is all that the ledger's energy gate asks for.
    np.tile(np.array([9000, -9000], "<i2"), round(_SECONDS * _RATE) // 2).tobytes(),
    AudioFormat(_RATE),
    _WORDS.split(),
    [(index * 0.25, (index + 1) * 0.25) for index in range(8)],
)


class DisturbableSTT(ScriptedSTT):
    """A scripted provider that writes down what it is sent, and can be told to misbehave while it runs.

    Args:
        script: as for ScriptedSTT.
        carries: as for ScriptedSTT.
        exact: as for ScriptedSTT.
        upstream: the format that it asks for; ``None`` takes what is pushed.
        runner: what plays the script.
    """

    def __init__(
        self,
        script: Sequence[Cue],
        *,
        carries: Carries = FULL,
        exact: bool = False,
        upstream: AudioFormat | None = None,
        runner: type[DisturbableRunner],
    ) -> None:
        super().__init__(script, carries=carries, exact=exact)
        self.upstream = upstream
        self.received: list[tuple[AudioFormat, bytearray]] = []
        self.released = asyncio.Event()
        self.released.set()
        self.muted = self.babbling = False
        self.refusal: Refusal | None = None
        self.attempts = 0
        self.updated: Resolved | None = None
        """The settings that a running stream was told last."""
        self._runner_type = runner

    @property
    def capabilities(self) -> Capabilities:
        """See :class:`stt_core.stt.STT`."""
        return replace(super().capabilities, update=self._runner_type.update)

    def create_runner(self, settings: Resolved) -> Runner:
        """See :class:`stt_core.stt.STT`."""
        runner = self._runner_type(self, liveness_timeout=settings.stream["liveness_timeout"])
        self.runners.append(runner)
        return runner


class DisturbableRunner(ScriptedRunner):
    """Plays the script, as far as it is let."""

    update: Literal["in_band", "reconnect", "none"] = "in_band"

    def __init__(self, stt: DisturbableSTT, *, liveness_timeout: float) -> None:
        super().__init__(stt.cues, carries=stt.carries, exact=stt.exact)
        self.stt = stt
        self.liveness_timeout = liveness_timeout

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        """See :class:`stt_core.runner.Runner`."""
        await self._let_in()
        await super().run(_Tap(self, source, sink), sink)

    async def _let_in(self) -> None:
        refusal = self.stt.refusal
        if refusal is None:
            return
        self.stt.attempts += 1
        if self.stt.attempts == refusal.times:
            self.stt.refusal = None
        if refusal.status is None:
            await asyncio.get_running_loop().create_future()
            return
        raise APIError.for_status(refusal.status)(
            refusal.message,
            status=refusal.status,
            code=refusal.code,
            request_id=refusal.request_id,
            retry_after=refusal.retry_after,
        )

    async def heartbeat(self) -> None:
        """Waits while the other end is held.

        Raises:
            ConnectionLostError: it gave no sign of life for too long.
        """
        try:
            async with asyncio.timeout(self.liveness_timeout):
                await self.stt.released.wait()
        except TimeoutError:
            raise ConnectionLostError("no sign of life") from None

    def take(self, update: OptionsUpdate, sink: EventSink) -> None:
        """Takes other options over."""
        self.stt.updated = update.settings


class ReconnectingRunner(DisturbableRunner):
    """Needs a new connection for other options."""

    update = "reconnect"

    def take(self, update: OptionsUpdate, sink: EventSink) -> None:
        """See :class:`DisturbableRunner`."""
        super().take(update, sink)
        sink.updated(update)
        raise ReconnectRequested


class InjectingRunner(DisturbableRunner):
    """Sends silence of its own before the audio of each connection, as a provider's idle policy may ask for."""

    seconds = 0.4

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        """See :class:`stt_core.runner.Runner`."""
        source.add_silence(self.seconds)
        audio_format = self.stt.upstream or source.format
        self.stt.received.append((audio_format, bytearray(silence(audio_format, self.seconds))))
        await super().run(source, cast("EventSink", _LateSink(sink, self.seconds)))


class _LateSink:
    """A session whose audio begins after so much silence."""

    def __init__(self, sink: EventSink, seconds: float) -> None:
        self._sink = sink
        self._seconds = seconds

    def __getattr__(self, name: str) -> object:
        return getattr(self._sink, name)

    def processed(self, seconds: float) -> None:
        self._sink.processed(seconds + self._seconds)

    def emit(self, event: SpeechEvent, *, settled: float | None = None) -> None:
        event.time = self._late(event.time)
        for data in event.alternatives:
            for part in (data, *(data.words or ())):
                part.start_time, part.end_time = self._late(part.start_time), self._late(part.end_time)
        self._sink.emit(event, settled=self._late(settled))

    def _late(self, seconds: float | None) -> float | None:
        return None if seconds is None else seconds + self._seconds


class _Tap:
    """A source that is written down on its way, and in which the disturbances are."""

    def __init__(self, runner: DisturbableRunner, source: AudioSource, sink: EventSink) -> None:
        self.format = source.format  # as pushed: the script's positions are in it
        self._runner = runner
        self._stt = stt = runner.stt
        self._source = source
        self._sink = sink
        if stt.upstream is not None:
            source.convert(stt.upstream)
        self._bytes = bytearray()
        stt.received.append((source.format, self._bytes))

    @property
    def backlog(self) -> float:
        return self._source.backlog

    def convert(self, target: AudioFormat) -> None:
        raise NotImplementedError

    def add_silence(self, seconds: float) -> None:
        self._source.add_silence(seconds)

    def receive_nowait(self) -> SourceItem | None:
        raise NotImplementedError

    async def receive(self) -> SourceItem:
        await self._runner.heartbeat()
        item = await self._source.receive()
        while self._stt.muted:
            if self._stt.babbling:
                self._babble()
            if isinstance(item, EndOfInput):
                while True:
                    await asyncio.sleep(0.5)
                    if self._stt.babbling:
                        self._babble()
            item = await self._source.receive()
        if isinstance(item, AudioChunk):
            self._bytes += item.data
        elif isinstance(item, OptionsUpdate):
            self._runner.take(item, self._sink)
        return item

    def _babble(self) -> None:
        self._sink.emit(SpeechEvent(SpeechEventType.INTERIM_TRANSCRIPT, [SpeechData("")]))


def scripted_subject(
    name: str = "scripted",
    *,
    carries: Carries = FULL,
    exact: bool = False,
    upstream: AudioFormat | None = None,
    runner: type[DisturbableRunner] = DisturbableRunner,
) -> Subject:
    """The scripted provider, ready to be proven.

    Args:
        name: for the report.
        carries: what its wire brings across.
        exact: FINALs say up to where the audio has been recognised.
        upstream: the format that it asks for; ``None`` takes what is pushed.
        runner: another one, such as one that does something wrong.
    """

    async def create(starts: Sequence[float]) -> DisturbableSTT:
        script = [cue for start in starts for cue in utterance(_WORDS, start=start, end=start + _SECONDS)]
        return DisturbableSTT(script, carries=carries, exact=exact, upstream=upstream, runner=runner)

    return Subject(
        name=name,
        kind="local",
        create=create,
        sample=TONES,
        carries=carries,
        clock_tolerance=1e-3,
        drop=_drop,
        hold=_hold,
        mute=_mute,
        babble=_babble,
        received=_received,
        garble=_garble,
        refuse=_refuse,
        update=Update(options={"language": "de"}, arrived=_arrived),
        virtual_time=True,
    )


def subjects(sample: Sample | None = None) -> Iterable[Subject]:
    """What ``pytest --stt-provider scripted`` puts to the proof; its speech is its own."""
    return [
        scripted_subject(),
        scripted_subject("scripted, exact", exact=True, runner=InjectingRunner),
        scripted_subject("scripted, untimed", carries=replace(FULL, times="none", words=False)),
    ]


async def _drop(stt: STT) -> None:
    cast("DisturbableSTT", stt).runners[-1].faults.append(Fault(0))


async def _garble(stt: STT) -> None:
    cast("DisturbableSTT", stt).runners[-1].faults.append(Fault(0, "crash"))


@asynccontextmanager
async def _refuse(stt: STT, refusal: Refusal) -> AsyncGenerator[Callable[[], int]]:
    scripted = cast("DisturbableSTT", stt)
    scripted.refusal, scripted.attempts = refusal, 0
    try:
        yield lambda: scripted.attempts
    finally:
        scripted.refusal = None


def _arrived(stt: STT, _: Sequence[SpeechEvent]) -> bool:
    updated = cast("DisturbableSTT", stt).updated
    return updated is not None and updated.language == "de"


@asynccontextmanager
async def _hold(stt: STT) -> AsyncGenerator[None]:
    released = cast("DisturbableSTT", stt).released
    released.clear()
    try:
        yield
    finally:
        released.set()


@asynccontextmanager
async def _mute(stt: STT) -> AsyncGenerator[None]:
    scripted = cast("DisturbableSTT", stt)
    scripted.muted = True
    try:
        yield
    finally:
        scripted.muted = False


@asynccontextmanager
async def _babble(stt: STT) -> AsyncGenerator[None]:
    scripted = cast("DisturbableSTT", stt)
    async with _mute(stt):
        scripted.babbling = True
        try:
            yield
        finally:
            scripted.babbling = False


def _received(stt: STT) -> list[Received]:
    return [Received(audio_format, bytes(data)) for audio_format, data in cast("DisturbableSTT", stt).received]
