"""``/realtime`` as a codec: see :mod:`stt_core.transport.codec`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from stt_core.audio.frames import AudioFormat
from stt_core.events import SpeechData, SpeechEvent, SpeechEventType
from stt_core.transport.codec import CodecPolicy, Failed, Finished, IdlePolicy, Opened, Settled

from .errors import read_error
from .options import carries_of
from .wire import (
    COMMIT,
    DEFAULT_LANGUAGE,
    KANA,
    SILENCE_MS,
    WIRE_FORMATS,
    build_append,
    build_update,
    dump,
    number_of,
    object_of,
    parse,
    text_of,
)

if TYPE_CHECKING:
    from stt_core.registry import Resolved
    from stt_core.transport.codec import Incoming, Message

    from .wire import Session, SessionTranscription, TurnDetection, WireFormat

__all__ = ["RealtimeCodec"]

_INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
_FINAL = SpeechEventType.FINAL_TRANSCRIPT

MAX_PACE = 1.25
"""Times real time: Kotoba asks for files at about their own pace, and a backlog has to shrink."""

RATES = (16000, 24000, 44100, 48000)
"""Hz, taken by every deployment: those of Kotoba resample any rate, AWS's container knows these."""

AHEAD_SECONDS = 0.5
"""A time so far beyond the audio that was sent is not to be believed."""

IDLE_SECONDS = 1.0
"""Without audio, inside a turn: then silence is sent, because only audio lets a turn end."""

_UNSPACED = re.compile("[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uff60]")
"""Scripts without spaces between words, and their punctuation."""

