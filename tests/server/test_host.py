"""The server that halves are mounted in: what it lets in, what it bounds, how it ends. Real sockets on loopback."""

from __future__ import annotations

import asyncio
import io
import logging
import socket as sockets
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import aiohttp
import pytest

from stt_core.audio.frames import AudioFormat
from stt_core.audio.wav import wav_header
from stt_core.errors import ConfigError, UnsupportedError
from stt_core.server import Host
from stt_core.testing.scripted import Fault, ScriptedSTT, utterance

if TYPE_CHECKING:
    from conftest import Serve

RATE = 8000
SECOND = bytes(2 * RATE)
WAV = wav_header(AudioFormat(RATE), len(SECOND)) + SECOND


def form(*fields: tuple[str, str], file: bytes | None = None) -> aiohttp.FormData:
    data = aiohttp.FormData(quote_fields=False)
    data.add_field("kind", "multipart", content_type="text/plain")  # a content type makes it one
    for name, value in fields:
        data.add_field(name, value)
    if file is not None:
        data.add_field("file", io.BytesIO(file), filename="a folder/call.wav", content_type="audio/wav")
    return data


async def text_of(response: aiohttp.ClientResponse) -> str:
    async with response:
        return await response.text()


async def said(ws: aiohttp.ClientWebSocketResponse) -> list[str]:
    return [message.data async for message in ws if message.type is aiohttp.WSMsgType.TEXT]


# -- mounting ------------------------------------------------------------------------------------------------------


async def test_a_half_is_mounted_under_its_providers_name(serve: Serve) -> None:
    """What to give a client as base URL is known after the start, with the port that was chosen."""
    async with serve() as running:
        assert running.url == f"http://localhost:{running.host.port}/acme/v1"
        async with running.http.get(f"{running.url}/about?say=a+b&say=c%20d") as response:
            assert await response.json() == {"path": "/v1/about", "said": ["a b", "c d"]}


async def test_one_half_can_have_the_root(serve: Serve) -> None:
    """With root= the half answers at / too, and its URL is that one."""
    async with serve(root="acme") as running:
        assert running.url == f"http://localhost:{running.host.port}/v1"
        for url in (running.url, running.origin + "/acme/v1"):
            async with running.http.get(f"{url}/about") as response:
                assert response.status == 200
        assert await text_of(await running.http.get(running.origin + "/elsewhere")) == "!404 there is no GET /elsewhere"


async def test_what_is_not_there_is_answered_by_the_half_it_would_belong_to(serve: Serve) -> None:
    """An unknown path under a half gets the vendor's shape of a 404, one under none a list of what there is."""
    async with serve() as running:
        assert await text_of(await running.http.post(f"{running.url}/about")) == "!404 there is no POST /v1/about"
        assert await text_of(await running.http.get(running.origin + "/acme")) == "!404 there is no GET "
        assert "/acme" in await text_of(await running.http.get(running.origin + "/"))


async def test_it_listens_on_both_loopback_addresses_and_nowhere_else(serve: Serve) -> None:
    """Without host= only this machine reaches the server, by IPv4 and by IPv6 at the same port."""
    async with serve() as running:
        for address in ("127.0.0.1", "[::1]"):
            async with running.http.get(f"http://{address}:{running.host.port}/acme/v1/about") as response:
                assert response.status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "gateway.example"])  # noqa: S104  (refused)
def test_others_are_let_in_only_with_keys(host: str) -> None:
    """An address that others can reach is refused, before anything listens, unless they have to present a key."""
    with pytest.raises(ConfigError, match="--api-key"):
        Host("scripted", host=host)
    Host("scripted", host=host, api_keys=["k"])


async def test_a_port_that_is_taken_is_a_config_error(serve: Serve) -> None:
    """The message says which, and nothing is left open."""
    async with serve() as running:
        with pytest.raises(ConfigError, match=f"cannot listen on .*{running.host.port}"):
            await Host("scripted", port=running.host.port).start()


