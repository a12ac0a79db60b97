"""The codec of `/stt/turns/websocket`; the sections are those of the protocol notes that the vectors are from."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_cartesia.turns import TurnsCodec
from stt_cartesia.wire import TurnEvent, build_turn, dump
from stt_core.audio.frames import AudioFormat
from stt_core.config import parse as parse_config
from stt_core.errors import APIError, BadRequestError, ProtocolError, ServerError
from stt_core.events import SpeechEvent, SpeechEventType
from stt_core.registry import resolve
from stt_core.transcript import Transcript
from stt_core.transport.codec import Failed, Finished, Opened

START = SpeechEventType.START_OF_SPEECH
INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
PREFLIGHT = SpeechEventType.PREFLIGHT_TRANSCRIPT
CANCELLED = SpeechEventType.PREFLIGHT_CANCELLED
FINAL = SpeechEventType.FINAL_TRANSCRIPT
END = SpeechEventType.END_OF_SPEECH

LIVE = AudioFormat(16000)


def codec(config: str = "cartesia/ink-2", *, pushed: AudioFormat = LIVE, **options: object) -> TurnsCodec:
    return TurnsCodec(resolve(parse_config(config)[0], options), pushed)


def turn(at: TurnsCodec, kind: TurnEvent, transcript: str = "") -> list[SpeechEvent]:
    events = at.receive(dump(build_turn(kind, "r-1", transcript)))
    assert all(isinstance(event, SpeechEvent) for event in events)
    return [event for event in events if isinstance(event, SpeechEvent)]


def said(events: list[SpeechEvent]) -> list[tuple[SpeechEventType, str]]:
    return [(event.type, event.text) for event in events]


def fail(at: TurnsCodec, status: int) -> Failed | Finished:
    (answer,) = at.receive(json.dumps({"type": "error", "status_code": status, "title": "T", "message": "m"}))
    assert isinstance(answer, Failed | Finished)
    return answer


# -- the handshake: section 5.1 ------------------------------------------------------------------------------------


def test_nothing_is_sent_that_was_not_set() -> None:
    """5.1: the defaults moved once; and there is no language here."""
    assert codec().url == ("wss://api.cartesia.ai/stt/turns/websocket?model=ink-2&encoding=pcm_s16le&sample_rate=16000")


def test_keyterms_and_thresholds_are_in_the_query() -> None:
    """5.1, with the names of the vendor's SDK."""
    url = codec(
        keyterms=["Ink 2", "C++"],
        turn_start_threshold=0.7,
        turn_eager_end_threshold=0.6,
        turn_end_threshold=0.4,
        turn_end_timeout_ms=4500,
    ).url
    assert parse_qsl(urlsplit(url).query)[3:] == [
        ("keyterm", "Ink 2"),
        ("keyterm", "C++"),
        ("turn_start_threshold", "0.7"),
        ("turn_eager_end_threshold", "0.6"),
        ("turn_end_threshold", "0.4"),
        ("turn_end_timeout_ms", "4500"),
    ]
    assert "keyterm=Ink%202&keyterm=C%2B%2B" in url


def test_telephone_audio_goes_as_it_is() -> None:
    """Promise S13."""
    assert "encoding=pcm_mulaw&sample_rate=8000" in codec(pushed=AudioFormat(8000, 1, "pcm_mulaw")).url


# -- how it is run: sections 5.4 to 5.6 ----------------------------------------------------------------------------


def test_how_it_is_run() -> None:
    """Ready on `connected`; ended by the close; kept supplied with silence only inside a turn, as fast as it passes."""
    policy = codec().policy
    assert (policy.ready, policy.flush, policy.ends) == ("message", "silence", "close")
    assert policy.idle is not None
    assert policy.idle.only_in_turn
    assert policy.idle.silence == policy.idle.after == 0.5
    assert 1008 in policy.not_retryable_closes
    assert not policy.not_retryable_closes & {1000, 1001, 1005, 1006, 1011, 1012, 1013}


