"""What cannot be proven is seen in pytest's output."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = """
from stt_core.testing.contract import NotProven, Promise, PromiseBroken

def test_kept():
    pass

def test_doubtful():
    raise NotProven("S3 no silent loss: the subject has no way to drop its connection")

def test_broken():
    raise PromiseBroken(Promise.FLUSH, "flush() hangs")
"""


def test_not_proven_is_an_outcome_of_its_own(tmp_path: Path) -> None:
    """It is neither among the passed nor among the skipped, and the summary says why."""
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "stt_core.testing.plugin", "-p", "no:cacheprovider", "-v"]
    run = subprocess.run(
        [*command, f"--rootdir={tmp_path}", str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "test_doubtful NOT PROVEN" in run.stdout
    assert "NOT PROVEN test_it.py::test_doubtful: S3 no silent loss: the subject has no way to drop" in run.stdout
    assert "PromiseBroken: S6 flush: flush() hangs" in run.stdout
    assert "1 failed, 1 passed, 1 not proven" in run.stdout
