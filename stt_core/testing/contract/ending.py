"""S5 and S6: the end of the input, and the end of a span of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ...errors import DrainTimeoutError, FlushTimeoutError, STTError
from ...events import SpeechEvent, SpeechEventType
from .drive import Call, Speech, missing_words, split_words
from .report import NotProven, Promise, PromiseBroken

if TYPE_CHECKING:
    from .subject import Disturbance, Subject

__all__ = [
    "end_brings_every_final",
    "flush_gives_up_in_time",
    "flush_returns_its_span",
    "nothing_pushed_ends_clean",
    "peer_that_never_acknowledges_the_end",
]

_FINAL = SpeechEventType.FINAL_TRANSCRIPT
_TEXTS = (SpeechEventType.INTERIM_TRANSCRIPT, SpeechEventType.PREFLIGHT_TRANSCRIPT)
TIMEOUT_SECONDS = 2.0
"""What the deadlines are set to where they are meant to pass."""


# -- S5 ----------------------------------------------------------------------------------------------------------------


async def end_brings_every_final(subject: Subject) -> None:
    """The input ends with the last word, before the provider could see that the turn is over."""
    speech = Speech.of(subject.sample, tail=0.0)
    for live in (True, False):
        async with Call.open(subject, speech) as call:
            if live:
                await call.speak()
            else:
                await call.send()
            await call.finish()
        if call.hung:
            raise PromiseBroken(Promise.DRAIN, "iteration does not end after end_input()")
        if isinstance(call.error, DrainTimeoutError):
            raise PromiseBroken(Promise.DRAIN, f"a provider that is well was not waited for: {call.error}")
        call.require_end()
        if missing := missing_words(speech.words, call.words):
            raise PromiseBroken(Promise.DRAIN, f"the stream ended without {' '.join(missing)!r}")


async def nothing_pushed_ends_clean(subject: Subject) -> None:
    """No audio, no text, no error, no wait."""
    speech = Speech.of(subject.sample)
    async with Call.open(subject, speech) as call:
        await call.finish()
    if call.hung:
        raise PromiseBroken(Promise.DRAIN, "a stream without audio does not end after end_input()")
    if call.error is not None:
        raise PromiseBroken(Promise.DRAIN, f"a stream without audio fails: {call.error}") from call.error
    if call.finals:
        raise PromiseBroken(Promise.DRAIN, f"a stream without audio says {call.words}")


async def peer_that_never_acknowledges_the_end(subject: Subject) -> None:
    """It is not waited for for ever, and what it had recognised is kept, marked as promoted."""
    ways = _silencers(subject)
    if subject.babble is not None:
        ways["sends empty interims for ever"] = subject.babble
    if not ways:
        raise NotProven("the subject has no way to keep the other end from answering")
    speech = Speech.of(subject.sample)
    for what, disturb in ways.items():
        async with Call.open(subject, speech, drain_timeout=TIMEOUT_SECONDS, liveness_timeout=subject.patience) as call:
            await _speak_into_a_segment(call, speech)
            async with disturb(call.stt):
                await call.speak(to=min(call.pushed + 0.2, speech.duration))
                await call.finish()
        if call.hung:
            raise PromiseBroken(Promise.DRAIN, f"the stream hangs after end_input() when the other end {what}")
        if call.error is None:
            raise PromiseBroken(Promise.DRAIN, f"the stream ends as if all were well when the other end {what}")
        if not isinstance(call.error, DrainTimeoutError):
            raise PromiseBroken(Promise.DRAIN, f"when the other end {what} the stream ends with {call.error!r}")
        _require_promoted(call, what)


def _require_promoted(call: Call, what: str) -> None:
    last: SpeechEvent | None = None
    for event in call.events:
        if event.type in _TEXTS:
            # An empty one takes the text back.
            last = event if event.text else None
        elif event.type is _FINAL and event.text:
            if last is not None and event.text == last.text and not event.promoted:
                raise PromiseBroken(Promise.DRAIN, f"{event.text!r} was promoted, and is not marked so")
            if last is not None and event.promoted and event.text != last.text:
                raise PromiseBroken(
                    Promise.DRAIN, f"{event.text!r} was promoted where {last.text!r} was the last INTERIM"
                )
            last = None
    if last is not None:
        raise PromiseBroken(Promise.DRAIN, f"the INTERIM {last.text!r} was not promoted when the other end {what}")


# -- S6 ----------------------------------------------------------------------------------------------------------------


async def flush_returns_its_span(subject: Subject) -> None:
    """Send, flush, send, flush, end, and only then iterate, in one task."""
    takes = 3
    speech = Speech.of(subject.sample, takes, tail=0.0)
    flushed: list[SpeechEvent] = []
    async with Call.open(subject, speech, read=False) as call:
        if finals := await _flush(subject, call, "before any audio"):
            raise PromiseBroken(Promise.FLUSH, f"flush() before any audio returns {texts(finals)!r}")
        for start in speech.starts:
            await call.send(to=start + subject.sample.duration)
            finals = await _flush(subject, call, "after the sample")
            flushed += finals
            _require_span(subject, speech, finals)
            if again := await _flush(subject, call, "straight after a flush"):
                raise PromiseBroken(Promise.FLUSH, f"a flush() straight after another returns {texts(again)!r} again")
        await call.finish()
    call.require_end()
    read = call.of_type(_FINAL)
    if [id(event) for event in flushed] != [id(event) for event in read[: len(flushed)]]:
        raise PromiseBroken(
            Promise.FLUSH, f"flush() returned {texts(flushed)!r}, and the FINALs that were read are {texts(read)!r}"
        )
    if len(read) > len(flushed):
        raise PromiseBroken(Promise.FLUSH, f"{texts(read[len(flushed) :])!r} came only after the flush of its span")


def _require_span(subject: Subject, speech: Speech, finals: list[SpeechEvent]) -> None:
    expected = speech.words[: len(speech.words) // len(speech.starts)]
    got = split_words(" ".join(texts(finals)))
    allowed = int(subject.word_tolerance * len(expected))
    missing, more = missing_words(expected, got), missing_words(got, expected)
    if len(missing) > allowed:
        raise PromiseBroken(Promise.FLUSH, f"flush() returned {' '.join(got)!r} for {' '.join(expected)!r}")
    if len(more) > allowed:
        raise PromiseBroken(Promise.FLUSH, f"flush() returned more than its span: {' '.join(got)!r}")


async def flush_gives_up_in_time(subject: Subject) -> None:
    """FlushTimeoutError if a segment stayed open; where nothing was said, nothing is missing."""
    ways = _silencers(subject)
    if not ways:
        raise NotProven("the subject has no way to keep the other end from answering")
    speech = Speech.of(subject.sample)
    for what, disturb in ways.items():
        async with Call.open(subject, speech, flush_timeout=TIMEOUT_SECONDS, liveness_timeout=subject.patience) as call:
            await _speak_into_a_segment(call, speech)
            async with disturb(call.stt):
                try:
                    async with asyncio.timeout(subject.patience):
                        finals = await call.stream.flush()
                except FlushTimeoutError:
                    continue
                except TimeoutError:
                    raise PromiseBroken(Promise.FLUSH, f"flush() hangs when the other end {what}") from None
                if call.open_text:
                    raise PromiseBroken(
                        Promise.FLUSH, f"flush() returned {texts(finals)!r} while {call.open_text!r} stayed open"
                    )
    if subject.mute is not None:
        quiet = Speech.of(subject.sample, 0)
        async with Call.open(subject, quiet, flush_timeout=TIMEOUT_SECONDS) as call:
            await call.comes(lambda call: bool(call.of_type(SpeechEventType.CONNECTED)))
            async with subject.mute(call.stt):
                await call.speak()
                if finals := await _flush(subject, call, "over silence that nobody acknowledges"):
                    raise PromiseBroken(Promise.FLUSH, f"flush() over silence returned {texts(finals)!r}")


async def _flush(subject: Subject, call: Call, when: str) -> list[SpeechEvent]:
    try:
        async with asyncio.timeout(subject.patience):
            return await call.stream.flush()
    except FlushTimeoutError as error:
        raise PromiseBroken(Promise.FLUSH, f"flush() {when} fails: {error}") from error
    except TimeoutError:
        raise PromiseBroken(Promise.FLUSH, f"flush() {when} hangs") from None
    except STTError as error:
        raise PromiseBroken(Promise.FLUSH, f"flush() {when} fails: {type(error).__name__}: {error}") from error


# -- both --------------------------------------------------------------------------------------------------------------


def _silencers(subject: Subject) -> dict[str, Disturbance]:
    ways = {"takes nothing any more": subject.hold, "takes everything and says nothing": subject.mute}
    return {what: disturb for what, disturb in ways.items() if disturb is not None}


async def _speak_into_a_segment(call: Call, speech: Speech) -> None:
    if not call.carries.interims:
        await call.speak(to=speech.times[len(speech.times) // 2][1])
    elif not await call.speak(lambda call: bool(call.open_text)):
        raise NotProven("no interim came")


def texts(events: list[SpeechEvent]) -> list[str]:
    """What they say."""
    return [event.text for event in events]
