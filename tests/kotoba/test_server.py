"""The socket of Kotoba's server half, over real connections: what section 7.8 of the facts asks of an emulator."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import aiohttp
import pytest

from stt_core.errors import AuthenticationError
from stt_core.server import Host
from stt_core.testing.scripted import FULL, Cue, Fault, ScriptedSTT, utterance
from stt_kotoba import live
from stt_kotoba.server import KotobaServer

if TYPE_CHECKING:
    from stt_core.stt import STT

RATE = 8000
SECOND = bytes(2 * RATE)
SPEECH = Path(__file__).parents[1] / "data" / "speech"

TWO = [*utterance("book a table", start=0.1, end=1.0), *utterance("for two", start=1.6, end=2.0)]
"""Two turns in 2.5 s; each is final 0.3 s after its last word."""

CALL = SECOND * 3
COMMIT = '{"type":"input_audio_buffer.commit"}'
DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"
VAD = {"type": "server_vad", "silence_duration_ms": 800}

Json = dict[str, object]


def update(
    turn_detection: object = VAD, *, rate: object = RATE, wire: object = "pcm16", **transcription: object
) -> str:
    """The one of SDK 0.3.0; a setting that is ``...`` is left out."""
    session: Json = {
        "input_audio_format": wire,
        "input_audio_sample_rate": rate,
        "input_audio_number_of_channels": 1,
        "input_audio_transcription": given({"language": "en", "target_language": "en", **transcription}),
        "turn_detection": turn_detection,
    }
    return json.dumps({"type": "transcription_session.update", "session": given(session)})


def given(fields: Mapping[str, object]) -> Json:
    return {name: value for name, value in fields.items() if value is not ...}


def append(audio: bytes, **more: object) -> str:
    message = {"type": "input_audio_buffer.append", "audio": base64.b64encode(audio).decode(), **more}
    return json.dumps(given(message))


class Session:
    """What was said in one, and how it was closed."""

    def __init__(self) -> None:
        self.said: list[Json] = []
        self.code: int | None = None

    @property
    def kinds(self) -> list[object]:
        return [message["type"] for message in self.said]

    def texts(self, kind: str) -> list[object]:
        field = "delta" if kind == DELTA else "transcript"
        return [message[field] for message in self.said if message["type"] == kind]

    def error(self) -> Json:
        """The one error, which is the last thing that was said."""
        assert self.kinds.count("error") == 1
        assert set(self.said[-1]) == {"type", "event_id", "error", "item_id"}
        return cast("Json", self.said[-1]["error"])


class Server:
    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.http = http

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
        async with self.http.ws_connect(f"{self.url}/realtime") as ws:
            yield ws

    async def talk(self, *messages: str | bytes, hang_up: bool = True) -> Session:
        """Says all of it, hears everything, and closes the connection when it is told the end."""
        session = Session()
        async with asyncio.timeout(30), self.opened() as ws:
            for message in messages:
                await (ws.send_str(message) if isinstance(message, str) else ws.send_bytes(message))
            while (heard := await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                session.said.append(json.loads(heard.data))
                if session.kinds[-1] == "input_audio_buffer.committed" and hang_up:
                    await ws.close()
            session.code = ws.close_code
        return session


@asynccontextmanager
async def serving(
    stt: STT | str | None = None, *, authorization: str | None = "Bearer k", **options: object
) -> AsyncGenerator[Server]:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with (
        Host(stt or ScriptedSTT(TWO), **options) as host,  # pyright: ignore[reportArgumentType]  (some of its own)
        aiohttp.ClientSession(headers=headers) as http,
    ):
        yield Server(host.urls["kotoba"], http)


# -- the order of a session ----------------------------------------------------------------------------------------


async def test_a_session_goes_as_documented() -> None:
    """created, updated, item.created once, each turn's deltas with its completed behind them, committed at the end."""
    async with serving() as server:
        session = await server.talk(update(), *[append(CALL[:8000])] * 6, COMMIT)
    assert session.kinds == [
        "transcription_session.created",
        "transcription_session.updated",
        "conversation.item.created",
        DELTA,
        COMPLETED,
        DELTA,
        COMPLETED,
        "input_audio_buffer.committed",
    ]


