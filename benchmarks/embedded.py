"""What the embedded engine's bounded models get right, and how much of a machine it takes.

    python benchmarks/embedded.py accuracy [--voices slt,rms] [--noise 20,10] [--other FOLDER]
    python benchmarks/embedded.py capacity [--config pocketsphinx/digits] [--streams 1,2,4,8] [--seconds 20]

``accuracy`` needs flite (Debian: apt install flite), which speaks digits, commands and other sentences. Of what a model
should hear it counts the utterances that came out word for word and those that were rejected, of what it should not
hear those that were accepted: without noise, and with white noise at so many decibels below the speech. FOLDER holds
more recordings (WAV) that are neither digits nor commands.

``capacity`` pushes digits with short pauses into so many streams at once, at the pace of speech, and tells the
processor time of their processes per second of audio, their memory, and how long after the voice had ended the results
came, which includes the silence that ends an utterance.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stt_core import STT, SpeechEventType, create_stt
from stt_core.audio import open_audio
from stt_core.audio.encodings import encode
from stt_pocketsphinx.stt import PocketsphinxSTT

Samples = NDArray[np.float32]
RATE = 16000

DIGITS = (
    "four one seven two nine six",
    "eight",
    "oh two nine nine eight zero eight one five",
    "three five five one",
    "nine eight six four",
    "two zero seven one three five one",
    "six six one",
    "five five five one two three four",
)
COMMANDS = (
    "turn on the light in the kitchen",
    "turn off the light",
    "open the window",
    "close the door in the bedroom",
    "turn off the radio",
    "yes",
    "stop",
    "turn on the heater in the garden",
)
GRAMMAR = """#JSGF V1.0;
public <command> = turn (on | off) the (light | heater | radio) [<place>] | (open | close) the (window | door) [<place>]
    | yes | no | stop;
