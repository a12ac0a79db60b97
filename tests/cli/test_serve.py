"""`stt serve` as a process of its own: what it prints, how it ends, and its exit codes."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from stt_core.cli import main

PROGRAM = "import sys; from stt_core.cli import main; sys.exit(main(sys.argv[1:]))"


@contextmanager
def serving(*args: str) -> Generator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """A server on a free port, once it has printed the base URL of every provider."""
    command = [sys.executable, "-c", PROGRAM, "serve", "--port", "0", "-m", "scripted", *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        urls: dict[str, str] = {}
        while "cartesia" not in urls:
            line = process.stderr.readline()
            assert line.startswith("stt: "), line + process.stderr.read()
            name, _, url = line.removeprefix("stt: ").strip().partition(" at ")
            urls[name] = url
        try:
            yield process, urls
        finally:
            process.kill()


def status_of(url: str, **headers: str) -> int:
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})  # noqa: S310
    try:
        with urllib.request.urlopen(request) as response:  # noqa: S310  (loopback)
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_where_it_says_and_ends_cleanly(number: signal.Signals) -> None:
    """Port 0 prints the port chosen; Ctrl-C ends with 0, nothing on stdout and no traceback."""
    with serving() as (process, urls):
        assert urls["cartesia"].endswith("/cartesia")
        assert status_of(urls["cartesia"] + "/") == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "")
        assert err.splitlines()[-1] == "stt: stopping"
        assert "Traceback" not in err


def test_root_and_keys() -> None:
    """--root serves a provider at / and prints that URL; --api-key is what clients have to present."""
    with serving("--root", "cartesia", "--api-key", "one", "--api-key", "two") as (_, urls):
        assert urls["cartesia"].count("/") == 2
        voices = urls["cartesia"] + "/voices?cartesia_version=2026-03-01"
        assert [status_of(voices, X_API_Key=key) for key in ("one", "two", "three")] == [200, 200, 401]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--host", "0.0.0.0"], "--api-key"),  # noqa: S104  (refused)
        (["--fetch-host", "https://files.example"], "host:port"),
        (["--root", "nobody"], "no provider is called"),
        (["--root", "scripted"], "no server half"),
        (["-m", "nobody/nothing"], "no provider is called"),
        (["--port", "70000"], "--port"),
        (["--allow-origin", "app.example"], "app.example"),
        (["--max-sessions", "0"], "--max-sessions"),
    ],
)
def test_bad_usage_is_told_in_one_line(
    args: list[str], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, before anything listens."""
    monkeypatch.delenv("STT_SERVE_API_KEYS", raising=False)
    assert main(["serve", *args]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err
