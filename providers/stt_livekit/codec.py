"""The gateway's session as a codec: see :mod:`stt_core.transport.codec`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from stt_core.audio.frames import AudioFormat
from stt_core.errors import ConnectionLostError
from stt_core.events import SpeechData, SpeechEvent, SpeechEventType, Word
from stt_core.transport.codec import (
    Acknowledged,
    CodecPolicy,
    Failed,
    Finished,
    Finishing,
    IdlePolicy,
    Opened,
    Reply,
)
from stt_core.turns import forget_times

from .errors import read_error
from .options import GATEWAY_RETRIES, GATEWAY_TIMEOUT, fallback_of, upstream_fields
from .upstreams import carries_of, upstream_of
from .wire import (
    AUTO,
    BASE_URL,
    CLOSE_MESSAGE,
    FINALIZE_MESSAGE,
    UpdateSettings,
    build_audio,
    build_create,
    build_update,
    dump,
    items_of,
    number_of,
    parse,
    socket_url,
    text_of,
)

if TYPE_CHECKING:
    from stt_core.registry import Resolved
    from stt_core.transport.codec import Incoming, Message

__all__ = ["GatewayCodec", "Habits"]

_START = SpeechEventType.START_OF_SPEECH
_INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
_PREFLIGHT = SpeechEventType.PREFLIGHT_TRANSCRIPT
_CANCELLED = SpeechEventType.PREFLIGHT_CANCELLED
_FINAL = SpeechEventType.FINAL_TRANSCRIPT
_END = SpeechEventType.END_OF_SPEECH
_KINDS: Mapping[object, SpeechEventType] = {
    "interim_transcript": _INTERIM,
    "preflight_transcript": _PREFLIGHT,
    "final_transcript": _FINAL,
}

LOWEST_RATE, HIGHEST_RATE = 8000, 48000
"""Hz. The gateway names no list; between them every upstream provider takes any."""

IDLE_SECONDS = 5.0
"""Half of what Deepgram waits for audio before it ends a session."""

QUIET_SECONDS = 3.0
"""Without another word after the last final, a gateway that does not say so has said everything: as LiveKit's own
client has it."""

RESET_SECONDS = 0.25
"""A final that begins so far before the end of the one before it is timed by another clock."""

_FIRST_UNSPACED = "\u0e00"
_UNSPACED = re.compile("[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Scripts without spaces between words: Thai, Lao, Tibetan, Burmese, Khmer, kana, Chinese."""


class Habits:
    """What a stream has learnt about its gateway, for all of its connections.

    Attributes:
        session_times: whether times count from the start of the session. They are documented so, and LiveKit's client
            relies on it for the models that it aligns. An upstream provider that counts from another moment betrays
            itself by a final that begins before the end of the one before; no time is trusted from then on.
        asked_to_end: an end was asked for and did not come about, so that the next one is asked for again.
    """

    __slots__ = ("asked_to_end", "session_times")

    def __init__(self) -> None:
        self.session_times = True
        self.asked_to_end = False


