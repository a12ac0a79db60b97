"""Telling speech from noise, and where it begins and ends."""

from __future__ import annotations

import sys
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.audio.endpoint import Endpointer, Endpointing
from stt_core.audio.vad import FRAME_BYTES, SAMPLE_RATE, EnergyVad, WebrtcVad, new_vad
from stt_core.errors import ConfigError

if TYPE_CHECKING:
    from stt_core.audio.vad import Vad

Samples = npt.NDArray[np.float64]
MINUTE = 60 * SAMPLE_RATE
SPEECH = Path(__file__).parent.parent / "data" / "speech" / "weather.wav"


def hum(*harmonics: float) -> Samples:
    at = np.arange(MINUTE) / SAMPLE_RATE
    return np.sum([each * np.sin(2 * np.pi * 60 * n * at + n) for n, each in enumerate(harmonics, 1)], axis=0)


def noise(exponent: float) -> Samples:
    """Noise whose power falls with the frequency to this exponent: 0 is white, 1 is pink."""
    random = np.random.default_rng(7)
    spectrum = random.normal(size=MINUTE // 2 + 1) + 1j * random.normal(size=MINUTE // 2 + 1)
    spectrum[0] = 0
    spectrum[1:] *= np.arange(1, MINUTE // 2 + 1) ** (-exponent / 2)
    return np.fft.irfft(spectrum, MINUTE)


def at_level(samples: Samples, decibels: float) -> bytes:
    scaled = samples / np.sqrt(np.square(samples).mean()) * 10 ** (decibels / 20) * 32768
    return np.clip(np.rint(scaled), -32768, 32767).astype("<i2").tobytes()


def speaking(audio: bytes, vad: Vad) -> list[bool]:
    endpointer = Endpointer(Endpointing(), vad)
    found: list[bool] = []
    for start in range(0, len(audio) - FRAME_BYTES + 1, FRAME_BYTES):
        endpointer.push(audio[start : start + FRAME_BYTES])
        found.append(endpointer.speaking)
    return found


def speech() -> bytes:
    with wave.open(str(SPEECH)) as file:
        assert file.getframerate() == SAMPLE_RATE
        return file.readframes(file.getnframes())


DETECTORS = [WebrtcVad, EnergyVad]


@pytest.mark.parametrize("make", DETECTORS)
@pytest.mark.parametrize("decibels", [-50, -30, -20, -10])
@pytest.mark.parametrize(
    "steady", [hum(1), hum(1, 0.5, 0.3, 0.2, 0.1), hum(*[0.7] * 10), noise(1), noise(0)], ids=["a", "b", "c", "p", "w"]
)
def test_a_steady_noise_does_not_stick_it_open(make: type[Vad], decibels: float, steady: Samples) -> None:
    """Mains hum, rich hum, pink and white noise, as loud as speech: two seconds of a minute at most."""
    assert sum(speaking(at_level(steady, decibels), make())) * 0.02 <= 2.0


@pytest.mark.parametrize("make", DETECTORS)
@pytest.mark.parametrize("level", [0.05, 1.0])
@pytest.mark.parametrize("offset", [0, 3000])
def test_speech_is_heard_and_its_end_too(make: type[Vad], level: float, offset: int) -> None:
    """Loud or quiet, with a constant offset or without: the sentence between two pauses is one stretch."""
    pause = np.zeros(2 * SAMPLE_RATE)
    spoken = np.frombuffer(speech(), "<i2") * level
    samples = np.concatenate((pause, spoken, pause)) + offset
    samples += np.random.default_rng(1).normal(size=len(samples))
    found = speaking(np.clip(samples, -32768, 32767).astype("<i2").tobytes(), make())
    begin, end = found.index(True) * 0.02, (len(found) - found[::-1].index(True)) * 0.02
    assert 1.9 < begin < 2.7
    assert 2 + len(spoken) / SAMPLE_RATE - 0.5 < end < 2 + len(spoken) / SAMPLE_RATE + 1.0
    assert not found[-1]


def test_speech_in_noise_is_heard() -> None:
    """At a ratio of 10 dB no word is missed that is heard without the noise."""
    spoken = np.frombuffer(speech(), "<i2").astype(np.float64)
    audio = np.concatenate((np.zeros(3 * SAMPLE_RATE), spoken, np.zeros(SAMPLE_RATE)))
    clean = speaking(audio.astype("<i2").tobytes(), WebrtcVad())
    loudness = np.sqrt(np.square(spoken).mean())
    for steady in (noise(0), noise(1), hum(1, 0.5, 0.3, 0.2, 0.1)):
        part = steady[: len(audio)] / np.sqrt(np.square(steady).mean()) * loudness / 10 ** (10 / 20)
        noisy = speaking(np.clip(audio + part, -32768, 32767).astype("<i2").tobytes(), WebrtcVad())
        missed = sum(a and not b for a, b in zip(clean, noisy, strict=True))
        assert missed * 0.02 < 0.5


def test_without_the_extra_the_loudness_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to install anything for a stream of a batch provider."""
    assert isinstance(new_vad(), WebrtcVad)
    monkeypatch.setitem(sys.modules, "webrtcvad", None)
    assert isinstance(new_vad(), EnergyVad)


def test_a_mode_that_does_not_exist_is_refused() -> None:
    """With those that do."""
    with pytest.raises(ConfigError, match="0 to 3"):
        WebrtcVad(4)


class Told:
    """Says what it is told."""

    def __init__(self, verdicts: list[bool]) -> None:
        self.verdicts = iter(verdicts)

    def is_speech(self, frame: bytes) -> bool:
        return next(self.verdicts)


@given(st.lists(st.booleans(), max_size=400))
def test_endpoints_are_where_the_verdicts_are(verdicts: list[bool]) -> None:
    """It begins after enough voiced frames and never without one; it ends after half a second of almost none."""
    endpointer = Endpointer(Endpointing(), Told(verdicts))
    was = False
    for at, _ in enumerate(verdicts):
        changed = endpointer.push(b"")
        assert changed == (endpointer.speaking != was)
        if changed and endpointer.speaking:
            recent = verdicts[max(0, at + 1 - 8) : at + 1]
            assert recent.count(True) >= 6
            assert verdicts[at + 1 - endpointer.onset_frames]
        elif changed:
            assert verdicts[at + 1 - 25 : at + 1].count(True) <= 2
        was = endpointer.speaking
    silent = next((n for n, voiced in enumerate(reversed(verdicts)) if voiced), len(verdicts))
    assert endpointer.silent_frames == silent
