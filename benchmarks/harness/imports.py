"""B5: what an import costs, in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from statistics import median
from typing import Any

from . import envs
from .processes import CLIENT_CORE, HERE

ROW = """
import sys, time
before = time.process_time()
{code}
used = time.process_time() - before
import json, pathlib
print(json.dumps({{"cpu": used, "memory": int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096,
    "modules": len(sys.modules),
    "heavy": [n for n in ("asyncio", "pydantic", "aiohttp", "numpy", "soxr") if n in sys.modules]}}))
"""

READY_OURS = """
import asyncio
from stt_core import create_stt
async def main():
    async with create_stt("cartesia/ink-whisper:en", api_key="k", base_url={url!r}) as stt:
        async with stt.stream(sample_rate=16000) as stream:
            async for event in stream:
                assert event.type == "connected"
                return
asyncio.run(main())
"""
READY_FLOOR = """
import asyncio
import aiohttp, numpy, soxr, pydantic
async def main():
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect({url!r} + "/stt/websocket"):
            pass
asyncio.run(main())
"""

# Title, name, environment, code. The first of a title is what the others are held against.
ROWS = (
    ("import alone", "floor: aiohttp, numpy, soxr, pydantic", None, "import aiohttp, numpy, soxr, pydantic"),
    ("import alone", "stt-core", None, "import stt_core"),
    ("import alone", "cartesia 4.2.0", "cartesia-4.2.0", "import cartesia"),
    ("import alone", "cartesia 2.0.6", "cartesia-2.0.6", "import cartesia"),
    ("import alone", "kotoba-sdk 0.3.0", "kotoba-0.3.0", "import kotoba"),
    ("import alone", "speechmatics-batch 1.1.0", "speechmatics-batch-1.1.0", "import speechmatics.batch"),
    ("import alone", "speechmatics-batch 0.4.7", "speechmatics-batch-0.4.7", "import speechmatics.batch"),
    ("import alone", "livekit-agents 1.8.9", "livekit-agents-1.8.9", "from livekit.agents import inference"),
    ("import alone", "pipecat 1.14.0", "pipecat-1.14.0", "import pipecat.services.cartesia.stt"),
    ("import and a socket to Cartesia, connected", "floor: the four, and aiohttp's ws_connect", None, READY_FLOOR),
    ("import and a socket to Cartesia, connected", "stt-core", None, READY_OURS),
)


OURS = "stt-core"


def measure(python: str, code: str) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603
        [python, "-W", "ignore", "-c", ROW.format(code=code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=HERE,
        preexec_fn=lambda: os.sched_setaffinity(0, {CLIENT_CORE}),
    )
    if done.returncode:
        return {"failed_with": done.stderr.strip().rpartition("\n")[2][:200]}
    return json.loads(done.stdout)


def run(rounds: int, url: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """Interleaved; a result for each row, of those that are asked for."""
    rows = [row for row in ROWS if not names or row[1] in names or row[1].startswith("floor")]
    samples: list[list[dict[str, Any]]] = [[] for _ in rows]
    for number in range(rounds + 1):
        for (_, _, env, code), mine in zip(rows, samples, strict=True):
            python = sys.executable if env is None else envs.installed(env)
            if python is None:
                mine.append({"missing": f"{env} is not installed (make bench-peers)"})
                continue
            sample = measure(str(python), code.replace("{url!r}", repr(url)))
            if number or "failed_with" in sample:  # the first fills the disk's cache
                mine.append(sample)
    results: list[dict[str, Any]] = []
    firsts: dict[str, list[float]] = {}
    for (group, name, _, _), mine in zip(rows, samples, strict=True):
        result: dict[str, Any] = {"group": "B5", "title": group, "contender": name, "unit": "ms CPU", "target": ""}
        if name == OURS:
            result["target"] = "60 ms" if group == "import alone" else "1.1x"
        bad = next((each for each in mine if "cpu" not in each), None)
        if bad is not None:
            result.update(bad)
        else:
            values = [each["cpu"] * 1e3 for each in mine]
            base = firsts.setdefault(group, values)
            heavy = mine[-1]["heavy"]
            result.update(
                values=values,
                ratio=median(value / floor for value, floor in zip(values, base, strict=True)),
                notes=f"{mine[-1]['modules']} modules, {mine[-1]['memory'] / 1e6:.0f} MB"
                + (f", loads {', '.join(heavy)}" if heavy else ", loads none of asyncio, pydantic, aiohttp, numpy"),
            )
        results.append(result)
    return results
