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
from types import ModuleType
from typing import TYPE_CHECKING, cast

from ...audio.frames import AudioFormat
from ...config import ModelConfig
from ...errors import AudioError, AudioFileNotFoundError, ConfigError, STTError
from ...factory import create_stt
from ...options import closest
from ...plugins import broken, get_provider, loaded, register
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
    provider = _imported(name) if ":" in name else _named(name)
    module = provider.client.partition(":")[0]
    contract = f"{module.rpartition('.')[0] or module}.contract"
    if not _exists(contract):
        return [_default(provider, contract, sample)]
    make: object = getattr(_loaded(contract, provider), "subjects", None)
    if not callable(make):
        raise ConfigError(f"{contract} has no function `subjects`", provider=provider.name)
    found = list(cast("Callable[[Sample | None], Iterable[Subject]]", make)(sample))
    wrong = [each for each in cast("Sequence[object]", found) if not isinstance(each, Subject)]
    if wrong or not found:
        given = type(wrong[0]).__name__ if wrong else "nothing"
        raise ConfigError(f"`subjects` of {contract} gives Subjects, and gave {given}", provider=provider.name)
    return found


def _loaded(contract: str, provider: Provider) -> ModuleType:
    try:
        return importlib.import_module(contract)
    except STTError:
        raise
    except Exception as error:  # a stranger's module may raise anything
        raise ConfigError(
            f"{contract} cannot be imported: {type(error).__name__}: {error}", provider=provider.name
        ) from error


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


def _named(name: str) -> Provider:
    try:
        return get_provider(name)
    except ConfigError as error:
        if name in broken() or not _exists(name):
            raise
        raise ConfigError(
            f"{error}; there is a package `{name}`: name its provider as well, such as `{name}:PROVIDER`"
        ) from None


def _imported(name: str) -> Provider:
    module, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), attribute]):
        raise ConfigError(
            f"`{name}` is not of the form package:PROVIDER, such as stt_acme:PROVIDER or stt_acme.registration:PROVIDER"
        )
    try:
        package = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise ConfigError(f"`{name}` cannot be imported: {error}") from error
        raise ConfigError(
            f"`{name}` cannot be imported: {error}; install its package (pip install -e .), or run python -m pytest in "
            "the folder that holds it"
        ) from None
    except Exception as error:  # a stranger's module may raise anything
        raise ConfigError(f"`{name}` cannot be imported: {type(error).__name__}: {error}") from error
    declared = [each for each, value in vars(package).items() if isinstance(value, Provider)]
    if not hasattr(package, attribute):
        told = ", ".join(declared) if declared else "none at all"
        raise ConfigError(
            f"{module} has no `{attribute}`; the providers in it are: {told}{closest(attribute, declared)}"
        )
    found: object = getattr(package, attribute)
    if not isinstance(found, Provider):
        raise ConfigError(f"`{name}` is a {type(found).__name__}, not a stt_core.provider.Provider")
    if loaded().get(found.name) is not found:
        _take_in(found, name)
    return found


def _take_in(found: Provider, name: str) -> None:
    try:
        known = get_provider(found.name)
    except ConfigError:
        register(found)
        return
    if known is not found:
        raise ConfigError(
            f"another provider is called {found.name} too, that of {known.client}: rename `{name}`, or remove that"
        )


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):
        return False