def test_the_root_has_to_be_a_provider_with_a_server_half() -> None:
    """An unknown one is a ConfigError, one that only has a client half an UnsupportedError."""
    with pytest.raises(ConfigError, match="no provider is called"):
        Host("scripted", root="nobody")
    with pytest.raises(UnsupportedError, match="scripted has no server half"):
        Host("scripted", root="scripted")


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_keys": [""]},
        {"max_sessions": 0},
        {"max_jobs": 0},
        {"max_upload": 0},
        {"port": 70000},
        {"allow_origins": ["app.example"]},
        {"allow_origins": ["https://app.example/path"]},
    ],
)
def test_what_makes_no_sense_is_refused_at_once(wrong: dict[str, list[str] | int]) -> None:
    """A ConfigError, before anything is started."""
    with pytest.raises(ConfigError):
        Host("scripted", **wrong)  # pyright: ignore[reportArgumentType]  (one at a time, each with its own type)


# -- who may come in -----------------------------------------------------------------------------------------------


async def test_the_half_decides_on_credentials(serve: Serve) -> None:
    """Without keys every credential that is not empty will do; none will not."""
    async with serve() as running:
        for headers, status in (({}, 401), ({"Authorization": "Bearer "}, 401), ({"Authorization": "Bearer x"}, 200)):
            async with (
                aiohttp.ClientSession(headers=headers) as http,
                http.post(f"{running.url}/echo", data=form()) as r,
            ):
                assert r.status == status


async def test_with_keys_only_those_are_accepted(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Another key is a 401 in the half's shape, also on a handshake; no key is ever logged."""
    caplog.set_level(logging.DEBUG)
    async with serve(api_keys=["first-key", "second-key"]) as running:
        for key, status in (("first-key", 200), ("second-key", 200), ("first-keY", 401), ("k", 401)):
            headers = {"Authorization": f"Bearer {key}"}
            async with running.http.post(f"{running.url}/echo", data=form(), headers=headers) as response:
                assert response.status == status
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await running.http.ws_connect(f"{running.url}/live")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("stt_core")]
    assert ours
    assert not any("-key" in message for message in ours)


@pytest.mark.parametrize("path", ["about", "live"])
async def test_a_page_in_a_browser_is_refused_unless_its_origin_is_allowed(serve: Serve, path: str) -> None:
    """Every request with an Origin that is not listed is a 403, whatever key it has."""
    async with serve(allow_origins=["https://app.example"]) as running:
        for origin in ("https://evil.example", "null", "https://app.example.evil.example", "http://app.example"):
            async with running.http.get(f"{running.url}/{path}", headers={"Origin": origin}) as response:
                assert response.status == 403
                assert (await response.text()).startswith("!403 ")
                assert "Access-Control-Allow-Origin" not in response.headers


