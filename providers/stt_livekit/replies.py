"""What the gateway's socket says: events of any provider in, messages out. The opposite of the codec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stt_core.events import SpeechEvent, SpeechEventType

from .wire import build_speech_start, build_transcript

if TYPE_CHECKING:
    from stt_core.events import SpeechData, Word

    from .wire import Dialect, ServerMessage, TranscriptKind, WireWord

__all__ = ["Replies"]


class Replies:
    """The messages of a session.

    Where a turn ends is said by its final. A turn that ends without one gets an empty final: LiveKit's clients would
    take it to go on for ever.

    Args:
        dialect: the old one has neither starts of speech nor preflights.
        session_id: in every transcript.
        language: of transcripts whose language the provider does not say; ``None`` leaves it out.
    """

    def __init__(self, dialect: Dialect, session_id: str, language: str | None) -> None:
        self._new = dialect == "new"
        self._session_id = session_id
        self._language = language
        self._speaking = False  # as LiveKit's client sees it
        self._eager: SpeechData | None = None  # of a preflight that may be taken back

    def say(self, event: SpeechEvent) -> Sequence[ServerMessage]:
        """The messages of an event."""
        kind = event.type
        data = event.alternatives[0] if event.alternatives else None
        if kind is SpeechEventType.START_OF_SPEECH:
            # One that was inferred says nothing that the first transcript does not say.
            return () if event.derived else self._start()
        if kind is SpeechEventType.PREFLIGHT_TRANSCRIPT and self._new:
            self._eager = data
            return (*self._start(), self._transcript("preflight_transcript", data))
        if kind is SpeechEventType.PREFLIGHT_CANCELLED:
            # No message says so, but an interim that the text goes on.
            return () if self._eager is None else self._interim(self._eager)
        if kind in (SpeechEventType.INTERIM_TRANSCRIPT, SpeechEventType.PREFLIGHT_TRANSCRIPT):
            return self._interim(data)
        if kind is SpeechEventType.FINAL_TRANSCRIPT or (kind is SpeechEventType.END_OF_SPEECH and self._speaking):
            self._speaking, self._eager = False, None
            return (self._transcript("final_transcript", data),)
        return ()

    def _interim(self, data: SpeechData | None) -> Sequence[ServerMessage]:
        self._speaking, self._eager = self._speaking or data is not None, None
        return (self._transcript("interim_transcript", data),)

    def _start(self) -> Sequence[ServerMessage]:
        """Before a preflight, too: LiveKit's client drops one while nobody speaks."""
        if self._speaking or not self._new:
            return ()
        self._speaking = True
        return (build_speech_start(),)

    def _transcript(self, kind: TranscriptKind, data: SpeechData | None) -> ServerMessage:
        if data is None:
            return build_transcript(kind, "", session_id=self._session_id, language=self._language)
        start, end = data.start_time, data.end_time
        return build_transcript(
            kind,
            data.text,
            session_id=self._session_id,
            language=data.language or self._language,
            start=None if start is None else round(start, 6),
            duration=None if start is None or end is None else round(end - start, 6),
            confidence=data.confidence,
            words=_words(data.words),
            speaker_id=data.speaker_id,
        )


def _words(words: Sequence[Word] | None) -> Sequence[WireWord] | None:
    """``None`` unless all have times: LiveKit's client would put the others at 0."""
    if words is None:
        return None
    found: list[WireWord] = []
    for word in words:
        if word.start_time is None or word.end_time is None:
            return None
        wire: WireWord = {"word": word.text, "start": round(word.start_time, 6), "end": round(word.end_time, 6)}
        if word.confidence is not None:
            wire["confidence"] = word.confidence
        if word.speaker_id is not None:
            wire["speaker_id"] = word.speaker_id
        found.append(wire)
    return found
