"""Where speech begins and ends: the hysteresis around a voice activity detector, and where to cut what has no end."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from .decoder import SAMPLE_RATE, Vad, new_vad

__all__ = ["FRAME_BYTES", "FRAME_SAMPLES", "Endpointer", "Endpointing", "quietest"]

FRAME_SAMPLES = SAMPLE_RATE // 50
"""Samples per VAD frame (20 ms)."""

FRAME_BYTES = 2 * FRAME_SAMPLES


@dataclass(frozen=True, slots=True)
class Endpointing:
    """How speech is told from silence. Seconds.

    Attributes:
        vad_mode: 0 to 3; from 2 on quiet word onsets begin to be missed, below it noise is taken for speech.
        min_speech: voiced audio that begins speech.
        end_silence: unvoiced audio that ends it.
        pre_roll: audio before the first voiced frame that is decoded with the speech.
        max_speech: the longest utterance that is decoded in one piece: noise can hold the detector open for ever, and
            the decoder's last pass over an utterance takes time in proportion to its length.
    """

    vad_mode: int = 2
    min_speech: float = 0.12
    end_silence: float = 0.5
    pre_roll: float = 0.3
    max_speech: float = 20.0


class Endpointer:
    """Follows the voiced flags of 20 ms frames.

    Speech begins when three quarters of the last ``min_speech / 0.75`` seconds are voiced, and ends when nine tenths
    of the last ``end_silence`` seconds are not, so that neither a click nor a stray voiced frame in a pause counts.
    """

    def __init__(self, settings: Endpointing) -> None:
        self._vad: Vad = new_vad(settings.vad_mode)
        self._min_voiced = max(1, round(settings.min_speech * SAMPLE_RATE / FRAME_SAMPLES))
        self._begin: deque[bool] = deque(maxlen=-(-self._min_voiced * 4 // 3))
        self._end: deque[bool] = deque(maxlen=max(1, round(settings.end_silence * SAMPLE_RATE / FRAME_SAMPLES)))
        self.speaking = False
        self.silent_frames = 0
        """Frames since the last voiced one."""

    @property
    def onset_frames(self) -> int:
        """Frames back to the first voiced one that began speech, when it just has, or may yet turn out to; else 0."""
        return len(self._begin) - self._begin.index(True) if True in self._begin else 0

    def push(self, frame: bytes) -> bool:
        """Take one frame of ``FRAME_BYTES``; tells whether :attr:`speaking` has changed."""
        voiced = self._vad.is_speech(frame, SAMPLE_RATE)
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
        """Wait for speech to begin (anew); what the detector has learned about the noise stays."""
        self.speaking = False
        self._begin.clear()
        self._end.clear()


def quietest(pcm: bytes, start: int) -> int:
    """The sample at the middle of the quietest 100 ms of ``pcm`` from sample ``start`` on: where a cut hurts least."""
    samples = memoryview(pcm)[: len(pcm) & ~1].cast("h")
    hop = FRAME_SAMPLES
    levels = [sum(map(abs, samples[i : i + hop])) for i in range(start, len(samples) - hop + 1, hop)]
    if len(levels) < 5:
        return len(samples)
    sums = [sum(levels[i : i + 5]) for i in range(len(levels) - 4)]
    return start + sums.index(min(sums)) * hop + 5 * hop // 2
