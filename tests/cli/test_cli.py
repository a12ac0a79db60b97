"""What all commands of `stt` share: bad usage, errors, exit codes, and how quickly it starts."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stt_core.cli import main
from stt_core.cli.logs import told

Recording = Callable[..., str]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing command"),
        (["transcrib"], "transcrib"),
        (["transcribe"], "Missing argument"),
        (["transcribe", "no-such-file.wav"], "no-such-file.wav"),
        (["transcribe", "one.wav", "--formt", "srt"], "--formt"),
        (["transcribe", "one.wav", "two.wav", "-f", "srt"], "-o DIR"),
        (["transcribe", "one.wav", "twin/one.wav", "-o", "out"], "twin/one.wav would both be written to out/one.txt"),
        (["transcribe", "one.wav", "-o", "two.wav/out"], "two.wav/out cannot be made"),
        (["transcribe", "one.wav", "-j", "0"], "-j"),
        (["stream"], "--mic"),
        (["stream", "one.wav", "--mic"], "--mic"),
        (["stream", "one.wav", "--device", "1"], "--mic"),
        (["stream", "--mic", "--encoding", "pcm_alaw"], "a microphone says its own"),
        (["stream", "one.wav", "--sample-rate", "8000"], "a file says its own"),
        (["jobs"], "Missing command"),
        (["jobs", "submit"], "Missing argument"),
        (["jobs", "wait", "7", "--timeout", "0"], "--timeout"),
        (["stream", "-"], "--sample-rate 16000"),
        (["stream", "-", "--sample-rate", "1"], "--sample-rate"),
        (["stream", "-", "--sample-rate", "8000", "--encoding", "mp3"], "pcm_mulaw"),
    ],
    ids=str,
)
def test_bad_usage_is_one_line_and_2(
    recording: Recording, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be meant is refused, in one line that says what to do."""
    for name in ("one.wav", "two.wav", "twin/one.wav"):
        recording(name)
    assert main([*arguments, *(["-m", "nobody"] if len(arguments) > 1 else [])]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err
    assert "--help" in err


@pytest.mark.parametrize(
    ("config", "code", "said"),
    [
        ("nobody", 2, "no provider is called `nobody`"),
        ("fake/two", 2, "fake has no model `two`"),
        ("fake?met=1", 2, "did you mean `meet`?"),
        ("fake?api_key=sk_1234567", 2, "is a secret"),
        ("cartesia", 2, "set CARTESIA_API_KEY"),
    ],
)
def test_a_wrong_configuration_is_one_line_and_2(
    config: str,
    code: int,
    said: str,
    recording: Recording,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It says what is accepted, nothing is recognised, and a secret is not repeated."""
    monkeypatch.delenv("CARTESIA_API_KEY", raising=False)
    assert main(["transcribe", recording("one.wav"), "-m", config]) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err
    assert "sk_1234567" not in err


def test_what_the_library_warns_of_is_a_line(recording: Recording, capsys: pytest.CaptureFixture[str]) -> None:
    """A recording that was cut off is transcribed, and it is told that it was."""
    path = Path(recording("one.wav", 1.0))
    path.write_bytes(path.read_bytes()[:8000])
    assert main(["stream", str(path), "-m", "scripted"]) == 0
    assert capsys.readouterr() == ("", "stt: the WAV data ends after 7956 of 16000 bytes: reading what is there\n")
    assert not [handler for handler in logging.getLogger().handlers if "stt_core" in type(handler).__module__]


@pytest.mark.parametrize("verbose", [False, True])
def test_what_is_logged_with_a_traceback(verbose: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """It is one line too, unless where it came from is asked for."""
    with told(verbose=verbose, silent=["quiet"]):
        logging.getLogger("quiet").warning("hush")
        logging.getLogger("asyncio").info("nothing\nmuch")
        logging.getLogger("asyncio").error("a callback\nfailed", exc_info=KeyError("why"))
    err = capsys.readouterr().err
    assert err.endswith("stt: a callback failed (KeyError: 'why')\n")
    assert ("hush" in err, "stt: nothing much\n" in err) == (verbose, verbose)
    assert err.count("\n") == (4 if verbose else 1)


@pytest.mark.parametrize("package", ["click", "rich"])
def test_without_its_extra_it_is_named(
    package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`stt` is installed without its extra too; then it says in one line which one it needs."""
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["providers"]) == 2
    assert 'pip install "stt-core[cli]"' in capsys.readouterr().err


def test_a_text_that_the_terminal_cannot_show_is_escaped(recording: Recording, command: Path) -> None:
    """An encoding without the text's letters ends neither the command nor the text."""
    done = subprocess.run(
        [command, "transcribe", recording("\u4e00.wav"), "-m", "fake"],
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"this is \\u4e00\n"


def test_with_nowhere_to_print_to_it_still_works(recording: Recording, command: Path) -> None:
    """`stt ... >&- 2>&-` is no reason to fail; the folder gets its file."""
    line = f"{command} transcribe {recording('one.wav')} -m fake -o out >&- 2>&-"
    subprocess.run(["bash", "-c", line], check=True)  # noqa: S607
    assert Path("out/one.txt").read_text() == "this is one\n"


def test_a_name_that_is_no_text_is_no_crash(recording: Recording, command: Path) -> None:
    """File names are bytes, and JSON keeps them apart."""
    os.rename(recording("one.wav"), b"\xff.wav")  # noqa: PTH104  (bytes)
    line = [command, "transcribe", b"\xff.wav", recording("two.wav"), "-m", "fake", "-f", "json"]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert [json.loads(each)["file"] for each in done.stdout.splitlines()] == ["\udcff.wav", "two.wav"]


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["transcribe", "--help"], ["stream", "--help"], ["providers"], ["explain", "lab"]],
    ids=" ".join,
)
def test_it_starts_without_what_it_does_not_need(arguments: list[str]) -> None:
    """Help loads neither numpy nor a provider nor the event loop, and what tells of providers no numpy either."""
    program = (
        "import sys, json; from stt_core.cli import main; code = main(sys.argv[1:]); "
        "print(); print(json.dumps([code, *sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    code, *modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    heavy = {"numpy", "aiohttp", "soxr", "pydantic", "rich"}
    if arguments[0] not in ("providers", "explain"):
        heavy |= {"asyncio", "stt_core.registry"}
    assert not heavy & set(modules)
