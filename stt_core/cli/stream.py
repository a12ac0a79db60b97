"""``stt stream``: words while they are spoken, from a file played at its own pace, from stdin or a microphone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from ..audio.frames import ENCODINGS, MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, AudioFormat, Encoding
from .inplace import note
from .outcome import carry_out, model_option, verbose_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from .sources import Source
    from .stopping import Stop

__all__ = ["stream"]

_PATIENCE = 1.0
"""Seconds after which somebody who pressed Ctrl-C wants to know why the command has not ended."""


@click.command()
@click.argument(
    "source", metavar="[FILE|-]", required=False, type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@click.option("--mic", is_flag=True, help="Listen to a microphone (extra `mic`).")
@click.option("--device", help="With --mic: its number or a part of its name.  [default: the system's]")
@model_option
@click.option(
    "--sample-rate",
    type=click.IntRange(MIN_SAMPLE_RATE, MAX_SAMPLE_RATE),
    metavar="HZ",
    help="With -, and needed there: samples per second. With --mic, the device's own by default.",
)
@click.option("--encoding", type=click.Choice(ENCODINGS), help="With -: how samples are written.  [default: pcm_s16le]")
@click.option(
    "--channels", type=click.IntRange(1, MAX_CHANNELS), help="With - or --mic: interleaved channels.  [default: 1]"
)
@verbose_option
def stream(
    source: str | None,
    mic: bool,
    device: str | None,
    config: str | None,
    sample_rate: int | None,
    encoding: str | None,
    channels: int | None,
    verbose: bool,
) -> int:
    """Print what is said while it is spoken.

    Each final result has a line of its own; interims are written over on a terminal, and left out elsewhere.

    FILE is played at the pace of speech; - reads raw audio without a header from stdin. Ctrl-C ends the input and
    still prints what was said until then, with exit code 130 for a FILE that was cut short; a second one ends at once.
    """
    from .sources import played, recorded, stdin

    if mic == (source is not None):
        raise click.UsageError("What to listen to: a FILE, - for raw audio from stdin, or --mic, and one of them.")
    if device is not None and not mic:
        raise click.UsageError("--device chooses a microphone: it goes with --mic.")
    if mic:
        if encoding is not None:
            raise click.UsageError("--encoding describes raw audio from stdin: a microphone says its own.")
        number = int(device) if device is not None and device.isdecimal() else device
        return _carry_out(lambda: recorded(number, sample_rate, channels or 1), config, verbose=verbose)
    if source is not None and source != "-":
        if (sample_rate, encoding, channels) != (None, None, None):
            raise click.UsageError(
                "--sample-rate, --encoding and --channels describe raw audio from stdin: a file says its own."
            )
        path = Path(source)
        return _carry_out(lambda: played(path), config, verbose=verbose)
    if sys.stdin is None or sys.stdin.isatty():
        raise click.UsageError("stdin is no audio: pipe raw samples into it.")
    if sample_rate is None:
        raise click.UsageError("Raw audio does not say its sample rate: give it, for example --sample-rate 16000.")
    form = AudioFormat(sample_rate, channels or 1, cast("Encoding", encoding or "pcm_s16le"))
    return _carry_out(lambda: stdin(form), config, verbose=verbose)


def _carry_out(open_source: Callable[[], Source], config: str | None, *, verbose: bool) -> int:
    # What the stream's logger says, the screen says too.
    return carry_out(lambda stop: _recognize(open_source, config, stop), verbose=verbose, silent=("stt_core.stream",))


async def _recognize(open_source: Callable[[], Source], config: str | None, stop: Stop) -> int:
    import asyncio

    from ..factory import create_stt
    from .screen import Screen

    loop = asyncio.get_running_loop()
    source = open_source()
    with source.open:
        async with create_stt(config) as stt, source.stream(stt) as events:

            def end() -> None:
                events.end_input()
                loop.call_later(_PATIENCE, note, "waiting for the last results; Ctrl-C ends at once")

            stop.calls(end)
            with Screen() as screen:
                async for event in events:
                    screen.show(event)
    return stop.code if stop.asked and not source.endless else 0
