"""A live stream's connections to Kotoba, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from typing_extensions import override

from stt_core.events import SpeechEvent
from stt_core.transport.codec import Settled
from stt_core.transport.websocket import WebSocketRunner

from .options import carries_of
from .realtime import RealtimeCodec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from stt_core.audio.frames import AudioFormat
    from stt_core.provider import Carries
    from stt_core.registry import Resolved
    from stt_core.runner import AudioSource, EventSink
    from stt_core.transport.codec import Codec, Handshake
    from stt_core.transport.http import HttpClient

__all__ = ["RealtimeRunner"]


class RealtimeRunner(WebSocketRunner):
    """Says what a lost connection had heard before the next one goes on behind it.

    Args:
        client: opens the sockets.
        settings: of the stream.
        handshake: makes the handshake for the settings in force.
    """

    def __init__(
        self, client: HttpClient, settings: Resolved, handshake: Callable[[Resolved], Awaitable[Handshake]]
    ) -> None:
        super().__init__(client, settings, codec=self._make_codec, handshake=self._make_handshake)
        self._ask = handshake
        self._current: RealtimeCodec | None = None

    @property
    def carries(self) -> Carries:
        """What the session in use carries, or the next one will: an update may have changed it."""
        return carries_of(self._settings)

    @override
    async def run(self, source: AudioSource, sink: EventSink) -> None:
        try:
            await super().run(source, sink)
        finally:
            codec, self._current = self._current, None
            for item in () if codec is None else codec.leave():
                if isinstance(item, SpeechEvent):
                    sink.emit(item)
                elif isinstance(item, Settled) and item.event is not None:
                    sink.emit(item.event, settled=item.seconds)

    def _make_codec(self, settings: Resolved, pushed: AudioFormat) -> Codec:
        self._current = RealtimeCodec(settings, pushed)
        return self._current

    async def _make_handshake(self, codec: Codec) -> Handshake:
        return await self._ask(cast("RealtimeCodec", codec).settings)
