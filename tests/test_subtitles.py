"""Subtitles: what every cue must hold, whatever the transcript."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.errors import UnsupportedError
from stt_core.events import SpeechData, Word
from stt_core.transcript import Segment, Transcript

TIMES = re.compile(r"(\d\d+):([0-5]\d):([0-5]\d)[.,](\d{3}) --> (\d\d+):([0-5]\d):([0-5]\d)[.,](\d{3})")


@dataclass
class Cue:
    start: float
    end: float
    lines: list[str]


def parse(blocks: list[str]) -> list[Cue]:
    cues: list[Cue] = []
    for block in blocks:
        first, *lines = block.split("\n")
        match = TIMES.fullmatch(first)
        assert match, first
        numbers = [int(number) for number in match.groups()]
        start, end = (h * 3600 + m * 60 + s + ms / 1000 for h, m, s, ms in (numbers[:4], numbers[4:]))
        assert lines
        assert all(line.strip() for line in lines)
        cues.append(Cue(start, end, lines))
    return cues


def parse_srt(text: str) -> list[Cue]:
    """As strict as the format can be taken: numbered blocks between single blank lines, and a newline at the end."""
    if not text:
        return []
    assert text.endswith("\n")
    blocks = text[:-1].split("\n\n")
    numbers, rests = zip(*(block.split("\n", 1) for block in blocks), strict=True)
    assert [int(number) for number in numbers] == list(range(1, len(blocks) + 1))
    return parse(list(rests))


def parse_vtt(text: str) -> list[Cue]:
    """Header, blank line, cues; in a cue's text no bare ``<``, ``>`` and ``&``."""
    header, *blocks = text[:-1].split("\n\n")
    assert header == "WEBVTT"
    cues = parse(blocks)
    for cue in cues:
        assert not any(re.search(r"<|>|&(?!amp;|lt;|gt;)", line) for line in cue.lines)
        cue.lines = [html.unescape(line) for line in cue.lines]
    return cues


def width(text: str) -> int:
    """Columns, counted anew."""
    narrow = sum(unicodedata.category(character) not in ("Mn", "Me", "Cf") for character in text)
    return narrow + sum(unicodedata.east_asian_width(character) in "WF" for character in text)


def squeezed(text: str) -> str:
    """Without white space."""
    return "".join(text.split())


# Transcripts as providers make them: words attached by a space or by nothing, in Latin and in Japanese, with times that
# are unknown here and there, out of order, or the same over and over.

latin = st.text("abcdeé'-", min_size=1, max_size=9)
japanese = st.text("東京は晴れゃー。、「」", min_size=1, max_size=6)
odd = st.sampled_from(["&", "<b>", "-->", "12", "👩‍👧", "é", "한국어", "(", "...", "a" * 60])
times = st.none() | st.floats(0, 60) | st.integers(0, 60).map(float)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    words: list[Word] = []
    text = ""
    for word in draw(st.lists(latin | japanese | odd, min_size=1, max_size=12)):
        text += draw(st.sampled_from([" ", " ", "", ", "])) if text else ""
        text += word
        speaker = draw(st.sampled_from([None, None, "S1", "S2"]))
        words.append(Word(word, draw(times), draw(times), speaker_id=speaker))
    # Some providers leave words out, or spell them otherwise than in the text.
    words = [word for word in words if draw(st.integers(0, 9))]
    for word in words:
        if not draw(st.integers(0, 19)):
            word.text = "elsewhere"
    return Segment(
        text.strip(),
        draw(st.sampled_from(["", " "])),
        draw(times),
        draw(times),
        draw(st.sampled_from([None, "S1", "S2"])),
        words=draw(st.none() | st.just(words)),
    )


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    parts = draw(st.lists(segments(), max_size=5))
    return Transcript(
        "".join(part.prefix + part.text for part in parts),
        duration=draw(st.none() | st.floats(30, 60)),
        segments=parts if draw(st.booleans()) else None,
        words=[word for part in parts for word in part.words or ()] if draw(st.booleans()) else None,
    )


layouts = st.fixed_dictionaries(
    {"max_line_length": st.integers(1, 60), "max_lines": st.integers(1, 3), "max_duration": st.floats(0.5, 20)}
)


