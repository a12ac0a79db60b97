"""``stt stream``: words while they are spoken, from a file played at its own pace or from raw audio on stdin."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from ..audio.decode import open_audio
from ..audio.frames import ENCODINGS, MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, AudioData, AudioFormat, Encoding
from ..factory import create_stt
from .outcome import carry_out, model_option, verbose_option
from .screen import Screen

if TYPE_CHECKING:
    from ..audio.reader import AudioReader

__all__ = ["stream"]

_BLOCK_SECONDS = 0.05
_READ_BYTES = 4096


@click.command()
@click.argument("source", metavar="FILE|-", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@model_option
@click.option(
    "--sample-rate",
    type=click.IntRange(MIN_SAMPLE_RATE, MAX_SAMPLE_RATE),
    metavar="HZ",
    help="With -, and needed there: samples per second.",
)
@click.option("--encoding", type=click.Choice(ENCODINGS), help="With -: how samples are written.  [default: pcm_s16le]")
@click.option("--channels", type=click.IntRange(1, MAX_CHANNELS), help="With -: interleaved channels.  [default: 1]")
@verbose_option
def stream(
    source: str,
    config: str | None,
    sample_rate: int | None,
    encoding: str | None,
    channels: int | None,
    verbose: bool,
) -> int:
    """Print what is said while it is spoken: each final result on a line of its own, interims in place on a terminal.

    FILE is played at the pace of speech; - reads raw audio without a header from stdin. Ctrl-C ends the input and
    still prints what was said until then; a second one ends at once.
    """
    if source != "-":
        if (sample_rate, encoding, channels) != (None, None, None):
            raise click.UsageError(
                "--sample-rate, --encoding and --channels describe raw audio from stdin: a file says its own."
            )
        return carry_out(_play(Path(source), config), verbose=verbose)
    if sample_rate is None:
        raise click.UsageError("Raw audio does not say its sample rate: give it, for example --sample-rate 16000.")
    form = AudioFormat(sample_rate, channels or 1, cast("Encoding", encoding or "pcm_s16le"))
    return carry_out(_listen(form, config), verbose=verbose)


async def _play(path: Path, config: str | None) -> int:
    with open_audio(path) as reader:
        stop = _Stop()
        form = AudioFormat(reader.sample_rate, reader.channels, "pcm_f32le")
        return await _recognize(_at_pace(reader, stop), form, config, stop)


async def _listen(form: AudioFormat, config: str | None) -> int:
    stop = _Stop()
    return await _recognize(_stdin(stop), form, config, stop)


async def _recognize(source: AsyncIterator[AudioData], form: AudioFormat, config: str | None, stop: _Stop) -> int:
    screen = Screen()
    async with (
        create_stt(config) as stt,
        stt.stream(
            sample_rate=form.sample_rate, channels=form.channels, encoding=form.encoding, source=source
        ) as events,
    ):
        with stop, screen:
            async for event in events:
                screen.show(event)
    return 0


class _Stop:
    """The first Ctrl-C ends the input, so that what was said is still finished; the second ends the program."""

    def __init__(self) -> None:
        self.asked = False
        self.wake = asyncio.Event()

    def __enter__(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._ask)

    def __exit__(self, *exc: object) -> None:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)

    def _ask(self) -> None:
        self.asked = True
        self.wake.set()
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)


async def _at_pace(reader: AudioReader, stop: _Stop) -> AsyncIterator[AudioData]:
    """The file's samples, none before it would have been spoken."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    heard = 0
    for samples in reader.blocks(_BLOCK_SECONDS):
        heard += len(samples)
        try:
            await asyncio.wait_for(stop.wake.wait(), start + heard / reader.sample_rate - loop.time())
        except TimeoutError:
            yield samples
        else:
            return


async def _stdin(stop: _Stop) -> AsyncIterator[AudioData]:
    """What arrives on stdin, read when the loop says that there is something: a blocked thread would outlive Ctrl-C."""
    loop = asyncio.get_running_loop()
    stdin = sys.stdin.fileno()
    while True:
        try:
            loop.add_reader(stdin, stop.wake.set)
        except PermissionError:
            # A regular file cannot be waited for, and need not be.
            await asyncio.sleep(0)
        else:
            await stop.wake.wait()
            loop.remove_reader(stdin)
        if stop.asked or not (data := os.read(stdin, _READ_BYTES)):
            return
        stop.wake.clear()
        yield data
