"""The client half against gateways on loopback that say what LiveKit's are documented to say, and end as they end."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Unpack

import aiohttp
import jwt
import numpy as np
import pytest

import stt_core
from stt_core.audio.frames import AudioFormat, AudioFrame
from stt_core.audio.wav import wav_header
from stt_core.errors import (
    AuthenticationError,
    BadRequestError,
    DrainTimeoutError,
    RateLimitError,
    ServerError,
    STTError,
)
from stt_core.events import SpeechEvent, SpeechEventType
from stt_core.testing.clock import virtual_time
from stt_core.testing.faults import AudioWire, Peer, ScriptedServer, Status, base64_audio
from stt_livekit import LiveKitSTT

if TYPE_CHECKING:
    from stt_core.testing.faults.messages import Json
    from stt_core.testing.faults.plan import SocketFault
    from stt_livekit.stt import DeepgramArguments

KEY = "APIkeyOnNoWireButInItsToken"
SECRET = "a-secret-that-is-on-no-wire-whatsoever-and-long"  # noqa: S105
RATE = 16000
AUDIO = AudioWire(audio_of=base64_audio("audio", type="input_audio"))

START = SpeechEventType.START_OF_SPEECH
INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
FINAL = SpeechEventType.FINAL_TRANSCRIPT
END = SpeechEventType.END_OF_SPEECH
USAGE = SpeechEventType.RECOGNITION_USAGE
SPEECH = (START, INTERIM, USAGE, FINAL, END)

Script = Callable[[Peer], Awaitable[None]]


def loud(seconds: float, rate: int = RATE) -> bytes:
    """Loud enough to be voice."""
    return (np.sin(np.arange(round(seconds * rate)) / 8) * 12000).astype("<i2").tobytes()


def words(text: str, start: float, duration: float) -> Sequence[Json]:
    step = duration / len(text.split())
    return [
        {"word": word, "start": start + index * step, "end": start + (index + 1) * step, "confidence": 0.9}
        for index, word in enumerate(text.split())
    ]


def final(text: str = "Book a table", start: float = 0.1, duration: float = 0.3) -> Mapping[str, Json]:
    return {
        "type": "final_transcript",
        "transcript": text,
        "language": "en",
        "start": start,
        "duration": duration,
        "confidence": 0.9,
        "words": words(text, start, duration),
    }


def empty(kind: str) -> Mapping[str, Json]:
    return {"type": kind}


async def until(peer: Peer, kind: str) -> Mapping[str, Json]:
    """The client's next message of a kind; those before it are passed over."""
    while True:
        message: Mapping[str, Json] = json.loads(await peer.receive())
        if message["type"] == kind:
            return message


async def gateway(peer: Peer) -> None:
    """Everything that is documented, in its order."""
    await until(peer, "session.create")
    await peer.send({"type": "session.created", "session_id": f"s-{peer.connection.number}"})
    count = 0
    while True:
        message: Mapping[str, Json] = json.loads(await peer.receive())
        if message["type"] == "session.finalize":
            count += 1
            if count == 1:
                await peer.send({"type": "interim_transcript", "transcript": "Book a", "start": 0.1, "duration": 0.2})
                await peer.send(final())
            await peer.send(empty("session.finalized"))
        elif message["type"] == "session.close":
            await peer.send(empty("session.closed"))
            return


@asynccontextmanager
async def serving(script: Script = gateway, plan: Sequence[SocketFault] = ()) -> AsyncGenerator[ScriptedServer]:
    async def run(peer: Peer) -> None:
        await script(peer)

    async with ScriptedServer(run, plan, audio=AUDIO) as server:
        yield server


def client(server: ScriptedServer, **options: Unpack[DeepgramArguments]) -> LiveKitSTT:
    given: DeepgramArguments = {"retry_interval": 0.0, "max_pace": 1e6, "language": "en"}
    return LiveKitSTT(
        "deepgram/nova-3", api_key=KEY, api_secret=SECRET, **{"base_url": f"{server.url}/v1", **given, **options}
    )


