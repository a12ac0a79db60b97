"""What Cartesia's own SDKs send, compared field by field with what our client sends for the same call."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import wave
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from stt_core import create_stt
from stt_core.testing.faults import Answer, Exchange, Peer, ScriptedServer

if TYPE_CHECKING:
    from conftest import Sdk

    from stt_core.stt import STT
    from stt_core.testing.faults import Connection, RequestHead

GARDEN = Path(__file__).parents[1] / "data" / "speech" / "garden.wav"
with wave.open(str(GARDEN)) as _file:
    SAMPLES = _file.readframes(_file.getnframes())
CHUNK = 3200

Sent = Mapping[str, str]
"""A request: what each of its fields holds."""


# -- recording -----------------------------------------------------------------------------------------------------


async def talk(peer: Peer) -> None:
    """Either socket, as briefly as clients bear it."""
    turns = "turns" in peer.connection.head.path
    if turns:
        await peer.send({"type": "connected", "request_id": "r"})
    async for message in peer:
        if message == "finalize":
            await peer.send({"type": "flush_done", "request_id": "r"})
        elif message in ("close", "done"):
            await peer.send({"type": "done", "request_id": "r"})
            await peer.close()
        elif isinstance(message, str) and json.loads(message)["type"] == "close":
            await peer.close()


async def transcribe(exchange: Exchange) -> Answer:
    return Answer(json.dumps({"type": "transcript", "text": "", "language": "en", "duration": 1.0, "words": []}))


@pytest_asyncio.fixture
async def recorder() -> AsyncGenerator[ScriptedServer]:
    async with ScriptedServer(talk, http=transcribe) as server:
        yield server


UNEQUAL_BY_NATURE = frozenset({"host", "sec-websocket-key", "content-length"})
"""Headers that differ between two requests of the same client, or follow from the rest."""


def sent_in_head(head: RequestHead) -> dict[str, str]:
    path, _, query = head.target.partition("?")
    sent = {"method": head.method, "path": path}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        sent[f"query {name}"] = " ".join(filter(None, (sent.get(f"query {name}"), value)))
    for name, value in head.headers.items():
        family = re.match(r"x-(stainless|fern)-", name.lower())
        if family:
            sent[f"header {family[0]}*"] = "given"
        elif name.lower() not in UNEQUAL_BY_NATURE:
            value = re.sub(r"boundary=\S+", "boundary=*", value)
            sent[f"header {name.lower()}"] = re.sub(r"/\d+(\.\d+)+", "/*", value)
    return sent


def sent_over_socket(connection: Connection) -> Sent:
    audio = [frame.audio for frame in connection.received if frame.audio is not None]
    return {
        **sent_in_head(connection.head),
        "texts": " ".join(connection.texts),
        "bytes of the first frames": " ".join(str(len(each)) for each in audio[:3]),
        "audio": hashlib.sha256(b"".join(audio)).hexdigest(),
    }


def sent_as_form(exchange: Exchange) -> Sent:
    boundary = exchange.head.headers["Content-Type"].partition("boundary=")[2].strip('"').encode()
    sent = sent_in_head(exchange.head)
    names: list[str] = []
    for part in bytes(exchange.body).split(b"--" + boundary)[1:-1]:
        head, _, content = part[2:-2].partition(b"\r\n\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n"))
        disposition = headers["content-disposition"]
        names.append(disposition.partition('; name="')[2].partition('"')[0])
        sent[f"part {names[-1]}: disposition"] = disposition
        sent[f"part {names[-1]}: type"] = headers.get("content-type", "none")
        short = content.decode() if len(content) < 100 else hashlib.sha256(content).hexdigest()
        sent[f"part {names[-1]}: content"] = short
    return {**sent, "order of the parts": ", ".join(names)}


# -- the same calls with our client --------------------------------------------------------------------------------


async def manual(url: str, **options: object) -> None:
    async with client("cartesia/ink-whisper:en", url, **options) as stt, stt.stream(sample_rate=16000) as stream:
        for at in range(0, len(SAMPLES), CHUNK):
            await stream.send_frame(SAMPLES[at : at + CHUNK])
        await stream.flush()
        stream.end_input()
        await stream.transcript()


async def turns(url: str) -> None:
    options = {"keyterm": ["the garden", "C++"], "turn_start_threshold": 0.7, "turn_end_timeout_ms": 4500}
    async with client("cartesia/ink-2", url, **options) as stt, stt.stream(sample_rate=16000) as stream:
        for at in range(0, len(SAMPLES), CHUNK):
            await stream.send_frame(SAMPLES[at : at + CHUNK])
        await stream.update_options(turn_end_threshold=0.25)
        stream.end_input()
        await stream.transcript()


async def batch(url: str) -> None:
    async with client("cartesia/ink-whisper:en", url) as stt:
        await stt.recognize(GARDEN, word_timestamps=True)


async def bare(url: str) -> None:
    async with client("cartesia/ink-whisper", url) as stt:
        await stt.recognize(SAMPLES, encoding="pcm_s16le", sample_rate=16000)


def client(config: str, url: str, **options: object) -> STT:
    return create_stt(config, base_url=url, api_key="sk_test", max_pace=1e6, **options)


# -- the differences -----------------------------------------------------------------------------------------------

Call = tuple[str, str, Callable[[str], Awaitable[None]]]

CALLS: Mapping[str, Call] = {
    "2.0.6 sync": ("cartesia_2.py", "sync", lambda url: manual(url, max_silence_duration_secs=0.6)),
    "2.0.6 async": ("cartesia_2.py", "async", lambda url: manual(url, min_volume=0.1)),
    "2.0.6 batch": ("cartesia_2.py", "batch", batch),
    "2.0.6 bare": ("cartesia_2.py", "bare", bare),
    "4.2.0 manual": ("cartesia_4.py", "manual", manual),
    "4.2.0 auto": ("cartesia_4.py", "auto", turns),
    "4.2.0 batch": ("cartesia_4.py", "batch", batch),
    "4.2.0 bare": ("cartesia_4.py", "bare", bare),
}
SOCKETS_2, FILES_2 = ("2.0.6 sync", "2.0.6 async"), ("2.0.6 batch", "2.0.6 bare")
SOCKETS_4, FILES_4 = ("4.2.0 manual", "4.2.0 auto"), ("4.2.0 batch", "4.2.0 bare")
BATCH, BARE = ("2.0.6 batch", "4.2.0 batch"), ("2.0.6 bare", "4.2.0 bare")
OF_WEBSOCKETS = ("2.0.6 sync", *SOCKETS_4)
"""The SDKs' calls that the library of this name makes; the others are aiohttp's, like ours, and httpx's."""


