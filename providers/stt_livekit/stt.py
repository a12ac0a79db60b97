"""The client half: live streams, and files through them."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Unpack, cast, overload
from uuid import uuid4

import stt_core
from stt_core.config import ModelConfig
from stt_core.errors import ConfigError, STTError
from stt_core.options import CommonOptions
from stt_core.stt import STT
from stt_core.transport.codec import Handshake
from stt_core.transport.websocket import WebSocketRunner

from .codec import GatewayCodec, Habits
from .errors import read_error_body
from .options import AutoModel, GatewayOptions
from .options_assemblyai import AssemblyAIModel, AssemblyAIOptions
from .options_cartesia import CartesiaModel, CartesiaOptions, Ink2Model, Ink2Options, InkWhisperModel, InkWhisperOptions
from .options_deepgram import DeepgramFluxModel, DeepgramFluxOptions, DeepgramModel, DeepgramOptions
from .options_others import (
    GoogleModel,
    GoogleOptions,
    InworldModel,
    InworldOptions,
    OpenAIModel,
    OpenAIOptions,
    XaiModel,
    XaiOptions,
)
from .options_speechmatics import LindenModel, SpeechmaticsModel, SpeechmaticsOptions
from .tokens import mint, require_jwt
from .upstreams import carries_of, upstream_of
from .wire import BASE_URL, SESSION_HEADER, STAGING_BASE_URL, STAGING_HOSTS, USER_AGENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp

    from stt_core.audio.frames import AudioFormat
    from stt_core.credentials import Credential
    from stt_core.provider import Carries
    from stt_core.registry import Resolved
    from stt_core.runner import Runner
    from stt_core.transport.codec import Codec
    from stt_core.transport.http import HttpClient

__all__ = ["LiveKitSTT"]


class GatewayArguments(CommonOptions, GatewayOptions, total=False):
    """What :class:`LiveKitSTT` takes for a model that is not known here, or for none."""


class DeepgramArguments(CommonOptions, DeepgramOptions, total=False):
    """What :class:`LiveKitSTT` takes for Deepgram's nova models."""


class DeepgramFluxArguments(CommonOptions, DeepgramFluxOptions, total=False):
    """What :class:`LiveKitSTT` takes for Deepgram's Flux."""


class CartesiaArguments(CommonOptions, CartesiaOptions, total=False):
    """What :class:`LiveKitSTT` takes for Cartesia, where the gateway chooses the model."""


class InkWhisperArguments(CommonOptions, InkWhisperOptions, total=False):
    """What :class:`LiveKitSTT` takes for Cartesia's ink-whisper."""


class Ink2Arguments(CommonOptions, Ink2Options, total=False):
    """What :class:`LiveKitSTT` takes for Cartesia's ink-2."""


class AssemblyAIArguments(CommonOptions, AssemblyAIOptions, total=False):
    """What :class:`LiveKitSTT` takes for AssemblyAI's models."""


class SpeechmaticsArguments(CommonOptions, SpeechmaticsOptions, total=False):
    """What :class:`LiveKitSTT` takes for Speechmatics' models."""


class XaiArguments(CommonOptions, XaiOptions, total=False):
    """What :class:`LiveKitSTT` takes for xAI's models."""


class InworldArguments(CommonOptions, InworldOptions, total=False):
    """What :class:`LiveKitSTT` takes for Inworld's models."""


class GoogleArguments(CommonOptions, GoogleOptions, total=False):
    """What :class:`LiveKitSTT` takes for Google's models."""


class OpenAIArguments(CommonOptions, OpenAIOptions, total=False):
    """What :class:`LiveKitSTT` takes for OpenAI's models."""