def test_connected_says_that_the_settings_are_accepted() -> None:
    """5.3: once, the first frame."""
    assert list(codec().receive('{"type":"connected","request_id":"r-1"}')) == [Opened("r-1")]


def test_the_word_finalize_is_never_sent() -> None:
    """5.2: it is answered with an error; the end is JSON."""
    at = codec()
    assert list(at.opening()) == []
    assert list(at.flush()) == []
    assert [json.loads(str(message)) for message in at.end()] == [{"type": "close"}]
    assert at.keep_alive() is None


# -- turns: sections 5.3 and 5.4 -----------------------------------------------------------------------------------


def test_a_turn_with_an_eager_end_that_is_taken_back() -> None:
    """The whole state machine: start, update, eager_end, resume, update, eager_end, end."""
    at = codec()
    assert said(turn(at, "turn.start")) == [(START, "")]
    assert said(turn(at, "turn.update", "Book a")) == [(INTERIM, "Book a")]
    assert said(turn(at, "turn.eager_end", "Book a table")) == [(PREFLIGHT, "Book a table")]
    assert said(turn(at, "turn.resume")) == [(CANCELLED, "")]
    assert said(turn(at, "turn.update", "Book a table for")) == [(INTERIM, "Book a table for")]
    assert said(turn(at, "turn.eager_end", "Book a table for two")) == [(PREFLIGHT, "Book a table for two")]
    events = turn(at, "turn.end", "Book a table for two.")
    assert said(events) == [(FINAL, "Book a table for two."), (END, "")]
    assert {event.request_id for event in events} == {"r-1"}
    assert not events[0].promoted


def test_nothing_is_invented() -> None:
    """5.3: no confidence, word, time or language is there."""
    at = codec()
    data = turn(at, "turn.end", "Hi")[0].alternatives[0]
    assert (data.confidence, data.words, data.start_time, data.end_time, data.language) == (None,) * 5


def test_a_short_turn_ends_at_once() -> None:
    """5.4: start, then end."""
    at = codec()
    turn(at, "turn.start")
    assert said(turn(at, "turn.end", "Yes.")) == [(FINAL, "Yes."), (END, "")]


def test_an_empty_end_closes_the_turn() -> None:
    """5.4: without a FINAL, if there was no text."""
    at = codec()
    turn(at, "turn.start")
    assert said(turn(at, "turn.end", "")) == [(END, "")]


def test_an_empty_end_behind_text_keeps_the_text() -> None:
    """5.4: marked, because the server did not confirm it; and for this turn alone."""
    at = codec("cartesia/ink-2?interim_results=false")
    turn(at, "turn.start")
    assert turn(at, "turn.update", "Book it") == []
    events = turn(at, "turn.end", "")
    assert said(events) == [(FINAL, "Book it"), (END, "")]
    assert events[0].promoted
    turn(at, "turn.start")
    assert said(turn(at, "turn.end", "")) == [(END, "")]


def test_the_end_has_the_last_word() -> None:
    """5.4: its text may differ from the eager end's."""
    at = codec()
    turn(at, "turn.eager_end", "Buy it")
    assert said(turn(at, "turn.end", "By it")) == [(FINAL, "By it"), (END, "")]


def test_unknown_types_and_fields_are_nothing_to_complain_about() -> None:
    """5.3: turn_id, seen live, and whatever comes next."""
    at = codec()
    assert list(at.receive('{"type":"turn.maybe","transcript":"x"}')) == []
    assert list(at.receive('{"type":"metrics"}')) == []
    (event,) = at.receive('{"type":"turn.update","request_id":"r","turn_id":3,"transcript":"x"}')
    assert isinstance(event, SpeechEvent)
    assert event.alternatives[0].raw["turn_id"] == 3


