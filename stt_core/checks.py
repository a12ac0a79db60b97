"""Checks of single values: what a type accepts, how text becomes it, and how a refusal is worded.

Checks are strict (``1`` is no ``bool``, ``"1"`` no ``int``; an ``int`` serves as a ``float``, a list as a tuple) and
convert nothing but :class:`~stt_core.config.OptionText`. They are written out here rather than left to pydantic because
the text rules, the choice within a union and the wording all follow the declared type, and because importing pydantic
and building an adapter costs a program 100 ms before its first word. A test holds them to pydantic's strict mode.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from .config import OptionText, is_secret_text
from .markers import Length, OptionField, Pattern, Range, Unit

if TYPE_CHECKING:
    from typing_extensions import TypeIs


class At(NamedTuple):
    """Where a value is."""

    path: str = ""
    text: bool = False  # inside the JSON of a config string
    secret: bool = False

    def key(self, name: str) -> At:
        """A place one name deeper."""
        return self._replace(path=f"{self.path}.{name[:80]}" if self.path else name[:80])

    def item(self, index: int) -> At:
        """A place one item deeper."""
        return self._replace(path=f"{self.path}[{index}]")


class RefusedError(Exception):
    """A value was refused; whose option it is, is for the caller to add."""

    def __init__(self, at: At, message: str) -> None:
        super().__init__(message)
        self.depth = len(at.path)


def _refused(value: object, at: At, says: str, hint: str = "") -> RefusedError:
    given = "a value that is not shown" if at.secret else _show(value)
    return RefusedError(at, f"option `{at.path}` was given {given}; it takes {says}{hint}")


def _show(value: object) -> str:
    """The value for a message: nothing in it that may be a secret, and no more than fits."""
    if isinstance(value, str):
        if is_secret_text(value) or "@" in value or value.lstrip().startswith("{"):
            return "a value that is not shown"
        return repr(str(value) if len(value) <= 60 else value[:59] + "…")
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 1 << 63):
        return repr(value)
    if _is_list(value) and any(isinstance(item, OptionText) for item in value):
        return "more than once"
    return f"a value of type {type(value).__name__}"


# Checks: one function per kind of type


@dataclass(frozen=True, slots=True)
class Check:
    """A type, taken apart.

    Attributes:
        run: gives the value back, converted, or raises.
        type: the type as it would be annotated.
        says: the same in words, to follow "it takes".
        rank: text becomes the first of a union's members that takes it, the lowest rank first.
    """

    run: Callable[[object, At], object]
    type: str
    says: str
    rank: int
    choices: tuple[str, ...] = ()
    range: Range | None = None
    unit: Unit | None = None
    fields: Mapping[str, OptionField] = field(default_factory=dict[str, OptionField])


Choice: TypeAlias = str | int | bool


def none() -> Check:
    """``None``."""

    def run(value: object, at: At) -> None:
        if value is not None:
            raise _refused(value, at, "None")

    return Check(run, "None", "None", 0)


def boolean() -> Check:
    """``bool``; ``true`` or ``false`` in text."""

    def run(value: object, at: At) -> bool:
        if isinstance(value, OptionText) and value in ("true", "false"):
            return value == "true"
        if not isinstance(value, bool):
            raise _refused(value, at, "true or false")
        return value

    return Check(run, "bool", "true or false", 1)


_INT = re.compile(r"[+-]?[0-9]{1,30}")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def number(kind: type[float], bounds: Range | None, unit: Unit | None) -> Check:
    """``int`` or ``float``, finite and within the bounds."""
    says = "a whole number" if kind is int else "a number"
    says += (f" {bounds}" if bounds else "") + (f" ({unit.symbol})" if unit else "")
    text = _INT if kind is int else _FLOAT

    def run(value: object, at: At) -> float:
        readable = text.fullmatch(value) if isinstance(value, OptionText) else _is_number(value, kind)
        number = kind(cast("float | OptionText", value)) if readable else math.nan
        if not math.isfinite(number) or (bounds and number not in bounds):
            raise _refused(value, at, says)
        return number

    return Check(run, kind.__name__, says, 2 if kind is int else 3, range=bounds, unit=unit)


def _is_number(value: object, kind: type[float]) -> bool:
    # Beyond 64 bits an int is nobody's option, and above 1e308 not a float either.
    wanted = isinstance(value, int) and abs(value) < 1 << 64 and not isinstance(value, bool)
    return wanted or (kind is float and isinstance(value, float))


def text(pattern: Pattern | None, length: Length | None) -> Check:
    """``str``."""
    says = pattern.says if pattern else f"text of {length} characters" if length else "text"

    def run(value: object, at: At) -> str:
        if (
            not isinstance(value, str)
            or (pattern and not re.fullmatch(pattern.regex, value))
            or (length and len(value) not in length)
        ):
            raise _refused(value, at, says)
        return str(value)

    return Check(run, "str", says, 7)


def choice(choices: Sequence[Choice]) -> Check:
    """A ``Literal``."""
    texts = tuple(str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in choices)
    says = " or ".join(f"`{text}`" for text in texts)

    def run(value: object, at: At) -> Choice:
        for choice, text in zip(choices, texts, strict=True):
            if value == text if isinstance(value, OptionText) else _is_choice(value, choice):
                return choice
        raise _refused(value, at, says, closest(value, texts) if isinstance(value, str) else "")

    return Check(run, " | ".join(texts), says, 4, choices=texts)


def _is_choice(value: object, choice: Choice) -> bool:
    return isinstance(value, type(choice)) and isinstance(value, bool) == isinstance(choice, bool) and value == choice


def pair(items: Sequence[Check]) -> Check:
    """A tuple of fixed length; ``a:b`` in text."""
    says = f"({', '.join(item.says for item in items)})"

    def run(value: object, at: At) -> tuple[object, ...]:
        parts: Sequence[object] = ()
        if isinstance(value, OptionText):
            parts = [OptionText(part) for part in value.rsplit(":", len(items) - 1)]
        elif _is_list(value) and not any(isinstance(part, OptionText) for part in value):
            parts = value
        if len(parts) != len(items):
            raise _refused(value, at, says)
        return tuple(item.run(part, at.item(i)) for i, (item, part) in enumerate(zip(items, parts, strict=True)))

    return _combined(run, f"tuple[{', '.join(item.type for item in items)}]", says, 6, items)


def list_of(item: Check, length: Length | None) -> Check:
    """A list or tuple of one kind of item; a repeated key in text."""
    says = f"a list of {length} items" if length else f"a list, each item {item.says}"

    def run(value: object, at: At) -> list[object]:
        items = (value,) if isinstance(value, OptionText) else value
        if not _is_list(items):
            raise _refused(value, at, says)
        if length and len(items) not in length:
            raise RefusedError(at, f"option `{at.path}` was given {len(items)} items; it takes {says}")
        return [item.run(each, at.item(index)) for index, each in enumerate(items)]

    return _combined(run, f"list[{item.type}]", says, 8, [item])


_MAPPING = "a mapping (JSON in a config string)"


def mapping_of(item: Check) -> Check:
    """A mapping of any names to one kind of value; JSON in text."""

    def run(value: object, at: At) -> dict[str, object]:
        mapping, at = _as_mapping(value, at)
        return {name: item.run(each, at.key(name)) for name, each in mapping.items()}

    return _combined(run, f"Mapping[str, {item.type}]", _MAPPING, 5, [item])


def record(name: str, items: Mapping[str, tuple[Check, OptionField]]) -> Check:
    """A TypedDict: each name with its check and what is declared of it; JSON in text."""
    described = {name: described for name, (_, described) in items.items()}
    required = [name for name, described in described.items() if described.required]

    def run(value: object, at: At) -> dict[str, object]:
        mapping, at = _as_mapping(value, at)
        checked: dict[str, object] = {}
        for name, each in mapping.items():
            inner = at.key(name)
            if name not in items:
                accepted = ", ".join(items) or "none"
                hint = closest(name, items)
                raise RefusedError(inner, f"there is no option `{inner.path}`; accepted: {accepted}{hint}")
            if described[name].secret:
                inner = inner._replace(secret=True)
                if at.text or isinstance(each, OptionText):
                    raise RefusedError(
                        inner,
                        f"option `{inner.path}` is a secret and has no place in a config string; pass it by keyword",
                    )
            checked[name] = items[name][0].run(each, inner)
        for name in required:
            if name not in checked:
                raise RefusedError(at.key(name), f"option `{at.key(name).path}` is required")
        return checked

    return Check(run, name, _MAPPING, 5, fields=described)


def instance(wanted: type[object]) -> Check:
    """The instances of a class, as they are."""
    says = "anything" if wanted is object else f"a {wanted.__name__} object"

    def run(value: object, at: At) -> object:
        if not isinstance(value, wanted):
            raise _refused(value, at, says)
        return value

    return Check(run, wanted.__name__, says, 9)


def union(members: Sequence[Check]) -> Check:
    """Whichever member takes the value; if none does, the refusal from deepest inside it."""
    says = " or ".join(dict.fromkeys(member.says for member in members))
    narrow_first = sorted(members, key=lambda member: member.rank)

    def run(value: object, at: At) -> object:
        deepest: RefusedError | None = None
        for member in narrow_first:
            try:
                return member.run(value, at)
            except RefusedError as refused:
                if refused.depth > (deepest.depth if deepest else len(at.path)):
                    deepest = refused
        raise deepest or _refused(value, at, says, closest(value, union.choices) if isinstance(value, str) else "")

    union = _combined(run, " | ".join(member.type for member in members), says, 10, members)
    return union


def _combined(run: Callable[[object, At], object], name: str, says: str, rank: int, parts: Sequence[Check]) -> Check:
    """A check made out of others: what they have to tell about themselves is told by it."""
    return Check(
        run,
        name,
        says,
        rank,
        choices=tuple(choice for part in parts for choice in part.choices),
        range=next((part.range for part in parts if part.range), None),
        unit=next((part.unit for part in parts if part.unit), None),
        fields={name: described for part in parts for name, described in part.fields.items()},
    )


def _is_list(value: object) -> TypeIs[Sequence[object]]:
    return isinstance(value, list | tuple)


def _as_mapping(value: object, at: At) -> tuple[Mapping[str, object], At]:
    given: object = value
    if isinstance(value, OptionText):
        given, at = _from_json(value), at._replace(text=True)
    if isinstance(given, Mapping):
        mapping = cast("Mapping[object, object]", given)
        if all(isinstance(key, str) for key in mapping):
            return cast("Mapping[str, object]", mapping), at
    raise _refused(value, at, _MAPPING)


def _from_json(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key is repeated")
    return dict(pairs)


def _no_constant(name: str) -> object:
    raise ValueError(name)


def closest(name: str, names: Iterable[str]) -> str:
    """``"; did you mean `x`?"`` for the one of the names that is nearest to this one, ``""`` if none is near."""
    known = {each.lower(): each for each in names}
    near = difflib.get_close_matches(name.lower()[:80], known, n=1)
    return f"; did you mean `{known[near[0]]}`?" if near else ""
