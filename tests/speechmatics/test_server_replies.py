"""Any provider's transcript as Speechmatics says it: json-v2, text and subtitles, typed by hand from section 5."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.events import Word
from stt_core.server import Form, JobBoard, Refused
from stt_core.transcript import (
    AudioEvent,
    Chapter,
    Segment,
    Sentiment,
    SentimentSegment,
    Topic,
    Transcript,
    Translation,
)
from stt_speechmatics.asked import Asked, read_job
from stt_speechmatics.items import ItemWriter, delimiter_of, pieces_of
from stt_speechmatics.queries import ListAsked
from stt_speechmatics.records import Records
from stt_speechmatics.replies import document_of, srt_of, txt_of
from stt_speechmatics.usage import UsageBook

if TYPE_CHECKING:
    from stt_speechmatics.document import Item, JobOfTranscript

Json = dict[str, object]

JOB: JobOfTranscript = {
    "id": "k3v9m2p0qz",
    "created_at": "2026-03-02T10:00:00.123Z",
    "data_name": "call.wav",
    "duration": 3,
}
FINISHED = datetime(2026, 3, 2, 10, 0, 4, 500_000, UTC)


def asked(**fields: object) -> Asked:
    """A job in English; ``transcription`` holds more of its transcription_config."""
    transcription = {"language": "en", **cast("Json", fields.pop("transcription", {}))}
    form = Form()
    form.add_field("config", json.dumps({"type": "transcription", "transcription_config": transcription, **fields}))
    return read_job(form)


SPEAKERS = {"diarization": "speaker"}


def said(*words: Word, text: str | None = None, **fields: object) -> Transcript:
    """One segment of these words."""
    whole = " ".join(word.text for word in words) if text is None else text
    segment = Segment(whole, words=list(words), **fields)  # pyright: ignore[reportArgumentType]
    return Transcript(whole, "en", 3.0, segments=[segment])


def document(transcript: Transcript, what: Asked | None = None) -> Json:
    return cast("Json", document_of(transcript, what or asked(), JOB, FINISHED))


def items(transcript: Transcript, what: Asked | None = None) -> Sequence[Json]:
    return cast("Sequence[Json]", document(transcript, what)["results"])


def contents(transcript: Transcript, what: Asked | None = None) -> Sequence[object]:
    return [reading(item)["content"] for item in items(transcript, what)]


def reading(item: Json) -> Json:
    return cast("Sequence[Json]", item["alternatives"])[0]


def joined(results: Sequence[Item], delimiter: str) -> str:
    """As the format says: the delimiter before every word, marks attached to what comes before."""
    text = ""
    for item in results:
        attached = item["type"] == "punctuation" and item.get("attaches_to") == "previous"
        text += ("" if attached or not text else delimiter) + item["alternatives"][0]["content"]
    return text


# -- what is asked -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transcription", "wishes"),
    [
        ({}, {"diarization": False}),
        ({"diarization": "none"}, {"diarization": False}),
        ({"diarization": "speaker"}, {"diarization": True}),
        ({"diarization": "channel"}, {"diarization": "channel"}),
        (
            {"additional_vocab": [{"content": "STT", "sounds_like": ["ess tee tee"]}, "Kyoto"]},
            {"keyterms": ["STT", "Kyoto"]},
        ),
        ({"punctuation_overrides": {"permitted_marks": []}}, {"punctuation": False}),
        ({"punctuation_overrides": {"permitted_marks": ["."]}}, {}),
    ],
)
def test_a_config_is_portable_as_far_as_others_know_it(transcription: Json, wishes: Json) -> None:
    """Words with times always, because every format needs them; speakers told apart only where that was asked for."""
    found = {name: value for name, value in asked(transcription=transcription).wishes.items() if value is not None}
    assert found == {"word_timestamps": True, "diarization": False, **wishes}


def test_no_header_is_printed() -> None:
    """A job is in the locals of many frames."""
    place = {"url": "https://files.example/a.wav?sig=hush", "auth_headers": ["X-Key: hush"]}
    job = asked(fetch_data=place, notification_config=[place])
    assert "hush" not in repr((job, job.fetch, job.notifications))


# -- json-v2 -----------------------------------------------------------------------------------------------------------


def test_the_whole_document() -> None:
    """The sample of the facts: words with times, confidence, language and speaker, marks that take no time."""
    hello = said(
        Word("Good", 0.30, 0.61, 0.99, "S1"),
        Word("day.", 0.61, 1.02, 0.97, "S1"),
    )
    word = {"language": "en", "display": {"direction": "ltr"}, "speaker": "S1"}
    assert document(hello, asked(transcription=SPEAKERS)) == {
        "format": "2.9",
        "job": JOB,
        "metadata": {
            "created_at": "2026-03-02T10:00:04.500Z",
            "type": "transcription",
            "transcription_config": {"language": "en", "diarization": "speaker"},
            "language_pack_info": {"word_delimiter": " ", "writing_direction": "left-to-right"},
        },
        "results": [
            {
                "type": "word",
                "start_time": 0.30,
                "end_time": 0.61,
                "alternatives": [{"content": "Good", "confidence": 0.99, **word}],
            },
            {
                "type": "word",
                "start_time": 0.61,
                "end_time": 1.02,
                "alternatives": [{"content": "day", "confidence": 0.97, **word}],
            },
            {
                "type": "punctuation",
                "start_time": 1.02,
                "end_time": 1.02,
                "is_eos": True,
                "attaches_to": "previous",
                "alternatives": [{"content": ".", "confidence": 0.97, **word}],
            },
        ],
    }


def test_where_speechmatics_is_behind_its_document_is_passed_on() -> None:
    """As it is, but for the job, which is the server's own."""
    raw = {"format": "2.9", "job": {"id": "another"}, "metadata": {"type": "x"}, "results": [{"type": "entity"}]}
    assert document(Transcript("20 May", raw=raw)) == {**raw, "job": JOB}
    assert "metadata" in document(Transcript("20 May", raw={"results": []}))


