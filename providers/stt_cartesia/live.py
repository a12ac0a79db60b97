"""The sockets of the server half: one session each, from the accepted handshake to the close."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from stt_core.errors import FlushTimeoutError, ProtocolError, STTError, UnsupportedError
from stt_core.events import SpeechEvent, SpeechEventType
from stt_core.server import Refused, Relay

from .asked import code_of, read_live, read_thresholds
from .errors import WireError, build_error
from .replies import ManualReplies, TurnReplies
from .wire import FINALIZE, build_connected, build_done, build_flush_done, dump, full_floats, parse

if TYPE_CHECKING:
    from stt_core.server import Backend, Request, Socket
    from stt_core.stream import RecognizeStream

    from .asked import LiveAsked
    from .options import Surface
    from .wire import ServerMessage

__all__ = ["LiveSession", "ManualSession", "TurnsSession", "wire_error"]

logger = logging.getLogger("stt_core.cartesia.server")

_CLOSE_WORDS = frozenset({"close", "done"})
_CODES = {401: "authentication_failed", 429: "concurrency_limited"}


def wire_error(refused: Refused) -> WireError:
    """A refusal as Cartesia words it: with a title, and a code where it has one."""
    return WireError(
        refused.message,
        title=refused.title or HTTPStatus(refused.status).phrase,
        status=refused.status,
        code=refused.code or _CODES.get(refused.status),
    )


class LiveSession:
    """What both sockets have in common.

    Args:
        request: the handshake.
        socket: accepted.
        backend: who recognises.
        request_id: of the session.
        version: of Cartesia's API, which gives errors their shape.
    """

    surface: Surface

    def __init__(self, request: Request, socket: Socket, backend: Backend, *, request_id: str, version: str) -> None:
        self._request = request
        self._socket = socket
        self._backend = backend
        self._request_id = request_id
        self._version = version
        self._odd = b""  # half of a half float

    async def run(self) -> None:
        """Serves the client to the end.

        Raises:
            SocketClosed: it went away.
        """
        try:
            asked = read_live(self._request, self.surface)
            async with self._backend.stream(asked.audio_format, language=asked.language, wishes=asked.wishes) as stream:
                await self._serve(asked, stream)
        except STTError as error:
            logger.warning("session %s: %s", self._request_id, error)
            await self._break_off(Refused.from_error(error))
        except Refused as refused:
            await self._break_off(refused)
        else:
            await self._socket.close(1001 if self._socket.winding_down else 1000)

    async def _serve(self, asked: LiveAsked, stream: RecognizeStream) -> None:
        raise NotImplementedError

    async def _say(self, message: ServerMessage) -> None:
        await self._socket.send(dump(message))

    async def _complain(self, refused: Refused) -> None:
        await self._say(build_error(wire_error(refused), request_id=self._request_id, version=self._version))

    async def _break_off(self, refused: Refused) -> None:
        await self._complain(refused)
        await self._socket.close(1008 if refused.status < 500 else 1011, wire_error(refused).title)

    async def _hear(self, data: bytes, asked: LiveAsked, stream: RecognizeStream) -> None:
        if asked.half_floats:
            data = self._odd + data
            whole = len(data) - len(data) % 2
            self._odd, data = data[whole:], full_floats(data[:whole])
        if data:
            await stream.send_frame(data)


class ManualSession(LiveSession):
    """``/stt/websocket``: bare words from the client, deltas and acknowledgements to it."""

    surface = "manual"

    async def _serve(self, asked: LiveAsked, stream: RecognizeStream) -> None:
        fallback = asked.language or self._backend.language
        replies = ManualReplies(self._request_id, lambda tag: code_of(tag or fallback))

        async def on_event(event: SpeechEvent) -> None:
            for message in replies.say(event):
                await self._say(message)

        async def on_message(message: str | bytes) -> bool:
            if isinstance(message, bytes):
                await self._hear(message, asked, stream)
            elif message == FINALIZE:
                await self._finalize(relay)
            elif message not in _CLOSE_WORDS:
                await self._complain(Refused(400, f"a text frame is finalize or close, not {message[:60]!r}"))
            return message not in _CLOSE_WORDS

        relay = Relay(self._socket, stream, on_event)
        await relay.run(on_message)
        await self._say(build_done(self._request_id))

    async def _finalize(self, relay: Relay) -> None:
        try:
            await relay.flush()
        except FlushTimeoutError as error:
            await self._complain(Refused.from_error(error))
        else:
            await self._say(build_flush_done(self._request_id))


class TurnsSession(LiveSession):
    """``/stt/turns/websocket``: JSON from the client, turns to it.

    ``connected`` is said when the provider behind is ready, so that a client that waits for it knows that it will be
    heard; audio that comes before is kept.
    """

    surface = "turns"

    async def _serve(self, asked: LiveAsked, stream: RecognizeStream) -> None:
        replies = TurnReplies(self._request_id)
        connected = False

        async def on_event(event: SpeechEvent) -> None:
            nonlocal connected
            if event.type is SpeechEventType.CONNECTED and not connected:
                connected = True
                await self._say(build_connected(self._request_id))
            for message in replies.say(event):
                await self._say(message)

        async def on_message(message: str | bytes) -> bool:
            if isinstance(message, bytes):
                await self._hear(message, asked, stream)
                return True
            try:
                return await self._obey(message, asked, stream)
            except Refused as refused:
                await self._complain(refused)
                return True

        await Relay(self._socket, stream, on_event).run(on_message)

    async def _obey(self, message: str, asked: LiveAsked, stream: RecognizeStream) -> bool:
        try:
            command = parse(message)
        except ProtocolError:
            raise Refused(400, f"a text frame is a JSON object with a type, not {message[:60]!r}") from None
        kind = command.get("type")
        if kind == "config":
            await self._configure(command, asked, stream)
        elif kind not in _CLOSE_WORDS:
            raise Refused(400, f"the type of a message is close or config, not {str(kind)[:60]!r}")
        return kind != "close"  # `done` is the other socket's word, and is borne

    async def _configure(self, command: Mapping[str, object], asked: LiveAsked, stream: RecognizeStream) -> None:
        asked.thresholds.update(read_thresholds(asked, command.get("turn")))
        taken = self._backend.options(asked.thresholds)
        if not taken:
            return
        try:
            await stream.update_options(language=None, **taken)
        except UnsupportedError as error:
            # Nothing of the wire could tell the client so.
            logger.info("session %s: config is passed over: %s", self._request_id, error)
