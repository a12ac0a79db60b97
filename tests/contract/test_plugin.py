"""What the plugin makes of pytest: `--stt-provider`, and an outcome for what cannot be proven."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stt_core.errors import ConfigError
from stt_core.plugins import unregister
from stt_core.testing.contract.finding import find_subjects

SPEECH = Path(__file__).parent.parent / "data" / "speech"

TESTS = """
from stt_core.testing.contract import NotProven, Promise, PromiseBroken

def test_kept():
    pass

def test_doubtful():
    raise NotProven("S3 no silent loss: the subject has no way to drop its connection")

def test_broken():
    raise PromiseBroken(Promise.FLUSH, "flush() hangs")
"""

ACME = """
from typing import TypedDict

from stt_core.provider import ModelFamily, Provider
from stt_core.testing.scripted import FULL, ScriptedSTT

class Options(TypedDict, total=False):
    pass

class AcmeSTT(ScriptedSTT):
    provider_name = "acme"

FAMILY = ModelFamily("swift", options=Options, models=("swift",), default_model="swift", carries=FULL)
PROVIDER = Provider("acme", (FAMILY,), client="acme:AcmeSTT", kind="local")
REMOTE = Provider("acme", (FAMILY,), client="acme:AcmeSTT")
"""

LIAR = """
from dataclasses import replace
from stt_core.testing.contract.scripted import scripted_subject
from stt_core.testing.scripted import FULL

def subjects(sample):
    return [replace(scripted_subject("liar"), carries=replace(FULL, language=False), drop=None)]
"""

WORLDLESS = """
from contextlib import asynccontextmanager
from stt_core.testing.contract.scripted import scripted_subject
from dataclasses import replace

@asynccontextmanager
async def nowhere():
    yield 1 / 0

def subjects(sample):
    return [replace(scripted_subject(), environment=nowhere)]
"""

HANGING = """
from stt_core.testing.clock import DeadlockError
from stt_core.testing.contract import items
from stt_core.testing.contract.scripted import subjects

def hang(subject, promise):
    raise DeadlockError("everything waits and nothing is scheduled: " + 1000 * "Task-1; ")

