"""The HTTP client, against a real server on loopback."""

from __future__ import annotations

import asyncio
import hashlib
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import aiohttp
import pytest
from aiohttp import web

from stt_core.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConfigError,
    ConnectionLostError,
    ConnectTimeoutError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    QuotaError,
    RateLimitError,
    ServerError,
    STTError,
    STTTimeoutError,
)
from stt_core.options import STTOptions, with_defaults
from stt_core.transport.http import FormPart, HttpClient, retry_after

if TYPE_CHECKING:
    from stt_core.options import STTSettings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SECRET = "sk-very-secret"  # noqa: S105  (what must not be seen)


def settings(**options: object) -> STTSettings:
    return cast("STTSettings", with_defaults(STTOptions, {"retry_interval": 0.0, **options}))


@asynccontextmanager
async def serving(handler: Handler) -> AsyncGenerator[str]:
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client(**options: object) -> AsyncGenerator[HttpClient]:
    http = HttpClient("toy", settings(**options))
    try:
        yield http
    finally:
        await http.aclose()


class Answers:
    """Gives the answers (status, text, headers) one after the other, the last one again and again; and counts."""

    def __init__(self, *answers: tuple[int, str] | tuple[int, str, dict[str, str]]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        status, text, *rest = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, text=text, headers=rest[0] if rest else None)


async def test_an_answer_is_read_to_its_end() -> None:
    """Status, headers and body; JSON on demand."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response({"path": request.path, "q": request.query["q"], "key": request.headers["X-API-Key"]})

    async with serving(handler) as url, client() as http:
        answer = await http.request("GET", f"{url}/a", params=[("q", "b c")], headers={"X-API-Key": "k"})
    assert answer.status == 200
    assert answer.json() == {"path": "/a", "q": "b c", "key": "k"}


@pytest.mark.parametrize(
    ("status", "error", "retryable"),
    [
        (400, BadRequestError, False),
        (401, AuthenticationError, False),
        (402, QuotaError, False),
        (403, PermissionDeniedError, False),
        (404, NotFoundError, False),
        (422, BadRequestError, False),
        (429, RateLimitError, True),
        (500, ServerError, True),
        (503, ServerError, True),
    ],
)
async def test_a_refusal_is_typed(status: int, error: type[APIError], retryable: bool) -> None:
    """Its class by the status; the vendor's words, request id and Retry-After are kept."""
    headers = {"X-Request-Id": "r-1", "Retry-After": "0"}
    answers = Answers((status, "because", headers))
    async with serving(answers.serve) as url, client(max_retries=2) as http:
        with pytest.raises(error, match="because") as caught:
            await http.request("GET", url)
    found = caught.value
    assert (found.status, found.request_id, found.retry_after, found.provider) == (status, "r-1", 0.0, "toy")
    assert found.retryable is retryable
    assert answers.asked == (3 if retryable else 1)


async def test_a_post_is_not_made_twice_unless_it_is_safe() -> None:
    """Nobody is billed twice by accident."""
    answers = Answers((503, "busy"), (200, "fine"))
    async with serving(answers.serve) as url, client() as http:
        with pytest.raises(ServerError):
            await http.request("POST", url, json={"a": 1})
        assert answers.asked == 1
        answers.answers.insert(0, (503, "busy"))
        assert (await http.request("POST", url, json={"a": 1}, retry=True)).body == b"fine"
    assert answers.asked == 3


async def test_an_html_error_page_is_not_quoted() -> None:
    """A proxy's page says nothing; the status does."""
    async with (
        serving(Answers((502, "<html>oops</html>")).serve) as url,
        client(max_retries=0) as http,
    ):
        with pytest.raises(ServerError, match="502: Bad Gateway"):
            await http.request("GET", url)


async def test_the_answer_is_bounded() -> None:
    """A body without end does not fill the memory."""
    async with serving(Answers((200, "x" * 100_000)).serve) as url, client() as http:
        with pytest.raises(ProtocolError, match="1000 bytes"):
            await http.request("GET", url, max_body=1000)


async def test_a_body_cut_short_is_a_lost_connection() -> None:
    """And a GET is made again."""
    asked = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        response = web.StreamResponse(headers={"Content-Length": "10"})
        await response.prepare(request)
        await response.write(b"12345" if asked == 1 else b"1234567890")
        if asked == 1 and request.transport is not None:
            request.transport.close()
        return response

    async with serving(handler) as url, client() as http:
        assert (await http.request("GET", url)).body == b"1234567890"
    assert asked == 2


