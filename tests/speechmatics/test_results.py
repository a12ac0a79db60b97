"""Documents of ``json-v2`` as transcripts, against what was written by hand from the format's rules (section 5)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.errors import ProtocolError
from stt_core.events import Word
from stt_core.transcript import (
    AudioEvent,
    Chapter,
    Entity,
    Segment,
    Sentiment,
    SentimentSegment,
    Topic,
    Transcript,
    Translation,
)
from stt_speechmatics.results import Channels, read_transcript

DOCUMENTS = Path(__file__).parent / "documents"
NAMES = sorted(path.stem for path in DOCUMENTS.glob("*.json"))


def document(name: str) -> dict[str, object]:
    return json.loads((DOCUMENTS / f"{name}.json").read_text())


def transcript(name: str) -> Transcript:
    return read_transcript(document(name))


def written(name: str) -> str:
    return (DOCUMENTS / name).read_text().removesuffix("\n")


@pytest.mark.parametrize("name", NAMES)
def test_text_and_subtitles_are_as_written_by_hand(name: str) -> None:
    """5.1: delimiters by language, marks on their side, turns of speakers, every word once."""
    found = transcript(name)
    assert found.to("txt") == written(f"{name}.txt")
    assert found.to("txt", speakers=True) == written(f"{name}.speakers.txt")
    assert found.to("srt").rstrip("\n") == written(f"{name}.srt")


@pytest.mark.parametrize("name", NAMES)
def test_the_vendors_document_is_kept(name: str) -> None:
    """What is not typed can be read there."""
    whole = document(name)
    found = read_transcript(whole, request_id="r-1")
    assert found.raw is whole
    assert found.job_id == cast("Mapping[str, object]", whole["job"])["id"]
    assert found.request_id == "r-1"


@pytest.mark.parametrize("name", NAMES)
def test_segments_make_the_text_and_hold_the_words(name: str) -> None:
    """Joined with their prefixes they are the text, and no word is outside of them."""
    found = transcript(name)
    assert "".join(each.prefix + each.text for each in found.segments or ()) == found.text
    assert [word for each in found.segments or () for word in each.words or ()] == found.words
    assert Transcript.from_json(found.to("json")) == found


def test_words_have_their_marks() -> None:
    """A mark belongs to the word that it touches; one that stands alone (`none`) to no word."""
    assert [(word.text, word.start_time, word.end_time) for word in transcript("call").words or ()] == [
        ("Good", 0.3, 0.61),
        ("day.", 0.61, 1.02),
        ("He", 1.2, 1.4),
        ("said", 1.4, 1.7),
        ("“well-", 1.7, 2.0),
        ("known!”", 2.0, 2.4),
        ("17", 4.5, 4.8),
        ("May", 4.8, 5.2),
        ("2026", 5.2, 6.0),
        ("$5?", 6.1, 7.0),
        ("Um", 8.8, 9.4),
    ]


def test_words_say_what_is_known_of_them() -> None:
    """Confidence, speaker and language; UU is nobody."""
    words = transcript("call").words or []
    assert words[1] == Word("day.", 0.61, 1.02, 0.8, "S1", None, "en")
    assert words[-1] == Word("Um", 8.8, 9.4, 0.5, None, None, "en")
    assert transcript("old").words == [
        Word("はい。", 0.5, 0.9, None, "S1", None, None),
        Word("いい", 4.0, 4.5, None, "S2", None, None),
        Word("え", 4.5, 4.9, None, "S2", None, None),
    ]


def test_a_segment_is_a_sentence_of_one_speaker() -> None:
    """With its own times, confidence and language."""
    found = transcript("call").segments or []
    assert [(each.text, each.speaker_id, each.start_time, each.end_time) for each in found] == [
        ("Good day.", "S1", 0.3, 1.02),
        ("He said “well-known!”", "S1", 1.2, 2.4),
        ("17 May 2026 – $5?", "S2", 4.5, 7.0),
        ("Um", None, 8.8, 9.4),
    ]
    assert found[0].confidence == pytest.approx(0.85)
    assert found[0].language == "en"


def test_the_whole_says_what_is_known() -> None:
    """Speakers in the order of their first words; the confidence of every item; no end before the last word."""
    found = transcript("call")
    assert found.speakers == ["S1", "S2"]
    assert found.speaker_identifiers == {"S1": ["aWQx"], "S2": ["aWQy", "aWQz"]}
    confidences = [0.9, 0.8, 1, 0.9, 0.9, 1, 0.7, 1, 0.7, 1, 1, 0.86, 1, 0.9, 1, 0.5]
    assert found.confidence == pytest.approx(sum(confidences) / len(confidences))
    assert found.language == "en"
    assert found.duration == 9.4
    assert transcript("old").confidence is None
    assert transcript("old").duration is None


def test_languages_are_tags() -> None:
    """Mandarin is zh; several languages are none for the whole; without any the language asked for is left."""
    assert transcript("mandarin").language == "zh"
    melia = transcript("melia")
    assert melia.language is None
    assert [each.language for each in melia.segments or ()] == ["en", "ja", "en"]
    assert transcript("old").language == "ja"


def test_entities_are_there_in_both_forms() -> None:
    """5: with their class; the spoken form is put together as the text is."""
    assert transcript("call").entities == [
        Entity("17 May 2026", "May seventeenth, twenty-six", "date", 4.5, 6.0, 0.86, "S2"),
        Entity("$5", None, "money", 6.1, 7.0, 0.9, "S2"),
    ]


def test_translations_are_typed() -> None:
    """By the vendor's code, with a space between sentences where the language has them."""
    assert transcript("call").translations == {
        "es": Translation(
            "Buenos días. ¿17 de mayo de 2026 – $5?",
            [
                Segment("Buenos días.", "", 0.3, 1.02, "S1", language="es"),
                Segment("¿17 de mayo de 2026 – $5?", " ", 4.5, 7.0, "S2", language="es"),
            ],
        ),
        "ja": Translation(
            "こんにちは。5ドルですか?",
            [
                Segment("こんにちは。", "", 0.3, 1.02, "S1", language="ja"),
                Segment("5ドルですか?", "", 4.5, 7.0, None, language="ja"),
            ],
        ),
    }


