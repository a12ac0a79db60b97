"""``/stt/turns/websocket`` as a codec: the server finds the turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from stt_core.errors import APIError
from stt_core.events import SpeechData, SpeechEvent, SpeechEventType
from stt_core.transport.codec import CodecPolicy, Finished, IdlePolicy, Opened

from .codec import MAX_PACE, RealtimeCodec
from .options import THRESHOLDS
from .wire import BASE_URL, CLOSE_MESSAGE, TURNS_PATH, TurnThresholds, build_config, dump, text_of

if TYPE_CHECKING:
    from stt_core.audio.frames import AudioFormat
    from stt_core.registry import Resolved
    from stt_core.transport.codec import Incoming, Message

__all__ = ["TurnsCodec"]

_START = SpeechEventType.START_OF_SPEECH
_INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
_PREFLIGHT = SpeechEventType.PREFLIGHT_TRANSCRIPT
_CANCELLED = SpeechEventType.PREFLIGHT_CANCELLED
_FINAL = SpeechEventType.FINAL_TRANSCRIPT
_END = SpeechEventType.END_OF_SPEECH


class TurnsCodec(RealtimeCodec):
    """``/stt/turns/websocket``: the server finds the turns; text grows inside a turn.

    There is no way to finalise on demand but silence, no word, time or language, and no acknowledgement of the end but
    the closed connection. Missing audio is taken for a slow network: while a turn is open and nothing is pushed,
    silence is sent as fast as it passes.

    Args:
        settings: of the stream.
        pushed: the format of the audio as it is pushed.
        base_url: of the API.
    """

    surface = "turns"
    path = TURNS_PATH
    policy = CodecPolicy(
        ready="message",
        flush="silence",
        # More than any threshold waits for; a turn that is still open then is kept supplied by the idle policy.
        flush_silence=2.0,
        ends="close",
        idle=IdlePolicy(0.5, silence=0.5, only_in_turn=True),
        max_pace=MAX_PACE,
    )

    def __init__(self, settings: Resolved, pushed: AudioFormat, *, base_url: str = BASE_URL) -> None:
        super().__init__(settings, pushed, base_url=base_url)
        # Turns join verbatim, spaces included, say the documents; Cartesia's own app puts one where none is. In English
        # a turn never begins inside a word.
        self._english = settings.family.name == "ink-2"
        self._turn_text = ""
        self._heard = False  # whether there has been any turn

    def _own_fields(self, settings: Resolved) -> dict[str, object]:
        return {name: settings.options.get(name) for name in ("keyterm", *THRESHOLDS)}

    def flush(self) -> Iterable[Message]:
        """See :class:`stt_core.transport.codec.Codec`, here and below. Nothing: silence does it."""
        return ()

    def end(self) -> Iterable[Message]:  # noqa: D102
        self._ending = True
        return (CLOSE_MESSAGE,)

    def update(self, settings: Resolved) -> Iterable[Message] | None:  # noqa: D102
        if not self._in_place(settings, without=THRESHOLDS):
            return None
        before, after = self.settings.options, settings.options
        changed = {name: after[name] for name in THRESHOLDS if name in after and after[name] != before.get(name)}
        self.settings = settings
        if not changed:
            return ()
        turn = {name.removeprefix("turn_"): value for name, value in changed.items()}
        return (dump(build_config(cast("TurnThresholds", turn))),)

    def receive(self, message: Message) -> Sequence[Incoming]:  # noqa: D102
        fields = self._fields(message)
        kind = fields.get("type")
        if isinstance(kind, str) and kind.startswith("turn."):
            self._worked = self._heard = True
            return self._turn(kind, fields)
        if kind == "connected":
            self._worked = True
            return (Opened(text_of(fields, "request_id") or None),)
        if kind == "error" or isinstance(fields.get("error"), str):
            failed = self._failed(fields)
            status = failed.error.status if isinstance(failed.error, APIError) else None
            # Closing a session that nobody spoke in is answered with 400 or 500.
            nothing_said = self._ending and not self._heard and status in (400, 500)
            return (Finished(),) if nothing_said else (failed,)
        return ()

    def _turn(self, kind: str, fields: Mapping[str, object]) -> Sequence[Incoming]:
        request_id = text_of(fields, "request_id") or None
        if kind == "turn.start":
            return (SpeechEvent(_START, (), request_id),)
        if kind == "turn.resume":
            return (SpeechEvent(_CANCELLED, (), request_id),)
        if kind == "turn.end":
            return self._turn_end(fields, request_id)
        raw = text_of(fields, "transcript")
        if kind not in ("turn.update", "turn.eager_end") or not raw.strip():
            return ()
        self._turn_text = raw
        if kind == "turn.update" and not self._interims():
            return ()
        return (SpeechEvent(_INTERIM if kind == "turn.update" else _PREFLIGHT, (self._data(raw, fields),), request_id),)

    def _turn_end(self, fields: Mapping[str, object], request_id: str | None) -> Sequence[Incoming]:
        raw = text_of(fields, "transcript")
        # Text inside a turn is not taken back: an end without any has lost it.
        promoted = not raw.strip() and bool(self._turn_text)
        raw, self._turn_text = self._turn_text if promoted else raw, ""
        end = SpeechEvent(_END, (), request_id)
        if not raw.strip():
            return (end,)
        final = SpeechEvent(_FINAL, (self._data(raw, fields),), request_id, promoted=promoted)
        self._attach = self._english or raw[-1:].isspace()
        return (final, end)

    def _data(self, raw: str, fields: Mapping[str, object]) -> SpeechData:
        return SpeechData(raw.strip(), self._prefix(raw), raw=fields)
