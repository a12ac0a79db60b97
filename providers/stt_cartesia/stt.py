"""The client half: live streams over WebSockets, files over HTTP, access tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Unpack, cast, overload

from stt_core.errors import ConfigError, ProtocolError, STTError
from stt_core.options import CommonOptions
from stt_core.stt import STT
from stt_core.transport.codec import Handshake
from stt_core.transport.websocket import WebSocketRunner

from .batch import read_transcription, upload
from .codec import RealtimeCodec, vendor_fields
from .errors import read_error_body
from .manual import ManualCodec, WordTimes
from .options import (
    API_VERSION,
    CARRIES,
    Ink2Model,
    Ink2Options,
    InkPreviewModel,
    InkWhisperModel,
    InkWhisperOptions,
    capabilities_of,
    surface_of,
)
from .turns import TurnsCodec
from .wire import BASE_URL, KEY_HEADER, REQUEST_ID_HEADER, TOKEN_PATH, VERSION_HEADER, VOICES_PATH, text_of

if TYPE_CHECKING:
    import aiohttp

    from stt_core.audio.decode import AudioInput
    from stt_core.audio.frames import AudioFormat
    from stt_core.config import ModelConfig
    from stt_core.credentials import Credential
    from stt_core.provider import Capabilities, Carries
    from stt_core.registry import Resolved
    from stt_core.runner import Runner
    from stt_core.transcript import Transcript
    from stt_core.transport.codec import Codec
    from stt_core.transport.http import HttpClient

__all__ = ["CartesiaSTT", "Ink2Arguments", "InkWhisperArguments"]

MAX_TOKEN_SECONDS = 3600


class InkWhisperArguments(CommonOptions, InkWhisperOptions, total=False):
    """What :class:`CartesiaSTT` takes for ink-whisper."""


class Ink2Arguments(CommonOptions, Ink2Options, total=False):
    """What :class:`CartesiaSTT` takes for ink-2 and ink-preview."""


class CartesiaSTT(STT):
    """Cartesia.

    Live streams go to ``/stt/websocket`` or ``/stt/turns/websocket``, as model, language and ``endpoint`` have it.
    Files are uploaded to ``/stt`` with ink-whisper; the other models take none, and hear them through a stream, at 1.5
    times real time.

    Args:
        model: ``ink-whisper`` (the default), ``ink-2``, ``ink-preview`` or a snapshot of them.
        language: BCP-47; English by default.
        api_key: sent as ``X-API-Key``; else ``CARTESIA_API_KEY`` is taken.
        auth: an access token, sent as a bearer token in place of the key; a callable mints one for each connection.
        http_session: used and never closed.
        **options: see :mod:`.options` and :mod:`stt_core.options`.

    Raises:
        ConfigError: model, language and options do not go together; nothing was sent.
    """

    provider_name = "cartesia"

    @overload
    def __init__(
        self,
        model: InkWhisperModel | None = None,
        *,
        api_key: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[InkWhisperArguments],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: Ink2Model | InkPreviewModel,
        *,
        api_key: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[Ink2Arguments],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: ModelConfig,
        *,
        language: str | None = None,
        api_key: Credential | None = None,
        api_secret: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: object,
    ) -> None: ...

    def __init__(
        self,
        model: str | ModelConfig | None = None,
        *,
        language: str | None = None,
        api_key: Credential | None = None,
        api_secret: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: object,
    ) -> None:
        super().__init__(
            model,
            language=language,
            api_key=api_key,
            api_secret=api_secret,
            auth=auth,
            http_session=http_session,
            **options,
        )
        self._base_url = self._credentials.url("base_url", given=self.settings.stt["base_url"], default=BASE_URL)
        surface_of(self.settings)
        vendor_fields(self.settings)

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do over the endpoint chosen, and which of it is native."""
        return capabilities_of(self.settings)

    def create_runner(self, settings: Resolved) -> Runner:
        """See :class:`stt_core.stt.STT`."""
        surface_of(settings)
        vendor_fields(settings)
        return _Runner(self.http, settings, self)

    async def recognize_audio(self, audio: AudioInput, settings: Resolved) -> Transcript:
        """See :class:`stt_core.stt.STT`."""
        if not settings.family.capabilities.batch:
            return await super().recognize_audio(audio, settings)
        request = await asyncio.to_thread(upload, audio, settings)
        response = await self.http.request(
            "POST",
            self._url(request.path),
            headers=await self.headers(settings),
            params=request.params,
            form=request.form,
            timeout=settings.stt["request_timeout"],
            retry=request.again,
        )
        transcript = read_transcription(_object(response.json()))
        transcript.request_id = transcript.request_id or response.headers.get(REQUEST_ID_HEADER)
        return transcript

    async def prewarm(self) -> None:
        """Checks the key with a request that costs nothing (``GET /voices``); an access token is not for that.

        Raises:
            AuthenticationError: the key is not accepted.
            STTError: Cartesia is not to be reached.
        """
        if not self._credentials.has("auth"):
            await self.http.request(
                "GET",
                self._url(VOICES_PATH),
                headers=await self.headers(self.settings),
                params=[("limit", "1")],
                timeout=self.settings.stt["connect_timeout"],
            )

    async def access_token(self, *, expires_in: int = 60, grants: Mapping[str, bool] | None = None) -> str:
        """Mints a short-lived token for a client that is not to have the key; ``auth=`` takes it.

        Args:
            expires_in: seconds, 1 to 3600.
            grants: what it is for, beside ``stt``: ``tts``, ``agent``.

        Raises:
            ConfigError: ``expires_in`` is out of range, or there is no API key.
            APIError: Cartesia refused.
        """
        if not 1 <= expires_in <= MAX_TOKEN_SECONDS:
            raise ConfigError(f"expires_in takes 1 to {MAX_TOKEN_SECONDS} seconds, not {expires_in}")
        response = await self.http.request(
            "POST",
            self._url(TOKEN_PATH),
            headers={**self._version(self.settings), "Authorization": f"Bearer {await self._credentials.api_key()}"},
            json={"grants": {"stt": True, **(grants or {})}, "expires_in": expires_in},
            retry=True,
        )
        token = text_of(_object(response.json()), "token")
        if not token:
            raise ProtocolError("Cartesia answered without a token", provider=self.provider_name)
        return token

    def error_from(self, status: int, headers: Mapping[str, str], body: bytes) -> STTError:
        """See :class:`stt_core.stt.STT`."""
        return read_error_body(status, body).to_exception()

    async def sign(self, path: str) -> tuple[str, Mapping[str, str]]:
        """See :class:`stt_core.stt.STT`."""
        return self._url(path), await self.headers(self.settings)

    async def headers(self, settings: Resolved) -> Mapping[str, str]:
        """What every request and connection carries: the API version, and the key or token, asked for anew."""
        if self._credentials.has("auth"):
            signed = {"Authorization": f"Bearer {await self._credentials.auth()}"}
        else:
            signed = {KEY_HEADER: await self._credentials.api_key()}
        return {**self._version(settings), **signed}

    @property
    def base_url(self) -> str:
        """Of the API: the option, ``CARTESIA_BASE_URL``, or Cartesia's."""
        return self._base_url

    def _version(self, settings: Resolved) -> dict[str, str]:
        return {VERSION_HEADER: cast("str", settings.options.get("api_version", API_VERSION))}

    def _url(self, path: str) -> str:
        scheme, _, rest = self._base_url.rstrip("/").partition("://")
        return f"{ {'ws': 'http', 'wss': 'https'}.get(scheme, scheme) }://{rest}{path}"


class _Runner(WebSocketRunner):
    """Picks the codec for each connection anew, because an update of the options may ask for the other endpoint."""

    def __init__(self, client: HttpClient, settings: Resolved, stt: CartesiaSTT) -> None:
        super().__init__(client, settings, codec=self._make_codec, handshake=self._make_handshake)
        self._stt = stt
        self._times = WordTimes()

    @property
    def carries(self) -> Carries:
        """What the endpoint in use carries: it need not be the one that serves the family as a rule."""
        return CARRIES[surface_of(self._settings)]

    def _make_codec(self, settings: Resolved, pushed: AudioFormat) -> Codec:
        if surface_of(settings) == "turns":
            return TurnsCodec(settings, pushed, base_url=self._stt.base_url)
        return ManualCodec(settings, pushed, base_url=self._stt.base_url, times=self._times)

    async def _make_handshake(self, codec: Codec) -> Handshake:
        connection = cast("RealtimeCodec", codec)
        return Handshake(connection.url, headers=await self._stt.headers(connection.settings))


def _object(document: object) -> Mapping[str, object]:
    if not isinstance(document, dict):
        raise ProtocolError("Cartesia answered with JSON that is no object", provider="cartesia")
    return cast("Mapping[str, object]", document)
