"""Who serves a stream next: decided without a clock and without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.errors import (
    AllProvidersFailedError,
    AuthenticationError,
    ConfigError,
    ConnectionLostError,
    DrainTimeoutError,
    RateLimitError,
    STTError,
)
from stt_core.members import Member, Members
from stt_core.testing.scripted import ScriptedSTT

if TYPE_CHECKING:
    from stt_core.options import ChainSettings

LOST = ConnectionLostError("gone")
REFUSED = AuthenticationError("no", status=401)


def member(max_retries: int = 3) -> Member:
    stt = ScriptedSTT([], max_retries=max_retries)
    return Member(stt.settings, stt.create_runner)


def chain(count: int, *, deadline: float | None = None, max_retries: int = 3) -> Members:
    settings: ChainSettings = {"deadline": deadline, "probe_interval": 60, "progress_timeout": 15}
    return Members([member(max_retries) for _ in range(count)], chain=settings)


def test_a_dropped_connection_is_made_again_with_the_same_member() -> None:
    """The first time, because that so often succeeds; then it is the next one's turn."""
    members = chain(2)
    first, second = members.all
    found = members.after(LOST, now=100, was_ready=True)
    assert found is not None
    assert found[0] is first
    assert 0 < found[1] <= 0.25
    assert members.after(LOST, now=101, was_ready=True) == (second, 0.0)
    assert members.current is second


@pytest.mark.parametrize("error", [LOST, REFUSED])
def test_a_connection_that_does_not_come_about_goes_to_the_next_at_once(error: STTError) -> None:
    """Whoever calls is on the phone."""
    members = chain(3)
    assert members.after(error, now=100, was_ready=False) == (members.all[1], 0.0)
    assert members.after(error, now=100, was_ready=False) == (members.all[2], 0.0)


def test_it_goes_round_as_long_as_there_are_budgets() -> None:
    """An outage of the whole network ends some time; a refusal does not."""
    members = chain(3)
    first, second, third = members.all
    assert members.after(REFUSED, now=0, was_ready=False) == (second, 0.0)
    assert members.after(LOST, now=0, was_ready=False) == (third, 0.0)
    tried: list[Member] = []
    now = 0.0
    while (found := members.after(LOST, now=now, was_ready=False)) is not None:
        tried.append(found[0])
        now += found[1]
    assert first not in tried
    assert {second, third} == set(tried)
    assert 1 < now < 60


def test_a_member_that_serves_has_its_whole_budget_again() -> None:
    """Retries are counted between successes."""
    members = chain(1, max_retries=1)
    for _ in range(5):
        assert members.after(LOST, now=0, was_ready=True) is not None
        members.serves()
    assert members.after(LOST, now=0, was_ready=True) is not None
    assert members.after(LOST, now=0, was_ready=True) is None


def test_the_deadline_is_for_all_together() -> None:
    """It begins when the stream is lost and ends when somebody is ready."""
    members = chain(2, deadline=5)
    assert members.after(LOST, now=100, was_ready=True) is not None
    assert members.after(LOST, now=104, was_ready=False) is not None
    members.ready()
    assert members.after(LOST, now=200, was_ready=True) is not None
    assert members.after(LOST, now=206, was_ready=False) is None


def test_what_everybody_is_silent_about_is_silence() -> None:
    """A member that says nothing to speech is left; when all but one were, nobody is left for that any more."""
    members = chain(3)
    for _ in range(2):
        assert members.watch(lambda: pytest.fail("not asked yet")) is not None
        assert members.after(LOST, now=0, was_ready=True, stalled=True) is not None
    assert members.watch(lambda: pytest.fail("not asked yet")) is None
    members.serves()
    assert members.watch(lambda: pytest.fail("not asked yet")) is not None
    assert chain(1).watch(lambda: pytest.fail("not asked yet")) is None


def test_finals_that_do_not_come_are_asked_of_the_next() -> None:
    """And never again of the same: it would take as long."""
    members = chain(2)
    assert members.after(DrainTimeoutError("slow"), now=0, was_ready=True, stalled=True) == (members.all[1], 0.0)
    assert members.after(DrainTimeoutError("slow"), now=0, was_ready=True, stalled=True) is None


def test_the_end_has_the_cause_of_every_member() -> None:
    """In the chain's order; a single provider's error is its own."""
    members = chain(2)
    members.after(LOST, now=0, was_ready=False)
    members.after(REFUSED, now=0, was_ready=False)
    error = members.final_error(REFUSED)
    assert isinstance(error, AllProvidersFailedError)
    assert error.causes == (LOST, REFUSED)
    assert "scripted" in str(error)
    single = chain(1)
    assert single.final_error(REFUSED) is REFUSED


def test_options_of_a_chain_are_for_all_members_or_none() -> None:
    """Checked before anything has changed; what is about a network is kept from an engine of this machine."""
    members = chain(2)
    changed = members.changed("de", {"base_url": "http://localhost:1", "flush_timeout": 7})
    assert [settings.language for settings in changed] == ["de", "de"]
    assert [settings.stream["flush_timeout"] for settings in changed] == [7, 7]
    assert all(each.settings.language is None for each in members.all)
    with pytest.raises(ConfigError, match="no_such"):
        members.changed(None, {"no_such": 1})
    with pytest.raises(ConfigError, match="base_url"):
        chain(1).changed(None, {"base_url": "http://localhost:1"})


def test_a_member_whose_options_changed_meanwhile_starts_with_the_new_ones() -> None:
    """One that is told in band keeps its connection's runner."""
    each = member()
    runner = each.runner
    each.change(each.settings.with_options(language="de"), told=True)
    assert each.runner is runner
    each.change(each.settings.with_options(language="fr"), told=False)
    assert each.runner is not runner


@given(
    count=st.integers(1, 4),
    failures=st.lists(
        st.tuples(
            st.sampled_from(
                [LOST, REFUSED, RateLimitError("slow", status=429, retry_after=3), DrainTimeoutError("slow")]
            ),
            st.booleans(),
            st.booleans(),
            st.floats(0, 30),
        ),
        max_size=60,
    ),
    deadline=st.none() | st.floats(1, 60),
)
def test_every_failure_has_an_answer_in_bounded_time(
    count: int, failures: list[tuple[STTError, bool, bool, float]], deadline: float | None
) -> None:
    """Whatever fails when: the wait is finite, the one chosen may be tried, and in the end it ends."""
    members = chain(count, deadline=deadline)
    now = 0.0
    lost_at: float | None = None
    for error, was_ready, stalled, lasted in failures:
        if was_ready:
            members.ready()
            lost_at = None
        now += lasted
        lost_at = now if lost_at is None else lost_at
        found = members.after(error, now=now, was_ready=was_ready, stalled=stalled)
        if found is None:
            assert members.final_error(error) is not None
            assert deadline is not None or all(each.available_at == float("inf") for each in members.all)
            return
        chosen, wait = found
        assert chosen is members.current
        assert 0 <= wait < 60
        assert now + wait >= chosen.available_at
        if deadline is not None:
            assert now + wait <= lost_at + deadline
        now += wait
    spent = sum(each.budget.spent for each in members.all)
    assert spent <= 3 * count
