"""Cartesia's server half over real sockets: what section 14.2 of the facts asks of an emulator, for any backend."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import aiohttp
import numpy as np
import pytest

from stt_core.audio.frames import AudioFormat
from stt_core.audio.wav import wav_header
from stt_core.errors import AuthenticationError
from stt_core.events import SpeechData, SpeechEvent, SpeechEventType
from stt_core.server import Host
from stt_core.testing.scripted import FULL, Cue, Fault, ScriptedSTT, utterance

if TYPE_CHECKING:
    from stt_core.stt import STT

RATE = 8000
SECOND = bytes(2 * RATE)
SPEECH = Path(__file__).parents[1] / "data" / "speech"
OLD, NEW = "2024-11-13", "2026-03-01"

MANUAL = {"model": "ink-whisper", "encoding": "pcm_s16le", "sample_rate": RATE, "cartesia_version": NEW}
TURNS = {**MANUAL, "model": "ink-2"}

TWO = [*utterance("book a table", start=0.1, end=1.0), *utterance("for two", start=1.6, end=2.0)]
"""Two utterances in 2.5 s; each is final 0.3 s after its last word."""

Json = dict[str, object]


def data(text: str, prefix: str = " ") -> list[SpeechData]:
    return [SpeechData(text, prefix)]


class Server:
    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.http = http

    def socket(self, path: str, query: Mapping[str, object], **more: object) -> Connecting:
        pairs = [
            (name, str(each))
            for name, value in {**query, **more}.items()
            for each in _listed(value)
            if each is not None
        ]
        return Connecting(self.http, f"{self.url}{path}", pairs)

    def manual(self, **more: object) -> Connecting:
        return self.socket("/stt/websocket", MANUAL, **more)

    def turns(self, **more: object) -> Connecting:
        return self.socket("/stt/turns/websocket", TURNS, **more)

    async def post(
        self, path: str, *, file: bytes | None = None, version: str | None = NEW, **fields: object
    ) -> Answer:
        form = aiohttp.FormData()
        form.add_field("kind", "multipart", content_type="text/plain")  # a content type makes it one
        for name, value in fields.items():
            for each in _listed(value):
                form.add_field(name.replace("granularities", "granularities[]"), str(each))
        if file is not None:
            form.add_field("file", file, filename="call.wav", content_type="application/octet-stream")
        headers = {} if version is None else {"Cartesia-Version": version}
        async with self.http.post(self.url + path, data=form, headers=headers) as response:
            return Answer(response, await response.text())


class Answer:
    def __init__(self, response: aiohttp.ClientResponse, text: str) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = text

    def json(self) -> Json:
        return cast("Json", json.loads(self.text))


class Connecting:
    """A session: ``await`` it to send all of something and get everything that was said."""

    def __init__(self, http: aiohttp.ClientSession, url: str, query: Sequence[tuple[str, str]]) -> None:
        self._http = http
        self._url = url
        self._query = query
        self.code: int | None = None
        self.reason: str | None = None
        self.request_id = ""

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
        async with self._http.ws_connect(self._url, params=self._query) as ws:
            yield ws

    async def say(self, *parts: str | bytes) -> list[Json]:
        async with self.opened() as ws:
            for part in parts:
                await (ws.send_str(part) if isinstance(part, str) else ws.send_bytes(part))
            said: list[Json] = []
            while (message := await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                said.append(json.loads(message.data))
            if message.type is aiohttp.WSMsgType.CLOSE:
                self.code, self.reason = message.data, message.extra
            return said


def _listed(value: object) -> Sequence[object]:
    return cast("Sequence[object]", value) if isinstance(value, list) else (value,)


@asynccontextmanager
async def serving(stt: STT | str | None = None, *, key: str | None = "k", **options: object) -> AsyncGenerator[Server]:
    async with (
        Host(stt or ScriptedSTT(TWO), **options) as host,  # pyright: ignore[reportArgumentType]  (some of its own)
        aiohttp.ClientSession(headers={} if key is None else {"X-API-Key": key}) as http,
    ):
        yield Server(host.urls["cartesia"], http)


def kinds(messages: Sequence[Json]) -> list[object]:
    return [message["type"] for message in messages]


def finals(messages: Sequence[Json]) -> list[str]:
    return [cast("str", message["text"]) for message in messages if message.get("is_final")]


CALL = SECOND * 3

# -- A: /stt/websocket ---------------------------------------------------------------------------------------------


async def test_manual_finals_are_deltas_that_join_as_they_are() -> None:
    """The session's text is the concatenation of all finals; done comes last, and the close is 1000."""
    async with serving() as server:
        session = server.manual()
        said = await session.say(CALL, "close")
    assert finals(said) == ["book a table", " for two"]
    assert kinds(said)[-1] == "done"
    assert kinds(said).count("done") == 1
    assert session.code == 1000


