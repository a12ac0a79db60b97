"""What every provider is to its users: an ``STT``."""

from __future__ import annotations

import abc
import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

from .audio.frames import AudioFormat
from .config import ModelConfig
from .errors import StreamClosedError, STTTimeoutError, UnsupportedError
from .registry import get_provider, resolve, resolve_credentials
from .stream import RecognizeStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Mapping
    from pathlib import Path

    import aiohttp

    from .audio.decode import AudioInput
    from .audio.frames import AudioData, Encoding
    from .audio.source import AudioLike
    from .errors import STTError
    from .registry import Capabilities, Credential, Provider, Resolved
    from .runner import Runner
    from .transcript import Transcript
    from .transport.http import HttpClient

__all__ = ["STT"]


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
        self._settings = resolve(member, options, language=language)
        self._credentials = resolve_credentials(
            self._settings.provider, api_key=api_key, api_secret=api_secret, auth=auth
        )
        self._http_session = http_session
        self._http: HttpClient | None = None
        self._streams: set[RecognizeStream] = set()
        self._closed = False

    # -- what it is ------------------------------------------------------------------------------------------------

    @property
    def provider(self) -> Provider:
        """The provider's registration."""
        return get_provider(self.provider_name)

    @property
    def settings(self) -> Resolved:
        """The model, language and options in force."""
        return self._settings

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
            **options: for this call only.

        Raises:
            AudioFileNotFoundError: there is no such file.
            AudioError: the audio cannot be read.
            ConfigError: an option is unknown or its value not accepted.
            STTTimeoutError: ``timeout`` passed.
            StreamClosedError: after ``aclose()``.
            STTError: whatever else went wrong at the provider.
        """
        from .audio.decode import AudioInput

        self._check_open()
        settings = self._settings.with_options(language=language, **options)
        source = AudioInput.from_any(audio, sample_rate=sample_rate, channels=channels, encoding=encoding)
        deadline = asyncio.timeout(timeout)
        try:
            async with deadline:
                return await self.recognize_audio(source, settings)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise STTTimeoutError(
                f"{self.provider_name} did not finish within {timeout:g} s (timeout)", provider=self.provider_name
            ) from error

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
        settings = self._settings.with_options(language=language, **options)
        if settings.stream["channel_mode"] == "split":
            raise UnsupportedError("channel_mode=split is not available yet; several channels are mixed to one")
        audio_format = None if sample_rate is None else AudioFormat(sample_rate, channels, encoding)
        stream = RecognizeStream(
            self.create_runner(settings), settings, audio_format=audio_format, on_close=self._streams.discard
        )
        self._streams.add(stream)
        if source is not None:
            stream.feed(source)
        return stream

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

    async def recognize_audio(self, audio: AudioInput, settings: Resolved) -> Transcript:
        """For providers: recognises whole audio. Unless it is overridden, a stream does it."""
        from .feeding import decoded

        stream = RecognizeStream(
            self.create_runner(settings), settings, audio_format=None, on_close=self._streams.discard
        )
        self._streams.add(stream)
        async with stream:
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
