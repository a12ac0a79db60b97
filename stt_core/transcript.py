"""A finished result, and its text, subtitle and JSON forms.

All times are seconds of audio. ``None`` means that the provider did not say, or was not asked (promise S11).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import chain
from math import fsum
from typing import Any, Literal, TypeVar, cast, get_args

from .errors import ConfigError
from .events import SpeechData, Word

__all__ = [
    "AudioEvent",
    "Chapter",
    "Entity",
    "Segment",
    "Sentiment",
    "SentimentSegment",
    "Topic",
    "Transcript",
    "TranscriptFormat",
    "Translation",
]

TranscriptFormat = Literal["txt", "srt", "vtt", "json"]
"""The forms that :meth:`Transcript.to` writes."""

T = TypeVar("T")


@dataclass(slots=True)
class Segment:
    """A stretch of speech: a FINAL of a stream, or what a batch provider calls a segment.

    Attributes:
        text: the text, stripped.
        prefix: ``""`` or ``" "``: what attaches the text to the previous segment.
        start_time: seconds of audio, or ``None``.
        end_time: seconds of audio, or ``None``.
        speaker_id: the provider's label, or ``None``.
        confidence: 0 to 1, or ``None``.
        words: the words in order, or ``None``.
        language: BCP-47, or ``None``.
        channel: index of the audio channel, or ``None`` for a single one.
    """

    text: str
    prefix: str = ""
    start_time: float | None = None
    end_time: float | None = None
    speaker_id: str | None = None
    confidence: float | None = None
    words: list[Word] | None = None
    language: str | None = None
    channel: int | None = None


@dataclass(slots=True)
class Translation:
    """The whole text in another language."""

    text: str
    segments: list[Segment] | None = None


@dataclass(slots=True)
class Chapter:
    """A part of the recording under a heading. ``summary`` is a few sentences, or ``None``."""

    title: str
    summary: str | None = None
    start_time: float | None = None
    end_time: float | None = None


@dataclass(slots=True)
class Topic:
    """Something that was talked about: how often, and where, as far as the provider says."""

    name: str
    count: int | None = None
    segments: list[Segment] | None = None


@dataclass(slots=True)
class SentimentSegment:
    """A stretch of speech in one mood: ``positive``, ``neutral``, ``negative`` or the provider's own word."""

    text: str
    sentiment: str
    start_time: float | None = None
    end_time: float | None = None
    speaker_id: str | None = None
    confidence: float | None = None
    channel: int | None = None


@dataclass(slots=True)
class Sentiment:
    """The moods of the whole: its stretches, how many there are of each, and of each for every speaker."""

    segments: list[SentimentSegment] | None = None
    counts: dict[str, int] | None = None
    speakers: dict[str, dict[str, int]] | None = None


@dataclass(slots=True)
class AudioEvent:
    """A sound that is no speech. ``type`` is the provider's name for it: ``laughter``, ``music``, ``applause`` ..."""

    type: str
    start_time: float | None = None
    end_time: float | None = None
    confidence: float | None = None
    channel: int | None = None


@dataclass(slots=True)
class Entity:
    """Something that is not written as it is said: a number, a date, an amount of money.

    Attributes:
        text: as it stands in the transcript.
        spoken: as it was said, or ``None``.
        type: the provider's name for its kind, or ``None``.
        start_time: seconds of audio, or ``None``.
        end_time: seconds of audio, or ``None``.
        confidence: 0 to 1, or ``None``.
        speaker_id: the provider's label, or ``None``.
        channel: index of the audio channel, or ``None`` for a single one.
    """

    text: str
    spoken: str | None = None
    type: str | None = None
    start_time: float | None = None
    end_time: float | None = None
    confidence: float | None = None
    speaker_id: str | None = None
    channel: int | None = None


