"""What stands beside the type of an option: bounds, default, unit, secrecy, and the text that explains it.

::

    class Options(TypedDict, total=False):
        endpointing: Annotated[int, Doc("Silence that ends a segment."), Range(ge=0), Default(25), Unit("ms")]

``Doc`` is required. Bounds hold for every number or text inside a union, list or pair, a length for the list itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from typing_extensions import Doc

__all__ = ["Default", "Doc", "Length", "OptionField", "Pattern", "Range", "Secret", "Unit"]


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def __str__(self) -> str:
        if self.ge is not None and self.le is not None:
            return f"from {self.ge:g} to {self.le:g}"
        bounds = (("of at least", self.ge), ("above", self.gt), ("of at most", self.le), ("below", self.lt))
        return " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)

    def __contains__(self, number: float) -> bool:
        return (
            (self.ge is None or number >= self.ge)
            and (self.gt is None or number > self.gt)
            and (self.le is None or number <= self.le)
            and (self.lt is None or number < self.lt)
        )


@dataclass(frozen=True, slots=True)
class Length:
    """Bounds of the number of items in a list, or of characters in a text."""

    ge: int = 0
    le: int | None = None

    def __str__(self) -> str:
        if self.le is None:
            return f"at least {self.ge}"
        return f"{self.ge} to {self.le}" if self.ge else f"at most {self.le}"

    def __contains__(self, length: int) -> bool:
        return length >= self.ge and (self.le is None or length <= self.le)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression that the whole of a text matches; ``says`` puts it in words."""

    regex: str
    says: str


@dataclass(frozen=True, slots=True)
class Default:
    """The documented default. It is never sent: only the framework's own options are filled in from it.

    Args:
        value: the default.
        says: how to put it where the value does not say it: ``Default(None, "the server's")``.
    """

    value: object
    says: str | None = None

    def __str__(self) -> str:
        if self.says is not None:
            return self.says
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a number: ``s``, ``ms``, ``Hz``."""

    symbol: str


@dataclass(frozen=True, slots=True)
class Secret:
    """The value is never shown, and refused in a config string."""


@dataclass(frozen=True, slots=True)
class OptionField:
    """An option as its TypedDict declares it, for help texts and tables.

    Attributes:
        name: what it is called.
        type: its type, as it would be annotated.
        accepts: the same in words, with range, choices and unit.
        choices: the values of its Literals, or ``()``.
        range: the bounds of its numbers.
        default: its documented default; ``None`` when there is none.
        unit: the unit of its numbers.
        doc: what it does.
        secret: its value is never shown.
        required: it has to be given.
        fields: the options inside, where its values are (or hold) TypedDicts.
    """

    name: str
    type: str
    accepts: str
    choices: tuple[str, ...]
    range: Range | None
    default: Default | None
    unit: Unit | None
    doc: str
    secret: bool = False
    required: bool = False
    fields: Mapping[str, OptionField] = field(default_factory=dict[str, "OptionField"])
