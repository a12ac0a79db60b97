"""The clock map brings a connection's own time into the time of the audio that was pushed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.clockmap import ClockMap

RATE = 1000

stretches = st.lists(
    st.one_of(
        st.tuples(st.just("audio"), st.integers(0, 500), st.integers(1, 500)),  # a gap before it, its length
        st.tuples(st.just("silence"), st.integers(1, 500), st.just(0)),
    ),
    max_size=20,
)


@given(stretches)
def test_every_sample_sent_maps_to_its_own_position(plan: list[tuple[str, int, int]]) -> None:
    """Whatever was sent and injected before, each sample's time on the connection leads back to its position."""
    clock = ClockMap(RATE)
    truth: list[int] = []  # the input position of each sample on the wire
    position = 0
    for kind, first, second in plan:
        if kind == "audio":
            start, end = position + first, position + first + second
            clock.add_audio(start, end)
            truth.extend(range(start, end))
            position = end
        else:
            clock.add_silence(first / RATE)
            truth.extend([position] * first)
    assert clock.length == pytest.approx(len(truth) / RATE)
    for index, expected in enumerate(truth):
        assert clock.to_position(index / RATE) == expected


@given(stretches, st.lists(st.floats(-1, 30), min_size=2))
def test_time_never_runs_backwards(plan: list[tuple[str, int, int]], times: list[float]) -> None:
    """A later time on the connection is never an earlier position."""
    clock = ClockMap(RATE)
    position = 0
    for kind, first, second in plan:
        if kind == "audio":
            clock.add_audio(position + first, position + first + second)
            position += first + second
        else:
            clock.add_silence(first / RATE)
    mapped = [clock.to_position(seconds) for seconds in sorted(times)]
    assert mapped == sorted(mapped)
    assert not mapped or mapped[-1] <= position


def test_silence_before_any_audio_is_where_the_connection_begins() -> None:
    """What a provider says about it is not about the start of the call."""
    clock = ClockMap(RATE, 3000)
    clock.add_silence(0.5)
    assert clock.to_position(0.2) == 3000
    clock.add_audio(3000, 4000)
    assert clock.to_position(0.7) == 3200


def test_a_connection_from_the_start_needs_no_mapping() -> None:
    """The common case is recognised, and ends with the first discontinuity."""
    clock = ClockMap(RATE)
    clock.add_audio(0, 50)
    clock.add_audio(50, 100)
    assert clock.identity
    clock.add_silence(0.1)
    assert not clock.identity


def test_the_map_does_not_grow_with_the_call() -> None:
    """An hour of contiguous audio is one entry."""
    clock = ClockMap(RATE)
    for index in range(10_000):
        clock.add_audio(index * 50, (index + 1) * 50)
    assert len(clock._begins) == 1  # pyright: ignore[reportPrivateUsage]  (size is the subject)