def test_what_the_provider_does_not_say_is_null() -> None:
    """Nothing is made up: no confidence, no time, no language; the keys are there, because clients ask for them."""
    (item,) = items(
        Transcript("hm", segments=[Segment("hm", words=[Word("hm")])]), asked(transcription={"language": "auto"})
    )
    assert (item["start_time"], item["end_time"]) == (None, None)
    assert (reading(item)["confidence"], reading(item)["language"]) == (None, None)


def test_a_segment_without_words_is_one_item() -> None:
    """It has the times and the confidence that are known; text alone has none."""
    first, second = Segment("Good day.", "", 0.5, 1.5, confidence=0.8), Segment("Come in!", " ", 2.0, 2.5)
    results = items(Transcript("Good day. Come in!", "en", 3.0, segments=[first, second]))
    assert [(reading(item)["content"], item["start_time"], item["end_time"]) for item in results] == [
        ("Good day", 0.5, 1.5),
        (".", 1.5, 1.5),
        ("Come in", 2.0, 2.5),
        ("!", 2.5, 2.5),
    ]
    assert [reading(item)["confidence"] for item in results] == [0.8, 0.8, None, None]
    assert contents(Transcript("Good day.")) == ["Good day", "."]
    assert contents(Transcript("")) == []


def test_words_of_the_whole_are_as_good_as_those_of_segments() -> None:
    """A provider may tell either."""
    words = [Word("Good", 0.3, 0.6), Word("day", 0.6, 1.0)]
    assert contents(Transcript("Good day.", "en", words=words)) == ["Good", "day", "."]
    assert contents(Transcript("Good day.", "en", words=words, segments=[Segment("Good day.")])) == ["Good", "day", "."]


def test_text_that_no_word_accounts_for_is_not_lost() -> None:
    """It stands where it belongs, without a time."""
    results = items(said(Word("nine", 0.5, 1.0), Word("o'clock", 1.0, 1.5), text="at 9 nine uh o'clock sharp"))
    assert [(reading(item)["content"], item["start_time"]) for item in results] == [
        ("at", None),
        ("9", None),
        ("nine", 0.5),
        ("uh", None),
        ("o'clock", 1.0),
        ("sharp", None),
    ]


