"""What every provider is to its users: an ``STT``."""

from __future__ import annotations

import abc
import asyncio
from functools import wraps
from traceback import clear_frames
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, ParamSpec, Self

from .audio.frames import AudioFormat
from .config import ModelConfig
from .errors import ConfigError, StreamClosedError, STTError, STTTimeoutError, UnsupportedError
from .members import Member, Members
from .registry import get_provider, resolve, resolve_credentials
from .stream import RecognizeStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import aiohttp

    from .audio.decode import AudioInput
    from .audio.frames import AudioData, Encoding
    from .audio.source import AudioLike
    from .jobs import Job, JobBackend, JobInfo, ProgressCallback
    from .metrics import MetricsCallback
    from .registry import Capabilities, Credential, Provider, Resolved
    from .runner import Runner
    from .sync import SyncSTT
    from .transcript import Transcript
    from .transport.http import HttpClient, HttpResponse

__all__ = ["STT"]

P = ParamSpec("P")


class STT(abc.ABC):
    """A provider, a model and their options, ready to recognise.

    A provider's class sets :attr:`provider_name` and implements :meth:`create_runner`, and :meth:`recognize_audio`
    where it has something better for whole audio than a stream.

    Args:
        model: the provider's model, ``None`` for its default; or a parsed member of a config string.
        language: BCP-47; ``None`` for the model's default.
        api_key: a string, or a callable (asynchronous or not) that is called for every connection. It beats the
            environment.
        api_secret: the same, where the provider has one.
        auth: the same, for providers with other schemes.
        http_session: used for all requests and never closed; ``None`` makes one of its own.
        **options: framework, portable and family options; see :mod:`stt_core.options` and the family's own TypedDict.

    Raises:
        ConfigError: something about them is wrong or missing; the message says what is accepted. Nothing was sent.
    """

    provider_name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        type.__setattr__(cls, "__init__", discreet(cls.__init__))

    on_metrics: MetricsCallback | None = None
    """Called with what is worth measuring, of the streams opened and the files recognised from then on; see
    :mod:`stt_core.metrics`."""

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
        member = model if isinstance(model, ModelConfig) else ModelConfig(self.provider_name, model)
        settings = resolve(member, options, language=language)
        self._credentials = resolve_credentials(settings.provider, api_key=api_key, api_secret=api_secret, auth=auth)
        self._begin(settings, http_session)

    def _begin(self, settings: Resolved, http_session: aiohttp.ClientSession | None) -> None:
        self._settings = settings
        self._http_session = http_session
        self._http: HttpClient | None = None
        self._jobs: JobBackend | None = None
        self._streams: set[RecognizeStream] = set()
        self._closed = False

    # -- what it is ------------------------------------------------------------------------------------------------

    @property
    def provider(self) -> Provider:
        """The provider's registration."""
        return get_provider(self.provider_name)

    @property
    def settings(self) -> Resolved:
        """The model, language and options in force; of a chain, those of its first member."""
        return self._settings

    @property
    def members(self) -> tuple[Resolved, ...]:
        """The settings of everyone who may serve: of a chain all members, else the one."""
        return (self._settings,)

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do, and which of it is native."""
        return self._settings.family.capabilities

    def __repr__(self) -> str:
        settings = self._settings
        return f"<{type(self).__name__} {settings.provider.name}/{settings.model or '(default)'}>"

    # -- what it does ----------------------------------------------------------------------------------------------

    async def recognize(
        self,
        audio: AudioLike,
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
        """Recognises one piece of audio.

        Args:
            audio: a path, ``(name, bytes)``, bytes, a binary file object, an array, a frame or frames.
            language: for this call only.
            timeout: seconds for everything; ``None`` for no limit.
            sample_rate: of an array or of raw samples.
            channels: of raw samples.
            encoding: of raw samples: without it the audio is taken for a file and its format is looked up inside.
            poll_interval: for models that recognise by jobs; see :meth:`stt_core.jobs.Job.wait`.
            backoff: likewise.
            max_poll_interval: likewise.
            on_progress: likewise.
            **options: for this call only.

        Raises:
            AudioFileNotFoundError: there is no such file.
            AudioError: the audio cannot be read.
            ConfigError: an option is unknown or its value not accepted.
            STTTimeoutError: ``timeout`` passed; a ``JobTimeoutError`` when a job goes on at the vendor.
            StreamClosedError: after ``aclose()``.
            STTError: whatever else went wrong at the provider.
        """
        from .audio.decode import AudioInput

        self._check_open()
        settings = self._settings.with_options(language=language, **options)
        knobs: dict[str, float | None] = {
            "poll_interval": poll_interval,
            "backoff": backoff,
            "max_poll_interval": max_poll_interval,
        }
        if self.uses_jobs(settings):
            self._backend().polling.with_knobs(**knobs)
        else:
            refuse_knobs({**knobs, "on_progress": on_progress}, settings.label)
        source = AudioInput.from_any(audio, sample_rate=sample_rate, channels=channels, encoding=encoding)
        work = self._recognize(source, settings, timeout, knobs, on_progress)
        return await (work if self.on_metrics is None else self._measured(work, settings))

    async def _measured(self, work: Coroutine[object, object, Transcript], settings: Resolved) -> Transcript:
        from .metrics import Recognized, report

        callback = self.on_metrics
        clock = asyncio.get_running_loop().time
        began, duration, failure = clock(), None, None
        try:
            transcript = await work
        except STTError as error:
            failure = error
            raise
        else:
            duration = transcript.duration
            return transcript
        finally:
            if callback is not None:
                who = (settings.provider.name, settings.model, None, None)
                report(callback, Recognized(*who, clock() - began, duration, failure))

    async def _recognize(
        self,
        source: AudioInput,
        settings: Resolved,
        timeout: float | None,
        knobs: Mapping[str, float | None],
        on_progress: ProgressCallback | None,
    ) -> Transcript:
        deadline = asyncio.timeout(timeout)
        try:
            async with deadline:
                if settings.stream["channel_mode"] == "split":
                    from .split import recognize_channels

                    return await recognize_channels(source, settings, self.recognize_audio)
                if not self.uses_jobs(settings):
                    return await self.recognize_audio(source, settings)
                job = await self._submit(source, settings)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise STTTimeoutError(
                f"{self.provider_name} did not finish within {timeout:g} s (timeout)", provider=self.provider_name
            ) from error
        when = deadline.when()
        left = None if when is None else max(when - asyncio.get_running_loop().time(), 0.0)
        return await job.wait(**knobs, timeout=left, on_progress=on_progress)

    async def submit(
        self,
        audio: AudioLike,
        *,
        language: str | None = None,
        timeout: float | None = None,
        sample_rate: int | None = None,
        channels: int | None = None,
        encoding: Encoding | None = None,
        **options: object,
    ) -> Job:
        """Uploads one piece of audio as a job, and returns when the vendor has taken it.

        Args:
            audio: as for :meth:`recognize`.
            language: for this job only.
            timeout: seconds for the upload.
            sample_rate: of an array or of raw samples.
            channels: of raw samples.
            encoding: of raw samples.
            **options: for this job only.

        Raises:
            UnsupportedError: the model has no jobs.
            STTTimeoutError: ``timeout`` passed. Whether the vendor has taken the job is not known then.
            STTError: as :meth:`recognize`.
        """
        from .audio.decode import AudioInput

        self._check_open()
        settings = self._settings.with_options(language=language, **options)
        self._backend()
        source = AudioInput.from_any(audio, sample_rate=sample_rate, channels=channels, encoding=encoding)
        deadline = asyncio.timeout(timeout)
        try:
            async with deadline:
                return await self._submit(source, settings)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise STTTimeoutError(
                f"{self.provider_name} did not take the job within {timeout:g} s (timeout)", provider=self.provider_name
            ) from error

    def job(self, job_id: str) -> Job:
        """A job that was submitted before, here or in another process; nothing is asked yet.

        Raises:
            ConfigError: that cannot be the id of a job.
            UnsupportedError: the model has no jobs.
        """
        from .jobs import Job

        self._check_open()
        return Job(job_id, self._backend(), self._settings, check=self._check_open)

    def list_jobs(
        self, *, limit: int | None = None, created_before: datetime | None = None, include_deleted: bool = False
    ) -> AsyncIterator[JobInfo]:
        """The jobs of the account, the newest first, fetched as they are iterated over.

        Args:
            limit: at most so many; ``None`` for all that the vendor keeps.
            created_before: only those.
            include_deleted: also those that were deleted.

        Raises:
            UnsupportedError: the vendor has no list, or not with these filters.
            ConfigError: a value is not accepted.
        """
        self._check_open()
        if limit is not None and limit < 1:
            raise ConfigError(f"limit takes 1 or more, not {limit}", provider=self.provider_name)
        if created_before is not None and created_before.tzinfo is None:
            raise ConfigError("created_before needs a time zone", provider=self.provider_name)
        return self._backend().list(
            self._settings, limit=limit, created_before=created_before, include_deleted=include_deleted
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        json: object = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> HttpResponse:
        """A signed request to the vendor's API, for what this library has no method for.

        Args:
            method: ``GET``, ``POST`` ... Only a GET, HEAD or DELETE is made again when it fails.
            path: below the base URL, beginning with a slash.
            params: the query.
            json: sent as JSON.
            data: sent as it is.
            headers: beside those that sign it.
            timeout: seconds for one attempt.

        Raises:
            UnsupportedError: the provider has no API.
            ConfigError: the path has no slash in front.
            STTError: as :meth:`stt_core.transport.http.HttpClient.request`.
        """
        self._check_open()
        if not path.startswith("/"):
            raise ConfigError(f"a path begins with a slash, and {path[:40]!r} does not", provider=self.provider_name)
        url, signed = await self.sign(path)
        signed = {**(headers or {}), **signed}
        answer = self.http.request(method, url, headers=signed, params=params, json=json, data=data, timeout=timeout)
        del url, signed, headers, params, json, data  # an error is raised from this frame
        return await answer

    def stream(
        self,
        *,
        sample_rate: int | None = None,
        channels: int = 1,
        encoding: Encoding = "pcm_s16le",
        language: str | None = None,
        source: str | Path | Iterable[AudioData] | AsyncIterable[AudioData] | None = None,
        **options: object,
    ) -> RecognizeStream:
        """Opens a live stream.

        Args:
            sample_rate: of what will be pushed, in Hz; ``None`` takes it from the first AudioFrame or the file fed.
            channels: of what will be pushed.
            encoding: of what will be pushed.
            language: for this stream only.
            source: fed at once; see :meth:`~stt_core.stream.RecognizeStream.feed`.
            **options: for this stream only.

        Raises:
            AudioError: the format is not accepted.
            ConfigError: an option is unknown or its value not accepted.
            StreamClosedError: after ``aclose()``.
            UnsupportedError: no event loop is running.
        """
        self._check_open()
        audio_format = None if sample_rate is None else AudioFormat(sample_rate, channels, encoding)
        stream = self._open_stream(lambda: self._serving(language, options), audio_format)
        if source is not None:
            stream.feed(source)
        return stream

    def _serving(self, language: str | None, options: Mapping[str, object]) -> Members:
        settings = self._settings.with_options(language=language, **options)
        return Members([Member(settings, self.create_runner)])

    def _open_stream(self, make_members: Callable[[], Members], audio_format: AudioFormat | None) -> RecognizeStream:
        def made() -> Members:
            members = make_members()
            for member in members.all:
                _ = member.runner  # what is wrong with it is the caller's to know, and not the stream's to find out
            return members

        stream = RecognizeStream(
            made, audio_format=audio_format, on_close=self._streams.discard, on_metrics=self.on_metrics
        )
        self._streams.add(stream)
        return stream

    def _backend(self) -> JobBackend:
        if self._jobs is None:
            self._jobs = self.create_jobs()
        return self._jobs

    async def _submit(self, audio: AudioInput, settings: Resolved) -> Job:
        from .jobs import Job

        backend = self._backend()
        return Job(await backend.submit(audio, settings), backend, settings, check=self._check_open)

    def _check_open(self) -> None:
        if self._closed:
            raise StreamClosedError("this STT is closed: make a new one", provider=self.provider_name)

    async def prewarm(self) -> None:
        """Does what takes time before the first audio comes: connects, or starts a process, where that can be done."""

    async def update_options(self, *, language: str | None = None, **options: object) -> None:
        """Changes options for later calls and for all open streams.

        Raises:
            ConfigError: an option is unknown or its value not accepted; nothing has changed.
            UnsupportedError: a stream is open, and the provider cannot change one.
        """
        settings = self._settings.with_options(language=language, **options)
        open_streams = [stream for stream in self._streams if not stream.finished]
        await asyncio.gather(*(stream.update_options(language=language, **options) for stream in open_streams))
        self._settings = settings

    def sync(self) -> SyncSTT[Self]:
        """The same for code without ``async``. This object belongs to the background loop from then on.

        Raises:
            UnsupportedError: it was used, or was given an ``http_session``, and so belongs to an event loop already.
        """
        from .sync import SyncSTT

        if self._is_bound():
            raise UnsupportedError(
                "this STT belongs to an event loop already: call sync() first, and without http_session",
                provider=self.provider_name,
            )
        return SyncSTT(self)

    def _is_bound(self) -> bool:
        return self._http_session is not None or self._http is not None or bool(self._streams)

    async def aclose(self) -> None:
        """Closes the streams and everything else that this object made; calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        await asyncio.gather(*(stream.aclose() for stream in list(self._streams)))
        await self.close_provider()
        if self._http is not None:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    # -- what a provider implements --------------------------------------------------------------------------------

    @abc.abstractmethod
    def create_runner(self, settings: Resolved) -> Runner:
        """For providers: the runner of a new stream with these settings."""

    def create_jobs(self) -> JobBackend:
        """For providers: how jobs are submitted and asked after. Called once.

        Raises:
            UnsupportedError: this model has none.
        """
        raise UnsupportedError(
            f"{self._settings.label} has no jobs: recognize() does it in one call", provider=self.provider_name
        )

    def uses_jobs(self, settings: Resolved) -> bool:
        """For providers: whether ``recognize()`` goes by a job, which it does where that is the only way for files."""
        able = settings.family.capabilities
        return able.jobs and not able.batch

    async def sign(self, path: str) -> tuple[str, Mapping[str, str]]:
        """For providers: the URL of a path of the API, and the headers that sign a request to it.

        Raises:
            UnsupportedError: there is no API.
        """
        raise UnsupportedError(f"{self.provider_name} has no API to send requests to", provider=self.provider_name)

    async def recognize_audio(self, audio: AudioInput, settings: Resolved) -> Transcript:
        """For providers: recognises whole audio. Unless it is overridden, a job or a stream does it."""
        from .feeding import decoded

        if self.uses_jobs(settings):
            return await (await self._submit(audio, settings)).wait()
        async with self._open_stream(lambda: Members([Member(settings, self.create_runner)]), None) as stream:
            stream.feed(decoded(audio.open, None))
            return await stream.transcript()

    @property
    def http(self) -> HttpClient:
        """For providers: HTTP and WebSockets, over the caller's session or one of this object's own."""
        if self._http is None:
            from .transport.http import HttpClient

            self._http = HttpClient(
                self.provider_name, self._settings.stt, self._http_session, error_from=self.error_from
            )
        return self._http

    def error_from(self, status: int, headers: Mapping[str, str], body: bytes) -> STTError:
        """For providers: a refusal by the vendor as an error, in the vendor's own words."""
        from .transport.http import error_from_status

        return error_from_status(status, headers, body)

    async def close_provider(self) -> None:
        """For providers: closes what the provider's own class made. Called once."""


def discreet(init: Callable[P, None]) -> Callable[P, None]:
    """Leaves no key in a frame: error trackers send the locals of frames home, and a constructor's are given keys."""

    @wraps(init)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            init(*args, **kwargs)
        except STTError as error:
            seen: BaseException | None = error
            while seen is not None:
                clear_frames(seen.__traceback__)
                seen = seen.__cause__ or seen.__context__
            del args, kwargs
            raise

    return wrapper


def refuse_knobs(knobs: Mapping[str, object], label: str) -> None:
    """Of a model that answers at once nothing can be polled.

    Raises:
        ConfigError: a knob for polling was given.
    """
    for name, value in knobs.items():
        if value is not None:
            raise ConfigError(f"`{name}` is for models that recognise files by jobs; {label} does not: leave it out")
