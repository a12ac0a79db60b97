"""Kotoba's own SDKs against ``stt serve`` with the embedded engine behind it, on speech."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from conftest import Sdk

SPEECH = Path(__file__).parents[1] / "data" / "speech"
GARDEN = str(SPEECH / "garden.wav")
WORDS = (SPEECH / "garden.txt").read_text("utf-8").strip()

FIRST, NEWEST = "kotoba-0.1.1", "kotoba-0.3.0"
RELEASES = pytest.mark.parametrize("release", [FIRST, NEWEST])
FLAVOURS = pytest.mark.parametrize("flavour", ["sync", "async"])

Lines = list[dict[str, object]]
Call = Callable[..., Lines]


@pytest.fixture(scope="module")
def url(serve: Callable[..., dict[str, str]]) -> str:
    return serve("-m", "pocketsphinx/en-us", until="kotoba")["kotoba"]


@pytest.fixture
def call(sdk: Callable[[str], Sdk], url: str) -> Call:
    def run(release: str, flavour: str, name: str, **options: object) -> Lines:
        return sdk(release).run("kotoba_sdk.py", flavour, name, url, GARDEN, json.dumps(options))

    return run


@FLAVOURS
def test_the_first_sdk_transcribes_by_a_job(call: Call, flavour: str) -> None:
    """transcribe() submits and polls; the segments lie in the recording, in order."""
    (found,) = call(FIRST, flavour, "transcribe", with_timestamps=True, poll_interval=0.1)
    assert found["text"] == WORDS
    assert found["job_id"]
    segments = cast("list[dict[str, float]]", found["segments"])
    assert " ".join(str(segment["text"]) for segment in segments) == WORDS
    times = [time for segment in segments for time in (segment["start"], segment["end"])]
    assert [0.0, *times, 3.5] == sorted([0.0, *times, 3.5])


@FLAVOURS
def test_the_newest_sdk_transcribes_at_once(call: Call, flavour: str) -> None:
    """transcribe() is one request, with all that the document holds: a segment for each word."""
    (found,) = call(NEWEST, flavour, "transcribe", with_timestamps=True, keywords=["garden"])
    assert (found["text"], found["job_id"]) == (WORDS, None)
    segments = cast("list[dict[str, object]]", found["segments"])
    assert [segment["text"] for segment in segments] == WORDS.split()
    metadata = cast("dict[str, object]", found["metadata"])
    assert (metadata["language_code"], metadata["audio_duration_secs"]) == ("en", pytest.approx(3.465, abs=0.01))


@FLAVOURS
def test_the_newest_sdk_transcribes_by_a_job(call: Call, flavour: str) -> None:
    """With batch=True it is what the first release did; without times there are no segments."""
    (found,) = call(NEWEST, flavour, "transcribe", batch=True, poll_interval=0.1)
    assert (found["text"], found["segments"]) == (WORDS, None)
    assert found["job_id"]


@RELEASES
@FLAVOURS
def test_jobs_are_submitted_and_asked_after(call: Call, release: str, flavour: str) -> None:
    """submit_job and get_job: processing as long as it takes, then done with the text."""
    *before, last = call(release, flavour, "job", with_timestamps=True)
    assert {line["state"] for line in before} <= {"processing"}
    assert (last["state"], last["transcription"], last["error_message"]) == ("done", WORDS, None)
    assert last["segments"]
    assert len({line["job_id"] for line in (*before, last)}) == 1


@RELEASES
@FLAVOURS
def test_an_unknown_job_is_not_found(call: Call, release: str, flavour: str) -> None:
    """By the SDK's own name for it."""
    assert call(release, flavour, "missing") == [{"error": "JobNotFoundError", "status": 404}]


@RELEASES
@FLAVOURS
def test_streams_are_told_before_their_source_ends(call: Call, release: str, flavour: str) -> None:
    """transcribe_stream: a source that waits for the first delta gets it, and every word comes once."""
    lines = call(release, flavour, "stream")
    assert [line["told"] for line in lines if "told" in line] == [True]
    assert "".join(str(line["delta"]) for line in lines if "delta" in line) == f"{WORDS} {WORDS}"


@FLAVOURS
def test_the_newest_sdk_sees_turns_and_times(call: Call, flavour: str) -> None:
    """stream(): ready, pieces, the turn with its span, committed and done, by the SDK's names."""
    events = call(NEWEST, flavour, "session", timestamps=True, turn_detection={"silence_duration_ms": 400})
    kinds = [event["type"] for event in events]
    assert kinds == ["session_ready", "partial_transcript", "final_transcript", "committed", "done"]
    assert (events[1]["text"], events[2]["text"]) == (WORDS, WORDS)
    final = cast("dict[str, float]", events[2]["message"])
    assert 0 <= final["start_ms"] < final["end_ms"] <= 3500


@FLAVOURS
def test_the_first_sdk_never_sees_a_text_twice(call: Call, flavour: str) -> None:
    """It asks for no turns: the pieces are everything, and no final repeats them."""
    kinds = [event["type"] for event in call(FIRST, flavour, "session")]
    assert kinds == ["session_ready", "partial_transcript", "committed", "done"]