async def test_manual_interims_replace_each_other() -> None:
    """An interim is what follows the finals so far: each is a beginning of the final that takes its place."""
    async with serving() as server:
        said = await server.manual().say(CALL[: RATE * 4], "close")
    texts = [(cast("str", message["text"]), message["is_final"]) for message in said if "text" in message]
    assert {final for _, final in texts} == {True, False}
    spoken = iter(finals(said))
    final = next(spoken)
    for text, is_final in texts:
        assert final.startswith(text)
        final = next(spoken, "") if is_final else final


@pytest.mark.parametrize("word", ["close", "done"])
async def test_manual_takes_both_words_for_the_end(word: str) -> None:
    """`close` is what SDKs from 3 on say, `done` what those before say; both are served alike."""
    async with serving() as server:
        session = server.manual()
        assert finals(await session.say(CALL, word)) == ["book a table", " for two"]
        assert session.code == 1000


async def test_finalize_is_acknowledged_behind_its_finals() -> None:
    """What was said before it is final before flush_done; the socket stays open, also for a finalize of nothing."""
    async with serving() as server:
        said = await server.manual().say("finalize", SECOND * 2, "finalize", "finalize", SECOND, "close")
    spoken = [message for message in said if message.get("is_final") is not False]
    assert [message.get("text", message["type"]) for message in spoken] == [
        "flush_done",
        "book a table",
        " for two",
        "flush_done",
        "flush_done",
        "done",
    ]


async def test_every_message_has_the_id_of_the_handshake() -> None:
    """X-Request-Id is in the answer to the handshake, and the same id in every message."""
    async with serving() as server, server.manual().opened() as ws:
        headers = ws._response.headers  # pyright: ignore
        await ws.send_bytes(CALL)
        await ws.send_str("close")
        ids = {json.loads(message.data)["request_id"] async for message in ws}
        assert ids == {headers["X-Request-Id"]}


async def test_manual_words_and_durations_are_the_backends() -> None:
    """Words with times of the session; durations add up to the audio behind the finals; the language is said."""
    async with serving() as server:
        said = await server.manual(language="en").say(CALL, "close")
    first, second = (message for message in said if message.get("is_final"))
    assert first["words"] == [
        {"word": "book", "start": 0.1, "end": 0.4},
        {"word": "a", "start": 0.4, "end": 0.7},
        {"word": "table", "start": 0.7, "end": 1.0},
    ]
    assert (first["duration"], second["duration"], first["language"]) == (1.0, 1.0, "en")


@pytest.mark.parametrize(
    "carries",
    [
        replace(FULL, interims=False, turns=False, preflight=False),
        replace(FULL, words=False, times="none", language=False),
        replace(FULL, interims=False, turns=False, words=False, times="none", confidence=False),
    ],
)
async def test_a_backend_with_less_still_gives_valid_sessions(carries: object) -> None:
    """Without interims, words, times or turns the finals and the order of both sockets are the same."""
    stt = ScriptedSTT(TWO, carries=carries)  # pyright: ignore[reportArgumentType]
    async with serving(stt) as server:
        said = await server.manual().say(CALL, "finalize", "close")
        assert finals(said) == ["book a table", " for two"]
        assert kinds(said)[-2:] == ["flush_done", "done"]
        turns = await server.turns().say(CALL, '{"type":"close"}')
        assert [message["transcript"] for message in turns if message["type"] == "turn.end"] == [
            "book a table",
            " for two",
        ]
        assert_state_machine(turns)


@pytest.mark.parametrize("text", ["finalise", "", '"finalize"', '{"type":"close"}', "FINALIZE"])
async def test_an_unknown_word_is_an_error_and_no_end(text: str) -> None:
    """It is answered with status 400 (our assumption), and the session goes on."""
    async with serving() as server:
        said = await server.manual().say(text, CALL, "close")
    errors = [message for message in said if message["type"] == "error"]
    assert [error["status_code"] for error in errors] == [400]
    assert finals(said) == ["book a table", " for two"]


