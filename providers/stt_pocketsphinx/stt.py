"""The client half: files and live streams through worker processes."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, Unpack, cast, overload

from stt_core.audio.frames import AudioFormat, AudioFrame
from stt_core.errors import STTError
from stt_core.events import SpeechData, SpeechEvent, SpeechEventType, Word
from stt_core.feeding import decoded
from stt_core.options import CommonOptions
from stt_core.retry import RetryBudget, RetryPolicy
from stt_core.runner import AudioChunk, FlushRequest, OptionsUpdate, ReconnectRequested
from stt_core.stt import STT
from stt_core.transcript import Transcript

from . import wire
from .configure import endpointing_of, task_of
from .decoder import SAMPLE_RATE
from .engine import Event, EventKind
from .launch import command
from .options import (
    DigitsModel,
    DigitsOptions,
    EnUsModel,
    EnUsOptions,
    GrammarModel,
    GrammarOptions,
    KeyphraseModel,
    KeyphraseOptions,
)
from .pool import WorkerPool
from .task import DIGIT_NUMERALS

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    import aiohttp

    from stt_core.audio.decode import AudioInput
    from stt_core.config import ModelConfig
    from stt_core.credentials import Credential
    from stt_core.provider import Carries
    from stt_core.registry import Resolved
    from stt_core.runner import AudioSource, EventSink

    from .process import WorkerSession

__all__ = ["PocketsphinxRunner", "PocketsphinxSTT"]

_FORMAT = AudioFormat(SAMPLE_RATE)

_TYPES = {
    EventKind.START: SpeechEventType.START_OF_SPEECH,
    EventKind.INTERIM: SpeechEventType.INTERIM_TRANSCRIPT,
    EventKind.FINAL: SpeechEventType.FINAL_TRANSCRIPT,
    EventKind.END: SpeechEventType.END_OF_SPEECH,
}

T = TypeVar("T")


class EnUsArguments(CommonOptions, EnUsOptions, total=False):
    """What free dictation takes."""


class DigitsArguments(CommonOptions, DigitsOptions, total=False):
    """What spoken digits take."""


class GrammarArguments(CommonOptions, GrammarOptions, total=False):
    """What a grammar takes."""


class KeyphraseArguments(CommonOptions, KeyphraseOptions, total=False):
    """What the spotting of phrases takes."""


class PocketsphinxSTT(STT):
    """The embedded engine.

    Live streams and files run in worker processes, one each, that belong to this object: they are started when needed,
    kept for the next stream or file, and end with :meth:`~stt_core.stt.STT.aclose`.

    Args:
        model: ``en-us``, ``digits``, ``grammar`` or ``keyphrase``.
        **options: see the model's TypedDict in :mod:`.options`, and :mod:`stt_core.options`. Of the framework's, those
            of the network have no meaning here and are refused.

    Raises:
        ConfigError: an option is unknown or its value not accepted, or what a file holds.
        MissingExtraError: the engine's packages are not installed.
    """

    provider_name = "pocketsphinx"

    @overload
    def __init__(self, model: EnUsModel | None = None, **options: Unpack[EnUsArguments]) -> None: ...

    @overload
    def __init__(self, model: DigitsModel, **options: Unpack[DigitsArguments]) -> None: ...

    @overload
    def __init__(self, model: GrammarModel, **options: Unpack[GrammarArguments]) -> None: ...

    @overload
    def __init__(self, model: KeyphraseModel, **options: Unpack[KeyphraseArguments]) -> None: ...

    @overload
    def __init__(
        self,
        model: ModelConfig,
        *,
        language: str | None = None,
        api_key: Credential | None = None,
        api_secret: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: object,
    ) -> None: ...

    def __init__(
        self,
        model: str | ModelConfig | None = None,
        *,
        language: str | None = None,
        api_key: Credential | None = None,
        api_secret: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: object,
    ) -> None:
        super().__init__(
            model,
            language=language,
            api_key=api_key,
            api_secret=api_secret,
            auth=auth,
            http_session=http_session,
            **options,
        )
        command()  # says now what is missing, and not when the first audio comes
        self._pool = WorkerPool()

    @property
    def pids(self) -> list[int]:
        """Ids of its processes."""
        return self._pool.pids

    async def prewarm(self) -> None:
        """Starts a process with the models loaded, if none is waiting."""
        await self._pool.prewarm(task_of(self.settings), timeout=self.settings.stt["connect_timeout"])

    def create_runner(self, settings: Resolved) -> PocketsphinxRunner:
        """See :class:`stt_core.stt.STT`."""
        return PocketsphinxRunner(self._pool, settings)

    async def recognize_audio(self, audio: AudioInput, settings: Resolved) -> Transcript:
        """See :class:`stt_core.stt.STT`."""
        budget = RetryBudget(RetryPolicy(settings.stt["max_retries"], settings.stt["retry_interval"]))
        while True:
            try:
                return await self._decode_file(audio, settings)
            except STTError as error:
                delay = budget.spend(error) if audio.rewindable else None
                if delay is None:
                    raise
            await asyncio.sleep(delay)

    async def _decode_file(self, audio: AudioInput, settings: Resolved) -> Transcript:
        frames = decoded(audio.open, _FORMAT)
        async with _session(self._pool, settings, live=False) as session, aclosing(frames):

            async def send() -> None:
                async for frame in frames:
                    await session.send(cast("AudioFrame", frame).data)
                session.end()

            async def receive() -> Transcript:
                finals: list[SpeechData] = []
                while not isinstance(reply := await session.receive(), wire.Ended):
                    if isinstance(reply, wire.Happened) and reply.event.kind is EventKind.FINAL:
                        finals.append(_speech(reply.event, settings, prefix=" " if finals else ""))
                return Transcript.from_finals(finals, duration=reply.position / SAMPLE_RATE)

            return await _beside(send(), receive())

    async def close_provider(self) -> None:
        """See :class:`stt_core.stt.STT`."""
        await self._pool.aclose()


class PocketsphinxRunner:
    """A live stream: one worker session for each connection."""

    def __init__(self, pool: WorkerPool, settings: Resolved) -> None:
        self._pool = pool
        self._settings = settings
        self._flushes: dict[int, tuple[FlushRequest, int]] = {}

    @property
    def carries(self) -> Carries:
        """See :class:`stt_core.runner.Runner`."""
        return self._settings.family.carries

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        """See :class:`stt_core.runner.Runner`."""
        source.convert(_FORMAT)
        self._flushes.clear()
        async with _session(self._pool, self._settings, live=True) as session:
            sink.connected()
            update = await _beside(self._receive(session, sink), self._send(session, source))
            if update is not None:
                self._settings = update.settings
                sink.updated(update)
                raise ReconnectRequested

    async def _send(self, session: WorkerSession, source: AudioSource) -> OptionsUpdate | None:
        """Sends until the input ends or the options change; a new session takes new options over."""
        sent = 0
        while True:
            item = await source.receive()
            if isinstance(item, AudioChunk):
                await session.send(item.data)
                sent += len(item.data) // 2
            elif isinstance(item, FlushRequest):
                marker = len(self._flushes)
                self._flushes[marker] = item, sent
                session.flush(marker)
            else:
                session.end()
                return item if isinstance(item, OptionsUpdate) else None

    async def _receive(self, session: WorkerSession, sink: EventSink) -> None:
        settled = 0
        while not isinstance(reply := await session.receive(), wire.Ended):
            if isinstance(reply, wire.Flushed):
                request, sent = self._flushes[reply.marker]
                # A sound that may yet become a word is not settled.
                sink.flushed(request, exact=reply.settled >= sent)
                continue
            event = reply.event
            sink.processed(event.position / SAMPLE_RATE)
            if event.kind is not EventKind.PROGRESS:
                self._emit(event, sink)
            # A FINAL settles by itself; an utterance that was rejected has none.
            if event.kind is not EventKind.FINAL and event.settled > settled:
                sink.settle(event.settled / SAMPLE_RATE)
            settled = event.settled
        sink.settle(reply.position / SAMPLE_RATE)

    def _emit(self, event: Event, sink: EventSink) -> None:
        if event.kind is EventKind.FINAL:
            said = SpeechEvent(_TYPES[event.kind], (_speech(event, self._settings, prefix=" "),))
            sink.emit(said, settled=event.settled / SAMPLE_RATE)
        elif event.kind is not EventKind.INTERIM:
            sink.emit(SpeechEvent(_TYPES[event.kind], time=event.time / SAMPLE_RATE))
        elif self._settings.options.get("interim_results", True):
            sink.emit(SpeechEvent(_TYPES[event.kind], (_speech(event, self._settings, prefix=" "),)))


def _session(pool: WorkerPool, settings: Resolved, *, live: bool) -> AbstractAsyncContextManager[WorkerSession]:
    options = cast("EnUsOptions", settings.options)
    return pool.session(
        live=live,
        settings=endpointing_of(settings),
        task=task_of(settings),
        timeout=settings.stt["connect_timeout"],
        liveness_timeout=settings.stream["liveness_timeout"],
        max_workers=options.get("max_workers"),
        max_idle=options.get("max_idle"),
    )


def _speech(event: Event, settings: Resolved, *, prefix: str) -> SpeechData:
    words = [Word(word.text, word.start / SAMPLE_RATE, word.end / SAMPLE_RATE, word.confidence) for word in event.words]
    if settings.family.name == "digits" and settings.options.get("numerals", True):
        numerals: Mapping[str, str] = DIGIT_NUMERALS
        words = [replace(word, text=numerals[word.text]) for word in words]
    return SpeechData(
        " ".join(word.text for word in words),
        prefix,
        settings.language,
        words[0].start_time,
        words[-1].end_time,
        words=words if settings.options.get("word_timestamps", True) else None,
    )


async def _beside(first: Coroutine[object, object, object], second: Coroutine[object, object, T]) -> T:
    """Runs both; a failure of one ends the other and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(first)
            result = group.create_task(second)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return result.result()
