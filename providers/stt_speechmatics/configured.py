"""From the options of a call to the config of its job: what the vendor's API gets, whole and checked.

The document given as ``job_config`` counts as if its fields had been options of the same call: options given together
with it win, and it wins over those given before, the model and the language of the config string included.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict, cast

from stt_core.errors import ConfigError
from stt_core.options import Doc, fields, validate

from .config import MAX_IDENTIFIERS, Blocks, JobDocument, TranscriptionConfig
from .languages import AUTO, LANGUAGES, MULTI, NOT_IDENTIFIED, locale_of
from .options import CLIENT, TARGETS, diarization_of

if TYPE_CHECKING:
    from stt_core.registry import Resolved

__all__ = ["configured", "nested"]

_log = logging.getLogger("stt_speechmatics")

_SWITCHES = (
    "summarization_config",
    "sentiment_analysis_config",
    "topic_detection_config",
    "auto_chapters_config",
    "audio_events_config",
)
"""Blocks that have nothing that must be set, so that ``true`` asks for them."""


class _Given(TypedDict, total=False):
    job_config: Annotated[JobDocument, Doc("The vendor's document.")]


Config = dict[str, object]


def configured(settings: Resolved) -> Config:
    """The config of a job with these settings. It may read a file, so it belongs into a thread.

    Raises:
        ConfigError: it is not accepted by the API; the message has the path of what is wrong. Nothing was sent.
    """
    given = settings.options.get("job_config")
    earlier, together = _before_and_with_document(settings)
    document = {} if given is None else nested(_read(given))
    config = _merged(_merged(_from_options(earlier), document), _from_options(together), told=bool(document))
    transcription = cast("Config", config["transcription_config"])
    _add_model_and_language(transcription, settings, document, own_language="language" in together)
    _normalize(config, transcription)
    for complaint in _complaints(config, transcription, from_options=given is None):
        raise ConfigError(f"{settings.label}: {complaint}", provider=settings.provider.name)
    return _with_extra(config, settings.stt["extra"])


def nested(document: Mapping[str, object]) -> Config:
    """A JobConfig in the form of the API, from either form, checked; fields that are null are left out.

    Raises:
        ConfigError: a field is unknown, not accepted, or there twice.
    """
    checked = validate(_Given, {"job_config": _without_nulls(document)}, owner="speechmatics")
    config = cast("Config", checked["job_config"])
    transcription = dict(cast("Config", config.pop("transcription_config", {})))
    output = dict(cast("Config", config.get("output_config", {})))
    for name in [name for name in config if name in fields(TranscriptionConfig)]:
        _lift(config, name, transcription, "transcription_config")
    if "srt_overrides" in config:
        _lift(config, "srt_overrides", output, "output_config")
        config["output_config"] = output
    return {"transcription_config": transcription, **config}


def _lift(config: Config, name: str, into: Config, where: str) -> None:
    value = config.pop(name)
    if into.setdefault(name, value) != value:
        raise ConfigError(
            f"speechmatics: `job_config.{name}` and `job_config.{where}.{name}` differ: keep one of them",
            provider="speechmatics",
        )


def _without_nulls(document: Mapping[str, object]) -> Config:
    return {name: _cleared(name, value) for name, value in document.items() if value is not None}


def _cleared(name: str, value: object) -> object:
    if isinstance(value, Mapping) and name != "details":  # where a null is the caller's own
        return _without_nulls(cast("Mapping[str, object]", value))
    if isinstance(value, list):
        return [_cleared("", item) for item in cast("list[object]", value)]
    return cast("object", value)


def _read(given: object) -> Mapping[str, object]:
    if isinstance(given, Mapping):
        return cast("Mapping[str, object]", given)
    path = Path(cast("str | os.PathLike[str]", given))
    wrong = f"speechmatics: job_config takes a mapping or the path of a JSON file, and {path.name[:80]!r} "
    try:
        document: object = json.loads(path.expanduser().read_bytes())
    except OSError as error:
        raise ConfigError(f"{wrong}cannot be read: {error.strerror}", provider="speechmatics") from None
    except ValueError:
        raise ConfigError(f"{wrong}is no JSON", provider="speechmatics") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{wrong}holds no JSON object", provider="speechmatics")
    return cast("Mapping[str, object]", document)


# -- putting together ----------------------------------------------------------------------------------------------


def _before_and_with_document(settings: Resolved) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """The options in two: those given before ``job_config``, and those given with or after it."""
    own = {name: value for name, value in settings.options.items() if name not in CLIENT}
    at = next((index for index, layer in enumerate(settings.layers) if "job_config" in layer), 0)
    names = {TARGETS.get(name, name) for layer in settings.layers[at:] for name in layer}
    together = {name: value for name, value in own.items() if name in names}
    if "language" in names:
        together["language"] = settings.vendor_language
    return {name: value for name, value in own.items() if name not in names}, together


def _from_options(options: Mapping[str, object]) -> Config:
    """Options in the form of the API."""
    transcription = {name: value for name, value in options.items() if name in fields(TranscriptionConfig)}
    if "diarization" in transcription:
        transcription["diarization"] = diarization_of(transcription["diarization"])
    blocks = {name: value for name, value in options.items() if name in fields(Blocks)}
    return {"transcription_config": transcription, **blocks}


def _merged(below: Config, above: Config, *, told: bool = False) -> Config:
    """Field by field; what is in a field is not mixed, so that no header for one host goes to another."""
    inside = dict(cast("Config", below.get("transcription_config", {})))
    for name, value in cast("Config", above.get("transcription_config", {})).items():
        _tell(told, f"transcription_config.{name}", inside.get(name, value), value)
        inside[name] = value
    for name, value in above.items():
        if name != "transcription_config":
            _tell(told, name, below.get(name, value), value)
    return {"type": "transcription", **below, **above, "transcription_config": inside}


def _tell(told: bool, path: str, below: object, above: object) -> None:
    if told and below != above:
        _log.info("speechmatics: an option is used in place of job_config.%s, which says something else", path)


def _add_model_and_language(
    transcription: Config, settings: Resolved, document: Mapping[str, object], *, own_language: bool
) -> None:
    said = cast("Config", document.get("transcription_config", {}))
    if not {"model", "operating_point"} & said.keys():
        transcription["model"] = settings.model
    if "language" in said and not own_language:
        return
    transcription["language"] = settings.vendor_language
    locale = locale_of(settings.language or "")
    if locale is not None:
        transcription.setdefault("output_locale", locale)


def _normalize(config: Config, transcription: Config) -> None:
    for name in _SWITCHES:
        if config.get(name) is False:
            del config[name]
        elif config.get(name) is True:
            config[name] = {}
    notified = config.get("notification_config")
    if isinstance(notified, Mapping):
        config["notification_config"] = [notified]
    terms = cast("Sequence[object]", transcription.get("additional_vocab", ()))
    if terms:
        transcription["additional_vocab"] = [{"content": term} if isinstance(term, str) else term for term in terms]


def _with_extra(config: Config, extra: Mapping[str, object]) -> Config:
    merged = dict(config)
    for name, value in extra.items():
        below = merged.get(name)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = _with_extra(dict(cast("Config", below)), cast("Config", value))
        merged[name] = value
    return merged


# -- what goes together --------------------------------------------------------------------------------------------


def _complaints(config: Config, transcription: Config, *, from_options: bool) -> Iterator[str]:
    language = transcription["language"]
    if {"model", "operating_point"} <= transcription.keys():
        yield "`transcription_config.model` and `transcription_config.operating_point` are the same: keep one of them"
    melia = "melia-1" in (transcription.get("model"), transcription.get("operating_point"))
    for name in ("language_hints", "language_hints_strict"):
        if name in transcription and not melia:
            yield f"`transcription_config.{name}` is for melia-1"
    if language == MULTI and not melia:
        yield f"`transcription_config.language` is {MULTI}, which only melia-1 hears: take `{AUTO}`, or name a language"
    locale = cast("str | None", transcription.get("output_locale"))
    if locale is not None and locale.partition("-")[0] not in cast("str", language).split("_"):
        yield f"`transcription_config.output_locale` is {locale}, which is no way to write the language `{language}`"
    yield from _complaints_of_identification(config, language, from_options=from_options)
    diarization = cast("Config", transcription.get("speaker_diarization_config", {}))
    speakers = cast("Sequence[Mapping[str, Sequence[str]]]", diarization.get("speakers", ()))
    identifiers = sum(len(speaker["speaker_identifiers"]) for speaker in speakers)
    if identifiers > MAX_IDENTIFIERS:
        yield (
            f"`transcription_config.speaker_diarization_config.speakers` has {identifiers} speaker_identifiers; "
            f"the API takes {MAX_IDENTIFIERS}"
        )


def _complaints_of_identification(config: Config, language: object, *, from_options: bool) -> Iterator[str]:
    identification = cast("Config | None", config.get("language_identification_config"))
    if identification is None:
        return
    if language != AUTO and from_options:
        yield f"`language_identification_config` needs the language `{AUTO}`, and it is `{language}`"
    uses_default = identification.get("low_confidence_action") == "use_default_language"
    if uses_default and "default_language" not in identification:
        yield (
            "`language_identification_config.default_language` is missing, which "
            "`low_confidence_action` use_default_language needs"
        )
    codes = cast("Sequence[str]", identification.get("expected_languages", ()))
    for index, code in enumerate(codes):
        if code not in LANGUAGES or code in NOT_IDENTIFIED or code == AUTO:
            yield (
                f"`language_identification_config.expected_languages[{index}]` is `{code[:40]}`, which `{AUTO}` never "
                "finds"
            )
