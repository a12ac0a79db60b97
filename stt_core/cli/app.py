"""The command group. Bad usage ends here; what recognition raises ends in :mod:`stt_core.cli.outcome`.

The modules of the commands import what they need when they run, so that help and completion cost no numpy.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from .explain import explain
from .inplace import note
from .jobs import jobs
from .outcome import Commands
from .providers import providers
from .serve import serve
from .stream import stream
from .transcribe import transcribe

__all__ = ["run"]


@click.group(cls=Commands, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stt-core", prog_name="stt")
def stt() -> None:
    """Speech to text, by any provider."""


for command in (transcribe, stream, jobs, providers, explain, serve):
    stt.add_command(command)


def run(args: Sequence[str] | None) -> int:
    """Run one command and return its exit code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  (as long as the process lives)
    stdout: object = sys.stdout
    if isinstance(stdout, io.TextIOWrapper):
        # What a terminal's encoding does not have is shown as an escape, and does not end the program.
        stdout.reconfigure(errors="backslashreplace")
    try:
        return stt.main(args, prog_name="stt", standalone_mode=False) or 0
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "stt"
        click.echo(f"{command}: {' '.join(error.format_message().split())} Try {command} --help.", err=True)
        return 2
    except click.ClickException as error:
        note(error.format_message())
        return 1
    except click.Abort:
        return 130
