"""What sessions do with audio, whatever the recogniser makes of it.

The recogniser here "recognises" a word in every tenth of a second, the detector calls loud frames voiced: so the tests
can say exactly what must have been decoded, and hypothesis can try thousands of streams.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_pocketsphinx import endpoint
from stt_pocketsphinx.decoder import PRIOR_MEAN, MeanEstimator, Recognizer, Word
from stt_pocketsphinx.endpoint import FRAME_SAMPLES, Endpointing
from stt_pocketsphinx.engine import Event, EventKind, FileSession, LiveSession, Mean, Session, Stabiliser

RATE = 16000
WORD = RATE // 10
LOUD = b"\0\x10" * FRAME_SAMPLES
QUIET = bytes(2 * FRAME_SAMPLES)


class LoudnessVad:
    def __init__(self, mode: int) -> None:
        assert mode in range(4)

    def is_speech(self, buf: bytes, sample_rate: int) -> bool:
        return buf.count(b"\x10") > sample_rate // 100


class CountingRecognizer(Recognizer):
    """Keeps what it was fed; a word per whole or begun tenth of a second."""

    def __init__(self) -> None:
        self.utterances: list[tuple[int, int]] = []
        self.means: list[tuple[float, ...] | None] = []
        self._open: tuple[int, int] | None = None

    def start(self, origin: int, mean: Sequence[float] | None = None) -> None:
        assert self._open is None, "an utterance is open"
        self.means.append(None if mean is None else tuple(mean))
        self._open = origin, origin

    def feed(self, pcm: bytes) -> None:
        assert self._open is not None, "no utterance is open"
        assert pcm
        assert len(pcm) % 2 == 0
        self._open = self._open[0], self._open[1] + len(pcm) // 2

    def hypothesis(self) -> tuple[Word, ...]:
        assert self._open is not None
        start, end = self._open
        return tuple(Word(str(number), at, min(at + WORD, end)) for number, at in enumerate(range(start, end, WORD)))

    def cancel(self) -> None:
        self.finish()

    def finish(self) -> tuple[Word, ...]:
        words = self.hypothesis()
        assert self._open is not None
        self.utterances.append(self._open)
        self._open = None
        return words


class ConstantEstimator(MeanEstimator):
    def __init__(self) -> None:
        self.heard: list[int] = []

    def __call__(self, pcm: bytes) -> tuple[float, ...] | None:
        self.heard.append(len(pcm) // 2)
        return tuple(2 * value for value in PRIOR_MEAN)


@pytest.fixture(autouse=True, scope="module")
def loudness_vad() -> Iterable[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(endpoint, "new_vad", LoudnessVad)
        yield


class Run:
    """One session over some audio."""

    def __init__(self, kind: type[Session], settings: Endpointing | None = None) -> None:
        self.recognizer = CountingRecognizer()
        self.estimator = ConstantEstimator()
        self.everything: list[Event] = []
        self.session = kind(self.recognizer, self.estimator, settings or Endpointing(), self.everything.append)

    @property
    def events(self) -> list[Event]:
        return [event for event in self.everything if event.kind is not EventKind.PROGRESS]

    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.events if event.kind is not EventKind.INTERIM]


def audio(*parts: tuple[bytes, int]) -> bytes:
    return b"".join(frame * count for frame, count in parts)


def over(kind: type[Session], pcm: bytes, cuts: Iterable[int] = (), settings: Endpointing | None = None) -> Run:
    """A run that ends with a flush; the audio comes in pieces that end at `cuts`."""
    run = Run(kind, settings)
    for start, end in pairwise([0, *sorted(cuts), len(pcm)]):
        run.session.feed(pcm[start:end])
    run.session.flush()
    return run


streams = st.lists(st.tuples(st.sampled_from([LOUD, QUIET]), st.integers(1, 120)), max_size=12).map(
    lambda parts: audio(*parts)
)
BOTH = pytest.mark.parametrize("kind", [LiveSession, FileSession])


@BOTH
@given(pcm=streams, data=st.data())
def test_the_sizes_of_the_pieces_make_no_difference(kind: type[Session], pcm: bytes, data: st.DataObject) -> None:
    """Audio cut anywhere, in the middle of a sample too, gives the same events at the same positions."""
    cuts = data.draw(st.lists(st.integers(0, len(pcm)), max_size=8))
    whole, pieces = over(kind, pcm), over(kind, pcm, cuts)
    assert pieces.recognizer.utterances == whole.recognizer.utterances
    assert [(e.kind, e.settled, e.time, e.words) for e in pieces.events] == [
        (e.kind, e.settled, e.time, e.words) for e in whole.events
    ]


@BOTH
@given(pcm=streams, short=st.booleans())
def test_events_keep_their_order_and_nothing_settles_twice(kind: type[Session], pcm: bytes, *, short: bool) -> None:
    """START and END alternate; positions grow; a FINAL's words lie between what was settled before and after it."""
    run = over(kind, pcm, settings=Endpointing(max_speech=5.0) if short else None)
    boundaries = [event.kind for event in run.events if event.kind in (EventKind.START, EventKind.END)]
    assert boundaries == ([EventKind.START, EventKind.END] * len(boundaries))[: len(boundaries)]
    assert len(boundaries) % 2 == 0
    for before, after in pairwise(run.everything):
        assert before.position <= after.position
        assert before.settled <= after.settled
    known = 0
    for event in run.events:
        assert event.settled <= event.position
        if event.kind is EventKind.FINAL:
            assert event.words
            assert event.words[0].start >= known
            assert event.words[-1].end <= event.settled
            known = event.settled


