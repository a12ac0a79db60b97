"""What audio is described by, and what may be pushed. Nothing here needs numpy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, SupportsIndex, TypeAlias, get_args

from ..errors import AudioError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "CONTAINERS",
    "ENCODINGS",
    "MAX_CHANNELS",
    "MAX_SAMPLE_RATE",
    "MIN_SAMPLE_RATE",
    "SAMPLE_BYTES",
    "AudioData",
    "AudioFormat",
    "AudioFrame",
    "Encoding",
    "SampleArray",
    "refuse_container",
    "sniff_container",
]

Encoding = Literal["pcm_s16le", "pcm_s32le", "pcm_f32le", "pcm_mulaw", "pcm_alaw"]
"""Interleaved samples without a header: 16 or 32 bit integer, 32 bit float, or G.711 in one of its two laws."""

ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)

SAMPLE_BYTES: dict[Encoding, int] = {
    "pcm_s16le": 2,
    "pcm_s32le": 4,
    "pcm_f32le": 4,
    "pcm_mulaw": 1,
    "pcm_alaw": 1,
}

MIN_SAMPLE_RATE, MAX_SAMPLE_RATE, MAX_CHANNELS = 1000, 768_000, 64

SampleArray: TypeAlias = (
    "npt.NDArray[np.int16] | npt.NDArray[np.int32] | npt.NDArray[np.float32] | npt.NDArray[np.float64]"
)
"""Samples ``(n,)`` or ``(n, channels)``: integers at full scale, floats from -1 to 1."""

AudioData: TypeAlias = "bytes | bytearray | memoryview | AudioFrame | SampleArray"
"""What may be pushed: bytes in the declared format, a frame that says its own, or an array."""


def _whole(value: object, what: str, low: int, high: int) -> int:
    # numpy's integers count as whole numbers; True does not.
    number = value.__index__() if isinstance(value, SupportsIndex) and not isinstance(value, bool) else -1
    if not low <= number <= high:
        raise AudioError(f"{what} must be a whole number from {low} to {high}, not {value!r}")
    return number


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """How bytes are to be read as samples.

    Args:
        sample_rate: samples per second of one channel, 1000 to 768000.
        channels: 1 to 64; the samples of several are interleaved.
        encoding: see :data:`Encoding`.

    Raises:
        AudioError: a value is not accepted.
    """

    sample_rate: int
    channels: int = 1
    encoding: Encoding = "pcm_s16le"
    frame_bytes: int = field(init=False, repr=False, compare=False)
    """Bytes of one sample frame, that is, of one sample of every channel."""

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "sample_rate", _whole(self.sample_rate, "sample_rate", MIN_SAMPLE_RATE, MAX_SAMPLE_RATE))
        put(self, "channels", _whole(self.channels, "channels", 1, MAX_CHANNELS))
        if self.encoding not in ENCODINGS:
            raise AudioError(f"encoding must be one of {', '.join(ENCODINGS)}, not {self.encoding!r}")
        put(self, "frame_bytes", SAMPLE_BYTES[self.encoding] * self.channels)

    def seconds(self, nbytes: int) -> float:
        """The duration of so many bytes."""
        return nbytes / (self.frame_bytes * self.sample_rate)

    def bytes_for(self, seconds: float) -> int:
        """The bytes of that duration, to the nearest whole sample frame."""
        return round(seconds * self.sample_rate) * self.frame_bytes


@dataclass(slots=True)
class AudioFrame:
    """A piece of audio that says what it is.

    Args:
        data: interleaved samples; not copied, so leave a buffer alone until the frame has been pushed.
        sample_rate: samples per second of one channel.
        channels: how many are interleaved.
        encoding: see :data:`Encoding`.
    """

    data: bytes | bytearray | memoryview
    sample_rate: int
    channels: int = 1
    encoding: Encoding = "pcm_s16le"

    @property
    def format(self) -> AudioFormat:
        """The same three facts, checked.

        Raises:
            AudioError: one of them is not accepted.
        """
        return AudioFormat(self.sample_rate, self.channels, self.encoding)

    @property
    def duration(self) -> float:
        """Seconds."""
        data = self.data
        return self.format.seconds(data.nbytes if isinstance(data, memoryview) else len(data))


CONTAINERS: dict[str, str] = {
    "wav": "a WAV file",
    "flac": "a FLAC file",
    "ogg": "an Ogg file",
    "mp3": "an MP3 file",
    "webm": "a WebM or Matroska file",
    "mp4": "an MP4 or M4A file",
    "aiff": "an AIFF file",
}
"""The names that :func:`sniff_container` gives, in words."""

_MAGIC = {
    b"RIFF": "wav",
    b"RF64": "wav",
    b"RIFX": "wav",
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"ID3\x02": "mp3",
    b"ID3\x03": "mp3",
    b"ID3\x04": "mp3",
    b"\x1aE\xdf\xa3": "webm",
    b"FORM": "aiff",
}


def sniff_container(head: bytes | bytearray | memoryview) -> str | None:
    """What kind of file begins like this; ``None`` if it may be bare samples.

    Args:
        head: the first bytes; 12 are enough, fewer than 4 never match.

    Returns:
        a key of :data:`CONTAINERS`. An MP3 file without an ID3 tag is not recognised: its two sync bytes are ordinary
        samples too.
    """
    head = bytes(head[:12])
    if head[4:8] == b"ftyp":
        return "mp4"
    return _MAGIC.get(head[:4])


def refuse_container(head: bytes | bytearray | memoryview) -> None:
    """Check that bytes pushed as samples do not begin like a file.

    Raises:
        AudioError: they do; decoded as samples they would be noise.
    """
    kind = sniff_container(head)
    if kind is not None:
        raise AudioError(
            f"these bytes begin like {CONTAINERS[kind]}, and a stream takes bare samples: "
            "give the file to recognize(), or to the stream's feed() or source=, which decode it"
        )
