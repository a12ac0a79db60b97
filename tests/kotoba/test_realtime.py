"""The codec of the WebSocket; the sections are those of the protocol notes that the vectors are from."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stt_core.audio.frames import AudioFormat
from stt_core.config import parse as parse_config
from stt_core.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ProtocolError,
    RateLimitError,
    ServerError,
)
from stt_core.events import SpeechData, SpeechEvent, SpeechEventType
from stt_core.registry import resolve
from stt_core.transcript import Transcript
from stt_core.transport.codec import Failed, Finished, Opened, Settled
from stt_kotoba.realtime import RealtimeCodec

if TYPE_CHECKING:
    from stt_core.audio.frames import Encoding
    from stt_core.transport.codec import Incoming

INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
FINAL = SpeechEventType.FINAL_TRANSCRIPT
DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"


def codec(
    config: str = "kotoba/realtime:en", *, pushed: AudioFormat | None = None, heard: float = 60.0, **options: object
) -> RealtimeCodec:
    """One that has been sent so many seconds of audio, so that times are believed."""
    made = RealtimeCodec(resolve(parse_config(config)[0], options), pushed or AudioFormat(16000))
    made.audio(bytes(made.audio_format.bytes_for(heard)))
    return made


def opening(at: RealtimeCodec) -> dict[str, object]:
    (message,) = at.opening()
    return json.loads(message)


def session(config: str = "kotoba/realtime:en", **options: object) -> dict[str, object]:
    return cast("dict[str, object]", opening(codec(config, pushed=None, heard=60.0, **options))["session"])


def transcription(config: str = "kotoba/realtime:en", **options: object) -> object:
    return session(config, **options)["input_audio_transcription"]


def receive(at: RealtimeCodec, kind: str, **fields: object) -> Sequence[Incoming]:
    return at.receive(json.dumps({"type": kind, **fields}))


def spoken(items: Sequence[Incoming]) -> list[tuple[str, str]]:
    """Kind and text of the events among them."""
    events = [item.event if isinstance(item, Settled) else item for item in items]
    return [(event.type.value[:5], event.text) for event in events if isinstance(event, SpeechEvent)]


def settled(items: Sequence[Incoming]) -> list[float]:
    return [item.seconds for item in items if isinstance(item, Settled)]


def final(items: Sequence[Incoming]) -> SpeechData:
    (event,) = [item.event if isinstance(item, Settled) else item for item in items]
    assert isinstance(event, SpeechEvent)
    assert event.type is FINAL
    return event.alternatives[0]


# -- what is sent: section 7.2 -------------------------------------------------------------------------------------


def test_the_update_is_what_the_documents_show() -> None:
    """7.2: language and target_language are equal, turn_detection is always said, and so is the rest."""
    made = codec("kotoba/realtime:ja", keywords=["渋谷駅"], silence_duration_ms=640)
    assert opening(made) == {
        "type": "transcription_session.update",
        "session": {
            "input_audio_format": "pcm16",
            "input_audio_sample_rate": 16000,
            "input_audio_number_of_channels": 1,
            "input_audio_transcription": {
                "language": "ja",
                "target_language": "ja",
                "keywords": ["渋谷駅"],
                "timestamps": True,
            },
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 640},
        },
    }


def test_turn_detection_is_always_said() -> None:
    """7.4: its default differs between deployments, and `true` and `null` are refused."""
    assert session()["turn_detection"] == {"type": "server_vad", "silence_duration_ms": 800}
    assert session(turn_detection=False)["turn_detection"] is False


def test_the_language_is_japanese_where_nothing_is_said() -> None:
    """8: the SDKs' default; a region is not Kotoba's, and Mandarin is its Chinese."""
    assert transcription("kotoba") == {"language": "ja", "target_language": "ja", "timestamps": True}
    assert transcription("kotoba/realtime:en-US") == {"language": "en", "target_language": "en", "timestamps": True}
    assert transcription("kotoba/realtime:cmn") == {"language": "zh", "target_language": "zh", "timestamps": True}


def test_kana_is_spelt_as_asked() -> None:
    """11.5: `style_preference` in the SDKs' dialect, `kana` in that of AWS."""
    common = {"language": "ja", "target_language": "ja", "timestamps": True}
    assert transcription("kotoba/realtime", kana=True) == common | {"style_preference": {"human_name": "kana"}}
    assert transcription("kotoba/realtime", kana=True, kana_field="kana") == common | {"kana": True}
    assert transcription("kotoba/realtime", kana=False) == common


