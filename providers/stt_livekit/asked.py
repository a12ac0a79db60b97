"""What a client of the server half asks for, checked as the client half checks its own options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from stt_core.audio.frames import AudioFormat
from stt_core.errors import ConfigError
from stt_core.options import fields, validate
from stt_core.server import Refused

from . import PROVIDER
from .options import GatewayOptions
from .upstreams import UPSTREAMS
from .wire import ENCODING, dialect_of, fields_of, items_of, number_of, sample_rate_of, text_of

if TYPE_CHECKING:
    from stt_core.provider import ModelFamily
    from stt_core.server import Backend

    from .wire import Dialect

__all__ = ["SessionAsked", "read_create"]

_ANY_LANGUAGE = frozenset({"auto", "multi"})
"""Asks for no language in particular, and so for whatever the provider behind does when it is not told."""

_KEYTERMS = ("keyterm", "keyterms_prompt", "additional_vocab", "custom_vocabulary", "keywords")
_DIARIZATION = ("diarize", "speaker_labels", "diarization")
_PORTABLE = {
    "interim_results": "interim_results",
    "enable_partials": "interim_results",
    "punctuate": "punctuation",
    "profanity_filter": "profanity_filter",
}
"""What upstream providers call portable options."""

_NOT_UPSTREAM = fields(GatewayOptions).keys() - {"interim_results"}
"""What the client half takes as options, and the gateway outside of ``extra``."""


@dataclass(slots=True)
class SessionAsked:
    """The settings of a session; ``session.update`` changes them.

    Attributes:
        dialect: the client's.
        audio_format: of the samples.
        model: as the client wrote it, ``""`` if not said.
        language: BCP-47, ``None`` if not said.
        extra: the upstream provider's options, checked.
        wishes: see :class:`stt_core.server.Backend`.
    """

    dialect: Dialect
    audio_format: AudioFormat
    model: str
    language: str | None
    extra: Mapping[str, object]
    wishes: Mapping[str, object]

    def change(self, settings: Mapping[str, object], backend: Backend) -> tuple[str | None, Mapping[str, object]]:
        """Takes the settings of a ``session.update``, and gives the language and the wishes that are others now.

        Raises:
            Refused: 400, one of them is not accepted; nothing has changed.
            ProtocolError: they are not what the protocol says.
        """
        model = text_of(settings, "model") or self.model
        asked_for = _language(text_of(settings, "language"), backend)
        extra = _checked(model, {**self.extra, **fields_of(settings, "extra")})
        wishes = _wishes(model, extra, backend)
        language = None if asked_for == (self.language or backend.language) else asked_for
        changed = {name: value for name, value in wishes.items() if self.wishes.get(name) != value}
        self.model, self.language, self.extra, self.wishes = model, asked_for or self.language, extra, wishes
        return language, changed


def read_create(message: Mapping[str, object], backend: Backend) -> SessionAsked:
    """The first message.

    Raises:
        AudioError: the sample rate is none that can be heard.
        Refused: 400, it is another message, or a setting is missing or not accepted.
        ProtocolError: a field is not what the protocol says.
    """
    if message.get("type") != "session.create":
        raise Refused(400, f"the first message is session.create, not {str(message.get('type'))[:60]!r}")
    settings = fields_of(message, "settings")
    encoding = text_of(settings, "encoding")
    if encoding != ENCODING:
        raise Refused(400, f"settings.encoding is {ENCODING}, not {encoding[:40]!r}")
    model = text_of(message, "model")
    rate, only = sample_rate_of(settings), UPSTREAMS[_family(model).name].sample_rate
    if only not in (None, rate):
        raise Refused(400, f"{model} takes {only} Hz and nothing else, not {rate} Hz")
    _check_fallback(message)
    extra = _checked(model, fields_of(settings, "extra"))
    return SessionAsked(
        dialect=dialect_of(message),
        audio_format=AudioFormat(rate, 1, ENCODING),
        model=model,
        language=_language(text_of(settings, "language"), backend),
        extra=extra,
        wishes=_wishes(model, extra, backend),
    )


def _check_fallback(message: Mapping[str, object]) -> None:
    """There is one provider behind, which has its own chain; what is asked for has to be right all the same."""
    for member in items_of(fields_of(message, "fallback"), "models") or ():
        model = text_of(member, "model")
        if not model:
            raise Refused(400, "a fallback needs a `model`")
        _checked(model, fields_of(member, "extra"))
    connection = fields_of(message, "connection")
    for name in ("timeout", "retries"):
        number_of(connection, name)


def _language(tag: str, backend: Backend) -> str | None:
    return None if not tag or (tag in _ANY_LANGUAGE and not backend.speaks(tag)) else tag


def _family(model: str) -> ModelFamily:
    return PROVIDER.family_for(model or None)


def _checked(model: str, extra: Mapping[str, object]) -> dict[str, object]:
    """The options that the model's family is known to have; others are the upstream provider's business.

    Raises:
        Refused: 400, a value is not accepted.
    """
    family = _family(model)
    known = fields(family.options).keys() - _NOT_UPSTREAM
    given = {name: value for name, value in extra.items() if name in known and value is not None}
    try:
        options = validate(family.options, given, owner=family.name)
    except ConfigError as error:
        raise Refused(400, error.message) from None
    complaint = family.check(options) if family.check else None
    if complaint is not None:
        raise Refused(400, complaint)
    return options


def _wishes(model: str, extra: Mapping[str, object], backend: Backend) -> Mapping[str, object]:
    """Options under portable names; under their own for a provider that means the same by them."""
    settings = backend.stt.settings
    wishes: dict[str, object] = {"word_timestamps": True}
    if settings.family is _family(model):
        return {**wishes, **extra}
    wishes.update((portable, extra[name]) for name, portable in _PORTABLE.items() if name in extra)
    if any(name in extra for name in _KEYTERMS):
        wishes["keyterms"] = [term for name in _KEYTERMS for term in _terms(extra.get(name))]
    for name in _DIARIZATION:
        if name in extra:
            wishes["diarization"] = False if extra[name] == "none" else extra[name]
    if settings.provider.name == model.partition("/")[0]:
        translated = {*_KEYTERMS, *_DIARIZATION, *_PORTABLE}
        wishes.update((name, value) for name, value in extra.items() if name not in translated)
    return wishes


def _terms(value: object) -> Sequence[object]:
    """The terms in a text, a list of texts or of pairs with a weight, or a list of ``{"content": ...}``."""
    if value is None:
        return ()
    items = cast("Sequence[object]", value) if isinstance(value, list | tuple) else (value,)
    return [cast("Mapping[str, object]", item)["content"] if isinstance(item, dict) else item for item in items]
