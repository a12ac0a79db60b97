"""S10 and S11: what was sent, and what is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from typing import TYPE_CHECKING

from ...events import RecognitionUsage, SpeechData, SpeechEvent, SpeechEventType
from .drive import Call, Speech, missing_words
from .report import NotProven, Promise, PromiseBroken

if TYPE_CHECKING:
    from ...provider import Carries
    from .subject import Subject

__all__ = ["nothing_is_invented", "usage_adds_up", "usage_adds_up_after_a_drop"]

_FINAL = SpeechEventType.FINAL_TRANSCRIPT
_USAGE = SpeechEventType.RECOGNITION_USAGE
EXACTLY = 1e-6
BLOCK_SECONDS = 0.05
"""What a filter may hold back."""

CHUNK_SECONDS = 0.2
"""What a transport may have taken, or not, when its connection broke."""

ENOUGH_WORDS = 4


# -- S10 ---------------------------------------------------------------------------------------------------------------


async def usage_adds_up(subject: Subject) -> None:
    """What was pushed is what was sent, once, and every FINAL comes after what it cost."""
    speech = Speech.of(subject.sample, 2)
    async with Call.open(subject, speech) as call:
        await call.speak()
        await call.finish()
        call.require_end()
        require_sums(call)
        require_received(subject, call, slack=EXACTLY)
    usage = call.stream.usage
    if usage.replayed_duration > EXACTLY:
        _broken(f"{usage.replayed_duration:.2f} s count as replayed on a healthy connection")
    before: SpeechEvent | None = None
    reported = 0.0
    finals = 0  # since then
    for event in call.events:
        if event.type is _USAGE and event.recognition_usage is not None:
            reported += event.recognition_usage.audio_duration
            finals = 0
        elif event.type is _FINAL:
            end = event.alternatives[0].end_time
            # Of two FINALs without audio between them the second has cost nothing more.
            paid = end is not None and end <= reported + EXACTLY and finals > 0
            finals += 1
            if (before is None or before.type is not _USAGE) and not paid:
                _broken(f"no RECOGNITION_USAGE just before the FINAL {event.text!r}")
        before = event
    if not call.finals:
        raise NotProven("nothing was recognised")


async def usage_adds_up_after_a_drop(subject: Subject) -> None:
    """What is sent again is counted again, and as such."""
    speech = Speech.of(subject.sample, 2)
    async with Call.open(subject, speech) as call:
        await call.speak(to=speech.times[len(speech.times) // 4][1])
        open_text = call.open_text
        await call.drop()
        await call.speak()
        await call.finish()
        call.require_reconnect()
        call.require_end()
        require_sums(call)
        require_received(subject, call, slack=CHUNK_SECONDS * (call.reconnects + 1))
    whole = not missing_words(speech.words, call.words)
    if open_text and whole and call.stream.usage.replayed_duration <= EXACTLY:
        _broken("the connection broke inside a sentence, and nothing counts as replayed")


def require_sums(call: Call) -> None:
    """The events' usage, the stream's, and what was pushed."""
    total = call.stream.usage
    parts = [event.recognition_usage for event in call.of_type(_USAGE)]
    for usage in [total, *(part for part in parts if part is not None)]:
        whole, sent, replayed, injected = astuple(usage)
        if min(whole, sent, replayed, injected) < 0 or abs(whole - sent - replayed - injected) > EXACTLY:
            _broken(f"{whole} s are not the sum of {sent} sent, {replayed} replayed and {injected} injected")
    for name in RecognitionUsage.__slots__:
        summed = sum(float(getattr(part, name)) for part in parts if part is not None)
        if abs(summed - float(getattr(total, name))) > EXACTLY:
            _broken(f"the events' {name} is {summed:.3f} s in all, the stream's is {getattr(total, name):.3f} s")
    if abs(total.sent_duration - call.pushed) > EXACTLY:
        _broken(f"{call.pushed:.3f} s were pushed, and {total.sent_duration:.3f} s count as sent for the first time")


def require_received(subject: Subject, call: Call, *, slack: float) -> None:
    """The total is what arrived, where the other end can be asked."""
    if subject.received is None:
        return
    received = sum(each.format.seconds(len(each.data)) for each in subject.received(call.stt))
    if abs(received - call.stream.usage.audio_duration) > slack + BLOCK_SECONDS:
        _broken(f"{received:.3f} s arrived at the other end, and {call.stream.usage.audio_duration:.3f} s are counted")


def _broken(what: str) -> None:
    raise PromiseBroken(Promise.USAGE, what)


# -- S11 ---------------------------------------------------------------------------------------------------------------


async def nothing_is_invented(subject: Subject) -> None:
    """What the wire does not carry is None, and what it carries can be true."""
    call = await Call.whole(subject, Speech.of(subject.sample, 2))
    if not call.finals:
        raise NotProven("nothing was recognised")
    for event in call.events:
        for data in event.alternatives:
            for what in [*_beyond_the_wire(data, call.carries), *_impossible(data)]:
                raise PromiseBroken(Promise.UNKNOWN, f"{event.type.name} {data.text!r}: {what}")
    for what in _constant([data for data in call.finals if data.text]):
        raise PromiseBroken(Promise.UNKNOWN, what)
    call.require_end()


def _beyond_the_wire(data: SpeechData, carries: Carries) -> Iterator[str]:
    parts = [data, *(data.words or ())]
    if not carries.words and data.words is not None:
        yield "words, which the provider does not give"
    if not carries.confidence and any(part.confidence is not None for part in parts):
        yield "a confidence, which the provider does not give"
    if not carries.language and any(part.language is not None for part in parts):
        yield "a language, which the provider does not report"
    if not carries.speakers and any(part.speaker_id is not None for part in parts):
        yield "a speaker, which the provider does not tell"
    if carries.times != "session" and any((part.start_time, part.end_time) != (None, None) for part in parts):
        yield "a time, and the provider's do not count from the start of its session"


def _impossible(data: SpeechData) -> Iterator[str]:
    for part in (data, *(data.words or ())):
        if part.confidence is not None and not 0 <= part.confidence <= 1:
            yield f"the confidence {part.confidence} is not from 0 to 1"
        if "" in (part.language, part.speaker_id):
            yield "an empty language or speaker stands for an unknown one"
    if data.words == [] and data.text:
        yield "an empty list of words stands for an unknown one"


def _constant(finals: list[SpeechData]) -> Iterator[str]:
    words = [word for data in finals for word in data.words or ()]
    for parts, what in ((finals, "FINAL"), (words, "word")):
        values = {part.confidence for part in parts}
        if len(parts) >= (2 if parts is finals else ENOUGH_WORDS) and values in ({0.0}, {1.0}):
            yield f"the confidence of every {what} is {values.pop()}: that is a default, not a measurement"
    if len(words) >= ENOUGH_WORDS and {(word.start_time, word.end_time) for word in words} == {(0.0, 0.0)}:
        yield "every word is at 0 s: that is a default, not a measurement"
