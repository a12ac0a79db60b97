"""What a job may be told: the JobConfig of Speechmatics' batch API, field by field.

Ranges, enums and lengths are those of the API's specification; what the vendor's own clients send beyond it is taken
too, so that their users' documents go as they are. ``JobDocument`` is a JobConfig in either form that these clients
have: nested, or flat, with the fields of ``transcription_config`` at the top.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Required, TypedDict

from stt_core.options import Default, Doc, Length, Pattern, Range, Secret

__all__ = [
    "MAX_IDENTIFIERS",
    "AudioEventsConfig",
    "AudioFilteringConfig",
    "AutoChaptersConfig",
    "Blocks",
    "Diarization",
    "FetchData",
    "JobConfig",
    "JobDocument",
    "LanguageIdentificationConfig",
    "NotificationConfig",
    "OutputConfig",
    "PunctuationOverrides",
    "Replacement",
    "SRTOverrides",
    "SentimentAnalysisConfig",
    "Speaker",
    "SpeakerDiarizationConfig",
    "SummarizationConfig",
    "TopicDetectionConfig",
    "TrackingConfig",
    "TranscriptFilteringConfig",
    "Transcription",
    "TranscriptionConfig",
    "TranslationConfig",
    "VocabularyItem",
]

MAX_IDENTIFIERS = 50
"""Of all speakers together."""

Diarization = Literal["none", "speaker", "channel"]

_HTTP_URL = Pattern(r"https?://[^\s/]+[^\s]*", "a URL that begins with http:// or https://")
_TERM = Pattern(r"\s*\S+(\s+\S+){0,5}\s*", "text of 1 to 6 words, because the server drops longer terms")
_HEADER_LINE = Pattern(r"[A-Za-z0-9_-]+:[^\r\n]*", "header lines such as `Authorization: Bearer …`")


# -- inside transcription_config -----------------------------------------------------------------------------------


class VocabularyItem(TypedDict, total=False):
    """A term to listen for."""

    content: Required[
        Annotated[
            str,
            _TERM,
            Doc("The term as it is to be written."),
        ]
    ]
    sounds_like: Annotated[list[str], Doc("How it is said, where its spelling does not tell.")]


class PunctuationOverrides(TypedDict, total=False):
    """How the text is punctuated."""

    sensitivity: Annotated[float, Range(ge=0, le=1), Doc("The higher, the more marks."), Default(0.5)]
    permitted_marks: Annotated[
        list[str],
        Pattern(r".|all", "a single mark, or `all`"),
        Doc("The marks that may be set; an empty list for none."),
        Default(["all"], "all"),
    ]


class Speaker(TypedDict):
    """A speaker who is known from an earlier transcript."""

    label: Annotated[
        str,
        Pattern(r"(?!S\d+$|UU$)\S(.*\S)?", "a name that is not the server's own, such as S1 or UU"),
        Doc("What he is called in the transcript."),
    ]
    speaker_identifiers: Annotated[
        list[str], Length(ge=1, le=MAX_IDENTIFIERS), Doc("As a transcript with `get_speakers` gives them.")
    ]


class SpeakerDiarizationConfig(TypedDict, total=False):
    """How speakers are told apart."""

    speaker_sensitivity: Annotated[float, Range(ge=0, le=1), Doc("The higher, the more speakers."), Default(0.5)]
    prefer_current_speaker: Annotated[
        bool, Doc("Fewer changes between speakers who sound alike."), Default(value=False)
    ]
    get_speakers: Annotated[bool, Doc("The transcript gives what identifies each speaker."), Default(value=False)]
    speakers: Annotated[
        list[Speaker],
        Doc(f"Speakers to recognise; at most {MAX_IDENTIFIERS} identifiers in all."),
        Default(None, "none"),
    ]


class AudioFilteringConfig(TypedDict, total=False):
    """Which audio is heard."""

    volume_threshold: Annotated[
        float, Range(ge=0, le=100), Doc("Words that are quieter are left out."), Default(None, "none")
    ]


Replacement = TypedDict(
    "Replacement",
    {
        "from": Annotated[str, Length(ge=1), Doc("What is replaced: a word, or `/regular expression/`.")],
        "to": Annotated[str, Doc("What stands in its place.")],
    },
)
"""A replacement in the text."""


class TranscriptFilteringConfig(TypedDict, total=False):
    """What is changed in the text."""

    remove_disfluencies: Annotated[bool, Doc("English: leaves `um` and `er` out."), Default(value=False)]
    replacements: Annotated[list[Replacement], Doc("What is replaced, in order."), Default(None, "nothing")]


class Transcription(TypedDict, total=False):
    """The fields of ``transcription_config`` that are options under the same name."""

    domain: Annotated[
        Literal["medical", "finance", "bilingual-en"],
        Doc("What the talk is about; `bilingual-en` with `es` for Spanish mixed with English."),
        Default(None, "none"),
    ]
    output_locale: Annotated[
        Literal["en-GB", "en-US", "en-AU", "cmn-Hans", "cmn-Hant"],
        Doc("The spelling of English, or the script of Mandarin."),
        Default(None, "that of the language's tag, such as en-GB or zh-Hant; else the server's"),
    ]
    channel_diarization_labels: Annotated[
        list[str],
        Pattern(r"[A-Za-z0-9._]+", "letters, digits, `.` and `_`"),
        Length(le=100),
        Doc("What the channels are called, with `diarization` by channel."),
        Default(None, "Channel 1, Channel 2 …"),
    ]
    speaker_diarization_config: Annotated[
        SpeakerDiarizationConfig, Doc("With `diarization` by speaker: how."), Default(None, "the server's")
    ]
    additional_vocab: Annotated[
        list[str | VocabularyItem], _TERM, Length(le=1000), Doc("Terms to listen for."), Default(None, "none")
    ]
    punctuation_overrides: Annotated[
        PunctuationOverrides, Doc("How the text is punctuated."), Default(None, "the server's")
    ]
    enable_entities: Annotated[
        bool, Doc("Numbers, dates and the like in spoken and written form."), Default(value=False)
    ]
    max_delay_mode: Annotated[
        Literal["fixed", "flexible"], Doc("Whether entities may be waited for."), Default(None, "the server's")
    ]
    audio_filtering_config: Annotated[AudioFilteringConfig, Doc("Which audio is heard."), Default(None, "all")]
    transcript_filtering_config: Annotated[
        TranscriptFilteringConfig, Doc("What is changed in the text."), Default(None, "nothing")
    ]


class TranscriptionConfig(Transcription, total=False):
    """The whole ``transcription_config``."""

    language: Annotated[str, Length(ge=1), Doc("Speechmatics' code of the language, `auto`, or `multi` with melia-1.")]
    model: Annotated[Literal["standard", "enhanced", "melia-1", "oak-1"], Doc("The model.")]
    operating_point: Annotated[
        Literal["standard", "enhanced", "melia-1", "oak-1"], Doc("The older name of `model`; one of them is enough.")
    ]
    diarization: Annotated[Diarization, Doc("Whether speakers, or channels, are told apart."), Default("none")]
    language_hints: Annotated[list[str], Doc("With melia-1: languages to expect.")]
    language_hints_strict: Annotated[bool, Doc("With melia-1: no other language than the hints.")]
    # The vendor's clients share this class with their real-time API, and send these for a job too.
    enable_partials: Annotated[bool, Doc("Without effect on a job.")]
    max_delay: Annotated[float, Range(ge=0), Doc("Without effect on a job.")]


# -- the other blocks ----------------------------------------------------------------------------------------------


class FetchData(TypedDict, total=False):
    """Where the server finds the audio."""

    url: Required[Annotated[str, _HTTP_URL, Secret(), Doc("The URL of the audio; it may be a signed one.")]]
    auth_headers: Annotated[list[str], _HEADER_LINE, Secret(), Doc("Headers of the request for it.")]


class NotificationConfig(TypedDict, total=False):
    """Whom the server tells that a job is over."""

    url: Required[Annotated[str, _HTTP_URL, Secret(), Doc("Where it is told; `id` and `status` are added.")]]
    contents: Annotated[
        list[
            Literal["jobinfo", "transcript", "transcript.json-v2", "transcript.txt", "transcript.srt", "data", "text"]
        ],
        Doc("What goes with it; an empty list for nothing."),
        Default(None, "the transcript"),
    ]
    method: Annotated[Literal["post", "put"], Doc("The method of the request."), Default("post")]
    auth_headers: Annotated[list[str], _HEADER_LINE, Secret(), Doc("Headers of the request.")]


class TrackingConfig(TypedDict, total=False):
    """Notes of the caller's, which come back with the job and its transcript."""

    title: Annotated[str, Doc("A title.")]
    reference: Annotated[str, Doc("The caller's own id."), Default(None, "one that a lost answer is found again by")]
    tags: Annotated[list[str], Doc("Tags.")]
    details: Annotated[Mapping[str, object], Doc("Anything.")]


