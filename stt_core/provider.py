"""What a provider says about itself: its models, their options and languages, and where its halves are.

A provider package declares one :class:`Provider` and names it in the entry-point group ``stt_core.providers``::

    PROVIDER = Provider(
        "acme",
        families=(
            ModelFamily(
                "swift",
                models=("swift-1", "swift-1-medical"),
                default_model="swift-1",
                options=SwiftOptions,
                languages=("en", "pt", "cmn"),
                language_map={"zh": "cmn"},
                portable={"keyterms": "hints", "punctuation": Always(True)},
                capabilities=Capabilities(streaming=True, interim_results=True, flush="native"),
                carries=Carries(interims=True, words=True, times="session"),
            ),
        ),
        client="stt_acme.stt:AcmeSTT",
        server="stt_acme.server:AcmeServer",
        env=(EnvVar("ACME_API_KEY", "api_key", required=True),),
    )

Declaring costs nothing: the halves are imported by :meth:`Provider.load_client` and :meth:`Provider.load_server`, and
the options are taken apart when the registry loads the provider (:meth:`Provider.verify`).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, TypeAlias

from .errors import ConfigError, MissingExtraError, UnsupportedError
from .options import FRAMEWORK, OptionsType, PortableOptions, closest, fields

__all__ = [
    "Always",
    "Capabilities",
    "Carries",
    "EnvVar",
    "Kind",
    "LanguageMap",
    "Meaning",
    "ModelFamily",
    "Portable",
    "Provider",
    "normalize_language",
]

Kind: TypeAlias = Literal["socket", "jobs", "local"]
"""How a provider works: over a live connection, by submitted jobs or requests, or in a process of this machine."""

Meaning: TypeAlias = Literal["api_key", "api_secret", "base_url", "rest_url", "ws_url", "token_url"]
"""What an environment variable holds."""

LanguageMap: TypeAlias = Mapping[str, str] | Callable[[str], str | None]
"""From a BCP-47 tag to the vendor's code; a callable gives ``None`` for a tag that it does not know."""


@dataclass(frozen=True, slots=True)
class Always:
    """A portable option that the model has no switch for: only this value of it is accepted, and nothing is sent."""

    value: object


Portable: TypeAlias = str | Always | Callable[[object], Mapping[str, object]]
"""How a family takes a portable option: the name of its own option, a fixed value, or what gives its own options."""