@pytest.mark.parametrize(
    ("text", "words", "delimiter", "found"),
    [
        ("今日は、晴れ。", ["今日", "は、", "晴れ。"], "", ["今日", "は", "、", "晴れ", "。"]),
        ("今日は晴れ", [], "", ["今日は晴れ"]),
        ("GPU を 使う", ["GPU", "を", "使う"], " ", ["GPU", "を", "使う"]),
        ("今日は GPU を使う", ["今日", "は", "GPU", "を", "使う"], "", ["今日", "は GPU を", "使う"]),
        ("it is un believ able", ["it", "is", "un", "believ", "able"], " ", ["it", "is", "un", "believ", "able"]),
        ("it is unbelievable", ["it", "is", "un", "believable"], " ", ["it", "is", "unbelievable"]),
        ("so ... what?!", ["so", "...", "what?!"], " ", ["so", ".", ".", ".", "what", "?", "!"]),
        ("3.5 per cent, e.g. U.S.", ["3.5", "per", "cent,", "e.g.", "U.S."], " ",
         ["3.5", "per", "cent", ",", "e.g", ".", "U.S", "."]),
        ("¿Qué? (sí)", ["¿Qué?", "(sí)"], " ", ["¿Qué", "?", "(sí)"]),
    ],
)  # fmt: skip
def test_items_joined_by_the_delimiter_are_the_text(
    text: str, words: Sequence[str], delimiter: str, found: Sequence[str]
) -> None:
    """What the delimiter cannot say stays in one item; marks are items of their own, but for those inside a word."""
    language = "ja" if any(ord(letter) > 0x3000 for letter in text) else "es" if "¿" in text else "en"
    timed = [Word(word, index, index + 1.0) for index, word in enumerate(words)]
    transcript = Transcript(text, language, segments=[Segment(text, words=timed or None)])
    whole = document_of(transcript, asked(), JOB, FINISHED)
    assert [item["alternatives"][0]["content"] for item in whole["results"]] == found
    assert whole["metadata"].get("language_pack_info", {}).get("word_delimiter") == delimiter
    assert joined(whole["results"], delimiter) == text


WORDS = st.text(st.sampled_from("ab9'.,!?。、あい"), min_size=1, max_size=5)
PIECES = st.lists(st.tuples(WORDS, st.sampled_from(["", " "]), st.booleans(), st.booleans()), max_size=12)


@given(PIECES, st.sampled_from(["en", "ja"]))
def test_no_character_is_lost_or_added(pieces: Sequence[tuple[str, str, bool, bool]], language: str) -> None:
    """Whatever the words look like, whichever of them the provider names, and wherever its segments begin."""
    text, segments = "", [Segment("", words=[])]
    for index, (word, gap, named, cut) in enumerate(pieces):
        before = gap if text else ""
        if cut and text:
            segments.append(Segment("", before, words=[]))
            before = ""
        text += (gap if text else "") + word
        segment = segments[-1]
        segment.text += before + word
        if named and segment.words is not None:
            segment.words.append(Word(word, float(index), index + 1.0))
    transcript = Transcript(text, language, segments=segments)
    found = pieces_of(transcript)
    delimiter = delimiter_of(found, language)
    results = ItemWriter(delimiter, language, speakers=False).write(found)
    assert joined(results, delimiter) == text


def test_speakers_are_told_where_they_were_asked_for() -> None:
    """Then every item has one, if only the unknown one; and no item is of two of them."""
    transcript = Transcript(
        "so what now",
        "en",
        segments=[
            Segment("so", speaker_id="S1", words=[Word("so", 0.0, 1.0)]),
            Segment("what", speaker_id=None, words=[Word("what", 1.0, 2.0)]),
            Segment("now", words=[Word("now", 2.0, 3.0, speaker_id="S2")]),
        ],
    )
    told = [reading(item)["speaker"] for item in items(transcript, asked(transcription=SPEAKERS))]
    assert told == ["S1", "UU", "S2"]
    assert all("speaker" not in reading(item) for item in items(transcript))


def test_no_item_is_of_two_speakers() -> None:
    """Not even where the text has no space between them; where speakers do not count, such words are one."""
    words = [Word("so", 0.0, 1.0, None, "S1"), Word("un", 1.0, 2.0, None, "S1"), Word("done", 2.0, 3.0, None, "S2")]
    transcript = said(*words, Word("now", 3.0, 4.0), text="so undone now")
    assert contents(transcript, asked(transcription=SPEAKERS)) == ["so", "un", "done", "now"]
    assert contents(transcript) == ["so", "undone", "now"]


