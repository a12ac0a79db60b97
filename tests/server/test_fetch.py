"""A server opens only the URLs that its operator has allowed, and says nothing of them."""

from __future__ import annotations

import traceback
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from stt_core.errors import ConfigError, JobFailedError
from stt_core.server import Fetcher, Refused
from stt_core.testing.faults import Answer, CutResponse, Exchange, HttpPlan, ScriptedServer

SIGNED = "sig-0a1b2c"
AUTH = {"Authorization": f"Bearer {SIGNED}"}


@asynccontextmanager
async def opened(*places: str, max_bytes: int = 1 << 20) -> AsyncGenerator[Fetcher]:
    fetcher = Fetcher(places, max_bytes=max_bytes)
    try:
        yield fetcher
    finally:
        await fetcher.aclose()


def moved(to: str) -> Answer:
    return Answer("", 302, {"Location": to})


def place_of(server: ScriptedServer) -> str:
    return server.url.removeprefix("http://")


Answering = Callable[[Exchange], Answer]


def serving(answer: Answering | Answer, http_plan: HttpPlan = ()) -> ScriptedServer:
    async def http(exchange: Exchange) -> Answer:
        return answer if isinstance(answer, Answer) else answer(exchange)

    return ScriptedServer(http=http, http_plan=http_plan)


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("files.example", "http://files.example/a.wav"),
        ("files.example", "https://files.example/a.wav?sig=1"),
        ("files.example", "https://FILES.example.:443/a.wav"),
        ("files.example:8443", "https://files.example:8443/"),
        ("[::1]:80", "http://[::1]/"),
        ("Bücher.example", "https://xn--bcher-kva.example/"),
    ],
)
def test_an_allowed_place_is_allowed_in_every_spelling(place: str, url: str) -> None:
    """Names are compared as the resolver would; a place without a port stands for both usual ones."""
    Fetcher([place], max_bytes=1).check(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example/",
        "https://files.example:8443/",
        "http://files.example.evil.example/",
        "http://evil.example/?files.example",
        "http://evil.example#@files.example/",
        "http://evil.example\\@files.example/",
        "http://files.example@evil.example/",
        "https://user:password@files.example/",
        "https://127.0.0.1/",
        "file:///etc/passwd",
        "ftp://files.example/a.wav",
        "//files.example/a.wav",
        "files.example/a.wav",
        "http://",
        "http://files.example:port/",
        "",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    """Nothing is looked up or opened for it; the message does not repeat the URL."""
    with pytest.raises(Refused) as refused:
        Fetcher(["files.example"], max_bytes=1).check(url)
    assert refused.value.status == 400
    assert "password" not in refused.value.message or "a password" in refused.value.message


def test_without_a_place_nothing_is_allowed() -> None:
    """Fetching is off unless the operator turns it on, and the message says how."""
    with pytest.raises(Refused, match="--fetch-host"):
        Fetcher(max_bytes=1).check("https://files.example/")


@pytest.mark.parametrize("place", ["", "http://files.example", "files.example/path", "a@files.example", "files:port"])
def test_what_is_no_place_is_an_error_at_the_start(place: str) -> None:
    """A list that allows nothing by mistake, or too much, is noticed."""
    with pytest.raises(ConfigError):
        Fetcher([place], max_bytes=1)


async def test_a_file_comes_with_its_name_and_type() -> None:
    """The headers are sent; what comes is on disk, to be closed by the caller."""
    async with serving(Answer(b"RIFF", content_type="audio/wav")) as server, opened(place_of(server)) as fetcher:
        upload = await fetcher.fetch(f"{server.url}/calls/one.wav?sig={SIGNED}", headers=AUTH)
        name, file = upload.audio
        assert (name, upload.content_type, upload.size, file.read()) == ("one.wav", "audio/wav", 4, b"RIFF")
        upload.close()
        assert file.closed
        assert server.requests[0].head.headers["Authorization"] == AUTH["Authorization"]


async def test_a_redirect_is_followed_to_an_allowed_place_without_the_headers() -> None:
    """Credentials are for the host that they were given for."""
    async with serving(Answer(b"RIFF")) as files, serving(moved(f"{files.url}/b.wav")) as server:
        async with opened(place_of(server), place_of(files)) as fetcher:
            (await fetcher.fetch(f"{server.url}/a.wav", headers=AUTH)).close()
        assert "Authorization" not in files.requests[0].head.headers


async def test_a_redirect_keeps_the_headers_on_the_same_host() -> None:
    """A relative one, for instance."""
    answers = {"/a.wav": moved("b.wav"), "/b.wav": Answer(b"RIFF")}
    async with (
        serving(lambda exchange: answers[exchange.head.path]) as server,
        opened(place_of(server)) as fetcher,
    ):
        upload = await fetcher.fetch(f"{server.url}/a.wav", headers=AUTH)
        upload.close()
        assert upload.name == "b.wav"
        assert server.requests[1].head.headers["Authorization"] == AUTH["Authorization"]


@pytest.mark.parametrize("to", ["http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "http://[", "/again"])
async def test_a_redirect_elsewhere_or_without_end_is_not_followed(to: str) -> None:
    """The list decides about every hop, and there are not many; trying again would not help."""
    async with serving(moved(to)) as server, opened(place_of(server)) as fetcher:
        with pytest.raises(JobFailedError) as failed:
            await fetcher.fetch(f"{server.url}/a.wav", headers={})
        assert not failed.value.retryable
        assert len(server.requests) == (6 if to == "/again" else 1)


@pytest.mark.parametrize(("status", "retryable"), [(404, False), (403, False), (503, True), (429, True)])
async def test_what_the_host_answers_is_told(status: int, retryable: bool) -> None:
    """As Speechmatics words it; what may pass by itself is retryable."""
    async with serving(Answer("no", status)) as server, opened(place_of(server)) as fetcher:
        with pytest.raises(JobFailedError, match=f"http status code {status}") as failed:
            await fetcher.fetch(f"{server.url}/a.wav", headers={})
        assert failed.value.retryable is retryable


async def test_a_file_that_is_too_large_is_given_up_while_it_comes() -> None:
    """However large it is."""
    async with serving(Answer(bytes(200_000))) as server, opened(place_of(server), max_bytes=100_000) as fetcher:
        with pytest.raises(JobFailedError, match="more than 100000 bytes"):
            await fetcher.fetch(f"{server.url}/a.wav", headers={})


async def test_no_message_and_no_context_has_the_url_in_it() -> None:
    """A signed URL is a credential; logs and answers name the host at most."""
    async with opened("127.0.0.1:9") as fetcher:
        with pytest.raises(JobFailedError) as failed:
            await fetcher.fetch(f"http://127.0.0.1:9/a.wav?sig={SIGNED}", headers=AUTH)
    async with (
        serving(Answer(bytes(100_000)), [CutResponse(10)]) as server,
        opened(place_of(server)) as fetcher,
    ):
        with pytest.raises(JobFailedError) as cut:
            await fetcher.fetch(f"{server.url}/a.wav?sig={SIGNED}", headers=AUTH)
    for error in (failed.value, cut.value):
        assert error.retryable
        assert SIGNED not in "".join(traceback.format_exception(error))


async def test_something_is_delivered_where_it_may_be() -> None:
    """With its method, headers and body; any 2xx will do, and a redirect is not followed with it."""
    async with serving(Answer("", 204)) as server, opened(place_of(server)) as fetcher:
        await fetcher.deliver("PUT", f"{server.url}/done?id=1", b"body", headers={**AUTH, "Content-Type": "text/plain"})
        (request,) = server.requests
        assert (request.head.method, request.head.target, bytes(request.body)) == ("PUT", "/done?id=1", b"body")
        assert request.head.headers["Authorization"] == AUTH["Authorization"]
        with pytest.raises(JobFailedError, match="--fetch-host"):
            await fetcher.deliver("POST", "http://other.example/", b"", headers={})
    async with serving(moved("/elsewhere")) as server, opened(place_of(server)) as fetcher:
        with pytest.raises(JobFailedError, match="302"):
            await fetcher.deliver("POST", f"{server.url}/done", b"", headers={})
        assert len(server.requests) == 1
