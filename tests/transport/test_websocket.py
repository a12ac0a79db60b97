"""The WebSocket runner, against a real server on loopback that speaks a small protocol of its own."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Unpack, cast

import numpy as np
import pytest
from aiohttp import WSMsgType, web

from stt_core.errors import (
    AuthenticationError,
    BadRequestError,
    ConnectionLostError,
    DrainTimeoutError,
    RateLimitError,
    ServerError,
    STTError,
)
from stt_core.events import SpeechData, SpeechEvent, SpeechEventType
from stt_core.provider import Capabilities, Carries, ModelFamily, Provider
from stt_core.registry import registered
from stt_core.stt import STT
from stt_core.testing.clock import virtual_time
from stt_core.testing.scripted import ScriptedOptions
from stt_core.transport.codec import (
    Acknowledged,
    CodecPolicy,
    Failed,
    Finished,
    Finishing,
    Handshake,
    IdlePolicy,
    Incoming,
    Message,
    Opened,
    Reply,
)
from stt_core.transport.websocket import WebSocketRunner, scrub

if TYPE_CHECKING:
    from stt_core.audio.frames import AudioFormat
    from stt_core.options import CommonOptions
    from stt_core.registry import Resolved
    from stt_core.runner import Runner

FINAL = SpeechEventType.FINAL_TRANSCRIPT
RATE = 1000
WORDS = ["one", "two", "three", "four", "five", "six"]
"""Word n lies in the second n of the audio, from 0.2 to 0.8."""

CARRIES = Carries(words=True, times="session")


def audio(seconds: int = len(WORDS)) -> bytes:
    """Samples that count themselves, so that a server knows which ones it was sent; loud enough to be voice."""
    counted = np.arange(seconds * RATE, dtype=np.int64)
    return (np.where(counted % 2, 1, -1) * (counted * 65536 + (1 << 28))).astype("<i4").tobytes()


def positions(data: bytes) -> list[int]:
    samples = np.frombuffer(data, "<i4").astype(np.int64)
    return [int(value) for value in (np.abs(samples) - (1 << 28)) // 65536]


# -- the vendor --------------------------------------------------------------------------------------------------------


@dataclass
class Behaviour:
    """What the server does wrong."""

    refuse: list[tuple[int, dict[str, str], str]] = field(default_factory=list[tuple[int, dict[str, str], str]])
    drop_after: list[float] = field(default_factory=list[float])  # seconds of audio heard on a connection
    close_after: list[tuple[float, int, str]] = field(default_factory=list[tuple[float, int, str]])
    hello: bool = True
    deaf_after: float | None = None  # stops reading, without a word
    send_at: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])  # raw frames
    acknowledges_flush: bool = True
    acknowledges_end: bool = True
    at_end: list[str] = field(default_factory=list[str])  # raw frames
    close_at_end: int | None = None


@dataclass
class Heard:
    """One connection, as the server saw it."""

    samples: list[int] = field(default_factory=list[int])
    texts: list[str] = field(default_factory=list[str])
    headers: dict[str, str] = field(default_factory=dict[str, str])
    pings: int = 0


class Vendor:
    """Recognises a word when it has been sent 0.3 s more than its end; speaks JSON."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.connections: list[Heard] = []
        self.attempts = 0
        self.changed = asyncio.Condition()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.attempts += 1
        behaviour = self.behaviour
        if behaviour.refuse:
            status, headers, body = behaviour.refuse.pop(0)
            return web.Response(status=status, headers=headers, text=body)
        ws = web.WebSocketResponse(autoping=False, timeout=0.1)
        ws.headers["X-Request-Id"] = f"r-{self.attempts}"
        await ws.prepare(request)
        heard = Heard(headers=dict(request.headers))
        self.connections.append(heard)
        if behaviour.hello:
            await ws.send_json({"hello": f"s-{self.attempts}"})
        said = 0
        async for message in ws:
            if message.type is WSMsgType.PING:
                heard.pings += 1
                await ws.pong(message.data)
            elif message.type is WSMsgType.BINARY:
                heard.samples += positions(message.data)
                said = await self._say(ws, heard, said, lag=0.3)
                if await self._misbehave(ws, request, heard):
                    break
            elif message.type is WSMsgType.TEXT:
                heard.texts.append(message.data)
                if message.data == "flush":
                    said = await self._say(ws, heard, said, lag=0.0)
                    if behaviour.acknowledges_flush:
                        await ws.send_json({"flushed": True})
                elif message.data == "end":
                    await self._say(ws, heard, said, lag=0.0)
                    for frame in behaviour.at_end:
                        await ws.send_str(frame)
                    if behaviour.close_at_end is not None:
                        await ws.close(code=behaviour.close_at_end)
                    elif behaviour.acknowledges_end:
                        await ws.send_json({"done": True})
            async with self.changed:
                self.changed.notify_all()
        return ws

    async def _say(self, ws: web.WebSocketResponse, heard: Heard, said: int, *, lag: float) -> int:
        have = set(heard.samples)
        for index, word in enumerate(WORDS):
            start, end = index * RATE + 200, index * RATE + 800
            if index < said or (end - 1 + round(lag * RATE) not in have and not (lag == 0 and end - 1 in have)):
                continue
            if (start + end) // 2 in have:
                base = {position: at for at, position in enumerate(heard.samples)}
                own = [base[max(start, heard.samples[0])] / RATE, base[end - 1] / RATE]
                await ws.send_json({"final": word, "start": own[0], "end": own[1]})
            said = index + 1
        return said

    async def _misbehave(self, ws: web.WebSocketResponse, request: web.Request, heard: Heard) -> bool:
        behaviour = self.behaviour
        seconds = len(heard.samples) / RATE
        while behaviour.send_at and behaviour.send_at[0][0] <= seconds:
            await ws.send_str(behaviour.send_at.pop(0)[1])
        if behaviour.drop_after and seconds >= behaviour.drop_after[0]:
            behaviour.drop_after.pop(0)
            transport = request.transport
            assert transport is not None
            transport.abort()
            return True
        if behaviour.close_after and seconds >= behaviour.close_after[0][0]:
            _, code, reason = behaviour.close_after.pop(0)
            await ws.close(code=code, message=reason.encode())
            return True
        if behaviour.deaf_after is not None and seconds >= behaviour.deaf_after:
            behaviour.deaf_after = None
            await asyncio.get_running_loop().create_future()
        return False