def test_a_word_has_the_language_of_its_segment() -> None:
    """Unless it says its own; and that of the whole where neither does."""
    transcript = Transcript(
        "gut good so",
        "fr",
        segments=[
            Segment("gut good", language="de", words=[Word("gut", 0.0, 1.0), Word("good", 1.0, 2.0, language="en")]),
            Segment("so", " ", words=[Word("so", 2.0, 3.0)]),
        ],
    )
    assert [reading(item)["language"] for item in items(transcript)] == ["de", "en", "fr"]


def test_channels_have_the_labels_asked_for() -> None:
    """Others count from `Channel 1`; without channel diarization there are none."""
    words = [Word("left", 0.0, 1.0, channel=0), Word("right", 1.0, 2.0, channel=1)]
    by_channel = {"diarization": "channel", "channel_diarization_labels": ["Agent"]}
    assert [item["channel"] for item in items(said(*words), asked(transcription=by_channel))] == ["Agent", "Channel 2"]
    assert all("channel" not in item for item in items(said(*words)))


def test_languages_are_the_vendors_and_written_in_their_direction() -> None:
    """zh is cmn; an identified language is told as the vendor does."""
    mandarin = Transcript("你好。", "zh-CN", 1.0, segments=[Segment("你好。", words=[Word("你好。", 0.0, 1.0)])])
    whole = document(mandarin, asked(transcription={"language": "auto"}))
    assert {reading(item)["language"] for item in cast("Sequence[Json]", whole["results"])} == {"cmn"}
    assert cast("Json", whole["metadata"])["language_identification"] == {
        "results": [{"alternatives": [{"language": "cmn"}], "start_time": 0.0, "end_time": 1.0}]
    }
    hebrew = document(Transcript("שלום", "he", words=[Word("שלום", 0.0, 1.0)]))
    assert reading(cast("Sequence[Json]", hebrew["results"])[0])["display"] == {"direction": "rtl"}
    pack = cast("Json", cast("Json", hebrew["metadata"])["language_pack_info"])
    assert pack["writing_direction"] == "right-to-left"


# -- analyses ----------------------------------------------------------------------------------------------------------

EVERYTHING = {
    "translation_config": {"target_languages": ["es", "cmn"]},
    "summarization_config": {"summary_length": "brief"},
    "sentiment_analysis_config": {},
    "topic_detection_config": {"topics": ["weather"]},
    "auto_chapters_config": {},
    "audio_events_config": {"types": ["music"]},
}


def test_analyses_that_the_provider_made_are_in_the_document() -> None:
    """Each in the vendor's shape; counts are counted where they were not given."""
    transcript = said(Word("Rain.", 0.0, 1.0))
    transcript.translations = {
        "es": Translation("Lluvia.", [Segment("Lluvia.", "", 0.0, 1.0, speaker_id="S1")]),
        "zh": Translation("雨。"),
    }
    transcript.summary = "It rains."
    transcript.sentiment = Sentiment([SentimentSegment("Rain.", "negative", 0.0, 1.0, "S1", 0.7)])
    transcript.topics = [Topic("weather", None, [Segment("Rain.", "", 0.0, 1.0)]), Topic("sport", 3)]
    transcript.chapters = [Chapter("Rain", "It rains.", 0.0, 1.0)]
    transcript.audio_events = [AudioEvent("music", 0.5, 0.75, 0.6), AudioEvent("music", 1.0, 2.0, 0.7)]
    whole = document(transcript, asked(**EVERYTHING))
    assert whole["translations"] == {
        "es": [{"start_time": 0.0, "end_time": 1.0, "content": "Lluvia.", "speaker": "S1"}],
        "cmn": [{"start_time": None, "end_time": None, "content": "雨。"}],
    }
    assert whole["summary"] == {"content": "It rains."}
    assert whole["sentiment_analysis"] == {
        "segments": [
            {
                "text": "Rain.",
                "sentiment": "negative",
                "start_time": 0.0,
                "end_time": 1.0,
                "confidence": 0.7,
                "speaker": "S1",
            }
        ],
        "summary": {"overall": {"positive_count": 0, "negative_count": 1, "neutral_count": 0}},
    }
    assert whole["topics"] == {
        "segments": [{"text": "Rain.", "start_time": 0.0, "end_time": 1.0, "topics": [{"topic": "weather"}]}],
        "summary": {"overall": {"weather": 1, "sport": 3}},
    }
    assert whole["chapters"] == [{"title": "Rain", "summary": "It rains.", "start_time": 0.0, "end_time": 1.0}]
    assert whole["audio_events"] == [
        {"type": "music", "start_time": 0.5, "end_time": 0.75, "confidence": 0.6},
        {"type": "music", "start_time": 1.0, "end_time": 2.0, "confidence": 0.7},
    ]
    assert whole["audio_event_summary"] == {"overall": {"music": {"count": 2, "total_duration": 1.25}}}
    assert not [name for name in cast("Json", whole["metadata"]) if name.endswith("_errors")]
    assert not set(document(transcript)) - {"format", "job", "metadata", "results"}


