"""S9: errors, and what is tried again after them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Unpack

from ...errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConnectTimeoutError,
    PermissionDeniedError,
    STTError,
)
from ...events import SpeechEventType
from .drive import Call, Speech, recognize, require_all
from .report import NotProven, Promise, PromiseBroken
from .subject import Refusal

if TYPE_CHECKING:
    from ...options import CommonOptions
    from ...stt import STT
    from .subject import Subject

__all__ = [
    "drops_spend_the_budget",
    "malformed_messages_are_drops",
    "refusals_for_good_are_one_attempt",
    "retry_after_is_waited_for",
    "strangers_are_turned_away",
    "time_outs_spend_the_budget",
    "what_fails_behind_is_told",
    "words_make_the_budget_whole",
]

_CONNECTED = SpeechEventType.CONNECTED
_RECONNECTING = SpeechEventType.RECONNECTING

FOR_GOOD = (400, 401, 402, 403, 404)
FOR_NOW = (429, 503)
RETRIES = 2
QUICKLY = 0.05
CONNECT_SECONDS = 0.5
RETRY_AFTER_SECONDS = 2.0
SILENT_SECONDS = 10.0
SLACK_SECONDS = 0.1
TICK_SECONDS = 0.001
REASON = "behind the moon"


async def refusals_for_good_are_one_attempt(subject: Subject) -> None:
    """The vendor's status, code, words and request id arrive, after one attempt, from streams and files."""
    for status in FOR_GOOD:
        refusal = Refusal(status=status, code="moon_phase", request_id=f"refused-{status}")
        if subject.kind == "jobs":
            await _refuse_a_file(subject, refusal)  # a segment that is refused may be an event, and the stream go on
            continue
        async with _refused(subject, refusal) as (call, attempts):
            if call is None:
                return
            await call.finish()
            count = attempts()
        _require_the_vendors(call, call.error, refusal, retryable=False)
        if count != 1 or call.reconnects:
            _broken(f"a refusal with {status} was tried {count} times")
        await _refuse_a_file(subject, refusal)


async def _refuse_a_file(subject: Subject, refusal: Refusal) -> None:
    if subject.refuse is None:
        return
    speech = Speech.of(subject.sample)
    async with subject.opened(speech.starts) as stt, subject.refuse(stt, refusal) as attempts:
        error: Exception | None = None
        try:
            await recognize(subject, stt, speech)
        except NotProven:
            raise
        except Exception as raised:  # noqa: BLE001  (what may leave, and what may not, is the question)
            error = raised
        count = attempts()
        provider = stt.provider_name
    _require_ours(error, provider)
    if count != 1:
        _broken(f"a file refused with {refusal.status} was sent {count} times")
    if not isinstance(error, APIError) or error.status != refusal.status or refusal.message not in str(error):
        _broken(f"recognize() refused with {refusal.status} {refusal.message!r} raises {error!r}")


async def retry_after_is_waited_for(subject: Subject) -> None:
    """A vendor that asks to be left alone for a while is; then the stream goes on."""
    for status in FOR_NOW:
        refusal = Refusal(status=status, request_id=f"later-{status}", retry_after=RETRY_AFTER_SECONDS, times=1)
        async with _refused(subject, refusal, retry_interval=0.0) as (call, _):
            if call is None:
                return
            await call.speak()
            await call.finish()
        if call.hung or call.error is not None:
            _broken(f"a stream refused once with {status} did not go on: {call.error or 'it hangs'}")
        at = dict(zip([event.type for event in reversed(call.events)], reversed(call.times), strict=True))
        if _RECONNECTING not in at:
            raise NotProven("nothing was refused")
        _require_the_vendors(call, call.of_type(_RECONNECTING)[0].error, refusal, retryable=True)
        waited = at[_CONNECTED] - at[_RECONNECTING]
        if waited < RETRY_AFTER_SECONDS - TICK_SECONDS:
            _broken(f"{status} asked for {RETRY_AFTER_SECONDS:g} s, and {waited:.2f} s were waited")