async def test_an_allowed_page_can_read_the_answers(serve: Serve) -> None:
    """Its browser is told so, for the request and for the question that it asks before it (CORS)."""
    page = {"Origin": "https://app.example"}
    asking = {**page, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    async with serve(allow_origins=["https://app.example"]) as running:
        async with running.http.get(f"{running.url}/about", headers=page) as response:
            assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (200, "https://app.example")
        async with running.http.options(f"{running.url}/echo", headers=asking) as response:
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Headers"] == "authorization"
        async with running.http.ws_connect(f"{running.url}/live", headers=page) as ws:
            await ws.send_str("end")
            assert (await said(ws))[-1] == "OVER"


async def test_a_name_that_was_made_to_point_here_is_refused(serve: Serve) -> None:
    """The server answers to localhost, to IP addresses and to the names that it was told, so DNS rebinding fails."""
    async with serve(allow_hosts=["stt.example"]) as running:
        for host, status in (
            ("evil.example", 421),
            ("localhost.evil.example:80", 421),
            ("", 421),
            ("stt.example:99", 200),
            ("LOCALHOST:99", 200),
            ("[::1]:99", 200),
            ("10.0.0.9", 200),
        ):
            async with running.http.get(f"{running.url}/about", headers={"Host": host}) as response:
                assert response.status == status, host
    async with (
        serve(api_keys=["k"]) as running,
        running.http.get(f"{running.url}/about", headers={"Host": "gateway.example"}) as response,
    ):
        assert response.status == 200


# -- bounds --------------------------------------------------------------------------------------------------------


async def test_an_upload_comes_as_it_was_sent(serve: Serve) -> None:
    """Repeated fields in order, the file's name without folders, its bytes complete."""
    big = bytes(3_000_000)
    sent = form(("tag", "ä"), ("tag", "b"), file=big)
    async with serve() as running, running.http.post(f"{running.url}/echo", data=sent) as response:
        assert await response.json() == {"tags": ["ä", "b"], "name": "call.wav", "size": len(big)}


async def test_an_upload_beyond_the_bound_is_refused_before_it_is_all_there(serve: Serve) -> None:
    """413 once more has come than the server takes: the rest is not waited for."""
    answered = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + bytes(1 << 20)
        await answered.wait()

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with (
        serve(max_upload=100_000) as running,
        running.http.post(f"{running.url}/echo", data=endless(), headers=headers) as response,
    ):
        assert response.status == 413
        assert "100000 bytes" in await response.text()
        answered.set()


async def test_an_upload_that_says_that_it_is_too_large_is_refused_unread(serve: Serve) -> None:
    """413 at the sight of its Content-Length."""
    async with serve(max_upload=100_000) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.host.port)
        writer.write(
            b"POST /acme/v1/echo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100001\r\n\r\n"
        )
        assert b" 413 " in await reader.readline()
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "application/json", 415),
        (b"", "multipart/form-data", 400),
        (b"no boundary anywhere", "multipart/form-data; boundary=x", 400),
        (b'--x\r\nContent-Disposition: form-data; name="tag"\r\n\r\n\xff\xfe\r\n--x--\r\n', None, 400),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--x--\r\n", None, 400),
        (b'--x\r\nContent-Disposition: form-data; name="tag"\r\n\r\ncut off', None, 400),
        (
            b'--x\r\nContent-Disposition: form-data; name="tag"\r\n\r\n' + bytes(1 << 21) + b"\r\n--x--\r\n",
            None,
            413,
        ),
        (b'--x\r\nContent-Disposition: form-data; name="tag"\r\n\r\n1\r\n' * 5000 + b"--x--\r\n", None, 413),
    ],
)
async def test_a_body_that_is_no_form_is_refused(
    serve: Serve, body: bytes, content_type: str | None, status: int
) -> None:
    """Malformed bodies, and small fields that are not small, are the client's fault and say so."""
    headers = {"Content-Type": content_type or "multipart/form-data; boundary=x"}
    async with (
        serve() as running,
        running.http.post(f"{running.url}/echo", data=io.BytesIO(body), headers=headers) as response,
    ):
        assert response.status == status


async def test_a_url_has_a_length(serve: Serve) -> None:
    """414 beyond 8 KiB, as vendors have it."""
    async with serve() as running:
        async with running.http.get(f"{running.url}/about?say={'x' * 7000}") as response:
            assert response.status == 200
        async with running.http.get(f"{running.url}/about?say={'x' * 9000}") as response:
            assert response.status == 414


async def test_there_are_only_so_many_sessions(serve: Serve) -> None:
    """One more socket or upload than max_sessions is a 429; the place is free again when one ends."""
    async with serve(max_sessions=1) as running:
        async with running.http.ws_connect(f"{running.url}/live") as ws:
            with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
                await running.http.ws_connect(f"{running.url}/live")
            async with running.http.post(f"{running.url}/echo", data=form()) as response:
                assert response.status == 429
            async with running.http.get(f"{running.url}/about") as response:
                assert response.status == 200
            await ws.send_str("end")
            await said(ws)
        async with running.http.post(f"{running.url}/echo", data=form()) as response:
            assert response.status == 200


