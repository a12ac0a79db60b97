"""A hundred live streams for minutes, over connections that break all the time: are all words there, and does it leak?

    python benchmarks/soak.py [SECONDS] [--streams N] [--pace X] [--seed S]

Half of the streams speak Cartesia's ``/stt/websocket``, half ``/stt/turns/websocket``. The other end is a process of
its own: Cartesia's server half behind a fault server that delays results, breaks most connections somewhere and refuses
some. Each stream is one call after the other, of 7 to 23 s, pushed in real time (times ``--pace``) and read to its end.

It says what there was, and fails (exit code 1) if a word is missing, an exception got out, or a task or a file
descriptor is left. Word counts are exact; memory and processor time are this machine's. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import NoReturn, cast

from stt_core import STT, create_stt
from stt_core.errors import STTError
from stt_core.events import SpeechEvent, SpeechEventType
from stt_core.server import Host
from stt_core.testing.counted import CountedSTT, counted_audio
from stt_core.testing.faults import AudioSent, Close, DelayResults, Drop, FaultProxy, Refuse, Status
from stt_core.testing.faults.plan import SocketFault
from stt_core.testing.scripted import utterance

RATE = 16000
FRAME_SECONDS = 0.1
SENTENCES = [[f"word{sentence}{letter}" for letter in "abcd"] for sentence in range(10)]
LENGTH, GAP, LEAD = 1.6, 0.6, 0.5
SURFACES = {"manual": "ink-whisper", "turns": "ink-2"}


def spans() -> list[tuple[float, float]]:
    starts = [round(LEAD + index * (LENGTH + GAP), 2) for index in range(len(SENTENCES))]
    return [(start, round(start + LENGTH, 2)) for start in starts]


# -- the other end ---------------------------------------------------------------------------------------------------


class Weather(Mapping[int, Sequence[SocketFault]]):
    """The faults of each connection, from a seed and its number."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __getitem__(self, number: int) -> Sequence[SocketFault]:
        if number < 0:
            raise KeyError(number)
        dice = random.Random(self._seed * 1_000_003 + number)  # noqa: S311  (reproducible, not secret)
        at = AudioSent(round(dice.uniform(0.2, 25.0), 2))
        kind = dice.random()
        # As late as the fault matrix has it. Where a vendor gives no times, its codec declares how late it may be.
        faults: list[SocketFault] = [DelayResults(dice.randrange(2**31), 0.3, 2.0)]
        if kind < 0.05:
            return [Refuse()]
        if kind < 0.08:
            return [Status(503, retry_after=0.2)]
        if kind < 0.5:
            return [*faults, Drop(at)]
        if kind < 0.65:
            return [*faults, Drop(at, "eof")]
        if kind < 0.8:
            return [*faults, Close(1011, "internal error", at)]
        return faults

    def __iter__(self) -> NoReturn:
        raise TypeError("there is no end to it")

    def __len__(self) -> int:
        return sys.maxsize


async def serve(seed: int) -> None:
    """Until standard input ends."""
    cues = [
        cue
        for words, (start, end) in zip(SENTENCES, spans(), strict=True)
        for cue in utterance(" ".join(words), start=start, end=end)
    ]
    stt = CountedSTT(cues)
    loop = asyncio.get_running_loop()
    async with (
        stt,
        Host(stt, max_sessions=1000) as host,
        FaultProxy(host.urls["cartesia"], Weather(seed), recording=False) as proxy,
    ):
        print(json.dumps({"url": proxy.url}), flush=True)
        await loop.run_in_executor(None, sys.stdin.read)
        broken = Counter(connection.ended_by for connection in proxy.connections)
    print(json.dumps({"connections": sum(broken.values()), "broken": broken["fault"] + broken["refused"]}), flush=True)


