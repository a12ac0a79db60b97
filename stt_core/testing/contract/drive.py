"""How a check talks to a provider: audio made of the sample, and one call with everything that it said."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack
from unittest.mock import patch

import numpy as np

from ... import stream as stream_module
from ...audio.encodings import SAMPLE_BYTES, encode
from ...errors import StreamClosedError
from ...events import SpeechData, SpeechEvent, SpeechEventType
from .report import NotProven
from .subject import CLOSE_SECONDS

if TYPE_CHECKING:
    from ...audio.frames import AudioFormat
    from ...options import CommonOptions
    from ...provider import Carries
    from ...stream import RecognizeStream
    from ...stt import STT
    from ...transcript import Transcript
    from .subject import Sample, Subject

__all__ = ["Call", "Speech", "missing_words", "pairs", "recognize", "require_all", "silence", "split_words"]

FRAME_SECONDS = 0.02
PAUSE_SECONDS = 1.5
"""Long enough for a recogniser to see that a turn is over."""

_FINAL = SpeechEventType.FINAL_TRANSCRIPT
_TEXTS = (SpeechEventType.INTERIM_TRANSCRIPT, SpeechEventType.PREFLIGHT_TRANSCRIPT)
_SEGMENT_ENDS = (_FINAL, SpeechEventType.END_OF_SPEECH)


def silence(audio_format: AudioFormat, seconds: float) -> bytes:
    """So much of it."""
    zero = encode(np.zeros(1, np.float32), audio_format.encoding)
    return zero * (audio_format.bytes_for(seconds) // SAMPLE_BYTES[audio_format.encoding])


@dataclass(frozen=True, slots=True)
class Speech:
    """Audio to push, and what is said in it.

    Attributes:
        data: samples.
        format: of the data.
        starts: seconds at which the sample begins.
        words: all that is said.
        times: where each word lies, in seconds; estimated when the sample does not know.
    """

    data: bytes
    format: AudioFormat
    starts: tuple[float, ...]
    words: list[str]
    times: list[tuple[float, float]]

    @classmethod
    def of(
        cls,
        sample: Sample,
        takes: int = 1,
        *,
        lead: float = 0.5,
        pause: float = PAUSE_SECONDS,
        tail: float = PAUSE_SECONDS,
    ) -> Speech:
        """The sample so many times, with pauses between, and silence around."""
        audio_format = sample.format
        data = bytearray(silence(audio_format, lead))
        starts: list[float] = []
        for _ in range(takes):
            if starts:
                data += silence(audio_format, pause)
            starts.append(audio_format.seconds(len(data)))
            data += sample.data if sample.placed is None else sample.placed(starts[-1])
        data += silence(audio_format, tail)
        words = [word for text in sample.words for word in split_words(text)]
        step = sample.duration / max(len(words), 1)
        times = sample.times or [(index * step, (index + 1) * step) for index in range(len(words))]
        placed = [(start + begin, start + end) for start in starts for begin, end in times]
        return cls(bytes(data), audio_format, tuple(starts), words * takes, placed)

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.format.seconds(len(self.data))


class Call:
    """One stream, what was pushed into it, and what came out.

    Attributes:
        stt: to which it belongs.
        stream: the stream.
        events: what was read so far.
        times: when each of them was read, by the event loop's clock.
        error: what iteration raised.
        hung: the stream did not end although it should have.
        carries: what the events can hold.
    """

    def __init__(self, subject: Subject, speech: Speech, stt: STT, stream: RecognizeStream) -> None:
        self.stt = stt
        self.stream = stream
        self.events: list[SpeechEvent] = []
        self.times: list[float] = []
        self.error: Exception | None = None
        self.hung = False
        self.carries: Carries = subject.carries_of(stt)
        self._subject = subject
        self._speech = speech
        self._position = 0
        self._changed = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        subject: Subject,
        speech: Speech,
        *,
        read: bool = True,
        reserve: int = stream_module.RESERVE,
        **options: Unpack[CommonOptions],
    ) -> AsyncGenerator[Call]:
        """A call on a fresh STT; see :meth:`on`."""
        async with (
            subject.opened(speech.starts) as stt,
            cls.on(stt, subject, speech, read=read, reserve=reserve, **options) as call,
        ):
            yield call

    @classmethod
    @asynccontextmanager
    async def on(
        cls,
        stt: STT,
        subject: Subject,
        speech: Speech,
        *,
        read: bool = True,
        reserve: int = stream_module.RESERVE,
        **options: Unpack[CommonOptions],
    ) -> AsyncGenerator[Call]:
        """A call, read from the start unless ``read`` is false, and closed at the end."""
        audio_format = speech.format
        with patch.object(stream_module, "RESERVE", reserve):  # of this stream only: the other end may have its own
            stream = stt.stream(
                sample_rate=audio_format.sample_rate,
                channels=audio_format.channels,
                encoding=audio_format.encoding,
                **options,
            )
        call = cls(subject, speech, stt, stream)
        if read:
            call.start_reading()
        try:
            yield call
        finally:
            with suppress(Exception):  # how it closes is a promise of its own
                async with asyncio.timeout(CLOSE_SECONDS):
                    await stream.aclose()
            if (reader := call._reader) is not None:
                reader.cancel()
                await asyncio.wait([reader])

    @classmethod
    async def whole(cls, subject: Subject, speech: Speech, **options: Unpack[CommonOptions]) -> Call:
        """A live call from beginning to end."""
        async with cls.open(subject, speech, **options) as call:
            await call.speak()
            await call.finish()
            return call

    # -- reading ---------------------------------------------------------------------------------------------------

    def start_reading(self) -> None:
        """Reads from here on, beside whatever else goes on."""
        self._reader = asyncio.create_task(self._read(), name="contract kit: reader")

    async def _read(self) -> None:
        try:
            async for event in self.stream:
                self.events.append(event)
                self.times.append(asyncio.get_running_loop().time())
                self._changed.set()
        except Exception as error:  # noqa: BLE001  (the check says what may end a stream, and what may not)
            self.error = error
        finally:
            self._changed.set()

    @property
    def over(self) -> bool:
        """Whether everything was read, up to the end or the error."""
        return self._reader is not None and self._reader.done()

    async def comes(self, true: Callable[[Call], bool]) -> bool:
        """Waits for events until something holds, within the subject's patience, or the stream ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._subject.patience):
                while not true(self) and not self.over:
                    self._changed.clear()
                    await self._changed.wait()
        return true(self)

    # -- speaking --------------------------------------------------------------------------------------------------

    @property
    def pushed(self) -> float:
        """Seconds of audio that were pushed so far."""
        return self._speech.format.seconds(self._position)

    async def speak(self, until: Callable[[Call], bool] | None = None, *, to: float | None = None) -> bool:
        """Pushes the speech live, from where it was left.

        Args:
            until: stop as soon as this holds. After the speech it is waited for.
            to: stop at this second.

        Returns:
            Whether ``until`` came true, if it was given; else whether all was taken.
        """
        size = self._speech.format.bytes_for(FRAME_SECONDS)
        stop = len(self._speech.data) if to is None else self._speech.format.bytes_for(to)
        while self._position < stop:
            if until is not None and until(self):
                return True
            frame = self._speech.data[self._position : min(self._position + size, stop)]
            try:
                self.stream.push_frame(frame)
            except StreamClosedError:
                return False  # the reader has the reason
            self._position += len(frame)
            await asyncio.sleep(FRAME_SECONDS / self._subject.pace)
        return until is None or await self.comes(until)

    async def send(self, *, to: float | None = None) -> None:
        """Pushes the rest, or what is left up to a second, as fast as it is taken."""
        stop = len(self._speech.data) if to is None else self._speech.format.bytes_for(to)
        await self.stream.send_frame(self._speech.data[self._position : stop])
        self._position = stop

    async def finish(self) -> None:
        """Ends the input, and waits until all is read; :attr:`hung` if that does not come."""
        self.stream.end_input()
        if self._reader is None:
            self.start_reading()
        self.hung = not await self.comes(lambda call: call.over)

    def require_end(self) -> None:
        """For checks that need a stream that ended well, and are not about that.

        Raises:
            NotProven: it did not.
        """
        if self.hung:
            raise NotProven("the stream did not end")
        if self.error is not None:
            raise NotProven(f"the stream failed: {type(self.error).__name__}: {self.error}")

    # -- what was said ---------------------------------------------------------------------------------------------

    def of_type(self, *kinds: SpeechEventType) -> list[SpeechEvent]:
        """The events of these types."""
        return [event for event in self.events if event.type in kinds]

    @property
    def finals(self) -> list[SpeechData]:
        """The best reading of each FINAL."""
        return [event.alternatives[0] for event in self.of_type(_FINAL) if event.alternatives]

    @property
    def words(self) -> list[str]:
        """Everything finalised."""
        return split_words("".join(data.prefix + data.text for data in self.finals))

    @property
    def open_text(self) -> str:
        """The last interim that no FINAL has replaced yet."""
        for event in reversed(self.events):
            if event.type in _SEGMENT_ENDS:
                return ""
            if event.type in _TEXTS and event.text:
                return event.text
        return ""

    @property
    def reconnects(self) -> int:
        """How often a new connection was needed."""
        return len(self.of_type(SpeechEventType.RECONNECTING))

    async def drop(self) -> None:
        """Breaks the connection.

        Raises:
            NotProven: the subject has no way to do that.
        """
        if self._subject.drop is None:
            raise NotProven("the subject has no way to drop its connection")
        await self._subject.drop(self.stt)

    def require_reconnect(self) -> None:
        """For checks that have dropped the connection.

        Raises:
            NotProven: nothing came of that.
        """
        if not self.reconnects:
            raise NotProven("the connection was to be dropped, and no RECONNECTING came")