async def test_created_is_said_before_the_client_says_anything() -> None:
    """So a client may wait for it, as the documents have it; the SDKs do not wait."""
    async with serving() as server, server.opened() as ws:
        assert json.loads((await ws.receive()).data)["type"] == "transcription_session.created"
        await ws.send_str(update())
        assert json.loads((await ws.receive()).data)["type"] == "transcription_session.updated"


async def test_texts_join_as_they_are() -> None:
    """Deltas are increments, of the session and of the turn; a completed is what its deltas are together."""
    async with serving() as server:
        session = await server.talk(update(), append(CALL), COMMIT)
    assert session.texts(DELTA) == session.texts(COMPLETED) == ["book a table", " for two"]


async def test_what_is_final_is_told_while_audio_is_still_coming() -> None:
    """The first delta does not wait for the end of the source."""
    async with serving() as server, server.opened() as ws:
        for message in (update(), append(SECOND), append(SECOND)):
            await ws.send_str(message)
        async for heard in ws:
            message = json.loads(heard.data)
            if message["type"] == DELTA:
                break
        else:
            pytest.fail("the session ended")
        assert message["delta"] == "book a table"
        await ws.send_str(COMMIT)


async def test_turns_of_several_finals_have_one_completed() -> None:
    """Its transcript is all of them, with what attaches each to the one before."""
    first, second = utterance("book a", start=0.1, end=0.6), utterance("table", start=0.6, end=1.0)
    end = Cue(1.3, replace(second[-1].event), 1.0)
    async with serving(ScriptedSTT([*first[:-1], *second[1:-1], end])) as server:
        session = await server.talk(update(), append(CALL), COMMIT)
    assert session.texts(DELTA) == ["book a", " table"]
    assert session.texts(COMPLETED) == ["book a table"]


@pytest.mark.parametrize(("flag", "completed"), [(False, []), (True, ["book a table for two"])])
async def test_without_turns_the_deltas_are_everything(
    monkeypatch: pytest.MonkeyPatch, flag: bool, completed: list[str]
) -> None:
    """Kotoba's documents disagree on whether a completed follows commit then: this server can do either."""
    monkeypatch.setattr(KotobaServer, "completed_after_commit", flag)
    async with serving() as server:
        session = await server.talk(update(turn_detection=False), append(CALL), COMMIT)
    assert (session.texts(DELTA), session.texts(COMPLETED)) == (["book a table", " for two"], completed)
    assert session.kinds[-1] == "input_audio_buffer.committed"


@pytest.mark.parametrize("default", [True, False])
async def test_a_deployment_has_its_own_default_of_turns(monkeypatch: pytest.MonkeyPatch, default: bool) -> None:
    """fal.ai's documents say that turns are detected unless the client says otherwise, AWS's that they are not."""
    monkeypatch.setattr(KotobaServer, "turns_by_default", default)
    async with serving() as server:
        session = await server.talk(update(turn_detection=...), append(CALL), COMMIT)
    assert len(session.texts(COMPLETED)) == (2 if default else 0)
    assert cast("Json", session.said[1]["session"])["turn_detection"] == (VAD if default else False)


@pytest.mark.parametrize(
    "carries",
    [
        replace(FULL, interims=False, turns=False, preflight=False),
        replace(FULL, interims=False, turns=False, words=False, times="none", confidence=False),
    ],
)
async def test_a_backend_with_less_still_gives_valid_sessions(carries: object) -> None:
    """Without interims, turns, words or times the texts are the same, and what is not known is not said."""
    async with serving(ScriptedSTT(TWO, carries=carries)) as server:  # pyright: ignore[reportArgumentType]
        session = await server.talk(update(timestamps=True), append(CALL), COMMIT)
    assert session.texts(DELTA) == session.texts(COMPLETED) == ["book a table", " for two"]
    timed = FULL.times if carries == replace(FULL, interims=False, turns=False, preflight=False) else "none"
    assert ("end_ms" in session.said[3]) == (timed == "session")


async def test_times_are_milliseconds_of_the_sessions_audio() -> None:
    """Of the piece on a delta, of the turn on a completed; all before audio_processed_ms has been told."""
    async with serving() as server:
        session = await server.talk(update(timestamps=True), append(CALL), COMMIT)
        silent = await server.talk(update(), append(CALL), COMMIT)
    spans = [(message.get("start_ms"), message.get("end_ms")) for message in session.said if "item_id" in message]
    assert spans == [(100, 1000), (100, 1000), (1600, 2000), (1600, 2000)]
    assert [message["audio_processed_ms"] for message in session.said if message["type"] == DELTA] == [1000, 2000]
    assert not any(name.endswith("_ms") for message in silent.said for name in message)