@dataclass(slots=True)
class Transcript:
    """A finished result.

    Attributes:
        text: everything said, as the provider spaced it.
        language: BCP-47, given or detected; ``None`` also when there are several (segments and words then have theirs).
        duration: seconds of audio.
        confidence: 0 to 1.
        words: all words in order.
        segments: all segments in order.
        speakers: the speakers' labels, in the order in which they first speak.
        summary: as the provider wrote it.
        translations: by language, BCP-47.
        chapters: in order.
        topics: in the provider's order.
        sentiment: of the whole and of its parts.
        audio_events: in order.
        entities: in order; their texts are also among the words.
        speaker_identifiers: by speaker, what the provider knows him again by in another recording.
        warnings: what the provider could not do of what it was asked for, in its words.
        job_id: the vendor's id of the job.
        request_id: the vendor's id of the request or session.
        raw: the vendor's own document. It is not part of the JSON form, nor compared or printed.
    """

    text: str
    language: str | None = None
    duration: float | None = None
    confidence: float | None = None
    words: list[Word] | None = None
    segments: list[Segment] | None = None
    speakers: list[str] | None = None
    summary: str | None = None
    translations: dict[str, Translation] | None = None
    chapters: list[Chapter] | None = None
    topics: list[Topic] | None = None
    sentiment: Sentiment | None = None
    audio_events: list[AudioEvent] | None = None
    entities: list[Entity] | None = None
    speaker_identifiers: dict[str, list[str]] | None = None
    warnings: list[str] | None = None
    job_id: str | None = None
    request_id: str | None = None
    raw: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def from_finals(
        cls,
        finals: Sequence[SpeechData],
        *,
        duration: float | None = None,
        job_id: str | None = None,
        request_id: str | None = None,
        raw: Any = None,
    ) -> Transcript:
        """Joins the finals of a stream.

        The text is every final's ``prefix + text``, but for the first prefix, and a segment each. Words are those of
        all finals, or ``None`` when one has none: a list with a hole in it looks like a whole one (the segments keep
        what there is). The confidence is the mean of those that are known, weighted with the finals' durations, or with
        the lengths of their texts where one has no times. The language is the one that all finals agree on.
        """
        segments = [_segment(final) for final in finals if final.text]
        if segments:
            segments[0].prefix = ""  # there is nothing to attach it to
        words = [segment.words for segment in segments if segment.words is not None]
        languages = {segment.language for segment in segments if segment.language is not None}
        return cls(
            text="".join(segment.prefix + segment.text for segment in segments),
            language=languages.pop() if len(languages) == 1 else None,
            duration=duration,
            confidence=_mean_confidence(segments),
            words=list(chain.from_iterable(words)) if len(words) == len(segments) else None,
            segments=segments,
            speakers=_speakers(segments),
            job_id=job_id,
            request_id=request_id,
            raw=raw,
        )

    def to(
        self,
        format: TranscriptFormat,  # noqa: A002 - what users call it
        *,
        speakers: bool = False,
        max_line_length: int = 42,
        max_lines: int = 2,
        max_duration: float = 7.0,
    ) -> str:
        """Writes the transcript.

        - ``txt``: the text; with ``speakers`` a line ``Speaker: text`` for each turn of a known speaker.
        - ``srt``, ``vtt``: subtitles within the three limits, see :mod:`stt_core.subtitles`.
        - ``json``: everything but ``raw``, read back by :meth:`from_json`. All keys are there, ``null`` where unknown.

        Args:
            format: one of the four.
            speakers: name the speakers, where they are known; ``json`` always does.
            max_line_length: of subtitles, in characters, of which wide ones (Chinese, Japanese) count as two.
            max_lines: of a cue.
            max_duration: of a cue, in seconds.

        Raises:
            ConfigError: another format, or a limit below 1 (for ``max_duration``: not above 0).
            UnsupportedError: subtitles of a transcript without any time.
        """
        # Not at the top: streams make transcripts, and few of them become subtitles.
        from .subtitles import CueLayout, Timeline, srt, vtt

        if format not in get_args(TranscriptFormat):
            raise ConfigError(f"no transcript format {format!r}: it is one of {', '.join(get_args(TranscriptFormat))}")
        if format == "json":
            return self._to_json()
        if format == "txt" and not speakers:
            return self.text
        timeline = Timeline(self.text, self.segments or (), self.words, self.duration)
        if format == "txt":
            return "\n".join(turn if speaker is None else f"{speaker}: {turn}" for speaker, turn in timeline.turns())
        layout = CueLayout(max_line_length, max_lines, max_duration)
        return (srt if format == "srt" else vtt)(timeline, layout, speakers=speakers)

    def _to_json(self) -> str:
        import json

        return json.dumps(self, default=_fields, ensure_ascii=False, indent=2)

    @classmethod
    def from_json(cls, document: str | bytes) -> Transcript:
        """Reads what ``to("json")`` wrote. Keys that it does not know are passed over.

        Raises:
            ConfigError: it is not a transcript's JSON form.
        """
        import json

        try:
            return _read(cls, json.loads(document))
        except (ValueError, TypeError) as error:
            raise ConfigError(f"this is not the JSON form of a transcript, as to('json') writes it: {error}") from error


