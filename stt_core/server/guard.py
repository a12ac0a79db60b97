"""What every request has to pass before a half sees it: who it is addressed to, and which page sent it.

A server on a laptop can be reached by every page that its user visits. A page's own requests carry its ``Origin``; a
page whose name was made to point at this machine (DNS rebinding) carries its own name as ``Host``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .refused import Refused

if TYPE_CHECKING:
    from multidict import MultiMapping

__all__ = ["Guard", "is_loopback"]

ANY = "*"


class Guard:
    """The checks.

    Args:
        allow_origins: pages that may use the server, as browsers write them: ``https://app.example``. ``*`` for any.
        allow_hosts: names, beside localhost and IP addresses, that a request may be addressed to; ``*`` for any.

    Raises:
        ConfigError: an origin is none.
    """

    def __init__(self, *, allow_origins: Collection[str], allow_hosts: Collection[str]) -> None:
        for origin in allow_origins:
            if origin not in (ANY, "null") and ("://" not in origin or origin.count("/") != 2):
                raise ConfigError(f"the allowed origin {origin!r} is not of the form https://app.example[:port], or *")
        self._origins = frozenset(origin.lower() for origin in allow_origins)
        self._hosts = frozenset(host.lower().rstrip(".") for host in allow_hosts)

    def check(self, headers: MultiMapping[str]) -> None:
        """Whether the request may come in at all.

        Raises:
            Refused: 403 or 421; the message says what would allow it.
        """
        origin = headers.get("Origin")
        if origin is not None and not self._allows(origin):
            raise Refused(403, f"pages of {origin[:100]} may not use this server: allow the origin (--allow-origin)")
        name = _host_name(headers.get("Host", ""))
        if ANY not in self._hosts and name not in self._hosts and not _is_local_name(name):
            raise Refused(421, f"this server is not called {name[:100]}: allow the name (--allow-host)")

    def _allows(self, origin: str) -> bool:
        return ANY in self._origins or origin.lower() in self._origins

    def cors(self, headers: MultiMapping[str]) -> Mapping[str, str]:
        """What the answer to an allowed page says, so that its browser shows it the answer (Fetch standard, CORS)."""
        origin = headers.get("Origin")
        if origin is None or not self._allows(origin):
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Headers": headers.get("Access-Control-Request-Headers", "*"),
            "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS",
            "Access-Control-Expose-Headers": "*",
            "Vary": "Origin",
        }


def _host_name(host: str) -> str:
    name, _, port = host.rpartition(":")
    return (name if name and port.isdigit() else host).lower().rstrip(".").strip("[]")


def _is_local_name(name: str) -> bool:
    """No name server can make these point elsewhere."""
    return name == "localhost" or name.endswith(".localhost") or _address(name) is not None


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine only."""
    address = _address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
