"""What is shipped: the wheel and the sdist, built from this tree and used away from it."""

import configparser
import email.message
import email.parser
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import cast

import pytest

ROOT = Path(__file__).parent.parent
PROVIDERS = sorted(path.parent.name for path in (ROOT / "providers").glob("*/__init__.py"))
PACKAGES = ["stt_core", *PROVIDERS]
ENTRY_POINTS = {
    "scripted": "stt_core.testing.scripted:PROVIDER",
    **{provider.removeprefix("stt_"): f"{provider}:PROVIDER" for provider in PROVIDERS},
}
EXTRAS = {"files", "local", "livekit", "cli", "media", "mic", "all"}

with (ROOT / "pyproject.toml").open("rb") as file:
    PYPROJECT = tomllib.load(file)
VERSION = cast("str", PYPROJECT["project"]["version"])


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return dist / f"stt_core-{VERSION}-py3-none-any.whl"


@pytest.fixture(scope="module")
def shipped(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        return email.parser.Parser().parsestr(archive.read(f"stt_core-{VERSION}.dist-info/METADATA").decode())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with the wheel in it; the dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # A path that a .pth file adds comes last, and the .pth files in it (our own editable install's) are not read.
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python


def test_wheel_holds_the_packages_and_nothing_else(shipped: set[str]) -> None:
    """Every package lies at the top level under its own name, whole, and beside them only the metadata."""
    info = f"stt_core-{VERSION}.dist-info"
    assert {name.split("/")[0] for name in shipped} == {*PACKAGES, info}
    sources = {
        path.relative_to(source_root).as_posix()
        for source_root, packages in ((ROOT, ["stt_core"]), (ROOT / "providers", PROVIDERS))
        for package in packages
        for path in (source_root / package).rglob("*.py")
    }
    assert {name for name in shipped if name.endswith(".py")} == sources


@pytest.mark.parametrize("package", PACKAGES)
def test_wheel_is_typed(shipped: set[str], package: str) -> None:
    """Type checkers are told that the package's annotations count."""
    assert f"{package}/py.typed" in shipped


def test_wheel_carries_the_licence_text(shipped: set[str], metadata: email.message.Message) -> None:
    """The licence is named in the metadata and its text is enclosed."""
    assert metadata["License-Expression"] == "Apache-2.0"
    assert f"stt_core-{VERSION}.dist-info/licenses/LICENSE" in shipped


def test_wheel_asks_for_the_five_core_dependencies(metadata: email.message.Message) -> None:
    """Without extras exactly five packages are asked for; the extras are the documented ones."""
    requirements = [str(line) for line in metadata.get_all("Requires-Dist", [])]
    core = {re.split(r"[^\w-]", line)[0] for line in requirements if "extra ==" not in line}
    assert core == {"aiohttp", "numpy", "soxr", "pydantic", "typing-extensions"}
    assert set(metadata.get_all("Provides-Extra", [])) == EXTRAS


def test_wheel_names_every_provider(wheel: Path) -> None:
    """Each folder of `providers/` is found through an entry point of its name, and `stt` is a command."""
    with zipfile.ZipFile(wheel) as archive:
        parser = configparser.ConfigParser(delimiters="=")
        parser.read_string(archive.read(f"stt_core-{VERSION}.dist-info/entry_points.txt").decode())
    assert dict(parser["stt_core.providers"]) == ENTRY_POINTS
    assert dict(parser["console_scripts"]) == {"stt": "stt_core.cli:main"}


def test_sdist_can_be_built_tested_and_read(dist: Path) -> None:
    """The sdist has the sources, the tests with their data and what they are run with, and nothing generated."""
    with tarfile.open(dist / f"stt_core-{VERSION}.tar.gz") as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    needed = {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Makefile",
        "constraints.txt",
        "constraints-lowest.txt",
        "stt_core/py.typed",
        "tests/test_packaging.py",
        "tests/data/speech/weather.wav",
        *(f"providers/{provider}/py.typed" for provider in PROVIDERS),
    }
    assert needed - names == set()
    assert not [name for name in names if name.endswith(".pyc") or name.startswith((".venv", ".git/", "dist"))]


def test_installed_wheel_serves_from_anywhere(installed: Path, tmp_path: Path) -> None:
    """Away from the checkout the wheel's own copy is imported, its providers load and its version is known."""
    program = """if True:
        import importlib, sys
        from importlib.metadata import entry_points
        import stt_core
        for package in sys.argv[1:]:
            print(importlib.import_module(package).__file__)
        points = entry_points(group="stt_core.providers")
        for point in points:
            assert point.load().name == point.name, point
        print(stt_core.__version__, *sorted(point.name for point in points))
    """
    command = [str(installed), "-I", "-c", program, *PACKAGES]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *files, last = done.stdout.splitlines()
    assert all(Path(file).is_relative_to(installed.parent.parent) for file in files), files
    assert last.split() == [VERSION, *sorted(ENTRY_POINTS)]


def test_installed_command_runs_from_anywhere(installed: Path, tmp_path: Path) -> None:
    """The wheel brings `stt`, and it is the wheel's."""
    stt = installed.parent / "stt"
    done = subprocess.run([str(stt), "--version"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"stt, version {VERSION}\n")


def test_linter_watches_every_package() -> None:
    """A new provider has to be named in both lists of `tool.importlinter`, or nobody checks what it imports."""
    settings = PYPROJECT["tool"]["importlinter"]
    assert sorted(settings["root_packages"]) == sorted(PACKAGES)
    providers, framework = settings["contracts"][0]["layers"]
    assert (sorted(providers.split(" | ")), framework) == (PROVIDERS, "stt_core")


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-lowest.txt"])
def test_constraints_are_pins_and_nothing_else(name: str) -> None:
    """A constraints file pins exact versions; it names no index, no host and no path."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    assert lines
    assert not [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+(; python_version [!=]= '3\.\d+')?", line)]


def test_lowest_constraints_are_the_lower_bounds() -> None:
    """What `make test-lowest` installs is, for every dependency of our own, the oldest version that is accepted."""
    project = PYPROJECT["project"]
    requirements = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    bounds = set[str]()
    for requirement in requirements:
        if match := re.match(r"([\w-]+)>=([\w.]+)", requirement):
            bounds.add(f"{match[1]}=={match[2]}".lower())
    pins = {
        line.partition(";")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints-lowest.txt").read_text().splitlines()
    }
    missing = {bound for bound in bounds if not any(re.fullmatch(re.escape(bound) + r"(\.0)*", pin) for pin in pins)}
    assert missing == set()
