from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import numpy.typing as npt
import pytest

if TYPE_CHECKING:
    from stt_core.audio.encodings import Samples


class SoundFileModule(Protocol):
    """What the tests use of soundfile, which ships no types."""

    # ruff: noqa: A002  (its parameter names)
    def write(
        self,
        file: object,
        data: npt.NDArray[np.generic],
        samplerate: int,
        *,
        format: str | None = None,
        subtype: str | None = None,
    ) -> None: ...

    def read(
        self,
        file: object,
        *,
        dtype: str,
        always_2d: bool = False,
        samplerate: int | None = None,
        channels: int | None = None,
        format: str | None = None,
        subtype: str | None = None,
    ) -> tuple[Samples, int]: ...


@pytest.fixture(scope="session")
def sf() -> SoundFileModule:
    """libsndfile: the judge of what we read and write."""
    return cast("SoundFileModule", importlib.import_module("soundfile"))


MakeMedia = Callable[[str, str], bytes]


@pytest.fixture(scope="session")
def make_media() -> MakeMedia:
    """Half a second of 440 Hz, 48 kHz mono, in a codec and a container that only FFmpeg writes."""
    # PyAV's own types are incomplete where packets are concerned.
    av: Any = importlib.import_module("av")

    def make(codec: str, container: str) -> bytes:
        file = io.BytesIO()
        with av.open(file, "w", format=container) as out:
            stream = out.add_stream(codec, rate=48000, layout="mono")
            tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(24000) / 48000)).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(tone[np.newaxis, :], format="s16", layout="mono")
            frame.sample_rate = 48000
            frame.pts = 0
            context = stream.codec_context
            resampler = av.AudioResampler(context.format, "mono", 48000, context.frame_size or None)
            for piece in [*resampler.resample(frame), *resampler.resample(None)]:
                out.mux(stream.encode(piece))
            out.mux(stream.encode(None))
        return file.getvalue()

    return make


@pytest.fixture(scope="session")
def peak_hz() -> Callable[[Samples, int], float]:
    """The frequency of the strongest line in the spectrum of ``(n,)`` samples."""

    def peak(samples: Samples, sample_rate: int) -> float:
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
        return float(spectrum.argmax() * sample_rate / len(samples))

    return peak