@BOTH
@given(pcm=streams)
def test_all_speech_is_decoded(kind: type[Session], pcm: bytes) -> None:
    """Every run of voice that is long enough to be speech lies inside what was decoded, and the end settles it all."""
    run = over(kind, pcm)
    voiced = [pcm[at + 1] == 0x10 for at in range(0, len(pcm), 2 * FRAME_SAMPLES)]
    at = 0
    while at < len(voiced):
        end = next((index for index in range(at, len(voiced)) if not voiced[index]), len(voiced))
        if end - at >= 6:
            inside = [u for u in run.recognizer.utterances if u[0] < end * FRAME_SAMPLES and u[1] > at * FRAME_SAMPLES]
            assert min(start for start, _ in inside) <= at * FRAME_SAMPLES
            assert max(stop for _, stop in inside) >= end * FRAME_SAMPLES
        at = max(end, at + 1)
    assert run.session.flush() <= len(pcm) // 2


@given(pcm=streams, more=streams)
def test_flush_settles_what_was_heard(pcm: bytes, more: bytes) -> None:
    """After flush() nothing is open, all is settled but a sound that may yet begin a word, and the session goes on."""
    run = Run(LiveSession)
    run.session.feed(pcm)
    settled = run.session.flush()
    assert len(pcm) // 2 - 8 * FRAME_SAMPLES <= settled <= len(pcm) // 2
    assert run.kinds()[-1:] in ([], [EventKind.END])
    heard = len(run.everything)
    run.session.feed(more)
    run.session.flush()
    assert all(event.settled >= settled for event in run.everything[heard:])
    assert all(before.settled <= after.settled for before, after in pairwise(run.everything))
    finals = [event for event in run.events if event.kind is EventKind.FINAL]
    for before, after in pairwise(finals):
        assert before.words[-1].end <= after.words[0].start


@BOTH
def test_flush_takes_the_last_samples_too(kind: type[Session]) -> None:
    """What does not fill a frame is decoded with the rest; half a sample waits for its other half."""
    run = Run(kind)
    run.session.feed(LOUD * 100 + LOUD[:201])
    assert run.session.flush() == 100 * FRAME_SAMPLES + 100
    assert run.recognizer.utterances[-1][1] == 100 * FRAME_SAMPLES + 100
    run.session.feed(LOUD[:1])
    assert run.everything[-1].position == 100 * FRAME_SAMPLES + 101


def test_a_live_utterance_is_told_as_it_comes() -> None:
    """START at the onset, interims while it lasts, FINAL half a second after it, END where the voice ended."""
    run = over(LiveSession, audio((QUIET, 50), (LOUD, 150), (QUIET, 50)))
    assert run.kinds() == [EventKind.START, EventKind.FINAL, EventKind.END]
    start, *interims, final, end = run.events
    assert start.time == 50 * FRAME_SAMPLES
    assert start.settled == 35 * FRAME_SAMPLES  # 0.3 s of pre-roll
    assert interims
    assert all(event.words and event.kind is EventKind.INTERIM for event in interims)
    assert final.position == 223 * FRAME_SAMPLES  # nine tenths of half a second are silent
    assert end.time == 200 * FRAME_SAMPLES


def test_the_mean_is_measured_after_a_second_of_speech_and_carried_on() -> None:
    """The first utterance starts with the prior and is decoded anew after 1 s; the second one goes on with the mean."""
    run = over(LiveSession, audio((QUIET, 50), (LOUD, 150), (QUIET, 50), (LOUD, 100), (QUIET, 50)))
    assert run.recognizer.means[0] == PRIOR_MEAN
    assert run.recognizer.means[1] not in (PRIOR_MEAN, None)
    assert run.recognizer.means[2:] == [None]
    assert run.recognizer.utterances[0][0] == run.recognizer.utterances[1][0]
    assert RATE <= run.estimator.heard[0] <= 1.5 * RATE
    assert len(run.estimator.heard) == 1