# -- the client half ---------------------------------------------------------------------------------------------------


class ToyCodec:
    carries = CARRIES

    def __init__(self, policy: CodecPolicy, audio_format: AudioFormat) -> None:
        self.policy = policy
        self.audio_format = audio_format

    def opening(self) -> Sequence[Message]:
        return ['{"type":"open","api_key":"sk-secret"}']

    def audio(self, data: bytes) -> Message:
        return data

    def flush(self) -> Sequence[Message]:
        return ["flush"]

    def end(self) -> Sequence[Message]:
        return ["end"]

    def keep_alive(self) -> Message | None:
        return "alive"

    def update(self, settings: Resolved) -> Sequence[Message] | None:
        language = settings.language
        return None if language == "de" else [f"language {language}"]

    def receive(self, message: Message) -> Sequence[Incoming]:
        document: dict[str, object] = json.loads(message)
        if "hello" in document:
            return [Opened(str(document["hello"]))]
        if "final" in document:
            start, end = cast("float", document["start"]), cast("float", document["end"])
            text = str(document["final"])
            return [SpeechEvent(FINAL, [SpeechData(text, " ", None, start, end)])]
        if "flushed" in document:
            return [Acknowledged()]
        if "done" in document:
            return [Finished()]
        if "quiet" in document:
            return [Finishing(cast("float | None", document["quiet"]))]
        if "ask" in document:
            return [Reply([str(document["ask"])])]
        if "error" in document:
            return [Failed(BadRequestError(str(document["error"]), status=400))]
        return []


class ToySTT(STT):
    provider_name = "toy"
    policy = CodecPolicy(ready="message")
    url = ""

    def create_runner(self, settings: Resolved) -> Runner:
        async def handshake(codec: object) -> Handshake:
            return Handshake(self.url, {"Authorization": "Bearer sk-secret"})

        return WebSocketRunner(
            self.http,
            settings,
            codec=lambda _, audio_format: ToyCodec(self.policy, audio_format),
            handshake=handshake,
        )


