"""A live stream: audio goes in, events come out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .audio.frames import AudioFormat, AudioFrame, refuse_container
from .audio.pushed import to_bytes
from .channel import Channel
from .driver import Driver
from .errors import AudioError, SlowConsumerError, StreamClosedError, UnsupportedError
from .events import RecognitionUsage, SpeechEvent, SpeechEventType, StreamTimings

if TYPE_CHECKING:
    from .audio.frames import AudioData
    from .members import Members
    from .metrics import MetricsCallback
    from .split import SplitDriver
    from .transcript import Transcript

__all__ = ["RecognizeStream"]

RESERVE = 20_000
"""Events that may be unread; unread interims of a segment count once. Over an hour of speech without a pause."""

TIMEOUTS = frozenset({"connect_timeout", "flush_timeout", "drain_timeout"})
"""Options that change without the provider's taking part."""

FIXED_OPTIONS = frozenset(
    {"base_url", "proxy", "ssl", "request_timeout", "max_retries", "retry_interval"}
    | {"replay_seconds", "channel_mode", "upstream_sample_rate"}
)
"""Options that a stream has for life."""

SEND_SECONDS = 1.0
"""A larger piece given to ``send_frame`` is taken in parts of this length."""


class RecognizeStream:
    """One conversation with a provider, across however many connections it takes.

    Made by :meth:`stt_core.stt.STT.stream`, inside a running event loop, to which it belongs. Connecting begins at
    once, or with the first frame when the format is not declared. Audio pushed before the provider is ready is kept.

    Iterating gives the events. It ends when the input was ended and everything is said; it raises the stream's error,
    an :class:`~stt_core.errors.STTError`, after the events that came before it. A stream has one reader at a time.

    ``async with`` closes it.
    """

    def __init__(
        self,
        make_members: Callable[[], Members],
        *,
        audio_format: AudioFormat | None,
        on_close: Callable[[RecognizeStream], None],
        on_metrics: MetricsCallback | None = None,
    ) -> None:
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            raise UnsupportedError(
                "stream() needs a running event loop: call it inside a coroutine, or use create_stt(...).sync()"
            ) from None
        self._make_members = make_members
        self._members = [make_members()]  # one for each channel that is recognised by itself
        self._on_close = on_close
        self._on_metrics = on_metrics
        self._format = audio_format
        self._events: Channel[SpeechEvent] = Channel(RESERVE)
        self._driver: Driver | SplitDriver | None = None
        self._main: asyncio.Task[None] | None = None
        self._feeders: set[asyncio.Task[None]] = set()
        self._ended = False
        self._closed = False
        self._raised = False  # whether a reader has been told of the error
        self._input_error: Exception | None = None
        self._sniffed = False
        self._arriving: list[AudioData] = []  # from other threads
        self._arriving_lock = threading.Lock()
        if audio_format is not None:
            self._start(audio_format)

    def _start(self, audio_format: AudioFormat) -> Driver | SplitDriver:
        self._format = audio_format
        first = self._members[0]
        options = first.current.settings.stream
        if options["channel_mode"] == "split" and audio_format.channels > 1:
            from .split import SplitDriver

            self._members += [self._make_members() for _ in range(1, audio_format.channels)]
            driver = SplitDriver(
                self._members,
                audio_format=audio_format,
                events=self._events,
                stream_options=options,
                on_metrics=self._on_metrics,
            )
        else:
            driver = Driver(
                first,
                audio_format=audio_format,
                events=self._events,
                stream_options=options,
                on_metrics=self._on_metrics,
            )
        self._driver = driver
        self._main = self._loop.create_task(driver.run(), name=f"stt stream to {first.current.name}")
        return driver

    # -- audio in --------------------------------------------------------------------------------------------------

    def push_frame(self, frame: AudioData) -> None:
        """Takes live audio. Never blocks: when more than ``replay_seconds`` wait to be sent, the oldest is dropped and
        reported by AUDIO_LOST.

        For the event loop's own thread; see :meth:`push_frame_threadsafe` for others.

        Args:
            frame: an :class:`~stt_core.audio.frames.AudioFrame`, or bytes or an array in the declared format; of any
                length.

        Raises:
            AudioError: the bytes are a file, or the frame cannot be brought into the declared format.
            StreamClosedError: after ``end_input()`` or ``aclose()``, or when the stream has failed, which is its cause.
        """  # noqa: D205
        driver, data = self._accept(frame)
        driver.push(data)

    async def send_frame(self, frame: AudioData) -> None:
        """Takes audio that can wait, such as a file's: returns when there is room for it, so that nothing is dropped.

        Args:
            frame: as for :meth:`push_frame`.

        Raises:
            AudioError: as for :meth:`push_frame`.
            StreamClosedError: as for :meth:`push_frame`, also while it waits.
        """
        driver, data = self._accept(frame)
        # A part as long as everything that is kept would never find room.
        size = min(driver.format.bytes_for(SEND_SECONDS), driver.capacity_bytes // 2)
        size -= size % driver.format.frame_bytes
        for offset in range(0, len(data), size):
            part = data if len(data) <= size else data[offset : offset + size]
            if not driver.room_for(len(part)):
                await driver.wait_for_room(len(part))
            driver.push(part)

    def push_frame_threadsafe(self, frame: AudioData) -> None:
        """:meth:`push_frame` for audio callbacks in other threads.

        Raises:
            SlowConsumerError: the event loop has been blocked for a thousand frames.
            StreamClosedError: the event loop is closed.
        """
        with self._arriving_lock:
            if len(self._arriving) >= 1000:
                raise SlowConsumerError("the event loop takes no audio: something has been blocking it")
            self._arriving.append(frame)
            first = len(self._arriving) == 1
        if first:
            try:
                self._loop.call_soon_threadsafe(self._arrive)
            except RuntimeError:
                raise StreamClosedError("the event loop of this stream is closed") from None

    def _arrive(self) -> None:
        with self._arriving_lock:
            frames, self._arriving = self._arriving, []
        try:
            for frame in frames:
                self.push_frame(frame)
        except StreamClosedError:
            return  # a callback that has not heard of the end yet
        except AudioError as error:
            self._fail_input(error)

    def _accept(self, frame: AudioData) -> tuple[Driver | SplitDriver, bytes]:
        driver = self._driver
        if driver is None:
            if self._ended or self._closed:
                raise StreamClosedError("this stream takes no more input: end_input() was called or it is closed")
            if not isinstance(frame, AudioFrame):
                raise AudioError(
                    "what is pushed does not say what it is: give stream(sample_rate=..., channels=..., encoding=...), "
                    "or push AudioFrame(data, sample_rate)"
                )
            driver = self._start(frame.format)
        data = to_bytes(frame, driver.format)
        if not self._sniffed and data:
            refuse_container(data)
            self._sniffed = True
        return driver, data

    def feed(self, source: str | Path | Iterable[AudioData] | AsyncIterable[AudioData]) -> None:
        """Sends a whole source beside reading, then ends the input.

        Args:
            source: a path of an audio file, or an iterable or asynchronous iterable of what :meth:`push_frame` takes.
                An iterator that may block runs in a thread of its own.

        An exception of the source ends the input as well, and is raised to the reader after what was recognised.
        """
        from .feeding import pieces

        if self._ended or self._closed:
            raise self._closed_error()
        task = self._loop.create_task(self._feed(pieces(source, self._format)), name="stt stream source")
        self._feeders.add(task)
        task.add_done_callback(self._feeders.discard)

    async def _feed(self, source: AsyncIterator[AudioData]) -> None:
        try:
            async for piece in source:
                await self.send_frame(piece)
        except StreamClosedError:
            return
        except Exception as error:  # noqa: BLE001  (whatever the caller's own source raises is the reader's)
            self._fail_input(error)
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()
        self.end_input()

    def _fail_input(self, error: Exception) -> None:
        self._input_error = error
        if self._driver is None:
            self._events.close(error)
        else:
            self._driver.fail_input(error)

    def end_input(self) -> None:
        """No more audio will come. Iteration ends once every final is in; calling it again does nothing."""
        self._ended = True
        if self._driver is not None:
            self._driver.end_input()
        else:
            self._events.close()

    async def flush(self) -> list[SpeechEvent]:
        """Has everything pushed so far recognised now, and waits for it.

        Returns:
            The FINALs since the last flush; they are also among the events. Empty when nothing was said.

        Raises:
            FlushTimeoutError: a segment stayed open for ``flush_timeout`` seconds without progress.
            StreamClosedError: after ``end_input()`` or ``aclose()``, or the stream failed meanwhile.
        """
        if self._driver is not None:
            return await self._driver.flush()
        if self._ended or self._closed:
            raise self._closed_error()
        return []

    async def update_options(self, *, language: str | None = None, **options: object) -> None:
        """Changes options from here on; returns when the provider has taken them over.

        Raises:
            ConfigError: an option is unknown or its value not accepted; nothing has changed.
            UnsupportedError: an option cannot change while a stream runs; nothing has changed.
            StreamClosedError: the stream is over.
        """
        changed = [(members, members.changed(language, options)) for members in self._members]
        members, settings = changed[0][0], changed[0][1]
        current = settings[members.all.index(members.current)]
        fixed = sorted(FIXED_OPTIONS.intersection(options))
        if current.family.capabilities.update == "none":
            fixed = sorted(set(options) - TIMEOUTS) + (["language"] if language is not None else [])
        if fixed:
            raise UnsupportedError(
                f"{current.provider.name} cannot change {', '.join(fixed)} while a stream runs: open a new one",
                provider=current.provider.name,
            )
        driver = self._driver
        if self._ended or self._closed or (driver is not None and driver.finished):
            raise self._closed_error()
        for members, settings in changed:
            for member, each in zip(members.all, settings, strict=True):
                member.change(each, told=driver is not None and member is members.current)
        if driver is not None:
            driver.set_timeouts(current.stream)
            if language is not None or set(options) - TIMEOUTS:
                await driver.update()

    # -- events out ------------------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SpeechEvent:
        try:
            return await self._events.__anext__()
        except StopAsyncIteration:
            raise
        except BaseException:
            self._raised = self._events.closed
            raise

    async def text(self) -> AsyncIterator[str]:
        """Yields newly stable text only: printing each piece with ``end=""`` shows every word once.

        A FINAL is stable, and so is what an interim says where the provider takes nothing back (``Carries.grows``).
        Only when a connection is lost in the middle of such a segment, and what is heard of it the second time is not
        what was yielded the first time, the pieces are not exactly the transcript's text.
        """
        shown = ""  # of the open segment
        first = True
        async for event in self:
            final = event.type is SpeechEventType.FINAL_TRANSCRIPT
            if not (final or (event.type is SpeechEventType.INTERIM_TRANSCRIPT and self._grows(event))):
                continue
            data = event.alternatives[0]
            text = data.text if first else data.prefix + data.text
            if final or text.startswith(shown):
                same = next((at for at, (a, b) in enumerate(zip(shown, text, strict=False)) if a != b), len(shown))
                piece = text[same:]
                shown = "" if final else text
                first = first and not final
                if piece:
                    yield piece

    def _grows(self, event: SpeechEvent) -> bool:
        # Of several channels the segments would get mixed up.
        return event.channel is None and bool(event.text) and self._members[0].current.runner.carries.grows

    async def transcript(self) -> Transcript:
        """Everything finalised, as one transcript.

        After ``end_input()``, or with a source feeding, it waits for the end, and takes no event away from a reader.
        Before, it is what has been finalised so far.

        Raises:
            STTError: the stream failed, and no reader has been told so yet.
        """
        from .transcript import Transcript

        while self._feeders:
            await asyncio.wait(self._feeders)
        driver = self._driver
        if self._ended and self._main is not None:
            await asyncio.wait([self._main])
        error = driver.error if driver is not None else self._input_error
        if error is not None and not self._raised:
            self._raised = True
            raise error
        if driver is None:
            return Transcript.from_finals([], duration=0.0)
        finals = driver.finals
        transcript = Transcript.from_finals(
            [event.alternatives[0] for event in finals], duration=driver.duration, request_id=driver.request_id
        )
        for segment, event in zip(transcript.segments or (), finals, strict=True):
            segment.channel = event.channel if segment.channel is None else segment.channel
        return transcript

    @property
    def usage(self) -> RecognitionUsage:
        """Seconds of audio that the provider's transport accepted so far."""
        return self._driver.usage if self._driver is not None else RecognitionUsage()

    @property
    def finished(self) -> bool:
        """Whether everything is said, or the stream has failed or was closed."""
        return self._events.closed

    @property
    def timings(self) -> StreamTimings:
        """How fast the stream was so far."""
        if self._driver is None:
            return StreamTimings()
        return self._driver.measured()

    # -- life ------------------------------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Ends the stream at once; calling it again does nothing. Events that are there can still be read."""
        self._closed = True
        tasks = [task for task in (self._main, *self._feeders) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._driver is not None:
            self._driver.close()  # its task may have been cancelled before it began
        self._events.close()
        self._on_close(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _closed_error(self) -> StreamClosedError:
        if self._driver is not None:
            return self._driver.closed_error()
        return StreamClosedError("this stream takes no more input: end_input() was called or it is closed")
