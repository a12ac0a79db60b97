"""Where Kotoba is: it has no address of its own, and its two APIs need not be in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, cast
from urllib.parse import urlsplit

from stt_core.errors import ConfigError

from .wire import FAL_HOST, REALTIME_PATH

if TYPE_CHECKING:
    from stt_core.credentials import Credentials
    from stt_core.registry import Resolved

__all__ = ["ADDRESSES", "Address", "Addresses", "host_of", "is_at", "probe_of", "with_scheme"]

Address: TypeAlias = Literal["rest_url", "ws_url"]
ADDRESSES: tuple[Address, ...] = ("rest_url", "ws_url")

_HOSTED = (FAL_HOST, "kotobatech.ai")
"""Hosts that answer nobody without a key; a container of one's own may."""

_UNSET = "http://unset"


class Addresses:
    """Those of one STT, from its options, else from the environment.

    Args:
        credentials: hold what the environment says.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def find(self, meaning: Address, settings: Resolved) -> str | None:
        """One of the two; ``None`` where it is not configured.

        Raises:
            ConfigError: the environment's is no URL.
        """
        given = cast("str | None", settings.options.get(meaning))
        base = settings.stt["base_url"]
        if given is None and base is not None:
            given = base if meaning == "rest_url" else base.rstrip("/") + REALTIME_PATH
        found = self._credentials.url(meaning, given=given, default=_UNSET)
        return None if found is _UNSET else found

    def get(self, meaning: Address, settings: Resolved) -> str:
        """One of the two.

        Raises:
            ConfigError: it is not configured; the message names the variable.
        """
        found = self.find(meaning, settings)
        if found is not None:
            return found
        variable = next(env.name for env in settings.provider.env if env.meaning == meaning)
        what = "REST API" if meaning == "rest_url" else "WebSocket"
        raise ConfigError(
            f"kotoba: there is no address of the {what}: set {variable}, or pass {meaning}= or base_url=",
            provider="kotoba",
        )

    def check(self, settings: Resolved) -> None:
        """What the model needs has to be there, and where nobody is answered without a key, a key too.

        Raises:
            ConfigError: what is missing.
        """
        if settings.model is not None:
            self.get("ws_url" if settings.model == "realtime" else "rest_url", settings)
        elif all(self.find(meaning, settings) is None for meaning in ADDRESSES):
            raise ConfigError(
                "kotoba: there is no address of it: set KOTOBA_ASR_REST_URL for files and KOTOBA_ASR_URL for live "
                "audio, or pass base_url=",
                provider="kotoba",
            )
        hosted = any(is_at(self.find(meaning, settings), *_HOSTED) for meaning in ADDRESSES)
        if hosted and not (self._credentials.has("api_key") or self._credentials.has("auth")):
            raise ConfigError("kotoba: there is no api_key: set KOTOBA_API_KEY or pass api_key=", provider="kotoba")


def host_of(url: str) -> str:
    """Its host; ``""`` for what is no URL, which whoever connects will say."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_at(url: str | None, *domains: str) -> bool:
    """Whether its host is one of these domains, or beneath one."""
    host = host_of(url or "")
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def with_scheme(url: str, scheme: Literal["http", "ws"]) -> str:
    """The same for the other protocol, with or without TLS as before."""
    given, _, rest = url.partition("://")
    return f"{scheme}s://{rest}" if given in ("https", "wss") else f"{scheme}://{rest}"


def probe_of(address: str) -> str:
    """What wakes an app at fal.ai: ``https://fal.run/<owner>/<app>/…``."""
    parts = urlsplit(with_scheme(address, "http"))
    return f"{parts.scheme}://{parts.netloc}{'/'.join(parts.path.split('/')[:3])}/model_and_cuda_availability"
