"""Who serves a stream, and who is next: a single provider, or the members of a chain.

The :mod:`~stt_core.driver` asks here after every connection that failed. There is no I/O and no clock in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING

from .errors import AllProvidersFailedError, DrainTimeoutError, STTError
from .progress import ProgressWatch
from .registry import WITHOUT_EFFECT_LOCALLY
from .retry import RetryBudget, RetryPolicy

if TYPE_CHECKING:
    from .audio.frames import AudioFormat
    from .options import ChainSettings
    from .registry import Resolved
    from .runner import Runner

__all__ = ["Member", "Members", "is_local", "shared", "with_shared"]

SAME_AGAIN_SECONDS = 0.25
"""A dropped connection is made again with the same member when its budget lets that happen this soon."""


class Member:
    """One provider of a stream.

    Args:
        settings: for the stream.
        make_runner: called when it is its turn, and again when its options have changed meanwhile.

    Attributes:
        budget: its own.
        error: what it failed with last.
    """

    def __init__(self, settings: Resolved, make_runner: Callable[[Resolved], Runner]) -> None:
        self.budget = RetryBudget(
            RetryPolicy(max_retries=settings.stt["max_retries"], interval=settings.stt["retry_interval"])
        )
        self.error: STTError | None = None
        self.available_at = -inf
        self._settings = settings
        self._make_runner = make_runner
        self._runner: Runner | None = None

    def __repr__(self) -> str:
        return f"<Member {self._settings.label}>"

    @property
    def settings(self) -> Resolved:
        """For the stream."""
        return self._settings

    @property
    def name(self) -> str:
        """The provider's."""
        return self._settings.provider.name

    @property
    def runner(self) -> Runner:
        """Made on first use."""
        if self._runner is None:
            self._runner = self._make_runner(self._settings)
        return self._runner

    def change(self, settings: Resolved, *, told: bool) -> None:
        """Takes other settings over. ``told``: its runner hears of them in its own way."""
        self._settings = settings
        if not told:
            self._runner = None


def shared(settings: Resolved, options: Mapping[str, object]) -> dict[str, object]:
    """Of options given for a whole chain, those for this member.

    What is about a network is not for an engine of this machine, which would refuse it; everything else is for all.
    """
    local = is_local(settings)
    return {name: value for name, value in options.items() if not local or name not in WITHOUT_EFFECT_LOCALLY}


def is_local(settings: Resolved) -> bool:
    """Whether this is an engine of this machine."""
    return (settings.family.kind or settings.provider.kind) == "local"


def with_shared(settings: Resolved, language: str | None, options: Mapping[str, object]) -> Resolved:
    """A member's settings with options on top that were given for a whole chain.

    Raises:
        ConfigError: the member does not take one of them.
    """
    return settings.with_options(language=language, **shared(settings, options))


class Members:
    """The members of a stream in their order, and the one that serves.

    A connection that drops is made again with the same member; one that does not come about, or comes to nothing, goes
    to the next member that has failed less, and round again. Each has a retry budget of its own, and is out for the
    rest of the stream when it is spent or would not help.

    Args:
        members: at least one.
        chain: the chain's own options; ``None`` of a single provider.
        on_failed: called when a stream leaves a member, with its error.
    """

    def __init__(
        self,
        members: Sequence[Member],
        *,
        chain: ChainSettings | None = None,
        on_failed: Callable[[Member, STTError], None] | None = None,
    ) -> None:
        self.all = tuple(members)
        self.current = self.all[0]
        self._deadline = None if chain is None else chain["deadline"]
        self._progress_timeout = None if chain is None else chain["progress_timeout"]
        self._on_failed = on_failed
        self._silent: set[Member] = set()  # heard the same speech and said nothing: then there is nothing to be said
        self._down_since: float | None = None

    @property
    def is_chain(self) -> bool:
        """Whether there are several."""
        return len(self.all) > 1

    def changed(self, language: str | None, options: Mapping[str, object]) -> list[Resolved]:
        """The settings of all members with options on top, without changing any.

        Raises:
            ConfigError: a member does not take one of them.
        """
        if self.is_chain:
            return [with_shared(member.settings, language, options) for member in self.all]
        return [self.current.settings.with_options(language=language, **options)]

    def watch(self, audio_format: Callable[[], AudioFormat]) -> ProgressWatch | None:
        """What notices that the current member says nothing to what it hears in this format, if that is of any use."""
        if self._progress_timeout is None or not self.is_chain or len(self._silent) >= len(self.all) - 1:
            return None
        return ProgressWatch(audio_format, self._progress_timeout)

    def serves(self) -> None:
        """The current member has recognised something."""
        self._down_since = None
        self._silent.clear()
        self.current.budget.reset()

    def ready(self) -> None:
        """The current member is ready for audio."""
        self._down_since = None

    def after(
        self, error: STTError, *, now: float, was_ready: bool, stalled: bool = False
    ) -> tuple[Member, float] | None:
        """The member to go on with, which is :attr:`current` from now on, and the seconds to wait before.

        Args:
            error: of the current member.
            now: seconds of any clock.
            was_ready: whether it was ready for audio before it failed.
            stalled: it took what it was given and made nothing of it: somebody else has to try.

        Returns:
            ``None`` when no member is left, or the deadline passes before one could be tried.
        """
        failed = self.current
        failed.error = error
        if self._down_since is None:
            self._down_since = now
        if stalled:
            self._silent.add(failed)
        # Asked again for the rest of the finals it would take as long.
        delay = None if isinstance(error, DrainTimeoutError) else failed.budget.spend(error)
        failed.available_at = inf if delay is None else now + delay
        chosen = self._choose(failed, now, was_ready=was_ready and not stalled)
        wait = max(chosen.available_at - now, 0.0)
        if wait == inf or (self._deadline is not None and now + wait > self._down_since + self._deadline):
            if self.is_chain and self._on_failed is not None:
                self._on_failed(failed, error)
            return None
        if chosen is not failed and self._on_failed is not None:
            self._on_failed(failed, error)
        self.current = chosen
        return chosen, wait

    def _choose(self, failed: Member, now: float, *, was_ready: bool) -> Member:
        if was_ready and failed.available_at <= now + SAME_AGAIN_SECONDS:
            return failed
        ready = [member for member in self.all if member is not failed and member.available_at <= now]
        if ready:
            return min(ready, key=lambda member: member.budget.spent)  # who has not failed yet, before who has
        return min(self.all, key=lambda member: member.available_at)

    def final_error(self, error: STTError) -> STTError:
        """What the stream ends with when nobody is left: of a chain, with the cause of each member that was tried."""
        if not self.is_chain:
            return error
        causes = [member.error for member in self.all if member.error is not None]
        said = "; ".join(f"{member.settings.label}: {member.error}" for member in self.all if member.error is not None)
        return AllProvidersFailedError(f"all members of the chain failed: {said}", causes=causes)
