"""The embedded engine keeps every promise, on real speech, in real processes, in real time."""

from __future__ import annotations

from pathlib import Path

import pytest

from stt_core.testing.contract import Promise, State, prove
from stt_core.testing.contract.finding import read_sample
from stt_pocketsphinx.contract import digits_subject, subjects

SPEECH = Path(__file__).parent.parent / "data" / "speech"
(SUBJECT,) = subjects(read_sample(SPEECH / "message.wav"))
DIGITS = digits_subject(read_sample(SPEECH / "phone.wav"))


@pytest.mark.parametrize("promise", Promise)
async def test_it_keeps(promise: Promise) -> None:
    """All checks of the promise run, and see it kept."""
    outcome = await prove(SUBJECT, promise)
    assert outcome.state is State.PROVEN, outcome.reason


@pytest.mark.parametrize(
    "promise", [Promise.ORDER, Promise.CLOCK, Promise.DRAIN, Promise.FLUSH, Promise.UPDATE], ids=str
)
async def test_with_digits_it_keeps(promise: Promise) -> None:
    """So are those that depend on when words are final: with digits a whole utterance is decoded at its end."""
    outcome = await prove(DIGITS, promise)
    assert outcome.state is State.PROVEN, outcome.reason