def test_a_first_word_shorter_than_a_second_is_decoded_with_its_own_mean_too() -> None:
    """A lone "yes" is measured when it ends."""
    run = over(LiveSession, audio((QUIET, 50), (LOUD, 20), (QUIET, 50)))
    assert len(run.estimator.heard) == 1
    assert run.recognizer.means[-1] not in (PRIOR_MEAN, None)
    assert run.kinds() == [EventKind.START, EventKind.FINAL, EventKind.END]


@BOTH
def test_speech_without_end_is_cut_where_it_is_quiet(kind: type[Session]) -> None:
    """Utterances end within 0.1 s of max_speech, the cut lies in the short pause, and no audio is left out."""
    pause = 180
    run = over(kind, audio((LOUD, pause), (QUIET, 10), (LOUD, 300)), settings=Endpointing(max_speech=4.0))
    finals = [event for event in run.events if event.kind is EventKind.FINAL]
    assert finals[0].settled in range(pause * FRAME_SAMPLES, (pause + 10) * FRAME_SAMPLES + 1)
    assert all(end - start < 4.1 * RATE for start, end in run.recognizer.utterances)
    decoded = sorted(set(run.recognizer.utterances))
    assert max(end for _, end in decoded) == 490 * FRAME_SAMPLES
    assert all(any(s < b <= e for s, e in decoded) for b in range(RATE // 2, 490 * FRAME_SAMPLES, RATE // 2))
    if kind is LiveSession:
        assert run.kinds()[0] is EventKind.START
        assert run.kinds().count(EventKind.END) == 1


def test_a_file_is_measured_before_it_is_decoded() -> None:
    """All segments of a short file are decoded with one mean, made of them all."""
    run = over(FileSession, audio((LOUD, 100), (QUIET, 50), (LOUD, 200), (QUIET, 50), (LOUD, 100)))
    assert len(run.recognizer.utterances) == 3
    assert len(run.estimator.heard) == 3
    assert len(set(run.recognizer.means)) == 1
    assert run.recognizer.means[0] not in (PRIOR_MEAN, None)


def test_a_long_file_is_decoded_minute_by_minute() -> None:
    """Memory stays constant: never is much more than a minute of speech waiting to be decoded."""
    run = Run(FileSession)
    for _ in range(5 * 60):
        run.session.feed(audio((LOUD, 45), (QUIET, 5)))
        event = run.everything[-1]
        assert event.position - event.settled <= 85 * RATE
    run.session.flush()
    assert run.events[-1].settled >= 5 * 60 * RATE - RATE


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0"])
@BOTH
def test_nothing_to_hear_is_nothing_said(kind: type[Session], data: bytes) -> None:
    """No audio, half a sample, one and a half: no event, no error."""
    run = over(kind, data)
    assert run.events == []
    assert run.recognizer.utterances == []


words = st.lists(st.sampled_from("abc"), max_size=6)


@given(st.lists(words, max_size=30), st.integers(1, 4))
def test_what_is_shown_was_the_same_often_enough(hypotheses: list[list[str]], agreeing: int) -> None:
    """Each text shown is what the last hypotheses all begin with, is news, and never just takes words back."""
    stabiliser = Stabiliser(agreeing)
    shown: list[str] = []
    for at, hypothesis in enumerate(hypotheses):
        new = [word.text for word in stabiliser.push([Word(text, 0, 0) for text in hypothesis])]
        if not new:
            continue
        recent = hypotheses[at + 1 - agreeing : at + 1]
        assert len(recent) == agreeing
        assert all(each[: len(new)] == new for each in recent)
        assert new != shown[: len(new)]
        shown = new


def test_a_mean_of_little_speech_leans_on_the_prior() -> None:
    """Half a second weighs as much as the prior; a minute outweighs it; an old minute fades."""
    mean = Mean()
    mean.add([value + 1 for value in PRIOR_MEAN], RATE // 2)
    assert mean.value == pytest.approx([value + 0.5 for value in PRIOR_MEAN])
    mean.add([value + 1 for value in PRIOR_MEAN], 60 * RATE)
    assert mean.value == pytest.approx([value + 1 for value in PRIOR_MEAN])
    mean.add([0.0] * 13, 30 * RATE)
    assert mean.value == pytest.approx([(value + 1) / 2 for value in PRIOR_MEAN])
