"""The benchmarks measure what they say they do: every sample's counts hold, at both ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NotRequired, TypedDict

import pytest

BENCH = Path(__file__).parents[1] / "benchmarks" / "bench.py"

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="tells cores apart as Linux does")


class Result(TypedDict):
    group: str
    title: str
    contender: str
    values: NotRequired[list[float]]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the results of a run with next to nothing to do."""
    folder = tmp_path_factory.mktemp("bench")
    done = subprocess.run(
        [sys.executable, BENCH, "--mode", "tiny", "--contenders", "bare;stt-core", "--out", folder],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_every_benchmark_has_a_figure_that_counts(written: Path) -> None:
    """Neither ours nor the bare loop fails, or loses a message or a byte of audio on the way."""
    results: list[Result] = json.loads((written / "results.json").read_text("utf-8"))["results"]
    groups = {result["group"] for result in results}
    assert {"B1", "B2", "B3", "B5", "B6", "B7", "B8", "B9", "B10"} <= groups
    mine = [result for result in results if result["contender"] in ("stt-core", "bare")]
    failed = [result for result in mine if "values" not in result]
    assert not failed


def test_ours_loses_no_audio(written: Path) -> None:
    """What was pushed over a connection that broke is all received."""
    results: list[Result] = json.loads((written / "results.json").read_text("utf-8"))["results"]
    lost = [
        value
        for result in results
        if result["group"] == "B9" and result["contender"] == "stt-core"
        for value in result.get("values", [])
    ]
    assert lost
    assert set(lost) == {0.0}


def test_the_page_says_where_it_was_measured(written: Path) -> None:
    """The machine, the versions and the load come before any figure."""
    page = (written / "results.md").read_text("utf-8")
    head, _, _ = page.partition("## B1")
    assert "CPython" in head
    assert "aiohttp" in head
    assert "load" in head
    assert "stt-core" in page
