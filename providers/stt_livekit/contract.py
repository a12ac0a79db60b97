"""What ``pytest --stt-provider livekit`` puts to the proof, client against server: with times, and without."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from stt_core.audio.frames import AudioFormat
from stt_core.testing.contract.sockets import PACE, Wire, socket_subject
from stt_core.testing.faults import AudioWire, Connection, Status, base64_audio

from .stt import LiveKitSTT
from .upstreams import UPSTREAMS
from .wire import build_transcript, dump, fields_of, parse, sample_rate_of

if TYPE_CHECKING:
    import aiohttp

    from stt_core.testing.contract import Refusal, Sample, Subject

__all__ = ["subjects"]

_KEY = "APIwhereverThisIsSeenItLeaks"
_SECRET = "and-so-does-this-which-is-the-secret-of-it"  # noqa: S105

_Model: TypeAlias = Literal["deepgram/nova-3", "cartesia/ink-2"]
_FAMILIES: Mapping[_Model, str] = {"deepgram/nova-3": "deepgram", "cartesia/ink-2": "cartesia/ink-2"}
_UPDATES: Mapping[_Model, tuple[str, int]] = {
    "deepgram/nova-3": ("endpointing", 300),
    "cartesia/ink-2": ("turn_end_timeout_ms", 3000),
}


def subjects(sample: Sample | None = None) -> Iterable[Subject]:
    """Both; the speech is counted audio."""
    return [_subject(model) for model in _FAMILIES]


def _subject(model: _Model) -> Subject:
    def client(base_url: str, http_session: aiohttp.ClientSession | None) -> LiveKitSTT:
        return LiveKitSTT(
            model,
            api_key=_KEY,
            api_secret=_SECRET,
            base_url=base_url,
            http_session=http_session,
            max_pace=2 * PACE,
            retry_interval=0.05,
        )

    name, value = _UPDATES[model]

    def updated(connections: Sequence[Connection]) -> bool:
        return any(f'"{name}":{value}' in text for text in connections[-1].texts)

    wire = Wire(
        provider="livekit",
        carries=UPSTREAMS[_FAMILIES[model]].carries,
        audio_format=_audio_format,
        refused=_refused,
        empty_interim=dump(build_transcript("interim_transcript", "")),
        update={name: value},
        updated=updated,
        secrets=(_KEY, _SECRET),
        secret_headers=("Authorization",),
        audio=AudioWire(audio_of=base64_audio("audio", type="input_audio")),
    )
    return socket_subject(f"livekit, {model}", wire, client)


def _audio_format(connection: Connection) -> AudioFormat:
    create = next(message for text in connection.texts if (message := parse(text)).get("type") == "session.create")
    return AudioFormat(sample_rate_of(fields_of(create, "settings")))


def _refused(refusal: Refusal) -> Status:
    # As LiveKit's other services put it, with a word for the code.
    return Status(
        refusal.status or 500,
        dump({"code": refusal.code, "msg": refusal.message}),
        {"X-Request-Id": refusal.request_id or "r"},
        refusal.retry_after,
        "application/json",
    )
