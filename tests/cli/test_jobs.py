"""`stt jobs`: each command is a process of its own, and nothing but the id goes from one to the next."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stt_core.cli import main

from .test_terminal import ERASE, FAINT, PLAIN, Pty

if TYPE_CHECKING:
    from .conftest import Start

Capture = pytest.CaptureFixture[str]
Recording = Callable[..., str]


@pytest.fixture(autouse=True)
def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "errands"
    folder.mkdir()
    monkeypatch.setenv("ERRANDS", str(folder))
    monkeypatch.setenv("STT_CORE_MODEL", "errands")
    return folder


@pytest.fixture
def submitted(recording: Recording, capsys: Capture) -> Callable[[str], str]:
    """Submits a recording and gives the job's id, which is all that is on stdout."""

    def submit(name: str) -> str:
        assert main(["jobs", "submit", recording(name)]) == 0
        out, err = capsys.readouterr()
        assert err == f"stt: what it recognises is printed by: stt jobs wait {out.strip()}\n"
        return out.strip()

    return submit


def test_a_job_from_its_upload_to_its_text(submitted: Callable[[str], str], capsys: Capture) -> None:
    """wait says on stderr where the job is, each word of the vendor once, and prints the text when it is done."""
    job_id = submitted("call.wav")
    assert main(["jobs", "wait", job_id]) == 0
    out, err = capsys.readouterr()
    assert out == "this is call\n"
    assert [line.split(",")[0] for line in err.splitlines()] == [
        f"stt: job {job_id} is queued",
        f"stt: job {job_id} is running",
        f"stt: job {job_id} is done",
    ]
    assert main(["jobs", "result", job_id, "-f", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == "this is call"


def test_progress_is_in_place_on_a_terminal(submitted: Callable[[str], str], command: Path) -> None:
    """One line is written over as the job goes on, and what stays is the text."""
    job_id = submitted("call.wav")
    nothing, *shown, last = Pty([str(command), "jobs", "wait", job_id], 80).rest().split(ERASE)
    assert (nothing, last) == ("", "this is call\r\n")
    line = rf"{re.escape(FAINT)}stt: job {job_id} is (\w+), \d+ s so far{re.escape(PLAIN)}"
    words = [found[1] if (found := re.fullmatch(line, each)) else each for each in shown]
    assert [word for word, _ in groupby(words)] == ["queued", "running", "done"]


def test_where_a_job_is(submitted: Callable[[str], str], capsys: Capture) -> None:
    """All that the vendor tells: for people a line each, for programs an object."""
    job_id = submitted("broken.wav")
    assert main(["jobs", "status", job_id]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "  state    error (rejected)",
        "  created  2026-11-20 13:40:00+00:00",
        "  file     broken.wav",
        "  audio    63.0 s",
        "  error    no audio",
        "  error    none at all",
    ]
    assert main(["jobs", "status", job_id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "id": job_id,
        "state": "error",
        "vendor_state": "rejected",
        "created_at": "2026-11-20T13:40:00+00:00",
        "name": "broken.wav",
        "duration": 63.0,
        "errors": ["no audio", "none at all"],
    }


def test_all_jobs_are_listed(submitted: Callable[[str], str], capsys: Capture) -> None:
    """A line each, the newest first, no more than asked for; an object each for programs."""
    first, second = submitted("one.wav"), submitted("two.wav")
    assert main(["jobs", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [second, first]
    assert lines[1].split() == [first, "queued", "2026-11-20", "13:40:00+00:00", "63.0", "s", "one.wav"]
    assert main(["jobs", "list", "--limit", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == second


@pytest.mark.parametrize(
    ("name", "text"),
    [("json", '{\n  "said": "this"\n}\n'), ("srt", "1\n00:00:00,000 --> 00:00:01,000\nthis\n\n")],
)
def test_the_vendors_own_document_is_to_be_had(
    name: str, text: str, submitted: Callable[[str], str], capsys: Capture
) -> None:
    """--vendor gives it unchanged but for the layout of JSON."""
    assert main(["jobs", "result", submitted("one.wav"), "--vendor", name]) == 0
    assert capsys.readouterr().out == text


def test_a_job_is_deleted(submitted: Callable[[str], str], capsys: Capture) -> None:
    """A running one only by force; then it is listed only when it is asked for."""
    job_id = submitted("slow.wav")
    assert main(["jobs", "delete", job_id]) == 1
    assert "force" in capsys.readouterr().err
    assert main(["jobs", "delete", job_id, "--force"]) == 0
    assert capsys.readouterr() == ("", f"stt: {job_id} is deleted\n")
    assert main(["jobs", "list"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["jobs", "list", "--deleted"]) == 0
    assert capsys.readouterr().out.startswith(f"{job_id}  deleted ")


def test_a_job_that_there_is_not(capsys: Capture) -> None:
    """It is one line, and the exit code is 1."""
    assert main(["jobs", "status", "job-7"]) == 1
    assert capsys.readouterr() == ("", "stt: there is no job job-7\n")


@pytest.mark.parametrize(
    ("name", "arguments", "code", "said"),
    [
        ("broken.wav", ["wait"], 1, "no audio; none at all"),
        ("slow.wav", ["result"], 1, "is still queued"),
        ("slow.wav", ["wait", "--timeout", "0.05"], 1, "It goes on at errands"),
        ("slow.wav", ["result", "--vendor", "jsn"], 2, "did you mean `json`?"),
        ("slow.wav", ["wait", "-m", "fake"], 2, "no jobs"),
    ],
)
def test_what_cannot_be_had_is_one_line(
    name: str, arguments: list[str], code: int, said: str, submitted: Callable[[str], str], capsys: Capture
) -> None:
    """A job that failed, that is not done, or that is asked for in a way that there is not."""
    assert main(["jobs", arguments[0], submitted(name), *arguments[1:]]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err.splitlines()[-1]


def test_ctrl_c_ends_the_waiting_and_not_the_job(submitted: Callable[[str], str], start: Start, vendor: Path) -> None:
    """The exit code is 130, and the last line says how to find the job again."""
    job_id = submitted("slow.wav")
    process = start("jobs", "wait", job_id, "-m", "errands:en")
    assert process.stderr
    assert process.stderr.readline().startswith(f"stt: job {job_id} is queued")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (out, process.returncode) == ("", 130)
    again = f"stt jobs wait {job_id} -m errands:en"
    assert err.splitlines()[-1] == f"stt: stopped waiting; the job goes on, and is found again by: {again}"
    assert (vendor / f"{job_id}.json").exists()


def test_ctrl_c_during_the_upload_leaves_a_doubt(recording: Recording, start: Start) -> None:
    """Nobody knows then whether there is a job, and nobody says that there is none."""
    process = start("jobs", "submit", recording("stuck.wav"))
    assert process.stderr
    assert process.stderr.readline() == "errands: the upload has begun\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == (
        "",
        "stt: stopped: whether the upload became a job is not known; stt jobs list may tell\n",
    )
    assert process.returncode == 130


def test_a_file_is_transcribed_by_a_job(recording: Recording, capsys: Capture) -> None:
    """`stt transcribe` needs to know nothing about jobs."""
    assert main(["transcribe", recording("call.wav")]) == 0
    assert capsys.readouterr().out == "this is call\n"
    assert os.environ["STT_CORE_MODEL"] == "errands"