def test_timestamps_can_be_left_out_for_deployments_that_refuse_them() -> None:
    """7.2: they are known since SDK 0.2.3 only. Nothing then claims to carry times."""
    made = codec(timestamps=False)
    assert "timestamps" not in cast("dict[str, object]", transcription(timestamps=False))
    assert (made.carries.times, codec().carries.times) == ("none", "session")


def test_extra_goes_into_the_session_at_any_depth() -> None:
    """A field that nobody knew of takes no release."""
    asked = session(extra={"novelty": 1, "input_audio_transcription": {"style_preference": {"tone": "formal"}}})
    assert asked["novelty"] == 1
    assert asked["input_audio_transcription"] == {
        "language": "en",
        "target_language": "en",
        "timestamps": True,
        "style_preference": {"tone": "formal"},
    }


@pytest.mark.parametrize(
    ("rate", "encoding", "sent_as", "sent_at"),
    [
        (16000, "pcm_s16le", "pcm16", 16000),
        (24000, "pcm_s16le", "pcm16", 24000),
        (44100, "pcm_s16le", "pcm16", 44100),
        (48000, "pcm_f32le", "pcm16", 48000),
        (8000, "pcm_s16le", "pcm16", 16000),
        (22050, "pcm_s16le", "pcm16", 24000),
        (96000, "pcm_s32le", "pcm16", 48000),
        (8000, "pcm_mulaw", "twilio", 8000),
        (16000, "pcm_mulaw", "pcm16", 16000),
    ],
)
def test_audio_goes_as_it_is_where_every_deployment_takes_it(
    rate: int, encoding: Encoding, sent_as: str, sent_at: int
) -> None:
    """7.2: AWS has a closed list of rates, the others take any; mu-law at 8 kHz is `twilio` to all of them."""
    made = codec(pushed=AudioFormat(rate, 1, encoding))
    asked = cast("dict[str, object]", opening(made)["session"])
    assert (asked["input_audio_format"], asked["input_audio_sample_rate"]) == (sent_as, sent_at)
    assert made.audio_format == AudioFormat(sent_at, 1, "pcm_mulaw" if sent_as == "twilio" else "pcm_s16le")


def test_the_caller_may_say_what_goes_upstream() -> None:
    """`upstream_sample_rate` beats the list, for deployments that resample; `mulaw` is AWS's word."""
    assert session(upstream_sample_rate=8000)["input_audio_sample_rate"] == 8000
    assert session(upstream_encoding="float32")["input_audio_format"] == "float32"
    asked = session(upstream_encoding="mulaw")
    assert (asked["input_audio_format"], asked["input_audio_sample_rate"]) == ("mulaw", 8000)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_an_append_is_base64_of_the_samples(data: bytes) -> None:
    """7.2: the standard alphabet, and nothing else in the message."""
    message = codec().audio(data)
    assert json.loads(message) == {
        "type": "input_audio_buffer.append",
        "audio": base64.standard_b64encode(data).decode(),
    }


def test_the_end_is_commit() -> None:
    """7.2: its type is all of it; there is no other way to finalise."""
    assert [json.loads(message) for message in codec().end()] == [{"type": "input_audio_buffer.commit"}]
    assert list(codec().flush()) == []


def test_an_update_that_the_server_would_not_see_takes_no_connection() -> None:
    """7.1: a second update in one session is an error, so any other setting is a new session."""
    made = codec()
    assert made.update(made.settings.with_options(flush_timeout=9.0)) == ()
    changes: list[dict[str, object]] = [{"turn_detection": False}, {"keywords": ["a"]}, {"extra": {"a": 1}}]
    for options in changes:
        assert made.update(made.settings.with_options(language=None, **options)) is None
    assert made.update(made.settings.with_options(language="ja")) is None


# -- what is received: section 7.3 ---------------------------------------------------------------------------------


def test_the_session_is_ready_once_it_is_updated() -> None:
    """7.1: audio may flow from `updated`, and not from `created`."""
    made = codec()
    assert receive(made, "transcription_session.created", event_id="e") == ()
    assert receive(made, "conversation.item.created", event_id="e") == ()
    assert receive(made, "transcription_session.updated", event_id="e", session={}) == (Opened(),)


