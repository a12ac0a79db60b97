"""The gateway's server half over real sockets: messages typed by hand from sections 1.1 to 1.5 of the facts."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import aiohttp
import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stt_livekit.live
from stt_core.audio.frames import AudioFormat
from stt_core.audio.wav import wav_header
from stt_core.errors import AudioError, AuthenticationError, ProtocolError
from stt_core.events import SpeechData, SpeechEvent, SpeechEventType, Word
from stt_core.factory import create_stt
from stt_core.options import fields
from stt_core.server import Backend, Host, Refused
from stt_core.testing.scripted import FULL, Cue, Fault, ScriptedSTT, utterance
from stt_livekit import PROVIDER
from stt_livekit.asked import read_create
from stt_livekit.replies import Replies
from stt_livekit.wire import fields_of

if TYPE_CHECKING:
    from stt_core.provider import Carries
    from stt_core.stt import STT

SECRET, ANOTHER = 4 * "a-secret-of-the-api-", 4 * "another-secret-of-it"
RATE = 8000
SPEECH = Path(__file__).parents[1] / "data" / "speech"

TWO = [*utterance("book a table", start=0.1, end=1.0), *utterance("for two", start=1.6, end=2.0)]
"""Two utterances in 2.5 s; each is final 0.3 s after its last word."""

FINALIZE, CLOSE = '{"type":"session.finalize"}', '{"type": "session.close"}'
OLD: dict[str, object] = {
    "type": "session.create",
    "settings": {"sample_rate": "8000", "encoding": "pcm_s16le", "extra": {}},
}
NEW: dict[str, object] = {**OLD, "connection": {"timeout": 10.0, "retries": 3}}

Json = dict[str, object]
kind = SpeechEventType


def create(dialect: Json, model: str | None = None, **settings: object) -> str:
    """session.create; a setting of ``None`` is left out."""
    changed = {**cast("Json", dialect["settings"]), **settings}
    message: Json = {**dialect, "settings": {name: value for name, value in changed.items() if value is not None}}
    return json.dumps(message if model is None else {**message, "model": model})


def audio(seconds: float, rate: int = RATE) -> list[str]:
    """50 ms a message, the last one shorter."""
    return spoken(bytes(2 * round(seconds * rate)), rate)


def spoken(pcm: bytes, rate: int = 16000) -> list[str]:
    size = rate // 20 * 2
    return [
        json.dumps({"type": "input_audio", "audio": base64.b64encode(pcm[at : at + size]).decode()})
        for at in range(0, len(pcm), size)
    ]


def claims(**others: object) -> Json:
    now = int(time.time())
    grant = {"inference": {"perform": True}, "sub": "agent", "iss": "APIkey", "nbf": now, "exp": now + 600}
    return {name: value for name, value in {**grant, **others}.items() if value is not None}


def token(secret: str = SECRET, **others: object) -> str:
    return jwt.encode(claims(**others), secret)


class Session:
    """A connection, and how it was closed."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws
        self.code: int | None = None

    async def send(self, *messages: str) -> None:
        for message in messages:
            await self._ws.send_str(message)

    async def send_bytes(self, data: bytes) -> None:
        await self._ws.send_bytes(data)

    async def until(self, last: str) -> list[Json]:
        """What the server says, up to a message of this type."""
        said: list[Json] = []
        while not said or said[-1]["type"] != last:
            said.append(await self._ws.receive_json())
        return said

    async def rest(self) -> list[Json]:
        """What the server says before it closes."""
        said: list[Json] = []
        while (message := await self._ws.receive()).type is aiohttp.WSMsgType.TEXT:
            said.append(json.loads(message.data))
        self.code = self._ws.close_code
        return said


class Server:
    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.http = http

    @asynccontextmanager
    async def session(self, **headers: str) -> AsyncGenerator[Session]:
        headers = {"Authorization": f"Bearer {token()}", **{name.replace("_", "-"): headers[name] for name in headers}}
        async with self.http.ws_connect(self.url + "/stt", headers=headers) as ws:
            yield Session(ws)

    async def say(self, *messages: str) -> list[Json]:
        """Says everything, and gives what is answered up to the close, whose code is the last item's."""
        async with self.session() as session:
            await session.send(*messages)
            said = await session.rest()
            return [*said, {"type": "close", "code": session.code}]


