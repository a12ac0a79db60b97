"""S14: options that change while a stream runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ...errors import ConfigError, STTError, UnsupportedError
from ...events import SpeechEventType
from .drive import Call, Speech, missing_words
from .report import NotProven, Promise, PromiseBroken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .subject import Subject

__all__ = ["an_update_arrives_and_loses_nothing", "what_cannot_change_is_refused"]

_RECONNECTING = SpeechEventType.RECONNECTING


async def an_update_arrives_and_loses_nothing(subject: Subject) -> None:
    """In the middle of a word: in band, or over a planned reconnect; or refused by name."""
    update = subject.update
    if update is None:
        raise NotProven("the subject names no options to change")
    speech = Speech.of(subject.sample, 2)
    begin, end = speech.times[len(speech.times) // 4]
    async with Call.open(subject, speech, max_retries=0) as call:
        how = call.stt.capabilities.update
        if how == "none":
            await _require_refused(call, update.options, UnsupportedError)
        await call.speak(to=begin + 0.75 * (end - begin))
        if how != "none":
            await _change(subject, call, update.options)
        await call.speak()
        await call.finish()
        arrived = how == "none" or update.arrived(call.stt, call.events)
    if call.hung or call.error is not None:
        _broken(f"the stream did not go on after an update: {call.error or 'it hangs'}")
    if not arrived:
        _broken(f"update_options({_named(update.options)}) returns, and the other end knows nothing of it")
    for event in call.of_type(_RECONNECTING):
        if how == "in_band":
            _broken("an update in band took a new connection")
        if event.attempt or event.error is not None:
            _broken(f"an update broke the connection: {event.error!r}")
    allowed = int(subject.word_tolerance * len(speech.words))
    missing, twice = missing_words(speech.words, call.words), missing_words(call.words, speech.words)
    if len(missing) > allowed:
        _broken(f"{' '.join(missing)!r} went missing with an update: {' '.join(call.words)!r}")
    if len(twice) > allowed and not any(event.replayed for event in call.events):
        _broken(f"{' '.join(twice)!r} came twice with an update: {' '.join(call.words)!r}")


async def _change(subject: Subject, call: Call, options: Mapping[str, object]) -> None:
    try:
        async with asyncio.timeout(subject.patience):
            await call.stream.update_options(language=_language(options), **_others(options))
    except TimeoutError:
        _broken(f"update_options({_named(options)}) hangs")
    except STTError as error:
        if not call.over:
            raise PromiseBroken(Promise.UPDATE, f"update_options({_named(options)}) fails: {error}") from error


async def what_cannot_change_is_refused(subject: Subject) -> None:
    """By its name, and nothing has changed."""
    speech = Speech.of(subject.sample)
    async with Call.open(subject, speech) as call:
        await call.speak(to=speech.duration / 2)
        await _require_refused(call, {"replay_seconds": 1.0}, UnsupportedError)
        await _require_refused(call, {"no_such_option": 1}, ConfigError)
        await call.speak()
        await call.finish()
    if call.reconnects:
        _broken("an update that was refused took a new connection")
    call.require_end()


async def _require_refused(call: Call, options: Mapping[str, object], kind: type[STTError]) -> None:
    try:
        await call.stream.update_options(language=_language(options), **_others(options))
    except kind as error:
        unnamed = [name for name in options if name not in str(error)]
        if unnamed:
            _broken(f"what refuses {', '.join(unnamed)} does not name it: {error}")
        return
    except STTError as error:
        raise PromiseBroken(Promise.UPDATE, f"update_options({_named(options)}) raises {error!r}") from error
    _broken(f"update_options({_named(options)}) is accepted, and cannot be done")


def _language(options: Mapping[str, object]) -> str | None:
    language = options.get("language")
    return None if language is None else str(language)


def _others(options: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in options.items() if name != "language"}


def _named(options: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in options.items())


def _broken(what: str) -> None:
    raise PromiseBroken(Promise.UPDATE, what)
