"""`stt stream`: audio from a file and from stdin, results on stdout, and how it ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stt_core.cli import main
from stt_core.cli.sources import played
from stt_core.testing.clock import virtual_time

if TYPE_CHECKING:
    from .conftest import Start

Recording = Callable[..., str]
Script = Callable[..., str]


def test_a_file_is_streamed_to_its_end(
    recording: Recording, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    """Finals come on lines of their own; in a pipe there are no interims, and stderr is silent."""
    assert main(["stream", recording("call.wav", 1.2), "-m", script("turn the light on")]) == 0
    assert capsys.readouterr() == ("turn the light on\n", "")


def test_a_file_is_played_at_the_pace_of_speech(recording: Recording) -> None:
    """No sample comes before it would have been spoken, and none much later, whoever takes the time between."""
    path = Path(recording("call.wav", 2.0))

    @virtual_time
    async def play() -> None:
        loop = asyncio.get_running_loop()
        start, heard = loop.time(), 0
        source = played(path)
        with source.open:
            async for piece in source.audio:
                assert isinstance(piece, np.ndarray)
                heard += len(piece)
                assert 0 <= loop.time() - start - heard / 8000 < 0.03
                await asyncio.sleep(0.02)
        assert heard == 16000

    play()


def test_broken_audio_is_a_failed_recognition(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no audio is one line and 1."""
    (tmp_path / "notes.wav").write_text("this is not audio at all, whatever its name says")
    assert main(["stream", str(tmp_path / "notes.wav"), "-m", "scripted"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_what_cannot_stream_is_told_in_one_line(recording: Recording, capsys: pytest.CaptureFixture[str]) -> None:
    """A provider that hears files only is a wrong configuration: 2."""
    assert main(["stream", recording("call.wav"), "-m", "fake"]) == 2
    assert capsys.readouterr().err == "stt: the fake cannot stream\n"


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_stdin_is_read_to_its_end_as_described(
    kind: str, script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is said at the end of the audio is heard, in the time of the format given; from a pipe and from a file."""
    data = bytes(2 * 8000 * 3)  # 3 s of two channels of mu-law
    if kind == "file":
        (tmp_path / "raw").write_bytes(data)
        source = os.open(tmp_path / "raw", os.O_RDONLY)
    else:
        source, end = os.pipe()
        os.write(end, data)
        os.close(end)
    with os.fdopen(source, "rb") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        form = ["--sample-rate", "8000", "--encoding", "pcm_mulaw", "--channels", "2"]
        assert main(["stream", "-", *form, "-m", script("first", "second", "third")]) == 0
    assert capsys.readouterr().out == "first\nsecond\n"


def test_ctrl_c_is_how_stdin_ends(start: Start) -> None:
    """What was said until then is still printed although the pipe stays open, and the exit code is 0."""
    process = start("stream", "-", "--sample-rate", "8000", "-m", "fake/polite", stdin=subprocess.PIPE)
    assert process.stderr
    assert process.stderr.readline() == "fake: the input has begun\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout
    assert process.stdout.read() == "that was all\n"
    assert process.stderr.read() == "fake: the input has ended\n"
    assert process.wait(30) == 0


@pytest.mark.parametrize("options", [(), ("--device", "7", "--channels", "2"), ("--device", "deaf")], ids=str)
def test_ctrl_c_is_how_a_microphone_ends(options: tuple[str, ...], start: Start) -> None:
    """It is listened to until then, what was said is still printed, and the exit code is 0."""
    process = start("stream", "--mic", *options, "-m", "fake/polite")
    assert process.stderr
    assert process.stderr.readline() == "fake: the input has begun\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("that was all\n", "fake: the input has ended\n")
    assert process.returncode == 0


def test_a_microphone_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """It is one line, and the exit code is 1."""
    assert main(["stream", "--mic", "--device", "loud", "-m", "fake/polite"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("stt: the microphone cannot be opened: ")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_file_that_is_cut_short_is_told_by_the_exit_code(
    number: signal.Signals, code: int, recording: Recording, script: Script, start: Start
) -> None:
    """Its input ends, what was said is printed, and nothing else."""
    process = start("stream", recording("call.wav", 600), "-m", script("one", until=0.2))
    assert process.stdout
    assert process.stdout.readline() == "one\n"
    process.send_signal(number)
    assert (*process.communicate(timeout=30), process.returncode) == ("", "", code)


def test_a_second_ctrl_c_ends_at_once(recording: Recording, start: Start) -> None:
    """Whoever waits long is told that he need not: then it is 130 at once, without a traceback."""
    process = start("stream", recording("call.wav", 600), "-m", "fake/deaf?drain_timeout=600")
    assert process.stderr
    assert process.stderr.readline() == "fake: the input has begun\n"
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "fake: the input has ended\n"
    assert process.stderr.readline() == "stt: waiting for the last results; Ctrl-C ends at once\n"
    process.send_signal(signal.SIGINT)
    assert (*process.communicate(timeout=30), process.returncode) == ("", "", 130)


def test_a_signal_that_a_script_ignores_stays_ignored(script: Script, recording: Recording, start: Start) -> None:
    """`nohup` and `&` in a script shield a command from Ctrl-C in the terminal; it goes on to its end."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = start("stream", recording("call.wav", 1.5), "-m", script("one", until=0.2))
    finally:
        signal.signal(signal.SIGINT, previous)
    assert process.stdout
    assert process.stdout.readline() == "one\n"
    process.send_signal(signal.SIGINT)
    assert (*process.communicate(timeout=30), process.returncode) == ("", "", 0)


def test_a_reader_that_goes_away_is_no_crash(recording: Recording, script: Script, start: Start) -> None:
    """`stt ... | head -1` ends without a traceback when head has gone, with the code that a shell knows it by."""
    process = start("stream", recording("call.wav", 600), "-m", script("one", "two", until=0.2))
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() == "one\n"
    process.stdout.close()
    assert (process.wait(30), process.stderr.read()) == (141, "")


def test_a_full_disk_is_one_line(recording: Recording, script: Script, start: Start) -> None:
    """What cannot be written is told, and the exit code is 1."""
    with Path("/dev/full").open("w") as full:
        process = start("stream", recording("call.wav", 1.2), "-m", script("one"), stdout=full.fileno())
        assert process.communicate(timeout=30)[1] == "stt: stdout: No space left on device\n"
    assert process.returncode == 1


def test_an_outage_is_told_once(
    recording: Recording, script: Script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The stream's event and the library's log say the same: it is one line, and with -v all that is logged."""
    monkeypatch.setenv("CARTESIA_API_KEY", "sk_car_of_nobody")
    config = f"cartesia?base_url=http://127.0.0.1:9&max_retries=0 | {script('one', until=0.2)}"
    line = ["stream", recording("call.wav", 0.6), "-m", config]
    assert main(line) == 0
    out, err = capsys.readouterr()
    assert out == "one\n"
    assert re.fullmatch(r"stt: scripted takes over from cartesia: .+ failed: .+\n", err)
    assert main([*line, "-v"]) == 0
    out, err = capsys.readouterr()
    assert out == "one\n"
    assert "; going on with scripted" in err
    assert "sk_car" not in err


def test_verbose_shows_where_an_error_came_from(recording: Recording, capsys: pytest.CaptureFixture[str]) -> None:
    """The traceback comes before the line."""
    assert main(["stream", recording("call.wav"), "-m", "fake", "-v"]) == 2
    err = capsys.readouterr().err
    assert re.match(r"Traceback .*in create_runner\n.*\nstt: the fake cannot stream\n$", err, re.DOTALL)
