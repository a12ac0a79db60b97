"""Digits, grammars and keyphrases on real speech."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stt_pocketsphinx.decoder import MeanEstimator, Recognizer
from stt_pocketsphinx.endpoint import Endpointing
from stt_pocketsphinx.engine import Event, EventKind, FileSession, LiveSession, Session
from stt_pocketsphinx.searches import new_recognizer
from stt_pocketsphinx.spotting import SpottingSession
from stt_pocketsphinx.task import Kind, Task, digits_grammar

Speech = Callable[[str], tuple[bytes, str]]

LIGHTS = """#JSGF V1.0;
public <command> = turn (on | off) the (light | radio) [in the <room>] | open the window;
<room> = kitchen | bedroom;
"""
DIGITS = Task(Kind.GRAMMAR, grammar=digits_grammar(), rejection=2.5, interims=False)
PHRASES = (("turn on the light", 1e-24), ("leave a message", 1e-22))


def run(recognizer: Recognizer, estimator: MeanEstimator, pcm: bytes, kind: type[Session] = LiveSession) -> list[Event]:
    recognizer.reset()
    events: list[Event] = []
    session = kind(recognizer, estimator, Endpointing(), events.append)
    for at in range(0, len(pcm), 3200):
        session.feed(pcm[at : at + 3200])
    session.flush()
    return [event for event in events if event.kind is not EventKind.PROGRESS]


def text_of(events: list[Event], kind: EventKind = EventKind.FINAL) -> str:
    return " ".join(word.text for event in events if event.kind is kind for word in event.words)


@pytest.fixture(scope="module")
def digits() -> Recognizer:
    return new_recognizer(DIGITS)


@pytest.fixture(scope="module")
def lights() -> Recognizer:
    return new_recognizer(Task(Kind.GRAMMAR, grammar=LIGHTS, rejection=2.5, interims=True))


@pytest.fixture(scope="module")
def phrases() -> Recognizer:
    return new_recognizer(Task(Kind.KEYPHRASE, keyphrases=PHRASES))


@pytest.mark.parametrize("kind", [LiveSession, FileSession])
def test_digits_are_heard_and_other_speech_is_not(
    digits: Recognizer, estimator: MeanEstimator, speech: Speech, kind: type[Session]
) -> None:
    """Every digit is right, with times and without a made-up confidence; sentences come to nothing."""
    pcm, text = speech("phone")
    events = run(digits, estimator, pcm, kind)
    assert text_of(events) == text
    (final,) = [event for event in events if event.kind is EventKind.FINAL]
    assert all(word.confidence is None for word in final.words)
    assert all(before.end <= after.start for before, after in zip(final.words, final.words[1:], strict=False))
    assert final.words[-1].end <= len(pcm) // 2
    for name in ("message", "light") if kind is LiveSession else ("message",):
        assert text_of(run(digits, estimator, speech(name)[0], kind)) == ""


def test_without_rejection_any_speech_becomes_digits(estimator: MeanEstimator, speech: Speech) -> None:
    """It is the comparison with any sounds that rejects, not the grammar's search."""
    open_to_all = new_recognizer(Task(Kind.GRAMMAR, grammar=digits_grammar(), rejection=None, interims=False))
    assert text_of(run(open_to_all, estimator, speech("message")[0]))


def test_a_grammar_hears_what_it_allows(lights: Recognizer, estimator: MeanEstimator, speech: Speech) -> None:
    """The sentence is heard, with interims on the way; speech outside is rejected, and the next is heard again."""
    pcm, text = speech("light")
    events = run(lights, estimator, pcm + bytes(32000) + speech("message")[0] + bytes(32000) + pcm)
    assert [event.kind for event in events if event.kind is not EventKind.INTERIM] == [
        *(EventKind.START, EventKind.FINAL, EventKind.END),
        *(EventKind.START, EventKind.END),
        *(EventKind.START, EventKind.FINAL, EventKind.END),
    ]
    assert text_of(events) == f"{text} {text}"
    assert text.startswith(
        text_of([next(event for event in events if event.kind is EventKind.INTERIM)], EventKind.INTERIM)
    )


def test_a_grammar_takes_words_of_the_user(estimator: MeanEstimator, speech: Speech, tmp_path: Path) -> None:
    """A word that the engine never heard of, and another way to say a known one; both are kept by a reset."""
    dictionary = tmp_path / "ours.dict"
    dictionary.write_text("lite L AY T\nkitchen K AE CH AH N\n")
    grammar = "#JSGF V1.0;\npublic <a> = torn on the lite in the kitchen;"
    recognizer = new_recognizer(
        Task(
            Kind.GRAMMAR,
            grammar=grammar,
            rejection=2.5,
            pronunciations=("torn T ER N",),
            dictionary=str(dictionary),
            interims=False,
        )
    )
    assert text_of(run(recognizer, estimator, speech("light")[0])) == "torn on the lite in the kitchen"


def test_phrases_are_spotted_at_once(phrases: Recognizer, estimator: MeanEstimator, speech: Speech) -> None:
    """START, FINAL and END with the phrase's own times, soon after its end and before the sentence is over."""
    pcm, _ = speech("light")
    events = run(phrases, estimator, bytes(32000) + pcm + bytes(32000), SpottingSession)
    assert [event.kind for event in events] == [EventKind.START, EventKind.FINAL, EventKind.END]
    start, final, end = events
    (word,) = final.words
    assert (word.text, word.confidence) == ("turn on the light", None)
    assert (start.time, end.time) == (word.start, word.end)
    assert 16000 < word.start < word.end < 16000 + len(pcm) // 2
    assert final.settled == word.end <= final.position
    # The first second is searched anew once its mean is known; from then on a phrase is noticed within 0.3 s.
    later = run(phrases, estimator, speech("weather")[0] + bytes(32000) + pcm, SpottingSession)[1]
    assert later.position - later.words[0].end <= 0.3 * 16000


def test_other_speech_is_let_pass(phrases: Recognizer, estimator: MeanEstimator, speech: Speech) -> None:
    """What is no phrase brings no event, not even START; the other phrase is known by its text."""
    assert run(phrases, estimator, speech("weather")[0], SpottingSession) == []
    assert run(phrases, estimator, speech("phone")[0], SpottingSession) == []
    assert text_of(run(phrases, estimator, speech("message")[0], SpottingSession)) == "leave a message"


@pytest.mark.parametrize("task", [DIGITS, Task(Kind.KEYPHRASE, keyphrases=PHRASES)])
def test_a_session_leaves_no_trace(task: Task, estimator: MeanEstimator, speech: Speech) -> None:
    """After a reset a recogniser says to the last bit what a new one says."""
    kind = SpottingSession if task.kind is Kind.KEYPHRASE else LiveSession
    used, pcm = new_recognizer(task), speech("light" if kind is SpottingSession else "phone")[0]
    expected = run(used, estimator, pcm, kind)
    run(used, estimator, speech("garden")[0][:60000], kind)
    assert run(used, estimator, pcm, kind) == expected != []
