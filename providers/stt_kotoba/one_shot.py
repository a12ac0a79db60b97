"""Whole files, answered at once: ``POST /speech-to-text``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from typing import TYPE_CHECKING, cast

from stt_core.errors import ProtocolError
from stt_core.events import Word
from stt_core.transcript import AudioEvent, Segment, Transcript
from stt_core.transport.http import FormPart

from .documents import RAW_FORMAT, UNDETERMINED, one_shot_fields
from .upload import extra_fields, file_part
from .wire import items_of, number_of, text_of

if TYPE_CHECKING:
    from stt_core.audio.decode import AudioInput
    from stt_core.registry import Resolved

__all__ = ["one_shot_form", "read_one_shot"]

_RAW_RATE = 16000


def one_shot_form(audio: AudioInput, settings: Resolved) -> Sequence[FormPart]:
    """The form of a request. It looks into the recording, so it belongs into a thread.

    Raises:
        AudioError: the recording is empty or cannot be read.
        ConfigError: a field of ``extra`` has no place in a form.
        MissingExtraError: the recording has to be converted, and what decodes it is not installed.
    """
    declared = audio.declared
    bare = declared is not None and (declared.encoding, declared.sample_rate, declared.channels) == (
        "pcm_s16le",
        _RAW_RATE,
        1,
    )
    options = settings.options
    fields = one_shot_fields(
        settings.vendor_language,
        file_format=RAW_FORMAT if bare else "other",
        with_timestamps=options.get("with_timestamps") is True,
        keywords=cast("Sequence[str]", options.get("keywords", ())),
        kana=options.get("kana") is True,
        diarization=options.get("diarization") is True,
    )
    file = FormPart("file", audio.open_samples, "audio.pcm", "application/octet-stream") if bare else file_part(audio)
    return [*(FormPart(*field) for field in fields), *extra_fields(settings), file]


def read_one_shot(document: Mapping[str, object]) -> Transcript:
    """The answer.

    ``language_probability``, which says how sure the language is and not the text, stays in ``raw``. There are segments
    where speakers are told apart: one for each run of words of the same speaker.

    Raises:
        ProtocolError: a field is missing, or is not what Kotoba says it is.
    """
    items = items_of(document, "words")
    if items is None or "text" not in document or "language_code" not in document:
        raise ProtocolError(
            "Kotoba's answer lacks `text`, `words` or `language_code`: is this its one-shot API?", provider="kotoba"
        )
    language = text_of(document, "language_code")
    words = [_word(item) for item in items if item.get("type", "word") == "word"]
    segments = _segments(items)
    return Transcript(
        text_of(document, "text").strip(),
        language=None if language in ("", UNDETERMINED) else language,
        duration=number_of(document, "audio_duration_secs"),
        words=words or None,
        segments=segments,
        speakers=list(dict.fromkeys(each.speaker_id for each in segments if each.speaker_id)) if segments else None,
        audio_events=[_audio_event(item) for item in items if item.get("type") == "audio_event"] or None,
        raw=document,
    )


def _word(item: Mapping[str, object]) -> Word:
    logprob = number_of(item, "logprob")
    return Word(
        text_of(item, "text").strip(),
        number_of(item, "start"),
        number_of(item, "end"),
        confidence=None if logprob is None or logprob > 0 else exp(logprob),
        speaker_id=text_of(item, "speaker_id") or None,
    )


def _audio_event(item: Mapping[str, object]) -> AudioEvent:
    return AudioEvent(text_of(item, "text").strip("() "), number_of(item, "start"), number_of(item, "end"))


def _segments(items: Sequence[Mapping[str, object]]) -> list[Segment] | None:
    """Runs of one speaker, spacing and all; ``None`` where nobody is told apart."""
    if not any(text_of(item, "speaker_id") for item in items):
        return None
    segments: list[Segment] = []
    texts: list[str] = []
    for item in items:
        kind, text = item.get("type", "word"), text_of(item, "text")
        if kind == "spacing" and texts:
            texts[-1] += text
        if kind != "word":
            continue
        word = _word(item)
        if not segments or segments[-1].speaker_id != word.speaker_id:
            segments.append(Segment("", start_time=word.start_time, speaker_id=word.speaker_id, words=[]))
            texts.append("")
        texts[-1] += text
        segments[-1].end_time = word.end_time
        cast("list[Word]", segments[-1].words).append(word)
    spaced = False
    for segment, text in zip(segments, texts, strict=True):
        segment.prefix = " " if spaced or text[:1].isspace() else ""
        segment.text, spaced = text.strip(), text[-1:].isspace()
    segments[0].prefix = ""
    return segments
