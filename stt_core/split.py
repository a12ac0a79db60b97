"""Channels apart: each recognised for itself, in one stream and with one clock (``channel_mode=split``)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import count, pairwise
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import numpy as np

from .audio.channels import split
from .audio.decode import AudioInput
from .audio.encodings import encode
from .audio.frames import AudioFormat
from .audio.wav import wav_header
from .driver import Driver
from .events import RecognitionUsage
from .transcript import Segment, Transcript

if TYPE_CHECKING:
    from .channel import Channel
    from .errors import StreamClosedError
    from .events import SpeechEvent, StreamTimings, Word
    from .members import Members
    from .metrics import MetricsCallback
    from .options import StreamSettings
    from .registry import Resolved

__all__ = ["SplitDriver", "by_time", "channel_formats", "recognize_channels", "split_bytes"]

T = TypeVar("T")


def channel_formats(audio_format: AudioFormat) -> list[AudioFormat]:
    """What each channel is when it is by itself."""
    return [replace(audio_format, channels=1)] * audio_format.channels


def split_bytes(data: bytes, audio_format: AudioFormat) -> list[bytes]:
    """The samples of each channel; ``data`` holds whole sample frames."""
    width = audio_format.frame_bytes // audio_format.channels
    frames = np.frombuffer(data, f"V{width}").reshape(-1, audio_format.channels)
    return [frames[:, channel].tobytes() for channel in range(audio_format.channels)]


def by_time(finals: Sequence[SpeechEvent]) -> list[SpeechEvent]:
    """The finals of all channels in the order in which they were spoken, as far as their times say so."""
    last = 0.0
    keyed: list[tuple[float, int, SpeechEvent]] = []
    for place, event in enumerate(finals):
        start = event.alternatives[0].start_time
        last = last if start is None else start
        keyed.append((last, place, event))
    ordered = [event for _, _, event in sorted(keyed, key=lambda each: each[:2])]
    for before, event in pairwise(ordered):
        if before.channel != event.channel and not event.alternatives[0].prefix:
            event.alternatives[0].prefix = " "
    return ordered


class SplitDriver:
    """A :class:`~stt_core.driver.Driver` for each channel, with the face of one.

    Each channel has a connection, a ledger, a retry budget and an order of events of its own; all events go into the
    same channel of events, tagged. What ends one of them ends all.

    Args:
        members: one for each channel.
        audio_format: of what is pushed.
        events: where events go.
        stream_options: as of a driver.
        on_metrics: as of a driver.
    """

    def __init__(
        self,
        members: Sequence[Members],
        *,
        audio_format: AudioFormat,
        events: Channel[SpeechEvent],
        stream_options: StreamSettings,
        on_metrics: MetricsCallback | None = None,
    ) -> None:
        self.format = audio_format
        self.error: BaseException | None = None
        self._events = events
        self._rest = b""  # of a sample frame that is not whole
        segment_ids = count()
        self._drivers = [
            Driver(
                each,
                audio_format=channel_format,
                events=events,
                stream_options=stream_options,
                channel=channel,
                segment_ids=segment_ids,
                on_end=self._on_end,
                on_metrics=on_metrics,
            )
            for channel, (each, channel_format) in enumerate(zip(members, channel_formats(audio_format), strict=True))
        ]

    # -- what the caller does; as of a driver ----------------------------------------------------------------------

    @property
    def finished(self) -> bool:  # noqa: D102
        return any(driver.finished for driver in self._drivers) and self._events.closed

    @property
    def duration(self) -> float:  # noqa: D102
        return self._drivers[0].duration

    @property
    def capacity_bytes(self) -> int:  # noqa: D102
        return self._drivers[0].capacity_bytes * self.format.channels

    @property
    def finals(self) -> list[SpeechEvent]:  # noqa: D102
        return by_time([final for driver in self._drivers for final in driver.finals])

    @property
    def request_id(self) -> str | None:
        """There is one for each channel, and so none for all."""
        return None

    @property
    def usage(self) -> RecognitionUsage:  # noqa: D102
        each = [driver.usage for driver in self._drivers]
        return RecognitionUsage(
            sum(usage.audio_duration for usage in each),
            sum(usage.sent_duration for usage in each),
            sum(usage.replayed_duration for usage in each),
            sum(usage.injected_duration for usage in each),
        )

    def measured(self) -> StreamTimings:
        """Of the first channel."""
        return self._drivers[0].measured()

    def room_for(self, nbytes: int) -> bool:  # noqa: D102
        return all(driver.room_for(nbytes // self.format.channels) for driver in self._drivers)

    async def wait_for_room(self, nbytes: int) -> None:  # noqa: D102
        for driver in self._drivers:
            await driver.wait_for_room(nbytes // self.format.channels)

    def push(self, data: bytes) -> None:  # noqa: D102
        data = self._rest + data
        whole = len(data) - len(data) % self.format.frame_bytes
        self._rest = data[whole:]
        for driver, part in zip(self._drivers, split_bytes(data[:whole], self.format), strict=True):
            driver.push(part)

    def end_input(self) -> None:  # noqa: D102
        for driver in self._drivers:
            driver.end_input()

    def fail_input(self, error: BaseException) -> None:  # noqa: D102
        for driver in self._drivers:
            driver.fail_input(error)

    async def flush(self) -> list[SpeechEvent]:  # noqa: D102
        return by_time([final for finals in await _all(driver.flush() for driver in self._drivers) for final in finals])

    def set_timeouts(self, stream_options: StreamSettings) -> None:  # noqa: D102
        for driver in self._drivers:
            driver.set_timeouts(stream_options)

    async def update(self) -> None:  # noqa: D102
        await _all(driver.update() for driver in self._drivers)

    def closed_error(self) -> StreamClosedError:  # noqa: D102
        failed = next((driver for driver in self._drivers if driver.error is not None), self._drivers[0])
        return failed.closed_error()

    # -- running ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:  # noqa: D102
        tasks = [asyncio.create_task(driver.run(), name="stt channel") for driver in self._drivers]
        try:
            running = set(tasks)
            while running and self.error is None:
                _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self.close()

    def close(self) -> None:  # noqa: D102
        for driver in self._drivers:
            driver.close()
        self._events.close(self.error)

    def _on_end(self, error: BaseException | None) -> None:
        if self.error is None:
            self.error = error
        if error is not None or all(driver.finished for driver in self._drivers):
            self._events.close(self.error)


async def _all(calls: Iterable[Awaitable[T]]) -> list[T]:
    """All of them, also when one fails: then its error, and no other is left running unseen."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    found: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        found.append(result)
    return found