class SRTOverrides(TypedDict, total=False):
    """The layout of the server's own subtitles."""

    max_line_length: Annotated[int, Range(ge=1), Doc("Characters of a line."), Default(37)]
    max_lines: Annotated[int, Range(ge=1), Doc("Lines of a subtitle."), Default(2)]


class OutputConfig(TypedDict, total=False):
    """The server's own renderings."""

    srt_overrides: Annotated[SRTOverrides, Doc("The layout of subtitles.")]
    generate_lattice: Annotated[bool, Doc("Undocumented; the vendor's client has it.")]


class TranslationConfig(TypedDict, total=False):
    """Into which languages the text is translated."""

    target_languages: Required[Annotated[list[str], Length(ge=1, le=5), Doc("Speechmatics' codes of them.")]]
    enable_partials: Annotated[bool, Doc("Without effect on a job.")]


class LanguageIdentificationConfig(TypedDict, total=False):
    """How the language is identified where it is ``auto``."""

    expected_languages: Annotated[list[str], Length(ge=1), Doc("Speechmatics' codes of those that it may be.")]
    low_confidence_action: Annotated[
        Literal["allow", "reject", "use_default_language"],
        Doc("What happens where no language is likely enough."),
        Default("reject"),
    ]
    default_language: Annotated[str, Length(ge=1), Doc("What `use_default_language` uses.")]


