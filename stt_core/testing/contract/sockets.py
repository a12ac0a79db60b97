"""A provider with a server half as a subject: its client half, a bad network, its server half, words behind.

The provider behind the server half hears :mod:`counted audio <stt_core.testing.counted>`, so it says the right words
after whatever reconnects. A provider's package makes its subjects in a module ``contract``::

    def subjects(sample: Sample | None = None) -> Iterable[Subject]:
        return [socket_subject("acme", Wire(provider="acme", ...), make_client)]
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...audio.frames import AudioFormat
from ...server import Host
from ..counted import CountedSTT, counted_audio
from ..faults import (
    EVERY,
    AudioWire,
    BlackHole,
    Connection,
    Drop,
    FaultProxy,
    HalfOpen,
    Repeat,
    Send,
    Status,
    Swallow,
)
from ..faults.record import places_of
from ..scripted import Cue, Fault, utterance
from .report import NotProven
from .subject import Received, Refusal, Sample, Subject, Update

if TYPE_CHECKING:
    import aiohttp

    from ...errors import STTError
    from ...events import SpeechEvent
    from ...provider import Carries
    from ...stt import STT
    from ...transport.codec import Message
    from ..faults.messages import Outgoing
    from ..faults.plan import Act, SocketFault

__all__ = ["COUNTED", "PACE", "Wire", "socket_subject"]

PACE = 20.0
"""Times real time; the client is to be made with a ``max_pace`` that is no less."""

_RATE = 16000
_WORDS = "one two three four five six seven eight"
_SECONDS = 2.0
_BABBLE_SECONDS = 0.05
_CONNECTIONS = 10
"""More than anybody tries of what is refused."""

_ANOTHER_KEY = "not-the-one-that-the-client-has"


def _counted_from(start: float) -> bytes:
    end = start + _SECONDS
    return counted_audio(end, voiced=[(start, end)], sample_rate=_RATE)[AudioFormat(_RATE).bytes_for(start) :]


COUNTED = Sample(
    _counted_from(0.0),
    AudioFormat(_RATE),
    _WORDS.split(),
    [(index * 0.25, (index + 1) * 0.25) for index in range(8)],
    _counted_from,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What the kit has to know of a vendor's protocol.

    Args:
        provider: whose server half it is.
        carries: what the wire brings across.
        audio_format: what a connection has declared its audio to be.
        refused: the vendor's answer to a handshake or request that it turns away; its status is never ``None``.
        empty_interim: a message with an interim that has no text.
        malformed: a message that the protocol does not allow.
        update: options that can change while a stream runs.
        updated: whether the connections of a stream, the last one being the open one, have brought them across.
        secrets: what the client signs in with, and whatever else nobody may see.
        secret_headers: those that are made for it.
        audio: how audio is found in what the client sends.
        behind: makes the provider behind the server half; its cues are set as they are needed.
    """

    provider: str
    carries: Carries
    audio_format: Callable[[Connection], AudioFormat]
    refused: Callable[[Refusal], Status]
    empty_interim: Message
    malformed: Outgoing = '{"type":'
    update: Mapping[str, object]
    updated: Callable[[Sequence[Connection]], bool]
    secrets: Sequence[str] = field(default=(), repr=False)
    secret_headers: Collection[str] = ()
    audio: AudioWire = field(default_factory=AudioWire)
    behind: Callable[[Sequence[Cue]], CountedSTT] = CountedSTT


def socket_subject(
    name: str, wire: Wire, make_client: Callable[[str, aiohttp.ClientSession | None], STT], *, pace: float = PACE
) -> Subject:
    """A provider whose client half talks to its server half, over a network that can be disturbed.

    Args:
        name: for the report.
        wire: its protocol.
        make_client: makes the client half for a base URL; the HTTP session is the caller's, or there is none.
        pace: see :class:`Subject`.
    """
    world = _World(wire)

    async def create(starts: Sequence[float]) -> STT:
        return world.meet(make_client(world.proxy.url, None), starts)

    async def with_session(session: aiohttp.ClientSession) -> STT:
        return world.meet(make_client(world.proxy.url, session), ())

    @asynccontextmanager
    async def stranger() -> AsyncGenerator[STT]:
        async with (
            wire.behind([]) as behind,
            Host(behind, api_keys=[_ANOTHER_KEY]) as host,
            make_client(host.urls[wire.provider], None) as stt,
        ):
            yield stt

    return Subject(
        name=name,
        kind="socket",
        create=create,
        sample=COUNTED,
        carries=wire.carries,
        pace=pace,
        clock_tolerance=0.05,
        drop=world.drop,
        hold=world.hold,
        mute=world.mute,
        babble=world.babble,
        received=world.received,
        with_session=with_session,
        garble=world.garble,
        refuse=world.refuse,
        stranger=stranger,
        failing=world.failing,
        secrets=wire.secrets,
        leaks=world.leaks,
        update=Update(options=wire.update, arrived=world.updated),
        environment=world.open,
        virtual_time=True,
    )


