"""The socket of the server half: one session, from the accepted handshake to the close."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING
from uuid import uuid4

from stt_core.errors import ProtocolError, STTError
from stt_core.events import SpeechEvent, SpeechEventType
from stt_core.server import Refused, Relay, SocketClosed

from .asked import Invalid, read_audio, read_live
from .refusals import error_object
from .replies import LiveReplies
from .wire import (
    UPDATE_WITHIN_SECONDS,
    build_committed,
    build_created,
    build_error,
    build_item_created,
    build_updated,
    dump,
    object_of,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stt_core.server import Backend, Socket
    from stt_core.stream import RecognizeStream

    from .asked import LiveAsked
    from .wire import ServerMessage

__all__ = ["LINGER_SECONDS", "LiveSession"]

logger = logging.getLogger("stt_core.kotoba.server")

LINGER_SECONDS = 5.0
"""How long the client has to close the connection once everything is said."""


class LiveSession:
    """``/realtime``.

    ``transcription_session.updated`` is said when the provider behind is ready, so that a client that waits for it
    knows that it will be heard. Audio that comes before is kept.

    Args:
        socket: accepted.
        backend: who recognises.
        turns: whether turns are detected where the client does not say.
        completes: whether ``completed`` follows ``commit`` where they are not.
    """

    def __init__(self, socket: Socket, backend: Backend, *, turns: bool, completes: bool) -> None:
        self._socket = socket
        self._backend = backend
        self._turns = turns
        self._completes = completes
        self._heard = False

    async def run(self) -> None:
        """Serves the client to the end.

        Raises:
            SocketClosed: it went away.
        """
        try:
            await self._say(build_created(_new_id()))
            update = await self._first()
            if update is None:
                return
            asked = read_live(update, self._backend, turns=self._turns)
            async with self._backend.stream(asked.audio_format, language=asked.language, wishes=asked.wishes) as stream:
                await self._serve(asked, stream)
            await self._linger()
        except STTError as error:
            logger.warning("a session failed: %s", error)
            await self._break_off(Refused.from_error(error))
        except Refused as refused:
            await self._break_off(refused)

    async def _first(self) -> Mapping[str, object] | None:
        try:
            async with asyncio.timeout(UPDATE_WITHIN_SECONDS):
                message = await self._socket.receive()
        except TimeoutError:
            raise Refused(
                408, f"no transcription_session.update came within {UPDATE_WITHIN_SECONDS:g} s", code="timeout_error"
            ) from None
        if message is None:
            return None
        update = _read(message)
        if update["type"] != "transcription_session.update":
            raise _out_of_place(f"transcription_session.update comes first, not {update['type']!r:.60}")
        return update

    async def _serve(self, asked: LiveAsked, stream: RecognizeStream) -> None:
        replies = LiveReplies(turns=asked.turns, completes=self._completes, timestamps=asked.timestamps, new_id=_new_id)
        ready = False

        async def on_event(event: SpeechEvent) -> None:
            nonlocal ready
            if event.type is SpeechEventType.CONNECTED and not ready:
                ready = True
                await self._say(build_updated(_new_id(), asked.session))
            await self._say(*replies.say(event))

        async def on_message(message: str | bytes) -> bool:
            return await self._obey(_read(message), asked, stream)

        await Relay(self._socket, stream, on_event).run(on_message)
        await self._say(*replies.finish())
        await self._say(build_committed(_new_id()))

    async def _obey(self, message: Mapping[str, object], asked: LiveAsked, stream: RecognizeStream) -> bool:
        kind = message["type"]
        if kind == "input_audio_buffer.append":
            audio = read_audio(message, asked.audio_format.frame_bytes)
            if not self._heard:
                self._heard = True
                await self._say(build_item_created(_new_id()))
            if audio:
                await stream.send_frame(audio)
            return True
        if kind == "input_audio_buffer.commit":
            return False
        if kind == "transcription_session.update":
            raise _out_of_place("the settings of a session are given once: open another one for others")
        raise _out_of_place(f"{kind!r:.60} is no input_audio_buffer.append or input_audio_buffer.commit")

    async def _linger(self) -> None:
        """A client that is told the end closes the connection itself; what it says before is nothing to us."""
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while await self._socket.receive() is not None:
                    pass
        except (TimeoutError, SocketClosed):
            return

    async def _say(self, *messages: ServerMessage) -> None:
        for message in messages:
            await self._socket.send(dump(message))

    async def _break_off(self, refused: Refused) -> None:
        error = error_object(refused)
        await self._say(build_error(error, event_id=_new_id()))
        await self._socket.close(1008 if refused.status < 500 else 1011, error["code"] or "")


def _new_id() -> str:
    return uuid4().hex


def _read(message: str | bytes) -> Mapping[str, object]:
    if isinstance(message, bytes):
        raise _out_of_place("a message is JSON in a text frame, and audio is base64 inside")
    try:
        found = object_of(parse(message))
    except ProtocolError:
        raise Invalid(f"a message is a JSON object, not {message[:60]!r}", code="invalid_json") from None
    if "type" not in found:
        raise Invalid("a message has a `type`", "type", code="invalid_event")
    return found


def _out_of_place(message: str) -> Invalid:
    return Invalid(message, "type", code="invalid_event")