def test_deltas_add_up_and_the_turn_replaces_them() -> None:
    """7.3: a delta is an increment; `completed` is the full text of the turn."""
    made = codec()
    assert spoken(receive(made, DELTA, item_id=None, delta="Good")) == [("inter", "Good")]
    assert spoken(receive(made, DELTA, item_id="a-1", delta=" mor")) == [("inter", "Good mor")]
    assert spoken(receive(made, DELTA, item_id="b-2", delta="ning.")) == [("inter", "Good morning.")]
    assert spoken(receive(made, COMPLETED, item_id="a-1", transcript="Good morning.")) == [("final", "Good morning.")]
    assert spoken(receive(made, DELTA, delta=" And")) == [("inter", "And")]


def test_empty_deltas_are_nothing() -> None:
    """7.3: the older API says one every 80 ms."""
    made = codec()
    assert receive(made, DELTA, delta="") == ()
    assert receive(made, DELTA, item_id="x") == ()
    assert spoken(receive(made, DELTA, delta=" ")) == []


def test_a_final_comes_once_without_completed() -> None:
    """7.4: as AWS has it, `committed` follows with no `completed`: the deltas are the final."""
    made = codec()
    receive(made, DELTA, delta="Good")
    receive(made, DELTA, delta=" morning.")
    items = receive(made, "input_audio_buffer.committed", event_id="e")
    assert spoken(items) == [("final", "Good morning.")]
    assert items[-1] == Finished()


def test_a_final_comes_once_with_completed() -> None:
    """7.4: as the API reference has it, `completed` comes between `commit` and `committed`."""
    made = codec()
    receive(made, DELTA, delta="Good morning.")
    assert spoken(receive(made, COMPLETED, transcript="Good morning.")) == [("final", "Good morning.")]
    assert receive(made, "input_audio_buffer.committed", event_id="e") == (Finished(),)


def test_a_turn_without_text_ends_nothing() -> None:
    """7.3: an empty transcript is passed over; text that was said is not taken back by it."""
    made = codec()
    assert receive(made, COMPLETED, item_id="a", transcript="") == ()
    receive(made, DELTA, delta="Good")
    assert spoken(receive(made, COMPLETED, item_id="a", transcript="")) == [("final", "Good")]


def test_a_turn_without_deltas_is_whole() -> None:
    """7.3: `completed` has the full text by itself."""
    assert spoken(receive(codec(), COMPLETED, transcript="Good morning.")) == [("final", "Good morning.")]


def test_without_interims_the_finals_are_the_same() -> None:
    """`interim_results=false` keeps the growing text to itself."""
    made = codec(interim_results=False)
    assert spoken(receive(made, DELTA, delta="Good")) == []
    assert spoken(receive(made, "input_audio_buffer.committed")) == [("final", "Good")]


def test_what_is_not_known_is_passed_over() -> None:
    """7: unknown types, unknown fields and binary frames are ignored."""
    made = codec()
    assert receive(made, "speech.started", audio_start_ms=3) == ()
    assert made.receive(b"\x00\x01") == ()
    assert spoken(receive(made, DELTA, delta="Good", novelty={"a": [1]})) == [("inter", "Good")]


@pytest.mark.parametrize(
    "message",
    ['{"type":', "[]", "null", '{"type":"' + DELTA + '","delta":7}', '{"type":"' + DELTA + '","start_ms":"1"}'],
)
def test_a_malformed_message_is_a_drop(message: str) -> None:
    """Promise S9: it is not guessed at."""
    with pytest.raises(ProtocolError):
        codec().receive(message)


# -- times: section 7.3 --------------------------------------------------------------------------------------------


def test_times_are_those_of_the_turn() -> None:
    """Milliseconds of the session's audio: on a delta its own span, on `completed` the turn's."""
    made = codec()
    (interim, _) = receive(made, DELTA, delta="Good", start_ms=160, end_ms=480, audio_processed_ms=480)
    assert isinstance(interim, SpeechEvent)
    assert (interim.alternatives[0].start_time, interim.alternatives[0].end_time) == (0.16, 0.48)
    (interim, _) = receive(made, DELTA, delta=" day", start_ms=480, end_ms=800, audio_processed_ms=800)
    assert isinstance(interim, SpeechEvent)
    assert (interim.alternatives[0].start_time, interim.alternatives[0].end_time) == (0.16, 0.8)
    data = final(receive(made, COMPLETED, transcript="Good day", start_ms=160, end_ms=880))
    assert (data.start_time, data.end_time) == (0.16, 0.88)


