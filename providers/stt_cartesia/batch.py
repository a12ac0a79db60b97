"""Whole files: ``POST /stt``, or its twin in OpenAI's shape, ``POST /audio/transcriptions``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, cast

from stt_core.events import Word
from stt_core.transcript import Transcript
from stt_core.transport.http import FormPart

from .codec import vendor_fields
from .wire import BATCH_PATH, items_of, number_of, tag_of, text_of

if TYPE_CHECKING:
    from stt_core.audio.decode import AudioInput
    from stt_core.registry import Resolved

__all__ = ["Upload", "read_transcription", "upload"]

_IN_QUERY = ("encoding", "sample_rate")


@dataclass(frozen=True, slots=True)
class Upload:
    """A request.

    Attributes:
        path: of the URL.
        params: the query.
        form: the parts, in the order of Cartesia's own SDKs.
        again: whether it can be made twice. Cartesia keeps nothing of a failed one.
    """

    path: str
    params: Sequence[tuple[str, str]]
    form: Sequence[FormPart]
    again: bool


def upload(audio: AudioInput, settings: Resolved) -> Upload:
    """The request for a recording. It looks into the recording, so it belongs into a thread.

    Files go as they are: Cartesia takes flac, m4a, mp3, mp4, mpeg, mpga, oga, ogg, wav and webm, up to 2 GB. Bare
    samples go as they are too, with their format in the query; those of several channels as a WAV file, because
    Cartesia takes bare ones for a single channel.

    Raises:
        AudioError: the recording is empty or cannot be read.
        ConfigError: a field of ``extra`` has no place in a form.
    """
    declared = audio.declared
    bare = declared is not None and declared.channels == 1
    fields: dict[str, object] = {
        "model": settings.model,
        "language": settings.vendor_language,
        "timestamp_granularities[]": "word" if settings.options.get("word_timestamps") else None,
    }
    query: dict[str, object] = {}
    if declared is not None and bare:
        query |= {"encoding": declared.encoding, "sample_rate": declared.sample_rate}
    for name, value in vendor_fields(settings).items():
        (query if name in _IN_QUERY else fields)[name] = value
    opened = audio.open_samples if bare else audio.open_binary
    name = "audio.pcm" if bare else _ascii(audio.name)
    content_type = "application/octet-stream" if bare else audio.content_type
    return Upload(
        path=cast("str", settings.options.get("batch_path", BATCH_PATH)),
        params=_pairs(query),
        form=[*(FormPart(*pair) for pair in _pairs(fields)), FormPart("file", opened, name, content_type)],
        again=audio.rewindable,
    )


def _pairs(fields: Mapping[str, object]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in fields.items():
        values = cast("Sequence[object]", value) if isinstance(value, list | tuple) else (value,)
        texts = [str(each).lower() if isinstance(each, bool) else str(each) for each in values if each is not None]
        pairs += [(name, text) for text in texts]
    return pairs


def _ascii(name: str) -> str:
    """A name that every form parser reads: only its suffix matters to Cartesia."""
    plain = name.isascii() and name.isprintable() and not set(name) & set('"\\%')
    suffix = PurePath(name).suffix
    return name if plain else f"audio{suffix if suffix.isascii() else ''}"


def read_transcription(document: Mapping[str, object]) -> Transcript:
    """The answer: its text is all that is always there.

    Raises:
        ProtocolError: a field is not what Cartesia says it is.
    """
    items = items_of(document, "words")
    words = None
    if items is not None:
        words = [
            Word(text_of(item, "word").strip(), number_of(item, "start"), number_of(item, "end")) for item in items
        ]
    return Transcript(
        text_of(document, "text").strip(),
        language=tag_of(text_of(document, "language")),
        duration=number_of(document, "duration"),
        words=words,
        request_id=text_of(document, "request_id") or None,
        raw=document,
    )
