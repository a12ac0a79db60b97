"""The client half against a server on loopback that says what Cartesia is documented to say."""

from __future__ import annotations

import io
import json
import logging
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from aiohttp import WSMsgType, web

from stt_cartesia.stt import CartesiaSTT
from stt_core.audio.frames import AudioFormat
from stt_core.audio.wav import wav_header
from stt_core.errors import (
    AuthenticationError,
    BadRequestError,
    ConfigError,
    ProtocolError,
    QuotaError,
    RateLimitError,
    STTError,
)
from stt_core.events import SpeechEventType

KEY = "sk_car_very_secret"
RATE = 16000
ANSWER = {
    "text": " Hi there.",
    "language": "en",
    "duration": 1.42,
    "words": [{"word": "Hi", "start": 0.08, "end": 0.3}, {"word": "there.", "start": 0.31, "end": 0.66}],
}

Talk = Callable[[web.WebSocketResponse, "Vendor"], Awaitable[None]]


@dataclass
class Vendor:
    """Answers every request with the next answer, every socket with a talk, and keeps what it was asked."""

    answers: list[web.Response] = field(default_factory=list[web.Response])
    talk: Talk | None = None
    requests: list[web.Request] = field(default_factory=list[web.Request])
    bodies: list[bytes] = field(default_factory=list[bytes])
    texts: list[str] = field(default_factory=list[str])
    audio: list[bytes] = field(default_factory=list[bytes])

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if request.headers.get("Upgrade") == "websocket" and self.talk is not None:
            socket = web.WebSocketResponse(timeout=0.1)
            socket.headers["X-Request-Id"] = "r-1"
            await socket.prepare(request)
            await self.talk(socket, self)
            return socket
        self.bodies.append(await request.read())
        return self.answers.pop(0) if self.answers else web.json_response(ANSWER, headers={"X-Request-Id": "r-9"})

    async def heard(self, socket: web.WebSocketResponse) -> str | None:
        """The next text of the client, with the audio before it put aside; ``None`` when it hangs up."""
        while True:
            message = await socket.receive()
            if message.type is WSMsgType.BINARY:
                self.audio.append(message.data)
            elif message.type is WSMsgType.TEXT:
                self.texts.append(message.data)
                return cast("str", message.data)
            else:
                return None


@asynccontextmanager
async def serving(vendor: Vendor) -> AsyncGenerator[str]:
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", vendor.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", KEY)


def wav(seconds: float = 0.1) -> bytes:
    audio_format = AudioFormat(RATE)
    size = audio_format.bytes_for(seconds)
    return wav_header(audio_format, size) + bytes(size)


def loud(seconds: float) -> bytes:
    """Loud enough to be voice."""
    count = round(seconds * RATE)
    return (np.sin(np.arange(count) / 8) * 12000).astype("<i2").tobytes()


def parts(vendor: Vendor, index: int = -1) -> list[tuple[str, dict[str, str], bytes]]:
    """The multipart body, taken apart by hand: name, headers, content."""
    boundary = vendor.requests[index].headers["Content-Type"].partition("boundary=")[2].strip('"').encode()
    found: list[tuple[str, dict[str, str], bytes]] = []
    for part in vendor.bodies[index].split(b"--" + boundary)[1:-1]:
        head, _, content = part[2:-2].partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        disposition = headers["Content-Disposition"]
        found.append((disposition.split('name="', 1)[1].split('"', 1)[0], headers, content))
    return found


# -- files: section 6 ----------------------------------------------------------------------------------------------


async def test_a_file_is_uploaded_as_it_is(tmp_path: Path) -> None:
    """6.1: the parts in the SDKs' order, the key in a header, nothing of the audio touched."""
    path = tmp_path / "call.wav"
    path.write_bytes(wav())
    vendor = Vendor()
    async with serving(vendor) as url, CartesiaSTT(language="pt-BR", base_url=url) as stt:
        transcript = await stt.recognize(path, word_timestamps=True)
    (request,) = vendor.requests
    assert (request.method, request.path_qs) == ("POST", "/stt")
    assert request.headers["X-API-Key"] == KEY
    assert request.headers["Cartesia-Version"] == "2026-08-14"
    assert [(name, content) for name, _, content in parts(vendor)] == [
        ("model", b"ink-whisper"),
        ("language", b"pt"),
        ("timestamp_granularities[]", b"word"),
        ("file", wav()),
    ]
    headers = parts(vendor)[3][1]
    assert 'filename="call.wav"' in headers["Content-Disposition"]
    assert headers["Content-Type"] == "audio/wav"
    assert (transcript.text, transcript.language, transcript.duration) == ("Hi there.", "en", 1.42)
    assert [(each.text, each.start_time, each.end_time) for each in transcript.words or ()] == [
        ("Hi", 0.08, 0.3),
        ("there.", 0.31, 0.66),
    ]
    assert (transcript.request_id, transcript.raw) == ("r-9", ANSWER)


