"""The kit's checks as items of pytest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from ...errors import STTError
from ..clock import DeadlockError, LeftoverError
from .finding import find_subjects, read_sample
from .kit import prove_now
from .report import Outcome, Promise, State

if TYPE_CHECKING:
    from .subject import Subject

__all__ = ["PromiseItem", "SubjectCollector", "collect"]

MOST_CHARACTERS = 500
"""Of the list of all that waits when nothing happens any more."""


class SubjectCollector(pytest.Collector):
    """One subject, with an item for each promise."""

    subject: Subject

    @classmethod
    def of(cls, subject: Subject, session: pytest.Session) -> Self:
        """The subject's."""
        collector: Self = cls.from_parent(session, name=subject.name, nodeid=subject.name)  # pyright: ignore[reportUnknownMemberType]  (pytest's)
        collector.subject = subject
        return collector

    def collect(self) -> Iterator[PromiseItem]:
        """See :class:`pytest.Collector`."""
        for promise in Promise:
            item: PromiseItem = PromiseItem.from_parent(self, name=str(promise))  # pyright: ignore[reportUnknownMemberType]  (pytest's)
            item.subject, item.promise = self.subject, promise
            yield item


class PromiseItem(pytest.Item):
    """A promise of one subject."""

    subject: Subject
    promise: Promise
    outcome: Outcome | None = None
    """What came of it."""

    def runtest(self) -> None:
        """Passes if the promise is proven."""
        try:
            self.outcome = prove_now(self.subject, self.promise)
        except (DeadlockError, LeftoverError) as error:
            what = "it hangs" if isinstance(error, DeadlockError) else "it leaves something behind"
            self.outcome = Outcome(self.promise, State.BROKEN, f"{what}: {str(error)[:MOST_CHARACTERS]}")
        except Exception as error:
            # Not of a check: the world around the provider, its server half for one, did not come about.
            self.outcome = Outcome(self.promise, State.BROKEN, f"{type(error).__name__}: {error}")
            raise
        self.outcome.require()

    def reportinfo(self) -> tuple[Path, None, str]:
        """For headings."""
        return self.path, None, self.nodeid


def collect(session: pytest.Session, names: Iterable[str], sample: Path | None) -> Iterator[pytest.Item]:
    """The items of some providers.

    Raises:
        pytest.UsageError: a name or the sample is no good.
    """
    try:
        speech = read_sample(sample) if sample is not None else None
        found = [subject for name in names for subject in find_subjects(name, speech)]
    except STTError as error:
        raise pytest.UsageError(f"--stt-provider: {error}") from error
    for subject in found:
        yield from SubjectCollector.of(subject, session).collect()
