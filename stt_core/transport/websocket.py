"""The runner for codecs: everything about a WebSocket that is the same for every vendor."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

import aiohttp

from ..errors import BadRequestError, ConnectionLostError, STTError
from ..events import SpeechEvent, SpeechEventType
from ..runner import AudioChunk, FlushRequest, OptionsUpdate, ReconnectRequested
from .codec import Acknowledged, Failed, Finished, Finishing, Opened, Processed, Reply, Settled

if TYPE_CHECKING:
    from ..audio.frames import AudioFormat
    from ..registry import Carries, Resolved
    from ..runner import AudioSource, EventSink, SourceItem
    from .codec import Codec, Handshake, Incoming, Message
    from .http import HttpClient, Socket

__all__ = ["WebSocketRunner"]

_START = SpeechEventType.START_OF_SPEECH
_FINAL = SpeechEventType.FINAL_TRANSCRIPT
_END = SpeechEventType.END_OF_SPEECH

PACE_BURST_SECONDS = 1.0
"""Audio that may go out at once before ``max_pace`` holds."""

LAST_WORDS_SECONDS = 1.0
"""For a close frame to arrive after a send has failed."""

CUT_WORD_SECONDS = 1.0
"""What is sent again after a planned reconnect, unless a FINAL's times reach further."""

TICK_SECONDS = 0.001
"""A timer may come early by the clock's resolution, and would be set again for a moment that has come."""

_SILENCE = {"pcm_mulaw": b"\xff", "pcm_alaw": b"\xd5"}


class WebSocketRunner:
    """Runs any codec; see :mod:`stt_core.transport.codec`. One for all connections of a stream.

    Args:
        client: opens the sockets.
        settings: ``liveness_timeout``, ``drain_timeout`` and ``max_pace`` are used.
        codec: makes the codec of a connection, from the settings in force and the format of the audio as pushed.
        handshake: makes the handshake of a connection: here credentials are asked for.
    """

    def __init__(
        self,
        client: HttpClient,
        settings: Resolved,
        *,
        codec: Callable[[Resolved, AudioFormat], Codec],
        handshake: Callable[[Codec], Awaitable[Handshake]],
    ) -> None:
        self._client = client
        self._settings = settings
        self._codec = codec
        self._handshake = handshake

    @property
    def carries(self) -> Carries:
        """See :class:`stt_core.runner.Runner`."""
        return self._settings.family.carries

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        """See :meth:`stt_core.runner.Runner.run`."""
        codec = self._codec(self._settings, source.format)
        source.convert(codec.audio_format)
        socket = await self._client.connect(await self._handshake(codec))
        connection = _Connection(socket, codec, source, sink, self._settings)
        try:
            await connection.serve()
        finally:
            self._settings = connection.settings
            await _close(socket.ws)


async def _close(ws: aiohttp.ClientWebSocketResponse) -> None:
    """Says goodbye, without letting anybody wait for the answer of a peer that may be dead."""
    closing = asyncio.ensure_future(ws.close())
    try:
        await asyncio.shield(closing)
    except asyncio.CancelledError:
        await asyncio.wait((closing,))
        raise


