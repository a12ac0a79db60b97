"""Who is checked, and with what speech."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import aiohttp

    from ...audio.frames import AudioFormat
    from ...provider import Carries, Kind
    from ...stt import STT

__all__ = ["Disturbance", "Received", "Sample", "Subject"]

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
    """

    data: bytes
    format: AudioFormat
    words: Sequence[str]
    times: Sequence[tuple[float, float]] | None = None

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.format.seconds(len(self.data))


@dataclass(frozen=True, slots=True)
class Received:
    """What one connection's other end was sent: the format that it was told, and the bytes."""

    format: AudioFormat
    data: bytes


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
