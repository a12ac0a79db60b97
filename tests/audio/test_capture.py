"""The microphone, with a device of our own in the place of PortAudio's."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from stt_core.audio import microphone
from stt_core.errors import AudioError, MissingExtraError, SlowConsumerError
from stt_core.events import SpeechEventType
from stt_core.testing.scripted import ScriptedSTT, utterance

if TYPE_CHECKING:
    from stt_core.audio.frames import AudioFrame

Callback = Callable[[memoryview, int, object, object], None]


class PortAudioError(Exception):
    """As sounddevice's."""


class Device:
    """Calls back from a thread of its own, as fast as it can, with blocks that are numbered."""

    def __init__(
        self,
        *,
        samplerate: int,
        blocksize: int,
        device: int | str | None,
        channels: int,
        dtype: str,
        callback: Callback,
        finished_callback: Callable[[], None],
    ) -> None:
        if device == "broken":
            raise PortAudioError("Invalid number of channels")
        self.asked = (samplerate, blocksize, device, channels, dtype)
        self.blocks = 1000 if device == "fast" else 100
        self.block_bytes = blocksize * channels * 2
        self.callback = callback
        self.finished = finished_callback
        self.unplugged = device == "unplugged"
        self.closed = threading.Event()
        self.thread = threading.Thread(target=self.record, name="fake device")
        opened.append(self)

    def start(self) -> None:
        self.thread.start()

    def close(self) -> None:
        self.closed.set()
        self.thread.join()

    def record(self) -> None:
        for number in range(self.blocks):
            if self.closed.is_set():
                return
            self.callback(memoryview(bytes([number % 256]) * self.block_bytes), self.block_bytes, None, None)
        if self.unplugged:
            self.finished()


opened: list[Device] = []


def query_devices(device: int | str | None, kind: str) -> Mapping[str, object]:
    if device == "none":
        raise ValueError("No input device matching 'none'")
    return {"name": "fake", "default_samplerate": 44100.0}


@pytest.fixture(autouse=True)
def sounddevice(monkeypatch: pytest.MonkeyPatch) -> None:
    opened.clear()
    module = ModuleType("sounddevice")
    for name, value in (
        ("PortAudioError", PortAudioError),
        ("RawInputStream", Device),
        ("query_devices", query_devices),
    ):
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "sounddevice", module)


async def frames(count: int, source: AsyncGenerator[AudioFrame, None]) -> list[AudioFrame]:
    found: list[AudioFrame] = []
    async for frame in source:
        found.append(frame)
        if len(found) == count:
            break
    await source.aclose()
    return found


async def test_frames_come_in_order_and_in_the_devices_own_rate() -> None:
    """20 ms each, and the device is closed when nobody wants more."""
    found = await frames(100, microphone())
    assert [frame.data[0] for frame in found] == list(range(100))
    assert {(frame.sample_rate, frame.channels, len(frame.data)) for frame in found} == {(44100, 1, 1764)}
    assert opened[0].asked == (44100, 882, None, 1, "int16")
    assert opened[0].closed.is_set()


async def test_the_caller_chooses_device_rate_and_channels() -> None:
    """And gets what was chosen."""
    (frame,) = await frames(1, microphone(device=3, sample_rate=16000, channels=2))
    assert (frame.sample_rate, frame.channels, len(frame.data)) == (16000, 2, 1280)
    assert opened[0].asked == (16000, 320, 3, 2, "int16")


async def test_a_stream_listens_to_it() -> None:
    """From the first word on; closing the stream lets go of the device."""
    async with ScriptedSTT(utterance("hello there", start=0.1, end=0.9)) as stt:
        async with stt.stream(source=microphone()) as stream:
            async for event in stream:
                if event.type is SpeechEventType.FINAL_TRANSCRIPT:
                    assert event.text == "hello there"
                    break
        assert opened[0].closed.is_set()


async def test_a_microphone_that_is_unplugged_says_so() -> None:
    """After everything that it recorded."""
    found: list[AudioFrame] = []
    with pytest.raises(AudioError, match="unplugged"):
        async for frame in microphone(device="unplugged"):
            found.append(frame)  # noqa: PERF401  (what came before the error is looked at)
    assert len(found) == 100


async def test_recording_for_nobody_ends() -> None:
    """What is not taken is bounded, and not dropped in silence."""
    source = microphone(device="fast")
    await anext(source)
    await asyncio.to_thread(opened[0].thread.join)
    with pytest.raises(SlowConsumerError, match="10 s"):
        async for _ in source:
            pass


@pytest.mark.parametrize(("device", "words"), [("none", "No input device"), ("broken", "Invalid number of channels")])
async def test_a_microphone_that_cannot_be_opened_says_why(device: str, words: str) -> None:
    """And how to find another."""
    with pytest.raises(AudioError, match=rf"{words}.*python -m sounddevice"):
        await frames(1, microphone(device=device))


async def test_cancelling_while_it_opens_leaves_nothing_open() -> None:
    """A device may take its time, and nobody is there any more to close it."""
    opening, go_on = threading.Event(), threading.Event()

    def slowly(device: int | str | None, kind: str) -> Mapping[str, object]:
        opening.set()
        go_on.wait()
        return {"default_samplerate": 8000.0}

    sys.modules["sounddevice"].__dict__["query_devices"] = slowly
    task = asyncio.create_task(frames(1, microphone()))
    await asyncio.to_thread(opening.wait)
    task.cancel()
    await asyncio.wait([task])
    go_on.set()
    assert await asyncio.to_thread(closed_device)


def closed_device() -> bool:
    while not opened:
        pass
    return opened[0].closed.wait(10)


async def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package, or the library that it loads."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingExtraError, match=r"stt-core\[mic\]"):
        await frames(1, microphone())

    def no_library(name: str) -> ModuleType:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr("importlib.import_module", no_library)
    with pytest.raises(MissingExtraError, match="libportaudio2"):
        await frames(1, microphone())
