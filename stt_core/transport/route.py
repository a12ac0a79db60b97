"""The way to a vendor: through which proxy, trusting whom, and what went wrong on it."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp
from yarl import URL

from ..errors import (
    APIError,
    AuthenticationError,
    ConfigError,
    ConnectionLostError,
    ConnectTimeoutError,
    STTError,
    STTTimeoutError,
)

__all__ = ["Route", "refused_by_proxy"]

# What OpenSSL says of a peer that does not speak TLS at all.
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})

_VARIABLES: Final = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "REQUEST_METHOD")


class Route:
    """How one client gets to its vendor.

    Args:
        provider: for errors.
        proxy: ``http://`` or ``https://``, with user and password in it where the proxy wants them; ``None`` asks the
            environment.
        ssl_setting: as :class:`stt_core.options.STTOptions` has it.
        follow_environment: whether ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` count.

    Attributes:
        ssl: what aiohttp takes.

    Raises:
        ConfigError: ``proxy`` is no URL, or the file of authorities cannot be read.
    """

    def __init__(
        self, provider: str, *, proxy: str | None, ssl_setting: bool | ssl.SSLContext | str, follow_environment: bool
    ) -> None:
        self._provider = provider
        self._follow_environment = follow_environment
        self._proxy = _proxy_url(proxy or "")
        given = proxy is not None
        del proxy  # an error is raised from this frame
        if given and self._proxy is None:
            raise _unusable("proxy")
        self.ssl = _ssl_context(ssl_setting)

    def proxy_for(self, url: URL) -> URL | None:
        """The proxy to take, with its password.

        Raises:
            ConfigError: the environment's is none that can be used.
        """
        if self._proxy is not None or not self._follow_environment or url.host is None:
            return self._proxy
        return _environments_proxy(url.scheme, url.host, url.port, tuple(map(os.environ.get, _VARIABLES)))

    def failure(self, failure: Exception, url: str) -> STTError:
        """What went wrong on the way. Neither URLs nor the exception's own text are quoted: all may hold secrets."""
        try:
            host = URL(url).host
        except ValueError:
            host = None
        if host is None or isinstance(failure, aiohttp.InvalidURL):
            return ConfigError("the URL to connect to is none: see base_url", provider=self._provider)
        if isinstance(failure, ValueError) and not isinstance(failure, aiohttp.ClientError | OSError):
            # aiohttp's, before anything is sent: above all a token, and a user in the URL, for the same header.
            return ConfigError(
                "the request cannot be made: base_url, with a user and password in it or not, and the credentials do "
                "not go together",
                provider=self._provider,
            )
        error = _failure(failure, host)
        error.provider = self._provider
        return error


def _failure(failure: Exception, host: str) -> STTError:
    if isinstance(failure, aiohttp.ConnectionTimeoutError):
        return ConnectTimeoutError(f"no connection to {host} in time (connect_timeout)")
    if isinstance(failure, TimeoutError):
        return STTTimeoutError(f"{host} did not answer in time (request_timeout)")
    if isinstance(failure, aiohttp.ClientHttpProxyError):
        return refused_by_proxy(failure.status, failure.message)
    if isinstance(failure, aiohttp.ClientConnectorCertificateError):
        # The host of an HTTPS proxy, if it is the one that is not trusted.
        return ConnectionLostError(
            f"the certificate of {failure.host} is not trusted; for a private authority give ssl=<path of its file>",
            retryable=False,
        )
    if isinstance(failure, aiohttp.ClientSSLError):
        cause = failure.os_error
        reason = (cause.reason if isinstance(cause, ssl.SSLError) else None) or type(cause).__name__
        if reason in _NO_TLS:
            return ConnectionLostError(
                f"{failure.host} does not speak TLS on port {failure.port}: http:// and ws:// go without",
                retryable=False,
            )
        return ConnectionLostError(f"TLS with {failure.host} failed: {reason}")
    reason = failure.strerror if isinstance(failure, OSError) and failure.strerror else type(failure).__name__
    if isinstance(failure, aiohttp.ClientProxyConnectionError):
        return ConnectionLostError(f"the connection to the proxy {failure.host}:{failure.port} failed: {reason}")
    if isinstance(failure, aiohttp.ClientConnectorError):
        host = failure.host  # a proxy's, if it is the one whose name is not known
    return ConnectionLostError(f"the connection to {host} failed: {reason}")


def refused_by_proxy(status: int, reason: str) -> APIError:
    """A proxy does not let the request through."""
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return AuthenticationError(
            "HTTP 407: the proxy wants a user and a password: proxy=http://user:password@host:port, or the same in "
            "HTTPS_PROXY",
            status=status,
        )
    return APIError.for_status(status)(f"the proxy answered HTTP {status}: {reason}", status=status)


def _ssl_context(setting: bool | ssl.SSLContext | str) -> bool | ssl.SSLContext:
    if not isinstance(setting, str):
        return setting
    try:
        return ssl.create_default_context(cafile=setting)
    except OSError as error:
        raise ConfigError(f"ssl: the file of authorities {setting} cannot be read: {error.strerror or error}") from None


def _proxy_url(text: str) -> URL | None:
    try:
        url = URL(text)
    except ValueError:
        return None
    return url if url.scheme in ("http", "https") and url.host else None


def _unusable(source: str) -> ConfigError:
    return ConfigError(
        f"{source} is none that can be used: proxies are given as http://host:port or http://user:password@host:port"
    )


@lru_cache(maxsize=64)
def _environments_proxy(scheme: str, host: str, port: int | None, variables: tuple[str | None, ...]) -> URL | None:
    """What the environment says; to look through all of it for every request would cost more than the request."""
    del variables  # what it depends on, beside the host
    found = getproxies_environment().get(scheme)
    if not found or any(proxy_bypass(name) for name in (f"{host}:{port}", host)):
        return None
    proxy = _proxy_url(found if "://" in found else f"http://{found}")
    del found
    if proxy is None:
        raise _unusable(f"{scheme.upper()}_PROXY")
    return proxy
