"""Temporary keys (``auth="jwt"``): minted with the account's key, shared by all calls, renewed before they expire."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from stt_core.errors import StreamClosedError

__all__ = ["MARGIN", "TemporaryKeys"]

_log = logging.getLogger("stt_speechmatics")

MARGIN = 10.0
"""Seconds before a key expires from which on another one is used, as by the vendor's own client."""


class TemporaryKeys:
    """The key in use.

    Args:
        mint: asks for another one.
        ttl: seconds that one is good for.
        clock: seconds.

    Attributes:
        number: of the key in use; it counts those that were minted.
    """

    def __init__(
        self, mint: Callable[[], Awaitable[str]], ttl: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._mint = mint
        self._ttl = ttl
        self._clock = clock
        self.number = 0
        self._key = ""
        self._until = float("-inf")
        self._minting: asyncio.Task[str] | None = None

    async def get(self) -> str:
        """A key that is good for :data:`MARGIN` seconds at least. Whoever comes while one is minted waits for that one.

        Raises:
            STTError: none is to be had; the next call tries again.
            StreamClosedError: :meth:`aclose` came first.
        """
        if self._clock() < self._until - MARGIN:
            return self._key
        if self._minting is None:
            self._minting = asyncio.create_task(self._renew(), name="speechmatics temporary key")
            self._minting.add_done_callback(self._minted)
        minting = self._minting
        try:
            # One who stops waiting must not take the key from the others.
            return await asyncio.shield(minting)
        except asyncio.CancelledError:
            waiting = asyncio.current_task()
            if minting.cancelled() and waiting is not None and not waiting.cancelling():
                raise StreamClosedError("the STT was closed while a key was asked for") from None
            raise

    def drop(self, number: int) -> None:
        """Says that the server does not take the key of this number, or one before it, any more."""
        if number >= self.number:
            self._until = float("-inf")

    async def aclose(self) -> None:
        """Stops minting."""
        if self._minting is not None:
            self._minting.cancel()
            await asyncio.wait([self._minting])

    async def _renew(self) -> str:
        started = self._clock()
        self._key = await self._mint()
        self._until = started + self._ttl
        self.number += 1
        _log.debug("speechmatics: a temporary key for %g s was minted", self._ttl)
        return self._key

    def _minted(self, task: asyncio.Task[str]) -> None:
        self._minting = None
        if not task.cancelled():
            task.exception()  # whoever waited has it; nobody may be left to
