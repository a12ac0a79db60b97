"""Arrays that are pushed as audio: read by their own sample type, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from ..errors import AudioError
from .encodings import Samples, encode

if TYPE_CHECKING:
    from .frames import AudioFormat, Encoding

__all__ = ["array_to_bytes", "describe_array"]

_ACCEPTED = "bytes, bytearray, memoryview, AudioFrame, or an array of int16, int32, float32 or float64 samples"

_Values: TypeAlias = npt.NDArray[np.int16 | np.int32 | np.float32 | np.float64]

# Nobody overshoots -1 to 1 by 30 dB, but speech scaled as 16 bit does so within a syllable.
_LOUDEST = 32.0


def describe_array(array: object) -> tuple[int, Encoding]:
    """How many channels the array has, and the encoding that holds its samples as they are.

    Raises:
        AudioError: this is no array of samples.
    """
    values = _checked(array)
    native: Encoding = "pcm_f32le"
    if values.dtype.kind == "i":
        native = "pcm_s16le" if values.dtype.itemsize == 2 else "pcm_s32le"
    return values.shape[1], native


def _samples(values: _Values) -> Samples:
    if values.dtype.kind == "i":
        return (values * (0.5 ** (8 * values.dtype.itemsize - 1))).astype(np.float32)
    samples = values.astype(np.float32, copy=False)
    if samples.size and np.fmax(samples.max(), -samples.min()) > _LOUDEST:
        raise AudioError(
            f"float samples run from -1 to 1, and these reach {float(np.abs(samples).max()):.0f}: "
            "divide 16 bit values by 32768, or pass them as int16"
        )
    return samples


def array_to_bytes(array: object, declared: AudioFormat) -> bytes:
    """The array's samples in the declared format.

    Raises:
        AudioError: this is no array of samples, or it has other channels than declared.
    """
    values = _checked(array)
    if values.shape[1] != declared.channels:
        raise AudioError(
            f"an array of shape {np.shape(cast('npt.ArrayLike', array))} came where channels={declared.channels} was "
            f"declared: pass (n,) for one channel and (n, channels) for several"
        )
    if values.dtype.kind == "i" and declared.encoding == describe_array(values)[1]:
        return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    return encode(_samples(values), declared.encoding)


def _checked(array: object) -> _Values:
    # Lists and scalars are refused rather than guessed at; memoryview and array.array carry their sample type.
    if not isinstance(array, (np.ndarray, memoryview)) and not hasattr(array, "__array_interface__"):
        try:
            array = memoryview(cast("memoryview", array))
        except TypeError:
            raise AudioError(f"audio must be {_ACCEPTED}, not {type(array).__name__}") from None
    values = cast("npt.NDArray[np.int16]", np.asarray(array))
    if values.dtype.str[1:] not in ("i2", "i4", "f4", "f8"):
        hint = ": call .tobytes() on it if it holds the stream's bytes" if values.dtype.itemsize == 1 else ""
        raise AudioError(f"audio must be {_ACCEPTED}, not an array of {values.dtype}{hint}")
    if values.ndim not in (1, 2):
        raise AudioError(f"an array of samples has the shape (n,) or (n, channels), not {values.shape}")
    return values if values.ndim == 2 else values[:, np.newaxis]
