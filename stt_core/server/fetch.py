"""URLs that a server opens because a client said so: only at places that its operator named.

A server that opens whatever URL it is told is a way into the network it stands in. Here the operator's list decides
about every URL, also about where one redirects to; names are not looked up before they are found in it. URLs and the
headers that go with them are secrets: no message quotes more than the host.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Collection, Mapping
from typing import BinaryIO, TypeVar, cast

import aiohttp
from yarl import URL

from ..errors import ConfigError, JobFailedError
from .refused import Refused
from .request import Upload

__all__ = ["Fetcher"]

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 60.0
"""How long a host may say nothing in the middle of a file."""

WHOLE_SECONDS = 3600.0
MAX_REDIRECTS = 5

_CHUNK = 1 << 16
_MOVED = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS = {"http": 80, "https": 443}

T = TypeVar("T")


class Fetcher:
    """Opens the URLs that it may.

    Args:
        places: host names or addresses, ``files.example`` for the usual ports, ``files.example:8443`` for that one.
        max_bytes: of a file.

    Raises:
        ConfigError: a place is none.
    """

    def __init__(self, places: Collection[str] = (), *, max_bytes: int) -> None:
        self._places = frozenset(map(_read_place, places))
        self._max_bytes = max_bytes
        self._session: aiohttp.ClientSession | None = None

    def check(self, url: str) -> None:
        """Whether the URL may be opened.

        Raises:
            Refused: 400; the message says what would allow it.
        """
        self._allowed(url)

    async def fetch(self, url: str, *, headers: Mapping[str, str]) -> Upload:
        """What is at the URL, on disk; the caller closes it.

        Args:
            url: see :meth:`check`.
            headers: of the request; another host that it redirects to does not get them.

        Raises:
            JobFailedError: there is nothing, it is too large, or does not come; ``retryable`` as far as one can tell.
        """
        return await _told(self._follow(url, headers))

    async def deliver(self, method: str, url: str, body: bytes, *, headers: Mapping[str, str]) -> None:
        """Sends something to the URL, and is content with any 2xx. Redirects are not followed.

        Args:
            method: of HTTP.
            url: see :meth:`check`.
            body: of the request.
            headers: of the request.

        Raises:
            JobFailedError: it was not taken; ``retryable`` as far as one can tell.
        """
        await _told(self._send(method, url, body, headers))

    async def aclose(self) -> None:
        """Closes the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _allowed(self, url: str | URL) -> URL:
        try:
            # What is checked is what is opened: two parsers need not agree on where a host's name ends.
            target = URL(url) if isinstance(url, str) else url
            host, port = (target.host or "").lower().rstrip("."), target.port
        except ValueError:
            raise Refused(400, "the URL cannot be read") from None
        usual = _DEFAULT_PORTS.get(target.scheme)
        if usual is None or not host:
            raise Refused(400, "the URL has to begin with http:// or https:// and a host")
        if target.user is not None or target.password is not None:
            raise Refused(400, "the URL has a user or a password in it: headers are the place for credentials")
        if (host, port) not in self._places and not (port == usual and (host, None) in self._places):
            place = host if port == usual else f"{host}:{port}"
            raise Refused(400, f"this server opens no URLs of {place[:100]}: its operator can allow it (--fetch-host)")
        return target

    async def _follow(self, url: str, headers: Mapping[str, str]) -> Upload:
        target = first = self._allowed(url)
        for _ in range(MAX_REDIRECTS + 1):
            own = headers if target.origin() == first.origin() else None
            async with self._opened().get(target, headers=own, allow_redirects=False) as response:
                if response.status not in _MOVED:
                    return await self._keep(target, response)
                moved = response.headers.get("Location", "")
            try:
                target = target.join(URL(moved))
            except ValueError:
                raise Refused(400, "it redirects to what is no URL") from None
            target = self._allowed(target)
        raise Refused(400, f"it redirects more than {MAX_REDIRECTS} times")

    async def _send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        target = self._allowed(url)
        async with self._opened().request(
            method, target, data=body, headers=headers, allow_redirects=False
        ) as response:
            if not 200 <= response.status < 300:
                raise JobFailedError(f"http status code {response.status}", retryable=_may_pass(response.status))

    async def _keep(self, target: URL, response: aiohttp.ClientResponse) -> Upload:
        if response.status != 200:
            raise JobFailedError(f"http status code {response.status}", retryable=_may_pass(response.status))
        file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115  (the caller's)
        try:
            size = await self._spool(response, file)
        except BaseException:
            file.close()
            raise
        return Upload(target.name or "upload", response.content_type, file, size)

    async def _spool(self, response: aiohttp.ClientResponse, file: BinaryIO) -> int:
        size = 0
        async for chunk in response.content.iter_chunked(_CHUNK):
            size += len(chunk)
            if size > self._max_bytes:
                raise Refused(413, f"it has more than {self._max_bytes} bytes, which is what this server takes")
            await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(file.seek, 0)
        return size

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(
                total=WHOLE_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
            )
            self._session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


async def _told(opening: Awaitable[T]) -> T:
    """What is wrong with the opening of a URL, without the URL."""
    problem, retryable = "", True
    try:
        return await opening
    except TimeoutError:
        problem = "it did not come in time"
    except aiohttp.ClientConnectorError:
        problem = "its host cannot be reached"
    except aiohttp.ClientError as error:
        problem = f"its host broke off ({type(error).__name__})"
    except Refused as refused:
        problem, retryable = refused.message, False
    # Not in the handler: the context of the error would have the URL in it.
    raise JobFailedError(problem, retryable=retryable)


def _may_pass(status: int) -> bool:
    return status in (408, 429) or status >= 500


def _read_place(place: str) -> tuple[str, int | None]:
    try:
        url = URL(f"http://{place}")
        host, port = url.host, url.explicit_port
    except ValueError:
        host = port = None
    if not host or place.rpartition("@")[1] or "/" in place:
        raise ConfigError(f"the place to fetch from, {place!r}, is not of the form host or host:port")
    return host.lower().rstrip("."), port
