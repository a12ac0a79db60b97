"""What is measured: B1 to B10, each as cases of one number, with what has to be true for the number to count."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .processes import CONTENDERS, FILES, STREAMS

Sample = Mapping[str, Any]

FRAME = 640
FRAME_SECONDS = 0.02


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    name: str
    rounds: int
    events: int
    grown_events: Sequence[int]
    audio: float
    grown_audio: Sequence[float]
    streams: Sequence[int]
    stream_seconds: float
    upload: int
    jobs: int
    at_once: int
    imports: int
    outage: float


QUICK = Scale("quick", 3, 20_000, (), 120, (), (100, 500), 3, 256 << 20, 400, 100, 7, 4.0)
FULL = Scale(
    "full",
    9,
    20_000,
    (1_000, 5_000, 80_000),
    600,
    (60, 3600),
    (1, 10, 100, 500, 1000, 1500, 2000),
    10,
    1 << 30,
    2000,
    100,
    15,
    12.0,
)
TINY = Scale("tiny", 1, 200, (), 2, (), (3,), 0.5, 1 << 20, 6, 3, 1, 1.0)


@dataclass(frozen=True)
class Case:
    """One number of every contender that can give it.

    Attributes:
        group: B1 to B10.
        title: what is done.
        unit: of the value.
        dialect: which contenders.
        job: what they are told, beside the address.
        plan: what the server does.
        value: the number, from what the contender and what the server said; ``None`` where there is none.
        check: what is wrong with the sample, ``None`` if nothing.
        target: the ratio to the bare loop to reach, or the value where ``absolute``.
        notes: more of a sample that is worth saying.
        fresh: a new process for every sample.
    """

    group: str
    title: str
    unit: str
    dialect: str
    job: Mapping[str, Any]
    plan: Mapping[str, Any]
    value: Callable[[Sample, Sample], float | None]
    check: Callable[[Sample, Sample], str | None]
    target: str = ""
    notes: Callable[[Sample, Sample], str] = lambda sample, server: ""
    fresh: bool = False
    rounds: int | None = None
    timeout: float = 120.0
    contenders: Sequence[str] | None = None
    server: str = "sockets"
    extra: Mapping[str, Any] = field(default_factory=dict)


NO_OTHER_LOOPS = tuple(each.name for each in CONTENDERS if not each.uvloop)


def _wrong(**pairs: tuple[object, object]) -> str | None:
    """The first pair that differs."""
    for name, (found, expected) in pairs.items():
        if found != expected:
            return f"{name}: {found}, not {expected}"
    return None


# -- B1 ------------------------------------------------------------------------------------------------------------


def events(dialect: str, count: int, *, words: int = 0, finals: bool = False) -> Case:
    kind = "finals" if finals else "interims"
    more = f" with {words} words each" if words else ""

    def check(sample: Sample, server: Sample) -> str | None:
        # A stream that overwrites unread interims gives fewer, and says how many; nobody gives more.
        few = sample["seen"] < count if finals else sample["seen"] < 1
        return _wrong(messages_sent=(server["burst"], count)) or (
            f"{sample['seen']} of {count} events" if few or sample["seen"] > count else None
        )

    return Case(
        "B1",
        f"{dialect}: {count} {kind}{more} in a burst, to user code",
        "µs CPU per message",
        dialect,
        {"bench": "events"},
        {"burst": count, "words": words, "finals": finals},
        lambda sample, server: sample["cpu"] / count * 1e6,
        check,
        "0.95x",
        lambda sample, server: "" if sample["seen"] == count else f"{sample['seen']} read, the rest overwritten unread",
    )


# -- B2 ------------------------------------------------------------------------------------------------------------


def audio(dialect: str, seconds: float) -> Case:
    return Case(
        "B2",
        f"{dialect}: {seconds:g} s of audio in frames of 20 ms, a final every 5 s",
        "µs CPU per second of audio",
        dialect,
        {"bench": "audio", "seconds": seconds},
        {"final": 5.0},
        lambda sample, server: sample["cpu"] / seconds * 1e6,
        lambda sample, server: _wrong(bytes_received=(server["audio"], sample["bytes"])),
        "0.70x" if dialect == "cartesia" else "0.40x",
        lambda sample, server: f"{server['messages']} messages",
    )


def stalled(dialect: str, seconds: float) -> Case:
    return Case(
        "B2",
        f"{dialect}: memory while the server stalls for {seconds:g} s of audio (the audio itself: "
        f"{seconds * 0.032:.1f} MB)",
        "MB",
        dialect,
        {"bench": "stalled", "seconds": seconds},
        {"stall": True},
        lambda sample, server: sample["memory"] / 1e6,
        lambda sample, server: None if server["audio"] else "nothing arrived",
        "",
        lambda sample, server: f"{sample['seconds']:.0f} s were taken",
        fresh=True,
        rounds=3,
    )


# -- B3 ------------------------------------------------------------------------------------------------------------


def streams(dialect: str, count: int, seconds: float, *, loops: bool = True) -> Case:
    def check(sample: Sample, server: Sample) -> str | None:
        return _wrong(
            connections=(server["connections"], count),
            bytes_received=(server["audio"], sample["bytes"]),
            failed=(sample["failed"], 0),
        )

    def notes(sample: Sample, server: Sample) -> str:
        ends = "" if sample["seen"] == server["events"] else f", {sample['seen']} of {server['events']} events read"
        return (
            f"p50 {sample['p50'] * 1e3:.1f} ms, p99 {sample['p99'] * 1e3:.1f} ms, "
            f"connect {sample['connect_cpu'] * 1e3:.2f} ms CPU, {sample['memory'] / 1e3:.0f} kB connected, "
            f"{sample['memory_at_end'] / 1e3:.0f} kB at the end{ends}"
        )

    return Case(
        "B3",
        f"{dialect}: {count} live streams for {seconds:g} s, an interim each 200 ms",
        "ms CPU per stream and second of audio",
        dialect,
        {"bench": "streams", "count": count, "seconds": seconds},
        {"every": 0.2},
        # Per second of audio: one that does not keep up takes longer over it.
        lambda sample, server: sample["cpu"] / seconds / count * 1e3,
        check,
        "0.60x",
        notes,
        fresh=True,
        rounds=2 if count <= 500 else 1,
        timeout=40 + 6 * seconds,
        contenders=None if loops else NO_OTHER_LOOPS,
    )


# -- B6, B7 --------------------------------------------------------------------------------------------------------


def upload(dialect: str, size: int, path: str) -> Case:
    def check(sample: Sample, server: Sample) -> str | None:
        few = server["received"] < size
        return f"{server['received']} of {size} bytes received" if few else None

    return Case(
        "B6",
        f"{dialect}: one file of {size >> 20} MiB",
        "ms CPU",
        dialect,
        {"bench": "upload", "path": path},
        {},
        lambda sample, server: sample["cpu"] * 1e3,
        check,
        "1.1x",
        lambda sample, server: f"{sample['memory'] / 1e6:+.1f} MB",
        fresh=True,
        rounds=3,
        timeout=300,
        server="files",
    )


def jobs(dialect: str, count: int, at_once: int) -> Case:
    def check(sample: Sample, server: Sample) -> str | None:
        # One more warms up.
        return _wrong(
            transcripts=(sample["done"], count),
            uploads=(server["uploads"], count + 1),
            results=(server["results"], count + 1),
        )

    return Case(
        "B7",
        f"{dialect}: {count} jobs of 32 kB, {at_once} at a time",
        "ms CPU per job",
        dialect,
        {"bench": "jobs", "count": count, "at_once": at_once, "size": 32_000},
        {},
        lambda sample, server: sample["cpu"] / count * 1e3,
        check,
        "1.25x",
        lambda sample, server: f"{server['polls'] / (count + 1):.1f} polls a job",
        rounds=3,
        timeout=300,
        server="files",
    )


# -- B8, B9, B10 ---------------------------------------------------------------------------------------------------


def tail(dialect: str, *, mute: bool) -> Case:
    def value(sample: Sample, server: Sample) -> float | None:
        since = server["acknowledged_at"]
        return None if since is None else (sample["over"] - since) * 1e3

    return Case(
        "B8",
        f"{dialect}: from the acknowledgement of the end to the end of iteration"
        + (", where the server says no more than that" if mute else ""),
        "ms",
        dialect,
        {"bench": "tail"},
        {"mute": mute, "final": 1.0},
        value,
        lambda sample, server: sample["error"],
        "50 ms" if not mute else "",
        fresh=True,
        rounds=3,
        contenders=("stt-core", "livekit-agents 1.8.9") if mute else NO_OTHER_LOOPS,
    )


def outage(dialect: str, seconds: float, away: float) -> Case:
    def check(sample: Sample, server: Sample) -> str | None:
        return None if server["connections"] or sample["error"] else "it never connected"

    def notes(sample: Sample, server: Sample) -> str:
        gap = "never again" if server["gap"] is None else f"audio again after {server['gap'] * 1e3:.0f} ms"
        unheard = (sample["frames"] - server["final"]) * FRAME_SECONDS * 1e3
        error = f", {sample['error']}" if sample["error"] else ""
        return f"{unheard:.0f} ms behind which no final came, {gap}, {server['connections']} connections{error}"

    when = "at once" if not away else f"after {away:g} s"
    return Case(
        "B9",
        f"{dialect}: {seconds:g} s of speech, the socket is reset in the middle, the server is back {when}",
        "ms of audio never received",
        dialect,
        {"bench": "outage", "seconds": seconds},
        {"content": True, "abort": seconds / 2, "away": away},
        lambda sample, server: (sample["frames"] - server["frames"]) * FRAME_SECONDS * 1e3,
        check,
        "0 ms",
        notes,
        fresh=True,
        rounds=2,
        contenders=NO_OTHER_LOOPS,
    )


def failover(second: str, sample_path: str, timeout: float, *, warm: bool) -> Case:
    def notes(sample: Sample, server: Sample) -> str:
        return ", ".join(f"{name} {sample[name] * 1e3:.0f} ms" for name in ("switched", "connected") if name in sample)

    return Case(
        "B10",
        f"cartesia, that never answers (connect_timeout {timeout:g} s) | {second}, {'warm' if warm else 'cold'}: "
        "first words",
        "ms after the time-out",
        "livekit",
        {"bench": "failover", "timeout": timeout, "second": second, "sample": sample_path, "warm": warm},
        {"every": 0.2},
        lambda sample, server: (sample["text"] - timeout) * 1e3 if "text" in sample else None,
        lambda sample, server: None if "text" in sample else "no words",
        "250 ms" if warm else "",
        notes,
        fresh=True,
        rounds=3,
        contenders=("stt-core",),
    )


def all_cases(scale: Scale, recording: str, sample: str) -> list[Case]:
    """In the order of the table."""
    if scale is TINY:
        return one_of_each(scale, recording, sample)
    full = scale is FULL
    cases = [events(dialect, scale.events) for dialect in STREAMS]
    cases.append(events("cartesia", scale.events // 4, finals=True))
    cases.append(events("livekit", scale.events // 4, words=30))
    cases += [events("livekit", count) for count in scale.grown_events]
    cases += [audio(dialect, scale.audio) for dialect in STREAMS]
    cases += [audio("livekit", seconds) for seconds in scale.grown_audio]
    cases.append(stalled("livekit", 50.0))
    for dialect in STREAMS if full else STREAMS[:2]:
        cases += [streams(dialect, count, scale.stream_seconds, loops=full) for count in scale.streams]
    cases += [upload(dialect, scale.upload, recording) for dialect in FILES]
    cases += [jobs(dialect, scale.jobs, scale.at_once) for dialect in FILES[:2]]
    cases += [tail(dialect, mute=False) for dialect in STREAMS]
    cases.append(tail("livekit", mute=True))
    cases += [outage(dialect, scale.outage, 0.0) for dialect in STREAMS]
    cases.append(outage("livekit", scale.outage, 1.0))
    cases.append(failover("livekit", sample, 1.0, warm=False))
    cases += [failover("pocketsphinx/en-us", sample, 1.0, warm=warm) for warm in (False, True)]
    return cases


def one_of_each(scale: Scale, recording: str, sample: str) -> list[Case]:
    """What the tests run: every benchmark, and every dialect somewhere."""
    return [
        *(events(dialect, scale.events) for dialect in STREAMS),
        events("cartesia", scale.events, finals=True),
        audio("livekit", scale.audio),
        streams("cartesia", scale.streams[0], scale.stream_seconds),
        upload("speechmatics", scale.upload, recording),
        jobs("kotoba-files", scale.jobs, scale.at_once),
        tail("livekit", mute=False),
        outage("cartesia", scale.outage, 0.0),
        failover("livekit", sample, 0.3, warm=False),
    ]
