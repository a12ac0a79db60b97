"""The worker as a program: how it starts, wherever its parent runs, and how it ends."""

import os
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stt_core.errors import MissingExtraError
from stt_pocketsphinx import launch, wire
from stt_pocketsphinx.endpoint import Endpointing
from stt_pocketsphinx.engine import EventKind
from stt_pocketsphinx.task import Task
from stt_pocketsphinx.worker import Worker

Speech = Callable[[str], tuple[bytes, str]]

SAMPLE = Path(__file__).parent.parent / "data" / "speech" / "garden.wav"


class Peer:
    """The other end of a worker's pipes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.stdin, self.stdout, self.stderr = process.stdin, process.stdout, process.stderr
        self._decoder = wire.Decoder()
        self._inbox: list[wire.Message] = []

    def say(self, *messages: wire.Message) -> None:
        self.stdin.write(b"".join(wire.encode(message) for message in messages))
        self.stdin.flush()

    def hear(self) -> wire.Message:
        while not self._inbox:
            data = os.read(self.stdout.fileno(), 65536)
            assert data, self.stderr.read()
            self._inbox += self._decoder.feed(data)
        return self._inbox.pop(0)


@contextmanager
def worker() -> Generator[Peer]:
    process = subprocess.Popen(
        launch.command(),
        env=launch.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    with process:
        try:
            peer = Peer(process)
            peer.say(wire.Load(0, Task()))
            assert peer.hear() == wire.Ready(0)
            yield peer
        finally:
            process.kill()


def test_a_session_over_pipes(speech: Speech) -> None:
    """Ctrl-C does not touch it; what it says are messages and nothing else; after an error, a new session works."""
    pcm, text = speech("garden")
    with worker() as peer:
        peer.process.send_signal(signal.SIGINT)
        peer.say(wire.Audio(5, pcm))  # of no session: not answered
        peer.say(wire.Open(6, live=True, settings=Endpointing(vad_mode=9)))  # no such mode
        failed = peer.hear()
        assert isinstance(failed, wire.Failed)
        assert failed.session == 6
        assert "ValueError" in failed.reason
        peer.say(wire.Open(7, live=True, settings=Endpointing()), wire.Audio(7, pcm), wire.Flush(7, 1), wire.End(7))
        heard = [peer.hear()]
        while not isinstance(heard[-1], wire.Ended):
            heard.append(peer.hear())
        assert all(message.session == 7 for message in heard)
        assert heard[-1] == wire.Ended(7, len(pcm) // 2)
        assert heard[-2] == wire.Flushed(7, 1, len(pcm) // 2)
        events = [message.event for message in heard if isinstance(message, wire.Happened)]
        assert " ".join(w.text for e in events if e.kind is EventKind.FINAL for w in e.words) == text
        peer.stdin.close()
        assert peer.process.wait() == 0
        assert peer.stderr.read() == b""


def test_it_ends_with_its_input_even_at_work(speech: Speech) -> None:
    """When the input ends in the middle of its work it drops that at once: nobody is there to hear the rest."""
    pcm, _ = speech("garden")
    sent: list[wire.Message] = [wire.Load(0, Task())]
    sent += [wire.Open(1, live=False, settings=Endpointing()), wire.Audio(1, pcm), wire.End(1)]
    pending: list[bytes | None] = [b"".join(wire.encode(message) for message in sent), *[None] * 10]
    heard: list[wire.Message] = []

    def receive(wait: bool) -> bytes | None:
        assert not wait or pending[0]
        return pending.pop(0) if pending else b""

    worker = Worker(receive, lambda data: heard.extend(wire.Decoder().feed(data)))
    worker.run()
    events = [message.event for message in heard if isinstance(message, wire.Happened)]
    assert len(events) == 11
    assert all(event.kind is EventKind.PROGRESS for event in events)
    assert not isinstance(heard[-1], wire.Ended)


def test_garbage_ends_it_with_the_reason() -> None:
    """A parent that does not speak the protocol is told so on stderr."""
    with worker() as peer:
        peer.stdin.write(b"GET / HTTP/1.1\r\n\r\n")
        peer.stdin.flush()
        assert peer.process.wait() == 1
        assert b"ProtocolError" in peer.stderr.read()


PROGRAM = f"""
    import asyncio
    import stt_core

    async def main():
        async with stt_core.create_stt("pocketsphinx/en-us") as stt:
            print((await stt.recognize({str(SAMPLE)!r})).text)
"""

THREAD = """
    import threading
    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join()
"""


def run(arguments: list[str], cwd: Path, text: str | None = None) -> str:
    # Warnings as errors: an unclosed transport or a zombie would be told.
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments], cwd=cwd, input=text, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout.strip()


@pytest.mark.parametrize("way", ["script", "stdin", "thread"])
def test_it_starts_wherever_the_caller_runs(way: str, tmp_path: Path, speech: Speech) -> None:
    """From an unguarded script in a folder with files called as in the standard library, from stdin, from a thread."""
    program = textwrap.dedent(PROGRAM) + textwrap.dedent(THREAD if way == "thread" else "\n    asyncio.run(main())\n")
    if way == "stdin":
        said = run(["-"], tmp_path, program)
    else:
        for name in ("struct", "select", "enum", "re"):
            (tmp_path / f"{name}.py").write_text("raise SystemExit('not this one')")
        script = tmp_path / "elsewhere" / "program.py"
        script.parent.mkdir()
        script.write_text(program)
        said = run([str(script)], tmp_path)
    assert said == speech("garden")[1]


def test_it_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    """kill -9 of the parent closes the pipe, and the worker goes."""
    program = textwrap.dedent("""
        import asyncio
        from stt_pocketsphinx.pool import WorkerPool

        async def main():
            pool = WorkerPool()
            await pool.prewarm()
            print(*pool.pids, flush=True)
            await asyncio.Event().wait()

        asyncio.run(main())
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=tmp_path) as parent:
        assert parent.stdout is not None
        pid = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        assert select.select([pid], [], [], 10)[0], "the worker is still there"
    finally:
        os.close(pid)


def test_its_environment_holds_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's packages are on its path, from a source tree too; keys and the caller's PYTHONPATH are not there."""
    monkeypatch.setenv("CARTESIA_API_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", "")  # which means the working directory
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setattr("site.getsitepackages", lambda: list[str]())
    environment = launch.environment()
    assert environment["HOME"] == "/home/someone"
    assert "CARTESIA_API_KEY" not in environment
    path = environment["PYTHONPATH"].split(os.pathsep)
    assert str(Path(launch.__file__).parent.parent) in path
    assert all(Path(folder).is_absolute() for folder in path)
    assert len(set(path)) == len(path)


def test_it_loads_little() -> None:
    """The process holds a decoder and no framework: none of the modules that a client needs."""
    program = "import sys, stt_pocketsphinx.worker; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", program], text=True).split())
    assert not loaded & {"aiohttp", "asyncio", "numpy", "pydantic", "soxr"}


@pytest.mark.parametrize("module", ["pocketsphinx", "webrtcvad"])
def test_a_missing_package_is_named_before_a_process_starts(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Without the extra the error names it, at once."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf'{module}: pip install "stt-core\[local\]"'):
        launch.command()