@asynccontextmanager
async def serving(
    stt: STT | str | None = None, *, keys: Sequence[str] = (), idle_timeout: float = 300.0
) -> AsyncGenerator[Server]:
    host = Host(stt or ScriptedSTT(TWO), api_keys=keys, idle_timeout=idle_timeout)
    async with host, aiohttp.ClientSession() as http:
        yield Server(host.urls["livekit"], http)


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session.finalize that nothing has followed yet is the end, where it can be one."""
    monkeypatch.setattr(stt_livekit.live, "END_SECONDS", 0.0)


def kinds(messages: Sequence[Json]) -> list[object]:
    return [message["type"] for message in messages]


def without_interims(messages: Sequence[Json]) -> list[object]:
    return [each for each in kinds(messages) if each != "interim_transcript"]


def finals(messages: Sequence[Json]) -> list[object]:
    return [message["transcript"] for message in messages if message["type"] == "final_transcript"]


# -- sessions ------------------------------------------------------------------------------------------------------


async def test_the_old_dialect_ends_with_its_finalize() -> None:
    """It says no connection and knows no starts of speech; its finalize comes once, and it waits for the close."""
    async with serving() as server:
        said = await server.say(create(OLD, "deepgram/nova-3"), *audio(3), FINALIZE)
    assert without_interims(said) == [
        "session.created",
        "final_transcript",
        "final_transcript",
        "session.finalized",
        "session.closed",
        "close",
    ]
    assert finals(said) == ["book a table", "for two"]
    assert said[-1]["code"] == 1000


async def test_the_new_dialect_hears_of_starts_and_may_close() -> None:
    """start_of_speech where the provider marks turns; after session.close what was said is still told."""
    async with serving() as server:
        said = await server.say(create(NEW, "deepgram/nova-3"), *audio(3), CLOSE)
    assert without_interims(said) == [
        "session.created",
        "start_of_speech",
        "final_transcript",
        "start_of_speech",
        "final_transcript",
        "session.closed",
        "close",
    ]
    assert finals(said) == ["book a table", "for two"]
    assert said[-1]["code"] == 1000


async def test_a_finalize_that_nothing_follows_is_the_end() -> None:
    """The new dialect, too, ends with session.finalize, and waits for session.closed, or 3 s."""
    async with serving() as server:
        said = await server.say(create(NEW), *audio(3), FINALIZE)
    assert kinds(said)[-3:] == ["session.finalized", "session.closed", "close"]
    assert finals(said) == ["book a table", "for two"]


async def test_a_finalize_in_the_middle_ends_a_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its finals come before session.finalized, and what follows it is heard as well."""
    monkeypatch.setattr(stt_livekit.live, "END_SECONDS", 60.0)
    async with serving() as server, server.session() as session:
        await session.send(create(NEW, "speechmatics/enhanced"), *audio(1.1), FINALIZE)
        assert finals(await session.until("session.finalized")) == ["book a table"]
        await session.send(FINALIZE)
        assert kinds(await session.until("session.finalized")) == ["session.finalized"]
        await session.send(*audio(1.9), CLOSE)
        assert finals(await session.rest()) == ["for two"]
    assert session.code == 1000


