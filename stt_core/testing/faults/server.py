"""The servers: in front of another one, or with a script behind."""

from __future__ import annotations

import abc
import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict, TypeVar

import aiohttp
from aiohttp import web
from typing_extensions import Unpack
from yarl import URL

from .backend import HOP_HEADERS, Backend, RefusedError, Scripted, SocketHandler, Upstream, passed_on
from .exchange import Answer, HttpHandler, Upload, answer_request, planned, read_all
from .listening import HOST, Port
from .plan import BlackHole, Delay, HttpPlan, Plan, Refuse, faults_of
from .record import AudioWire, Changes, Connection, Exchange, RequestHead, places_of
from .session import SocketSession, cut

if TYPE_CHECKING:
    import ssl
    from types import TracebackType
    from typing import Self

    from .plan import HttpFault, SocketFault

__all__ = ["FaultProxy", "FaultServer", "FaultServerOptions", "ScriptedServer"]

T = TypeVar("T")

_LONG_LINE = 2**16
_SHUTDOWN = 1.0


class FaultServerOptions(TypedDict, total=False):
    """What both servers take.

    Attributes:
        http_plan: faults of the HTTP requests, which are counted apart from the WebSocket connections.
        audio: how to find audio in what clients send.
        ssl_context: makes it an ``https`` server.
        recording: whether messages are kept; without, only counters are, and a long run takes no memory. Default true.
        body_limit: bytes of each request's body that are kept; default 1 MiB.
    """

    http_plan: HttpPlan
    audio: AudioWire
    ssl_context: ssl.SSLContext
    recording: bool
    body_limit: int


@dataclass(slots=True)
class _Serving:
    request: web.BaseRequest
    session: SocketSession | None = None


