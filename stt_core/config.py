"""The config string: ``provider[/model][:language][?option=value&...]``, members joined by `` | `` into a chain.

::

    cartesia/ink-2:en | livekit/deepgram/nova-3:multi?endpointing=50 | pocketsphinx/en-us

It is split on `` | ``, then at the first ``?``, then at ``&``, then at the first ``=``; the language follows the last
``:`` before the ``?``; the model follows the first ``/``. After splitting each piece is percent-decoded (RFC 3986, so
``+`` is a plus). Written out, ``%`` and `` | `` are escaped everywhere, ``:`` and ``?`` in a model, ``&`` in a value.
``parse(format(parse(s))) == parse(s)`` holds for every string that parses.

What an option is called and which values it takes is not known here; :mod:`stt_core.options` converts and checks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, cast
from urllib.parse import unquote_to_bytes

from .errors import ConfigError

if TYPE_CHECKING:
    from typing_extensions import TypeIs

__all__ = ["Config", "ModelConfig", "OptionText", "OptionValue", "format", "is_secret_text", "parse"]


class OptionText(str):
    """The text of an option in a config string: to be converted to the option's type, as a Python value is not."""

    __slots__ = ()


OptionValue: TypeAlias = "str | int | float | bool | Sequence[OptionValue] | Mapping[str, OptionValue] | None"
"""What an option may hold: :class:`OptionText`, a tuple of them for a repeated key, or any JSON-like Python value."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """One member of a chain, as written: nothing in it has been looked up yet.

    Attributes:
        provider: the registered name of the provider.
        model: the model's id, ``None`` for the provider's default.
        language: the language tag as written, ``None`` for the model's default.
        options: from a config string, :class:`OptionText` or a tuple of them for a repeated key; from a mapping, the
            values as they were given.
    """

    provider: str
    model: str | None = None
    language: str | None = None
    options: Mapping[str, OptionValue] = field(default_factory=dict[str, OptionValue], hash=False)


Config: TypeAlias = str | Mapping[str, object] | ModelConfig | Sequence[str | Mapping[str, object] | ModelConfig]
"""What names a model or a chain: a config string, a mapping with the fields of :class:`ModelConfig`, or several."""


def parse(config: Config) -> tuple[ModelConfig, ...]:
    """Read a config; a chain has more than one member.

    Raises:
        ConfigError: it is not well formed, or there is a secret in it. The message never repeats an option's value.
    """
    try:
        return tuple(_members(config))
    except ConfigError as error:
        message = error.message
    # Raised from here and without the argument, so that a refused secret is in no frame, cause or context.
    del config
    raise ConfigError(message)


def format(members: ModelConfig | Sequence[ModelConfig]) -> str:  # noqa: A001 - the opposite of parse, used as config.format
    """Write the members of a chain as a config string.

    Raises:
        ConfigError: there is no member, or a value that a config string cannot hold (``None``, an empty list).
    """
    chain = [members] if isinstance(members, ModelConfig) else members
    if not chain:
        raise ConfigError("a config needs at least one member")
    return " | ".join(map(_format_member, chain))


# Reading


_PROVIDER = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:[-_][A-Za-z0-9]{1,8})*")
_OPTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_GRAMMAR = "provider[/model][:language][?option=value&...], members joined by ' | '"
_FIELDS = ("provider", "model", "language", "options")


def _members(config: object) -> Iterator[ModelConfig]:
    if isinstance(config, ModelConfig):
        yield _from_fields(config.provider, config.model, config.language, config.options)
    elif isinstance(config, str):
        yield from _from_text(config)
    elif _is_mapping(config):
        for name in config:
            if name not in _FIELDS:
                _refuse_secret_name(name, "the config")
                raise ConfigError(
                    f"a config mapping has the fields {', '.join(_FIELDS)}; {name[:40]!r} is none of them"
                )
        yield _from_fields(
            config.get("provider"), config.get("model"), config.get("language"), config.get("options", {})
        )
    elif _is_list(config):
        if not config:
            raise ConfigError("a config needs at least one member")
        for member in config:
            if _is_list(member):
                raise ConfigError("a member of a chain is a string or a mapping, not another list")
            yield from _members(member)
    else:
        raise ConfigError(f"a config is a string, a mapping of fields or a list of them, not {type(config).__name__}")


def _from_text(text: str) -> Iterator[ModelConfig]:
    if not text.strip():
        raise ConfigError(f"the config is empty; it is {_GRAMMAR}")
    members = [member.strip() for member in text.split(" | ")]
    for place, member in enumerate(members, 1):
        where = f"member {place} of the chain" if len(members) > 1 else "the config"
        if not member:
            raise ConfigError(f"{where} is empty; it is {_GRAMMAR}")
        yield _from_member(member, where)


def _from_member(member: str, where: str) -> ModelConfig:
    head, mark, tail = member.partition("?")
    # First, so that no complaint about another piece can come before it and quote the text.
    options = _options(tail, where) if mark else {}
    rest, colon, language = head.rpartition(":")
    if not colon:
        rest = head
    provider, slash, model = rest.partition("/")
    return _from_fields(
        _decode(provider, f"{where}: the provider"),
        _decode(model, f"{where}: the model") if slash else None,
        _decode(language, f"{where}: the language") if colon else None,
        options,
        where,
    )


def _options(text: str, where: str) -> dict[str, OptionValue]:
    found: dict[str, list[OptionText]] = {}
    for place, piece in enumerate(text.split("&"), 1):
        name, equals, value = piece.partition("=")
        name = _decode(name, f"{where}: the name of option {place}")
        # The piece is not quoted: what is not of the form name=value may be anything, a key included.
        if not equals:
            raise ConfigError(f"{where}: option {place} has no value; options are written name=value and joined by '&'")
        if not _OPTION.fullmatch(name):
            raise ConfigError(f"{where}: option {place} has no name of letters, digits and '_' before its '='")
        _refuse_secret_name(name, where)
        found.setdefault(name, []).append(OptionText(_decode(value, f"{where}: the value of `{name}`")))
    return {name: values[0] if len(values) == 1 else tuple(values) for name, values in found.items()}


def _decode(text: str, what: str) -> str:
    if _SURROGATE.search(text):
        raise ConfigError(f"{what} is not valid Unicode")
    if "%" not in text:
        return text
    if _BAD_ESCAPE.search(text):
        raise ConfigError(f"{what} has a '%' without two hexadecimal digits after it; a '%' itself is written %25")
    raw = unquote_to_bytes(text)
    decoded = raw.decode(errors="replace")
    if decoded.encode() != raw:
        raise ConfigError(f"{what} is not UTF-8 once its percent escapes are decoded")
    return decoded


def _from_fields(
    provider: object, model: object, language: object, options: object, where: str = "the config"
) -> ModelConfig:
    if not isinstance(provider, str) or not _PROVIDER.fullmatch(provider):
        raise ConfigError(f"{where} does not begin with a provider's name (letters, digits, - and _); it is {_GRAMMAR}")
    if model is not None and (
        not isinstance(model, str) or not model.strip() or _CONTROL.search(model) or _SURROGATE.search(model)
    ):
        raise ConfigError(f"{where}: after '{provider}/' comes the model's id, printable text that is not empty")
    if language is not None and (not isinstance(language, str) or not _LANGUAGE.fullmatch(language)):
        raise ConfigError(
            f"{where}: after the last ':' comes a language tag such as en or pt-BR; "
            "a ':' that belongs to the model is written %3A"
        )
    if model is not None:
        _refuse_secret_value(model, "the model", where)
    if not _is_mapping(options):
        raise ConfigError(f"{where}: options are a mapping of names to values, not {type(options).__name__}")
    checked: dict[str, OptionValue] = {}
    for name, value in options.items():
        if not _OPTION.fullmatch(name):
            raise ConfigError(f"{where}: an option's name is made of letters, digits and '_'")
        _refuse_secret_name(name, where)
        checked[name] = _json_like(value, name, where)
    return ModelConfig(provider, model, language, checked)


_DEPTH = 32


def _json_like(value: object, name: str, where: str, depth: int = 0) -> OptionValue:
    """A copy of the value, so that a later change to the caller's own does not reach a config."""
    if depth > _DEPTH:
        raise ConfigError(f"{where}: the value of `{name}` is nested more than {_DEPTH} deep")
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise ConfigError(f"{where}: the value of `{name}` is not valid Unicode")
        _refuse_secret_value(value, f"the value of `{name}`", where)
        if isinstance(value, OptionText) and value.lstrip().startswith("{"):
            _json_like(_try_json(value), name, where, depth + 1)
        return value
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise ConfigError(f"{where}: the value of `{name}` is larger than any option takes")
    if value is None or isinstance(value, int | float):
        return value
    if _is_list(value):
        copied = [_json_like(item, name, where, depth + 1) for item in value]
        return tuple(copied) if isinstance(value, tuple) else copied
    if _is_mapping(value):
        for key in value:
            _refuse_secret_name(key, where)
        return {key: _json_like(item, name, where, depth + 1) for key, item in value.items()}
    raise ConfigError(f"{where}: the value of `{name}` is {type(value).__name__}; give it as a keyword option instead")