async def test_what_was_not_asked_for_is_not_sent() -> None:
    """6.1: unset optionals are omitted; the answer's text is all that is guaranteed (6.2)."""
    bare = web.json_response({"text": "", "request_id": "r-7"}, headers={"X-Request-Id": "r-9"})
    vendor = Vendor(answers=[bare])
    async with serving(vendor) as url, CartesiaSTT(base_url=url) as stt:
        transcript = await stt.recognize(io.BytesIO(wav()))
    assert [name for name, _, _ in parts(vendor)] == ["model", "language", "file"]
    assert (transcript.text, transcript.language, transcript.duration, transcript.words) == ("", None, None, None)
    assert transcript.request_id == "r-7"


async def test_bare_samples_go_with_their_format_in_the_query(tmp_path: Path) -> None:
    """6.1: encoding and sample_rate, and no header that would be heard."""
    path = tmp_path / "raw.pcm"
    path.write_bytes(loud(0.1))
    vendor = Vendor()
    async with serving(vendor) as url, CartesiaSTT(base_url=url) as stt:
        with path.open("rb") as file:
            await stt.recognize(file, encoding="pcm_s16le", sample_rate=RATE)
        await stt.recognize(loud(0.1), encoding="pcm_s16le", sample_rate=RATE, channels=2)
    assert dict(vendor.requests[0].query) == {"encoding": "pcm_s16le", "sample_rate": "16000"}
    assert parts(vendor, 0)[-1][2] == loud(0.1)
    assert 'filename="audio.pcm"' in parts(vendor, 0)[-1][1]["Content-Disposition"]
    assert dict(vendor.requests[1].query) == {}, "bare samples of several channels are not taken, and go as a WAV file"
    assert parts(vendor, 1)[-1][2].startswith(b"RIFF")


async def test_the_other_path_extra_fields_and_an_older_version() -> None:
    """6.1: D is C in OpenAI's shape; 2.2: the version can be chosen."""
    vendor = Vendor()
    async with (
        serving(vendor) as url,
        CartesiaSTT(
            base_url=f"{url}/",
            batch_path="/audio/transcriptions",
            api_version="2024-11-13",
            extra={"prompt": "x", "sample_rate": 8000},
        ) as stt,
    ):
        await stt.recognize(("geräusch.mp3", wav()))
    (request,) = vendor.requests
    assert (request.path, dict(request.query)) == ("/audio/transcriptions", {"sample_rate": "8000"})
    assert request.headers["Cartesia-Version"] == "2024-11-13"
    assert [name for name, _, _ in parts(vendor)] == ["model", "language", "prompt", "file"]
    assert 'filename="audio.mp3"' in parts(vendor)[-1][1]["Content-Disposition"]


async def test_an_upload_is_repeated_where_it_can_be_read_again() -> None:
    """6.3: it is safe, the vendor keeps no state."""
    vendor = Vendor(answers=[web.Response(status=503), web.Response(status=429, headers={"Retry-After": "0"})])
    async with serving(vendor) as url, CartesiaSTT(base_url=url, retry_interval=0) as stt:
        assert (await stt.recognize(wav())).text == "Hi there."
    assert len(vendor.requests) == 3
    assert parts(vendor)[-1][2] == wav()


async def test_a_refusal_is_the_vendors_own_words_without_the_key() -> None:
    """8.1, both shapes; promise S12: the key is in no message, cause, body or frame."""
    vendor = Vendor(
        answers=[
            web.Response(status=401, text=f"Unauthorized: the key {KEY} is not known"),
            web.json_response({"error_code": "quota_exceeded", "title": "No credits", "message": "buy"}, status=402),
            web.Response(text="[]"),
            web.Response(text="oops"),
        ]
    )
    async with serving(vendor) as url, CartesiaSTT(base_url=url) as stt:
        with pytest.raises(AuthenticationError, match="Unauthorized: the key") as caught:
            await stt.recognize(wav())
        assert KEY not in "".join(traceback.format_exception(caught.value)) + str(caught.value.body)
        with pytest.raises(QuotaError, match="No credits: buy") as refused:
            await stt.recognize(wav())
        assert (refused.value.code, refused.value.provider, refused.value.retryable) == (
            "quota_exceeded",
            "cartesia",
            False,
        )
        for _ in range(2):
            with pytest.raises(ProtocolError):
                await stt.recognize(wav())
    assert len(vendor.requests) == 4


