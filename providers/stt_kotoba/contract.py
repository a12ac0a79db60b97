"""What ``pytest --stt-provider kotoba`` puts to the proof: the socket, client half against server half."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from stt_core.audio.frames import AudioFormat
from stt_core.testing.contract.sockets import PACE, Wire, socket_subject
from stt_core.testing.counted import CountedSTT
from stt_core.testing.faults import AudioWire, Connection, Status, base64_audio

from .options import REALTIME_CARRIES
from .stt import KotobaSTT
from .wire import ERROR_KINDS, WIRE_FORMATS, ErrorObject, WireFormat, build_delta, dump, object_of, parse

if TYPE_CHECKING:
    import aiohttp

    from stt_core.registry import Resolved
    from stt_core.runner import Runner
    from stt_core.testing.contract import Refusal, Sample, Subject

__all__ = ["APPENDED", "subjects"]

_KEY = "kotoba_wherever_this_is_seen_it_leaks"
_UPDATE = {"silence_duration_ms": 640}

APPENDED = AudioWire(audio_of=base64_audio("audio", type="input_audio_buffer.append"))
"""How audio is found in what a client sends, of 16-bit samples at 16 kHz."""


def subjects(sample: Sample | None = None) -> Iterable[Subject]:
    """The socket, with times and without; the speech is counted audio."""
    return [_subject(timestamps=True), _subject(timestamps=False)]


def _subject(*, timestamps: bool) -> Subject:
    def client(base_url: str, http_session: aiohttp.ClientSession | None) -> KotobaSTT:
        return KotobaSTT(
            "realtime",
            language="en",
            api_key=_KEY,
            base_url=base_url,
            http_session=http_session,
            timestamps=timestamps,
            max_pace=2 * PACE,
            retry_interval=0.05,
        )

    wire = Wire(
        provider="kotoba",
        carries=REALTIME_CARRIES[timestamps],
        audio_format=_audio_format,
        refused=_refused,
        empty_interim=dump(build_delta("")),
        update=_UPDATE,
        updated=_updated,
        secrets=(_KEY,),
        secret_headers=("Authorization",),
        audio=APPENDED,
        behind=_Growing,
    )
    return socket_subject("kotoba, realtime" if timestamps else "kotoba, realtime without times", wire, client)


class _Growing(CountedSTT):
    """Its interims only grow, as a Kotoba's: the server half says those of others when they are final."""

    def create_runner(self, settings: Resolved) -> Runner:
        for cue in self.cues:
            cue.event.provider = "kotoba"
        return super().create_runner(settings)


def _audio_format(connection: Connection) -> AudioFormat:
    session = _session(connection)
    rate = cast("int", session["input_audio_sample_rate"])
    return AudioFormat(rate, 1, WIRE_FORMATS[cast("WireFormat", session["input_audio_format"])])


def _updated(connections: Sequence[Connection]) -> bool:
    detection = _session(connections[-1])["turn_detection"]
    return cast("Mapping[str, object]", detection) == {"type": "server_vad", **_UPDATE}


def _session(connection: Connection) -> Mapping[str, object]:
    update = next(text for text in connection.texts if "transcription_session.update" in text)
    return object_of(object_of(parse(update))["session"])


def _refused(refusal: Refusal) -> Status:
    status = refusal.status or 500
    kind = next((kind for kind, number in ERROR_KINDS.values() if number == status), "invalid_request_error")
    error: ErrorObject = {"type": kind, "code": refusal.code, "message": refusal.message, "param": None}
    headers = {"X-Request-Id": refusal.request_id} if refusal.request_id else {}
    return Status(status, dump({"error": error}), headers, refusal.retry_after, "application/json")
