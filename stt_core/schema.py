"""From a TypedDict to checked and documented options.

The types understood are ``bool``, ``int``, ``float``, ``str``, ``None``, ``Literal``, unions, ``list[T]``,
``tuple[A, B]``, ``Mapping[str, T]`` and ``dict[str, T]``, TypedDicts inside, ``object`` for anything, and any other
class for its instances; what else may stand beside them is in :mod:`stt_core.markers`.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Literal, NotRequired, Required, TypeAlias, Union, cast, get_args, get_origin

from typing_extensions import Doc, ReadOnly, TypeAliasType, get_type_hints, is_typeddict

from . import checks
from .checks import At, Check, RefusedError, closest
from .errors import ConfigError
from .markers import Default, Length, OptionField, Pattern, Range, Secret, Unit

__all__ = ["OptionsType", "closest", "fields", "validate"]

OptionsType: TypeAlias = type[Mapping[str, object]]
"""A TypedDict class."""


def fields(options: OptionsType) -> Mapping[str, OptionField]:
    """The options that a TypedDict declares, by name, in its order.

    Raises:
        ConfigError: one of them, or of those nested in it, has no Doc or a type that cannot be checked.
    """
    return _record(options).fields


def validate(options: OptionsType, values: Mapping[str, object], *, owner: str) -> dict[str, object]:
    """Check the values of options, and convert those that are text from a config string.

    Text becomes what the option's type asks for: booleans are exactly ``true`` and ``false``, a list has its key
    repeated (once for a single item), a pair is ``term:1.5`` (split at the last ``:``; where an item may also be plain
    text, only if a number follows), a mapping is JSON.

    Args:
        options: the TypedDict that declares them.
        values: the options given.
        owner: whose options they are, for the message: ``cartesia/ink-2``.

    Raises:
        ConfigError: an unknown name, or a value of the wrong type or outside what is accepted. The message has the
            path to it, what was given (unless secret), what is accepted and the nearest match.
    """
    try:
        return cast("dict[str, object]", _record(options).run(values, At()))
    except RefusedError as refused:
        message = f"{owner}: {refused}"
    # From here, so that no refused value is in a frame, a cause or a context.
    del values
    raise ConfigError(message)


@cache
def _record(options: OptionsType) -> Check:
    return checks.record(options.__name__, _items(options))


@dataclass(frozen=True, slots=True)
class _Markers:
    range: Range | None = None
    length: Length | None = None
    pattern: Pattern | None = None
    unit: Unit | None = None
    default: Default | None = None
    doc: Doc | None = None
    secret: Secret | None = None


_SLOT: dict[object, str] = {
    Range: "range",
    Length: "length",
    Pattern: "pattern",
    Unit: "unit",
    Default: "default",
    Doc: "doc",
    Secret: "secret",
}


def _items(options: OptionsType) -> dict[str, tuple[Check, OptionField]]:
    try:
        hints = get_type_hints(options, include_extras=True)
    except (NameError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"the annotations of {options.__name__} cannot be evaluated ({error}); what they name has to be imported "
            "at run time, not under TYPE_CHECKING"
        ) from error
    required_keys = cast("frozenset[str]", getattr(options, "__required_keys__", frozenset[str]()))
    items: dict[str, tuple[Check, OptionField]] = {}
    for name, hint in hints.items():
        required = name in required_keys
        # Asked of the type itself: where annotations are strings, __required_keys__ has not seen these.
        while (origin := get_origin(hint)) in (Required, NotRequired, ReadOnly):
            required = origin is Required or (required and origin is not NotRequired)
            hint = get_args(hint)[0]
        items[name] = _item(f"{options.__name__}.{name}", name, hint, required=required)
    return items


def _item(where: str, name: str, hint: object, *, required: bool) -> tuple[Check, OptionField]:
    bare, markers = _unwrap(hint, _Markers())
    if not markers.doc or not markers.doc.documentation.strip():
        raise ConfigError(f'{where} has no Doc; write Annotated[..., Doc("what it does")]')
    check = _build(bare, markers, where)
    return check, OptionField(
        name=name,
        type=check.type,
        accepts=check.says,
        choices=check.choices,
        range=check.range,
        default=markers.default,
        unit=check.unit,
        doc=markers.doc.documentation,
        secret=markers.secret is not None,
        required=required,
        fields=check.fields,
    )


def _unwrap(hint: object, markers: _Markers) -> tuple[object, _Markers]:
    """The type without Annotated and aliases, and the markers it inherited, overridden by its own."""
    while True:
        if isinstance(hint, TypeAliasType):
            hint = hint.__value__
        elif get_origin(hint) is Annotated:
            hint, *found = get_args(hint)
            # A forgotten pair of brackets must not make a secret public.
            found = [Secret() if marker is Secret else marker for marker in found]
            markers = replace(markers, **{_SLOT[type(marker)]: marker for marker in found if type(marker) in _SLOT})
        else:
            return hint, markers


def _build(hint: object, outer: _Markers, where: str) -> Check:
    hint, markers = _unwrap(hint, outer)
    inner = replace(markers, length=None)  # a length is that of the outermost list or text
    origin, args = get_origin(hint), get_args(hint)
    wanted = origin or hint
    if hint is None or hint is type(None):
        return checks.none()
    if hint is bool:
        return checks.boolean()
    if hint is int or hint is float:
        return checks.number(cast("type[float]", hint), markers.range, markers.unit)
    if hint is str:
        return checks.text(markers.pattern, markers.length)
    if origin is Literal:
        return checks.choice(args)
    if origin is Union or origin is types.UnionType:
        return checks.union([_build(arg, markers, where) for arg in args])
    if origin is tuple and Ellipsis not in args:
        return checks.pair([_build(arg, inner, where) for arg in args])
    if origin in (list, tuple, Sequence):
        return checks.list_of(_build(args[0], inner, where), markers.length)
    if origin in (dict, Mapping) and args[0] is str:
        return checks.mapping_of(_build(args[1], inner, where))
    if is_typeddict(hint):
        return _record(cast("OptionsType", hint))
    if isinstance(wanted, type) and (wanted is object or wanted.__module__ not in ("builtins", "typing")):
        return checks.instance(cast("type[object]", wanted))
    raise ConfigError(f"{where} has the type {hint}, which cannot be checked; stt_core.schema lists those that can")