async def time_outs_spend_the_budget(subject: Subject) -> None:
    """Nobody answers: after ``max_retries`` the stream says so."""
    if subject.kind == "jobs":
        raise NotProven("a stream of jobs asks nobody as long as nothing is said")
    refusal = Refusal(status=None)
    async with _refused(
        subject, refusal, connect_timeout=CONNECT_SECONDS, max_retries=RETRIES, retry_interval=QUICKLY
    ) as (call, attempts):
        if call is None:
            return
        ended = await call.comes(lambda call: call.over or call.reconnects > RETRIES)
        count = attempts()
    if not ended or count > RETRIES + 1 or call.reconnects > RETRIES:
        _broken(f"where nobody answers, {RETRIES} retries are allowed, and {count} attempts were made")
    _require_ours(call.error, call.stt.provider_name)
    if not isinstance(call.error, ConnectTimeoutError):
        _broken(f"where nobody answers, the stream ends with {call.error!r}")
    if count <= RETRIES:
        _broken(f"where nobody answers, the stream gives up after {count} attempts of {RETRIES + 1}")


async def drops_spend_the_budget(subject: Subject) -> None:
    """A connection that breaks again and again without a word is given up, with a typed error."""
    speech = Speech.of(subject.sample, 0, lead=SILENT_SECONDS * subject.pace)
    async with Call.open(subject, speech, max_retries=RETRIES, retry_interval=QUICKLY) as call:
        for number in range(1, RETRIES + 3):
            if not await call.comes(lambda call, number=number: len(call.of_type(_CONNECTED)) >= number):
                break
            await call.drop()
            await call.speak(lambda call, number=number: call.over or call.reconnects >= number)
        if not call.over and call.reconnects > RETRIES:
            _broken(f"{RETRIES} retries are allowed, and there were {call.reconnects} without a word between")
        await call.comes(lambda call: call.over)
    if not call.over or call.error is None:
        raise NotProven("the connection was to be dropped, and the stream went on")
    _require_ours(call.error, call.stt.provider_name)
    if isinstance(call.error, STTError) and not call.error.retryable:
        _broken(f"a dropped connection is not called retryable: {call.error!r}")
    if call.reconnects < RETRIES:
        _broken(f"{RETRIES} retries are allowed, and there were {call.reconnects}")
    for event in call.of_type(_RECONNECTING):
        _require_ours(event.error, call.stt.provider_name)


