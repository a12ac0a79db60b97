"""What the plugin makes of pytest: `--stt-provider`, and an outcome for what cannot be proven."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
        (["--stt-provider", "nowhere:PROVIDER"], "`nowhere:PROVIDER` cannot be imported"),
        (["--stt-provider", "stt_cartesia:__name__"], "is a str, not a stt_core.registry.Provider"),
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
