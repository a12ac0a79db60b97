"""Writes what the docs say about providers and options, from their registration: ``make docs``.

``options.md`` is made whole. In README.md it is what stands between ``<!-- generated: NAME -->`` and
``<!-- end of NAME -->``, the figures of the last ``make bench`` among it. ``tests/test_docs.py`` fails where a page is
not what it would be made anew.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NotRequired, TypedDict, cast

from stt_core.cli.describe import portable_of
from stt_core.cli.wording import becomes, lower
from stt_core.options import ChainOptions, PortableOptions, StreamOptions, STTOptions, fields
from stt_core.registry import get_provider

if TYPE_CHECKING:
    from stt_core.markers import OptionField
    from stt_core.options import OptionsType
    from stt_core.provider import ModelFamily, Provider

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
OPTIONS = ROOT / "docs" / "options.md"
RESULTS = ROOT / "benchmarks" / "results.json"
OURS = "stt-core"

INTRODUCTION = """\
# Options

Made by `make docs` from what the providers register; `stt providers NAME` tells the same, for what is installed.

An option goes into the config string (`cartesia/ink-whisper:en?min_volume=0.1`), to `create_stt(config, **options)`, or
to one call: `recognize`, `submit` and `stream` take the same names. The call beats `create_stt`, and that the string.
Durations are seconds unless a unit says otherwise. An unknown option, or one that the model does not take, is a
`ConfigError` before anything is sent.
"""


def pages() -> dict[Path, str]:
    """What each page has to be."""
    shipped = list(_shipped())
    return {OPTIONS: "\n".join(_options_page(shipped)), README: _filled(README.read_text("utf-8"), shipped)}


def _shipped() -> Iterator[Provider]:
    """The providers of this distribution, whatever else is installed; those for tests are no choice for a user."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        registered: Mapping[str, str] = tomllib.load(file)["project"]["entry-points"]["stt_core.providers"]
    for name, place in registered.items():
        if not place.startswith("stt_core."):
            yield get_provider(name)


def _filled(text: str, shipped: Sequence[Provider]) -> str:
    parts = {"providers": _providers(shipped), "portable options": _portable_by_provider(shipped), "speed": _speed()}
    for name, lines in parts.items():
        block = f"<!-- generated: {name} -->\n\n" + "\n".join(lines) + f"\n\n<!-- end of {name} -->"
        text, count = re.subn(
            rf"<!-- generated: {name} -->.*?<!-- end of {name} -->", lambda _, block=block: block, text, flags=re.S
        )
        if count != 1:
            raise SystemExit(f"README.md has {count} places for the generated {name}")
    return text


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        cells = (cell.replace("|", r"\|") for cell in row)
        yield f"| {' | '.join(cells)} |"


# -- README.md -----------------------------------------------------------------------------------------------------


def _providers(shipped: Sequence[Provider]) -> Iterator[str]:
    head = ("provider", "what it is", "live", "files", "jobs", "needs")
    yield from _table(head, map(_provider, shipped))


def _provider(provider: Provider) -> Sequence[str]:
    can = [family.capabilities for family in provider.families]
    needed: dict[str, list[str]] = {}
    for env in provider.env:
        if env.required or env.meaning == "api_key":
            needed.setdefault(env.meaning, []).append(f"`{env.name}`")
    return (
        f"`{provider.name}`",
        provider.doc,
        "yes" if any(each.streaming for each in can) else "cut at pauses",
        "yes" if any(each.batch or each.jobs for each in can) else "as streams",
        "yes" if any(each.jobs for each in can) else "",
        ", ".join(" or ".join(names) for names in needed.values()) or "nothing",
    )


def _portable_by_provider(shipped: Sequence[Provider]) -> Iterator[str]:
    head = ("option", "what it says", *(f"`{provider.name}`" for provider in shipped))
    rows = (
        (f"`{name}`", option.doc, *(_support(provider, name) for provider in shipped))
        for name, option in fields(PortableOptions).items()
    )
    yield from _table(head, rows)


def _support(provider: Provider, name: str) -> str:
    if name == "language":
        return "yes"
    states = {_state(family, name) for family in provider.families}
    return states.pop() if len(states) == 1 else "some models" if "yes" in states else "varies"


def _state(family: ModelFamily, name: str) -> str:
    match portable_of(family).get(name):
        case None:
            return "no"
        case {"always": value}:
            return f"always {lower(value)}"
        case _:
            return "yes"


class _Header(TypedDict):
    mode: str
    processor: str
    cores: int
    python: str
    commit: str


class _Figure(TypedDict):
    """One contender in one benchmark; without ``values`` it is ``missing``, or failed."""

    group: str
    title: str
    unit: str
    target: str
    contender: str
    values: NotRequired[list[float]]
    ratio: NotRequired[float]
    missing: NotRequired[str]


class _Measured(TypedDict):
    header: _Header
    results: list[_Figure]