async def listen(stt: LiveKitSTT, *, seconds: float = 0.5) -> list[SpeechEvent]:
    async with stt, stt.stream(sample_rate=RATE) as stream:
        await stream.send_frame(loud(seconds))
        stream.end_input()
        return [event async for event in stream]


def shown(events: Sequence[SpeechEvent]) -> list[tuple[SpeechEventType, str]]:
    return [(event.type, event.text) for event in events if event.type in SPEECH]


# -- a session: sections 1.1 to 1.4 --------------------------------------------------------------------------------


async def test_a_session_from_start_to_end(caplog: pytest.LogCaptureFixture) -> None:
    """One connection (Z1), 50 ms of audio a message, the events of a turn in order, both secrets nowhere."""
    caplog.set_level(logging.DEBUG)
    async with serving() as server:
        stt = client(server)
        async with stt, stt.stream(sample_rate=RATE) as stream:
            await stream.send_frame(loud(0.52))
            assert [event.text for event in await stream.flush()] == ["Book a table"]
            stream.end_input()
            events = [event async for event in stream]
            transcript = await stream.transcript()
            usage = stream.usage
        (connection,) = server.connections
        places = [*server.places_of(SECRET), *server.places_of(KEY, allowed_headers=["Authorization"])]
    assert shown(events) == [
        (START, ""),
        (INTERIM, "Book a"),
        (USAGE, ""),
        (FINAL, "Book a table"),
        (END, ""),
    ]
    assert {event.request_id for event in events if event.type in (INTERIM, FINAL)} == {"s-0"}
    assert (transcript.text, transcript.language, transcript.request_id) == ("Book a table", "en", "s-0")
    assert (usage.audio_duration, usage.replayed_duration) == (0.52, 0.0)
    sizes = [len(frame.audio) for frame in connection.received if frame.audio is not None]
    assert sizes == [1600] * 10 + [640]
    assert connection.audio == loud(0.52)
    assert [json.loads(text)["type"] for text in connection.texts] == [
        "session.create",
        "session.finalize",
        "session.finalize",
        "session.close",
    ]
    assert connection.head.target == "/v1/stt?model=deepgram/nova-3"
    assert connection.head.headers["User-Agent"] == f"stt-core/{stt_core.__version__}"
    assert connection.head.headers["X-LiveKit-Session-ID"].startswith("inference_")
    assert not places
    assert SECRET not in caplog.text


def token_of(server: ScriptedServer, number: int) -> str:
    scheme, _, token = server.connections[number].head.headers["Authorization"].partition(" ")
    assert scheme == "Bearer"
    return token


async def drop_the_first(peer: Peer) -> None:
    if peer.connection.number == 0:
        await until(peer, "input_audio")
        await peer.drop()
    else:
        await gateway(peer)


