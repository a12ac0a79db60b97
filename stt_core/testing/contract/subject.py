"""Who is checked, and with what speech."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import aiohttp

    from ...audio.frames import AudioFormat
    from ...errors import STTError
    from ...events import SpeechEvent
    from ...provider import Carries, Kind
    from ...stt import STT

__all__ = ["Disturbance", "Received", "Refusal", "Sample", "Subject", "Update"]

CLOSE_SECONDS = 10.0

Disturbance: TypeAlias = "Callable[[STT], AbstractAsyncContextManager[None]]"
"""Disturbs every open connection of an STT for as long as it is entered; closing the STT must work all the same."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Speech that the provider gets right.

    Args:
        data: samples without a header, with no more silence at the ends than belongs to the words.
        format: of the data.
        words: what is said. At least four, or cuts cannot be told from chance.
        times: where each word lies in it, in seconds; ``None`` when that is not known.
        placed: makes the data for the second at which it begins, where the audio itself tells the place.
    """

    data: bytes
    format: AudioFormat
    words: Sequence[str]
    times: Sequence[tuple[float, float]] | None = None
    placed: Callable[[float], bytes] | None = None

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.format.seconds(len(self.data))


@dataclass(frozen=True, slots=True)
class Received:
    """What one connection's other end was sent: the format that it was told, and the bytes."""

    format: AudioFormat
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """How the other end turns connections and requests away.

    Args:
        status: the HTTP status; ``None`` answers nothing at all.
        message: the vendor's own words.
        code: the vendor's code of the error.
        request_id: the vendor's.
        retry_after: seconds that the vendor asks to wait.
        times: how many connections, or requests, are turned away; ``None`` for all.
    """

    status: int | None
    message: str = "because of the moon"
    code: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    times: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Options that change while a stream runs.

    Args:
        options: as for :meth:`stt_core.stream.RecognizeStream.update_options`.
        arrived: whether the other end has them, or the events that came since show it.
    """

    options: Mapping[str, object]
    arrived: Callable[[STT, Sequence[SpeechEvent]], bool]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A provider under test.

    What it cannot lend itself to stays ``None``, and the promises that need it are reported as not proven.

    Args:
        name: for the report.
        kind: how it works; see :data:`stt_core.provider.Kind`.
        create: makes a fresh STT. It is told the seconds at which the sample begins in the audio that will be pushed,
            which only a provider that does not really listen has to know.
        sample: speech that it gets right.
        carries: what its events bring across; ``None`` for what its family declares.
        pace: how many times faster than real time it is sent live audio.
        patience: seconds, of the event loop's clock, after which something that should have ended counts as hung.
        word_tolerance: the share of the sample's words that may come out wrong when the audio was cut or converted.
        clock_tolerance: seconds by which the time of the same word may differ between two runs.
        drop: breaks the connection, or kills the process, once; what is sent from then on needs a new one.
        hold: while entered, the other end takes nothing and says nothing, and nobody tells us.
        mute: while entered, the other end takes everything and says nothing.
        babble: while entered, the other end takes everything and sends interims without text, for ever.
        received: what was sent upstream in each connection so far, as the other end saw it.
        with_session: as ``create``, with an HTTP session of the caller's; ``None`` for a provider that makes no
            requests.
        garble: the other end says something that its protocol does not allow, once.
        refuse: while entered, the other end turns new connections and requests away; gives what counts the attempts.
        stranger: an STT that signs in with what its other end, a server half, does not know.
        failing: while entered, the provider behind the server half fails with this error.
        secrets: what ``create`` signs in with, and whatever else nobody may see.
        leaks: the places, but for the headers that are made for it, in which the other end saw a secret.
        update: options to change; where the provider changes none, those that it refuses.
        environment: what has to be there before ``create``, such as servers; entered once for a run.
        virtual_time: whether all of it can be run on a :class:`~stt_core.testing.clock.VirtualTimeLoop`.
    """

    name: str
    kind: Kind
    create: Callable[[Sequence[float]], Awaitable[STT]]
    sample: Sample
    carries: Carries | None = None
    pace: float = 1.0
    patience: float = 60.0
    word_tolerance: float = 0.0
    clock_tolerance: float = 0.25
    drop: Callable[[STT], Awaitable[None]] | None = None
    hold: Disturbance | None = None
    mute: Disturbance | None = None
    babble: Disturbance | None = None
    received: Callable[[STT], Sequence[Received]] | None = None
    with_session: Callable[[aiohttp.ClientSession], Awaitable[STT]] | None = None
    garble: Callable[[STT], Awaitable[None]] | None = None
    refuse: Callable[[STT, Refusal], AbstractAsyncContextManager[Callable[[], int]]] | None = None
    stranger: Callable[[], AbstractAsyncContextManager[STT]] | None = None
    failing: Callable[[STT, STTError], AbstractAsyncContextManager[None]] | None = None
    secrets: Sequence[str] = field(default=(), repr=False)
    leaks: Callable[[STT], Sequence[str]] | None = None
    update: Update | None = None
    environment: Callable[[], AbstractAsyncContextManager[object]] = nullcontext
    virtual_time: bool = False

    @asynccontextmanager
    async def opened(self, starts: Sequence[float] = ()) -> AsyncGenerator[STT]:
        """A fresh STT, closed at the end."""
        stt = await self.create(starts)
        try:
            yield stt
        finally:
            with suppress(Exception):  # how it closes is a promise of its own
                async with asyncio.timeout(CLOSE_SECONDS):
                    await stt.aclose()

    def carries_of(self, stt: STT) -> Carries:
        """What its events bring across."""
        return self.carries or stt.settings.family.carries
