"""What is going on in a server: how much of it there may be, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .refused import Refused

if TYPE_CHECKING:
    from .socket import Socket

__all__ = ["Sessions"]


class Sessions:
    """The handlers that run.

    Args:
        limit: sockets, and requests with a body, at once.

    Raises:
        ConfigError: the limit is below 1.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ConfigError(f"max_sessions is at least 1, not {limit}")
        self._limit = limit
        self._taken = 0
        self._running: dict[asyncio.Task[object], Socket | None] = {}
        self._stopping = False

    def __len__(self) -> int:
        return len(self._running)

    @contextmanager
    def running(self, socket: Socket | None = None) -> Generator[None]:
        """While the current task handles a request, which :meth:`drain` waits for."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is handled by a task")
        self._running[task] = socket
        if socket is not None and self._stopping:
            socket.wind_down()
        try:
            yield
        finally:
            del self._running[task]

    @contextmanager
    def place(self) -> Generator[None]:
        """A place for one socket or upload.

        Raises:
            Refused: 429, there is none; 503, the server is stopping.
        """
        if self._stopping:
            raise Refused(503, "this server is stopping", retry_after=1)
        if self._taken >= self._limit:
            raise Refused(429, f"{self._limit} sessions are open, which is what this server takes")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def drain(self, timeout: float) -> None:
        """Has sockets read no more, waits so many seconds for all handlers to end, and cancels the others."""
        self._stopping = True
        for socket in self._running.values():
            if socket is not None:
                socket.wind_down()
        tasks = list(self._running)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