class _World:
    """What stands behind a subject: the network, the server half, and who recognises. One STT uses it at a time."""

    def __init__(self, wire: Wire) -> None:
        self._proxy: FaultProxy | None = None
        self._wire = wire
        self._behind = wire.behind([])
        self._deaf = False
        self._first = 0  # of the STT's connections

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        async with self._wire.behind([]) as self._behind, Host(self._behind) as host:
            url = host.urls[self._wire.provider]
            async with FaultProxy(url, self._plan(), audio=self._wire.audio) as self._proxy:
                yield

    @property
    def proxy(self) -> FaultProxy:
        """The network."""
        if self._proxy is None:
            raise NotProven("the subject's environment was not entered")
        return self._proxy

    def meet(self, stt: STT, starts: Sequence[float]) -> STT:
        """A new STT: what is said to it begins at these seconds."""
        self._behind.cues = [cue for start in starts for cue in utterance(_WORDS, start=start, end=start + _SECONDS)]
        self._first = len(self.proxy.connections)
        return stt

    def _plan(self, *more: SocketFault) -> list[SocketFault]:
        # While it is mute nothing gets through either way, but for Pings, which the proxy answers.
        return [Swallow(self._is_deaf), Swallow(self._is_deaf, sender="client"), *more]

    def _is_deaf(self, _: Message) -> bool:
        return self._deaf

    @property
    def _connections(self) -> Sequence[Connection]:
        return self.proxy.connections[self._first :]

    async def _act(self, act: Act) -> None:
        """Does it to every open connection; waits until there is one."""

        def connected() -> Sequence[Connection]:
            return [each for each in self._connections if each.accepted and each.ended_by is None]

        with suppress(TimeoutError):
            for connection in await self.proxy.wait_for(connected):
                await connection.act(act)

    async def drop(self, _: STT) -> None:
        await self._act(Drop())

    async def garble(self, _: STT) -> None:
        await self._act(Send([self._wire.malformed]))

    @asynccontextmanager
    async def hold(self, _: STT) -> AsyncGenerator[None]:
        held = [each for each in self._connections if each.ended_by is None]
        await self._act(HalfOpen())
        try:
            yield
        finally:
            for connection in held:
                await connection.act(Drop())

    @asynccontextmanager
    async def mute(self, _: STT) -> AsyncGenerator[None]:
        self._deaf = True
        try:
            yield
        finally:
            self._deaf = False

    @asynccontextmanager
    async def babble(self, stt: STT) -> AsyncGenerator[None]:
        async with self.mute(stt):
            await self._act(Repeat(self._wire.empty_interim, _BABBLE_SECONDS))
            yield

    @asynccontextmanager
    async def refuse(self, _: STT, refusal: Refusal) -> AsyncGenerator[Callable[[], int]]:
        proxy = self.proxy
        fault = BlackHole() if refusal.status is None else self._wire.refused(refusal)
        sockets, files = len(proxy.connections), len(proxy.requests)

        def numbers(first: int) -> Sequence[int]:
            return [EVERY] if refusal.times is None else range(first, first + refusal.times)

        proxy.plan = {EVERY: self._plan()} | {number: self._plan(fault) for number in numbers(sockets)}
        proxy.http_plan = {number: [fault] for number in numbers(files)}
        try:
            yield lambda: len(proxy.connections) + len(proxy.requests) - sockets - files
        finally:
            proxy.plan, proxy.http_plan = self._plan(), []

    @asynccontextmanager
    async def failing(self, _: STT, error: STTError) -> AsyncGenerator[None]:
        behind = self._behind
        behind.faults = [Fault(number, "refuse", error) for number in range(_CONNECTIONS)]
        try:
            yield
        finally:
            behind.faults = []

    def received(self, _: STT) -> Sequence[Received]:
        return [
            Received(self._wire.audio_format(connection), connection.audio)
            for connection in self._connections
            if connection.audio_bytes
        ]

    def leaks(self, _: STT) -> Sequence[str]:
        proxy = self.proxy
        places = [
            place
            for secret in self._wire.secrets
            for place in places_of(secret, proxy.connections, proxy.requests, allowed_headers=self._wire.secret_headers)
        ]
        return [place for place in places if ".sent[" not in place and not place.endswith(".answer")]

    def updated(self, _: STT, __: Sequence[SpeechEvent]) -> bool:
        return self._wire.updated(self._connections)
