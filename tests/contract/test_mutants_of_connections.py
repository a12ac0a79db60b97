"""What breaks S4, S9, S12 and S14, in the scripted provider, in the driver and in the transport."""

# A mutant is made where nobody else may touch.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from unittest.mock import patch

import pytest

from stt_cartesia.contract import subjects
from stt_core import stream as stream_module
from stt_core.driver import Driver
from stt_core.errors import APIError, ConnectionLostError, ConnectTimeoutError, ProtocolError, STTError
from stt_core.retry import RetryBudget
from stt_core.stream import RecognizeStream
from stt_core.stt import STT
from stt_core.testing.clock import virtual_time_run
from stt_core.testing.contract import Outcome, Promise, Report, State, Subject, prove_all, prove_now
from stt_core.testing.contract.scripted import DisturbableRunner, ReconnectingRunner, scripted_subject
from stt_core.transport import http as http_module
from stt_core.transport import websocket as websocket_module
from stt_core.transport.http import HttpClient, Socket
from stt_core.transport.websocket import _Connection

if TYPE_CHECKING:
    from stt_core.runner import AudioSource, EventSink, OptionsUpdate, SourceItem
    from stt_core.transport.codec import Handshake

Patch: TypeAlias = Callable[[], AbstractContextManager[object]]
Method: TypeAlias = Callable[..., Any]
Connect: TypeAlias = Callable[[HttpClient, "Handshake"], Awaitable[Socket]]

MANUAL, TURNS = subjects()
KEY_HEADER = "X-API-Key"


@dataclass(frozen=True)
class Mutant:
    """Something wrong.

    Attributes:
        name: what it does.
        breaks: the promise that it is made to break.
        patches: what is wrong in the core.
        subject: who is put to the proof; of one behind a socket only the promise that is broken.
        also: promises that cannot hold without it.
    """

    name: str
    breaks: Promise
    patches: Sequence[Patch] = ()
    subject: Subject = field(default_factory=scripted_subject)
    also: frozenset[Promise] = frozenset()


def instead(owner: object, name: str, value: object) -> Patch:
    """Puts something in the place of a name."""
    return lambda: patch.object(owner, name, value)


def around(owner: type, name: str, make: Callable[[Method], Method]) -> Patch:
    """Puts what is made of a method in its place."""
    return lambda: patch.object(owner, name, make(getattr(owner, name)))


def nothing(*_: object) -> None: ...


def never(*_: object) -> None:
    return None


def provider(runner: type[DisturbableRunner]) -> Subject:
    return scripted_subject(runner=runner)


# -- S4 ----------------------------------------------------------------------------------------------------------------


class Patient(DisturbableRunner):
    """Waits for a dead peer for ever."""

    async def heartbeat(self) -> None:
        await self.stt.released.wait()


class Nervous(DisturbableRunner):
    """Takes it for an outage when nobody speaks."""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        await super().run(cast("AudioSource", ImpatientSource(source, self.liveness_timeout)), sink)


class ImpatientSource:
    def __init__(self, source: AudioSource, seconds: float) -> None:
        self.source = source
        self.seconds = seconds

    def __getattr__(self, name: str) -> object:
        return getattr(self.source, name)

    async def receive(self) -> SourceItem:
        try:
            async with asyncio.timeout(self.seconds):
                return await self.source.receive()
        except TimeoutError:
            raise ConnectionLostError("nothing was said") from None


LIVENESS = [
    Mutant("a dead peer is waited for for ever", Promise.LIVENESS, subject=provider(Patient)),
    Mutant("a silent peer is taken for dead", Promise.LIVENESS, subject=provider(Nervous)),
    Mutant("nobody watches a socket", Promise.LIVENESS, [instead(_Connection, "_keep_watch", nothing)], MANUAL),
    Mutant("no pings are sent", Promise.LIVENESS, [instead(_Connection, "_spawn", nothing)], MANUAL),
]


# -- S9 ----------------------------------------------------------------------------------------------------------------


def spending(change: Callable[[RetryBudget, STTError], None]) -> Patch:
    """Changes an error, or the budget, before it is spent."""

    def make(method: Method) -> Method:
        def spend(self: RetryBudget, error: STTError) -> float | None:
            change(self, error)
            return method(self, error)

        return spend

    return around(RetryBudget, "spend", make)


