"""For every promise, what breaks it: the kit finds each one, and calls it by its name.

What breaks S4, S9, S12 and S14 is in ``test_mutants_of_connections.py``.
"""

# A mutant is made where nobody else may touch.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from unittest.mock import patch

import pytest

from stt_core import stream as stream_module
from stt_core.attempt import LedgerSource, StreamSink
from stt_core.audio import convert as convert_module
from stt_core.audio.convert import Converter
from stt_core.audio.frames import AudioFormat
from stt_core.channel import Channel
from stt_core.clockmap import ClockMap
from stt_core.deadline import Deadline
from stt_core.driver import Driver
from stt_core.errors import DrainTimeoutError, FlushTimeoutError, STTError
from stt_core.events import RecognitionUsage, SpeechEvent, SpeechEventType
from stt_core.flushes import Flushes
from stt_core.ledger import Ledger
from stt_core.outbox import Outbox
from stt_core.retry import RetryBudget
from stt_core.runner import AudioChunk, EndOfInput, FlushRequest
from stt_core.stream import RecognizeStream
from stt_core.stt import STT
from stt_core.testing.clock import virtual_time_run
from stt_core.testing.contract import Promise, Report, State, Subject, prove_all
from stt_core.testing.contract.scripted import DisturbableRunner, DisturbableSTT, InjectingRunner, scripted_subject
from stt_core.testing.scripted import FULL, ScriptedSTT
from stt_core.turns import TurnOrder

if TYPE_CHECKING:
    import aiohttp

    from stt_core.audio.encodings import Samples
    from stt_core.provider import Carries
    from stt_core.runner import AudioSource, EventSink, SourceItem

INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
FINAL = SpeechEventType.FINAL_TRANSCRIPT
END = SpeechEventType.END_OF_SPEECH
UNTIMED = replace(FULL, times="none", words=False)
BARE = replace(UNTIMED, turns=False, interims=False, preflight=False, confidence=False, language=False, speakers=False)

Patch: TypeAlias = Callable[[], AbstractContextManager[object]]
Method: TypeAlias = Callable[..., Any]


