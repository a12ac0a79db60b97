"""Word error rate of a config over a folder of recordings, as files and as live streams.

    python benchmarks/wer.py FOLDER [CONFIG]

FOLDER holds WAV files, and beside each a .txt of the same name with its words. Where CONFIG is a model that rejects
(``pocketsphinx/digits?numerals=false``, ``pocketsphinx/grammar?grammar=cards.gram``), an empty .txt says that nothing
should be heard, and every word counts as an error. A live stream is pushed in frames of 20 ms as fast as it is taken,
with half a second of silence at its end.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from pathlib import Path
from typing import NamedTuple

from stt_core import STT, create_stt
from stt_core.audio import open_audio
from stt_core.audio.encodings import encode


class Errors(NamedTuple):
    """Words wrong, missing or too many, of so many."""

    errors: int
    words: int

    def __str__(self) -> str:
        return f"{self.errors / max(self.words, 1):.3f} ({self.errors}/{self.words})"


def words(text: str) -> list[str]:
    """A text's words, compared without case and punctuation."""
    return re.findall(r"[\w']+", text.lower())


def compare(reference: list[str], heard: list[str]) -> Errors:
    """The fewest substitutions, deletions and insertions that lead from one to the other (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for at, word in enumerate(reference, 1):
        diagonal, row[0] = row[0], at
        for column, other in enumerate(heard, 1):
            diagonal, row[column] = (
                row[column],
                min(diagonal + (word != other), row[column] + 1, row[column - 1] + 1),
            )
    return Errors(row[-1], len(reference))


async def as_stream(stt: STT, path: Path) -> str:
    with open_audio(path) as reader:
        rate, channels = reader.sample_rate, reader.channels
        async with stt.stream(sample_rate=rate, channels=channels) as stream:
            for block in reader.blocks(0.02):
                await stream.send_frame(encode(block, "pcm_s16le"))
            await stream.send_frame(bytes(rate // 2 * channels * 2))
            stream.end_input()
            return (await stream.transcript()).text


async def measure(clips: list[Path], config: str | None) -> None:
    totals = {"file": Errors(0, 0), "live": Errors(0, 0)}
    async with create_stt(config) as stt:
        for path in clips:
            reference = words(path.with_suffix(".txt").read_text("utf-8"))
            print(f"{path.stem}\n  said: {' '.join(reference)}")
            said = {"file": (await stt.recognize(path)).text, "live": await as_stream(stt, path)}
            for mode, text in said.items():
                errors = compare(reference, words(text))
                totals[mode] = Errors(*(a + b for a, b in zip(totals[mode], errors, strict=True)))
                print(f"  {mode}: {text}\n        {errors}")
    for mode, total in totals.items():
        print(f"all, {mode}: {total}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("config", nargs="?", help="default: the embedded engine")
    arguments = parser.parse_args()
    clips = [path for path in sorted(arguments.folder.glob("*.wav")) if path.with_suffix(".txt").exists()]
    if not clips:
        parser.error(f"{arguments.folder} holds no .wav with a .txt beside it")
    asyncio.run(measure(clips, arguments.config))