@dataclass(frozen=True)
class Difference:
    """In which calls, in which field, what the SDK sends and what we send (``None``: nothing), and why so."""

    calls: Sequence[str]
    field: str
    theirs: str | None
    ours: str | None
    why: str


NOT_IN_URL = "a key in a URL gets into logs, and a header serves"
ONE_HEADER = "X-API-Key holds for every version of the API; Bearer is left for access tokens"
NEWEST = "the newest version; api_version= chooses another"
IDENTIFIES = "names the client, and nobody has to know"
ITS_LIBRARY = "what the HTTP library sends by itself, without a meaning here"
NO_SHRINKING = "audio does not get smaller by it"
SAYS_THE_DEFAULT = "what a part without a type is anyway (RFC 7578, section 4.4)"
LANGUAGE = "our default is said, so that a change of the server's changes nothing"

DIFFERENCES = [
    # Who asks, and for which version of the API.
    Difference(SOCKETS_2, "query api_key", "sk_test", None, NOT_IN_URL),
    Difference(SOCKETS_2, "header x-api-key", None, "sk_test", NOT_IN_URL),
    Difference((*SOCKETS_4, *FILES_4), "header authorization", "Bearer sk_test", None, ONE_HEADER),
    Difference((*SOCKETS_4, *FILES_4), "header x-api-key", None, "sk_test", ONE_HEADER),
    Difference(SOCKETS_2, "query cartesia_version", "2024-11-13", None, "the header serves sockets and files alike"),
    Difference(SOCKETS_2, "header cartesia-version", None, "2026-08-14", NEWEST),
    Difference(FILES_2, "header cartesia-version", "2024-11-13", "2026-08-14", NEWEST),
    # What is said on the sockets.
    Difference(
        SOCKETS_2, "texts", "finalize done", "finalize close", "the word since SDK 3; close_word=done says the other"
    ),
    Difference(
        ("4.2.0 auto",),
        "texts",
        '{"type": "config", "turn": {"end_threshold": 0.25}} {"type": "close"}',
        '{"type":"config","turn":{"end_threshold":0.25}} {"type":"close"}',
        "the same JSON without spaces",
    ),
    Difference(
        ("4.2.0 auto",),
        "query keyterm",
        "the+garden C%2B%2B",
        "the%20garden C%2B%2B",
        "a space that every server reads rightly; + is one in forms only",
    ),
    Difference(
        (*SOCKETS_2, *SOCKETS_4),
        "bytes of the first frames",
        "3200 3200 3200",
        "1600 1600 1600",
        "50 ms a message, however long the pieces are that are pushed",
    ),
    Difference(
        OF_WEBSOCKETS,
        "header sec-websocket-extensions",
        "permessage-deflate; client_max_window_bits",
        None,
        NO_SHRINKING,
    ),
    # The form.
    Difference(BARE, "order of the parts", "model, file", "model, language, file", LANGUAGE),
    Difference(BARE, "part language: disposition", None, 'form-data; name="language"', LANGUAGE),
    Difference(BARE, "part language: content", None, "en", LANGUAGE),
    Difference(BARE, "part language: type", None, "text/plain; charset=utf-8", SAYS_THE_DEFAULT),
    Difference(BATCH, "part language: type", "none", "text/plain; charset=utf-8", SAYS_THE_DEFAULT),
    Difference((*BATCH, *BARE), "part model: type", "none", "text/plain; charset=utf-8", SAYS_THE_DEFAULT),
    Difference(BATCH, "part timestamp_granularities[]: type", "none", "text/plain; charset=utf-8", SAYS_THE_DEFAULT),
    Difference(BATCH, "part file: type", "audio/x-wav", "audio/wav", "the same by another name; the content decides"),
    Difference(
        BARE,
        "part file: disposition",
        'form-data; name="file"; filename="upload"',
        'form-data; name="file"; filename="audio.pcm"',
        "a name that says what it is",
    ),
    # What libraries send of their own accord.
    Difference(("2.0.6 sync",), "header user-agent", "Python/* websockets/*", "Python/* aiohttp/*", IDENTIFIES),
    Difference(FILES_2, "header user-agent", "python-httpx/*", "Python/* aiohttp/*", IDENTIFIES),
    Difference((*SOCKETS_4, *FILES_4), "header user-agent", "cartesia-python/*", "Python/* aiohttp/*", IDENTIFIES),
    Difference((*SOCKETS_4, *FILES_4), "header x-cartesia-client", "cartesia-python/*", None, IDENTIFIES),
    Difference((*SOCKETS_4, *FILES_4), "header x-stainless-*", "given", None, IDENTIFIES),
    Difference(FILES_2, "header x-fern-*", "given", None, IDENTIFIES),
    Difference(("2.0.6 sync",), "header accept", None, "*/*", ITS_LIBRARY),
    Difference((*SOCKETS_4, *FILES_4), "header accept", "application/json", "*/*", "the answer is always JSON"),
    Difference(OF_WEBSOCKETS, "header accept-encoding", None, "gzip, deflate", ITS_LIBRARY),
    Difference(SOCKETS_4, "header content-type", "application/json", None, "a handshake has no content"),
    Difference((*FILES_2, *FILES_4), "header connection", "keep-alive", None, "the default of HTTP/1.1"),
]


