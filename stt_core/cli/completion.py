"""What the shell completes, beside commands, options and files: config strings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click
    from click.shell_completion import CompletionItem

    from ..provider import ModelFamily

__all__ = ["complete_config"]


def complete_config(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Config strings that begin like this: providers and models, then languages, then the names of options.

    Nothing of a chain but its last member is completed, and nothing that is not installed or well formed.
    """
    from click.shell_completion import CompletionItem

    from ..errors import STTError

    before, separator, member = incomplete.rpartition(" | ")
    try:
        return [
            CompletionItem(f"{before}{separator}{candidate}", help=text or None)
            for candidate, text in _candidates(member)
            if candidate.startswith(member)
        ]
    except STTError:
        return []


def _candidates(member: str) -> Iterator[tuple[str, str]]:
    from ..registry import get_provider, providers

    head, mark, tail = member.partition("?")
    name, slash, rest = head.partition("/")
    if mark or ":" in head:
        model = rest.rpartition(":")[0] if ":" in rest else rest
        family = get_provider(name.partition(":")[0]).family_for(model or None)
        yield from _options(family, head, tail) if mark else _languages(family, head)
        return
    for provider in providers().values():
        if not slash:
            yield provider.name, provider.doc
        for family in provider.families:
            for each in family.models:
                yield f"{provider.name}/{each}", family.doc


def _languages(family: ModelFamily, head: str) -> Iterator[tuple[str, str]]:
    spelt = head.rpartition(":")[0]
    mapped = () if callable(family.language_map) else family.language_map
    for tag in (*(family.languages or ()), *mapped):
        yield f"{spelt}:{tag}", ""


def _options(family: ModelFamily, head: str, tail: str) -> Iterator[tuple[str, str]]:
    from ..options import PortableOptions, StreamOptions, STTOptions, fields

    given, ampersand, _ = tail.rpartition("&")
    shared = {name: option for name, option in fields(PortableOptions).items() if name in family.portable}
    tables = (fields(family.options), shared, fields(STTOptions), fields(StreamOptions))
    for name, option in ((name, option) for table in tables for name, option in table.items()):
        start = f"{head}?{given}{ampersand}{name}="
        yield start, option.doc
        for choice in option.choices:
            yield f"{start}{choice}", option.doc
