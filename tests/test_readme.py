"""Every example and every command of README.md and docs/ does what it is there for.

A page is what a reader has, so nothing is added to it here: keys and addresses come from the environment, which leads
to this library's own servers with the embedded engine behind them, and the files are in the working directory.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import tomllib
import wave
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from stt_core.audio import AudioFormat, Converter
from stt_core.server import Host

ROOT = Path(__file__).parent.parent
SPEECH = ROOT / "tests" / "data" / "speech"
WORDS = (SPEECH / "weather.txt").read_text().strip()
PAGES = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("migration", "testing", "command-line"))]


@dataclass(frozen=True)
class Block:
    """A piece of code of a page, and what it prints, where the page says so."""

    page: str
    language: str
    code: str
    printed: str | None

    @property
    def name(self) -> str:
        lines = [line.strip() for line in self.code.splitlines()]
        first = next(line for line in lines if line and not line.startswith(("import ", "from ", "async def ")))
        return f"{self.page}: {first[:60]}"


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text("utf-8")
    for found in re.finditer(r"^```(\w+)\n(.*?)^```(?:\n\n```text\n(.*?)^```)?", text, re.M | re.S):
        language, code, printed = found.groups()
        if language != "text":
            yield Block(page.stem, language, code, printed)


BLOCKS = [block for page in PAGES for block in blocks(page)]
PYTHON = [block for block in BLOCKS if block.language == "python"]
TESTS = [block for block in PYTHON if "def test_" in block.code]
LISTENING = [block for block in PYTHON if "import microphone" in block.code]
EVERYWHERE = next(block for block in PYTHON if "for model in (" in block.code)
PROGRAMS = [block for block in PYTHON if block not in [EVERYWHERE, *TESTS, *LISTENING]]
LINES = [line for block in BLOCKS if block.language == "sh" for line in block.code.splitlines() if line]
COMMANDS = [list(words) for words in dict.fromkeys(tuple(shlex.split(line, comments=True)) for line in LINES)]
MAKE = [words[1] for words in COMMANDS if words[0] == "make"]
SERVE = [words for words in COMMANDS if words[:2] == ["stt", "serve"]]
TELL = [words for words in COMMANDS if words[:2] in (["stt", "providers"], ["stt", "explain"])]
STT = [words for words in COMMANDS if words[0] == "stt" and words not in SERVE + TELL]
PIP = [words for words in COMMANDS if words[0] == "pip"]
EXAMPLES = [words for words in COMMANDS if words[0] == "python"]
KIT = [words for words in COMMANDS if words[0] == "pytest"]
SCRIPTED = [words for words in COMMANDS if words[0].startswith("STT_CORE_MODEL=")]


class Vendors:
    """The servers, in a thread of their own, and the environment of who has accounts with all vendors."""

    def __init__(self) -> None:
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self.environment: Mapping[str, str] = {}

    async def _serve(self) -> None:
        async with Host("pocketsphinx/en-us") as host:
            self.environment = {
                "CARTESIA_API_KEY": "any",
                "CARTESIA_BASE_URL": host.urls["cartesia"],
                "KOTOBA_API_KEY": "any",
                "KOTOBA_ASR_REST_URL": host.urls["kotoba"],
                "KOTOBA_ASR_URL": f"{host.urls['kotoba']}/realtime",
                "LIVEKIT_API_KEY": "any",
                "LIVEKIT_API_SECRET": "any-secret-that-is-long-enough-to-sign-with",
                "LIVEKIT_INFERENCE_URL": host.urls["livekit"],
                "SPEECHMATICS_API_KEY": "any",
                "SPEECHMATICS_BATCH_URL": host.urls["speechmatics"],
                "SM_MANAGEMENT_PLATFORM_URL": host.urls["speechmatics"].replace("/v2", "/v1"),
            }
            self._started.set()
            await self._stop.wait()

    def __enter__(self) -> Vendors:
        self._thread.start()
        assert self._started.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="module")
def vendors() -> Iterator[Mapping[str, str]]:
    with Vendors() as running:
        yield running.environment


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader of the pages would be: beside recordings of several kinds, and what else the pages name."""
    weather, garden = (samples(name) for name in ("weather", "garden"))
    shutil.copy(SPEECH / "weather.wav", tmp_path / "call.wav")
    (tmp_path / "call.raw").write_bytes(weather.tobytes())
    line = Converter(AudioFormat(16000), AudioFormat(8000, 1, "pcm_mulaw"), mode="file")
    (tmp_path / "call.ulaw").write_bytes(line.convert(weather.tobytes()) + line.flush())
    with wave.open(str(tmp_path / "stereo.wav"), "wb") as stereo:
        stereo.setparams((2, 2, 16000, 0, "NONE", ""))
        left = np.concatenate([weather, np.zeros_like(garden)])
        right = np.concatenate([np.zeros_like(weather), garden])
        stereo.writeframes(np.stack([left, right], axis=1).tobytes())
    config = {"type": "transcription", "transcription_config": {"language": "en", "diarization": "speaker"}}
    (tmp_path / "job.json").write_text(json.dumps(config))
    (tmp_path / "lines.json").write_text('[{"text": "turn the light on", "start": 0.5, "end": 1.6}]')
    return tmp_path