def failing(change: Callable[[STTError], None]) -> Patch:
    """Changes what an attempt failed with."""

    def make(method: Method) -> Method:
        async def attempt(*args: object) -> object:
            error = await method(*args)
            if isinstance(error, STTError):
                change(error)
            return error

        return attempt

    return around(Driver, "_attempt", make)


def whole_at_once(method: Method) -> Method:
    def on_connected(self: Driver, request_id: str | None) -> None:
        self._members.current.budget.reset()
        method(self, request_id)

    return on_connected


def bare_errors(method: Method) -> Method:
    async def read(self: RecognizeStream) -> object:
        try:
            return await method(self)
        except STTError as error:
            raise RuntimeError(str(error)) from error

    return read


def is_retryable(_: RetryBudget, error: STTError) -> None:
    error.retryable = True


def asks_for_nothing(_: RetryBudget, error: STTError) -> None:
    if isinstance(error, APIError):
        error.retry_after = None


def costs_nothing(budget: RetryBudget, error: STTError) -> None:
    if isinstance(error, ConnectTimeoutError):
        budget.spent = 0


def gives_up(error: STTError) -> None:
    if isinstance(error, ProtocolError):
        error.retryable = False


def is_nobodys(error: STTError) -> None:
    error.provider = None


def has_no_number(error: STTError) -> None:
    if isinstance(error, APIError):
        error.request_id = None


def has_no_status(error: STTError) -> None:
    if isinstance(error, APIError):
        error.status = None


def has_no_words(error: STTError) -> None:
    error.message = "the vendor refused"


def only_lost(*_: object) -> STTError:
    return ConnectionLostError("the handshake failed", provider="cartesia")


ERRORS = [
    Mutant("a refusal for good is tried again", Promise.ERRORS, [spending(is_retryable)]),
    Mutant("Retry-After is not waited for", Promise.ERRORS, [spending(asks_for_nothing)]),
    Mutant("connect time-outs cost nothing", Promise.ERRORS, [spending(costs_nothing)]),
    Mutant("a handshake makes the budget whole", Promise.ERRORS, [around(Driver, "on_connected", whole_at_once)]),
    Mutant("words do not make the budget whole", Promise.ERRORS, [instead(RetryBudget, "reset", nothing)]),
    Mutant("a malformed message ends the stream", Promise.ERRORS, [failing(gives_up)]),
    Mutant("an error is nobody's", Promise.ERRORS, [failing(is_nobodys)]),
    Mutant("an error has no request id", Promise.ERRORS, [failing(has_no_number)]),
    Mutant("an error has no status", Promise.ERRORS, [failing(has_no_status)]),
    Mutant("an error has none of the vendor's words", Promise.ERRORS, [failing(has_no_words)]),
    Mutant(
        "errors leave as something else",
        Promise.ERRORS,
        [around(RecognizeStream, "__anext__", bare_errors)],
        also=frozenset({Promise.DRAIN}),  # whose end is an error of a certain class
    ),
    Mutant(
        "a refused handshake is a lost connection", Promise.ERRORS, [instead(HttpClient, "_refused", only_lost)], MANUAL
    ),
    Mutant("the header Retry-After is not read", Promise.ERRORS, [instead(http_module, "retry_after", never)], TURNS),
]


# -- S12 ---------------------------------------------------------------------------------------------------------------


def connecting(make: Callable[[Connect], Connect]) -> Patch:
    return around(HttpClient, "connect", make)


def key_in_the_url(method: Connect) -> Connect:
    async def connect(self: HttpClient, handshake: Handshake) -> Socket:
        return await method(self, replace(handshake, url=f"{handshake.url}&key={handshake.headers[KEY_HEADER]}"))

    return connect


def key_in_the_log(method: Connect) -> Connect:
    async def connect(self: HttpClient, handshake: Handshake) -> Socket:
        logging.getLogger("stt_core.cartesia").debug("connecting with %s", handshake.headers)
        return await method(self, handshake)

    return connect


def key_in_a_field_of_the_log(method: Connect) -> Connect:
    async def connect(self: HttpClient, handshake: Handshake) -> Socket:
        logging.getLogger("stt_core.cartesia").debug("connecting", extra={"headers": handshake.headers})
        return await method(self, handshake)

    return connect


def key_in_the_text(method: Connect) -> Connect:
    async def connect(self: HttpClient, handshake: Handshake) -> Socket:
        try:
            return await method(self, handshake)
        except STTError as error:
            error.message += handshake.headers[KEY_HEADER]
            raise

    return connect


