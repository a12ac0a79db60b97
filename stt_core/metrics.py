"""What a program measures of its streams: one callback, with a typed record for everything that is worth a metric.

::

    stt = create_stt("cartesia/ink-2", on_metrics=record)

It is called in the event loop's thread, at most a few times per utterance and never per frame, so it must not block;
what it raises is logged and goes no further. When it is not set nothing of this costs anything.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from .events import SpeechEvent, SpeechEventType

if TYPE_CHECKING:
    from .errors import STTError
    from .registry import Resolved

__all__ = [
    "AudioLost",
    "AudioUsage",
    "Connected",
    "FinalDelay",
    "FirstText",
    "Meter",
    "Metric",
    "MetricsCallback",
    "ProviderSwitched",
    "Recognized",
    "Reconnecting",
    "StreamEnded",
    "report",
]

logger = logging.getLogger("stt_core.metrics")


@dataclass(frozen=True, slots=True)
class Metric:
    """What all records have.

    Attributes:
        provider: the registered name of the one that serves.
        model: its model; ``None`` when the vendor chooses.
        stream_id: as in the log records of the stream; ``None`` of a file.
        channel: of a stream whose channels are recognised each for itself, else ``None``.
    """

    provider: str
    model: str | None
    stream_id: str | None
    channel: int | None


@dataclass(frozen=True, slots=True)
class Connected(Metric):
    """The provider is ready for audio; ``seconds``: since the attempt began."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reconnecting(Metric):
    """A connection was lost, because of ``error``; ``attempt`` 0 is a planned one, without an error."""

    attempt: int
    error: STTError | None


@dataclass(frozen=True, slots=True)
class ProviderSwitched(Metric):
    """A chain went on to ``provider``."""

    previous_provider: str
    error: STTError | None


@dataclass(frozen=True, slots=True)
class AudioUsage(Metric):
    """Seconds that the provider's transport accepted since the last record: what is paid for is their sum."""

    sent: float
    replayed: float
    injected: float


@dataclass(frozen=True, slots=True)
class AudioLost(Metric):
    """Seconds of audio that will never be recognised."""

    seconds: float


@dataclass(frozen=True, slots=True)
class FirstText(Metric):
    """The first text of the stream; ``seconds``: since the first audio was given to a provider."""

    seconds: float


@dataclass(frozen=True, slots=True)
class FinalDelay(Metric):
    """A FINAL; ``seconds``: of audio that were pushed behind the end of its speech, ``None`` where no times tell.

    For live audio that is how long a caller who has stopped speaking waited for his words.
    """

    seconds: float | None


@dataclass(frozen=True, slots=True)
class StreamEnded(Metric):
    """A stream is over; ``seconds``: of audio pushed; ``error``: what it ended with, if that was no good end."""

    seconds: float
    error: BaseException | None


@dataclass(frozen=True, slots=True)
class Recognized(Metric):
    """A file is done: ``seconds`` it took, for ``duration`` seconds of audio if known; ``error``: if it failed."""

    seconds: float
    duration: float | None
    error: STTError | None


MetricsCallback: TypeAlias = Callable[[Metric], object]


def report(callback: MetricsCallback, metric: Metric) -> None:
    """Calls back; a measurement that fails is no reason for a call to fail."""
    try:
        callback(metric)
    except Exception:
        logger.exception("on_metrics raised on %s", type(metric).__name__)


class Meter:
    """Turns the events that leave a stream into records.

    Args:
        callback: gets them.
        stream_id: of the stream.
        channel: of its channel, if that has a stream to itself.
        serving: whose turn it is.
        pushed: seconds of audio so far.
        first_text: seconds until the first text, once there was one.
    """

    def __init__(
        self,
        callback: MetricsCallback,
        *,
        stream_id: str,
        channel: int | None,
        serving: Callable[[], Resolved],
        pushed: Callable[[], float],
        first_text: Callable[[], float | None],
    ) -> None:
        self._callback = callback
        self._stream_id = stream_id
        self._channel = channel
        self._serving = serving
        self._pushed = pushed
        self._first_text = first_text
        self._text_seen = False

    def see(self, event: SpeechEvent) -> None:
        """An event leaves the stream."""
        kind = event.type
        if event.alternatives and not self._text_seen and (seconds := self._first_text()) is not None:
            self._text_seen = True
            report(self._callback, FirstText(*self._who(), seconds))
        if kind is SpeechEventType.FINAL_TRANSCRIPT:
            end = event.alternatives[0].end_time
            delay = None if end is None else max(self._pushed() - end, 0.0)
            report(self._callback, FinalDelay(*self._who(), delay))
        elif kind is SpeechEventType.RECOGNITION_USAGE and (usage := event.recognition_usage) is not None:
            record = AudioUsage(*self._who(), usage.sent_duration, usage.replayed_duration, usage.injected_duration)
            report(self._callback, record)
        elif kind is SpeechEventType.CONNECTED and event.timings is not None:
            report(self._callback, Connected(*self._who(), event.timings.connect or 0.0))
        elif kind is SpeechEventType.RECONNECTING:
            report(self._callback, Reconnecting(*self._who(), event.attempt or 0, event.error))
        elif kind is SpeechEventType.PROVIDER_SWITCHED:
            report(self._callback, ProviderSwitched(*self._who(), event.previous_provider or "", event.error))
        elif kind is SpeechEventType.AUDIO_LOST and event.span is not None:
            report(self._callback, AudioLost(*self._who(), event.span.duration))

    def end(self, error: BaseException | None) -> None:
        """The stream is over."""
        report(self._callback, StreamEnded(*self._who(), self._pushed(), error))

    def _who(self) -> tuple[str, str | None, str | None, int | None]:
        serving = self._serving()
        return serving.provider.name, serving.model, self._stream_id, self._channel
