"""Files on their way up: what happens when a request is over before its body is."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from stt_core.audio.decode import AudioInput
from stt_core.transport.uploads import UploadedFile, uploaded


def test_a_file_that_is_closed_is_at_its_end(tmp_path: Path) -> None:
    """aiohttp may read once more in a thread, when nobody waits for it any more."""
    path = tmp_path / "call.wav"
    path.write_bytes(b"abcdef")
    file = uploaded(path.open("rb"))
    assert isinstance(file, UploadedFile)
    assert file.read(2) == b"ab"
    assert file.fileno() >= 0  # which is where its length is from
    file.close()
    assert file.read(2) == b""


def test_it_goes_on_from_where_it_stands(tmp_path: Path) -> None:
    """Also where more than that had been read ahead, or was just written."""
    path = tmp_path / "call.wav"
    path.write_bytes(b"abcdef")
    file = path.open("rb")
    file.read(3)
    with uploaded(file) as found:
        assert found.tell() == 3
        assert found.read() == b"def"
    temporary = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115  (closed as what it becomes)
    temporary.write(b"abcdef")
    temporary.seek(2)
    with uploaded(temporary) as found:
        assert found.read() == b"cdef"


def test_what_is_in_memory_stays_as_it_is() -> None:
    """It is read without a thread, and its length is known otherwise."""
    file = io.BytesIO(b"abc")
    assert uploaded(file) is file


def test_an_upload_that_was_given_up_takes_nothing_from_the_next() -> None:
    """Both read the caller's own file."""
    mine = io.BytesIO(b"abcdef")
    origin = AudioInput.from_any(mine)
    first = uploaded(origin.open_binary())
    assert first.read(3) == b"abc"
    first.close()
    second = uploaded(origin.open_binary())
    assert first.read(3) == b""
    assert second.read() == b"abcdef"
    assert not mine.closed


def test_other_errors_stay_errors(tmp_path: Path) -> None:
    """Only a closed file is quietly at its end."""
    path = tmp_path / "call.wav"
    path.write_bytes(b"abcdef")
    with uploaded(path.open("rb")) as file, pytest.raises(ValueError, match="non-negative"):
        file.read(-2)
