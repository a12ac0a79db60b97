"""What a client of the server half asks for, checked as the client half checks its own options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from stt_core.audio.frames import AudioFormat
from stt_core.config import OptionText
from stt_core.errors import AudioError, ConfigError
from stt_core.options import validate
from stt_core.server import Refused

from . import PROVIDER
from .options import THRESHOLDS
from .wire import WIRE_ENCODINGS, tag_of

if TYPE_CHECKING:
    from stt_core.audio.frames import Encoding
    from stt_core.provider import ModelFamily
    from stt_core.server import Form, Request

    from .options import Surface

__all__ = ["BatchAsked", "LiveAsked", "code_of", "read_batch", "read_live", "read_thresholds"]

_FIELDS: Mapping[Surface, Sequence[str]] = {
    "manual": ("min_volume", "max_silence_duration_secs", "keyterm"),
    "turns": ("keyterm", *THRESHOLDS),
}


@dataclass(frozen=True, slots=True)
class LiveAsked:
    """The settings of a socket.

    Attributes:
        family: of the model.
        audio_format: of the samples as the framework takes them.
        half_floats: they come as ``pcm_f16le`` and have to be widened.
        language: BCP-47, ``None`` if not said.
        wishes: see :class:`stt_core.server.Backend`.
        thresholds: those set so far, by their options' names; ``config`` changes them.
    """

    family: ModelFamily
    audio_format: AudioFormat
    half_floats: bool
    language: str | None
    wishes: Mapping[str, object]
    thresholds: dict[str, object]


@dataclass(frozen=True, slots=True)
class BatchAsked:
    """The settings of an upload.

    Attributes:
        audio_format: of bare samples; ``None`` for a file.
        half_floats: as of :class:`LiveAsked`.
        language: BCP-47, ``None`` if not said.
        words: whether they are wanted.
    """

    audio_format: AudioFormat | None
    half_floats: bool
    language: str | None
    words: bool


def read_live(request: Request, surface: Surface) -> LiveAsked:
    """The query of a handshake. What this surface does not know is nothing to complain about.

    Raises:
        Refused: 400, a setting is missing or not accepted.
    """
    query = request.query
    family = _family(query.get("model"))
    if surface == "turns" and family.name == "ink-whisper":
        raise _invalid("ink-whisper does not find turns: connect to /stt/websocket", "Invalid model")
    audio_format, half_floats = _format(query.get("encoding"), query.get("sample_rate"))
    given: dict[str, object] = {}
    for name in _FIELDS[surface]:
        values = [OptionText(value) for value in query.getall(name, [])]
        if values:
            given[name] = tuple(values) if name == "keyterm" else values[-1]
    options = _checked(family, given, surface)
    language = _language(family, query.get("language")) if surface == "manual" else None
    wishes = {("keyterms" if name == "keyterm" else name): value for name, value in options.items()}
    if surface == "manual":
        wishes["word_timestamps"] = True
    thresholds = {name: value for name, value in options.items() if name in THRESHOLDS}
    return LiveAsked(family, audio_format, half_floats, language, wishes, thresholds)


def read_thresholds(asked: LiveAsked, turn: object) -> Mapping[str, object]:
    """The thresholds in force once a ``config`` has changed some; ``turn`` is what it holds.

    Raises:
        Refused: 400, one of them is not accepted, or their order is lost.
    """
    if not isinstance(turn, dict):
        raise _invalid("config needs an object `turn`")
    changed = {f"turn_{name}": value for name, value in cast("dict[str, object]", turn).items() if value is not None}
    return _checked(asked.family, {**asked.thresholds, **changed}, "turns")


def read_batch(request: Request, form: Form) -> BatchAsked:
    """The query and the fields of an upload.

    Raises:
        Refused: 400, a setting is missing or not accepted.
    """
    family = _family(form.field("model"))
    if family.name != "ink-whisper":
        raise _invalid(f"{form.field('model')} is for live audio: files take ink-whisper", "Invalid model")
    encoding, sample_rate = request.query.get("encoding"), request.query.get("sample_rate")
    audio_format, half_floats = (None, False)
    if encoding is not None:
        audio_format, half_floats = _format(encoding, sample_rate)
    granularities = form.values("timestamp_granularities[]")
    for wrong in set(granularities) - {"word"}:
        raise _invalid(f"timestamp_granularities[] is `word`, not {wrong[:40]!r}")
    return BatchAsked(audio_format, half_floats, _language(family, form.field("language")), bool(granularities))


def code_of(tag: str | None) -> str | None:
    """Cartesia's code of a BCP-47 tag; that of a language which it does not speak is the tag's own."""
    if tag is None:
        return None
    try:
        return PROVIDER.families[0].match_language(tag)[1]
    except ConfigError:
        return tag.partition("-")[0]


def _family(model: str | None) -> ModelFamily:
    if not model:
        raise _invalid("`model` is required")
    try:
        return PROVIDER.family_for(model)
    except ConfigError as error:
        raise Refused(400, error.message, title="Invalid model", code="model_not_found") from None


def _format(encoding: str | None, sample_rate: str | None) -> tuple[AudioFormat, bool]:
    if encoding not in WIRE_ENCODINGS:
        raise _invalid(f"`encoding` is required, one of {', '.join(WIRE_ENCODINGS)}")
    if sample_rate is None or not sample_rate.isdecimal():
        raise _invalid("`sample_rate` is required, a whole number of Hz")
    half_floats = encoding == "pcm_f16le"
    try:
        wide = "pcm_f32le" if half_floats else cast("Encoding", encoding)
        return AudioFormat(int(sample_rate), 1, wide), half_floats
    except (AudioError, ValueError) as error:  # ValueError: more digits than Python converts
        raise _invalid(str(error)) from None


def _language(family: ModelFamily, code: str | None) -> str | None:
    if not code:
        return None
    if family.languages is not None and code not in family.languages:
        raise _invalid(f"the model does not speak {code[:40]!r}: it has {', '.join(family.languages)}")
    return tag_of(code)


def _checked(family: ModelFamily, given: Mapping[str, object], surface: Surface) -> dict[str, object]:
    try:
        options = validate(family.options, given, owner=family.name)
    except ConfigError as error:
        raise _invalid(error.message) from None
    complaint = family.check({**options, "endpoint": surface}) if family.check else None
    if complaint is not None:
        raise _invalid(complaint, "Invalid turn thresholds" if "threshold" in complaint else None)
    return options


def _invalid(message: str, title: str | None = None) -> Refused:
    return Refused(400, message, title=title or "Invalid parameter")
