"""Messages between the library and a worker."""

import struct
from collections.abc import Iterable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.errors import ProtocolError
from stt_pocketsphinx import wire
from stt_pocketsphinx.decoder import Word
from stt_pocketsphinx.endpoint import Endpointing
from stt_pocketsphinx.engine import Event, EventKind
from stt_pocketsphinx.task import Kind, Task

u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
seconds = st.floats(0, 1000)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
words = st.builds(Word, text, u64, u64, st.none() | st.floats(0, 1))
events = st.builds(Event, st.sampled_from(EventKind), u64, u64, u64, st.lists(words, max_size=5).map(tuple))
settings_ = st.builds(Endpointing, seconds, seconds, seconds, seconds, st.integers(0, 3))
tasks = st.builds(
    Task,
    st.sampled_from(Kind),
    text,
    st.none() | st.floats(0, 100),
    st.booleans(),
    st.lists(st.tuples(text, st.floats(1e-40, 1)), max_size=3).map(tuple),
    st.lists(text, max_size=3).map(tuple),
    st.none() | text,
    st.none() | text,
)
messages: st.SearchStrategy[wire.Message] = st.one_of(
    st.builds(wire.Load, u32, tasks),
    st.builds(wire.Open, u32, st.booleans(), settings_),
    st.builds(wire.Audio, u32, st.binary(max_size=2000)),
    st.builds(wire.Flush, u32, u32),
    st.builds(wire.End, u32),
    st.builds(wire.Close, u32),
    st.builds(wire.Ready, u32),
    st.builds(wire.Happened, u32, events),
    st.builds(wire.Flushed, u32, u32, u64),
    st.builds(wire.Ended, u32, u64),
    st.builds(wire.Failed, u32, text),
)


def fed(pieces: Iterable[bytes]) -> list[wire.Message]:
    decoder = wire.Decoder()
    return [message for piece in pieces for message in decoder.feed(piece)]


@given(st.lists(messages, max_size=6), st.data())
def test_any_split_of_the_bytes_gives_the_messages(sent: list[wire.Message], data: st.DataObject) -> None:
    """What was encoded is decoded, wherever the pipe cut the bytes."""
    stream = b"".join(wire.encode(message) for message in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert fed(pieces) == sent


@given(messages, st.data())
def test_the_beginning_of_a_message_is_no_message(message: wire.Message, data: st.DataObject) -> None:
    """As long as a byte is missing, nothing is said; when it comes, everything is."""
    whole = wire.encode(message)
    cut = data.draw(st.integers(0, len(whole) - 1))
    decoder = wire.Decoder()
    assert decoder.feed(whole[:cut]) == []
    assert decoder.feed(whole[cut:]) == [message]


@given(st.binary(max_size=300))
def test_garbage_is_a_protocol_error_or_incomplete(data: bytes) -> None:
    """Whatever comes, nothing but ProtocolError is raised."""
    with suppress(ProtocolError):
        fed([data])


@given(messages, st.integers(5, 60), st.binary(min_size=1, max_size=3))
def test_a_damaged_message_is_a_protocol_error(message: wire.Message, kept: int, more: bytes) -> None:
    """A frame that is shorter or longer than what it says is refused; audio has any length."""
    body = wire.encode(message)[4:]
    for changed in (body[:kept], body + more):
        if changed == body or isinstance(message, wire.Audio):
            continue
        with pytest.raises(ProtocolError):
            fed([struct.pack("<I", len(changed)) + changed])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(struct.pack("<I", 2**31), id="oversized"),
        pytest.param(struct.pack("<I", 2), id="shorter than its head"),
        pytest.param(struct.pack("<IBI", 5, 99, 0), id="unknown type"),
        pytest.param(struct.pack("<IBIBQQQH", 32, 17, 0, 77, 0, 0, 0, 0), id="unknown event"),
        pytest.param(struct.pack("<IBIH", 9, 20, 0, 2) + b"\xff\xff", id="no text"),
        pytest.param(b"Traceback (most recent call last):\n", id="text on stdout"),
    ],
)
def test_nonsense_is_refused_at_once(data: bytes) -> None:
    """A length that no message has, an unknown type or field, text that is none: not waited for, not guessed at."""
    with pytest.raises(ProtocolError):
        fed([data])


def test_a_long_reason_is_cut() -> None:
    """A failure's text always fits into its message."""
    (message,) = fed([wire.encode(wire.Failed(1, "é" * 100_000))])
    assert isinstance(message, wire.Failed)
    assert 0 < len(message.reason) < 100_000
