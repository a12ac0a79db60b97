"""What a check can say: a promise is proven, broken, or not proven."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["NotProven", "Outcome", "Promise", "PromiseBroken", "Report", "State"]


class Promise(enum.StrEnum):
    """What every stream keeps, whatever the provider behind it."""

    ORDER = "S1 order"
    CLOCK = "S2 clock"
    NO_LOSS = "S3 no silent loss"
    LIVENESS = "S4 liveness"
    DRAIN = "S5 drain"
    FLUSH = "S6 flush"
    BOUNDS = "S7 bounds"
    CLOSE = "S8 close"
    ERRORS = "S9 errors"
    USAGE = "S10 usage"
    UNKNOWN = "S11 unknown is None"
    SECRETS = "S12 no secret leaks"
    AUDIO = "S13 honest audio"
    UPDATE = "S14 update"

    @property
    def meaning(self) -> str:
        """What is promised, in a sentence."""
        return _MEANINGS[self]


_MEANINGS = {
    Promise.ORDER: "segments start and end in turn; finals are in order, never empty and never said twice",
    Promise.CLOCK: "times count from the first sample pushed, whatever outages and replays happen",
    Promise.NO_LOSS: "every word pushed becomes final, also over dropped connections, or AUDIO_LOST says which span",
    Promise.LIVENESS: "a dead peer is noticed within liveness_timeout, and a silent one is not taken for dead",
    Promise.DRAIN: "after end_input() everything that was said comes, and then the end; never a hang",
    Promise.FLUSH: "flush() makes what was sent final and returns just that, or fails within flush_timeout",
    Promise.BOUNDS: "nothing grows without bound where nobody reads, and nothing healthy looks dead then",
    Promise.CLOSE: "closing is quick, can be done twice, and leaves no task, socket, process or warning",
    Promise.ERRORS: "only STTErrors come out, in the vendor's words; what is refused for good is not tried again",
    Promise.USAGE: "seconds sent, replayed and injected are counted apart, and add up to what arrived",
    Promise.UNKNOWN: "what the wire does not say is None; no confidence, language, time or speaker is invented",
    Promise.SECRETS: "no key is in a URL, a repr, a log, an error or the local variables of a traceback",
    Promise.AUDIO: "the rate declared is that of the bytes sent; stereo is mixed, a native format left untouched",
    Promise.UPDATE: "options that change while a stream runs arrive and lose no word, or are refused by name",
}


class State(enum.StrEnum):
    """What is known about a promise."""

    PROVEN = "PROVEN"
    BROKEN = "BROKEN"
    NOT_PROVEN = "NOT PROVEN"


class PromiseBroken(AssertionError):  # noqa: N818  (a verdict; AssertionError says what pytest makes of it)
    """A provider does not keep a promise.

    Attributes:
        promise: which one.
        what: what was seen.
    """

    def __init__(self, promise: Promise, what: str) -> None:
        super().__init__(f"{promise}: {what}")
        self.promise = promise
        self.what = what

    def __reduce__(self) -> tuple[type[PromiseBroken], tuple[Promise, str]]:
        return type(self), (self.promise, self.what)


class NotProven(Exception):  # noqa: N818  (a verdict)
    """A promise could not be put to the test; the message says what was missing. It never counts as kept."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of checking one promise.

    Attributes:
        promise: which one.
        state: what is known about it now.
        reason: why it is not proven; ``""`` when it is.
    """

    promise: Promise
    state: State
    reason: str = ""

    def require(self) -> None:
        """For tests: returns if the promise is proven.

        Raises:
            PromiseBroken: it is broken.
            NotProven: it could not be put to the test.
        """
        if self.state is State.BROKEN:
            raise PromiseBroken(self.promise, self.reason)
        if self.state is State.NOT_PROVEN:
            raise NotProven(f"{self.promise}: {self.reason}")

    def __str__(self) -> str:
        return f"{self.promise:<22} {self.state:<11}{self.reason}".rstrip()

    def explain(self) -> Iterator[str]:
        """Lines for who has never seen one: the state; unless it is proven, what was promised, and why it is not."""
        yield f"{self.promise:<22} {self.state}"
        if self.state is not State.PROVEN:
            yield f"    promised: {self.promise.meaning}"
            yield f"    {'seen' if self.state is State.BROKEN else 'why'}: {self.reason}"


class Report:
    """The outcomes of one provider, by promise; as text, a table."""

    def __init__(self, name: str, outcomes: Iterable[Outcome]) -> None:
        self.name = name
        self._outcomes = {outcome.promise: outcome for outcome in outcomes}

    def __getitem__(self, promise: Promise) -> Outcome:
        return self._outcomes[promise]

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self._outcomes.values())

    def in_state(self, state: State) -> list[Promise]:
        """The promises of which this is known."""
        return [outcome.promise for outcome in self if outcome.state is state]

    def __str__(self) -> str:
        return "\n".join([self.name, *(f"  {outcome}" for outcome in self)])
