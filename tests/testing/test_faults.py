"""The fault server in front of WebSockets: each fault does what it says, as a plain client sees it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import WSMsgType

from stt_core.testing.clock import virtual_time
from stt_core.testing.faults import (
    BAD_GATEWAY,
    CORRUPTIONS,
    EVERY,
    Alter,
    AudioSent,
    AudioWire,
    BlackHole,
    ClientSends,
    Close,
    Corrupt,
    Corruption,
    Delay,
    DelayResults,
    Drop,
    Duplicate,
    FaultProxy,
    FaultServer,
    HalfOpen,
    KeepOpen,
    Peer,
    Plan,
    Raw,
    Refuse,
    Reorder,
    Repeat,
    Replace,
    ScriptedServer,
    Send,
    ServerSends,
    Stall,
    Status,
    StopReading,
    Swallow,
    base64_audio,
    frame,
    matching,
)

HOUR = 3600.0
WORD = matching(type="word")


async def recogniser(peer: Peer) -> None:
    """Says the first byte of each audio message, and acknowledges text messages; ``end`` is the end."""
    async for message in peer:
        if isinstance(message, bytes):
            await peer.send({"type": "word", "n": message[0], "words": [{"start": 0.5}]})
        else:
            await peer.send({"type": f"{message}ed"})
            if message == "end":
                return


def chunk(number: int, seconds: float = 1.0) -> bytes:
    """Audio of 16 kHz and 16 bit that can be told from other audio."""
    return bytes([number]) * int(32_000 * seconds)


class Client:
    """A WebSocket that answers Pings and nothing else."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, *numbers: int) -> None:
        """A second of audio for each."""
        for number in numbers:
            await self.socket.send_bytes(chunk(number))

    async def text(self, text: str) -> None:
        await self.socket.send_str(text)

    async def hear(self) -> object:
        """The next message: the number of a word, the type of another JSON object, or the type of another frame."""
        message = await self.socket.receive()
        if message.type is not WSMsgType.TEXT:
            return message.type
        document = json.loads(message.data)
        return document["n"] if document["type"] == "word" else document["type"]

    async def rest(self) -> list[object]:
        """What is left until the connection ends."""
        heard: list[object] = []
        while not isinstance(said := await self.hear(), WSMsgType):
            heard.append(said)
        return heard


@asynccontextmanager
async def client(server: FaultServer, path: str = "/listen?model=x", **headers: str) -> AsyncGenerator[Client, None]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.url + path, headers=headers) as socket,
    ):
        yield Client(socket)


@asynccontextmanager
async def proxied(plan: Plan = ()) -> AsyncGenerator[FaultProxy, None]:
    """The fault server in front of the recogniser, whose own record is ``proxy.target``."""
    async with ScriptedServer(recogniser) as target, FaultProxy(target.url, plan) as proxy:
        yield proxy


# -- without faults ----------------------------------------------------------------------------------------------------


@virtual_time
async def test_what_goes_through_is_what_was_sent() -> None:
    """Without a fault the client, the proxy and the target saw the same, and it is on record."""
    async with ScriptedServer(recogniser) as target, FaultProxy(f"{target.url}/vendor/", []) as proxy:
        async with client(proxy, "/listen?term=a%20b&term=c+d", Authorization="Bearer k") as c:
            await c.say(1, 2)
            await c.text("end")
            assert await c.rest() == [1, 2, "ended"]
            assert c.socket.close_code == 1000
        seen, behind = await proxy.ended(), await target.ended()
        assert seen.head.target == "/listen?term=a%20b&term=c+d"
        assert behind.head.target == "/vendor/listen?term=a%20b&term=c+d"
        assert behind.head.headers["authorization"] == "Bearer k"
        assert list(seen.head.query.getall("term")) == ["a b", "c d"]
        assert seen.audio == behind.audio == chunk(1) + chunk(2)
        assert seen.audio_seconds == 2
        assert proxy.audio_bytes == 64_000
        assert seen.texts == ["end"]
        assert [json.loads(answer)["type"] for answer in seen.answers] == ["word", "word", "ended"]
        assert (seen.ended_by, seen.close_code, seen.faults) == ("server", 1000, [])


