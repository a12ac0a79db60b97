"""What the pages say about the code is so: what was generated from it, what they link to, what they promise."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

import pytest

from stt_core.testing.contract import CHECKS, Promise

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"(?<!!)\[([^\[\]]+)\]\(([^()\s]+)\)")


class Generator(Protocol):
    RESULTS: Path

    def pages(self) -> Mapping[Path, str]: ...


def generator() -> Generator:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("Generator", module)


@pytest.mark.parametrize("page", ["README.md", "docs/options.md"])
def test_what_is_generated_is_up_to_date(page: str) -> None:
    """The tables are what the registration says; `make docs` writes them."""
    assert generator().pages()[ROOT / page] == (ROOT / page).read_text("utf-8"), "make docs writes it"


def test_what_was_measured_is_shown(tmp_path: Path) -> None:
    """A line for each benchmark, with everybody who took part; whoever has no figure is named as well."""
    made = generator()
    made.RESULTS = tmp_path / "results.json"
    made.RESULTS.write_text(json.dumps({"header": HEADER, "results": FIGURES}))
    readme = made.pages()[ROOT / "README.md"]
    assert "| B1 events | us | 3.00 | 2.40 (0.80x) | peer 9.30 (3.10x); absent not installed; broken failed |" in readme
    assert "`make bench` on A Machine, 2 cores" in readme


HEADER = {"mode": "full", "processor": "A Machine", "cores": 2, "python": "3.11.7", "commit": "0123456"}
B1 = {"group": "B1", "title": "events", "unit": "us", "target": ""}
FIGURES = [
    {**B1, "contender": "bare", "values": [2.9, 3.0, 3.3], "ratio": 1.0},
    {**B1, "contender": "stt-core", "values": [2.4], "ratio": 0.8},
    {**B1, "contender": "stt-core, uvloop", "values": [2.0], "ratio": 0.7},
    {**B1, "contender": "peer", "values": [9.3], "ratio": 3.1},
    {**B1, "contender": "absent", "missing": "no environment"},
    {**B1, "contender": "broken", "failed_with": "an error"},
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """What is linked in the repository exists; a link in the words of a test's name leads to that test."""
    for label, target in LINK.findall(page.read_text("utf-8")):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), f"{page.name}: {target}"
        if heading:
            titles = re.findall(r"^#+ (.+)$", there.read_text("utf-8"), re.M)
            assert heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, target
        if name := re.fullmatch(r"`(test_\w+)(\*?)`", label):
            found = re.findall(r"def (test_\w+)\(", there.read_text("utf-8"))
            assert any(each == name[1] or (name[2] and each.startswith(name[1])) for each in found), label


def test_every_promise_is_there_with_its_checks() -> None:
    """In the kit's order, under the kit's names, with a link to each module that checks it."""
    rows = re.findall(r"^\| (S\d+) \| ([^|]+) \| [^|]+ \| ([^|]+) \|$", README, re.M)
    assert [f"{number} {name}".replace("`", "") for number, name, _ in rows] == [str(promise) for promise in Promise]
    for promise, (_, _, links) in zip(Promise, rows, strict=True):
        modules = {inspect.getfile(check) for check in CHECKS[promise]}
        assert {str(ROOT / target) for _, target in LINK.findall(links)} == modules, promise


def test_the_migration_table_has_every_scenario() -> None:
    """Eight rows, each with what a vendor's SDK has, what this library has, and tests of that scenario."""
    rows = re.findall(r"^\| (\d) \| `.+` \| `.+` \| (.+) \|$", README, re.M)
    assert [number for number, _ in rows] == list("12345678")
    for number, links in rows:
        for _, target in LINK.findall(links):
            assert f"scenario_{number}" in (ROOT / target).read_text("utf-8"), f"{number}: {target}"
    titles = re.findall(r"^## (\d)\. ", (ROOT / "docs" / "migration.md").read_text("utf-8"), re.M)
    assert titles == list("12345678")
