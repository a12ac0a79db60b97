"""A half at its place: every request on its way to it, and its answer on the way back."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from ..errors import STTError
from .half import Response, Route, SocketRoute
from .refused import Refused
from .request import Request
from .socket import Socket, SocketClosed

if TYPE_CHECKING:
    from .guard import Guard
    from .half import ServerHalf
    from .sessions import Sessions

__all__ = ["Mount"]

logger = logging.getLogger("stt_core.server")

MAX_TARGET = 8192
"""Characters of a URL's path and query."""

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Mount:
    """One half under one prefix.

    Args:
        name: the provider's.
        half: its half.
        prefix: ``"/acme"``, or ``""`` for the root.
        guard: asked first.
        sessions: where running requests are known.
        max_upload: bytes of a body.
        idle_timeout: of sockets, in seconds.
    """

    def __init__(
        self,
        name: str,
        half: ServerHalf,
        prefix: str,
        *,
        guard: Guard,
        sessions: Sessions,
        max_upload: int,
        idle_timeout: float,
    ) -> None:
        self.name = name
        self.half = half
        self.prefix = prefix
        self._guard = guard
        self._sessions = sessions
        self._max_upload = max_upload
        self._idle_timeout = idle_timeout

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Makes the half reachable, and whatever else is asked for under its prefix the half's own 404."""
        for route in self.half.routes():
            if isinstance(route, SocketRoute):
                router.add_route("GET", self.prefix + route.path, self._on_socket(route))
            else:
                router.add_route(route.method, self.prefix + route.path, self._on_request(route))
        if self.prefix:
            router.add_route("*", self.prefix, self._on_request(_NOWHERE))
        router.add_route("*", self.prefix + "/{tail:.*}", self._on_request(_NOWHERE))

    # -- requests --------------------------------------------------------------------------------------------------

    def _on_request(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(raw: web.Request) -> web.StreamResponse:
            request = self._request(raw)
            with self._sessions.running():
                try:
                    response = await self._answer(route, request)
                finally:
                    request.close()
            logger.debug("%s: %s %s: %d", self.name, request.method, request.path, response.status)
            return self._to_aiohttp(response, request)

        return handle

    async def _answer(self, route: Route, request: Request) -> Response:
        try:
            self._admit(request)
            if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
                return Response(204)
            if not route.public:
                self.half.authorize(request)
            with ExitStack() as held:
                if request.method in _WITH_BODY:
                    held.enter_context(self._sessions.place())
                return await route.handler(request)
        except Exception as error:  # noqa: BLE001  (whatever it is, the client gets an answer and the log the rest)
            return self._refusal(request, error)

    def _refusal(self, request: Request, error: Exception) -> Response:
        if isinstance(error, STTError):
            logger.warning("%s: %s %s: %s", self.name, request.method, request.path, error)
            error = Refused.from_error(error)
        if not isinstance(error, Refused):
            logger.error("%s: %s %s failed", self.name, request.method, request.path, exc_info=error)
            error = Refused(500, "internal error")
        return self.half.refusal(request, error)

    # -- sockets ---------------------------------------------------------------------------------------------------

    def _on_socket(self, route: SocketRoute) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(raw: web.Request) -> web.StreamResponse:
            request = self._request(raw)
            socket = Socket(raw, idle_timeout=self._idle_timeout)
            with self._sessions.running(socket):
                try:
                    await self._serve(route, request, socket)
                except Exception as error:  # noqa: BLE001  (as above)
                    if socket.raw is None:
                        return self._to_aiohttp(self._refusal(request, error), request)
                    await self._break_off(request, socket, error)
            if socket.raw is None:
                raise RuntimeError(f"{self.name} neither accepted nor refused the socket of {request.path}")
            return socket.raw

        return handle

    async def _serve(self, route: SocketRoute, request: Request, socket: Socket) -> None:
        self._admit(request)
        self.half.authorize(request)
        if request.headers.get(hdrs.UPGRADE, "").lower() != "websocket":
            raise Refused(426, f"{request.path} takes a WebSocket handshake")
        with self._sessions.place():
            await route.handler(request, socket)
            if socket.raw is not None:
                await socket.close(1001 if socket.winding_down else 1000)

    async def _break_off(self, request: Request, socket: Socket, error: Exception) -> None:
        if isinstance(error, SocketClosed):
            logger.debug("%s: %s: the client went away (%d)", self.name, request.path, error.code)
        elif isinstance(error, STTError | Refused):
            logger.warning("%s: %s: %s", self.name, request.path, error)
        else:
            logger.error("%s: %s failed", self.name, request.path, exc_info=error)
        await socket.close(1011)

    # -- both ------------------------------------------------------------------------------------------------------

    def _admit(self, request: Request) -> None:
        if request.target_length > MAX_TARGET:
            raise Refused(414, f"the URL has more than {MAX_TARGET} characters")
        self._guard.check(request.headers)

    def _request(self, raw: web.Request) -> Request:
        return Request(raw, prefix=self.prefix, max_upload=self._max_upload)

    def _to_aiohttp(self, response: Response, request: Request) -> web.Response:
        headers = {"Server": "stt-core", **response.headers, **self._guard.cors(request.headers)}
        if response.body:
            headers["Content-Type"] = response.content_type
        return web.Response(status=response.status, body=response.body or None, headers=headers)


async def _nothing_here(request: Request) -> Response:
    raise Refused(404, f"there is no {request.method} {request.path[:200]}")


_NOWHERE = Route("*", "/{tail:.*}", _nothing_here, public=True)
