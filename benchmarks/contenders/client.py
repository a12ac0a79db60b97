"""What a contender is made of: it is told on standard input what to do, and says what it took.

Only the standard library, because this runs in the environments of the peers as well. A contender of live streams gives
:func:`serve` a class of sessions, see :class:`Session`; everything else is a coroutine function by the name of what it
measures.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

FIRST, LAST = "first", "last"
"""The texts that a burst of events stands between."""

FRAME_SECONDS = 0.02
FRAME = 640
"""Bytes of it at 16 kHz."""

RATE = 16000
PHASES = 20
"""Live streams push in so many groups, one millisecond after the other: as calls do not begin at the same moment."""

See = Callable[[str], None]
Answer = dict[str, Any]
Bench = Callable[..., Coroutine[Any, Any, Answer]]


class Session(Protocol):
    """A live stream of 16 kHz mono to a server."""

    @classmethod
    async def open(cls, url: str, dialect: str) -> Session:
        """Connected, or about to be."""
        ...

    def push(self, data: bytes) -> Awaitable[None] | None:
        """A frame of live audio."""
        ...

    def send(self, data: bytes) -> Awaitable[None] | None:
        """The same of audio that can wait."""
        ...

    async def end(self) -> None:
        """No more audio."""
        ...

    async def read(self, see: See) -> None:
        """Gives every text, interim or final, to ``see``; returns when the server has said everything."""
        ...

    async def close(self) -> None:
        """Leaves nothing behind."""
        ...


class Meter:
    """Processor time of this process, and the time that passed."""

    cpu = wall = 0.0

    def start(self) -> None:
        self._cpu, self._wall = cpu(), time.monotonic()

    def stop(self) -> None:
        self.cpu, self.wall = cpu() - self._cpu, time.monotonic() - self._wall


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def rss() -> int:
    """Bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak_rss() -> int:
    """Bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def beginning(path: str) -> bytes:
    """Of a file, for what warms up."""
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read(100_000)


def frame(number: int) -> bytes:
    """20 ms of a loud square wave at half of the rate, whose amplitude says which frame of the stream it is."""
    high, low = 2000 + number % 30000, -2000 - number % 30000
    return (high.to_bytes(2, "little", signed=True) + low.to_bytes(2, "little", signed=True)) * (FRAME // 4)


# -- what sessions go through --------------------------------------------------------------------------------------


async def events(kind: type[Session], *, url: str, dialect: str) -> Answer:
    """Reads a burst to its end."""
    meter, done, seen = Meter(), asyncio.Event(), 0

    def see(text: str) -> None:
        nonlocal seen
        if seen == 0:
            if not text.endswith(FIRST):
                return
            meter.start()
        elif done.is_set():
            return  # the last words of the session
        seen += 1
        if text.endswith(LAST):
            meter.stop()
            done.set()

    session = await kind.open(url, dialect)
    reading = asyncio.create_task(session.read(see))
    for number in range(10):
        await _maybe(session.push(frame(number)))
    await _either(done.wait(), reading)
    await session.end()
    await reading
    await session.close()
    return {"cpu": meter.cpu, "wall": meter.wall, "seen": seen - 2}


async def audio(kind: type[Session], *, url: str, dialect: str, seconds: float) -> Answer:
    """Sends audio as fast as it is taken, in frames of 20 ms."""
    meter, texts = Meter(), 0
    one = frame(7)

    def see(text: str) -> None:
        nonlocal texts
        texts += 1

    session = await kind.open(url, dialect)
    reading = asyncio.create_task(session.read(see))
    await asyncio.sleep(0.3)  # connected, whatever says so
    send = session.send
    meter.start()
    for number in range(round(seconds / FRAME_SECONDS)):
        waiting = send(one)
        if waiting is not None:
            await waiting
        if number % 50 == 49:
            await asyncio.sleep(0)  # a reader has its turn, also where nothing waits
    await session.end()
    await reading
    meter.stop()
    await session.close()
    return {"cpu": meter.cpu, "wall": meter.wall, "seen": texts, "bytes": round(seconds / FRAME_SECONDS) * FRAME}


async def stalled(kind: type[Session], *, url: str, dialect: str, seconds: float) -> Answer:
    """Pushes live audio faster than real time at a server that has stopped to read: how much memory does it take?"""
    session = await kind.open(url, dialect)
    reading = asyncio.create_task(session.read(lambda text: None))
    await asyncio.sleep(0.5)
    gc.collect()
    before = rss()
    one = frame(7)
    for number in range(round(seconds / FRAME_SECONDS)):
        waiting = session.push(one)
        if waiting is not None:
            try:
                await asyncio.wait_for(waiting, 1)
            except TimeoutError:
                break  # it makes the caller wait, which is a bound too
        if number % 50 == 49:
            await asyncio.sleep(0.005)
    after = rss()
    reading.cancel()
    with suppress(BaseException):
        await asyncio.wait_for(session.close(), 5)
    with suppress(BaseException):
        await reading
    return {"memory": after - before, "seconds": number * FRAME_SECONDS}


async def streams(kind: type[Session], *, url: str, dialect: str, count: int, seconds: float) -> Answer:
    """Live streams side by side, each of which gets an interim with the time of its sending every 200 ms."""
    gc.collect()
    memory, latencies = rss(), []
    measuring = False
    seen = 0

    def see(text: str) -> None:
        nonlocal seen
        seen += 1
        if measuring:
            latencies.append(time.monotonic() - float(text.rpartition(" ")[2]))

    connecting = Meter()
    connecting.start()
    sessions: list[Session] = []
    for at in range(0, count, 20):
        sessions += await asyncio.gather(*(kind.open(url, dialect) for _ in range(at, min(at + 20, count))))
    readers = [asyncio.create_task(session.read(see)) for session in sessions]
    await asyncio.sleep(0.5)
    connecting.stop()
    connected = rss()
    loop = asyncio.get_running_loop()
    frames = [frame(number) for number in range(round((seconds + 1) / FRAME_SECONDS))]
    began = loop.time() + 0.05
    late = 0.0

    async def talk(phase: int) -> None:
        nonlocal late
        pushes = [session.push for session in sessions[phase::PHASES]]
        for number, data in enumerate(frames):
            due = began + number * FRAME_SECONDS + phase * FRAME_SECONDS / PHASES
            await asyncio.sleep(max(0.0, due - loop.time()))
            late = max(late, loop.time() - due)
            for push in pushes:
                waiting = push(data)
                if waiting is not None:
                    await waiting

    talking = [asyncio.create_task(talk(phase)) for phase in range(min(PHASES, count))]
    await asyncio.sleep(1.0)  # a second to settle
    meter, measuring = Meter(), True
    meter.start()
    await asyncio.wait(talking)
    meter.stop()
    measuring = False
    full = rss()
    for task in talking:
        task.result()
    for session in sessions:
        await session.end()
    await asyncio.wait(readers)
    failed = sum(1 for task in readers if task.exception() is not None)
    await asyncio.gather(*(session.close() for session in sessions))
    latencies.sort()
    return {
        "cpu": meter.cpu,
        "wall": meter.wall,
        "connect_cpu": connecting.cpu / count,
        "p50": latencies[len(latencies) // 2] if latencies else None,
        "p99": latencies[len(latencies) * 99 // 100] if latencies else None,
        "late": late,
        "seen": seen,
        "failed": failed,
        "bytes": count * len(frames) * FRAME,
        "memory": (connected - memory) / count,
        "memory_at_end": (full - memory) / count,
    }


async def tail(kind: type[Session], *, url: str, dialect: str) -> Answer:
    """From the last text and from the end of input to the end of iteration."""
    last = 0.0

    def see(text: str) -> None:
        nonlocal last
        last = time.monotonic()

    session = await kind.open(url, dialect)
    reading = asyncio.create_task(session.read(see))
    for number in range(50):
        await _maybe(session.push(frame(number)))
        await asyncio.sleep(0.004)
    await session.end()
    error = None
    try:
        await asyncio.wait_for(reading, 20)
    except Exception as caught:  # noqa: BLE001  (an end of its own kind)
        error = type(caught).__name__
    over = time.monotonic()
    await session.close()
    return {"tail": over - last if last else None, "over": over, "error": error}


async def outage(kind: type[Session], *, url: str, dialect: str, seconds: float) -> Answer:
    """Real-time audio over a connection that the server breaks."""
    loop = asyncio.get_running_loop()
    session = await kind.open(url, dialect)
    reading = asyncio.create_task(session.read(lambda text: None))
    await asyncio.sleep(0.3)
    began, frames = loop.time(), round(seconds / FRAME_SECONDS)
    error = None
    try:
        for number in range(frames):
            await asyncio.sleep(max(0.0, began + number * FRAME_SECONDS - loop.time()))
            await _maybe(session.push(frame(number)))
        await session.end()
        await asyncio.wait_for(reading, 30)
    except Exception as caught:  # noqa: BLE001  (what it does about an outage may be to fail)
        error = type(caught).__name__
    reading.cancel()
    with suppress(BaseException):
        await asyncio.wait_for(session.close(), 5)
    return {"frames": frames, "error": error}


async def _maybe(waiting: Awaitable[None] | None) -> None:
    if waiting is not None:
        await waiting


async def _either(waiting: Coroutine[Any, Any, Any], reading: asyncio.Task[None]) -> None:
    task = asyncio.ensure_future(waiting)
    await asyncio.wait((task, reading), return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
        reading.result()
        raise RuntimeError("the stream ended before the last text")


ON_SESSIONS = (events, audio, stalled, streams, tail, outage)


# -- being told what to do -----------------------------------------------------------------------------------------


def serve(session: type[Session] | None = None, **benches: Bench) -> None:
    """One line, one benchmark, one line back; until standard input ends."""
    with suppress(ValueError):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    factory = None
    if os.environ.get("BENCH_UVLOOP"):
        import uvloop

        factory = uvloop.new_event_loop
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is not an answer
    known: dict[str, Bench] = dict(benches)
    if session is not None:
        for bench in ON_SESSIONS:
            known.setdefault(bench.__name__, lambda bench=bench, **job: bench(session, **job))
    with asyncio.Runner(loop_factory=factory) as runner:
        for line in sys.stdin:
            job = json.loads(line)
            try:
                answer = runner.run(known[job.pop("bench")](**job))
            except BaseException as error:  # noqa: BLE001  (the others go on)
                answer = {"failed_with": f"{type(error).__name__}: {error}"[:300]}
            out.write(json.dumps(answer) + "\n")