async def test_a_pause_in_the_audio_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Audio that followed a session.finalize has shown that it was a turn's: the next silence is the client's own."""
    monkeypatch.setattr(stt_livekit.live, "END_SECONDS", 0.3)
    async with serving(idle_timeout=0.9) as server, server.session() as session:
        await session.send(create(NEW), *audio(1.1), FINALIZE, *audio(0.1))
        said = await session.rest()
    assert kinds(said)[-1] == "session.finalized"


async def test_a_client_that_closes_by_itself_is_waited_for() -> None:
    """Ours says session.close when it has heard everything: its finalize is a flush, whatever follows."""
    async with serving() as server, server.session(User_Agent="stt-core/1.0") as session:
        await session.send(create(NEW), *audio(1.1), FINALIZE)
        assert finals(await session.until("session.finalized")) == ["book a table"]
        await session.send(*audio(1.9), FINALIZE)
        assert finals(await session.until("session.finalized")) == ["for two"]
        await session.send(CLOSE)
        assert kinds(await session.rest()) == ["session.closed"]


async def test_the_providers_own_reconnects_are_not_told() -> None:
    """session.created is said once, and the session goes on as if nothing had been."""
    async with serving(ScriptedSTT(TWO, faults=[Fault(0.5)], retry_interval=0)) as server:
        said = await server.say(create(NEW), *audio(3), CLOSE)
    assert kinds(said).count("session.created") == 1
    assert finals(said) == ["book a table", "for two"]


@pytest.mark.parametrize("dialect", [OLD, NEW])
async def test_a_server_that_stops_says_what_is_left(dialect: Json) -> None:
    """Everything heard so far becomes final, and session.closed comes before the close with 1001."""
    async with Host(ScriptedSTT(TWO)) as host, aiohttp.ClientSession() as http:
        async with Server(host.urls["livekit"], http).session() as session:
            await session.send(create(dialect), *audio(1.1))
            await session.until("interim_transcript")
            said, _ = await asyncio.gather(session.rest(), host.aclose())
        assert finals(said) == ["book a table"]
        assert (without_interims(said), session.code) == (["final_transcript", "session.closed"], 1001)


# -- messages ------------------------------------------------------------------------------------------------------


async def test_a_final_has_everything_that_the_provider_knows() -> None:
    """Times in seconds of the session, a duration from the start, words with their own; the session's id in each."""
    async with serving() as server, server.session(X_LiveKit_Session_ID="inference_abc123") as session:
        await session.send(create(NEW), *audio(3), CLOSE)
        said = await session.rest()
    final = next(message for message in said if message["type"] == "final_transcript")
    assert final == {
        "type": "final_transcript",
        "session_id": "inference_abc123",
        "transcript": "book a table",
        "language": "en",
        "start": 0.1,
        "duration": 0.9,
        "confidence": 0.9,
        "words": [
            {"word": "book", "start": 0.1, "end": 0.4, "confidence": 0.9},
            {"word": "a", "start": 0.4, "end": 0.7, "confidence": 0.9},
            {"word": "table", "start": 0.7, "end": 1.0, "confidence": 0.9},
        ],
    }
    assert said[0] == {"type": "session.created", "session_id": "inference_abc123"}


@pytest.mark.parametrize(("language", "said_in"), [(None, {}), ("en-GB", {"language": "en-GB"})])
async def test_what_the_provider_does_not_know_is_left_out(language: str | None, said_in: Json) -> None:
    """A null would be an error for LiveKit's client; without a language of its own it has the one asked for."""
    carries = replace(FULL, words=False, times="none", confidence=False, language=False, turns=False)
    async with serving(ScriptedSTT(TWO, carries=carries)) as server:
        said = await server.say(create(NEW, language=language), *audio(3), CLOSE)
    final = next(message for message in said if message["type"] == "final_transcript")
    session_id = said[0]["session_id"]
    assert final == {"type": "final_transcript", "session_id": session_id, "transcript": "book a table", **said_in}
    assert "start_of_speech" not in kinds(said)


def test_words_are_said_with_their_times_or_not_at_all() -> None:
    """LiveKit's client would put one without at 0. Where only the beginning of a text is known, so it is said."""
    data = SpeechData("book a", " ", start_time=0.1, words=[Word("book", 0.1, 0.4), Word("a")])
    (message,) = Replies("new", "s", None).say(SpeechEvent(kind.FINAL_TRANSCRIPT, [data]))
    assert message == {"type": "final_transcript", "transcript": "book a", "session_id": "s", "start": 0.1}


def turn(*events: tuple[SpeechEventType, str | None]) -> list[Cue]:
    return [
        Cue(0.1 * number, SpeechEvent(each, [] if text is None else [SpeechData(text, " ", speaker_id="S1")]), 0.1)
        for number, (each, text) in enumerate(events, 1)
    ]


