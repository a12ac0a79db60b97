"""What Cartesia's sockets say: events of any provider in, messages out. The opposite of the two codecs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from stt_core.events import SpeechEvent, SpeechEventType

from .wire import build_transcript, build_turn

if TYPE_CHECKING:
    from stt_core.events import SpeechData, Word

    from .wire import TranscriptMessage, TurnEvent, TurnMessage, WireWord

__all__ = ["ManualReplies", "TurnReplies", "wire_words"]

LanguageCode: TypeAlias = Callable[[str | None], str | None]


class ManualReplies:
    """``/stt/websocket``: interims and finals as deltas, to be joined as they are.

    Where a segment ends is not part of this wire: START and END are passed over.

    Args:
        request_id: of the session.
        language_code: Cartesia's code of an event's language.
    """

    def __init__(self, request_id: str, language_code: LanguageCode) -> None:
        self._request_id = request_id
        self._language_code = language_code
        self._joiner = _Joiner()
        self._told_to = 0.0  # seconds of audio behind all finals so far

    def say(self, event: SpeechEvent) -> Sequence[TranscriptMessage]:
        """The messages of an event."""
        final = event.type is SpeechEventType.FINAL_TRANSCRIPT
        if not final and event.type not in (
            SpeechEventType.INTERIM_TRANSCRIPT,
            SpeechEventType.PREFLIGHT_TRANSCRIPT,
        ):
            return ()
        data = event.alternatives[0] if event.alternatives else None
        if data is None:
            # The provider takes its interim back; finals are never empty.
            return (build_transcript(self._request_id, "", is_final=False),)
        message = build_transcript(
            self._request_id,
            self._joiner.join(data, final=final),
            is_final=final,
            duration=self._duration(data, final=final),
            language=self._language_code(data.language),
            words=wire_words(data.words),
        )
        return (message,)

    def _duration(self, data: SpeechData, *, final: bool) -> float | None:
        """Of the audio behind the text: everything since the last final, so that a client's sum is its clock."""
        end = data.end_time
        if end is None or end < self._told_to:
            return None
        duration = round(end - self._told_to, 6)
        if final:
            self._told_to = end
        return duration


class TurnReplies:
    """``/stt/turns/websocket``: turns, each with all of its text so far.

    Every sequence of events comes out as Cartesia's state machine allows it: a turn starts before it has text, and
    after an eager end nothing comes but its resumption or the end.

    Args:
        request_id: of the session.
    """

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        self._joiner = _Joiner()
        self._open = False
        self._eager = False
        self._final_text = ""  # of the turn

    def say(self, event: SpeechEvent) -> Sequence[TurnMessage]:
        """The messages of an event."""
        kind = event.type
        messages: list[TurnMessage] = []
        if kind is SpeechEventType.START_OF_SPEECH:
            self._start(messages)
        elif kind in (SpeechEventType.INTERIM_TRANSCRIPT, SpeechEventType.PREFLIGHT_TRANSCRIPT):
            self._start(messages)
            self._resume(messages)
            self._eager = kind is SpeechEventType.PREFLIGHT_TRANSCRIPT
            text = self._final_text + self._piece(event, final=False)
            messages.append(self._turn("turn.eager_end" if self._eager else "turn.update", text))
        elif kind is SpeechEventType.PREFLIGHT_CANCELLED:
            self._resume(messages)
        elif kind is SpeechEventType.FINAL_TRANSCRIPT:
            # Said with the turn's end, which comes next, or with the next interim of a turn with several finals.
            self._start(messages)
            self._final_text += self._piece(event, final=True)
        elif kind is SpeechEventType.END_OF_SPEECH and self._open:
            messages.append(self._turn("turn.end", self._final_text))
            self._open = self._eager = False
            self._final_text = ""
        return messages

    def _start(self, messages: list[TurnMessage]) -> None:
        if not self._open:
            self._open = True
            messages.append(self._turn("turn.start"))

    def _resume(self, messages: list[TurnMessage]) -> None:
        if self._eager:
            self._eager = False
            messages.append(self._turn("turn.resume"))

    def _turn(self, event: TurnEvent, transcript: str = "") -> TurnMessage:
        return build_turn(event, self._request_id, transcript)

    def _piece(self, event: SpeechEvent, *, final: bool) -> str:
        return self._joiner.join(event.alternatives[0], final=final) if event.alternatives else ""


class _Joiner:
    """Texts with what attaches them to the one before; the first of a session has none."""

    def __init__(self) -> None:
        self._said = False

    def join(self, data: SpeechData, *, final: bool) -> str:
        text = data.prefix + data.text if self._said else data.text
        self._said = self._said or final
        return text


def wire_words(words: Sequence[Word] | None) -> Sequence[WireWord] | None:
    """Words as the wire has them; ``None`` unless all have times, because it has no word without."""
    if words is None:
        return None
    found: list[WireWord] = []
    for word in words:
        if word.start_time is None or word.end_time is None:
            return None
        found.append({"word": word.text, "start": round(word.start_time, 6), "end": round(word.end_time, 6)})
    return found