class GatewayCodec:
    """One session. A final ends a segment; a turn's beginning is marked by few upstream providers, its end by none.

    The end: ``session.finalize``, and ``session.close`` once that is acknowledged and no text is open, to which the
    gateway says ``session.closed``. Acknowledgements are optional, and come before the last final at times, so that
    a clean close, or :data:`QUIET_SECONDS` without another word, are an end as well, but only behind a final or an
    acknowledgement: a gateway that hangs up at that very moment for a reason of its own has kept words to itself. The
    second time it is believed.

    Args:
        settings: of the stream.
        pushed: the format of the audio as it is pushed.
        base_url: of the gateway.
        habits: shared by the connections of a stream.
    """

    def __init__(
        self, settings: Resolved, pushed: AudioFormat, *, base_url: str = BASE_URL, habits: Habits | None = None
    ) -> None:
        self.settings = settings
        self.carries = carries_of(settings)
        self._upstream = upstream = upstream_of(settings)
        rate = upstream.sample_rate or settings.stream["upstream_sample_rate"]
        self.audio_format = AudioFormat(rate or min(max(pushed.sample_rate, LOWEST_RATE), HIGHEST_RATE))
        self._habits = habits or Habits()
        self._believing = self._habits.asked_to_end
        self.policy = CodecPolicy(
            flush="native",
            ends="close" if self._believing else "message",
            # Where turns are found, silence is sent as fast as it passes, or the open turn never ends.
            idle=IdlePolicy(0.5, silence=0.5, only_in_turn=True) if upstream.turns else IdlePolicy(IDLE_SECONDS),
            max_pace=upstream.max_pace,
        )
        self._timed = self.carries.times == "session"
        self._interims = _wants_interims(settings)
        self._base_url = base_url
        self._last_end = 0.0
        self._session_id: str | None = None
        self._flushes = 0  # not acknowledged yet
        self._ending = False
        self._finals_since = False  # the last session.finalize
        self._closing = False
        self._open = False  # whether there is text that no final has taken the place of
        self._preflight = False
        self._answered = False  # the end, with an empty interim

    @property
    def url(self) -> str:
        """Where to connect; it holds no secret."""
        return socket_url(self._base_url, self.settings.model)

    # -- what is said ----------------------------------------------------------------------------------------------

    def opening(self) -> Iterable[Message]:
        """See :class:`stt_core.transport.codec.Codec`, here and below."""
        settings = self.settings
        message = build_create(
            sample_rate=self.audio_format.sample_rate,
            extra=upstream_fields(settings, self._upstream),
            model=settings.model,
            language=settings.vendor_language,
            fallback=fallback_of(settings.options),
            connection={
                "timeout": cast("float", settings.options.get("gateway_timeout", GATEWAY_TIMEOUT)),
                "retries": cast("int", settings.options.get("gateway_retries", GATEWAY_RETRIES)),
            },
        )
        return (dump(message),)

    def audio(self, data: bytes) -> Message:  # noqa: D102
        return build_audio(data)

    def flush(self) -> Iterable[Message]:  # noqa: D102
        self._flushes += 1
        self._finals_since = False
        return (FINALIZE_MESSAGE,)

    def end(self) -> Iterable[Message]:  # noqa: D102
        self._ending = self._habits.asked_to_end = True
        return self.flush()

    def keep_alive(self) -> Message | None:
        """There is no such message; silence is sent instead."""
        return None

    def update(self, settings: Resolved) -> Iterable[Message] | None:  # noqa: D102
        before, now = self.settings, settings
        if (
            now.family is not before.family
            or now.stream["upstream_sample_rate"] != before.stream["upstream_sample_rate"]
            or any(now.options.get(name) != before.options.get(name) for name in _FOR_A_SESSION)
        ):
            return None
        changed: UpdateSettings = {}
        if now.model != before.model:
            changed["model"] = now.model or AUTO
        if now.vendor_language != before.vendor_language and now.vendor_language is not None:
            changed["language"] = now.vendor_language
        extra = upstream_fields(now, self._upstream)
        if extra != upstream_fields(before, self._upstream):
            changed["extra"] = extra
        self.settings = now
        self._interims = _wants_interims(now)
        return (dump(build_update(changed)),) if changed else ()

    # -- what is heard ---------------------------------------------------------------------------------------------

    def receive(self, message: Message) -> Sequence[Incoming]:  # noqa: D102
        fields = parse(message)
        kind = _KINDS.get(fields.get("type"))
        if kind is not None:
            return self._transcript(kind, fields)
        return self._answer(text_of(fields, "type"), fields)

    def _answer(self, kind: str, fields: Mapping[str, object]) -> Sequence[Incoming]:
        if kind == "start_of_speech":
            # A model that is not known to mark turns need not end what it begins here.
            return (SpeechEvent(_START, derived=not self.carries.turns),)
        if kind == "session.created":
            self._session_id = text_of(fields, "session_id") or None
            return (Opened(self._session_id),)
        if kind == "session.finalized":
            return self._finalized()
        if kind == "session.closed":
            return (self._closed(),)
        if kind == "error":
            return (Failed(read_error(fields)),)
        return ()

    def _finalized(self) -> Sequence[Incoming]:
        self._flushes = max(self._flushes - 1, 0)
        # What was recognised before the acknowledgement need not be all: LiveKit's client has seen finals behind it.
        return (Acknowledged(exact=False), *self._goodbye())

    def _closed(self) -> Finished | Failed:
        if self._ending and self._flushes and not self._finals_since and not self._believing:
            return Failed(ConnectionLostError("livekit closed the session before it had finalised it"))
        return Finished()

    def _goodbye(self) -> Sequence[Incoming]:
        """What follows from a final, or an acknowledgement, once the end was asked for."""
        if not self._ending:
            return ()
        if self._open:
            return (Finishing(None),)
        acknowledged = not self._flushes
        if acknowledged and not self._closing and (self._finals_since or self._interims):
            self._closing = True
            return (Reply((CLOSE_MESSAGE,)), Finishing(QUIET_SECONDS))
        return (Finishing(QUIET_SECONDS),) if acknowledged or self._finals_since else ()

    def _transcript(self, kind: SpeechEventType, fields: Mapping[str, object]) -> Sequence[Incoming]:
        raw = text_of(fields, "transcript")
        text = raw.strip()
        if kind is _FINAL:
            self._open = self._preflight = False
            self._finals_since = True
            end = (SpeechEvent(_END),) if self.carries.turns else ()
            return (self._event(kind, raw, text, fields), *end, *self._goodbye())
        if not text:
            return self._nothing()
        if not self._interims:
            return ()
        # The gateway does not say that a turn goes on, but that there is more of it.
        resumed = kind is _INTERIM and self._preflight
        self._open, self._preflight = True, kind is _PREFLIGHT
        event = self._event(kind, raw, text, fields)
        if not resumed and not self._ending:
            return (event,)
        cancelled = (SpeechEvent(_CANCELLED, derived=True),) if resumed else ()
        return (*cancelled, event, *self._goodbye())

    def _nothing(self) -> Sequence[Incoming]:
        """An interim without text takes none back: it is said for as long as nothing is heard."""
        answers = self._ending and self._upstream.empty_after_end and not self._open and not self._answered
        self._answered = self._answered or answers
        return (Finishing(QUIET_SECONDS),) if answers else ()

    def _event(self, kind: SpeechEventType, raw: str, text: str, fields: Mapping[str, object]) -> SpeechEvent:
        data = (self._data(raw, text, fields, final=kind is _FINAL),) if text else ()
        return SpeechEvent(kind, data, text_of(fields, "request_id") or self._session_id)

    def _data(self, raw: str, text: str, fields: Mapping[str, object], *, final: bool) -> SpeechData:
        data = SpeechData(
            text,
            "" if raw[0] >= _FIRST_UNSPACED and _UNSPACED.match(raw) else " ",
            _language(text_of(fields, "language")),
            confidence=number_of(fields, "confidence"),
            speaker_id=text_of(fields, "speaker_id") or None,
            words=self._words(fields),
            raw=fields.get("extra"),
        )
        if self._timed:
            self._set_times(data, fields, final=final)
        return data

    def _words(self, fields: Mapping[str, object]) -> list[Word] | None:
        items = items_of(fields, "words")
        # An empty list says that none are given: there is no text without words.
        if not items or not self.carries.words:
            return None
        words = [
            Word(
                word,
                number_of(item, "start"),
                number_of(item, "end"),
                number_of(item, "confidence"),
                text_of(item, "speaker_id") or None,
            )
            for item in items
            if (word := text_of(item, "word").strip())
        ]
        # What has no length has times that nobody has filled in.
        if not self._timed or not all(word.end_time for word in words):
            for word in words:
                word.start_time = word.end_time = None
        return words or None

    def _set_times(self, data: SpeechData, fields: Mapping[str, object], *, final: bool) -> None:
        start, duration = number_of(fields, "start"), number_of(fields, "duration")
        words = data.words
        if start is not None and duration:
            end = start + duration
        elif words:
            start, end = words[0].start_time, words[-1].end_time
        else:
            return
        if start is None or end is None:
            return
        if self._habits.session_times and self._plausible(start, end, words or ()):
            data.start_time, data.end_time = start, end
            if final:
                self._last_end = max(self._last_end, end)
        else:
            self._habits.session_times = self._habits.session_times and not final
            forget_times(data)

    def _plausible(self, start: float, end: float, words: Sequence[Word]) -> bool:
        earliest = self._last_end - RESET_SECONDS
        if start < earliest or end < start:
            return False
        for word in words:
            if word.start_time is None or word.end_time is None:
                continue
            if word.start_time < earliest or word.end_time < word.start_time:
                return False
            earliest = word.start_time
        return True


_FOR_A_SESSION = ("fallback", "gateway_timeout", "gateway_retries")


def _wants_interims(settings: Resolved) -> bool:
    return settings.options.get("interim_results") is not False


_NO_LANGUAGE = frozenset({"", "multi", AUTO})


def _language(tag: str) -> str | None:
    """As BCP-47; ``None`` for what stands for several."""
    return None if tag in _NO_LANGUAGE else tag
