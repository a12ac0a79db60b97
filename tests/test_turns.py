"""Whatever a provider says, the events that come out are in order (promise S1)."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.events import SpeechData, SpeechEvent, SpeechEventType, Word
from stt_core.turns import TurnOrder

START = SpeechEventType.START_OF_SPEECH
INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
PREFLIGHT = SpeechEventType.PREFLIGHT_TRANSCRIPT
CANCELLED = SpeechEventType.PREFLIGHT_CANCELLED
FINAL = SpeechEventType.FINAL_TRANSCRIPT
END = SpeechEventType.END_OF_SPEECH


def said(
    kind: SpeechEventType, text: str | None = None, start: float | None = None, end: float | None = None
) -> SpeechEvent:
    return SpeechEvent(kind, [] if text is None else [SpeechData(text, start_time=start, end_time=end)])


def ordered(events: list[SpeechEvent], *, turns: bool, finish: bool = True) -> list[SpeechEvent]:
    out: list[SpeechEvent] = []
    order = TurnOrder(out.append, turns=turns, segment_ids=count().__next__)
    for event in events:
        order.handle(event)
    if finish:
        order.finish()
    return out


def shape(events: list[SpeechEvent]) -> list[str]:
    letters = {START: "S", INTERIM: "i", PREFLIGHT: "p", CANCELLED: "c", FINAL: "F", END: "E"}
    return [letters[event.type] + (":" + event.text if event.text else "") for event in events]


times = st.none() | st.floats(-1, 20)
provider_events = st.lists(
    st.one_of(
        st.builds(said, st.sampled_from([START, END, CANCELLED])),
        st.builds(said, st.sampled_from([INTERIM, PREFLIGHT, FINAL]), st.sampled_from(["", "a", "b c"]), times, times),
    ),
    max_size=30,
)


@given(provider_events, st.booleans())
def test_any_sequence_comes_out_in_order(events: list[SpeechEvent], turns: bool) -> None:
    """START and END alternate, text lies between them, finals are never empty and their times never run backwards."""
    finals_in = [event.text for event in events if event.type is FINAL and event.text]
    out = ordered(events, turns=turns)
    speaking, segment, last_end = False, -1, 0.0
    for event in out:
        if event.type is START:
            assert not speaking
            speaking, segment = True, segment + 1
        assert speaking
        assert event.segment_id == segment
        if event.type is END:
            speaking = False
        if event.type is FINAL:
            data = event.alternatives[0]
            assert data.text
            if data.start_time is not None:
                assert data.start_time >= last_end
                assert data.end_time is None or data.end_time >= data.start_time
            last_end = max(last_end, data.end_time or 0.0)
    assert not speaking
    assert [event.text for event in out if event.type is FINAL] == finals_in


@pytest.mark.parametrize(
    ("turns", "events", "expected"),
    [
        (False, [said(INTERIM, "a"), said(FINAL, "a b")], ["S", "i:a", "F:a b", "E"]),
        (False, [said(FINAL, "a"), said(FINAL, "b")], ["S", "F:a", "E", "S", "F:b", "E"]),
        (True, [said(START), said(FINAL, "a"), said(FINAL, "b"), said(END)], ["S", "F:a", "F:b", "E"]),
        (True, [said(START), said(INTERIM, "a"), said(END), said(FINAL, "a")], ["S", "i:a", "F:a", "E"]),
        (True, [said(START), said(START), said(END), said(END)], ["S", "E"]),
        (True, [said(START), said(FINAL, ""), said(END)], ["S", "E"]),
        (True, [said(INTERIM, "a"), said(FINAL, "a"), said(END)], ["S", "i:a", "F:a", "E"]),
        (True, [said(START), said(INTERIM, "a"), said(END), said(START)], ["S", "i:a", "E", "S", "E"]),
        (False, [said(INTERIM, "a"), said(FINAL, "")], ["S", "i:a", "E"]),
        (
            True,
            [said(START), said(INTERIM, ""), said(INTERIM, "a"), said(INTERIM, ""), said(END)],
            ["S", "i:a", "i", "E"],
        ),
        (True, [said(START), said(CANCELLED), said(PREFLIGHT, "a"), said(CANCELLED)], ["S", "p:a", "c", "E"]),
    ],
    ids=[
        "turns are derived from text",
        "each final is a turn where the provider marks none",
        "several finals in a turn",
        "a final that trails its end comes before it",
        "doubled marks",
        "an empty final closes nothing of its own",
        "text without a start",
        "an end whose final never comes",
        "an empty final takes the text back",
        "empty interims are no news, but taking text back is",
        "a cancel without a preflight is none",
    ],
)
def test_providers_habits(turns: bool, events: list[SpeechEvent], expected: list[str]) -> None:
    """One line per habit that providers have."""
    assert shape(ordered(events, turns=turns)) == expected


def test_derived_marks_say_so() -> None:
    """A caller can tell a provider's own turn marks from inferred ones."""
    assert [event.derived for event in ordered([said(FINAL, "a")], turns=False)] == [True, False, True]
    assert [event.derived for event in ordered([said(START), said(FINAL, "a"), said(END)], turns=True)] == [False] * 3


def test_times_that_cannot_be_true_become_unknown() -> None:
    """A final far before the last one, or ending before it starts, keeps its text and loses its times."""
    events = [said(FINAL, "a", 1, 2), said(FINAL, "b", 0.5, 2.5), said(FINAL, "c", 3, 2.5)]
    events[1].alternatives[0].words = [Word("b", 0.5, 2.5)]
    finals = [event.alternatives[0] for event in ordered(events, turns=False) if event.type is FINAL]
    assert [(data.start_time, data.end_time) for data in finals] == [(1, 2), (None, None), (None, None)]
    assert finals[1].words == [Word("b")]


def test_the_last_interim_is_promoted() -> None:
    """When no final comes any more, the words so far are kept as one, marked."""
    out: list[SpeechEvent] = []
    order = TurnOrder(out.append, turns=True, segment_ids=count().__next__)
    order.handle(said(START))
    order.handle(said(INTERIM, "a b"))
    order.promote()
    assert shape(out) == ["S", "i:a b", "F:a b", "E"]
    assert [event.promoted for event in out] == [False, False, True, False]