# -- the streams -----------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    calls: int = 0
    expected: int = 0
    missing: int = 0
    repeated: int = 0
    misplaced: int = 0  # calls with words in a wrong order
    lost_seconds: float = 0.0
    sent_seconds: float = 0.0
    replayed_seconds: float = 0.0
    reconnects: int = 0
    errors: list[str] = field(default_factory=list[str])
    examples: list[str] = field(default_factory=list[str])

    def count(self, expected: Sequence[str], events: Sequence[SpeechEvent]) -> None:
        said: list[str] = []
        for event in events:
            if event.type is SpeechEventType.FINAL_TRANSCRIPT:
                said += event.text.split()
            elif event.type is SpeechEventType.RECONNECTING:
                self.reconnects += 1
            elif event.span is not None:
                self.lost_seconds += event.span.duration
            elif event.recognition_usage is not None:
                self.sent_seconds += event.recognition_usage.sent_duration
                self.replayed_seconds += event.recognition_usage.replayed_duration
        self.calls += 1
        self.expected += len(expected)
        missing = [word for word in expected if word not in said]  # no word of a call occurs twice
        self.missing += len(missing)
        self.repeated += len(said) - len(expected) + len(missing)
        if missing:
            self.examples.append(f"{' '.join(missing)}, of: {' '.join(said)}")
        first = list(dict.fromkeys(said))
        self.misplaced += first != [word for word in expected if word in said]


async def call(stt: STT, tally: Tally, audio: bytes, sentences: int, pace: float) -> None:
    loop = asyncio.get_running_loop()
    end = spans()[sentences - 1][1] + GAP
    step = round(FRAME_SECONDS * RATE) * 2
    frames = [audio[at : at + step] for at in range(0, round(end * RATE) * 2, step)]
    events: list[SpeechEvent] = []

    async def talk() -> None:
        began = loop.time()
        for number, frame in enumerate(frames):
            await asyncio.sleep(began + number * FRAME_SECONDS / pace - loop.time())
            stream.push_frame(frame)
        stream.end_input()

    async with stt.stream(sample_rate=RATE) as stream:
        talking = loop.create_task(talk())
        try:
            async for event in stream:
                events.append(event)  # noqa: PERF401  (what came before an error counts)
        finally:
            talking.cancel()
            await asyncio.wait((talking,))
            if not talking.cancelled():
                talking.result()
            tally.count([word for words in SENTENCES[:sentences] for word in words], events)


async def caller(stt: STT, tally: Tally, audio: bytes, seed: int, pace: float, until: float) -> None:
    dice = random.Random(seed)  # noqa: S311
    loop = asyncio.get_running_loop()
    await asyncio.sleep(dice.uniform(0, 3) / pace)
    while loop.time() < until:
        try:
            await call(stt, tally, audio, dice.randint(3, len(SENTENCES)), pace)
        except STTError as error:
            tally.errors.append(f"{type(error).__name__}: {error}")


# -- measuring -------------------------------------------------------------------------------------------------------


def rss_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def watch(samples: list[tuple[float, int]]) -> None:
    began = time.monotonic()
    while True:
        samples.append((time.monotonic() - began, rss_kb()))
        await asyncio.sleep(2)


def slope(samples: Sequence[tuple[float, int]]) -> float | None:
    """kB per minute, by least squares."""
    if len(samples) < 5:
        return None
    at = sum(x for x, _ in samples) / len(samples)
    size = sum(y for _, y in samples) / len(samples)
    spread = sum((x - at) ** 2 for x, _ in samples)
    return 60 * sum((x - at) * (y - size) for x, y in samples) / spread


def nearest(samples: Sequence[tuple[float, int]], seconds: float) -> str:
    at, size = min(samples, key=lambda sample: abs(sample[0] - seconds))
    return f"{size / 1024:.1f} MB at {at:.0f} s"


@dataclass
class Outcome:
    streams: int
    seconds: float  # asked for
    took: float
    busy: float  # of the processor
    tallies: Mapping[str, Tally]
    samples: Sequence[tuple[float, int]]
    escaped: Sequence[str]
    tasks: Sequence[str]
    descriptors: int
    server: Mapping[str, int]

    @property
    def fine(self) -> bool:
        tallies = self.tallies.values()
        wrong = self.escaped or self.tasks or self.descriptors > 0
        return not (wrong or any(tally.missing or tally.misplaced or tally.errors for tally in tallies))