def test_analyses_that_nobody_made_are_among_the_errors() -> None:
    """In the vendor's own way, so that its clients notice; what was not asked for is no error."""
    metadata = cast("Json", document(said(Word("Rain.", 0.0, 1.0)), asked(**EVERYTHING))["metadata"])
    kinds = {
        name: [error["type"] for error in cast("Sequence[Json]", value)]
        for name, value in metadata.items()
        if name.endswith("_errors")
    }
    assert kinds == {
        "translation_errors": ["translation_failed"],
        "summarization_errors": ["summarization_failed"],
        "sentiment_analysis_errors": ["sentiment_analysis_failed"],
        "topic_detection_errors": ["topic_detection_failed"],
        "auto_chapters_errors": ["auto_chapters_failed"],
    }
    nothing = cast("Json", document(said(Word("Rain.", 0.0, 1.0)), asked(**dict.fromkeys(EVERYTHING)))["metadata"])
    assert not [name for name in nothing if name.endswith("_errors")]


# -- text and subtitles ------------------------------------------------------------------------------------------------


def test_text_names_the_speakers_where_they_were_asked_for() -> None:
    """A line with the speaker before each turn; a turn of two segments is one."""
    transcript = Transcript(
        "Good day. How are you? Hello. Hm.",
        "en",
        segments=[
            Segment("Good day.", "", 0.0, 1.0, "S1"),
            Segment("How are you?", " ", 1.0, 2.0, "S1"),
            Segment("Hello.", " ", 2.0, 3.0, "S2"),
            Segment("Hm.", " ", 3.0, 4.0),
        ],
    )
    assert txt_of(transcript, asked(transcription=SPEAKERS)) == (
        "SPEAKER: S1\nGood day. How are you?\nSPEAKER: S2\nHello.\nSPEAKER: UU\nHm."
    )
    assert txt_of(transcript, asked()) == "Good day. How are you? Hello. Hm."
    assert txt_of(Transcript(""), asked(transcription=SPEAKERS)) == ""


def test_subtitles_keep_to_the_layout() -> None:
    """37 characters and two lines, unless the job says otherwise."""
    words = [Word(f"word{index:02}", index / 2, index / 2 + 0.5) for index in range(20)]
    for given_layout, length, lines in (({}, 37, 2), ({"max_line_length": 13, "max_lines": 1}, 13, 1)):
        job = asked(output_config={"srt_overrides": given_layout}) if given_layout else asked()
        cues = srt_of(said(*words), job).strip().split("\n\n")
        shown = [cue.split("\n")[2:] for cue in cues]
        assert max(len(cue) for cue in shown) == lines
        assert max(len(line) for cue in shown for line in cue) in range(length - 8, length + 1)
        assert " ".join(line for cue in shown for line in cue) == " ".join(word.text for word in words)
    assert srt_of(said(Word("Good", 0.3, 0.61), Word("day.", 0.61, 1.02)), asked()) == (
        "1\n00:00:00,300 --> 00:00:01,020\nGood day.\n"
    )


def test_subtitles_of_what_has_no_times_cannot_be_had() -> None:
    """400 in the vendor's words, rather than cues of invented times."""
    with pytest.raises(Refused) as refused:
        srt_of(Transcript("Good day."), asked())
    assert (refused.value.status, refused.value.title) == (400, "Format Not Supported")


