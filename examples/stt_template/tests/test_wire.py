"""Template's messages, as its documents have them: what the kit cannot know."""

from __future__ import annotations

import pytest

from stt_core.audio.frames import AudioFormat
from stt_core.config import parse
from stt_core.errors import RateLimitError
from stt_core.events import SpeechEvent, SpeechEventType, Word
from stt_core.registry import resolve
from stt_core.transport.codec import Acknowledged, Failed, Finished, Opened
from stt_template.wire import TemplateCodec


def codec(config: str = "template/swift-1:en-US", pushed: AudioFormat | None = None) -> TemplateCodec:
    return TemplateCodec(resolve(parse(config)[0]), pushed or AudioFormat(16000))


@pytest.mark.parametrize(
    ("pushed", "encoding", "rate"),
    [
        (AudioFormat(16000), "s16le", 16000),
        (AudioFormat(8000, 1, "pcm_mulaw"), "mulaw", 8000),
        (AudioFormat(96000, 2, "pcm_f32le"), "s16le", 48000),
    ],
)
def test_a_session_begins_with_what_will_be_sent(pushed: AudioFormat, encoding: str, rate: int) -> None:
    """`start`, with the encodings and rates that Template takes."""
    assert codec(pushed=pushed).opening() == (
        f'{{"type":"start","model":"swift-1","language":"en","encoding":"{encoding}","sample_rate":{rate},'
        '"end_silence":null}',
    )


def test_texts() -> None:
    """A final has its words, with times; an interim without text takes the last one back."""
    (final,) = codec().receive('{"type":"final","text":"good day","words":[{"text":"good","start":0.5,"end":0.7}]}')
    assert isinstance(final, SpeechEvent)
    assert (final.type, final.text) == (SpeechEventType.FINAL_TRANSCRIPT, "good day")
    assert final.alternatives[0].words == [Word("good", 0.5, 0.7)]
    assert codec().receive('{"type":"partial","text":""}') == (SpeechEvent(SpeechEventType.INTERIM_TRANSCRIPT),)


def test_acknowledgements() -> None:
    """What has no text; a type that is new is passed over."""
    assert codec().receive('{"type":"ready","session":"s-1"}') == (Opened("s-1"),)
    assert codec().receive('{"type":"flushed"}') == (Acknowledged(),)
    assert codec().receive('{"type":"done"}') == (Finished(),)
    assert codec().receive('{"type":"news"}') == ()


def test_errors() -> None:
    """In Template's own words, with its code."""
    (failed,) = codec().receive('{"type":"error","error":{"status":429,"code":"busy","message":"too many sessions"}}')
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, RateLimitError)
    assert (failed.error.code, str(failed.error)) == ("busy", "Template: too many sessions")
