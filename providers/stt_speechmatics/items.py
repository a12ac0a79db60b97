"""A transcript of any provider as items of ``json-v2``: words and the punctuation marks that hang on them.

The text is the truth: items joined as the format says (the language's delimiter before every word, marks attached) give
it back. What that rule cannot say, such as two words without a space where the delimiter is one, stays one item. What
the provider does not know (a time, a confidence, a language) is ``null``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stt_core.subtitles import place

from .document import UNKNOWN_SPEAKER
from .languages import LANGUAGE_MAP, UNSPACED

if TYPE_CHECKING:
    from stt_core.events import Word
    from stt_core.transcript import Segment, Transcript

    from .document import Alternative, Item

__all__ = ["ItemWriter", "code_of", "delimiter_of", "is_right_to_left", "pieces_of"]

_MARKS = frozenset(".,!?，。？！、।،؟")
"""Those that Speechmatics sets (section 5 of its API's documentation); others are part of their word."""

_ENDS = frozenset(".!?。？！।؟")
_RIGHT_TO_LEFT = frozenset(["ar", "ar_en", "fa", "he", "ug", "ur"])


@dataclass(slots=True)
class Piece:
    """What has times of its own: a word, or a whole segment where the provider gives no words.

    ``gap`` is what stands before it in the text: ``" "`` or ``""``.
    """

    text: str
    start_time: float | None = None
    end_time: float | None = None
    confidence: float | None = None
    speaker_id: str | None = None
    channel: int | None = None
    language: str | None = None
    gap: str = ""


def pieces_of(transcript: Transcript) -> list[Piece]:
    """The whole text, cut where the provider knows a time."""
    text = transcript.text
    pieces: list[Piece] = []
    reached = 0
    for piece, begin, end in place(text, 0, len(text), _known(transcript)):
        pieces += _unknown(text[reached:begin], pieces)
        piece.gap = " " if text[reached:begin][-1:].isspace() else ""
        piece.text = text[begin:end]
        pieces.append(piece)
        reached = end
    return [*pieces, *_unknown(text[reached:], pieces)]


def delimiter_of(pieces: Sequence[Piece], language: str | None) -> str:
    """What stands between most words; where that is undecided, what the language has there."""
    gaps = [piece.gap for piece in pieces[1:]]
    spaces = gaps.count(" ")
    if spaces * 2 != len(gaps):
        return " " if spaces * 2 > len(gaps) else ""
    return "" if (language or "").partition("-")[0] in UNSPACED else " "


class ItemWriter:
    """Writes pieces as items.

    Args:
        delimiter: see :func:`delimiter_of`.
        language: of pieces that say none, BCP-47.
        speakers: whether every item has a speaker, if only the unknown one.
        channels: the labels of the channels; ``None`` leaves channels out.
    """

    def __init__(
        self, delimiter: str, language: str | None, *, speakers: bool, channels: Sequence[str] | None = None
    ) -> None:
        self._delimiter = delimiter
        self._language = language
        self._speakers = speakers
        self._channels = channels

    def write(self, pieces: Sequence[Piece]) -> list[Item]:
        """The items, in the pieces' order."""
        return [item for piece in self._joined(pieces) for item in self._items(piece)]

    def channel(self, index: int | None) -> str | None:
        """A channel's label."""
        if index is None or self._channels is None:
            return None
        return self._channels[index] if index < len(self._channels) else f"Channel {index + 1}"

    def _joined(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        last: Piece | None = None
        for piece in pieces:
            if last is None:
                last = piece
            elif piece.gap == self._delimiter or not self._same_voice(last, piece):
                yield last
                last = piece
            else:
                last = _join(last, piece)
        if last is not None:
            yield last

    def _same_voice(self, one: Piece, other: Piece) -> bool:
        same_speaker = not self._speakers or one.speaker_id == other.speaker_id
        return same_speaker and one.channel == other.channel

    def _items(self, piece: Piece) -> Iterator[Item]:
        word = piece.text.rstrip("".join(_MARKS))
        if word:
            yield self._item("word", word, piece, piece.start_time)
        for index, mark in enumerate(piece.text[len(word) :]):
            item = self._item("punctuation", mark, piece, piece.end_time)
            item["attaches_to"] = "none" if piece.gap and not word and not index else "previous"
            if mark in _ENDS:
                item["is_eos"] = True
            yield item

    def _item(self, kind: str, content: str, piece: Piece, start_time: float | None) -> Item:
        language = code_of(piece.language or self._language)
        direction = "rtl" if language in _RIGHT_TO_LEFT else "ltr"
        reading: Alternative = {
            "content": content,
            "confidence": piece.confidence,
            "language": language,
            "display": {"direction": direction},
        }
        if self._speakers:
            reading["speaker"] = piece.speaker_id or UNKNOWN_SPEAKER
        item: Item = {
            "type": "word" if kind == "word" else "punctuation",
            "start_time": start_time,
            "end_time": piece.end_time,
            "alternatives": [reading],
        }
        channel = self.channel(piece.channel)
        if channel is not None:
            item["channel"] = channel
        return item


def code_of(tag: str | None) -> str | None:
    """Speechmatics' code of a BCP-47 tag."""
    if tag is None:
        return None
    code = tag.partition("-")[0]
    return LANGUAGE_MAP.get(code, code)


def is_right_to_left(code: str | None) -> bool:
    """Whether a language is written so."""
    return code in _RIGHT_TO_LEFT


def _known(transcript: Transcript) -> Iterator[Piece]:
    segments = transcript.segments
    if segments is None or (transcript.words is not None and all(segment.words is None for segment in segments)):
        if transcript.words is not None:
            yield from (_piece(word, word.channel) for word in transcript.words)
        else:
            yield Piece(transcript.text, None, None, transcript.confidence)
        return
    for segment in segments:
        if segment.words is None:
            yield _piece(segment, segment.channel)
        for word in segment.words or ():
            piece = _piece(word, segment.channel if word.channel is None else word.channel)
            piece.speaker_id = word.speaker_id or segment.speaker_id
            piece.language = word.language or segment.language
            yield piece


def _piece(source: Word | Segment, channel: int | None) -> Piece:
    return Piece(
        source.text,
        source.start_time,
        source.end_time,
        source.confidence,
        source.speaker_id,
        channel,
        source.language,
    )


def _unknown(between: str, before: Sequence[Piece]) -> Iterator[Piece]:
    """Text that no piece accounts for, word by word, by whoever spoke last."""
    last = before[-1] if before else Piece("")
    for index, text in enumerate(between.split()):
        gap = " " if index or between[0].isspace() else ""
        yield Piece(text, speaker_id=last.speaker_id, channel=last.channel, language=last.language, gap=gap)


def _join(one: Piece, other: Piece) -> Piece:
    known = one.confidence is not None and other.confidence is not None
    return Piece(
        one.text + other.gap + other.text,
        one.start_time,
        other.end_time,
        min(one.confidence or 0.0, other.confidence or 0.0) if known else None,
        one.speaker_id,
        one.channel,
        one.language if one.language == other.language else None,
        one.gap,
    )
