"""The gateway's messages, token and errors; the sections are those of the protocol notes that the vectors are from."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    ServerError,
)
from stt_livekit.errors import read_error, read_error_body
from stt_livekit.tokens import mint
from stt_livekit.wire import (
    CLOSE_MESSAGE,
    FINALIZE_MESSAGE,
    TranscriptKind,
    WireWord,
    audio_of,
    build_audio,
    build_close,
    build_closed,
    build_create,
    build_created,
    build_error,
    build_finalize,
    build_finalized,
    build_speech_start,
    build_transcript,
    build_update,
    dialect_of,
    dump,
    fields_of,
    items_of,
    number_of,
    parse,
    sample_rate_of,
    socket_url,
    text_of,
)

SECRET = "a-secret-that-is-long-enough-for-everybody"  # noqa: S105

# -- the connection and the token: section 1.1 ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "model", "url"),
    [
        (
            "https://agent-gateway.livekit.cloud/v1",
            "cartesia/ink-whisper",
            "wss://agent-gateway.livekit.cloud/v1/stt?model=cartesia/ink-whisper",
        ),
        ("http://127.0.0.1:8080/v1/", "auto", "ws://127.0.0.1:8080/v1/stt?model=auto"),
        ("wss://gateway.example/v1", None, "wss://gateway.example/v1/stt"),
        ("ws://h", "a b/c&d", "ws://h/stt?model=a%20b/c%26d"),
    ],
)
def test_the_model_is_in_the_query_too(base: str, model: str | None, url: str) -> None:
    """1.1; without a model there is no query, where LiveKit's own client names one that does not exist (D16)."""
    assert socket_url(base, model) == url
    assert parse_qs(urlsplit(url).query) == ({} if model is None else {"model": [model]})


def test_the_token_is_the_documented_one() -> None:
    """1.1: HS256; the payload exactly, whole numbers, ten minutes."""
    token = mint("APIkey", SECRET, now=1_700_000_000)
    assert token is not None
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_exp": False, "verify_nbf": False})
    assert claims == {
        "inference": {"perform": True},
        "sub": "agent",
        "iss": "APIkey",
        "nbf": 1_700_000_000,
        "exp": 1_700_000_600,
    }
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, SECRET[::-1], algorithms=["HS256"], options={"verify_exp": False})


def test_a_secret_may_be_short_and_may_be_none() -> None:
    """A server of one's own has `secret` as its secret: no warning. A public key is no secret, whatever it is."""
    assert mint("devkey", "secret", now=0)
    assert mint("devkey", "-----BEGIN PUBLIC KEY-----\nMIGf\n-----END PUBLIC KEY-----", now=0) is None


# -- what the client says: section 1.2 -----------------------------------------------------------------------------


def test_a_session_is_created_as_documented() -> None:
    """The sample rate is text, the model stands beside the settings, what is not given is left out."""
    assert build_create(sample_rate=16000) == {
        "type": "session.create",
        "settings": {"sample_rate": "16000", "encoding": "pcm_s16le", "extra": {}},
    }
    assert json.loads(
        dump(
            build_create(
                sample_rate=48000,
                extra={"keywords": [("Acme", 1.5)]},
                model="deepgram/nova-3",
                language="pt-BR",
                fallback=[{"model": "cartesia/ink-whisper", "extra": None}],
                connection={"timeout": 10.0, "retries": 3},
            )
        )
    ) == {
        "type": "session.create",
        "settings": {
            "sample_rate": "48000",
            "encoding": "pcm_s16le",
            "extra": {"keywords": [["Acme", 1.5]]},
            "language": "pt-BR",
        },
        "model": "deepgram/nova-3",
        "fallback": {"models": [{"model": "cartesia/ink-whisper", "extra": None}]},
        "connection": {"timeout": 10.0, "retries": 3},
    }


def test_auto_is_no_model_of_a_session() -> None:
    """It stands in the query alone."""
    assert "model" not in build_create(sample_rate=16000, model="auto")


def test_audio_is_base64_in_json() -> None:
    """50 ms at 16 kHz: 1600 bytes, 2136 characters; the standard alphabet, padded."""
    data = bytes(range(256)) * 6 + bytes(64)
    message = build_audio(data)
    assert json.loads(message) == {"type": "input_audio", "audio": base64.b64encode(data).decode()}
    assert len(json.loads(message)["audio"]) == 2136
    assert audio_of(parse(message)) == data
    assert json.loads(build_audio(b"")) == {"type": "input_audio", "audio": ""}


