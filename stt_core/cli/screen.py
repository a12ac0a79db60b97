"""How a stream looks on a terminal, and in a pipe."""

from __future__ import annotations

import sys
from typing import Self

import click

from ..events import SpeechEvent, SpeechEventType
from .inplace import InPlace, note

__all__ = ["Screen"]


class Screen:
    """Finals on lines of their own on stdout; the interim below them, in place, and on a terminal only.

    Outages go to stderr. Leaving the context removes an interim that is still shown.
    """

    def __init__(self) -> None:
        self._interim = InPlace(sys.stdout, keep="end")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._interim.clear()

    def show(self, event: SpeechEvent) -> None:
        """Print what the event has to say, if anything."""
        match event.type:
            case SpeechEventType.INTERIM_TRANSCRIPT:
                self._interim.show(event.text)
            case SpeechEventType.FINAL_TRANSCRIPT:
                self._interim.clear()
                click.echo(event.text)
            case SpeechEventType.END_OF_SPEECH:
                self._interim.clear()  # of a segment that came to nothing
            case SpeechEventType.RECONNECTING:
                note(f"reconnecting to {event.provider}: {event.error}")
            case SpeechEventType.PROVIDER_SWITCHED:
                note(f"{event.provider} takes over from {event.previous_provider}: {event.error}")
            case SpeechEventType.AUDIO_LOST if event.span:
                note(f"lost the audio from {event.span.start_time:.2f} to {event.span.end_time:.2f} s")
            case _:
                pass
