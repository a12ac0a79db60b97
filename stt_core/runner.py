"""What a provider contributes to a stream: a runner.

A runner is one object per stream with one coroutine, :meth:`Runner.run`. The stream calls it for every connection anew:
it takes audio and requests from the *source*, in order, and gives events and settlements to the *sink*. Everything else
belongs to the stream and is the same for every provider: keeping audio until it is settled, replaying it, the clock,
the order of events, retries, deadlines, usage.

All times that a runner speaks of are seconds of the audio that *this* call of ``run`` was given, silence that it
injected included: the provider's own session time. The stream turns them into the caller's time.

A minimal runner::

    async def run(self, source, sink):
        source.convert(AudioFormat(16000))
        async with connect(...) as session:
            sink.connected()
            while not isinstance(item := await source.receive(), EndOfInput):
                if isinstance(item, AudioChunk):
                    events = await session.send(item.data)  # coming back for more says that it was accepted
                elif isinstance(item, FlushRequest):
                    events = await session.finalize()
                for event in events:
                    sink.emit(event)
                if isinstance(item, FlushRequest):
                    sink.flushed(item)
            for event in await session.finish():
                sink.emit(event)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .audio.frames import AudioFormat
    from .errors import STTError
    from .events import SpeechEvent
    from .registry import Carries, Resolved

__all__ = [
    "AudioChunk",
    "AudioSource",
    "EndOfInput",
    "EventSink",
    "FlushRequest",
    "OptionsUpdate",
    "ReconnectRequested",
    "Runner",
    "SourceItem",
]


@dataclass(slots=True)
class AudioChunk:
    """Audio to send.

    Attributes:
        data: in the format given to :meth:`AudioSource.convert`, else as pushed; never empty.
        start: position of its first sample in the audio as pushed.
        end: position after its last one.
        replayed: whether it was sent on an earlier connection.
    """

    data: bytes
    start: int
    end: int
    replayed: bool = False


@dataclass(slots=True, eq=False)
class FlushRequest:
    """Recognise what was given so far to the end, now. Answer with :meth:`EventSink.flushed`."""

    position: int


@dataclass(slots=True, eq=False)
class OptionsUpdate:
    """The options change from here on.

    Apply them in band, or finish the session and raise :class:`ReconnectRequested`; in both cases say
    :meth:`EventSink.updated` first and keep the settings for the next call of ``run``.
    """

    position: int
    settings: Resolved


@dataclass(slots=True, eq=False)
class EndOfInput:
    """No more audio. Return from ``run`` when the provider has said everything it has to say."""

    position: int


SourceItem = AudioChunk | FlushRequest | OptionsUpdate | EndOfInput


class ReconnectRequested(Exception):  # noqa: N818  (control flow, not an error)
    """Raised by a runner to be called again at once: a planned reconnect, which spends no budget."""


class AudioSource(Protocol):
    """The audio and the requests of one connection, in order."""

    @property
    def format(self) -> AudioFormat:
        """Of the data that :meth:`receive` gives."""
        ...

    @property
    def backlog(self) -> float:
        """Seconds of audio that were pushed and not given out yet."""
        ...

    def convert(self, target: AudioFormat) -> None:
        """Says what is wanted, before the first :meth:`receive`. Equal formats pass through untouched."""
        ...

    async def receive(self) -> SourceItem:
        """The next item; waits for one.

        Asking for the next item says that the audio given last was accepted by the transport. A runner that fails
        before it comes back leaves that audio to the next connection, and out of the usage.
        """
        ...

    def receive_nowait(self) -> SourceItem | None:
        """The next item, ``None`` when there is nothing at the moment."""
        ...

    def add_silence(self, seconds: float) -> None:
        """The runner has sent silence of its own: it is counted, and maps to a point of the caller's time."""
        ...


class EventSink(Protocol):
    """Where a runner reports. None of these calls waits or fails."""

    @property
    def log_context(self) -> Mapping[str, object]:
        """Whose log records these are: ``stream_id``, ``provider`` and ``request_id``, for ``extra=``."""
        ...

    def connected(self, *, request_id: str | None = None) -> None:
        """The provider is ready for audio. Until this is said, ``connect_timeout`` runs."""
        ...

    def emit(self, event: SpeechEvent, *, settled: float | None = None) -> None:
        """An event about speech, with the provider's times.

        Args:
            event: handed over for good: the stream completes it in place.
            settled: with a FINAL: the provider has recognised all audio up to this second, exactly.
        """
        ...

    def settle(self, seconds: float) -> None:
        """The provider has recognised all audio up to this second, exactly."""
        ...

    def processed(self, seconds: float) -> None:
        """The provider has heard the audio up to this second: a sign of life that holds deadlines off."""
        ...

    def working(self) -> None:
        """The provider is at work and cannot say how far: a sign of life that holds deadlines off."""
        ...

    def lost(self, start: float, end: float, error: STTError) -> None:
        """What lies between these seconds will not be recognised, because of ``error``, and the session goes on."""
        ...

    def flushed(self, request: FlushRequest, *, exact: bool = True) -> None:
        """The provider has finalised everything before the request.

        Args:
            request: what :meth:`AudioSource.receive` gave.
            exact: no finals for that audio trail behind this acknowledgement.
        """
        ...

    def updated(self, update: OptionsUpdate) -> None:
        """The options were taken over."""
        ...


class Runner(Protocol):
    """One stream's connection to a provider."""

    @property
    def carries(self) -> Carries:
        """What the provider's events carry; the stream relies on ``turns`` and ``times``."""
        ...

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        """Serves one connection from its first audio to the acknowledged end of input.

        Raises:
            STTError: the connection, the process or the vendor failed; ``retryable`` decides what comes next.
            ReconnectRequested: to be called again at once.
        """
        ...
