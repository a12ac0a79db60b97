from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.audio.chunker import Chunker
from stt_core.errors import AudioError

pieces = st.lists(st.one_of(st.binary(max_size=50), st.none()), max_size=30)


@given(st.integers(1, 4), st.integers(1, 12), pieces)
def test_like_concatenation(frame_bytes: int, frames: int, pushed: list[bytes | None]) -> None:
    """Whatever is pushed and whenever it is flushed (None), the same bytes come out, in exact chunks between flushes.

    A flush gives whole sample frames and keeps half a one.
    """
    size = frame_bytes * frames
    chunker = Chunker(size, frame_bytes)
    taken = given_ = b""
    for piece in pushed:
        if piece is None:
            tail = chunker.flush()
            assert len(tail) % frame_bytes == 0
            assert len(tail) < size
            assert chunker.pending < frame_bytes
            taken += tail
        else:
            given_ += piece
            chunks = chunker.push(piece)
            assert all(type(chunk) is bytes and len(chunk) == size for chunk in chunks)
            taken += b"".join(chunks)
            assert chunker.pending < size
        assert len(taken) + chunker.pending == len(given_)
        assert given_.startswith(taken)
    taken += chunker.flush()
    assert taken == given_[: len(given_) - len(given_) % frame_bytes]


def test_a_chunk_passes_through() -> None:
    """A piece that is a chunk already is not copied."""
    data = bytes(1600)
    assert Chunker(1600, 2).push(data)[0] is data


@pytest.mark.parametrize(("chunk", "frame"), [(0, 1), (5, 2), (1, 2), (4, 0), (-4, 2)])
def test_sizes_that_do_not_go_together(chunk: int, frame: int) -> None:
    """A chunk of half samples cannot be asked for."""
    with pytest.raises(AudioError, match="whole sample frames"):
        Chunker(chunk, frame)