EAGER = turn(
    (kind.START_OF_SPEECH, None),
    (kind.PREFLIGHT_TRANSCRIPT, "book"),
    (kind.PREFLIGHT_CANCELLED, None),
    (kind.PREFLIGHT_TRANSCRIPT, "book a table"),
    (kind.FINAL_TRANSCRIPT, "book a table"),
    (kind.END_OF_SPEECH, None),
)


@pytest.mark.parametrize(("dialect", "eager"), [(OLD, "interim_transcript"), (NEW, "preflight_transcript")])
async def test_an_eager_end_is_a_preflight_where_the_client_knows_one(dialect: Json, eager: str) -> None:
    """For others it is an interim; no message takes it back but one that the text goes on."""
    async with serving(ScriptedSTT(EAGER)) as server:
        said = await server.say(create(dialect), *audio(1), FINALIZE)
    told = [(message["type"], message["transcript"]) for message in said if "transcript" in message]
    assert told == [
        (eager, "book"),
        *([("interim_transcript", "book")] if dialect is NEW else []),
        ("preflight_transcript" if dialect is NEW else "interim_transcript", "book a table"),
        ("final_transcript", "book a table"),
    ]
    assert ("start_of_speech" in kinds(said)) == (dialect is NEW)
    assert all(message["speaker_id"] == "S1" for message in said if "transcript" in message)


async def test_a_preflight_comes_inside_a_turn() -> None:
    """LiveKit's client drops one while nobody speaks, as it is where the provider does not mark turns."""
    stt = ScriptedSTT(EAGER, carries=replace(FULL, turns=False))
    async with serving(stt) as server:
        said = await server.say(create(NEW), *audio(1), CLOSE)
    assert kinds(said)[1:3] == ["start_of_speech", "preflight_transcript"]


@pytest.mark.parametrize("dialect", [OLD, NEW])
async def test_a_turn_without_words_is_closed_by_an_empty_final(dialect: Json) -> None:
    """LiveKit's client takes a turn to go on until a final; a dialect that was told of none needs none."""
    script = turn((kind.START_OF_SPEECH, None), (kind.END_OF_SPEECH, None))
    async with serving(ScriptedSTT(script)) as server:
        said = await server.say(create(dialect), *audio(1), FINALIZE)
    assert finals(said) == ([""] if dialect is NEW else [])


async def test_every_final_of_a_turn_is_said_at_once() -> None:
    """None waits for the end of the turn, and a rest that comes to nothing is closed."""
    script = turn(
        (kind.START_OF_SPEECH, None),
        (kind.FINAL_TRANSCRIPT, "book a table"),
        (kind.FINAL_TRANSCRIPT, "for two"),
        (kind.END_OF_SPEECH, None),
    )
    async with serving(ScriptedSTT(script)) as server:
        said = await server.say(create(NEW), *audio(1), CLOSE)
    assert finals(said) == ["book a table", "for two"]


@pytest.mark.parametrize("carries", [replace(FULL, interims=False, turns=False), replace(FULL, turns=False)])
async def test_a_provider_with_less_still_gives_valid_sessions(carries: Carries) -> None:
    """Without interims or turns the finals are the same."""
    async with serving(ScriptedSTT(TWO, carries=carries)) as server:
        said = await server.say(create(NEW), *audio(3), FINALIZE)
    assert finals(said) == ["book a table", "for two"]


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
async def test_the_rate_is_text_and_that_of_the_samples(rate: int) -> None:
    """The audio has its true length for the provider behind, at each rate and in pieces that cut samples."""
    pcm = bytes(2 * rate * 3)
    whole = [json.dumps({"type": "input_audio", "audio": base64.b64encode(pcm[at : at + 9999]).decode()})
             for at in range(0, len(pcm), 9999)]  # fmt: skip
    async with serving() as server:
        said = await server.say(create(NEW, sample_rate=str(rate)), *whole, CLOSE)
    (first, *_) = (message for message in said if message["type"] == "final_transcript")
    assert (first["start"], first["duration"]) == (0.1, 0.9)
    assert finals(said) == ["book a table", "for two"]