TOY = Provider(
    "toy",
    (
        ModelFamily(
            "toy",
            options=ScriptedOptions,
            models=("toy",),
            default_model="toy",
            capabilities=Capabilities(streaming=True, flush="native", update="in_band"),
            carries=CARRIES,
        ),
    ),
    client="stt_core.testing.scripted:ScriptedSTT",
)


@asynccontextmanager
async def vendor(behaviour: Behaviour | None = None) -> AsyncGenerator[tuple[Vendor, Callable[..., ToySTT]]]:
    server = Vendor(behaviour or Behaviour())
    app = web.Application()
    app.router.add_get("/listen", server.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]

    def client(policy: CodecPolicy | None = None, **options: Unpack[CommonOptions]) -> ToySTT:
        stt = ToySTT(**options)
        stt.policy = policy or ToySTT.policy
        stt.url = f"ws://{host}:{port}/listen"
        return stt

    with registered(TOY):
        try:
            yield server, client
        finally:
            await runner.cleanup()


async def listen(stt: STT, **options: Unpack[CommonOptions]) -> list[SpeechEvent]:
    async with stt, stt.stream(sample_rate=RATE, encoding="pcm_s32le", **options) as stream:
        await stream.send_frame(audio())
        stream.end_input()
        return [event async for event in stream]


def finals(events: Sequence[SpeechEvent]) -> list[str]:
    return [event.text for event in events if event.type is FINAL]


# -- what must be true -------------------------------------------------------------------------------------------------


async def test_audio_goes_out_and_words_come_back() -> None:
    """Every sample is sent once, in order, as it was pushed; the end is asked for and acknowledged."""
    async with vendor() as (server, client):
        events = await listen(client())
    (heard,) = server.connections
    assert heard.samples == list(range(len(WORDS) * RATE))
    assert heard.texts == ['{"type":"open","api_key":"sk-secret"}', "end"]
    assert finals(events) == WORDS
    assert {event.request_id for event in events if event.type is FINAL} == {"s-1"}
    assert [event.alternatives[0].start_time for event in events if event.type is FINAL] == pytest.approx(
        [index + 0.2 for index in range(len(WORDS))]
    )


@pytest.mark.parametrize("moments", [[0.4], [1.0], [1.2, 1.3], [2.95], [0.1, 0.1, 0.1, 3.0], [5.9]])
async def test_no_word_is_lost_when_the_socket_drops(moments: list[float]) -> None:
    """Every word once, at its own time, and no more sent again than was unsettled."""
    async with vendor(Behaviour(drop_after=moments)) as (server, client):
        events = await listen(client(max_retries=10, retry_interval=0))
    assert finals(events) == WORDS
    starts = [event.alternatives[0].start_time for event in events if event.type is FINAL]
    assert starts == pytest.approx([index + 0.2 for index in range(len(WORDS))], abs=0.31)
    assert set().union(*(heard.samples for heard in server.connections)) == set(range(len(WORDS) * RATE))


async def test_a_refused_handshake_says_why() -> None:
    """Status, the vendor's words and its request id are in the error; 401 is not tried again."""
    behaviour = Behaviour(refuse=[(401, {"X-Request-Id": "r-9"}, "no such key")])
    async with vendor(behaviour) as (server, client):
        with pytest.raises(AuthenticationError, match="no such key") as caught:
            await listen(client())
    assert (caught.value.status, caught.value.request_id, caught.value.provider) == (401, "r-9", "toy")
    assert server.attempts == 1


