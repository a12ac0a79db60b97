"""What goes wrong, and when: all faults are plain data.

A plan is a list of faults for every connection, or a mapping from the connection's number, counted from 0, to its
faults; the key :data:`EVERY` holds those of all of them::

    {0: [Drop(AudioSent(1.0))], 1: [Status(503, retry_after=1)]}

``nth`` counts the messages that match from 0, on each connection anew; ``None`` means all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from .messages import Corruption, Json, Match, Outgoing, anything

if TYPE_CHECKING:
    from ...transport.codec import Message

__all__ = [
    "BAD_GATEWAY",
    "EVERY",
    "Accepted",
    "Act",
    "Alter",
    "AudioSent",
    "BlackHole",
    "ClientSends",
    "Close",
    "Corrupt",
    "CutResponse",
    "CutUpload",
    "Delay",
    "DelayResults",
    "Drop",
    "Duplicate",
    "HalfOpen",
    "HttpFault",
    "HttpPlan",
    "KeepOpen",
    "Moment",
    "Plan",
    "Refuse",
    "Reorder",
    "Repeat",
    "Replace",
    "Send",
    "ServerSends",
    "SlowResponse",
    "SlowUpload",
    "SocketFault",
    "Stall",
    "Status",
    "StopReading",
    "Swallow",
    "faults_of",
]

EVERY: Final = -1
Cut = Literal["reset", "eof"]

# -- moments ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """Right after the handshake."""


@dataclass(frozen=True, slots=True)
class AudioSent:
    """When the client has sent so many seconds of audio; the chunk that reaches them still goes through."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ServerSends:
    """When the server sends the n-th message that matches; ``during``: when half of its frame is out."""

    match: Match = anything
    nth: int | None = 0
    side: Literal["before", "during", "after"] = "after"


@dataclass(frozen=True, slots=True)
class ClientSends:
    """When the client has sent the n-th message that matches (``matching("finalize")``), and it went through."""

    match: Match = anything
    nth: int | None = 0


Moment = Accepted | AudioSent | ServerSends | ClientSends

# -- instead of a handshake or of an answer --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refuse:
    """The request is read and the connection reset. For "nothing listens" see ``Drop.outage`` and ``server.outage``."""


@dataclass(frozen=True, slots=True)
class Status:
    """An HTTP answer; what the client uploads is read before.

    Attributes:
        status: of the answer.
        body: the answer's.
        headers: the answer's, beside its content type.
        retry_after: the value of that header: seconds, or a date as RFC 9110 has them; ``None`` for no header.
        content_type: ``None`` guesses from the body whether it is HTML, JSON or plain text.
    """

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    retry_after: float | str | None = None
    content_type: str | None = None


BAD_GATEWAY: Final = Status(
    502, "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
)


@dataclass(frozen=True, slots=True)
class BlackHole:
    """The connection is accepted and nothing is ever answered."""


@dataclass(frozen=True, slots=True)
class Delay:
    """The handshake, or the answer to the request, comes ``seconds`` of the loop's clock later."""

    seconds: float


# -- at a moment -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection goes away without a Close frame.

    Attributes:
        at: when.
        how: ``reset`` sends an RST, ``eof`` ends the TCP connection in good order.
        outage: seconds of the loop's clock for which nothing listens afterwards; 0 for none.
    """

    at: Moment = field(default_factory=Accepted)
    how: Cut = "reset"
    outage: float = 0.0


@dataclass(frozen=True, slots=True)
class Close:
    """The server closes, with any code, also one that must not be sent (1006); ``None`` sends a Close without one."""

    code: int | None = 1000
    reason: str = ""
    at: Moment = field(default_factory=Accepted)


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """Nothing is read nor written any more, Pongs neither, and the connection stays."""

    at: Moment = field(default_factory=Accepted)


@dataclass(frozen=True, slots=True)
class Stall:
    """No message comes any more, Close neither; Pings are answered, and what the client sends still goes through."""

    at: Moment = field(default_factory=Accepted)


@dataclass(frozen=True, slots=True)
class StopReading:
    """Nothing is read for ``seconds`` of the loop's clock, or with ``None`` until ``connection.resume_reading()``."""

    at: Moment = field(default_factory=Accepted)
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """Messages that the server behind never sent."""

    messages: Sequence[Outgoing]
    at: Moment = field(default_factory=Accepted)


