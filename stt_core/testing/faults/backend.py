"""What stands behind a WebSocket connection to the fault server: another server, or a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import aiohttp
from yarl import URL

if TYPE_CHECKING:
    import ssl
    from types import SimpleNamespace

    from ...transport.codec import Message
    from .messages import Json
    from .record import Connection

__all__ = [
    "HOP_HEADERS",
    "Backend",
    "Gone",
    "Peer",
    "PeerGoneError",
    "RefusedError",
    "Scripted",
    "SocketHandler",
    "Upstream",
    "passed_on",
]

_QUEUE = 1000
_FAREWELL = 1.0

# They belong to one hop, or are made anew for the next one.
HOP_HEADERS: Final = frozenset(
    {"host", "connection", "upgrade", "keep-alive", "te", "trailer", "transfer-encoding", "accept-encoding"}
)


@dataclass(frozen=True, slots=True)
class Gone:
    """A connection's end: with a Close frame, or without one (``orderly`` is false)."""

    code: int | None = None
    reason: str = ""
    orderly: bool = True


class Backend(Protocol):
    """The server's side of one connection."""

    @property
    def subprotocol(self) -> str | None:
        """What it chose of the client's offers."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of its handshake that the client is to see."""
        ...

    async def send(self, message: Message) -> None:
        """A message of the client's; what comes after the server's end is lost."""
        ...

    async def receive(self) -> Message | Gone:
        """The next message for the client; not called again after :class:`Gone`."""
        ...

    async def end(self, gone: Gone) -> None:
        """The connection to the client has ended; returns when nothing is left on this side."""
        ...


@dataclass(frozen=True, slots=True)
class RefusedError(Exception):
    """The server behind did not accept the connection; ``status`` is ``None`` if it did not answer at all."""

    status: int | None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


# -- another server --------------------------------------------------------------------------------------------------


class Upstream:
    """A connection to the server behind, made with the client's own headers. Pings end at the fault server."""

    def __init__(
        self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse, headers: Mapping[str, str]
    ) -> None:
        self._session = session
        self._socket = socket
        self._headers = headers

    @property
    def subprotocol(self) -> str | None:
        """What the server chose."""
        return self._socket.protocol

    @property
    def headers(self) -> Mapping[str, str]:
        """The server's, such as a request id."""
        return self._headers

    @classmethod
    async def connect(
        cls, url: str, headers: Sequence[tuple[str, str]], protocols: Sequence[str], context: ssl.SSLContext | None
    ) -> Upstream:
        """Connects to ``url``, whose query is taken as it is.

        Raises:
            RefusedError: the server did not answer with 101.
        """
        refused = RefusedError(None)
        accepted: dict[str, str] = {}

        # aiohttp's own exception lacks the body.
        async def read(_: aiohttp.ClientSession, __: SimpleNamespace, end: aiohttp.TraceRequestEndParams) -> None:
            nonlocal refused
            answer = end.response
            passed = passed_on(answer.headers)
            if answer.status == 101:
                accepted.update(passed)
            else:
                refused = RefusedError(answer.status, await answer.read(), passed)

        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(read)
        # A session of its own can be closed without a Close frame.
        session = aiohttp.ClientSession(trace_configs=[trace], auto_decompress=False)
        try:
            socket = await session.ws_connect(
                URL(url, encoded=True),
                headers=[item for item in headers if not item[0].lower().startswith("sec-websocket-")],
                protocols=protocols,
                max_msg_size=0,
                ssl=context or True,
            )
        except aiohttp.ClientError:
            await session.close()
            raise refused from None
        except BaseException:
            await session.close()
            raise
        return cls(session, socket, accepted)

    async def send(self, message: Message) -> None:
        """Passes it on."""
        try:
            if isinstance(message, str):
                await self._socket.send_str(message)
            else:
                await self._socket.send_bytes(message)
        except ConnectionError:
            pass  # receive() reports the end

    async def receive(self) -> Message | Gone:
        """What the server says."""
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT or message.type is aiohttp.WSMsgType.BINARY:
            data: Message = message.data
            return data
        if message.type is aiohttp.WSMsgType.CLOSE:
            code: int = message.data
            return Gone(code or None, message.extra or "")
        return Gone(orderly=False)

    async def end(self, gone: Gone) -> None:
        """As the client ended it: with the same Close frame, or with none."""
        if gone.orderly:
            await self._socket.close(code=gone.code or 1000, message=gone.reason.encode())
            await self._session.close()
        else:
            await self._session.close()
            await self._socket.close()


def passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an answer that are not about one hop."""
    skipped = {*HOP_HEADERS, "content-length", "content-encoding", "date", "server"}
    return {
        name: value
        for name, value in headers.items()
        if name.lower() not in skipped and not name.lower().startswith("sec-websocket-")
    }


# -- a script --------------------------------------------------------------------------------------------------------


class PeerGoneError(Exception):
    """The client has closed, or its connection is gone, or a fault took it away."""


class Peer:
    """The client, as a scripted server sees it: what goes wrong on the way is not its business.

    Attributes:
        connection: the record, with the request's headers and query.
    """

    def __init__(
        self, connection: Connection, incoming: asyncio.Queue[Message | Gone], outgoing: asyncio.Queue[Message | Gone]
    ) -> None:
        self.connection = connection
        self._incoming = incoming
        self._outgoing = outgoing
        self._gone = False

    async def receive(self) -> Message:
        """The client's next message.

        Raises:
            PeerGoneError: there is none; a script need not catch it.
        """
        message = Gone() if self._gone else await self._incoming.get()
        if isinstance(message, Gone):
            self._gone = True
            raise PeerGoneError
        return message

    async def __aiter__(self) -> AsyncIterator[Message]:
        """The client's messages, until it is gone."""
        while True:
            try:
                message = await self.receive()
            except PeerGoneError:
                return
            yield message

    async def send(self, message: Message | Mapping[str, Json]) -> None:
        """Sends a message; a mapping as JSON."""
        await self._outgoing.put(json.dumps(message) if isinstance(message, Mapping) else message)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes with a Close frame. A script that returns closes with 1000."""
        await self._outgoing.put(Gone(code, reason))

    async def drop(self) -> None:
        """Ends the connection without a Close frame."""
        await self._outgoing.put(Gone(orderly=False))


SocketHandler = Callable[[Peer], Coroutine[None, None, None]]


class Scripted:
    """Runs a script for one connection.

    Args:
        connection: the record.
        handler: the script; the client sees a close with 1011 if it fails.
        failed: is given what it raises.
        subprotocol: to answer with.
        headers: to answer with.
    """

    def __init__(
        self,
        connection: Connection,
        handler: SocketHandler,
        failed: Callable[[Exception], None],
        *,
        subprotocol: str | None = None,
        headers: Mapping[str, str],
    ) -> None:
        self._subprotocol = subprotocol
        self._headers = headers
        self._incoming: asyncio.Queue[Message | Gone] = asyncio.Queue(_QUEUE)
        self._outgoing: asyncio.Queue[Message | Gone] = asyncio.Queue(_QUEUE)
        self._failed = failed
        self._script = asyncio.create_task(
            handler(Peer(connection, self._incoming, self._outgoing)), name=f"script of connection {connection.number}"
        )
        self._watch = asyncio.create_task(self._close_behind())

    @property
    def subprotocol(self) -> str | None:
        """What the client is told."""
        return self._subprotocol

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the handshake's answer."""
        return self._headers

    async def _close_behind(self) -> None:
        await asyncio.wait({self._script})
        if self._script.cancelled():
            return
        error = self._script.exception()
        if error is None or isinstance(error, PeerGoneError):
            await self._outgoing.put(Gone(1000))
        else:
            if isinstance(error, Exception):
                self._failed(error)
            await self._outgoing.put(Gone(1011, "the script failed"))

    async def send(self, message: Message) -> None:
        """For the script."""
        if not self._script.done():
            await self._incoming.put(message)

    async def receive(self) -> Message | Gone:
        """From the script."""
        return await self._outgoing.get()

    async def end(self, gone: Gone) -> None:
        """The script may notice, and is cancelled if it does not end by itself."""
        if not self._incoming.full():
            self._incoming.put_nowait(gone)
            await asyncio.wait({self._script}, timeout=_FAREWELL)
        self._script.cancel()
        await asyncio.wait({self._script, self._watch}, timeout=_FAREWELL)
        self._watch.cancel()
        await asyncio.gather(self._script, self._watch, return_exceptions=True)
