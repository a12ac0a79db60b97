"""Processes that are asked one thing after the other, each on a core of its own where there are two."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from . import envs

HERE = Path(__file__).resolve().parents[1]
CORES = sorted(os.sched_getaffinity(0))
CLIENT_CORE, SERVER_CORE = CORES[0], CORES[-1]


class GoneError(Exception):
    """A process ended, or did not answer in time."""


class Asked:
    """A child that answers one line of JSON with another."""

    def __init__(self, command: list[str], core: int, environment: Mapping[str, str] | None = None) -> None:
        self._child = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if not os.environ.get("BENCH_DEBUG") else None,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        os.sched_setaffinity(self._child.pid, {core})
        self._told_to = cast("IO[str]", self._child.stdin)
        self._told = cast("IO[str]", self._child.stdout)
        self._ready = selectors.DefaultSelector()
        self._ready.register(self._told, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.kill()
        self._child.communicate()

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    def read(self, timeout: float) -> dict[str, Any]:
        if not self._ready.select(timeout):
            self._child.kill()
            raise GoneError(f"no answer within {timeout:g} s")
        line = self._told.readline()
        if not line:
            self._child.wait(10)
            said = self._child.stderr.read() if self._child.stderr is not None else ""
            raise GoneError(said.strip().rpartition("\n")[2][:200] or "it ended")
        return json.loads(line)

    def ask(self, job: Mapping[str, Any], timeout: float = 300.0) -> dict[str, Any]:
        try:
            self._told_to.write(json.dumps(job) + "\n")
            self._told_to.flush()
        except BrokenPipeError:
            return self.read(1.0)
        return self.read(timeout)


class Server(Asked):
    """The other end."""

    def __init__(self) -> None:
        super().__init__([sys.executable, str(HERE / "harness" / "server.py")], SERVER_CORE)
        self.ports = self.read(60)

    def url(self, what: str = "sockets") -> str:
        return f"http://127.0.0.1:{self.ports[what]}"


@dataclass(frozen=True)
class Contender:
    """Who takes part.

    Attributes:
        name: with the version.
        script: of the folder ``contenders``.
        dialects: what it can be measured with.
        env: its environment; ``None`` is the project's own.
        uvloop: the event loop.
    """

    name: str
    script: str
    dialects: tuple[str, ...]
    env: str | None = None
    uvloop: bool = False

    @property
    def missing(self) -> str | None:
        """Why it cannot take part."""
        for name in (self.env, "uvloop-0.23.0" if self.uvloop else None):
            if name is not None and envs.installed(name) is None:
                return f"{name} is not installed (make bench-peers)"
        return None

    @property
    def python(self) -> str:
        return sys.executable if self.env is None else str(envs.installed(self.env))

    @property
    def environment(self) -> dict[str, str]:
        if not self.uvloop:
            return {}
        return {"BENCH_UVLOOP": "1", "PYTHONPATH": str(envs.site_packages("uvloop-0.23.0"))}

    def start(self) -> Asked:
        script = str(HERE / "contenders" / self.script)
        return Asked([self.python, "-W", "ignore", script], CLIENT_CORE, self.environment)


STREAMS = ("cartesia", "livekit", "kotoba")
FILES = ("speechmatics", "kotoba-files", "cartesia-files")

CONTENDERS = (
    Contender("bare", "bare.py", STREAMS + FILES),
    Contender("stt-core", "ours.py", STREAMS + FILES),
    Contender("bare, uvloop", "bare.py", STREAMS, uvloop=True),
    Contender("stt-core, uvloop", "ours.py", STREAMS, uvloop=True),
    Contender("cartesia 4.2.0", "cartesia_sdk.py", ("cartesia", "cartesia-files"), "cartesia-4.2.0"),
    Contender("cartesia 2.0.6", "cartesia_sdk.py", ("cartesia",), "cartesia-2.0.6"),
    Contender("kotoba-sdk 0.3.0", "kotoba_sdk.py", ("kotoba", "kotoba-files"), "kotoba-0.3.0"),
    Contender("speechmatics-batch 1.1.0", "speechmatics_sdk.py", ("speechmatics",), "speechmatics-batch-1.1.0"),
    Contender("speechmatics-batch 0.4.7", "speechmatics_sdk.py", ("speechmatics",), "speechmatics-batch-0.4.7"),
    Contender("livekit-agents 1.8.9", "livekit_agents.py", ("livekit",), "livekit-agents-1.8.9"),
    Contender("pipecat 1.14.0", "pipecat_service.py", ("cartesia",), "pipecat-1.14.0"),
)
