"""``stt explain``: what a config string comes to, and what another one would change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .completion import complete_config
from .outcome import guard, verbose_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..config import ModelConfig
    from ..registry import Resolved
    from .layout import Page

__all__ = ["explain"]


@click.command()
@click.argument("config", metavar="[CONFIG]", required=False, shell_complete=complete_config)
@click.argument("other", metavar="[OTHER]", required=False, shell_complete=complete_config)
@verbose_option
def explain(config: str | None, other: str | None, verbose: bool) -> int:
    """Tell what CONFIG comes to, or what is gained and lost with OTHER.

    Without CONFIG it is what every command takes then. A chain is written 'a | b'; of CONFIG its first member is
    compared, with each of OTHER. Nothing is sent, and no key is needed.
    """
    return guard(lambda: _explain(config, other), verbose=verbose)


def _explain(config: str | None, other: str | None) -> int:
    from ..factory import default_config
    from .layout import Page
    from .swap import compare

    page = Page()
    members = _resolved(default_config() if config is None else config)
    if other is None:
        _show(page, members)
    else:
        for instead in _resolved(other):
            compare(page, members[0], instead)
    page.show()
    return 0


def _resolved(config: str) -> list[tuple[ModelConfig, Resolved]]:
    from ..config import parse
    from ..registry import resolve

    return [(member, resolve(member)) for member in parse(config)]


def _show(page: Page, members: Sequence[tuple[ModelConfig, Resolved]]) -> None:
    from ..config import format as written
    from ..options import ChainOptions
    from .wording import defaults, explained, given

    if len(members) > 1:
        page.text(f"A chain of {len(members)}: where one fails, the next goes on.")
    for member, settings in members:
        page.text(written(member))
        page.rows(_facts(member, settings))
        page.rows(given(settings), title="Options given")
        page.rows(_open_portables(settings), title="Portable options not given")
        page.rows(defaults(settings.family.options, settings), title="Its own options by default")
    page.rows(_framework(members), title="The framework's options by default")
    if len(members) > 1:
        page.rows(explained(ChainOptions), title="Options of the chain, as arguments of create_stt")


def _facts(member: ModelConfig, settings: Resolved) -> Iterator[tuple[str, str]]:
    from .layout import listed
    from .wording import language_of, needs_of, said, url_of

    provider, family = settings.provider, settings.family
    yield "provider", f"{provider.name}: {provider.doc}"
    model = settings.model or "left to the vendor"
    chosen = "" if settings.model == member.model else ", the default"
    of = f" (of {family.name})" if family.name != model else ""
    yield "model", f"{model}{chosen}{of}: {family.doc}" if family.doc else f"{model}{chosen}{of}"
    yield "language", language_of(settings)
    yield "works as", family.kind or provider.kind
    yield "needs", needs_of(provider) or "no key"
    if (family.kind or provider.kind) != "local":
        yield "goes to", url_of(settings)
    yield "does by itself", listed(said(family.capabilities))
    yield "results tell", listed(said(family.carries))


def _open_portables(settings: Resolved) -> Iterator[tuple[str, str]]:
    from .wording import portables

    for name, text in portables(settings.family):
        if name not in settings.portable:
            yield name, text


def _framework(members: Sequence[tuple[ModelConfig, Resolved]]) -> Iterator[tuple[str, str]]:
    """What holds in all members: options that none of them was given, and that all of them have."""
    from ..options import StreamOptions, STTOptions
    from ..registry import WITHOUT_EFFECT_LOCALLY
    from .wording import defaults

    for options in (STTOptions, StreamOptions):
        tables = [
            {
                name: text
                for name, text in defaults(options, settings)
                if name != "base_url"  # which the members have told
                and (name not in WITHOUT_EFFECT_LOCALLY or (settings.family.kind or settings.provider.kind) != "local")
            }
            for _, settings in members
        ]
        yield from ((name, text) for name, text in tables[0].items() if all(name in table for table in tables))
