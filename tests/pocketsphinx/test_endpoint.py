"""Where speech begins and ends, with a detector that says what it is told."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_pocketsphinx import endpoint
from stt_pocketsphinx.endpoint import FRAME_BYTES, FRAME_SAMPLES, Endpointer, Endpointing, quietest

VOICED = b"\1" + bytes(FRAME_BYTES - 1)
SILENT = bytes(FRAME_BYTES)


class ScriptedVad:
    def __init__(self, mode: int) -> None:
        assert mode in range(4)

    def is_speech(self, buf: bytes, sample_rate: int) -> bool:
        assert len(buf) == FRAME_BYTES
        assert sample_rate == 16000
        return buf[0] == 1


@pytest.fixture(autouse=True, scope="module")
def scripted_vad() -> Iterable[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(endpoint, "new_vad", ScriptedVad)
        yield


def changes(pattern: str, settings: Endpointing | None = None) -> list[int]:
    """Frames after which speech had begun or ended; ``x`` stands for a voiced one."""
    endpointer = Endpointer(settings or Endpointing())
    return [at for at, char in enumerate(pattern, 1) if endpointer.push(VOICED if char == "x" else SILENT)]


def test_speech_begins_with_enough_voice_and_ends_with_enough_silence() -> None:
    """By default after 0.12 s of voice (6 frames), and after 0.5 s (25 frames) with at most a tenth of voice in it."""
    assert changes("..." + "x" * 6) == [9]
    assert changes("x" * 20 + "." * 30) == [6, 43]


def test_clicks_do_not_begin_speech_and_a_stray_frame_does_not_hold_it_open() -> None:
    """Five voiced frames of eight are no speech; two of 25 do not keep speech open, three do."""
    assert changes("xxxxx" + "." * 50) == []
    assert changes("x.x..x" * 20) == []
    assert changes("x" * 10 + "." * 10 + "x" + "." * 15) == [6, 34]
    assert changes("x" * 10 + "...xxx" * 20) == [6]


def test_the_onset_is_the_first_voiced_frame_and_not_when_it_was_noticed() -> None:
    """When speech begins, `onset_frames` counts back to the first voiced frame of those that began it."""
    endpointer = Endpointer(Endpointing())
    for char in "..x.xxxx":
        assert not endpointer.push(VOICED if char == "x" else SILENT)
    assert endpointer.push(VOICED)
    assert endpointer.speaking
    assert endpointer.onset_frames == 7


def test_restart_waits_for_speech_anew() -> None:
    """After restart() nothing counts that was heard before."""
    endpointer = Endpointer(Endpointing())
    for _ in range(10):
        endpointer.push(VOICED)
    endpointer.restart()
    assert not endpointer.speaking
    assert endpointer.onset_frames == 0
    assert [endpointer.push(VOICED) for _ in range(6)] == [False] * 5 + [True]


@given(st.text("x.", max_size=400), st.sampled_from([0.02, 0.12, 0.5]), st.sampled_from([0.1, 0.5, 1.0]))
def test_boundaries_are_no_closer_than_the_settings_say(pattern: str, min_speech: float, end_silence: float) -> None:
    """Whatever the detector says, speech lasts at least `end_silence`, and begins with `min_speech` of voice."""
    found = changes(pattern, Endpointing(min_speech=min_speech, end_silence=end_silence))
    needed = max(1, round(min_speech / 0.02))
    for begin, end in pairwise(found):
        if found.index(begin) % 2 == 0:
            assert end - begin >= round(end_silence / 0.02)
            assert pattern[:begin][-2 * needed :].count("x") >= needed
        else:
            assert pattern[begin:end].count("x") >= needed


@given(st.integers(5, 60), st.data())
def test_quietest_finds_the_gap(frames: int, data: st.DataObject) -> None:
    """The cut lies in the middle of the only 100 ms of silence."""
    gap = data.draw(st.integers(0, frames - 5))
    loud = b"\0\x10" * FRAME_SAMPLES
    pcm = b"".join(SILENT if gap <= frame < gap + 5 else loud for frame in range(frames))
    assert quietest(pcm, 0) == gap * FRAME_SAMPLES + 5 * FRAME_SAMPLES // 2


def test_quietest_of_less_than_it_needs_is_the_end() -> None:
    """Without 100 ms to choose from, everything stays together."""
    assert quietest(b"\0\0" * 100, 50) == 100
