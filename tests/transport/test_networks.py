"""Both transports on networks as companies have them: proxies, certificates of their own, redirects."""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, cast

import aiohttp
import pytest

from stt_cartesia.stt import CartesiaSTT
from stt_core.errors import AuthenticationError, ConfigError, ConnectionLostError, STTError
from stt_core.events import SpeechEventType
from stt_core.options import STTOptions, with_defaults
from stt_core.server import Host
from stt_core.testing.counted import CountedSTT, counted_audio
from stt_core.testing.faults import (
    Answer,
    ConnectProxy,
    Exchange,
    FaultProxy,
    Peer,
    ScriptedServer,
    Status,
    ThrowawayCA,
)
from stt_core.testing.scripted import utterance
from stt_core.transport.codec import Handshake
from stt_core.transport.http import HttpClient

if TYPE_CHECKING:
    from stt_core.options import STTSettings

KEY = "sk-never-in-the-clear"
PASSWORD = "pr%40xy-pass"  # noqa: S105  (percent-encoded, as it stands in a URL)
HEADERS = {"X-API-Key": KEY}

Call = Callable[[HttpClient, str], Awaitable[str]]


async def by_socket(http: HttpClient, url: str) -> str:
    """What a WebSocket says."""
    socket = await http.connect(Handshake(url.replace("http", "ws", 1) + "/x", HEADERS))
    try:
        return await socket.ws.receive_str()
    finally:
        await socket.ws.close()


async def by_request(http: HttpClient, url: str) -> str:
    """What a request is answered."""
    return (await http.request("GET", f"{url}/x", headers=HEADERS)).body.decode()


both = pytest.mark.parametrize("call", [by_socket, by_request])


async def greet(peer: Peer) -> None:
    await peer.send("hello")
    async for _ in peer:
        pass


async def answer(_: Exchange) -> Answer:
    return Answer("hello")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own environment says nothing about proxies."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def ca() -> ThrowawayCA:
    return ThrowawayCA()


@asynccontextmanager
async def vendor(ca: ThrowawayCA | None = None) -> AsyncGenerator[ScriptedServer]:
    """Says hello to both, with ``ca`` over TLS."""
    if ca is None:
        server = ScriptedServer(greet, http=answer)
    else:
        server = ScriptedServer(greet, http=answer, ssl_context=ca.server_context())
    async with server:
        yield server


@asynccontextmanager
async def client(session: aiohttp.ClientSession | None = None, **options: object) -> AsyncGenerator[HttpClient]:
    settings = with_defaults(STTOptions, {"retry_interval": 0.0, "max_retries": 2, **options})
    http = HttpClient("toy", cast("STTSettings", settings), session)
    try:
        yield http
    finally:
        await http.aclose()


