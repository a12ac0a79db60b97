"""From a config string to an ``STT``, and from a file straight to its words."""

from __future__ import annotations

import os
from collections.abc import Mapping
from traceback import clear_frames
from typing import TYPE_CHECKING, cast

from .config import parse
from .errors import ConfigError, STTError
from .registry import get_provider, resolve, split_chain_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .audio.frames import Encoding
    from .audio.source import AudioLike
    from .config import Config, ModelConfig
    from .metrics import MetricsCallback
    from .stt import STT
    from .transcript import Transcript

__all__ = ["DEFAULT_CONFIG", "create_stt", "default_config"]

CREDENTIALS = ("api_key", "api_secret", "auth")

DEFAULT_CONFIG = "pocketsphinx/en-us"
"""The embedded engine: it needs no key and no network."""


def default_config() -> str:
    """The config used where none is given: the environment variable ``STT_CORE_MODEL``, else the embedded engine."""
    return os.environ.get("STT_CORE_MODEL") or DEFAULT_CONFIG


def create_stt(config: Config | None = None, /, **options: object) -> STT:
    """Makes the STT that a config string names.

    Args:
        config: ``provider[/model][:language][?option=value&...]``, or a mapping with the same fields; several of them,
            joined by `` | `` or in a sequence, are a chain. ``None`` takes the environment variable ``STT_CORE_MODEL``,
            else the embedded engine.
        **options: as for :class:`~stt_core.stt.STT`; they beat those of the string. Of a chain they go to every member,
            and its own are :class:`~stt_core.options.ChainOptions`. ``api_key``, ``api_secret`` and ``auth`` may be
            mappings from provider to credential, of which each takes its own; for a chain they have to be.
            ``on_metrics`` is called with what is worth measuring; see :mod:`stt_core.metrics`.

    Raises:
        ConfigError: the string, the provider, the model, the language, an option or a credential is wrong or missing.
        MissingExtraError: the provider needs a package that is not installed.
    """
    if config is None:
        config = default_config()
    on_metrics = cast("MetricsCallback | None", options.pop("on_metrics", None))
    try:
        members = parse(config)
        stt = _client(members[0], options) if len(members) == 1 else _chain(members, options)
    except STTError as error:
        # Error trackers send the locals of frames home, and these hold the keys that were given.
        clear_frames(error.__traceback__)
        options.clear()
        config = None  # what was refused in it may be one
        raise
    stt.on_metrics = on_metrics
    return stt


def _client(member: ModelConfig, options: Mapping[str, object]) -> STT:
    client = cast("Callable[..., STT]", get_provider(member.provider).load_client())
    return client(member, **{**options, **_own_credentials(member.provider, options)})


def _own_credentials(provider: str, options: Mapping[str, object]) -> dict[str, object]:
    """Of credentials that are given for several providers, this one's: a program keeps them when its string changes."""
    own: dict[str, object] = {}
    for name in CREDENTIALS:
        value = options.get(name)
        if isinstance(value, Mapping):
            keys = cast("Mapping[str, object]", value)
            for other in keys:
                get_provider(other)
            own[name] = keys.get(provider)
    return own


def _chain(members: Sequence[ModelConfig], options: Mapping[str, object]) -> STT:
    from .fallback import FallbackSTT
    from .members import shared

    names = sorted({member.provider for member in members})
    for name in CREDENTIALS:
        if options.get(name) is not None and not isinstance(options[name], Mapping):
            raise ConfigError(
                f"{name}= of a chain is a mapping from provider to credential, such as {name}={{{names[0]!r}: ...}}; "
                f"its providers are {', '.join(names)}"
            )
    chain, rest = split_chain_options(options)
    apart = {name: rest.pop(name) for name in (*CREDENTIALS, "http_session") if name in rest}
    return FallbackSTT([_client(member, {**shared(resolve(member), rest), **apart}) for member in members], chain=chain)


def transcribe(
    audio: AudioLike,
    config: Config | None = None,
    /,
    *,
    timeout: float | None = None,
    sample_rate: int | None = None,
    channels: int | None = None,
    encoding: Encoding | None = None,
    **options: object,
) -> Transcript:
    """Recognises one piece of audio, and waits for it.

    Works anywhere: in a script, a thread, a notebook, and inside a running event loop, which it blocks.

    Args:
        audio: see :meth:`stt_core.stt.STT.recognize`.
        config: see :func:`create_stt`.
        timeout: seconds for everything.
        sample_rate: of an array or of raw samples.
        channels: of raw samples.
        encoding: of raw samples.
        **options: as for :func:`create_stt`.

    Raises:
        STTError: see :meth:`stt_core.stt.STT.recognize`.
    """
    with create_stt(config, **options).sync() as stt:
        return stt.recognize(audio, timeout=timeout, sample_rate=sample_rate, channels=channels, encoding=encoding)
