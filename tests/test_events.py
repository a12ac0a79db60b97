"""What a stream says."""

from __future__ import annotations

import pickle

import pytest

from stt_core import events
from stt_core.events import AudioSpan, SpeechData, SpeechEvent, SpeechEventType, Word

SLOTTED = [
    Word("a"),
    SpeechData("a"),
    AudioSpan(0, 1),
    events.RecognitionUsage(),
    events.StreamTimings(),
    SpeechEvent(SpeechEventType.CONNECTED),
]


def test_the_values_are_stable() -> None:
    """They are stored and sent by users: a name may be added, none may change."""
    assert {member.name: member.value for member in SpeechEventType} == {
        "START_OF_SPEECH": "start_of_speech",
        "INTERIM_TRANSCRIPT": "interim_transcript",
        "PREFLIGHT_TRANSCRIPT": "preflight_transcript",
        "PREFLIGHT_CANCELLED": "preflight_cancelled",
        "FINAL_TRANSCRIPT": "final_transcript",
        "END_OF_SPEECH": "end_of_speech",
        "RECOGNITION_USAGE": "recognition_usage",
        "CONNECTED": "connected",
        "RECONNECTING": "reconnecting",
        "AUDIO_LOST": "audio_lost",
        "PROVIDER_SWITCHED": "provider_switched",
    }


def test_a_type_is_its_value() -> None:
    """A stored value compares equal to, and reads back as, the type."""
    assert SpeechEventType("final_transcript") is SpeechEventType.FINAL_TRANSCRIPT
    assert SpeechEventType.FINAL_TRANSCRIPT == "final_transcript"


@pytest.mark.parametrize("value", SLOTTED, ids=lambda value: type(value).__name__)
def test_the_classes_are_slotted(value: object) -> None:
    """A misspelt attribute is an error, and an event costs no dictionary."""
    assert not hasattr(value, "__dict__")
    with pytest.raises(AttributeError):
        setattr(value, "txet", "a")  # noqa: B010 - written out, the type checker would refuse it as it should


@pytest.mark.parametrize("value", SLOTTED, ids=lambda value: type(value).__name__)
def test_the_classes_can_be_pickled(value: object) -> None:
    """Events come out of worker processes."""
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - it reads what it has just written


def test_text_is_that_of_the_best_reading() -> None:
    """The first alternative's, or nothing."""
    readings = [SpeechData("go forward"), SpeechData("go four word")]
    assert SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, readings).text == "go forward"
    assert SpeechEvent(SpeechEventType.START_OF_SPEECH).text == ""


UNKNOWN = {"language", "start_time", "end_time", "time", "confidence", "speaker_id", "channel", "words", "request_id"}


def test_unknown_is_none() -> None:
    """No time, confidence, language or speaker is there by default."""
    for part in (SpeechData("a"), Word("a"), SpeechEvent(SpeechEventType.CONNECTED)):
        for name in UNKNOWN & set(part.__slots__):
            assert getattr(part, name) is None, name


def test_a_span_knows_its_length() -> None:
    """Seconds."""
    assert AudioSpan(1.5, 4.0).duration == 2.5
