"""What LiveKit's own client sends to its gateway, compared field by field with what ours sends for the same call."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import wave
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import jwt
import pytest
import pytest_asyncio

from stt_core import create_stt
from stt_core.testing.faults import Peer, ScriptedServer

if TYPE_CHECKING:
    from conftest import Sdk

    from stt_core.stream import RecognizeStream
    from stt_core.testing.faults import Connection

GARDEN = Path(__file__).parents[1] / "data" / "speech" / "garden.wav"
with wave.open(str(GARDEN)) as _file:
    SAMPLES = _file.readframes(_file.getnframes())
FRAME = 640
KEY, SECRET = "APIdevkey", 4 * "a-secret-of-the-api-"  # the driver's

Sent = Mapping[str, str]
"""A session: what each of its fields holds."""


# -- recording -----------------------------------------------------------------------------------------------------


async def talk(peer: Peer) -> None:
    """The gateway, as briefly as clients bear it. Ours says session.close; theirs wait for session.closed."""
    ours = peer.connection.head.headers["User-Agent"].startswith("stt-core")
    async for message in peer:
        kind = json.loads(message)["type"]
        if kind == "session.create":
            await peer.send({"type": "session.created", "session_id": "s"})
        elif kind == "session.finalize":
            await peer.send({"type": "session.finalized"})
        if kind == "session.close" or (kind == "session.finalize" and not ours):
            await peer.send({"type": "session.closed"})
            await peer.close()


@pytest_asyncio.fixture
async def recorder() -> AsyncGenerator[ScriptedServer]:
    async with ScriptedServer(talk) as server:
        yield server


UNEQUAL_BY_NATURE = frozenset({"host", "sec-websocket-key"})
"""Headers that differ between two requests of the same client."""


def sent_over(connection: Connection) -> Sent:
    head = connection.head
    path, _, query = head.target.partition("?")
    messages = [cast("dict[str, object]", json.loads(text)) for text in connection.texts]
    audio = [base64.b64decode(str(each["audio"]), validate=True) for each in messages if "audio" in each]
    kinds = " ".join(str(each["type"]) for each in messages)
    sent = {
        "method": head.method,
        "path": path,
        "query": query,
        "messages": re.sub(r"input_audio( input_audio)+", "input_audio …", kinds),
        "bytes of the audio's frames": f"{len(audio[0])} … {len(audio[-2])} {len(audio[-1])}",
        "audio": hashlib.sha256(b"".join(audio)).hexdigest(),
    }
    for name, value in head.headers.items():
        if name.lower() not in (*UNEQUAL_BY_NATURE, "authorization"):
            sent[f"header {name.lower()}"] = re.sub(r"\d+(\.\d+)+|(?<=inference_)\w+", "*", value)
    sent.update(token_of(head.headers["Authorization"]))
    for message in messages:
        if message["type"] in ("session.create", "session.update"):
            sent.update(flat(str(message["type"]), message))
    return sent


def token_of(authorization: str) -> Sent:
    scheme, _, token = authorization.partition(" ")
    claims = cast("dict[str, object]", jwt.decode(token, SECRET, ["HS256"]))
    not_before, expires = cast("int", claims.pop("nbf")), cast("int", claims.pop("exp"))
    header = cast("dict[str, object]", jwt.get_unverified_header(token))
    return {
        "token": scheme,
        "token, its life": str(expires - not_before),
        **flat("token's header", header),
        **flat("token's claims", claims),
    }


def flat(name: str, value: object) -> dict[str, str]:
    if isinstance(value, dict) and value:
        items = cast("dict[str, object]", value).items()
        return {path: leaf for key, each in items for path, leaf in flat(f"{name}.{key}", each).items()}
    return {name: json.dumps(value)}


# -- the same calls with our client --------------------------------------------------------------------------------


async def ours(
    url: str, config: str, *, update: Callable[[RecognizeStream], Awaitable[None]] | None = None, **options: object
) -> None:
    stt = create_stt(config, base_url=url, api_key=KEY, api_secret=SECRET, max_pace=1e6, **options)
    async with stt, stt.stream(sample_rate=16000) as stream:
        for at in range(0, len(SAMPLES), FRAME):
            await stream.send_frame(SAMPLES[at : at + FRAME])
            if update is not None and at // FRAME == len(SAMPLES) // FRAME // 2:
                await update(stream)
        stream.end_input()
        await stream.transcript()


CALLS: Mapping[str, Callable[[str], Awaitable[None]]] = {
    "plain": lambda url: ours(url, "livekit/deepgram/nova-3:en"),
    "options": lambda url: ours(
        url, "livekit/deepgram/nova-3:en", filler_words=True, endpointing=100, keyterm=["garden", "C++"]
    ),
    "no model": lambda url: ours(url, "livekit"),
    "update": lambda url: ours(
        url,
        "livekit/assemblyai/universal-streaming",
        update=lambda stream: stream.update_options(language="en", max_turn_silence=700),
    ),
    "fallback": lambda url: ours(
        url,
        "livekit/deepgram/flux-general",
        fallback=["cartesia/ink-whisper", {"model": "xai/stt-1", "extra": {"diarize": True}}],
    ),
}
OLD = ("1.2.11 plain", "1.2.11 options", "1.2.11 no model")
NEW = ("1.8.9 plain", "1.8.9 options", "1.8.9 no model", "1.8.9 update", "1.8.9 fallback")


# -- the differences -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """In which calls, in which field, what LiveKit's client sends and what we send (``None``: nothing), and why so."""

    calls: Sequence[str]
    field: str
    theirs: str | None
    ours: str | None
    why: str


