"""What is registered, in words."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

from ..config import is_secret_text
from ..options import PortableOptions, StreamOptions, STTOptions, fields
from ..provider import Always
from .describe import is_set
from .layout import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..markers import OptionField
    from ..options import OptionsType
    from ..provider import Capabilities, Carries, EnvVar, ModelFamily, Provider
    from ..registry import Resolved

__all__ = [
    "becomes",
    "defaults",
    "explained",
    "given",
    "in_force",
    "language_of",
    "lower",
    "needs_of",
    "portables",
    "said",
    "shown_default",
    "state_of",
    "url_of",
]


def state_of(env: EnvVar) -> str:
    """Whether a variable is set, and that it has to be."""
    if is_set(env):
        return "is set"
    return "is not set, and needed" if env.required else "is not set"


def needs_of(provider: Provider) -> str:
    """What a provider needs in the environment; variables of the same meaning stand for each other."""
    meanings: dict[str, list[EnvVar]] = {}
    for env in provider.env:
        if env.required or env.meaning in ("api_key", "api_secret"):
            meanings.setdefault(env.meaning, []).append(env)
    return ", ".join(
        f"{' or '.join(env.name for env in same)} "
        f"({'is set' if any(map(is_set, same)) else 'is not set'}"
        f"{'' if any(env.required for env in same) else ', not always needed'})"
        for same in meanings.values()
    )


def said(declared: Capabilities | Carries) -> Iterator[str]:
    """What is there; of what is not a matter of yes or no, which."""
    for name, value in asdict(declared).items():
        if value is True:
            yield name
        elif value is not False:
            yield f"{name} {value:g} s" if isinstance(value, float) else f"{name}: {value}"


def explained(options: OptionsType) -> Iterator[tuple[str, str]]:
    """The options of a TypedDict: what each does, takes, and is by default; then those inside it."""
    return _explained(fields(options), "")


def _explained(options: Mapping[str, OptionField], indent: str) -> Iterator[tuple[str, str]]:
    for option in options.values():
        default = "" if option.default is None else f"  [default: {option.default}]"
        yield f"{indent}{option.name}", f"{option.doc} It takes {option.accepts}.{default}"
        yield from _explained(option.fields, f"{indent}  ")


def portables(family: ModelFamily) -> Iterator[tuple[str, str]]:
    """What becomes of each portable option."""
    for name in fields(PortableOptions):
        if name != "language":
            yield name, becomes(family, name)


def becomes(family: ModelFamily, name: str) -> str:
    """What a family makes of a portable option."""
    target = family.portable.get(name)
    if isinstance(target, Always):
        return f"always {lower(target.value)}"
    if target is None:
        return "an option of its own" if name in fields(family.options) else "not supported"
    return f"sent as {target}" if isinstance(target, str) else "sent in the vendor's way"


def language_of(settings: Resolved) -> str:
    """The language in force, and what the vendor is told."""
    family = settings.family
    if settings.language is None:
        return "none is sent: the vendor decides"
    given = any("language" in layer for layer in settings.layers)
    origin = "" if given else ", the default"
    if settings.language == settings.vendor_language:
        return f"{settings.language}{origin}"
    return (
        f"{settings.language}{origin}, which is {settings.vendor_language} for {settings.provider.name} {family.name}"
    )


def url_of(settings: Resolved) -> str:
    """Where audio goes: the URL given, else the variables that have one, by name, else the vendor's."""
    given = settings.stt["base_url"]
    if given is not None:
        return shown(fields(STTOptions)["base_url"], given)
    variables = [env.name for env in settings.provider.env if env.meaning.endswith("_url") and is_set(env)]
    return f"the URL in {' and '.join(variables)}" if variables else "the vendor"


def given(settings: Resolved) -> Iterator[tuple[str, str]]:
    """The options that were given, and what becomes of them."""
    for layer in settings.layers:
        for name in layer:
            if name != "language":
                yield name, in_force(settings, name)


def in_force(settings: Resolved, name: str) -> str:
    """The value of an option that was given, and under which of the vendor's names it is sent."""
    for options, values in ((STTOptions, settings.stt), (StreamOptions, settings.stream)):
        if name in fields(options):
            return shown(fields(options)[name], cast("Mapping[str, object]", values)[name])
    own = fields(settings.family.options)
    if name not in settings.portable:
        return shown(own[name], settings.options[name])
    value, target = settings.portable[name], settings.family.portable.get(name)
    text = shown(own.get(name), value)
    if isinstance(target, Always):
        return f"{text}; always so, nothing is sent"
    if target is None:
        return text
    sent = {target: value} if isinstance(target, str) else target(value)
    names = listed(f"{each}={shown(own.get(each), settings.options.get(each, sent[each]))}" for each in sent)
    return f"{text}; sent as {names}"


def defaults(options: OptionsType, settings: Resolved) -> Iterator[tuple[str, str]]:
    """What holds for the options that were not given."""
    given = {name for layer in settings.layers for name in layer}
    for name, option in fields(options).items():
        if name not in given and name not in settings.options:
            yield name, shown_default(option)


def shown_default(option: OptionField) -> str:
    """A default, in the words that its declaration has for it."""
    default = option.default
    if default is None:
        return "not sent"
    if default.says is not None:
        return default.says
    return shown(option, default.value)


def shown(option: OptionField | None, value: object) -> str:
    """An option's value, unless it may be a secret."""
    text = lower(value) if isinstance(value, bool | int | float | str) else json.dumps(value, default=str)
    if (option and option.secret) or is_secret_text(text):
        return "(not shown)"
    unit = f" {option.unit.symbol}" if option and option.unit and isinstance(value, int | float) else ""
    return f"{text}{unit}"


def lower(value: object) -> str:
    """A value as a config string has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
