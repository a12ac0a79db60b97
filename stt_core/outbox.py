"""What leaves a stream: its events, its finals, its usage."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .channel import ChannelFull
from .errors import SlowConsumerError
from .events import RecognitionUsage, SpeechEvent, SpeechEventType, StreamTimings

if TYPE_CHECKING:
    from collections.abc import Callable

    from .channel import Channel
    from .metrics import Meter

__all__ = ["Outbox"]

_INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
_FINAL = SpeechEventType.FINAL_TRANSCRIPT


class Outbox:
    """Sends events to the reader, never waiting for him (promise S7), with the usage before each FINAL (promise S10).

    An unread interim of a segment is overwritten by the next one. All else is kept, up to the channel's capacity.

    Args:
        events: where they go.
        provider: who says so, on events that do not say it themselves.
        sample_rate: of the audio as pushed.
        channel: that all of it is about; ``None`` leaves what events say themselves.
        clock: seconds of the event loop.
        backlog: the seconds pushed and not sent, at any moment.
        meter: sees every event, if somebody measures.
        asked_at: when the provider was asked for the finals that come next; ``None`` for those that come by themselves.
        on_overflow: called once, with the error that the stream must end with, when nobody reads.
    """

    def __init__(
        self,
        events: Channel[SpeechEvent],
        *,
        provider: Callable[[], str],
        sample_rate: int,
        channel: int | None,
        clock: Callable[[], float],
        backlog: Callable[[], float],
        meter: Meter | None = None,
        asked_at: Callable[[], float | None],
        on_overflow: Callable[[SlowConsumerError], None],
    ) -> None:
        self.finals: list[SpeechEvent] = []
        """Every FINAL so far."""
        self.timings = StreamTimings()
        """So far, without the backlog; :meth:`measured` has all."""
        self.request_id: str | None = None
        self._events = events
        self._provider = provider
        self._rate = sample_rate
        self._channel = channel
        self._clock = clock
        self._backlog = backlog
        self._meter = meter
        self._asked_at = asked_at
        self._on_overflow = on_overflow
        self._overflown = False
        self._tickets: dict[int | None, int] = {}  # of the unread interim of each channel
        self._sent = self._replayed = 0  # samples
        self._injected = 0.0  # seconds
        self._reported: tuple[int, int, float] = (0, 0, 0.0)

    def deliver(self, event: SpeechEvent) -> None:
        """Sends an event about speech that is in order."""
        kind = event.type
        if event.provider is None:
            event.provider = self._provider()
        if self._channel is not None:
            event.channel = self._channel
            for word in event.alternatives[0].words or () if event.alternatives else ():
                word.channel = self._channel
        if self._meter is not None:
            self._meter.see(event)
        channel = event.channel
        if kind is _INTERIM:
            ticket = self._tickets.get(channel)
            if ticket is None or not self._events.replace(ticket, event):
                ticket = self._send(event)
                if ticket is not None:
                    self._tickets[channel] = ticket
            return
        self._tickets.pop(channel, None)
        if kind is _FINAL:
            if not self.finals:
                event.alternatives[0].prefix = ""
            self.finals.append(event)
            asked_at = self._asked_at()
            if asked_at is not None:
                self.timings.end_to_final = self._clock() - asked_at
            self.report_usage()
        self._send(event)

    def announce(self, event: SpeechEvent) -> None:
        """Sends a status event."""
        event.provider = self._provider()
        event.channel = self._channel
        if event.request_id is None:
            event.request_id = self.request_id
        if self._meter is not None:
            self._meter.see(event)
        self._send(event)

    def _send(self, event: SpeechEvent) -> int | None:
        try:
            return self._events.send_nowait(event)
        except ChannelFull:
            if not self._overflown:
                self._overflown = True
                self._on_overflow(
                    SlowConsumerError(
                        f"nobody reads this stream's events: {self._events.capacity} finals and status events wait",
                        provider=self._provider(),
                    )
                )
            return None

    # -- usage -----------------------------------------------------------------------------------------------------

    def count(self, *, sent: int = 0, replayed: int = 0, injected: float = 0.0) -> None:
        """The transport has accepted so many samples, and so many seconds of silence."""
        self._sent += sent
        self._replayed += replayed
        self._injected += injected

    @property
    def usage(self) -> RecognitionUsage:
        """All that was accepted so far."""
        return self._usage_since((0, 0, 0.0))

    def report_usage(self) -> None:
        """Announces what was accepted since the last report, if anything was."""
        if (self._sent, self._replayed, self._injected) != self._reported:
            usage = self._usage_since(self._reported)
            self._reported = (self._sent, self._replayed, self._injected)
            self.announce(
                SpeechEvent(SpeechEventType.RECOGNITION_USAGE, recognition_usage=usage, timings=self.measured())
            )

    def measured(self) -> StreamTimings:
        """The timings of this moment."""
        return replace(self.timings, backlog=self._backlog())

    def _usage_since(self, then: tuple[int, int, float]) -> RecognitionUsage:
        sent, replayed = (self._sent - then[0]) / self._rate, (self._replayed - then[1]) / self._rate
        injected = self._injected - then[2]
        return RecognitionUsage(sent + replayed + injected, sent, replayed, injected)