async def test_messages_that_are_not_known_are_passed_over() -> None:
    """LiveKit has added some, and its clients break off at any error."""
    strange = '{"type":"session.keep_alive","for":"ever"}'
    async with serving() as server:
        said = await server.say(create(NEW), strange, *audio(3), strange, CLOSE)
    assert finals(said) == ["book a table", "for two"]
    assert "error" not in kinds(said)


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        *audio(0.05),
        FINALIZE,
        "{",
        "[]",
        "{}",
        create(NEW, sample_rate=None),
        create(NEW, sample_rate="16k"),
        create(NEW, sample_rate="-8000"),
        create(NEW, sample_rate="9" * 5000),
        create(NEW, sample_rate="1"),
        create(NEW, sample_rate=True),
        create(NEW, encoding="opus"),
        create(NEW, encoding=None),
        create(NEW, language=7),
        create(NEW, extra=["keyterm"]),
        create(NEW, "deepgram/nova-3", extra={"endpointing": "soon"}),
        create(NEW, "deepgram/flux-general", extra={"eot_threshold": 1.5}),
        create(NEW, "deepgram/flux-general", extra={"eager_eot_threshold": 0.9, "eot_threshold": 0.5}),
        create(NEW, "speechmatics/enhanced", extra={"max_delay": 0.1}),
        create(NEW, "openai/gpt-live-transcribe"),
        create({**NEW, "model": 3}),
        create({**NEW, "fallback": ["deepgram/nova-3"]}),
        create({**NEW, "fallback": {"models": ["deepgram/nova-3"]}}),
        create({**NEW, "fallback": {"models": [{"extra": None}]}}),
        create({**NEW, "connection": {"timeout": "10"}}),
    ],
)
async def test_a_wrong_start_is_an_error_and_the_end(first: str) -> None:
    """101, then an error with the status as its code, and a close with 1008; nothing was created."""
    async with serving() as server:
        error, close = await server.say(first)
    assert (error["type"], error["code"], close["code"]) == ("error", 400, 1008)
    assert set(error) == {"type", "message", "code"}
    assert error["message"]


@pytest.mark.parametrize(
    "message",
    [
        "{",
        "null",
        '{"kind":"input_audio"}',
        '{"type":["input_audio"]}',
        '{"type":"input_audio"}',
        '{"type":"input_audio","audio":null}',
        '{"type":"input_audio","audio":"?"}',
        '{"type":"input_audio","audio":"AAA"}',
        '{"type":"session.update","settings":[]}',
        '{"type":"session.update","settings":{"extra":{"endpointing":-1}}}',
        create(NEW),
    ],
)
async def test_a_message_that_cannot_be_read_is_an_error_and_the_end(message: str) -> None:
    """Audio that cannot be read is missing: to go on would put all that follows at the wrong time."""
    async with serving() as server:
        said = await server.say(create(NEW, "deepgram/nova-3"), message, *audio(3))
    assert (said[-2]["type"], said[-2]["code"], said[-1]["code"]) == ("error", 400, 1008)
    assert "session.closed" not in kinds(said)


async def test_binary_frames_are_refused() -> None:
    """Audio comes as base64; samples in binary frames are another vendor's protocol."""
    async with serving() as server, server.session() as session:
        await session.send(create(NEW))
        await session.send_bytes(bytes(800))
        said = await session.rest()
    assert (said[-1]["type"], said[-1]["code"], session.code) == ("error", 400, 1008)
    assert "binary" in cast("str", said[-1]["message"])