# -- records -----------------------------------------------------------------------------------------------------------


async def test_no_two_jobs_were_made_at_the_same_time() -> None:
    """A list is continued by time alone; milliseconds are what the wire has, whatever the clock does."""
    moments = [datetime(2026, 3, 2, 10, 0, 0, 123_456, UTC), datetime(2026, 3, 2, 10, 0, 0, 123_999, UTC)]
    clock = iter([*moments, moments[0]])
    records = Records(JobBoard(max_jobs=3, log=logging.getLogger("test")), now=lambda: next(clock))
    made = [records.create(asked(), data_name="", owner=None, request_id="r").created_at for _ in range(3)]
    assert [moment.microsecond for moment in made] == [123_000, 124_000, 125_000]


async def test_an_upload_has_a_duration_even_where_it_is_unknown() -> None:
    """0, because the vendor's older client counts on the field; a job that fetches has none until it is known."""
    records = Records(JobBoard(max_jobs=3, log=logging.getLogger("test")))
    fetched = asked(fetch_data={"url": "https://files.example/a.wav"})
    made = [records.create(job, data_name="", owner=None, request_id="r") for job in (asked(), fetched)]
    assert [records.details(record).get("duration") for record in made] == [0, None]
    for record in made:
        record.duration = 2.6
    assert [records.details(record).get("duration") for record in made] == [3, 3]


@given(
    st.lists(st.tuples(st.integers(-2, 3), st.booleans()), max_size=12), st.integers(1, 5), st.booleans(), st.booleans()
)
async def test_pages_hold_every_job_once(
    made: Sequence[tuple[int, bool]], limit: int, include_deleted: bool, of_ann: bool
) -> None:
    """However the clock runs, whatever was deleted, and whoever asks: the newest first, and none twice."""
    moment = datetime(2026, 3, 2, tzinfo=UTC)
    board = JobBoard(max_jobs=100, log=logging.getLogger("test"))
    records = Records(board, now=lambda: moment)

    async def never() -> Transcript:
        raise AssertionError

    expected: list[str] = []
    for index, (milliseconds, deleted) in enumerate(made):
        moment += timedelta(milliseconds=milliseconds)
        owner = "ann" if index % 2 else None
        record = records.create(asked(), data_name="", owner=owner, request_id="r")
        records.submit(record, never, upload=None)
        if deleted:
            records.delete(record, force=True)
        if (include_deleted or not deleted) and (owner or not of_ann):
            expected.insert(0, record.id)
    found: list[str] = []
    before: datetime | None = None
    while page := records.listed(ListAsked(limit, before, include_deleted), owner="ann" if of_ann else None):
        assert len(page) <= limit
        found += [record.id for record in page]
        before = page[-1].created_at
    assert found == expected
    await board.aclose()


# -- usage -------------------------------------------------------------------------------------------------------------


def test_usage_is_added_up_by_language_and_model() -> None:
    """Of the days asked for, and never of the current one; what is old is forgotten."""
    book = UsageBook()
    old, first, second, today = date(2026, 1, 1), date(2026, 6, 1), date(2026, 6, 2), date(2026, 6, 3)
    enhanced = asked(transcription={"operating_point": "enhanced"})
    german = asked(transcription={"language": "de", "model": "melia-1"})
    book.add(old, enhanced, 3600)
    for day, job, seconds in (
        (first, enhanced, 1800),
        (second, enhanced, 900),
        (second, german, 360),
        (today, german, 9),
    ):
        book.add(day, job, seconds)
    kind = {"mode": "batch", "type": "transcription"}
    assert book.report(first, today, today) == {
        "since": "2026-06-01",
        "until": "2026-06-03",
        "summary": [{**kind, "count": 3, "duration_hrs": 0.85}],
        "details": [
            {**kind, "count": 1, "duration_hrs": 0.1, "language": "de", "model": "melia-1"},
            {**kind, "count": 2, "duration_hrs": 0.75, "language": "en", "operating_point": "enhanced"},
        ],
    }
    assert book.report(old, first, today)["summary"] == [{**kind, "count": 1, "duration_hrs": 0.5}]
    assert book.first_day(today) == first
    assert UsageBook().first_day(today) == today
