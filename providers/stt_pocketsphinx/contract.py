"""What ``pytest --stt-provider pocketsphinx`` puts to the proof: real speech, real processes, which die and hang."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, cast

from stt_core.errors import ConfigError
from stt_core.events import SpeechEvent, SpeechEventType
from stt_core.testing.contract import Sample, Subject, Update

from .stt import PocketsphinxSTT

if TYPE_CHECKING:
    from stt_core.stt import STT

__all__ = ["digits_subject", "subjects"]

_START_SECONDS = 10.0


def subjects(sample: Sample | None = None) -> Iterable[Subject]:
    """The engine, with speech that it gets right.

    Raises:
        ConfigError: there is none.
    """
    if sample is None:
        raise ConfigError("pocketsphinx listens: give it a sample of clear English speech")
    return [_subject("pocketsphinx", _create, sample)]


def digits_subject(sample: Sample) -> Subject:
    """The engine as it hears digits.

    Args:
        sample: digits, their words written out.
    """
    return _subject("pocketsphinx, digits", _create_for_digits, sample)


def _subject(name: str, create: Callable[[Sequence[float]], Awaitable[STT]], sample: Sample) -> Subject:
    return Subject(
        name=name,
        kind="local",
        create=create,
        sample=sample,
        pace=8.0,
        word_tolerance=0.2,
        drop=_kill,
        hold=_stop,
        update=Update(options={"word_timestamps": False}, arrived=_without_words),
    )


async def _create(_: Sequence[float]) -> STT:
    return PocketsphinxSTT()


async def _create_for_digits(_: Sequence[float]) -> STT:
    return PocketsphinxSTT("digits", numerals=False, interim_results=True)


async def _tell(stt: STT, number: signal.Signals) -> None:
    engine = cast("PocketsphinxSTT", stt)
    with suppress(TimeoutError):
        async with asyncio.timeout(_START_SECONDS):
            while not engine.pids:  # noqa: ASYNC110  (one is starting, and nothing tells when it is there)
                await asyncio.sleep(0.02)
    for pid in engine.pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


async def _kill(stt: STT) -> None:
    await _tell(stt, signal.SIGKILL)


@asynccontextmanager
async def _stop(stt: STT) -> AsyncGenerator[None]:
    await _tell(stt, signal.SIGSTOP)
    try:
        yield
    finally:
        await _tell(stt, signal.SIGCONT)


def _without_words(_: STT, events: Sequence[SpeechEvent]) -> bool:
    finals = [event for event in events if event.type is SpeechEventType.FINAL_TRANSCRIPT]
    return bool(finals) and finals[-1].alternatives[0].words is None
