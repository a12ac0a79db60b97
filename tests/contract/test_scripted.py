"""The scripted provider keeps every promise, whatever its wire carries."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stt_core.audio.frames import AudioFormat
from stt_core.testing.clock import virtual_time_run
from stt_core.testing.contract import NotProven, Promise, State, Subject, prove, prove_all
from stt_core.testing.contract.scripted import InjectingRunner, ReconnectingRunner, scripted_subject
from stt_core.testing.scripted import FULL

UNTIMED = replace(FULL, times="none", words=False)
BARE = replace(UNTIMED, turns=False, interims=False, preflight=False, confidence=False, language=False, speakers=False)
SUBJECTS = [
    scripted_subject("timed"),
    scripted_subject("timed, resampled", upstream=AudioFormat(16000)),
    scripted_subject("timed, as mu-law", upstream=AudioFormat(8000, 1, "pcm_mulaw")),
    scripted_subject("timed, with injected silence", runner=InjectingRunner),
    scripted_subject("timed, without turns", carries=replace(FULL, turns=False)),
    scripted_subject("exact", exact=True),
    scripted_subject("exact, with injected silence", exact=True, runner=InjectingRunner),
    scripted_subject("untimed", carries=UNTIMED),
    scripted_subject("untimed, exact", carries=UNTIMED, exact=True),
    scripted_subject("timed, with a new connection for other options", runner=ReconnectingRunner),
    scripted_subject("exact, with a new connection for other options", exact=True, runner=ReconnectingRunner),
    scripted_subject("finals only", carries=BARE),
    scripted_subject("finals only, exact", carries=BARE, exact=True),
]


@pytest.mark.parametrize("promise", Promise)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_it_keeps(subject: Subject, promise: Promise) -> None:
    """All checks of the promise run, and see it kept."""
    outcome = virtual_time_run(prove(subject, promise))
    assert outcome.state is State.PROVEN, outcome.reason


@pytest.mark.parametrize(
    ("without", "doubtful"),
    [
        ("drop", {Promise.ORDER, Promise.CLOCK, Promise.NO_LOSS, Promise.ERRORS, Promise.USAGE}),
        ("hold", {Promise.NO_LOSS, Promise.LIVENESS}),
        ("update", {Promise.UPDATE}),
    ],
)
def test_what_it_cannot_be_put_to_is_not_proven(without: str, doubtful: set[Promise]) -> None:
    """A subject that cannot be disturbed passes no promise that takes a disturbance."""
    subject = replace(scripted_subject(), **{without: None})
    report = virtual_time_run(prove_all(subject))
    assert set(report.in_state(State.NOT_PROVEN)) == doubtful
    assert report.in_state(State.BROKEN) == []


def test_a_peer_that_always_answers_proves_neither_end_nor_flush() -> None:
    """Someone has to have seen what happens when it does not."""
    subject = replace(scripted_subject(), hold=None, mute=None, babble=None)
    report = virtual_time_run(prove_all(subject))
    unknown = {Promise.DRAIN, Promise.FLUSH, Promise.NO_LOSS, Promise.LIVENESS}
    assert set(report.in_state(State.NOT_PROVEN)) == unknown
    with pytest.raises(NotProven, match="S5 drain"):
        report[Promise.DRAIN].require()


@pytest.mark.parametrize("promise", [Promise.CLOSE, Promise.ERRORS, Promise.SECRETS])
def test_what_only_a_network_has_is_asked_of_who_uses_one(promise: Promise) -> None:
    """A local provider makes no requests, is refused by nobody and has no secret; any other cannot opt out."""
    bare = replace(scripted_subject(), refuse=None, garble=None)
    assert virtual_time_run(prove(bare, promise)).state is State.PROVEN
    assert virtual_time_run(prove(replace(bare, kind="socket"), promise)).state is State.NOT_PROVEN


def test_a_provider_that_fails_on_the_kit_is_not_proven() -> None:
    """An exception in a check is not the check's approval."""

    async def create(_: object) -> object:
        raise RuntimeError("no licence")

    subject = replace(scripted_subject(), create=create)
    report = virtual_time_run(prove_all(subject))
    assert set(report.in_state(State.NOT_PROVEN)) == set(Promise)
    assert "no licence" in str(report)