def test_analyses_are_typed() -> None:
    """Summary, topics, chapters and sounds."""
    found = transcript("call")
    assert found.summary == "- A date and a price are asked for."
    asked = Segment("17 May 2026 – $5?", "", 4.5, 7.0)
    assert found.topics == [Topic("Prices", 1, [asked]), Topic("Dates", 1, [asked]), Topic("Weather", 0, [])]
    assert found.chapters == [Chapter("Greeting", "They greet.", 0.3, 2.4), Chapter("Terms", None, 4.5, 7.0)]
    assert found.audio_events == [AudioEvent("laughter", 3.0, 4.0, 0.8), AudioEvent("music", 7.5, 8.5, 0.7)]


def test_sentiment_is_read_nested_and_flat() -> None:
    """5: the vendor's schema and its examples disagree."""
    assert transcript("call").sentiment == Sentiment(
        [
            SentimentSegment("Good day.", "positive", 0.3, 1.02, "S1", 0.9),
            SentimentSegment("17 May 2026 – $5?", "neutral", 4.5, 7.0, "S2", 0.6),
        ],
        {"positive": 1, "neutral": 1, "negative": 0},
        {
            "S1": {"positive": 1, "neutral": 0, "negative": 0},
            "S2": {"positive": 0, "neutral": 1, "negative": 0},
        },
    )
    assert transcript("channels").sentiment == Sentiment(
        [SentimentSegment("Hello.", "positive", 0.1, 0.4, None, 0.9, 0)],
        {"positive": 1, "neutral": 0, "negative": 0},
    )


def test_what_was_not_asked_for_is_unknown() -> None:
    """None, and not empty."""
    found = transcript("mandarin")
    unknown = (found.summary, found.translations, found.chapters, found.topics, found.sentiment, found.audio_events)
    assert set(unknown) == {None}
    assert (found.entities, found.speakers, found.speaker_identifiers, found.warnings) == (None, None, None, None)


def test_analyses_that_failed_are_told() -> None:
    """5: `metadata.*_errors`, and what became of a language that was to be identified."""
    assert transcript("call").warnings == ["translation: unsupported_translation_pair: en to tlh is not available"]
    whole: Mapping[str, object] = {
        "metadata": {"language_identification": {"error": "NO_SPEECH", "message": "nobody speaks"}}
    }
    assert read_transcript(whole).warnings == ["language_identification: NO_SPEECH: nobody speaks"]


def test_channels_are_put_in_the_order_of_time() -> None:
    """Each has the index of its label; the items of one need not come between those of the other."""
    found = transcript("channels")
    assert [(each.text, each.channel) for each in found.segments or ()] == [
        ("Hello.", 0),
        ("Hi there.", 1),
        ("Really?", 0),
        ("Yes.", 1),
    ]
    assert found.audio_events == [AudioEvent("applause", 3.0, 3.5, 0.8, 1)]


def said(content: str, start: float | None, **more: object) -> dict[str, object]:
    kind = "word" if content.isalpha() else "punctuation"
    return {"type": kind, "start_time": start, "end_time": start, "alternatives": [{"content": content}], **more}


