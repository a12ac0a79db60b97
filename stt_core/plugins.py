"""Providers by name, found through entry points.

Built-in and third-party providers are found in the same way, in the entry-point group ``stt_core.providers``: the
entry's name is the provider's, its value names a :class:`~stt_core.provider.Provider`. One provider is loaded when it
is asked for; all of them only by :func:`providers`. A plugin that fails is reported once on the logger
``stt_core.registry``, listed by :func:`broken` and otherwise left out.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Generator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from .errors import ConfigError
from .options import closest
from .provider import Provider

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["GROUP", "broken", "get_provider", "loaded", "providers", "register", "registered", "unregister"]

GROUP = "stt_core.providers"
"""The entry-point group that providers are found in."""

_OWN_DISTRIBUTION = "stt-core"

_log = logging.getLogger("stt_core.registry")
_lock = threading.RLock()
_registered: dict[str, Provider] = {}
_loaded: dict[str, Provider] = {}
_told: set[tuple[str, str]] = set()


def providers() -> Mapping[str, Provider]:
    """All providers that work, by name; every installed plugin is loaded."""
    return _load_all()[0]


def broken() -> Mapping[str, str]:
    """The plugins that do not work, by name, each with the reason."""
    return _load_all()[1]


def get_provider(name: str) -> Provider:
    """One provider; no other plugin is loaded.

    Raises:
        ConfigError: there is none of this name, or its plugin is broken; the message says which, and what there is.
    """
    with _lock:
        known = _registered.get(name) or _loaded.get(name)
        if known is not None:
            return known
        entries, _ = _scan()
        entry = entries.get(name)
        if entry is None:
            names = sorted({*entries, *_registered})
            raise ConfigError(
                f"no provider is called `{name[:40]}`; installed are {', '.join(names) or 'none'}{closest(name, names)}"
            )
        try:
            _loaded[name] = _load(name, entry)
        except _BrokenError as error:
            _tell(name, str(error))
            raise ConfigError(f"the provider {name} is installed but broken: {error}", provider=name) from error
        return _loaded[name]


def loaded() -> Mapping[str, Provider]:
    """The providers that have been asked for so far, or registered, by name."""
    return {**_loaded, **_registered}


def register(provider: Provider) -> None:
    """Take a provider in for this process, without an entry point.

    Raises:
        ConfigError: it is declared wrongly, or there is one of its name already.
    """
    provider.verify()
    with _lock:
        if provider.name in _registered or provider.name in _scan()[0]:
            raise ConfigError(f"there is a provider called {provider.name} already", provider=provider.name)
        _registered[provider.name] = provider


def unregister(name: str) -> None:
    """Forget a provider that was taken in by :func:`register`; one that was not is left alone."""
    with _lock:
        _registered.pop(name, None)


@contextlib.contextmanager
def registered(provider: Provider) -> Generator[Provider]:
    """:func:`register` for the length of a ``with`` block."""
    register(provider)
    try:
        yield provider
    finally:
        unregister(provider.name)


class _BrokenError(Exception):
    pass


def _scan() -> tuple[dict[str, EntryPoint], dict[str, str]]:
    """The entry points by name, none of them loaded, and what is wrong with those left out."""
    from importlib.metadata import entry_points

    # A plugin cannot take the name of a provider that comes with the library, wherever it stands on the path; between
    # two others the choice must not depend on the order of a directory.
    entries: dict[str, EntryPoint] = {}
    doubles: dict[str, str] = {}
    for entry in sorted(entry_points(group=GROUP), key=_precedence):
        first = entries.setdefault(entry.name, entry)
        if first.value != entry.value:
            doubles[f"{entry.name} ({entry.value})"] = f"the name {entry.name} is taken by {first.value}"
    return entries, doubles


def _precedence(entry: EntryPoint) -> tuple[bool, str]:
    distribution = entry.dist.name if entry.dist else ""
    return distribution != _OWN_DISTRIBUTION, distribution


def _load(name: str, entry: EntryPoint) -> Provider:
    try:
        provider: object = entry.load()
    except (Exception, SystemExit) as error:  # a plugin's import may raise anything
        raise _BrokenError(f"importing {entry.value} raised {type(error).__name__}: {error}") from error
    if not isinstance(provider, Provider):
        raise _BrokenError(f"{entry.value} is a {type(provider).__name__}, not a stt_core.registry.Provider")
    if provider.name != name:
        raise _BrokenError(f"{entry.value} calls itself {provider.name}")
    try:
        provider.verify()
    except ConfigError as error:
        raise _BrokenError(str(error)) from error
    return provider


def _load_all() -> tuple[Mapping[str, Provider], Mapping[str, str]]:
    with _lock:
        entries, failed = _scan()
        found: dict[str, Provider] = {}
        for name, entry in entries.items():
            try:
                found[name] = _load(name, entry)
            except _BrokenError as error:
                failed[name] = str(error)
        for name, reason in failed.items():
            _tell(name, reason)
        _loaded.clear()
        _loaded.update(found)
        every = {**found, **_registered}
        return MappingProxyType({name: every[name] for name in sorted(every)}), MappingProxyType(failed)


def _tell(name: str, reason: str) -> None:
    if (name, reason) not in _told:
        _told.add((name, reason))
        _log.warning("the provider %s is left out: %s", name, reason)
