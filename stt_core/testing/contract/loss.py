"""S3: no silent loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...events import SpeechEventType
from .drive import Call, Speech, missing_words, recognize, split_words
from .report import NotProven, Promise, PromiseBroken

if TYPE_CHECKING:
    from .subject import Subject

__all__ = [
    "audio_that_had_to_go_is_reported",
    "drops_lose_no_word",
    "every_word_is_final",
    "files_are_whole",
    "nothing_is_lost_by_keeping_little",
]

KEPT_SECONDS = 2.0
MOMENTS = ((0.1,), (0.3, 0.5), (0.75, 0.9))
"""Where the connection is broken in each of three calls, as a share of the audio."""


async def every_word_is_final(subject: Subject) -> None:
    """On a healthy connection."""
    speech = Speech.of(subject.sample, 2)
    require_words(await Call.whole(subject, speech), speech, tolerance=0.0)


async def nothing_is_lost_by_keeping_little(subject: Subject) -> None:
    """Sent audio may be let go before its FINAL: on a healthy connection that is no loss, and not called one."""
    speech = Speech.of(subject.sample, 2)
    async with Call.open(subject, speech, replay_seconds=1.0) as call:
        await call.send()
        await call.finish()
    require_words(call, speech, tolerance=subject.word_tolerance)
    if call.of_type(SpeechEventType.AUDIO_LOST):
        raise PromiseBroken(Promise.NO_LOSS, "AUDIO_LOST is reported, and nothing was lost")


async def files_are_whole(subject: Subject) -> None:
    """What is given as a whole comes back as a whole."""
    speech = Speech.of(subject.sample)
    async with subject.opened(speech.starts) as stt:
        try:
            text = (await recognize(subject, stt, speech)).text
        except NotProven:
            raise
        except Exception as error:
            raise PromiseBroken(Promise.NO_LOSS, f"recognize() failed: {type(error).__name__}: {error}") from error
    if missing := missing_words(speech.words, split_words(text)):
        raise PromiseBroken(Promise.NO_LOSS, f"recognize() is without {' '.join(missing)!r}: {text!r}")


async def drops_lose_no_word(subject: Subject) -> None:
    """Whenever the connection breaks, once or twice."""
    speech, hurried = Speech.of(subject.sample, 2), Speech.of(subject.sample, 2, pause=0.1)
    for moments in MOMENTS:
        await _drop_at(subject, speech, *(moment * speech.duration for moment in moments))
    # What was just settled is sent again, for context; it must not come again.
    await _drop_at(subject, hurried, hurried.starts[1] + 0.5)


async def _drop_at(subject: Subject, speech: Speech, *moments: float) -> None:
    async with Call.open(subject, speech, max_retries=20) as call:
        for moment in moments:
            await call.speak(to=moment)
            await call.drop()
        await call.speak()
        await call.finish()
    if call.error is None:
        call.require_reconnect()
    at = " and ".join(f"{moment:.1f} s" for moment in moments)
    require_words(call, speech, tolerance=subject.word_tolerance, when=f" after a drop at {at}")


async def audio_that_had_to_go_is_reported(subject: Subject) -> None:
    """The other end takes nothing for longer than audio is kept."""
    if subject.hold is None:
        raise NotProven("the subject has no way to keep the other end from taking audio")
    takes = 3 + round(3 * KEPT_SECONDS / subject.sample.duration)
    speech = Speech.of(subject.sample, takes)
    async with Call.open(subject, speech, replay_seconds=KEPT_SECONDS) as call:
        await call.speak(to=speech.starts[1])
        async with subject.hold(call.stt):
            await call.speak(to=speech.starts[-1])
        await call.speak()
        await call.finish()
    call.require_end()
    missing = missing_words(speech.words, call.words)
    lost = [event.span for event in call.of_type(SpeechEventType.AUDIO_LOST) if event.span is not None]
    if not missing and not lost:
        raise NotProven("nothing had to be dropped")
    for span in lost:
        if not 0 <= span.start_time < span.end_time <= call.pushed + 0.001:
            raise PromiseBroken(
                Promise.NO_LOSS, f"AUDIO_LOST from {span.start_time} s to {span.end_time} s is no span of the audio"
            )
    # Counted, not named: the same words were said before and after.
    touched = [times for times in speech.times if any(_touches(times, span.start_time, span.end_time) for span in lost)]
    if len(missing) > len(touched) + subject.word_tolerance * len(speech.words):
        raise PromiseBroken(
            Promise.NO_LOSS, f"{len(missing)} words went missing, and AUDIO_LOST speaks for {len(touched)} of them"
        )


def _touches(times: tuple[float, float], start: float, end: float) -> bool:
    # A word of which a piece is gone may be gone.
    slack = 0.3
    return times[0] < end + slack and times[1] > start - slack


def require_words(call: Call, speech: Speech, *, tolerance: float, when: str = "") -> None:
    """All words that were said, and each once where the provider makes that possible."""
    if call.hung:
        raise NotProven("the stream did not end")
    if call.error is not None:
        raise PromiseBroken(
            Promise.NO_LOSS, f"the stream failed{when}: {type(call.error).__name__}: {call.error}"
        ) from call.error
    allowed = int(tolerance * len(speech.words))
    missing = missing_words(speech.words, call.words)
    if len(missing) > allowed:
        raise PromiseBroken(Promise.NO_LOSS, f"{' '.join(missing)!r} went missing{when}: {' '.join(call.words)!r}")
    finals = call.of_type(SpeechEventType.FINAL_TRANSCRIPT)
    twice = missing_words(call.words, speech.words)
    if len(twice) <= allowed:
        return
    if all(event.settlement in ("exact", "timed") for event in finals):
        raise PromiseBroken(Promise.NO_LOSS, f"{' '.join(twice)!r} came twice{when}: {' '.join(call.words)!r}")
    if not any(event.replayed for event in finals):
        raise PromiseBroken(
            Promise.NO_LOSS, f"{' '.join(twice)!r} came twice{when}, and no FINAL is marked as replayed"
        )