@pytest.mark.parametrize("message", ["turn.start", b"\x01", '{"type":"turn.end","transcript":["x"]}'])
def test_what_the_protocol_does_not_allow_is_a_protocol_error(message: str | bytes) -> None:
    """A non-JSON frame, a binary one, a mistyped field."""
    with pytest.raises(ProtocolError):
        codec().receive(message)


@given(st.lists(st.text("abc. ", min_size=1, max_size=10).filter(str.strip), min_size=1, max_size=6))
def test_turns_of_ink_2_join_with_one_space(turns: list[str]) -> None:
    """5.4: whether the server includes the space, as its documents say, or leaves it out, as its own app expects."""
    at = codec()
    finals = [turn(at, "turn.end", text)[0].alternatives[0] for text in turns]
    assert Transcript.from_finals(finals).text == " ".join(text.strip() for text in turns)


@pytest.mark.parametrize(
    ("turns", "text"), [(["你好", "再见"], "你好再见"), (["Hi there.", " How are you?"], "Hi there. How are you?")]
)
def test_turns_of_other_languages_join_verbatim(turns: list[str], text: str) -> None:
    """5.4: spacing is included."""
    at = codec("cartesia/ink-preview")
    finals = [turn(at, "turn.end", each)[0].alternatives[0] for each in turns]
    assert "".join(data.prefix + data.text for data in finals).strip() == text


# -- errors: sections 5.6 and 8 ------------------------------------------------------------------------------------


def test_an_error_in_place_of_connected_is_the_settings_fault() -> None:
    """5.6: after the 101, and final."""
    failed = fail(codec(), 400)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, BadRequestError)
    assert (failed.fatal, failed.error.retryable) == (True, False)


def test_a_400_in_a_working_session_is_only_reported() -> None:
    """A refused `config` leaves the turn as it is."""
    at = codec()
    at.receive('{"type":"connected","request_id":"r-1"}')
    failed = fail(at, 400)
    assert isinstance(failed, Failed)
    assert failed.fatal is False
    failed = fail(at, 500)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, ServerError)
    assert (failed.fatal, failed.error.retryable) == (True, True)


@pytest.mark.parametrize("status", [400, 500])
def test_an_error_at_the_end_of_silence_says_that_nothing_was_said(status: int) -> None:
    """5.6: a press too short, or silent."""
    at = codec()
    at.receive('{"type":"connected","request_id":"r-1"}')
    at.end()
    assert fail(at, status) == Finished()


@pytest.mark.parametrize("status", [400, 500])
def test_an_error_at_the_end_of_speech_is_an_error(status: int) -> None:
    """There were words to lose."""
    at = codec()
    at.receive('{"type":"connected","request_id":"r-1"}')
    turn(at, "turn.start")
    at.end()
    failed = fail(at, status)
    assert isinstance(failed, Failed)
    assert failed.fatal
    assert isinstance(failed.error, APIError)
    assert failed.error.status == status


# -- updates: section 5.2 ------------------------------------------------------------------------------------------


def update(at: TurnsCodec, **options: object) -> list[object] | None:
    messages = at.update(at.settings.with_options(language=None, **options))
    return None if messages is None else [json.loads(message) for message in messages]


def test_thresholds_change_in_band() -> None:
    """Without the prefix `turn_`, and only those that changed."""
    at = codec(turn_start_threshold=0.7)
    assert update(at, turn_start_threshold=0.7, turn_end_threshold=0.1) == [
        {"type": "config", "turn": {"end_threshold": 0.1}}
    ]
    assert update(at, turn_end_timeout_ms=1000) == [{"type": "config", "turn": {"end_timeout_ms": 1000}}]
    assert update(at, interim_results=False) == []


def test_keyterms_take_a_new_connection() -> None:
    """They are bound to it."""
    at = codec()
    assert update(at, keyterms=["Ink"]) is None


def test_another_endpoint_takes_a_new_connection() -> None:
    """The two do not speak the same language."""
    at = codec()
    assert update(at, endpoint="manual") is None
