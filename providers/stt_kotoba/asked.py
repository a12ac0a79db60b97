"""What a client of the server half asks for on the socket, and what is asked for everywhere."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard, cast

from stt_core.audio.frames import AudioFormat
from stt_core.errors import AudioError
from stt_core.server import Refused

from .wire import (
    DEFAULT_SAMPLE_RATE,
    KANA,
    LANGUAGES,
    MAX_APPEND_BYTES,
    MAX_EVENT_ID_CHARACTERS,
    SILENCE_MS,
    WIRE_FORMATS,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stt_core.server import Backend

    from .wire import Session, SessionTranscription, TurnDetection, WireFormat

__all__ = ["Invalid", "LiveAsked", "check_event_id", "language_of", "read_audio", "read_live", "terms_of", "wishes_of"]

_EVENT_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_EVENT_ID_CHARACTERS}}}")
_TELEPHONE_RATE = 8000


class Invalid(Refused):
    """A setting is not accepted: 400 and one of Kotoba's codes.

    Args:
        message: what was wrong, and what is accepted.
        param: the setting.
        code: see :data:`~stt_kotoba.wire.ERROR_KINDS`.
    """

    def __init__(self, message: str, param: str | None = None, *, code: str = "invalid_parameters") -> None:
        super().__init__(400, message, code=code)
        self.param = param


@dataclass(frozen=True, slots=True)
class LiveAsked:
    """The settings of a session.

    Attributes:
        audio_format: of the appended samples.
        language: BCP-47.
        wishes: see :class:`stt_core.server.Backend`.
        timestamps: whether times are wanted.
        turns: whether turns are to be told apart.
        session: everything that is in force, to be echoed.
    """

    audio_format: AudioFormat
    language: str
    wishes: Mapping[str, object]
    timestamps: bool
    turns: bool
    session: Session


def read_live(update: Mapping[str, object], backend: Backend, *, turns: bool) -> LiveAsked:
    """A ``transcription_session.update``. What Kotoba does not document is nothing to complain about.

    Args:
        update: the message.
        backend: who recognises.
        turns: whether turns are detected where the update does not say.

    Raises:
        Invalid: a setting is missing or not accepted.
    """
    check_event_id(update)
    asked = _object(update, "session")
    transcription = _object(asked, "input_audio_transcription")
    target = transcription.get("target_language")
    if not isinstance(target, str):
        raise Invalid(f"`target_language` is required, one of {', '.join(LANGUAGES)}", "target_language")
    if transcription.get("language") not in (None, target):
        raise Invalid(f"`language` is the same as `target_language`, {target[:40]}, or left out", "language")
    language = language_of(target, backend, "target_language")
    keywords = _keywords(transcription.get("keywords"))
    kana = _is_kana(transcription)
    timestamps = _flag(transcription, "timestamps")
    silence = _silence(asked.get("turn_detection", {"type": "server_vad"} if turns else False))
    detection: TurnDetection = False if silence is None else {"type": "server_vad", "silence_duration_ms": silence}
    wire_format, audio_format = _audio_format(asked)

    echoed: SessionTranscription = {"language": target, "target_language": target}
    if keywords:
        echoed["keywords"] = keywords
    if kana:
        echoed["style_preference"] = {"human_name": KANA}
    if timestamps:
        echoed["timestamps"] = True
    session: Session = {
        "input_audio_format": wire_format,
        "input_audio_sample_rate": audio_format.sample_rate,
        "input_audio_number_of_channels": 1,
        "input_audio_transcription": echoed,
        "turn_detection": detection,
    }
    wishes = wishes_of(backend, keywords, kana=kana, timestamps=timestamps, own="timestamps")
    wishes |= {"turn_detection": silence is not None, "silence_duration_ms": silence}
    return LiveAsked(audio_format, language, wishes, timestamps, silence is not None, session)


def check_event_id(message: Mapping[str, object]) -> None:
    """The id that a client may give its messages.

    Raises:
        Invalid: it is none.
    """
    event_id = message.get("event_id")
    if event_id is not None and not (isinstance(event_id, str) and _EVENT_ID.fullmatch(event_id)):
        raise Invalid(
            f"`event_id` is up to {MAX_EVENT_ID_CHARACTERS} letters, digits, _ and -", "event_id", code="invalid_event"
        )


def read_audio(append: Mapping[str, object], sample_bytes: int) -> bytes:
    """The samples of an ``input_audio_buffer.append``.

    Raises:
        Invalid: there are none, too many, or half a one.
    """
    check_event_id(append)
    text = append.get("audio")
    if not isinstance(text, str):
        raise Invalid("`audio` is required, in base64", "audio")
    try:
        audio = b64decode(text, validate=True)
    except ValueError as error:
        raise Invalid(f"`audio` is not base64: {error}", "audio") from None
    if len(audio) > MAX_APPEND_BYTES:
        raise Invalid(f"one append holds {MAX_APPEND_BYTES} bytes of audio at most, not {len(audio)}", "audio")
    if len(audio) % sample_bytes:
        raise Invalid(f"the {len(audio)} bytes of `audio` are no whole samples of {sample_bytes} bytes", "audio")
    return audio


def _object(message: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = message.get(name)
    if not isinstance(value, dict):
        raise Invalid(f"`{name}` is required, an object", name)
    return cast("Mapping[str, object]", value)


def _keywords(value: object) -> list[str]:
    terms = cast("list[object]", value) if isinstance(value, list) else [] if value is None else [None]
    if not all(isinstance(term, str) for term in terms):
        raise Invalid("`keywords` is a list of terms", "keywords")
    return terms_of(cast("list[str]", terms))


def _is_kana(transcription: Mapping[str, object]) -> bool:
    style = transcription.get("style_preference")
    names = cast("dict[str, object]", style).get("human_name") if isinstance(style, dict) else style
    if names not in (None, KANA):
        raise Invalid(f'`style_preference` is {{"human_name": "{KANA}"}}', "style_preference")
    return names == KANA or _flag(transcription, "kana")


def _flag(message: Mapping[str, object], name: str) -> bool:
    value = message.get(name)
    if value is not None and not isinstance(value, bool):
        raise Invalid(f"`{name}` is true or false", name)
    return bool(value)


def _silence(detection: object) -> int | None:
    """Milliseconds of silence that end a turn; ``None`` where turns are not detected."""
    if detection is False:
        return None
    settings = cast("dict[str, object]", detection) if isinstance(detection, dict) else {}
    silence = settings.get("silence_duration_ms", SILENCE_MS)
    if settings.get("type") != "server_vad" or not _is_whole(silence) or silence < 0:
        raise Invalid(
            '`turn_detection` is false or {"type": "server_vad", "silence_duration_ms": 0 or more}', "turn_detection"
        )
    return silence


def _audio_format(asked: Mapping[str, object]) -> tuple[WireFormat, AudioFormat]:
    wire_format = asked.get("input_audio_format", "pcm16")
    if not _is_format(wire_format):
        raise Invalid(f"`input_audio_format` is one of {', '.join(WIRE_FORMATS)}", "input_audio_format")
    encoding = WIRE_FORMATS[wire_format]
    rate = asked.get("input_audio_sample_rate", _TELEPHONE_RATE if encoding == "pcm_mulaw" else DEFAULT_SAMPLE_RATE)
    if not _is_whole(rate):
        raise Invalid("`input_audio_sample_rate` is a whole number of Hz", "input_audio_sample_rate")
    if asked.get("input_audio_number_of_channels", 1) != 1:
        raise Invalid("`input_audio_number_of_channels` is 1", "input_audio_number_of_channels")
    try:
        return wire_format, AudioFormat(rate, 1, encoding)
    except AudioError as error:
        raise Invalid(f"`input_audio_sample_rate`: {error.message}", "input_audio_sample_rate") from None


def _is_format(value: object) -> TypeGuard[WireFormat]:
    return isinstance(value, str) and value in WIRE_FORMATS


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


# -- on every surface ----------------------------------------------------------------------------------------------


def language_of(code: str, backend: Backend, param: str) -> str:
    """Kotoba's code as BCP-47, which is the same.

    Raises:
        Invalid: it is not Kotoba's, or the provider behind does not speak it.
    """
    if code not in LANGUAGES or not backend.speaks(code):
        spoken = ", ".join(each for each in LANGUAGES if backend.speaks(each)) or "none of Kotoba's languages"
        raise Invalid(
            f"`{param}` is {code[:40]!r}, and this deployment speaks {spoken}", param, code="unsupported_language"
        )
    return code


def terms_of(keywords: Iterable[str]) -> list[str]:
    """Keywords without white space around them, and without those that are nothing else."""
    return [term for keyword in keywords if (term := keyword.strip())]


def wishes_of(
    backend: Backend, keywords: Sequence[str], *, kana: bool, timestamps: bool, own: str
) -> dict[str, object]:
    """See :class:`stt_core.server.Backend`; what is not asked for is no wish.

    Args:
        backend: who recognises.
        keywords: terms.
        kana: whether names are to be in kana.
        timestamps: whether times are wanted.
        own: how Kotoba's own models call those times.
    """
    times = own if backend.takes(own, value=True) else "word_timestamps"
    return {"keyterms": keywords or None, "kana": kana or None, times: timestamps or None}
