"""``stt transcribe``: files to text, subtitles or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

import click

from ..errors import STTError
from ..factory import create_stt
from .outcome import carry_out, model_option, report, verbose_option

__all__ = ["transcribe"]

_Form = Literal["txt", "json", "srt", "vtt"]


@click.command()
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@model_option
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["txt", "json", "srt", "vtt"]),
    default="txt",
    show_default=True,
    help="What to write.",
)
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write DIR/<name>.<format> for each file, over an older one, instead of to stdout.",
)
@verbose_option
def transcribe(files: tuple[Path, ...], config: str | None, form: str, folder: Path | None, verbose: bool) -> int:
    """Write what is said in each FILE. One that fails does not stop the others."""
    if folder is None:
        if len(files) > 1 and form in ("srt", "vtt"):
            raise click.UsageError(f"{len(files)} files as {form} need a folder to go to: -o DIR.")
    else:
        targets: dict[Path, Path] = {}
        for file in files:
            other = targets.setdefault(_target(file, folder, form), file)
            if other is not file:
                raise click.UsageError(f"{other} and {file} would both be written to {_target(file, folder, form)}.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise click.UsageError(f"{folder} cannot be made: {error.strerror}.") from error
    return carry_out(_transcribe(files, config, cast("_Form", form), folder, verbose), verbose=verbose)


def _target(file: Path, folder: Path, form: str) -> Path:
    return folder / f"{file.stem}.{form}"


async def _transcribe(
    files: tuple[Path, ...], config: str | None, form: _Form, folder: Path | None, verbose: bool
) -> int:
    worst = 0
    async with create_stt(config) as stt:
        for number, file in enumerate(files, 1):
            count = f" ({number} of {len(files)})" if len(files) > 1 else ""
            click.echo(f"stt: transcribing {file}{count}", err=True)
            try:
                transcript = await stt.recognize(file)
            except STTError as error:
                about = "" if file.name in str(error) else f"{file}: "
                worst = max(worst, report(error, verbose=verbose, about=about))
                continue
            _deliver(transcript.to(form), None if folder is None else _target(file, folder, form))
    return worst


def _deliver(text: str, target: Path | None) -> None:
    text = text if text.endswith("\n") else f"{text}\n"
    if target is None:
        click.echo(text, nl=False)
    else:
        target.write_text(text, encoding="utf-8")
