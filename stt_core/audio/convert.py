"""One format to another, piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import AudioError
from .channels import remix
from .encodings import Samples, decode, encode
from .resample import Mode, Resampler

if TYPE_CHECKING:
    from .frames import AudioFormat

__all__ = ["Converter"]


class Converter:
    """Bytes in one format to bytes in another.

    Equal formats pass through untouched, 8 kHz mu-law included. What comes out is always whole sample frames; a frame
    that is cut at the end of one piece is completed by the next.

    Args:
        source: what goes in.
        target: what comes out; the same number of channels, or one, or several out of one.
        mode: which resampling filter; see :class:`~stt_core.audio.resample.Resampler`.

    Raises:
        AudioError: several channels are to become several others.
    """

    def __init__(self, source: AudioFormat, target: AudioFormat, *, mode: Mode = "live") -> None:
        if source.channels != target.channels and 1 not in (source.channels, target.channels):
            raise AudioError(
                f"{source.channels} channels can be kept or mixed to one, not turned into {target.channels}"
            )
        self.source = source
        self.target = target
        self._same = source == target
        # Mixed before the filter, repeated after it: the filter works on the fewer channels.
        self._channels = min(source.channels, target.channels)
        self._resampler = Resampler(source.sample_rate, target.sample_rate, self._channels, mode=mode)
        self._carry = b""

    @property
    def delay(self) -> float:
        """Seconds of input that the filter holds back at this moment."""
        return self._resampler.delay

    def convert(self, data: bytes) -> bytes:
        """Convert the next piece, of any length.

        Returns:
            what is ready, perhaps nothing. The same object when there is nothing to do.
        """
        if self._carry or len(data) % self.source.frame_bytes:
            data = self._whole_frames(data)
        if self._same:
            return data
        return self._encode(self._resampler.process(self._decode(data)))

    def flush(self) -> bytes:
        """The rest. Half a sample frame at the very end is dropped; the converter is as new afterwards."""
        self._carry = b""
        return self._encode(self._resampler.flush())

    def prime(self, data: bytes) -> None:
        """Start afresh, with the audio that came just before what will be converted next.

        The filter gets its history from it; nothing of it comes out. So a connection that is made in the middle of the
        audio goes on as if it had been there from the start.

        Args:
            data: whole sample frames; 0.1 s is enough.
        """
        self._carry = b""
        self._resampler.prime(self._decode(data[len(data) % self.source.frame_bytes :]))

    def _whole_frames(self, data: bytes) -> bytes:
        data = self._carry + data
        whole = len(data) - len(data) % self.source.frame_bytes
        self._carry = data[whole:]
        return data[:whole]

    def _decode(self, data: bytes) -> Samples:
        samples = decode(data, self.source.encoding).reshape(-1, self.source.channels)
        return remix(samples, self._channels)

    def _encode(self, samples: Samples) -> bytes:
        return encode(remix(samples, self.target.channels), self.target.encoding) if len(samples) else b""
