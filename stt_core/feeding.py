"""Turns whatever a stream may be fed with into an asynchronous iterator of pieces."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from .audio.frames import AudioFormat, AudioFrame
from .channel import Channel, ChannelClosed
from .errors import AudioError

if TYPE_CHECKING:
    from .audio.frames import AudioData
    from .audio.reader import AudioReader

__all__ = ["decoded", "pieces"]

FILE_BLOCK_SECONDS = 0.5

AHEAD = 20
"""Pieces that a blocking iterator may be ahead of the stream."""


def pieces(source: object, declared: AudioFormat | None) -> AsyncGenerator[AudioData, None]:
    """The source's audio, piece by piece.

    Args:
        source: a path, an iterable or an asynchronous iterable. A blocking one runs in a thread of its own.
        declared: the stream's format, to which a file is converted; ``None`` takes the file's own.

    Raises:
        AudioError: the source is none of these.
    """
    kind = type(source).__name__
    if isinstance(source, str | Path):
        path = source

        def opened() -> AudioReader:
            from .audio.decode import open_audio

            return open_audio(path)

        return decoded(opened, declared)
    if isinstance(source, AsyncIterable):
        return _asynchronous(cast("AsyncIterable[AudioData]", source))
    if isinstance(source, Iterable) and not isinstance(source, bytes | bytearray | memoryview):
        iterable = cast("Iterable[AudioData]", source)
        return _immediate(iterable) if isinstance(source, list | tuple) else _in_thread(lambda: iter(iterable))
    raise AudioError(
        f"a stream cannot be fed with {kind}: give a path, an iterable or an asynchronous iterable of "
        "frames; a single piece goes to push_frame() or send_frame()"
    )


def decoded(open_reader: Callable[[], AudioReader], declared: AudioFormat | None) -> AsyncGenerator[AudioData, None]:
    """What a reader decodes, in the declared format or its own; opened, read and closed in a thread of its own."""

    def frames() -> Iterator[AudioData]:
        from .audio.channels import remix
        from .audio.encodings import Samples, encode
        from .audio.resample import Resampler

        with open_reader() as reader:
            target = declared or AudioFormat(reader.sample_rate, reader.channels)
            channels = min(reader.channels, target.channels)
            resampler = Resampler(reader.sample_rate, target.sample_rate, channels, mode="file")

            def frame(samples: Samples) -> AudioFrame:
                data = encode(remix(samples, target.channels), target.encoding)
                return AudioFrame(data, target.sample_rate, target.channels, target.encoding)

            for block in reader.blocks(FILE_BLOCK_SECONDS):
                yield frame(resampler.process(remix(block, channels)))
            yield frame(resampler.flush())

    return _in_thread(frames)


async def _asynchronous(source: AsyncIterable[AudioData]) -> AsyncGenerator[AudioData, None]:
    async for piece in source:
        yield piece


async def _immediate(source: Iterable[AudioData]) -> AsyncGenerator[AudioData, None]:
    for piece in source:
        yield piece


async def _in_thread(open_source: Callable[[], Iterator[AudioData]]) -> AsyncGenerator[AudioData, None]:
    """Runs an iterator that may block in a daemon thread, a bounded number of pieces ahead.

    A thread that hangs inside the caller's iterator cannot be stopped; it ends when the iterator comes back.
    """
    loop = asyncio.get_running_loop()
    queue: Channel[AudioData] = Channel(AHEAD + 1)
    room = threading.Semaphore(AHEAD)
    stopped = threading.Event()

    def run() -> None:
        error: Exception | None = None
        try:
            iterator = open_source()
            try:
                for piece in iterator:
                    room.acquire()
                    if stopped.is_set():
                        break
                    queue.send_threadsafe(piece)
            finally:
                close = getattr(iterator, "close", None)
                if close is not None:
                    close()
        except ChannelClosed:
            return
        except Exception as raised:  # noqa: BLE001  (whatever it is, it goes to the reader)
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            loop.call_soon_threadsafe(queue.close, error)

    threading.Thread(target=run, name="stt stream source", daemon=True).start()
    try:
        async for piece in queue:
            room.release()
            yield piece
    finally:
        stopped.set()
        room.release()
        queue.close()
