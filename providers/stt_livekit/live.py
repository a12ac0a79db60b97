"""A session of the server half, from the accepted handshake to the close."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stt_core.errors import ProtocolError, STTError, UnsupportedError
from stt_core.events import SpeechEvent, SpeechEventType
from stt_core.server import Refused, Relay

from .asked import read_create
from .replies import Replies
from .wire import audio_of, build_closed, build_created, build_error, build_finalized, dump, fields_of, parse, text_of

if TYPE_CHECKING:
    from stt_core.server import Backend, Socket
    from stt_core.stream import RecognizeStream

    from .asked import SessionAsked
    from .wire import ServerMessage

__all__ = ["END_SECONDS", "LiveSession"]

logger = logging.getLogger("stt_core.livekit.server")

END_SECONDS = 1.0
"""A ``session.finalize`` that nothing follows for so long was the last one.

LiveKit's clients say the same at the end of a turn and at the end of the audio. The new dialect gives up 3 s after the
last transcript (the old one never); in the middle of the audio 50 ms more of it follow.
"""


class LiveSession:
    """What is said on one socket.

    Args:
        socket: accepted.
        backend: who recognises.
        session_id: what the session is called.
        client_closes: the client says ``session.close`` when it has heard everything, so that no ``session.finalize``
            has to be taken for the end.
    """

    def __init__(self, socket: Socket, backend: Backend, *, session_id: str, client_closes: bool) -> None:
        self._socket = socket
        self._backend = backend
        self._session_id = session_id
        self._client_closes = client_closes

    async def run(self) -> None:
        """Serves the client to the end.

        Raises:
            SocketClosed: it went away.
        """
        try:
            first = await self._socket.receive()
            if first is not None:
                with _clients_fault():
                    asked = read_create(parse(first), self._backend)
                async with self._backend.stream(
                    asked.audio_format, language=asked.language, wishes=asked.wishes
                ) as stream:
                    await _Conversation(self._socket, self._backend, stream, asked, self._session_id).run(
                        client_closes=self._client_closes
                    )
        except STTError as error:
            logger.warning("session %s: %s", self._session_id, error)
            await self._break_off(Refused.from_error(error))
        except Refused as refused:
            await self._break_off(refused)
        else:
            await self._socket.close(1001 if self._socket.winding_down else 1000)

    async def _break_off(self, refused: Refused) -> None:
        await self._socket.send(dump(build_error(refused.message, code=refused.status)))
        await self._socket.close(1008 if refused.status < 500 else 1011, refused.message)


class _Conversation:
    """A session that was created."""

    def __init__(
        self, socket: Socket, backend: Backend, stream: RecognizeStream, asked: SessionAsked, session_id: str
    ) -> None:
        self._socket = socket
        self._backend = backend
        self._stream = stream
        self._asked = asked
        self._session_id = session_id
        self._replies = Replies(asked.dialect, session_id, asked.language or backend.language)
        self._relay = Relay(socket, stream, self._on_event)
        self._created = False
        self._unknown: set[str] = set()

    async def run(self, *, client_closes: bool) -> None:
        patience = None if client_closes else END_SECONDS
        ended = False  # by the old dialect's only session.finalize

        async def on_message(message: str | bytes) -> bool:
            nonlocal ended
            with _clients_fault():
                command = parse(message)
                kind = text_of(command, "type")
            self._relay.patience = None
            if kind == "input_audio":
                await self._hear(command)
            elif kind == "session.finalize":
                if self._asked.dialect == "old":
                    ended = True
                    return False
                await self._relay.flush()
                await self._say(build_finalized())
                self._relay.patience = patience
            elif kind == "session.update":
                await self._update(command)
            elif kind == "session.close":
                return False
            else:
                self._pass_over(kind)
            return True

        await self._relay.run(on_message)
        if ended:
            await self._say(build_finalized())
        await self._say(build_closed())

    async def _say(self, message: ServerMessage) -> None:
        await self._socket.send(dump(message))

    async def _on_event(self, event: SpeechEvent) -> None:
        # Audio that comes before is kept; a client that waits for it knows that it will be heard.
        if event.type is SpeechEventType.CONNECTED and not self._created:
            self._created = True
            await self._say(build_created(self._session_id))
        for message in self._replies.say(event):
            await self._say(message)

    async def _hear(self, command: Mapping[str, object]) -> None:
        with _clients_fault():
            data = audio_of(command)
        if data:
            await self._stream.send_frame(data)

    async def _update(self, command: Mapping[str, object]) -> None:
        try:
            with _clients_fault():
                language, wishes = self._asked.change(fields_of(command, "settings"), self._backend)
            taken = self._backend.options(wishes)
            if language is not None or taken:
                await self._stream.update_options(language=language, **taken)
        except UnsupportedError as error:
            # The gateway, too, passes over what an upstream provider cannot change.
            logger.info("session %s: session.update is passed over: %s", self._session_id, error)

    def _pass_over(self, kind: str) -> None:
        """LiveKit has added messages, and its clients break off at any ``error``."""
        if kind == "session.create":
            raise Refused(400, "session.create is said once, as the first message")
        if not kind:
            raise Refused(400, "a message has a `type`, which is text")
        if kind[:60] not in self._unknown and len(self._unknown) < 10:
            self._unknown.add(kind[:60])
            logger.warning("session %s: %r is no message that is known: passed over", self._session_id, kind[:60])


@contextmanager
def _clients_fault() -> Generator[None]:
    """What breaks the protocol in here came from the client, and not from a provider."""
    try:
        yield
    except ProtocolError as error:
        raise Refused(400, error.message) from None