@pytest.mark.parametrize("name", CALLS)
async def test_what_is_sent_differs_as_listed(sdk: Callable[[str], Sdk], recorder: ScriptedServer, name: str) -> None:
    """In each field of a request both say the same, or the table says why they do not; method, path, query and the
    audio are among the fields.
    """
    driver, mode, ours_of = CALLS[name]
    url = recorder.url.replace("127.0.0.1", "localhost")  # the only name to which SDK 2.0.x speaks without TLS
    await asyncio.to_thread(sdk(f"cartesia-{name.split()[0]}").run, driver, mode, url, str(GARDEN))
    await ours_of(url)
    theirs, ours = [
        *(sent_over_socket(connection) for connection in recorder.connections),
        *(sent_as_form(request) for request in recorder.requests),
    ]
    found = {
        field: (theirs.get(field), ours.get(field))
        for field in {**theirs, **ours}
        if theirs.get(field) != ours.get(field)
    }
    assert found == {each.field: (each.theirs, each.ours) for each in DIFFERENCES if name in each.calls}
    assert {"method", "path"} < theirs.keys()
    assert theirs["audio" if "audio" in theirs else "part file: content"] == hashlib.sha256(audio_of(mode)).hexdigest()


def audio_of(mode: str) -> bytes:
    return GARDEN.read_bytes() if mode == "batch" else SAMPLES