@virtual_time
async def test_handshake_goes_through_both_ways() -> None:
    """The subprotocol and the headers of the server's answer reach the client."""
    seen: list[str | None] = []

    async def look(_: object, __: object, end: aiohttp.TraceRequestEndParams) -> None:
        seen.append(end.response.headers.get("X-Request-Id"))

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(look)
    async with (
        ScriptedServer(recogniser, subprotocols=["v2"], headers={"X-Request-Id": "r-1"}) as target,
        FaultProxy(target.url) as proxy,
        aiohttp.ClientSession(trace_configs=[trace]) as session,
        session.ws_connect(proxy.url, protocols=["v1", "v2"]) as socket,
    ):
        assert socket.protocol == "v2"
    assert seen == ["r-1"]


@virtual_time
async def test_a_refusal_of_the_target_goes_through_with_its_body() -> None:
    """Status, headers and body of a refused handshake are the target's."""
    refusal = Status(401, '{"error": "bad key"}', {"X-Request-Id": "r-2"})
    async with ScriptedServer(recogniser, [refusal]) as target, FaultProxy(target.url) as proxy:
        answer = await handshake(proxy)
        assert (answer.status, answer.body) == (401, '{"error": "bad key"}')
        assert answer.headers["X-Request-Id"] == "r-2"
        assert (await proxy.ended()).status == 401


@virtual_time
@pytest.mark.parametrize("code", [1000, 1011, 4001])
async def test_the_clients_close_reaches_the_target(code: int) -> None:
    """Code and reason of the client's Close frame arrive behind the proxy."""
    async with ScriptedServer(recogniser) as target, FaultProxy(target.url) as proxy, client(proxy) as c:
        await c.socket.close(code=code, message=b"enough")
        for server in (proxy, target):
            connection = await server.ended()
            assert (connection.ended_by, connection.close_code, connection.close_reason) == ("client", code, "enough")


@virtual_time
async def test_a_lost_client_is_lost_to_the_target_too() -> None:
    """A client that goes without a Close frame does so behind the proxy, too."""
    async with ScriptedServer(recogniser) as target, FaultProxy(target.url) as proxy:
        async with aiohttp.ClientSession() as session:
            socket = await session.ws_connect(proxy.url)
        assert (await target.ended()).close_code is None
        assert (await target.ended()).ended_by == "client"
        await socket.close()


@virtual_time
async def test_a_lost_target_is_lost_to_the_client_too() -> None:
    """A target that drops the connection is seen as a drop."""

    async def drops(peer: Peer) -> None:
        await peer.drop()

    async with ScriptedServer(drops) as target, FaultProxy(target.url) as proxy, client(proxy) as c:
        assert await c.hear() is WSMsgType.CLOSED
        assert c.socket.close_code == 1006


@virtual_time
async def test_a_target_that_is_not_there_resets() -> None:
    """With nothing behind the proxy the handshake is reset."""
    async with FaultProxy("http://127.0.0.1:9") as proxy:
        with pytest.raises(aiohttp.ClientConnectionError):
            await handshake(proxy)


# -- handshakes --------------------------------------------------------------------------------------------------------


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


class Refusal:
    def __init__(self, response: aiohttp.ClientResponse, body: str) -> None:
        self.status, self.headers, self.body = response.status, response.headers, body
        self.content_type = response.content_type


async def handshake(server: FaultServer, timeout: float | None = None) -> Refusal:
    """A handshake made by hand, so that the answer's body can be read."""
    patience = aiohttp.ClientTimeout(total=timeout)
    async with (
        aiohttp.ClientSession(timeout=patience) as session,
        session.get(server.url, headers=HANDSHAKE) as response,
    ):
        return Refusal(response, await response.text())


