"""The same surface without ``async``: every public coroutine has a twin that waits.

All of it runs on one event loop in one background thread of the process, started on first use. So it works in scripts,
threads and notebooks, also where an event loop is running already (which it blocks, as any waiting does).
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from inspect import isawaitable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar, cast, overload

from .errors import StreamClosedError, STTError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from datetime import datetime
    from pathlib import Path

    from .audio.frames import AudioData, Encoding
    from .audio.source import AudioLike
    from .events import RecognitionUsage, SpeechEvent, StreamTimings
    from .jobs import DocumentFormat, Job, JobInfo, JobStatus, ProgressCallback, TextFormat
    from .metrics import MetricsCallback
    from .provider import Capabilities, Provider
    from .registry import Resolved
    from .stream import RecognizeStream
    from .stt import STT
    from .transcript import Transcript
    from .transport.http import HttpResponse

__all__ = ["SyncJob", "SyncSTT", "SyncStream"]

EXIT_SECONDS = 2.0
"""How long what was left open may take to close when the interpreter exits."""

T = TypeVar("T")
S = TypeVar("S", bound="STT")


class _Portal:
    """An event loop in a thread of its own, and the way in from other threads."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="stt_core event loop", daemon=True)
        self._open: weakref.WeakSet[SyncSTT[STT]] = weakref.WeakSet()
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def add(self, stt: SyncSTT[STT]) -> None:
        self._open.add(stt)

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Runs a coroutine on the loop, in the caller's context, and waits; an interrupt of the wait cancels it."""
        try:
            self._check()
        except STTError:
            work.close()
            raise
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _check(self) -> None:
        if threading.current_thread() is self._thread:
            raise UnsupportedError(
                "a blocking call was made from a callback on the event loop that would have to serve it: hand the work "
                "to a thread of your own"
            )
        if self is not _Home.portal:
            raise StreamClosedError("this was made before a fork, in the parent process: make a new one here")

    def close(self) -> None:
        """Closes what is still open, and the loop."""
        with suppress(STTError, TimeoutError, RuntimeError):  # no new thread starts while the interpreter exits
            self.run(self._close_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(EXIT_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    async def _close_all(self) -> None:
        async with asyncio.timeout(EXIT_SECONDS):
            await asyncio.gather(*(stt.stt.aclose() for stt in list(self._open)), return_exceptions=True)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=EXIT_SECONDS)
        await self._loop.shutdown_asyncgens()


class _Home:
    """Where the process's portal is. A child process has none until it needs one."""

    portal: _Portal | None = None
    lock = threading.Lock()

    @classmethod
    def get(cls) -> _Portal:
        with cls.lock:
            if cls.portal is None:
                cls.portal = _Portal()
            return cls.portal

    @classmethod
    def forget(cls) -> None:
        cls.portal = None
        cls.lock = threading.Lock()

    @classmethod
    def close(cls) -> None:
        portal = cls.portal
        if portal is not None:
            portal.close()
            cls.portal = None


atexit.register(_Home.close)
os.register_at_fork(after_in_child=_Home.forget)


async def _done(value: Awaitable[T]) -> T:
    return await value


async def _called(call: Callable[[], T]) -> T:
    return call()


async def _next(iterator: AsyncIterator[T]) -> tuple[T] | None:
    try:
        return (await iterator.__anext__(),)
    except StopAsyncIteration:
        return None


def _each(portal: _Portal, make: Callable[[], AsyncIterator[T]]) -> Iterator[T]:
    iterator = portal.run(_called(make))
    try:
        while (found := portal.run(_next(iterator))) is not None:
            yield found[0]
    finally:
        if isinstance(iterator, AsyncGenerator):
            with suppress(StreamClosedError):
                portal.run(_done(cast("AsyncGenerator[T]", iterator).aclose()))


class SyncSTT(Generic[S]):
    """An :class:`~stt_core.stt.STT` for code without ``async``; made by :meth:`stt_core.stt.STT.sync`.

    Every method does what its namesake there does, and raises the same errors; ``aclose()`` is called ``close()`` here.
    Several threads may use it at once. Ctrl-C in a waiting call cancels it. ``with`` closes it; what is still open when
    the interpreter exits is closed then.

    Coroutines that a provider has beside those of ``STT`` have their twins too: ``stt.access_token()`` waits.

    Attributes:
        stt: the STT itself, which belongs to the background loop: :meth:`run` runs coroutines there.
    """

    def __init__(self, stt: S) -> None:
        self.stt = stt
        self._portal = _Home.get()
        self._portal.add(cast("SyncSTT[STT]", self))

    def __repr__(self) -> str:
        return f"<Sync {self.stt!r}>"

    def __getattr__(self, name: str) -> Callable[..., object]:
        if name.startswith("_") or name == "stt":
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        found: object = getattr(self.stt, name)
        if not callable(found):
            return cast("Callable[..., object]", found)  # a property: no type can say both
        call = found

        def twin(*args: object, **kwargs: object) -> object:
            async def work() -> object:
                result = call(*args, **kwargs)
                return await _done(cast("Awaitable[object]", result)) if isawaitable(result) else result

            return self._portal.run(work())

        return twin

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Runs a coroutine on the loop that :attr:`stt` belongs to, and waits for it."""
        return self._portal.run(work)

    @property
    def provider(self) -> Provider:
        """See :attr:`stt_core.stt.STT.provider`."""
        return self.stt.provider

    @property
    def settings(self) -> Resolved:
        """See :attr:`stt_core.stt.STT.settings`."""
        return self.stt.settings

    @property
    def members(self) -> tuple[Resolved, ...]:
        """See :attr:`stt_core.stt.STT.members`."""
        return self.stt.members

    @property
    def on_metrics(self) -> MetricsCallback | None:
        """See :attr:`stt_core.stt.STT.on_metrics`. It is called in the background thread."""
        return self.stt.on_metrics

    @on_metrics.setter
    def on_metrics(self, callback: MetricsCallback | None) -> None:
        self.stt.on_metrics = callback

    @property
    def capabilities(self) -> Capabilities:
        """See :attr:`stt_core.stt.STT.capabilities`."""
        return self.stt.capabilities

    def recognize(
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
        """See :meth:`stt_core.stt.STT.recognize`. ``on_progress`` is called in the background thread."""
        return self._portal.run(
            self.stt.recognize(
                audio,
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
        )

    def submit(
        self,
        audio: AudioLike,
        *,
        language: str | None = None,
        timeout: float | None = None,
        sample_rate: int | None = None,
        channels: int | None = None,
        encoding: Encoding | None = None,
        **options: object,
    ) -> SyncJob:
        """See :meth:`stt_core.stt.STT.submit`."""
        job = self._portal.run(
            self.stt.submit(
                audio,
                language=language,
                timeout=timeout,
                sample_rate=sample_rate,
                channels=channels,
                encoding=encoding,
                **options,
            )
        )
        return SyncJob(job, self._portal)

    def job(self, job_id: str) -> SyncJob:
        """See :meth:`stt_core.stt.STT.job`."""
        return SyncJob(self.stt.job(job_id), self._portal)

    def list_jobs(
        self, *, limit: int | None = None, created_before: datetime | None = None, include_deleted: bool = False
    ) -> Iterator[JobInfo]:
        """See :meth:`stt_core.stt.STT.list_jobs`."""
        jobs = self.stt.list_jobs(limit=limit, created_before=created_before, include_deleted=include_deleted)
        return _each(self._portal, lambda: jobs)

    def request(
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
        """See :meth:`stt_core.stt.STT.request`."""
        return self._portal.run(
            self.stt.request(method, path, params=params, json=json, data=data, headers=headers, timeout=timeout)
        )

    def stream(
        self,
        *,
        sample_rate: int | None = None,
        channels: int = 1,
        encoding: Encoding = "pcm_s16le",
        language: str | None = None,
        source: str | Path | Iterable[AudioData] | AsyncIterable[AudioData] | None = None,
        **options: object,
    ) -> SyncStream:
        """See :meth:`stt_core.stt.STT.stream`."""
        stream = self._portal.run(
            _called(
                lambda: self.stt.stream(
                    sample_rate=sample_rate,
                    channels=channels,
                    encoding=encoding,
                    language=language,
                    source=source,
                    **options,
                )
            )
        )
        return SyncStream(stream, self._portal)

    def prewarm(self) -> None:
        """See :meth:`stt_core.stt.STT.prewarm`."""
        self._portal.run(self.stt.prewarm())

    def update_options(self, *, language: str | None = None, **options: object) -> None:
        """See :meth:`stt_core.stt.STT.update_options`."""
        self._portal.run(self.stt.update_options(language=language, **options))

    def close(self) -> None:
        """See :meth:`stt_core.stt.STT.aclose`."""
        self._portal.run(self.stt.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class SyncStream:
    """A :class:`~stt_core.stream.RecognizeStream` for code without ``async``; made by :meth:`SyncSTT.stream`.

    Every method does what its namesake there does. Iterating is a plain ``for``. One thread may feed while another
    reads.
    """

    def __init__(self, stream: RecognizeStream, portal: _Portal) -> None:
        self._stream = stream
        self._portal = portal

    def push_frame(self, frame: AudioData) -> None:
        """See :meth:`stt_core.stream.RecognizeStream.push_frame`."""
        self._portal.run(_called(lambda: self._stream.push_frame(frame)))

    def send_frame(self, frame: AudioData) -> None:
        """See :meth:`stt_core.stream.RecognizeStream.send_frame`."""
        self._portal.run(self._stream.send_frame(frame))

    def push_frame_threadsafe(self, frame: AudioData) -> None:
        """See :meth:`stt_core.stream.RecognizeStream.push_frame_threadsafe`."""
        self._stream.push_frame_threadsafe(frame)

    def feed(self, source: str | Path | Iterable[AudioData] | AsyncIterable[AudioData]) -> None:
        """See :meth:`stt_core.stream.RecognizeStream.feed`. It returns at once: the source runs beside reading."""
        self._portal.run(_called(lambda: self._stream.feed(source)))

    def end_input(self) -> None:
        """See :meth:`stt_core.stream.RecognizeStream.end_input`."""
        self._portal.run(_called(self._stream.end_input))

    def flush(self) -> list[SpeechEvent]:
        """See :meth:`stt_core.stream.RecognizeStream.flush`."""
        return self._portal.run(self._stream.flush())

    def update_options(self, *, language: str | None = None, **options: object) -> None:
        """See :meth:`stt_core.stream.RecognizeStream.update_options`."""
        self._portal.run(self._stream.update_options(language=language, **options))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> SpeechEvent:
        found = self._portal.run(_next(self._stream))
        if found is None:
            raise StopIteration
        return found[0]

    def text(self) -> Iterator[str]:
        """See :meth:`stt_core.stream.RecognizeStream.text`."""
        return _each(self._portal, self._stream.text)

    def transcript(self) -> Transcript:
        """See :meth:`stt_core.stream.RecognizeStream.transcript`."""
        return self._portal.run(self._stream.transcript())

    @property
    def usage(self) -> RecognitionUsage:
        """See :attr:`stt_core.stream.RecognizeStream.usage`."""
        return self._portal.run(_called(lambda: self._stream.usage))

    @property
    def finished(self) -> bool:
        """See :attr:`stt_core.stream.RecognizeStream.finished`."""
        return self._stream.finished

    @property
    def timings(self) -> StreamTimings:
        """See :attr:`stt_core.stream.RecognizeStream.timings`."""
        return self._portal.run(_called(lambda: self._stream.timings))

    def close(self) -> None:
        """See :meth:`stt_core.stream.RecognizeStream.aclose`."""
        self._portal.run(self._stream.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class SyncJob:
    """A :class:`~stt_core.jobs.Job` for code without ``async``; made by :meth:`SyncSTT.submit` and :meth:`SyncSTT.job`.

    Attributes:
        id: the vendor's.
    """

    def __init__(self, job: Job, portal: _Portal) -> None:
        self.id = job.id
        self._job = job
        self._portal = portal

    def __repr__(self) -> str:
        return repr(self._job)

    def status(self) -> JobStatus:
        """See :meth:`stt_core.jobs.Job.status`."""
        return self._portal.run(self._job.status())

    def info(self) -> JobInfo:
        """See :meth:`stt_core.jobs.Job.info`."""
        return self._portal.run(self._job.info())

    def wait(
        self,
        *,
        poll_interval: float | None = None,
        backoff: float | None = None,
        max_poll_interval: float | None = None,
        timeout: float | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> Transcript:
        """See :meth:`stt_core.jobs.Job.wait`. ``on_progress`` is called in the background thread."""
        return self._portal.run(
            self._job.wait(
                poll_interval=poll_interval,
                backoff=backoff,
                max_poll_interval=max_poll_interval,
                timeout=timeout,
                on_progress=on_progress,
            )
        )

    @overload
    def result(self, format: None = None) -> Transcript: ...

    @overload
    def result(self, format: DocumentFormat) -> Mapping[str, object]: ...

    @overload
    def result(self, format: TextFormat) -> str: ...

    @overload
    def result(self, format: str | None) -> Transcript | Mapping[str, object] | str: ...

    def result(self, format: str | None = None) -> Transcript | Mapping[str, object] | str:  # noqa: A002
        """See :meth:`stt_core.jobs.Job.result`."""
        return self._portal.run(self._job.result(format))

    def delete(self, *, force: bool = False) -> None:
        """See :meth:`stt_core.jobs.Job.delete`."""
        self._portal.run(self._job.delete(force=force))
