"""The client half: live streams over the WebSocket, files at once or as jobs over REST."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Unpack, cast, overload

from stt_core.errors import ConfigError, STTError
from stt_core.options import CommonOptions, fields
from stt_core.segment import SegmentRunner
from stt_core.stt import STT
from stt_core.transport.codec import Handshake

from .addresses import ADDRESSES, Addresses, host_of, is_at, probe_of, with_scheme
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
)
from .runner import RealtimeRunner
from .wire import FAL_HOST, authorization, object_of, parse

if TYPE_CHECKING:
    import aiohttp

    from stt_core.audio.decode import AudioInput
    from stt_core.config import ModelConfig
    from stt_core.credentials import Credential
    from stt_core.jobs import JobBackend
    from stt_core.options import OptionsType
    from stt_core.provider import Capabilities
    from stt_core.registry import Resolved
    from stt_core.runner import Runner
    from stt_core.transcript import Transcript
    from stt_core.transport.http import HttpResponse

    from .addresses import Address

__all__ = ["JobsArguments", "KotobaArguments", "KotobaSTT", "OneShotArguments", "RealtimeArguments"]

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

    Attributes:
        addresses: where it goes.

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
        self.addresses = Addresses(self._credentials)
        self.addresses.check(self.settings)

    # -- what it is ------------------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do; without a model, as far as the addresses are configured."""
        able = self.settings.family.capabilities
        if self.settings.model is not None:
            return able
        rest, live = (self.addresses.find(meaning, self.settings) is not None for meaning in ADDRESSES)
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
            self.addresses.get("rest_url", settings)
            return SegmentRunner(self.recognize_audio, settings)
        self.addresses.get("ws_url", settings)
        return RealtimeRunner(self.http, settings, self._handshake)

    async def _handshake(self, settings: Resolved) -> Handshake:
        return Handshake(
            with_scheme(self.addresses.get("ws_url", settings), "ws"), headers=await self._headers("ws_url", settings)
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
        return with_scheme(self.addresses.get("rest_url", settings), "http").rstrip("/") + path

    async def prewarm(self) -> None:
        """Wakes what sleeps at fal.ai, which may take minutes; other deployments are always awake.

        Raises:
            STTError: it cannot be woken: above all, the key is not accepted.
        """
        for meaning in ADDRESSES:
            if is_at(self.addresses.find(meaning, self.settings), FAL_HOST):
                await self.http.request(
                    "GET",
                    probe_of(self.addresses.get(meaning, self.settings)),
                    headers=await self._headers(meaning, self.settings),
                )

    def error_from(self, status: int, headers: Mapping[str, str], body: bytes) -> STTError:
        """See :class:`stt_core.stt.STT`."""
        return read_error_body(status, body).to_exception()

    async def _headers(self, meaning: Address, settings: Resolved) -> Mapping[str, str]:
        if not (self._credentials.has("api_key") or self._credentials.has("auth")):
            return {}
        host = host_of(self.addresses.get(meaning, settings))
        return {"Authorization": authorization(host, await self._credentials.auth())}

    # -- which -----------------------------------------------------------------------------------------------------

    def _surface(self, call: Literal["live", "file"], settings: Resolved) -> Surface:
        if settings.model is not None:
            return cast("Surface", settings.model)
        rest, live = (self.addresses.find(meaning, settings) is not None for meaning in ADDRESSES)
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
