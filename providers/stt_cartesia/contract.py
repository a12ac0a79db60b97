"""What ``pytest --stt-provider cartesia`` puts to the proof: both sockets, client half against server half."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, cast

from stt_core.audio.frames import AudioFormat
from stt_core.testing.contract.sockets import PACE, Wire, socket_subject
from stt_core.testing.faults import Connection, Status

from .errors import WireError, build_error_body
from .options import CARRIES
from .stt import CartesiaSTT
from .wire import KEY_HEADER, REQUEST_ID_HEADER, build_transcript, build_turn, dump

if TYPE_CHECKING:
    import aiohttp

    from stt_core.audio.frames import Encoding
    from stt_core.testing.contract import Refusal, Sample, Subject

    from .options import Surface

__all__ = ["subjects"]

_KEY = "sk_car_wherever_this_is_seen_it_leaks"
_USER, _PASSWORD = "gateway", "the-password-of-the-gateway"

_MODELS: Mapping[Surface, Literal["ink-whisper", "ink-2"]] = {"manual": "ink-whisper", "turns": "ink-2"}
_EMPTY: Mapping[Surface, str] = {
    "manual": dump(build_transcript("r", "", is_final=False)),
    "turns": dump(build_turn("turn.update", "r", "")),
}
_UPDATES: Mapping[Surface, Mapping[str, object]] = {
    "manual": {"max_silence_duration_secs": 0.7},
    "turns": {"turn_end_timeout_ms": 3000},
}


def subjects(sample: Sample | None = None) -> Iterable[Subject]:
    """Both sockets; the speech is counted audio."""
    return [_subject("manual"), _subject("turns")]


def _subject(surface: Surface) -> Subject:
    def client(base_url: str, http_session: aiohttp.ClientSession | None) -> CartesiaSTT:
        return CartesiaSTT(
            _MODELS[surface],
            api_key=_KEY,
            base_url=base_url.replace("://", f"://{_USER}:{_PASSWORD}@"),
            http_session=http_session,
            max_pace=2 * PACE,
            retry_interval=0.05,
        )

    def updated(connections: Sequence[Connection]) -> bool:
        last = connections[-1]
        if surface == "manual":
            return last.head.query.get("max_silence_duration_secs") == "0.7"
        return any('"end_timeout_ms":3000' in text for text in last.texts)

    wire = Wire(
        provider="cartesia",
        carries=CARRIES[surface],
        audio_format=_audio_format,
        refused=_refused,
        empty_interim=_EMPTY[surface],
        update=_UPDATES[surface],
        updated=updated,
        secrets=(_KEY, _PASSWORD),
        secret_headers=(KEY_HEADER, "Authorization"),
    )
    return socket_subject(f"cartesia, {surface}", wire, client)


def _audio_format(connection: Connection) -> AudioFormat:
    query = connection.head.query
    return AudioFormat(int(query["sample_rate"]), 1, cast("Encoding", query["encoding"]))


def _refused(refusal: Refusal) -> Status:
    request_id = refusal.request_id or "r"
    error = WireError(refusal.message, title="Refused", code=refusal.code)
    content_type, body = build_error_body(error, request_id=request_id)
    return Status(
        refusal.status or 500,
        body.decode(),
        {REQUEST_ID_HEADER: request_id},
        refusal.retry_after,
        content_type,
    )