async def test_no_secret_leaves_with_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """Not in the message, the chain of causes, the frames' locals or the log."""
    behaviour = Behaviour(refuse=[(403, {}, "not yours")])
    caplog.set_level("DEBUG", "stt_core")
    async with vendor(behaviour) as (_, client):
        with pytest.raises(STTError) as caught:
            await listen(client())
        await listen(client())
    error: BaseException | None = caught.value
    while error is not None:
        assert "sk-secret" not in repr(error) + str(error)
        traceback = error.__traceback__
        while traceback is not None:
            if "stt_core" in traceback.tb_frame.f_code.co_filename:
                assert "sk-secret" not in repr(traceback.tb_frame.f_locals)
            traceback = traceback.tb_next
        error = error.__cause__ or error.__context__
    assert "sk-secret" not in caplog.text
    sent = [record for record in caplog.records if record.name == "stt_core.toy" and "sent" in record.message]
    assert sent
    assert {getattr(record, "provider", None) for record in sent} == {"toy"}
    assert len({getattr(record, "stream_id", None) for record in sent}) == 1
    assert getattr(sent[-1], "request_id", None) == "s-2"


async def test_retry_after_is_waited_for() -> None:
    """429 and 503 are tried again, not before the vendor said."""
    behaviour = Behaviour(refuse=[(429, {"Retry-After": "0.2"}, "slow down"), (503, {}, "<html>")])
    async with vendor(behaviour) as (server, client):
        events = await listen(client(retry_interval=0))
    errors = [event.error for event in events if event.error is not None]
    assert isinstance(errors[0], RateLimitError)
    assert errors[0].retry_after == 0.2
    assert isinstance(errors[1], ServerError)
    assert "<html>" not in str(errors[1])
    assert server.attempts == 3
    assert finals(events) == WORDS


async def test_a_close_says_its_code_and_reason() -> None:
    """1008 is a configuration error and final; 1011 is a drop."""
    async with vendor(Behaviour(close_after=[(1.0, 1011, "try again")])) as (_, client):
        events = await listen(client(retry_interval=0))
    assert finals(events) == WORDS
    (error,) = [event.error for event in events if event.error is not None]
    assert "1011 try again" in str(error)
    async with vendor(Behaviour(close_after=[(1.0, 1008, "Invalid turn thresholds")])) as (server, client):
        with pytest.raises(BadRequestError, match="Invalid turn thresholds"):
            await listen(client())
    assert server.attempts == 1


async def test_a_vendors_error_ends_the_stream() -> None:
    """As its own typed error, with what was recognised before."""
    async with vendor(Behaviour(send_at=[(2.0, '{"error": "bad language"}')])) as (_, client):
        with pytest.raises(BadRequestError, match="bad language"):
            await listen(client())


@pytest.mark.parametrize("frame", ["not json", "[1", '{"final": null}', "17"])
async def test_a_malformed_frame_is_a_drop(frame: str) -> None:
    """The connection is made anew, and nothing is lost."""
    async with vendor(Behaviour(send_at=[(1.5, frame)])) as (server, client):
        events = await listen(client(retry_interval=0))
    assert finals(events) == WORDS
    assert server.attempts == 2


async def test_a_half_open_peer_is_noticed() -> None:
    """No byte and no pong for liveness_timeout: the connection is given up and made anew."""
    async with vendor(Behaviour(deaf_after=1.0)) as (server, client):
        events = await listen(client(), liveness_timeout=0.4)
    assert finals(events) == WORDS
    (error,) = [event.error for event in events if event.error is not None]
    assert "liveness_timeout" in str(error)
    assert server.attempts == 2


async def test_a_healthy_silence_is_not_a_dead_peer() -> None:
    """Pongs count as life, however long nothing is said and nobody reads."""
    async with vendor() as (server, client):
        stt = client()
        async with stt, stt.stream(sample_rate=RATE, encoding="pcm_s32le", liveness_timeout=0.2) as stream:
            await stream.send_frame(audio(1))
            async with server.changed:
                await server.changed.wait_for(lambda: bool(server.connections) and server.connections[0].pings >= 3)
            await stream.send_frame(audio()[len(audio(1)) :])
            stream.end_input()
            assert finals([event async for event in stream]) == WORDS
    assert server.attempts == 1


@virtual_time
async def test_an_end_at_the_moment_of_a_ping_leaves_nothing_behind() -> None:
    """The deadlines' defaults are the same 10 s: what is given up then is no coroutine that nobody awaited."""
    async with vendor(Behaviour(acknowledges_end=False)) as (_, client):
        with pytest.raises(DrainTimeoutError):
            await listen(client(), liveness_timeout=10.0, drain_timeout=10.0)
    gc.collect()