async def bytes_of_a_connection(server: FaultServer) -> bytes:
    """All that comes on a TCP connection after a handshake; an RST is a ConnectionResetError."""
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        lines = ["GET / HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in HANDSHAKE.items()), "", ""]
        writer.write("\r\n".join(lines).encode())
        return await reader.read()
    finally:
        writer.close()


@virtual_time
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 414, 429, 500, 502, 503])
@pytest.mark.parametrize("retry_after", [None, 7, "Wed, 21 Oct 2065 07:28:00 GMT"])
async def test_status_refuses_the_handshake(status: int, retry_after: float | str | None) -> None:
    """The handshake is answered with that status and body, with Retry-After only where it is asked for."""
    plan = [Status(status, '{"message": "no"}', retry_after=retry_after)]
    async with proxied(plan) as proxy:
        answer = await handshake(proxy)
        assert (answer.status, answer.body, answer.content_type) == (status, '{"message": "no"}', "application/json")
        assert answer.headers.get("Retry-After") == (None if retry_after is None else str(retry_after))
        connection = await proxy.ended()
        assert (connection.status, connection.accepted, connection.faults) == (status, False, plan)


@virtual_time
async def test_bad_gateway_is_a_web_page() -> None:
    """A load balancer's page is HTML, and says so."""
    async with proxied([BAD_GATEWAY]) as proxy:
        answer = await handshake(proxy)
        assert (answer.status, answer.content_type) == (502, "text/html")
        assert "<h1>" in answer.body


@virtual_time
async def test_refuse_resets() -> None:
    """The client gets an RST for an answer."""
    async with proxied([Refuse()]) as proxy:
        with pytest.raises(ConnectionResetError):
            await bytes_of_a_connection(proxy)
        with pytest.raises(aiohttp.ClientConnectionError):
            await handshake(proxy)
        assert (await proxy.ended()).ended_by == "refused"


@virtual_time
async def test_black_hole_never_answers() -> None:
    """TCP connects, and for an hour nothing more happens."""
    async with proxied([BlackHole()]) as proxy:
        with pytest.raises(TimeoutError):
            await handshake(proxy, timeout=HOUR)
        assert proxy.connections[0].faults == [BlackHole()]
        assert not proxy.connections[0].accepted


@virtual_time
async def test_delay_holds_the_handshake() -> None:
    """The handshake is answered that much later."""
    async with proxied([Delay(60)]) as proxy, client(proxy):
        assert asyncio.get_running_loop().time() >= 60


@virtual_time
async def test_nothing_listens_during_an_outage() -> None:
    """Inside an outage connections break and new ones are refused by the system; afterwards the port is as before."""
    async with proxied() as proxy, client(proxy) as c:
        async with proxy.outage():
            assert await c.hear() in {WSMsgType.CLOSED, WSMsgType.ERROR}
            with pytest.raises(aiohttp.ClientConnectorError):
                await handshake(proxy)
        async with client(proxy) as again:
            await again.text("end")
            assert await again.rest() == ["ended"]
        assert len(proxy.connections) == 2


# -- at a moment -------------------------------------------------------------------------------------------------------


@virtual_time
@pytest.mark.parametrize("how", ["reset", "eof"])
async def test_drop_at_an_audio_second(how: str) -> None:
    """The connection goes when so much audio was sent, without a Close frame; the target has what came before."""
    drop = Drop(AudioSent(2.5), how="reset" if how == "reset" else "eof")
    async with ScriptedServer(recogniser) as target, FaultProxy(target.url, [drop]) as proxy, client(proxy) as c:
        for number in (1, 2):
            await c.say(number)
            assert await c.hear() == number
        await c.say(3)
        assert await c.rest() in ([], [3])
        assert c.socket.close_code == 1006
        connection = await proxy.ended()
        assert (connection.ended_by, connection.audio_seconds, connection.faults) == ("fault", 3, [drop])
        assert (await target.ended()).audio == chunk(1) + chunk(2) + chunk(3)


