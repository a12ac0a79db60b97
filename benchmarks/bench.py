"""Ours, the bare loops and every peer that is installed, side by side; writes results.md and results.json.

    python benchmarks/bench.py [--mode quick|full] [--only B1,B2] [--install-peers]

Peers live in environments of their own (``.interop/``, shared with the interop tests): ``--install-peers`` makes them,
and those that are missing are named in the results. Linux only.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from harness import cases, envs, imports, report, resampling
from harness.processes import CONTENDERS, Asked, Contender, GoneError, Server

if TYPE_CHECKING:
    from harness.cases import Case, Sample

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parent / "tests" / "data" / "speech" / "weather.wav"
SCALES = {"quick": cases.QUICK, "full": cases.FULL, "tiny": cases.TINY}


class Run:
    """One case: contenders in turns, round by round."""

    def __init__(self, case: Case, server: Server, running: dict[str, Asked]) -> None:
        self.case = case
        self.server = server
        self.running = running
        self.samples: dict[str, list[tuple[Sample, Sample]]] = {}
        self.wrong: dict[str, dict[str, str]] = {}

    def one(self, contender: Contender, *, counts: bool) -> None:
        """A sample of one contender; what goes wrong takes it out of this case and leaves the others alone."""
        case, name = self.case, contender.name
        self.server.ask({"plan": case.plan})
        asked = None if case.fresh else self.running.get(name)
        if asked is None or not asked.alive:
            asked = contender.start()
            if not case.fresh:
                self.running[name] = asked
        job = {**case.job, "url": self.server.url(case.server), **case.extra}
        if case.job["bench"] == "failover":
            job["hole"] = self.server.url("hole")
        else:
            job["dialect"] = case.dialect.removesuffix("-files")
        try:
            sample = asked.ask(job, case.timeout)
            told = self.server.ask({"tell": True})
        except GoneError as error:
            self.wrong[name] = {"failed_with": str(error)}
            return
        finally:
            if case.fresh:
                asked.__exit__(None, None, None)
        if "failed_with" in sample:
            self.wrong[name] = {"failed_with": sample["failed_with"]}
        elif (why := case.check(sample, told)) is not None:
            self.wrong[name] = {"invalid": why}
        elif counts:
            self.samples.setdefault(name, []).append((sample, told))

    def results(self, contenders: Sequence[Contender]) -> list[dict[str, Any]]:
        case = self.case
        bare = [case.value(*sample) for sample in self.samples.get("bare", ())]
        found: list[dict[str, Any]] = []
        for contender in contenders:
            row: dict[str, Any] = {
                "group": case.group,
                "title": case.title,
                "unit": case.unit,
                "target": case.target,
                "contender": contender.name,
            }
            mine = self.samples.get(contender.name, [])
            values = [value for sample in mine if (value := case.value(*sample)) is not None]
            if contender.missing is not None:
                row["missing"] = contender.missing
            elif contender.name in self.wrong:
                row.update(self.wrong[contender.name])
            elif values:
                row["values"] = values
                row["notes"] = case.notes(*mine[len(mine) // 2])
                row["samples"] = [{**sample, "server": told} for sample, told in mine]
                if bare and "CPU" in case.unit and len(bare) == len(values):
                    row["ratio"] = median(value / base for value, base in zip(values, bare, strict=True) if base)
            found.append(row)
        return found


def measure(
    case: Case, server: Server, running: dict[str, Asked], rounds: int, names: Sequence[str]
) -> list[dict[str, Any]]:
    run = Run(case, server, running)
    contenders = [each for each in CONTENDERS if case.dialect in each.dialects]
    if case.contenders is not None:
        contenders = [each for each in contenders if each.name in case.contenders]
    if names:
        contenders = [each for each in contenders if each.name in names]
    rounds = min(rounds, case.rounds or rounds)
    warm_ups = 0 if case.fresh else 1
    for number in range(rounds + warm_ups):
        for contender in contenders:
            if contender.missing is None and contender.name not in run.wrong:
                run.one(contender, counts=number >= warm_ups)
    return run.results(contenders)


def sparse_recording(folder: str, size: int) -> str:
    """A WAV file of silence that takes no room on the disk."""
    path = Path(folder) / "recording.wav"
    data = size - 44
    head = b"RIFF" + (size - 8).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0\1\0\1\0"
    head += (
        (16000).to_bytes(4, "little") + (32000).to_bytes(4, "little") + b"\2\0\x10\0data" + data.to_bytes(4, "little")
    )
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return str(path)


def run_all(scale: cases.Scale, only: Sequence[str], names: Sequence[str], folder: Path) -> None:
    began = time.monotonic()
    header = report.machine(scale.name)
    results: list[dict[str, Any]] = []
    running: dict[str, Asked] = {}

    def keep(found: list[dict[str, Any]]) -> None:
        for row in found:
            print(report.shown(row), flush=True)
        results.extend(found)
        results.sort(key=lambda row: int(row["group"][1:]))
        header["minutes"] = (time.monotonic() - began) / 60
        header["load_after"] = round(os.getloadavg()[0], 1)
        report.write(folder, header, results)  # what there is by now, whatever comes next

    with tempfile.TemporaryDirectory() as made, Server() as server:
        recording = sparse_recording(made, scale.upload)
        try:
            for case in cases.all_cases(scale, recording, str(SAMPLE)):
                if not only or case.group in only:
                    print(f"{case.group} {case.title}", flush=True)
                    keep(measure(case, server, running, scale.rounds, names))
            if scale.name != "tiny" and (not only or "B4" in only):
                print("B4", flush=True)
                keep(resampling.run())
            if not only or "B5" in only:
                print("B5", flush=True)
                server.ask({"plan": {}})
                keep(imports.run(scale.imports, server.url(), names))
        finally:
            for asked in running.values():
                asked.__exit__(None, None, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mode", choices=sorted(SCALES), default="quick")
    parser.add_argument("--only", default="", help="groups, with commas between: B1,B7")
    parser.add_argument("--contenders", default="", help="names, with semicolons between; all by default")
    parser.add_argument("--out", type=Path, default=HERE, help="where results.md and results.json go")
    parser.add_argument("--install-peers", action="store_true", help="only make the environments of the peers")
    arguments = parser.parse_args()
    if not sys.platform.startswith("linux"):
        parser.error("cores and memory are told apart as Linux does it")
    if arguments.install_peers:
        wanted = {each.env for each in CONTENDERS if each.env} | {"uvloop-0.23.0"}
        for name in sorted(wanted):
            envs.install(name)
        return
    only = [part for part in arguments.only.split(",") if part]
    names = [part.strip() for part in arguments.contenders.split(";") if part.strip()]
    run_all(SCALES[arguments.mode], only, names, arguments.out)


if __name__ == "__main__":
    main()
