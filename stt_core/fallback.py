"""Chains: several providers behind one interface, of which one serves and the others stand by.

A live stream of a chain is one stream: one ledger, one clock, one order of events. When the member that serves fails,
the audio that was not settled goes on to the next one (:mod:`stt_core.members` says when), which PROVIDER_SWITCHED
tells. A member that failed is left alone by new streams until a probe in the background finds it well again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypeVar, cast

from .errors import (
    AllProvidersFailedError,
    AudioError,
    AudioFileNotFoundError,
    ConfigError,
    ConnectionLostError,
    ConnectTimeoutError,
    MissingExtraError,
    STTError,
    STTTimeoutError,
    UnsupportedError,
)
from .events import SpeechEventType
from .members import Member, Members, is_local, shared, with_shared
from .options import ChainOptions, with_defaults
from .provider import Capabilities
from .stt import STT, refuse_knobs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from .audio.decode import AudioInput
    from .audio.frames import AudioFormat, Encoding
    from .audio.source import AudioLike
    from .jobs import Job, JobInfo, ProgressCallback
    from .options import ChainSettings
    from .registry import Provider, Resolved
    from .runner import Runner
    from .stream import RecognizeStream
    from .transcript import Transcript

__all__ = ["FallbackSTT"]

T = TypeVar("T")

logger = logging.getLogger("stt_core.fallback")

SHARE_OF_A_MEMBER = 0.5
"""Of the time that is left for a file, for each member that has another behind it."""


class FallbackSTT(STT):
    """A chain. :func:`stt_core.factory.create_stt` makes one from ``a | b | c``.

    Args:
        members: in the order of preference; the chain closes them.
        chain: the chain's own options; see :class:`~stt_core.options.ChainOptions`.

    Options given to its methods go to all members, and one that a member does not take is an error: what is meant for
    one member belongs into its part of the config string. What is about a network is kept from members without one.

    Raises:
        ConfigError: there is no member, or a value is not accepted.
    """

    provider_name = "chain"

    def __init__(self, members: Sequence[STT], *, chain: ChainSettings | None = None) -> None:
        if not members:
            raise ConfigError("a chain has at least one member")
        self._stts = tuple(members)
        self._chain = chain or cast("ChainSettings", with_defaults(ChainOptions, {}))
        self._down: dict[STT, STTError] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._begin(self._stts[0].settings, None)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {' | '.join(settings.label for settings in self.members)}>"

    # -- what it is ------------------------------------------------------------------------------------------------

    @property
    def provider(self) -> Provider:
        """The first member's registration."""
        return self._stts[0].provider

    @property
    def settings(self) -> Resolved:
        """See :attr:`stt_core.stt.STT.settings`."""
        return self._stts[0].settings

    @property
    def members(self) -> tuple[Resolved, ...]:
        """See :attr:`stt_core.stt.STT.members`."""
        return tuple(stt.settings for stt in self._stts)

    @property
    def down(self) -> Mapping[str, STTError]:
        """The members that new streams leave alone at the moment, as ``provider/model``, and what they failed with."""
        return {stt.settings.label: error for stt, error in self._down.items()}

    @property
    def capabilities(self) -> Capabilities:
        """What every member can do; ``jobs`` is what one can."""
        each = [stt.capabilities for stt in self._stts]
        return Capabilities(
            streaming=all(one.streaming for one in each),
            batch=all(one.batch for one in each),
            jobs=any(one.jobs for one in each),
            interim_results=all(one.interim_results for one in each),
            turns=all(one.turns for one in each),
            words=all(one.words for one in each),
            diarization=all(one.diarization for one in each),
            keyterms=all(one.keyterms for one in each),
            flush=max((one.flush for one in each), key=lambda flush: ("native", "silence", "reconnect").index(flush)),
            update=max((one.update for one in each), key=lambda update: ("in_band", "reconnect", "none").index(update)),
        )

    # -- live streams ----------------------------------------------------------------------------------------------

    def create_runner(self, settings: Resolved) -> Runner:
        """A chain has a runner for each member, and none of its own."""
        raise UnsupportedError("a chain cannot be a member of a chain: write its members out")

    def _serving(self, language: str | None, options: Mapping[str, object]) -> Members:
        settings = {stt: with_shared(stt.settings, language, options) for stt in self._stts}
        members = {Member(settings[stt], stt.create_runner): stt for stt in self._in_order()}
        return Members(
            list(members), chain=self._chain, on_failed=lambda member, error: self._failed(members[member], error)
        )

    def _open_stream(self, make_members: Callable[[], Members], audio_format: AudioFormat | None) -> RecognizeStream:
        stream = super()._open_stream(make_members, audio_format)
        for stt in self._stts:
            if is_local(stt.settings):
                self._start(self._warm(stt))
        return stream

    async def _warm(self, stt: STT) -> None:
        try:
            await stt.prewarm()
        except STTError as error:
            logger.warning("%s could not be made ready: %s", stt.settings.label, error)

    # -- files and jobs --------------------------------------------------------------------------------------------

    async def recognize(
        self,
        audio: AudioLike,
        *,
        language: str | None = None,
        timeout: float | None = None,
        sample_rate: int | None = None,
        channels: int | None = None,
        encoding: Encoding | None = None,
        poll_interval: float | None = None,
        backoff: float | None = None,
        max_poll_interval: float | None = None,
        on_progress: ProgressCallback | None = None,
        **options: object,
    ) -> Transcript:
        """See :meth:`stt_core.stt.STT.recognize`: by the first member that manages.

        ``timeout``, else ``deadline``, is for all members together; each that has another behind it may use half of
        what is left. Audio that cannot be read is nobody's fault, and raised at once.

        Raises:
            AllProvidersFailedError: with the error of each member.
        """
        settings = {stt: with_shared(stt.settings, language, options) for stt in self._stts}
        knobs: dict[str, float | None] = {
            "poll_interval": poll_interval,
            "backoff": backoff,
            "max_poll_interval": max_poll_interval,
        }
        if not any(stt.uses_jobs(settings[stt]) for stt in self._stts):
            refuse_knobs({**knobs, "on_progress": on_progress}, repr(self))

        async def attempt(stt: STT, source: AudioInput, seconds: float | None) -> Transcript:
            work = stt._recognize(source, settings[stt], seconds, knobs, on_progress)
            return await (work if self.on_metrics is None else self._measured(work, settings[stt]))

        return await self._first(audio, timeout, attempt, sample_rate=sample_rate, channels=channels, encoding=encoding)

    async def submit(
        self,
        audio: AudioLike,
        *,
        language: str | None = None,
        timeout: float | None = None,
        sample_rate: int | None = None,
        channels: int | None = None,
        encoding: Encoding | None = None,
        **options: object,
    ) -> Job:
        """See :meth:`stt_core.stt.STT.submit`: at the first member with jobs that takes it.

        Raises:
            UnsupportedError: no member has jobs.
            AllProvidersFailedError: with the error of each member.
        """
        settings = {stt: with_shared(stt.settings, language, options) for stt in self._stts}
        if not self.capabilities.jobs:
            raise UnsupportedError("no member of this chain has jobs: recognize() does it in one call")

        async def attempt(stt: STT, source: AudioInput, seconds: float | None) -> Job:
            async with asyncio.timeout(seconds):
                return await stt._submit(source, settings[stt])

        return await self._first(audio, timeout, attempt, sample_rate=sample_rate, channels=channels, encoding=encoding)

    async def _first(
        self,
        audio: AudioLike,
        timeout: float | None,
        attempt: Callable[[STT, AudioInput, float | None], Awaitable[T]],
        *,
        sample_rate: int | None,
        channels: int | None,
        encoding: Encoding | None,
    ) -> T:
        from .audio.decode import AudioInput

        self._check_open()
        source = AudioInput.from_any(audio, sample_rate=sample_rate, channels=channels, encoding=encoding)
        limit = self._chain["deadline"] if timeout is None else timeout
        clock = asyncio.get_running_loop().time
        deadline = None if limit is None else clock() + limit
        causes: list[STTError] = []
        with ExitStack() as closing:
            if not source.rewindable and len(self._stts) > 1:
                source = await asyncio.to_thread(_kept, source, closing)
            stts = self._in_order()
            for stt in stts:
                share = 1.0 if stt is stts[-1] else SHARE_OF_A_MEMBER
                seconds = None if deadline is None else max(deadline - clock(), 0.0) * share
                try:
                    return await attempt(stt, source, seconds)
                except AudioFileNotFoundError:
                    raise
                except STTError as error:
                    failure = error
                except TimeoutError:
                    failure = STTTimeoutError(f"{stt.settings.label} did not answer in time")
                causes.append(failure)
                logger.warning("%s: %s", stt.settings.label, failure)
                if not isinstance(failure, AudioError | ConfigError | MissingExtraError | UnsupportedError):
                    self._failed(stt, failure)
        if all(isinstance(cause, AudioError) for cause in causes):
            raise causes[-1]
        said = "; ".join(f"{stt.settings.label}: {cause}" for stt, cause in zip(stts, causes, strict=True))
        raise AllProvidersFailedError(f"all members of the chain failed: {said}", causes=causes)

    def job(self, job_id: str) -> Job:
        """A chain does not know whose job that is.

        Raises:
            UnsupportedError: always.
        """
        raise _whose("job()")

    def list_jobs(
        self, *, limit: int | None = None, created_before: datetime | None = None, include_deleted: bool = False
    ) -> AsyncIterator[JobInfo]:
        """A chain does not know whose jobs those would be.

        Raises:
            UnsupportedError: always.
        """
        raise _whose("list_jobs()")

    async def sign(self, path: str) -> tuple[str, Mapping[str, str]]:
        """A chain does not know whose API that is.

        Raises:
            UnsupportedError: always.
        """
        raise _whose("request()")

    # -- who is well -----------------------------------------------------------------------------------------------

    def _in_order(self) -> list[STT]:
        """Those that are well before those that are not."""
        return sorted(self._stts, key=lambda stt: stt in self._down)

    def _failed(self, stt: STT, error: STTError) -> None:
        probed = stt in self._down
        self._down[stt] = error
        if not probed and not self._closed:
            self._start(self._probe_until_well(stt))

    async def _probe_until_well(self, stt: STT) -> None:
        while True:
            await asyncio.sleep(self._chain["probe_interval"])
            try:
                await _probe(stt)
            except STTError as error:
                self._down[stt] = error
                logger.info("%s is still not well: %s", stt.settings.label, error)
            else:
                del self._down[stt]
                logger.info("%s is well again", stt.settings.label)
                return

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work, name="stt chain")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- life ------------------------------------------------------------------------------------------------------

    async def prewarm(self) -> None:
        """See :meth:`stt_core.stt.STT.prewarm`: of all members.

        Raises:
            AllProvidersFailedError: none of them can be made ready.
        """
        results = await asyncio.gather(*(_ready(stt) for stt in self._stts), return_exceptions=True)
        causes: list[STTError] = []
        for stt, result in zip(self._stts, results, strict=True):
            if isinstance(result, STTError):
                causes.append(result)
                self._failed(stt, result)
                logger.warning("%s could not be made ready: %s", stt.settings.label, result)
            elif result is not None:
                raise result
        if len(causes) == len(self._stts):
            raise AllProvidersFailedError("no member of the chain can be made ready", causes=causes)

    async def update_options(self, *, language: str | None = None, **options: object) -> None:
        """See :meth:`stt_core.stt.STT.update_options`: of all members, and of the open streams, whoever serves them."""
        for settings in self.members:
            with_shared(settings, language, options)
        streams = [stream for stream in self._streams if not stream.finished]
        await asyncio.gather(*(stream.update_options(language=language, **options) for stream in streams))
        for stt in self._stts:
            await stt.update_options(language=language, **shared(stt.settings, options))

    def _is_bound(self) -> bool:
        return bool(self._streams) or any(stt._is_bound() for stt in self._stts)

    async def close_provider(self) -> None:
        """See :class:`stt_core.stt.STT`."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.gather(*(stt.aclose() for stt in self._stts))


def _whose(call: str) -> UnsupportedError:
    return UnsupportedError(f"a chain cannot tell which member {call} is for: make an STT of that one alone")


def _kept(source: AudioInput, closing: ExitStack) -> AudioInput:
    """Audio that can be read only once, in a file that every member can read."""
    from .audio.decode import AudioInput
    from .audio.files import spool

    name = source.name
    with source.open_binary() as file:
        kept = closing.enter_context(spool(file))
    return AudioInput.from_any((name, kept))


async def _ready(stt: STT) -> None:
    """Makes a member ready, and waits for a vendor no longer than for a connection.

    Raises:
        STTError: it cannot be made ready.
    """
    limit = asyncio.timeout(None if is_local(stt.settings) else stt.settings.stt["connect_timeout"])
    try:
        async with limit:
            await stt.prewarm()
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise ConnectTimeoutError(
            f"{stt.settings.label} was not ready in time (connect_timeout)", provider=stt.provider_name
        ) from error


async def _probe(stt: STT) -> None:
    """Finds out whether a member would serve, without audio.

    Raises:
        STTError: it would not.
    """
    if is_local(stt.settings) or not stt.capabilities.streaming:
        await _ready(stt)
        return
    async with stt.stream(sample_rate=16000, max_retries=0) as stream:
        async for event in stream:
            if event.type is SpeechEventType.CONNECTED:
                return
    raise ConnectionLostError("the session ended before it began", provider=stt.provider_name)
