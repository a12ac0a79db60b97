"""From a config string to an ``STT``, and from a file straight to its words."""

from __future__ import annotations

import os
from traceback import clear_frames
from typing import TYPE_CHECKING, cast

from .config import parse
from .errors import STTError, UnsupportedError
from .registry import get_provider

if TYPE_CHECKING:
    from collections.abc import Callable

    from .audio.frames import Encoding
    from .audio.source import AudioLike
    from .config import Config
    from .stt import STT
    from .transcript import Transcript

__all__ = ["DEFAULT_CONFIG", "create_stt", "default_config"]

DEFAULT_CONFIG = "pocketsphinx/en-us"
"""The embedded engine: it needs no key and no network."""


def default_config() -> str:
    """The config used where none is given: the environment variable ``STT_CORE_MODEL``, else the embedded engine."""
    return os.environ.get("STT_CORE_MODEL") or DEFAULT_CONFIG


def create_stt(config: Config | None = None, /, **options: object) -> STT:
    """Makes the STT that a config string names.

    Args:
        config: ``provider[/model][:language][?option=value&...]``, or a mapping with the same fields. ``None`` takes
            the environment variable ``STT_CORE_MODEL``, else the embedded engine.
        **options: as for :class:`~stt_core.stt.STT`; they beat those of the string.

    Raises:
        ConfigError: the string, the provider, the model, the language, an option or a credential is wrong or missing.
        MissingExtraError: the provider needs a package that is not installed.
    """
    if config is None:
        config = default_config()
    members = parse(config)
    if len(members) != 1:
        raise UnsupportedError("chains of providers are not available yet: give a single one")
    client = cast("Callable[..., STT]", get_provider(members[0].provider).load_client())
    try:
        return client(members[0], **options)
    except STTError as error:
        # Error trackers send the locals of frames home, and these hold the keys that were given.
        clear_frames(error.__traceback__)
        options.clear()
        raise


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
