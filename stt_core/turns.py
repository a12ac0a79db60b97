"""The order that a stream's events keep, whatever a provider's is (promise S1).

START and END alternate; INTERIM carries the whole current segment and replaces the last one; FINALs are disjoint, in
time order and never empty; a FINAL comes before its END. Where the provider does not mark turns, START and END are
derived from its texts and say so.
"""

from __future__ import annotations

from collections.abc import Callable

from .events import SpeechData, SpeechEvent, SpeechEventType

__all__ = ["TurnOrder", "forget_times"]

_START = SpeechEventType.START_OF_SPEECH
_INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
_PREFLIGHT = SpeechEventType.PREFLIGHT_TRANSCRIPT
_CANCELLED = SpeechEventType.PREFLIGHT_CANCELLED
_FINAL = SpeechEventType.FINAL_TRANSCRIPT
_END = SpeechEventType.END_OF_SPEECH

OVERLAP_SECONDS = 0.1
"""Finals that overlap by no more are touching ones, rounded; beyond it their times cannot be trusted."""


class TurnOrder:
    """Takes a provider's events of one channel, hands on the same events in order.

    It lives as long as the stream: a segment that was open when a connection dropped stays open on the next one.

    Args:
        deliver: called with each event that comes out, in order.
        turns: whether the provider marks turns.
        segment_ids: gives the next segment's id.
    """

    __slots__ = (
        "_deliver",
        "_held_end",
        "_last_end",
        "_next_id",
        "_preflight",
        "open_text",
        "segment_id",
        "speaking",
        "turns",
    )

    def __init__(self, deliver: Callable[[SpeechEvent], None], *, turns: bool, segment_ids: Callable[[], int]) -> None:
        self.turns = turns
        self.speaking = False
        self.segment_id: int | None = None
        self.open_text: SpeechEvent | None = None
        """The last interim (or preflight) of the segment, as long as no FINAL has taken its place."""
        self._deliver = deliver
        self._next_id = segment_ids
        self._held_end: SpeechEvent | None = None
        self._preflight = False
        self._last_end = 0.0

    def handle(self, event: SpeechEvent) -> None:
        """Takes one event of the provider. Events that are not about speech do not belong here."""
        kind = event.type
        if kind is _INTERIM or kind is _PREFLIGHT:
            self._interim(event)
        elif kind is _FINAL:
            self._final(event)
        elif kind is _START:
            self._start(event)
        elif kind is _END:
            self._end(event)
        elif kind is _CANCELLED and self._preflight:
            self._preflight = False
            self._send(event)

    def finish(self, event: SpeechEvent | None = None) -> None:
        """The provider has said everything about the audio so far: an open segment ends, with or without text.

        Args:
            event: the END to use, else one is derived.
        """
        if self.speaking:
            held = self._held_end
            self.open_text = None
            self._close(held or event or SpeechEvent(_END, derived=True))

    def close_untitled(self) -> None:
        """A flush was acknowledged: a segment that only our reading of the texts has opened is over."""
        if self.speaking and (self._held_end is not None or not self.turns):
            self.finish()

    def promote(self) -> SpeechEvent | None:
        """Makes the last interim a FINAL, marked as promoted, and ends the segment. Returns it, if there was one."""
        interim = self.open_text
        promoted: SpeechEvent | None = None
        if interim is not None:
            promoted = SpeechEvent(_FINAL, interim.alternatives, interim.request_id, promoted=True)
            promoted.channel, promoted.provider = interim.channel, interim.provider
            self._final(promoted)
        self.finish()
        return promoted

    # -- one method per kind ---------------------------------------------------------------------------------------

    def _send(self, event: SpeechEvent) -> None:
        event.segment_id = self.segment_id
        self._deliver(event)

    def _open(self, event: SpeechEvent) -> None:
        self.speaking = True
        self.segment_id = self._next_id()
        self._send(event)

    def _close(self, event: SpeechEvent) -> None:
        self._held_end = None
        self.speaking = False
        self._preflight = False
        self._send(event)

    def _open_if_needed(self, event: SpeechEvent) -> None:
        if not self.speaking:
            data = event.alternatives[0]
            self._open(
                SpeechEvent(
                    _START, (), event.request_id, None, event.channel, event.provider, data.start_time, derived=True
                )
            )

    def _start(self, event: SpeechEvent) -> None:
        if self._held_end is not None:
            self.finish()
        if not self.speaking:
            self._open(event)

    def _interim(self, event: SpeechEvent) -> None:
        if not event.alternatives or not event.alternatives[0].text:
            if self.open_text is None:
                return
            self.open_text = None  # the provider takes the text back
            event.type = _INTERIM
            self._send(event)
            return
        self._open_if_needed(event)
        self.open_text = event
        self._preflight = event.type is _PREFLIGHT
        self._send(event)

    def _final(self, event: SpeechEvent) -> None:
        self.open_text = None
        if not event.alternatives or not event.alternatives[0].text:
            self.close_untitled()
            return
        self._open_if_needed(event)
        self._keep_time_order(event.alternatives[0])
        self._preflight = False
        self._send(event)
        self.close_untitled()

    def _end(self, event: SpeechEvent) -> None:
        if not self.speaking:
            return
        if self.open_text is not None:
            self._held_end = event  # its FINAL is still to come
        else:
            self._close(event)

    def _keep_time_order(self, data: SpeechData) -> None:
        start, end = data.start_time, data.end_time
        if start is not None and (start < self._last_end - OVERLAP_SECONDS or (end is not None and end < start)):
            forget_times(data)
            return
        if start is not None and start < self._last_end:
            data.start_time = self._last_end
            if end is not None and end < self._last_end:
                data.end_time = self._last_end
            if data.words and data.words[0].start_time is not None:
                data.words[0].start_time = self._last_end
        if end is not None:
            self._last_end = max(self._last_end, end)


def forget_times(data: SpeechData) -> None:
    """The times cannot be right: unknown is better than wrong (promise S11)."""
    data.start_time = data.end_time = None
    for word in data.words or ():
        word.start_time = word.end_time = None
