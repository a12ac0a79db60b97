"""How loud a piece of audio is, as far as replaying it after an outage has to know.

Neither function is a voice activity detector. The gate must never call a voice silence; the other way round it costs a
few seconds of audio sent twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .encodings import decode

if TYPE_CHECKING:
    from .frames import AudioFormat

__all__ = ["is_voiced", "quietest"]

_WINDOW = 0.02

# Mean square of -62 dBFS: a 16 bit RMS of 26. Below it is the noise of a quiet line, far above it a whisper.
_GATE = 10.0 ** (-62 / 10)


def is_voiced(data: bytes | bytearray | memoryview, audio_format: AudioFormat) -> bool:
    """Whether any 20 ms could hold a voice: an RMS above -62 dBFS on any channel, a constant offset apart.

    Of less than 20 ms it cannot be told what is offset, so that everything counts.

    Args:
        data: samples; half a sample frame at the end is not looked at.
        audio_format: what they are.
    """
    samples = _frames(data, audio_format)
    window = max(int(_WINDOW * audio_format.sample_rate), 1)
    if len(samples) < window:
        return bool((np.square(samples).mean(axis=0) > _GATE).any()) if len(samples) else False
    whole = len(samples) // window * window
    # The rest of an uneven length counts with the samples before it, so that it is a full window too.
    return _loud(samples[:whole], window) or (whole < len(samples) and _loud(samples[-window:], window))


def quietest(data: bytes | bytearray | memoryview, audio_format: AudioFormat, window: float = _WINDOW) -> int:
    """Where to cut with the least chance of cutting a word.

    Args:
        data: samples; half a sample frame at the end is not looked at.
        audio_format: what they are.
        window: seconds that have to be quiet together.

    Returns:
        the sample frame in the middle of the quietest window; of equally quiet ones the last. The middle of it all when
        there is less than a window.
    """
    samples = _frames(data, audio_format)
    width = max(round(window * audio_format.sample_rate), 1)
    if len(samples) <= width:
        return len(samples) // 2
    # float64 sums of squares of 16 bit samples are exact, so equal windows really compare equal.
    sums = np.zeros((2, len(samples) + 1, audio_format.channels))
    np.cumsum(samples, axis=0, dtype=np.float64, out=sums[0, 1:])
    np.cumsum(np.square(samples, dtype=np.float64), axis=0, out=sums[1, 1:])
    total, squares = sums[:, width:] - sums[:, :-width]
    power = (squares - total * total / width).sum(axis=1)
    return int(len(power) - 1 - power[::-1].argmin()) + width // 2


def _frames(data: bytes | bytearray | memoryview, audio_format: AudioFormat) -> npt.NDArray[np.float32]:
    cut = len(data) % audio_format.frame_bytes
    samples = decode(data[: len(data) - cut] if cut else data, audio_format.encoding)
    return samples.reshape(-1, audio_format.channels)


def _loud(samples: npt.NDArray[np.float32], window: int) -> bool:
    windows = samples.reshape(-1, window, samples.shape[1])
    offset = windows.sum(axis=1) / window
    power = np.einsum("wnc,wnc->wc", windows, windows) / window - offset * offset
    return bool((power > _GATE).any())
