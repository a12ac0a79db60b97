"""How long a connection may take for what it owes, and why it was ended when it did not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .errors import ConnectionLostError, ConnectTimeoutError, DrainTimeoutError, STTError

if TYPE_CHECKING:
    from .members import Members
    from .progress import ProgressWatch

__all__ = ["Deadline"]


class Deadline:
    """The one deadline of the connection in use: until it is ready, then none, then until its finals are in.

    Args:
        members: whose turn it is, and how patient one is with them.

    Attributes:
        abort: what the stream has to end with, whatever the connection does.
        stalled: why this connection ends, when it took audio and made nothing of it.
        drain_timeout: seconds for the last finals.
    """

    def __init__(self, members: Members) -> None:
        self.abort: STTError | None = None
        self.stalled: STTError | None = None
        self.drain_timeout = 0.0
        self._members = members
        self._timeout: asyncio.Timeout | None = None
        self._watch: ProgressWatch | None = None

    def begin(self, watch: ProgressWatch | None) -> asyncio.Timeout:
        """A connection begins, to be made within its ``connect_timeout``.

        Returns:
            what it has to run in.
        """
        self.stalled = None
        self._watch = watch
        self._timeout = asyncio.timeout(self._connect_timeout)
        return self._timeout

    def end(self) -> None:
        """The connection is over."""
        self._timeout = None

    def set(self, seconds: float | None) -> None:
        """It has so long from now on; ``None`` for no limit."""
        if self.abort is not None or self.stalled is not None:
            seconds = 0  # nothing puts that off
        timeout = self._timeout
        if timeout is not None and not timeout.expired():
            timeout.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)

    def stop(self, error: STTError) -> None:
        """The stream has to end with this error, now."""
        self.abort = error
        self.set(0)

    def heard(self, data: bytes) -> None:
        """The transport accepted audio."""
        watch = self._watch
        if watch is not None and watch.sent(data):
            self._watch = None
            name = self._members.current.name
            self.stalled = ConnectionLostError(
                f"{name} heard {watch.limit:g} s of speech and said nothing (progress_timeout)", provider=name
            )
            self.set(0)

    def sign(self) -> None:
        """The provider said something."""
        if self._watch is not None:
            self._watch.sign()

    def reason(self, *, ready: bool) -> STTError:
        """Why it passed: it only ever ends a connection for one of these."""
        if self.abort is not None:
            return self.abort
        if self.stalled is not None:
            return self.stalled
        name = self._members.current.name
        if not ready:
            return ConnectTimeoutError(
                f"{name} was not ready within {self._connect_timeout:g} s (connect_timeout)", provider=name
            )
        return DrainTimeoutError(
            f"{name} did not finish within {self.drain_timeout:g} s after the end of input (drain_timeout); "
            "what it had recognised of the open segment was kept as a promoted FINAL",
            provider=name,
        )

    @property
    def _connect_timeout(self) -> float:
        return self._members.current.settings.stt["connect_timeout"]