@given(transcripts(), layouts)
def test_cues_show_everything_once_within_the_limits(transcript: Transcript, layout: dict[str, int]) -> None:
    """All text in order and nothing else; lines, their number and the duration within the limits, except for one word;
    times in order, each cue with a length, none after the end of the audio. Both formats agree."""
    try:
        cues = parse_srt(transcript.to("srt", speakers=False, **layout))
    except UnsupportedError:
        assert transcript.text
        return
    assert cues == parse_vtt(transcript.to("vtt", speakers=False, **layout))
    assert squeezed("".join(line for cue in cues for line in cue.lines)) == squeezed(transcript.text)
    latest = 60.0 if transcript.duration is None else transcript.duration
    reached = 0.0
    for cue in cues:
        assert len(cue.lines) <= layout["max_lines"]
        for line in cue.lines:
            assert line == line.strip()
            assert width(line) <= layout["max_line_length"] or " " not in line
            assert line in " ".join(transcript.text.split())
        assert reached <= cue.start < cue.end <= max(latest, len(cues) / 1000) + 0.0006
        assert cue.end - cue.start <= layout["max_duration"] + 0.0011
        reached = cue.end


@given(transcripts())
def test_subtitles_need_a_time(transcript: Transcript) -> None:
    """Without any time there is nothing to show the text at, and the error says how to get some."""
    for segment in transcript.segments or ():
        segment.start_time = segment.end_time = None
        segment.words = None
    transcript.words = None
    if not transcript.text:
        assert transcript.to("srt") == ""
        return
    for format_ in ("srt", "vtt"):
        with pytest.raises(UnsupportedError, match="word_timestamps"):
            transcript.to(format_)


def spoken(text: str, start: float = 0.0, step: float = 0.4, **fields: str) -> Transcript:
    """Words said one after the other, ``|`` standing for a pause of a second, ``||`` for two."""
    words: list[Word] = []
    for word in text.split():
        if set(word) == {"|"}:
            start += len(word)
        else:
            words.append(Word(word, start, start + step))
            start += step
    return Transcript(" ".join(word.text for word in words), words=words, duration=start + 10)


def lines(transcript: Transcript, **limits: int) -> list[list[str]]:
    return [cue.lines for cue in parse_srt(transcript.to("srt", speakers=False, **limits))]


def test_srt_by_hand() -> None:
    """The whole file, as a player wants it."""
    transcript = spoken("Good day to you. || How are you?", start=3599.5)
    assert transcript.to("srt") == (
        "1\n00:59:59,500 --> 01:00:01,100\nGood day to you.\n\n2\n01:00:03,100 --> 01:00:04,300\nHow are you?\n"
    )


def test_vtt_by_hand() -> None:
    """The whole file, as the specification wants it: header, escapes, voice spans."""
    transcript = Transcript.from_finals(
        [
            SpeechData("a < b & c --> d", "", start_time=1, end_time=2, speaker_id="R&D <1>"),
            SpeechData("yes", " ", start_time=2, end_time=2.5),
        ]
    )
    assert transcript.to("vtt", speakers=True) == (
        "WEBVTT\n\n"
        "00:00:01.000 --> 00:00:02.000\n<v R&amp;D &lt;1&gt;>a &lt; b &amp; c --&gt; d\n\n"
        "00:00:02.000 --> 00:00:02.500\nyes\n"
    )


def test_a_cue_ends_at_a_sentence_if_it_must_end() -> None:
    """A full cue hands what follows the last sentence end in its second half to the next one."""
    assert lines(spoken("one two three. four five six"), max_line_length=20, max_lines=1) == [
        ["one two three."],
        ["four five six"],
    ]


def test_a_closing_quote_belongs_to_the_sentence() -> None:
    """The sentence ends behind it."""
    assert lines(spoken('one "two three." four five six'), max_line_length=22, max_lines=1)[0] == ['one "two three."']


