"""Audio: what it is, how it is read, and how it becomes what a provider wants.

=============  ====================================================================================
`frames`       encodings, formats, frames, what may be pushed, what a container begins with
`pushed`       pieces of every accepted kind as bytes in the declared format
`encodings`    bytes to samples and back
`channels`     mix and split
`resample`     one sample rate to another, for live audio and for files
`fir`          the filter for live audio
`convert`      one format to another, in a stream
`chunker`      chunks of one exact size out of pieces of any size
`energy`       is there a voice in it, and where is it quietest
`vad`          is somebody speaking
`endpoint`     where speech begins and ends
`reader`       what decoded audio is read through
`wav`          WAV, read and written without an extra
`codecs`       everything else, by the extras ``files`` and ``media``
`source`       whatever a caller gives as audio, as one binary file
`decode`       that file as samples, or as it is for an upload
`capture`      a microphone, by the extra ``mic``
=============  ====================================================================================

Samples are float32, -1 to 1, shaped ``(n,)`` or ``(n, channels)``. The names below resolve on first use, because the
framework is imported without numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .capture import microphone
    from .channels import mix, split
    from .chunker import Chunker
    from .convert import Converter
    from .decode import AudioInput, open_audio
    from .energy import is_voiced, quietest
    from .frames import AudioData, AudioFormat, AudioFrame, Encoding, refuse_container, sniff_container
    from .pushed import to_bytes
    from .reader import AudioReader
    from .resample import Resampler
    from .source import AudioLike
    from .wav import write_wav

__all__ = [
    "AudioData",
    "AudioFormat",
    "AudioFrame",
    "AudioInput",
    "AudioLike",
    "AudioReader",
    "Chunker",
    "Converter",
    "Encoding",
    "Resampler",
    "is_voiced",
    "microphone",
    "mix",
    "open_audio",
    "quietest",
    "refuse_container",
    "sniff_container",
    "split",
    "to_bytes",
    "write_wav",
]

_HOME = {
    "AudioData": "frames",
    "AudioFormat": "frames",
    "AudioFrame": "frames",
    "AudioInput": "decode",
    "AudioReader": "reader",
    "AudioLike": "source",
    "Chunker": "chunker",
    "Converter": "convert",
    "Encoding": "frames",
    "Resampler": "resample",
    "is_voiced": "energy",
    "microphone": "capture",
    "mix": "channels",
    "open_audio": "decode",
    "quietest": "energy",
    "refuse_container": "frames",
    "sniff_container": "frames",
    "split": "channels",
    "to_bytes": "pushed",
    "write_wav": "wav",
}


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
