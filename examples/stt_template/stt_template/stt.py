"""The client half: live streams over a WebSocket, files over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Unpack

from stt_core.errors import ProtocolError, STTError
from stt_core.options import CommonOptions
from stt_core.stt import STT
from stt_core.transcript import Transcript
from stt_core.transport.codec import Handshake
from stt_core.transport.http import FormPart
from stt_core.transport.websocket import WebSocketRunner

from .options import TemplateOptions
from .wire import (
    BASE_URL,
    FILE_PATH,
    LIVE_PATH,
    REFUSAL,
    REQUEST_ID_HEADER,
    TRANSCRIPTION,
    TemplateCodec,
    to_exception,
    to_words,
)

if TYPE_CHECKING:
    import aiohttp

    from stt_core.audio.decode import AudioInput
    from stt_core.config import ModelConfig
    from stt_core.credentials import Credential
    from stt_core.registry import Resolved
    from stt_core.runner import Runner
    from stt_core.transport.codec import Codec

    from .options import TemplateModel

__all__ = ["TemplateArguments", "TemplateSTT"]


class TemplateArguments(CommonOptions, TemplateOptions, total=False):
    """What :class:`TemplateSTT` takes beside its credentials."""


class TemplateSTT(STT):
    """Template.

    Args:
        model: ``swift-1`` or ``swift-2`` (the default).
        api_key: else ``TEMPLATE_API_KEY`` is taken.
        api_secret: Template has none.
        auth: a token in place of the key; a callable gives one for each connection.
        http_session: used and never closed.
        **options: ``language`` (BCP-47; English by default) and more: see :mod:`.options`, :mod:`stt_core.options`.

    Raises:
        ConfigError: model, language and options do not go together; nothing was sent.
    """

    provider_name = "template"

    def __init__(
        self,
        model: TemplateModel | ModelConfig | None = None,
        *,
        api_key: Credential | None = None,
        api_secret: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[TemplateArguments],
    ) -> None:
        super().__init__(
            model,
            api_key=api_key,
            api_secret=api_secret,
            auth=auth,
            http_session=http_session,
            **options,
        )
        self._base_url = self._credentials.url("base_url", given=self.settings.stt["base_url"], default=BASE_URL)

    def create_runner(self, settings: Resolved) -> Runner:
        """See :class:`stt_core.stt.STT`, here and below."""
        return WebSocketRunner(self.http, settings, codec=TemplateCodec, handshake=self._handshake)

    async def _handshake(self, _: Codec) -> Handshake:
        return Handshake(*await self.sign(LIVE_PATH))

    async def recognize_audio(self, audio: AudioInput, settings: Resolved) -> Transcript:
        fields = {"model": settings.model, "language": settings.vendor_language, **settings.stt["extra"]}
        form = [FormPart(name, str(value)) for name, value in fields.items() if value is not None]
        form.append(FormPart("file", audio.open_binary, audio.name, audio.content_type))
        response = await self.http.request(
            "POST",
            self._url(FILE_PATH),
            # In no local variable: errors are raised from this frame, and error trackers send frames home.
            headers=await self._headers(),
            form=form,
            timeout=settings.stt["request_timeout"],
            retry=audio.rewindable,  # Template keeps nothing of a request that failed
        )
        try:
            document = TRANSCRIPTION.validate_json(response.body)
        except ValueError:
            raise ProtocolError("Template answered with something else than a transcript") from None
        return Transcript(
            document["text"],
            words=to_words(document.get("words")),
            request_id=response.headers.get(REQUEST_ID_HEADER),
            raw=document,
        )

    def error_from(self, status: int, headers: Mapping[str, str], body: bytes) -> STTError:
        try:
            refusal = REFUSAL.validate_json(body)
        except ValueError:
            return super().error_from(status, headers, body)  # a proxy's, and not Template's
        return to_exception({**refusal["error"], "status": status})

    async def sign(self, path: str) -> tuple[str, Mapping[str, str]]:
        return self._url(path), await self._headers()

    def _url(self, path: str) -> str:
        scheme, _, rest = self._base_url.rstrip("/").partition("://")
        return f"{ {'ws': 'http', 'wss': 'https'}.get(scheme, scheme) }://{rest}{path}"

    async def _headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {await self._credentials.auth()}"}