@virtual_time
async def test_reset_and_eof() -> None:
    """One is an RST, the other one the orderly end of a TCP connection; neither comes with a Close frame."""
    async with proxied({0: [Drop()], 1: [Drop(how="eof")]}) as proxy:
        with pytest.raises(ConnectionResetError):
            await bytes_of_a_connection(proxy)
        assert (await bytes_of_a_connection(proxy)).endswith(b"\r\n\r\n")


@virtual_time
async def test_writing_after_a_reset_raises() -> None:
    """What aiohttp says to a client that writes on."""
    async with proxied([Drop()]) as proxy, client(proxy) as c:
        assert await c.hear() in {WSMsgType.CLOSED, WSMsgType.ERROR}
        with pytest.raises(ConnectionResetError):
            await c.text("end")


@virtual_time
async def test_drop_with_an_outage() -> None:
    """After the drop nothing listens for so long, and then somebody does."""
    async with proxied({0: [Drop(outage=HOUR)]}) as proxy:
        started = asyncio.get_running_loop().time()
        async with client(proxy) as c:
            assert await c.rest() == []
        with pytest.raises(aiohttp.ClientConnectorError):
            await handshake(proxy)
        await asyncio.sleep(HOUR)
        async with client(proxy) as c:
            await c.say(1)
            assert await c.hear() == 1
        assert asyncio.get_running_loop().time() - started >= HOUR


@virtual_time
@pytest.mark.parametrize(("side", "heard"), [("before", [1]), ("during", [1]), ("after", [1, 2])])
async def test_drop_around_a_message(side: str, heard: list[int]) -> None:
    """Before, during or after the n-th message that matches; half of a message is never taken for one."""
    moments = {
        "before": ServerSends(WORD, 1, "before"),
        "during": ServerSends(WORD, 1, "during"),
        "after": ServerSends(WORD, 1, "after"),
    }
    async with proxied([Drop(moments[side], how="eof")]) as proxy, client(proxy) as c:
        await c.say(1, 2, 3)
        assert await c.rest() == heard
        assert c.socket.close_code == 1006


@virtual_time
async def test_drop_when_the_client_says_something() -> None:
    """A client's message can be the moment, too."""
    async with proxied([Drop(ClientSends(matching("flush"), 1))]) as proxy, client(proxy) as c:
        await c.text("flush")
        assert await c.hear() == "flushed"
        await c.text("flush")
        await c.rest()
        assert (await proxy.ended()).texts == ["flush", "flush"]


@virtual_time
@pytest.mark.parametrize("code", [1000, 1001, 1006, 1008, 1011, 1013, 4000, 4999])
async def test_close_with_any_code(code: int) -> None:
    """The client sees the code and the reason."""
    async with proxied([Close(code, "idle for too long", AudioSent(1))]) as proxy, client(proxy) as c:
        await c.say(1)
        while (message := await c.socket.receive()).type is WSMsgType.TEXT:
            pass
        assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, code, "idle for too long")
        connection = await proxy.ended()
        assert (connection.ended_by, connection.close_code) == ("fault", code)


@virtual_time
async def test_close_without_a_code() -> None:
    """A Close frame may be empty."""
    async with proxied([Close(None)]) as proxy, client(proxy) as c:
        message = await c.socket.receive()
        assert (message.type, message.data) == (WSMsgType.CLOSE, 0)
        assert (await proxy.ended()).ended_by == "fault"


@virtual_time
async def test_close_with_a_code_that_nobody_may_send() -> None:
    """1005 in a Close frame is a violation, and the client's library says so."""
    async with proxied([Close(1005)]) as proxy, client(proxy) as c:
        assert await c.hear() is WSMsgType.ERROR
        assert c.socket.close_code == 1002


async def pinged(socket: aiohttp.ClientWebSocketResponse) -> bool:
    """Whether a Ping is answered within an hour."""
    await socket.ping(b"there?")
    try:
        return (await socket.receive(HOUR)).type is WSMsgType.PONG
    except TimeoutError:
        return False


