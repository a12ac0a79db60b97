"""HTTP for everyone: one session, typed errors, bounded answers, uploads from disk, retries where they are safe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO, cast

import aiohttp
from yarl import URL

from ..errors import APIError, AudioError, ConfigError, ConnectionLostError, ProtocolError, STTError
from ..retry import RetryBudget, RetryPolicy
from .hiding import hiding
from .route import Route, refused_by_proxy
from .uploads import uploaded

if TYPE_CHECKING:
    from ..options import STTSettings
    from .codec import Handshake
    from .hiding import Hide

__all__ = ["ErrorFrom", "FormPart", "HttpClient", "HttpResponse", "Socket", "error_from_status", "retry_after"]

MAX_BODY = 64 << 20
"""Bytes of an answer that are read unless a call says otherwise."""

MAX_ERROR_BODY = 64 << 10
"""Bytes of a refusal that are read, and of its text that is kept in an error a hundredth part of it."""

ERROR_BODY_SECONDS = 5.0

# Its fields are declared in a way that type checkers do not see.
_WS_TIMEOUT = cast("Callable[..., aiohttp.ClientWSTimeout]", aiohttp.ClientWSTimeout)(ws_close=1.0)

ErrorFrom = Callable[[int, Mapping[str, str], bytes], STTError]
"""Turns a refusal (status, headers, body) into an error, in the vendor's own words."""


@dataclass(frozen=True, slots=True)
class FormPart:
    """A field of a multipart form.

    Attributes:
        name: of the field.
        value: text, or what opens a file; the file is read in pieces as it is sent, and anew for a retry.
        filename: with a file; ASCII.
        content_type: with a file.
    """

    name: str
    value: str | Callable[[], BinaryIO]
    filename: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer, read to its end.

    Attributes:
        status: 200 to 299.
        headers: case-insensitive.
        body: as it came.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> object:
        """The body as JSON.

        Raises:
            ProtocolError: it is none.
        """
        from pydantic_core import from_json

        try:
            return from_json(self.body)
        except ValueError:
            raise ProtocolError(f"the answer is not JSON: {self.body[:80]!r}") from None


@dataclass(slots=True)
class Socket:
    """An open WebSocket, what its handshake answered, and what takes its secrets out of a text."""

    ws: aiohttp.ClientWebSocketResponse
    headers: Mapping[str, str]
    hide: Hide


@dataclass(slots=True)
class _Refusal:
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    body: bytes = field(default=b"", repr=False)


_handshake: ContextVar[_Refusal | None] = ContextVar("stt_core_handshake", default=None)


class _Redirected(aiohttp.ClientError):
    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


async def _keep_refusal(session: aiohttp.ClientSession, context: object, params: aiohttp.TraceRequestEndParams) -> None:
    """Reads what a refused handshake says: aiohttp throws the body away before it raises."""
    box = _handshake.get()
    if box is None:
        return
    response = params.response
    box.headers = response.headers
    if response.status != HTTPStatus.SWITCHING_PROTOCOLS:
        try:
            async with asyncio.timeout(ERROR_BODY_SECONDS):
                box.body = await response.content.read(MAX_ERROR_BODY)
        except (TimeoutError, aiohttp.ClientError, OSError):
            box.body = b""


async def _stop_redirect(
    session: aiohttp.ClientSession, context: object, params: aiohttp.TraceRequestRedirectParams
) -> None:
    """Ends a handshake that is sent elsewhere: aiohttp would go there, and take the key along."""
    box = _handshake.get()
    if box is not None:
        box.headers = params.response.headers
        params.response.close()
        raise _Redirected(params.response.status)


def _watching() -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(_keep_refusal)
    trace.on_request_redirect.append(_stop_redirect)
    trace.freeze()
    return trace


_WATCH = _watching()