def test_the_other_messages_of_the_client() -> None:
    """In an update the model stands inside the settings."""
    assert parse(FINALIZE_MESSAGE) == build_finalize() == {"type": "session.finalize"}
    assert parse(CLOSE_MESSAGE) == build_close() == {"type": "session.close"}
    assert build_update({"model": "m", "language": "de", "extra": {"a": 1}}) == {
        "type": "session.update",
        "settings": {"model": "m", "language": "de", "extra": {"a": 1}},
    }


def test_the_dialects_are_told_apart() -> None:
    """The new one always says `connection`."""
    assert dialect_of(build_create(sample_rate=16000, model="m")) == "old"
    assert dialect_of(build_create(sample_rate=16000, connection={"timeout": 1.0, "retries": 0})) == "new"


@pytest.mark.parametrize("rate", ["16000", 16000])
def test_the_sample_rate_is_read_as_text_and_as_a_number(rate: object) -> None:
    """The wire has text."""
    assert sample_rate_of({"sample_rate": rate}) == 16000


@pytest.mark.parametrize("rate", [None, "", "0", "-1", "1e4", "16k", "١٦٠٠٠", "9" * 20, 0, -8, True, 1.5, []])
def test_what_is_no_sample_rate(rate: object) -> None:
    """It is said what came."""
    with pytest.raises(ProtocolError, match=r"settings\.sample_rate"):
        sample_rate_of({"sample_rate": rate})


@pytest.mark.parametrize("audio", [None, 1, "not base64!", "abc", "AA-_"])
def test_what_is_no_audio(audio: object) -> None:
    """The URL alphabet is another one."""
    with pytest.raises(ProtocolError, match="`audio`"):
        audio_of({"type": "input_audio", "audio": audio})


# -- what the server says: section 1.3 -----------------------------------------------------------------------------


def test_what_the_server_says_is_what_is_documented() -> None:
    """Field by field; what is unknown is left out, because LiveKit's client stumbles over a null (1.5)."""
    assert build_created("s-1") == {"type": "session.created", "session_id": "s-1"}
    assert build_speech_start() == {"type": "start_of_speech"}
    assert build_finalized() == {"type": "session.finalized"}
    assert build_closed() == {"type": "session.closed"}
    assert build_error("no", code=400) == {"type": "error", "message": "no", "code": 400}
    assert build_error("no") == {"type": "error", "message": "no"}
    assert build_transcript("interim_transcript", "Hi") == {"type": "interim_transcript", "transcript": "Hi"}
    assert build_transcript(
        "final_transcript",
        "Hi",
        session_id="s-1",
        language="en",
        start=1.0,
        duration=0.5,
        confidence=0.9,
        words=[{"word": "Hi", "start": 1.0, "end": 1.5, "confidence": 0.9, "speaker_id": "S1"}],
        speaker_id="S1",
        extra={"a": 1},
    ) == {
        "type": "final_transcript",
        "transcript": "Hi",
        "session_id": "s-1",
        "language": "en",
        "start": 1.0,
        "duration": 0.5,
        "confidence": 0.9,
        "words": [{"word": "Hi", "start": 1.0, "end": 1.5, "confidence": 0.9, "speaker_id": "S1"}],
        "speaker_id": "S1",
        "extra": {"a": 1},
    }


@pytest.mark.parametrize("frame", ["", "session.finalize", "[]", "12", '{"type":', b'{"type":"session.created"}'])
def test_what_is_no_json_object_in_text_is_a_protocol_error(frame: str | bytes) -> None:
    """D8: not whatever the JSON parser raises; a binary frame there is none."""
    with pytest.raises(ProtocolError):
        parse(frame)


@pytest.mark.parametrize(
    ("read", "wrong"), [(text_of, 1), (number_of, "1"), (number_of, True), (fields_of, []), (items_of, {})]
)
def test_a_field_of_another_type_is_a_protocol_error(
    read: Callable[[Mapping[str, object], str], object], wrong: object
) -> None:
    """It names the field; null and missing are the same (D8)."""
    with pytest.raises(ProtocolError, match="`start`"):
        read({"start": wrong}, "start")
    assert read({"start": None}, "start") == read({}, "start")