@pytest.mark.parametrize("encoding", ["pcm_s16le", "pcm_s32le", "pcm_f16le", "pcm_f32le", "pcm_mulaw", "pcm_alaw"])
async def test_every_encoding_is_read_as_what_it_is(encoding: str) -> None:
    """The audio has its true length for the backend, in all six encodings and in pieces that cut samples."""
    width = {"pcm_s16le": 2, "pcm_s32le": 4, "pcm_f16le": 2, "pcm_f32le": 4}.get(encoding, 1)
    audio = bytes(width * RATE * 5 // 2)
    async with serving() as server:
        said = await server.manual(encoding=encoding).say(audio[:1001], audio[1001:2002], audio[2002:], "close")
    assert finals(said) == ["book a table", " for two"]


async def test_half_floats_reach_the_backend_as_the_same_samples() -> None:
    """pcm_f16le, which the framework has not, is widened without a change of any value."""
    speech = np.frombuffer((SPEECH / "garden.wav").read_bytes()[44:], "<i2")
    half = (speech / 32768).astype("<f2").tobytes()
    async with serving("pocketsphinx/en-us") as server:
        said = await server.manual(sample_rate=16000, encoding="pcm_f16le").say(half[:9001], half[9001:], "close")
    assert finals(said) == ["she opened the door and walked slowly into the garden"]


# -- B: /stt/turns/websocket -----------------------------------------------------------------------------------------


def assert_state_machine(messages: Sequence[Json]) -> None:
    """Section 5.4: connected first; idle, speaking, eager; text only inside a turn; every turn that started ends."""
    assert kinds(messages)[0] == "connected"
    after = {
        "idle": {"turn.start": "speaking"},
        "speaking": {"turn.update": "speaking", "turn.eager_end": "eager", "turn.end": "idle"},
        "eager": {"turn.resume": "speaking", "turn.end": "idle"},
    }
    state = "idle"
    for message in messages[1:]:
        kind = cast("str", message["type"])
        assert kind in after[state], f"{kind} while {state}"
        assert ("transcript" in message) == (kind not in ("turn.start", "turn.resume"))
        state = after[state][kind]
    assert state == "idle"


async def test_turns_start_grow_and_end() -> None:
    """A turn has its start, updates with all of its text so far, and its end with the definitive text; then 1000."""
    async with serving() as server:
        session = server.turns()
        said = await session.say(CALL, '{"type":"close"}')
    assert_state_machine(said)
    assert session.code == 1000
    ends = [message["transcript"] for message in said if message["type"] == "turn.end"]
    assert ends == ["book a table", " for two"]
    updates = [cast("str", message["transcript"]) for message in said if message["type"] == "turn.update"]
    assert updates
    assert all("book a table".startswith(text) or " for two".startswith(text) for text in updates)


async def test_connected_is_said_once() -> None:
    """The backend's own reconnects are nothing that the client has to know of."""
    stt = ScriptedSTT(TWO, faults=[Fault(0.5)], retry_interval=0)
    async with serving(stt) as server:
        said = await server.turns().say(CALL, '{"type":"close"}')
    assert len(stt.runners) == 1
    assert stt.runners[0].connections == 2
    assert_state_machine(said)


async def test_an_eager_end_is_resumed_or_confirmed() -> None:
    """PREFLIGHT is turn.eager_end, its cancellation turn.resume, also where the backend only speaks on."""
    kind = SpeechEventType
    script = [
        Cue(0.1, SpeechEvent(kind.START_OF_SPEECH), 0.1),
        Cue(0.2, SpeechEvent(kind.PREFLIGHT_TRANSCRIPT, data("book")), 0.1),
        Cue(0.3, SpeechEvent(kind.PREFLIGHT_CANCELLED), 0.1),
        Cue(0.4, SpeechEvent(kind.PREFLIGHT_TRANSCRIPT, data("book a")), 0.1),
        Cue(0.5, SpeechEvent(kind.INTERIM_TRANSCRIPT, data("book a table")), 0.1),
        Cue(0.6, SpeechEvent(kind.PREFLIGHT_TRANSCRIPT, data("book a table")), 0.1),
        Cue(0.7, SpeechEvent(kind.FINAL_TRANSCRIPT, data("book a table")), 0.1),
        Cue(0.8, SpeechEvent(kind.END_OF_SPEECH), 0.1),
    ]
    async with serving(ScriptedSTT(script)) as server:
        said = await server.turns().say(*[SECOND[:800] for _ in range(20)], '{"type":"close"}')
    assert_state_machine(said)
    assert [(message["type"], message.get("transcript")) for message in said] == [
        ("connected", None),
        ("turn.start", None),
        ("turn.eager_end", "book"),
        ("turn.resume", None),
        ("turn.eager_end", "book a"),
        ("turn.resume", None),
        ("turn.update", "book a table"),
        ("turn.eager_end", "book a table"),
        ("turn.end", "book a table"),
    ]


async def test_a_turn_of_several_finals_has_one_text() -> None:
    """What the backend finalises in pieces grows inside the turn, and is all there at its end."""
    kind = SpeechEventType
    script = [
        Cue(0.1, SpeechEvent(kind.START_OF_SPEECH), 0.1),
        Cue(0.2, SpeechEvent(kind.FINAL_TRANSCRIPT, data("un")), 0.1),
        Cue(0.3, SpeechEvent(kind.INTERIM_TRANSCRIPT, data("believable", "")), 0.1),
        Cue(0.4, SpeechEvent(kind.FINAL_TRANSCRIPT, data("believable", "")), 0.1),
        Cue(0.5, SpeechEvent(kind.END_OF_SPEECH), 0.1),
    ]
    async with serving(ScriptedSTT(script)) as server:
        said = await server.turns().say(*[SECOND[:800] for _ in range(20)], '{"type":"close"}')
    assert [message.get("transcript") for message in said[2:]] == ["unbelievable", "unbelievable"]


async def test_a_turn_without_words_ends_empty() -> None:
    """END without a FINAL is turn.end with an empty transcript."""
    kind = SpeechEventType
    script = [Cue(0.1, SpeechEvent(kind.START_OF_SPEECH), 0.1), Cue(0.5, SpeechEvent(kind.END_OF_SPEECH), 0.1)]
    async with serving(ScriptedSTT(script)) as server:
        said = await server.turns().say(SECOND, '{"type":"close"}')
    assert [(message["type"], message.get("transcript")) for message in said[1:]] == [
        ("turn.start", None),
        ("turn.end", ""),
    ]


@pytest.mark.parametrize("text", ["finalize", '{"type":"finalize"}', "close", "[]", '{"kind":"close"}', "{"])
async def test_what_turns_do_not_know_is_an_error_and_no_end(text: str) -> None:
    """`finalize` above all: status 400, and the session goes on."""
    async with serving() as server:
        said = await server.turns().say(text, CALL, '{"type":"close"}')
    errors = [message for message in said if message["type"] == "error"]
    assert [error["status_code"] for error in errors] == [400]
    assert kinds(said).count("turn.end") == 2


async def test_config_is_applied_in_silence() -> None:
    """Thresholds may change during a session; nothing acknowledges it, and only wrong ones are an error."""
    good = '{"type":"config","turn":{"end_threshold":0.1,"end_timeout_ms":8000}}'
    bad = '{"type":"config","turn":{"start_threshold":0.5,"eager_end_threshold":0.6}}'
    async with serving() as server:
        said = await server.turns().say(good, '{"type":"done"}', CALL, '{"type":"close"}')
        assert_state_machine(said)
        said = await server.turns().say(bad, '{"type":"config"}', CALL, '{"type":"close"}')
    errors = [message["title"] for message in said if message["type"] == "error"]
    assert errors == ["Invalid turn thresholds", "Invalid parameter"]
    assert kinds(said).count("turn.end") == 2


# -- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "wrong", "title"),
    [
        ("manual", {"model": None}, "Invalid parameter"),
        ("manual", {"model": "ink-9"}, "Invalid model"),
        ("manual", {"encoding": "opus"}, "Invalid parameter"),
        ("manual", {"encoding": None}, "Invalid parameter"),
        ("manual", {"sample_rate": None}, "Invalid parameter"),
        ("manual", {"sample_rate": "16k"}, "Invalid parameter"),
        ("manual", {"sample_rate": "1"}, "Invalid parameter"),
        ("manual", {"sample_rate": "9" * 5000}, "Invalid parameter"),
        ("manual", {"language": "pt-BR"}, "Invalid parameter"),
        ("manual", {"model": "ink-2", "language": "de"}, "Invalid parameter"),
        ("manual", {"min_volume": "1.5"}, "Invalid parameter"),
        ("manual", {"min_volume": "loud"}, "Invalid parameter"),
        ("manual", {"keyterm": ["Ink"]}, "Invalid parameter"),
        ("manual", {"model": "ink-2", "max_silence_duration_secs": "1"}, "Invalid parameter"),
        ("manual", {"model": "ink-2", "keyterm": ["x"] * 101}, "Invalid parameter"),
        ("turns", {"model": "ink-whisper"}, "Invalid model"),
        ("turns", {"turn_end_threshold": "0.9"}, "Invalid parameter"),
        ("turns", {"turn_start_threshold": "0.5", "turn_eager_end_threshold": "0.5"}, "Invalid turn thresholds"),
        ("turns", {"turn_end_timeout_ms": "1"}, "Invalid parameter"),
        ("turns", {"keyterm": ["x" * 700, "y" * 700]}, "Invalid parameter"),
    ],
)
async def test_a_wrong_setting_is_told_after_the_handshake(path: str, wrong: Json, title: str) -> None:
    """101, an error in place of connected, and a close with 1008 and the reason."""
    async with serving() as server:
        session = server.manual(**wrong) if path == "manual" else server.turns(**wrong)
        said = await session.say()
    assert [(message["type"], message["status_code"], message["title"]) for message in said] == [("error", 400, title)]
    assert (session.code, session.reason) == (1008, title)
    assert said[0]["error_code"] == ("model_not_found" if wrong.get("model") == "ink-9" else None)


