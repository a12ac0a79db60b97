"""S1: the order of events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from ...events import SpeechEvent, SpeechEventType
from .drive import Call, Speech, split_words
from .report import NotProven, Promise, PromiseBroken

if TYPE_CHECKING:
    from ...provider import Carries
    from .subject import Subject

__all__ = ["open_segment_survives_a_drop", "segments_are_in_order"]

_START = SpeechEventType.START_OF_SPEECH
_INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
_PREFLIGHT = SpeechEventType.PREFLIGHT_TRANSCRIPT
_CANCELLED = SpeechEventType.PREFLIGHT_CANCELLED
_FINAL = SpeechEventType.FINAL_TRANSCRIPT
_END = SpeechEventType.END_OF_SPEECH
_OF_SPEECH = (_START, _INTERIM, _PREFLIGHT, _CANCELLED, _FINAL, _END)

ROUNDING_SECONDS = 1e-3
WORD_SLACK_SECONDS = 0.1
ENOUGH_WORDS = 4


async def segments_are_in_order(subject: Subject) -> None:
    """Two utterances with a pause between them."""
    call = await Call.whole(subject, Speech.of(subject.sample, 2))
    require_order(call.events, call.carries)
    require_whole_interims(call.events)
    if not call.of_type(_FINAL):
        raise NotProven("nothing was recognised")
    call.require_end()


async def open_segment_survives_a_drop(subject: Subject) -> None:
    """The connection breaks in the middle of a sentence, and the sentence goes on."""
    speech = Speech.of(subject.sample, 2)
    async with Call.open(subject, speech) as call:
        if call.carries.interims:
            came = await call.speak(lambda call: bool(call.open_text))
            if not came:
                raise NotProven("no interim came")
        else:
            await call.speak(to=speech.times[len(speech.times) // 4][1])
        await call.drop()
        await call.speak()
        await call.finish()
    require_order(call.events, call.carries)
    call.require_reconnect()
    if call.carries.interims:
        require_continued(call.events)


def require_order(events: Sequence[SpeechEvent], carries: Carries) -> None:
    """Everything that one event says about its place among the others."""
    for what in [*_alternation(events), *_derivation(events, carries), *_times(events)]:
        raise PromiseBroken(Promise.ORDER, what)


def _alternation(events: Sequence[SpeechEvent]) -> Iterator[str]:
    speaking: dict[int | None, int | None] = {}
    next_id = 0
    for event in events:
        if event.type not in _OF_SPEECH:
            continue
        segment = speaking.get(event.channel)
        if event.type is _START:
            if event.channel in speaking:
                yield f"START comes inside the segment {segment}"
            if event.segment_id != next_id:
                yield f"segment {event.segment_id} starts where {next_id} is the next id"
            next_id += 1
            speaking[event.channel] = event.segment_id
            continue
        if event.channel not in speaking:
            yield f"{event.type.name} {event.text!r} comes outside of a segment"
        elif event.segment_id != segment:
            yield f"{event.type.name} of segment {event.segment_id} comes inside segment {segment}"
        if event.type is _FINAL and not event.text.strip():
            yield "an empty FINAL"
        if any(data.text != data.text.strip() or data.prefix not in ("", " ") for data in event.alternatives):
            yield f"the text {event.text!r} is not stripped, or its prefix is neither empty nor a space"
        if event.type is _END:
            speaking.pop(event.channel, None)
    for segment in speaking.values():
        yield f"segment {segment} has no END"


def _derivation(events: Sequence[SpeechEvent], carries: Carries) -> Iterator[str]:
    marks = [event for event in events if event.type in (_START, _END)]
    if not carries.turns:
        for event in marks:
            if not event.derived:
                yield f"{event.type.name} is not flagged as derived, and the provider marks no turns"
        for first, second in pairwise(events):
            if first.type is _START and second.type is _END:
                yield "a derived START is followed by END, without a text between"
    elif marks and all(event.derived for event in marks):
        yield "every START and END is derived, although the provider is said to mark turns"


def _times(events: Sequence[SpeechEvent]) -> Iterator[str]:
    ends: dict[int | None, float] = {}
    for event in events:
        if event.type not in (_INTERIM, _FINAL) or not event.alternatives:
            continue
        data = event.alternatives[0]
        start, end = data.start_time, data.end_time
        if start is None or end is None:
            continue
        last = ends.get(event.channel, 0.0)
        slack = ROUNDING_SECONDS if event.type is _FINAL else WORD_SLACK_SECONDS
        if start < last - slack:
            yield f"{event.type.name} {data.text!r} begins at {start:.2f} s, before the last FINAL ends at {last:.2f} s"
        if end < start:
            yield f"{event.type.name} {data.text!r} ends at {end:.2f} s, before it begins at {start:.2f} s"
        starts = [word.start_time for word in data.words or () if word.start_time is not None]
        if starts != sorted(starts):
            yield f"the words of {data.text!r} are not in the order of their times"
        if event.type is _FINAL:
            ends[event.channel] = max(last, end)


def require_whole_interims(events: Sequence[SpeechEvent]) -> None:
    """INTERIM carries the whole segment, not the news only."""
    interims: list[list[str]] = []
    for event in events:
        if event.type is _INTERIM and event.text:
            interims.append(split_words(event.text))
        elif event.type is _FINAL:
            words = split_words(event.text)
            # Two that hold next to nothing may be early; the later ones must have grown.
            if len(words) >= ENOUGH_WORDS and len(interims) >= ENOUGH_WORDS and len(interims[-1]) < len(words) / 2:
                raise PromiseBroken(
                    Promise.ORDER,
                    f"the last INTERIM before the FINAL {event.text!r} is {' '.join(interims[-1])!r}: "
                    "it does not hold the whole segment",
                )
            interims = []
        elif event.type is _START:
            interims = []


def require_continued(events: Sequence[SpeechEvent]) -> None:
    """The segment that was open when the connection broke gets its FINAL afterwards."""
    at = next(index for index, event in enumerate(events) if event.type is SpeechEventType.RECONNECTING)
    before = [event for event in events[:at] if event.type in _OF_SPEECH]
    if not before or before[-1].type is _END:
        raise NotProven("no segment was open when the connection broke")
    segment = before[-1].segment_id
    rest = [event for event in events[at:] if event.type in _OF_SPEECH]
    if not any(event.type is _FINAL and event.segment_id == segment for event in rest):
        what = rest[0].type.name if rest else "nothing"
        raise PromiseBroken(
            Promise.ORDER,
            f"segment {segment} was open when the connection broke, and did not stay open: {what} came next, no FINAL",
        )
