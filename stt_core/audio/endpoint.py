"""Where speech begins and ends: the hysteresis around a voice activity detector."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

__all__ = ["FRAME_BYTES", "FRAME_SECONDS", "SAMPLE_RATE", "Endpointer", "Endpointing", "Vad"]

SAMPLE_RATE = 16_000
FRAME_SECONDS = 0.02
FRAME_BYTES = 640
"""Of a frame: 320 samples of ``pcm_s16le``."""


class Vad(Protocol):
    """What tells speech from other sounds. It may remember what it heard: one object serves one stream."""

    def is_speech(self, frame: bytes) -> bool:
        """Whether this frame of ``FRAME_BYTES`` holds speech."""
        ...


@dataclass(frozen=True, slots=True)
class Endpointing:
    """How speech is told from silence. Seconds.

    Attributes:
        min_speech: voiced audio that begins speech.
        end_silence: unvoiced audio that ends it.
        pre_roll: audio before the first voiced frame that belongs to the speech: words begin quietly.
        max_speech: the longest piece that is kept in one.
    """

    min_speech: float = 0.12
    end_silence: float = 0.5
    pre_roll: float = 0.3
    max_speech: float = 30.0


class Endpointer:
    """Follows a detector's verdicts on 20 ms frames.

    Speech begins when three quarters of the last ``min_speech / 0.75`` seconds are voiced, and ends when nine tenths
    of the last ``end_silence`` seconds are not, so that neither a click nor a stray voiced frame in a pause counts.

    Attributes:
        speaking: whether speech has begun and not ended.
        silent_frames: frames since the last voiced one.
    """

    def __init__(self, settings: Endpointing, vad: Vad) -> None:
        self._vad = vad
        self._min_voiced = max(1, round(settings.min_speech / FRAME_SECONDS))
        self._begin: deque[bool] = deque(maxlen=-(-self._min_voiced * 4 // 3))
        self._end: deque[bool] = deque(maxlen=max(1, round(settings.end_silence / FRAME_SECONDS)))
        self.speaking = False
        self.silent_frames = 0

    @property
    def onset_frames(self) -> int:
        """Frames back to the first voiced one that began speech, when it just has, or may yet turn out to; else 0."""
        return len(self._begin) - self._begin.index(True) if True in self._begin else 0

    def push(self, frame: bytes) -> bool:
        """Takes one frame; tells whether :attr:`speaking` has changed."""
        voiced = self._vad.is_speech(frame)
        self.silent_frames = 0 if voiced else self.silent_frames + 1
        window = self._end if self.speaking else self._begin
        window.append(voiced)
        if self.speaking:
            changed = len(window) == window.maxlen and window.count(True) * 10 <= len(window)
        else:
            changed = window.count(True) >= self._min_voiced
        if changed:
            self.speaking = not self.speaking
            if not self.speaking:
                self.restart()
        elif self.speaking:
            self._begin.clear()
        return changed

    def restart(self) -> None:
        """Waits for speech to begin (anew); what the detector has learned about the noise stays."""
        self.speaking = False
        self._begin.clear()
        self._end.clear()
