"""The client half: live streams over the WebSocket, files at once or as jobs over REST."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias, Unpack, cast, overload
from urllib.parse import urlsplit

from typing_extensions import override

from stt_core.errors import ConfigError, STTError
from stt_core.events import SpeechEvent
from stt_core.options import CommonOptions, fields
from stt_core.segment import SegmentRunner
from stt_core.stt import STT
from stt_core.transport.codec import Handshake, Settled
from stt_core.transport.websocket import WebSocketRunner

from .documents import ONE_SHOT_PATH
from .errors import read_error_body
from .jobs import KotobaJobs, Sending
from .one_shot import one_shot_form, read_one_shot
from .options import (
    JobsModel,
    JobsOptions,
    KotobaOptions,
    OneShotModel,
    OneShotOptions,
    RealtimeModel,
    RealtimeOptions,
    Surface,
    carries_of,
)
from .realtime import RealtimeCodec
from .wire import FAL_HOST, REALTIME_PATH, authorization, object_of, parse

if TYPE_CHECKING:
    import aiohttp

    from stt_core.audio.decode import AudioInput
    from stt_core.audio.frames import AudioFormat
    from stt_core.config import ModelConfig
    from stt_core.credentials import Credential
    from stt_core.jobs import JobBackend
    from stt_core.options import OptionsType
    from stt_core.provider import Capabilities, Carries
    from stt_core.registry import Resolved
    from stt_core.runner import AudioSource, EventSink, Runner
    from stt_core.transcript import Transcript
    from stt_core.transport.codec import Codec
    from stt_core.transport.http import HttpClient, HttpResponse

__all__ = ["JobsArguments", "KotobaArguments", "KotobaSTT", "OneShotArguments", "RealtimeArguments"]

_HOSTED = (FAL_HOST, "kotobatech.ai")
"""Hosts that answer nobody without a key; a container of one's own may."""

Address: TypeAlias = Literal["rest_url", "ws_url"]
_ADDRESSES: tuple[Address, ...] = ("rest_url", "ws_url")
_UNSET = "http://unset"

_OPTIONS: Mapping[Surface, OptionsType] = {
    "jobs": JobsOptions,
    "one-shot": OneShotOptions,
    "realtime": RealtimeOptions,
}


class JobsArguments(CommonOptions, JobsOptions, total=False):
    """What :class:`KotobaSTT` takes for ``jobs``."""


class OneShotArguments(CommonOptions, OneShotOptions, total=False):
    """What :class:`KotobaSTT` takes for ``one-shot``."""


class RealtimeArguments(CommonOptions, RealtimeOptions, total=False):
    """What :class:`KotobaSTT` takes for ``realtime``."""


class KotobaArguments(CommonOptions, KotobaOptions, total=False):
    """What :class:`KotobaSTT` takes without a model."""


