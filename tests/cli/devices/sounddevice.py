"""A microphone that hears silence, in the place of the package that it is called after."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping


class PortAudioError(Exception):
    """As sounddevice's."""


def query_devices(device: int | str | None, kind: str) -> Mapping[str, object]:
    """There is one device, called ``deaf``, number 7."""
    if device not in (None, 7, "deaf"):
        raise ValueError(f"No {kind} device matching {device!r}")
    return {"name": "deaf", "default_samplerate": 16000.0}


class RawInputStream:
    """Calls back at the pace of the audio, from a thread of its own."""

    def __init__(
        self,
        *,
        samplerate: int,
        blocksize: int,
        device: int | str | None,
        channels: int,
        dtype: str,
        callback: Callable[[memoryview, int, object, object], None],
        finished_callback: Callable[[], None],
    ) -> None:
        self._seconds = blocksize / samplerate
        self._block = bytes(blocksize * channels * 2)
        self._frames = blocksize
        self._callback = callback
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._record)

    def start(self) -> None:
        """Begin to record."""
        self._thread.start()

    def close(self) -> None:
        """Let nothing go on."""
        self._closed.set()
        self._thread.join()

    def _record(self) -> None:
        while not self._closed.wait(self._seconds):
            self._callback(memoryview(self._block), self._frames, None, None)
