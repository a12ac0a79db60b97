"""S13: honest audio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...audio.convert import Converter
from ...audio.encodings import Samples, decode, encode
from ...audio.frames import AudioFormat
from .drive import Call, Speech, missing_words
from .report import NotProven, Promise, PromiseBroken
from .subject import Received

if TYPE_CHECKING:
    from ...stt import STT
    from .subject import Sample, Subject

__all__ = ["every_format_sounds_the_same", "what_is_pushed_arrives"]

TONE_HZ = 440.0
TONE_SECONDS = 4.0
FORMATS = (
    AudioFormat(8000, 1, "pcm_mulaw"),
    AudioFormat(16000),
    AudioFormat(48000, 2),
    AudioFormat(44100, 1, "pcm_f32le"),
)
RATE_SLACK_SECONDS = 0.001
"""Less than any filter holds back."""

SILENCE = 1e-3


async def every_format_sounds_the_same(subject: Subject) -> None:
    """The same speech in other formats has the same words. For providers that listen."""
    if subject.received is not None:
        return  # the other end says what it got, which is more than words can
    sample = subject.sample
    if sample.placed is not None:
        raise NotProven("the sample is no speech in another format, and the other end does not say what it got")
    allowed = int(subject.word_tolerance * len(sample.words))
    for target in FORMATS:
        speech = Speech.of(converted(sample, target))
        call = await Call.whole(subject, speech)
        call.require_end()
        missing = missing_words(speech.words, call.words)
        more = missing_words(call.words, speech.words)
        if max(len(missing), len(more)) > allowed:
            raise PromiseBroken(
                Promise.AUDIO, f"as {describe(target)} {' '.join(sample.words)!r} is {' '.join(call.words)!r}"
            )


def converted(sample: Sample, target: AudioFormat) -> Sample:
    """The same speech in another format."""
    converter = Converter(sample.format, target, mode="file")
    return replace(sample, data=converter.convert(sample.data) + converter.flush(), format=target)


async def what_is_pushed_arrives(subject: Subject) -> None:
    """A tone on all channels arrives as that tone, as long as it was, as declared; in a native format to the bit."""
    if subject.received is None:
        return
    for pushed in FORMATS:
        data = tone(pushed)
        arrived = await _push(subject, subject.received, pushed, data)
        where = f"{describe(pushed)} arrives as {describe(arrived.format)}"
        samples = sounding(decode(arrived.data, arrived.format.encoding).reshape(-1, arrived.format.channels))
        seconds = len(samples) / arrived.format.sample_rate
        if abs(seconds - TONE_SECONDS) > RATE_SLACK_SECONDS:
            raise PromiseBroken(Promise.AUDIO, f"{where}: {TONE_SECONDS} s have become {seconds:.3f} s")
        for channel in samples.T:
            heard = pitch(channel, arrived.format.sample_rate)
            if abs(heard - TONE_HZ) > 1.0:
                raise PromiseBroken(Promise.AUDIO, f"{where}: a tone of {TONE_HZ:g} Hz has become {heard:.0f} Hz")
        if arrived.format == pushed and data not in arrived.data:
            raise PromiseBroken(Promise.AUDIO, f"{where}, and not as it was")


async def _push(
    subject: Subject, received_by: Callable[[STT], Sequence[Received]], pushed: AudioFormat, data: bytes
) -> Received:
    speech = Speech(data, pushed, (), [], [])
    async with Call.open(subject, speech) as call:
        await call.speak()
        await call.finish()
        call.require_end()
        received = list(received_by(call.stt))
    if len({each.format for each in received}) != 1:
        raise NotProven(f"the other end was sent {len(received)} pieces, in no format or in several")
    return Received(received[0].format, b"".join(each.data for each in received))


def tone(audio_format: AudioFormat) -> bytes:
    """A sine on every channel."""
    at = np.arange(round(TONE_SECONDS * audio_format.sample_rate)) / audio_format.sample_rate
    samples: Samples = (0.5 * np.sin(2 * np.pi * TONE_HZ * at)).astype(np.float32)
    return encode(np.repeat(samples[:, None], audio_format.channels, axis=1), audio_format.encoding)


def sounding(samples: Samples) -> Samples:
    """Without the silence at the ends, which a provider may ask for."""
    loud = np.flatnonzero(np.abs(samples).max(axis=1) > SILENCE)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]


def pitch(samples: Samples, sample_rate: int) -> float:
    """The loudest frequency, in Hz."""
    if not len(samples):
        return 0.0
    windowed = samples * np.hanning(len(samples))
    return float(np.abs(np.fft.rfft(windowed)).argmax() * sample_rate / len(samples))


def describe(audio_format: AudioFormat) -> str:
    """For messages."""
    return f"{audio_format.sample_rate} Hz {audio_format.encoding} with {audio_format.channels} channel(s)"
