"""Every example and every command of README.md does what it is there for."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import wave
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SPEECH = ROOT / "tests" / "data" / "speech"
WORDS = (SPEECH / "weather.txt").read_text().strip()
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
PROGRAMS = [code for language, code in BLOCKS if language == "python"]
COMMANDS = [
    shlex.split(line, comments=True) for language, code in BLOCKS if language == "sh" for line in code.splitlines()
]
MAKE = [command[1] for command in COMMANDS if command[0] == "make"]
SERVE = [command for command in COMMANDS if command[:2] == ["stt", "serve"]]
TELL = [command for command in COMMANDS if command[:2] in (["stt", "providers"], ["stt", "explain"])]
STT = [command for command in COMMANDS if command[0] == "stt" and command not in SERVE + TELL]
PIP = [command for command in COMMANDS if command[0] == "pip"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader of the README would be: beside a recording, as a file and as raw audio."""
    shutil.copy(SPEECH / "weather.wav", tmp_path / "call.wav")
    with wave.open(str(tmp_path / "call.wav")) as call:
        (tmp_path / "call.raw").write_bytes(call.readframes(call.getnframes()))
    return tmp_path


def run(command: list[str] | str, folder: Path) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    for name in ("STT_CORE_MODEL", "MAKEFLAGS", "MAKELEVEL"):
        environment.pop(name, None)
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        shell=isinstance(command, str),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_in_the_readme_is_left_out() -> None:
    """Every block is a program or commands, and every command one of the kinds that are tried below."""
    assert {language for language, _ in BLOCKS} == {"python", "sh"}
    assert len(MAKE) + len(SERVE) + len(TELL) + len(STT) + len(PIP) == len(COMMANDS)
    assert PROGRAMS


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_print_the_words(program: str, folder: Path) -> None:
    """Each program, run as a script, prints what is said in `call.wav`."""
    (folder / "program.py").write_text(program)
    assert run([sys.executable, "program.py"], folder).splitlines()[0] == WORDS


@pytest.mark.parametrize("command", STT, ids=" ".join)
def test_commands_give_the_words(command: list[str], folder: Path) -> None:
    """Each `stt` command gives what is said in `call.wav`, on stdout or in the folder that it names."""
    line = " ".join(word if word == "<" else shlex.quote(word) for word in command)
    said = run(line, folder) + "".join(path.read_text() for path in folder.glob("out/*"))
    assert WORDS in " ".join(said.split())


@pytest.mark.parametrize("command", TELL, ids=" ".join)
def test_commands_tell_about_what_they_name(command: list[str], folder: Path) -> None:
    """`stt providers` and `stt explain` tell about the providers that are named, or about all of them."""
    told = run(command, folder)
    named = set(re.findall("cartesia|livekit|pocketsphinx", " ".join(command))) or {"cartesia", "pocketsphinx"}
    assert all(name in told for name in named)


@pytest.mark.parametrize("command", SERVE, ids=" ".join)
def test_servers_say_where_they_are(command: list[str]) -> None:
    """`stt serve` prints the URL of each vendor, and ends when it is asked to."""
    at = command.index("--port")
    program = Path(sys.prefix) / "bin" / "stt"
    # A port that is free, instead of the one that a reader would choose.
    server = subprocess.Popen(
        [program, *command[1:at], "--port", "0", *command[at + 2 :]], stderr=subprocess.PIPE, text=True
    )
    assert server.stderr is not None
    assert re.fullmatch(r"stt: cartesia at http://localhost:\d+/cartesia", server.stderr.readline().strip())
    server.terminate()
    server.communicate(timeout=30)
    assert server.returncode == 0


@pytest.mark.parametrize("word", MAKE)
def test_make_knows_the_word(word: str) -> None:
    """`make` has a recipe for it; `demo` is tried below, and `test` is what is running now."""
    run(["make", "--dry-run", word], ROOT)


def test_demo_prints_the_words_twice() -> None:
    """`make demo` prints the sample's words as the file's text and again as the live stream's, and no others."""
    if not (Path(sys.prefix) / "bin" / "stt").exists():
        pytest.fail("the package is not installed in this environment: make test does that")
    # Its set-up is what `make test` has just done, here in this environment instead of one of its own.
    stamp = f"{sys.prefix}/.stamp-demo"
    printed = run(["make", "--no-print-directory", "demo", f"VENV={sys.prefix}", "--assume-old", stamp], ROOT)
    assert [line for line in printed.splitlines() if not line.endswith(":")] == [WORDS, WORDS]


@pytest.mark.parametrize("command", PIP, ids=" ".join)
def test_installation_names_extras_that_exist(command: list[str]) -> None:
    """An extra in a `pip install` line is one of the project's: pip only warns about one that is not."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    _, _, wanted = command
    match = re.fullmatch(r"stt-core\[([\w,]+)\]", wanted)
    assert match is not None
    assert set(match[1].split(",")) <= set(extras)
