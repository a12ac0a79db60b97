"""What a provider's server half is, and what it is given."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .backend import Backend
    from .fetch import Fetcher
    from .jobs import JobBoard
    from .keys import ApiKeys
    from .refused import Refused
    from .request import Request
    from .socket import Socket

__all__ = ["Response", "Route", "ServerHalf", "Services", "SocketRoute"]


@dataclass(frozen=True, slots=True)
class Response:
    """An answer.

    Attributes:
        status: the HTTP status.
        body: as it goes out.
        content_type: of the body, with its charset if it has one.
        headers: beside ``Content-Type`` and ``Content-Length``.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "application/octet-stream"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def json(cls, value: object, status: int = 200, *, headers: Mapping[str, str] | None = None) -> Response:
        """A JSON document."""
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(status, body, "application/json", headers or {})

    @classmethod
    def text(cls, text: str, status: int = 200, *, headers: Mapping[str, str] | None = None) -> Response:
        """Plain text."""
        return cls(status, text.encode(), "text/plain; charset=utf-8", headers or {})


@dataclass(frozen=True, slots=True)
class Route:
    """An HTTP endpoint.

    Attributes:
        method: in capitals.
        path: below the half's mount point; ``{name}`` stands for one part of it.
        handler: answers, or raises ``Refused`` or an ``STTError``.
        public: needs no credential.
    """

    method: str
    path: str
    handler: Callable[[Request], Awaitable[Response]]
    public: bool = False


@dataclass(frozen=True, slots=True)
class SocketRoute:
    """A WebSocket endpoint.

    Attributes:
        path: as of a :class:`Route`.
        handler: called with the handshake. It may raise ``Refused`` until it accepts the socket; then it serves it,
            and reports failures in the vendor's messages. A socket that is open when it returns is closed with 1000,
            or with 1011 when it raises.
    """

    path: str
    handler: Callable[[Request, Socket], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Services:
    """What a half works with.

    Attributes:
        backend: recognition.
        keys: who may come in.
        jobs: what goes on after the answer; the half's own.
        fetcher: opens URLs that a client gives.
    """

    backend: Backend
    keys: ApiKeys
    jobs: JobBoard
    fetcher: Fetcher


class ServerHalf(Protocol):
    """A vendor's protocol, seen from the vendor. A half is made once per server, with its :class:`Services`."""

    @property
    def base_path(self) -> str:
        """What a client's ``base_url`` ends in, behind the mount point: ``""`` or, say, ``"/v1"``."""
        ...

    def routes(self) -> Sequence[Route | SocketRoute]:
        """Everything that the half answers."""
        ...

    def authorize(self, request: Request) -> None:
        """Called before the handler of every route that is not public.

        Raises:
            Refused: with 401 or 403.
        """
        ...

    def refusal(self, request: Request, refused: Refused) -> Response:
        """The vendor's shape of an error, whoever raised it; must not raise."""
        ...
