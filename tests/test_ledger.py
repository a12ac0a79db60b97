"""The ledger keeps every pushed sample until it is settled, or says that it was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stt_core.audio.frames import AudioFormat
from stt_core.ledger import Ledger, Span

if TYPE_CHECKING:
    from stt_core.events import Settlement

RATE = 1000
FORMAT = AudioFormat(RATE)


def voice(frames: int, start: int = 0) -> bytes:
    """Loud samples that say which position they are at."""
    positions = np.arange(start, start + frames)
    return (np.where(positions % 2, 1, -1) * (8000 + positions % 8000)).astype("<i2").tobytes()


def silence(frames: int) -> bytes:
    return bytes(2 * frames)


def take_all(ledger: Ledger, position: int) -> tuple[int, bytes]:
    """Reads on from a position as a connection does."""
    number, data = ledger.find(position), b""
    while (block := ledger.block(number)) is not None:
        number, start, piece = block
        skip = max(position - start, 0) * 2
        data += piece[skip:]
        position = start + len(piece) // 2
        number += 1
    return position, data


class LedgerMachine(RuleBasedStateMachine):
    """A model of the ledger: which samples must still be readable, and which were reported lost."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(FORMAT, capacity_seconds=2)
        self.pushed = bytearray()
        self.lost: list[Span] = []

    @rule(frames=st.integers(0, 700), loud=st.booleans(), odd=st.integers(0, 1))
    def push(self, frames: int, loud: bool, odd: int) -> None:
        at = len(self.pushed) // 2
        data = (voice(frames, at) if loud else silence(frames)) + bytes(odd)
        self.pushed += data
        lost = self.ledger.push(data)
        if lost is not None:
            self.lost.append(lost)

    @rule()
    def seal(self) -> None:
        lost = self.ledger.seal()
        if lost is not None:
            self.lost.append(lost)
        assert self.ledger.end == len(self.pushed) // 2

    @rule(share=st.floats(0, 1))
    def send(self, share: float) -> None:
        ledger = self.ledger
        ledger.sent = max(ledger.sent, round(max(ledger.sent, ledger.base) * (1 - share) + ledger.end * share))

    @rule(share=st.floats(0, 1.2), settlement=st.sampled_from(["exact", "timed", "estimated"]))
    def settle(self, share: float, settlement: Settlement) -> None:
        before = self.ledger.settled
        moved = self.ledger.settle(round(self.ledger.end * share), settlement)
        assert moved == (self.ledger.settled > before)

    @precondition(lambda self: self.ledger.sent > 0)
    @rule()
    def estimate(self) -> None:
        """An estimate is never further than what was asked, nor before what is settled."""
        ledger = self.ledger
        assume(ledger.sent >= ledger.settled)
        assert ledger.settled <= ledger.estimate(ledger.sent) <= ledger.sent

    @rule()
    def reconnect(self) -> None:
        """From where a connection resumes, every unsettled voiced sample that is kept comes again, unchanged."""
        ledger = self.ledger
        start = ledger.replay_start()
        assert ledger.base <= start <= max(ledger.sent, ledger.base)
        if ledger.settlement == "exact":
            assert start >= min(ledger.settled, ledger.end)
        position, data = take_all(ledger, start)
        assert position == max(ledger.end, start)
        assert data == bytes(self.pushed[start * 2 : ledger.end * 2])
        skipped = np.frombuffer(bytes(self.pushed[: start * 2]), "<i2")[max(ledger.settled, ledger.base) :]
        assert not np.any(skipped)

    @rule()
    def forfeit(self) -> None:
        self.lost.extend(self.ledger.forfeit())

    @invariant()
    def positions_are_ordered(self) -> None:
        ledger = self.ledger
        assert ledger.settled <= max(ledger.sent, 0)
        assert ledger.base <= ledger.end
        assert ledger.end - ledger.base <= ledger.capacity

    @invariant()
    def nothing_unsettled_goes_unreported(self) -> None:
        """A voiced sample before the base was settled, or reported lost, or will be reported when it is forfeited."""
        ledger = self.ledger
        if ledger.base <= ledger.settled:
            return
        samples = np.frombuffer(bytes(self.pushed[: ledger.base * 2]), "<i2")
        voiced = np.flatnonzero(samples)
        voiced = voiced[voiced >= ledger.settled]
        reported = self.lost + ledger._evicted  # pyright: ignore[reportPrivateUsage]  (what forfeit() would give)
        for start, end in reported:
            voiced = voiced[(voiced < start) | (voiced >= end)]
        assert not len(voiced)


TestLedger = LedgerMachine.TestCase


def test_unsent_audio_dropped_from_a_full_ledger_is_reported_at_once() -> None:
    """The span says exactly which samples will never be sent."""
    ledger = Ledger(FORMAT, capacity_seconds=1)
    assert ledger.push(voice(1000)) is None
    lost = ledger.push(voice(100))
    assert lost is not None
    assert lost[0] == 0
    assert lost[1] == ledger.base >= 100


def test_sent_audio_dropped_is_a_loss_only_when_the_connection_fails() -> None:
    """The provider may well have heard it; only when it cannot answer any more is it lost."""
    ledger = Ledger(FORMAT, capacity_seconds=1)
    ledger.push(voice(1000))
    ledger.sent = 1000
    assert ledger.push(voice(500, 1000)) is None
    assert ledger.forfeit() == [(0, ledger.base)]
    assert ledger.forfeit() == []


def test_silence_dropped_is_no_loss() -> None:
    """A minute of nothing, unsettled because there was nothing to say, owes nothing."""
    ledger = Ledger(FORMAT, capacity_seconds=1)
    for _ in range(60):
        ledger.push(silence(1000))
        ledger.sent = ledger.end
    assert ledger.forfeit() == []
    assert not ledger.has_unsettled_voice()


def test_a_replay_skips_settled_audio_and_silence() -> None:
    """It begins 0.3 s before the first voice that is not settled."""
    ledger = Ledger(FORMAT, capacity_seconds=10)
    ledger.push(voice(1000) + silence(1000) + voice(1000))
    ledger.seal()
    ledger.sent = 3000
    ledger.settle(1000, "timed")
    assert ledger.replay_start() == 1700


@pytest.mark.parametrize(("settlement", "start"), [("exact", 1000), ("timed", 700), ("estimated", 700)])
def test_nothing_is_replayed_that_is_settled_exactly(settlement: Settlement, start: int) -> None:
    """A preroll before an exact position would bring words again that no time tells apart."""
    ledger = Ledger(FORMAT, capacity_seconds=10)
    ledger.push(voice(2000))
    ledger.seal()
    ledger.sent = 2000
    ledger.settle(1000, settlement)
    assert ledger.replay_start() == start


def test_an_estimate_cuts_where_it_is_quiet() -> None:
    """Within the half second before, the gap between two words is found."""
    ledger = Ledger(FORMAT, capacity_seconds=10)
    ledger.push(voice(1600) + silence(60) + voice(400))
    ledger.seal()
    ledger.sent = ledger.end
    assert 1600 <= ledger.estimate(2000) <= 1660


def test_sealing_again_and_again_keeps_the_bound() -> None:
    """A caller that flushes after every few samples does not grow the ledger."""
    ledger = Ledger(FORMAT, capacity_seconds=1)
    lost: list[Span] = []
    for index in range(300):
        ledger.push(voice(10, 10 * index))
        if (span := ledger.seal()) is not None:
            lost.append(span)
    assert ledger.end - ledger.base <= ledger.capacity
    assert sum(end - start for start, end in lost) == ledger.base
