"""Whether what a grammar heard is what was said, from scores alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_pocketsphinx.rejection import Scored, mismatch

scores = st.floats(-1e4, 0)


def row(*stretches: tuple[int, float]) -> list[Scored]:
    """Stretches of so many frames with so much likelihood in each frame, one after the other."""
    found: list[Scored] = []
    at = 0
    for length, each in stretches:
        found.append(Scored(at, at + length - 1, each * length))
        at += length
    return found


def test_words_as_likely_as_any_sounds_match() -> None:
    """No difference in any frame is none in all; words that are more likely are below it."""
    assert mismatch(row((20, -3.0), (30, -4.0)), row((20, -3.0), (30, -4.0))) == pytest.approx(0)
    assert mismatch(row((20, -2.0)), row((20, -3.0))) == pytest.approx(-1)
    assert mismatch(row((20, -6.0)), row((5, -3.0), (15, -3.0))) == pytest.approx(3)


def test_one_word_that_was_not_said_counts() -> None:
    """A wrong word among right ones is worse than the mean alone says."""
    words = row((30, -3.0), (30, -3.0), (30, -9.0))
    assert mismatch(words, row((90, -3.0))) > 2
    assert mismatch(words[:2], row((90, -3.0))) == pytest.approx(0)


def test_what_lies_between_the_words_does_not_count() -> None:
    """Silence before, between and after them is nobody's word."""
    words = [Scored(10, 19, -30.0), Scored(40, 49, -30.0)]
    assert mismatch(words, row((60, -3.0))) == pytest.approx(0)
    assert mismatch(words, [*row((10, -9.0)), Scored(10, 59, -150.0)]) == pytest.approx(0)


@given(st.lists(st.tuples(st.integers(1, 50), scores), min_size=1, max_size=6), st.integers(1, 50), scores)
def test_it_grows_as_words_become_less_likely(stretches: list[tuple[int, float]], more: int, worse: float) -> None:
    """Less likely words never match better; no words, or sounds that end early, are no error."""
    phones = row(*stretches)
    before = mismatch(phones, phones)
    assert before == pytest.approx(0, abs=1e-6)
    first = phones[0]._replace(score=phones[0].score + worse)
    assert mismatch([first, *phones[1:]], phones) >= before - 1e-6
    assert mismatch([], phones) == 0
    assert isinstance(mismatch([*phones, Scored(phones[-1].last + 1, phones[-1].last + more, worse)], phones), float)
