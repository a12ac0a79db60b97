"""``/stt/websocket`` as a codec: the client says when a segment ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from stt_core.events import SpeechData, SpeechEvent, SpeechEventType, Word
from stt_core.transport.codec import Acknowledged, CodecPolicy, Finished, IdlePolicy

from .codec import MAX_PACE, RealtimeCodec
from .wire import BASE_URL, FINALIZE, MANUAL_PATH, items_of, number_of, tag_of, text_of

if TYPE_CHECKING:
    from stt_core.audio.frames import AudioFormat
    from stt_core.registry import Resolved
    from stt_core.transport.codec import Incoming, Message

__all__ = ["ManualCodec", "WordTimes"]

_INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
_FINAL = SpeechEventType.FINAL_TRANSCRIPT

RESET_SECONDS = 0.25
"""A word that begins so far before the end of the final before it is timed by another clock."""

AHEAD_SECONDS = 0.5
"""So is one that ends so far beyond the audio that was sent."""


class WordTimes:
    """Whether the times of words count from the start of the session, for all connections of a stream.

    The documents show them so. LiveKit's engineers report times that count from the start of a window of audio, which
    no field tells. The two are told apart by what such windows do: they begin again near zero, before the end of the
    final that came before. One such final, or one that ends in audio that was not sent yet, and no time of the stream
    is trusted any more. Until then a window's time can only be too early, never too late, so that nothing is taken for
    recognised that was not.
    """

    __slots__ = ("trusted",)

    def __init__(self) -> None:
        self.trusted = True


class ManualCodec(RealtimeCodec):
    """``/stt/websocket``: text comes in pieces, which continue each other.

    A FINAL's text is the text since the last one, and may begin in the middle of a word. An interim is the text since
    the last final. ``flush_done`` ends a flush, which brings any number of finals, none included; they come before it,
    as Cartesia's later documents have it. In those of 2025 they come after it: once seen, an acknowledgement no longer
    counts as exact.

    Args:
        settings: of the stream.
        pushed: the format of the audio as it is pushed.
        base_url: of the API.
        times: shared by the connections of a stream.
    """

    surface = "manual"
    path = MANUAL_PATH

    def __init__(
        self, settings: Resolved, pushed: AudioFormat, *, base_url: str = BASE_URL, times: WordTimes | None = None
    ) -> None:
        super().__init__(settings, pushed, base_url=base_url)
        idle_after = cast("float", settings.options.get("idle_silence_after", 10.0))
        self.policy = CodecPolicy(
            flush="native",
            ends="message",
            idle=IdlePolicy(idle_after, silence=0.1) if idle_after else None,
            max_pace=MAX_PACE,
            # `done` is the acknowledgement: a connection that closes without it has kept words to itself.
            end_close_codes=frozenset(),
        )
        self._times = times or WordTimes()
        self._last_end = 0.0
        self._known = ""  # all text so far, where finals are cumulative
        self._unflushed = False  # audio since the last flush
        self._flushes = 0  # not acknowledged yet
        self._flushed_finals = 0
        self._finals_first: bool | None = None
        self._just_flushed = False

    def _own_fields(self, settings: Resolved) -> dict[str, object]:
        names = ("min_volume", "max_silence_duration_secs", "keyterm")
        return {"language": settings.vendor_language, **{name: settings.options.get(name) for name in names}}

    def audio(self, data: bytes) -> Message:
        """See :class:`stt_core.transport.codec.Codec`, here and below."""
        self._unflushed = True
        self._just_flushed = False
        return super().audio(data)

    def flush(self) -> Iterable[Message]:  # noqa: D102
        self._unflushed = False
        self._flushes += 1
        return (FINALIZE,)

    def end(self) -> Iterable[Message]:  # noqa: D102
        word = cast("str", self.settings.options.get("close_word", "close"))
        messages = (*self.flush(), word) if self._unflushed else (word,)
        self._ending = True
        return messages

    def update(self, settings: Resolved) -> Iterable[Message] | None:  # noqa: D102
        if not self._in_place(settings):
            return None
        self.settings = settings
        return ()

    def receive(self, message: Message) -> Sequence[Incoming]:  # noqa: D102
        fields = self._fields(message)
        kind = fields.get("type")
        if kind == "transcript":
            return self._transcript(fields)
        if kind == "flush_done":
            return (self._flush_done(),)
        if kind == "done":
            return (Finished(),)
        if kind == "error" or isinstance(fields.get("error"), str):
            return (self._failed(fields),)
        return ()

    def _transcript(self, fields: Mapping[str, object]) -> Sequence[Incoming]:
        self._worked = True
        final = fields.get("is_final") is True
        if not final and not self._interims():
            return ()
        raw = self._piece(text_of(fields, "text"), final=final)
        text = raw.strip()
        words = self._words(fields, final=final)
        prefix = self._prefix(raw)
        if final:
            self._count_final()
            if raw[-1:].isspace() or text:
                self._attach = raw[-1:].isspace()  # whichever of two pieces the space is in
        request_id = text_of(fields, "request_id") or None
        kind = _FINAL if final else _INTERIM
        if not text:
            return (SpeechEvent(kind, (), request_id),)
        data = SpeechData(text, prefix, tag_of(text_of(fields, "language")), words=words, raw=fields)
        if words:
            data.start_time, data.end_time = words[0].start_time, words[-1].end_time
        return (SpeechEvent(kind, (data,), request_id),)

    def _piece(self, raw: str, *, final: bool) -> str:
        """The text since the last final, also where a server repeats all that was before it."""
        if not self.settings.options.get("cumulative_finals"):
            return raw
        known, said = self._known, raw.lstrip()
        if known and said.startswith(known):
            raw = said[len(known) :]
        if final:
            self._known = (known + raw).lstrip()
        return raw

    def _count_final(self) -> None:
        if self._flushes:
            self._flushed_finals += 1
        elif self._just_flushed:
            self._finals_first = False

    def _flush_done(self) -> Acknowledged:
        self._worked = True
        if self._flushed_finals and self._finals_first is None:
            self._finals_first = True
        self._flushes = max(self._flushes - 1, 0)
        self._flushed_finals = 0
        self._just_flushed = not self._flushes
        return Acknowledged(exact=self._finals_first is True)

    def _words(self, fields: Mapping[str, object], *, final: bool) -> list[Word] | None:
        items = items_of(fields, "words")
        if items is None or self.settings.options.get("word_timestamps") is False:
            return None
        words = [
            Word(word, number_of(item, "start"), number_of(item, "end"))
            for item in items
            if (word := text_of(item, "word").strip())
        ]
        if not self._times.trusted or not self._plausible(words):
            self._times.trusted = self._times.trusted and not final
            for word in words:
                word.start_time = word.end_time = None
        elif final and words and words[-1].end_time is not None:
            self._last_end = words[-1].end_time
        return words

    def _plausible(self, words: Sequence[Word]) -> bool:
        earliest = self._last_end - RESET_SECONDS
        for word in words:
            start, end = word.start_time, word.end_time
            if start is None or end is None:
                return False
            if start < earliest or end < start:
                return False
            earliest = start
        sent = self.audio_format.seconds(self._sent)
        return not words or (words[-1].end_time or 0.0) <= sent + AHEAD_SECONDS
