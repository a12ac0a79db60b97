"""A vendor that does not exist, its server half, and a server that speaks its protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias, TypedDict, Unpack

import aiohttp
import pytest

from stt_core.audio.frames import AudioFormat
from stt_core.errors import RateLimitError
from stt_core.registry import ModelFamily, Provider, registered
from stt_core.server import (
    Host,
    Refused,
    Relay,
    Request,
    Response,
    Route,
    Services,
    Socket,
    SocketRoute,
)
from stt_core.testing.scripted import ScriptedSTT, utterance

if TYPE_CHECKING:
    from stt_core.events import SpeechEvent
    from stt_core.options import OptionsType
    from stt_core.stt import STT

RATE = 8000
SECOND = bytes(2 * RATE)


class NoOptions(TypedDict, total=False):
    """Acme has none."""


class AcmeServer:
    """Everything that a half can do, in the shortest protocol: text, and errors as ``!status message``."""

    base_path = "/v1"

    def __init__(self, services: Services) -> None:
        self.services = services

    def routes(self) -> Sequence[Route | SocketRoute]:
        return [
            Route("GET", "/v1/about", self.about, public=True),
            Route("POST", "/v1/echo", self.echo),
            Route("POST", "/v1/transcribe", self.transcribe),
            Route("POST", "/v1/fail/{how}", self.fail),
            Route("POST", "/v1/jobs/{id}", self.submit),
            Route("GET", "/v1/jobs/{id}", self.result),
            SocketRoute("/v1/live", self.live),
        ]

    def authorize(self, request: Request) -> None:
        if not self.services.keys.accept(request.bearer):
            raise Refused(401, "no such key")

    def refusal(self, request: Request, refused: Refused) -> Response:
        return Response.text(f"!{refused.status} {refused.message}", refused.status)

    async def about(self, request: Request) -> Response:
        return Response.json({"path": request.path, "said": request.query.getall("say", [])})

    async def echo(self, request: Request) -> Response:
        form = await request.form()
        file = form.file("file")
        size = 0 if file is None else len(file.audio[1].read())
        return Response.json({"tags": form.values("tag"), "name": file and file.name, "size": size})

    async def transcribe(self, request: Request) -> Response:
        upload = (await request.form()).file("file")
        if upload is None:
            raise Refused(400, "no file")
        return Response.text((await self.services.backend.recognize(upload.audio)).text)

    async def fail(self, request: Request) -> Response:
        if request.params["how"] == "never":
            await asyncio.Event().wait()
        if request.params["how"] == "upstream":
            raise RateLimitError("the vendor behind is busy", retry_after=3)
        raise KeyError("a secret of the implementation")

    async def submit(self, request: Request) -> Response:
        upload = (await request.form()).file("file")
        if upload is None:
            raise Refused(400, "no file")
        upload.take()
        self.services.jobs.submit(
            request.params["id"], lambda: self.services.backend.recognize(upload.audio), holding=[upload]
        )
        return Response.json({}, 202)

    async def result(self, request: Request) -> Response:
        job = self.services.jobs.get(request.params["id"])
        if job is None:
            raise Refused(404, "no such job")
        await job.wait(timeout=60)
        return Response.text(f"{job.state}: {job.transcript.text if job.transcript else job.error}")

    async def live(self, request: Request, socket: Socket) -> None:
        if "refuse" in request.query:
            raise Refused(402, "no credit")
        await socket.accept(headers={"X-Session": "7"})
        if "crash" in request.query:
            raise KeyError("a secret of the implementation")

        async def on_event(event: SpeechEvent) -> None:
            for _ in range(50 if "slow" in request.query else 0):
                await asyncio.sleep(0)
            await socket.send(f"{event.type.name} {event.text}".strip())

        async def on_message(message: str | bytes) -> bool:
            if isinstance(message, bytes):
                await stream.send_frame(message)
            elif message == "flush":
                await relay.flush()
                await socket.send("FLUSHED")
            return message != "end"

        async with self.services.backend.stream(AudioFormat(RATE)) as stream:
            relay = Relay(socket, stream, on_event)
            await relay.run(on_message)
        await socket.send("OVER")
        await socket.close(1001 if socket.winding_down else 1000, "as asked")


NO_OPTIONS: OptionsType = NoOptions


class AcmeProvider(Provider):
    """A registration whose half needs no importable module."""

    def load_server(self) -> object:
        return AcmeServer


ACME = AcmeProvider(
    "acme",
    families=(ModelFamily("acme", options=NO_OPTIONS),),
    client="stt_core.testing.scripted:ScriptedSTT",
    server="acme.server:AcmeServer",
)


class HostOptions(TypedDict, total=False):
    host: str | None
    port: int
    root: str | None
    api_keys: Sequence[str]
    allow_origins: Sequence[str]
    allow_hosts: Sequence[str]
    max_upload: int
    max_sessions: int
    max_jobs: int
    idle_timeout: float
    drain_timeout: float


class Running:
    """A server, and a client with a key."""

    def __init__(self, host: Host, http: aiohttp.ClientSession) -> None:
        self.host = host
        self.http = http
        self.url = host.urls["acme"]
        self.origin = f"http://127.0.0.1:{host.port}"


Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def serve() -> Serve:
    """Starts a server with the acme half, whose provider hears `hello there` in the first second."""

    @asynccontextmanager
    async def serve(stt: STT | None = None, **options: Unpack[HostOptions]) -> AsyncGenerator[Running]:
        stt = stt or ScriptedSTT(utterance("hello there", start=0.2, end=0.8))
        with registered(ACME):
            async with (
                Host(stt, **options) as host,
                aiohttp.ClientSession(headers={"Authorization": "Bearer k"}) as http,
            ):
                yield Running(host, http)

    return serve