async def test_settings_that_are_right_are_taken() -> None:
    """With values at their bounds, both spellings of a space, several terms, and parameters that nobody knows."""
    async with serving() as server:
        for session in (
            server.manual(language="yue", min_volume="0.15", max_silence_duration_secs="0.4"),
            server.manual(**{"timestamp_granularities[]": "word"}),
            server.manual(model="ink-whisper-2025-06-04"),
            server.manual(model="ink-2", keyterm=["Ink 2", "C++"]),
            server.manual(model="ink-preview-7", language="de"),
        ):
            assert kinds(await session.say("close")) == ["done"]
        thresholds = {"turn_start_threshold": 0.9, "turn_eager_end_threshold": 0.8, "turn_end_threshold": 0.05}
        for session in (server.turns(**thresholds, turn_end_timeout_ms=11200), server.turns(model="ink-preview")):
            assert kinds(await session.say('{"type":"close"}')) == ["connected"]


async def test_a_language_that_the_backend_does_not_speak_is_refused() -> None:
    """A text in the wrong language would be worse than an error."""
    async with serving("pocketsphinx/en-us") as server:
        session = server.manual(language="ja")
        said = await session.say()
        assert (kinds(said), session.code) == (["error"], 1008)
        assert "ja" in cast("str", said[0]["message"])
        answer = await server.post(
            "/stt", file=(SPEECH / "garden.wav").read_bytes(), model="ink-whisper", language="ja"
        )
        assert answer.status == 400