async def test_a_client_that_leaves_gives_its_place_back(serve: Serve) -> None:
    """A socket that is dropped without a word ends its session and closes the stream behind it."""
    handshake = (
        "GET /acme/v1/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    )
    stt = ScriptedSTT()
    async with serve(stt, max_sessions=1) as running:
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", running.host.port)
            writer.write(handshake.encode())
            assert b" 101 " in await reader.readline()
            writer.transport.abort()
            status = 429
            while status == 429:
                async with running.http.post(f"{running.url}/echo", data=form()) as response:
                    status = response.status
            assert status == 200
    assert len(stt.runners) == 3


async def test_a_request_whose_client_leaves_is_given_up(serve: Serve) -> None:
    """Its work is cancelled, so that it holds neither its place nor the provider."""
    async with serve(max_sessions=1) as running:
        async with aiohttp.ClientSession(headers=running.http.headers) as leaving:
            asking = asyncio.create_task(leaving.post(f"{running.url}/fail/never", data=form()))
            while (await running.http.post(f"{running.url}/echo", data=form())).status != 429:
                pass
            asking.cancel()
            await asyncio.wait([asking])
        while (await running.http.post(f"{running.url}/echo", data=form())).status != 200:
            pass


async def test_a_client_that_says_nothing_is_closed(serve: Serve) -> None:
    """After idle_timeout without a message the socket is closed with 1000, and says why."""
    async with serve(idle_timeout=0.01) as running, running.http.ws_connect(f"{running.url}/live") as ws:
        while (message := await ws.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
        assert (message.data, message.extra) == (1000, "connection idle timeout")


# -- recognition ---------------------------------------------------------------------------------------------------


async def test_an_upload_is_recognised_by_the_provider_behind(serve: Serve) -> None:
    """A file goes to the backend as it is, and its text comes back."""
    async with serve() as running, running.http.post(f"{running.url}/transcribe", data=form(file=WAV)) as response:
        assert (response.status, await response.text()) == (200, "hello there")


@pytest.mark.parametrize("query", ["", "?slow=1"])
async def test_a_stream_goes_both_ways(serve: Serve, query: str) -> None:
    """Audio in, events out; a flush is answered behind its finals, however slowly they go; the end comes last."""
    async with serve() as running, running.http.ws_connect(f"{running.url}/live{query}") as ws:
        await ws.send_bytes(SECOND)
        await ws.send_str("flush")
        await ws.send_str("end")
        texts = await said(ws)
        assert texts.index("FINAL_TRANSCRIPT hello there") < texts.index("FLUSHED") < texts.index("OVER")
        assert (texts[-1], ws.close_code) == ("OVER", 1000)


async def test_the_flush_of_nothing_is_answered_too(serve: Serve) -> None:
    """A flush that brings no final does not wait for one; nor does the next one that brings some."""
    async with serve() as running, running.http.ws_connect(f"{running.url}/live") as ws:
        for part in ("flush", "flush", SECOND, "flush", "flush", "end"):
            await (ws.send_str(part) if isinstance(part, str) else ws.send_bytes(part))
        texts = [text for text in await said(ws) if text.startswith("F")]
        assert texts == ["FLUSHED", "FLUSHED", "FINAL_TRANSCRIPT hello there", "FLUSHED", "FLUSHED"]


async def test_a_job_goes_on_after_its_request(serve: Serve) -> None:
    """The upload lives as long as the job needs it, and its result can be fetched later."""
    async with serve() as running:
        assert (await running.http.post(f"{running.url}/jobs/one", data=form(file=WAV))).status == 202
        assert await text_of(await running.http.get(f"{running.url}/jobs/one")) == "done: hello there"
        assert await text_of(await running.http.get(f"{running.url}/jobs/two")) == "!404 no such job"


async def test_a_job_that_fails_says_why(serve: Serve) -> None:
    """What the provider raises is the job's error, not the server's."""
    async with serve() as running:
        await running.http.post(f"{running.url}/jobs/one", data=form(file=b"no audio at all"))
        assert (await text_of(await running.http.get(f"{running.url}/jobs/one"))).startswith("failed: ")


async def test_a_stream_that_fails_reaches_the_half_as_its_own_error(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """Not as the error of a stream that takes no more audio; unhandled, it closes the socket with 1011."""
    stt = ScriptedSTT(faults=[Fault(0.5) for _ in range(9)], max_retries=0)
    async with serve(stt) as running, running.http.ws_connect(f"{running.url}/live?slow=1") as ws:
        for _ in range(50):
            await ws.send_bytes(SECOND[:1600])
        await said(ws)
        assert ws.close_code == 1011
    assert "/v1/live: the script says so" in caplog.text


# -- errors --------------------------------------------------------------------------------------------------------


async def test_the_provider_behind_fails_in_the_vendors_words(serve: Serve) -> None:
    """An STTError becomes the status that a client of the vendor would understand."""
    async with serve() as running, running.http.post(f"{running.url}/fail/upstream", data=form()) as response:
        assert (response.status, await response.text()) == (429, "!429 the vendor behind is busy")


async def test_a_bug_is_a_500_that_tells_nothing(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """The client gets no traceback and no message of ours; the log has both, and the server goes on."""
    async with serve() as running:
        async with running.http.post(f"{running.url}/fail/here", data=form()) as response:
            assert (response.status, await response.text()) == (500, "!500 internal error")
        async with running.http.ws_connect(f"{running.url}/live?crash=1") as ws:
            assert (await said(ws), ws.close_code) == ([], 1011)
        async with running.http.get(f"{running.url}/about") as response:
            assert response.status == 200
    assert caplog.text.count("KeyError: 'a secret of the implementation'") == 2


async def test_a_handshake_can_be_refused(serve: Serve) -> None:
    """Until it is accepted, with any status; a request that is no handshake is told so."""
    async with serve() as running:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="402"):
            await running.http.ws_connect(f"{running.url}/live?refuse=1")
        async with running.http.get(f"{running.url}/live") as response:
            assert response.status == 426


async def test_rubbish_on_the_port_is_survived(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """What is no HTTP is dropped without being quoted in a log, because keys stand in URLs."""
    async with serve() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.host.port)
        writer.write(b"GET /acme?api_key=hidden-key HTTP/9.9 \x00\r\n\r\n")
        assert b" 400 " in await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert "hidden" not in caplog.text


# -- the end -------------------------------------------------------------------------------------------------------


async def test_stopping_lets_sessions_say_what_is_left(serve: Serve) -> None:
    """Open streams are drained: what was heard is still told, and the client is told that the server goes away."""
    async with serve() as running:
        ws = await running.http.ws_connect(f"{running.url}/live")
        await ws.send_bytes(SECOND)
        while await ws.receive_str() != "INTERIM_TRANSCRIPT hello":
            pass
        closing = asyncio.create_task(running.host.aclose())
        texts = await said(ws)
        await closing
        assert (texts[-1], ws.close_code) == ("OVER", 1001)
        assert "FINAL_TRANSCRIPT hello there" in texts


async def test_stopping_does_not_wait_for_what_does_not_end(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """After drain_timeout handlers are cancelled; their streams are closed, and no task is left."""
    before = asyncio.all_tasks()
    stt = ScriptedSTT(utterance("hello there", start=0.2, end=0.8), faults=[Fault(0.9, "stall")])
    async with serve(stt, drain_timeout=0.01) as running:
        async with running.http.ws_connect(f"{running.url}/live") as ws:
            await ws.send_bytes(SECOND)
            while await ws.receive_str() != "INTERIM_TRANSCRIPT hello":
                pass
            await running.host.aclose()
            await said(ws)
            assert ws.close_code == 1006
        await running.host.aclose()
    await stt.aclose()
    assert asyncio.all_tasks() == before
    assert not caplog.records  # the stream's own drain_timeout was not waited for


async def test_an_stt_that_was_given_is_not_closed(serve: Serve) -> None:
    """It belongs to the caller, who can go on with it."""
    stt = ScriptedSTT(utterance("hello there", start=0.2, end=0.8))
    async with stt, stt.stream(sample_rate=RATE) as stream:
        async with serve(stt):
            pass
        await stream.send_frame(SECOND)
        assert [event.text for event in await stream.flush()] == ["hello there"]


def test_the_port_is_free_afterwards() -> None:
    """A server that was stopped leaves nothing behind that would keep the next one from starting."""

    async def run() -> int:
        async with Host("scripted") as host:
            return host.port

    port = asyncio.run(run())
    with sockets.create_server(("127.0.0.1", port)):
        pass
