"""What a spotting session does with audio, whatever the decoder makes of it.

The recogniser here spots a phrase where the samples hold a mark, 0.1 s after it; loud frames are voiced.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stt_pocketsphinx import endpoint
from stt_pocketsphinx.decoder import PRIOR_MEAN, MeanEstimator, Recognizer, Word
from stt_pocketsphinx.endpoint import FRAME_SAMPLES, Endpointing
from stt_pocketsphinx.engine import Event, EventKind
from stt_pocketsphinx.spotting import SpottingSession

RATE = 16000
LOUD = b"\0\x10" * FRAME_SAMPLES
QUIET = bytes(2 * FRAME_SAMPLES)
PHRASE = 25 * FRAME_SAMPLES
MARKED = LOUD * 24 + b"\1\x10" + LOUD[2:]  # half a second, marked in its last frame
DELAY = RATE // 10


class LoudnessVad:
    def __init__(self, mode: int) -> None:
        assert mode in range(4)

    def is_speech(self, buf: bytes, sample_rate: int) -> bool:
        return buf.count(b"\x10") > sample_rate // 100


class MarkRecognizer(Recognizer):
    """Hears a phrase that ends in each mark."""

    def __init__(self) -> None:
        self._origin = 0
        self._pcm: bytearray | None = None
        self.longest = 0

    def start(self, origin: int, mean: Sequence[float] | None = None) -> None:
        assert self._pcm is None, "an utterance is open"
        self._origin, self._pcm = origin, bytearray()

    def feed(self, pcm: bytes) -> None:
        assert self._pcm is not None, "no utterance is open"
        self._pcm += pcm
        self.longest = max(self.longest, len(self._pcm) // 2)

    def hypothesis(self) -> tuple[Word, ...]:
        assert self._pcm is not None
        return self._spotted(len(self._pcm) // 2 - DELAY)

    def _spotted(self, until: int) -> tuple[Word, ...]:
        assert self._pcm is not None
        found: list[Word] = []
        at = self._pcm.find(b"\1")
        while at >= 0:
            end = at // 2 + FRAME_SAMPLES
            if end - PHRASE >= 0 and end <= until:
                found.append(Word("hey", self._origin + end - PHRASE, self._origin + end))
            at = self._pcm.find(b"\1", at + 1)
        return tuple(reversed(found))

    def cancel(self) -> None:
        self._pcm = None

    def finish(self) -> tuple[Word, ...]:
        assert self._pcm is not None
        words = self._spotted(len(self._pcm) // 2)
        self._pcm = None
        return words


class ConstantEstimator(MeanEstimator):
    def __init__(self) -> None:
        pass

    def __call__(self, pcm: bytes) -> tuple[float, ...] | None:
        return PRIOR_MEAN


@pytest.fixture(autouse=True, scope="module")
def loudness_vad() -> Iterable[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(endpoint, "new_vad", LoudnessVad)
        yield


def over(pcm: bytes, cuts: Iterable[int] = (), *, max_speech: float = 20.0) -> tuple[list[Event], MarkRecognizer]:
    recognizer, events = MarkRecognizer(), list[Event]()
    session = SpottingSession(recognizer, ConstantEstimator(), Endpointing(max_speech=max_speech), events.append)
    for start, end in pairwise([0, *sorted(cuts), len(pcm)]):
        session.feed(pcm[start:end])
    session.flush()
    return events, recognizer


parts = st.lists(st.sampled_from([LOUD * 30, QUIET * 30, MARKED, LOUD * 3, QUIET * 3, LOUD * 200]), max_size=10)


@settings(deadline=None)
@given(parts, st.data())
def test_every_phrase_is_said_once(pieces: list[bytes], data: st.DataObject) -> None:
    """However the audio is cut, and wherever speech without end is: START, FINAL, END for each, in order, and timed."""
    pcm = b"".join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(pcm)), max_size=6))
    events, recognizer = over(pcm, cuts, max_speech=5.0)
    said = [event for event in events if event.kind is not EventKind.PROGRESS]
    assert [event.kind for event in said] == [EventKind.START, EventKind.FINAL, EventKind.END] * (len(said) // 3)
    ends = [event.words[0].end for event in said if event.kind is EventKind.FINAL]
    starts = [sum(map(len, pieces[:at])) // 2 for at, piece in enumerate(pieces) if piece is MARKED]
    assert ends == [start + PHRASE for start in starts]
    assert all(before.settled <= after.settled <= after.position for before, after in pairwise(events))
    assert recognizer.longest <= 5.1 * RATE


def test_a_phrase_is_said_while_the_speech_goes_on() -> None:
    """It does not wait for silence: 0.2 s after its end at most, of which half is the decoder's."""
    events, _ = over(LOUD * 100 + MARKED + LOUD * 100, max_speech=20.0)
    final = next(event for event in events if event.kind is EventKind.FINAL)
    assert final.words[0].end == 125 * FRAME_SAMPLES
    run = over_in_pieces(LOUD * 100 + MARKED + LOUD * 100)
    assert run - 125 * FRAME_SAMPLES <= RATE // 5


def over_in_pieces(pcm: bytes) -> int:
    """The position at which the first phrase is said when the audio comes in frames."""
    events: list[Event] = []
    session = SpottingSession(MarkRecognizer(), ConstantEstimator(), Endpointing(), events.append)
    for at in range(0, len(pcm), len(LOUD)):
        session.feed(pcm[at : at + len(LOUD)])
        if any(event.kind is EventKind.FINAL for event in events):
            return (at + len(LOUD)) // 2
    raise AssertionError("it was never said")


def test_speech_without_end_takes_no_more_memory() -> None:
    """Ten minutes of speech: no more than max_speech of it is ever kept, and what was heard is settled as it goes."""
    recognizer, events = MarkRecognizer(), list[Event]()
    session = SpottingSession(recognizer, ConstantEstimator(), Endpointing(max_speech=5.0), events.append)
    for _ in range(600):
        session.feed(LOUD * 50)
        assert events[-1].position - events[-1].settled <= 6 * RATE
        events.clear()
    assert recognizer.longest <= 5.1 * RATE