# -- keys and tokens: section 2.3 ----------------------------------------------------------------------------------


async def test_a_token_is_minted_with_the_key_and_used_in_its_place() -> None:
    """2.3: grants, expiry; both as bearer; asked for anew for each request."""
    vendor = Vendor(answers=[web.json_response({"token": "jwt-1"}), web.json_response({"token": "jwt-2"})])
    async with serving(vendor) as url, CartesiaSTT(base_url=url) as issuer:
        async with CartesiaSTT(base_url=url, auth=issuer.access_token) as stt:
            await stt.recognize(wav())
            vendor.answers.insert(0, web.json_response({"token": "jwt-3"}))
            await stt.recognize(wav())
        assert json.loads(vendor.bodies[0]) == {"grants": {"stt": True}, "expires_in": 60}
        with pytest.raises(ConfigError, match="1 to 3600"):
            await issuer.access_token(expires_in=4000)
        vendor.answers[:] = [web.json_response({})]
        with pytest.raises(ProtocolError, match="without a token"):
            await issuer.access_token(expires_in=3600, grants={"tts": True})
    asked = [(request.path, request.headers.get("Authorization")) for request in vendor.requests]
    assert asked[0] == ("/access-token", f"Bearer {KEY}")
    assert asked[1] == ("/stt", "Bearer jwt-1")
    assert "X-API-Key" not in vendor.requests[1].headers
    assert json.loads(vendor.bodies[-1])["grants"] == {"stt": True, "tts": True}


async def test_prewarming_checks_the_key_for_free() -> None:
    """2.1: GET /voices; a token for speech to text says nothing there."""
    vendor = Vendor(answers=[web.json_response([]), web.Response(status=401, text="no")])
    async with serving(vendor) as url, CartesiaSTT(base_url=url) as stt:
        await stt.prewarm()
        with pytest.raises(AuthenticationError):
            await stt.prewarm()
        assert vendor.requests[0].path_qs == "/voices?limit=1"
        async with CartesiaSTT(base_url=url, auth="jwt") as tokened:
            await tokened.prewarm()
        assert len(vendor.requests) == 2


# -- live ----------------------------------------------------------------------------------------------------------


async def manual(socket: web.WebSocketResponse, vendor: Vendor) -> None:
    """Section 4: a final for each finalize, and the rest at the end."""
    count = 0
    while (text := await vendor.heard(socket)) is not None:
        if text == "finalize":
            count += 1
            said = {"text": "Book a table" if count == 1 else " for two.", "is_final": True, "language": "en"}
            await socket.send_json({"type": "transcript", "request_id": "r-1", **said})
            await socket.send_json({"type": "flush_done", "request_id": "r-1"})
        else:
            await socket.send_json({"type": "done", "request_id": "r-1"})
            await socket.close()


async def test_a_manual_stream_from_start_to_end(caplog: pytest.LogCaptureFixture) -> None:
    """Scenario 6 in small: flush, end, and only then read; the key in a header and in no log."""
    caplog.set_level(logging.DEBUG)
    vendor = Vendor(talk=manual)
    async with (
        serving(vendor) as url,
        CartesiaSTT(base_url=url, min_volume=0.1) as stt,
        stt.stream(sample_rate=RATE) as stream,
    ):
        await stream.send_frame(loud(0.3))
        finals = await stream.flush()
        await stream.send_frame(loud(0.3))
        stream.end_input()
        kinds = [event.type async for event in stream]
        transcript = await stream.transcript()
    assert [(event.text, event.request_id) for event in finals] == [("Book a table", "r-1")]
    assert transcript.text == "Book a table for two."
    assert transcript.language == "en"
    assert kinds.count(SpeechEventType.FINAL_TRANSCRIPT) == 2
    assert vendor.texts == ["finalize", "finalize", "close"]
    assert b"".join(vendor.audio) == loud(0.3) + loud(0.3)
    (request,) = vendor.requests
    assert request.headers["X-API-Key"] == KEY
    assert KEY not in request.path_qs
    assert KEY not in caplog.text


async def turns(socket: web.WebSocketResponse, vendor: Vendor) -> None:
    """Section 5: a turn that is closed by the client's close."""
    await socket.send_json({"type": "connected", "request_id": "r-5"})
    text = await vendor.heard(socket)
    assert text is not None
    for kind, transcript in (("start", None), ("update", "Hi"), ("end", "Hi there.")):
        words = {} if transcript is None else {"transcript": transcript}
        await socket.send_json({"type": f"turn.{kind}", "request_id": "r-5", **words})
    await socket.close()


