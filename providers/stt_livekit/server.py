"""The server half: the LiveKit inference gateway, with any provider behind it.

LiveKit's own clients of both dialects can be pointed at it. The bearer token that they make of their key and secret is
read as the gateway reads it: signed with one of the server's keys as the secret, in force, and granted inference. What
a session asks for is judged after the handshake, in an ``error`` message and a close with 1008.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast
from uuid import uuid4

from stt_core.server import Refused, Response, Route, SocketRoute

from .live import LiveSession
from .wire import SESSION_HEADER, SOCKET_PATH, USER_AGENT, build_error

if TYPE_CHECKING:
    from stt_core.server import Request, Services, Socket

__all__ = ["LiveKitServer"]

_SESSION_ID = re.compile(r"[\w.:-]{1,100}", re.ASCII)

CLOCK_SKEW = 60.0
"""Seconds by which the clock of a client that makes its own tokens may be ahead."""


class LiveKitServer:
    """The gateway, as its clients see it: ``/v1/stt``."""

    base_path = "/v1"

    def __init__(self, services: Services) -> None:
        self._backend = services.backend
        self._keys = services.keys

    def routes(self) -> Sequence[Route | SocketRoute]:
        """See :class:`stt_core.server.ServerHalf`, here and below."""
        return [SocketRoute(self.base_path + SOCKET_PATH, self._session)]

    def authorize(self, request: Request) -> None:  # noqa: D102
        claims = self._keys.read_signed(request.bearer)
        if claims is None:
            raise Refused(401, "Authorization has no bearer token that is signed with the API secret and in force")
        not_before = claims.get("nbf", 0)
        if not isinstance(not_before, int | float) or not_before > time.time() + CLOCK_SKEW:
            raise Refused(401, "the token is not in force yet: see its `nbf`, and the clock of who made it")
        if not isinstance(claims.get("iss"), str) or not claims["iss"]:
            raise Refused(401, "the token does not say whose it is: `iss` is the API key")
        if _grants(claims.get("inference")).get("perform") is not True:
            raise Refused(403, 'the token does not grant inference: {"inference":{"perform":true}}')

    def refusal(self, request: Request, refused: Refused) -> Response:  # noqa: D102
        headers = {} if refused.retry_after is None else {"Retry-After": f"{refused.retry_after:g}"}
        return Response.json(build_error(refused.message, code=refused.status), refused.status, headers=headers)

    async def _session(self, request: Request, socket: Socket) -> None:
        named = request.headers.get(SESSION_HEADER, "")
        session_id = named if _SESSION_ID.fullmatch(named) else f"inference_{uuid4().hex[:12]}"
        await socket.accept()
        closes = request.headers.get("User-Agent", "").startswith(USER_AGENT)
        await LiveSession(socket, self._backend, session_id=session_id, client_closes=closes).run()


def _grants(claim: object) -> Mapping[str, object]:
    return cast("dict[str, object]", claim) if isinstance(claim, dict) else {}