# -- files -------------------------------------------------------------------------------------------------------------


async def recognize_channels(
    audio: AudioInput, settings: Resolved, recognize: Callable[[AudioInput, Resolved], Awaitable[Transcript]]
) -> Transcript:
    """Recognises each channel of a recording by a call of its own, and puts them together in the order of time.

    Args:
        audio: a recording; one with a single channel is recognised as it is.
        settings: of the call.
        recognize: one channel, as :meth:`stt_core.stt.STT.recognize_audio`; called for all of them at once.

    Raises:
        STTError: a channel could not be recognised.
    """
    with ExitStack() as closing:
        parts = await asyncio.to_thread(_parts, audio, closing)
        whole = replace(settings, stream={**settings.stream, "channel_mode": "mix"})
        if len(parts) == 1:
            return await recognize(AudioInput.from_any(parts[0]), whole)
        transcripts = await _all(recognize(AudioInput.from_any(part), whole) for part in parts)
    return _joined(transcripts)


def _parts(audio: AudioInput, closing: ExitStack) -> list[BinaryIO]:
    """A WAV file on the disk for each channel."""
    with audio.open() as reader:
        channel = AudioFormat(reader.sample_rate)
        files: list[BinaryIO] = []
        for _ in range(reader.channels):
            files.append(closing.enter_context(TemporaryFile()))  # noqa: SIM115  (``closing`` closes it)
            files[-1].write(wav_header(channel, None))
        for block in reader.blocks(1.0):
            for file, samples in zip(files, split(block), strict=True):
                file.write(encode(samples, "pcm_s16le"))
    for file in files:
        size = file.tell() - len(wav_header(channel, None))
        file.seek(0)
        file.write(wav_header(channel, size))
        file.seek(0)
    return files


def _joined(transcripts: Sequence[Transcript]) -> Transcript:
    segments: list[Segment] = []
    for channel, transcript in enumerate(transcripts):
        for word in transcript.words or ():
            word.channel = channel
        own = transcript.segments or [
            Segment(
                transcript.text,
                words=transcript.words,
                language=transcript.language,
                confidence=transcript.confidence,
                start_time=transcript.words[0].start_time if transcript.words else None,
                end_time=transcript.words[-1].end_time if transcript.words else None,
            )
        ]
        segments += [replace(segment, channel=channel) for segment in own if segment.text]
    segments.sort(key=lambda segment: segment.start_time or 0.0)
    for before, segment in pairwise(segments):
        if before.channel != segment.channel and not segment.prefix:
            segment.prefix = " "
    if segments:
        segments[0].prefix = ""
    words = [transcript.words for transcript in transcripts if transcript.text]
    languages = {transcript.language for transcript in transcripts}
    known = [transcript.duration for transcript in transcripts if transcript.duration is not None]
    return Transcript(
        "".join(segment.prefix + segment.text for segment in segments),
        language=languages.pop() if len(languages) == 1 else None,
        duration=max(known) if known else None,
        words=_in_time([word for each in words for word in each or ()]) if None not in words else None,
        segments=segments,
        raw=[transcript.raw for transcript in transcripts],
    )


def _in_time(words: list[Word]) -> list[Word]:
    return words if any(word.start_time is None for word in words) else sorted(words, key=lambda w: w.start_time or 0.0)