@dataclass(frozen=True, slots=True)
class EnvVar:
    """An environment variable that a provider reads.

    Attributes:
        name: the variable.
        meaning: what it holds; of several with the same meaning the first that is set counts.
        required: nothing works without it, or without the argument that beats it. Of a URL: where it is needed.
        doc: what it is, where the name does not say it.
    """

    name: str
    meaning: Meaning
    required: bool = False
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Carries:
    """What a family's wire tells, and so what its events can hold.

    Attributes:
        turns: where turns begin and end.
        interims: text that may still change.
        grows: what an interim says is not taken back: the next one goes on from there.
        preflight: that a turn is about to end.
        words: the words of a text one by one.
        confidence: how sure it is.
        speakers: who spoke.
        language: which language was heard.
        times: whether times count from the session's first sample, from an unknown one, or are not there.
        lag: seconds of audio that a FINAL may come behind the end of what it says. Where there are no times, a FINAL
            settles what was sent less this much: too little loses words when a connection drops, too much repeats some.
    """

    turns: bool = False
    interims: bool = False
    grows: bool = False
    preflight: bool = False
    words: bool = False
    confidence: bool = False
    speakers: bool = False
    language: bool = False
    times: Literal["session", "window", "none"] = "none"
    lag: float = 1.0


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a family does by itself; what it does not, the framework makes up for or refuses.

    Attributes:
        streaming: it takes live audio; otherwise segments are cut out of the stream and recognised one by one.
        batch: it takes whole files; otherwise they are streamed.
        jobs: recognition of files is submitted and polled.
        interim_results: it can tell what it has heard before it is sure.
        turns: it finds the ends of turns.
        words: it gives words, with times if ``carries.times`` says so.
        diarization: it can tell speakers apart.
        keyterms: it can be told terms to listen for.
        flush: how a segment is finalised on demand: by a message, by injected silence, or by a planned reconnect.
        update: how options change during a stream: by a message, by a planned reconnect, or not at all.
    """

    streaming: bool = False
    batch: bool = False
    jobs: bool = False
    interim_results: bool = False
    turns: bool = False
    words: bool = False
    diarization: bool = False
    keyterms: bool = False
    flush: Literal["native", "silence", "reconnect"] = "reconnect"
    update: Literal["in_band", "reconnect", "none"] = "reconnect"


@dataclass(frozen=True, slots=True, eq=False)
class ModelFamily:
    """Models of a provider that take the same options and speak the same languages.

    Attributes:
        name: what the family is called in messages and tables.
        options: the TypedDict (``total=False``) of its own options, each with a Doc.
        models: the ids known.
        default_model: the id used when the config names none; ``None`` sends none. Only the provider's first family is
            ever asked.
        open_models: ids beyond ``models`` are passed on, if they begin with ``model_prefix``.
        model_prefix: see ``open_models``; of several families that match, the longest prefix wins.
        languages: the vendor's codes, a closed list; ``None`` lets every tag through.
        language_map: from BCP-47 to the vendor's code where they differ. A tag that is not known is tried again without
            its last part: ``pt-BR`` as ``pt``.
        default_language: the tag used when none is given; ``None`` sends none.
        portable: the portable options that the family takes. One that ``options`` declares under its own name needs no
            entry.
        check: called with the family's options once they are valid one by one; gives what is wrong between them, in a
            sentence, or ``None``.
        capabilities: what it does by itself.
        carries: what its wire tells.
        kind: how it works, if not like the provider's others.
        doc: what it is for.
    """

    name: str
    _: KW_ONLY
    options: OptionsType
    models: tuple[str, ...] = ()
    default_model: str | None = None
    open_models: bool = False
    model_prefix: str = ""
    languages: tuple[str, ...] | None = None
    language_map: LanguageMap = field(default_factory=dict[str, str])
    default_language: str | None = None
    portable: Mapping[str, Portable] = field(default_factory=dict[str, Portable])
    check: Callable[[Mapping[str, object]], str | None] | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)
    carries: Carries = field(default_factory=Carries)
    kind: Kind | None = None
    doc: str = ""

    def takes(self, option: str) -> bool:
        """Whether it has this option, as its own or as a portable one."""
        return option in self.portable or option in fields(self.options)

    def match_language(self, tag: str) -> tuple[str, str]:
        """The tag in BCP-47's spelling, and the vendor's code for it.

        Raises:
            ConfigError: it is no language tag, or the family's list is closed and does not have it.
        """
        known = {normalize_language(code): code for code in self.languages or ()}
        spelt = normalize_language(tag)
        rest = spelt
        while rest:
            code = self.language_map(rest) if callable(self.language_map) else self.language_map.get(rest)
            code = known.get(rest) if code is None else code
            if code is not None:
                return spelt, code
            rest = rest.rpartition("-")[0]
        if self.languages is None and _TAG.fullmatch(spelt):
            return spelt, spelt
        if self.languages is None:
            raise ConfigError(f"`{tag[:40]}` is not a BCP-47 language tag such as en or pt-BR")
        mapped = () if callable(self.language_map) else self.language_map
        names = sorted({*known, *mapped})
        raise ConfigError(f"the language `{tag[:40]}` is not among {', '.join(names)}{closest(tag, names)}")


@dataclass(frozen=True, slots=True, eq=False)
class Provider:
    """A provider and its model families.

    Attributes:
        name: what a config string begins with: lower case letters, digits, ``-`` and ``_``.
        families: its model families; the first one serves when no model is named.
        client: ``"package.module:Class"`` of the STT.
        server: ``"package.module:name"`` of the server half; ``None`` without one.
        env: the environment variables it reads.
        auth_modes: words that ``auth=`` takes to say how to sign in with the key, where there is a choice (``jwt``).
        changes_model: calls and running streams may ask for another model, as an option.
        kind: how it works.
        doc: what it is, for tables.
    """

    name: str
    families: tuple[ModelFamily, ...]
    _: KW_ONLY
    client: str
    server: str | None = None
    env: tuple[EnvVar, ...] = ()
    auth_modes: tuple[str, ...] = ()
    changes_model: bool = False
    kind: Kind = "socket"
    doc: str = ""

    def family_for(self, model: str | None) -> ModelFamily:
        """The family that a model belongs to; the first one for ``None``.

        Raises:
            ConfigError: no family has it, and none is open to it.
        """
        if model is None:
            return self.families[0]
        for family in self.families:
            if model in family.models:
                return family
        open_to_it = [each for each in self.families if each.open_models and model.startswith(each.model_prefix)]
        if open_to_it:
            return max(open_to_it, key=lambda family: len(family.model_prefix))
        models = [model for family in self.families for model in family.models]
        raise ConfigError(
            f"{self.name} has no model `{model[:80]}`; it has {', '.join(models)}{closest(model, models)}",
            provider=self.name,
        )

    def load_client(self) -> type[object]:
        """The class of the client half, imported now.

        Raises:
            ConfigError: the package is broken.
            MissingExtraError: it needs a package that is not installed.
        """
        found = self._load(self.client)
        if not isinstance(found, type):
            raise ConfigError(f"`{self.client}` of the provider {self.name} is not a class", provider=self.name)
        return found

    def load_server(self) -> object:
        """The server half, imported now.

        Raises:
            ConfigError: the package is broken.
            MissingExtraError: it needs a package that is not installed.
            UnsupportedError: the provider has none.
        """
        if self.server is None:
            raise UnsupportedError(f"the provider {self.name} has no server half", provider=self.name)
        return self._load(self.server)

    def _load(self, dotted: str) -> object:
        module, _, name = dotted.partition(":")
        try:
            found: object = getattr(importlib.import_module(module), name)
        except MissingExtraError:
            raise
        except (ImportError, AttributeError) as error:
            raise ConfigError(
                f"`{dotted}` of the provider {self.name} cannot be imported: {error}", provider=self.name
            ) from error
        return found

    def verify(self) -> None:
        """Check the declaration; the registry does so before it takes a provider in.

        Raises:
            ConfigError: what is wrong with it.
        """
        for complaint in (
            *_complaints(self),
            *(each for family in self.families for each in _family_complaints(family)),
        ):
            raise ConfigError(f"the provider {self.name} is declared wrongly: {complaint}", provider=self.name)


_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_DOTTED = re.compile(r"\w+(\.\w+)*:\w+")

# What the calls that take options take beside them, so that no option can be called the same.
_PARAMETERS = frozenset(
    {
        "api_key",
        "api_secret",
        "audio",
        "auth",
        "backoff",
        "channels",
        "config",
        "encoding",
        "http_session",
        "language",
        "max_poll_interval",
        "model",
        "on_metrics",
        "on_progress",
        "poll_interval",
        "provider",
        "sample_rate",
        "source",
        "timeout",
    }
)


def _complaints(provider: Provider) -> Iterator[str]:
    if not _NAME.fullmatch(provider.name):
        yield "its name is not made of lower case letters, digits, - and _"
    for dotted in (provider.client, provider.server):
        if dotted is not None and not _DOTTED.fullmatch(dotted):
            yield f"`{dotted}` is not of the form package.module:Name"
    if not provider.families:
        yield "it has no model family"
    for what, names in (
        ("the family", [family.name for family in provider.families]),
        ("the model", [model for family in provider.families for model in family.models]),
    ):
        for name in names:
            if names.count(name) > 1:
                yield f"{what} {name} is there twice"


def _family_complaints(family: ModelFamily) -> Iterator[str]:
    default = family.default_model
    if default is not None and default not in family.models and not family.open_models:
        yield f"the default model {default} of the family {family.name} is not among its models"
    try:
        own = fields(family.options)
        if family.default_language is not None:
            family.match_language(family.default_language)
    except ConfigError as error:
        yield f"family {family.name}: {error}"
        return
    taken = _PARAMETERS.union(*(fields(options) for options in FRAMEWORK))
    portables = fields(PortableOptions)
    for name, declared in own.items():
        if name in taken:
            yield (
                f"the option `{name}` of the family {family.name} is the framework's; "
                "a vendor's field of that name goes through `extra`"
            )
        if declared.required:
            yield f"the option `{name}` of the family {family.name} is required, and a config string need not have any"
    for name, target in family.portable.items():
        if name not in portables or name == "language":
            yield f"`{name}`, which the family {family.name} maps, is no portable option{closest(name, portables)}"
        if isinstance(target, str) and target not in own:
            yield f"the family {family.name} maps `{name}` to `{target}`, which it does not declare"
        if not callable(target) and target != name and name in own:
            yield f"the family {family.name} declares `{name}` and maps it to something else"


_TAG = re.compile(r"([a-z]{2,3}|multi|auto)(-[A-Za-z0-9]{1,8})*")


def normalize_language(tag: str) -> str:
    """A language tag in BCP-47's spelling: ``EN_us`` becomes ``en-US``, ``zh-hans-cn`` becomes ``zh-Hans-CN``."""
    first, *others = tag.replace("_", "-").split("-")
    parts = [first.lower()]
    for part in others:
        if len(parts[-1]) == 1 or not part.isalpha():
            parts.append(part.lower())
        else:
            parts.append({2: part.upper(), 4: part.title()}.get(len(part), part.lower()))
    return "-".join(parts)