@dataclass(frozen=True)
class Mutant:
    """Something wrong.

    Attributes:
        name: what it does.
        breaks: the promise that it is made to break.
        patches: what is wrong in the core.
        subject: the provider, if that is what is wrong.
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


def always(*_: object) -> bool:
    return True


def never(*_: object) -> bool:
    return False


def without(owner: type, name: str, *, during: str) -> Patch:
    """One method does nothing while another one runs."""

    def make(method: Method) -> Method:
        def run(self: object, *args: object) -> object:
            with patch.object(owner, name, nothing):
                return method(self, *args)

        return run

    return around(owner, during, make)


class Lying(DisturbableRunner):
    """A provider whose events are not right."""

    def edit(self, event: SpeechEvent) -> None:
        """Makes an event wrong."""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        await super().run(source, cast("EventSink", EditedSink(sink, self.edit)))


class EditedSink:
    def __init__(self, sink: EventSink, edit: Callable[[SpeechEvent], None]) -> None:
        self.sink = sink
        self.edit = edit

    def __getattr__(self, name: str) -> object:
        return getattr(self.sink, name)

    def emit(self, event: SpeechEvent, *, settled: float | None = None) -> None:
        self.edit(event)
        self.sink.emit(event, settled=settled)


def provider(runner: type[DisturbableRunner], carries: Carries = FULL, *, exact: bool = False) -> Subject:
    return scripted_subject(runner=runner, carries=carries, exact=exact)


# -- S1 ----------------------------------------------------------------------------------------------------------------


def end_before_final(self: TurnOrder, event: SpeechEvent) -> None:
    self.open_text = None
    self._open_if_needed(event)
    self._close(SpeechEvent(END))
    self._send(event)


def start_again(self: TurnOrder, event: SpeechEvent) -> None:
    self._open(event)


def empty_final_too(method: Method) -> Method:
    def final(self: TurnOrder, event: SpeechEvent) -> None:
        self._open_if_needed(event)
        self._send(replace(event, alternatives=[replace(event.alternatives[0], text="")]))
        method(self, event)

    return final


def segments_end_with_their_connection(method: Method) -> Method:
    def on_connected(self: Driver, request_id: str | None) -> None:
        for order in self._orders.values():
            order.finish()
        method(self, request_id)

    return on_connected


def one_segment_id(method: Method) -> Method:
    def send(self: TurnOrder, event: SpeechEvent) -> None:
        self.segment_id = 0
        method(self, event)

    return send


def derived_is_not_said(method: Method) -> Method:
    def deliver(self: Outbox, event: SpeechEvent) -> None:
        event.derived = False
        method(self, event)

    return deliver


class Deltas(Lying):
    def edit(self, event: SpeechEvent) -> None:
        if event.type is INTERIM:
            data = event.alternatives[0]
            data.words = (data.words or [])[-1:]
            data.text = data.words[0].text if data.words else ""


ORDER = [
    Mutant("END comes before its FINAL", Promise.ORDER, [instead(TurnOrder, "_final", end_before_final)]),
    Mutant("START comes again after a drop", Promise.ORDER, [instead(TurnOrder, "_start", start_again)]),
    Mutant(
        "empty FINALs",
        Promise.ORDER,
        [around(TurnOrder, "_final", empty_final_too)],
        also=frozenset({Promise.NO_LOSS}),  # files are not put together out of them
    ),
    Mutant(
        "a segment ends with its connection",
        Promise.ORDER,
        [around(Driver, "on_connected", segments_end_with_their_connection)],
    ),
    Mutant("all segments have one id", Promise.ORDER, [around(TurnOrder, "_send", one_segment_id)]),
    Mutant(
        "derived turns are not called so",
        Promise.ORDER,
        [around(Outbox, "deliver", derived_is_not_said)],
        scripted_subject(carries=BARE),
    ),
    Mutant("interims are only what is new", Promise.ORDER, subject=provider(Deltas)),
]


# -- S2 ----------------------------------------------------------------------------------------------------------------


def late_after_a_reconnect(method: Method) -> Method:
    def deliver(self: Outbox, event: SpeechEvent) -> None:
        if event.request_id != "scripted-0":
            for data in event.alternatives:
                for part in (data, *(data.words or ())):
                    if part.start_time is not None and part.end_time is not None:
                        part.start_time, part.end_time = part.start_time + 0.5, part.end_time + 0.5
        method(self, event)

    return deliver


class FastClock(Lying):
    def edit(self, event: SpeechEvent) -> None:
        for data in event.alternatives:
            for part in (data, *(data.words or ())):
                if part.start_time is not None and part.end_time is not None:
                    part.start_time, part.end_time = part.start_time * 1.02, part.end_time * 1.02


CLOCK = [
    Mutant("times jump at a reconnect", Promise.CLOCK, [around(Outbox, "deliver", late_after_a_reconnect)]),
    Mutant("a clock that is fast", Promise.CLOCK, subject=provider(FastClock, exact=True)),
    Mutant(
        "injected silence counts as time",
        Promise.CLOCK,
        [instead(ClockMap, "add_silence", nothing)],
        provider(InjectingRunner, exact=True),
        also=frozenset({Promise.NO_LOSS}),  # what a replay brings again is told by its time
    ),
]


# -- S3 ----------------------------------------------------------------------------------------------------------------


def what_was_sent(self: Ledger) -> int:
    return self.sent


def half_a_second_late(method: Method) -> Method:
    def replay_start(self: Ledger) -> int:
        return min(method(self) + self.format.sample_rate // 2, self.sent)

    return replay_start


def all_but_the_last_final(method: Method) -> Method:
    async def transcript(self: RecognizeStream) -> object:
        found = await method(self)
        found.text = " ".join(found.text.split()[:-1])
        return found

    return transcript


class Forgetful(Lying):
    def edit(self, event: SpeechEvent) -> None:
        if event.type is FINAL:
            data = event.alternatives[0]
            data.words = (data.words or [])[:-1]
            data.text = " ".join(word.text for word in data.words)


class SettlesTooMuch(DisturbableRunner):
    """Says that it has recognised all that it has heard, in the middle of a word."""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        class Sink(EditedSink):
            def processed(self, seconds: float) -> None:
                sink.settle(seconds)

        await super().run(source, cast("EventSink", Sink(sink, lambda _: None)))


NO_LOSS = [
    Mutant(
        "sent audio is forgotten before it is settled",
        Promise.NO_LOSS,
        [instead(Ledger, "replay_start", what_was_sent)],
    ),
    Mutant("a replay begins too late", Promise.NO_LOSS, [around(Ledger, "replay_start", half_a_second_late)]),
    Mutant("a provider settles what it has only heard", Promise.NO_LOSS, subject=provider(SettlesTooMuch, exact=True)),
    Mutant("a replay's words come twice", Promise.NO_LOSS, [instead(StreamSink, "_is_news", always)]),
    Mutant("lost audio is not reported", Promise.NO_LOSS, [instead(Driver, "_report_lost", nothing)]),
    Mutant(
        "a file's last word is missing",
        Promise.NO_LOSS,
        [around(RecognizeStream, "transcript", all_but_the_last_final)],
    ),
    Mutant(
        "a drop ends the stream",
        Promise.NO_LOSS,
        [instead(RetryBudget, "spend", nothing)],
        also=frozenset({Promise.LIVENESS, Promise.ERRORS}),  # after which it should go on
    ),
    Mutant(
        "a provider does not say its last word",
        Promise.NO_LOSS,
        subject=provider(Forgetful),
        also=frozenset({Promise.DRAIN, Promise.FLUSH, Promise.UPDATE}),
    ),
]


# -- S5 ----------------------------------------------------------------------------------------------------------------


class WatchedSource:
    """Tells of each item before the runner sees it."""

    def __init__(self, source: AudioSource, watch: Callable[[SourceItem], None]) -> None:
        self.source = source
        self.watch = watch

    def __getattr__(self, name: str) -> object:
        return getattr(self.source, name)

    async def receive(self) -> SourceItem:
        item = await self.source.receive()
        self.watch(item)
        return item


class Left(Exception):  # noqa: N818  (control flow)
    pass


class Hasty(DisturbableRunner):
    """Leaves at the end of input, without its last words."""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        def leave(item: SourceItem) -> None:
            if isinstance(item, EndOfInput):
                raise Left

        with suppress(Left):
            await super().run(cast("AudioSource", WatchedSource(source, leave)), sink)


def gives_up_in_silence(method: Method) -> Method:
    async def attempt(*args: object) -> object:
        error = await method(*args)
        return None if isinstance(error, DrainTimeoutError) else error

    return attempt


def end_is_not_noticed(method: Method) -> Method:
    def on_given(self: Driver, request: SourceItem) -> None:
        if not isinstance(request, EndOfInput):
            method(self, request)

    return on_given


def not_marked(method: Method) -> Method:
    def deliver(self: Outbox, event: SpeechEvent) -> None:
        event.promoted = False
        method(self, event)

    return deliver


DRAIN = [
    Mutant("the end does not wait for the last final", Promise.DRAIN, subject=provider(Hasty)),
    Mutant(
        "the end waits for ever",
        Promise.DRAIN,
        [instead(Driver, "_await_end", nothing), around(Driver, "on_given", end_is_not_noticed)],
    ),
    Mutant(
        "a peer that takes no audio is waited for for ever",
        Promise.DRAIN,
        [instead(Driver, "_await_end", nothing)],
    ),
    Mutant("the last interim is dropped", Promise.DRAIN, [instead(TurnOrder, "promote", TurnOrder.finish)]),
    Mutant("a promoted final is not marked", Promise.DRAIN, [around(Outbox, "deliver", not_marked)]),
    Mutant("the end looks clean, and is not", Promise.DRAIN, [around(Driver, "_attempt", gives_up_in_silence)]),
]


# -- S6 ----------------------------------------------------------------------------------------------------------------


async def flush_at_once(self: Driver) -> list[SpeechEvent]:
    return list(self.outbox.finals)


def flush_from_the_start(method: Method) -> Method:
    def answer(self: Flushes, flush: object) -> None:
        self._finals_given = 0
        method(self, flush)

    return answer


def flush_fails_over_silence(self: Flushes) -> None:
    flush = self._waiting[0]
    self._remove(flush)
    flush.future.set_exception(FlushTimeoutError())


class Careless(DisturbableRunner):
    """Acknowledges a flush before its finals come, in a protocol without interims."""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        def acknowledge(item: SourceItem) -> None:
            if isinstance(item, FlushRequest):
                sink.flushed(item)

        await super().run(cast("AudioSource", WatchedSource(source, acknowledge)), sink)


FLUSH = [
    Mutant("flush does not wait", Promise.FLUSH, [instead(Driver, "flush", flush_at_once)]),
    Mutant("flush returns everything so far", Promise.FLUSH, [around(Flushes, "_answer", flush_from_the_start)]),
    Mutant("flush waits for ever", Promise.FLUSH, [instead(Flushes, "watch", nothing)]),
    Mutant("flush fails over silence", Promise.FLUSH, [instead(Flushes, "_on_overdue", flush_fails_over_silence)]),
    Mutant("flush is acknowledged too early", Promise.FLUSH, subject=provider(Careless, BARE)),
]


# -- S7 ----------------------------------------------------------------------------------------------------------------


def drops_finals_nobody_reads(method: Method) -> Method:
    def send(self: Outbox, event: SpeechEvent) -> object:
        return None if event.type is FINAL and len(self._events) > 8 else method(self, event)

    return send


def endless(_: int) -> Channel[SpeechEvent]:
    return Channel(10**9)


BOUNDS = [
    Mutant("unread interims pile up", Promise.BOUNDS, [instead(Channel, "replace", never)]),
    Mutant("events pile up", Promise.BOUNDS, [instead(stream_module, "Channel", endless)]),
    Mutant("events fall off the end", Promise.BOUNDS, [instead(Deadline, "stop", nothing)]),
    Mutant(
        "finals that nobody reads are dropped",
        Promise.BOUNDS,
        [around(Outbox, "_send", drops_finals_nobody_reads)],
        also=frozenset({Promise.FLUSH}),  # where all is sent before anything is read
    ),
]


# -- S8 ----------------------------------------------------------------------------------------------------------------


class Leaking(DisturbableRunner):
    """Leaves something behind with each connection."""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        self.leak()
        await super().run(source, sink)

    def leak(self) -> None:
        """Leaves it behind."""


class LeavesATask(Leaking):
    def leak(self) -> None:
        TIDYING.append(asyncio.create_task(asyncio.sleep(1e6), name="forgotten").cancel)


class LeavesAThread(Leaking):
    def leak(self) -> None:
        over = threading.Event()
        threading.Thread(target=over.wait, name="forgotten", daemon=True).start()
        TIDYING.append(over.set)


class LeavesAProcess(Leaking):
    def leak(self) -> None:
        process = subprocess.Popen(["sleep", "60"])  # noqa: S607  (wherever it is)

        def tidy() -> None:
            process.kill()
            process.wait()

        TIDYING.append(tidy)


class LeavesAFile(Leaking):
    def leak(self) -> None:
        descriptor = os.open(os.devnull, os.O_RDONLY)
        TIDYING.append(lambda: os.close(descriptor))


class LeavesAWarning(Leaking):
    def leak(self) -> None:
        Path(os.devnull).open()  # noqa: SIM115  (that is what is wrong with it)


class LeavesACoroutine(Leaking):
    def leak(self) -> None:
        asyncio.sleep(0)  # pyright: ignore[reportUnusedCoroutine]  (that is what is wrong with it)


TIDYING: list[Callable[[], object]] = []


@contextmanager
def tidied() -> Generator[None]:
    try:
        yield
    finally:
        while TIDYING:
            TIDYING.pop()()


def only_once(method: Method) -> Method:
    async def aclose(self: RecognizeStream) -> None:
        if self._closed:
            raise STTError("it is closed already")
        await method(self)

    return aclose


async def never_closes(self: object) -> None:
    await asyncio.sleep(3600)


async def closes_nothing(self: STT) -> None:
    await self.close_provider()


def flushes_are_not_told(self: Flushes, error: object) -> None:
    self._waiting.clear()
    self.watch()


async def closes_the_session(self: STT) -> None:
    if self._http_session is not None:
        await self._http_session.close()


def with_requests() -> Subject:
    """A provider that is given a session, which the scripted one would never use."""

    async def create(session: aiohttp.ClientSession) -> STT:
        stt = DisturbableSTT([], runner=DisturbableRunner)
        stt._http_session = session
        return stt

    return replace(scripted_subject("with requests"), kind="socket", with_session=create)


CLOSE = [
    *(
        Mutant(f"a provider {leaks.__name__}", Promise.CLOSE, [tidied], provider(leaks))
        for leaks in (LeavesATask, LeavesAThread, LeavesAProcess, LeavesAFile, LeavesAWarning, LeavesACoroutine)
    ),
    Mutant("closing twice fails", Promise.CLOSE, [around(RecognizeStream, "aclose", only_once)]),
    Mutant("closing takes for ever", Promise.CLOSE, [instead(ScriptedSTT, "close_provider", never_closes)]),
    Mutant("an STT leaves its streams open", Promise.CLOSE, [instead(STT, "aclose", closes_nothing)]),
    Mutant("who waits for a flush is not told", Promise.CLOSE, [instead(Flushes, "close", flushes_are_not_told)]),
    Mutant(
        "a session that was given is closed",
        Promise.CLOSE,
        [instead(ScriptedSTT, "close_provider", closes_the_session)],
        with_requests(),
    ),
]


# -- S10 ---------------------------------------------------------------------------------------------------------------


def counts(**how: Callable[[dict[str, Any]], object]) -> Patch:
    """Counts a part of what was sent in another way."""

    def make(method: Method) -> Method:
        def count(self: Outbox, **parts: Any) -> None:
            method(self, **{**parts, **{name: value(parts) for name, value in how.items()}})

        return count

    return around(Outbox, "count", make)


def reported_again(method: Method) -> Method:
    def report_usage(self: Outbox) -> None:
        method(self)
        self._reported = (0, 0, 0.0)

    return report_usage


def does_not_add_up(method: Method) -> Method:
    def usage_since(*args: object) -> RecognitionUsage:
        usage = method(*args)
        usage.audio_duration = usage.sent_duration
        return usage

    return usage_since


USAGE = [
    Mutant("what is replayed costs nothing", Promise.USAGE, [counts(replayed=lambda _: 0)]),
    Mutant(
        "what is replayed counts as sent",
        Promise.USAGE,
        [counts(sent=lambda parts: parts.get("sent", 0) + parts.get("replayed", 0), replayed=lambda _: 0)],
    ),
    Mutant(
        "injected silence costs nothing", Promise.USAGE, [counts(injected=lambda _: 0.0)], provider(InjectingRunner)
    ),
    Mutant("the parts do not add up", Promise.USAGE, [around(Outbox, "_usage_since", does_not_add_up)]),
    Mutant("no usage before a FINAL", Promise.USAGE, [without(Outbox, "report_usage", during="deliver")]),
    Mutant("no usage at the end", Promise.USAGE, [lambda: patch_close()]),
    Mutant("usage is reported again and again", Promise.USAGE, [around(Outbox, "report_usage", reported_again)]),
]


def patch_close() -> AbstractContextManager[object]:
    method = Driver.close

    def close(self: Driver) -> None:
        with patch.object(Outbox, "report_usage", nothing):
            method(self)

    return patch.object(Driver, "close", close)


# -- S11 ---------------------------------------------------------------------------------------------------------------


def saying(**values: object) -> Subject:
    """A provider that says the same of every word, on a wire that carries none of it."""
    return claiming(replace(FULL, confidence=False, language=False, speakers=False), **values)


def claiming(carries: Carries, **values: object) -> Subject:
    class Inventive(Lying):
        def edit(self, event: SpeechEvent) -> None:
            for data in event.alternatives:
                for part in (data, *(data.words or ())):
                    for name, value in values.items():
                        setattr(part, name, value)

    return provider(Inventive, carries)


class EmptyLists(Lying):
    def edit(self, event: SpeechEvent) -> None:
        for data in event.alternatives:
            data.words = []


UNKNOWN = [
    Mutant("an invented confidence", Promise.UNKNOWN, subject=saying(confidence=0.5)),
    Mutant("an invented language", Promise.UNKNOWN, subject=saying(language="en")),
    Mutant("an invented speaker", Promise.UNKNOWN, subject=saying(speaker_id="0")),
    Mutant("everything is certain", Promise.UNKNOWN, subject=claiming(FULL, confidence=1.0)),
    Mutant("nothing is certain", Promise.UNKNOWN, subject=claiming(FULL, confidence=0.0)),
    Mutant("a confidence in per cent", Promise.UNKNOWN, subject=claiming(FULL, confidence=93.0)),
    Mutant("a language without a name", Promise.UNKNOWN, subject=claiming(FULL, language="")),
    Mutant("words that are not there", Promise.UNKNOWN, subject=provider(EmptyLists)),
    Mutant(
        "words and times that the wire does not carry",
        Promise.UNKNOWN,
        subject=replace(scripted_subject(), carries=UNTIMED),
    ),
]


# -- S13 ---------------------------------------------------------------------------------------------------------------


def declares_only(self: LedgerSource, target: AudioFormat) -> None:
    self._format = target


def misread_stereo(samples: Samples, channels: int) -> Samples:
    return samples.reshape(-1, channels)


def touched(method: Method) -> Method:
    def receive_nowait(self: LedgerSource) -> SourceItem | None:
        item = method(self)
        if isinstance(item, AudioChunk):
            item.data = item.data[:-1] + bytes([item.data[-1] ^ 1])
        return item

    return receive_nowait


def no_bytes(_: Converter) -> bytes:
    return b""


RESAMPLED = scripted_subject(upstream=AudioFormat(16000))

AUDIO = [
    Mutant(
        "a rate is declared, and another one sent",
        Promise.AUDIO,
        [instead(LedgerSource, "convert", declares_only)],
        RESAMPLED,
        also=frozenset({Promise.USAGE}),  # at another rate it is another duration
    ),
    Mutant("stereo is read as mono", Promise.AUDIO, [instead(convert_module, "remix", misread_stereo)], RESAMPLED),
    Mutant("the end stays in the filter", Promise.AUDIO, [instead(Converter, "flush", no_bytes)], RESAMPLED),
    Mutant("native audio is touched", Promise.AUDIO, [around(LedgerSource, "receive_nowait", touched)]),
]


# -- all of them -------------------------------------------------------------------------------------------------------

MUTANTS = [*ORDER, *CLOCK, *NO_LOSS, *DRAIN, *FLUSH, *BOUNDS, *CLOSE, *USAGE, *UNKNOWN, *AUDIO]


async def tidily(report: Awaitable[Report]) -> Report:
    """What a mutant leaves running is no concern of the clock's own leak check."""
    try:
        return await report
    finally:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore:coroutine:RuntimeWarning")  # outside of the checks
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_kit_finds(mutant: Mutant) -> None:
    """Its promise is reported as broken, by name, and no other one."""
    with ExitStack() as stack:
        for put in mutant.patches:
            stack.enter_context(put())
        report = virtual_time_run(tidily(prove_all(mutant.subject)))
    assert report[mutant.breaks].state is State.BROKEN, str(report)
    assert set(report.in_state(State.BROKEN)) == {mutant.breaks, *mutant.also}, str(report)


def test_every_promise_has_a_mutant() -> None:
    """A check that nothing can fail checks nothing."""
    elsewhere = {Promise.LIVENESS, Promise.ERRORS, Promise.SECRETS, Promise.UPDATE}
    assert {mutant.breaks for mutant in MUTANTS} == set(Promise) - elsewhere


def test_a_provider_with_requests_keeps_its_promises() -> None:
    """The subject of the mutant that closes the session is well without it; it has no secret, and no server half."""
    report = virtual_time_run(prove_all(with_requests()))
    unknown = [Promise.ERRORS, Promise.SECRETS]
    assert report.in_state(State.NOT_PROVEN) == unknown, str(report)
    assert report.in_state(State.PROVEN) == [each for each in Promise if each not in unknown], str(report)
