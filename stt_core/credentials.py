"""Keys, secrets, tokens and URLs of a provider: from arguments, else from the environment.

A value that is empty or blank counts as unset. A callable is asked anew for each connection, so that it can mint
short-lived tokens. Nothing here shows a secret: not in a ``repr``, not in a message, not in the frame of an error.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from .errors import ConfigError, ConnectionLostError, STTError

if TYPE_CHECKING:
    from .provider import EnvVar, Meaning, Provider

__all__ = ["Credential", "Credentials", "resolve_credentials"]

Credential: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""A secret, or what gives one when it is called; it may be an ``async def``."""

_NAMES = ("api_key", "api_secret", "auth")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_URL = re.compile(r"(https?|wss?)://[^\s/?#]")


class _Held:
    """A credential and where it is from. A closure keeps it out of every ``repr`` and list of locals."""

    __slots__ = ("_give", "origin")

    def __init__(self, credential: Credential, origin: str) -> None:
        self._give: Callable[[], object] = credential if callable(credential) else lambda: credential
        self.origin = origin

    async def read(self) -> str:
        secret = await self._ask()
        fault = _fault(secret)
        if isinstance(secret, str) and fault is None:
            return secret.strip()
        del secret
        raise ConfigError(f"{self.origin} {fault}")

    async def _ask(self) -> object:
        try:
            given = self._give()
            return await cast("Awaitable[object]", given) if inspect.isawaitable(given) else given
        except STTError:
            raise
        except OSError as error:
            raise ConnectionLostError(f"the function given as {self.origin} raised {type(error).__name__}") from error
        except Exception as error:  # the caller's own function may raise anything
            raise ConfigError(f"the function given as {self.origin} raised {type(error).__name__}") from error


class Credentials:
    """What a provider signs in with, and the URLs its environment variables name.

    Attributes:
        provider: the provider's name.
        mode: the one of the provider's ``auth_modes`` that was given as ``auth=``, else ``None``.
    """

    __slots__ = ("_env", "_held", "_urls", "mode", "provider")

    def __init__(
        self, provider: Provider, held: Mapping[str, _Held], urls: Mapping[str, str], mode: str | None
    ) -> None:
        self.provider = provider.name
        self.mode = mode
        self._env = provider.env
        self._held = held
        self._urls = urls

    def __repr__(self) -> str:
        origins = "".join(f", {name} from {held.origin}" for name, held in self._held.items())
        return f"<Credentials of {self.provider}{origins}>"

    def has(self, name: Literal["api_key", "api_secret", "auth"]) -> bool:
        """Whether it was given, or is in the environment."""
        return name in self._held

    async def api_key(self) -> str:
        """The API key, asked for anew if it comes from a callable.

        Raises:
            ConfigError: there is none, or the callable failed or gave none.
            ConnectionLostError: the callable raised an ``OSError``; other errors of this library pass through.
        """
        return await self._read("api_key")

    async def api_secret(self) -> str:
        """The API secret; as :meth:`api_key`."""
        return await self._read("api_secret")

    async def auth(self) -> str:
        """The token given as ``auth=``, else the API key; as :meth:`api_key`."""
        return await self._read("auth" if "auth" in self._held else "api_key")

    async def _read(self, name: str) -> str:
        if name not in self._held:
            raise ConfigError(f"{self.provider}: {_missing(self._env, [name])}", provider=self.provider)
        return await self._held[name].read()

    def url(self, meaning: Meaning, *, given: str | None = None, default: str | None = None) -> str:
        """The URL to use: the option given, else the environment's, else the vendor's.

        Raises:
            ConfigError: there is none, or the environment's is no URL.
        """
        if given:
            return given
        url = self._urls.get(meaning) or default
        if url is None:
            raise ConfigError(f"{self.provider}: {_missing(self._env, [meaning])}", provider=self.provider)
        if not _URL.match(url):
            names = " or ".join(env.name for env in self._env if env.meaning == meaning)
            raise ConfigError(f"{names} is not a URL that begins with http://, https://, ws:// or wss://")
        return url


def resolve_credentials(
    provider: Provider,
    *,
    api_key: Credential | None = None,
    api_secret: Credential | None = None,
    auth: Credential | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Credentials:
    """Find a provider's credentials: an argument beats the environment, and empty counts as unset.

    Args:
        provider: whose.
        api_key: the key, or a callable.
        api_secret: the secret, or a callable.
        auth: a token instead of key and secret, or a callable that mints one, or one of the provider's ``auth_modes``.
        environ: the environment.

    Raises:
        ConfigError: a required one is missing (the message names variable and argument), or one is given that the
            provider has no use for.
    """
    arguments = zip(_NAMES, (api_key, api_secret, auth), strict=True)
    given = {name: value for name, value in arguments if value is not None and not _blank(value)}
    mode = auth if isinstance(auth, str) and auth in provider.auth_modes else None
    if mode is not None:
        del given["auth"]
    held = {name: _Held(value, f"{name}=") for name, value in given.items() if _fault(value, function=True) is None}
    faults = [f"{name}= {fault}" for name, value in given.items() if (fault := _fault(value, function=True))]
    urls: dict[str, str] = {}
    for env in provider.env:
        value = environ.get(env.name, "").strip()
        if value and env.meaning in _NAMES:
            held.setdefault(env.meaning, _Held(value, env.name))
        elif value:
            urls.setdefault(env.meaning, value)
    # Errors are raised from a frame that holds none of this.
    api_key = api_secret = auth = value = arguments = None
    given, environ = {}, {}
    _check(provider, held, faults, mode)
    return Credentials(provider, held, urls, mode)


def _check(provider: Provider, held: Mapping[str, _Held], faults: Sequence[str], mode: str | None) -> None:
    meanings: set[str] = {env.meaning for env in provider.env}
    usable = {*meanings, "auth"} if "api_key" in meanings else meanings
    wrong = [*faults, *(f"{name}= is given, which it has no use for" for name in held if name not in usable)]
    if mode is not None and "api_key" not in held:
        wrong.append(_missing(provider.env, ["api_key"]))
    required = dict.fromkeys(env.meaning for env in provider.env if env.required and env.meaning in _NAMES)
    missing = [meaning for meaning in required if meaning not in held]
    if missing and "auth" not in held and not wrong:
        wrong.append(_missing(provider.env, missing))
    if wrong:
        raise ConfigError(f"{provider.name}: {'; '.join(wrong)}", provider=provider.name)


def _missing(env: Sequence[EnvVar], meanings: Sequence[str]) -> str:
    ways: list[str] = []
    for meaning in meanings:
        variables = " or ".join(each.name for each in env if each.meaning == meaning)
        argument = f"pass {meaning if meaning in _NAMES else 'base_url'}="
        ways.append(f"set {variables} or {argument}" if variables else argument)
    return f"there is no {' and no '.join(meanings)}: {', and '.join(ways)}"


def _blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


def _fault(value: object, *, function: bool = False) -> str | None:
    if function and callable(value):
        return None
    if not isinstance(value, str):
        return f"is a {type(value).__name__}, not text{' or a function' if function else ''}"
    if _blank(value):
        return "gave no text"
    return "has a line break or another control character in it" if _CONTROL.search(value.strip()) else None
