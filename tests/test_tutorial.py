"""docs/write-a-provider.md, followed to the letter: by a reader with an environment of his own."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

from stt_core.testing.contract import Promise

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "write-a-provider.md").read_text("utf-8")
BASH = shutil.which("bash") or "/bin/bash"
STEPS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.M | re.S)


class Reader:
    """A shell that stays open, in an environment that has what ours has and whatever he installs."""

    def __init__(self, home: Path) -> None:
        self._folder = home
        self._environment = home / "environment"
        venv.create(self._environment, with_pip=False)
        (site,) = self._environment.glob("lib/python*/site-packages")
        # Last on the path, and with the .pth files in it: stt-core is installed there, in place.
        (site / "ours.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
        self._program("pip", "from pip._internal.cli.main import main")
        self._program("pytest", "from pytest import console_main as main")
        self._program("stt", "from stt_core.cli import main")
        shutil.copytree(
            ROOT / "examples" / "stt_template",
            home / "examples" / "stt_template",
            ignore=shutil.ignore_patterns("__pycache__", ".*"),
        )

    def _program(self, name: str, imports_main: str) -> None:
        path = self._environment / "bin" / name
        path.write_text(f"#!{self._environment / 'bin' / 'python'}\n{imports_main}\nraise SystemExit(main())\n")
        path.chmod(0o755)

    def types(self, commands: str) -> tuple[int, str]:
        """Runs what he types, up to the first command that fails, and stays where it leads him."""
        ours = ("PYTEST_", "STT_", "PIP_", "ACME_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        environment["PATH"] = f"{self._environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment["PIP_NO_INDEX"] = environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
        where = self._environment / "where"
        done = subprocess.run(
            [BASH, "-e", "-c", f"{commands}\npwd > {shlex.quote(str(where))}"],
            cwd=self._folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        if done.returncode == 0:
            self._folder = Path(where.read_text().strip())
        return done.returncode, done.stdout


def shown_after(step: int) -> str:
    """What the page shows right behind a block."""
    language, text = STEPS[step + 1] if step + 1 < len(STEPS) else ("", "")
    return text if language == "text" else ""


def test_the_page_leads_to_a_provider_that_keeps_every_promise(tmp_path: Path) -> None:
    """Each block does what the page says: commands succeed but where a promise is broken, and show what it shows."""
    reader = Reader(tmp_path)
    said: list[str] = []
    for step, (language, block) in enumerate(STEPS):
        if language == "text":
            continue
        code, told = reader.types(block if language == "sh" else f"python - <<'EOF'\n{block}\nEOF")
        shown = shown_after(step)
        assert code == ("BROKEN" in shown), f"{block}\n{told}"
        assert shown in told, told
        said.append(told)
    listed, proven, by_attribute = said[1:4]
    assert "acme" in listed
    assert [line for promise in Promise if (line := f"{promise:<22} PROVEN") not in proven] == []
    assert re.search(r"^S1 order +PROVEN$", by_attribute, re.M)
    assert not re.search("template", "".join(said), re.I)


def test_nothing_on_the_page_is_left_out() -> None:
    """Every block is of a kind that is run, or that is compared with what a run shows."""
    assert {language for language, _ in STEPS} == {"sh", "python", "text"}
    assert PAGE.count("```") == 2 * len(STEPS)
