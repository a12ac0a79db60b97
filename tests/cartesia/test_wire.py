"""Cartesia's messages and errors; the sections are those of the protocol notes that the vectors are from."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_cartesia.errors import WireError, build_error, build_error_body, read_error, read_error_body
from stt_cartesia.wire import (
    build_config,
    build_connected,
    build_done,
    build_flush_done,
    build_transcript,
    build_transcription,
    build_turn,
    dump,
    full_floats,
    half_floats,
    parse,
    query,
    tag_of,
)
from stt_core.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    QuotaError,
    RateLimitError,
    ServerError,
)

# -- errors: section 8 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        pytest.param(
            {"type": "error", "request_id": "r-1", "message": "No such model"},
            ("No such model", "", None, None, "r-1"),
            id="2024-and-2025",
        ),
        pytest.param(
            {"type": "error", "error": "No such model", "request_id": "r-1"},
            ("No such model", "", None, None, "r-1"),
            id="one-sample-of-2025",
        ),
        pytest.param(
            {"type": "error", "message": "Too many", "code": 429}, ("Too many", "", 429, None, None), id="integrators"
        ),
        pytest.param(
            {
                "type": "error",
                "status_code": 400,
                "title": "Invalid model",
                "message": "ink-9 is not a model",
                "error_code": "model_not_found",
                "doc_url": "https://docs.example/errors",
                "request_id": "r-1",
                "done": True,
            },
            ("ink-9 is not a model", "Invalid model", 400, "model_not_found", "r-1"),
            id="since-2026-03-01",
        ),
        pytest.param(
            {"type": "error", "status_code": None, "error_code": None, "title": "Oops", "message": None},
            ("Oops", "Oops", None, None, None),
            id="nulls",
        ),
        pytest.param({"type": "error"}, ("", "", None, None, None), id="only-type-is-required"),
        pytest.param(
            {"type": "error", "error_code": "concurrency_limited", "message": "8 of 8"},
            ("8 of 8", "", 429, "concurrency_limited", None),
            id="a-known-code-tells-the-status",
        ),
    ],
)
def test_every_shape_of_an_error_frame_is_read(
    frame: dict[str, object], expected: tuple[str, str, int | None, str | None, str | None]
) -> None:
    """8.1: message, error or title; status_code or code; no key is required."""
    error = read_error(frame)
    assert (error.message, error.title, error.status, error.code, error.request_id) == expected


@pytest.mark.parametrize(
    ("body", "message", "title"),
    [
        (b"Invalid API key: the key is not known", "the key is not known", "Invalid API key"),
        (b'{"error_code":null,"title":"Bad key","message":"not known","request_id":"r"}', "not known", "Bad key"),
        (b'{"message":"not known"}', "not known", ""),
        (b"no colon here", "no colon here", ""),
        (b"", "HTTP 401", ""),
        (b"<html><title>401</title></html>", "HTTP 401", ""),
        (b"[1, 2]", "[1, 2]", ""),
        (b"\xff\xfe: x", "x", "\ufffd\ufffd"),
    ],
)
def test_every_shape_of_a_refusal_is_read(body: bytes, message: str, title: str) -> None:
    """8.1: plain text `Title: Message` before 2026-03-01, JSON since, and whatever a proxy writes."""
    error = read_error_body(401, body)
    assert (error.message, error.title, error.status) == (message, title, 401)


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, BadRequestError, False),
        (401, AuthenticationError, False),
        (402, QuotaError, False),
        (403, PermissionDeniedError, False),
        (404, NotFoundError, False),
        (413, BadRequestError, False),
        (414, BadRequestError, False),
        (408, ServerError, True),
        (409, BadRequestError, True),
        (429, RateLimitError, True),
        (500, ServerError, True),
        (503, ServerError, True),
    ],
)
def test_the_status_decides_the_class_and_what_comes_next(status: int, kind: type[APIError], retryable: bool) -> None:
    """8.3; 408 and 409 as the vendor's own SDK repeats them (6.3)."""
    error = WireError("because", "Title", status, "some_code", "r-1").to_exception(retryable=True)
    assert type(error) is kind
    assert (error.retryable, error.status, error.code, error.request_id) == (retryable, status, "some_code", "r-1")
    assert "Title: because" in str(error)


def test_without_a_status_the_session_decides() -> None:
    """An error that does not say what it is: the settings are to blame as long as nothing has worked."""
    assert WireError("x").to_exception(retryable=True).retryable
    assert not WireError("x").to_exception(retryable=False).retryable


@pytest.mark.parametrize("secret", ["sk_car_AbC123", "sk_car_admin_x_1", "eyJhbGciOi.eyJzdWIi.c2ln-_nature"])
def test_a_secret_that_a_server_quotes_is_not_passed_on(secret: str) -> None:
    """Promise S12: not in the message, not in the body."""
    for error in (
        read_error({"type": "error", "message": f"key {secret} is bad"}),
        read_error_body(401, f"Invalid: key {secret} is bad".encode()),
        read_error_body(401, json.dumps({"message": f"key {secret} is bad"}).encode()),
    ):
        raised = error.to_exception()
        assert secret not in f"{raised} {raised.body}"
        assert "is bad" in str(raised)