async def test_a_stream_of_turns_from_start_to_end() -> None:
    """The session's id from `connected`, the turn's events in order, the end by the close."""
    vendor = Vendor(talk=turns)
    async with (
        serving(vendor) as url,
        CartesiaSTT("ink-2", base_url=url, keyterms=["Ink 2"]) as stt,
        stt.stream(sample_rate=RATE) as stream,
    ):
        await stream.send_frame(loud(0.3))
        stream.end_input()
        events = [event async for event in stream]
    wanted = {
        SpeechEventType.START_OF_SPEECH,
        SpeechEventType.INTERIM_TRANSCRIPT,
        SpeechEventType.FINAL_TRANSCRIPT,
        SpeechEventType.END_OF_SPEECH,
    }
    assert [(event.type, event.text) for event in events if event.type in wanted] == [
        (SpeechEventType.START_OF_SPEECH, ""),
        (SpeechEventType.INTERIM_TRANSCRIPT, "Hi"),
        (SpeechEventType.FINAL_TRANSCRIPT, "Hi there."),
        (SpeechEventType.END_OF_SPEECH, ""),
    ]
    assert not any(event.derived for event in events)
    assert {event.request_id for event in events if event.type in wanted} == {"r-5"}
    assert [json.loads(text) for text in vendor.texts] == [{"type": "close"}]
    assert vendor.requests[0].query["keyterm"] == "Ink 2"


async def test_ink_2_hears_files_through_its_stream() -> None:
    """6.1: batch refuses it."""
    vendor = Vendor(talk=turns)
    async with serving(vendor) as url, CartesiaSTT("ink-2", base_url=url) as stt:
        assert (await stt.recognize(wav())).text == "Hi there."
    assert vendor.requests[0].path == "/stt/turns/websocket"


async def refuse_settings(socket: web.WebSocketResponse, vendor: Vendor) -> None:
    """5.1, as seen live: no error frame, a close with a reason."""
    await socket.close(code=1008, message=b"Invalid turn thresholds")


async def test_a_close_for_bad_settings_is_not_tried_again() -> None:
    """8.4: 1008, with the server's reason."""
    vendor = Vendor(talk=refuse_settings)
    async with (
        serving(vendor) as url,
        CartesiaSTT("ink-2", base_url=url) as stt,
        stt.stream(sample_rate=RATE) as stream,
    ):
        stream.push_frame(loud(0.3))
        with pytest.raises(BadRequestError, match="Invalid turn thresholds"):
            _ = [event async for event in stream]
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    ("refusal", "error", "attempts"),
    [
        ((401, "Unauthorized: no such key"), AuthenticationError, 1),
        ((414, ""), BadRequestError, 1),
        ((429, "Too Many: 8 of 8"), RateLimitError, 2),
    ],
)
async def test_a_refused_handshake_is_typed(refusal: tuple[int, str], error: type[STTError], attempts: int) -> None:
    """8.3: and tried again only where that can help."""
    status, text = refusal
    vendor = Vendor(answers=[web.Response(status=status, text=text) for _ in range(attempts)])
    async with (
        serving(vendor) as url,
        CartesiaSTT(base_url=url, max_retries=1, retry_interval=0) as stt,
        stt.stream(sample_rate=RATE) as stream,
    ):
        stream.push_frame(loud(0.3))
        with pytest.raises(error) as caught:
            _ = [event async for event in stream]
    assert len(vendor.requests) == attempts
    assert KEY not in "".join(traceback.format_exception(caught.value))


async def idle_close(socket: web.WebSocketResponse, vendor: Vendor) -> None:
    """8.4: an unsolicited 1000 ends the first session; the second one works."""
    if len(vendor.requests) == 1:
        await socket.receive()
        await socket.close(code=1000, message=b"connection idle timeout")
    else:
        await manual(socket, vendor)


async def test_a_normal_looking_close_that_nobody_asked_for_loses_nothing() -> None:
    """8.4: sessions die silently in other clients."""
    vendor = Vendor(talk=idle_close)
    async with (
        serving(vendor) as url,
        CartesiaSTT(base_url=url, retry_interval=0) as stt,
        stt.stream(sample_rate=RATE) as stream,
    ):
        await stream.send_frame(loud(0.5))
        stream.end_input()
        assert (await stream.transcript()).text == "Book a table"
    assert len(vendor.requests) == 2
    assert b"".join(vendor.audio) == loud(0.5), "the second session hears everything"