def chain(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def check_silent(error: BaseException, *secrets: str) -> None:
    """No secret is in the error, its causes, or the locals of the library's frames."""
    for each in chain(error):
        texts = [str(each), repr(each)]
        traceback = each.__traceback__
        while traceback is not None:
            if "stt_core" in traceback.tb_frame.f_code.co_filename:
                texts.append(repr(traceback.tb_frame.f_locals))
            traceback = traceback.tb_next
        assert not [secret for secret in secrets for text in texts if secret in text]


# -- proxies -----------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("environment", [False, True])
async def test_a_secure_connection_is_tunnelled(
    call: Call, environment: bool, ca: ThrowawayCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the option, or by HTTPS_PROXY; the proxy sees where to, and no header of the request in the tunnel."""
    async with vendor(ca) as server, ConnectProxy() as proxy:
        if environment:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with client(ssl=ca.client_context(), proxy=None if environment else proxy.url) as http:
            assert await call(http, server.url) == "hello"
        (tunnel,) = proxy.tunnels
    assert (tunnel.method, tunnel.host, tunnel.port, tunnel.status) == (
        "CONNECT",
        "127.0.0.1",
        int(server.url.rpartition(":")[2]),
        200,
    )
    assert KEY not in repr(tunnel)
    assert "x-api-key" not in tunnel.headers
    head = [*server.connections, *server.requests][0].head
    assert head.headers["X-API-Key"] == KEY


@both
@pytest.mark.parametrize("environment", [False, True])
async def test_a_plain_connection_goes_through_the_proxy_too(
    call: Call, environment: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP_PROXY stands for ws:// as it does for http://."""
    async with vendor() as server, ConnectProxy() as proxy:
        if environment:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with client(proxy=None if environment else proxy.url) as http:
            assert await call(http, server.url) == "hello"
    assert len(proxy.tunnels) == 1


@both
@pytest.mark.parametrize("environment", [False, True])
async def test_a_proxy_may_want_a_password(
    call: Call, environment: bool, ca: ThrowawayCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the URL's user part, decoded; the target never sees it."""
    async with vendor(ca) as server, ConnectProxy(username="me", password="pr@xy-pass") as proxy:  # noqa: S106
        url = proxy.url.replace("://", f"://me:{PASSWORD}@")
        if environment:
            monkeypatch.setenv("https_proxy", url)
        async with client(ssl=ca.client_context(), proxy=None if environment else url) as http:
            assert await call(http, server.url) == "hello"
    assert proxy.tunnels[-1].headers["proxy-authorization"] == "Basic " + base64.b64encode(b"me:pr@xy-pass").decode()
    assert "Proxy-Authorization" not in [*server.connections, *server.requests][0].head.headers


@both
@pytest.mark.parametrize("exempt", ["127.0.0.1", "*", "example.com, 127.0.0.1:{port}"])
async def test_no_proxy_exempts_a_host(call: Call, exempt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With or without its port; others go through the proxy."""
    async with vendor() as server, vendor() as other, ConnectProxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", exempt.format(port=server.url.rpartition(":")[2]))
        async with client() as http:
            assert await call(http, server.url) == "hello"
            assert not proxy.tunnels
            assert await call(http, other.url) == "hello"
    assert len(proxy.tunnels) == ("port" in exempt)


@both
async def test_the_option_beats_the_environment(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY too, which is about the environment's proxies."""
    async with vendor() as server, ConnectProxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "*")
        async with client(proxy=proxy.url) as http:
            assert await call(http, server.url) == "hello"
    assert len(proxy.tunnels) == 1


@both
async def test_a_proxy_in_the_environment_needs_no_scheme(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with curl."""
    async with vendor() as server, ConnectProxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removeprefix("http://"))
        async with client() as http:
            assert await call(http, server.url) == "hello"
    assert len(proxy.tunnels) == 1


@both
@pytest.mark.parametrize("url", ["socks5://me:{password}@127.0.0.1:1080", "http://me:{password}@:x"])
async def test_a_proxy_that_cannot_be_used_is_a_config_error(
    call: Call, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the variable, and neither connects past the proxy nor shows its password."""
    monkeypatch.setenv("HTTP_PROXY", url.format(password=PASSWORD))
    async with vendor() as server, client() as http:
        with pytest.raises(ConfigError, match="HTTP_PROXY") as caught:
            await call(http, server.url)
        assert not server.connections + server.requests
    check_silent(caught.value, PASSWORD, KEY)


@both
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize(("status", "error", "again"), [(407, AuthenticationError, False), (502, STTError, True)])
async def test_what_a_proxy_refuses_is_said_to_be_the_proxys(
    call: Call, secure: bool, status: int, error: type[STTError], again: bool, ca: ThrowawayCA
) -> None:
    """407 is for good and says whose password is wrong; 502 may pass; no password in it."""
    async with (
        vendor(ca if secure else None) as server,
        ConnectProxy(username="me", password="other") if status == 407 else ConnectProxy(status=status) as proxy,  # noqa: S106
    ):
        url = proxy.url.replace("://", f"://me:{PASSWORD}@")
        async with client(ssl=ca.client_context(), proxy=url) as http:
            with pytest.raises(error, match="proxy" if secure or status == 407 else str(status)) as caught:
                await call(http, server.url)
        assert not server.connections + server.requests
    assert caught.value.retryable is again
    assert caught.value.provider == "toy"
    assert getattr(caught.value, "status", None) == status
    check_silent(caught.value, PASSWORD, "pr@xy-pass", KEY)
    # The transport's requests are tried again by themselves, its connections by the stream.
    assert len(proxy.tunnels) == (3 if again and call is by_request else 1)


@both
async def test_a_proxy_that_is_not_there(call: Call, ca: ThrowawayCA, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the proxy's host, because the vendor's was never tried."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{PASSWORD}@localhost:9")
    async with vendor(ca) as server, client(ssl=ca.client_context()) as http:
        with pytest.raises(ConnectionLostError, match="proxy localhost") as caught:
            await call(http, server.url)
        assert not server.connections + server.requests
    check_silent(caught.value, PASSWORD, KEY)


PROXIES = {
    "http://proxy:3128": True,
    "https://proxy.example.com/": True,
    "http://me:p%40ss:w@[::1]:3128": True,
    "proxy:3128": False,
    "socks5://proxy:1080": False,
    "http://me:p@ss@proxy": False,
    "http://me:p/ss@proxy": False,
    "http://proxy:port": False,
    "http://proxy/path": False,
}


@pytest.mark.parametrize(("url", "accepted"), PROXIES.items())
def test_an_option_that_is_no_proxy_is_refused_before_anything_is_sent(url: str, accepted: bool) -> None:
    """It says how one is given; a password that is not percent-encoded would end in the wrong place."""
    with nullcontext() if accepted else pytest.raises(ConfigError, match="http://host:port") as caught:
        CartesiaSTT("ink-whisper", api_key=KEY, proxy=url)
    assert accepted or "ss@" not in str(caught)


@both
async def test_the_callers_session_goes_its_own_way(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it follows the environment is the caller's to say; the option still counts."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with vendor() as server, ConnectProxy() as proxy, aiohttp.ClientSession() as session:
        async with client(session) as http:
            assert await call(http, server.url) == "hello"
        async with client(session, proxy=proxy.url) as http:
            assert await call(http, server.url) == "hello"
    assert len(proxy.tunnels) == 1


@both
@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
async def test_netrc_is_not_asked(call: Call, header: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has for the vendor's host is for other programs: it is not sent, nor in the way of a token."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password hidden")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setitem(HEADERS, header, KEY)
    async with vendor() as server, client() as http:
        assert await call(http, server.url) == "hello"
    sent = [*server.connections, *server.requests][0].head.headers
    assert sent.get("Authorization") == (KEY if header == "Authorization" else None)


# -- certificates ------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("kind", ["file", "context", "off"])
async def test_a_private_authority_can_be_trusted(call: Call, kind: str, ca: ThrowawayCA, tmp_path: Path) -> None:
    """By the path of its file, by a context, or by not looking."""
    trusted = {"file": str(ca.write_pem(tmp_path / "ca.pem")), "context": ca.client_context(), "off": False}
    async with vendor(ca) as server, client(ssl=trusted[kind]) as http:
        assert await call(http, server.url) == "hello"


@both
@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("trusted", ["system", "another authority"])
async def test_an_untrusted_certificate_is_for_good(
    call: Call, proxied: bool, trusted: str, ca: ThrowawayCA, tmp_path: Path
) -> None:
    """Typed, tried once, before any header is sent, and it says what to do."""
    another = ThrowawayCA().write_pem(tmp_path / "another.pem")
    async with vendor(ca) as server, ConnectProxy() as proxy:
        async with client(
            ssl=True if trusted == "system" else str(another), proxy=proxy.url if proxied else None
        ) as http:
            with pytest.raises(ConnectionLostError, match=r"certificate of 127\.0\.0\.1 .* ssl=") as caught:
                await call(http, server.url)
        assert not server.connections + server.requests
        assert len(proxy.tunnels) == proxied
    assert not caught.value.retryable
    check_silent(caught.value, KEY)


@both
async def test_tls_to_a_port_without_it(call: Call) -> None:
    """It is not the certificate: the error does not send anybody looking for one."""
    async with vendor() as server, client() as http:
        with pytest.raises(ConnectionLostError, match="TLS") as caught:
            await call(http, server.url.replace("http://", "https://"))
    assert "not trusted" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
async def test_a_file_without_authorities_is_a_config_error(content: bytes | None, tmp_path: Path) -> None:
    """Said at once, and not as a failing connection later."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"ca\.pem"):
        async with client(ssl=str(path)):
            pass


async def test_the_connection_is_checked_by_default(ca: ThrowawayCA) -> None:
    """A context of the caller's is used as it is: one that checks nothing is his to give."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with vendor(ca) as server, client(ssl=context) as http:
        assert await by_request(http, server.url) == "hello"


# -- redirects ---------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("own_session", [True, False])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(call: Call, own_session: bool, status: int) -> None:
    """A key is for the host it was given for: a redirect is an error that says where to."""
    async with vendor() as elsewhere, vendor() as server, aiohttp.ClientSession() as session:
        moved = Status(status, headers={"Location": f"{elsewhere.url}/other?token=x"})
        server.plan, server.http_plan = [moved], [moved]
        async with client(None if own_session else session) as http:
            with pytest.raises(STTError, match=f"{status}.*{elsewhere.url}") as caught:
                await call(http, server.url)
        assert not elsewhere.connections + elsewhere.requests
        assert len(server.connections + server.requests) == 1
        assert own_session or not session.closed
    assert not caught.value.retryable
    check_silent(caught.value, KEY, "token=x")


@pytest.mark.parametrize("own_session", [True, False])
async def test_a_refused_handshake_says_why_over_any_session(own_session: bool) -> None:
    """The body of the vendor's answer is read with a session of the caller's too, whose own requests stay his."""
    async with vendor() as server, aiohttp.ClientSession() as session:
        server.plan = [Status(403, "because of this")]
        async with client(None if own_session else session) as http:
            with pytest.raises(STTError, match="because of this"):
                await by_socket(http, server.url)
        async with session.get(f"{server.url}/y") as response:
            assert await response.text() == "hello"


# -- a provider over all of it -----------------------------------------------------------------------------------------

WORDS = ["the", "quick", "brown", "fox"]
AUDIO = counted_audio(3.0, voiced=[(0.5, 2.5)])


@asynccontextmanager
async def cartesia(ca: ThrowawayCA) -> AsyncGenerator[FaultProxy]:
    stt = CountedSTT(utterance(" ".join(WORDS), start=0.5, end=2.5))
    async with stt, Host(stt) as host, FaultProxy(host.urls["cartesia"], ssl_context=ca.server_context()) as proxy:
        yield proxy


async def test_a_stream_and_a_file_go_through_a_proxy_to_a_private_authority(ca: ThrowawayCA, tmp_path: Path) -> None:
    """Two options, as an administrator would say them, and nothing else."""
    pem = str(ca.write_pem(tmp_path / "ca.pem"))
    async with cartesia(ca) as vendor, ConnectProxy(username="me", password="pw") as proxy:  # noqa: S106
        url = proxy.url.replace("://", "://me:pw@")
        stt = CartesiaSTT("ink-whisper", api_key=KEY, base_url=vendor.url, proxy=url, ssl=pem, max_pace=20.0)
        async with stt, stt.stream(sample_rate=16000) as stream:
            await stream.send_frame(AUDIO)
            stream.end_input()
            assert (await stream.transcript()).text.split() == WORDS
            found = await stt.recognize(AUDIO, sample_rate=16000, encoding="pcm_s16le")
        assert found.text.split() == WORDS
        assert len(vendor.connections) == len(vendor.requests) == 1
        assert not vendor.places_of(KEY, allowed_headers=["X-API-Key"])
    assert {tunnel.method for tunnel in proxy.tunnels} == {"CONNECT"}
    assert KEY not in repr(proxy.tunnels)


async def test_a_stream_does_not_try_again_what_it_cannot_trust(ca: ThrowawayCA) -> None:
    """The error comes at once, without a RECONNECTING before it."""
    async with cartesia(ca) as vendor, ConnectProxy() as proxy:
        stt = CartesiaSTT("ink-whisper", api_key=KEY, base_url=vendor.url, proxy=proxy.url)
        events: list[SpeechEventType] = []
        async with stt, stt.stream(sample_rate=16000) as stream:
            stream.push_frame(AUDIO)
            with pytest.raises(ConnectionLostError, match="certificate") as caught:
                async for event in stream:
                    events.append(event.type)  # noqa: PERF401  (what came before the error counts)
    assert SpeechEventType.RECONNECTING not in events
    assert len(proxy.tunnels) == 1
    check_silent(caught.value, KEY)
