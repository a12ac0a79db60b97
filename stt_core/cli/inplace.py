"""A line of a terminal that is written over, and lines that stay."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, ClassVar, Literal, TextIO

import click

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["InPlace", "note"]

_ERASE_LINE = "\r\x1b[K"
_RESERVED = len("^C") + 1
"""Columns that stay free, for what the terminal itself writes behind the line, and for the cursor."""


class InPlace:
    """The last line of a terminal, faint, because what it shows will go.

    In a pipe, and on a terminal that cannot erase, it shows nothing. One is shown at a time.

    Attributes:
        works: whether it shows anything.
        shown: the one that stands on the terminal now.
    """

    shown: ClassVar[InPlace | None] = None

    def __init__(self, file: TextIO, *, keep: Literal["start", "end"] = "start") -> None:
        self.works = file.isatty() and os.environ.get("TERM") != "dumb"
        self._file = file
        self._keep: Literal["start", "end"] = keep
        self._line = ""

    def show(self, text: str) -> None:
        """Show the text instead of what stands there; of one that is too long only as much as fits."""
        if self.works:
            # Vendors' texts are printed here, and an escape sequence in one would be obeyed.
            printable = "".join(char if char.isprintable() else " " for char in text)
            self._line = " ".join(printable.split())
            InPlace.shown = self
            self.draw()

    def clear(self) -> None:
        """Leave the line empty, for something that stays."""
        if InPlace.shown is self:
            InPlace.shown = None
            self.erase()

    def draw(self) -> None:
        """Write what is shown, over whatever stands there."""
        line = _clip(self._line, max(self._columns() - _RESERVED, 1), self._keep)
        faint = line if os.environ.get("NO_COLOR") else click.style(line, dim=True)
        click.echo(f"{_ERASE_LINE}{faint}", file=self._file, nl=False)

    def erase(self) -> None:
        """Empty the line, and show it again with the next :meth:`draw`."""
        click.echo(_ERASE_LINE, file=self._file, nl=False)

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._file.fileno()).columns or 80
        except OSError:
            return shutil.get_terminal_size().columns


def note(text: str) -> None:
    """One line on stderr, whatever is in the text, above what is shown in place."""
    line = InPlace.shown
    if line is not None:
        line.erase()
    click.echo(f"stt: {' '.join(text.split())}", err=True)
    if line is not None:
        line.draw()


def _clip(text: str, columns: int, keep: Literal["start", "end"]) -> str:
    """As much of the text as fits on one line: a line that wraps cannot be written over."""
    from rich.cells import cell_len

    if cell_len(text) <= columns:
        return text
    if keep == "start":
        return text[: _fitting(text, columns - 1, cell_len)].rstrip() + "…"
    tail = text[len(text) - _fitting(text[::-1], columns - 1, cell_len) :]
    while tail and not cell_len(tail[0]):  # an accent whose letter is cut off
        tail = tail[1:]
    return f"…{tail.lstrip()}"


def _fitting(text: str, columns: int, width_of: Callable[[str], int]) -> int:
    """How many characters of the text fit."""
    for count, char in enumerate(text):
        columns -= width_of(char)
        if columns < 0:
            return count
    return len(text)
