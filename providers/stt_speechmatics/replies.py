"""What the server half says of a finished job: the transcript of any provider as ``json-v2``, text and subtitles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from stt_core.errors import UnsupportedError
from stt_core.server import Refused
from stt_core.subtitles import Timeline

from .document import FORMAT_VERSION, UNKNOWN_SPEAKER
from .items import ItemWriter, code_of, delimiter_of, is_right_to_left, pieces_of
from .languages import AUTO
from .reading import format_time

if TYPE_CHECKING:
    from datetime import datetime

    from stt_core.transcript import Segment, Sentiment, Topic, Transcript

    from .asked import Asked
    from .document import (
        AudioEventItem,
        ChapterItem,
        JobOfTranscript,
        LanguagePack,
        Metadata,
        SentimentBlock,
        SentimentItem,
        TopicBlock,
        TopicItem,
        TranscriptDocument,
        TranslationItem,
    )

__all__ = ["document_of", "srt_of", "txt_of"]

_MOODS = ("positive", "negative", "neutral")


def document_of(transcript: Transcript, asked: Asked, job: JobOfTranscript, finished: datetime) -> TranscriptDocument:
    """The whole as ``json-v2``. Where Speechmatics itself is behind, it is what that said, entities and all.

    Args:
        transcript: what was recognised.
        asked: what was asked for; an analysis that the provider did not make is named among the errors.
        job: the block of that name.
        finished: when.
    """
    if (own := _own(transcript.raw)) is not None:
        return cast("TranscriptDocument", {**own, "job": job})
    pieces = pieces_of(transcript)
    delimiter = delimiter_of(pieces, transcript.language)
    language = transcript.language or asked.language
    writer = ItemWriter(delimiter, language, speakers=asked.speakers, channels=asked.channels)
    document: TranscriptDocument = {
        "format": FORMAT_VERSION,
        "job": job,
        "metadata": _metadata(transcript, asked, finished, delimiter),
        "results": writer.write(pieces),
    }
    if asked.wants("translation_config") and transcript.translations:
        document["translations"] = {
            code_of(tag) or tag: list(_translated(translation.segments, translation.text, writer))
            for tag, translation in transcript.translations.items()
        }
    if asked.wants("summarization_config") and transcript.summary is not None:
        document["summary"] = {"content": transcript.summary}
    if asked.wants("sentiment_analysis_config") and transcript.sentiment:
        document["sentiment_analysis"] = _sentiment(transcript.sentiment, writer)
    if asked.wants("topic_detection_config") and transcript.topics is not None:
        document["topics"] = _topics(transcript.topics)
    if asked.wants("auto_chapters_config") and transcript.chapters is not None:
        document["chapters"] = list(_chapters(transcript))
    if asked.wants("audio_events_config") and transcript.audio_events is not None:
        document["audio_events"] = list(_audio_events(transcript, writer))
        document["audio_event_summary"] = _audio_event_summary(transcript)
    return document


def txt_of(transcript: Transcript, asked: Asked) -> str:
    """The text; where speakers are told apart, a line with the speaker before each turn (section 5.1 of the facts)."""
    if not asked.speakers:
        return transcript.text
    timeline = Timeline(transcript.text, transcript.segments or (), transcript.words, transcript.duration)
    return "\n".join(f"SPEAKER: {speaker or UNKNOWN_SPEAKER}\n{turn}" for speaker, turn in timeline.turns())


def srt_of(transcript: Transcript, asked: Asked) -> str:
    """Subtitles, in the layout that was asked for.

    Raises:
        Refused: 400, the provider gave no times.
    """
    length, lines = asked.subtitles
    try:
        return transcript.to("srt", max_line_length=length, max_lines=lines)
    except UnsupportedError as error:
        raise Refused(400, error.message, title="Format Not Supported") from None


def _own(raw: object) -> Mapping[str, object] | None:
    if not isinstance(raw, dict):
        return None
    document = cast("Mapping[str, object]", raw)
    return document if {"format", "job", "metadata", "results"} <= document.keys() else None


# -- metadata ------------------------------------------------------------------------------------------------------


def _metadata(transcript: Transcript, asked: Asked, finished: datetime, delimiter: str) -> Metadata:
    code = code_of(transcript.language or asked.language)
    pack: LanguagePack = {
        "word_delimiter": delimiter,
        "writing_direction": "right-to-left" if is_right_to_left(code) else "left-to-right",
    }
    metadata: Metadata = {
        "created_at": format_time(finished),
        "type": "transcription",
        "transcription_config": asked.transcription,
        "language_pack_info": pack,
    }
    if output := asked.config.get("output_config"):
        metadata["output_config"] = cast("Mapping[str, object]", output)
    if asked.transcription.get("language") == AUTO and code is not None:
        metadata["language_identification"] = {
            "results": [
                {"alternatives": [{"language": code}], "start_time": 0.0, "end_time": transcript.duration},
            ]
        }
    if asked.wants("translation_config") and not transcript.translations:
        metadata["translation_errors"] = _not_made("translation_failed", "translate")
    if asked.wants("summarization_config") and transcript.summary is None:
        metadata["summarization_errors"] = _not_made("summarization_failed", "sum up")
    if asked.wants("sentiment_analysis_config") and not transcript.sentiment:
        metadata["sentiment_analysis_errors"] = _not_made("sentiment_analysis_failed", "analyse moods")
    if asked.wants("topic_detection_config") and transcript.topics is None:
        metadata["topic_detection_errors"] = _not_made("topic_detection_failed", "find topics")
    if asked.wants("auto_chapters_config") and transcript.chapters is None:
        metadata["auto_chapters_errors"] = _not_made("auto_chapters_failed", "find chapters")
    return metadata


def _not_made(kind: str, what: str) -> list[Mapping[str, str]]:
    return [{"type": kind, "message": f"the provider behind this server does not {what}"}]


# -- analyses ------------------------------------------------------------------------------------------------------


def _translated(segments: Sequence[Segment] | None, text: str, writer: ItemWriter) -> Iterator[TranslationItem]:
    if segments is None:
        yield {"start_time": None, "end_time": None, "content": text}
    for segment in segments or ():
        item: TranslationItem = {
            "start_time": segment.start_time,
            "end_time": segment.end_time,
            "content": segment.text,
        }
        if segment.speaker_id is not None:
            item["speaker"] = segment.speaker_id
        if (channel := writer.channel(segment.channel)) is not None:
            item["channel"] = channel
        yield item


def _sentiment(sentiment: Sentiment, writer: ItemWriter) -> SentimentBlock:
    segments: list[SentimentItem] = []
    for segment in sentiment.segments or ():
        item = cast(
            "SentimentItem",
            {
                "text": segment.text,
                "sentiment": segment.sentiment,
                "start_time": segment.start_time,
                "end_time": segment.end_time,
                "confidence": segment.confidence,
            },
        )
        if segment.speaker_id is not None:
            item["speaker"] = segment.speaker_id
        if (channel := writer.channel(segment.channel)) is not None:
            item["channel"] = channel
        segments.append(item)
    counts = sentiment.counts
    if counts is None:
        moods = [segment["sentiment"] for segment in segments]
        counts = {mood: moods.count(mood) for mood in _MOODS}
    positive, negative, neutral = (counts.get(mood, 0) for mood in _MOODS)
    return {
        "segments": segments,
        "summary": {
            "overall": {"positive_count": positive, "negative_count": negative, "neutral_count": neutral},
        },
    }


def _topics(topics: Sequence[Topic]) -> TopicBlock:
    stretches: dict[tuple[str, float | None, float | None], TopicItem] = {}
    for topic in topics:
        for segment in topic.segments or ():
            place = segment.text, segment.start_time, segment.end_time
            stretch = stretches.setdefault(
                place, {"text": place[0], "start_time": place[1], "end_time": place[2], "topics": []}
            )
            stretch["topics"].append({"topic": topic.name})
    counts = {topic.name: len(topic.segments or ()) if topic.count is None else topic.count for topic in topics}
    return {"segments": list(stretches.values()), "summary": {"overall": counts}}


def _chapters(transcript: Transcript) -> Iterator[ChapterItem]:
    for chapter in transcript.chapters or ():
        yield {
            "title": chapter.title,
            "summary": chapter.summary or "",
            "start_time": chapter.start_time,
            "end_time": chapter.end_time,
        }


def _audio_events(transcript: Transcript, writer: ItemWriter) -> Iterator[AudioEventItem]:
    for event in transcript.audio_events or ():
        item: AudioEventItem = {
            "type": event.type,
            "start_time": event.start_time,
            "end_time": event.end_time,
            "confidence": event.confidence,
        }
        if (channel := writer.channel(event.channel)) is not None:
            item["channel"] = channel
        yield item


def _audio_event_summary(transcript: Transcript) -> Mapping[str, object]:
    overall: dict[str, dict[str, float]] = {}
    for event in transcript.audio_events or ():
        found = overall.setdefault(event.type, {"count": 0, "total_duration": 0.0})
        found["count"] += 1
        if event.start_time is not None and event.end_time is not None:
            found["total_duration"] = round(found["total_duration"] + event.end_time - event.start_time, 6)
    return {"overall": overall}
