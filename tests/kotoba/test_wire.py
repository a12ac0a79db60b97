"""Kotoba's errors and documents; the sections are those of the protocol notes that the vectors are from."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stt_core.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    JobFailedError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    ResultNotReadyError,
    ServerError,
)
from stt_kotoba.documents import job_fields, one_shot_fields
from stt_kotoba.errors import read_error_body
from stt_kotoba.jobs import read_job
from stt_kotoba.one_shot import read_one_shot
from stt_kotoba.wire import authorization, parse

# -- the key: section 3 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "header"),
    [
        ("api.kotobatech.ai", "Bearer k"),
        ("localhost", "Bearer k"),
        ("fal.run", "Key k"),
        ("FAL.run", "Key k"),
        ("queue.fal.run", "Key k"),
        ("fal.run.example.com", "Bearer k"),
        ("notfal.run", "Bearer k"),
    ],
)
def test_the_scheme_of_the_key_follows_from_the_host(host: str, header: str) -> None:
    """fal.ai's hosts, matched whole, take `Key`; everybody else `Bearer`."""
    assert authorization(host, "k") == header


# -- forms: sections 4.1 and 5 -------------------------------------------------------------------------------------


def test_a_job_always_says_its_language_and_whether_it_wants_times() -> None:
    """4.1: `human_name` only where asked for."""
    assert job_fields("ja") == [("language", "ja"), ("with_timestamps", "false")]
    assert job_fields("en", with_timestamps=True, kana=True) == [
        ("language", "en"),
        ("with_timestamps", "true"),
        ("human_name", "kana"),
    ]


def test_a_one_shot_request_leaves_out_what_is_off() -> None:
    """5: `file_format` and `with_timestamps` always, one field for each keyword, the rest only when it is wanted."""
    assert one_shot_fields() == [("file_format", "other"), ("with_timestamps", "false")]
    assert one_shot_fields("ko", with_timestamps=True, keywords=["a", "b"], kana=True, diarization=True) == [
        ("file_format", "other"),
        ("with_timestamps", "true"),
        ("language", "ko"),
        ("diarization", "true"),
        ("keywords", "a"),
        ("keywords", "b"),
        ("kana", "true"),
    ]


# -- errors over REST: section 6 -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param('{"detail":"Job not found"}', "Job not found", id="detail"),
        pytest.param(
            '{"detail":[{"loc":["body","file"],"msg":"Field required","type":"missing"}]}',
            "body.file: Field required",
            id="validation",
        ),
        pytest.param('{"message":"no such app"}', "no such app", id="flat"),
        pytest.param(
            '{"error":{"type":"invalid_request_error","code":"invalid_parameters","message":"無効","param":"a,b"}}',
            "無効 (a,b)",
            id="envelope",
        ),
        pytest.param('{"error":"text"}', "text", id="error"),
        pytest.param("upstream request timeout", "upstream request timeout", id="text"),
        pytest.param("<html><h1>502 Bad Gateway</h1></html>", "HTTP 503", id="html"),
        pytest.param("", "HTTP 503", id="nothing"),
        pytest.param("[1]", "[1]", id="list"),
        pytest.param('{"detail":[7]}', "7", id="odd-validation"),
        pytest.param('{"detail":{"a":1}}', "an error without a reason", id="odd-detail"),
    ],
)
def test_every_shape_of_refusal_is_read(body: str, said: str) -> None:
    """The six that occur, and what nobody has seen yet; the status is always that of the answer."""
    error = read_error_body(503, body.encode()).to_exception()
    assert type(error) is ServerError
    assert error.message == f"Kotoba answered: {said}"
    assert (error.status, error.provider, error.retryable) == (503, "kotoba", True)


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, BadRequestError, False),
        (401, AuthenticationError, False),
        (403, PermissionDeniedError, False),
        (404, NotFoundError, False),
        (413, BadRequestError, False),
        (422, BadRequestError, False),
        (429, RateLimitError, True),
        (500, ServerError, True),
        (504, ServerError, True),
    ],
)
def test_the_status_decides_what_is_tried_again(status: int, kind: type[APIError], retryable: bool) -> None:
    """6: whatever code the body has."""
    body = b'{"error":{"type":"limitation","code":"rate_limit_error","message":"m","param":null}}'
    error = read_error_body(status, body).to_exception()
    assert (type(error), error.status, error.code) == (kind, status, "rate_limit_error")
    assert error.retryable is retryable


@settings(deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_no_body_breaks_the_reading_of_errors(body: bytes) -> None:
    """There is always something to say."""
    assert read_error_body(400, body).to_exception().message.startswith("Kotoba answered: ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["error", "detail", "loc"]), inner),
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["error", "message", "detail", "code", "type", "param"]), JSON))
def test_no_document_breaks_the_reading_of_errors(document: dict[str, object]) -> None:
    """Fields of any type."""
    assert read_error_body(400, json.dumps(document).encode()).to_exception().status == 400


# -- jobs: section 4.2 ---------------------------------------------------------------------------------------------


def test_a_finished_job() -> None:
    """Segments with their times; language, duration, words and speakers are not said."""
    document = {
        "state": "done",
        "transcription": "本日は晴れです。明日も。",
        "segments": [
            {"text": "本日は晴れです。", "start": 0.16, "end": 1.92},
            {"text": "明日も。", "start": 2.0, "end": 2.8},
        ],
    }
    transcript = read_job("j-1", document)
    assert (transcript.text, transcript.job_id, transcript.raw) == (document["transcription"], "j-1", document)
    assert [(each.start_time, each.end_time, each.prefix + each.text) for each in transcript.segments or ()] == [
        (0.16, 1.92, "本日は晴れです。"),
        (2.0, 2.8, "明日も。"),
    ]
    assert (transcript.language, transcript.duration, transcript.words) == (None, None, None)