@asynccontextmanager
async def pinging(server: FaultServer) -> AsyncGenerator[aiohttp.ClientWebSocketResponse, None]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.url, autoping=False) as socket,
    ):
        yield socket


@virtual_time
async def test_pings_are_answered() -> None:
    """A healthy connection answers."""
    async with proxied() as proxy, pinging(proxy) as socket:
        assert await pinged(socket)
        assert proxy.connections[0].pings == 1


@virtual_time
async def test_half_open() -> None:
    """No message, no Pong, no end: for all the client can tell, the other side has ceased to exist."""
    async with proxied([HalfOpen(AudioSent(1))]) as proxy, pinging(proxy) as socket:
        await socket.send_bytes(chunk(1))
        await proxy.wait_for(lambda: proxy.connections and proxy.connections[0].faults)
        await socket.send_bytes(chunk(2))
        assert not await pinged(socket)
        assert (proxy.connections[0].audio_seconds, proxy.connections[0].pings) == (1, 0)


@virtual_time
async def test_stall() -> None:
    """No message comes, but Pongs do, and audio goes through."""
    async with ScriptedServer(recogniser) as target, FaultProxy(target.url, [Stall(AudioSent(1))]) as proxy:
        async with pinging(proxy) as socket:
            await socket.send_bytes(chunk(1))
            await socket.send_bytes(chunk(2))
            await socket.send_str("end")
            await target.ended()
            assert await pinged(socket)
            assert proxy.connections[0].answers == []
        assert target.connections[0].audio_seconds == 2


@virtual_time
async def test_slow_reading_goes_on() -> None:
    """Nothing is read for the time given, and everything after it."""
    async with proxied([StopReading(AudioSent(1), HOUR)]) as proxy, client(proxy) as c:
        started = asyncio.get_running_loop().time()
        await c.say(1)
        assert await c.hear() == 1
        await c.say(2)
        await c.text("end")
        assert await c.rest() == [2, "ended"]
        assert asyncio.get_running_loop().time() - started >= HOUR


@virtual_time
async def test_not_reading_pushes_back() -> None:
    """A client that goes on sending is stopped by the sockets' buffers, until reading is resumed by hand."""
    async with proxied([StopReading()]) as proxy, client(proxy) as c:
        megabytes = asyncio.create_task(c.say(*range(250), *range(250)))
        _, pending = await asyncio.wait({megabytes}, timeout=HOUR)
        assert pending
        assert proxy.connections[0].audio_bytes == 0
        proxy.connections[0].resume_reading()
        await proxy.wait_for(lambda: proxy.audio_bytes == 500 * 32_000)
        await megabytes


@virtual_time
async def test_send_puts_messages_in() -> None:
    """Messages come that no server sent, at their moment, raw bytes among them."""
    extra = Send(['{"type": "error"}', Raw(frame(b'{"type": "raw"}'))], ServerSends(WORD))
    async with proxied([extra]) as proxy, client(proxy) as c:
        await c.say(1, 2)
        await c.text("end")
        assert await c.rest() == [1, "error", "raw", 2, "ended"]


@virtual_time
async def test_endless_empty_interims() -> None:
    """The end is not acknowledged, the connection stays, and an empty interim comes again and again."""
    plan = [
        Swallow(matching(type="ended")),
        KeepOpen(),
        Repeat('{"type": "interim", "text": ""}', 1.0, ClientSends(matching("end"))),
    ]
    async with proxied(plan) as proxy, client(proxy) as c:
        await c.say(1)
        await c.text("end")
        started = asyncio.get_running_loop().time()
        heard = [await c.hear() for _ in range(1001)]
        assert sorted(map(str, heard)) == ["1", *["interim"] * 1000]
        assert asyncio.get_running_loop().time() - started == pytest.approx(999, abs=1.1)
        assert proxy.connections[0].ended_by is None
        assert {type(fault) for fault in proxy.connections[0].faults} == {Swallow, KeepOpen, Repeat}