async def test_settings_that_are_right_are_taken() -> None:
    """Every extra of the facts' families, fallbacks, models that nobody knows, and options that nobody knows."""
    deepgram: Json = {
        "filler_words": True,
        "endpointing": 25,
        "keyterm": "Kotoba",
        "keywords": [["two", 1.5]],
        "new": {},
    }
    messages = [
        create(NEW),
        create(NEW, "deepgram", language="multi"),
        create(NEW, "deepgram/nova-3", extra=deepgram, language="en-GB"),
        create(NEW, "cartesia/ink-2", extra={"turn_end_threshold": 0.05, "keyterm": ["a", "b"]}),
        create(NEW, "speechmatics/enhanced", extra={"additional_vocab": [{"content": "Kotoba"}], "max_delay": 0.7}),
        create(NEW, "assemblyai/universal-streaming", extra={"keyterms_prompt": ["Kotoba"], "inactivity_timeout": 30}),
        create(NEW, "xai/stt-1", extra={"diarize": True, "endpointing": 5000, "interim_results": None}),
        create(NEW, "openai/gpt-live-transcribe", sample_rate="24000", extra={"keywords": ["Kotoba"]}),
        create(NEW, "someone/else", extra={"anything": [1, 2], "gateway_timeout": "none"}),
        create({**NEW, "fallback": {"models": [{"model": "xai/stt-1", "extra": None}, {"model": "deepgram"}]}}),
    ]
    async with serving() as server:
        for message in messages:
            assert kinds(await server.say(message, CLOSE)) == ["session.created", "session.closed", "close"], message


async def test_a_language_that_the_provider_does_not_speak_is_refused() -> None:
    """A text in the wrong language would be worse than an error; `multi` asks for none in particular."""
    async with serving("pocketsphinx/en-us") as server:
        error, _ = await server.say(create(NEW, language="ja"))
        assert (error["code"], "ja" in cast("str", error["message"])) == (400, True)
        assert kinds(await server.say(create(NEW, language="multi"), CLOSE))[0] == "session.created"


async def test_a_provider_that_fails_is_an_error_and_no_clean_end() -> None:
    """Neither session.closed nor 1000: the client must not take what it has for everything. Its key is not blamed."""
    lost = ScriptedSTT(TWO, faults=[Fault(1.5)], max_retries=0)
    refused = ScriptedSTT(TWO, faults=[Fault(0, "refuse", AuthenticationError("key", status=401))])
    for stt, status in ((lost, 503), (refused, 502)):
        async with serving(stt) as server:
            said = await server.say(create(NEW), *audio(2), FINALIZE)
        assert (said[-2]["type"], said[-2]["code"], said[-1]["code"]) == ("error", status, 1011)
        assert "session.closed" not in kinds(said)


async def test_a_finalize_that_comes_to_nothing_is_an_error() -> None:
    """The client must not wait for a final that never comes, nor take none for silence."""
    stt = ScriptedSTT(turn((kind.INTERIM_TRANSCRIPT, "book")), flush_timeout=0.05)
    async with serving(stt) as server:
        said = await server.say(create(NEW), *audio(1), FINALIZE)
    assert (said[-2]["type"], said[-2]["code"], said[-1]["code"]) == ("error", 504, 1011)
    assert "session.finalized" not in kinds(said)


async def test_a_file_in_place_of_samples_is_told_so() -> None:
    """The header of a WAV file would be heard as noise."""
    async with serving() as server:
        said = await server.say(create(NEW), *spoken(wav_header(AudioFormat(RATE), 1600) + bytes(1600)), CLOSE)
    assert (said[-2]["code"], "WAV" in cast("str", said[-2]["message"])) == (400, True)


# -- options -------------------------------------------------------------------------------------------------------


async def taken(config: str, model: str | None, **extra: object) -> Mapping[str, object]:
    """What the model of ``config`` is told of a session with these options."""
    async with create_stt(config, api_key="k", api_secret="s" if "livekit" in config else None) as stt:
        backend = Backend(stt)
        return backend.options(read_create(json.loads(create(NEW, model, extra=extra)), backend).wishes)


async def test_options_mean_the_same_for_another_provider() -> None:
    """Terms, whatever the upstream provider calls them, are terms; what only it knows is nobody else's."""
    terms = {"keyterms": ["Kotoba", "ink"]}
    assert await taken("cartesia/ink-2", "deepgram/nova-3", keyterm=["Kotoba", "ink"], endpointing=25) == terms
    assert await taken("cartesia/ink-2", "assemblyai", keyterms_prompt=["Kotoba", "ink"]) == terms
    vocabulary = [{"content": "Kotoba", "sounds_like": ["kotova"]}, {"content": "ink"}]
    assert await taken("cartesia/ink-2", "speechmatics/enhanced", additional_vocab=vocabulary) == terms
    switches = {"diarization": False, "punctuation": True}
    assert await taken("cartesia/ink-2", "deepgram", diarize=False, punctuate=True) == switches
    assert await taken("cartesia/ink-2", "speechmatics/enhanced", diarization="none") == {"diarization": False}
    assert await taken("cartesia/ink-2", "deepgram", diarize=True, punctuate=False) == {}


