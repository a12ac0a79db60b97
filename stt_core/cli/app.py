"""The command group. Bad usage ends here; what recognition raises ends in :mod:`stt_core.cli.outcome`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from .. import __version__
from .serve import serve
from .stream import stream
from .transcribe import transcribe

__all__ = ["run"]


@click.group(no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stt")
def stt() -> None:
    """Speech to text, by any provider."""


stt.add_command(transcribe)
stt.add_command(stream)
stt.add_command(serve)


def run(args: Sequence[str] | None) -> int:
    """Run one command and return its exit code."""
    try:
        code: int = stt.main(args, prog_name="stt", standalone_mode=False)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "stt"
        click.echo(f"{command}: {error.format_message()} Try {command} --help.", err=True)
        return 2
    return code
