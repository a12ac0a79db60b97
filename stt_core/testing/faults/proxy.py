"""An HTTP proxy: CONNECT, and requests in absolute form for what needs no TLS."""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .record import Changes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self, TypeVar

    T = TypeVar("T")

__all__ = ["ConnectProxy", "Tunnel"]

_HOST = "127.0.0.1"
_PIECE = 2**16
_HEAD_LIMIT = 2**17


@dataclass(slots=True)
class Tunnel:
    """One use of the proxy.

    Attributes:
        method: ``CONNECT``, or that of a request in absolute form.
        host: what the client wants to reach.
        port: of the same.
        headers: of the request to the proxy, names in lower case.
        status: what the proxy answered, 200 for a tunnel; ``None`` if it left that to the target.
        sent: bytes from the client to the target.
        received: bytes from the target to the client.
        closed: nothing more goes through.
    """

    method: str
    host: str
    port: int
    headers: Mapping[str, str]
    status: int | None = None
    sent: int = 0
    received: int = 0
    closed: bool = False


class ConnectProxy:
    """A proxy on the loopback that goes wherever it is asked to.

    Args:
        username: with ``password``, what it wants as basic authentication, or it answers 407.
        password: see ``username``.
        status: what it answers to everything instead; ``None`` for doing its work.

    Attributes:
        tunnels: in the order of their requests.
    """

    def __init__(self, *, username: str | None = None, password: str = "", status: int | None = None) -> None:
        self.tunnels: list[Tunnel] = []
        self._credentials = None
        if username is not None:
            self._credentials = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        self._status = status
        self._server: asyncio.Server | None = None
        self._port = 0
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._changes = Changes()

    @property
    def url(self) -> str:
        """``http://`` and so on, without credentials."""
        return f"http://{_HOST}:{self._port}"

    async def wait_for(self, predicate: Callable[[], T], *, timeout: float = 10.0) -> T:
        """Waits until the predicate gives something true, and returns that.

        Raises:
            TimeoutError: it did not within ``timeout`` seconds of the loop's clock.
        """
        return await self._changes.wait_for(predicate, timeout)

    def drop(self) -> None:
        """Cuts all connections."""
        for writer in self._clients.values():
            writer.transport.abort()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, _HOST, 0, limit=_HEAD_LIMIT)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        self.drop()
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._clients[task] = writer
        task.add_done_callback(self._clients.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tunnel: Tunnel | None = None
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, version = head.split("\r\n", 1)[0].split(" ")
            headers = dict(_field(line) for line in head.split("\r\n")[1:] if line)
            where = urlsplit(f"//{target}" if method == "CONNECT" else target)
            tunnel = Tunnel(method, where.hostname or "", where.port or 80, headers)
            self.tunnels.append(tunnel)
            tunnel.status = self._refusal(headers)
            self._changes.notify()
            if tunnel.status is not None:
                await _answer(writer, tunnel.status)
            else:
                path = f"{where.path or '/'}{'?' + where.query if where.query else ''}"
                await self._tunnel(tunnel, reader, writer, f"{method} {path} {version}", head)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            if tunnel is not None:
                tunnel.closed = True
            self._changes.notify()
            await _close(writer)

    def _refusal(self, headers: Mapping[str, str]) -> int | None:
        if self._credentials is not None and headers.get("proxy-authorization") != self._credentials:
            return 407
        return self._status

    async def _tunnel(
        self, tunnel: Tunnel, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str, head: str
    ) -> None:
        try:
            there, back = await asyncio.open_connection(tunnel.host, tunnel.port)
        except OSError:
            tunnel.status = 502
            return await _answer(writer, 502)
        try:
            if tunnel.method == "CONNECT":
                tunnel.status = 200
                await _answer(writer, 200)
            else:
                back.write(_onward(line, head))
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, back, lambda size: _add(tunnel, sent=size)))
                both.create_task(self._pump(there, writer, lambda size: _add(tunnel, received=size)))
        except* OSError:  # one side is gone, or was never told that the other is
            pass
        finally:
            await _close(back)
        return None

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: Callable[[int], None]
    ) -> None:
        while data := await reader.read(_PIECE):
            count(len(data))
            writer.write(data)
            await writer.drain()
            self._changes.notify()
        writer.write_eof()


def _add(tunnel: Tunnel, *, sent: int = 0, received: int = 0) -> None:
    tunnel.sent += sent
    tunnel.received += received


def _onward(line: str, head: str) -> bytes:
    """The request as the target is to see it; it answers no second one, which would not come through here."""
    fields = {
        name: value for name, value in map(_field, head.split("\r\n")[1:]) if name and not name.startswith("proxy-")
    }
    if "upgrade" not in fields:
        fields["connection"] = "close"
    return "\r\n".join([line, *(f"{name}: {value}" for name, value in fields.items()), "", ""]).encode("latin-1")


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


async def _answer(writer: asyncio.StreamWriter, status: int) -> None:
    more = 'Proxy-Authenticate: Basic realm="test"\r\n' if status == 407 else ""
    length = "" if status == 200 else "Content-Length: 0\r\nConnection: close\r\n"
    writer.write(f"HTTP/1.1 {status} Proxy\r\n{more}{length}\r\n".encode())
    await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
