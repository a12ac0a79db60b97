"""Runs a stream: one connection after the other, until everything that was pushed is accounted for.

The public face is :class:`stt_core.stream.RecognizeStream`; this is what keeps its promises. It owns the ledger, the
order of events, the retry budget, the deadlines and the usage, and lends them to one :mod:`~stt_core.attempt` after the
other.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

from .attempt import LedgerSource, Request, StreamSink
from .deadline import Deadline
from .errors import (
    ConnectionLostError,
    DrainTimeoutError,
    ProtocolError,
    SlowConsumerError,
    StreamClosedError,
    STTError,
)
from .events import AudioSpan, SpeechEvent, SpeechEventType
from .flushes import Flushes
from .ledger import Ledger
from .metrics import Meter
from .outbox import Outbox
from .runner import EndOfInput, FlushRequest, OptionsUpdate, ReconnectRequested
from .turns import TurnOrder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .audio.frames import AudioFormat
    from .channel import Channel
    from .events import RecognitionUsage, StreamTimings
    from .ledger import Span
    from .members import Members
    from .metrics import MetricsCallback
    from .options import StreamSettings
    from .runner import Runner

__all__ = ["Driver"]

logger = logging.getLogger("stt_core.stream")

READY_SECONDS_THAT_RESET_THE_BUDGET = 10.0


class Driver:
    """The machinery of one stream.

    Args:
        members: who serves it.
        audio_format: of what will be pushed.
        events: where events go; its capacity is the reserve of promise S7.
        stream_options: ``replay_seconds``, ``flush_timeout`` and ``drain_timeout`` are used.
        channel: that it is all about, of a stream whose channels are apart.
        segment_ids: where the ids of segments come from, when several drivers share them.
        on_end: called once, with what it ended with; by default it closes ``events``.
        on_metrics: see :mod:`stt_core.metrics`.
    """

    def __init__(
        self,
        members: Members,
        *,
        audio_format: AudioFormat,
        events: Channel[SpeechEvent],
        stream_options: StreamSettings,
        channel: int | None = None,
        segment_ids: Iterator[int] | None = None,
        on_end: Callable[[BaseException | None], None] | None = None,
        on_metrics: MetricsCallback | None = None,
    ) -> None:
        self.format = audio_format
        ledger = self.ledger = Ledger(audio_format, stream_options["replay_seconds"])
        self.error: BaseException | None = None
        """What the stream ended with."""
        self.log_context: dict[str, object] = {
            "stream_id": uuid4().hex[:12],
            "provider": members.current.name,
            "request_id": None,
        }
        self._log = logging.LoggerAdapter(logger, self.log_context)
        self._members = members
        self._loop = asyncio.get_running_loop()
        self._deadline = Deadline(members)
        self._meter: Meter | None = None
        if on_metrics is not None:
            self._meter = Meter(
                on_metrics,
                stream_id=str(self.log_context["stream_id"]),
                channel=channel,
                serving=lambda: members.current.settings,
                pushed=lambda: self.duration,
                first_text=lambda: self.outbox.timings.first_interim,
            )
        self.outbox = Outbox(
            events,
            provider=lambda: self._provider,
            sample_rate=ledger.format.sample_rate,
            channel=channel,
            clock=self._loop.time,
            backlog=lambda: self.backlog,
            meter=self._meter,
            asked_at=lambda: self._flushes.asked_at if self._flushes else self._end_asked_at,
            on_overflow=self._deadline.stop,
        )
        self._on_end = on_end or events.close
        self._source: LedgerSource | None = None
        self._orders: dict[int | None, TurnOrder] = {}
        self._segment_ids = segment_ids or count()
        self._requests: deque[Request] = deque()  # given to no runner, or not answered by one yet
        self._flushes = Flushes(self._orders, self.outbox, provider=lambda: self._provider, on_answered=self._answered)
        self.set_timeouts(stream_options)
        self._updates: dict[OptionsUpdate, asyncio.Future[None]] = {}
        self._room: asyncio.Event = asyncio.Event()
        self._ended = False
        self._finished = False
        self._input_error: BaseException | None = None
        self._attempt_began = 0.0
        self._ready_at: float | None = None
        self._first_given_at: float | None = None
        self._end_asked_at: float | None = None

    @property
    def _provider(self) -> str:
        return self._members.current.name

    # -- what the caller does --------------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether the stream is over: all said, failed, or closed."""
        return self._finished

    @property
    def ended(self) -> bool:
        """Whether the input was ended."""
        return self._ended

    @property
    def backlog(self) -> float:
        """Seconds pushed and not taken by the provider's transport yet."""
        return max(self.ledger.end - self.ledger.sent, 0) / self.ledger.format.sample_rate

    @property
    def duration(self) -> float:
        """Seconds pushed."""
        return self.ledger.end / self.ledger.format.sample_rate

    @property
    def capacity_bytes(self) -> int:
        """What may be unsettled at once."""
        return self.ledger.capacity * self.ledger.format.frame_bytes

    @property
    def finals(self) -> list[SpeechEvent]:
        """So far."""
        return self.outbox.finals

    @property
    def request_id(self) -> str | None:
        """The vendor's, of the connection in use."""
        return self.outbox.request_id

    @property
    def usage(self) -> RecognitionUsage:
        """So far."""
        return self.outbox.usage

    def measured(self) -> StreamTimings:
        """So far."""
        return self.outbox.measured()

    def room_for(self, nbytes: int) -> bool:
        """Whether so much can be pushed without dropping unsent audio."""
        return self.ledger.room_for(nbytes)

    def push(self, data: bytes) -> None:
        """Takes audio; never blocks.

        Raises:
            StreamClosedError: the input was ended, or the stream is over.
        """
        if self._ended or self._finished:
            raise self.closed_error()
        end = self.ledger.end
        lost = self.ledger.push(data)
        if lost is not None:
            self._report_lost([lost])
        if self._source is not None and self.ledger.end != end:
            self._source.wake()

    async def wait_for_room(self, nbytes: int) -> None:
        """Waits until ``nbytes`` can be pushed without dropping unsent audio.

        Raises:
            StreamClosedError: the input was ended, or the stream is over.
        """
        while not self.ledger.room_for(nbytes) and not self._finished:
            self._room.clear()
            await self._room.wait()

    def closed_error(self) -> StreamClosedError:
        """What a caller gets who pushes, flushes or updates too late; its cause is the stream's own failure, if any."""
        if self.error is not None:
            closed = StreamClosedError(f"the stream has ended: {self.error}", provider=self._provider)
            closed.__cause__ = self.error
            return closed
        reason = "end_input() was called before" if self._ended else "it is closed"
        return StreamClosedError(f"this stream takes no more input: {reason}", provider=self._provider)

    def end_input(self) -> None:
        """No more audio will come."""
        if not self._ended:
            self._ended = True
            self._ask(EndOfInput(self._seal()))
            self._await_end()

    def fail_input(self, error: BaseException) -> None:
        """The source of the audio failed: what it gave is recognised, then the reader gets its error."""
        self._input_error = error
        self.end_input()

    async def flush(self) -> list[SpeechEvent]:
        """See :meth:`stt_core.stream.RecognizeStream.flush`."""
        if self._ended or self._finished:
            raise self.closed_error()
        request = FlushRequest(self._seal())
        future = self._flushes.add(request)
        self._ask(request)
        try:
            return await future
        finally:
            self._flushes.forget(request)  # if the caller was cancelled, the provider's answer has nobody to go to

    def set_timeouts(self, stream_options: StreamSettings) -> None:
        """Takes the timeouts over that can change while a stream runs."""
        self._flushes.timeout = stream_options["flush_timeout"]
        self._deadline.drain_timeout = stream_options["drain_timeout"]

    async def update(self) -> None:
        """Tells the member that serves that its settings have changed."""
        if self._ended or self._finished:
            raise self.closed_error()
        update = OptionsUpdate(self._seal(), self._members.current.settings)
        future = self._updates[update] = self._loop.create_future()
        self._ask(update)
        try:
            await future
        finally:
            self._updates.pop(update, None)

    def _seal(self) -> int:
        lost = self.ledger.seal()
        if lost is not None:
            self._report_lost([lost])
        return self.ledger.end

    def _ask(self, request: Request) -> None:
        self._requests.append(request)
        if self._source is not None:
            self._source.add_request(request)

    # -- one connection after the other ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Runs to the end of the stream. Never raises but for cancellation: :attr:`error` says how it ended."""
        try:
            await self._run_attempts()
        except STTError as error:
            self.error = error
        finally:
            self.close()

    async def _run_attempts(self) -> None:
        ledger, members = self.ledger, self._members
        while True:
            start = ledger.replay_start()
            source = LedgerSource(ledger, self, start=start, requests=self._requests)
            runner = members.current.runner
            sink = StreamSink(ledger, source, self, provider=self._provider, carries=runner.carries)
            self._source = source
            for order in self._orders.values():
                order.turns = runner.carries.turns  # which an update, or another member, may have changed
            self._attempt_began, self._ready_at = self._loop.time(), None
            error = await self._attempt(runner, source, sink)
            self._source = None
            self._flushes.connect(connected=False)
            if source.ended and error is None:
                break
            self._report_lost(ledger.forfeit())
            if source.ended and self._nothing_owed():
                break
            if isinstance(error, SlowConsumerError):
                raise self._give_up(error)
            if isinstance(error, ReconnectRequested):
                self.outbox.announce(SpeechEvent(SpeechEventType.RECONNECTING, attempt=0))
                continue
            error = error or ConnectionLostError("the session ended before its input", provider=self._provider)
            await self._go_on(error, ended=source.ended)
        ledger.settle(ledger.end, "exact")
        for order in self._orders.values():
            # The provider is done without a word on its last interim. Its text is kept.
            order.promote()

    async def _go_on(self, error: STTError, *, ended: bool) -> None:
        """Waits until it is time for the next connection, with the same member or another one.

        Args:
            error: how the last one failed.
            ended: whether it knew that there is no more audio.

        Raises:
            STTError: there must be none.
        """
        members, now = self._members, self._loop.time()
        failed = members.current
        if isinstance(error, DrainTimeoutError) and not members.is_chain:
            raise self._give_up(error)
        ready_for = now - self._ready_at if self._ready_at is not None else 0.0
        if ready_for >= READY_SECONDS_THAT_RESET_THE_BUDGET and not ended:
            failed.budget.reset()
        overdue = isinstance(error, DrainTimeoutError)
        found = members.after(
            error, now=now, was_ready=self._ready_at is not None, stalled=self._deadline.stalled is not None or overdue
        )
        if found is None:
            raise self._give_up(members.final_error(error))
        member, delay = found
        if member is failed:
            self._log.warning("%s: %s; trying again in %.2f s", failed.name, error, delay)
            event = SpeechEvent(SpeechEventType.RECONNECTING, error=error, attempt=failed.budget.spent)
        else:
            self._log.warning("%s: %s; going on with %s", failed.name, error, member.settings.label)
            event = SpeechEvent(SpeechEventType.PROVIDER_SWITCHED, error=error, previous_provider=failed.name)
            self._switch()
        self.outbox.announce(event)
        await asyncio.sleep(delay)
        if self._deadline.abort is not None:
            raise self._deadline.abort

    def _switch(self) -> None:
        self.log_context["provider"], self.log_context["request_id"] = self._provider, None
        self.outbox.request_id = None
        for request in [each for each in self._requests if isinstance(each, OptionsUpdate)]:
            self.on_updated(request)  # the next member is made with the settings of now

    async def _attempt(
        self, runner: Runner, source: LedgerSource, sink: StreamSink
    ) -> STTError | ReconnectRequested | None:
        deadline = self._deadline.begin(self._members.watch(lambda: source.format))
        try:
            async with deadline:
                await runner.run(source, sink)
        except ReconnectRequested as request:
            source.accept()
            return request
        except STTError as error:
            if error.provider is None:
                error.provider = self._provider
            return self._deadline.reason(ready=sink.ready) if deadline.expired() else error
        except OSError as error:  # a socket's or a pipe's own, and the TimeoutError of the deadline
            if deadline.expired():
                return self._deadline.reason(ready=sink.ready)
            lost = ConnectionLostError(f"the connection to {self._provider} failed: {error}", provider=self._provider)
            lost.__cause__ = error
            return lost
        except Exception as error:  # noqa: BLE001  (a codec that trips over a malformed message is a dropped connection)
            broken = ProtocolError(
                f"the {self._provider} provider failed on what it received: {type(error).__name__}: {error}",
                provider=self._provider,
            )
            broken.__cause__ = error
            return broken
        finally:
            self._deadline.end()
        return self._deadline.stalled  # of one that ended as if all were said

    def _await_end(self) -> None:
        # From the caller's end of input on, not the provider's: one that takes no more audio would never hear of it.
        if self._ended and self._ready_at is not None:
            self._deadline.set(self._deadline.drain_timeout)

    def _nothing_owed(self) -> bool:
        return not self.ledger.has_unsettled_voice() and all(order.open_text is None for order in self._orders.values())

    def _give_up(self, error: STTError) -> STTError:
        """Nothing more can be recognised: the words so far are kept, and the audio that was not is reported."""
        for order in self._orders.values():
            order.promote()
        if self.ledger.has_unsettled_voice():
            self._report_lost([(max(self.ledger.settled, self.ledger.base), self._seal())])
        return error

    def close(self) -> None:
        """Ends the stream, whatever is still going on; the second time nothing happens."""
        if self._finished:
            return
        for order in self._orders.values():
            order.finish()
        self.outbox.report_usage()
        self._finished = True
        self.error = self._deadline.abort or self.error or self._input_error
        if self._meter is not None:
            self._meter.end(self.error)
        self._on_end(self.error)
        self._room.set()
        self._flushes.close(self.closed_error)
        for future in self._updates.values():
            if not future.done():
                future.set_exception(self.closed_error())

    # -- what the attempt reports ----------------------------------------------------------------------------------

    def on_started(self) -> None:
        """See :class:`stt_core.attempt.AttemptHost`, here and below."""
        if self._first_given_at is None:
            self._first_given_at = self._loop.time()

    def on_sent(self, *, fresh: int, replayed: int) -> None:  # noqa: D102
        self.outbox.count(sent=fresh, replayed=replayed)
        if not self._room.is_set():
            self._room.set()
        self._put_off_deadlines()

    def on_accepted(self, data: bytes) -> None:  # noqa: D102
        self._deadline.heard(data)

    def on_sign(self) -> None:  # noqa: D102
        self._deadline.sign()

    def on_silence(self, seconds: float) -> None:  # noqa: D102
        self.outbox.count(injected=seconds)

    def on_given(self, request: Request) -> None:  # noqa: D102
        if isinstance(request, EndOfInput):
            if self._end_asked_at is None:
                self._end_asked_at = self._loop.time()
            self._deadline.set(self._deadline.drain_timeout)
        elif isinstance(request, FlushRequest):
            self._flushes.give(request)

    def on_connected(self, request_id: str | None) -> None:  # noqa: D102
        self.outbox.request_id = self.log_context["request_id"] = request_id
        self._members.ready()
        self._ready_at = self._loop.time()
        self.outbox.timings.connect = self._ready_at - self._attempt_began
        self._deadline.set(None)
        self._flushes.connect(connected=True)
        self._await_end()
        self.outbox.announce(SpeechEvent(SpeechEventType.CONNECTED, timings=self.outbox.measured()))

    def on_identified(self, request_id: str) -> None:  # noqa: D102
        self.outbox.request_id = self.log_context["request_id"] = request_id

    def on_progress(self) -> None:  # noqa: D102
        self.on_sign()
        self._put_off_deadlines()

    def _put_off_deadlines(self) -> None:
        self._await_end()
        if self._flushes:
            self._flushes.watch()

    def on_text(self, *, fresh: bool) -> None:  # noqa: D102
        # Once the input has ended, text over audio that was sent before is no sign that this will ever come to an end.
        if fresh or not self._ended:
            self._members.serves()
        if self.outbox.timings.first_interim is None and self._first_given_at is not None:
            self.outbox.timings.first_interim = self._loop.time() - self._first_given_at

    def on_updated(self, update: OptionsUpdate) -> None:  # noqa: D102
        self._answered(update)
        future = self._updates.get(update)
        if future is not None and not future.done():
            future.set_result(None)

    def order_of(self, channel: int | None) -> TurnOrder:  # noqa: D102
        order = self._orders.get(channel)
        if order is None:
            turns = self._members.current.runner.carries.turns
            order = TurnOrder(self.outbox.deliver, turns=turns, segment_ids=self._segment_ids.__next__)
            self._orders[channel] = order
        return order

    def _answered(self, request: Request) -> None:
        if request in self._requests:
            self._requests.remove(request)

    def on_flushed(self, request: FlushRequest, *, exact: bool) -> None:  # noqa: D102
        if not self._flushes.acknowledge(request):
            self._answered(request)  # its caller has gone
            return
        settled = all(order.open_text is None for order in self._orders.values())
        if exact and settled and self.ledger.settle(request.position, "exact"):
            self.on_progress()
        self.resolve_flushes()

    def resolve_flushes(self) -> None:  # noqa: D102
        self._flushes.resolve()

    def on_lost(self, start: int, end: int, error: STTError) -> None:  # noqa: D102
        self._report_lost([(start, end)], error)

    def _report_lost(self, spans: list[Span], error: STTError | None = None) -> None:
        rate = self.ledger.format.sample_rate
        for start, end in spans:
            span = AudioSpan(start / rate, end / rate)
            self._log.warning(
                "%s: %.2f s of audio are lost, from %.2f s on%s",
                self._provider,
                span.duration,
                span.start_time,
                f": {error}" if error else "",
            )
            self.outbox.announce(SpeechEvent(SpeechEventType.AUDIO_LOST, time=span.start_time, span=span, error=error))
