"""Kotoba's server half in front of another Kotoba: a gateway, which hands on what is asked for and what is heard."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import aiohttp
import pytest

from stt_core.audio.frames import AudioFormat
from stt_core.audio.wav import wav_header
from stt_core.events import SpeechData, SpeechEvent, SpeechEventType
from stt_core.factory import create_stt
from stt_core.server import Host
from stt_core.testing.faults import Answer, AudioWire, Exchange, Peer, ScriptedServer, base64_audio
from stt_kotoba.replies import LiveReplies

RATE = 16000
SECOND = bytes(2 * RATE)
WAV = wav_header(AudioFormat(RATE), len(SECOND)) + SECOND

DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"

Json = dict[str, object]


async def talk(peer: Peer) -> None:
    """A Kotoba that hears a piece of a word in each second, and never ends a turn by itself."""
    pieces = iter(("Hel", "lo wor", "ld."))
    heard = 0
    async for message in peer:
        parsed = cast("Json", json.loads(message))
        if parsed["type"] == "transcription_session.update":
            await peer.send({"type": "transcription_session.updated", "event_id": "e", "session": {}})
        elif parsed["type"] == "input_audio_buffer.append":
            before, heard = heard, heard + len(base64.b64decode(cast("str", parsed["audio"])))
            if heard // len(SECOND) > before // len(SECOND):
                end = heard // len(SECOND) * 1000
                await peer.send({"type": DELTA, "delta": next(pieces), "start_ms": end - 900, "end_ms": end - 100})
        else:
            await peer.send({"type": COMPLETED, "transcript": "Hello world.", "start_ms": 100, "end_ms": 2900})
            await peer.send({"type": "input_audio_buffer.committed", "event_id": "e"})
            await peer.close()


async def answer(exchange: Exchange) -> Answer:
    words = [{"text": "Hi", "type": "word", "start": 0.1, "end": 0.3, "speaker_id": "speaker_1"}]
    return Answer({"language_code": "ja", "language_probability": 0.9, "text": "Hi", "words": words})


class Gateway:
    """The gateway's address, a client of it, and what is behind."""

    def __init__(self, url: str, http: aiohttp.ClientSession, behind: ScriptedServer) -> None:
        self.url = url
        self.http = http
        self.behind = behind

    async def post(self, path: str, fields: Sequence[tuple[str, str]]) -> Json:
        form = aiohttp.FormData(fields)
        form.add_field("file", WAV, filename="call.wav", content_type="audio/wav")
        async with self.http.post(self.url + path, data=form) as response:
            assert response.status in (200, 202)
            return await response.json()

    def asked(self) -> dict[str, list[str]]:
        """The fields of the one form that came behind."""
        (exchange,) = self.behind.requests
        boundary = exchange.head.headers["Content-Type"].partition("boundary=")[2].strip('"').encode()
        found: dict[str, list[str]] = {}
        for part in bytes(exchange.body).split(b"--" + boundary)[1:-1]:
            head, _, content = part[2:-2].partition(b"\r\n\r\n")
            name = head.partition(b'; name="')[2].partition(b'"')[0].decode()
            if name != "file":
                found.setdefault(name, []).append(content.decode())
        return found


@asynccontextmanager
async def gateway() -> AsyncGenerator[Gateway]:
    appended = AudioWire(audio_of=base64_audio("audio", type="input_audio_buffer.append"))
    async with (
        ScriptedServer(talk, http=answer, audio=appended) as behind,
        create_stt("kotoba", base_url=f"{behind.url}/v1", api_key="k", max_pace=1e6) as stt,
        Host(stt) as host,
        aiohttp.ClientSession(headers={"Authorization": "Bearer k"}) as http,
    ):
        yield Gateway(host.urls["kotoba"], http, behind)


async def say(ws: aiohttp.ClientWebSocketResponse, kind: str, **fields: object) -> None:
    await ws.send_str(json.dumps({"type": kind, **fields}))


async def hear(ws: aiohttp.ClientWebSocketResponse, kind: str) -> Json:
    """The next message of a kind."""
    while (message := await ws.receive()).type is aiohttp.WSMsgType.TEXT:
        if (found := cast("Json", json.loads(message.data)))["type"] == kind:
            return found
    pytest.fail(f"the session ended without {kind}")


async def open_session(ws: aiohttp.ClientWebSocketResponse, turn_detection: object, **transcription: object) -> None:
    asked = {"target_language": "ja", **transcription}
    session = {"input_audio_sample_rate": RATE, "input_audio_transcription": asked, "turn_detection": turn_detection}
    await say(ws, "transcription_session.update", session=session)
    await hear(ws, "transcription_session.updated")


async def test_deltas_come_through_at_once() -> None:
    """Each is told before the next audio comes; together they are what is completed, and their spans are its span."""
    async with gateway() as server, server.http.ws_connect(f"{server.url}/realtime") as ws:
        await open_session(ws, {"type": "server_vad"}, timestamps=True)
        told: list[Json] = []
        for _ in range(3):
            await say(ws, "input_audio_buffer.append", audio=base64.b64encode(SECOND).decode())
            told.append(await hear(ws, DELTA))
        await say(ws, "input_audio_buffer.commit")
        completed = await hear(ws, COMPLETED)
        await hear(ws, "input_audio_buffer.committed")
    assert [delta["delta"] for delta in told] == ["Hel", "lo wor", "ld."]
    assert [(delta["start_ms"], delta["end_ms"]) for delta in told] == [(100, 900), (900, 1900), (1900, 2900)]
    assert (completed["transcript"], completed["start_ms"], completed["end_ms"]) == ("Hello world.", 100, 2900)


