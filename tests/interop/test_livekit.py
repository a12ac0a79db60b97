"""LiveKit's own client of its inference gateway against ``stt serve`` with the embedded engine behind it, on speech."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from conftest import Sdk

SPEECH = Path(__file__).parents[1] / "data" / "speech"
GARDEN = str(SPEECH / "garden.wav")
WORDS = (SPEECH / "garden.txt").read_text("utf-8").strip()

OLDEST, NEWEST = "livekit-agents-1.2.11", "livekit-agents-1.8.9"
SECRET = 4 * "a-secret-of-the-api-"  # the driver's

Printed = Sequence[dict[str, object]]
Run = Callable[[str, str], Printed]


@pytest.fixture(scope="module")
def run(sdk: Callable[[str], Sdk], serve: Callable[..., dict[str, str]]) -> Run:
    """What a release prints for a call, once for each."""
    url = serve("-m", "pocketsphinx/en-us", "--api-key", SECRET, until="livekit")["livekit"]

    @cache
    def printed(release: str, call: str) -> Printed:
        return sdk(release).run("livekit_agents.py", call, url, GARDEN)

    return printed


def texts(printed: Printed, kind: str) -> list[str]:
    return [str(each["text"]) for each in printed if each.get("type") == kind]


def received(printed: Printed) -> list[str]:
    """The types of the messages that came over the wire, and ``close`` for the server's close frame."""
    return cast("list[str]", printed[-1]["received"])


@pytest.mark.parametrize("call", ["plain", "options", "no model"])
@pytest.mark.parametrize("release", [OLDEST, NEWEST])
def test_speech_comes_back_as_text(run: Run, release: str, call: str) -> None:
    """Interims that grow into the final, which has every word; START and END around it; session.closed at the end."""
    printed = run(release, call)
    assert " ".join(texts(printed, "final_transcript")) == WORDS
    interims = texts(printed, "interim_transcript")
    assert interims
    assert all(WORDS.startswith(text) for text in interims)
    kinds = [each["type"] for each in printed[:-1]]
    assert (kinds[0], kinds[-1]) == ("start_of_speech", "end_of_speech")
    assert [kind for kind in received(printed) if kind != "close"][-2:] == ["session.finalized", "session.closed"]


def test_the_oldest_waits_for_the_close(run: Run) -> None:
    """It knows no session.closed, and would wait for ever; of starts of speech it would complain."""
    printed = run(OLDEST, "plain")
    assert received(printed)[-1] == "close"
    assert "start_of_speech" not in received(printed)


def test_the_newest_has_the_words_and_their_times(run: Run) -> None:
    """Each word on its own, and the final's span within the 3.465 s of the recording."""
    printed = run(NEWEST, "plain")
    (final,) = (each for each in printed if each.get("type") == "final_transcript")
    assert final["words"] == WORDS.split()
    assert 0 < cast("float", final["start"]) < cast("float", final["end"]) < 3.5
    assert final["language"] == "en"


@pytest.mark.parametrize("call", ["update", "fallback"])
def test_the_newest_updates_and_falls_back(run: Run, call: str) -> None:
    """session.update in the middle of the speech costs no word; models to fall back on are nobody's business here."""
    printed = run(NEWEST, call)
    assert " ".join(texts(printed, "final_transcript")) == WORDS
    assert received(printed)[-1] == "session.closed"


@pytest.mark.parametrize(("release", "error"), [(OLDEST, "WSServerHandshakeError"), (NEWEST, "APIStatusError")])
def test_a_wrong_secret_is_a_401(run: Run, release: str, error: str) -> None:
    """The token that the client makes is checked against the secret of the server."""
    printed = run(release, "refused")
    assert printed == [{"error": error, "status": 401}, {"received": []}]
