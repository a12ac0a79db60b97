"""S12: no secret leaks."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from traceback import walk_tb
from typing import TYPE_CHECKING, Unpack, cast

from ...errors import STTError
from .drive import Call, Speech, recognize
from .report import NotProven, Promise, PromiseBroken
from .subject import Refusal

if TYPE_CHECKING:
    from ...options import CommonOptions
    from ...stt import STT
    from .subject import Subject

__all__ = ["no_secret_is_seen"]

CONNECT_SECONDS = 0.5


async def no_secret_is_seen(subject: Subject) -> None:
    """Not after a good call, a dropped one, a refused one, one that nobody answered; nor after files."""
    if not subject.secrets:
        async with subject.opened() as stt:
            if stt.provider.env or subject.kind != "local":
                raise NotProven("the subject has no secret to look for")
        return  # nobody signs in
    if subject.leaks is None or subject.refuse is None:
        raise NotProven("the subject cannot tell what its other end saw, or not refuse anything")
    async with _watched(subject, "a good call") as seen, subject.opened((0.5,)) as stt:
        await _call(subject, stt, seen)
        await _file(subject, stt, seen)
    async with _watched(subject, "a call that was dropped") as seen, subject.opened((0.5,)) as stt:
        await _call(subject, stt, seen, drop=True)
    # Vendors quote what they do not accept.
    quoting = Refusal(status=401, message=f"nobody is called {subject.secrets[0]} here", code="no_such_key")
    for what, refusal in (("a refused call", quoting), ("a call that nobody answers", Refusal(status=None))):
        async with _watched(subject, what) as seen, subject.opened((0.5,)) as stt, subject.refuse(stt, refusal):
            await _call(subject, stt, seen)
            await _file(
                subject, stt, seen, connect_timeout=CONNECT_SECONDS, request_timeout=CONNECT_SECONDS, max_retries=0
            )


class _Seen:
    """Where a secret was seen."""

    def __init__(self, subject: Subject) -> None:
        self.places: list[str] = []
        self.errors = 0
        self._secrets = subject.secrets
        self._package = ""

    def look(self, place: str, value: object) -> None:
        """Looks for it in a text, or in what something is shown as."""
        text = value if isinstance(value, str) else _shown(value)
        if any(secret in text for secret in self._secrets):
            self.places.append(place)

    def look_at_stt(self, stt: STT) -> None:
        """What a debugger or an error tracker shows of it."""
        self._package = type(stt).__module__.partition(".")[0]
        self.look_at_parts(type(stt).__name__, stt)

    def look_at_parts(self, name: str, owner: object) -> None:
        """It, and the objects in it: what shows a whole, and what of a part."""
        self.look(f"the repr of {name}", owner)
        for attribute, value in vars(owner).items():
            if not isinstance(value, str | Mapping):  # those have no say in how they are shown
                self.look(f"the repr of {name}.{attribute}", value)

    def look_at_error(self, error: BaseException) -> None:
        """The error with all that hangs on it."""
        self.errors += 1
        for each in _family(error, set()):
            name = type(each).__name__
            self.look(f"{name}'s text", str(each))
            for attribute, value in [("", each), *vars(each).items(), ("args", each.args)]:
                self.look(f"the repr of {name} {attribute}", value)
            for frame, line in walk_tb(each.__traceback__):
                module = str(frame.f_globals.get("__name__", ""))
                if self._is_ours(module):
                    for local, value in list(frame.f_locals.items()):
                        self.look(f"{local} in {module}:{line}, a frame of {name}", value)

    def _is_ours(self, module: str) -> bool:
        return module.partition(".")[0] in ("stt_core", self._package) and not module.startswith("stt_core.testing.")


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001  (what cannot be shown shows nothing)
        return type(error).__name__


def _family(error: BaseException, known: set[int]) -> Iterator[BaseException]:
    if id(error) in known:
        return
    known.add(id(error))
    yield error
    parts = cast("tuple[BaseException, ...]", getattr(error, "exceptions", ()) or getattr(error, "causes", ()))
    for other in (error.__cause__, error.__context__, *parts):
        if other is not None:
            yield from _family(other, known)


class _Ears(logging.Handler):
    def __init__(self, seen: _Seen) -> None:
        super().__init__(logging.DEBUG)
        self._seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        self._seen.look(f"a record of the logger {record.name}", self.format(record))
        self._seen.look(f"the fields of a record of the logger {record.name}", vars(record))
        if record.exc_info and record.exc_info[1] is not None:
            self._seen.look_at_error(record.exc_info[1])


@contextmanager
def _listening(seen: _Seen) -> Generator[None]:
    root, ours, ears = logging.getLogger(), logging.getLogger("stt_core"), _Ears(seen)
    level = ours.level
    root.addHandler(ears)
    ours.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        ours.setLevel(level)
        root.removeHandler(ears)


@asynccontextmanager
async def _watched(subject: Subject, what: str) -> AsyncGenerator[_Seen]:
    seen = _Seen(subject)
    with _listening(seen):
        yield seen
    if seen.places:
        places = "; ".join(list(dict.fromkeys(seen.places))[:8])
        raise PromiseBroken(Promise.SECRETS, f"after {what} a secret is in {places}")


async def _call(subject: Subject, stt: STT, seen: _Seen, *, drop: bool = False) -> None:
    speech = Speech.of(subject.sample)
    async with Call.on(
        stt, subject, speech, connect_timeout=CONNECT_SECONDS, max_retries=1, retry_interval=0.0
    ) as call:
        seen.look_at_stt(stt)
        await call.speak(to=speech.duration / 2)
        if drop:
            await call.drop()
        await call.speak()
        await call.finish()
        seen.look_at_parts("the stream", call.stream)
    if drop:
        call.require_reconnect()
    for event in call.events:
        seen.look(f"the repr of {event.type.name}", event)
        if event.error is not None:
            seen.look_at_error(event.error)
    if call.error is not None:
        seen.look_at_error(call.error)
    _look_beyond(subject, stt, seen)


async def _file(subject: Subject, stt: STT, seen: _Seen, **options: Unpack[CommonOptions]) -> None:
    try:
        await recognize(subject, stt, Speech.of(subject.sample), **options)
    except STTError as error:
        seen.look_at_error(error)
    _look_beyond(subject, stt, seen)


def _look_beyond(subject: Subject, stt: STT, seen: _Seen) -> None:
    if subject.leaks is not None:
        seen.places += [f"what the other end was sent: {place}" for place in subject.leaks(stt)]