# -- errors ----------------------------------------------------------------------------------------------------------


async def test_the_shape_of_errors_is_that_of_the_clients_version() -> None:
    """Plain text and bare messages before 2026-03-01, structured JSON since; the header counts as the query does."""
    async with serving() as server:
        old = await server.post("/stt", version=OLD)
        assert old.headers["Content-Type"].startswith("text/plain")
        assert re.fullmatch("Invalid parameter: .*", old.text)
        new = (await server.post("/stt")).json()
        assert {"error_code", "title", "message", "request_id"} <= set(new)
        assert (await server.post(f"/stt?cartesia_version={NEW}", version=OLD)).json()["title"] == "Invalid parameter"
        (frame,) = await server.manual(model="x", cartesia_version=OLD).say()
        assert (set(frame), frame["code"]) == ({"type", "message", "code", "request_id"}, 400)
        (frame,) = await server.manual(model="x").say()
        assert {"status_code", "error_code", "title", "message", "request_id"} <= set(frame)


async def test_a_version_is_required() -> None:
    """Without one, or with what is no date, a request is a 400; GET / alone needs none."""
    async with serving() as server:
        assert (await server.post("/stt", version=None)).status == 400
        assert (await server.post("/stt", version="newest")).status == 400
        for path in ("/stt/websocket", "/stt/turns/websocket"):
            with pytest.raises(aiohttp.WSServerHandshakeError, match="400"):
                await server.socket(path, MANUAL, cartesia_version=None).say()
        async with server.http.get(server.url + "/") as response:
            assert (response.status, (await response.json())["ok"]) == (200, True)


