"""What a telephone line brings, pushed into every provider over a socket: the bytes that arrive are what is declared.

S13 for all of them at once. The other end says what it was told and what it was sent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stt_core.audio.encodings import Samples, decode, encode
from stt_core.audio.frames import AudioFormat
from stt_core.plugins import providers, registered
from stt_core.testing.clock import virtual_time_run
from stt_core.testing.contract.drive import Call, Speech
from stt_core.testing.contract.finding import find_subjects
from stt_template import PROVIDER as TEMPLATE

if TYPE_CHECKING:
    from stt_core.testing.contract import Received, Subject

MU_LAW = AudioFormat(8000, 1, "pcm_mulaw")
A_LAW = AudioFormat(8000, 1, "pcm_alaw")
NARROW = AudioFormat(8000)
STEREO = AudioFormat(48000, 2)

NATIVE: Mapping[str, Collection[AudioFormat]] = {
    "cartesia": {MU_LAW, A_LAW, NARROW},
    "kotoba": {MU_LAW},
    "livekit": {NARROW},
    "template": {MU_LAW, NARROW},
}
"""What each vendor takes as it is, by its documents."""

SECONDS = 2.0
LEFT_HZ, RIGHT_HZ = 440.0, 620.0
TOO_NOISY_DB = 25.0
"""Mu-law alone leaves 37 dB; samples that are misread leave none."""

EDGE_SECONDS = 0.1
"""Where a tone begins and ends a filter rings."""


@pytest.fixture(autouse=True)
def installed_template() -> Iterator[None]:
    """As if it were."""
    with registered(TEMPLATE):
        yield


def socket_subjects() -> list[Subject]:
    """Of every provider that is installed and has a server half, and of the template."""
    with registered(TEMPLATE):
        names = [name for name, each in providers().items() if each.kind == "socket" and each.server is not None]
        return [subject for name in names for subject in find_subjects(name)]


SUBJECTS = socket_subjects()


def voice(sample_rate: int, channels: int) -> Samples:
    """A tone on each channel, another one on the second: what a line sounds like is known at any rate."""
    at = np.arange(round(SECONDS * sample_rate)) / sample_rate
    tones = [0.4 * np.sin(2 * np.pi * hertz * at) for hertz in (LEFT_HZ, RIGHT_HZ)[:channels]]
    return np.stack(tones, axis=1).astype(np.float32)


async def sent(subject: Subject, pushed: AudioFormat, data: bytes) -> Received:
    """What arrives at the other end in one connection."""
    assert subject.received is not None
    async with subject.environment(), Call.open(subject, Speech(data, pushed, (), [], [])) as call:
        await call.speak()
        await call.finish()
        call.require_end()
        (received,) = subject.received(call.stt)
    return received


@pytest.mark.parametrize("pushed", [MU_LAW, A_LAW, NARROW, STEREO], ids=["mu-law", "A-law", "8 kHz", "48 kHz stereo"])
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_a_line_is_heard_as_it_is(subject: Subject, pushed: AudioFormat) -> None:
    """Untouched where the vendor takes it so; else decoded, resampled, mixed, and declared as what it has become."""
    data = encode(voice(pushed.sample_rate, pushed.channels), pushed.encoding)
    received = virtual_time_run(sent(subject, pushed, data))
    declared = received.format
    native = pushed in NATIVE[subject.name.partition(",")[0]]
    assert (declared == pushed) is native
    assert declared.channels == 1
    if native:
        assert received.data == data
        return
    heard = decode(received.data, declared.encoding)
    assert len(heard) / declared.sample_rate == pytest.approx(SECONDS, abs=1 / 1000)
    if declared.sample_rate == pushed.sample_rate and pushed.channels == 1:  # the very same samples in another encoding
        assert received.data == encode(decode(data, pushed.encoding), declared.encoding)
    expected = voice(declared.sample_rate, pushed.channels).mean(axis=1)
    assert noise_db(heard, expected, declared.sample_rate) > TOO_NOISY_DB


def noise_db(heard: Samples, expected: Samples, sample_rate: int) -> float:
    """How far what differs lies below what was said, but for the edges."""
    edge, length = round(EDGE_SECONDS * sample_rate), min(len(heard), len(expected))
    heard, expected = heard[edge : length - edge], expected[edge : length - edge]
    return float(10 * np.log10(np.mean(expected**2) / np.mean((heard - expected) ** 2)))


def test_every_socket_is_asked() -> None:
    """A provider that is new has to say what it takes as it is; nobody is passed over."""
    assert {subject.name.partition(",")[0] for subject in SUBJECTS} == set(NATIVE)
    assert all(subject.received is not None for subject in SUBJECTS)


def test_what_is_misread_is_noise() -> None:
    """The measure finds stereo read as mono, one law read as the other, and another rate than the one declared."""
    stereo = encode(voice(48000, 2), "pcm_s16le")
    assert noise_db(decode(stereo, "pcm_s16le"), voice(48000, 2).mean(axis=1), 48000) < TOO_NOISY_DB
    mu_law = encode(voice(8000, 1), "pcm_mulaw")
    assert noise_db(decode(mu_law, "pcm_alaw"), voice(8000, 1)[:, 0], 8000) < TOO_NOISY_DB
    assert noise_db(decode(mu_law, "pcm_mulaw"), voice(16000, 1)[:, 0], 16000) < TOO_NOISY_DB
    assert noise_db(decode(mu_law, "pcm_mulaw"), voice(8000, 1)[:, 0], 8000) > TOO_NOISY_DB