async def recognize(subject: Subject, stt: STT, speech: Speech, **options: Unpack[CommonOptions]) -> Transcript:
    """The speech as a file.

    Raises:
        NotProven: it does not come back within the subject's patience.
        STTError: what the STT raises.
    """
    work = asyncio.create_task(
        stt.recognize(
            speech.data,
            sample_rate=speech.format.sample_rate,
            channels=speech.format.channels,
            encoding=speech.format.encoding,
            **options,
        )
    )
    # Files are read in threads. A timer of a virtual clock would be over before they have begun.
    loop = asyncio.get_running_loop()
    watch = threading.Timer(subject.patience, loop.call_soon_threadsafe, (work.cancel,))
    watch.daemon = True
    watch.start()
    try:
        await asyncio.wait([work])
    finally:
        watch.cancel()
        work.cancel()
    if work.cancelled():
        raise NotProven("recognize() did not come back")
    return work.result()


def require_all(subject: Subject, speech: Speech, call: Call) -> None:
    """For checks that need the stream to have gone on; losing words is a promise of its own.

    Raises:
        NotProven: words went missing.
    """
    missing = missing_words(speech.words, call.words)
    if len(missing) > int(subject.word_tolerance * len(speech.words)):
        raise NotProven(f"{' '.join(missing)!r} went missing: {' '.join(call.words)!r}")


def missing_words(expected: Sequence[str], got: Sequence[str]) -> list[str]:
    """The expected words that did not come."""
    came = {i for i, _ in pairs(expected, got)}
    return [word for index, word in enumerate(expected) if index not in came]


def split_words(text: str) -> list[str]:
    """The words of a text, without case and punctuation."""
    return re.findall(r"[\w']+", text.casefold())


def pairs(expected: Sequence[str], got: Sequence[str]) -> list[tuple[int, int]]:
    """The indices of the words that both have, in order: a longest common subsequence."""
    lengths = [[0] * (len(got) + 1) for _ in range(len(expected) + 1)]
    for i in reversed(range(len(expected))):
        for j in reversed(range(len(got))):
            both = expected[i] == got[j]
            lengths[i][j] = lengths[i + 1][j + 1] + 1 if both else max(lengths[i + 1][j], lengths[i][j + 1])
    found: list[tuple[int, int]] = []
    i = j = 0
    while i < len(expected) and j < len(got):
        if expected[i] == got[j]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    return found
