"""What Cartesia's sockets say, for any sequence of events that a stream can give."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stt_cartesia.replies import ManualReplies, TurnReplies, wire_words
from stt_core.events import SpeechData, SpeechEvent, SpeechEventType, Word
from stt_core.turns import TurnOrder

START = SpeechEventType.START_OF_SPEECH
INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
PREFLIGHT = SpeechEventType.PREFLIGHT_TRANSCRIPT
CANCELLED = SpeechEventType.PREFLIGHT_CANCELLED
FINAL = SpeechEventType.FINAL_TRANSCRIPT
END = SpeechEventType.END_OF_SPEECH

NEXT = {
    "idle": {"turn.start": "speaking"},
    "speaking": {"turn.update": "speaking", "turn.eager_end": "eager", "turn.end": "idle"},
    "eager": {"turn.resume": "speaking", "turn.end": "idle"},
}
"""Section 5.4 of the facts."""


@st.composite
def streams(draw: st.DrawFn) -> list[SpeechEvent]:
    """What a stream delivers of whatever a provider says, in whatever order."""
    delivered: list[SpeechEvent] = []
    order = TurnOrder(delivered.append, turns=draw(st.booleans()), segment_ids=lambda: 0)
    for kind in draw(st.lists(st.sampled_from([START, INTERIM, PREFLIGHT, CANCELLED, FINAL, END]), max_size=30)):
        text = draw(st.sampled_from(["", "one", "two three", "四五"]))
        data = (
            [SpeechData(text, draw(st.sampled_from(["", " "])))] if text and kind in (INTERIM, PREFLIGHT, FINAL) else []
        )
        order.handle(SpeechEvent(kind, data))
    order.finish()
    return delivered


def spoken(events: list[SpeechEvent]) -> str:
    """The text of a stream as its reader joins it."""
    finals = [event.alternatives[0] for event in events if event.type is FINAL]
    return "".join(data.prefix * (index > 0) + data.text for index, data in enumerate(finals))


@given(streams())
def test_turns_keep_to_the_state_machine(events: list[SpeechEvent]) -> None:
    """Every message is allowed where it stands, all turns end, and their texts join to all that was final."""
    replies = TurnReplies("id")
    messages = [message for event in events for message in replies.say(event)]
    state = "idle"
    for message in messages:
        assert message["type"] in NEXT[state]
        state = NEXT[state][message["type"]]
    assert state == "idle"
    assert "".join(message.get("transcript", "") for message in messages if message["type"] == "turn.end") == spoken(
        events
    )


@given(streams())
def test_manual_finals_join_to_all_that_was_final(events: list[SpeechEvent]) -> None:
    """Verbatim, with nothing between them."""
    replies = ManualReplies("id", lambda tag: tag)
    messages = [message for event in events for message in replies.say(event)]
    assert "".join(message["text"] for message in messages if message["is_final"]) == spoken(events)
    assert all(message["text"] for message in messages if message["is_final"])


def test_words_are_there_only_with_their_times() -> None:
    """The wire has no word without a start and an end, so a list with a hole in it is no list."""
    timed = Word("a", 0.1 + 0.2, 0.4)
    assert wire_words([timed]) == [{"word": "a", "start": 0.3, "end": 0.4}]
    assert wire_words([timed, Word("b")]) is None
    assert wire_words([]) == []
    assert wire_words(None) is None


def test_durations_add_up_to_the_time_of_the_last_final() -> None:
    """A client that sums them has the session's clock; what has no time has no duration."""
    replies = ManualReplies("id", lambda tag: tag)
    ends = (1.5, None, 4.0, 3.0, 4.5)
    said = [replies.say(SpeechEvent(FINAL, [SpeechData("a", end_time=end)])) for end in ends]
    assert [messages[0].get("duration") for messages in said] == [1.5, None, 2.5, None, 0.5]