def test_without_the_turns_own_times_its_deltas_have_them() -> None:
    """From the first to the last."""
    made = codec()
    receive(made, DELTA, delta="Good", start_ms=160, end_ms=480)
    receive(made, DELTA, delta=" day", start_ms=480, end_ms=800)
    data = final(receive(made, COMPLETED, transcript="Good day"))
    assert (data.start_time, data.end_time) == (0.16, 0.8)


def test_processed_audio_is_settled_exactly() -> None:
    """`audio_processed_ms` is the resume point: all before it is transcribed. It never goes back."""
    made = codec()
    assert settled(receive(made, DELTA, delta="Good", start_ms=160, end_ms=480, audio_processed_ms=480)) == [0.48]
    assert settled(receive(made, DELTA, delta="", audio_processed_ms=560)) == [0.56]
    assert settled(receive(made, DELTA, delta="", audio_processed_ms=400)) == []
    assert settled(receive(made, COMPLETED, transcript="Good", start_ms=160, end_ms=480)) == [0.56]
    assert settled(receive(codec(), COMPLETED, transcript="Good", start_ms=160, end_ms=480)) == []


def test_half_a_delta_is_not_settled() -> None:
    """A resume point inside a delta's span would have half of its text heard again, and half not."""
    made = codec()
    assert settled(receive(made, DELTA, delta="Good", start_ms=200, end_ms=480, audio_processed_ms=400)) == [0.2]


def test_times_beyond_the_audio_are_not_believed() -> None:
    """Nothing can be transcribed that was not sent."""
    made = codec(heard=1.0)
    (interim,) = receive(made, DELTA, delta="Good", start_ms=160, end_ms=9000, audio_processed_ms=9000)
    assert isinstance(interim, SpeechEvent)
    assert interim.alternatives[0].end_time is None


def test_a_lost_connection_leaves_what_will_not_be_heard_again() -> None:
    """What lies before the resume point becomes a final; what lies behind it is told as it was, and forgotten."""
    made = codec()
    receive(made, DELTA, delta="Good", start_ms=160, end_ms=480, audio_processed_ms=480)
    receive(made, DELTA, delta=" morning", start_ms=480, end_ms=960, audio_processed_ms=480)
    items = made.leave()
    assert spoken(items) == [("final", "Good"), ("inter", "morning")]
    assert settled(items) == [0.48]


@pytest.mark.parametrize("fields", [{}, {"start_ms": 0, "end_ms": 300}])
def test_a_lost_connection_leaves_nothing_that_will_be_heard_again(fields: dict[str, object]) -> None:
    """Without a resume point all of the open turn is heard again."""
    made = codec()
    receive(made, DELTA, delta="Good", **fields)
    assert made.leave() == ()


def test_an_untimed_delta_behind_the_resume_point_is_heard_again() -> None:
    """The point of an earlier message says nothing about it."""
    made = codec()
    receive(made, DELTA, delta="", audio_processed_ms=480)
    receive(made, DELTA, delta="Good")
    assert made.leave() == ()


# -- how texts join ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "turns", "whole"),
    [
        ("en", ["Good morning.", "It rains."], "Good morning. It rains."),
        ("en", ["Good morning.", " It rains."], "Good morning. It rains."),
        ("ko", ["안녕하세요.", "비가 와요."], "안녕하세요. 비가 와요."),
        ("ja", ["本日は晴れです。", "明日も。"], "本日は晴れです。明日も。"),
        ("ja", ["GPUは", "速い。"], "GPUは速い。"),
        ("ja", ["Hello.", "World."], "Hello. World."),
        ("zh", ["你好。", "再见。"], "你好。再见。"),
    ],
)
def test_turns_join_as_their_script_does(language: str, turns: list[str], whole: str) -> None:
    """A space stands between turns, but for scripts that have none between words."""
    made = codec(f"kotoba/realtime:{language}")
    finals = [final(receive(made, COMPLETED, transcript=text)) for text in turns]
    assert Transcript.from_finals(finals).text == whole