async def test_a_turns_messages_have_one_item_id() -> None:
    """Another one for each turn: clients must not build on it, but those that do are served."""
    async with serving() as server:
        session = await server.talk(update(), append(CALL), COMMIT)
    ids = [message["item_id"] for message in session.said if "item_id" in message]
    assert (ids[0], ids[2]) == (ids[1], ids[3])
    assert ids[0] != ids[2]


async def test_nothing_said_is_a_session_without_texts() -> None:
    """No empty completed; a session without any audio, too, is committed."""
    async with serving(ScriptedSTT()) as server:
        heard = await server.talk(update(), append(SECOND), COMMIT)
        empty = await server.talk(update(), COMMIT)
    assert heard.kinds[1:] == [
        "transcription_session.updated",
        "conversation.item.created",
        "input_audio_buffer.committed",
    ]
    assert empty.kinds[1:] == ["transcription_session.updated", "input_audio_buffer.committed"]


async def test_after_commit_nothing_more_is_heard() -> None:
    """What a client says then is passed over, and the session ends as it would have."""
    async with serving() as server:
        session = await server.talk(update(), append(SECOND), COMMIT, append(CALL), update(), "nonsense")
    assert (session.texts(DELTA), session.kinds[-1]) == (["book a table"], "input_audio_buffer.committed")


async def test_a_client_that_stays_is_closed_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 1000, some seconds after committed."""
    monkeypatch.setattr(live, "LINGER_SECONDS", 0.01)
    async with serving() as server:
        session = await server.talk(update(), append(CALL), COMMIT, hang_up=False)
    assert (session.kinds[-1], session.code) == ("input_audio_buffer.committed", 1000)


async def test_a_client_may_close_the_connection_itself() -> None:
    """It is told the end, and then has a while for that."""
    async with serving() as server, server.opened() as ws:
        for message in (update(), COMMIT):
            await ws.send_str(message)
        while json.loads((await ws.receive()).data)["type"] != "input_audio_buffer.committed":
            pass
        with pytest.raises(TimeoutError):
            await ws.receive(timeout=0.1)


async def test_a_client_without_an_update_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an error, when the time for it is over."""
    monkeypatch.setattr(live, "UPDATE_WITHIN_SECONDS", 0.01)
    async with serving() as server:
        session = await server.talk()
    assert (session.error()["code"], session.code) == ("timeout_error", 1008)


async def test_a_server_that_stops_tells_what_was_said() -> None:
    """All audio that came is transcribed and committed, and the close says that the server goes away."""
    async with Host(ScriptedSTT(TWO)) as host, aiohttp.ClientSession(headers={"Authorization": "Bearer k"}) as http:
        server = Server(host.urls["kotoba"], http)
        async with server.opened() as ws:
            for message in (update(), append(CALL)):
                await ws.send_str(message)
            heard = [json.loads((await ws.receive()).data)["type"] for _ in range(3)]
            assert heard[-1] == "conversation.item.created"
            stopping = asyncio.create_task(host.aclose())
            last = [json.loads(message.data) async for message in ws][-1]
            await stopping
        assert (last["type"], ws.close_code) == ("input_audio_buffer.committed", 1001)


async def test_a_client_that_goes_away_is_forgotten() -> None:
    """In the middle of its audio, and before its update; the next one is served."""
    stt = ScriptedSTT(TWO)
    async with serving(stt, max_sessions=1) as server:
        for messages in ((), (update(), append(SECOND))):
            async with server.opened() as ws:
                for message in messages:
                    await ws.send_str(message)
        session = await server.talk(update(), append(CALL), COMMIT)
    assert session.texts(DELTA) == ["book a table", " for two"]


# -- settings ------------------------------------------------------------------------------------------------------


