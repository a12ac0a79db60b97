"""Is somebody speaking? 20 ms at a time, on 16 kHz mono.

WebRTC's detector does most of the work where it is installed (extra ``local``). Two things are put around it, because
its way to fail is to hold a steady noise for speech for ever: a high-pass filter, which takes mains hum and rumble out,
and a gate that follows the noise floor, which takes out whatever does not change for a second. Measured
(``benchmarks/vad.py``): of 60 s of hum, pink or white noise at -20 dBFS the bare detector calls all 60 s speech, this
one 1.3 s, and no more speech is missed in noise at a ratio of 10 dB.
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from .endpoint import FRAME_BYTES, FRAME_SECONDS, SAMPLE_RATE, Vad

__all__ = ["FRAME_BYTES", "FRAME_SECONDS", "SAMPLE_RATE", "EnergyVad", "Vad", "WebrtcVad", "new_vad"]

_CUTOFF_HZ = 100.0
_TAPS = 257
_SMOOTHED_FRAMES = 5
_FLOOR_FRAMES = 200
_FLOOR_KNOWN_AFTER = 50
_LEAST_POWER = 1e-12


class WebrtcVad:
    """WebRTC's detector behind a high-pass filter and a noise gate.

    Args:
        mode: 0 to 3. From 2 on it holds in noise; 3 clips the onsets of words.

    Raises:
        ConfigError: another mode.
        ImportError: webrtcvad-wheels is not installed.
    """

    def __init__(self, mode: int = 2) -> None:
        if mode not in range(4):
            raise ConfigError(f"a WebRTC VAD has the modes 0 to 3, not {mode}")
        module = importlib.import_module("webrtcvad")
        make = cast("Callable[[int], _Webrtc]", module.Vad)
        self._vad = make(mode)
        self._filter = _HighPass()
        self._floor = _NoiseFloor()

    def is_speech(self, frame: bytes) -> bool:
        """See :class:`~stt_core.audio.endpoint.Vad`."""
        samples = self._filter.process(np.frombuffer(frame, "<i2").astype(np.float32))
        above = self._floor.decibels_above(samples)
        filtered = np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()
        # The detector has to hear every frame, because it learns from them.
        return self._vad.is_speech(filtered, SAMPLE_RATE) and (above is None or above > 3.0)


class EnergyVad:
    """A detector by loudness alone, where nothing better is installed: a voice is well above the floor of the noise.

    It cannot tell a voice from a slammed door.
    """

    def __init__(self) -> None:
        self._filter = _HighPass()
        self._floor = _NoiseFloor()

    def is_speech(self, frame: bytes) -> bool:
        """See :class:`~stt_core.audio.endpoint.Vad`."""
        samples = self._filter.process(np.frombuffer(frame, "<i2").astype(np.float32))
        above = self._floor.decibels_above(samples)
        loud = float(np.square(samples).mean()) > 10 ** (-50 / 10) * 32768**2
        return loud and (above is None or above > 9.0)


def new_vad() -> Vad:
    """The best detector that is installed."""
    try:
        return WebrtcVad()
    except ImportError:
        return EnergyVad()


class _Webrtc(Protocol):
    def is_speech(self, buf: bytes, sample_rate: int) -> bool: ...


def _high_pass() -> npt.NDArray[np.float32]:
    at = np.arange(_TAPS) - (_TAPS - 1) / 2
    low = np.sinc(2 * _CUTOFF_HZ / SAMPLE_RATE * at) * np.blackman(_TAPS)
    taps = -low / low.sum()
    taps[(_TAPS - 1) // 2] += 1
    return taps.astype(np.float32)


class _HighPass:
    """A linear-phase filter; what comes out is 8 ms late, which a detector of 20 ms frames does not notice."""

    _taps = _high_pass()

    def __init__(self) -> None:
        self._before = np.zeros(_TAPS - 1, np.float32)

    def process(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        joined = np.concatenate((self._before, samples))
        self._before = joined[-(_TAPS - 1) :]
        return np.convolve(joined, self._taps, "valid")


class _NoiseFloor:
    """The quietest 100 ms of the last four seconds. Speech has pauses between its syllables, and noise has none."""

    def __init__(self) -> None:
        self._powers: deque[float] = deque(maxlen=_SMOOTHED_FRAMES)
        self._smoothed: deque[float] = deque(maxlen=_FLOOR_FRAMES)
        self._started = False

    def decibels_above(self, samples: npt.NDArray[np.float32]) -> float | None:
        """How far a frame is above the floor; ``None`` within the first second, when no floor is known."""
        power = float(np.square(samples).mean()) + _LEAST_POWER
        if not self._started:  # the filter has no history yet, and lets through less than there is
            self._started = True
            return None
        self._powers.append(power)
        self._smoothed.append(sum(self._powers) / len(self._powers))
        if len(self._smoothed) < _FLOOR_KNOWN_AFTER:
            return None
        return 10 * float(np.log10(power / min(self._smoothed)))
