"""One connection's view of a stream: where its audio comes from and where its events go."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from .clockmap import ClockMap
from .events import SpeechData, SpeechEvent, SpeechEventType
from .runner import AudioChunk, EndOfInput, FlushRequest, OptionsUpdate, SourceItem
from .turns import forget_times

if TYPE_CHECKING:
    from .audio.convert import Converter
    from .audio.frames import AudioFormat
    from .errors import STTError
    from .ledger import Ledger
    from .registry import Carries
    from .turns import TurnOrder

__all__ = ["AttemptHost", "LedgerSource", "StreamSink"]

_FINAL = SpeechEventType.FINAL_TRANSCRIPT
_END = SpeechEventType.END_OF_SPEECH

CLOCK_TOLERANCE_SECONDS = 0.5
"""A provider's time that lies further ahead of what it was sent than this cannot be true."""

Request = FlushRequest | OptionsUpdate | EndOfInput


class AttemptHost(Protocol):
    """What a connection reports to the stream that runs it."""

    @property
    def log_context(self) -> Mapping[str, object]:
        """See :attr:`stt_core.runner.EventSink.log_context`."""
        ...

    def on_started(self) -> None:
        """The runner took the first audio of this connection."""
        ...

    def on_sent(self, *, fresh: int, replayed: int) -> None:
        """The transport accepted so many samples."""
        ...

    def on_accepted(self, data: bytes) -> None:
        """The transport accepted audio, in the format of :attr:`LedgerSource.format`."""
        ...

    def on_silence(self, seconds: float) -> None:
        """Silence was injected."""
        ...

    def on_given(self, request: Request) -> None:
        """The runner took a request over."""
        ...

    def on_sign(self) -> None:
        """The provider said something about speech."""
        ...

    def on_connected(self, request_id: str | None) -> None:
        """The provider is ready."""
        ...

    def on_identified(self, request_id: str) -> None:
        """The provider says what it calls a connection that was ready before."""
        ...

    def on_progress(self) -> None:
        """The provider has come further with the audio."""
        ...

    def on_lost(self, start: int, end: int, error: STTError) -> None:
        """These samples will not be recognised."""
        ...

    def on_text(self, *, fresh: bool) -> None:
        """The provider recognised something; ``fresh``: in audio that it was sent for the first time."""
        ...

    def on_flushed(self, request: FlushRequest, *, exact: bool) -> None:
        """A flush was acknowledged."""
        ...

    def resolve_flushes(self) -> None:
        """A segment was finalised, which an acknowledged flush may have been waiting for."""
        ...

    def on_updated(self, update: OptionsUpdate) -> None:
        """An options update was taken over."""
        ...

    def order_of(self, channel: int | None) -> TurnOrder:
        """The order of a channel's events."""
        ...


