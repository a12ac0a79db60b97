"""What Speechmatics found out beside the words: translations, summary, topics, chapters, moods, sounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from stt_core.transcript import (
    AudioEvent,
    Chapter,
    Segment,
    Sentiment,
    SentimentSegment,
    Topic,
    Transcript,
    Translation,
)

from .document import UNKNOWN_SPEAKER
from .languages import UNSPACED, tag_of
from .reading import items_of, number_of, object_of, text_of, texts_of

__all__ = ["read_analysis"]

Object = Mapping[str, object]
ChannelIndex = Callable[[str], int | None]

_MOODS = ("positive", "neutral", "negative")


def read_analysis(document: Object, transcript: Transcript, channel: ChannelIndex) -> None:
    """Adds it to the transcript. What was not asked for, or failed, stays ``None``.

    Raises:
        ProtocolError: a field is of another type than the format says.
    """
    transcript.summary = text_of(object_of(document, "summary"), "content") or None
    if document.get("translations") is not None:
        translations = object_of(document, "translations")
        transcript.translations = {code: _translation(translations, code, channel) for code in translations}
    if document.get("topics") is not None:
        transcript.topics = _topics(object_of(document, "topics"))
    if document.get("sentiment_analysis") is not None:
        transcript.sentiment = _sentiment(object_of(document, "sentiment_analysis"), channel)
    chapters = items_of(document, "chapters")
    if chapters is not None:
        transcript.chapters = [
            Chapter(text_of(each, "title"), text_of(each, "summary") or None, *_times(each)) for each in chapters
        ]
    events = items_of(document, "audio_events")
    if events is not None:
        transcript.audio_events = [
            AudioEvent(
                text_of(each, "type"), *_times(each), number_of(each, "confidence"), channel(text_of(each, "channel"))
            )
            for each in events
        ]
    speakers = items_of(document, "speakers")
    if speakers is not None:
        transcript.speaker_identifiers = {
            text_of(each, "label"): list(texts_of(each, "speaker_identifiers")) for each in speakers
        }
    transcript.warnings = list(_warnings(object_of(document, "metadata"))) or None


def _translation(translations: Object, code: str, channel: ChannelIndex) -> Translation:
    space = "" if code in UNSPACED else " "
    segments = [
        Segment(
            text_of(each, "content").strip(),
            space if number else "",
            *_times(each),
            speaker_id=_speaker(each),
            language=tag_of(code),
            channel=channel(text_of(each, "channel")),
        )
        for number, each in enumerate(items_of(translations, code) or ())
    ]
    return Translation("".join(segment.prefix + segment.text for segment in segments), segments)


def _topics(block: Object) -> list[Topic]:
    overall = object_of(object_of(block, "summary"), "overall")
    topics = {name: Topic(name, _count(overall, name), []) for name in overall}
    for each in items_of(block, "segments") or ():
        for named in items_of(each, "topics") or ():
            name = text_of(named, "topic")
            topic = topics.setdefault(name, Topic(name, None, []))
            if topic.segments is not None:
                topic.segments.append(Segment(text_of(each, "text"), "", *_times(each)))
    return list(topics.values())


def _sentiment(block: Object, channel: ChannelIndex) -> Sentiment:
    block = object_of(block, "sentiment_analysis") or block
    summary = object_of(block, "summary")
    segments = [
        SentimentSegment(
            text_of(each, "text"),
            text_of(each, "sentiment"),
            *_times(each),
            speaker_id=_speaker(each),
            confidence=number_of(each, "confidence"),
            channel=channel(text_of(each, "channel")),
        )
        for each in items_of(block, "segments") or ()
    ]
    speakers = {text_of(each, "speaker"): _counts(each) for each in items_of(summary, "speakers") or ()}
    return Sentiment(segments, _counts(object_of(summary, "overall")) or None, speakers or None)


def _counts(counted: Object) -> dict[str, int]:
    found = {mood: _count(counted, f"{mood}_count") for mood in _MOODS}
    return {mood: count for mood, count in found.items() if count is not None}


def _count(counted: Object, name: str) -> int | None:
    number = number_of(counted, name)
    return None if number is None else int(number)


def _warnings(metadata: Object) -> Iterator[str]:
    for name in metadata:
        if name.endswith("_errors"):
            for error in items_of(metadata, name) or ():
                yield _told(name.removesuffix("_errors"), text_of(error, "type"), text_of(error, "message"))
    identification = object_of(metadata, "language_identification")
    if identification.get("error") is not None:
        yield _told("language_identification", text_of(identification, "error"), text_of(identification, "message"))


def _told(*parts: str) -> str:
    return ": ".join(part for part in parts if part)


def _times(item: Object) -> tuple[float | None, float | None]:
    return number_of(item, "start_time"), number_of(item, "end_time")


def _speaker(item: Object) -> str | None:
    label = text_of(item, "speaker")
    return None if label == UNKNOWN_SPEAKER else label or None
