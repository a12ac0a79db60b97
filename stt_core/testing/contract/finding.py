"""From the name of a provider to what can be put to the proof.

A provider's package may have a module ``contract`` with ``subjects(sample: Sample | None) -> Iterable[Subject]``; the
sample is what the user gave. Without one there is at best a :func:`default subject <find_subjects>`, which cannot be
disturbed, and much stays unproven.
"""

from __future__ import annotations

import importlib
import importlib.util
import wave
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ...audio.frames import AudioFormat
from ...config import ModelConfig
from ...errors import AudioError, AudioFileNotFoundError, ConfigError
from ...factory import create_stt
from ...plugins import get_provider, register
from ...provider import Provider
from .report import NotProven
from .subject import Sample, Subject

if TYPE_CHECKING:
    from ...stt import STT

__all__ = ["find_subjects", "read_sample"]

_NOBODY = Sample(b"", AudioFormat(16000), ())


def find_subjects(name: str, sample: Sample | None = None) -> Sequence[Subject]:
    """What a provider's package offers; else, for a local provider and a sample, one made of them.

    Args:
        name: a provider's, or ``package:PROVIDER`` for one that is not installed as a plugin; it is registered.
        sample: speech that it gets right.

    Raises:
        ConfigError: there is no such provider, it is broken, or it needs a sample.
    """
    provider = _imported(name) if ":" in name else get_provider(name)
    module = provider.client.partition(":")[0]
    contract = f"{module.rpartition('.')[0] or module}.contract"
    if _exists(contract):
        make = cast(
            "Callable[[Sample | None], Iterable[Subject]]", getattr(importlib.import_module(contract), "subjects", None)
        )
        if not callable(make):
            raise ConfigError(f"{contract} has no function `subjects`", provider=provider.name)
        return list(make(sample))
    return [_default(provider, contract, sample)]


def _default(provider: Provider, contract: str, sample: Sample | None) -> Subject:
    async def create(_: Sequence[float]) -> STT:
        if provider.kind != "local" or sample is None:
            raise NotProven(f"there is no {contract}, and only a local provider can do with a sample alone")
        return create_stt(ModelConfig(provider.name))

    return Subject(name=provider.name, kind=provider.kind, create=create, sample=sample or _NOBODY, word_tolerance=0.2)


def read_sample(path: Path) -> Sample:
    """A WAV file of 16 bit samples, with what is said in it in a text file of the same name beside it.

    Raises:
        AudioFileNotFoundError: one of the files is not there.
        AudioError: it is no such WAV file, or the text has fewer than four words.
    """
    try:
        with wave.open(str(path)) as file:
            if file.getsampwidth() != 2:
                raise AudioError(f"{path} has samples of {8 * file.getsampwidth()} bits; the kit takes 16")
            audio_format = AudioFormat(file.getframerate(), file.getnchannels())
            data = file.readframes(file.getnframes())
        words = path.with_suffix(".txt").read_text("utf-8").split()
    except FileNotFoundError as error:
        raise AudioFileNotFoundError(
            f"there is no {error.filename}: a sample is a WAV file and, beside it, its words in a .txt of the same name"
        ) from None
    except (wave.Error, EOFError, UnicodeDecodeError) as error:
        raise AudioError(f"the sample {path} cannot be read: {error}") from None
    if len(words) < 4:
        raise AudioError(f"{path.with_suffix('.txt')} has {len(words)} words; it takes four to tell cuts from chance")
    return Sample(data, audio_format, words)


def _imported(name: str) -> Provider:
    module, _, attribute = name.partition(":")
    try:
        found: object = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"`{name}` cannot be imported: {error}") from error
    if not isinstance(found, Provider):
        raise ConfigError(f"`{name}` is a {type(found).__name__}, not a stt_core.registry.Provider")
    try:
        known = get_provider(found.name)
    except ConfigError:
        register(found)
    else:
        if known is not found:
            raise ConfigError(f"there is another provider called {found.name}, and `{name}` has to be the only one")
    return found


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
