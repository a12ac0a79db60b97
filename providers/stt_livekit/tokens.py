"""The bearer token: made of key and secret for each connection, and kept nowhere."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import cast

from stt_core.errors import MissingExtraError

from .wire import ALGORITHM, build_claims

__all__ = ["mint", "require_jwt"]


def require_jwt() -> None:
    """Complains early: a token will be needed.

    Raises:
        MissingExtraError: PyJWT is not installed.
    """
    if find_spec("jwt") is None:
        raise MissingExtraError(
            "LiveKit's tokens are made with PyJWT, which is not installed: pip install 'stt-core[livekit]', or give a "
            "token as auth=",
            provider="livekit",
        )


def mint(api_key: str, api_secret: str, *, now: int) -> str | None:
    """A token that is good from ``now`` (seconds since 1970) on; ``None`` where PyJWT takes the secret for none."""
    import jwt

    claims = cast("dict[str, object]", build_claims(api_key, now=now))
    with warnings.catch_warnings():
        # A gateway of one's own may have a short secret, which its user cannot change by being warned.
        warnings.simplefilter("ignore")
        try:
            return jwt.encode(claims, api_secret, algorithm=ALGORITHM)
        except jwt.InvalidKeyError:
            return None