async def test_what_a_session_asks_for_reaches_who_is_behind() -> None:
    """In whichever spelling: keywords, kana, times, and when a turn ends."""
    async with gateway() as server:
        turns = {"type": "server_vad", "silence_duration_ms": 240}
        for detection, transcription in (
            (turns, {"keywords": ["東京"], "kana": True, "timestamps": True}),
            (False, {"style_preference": {"human_name": "kana"}}),
        ):
            async with server.http.ws_connect(f"{server.url}/realtime") as ws:
                await open_session(ws, detection, **transcription)
                await say(ws, "input_audio_buffer.commit")
                await hear(ws, "input_audio_buffer.committed")
    first, second = (json.loads(connection.texts[0])["session"] for connection in server.behind.connections)
    assert first["input_audio_transcription"] == {
        "language": "ja",
        "target_language": "ja",
        "keywords": ["東京"],
        "style_preference": {"human_name": "kana"},
        "timestamps": True,
    }
    assert first["turn_detection"] == turns
    assert second["input_audio_transcription"]["style_preference"] == {"human_name": "kana"}
    assert second["turn_detection"] is False


async def test_what_a_file_asks_for_reaches_who_is_behind() -> None:
    """Every field of the one-shot form; and of the answer, its words and speakers."""
    fields = [
        ("file_format", "other"),
        ("with_timestamps", "true"),
        ("language", "ja"),
        ("diarization", "true"),
        ("keywords", "東京"),
        ("keywords", "大阪"),
        ("kana", "true"),
    ]
    async with gateway() as server:
        said = await server.post("/speech-to-text", fields)
    assert server.asked() == {name: [value for each, value in fields if each == name] for name, _ in fields}
    assert (said["text"], said["language_code"]) == ("Hi", "ja")
    assert said["words"] == [{"text": "Hi", "type": "word", "start": 0.1, "end": 0.3, "speaker_id": "speaker_1"}]


async def test_what_a_job_asks_for_reaches_who_is_behind() -> None:
    """Kana by its third name."""
    async with gateway() as server:
        fields = [("language", "ja"), ("with_timestamps", "true"), ("human_name", "kana")]
        job_id = (await server.post("/transcription_jobs", fields))["job_id"]
        status, done = 202, dict[str, object]()
        while status == 202:
            async with server.http.get(f"{server.url}/transcription_jobs/{job_id}") as response:
                status, done = response.status, await response.json()
    assert server.asked() == {
        "file_format": ["other"],
        "with_timestamps": ["true"],
        "language": ["ja"],
        "kana": ["true"],
    }
    assert (status, done["transcription"]) == (200, "Hi")
    assert done["segments"] == [{"text": "Hi", "start": 0.1, "end": 0.3}]


# -- what only grows -----------------------------------------------------------------------------------------------

INTERIM, FINAL, END = (
    SpeechEventType.INTERIM_TRANSCRIPT,
    SpeechEventType.FINAL_TRANSCRIPT,
    SpeechEventType.END_OF_SPEECH,
)


def deltas(*events: tuple[SpeechEventType, str], provider: str = "kotoba") -> list[object]:
    """What a session with turns says of these events: its deltas, and its turns in brackets."""
    replies = LiveReplies(turns=True, completes=False, timestamps=False, new_id=lambda: "id")
    found: list[object] = []
    for kind, text in events:
        event = SpeechEvent(kind, [SpeechData(text, " ")] if text else (), provider=provider)
        found += [
            f"[{message['transcript']}]" if "transcript" in message else message["delta"]
            for message in replies.say(event)
        ]
    return found


def test_what_others_are_not_sure_of_is_not_told() -> None:
    """A delta cannot be taken back."""
    assert deltas((INTERIM, "Hel"), (INTERIM, "Hold"), (FINAL, "Help"), (END, ""), provider="acme") == [
        "Help",
        "[Help]",
    ]


def test_a_final_is_only_what_was_not_told() -> None:
    """Nothing for one that was told whole; a space that attaches it to the turn before counts as its text."""
    events = [(INTERIM, "Hello"), (FINAL, "Hello"), (END, ""), (INTERIM, "you"), (FINAL, "you there"), (END, "")]
    assert deltas(*events) == ["Hello", "[Hello]", " you", " there", "[ you there]"]


def test_what_turns_out_otherwise_is_told_from_where_it_differs() -> None:
    """Interims that shrink or change are passed over; the completed is right, whatever was told before."""
    events = [(INTERIM, "Hello wor"), (INTERIM, "Hello"), (INTERIM, "Hullo world"), (FINAL, "Hello you"), (END, "")]
    assert deltas(*events) == ["Hello wor", "you", "[Hello you]"]


def test_a_turn_that_comes_to_nothing_leaves_nothing_behind() -> None:
    """What was told of it is not taken for the beginning of the next."""
    assert deltas((INTERIM, "He"), (END, ""), (INTERIM, "Hello"), (FINAL, "Hello"), (END, "")) == [
        "He",
        "Hello",
        "[Hello]",
    ]
