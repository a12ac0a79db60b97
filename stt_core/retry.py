"""One budget for every retry.

A stream, a job's polling and a fetch each spend from one :class:`RetryBudget`, so that nested loops cannot multiply
their attempts. The budget neither waits nor reads a clock: it says how long to wait, and its owner says when a success
makes it whole again.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random, SystemRandom

from .errors import APIError, STTError

__all__ = ["RetryBudget", "RetryPolicy"]

_JITTER = 0.2
_MOST_DOUBLINGS = 60


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how fast to try again. All times are seconds.

    Attributes:
        max_retries: how many attempts may follow the first before the budget is spent.
        first_delay: before the first retry, which so often succeeds that it should be quick.
        interval: before the second retry; doubled for each one after it.
        max_interval: what doubling ends at, before the jitter of 20 % either way.
        max_retry_after: the longest wait that a vendor may ask for (``Retry-After``); more ends the retries.
    """

    max_retries: int = 5
    interval: float = 1.0
    max_interval: float = 30.0
    first_delay: float = 0.1
    max_retry_after: float = 60.0


class RetryBudget:
    """Counts retries against a :class:`RetryPolicy`.

    Args:
        policy: the limits.
        random: where the jitter comes from.

    Attributes:
        spent: how many retries were granted since the start or the last :meth:`reset`.
        last_error: what :meth:`spend` was last given, or ``None``.
    """

    __slots__ = ("_policy", "_random", "last_error", "spent")

    def __init__(self, policy: RetryPolicy, random: Random | None = None) -> None:
        self._policy = policy
        self._random = SystemRandom() if random is None else random
        self.spent = 0
        self.last_error: STTError | None = None

    def spend(self, error: STTError) -> float | None:
        """Records a failure.

        Returns:
            Seconds to wait before the next attempt, at least what the vendor asked for. ``None`` when there must be no
            next attempt: the error is not retryable, the budget is spent, or the vendor asked for more than
            ``max_retry_after``.
        """
        policy = self._policy
        self.last_error = error
        retry_after = (error.retry_after if isinstance(error, APIError) else None) or 0.0
        if not error.retryable or self.spent >= policy.max_retries or retry_after > policy.max_retry_after:
            return None
        self.spent += 1
        if self.spent == 1:
            delay = policy.first_delay
        else:
            delay = min(policy.interval * 2.0 ** min(self.spent - 2, _MOST_DOUBLINGS), policy.max_interval)
        return max(retry_after, max(delay, retry_after) * self._random.uniform(1 - _JITTER, 1 + _JITTER))

    def reset(self) -> None:
        """Makes the budget whole: after a result with words in it, or ten seconds of readiness, as its owner sees."""
        self.spent = 0
