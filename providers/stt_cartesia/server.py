"""The server half: Cartesia's four surfaces, with any provider behind them.

What a client sends is checked as the client half checks its own options: the same models, ranges and orders. What the
provider behind has no option for is left out; a language that it does not speak is an error. Settings of a socket are
judged after the handshake, in an error message and a close with 1008, as Cartesia does. Interims are said on
``/stt/websocket`` for every model: Cartesia documents them, and is reported to say few.
"""

from __future__ import annotations

import re
import tempfile
from asyncio import to_thread
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, BinaryIO, cast
from uuid import uuid4

from stt_core.audio.frames import sniff_container
from stt_core.server import Refused, Response, Route, SocketRoute

from .asked import code_of, read_batch
from .errors import build_error_body
from .live import LiveSession, ManualSession, TurnsSession, wire_error
from .options import API_VERSION
from .replies import wire_words
from .wire import (
    BATCH_PATH,
    KEY_HEADER,
    MANUAL_PATH,
    OPENAI_PATH,
    REQUEST_ID_HEADER,
    TOKEN_PATH,
    TURNS_PATH,
    VERSION_HEADER,
    VERSION_PARAMETER,
    VOICES_PATH,
    build_transcription,
    full_floats,
)

if TYPE_CHECKING:
    from stt_core.server import Request, Services, Socket

__all__ = ["CartesiaServer"]

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}")

MAX_TOKEN_SECONDS = 3600
TOKEN_SECONDS = 60
"""Where the client does not say."""

_BLOCK = 1 << 20


