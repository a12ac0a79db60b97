"""Worker processes, as asyncio drives them and as the operating system sees them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable

import pytest
import pytest_asyncio

from stt_core.errors import (
    ConnectionLostError,
    ConnectTimeoutError,
    ProtocolError,
    StreamClosedError,
)
from stt_pocketsphinx import process, wire
from stt_pocketsphinx.decoder import Word
from stt_pocketsphinx.endpoint import Endpointing
from stt_pocketsphinx.engine import Event, EventKind
from stt_pocketsphinx.pool import WorkerPool
from stt_pocketsphinx.process import Worker, WorkerSession
from stt_pocketsphinx.task import Task

pytestmark = pytest.mark.asyncio(loop_scope="module")

Speech = Callable[[str], tuple[bytes, str]]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def pool() -> AsyncGenerator[WorkerPool]:
    pool = WorkerPool(max_workers=2)
    yield pool
    await pool.aclose()


async def events_of(session: WorkerSession) -> list[Event]:
    """What a session says about speech until it has ended."""
    events: list[Event] = []
    while not isinstance(reply := await session.receive(), wire.Ended):
        if isinstance(reply, wire.Happened) and reply.event.kind is not EventKind.PROGRESS:
            events.append(reply.event)
    return events


async def text_of(session: WorkerSession) -> str:
    return text_in(await events_of(session))


def text_in(events: list[Event]) -> str:
    return " ".join(word.text for event in events if event.kind is EventKind.FINAL for word in event.words)


async def recognize(pool: WorkerPool, pcm: bytes, *, live: bool = True) -> list[Event]:
    async with pool.session(live=live, settings=Endpointing()) as session, asyncio.TaskGroup() as group:
        events = group.create_task(events_of(session))
        await session.send(pcm)
        session.end()
    return events.result()


async def transcribe(pool: WorkerPool, pcm: bytes, *, live: bool = True) -> str:
    return text_in(await recognize(pool, pcm, live=live))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_process_serves_one_session_after_the_other(pool: WorkerPool, speech: Speech) -> None:
    """Prewarming starts one process; sessions in a row use it, live and file, none hears anything of another."""
    await pool.prewarm()
    await pool.prewarm()
    (pid,) = pool.pids
    pcm, text = speech("garden")
    first = await recognize(pool, pcm)
    assert text_in(first) == text
    other, other_text = speech("message")
    assert await transcribe(pool, other, live=False) == other_text
    await recognize(pool, other[:48001][::-1])  # backwards, and out of step by a byte: loud noise
    again = await recognize(pool, pcm)
    assert [(e.kind, e.settled, e.words) for e in again] == [(e.kind, e.settled, e.words) for e in first]
    assert pool.pids == [pid]


async def test_a_session_given_up_leaves_nothing_to_the_next(pool: WorkerPool, speech: Speech) -> None:
    """What was sent and not waited for is dropped, and none of its words appear in the next session."""
    pcm, text = speech("garden")
    async with pool.session(live=True, settings=Endpointing()) as session:
        await session.send(speech("weather")[0][:60000])
    assert await transcribe(pool, pcm) == text
    assert len(pool.pids) == 1


async def test_what_an_earlier_session_still_says_is_not_heard() -> None:
    """Replies carry the number of their session; those of another one are dropped."""
    worker = await Worker.start(Task())
    try:
        first = worker.open(live=True, settings=Endpointing())
        worker.close_session(first)
        second = worker.open(live=True, settings=Endpointing())
        late = Event(EventKind.FINAL, 1, 1, 1, (Word("late", 0, 1),))
        worker.pipe_data_received(1, wire.encode(wire.Happened(first.number, late)))
        second.end()
        assert await text_of(second) == ""
    finally:
        await worker.aclose()


async def test_flush_is_answered_behind_its_finals(pool: WorkerPool, speech: Speech) -> None:
    """The answer to a flush comes after the words of what was sent before, and says that all of that is settled."""
    pcm, text = speech("garden")
    async with pool.session(live=True, settings=Endpointing()) as session:
        await session.send(pcm[:-16000])
        session.flush(7)
        words: list[str] = []
        while not isinstance(reply := await session.receive(), wire.Flushed):
            assert isinstance(reply, wire.Happened)
            if reply.event.kind is EventKind.FINAL:
                words += [word.text for word in reply.event.words]
        assert reply.marker == 7
        assert reply.settled == (len(pcm) - 16000) // 2
        assert words[:8] == text.split()[:8]


async def test_sending_waits_for_the_engine(pool: WorkerPool) -> None:
    """No more than two seconds of live audio are under way, and progress lets more through."""
    async with pool.session(live=True, settings=Endpointing()) as session:
        sending = asyncio.ensure_future(session.send(bytes(32000 * 60)))
        first = await session.receive()
        assert isinstance(first, wire.Happened)
        assert not sending.done()
        assert first.event.position <= 3 * 16000
        await sending
        session.end()
        assert await text_of(session) == ""


async def test_a_killed_process_is_a_typed_error_and_the_next_session_works(pool: WorkerPool, speech: Speech) -> None:
    """kill -9 in the middle: ConnectionLostError that says so, to sender and receiver; then a new process serves."""
    pcm, text = speech("garden")
    async with pool.session(live=True, settings=Endpointing()) as session:
        (pid,) = pool.pids
        await session.send(pcm[:32000])
        await session.receive()
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ConnectionLostError, match="killed by signal 9") as caught:
            await text_of(session)
        assert caught.value.retryable
        with pytest.raises(ConnectionLostError):
            await session.send(pcm)
        with pytest.raises(ConnectionLostError):
            session.flush(1)
    assert pool.pids == []
    assert await transcribe(pool, pcm) == text


async def test_an_idle_process_that_died_is_replaced(pool: WorkerPool, speech: Speech) -> None:
    """A process that ends between two sessions costs the next one no error."""
    pcm, text = speech("garden")
    await pool.prewarm()
    for pid in pool.pids:
        os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while pool.pids:
            await asyncio.to_thread(os.sched_yield)
    assert await transcribe(pool, pcm) == text


async def test_a_hung_process_counts_as_lost(pool: WorkerPool, speech: Speech) -> None:
    """A process that takes audio and makes no progress is given up after the liveness timeout, and killed."""
    pcm, _ = speech("garden")
    async with pool.session(live=True, settings=Endpointing(), liveness_timeout=0.3) as session:
        (pid,) = pool.pids
        os.kill(pid, signal.SIGSTOP)
        await session.send(pcm[:32000])
        with pytest.raises(ConnectionLostError, match="no progress"):
            await text_of(session)
    assert not is_running(pid)


async def test_silence_from_the_caller_is_no_hang(pool: WorkerPool) -> None:
    """A session that owes no answer outlives the liveness timeout."""
    async with pool.session(live=True, settings=Endpointing(), liveness_timeout=0.05) as session:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await session.receive()
        await session.send(bytes(320))
    assert len(pool.pids) == 1


async def test_the_pool_is_bounded(pool: WorkerPool) -> None:
    """Beyond max_workers a session waits, in the end in vain; when one ends, it is served."""
    settings = Endpointing()
    async with pool.session(live=True, settings=settings):
        async with pool.session(live=True, settings=settings):
            assert len(pool.pids) == 2
            with pytest.raises(ConnectTimeoutError, match="all 2 processes"):
                async with pool.session(live=True, settings=settings, timeout=0.01):
                    pass
        async with pool.session(live=True, settings=settings, timeout=0.01):
            assert len(pool.pids) == 2


async def test_closing_ends_every_process_at_once() -> None:
    """aclose() kills what is idle and what is at work; no process is left, its session fails, nothing can be opened."""
    pool = WorkerPool()
    async with pool.session(live=True, settings=Endpointing()) as session:
        await pool.prewarm()
        pids = pool.pids
        assert len(pids) == 2
        await pool.aclose()
        await pool.aclose()
        assert not any(is_running(pid) for pid in pids)
        with pytest.raises(StreamClosedError):
            await session.receive()
    with pytest.raises(StreamClosedError):
        await pool.prewarm()
    with pytest.raises(StreamClosedError):
        async with pool.session(live=True, settings=Endpointing()):
            pass


async def test_a_start_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last words of a process that does not come up are in the error; one that is too slow is a timeout."""

    def program(text: str) -> Callable[[], list[str]]:
        return lambda: [sys.executable, "-c", text]

    monkeypatch.setattr(process, "command", program("raise SystemExit('no model today')"))
    with pytest.raises(ConnectionLostError, match="exit status 1: no model today"):
        await Worker.start(Task())
    monkeypatch.setattr(process, "command", program("input()"))
    with pytest.raises(ConnectTimeoutError):
        await Worker.start(Task(), timeout=0.01)
    monkeypatch.setattr(process, "command", program("print('hello'); input()"))
    with pytest.raises(ProtocolError, match="claims to be"):
        await Worker.start(Task())
