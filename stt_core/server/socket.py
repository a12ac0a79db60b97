"""A WebSocket, as a server half sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import WSMsgType, web

__all__ = ["MAX_MESSAGE", "Socket", "SocketClosed"]

MAX_MESSAGE = 16 * 1024 * 1024
"""Bytes of one message from a client; a larger one closes the connection with 1009."""

SEND_SECONDS = 30.0
"""A client that takes nothing for so long is gone."""

CLOSE_SECONDS = 5.0
"""How long the client has for its part of the closing handshake."""

_MAX_REASON = 123  # bytes (RFC 6455, section 5.5)


class SocketClosed(Exception):  # noqa: N818  (control flow)
    """The client is gone, or was closed for saying nothing; there is nobody left to answer.

    Args:
        code: the close code; 1006 without one.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"the client's socket was closed with {code}")
        self.code = code


class Socket:
    """One connection. Until :meth:`accept` a handler can still refuse the handshake by raising ``Refused``.

    Messages are read by one task; several may send.

    Args:
        request: the handshake.
        idle_timeout: seconds without any message or ping after which the client is closed with 1000 "connection idle
            timeout".
    """

    def __init__(self, request: web.Request, *, idle_timeout: float) -> None:
        self._request = request
        self._idle_timeout = idle_timeout
        self._raw: web.WebSocketResponse | None = None
        self._receiving: asyncio.Timeout | None = None
        self.winding_down = False
        """Whether the server is about to stop: :meth:`receive` gives ``None``, and what is left can still be sent."""

    @property
    def raw(self) -> web.WebSocketResponse | None:
        """For the host: the response, once accepted."""
        return self._raw

    async def accept(self, *, headers: Mapping[str, str] | None = None, protocol: str | None = None) -> None:
        """Answers the handshake.

        Args:
            headers: of the answer.
            protocol: the subprotocol agreed on, one of those that the client offered.
        """
        # Not compressed: audio does not get smaller, and what a few bytes inflate to is the sender's choice.
        raw = web.WebSocketResponse(
            timeout=CLOSE_SECONDS,
            autoping=False,
            compress=False,
            max_msg_size=MAX_MESSAGE,
            protocols=() if protocol is None else (protocol,),
        )
        raw.headers.update(headers or {})
        try:
            await raw.prepare(self._request)
        except ConnectionError:
            raise SocketClosed(1006) from None
        self._raw = raw

    async def receive(self) -> str | bytes | None:
        """The client's next message; ``None`` when the server stops and will read no more.

        Raises:
            SocketClosed: the client has closed, is lost, or was silent for too long.
        """
        raw = self._accepted()
        while not self.winding_down:
            try:
                async with asyncio.timeout(self._idle_timeout) as deadline:
                    self._receiving = deadline
                    try:
                        message = await raw.receive()
                    finally:
                        self._receiving = None
            except TimeoutError:
                if self.winding_down:
                    break
                await self.close(1000, "connection idle timeout")
                raise SocketClosed(1000) from None
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                data: str | bytes = message.data
                return data
            if message.type is WSMsgType.PING:
                await self._pong(raw, message.data)
            elif message.type is not WSMsgType.PONG:
                raise SocketClosed(raw.close_code or 1006)
        return None

    async def send(self, message: str | bytes) -> None:
        """Sends text, or bytes as a binary message.

        Raises:
            SocketClosed: the client is gone, or takes nothing.
        """
        raw = self._accepted()
        try:
            async with asyncio.timeout(SEND_SECONDS):
                if isinstance(message, str):
                    await raw.send_str(message)
                else:
                    await raw.send_bytes(message)
        except (ConnectionError, TimeoutError):
            raise SocketClosed(raw.close_code or 1006) from None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes with a code and a reason, of which 123 bytes fit; again does nothing."""
        cut = reason.encode()[:_MAX_REASON].decode(errors="ignore").encode()
        await self._accepted().close(code=code, message=cut)

    def wind_down(self) -> None:
        """For the host: have :meth:`receive` give ``None`` from now on, also where it is waiting."""
        self.winding_down = True
        if self._receiving is not None:
            self._receiving.reschedule(asyncio.get_running_loop().time())

    async def _pong(self, raw: web.WebSocketResponse, data: bytes) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await raw.pong(data)
        except (ConnectionError, TimeoutError):
            raise SocketClosed(raw.close_code or 1006) from None

    def _accepted(self) -> web.WebSocketResponse:
        if self._raw is None:
            raise RuntimeError("a server half has to accept() a socket before it uses it")
        return self._raw
