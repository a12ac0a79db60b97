"""What is imported when, and by whom; the directions between layers are import-linter's (`make lint`)."""

import ast
import importlib
import json
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

import stt_core

ROOT = Path(__file__).parent.parent
PROVIDERS = sorted(path.parent.name for path in (ROOT / "providers").glob("*/__init__.py"))
HEAVY = {"numpy", "aiohttp", "soxr", "pydantic", "asyncio", "importlib.metadata"}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("stt_core", *PROVIDERS, include_external_packages=True, cache_dir=None)


@pytest.fixture(scope="module")
def at_run_time() -> grimp.ImportGraph:
    return grimp.build_graph(
        "stt_core", *PROVIDERS, include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
    )


def imported_by(statement: str) -> set[str]:
    """The modules that a statement loads in a fresh interpreter, beyond those that its start loads."""
    program = (
        f"import sys, json; before = set(sys.modules); {statement}; print(json.dumps([*sys.modules.keys() - before]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def heavy_at_start() -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, json; print(json.dumps([*sys.modules]))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return HEAVY & set(json.loads(done.stdout))


def test_nothing_heavy_hides_in_the_interpreters_start() -> None:
    """A bare interpreter has loaded none of the modules looked for, or the comparison below would prove nothing."""
    assert not heavy_at_start()


def test_importing_the_package_is_light() -> None:
    """`import stt_core` loads none of the heavy modules."""
    assert not imported_by("import stt_core") & HEAVY


def test_errors_and_events_are_light() -> None:
    """Catching an error or matching an event type costs no heavy module either."""
    assert not imported_by("from stt_core import STTError, SpeechEventType") & HEAVY


@pytest.mark.parametrize("provider", PROVIDERS)
def test_importing_a_provider_is_light(provider: str) -> None:
    """A provider's package describes it without aiohttp, numpy or a built validator."""
    assert not imported_by(f"import {provider}") & {"aiohttp", "numpy", "soxr", "pydantic"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_name_of_a_provider_resolves(provider: str) -> None:
    """Its own class among them, which is imported when it is asked for; no other name is there."""
    package = importlib.import_module(provider)
    client = package.PROVIDER.load_client()
    assert {getattr(package, name) for name in package.__all__} >= {package.PROVIDER, client}
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = package.no_such_name


def type_checking_names() -> set[str]:
    tree = ast.parse((ROOT / "stt_core" / "__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    names: set[str] = set()
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.AnnAssign):
            names.add(ast.unparse(node.target))
    return names


def test_what_type_checkers_see_is_what_is_public() -> None:
    """The names of the TYPE_CHECKING block, of `__all__` and of `dir()` are the same, each once."""
    assert len(stt_core.__all__) == len(set(stt_core.__all__))
    assert type_checking_names() == set(stt_core.__all__) == set(dir(stt_core))


@pytest.mark.parametrize("name", stt_core.__all__)
def test_every_public_name_resolves(name: str) -> None:
    """A public name is there, and where it has a module of its own, it is the one that type checkers are shown."""
    value: object = getattr(stt_core, name)
    home = {
        alias.name: node.module
        for node in ast.walk(ast.parse((ROOT / "stt_core" / "__init__.py").read_text()))
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }.get(name)
    if home is not None:
        assert value is getattr(importlib.import_module(f"stt_core.{home}"), name)


def test_every_error_and_event_is_public() -> None:
    """What `errors` exports, and what `events` does, needs no second import."""
    from stt_core import errors, events

    assert set(errors.__all__) <= set(stt_core.__all__)
    assert set(events.__all__) - {"Settlement"} <= set(stt_core.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that is not public fails as it does in any module."""
    name = "transcribed"
    with pytest.raises(AttributeError, match="module 'stt_core' has no attribute 'transcribed'"):
        getattr(stt_core, name)


def direct(graph: grimp.ImportGraph, module: str) -> set[str]:
    return {imported.split(".")[0] for imported in graph.find_modules_directly_imported_by(module)}


def test_only_the_socket_layers_import_aiohttp(at_run_time: grimp.ImportGraph) -> None:
    """Sockets are opened in `transport`, `server` and `testing`; at most an annotation names aiohttp elsewhere."""
    allowed = ("stt_core.transport", "stt_core.server", "stt_core.testing")
    importers = (
        at_run_time.find_modules_that_directly_import("aiohttp") if "aiohttp" in at_run_time.modules else set[str]()
    )
    assert {name for name in importers if not name.startswith(allowed)} == set()


def test_wire_modules_do_no_io(at_run_time: grimp.ImportGraph) -> None:
    """A provider's `wire` turns bytes into events: it knows no socket, no event loop and no clock."""
    wires = [module for module in at_run_time.modules if module.endswith(".wire")]
    assert {
        wire: found for wire in wires if (found := direct(at_run_time, wire) & {"aiohttp", "asyncio", "time"})
    } == {}


def in_order(graph: grimp.ImportGraph, *but: tuple[str, str]) -> TopologicalSorter[str]:
    ours = {module for module in graph.modules if module.split(".")[0] in {"stt_core", *PROVIDERS}}
    return TopologicalSorter(
        {
            module: graph.find_modules_directly_imported_by(module)
            & ours - {imported for importer, imported in but if importer == module}
            for module in ours
        }
    )


def test_imports_make_no_circle(graph: grimp.ImportGraph, at_run_time: grimp.ImportGraph) -> None:
    """No module is imported, however indirectly, by what it imports.

    Imports for type checkers count too, but for one: ``STT.sync()`` makes what names ``STT`` as a type.
    """
    in_order(at_run_time).prepare()
    in_order(graph, ("stt_core.sync", "stt_core.stt")).prepare()
