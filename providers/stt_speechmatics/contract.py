"""What ``pytest --stt-provider speechmatics`` puts to the proof: streams made of jobs, client half against server half.

The speech is counted audio, which is no voice: what is loud counts as speech here. All else is as users have it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from typing_extensions import override

from stt_core.registry import get_provider
from stt_core.segment import SegmentRunner
from stt_core.server import Host
from stt_core.testing.contract import NotProven, Refusal, Subject, Update
from stt_core.testing.contract.sockets import COUNTED, PACE
from stt_core.testing.counted import CountedSTT
from stt_core.testing.faults import EVERY, BlackHole, Corrupt, FaultProxy, Refuse, Status
from stt_core.testing.faults.record import places_of
from stt_core.testing.scripted import utterance

from .reading import dump
from .stt import SpeechmaticsSTT
from .wire import REQUEST_ID_HEADER

if TYPE_CHECKING:
    import aiohttp

    from stt_core.events import SpeechEvent
    from stt_core.registry import Resolved
    from stt_core.runner import Runner
    from stt_core.stt import STT
    from stt_core.testing.contract import Sample
    from stt_core.testing.faults.plan import HttpFault

__all__ = ["World", "subject_in", "subjects"]

_KEY = "speechmatics-wherever-this-is-seen-it-leaks"
_UPDATE = {"enable_entities": True}


def subjects(sample: Sample | None = None) -> Iterable[Subject]:
    """Streams over jobs; the speech is counted audio."""
    return [subject_in(World())]


def subject_in(world: World) -> Subject:
    """The client half there."""

    async def create(starts: Sequence[float]) -> STT:
        return world.meet(world.client(None), starts)

    async def with_session(session: aiohttp.ClientSession) -> STT:
        return world.meet(world.client(session), ())

    return Subject(
        name="speechmatics, jobs",
        kind="jobs",
        create=create,
        sample=COUNTED,
        carries=replace(get_provider("speechmatics").families[0].carries, turns=True),
        pace=PACE,
        clock_tolerance=0.05,
        drop=world.drop,
        with_session=with_session,
        garble=world.garble,
        refuse=world.refuse,
        stranger=world.stranger,
        secrets=(_KEY,),
        leaks=world.leaks,
        update=Update(options=_UPDATE, arrived=world.updated),
        environment=world.open,
        virtual_time=True,
    )


class _Loud:
    def is_speech(self, frame: bytes) -> bool:
        return any(frame)


class _Client(SpeechmaticsSTT):
    @override
    def create_runner(self, settings: Resolved) -> Runner:
        return SegmentRunner(self.recognize_audio, settings, new_vad=_Loud)


class World:
    """The network, the server half, and who recognises. One STT uses it at a time."""

    def __init__(self) -> None:
        self._proxy: FaultProxy | None = None
        self._behind = CountedSTT([])

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Puts it up for as long as it is entered."""
        async with (
            CountedSTT([]) as self._behind,
            Host(self._behind) as host,
            FaultProxy(host.urls["speechmatics"].removesuffix("/v2")) as self._proxy,
        ):
            yield

    @property
    def proxy(self) -> FaultProxy:
        """The network."""
        if self._proxy is None:
            raise NotProven("the subject's environment was not entered")
        return self._proxy

    def client(self, session: aiohttp.ClientSession | None) -> STT:
        """The client half, as the network has it."""
        return _Client(
            "enhanced", api_key=_KEY, base_url=f"{self.proxy.url}/v2", http_session=session, retry_interval=0.05
        )

    def meet(self, stt: STT, starts: Sequence[float]) -> STT:
        """A new STT: what is said to it begins at these seconds."""
        words = " ".join(COUNTED.words)
        self._behind.cues = [
            cue for start in starts for cue in utterance(words, start=start, end=start + COUNTED.duration)
        ]
        return stt

    async def drop(self, _: STT) -> None:
        """The next request is lost."""
        self._next(Refuse())

    async def garble(self, _: STT) -> None:
        """The next answer is half of one."""
        self._next(Corrupt("truncated"))

    def _next(self, fault: HttpFault) -> None:
        self.proxy.http_plan = {len(self.proxy.requests): [fault]}

    @asynccontextmanager
    async def refuse(self, _: STT, refusal: Refusal) -> AsyncGenerator[Callable[[], int]]:
        """Requests are turned away."""
        proxy = self.proxy
        first = len(proxy.requests)
        numbers = [EVERY] if refusal.times is None else range(first, first + refusal.times)
        proxy.http_plan = {number: [_refused(refusal)] for number in numbers}
        try:
            yield lambda: len(proxy.requests) - first
        finally:
            proxy.http_plan = []

    @asynccontextmanager
    async def stranger(self) -> AsyncGenerator[STT]:
        """The client half before a server that has other keys."""
        async with (
            Host(self._behind, api_keys=["not-the-one-that-the-client-has"]) as host,
            _Client("enhanced", api_key=_KEY, base_url=host.urls["speechmatics"]) as stt,
        ):
            yield stt

    def leaks(self, _: STT) -> Sequence[str]:
        """Where the key was seen."""
        return places_of(_KEY, (), self.proxy.requests, allowed_headers={"Authorization"})

    def updated(self, _: STT, __: Sequence[SpeechEvent]) -> bool:
        """Whether the last job was submitted with the changed option."""
        posted = [each for each in self.proxy.requests if each.head.method == "POST"]
        return bool(posted) and b'"enable_entities":true' in bytes(posted[-1].body)


def _refused(refusal: Refusal) -> Status | BlackHole:
    if refusal.status is None:
        return BlackHole()
    body = {"code": refusal.status, "error": refusal.code or "Refused", "detail": refusal.message}
    headers = {REQUEST_ID_HEADER: refusal.request_id} if refusal.request_id else {}
    return Status(refusal.status, dump(body), headers, refusal.retry_after, "application/json")