def test_a_list_of_words_has_objects() -> None:
    """Nothing else."""
    with pytest.raises(ProtocolError, match="`words`"):
        items_of({"words": [{"word": "a"}, "b"]}, "words")


# -- both directions -----------------------------------------------------------------------------------------------

texts = st.text(max_size=20)
numbers = st.floats(0, 1e6, allow_nan=False)
words = st.fixed_dictionaries({"word": texts}, optional={"start": numbers, "end": numbers, "confidence": numbers}).map(
    lambda fields: cast("WireWord", fields)
)
KINDS: tuple[TranscriptKind, ...] = ("interim_transcript", "preflight_transcript", "final_transcript")


@given(st.sampled_from(KINDS), texts, numbers | st.none(), numbers | st.none(), st.lists(words, max_size=4) | st.none())
def test_a_transcript_is_read_as_it_was_said(
    kind: TranscriptKind, text: str, start: float | None, duration: float | None, said: list[WireWord] | None
) -> None:
    """Every text, in whatever script; every number to its last digit; what is unknown stays so."""
    message = parse(dump(build_transcript(kind, text, start=start, duration=duration, words=said)))
    assert text_of(message, "type") == kind
    assert text_of(message, "transcript") == text
    assert (number_of(message, "start"), number_of(message, "duration")) == (start, duration)
    assert items_of(message, "words") == said


@given(st.binary(max_size=4000))
def test_audio_arrives_as_it_was_sent(data: bytes) -> None:
    """Of any length."""
    assert audio_of(parse(build_audio(data))) == data


# -- errors: sections 1.3 and 1.5 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind", "retryable"),
    [
        (400, BadRequestError, False),
        (401, AuthenticationError, False),
        (403, PermissionDeniedError, False),
        (404, NotFoundError, False),
        (408, ServerError, True),
        (429, RateLimitError, True),
        (499, BadRequestError, True),
        (500, ServerError, True),
        (503, ServerError, True),
    ],
)
def test_the_code_of_an_error_decides_what_comes_next(code: int, kind: type[APIError], retryable: bool) -> None:
    """D9: 400 is not tried again, and the gateway's words are kept."""
    error = read_error(parse(dump(build_error("because of this", code=code))))
    assert type(error) is kind
    assert (error.status, error.code, error.retryable, error.provider) == (code, str(code), retryable, "livekit")
    assert "because of this" in str(error)


@pytest.mark.parametrize("message", [{}, {"code": None, "message": None}, {"code": -1}, {"code": 7, "message": "x"}])
def test_an_error_need_not_say_anything(message: dict[str, object]) -> None:
    """1.3: both fields are optional; without a status it is tried again, as LiveKit's client does."""
    error = read_error({"type": "error", **message})
    assert (error.status, error.retryable) == (None, True)
    assert str(error)


@pytest.mark.parametrize(
    ("body", "says", "code"),
    [
        (b'{"type":"error","message":"no such model","code":400}', "no such model", None),
        (b'{"code":"unauthenticated","msg":"no such key"}', "no such key", "unauthenticated"),
        (b'{"error":"bad"}', "bad", None),
        (b'{"detail":"bad"}', "bad", None),
        (b"plain words", "plain words", None),
        (b"<html>oops</html>", "Bad Request", None),
        (b"", "Bad Request", None),
        (b"[1]", "[1]", None),
        (b'{"message":{"nested":1}}', "Bad Request", None),
    ],
)
def test_every_shape_of_a_refusal_is_read(body: bytes, says: str, code: str | None) -> None:
    """1.5: LiveKit's own client reads none."""
    error = read_error_body(400, body)
    assert type(error) is BadRequestError
    assert f"400 {says}" in str(error)
    assert (error.status, error.code) == (400, code)


def test_a_token_that_a_server_quotes_is_not_passed_on() -> None:
    """Promise S12: not in the message, not in the body."""
    token = mint("APIkey", SECRET, now=0)
    for error in (
        read_error({"type": "error", "message": f"token {token} is bad"}),
        read_error_body(401, f"token {token} is bad".encode()),
        read_error_body(401, json.dumps({"message": f"token {token} is bad"}).encode()),
    ):
        assert str(token) not in f"{error} {error.body}"
        assert "is bad" in str(error)
