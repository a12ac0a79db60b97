"""Where ``stt stream`` gets its audio from: a file at its own pace, stdin, a microphone."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ..audio.frames import AudioData, AudioFormat
    from ..audio.reader import AudioReader
    from ..stream import RecognizeStream
    from ..stt import STT

__all__ = ["Source", "played", "recorded", "stdin"]

_BLOCK_SECONDS = 0.05
_READ_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Source:
    """Audio for a stream.

    Attributes:
        audio: its pieces.
        format: of the pieces; ``None`` where they say it themselves.
        endless: only Ctrl-C, or whoever is at the other end, ends it.
        open: what has to be closed afterwards.
    """

    audio: AsyncIterable[AudioData]
    format: AudioFormat | None
    endless: bool
    open: AbstractContextManager[object]

    def stream(self, stt: STT) -> RecognizeStream:
        """A stream that is fed with it."""
        form = self.format
        if form is None:
            return stt.stream(source=self.audio)
        return stt.stream(
            sample_rate=form.sample_rate, channels=form.channels, encoding=form.encoding, source=self.audio
        )


def played(path: Path) -> Source:
    """A file, at the pace of speech.

    Raises:
        AudioError: it cannot be decoded.
    """
    from ..audio.decode import open_audio
    from ..audio.frames import AudioFormat

    reader = open_audio(path)
    return Source(_at_pace(reader), AudioFormat(reader.sample_rate, reader.channels, "pcm_f32le"), False, reader)


def stdin(form: AudioFormat) -> Source:
    """Raw samples on stdin."""
    return Source(_read(sys.stdin.fileno()), form, True, nullcontext())


def recorded(device: int | str | None, sample_rate: int | None, channels: int) -> Source:
    """A microphone."""
    from ..audio import microphone

    audio = microphone(device=device, sample_rate=sample_rate, channels=channels)
    return Source(audio, None, True, nullcontext())


async def _at_pace(reader: AudioReader) -> AsyncIterator[AudioData]:
    """The file's samples, none before it would have been spoken."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    heard = 0
    for samples in reader.blocks(_BLOCK_SECONDS):
        heard += len(samples)
        await asyncio.sleep(start + heard / reader.sample_rate - loop.time())
        yield samples


async def _read(stdin: int) -> AsyncIterator[AudioData]:
    """What arrives on stdin, read when the loop says that there is something: a blocked thread would outlive Ctrl-C."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    while True:
        try:
            loop.add_reader(stdin, arrived.set)
        except PermissionError:
            # A regular file cannot be waited for, and need not be.
            await asyncio.sleep(0)
        else:
            try:
                await arrived.wait()
            finally:
                loop.remove_reader(stdin)
            arrived.clear()
        if not (data := os.read(stdin, _READ_BYTES)):
            return
        yield data
