"""From Speechmatics' JSON (``json-v2``) to a :class:`~stt_core.transcript.Transcript`.

Text is put together as the vendor's server does it: the language's delimiter between words, punctuation on the side
that ``attaches_to`` names. A segment is a sentence of one speaker. Those of several channels are put in the order of
time, because a channel's items need not come between those of the others.

Fields that are missing or null are unknown, fields and kinds of items that are not known are passed over, and only the
first alternative counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from statistics import fmean
from typing import TypeVar

from stt_core.events import Word
from stt_core.transcript import Entity, Segment, Transcript

from .analysis import read_analysis
from .document import UNKNOWN_SPEAKER
from .languages import UNSPACED, tag_of
from .reading import items_of, number_of, object_of, text_of, texts_of

__all__ = ["Channels", "read_transcript"]

_SENTENCE_ENDS = frozenset(".!?。？！।؟")
_KINDS = frozenset(["word", "punctuation", "entity"])

T = TypeVar("T")

Object = Mapping[str, object]


def read_transcript(document: Object, *, request_id: str | None = None) -> Transcript:
    """The document as a transcript; it keeps the document as ``raw``.

    The confidence is the mean of all items, punctuation included, as the vendor's own client has it. The duration,
    which the vendor gives in whole seconds, is no less than where the last word ends.

    Raises:
        ProtocolError: a field is of another type than the format says.
    """
    job, metadata = object_of(document, "job"), object_of(document, "metadata")
    config = object_of(metadata, "transcription_config")
    items = [item for each in items_of(document, "results") or () if (item := _Item.read(each)) is not None]
    channels = Channels(texts_of(config, "channel_diarization_labels"))
    writer = _Writer(_Delimiters(object_of(metadata, "language_pack_info"), text_of(config, "language")), channels)
    segments = writer.write(items)
    words = [word for segment in segments for word in segment.words or ()]
    transcript = Transcript(
        text="".join(segment.prefix + segment.text for segment in segments),
        language=_common(word.language for word in words)
        if any(word.language is not None for word in words)
        else tag_of(text_of(config, "language")),
        duration=_duration(number_of(job, "duration"), words),
        confidence=_mean(item.confidence for item in items),
        words=words,
        segments=segments,
        speakers=list(dict.fromkeys(word.speaker_id for word in words if word.speaker_id is not None)) or None,
        entities=[writer.entity(item) for item in items if item.kind == "entity"] or None,
        job_id=text_of(job, "id") or None,
        request_id=request_id,
        raw=document,
    )
    read_analysis(document, transcript, channels.index)
    return transcript


class Channels:
    """The indices of channels, which the vendor has labels for.

    Args:
        labels: those given to the job; else they are ``Channel 1`` and so on.
    """

    def __init__(self, labels: Sequence[str] = ()) -> None:
        self._indices = {label: index for index, label in enumerate(labels)}

    def index(self, label: str) -> int | None:
        """Of a label, from 0; ``None`` for ``""``. One that is not known is the next."""
        if not label:
            return None
        if label not in self._indices:
            numbered = re.fullmatch(r"Channel ([1-9]\d{0,3})", label)
            self._indices[label] = int(numbered[1]) - 1 if numbered else len(self._indices)
        return self._indices[label]


@dataclass(frozen=True, slots=True)
class _Item:
    """An item and its first alternative.

    Attributes:
        before: whether there is no space before it.
        after: whether there is none behind it.
        ends: whether a sentence ends with it.
    """

    kind: str
    content: str
    start_time: float | None
    end_time: float | None
    confidence: float | None
    speaker_id: str | None
    language: str
    channel: str
    before: bool
    after: bool
    ends: bool
    raw: Object

    @classmethod
    def read(cls, item: Object) -> _Item | None:
        """``None`` for one that says nothing: without alternatives, or of another kind."""
        kind = text_of(item, "type")
        best = next(iter(items_of(item, "alternatives") or ()), None)
        content = text_of(best, "content").strip() if best is not None else ""
        if best is None or not content or kind not in _KINDS:
            return None
        mark = kind == "punctuation"
        sides = (text_of(item, "attaches_to") or "previous") if mark else "none"
        speaker = text_of(best, "speaker")
        ends = item.get("is_eos")
        return cls(
            kind=kind,
            content=content,
            start_time=number_of(item, "start_time"),
            end_time=number_of(item, "end_time"),
            confidence=number_of(best, "confidence"),
            speaker_id=None if speaker == UNKNOWN_SPEAKER else speaker or None,
            language=text_of(best, "language"),
            channel=text_of(item, "channel"),
            before=mark and sides not in ("next", "none"),
            after=sides in ("next", "both"),
            ends=mark and (ends is True or (ends is None and content in _SENTENCE_ENDS)),
            raw=item,
        )


class _Delimiters:
    """What stands between words, by language."""

    def __init__(self, pack: Object, language: str) -> None:
        unspaced = language.partition("_")[0] in UNSPACED
        given = pack.get("word_delimiter")
        self._default = given if isinstance(given, str) else "" if unspaced else " "
        self._by_language = object_of(pack, "per_language_word_delimiters")

    def of(self, item: _Item) -> str:
        """What stands before the item, if it is attached to nothing."""
        own = self._by_language.get(item.language)
        return own if isinstance(own, str) else self._default


@dataclass(slots=True)
class _Line:
    """What is said on one channel."""

    segments: list[Segment] = field(default_factory=list[Segment])
    glued: bool = True
    ended: bool = True
    opening: str = ""  # marks that belong to the next word


class _Writer:
    def __init__(self, delimiters: _Delimiters, channels: Channels) -> None:
        self._delimiters = delimiters
        self._channels = channels

    def write(self, items: Sequence[_Item]) -> list[Segment]:
        """The segments of all channels, in order."""
        lines: dict[str, _Line] = {}
        for item in items:
            self._add(item, lines.setdefault(item.channel, _Line()))
        if len(lines) == 1:
            return [_finished(segment) for line in lines.values() for segment in line.segments]
        placed = sorted(chain.from_iterable(map(_placed, lines.values())), key=itemgetter(0))
        segments = [segment for _, segment in placed]
        for number, segment in enumerate(segments):
            # What a channel begins with follows on another one.
            segment.prefix = (segment.prefix or " ") if number else ""
        return segments

    def entity(self, item: _Item) -> Entity:
        """An item of that kind."""
        spoken = self._joined(_Item.read(each) for each in items_of(item.raw, "spoken_form") or ())
        return Entity(
            item.content,
            spoken=spoken or None,
            type=text_of(item.raw, "entity_class") or None,
            start_time=item.start_time,
            end_time=item.end_time,
            confidence=item.confidence,
            speaker_id=item.speaker_id,
            channel=self._channels.index(item.channel),
        )

    def _joined(self, items: Iterator[_Item | None]) -> str:
        text, glued = "", True
        for item in items:
            if item is not None:
                text += ("" if glued or item.before else self._delimiters.of(item)) + item.content
                glued = item.after
        return text

    def _add(self, item: _Item, line: _Line) -> None:
        space = "" if line.glued or item.before else self._delimiters.of(item)
        spoken = item.kind != "punctuation" or item.speaker_id is not None
        other = spoken and bool(line.segments) and item.speaker_id != line.segments[-1].speaker_id
        if not line.segments or (not item.before and (line.ended or other)):
            line.segments.append(
                Segment("", space, speaker_id=item.speaker_id, words=[], channel=self._channels.index(item.channel))
            )
            space, line.ended = "", False
        segment = line.segments[-1]
        segment.text += space + item.content
        line.glued = item.after
        line.ended = line.ended or item.ends
        words = segment.words
        if words is None:
            return
        if item.kind != "punctuation":
            words += self._words(item, line.opening)
            line.opening = ""
        elif item.before and words:
            words[-1].text += item.content
        elif item.after:
            line.opening += item.content

    def _words(self, item: _Item, opening: str) -> list[Word]:
        """One word, or those of an entity's written form where they have times of their own."""
        parts = [_Item.read(each) for each in items_of(item.raw, "written_form") or ()]
        known = [part for part in parts if part is not None]
        if not known or self._joined(iter(known)) != item.content or any(part.kind != "word" for part in known):
            known = [item]
        words = [
            Word(
                part.content,
                part.start_time,
                part.end_time,
                item.confidence if part.confidence is None else part.confidence,
                item.speaker_id,
                self._channels.index(item.channel),
                tag_of(part.language or item.language),
            )
            for part in known
        ]
        words[0].text = opening + words[0].text
        return words


def _placed(line: _Line) -> Iterator[tuple[float, Segment]]:
    """The segments of a channel in their order, each with the time at which it has its place among the others."""
    time = 0.0
    for segment in map(_finished, line.segments):
        time = max(time, segment.start_time or 0.0)
        yield time, segment


def _finished(segment: Segment) -> Segment:
    words = segment.words or []
    if words:
        segment.start_time, segment.end_time = words[0].start_time, words[-1].end_time
    segment.language = _common(word.language for word in words)
    segment.confidence = _mean(word.confidence for word in words)
    return segment


def _common(values: Iterator[T | None]) -> T | None:
    """The value that all have; ``None`` where they differ or one has none."""
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _mean(values: Iterator[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _duration(given: float | None, words: Sequence[Word]) -> float | None:
    last = max((word.end_time for word in words if word.end_time is not None), default=0.0)
    return None if given is None else float(max(given, last))