@virtual_time
async def test_acts_by_hand() -> None:
    """A test may break a connection when it likes; nothing happens to one that has ended."""
    async with proxied() as proxy, client(proxy) as c:
        connection = await proxy.connection()
        await connection.act(Send(['{"type": "hello"}']))
        assert await c.hear() == "hello"
        await asyncio.gather(connection.act(Close(1012, "restart")), c.rest())
        assert c.socket.close_code == 1012
        await connection.act(Drop())
        assert connection.faults[1:] == [Close(1012, "restart")]


# -- messages on their way ---------------------------------------------------------------------------------------------


@virtual_time
@pytest.mark.parametrize("kind", CORRUPTIONS)
async def test_corruptions(kind: Corruption) -> None:
    """Each comes instead of the message chosen, and cannot be taken for it; what precedes it is whole."""
    async with proxied([Corrupt(kind, WORD, 1)]) as proxy, client(proxy) as c:
        await c.say(1)
        assert await c.hear() == 1
        await c.say(2)
        kinds = {
            "not json": WSMsgType.TEXT,
            "truncated": WSMsgType.TEXT,
            "empty": WSMsgType.TEXT,
            "array": WSMsgType.TEXT,
            "null": WSMsgType.TEXT,
            "binary": WSMsgType.BINARY,
        }
        try:
            message = await c.socket.receive(HOUR)
        except TimeoutError:
            # Old aiohttp believes the header, and waits for all of it.
            assert kind in {"cut short", "unfinished", "huge"}
            return
        assert kind not in {"cut short", "unfinished"}
        assert message.type is kinds.get(kind, WSMsgType.ERROR)
        if message.type is WSMsgType.TEXT:
            with pytest.raises((ValueError, TypeError)):
                assert json.loads(message.data)["type"] == "word"
        if kind in {"oversized", "huge"}:
            assert c.socket.close_code == 1009


@virtual_time
async def test_missing_and_null_fields() -> None:
    """Fields go and become null, inner ones too, in the messages chosen."""
    plan = [Alter(missing=["words.0.start"], values={"n": None, "words.1": {"end": 1}}, match=WORD, nth=1)]
    async with (
        ScriptedServer(two_words) as target,
        FaultProxy(target.url, plan) as proxy,
        client(proxy) as c,
    ):
        await c.text("end")
        documents = [json.loads((await c.socket.receive()).data) for _ in range(2)]
        assert documents[0] == {"type": "word", "n": 1, "words": [{"start": 0.5}, {"start": 0.7}]}
        assert documents[1] == {"type": "word", "n": None, "words": [{}, {"end": 1}]}


async def two_words(peer: Peer) -> None:
    for _ in range(2):
        await peer.send({"type": "word", "n": 1, "words": [{"start": 0.5}, {"start": 0.7}]})


@virtual_time
async def test_a_fault_that_cannot_be_done_fails_the_test() -> None:
    """A misspelt field would otherwise make a test that tests nothing."""
    with pytest.RaisesGroup(LookupError):
        async with proxied([Alter(missing=["wrods"])]) as proxy, client(proxy) as c:
            await c.say(1)
            await c.rest()


@virtual_time
async def test_a_failing_script_fails_the_test() -> None:
    """The client sees a close with 1011, and the script's exception comes out at the end."""

    async def fails(peer: Peer) -> None:
        raise KeyError(await peer.receive())

    with pytest.RaisesGroup(KeyError):
        async with ScriptedServer(fails) as server, client(server) as c:
            await c.text("end")
            await c.rest()
            assert c.socket.close_code == 1011


