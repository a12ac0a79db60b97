"""Tables of names and what there is to say about them, in the width of the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable

import click

__all__ = ["Page", "listed"]

_WIDEST = 100
_NARROWEST = 24
_LONGEST_NAME = 28
_GAP = 2


class Page:
    """Headings with names and texts beneath them, as the help of a command looks.

    Unlike click's own it breaks no line inside a name: not at the hyphens of a model, not in a URL.
    """

    def __init__(self) -> None:
        self._width = max(min(shutil.get_terminal_size().columns - 1, _WIDEST), _NARROWEST)
        self._lines: list[str] = []

    def text(self, text: str) -> None:
        """A paragraph, with an empty line before it."""
        if self._lines:
            self._lines.append("")
        self._lines += self._wrapped(text, 0)

    def rows(self, rows: Iterable[tuple[str, str]], *, title: str = "") -> None:
        """Names with their texts, under a title; nothing at all if there are none."""
        found = list(rows)
        if not found:
            return
        if title:
            self.text(f"{title}:")
        longest = min(_LONGEST_NAME, self._width // 3)
        column = _GAP + max((len(name) for name, _ in found if len(name) <= longest), default=longest) + _GAP
        for name, text in found:
            first, *rest = self._wrapped(text, column) or [""]
            if len(name) > longest:
                self._lines.append(f"{'':{_GAP}}{name}")
                self._lines.append(first)
            else:
                self._lines.append(f"{'':{_GAP}}{name:{column - _GAP}}{first[column:]}".rstrip())
            self._lines += rest

    def _wrapped(self, text: str, indent: int) -> list[str]:
        space = " " * indent
        return textwrap.wrap(
            text,
            self._width,
            initial_indent=space,
            subsequent_indent=space,
            break_on_hyphens=False,
            break_long_words=False,
        )

    def show(self) -> None:
        """Print it on stdout."""
        click.echo("\n".join(self._lines))


def listed(names: Iterable[str]) -> str:
    """Names in a row; "none" if there are none."""
    return ", ".join(names) or "none"
