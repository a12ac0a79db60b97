"""The client half: jobs over REST, temporary keys, and what the account has used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from traceback import clear_frames
from typing import TYPE_CHECKING, Unpack, cast, overload

from typing_extensions import override

from stt_core.errors import ConfigError, STTError, UnsupportedError
from stt_core.options import CommonOptions
from stt_core.segment import SegmentRunner
from stt_core.stt import STT

from .api import Api, is_on_prem
from .errors import read_refusal
from .jobs import SpeechmaticsJobs
from .options import EnhancedModel, EnhancedOptions, MeliaModel, MeliaOptions
from .reading import parse
from .wire import JOBS_PATH, USAGE_PATH

if TYPE_CHECKING:
    import aiohttp

    from stt_core.audio.frames import Encoding
    from stt_core.audio.source import AudioLike
    from stt_core.config import ModelConfig
    from stt_core.credentials import Credential
    from stt_core.jobs import Job, JobBackend, ProgressCallback
    from stt_core.registry import Resolved
    from stt_core.runner import Runner
    from stt_core.transcript import Transcript

    from .wire import Usage

__all__ = ["EnhancedArguments", "MeliaArguments", "SpeechmaticsSTT"]


class EnhancedArguments(CommonOptions, EnhancedOptions, total=False):
    """What :class:`SpeechmaticsSTT` takes for ``enhanced`` and ``standard``."""


class MeliaArguments(CommonOptions, MeliaOptions, total=False):
    """What :class:`SpeechmaticsSTT` takes for ``melia-1``."""


class SpeechmaticsSTT(STT):
    """Speechmatics' batch API.

    In place of audio, :meth:`recognize` and :meth:`submit` take a URL (``https://…``), or ``None`` with the option
    ``fetch_data``: then the server fetches the recording.

    Args:
        model: ``enhanced`` (the default), ``standard`` or ``melia-1``.
        language: BCP-47, ``auto``, or ``multi`` with melia-1; English by default.
        api_key: sent as a bearer token; else ``SPEECHMATICS_API_KEY`` is taken.
        auth: ``jwt`` for temporary keys that are minted with the API key; or such a key; a callable gives one for each
            request.
        http_session: used and never closed.
        **options: see :mod:`.options` and :mod:`stt_core.options`.

    Raises:
        ConfigError: model, language and options do not go together; nothing was sent.
    """

    provider_name = "speechmatics"

    @overload
    def __init__(
        self,
        model: EnhancedModel | None = None,
        *,
        api_key: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[EnhancedArguments],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: MeliaModel,
        *,
        api_key: Credential | None = None,
        auth: Credential | None = None,
        http_session: aiohttp.ClientSession | None = None,
        **options: Unpack[MeliaArguments],
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
        self._api = Api(lambda: self.http, self._credentials)
        self._api.check(self._settings)

    @override
    async def recognize(
        self,
        audio: AudioLike | None,
        *,
        language: str | None = None,
        timeout: float | None = None,
        sample_rate: int | None = None,
        channels: int | None = None,
        encoding: Encoding | None = None,
        poll_interval: float | None = None,
        backoff: float | None = None,
        max_poll_interval: float | None = None,
        on_progress: ProgressCallback | None = None,
        **options: object,
    ) -> Transcript:
        """See :meth:`stt_core.stt.STT.recognize`; ``audio`` may be a URL, or ``None`` with ``fetch_data``."""
        try:
            return await super().recognize(
                _fetched(audio, options),
                language=language,
                timeout=timeout,
                sample_rate=sample_rate,
                channels=channels,
                encoding=encoding,
                poll_interval=poll_interval,
                backoff=backoff,
                max_poll_interval=max_poll_interval,
                on_progress=on_progress,
                **options,
            )
        except STTError as error:
            audio = None
            _forget(error, options)
            raise

    @override
    async def submit(
        self,
        audio: AudioLike | None,
        *,
        language: str | None = None,
        timeout: float | None = None,
        sample_rate: int | None = None,
        channels: int | None = None,
        encoding: Encoding | None = None,
        **options: object,
    ) -> Job:
        """See :meth:`stt_core.stt.STT.submit`; ``audio`` may be a URL, or ``None`` with ``fetch_data``."""
        try:
            return await super().submit(
                _fetched(audio, options),
                language=language,
                timeout=timeout,
                sample_rate=sample_rate,
                channels=channels,
                encoding=encoding,
                **options,
            )
        except STTError as error:
            audio = None
            _forget(error, options)
            raise

    async def job_log(self, job_id: str) -> str:
        """The server's log of a job.

        Raises:
            JobNotFoundError: there is none, or no such job.
            STTError: the server keeps none, or cannot be asked.
        """
        self._check_open()
        return await self._speechmatics_jobs().log(self.job(job_id).id, self.settings)

    async def usage(self, *, since: date | None = None, until: date | None = None) -> Usage:
        """What the account has used, as the vendor counts it, without the current day (UTC).

        Args:
            since: the first day.
            until: the last day.

        Raises:
            PermissionDeniedError: the key was made for one end user (``client_ref``).
            UnsupportedError: a container of one's own does not count.
        """
        self._check_open()
        if is_on_prem(self.settings):
            raise UnsupportedError("a container of one's own (on_prem) does not count usage", provider="speechmatics")
        days = (("since", since), ("until", until))
        response = await self._api.request(
            "GET",
            USAGE_PATH,
            self.settings,
            params=[(name, day.isoformat()) for name, day in days if day is not None],
            retry=True,
        )
        return cast("Usage", parse(response.body))

    @override
    async def prewarm(self) -> None:
        """Checks the key with a request that costs nothing; a container of one's own is only connected to.

        Raises:
            AuthenticationError: the key is not accepted.
            STTError: Speechmatics is not to be reached.
        """
        params = [] if is_on_prem(self.settings) else [("limit", "1")]
        await self._api.request("GET", JOBS_PATH, self.settings, params=params, retry=True)

    @override
    def create_jobs(self) -> JobBackend:
        return SpeechmaticsJobs(self._api)

    @override
    def create_runner(self, settings: Resolved) -> Runner:
        return SegmentRunner(self.recognize_audio, settings)

    @override
    async def sign(self, path: str) -> tuple[str, Mapping[str, str]]:
        return self._api.url(path, self.settings), await self._api.headers(self.settings)

    @override
    def error_from(self, status: int, headers: Mapping[str, str], body: bytes) -> STTError:
        return read_refusal(status, headers, body).to_exception()

    @override
    async def close_provider(self) -> None:
        await self._api.aclose()

    def _speechmatics_jobs(self) -> SpeechmaticsJobs:
        return cast("SpeechmaticsJobs", self._backend())


def _fetched(audio: AudioLike | None, options: dict[str, object]) -> AudioLike:
    """The audio; empty where the server fetches it. A URL becomes the option ``fetch_data``.

    Raises:
        ConfigError: two URLs.
    """
    if isinstance(audio, str) and audio.startswith(("http://", "https://")):
        if "fetch_data" in options:
            raise ConfigError(
                "speechmatics: the audio is a URL, and `fetch_data` is another one: give None as the audio, or leave "
                "fetch_data out",
                provider="speechmatics",
            )
        options["fetch_data"] = {"url": audio}
        return b""
    return b"" if audio is None else audio


def _forget(error: STTError, options: dict[str, object]) -> None:
    """Error trackers send the locals of frames home, and these hold the URLs that audio is fetched from."""
    clear_frames(error.__traceback__)
    options.clear()