def samples(name: str) -> npt.NDArray[np.int16]:
    with wave.open(str(SPEECH / f"{name}.wav")) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def surroundings(more: Mapping[str, str]) -> dict[str, str]:
    """The environment of a reader, who has this package's commands on the path, and no proxy."""
    dropped = ("STT_CORE_MODEL", "MAKEFLAGS", "MAKELEVEL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    kept = {name: value for name, value in os.environ.items() if name.upper() not in dropped}
    return {**kept, "PATH": f"{Path(sys.prefix) / 'bin'}{os.pathsep}{kept['PATH']}", **more}


def run(command: list[str] | str, folder: Path, environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=surroundings(environment or {}),
        shell=isinstance(command, str),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    return done.stdout


def run_program(block: Block, folder: Path, environment: Mapping[str, str]) -> str:
    (folder / "program.py").write_text(block.code)
    return run([sys.executable, "-W", "error", "program.py"], folder, environment)


def test_nothing_is_left_out() -> None:
    """Every block is Python or commands, and every command one of the kinds that are tried below."""
    assert {block.language for block in BLOCKS} == {"python", "sh"}
    kinds = (MAKE, SERVE, TELL, STT, PIP, EXAMPLES, KIT, SCRIPTED)
    assert sum(map(len, kinds)) == len(COMMANDS)
    assert {block.page for block in PROGRAMS} == {"README", "migration"}
    assert {block.page for block in TESTS} == {"README", "testing"}
    assert LISTENING


@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: block.name)
def test_programs_print_what_is_said(block: Block, folder: Path, vendors: Mapping[str, str]) -> None:
    """Each program prints what the page shows, or else, first of all, what is said in the call."""
    printed = run_program(block, folder, vendors)
    if block.printed is not None:
        assert printed == block.printed
    else:
        assert WORDS in printed.splitlines()[0]


def test_one_program_serves_all_that_it_names(folder: Path, vendors: Mapping[str, str]) -> None:
    """Whichever string it is, the words are the same."""
    configs = re.findall(r'"(\w+/\S+)"', EVERYWHERE.code)
    assert len(configs) == 4
    assert run_program(EVERYWHERE, folder, vendors).splitlines() == [WORDS] * 4


def test_the_chain_goes_on(folder: Path, vendors: Mapping[str, str]) -> None:
    """Nobody is where the first member should be: the next one has the words, and the program is told."""
    (block,) = (block for block in PROGRAMS if "CHAIN" in block.code)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    told, words = run_program(block, folder, {**vendors, "CARTESIA_BASE_URL": nobody}).splitlines()
    assert told.startswith("going on with livekit because the connection to 127.0.0.1 failed")
    assert words == WORDS


@pytest.mark.parametrize("block", LISTENING, ids=lambda block: block.name)
def test_the_microphone_is_heard(block: Block, folder: Path) -> None:
    """What is said comes while it goes on listening; Ctrl-C ends it. The device plays the call."""
    (folder / "program.py").write_text(block.code)
    (folder / "sounddevice.py").write_text(DEVICE)
    environment = surroundings({"PYTHONPATH": str(folder)})
    program = subprocess.Popen(
        [sys.executable, "program.py"], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert program.stdout is not None
        assert program.stdout.read(len(WORDS)).decode() == WORDS
        program.send_signal(signal.SIGINT)
        _, complaint = program.communicate(timeout=60)
    finally:
        program.kill()
    assert complaint.decode().splitlines()[-1] == "KeyboardInterrupt"


DEVICE = """
import threading, wave

class PortAudioError(Exception):
    pass

def query_devices(device, kind):
    return {"default_samplerate": 16000.0}

class RawInputStream:
    def __init__(self, *, blocksize, callback, **_):
        self.blocksize, self.callback, self.closed = blocksize, callback, threading.Event()

    def start(self):
        self.thread = threading.Thread(target=self.record)
        self.thread.start()

    def record(self):
        with wave.open("call.wav") as call:
            while not self.closed.wait(0.02):
                block = call.readframes(self.blocksize).ljust(2 * self.blocksize, bytes(1))
                self.callback(memoryview(block), self.blocksize, None, None)

    def close(self):
        self.closed.set()
        self.thread.join()
"""


def test_tests_pass(folder: Path) -> None:
    """The tests that the pages show are found and pass, with the options that they name."""
    for number, block in enumerate(TESTS):
        (folder / f"test_{number}.py").write_text(block.code)
    options = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"]
    told = run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *options, "."], folder)
    assert f"{sum(block.code.count('def test_') for block in TESTS)} passed" in told.splitlines()[-1]


@pytest.mark.parametrize("command", STT, ids=" ".join)
def test_commands_give_the_words(command: list[str], folder: Path, vendors: Mapping[str, str]) -> None:
    """Each `stt` command gives what is said in the call, on stdout or in the folder that it names."""
    line = " ".join(word if word == "<" else shlex.quote(word) for word in command)
    said = run(line, folder, vendors) + "".join(path.read_text() for path in folder.glob("out/*"))
    assert WORDS in " ".join(said.split())


@pytest.mark.parametrize("command", SCRIPTED, ids=" ".join)
def test_a_script_says_what_is_heard(command: list[str], folder: Path) -> None:
    """A provider in the environment needs no other program."""
    assert run(["env", *command], folder).strip() == "turn the light on"


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


@pytest.mark.parametrize("command", KIT, ids=" ".join)
def test_the_kit_runs(command: list[str], folder: Path) -> None:
    """`pytest` finds the provider; one promise stands for all, which tests/contract runs."""
    assert "PROVEN" in run([sys.executable, "-m", *command, "-p", "no:cacheprovider", "-k", "S11"], folder)


@pytest.mark.parametrize("command", EXAMPLES, ids=" ".join)
def test_examples_are_those_that_are_tried(command: list[str]) -> None:
    """What is run is there, and so is what it is given; `test_examples` runs it."""
    assert all((ROOT / path).exists() for path in command[1:])
    assert Path(command[1]).name in (ROOT / "tests" / "test_examples.py").read_text()


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
