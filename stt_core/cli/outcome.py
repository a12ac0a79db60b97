"""What every command shares: its options, and how its work becomes lines and an exit code."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Coroutine

import click

from ..errors import AudioFileNotFoundError, ConfigError, MissingExtraError, STTError, UnsupportedError

__all__ = ["carry_out", "model_option", "report", "verbose_option"]

_DONE, _FAILED, _USAGE, _INTERRUPTED = 0, 1, 2, 130
_USAGE_ERRORS = (ConfigError, MissingExtraError, UnsupportedError, AudioFileNotFoundError)

model_option = click.option(
    "-m",
    "--model",
    "config",
    metavar="CONFIG",
    help="Who recognises, as provider[/model][:language][?option=value]. "
    "Without it STT_CORE_MODEL, else the embedded engine.",
)
verbose_option = click.option("-v", "--verbose", is_flag=True, help="Show where an error came from.")


def report(error: STTError, *, verbose: bool, about: str = "") -> int:
    """Print an error as one line on stderr, after its traceback if wanted.

    Returns:
        the exit code that it stands for.
    """
    if verbose:
        traceback.print_exception(error)
    click.echo(f"stt: {about}{' '.join(str(error).split())}", err=True)
    return _USAGE if isinstance(error, _USAGE_ERRORS) else _FAILED


def carry_out(work: Coroutine[None, None, int], *, verbose: bool) -> int:
    """Run a command's coroutine to its end and return the exit code."""
    try:
        return asyncio.run(work)
    except STTError as error:
        return report(error, verbose=verbose)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output (`| head`) has gone; what Python flushes at exit must not fail a second time.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