async def test_a_backend_that_fails_is_an_error_and_no_clean_end() -> None:
    """Neither done nor 1000: the client must not take what it has for everything. Its key is not blamed for ours."""
    lost = ScriptedSTT(TWO, faults=[Fault(1.5) for _ in range(3)], max_retries=0)
    refused = ScriptedSTT(TWO, faults=[Fault(0, "refuse", AuthenticationError("key", status=401))])
    for stt, status in ((lost, 503), (refused, 502)):
        async with serving(stt) as server:
            for session in (server.manual(), server.turns()):
                said = await session.say(SECOND * 2)
                assert (said[-1]["type"], said[-1]["status_code"], session.code) == ("error", status, 1011)
                stt.faults = [Fault(1.5)] if status == 503 else stt.faults


async def test_a_file_in_place_of_samples_is_told_so() -> None:
    """The header of a WAV file would be heard as noise."""
    async with serving() as server:
        session = server.manual()
        said = await session.say(wav_header(AudioFormat(RATE), len(SECOND)) + SECOND)
    assert (kinds(said), session.code) == (["error"], 1008)
    assert "WAV" in cast("str", said[0]["message"])


# -- credentials -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"X-API-Key": "sk"}, {}),
        ({"Authorization": "Bearer sk"}, {}),
        ({}, {"api_key": "sk"}),
        ({}, {"access_token": "sk"}),
        ({"Authorization": "Bearer wrong", "X-API-Key": "sk"}, {}),
    ],
)
async def test_a_key_is_taken_wherever_cartesia_takes_one(headers: dict[str, str], query: dict[str, str]) -> None:
    """Two headers and two query parameters, on requests and handshakes."""
    async with serving(key=None, api_keys=["sk"]) as server, aiohttp.ClientSession(headers=headers) as http:
        server.http = http
        assert kinds(await server.manual(**query).say("close")) == ["done"]
        async with http.get(
            f"{server.url}/voices", params={"cartesia_version": NEW, "limit": "1", **query}
        ) as response:
            assert response.status == 200


async def test_without_a_good_key_everything_is_a_401() -> None:
    """With keys another one is refused; without keys any will do, but none will not."""
    for key, keys, status in ((None, ["sk"], 401), ("other", ["sk"], 401), (None, [], 401), ("any", [], 400)):
        async with serving(key=key, api_keys=keys) as server:
            for path in ("/stt", "/audio/transcriptions", "/access-token"):
                answer = await server.post(path, version=OLD)
                assert answer.status == status
                assert status != 401 or answer.text.startswith("Unauthorized: ")
            if status == 401:
                for session in (server.manual(), server.turns()):
                    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
                        await session.say()


async def test_access_tokens_are_good_for_what_they_were_granted() -> None:
    """A token with `stt` opens everything but the making of further ones; one without is a 403."""
    headers = {"Cartesia-Version": NEW}
    async with serving(key=None, api_keys=["sk"]) as server:

        async def token(key: str, **body: object) -> tuple[int, str]:
            bearer = {**headers, "Authorization": f"Bearer {key}"}
            async with server.http.post(f"{server.url}/access-token", json=body, headers=bearer) as response:
                return response.status, (await response.json()).get("token", "")

        status, good = await token("sk", grants={"stt": True}, expires_in=60)
        assert (status, good.count(".")) == (200, 2)
        assert kinds(await server.manual(access_token=good).say("close")) == ["done"]
        assert (await token(good, grants={"stt": True}))[0] == 401
        _, other = await token("sk", grants={"tts": True})
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await server.manual(access_token=other).say("close")
        for wrong in ({"grants": {"stt": True}, "expires_in": 3601}, {"grants": ["stt"]}, {"expires_in": 5}):
            assert (await token("sk", **wrong))[0] == 400


# -- C and D: files ----------------------------------------------------------------------------------------------------


async def test_a_token_makes_no_token_even_where_any_key_will_do() -> None:
    """What it was granted would otherwise be anything."""
    headers = {"Cartesia-Version": NEW}
    async with serving(key=None) as server:
        credential = "any"
        for status in (200, 401):
            bearer = {**headers, "Authorization": f"Bearer {credential}"}
            async with server.http.post(
                f"{server.url}/access-token", json={"grants": {"stt": True}}, headers=bearer
            ) as response:
                assert response.status == status
                credential = (await response.json()).get("token", "")


