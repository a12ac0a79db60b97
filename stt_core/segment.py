"""Live streams for what recognises only whole recordings: speech is cut out of the audio and recognised piece by piece.

A voice activity detector finds the turns. Each is recognised by a call of its own, several at once; their results come
in the order in which they were spoken, with times of the stream. A provider without streaming has one line of this::

    def create_runner(self, settings):
        return SegmentRunner(self.recognize_audio, settings)

What it cannot have are interim results, and a START while an earlier turn is still being recognised: it comes after
that turn's FINAL and END, because a stream's events are in order (promise S1).
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from .audio.chunker import Chunker
from .audio.convert import Converter
from .audio.decode import AudioInput
from .audio.endpoint import Endpointer, Endpointing
from .audio.energy import quietest
from .audio.frames import AudioFormat, AudioFrame
from .audio.vad import FRAME_BYTES, FRAME_SECONDS, SAMPLE_RATE, Vad, new_vad
from .errors import (
    AuthenticationError,
    ConfigError,
    MissingExtraError,
    PermissionDeniedError,
    QuotaError,
    StreamClosedError,
    STTError,
    STTTimeoutError,
    UnsupportedError,
)
from .events import SpeechData, SpeechEvent, SpeechEventType
from .retry import RetryBudget, RetryPolicy
from .runner import AudioChunk, FlushRequest, OptionsUpdate

if TYPE_CHECKING:
    from .events import Word
    from .provider import Carries
    from .registry import Resolved
    from .runner import AudioSource, EventSink
    from .transcript import Transcript

__all__ = ["Endpointing", "RecognizeSegment", "SegmentRunner"]

RecognizeSegment: TypeAlias = "Callable[[AudioInput, Resolved], Awaitable[Transcript]]"
"""Recognises a piece of audio: :meth:`stt_core.stt.STT.recognize_audio`."""

CONCURRENCY = 4
SEGMENT_SECONDS = 120.0
"""How long one piece may take where ``request_timeout`` says nothing."""

SIGN_OF_LIFE_SECONDS = 1.0
TAIL_SECONDS = 0.2
QUIET_SECONDS = 0.1
FAILURES_IN_A_ROW = 3

_ABOUT_THE_ACCOUNT = (
    AuthenticationError,
    ConfigError,
    MissingExtraError,
    PermissionDeniedError,
    QuotaError,
    StreamClosedError,
    UnsupportedError,
)


class SegmentRunner:
    """Makes a stream out of single calls.

    A piece whose call fails is tried again within the retry budget. If it keeps failing although later ones succeed, or
    for a reason that lies in the piece, AUDIO_LOST reports it with the error and the stream goes on; the third in a row
    ends it. A provider that cannot be reached, or does not let us in, ends it at once, and what was not recognised is
    there for the next member of a chain.

    A call that is under way is a sign of life: ``flush_timeout`` and ``drain_timeout`` begin when it is over, and
    what bounds it is ``request_timeout``, or two minutes.

    Args:
        recognize: called for each piece, up to ``concurrency`` times at once.
        settings: of the stream.
        endpointing: how speech is told from silence.
        new_vad: makes the detector of a connection; by default WebRTC's where it is installed.
        concurrency: calls at once; further audio waits in the stream's ledger.
    """

    def __init__(
        self,
        recognize: RecognizeSegment,
        settings: Resolved,
        *,
        endpointing: Endpointing | None = None,
        new_vad: Callable[[], Vad] = new_vad,
        concurrency: int = CONCURRENCY,
    ) -> None:
        self.recognize = recognize
        self.settings = settings
        self.endpointing = endpointing or Endpointing()
        self.new_vad = new_vad
        self.concurrency = concurrency

    @property
    def carries(self) -> Carries:
        """What the results carry, and the turns and times that come from the detector."""
        return replace(self.settings.family.carries, turns=True, interims=False, preflight=False, times="session")

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        """See :class:`stt_core.runner.Runner`."""
        rate = self.settings.stream["upstream_sample_rate"] or source.format.sample_rate
        source.convert(AudioFormat(rate))
        sink.connected()
        session = _Session(self, source, sink, rate)
        halves = [asyncio.create_task(session.read()), asyncio.create_task(session.deliver())]
        try:
            await asyncio.wait(halves, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            tasks = [*halves, *session.calls]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for half in halves:
            if not half.cancelled() and (error := half.exception()) is not None:
                raise error


@dataclass(slots=True)
class _Mark:
    """A turn begins or ends."""

    event: SpeechEvent


@dataclass(slots=True)
class _Piece:
    """Speech that is being recognised; in seconds of the connection."""

    call: asyncio.Task[Transcript]
    start: float
    end: float


@dataclass(slots=True)
class _End:
    """The input is over."""


class _Session:
    """One connection: what is read goes into a queue of things to be said, in order."""

    def __init__(self, runner: SegmentRunner, source: AudioSource, sink: EventSink, rate: int) -> None:
        self.calls: list[asyncio.Task[Transcript]] = []
        self._runner = runner
        self._source = source
        self._sink = sink
        self._rate = rate
        self._format = AudioFormat(rate)
        self._endpointer = Endpointer(runner.endpointing, runner.new_vad())
        self._to_vad = Converter(self._format, AudioFormat(SAMPLE_RATE))
        self._frames = Chunker(FRAME_BYTES)
        self._heard = 0  # frames
        self._audio = bytearray()  # what may yet be recognised
        self._base = 0  # the sample that it begins with
        self._queue: deque[_Mark | _Piece | FlushRequest | _End] = deque()
        self._queued = asyncio.Event()
        self._room = asyncio.Semaphore(runner.concurrency)
        self._failures = 0
        self._said = ""

    # -- audio in --------------------------------------------------------------------------------------------------

    async def read(self) -> None:
        while True:
            item = await self._source.receive()
            if isinstance(item, AudioChunk):
                await self._hear(item.data)
                continue
            if isinstance(item, OptionsUpdate):
                self._runner.settings = item.settings
                self._sink.updated(item)
                continue
            if self._endpointer.speaking:
                await self._cut(self._end)
                self._mark(SpeechEventType.END_OF_SPEECH, self._end / self._rate)
                self._endpointer.restart()
            if isinstance(item, FlushRequest):
                self._enqueue(item)
            else:
                self._enqueue(_End())
                return

    @property
    def _end(self) -> int:
        return self._base + len(self._audio) // 2

    async def _hear(self, data: bytes) -> None:
        self._audio += data
        endpointer = self._endpointer
        for frame in self._frames.push(self._to_vad.convert(data)):
            changed = endpointer.push(frame)
            self._heard += 1
            now = self._heard * FRAME_SECONDS
            if not changed:
                continue
            if endpointer.speaking:
                onset = now - endpointer.onset_frames * FRAME_SECONDS
                self._drop_before(self._sample(onset - self._runner.endpointing.pre_roll))
                self._mark(SpeechEventType.START_OF_SPEECH, max(onset, self._base / self._rate))
            else:
                over = now - endpointer.silent_frames * FRAME_SECONDS
                await self._cut(self._sample(over + TAIL_SECONDS))
                self._mark(SpeechEventType.END_OF_SPEECH, over)
        if endpointer.speaking:
            self._sink.working()
            longest = round(self._runner.endpointing.max_speech * self._rate)
            while self._end - self._base > longest:
                await self._cut(self._quietest(self._base + longest * 2 // 3, self._base + longest))
        else:
            behind = endpointer.onset_frames * FRAME_SECONDS + self._runner.endpointing.pre_roll
            self._drop_before(self._sample(self._heard * FRAME_SECONDS - behind))
            if not self._queue:
                self._sink.settle(self._base / self._rate)

    def _sample(self, seconds: float) -> int:
        return min(max(round(seconds * self._rate), self._base), self._end)

    def _drop_before(self, sample: int) -> None:
        if sample > self._base:
            del self._audio[: 2 * (sample - self._base)]
            self._base = sample

    def _quietest(self, start: int, end: int) -> int:
        part = self._audio[2 * (start - self._base) : 2 * (end - self._base)]
        return start + quietest(part, self._format, QUIET_SECONDS)

    async def _cut(self, end: int) -> None:
        """Has everything up to here recognised; waits while as many calls run as may."""
        start = self._base
        data = bytes(self._audio[: 2 * (end - start)])
        self._drop_before(end)
        if not data:
            return
        await self._room.acquire()
        call = asyncio.create_task(self._recognize(data, self._runner.settings), name="stt segment")
        self._enqueue(_Piece(call, start / self._rate, end / self._rate))

    async def _recognize(self, data: bytes, settings: Resolved) -> Transcript:
        stt = settings.stt
        budget = RetryBudget(RetryPolicy(max_retries=stt["max_retries"], interval=stt["retry_interval"]))
        limit = stt["request_timeout"] or SEGMENT_SECONDS
        while True:
            deadline = asyncio.timeout(limit)
            try:
                async with deadline:
                    return await self._runner.recognize(AudioInput.from_any(AudioFrame(data, self._rate)), settings)
            except STTError as error:
                failure = error
            except TimeoutError:
                if not deadline.expired():
                    raise
                failure = STTTimeoutError(f"a segment was not recognised within {limit:g} s (request_timeout)")
            delay = budget.spend(failure)
            if delay is None:
                raise failure
            await asyncio.sleep(delay)

    # -- events out ------------------------------------------------------------------------------------------------

    def _mark(self, kind: SpeechEventType, seconds: float) -> None:
        self._enqueue(_Mark(SpeechEvent(kind, time=seconds)))

    def _enqueue(self, item: _Mark | _Piece | FlushRequest | _End) -> None:
        if isinstance(item, _Piece):
            self.calls = [call for call in self.calls if not call.done()]
            self.calls.append(item.call)
        self._queue.append(item)
        self._queued.set()

    async def deliver(self) -> None:
        while True:
            while not self._queue:
                self._queued.clear()
                await self._queued.wait()
            item = self._queue[0]
            if isinstance(item, _Mark):
                self._sink.emit(item.event)
            elif isinstance(item, _Piece):
                await self._say(item)
                self._room.release()
            elif isinstance(item, FlushRequest):
                self._sink.flushed(item)
            self._queue.popleft()  # not before: while something is there, silence behind it is not settled
            if isinstance(item, _End):
                return

    async def _say(self, piece: _Piece) -> None:
        while not piece.call.done():
            await asyncio.wait([piece.call], timeout=SIGN_OF_LIFE_SECONDS)
            self._sink.working()
        try:
            transcript = piece.call.result()
        except STTError as error:
            self._fail(piece, error)
            return
        self._failures = 0
        data = self._speech(transcript, piece)
        if data.text:
            final = SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, (data,), transcript.request_id)
            self._sink.emit(final, settled=piece.end)
        else:
            self._sink.settle(piece.end)

    def _fail(self, piece: _Piece, error: STTError) -> None:
        self._failures += 1
        others_succeed = any(
            isinstance(each, _Piece)
            and each is not piece
            and each.call.done()
            and not each.call.cancelled()
            and each.call.exception() is None
            for each in self._queue
        )
        unreachable = error.retryable and not others_succeed
        if unreachable or isinstance(error, _ABOUT_THE_ACCOUNT) or self._failures >= FAILURES_IN_A_ROW:
            error.retryable = False  # it was tried as often as the budget allows
            raise error
        self._sink.lost(piece.start, piece.end, error)

    def _speech(self, transcript: Transcript, piece: _Piece) -> SpeechData:
        text = transcript.text.strip()
        words = _rebased(transcript.words, piece)
        start = words[0].start_time if words else None
        end = words[-1].end_time if words else None
        prefix = " " if _spaced(self._said, text) else ""
        self._said = text or self._said
        return SpeechData(
            text,
            prefix,
            transcript.language,
            piece.start if start is None else start,
            piece.end if end is None else end,
            transcript.confidence,
            transcript.speakers[0] if transcript.speakers and len(transcript.speakers) == 1 else None,
            words,
            transcript.raw,
        )


def _rebased(words: list[Word] | None, piece: _Piece) -> list[Word] | None:
    """The words with times of the connection, within the piece: a vendor's rounding may lead out of it."""
    if words is None:
        return None

    def moved(seconds: float | None) -> float | None:
        return None if seconds is None else min(piece.start + seconds, piece.end)

    return [replace(word, start_time=moved(word.start_time), end_time=moved(word.end_time)) for word in words]


def _spaced(before: str, after: str) -> bool:
    """Whether two texts are joined with a space: not where two characters meet that are written without."""
    return not (before and after and _is_unspaced(before[-1]) and _is_unspaced(after[0]))


def _is_unspaced(character: str) -> bool:
    name = unicodedata.name(character, "")
    return name.startswith(("CJK ", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC", "FULLWIDTH"))