def _try_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None  # whether this was meant to be JSON is for the option's type to say


def _is_mapping(value: object) -> TypeIs[Mapping[str, object]]:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in cast("Mapping[object, object]", value))


def _is_list(value: object) -> TypeIs[Sequence[object]]:
    return isinstance(value, list | tuple)


# Secrets. Config strings end up in logs and in shell histories, so a key in one is refused whatever its value.


_SECRET_NAMES = re.compile(
    r"(x|client|private|subscription|access|auth|bearer|refresh|session|security|api|secret)?_?"
    r"(key|token|secret|password|passphrase|jwt)"
    r"|auth(orization|_?headers?)?|bearer|credentials?|passw(or)?d|pwd|sig(nature)?"
    r"|.*_?api_?key|.*_(secret|password|signature|(access|auth)_token)",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"://[^/?#\s]*@")
_QUERY = re.compile(r"[?&;]([A-Za-z_-]+)=")


def _is_secret_name(name: str) -> bool:
    return _SECRET_NAMES.fullmatch(name.replace("-", "_")) is not None


def _refuse_secret_name(name: str, where: str) -> None:
    if _is_secret_name(name):
        raise ConfigError(
            f"{where}: `{name}` is a secret, and config strings end up in logs; "
            "set the provider's environment variable, or pass api_key=, api_secret= or auth= to create_stt"
        )


