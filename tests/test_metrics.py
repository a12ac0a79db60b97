"""What a program can measure: everything that costs or goes wrong, in typed records."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from stt_core import create_stt
from stt_core.errors import BadRequestError, ConnectionLostError
from stt_core.fallback import FallbackSTT
from stt_core.metrics import (
    AudioLost,
    AudioUsage,
    Connected,
    FinalDelay,
    FirstText,
    Metric,
    ProviderSwitched,
    Recognized,
    Reconnecting,
    StreamEnded,
)
from stt_core.testing.clock import virtual_time
from stt_core.testing.scripted import Fault, ScriptedSTT, utterance
from stt_core.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Callable

    from stt_core.audio.decode import AudioInput
    from stt_core.registry import Resolved
    from stt_core.stt import STT

RATE = 16000
PIECE = (np.sin(np.arange(RATE // 20) * 0.3) * 8000).astype("<i2").tobytes()
SCRIPT = [*utterance("one two", start=0.5, end=1.5, delay=0.25), *utterance("three", start=3.0, end=4.0, delay=0.25)]
EXAMPLE = Path(__file__).parent.parent / "examples" / "opentelemetry_metrics.py"


async def speak(stt: STT, seconds: float = 5.0) -> list[Metric]:
    found: list[Metric] = []
    stt.on_metrics = found.append
    async with stt, stt.stream(sample_rate=RATE) as stream:
        for _ in range(round(seconds * 20)):
            stream.push_frame(PIECE)
            await asyncio.sleep(0.05)
        stream.end_input()
        _ = [event async for event in stream]
    return found


@virtual_time
async def test_a_stream_reports_what_it_costs_and_how_fast_it_is() -> None:
    """Each record says whose it is."""
    found = await speak(ScriptedSTT(SCRIPT))
    assert {(metric.provider, metric.model, metric.channel) for metric in found} == {("scripted", "scripted", None)}
    assert len({metric.stream_id for metric in found}) == 1
    assert [type(metric) for metric in found if not isinstance(metric, AudioUsage)] == [
        Connected,
        FirstText,
        FinalDelay,
        FinalDelay,
        StreamEnded,
    ]
    usage = [metric for metric in found if isinstance(metric, AudioUsage)]
    assert sum(metric.sent for metric in usage) == pytest.approx(5.0)  # pyright: ignore[reportUnknownMemberType]
    assert sum(metric.replayed + metric.injected for metric in usage) == 0
    delays = [metric.seconds for metric in found if isinstance(metric, FinalDelay)]
    assert all(delay is not None and 0.2 <= delay <= 0.4 for delay in delays)
    (first,) = [metric.seconds for metric in found if isinstance(metric, FirstText)]
    assert 0.9 < first < 1.5
    end = found[-1]
    assert isinstance(end, StreamEnded)
    assert end.error is None
    assert end.seconds == pytest.approx(5.0)  # pyright: ignore[reportUnknownMemberType]


@virtual_time
async def test_what_goes_wrong_is_reported() -> None:
    """Connections lost, audio replayed, members left, audio lost."""
    first = ScriptedSTT(SCRIPT, faults=[Fault(2.0, "drop"), Fault(1, "refuse")])
    found = await speak(FallbackSTT([first, ScriptedSTT(SCRIPT)]))
    assert [type(metric) for metric in found if isinstance(metric, (Reconnecting, ProviderSwitched))] == [
        Reconnecting,
        ProviderSwitched,
    ]
    assert all(
        isinstance(metric.error, ConnectionLostError)
        for metric in found
        if isinstance(metric, (Reconnecting, ProviderSwitched))
    )
    assert sum(metric.replayed for metric in found if isinstance(metric, AudioUsage)) > 0
    stalling = ScriptedSTT(SCRIPT, faults=[Fault(1.0, "stall")], replay_seconds=1.0, drain_timeout=1.0)
    found: list[Metric] = []
    stalling.on_metrics = found.append
    async with stalling, stalling.stream(sample_rate=RATE) as stream:
        for _ in range(80):
            stream.push_frame(PIECE)
            await asyncio.sleep(0)
    assert sum(metric.seconds for metric in found if isinstance(metric, AudioLost)) > 1.0


class Files(ScriptedSTT):
    """Takes three seconds for a file."""

    async def recognize_audio(self, audio: AudioInput, settings: Resolved) -> Transcript:
        await asyncio.sleep(3)
        if settings.language == "de":
            raise BadRequestError("no", status=400)
        return Transcript("one", duration=60.0)


@virtual_time
async def test_files_are_reported_too() -> None:
    """How long they took, for how much audio, and how they failed."""
    found: list[Metric] = []
    stt = Files()
    stt.on_metrics = found.append
    async with stt:
        await stt.recognize(PIECE, sample_rate=RATE, encoding="pcm_s16le")
        with pytest.raises(BadRequestError):
            await stt.recognize(PIECE, sample_rate=RATE, encoding="pcm_s16le", language="de")
    good, bad = found
    assert isinstance(good, Recognized)
    assert (good.seconds, good.duration, good.error) == (3.0, 60.0, None)
    assert isinstance(bad, Recognized)
    assert isinstance(bad.error, BadRequestError)


@virtual_time
async def test_a_measurement_that_fails_is_no_reason_for_a_call_to_fail(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged."""

    def broken(metric: Metric) -> None:
        raise LookupError("the metrics server is down")

    stt = ScriptedSTT(SCRIPT)
    stt.on_metrics = broken
    async with stt, stt.stream(sample_rate=RATE) as stream:
        stream.push_frame(PIECE * 100)
        stream.end_input()
        with caplog.at_level(logging.ERROR, "stt_core.metrics"):
            assert (await stream.transcript()).text == "one two three"
    assert "on_metrics raised on Connected" in caplog.text


def test_create_stt_takes_it() -> None:
    """Also for a chain."""
    found: list[Metric] = []
    for config in ("scripted", "scripted | scripted"):
        assert create_stt(config, on_metrics=found.append).on_metrics == found.append


@virtual_time
async def test_the_opentelemetry_example_works() -> None:
    """As it stands in ``examples``."""
    spec = importlib.util.spec_from_file_location("opentelemetry_metrics", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    record = cast("Callable[[Metric], None]", module.OpenTelemetryMetrics(provider.get_meter("test")))
    first = ScriptedSTT(SCRIPT, faults=[Fault(2.0, "drop"), Fault(1, "refuse")])
    for metric in await speak(FallbackSTT([first, ScriptedSTT(SCRIPT)])):
        record(metric)
    data = reader.get_metrics_data()
    assert data is not None
    found = {
        metric.name: list(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert set(found) == {
        "stt.audio",
        "stt.reconnects",
        "stt.switches",
        "stt.connect",
        "stt.first_text",
        "stt.final_delay",
    }
    sent = [point for point in found["stt.audio"] if dict(point.attributes or {})["kind"] == "sent"]
    assert sum(getattr(point, "value", 0.0) for point in sent) == pytest.approx(5.0)  # pyright: ignore[reportUnknownMemberType]
    provider.shutdown()
