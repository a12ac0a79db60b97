"""Template keeps every promise of a stream."""

from __future__ import annotations

import pytest

from stt_core.testing.contract import Promise, State, Subject, prove_now
from stt_template.contract import subjects


@pytest.mark.parametrize("promise", Promise)
@pytest.mark.parametrize("subject", subjects(), ids=lambda subject: subject.name)
def test_it_keeps(subject: Subject, promise: Promise) -> None:
    """All checks of the promise run, and see it kept."""
    outcome = prove_now(subject, promise)
    assert outcome.state is State.PROVEN, outcome.reason
