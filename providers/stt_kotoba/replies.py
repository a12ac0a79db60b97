"""What Kotoba answers: any provider's events as messages, its transcripts as documents. The opposite of the client."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from stt_core.events import SpeechEvent, SpeechEventType
from stt_core.subtitles import place
from stt_core.transcript import Segment

from . import PROVIDER
from .documents import UNDETERMINED
from .wire import build_completed, build_delta

if TYPE_CHECKING:
    from stt_core.events import SpeechData, Word
    from stt_core.transcript import Transcript

    from .documents import JobSegment, OneShotWord, WordType
    from .wire import CompletedMessage, DeltaMessage

__all__ = ["LiveReplies", "job_segments", "language_code", "one_shot_words"]


class LiveReplies:
    """The texts of a session.

    A delta is never taken back, so only what is final becomes one; but what another Kotoba says is told at once,
    because its interims only grow. The deltas of a session, and the transcripts of its turns, are joined as they are.

    Args:
        turns: whether turns are told apart, each with its ``completed``.
        completes: without turns: whether all that was said is ``completed`` at the end.
        timestamps: whether times are said.
        new_id: makes the id of a message or turn.
    """

    def __init__(self, *, turns: bool, completes: bool, timestamps: bool, new_id: Callable[[], str]) -> None:
        self._turns = turns
        self._completes = turns or completes
        self._timestamps = timestamps
        self._new_id = new_id
        self._item_id = new_id()
        self._said = False  # whether there was a final in this session
        self._text = ""  # the finals of the turn
        self._told = ""  # of the final to come
        self._start: float | None = None  # of the turn
        self._end: float | None = None  # of what was told last

    def say(self, event: SpeechEvent) -> Sequence[DeltaMessage | CompletedMessage]:
        """The messages of an event."""
        kind = event.type
        if kind is SpeechEventType.FINAL_TRANSCRIPT:
            return self._final(event.alternatives[0])
        if kind is SpeechEventType.INTERIM_TRANSCRIPT and event.provider == PROVIDER.name and event.alternatives:
            return self._grown(event.alternatives[0])
        if kind is SpeechEventType.END_OF_SPEECH and self._turns:
            return self.finish()
        return ()

    def finish(self) -> Sequence[CompletedMessage]:
        """The end of a turn, or of everything."""
        self._told = ""
        if not (self._text and self._completes):
            return ()
        message = build_completed(
            self._text, event_id=self._new_id(), item_id=self._item_id, start=self._start, end=self._end
        )
        self._text, self._item_id, self._start, self._end = "", self._new_id(), None, None
        return (message,)

    def _grown(self, data: SpeechData) -> Sequence[DeltaMessage]:
        text = self._joined(data)
        if len(text) <= len(self._told) or not text.startswith(self._told):
            return ()
        message = self._delta(text[len(self._told) :], data)
        self._told = text
        return (message,)

    def _final(self, data: SpeechData) -> Sequence[DeltaMessage]:
        text = self._joined(data)
        same = takewhile(lambda pair: pair[0] == pair[1], zip(text, self._told, strict=False))
        rest = text[len(list(same)) :]
        # All before the end of a final is transcribed, for they are in time order; that is worth an empty delta.
        settled = data.end_time if self._timestamps else None
        messages = (self._delta(rest, data, settled),) if rest or settled is not None else ()
        self._said = True
        self._text += text
        self._told = ""
        return messages

    def _joined(self, data: SpeechData) -> str:
        return data.prefix + data.text if self._said else data.text

    def _delta(self, text: str, data: SpeechData, settled: float | None = None) -> DeltaMessage:
        start, end = (data.start_time, data.end_time) if self._timestamps else (None, None)
        if self._told:
            start = self._end
        elif not self._text:
            self._start = start
        self._end = end
        return build_delta(text, item_id=self._item_id, start=start, end=end, processed=settled)


# -- documents -----------------------------------------------------------------------------------------------------

_SENTENCE_ENDS = tuple(".!?…。！？｡")
_LONG_PAUSE = 0.8  # seconds


def job_segments(transcript: Transcript) -> list[JobSegment]:
    """The segments that have times; those of a provider that has only words are its sentences."""
    found: list[JobSegment] = []
    for segment in transcript.segments or _sentences(transcript):
        start, end = _span(segment)
        if start is not None and end is not None:
            found.append({"text": segment.text, "start": round(start, 6), "end": round(end, 6)})
    return found


def one_shot_words(transcript: Transcript, *, timestamps: bool) -> list[OneShotWord]:
    """The words with what stands between them, which together are the text; speakers are numbered as they appear."""
    text = transcript.text
    speakers: dict[str, str] = {}
    found: list[OneShotWord] = []
    reached = 0
    for word, begin, end in _placed(transcript):
        if found and (gap := text[reached:begin]):
            before = found[-1]
            found.append(_wire_word(gap, "spacing", before["end"], before["end"], before["speaker_id"]))
        label = word.speaker_id
        speaker = None if label is None else speakers.setdefault(label, f"speaker_{len(speakers) + 1}")
        found.append(_wire_word(text[begin:end] or word.text, "word", word.start_time, word.end_time, speaker))
        reached = end
        if word.confidence is not None:
            found[-1]["logprob"] = round(math.log(max(word.confidence, 1e-9)), 6)
    if not timestamps:
        for each in found:
            each["start"] = each["end"] = None
    return found


def language_code(tag: str | None) -> str:
    """Kotoba's code of a language; that of one which it does not speak is the tag's own. The wire has to have one."""
    code = (tag or UNDETERMINED).partition("-")[0]
    return "zh" if code == "cmn" else code


def _wire_word(text: str, kind: WordType, start: float | None, end: float | None, speaker: str | None) -> OneShotWord:
    if start is None or end is None:
        start = end = None
    return {"text": text, "type": kind, "start": start, "end": end, "speaker_id": speaker}


def _sentences(transcript: Transcript) -> Iterator[Segment]:
    text, words = transcript.text, transcript.words or ()
    ends = [end for _, _, end in _placed(transcript)]
    first = begin = 0
    for index, (word, end) in enumerate(zip(words, ends, strict=True)):
        last = index == len(words) - 1
        if last or text[begin:end].endswith(_SENTENCE_ENDS) or _pause(word, words[index + 1]):
            end = len(text) if last else end
            yield Segment(text[begin:end].strip(), words=list(words[first : index + 1]))
            first, begin = index + 1, end


def _pause(word: Word, following: Word) -> bool:
    end, start = word.end_time, following.start_time
    return end is not None and start is not None and start - end > _LONG_PAUSE


def _span(segment: Segment) -> tuple[float | None, float | None]:
    words = segment.words
    start = words[0].start_time if words and segment.start_time is None else segment.start_time
    end = words[-1].end_time if words and segment.end_time is None else segment.end_time
    return start, end


def _placed(transcript: Transcript) -> Iterator[tuple[Word, int, int]]:
    """All words, each with its place in the text; one that is not there as it stands has none behind the last."""
    words = transcript.words or ()
    places = {id(word): (begin, end) for word, begin, end in place(transcript.text, 0, len(transcript.text), words)}
    reached = 0
    for word in words:
        begin, end = places.get(id(word), (reached, reached))
        yield word, begin, end
        reached = end