def key_in_the_cause(method: Connect) -> Connect:
    async def connect(self: HttpClient, handshake: Handshake) -> Socket:
        try:
            return await method(self, handshake)
        except STTError as error:
            raise error from ValueError(handshake.headers)

    return connect


def key_in_a_frame(method: Connect) -> Connect:
    async def connect(self: HttpClient, handshake: Handshake) -> Socket:
        headers = handshake.headers  # noqa: F841  (that is what is wrong with it)  # pyright: ignore[reportUnusedVariable]
        return await method(self, handshake)

    ours = FunctionType(connect.__code__, {"__name__": "stt_core.mutant"}, closure=connect.__closure__)
    return cast("Connect", ours)


def shows_all(self: STT) -> str:
    return f"<STT {vars(self)}>"


SECRETS = [
    Mutant(f"a {make.__name__.replace('_', ' ')}", Promise.SECRETS, [connecting(make)], MANUAL)
    for make in (
        key_in_the_url,
        key_in_the_log,
        key_in_a_field_of_the_log,
        key_in_the_text,
        key_in_the_cause,
        key_in_a_frame,
    )
] + [Mutant("an STT shows all of itself", Promise.SECRETS, [instead(STT, "__repr__", shows_all)], TURNS)]


# -- S14 ---------------------------------------------------------------------------------------------------------------


class Obstinate(DisturbableRunner):
    """Says yes and goes on as before."""

    def take(self, update: OptionsUpdate, sink: EventSink) -> None:
        """Takes nothing over."""


class Hasty(ReconnectingRunner):
    """Leaves for the new connection without what it was about to say."""

    def take(self, update: OptionsUpdate, sink: EventSink) -> None:
        sink.settle(1e6)
        super().take(update, sink)


class Rude(ReconnectingRunner):
    """Breaks the connection off."""

    def take(self, update: OptionsUpdate, sink: EventSink) -> None:
        sink.updated(update)
        self.stt.updated = update.settings
        raise ConnectionLostError("other options")


class Secretive(ReconnectingRunner):
    """Calls a new connection in band."""

    update = "in_band"


UPDATE = [
    Mutant("an update is passed over", Promise.UPDATE, subject=provider(Obstinate)),
    Mutant("an update is never acknowledged", Promise.UPDATE, [instead(Driver, "on_updated", nothing)]),
    Mutant("an update loses words", Promise.UPDATE, subject=provider(Hasty)),
    Mutant("an update breaks the connection", Promise.UPDATE, subject=provider(Rude)),
    Mutant("an update in band needs a new connection", Promise.UPDATE, subject=provider(Secretive)),
    Mutant(
        "what cannot change is accepted",
        Promise.UPDATE,
        [instead(stream_module, "FIXED_OPTIONS", frozenset[str]())],
    ),
    Mutant(
        "a planned reconnect cuts a word in two",
        Promise.UPDATE,
        [instead(websocket_module, "CUT_WORD_SECONDS", 0.0)],
        MANUAL,
    ),
]


# -- all of them -------------------------------------------------------------------------------------------------------

MUTANTS = [*LIVENESS, *ERRORS, *SECRETS, *UPDATE]


async def tidily(report: Awaitable[Report]) -> Report:
    """What a mutant leaves running is no concern of the clock's own leak check."""
    try:
        return await report
    finally:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def outcome_of(mutant: Mutant) -> Outcome:
    if mutant.subject.kind == "socket":
        return prove_now(mutant.subject, mutant.breaks)
    report = virtual_time_run(tidily(prove_all(mutant.subject)))
    assert set(report.in_state(State.BROKEN)) == {mutant.breaks, *mutant.also}, str(report)
    return report[mutant.breaks]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_kit_finds(mutant: Mutant) -> None:
    """Its promise is reported as broken, by name, and no other one."""
    with ExitStack() as stack:
        for put in mutant.patches:
            stack.enter_context(put())
        outcome = outcome_of(mutant)
    assert outcome.promise is mutant.breaks
    assert outcome.state is State.BROKEN, outcome


def test_every_promise_has_a_mutant() -> None:
    """A check that nothing can fail checks nothing."""
    assert {mutant.breaks for mutant in MUTANTS} == {Promise.LIVENESS, Promise.ERRORS, Promise.SECRETS, Promise.UPDATE}