async def test_the_settings_in_force_are_echoed() -> None:
    """With their defaults, and what was asked for in the one spelling of the SDKs."""
    bare = {"input_audio_transcription": {"target_language": "ja"}}
    async with serving() as server:
        short = await server.talk(json.dumps({"type": "transcription_session.update", "session": bare}), COMMIT)
        full = await server.talk(
            update({"type": "server_vad"}, rate=48000, keywords=[" Kotoba ", " "], kana=True, timestamps=True), COMMIT
        )
    assert short.said[1]["session"] == {
        "object": "realtime.transcription_session",
        "input_audio_format": "pcm16",
        "input_audio_sample_rate": 24000,
        "input_audio_number_of_channels": 1,
        "input_audio_transcription": {"language": "ja", "target_language": "ja"},
        "turn_detection": VAD,
    }
    assert full.said[1]["session"] == {
        "object": "realtime.transcription_session",
        "input_audio_format": "pcm16",
        "input_audio_sample_rate": 48000,
        "input_audio_number_of_channels": 1,
        "input_audio_transcription": {
            "language": "en",
            "target_language": "en",
            "keywords": ["Kotoba"],
            "style_preference": {"human_name": "kana"},
            "timestamps": True,
        },
        "turn_detection": VAD,
    }


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        (update(True), "turn_detection"),
        (update(None), "turn_detection"),
        (update({"type": "semantic_vad"}), "turn_detection"),
        (update({"type": "server_vad", "silence_duration_ms": -1}), "turn_detection"),
        (update({"type": "server_vad", "silence_duration_ms": 0.5}), "turn_detection"),
        (update(target_language=...), "target_language"),
        (update(language="ja"), "language"),
        (update(wire="mp3"), "input_audio_format"),
        (update(rate="16000"), "input_audio_sample_rate"),
        (update(rate=True), "input_audio_sample_rate"),
        (update(rate=10), "input_audio_sample_rate"),
        (update(keywords="Kotoba"), "keywords"),
        (update(keywords=[1]), "keywords"),
        (update(kana="yes"), "kana"),
        (update(style_preference={"human_name": "romaji"}), "style_preference"),
        (update(style_preference="kana!"), "style_preference"),
        (update(timestamps=1), "timestamps"),
        (update().replace('channels": 1', 'channels": 2'), "input_audio_number_of_channels"),
        ('{"type":"transcription_session.update"}', "session"),
        ('{"type":"transcription_session.update","session":{}}', "input_audio_transcription"),
    ],
)
async def test_a_wrong_setting_is_an_error_that_names_it(wrong: str, param: str) -> None:
    """In place of updated; then the connection is closed."""
    async with serving() as server:
        session = await server.talk(wrong)
    error = session.error()
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "invalid_parameters", param)
    assert param in cast("str", error["message"])
    assert (session.kinds[:-1], session.code) == (["transcription_session.created"], 1008)


@pytest.mark.parametrize("code", ["de", "en-US", "EN"])
async def test_a_language_that_is_not_kotobas_is_refused(code: str) -> None:
    """Four codes, without regions."""
    async with serving() as server:
        session = await server.talk(update(language=code, target_language=code))
    assert session.error()["code"] == "unsupported_language"


async def test_a_language_that_the_backend_does_not_speak_is_refused() -> None:
    """A text in the wrong language would be worse than an error, which says what would do."""
    async with serving("pocketsphinx/en-us") as server:
        error = (await server.talk(update(language=..., target_language="ja"))).error()
    assert (error["code"], error["param"]) == ("unsupported_language", "target_language")
    assert "en" in cast("str", error["message"])


