"""A port that can stop listening and come back."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    from aiohttp import web

__all__ = ["HOST", "Port"]

HOST = "127.0.0.1"


class Port:
    """A TCP port of the loopback, the same for its whole life.

    Args:
        server: makes a protocol for each connection.
        ssl_context: for TLS.

    Attributes:
        number: chosen by the system; 0 before the first :meth:`listen`.
    """

    def __init__(self, server: web.Server, ssl_context: ssl.SSLContext | None) -> None:
        self.number = 0
        self._server = server
        self._ssl = ssl_context
        self._listening: asyncio.Server | None = None
        self._returning: tuple[asyncio.TimerHandle, socket.socket] | None = None
        self._returned: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        """Begins, or begins again."""
        await self._listen(self._bound())

    def stop(self) -> asyncio.Server | None:
        """Connecting is refused from here on; what is connected stays. Returns the server that listened."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()
        if self._returning is not None:
            timer, bound = self._returning
            timer.cancel()
            bound.close()
            self._returning = None
        return listening

    def away(self, seconds: float) -> None:
        """Stops listening for so many seconds of the loop's clock."""
        self.stop()
        bound = self._bound()
        self._returning = asyncio.get_running_loop().call_later(seconds, self._return, bound), bound

    async def settled(self) -> None:
        """Waits until a return that has begun is over."""
        if self._returned is not None:
            await self._returned

    def _bound(self) -> socket.socket:
        """Has the port and does not listen yet: connecting is still refused."""
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, self.number))
        self.number = bound.getsockname()[1]
        return bound

    def _return(self, bound: socket.socket) -> None:
        # At once, so that a client that tries again at the very end of the outage finds somebody.
        bound.listen()
        self._returning = None
        self._returned = asyncio.create_task(self._listen(bound))

    async def _listen(self, bound: socket.socket) -> None:
        self._listening = await asyncio.get_running_loop().create_server(self._server, sock=bound, ssl=self._ssl)