def _segment(final: SpeechData) -> Segment:
    channels = {word.channel for word in final.words or ()}
    return Segment(
        text=final.text,
        prefix=final.prefix,
        start_time=final.start_time,
        end_time=final.end_time,
        speaker_id=final.speaker_id,
        confidence=final.confidence,
        words=final.words,
        language=final.language,
        channel=channels.pop() if len(channels) == 1 else None,
    )


def _mean_confidence(segments: Sequence[Segment]) -> float | None:
    known = [(segment, segment.confidence) for segment in segments if segment.confidence is not None]
    weights = [
        segment.end_time - segment.start_time
        for segment, _ in known
        if segment.start_time is not None and segment.end_time is not None and segment.end_time > segment.start_time
    ]
    if len(weights) < len(known):
        weights = [len(segment.text) for segment, _ in known]
    if not known:
        return None
    return fsum(weight * confidence for weight, (_, confidence) in zip(weights, known, strict=True)) / fsum(weights)


def _speakers(segments: Sequence[Segment]) -> list[str] | None:
    labels: dict[str, None] = {}
    for segment in segments:
        for speaker in [word.speaker_id for word in segment.words or ()] + [segment.speaker_id]:
            if speaker is not None:
                labels[speaker] = None
    return list(labels) or None


def _fields(value: object) -> dict[str, Any]:
    if not is_dataclass(value):
        raise TypeError(f"a transcript holds no {type(value).__name__}")
    return {item.name: getattr(value, item.name) for item in fields(value) if item.name != "raw"}


_PARTS: dict[type, dict[str, type]] = {
    Transcript: {
        "words": Word,
        "segments": Segment,
        "translations": Translation,
        "chapters": Chapter,
        "topics": Topic,
        "sentiment": Sentiment,
        "audio_events": AudioEvent,
        "entities": Entity,
    },
    Segment: {"words": Word},
    Translation: {"segments": Segment},
    Topic: {"segments": Segment},
    Sentiment: {"segments": SentimentSegment},
}


def _read(cls: type[T], document: object) -> T:
    names = {item.name for item in fields(cast("Any", cls))} - {"raw"}
    parts = _PARTS.get(cls, {})
    values: dict[str, object] = {}
    for name, value in _object(document).items():
        if name in parts and value is not None:
            values[name] = _read_part(parts[name], name, value)
        elif name in names:
            values[name] = value
    return cls(**values)


def _read_part(cls: type[T], name: str, value: object) -> T | list[T] | dict[str, T]:
    if cls is Sentiment:
        return _read(cls, value)
    if cls is Translation:
        return {language: _read(cls, translation) for language, translation in _object(value).items()}
    if not isinstance(value, list):
        raise TypeError(f"{name} is no list")
    return [_read(cls, item) for item in cast("list[object]", value)]


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r:.40} is no object")
    return cast("dict[str, object]", value)
