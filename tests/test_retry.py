"""One budget for every retry."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.errors import AuthenticationError, ConnectionLostError, RateLimitError
from stt_core.retry import RetryBudget, RetryPolicy

policies = st.builds(
    RetryPolicy,
    max_retries=st.integers(0, 2000),
    interval=st.floats(0, 100),
    max_interval=st.floats(0, 1000),
    first_delay=st.floats(0, 10),
    max_retry_after=st.floats(0, 1000),
)


class NoJitter(Random):
    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def test_delays_double_from_the_second_retry_up_to_the_cap() -> None:
    """The first retry is quick, the rest are the interval doubled, then capped; after max_retries there is none."""
    budget = RetryBudget(RetryPolicy(max_retries=8), NoJitter())
    waits = [budget.spend(ConnectionLostError("gone")) for _ in range(10)]
    assert waits == [0.1, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, None, None]
    assert budget.spent == 8


@given(policy=policies, random=st.randoms())
def test_every_delay_is_within_a_fifth_of_the_plan(policy: RetryPolicy, random: Random) -> None:
    """For any policy there are exactly max_retries delays, each within 20 % of its step, however many there are."""
    budget, plan = RetryBudget(policy, random), RetryBudget(policy, NoJitter())
    for _ in range(policy.max_retries):
        delay, planned = budget.spend(ConnectionLostError("gone")), plan.spend(ConnectionLostError("gone"))
        assert delay is not None
        assert planned is not None
        assert planned <= max(policy.first_delay, policy.max_interval)
        assert delay == pytest.approx(planned, rel=0.2 + 1e-9)
    assert budget.spend(ConnectionLostError("gone")) is None
    assert budget.spent == policy.max_retries


@given(policy=policies, random=st.randoms(), retry_after=st.floats(0, 2000))
def test_retry_after_is_honoured_or_ends_it(policy: RetryPolicy, random: Random, retry_after: float) -> None:
    """No attempt comes earlier than the vendor asked; one that would be too late is not made and not counted."""
    budget = RetryBudget(policy, random)
    delay = budget.spend(RateLimitError("slow down", status=429, retry_after=retry_after))
    if retry_after > policy.max_retry_after or policy.max_retries == 0:
        assert delay is None
        assert budget.spent == 0
    else:
        assert delay is not None
        assert retry_after <= delay <= max(retry_after, policy.first_delay) * 1.2 + 1e-9
        assert budget.spent == 1


def test_what_is_not_retryable_is_not_retried_and_costs_nothing() -> None:
    """The error decides; the budget remembers it all the same."""
    budget = RetryBudget(RetryPolicy())
    refused = AuthenticationError("no such key", status=401)
    assert budget.spend(refused) is None
    assert budget.spent == 0
    assert budget.last_error is refused
    assert budget.spend(AuthenticationError("token expired", status=401, retryable=True)) is not None


def test_reset_makes_the_budget_whole() -> None:
    """After a reset the delays begin anew; the last error stays known."""
    budget = RetryBudget(RetryPolicy(max_retries=2), NoJitter())
    error = ConnectionLostError("gone")
    assert [budget.spend(error) for _ in range(3)] == [0.1, 1.0, None]
    budget.reset()
    assert budget.spent == 0
    assert budget.last_error is error
    assert [budget.spend(error) for _ in range(3)] == [0.1, 1.0, None]


def test_jitter_is_random_by_default() -> None:
    """Two clients that failed together do not come back together."""
    waits = {RetryBudget(RetryPolicy()).spend(ConnectionLostError("gone")) for _ in range(20)}
    assert len(waits) > 1