async def test_options_mean_what_their_vendor_means() -> None:
    """Behind the gateway and without it, Cartesia's are Cartesia's; LiveKit's own are so for LiveKit."""
    asked = {"keyterm": ["ink"], "turn_end_timeout_ms": 900}
    assert await taken("cartesia/ink-2", "cartesia/ink-2", **asked) == {"keyterms": ["ink"], "turn_end_timeout_ms": 900}
    assert await taken("livekit/cartesia/ink-2", "cartesia/ink-2", **asked) == asked
    assert await taken("livekit/deepgram", "xai/stt-1", endpointing=900) == {"word_timestamps": True}


async def test_words_are_always_wanted() -> None:
    """There is no switch for them: whoever can give them does."""
    assert await taken("cartesia/ink-whisper", None) == {"word_timestamps": True}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
OPTIONS = [(model, name) for family in PROVIDER.families for model in family.models for name in fields(family.options)]
PLACES = [
    ("model",),
    ("fallback",),
    ("fallback", "models"),
    ("connection",),
    ("connection", "timeout"),
    ("settings",),
    *(("settings", name) for name in ("sample_rate", "encoding", "language", "extra")),
]


@pytest.fixture(scope="module")
def backend() -> Backend:
    return Backend(create_stt("cartesia/ink-2", api_key="k"))


@settings(deadline=None)
@given(place=st.sampled_from(PLACES) | st.sampled_from(OPTIONS), value=ANYTHING)
def test_whatever_a_client_says_is_taken_or_is_its_own_fault(
    backend: Backend, place: tuple[str, ...], value: object
) -> None:
    """Any value at any place: an answer that blames the client, or a session; nothing else, also of an update."""
    model, option = place if place in OPTIONS else ("deepgram", "")
    message: Json = json.loads(create({**NEW, "model": model}, sample_rate="24000"))
    inside, name = message, place[0]
    if option:
        inside, name = cast("Json", cast("Json", message["settings"])["extra"]), option
    elif len(place) == 2:
        inside, name = cast("Json", message.setdefault(place[0], {})), place[1]
    asked = read_create(message, backend)
    inside[name] = value
    with suppress(Refused, ProtocolError, AudioError):
        read_create(message, backend)
    with suppress(Refused, ProtocolError):
        asked.change({**fields_of(message, "settings"), "model": message["model"]}, backend)


async def test_an_update_tells_the_provider_what_is_other_now() -> None:
    """session.update is sparse: what it does not name stays, and what it repeats is no change."""
    async with create_stt("cartesia/ink-2", api_key="k") as stt:
        backend = Backend(stt)
        asked = read_create(json.loads(create(NEW, "cartesia/ink-2", language="en", extra={"keyterm": "ink"})), backend)
        assert asked.change({"extra": {"turn_end_timeout_ms": 900}}, backend) == (None, {"turn_end_timeout_ms": 900})
        assert asked.change({"language": "en", "extra": {"keyterm": "ink"}}, backend) == (None, {})
        assert asked.change({"language": "en-GB", "extra": {"keyterm": []}}, backend) == ("en-GB", {"keyterms": []})
        assert asked.wishes == {"word_timestamps": True, "keyterms": [], "turn_end_timeout_ms": 900}
        unsaid = read_create(json.loads(create(NEW)), backend)
        assert unsaid.change({"language": backend.language}, backend) == (None, {})


