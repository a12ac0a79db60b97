"""The fault server in front of HTTP: each fault does what it says, as a plain client sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from yarl import URL

from stt_core.testing.clock import virtual_time
from stt_core.testing.faults import (
    BAD_GATEWAY,
    CORRUPTIONS,
    Alter,
    Answer,
    BlackHole,
    Corrupt,
    Corruption,
    CutResponse,
    CutUpload,
    Delay,
    Exchange,
    FaultProxy,
    FaultServer,
    HttpPlan,
    Refuse,
    Replace,
    ScriptedServer,
    SlowResponse,
    SlowUpload,
    Status,
)

HOUR = 3600.0


async def hears(exchange: Exchange) -> Answer:
    """Says how much it was sent."""
    return Answer(
        {"text": "hello", "words": [{"start": 0.5}], "size": exchange.body_bytes}, headers={"X-Request-Id": "r-1"}
    )


@asynccontextmanager
async def proxied(plan: HttpPlan = ()) -> AsyncGenerator[FaultProxy, None]:
    async with ScriptedServer(http=hears) as target, FaultProxy(target.url, http_plan=plan) as proxy:
        yield proxy


class Reply:
    def __init__(self, response: aiohttp.ClientResponse, body: str) -> None:
        self.status, self.headers, self.content_type, self.body = (
            response.status,
            response.headers,
            response.content_type,
            body,
        )


async def post(
    server: FaultServer, body: bytes = b"audio", path: str = "/stt", *, timeout: float | None = None, **headers: str
) -> Reply:
    patience = aiohttp.ClientTimeout(total=timeout)
    async with (
        aiohttp.ClientSession(timeout=patience) as session,
        session.post(URL(server.url + path, encoded=True), data=body, headers=headers) as response,
    ):
        return Reply(response, await response.text())


@virtual_time
async def test_requests_go_through() -> None:
    """Without a fault the target and the client see what the other one sent, and it is on record."""
    async with ScriptedServer(http=hears) as target, FaultProxy(f"{target.url}/vendor") as proxy:
        reply = await post(proxy, b"x" * 100_000, "/stt?a=%20+%7E", Authorization="Bearer k")
        assert (reply.status, reply.content_type) == (200, "application/json")
        assert reply.headers["X-Request-Id"] == "r-1"
        assert reply.body == '{"text": "hello", "words": [{"start": 0.5}], "size": 100000}'
        (behind,) = target.requests
        assert (behind.head.method, behind.head.target) == ("POST", "/vendor/stt?a=%20+%7E")
        assert behind.head.headers["Authorization"] == "Bearer k"
        assert behind.head.headers["Content-Length"] == "100000"
        (seen,) = proxy.requests
        assert bytes(seen.body) == bytes(behind.body) == b"x" * 100_000
        assert (seen.status, seen.answer, seen.ended) == (200, reply.body.encode(), True)


@virtual_time
async def test_bodies_are_kept_up_to_a_limit() -> None:
    """Uploads of any size are counted whole, and kept no further than wanted."""
    async with ScriptedServer(http=hears, body_limit=10) as target:
        assert '"size": 1000000' in (await post(target, b"x" * 1_000_000)).body
        assert target.requests[0].body == b"x" * 10


@virtual_time
async def test_a_server_without_a_script_for_http() -> None:
    """It knows no path."""
    async with ScriptedServer() as server:
        assert (await post(server)).status == 404


@virtual_time
@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
async def test_status(status: int) -> None:
    """The answer is that of the fault; the upload was read, and the target never asked."""
    plan = {1: [Status(status, '{"error": 1}', retry_after=2)]}
    async with ScriptedServer(http=hears) as target, FaultProxy(target.url, http_plan=plan) as proxy:
        assert (await post(proxy)).status == 200
        reply = await post(proxy)
        assert (reply.status, reply.body, reply.headers["Retry-After"]) == (status, '{"error": 1}', "2")
        assert len(target.requests) == 1
        assert proxy.requests[1].body == b"audio"
        assert proxy.requests[1].faults == plan[1]


@virtual_time
async def test_a_web_page_for_an_answer() -> None:
    """The load balancer's page."""
    async with proxied([BAD_GATEWAY]) as proxy:
        reply = await post(proxy)
        assert (reply.status, reply.content_type) == (502, "text/html")


@virtual_time
@pytest.mark.parametrize("fault", [Refuse(), CutUpload(), CutUpload(3), CutUpload(9, "eof")], ids=str)
async def test_connections_lost_before_the_answer(fault: Refuse | CutUpload) -> None:
    """The request fails, having been read no further than the fault says, and does not reach the target."""
    async with ScriptedServer(http=hears) as target, FaultProxy(target.url, http_plan=[fault]) as proxy:
        with pytest.raises(aiohttp.ClientConnectionError):
            await post(proxy)
        await proxy.wait_for(lambda: proxy.requests[0].ended)
        assert proxy.requests[0].faults == [fault]
        assert proxy.requests[0].body == b"audio"[: fault.after if isinstance(fault, CutUpload) else 0]
        assert target.requests == []


