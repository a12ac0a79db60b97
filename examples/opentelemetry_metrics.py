"""Metrics of streams for OpenTelemetry: what they cost, how fast they are, what goes wrong.

pip install opentelemetry-api
stt = create_stt("cartesia/ink-2", on_metrics=OpenTelemetryMetrics())
"""

from __future__ import annotations

from opentelemetry import metrics as opentelemetry

from stt_core import metrics


class OpenTelemetryMetrics:
    """Counts and times what streams report. One object serves any number of STTs.

    Args:
        meter: where the instruments are made; by default the global provider's.
    """

    def __init__(self, meter: opentelemetry.Meter | None = None) -> None:
        meter = meter or opentelemetry.get_meter("stt_core")
        self._audio = meter.create_counter("stt.audio", "s", "Audio sent, replayed, injected and lost")
        self._reconnects = meter.create_counter("stt.reconnects", "1", "Connections that were lost")
        self._switches = meter.create_counter("stt.switches", "1", "Streams that went on to another provider")
        self._connect = meter.create_histogram("stt.connect", "s", "Until the provider is ready")
        self._first_text = meter.create_histogram("stt.first_text", "s", "From the first audio to the first text")
        self._final_delay = meter.create_histogram("stt.final_delay", "s", "From the end of speech to its FINAL")
        self._files = meter.create_histogram("stt.file", "s", "How long a file took")

    def __call__(self, metric: metrics.Metric) -> None:
        """Takes one record."""
        who = {"provider": metric.provider, "model": metric.model or ""}
        match metric:
            case metrics.AudioUsage(sent=sent, replayed=replayed, injected=injected):
                for kind, seconds in (("sent", sent), ("replayed", replayed), ("injected", injected)):
                    self._audio.add(max(seconds, 0.0), {**who, "kind": kind})
            case metrics.AudioLost(seconds=seconds):
                self._audio.add(seconds, {**who, "kind": "lost"})
            case metrics.Reconnecting(error=error):
                self._reconnects.add(1, {**who, "error": type(error).__name__ if error else "planned"})
            case metrics.ProviderSwitched(previous_provider=previous, error=error):
                self._switches.add(1, {**who, "from": previous, "error": type(error).__name__})
            case metrics.Connected(seconds=seconds):
                self._connect.record(seconds, who)
            case metrics.FirstText(seconds=seconds):
                self._first_text.record(seconds, who)
            case metrics.FinalDelay(seconds=seconds) if seconds is not None:
                self._final_delay.record(seconds, who)
            case metrics.Recognized(seconds=seconds, error=error):
                self._files.record(seconds, {**who, "error": type(error).__name__ if error else ""})
            case _:
                pass