class LiveKitSTT(STT):
    """The LiveKit inference gateway.

    Live streams; files are heard through one, at the pace that the upstream provider bears.

    Args:
        model: ``vendor/model``, the vendor alone where the gateway is to choose, any other text for a model that is
            not known here, each with ``:language`` or without; ``None`` names none.
        language: BCP-47, or ``multi``; none is sent unless it is given.
        api_key: else ``LIVEKIT_INFERENCE_API_KEY``, else ``LIVEKIT_API_KEY``. With the secret a token is made for each
            connection, good for ten minutes.
        api_secret: else ``LIVEKIT_INFERENCE_API_SECRET``, else ``LIVEKIT_API_SECRET``.
        auth: a token in place of both; a callable gives one for each connection.
        http_session: used and never closed.
        **options: see the model's ``…Options`` in this package, and :mod:`stt_core.options`.

    Raises:
        ConfigError: model, language and options do not go together; nothing was sent.
        MissingExtraError: PyJWT is not installed, and no token is given.
    """

    provider_name = "livekit"

    @overload
    def __init__(
        self,
        model: DeepgramModel,
        *,
        api_key: Credential | None = None,
        api_secret: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[DeepgramArguments],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: DeepgramFluxModel,
        *,
        api_key: Credential | None = None,
        api_secret: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[DeepgramFluxArguments],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: CartesiaModel,
        *,
        api_key: Credential | None = None,
        api_secret: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[CartesiaArguments],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: InkWhisperModel,
        *,
        api_key: Credential | None = None,
        api_secret: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[InkWhisperArguments],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: Ink2Model,
        *,
        api_key: Credential | None = None,
        api_secret: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[Ink2Arguments],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: AssemblyAIModel,
        *,
        api_key: Credential | None = None,
        api_secret: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[AssemblyAIArguments],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: SpeechmaticsModel | LindenModel,
        *,
        api_key: Credential | None = None,
        api_secret: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[SpeechmaticsArguments],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: XaiModel,
        *,
        api_key: Credential | None = None,
        api_secret: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[XaiArguments],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: InworldModel,
        *,
        api_key: Credential | None = None,
        api_secret: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[InworldArguments],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: GoogleModel,
        *,
        api_key: Credential | None = None,
        api_secret: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[GoogleArguments],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: OpenAIModel,
        *,
        api_key: Credential | None = None,
        api_secret: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[OpenAIArguments],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: AutoModel | str | None = None,
        *,
        api_key: Credential | None = None,
        api_secret: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[GatewayArguments],
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
            _member(model) if isinstance(model, str) else model,
            language=language,
            api_key=api_key,
            api_secret=api_secret,
            auth=auth,
            http_session=http_session,
            **options,
        )
        # LiveKit's own client goes to the staging gateway for who is on a staging server.
        staging = STAGING_HOSTS in os.environ.get("LIVEKIT_URL", "")
        default = STAGING_BASE_URL if staging else BASE_URL
        self._base_url = self._credentials.url("base_url", given=self.settings.stt["base_url"], default=default)
        if not self._credentials.has("auth"):
            require_jwt()
        _check(self.settings)

    def create_runner(self, settings: Resolved) -> Runner:
        """See :class:`stt_core.stt.STT`."""
        _check(settings)
        return _Runner(self.http, settings, self)

    def error_from(self, status: int, headers: Mapping[str, str], body: bytes) -> STTError:
        """See :class:`stt_core.stt.STT`."""
        return read_error_body(status, body)

    async def handshake(self, url: str) -> Handshake:
        """Of a connection: the token, made or asked for anew, and a name for the session."""
        credentials = self._credentials
        headers = {
            "User-Agent": f"{USER_AGENT}/{stt_core.__version__}",
            SESSION_HEADER: f"inference_{uuid4().hex[:12]}",
        }
        if credentials.has("auth"):
            return Handshake(url, {**headers, "Authorization": f"Bearer {await credentials.auth()}"})
        require_jwt()
        secrets = (await credentials.api_key(), await credentials.api_secret())
        token = mint(*secrets, now=int(time.time()))
        if token is None:
            del secrets  # the error is raised from this frame
            raise ConfigError(
                "livekit: the API secret is a certificate or half of a key pair, and no secret", provider="livekit"
            )
        return Handshake(url, {**headers, "Authorization": f"Bearer {token}"}, secrets=secrets)

    @property
    def base_url(self) -> str:
        """Of the gateway: the option, ``LIVEKIT_INFERENCE_URL``, or LiveKit's."""
        return self._base_url


class _Runner(WebSocketRunner):
    """What one connection of a stream has learnt is for all; another model may carry something else."""

    def __init__(self, client: HttpClient, settings: Resolved, stt: LiveKitSTT) -> None:
        super().__init__(client, settings, codec=self._make_codec, handshake=self._make_handshake)
        self._stt = stt
        self._habits = Habits()

    @property
    def carries(self) -> Carries:
        """What comes through from the model in use, or from its fallbacks."""
        return carries_of(self._settings)

    def _make_codec(self, settings: Resolved, pushed: AudioFormat) -> Codec:
        return GatewayCodec(settings, pushed, base_url=self._stt.base_url, habits=self._habits)

    async def _make_handshake(self, codec: Codec) -> Handshake:
        return await self._stt.handshake(cast("GatewayCodec", codec).url)


def _member(model: str) -> ModelConfig:
    """A model as LiveKit's own client takes it: what follows the last ``:`` is the language."""
    name, colon, language = model.rpartition(":")
    if not colon:
        name, language = model, None
    if not name.strip() or language == "":
        raise ConfigError(
            f"`{model[:80]}` is no model: it is vendor/model, or vendor/model:language; for none at all leave it out",
            provider="livekit",
        )
    return ModelConfig("livekit", name, language)


def _check(settings: Resolved) -> None:
    wanted, only = settings.stream["upstream_sample_rate"], upstream_of(settings).sample_rate
    if wanted is not None and only is not None and wanted != only:
        raise ConfigError(
            f"{settings.label} takes audio at {only} Hz only: leave upstream_sample_rate out", provider="livekit"
        )
