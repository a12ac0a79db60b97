"""``stt transcribe``: files to text, subtitles or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import click

from ..transcript import TranscriptFormat
from .outcome import carry_out, model_option, verbose_option

if TYPE_CHECKING:
    from .stopping import Stop

__all__ = ["transcribe"]


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
    type=click.Choice(get_args(TranscriptFormat)),
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
@click.option(
    "-j",
    "--parallel",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Files at once.  [default: 4; with an engine of this machine no more than it has processors]",
)
@verbose_option
def transcribe(
    files: tuple[Path, ...], config: str | None, form: str, folder: Path | None, parallel: int | None, verbose: bool
) -> int:
    """Write what is said in each FILE, in their order. One that fails does not stop the others.

    Several files on stdout are told apart: as txt each comes under a line "==> FILE <==", as json each is one line
    {"file": ..., "transcript": ...}, or "error" in its place. Ctrl-C still writes the files that are done.
    """
    if folder is None and len(files) > 1 and form in ("srt", "vtt"):
        raise click.UsageError(f"{len(files)} files as {form} need a folder to go to: -o DIR.")
    targets = None if folder is None else _targets(files, folder, form)

    async def run(stop: Stop) -> int:
        from .batch import Writer, transcribe_all

        writer = Writer(cast("TranscriptFormat", form), targets, several=len(files) > 1, verbose=verbose)
        return await transcribe_all(files, config, parallel, writer)

    return carry_out(run, verbose=verbose)


def _targets(files: tuple[Path, ...], folder: Path, form: str) -> dict[Path, Path]:
    """Where each file's result goes; the folder is made."""
    taken: dict[Path, Path] = {}
    for file in files:
        target = folder / f"{file.stem}.{form}"
        other = taken.setdefault(target, file)
        if other is not file:
            raise click.UsageError(f"{other} and {file} would both be written to {target}.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.UsageError(f"{folder} cannot be made: {error.strerror}.") from error
    return {file: target for target, file in taken.items()}