class SummarizationConfig(TypedDict, total=False):
    """How the talk is summed up."""

    content_type: Annotated[
        Literal["auto", "informative", "conversational"], Doc("What kind of talk it is."), Default("auto")
    ]
    summary_length: Annotated[Literal["brief", "detailed"], Doc("How long the summary is."), Default("brief")]
    summary_type: Annotated[Literal["paragraphs", "bullets"], Doc("Its form."), Default(None, "the server's")]


class SentimentAnalysisConfig(TypedDict, total=False):
    """The moods of the talk; nothing to set."""

    enable_sentiment: Annotated[bool, Doc("Undocumented; the vendor's client sends it.")]


class TopicDetectionConfig(TypedDict, total=False):
    """What the talk is about."""

    topics: Annotated[list[str], Length(le=10), Doc("The topics to look for."), Default(None, "the server's own")]


class AutoChaptersConfig(TypedDict, total=False):
    """The chapters of the talk; nothing to set."""

    enable_chapters: Annotated[bool, Doc("Undocumented; the vendor's client sends it.")]


class AudioEventsConfig(TypedDict, total=False):
    """Sounds that are no speech."""

    types: Annotated[
        list[Literal["laughter", "music", "applause"]], Doc("Which of them to look for."), Default(None, "all")
    ]


class Blocks(TypedDict, total=False):
    """What stands beside ``transcription_config`` and is an option under the same name."""

    fetch_data: Annotated[FetchData, Doc("Where the server finds the audio, in place of an upload.")]
    notification_config: Annotated[
        list[NotificationConfig] | NotificationConfig,
        Length(le=3),
        Doc("Whom the server tells that the job is over."),
        Default(None, "nobody"),
    ]
    tracking: Annotated[TrackingConfig, Doc("Your own notes on the job."), Default(None, "a reference of our own")]
    output_config: Annotated[OutputConfig, Doc("The server's own renderings."), Default(None, "the server's")]
    translation_config: Annotated[
        TranslationConfig, Doc("Into which languages the text is translated."), Default(None, "none")
    ]
    language_identification_config: Annotated[
        LanguageIdentificationConfig, Doc("With the language `auto`: how."), Default(None, "the server's")
    ]
    summarization_config: Annotated[bool | SummarizationConfig, Doc("Sums the talk up."), Default(value=False)]
    sentiment_analysis_config: Annotated[
        bool | SentimentAnalysisConfig, Doc("Finds the moods of the talk."), Default(value=False)
    ]
    topic_detection_config: Annotated[
        bool | TopicDetectionConfig, Doc("Finds what the talk is about."), Default(value=False)
    ]
    auto_chapters_config: Annotated[bool | AutoChaptersConfig, Doc("Finds chapters."), Default(value=False)]
    audio_events_config: Annotated[
        bool | AudioEventsConfig, Doc("Finds sounds that are no speech."), Default(value=False)
    ]


class JobConfig(Blocks, total=False):
    """The whole ``config`` of a job."""

    type: Annotated[Literal["transcription"], Doc("What the job does."), Default("transcription")]
    transcription_config: Annotated[TranscriptionConfig, Doc("How the speech is recognised.")]


class JobDocument(JobConfig, TranscriptionConfig, total=False):
    """A JobConfig in either form: what stands at the top in the flat one is lifted to its place."""

    srt_overrides: Annotated[SRTOverrides, Doc("In the flat form: those of `output_config`.")]