async def test_a_token_is_made_for_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the documented claims and no others; each connection has a session of its own."""
    clock = iter(range(1_700_000_000, 1_800_000_000))
    monkeypatch.setattr("stt_livekit.stt.time.time", lambda: next(clock))
    async with serving(drop_the_first) as server:
        assert (FINAL, "Book a table") in shown(await listen(client(server)))
        claims = [
            jwt.decode(
                token_of(server, number),
                SECRET,
                algorithms=["HS256"],
                options={"verify_exp": False, "verify_nbf": False},
            )
            for number in range(2)
        ]
        names = {connection.head.headers["X-LiveKit-Session-ID"] for connection in server.connections}
    for number, claim in enumerate(claims):
        assert set(claim) == {"inference", "sub", "iss", "nbf", "exp"}, number
        assert (claim["iss"], claim["sub"], claim["inference"]) == (KEY, "agent", {"perform": True})
        assert claim["exp"] - claim["nbf"] == 600
    assert claims[0]["nbf"] < claims[1]["nbf"]
    assert len(names) == 2


async def test_a_token_of_ones_own_is_asked_for_anew() -> None:
    """In place of key and secret; a callable is called for each connection."""
    tokens = iter(["token-one", "token-two"])
    async with serving(drop_the_first) as server:
        stt = LiveKitSTT(
            "deepgram/nova-3", auth=lambda: next(tokens), base_url=server.url, retry_interval=0.0, max_pace=1e6
        )
        assert (FINAL, "Book a table") in shown(await listen(stt))
        assert [token_of(server, 0), token_of(server, 1)] == ["token-one", "token-two"]


# -- how gateways end: section 1.4 ---------------------------------------------------------------------------------


async def closes_the_socket(peer: Peer) -> None:
    """The old dialect: no acknowledgement, no goodbye, a clean close."""
    await until(peer, "session.finalize")
    await peer.send(final())


async def says_closed(peer: Peer) -> None:
    """A gateway that ends the session by itself."""
    await until(peer, "session.finalize")
    await peer.send(final())
    await peer.send(empty("session.closed"))
    await peer.receive()


async def acknowledges_first(peer: Peer) -> None:
    """Optional acknowledgements may precede trailing transcripts."""
    await until(peer, "input_audio")
    await peer.send({"type": "interim_transcript", "transcript": "Book"})
    await until(peer, "session.finalize")
    await peer.send(empty("session.finalized"))
    await peer.send(final())
    await until(peer, "session.close")


async def says_nothing_more(peer: Peer) -> None:
    """The final, and then an open socket for ever."""
    await until(peer, "session.finalize")
    await peer.send(final())
    await until(peer, "never")


async def says_empty_interims(peer: Peer) -> None:
    """xAI: one a second, for ever."""
    await until(peer, "session.finalize")
    await peer.send(final())
    while True:
        await peer.send({"type": "interim_transcript", "transcript": ""})
        await asyncio.sleep(1.0)


async def answers_the_goodbye_with_a_close(peer: Peer) -> None:
    await until(peer, "session.finalize")
    await peer.send(final())
    await peer.send(empty("session.finalized"))
    await until(peer, "session.close")


@virtual_time
@pytest.mark.parametrize(
    ("script", "seconds"),
    [
        (gateway, 0.5),
        (closes_the_socket, 0.5),
        (says_closed, 0.5),
        (acknowledges_first, 0.5),
        (answers_the_goodbye_with_a_close, 0.5),
        (says_nothing_more, 4.0),
        (says_empty_interims, 4.0),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_every_way_to_end_is_a_clean_end(script: Script, seconds: float) -> None:
    """Z2, D5: with the last words, over one connection, and promptly where the gateway says that it was all."""
    loop = asyncio.get_running_loop()
    async with serving(script) as server:
        began = loop.time()
        events = await listen(client(server, max_retries=0))
        assert loop.time() - began < seconds
        assert len(server.connections) == 1
    assert [event.text for event in events if event.type is FINAL] == ["Book a table"]


async def is_silent(peer: Peer) -> None:
    await until(peer, "never")


async def babbles(peer: Peer) -> None:
    await until(peer, "session.finalize")
    while True:
        await peer.send({"type": "interim_transcript", "transcript": ""})
        await asyncio.sleep(1.0)


@virtual_time
@pytest.mark.parametrize("script", [is_silent, babbles])
async def test_an_end_without_an_answer_is_an_error(script: Script) -> None:
    """D5: LiveKit's client takes thirty silent seconds for a clean end."""
    async with serving(script) as server:
        with pytest.raises(DrainTimeoutError):
            await listen(client(server))


@pytest.mark.parametrize("message", ['{"type":"session.closed"}', None], ids=["session.closed", "the socket"])
async def test_a_gateway_that_only_hangs_up_is_believed_the_second_time(message: str | None) -> None:
    """It may have nothing to say about a noise; the noise is sent once more, and no error comes of it."""

    async def hangs_up(peer: Peer) -> None:
        await until(peer, "session.finalize")
        if message is not None:
            await peer.send(message)

    async with serving(hangs_up) as server:
        assert not [event for event in await listen(client(server)) if event.text]
        assert len(server.connections) == 2