errors = st.builds(
    WireError,
    message=st.text("abc: x", min_size=1).map(str.strip).filter(bool),
    title=st.text("abc x", min_size=1).map(str.strip).filter(bool),
    status=st.sampled_from([400, 401, 402, 403, 404, 429, 500]),
    code=st.sampled_from([None, "model_not_found"]),
    doc_url=st.sampled_from([None, "https://docs.example"]),
)


@given(errors, st.sampled_from(["2024-11-13", "2025-04-16", "2026-03-01", "2026-08-14"]))
def test_what_is_written_in_any_version_is_read_again(error: WireError, version: str) -> None:
    """Both directions agree, as far as the version can say it."""
    frame = read_error(parse(dump(build_error(error, request_id="r-1", version=version))))
    assert (frame.message, frame.status, frame.request_id) == (error.message, error.status, "r-1")
    content_type, body = build_error_body(error, request_id="r-1", version=version)
    refusal = read_error_body(error.status or 0, body)
    assert (refusal.message, refusal.title, refusal.status) == (error.message, error.title, error.status)
    if version >= "2026-03-01":
        assert content_type == "application/json"
        assert (frame.code, frame.doc_url, refusal.code) == (error.code, error.doc_url, error.code)
    else:
        assert content_type.startswith("text/plain")


# -- messages: sections 4.3, 5.2, 5.3 and 6.2 ----------------------------------------------------------------------


def test_what_the_server_says_is_what_is_documented() -> None:
    """Field by field; what is optional is left out, not null."""
    words = [{"word": "Hi", "start": 0.08, "end": 0.3}]
    assert build_transcript("r", " Hi", is_final=True) == {
        "type": "transcript",
        "request_id": "r",
        "text": " Hi",
        "is_final": True,
    }
    assert json.loads(
        dump(
            build_transcript(
                "r",
                "Hi",
                is_final=False,
                duration=1.1,
                language="en",
                words=[{"word": "Hi", "start": 0.08, "end": 0.3}],
            )
        )
    ) == {
        "type": "transcript",
        "request_id": "r",
        "text": "Hi",
        "is_final": False,
        "duration": 1.1,
        "language": "en",
        "words": words,
    }
    assert build_flush_done("r") == {"type": "flush_done", "request_id": "r"}
    assert build_done("r") == {"type": "done", "request_id": "r"}
    assert build_connected("r") == {"type": "connected", "request_id": "r"}
    assert build_turn("turn.start", "r") == {"type": "turn.start", "request_id": "r"}
    assert build_turn("turn.resume", "r", "unused") == {"type": "turn.resume", "request_id": "r"}
    assert build_turn("turn.end", "r") == {"type": "turn.end", "request_id": "r", "transcript": ""}
    assert build_transcription("r", "Hi") == {"type": "transcript", "request_id": "r", "text": "Hi"}
    assert json.loads(dump(build_config({"end_threshold": 0.2}))) == {
        "type": "config",
        "turn": {"end_threshold": 0.2},
    }


@pytest.mark.parametrize("frame", ["", "finalize", "[]", "12", '{"type":', b"\xff"])
def test_what_is_no_json_object_is_a_protocol_error(frame: str | bytes) -> None:
    """The connection is dropped, and the error quotes what came."""
    with pytest.raises(ProtocolError):
        parse(frame)


def test_the_query_is_escaped_so_that_every_server_reads_it() -> None:
    """4.1: a space is %20 and a plus %2B, a list repeats its key, what is not set is left out."""
    text = query([("keyterm", ["Ink 2", "C++ & Co"]), ("language", None), ("n", 0.4), ("flag", True)])
    assert text == "keyterm=Ink%202&keyterm=C%2B%2B%20%26%20Co&n=0.4&flag=true"


@given(st.lists(st.tuples(st.text("abc_[]", min_size=1), st.text(max_size=20))))
def test_the_query_is_read_again_as_it_was(fields: list[tuple[str, str]]) -> None:
    """By a parser of forms, which takes a plus for a space."""
    assert parse_qsl(query(fields), keep_blank_values=True, strict_parsing=bool(fields)) == fields


def test_half_floats_are_the_same_samples_in_half_the_bytes() -> None:
    """3.3: pcm_f16le; values that it can say come back exactly."""
    import numpy as np

    samples = np.array([0.0, 0.5, -1.0, 0.25], "<f4").tobytes()
    assert len(half_floats(samples)) == len(samples) // 2
    assert full_floats(half_floats(samples)) == samples


def test_javanese_has_a_code_of_its_own() -> None:
    """3.2: jw, where BCP-47 has jv; nothing said is nothing known."""
    assert (tag_of("jw"), tag_of("en"), tag_of("")) == ("jv", "en", None)


def test_escaped_text_is_read_as_what_it_stands_for() -> None:
    """Also with the oldest JSON parser that is accepted: the one before it damaged such texts."""
    message = r'{"type":"transcript","request_id":"r","text":"\u8a9e,,, \u00e9 \ud83d\ude00","is_final":true}'
    assert parse(message)["text"] == "語,,, é 😀"