async def test_audio_waits_for_readiness() -> None:
    """Nothing is sent before the vendor's hello, and nothing pushed before it is lost."""
    async with vendor(Behaviour(hello=False)) as (server, client):
        with pytest.raises(STTError, match="connect_timeout"):
            await listen(client(max_retries=0), connect_timeout=0.2)
    assert server.connections[0].samples == []


async def test_flush_is_asked_for_and_acknowledged() -> None:
    """The finals of the span come back from flush(), before the vendor would have said them."""
    async with vendor() as (_, client):
        stt = client()
        async with stt, stt.stream(sample_rate=RATE, encoding="pcm_s32le") as stream:
            await stream.send_frame(audio()[: 4 * 850])
            assert finals(await stream.flush()) == ["one"]
            await stream.send_frame(audio()[4 * 850 : 4 * 1900])
            assert finals(await stream.flush()) == ["two"]


async def test_flush_by_silence_counts_what_it_injects() -> None:
    """The silence is usage of its own, and moves no time."""
    policy = CodecPolicy(ready="message", flush="silence", flush_silence=0.5)
    async with vendor() as (_, client):
        stt = client(policy)
        async with stt, stt.stream(sample_rate=RATE, encoding="pcm_s32le") as stream:
            await stream.send_frame(audio()[: 4 * 850])
            await stream.flush()
            assert stream.usage.injected_duration == pytest.approx(0.5)
            assert stream.usage.sent_duration == pytest.approx(0.85)


async def test_flush_by_a_planned_reconnect_loses_nothing() -> None:
    """The session is ended with everything said, and the next one goes on from there; no budget is spent."""
    policy = CodecPolicy(ready="message", flush="reconnect")
    async with vendor() as (server, client):
        stt = client(policy, max_retries=0)
        async with stt, stt.stream(sample_rate=RATE, encoding="pcm_s32le") as stream:
            await stream.send_frame(audio()[: 4 * 850])
            assert finals(await stream.flush()) == ["one"]
            await stream.send_frame(audio()[4 * 850 :])
            stream.end_input()
            assert finals([event async for event in stream]) == WORDS
    assert [heard.samples[0] for heard in server.connections] == [0, 850]


async def test_an_idle_session_is_kept_alive() -> None:
    """By the codec's message, or by silence, as the policy says."""
    policy = CodecPolicy(ready="message", idle=IdlePolicy(after=0.05, silence=0))
    async with vendor() as (server, client):
        stt = client(policy)
        async with stt, stt.stream(sample_rate=RATE, encoding="pcm_s32le"), server.changed:
            await server.changed.wait_for(
                lambda: bool(server.connections) and server.connections[0].texts.count("alive") >= 2
            )


async def test_a_backlog_goes_out_no_faster_than_the_vendor_bears() -> None:
    """Six seconds at a hundred times real time take 50 ms after the burst; the order of samples is kept."""
    loop = asyncio.get_running_loop()
    async with vendor() as (server, client):
        began = loop.time()
        await listen(client(replace(ToySTT.policy, max_pace=100.0)))
        assert loop.time() - began >= 0.05
    assert server.connections[0].samples == list(range(len(WORDS) * RATE))


async def test_options_change_in_band_or_by_a_planned_reconnect() -> None:
    """Either way nothing is lost, and update_options() returns when it is done."""
    async with vendor() as (server, client):
        stt = client(max_retries=0)
        async with stt, stt.stream(sample_rate=RATE, encoding="pcm_s32le") as stream:
            await stream.send_frame(audio()[: 4 * 1500])
            await stream.update_options(language="fr")
            await stream.update_options(language="de")
            await stream.send_frame(audio()[4 * 1500 :])
            stream.end_input()
            assert finals([event async for event in stream]) == WORDS
    assert "language fr" in server.connections[0].texts
    assert len(server.connections) == 2


