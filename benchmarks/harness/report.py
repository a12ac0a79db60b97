"""Results as JSON, and as the page that is read."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

PACKAGES = ("aiohttp", "numpy", "pydantic", "pydantic-core", "soxr", "uvloop")
TARGETS = {
    "B1": "Events",
    "B2": "Audio",
    "B3": "Streams",
    "B4": "Resampling",
    "B5": "Import",
    "B6": "Upload",
    "B7": "Fan-out",
    "B8": "Tail",
    "B9": "Outage",
    "B10": "Failover",
}


def machine(mode: str) -> dict[str, Any]:
    """Where, and with what."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "mode": mode,
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": versions,
        "load_before": round(os.getloadavg()[0], 1),
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parent,
        ).stdout.strip(),
    }


def number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def shown(result: Mapping[str, Any]) -> str:
    """One row."""
    name = result["contender"]
    notes = str(result.get("notes", ""))
    if "values" not in result:
        why = result.get("missing") or result.get("invalid") or result.get("failed_with") or "no figure"
        word = "missing" if "missing" in result else "does not count" if "invalid" in result else "failed"
        return f"| {name} | {word} | | | {why.replace('|', '/')} |"
    values = result["values"]
    spread = f"{number(min(values))} to {number(max(values))}" if len(values) > 1 else ""
    ratio = "" if result.get("ratio") is None else f"{result['ratio']:.2f}x"
    return f"| {name} | {number(median(values))} | {spread} | {ratio} | {notes} |"


def markdown(header: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in header["packages"].items())
    how = "make bench" if header["mode"] != "full" else "make bench BENCH=full"
    lines = [
        "# Measured",
        "",
        f"By `{how}` ({header['mode']}) in {header['minutes']:.0f} minutes, at commit {header['commit']}, on "
        f"{header['processor']}, {header['cores']} cores, {header['system']}; CPython {header['python']}, {packages}. "
        f"The load was {header['load_before']} before and {header['load_after']} after."
        + f" {header.get('remark', '')}".rstrip(),
        "",
        "Everybody was measured in the same run, in turns, after a warm-up; a figure is the median, with its spread. "
        "The client process is on one core, the server in a process on another; CPU is the client's, user and system. "
        "The machine did other things as well, so absolute figures, and above all times, drift: the ratio to the bare "
        "loop, taken round by round, is the figure. A sample counts only if both ends counted the same events and "
        "bytes.",
        "",
        "*bare* is the shortest straightforward aiohttp program that does the same on the wire, with `json`.",
        "",
    ]
    for group, members in groupby(results, key=lambda result: result["group"]):
        lines += [f"## {group} {TARGETS[group]}", ""]
        for title, rows in groupby(members, key=lambda result: result["title"]):
            rows_list = list(rows)
            target = next((row["target"] for row in rows_list if row.get("target")), "")
            lines += [
                f"**{title}** ({rows_list[0]['unit']}" + (f"; target {target})" if target else ")"),
                "",
                "| | median | spread | to bare | |",
                "|---|---|---|---|---|",
                *map(shown, rows_list),
                "",
            ]
    return "\n".join(lines).rstrip() + "\n"


def write(folder: Path, header: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    document = {"header": header, "results": results}
    (folder / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    (folder / "results.md").write_text(markdown(header, results))