async def test_an_update_changes_nothing_that_was_said() -> None:
    """No message acknowledges it; what the provider has no option for is passed over."""
    update = '{"type":"session.update","settings":{"model":"deepgram/nova-2","language":"de","extra":{"keyterm":"x"}}}'
    async with serving() as server:
        said = await server.say(create(NEW), *audio(1.2), update, *audio(1.8), CLOSE)
    assert finals(said) == ["book a table", "for two"]
    assert said[-1]["code"] == 1000


# -- credentials ---------------------------------------------------------------------------------------------------


async def status_of(server: Server, authorization: str | None) -> int:
    headers = {} if authorization is None else {"Authorization": authorization}
    try:
        async with server.http.ws_connect(server.url + "/stt?model=auto", headers=headers):
            return 101
    except aiohttp.WSServerHandshakeError as error:
        return error.status


async def test_a_token_is_signed_with_the_secret_in_force_and_granted() -> None:
    """401 for who it is, 403 for what it may; a clock that is half a minute ahead is nothing to complain about."""
    now = int(time.time())
    async with serving(keys=[ANOTHER, SECRET]) as server:
        for expected, authorization in (
            (101, f"Bearer {token()}"),
            (101, f"bearer {token(ANOTHER)}"),
            (101, f"Bearer {token(nbf=now + 30)}"),
            (401, None),
            (401, "Bearer "),
            (401, f"Bearer {SECRET}"),
            (401, f"Basic {token()}"),
            (401, f"Bearer {token(SECRET.upper())}"),
            (401, f"Bearer {jwt.encode(claims(), '', algorithm='none')}"),
            (401, f"Bearer {jwt.encode(claims(), SECRET, algorithm='HS512')}"),
            (401, f"Bearer {token(exp=now - 1)}"),
            (401, f"Bearer {token(exp=None)}"),
            (401, f"Bearer {token(nbf=now + 3600)}"),
            (401, f"Bearer {token(iss=None)}"),
            (403, f"Bearer {token(inference=None)}"),
            (403, f"Bearer {token(inference={'perform': False})}"),
            (403, f"Bearer {token(inference=None, video={'roomJoin': True})}"),
        ):
            assert await status_of(server, authorization) == expected, authorization


async def test_without_a_secret_any_signature_will_do() -> None:
    """An emulator on a laptop takes what its user has; a client that mints no token, or a wrong one, learns it here."""
    async with serving() as server:
        assert await status_of(server, f"Bearer {token(ANOTHER)}") == 101
        assert await status_of(server, None) == 401
        assert await status_of(server, "Bearer devsecret") == 401
        assert await status_of(server, f"Bearer {token(inference=None)}") == 403


async def test_what_is_no_session_is_refused_in_the_gateways_words() -> None:
    """The same object as on the socket, with the status as its code."""
    bearer = {"Authorization": f"Bearer {token()}"}
    async with serving() as server:
        for path, headers, status in (("/stt", {}, 401), ("/stt", bearer, 426), ("/tts", bearer, 404)):
            async with server.http.get(server.url + path, headers=headers) as response:
                body = await response.json()
                assert (response.status, body["type"], body["code"]) == (status, "error", status)
                assert body["message"]


# -- real speech ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", [OLD, NEW])
async def test_real_speech_comes_through(dialect: Json) -> None:
    """The embedded engine behind: every word once, interims before, words with times."""
    pcm = (SPEECH / "weather.wav").read_bytes()[44:] + bytes(32000)
    text = (SPEECH / "weather.txt").read_text().strip()
    async with serving("pocketsphinx/en-us") as server:
        said = await server.say(create(dialect, sample_rate="16000"), *spoken(pcm), FINALIZE)
    assert " ".join(map(str, finals(said))) == text
    assert "interim_transcript" in kinds(said)
    words = [
        word["word"]
        for message in said
        if message["type"] == "final_transcript"
        for word in cast("list[Json]", message["words"])
    ]
    assert words == text.split()


def test_the_half_imports_no_http_library() -> None:
    """It is written with the types of stt_core.server alone."""
    for name in ("asked", "live", "replies", "server"):
        source = Path(cast("str", sys.modules[f"stt_livekit.{name}"].__file__)).read_text()
        assert "import aiohttp" not in source
        assert "from aiohttp" not in source
