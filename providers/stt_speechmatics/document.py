"""The transcript as Speechmatics' JSON has it (``json-v2``), from format 2.1 to 2.9.

Times are seconds of audio. What an older or a newer server leaves out, adds or sends as ``null`` is nothing to complain
about: :mod:`.results` reads it leniently. Our own server half says ``null`` where the provider behind it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NotRequired, TypeAlias, TypedDict

__all__ = [
    "FORMAT_VERSION",
    "UNKNOWN_SPEAKER",
    "Alternative",
    "AttachesTo",
    "AudioEventItem",
    "ChapterItem",
    "IdentifiedLanguage",
    "Item",
    "ItemType",
    "JobOfTranscript",
    "LanguageIdentification",
    "LanguagePack",
    "Metadata",
    "SentimentBlock",
    "SentimentCounts",
    "SentimentItem",
    "SentimentSummary",
    "SpeakerItem",
    "Summary",
    "TopicBlock",
    "TopicItem",
    "TranscriptDocument",
    "TranslationItem",
]

FORMAT_VERSION = "2.9"

UNKNOWN_SPEAKER = "UU"
"""A speaker that was not recognised; often on every item of a transcript without diarization."""

ItemType: TypeAlias = Literal["word", "punctuation", "entity"]
"""Payloads before July 2024 may also have ``speaker_change``, without alternatives."""

AttachesTo: TypeAlias = Literal["previous", "next", "both", "none"]
"""Of punctuation: on which side there is no space."""


class Alternative(TypedDict):
    """A reading of an item; the first one is the best."""

    content: str
    confidence: NotRequired[float | None]
    language: NotRequired[str | None]
    speaker: NotRequired[str]
    display: NotRequired[Mapping[str, str]]
    tags: NotRequired[list[str]]


class Item(TypedDict):
    """A word, a punctuation mark (which takes no time), or an entity: a number or a date written as one does.

    The words of an entity are in its ``spoken_form`` and not beside it.
    """

    type: ItemType
    start_time: float | None
    end_time: float | None
    alternatives: list[Alternative]
    channel: NotRequired[str]
    volume: NotRequired[float]
    is_eos: NotRequired[bool]
    attaches_to: NotRequired[AttachesTo]
    entity_class: NotRequired[str]
    spoken_form: NotRequired[list[Item]]
    written_form: NotRequired[list[Item]]


class JobOfTranscript(TypedDict):
    """``job``: what the transcript is of."""

    id: str
    created_at: str
    data_name: str
    duration: NotRequired[int]
    tracking: NotRequired[Mapping[str, object]]


class LanguagePack(TypedDict, total=False):
    """How the language is written. The maps are of melia-1, by language."""

    word_delimiter: str
    language_description: str
    writing_direction: Literal["left-to-right", "right-to-left"]
    itn: bool
    adapted: bool
    per_language_word_delimiters: Mapping[str, str]
    per_language_writing_direction: Mapping[str, str]


class IdentifiedLanguage(TypedDict):
    """What a stretch of the recording may be spoken in: ``alternatives`` of ``language`` and ``confidence``."""

    alternatives: list[Mapping[str, object]]
    start_time: float | None
    end_time: float | None


class LanguageIdentification(TypedDict, total=False):
    """The result of ``language: auto``."""

    results: list[IdentifiedLanguage]
    error: Literal["LOW_CONFIDENCE", "UNEXPECTED_LANGUAGE", "NO_SPEECH", "FILE_UNREADABLE", "OTHER"]
    message: str


class Metadata(TypedDict):
    """``metadata``; an analysis that failed has a list ``<analysis>_errors`` of ``type`` and ``message``."""

    created_at: str
    type: str
    transcription_config: NotRequired[Mapping[str, object]]
    output_config: NotRequired[Mapping[str, object]]
    orchestrator_version: NotRequired[str]
    language_pack_info: NotRequired[LanguagePack]
    language_identification: NotRequired[LanguageIdentification]
    translation_errors: NotRequired[list[Mapping[str, str]]]
    summarization_errors: NotRequired[list[Mapping[str, str]]]
    sentiment_analysis_errors: NotRequired[list[Mapping[str, str]]]
    topic_detection_errors: NotRequired[list[Mapping[str, str]]]
    auto_chapters_errors: NotRequired[list[Mapping[str, str]]]


class SpeakerItem(TypedDict):
    """A speaker, and what ``speaker_diarization_config.speakers`` takes to know him again."""

    label: str
    speaker_identifiers: list[str]


class TranslationItem(TypedDict):
    """A sentence of a translation."""

    start_time: float | None
    end_time: float | None
    content: str
    speaker: NotRequired[str]
    channel: NotRequired[str]


class Summary(TypedDict):
    """``summary``."""

    content: str


class SentimentItem(TypedDict):
    """A stretch of one mood."""

    text: str
    sentiment: Literal["positive", "neutral", "negative"]
    start_time: float | None
    end_time: float | None
    confidence: NotRequired[float | None]
    speaker: NotRequired[str]
    channel: NotRequired[str]


class SentimentCounts(TypedDict):
    """How many stretches there are of each mood; of one ``speaker`` or ``channel`` where that is said."""

    positive_count: int
    negative_count: int
    neutral_count: int
    speaker: NotRequired[str]
    channel: NotRequired[str]


class SentimentSummary(TypedDict):
    """The counts."""

    overall: SentimentCounts
    speakers: NotRequired[list[SentimentCounts]]
    channels: NotRequired[list[SentimentCounts]]


class SentimentBlock(TypedDict):
    """``sentiment_analysis``. By the vendor's schema it stands once more inside itself, in its examples it does not."""

    segments: list[SentimentItem]
    summary: SentimentSummary


class TopicItem(TypedDict):
    """A stretch, and what it is about: ``{"topic": ...}``."""

    text: str
    start_time: float | None
    end_time: float | None
    topics: list[Mapping[str, str]]


class TopicBlock(TypedDict):
    """``topics``; the summary is ``{"overall": {topic: count}}``."""

    segments: list[TopicItem]
    summary: Mapping[str, Mapping[str, int]]


class ChapterItem(TypedDict):
    """A chapter."""

    title: str
    summary: str
    start_time: float | None
    end_time: float | None


class AudioEventItem(TypedDict):
    """A sound that is no speech: ``laughter``, ``music``, ``applause``."""

    type: str
    start_time: float | None
    end_time: float | None
    confidence: NotRequired[float | None]
    channel: NotRequired[str]


class TranscriptDocument(TypedDict):
    """The whole."""

    format: str
    job: JobOfTranscript
    metadata: Metadata
    results: list[Item]
    speakers: NotRequired[list[SpeakerItem]]
    translations: NotRequired[Mapping[str, list[TranslationItem]]]
    summary: NotRequired[Summary]
    sentiment_analysis: NotRequired[SentimentBlock]
    topics: NotRequired[TopicBlock]
    chapters: NotRequired[list[ChapterItem]]
    audio_events: NotRequired[list[AudioEventItem]]
    audio_event_summary: NotRequired[Mapping[str, object]]