NAMES_ITSELF = "each client names itself, and ours so that a server knows that it says session.close"
CALLS_BACK = "the session's id in the server's log, also outside of a LiveKit job"
SAYS_GOODBYE = "theirs waits for session.closed, up to 30 s; ours says that it has heard everything"
NEW_DIALECT = "the dialect since 1.3"
NO_TERMS = "theirs says an empty list where its framework has no terms; ours says nothing of what was not asked for"

DIFFERENCES = [
    # Who asks, and what for.
    Difference(OLD, "header user-agent", "Python/* aiohttp/*", "stt-core/*", NAMES_ITSELF),
    Difference(NEW, "header user-agent", "LiveKit Agents/* (python *)", "stt-core/*", NAMES_ITSELF),
    Difference((*OLD, *NEW), "header x-livekit-session-id", None, "inference_*", CALLS_BACK),
    Difference(OLD[:2], "query", "", "model=deepgram/nova-3", NEW_DIALECT),
    Difference(("1.8.9 no model",), "query", "model=NOT_GIVEN", "", "theirs says the name of a constant of its own"),
    # What is said.
    Difference(OLD, "session.create.connection.timeout", None, "10.0", NEW_DIALECT),
    Difference(OLD, "session.create.connection.retries", None, "3", NEW_DIALECT),
    Difference(("1.8.9 plain", "1.8.9 fallback"), "session.create.settings.extra.keyterm", "[]", None, NO_TERMS),
    Difference(("1.8.9 update",), "session.create.settings.extra.keyterms_prompt", "[]", None, NO_TERMS),
    Difference(
        ("1.8.9 plain", "1.8.9 fallback", "1.8.9 update"), "session.create.settings.extra", None, "{}", NO_TERMS
    ),
    Difference(
        (*OLD, "1.8.9 plain", "1.8.9 options", "1.8.9 no model", "1.8.9 fallback"),
        "messages",
        "session.create input_audio … session.finalize",
        "session.create input_audio … session.finalize session.close",
        SAYS_GOODBYE,
    ),
    Difference(
        ("1.8.9 update",),
        "messages",
        "session.create input_audio … session.update input_audio … session.finalize",
        "session.create input_audio … session.update input_audio … session.finalize session.close",
        SAYS_GOODBYE,
    ),
    Difference(
        ("1.8.9 update",),
        "bytes of the audio's frames",
        "1600 … 1600 480",
        "1600 … 1600 800",
        "what was pushed before an update goes out before it, if it is less than 50 ms",
    ),
]


@pytest.mark.parametrize("name", [*OLD, *NEW])
async def test_what_is_sent_differs_as_listed(sdk: Callable[[str], Sdk], recorder: ScriptedServer, name: str) -> None:
    """In each field of a session, token and messages included, both say the same, or the table says why they do not."""
    release, _, call = name.partition(" ")
    url = recorder.url + "/v1"
    await asyncio.to_thread(sdk(f"livekit-agents-{release}").run, "livekit_agents.py", call, url, str(GARDEN))
    await CALLS[call](url)
    theirs, own = (sent_over(connection) for connection in recorder.connections[-2:])
    found = {
        field: (theirs.get(field), own.get(field)) for field in {**theirs, **own} if theirs.get(field) != own.get(field)
    }
    assert found == {each.field: (each.theirs, each.ours) for each in DIFFERENCES if name in each.calls}
    assert theirs["audio"] == hashlib.sha256(SAMPLES).hexdigest()
