"""WAV, read and written by us, so that the commonest file needs no extra.

Read: integer PCM of 8, 16, 24 and 32 bit, float of 32 and 64 bit, mu-law and A-law, with a plain or an extensible
header, RF64 too, from any binary file, rewindable or not. Layout: Microsoft's "Multimedia Programming Interface and
Data Specifications 1.0" and ``mmreg.h``; RF64: EBU Tech 3306.

A file that is shorter than its header says is read as far as it goes, with a warning in the log. So is one whose writer
did not know the length (0, or nearly 4 GiB), without a warning.
"""

from __future__ import annotations

import logging
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from typing_extensions import override

from ..errors import AudioError
from .encodings import Samples, decode, encode, sane
from .files import bytes_left, read_exactly
from .frames import SAMPLE_BYTES, AudioFormat, Encoding
from .reader import AudioReader

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["WavCodecError", "WavReader", "wav_header", "write_wav"]

logger = logging.getLogger("stt_core.audio")

_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE

# The rest of the sub-format GUIDs of an extensible header, after the tag in the first two bytes.
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")

_TAG_NAMES = {0x02: "Microsoft ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x45: "G.726", 0x55: "MP3", 0xFF: "AAC"}

_UNKNOWN_LENGTH = 0x7FFFF000
"""Data sizes from here on are what writers put who could not go back: 0x7FFFF000 (SoX), 0xFFFFFFFF and its like."""


class WavCodecError(AudioError):
    """A WAV file whose codec is not read here."""


@dataclass(slots=True)
class _Header:
    tag: int
    channels: int
    sample_rate: int
    sample_bytes: int
    data_bytes: int | None


class WavReader(AudioReader):
    """A WAV file from its first byte.

    Args:
        file: at the start of the RIFF header.
        close: called by :meth:`close`.

    Raises:
        WavCodecError: the audio is compressed.
        AudioError: the header is cut short or contradicts itself.
    """

    def __init__(self, file: BinaryIO, close: Callable[[], object] | None = None) -> None:
        header = _read_header(file)
        self._file = file
        self._header = header
        self._frame_bytes = header.sample_bytes * header.channels
        left = bytes_left(file)
        declared = header.data_bytes
        self.truncated = declared is not None and left is not None and left < declared
        if self.truncated:
            self._warn(left or 0, declared)
        self._left = left if declared is None or self.truncated else declared
        duration = None if self._left is None else self._left // self._frame_bytes / header.sample_rate
        super().__init__(header.sample_rate, header.channels, duration, close)

    truncated: bool
    """Whether less came than the header promises; known at once for a file that can be rewound, else at its end."""

    @override
    def _pull(self, frames: int) -> Samples:
        size = frames * self._frame_bytes
        wanted = size if self._left is None else min(size, self._left)
        data = read_exactly(self._file, wanted)
        if self._left is not None:
            self._left -= len(data)
            if len(data) < wanted and not self.truncated:
                self.truncated = True
                self._warn((self._header.data_bytes or 0) - self._left, self._header.data_bytes)
                self._left = 0
        data = data[: len(data) - len(data) % self._frame_bytes]
        return _decode(data, self._header).reshape(-1, self.channels)

    def _warn(self, there: int, declared: int | None) -> None:
        logger.warning("the WAV data ends after %d of %s bytes: reading what is there", there, declared)


def _read_header(file: BinaryIO) -> _Header:
    riff = _need(file, 12)
    if riff[:4] not in (b"RIFF", b"RF64") or riff[8:] != b"WAVE":
        raise WavCodecError(f"this is no WAV file of the usual kind: it begins with {riff!r}")
    position = 12
    long_size: int | None = None
    form: bytes | None = None
    while True:
        name, size = struct.unpack("<4sI", _need(file, 8))
        position += 8
        if name == b"data":
            break
        if name == b"fmt ":
            form = _need(file, size) if size <= 1 << 16 else b""
        elif name == b"ds64" and size >= 16:
            long_size = struct.unpack_from("<Q", _need(file, size), 8)[0] if size <= 1 << 16 else None
        else:
            _skip(file, size)
        # Chunks are padded to even lengths; that byte is not counted in the size.
        _skip(file, size & 1)
        position += size + (size & 1)
    if form is None:
        raise AudioError("the WAV header has no format chunk before the data")
    if riff[:4] == b"RF64" and size == 0xFFFFFFFF and long_size is not None:
        data_bytes: int | None = long_size
    elif size >= _UNKNOWN_LENGTH:
        data_bytes = None
    elif size == 0:
        # Really empty only if the file goes on after it, as its own length says.
        riff_bytes = struct.unpack_from("<I", riff, 4)[0]
        data_bytes = 0 if position < riff_bytes + 8 < _UNKNOWN_LENGTH else None
    else:
        data_bytes = size
    return _parse_format(form, data_bytes)


def _parse_format(form: bytes, data_bytes: int | None) -> _Header:
    if len(form) < 16:
        raise AudioError(f"the WAV format chunk has {len(form)} bytes, and at least 16 are needed")
    tag, channels, sample_rate, _, block, bits = struct.unpack_from("<HHIIHH", form)
    if tag == _EXTENSIBLE and len(form) >= 40 and form[26:40] == _GUID_TAIL:
        tag = struct.unpack_from("<H", form, 24)[0]
    # Samples of an odd number of bits are left-justified in whole bytes, and the block says how many.
    sample_bytes = block // channels if channels and block and block % channels == 0 else (bits + 7) // 8
    known = {_PCM: (1, 2, 3, 4), _FLOAT: (4, 8), _ALAW: (1,), _MULAW: (1,)}.get(tag)
    if known is None:
        raise WavCodecError(f"a WAV file with {_TAG_NAMES.get(tag, f'codec 0x{tag:04x}')} inside")
    if sample_bytes not in known:
        raise AudioError(f"the WAV header says {bits} bit in {block} bytes for {channels} channels, which cannot be")
    checked = AudioFormat(sample_rate, channels)
    return _Header(tag, checked.channels, checked.sample_rate, sample_bytes, data_bytes)


def _need(file: BinaryIO, size: int) -> bytes:
    data = read_exactly(file, size)
    if len(data) < size:
        raise AudioError("the WAV header is cut short: the file ends before its audio begins")
    return data


def _skip(file: BinaryIO, size: int) -> None:
    while size > 0:
        size -= len(_need(file, min(size, 1 << 16)))


_ENCODINGS: dict[tuple[int, int], Encoding] = {
    (_PCM, 2): "pcm_s16le",
    (_PCM, 4): "pcm_s32le",
    (_FLOAT, 4): "pcm_f32le",
    (_ALAW, 1): "pcm_alaw",
    (_MULAW, 1): "pcm_mulaw",
}


def _decode(data: bytes, header: _Header) -> Samples:
    encoding = _ENCODINGS.get((header.tag, header.sample_bytes))
    if encoding is not None:
        return decode(data, encoding)
    if header.tag == _FLOAT:
        with np.errstate(over="ignore"):
            return sane(np.frombuffer(data, "<f8").astype(np.float32))
    if header.sample_bytes == 1:
        return (np.frombuffer(data, np.uint8).astype(np.float32) - np.float32(128)) / np.float32(128)
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return decode(wide.tobytes(), "pcm_s32le")


def wav_header(audio_format: AudioFormat, data_bytes: int | None) -> bytes:
    """The bytes before the samples of a WAV file.

    Args:
        audio_format: any of the five encodings.
        data_bytes: how many bytes follow; ``None`` or 4 GiB and more are written as unknown, which readers take as
            "until the end".
    """
    tag = {"pcm_f32le": _FLOAT, "pcm_alaw": _ALAW, "pcm_mulaw": _MULAW}.get(audio_format.encoding, _PCM)
    rate, block = audio_format.sample_rate, audio_format.frame_bytes
    form = struct.pack(
        "<HHIIHH", tag, audio_format.channels, rate, rate * block, block, 8 * SAMPLE_BYTES[audio_format.encoding]
    )
    known = data_bytes is not None and data_bytes < 0xFFFFFF00
    size = data_bytes if data_bytes is not None and known else 0xFFFFFFFF
    chunks = struct.pack("<4sI", b"fmt ", len(form)) + form
    if tag != _PCM:
        # Everything but PCM says how long its extension is (here: none) and how many samples there are.
        chunks = struct.pack("<4sI", b"fmt ", len(form) + 2) + form + b"\0\0"
        chunks += struct.pack("<4sII", b"fact", 4, size // block if known else 0xFFFFFFFF)
    chunks += struct.pack("<4sI", b"data", size)
    total = 4 + len(chunks) + size + (size & 1) if known else 0xFFFFFFFF
    return struct.pack("<4sI4s", b"RIFF", total, b"WAVE") + chunks


def write_wav(target: str | os.PathLike[str] | BinaryIO, audio: bytes | Samples, audio_format: AudioFormat) -> None:
    """Write a WAV file.

    Args:
        target: a path, or a binary file, which stays open.
        audio: bytes in the format, or samples to be encoded in it.
        audio_format: any of the five encodings.

    Raises:
        AudioError: the bytes are not whole sample frames, or the target cannot be written.
    """
    data = audio if isinstance(audio, bytes) else encode(audio, audio_format.encoding)
    if len(data) % audio_format.frame_bytes:
        raise AudioError(f"{len(data)} bytes are not whole sample frames of {audio_format}")
    pieces = (wav_header(audio_format, len(data)), data, b"\0" * (len(data) & 1))
    if not isinstance(target, (str, os.PathLike)):
        for piece in pieces:
            target.write(piece)
        return
    try:
        with Path(target).open("wb") as file:
            file.writelines(pieces)
    except OSError as error:
        raise AudioError(f"{str(target)!r} cannot be written: {error.strerror}") from error
