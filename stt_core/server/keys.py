"""Who may use a server."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import cast

from ..errors import ConfigError

__all__ = ["ApiKeys"]

_HEADER = {"alg": "HS256", "typ": "JWT"}


class ApiKeys:
    """The keys that a server takes, and the short-lived tokens that it gives out for them.

    A token is a JWT (RFC 7519) signed with HMAC-SHA256 and a secret that lives as long as this object.

    Args:
        keys: without any, every credential that is not empty is accepted.
        now: seconds since 1970.

    Raises:
        ConfigError: a key is empty.
    """

    def __init__(self, keys: Iterable[str] = (), *, now: Callable[[], float] = time.time) -> None:
        self._keys = [key.encode() for key in keys]
        if not all(self._keys):
            raise ConfigError("an API key of the server is empty; leave it out, or give one that is not")
        self._secret = secrets.token_bytes(32)
        self._now = now

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._keys)}>"

    def __bool__(self) -> bool:
        """Whether there are any, so that a credential is more than a formality."""
        return bool(self._keys)

    def accept(self, credential: str | None) -> bool:
        """Whether it is one of the keys; compared in constant time. Tokens are for :meth:`read_token`."""
        if not credential:
            return False
        given = credential.encode(errors="surrogateescape")
        # All are compared, so that the time does not tell which one it was.
        matches = [hmac.compare_digest(given, key) for key in self._keys]
        return not self._keys or True in matches

    def mint(self, claims: Mapping[str, object], *, seconds: float) -> str:
        """A token with these claims, accepted by :meth:`read_token` for so long."""
        issued = int(self._now())
        return sign_jwt({**claims, "iat": issued, "exp": issued + int(seconds)}, self._secret)

    def read_token(self, token: str | None) -> Mapping[str, object] | None:
        """The claims of a token that this server gave out and that has not expired; else ``None``."""
        claims = read_jwt(token or "", self._secret)
        return claims if claims is not None and _until(claims, "exp") > self._now() else None

    def knows(self, token: str | None) -> bool:
        """Whether this server gave the token out, expired or not."""
        return read_jwt(token or "", self._secret) is not None

    def read_signed(self, token: str | None) -> Mapping[str, object] | None:
        """The claims of a JWT that the client signed itself, with one of the keys as the secret; ``None`` if not.

        Without keys any signature will do.
        """
        for secret in self._keys or [None]:
            claims = read_jwt(token or "", secret)
            if claims is not None and _until(claims, "exp") > self._now():
                return claims
        return None


def sign_jwt(claims: Mapping[str, object], secret: bytes) -> str:
    """A JSON Web Token, HS256."""
    body = f"{_encode(json.dumps(_HEADER).encode())}.{_encode(json.dumps(claims).encode())}"
    return f"{body}.{_encode(_signature(body, secret))}"


def read_jwt(token: str, secret: bytes | None) -> dict[str, object] | None:
    """The claims of a JWT, ``None`` if it is none or its HS256 signature is wrong. With no secret none is checked."""
    try:
        body, _, signature = token.encode("ascii").decode().rpartition(".")
        head, _, payload = body.partition(".")
        header: object = json.loads(_decode(head))
        claims: object = json.loads(_decode(payload))
        given = _decode(signature)
    except (ValueError, binascii.Error):
        return None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        return None
    if secret is not None and (
        cast("dict[str, object]", header).get("alg") != "HS256"
        or not hmac.compare_digest(given, _signature(body, secret))
    ):
        return None
    return cast("dict[str, object]", claims)


def _signature(body: str, secret: bytes) -> bytes:
    return hmac.digest(secret, body.encode(), hashlib.sha256)


def _until(claims: Mapping[str, object], name: str) -> float:
    value = claims.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