class _Connection:
    """One open socket: a task that sends, a task that receives, and a watch on both."""

    def __init__(
        self,
        socket: Socket,
        codec: Codec,
        source: AudioSource,
        sink: EventSink,
        settings: Resolved,
    ) -> None:
        self.settings = settings
        self._ws = socket.ws
        self._hide = socket.hide
        self._codec = codec
        self._policy = codec.policy
        self._source = source
        self._sink = sink
        self._provider = settings.provider.name
        self._log = logging.LoggerAdapter(logging.getLogger(f"stt_core.{self._provider}"), sink.log_context)
        self._request_id = socket.headers.get("X-Request-Id")
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.create_future()
        self._finished = self._loop.create_future()
        self._flushes: deque[FlushRequest] = deque()
        self._ending = False
        self._quiet = asyncio.timeout(None)
        self._in_turn = False
        self._sent_seconds = 0.0
        self._pace = _Pace(settings.stream["max_pace"] or self._policy.max_pace, self._loop.time)
        self._heard = self._loop.time()  # when the peer last gave a sign of life
        self._answered = self._heard  # when it last sent a message
        self._sent_since = False  # audio since then
        self._watch: asyncio.TimerHandle | None = None
        self._pinged = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: STTError | None = None

    async def serve(self) -> None:
        """Runs to the acknowledged end, or raises why not."""
        sender = self._loop.create_task(self._send())
        receiver = self._loop.create_task(self._receive())
        self._tasks |= {sender, receiver}
        self._keep_watch()
        try:
            await asyncio.wait((sender, receiver), return_when=asyncio.FIRST_EXCEPTION)
            if self._failure is not None:
                raise self._failure
            if sender.done() and not receiver.done():
                # A send failed. Why the peer hung up is on its way to the receiver, which knows it in a moment.
                await asyncio.wait((receiver,), timeout=LAST_WORDS_SECONDS)
            for task in (receiver, sender):
                if task.done():
                    task.result()
        finally:
            if self._watch is not None:
                self._watch.cancel()
            tasks = set(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    # -- sending ---------------------------------------------------------------------------------------------------

    async def _send(self) -> None:
        await self._write(self._codec.opening())
        if self._policy.ready == "handshake":
            self._sink.connected(request_id=self._request_id)
        else:
            await asyncio.shield(self._opened)
        while True:
            item = await self._next()
            if isinstance(item, AudioChunk):
                await self._send_audio(item.data)
            elif isinstance(item, FlushRequest):
                await self._flush(item)
            elif isinstance(item, OptionsUpdate):
                await self._update(item)
            else:
                await self._end()
                return

    async def _next(self) -> SourceItem:
        idle = self._policy.idle
        while True:
            if idle is None:
                return await self._source.receive()
            # A timeout costs more than all else here, and a backlog is there already.
            if (item := self._source.receive_nowait()) is not None:
                return item
            try:
                async with asyncio.timeout(idle.after):
                    return await self._source.receive()
            except TimeoutError:
                if self._in_turn or not idle.only_in_turn:
                    await self._keep_alive(idle.silence)

    async def _keep_alive(self, silence: float) -> None:
        message = None if silence else self._codec.keep_alive()
        if message is not None:
            await self._write((message,))
        elif silence:
            await self._send_silence(silence)

    async def _send_audio(self, data: bytes) -> None:
        seconds = self._codec.audio_format.seconds(len(data))
        await self._pace.wait(seconds)
        message = self._codec.audio(data)
        if isinstance(message, str):
            await self._ws.send_str(message)
        else:
            await self._ws.send_bytes(message)
        self._sent_seconds += seconds
        self._sent_since = True

    async def _send_silence(self, seconds: float) -> None:
        audio_format = self._codec.audio_format
        frame = _SILENCE.get(audio_format.encoding, b"\0")
        await self._send_audio(frame * audio_format.bytes_for(seconds))
        self._source.add_silence(seconds)

    async def _write(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if self._log.isEnabledFor(logging.DEBUG):
                self._log.debug("sent %s", scrub(message))
            if isinstance(message, str):
                await self._ws.send_str(message)
            else:
                await self._ws.send_bytes(message)

    async def _flush(self, request: FlushRequest) -> None:
        how = self._policy.flush
        if how == "reconnect":
            await self._finish()
            self._sink.flushed(request)
            raise ReconnectRequested
        self._flushes.append(request)
        if how == "native":
            await self._write(self._codec.flush())
            return
        step = min(self._policy.flush_silence, 0.1)
        for _ in range(round(self._policy.flush_silence / step)):
            await self._send_silence(step)
        if not self._in_turn:
            self._acknowledge(exact=False)

    async def _update(self, update: OptionsUpdate) -> None:
        messages = self._codec.update(update.settings)
        if messages is not None:
            await self._write(messages)
        self.settings = update.settings
        if messages is None:
            await self._finish()
        self._sink.updated(update)
        if messages is None:
            raise ReconnectRequested

    async def _end(self) -> None:
        self._ending = True
        await self._write(self._codec.end())

    async def _finish(self) -> None:
        """Ends this session before a planned reconnect, with everything said; what it does not say is replayed.

        A word may have been cut in two. Times tell where it began; without them, whether somebody was speaking, which
        is known before the first text of a turn only where turns are marked.
        """
        carries = self._codec.carries
        cut = self._in_turn or not carries.turns or carries.times == "session"
        await self._end()
        try:
            async with asyncio.timeout(self.settings.stream["drain_timeout"]):
                await asyncio.shield(self._finished)
        except TimeoutError:
            return
        self._sink.settle(self._sent_seconds - (CUT_WORD_SECONDS if cut else 0.0))

    # -- receiving -------------------------------------------------------------------------------------------------

    async def _receive(self) -> None:
        try:
            async with self._quiet:
                await self._listen()
        except TimeoutError:
            if not self._quiet.expired():
                raise
            self._on_finished()

    async def _listen(self) -> None:
        ws, hide, decode, take = self._ws, self._hide, self._codec.receive, self._take
        while not self._finished.done():
            message = await ws.receive()
            self._heard = self._loop.time()
            self._pinged = False
            kind = message.type
            if kind is aiohttp.WSMsgType.TEXT or kind is aiohttp.WSMsgType.BINARY:
                self._answered, self._sent_since = self._heard, False
                data: Message = hide(message.data) if kind is aiohttp.WSMsgType.TEXT else message.data
                del message  # errors are raised from here, and as it came it may quote the key
                if self._log.isEnabledFor(logging.DEBUG):
                    self._log.debug("received %s", scrub(data))
                for item in decode(data):
                    take(item)
            elif kind is aiohttp.WSMsgType.PING:
                await ws.pong(message.data)
            elif kind in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED):
                reason = hide(message.extra) if isinstance(message.extra, str) else ""
                code: object = ws.close_code if message.data is None else message.data
                del message
                self._on_close(code, reason)
            elif kind is aiohttp.WSMsgType.ERROR:
                raise ConnectionLostError(
                    f"{self._provider} broke the WebSocket protocol: {message.data}", provider=self._provider
                )

    def _take(self, item: Incoming) -> None:
        if type(item) is SpeechEvent:
            self._follow_turn(item)
            self._sink.emit(item)
        elif isinstance(item, Settled):
            if item.event is None:
                self._sink.settle(item.seconds)
            else:
                self._follow_turn(item.event)
                self._sink.emit(item.event, settled=item.seconds)
        elif isinstance(item, Processed):
            self._sink.processed(item.seconds)
        elif isinstance(item, Opened):
            self._sink.connected(request_id=item.request_id or self._request_id)
            if not self._opened.done():
                self._opened.set_result(None)
        elif isinstance(item, Acknowledged):
            self._acknowledge(exact=item.exact)
        elif isinstance(item, Finished):
            self._on_finished()
        elif isinstance(item, Finishing):
            self._quiet.reschedule(None if item.after is None else self._loop.time() + item.after)
        elif isinstance(item, Reply):
            self._spawn(lambda: self._write(item.messages))
        elif isinstance(item, Failed):
            self._on_error(item)

    def _follow_turn(self, event: SpeechEvent) -> None:
        kind = event.type
        if kind is _END or (kind is _FINAL and not self._codec.carries.turns):
            self._in_turn = False
            if self._policy.flush == "silence" and self._flushes:
                # The final of this very event comes first: it is handed over before the acknowledgement.
                self._loop.call_soon(self._acknowledge_if_idle)
        else:
            self._in_turn = True

    def _acknowledge_if_idle(self) -> None:
        if not self._in_turn:
            self._acknowledge(exact=False)

    def _acknowledge(self, *, exact: bool) -> None:
        if self._flushes:
            self._sink.flushed(self._flushes.popleft(), exact=exact)

    def _on_finished(self) -> None:
        if not self._ending:
            raise ConnectionLostError(
                f"{self._provider} ended the session before its input",
                provider=self._provider,
                request_id=self._request_id,
            )
        if not self._finished.done():
            self._finished.set_result(None)

    def _on_error(self, failed: Failed) -> None:
        error = failed.error
        error.provider = error.provider or self._provider
        error.request_id = error.request_id or self._request_id
        if failed.fatal:
            raise error
        self._log.warning("%s", error)

    def _on_close(self, code: object, reason: str) -> None:
        number = code if isinstance(code, int) else 1006
        expected = self._policy.ends == "close" or self._quiet.when() is not None
        if self._ending and expected and number in self._policy.end_close_codes:
            self._on_finished()
            return
        said = f"{number} {reason}".strip()
        if number in self._policy.not_retryable_closes:
            raise BadRequestError(
                f"{self._provider} closed the connection: {said}",
                code=str(number),
                provider=self._provider,
                request_id=self._request_id,
            )
        raise ConnectionLostError(
            f"{self._provider} closed the connection: {said}", provider=self._provider, request_id=self._request_id
        )

    # -- watching --------------------------------------------------------------------------------------------------

    def _keep_watch(self) -> None:
        """Notices a peer that is silent: a ping at half of ``liveness_timeout``, the end at the whole of it."""
        now = self._loop.time() + TICK_SECONDS
        patience = self.settings.stream["liveness_timeout"]
        within = self._policy.progress_within
        if now - self._heard >= patience:
            self._give_up(f"{self._provider} gave no sign of life for {patience:g} s (liveness_timeout)")
            return
        if within is not None and self._sent_since and now - self._answered >= within:
            self._give_up(f"{self._provider} said nothing about the audio of {within:g} s")
            return
        due = self._heard + patience
        if not self._pinged:
            due = self._heard + patience / 2
            if now >= due:
                self._pinged = True
                self._spawn(self._ws.ping)
                due = self._heard + patience
        if within is not None:
            due = min(due, max(self._answered + within, now + within / 4))
        self._watch = self._loop.call_at(due, self._keep_watch)

    def _give_up(self, reason: str) -> None:
        self._failure = ConnectionLostError(reason, provider=self._provider, request_id=self._request_id)
        for task in self._tasks:
            task.cancel()

    def _spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            try:
                await work()  # made here: a task that is cancelled before it begins would leave it never awaited
            except (ConnectionError, aiohttp.ClientError):
                return  # the receiver hears of it in its own way

        task = self._loop.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Pace:
    """Holds a sender back to ``factor`` times real time, after a burst."""

    def __init__(self, factor: float | None, clock: Callable[[], float]) -> None:
        self._factor = factor
        self._clock = clock
        self._level = 0.0
        self._at = clock()

    async def wait(self, seconds: float) -> None:
        """Waits until ``seconds`` more may go out."""
        if self._factor is None:
            return
        now = self._clock()
        self._level = max(self._level - (now - self._at) * self._factor, 0.0) + seconds
        self._at = now
        if self._level > PACE_BURST_SECONDS:
            await asyncio.sleep((self._level - PACE_BURST_SECONDS) / self._factor)


_SECRET = re.compile(
    r"""("(?:[\w-]*(?:key|token|secret|password|authorization|jwt)[\w-]*)"\s*:\s*)("(?:[^"\\]|\\.)*")""", re.IGNORECASE
)


def scrub(message: Message) -> str:
    """A control message for the log: without secrets, and cut."""
    if isinstance(message, bytes):
        return f"{len(message)} bytes"
    return _SECRET.sub(r'\1"***"', message)[:1000]
