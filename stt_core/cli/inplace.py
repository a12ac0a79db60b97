"""A line of a terminal that is written over."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Literal, TextIO

import click

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["InPlace"]

_ERASE_LINE = "\r\x1b[K"
_RESERVED = len("^C") + 1
"""Columns that stay free, for what the terminal itself writes behind the line, and for the cursor."""


class InPlace:
    """The last line of a terminal, faint, because what it shows will go.

    In a pipe, and on a terminal that cannot erase, it shows nothing.

    Attributes:
        works: whether it shows anything.
    """

    def __init__(self, file: TextIO) -> None:
        self.works = file.isatty() and os.environ.get("TERM") != "dumb"
        self._file = file
        self._shown = False

    def show(self, text: str, *, keep: Literal["start", "end"] = "start") -> None:
        """Show the text instead of what stands there; of one that is too long the end or the start, as asked."""
        if self.works:
            # Vendors' texts are printed here, and an escape sequence in one would be obeyed.
            printable = "".join(char if char.isprintable() else " " for char in text)
            line = _clip(" ".join(printable.split()), max(self._columns() - _RESERVED, 1), keep)
            self._shown = True
            faint = line if os.environ.get("NO_COLOR") else click.style(line, dim=True)
            click.echo(f"{_ERASE_LINE}{faint}", file=self._file, nl=False)

    def clear(self) -> None:
        """Leave the line empty, for something that stays."""
        if self._shown:
            self._shown = False
            click.echo(_ERASE_LINE, file=self._file, nl=False)

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._file.fileno()).columns or 80
        except OSError:
            return shutil.get_terminal_size().columns


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