async def soak(seconds: float, streams: int, pace: float, seed: int) -> Outcome:
    loop = asyncio.get_running_loop()
    escaped: list[str] = []
    loop.set_exception_handler(lambda _, context: escaped.append(f"{context['message']}: {context.get('exception')!r}"))
    sys.unraisablehook = lambda args: escaped.append(f"{args.err_msg}: {args.exc_value!r}")
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--serve", "--seed", str(seed)), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    told, tell = cast("asyncio.StreamReader", server.stdout), cast("asyncio.StreamWriter", server.stdin)
    url = json.loads(await told.readline())["url"]
    audio = counted_audio(spans()[-1][1] + 1, voiced=spans())
    tallies = {surface: Tally() for surface in SURFACES}
    samples: list[tuple[float, int]] = []
    descriptors_before = descriptors()
    stts = {
        surface: create_stt(
            f"cartesia/{model}", api_key="sk_car_soak", base_url=url, max_pace=None if pace <= 1 else pace * 4
        )
        for surface, model in SURFACES.items()
    }
    watching = loop.create_task(watch(samples))
    began, busy = loop.time(), time.process_time()
    names = list(islice(cycle(SURFACES), streams))
    ends = await asyncio.gather(
        *(
            caller(stts[name], tallies[name], audio, seed * 1009 + number, pace, began + seconds)
            for number, name in enumerate(names)
        ),
        return_exceptions=True,
    )
    took, busy = loop.time() - began, time.process_time() - busy
    escaped += [repr(end) for end in ends if end is not None]
    for stt in stts.values():
        await stt.aclose()
    watching.cancel()
    await asyncio.wait((watching,))
    await asyncio.sleep(0.1)  # transports are really closed in a later turn of the loop
    gc.collect()
    tasks = [repr(task) for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    left = descriptors() - descriptors_before
    tell.close()
    seen = json.loads(await told.readline())
    await server.wait()
    return Outcome(streams, seconds, took, busy, tallies, samples, escaped, tasks, left, seen)


def show(outcome: Outcome) -> None:
    for surface, tally in outcome.tallies.items():
        print(
            f"{surface}: {tally.calls} calls, {tally.expected} words expected, {tally.missing} missing, "
            f"{tally.repeated} repeated, {tally.misplaced} calls out of order, {tally.reconnects} drops survived, "
            f"{tally.sent_seconds:.0f} s of audio sent, {tally.replayed_seconds:.0f} s replayed, "
            f"{tally.lost_seconds:.1f} s lost, {len(tally.errors)} failed"
        )
        for text, count in Counter(tally.errors).most_common(5):
            print(f"  {count} x {text}")
        for text in tally.examples[:5]:
            print(f"  missing: {text}")
    server = outcome.server
    print(f"server: {server['connections']} connections, {server['broken']} of them broken or refused")
    samples, took = outcome.samples, outcome.took
    steady = [sample for sample in samples if 120 <= sample[0] <= outcome.seconds]
    name = "after the second minute"
    if slope(steady) is None:
        steady, name = [sample for sample in samples if took / 2 <= sample[0] <= outcome.seconds], "in the second half"
    rate = slope(steady)
    print(
        f"memory: {nearest(samples, 30)}, {nearest(samples, took / 2)}, {nearest(samples, took)}; "
        + ("too short for a slope" if rate is None else f"{rate:+.0f} kB/min {name}")
    )
    print(
        f"{outcome.streams} streams, {took:.0f} s, {outcome.busy / took:.0%} of a core; at the end "
        f"{len(outcome.tasks)} tasks and {outcome.descriptors} file descriptors left, "
        f"{len(outcome.escaped)} exceptions escaped"
    )
    for text, count in Counter([*outcome.escaped, *outcome.tasks]).most_common(10):
        print(f"  {count} x {text}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("seconds", type=float, nargs="?", default=180.0)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--pace", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    logging.getLogger("stt_core").setLevel(logging.ERROR)  # each reconnect is a warning
    if arguments.serve:
        with suppress(KeyboardInterrupt):
            asyncio.run(serve(arguments.seed))
        return
    outcome = asyncio.run(soak(arguments.seconds, arguments.streams, arguments.pace, arguments.seed))
    show(outcome)
    sys.exit(not outcome.fine)


if __name__ == "__main__":
    main()
