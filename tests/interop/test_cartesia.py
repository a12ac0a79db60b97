"""Cartesia's own SDKs against ``stt serve`` with the embedded engine behind it, on speech."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from conftest import Sdk

SPEECH = Path(__file__).parents[1] / "data" / "speech"
GARDEN = str(SPEECH / "garden.wav")
WORDS = (SPEECH / "garden.txt").read_text("utf-8").strip()


@pytest.fixture(scope="module")
def urls(serve: Callable[..., dict[str, str]]) -> dict[str, str]:
    return serve("-m", "pocketsphinx/en-us")


def localhost(url: str) -> str:
    """SDK 2.0.x speaks unencrypted WebSockets only to a host of this name."""
    return url.replace("127.0.0.1", "localhost")


def said(messages: list[dict[str, object]]) -> str:
    """The session's text as the vendor documents it: all finals, verbatim."""
    return "".join(str(message["text"]) for message in messages if message.get("is_final"))


def words_of(message: dict[str, object]) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", message.get("words") or []) if message.get("is_final") else []


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_the_first_sdk_streams(sdk: Callable[[str], Sdk], urls: dict[str, str], mode: str) -> None:
    """finalize and done: every word as finals, flush_done, done, with the times of the words."""
    messages = sdk("cartesia-2.0.6").run("cartesia_2.py", mode, localhost(urls["cartesia"]), GARDEN)
    assert said(messages) == WORDS
    kinds = [message["type"] for message in messages]
    assert kinds[-2:] == ["flush_done", "done"]
    assert [word["word"] for message in messages for word in words_of(message)] == WORDS.split()
    assert len({message["request_id"] for message in messages}) == 1


def test_the_first_sdk_uploads(sdk: Callable[[str], Sdk], urls: dict[str, str]) -> None:
    """One request, the text, its words and the duration."""
    (found,) = sdk("cartesia-2.0.6").run("cartesia_2.py", "batch", localhost(urls["cartesia"]), GARDEN)
    assert found["text"] == WORDS
    assert [word[0] for word in cast("list[tuple[str, float, float]]", found["words"])] == WORDS.split()
    assert found["duration"] == pytest.approx(3.465, abs=0.01)


def test_the_newest_sdk_streams_by_hand(sdk: Callable[[str], Sdk], urls: dict[str, str]) -> None:
    """manual_finalize: finalize, close, done."""
    messages = sdk("cartesia-4.2.0").run("cartesia_4.py", "manual", urls["cartesia"], GARDEN)
    assert said(messages) == WORDS
    assert [message["type"] for message in messages][-2:] == ["flush_done", "done"]


def test_the_newest_sdk_streams_turns(sdk: Callable[[str], Sdk], urls: dict[str, str]) -> None:
    """auto_finalize: connected, then turns that begin, grow and end with the words."""
    messages = sdk("cartesia-4.2.0").run("cartesia_4.py", "auto", urls["cartesia"], GARDEN)
    kinds = [str(message["type"]) for message in messages]
    assert kinds[0] == "connected"
    assert kinds[1] == "turn.start"
    assert kinds[-1] == "turn.end"
    assert "".join(str(message["transcript"]) for message in messages if message["type"] == "turn.end") == WORDS


def test_the_newest_sdk_uploads(sdk: Callable[[str], Sdk], urls: dict[str, str]) -> None:
    """The same answer as for the first one."""
    (found,) = sdk("cartesia-4.2.0").run("cartesia_4.py", "batch", urls["cartesia"], GARDEN)
    assert found["text"] == WORDS
