"""A finished result: how finals become one, and its text and JSON forms."""

from __future__ import annotations

import json
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.errors import ConfigError
from stt_core.events import SpeechData, Word
from stt_core.transcript import (
    AudioEvent,
    Chapter,
    Entity,
    Segment,
    Sentiment,
    SentimentSegment,
    Topic,
    Transcript,
    TranscriptFormat,
    Translation,
)

seconds = st.none() | st.floats(0, 1e5)
shares = st.none() | st.floats(0, 1)
labels = st.none() | st.sampled_from(["S1", "S2", "Ann: B"])
languages = st.none() | st.sampled_from(["en", "ja"])
texts = st.text(min_size=1).map(str.strip).filter(bool)
words = st.builds(Word, texts, seconds, seconds, shares, labels, st.none() | st.integers(0, 3), languages)
finals = st.lists(
    st.builds(
        SpeechData,
        text=texts | st.just(""),
        prefix=st.sampled_from(["", " "]),
        language=languages,
        start_time=seconds,
        end_time=seconds,
        confidence=shares,
        speaker_id=labels,
        words=st.none() | st.lists(words, max_size=4),
    ),
    max_size=6,
)
segments = st.none() | st.lists(
    st.builds(Segment, texts, st.sampled_from(["", " "]), seconds, seconds, labels, words=st.none() | st.lists(words)),
    max_size=3,
)
transcripts = st.builds(
    Transcript,
    text=st.text(),
    language=languages,
    duration=seconds,
    confidence=shares,
    words=st.none() | st.lists(words, max_size=3),
    segments=segments,
    speakers=st.none() | st.lists(texts),
    summary=st.none() | st.text(),
    translations=st.none() | st.dictionaries(st.text(), st.builds(Translation, st.text(), segments), max_size=2),
    chapters=st.none() | st.lists(st.builds(Chapter, texts, st.none() | texts, seconds, seconds), max_size=2),
    topics=st.none() | st.lists(st.builds(Topic, texts, st.none() | st.integers(0), segments), max_size=2),
    sentiment=st.none()
    | st.builds(
        Sentiment,
        st.none() | st.lists(st.builds(SentimentSegment, texts, texts, seconds, seconds, labels, shares), max_size=2),
        st.none() | st.dictionaries(texts, st.integers(0), max_size=2),
        st.none() | st.dictionaries(texts, st.dictionaries(texts, st.integers(0), max_size=2), max_size=2),
    ),
    audio_events=st.none() | st.lists(st.builds(AudioEvent, texts, seconds, seconds, shares), max_size=2),
    entities=st.none() | st.lists(st.builds(Entity, texts, st.none() | texts, st.none() | texts, seconds), max_size=2),
    speaker_identifiers=st.none() | st.dictionaries(texts, st.lists(texts, max_size=2), max_size=2),
    warnings=st.none() | st.lists(texts, max_size=2),
    job_id=st.none() | texts,
    request_id=st.none() | texts,
)


@given(finals)
def test_finals_are_joined_as_they_attach(given_finals: list[SpeechData]) -> None:
    """The text is prefix + text of all, in order, but for the first prefix; the segments say the same."""
    transcript = Transcript.from_finals(given_finals)
    said = [final for final in given_finals if final.text]
    joined = "".join(final.prefix + final.text for final in said)
    assert transcript.text == (joined.removeprefix(said[0].prefix) if said else "")
    assert transcript.segments is not None
    assert transcript.text == "".join(segment.prefix + segment.text for segment in transcript.segments)
    assert all(segment.text for segment in transcript.segments)


@given(finals)
def test_nothing_is_invented_from_finals(given_finals: list[SpeechData]) -> None:
    """Words, confidence, language and speakers are what the finals say, or None."""
    transcript = Transcript.from_finals(given_finals)
    spoken = [final for final in given_finals if final.text]
    if any(final.words is None for final in spoken):
        assert transcript.words is None
    else:
        assert transcript.words == [word for final in spoken for word in final.words or ()]
    known = [final.confidence for final in spoken if final.confidence is not None]
    if known:
        assert transcript.confidence is not None
        assert min(known) - 1e-9 <= transcript.confidence <= min(max(known) + 1e-9, 1)
    else:
        assert transcript.confidence is None
    said = {final.language for final in spoken} - {None}
    assert transcript.language == (said.pop() if len(said) == 1 else None)
    heard = [final.speaker_id for final in spoken] + [word.speaker_id for final in spoken for word in final.words or ()]
    assert set(transcript.speakers or ()) == set(heard) - {None}
    assert transcript.speakers != []


def test_confidence_is_weighted_with_duration_or_length() -> None:
    """A long final counts more than a short one; a final without a confidence does not count."""
    long, short = SpeechData("aa", "", None, 0, 9, 0.5), SpeechData("aaaaaa", " ", None, 9, 10, 1.0)
    unknown = SpeechData("never mind", " ", None, 10, 20)
    assert Transcript.from_finals([long, short, unknown]).confidence == pytest.approx((9 * 0.5 + 1 * 1.0) / 10)
    short.end_time = None
    assert Transcript.from_finals([long, short, unknown]).confidence == pytest.approx((2 * 0.5 + 6 * 1.0) / 8)