@dataclass(frozen=True, slots=True)
class Repeat:
    """The message again and again, ``every`` so many seconds of the loop's clock, until the connection is closed."""

    message: Message
    every: float
    at: Moment = field(default_factory=Accepted)


Act = Drop | Close | HalfOpen | Stall | StopReading | Send | Repeat

# -- to messages on their way ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Replace:
    """Other messages come instead; none with an empty list."""

    messages: Sequence[Outgoing]
    match: Match = anything
    nth: int | None = 0


@dataclass(frozen=True, slots=True)
class Corrupt:
    """What comes instead cannot be read, or not as what it should be.

    ``truncated`` is a whole frame with the first half of the text, ``oversized`` a message of 5 MiB, ``binary`` the
    text in a binary frame, ``huge`` a frame whose header announces 4 EiB, ``cut short`` one that announces 1 MiB more
    than comes (what follows is taken for it), ``unfinished`` one whose message goes on in a continuation that never
    comes. ``bad utf-8``, ``bad opcode`` and ``reserved bits`` break RFC 6455.
    """

    kind: Corruption
    match: Match = anything
    nth: int | None = 0


@dataclass(frozen=True, slots=True)
class Alter:
    """A JSON message loses fields (``missing``) and gets others; paths are dotted: ``words.0.start``."""

    missing: Sequence[str] = ()
    values: Mapping[str, Json] = field(default_factory=dict[str, Json], hash=False)
    match: Match = anything
    nth: int | None = None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The message comes ``copies`` times more."""

    match: Match = anything
    nth: int | None = 0
    copies: int = 1


@dataclass(frozen=True, slots=True)
class Reorder:
    """The message comes after the ``behind`` next ones; before the end of the connection in any case."""

    match: Match = anything
    nth: int | None = 0
    behind: int = 1


@dataclass(frozen=True, slots=True)
class Swallow:
    """The message never arrives: at the client, or with ``sender="client"`` at the server."""

    match: Match = anything
    nth: int | None = None
    sender: Literal["server", "client"] = "server"


@dataclass(frozen=True, slots=True)
class KeepOpen:
    """The server's end of the connection, orderly or not, is kept from the client, to whom it looks alive."""


@dataclass(frozen=True, slots=True)
class DelayResults:
    """Messages wait until the client has sent some more audio, in order, each a different amount.

    They come earlier once the client has sent something other than audio (a flush, an end) and no audio after that, and
    where no audio at all comes for as many seconds of the loop's clock.

    Attributes:
        seed: the same seed and number of the connection give the same delays.
        low: seconds of audio.
        high: seconds of audio.
        match: which messages; others only keep their place behind them.
    """

    seed: int
    low: float = 0.3
    high: float = 2.0
    match: Match = anything


Change = Replace | Corrupt | Alter | Duplicate | Reorder | Swallow

# -- to uploads and answers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CutUpload:
    """The connection is lost after so many bytes of the request's body; nothing of it goes any further."""

    after: int = 0
    how: Cut = "reset"


@dataclass(frozen=True, slots=True)
class CutResponse:
    """The connection is lost after so many bytes of the answer's body, of which the header announces all."""

    after: int = 0
    how: Cut = "reset"


@dataclass(frozen=True, slots=True)
class SlowUpload:
    """The request's body is read in steps of up to ``size`` bytes, ``every`` so many seconds of the loop's clock."""

    size: int
    every: float


@dataclass(frozen=True, slots=True)
class SlowResponse:
    """The answer's body comes in steps of ``size`` bytes, ``every`` so many seconds of the loop's clock."""

    size: int
    every: float


Handshake = Refuse | Status | BlackHole | Delay
SocketFault = Handshake | Act | Change | KeepOpen | DelayResults
HttpFault = Handshake | CutUpload | CutResponse | SlowUpload | SlowResponse | Replace | Corrupt | Alter
Plan = Sequence[SocketFault] | Mapping[int, Sequence[SocketFault]]
HttpPlan = Sequence[HttpFault] | Mapping[int, Sequence[HttpFault]]

F = TypeVar("F")


def faults_of(plan: Sequence[F] | Mapping[int, Sequence[F]], number: int) -> Sequence[F]:
    """The faults of one connection, those of every connection first."""
    if isinstance(plan, Mapping):
        return (*plan.get(EVERY, ()), *plan.get(number, ()))
    return plan