async def words_make_the_budget_whole(subject: Subject) -> None:
    """More drops than retries, with words between them, end nothing."""
    drops, dropped = 3, 0
    speech = Speech.of(subject.sample, drops + 1)
    async with Call.open(subject, speech, max_retries=1, retry_interval=QUICKLY) as call:
        for number, start in enumerate(speech.starts[1:], 1):
            await call.speak(to=start - 0.25)
            end = speech.times[number * len(speech.words) // len(speech.starts) - 1][1]
            if not await call.comes(lambda call, end=end: _told_to(call) >= end - SLACK_SECONDS):
                break
            await call.drop()
            dropped = number
        await call.speak()
        await call.finish()
    if call.error is not None and dropped:
        _broken(f"one retry is allowed, words came before each of {drops} drops, and the stream failed: {call.error!r}")
    call.require_end()
    if dropped < drops:
        raise NotProven("the sample did not bring a FINAL before the next one began")
    call.require_reconnect()


def _told_to(call: Call) -> float:
    """The seconds that had been sent, for the first time, when the last FINAL came: what is sent again is no news."""
    sent = told = 0.0
    for event in call.events:
        if event.recognition_usage is not None:
            sent += event.recognition_usage.sent_duration
        elif event.type is SpeechEventType.FINAL_TRANSCRIPT:
            told = sent
    return told


async def malformed_messages_are_drops(subject: Subject) -> None:
    """What the protocol does not allow costs a connection, and no word; without retries it is a typed error."""
    if subject.garble is None:
        if subject.kind == "local":
            return  # nobody else wrote what it says
        raise NotProven("the subject has no way to say something malformed")
    speech = Speech.of(subject.sample, 2)
    for retries in (5, 0):
        async with Call.open(subject, speech, max_retries=retries) as call:
            await call.speak(to=speech.times[len(speech.times) // 4][1])
            await subject.garble(call.stt)
            await call.speak()
            await call.finish()
        if not retries:
            _require_ours(call.error, call.stt.provider_name)
            continue
        for event in call.of_type(_RECONNECTING):
            _require_ours(event.error, call.stt.provider_name)
        asked_again = subject.kind == "jobs"  # there the request, and nothing breaks
        if call.hung or call.error is not None or not (call.reconnects or asked_again):
            _broken(f"a malformed message is no drop: {call.error or 'nothing came of it'!r}")
        require_all(subject, speech, call)
        if asked_again:
            return


# -- what the server half says of its own accord, and the client half has to understand --------------------------------


async def strangers_are_turned_away(subject: Subject) -> None:
    """A key that the server half does not know is an AuthenticationError, from streams and files, after one attempt."""
    if subject.stranger is None:
        if subject.kind == "local":
            return  # nobody signs in
        raise NotProven("the subject cannot sign in with what the other end does not know")
    async with subject.stranger() as stt:
        for what, error in await _errors(subject, stt):
            if error is None:
                _broken(f"{what} is served to somebody whose key nobody knows")
            if not isinstance(error, AuthenticationError | PermissionDeniedError):
                _broken(f"{what} with a key that nobody knows is refused with {error!r}")


async def what_fails_behind_is_told(subject: Subject) -> None:
    """A request that the provider behind the server half refuses is refused, in its words and for good."""
    if subject.failing is None:
        if subject.kind == "local":
            return  # nobody is behind it
        raise NotProven("the subject has nobody behind its other end who could fail")
    async with subject.opened((0.5,)) as stt, _failing(subject, stt):
        for what, error in await _errors(subject, stt):
            if error is None:
                _broken(f"{what} ends as if all were well where the provider behind refused it")
            if not isinstance(error, APIError) or REASON not in str(error) or error.retryable:
                _broken(f"{what} that the provider behind refused ({REASON!r}, with 400) ends with {error!r}")


@asynccontextmanager
async def _failing(subject: Subject, stt: STT) -> AsyncGenerator[None]:
    if subject.failing is not None:
        async with subject.failing(stt, BadRequestError(REASON, status=400)):
            yield


async def _errors(subject: Subject, stt: STT) -> list[tuple[str, Exception | None]]:
    """What a stream and a file fail with, each at once; of jobs a file, because there a stream goes on."""
    speech = Speech.of(subject.sample)
    found: list[tuple[str, Exception | None]] = []
    if subject.kind != "jobs":
        async with Call.on(stt, subject, speech, max_retries=2, retry_interval=0.0) as call:
            await call.speak(to=speech.duration / 2)
            await call.finish()
        if call.hung:
            _broken("a stream that is refused hangs")
        if call.reconnects:
            _broken(f"a stream that is refused for good was tried {call.reconnects + 1} times")
        found.append(("a stream", call.error))
    try:
        await recognize(subject, stt, speech)
    except NotProven:
        raise
    except Exception as error:  # noqa: BLE001  (what may leave, and what may not, is the question)
        found.append(("a file", error))
    else:
        found.append(("a file", None))
    return found


# -- all of them -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _refused(
    subject: Subject, refusal: Refusal, **options: Unpack[CommonOptions]
) -> AsyncGenerator[tuple[Call | None, Callable[[], int]]]:
    if subject.refuse is None:
        if subject.kind != "local":
            raise NotProven("the subject has no way to refuse a connection")
        yield None, int  # there is nobody who could
        return
    speech = Speech.of(subject.sample)
    async with (
        subject.opened(speech.starts) as stt,
        subject.refuse(stt, refusal) as attempts,
        Call.on(stt, subject, speech, **options) as call,
    ):
        yield call, attempts


def _require_ours(error: BaseException | None, provider: str) -> None:
    if error is None:
        raise NotProven("there was no error")
    if isinstance(error, asyncio.CancelledError) or not isinstance(error, STTError):
        _broken(f"{error!r} leaves the library")
    elif error.provider != provider:
        _broken(f"{error!r} does not say that its provider is {provider}, but {error.provider}")


def _require_the_vendors(call: Call, error: BaseException | None, refusal: Refusal, *, retryable: bool) -> None:
    if call.hung:
        _broken(f"a refusal with {refusal.status} is not reported")
    if error is None:
        _broken(f"a refusal with {refusal.status} is no error")
    _require_ours(error, call.stt.provider_name)
    if not isinstance(error, APIError):
        _broken(f"a refusal with {refusal.status} is {error!r}")
        return
    for name in ("status", "code", "request_id", "retry_after"):
        given, got = getattr(refusal, name), getattr(error, name)
        if given is not None and got != given:
            _broken(f"a refusal with {refusal.status} had the {name} {given!r}, and the error says {got!r}")
    if refusal.message not in str(error):
        _broken(f"the vendor said {refusal.message!r}, and the error says {str(error)!r}")
    if error.retryable != retryable:
        _broken(f"after a refusal with {refusal.status}, retryable is {error.retryable}")


def _broken(what: str) -> None:
    raise PromiseBroken(Promise.ERRORS, what)
