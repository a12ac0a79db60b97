"""The `stt` command with a provider of the tests' own, installed like anybody's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stt_core.plugins import loaded, providers

PROVIDERS = ("errands", "fake", "lab")

STT = Path(sys.prefix) / "bin" / "stt"

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What has to be on the path for the providers of tests/cli/plugin."""
    folder = tmp_path_factory.mktemp("plugins")
    info = folder / "stt_fake-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stt-fake\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[stt_core.providers]\n" + "".join(f"{name} = stt_{name}:PROVIDER\n" for name in PROVIDERS)
    )
    return [str(folder), str(Path(__file__).parent / "plugin"), str(Path(__file__).parent / "devices")]


@pytest.fixture(autouse=True)
def fake(plugins: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The providers of tests/cli/plugin are installed, here and in the processes that a test starts."""
    monkeypatch.setattr(sys, "path", [*plugins, *sys.path])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(plugins))
    monkeypatch.delenv("STT_CORE_MODEL", raising=False)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    yield
    sys.modules.pop("sounddevice", None)
    monkeypatch.undo()
    if loaded().keys() & set(PROVIDERS):
        providers()


@pytest.fixture
def command() -> Path:
    """The command as it is installed."""
    return STT


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Makes a recording of silence in the folder that the test is in, and gives its name back."""
    monkeypatch.chdir(tmp_path)

    def make(name: str, seconds: float = 0.1) -> str:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        with wave.open(str(tmp_path / name), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(bytes(2 * round(8000 * seconds)))
        return name

    return make


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts the installed command with pipes, and kills what is left of it."""
    running: list[subprocess.Popen[str]] = []

    def run(*args: str, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
        process = subprocess.Popen([STT, *args], stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, text=True)
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., str]:
    """Makes a config of the scripted provider that hears each text for a second, with a second between them."""

    def make(*texts: str, until: float = 1.0) -> str:
        lines = [
            {"text": text, "start": 2 * number + 0.1, "end": 2 * number + until} for number, text in enumerate(texts)
        ]
        (tmp_path / "script.json").write_text(json.dumps(lines))
        return f"scripted?script={tmp_path / 'script.json'}"

    return make