def test_a_channel_keeps_its_order() -> None:
    """What has no time of its own, or an earlier one, is said after what stands before it in its channel."""
    first = [said("one", 5.0), said(".", 5.0), said("two", None), said(".", None), said("three", 1.0)]
    second = [said("four", 2.0), said(".", 2.0), said("five", 6.0)]
    labelled = [{**item, "channel": "Channel 1"} for item in first] + [{**item, "channel": "b"} for item in second]
    found = read_transcript({"results": labelled})
    assert found.text == "four. one. two. three five"


def test_a_mark_ends_a_sentence_by_its_kind_where_nothing_says_so() -> None:
    """5: `is_eos` is missing in older formats; where it is there, it counts."""
    old = [said("one", 0.0), said(".", 0.0), said("two", 1.0), said(",", 1.0), said("three", 2.0)]
    assert [each.text for each in read_transcript({"results": old}).segments or ()] == ["one.", "two, three"]
    new = [
        said("one", 0.0),
        said(".", 0.0, is_eos=False),
        said("two", 1.0),
        said(",", 1.0, is_eos=True),
        said("three", 2.0),
    ]
    assert [each.text for each in read_transcript({"results": new}).segments or ()] == ["one. two,", "three"]


def test_channels_without_labels_of_their_own_are_numbered() -> None:
    """4.1: `Channel 1` and so on; a label that nobody knows gets the next index, the same each time."""
    channels = Channels()
    assert [channels.index(label) for label in ("Channel 2", "", "Channel 1", "Desk", "Desk")] == [1, None, 0, 2, 2]


def test_silence_is_an_empty_transcript() -> None:
    """Nothing said is known to be nothing."""
    found = read_transcript({"format": "2.9", "job": {"id": "s", "duration": 3}, "metadata": {}, "results": []})
    assert (found.text, found.words, found.segments, found.duration) == ("", [], [], 3.0)
    assert (found.confidence, found.language, found.speakers) == (None, None, None)
    assert found.to("srt") == ""


def test_an_analysis_block_that_is_empty_is_not_unknown() -> None:
    """It was asked for, and there is nothing of it."""
    found = read_transcript(
        {"topics": {}, "chapters": [], "audio_events": [], "translations": {}, "sentiment_analysis": {}}
    )
    assert (found.topics, found.chapters, found.audio_events, found.translations) == ([], [], [], {})
    assert found.sentiment == Sentiment([], None, None)


@pytest.mark.parametrize(
    "whole",
    [
        {"results": {}},
        {"results": [3]},
        {"results": [{"type": "word", "alternatives": [{"content": 3}]}]},
        {"job": "k3v9m2p0qz"},
        {"metadata": {"translation_errors": "many"}},
    ],
)
def test_another_type_is_a_protocol_error(whole: Mapping[str, object]) -> None:
    """And no TypeError or KeyError from somewhere inside."""
    with pytest.raises(ProtocolError, match="Speechmatics sent"):
        read_transcript(whole)


# -- properties ----------------------------------------------------------------------------------------------------

marks = st.sampled_from([".", ",", "?", "¿", "-", "–"])
sides = st.none() | st.sampled_from(["previous", "next", "both", "none", "sideways"])


def an_item(
    kind: str, content: str, mark: str, side: str | None, speaker: str, channel: str | None, eos: bool | None
) -> dict[str, object]:
    said = mark if kind == "punctuation" else content
    return {
        "type": kind,
        "start_time": 1.0,
        "end_time": 1.0,
        "attaches_to": side,
        "is_eos": eos,
        "channel": channel,
        "alternatives": [{"content": said, "speaker": speaker}],
    }


items = st.lists(
    st.builds(
        an_item,
        st.sampled_from(["word", "word", "punctuation", "entity", "other"]),
        st.sampled_from(["so", "much", "東京", "17 May"]),
        marks,
        sides,
        st.sampled_from(["S1", "S2", "UU"]),
        st.sampled_from([None, "Channel 1", "Channel 2"]),
        st.none() | st.booleans(),
    ),
    max_size=12,
)


@given(items, st.sampled_from([" ", ""]))
def test_every_item_is_in_the_text_once(results: list[dict[str, object]], delimiter: str) -> None:
    """Whatever the sides, the speakers and the channels: no character is lost, doubled or moved within its channel."""
    found = read_transcript({"metadata": {"language_pack_info": {"word_delimiter": delimiter}}, "results": results})
    assert found.text == found.text.strip()
    for channel in (None, 0, 1):
        label = channel if channel is None else f"Channel {channel + 1}"
        said = "".join(
            cast("str", cast("list[dict[str, object]]", item["alternatives"])[0]["content"])
            for item in results
            if item["channel"] == label and item["type"] != "other"
        )
        heard = "".join(each.text for each in found.segments or () if each.channel == channel)
        assert "".join(heard.split()) == "".join(said.split())
    assert all(each.text and each.text == each.text.strip() for each in found.segments or ())
