"""Seeded random faults over every vendor's protocol, alone and in chains, until the time is over.

    python benchmarks/chaos.py SECONDS [FIRST_SEED]

Each run is a call of ten seconds over connections that are dropped, closed, refused, black holes or half open, at
moments drawn from its seed, on a clock that passes only when nothing is left to do. After it every word has to be
there, in order, with times that are right; turns alternate; nothing is reported lost; no key is in what went over the
wire. What fails is printed with its seed: ``python benchmarks/chaos.py 0 SEED`` does the same again.
"""

from __future__ import annotations

import importlib.util
import logging
import random
import sys
import time
from collections import Counter
from pathlib import Path
from types import ModuleType

from stt_core.testing.clock import virtual_time_run
from stt_core.testing.faults import AudioSent, BlackHole, Close, Drop, HalfOpen, Refuse, Status


def the_tests() -> ModuleType:
    """The same networks and the same checks as in the suite."""
    path = Path(__file__).parent.parent / "tests" / "transport" / "test_chains.py"
    spec = importlib.util.spec_from_file_location("test_chains", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["test_chains"] = module
    spec.loader.exec_module(module)
    return module


def alone(seed: int, names: list[str]) -> dict[str, dict[int, list[object]]]:
    """One vendor, whose first eight connections have their troubles."""
    drawn = random.Random(f"alone {seed}")  # noqa: S311  (to be repeated, not secret)
    plan: dict[int, list[object]] = {}
    for number in range(8):
        at = AudioSent(drawn.uniform(0.1, 5.0))
        choice = [
            None,
            Drop(at),
            Drop(at, "eof"),
            Close(1011, "", at),
            HalfOpen(at),
            Refuse(),
            Status(503),
            BlackHole(),
        ]
        fault = drawn.choice(choice)
        plan[number] = [] if fault is None else [fault]
    return {drawn.choice(names): plan}


MODELS = {
    "cartesia": ("cartesia/ink-whisper:en", "cartesia/ink-2:en"),
    "livekit": ("livekit/deepgram/nova-3:en", "livekit/cartesia/ink-2:en", "livekit/assemblyai/universal-streaming:en"),
    "kotoba": ("kotoba/realtime:en",),
}
"""With times and without, with turns and without."""


def main() -> None:
    seconds, seed = float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    tests = the_tests()
    logging.disable(logging.CRITICAL)
    done: Counter[str] = Counter()
    failed: list[int] = []
    began = time.monotonic()
    while True:
        drawn = random.Random(f"models {seed}")  # noqa: S311  (to be repeated, not secret)
        tests.CONFIGS.update({name: drawn.choice(models) for name, models in MODELS.items()})
        plans = alone(seed, list(tests.CONFIGS)) if seed % 2 else tests.chaos(seed)

        async def call(plans: dict[str, object] = plans) -> None:
            async with tests.chain(plans, max_retries=50) as (stt, proxies):
                tests.check(await tests.call(stt))
                for proxy in proxies.values():
                    if list(proxy.places_of("a-key-of-the-chain", allowed_headers=["x-api-key", "authorization"])):
                        raise AssertionError("the key is where it must not be")

        try:
            virtual_time_run(call())
        except Exception as error:  # noqa: BLE001  (whatever fails is told, with its seed)
            failed.append(seed)
            chain = " | ".join(tests.CONFIGS[name] for name in plans)
            print(f"seed {seed}: {chain}: {type(error).__name__}: {str(error)[:200]}")
        done[" | ".join(tests.CONFIGS[name] for name in sorted(plans))] += 1
        seed += 1
        if time.monotonic() - began >= seconds:
            break
    for name, count in sorted(done.items()):
        print(f"{count:5}  {name}")
    print(f"{sum(done.values())} calls, {len(failed)} failed{': ' if failed else ''}{', '.join(map(str, failed))}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