class FaultServer(abc.ABC):
    """A port of the loopback with a plan, and a record of all that happened there.

    An asynchronous context manager. At its end everything is closed, and what failed in it (a script, a predicate, a
    fault that cannot be done) is raised.

    Attributes:
        plan: faults of the WebSocket connections; may be replaced at any time, for connections that come later.
        http_plan: those of the HTTP requests.
        connections: in the order of their handshakes.
        requests: in the order of their arrival.
    """

    def __init__(self, plan: Plan, options: FaultServerOptions) -> None:
        self.plan = plan
        self.http_plan = options.get("http_plan", ())
        self.connections: list[Connection] = []
        self.requests: list[Exchange] = []
        self._audio = options.get("audio") or AudioWire()
        self._ssl = options.get("ssl_context")
        self._recording = options.get("recording", True)
        self._body_limit = options.get("body_limit", 2**20)
        self._changes = Changes()
        self._web = web.Server(
            self._handle, access_log=None, auto_decompress=False, max_line_size=_LONG_LINE, max_field_size=_LONG_LINE
        )
        self._port = Port(self._web, self._ssl)
        self._serving: dict[asyncio.Task[web.StreamResponse], _Serving] = {}
        self._failures: list[Exception] = []

    # -- for tests ---------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """``http`` or ``https``, without a path or a slash at its end."""
        return f"{'https' if self._ssl is not None else 'http'}://{HOST}:{self._port.number}"

    @property
    def audio_bytes(self) -> int:
        """Received on all connections."""
        return sum(connection.audio_bytes for connection in self.connections)

    async def wait_for(self, predicate: Callable[[], T], *, timeout: float = 10.0) -> T:
        """Waits until the predicate, asked after everything that happens here, gives something true; returns that.

        Raises:
            TimeoutError: it did not within ``timeout`` seconds of the loop's clock.
        """
        return await self._changes.wait_for(predicate, timeout)

    async def connection(self, number: int = 0, *, timeout: float = 10.0) -> Connection:
        """The connection of this number, once there is one and its handshake is answered, refused or given up."""
        await self.wait_for(lambda: len(self.connections) > number, timeout=timeout)
        connection = self.connections[number]
        await self.wait_for(lambda: connection.accepted or connection.ended_by, timeout=timeout)
        return connection

    async def ended(self, number: int = 0, *, timeout: float = 10.0) -> Connection:
        """The connection of this number, once it has ended."""
        connection = await self.connection(number, timeout=timeout)
        await self.wait_for(lambda: connection.ended_by, timeout=timeout)
        return connection

    def places_of(self, secret: str, *, allowed_headers: Collection[str] = ()) -> list[str]:
        """Where a secret was seen, in any form, but in the headers that may hold it. Needs ``recording``."""
        return places_of(secret, self.connections, self.requests, allowed_headers=allowed_headers)

    @asynccontextmanager
    async def outage(self, *, drop: bool = True) -> AsyncGenerator[None, None]:
        """Nothing listens inside; with ``drop`` all connections are reset at its beginning."""
        self._port.stop()
        if drop:
            for serving in self._serving.values():
                if serving.session is not None:
                    serving.session.shut()
        try:
            yield
        finally:
            await self._port.listen()

    # -- life --------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self._port.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
        if self._failures and error is None:
            raise ExceptionGroup("failed in the fault server", self._failures)

    async def aclose(self) -> None:
        """Closes everything; ``__aexit__`` does."""
        await self._port.settled()
        listening = self._port.stop()
        for connection in self.connections:
            connection.note_end("shutdown")
        for task, serving in self._serving.items():
            # A session has more to end than its task.
            if serving.session is not None:
                serving.session.shut()
            else:
                cut(serving.request.transport, "reset")
                task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._web.shutdown(_SHUTDOWN)
        if listening is not None:
            await listening.wait_closed()
        # Transports are really closed in the loop's next turn.
        await asyncio.sleep(0)

    # -- serving -----------------------------------------------------------------------------------------------------

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        serving = _Serving(request)
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        task = asyncio.create_task(self._serve_socket(serving) if upgrade else self._serve_request(request))
        self._serving[task] = serving
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            del self._serving[task]
        error = None if task.cancelled() else task.exception()
        if error is None and not task.cancelled():
            return task.result()
        if isinstance(error, Exception) and not isinstance(error, ConnectionError | web.RequestPayloadError):
            self._failures.append(error)
        cut(request.transport, "reset")
        return web.Response()

    async def _serve_socket(self, serving: _Serving) -> web.StreamResponse:
        request = serving.request
        connection = Connection(
            _head(len(self.connections), request), self._audio, self._changes, recording=self._recording
        )
        faults = faults_of(self.plan, connection.number)
        self.connections.append(connection)
        self._changes.notify()
        if await _before(request, faults, connection.note_fault):
            connection.note_end("refused")
            return web.Response()
        if (answer := planned(faults, connection.note_fault)) is not None:
            return _refuse(connection, answer)
        try:
            backend = await self._backend(connection, request)
        except RefusedError as refused:
            if refused.status is None:
                cut(request.transport, "reset")
            return _refuse(connection, Answer(refused.body, refused.status or 502, refused.headers))
        session = SocketSession(request, connection, backend, faults, self._port.away, self._failures.append)
        serving.session = session
        return await session.run()

    async def _serve_request(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = Exchange(_head(len(self.requests), request), self._changes, body_limit=self._body_limit)
        faults = faults_of(self.http_plan, exchange.head.number)
        self.requests.append(exchange)
        self._changes.notify()
        try:
            if await _before(request, faults, exchange.note_fault):
                return web.Response()
            return await answer_request(
                request, exchange, faults, lambda upload: self._answer(exchange, request, upload)
            )
        finally:
            exchange.note_end()

    @abc.abstractmethod
    async def _backend(self, connection: Connection, request: web.BaseRequest) -> Backend:
        """The server's side of a connection.

        Raises:
            RefusedError: it does not want it.
        """

    @abc.abstractmethod
    async def _answer(self, exchange: Exchange, request: web.BaseRequest, upload: Upload) -> Answer:
        """The answer to a request.

        Raises:
            ConnectionError: there is none.
        """


class FaultProxy(FaultServer):
    """In front of another server.

    Paths, queries and headers go through unchanged (a query exactly as it was encoded), and so do subprotocols, the
    headers of a handshake's answer and the body of a refusal. Pings are answered here, and nothing is compressed.

    Args:
        target_url: ``http`` or ``https``; a path in it comes before the client's.
        plan: faults of the WebSocket connections.
        target_ssl: for a target whose CA is private.
        options: see :class:`FaultServerOptions`.
    """

    def __init__(
        self,
        target_url: str,
        plan: Plan = (),
        *,
        target_ssl: ssl.SSLContext | None = None,
        **options: Unpack[FaultServerOptions],
    ) -> None:
        super().__init__(plan, options)
        self._target = target_url.rstrip("/")
        self._target_ssl = target_ssl

    async def _backend(self, connection: Connection, request: web.BaseRequest) -> Backend:
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        return await Upstream.connect(
            self._target + connection.head.target,
            _onward(request),
            [name for part in offered.split(",") if (name := part.strip())],
            self._target_ssl,
        )

    async def _answer(self, exchange: Exchange, request: web.BaseRequest, upload: Upload) -> Answer:
        skipped = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
        try:
            async with (
                # How long to wait for the target is the client's to say.
                aiohttp.ClientSession(
                    auto_decompress=False, skip_auto_headers=skipped, timeout=aiohttp.ClientTimeout(total=None)
                ) as session,
                session.request(
                    request.method,
                    URL(self._target + exchange.head.target, encoded=True),
                    headers=_onward(request),
                    data=upload if request.can_read_body else None,
                    allow_redirects=False,
                    ssl=self._target_ssl or True,
                ) as response,
            ):
                headers = passed_on(response.headers)
                content_type = headers.pop("Content-Type", "application/octet-stream")
                return Answer(await response.read(), response.status, headers, content_type)
        except aiohttp.ClientError as error:
            raise ConnectionResetError("the target did not answer") from error


class ScriptedServer(FaultServer):
    """With a script behind.

    Args:
        handler: a coroutine function, called with the :class:`Peer` of each accepted connection; ``None`` answers 404.
        plan: faults of the WebSocket connections.
        http: answers HTTP requests, whose bodies have been read; ``None`` answers 404.
        subprotocols: those that it knows, in order of preference.
        headers: of every handshake's answer.
        options: see :class:`FaultServerOptions`.
    """

    def __init__(
        self,
        handler: SocketHandler | None = None,
        plan: Plan = (),
        *,
        http: HttpHandler | None = None,
        subprotocols: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        **options: Unpack[FaultServerOptions],
    ) -> None:
        super().__init__(plan, options)
        self._handler = handler
        self._http = http
        self._subprotocols = subprotocols
        self._headers = headers or {}

    async def _backend(self, connection: Connection, request: web.BaseRequest) -> Backend:
        if self._handler is None:
            raise RefusedError(404)
        offered = {name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")}
        chosen = next((name for name in self._subprotocols if name in offered), None)
        return Scripted(connection, self._handler, self._failures.append, subprotocol=chosen, headers=self._headers)

    async def _answer(self, exchange: Exchange, request: web.BaseRequest, upload: Upload) -> Answer:
        await read_all(upload)
        return Answer("not found", 404) if self._http is None else await self._http(exchange)


async def _before(
    request: web.BaseRequest,
    faults: Sequence[SocketFault] | Sequence[HttpFault],
    happened: Callable[[Delay | Refuse | BlackHole], None],
) -> bool:
    """The faults that come before any answer; whether they were the end of it."""
    for fault in faults:
        match fault:
            case Delay():
                happened(fault)
                await asyncio.sleep(fault.seconds)
            case Refuse():
                happened(fault)
                cut(request.transport, "reset")
                return True
            case BlackHole():
                happened(fault)
                await asyncio.get_running_loop().create_future()
            case _:
                pass
    return False


def _refuse(connection: Connection, answer: Answer) -> web.Response:
    connection.status = answer.status
    connection.note_end("refused")
    body, content_type = answer.encoded()
    return web.Response(body=body, status=answer.status, headers={"Content-Type": content_type, **answer.headers})


def _head(number: int, request: web.BaseRequest) -> RequestHead:
    return RequestHead(number, request.method, request.raw_path, request.path, request.query, request.headers)


def _onward(request: web.BaseRequest) -> list[tuple[str, str]]:
    return [(name, value) for name, value in request.headers.items() if name.lower() not in HOP_HEADERS]
