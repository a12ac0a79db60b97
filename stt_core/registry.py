"""What a config and its options come to: the provider, the model's family, the language, every option checked.

The names that a provider package or an application needs are all here: declarations come from
:mod:`stt_core.provider`, finding providers from :mod:`stt_core.plugins`, keys from :mod:`stt_core.credentials`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from .credentials import Credential, Credentials, resolve_credentials
from .errors import ConfigError
from .options import (
    ChainOptions,
    ChainSettings,
    PortableOptions,
    StreamOptions,
    StreamSettings,
    STTOptions,
    STTSettings,
    closest,
    fields,
    validate,
    with_defaults,
)
from .plugins import broken, get_provider, loaded, providers, register, registered, unregister
from .provider import Always, Capabilities, Carries, EnvVar, Kind, ModelFamily, Portable, Provider

if TYPE_CHECKING:
    from .config import ModelConfig

__all__ = [
    "Always",
    "Capabilities",
    "Carries",
    "Credential",
    "Credentials",
    "EnvVar",
    "Kind",
    "ModelFamily",
    "Portable",
    "Provider",
    "Resolved",
    "broken",
    "get_provider",
    "providers",
    "register",
    "registered",
    "resolve",
    "resolve_credentials",
    "split_chain_options",
    "unregister",
]


@dataclass(frozen=True, slots=True, repr=False)
class Resolved:
    """A member of a config with everything looked up, checked and filled in.

    Attributes:
        provider: the provider.
        family: the family that the model belongs to.
        model: the model's id; ``None`` leaves the choice to the vendor.
        language: the language as asked for, in BCP-47's spelling, else the family's default.
        vendor_language: the vendor's code for it; ``None`` sends none.
        stt: the framework's options for the STT, with defaults.
        stream: the framework's options for streams, with defaults.
        portable: the portable options given, checked.
        options: the family's own options given, checked; portable ones under the vendor's names.
        layers: all options as they were given, the strongest last.
    """

    provider: Provider
    family: ModelFamily
    model: str | None
    language: str | None
    vendor_language: str | None
    stt: STTSettings
    stream: StreamSettings
    portable: Mapping[str, object]
    options: Mapping[str, object]
    layers: tuple[Mapping[str, object], ...] = field(default=())

    def __repr__(self) -> str:
        # Without values: base_url, proxy and an option marked Secret may hold one.
        names = sorted({name for layer in self.layers for name in layer})
        language = f":{self.language}" if self.language else ""
        return f"<Resolved {self.label}{language} {', '.join(names)}>"

    @property
    def label(self) -> str:
        """``provider/model``, or the provider alone where the vendor chooses the model."""
        return _label(self.provider, self.model)

    def with_options(self, *, language: str | None = None, **options: object) -> Resolved:
        """The same with other options on top, which beat those given before; ``None`` keeps the language.

        Where the provider changes models, ``model`` is an option as well.

        Raises:
            ConfigError: as :func:`resolve`; or the provider does not change models.
        """
        family, model = self.family, options.pop("model", None) or self.model
        if not isinstance(model, str | None) or (model != self.model and not self.provider.changes_model):
            raise ConfigError(
                f"{self.label} cannot become {model!r:.60} in this way: make another STT", provider=self.provider.name
            )
        if model != self.model:
            family = self.provider.family_for(model)
        layer = _with_language(options, language)
        if not layer and model == self.model:
            return self
        return _resolve(self.provider, family, model, _stacked(self.layers, layer))


def resolve(
    member: ModelConfig, options: Mapping[str, object] | None = None, *, language: str | None = None
) -> Resolved:
    """Look a member of a config up, check its options and fill in what was left open.

    Args:
        member: the provider, the model, the language and the options of the config.
        options: options given as keywords; they beat the config's.
        language: the language given as a keyword; it beats the config's.

    Raises:
        ConfigError: the provider, the model, the language or an option is unknown, or a value is not accepted. The
            message says what is accepted, what is nearest, and who else has an option of that name.
    """
    provider = get_provider(member.provider)
    family = provider.family_for(member.model)
    model = member.model if member.model is not None else family.default_model
    layers = _stacked((), _with_language(member.options, member.language))
    return _resolve(provider, family, model, _stacked(layers, _with_language(options or {}, language)))


def split_chain_options(options: Mapping[str, object]) -> tuple[ChainSettings, dict[str, object]]:
    """The options of the chain itself, with defaults, and the rest, which goes to every member.

    Raises:
        ConfigError: a value is not accepted.
    """
    names = fields(ChainOptions)
    own = validate(ChainOptions, {name: options[name] for name in options if name in names}, owner="a chain")
    rest = {name: value for name, value in options.items() if name not in names}
    return cast("ChainSettings", with_defaults(ChainOptions, own)), rest


def _with_language(options: Mapping[str, object], language: str | None) -> dict[str, object]:
    if language is None:
        return dict(options)
    if options.get("language", language) != language:
        raise ConfigError(f"two languages are given: {language[:40]} and another one as the option `language`")
    return {**options, "language": language}


WITHOUT_EFFECT_LOCALLY = frozenset(
    {"base_url", "request_timeout", "proxy", "ssl", "extra", "max_pace", "upstream_sample_rate"}
)
"""Options of the framework that are about a vendor's wire; an engine of this machine refuses them."""


