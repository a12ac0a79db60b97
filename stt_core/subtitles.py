"""Subtitles, and whose turn it is: which times and speakers belong where in a text.

The text is the truth, as the provider spaced it; words and segments only bring times and speakers to places in it. So
no space is invented between Japanese words, none is lost, and every character of the text is shown once. Times that are
unknown are apportioned by length between the nearest known ones.

SubRip (SRT) has no standard; what is written here is what players take. WebVTT is the W3C's
(https://www.w3.org/TR/webvtt1/).
"""

from __future__ import annotations

import math
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Protocol, TypeVar

from .errors import ConfigError, UnsupportedError

__all__ = ["CueLayout", "Timeline", "place", "srt", "vtt"]

# How much text that no word accounts for may lie between two words, and how much longer than a word that the text has
# in another form (figures, say) that form may be.
_SLACK = 16
# Seconds: a long pause ends a cue; a short one is a good place to.
_LONG_PAUSE = 1.5
_PAUSE = 0.3
_SENTENCE_ENDS = tuple(".!?…。！？｡।؟")
_CLAUSE_ENDS = tuple(",;:，、；：､")
_CLOSING_QUOTES = "\"'”’»)]}」』）】"
# Where wide characters meet, these may not begin a line: closing and other punctuation, marks and modifiers (long
# vowels, iteration, accents, skin tones), joiners, and small kana; and these may not end one: opening punctuation,
# currency signs. After JIS X 4051 and Unicode's annex 14.
_NOT_FIRST = frozenset(["Pe", "Pf", "Po", "Lm", "Mn", "Mc", "Me", "Cf", "Sk"])
_SMALL_KANA = frozenset("ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ")
_NOT_LAST = frozenset(["Ps", "Pi", "Sc"])
_ZERO_WIDTH_JOINER = "\u200d"


class _Timed(Protocol):
    @property
    def text(self) -> str: ...
    @property
    def start_time(self) -> float | None: ...
    @property
    def end_time(self) -> float | None: ...
    @property
    def speaker_id(self) -> str | None: ...


class _TimedWithWords(_Timed, Protocol):
    @property
    def words(self) -> Sequence[_Timed] | None: ...


_P = TypeVar("_P", bound=_Timed)


class Timeline:
    """Times and speakers of a text, by position.

    Args:
        text: the whole text.
        segments: its parts in order; their times frame those of the words.
        words: the words of the whole text in order, or ``None`` to take those of the segments.
        duration: seconds of audio, or ``None``; no time is later.

    Attributes:
        text: the whole text.
        timed: whether any time is known; without one :meth:`start` and :meth:`end` must not be called.
    """

    def __init__(
        self,
        text: str,
        segments: Iterable[_TimedWithWords],
        words: Iterable[_Timed] | None,
        duration: float | None,
    ) -> None:
        self.text = text
        placed_segments = place(text, 0, len(text), segments)
        if words is not None:
            placed_words = place(text, 0, len(text), words)
        else:
            placed_words = [
                word for segment, begin, end in placed_segments for word in place(text, begin, end, segment.words or ())
            ]
        marks = sorted((begin, segment.speaker_id) for segment, begin, _ in placed_segments)
        speakers = dict(marks)
        for word, begin, _ in placed_words:
            speakers[begin] = word.speaker_id or _latest(marks, begin)
        self._speakers = sorted(speakers.items(), key=itemgetter(0))

        # At one position first everything that ends there, from the inside out, then what begins, from the outside in.
        anchors = [(end, 0, word.end_time) for word, _, end in placed_words]
        anchors += [(end, 1, segment.end_time) for segment, _, end in placed_segments]
        anchors += [(begin, 2, segment.start_time) for segment, begin, _ in placed_segments]
        anchors += [(begin, 3, word.start_time) for word, begin, _ in placed_words]
        known = sorted(
            (position, kind, seconds)
            for position, kind, seconds in anchors
            if seconds is not None and math.isfinite(seconds)
        )
        self.timed = bool(known)
        if known and duration is not None:
            if text[: known[0][0]].strip():
                known.insert(0, (0, 0, 0.0))
            if text[known[-1][0] :].strip():
                known.append((len(text), 0, duration))
        self._positions = [position for position, _, _ in known]
        self._times: list[float] = []
        reached = 0.0
        for _, _, seconds in known:
            reached = max(reached, seconds if duration is None else min(seconds, duration))
            self._times.append(reached)

    def start(self, position: int) -> float:
        """Seconds at which the character at ``position`` begins."""
        after = bisect_right(self._positions, position)
        if after and self._positions[after - 1] == position:
            return self._times[after - 1]
        return self._between(after, position)

    def end(self, position: int) -> float:
        """Seconds at which the character before ``position`` ends."""
        after = bisect_left(self._positions, position)
        if after < len(self._positions) and self._positions[after] == position:
            return self._times[after]
        return self._between(after, position)

    def _between(self, after: int, position: int) -> float:
        positions, times = self._positions, self._times
        if after in (0, len(positions)):
            return times[max(after - 1, 0)]
        share = (position - positions[after - 1]) / (positions[after] - positions[after - 1])
        return times[after - 1] + share * (times[after] - times[after - 1])

    def speaker(self, position: int) -> str | None:
        """Who says the character at ``position``, or ``None``."""
        return _latest(self._speakers, position)

    def turns(self) -> Iterator[tuple[str | None, str]]:
        """The text, cut where the speaker changes: the speaker, or ``None``, and what is said, stripped."""
        begin, speaker = 0, self.speaker(0)
        for position, following in [*self._speakers, (len(self.text), None)]:
            if following == speaker and position < len(self.text):
                continue
            if turn := self.text[begin:position].strip():
                yield speaker, turn
            begin, speaker = position, following


