"""What is gained and lost by putting one config in the place of another."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from ..config import ModelConfig
from ..config import format as written
from ..errors import ConfigError
from ..options import PortableOptions, StreamOptions, STTOptions, fields
from ..provider import Always, normalize_language
from ..registry import resolve
from .layout import listed
from .wording import becomes, in_force, language_of, needs_of, shown_default

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..provider import ModelFamily
    from ..registry import Resolved
    from .layout import Page

__all__ = ["compare"]

_WITH_AND_WITHOUT = {
    "streaming": ("takes live audio", "live audio is cut into segments, which are recognised one by one"),
    "batch": ("takes whole files", "files are streamed"),
    "jobs": ("recognises files as jobs, to be picked up later", "there are no jobs to pick up later"),
    "interim_results": ("tells text before it is sure", "text comes only when it is sure"),
    "turns": ("finds the ends of turns", "where turns end is not found, but inferred"),
    "words": ("gives words", "there are no words one by one"),
    "diarization": ("tells speakers apart", "speakers are not told apart"),
    "keyterms": ("can be told terms to listen for", "it cannot be told terms to listen for"),
    "preflight": ("says that a turn is about to end", "nothing says that a turn is about to end"),
    "confidence": ("says how sure it is", "nothing says how sure it is"),
    "speakers": ("results name the speakers", "results name no speakers"),
    "language": ("says which language it heard", "nothing says which language was heard"),
}
_TIMES = ("none", "window", "session")
_FEW = 8


@dataclass(slots=True)
class _Differences:
    lost: dict[str, str] = field(default_factory=dict[str, str])
    gained: dict[str, str] = field(default_factory=dict[str, str])
    changed: dict[str, str] = field(default_factory=dict[str, str])
    kept: dict[str, str] = field(default_factory=dict[str, str])


def compare(page: Page, one: tuple[ModelConfig, Resolved], other: tuple[ModelConfig, Resolved]) -> None:
    """Write what changes when the second takes the place of the first."""
    (old, before), (new, after) = one, other
    found = _Differences()
    _language(found, before, after)
    _given(found, old, before, new, after)
    _abilities(found, before.family, after.family)
    _options(found, before.family, after.family)
    kinds = [each.family.kind or each.provider.kind for each in (before, after)]
    if kinds[0] != kinds[1]:
        found.changed["works as"] = f"{kinds[1]} instead of {kinds[0]}"
    if before.provider is not after.provider:
        found.changed["needs"] = needs_of(after.provider) or "no key"
    page.text(f"From {written(old)} to {written(new)}")
    page.rows(found.lost.items(), title="Lost")
    page.rows(found.gained.items(), title="Gained")
    page.rows(found.changed.items(), title="Different")
    page.rows(found.kept.items(), title="Options given that it takes, too")
    if not found.lost:
        page.text("Nothing is lost.")


def _language(found: _Differences, before: Resolved, after: Resolved) -> None:
    given = any("language" in layer for layer in before.layers)
    chosen = any("language" in layer for layer in after.layers)
    if given and not chosen and before.language is not None:
        try:
            _, code = after.family.match_language(before.language)
        except ConfigError as error:
            found.lost["language"] = f"{before.language} is refused: {error}"
        else:
            if code != before.vendor_language:
                found.changed["language"] = f"{before.language} is {code} there, not {before.vendor_language}"
            else:
                found.kept["language"] = before.language
    elif (before.language, before.vendor_language) != (after.language, after.vendor_language):
        found.changed["language"] = f"{language_of(after)}; before: {language_of(before)}"
    if lost := _unspoken(before.family, after.family):
        found.lost["languages"] = lost
    if gained := _unspoken(after.family, before.family):
        found.gained["languages"] = gained


def _unspoken(speaker: ModelFamily, other: ModelFamily) -> str:
    """The languages that only the speaker speaks."""
    if other.languages is None:
        return ""
    if speaker.languages is None:
        return f"all beside {_few(sorted(other.languages))}"
    mapped = () if callable(speaker.language_map) else speaker.language_map
    tags = {normalize_language(tag) for tag in (*speaker.languages, *mapped)}
    return _few(sorted(tag for tag in tags if not _speaks(other, tag)))


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more


def _speaks(family: ModelFamily, tag: str) -> bool:
    try:
        family.match_language(tag)
    except ConfigError:
        return False
    return True


def _given(found: _Differences, old: ModelConfig, before: Resolved, new: ModelConfig, after: Resolved) -> None:
    """What the other makes of the options given: its own value, the same in its words, or a refusal."""
    for name, value in old.options.items():
        if name == "language":
            continue
        if name in new.options:
            if in_force(before, name) != in_force(after, name):
                found.changed[name] = f"{in_force(after, name)}; before: {in_force(before, name)}"
            continue
        try:
            there = resolve(ModelConfig(new.provider, new.model, new.language, {**new.options, name: value}))
        except ConfigError as error:
            framework = name in fields(STTOptions) or name in fields(StreamOptions)
            known = framework or after.family.takes(name)
            why = f"refused: {error}" if known else "refused: there is no such option"
            found.lost[name] = f"{why}{_portable_way(name, before.family, after.family)}"
        else:
            found.kept[name] = in_force(there, name)


def _portable_way(name: str, family: ModelFamily, other: ModelFamily) -> str:
    for portable, target in family.portable.items():
        if target == name and other.takes(portable):
            return f"; given as `{portable}` it is taken"
    return ""


def _abilities(found: _Differences, before: ModelFamily, after: ModelFamily) -> None:
    one = {**asdict(before.carries), **asdict(before.capabilities)}
    other = {**asdict(after.carries), **asdict(after.capabilities)}
    for name, (with_it, without) in _WITH_AND_WITHOUT.items():
        if one[name] == other[name]:
            continue
        key = "language heard" if name == "language" else name
        if name == "batch" and other["jobs"]:
            found.changed[name] = "files are recognised as jobs"
            continue
        if one[name]:
            found.lost.setdefault(key, without)
        else:
            found.gained[key] = with_it
    worse = _TIMES.index(other["times"]) - _TIMES.index(one["times"])
    if worse:
        text = {
            "session": "times count from the first sample",
            "window": "times count from an unknown sample",
            "none": "results have no times",
        }[other["times"]]
        (found.lost if worse < 0 else found.gained)["times"] = text
    for name in ("flush", "update"):
        if one[name] != other[name]:
            found.changed[name] = f"{other[name]} instead of {one[name]}"


def _options(found: _Differences, before: ModelFamily, after: ModelFamily) -> None:
    """What can be asked for: portable options first, since a program need not change for them."""
    for name in fields(PortableOptions):
        if name == "language" or name in found.lost or name in found.kept:
            continue
        had, has = _switch(before, name), _switch(after, name)
        if had and not has:
            found.lost[name] = f"as an option: {becomes(after, name)}"
        elif has and not had:
            found.gained[name] = f"as an option; before: {becomes(before, name)}"
        elif not had and becomes(before, name) != becomes(after, name):
            found.changed[name] = f"{becomes(after, name)}; before: {becomes(before, name)}"
    own, others = fields(before.options), fields(after.options)
    shared = fields(PortableOptions)
    if only := [name for name in own if name not in others and name not in shared and name not in found.lost]:
        found.lost["own options"] = listed(only)
    if only := [name for name in others if name not in own and name not in shared]:
        found.gained["own options"] = listed(only)
    for name in own.keys() & others.keys():
        was, is_now = shown_default(own[name]), shown_default(others[name])
        if was != is_now and name not in found.changed and name not in found.kept:
            found.changed[name] = f"by default {is_now}; before: {was}"


def _switch(family: ModelFamily, name: str) -> bool:
    """Whether a portable option can be chosen."""
    return family.takes(name) and not isinstance(family.portable.get(name), Always)