async def test_an_unacknowledged_end_has_a_deadline() -> None:
    """The words are there; the error says that the vendor never finished."""
    async with vendor(Behaviour(acknowledges_end=False)) as (_, client):
        stt = client()
        async with stt, stt.stream(sample_rate=RATE, encoding="pcm_s32le", drain_timeout=0.2) as stream:
            await stream.send_frame(audio())
            stream.end_input()
            events: list[SpeechEvent] = []
            with pytest.raises(STTError, match="drain_timeout"):
                async for event in stream:
                    events.append(event)  # noqa: PERF401  (what came before the error counts)
            assert finals(events) == WORDS


@virtual_time
@pytest.mark.parametrize("frames", [['{"quiet":3}'], ['{"quiet":null}', '{"quiet":3}'], ['{"quiet":9}', '{"quiet":3}']])
async def test_a_quiet_end_is_an_end(frames: list[str]) -> None:
    """Where the codec says so; it does not wait for drain_timeout, and the last word on it counts."""
    loop = asyncio.get_running_loop()
    async with vendor(Behaviour(acknowledges_end=False, at_end=frames)) as (server, client):
        began = loop.time()
        assert finals(await listen(client(), drain_timeout=60.0)) == WORDS
        assert 3.0 <= loop.time() - began < 9.0
    assert server.attempts == 1


@virtual_time
async def test_a_quiet_end_that_is_taken_back_is_none() -> None:
    """There is more to come, and it does not."""
    behaviour = Behaviour(acknowledges_end=False, at_end=['{"quiet":3}', '{"quiet":null}'])
    async with vendor(behaviour) as (_, client):
        with pytest.raises(DrainTimeoutError):
            await listen(client(), drain_timeout=60.0)


@pytest.mark.parametrize(("code", "attempts"), [(1000, 1), (1011, 2)])
async def test_a_clean_close_is_the_end_that_was_in_sight(code: int, attempts: int) -> None:
    """Any other close is a lost connection, and what it owed is asked for again."""
    async with vendor(Behaviour(at_end=['{"quiet":3}'], close_at_end=code)) as (server, client):
        stt = client(max_retries=1, retry_interval=0)
        async with stt, stt.stream(sample_rate=RATE, encoding="pcm_s32le") as stream:
            await stream.send_frame(audio())
            # Half a second of voice behind the last word: somebody owes an answer about it.
            await stream.send_frame(audio()[: 2 * RATE])
            stream.end_input()
            with suppress(ConnectionLostError):
                _ = [event async for event in stream]
    assert server.attempts == attempts


async def test_what_is_received_may_be_answered() -> None:
    """Also when the sender has nothing more to say."""
    behaviour = Behaviour(acknowledges_end=False, at_end=['{"ask":"thanks"}', '{"done":true}'])
    async with vendor(behaviour) as (server, client):
        assert finals(await listen(client())) == WORDS
        async with server.changed:
            await asyncio.wait_for(server.changed.wait_for(lambda: "thanks" in server.connections[0].texts), 5)


async def test_nobody_there_is_a_lost_connection() -> None:
    """A refused TCP connection is typed, retried, and names the host but no path."""
    async with vendor() as (_, client):
        stt = client(max_retries=1, retry_interval=0)
        stt.url = "ws://127.0.0.1:9/secret-path"
        with pytest.raises(ConnectionLostError, match=r"127\.0\.0\.1") as caught:
            await listen(stt)
    assert "secret-path" not in str(caught.value)


async def test_closing_is_quick_and_leaves_nothing() -> None:
    """Also in the middle of audio, with nobody reading, and with a peer that is dead."""
    async with vendor(Behaviour(deaf_after=0.5)) as (_, client):
        before = asyncio.all_tasks()
        stt = client()
        stream = stt.stream(sample_rate=RATE, encoding="pcm_s32le")
        await stream.send_frame(audio())
        await asyncio.wait_for(stt.aclose(), 3)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() - before <= {
            task for task in asyncio.all_tasks() if "aiohttp" in repr(task) or "RequestHandler" in repr(task)
        }


def test_secrets_are_scrubbed_from_control_messages() -> None:
    """Whatever the field is called."""
    assert scrub('{"api_key": "abc", "x": {"access_token":"d\\"ef", "language": "en"}}') == (
        '{"api_key": "***", "x": {"access_token":"***", "language": "en"}}'
    )
    assert scrub(b"12345") == "5 bytes"