@virtual_time
@pytest.mark.parametrize(
    ("fault", "heard"),
    [
        (Replace([], WORD, 1), [1, 3, "ended"]),
        (Replace(['{"type": "other"}', '{"type": "more"}'], WORD, 0), ["other", "more", 2, 3, "ended"]),
        (Duplicate(WORD, 1), [1, 2, 2, 3, "ended"]),
        (Duplicate(WORD, None, copies=2), [1, 1, 1, 2, 2, 2, 3, 3, 3, "ended"]),
        (Reorder(WORD, 0), [2, 1, 3, "ended"]),
        (Reorder(WORD, 0, behind=2), [2, 3, 1, "ended"]),
        (Reorder(matching(type="ended")), [1, 2, 3, "ended"]),
        (Swallow(WORD), ["ended"]),
        (Swallow(WORD, 2), [1, 2, "ended"]),
    ],
    ids=str,
)
async def test_changes(fault: Replace | Duplicate | Reorder | Swallow, heard: list[object]) -> None:
    """Messages vanish, come twice, or out of order, as the plan says; nothing is lost at the end."""
    async with proxied([fault]) as proxy, client(proxy) as c:
        await c.say(1, 2, 3)
        await c.text("end")
        assert await c.rest() == heard
        assert proxy.connections[0].faults == [fault]


@virtual_time
async def test_a_clients_message_can_vanish() -> None:
    """The proxy has it on record; the target never saw it."""
    plan = [Swallow(matching("flush"), sender="client")]
    async with ScriptedServer(recogniser) as target, FaultProxy(target.url, plan) as proxy, client(proxy) as c:
        await c.text("flush")
        await c.text("end")
        assert await c.rest() == ["ended"]
        assert proxy.connections[0].texts == ["flush", "end"]
        assert target.connections[0].texts == ["end"]


# -- delays in audio time ----------------------------------------------------------------------------------------------


async def delays(seed: int) -> list[float]:
    """Seconds of audio by which the results come late, sent in steps of 100 ms."""
    late: list[float] = []
    async with proxied([DelayResults(seed)]) as proxy, client(proxy) as c:
        connection = await proxy.connection()
        for number in range(100):
            await c.socket.send_bytes(chunk(number, 0.1))
            await proxy.wait_for(lambda number=number: connection.audio_bytes == 3200 * (number + 1))
            # The recogniser and both directions of two proxies have their turns before the next chunk.
            for _ in range(50):
                await asyncio.sleep(0)
        late += [frame.audio_seconds - 0.1 * (json.loads(str(frame.message))["n"] + 1) for frame in connection.sent]
        assert asyncio.get_running_loop().time() == 0
    return late


@virtual_time
async def test_results_are_delayed_by_audio_time() -> None:
    """Each result comes 0.3 to 2 s of audio late (a chunk more at most), in order, and without any time passing."""
    late = await delays(1)
    assert len(late) >= 79
    assert min(late) >= 0.3 - 1e-6
    assert max(late) <= 2.1 + 1e-6
    assert len(set(late)) > 3


@virtual_time
async def test_delays_are_seeded() -> None:
    """The same seed gives the same delays, another one others."""
    assert await delays(1) == await delays(1) != await delays(2)


@virtual_time
async def test_an_end_releases_what_is_delayed() -> None:
    """A client that ends need not send more audio, nor wait, for what is still due."""
    async with proxied([DelayResults(3, low=HOUR, high=HOUR)]) as proxy, client(proxy) as c:
        await c.say(1, 2)
        await c.text("end")
        assert await c.rest() == [1, 2, "ended"]
        assert asyncio.get_running_loop().time() < HOUR


@virtual_time
async def test_without_audio_delays_pass_by_the_clock() -> None:
    """A client that stops sending and waits gets its results, as late as if it had gone on in real time."""
    async with proxied([DelayResults(3, low=10, high=10)]) as proxy, client(proxy) as c:
        await c.say(1)
        assert await c.hear() == 1
        assert asyncio.get_running_loop().time() == pytest.approx(10)


# -- plans and records -------------------------------------------------------------------------------------------------


