"""The same without ``async``."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, TypeVar

from .factory import create_stt

if TYPE_CHECKING:
    from .audio.frames import Encoding
    from .audio.source import AudioLike
    from .config import Config
    from .transcript import Transcript

__all__ = ["transcribe"]

T = TypeVar("T")


def transcribe(
    audio: AudioLike,
    config: Config | None = None,
    /,
    *,
    timeout: float | None = None,
    sample_rate: int | None = None,
    channels: int | None = None,
    encoding: Encoding | None = None,
    **options: object,
) -> Transcript:
    """Recognises one piece of audio, and waits for it.

    Works anywhere: in a script, a thread, a notebook, and inside a running event loop, which it blocks.

    Args:
        audio: see :meth:`stt_core.stt.STT.recognize`.
        config: see :func:`stt_core.factory.create_stt`.
        timeout: seconds for everything.
        sample_rate: of an array or of raw samples.
        channels: of raw samples.
        encoding: of raw samples.
        **options: as for :func:`stt_core.factory.create_stt`.

    Raises:
        STTError: see :meth:`stt_core.stt.STT.recognize`.
    """

    async def recognize() -> Transcript:
        async with create_stt(config, **options) as stt:
            return await stt.recognize(
                audio, timeout=timeout, sample_rate=sample_rate, channels=channels, encoding=encoding
            )

    return _run(recognize())


def _run(work: Coroutine[object, object, T]) -> T:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        running = False
    else:
        running = True
    if not running:  # and not in the except clause: what the work raises would show that RuntimeError as its context
        return asyncio.run(work)
    # A loop is running in this thread already, as in a notebook: another thread gets one of its own.
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001  (handed to the caller's thread)
            errors.append(error)

    thread = threading.Thread(target=run, name="stt_core.transcribe")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
