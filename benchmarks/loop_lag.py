"""How long the event loop is held up while live streams are decoded.

    python benchmarks/loop_lag.py FILE [STREAMS] [SECONDS]

Every stream gets the file over and over in real time, in frames of 20 ms. The lag is how much later than asked for a
timer of 5 ms fires; the first second, in which processes start, is reported apart.
"""

from __future__ import annotations

import argparse
import asyncio
from itertools import cycle
from pathlib import Path

from stt_core import STT, create_stt
from stt_core.audio import Converter, open_audio
from stt_core.audio.encodings import encode
from stt_core.audio.frames import AudioFormat


def frames_of(path: Path) -> list[bytes]:
    with open_audio(path) as reader:
        audio = AudioFormat(reader.sample_rate, reader.channels)
        converter = Converter(audio, AudioFormat(16000))
        pcm = b"".join(converter.convert(encode(block, "pcm_s16le")) for block in reader.blocks(1.0))
    return [pcm[at : at + 640] for at in range(0, len(pcm), 640)]


async def talk(stt: STT, frames: list[bytes], seconds: float) -> int:
    loop = asyncio.get_running_loop()
    async with stt.stream(sample_rate=16000) as stream:
        began = loop.time()
        for number, frame in enumerate(cycle(frames)):
            if number * 0.02 > seconds:
                break
            await asyncio.sleep(max(0.0, began + number * 0.02 - loop.time()))
            stream.push_frame(frame)
        stream.end_input()
        return len((await stream.transcript()).text.split())


async def watch(lags: list[tuple[float, float]]) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        due = loop.time() + 0.005
        await asyncio.sleep(0.005)
        lags.append((due - began, (loop.time() - due) * 1000))


async def measure(path: Path, streams: int, seconds: float) -> None:
    frames = frames_of(path)
    lags: list[tuple[float, float]] = []
    async with create_stt("pocketsphinx/en-us") as stt:
        await stt.prewarm()
        watching = asyncio.create_task(watch(lags))
        words = await asyncio.gather(*(talk(stt, frames, seconds) for _ in range(streams)))
        watching.cancel()
    for name, found in (
        ("first second", sorted(lag for at, lag in lags if at < 1)),
        ("after it", sorted(lag for at, lag in lags if at >= 1)),
    ):
        p99 = found[len(found) * 99 // 100]
        print(f"{name}: median {found[len(found) // 2]:.1f} ms, p99 {p99:.1f} ms, max {found[-1]:.1f} ms")
    print(f"{streams} streams of {seconds:g} s, {sum(words)} words")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("streams", type=int, nargs="?", default=2)
    parser.add_argument("seconds", type=float, nargs="?", default=20.0)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.file, arguments.streams, arguments.seconds))
