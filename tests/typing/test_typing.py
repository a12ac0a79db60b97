"""What type checkers and editors make of the providers' own classes, as pyright does.

Each file of ``snippets`` is checked as it stands. A line with ``# refused`` has to be an error, one with ``# refused:
name`` an error that names it, and no other line may be one. Pyright comes with ``make lint``.
"""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
import typing
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, TypeAlias, cast

import aiohttp
import pytest

from stt_core.credentials import Credential
from stt_core.options import CommonOptions, fields
from stt_core.plugins import get_provider
from stt_core.registry import WITHOUT_EFFECT_LOCALLY

pytest.importorskip("pyright", reason="pyright is installed by `make lint`")

ROOT = Path(__file__).parents[2]
SNIPPETS = sorted((Path(__file__).parent / "snippets").glob("*.py"))
PROVIDERS = sorted(path.parent.name.removeprefix("stt_") for path in (ROOT / "providers").glob("*/__init__.py"))

Json: TypeAlias = "dict[str, object]"

# -- pyright's verdict ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, str]]:
    """What pyright, set up as for the project, says of each snippet: messages by line."""
    folder = tmp_path_factory.mktemp("snippets")
    for snippet in SNIPPETS:
        shutil.copy(snippet, folder)
    settings = cast("Json", tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pyright"])
    paths = {"extraPaths": [str(ROOT), str(ROOT / "providers")], "venvPath": str(Path(sys.prefix).parent)}
    (folder / "pyrightconfig.json").write_text(
        json.dumps({**settings, **paths, "venv": Path(sys.prefix).name, "include": ["."], "exclude": []})
    )
    command = [sys.executable, "-m", "pyright", "--outputjson", "--project", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    report = cast("Mapping[str, list[Json]]", json.loads(done.stdout))
    found: dict[str, dict[int, str]] = {path.name: {} for path in SNIPPETS}
    for each in report["generalDiagnostics"]:
        place = cast("Mapping[str, Mapping[str, int]]", each["range"])
        lines = found[Path(str(each["file"])).name]
        number = place["start"]["line"] + 1
        lines[number] = f"{lines.get(number, '')} {each['message']}"
    return found


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: path.stem)
def test_a_type_checker_refuses_what_is_wrong_and_nothing_else(
    snippet: Path, complaints: dict[str, dict[int, str]]
) -> None:
    """Another model's option, a wrong value, a name that nobody knows; all that is right is accepted."""
    marks = {
        number: mark[1]
        for number, line in enumerate(snippet.read_text("utf-8").splitlines(), 1)
        if (mark := re.search(r"# refused(?:: (\w+))?$", line))
    }
    said = complaints[snippet.name]
    assert marks
    assert sorted(said) == sorted(marks), said
    assert all(name is None or f'"{name}"' in said[number] for number, name in marks.items())


# -- the registration ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_providers_class_is_typed_as_it_is_registered(name: str) -> None:
    """Each family's models and options, and what every provider takes, are those of one overload, and no others."""
    provider = get_provider(name)
    module_name, _, class_name = provider.client.partition(":")
    module = importlib.import_module(module_name)
    names = {**vars(module), "aiohttp": aiohttp, "Credential": Credential, "ModelConfig": str}
    typed: dict[str, frozenset[str]] = {}
    for overload in typing.get_overloads(getattr(module, class_name).__init__):
        hints = typing.get_type_hints(overload, globalns=names)
        (arguments,) = typing.get_args(hints["options"]) or (None,)
        if arguments is None:
            continue  # for configs that are parsed already
        for model in _literals(hints["model"]):
            assert model not in typed, f"{model} is in two overloads"
            typed[model] = frozenset(fields(arguments))
    for family in provider.families:
        local = (family.kind or provider.kind) == "local"
        most = {*fields(family.options), *fields(CommonOptions)}
        # What has no effect on a local engine is refused at run time.
        least = most - WITHOUT_EFFECT_LOCALLY if local else most
        for model in family.models:
            assert least <= typed.pop(model) <= most, model
    assert not typed


def _literals(hint: object) -> list[str]:
    args = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return [str(arg) for arg in args]
    return [literal for arg in args for literal in _literals(arg)]


# -- an editor -----------------------------------------------------------------------------------------------------


class Editor:
    """As much of an editor as asks pyright's language server for completions."""

    def __init__(self, to_server: IO[bytes], from_server: IO[bytes]) -> None:
        self._to_server = to_server
        self._from_server = from_server
        self._numbers = count(1)

    def open_folder(self) -> None:
        folder = {"uri": ROOT.as_uri(), "name": "stt-core"}
        self.ask("initialize", {"processId": None, "capabilities": {}, "workspaceFolders": [folder]})
        self.tell("initialized", {})

    def complete(self, text: str) -> set[str]:
        """What is offered at the ``|`` in the text."""
        before, _, after = text.partition("|")
        uri = (ROOT / f"typed-{next(self._numbers)}.py").as_uri()
        document = {"uri": uri, "languageId": "python", "version": 1, "text": before + after}
        self.tell("textDocument/didOpen", {"textDocument": document})
        at = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}
        answer = self.ask("textDocument/completion", {"textDocument": {"uri": uri}, "position": at})
        items = cast("list[Mapping[str, str]]", cast("Json", answer["result"])["items"])
        return {item["label"] for item in items}

    def ask(self, method: str, params: object) -> Json:
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._receive()
            if "method" not in message and message.get("id") == number:
                return message
            if "method" in message and "id" in message:
                self._send({"id": message["id"], "result": None})

    def tell(self, method: str, params: object) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: Json) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._to_server.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._to_server.flush()

    def _receive(self) -> Json:
        length = 0
        while line := self._from_server.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return cast("Json", json.loads(self._from_server.read(length)))


@contextmanager
def editing() -> Generator[Editor]:
    command = [sys.executable, "-m", "pyright.langserver", "--stdio"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        editor = Editor(server.stdin, server.stdout)
        try:
            editor.open_folder()
            yield editor
            editor.ask("shutdown", None)
            editor.tell("exit", None)
        finally:
            server.terminate()


def test_an_editor_completes_models_options_and_their_values() -> None:
    """Of every family of the gateway, as it is registered."""
    start = "from stt_livekit import LiveKitSTT\nLiveKitSTT("
    families = get_provider("livekit").families
    with editing() as editor:
        options = editor.complete(f'{start}"deepgram/nova-3", |)')
        models = editor.complete(f'{start}"|")')
        values = editor.complete(f'{start}"assemblyai", mode="|")')
    assert {f"{name}=" for family in families for name in fields(family.options)} <= options
    assert {f'"{model}"' for family in families for model in family.models} <= models
    assert {'"min_latency"', '"balanced"', '"max_accuracy"'} <= values