@pytest.mark.parametrize("path", ["/stt", "/audio/transcriptions"])
async def test_a_file_is_transcribed(path: str) -> None:
    """Both paths answer the same document; words are there when they were asked for."""
    file = (SPEECH / "garden.wav").read_bytes()
    text = (SPEECH / "garden.txt").read_text().strip()
    async with serving("pocketsphinx/en-us") as server:
        plain = (await server.post(path, file=file, model="ink-whisper", language="en")).json()
        assert (plain["type"], plain["text"], plain["language"]) == ("transcript", text, "en")
        assert cast("float", plain["duration"]) == pytest.approx(3.46, abs=0.02)
        assert "words" not in plain
        answer = await server.post(path, file=file, model="ink-whisper", timestamp_granularities="word")
        words = cast("list[dict[str, object]]", answer.json()["words"])
        assert " ".join(cast("str", word["word"]) for word in words) == text
        assert answer.headers["X-Request-Id"] == answer.json()["request_id"]


async def test_bare_samples_are_described_in_the_query() -> None:
    """pcm_f16le too; a file that says itself what it is may be described wrongly, as the SDK's examples do."""
    wav = (SPEECH / "garden.wav").read_bytes()
    speech = np.frombuffer(wav[44:], "<i2")
    text = (SPEECH / "garden.txt").read_text().strip()
    async with serving("pocketsphinx/en-us") as server:
        for encoding, file in (
            ("pcm_f16le", (speech / 32768).astype("<f2").tobytes() + b"\0"),
            ("pcm_f32le", wav),
        ):
            answer = await server.post(f"/stt?encoding={encoding}&sample_rate=16000", file=file, model="ink-whisper")
            assert answer.json()["text"] == text, encoding


@pytest.mark.parametrize(
    ("query", "fields", "says"),
    [
        ("", {"model": None}, "`model`"),
        ("", {"model": "ink-2"}, "live audio"),
        ("", {"model": "whisper-1"}, "no model"),
        ("", {"language": "xx"}, "xx"),
        ("", {"timestamp_granularities": "segment"}, "word"),
        ("?encoding=mp3&sample_rate=16000", {}, "pcm_s16le"),
        ("?encoding=pcm_s16le", {}, "sample_rate"),
        ("", {"file": None}, "`file`"),
        ("", {"file": b""}, "`file`"),
        ("", {"file": b"this is no audio"}, ""),
    ],
)
async def test_a_wrong_upload_is_a_400_that_says_what(query: str, fields: Json, says: str) -> None:
    """The message names what is wrong, and the status is the client's."""
    sent = {"file": wav_header(AudioFormat(RATE), len(SECOND)) + SECOND, "model": "ink-whisper", **fields}
    given = {name: value for name, value in sent.items() if value is not None}
    async with serving() as server:
        answer = await server.post(f"/stt{query}", **given)  # pyright: ignore[reportArgumentType]
    assert answer.status == 400
    assert says in cast("str", answer.json()["message"])


# -- real speech -------------------------------------------------------------------------------------------------------


async def test_real_speech_comes_through_both_sockets() -> None:
    """The embedded engine behind both: every word, once, on sockets that are open at the same time."""
    pcm = (SPEECH / "weather.wav").read_bytes()[44:] + bytes(32000)
    text = (SPEECH / "weather.txt").read_text().strip()
    pieces = [pcm[at : at + 3200] for at in range(0, len(pcm), 3200)]
    async with serving("pocketsphinx/en-us") as server:
        manual, turns = await asyncio.gather(
            server.manual(sample_rate=16000).say(*pieces, "finalize", "close"),
            server.turns(sample_rate=16000).say(*pieces, '{"type":"close"}'),
        )
    assert "".join(finals(manual)) == text
    assert kinds(manual)[-2:] == ["flush_done", "done"]
    assert_state_machine(turns)
    assert "".join(cast("str", message["transcript"]) for message in turns if message["type"] == "turn.end") == text


def test_the_half_imports_no_http_library() -> None:
    """It is written with the types of stt_core.server alone."""
    for name in ("asked", "live", "replies", "server"):
        source = Path(cast("str", sys.modules[f"stt_cartesia.{name}"].__file__)).read_text()
        assert "import aiohttp" not in source
        assert "from aiohttp" not in source