def _latest(marks: list[tuple[int, str | None]], position: int) -> str | None:
    index = bisect_right(marks, position, key=itemgetter(0))
    return marks[index - 1][1] if index else None


def place(text: str, begin: int, end: int, pieces: Iterable[_P]) -> list[tuple[_P, int, int]]:
    """Finds each piece between two positions, in order: the piece, where it begins and where it ends.

    A piece that is not there as it stands is left out. Punctuation between pieces goes to the one that it touches, so
    that a full stop is not shown when the next sentence begins.
    """
    found: list[tuple[_P, int, int]] = []
    cursor, skipped = begin, 0
    for piece in pieces:
        wanted = piece.text.strip()
        limit = min(end, cursor + skipped + len(wanted) + _SLACK)
        at = text.find(wanted, cursor, limit) if wanted else -1
        while at > cursor and text[at - 1].isalnum() and not _is_wide(text[at]):
            at = text.find(wanted, at + 1, limit)
        if at < 0:
            skipped += len(wanted) + _SLACK
            continue
        found.append((piece, at, at + len(wanted)))
        cursor, skipped = at + len(wanted), 0
    reached = begin
    for index, (piece, first, last) in enumerate(found):
        following = found[index + 1][1] if index + 1 < len(found) else end
        while first > reached and _is_mark(text[first - 1]):
            first -= 1
        while last < following and _is_mark(text[last]):
            last += 1
        found[index] = piece, first, last
        reached = last
    return found


def _is_mark(character: str) -> bool:
    return not (character.isspace() or character.isalnum())


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in ("W", "F")


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(
        2 if _is_wide(character) else 0 if unicodedata.category(character) in ("Mn", "Me", "Cf") else 1
        for character in text
    )