def is_secret_text(text: str) -> bool:
    """Whether there is a URL in it with a user name, a password or a secret query parameter."""
    return "://" in text and (
        _USERINFO.search(text) is not None or any(_is_secret_name(name) for name in _QUERY.findall(text))
    )


def _refuse_secret_value(value: str, what: str, where: str) -> None:
    if is_secret_text(value):
        raise ConfigError(
            f"{where}: {what} is a URL with a secret in it (user name, password or query parameter), "
            "and config strings end up in logs; pass it as a keyword option instead"
        )


# Writing


_EDGE = re.compile(r"\A\s|\s\Z")
_SEPARATOR = re.compile(r"(?<=\s)\||\|(?=\s)")


def _format_member(member: ModelConfig) -> str:
    member = _from_fields(member.provider, member.model, member.language, member.options)
    text = member.provider
    if member.model is not None:
        text += "/" + _escape(member.model, "%:?")
    if member.language is not None:
        text += ":" + member.language
    pairs = [f"{name}={_escape(item, '%&')}" for name, value in member.options.items() for item in _texts(name, value)]
    return text + "?" + "&".join(pairs) if pairs else text


def _texts(name: str, value: OptionValue) -> Iterator[str]:
    if not _is_list(value):
        yield _text(name, value)
        return
    if not value:
        raise ConfigError(f"the empty list of `{name}` has no form in a config string; pass it as a keyword option")
    for item in value:
        if _is_list(item) and len(item) == 2 and isinstance(item[0], str):
            yield f"{item[0]}:{_text(name, item[1])}"
        else:
            yield _text(name, item)


def _text(name: str, value: OptionValue) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    raise ConfigError(f"the value of `{name}` has no form in a config string; pass it as a keyword option")


def _escape(text: str, reserved: str) -> str:
    escaped = "".join(_percent(char) if char in reserved or _CONTROL.match(char) else char for char in text)
    # White space around a member is not part of it, and a `|` beside a space would be read as the chain's separator.
    escaped = _EDGE.sub(lambda match: _percent(match[0]), escaped)
    return _SEPARATOR.sub("%7C", escaped)


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())
