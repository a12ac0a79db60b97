"""``stt providers``: what is installed, and all that its registration says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .completion import complete_config
from .outcome import guard, verbose_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..provider import ModelFamily, Provider

__all__ = ["providers"]


@click.command()
@click.argument("name", metavar="[NAME[/MODEL]]", required=False, shell_complete=complete_config)
@click.option("--json", "as_json", is_flag=True, help="All of it, for programs.")
@verbose_option
def providers(name: str | None, as_json: bool, verbose: bool) -> int:
    """Tell which providers there are, or all about one.

    That is: its models, languages, options, environment variables and capabilities. Of a variable it is told whether it
    is set, and never what to.
    """
    return guard(lambda: _tell(name, as_json=as_json), verbose=verbose)


def _tell(name: str | None, *, as_json: bool) -> int:
    from ..config import parse
    from ..registry import broken, get_provider
    from ..registry import providers as installed

    failed: Mapping[str, str] = {}
    if name is None:
        found, failed, model = installed(), broken(), None
    else:
        member = parse(name)[0]
        found, model = {member.provider: get_provider(member.provider)}, member.model
    if as_json:
        import json

        from .describe import describe

        click.echo(json.dumps(describe(found, failed), ensure_ascii=False, indent=2))
    elif name is None:
        _list(found, failed)
    else:
        for provider in found.values():
            _show(provider, provider.families if model is None else [provider.family_for(model)])
    return 0


def _list(found: Mapping[str, Provider], failed: Mapping[str, str]) -> None:
    from .layout import Page, listed
    from .wording import needs_of

    page = Page()
    page.rows(
        (name, f"{provider.doc} Models: {listed(model for each in provider.families for model in each.models)}.")
        for name, provider in found.items()
    )
    needs = {name: needs_of(provider) for name, provider in found.items()}
    page.rows(
        ((name, need) for name, need in needs.items() if need), title="Needed in the environment, or as arguments"
    )
    page.rows(failed.items(), title="Installed, but broken")
    page.text("stt providers NAME tells all about one.")
    page.show()


def _show(provider: Provider, families: Sequence[ModelFamily]) -> None:
    from ..options import PortableOptions, StreamOptions, STTOptions
    from .layout import Page
    from .wording import explained, portables, state_of

    page = Page()
    page.text(f"{provider.name}: {provider.doc}")
    page.rows(((env.name, f"{state_of(env)}. {env.doc}") for env in provider.env), title="Environment")
    for family in families:
        page.text(f"{provider.name}, {family.name}: {family.doc}")
        page.rows(_facts(provider, family))
        page.rows(portables(family), title="Portable options")
        page.rows(explained(family.options), title="Options")
    page.text("What all providers share")
    page.rows(explained(PortableOptions), title="Portable options, where the model has them")
    page.rows(explained(STTOptions), title="To reach the provider")
    page.rows(explained(StreamOptions), title="For live streams")
    page.show()


def _facts(provider: Provider, family: ModelFamily) -> Iterator[tuple[str, str]]:
    from .layout import listed
    from .wording import said

    models = [f"{model} (the default)" if model == family.default_model else model for model in family.models]
    if family.open_models:
        models.append(f"any other that begins with {family.model_prefix}" if family.model_prefix else "any other")
    yield "models", listed(models)
    yield "works as", family.kind or provider.kind
    yield "languages", "any BCP-47 tag" if family.languages is None else listed(family.languages)
    if family.language_map and not callable(family.language_map):
        yield "and, written", listed(f"{tag} for {code}" for tag, code in family.language_map.items())
    yield "if none is given", family.default_language or "the vendor decides"
    yield "does by itself", listed(said(family.capabilities))
    yield "results tell", listed(said(family.carries))
    if provider.server:
        yield "stt serve", "speaks its protocol"