class HttpClient:
    """Requests and WebSocket connections to one vendor.

    Args:
        provider: its registered name, for errors.
        settings: ``proxy``, ``ssl``, ``connect_timeout``, ``request_timeout``, ``max_retries`` and ``retry_interval``
            are used.
        session: the caller's, used and never closed; ``None`` makes one on first use. It gets a trace configuration
            that acts on WebSocket handshakes made here and on nothing else.
        error_from: see :data:`ErrorFrom`; by default :func:`error_from_status`.

    Without a ``proxy`` the environment's ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` are followed, also for
    WebSockets; a session of the caller's goes the way that it was made for. Redirects are errors, because a key is for
    the host that it was given for.

    Raises:
        ConfigError: ``proxy`` is no URL, or the file of ``ssl`` cannot be read.
    """

    def __init__(
        self,
        provider: str,
        settings: STTSettings,
        session: aiohttp.ClientSession | None = None,
        *,
        error_from: ErrorFrom | None = None,
    ) -> None:
        self._provider = provider
        self._settings = settings
        del settings  # an error is raised from this frame, and a proxy may have a password
        self._session = session
        self._owned = session is None
        self._error_from = error_from or error_from_status
        self._route = Route(
            provider,
            proxy=self._settings["proxy"],
            ssl_setting=self._settings["ssl"],
            follow_environment=session is None,
        )

    async def aclose(self) -> None:
        """Closes the session, if it was made here."""
        if self._owned and self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            # With trust_env aiohttp would also send what ~/.netrc has for the vendor's host.
            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0)
            )
        if _WATCH not in self._session.trace_configs:
            self._session.trace_configs.append(_WATCH)
        return self._session

    # -- WebSockets ------------------------------------------------------------------------------------------------

    async def connect(self, handshake: Handshake) -> Socket:
        """Opens a WebSocket. The caller bounds the time.

        Raises:
            APIError: the vendor refused it; with its status, words and request id.
            ConnectionLostError: there is no way to it.
            ConfigError: the URL is none.
        """
        box = _Refusal()
        token = _handshake.set(box)
        try:
            ws, error = await self._ws_connect(handshake, box)
        finally:
            _handshake.reset(token)
        if ws is None:
            raise error
        return Socket(ws, box.headers, hiding(handshake.headers, handshake.secrets))

    async def _ws_connect(
        self, handshake: Handshake, box: _Refusal
    ) -> tuple[aiohttp.ClientWebSocketResponse | None, STTError]:
        # Errors are made here and raised elsewhere: aiohttp's own hold the request's headers, and with them the key.
        try:
            url = _http_url(handshake.url)
            ws = await self._open_session().ws_connect(
                url,
                headers=handshake.headers,
                protocols=handshake.protocols,
                autoping=False,
                max_msg_size=16 << 20,
                timeout=_WS_TIMEOUT,
                proxy=self._route.proxy_for(url),
                ssl=self._route.ssl,
            )
        except _Redirected as redirected:
            return None, self._refused(redirected.status, box.headers, b"", hiding({}))
        except aiohttp.WSServerHandshakeError as refused:
            hide = hiding(handshake.headers, handshake.secrets)
            return None, self._refused(refused.status, refused.headers or box.headers, box.body, hide)
        except ConfigError as wrong:
            return None, wrong
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            return None, self._route.failure(failure, handshake.url)
        return ws, ConnectionLostError()

    # -- requests --------------------------------------------------------------------------------------------------

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Sequence[tuple[str, str]] = (),
        json: object = None,
        data: bytes | None = None,
        form: Sequence[FormPart] | None = None,
        timeout: float | None = None,
        retry: bool | None = None,
        max_body: int = MAX_BODY,
    ) -> HttpResponse:
        """Makes one request, and makes it again where that is safe.

        Args:
            method: ``GET``, ``POST`` ...
            url: ``http://`` or ``https://``.
            headers: may hold secrets; they never get into an error or a log.
            params: the query.
            json: sent as JSON.
            data: sent as it is.
            form: sent as ``multipart/form-data``.
            timeout: seconds for one attempt; ``None`` takes ``request_timeout``.
            retry: whether the same request may be made twice; ``None``: a GET, HEAD or DELETE may.
            max_body: bytes of the answer that are taken.

        Raises:
            APIError: the vendor refused it.
            STTTimeoutError: it took too long.
            ConnectTimeoutError: there was no connection within ``connect_timeout``.
            ConnectionLostError: there is no way to the vendor, or it went away.
            ProtocolError: the answer is longer than ``max_body``.
        """
        again = method in ("GET", "HEAD", "DELETE") if retry is None else retry
        budget = RetryBudget(
            RetryPolicy(
                max_retries=self._settings["max_retries"] if again else 0, interval=self._settings["retry_interval"]
            )
        )
        seconds = self._settings["request_timeout"] if timeout is None else timeout
        limits = aiohttp.ClientTimeout(
            total=seconds, connect=self._settings["connect_timeout"], sock_connect=self._settings["connect_timeout"]
        )
        request = _Request(method, url, headers or {}, params, json, data, form)
        del url, headers, params, json, data, form  # an error is raised from this frame
        while True:
            response, error = await self._attempt(request, limits, max_body)
            if response is not None:
                return response
            delay = budget.spend(error)
            if delay is None:
                raise error
            await asyncio.sleep(delay)

    async def _attempt(
        self, request: _Request, limits: aiohttp.ClientTimeout, max_body: int
    ) -> tuple[HttpResponse | None, STTError]:
        try:
            async with (
                request.body() as body,
                self._open_session().request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    params=request.params,
                    json=request.json,
                    data=body,
                    timeout=limits,
                    allow_redirects=False,
                    proxy=self._route.proxy_for(URL(request.url)),
                    ssl=self._route.ssl,
                ) as response,
            ):
                if not 200 <= response.status < 300:
                    refusal = await _read(response, MAX_ERROR_BODY)
                    refusal = refusal[:MAX_ERROR_BODY]
                    return None, self._refused(response.status, response.headers, refusal, hiding(request.headers))
                answer = await _read(response, max_body)
                if len(answer) > max_body:
                    return None, ProtocolError(
                        f"{self._provider} answered with more than {max_body} bytes",
                        provider=self._provider,
                        retryable=False,
                    )
                return HttpResponse(response.status, response.headers, answer), ConnectionLostError()
        except (AudioError, ConfigError) as wrong:  # a recording is opened, and may be converted, as it is sent
            return None, wrong
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            return None, self._route.failure(failure, request.url)

    # -- errors ----------------------------------------------------------------------------------------------------

    def _refused(self, status: int, headers: Mapping[str, str], body: bytes, hide: Hide) -> STTError:
        body = hide(body.decode("latin-1")).encode("latin-1")
        if 300 <= status < 400:
            error: STTError = _moved(status, headers)
        elif status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            error = refused_by_proxy(status, "")
        else:
            error = self._error_from(status, headers, body)
        if error.provider is None:
            error.provider = self._provider
        if isinstance(error, APIError) and error.retry_after is None:
            error.retry_after = retry_after(headers)
        if error.request_id is None:
            error.request_id = headers.get("X-Request-Id")
        return error


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    params: Sequence[tuple[str, str]] = field(repr=False)
    json: object = field(repr=False)
    data: bytes | None = field(repr=False)
    form: Sequence[FormPart] | None

    @asynccontextmanager
    async def body(self) -> AsyncGenerator[bytes | aiohttp.FormData | None]:
        if self.form is None:
            yield self.data
            return
        form = aiohttp.FormData(default_to_multipart=True)
        files: list[BinaryIO] = []
        try:
            for part in self.form:
                if isinstance(part.value, str):
                    form.add_field(part.name, part.value)
                    continue
                file = uploaded(await asyncio.to_thread(part.value))
                files.append(file)
                form.add_field(part.name, file, filename=part.filename, content_type=part.content_type)
            yield form
        finally:
            for file in files:
                file.close()


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            response.close()
            break
    return b"".join(pieces)


def _http_url(url: str) -> URL:
    """The same with http or https: aiohttp looks only for those in the environment's proxies."""
    return URL(url.replace("ws", "http", 1) if url.startswith("ws") else url, encoded=True)


def _moved(status: int, headers: Mapping[str, str]) -> APIError:
    try:
        where = str(URL(headers.get("Location", "")).origin())
    except ValueError:
        where = "another path of the same host"
    return APIError(
        f"HTTP {status}: redirected to {where}, where the key was not given for; if that is right, say so in base_url",
        status=status,
    )


def error_from_status(status: int, headers: Mapping[str, str], body: bytes) -> STTError:
    """A refusal in general: the class by its status, the message from its body."""
    text = body.decode("utf-8", "replace").strip()
    said = text[:500] if text and not text.lstrip().startswith("<") else _phrase(status)
    return APIError.for_status(status)(f"HTTP {status}: {said}", status=status, body=text[:2000] or None)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a ``Retry-After`` header asks for, as a number or a date (RFC 9110, section 10.2.3)."""
    value = headers.get("Retry-After", "").strip()
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    from datetime import datetime

    return max((date - datetime.now(date.tzinfo)).total_seconds(), 0.0)