@virtual_time
async def test_plans_by_connection() -> None:
    """Each connection has its own faults, besides those of all."""
    plan = {0: [Status(503)], 2: [Close(1001)], EVERY: [Send(['{"type": "hello"}'])]}
    async with proxied(plan) as proxy:
        assert (await handshake(proxy)).status == 503
        for number, code in ((1, 1000), (2, 1001)):
            async with client(proxy) as c:
                assert await c.hear() == "hello"
                if number == 1:
                    await c.text("end")
                await c.rest()
                assert c.socket.close_code == code


@virtual_time
async def test_audio_inside_json() -> None:
    """Audio in base64 counts by its own length, and such messages are no texts."""
    wire = AudioWire(16_000, base64_audio("audio", type="append"))
    async with ScriptedServer(recogniser, [Drop(AudioSent(1))], audio=wire) as server, client(server) as c:
        await c.text('{"type": "start"}')
        await c.text('{"type": "append", "audio": "' + "AAAA" * 4000 + '"}')
        assert server.connections[0].ended_by is None
        await c.text('{"type": "append", "audio": "' + "AAAA" * 1334 + '"}')
        connection = await server.ended()
        assert connection.audio == bytes(3 * 5334)
        assert connection.texts == ['{"type": "start"}']


@virtual_time
async def test_counting_without_recording() -> None:
    """A long run keeps numbers and no messages."""
    async with ScriptedServer(recogniser, recording=False) as server, client(server) as c:
        await c.say(1)
        await c.text("end")
        await c.rest()
        connection = await server.ended()
        assert (connection.audio_bytes, connection.received, connection.sent) == (32_000, [], [])


@virtual_time
async def test_secrets_are_found_wherever_they_are() -> None:
    """In paths, queries, headers and messages, however they are written; not where they may be."""
    async with ScriptedServer(recogniser) as server:
        async with client(server, "/s%26cret?key=s%26cret", Authorization="s&cret", Cookie="k=s&cret") as c:
            await c.text('{"key": "s&cret"}')
            await c.text('{"key": "cyZjcmV0"}')
            await c.socket.send_bytes(b"..s&cret..")
            await c.text("end")
            await c.rest()
        assert server.places_of("s&cret", allowed_headers={"authorization"}) == [
            "connections[0].path",
            "connections[0].query",
            "connections[0].headers[Cookie]",
            "connections[0].received[0]",
            "connections[0].received[1]",
            "connections[0].received[2]",
            "connections[0].sent[0]",
            "connections[0].sent[1]",
        ]
        assert server.places_of("another") == []


@virtual_time
@pytest.mark.parametrize("query", ["k=a+b%26", "k=a%20b%26"])
async def test_secrets_are_found_in_any_encoding(query: str) -> None:
    """A space has two encodings in a query."""
    async with ScriptedServer(recogniser) as server:
        async with client(server, f"/?{query}") as c:
            await c.text("end")
        assert server.places_of("a b&") == ["connections[0].query"]


@virtual_time
async def test_waiting_has_an_end() -> None:
    """What never comes about is a TimeoutError, not a hang."""
    async with ScriptedServer(recogniser) as server:
        with pytest.raises(TimeoutError):
            await server.connection(0)


@virtual_time
@pytest.mark.parametrize(
    "plan", [[], [HalfOpen()], [Stall()], [StopReading()], [Repeat("{}", 1)], [KeepOpen()]], ids=str
)
async def test_nothing_is_left_of_live_connections(plan: Sequence[HalfOpen]) -> None:
    """Closing the server ends its connections and all its tasks, whatever state they are in (the loop checks)."""
    async with proxied(plan) as proxy, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(proxy.url)
        await socket.send_bytes(chunk(1))
        connection = await proxy.connection()
        await proxy.aclose()
        assert connection.ended_by == "shutdown"
        await socket.close()


async def test_on_the_ordinary_loop() -> None:
    """Nothing depends on virtual time."""
    async with proxied([DelayResults(1, 0.01, 0.02), Drop(ServerSends(WORD, 1))]) as proxy, client(proxy) as c:
        await c.say(1, 2)
        assert 1 in await c.rest()
