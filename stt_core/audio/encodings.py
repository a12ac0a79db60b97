"""Bytes to samples and back, for the five encodings.

Samples are float32 from -1 to 1, as every resampler and mixer wants them. Integers come back exactly: 16 bit and both
laws of G.711 have fewer bits than a float32.

G.711 is done with tables made from the formulas of ITU-T G.711, tables 1a to 2b. The tests compare all codes and all 16
bit values with libsndfile.
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import AudioError
from .frames import SAMPLE_BYTES, Encoding

__all__ = ["Samples", "decode", "encode", "sane"]

Samples: TypeAlias = npt.NDArray[np.float32]
"""float32, -1 to 1, ``(n,)`` or ``(n, channels)``."""


# 180 dB over full scale: no level, but garbage read as floats.
_ABSURD = 1e9


def decode(data: bytes | bytearray | memoryview, encoding: Encoding) -> Samples:
    """Samples of interleaved bytes.

    Args:
        data: whole samples.
        encoding: how they are written.

    Returns:
        ``(n,)``, interleaved as the bytes were; may be read-only. What is not a number becomes silence, because one
        NaN would stay in a filter for good.

    Raises:
        AudioError: the data ends in the middle of a sample.
    """
    size = memoryview(data).nbytes
    if size % SAMPLE_BYTES[encoding]:
        raise AudioError(f"{size} bytes are not whole samples of {encoding}, which has {SAMPLE_BYTES[encoding]} each")
    if encoding == "pcm_s16le":
        return np.multiply(np.frombuffer(data, "<i2"), np.float32(1 / 32768), dtype=np.float32)
    if encoding == "pcm_s32le":
        return np.multiply(
            np.frombuffer(data, "<i4"), np.float32(1 / 2147483648), dtype=np.float32, casting="same_kind"
        )
    if encoding == "pcm_f32le":
        return sane(np.frombuffer(data, "<f4").astype(np.float32, copy=False))
    return _decode_table(encoding)[np.frombuffer(data, np.uint8)]


def sane(samples: Samples) -> Samples:
    """The same samples, unless one is no number or beyond anything that a level could mean: those become silence."""
    if not samples.size or np.abs(samples).max() < _ABSURD:  # false for NaN
        return samples
    return np.where(np.abs(samples) < _ABSURD, samples, np.float32(0))


def encode(samples: Samples, encoding: Encoding) -> bytes:
    """Bytes of samples, rounded to nearest and clipped; what is not a number becomes silence.

    Args:
        samples: any shape; written in C order, so ``(n, channels)`` comes out interleaved.
        encoding: how to write them.
    """
    samples = sane(samples)
    if encoding == "pcm_f32le":
        return samples.astype("<f4", copy=False).tobytes()
    if encoding == "pcm_s32le":
        # float32 cannot say 2147483647: the next it has is the one above.
        wide = np.rint(samples.astype(np.float64) * 2147483648)
        return wide.clip(-2147483648, 2147483647, out=wide).astype("<i4").tobytes()
    scaled = np.multiply(samples, np.float32(32768))
    np.rint(scaled, out=scaled)
    np.minimum(np.maximum(scaled, np.float32(-32768), out=scaled), np.float32(32767), out=scaled)
    if encoding == "pcm_s16le":
        return scaled.astype("<i2").tobytes()
    return _encode_table(encoding)[scaled.astype(np.int16).view(np.uint16)].tobytes()


@cache
def _decode_table(encoding: Encoding) -> Samples:
    codes = np.arange(256)
    if encoding == "pcm_mulaw":
        codes = ~codes & 0xFF
        exponent, mantissa = (codes >> 4) & 7, codes & 15
        magnitude = ((mantissa * 8 + 132) << exponent) - 132
        negative = codes & 0x80 != 0
    else:
        codes = codes ^ 0x55
        exponent, mantissa = (codes >> 4) & 7, codes & 15
        magnitude = np.where(exponent == 0, mantissa * 16 + 8, (mantissa * 16 + 264) << np.maximum(exponent - 1, 0))
        negative = codes & 0x80 == 0
    return (np.where(negative, -magnitude, magnitude) / 32768).astype(np.float32)


@cache
def _encode_table(encoding: Encoding) -> npt.NDArray[np.uint8]:
    # Indexed by the 16 bit sample read as unsigned: 64 KiB, made on first use.
    values = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int64)
    if encoding == "pcm_mulaw":
        magnitude = np.minimum(np.abs(values), 32635) + 132
        exponent = np.floor(np.log2(magnitude)).astype(np.int64) - 7
        codes = ~(np.where(values < 0, 0x80, 0) | (exponent << 4) | ((magnitude >> (exponent + 3)) & 15))
    else:
        magnitude = np.minimum(np.abs(values), 32767)
        exponent = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int64) - 7, 0)
        mantissa = (magnitude >> np.maximum(exponent + 3, 4)) & 15
        codes = (np.where(values < 0, 0, 0x80) | (exponent << 4) | mantissa) ^ 0x55
    return (codes & 0xFF).astype(np.uint8)