PIECES = st.lists(st.text(st.sampled_from("ab ,é日"), max_size=4), max_size=12)


@settings(deadline=None)
@given(PIECES, st.integers(0, 12), st.integers(0, 12))
def test_every_delta_is_in_exactly_one_final(pieces: list[str], cut: int, resume: int) -> None:
    """However a session ends, whatever it had processed: what is settled is final, once, and the rest heard again."""
    made = codec()
    for index, piece in enumerate(pieces):
        fields: dict[str, object] = {"audio_processed_ms": 100 * (index + 1)} if index < resume else {}
        receive(made, DELTA, delta=piece, start_ms=100 * index, end_ms=100 * (index + 1), **fields)
    kept = pieces
    if cut < len(pieces):  # the connection is lost, and not committed
        events = made.leave()
        kept = pieces[:resume]
    else:
        events = receive(made, "input_audio_buffer.committed")
    finals = [text for kind, text in spoken(events) if kind == "final"]
    assert finals == [text for text in ["".join(kept).strip()] if text]


# -- errors: section 7.6 -------------------------------------------------------------------------------------------


def failure(message: dict[str, object], *, worked: bool = True) -> APIError:
    made = codec()
    if worked:
        receive(made, "transcription_session.updated")
    (item,) = made.receive(json.dumps(message))
    assert isinstance(item, Failed)
    assert item.fatal
    assert isinstance(item.error, APIError)
    return item.error


@pytest.mark.parametrize(
    ("frame", "kind", "said", "code", "retryable"),
    [
        pytest.param({"type": "error", "error": "plain text"}, APIError, "plain text", None, True, id="text"),
        pytest.param(
            {
                "type": "error",
                "event_id": "s-9",
                "error": {
                    "type": "invalid_request_error",
                    "code": "invalid_parameters",
                    "message": "bad rate",
                    "param": "input_audio_sample_rate",
                },
                "item_id": None,
            },
            BadRequestError,
            "bad rate (input_audio_sample_rate)",
            "invalid_parameters",
            False,
            id="object",
        ),
        pytest.param(
            {"type": "error", "code": "capacity", "message": "No available batch slot"},
            APIError,
            "No available batch slot",
            "capacity",
            True,
            id="flat",
        ),
        pytest.param(
            {"type": "x-fal-error", "message": "runner unavailable", "code": "503"},
            ServerError,
            "runner unavailable",
            "503",
            True,
            id="fal",
        ),
    ],
)
def test_every_shape_of_error_is_read(
    frame: dict[str, object], kind: type[APIError], said: str, code: str | None, retryable: bool
) -> None:
    """The four that are known; the vendor's words and code are kept."""
    error = failure(frame)
    assert type(error) is kind
    assert (error.code, error.retryable) == (code, retryable)
    assert said in error.message


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        ("invalid_api_key", AuthenticationError, 401),
        ("session_expired", AuthenticationError, 401),
        ("unsupported_language", BadRequestError, 400),
        ("rate_limit_error", RateLimitError, 429),
        ("worker_unavailable", ServerError, 503),
        ("timeout_error", ServerError, 504),
    ],
)
def test_codes_have_the_status_that_means_the_same(code: str, kind: type[APIError], status: int) -> None:
    """6: what is tried again depends on it."""
    error = failure({"type": "error", "error": {"type": "x", "code": code, "message": "m", "param": None}})
    assert (type(error), error.status) == (kind, status)


def test_an_error_before_the_session_is_ready_is_not_tried_again() -> None:
    """Unless it is worded as something that passes: 7.6."""
    assert not failure({"type": "error", "error": "no such thing"}, worked=False).retryable
    assert failure({"type": "error", "error": "please try again later"}, worked=False).retryable


def test_an_empty_session_ends_also_with_an_error() -> None:
    """A flush is followed by a new session, and perhaps by nothing else. What a commit of nothing is, nobody says."""
    made = codec(heard=0.0)
    assert list(made.end())
    assert receive(made, "error", error="nothing to commit") == (Finished(),)
    heard = codec(heard=0.1)
    assert list(heard.end())
    (failed,) = receive(heard, "error", error="internal")
    assert isinstance(failed, Failed)