def test_a_cue_ends_at_a_pause_rather_than_a_comma_and_at_a_comma_rather_than_anywhere() -> None:
    """The pause wins, then punctuation, then what fits."""
    limits = {"max_line_length": 22, "max_lines": 1}
    assert lines(spoken("one two three | four, five six"), **limits)[0] == ["one two three"]
    assert lines(spoken("one two three four, five six"), **limits)[0] == ["one two three four,"]
    assert lines(spoken("one two three, four five six"), **limits)[0] == ["one two three,"]
    assert lines(spoken("one two three four five six"), **limits)[0] == ["one two three four"]


def test_a_long_pause_ends_a_cue() -> None:
    """Text is not shown seconds before it is said."""
    assert lines(spoken("one || two")) == [["one"], ["two"]]
    assert lines(spoken("one | two")) == [["one two"]]


def test_a_cue_ends_when_its_time_is_up() -> None:
    """The duration is a limit like the others, and a slow word is not shown for longer."""
    cues = parse_srt(spoken("one two three four", step=1.0).to("srt", max_duration=2.5))
    assert [cue.lines for cue in cues] == [["one two"], ["three four"]]
    (cue,) = parse_srt(spoken("one", step=30.0).to("srt"))
    assert (cue.start, cue.end) == (0, 7)


def test_lines_of_a_cue_are_of_about_the_same_length() -> None:
    """No single word is left alone on the last line."""
    assert lines(spoken("one two three four five six"), max_line_length=24) == [["one two three", "four five six"]]


def test_a_new_speaker_has_a_new_cue_and_a_label_once() -> None:
    """Also when labels are not asked for; SRT names a speaker at the beginning of the turn."""
    transcript = Transcript.from_finals(
        [
            SpeechData("Yes.", start_time=0, end_time=1, speaker_id="S1"),
            SpeechData("Really.", " ", start_time=5, end_time=6, speaker_id="S1"),
            SpeechData("No.", " ", start_time=6, end_time=7, speaker_id="S2"),
            SpeechData("Hm.", " ", start_time=7, end_time=8),
        ]
    )
    assert lines(transcript) == [["Yes."], ["Really."], ["No."], ["Hm."]]
    labelled = parse_srt(transcript.to("srt", speakers=True))
    assert [cue.lines for cue in labelled] == [["S1: Yes."], ["Really."], ["S2: No."], ["Hm."]]


def test_japanese_breaks_anywhere_but_before_closing_and_after_opening_marks() -> None:
    """A wide character takes two columns; no space comes in; marks and small kana do not begin a line."""
    segment = Segment("今日は、「雨」がふっていたー。", start_time=0, end_time=5)
    transcript = Transcript(segment.text, segments=[segment])
    for length in range(1, 30):
        shown = [line for cue in lines(transcript, max_line_length=length, max_lines=1) for line in cue]
        assert "".join(shown) == segment.text
        assert not any(line[0] in "、」っー。" or line[-1] == "「" for line in shown)
    assert lines(transcript, max_line_length=8, max_lines=1)[0] == ["今日は、"]


def test_korean_breaks_at_its_spaces() -> None:
    """Wide, but written in words, which stay whole when they are longer than a line."""
    segment = Segment("오늘은 날씨가 좋습니다", start_time=0, end_time=2)
    transcript = Transcript(segment.text, segments=[segment])
    for length in (1, 8):
        assert lines(transcript, max_line_length=length, max_lines=3) == [["오늘은", "날씨가", "좋습니다"]]


def test_accents_take_no_room() -> None:
    """A letter and its combining marks are one column."""
    assert lines(spoken("e\u0301te\u0301 e\u0301te\u0301"), max_line_length=7) == [["e\u0301te\u0301 e\u0301te\u0301"]]


def test_a_picture_of_several_characters_stays_whole() -> None:
    """Joined emoji, accents and skin tones are one."""
    segment = Segment("👩‍👧👍🏽", start_time=0, end_time=2)
    transcript = Transcript(segment.text, segments=[segment])
    assert lines(transcript, max_line_length=1, max_lines=2) == [["👩‍👧", "👍🏽"]]


