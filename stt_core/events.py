"""What a stream says: events and their parts.

All times are seconds of audio since the first sample that was pushed, whatever outages, replays, injected silence or
provider switches lie between (promise S2). ``None`` means that the provider did not say, or said something that cannot
be trusted (promise S11); nothing is ever invented.

The classes are slotted and mutable: one object is made per event, by the provider's codec, and the stream completes it
in place before the caller sees it.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .errors import STTError

__all__ = [
    "AudioSpan",
    "RecognitionUsage",
    "Settlement",
    "SpeechData",
    "SpeechEvent",
    "SpeechEventType",
    "StreamTimings",
    "Word",
]

Settlement = Literal["exact", "timed", "estimated"]
"""How surely a FINAL says up to where the audio has been recognised; see :mod:`stt_core.ledger`."""


class SpeechEventType(enum.StrEnum):
    """The kind of a :class:`SpeechEvent`. The values are stable and may be stored."""

    START_OF_SPEECH = "start_of_speech"
    """A segment (a turn, where the provider marks turns) begins. Alternates with END_OF_SPEECH."""

    INTERIM_TRANSCRIPT = "interim_transcript"
    """The whole text of the current segment so far. Replaces the last one; may still change."""

    PREFLIGHT_TRANSCRIPT = "preflight_transcript"
    """The provider thinks that the turn is about to end with this text: speculative work may start."""

    PREFLIGHT_CANCELLED = "preflight_cancelled"
    """The turn goes on after all: drop the speculative work."""

    FINAL_TRANSCRIPT = "final_transcript"
    """Text that does not change any more. Finals are disjoint, in time order and never empty."""

    END_OF_SPEECH = "end_of_speech"
    """The segment ends. It comes after the segment's FINAL, or without one when nothing was recognised."""

    RECOGNITION_USAGE = "recognition_usage"
    """Audio accounted for since the last such event; just before each FINAL, and once at the end for the rest."""

    CONNECTED = "connected"
    """The provider is ready: for the first time or after a reconnect."""

    RECONNECTING = "reconnecting"
    """The connection was lost (``error`` says how) and is about to be made again."""

    AUDIO_LOST = "audio_lost"
    """The audio of ``span`` will never be recognised."""

    PROVIDER_SWITCHED = "provider_switched"
    """A chain went on to its next member: ``provider``, from ``previous_provider``, because of ``error``."""


@dataclass(slots=True)
class Word:
    """One recognised word.

    Attributes:
        text: the word, with the punctuation that the provider attached to it, without surrounding white space.
        start_time: seconds of audio, or ``None``.
        end_time: seconds of audio, or ``None``.
        confidence: 0 to 1, or ``None``.
        speaker_id: the provider's label, or ``None``.
        channel: index of the audio channel, or ``None`` for a single one.
        language: BCP-47, or ``None``.
    """

    text: str
    start_time: float | None = None
    end_time: float | None = None
    confidence: float | None = None
    speaker_id: str | None = None
    channel: int | None = None
    language: str | None = None


@dataclass(slots=True)
class SpeechData:
    """One reading of a piece of speech.

    Attributes:
        text: the text, stripped.
        prefix: ``""`` or ``" "``: what attaches the text to the previous FINAL, so that joining ``prefix + text`` of
            all finals is right for mid-word splits, Japanese and Chinese.
        language: BCP-47, or ``None``.
        start_time: seconds of audio, or ``None``.
        end_time: seconds of audio, or ``None``.
        confidence: 0 to 1, or ``None``.
        speaker_id: the provider's label, or ``None``.
        words: the words in order, or ``None`` when the provider gives none.
        raw: the provider's own message, where it says more than this class can.
    """

    text: str
    prefix: str = ""
    language: str | None = None
    start_time: float | None = None
    end_time: float | None = None
    confidence: float | None = None
    speaker_id: str | None = None
    words: list[Word] | None = None
    raw: Any = None


@dataclass(slots=True)
class AudioSpan:
    """A stretch of audio, in seconds since the first sample pushed."""

    start_time: float
    end_time: float

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.end_time - self.start_time


@dataclass(slots=True)
class RecognitionUsage:
    """Seconds of audio that the provider's transport accepted.

    ``audio_duration`` is the sum of the other three: audio sent for the first time, audio sent again after a reconnect,
    and silence that the library injected to keep a session alive or to close a turn.
    """

    audio_duration: float = 0.0
    sent_duration: float = 0.0
    replayed_duration: float = 0.0
    injected_duration: float = 0.0


@dataclass(slots=True)
class StreamTimings:
    """How fast a stream was: seconds of the event loop's clock but for the backlog; ``None`` until it happened.

    Attributes:
        connect: how long the connection in use took: from the start of the attempt, behind any wait before it, to the
            provider being ready for audio. Credentials fetched and a process started are part of it.
        first_interim: from the first audio given to a provider to the first text of the stream, interim or final. It
            is set once. Silence at the beginning counts, and so do connections that were lost before.
        end_to_final: from the moment ``flush()`` or ``end_input()`` was handed to the provider, behind all audio pushed
            before, to the last FINAL up to its acknowledgement. A FINAL counts for the oldest flush that is open, else
            for the end. When a connection is lost in between, the time runs on. A flush without a FINAL changes
            nothing: the value is that of the one before.
        backlog: seconds of audio pushed and not yet accepted by the provider's transport, at the moment of asking.
            Audio that has to be sent again after a reconnect does not count.
    """

    connect: float | None = None
    first_interim: float | None = None
    end_to_final: float | None = None
    backlog: float | None = None


@dataclass(slots=True)
class SpeechEvent:
    """Something that a stream has to say.

    Attributes:
        type: what it is.
        alternatives: the readings, best first; empty for events without text.
        request_id: the vendor's id of the session, or ``None``.
        segment_id: counts the segments of a stream from 0; all events of a segment carry the same one.
        channel: index of the audio channel with ``channel_mode="split"``, else ``None``.
        provider: the registered name of the provider that said it.
        time: seconds of audio at which the event happened, where the provider says so.
        recognition_usage: with RECOGNITION_USAGE.
        settlement: with FINAL_TRANSCRIPT: how the audio behind it was settled.
        derived: the provider does not mark turns; this START or END was inferred.
        replayed: the audio behind it had been sent before, and there are no times to tell a repetition by: the provider
            gives none, or in a chain the one before it gave none.
        promoted: a FINAL that is the last interim, because no final came in time.
        span: with AUDIO_LOST.
        error: with RECONNECTING and PROVIDER_SWITCHED, and with AUDIO_LOST where a provider's answer is the reason.
        attempt: with RECONNECTING: how often the budget has been spent so far, from 1; 0 for a planned reconnect.
        previous_provider: with PROVIDER_SWITCHED.
        timings: with CONNECTED and RECOGNITION_USAGE.
    """

    type: SpeechEventType
    alternatives: Sequence[SpeechData] = ()
    request_id: str | None = None
    segment_id: int | None = None
    channel: int | None = None
    provider: str | None = None
    time: float | None = None
    recognition_usage: RecognitionUsage | None = None
    settlement: Settlement | None = None
    derived: bool = False
    replayed: bool = False
    promoted: bool = False
    span: AudioSpan | None = None
    error: STTError | None = None
    attempt: int | None = None
    previous_provider: str | None = None
    timings: StreamTimings | None = None

    @property
    def text(self) -> str:
        """The best reading's text; ``""`` for an event without one."""
        return self.alternatives[0].text if self.alternatives else ""