def test_the_segments_of_a_job_join_as_its_text_does() -> None:
    """In English a space stands between them."""
    segments = [{"text": text, "start": 0.0, "end": 1.0} for text in (" Good morning.", "It rains.")]
    transcript = read_job("j", {"state": "done", "transcription": "Good morning. It rains.", "segments": segments})
    assert "".join(each.prefix + each.text for each in transcript.segments or ()) == transcript.text


@pytest.mark.parametrize("segments", [{"segments": None}, {"segments": []}, {}])
def test_segments_that_were_not_asked_for(segments: dict[str, object]) -> None:
    """Null, empty or missing: there are none."""
    assert read_job("j", {"state": "done", "transcription": "a", **segments}).segments is None


def test_a_job_that_failed() -> None:
    """With the server's text, or without."""
    with pytest.raises(JobFailedError, match="no speech") as failed:
        read_job("j-1", {"state": "error", "error_message": "no speech"})
    assert (failed.value.job_id, failed.value.reasons) == ("j-1", ("no speech",))
    with pytest.raises(JobFailedError, match="no reason") as failed:
        read_job("j-1", {"state": "error", "error_message": None})
    assert failed.value.reasons == ()


@pytest.mark.parametrize("state", ["processing", "queued"])
def test_a_job_that_says_that_it_is_not_done(state: str) -> None:
    """4.2: the wire has shown none, the documents know them."""
    with pytest.raises(ResultNotReadyError):
        read_job("j", {"state": state})


@pytest.mark.parametrize(
    "document",
    [{}, {"state": "lost"}, {"state": 7}, {"state": "done", "transcription": 7}, {"state": "done", "segments": [7]}],
)
def test_a_job_in_a_state_that_nobody_knows(document: dict[str, object]) -> None:
    """Nothing is made up."""
    with pytest.raises(ProtocolError):
        read_job("j", document)


# -- one-shot: section 5 -------------------------------------------------------------------------------------------


def word(text: str, kind: str = "word", speaker: str | None = None, **fields: object) -> dict[str, object]:
    return {"text": text, "type": kind, "start": None, "end": None, "speaker_id": speaker, **fields}


def test_the_words_of_an_answer() -> None:
    """The documents' own sample: spacing is no word, the logarithm of a probability is a confidence."""
    document = {
        "language_code": "en",
        "language_probability": 0.98,
        "text": "Good morning.",
        "words": [
            word("Good", start=0.08, end=0.32, logprob=-0.1),
            word(" ", "spacing", start=0.32, end=0.32, logprob=0.0),
            word("morning.", start=0.32, end=0.88, logprob=-0.2),
        ],
        "audio_duration_secs": 1.4,
    }
    transcript = read_one_shot(document)
    assert (transcript.text, transcript.language, transcript.duration) == ("Good morning.", "en", 1.4)
    assert [(each.text, each.start_time, each.end_time) for each in transcript.words or ()] == [
        ("Good", 0.08, 0.32),
        ("morning.", 0.32, 0.88),
    ]
    assert [each.confidence for each in transcript.words or ()] == pytest.approx([0.9048, 0.8187], abs=1e-4)
    assert (transcript.segments, transcript.speakers, transcript.audio_events) == (None, None, None)
    assert transcript.confidence is None, "language_probability is no confidence in the words"
    assert transcript.raw["language_probability"] == 0.98


def test_speakers_have_a_segment_for_each_run() -> None:
    """Spacing belongs to the run that is open, events to none; the speakers come in the order in which they speak."""
    words = [
        word("Hi", speaker="speaker_1"),
        word(" ", "spacing"),
        word("there.", speaker="speaker_1"),
        word(" ", "spacing"),
        word("(laughter)", "audio_event", start=1.0, end=2.0),
        word("Hello.", speaker="speaker_2"),
        word("晴れ", speaker="speaker_1"),
    ]
    document = {"language_code": "en", "language_probability": 1, "text": "Hi there. Hello.晴れ", "words": words}
    transcript = read_one_shot(document)
    assert [(each.speaker_id, each.prefix, each.text) for each in transcript.segments or ()] == [
        ("speaker_1", "", "Hi there."),
        ("speaker_2", " ", "Hello."),
        ("speaker_1", "", "晴れ"),
    ]
    assert transcript.speakers == ["speaker_1", "speaker_2"]
    assert [(each.type, each.start_time, each.end_time) for each in transcript.audio_events or ()] == [
        ("laughter", 1.0, 2.0)
    ]
    assert [each.text for each in transcript.words or ()] == ["Hi", "there.", "Hello.", "晴れ"]


def test_an_answer_without_words() -> None:
    """They are there for times and speakers only."""
    document: dict[str, object] = {
        "language_code": "ja",
        "language_probability": 1.0,
        "text": "はい。",
        "words": [],
    }
    assert read_one_shot(document).words is None
    old = {**document, "words": [{"text": "はい。"}]}
    assert [each.text for each in read_one_shot(old).words or ()] == ["はい。"], "the type is newer than the words"


@pytest.mark.parametrize("missing", ["text", "words", "language_code"])
def test_an_answer_that_lacks_what_it_has_to_have(missing: str) -> None:
    """5: a 200 of another app, for instance."""
    document: dict[str, object] = {"language_code": "ja", "text": "はい。", "words": []}
    del document[missing]
    with pytest.raises(ProtocolError, match="lacks"):
        read_one_shot(document)


@pytest.mark.parametrize("body", ["", "oops", b"\xff", "{"])
def test_what_is_no_json_is_said_to_be_none(body: str | bytes) -> None:
    """And not taken for an error of ours."""
    with pytest.raises(ProtocolError, match="no JSON"):
        parse(body)