@pytest.mark.parametrize(("wire", "width"), [("pcm16", 2), ("float32", 4), ("mulaw", 1), ("twilio", 1)])
async def test_every_format_is_read_as_what_it_is(wire: str, width: int) -> None:
    """The audio has its true length for the backend; that of the telephone is 8 kHz where nobody says."""
    audio = bytes(width * RATE * 5 // 2)
    async with serving() as server:
        session = await server.talk(
            update(wire=wire, rate=... if width == 1 else RATE), append(audio[:9000]), append(audio[9000:]), COMMIT
        )
    assert session.texts(DELTA) == ["book a table", " for two"]


# -- messages out of place -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([append(SECOND)], "invalid_event"),
        ([COMMIT], "invalid_event"),
        ([update(), update()], "invalid_event"),
        ([update(), append(SECOND), update()], "invalid_event"),
        ([update(), '{"type":"input_audio_buffer.clear"}'], "invalid_event"),
        ([update(), '{"audio":""}'], "invalid_event"),
        ([update(), '{"type":7}'], "invalid_event"),
        ([update(), SECOND], "invalid_event"),
        ([update(), append(SECOND, event_id="a b")], "invalid_event"),
        ([update(), append(SECOND, event_id="a" * 37)], "invalid_event"),
        ([update(), "commit"], "invalid_json"),
        ([update(), "[]"], "invalid_json"),
        ([update(), "[" * 100_000], "invalid_json"),
        ([update(), '{"type":"input_audio_buffer.append"}'], "invalid_parameters"),
        ([update(), '{"type":"input_audio_buffer.append","audio":"not base64"}'], "invalid_parameters"),
        ([update(), append(bytes(3))], "invalid_parameters"),
        ([update(wire="float32"), append(bytes(6))], "invalid_parameters"),
        ([update(), append(bytes((1 << 20) + 2))], "invalid_parameters"),
    ],
)
async def test_a_message_that_is_wrong_ends_the_session(messages: Sequence[str | bytes], code: str) -> None:
    """With an error, for every error is terminal on this wire; neither committed nor a close with 1000 comes."""
    async with serving() as server:
        session = await server.talk(*messages)
    assert (session.error()["code"], session.code) == (code, 1008)
    assert "input_audio_buffer.committed" not in session.kinds


async def test_appends_may_have_ids_and_may_be_empty() -> None:
    """As the SDKs number them; 1 MiB is not too much."""
    numbered = [append(SECOND, event_id=f"chunk-{number:07}") for number in range(3)]
    async with serving() as server:
        session = await server.talk(update(), append(b""), *numbered, append(bytes(1 << 20)), COMMIT)
    assert session.texts(DELTA) == ["book a table", " for two"]
    assert session.kinds.count("conversation.item.created") == 1


# -- who, and failures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", ["Bearer sk", "Key sk", "key  sk"])
async def test_a_key_is_taken_as_bearer_and_as_key(authorization: str) -> None:
    """As clients say it to Kotoba, and to fal.ai."""
    async with serving(authorization=authorization, api_keys=["sk"]) as server:
        assert (await server.talk(update(), COMMIT)).kinds[-1] == "input_audio_buffer.committed"


@pytest.mark.parametrize("authorization", [None, "Bearer other", "Bearer ", "Basic sk", "sk"])
async def test_without_a_good_key_the_handshake_is_refused(authorization: str | None) -> None:
    """With 401, before anything is said."""
    async with serving(authorization=authorization, api_keys=["sk"]) as server:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await server.talk(update(), COMMIT)


async def test_a_backend_that_fails_is_an_error_and_no_clean_end() -> None:
    """Neither committed nor 1000: the client must not take what it has for everything."""
    lost = ScriptedSTT(TWO, faults=[Fault(1.5)], max_retries=0)
    refused = ScriptedSTT(TWO, faults=[Fault(0, "refuse", AuthenticationError("key", status=401))])
    for stt, code, kinds in (
        (lost, "worker_unavailable", ["transcription_session.updated", "conversation.item.created", DELTA, COMPLETED]),
        (refused, "internal_error", []),
    ):
        async with serving(stt) as server:
            session = await server.talk(update(), *([append(SECOND), append(SECOND)] if stt is lost else []))
        assert (session.error()["code"], session.code) == (code, 1011)
        assert session.kinds[1:-1] == kinds


async def test_real_speech_comes_through() -> None:
    """The embedded engine behind two sessions at once, with turns and without: every word, once."""
    pcm = (SPEECH / "garden.wav").read_bytes()[44:] + bytes(32000)
    text = (SPEECH / "garden.txt").read_text().strip()
    audio = [append(pcm[at : at + 3200]) for at in range(0, len(pcm), 3200)]
    async with serving("pocketsphinx/en-us") as server:
        turns, whole = await asyncio.gather(
            server.talk(update(rate=16000), *audio, COMMIT), server.talk(update(False, rate=16000), *audio, COMMIT)
        )
    assert "".join(map(str, turns.texts(COMPLETED))) == text
    assert "".join(map(str, whole.texts(DELTA))) == text


def test_the_half_imports_no_http_library() -> None:
    """It is written with the types of stt_core.server alone."""
    for name in ("asked", "forms", "live", "refusals", "replies", "server"):
        source = Path(cast("str", sys.modules[f"stt_kotoba.{name}"].__file__)).read_text()
        assert "import aiohttp" not in source
        assert "from aiohttp" not in source
