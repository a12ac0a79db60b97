"""Where speech begins and ends: the hysteresis around a voice activity detector, and where to cut what has no end."""

from __future__ import annotations

from dataclasses import dataclass

from stt_core.audio import endpoint

from .decoder import SAMPLE_RATE, new_vad

__all__ = ["FRAME_BYTES", "FRAME_SAMPLES", "Endpointer", "Endpointing", "quietest"]

FRAME_BYTES = endpoint.FRAME_BYTES
FRAME_SAMPLES = FRAME_BYTES // 2
"""Samples per VAD frame (20 ms)."""


@dataclass(frozen=True, slots=True)
class Endpointing(endpoint.Endpointing):
    """How speech is told from silence; noise can hold the detector open for ever, and the decoder's last pass over an
    utterance takes time in proportion to its length.

    Attributes:
        vad_mode: 0 to 3; from 2 on quiet word onsets begin to be missed, below it noise is taken for speech.
    """  # noqa: D205

    max_speech: float = 20.0
    vad_mode: int = 2


class _Vad:
    """The engine's own detector, which is WebRTC's."""

    def __init__(self, mode: int) -> None:
        self._vad = new_vad(mode)

    def is_speech(self, frame: bytes) -> bool:
        return self._vad.is_speech(frame, SAMPLE_RATE)


class Endpointer(endpoint.Endpointer):
    """Follows the engine's detector."""

    def __init__(self, settings: Endpointing) -> None:
        super().__init__(settings, _Vad(settings.vad_mode))


def quietest(pcm: bytes, start: int) -> int:
    """The sample at the middle of the quietest 100 ms of ``pcm`` from sample ``start`` on: where a cut hurts least."""
    samples = memoryview(pcm)[: len(pcm) & ~1].cast("h")
    hop = FRAME_SAMPLES
    levels = [sum(map(abs, samples[i : i + hop])) for i in range(start, len(samples) - hop + 1, hop)]
    if len(levels) < 5:
        return len(samples)
    sums = [sum(levels[i : i + 5]) for i in range(len(levels) - 4)]
    return start + sums.index(min(sums)) * hop + 5 * hop // 2