@dataclass(frozen=True, slots=True)
class CueLayout:
    """The limits of a cue. A single word that is longer than a line stays whole.

    Attributes:
        max_line_length: in characters, of which wide ones (Chinese, Japanese, Korean) count as two; at least 1.
        max_lines: at least 1.
        max_duration: seconds, more than 0.

    Raises:
        ConfigError: a limit that nothing can keep.
    """

    max_line_length: int = 42
    max_lines: int = 2
    max_duration: float = 7.0

    def __post_init__(self) -> None:
        for name in ("max_line_length", "max_lines"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if not self.max_duration > 0:
            raise ConfigError(f"max_duration is {self.max_duration}: it must be more than 0 seconds")


@dataclass(frozen=True, slots=True)
class _Token:
    """What stays on one line."""

    text: str
    spaced: bool
    start: float
    end: float
    speaker: str | None


@dataclass(slots=True)
class _Cue:
    start: int
    end: int
    speaker: str | None
    lines: list[str]


def srt(timeline: Timeline, layout: CueLayout, *, speakers: bool = False) -> str:
    """SubRip. With ``speakers``, a cue that begins a known speaker's turn begins with ``Speaker: ``.

    Raises:
        UnsupportedError: there is text, and no time is known.
    """
    return "\n".join(
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{chr(10).join(cue.lines)}\n"
        for number, cue in enumerate(_cues(timeline, layout, labels=speakers), 1)
    )


def vtt(timeline: Timeline, layout: CueLayout, *, speakers: bool = False) -> str:
    """WebVTT. With ``speakers``, each cue of a known speaker is a voice span (``<v Speaker>``).

    Raises:
        UnsupportedError: there is text, and no time is known.
    """
    blocks = ["WEBVTT\n"]
    for cue in _cues(timeline, layout, labels=False):
        voice = f"<v {_escape(' '.join(cue.speaker.split()))}>" if speakers and cue.speaker else ""
        text = "\n".join(map(_escape, cue.lines))
        blocks.append(f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{voice}{text}\n")
    return "\n".join(blocks)


def _escape(text: str) -> str:
    # The arrow may not occur in a cue's text; without its head it does not.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\0", "\ufffd")


def _clock(milliseconds: int, separator: str) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{separator}{milliseconds:03}"


def _cues(timeline: Timeline, layout: CueLayout, *, labels: bool) -> list[_Cue]:
    if not timeline.timed:
        if not timeline.text.strip():
            return []
        raise UnsupportedError(
            "subtitles need times, and this transcript has none: ask for them with word_timestamps=True if the model "
            "has them, or take the format 'txt'"
        )
    tokens = list(_tokens(timeline))
    cues: list[_Cue] = []
    begin = 0
    while begin < len(tokens):
        first = tokens[begin]
        if labels and first.speaker and (not cues or cues[-1].speaker != first.speaker):
            label = f"{' '.join(first.speaker.split())}: {first.text}"
            tokens[begin] = first = _Token(label, first.spaced, first.start, first.end, first.speaker)
        end = _cue_end(tokens, begin, layout)
        start = round(first.start * 1000)
        stop = min(round(tokens[end - 1].end * 1000), start + round(layout.max_duration * 1000))
        cues.append(_Cue(start, stop, first.speaker, _balanced(tokens[begin:end], layout.max_line_length)))
        begin = end
    _separate(cues)
    return cues


def _tokens(timeline: Timeline) -> Iterator[_Token]:
    text = timeline.text
    begin, spaced = 0, False
    for position in range(1, len(text) + 1):
        before = text[position - 1]
        if before.isspace():
            begin, spaced = position, True
        elif position == len(text) or text[position].isspace() or _may_break(before, text[position]):
            yield _Token(
                text[begin:position], spaced, timeline.start(begin), timeline.end(position), timeline.speaker(begin)
            )
            begin, spaced = position, False


def _may_break(before: str, after: str) -> bool:
    if before.isascii() and after.isascii():
        return False
    if not (_stands_alone(before) or _stands_alone(after)):
        return False
    if before == _ZERO_WIDTH_JOINER or unicodedata.category(before) in _NOT_LAST:
        return False
    return after not in _SMALL_KANA and unicodedata.category(after) not in _NOT_FIRST


def _stands_alone(character: str) -> bool:
    # Korean is wide, and yet written in words with spaces between them.
    return _is_wide(character) and not ("\uac00" <= character <= "\ud7a3" or "\u1100" <= character <= "\u11ff")


def _cue_end(tokens: list[_Token], begin: int, layout: CueLayout) -> int:
    """The index after a cue's last token."""
    first = tokens[begin]
    lines, used = 1, _width(first.text)
    for index in range(begin + 1, len(tokens)):
        token, previous = tokens[index], tokens[index - 1]
        if token.speaker != first.speaker or token.start - previous.end >= _LONG_PAUSE:
            return index
        width = _width(token.text)
        used += token.spaced + width
        if used > layout.max_line_length:
            lines, used = lines + 1, width
        if lines > layout.max_lines or token.end - first.start > layout.max_duration:
            # Something has to wait for the next cue: what comes after the best place in the second half.
            half = begin + (index - begin + 1) // 2
            return max(range(max(half, begin + 1), index + 1), key=lambda end: (_merit(tokens, end), end))
    return len(tokens)


def _merit(tokens: list[_Token], end: int) -> int:
    """How good a place the one before ``end`` is to end a cue."""
    text = tokens[end - 1].text.rstrip(_CLOSING_QUOTES)
    if text.endswith(_SENTENCE_ENDS):
        return 3
    if tokens[end].start - tokens[end - 1].end >= _PAUSE:
        return 2
    return int(text.endswith(_CLAUSE_ENDS))


def _balanced(tokens: Sequence[_Token], max_length: int) -> list[str]:
    """The fewest lines that are no longer than ``max_length``, as equal as they can be."""
    lines = _lines(tokens, max_length)
    if len(lines) > 1:
        for length in range(sum(map(_width, lines)) // len(lines), max_length):
            narrower = _lines(tokens, length)
            if len(narrower) == len(lines):
                return narrower
    return lines


def _lines(tokens: Sequence[_Token], max_length: int) -> list[str]:
    lines: list[str] = []
    used = 0
    for token in tokens:
        width = _width(token.text)
        if lines and used + token.spaced + width <= max_length:
            lines[-1] += " " * token.spaced + token.text
            used += token.spaced + width
        else:
            lines.append(token.text)
            used = width
    return lines


def _separate(cues: list[_Cue]) -> None:
    """Makes each cue at least a millisecond long and begin when the last one has ended, without a later end to all."""
    limit = max([cue.end for cue in cues] + [len(cues)])
    reached = 0
    for cue in cues:
        cue.start = max(cue.start, reached)
        cue.end = reached = max(cue.end, cue.start + 1)
    for cue in reversed(cues):
        cue.end = min(cue.end, limit)
        cue.start = limit = min(cue.start, cue.end - 1)
