"""Notices a provider that hears speech and says nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .audio.chunker import Chunker
    from .audio.convert import Converter
    from .audio.frames import AudioFormat
    from .audio.vad import Vad

__all__ = ["ProgressWatch"]


class ProgressWatch:
    """Counts the speech that a provider was sent since it last said something.

    It takes a real detector of speech: a gate by loudness would call the noise of a silent line speech, and music on
    hold is bad enough.

    Args:
        audio_format: gives the format of what is sent, once there is something.
        limit: seconds of speech.
    """

    def __init__(self, audio_format: Callable[[], AudioFormat], limit: float) -> None:
        self.limit = limit
        self._format = audio_format
        self._converter: Converter | None = None
        self._frames: Chunker | None = None
        self._vad: Vad | None = None
        self._heard = 0

    def sign(self) -> None:
        """The provider said something."""
        self._heard = 0

    def sent(self, data: bytes) -> bool:
        """Counts audio; tells whether it is enough."""
        from .audio.vad import FRAME_SECONDS

        converter, frames, vad = self._tools()
        for frame in frames.push(converter.convert(data)):
            self._heard += vad.is_speech(frame)
        return self._heard * FRAME_SECONDS >= self.limit

    def _tools(self) -> tuple[Converter, Chunker, Vad]:
        if self._converter is None or self._frames is None or self._vad is None:
            from .audio.chunker import Chunker
            from .audio.convert import Converter
            from .audio.frames import AudioFormat
            from .audio.vad import FRAME_BYTES, SAMPLE_RATE, new_vad

            self._converter = Converter(self._format(), AudioFormat(SAMPLE_RATE))
            self._frames = Chunker(FRAME_BYTES)
            self._vad = new_vad()
        return self._converter, self._frames, self._vad
