"""The processes of one STT."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from stt_core.errors import ConnectTimeoutError, StreamClosedError

from .process import Worker, WorkerSession
from .task import Task

if TYPE_CHECKING:
    from .endpoint import Endpointing

__all__ = ["WorkerPool"]


class WorkerPool:
    """The processes of one STT: started when needed, kept for the next session, ended by :meth:`aclose`.

    Args:
        max_workers: sessions at a time, each with a process of its own; ``None``: four per processor, which is about as
            many live streams of dictation as one can keep up with.
        max_idle: processes kept between sessions.
    """

    def __init__(self, *, max_workers: int | None = None, max_idle: int = 2) -> None:
        self._max_workers = max_workers or 4 * (os.cpu_count() or 1)
        self._max_idle = max_idle
        self._at_work = 0
        self._freed = asyncio.Event()
        self._idle: list[Worker] = []
        self._workers: set[Worker] = set()
        self._warming: asyncio.Future[None] | None = None
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """Ids of the processes that are up, idle and leased."""
        return [worker.pid for worker in self._workers if worker.error is None]

    async def prewarm(self, task: Task | None = None, *, timeout: float = 10.0) -> None:
        """Have a process ready for the next session.

        Args:
            task: what it will listen for; ``None``: dictation.
            timeout: seconds for it to be ready.

        Raises:
            see :meth:`Worker.start`.
        """
        self._check_open()
        if self._warming is not None:
            await asyncio.shield(self._warming)
        elif not any(worker.error is None and worker.task == (task or Task()) for worker in self._idle):
            self._warming = asyncio.get_running_loop().create_future()
            try:
                self._idle.append(await self._start(task or Task(), timeout))
            finally:
                self._warming.set_result(None)
                self._warming = None

    @asynccontextmanager
    async def session(
        self,
        *,
        live: bool,
        settings: Endpointing,
        task: Task | None = None,
        timeout: float = 10.0,
        liveness_timeout: float = 10.0,
        max_workers: int | None = None,
        max_idle: int | None = None,
    ) -> AsyncGenerator[WorkerSession]:
        """A session in a process of its own, which is free for the next one afterwards.

        Args:
            live: a live stream, or a file.
            settings: see :class:`.endpoint.Endpointing`.
            task: what to listen for; ``None``: dictation.
            timeout: seconds to wait until another session ends when ``max_workers`` are at work, and then for a
                process to be ready.
            liveness_timeout: seconds without a sign of progress on audio that it was given, after which a process
                counts as hung.
            max_workers: as for the pool, and in its place.
            max_idle: the same.

        Raises:
            StreamClosedError: the pool is closed.
            ConnectTimeoutError: no process became free or ready in time.
            see also :meth:`Worker.start`.
        """
        self._check_open()
        await self._enter(max_workers or self._max_workers, timeout)
        try:
            worker = await self._lease(task or Task(), timeout)
            try:
                session = worker.open(live=live, settings=settings, liveness_timeout=liveness_timeout)
                try:
                    yield session
                finally:
                    worker.close_session(session)
            finally:
                await self._return(worker, self._max_idle if max_idle is None else max_idle)
        finally:
            self._at_work -= 1
            self._freed.set()

    async def _enter(self, max_workers: int, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                while self._at_work >= max_workers:
                    self._freed.clear()
                    await self._freed.wait()
        except TimeoutError as error:
            raise ConnectTimeoutError(
                f"all {max_workers} processes of the embedded engine were at work for {timeout:g} s (max_workers)",
                provider="pocketsphinx",
            ) from error
        self._at_work += 1

    async def aclose(self) -> None:
        """End every process. May be called again."""
        self._closed = True
        self._idle.clear()
        while self._workers:
            await self._workers.pop().aclose()

    def _check_open(self) -> None:
        if self._closed:
            raise StreamClosedError("the embedded engine is closed", provider="pocketsphinx")

    async def _lease(self, task: Task, timeout: float) -> Worker:
        while True:
            while self._idle:
                # The last one that has the right models; else the one that was idle for longest, with others to load.
                fitting = [at for at, worker in enumerate(self._idle) if worker.task == task]
                worker = self._idle.pop(fitting[-1] if fitting else 0)
                if worker.error is None:
                    worker.load(task)
                    return worker
                await self._discard(worker)
            if self._warming is None:
                return await self._start(task, timeout)
            await asyncio.shield(self._warming)

    async def _start(self, task: Task, timeout: float) -> Worker:
        worker = await Worker.start(task, timeout=timeout)
        self._workers.add(worker)
        if self._closed:
            await self._discard(worker)
            self._check_open()
        return worker

    async def _return(self, worker: Worker, max_idle: int) -> None:
        if worker.error is None and not self._closed and len(self._idle) < max_idle:
            self._idle.append(worker)
        else:
            await self._discard(worker)

    async def _discard(self, worker: Worker) -> None:
        self._workers.discard(worker)
        await worker.aclose()
