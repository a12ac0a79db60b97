"""What every command shares: its options, and how its work becomes lines and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING

import click

from ..errors import AudioFileNotFoundError, ConfigError, MissingExtraError, STTError, UnsupportedError
from .completion import complete_config
from .inplace import note

if TYPE_CHECKING:
    from .stopping import Stop

__all__ = ["Commands", "carry_out", "guard", "model_option", "report", "verbose_option"]

_FAILED, _USAGE, _UNREAD = 1, 2, 128 + signal.SIGPIPE
_USAGE_ERRORS = (ConfigError, MissingExtraError, UnsupportedError, AudioFileNotFoundError)

model_option = click.option(
    "-m",
    "--model",
    "config",
    metavar="CONFIG",
    shell_complete=complete_config,
    help="Who recognises, as provider[/model][:language][?option=value]. "
    "Without it STT_CORE_MODEL, else the embedded engine.",
)
verbose_option = click.option("-v", "--verbose", is_flag=True, help="Show where an error came from, and what goes on.")


class Commands(click.Group):
    """Commands, listed in the order in which they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Not in the alphabet's order."""
        return list(self.commands)


def report(error: STTError, *, verbose: bool, about: str = "") -> int:
    """Print an error as one line on stderr, after its traceback if wanted.

    Returns:
        the exit code that it stands for.
    """
    if verbose:
        _trace(error)
    note(f"{about}{error}")
    return _USAGE if isinstance(error, _USAGE_ERRORS) else _FAILED


def _trace(error: Exception) -> None:
    import traceback

    traceback.print_exception(error)


def carry_out(work: Callable[[Stop], Coroutine[None, None, int]], *, verbose: bool, silent: Sequence[str] = ()) -> int:
    """Run a command in an event loop to its end and return the exit code.

    Args:
        work: the command. What it is given says whether it was asked to stop, and how it wants to be.
        verbose: show where an error came from, and all that the library logs.
        silent: loggers that are not shown, but for ``verbose``.
    """

    def run() -> int:
        import asyncio

        from .logs import told
        from .stopping import Stop

        with told(verbose=verbose, silent=silent), Stop() as stop, asyncio.Runner() as runner:
            return runner.run(stop.bounds(work(stop)))

    return guard(run, verbose=verbose)


def guard(work: Callable[[], int], *, verbose: bool) -> int:
    """Run a command and return the exit code: its own, or that of the error that it raised."""
    try:
        code = work()
        sys.stdout.flush()
    except STTError as error:
        return report(error, verbose=verbose)
    except BrokenPipeError:
        _let_go_of_stdout()  # whoever read our output (`| head`) has gone
        return _UNREAD
    except OSError as error:
        if error.errno is None:
            raise  # not the system's: a mistake of ours, and no less for having this class
        if verbose:
            _trace(error)
        if error.filename is None:
            _let_go_of_stdout()
        note(f"{error.filename or 'stdout'}: {error.strerror or error}")
        return _FAILED
    return code


def _let_go_of_stdout() -> None:
    """What Python flushes at exit must not fail a second time."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
