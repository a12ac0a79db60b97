"""The local HTTP proxy and the throwaway certificate authority."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from aiohttp import WSMsgType

from stt_core.testing.faults import Answer, ConnectProxy, Drop, Exchange, FaultProxy, Peer, ScriptedServer, ThrowawayCA


@pytest.fixture(scope="module")
def ca() -> ThrowawayCA:
    return ThrowawayCA()


async def hello(exchange: Exchange) -> Answer:
    return Answer(f"hello {exchange.head.target}")


async def echo(peer: Peer) -> None:
    async for message in peer:
        await peer.send(message)


async def test_tls_to_the_throwaway_authority(ca: ThrowawayCA) -> None:
    """A client that trusts it gets through, by address and by name; any other one does not."""
    async with ScriptedServer(echo, http=hello, ssl_context=ca.server_context()) as server:
        assert server.url.startswith("https://")
        async with aiohttp.ClientSession() as session:
            for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
                async with session.get(url, ssl=ca.client_context()) as response:
                    assert await response.text() == "hello /"
            async with session.ws_connect(server.url, ssl=ca.client_context()) as socket:
                await socket.send_str("over TLS")
                assert (await socket.receive()).data == "over TLS"
            for other in (True, ThrowawayCA().client_context()):
                with pytest.raises(aiohttp.ClientConnectorCertificateError):
                    await session.get(server.url, ssl=other)


async def test_faults_over_tls(ca: ThrowawayCA) -> None:
    """The fault proxy speaks TLS on both sides, and drops there as well."""
    context = ca.server_context()
    async with (
        ScriptedServer(echo, ssl_context=context) as target,
        FaultProxy(target.url, {1: [Drop()]}, target_ssl=ca.client_context(), ssl_context=context) as proxy,
        aiohttp.ClientSession() as session,
    ):
        async with session.ws_connect(proxy.url, ssl=ca.client_context()) as socket:
            await socket.send_str("x")
            assert (await socket.receive()).data == "x"
        async with session.ws_connect(proxy.url, ssl=ca.client_context()) as socket:
            assert (await socket.receive()).type in {WSMsgType.CLOSED, WSMsgType.ERROR}
            assert socket.close_code == 1006


async def test_the_authority_in_a_file(ca: ThrowawayCA, tmp_path: Path) -> None:
    """As users have it: a PEM file to trust."""
    pem = ca.write_pem(tmp_path / "ca.pem")
    assert pem.read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE" not in pem.read_text()


async def test_connect_tunnels_tls(ca: ThrowawayCA) -> None:
    """HTTPS and secure WebSockets go through CONNECT; the proxy sees where to, and none of the request's headers."""
    key = {"X-API-Key": "s3cret"}
    context = ca.client_context()
    async with (
        ScriptedServer(echo, http=hello, ssl_context=ca.server_context()) as server,
        ConnectProxy() as proxy,
    ):
        async with (
            aiohttp.ClientSession() as session,
            session.get(server.url, ssl=context, proxy=proxy.url, headers=key) as response,
        ):
            assert await response.text() == "hello /"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(server.url, ssl=context, proxy=proxy.url, headers=key) as socket,
        ):
            await socket.send_bytes(bytes(100_000))
            assert (await socket.receive()).data == bytes(100_000)
        assert server.requests[0].head.headers["X-API-Key"] == "s3cret"
        await proxy.wait_for(lambda: len(proxy.tunnels) == 2 and proxy.tunnels[1].closed)
        for tunnel in proxy.tunnels:
            assert (tunnel.method, tunnel.status) == ("CONNECT", 200)
            assert server.url == f"https://{tunnel.host}:{tunnel.port}"
            assert "s3cret" not in str(tunnel.headers)
        assert min(proxy.tunnels[1].sent, proxy.tunnels[1].received) > 100_000


async def test_the_proxy_sees_what_is_said_to_it(ca: ThrowawayCA) -> None:
    """aiohttp shows a session's own headers to the proxy, so keys do not belong there; the record proves it."""
    async with (
        ScriptedServer(http=hello, ssl_context=ca.server_context()) as server,
        ConnectProxy() as proxy,
        aiohttp.ClientSession(headers={"X-API-Key": "s3cret"}) as session,
        session.get(server.url, ssl=ca.client_context(), proxy=proxy.url),
    ):
        assert proxy.tunnels[0].headers["x-api-key"] == "s3cret"


async def test_plain_requests_go_through_in_absolute_form() -> None:
    """Without TLS there is no CONNECT: the proxy passes the request on, without what was meant for itself."""
    async with (
        ScriptedServer(echo, http=hello) as server,
        ConnectProxy(username="me", password="pw") as proxy,  # noqa: S106 - the test's own
        aiohttp.ClientSession() as session,
    ):
        url = proxy.url.replace("//", "//me:pw@")
        async with session.get(server.url + "/a%20b?c=d%26e", proxy=url) as response:
            assert await response.text() == "hello /a%20b?c=d%26e"
        async with session.ws_connect(server.url, proxy=url) as socket:
            await socket.send_str("x")
            assert (await socket.receive()).data == "x"
        assert [tunnel.method for tunnel in proxy.tunnels] == ["GET", "GET"]
        assert "Proxy-Authorization" not in server.requests[0].head.headers


async def test_a_proxy_that_wants_credentials(ca: ThrowawayCA) -> None:
    """Without them, or with wrong ones, it answers 407."""
    async with (
        ScriptedServer(http=hello, ssl_context=ca.server_context()) as server,
        ConnectProxy(username="me", password="pw") as proxy,  # noqa: S106 - the test's own
        aiohttp.ClientSession() as session,
    ):
        for user in ("", "me:wrong@"):
            with pytest.raises(aiohttp.ClientHttpProxyError) as raised:
                await session.get(server.url, proxy=proxy.url.replace("//", f"//{user}"))
            assert raised.value.status == 407
        right = proxy.url.replace("//", "//me:pw@")
        async with session.get(server.url, ssl=ca.client_context(), proxy=right) as response:
            assert response.status == 200
        assert [tunnel.status for tunnel in proxy.tunnels] == [407, 407, 200]


async def test_a_proxy_that_refuses() -> None:
    """It answers with a status of its own, and reaches nothing."""
    async with ConnectProxy(status=503) as proxy, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientHttpProxyError):
            await session.get("https://127.0.0.1:9", proxy=proxy.url)
    async with ConnectProxy() as proxy, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientHttpProxyError):
            await session.get("https://127.0.0.1:9", proxy=proxy.url)
        assert proxy.tunnels[0].status == 502


async def test_dropping_tunnels() -> None:
    """A connection through the proxy breaks with it."""
    async with ScriptedServer(echo) as server, ConnectProxy() as proxy, aiohttp.ClientSession() as session:
        async with session.ws_connect(server.url, proxy=proxy.url) as socket:
            proxy.drop()
            assert (await socket.receive()).type in {WSMsgType.CLOSED, WSMsgType.ERROR}
            assert socket.close_code == 1006
        assert (await server.ended()).close_code is None
