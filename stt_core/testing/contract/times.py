"""S2: the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .drive import Call, Speech, pairs, split_words
from .report import NotProven, Promise, PromiseBroken

if TYPE_CHECKING:
    from .subject import Subject

__all__ = ["silence_before_shifts_the_times", "times_go_on_after_a_drop"]

SHIFT_SECONDS = 3.0
ENOUGH = 0.75
"""The share of the words that two runs must have in common, to be compared at all."""


async def silence_before_shifts_the_times(subject: Subject) -> None:
    """The same speech later in the audio has later times, by just as much."""
    early, late = Speech.of(subject.sample), Speech.of(subject.sample, lead=0.5 + SHIFT_SECONDS)
    first, second = await Call.whole(subject, early), await Call.whole(subject, late)
    for call in (first, second):
        call.require_end()
        require_within(call)
    if first.carries.times == "session":
        found = timeline(first)
        compare(subject, found, timeline(second), shift=SHIFT_SECONDS)
        if subject.sample.times is not None:
            said = list(zip(early.words, (start for start, _ in early.times), strict=True))
            # A wire without words times its texts: then those are looked for among the words, and not the words.
            expected, got = (said, found) if first.carries.words else (found, said)
            compare(subject, expected, got)


async def times_go_on_after_a_drop(subject: Subject) -> None:
    """A new connection counts from zero; nobody may see that."""
    speech = Speech.of(subject.sample, 2)
    undisturbed = await Call.whole(subject, speech)
    undisturbed.require_end()
    if undisturbed.carries.times != "session":
        require_within(undisturbed)
        return
    async with Call.open(subject, speech) as call:
        await call.speak(to=speech.starts[1] - 0.25)
        await call.drop()
        await call.speak()
        await call.finish()
    call.require_reconnect()
    call.require_end()
    require_within(call)
    compare(subject, timeline(undisturbed), timeline(call))


def timeline(call: Call) -> list[tuple[str, float]]:
    """When each word begins; when each text begins, where the words do not say it."""
    found: list[tuple[str, float]] = []
    for data in call.finals:
        for text, start in [(word.text, word.start_time) for word in data.words or ()] or [
            (data.text, data.start_time)
        ]:
            if start is not None:
                found += [(each, start) for each in split_words(text)[:1]]
    return found


def require_within(call: Call) -> None:
    """No time before the first sample pushed or after the last."""
    for event in call.events:
        for data in event.alternatives:
            times = [data.start_time, data.end_time, event.time]
            times += [time for word in data.words or () for time in (word.start_time, word.end_time)]
            for time in times:
                if time is not None and not -0.001 <= time <= call.pushed + 0.1:
                    raise PromiseBroken(
                        Promise.CLOCK,
                        f"{event.type.name} {data.text!r} says {time:.2f} s, and {call.pushed:.2f} s were pushed",
                    )


def compare(
    subject: Subject, expected: list[tuple[str, float]], got: list[tuple[str, float]], *, shift: float = 0.0
) -> None:
    """The same words at the same times, ``shift`` later."""
    both = pairs([text for text, _ in expected], [text for text, _ in got])
    if len(both) < ENOUGH * len(expected) or not both:
        raise NotProven(f"of {len(expected)} words with times only {len(both)} came again with one")
    for i, j in both:
        text, time = expected[i]
        if abs(got[j][1] - time - shift) > subject.clock_tolerance:
            raise PromiseBroken(
                Promise.CLOCK, f"{text!r} is at {got[j][1]:.2f} s, and was said at {time + shift:.2f} s"
            )
