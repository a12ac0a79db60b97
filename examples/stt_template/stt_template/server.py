"""The server half: Template, as its clients see it, with any provider behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from stt_core.audio.frames import AudioFormat
from stt_core.errors import STTError
from stt_core.events import SpeechEventType
from stt_core.server import Refused, Relay, Response, Route, SocketRoute

from . import PROVIDER
from .wire import (
    CLIENT,
    DECODED,
    FILE_PATH,
    IDLE_SECONDS,
    LIVE_PATH,
    REQUEST_ID_HEADER,
    ServerMessage,
    Transcription,
    WireError,
    dump,
)

if TYPE_CHECKING:
    from stt_core.events import SpeechEvent, Word
    from stt_core.server import Backend, Request, Services, Socket
    from stt_core.stream import RecognizeStream

    from .wire import ClientMessage, WireWord

__all__ = ["Session", "TemplateServer"]

_TEXTS = {
    SpeechEventType.INTERIM_TRANSCRIPT: "partial",
    SpeechEventType.PREFLIGHT_TRANSCRIPT: "partial",
    SpeechEventType.FINAL_TRANSCRIPT: "final",
}


class TemplateServer:
    """See :class:`stt_core.server.ServerHalf`, here and below."""

    base_path = ""

    def __init__(self, services: Services) -> None:
        self._backend = services.backend
        self._keys = services.keys

    def routes(self) -> Sequence[Route | SocketRoute]:
        return [Route("POST", FILE_PATH, self._file), SocketRoute(LIVE_PATH, self._live)]

    def authorize(self, request: Request) -> None:
        if not self._keys.accept(request.bearer):
            raise Refused(401, "Authorization has no key that is known here", code="no_such_key")

    def refusal(self, request: Request, refused: Refused) -> Response:
        headers = {REQUEST_ID_HEADER: str(uuid4())}
        if refused.retry_after is not None:
            headers["Retry-After"] = f"{refused.retry_after:g}"
        return Response.json({"error": _wire_error(refused)}, refused.status, headers=headers)

    async def _file(self, request: Request) -> Response:
        form = await request.form()
        upload = form.file("file")
        if upload is None or not upload.size:
            raise Refused(400, "`file` is required, the recording")
        PROVIDER.family_for(form.field("model"))
        transcript = await self._backend.recognize(
            upload.audio, language=form.field("language"), wishes={"word_timestamps": True}
        )
        answer = Transcription(text=transcript.text)
        if (words := _wire_words(transcript.words)) is not None:
            answer["words"] = words
        return Response.json(answer, headers={REQUEST_ID_HEADER: str(uuid4())})

    async def _live(self, _: Request, socket: Socket) -> None:
        await socket.accept()
        await Session(socket, self._backend).run()


class Session:
    """What is said on one socket."""

    def __init__(self, socket: Socket, backend: Backend) -> None:
        self._socket = socket
        self._backend = backend
        self._ready = False

    async def run(self) -> None:
        """Serves the client to the end.

        Raises:
            SocketClosed: it went away.
        """
        try:
            first = await self._socket.receive()
            if first is not None:
                start = _read(first)
                PROVIDER.family_for(start.get("model"))  # which says what there is, if not that one
                async with self._backend.stream(
                    _format(start), language=start.get("language"), wishes=_wishes(start)
                ) as stream:
                    await self._serve(stream)
        except STTError as error:
            await self._break_off(Refused.from_error(error))
        except Refused as refused:
            await self._break_off(refused)

    async def _serve(self, stream: RecognizeStream) -> None:
        async def on_message(message: str | bytes) -> bool:
            if isinstance(message, bytes):
                await stream.send_frame(message)
                return True
            command = _read(message)
            if command["type"] == "flush":
                await relay.flush()
                await self._say({"type": "flushed"})
            elif command["type"] == "set" and (taken := self._backend.options(_wishes(command))):
                await stream.update_options(language=None, **taken)
            return command["type"] != "end"

        relay = Relay(self._socket, stream, self._on_event)
        relay.patience = IDLE_SECONDS
        await relay.run(on_message)
        await self._say({"type": "done"})

    async def _on_event(self, event: SpeechEvent) -> None:
        if event.type is SpeechEventType.CONNECTED and not self._ready:
            self._ready = True
            await self._say({"type": "ready", "session": str(uuid4())})
        elif (kind := _TEXTS.get(event.type)) is not None:
            message = ServerMessage(type=kind, text=event.text)
            if event.alternatives and (words := _wire_words(event.alternatives[0].words)) is not None:
                message["words"] = words
            await self._say(message)

    async def _say(self, message: ServerMessage) -> None:
        await self._socket.send(dump(message))

    async def _break_off(self, refused: Refused) -> None:
        await self._say({"type": "error", "error": _wire_error(refused)})
        await self._socket.close(1008 if refused.status < 500 else 1011)


def _read(message: str | bytes) -> ClientMessage:
    try:
        return CLIENT.validate_json(message)
    except ValueError:
        raise Refused(400, f"that is no message of the protocol: {message[:60]!r}") from None


def _format(start: ClientMessage) -> AudioFormat:
    if start["type"] != "start" or "encoding" not in start or "sample_rate" not in start:
        raise Refused(400, "the first message is `start`, with `encoding` and `sample_rate`")
    return AudioFormat(start["sample_rate"], 1, DECODED[start["encoding"]])


def _wishes(command: ClientMessage) -> Mapping[str, object]:
    return {"end_silence": command.get("end_silence"), "word_timestamps": True}


def _wire_error(refused: Refused) -> WireError:
    return WireError(status=refused.status, code=refused.code or "refused", message=refused.message)


def _wire_words(words: Sequence[Word] | None) -> list[WireWord] | None:
    """``None`` unless all have times: Template has no word without."""
    found: list[WireWord] = []
    for word in words or ():
        if word.start_time is None or word.end_time is None:
            return None
        found.append({"text": word.text, "start": word.start_time, "end": word.end_time})
    return None if words is None else found
