"""How a stream looks on a terminal, and in a pipe."""

from __future__ import annotations

import shutil
import sys
from typing import Self

import click

from ..events import SpeechEvent, SpeechEventType

__all__ = ["Screen"]

_ERASE_LINE = "\r\x1b[K"


class Screen:
    """Finals on lines of their own on stdout; the interim below them, in place, and on a terminal only.

    Outages go to stderr. Leaving the context removes an interim that is still shown.
    """

    def __init__(self) -> None:
        self._in_place = sys.stdout.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._erase()

    def show(self, event: SpeechEvent) -> None:
        """Print what the event has to say, if anything."""
        match event.type:
            case SpeechEventType.INTERIM_TRANSCRIPT:
                if self._in_place:
                    self._erase()
                    click.echo(self._tail(event.text), nl=False)
            case SpeechEventType.FINAL_TRANSCRIPT:
                self._erase()
                click.echo(event.text)
            case SpeechEventType.RECONNECTING:
                self._note(f"reconnecting to {event.provider}: {event.error}")
            case SpeechEventType.PROVIDER_SWITCHED:
                self._note(f"{event.provider} takes over from {event.previous_provider}: {event.error}")
            case SpeechEventType.AUDIO_LOST if event.span:
                self._note(f"lost the audio from {event.span.start_time:.2f} to {event.span.end_time:.2f} s")
            case _:
                pass

    def _erase(self) -> None:
        if self._in_place:
            click.echo(_ERASE_LINE, nl=False)

    def _note(self, text: str) -> None:
        self._erase()
        click.echo(f"stt: {text}", err=True)

    @staticmethod
    def _tail(text: str) -> str:
        """The end of the text, as much as surely fits on one line: a wrapped line cannot be rewritten in place."""
        columns = shutil.get_terminal_size().columns - 1
        return text[-columns:] if text.isascii() else text[-(columns // 2) :]
