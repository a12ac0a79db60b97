"""What ``pytest --stt-provider template`` puts to the proof: client half against server half, over a bad network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from stt_core.audio.frames import AudioFormat
from stt_core.testing.contract.sockets import PACE, Wire, socket_subject
from stt_core.testing.faults import Connection, Status

from .options import CARRIES
from .stt import TemplateSTT
from .wire import CLIENT, DECODED, REQUEST_ID_HEADER, Refusal, WireError, dump

if TYPE_CHECKING:
    import aiohttp

    from stt_core.testing import contract

__all__ = ["subjects"]

_KEY = "template-wherever-this-is-seen-it-leaks"


def subjects(sample: contract.Sample | None = None) -> Iterable[contract.Subject]:
    """The speech is counted audio, which the kit brings along."""
    wire = Wire(
        provider="template",
        carries=CARRIES,
        audio_format=_audio_format,
        refused=_refused,
        empty_interim=dump({"type": "partial", "text": ""}),
        update={"end_silence": 1.5},
        updated=_updated,
        secrets=(_KEY,),
        secret_headers=("Authorization",),
    )
    return [socket_subject("template", wire, _client)]


def _client(base_url: str, http_session: aiohttp.ClientSession | None) -> TemplateSTT:
    return TemplateSTT(
        api_key=_KEY, base_url=base_url, http_session=http_session, max_pace=2 * PACE, retry_interval=0.05
    )


def _audio_format(connection: Connection) -> AudioFormat:
    start = CLIENT.validate_json(connection.texts[0])
    return AudioFormat(start.get("sample_rate", 0), 1, DECODED[start.get("encoding", "s16le")])


def _refused(refusal: contract.Refusal) -> Status:
    status = refusal.status or 500
    error = WireError(status=status, code=refusal.code or "refused", message=refusal.message)
    headers = {REQUEST_ID_HEADER: refusal.request_id} if refusal.request_id else {}
    return Status(status, dump(Refusal(error=error)), headers, refusal.retry_after, "application/json")


def _updated(connections: Sequence[Connection]) -> bool:
    commands = [CLIENT.validate_json(text) for text in connections[-1].texts]
    return any(command.get("end_silence") == 1.5 for command in commands)
