"""What the library logs, as lines of the command's own."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Collection, Generator
from contextlib import contextmanager

from typing_extensions import override

from .inplace import note

__all__ = ["told"]


@contextmanager
def told(*, verbose: bool, silent: Collection[str] = ()) -> Generator[None]:
    """Print what is logged on stderr: warnings, a line each; with ``verbose`` information and tracebacks too.

    Args:
        verbose: see above.
        silent: loggers that are left out otherwise.
    """
    root = logging.getLogger()
    handler = _Notes(verbose=verbose, silent=silent)
    previous = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO if verbose else logging.WARNING)
    try:
        yield
    finally:
        root.setLevel(previous)
        root.removeHandler(handler)


class _Notes(logging.Handler):
    def __init__(self, *, verbose: bool, silent: Collection[str]) -> None:
        super().__init__()
        self._verbose = verbose
        self._silent = silent

    @override
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if self._verbose and error is not None:
            traceback.print_exception(error)
        if self._verbose or record.name not in self._silent:
            note(record.getMessage() + (f" ({type(error).__name__}: {error})" if error else ""))