class KotobaSTT(STT):
    """Kotoba.

    There is no address of its own: ``rest_url`` and ``ws_url``, or ``base_url`` for both, or the environment say where
    it is. Without a model, streams go to the WebSocket, files to the one-shot API and submitted ones to the job API;
    where only the WebSocket is configured, files are streamed. Options that are about another API than the call's are
    left alone if they were given with the object, and refused in a call.

    Args:
        model: ``jobs``, ``one-shot`` or ``realtime``; ``None`` chooses by the call.
        language: BCP-47. Japanese by default, but for one-shot, where the deployment decides.
        api_key: sent as a bearer token, and to fal.ai as its key; else ``KOTOBA_API_KEY`` is taken. A container of
            one's own may need none.
        auth: a token in the place of the key; a callable is asked for each connection and request.
        http_session: used and never closed.
        **options: see :mod:`.options` and :mod:`stt_core.options`.

    Raises:
        ConfigError: model, language, options and addresses do not go together; nothing was sent.
    """

    provider_name = "kotoba"

    @overload
    def __init__(
        self,
        model: None = None,
        *,
        api_key: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[KotobaArguments],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: JobsModel,
        *,
        api_key: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[JobsArguments],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: OneShotModel,
        *,
        api_key: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[OneShotArguments],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: RealtimeModel,
        *,
        api_key: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[RealtimeArguments],
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
        del options, api_key, api_secret, auth  # an error is raised from this frame
        self._check_addresses()

    # -- what it is ------------------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do; without a model, as far as the addresses are configured."""
        able = self.settings.family.capabilities
        if self.settings.model is not None:
            return able
        live, rest = self._has("ws_url", self.settings), self._has("rest_url", self.settings)
        return replace(
            able,
            streaming=live,
            interim_results=live,
            turns=live,
            batch=rest,
            jobs=rest,
            words=rest,
            diarization=rest,
        )

    # -- live ------------------------------------------------------------------------------------------------------

    def create_runner(self, settings: Resolved) -> Runner:
        """See :class:`stt_core.stt.STT`."""
        if self._surface("live", settings) != "realtime":
            self.url("rest_url", settings)
            return SegmentRunner(self.recognize_audio, settings)
        self.url("ws_url", settings)
        return _Runner(self.http, settings, self)

    async def handshake(self, settings: Resolved) -> Handshake:
        """How to open the WebSocket; the key is asked for anew."""
        return Handshake(
            _with_scheme(self.url("ws_url", settings), "ws"), headers=await self._headers("ws_url", settings)
        )

    # -- files -----------------------------------------------------------------------------------------------------

    async def recognize_audio(self, audio: AudioInput, settings: Resolved) -> Transcript:
        """See :class:`stt_core.stt.STT`."""
        if self._surface("file", settings) != "one-shot":
            return await super().recognize_audio(audio, settings)
        form = await asyncio.to_thread(one_shot_form, audio, settings)
        response = await self._send(
            "POST",
            ONE_SHOT_PATH,
            settings,
            form=form,
            timeout=settings.stt["request_timeout"],
            retry=audio.rewindable,
        )
        transcript = read_one_shot(object_of(parse(response.body)))
        transcript.request_id = response.headers.get("X-Request-Id")
        return transcript

    def create_jobs(self) -> JobBackend:
        """See :class:`stt_core.stt.STT`."""
        if not self.settings.family.capabilities.jobs:
            return super().create_jobs()
        return KotobaJobs(self._send_job)

    async def sign(self, path: str) -> tuple[str, Mapping[str, str]]:
        """See :class:`stt_core.stt.STT`."""
        return self._rest_url(path, self.settings), await self._headers("rest_url", self.settings)

    async def _send(self, method: str, path: str, settings: Resolved, **more: Unpack[Sending]) -> HttpResponse:
        # Neither address nor headers are kept in a frame that an error goes through: both may hold secrets.
        return await self.http.request(
            method, self._rest_url(path, settings), headers=await self._headers("rest_url", settings), **more
        )

    async def _send_job(self, method: str, path: str, settings: Resolved, **more: Unpack[Sending]) -> HttpResponse:
        if settings.model is None:
            self._refuse_foreign("jobs", settings)
        return await self._send(method, path, settings, **more)

    def _rest_url(self, path: str, settings: Resolved) -> str:
        return _with_scheme(self.url("rest_url", settings), "http").rstrip("/") + path

    async def prewarm(self) -> None:
        """Wakes what sleeps at fal.ai, which may take minutes; other deployments are always awake.

        Raises:
            STTError: it cannot be woken: above all, the key is not accepted.
        """
        for meaning in _ADDRESSES:
            address = self._address(meaning, self.settings)
            if address is not None and _is_at(address, FAL_HOST):
                await self.http.request("GET", _probe(address), headers=await self._headers(meaning, self.settings))

    def error_from(self, status: int, headers: Mapping[str, str], body: bytes) -> STTError:
        """See :class:`stt_core.stt.STT`."""
        return read_error_body(status, body).to_exception()

    # -- where, and who --------------------------------------------------------------------------------------------

    def url(self, meaning: Address, settings: Resolved) -> str:
        """The address of the REST API or of the WebSocket.

        Raises:
            ConfigError: it is not configured; the message names the variable.
        """
        found = self._address(meaning, settings)
        if found is not None:
            return found
        variable = next(env.name for env in self.provider.env if env.meaning == meaning)
        what = "REST API" if meaning == "rest_url" else "WebSocket"
        raise ConfigError(
            f"kotoba: there is no address of the {what}: set {variable}, or pass {meaning}= or base_url=",
            provider=self.provider_name,
        )

    def _address(self, meaning: Address, settings: Resolved) -> str | None:
        given = cast("str | None", settings.options.get(meaning))
        base = settings.stt["base_url"]
        if given is None and base is not None:
            given = base if meaning == "rest_url" else base.rstrip("/") + REALTIME_PATH
        found = self._credentials.url(meaning, given=given, default=_UNSET)
        return None if found is _UNSET else found

    def _has(self, meaning: Address, settings: Resolved) -> bool:
        return self._address(meaning, settings) is not None

    def _check_addresses(self) -> None:
        """What the model needs has to be there, and where nobody is answered without a key, a key too."""
        settings = self.settings
        urls = [self._address(meaning, settings) for meaning in _ADDRESSES]
        if settings.model is not None:
            urls = [self.url("ws_url" if settings.model == "realtime" else "rest_url", settings)]
        elif urls == [None, None]:
            raise ConfigError(
                "kotoba: there is no address of it: set KOTOBA_ASR_REST_URL for files and KOTOBA_ASR_URL for live "
                "audio, or pass base_url=",
                provider=self.provider_name,
            )
        signed = self._credentials.has("api_key") or self._credentials.has("auth")
        if not signed and any(url is not None and _is_at(url, *_HOSTED) for url in urls):
            raise ConfigError(
                "kotoba: there is no api_key: set KOTOBA_API_KEY or pass api_key=", provider=self.provider_name
            )

    async def _headers(self, meaning: Address, settings: Resolved) -> Mapping[str, str]:
        if not (self._credentials.has("api_key") or self._credentials.has("auth")):
            return {}
        host = urlsplit(self.url(meaning, settings)).hostname or ""
        return {"Authorization": authorization(host, await self._credentials.auth())}

    # -- which -----------------------------------------------------------------------------------------------------

    def _surface(self, call: Literal["live", "file"], settings: Resolved) -> Surface:
        if settings.model is not None:
            return cast("Surface", settings.model)
        rest, live = self._has("rest_url", settings), self._has("ws_url", settings)
        if call == "live":
            surface: Surface = "realtime" if live or not rest else "one-shot"
        else:
            surface = "one-shot" if rest or not live else "realtime"
        self._refuse_foreign(surface, settings)
        return surface

    def _refuse_foreign(self, surface: Surface, settings: Resolved) -> None:
        """Refuses what a call gave that the API which serves it does not know."""
        for name in fields(KotobaOptions):
            foreign = name not in fields(_OPTIONS[surface]) and not name.endswith("_url")
            if foreign and settings.options.get(name) != self.settings.options.get(name):
                raise ConfigError(
                    f"kotoba: `{name}` has no effect on this call, which goes to kotoba/{surface}: leave it out",
                    provider=self.provider_name,
                )


class _Runner(WebSocketRunner):
    """Says what a lost connection had heard before the next one goes on behind it."""

    def __init__(self, client: HttpClient, settings: Resolved, stt: KotobaSTT) -> None:
        super().__init__(client, settings, codec=self._make_codec, handshake=self._make_handshake)
        self._stt = stt
        self._carries = carries_of(settings)
        self._current: RealtimeCodec | None = None

    @property
    def carries(self) -> Carries:
        """What the session in use carries."""
        return self._carries

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
        self._carries = carries_of(settings)
        self._current = RealtimeCodec(settings, pushed)
        return self._current

    async def _make_handshake(self, codec: Codec) -> Handshake:
        return await self._stt.handshake(cast("RealtimeCodec", codec).settings)


def _with_scheme(url: str, scheme: Literal["http", "ws"]) -> str:
    given, _, rest = url.partition("://")
    return f"{scheme}s://{rest}" if given.lower() in ("https", "wss") else f"{scheme}://{rest}"


def _probe(address: str) -> str:
    """Of the app at fal.ai: ``https://fal.run/<owner>/<app>/…``."""
    parts = urlsplit(_with_scheme(address, "http"))
    return f"{parts.scheme}://{parts.netloc}{'/'.join(parts.path.split('/')[:3])}/model_and_cuda_availability"


def _is_at(url: str, *domains: str) -> bool:
    host = (urlsplit(url).hostname or "").rstrip(".")
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)