items.prove_now = hang
"""

FOLDER = f"{ACME}\nPROVIDER = Provider('acme', (FAMILY,), client='acme_{{}}.stt:AcmeSTT')\n"
PACKAGES = {
    "acme_raises.py": "1 / 0",
    "acme_needs.py": "import nowhere",
    "acme_twice.py": f"{ACME}\nPROVIDER = Provider('cartesia', (FAMILY,), client='acme:AcmeSTT')",
    "acme_badly.py": f"{ACME}\nPROVIDER = Provider('ACME', (FAMILY,), client='acme:AcmeSTT')",
    "acme_no_subjects/__init__.py": FOLDER.format("no_subjects"),
    "acme_no_subjects/contract.py": "",
    "acme_odd_subjects/__init__.py": FOLDER.format("odd_subjects"),
    "acme_odd_subjects/contract.py": "def subjects(sample): return ['acme']",
    "acme_bad_contract/__init__.py": FOLDER.format("bad_contract"),
    "acme_bad_contract/contract.py": "misspelt",
}
"""What people may have by mistake."""


def offer(folder: Path, contract: str) -> None:
    """A package `acme_here` with these subjects."""
    package = folder / "acme_here"
    package.mkdir()
    (package / "__init__.py").write_text(FOLDER.format("here"))
    (package / "contract.py").write_text(contract)


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = folder / "pytest.ini"
    settings.write_text("[pytest]\nfilterwarnings = error\n")
    command = [sys.executable, "-m", "pytest", "-v", "-c", str(settings), "-p", "no:asyncio", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_not_proven_is_an_outcome_of_its_own(tmp_path: Path) -> None:
    """It is neither among the passed nor among the skipped, and the summary says why."""
    (tmp_path / "test_it.py").write_text(TESTS)
    run = run_pytest(tmp_path, str(tmp_path))
    assert "test_doubtful NOT PROVEN" in run.stdout
    assert "NOT PROVEN test_it.py::test_doubtful: S3 no silent loss: the subject has no way to drop" in run.stdout
    assert "PromiseBroken: S6 flush: flush() hangs" in run.stdout
    assert "1 failed, 1 passed, 1 not proven" in run.stdout


def test_providers_are_put_to_the_proof_by_name(tmp_path: Path) -> None:
    """All promises of what each package offers, as items that can be selected; tests that lie around do not run."""
    (tmp_path / "test_it.py").write_text(TESTS)
    run = run_pytest(
        tmp_path,
        *("--stt-provider", "scripted", "--stt-provider", "cartesia", "--stt-provider", "pocketsphinx"),
        *("--stt-sample", str(SPEECH / "message.wav"), "-k", "not pocketsphinx or S11 or S12"),
    )
    assert run.returncode == 0, run.stdout
    for item in ("scripted::S1 order", "cartesia, manual::S4 liveness", "pocketsphinx::S11 unknown is None"):
        assert f"{item} PASSED" in run.stdout, run.stdout
    assert f"{3 * 14 + 2 * 14 + 2} passed, 12 deselected" in run.stdout


def test_the_end_says_what_came_of_each_promise(tmp_path: Path) -> None:
    """For who has never seen the kit: what was promised, what was seen or is missing, and no traceback through it."""
    offer(tmp_path, LIAR)
    run = run_pytest(tmp_path, "--stt-provider", "acme_here:PROVIDER", "-k", "S2 or S11 or S12")
    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    told = run.stdout.partition("what liar promises")[2]
    assert re.search(r"^S12 no secret leaks +PROVEN$", told, re.M), run.stdout
    assert re.search(r"^S2 clock +NOT PROVEN\n    promised: .+\n    why: .+the subject has no way to drop", told, re.M)
    assert re.search(r"^S11 unknown is None +BROKEN\n    promised: .+\n    seen: .+ a language, which", told, re.M)
    assert "\n1 proven, 1 broken, 1 not proven\n" in told
    assert "Traceback" not in run.stdout
    assert "def require" not in run.stdout


def test_strictly_what_is_not_proven_fails(tmp_path: Path) -> None:
    """With --stt-strict the run fails, and still says that nothing was broken."""
    offer(tmp_path, LIAR)
    name = ("--stt-provider", "acme_here:PROVIDER", "-k", "S2")
    assert run_pytest(tmp_path, *name).returncode == pytest.ExitCode.OK
    run = run_pytest(tmp_path, *name, "--stt-strict")
    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert re.search(r"^S2 clock +NOT PROVEN$", run.stdout, re.M), run.stdout


def test_a_world_that_does_not_come_about_fails(tmp_path: Path) -> None:
    """A server half that cannot start has proven nothing, and does not pass for a missing ability."""
    offer(tmp_path, WORLDLESS)
    run = run_pytest(tmp_path, "--stt-provider", "acme_here:PROVIDER", "-k", "S4")
    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert re.search(r"^S4 liveness +BROKEN\n.*\n    seen: ZeroDivisionError", run.stdout, re.M), run.stdout


def test_a_hang_is_a_verdict(tmp_path: Path) -> None:
    """Where virtual time has nothing left to wait for, the provider hangs; the list of what waits is cut short."""
    offer(tmp_path, HANGING)
    run = run_pytest(tmp_path, "--stt-provider", "acme_here:PROVIDER", "-k", "S5")
    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert re.search(r"^S5 drain +BROKEN\n.*\n    seen: it hangs: everything waits .{,500}$", run.stdout, re.M), (
        run.stdout
    )
    assert "Traceback" not in run.stdout


def test_what_is_named_runs_beside(tmp_path: Path) -> None:
    """A path given with --stt-provider is collected as usual."""
    (tmp_path / "test_it.py").write_text(TESTS)
    run = run_pytest(tmp_path, "--stt-provider", "scripted", "-k", "S11 or kept", str(tmp_path))
    assert "test_it.py::test_kept PASSED" in run.stdout
    assert "scripted::S11 unknown is None PASSED" in run.stdout


def test_a_provider_that_is_not_installed_and_offers_nothing(tmp_path: Path) -> None:
    """A local one is put to what a sample alone can show; of what takes more, and of any other, nothing is proven."""
    (tmp_path / "acme.py").write_text(ACME)
    sample = ("--stt-sample", str(SPEECH / "message.wav"))
    local = run_pytest(tmp_path, "--stt-provider", "acme:PROVIDER", *sample, "-k", "S12 or S14")
    assert local.returncode == 0, local.stdout
    assert "acme::S14 update NOT PROVEN" in local.stdout
    assert "acme::S12 no secret leaks PASSED" in local.stdout
    remote = run_pytest(tmp_path, "--stt-provider", "acme:REMOTE", *sample)
    assert "14 not proven" in remote.stdout
    assert "there is no acme.contract" in remote.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--stt-provider", "cartesian"], "no provider is called `cartesian`"),
        (["--stt-provider", "pocketsphinx"], "give it a sample"),
        (["--stt-provider", "scripted", "--stt-sample", "nothing.wav"], "there is no nothing.wav"),
        (["--stt-provider", "scripted", "--stt-sample", __file__], "cannot be read"),
    ],
)
def test_a_wrong_name_or_sample_is_a_usage_error(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    """Nothing runs, and the message says what is wrong."""
    run = run_pytest(tmp_path, *arguments)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR, run.stdout + run.stderr
    assert complaint in run.stderr


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("stt_cartesia", "name its provider as well, such as `stt_cartesia:PROVIDER`"),
        ("nowhere:PROVIDER", "cannot be imported: No module named 'nowhere'; install its package"),
        ("stt_cartesia/__init__.py:PROVIDER", "is not of the form package:PROVIDER"),
        ("stt_cartesia:", "is not of the form package:PROVIDER"),
        ("stt_cartesia:PROVIDR", "the providers in it are: PROVIDER; did you mean"),
        ("stt_cartesia:__name__", "is a str, not a stt_core.provider.Provider"),
        ("acme_raises:PROVIDER", "cannot be imported: ZeroDivisionError: division by zero"),
        ("acme_needs:PROVIDER", "cannot be imported: No module named 'nowhere'"),
        ("acme_twice:PROVIDER", "another provider is called cartesia too"),
        ("acme_badly:PROVIDER", "the provider ACME is declared wrongly: its name is not made of"),
        ("acme_no_subjects:PROVIDER", "acme_no_subjects.contract has no function `subjects`"),
        ("acme_odd_subjects:PROVIDER", "gives Subjects, and gave str"),
        ("acme_bad_contract:PROVIDER", "contract cannot be imported: NameError"),
    ],
)
def test_what_is_wrong_with_a_package_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, complaint: str
) -> None:
    """The mistakes of who writes a first provider are ConfigErrors that say what is accepted."""
    for path, text in PACKAGES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    try:
        with pytest.raises(ConfigError, match=re.escape(complaint)) as caught:
            find_subjects(name)
        assert ("pip install" in str(caught.value)) == (name == "nowhere:PROVIDER")
    finally:
        unregister("acme")
        for module in [each for each in sys.modules if each.partition("_")[0] == "acme"]:
            del sys.modules[module]