def _stacked(layers: tuple[Mapping[str, object], ...], top: Mapping[str, object]) -> tuple[Mapping[str, object], ...]:
    """The layers with another on top; no name stands in two, so that all a portable option came to goes with it."""
    below = [{name: value for name, value in layer.items() if name not in top} for layer in layers]
    return tuple(layer for layer in (*below, top) if layer)


def _label(provider: Provider, model: str | None) -> str:
    return f"{provider.name}/{model}" if model else provider.name


def _resolve(
    provider: Provider, family: ModelFamily, model: str | None, layers: tuple[Mapping[str, object], ...]
) -> Resolved:
    label = _label(provider, model)
    stt: dict[str, object] = {}
    stream: dict[str, object] = {}
    portable: dict[str, object] = {}
    options: dict[str, object] = {}
    made_by: dict[str, str] = {}  # an option of the family, and the portable one that it was translated from
    language = family.default_language
    for layer in layers:
        given = _sort(layer, provider, family, label)
        stt |= validate(STTOptions, given.stt, owner=label)
        stream |= validate(StreamOptions, given.stream, owner=label)
        chosen = validate(PortableOptions, given.portable, owner=label)
        language = cast("str | None", chosen.pop("language", language))
        own = validate(family.options, given.own, owner=label)
        translated = _translate(chosen, family, label)
        _refuse_conflicts(own, translated, label)
        # The vendor's word beats the portable one of an earlier layer.
        for name in own.keys() & made_by.keys():
            portable.pop(made_by.pop(name), None)
        portable |= chosen | {name: value for name, value in own.items() if name in fields(PortableOptions)}
        options |= own
        for origin, values in translated.items():
            options |= values
            made_by |= dict.fromkeys(values, origin)
    complaint = family.check(options) if family.check else None
    if complaint:
        raise ConfigError(f"{label}: {complaint}", provider=provider.name)
    spelt, code = _match_language(family, language, label)
    return Resolved(
        provider=provider,
        family=family,
        model=model,
        language=spelt,
        vendor_language=code,
        stt=cast("STTSettings", with_defaults(STTOptions, stt)),
        stream=cast("StreamSettings", with_defaults(StreamOptions, stream)),
        portable=portable,
        options=options,
        layers=layers,
    )


@dataclass(frozen=True, slots=True)
class _Sorted:
    stt: dict[str, object] = field(default_factory=dict[str, object])
    stream: dict[str, object] = field(default_factory=dict[str, object])
    portable: dict[str, object] = field(default_factory=dict[str, object])
    own: dict[str, object] = field(default_factory=dict[str, object])


def _sort(layer: Mapping[str, object], provider: Provider, family: ModelFamily, label: str) -> _Sorted:
    given = _Sorted()
    own = fields(family.options)
    local = (family.kind or provider.kind) == "local"
    for name, value in layer.items():
        if local and name in WITHOUT_EFFECT_LOCALLY:
            raise ConfigError(
                f"`{name}` has no effect on {label}, which uses no network and takes audio as it is: leave it out",
                provider=provider.name,
            )
        if name in fields(STTOptions):
            given.stt[name] = value
        elif name in fields(StreamOptions):
            given.stream[name] = value
        elif name == "language" or name in family.portable:
            given.portable[name] = value
        elif name in own:
            given.own[name] = value
        else:
            raise ConfigError(_unknown(name, provider, family, label), provider=provider.name)
    return given


def _unknown(name: str, provider: Provider, family: ModelFamily, label: str) -> str:
    if name in fields(ChainOptions):
        return f"`{name}` is an option of a chain as a whole, and {label} is one provider"
    accepted = sorted({*fields(family.options), *family.portable, "language"})
    near = closest(name, {*accepted, *fields(STTOptions), *fields(StreamOptions)})
    others = [provider, *(each for each in loaded().values() if each is not provider)]
    takers = [f"{each.name}/{other.name}" for each in others for other in each.families if other.takes(name)]
    if name in fields(PortableOptions):
        problem = f"{label} does not support `{name}`"
    else:
        problem = f"{label} has no option `{name[:40]}`"
    elsewhere = f"; it is an option of {', '.join(takers[:6])}" if takers else ""
    return f"{problem}{elsewhere}; beside the framework's options it takes {', '.join(accepted)}{near}"


def _translate(chosen: Mapping[str, object], family: ModelFamily, label: str) -> dict[str, dict[str, object]]:
    """For each portable option, the family's own options that it comes to."""
    translated: dict[str, dict[str, object]] = {}
    for name, value in chosen.items():
        target = family.portable[name]
        if isinstance(target, Always):
            if value != target.value:
                always = str(target.value).lower()
                raise ConfigError(f"{label} has no switch for `{name}`, which is always {always}")
            translated[name] = {}
        else:
            values = {target: value} if isinstance(target, str) else target(value)
            translated[name] = validate(family.options, values, owner=f"{label}, for `{name}`")
    return translated


def _refuse_conflicts(own: Mapping[str, object], translated: Mapping[str, Mapping[str, object]], label: str) -> None:
    said = dict.fromkeys(own, "")
    for origin, values in translated.items():
        for name in values:
            if name in said:
                other = said[name] or name
                raise ConfigError(f"{label}: `{origin}` and `{other}` set the same thing; give one of them")
            said[name] = origin


def _match_language(family: ModelFamily, tag: str | None, label: str) -> tuple[str | None, str | None]:
    if tag is None:
        return None, None
    try:
        return family.match_language(tag)
    except ConfigError as error:
        raise ConfigError(f"{label}: {error}") from error