<place> = in the (kitchen | bedroom | garden);
"""
OTHERS = (
    "the weather is nice today and we are going to the park",
    "please leave a message and we will call you back",
    "i would like to speak to somebody about my bill",
    "where is the nearest station",
    "hello",
    "thank you very much",
    "can you help me",
    "that is not what i wanted",
    "we never went to that place again",
    "his brother bought a house near the river",
    "sorry could you say that again",
    "the number is on the back of the letter",
)


class Clip(NamedTuple):
    text: str
    samples: Samples


class Counts(NamedTuple):
    """Of utterances."""

    said: int
    right: int
    rejected: int
    others: int
    accepted: int


def read(path: Path) -> Samples:
    with open_audio(path) as reader:
        if reader.sample_rate != RATE:
            raise SystemExit(f"{path} has {reader.sample_rate} Hz, and 16000 are wanted")
        return np.concatenate([block.mean(axis=1) for block in reader.blocks(1.0)]).astype(np.float32)


def speak(texts: tuple[str, ...], voices: list[str], folder: Path) -> list[Clip]:
    clips: list[Clip] = []
    for text in texts:
        for voice in voices:
            path = folder / "speech.wav"
            subprocess.run(["flite", "-voice", voice, "-t", text, str(path)], check=True)  # noqa: S603, S607
            clips.append(Clip(text, read(path)))
    return clips


def with_noise(samples: Samples, decibels: float | None, seed: int) -> Samples:
    """With half a second around it; the noise is so far below the mean power of the parts that hold speech."""
    around = np.zeros(RATE // 2, np.float32)
    samples = np.concatenate([around, samples, around])
    if decibels is None:
        return samples
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    power = (frames**2).mean(axis=1)
    speech = power[power > power.max() / 1000].mean()
    noise = np.random.default_rng(seed).standard_normal(len(samples)) * np.sqrt(speech / 10 ** (decibels / 10))
    return np.clip(samples + noise, -1, 1).astype(np.float32)


async def heard(config: str, clips: list[Clip], decibels: float | None, **options: object) -> list[str]:
    async with create_stt(config, **options) as stt:
        return [
            (await stt.recognize(with_noise(clip.samples, decibels, at), sample_rate=RATE)).text
            for at, clip in enumerate(clips)
        ]


async def accuracy(voices: list[str], levels: list[float | None], more: list[Path]) -> None:
    with tempfile.TemporaryDirectory() as made:
        digits, commands, others = (speak(texts, voices, Path(made)) for texts in (DIGITS, COMMANDS, OTHERS))
    others += [Clip("", read(path)) for path in more]
    print("model    noise   right  rejected  wrong | other speech accepted")
    for decibels in levels:
        for name, mine, foreign, options in (
            ("digits", digits, [*others, *commands], {"numerals": False}),
            ("grammar", commands, [*others, *digits], {"grammar": GRAMMAR}),
        ):
            texts = await heard(f"pocketsphinx/{name}", mine, decibels, **options)
            right = sum(text == clip.text for text, clip in zip(texts, mine, strict=True))
            rejected = texts.count("")
            accepted = sum(map(bool, await heard(f"pocketsphinx/{name}", foreign, decibels, **options)))
            level = "none" if decibels is None else f"{decibels:g} dB"
            print(
                f"{name:8} {level:6} {right:3}/{len(mine)} {rejected:5} {len(mine) - right - rejected:8}    |"
                f" {accepted}/{len(foreign)}",
                flush=True,
            )


def used(pids: list[int]) -> Iterator[tuple[float, int]]:
    """Seconds of processor time so far and bytes of memory (proportional set size) of each process."""
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        size = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        yield (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), size * 1024


async def capacity(config: str, counts: list[int], seconds: float, voices: list[str]) -> None:
    with tempfile.TemporaryDirectory() as made:
        (clip,) = speak(DIGITS[:1], voices[:1], Path(made))
    # About two parts of speech to one of silence, which is what a talkative caller leaves.
    turn = np.concatenate([clip.samples, np.zeros(RATE, np.float32)])
    audio = encode(np.tile(turn, 1 + round(seconds * RATE / len(turn)))[: round(seconds * RATE), None], "pcm_s16le")
    print("streams  processor time per second of audio  memory per process  results late by (median, worst)")
    for count in counts:
        async with create_stt(config, max_workers=count, max_idle=count) as stt:
            if not isinstance(stt, PocketsphinxSTT):
                raise SystemExit(f"{config} is not the embedded engine")
            silence = bytes(RATE // 5)
            await asyncio.gather(
                *(stt.recognize(silence, sample_rate=RATE, encoding="pcm_s16le") for _ in range(count))
            )
            before = list(used(stt.pids))
            lateness = [
                late for each in await asyncio.gather(*(call(stt, audio) for _ in range(count))) for late in each
            ]
            after = list(used(stt.pids))
            busy = sum(end - begin for (begin, _), (end, _) in zip(before, after, strict=True)) / (seconds * count)
            memory = max(size for _, size in after) / 1e6
            lateness.sort()
            late = f"{lateness[len(lateness) // 2]:.2f} s, {lateness[-1]:.2f} s" if lateness else "nothing was said"
            print(f"{count:7}  {busy:35.3f}  {memory:15.0f} MB  {late}", flush=True)


async def call(stt: STT, audio: bytes) -> list[float]:
    """Pushes it all at the pace of speech; gives how long after it each END_OF_SPEECH came."""
    async with stt.stream(sample_rate=RATE, connect_timeout=60) as stream, asyncio.TaskGroup() as group:
        begin = time.monotonic()

        async def push() -> None:
            for at in range(0, len(audio), 640):
                await asyncio.sleep(max(0.0, begin + at / 32000 - time.monotonic()))
                stream.push_frame(audio[at : at + 640])
            stream.end_input()

        group.create_task(push())
        return [
            time.monotonic() - begin - event.time
            async for event in stream
            if event.type is SpeechEventType.END_OF_SPEECH and event.time is not None
        ]


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["accuracy", "capacity"])
    parser.add_argument("--voices", default="slt,rms,awb,kal16", help="flite's voices")
    parser.add_argument("--noise", default="20,10", help="decibels below the speech")
    parser.add_argument("--other", type=Path, help="a folder of recordings that are neither digits nor commands")
    parser.add_argument("--config", default="pocketsphinx/digits")
    parser.add_argument("--streams", type=numbers, default=[1, 2, 4, 8])
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    voices = arguments.voices.split(",")
    if arguments.what == "accuracy":
        levels = [None, *(float(part) for part in arguments.noise.split(",") if part)]
        more = sorted(arguments.other.glob("*.wav")) if arguments.other else []
        asyncio.run(accuracy(voices, levels, more))
    else:
        asyncio.run(capacity(arguments.config, arguments.streams, arguments.seconds, voices))


if __name__ == "__main__":
    main()
