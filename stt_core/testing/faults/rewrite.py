"""What a plan does to the messages of one connection, without any I/O."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .messages import Match, Outgoing, Raw, altered, corrupted
from .plan import Alter, Corrupt, DelayResults, Duplicate, Reorder, Replace, SocketFault, Swallow

if TYPE_CHECKING:
    from ...transport.codec import Message
    from .plan import Change

__all__ = ["Counted", "Delays", "Rewriter"]


@dataclass(slots=True)
class Counted:
    """Finds the n-th message that matches."""

    match: Match
    nth: int | None
    seen: int = 0

    def hits(self, message: Message) -> bool:
        """Whether this is the one; to be asked for every message, once."""
        if not self.match(message):
            return False
        self.seen += 1
        return self.nth is None or self.nth == self.seen - 1


@dataclass(slots=True)
class _HeldBack:
    message: Outgoing
    behind: int


class Rewriter:
    """Applies the changes of a plan, in the plan's order.

    Args:
        faults: all of the connection's.
        happened: is told each time.
    """

    def __init__(self, faults: Sequence[SocketFault], happened: Callable[[SocketFault], None]) -> None:
        self._happened = happened
        self._held_back: list[_HeldBack] = []
        self._from_client: list[tuple[Change, Counted]] = []
        self._from_server: list[tuple[Change, Counted]] = []
        for fault in faults:
            if isinstance(fault, Replace | Corrupt | Alter | Duplicate | Reorder | Swallow):
                uplink = isinstance(fault, Swallow) and fault.sender == "client"
                changes = self._from_client if uplink else self._from_server
                changes.append((fault, Counted(fault.match, fault.nth)))

    def passes(self, message: Message) -> bool:
        """Whether a message of the client's arrives at the server."""
        hits = [change for change, counted in self._from_client if counted.hits(message)]
        for change in hits:
            self._happened(change)
        return not hits

    def rewrite(self, message: Message) -> list[Outgoing]:
        """What the client gets where the server sent ``message``."""
        outgoing: list[Outgoing] = [message]
        held_back = self._held_back
        self._held_back = []
        for change, counted in self._from_server:
            if counted.hits(message):
                self._happened(change)
                outgoing = [new for old in outgoing for new in self._change(change, old)]
        for held in held_back:
            held.behind -= bool(outgoing)
        outgoing += [held.message for held in held_back if held.behind <= 0]
        self._held_back = [held for held in held_back if held.behind > 0] + self._held_back
        return outgoing

    def rest(self) -> list[Outgoing]:
        """What is still held back when the server is done."""
        rest, self._held_back = self._held_back, []
        return [held.message for held in rest]

    def _change(self, change: Change, message: Outgoing) -> Sequence[Outgoing]:
        match change:
            case Replace():
                return change.messages
            case Duplicate():
                return [message] * (1 + change.copies)
            case Swallow():
                return []
            case Reorder():
                self._held_back.append(_HeldBack(message, change.behind))
                return []
            case Alter() if isinstance(message, str):
                return [altered(message, missing=change.missing, values=change.values)]
            case Corrupt() if not isinstance(message, Raw):
                return [corrupted(message, change.kind)]
            case _:
                return [message]


class Delays:
    """How long messages wait.

    Args:
        fault: the plan's.
        number: of the connection.
    """

    def __init__(self, fault: DelayResults, number: int) -> None:
        self._fault = fault
        self._random = random.Random(f"{fault.seed} {number}")  # noqa: S311 - reproducible, not secret
        self._last = 0.0

    def until(self, position: float, message: Message | None) -> float:
        """The client's audio position, in seconds, at which a message that came at ``position`` may go on.

        ``None`` stands for the end of the connection, which only keeps its place.
        """
        delay = 0.0
        if message is not None and self._fault.match(message):
            delay = self._random.uniform(self._fault.low, self._fault.high)
        self._last = max(self._last, position + delay)
        return self._last
