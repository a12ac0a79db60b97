"""B4: what ``resample.py`` measures, for the pairs of rates that calls have, as rows of the table."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import resample

from stt_core.audio.resample import Resampler

from .processes import CLIENT_CORE

PAIRS = ((48000, 16000), (8000, 16000), (44100, 16000), (24000, 16000))


def run() -> list[dict[str, Any]]:
    """Two results for each pair: soxr's HQ filter as everybody calls it, and ours."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CLIENT_CORE})
    try:
        return [row for in_rate, out_rate in PAIRS for row in pair(in_rate, out_rate)]
    finally:
        os.sched_setaffinity(0, cores)


def pair(in_rate: int, out_rate: int) -> list[dict[str, Any]]:
    live = partial(Resampler, in_rate, out_rate)
    frame = [in_rate // 50]
    ours, theirs = resample.cpu(in_rate, out_rate, 20)
    noise, loudest = resample.quality(in_rate, out_rate)
    what = {
        "group": "B4",
        "title": f"{in_rate} to {out_rate} Hz in frames of 20 ms, held back at most",
        "unit": "ms of audio",
        "target": "5 ms, 3x the CPU, SNR 80 dB, aliases -80 dB",
    }
    return [
        {
            **what,
            "contender": "soxr HQ, in blocks",
            "values": [resample.held_back(partial(live, mode="file"), frame)],
            "notes": f"{theirs:.0f} µs CPU per second of audio",
        },
        {
            **what,
            "contender": "stt-core",
            "values": [resample.held_back(live, frame)],
            "notes": f"{ours:.0f} µs CPU per second of audio, {ours / theirs:.2f}x; SNR {noise:.0f} dB, "
            f"{'aliases' if in_rate > out_rate else 'images'} {loudest:.0f} dB",
        },
    ]
