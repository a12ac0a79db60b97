"""The embedded engine keeps every promise, on real speech, in real processes, in real time."""

from __future__ import annotations

from pathlib import Path

import pytest

from stt_core.testing.contract import Promise, State, prove
from stt_core.testing.contract.finding import read_sample
from stt_pocketsphinx.contract import subjects

SAMPLE = Path(__file__).parent.parent / "data" / "speech" / "message.wav"
(SUBJECT,) = subjects(read_sample(SAMPLE))


@pytest.mark.parametrize("promise", Promise)
async def test_it_keeps(promise: Promise) -> None:
    """All checks of the promise run, and see it kept."""
    outcome = await prove(SUBJECT, promise)
    assert outcome.state is State.PROVEN, outcome.reason
