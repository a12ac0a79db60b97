"""The engine on real speech."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from stt_pocketsphinx.decoder import MeanEstimator, Recognizer
from stt_pocketsphinx.endpoint import Endpointing
from stt_pocketsphinx.engine import Event, EventKind, FileSession, LiveSession

Speech = Callable[[str], tuple[bytes, str]]
Recognize = Callable[..., list[Event]]
Heard = Callable[[str, bool], list[Event]]

SAMPLES = pytest.mark.parametrize("name", ["garden", "message", "weather"])


def text_of(events: list[Event], kind: EventKind = EventKind.FINAL) -> str:
    return " ".join(word.text for event in events if event.kind is kind for word in event.words)


@SAMPLES
@pytest.mark.parametrize("live", [True, False])
def test_clear_speech_is_understood(speech: Speech, heard: Heard, name: str, *, live: bool) -> None:
    """Every word of the samples is right, as files and as live streams."""
    assert text_of(heard(name, live)) == speech(name)[1]


def test_words_have_times_and_confidence(speech: Speech, heard: Heard) -> None:
    """Words follow each other from where the voice begins to where it ends; those of FINALs have a confidence."""
    events = heard("garden", True)
    final = next(event for event in events if event.kind is EventKind.FINAL)
    start, end = events[0], events[-1]
    assert abs(final.words[0].start - start.time) < 1600
    assert abs(final.words[-1].end - end.time) < 4800
    assert final.words[-1].end <= len(speech("garden")[0]) // 2
    assert all(before.end <= after.start for before, after in pairwise(final.words))
    assert all(word.start < word.end for word in final.words)
    assert all(word.confidence is not None and 0 <= word.confidence <= 1 for word in final.words)
    interims = [event for event in events if event.kind is EventKind.INTERIM]
    assert all(word.confidence is None for event in interims for word in event.words)


def test_interims_grow_into_the_final(speech: Speech, heard: Heard) -> None:
    """Interims come while the speech goes on, and hardly ever take a word back."""
    text = speech("weather")[1]
    interims = [event for event in heard("weather", True) if event.kind is EventKind.INTERIM]
    texts = [" ".join(word.text for word in event.words) for event in interims]
    assert len(texts) >= 5
    assert len(set(texts)) == len(texts)
    assert sum(not after.startswith(before) for before, after in pairwise(texts)) <= 2
    assert text.startswith(texts[-1])


def test_utterances_are_told_apart(speech: Speech, recognize: Recognize) -> None:
    """Two sentences with a pause between are two finals with a START and an END each, timed from the first sample."""
    first, first_text = speech("garden")
    second, second_text = speech("message")
    events = [event for event in recognize(first + bytes(32000) + second) if event.kind is not EventKind.INTERIM]
    assert [event.kind for event in events] == [EventKind.START, EventKind.FINAL, EventKind.END] * 2
    assert text_of(events[:3]) == first_text
    assert text_of(events[3:]) == second_text
    begin = len(first) // 2 + 16000
    assert begin < events[3].time < events[4].words[0].start + 1600 < begin + 16000


def test_a_session_leaves_no_trace(speech: Speech, recognizer: Recognizer, recognize: Recognize) -> None:
    """What a decoder says after another session, given up in the middle, is to the last bit what a new one says."""
    pcm = speech("message")[0][:56000]
    other = speech("garden")[0][:56000]
    loud = b"".join(min(32767, 3 * abs(s)).to_bytes(2, "little") for s in memoryview(other).cast("h"))

    fresh = Recognizer()
    unused_mean = fresh.mean
    expected: list[Event] = []
    session = LiveSession(fresh, MeanEstimator(), Endpointing(), expected.append)
    session.feed(pcm)
    session.flush()

    recognize(other)
    recognizer.start(0)
    recognizer.feed(loud)
    recognizer.reset()
    assert recognizer.mean == unused_mean
    events = recognize(pcm, piece=len(pcm), reset=False)
    assert events == [event for event in expected if event.kind is not EventKind.PROGRESS]
    assert recognizer.mean == fresh.mean


@pytest.mark.parametrize("live", [True, False])
def test_flush_in_the_middle_keeps_every_word_once(
    speech: Speech, heard: Heard, recognizer: Recognizer, estimator: MeanEstimator, *, live: bool
) -> None:
    """A flush between two words finalises the first part at once; the second follows, and no word comes twice."""
    pcm, text = speech("weather")
    words = [word for event in heard("weather", live) if event.kind is EventKind.FINAL for word in event.words]
    cut = next(word.start for word in words if word.text == "and") * 2
    events: list[Event] = []
    recognizer.reset()
    session = (LiveSession if live else FileSession)(recognizer, estimator, Endpointing(), events.append)
    session.feed(pcm[:cut])
    assert session.flush() == cut // 2
    first = text_of(events)
    assert text.startswith(first)
    assert first
    session.feed(pcm[cut:])
    session.flush()
    assert set(text_of(events).split()) >= set(text.split()) - {"and"}
    assert len(text_of(events).split()) <= len(text.split()) + 1


@pytest.mark.parametrize("live", [True, False])
def test_noise_and_silence_say_nothing(recognize: Recognize, *, live: bool) -> None:
    """Digital silence, a click and a constant offset give no words and no error."""
    silence = bytes(32000)
    click = bytes(16000) + b"\xff\x7f" * 40 + bytes(16000)
    offset = b"\x00\x20" * 16000
    for pcm in (silence, click, offset):
        assert text_of(recognize(pcm, live=live)) == ""


def test_long_speech_is_split_and_stays_whole(speech: Speech, recognize: Recognize) -> None:
    """Speech without a pause beyond the limit is several finals of one turn, and nearly all of its words are there."""
    pcm, text = speech("weather")
    voiced = pcm[3200:-12800]
    events = recognize(voiced * 2, settings=Endpointing(max_speech=5.0, end_silence=1.0))
    kinds = [event.kind for event in events if event.kind is not EventKind.INTERIM]
    assert kinds[0] is EventKind.START
    assert kinds[-1] is EventKind.END
    assert kinds.count(EventKind.FINAL) >= 2
    said = text_of(events).split()
    assert sum(said.count(word) for word in set(text.split())) >= 0.8 * 2 * len(text.split())


def test_the_estimator_is_a_function_of_its_audio(speech: Speech, estimator: MeanEstimator) -> None:
    """What it measured before does not matter; nothing to measure is None."""
    pcm, _ = speech("garden")
    first = estimator(pcm)
    assert first is not None
    assert len(first) == 13
    assert estimator(speech("message")[0]) != first
    assert estimator(pcm) == first
    assert estimator(b"") is None
    assert estimator(b"\0") is None
    assert estimator(bytes(32000)) is None


def test_a_recognizer_takes_what_pocketsphinx_does_not(recognizer: Recognizer) -> None:
    """An utterance without audio, or with less than a frame of it, has no words and no error."""
    recognizer.reset()
    for pcm in (b"", b"\0\0" * 10):
        recognizer.start(0)
        recognizer.feed(pcm)
        assert recognizer.hypothesis() == ()
        assert recognizer.finish() == ()


def test_words_come_without_variants_and_fillers(recognize: Recognize, speech: Speech) -> None:
    """No `to(2)`, `<sil>` or `[NOISE]` reaches the caller."""
    pcm, _ = speech("weather")
    events = recognize(pcm[:32000] + pcm[:32001][::-1])  # backwards: noise that is like speech
    assert all(word.text.replace("'", "").isalpha() for event in events for word in event.words)