_UNSPACED_LANGUAGES = ("ja", "zh")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A delta that no final has taken up yet; times in seconds."""

    text: str
    start: float | None
    end: float | None


class RealtimeCodec:
    """One session.

    Deltas continue each other until ``completed`` has the whole turn, or ``committed`` comes without: then the deltas
    are the final. All audio before ``audio_processed_ms`` is transcribed for good, so that a connection which is lost
    in the middle of a turn costs nothing of what was heard: :meth:`leave` makes a final of it, and the next connection
    goes on behind it. There is nothing like a flush but the end: ``commit``, and another session.

    Args:
        settings: of the stream.
        pushed: the format of the audio as it is pushed.
    """

    def __init__(self, settings: Resolved, pushed: AudioFormat) -> None:
        self.settings = settings
        self.wire_format: WireFormat = _wire_format(settings, pushed)
        self.audio_format = AudioFormat(_rate(settings, pushed, self.wire_format), 1, WIRE_FORMATS[self.wire_format])
        self.carries = carries_of(settings)
        turns = settings.options.get("turn_detection") is not False
        self.policy = CodecPolicy(
            ready="message",
            flush="reconnect",
            ends="message",
            idle=IdlePolicy(IDLE_SECONDS, silence=IDLE_SECONDS, only_in_turn=True) if turns else None,
            max_pace=MAX_PACE,
            # `committed` is the acknowledgement: a connection that closes without it has kept words to itself.
            end_close_codes=frozenset(),
        )
        self._sent = 0  # bytes
        self._ending = False
        self._worked = False  # whether an answer has shown that the settings are accepted
        self._processed: float | None = None
        self._known: _Piece | None = None  # the deltas before that
        self._open: list[_Piece] = []  # those behind it
        self._last: str | None = None  # the last character of the last final; None: there is none

    # -- to the server -----------------------------------------------------------------------------------------------

    def opening(self) -> Iterable[Message]:
        """See :class:`stt_core.transport.codec.Codec`, here and below."""
        session = _merged(self._session(self.settings), self.settings.stt["extra"])
        return (dump(build_update(cast("Session", session))),)

    def audio(self, data: bytes) -> Message:  # noqa: D102
        self._sent += len(data)
        return build_append(data)

    def flush(self) -> Iterable[Message]:  # noqa: D102
        return ()

    def end(self) -> Iterable[Message]:  # noqa: D102
        self._ending = True
        return (COMMIT,)

    def keep_alive(self) -> Message | None:  # noqa: D102
        return None

    def update(self, settings: Resolved) -> Iterable[Message] | None:  # noqa: D102
        same = (
            self._session(settings) == self._session(self.settings)
            and settings.stt["extra"] == self.settings.stt["extra"]
            and settings.stream["upstream_sample_rate"] == self.settings.stream["upstream_sample_rate"]
            and settings.options.get("upstream_encoding") == self.settings.options.get("upstream_encoding")
        )
        if not same:
            return None
        self.settings = settings
        return ()

    def _session(self, settings: Resolved) -> Session:
        options = settings.options
        language = settings.vendor_language or DEFAULT_LANGUAGE
        transcription: SessionTranscription = {"language": language, "target_language": language}
        if options.get("keywords"):
            transcription["keywords"] = cast("Sequence[str]", options["keywords"])
        if options.get("kana") and options.get("kana_field") == "kana":
            transcription["kana"] = True
        elif options.get("kana"):
            transcription["style_preference"] = {"human_name": KANA}
        if options.get("timestamps") is not False:
            transcription["timestamps"] = True
        return {
            "input_audio_format": self.wire_format,
            "input_audio_sample_rate": self.audio_format.sample_rate,
            "input_audio_number_of_channels": 1,
            "input_audio_transcription": transcription,
            "turn_detection": _turn_detection(options),
        }

    # -- from the server ---------------------------------------------------------------------------------------------

    def receive(self, message: Message) -> Sequence[Incoming]:  # noqa: D102
        if isinstance(message, bytes):
            return ()  # there are none, and the vendor's own client passes them over
        fields = object_of(parse(message))
        kind = fields.get("type")
        if kind == "conversation.item.input_audio_transcription.delta":
            return self._delta(fields)
        if kind == "conversation.item.input_audio_transcription.completed":
            return self._completed(fields)
        if kind == "input_audio_buffer.committed":
            return (*self._final("", None, None, fields), Finished())
        if kind == "transcription_session.updated":
            self._worked = True
            return (Opened(),)
        if kind in ("error", "x-fal-error"):
            if self._ending and not self._sent:
                return (Finished(),)  # of a session without audio there is nothing to commit, and nothing to lose
            return (Failed(read_error(fields).to_exception(retryable=self._worked)),)
        return ()

    def leave(self) -> Sequence[Incoming]:
        """What is to be said once the connection is gone: a final of what will not be heard again, and the rest."""
        if self._known is None:
            return ()
        rest, self._open = self._open, []
        events = self._final("", None, None, None)
        self._open = rest
        return (*events, *self._interim(None))

    def _delta(self, fields: Mapping[str, object]) -> Sequence[Incoming]:
        text = text_of(fields, "delta")
        start, end = self._seconds(fields, "start_ms"), self._seconds(fields, "end_ms")
        processed = self._seconds(fields, "audio_processed_ms")
        if processed is not None and text and end is not None and start is not None and start < processed < end:
            processed = start  # half of it would be heard again, and the other half not
        if text:
            self._open.append(_Piece(text, start, processed if end is None else end))
        settled: Sequence[Incoming] = ()
        if processed is not None and processed > (self._processed or 0.0):
            self._processed = processed
            self._collect_known(processed)
            settled = (Settled(processed),)
        # The text first, then that it will not be heard again.
        return (*(self._interim(fields) if text else ()), *settled)

    def _collect_known(self, processed: float) -> None:
        while self._open and self._open[0].end is not None and self._open[0].end <= processed:
            piece, before = self._open.pop(0), self._known
            self._known = piece if before is None else _Piece(before.text + piece.text, before.start, piece.end)

    def _interim(self, raw: Mapping[str, object] | None) -> Sequence[Incoming]:
        pieces = self._pieces()
        text = "".join(piece.text for piece in pieces)
        if not text.strip() or self.settings.options.get("interim_results") is False:
            return ()
        return (SpeechEvent(_INTERIM, (self._data(text, pieces[0].start, pieces[-1].end, raw),)),)

    def _pieces(self) -> Sequence[_Piece]:
        return self._open if self._known is None else [self._known, *self._open]

    def _completed(self, fields: Mapping[str, object]) -> Sequence[Incoming]:
        start, end = self._seconds(fields, "start_ms"), self._seconds(fields, "end_ms")
        return self._final(text_of(fields, "transcript"), start, end, fields)

    def _final(
        self, text: str, start: float | None, end: float | None, raw: Mapping[str, object] | None
    ) -> Sequence[Incoming]:
        pieces, self._open, self._known = self._pieces(), [], None
        if not text.strip():
            text = "".join(piece.text for piece in pieces)  # deltas are not taken back
        if not text.strip():
            return ()
        if pieces:
            start = pieces[0].start if start is None else start
            end = pieces[-1].end if end is None else end
        event = SpeechEvent(_FINAL, (self._data(text, start, end, raw),))
        self._last = text[-1]
        if self._processed is None:
            return (event,)
        return (Settled(max(self._processed, end or 0.0), event),)

    def _data(self, text: str, start: float | None, end: float | None, raw: Mapping[str, object] | None) -> SpeechData:
        return SpeechData(text.strip(), self._prefix(text), start_time=start, end_time=end, raw=raw)

    def _prefix(self, raw: str) -> str:
        """What attaches a text to the one before it, also to that of an earlier connection."""
        if raw[:1].isspace() or (self._last or "").isspace():
            return " "
        if self._last is None:
            unspaced = (self.settings.vendor_language or DEFAULT_LANGUAGE) in _UNSPACED_LANGUAGES
        else:
            unspaced = _UNSPACED.match(self._last) is not None
        return "" if unspaced or _UNSPACED.match(raw) else " "

    def _seconds(self, fields: Mapping[str, object], name: str) -> float | None:
        milliseconds = number_of(fields, name)
        if (
            milliseconds is None
            or not 0 <= milliseconds / 1000 <= self.audio_format.seconds(self._sent) + AHEAD_SECONDS
        ):
            return None
        return milliseconds / 1000


def _wire_format(settings: Resolved, pushed: AudioFormat) -> WireFormat:
    chosen = settings.options.get("upstream_encoding")
    if chosen is not None:
        return cast("WireFormat", chosen)
    return "twilio" if pushed.encoding == "pcm_mulaw" and pushed.sample_rate == _MULAW_RATE else "pcm16"


_MULAW_RATE = 8000


def _rate(settings: Resolved, pushed: AudioFormat, wire_format: WireFormat) -> int:
    if WIRE_FORMATS[wire_format] == "pcm_mulaw":
        return _MULAW_RATE
    wanted = settings.stream["upstream_sample_rate"]
    if wanted is not None:
        return wanted
    return next((rate for rate in RATES if rate >= pushed.sample_rate), RATES[-1])


def _turn_detection(options: Mapping[str, object]) -> TurnDetection:
    if options.get("turn_detection") is False:
        return False
    return {"type": "server_vad", "silence_duration_ms": cast("int", options.get("silence_duration_ms", SILENCE_MS))}


def _merged(below: Mapping[str, object], above: Mapping[str, object]) -> Mapping[str, object]:
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        both = isinstance(old, dict) and isinstance(value, Mapping)
        merged[name] = _merged(cast("dict[str, object]", old), cast("Mapping[str, object]", value)) if both else value
    return merged