@virtual_time
async def test_black_hole_never_answers() -> None:
    """For an hour."""
    async with proxied([BlackHole()]) as proxy:
        with pytest.raises(TimeoutError):
            await post(proxy, timeout=HOUR)


@virtual_time
async def test_delay() -> None:
    """The answer comes that much later."""
    async with proxied([Delay(HOUR)]) as proxy:
        assert (await post(proxy)).status == 200
        assert asyncio.get_running_loop().time() >= HOUR


@virtual_time
@pytest.mark.parametrize("fault", [CutResponse(), CutResponse(10), CutResponse(10, "eof")], ids=str)
async def test_a_response_cut_short(fault: CutResponse) -> None:
    """Status and headers are there, and the body ends before its announced length."""
    async with proxied([fault]) as proxy, aiohttp.ClientSession() as session:
        with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientConnectionError)):
            async with session.get(proxy.url) as response:
                assert response.status == 200
                assert response.content_length == len('{"text": "hello", "words": [{"start": 0.5}], "size": 0}')
                await response.read()
        assert len(proxy.requests[0].answer) == fault.after


@virtual_time
async def test_slow_upload_and_response() -> None:
    """Both come whole, and take their time."""
    async with proxied({0: [SlowUpload(1, 10.0)], 1: [SlowResponse(1, 10.0)]}) as proxy:
        loop = asyncio.get_running_loop()
        whole = await post(proxy)
        assert '"size": 5' in whole.body
        assert loop.time() >= 40
        between = loop.time()
        assert (await post(proxy)).body == whole.body
        assert loop.time() - between >= 10 * (len(whole.body) - 1)


@virtual_time
async def test_missing_and_null_fields() -> None:
    """An answer loses fields and gets others."""
    async with proxied([Alter(missing=["size", "words.0.start"], values={"text": None})]) as proxy:
        assert (await post(proxy)).body == '{"text": null, "words": [{}]}'


@virtual_time
@pytest.mark.parametrize("kind", set(CORRUPTIONS) - {"binary"})
async def test_corrupted_answers(kind: Corruption) -> None:
    """The body is another one."""
    async with proxied({1: [Corrupt(kind)]}) as proxy:
        right = (await post(proxy)).body
        async with aiohttp.ClientSession() as session, session.get(proxy.url) as response:
            assert response.status == 200
            assert await response.read() != right.encode()


@virtual_time
async def test_replaced_answers() -> None:
    """Any body can come."""
    async with proxied([Replace(["something", " else"])]) as proxy:
        assert (await post(proxy)).body == "something else"


@virtual_time
async def test_a_target_that_is_not_there_resets() -> None:
    """With nothing behind the proxy the connection is reset."""
    async with FaultProxy("http://127.0.0.1:9") as proxy:
        with pytest.raises(aiohttp.ClientConnectionError):
            await post(proxy)


@virtual_time
async def test_a_failing_script_fails_the_test() -> None:
    """The client sees a reset, and the script's exception comes out at the end."""

    async def fails(exchange: Exchange) -> Answer:
        raise KeyError(exchange.head.path)

    with pytest.RaisesGroup(KeyError):
        async with ScriptedServer(http=fails) as server:
            with pytest.raises(aiohttp.ClientConnectionError):
                await post(server)


@virtual_time
async def test_secrets_are_found() -> None:
    """In bodies of both directions."""

    async def echoes(exchange: Exchange) -> Answer:
        return Answer(bytes(exchange.body))

    async with ScriptedServer(http=echoes) as server:
        await post(server, b'{"key": "s3cret"}')
        assert server.places_of("s3cret") == ["requests[0].body", "requests[0].answer"]


@virtual_time
@pytest.mark.parametrize("fault", [BlackHole(), Delay(HOUR), SlowUpload(1, HOUR), SlowResponse(1, HOUR)], ids=str)
async def test_nothing_is_left_of_open_requests(fault: BlackHole | Delay | SlowUpload | SlowResponse) -> None:
    """Closing the server ends a request in any state, at once."""
    async with proxied([fault]) as proxy:
        request = asyncio.create_task(post(proxy))
        await proxy.wait_for(lambda: proxy.requests and proxy.requests[0].faults)
        await proxy.aclose()
        with pytest.raises(aiohttp.ClientError):
            await request
        assert asyncio.get_running_loop().time() < HOUR