def _speed() -> Iterator[str]:
    if not RESULTS.exists():
        yield "`make bench` measures it where you are."
        return
    measured = cast("_Measured", json.loads(RESULTS.read_text("utf-8")))
    header = measured["header"]
    yield (
        f"`make bench` on {header['processor']}, {header['cores']} cores, CPython {header['python']}, commit "
        f"{header['commit']}: everybody in the same run and in turns; medians, and their ratio to the bare loop, the "
        "shortest aiohttp program that does the same on the wire. Times drift from run to run; the ratios say more. "
        "Spreads, uvloop, and why somebody is missing, are in [benchmarks/results.md](benchmarks/results.md)."
    )
    yield ""
    head = ("", "unit", "bare loop", "stt-core", "others")
    yield from _table(head, (_measured_row(list(rows)) for _, rows in groupby(measured["results"], _benchmark)))


def _benchmark(figure: _Figure) -> tuple[str, str]:
    return figure["group"], figure["title"]


def _measured_row(figures: Sequence[_Figure]) -> Sequence[str]:
    said = {figure["contender"]: _said(figure) for figure in figures}
    others = [f"{name} {text}" for name, text in said.items() if name not in ("bare", OURS) and "uvloop" not in name]
    what = f"{figures[0]['group']} {figures[0]['title']}"
    return what, figures[0]["unit"], said.get("bare", ""), said.get(OURS, ""), "; ".join(others)


def _said(figure: _Figure) -> str:
    values = figure.get("values")
    if not values:
        return "not installed" if "missing" in figure else "failed"
    middle = median(values)
    digits = 0 if abs(middle) >= 100 else 1 if abs(middle) >= 10 else 2
    ratio = figure.get("ratio")
    beside = "" if ratio is None or figure["contender"] == "bare" else f" ({ratio:.2f}x)"
    return f"{middle:,.{digits}f}{beside}"


# -- options.md ----------------------------------------------------------------------------------------------------


def _options_page(shipped: Sequence[Provider]) -> Iterator[str]:
    yield INTRODUCTION
    yield "## What every provider takes\n"
    yield "To reach the provider:\n"
    yield from _plain(STTOptions)
    yield "\nFor live streams:\n"
    yield from _plain(StreamOptions)
    yield "\nFor a chain as a whole, as arguments of `create_stt`:\n"
    yield from _plain(ChainOptions)
    yield "\nAn engine of this machine refuses those that are about a network.\n"
    yield "Portable options, which each model has under a name of its own or refuses:\n"
    yield from _plain(PortableOptions)
    for provider in shipped:
        yield from _about(provider)
    yield ""


def _plain(options: OptionsType) -> Iterator[str]:
    head = ("option", "what it does", "takes", "default")
    yield from _table(head, (_row(name, option) for name, option in _flat(fields(options))))


def _flat(options: Mapping[str, OptionField], path: str = "") -> Iterator[tuple[str, OptionField]]:
    for option in options.values():
        yield path + option.name, option
        yield from _flat(option.fields, f"{path}{option.name}.")


def _row(name: str, option: OptionField) -> tuple[str, str, str, str]:
    default = "" if option.default is None else str(option.default)
    return f"`{name}`", option.doc, option.accepts, default


def _about(provider: Provider) -> Iterator[str]:
    yield f"\n## {provider.name}\n"
    yield f"{provider.doc}\n"
    if provider.env:
        rows = ((f"`{env.name}`", env.meaning, "yes" if env.required else "", env.doc) for env in provider.env)
        yield from _table(("variable", "what it holds", "required", ""), rows)
        yield ""
    yield from _table(("models", "", "languages", "default language"), map(_models, provider.families))
    yield ""
    head = ("models", "live", "files", "jobs", "interims", "turns", "times", "speakers", "flush", "update")
    yield from _table(head, map(_abilities, provider.families))
    yield "\nPortable options:\n"
    portable = [name for name in fields(PortableOptions) if name != "language"]
    rows = ((family.name, *(becomes(family, name) for name in portable)) for family in provider.families)
    yield from _table(("models", *(f"`{name}`" for name in portable)), rows)
    yield "\nOptions of its own:\n"
    yield from _table(("option", "for", "what it does", "takes", "default"), _own(provider.families))


def _models(family: ModelFamily) -> Sequence[str]:
    models = [f"`{model}`" for model in family.models] or [family.name]
    if family.open_models:
        models.append(f"any other that begins with `{family.model_prefix}`" if family.model_prefix else "any other")
    languages = "any" if family.languages is None else ", ".join(family.languages)
    return ", ".join(models), family.doc, languages, family.default_language or "the vendor's choice"


def _abilities(family: ModelFamily) -> Sequence[str]:
    can, carries = family.capabilities, family.carries
    return (
        family.name,
        "yes" if can.streaming else "cut at pauses",
        "yes" if can.batch or can.jobs else "as streams",
        _yes(can.jobs),
        _yes(can.interim_results),
        _yes(can.turns),
        {"session": "yes", "window": "within a window", "none": ""}[carries.times],
        _yes(carries.speakers),
        can.flush,
        can.update,
    )


def _yes(what: bool) -> str:
    return "yes" if what else ""


def _own(families: Sequence[ModelFamily]) -> Iterator[tuple[str, ...]]:
    """The options of all families, each once: many are shared."""
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for family in families:
        for name, option in _flat(fields(family.options)):
            rows.setdefault(_row(name, option), []).append(family.name)
    for (name, *rest), takers in sorted(rows.items(), key=lambda row: -len(row[1])):
        yield name, "all" if len(takers) == len(families) else ", ".join(takers), *rest


if __name__ == "__main__":
    for page, content in pages().items():
        page.write_text(content, "utf-8")
