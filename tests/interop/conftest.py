"""The vendors' own SDKs at the other end: each release in an environment of its own, driven as a subprocess.

Run by ``make interop``; ``make test`` leaves this folder out, because building the environments takes the network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

if not os.environ.get("STT_INTEROP"):
    collect_ignore_glob = ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test of each release installs it, which is as slow as the network is."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(1200))


@dataclass(frozen=True)
class Sdk:
    """A vendor's SDK, installed."""

    python: Path

    def run(self, driver: str, *arguments: str) -> list[dict[str, object]]:
        """Runs a script of ``drivers/`` with the SDK, and gives the JSON lines that it printed."""
        done = subprocess.run(
            [self.python, "-W", "ignore", HERE / "drivers" / driver, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="session")
def sdk() -> Callable[[str], Sdk]:
    """Makes the environment of ``envs/<name>.txt``, once for each content of that file."""

    def make(name: str) -> Sdk:
        requirements = HERE / "envs" / f"{name}.txt"
        digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
        home = ROOT / ".interop" / f"{name}-{digest}"
        python = home / "bin" / "python"
        done = home / ".done"
        if not done.exists():
            venv.create(home, with_pip=True, clear=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", requirements], check=True)
            done.touch()
        return Sdk(python)

    return make


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., dict[str, str]]]:
    """Starts ``stt serve``, and gives the base URL of each provider, in their order, up to ``until``."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str, until: str = "cartesia") -> dict[str, str]:
        server = subprocess.Popen(
            [Path(sys.executable).with_name("stt"), "serve", "--port", "0", *arguments],
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(server)
        urls: dict[str, str] = {}
        assert server.stderr is not None
        for line in server.stderr:
            found = re.match(r"stt: (\S+) at (\S+)", line)
            if found is None:
                pytest.fail(line)
            urls[found[1]] = found[2]
            if until in urls:
                break
        return urls

    yield start
    for server in running:
        server.terminate()
    for server in running:
        server.communicate(timeout=30)
