"""The soak test in short; ``benchmarks/soak.py`` is the long one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "soak.py"


def test_streams_over_a_bad_network_lose_no_word_and_leave_nothing() -> None:
    """Ten at a time, for seconds: drops are survived, all words are there, no task, socket or exception is left."""
    ran = subprocess.run(
        [sys.executable, SCRIPT, "4", "--streams", "10", "--pace", "3", "--seed", "3"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert not ran.stderr
    assert ran.stdout.count(" 0 missing") == 2
    assert " 0 drops survived" not in ran.stdout
    assert "0 tasks and 0 file descriptors left, 0 exceptions escaped" in ran.stdout
