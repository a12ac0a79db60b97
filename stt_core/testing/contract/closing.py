"""S8: close."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import StreamClosedError, STTError
from .drive import Call, Speech
from .report import NotProven, Promise, PromiseBroken
from .subject import CLOSE_SECONDS

if TYPE_CHECKING:
    from ...stt import STT
    from .subject import Subject

__all__ = ["a_given_session_stays_open", "closing_is_idempotent", "nothing_outlives_it"]

_FDS = Path("/proc/self/fd")
_COUNTABLE = _FDS.exists()


async def closing_is_idempotent(subject: Subject) -> None:
    """Twice, early, in the middle, from the STT: whoever waits is told, and whoever comes late too."""
    speech = Speech.of(subject.sample)
    async with Call.open(subject, speech) as call:
        await call.speak(to=speech.duration / 2)
        flush = asyncio.create_task(call.stream.flush())
        await asyncio.sleep(0)
        waiting = not flush.done()
        try:
            for _ in range(2):
                await _quick(call.stream.aclose, "stream.aclose()")
            if waiting:
                await _require_told(flush)
        finally:
            flush.cancel()
            await asyncio.gather(flush, return_exceptions=True)
        await _require_closed(call)
    stt = await subject.create(speech.starts)
    try:
        calls = [
            Call(
                subject, speech, stt, stt.stream(sample_rate=speech.format.sample_rate, encoding=speech.format.encoding)
            )
            for _ in range(2)
        ]
        for call in calls:
            call.start_reading()
        await calls[0].speak(to=speech.duration / 2)
    finally:
        await _quick(stt.aclose, "STT.aclose()")
    await _quick(stt.aclose, "STT.aclose()")
    left_open = [call for call in calls if not call.stream.finished]
    for call in calls:
        await call.stream.aclose()
    if left_open:
        raise PromiseBroken(Promise.CLOSE, "STT.aclose() leaves a stream open")
    for call in calls:
        await _require_closed(call)


async def _quick(close: Callable[[], Any], what: str) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await close()
    except TimeoutError:
        raise PromiseBroken(Promise.CLOSE, f"{what} takes longer than {CLOSE_SECONDS:g} s") from None
    except Exception as error:
        raise PromiseBroken(Promise.CLOSE, f"{what} raises {type(error).__name__}: {error}") from error


async def _require_told(flush: asyncio.Task[Any]) -> None:
    done, _ = await asyncio.wait([flush], timeout=CLOSE_SECONDS)
    if not done:
        raise PromiseBroken(Promise.CLOSE, "a flush() that was waiting is not told that the stream was closed")
    if not isinstance(flush.exception(), StreamClosedError):
        raise PromiseBroken(Promise.CLOSE, f"a flush() that was waiting ends with {flush.exception()!r}")


async def _require_closed(call: Call) -> None:
    if not await call.comes(lambda call: call.over):
        raise PromiseBroken(Promise.CLOSE, "iteration does not end when the stream is closed")
    try:
        call.stream.push_frame(b"\0" * 4)
    except StreamClosedError:
        return
    raise PromiseBroken(Promise.CLOSE, "audio can be pushed to a closed stream")


async def nothing_outlives_it(subject: Subject) -> None:
    """No task, thread, process, open file or warning: after a whole call, and after one that was cut short."""
    if not _COUNTABLE:
        raise NotProven("open files and processes can be counted on Linux only")
    speech = Speech.of(subject.sample)

    async def whole() -> None:
        call = await Call.whole(subject, speech)
        call.require_end()

    async def cut_short() -> None:
        async with Call.open(subject, speech, read=False) as call:
            await call.speak(to=speech.duration / 2)

    async def at_once() -> None:
        async with subject.opened(speech.starts) as stt:
            stt.stream(sample_rate=speech.format.sample_rate)

    with suppress(STTError, NotProven):
        await whole()  # what is imported and started once in a process is no leak
    for what, scene in (("a whole call", whole), ("a call that was cut short", cut_short), ("an early close", at_once)):
        async with _nothing_left(what):
            await scene()


@dataclass(slots=True)
class _Left:
    """What a process has open."""

    tasks: set[asyncio.Task[Any]]
    threads: set[threading.Thread]
    children: set[str]
    files: set[tuple[str, str]]

    @classmethod
    def now(cls) -> _Left:
        me = asyncio.current_task()
        tasks = {task for task in asyncio.all_tasks() if task is not me}
        # The event loop's own helpers stay as long as it does.
        threads = {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}
        children: set[str] = set()
        for listing in Path("/proc/self/task").glob("*/children"):
            with suppress(OSError):
                children.update(listing.read_text().split())
        files: set[tuple[str, str]] = set()
        for link in _FDS.iterdir():
            with suppress(OSError):
                files.add((link.name, str(link.readlink())))
        return cls(tasks, threads, children, files)

    def beyond(self, before: _Left) -> list[str]:
        """What was not there before, in words."""
        return [
            *(f"the task {task.get_name()!r}" for task in self.tasks - before.tasks),
            *(f"the thread {thread.name!r}" for thread in self.threads - before.threads),
            *(f"the process {pid}" for pid in self.children - before.children),
            *(f"the open file {path}" for _, path in self.files - before.files),
        ]


@asynccontextmanager
async def _nothing_left(what: str) -> AsyncGenerator[None]:
    loop = asyncio.get_running_loop()
    complaints: list[str] = []
    handler = loop.get_exception_handler()
    gc.collect()
    before = _Left.now()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loop.set_exception_handler(lambda _, context: complaints.append(str(context.get("message"))))
        try:
            yield
            left = await _settled(before)
            gc.collect()
            await asyncio.sleep(0)
        finally:
            loop.set_exception_handler(handler)
    kinds = (ResourceWarning, RuntimeWarning)
    complaints += [str(warning.message) for warning in caught if issubclass(warning.category, kinds)]
    if left or complaints:
        raise PromiseBroken(Promise.CLOSE, f"{what} leaves behind: {'; '.join([*left, *complaints])}")


async def _settled(before: _Left) -> list[str]:
    # What has been told to end may need a moment: a thread its last step, a process to be reaped.
    left = _Left.now().beyond(before)
    for _ in range(100):
        if not left:
            break
        await asyncio.sleep(0.02)
        left = _Left.now().beyond(before)
    return left


async def a_given_session_stays_open(subject: Subject) -> None:
    """The caller's HTTP session is used and never closed."""
    if subject.kind == "local":
        return
    if subject.with_session is None:
        raise NotProven("the subject cannot be made with an HTTP session")
    import aiohttp

    async with aiohttp.ClientSession() as session:
        stt: STT = await subject.with_session(session)
        await stt.aclose()
        if session.closed:
            raise PromiseBroken(Promise.CLOSE, "STT.aclose() closes an HTTP session that it was given")
