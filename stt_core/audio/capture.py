"""A microphone as a source of live audio."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from typing import Protocol, cast

from ..channel import Channel, ChannelClosed, ChannelFull
from ..errors import AudioError, MissingExtraError, SlowConsumerError
from .frames import AudioFrame

__all__ = ["microphone"]

_log = logging.getLogger(__name__)

BLOCK_SECONDS = 0.02
AHEAD_SECONDS = 10.0
"""How much may be recorded and not yet taken before the microphone gives up."""


class _Device(Protocol):
    """What is used of ``sounddevice.RawInputStream``."""

    def start(self) -> None: ...
    def close(self) -> None: ...


class _Library(Protocol):
    """What is used of ``sounddevice``, which has no types."""

    PortAudioError: type[Exception]

    def query_devices(self, device: int | str | None, kind: str) -> Mapping[str, object]: ...

    def RawInputStream(  # noqa: N802
        self,
        *,
        samplerate: int,
        blocksize: int,
        device: int | str | None,
        channels: int,
        dtype: str,
        callback: Callable[[memoryview, int, object, object], None],
        finished_callback: Callable[[], None],
    ) -> _Device: ...


async def microphone(
    *, device: int | str | None = None, sample_rate: int | None = None, channels: int = 1
) -> AsyncGenerator[AudioFrame, None]:
    """Frames of 20 ms from a microphone, until the iteration is left or cancelled.

    ``stt.stream(source=microphone())`` listens to it.

    Args:
        device: a number or a part of a name, as ``python -m sounddevice`` lists them; ``None`` for the system's.
        sample_rate: Hz; ``None`` for the device's own, which is best.
        channels: 1 or more.

    Raises:
        MissingExtraError: sounddevice, or the PortAudio library that it needs, is not installed.
        AudioError: there is no such microphone, it cannot record like this, or it was unplugged.
        SlowConsumerError: nobody took what was recorded for ten seconds.
    """
    library = _load()
    loop = asyncio.get_running_loop()
    recorded: Channel[bytes] = Channel(round(AHEAD_SECONDS / BLOCK_SECONDS))

    def close(error: Exception) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            loop.call_soon_threadsafe(recorded.close, error)

    def arrived(data: memoryview, frames: int, when: object, status: object) -> None:
        if status:
            _log.warning("the microphone reports: %s", status)  # input overflow: samples were lost before us
        try:
            recorded.send_threadsafe(bytes(data))
        except ChannelFull:
            close(SlowConsumerError(f"nobody took what the microphone recorded for {AHEAD_SECONDS:g} s"))
        except (ChannelClosed, RuntimeError):
            return

    def finished() -> None:
        close(AudioError("the microphone stopped: it was unplugged, or another program took it"))

    def open_device() -> int:
        rate = sample_rate or round(cast("float", library.query_devices(device, "input")["default_samplerate"]))
        device_stream = library.RawInputStream(
            samplerate=rate,
            blocksize=round(rate * BLOCK_SECONDS),
            device=device,
            channels=channels,
            dtype="int16",
            callback=arrived,
            finished_callback=finished,
        )
        opened.append(device_stream)
        device_stream.start()
        if recorded.closed:  # cancelled meanwhile: nobody else would close it
            device_stream.close()
        return rate

    opened: list[_Device] = []
    try:
        try:
            rate = await asyncio.to_thread(open_device)
        except (library.PortAudioError, ValueError) as error:
            raise AudioError(
                f"the microphone cannot be opened: {error}. `python -m sounddevice` lists the devices"
            ) from error
        async for data in recorded:
            yield AudioFrame(data, rate, channels)
    finally:
        recorded.close()
        for each in opened:
            await asyncio.to_thread(each.close)


def _load() -> _Library:
    try:
        return cast("_Library", importlib.import_module("sounddevice"))
    except ImportError as error:
        raise MissingExtraError(
            'recording needs sounddevice, which is not installed: pip install "stt-core[mic]"'
        ) from error
    except OSError as error:
        raise MissingExtraError(
            f"recording needs the PortAudio library ({error}): on Debian, apt install libportaudio2"
        ) from error