class LedgerSource:
    """The audio of the ledger from ``start`` on, and the requests that are open, for one connection."""

    def __init__(self, ledger: Ledger, host: AttemptHost, *, start: int, requests: Iterable[Request]) -> None:
        self.clock = ClockMap(ledger.format.sample_rate, start)
        self.position = start
        self.start = start
        self.ended = False
        """Whether the runner was told that there is no more audio."""
        self._ledger = ledger
        self._host = host
        self._requests: deque[Request] = deque(requests)
        self._number = ledger.find(start)
        self._format = ledger.format
        self._converter: Converter | None = None
        self._tail_given = False
        self._started = False
        self._given: AudioChunk | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def format(self) -> AudioFormat:
        """Of the data given out."""
        return self._format

    @property
    def backlog(self) -> float:
        """Seconds pushed and not given out."""
        return max(self._ledger.end - self.position, 0) / self._ledger.format.sample_rate

    def convert(self, target: AudioFormat) -> None:
        """See :meth:`stt_core.runner.AudioSource.convert`."""
        self._format = target
        self._converter = None
        if target != self._ledger.format:
            from .audio.convert import Converter

            self._converter = Converter(self._ledger.format, target)
            self._prime(self._converter)

    def _prime(self, converter: Converter) -> None:
        begin = self.position - self._ledger.format.sample_rate // 10
        if before := self._ledger.read(max(begin, 0), self.position):
            converter.prime(before)

    def add_silence(self, seconds: float) -> None:
        """See :meth:`stt_core.runner.AudioSource.add_silence`."""
        self.clock.add_silence(seconds)
        self._host.on_silence(seconds)

    def add_request(self, request: Request) -> None:
        """The caller asks for something, behind all audio pushed so far."""
        self._requests.append(request)
        self.wake()

    def wake(self) -> None:
        """There may be something to receive."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def accept(self) -> None:
        """The audio given last has reached the transport."""
        chunk = self._given
        if chunk is None:
            return
        self._given = None
        ledger = self._ledger
        replayed = max(min(ledger.sent, chunk.end) - chunk.start, 0)
        ledger.sent = max(ledger.sent, chunk.end)
        self._host.on_sent(fresh=chunk.end - chunk.start - replayed, replayed=replayed)
        self._host.on_accepted(chunk.data)

    async def receive(self) -> SourceItem:
        """See :meth:`stt_core.runner.AudioSource.receive`."""
        while (item := self.receive_nowait()) is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return item

    def receive_nowait(self) -> SourceItem | None:
        """See :meth:`stt_core.runner.AudioSource.receive_nowait`."""
        self.accept()
        begin: int | None = None
        while True:
            if self._requests and self._requests[0].position <= self.position:
                return self._request()
            block = self._ledger.block(self._number)
            if block is None:
                return None
            number, start, data = block
            self._number = number + 1
            if start < self.position:
                data = data[(self.position - start) * self._ledger.format.frame_bytes :]
                start = self.position
            end = start + len(data) // self._ledger.format.frame_bytes
            self.position = end
            if end == start:
                continue
            self.clock.add_audio(start, end)
            begin = start if begin is None else begin
            converter = self._converter
            if converter is not None:
                data = converter.convert(data)
                self._tail_given = False
            # The bytes may all be in the converter still; the samples are accounted for with the next ones.
            self._given = AudioChunk(data, begin, end, begin < self._ledger.sent)
            if data:
                if not self._started:
                    self._started = True
                    self._host.on_started()
                return self._given

    def _request(self) -> SourceItem:
        if self._converter is not None and not self._tail_given:
            self._tail_given = True
            tail = self._converter.flush()
            self._prime(self._converter)
            if tail:
                self.accept()
                return AudioChunk(tail, self.position, self.position)
        request = self._requests.popleft()
        self.ended = self.ended or isinstance(request, EndOfInput)
        self._host.on_given(request)
        return request


class StreamSink:
    """Takes what a runner says in its connection's time, and brings it into the stream's time, once and settled."""

    def __init__(
        self, ledger: Ledger, source: LedgerSource, host: AttemptHost, *, provider: str, carries: Carries
    ) -> None:
        self._ledger = ledger
        self._source = source
        self._clock = source.clock
        self._host = host
        self._provider = provider
        self._timed = carries.times == "session"
        self._lag = carries.lag
        self._rate = ledger.format.sample_rate
        self._known_to = ledger.settled  # results of a replay that end before are known already
        self._guessed = ledger.settlement == "estimated"  # then some that end behind it may be known, too
        self._replay_to = ledger.sent
        self._repeats = source.start < ledger.sent
        self._heard = 0.0
        self._final_at = source.start
        self.request_id: str | None = None
        self.ready = False

    @property
    def log_context(self) -> Mapping[str, object]:
        """See :attr:`stt_core.runner.EventSink.log_context`."""
        return self._host.log_context

    def connected(self, *, request_id: str | None = None) -> None:
        """See :meth:`stt_core.runner.EventSink.connected`."""
        if request_id is not None:
            self.request_id = request_id
        if not self.ready:
            self.ready = True
            self._host.on_connected(request_id)
        elif request_id is not None:
            self._host.on_identified(request_id)

    def settle(self, seconds: float) -> None:
        """See :meth:`stt_core.runner.EventSink.settle`."""
        if self._ledger.settle(self._clock.to_position(seconds), "exact"):
            self._host.on_progress()

    def processed(self, seconds: float) -> None:
        """See :meth:`stt_core.runner.EventSink.processed`."""
        seconds = min(seconds, self._clock.length)
        if seconds > self._heard:
            self._heard = seconds
            self._host.on_progress()

    def working(self) -> None:
        """See :meth:`stt_core.runner.EventSink.working`."""
        self._host.on_progress()

    def lost(self, start: float, end: float, error: STTError) -> None:
        """See :meth:`stt_core.runner.EventSink.lost`."""
        begin, position = self._clock.to_position(start), self._clock.to_position(end)
        if position > self._ledger.settled:
            self._host.on_lost(max(begin, self._ledger.settled), position, error)
            self._ledger.settle(position, "exact")
            self._host.on_progress()

    def flushed(self, request: FlushRequest, *, exact: bool = True) -> None:
        """See :meth:`stt_core.runner.EventSink.flushed`."""
        self._host.on_flushed(request, exact=exact)

    def updated(self, update: OptionsUpdate) -> None:
        """See :meth:`stt_core.runner.EventSink.updated`."""
        self._host.on_updated(update)

    def emit(self, event: SpeechEvent, *, settled: float | None = None) -> None:
        """See :meth:`stt_core.runner.EventSink.emit`."""
        if event.provider is None:
            event.provider = self._provider
        if event.request_id is None:
            event.request_id = self.request_id
        self._host.on_sign()
        alternatives = event.alternatives
        if alternatives:
            for data in alternatives:
                self._into_stream_time(data)
            if self._repeats and not self._is_news(event):
                if settled is not None:
                    self.settle(settled)
                return
            if event.text:
                self._host.on_text(fresh=not self._repeats or self._source.position > self._replay_to)
        elif event.time is not None:
            event.time = self._clock.to_seconds(event.time) if self._timed else None
        if event.type is _FINAL:
            self._settle_final(event, settled)
        self._host.order_of(event.channel).handle(event)
        if event.type is _FINAL or event.type is _END:
            self._host.resolve_flushes()

    def _into_stream_time(self, data: SpeechData) -> None:
        if not self._timed or (data.end_time or 0.0) > self._clock.length + CLOCK_TOLERANCE_SECONDS:
            forget_times(data)
            return
        if self._clock.identity:
            return
        convert = self._clock.to_seconds
        if data.start_time is not None:
            data.start_time = convert(data.start_time)
        if data.end_time is not None:
            data.end_time = convert(data.end_time)
        for word in data.words or ():
            if word.start_time is not None:
                word.start_time = convert(word.start_time)
            if word.end_time is not None:
                word.end_time = convert(word.end_time)

    # -- replays ---------------------------------------------------------------------------------------------------

    def _is_news(self, event: SpeechEvent) -> bool:
        """Drops what an earlier connection has already settled: by time, never by text."""
        best = event.alternatives[0]
        known = self._known_to / self._rate
        if best.end_time is None:
            event.replayed = self._final_at < self._replay_to
            return True
        if best.text and best.end_time <= known:
            return False
        if self._guessed:  # by another member, whose texts have no times to compare with
            event.replayed = (known if best.start_time is None else best.start_time) < self._replay_to / self._rate
        if best.start_time is not None and best.start_time < known:
            for data in event.alternatives:
                forget_words_before(data, known)
            return bool(best.text) or event.type is not _FINAL
        return True

    # -- settling --------------------------------------------------------------------------------------------------

    def _settle_final(self, event: SpeechEvent, settled: float | None) -> None:
        ledger = self._ledger
        sent = self._source.position
        if settled is not None:
            moved = ledger.settle(self._clock.to_position(settled), "exact")
            event.settlement = "exact"
        elif (end := self._trusted_end(event)) is not None:
            moved = ledger.settle(min(round(end * self._rate), sent), "timed")
            event.settlement = "timed"
        else:
            margin = round(self._lag * self._rate)
            moved = ledger.settle(ledger.estimate(max(sent - margin, ledger.settled)), "estimated")
            event.settlement = "estimated"
        self._final_at = sent
        if moved:
            self._host.on_progress()

    def _trusted_end(self, event: SpeechEvent) -> float | None:
        if not self._timed or not event.alternatives:
            return None
        best = event.alternatives[0]
        end = best.words[-1].end_time if best.words else best.end_time
        if end is None:
            return None
        if end > self._source.position / self._rate + CLOCK_TOLERANCE_SECONDS:
            for data in event.alternatives:
                forget_times(data)
            return None
        return end


def forget_words_before(data: SpeechData, seconds: float) -> None:
    """Takes the words whose middle lies before ``seconds`` out of ``data``, and their text with them."""
    words = data.words
    if not words:
        return
    keep = 0
    for word in words:
        if word.start_time is None or word.end_time is None or (word.start_time + word.end_time) / 2 >= seconds:
            break
        keep += 1
    if not keep:
        return
    at = 0
    for word in words[:keep]:
        found = data.text.find(word.text, at)
        at = found + len(word.text) if found >= 0 else at
    rest = data.text[at:]
    data.text = rest.strip()
    data.prefix = " " if rest[:1].isspace() else data.prefix
    data.words = words[keep:]
    if data.words:
        data.start_time = data.words[0].start_time