class CartesiaServer:
    """Cartesia, as its clients see it.

    Every credential is taken where Cartesia takes one: ``X-API-Key``, ``Authorization: Bearer``, and the query's
    ``api_key`` and ``access_token``. Tokens of ``POST /access-token`` are good for what they were granted.
    """

    base_path = ""

    def __init__(self, services: Services) -> None:
        self._backend = services.backend
        self._keys = services.keys

    def routes(self) -> Sequence[Route | SocketRoute]:
        """See :class:`stt_core.server.ServerHalf`, here and below."""
        return [
            Route("GET", "/", self._status, public=True),
            Route("GET", VOICES_PATH, self._voices),
            Route("POST", TOKEN_PATH, self._access_token),
            Route("POST", BATCH_PATH, self._transcribe),
            Route("POST", OPENAI_PATH, self._transcribe),
            SocketRoute(MANUAL_PATH, self._manual),
            SocketRoute(TURNS_PATH, self._turns),
        ]

    # -- who, and in which version -----------------------------------------------------------------------------------

    def authorize(self, request: Request) -> None:  # noqa: D102
        problem = Refused(401, "no valid API key or access token was sent", title="Unauthorized")
        for credential in _credentials(request):
            if not self._keys.knows(credential):
                if self._keys.accept(credential):
                    return
                continue
            claims = self._keys.read_token(credential)
            if claims is None:
                problem = Refused(401, "the access token has expired", title="Unauthorized")
            elif _grants(claims.get("grants")).get("stt") is True:
                return
            else:
                problem = Refused(403, "the access token was not granted `stt`", title="Forbidden")
        raise problem

    def refusal(self, request: Request, refused: Refused) -> Response:  # noqa: D102
        request_id = str(uuid4())
        version = _version(request)
        known = version is not None and _VERSION.fullmatch(version) is not None
        content_type, body = build_error_body(
            wire_error(refused), request_id=request_id, version=version if known and version else API_VERSION
        )
        headers = {REQUEST_ID_HEADER: request_id}
        if refused.retry_after is not None:
            headers["Retry-After"] = f"{refused.retry_after:g}"
        return Response(refused.status, body, content_type, headers)

    # -- requests ----------------------------------------------------------------------------------------------------

    async def _status(self, request: Request) -> Response:
        return Response.json({"ok": True, "version": API_VERSION})

    async def _voices(self, request: Request) -> Response:
        _checked_version(request)
        return Response.json({"data": [], "has_more": False})

    async def _access_token(self, request: Request) -> Response:
        _checked_version(request)
        if not any(self._keys.accept(each) and not self._keys.knows(each) for each in _credentials(request)):
            raise Refused(401, "access tokens are given out for an API key", title="Unauthorized")
        body = await request.json()
        asked = cast("dict[str, object]", body) if isinstance(body, dict) else {}
        seconds = asked.get("expires_in", TOKEN_SECONDS)
        if not isinstance(asked.get("grants"), dict):
            raise Refused(400, '`grants` is an object such as {"stt": true}', title="Invalid parameter")
        if not isinstance(seconds, int) or not 0 < seconds <= MAX_TOKEN_SECONDS:
            raise Refused(400, f"`expires_in` is 1 to {MAX_TOKEN_SECONDS} seconds", title="Invalid parameter")
        return Response.json({"token": self._keys.mint({"grants": _grants(asked["grants"])}, seconds=seconds)})

    async def _transcribe(self, request: Request) -> Response:
        _checked_version(request)
        request_id = str(uuid4())
        form = await request.form()
        asked = read_batch(request, form)
        upload = form.file("file")
        if upload is None or not upload.size:
            raise Refused(400, "`file` is required, the audio", title="Invalid parameter")
        name, file = upload.audio
        wanted = asked.audio_format
        # Cartesia's own examples declare an encoding for a WAV file too, which says itself what it is.
        if wanted is not None and await to_thread(_is_container, file):
            wanted = None
        with ExitStack() as closing:
            if wanted is not None and asked.half_floats:
                file = closing.enter_context(await to_thread(_widened, file))
            transcript = await self._backend.recognize(
                (name, file),
                language=asked.language,
                sample_rate=None if wanted is None else wanted.sample_rate,
                encoding=None if wanted is None else wanted.encoding,
                wishes={"word_timestamps": True if asked.words else None},
            )
        answer = build_transcription(
            request_id,
            transcript.text,
            language=code_of(transcript.language or asked.language or self._backend.language),
            duration=transcript.duration,
            words=wire_words(transcript.words) if asked.words else None,
        )
        return Response.json(answer, headers={REQUEST_ID_HEADER: request_id})

    # -- sockets -----------------------------------------------------------------------------------------------------

    async def _manual(self, request: Request, socket: Socket) -> None:
        await self._live(ManualSession, request, socket)

    async def _turns(self, request: Request, socket: Socket) -> None:
        await self._live(TurnsSession, request, socket)

    async def _live(self, kind: type[LiveSession], request: Request, socket: Socket) -> None:
        version = _checked_version(request)
        request_id = str(uuid4())
        await socket.accept(headers={REQUEST_ID_HEADER: request_id})
        await kind(request, socket, self._backend, request_id=request_id, version=version).run()


def _credentials(request: Request) -> Sequence[str]:
    query = request.query
    found = (request.headers.get(KEY_HEADER), request.bearer, query.get("api_key"), query.get("access_token"))
    return [credential for credential in found if credential]


def _grants(claim: object) -> Mapping[str, object]:
    return cast("dict[str, object]", claim) if isinstance(claim, dict) else {}


def _version(request: Request) -> str | None:
    return request.query.get(VERSION_PARAMETER) or request.headers.get(VERSION_HEADER)


def _checked_version(request: Request) -> str:
    version = _version(request)
    if version is None:
        raise Refused(400, f"the API version is required: {VERSION_HEADER}: {API_VERSION}", title="Missing version")
    if not _VERSION.fullmatch(version):
        raise Refused(400, f"the API version is a date such as {API_VERSION}", title="Invalid version")
    return version


def _is_container(file: BinaryIO) -> bool:
    head = file.read(16)
    file.seek(0)
    return sniff_container(head) is not None


def _widened(file: BinaryIO) -> BinaryIO:
    """``pcm_f16le`` as ``pcm_f32le``; half a sample at the end is dropped."""
    wide = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115  (handed out)
    try:
        while block := file.read(_BLOCK):
            wide.write(full_floats(block[: len(block) - len(block) % 2]))
        wide.seek(0)
    except BaseException:
        wide.close()
        raise
    return wide
