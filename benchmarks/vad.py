"""Seconds of a minute of steady noise that the voice activity detectors hold for speech.

    python benchmarks/vad.py

Mains hum with five harmonics, pink and white noise, at four levels; WebRTC's detector alone, what
``stt_core.audio.vad`` makes of it, and the detector by loudness.
"""

from __future__ import annotations

import importlib

import numpy as np

from stt_core.audio.endpoint import Endpointer, Endpointing
from stt_core.audio.vad import FRAME_BYTES, FRAME_SECONDS, SAMPLE_RATE, EnergyVad, Vad, WebrtcVad

SAMPLES = 60 * SAMPLE_RATE


class Bare:
    """WebRTC's detector in mode 2, and nothing around it."""

    def __init__(self) -> None:
        self._vad = importlib.import_module("webrtcvad").Vad(2)

    def is_speech(self, frame: bytes) -> bool:
        return bool(self._vad.is_speech(frame, SAMPLE_RATE))


def hum() -> np.ndarray:
    at = np.arange(SAMPLES) / SAMPLE_RATE
    return np.sum([a * np.sin(2 * np.pi * 60 * n * at + n) for n, a in enumerate((1, 0.5, 0.3, 0.2, 0.1), 1)], axis=0)


def noise(exponent: float) -> np.ndarray:
    random = np.random.default_rng(7)
    spectrum = random.normal(size=SAMPLES // 2 + 1) + 1j * random.normal(size=SAMPLES // 2 + 1)
    spectrum[0] = 0
    spectrum[1:] *= np.arange(1, SAMPLES // 2 + 1) ** (-exponent / 2)
    return np.fft.irfft(spectrum, SAMPLES)


def false_seconds(samples: np.ndarray, decibels: float, vad: Vad) -> float:
    scaled = samples / np.sqrt(np.square(samples).mean()) * 10 ** (decibels / 20) * 32768
    audio = np.clip(np.rint(scaled), -32768, 32767).astype("<i2").tobytes()
    endpointer = Endpointer(Endpointing(), vad)
    speaking = 0
    for start in range(0, len(audio), FRAME_BYTES):
        endpointer.push(audio[start : start + FRAME_BYTES])
        speaking += endpointer.speaking
    return speaking * FRAME_SECONDS


def main() -> None:
    detectors: dict[str, type[Vad]] = {"webrtc alone": Bare, "WebrtcVad": WebrtcVad, "EnergyVad": EnergyVad}
    print(f"{'noise':8}{'dBFS':>6}" + "".join(f"{name:>15}" for name in detectors))
    for name, samples in (("hum", hum()), ("pink", noise(1)), ("white", noise(0))):
        for decibels in (-40, -30, -20, -10):
            found = [false_seconds(samples, decibels, make()) for make in detectors.values()]
            print(f"{name:8}{decibels:6}" + "".join(f"{seconds:13.1f} s" for seconds in found))


if __name__ == "__main__":
    main()
