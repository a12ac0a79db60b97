"""What ``pytest --stt-provider livekit`` puts to the proof: client half against server half.

One model has times and is signed in to with key and secret, the other has none and is given a token.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

from stt_core.audio.frames import AudioFormat
from stt_core.testing.contract.sockets import PACE, Wire, socket_subject
from stt_core.testing.faults import AudioWire, Connection, Status, base64_audio

from .stt import LiveKitSTT
from .tokens import mint
from .upstreams import UPSTREAMS
from .wire import build_transcript, dump, fields_of, parse, sample_rate_of

if TYPE_CHECKING:
    import aiohttp

    from stt_core.testing.contract import Refusal, Sample, Subject

__all__ = ["subjects"]

_KEY = "APIwhereverThisIsSeenItLeaks"
_SECRET = "and-so-does-this-which-is-the-secret-of-it"  # noqa: S105


class _SignIn(TypedDict, total=False):
    api_key: str
    api_secret: str
    auth: str


_Model: TypeAlias = Literal["deepgram/nova-3", "cartesia/ink-2"]
_UPDATES: Mapping[_Model, tuple[str, int]] = {
    "deepgram/nova-3": ("endpointing", 300),
    "cartesia/ink-2": ("turn_end_timeout_ms", 3000),
}


def subjects(sample: Sample | None = None) -> Iterable[Subject]:
    """Both; the speech is counted audio."""
    token = mint(_KEY, _SECRET, now=int(time.time())) or ""
    with_key: _SignIn = {"api_key": _KEY, "api_secret": _SECRET}
    return [
        _subject("deepgram/nova-3", with_key, secrets=(_KEY, _SECRET)),
        _subject("cartesia/ink-2", {"auth": token}, secrets=(token,)),
    ]


def _subject(model: _Model, sign_in: _SignIn, *, secrets: Sequence[str]) -> Subject:
    def client(base_url: str, http_session: aiohttp.ClientSession | None) -> LiveKitSTT:
        return LiveKitSTT(
            model,
            base_url=base_url,
            http_session=http_session,
            max_pace=2 * PACE,
            retry_interval=0.05,
            **sign_in,
        )

    name, value = _UPDATES[model]

    def updated(connections: Sequence[Connection]) -> bool:
        return any(f'"{name}":{value}' in text for text in connections[-1].texts)

    wire = Wire(
        provider="livekit",
        carries=UPSTREAMS["deepgram" if model == "deepgram/nova-3" else model].carries,
        audio_format=_audio_format,
        refused=_refused,
        empty_interim=dump(build_transcript("interim_transcript", "")),
        update={name: value},
        updated=updated,
        secrets=secrets,
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
