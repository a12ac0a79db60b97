"""What was pushed, read as it was declared.

Nothing here needs numpy, unless an array is pushed or a frame's encoding differs from the declared one.
"""

from __future__ import annotations

from ..errors import AudioError
from .frames import AudioData, AudioFormat, AudioFrame

__all__ = ["to_bytes"]


def to_bytes(pushed: AudioData, declared: AudioFormat) -> bytes:
    """What was pushed, as bytes in the declared format.

    Bytes are taken at their word. A frame in another encoding or with another number of channels is converted
    (several channels to one, or one to several), an array of another sample type too.

    Args:
        pushed: see :data:`AudioData`.
        declared: what the stream was opened with.

    Returns:
        the same object for bytes; a copy of everything that the caller may go on writing to.

    Raises:
        AudioError: the sample rate, the array's shape or its sample type disagree with the format.
    """
    if type(pushed) is bytes:
        return pushed
    if isinstance(pushed, AudioFrame):
        return _frame_to_bytes(pushed, declared)
    if isinstance(pushed, (bytes, bytearray)):
        return bytes(pushed)
    if isinstance(pushed, memoryview) and pushed.format in ("B", "b", "c"):
        return pushed.tobytes()
    from .arrays import array_to_bytes

    return array_to_bytes(pushed, declared)


def _frame_to_bytes(frame: AudioFrame, declared: AudioFormat) -> bytes:
    if frame.sample_rate != declared.sample_rate:
        raise AudioError(
            f"a frame of {frame.sample_rate} Hz came where sample_rate={declared.sample_rate} was declared: "
            "declare the rate that the frames have"
        )
    data = frame.data if type(frame.data) is bytes else bytes(frame.data)
    if frame.encoding == declared.encoding and frame.channels == declared.channels:
        return data
    from .channels import remix
    from .encodings import decode, encode

    source = frame.format
    if len(data) % source.frame_bytes:
        raise AudioError(f"a frame of {len(data)} bytes does not hold whole samples of {source}")
    samples = decode(data, source.encoding).reshape(-1, source.channels)
    return encode(remix(samples, declared.channels), declared.encoding)