@virtual_time
async def test_xai_says_nothing_about_silence() -> None:
    """1.3: its empty interims are the answer, where no word is owed."""
    async with serving(babbles) as server:
        stt = LiveKitSTT("xai/stt-1", api_key=KEY, api_secret=SECRET, base_url=server.url, max_pace=1e6)
        async with stt, stt.stream(sample_rate=RATE) as stream:
            await stream.send_frame(bytes(RATE))
            stream.end_input()
            assert shown([event async for event in stream]) == [(USAGE, "")]


# -- what goes wrong: section 1.5 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error", "attempts"),
    [(400, BadRequestError, 1), (401, AuthenticationError, 1), (429, RateLimitError, 3), (503, ServerError, 3)],
)
async def test_a_refused_handshake_is_typed(status: int, error: type[STTError], attempts: int) -> None:
    """D18, Z4: with the gateway's words, retried only where that can help, and as often as it says."""
    body = '{"type":"error","message":"because of this"}'
    async with serving(plan=[Status(status, body, {"X-Request-Id": "r-1"})]) as server:
        with pytest.raises(error, match="because of this") as caught:
            await listen(client(server, max_retries=2))
        assert len(server.connections) == attempts
    assert caught.value.request_id == "r-1"
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(("code", "error", "attempts"), [(400, BadRequestError, 1), (500, ServerError, 2)])
async def test_an_error_in_a_session_is_typed(code: int, error: type[STTError], attempts: int) -> None:
    """D9: its text and code are kept, and 400 is not tried again."""

    async def refuses(peer: Peer) -> None:
        await until(peer, "session.create")
        await peer.send({"type": "error", "message": "no such model", "code": code})
        await until(peer, "never")

    async with serving(refuses) as server:
        with pytest.raises(error, match="no such model"):
            await listen(client(server, max_retries=1))
        assert len(server.connections) == attempts


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"final_transcript","transcript":"Book","start":"soon"}',
        "not json",
        "[]",
        '{"type":"session.closed"}',
        '{"type":"error"}',
    ],
)
async def test_what_breaks_a_session_is_a_dropped_connection(frame: str) -> None:
    """D8, D6: it is made again, and the second session hears everything."""

    async def breaks(peer: Peer) -> None:
        if peer.connection.number:
            await gateway(peer)
            return
        await until(peer, "input_audio")
        await peer.send(frame)
        await until(peer, "never")

    async with serving(breaks) as server:
        events = await listen(client(server))
        assert (FINAL, "Book a table") in shown(events)
        assert server.connections[1].audio == loud(0.5)


@pytest.mark.parametrize("message", ['{"type":"final_transcript","transcript":null}', '{"type":"interim_transcript"}'])
async def test_nulls_break_nothing(message: str) -> None:
    """D8: nor does a field that is missing."""

    async def odd(peer: Peer) -> None:
        await until(peer, "input_audio")
        await peer.send(message)
        await gateway(peer)

    async with serving(odd) as server:
        stt = client(server)
        async with stt, stt.stream(sample_rate=RATE) as stream:
            await stream.send_frame(loud(0.1))
            async with asyncio.timeout(5):
                await server.wait_for(lambda: server.connections and server.connections[0].answers)
        assert len(server.connections) == 1