def test_times_that_are_missing_are_apportioned_by_length() -> None:
    """Of the segment where no word has any, of the gap where some do."""
    segment = Segment("aaaa bbbb cccc", start_time=2, end_time=16)
    transcript = Transcript(segment.text, segments=[segment], duration=20)
    cues = parse_srt(transcript.to("srt", max_line_length=4, max_lines=1))
    assert [(cue.start, cue.end) for cue in cues] == [(2, 6), (7, 11), (12, 16)]
    segment.words = [Word("aaaa", 3, 4), Word("bbbb"), Word("cccc", 10, 15)]
    cues = parse_srt(transcript.to("srt", max_line_length=4, max_lines=1))
    assert [(cue.start, cue.end) for cue in cues] == [(3, 4), (5, 9), (10, 15)]


def test_text_beside_the_timed_words_takes_the_rest_of_the_audio() -> None:
    """What comes before the first known time begins at 0, what comes after the last ends with the audio."""
    transcript = Transcript("aaaa bbbb cccc", words=[Word("aaaa"), Word("bbbb", 5, 6), Word("cccc")], duration=11)
    cues = parse_srt(transcript.to("srt", max_line_length=4, max_lines=1))
    assert [(cue.start, cue.end) for cue in cues] == [(0, 4), (5, 6), (7, 11)]


def test_punctuation_is_said_with_its_word() -> None:
    """A full stop that is not part of the word does not wait for the next one."""
    transcript = Transcript('Yes. "No!"', words=[Word("Yes", 0, 1), Word("No", 9, 10)])
    cues = parse_srt(transcript.to("srt"))
    assert [(cue.start, cue.end, cue.lines) for cue in cues] == [(0, 1, ["Yes."]), (9, 10, ['"No!"'])]


def test_words_in_the_middle_of_others_are_not_mistaken_for_them() -> None:
    """Where the text lacks a word, its letters in another one do not count."""
    transcript = Transcript(
        "is cat here", words=[Word("is", 0, 1), Word("a", 1, 2), Word("cat", 2, 3), Word("here", 3, 4)]
    )
    cues = parse_srt(transcript.to("srt", max_line_length=4, max_lines=1))
    assert [(cue.start, cue.end) for cue in cues] == [(0, 1), (2, 3), (3, 4)]


def test_many_cues_at_one_instant_stay_apart() -> None:
    """A provider that gives all words the same time still yields a valid file that ends with the audio."""
    words = [Word("word", 5.0, 5.0) for _ in range(50)]
    transcript = Transcript("word " * 50, words=words, duration=5.0)
    cues = parse_srt(transcript.to("srt", max_line_length=4, max_lines=1))
    assert len(cues) == 50
    assert cues[-1].end == 5.0
    assert all(before.end <= after.start < after.end for before, after in pairwise(cues))


def test_words_are_found_again_after_some_that_the_text_lacks() -> None:
    """However many the provider spelt otherwise, what follows them has its own times again."""
    text = "call five hundred and fifty-five thousand one hundred and twenty-three now"
    digits = [Word("5", 1 + number, 2 + number) for number in range(20)]
    transcript = Transcript(text, words=[Word("call", 0, 1), *digits, Word("now", 40, 41)])
    cues = parse_srt(transcript.to("srt", max_line_length=80, max_duration=100.0))
    assert (cues[0].start, cues[-1].end) == (0, 41)
    cues = parse_srt(transcript.to("srt", max_line_length=3, max_lines=1))
    assert (cues[-1].start, cues[-1].end, cues[-1].lines) == (40, 41, ["now"])


def test_times_that_are_no_numbers_are_unknown() -> None:
    """A provider's NaN or infinity does no harm."""
    segment = Segment(
        "aaaa bbbb", start_time=math.nan, end_time=4, words=[Word("aaaa", 1, math.inf), Word("bbbb", 2, 3)]
    )
    transcript = Transcript(segment.text, segments=[segment])
    (cue,) = parse_srt(transcript.to("srt"))
    assert (cue.start, cue.end) == (1, 3)


def test_what_would_break_the_markup_is_taken_out() -> None:
    """A line break in a speaker's label would end the cue's line; WebVTT has no NUL."""
    segment = Segment("a\0b", start_time=0, end_time=1, speaker_id="Ann\n\nB")
    transcript = Transcript(segment.text, segments=[segment])
    assert "<v Ann B>a\ufffdb\n" in transcript.to("vtt", speakers=True)
    assert "\nAnn B: a" in transcript.to("srt", speakers=True)