def test_speakers_are_in_the_order_of_appearance() -> None:
    """Whether a word or a whole final names them, once each."""
    transcript = Transcript.from_finals(
        [
            SpeechData("b c", words=[Word("b", speaker_id="B"), Word("c", speaker_id="C")]),
            SpeechData("a", " ", speaker_id="A"),
            SpeechData("b", " ", speaker_id="B"),
        ]
    )
    assert transcript.speakers == ["B", "C", "A"]


def test_silence_is_an_empty_transcript() -> None:
    """Nothing said is known to be nothing: empty lists, not None; and every form of it can be written."""
    transcript = Transcript.from_finals([], duration=3.0)
    assert (transcript.text, transcript.words, transcript.segments, transcript.duration) == ("", [], [], 3.0)
    assert (transcript.confidence, transcript.language, transcript.speakers) == (None, None, None)
    assert [transcript.to("txt", speakers=True), transcript.to("srt"), transcript.to("vtt")] == ["", "", "WEBVTT\n"]


def test_a_segment_has_its_words_channel() -> None:
    """Where all words of a final come from one channel, so does its segment."""
    first = SpeechData("a b", words=[Word("a", channel=1), Word("b", channel=1)])
    second = SpeechData("a b", words=[Word("a", channel=1), Word("b", channel=2)])
    transcript = Transcript.from_finals([first, second])
    assert transcript.segments is not None
    assert [segment.channel for segment in transcript.segments] == [1, None]


def test_txt_is_the_text() -> None:
    """Not a character more."""
    assert Transcript("  as it\nstands ").to("txt") == "  as it\nstands "


def test_txt_with_speakers_has_a_line_for_each_turn() -> None:
    """A turn goes on over segments; who is unknown has no label."""
    transcript = Transcript.from_finals(
        [
            SpeechData("Good day.", "", speaker_id="S1"),
            SpeechData("Hello? Hel", " ", speaker_id="S1"),
            SpeechData("lo!", "", speaker_id="S1"),
            SpeechData("Hi.", " ", speaker_id="S2"),
            SpeechData("(noise)", " "),
        ]
    )
    assert transcript.to("txt", speakers=True) == "S1: Good day. Hello? Hello!\nS2: Hi.\n(noise)"


def test_txt_with_speakers_follows_the_words() -> None:
    """Speakers may change within a segment, and a word without one is its segment's; punctuation stays where it is."""
    segment = Segment(
        'Yes. "No!" はい。いいえ。',
        speaker_id="S1",
        words=[Word("Yes"), Word("No", speaker_id="S2"), Word("はい", speaker_id="S2"), Word("いいえ")],
    )
    transcript = Transcript(segment.text, segments=[segment])
    assert transcript.to("txt", speakers=True) == 'S1: Yes.\nS2: "No!" はい。\nS1: いいえ。'


def test_txt_with_speakers_of_one_who_has_none_is_the_text() -> None:
    """No speaker is invented."""
    assert Transcript("Good day.").to("txt", speakers=True) == "Good day."


@given(transcripts)
def test_json_can_be_read_back(transcript: Transcript) -> None:
    """from_json(to("json")) is the same transcript."""
    assert Transcript.from_json(transcript.to("json")) == transcript


def test_json_has_every_key_and_no_raw_document() -> None:
    """What reads it need not ask whether a key is there; the vendor's own document stays out."""
    transcript = Transcript("はい", segments=[Segment("はい")], words=[Word("はい")], raw={"secret": object()})
    document = json.loads(transcript.to("json"))
    assert set(document) == set(Transcript.__dataclass_fields__) - {"raw"}
    assert set(document["segments"][0]) == set(Segment.__dataclass_fields__)
    assert set(document["words"][0]) == set(Word.__dataclass_fields__)
    assert document["summary"] is None
    assert "はい" in transcript.to("json")


def test_json_of_a_later_version_can_be_read() -> None:
    """Unknown keys are passed over, missing ones are unknown values."""
    read = Transcript.from_json(b'{"text": "a", "mood": 1, "words": [{"text": "a", "pitch": 2}], "raw": 3}')
    assert read == Transcript("a", words=[Word("a")])
    assert read.raw is None


@pytest.mark.parametrize(
    "document",
    ["", "[]", "{}", "null", '{"text": "a", "words": 1}', '{"text": "a", "words": [1]}', '{"text": "a", "words": {}}'],
)
def test_json_of_something_else_is_refused(document: str) -> None:
    """The error says what was expected."""
    with pytest.raises(ConfigError, match="not the JSON form of a transcript"):
        Transcript.from_json(document)


def test_an_unknown_format_is_refused_with_those_there_are() -> None:
    """A wrong name is a ConfigError that lists the right ones."""
    with pytest.raises(ConfigError, match=r"'docx'.*txt, srt, vtt, json"):
        Transcript("a").to(cast("TranscriptFormat", "docx"))


@pytest.mark.parametrize("limits", [{"max_line_length": 0}, {"max_lines": 0}, {"max_duration": 0.0}])
def test_an_impossible_limit_is_refused(limits: dict[str, int]) -> None:
    """A limit that no cue can keep is a ConfigError that names it."""
    with pytest.raises(ConfigError, match=next(iter(limits))):
        Transcript("a", segments=[Segment("a", start_time=0, end_time=1)]).to("srt", speakers=False, **limits)


def test_the_vendors_document_is_neither_printed_nor_compared() -> None:
    """A transcript's repr is of use in a log."""
    assert Transcript("a", raw="document") == Transcript("a")
    assert "document" not in repr(Transcript("a", raw="document"))