@pytest.mark.parametrize(
    ("code", "retried"), [(1000, True), (1001, True), (1011, True), (1013, True), (4001, True), (1008, False)]
)
async def test_a_close_before_the_end(code: int, retried: bool) -> None:
    """1.5: with its code and reason; a policy violation would happen again."""

    async def closes(peer: Peer) -> None:
        if peer.connection.number:
            await gateway(peer)
            return
        await until(peer, "input_audio")
        await peer.close(code, "for this reason")

    async with serving(closes) as server:
        if not retried:
            with pytest.raises(BadRequestError, match="1008 for this reason"):
                await listen(client(server))
            assert len(server.connections) == 1
            return
        events = await listen(client(server))
        assert [f"{event.error}" for event in events if event.error] == [
            f"livekit closed the connection: {code} for this reason"
        ]
        assert (FINAL, "Book a table") in shown(events)


# -- streams -------------------------------------------------------------------------------------------------------


async def test_an_update_reaches_every_open_stream() -> None:
    """In band; later streams begin with it."""
    async with serving() as server, client(server) as stt:
        async with stt.stream(sample_rate=RATE) as one, stt.stream(sample_rate=RATE) as two:
            for stream in (one, two):
                await stream.send_frame(loud(0.1))
            await stt.update_options(language="de", model="deepgram/nova-3-medical", extra={"mode": 1})
            await one.update_options(endpointing=300)

            def updates() -> list[list[object]]:
                found = [
                    [json.loads(text)["settings"] for text in connection.texts if "session.update" in text]
                    for connection in server.connections
                ]
                return found if len(found) == 2 and sum(map(len, found)) == 3 else []

            found = await server.wait_for(updates)
            whole = {"language": "de", "model": "deepgram/nova-3-medical", "extra": {"mode": 1}}
            more = {"extra": {"endpointing": 300, "mode": 1}}
            assert sorted(found, key=len) == [[whole], [whole, more]]
        async with stt.stream(sample_rate=RATE) as later:
            await later.send_frame(loud(0.1))
            connection = await server.connection(2)
            (create,) = await server.wait_for(lambda: connection.texts)
    assert json.loads(create)["model"] == "deepgram/nova-3-medical"
    assert json.loads(create)["settings"]["language"] == "de"


@pytest.mark.parametrize(
    ("pushed", "rate"), [(AudioFormat(48000, 2), 48000), (AudioFormat(8000, 1, "pcm_mulaw"), 8000)]
)
async def test_audio_goes_out_at_its_own_rate(pushed: AudioFormat, rate: int) -> None:
    """D2, D3: stereo is mixed, nothing is resampled, and what is declared is what is sent."""
    async with serving() as server:
        stt = client(server)
        async with stt, stt.stream() as stream:
            stream.push_frame(
                AudioFrame(bytes(pushed.bytes_for(0.5)), pushed.sample_rate, pushed.channels, pushed.encoding)
            )
            stream.end_input()
            _ = [event async for event in stream]
        (connection,) = server.connections
    assert json.loads(connection.texts[0])["settings"]["sample_rate"] == str(rate)
    assert len(connection.audio) == AudioFormat(rate).bytes_for(0.5)


async def test_files_are_heard_through_a_stream() -> None:
    """Section 1.6: LiveKit's client raises for them."""
    size = AudioFormat(RATE).bytes_for(0.5)
    async with serving() as server, client(server) as stt:
        transcript = await stt.recognize(wav_header(AudioFormat(RATE), size) + loud(0.5))
    assert (transcript.text, transcript.duration) == ("Book a table", 0.5)
    assert next((word.text, word.start_time) for word in transcript.words or ()) == ("Book", 0.1)


async def test_a_session_of_ones_own_is_used_and_left_open() -> None:
    """D12: and closing the STT closes its streams."""
    async with aiohttp.ClientSession() as mine, serving() as server:
        stt = LiveKitSTT("deepgram/nova-3", api_key=KEY, api_secret=SECRET, base_url=server.url, http_session=mine)
        stream = stt.stream(sample_rate=RATE)
        await stream.send_frame(loud(0.1))
        connection = await server.connection()
        await server.wait_for(lambda: connection.audio_bytes)
        await stt.aclose()
        assert stream.finished
        await server.ended()
        assert not mine.closed
