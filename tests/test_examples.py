"""The programs in ``examples`` do what they say; the one for OpenTelemetry is in ``test_metrics``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SPEECH = ROOT / "tests" / "data" / "speech"


def test_a_call_survives_the_internet() -> None:
    """Two vendors are killed in the middle of a sentence, and the embedded engine brings it to its end."""
    program = [sys.executable, str(ROOT / "examples" / "failover.py"), str(SPEECH / "garden.wav")]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    first, second, *finals, text = done.stdout.splitlines()
    assert first.startswith("cartesia -> livekit: ")
    assert second.startswith("livekit -> pocketsphinx: ")
    assert all(line.startswith("pocketsphinx: ") for line in finals)
    assert text == (SPEECH / "garden.txt").read_text().strip()
