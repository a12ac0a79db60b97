"""What a streaming provider writes: a codec, bytes in, events out.

A codec is a plain object that belongs to one connection. It knows a vendor's messages and nothing else: no socket, no
clock, no ``await``. The :class:`~stt_core.transport.websocket.WebSocketRunner` asks it what to send, gives it what was
received, and does the rest: connecting, readiness, pings, pacing, replay, draining, closing and mapping errors.

Times in a codec's events are the vendor's, in seconds of the audio that this connection was sent; where the vendor's
times cannot be trusted, ``None``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from ..events import SpeechEvent

if TYPE_CHECKING:
    from ..audio.frames import AudioFormat
    from ..errors import STTError
    from ..registry import Carries, Resolved

__all__ = [
    "Acknowledged",
    "Codec",
    "CodecPolicy",
    "Failed",
    "Finished",
    "Finishing",
    "Handshake",
    "IdlePolicy",
    "Incoming",
    "Message",
    "Opened",
    "Processed",
    "Reply",
    "Settled",
]

Message = str | bytes
"""A frame on the wire: text or binary."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """How to connect.

    Attributes:
        url: ``ws://`` or ``wss://``, its query already percent-encoded; never logged, because a ``base_url`` may hold
            a password.
        headers: may hold secrets; they are never logged.
        protocols: WebSocket subprotocols.
        secrets: those that the headers were made of, which the vendor knows as well and may quote.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    protocols: Sequence[str] = ()
    secrets: Sequence[str] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class IdlePolicy:
    """What to do when no audio comes and the vendor would take that for something else.

    Attributes:
        after: seconds without audio (or keep-alive) after which the driver acts, and again each time.
        silence: seconds of silence injected; 0 sends the codec's keep-alive message instead.
        only_in_turn: only while a turn is open.
    """

    after: float
    silence: float = 0.1
    only_in_turn: bool = False


@dataclass(frozen=True, slots=True)
class CodecPolicy:
    """How the runner treats this wire.

    Attributes:
        ready: whether the handshake is enough, or the codec's :class:`Opened` is waited for.
        flush: how to finalise on demand: by the codec's own message, by injected silence, or by a planned reconnect.
        flush_silence: seconds of silence that make the vendor finalise, with ``flush="silence"``.
        ends: whether the vendor acknowledges the end with a message, or by closing the connection; where it does
            neither for sure, the codec says :class:`Finishing`.
        idle: see :class:`IdlePolicy`; ``None`` does nothing.
        max_pace: how many times faster than real time the vendor bears a backlog; ``None`` for any.
        progress_within: seconds without any message while audio is sent, after which the connection counts as dead;
            ``None`` where healthy silence is possible.
        not_retryable_closes: WebSocket close codes that mean that the same attempt will fail again.
        end_close_codes: close codes that are a clean end once the end was asked for.
    """

    ready: Literal["handshake", "message"] = "handshake"
    flush: Literal["native", "silence", "reconnect"] = "native"
    flush_silence: float = 1.0
    ends: Literal["message", "close"] = "message"
    idle: IdlePolicy | None = None
    max_pace: float | None = None
    progress_within: float | None = None
    not_retryable_closes: frozenset[int] = frozenset({1002, 1003, 1007, 1008, 1009, 1010})
    end_close_codes: frozenset[int] = frozenset({1000, 1005})


# -- what a received message comes to, beside a SpeechEvent --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opened:
    """The session is ready for audio, or says its id."""

    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """Everything up to ``seconds`` is recognised, exactly; with ``event``, by that FINAL."""

    seconds: float
    event: SpeechEvent | None = None


@dataclass(frozen=True, slots=True)
class Processed:
    """The vendor has heard the audio up to ``seconds``: a sign of life."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The oldest flush that is not acknowledged yet is done; ``exact``: no finals for it trail behind."""

    exact: bool = True


@dataclass(frozen=True, slots=True)
class Finished:
    """The end is acknowledged: nothing more comes."""


@dataclass(frozen=True, slots=True)
class Finishing:
    """Everything seems to be said, behind the end: a clean close, or so many seconds without a word, are the end.

    Attributes:
        after: seconds; they begin anew with each of these. ``None`` takes it back: there is more to come.
    """

    after: float | None


@dataclass(frozen=True, slots=True)
class Reply:
    """To be sent now, because of what was received."""

    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class Failed:
    """The vendor reports an error.

    Attributes:
        error: typed, with the vendor's own words, code, status and request id; ``retryable`` decides what comes next.
        fatal: the session is over; otherwise it goes on, and the error is only logged.
    """

    error: STTError
    fatal: bool = True


Incoming = SpeechEvent | Opened | Settled | Processed | Acknowledged | Finished | Finishing | Reply | Failed


class Codec(Protocol):
    """One connection of one vendor's protocol."""

    @property
    def carries(self) -> Carries:
        """What its events carry."""
        ...

    @property
    def policy(self) -> CodecPolicy:
        """How the runner treats it."""
        ...

    @property
    def audio_format(self) -> AudioFormat:
        """Of the audio on the wire: what the handshake or the opening declares."""
        ...

    def opening(self) -> Iterable[Message]:
        """Sent right after the handshake."""
        ...

    def audio(self, data: bytes) -> Message:
        """A chunk of audio, in :attr:`audio_format`.

        The ledger has joined whatever was pushed to 50 ms; before a flush and the end it is less.
        """
        ...

    def flush(self) -> Iterable[Message]:
        """Asks for everything to be finalised; with ``policy.flush="native"``."""
        ...

    def end(self) -> Iterable[Message]:
        """Says that there is no more audio."""
        ...

    def keep_alive(self) -> Message | None:
        """What an idle policy without silence sends; ``None`` where there is no such message."""
        ...

    def update(self, settings: Resolved) -> Iterable[Message] | None:
        """Changes the options in band; ``None`` when that takes a new connection."""
        ...

    def receive(self, message: Message) -> Sequence[Incoming]:
        """What a received message means.

        Fields and types of message that it does not know are nothing to complain about. A message that is not what the
        protocol says may raise any exception: the runner takes it for a dropped connection.
        """
        ...
