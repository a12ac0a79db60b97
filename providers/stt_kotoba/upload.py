"""The file of a request, as both REST surfaces take it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO, cast

from stt_core.audio.encodings import encode
from stt_core.audio.frames import AudioFormat
from stt_core.audio.wav import wav_header
from stt_core.errors import ConfigError
from stt_core.transport.http import FormPart

if TYPE_CHECKING:
    from stt_core.audio.decode import AudioInput
    from stt_core.registry import Resolved

__all__ = ["extra_fields", "file_part"]

_TAKEN = frozenset({"audio/aac", "audio/flac", "audio/mp4", "audio/mpeg", "audio/ogg", "audio/wav", "audio/webm"})
"""What Kotoba decodes: wav, mp3, m4a, mp4, webm, ogg, flac, aac."""


def file_part(audio: AudioInput) -> FormPart:
    """The recording as it is, or as a WAV file where Kotoba would not know what it is. It looks into the recording.

    Raises:
        AudioError: the recording is empty or cannot be read.
    """
    name, content_type = _ascii(audio.name), audio.content_type
    if content_type in _TAKEN:
        return FormPart("file", audio.open_binary, name, content_type)
    return FormPart("file", lambda: _as_wav(audio), f"{PurePath(name).stem}.wav", "audio/wav")


def _as_wav(audio: AudioInput) -> BinaryIO:
    """A temporary file, so that memory does not grow with the recording; it is gone once closed."""
    copy = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115  (handed out)
    try:
        with audio.open() as reader:
            audio_format = AudioFormat(reader.sample_rate, reader.channels)
            copy.write(wav_header(audio_format, None))
            start = copy.tell()
            for block in reader.blocks():
                copy.write(encode(block, audio_format.encoding))
        size = copy.tell() - start
        copy.seek(0)
        copy.write(wav_header(audio_format, size))
        copy.seek(0)
    except BaseException:
        copy.close()
        raise
    return copy


def _ascii(name: str) -> str:
    """A name that every form parser reads: only its ending tells Kotoba anything."""
    plain = name.isascii() and name.isprintable() and not set(name) & set('"\\%')
    suffix = PurePath(name).suffix
    return name if plain else f"audio{suffix if suffix.isascii() else ''}"


def extra_fields(settings: Resolved) -> list[FormPart]:
    """The fields of ``extra``, which go into the form as they are; a list repeats its name.

    Raises:
        ConfigError: one of them has no place there.
    """
    parts: list[FormPart] = []
    for name, value in settings.stt["extra"].items():
        for item in cast("Sequence[object]", value) if isinstance(value, list | tuple) else (value,):
            if not isinstance(item, str | int | float):
                raise ConfigError(
                    f"extra: `{name}` goes into a form, which takes text, a number, true or false, or a list of them",
                    provider="kotoba",
                )
            parts.append(FormPart(name, str(item).lower() if isinstance(item, bool) else str(item)))
    return parts
