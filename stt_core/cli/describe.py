"""What is registered about a provider, as plain data: all that ``stt providers`` tells comes from here.

The form is that of ``stt providers --json``. Keys are added to it, and none is taken away or changes its meaning.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeAlias, cast

from ..options import ChainOptions, OptionsType, PortableOptions, StreamOptions, STTOptions, fields
from ..provider import Always, EnvVar, ModelFamily, Provider
from ..registry import WITHOUT_EFFECT_LOCALLY

if TYPE_CHECKING:
    from ..markers import OptionField

__all__ = ["Json", "describe", "is_set", "portable_of"]

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


def describe(providers: Mapping[str, Provider], broken: Mapping[str, str]) -> dict[str, Json]:
    """The document: the providers, the plugins that do not work, and the options that are not one provider's alone."""
    return {
        "providers": [_provider(provider) for provider in providers.values()],
        "broken": dict(broken),
        "options": {
            "stt": _options(STTOptions),
            "stream": _options(StreamOptions),
            "chain": _options(ChainOptions),
            "portable": _options(PortableOptions),
        },
    }


def is_set(env: EnvVar) -> bool:
    """Whether the variable has a value; blank counts as unset."""
    return bool(os.environ.get(env.name, "").strip())


def portable_of(family: ModelFamily) -> dict[str, Json]:
    """The portable options that a family takes, each with what becomes of it.

    ``{"option": name}``: an option of the family's own; ``{"always": value}``: only this value is accepted, and nothing
    is sent; ``{"computed": true}``: options of its own that depend on the value.
    """
    found: dict[str, Json] = {}
    for name in fields(PortableOptions):
        target = family.portable.get(name)
        if isinstance(target, Always):
            found[name] = {"always": _json(target.value)}
        elif isinstance(target, str):
            found[name] = {"option": target}
        elif target is not None:
            found[name] = {"computed": True}
        elif name in fields(family.options):
            found[name] = {"option": name}
    return found


def _provider(provider: Provider) -> Json:
    return {
        "name": provider.name,
        "doc": provider.doc,
        "kind": provider.kind,
        "server": provider.server is not None,
        "auth_modes": list(provider.auth_modes),
        "environment": [
            {"name": env.name, "meaning": env.meaning, "required": env.required, "doc": env.doc, "set": is_set(env)}
            for env in provider.env
        ],
        "families": [_family(family, family.kind or provider.kind) for family in provider.families],
    }


def _family(family: ModelFamily, kind: str) -> Json:
    mapped = family.language_map
    return {
        "name": family.name,
        "doc": family.doc,
        "kind": kind,
        "models": list(family.models),
        "default_model": family.default_model,
        "open_models": family.open_models,
        "model_prefix": family.model_prefix,
        "languages": None if family.languages is None else list(family.languages),
        "language_map": None if callable(mapped) else dict(mapped),
        "default_language": family.default_language,
        "capabilities": asdict(family.capabilities),
        "carries": asdict(family.carries),
        "portable": portable_of(family),
        "refuses": sorted(WITHOUT_EFFECT_LOCALLY) if kind == "local" else [],
        "options": _options(family.options),
    }


def _options(options: OptionsType) -> list[Json]:
    return [_option(option) for option in fields(options).values()]


def _option(option: OptionField) -> Json:
    default = option.default
    return {
        "name": option.name,
        "doc": option.doc,
        "type": option.type,
        "accepts": option.accepts,
        "choices": list(option.choices),
        "range": None if option.range is None else asdict(option.range),
        "unit": None if option.unit is None else option.unit.symbol,
        "default": None if default is None else {"value": _json(default.value), "text": str(default)},
        "secret": option.secret,
        "required": option.required,
        "fields": [_option(inner) for inner in option.fields.values()],
    }


def _json(value: object) -> Json:
    """A default as JSON has it: what is not of its kinds is written out."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_json(item) for item in cast("Sequence[object]", value)]
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in cast("Mapping[object, object]", value).items()}
    return str(value)