async def test_a_slow_answer_has_a_deadline() -> None:
    """request_timeout, or the call's own."""
    release = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.Response()

    async with serving(handler) as url, client(request_timeout=0.05, max_retries=0) as http:
        with pytest.raises(STTTimeoutError):
            await http.request("GET", url)
        with pytest.raises(TimeoutError):
            await http.request("GET", url, timeout=0.01)
        release.set()


async def test_nobody_there() -> None:
    """A refused connection, a name that is none and a URL that is none are each typed."""
    async with client(max_retries=0) as http:
        with pytest.raises(ConnectionLostError, match=r"127\.0\.0\.1"):
            await http.request("GET", "http://127.0.0.1:9/path")
        with pytest.raises((ConfigError, ConnectionLostError)):
            await http.request("GET", "http://:0")


async def test_a_black_hole_has_a_deadline() -> None:
    """A server that never accepts costs connect_timeout."""
    server = await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0, backlog=1, start_serving=False)
    host, port = server.sockets[0].getsockname()
    async with server, client(connect_timeout=0.1, request_timeout=0.3, max_retries=0) as http:
        with pytest.raises((ConnectTimeoutError, STTTimeoutError, ConnectionLostError)):
            await http.request("GET", f"http://{host}:{port}")


async def test_no_secret_is_in_an_error() -> None:
    """Headers, the URL's user and the proxy's stay out of messages and out of the chain of causes."""
    async with serving(Answers((401, "no")).serve) as url, client(max_retries=0) as http:
        errors: list[STTError] = []
        for target, options in (
            (url, {"Authorization": SECRET}),
            (f"http://user:{SECRET}@127.0.0.1:9/x", {}),
        ):
            with pytest.raises(STTError) as caught:
                await http.request("GET", target, headers=options)
            errors.append(caught.value)
    async with client(max_retries=0, proxy=f"http://user:{SECRET}@127.0.0.1:9") as http:
        with pytest.raises(STTError) as caught:
            await http.request("GET", url)
        errors.append(caught.value)
    for found in errors:
        error: BaseException | None = found
        while error is not None:
            assert SECRET not in str(error) + repr(error)
            error = error.__cause__ or error.__context__


async def test_a_file_is_uploaded_from_disk(tmp_path: Path) -> None:
    """Every byte, with little memory, and anew for a retry."""
    path = tmp_path / "big.raw"
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for index in range(40):
            piece = bytes([index]) * (1 << 20)
            digest.update(piece)
            file.write(piece)
    seen: list[tuple[str, str | None, str | None, str]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        found = hashlib.sha256()
        async for part in await request.multipart():
            assert isinstance(part, aiohttp.BodyPartReader)
            if part.name == "model":
                assert await part.text() == "m"
                continue
            while piece := await part.read_chunk(1 << 20):
                found.update(piece)
            seen.append((str(part.name), part.filename, part.headers.get("Content-Type"), found.hexdigest()))
        return web.Response(status=503 if len(seen) == 1 else 200)

    form = [FormPart("model", "m"), FormPart("file", lambda: path.open("rb"), "big.raw", "application/octet-stream")]
    async with serving(handler) as url, client() as http:
        tracemalloc.start()
        await http.request("POST", url, form=form, retry=True)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert seen == [("file", "big.raw", "application/octet-stream", digest.hexdigest())] * 2
    assert peak < 16 << 20


async def test_the_callers_session_is_used_and_left_open() -> None:
    """One of our own is closed."""
    async with serving(Answers((200, "ok")).serve) as url, aiohttp.ClientSession() as session:
        http = HttpClient("toy", settings(), session)
        assert (await http.request("GET", url)).body == b"ok"
        await http.aclose()
        assert not session.closed


async def test_an_unreadable_authority_file_is_a_config_error() -> None:
    """Said at once, and not as a failing connection later."""
    with pytest.raises(ConfigError, match="authorities"):
        HttpClient("toy", settings(ssl="/nowhere/ca.pem"))


@pytest.mark.parametrize(("value", "seconds"), [("3", 3.0), ("0.5", 0.5), ("-1", 0.0), ("soon", None), ("", None)])
def test_retry_after_is_seconds(value: str, seconds: float | None) -> None:
    """Or unknown."""
    assert retry_after({"Retry-After": value} if value else {}) == seconds


def test_retry_after_may_be_a_date() -> None:
    """One that has passed is now."""
    assert retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
