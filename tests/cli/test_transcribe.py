"""`stt transcribe`: where results go, in which order, and what a failing file does to the others."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stt_core.cli import main

if TYPE_CHECKING:
    from .conftest import Start

Recording = Callable[..., str]
FAKE = ("-m", "fake")


def test_one_file_is_its_result_and_nothing_else(recording: Recording, capsys: pytest.CaptureFixture[str]) -> None:
    """The text alone is on stdout; stderr has the seconds of audio and the real-time factor."""
    assert main(["transcribe", recording("one.wav"), *FAKE]) == 0
    out, err = capsys.readouterr()
    assert out == "this is one\n"
    assert re.search(r"^stt: one\.wav: 2\.0 s of audio in \d+\.\d s, real-time factor \d+\.\d\d$", err, re.MULTILINE)


def test_several_texts_are_told_apart_and_in_order(recording: Recording, capsys: pytest.CaptureFixture[str]) -> None:
    """Each comes under its file's name, in the order of the arguments, whichever was done first."""
    files = [recording(name) for name in ("slower.wav", "two.wav", "three.wav")]
    assert main(["transcribe", *files, "-m", "fake?meet=3"]) == 0
    out, err = capsys.readouterr()
    assert out == (
        "==> slower.wav <==\nthis is slower\n\n==> two.wav <==\nthis is two\n\n==> three.wav <==\nthis is three\n"
    )
    assert re.search(r"^stt: 3 of 3 files: 6\.0 s of audio in ", err, re.MULTILINE)


def test_several_as_json_are_a_line_each(recording: Recording, capsys: pytest.CaptureFixture[str]) -> None:
    """A program reads one object per line: the file and its transcript, or why there is none."""
    assert main(["transcribe", recording("one.wav"), recording("broken.wav"), *FAKE, "-f", "json"]) == 1
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["file"], first["transcript"]["text"]) == ("one.wav", "this is one")
    assert second == {"file": "broken.wav", "error": "broken.wav: no audio"}


def test_a_file_that_fails_does_not_hide_the_others(recording: Recording, capsys: pytest.CaptureFixture[str]) -> None:
    """The others are still written, each failure is one line that names its file, and the exit code is 1."""
    files = [recording(name) for name in ("broken.wav", "refused.wav", "three.wav", "unasked.wav")]
    assert main(["transcribe", *files, *FAKE]) == 1
    out, err = capsys.readouterr()
    assert out == "==> three.wav <==\nthis is three\n"
    assert "stt: broken.wav: no audio\n" in err
    assert "stt: refused.wav: the vendor failed\n" in err
    assert err.splitlines()[-1].endswith("; 3 failed")


@pytest.mark.parametrize(
    ("names", "code"), [(["unasked"], 2), (["broken"], 1), (["unasked", "broken"], 1), (["unasked", "one"], 1)]
)
def test_what_the_exit_code_says(names: list[str], code: int, recording: Recording) -> None:
    """2 is only for what had to fail because of how it was asked for; all else that fails is 1."""
    assert main(["transcribe", *(recording(f"{name}.wav") for name in names), *FAKE]) == code


def test_subtitles_of_a_result_without_times_do_not_hide_the_others(
    recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be written in the form asked for is a failure of that file alone."""
    assert main(["transcribe", recording("one.wav"), recording("two.wav"), *FAKE, "-f", "srt", "-o", "out"]) == 2
    err = capsys.readouterr().err
    assert err.count("one.wav: ") == err.count("two.wav: ") == 2
    assert list((tmp_path / "out").iterdir()) == []


def test_each_file_gets_its_own_in_the_folder(
    recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With -o the folder is made and holds <name>.<format>; stdout stays empty."""
    assert main(["transcribe", recording("one.wav"), recording("two.wav"), *FAKE, "-o", "deep/out"]) == 0
    assert {path.name: path.read_text() for path in (tmp_path / "deep" / "out").iterdir()} == {
        "one.txt": "this is one\n",
        "two.txt": "this is two\n",
    }
    assert capsys.readouterr().out == ""


def test_a_result_that_cannot_be_written_fails_alone(
    recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that stands in the way is named, and the next result is written."""
    (tmp_path / "out" / "one.txt").mkdir(parents=True)
    assert main(["transcribe", recording("one.wav"), recording("two.wav"), *FAKE, "-o", "out"]) == 1
    assert "stt: out/one.txt cannot be written: Is a directory\n" in capsys.readouterr().err
    assert (tmp_path / "out" / "two.txt").read_text() == "this is two\n"


@pytest.mark.parametrize("parallel", [1, 3])
def test_no_more_at_once_than_asked_for(
    parallel: int, recording: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    """-j bounds how many are recognised at the same time, and so many are."""
    files = [recording(f"{number}.wav") for number in range(9)] + [recording("most.wav")]
    assert main(["transcribe", *files, "-m", f"fake?meet={parallel}", "-j", str(parallel)]) == 0
    assert capsys.readouterr().out.endswith(f"==> most.wav <==\nat most {parallel}\n")


def test_without_a_config_the_library_chooses(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command has no default of its own: what the environment names is asked."""
    monkeypatch.setenv("STT_CORE_MODEL", "fake/one")
    assert main(["transcribe", recording("one.wav")]) == 0
    assert capsys.readouterr().out == "this is one\n"


def until(process_line: Callable[[], str], what: str) -> None:
    while what not in (line := process_line()):
        assert line, f"{what!r} did not come"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_still_writes_what_is_done(
    number: signal.Signals, code: int, recording: Recording, start: Start
) -> None:
    """Results that waited for an earlier file are printed, stderr says what is missing, and nothing is a traceback."""
    files = [recording(name) for name in ("one.wav", "slow.wav", "three.wav")]
    process = start("transcribe", *files, *FAKE, "-j", "3")
    assert process.stderr
    assert process.stdout
    until(process.stdout.readline, "this is one")
    until(process.stderr.readline, "three.wav: 2.0 s of audio")
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert out == "\n==> three.wav <==\nthis is three\n"
    assert err.splitlines()[0] == "stt: stopped: 1 of 3 files are not transcribed"
    assert "Traceback" not in err
    assert process.returncode == code


def test_no_more_results_wait_than_are_bounded(recording: Recording, start: Start) -> None:
    """Behind a file that takes long only so many others are begun: their results are kept until it is written."""
    files = [recording(name) for name in ("slow.wav", *(f"{number}.wav" for number in range(1, 31)))]
    process = start("transcribe", *files, *FAKE, "-j", "2")
    assert process.stderr
    until(process.stderr.readline, "7.wav: 2.0 s of audio")
    with pytest.raises(subprocess.TimeoutExpired):  # time enough for a dozen more, if they were begun
        process.wait(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert "stt: stopped: 24 of 31 files are not transcribed\n" in err
    assert out.endswith("==> 7.wav <==\nthis is 7\n")
