"""The embedded engine keeps every promise, on real speech, in real processes, in real time."""

from __future__ import annotations

import os
import signal
import wave
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stt_core import create_stt
from stt_core.audio.frames import AudioFormat
from stt_core.testing.contract import Promise, Sample, State, Subject, prove

if TYPE_CHECKING:
    from stt_core.stt import STT

SPEECH = Path(__file__).parent.parent / "data" / "speech"


def sample(name: str) -> Sample:
    with wave.open(str(SPEECH / f"{name}.wav")) as file:
        data = file.readframes(file.getnframes())
        return Sample(data, AudioFormat(file.getframerate()), (SPEECH / f"{name}.txt").read_text().split())


def workers() -> list[int]:
    """The engine's processes."""
    pids = [int(pid) for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()]
    return [pid for pid in pids if b"stt_pocketsphinx" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def tell_workers(number: signal.Signals) -> None:
    for pid in workers():
        with suppress(ProcessLookupError):
            os.kill(pid, number)


async def create(_: Sequence[float]) -> STT:
    return create_stt("pocketsphinx/en-us")


async def kill(_: STT) -> None:
    tell_workers(signal.SIGKILL)


@asynccontextmanager
async def stop(_: STT) -> AsyncGenerator[None]:
    tell_workers(signal.SIGSTOP)
    try:
        yield
    finally:
        tell_workers(signal.SIGCONT)


SUBJECT = Subject(
    name="pocketsphinx",
    kind="local",
    create=create,
    sample=sample("message"),
    pace=8.0,
    word_tolerance=0.2,
    drop=kill,
    hold=stop,
)


@pytest.mark.parametrize("promise", Promise)
async def test_it_keeps(promise: Promise) -> None:
    """All checks of the promise run, and see it kept."""
    outcome = await prove(SUBJECT, promise)
    assert outcome.state is State.PROVEN, outcome.reason
