"""Speech, and one decoder for all tests of this folder: loading the model takes half a second."""

import wave
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from stt_pocketsphinx.decoder import MeanEstimator, Recognizer
from stt_pocketsphinx.endpoint import Endpointing
from stt_pocketsphinx.engine import Event, EventKind, FileSession, LiveSession

SPEECH = Path(__file__).parent.parent / "data" / "speech"


@pytest.fixture(scope="session")
def speech() -> Callable[[str], tuple[bytes, str]]:
    """Gives a sample of tests/data/speech: its 16 kHz mono s16le audio and what it says."""

    def load(name: str) -> tuple[bytes, str]:
        with wave.open(str(SPEECH / f"{name}.wav")) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
            return file.readframes(file.getnframes()), (SPEECH / f"{name}.txt").read_text().strip()

    return load


@pytest.fixture(scope="session")
def recognizer() -> Recognizer:
    return Recognizer()


@pytest.fixture(scope="session")
def estimator() -> MeanEstimator:
    return MeanEstimator()


Recognize = Callable[..., list[Event]]


@pytest.fixture(scope="session")
def recognize(recognizer: Recognizer, estimator: MeanEstimator) -> Recognize:
    """Runs one session over some audio, the decoder reset before, and gives what it said, progress left out."""

    def run(
        pcm: bytes, *, live: bool = True, settings: Endpointing | None = None, piece: int = 3200, reset: bool = True
    ) -> list[Event]:
        if reset:
            recognizer.reset()
        events: list[Event] = []
        kind = LiveSession if live else FileSession
        session = kind(recognizer, estimator, settings or Endpointing(), events.append)
        for at in range(0, len(pcm), piece):
            session.feed(pcm[at : at + piece])
        session.flush()
        return [event for event in events if event.kind is not EventKind.PROGRESS]

    return run


@pytest.fixture(scope="session")
def heard(speech: Callable[[str], tuple[bytes, str]], recognize: Recognize) -> Callable[[str, bool], list[Event]]:
    """What the engine says to a sample, live or as a file. Decoded once for all tests."""

    @cache
    def run(name: str, live: bool) -> list[Event]:
        return recognize(speech(name)[0], live=live)

    return run
