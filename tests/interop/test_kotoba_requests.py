"""What Kotoba's own SDKs send, compared field by field with what our client sends for the same call."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import wave
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
import pytest_asyncio

from stt_core import create_stt
from stt_core.testing.faults import Answer, AudioWire, Exchange, Peer, ScriptedServer, base64_audio

if TYPE_CHECKING:
    from conftest import Sdk

    from stt_core.stt import STT
    from stt_core.testing.faults import Connection, RequestHead

GARDEN = Path(__file__).parents[1] / "data" / "speech" / "garden.wav"
with wave.open(str(GARDEN)) as _file:
    SAMPLES = _file.readframes(_file.getnframes())
PAUSE = bytes(2 * 16000)
CHUNK = 3200

Sent = Mapping[str, object]
"""A request: what each of its fields holds."""


# -- recording -----------------------------------------------------------------------------------------------------

ITEM = "conversation.item.input_audio_transcription"


async def talk(peer: Peer) -> None:
    """The socket, as briefly as clients bear it."""
    await peer.send({"type": "transcription_session.created", "event_id": "e"})
    told = False
    async for message in peer:
        kind = json.loads(message)["type"]
        if kind == "transcription_session.update":
            await peer.send({"type": "transcription_session.updated", "event_id": "e", "session": {}})
        elif kind == "input_audio_buffer.append" and not told:
            told = True
            await peer.send({"type": f"{ITEM}.delta", "item_id": None, "delta": "hello"})
        elif kind == "input_audio_buffer.commit":
            await peer.send({"type": "input_audio_buffer.committed", "event_id": "e"})
            await peer.close()


async def answer(exchange: Exchange) -> Answer:
    """Every path: a job is asked after twice."""
    if exchange.head.path.endswith("/speech-to-text"):
        return Answer({"language_code": "en", "language_probability": 1.0, "text": "", "words": []})
    if exchange.head.method == "POST":
        return Answer({"job_id": "7"}, 202)
    if exchange.head.number == 1:
        return Answer({"detail": "still processing"}, 202)
    return Answer({"state": "done", "transcription": "", "segments": None})


@pytest_asyncio.fixture
async def recorder() -> AsyncGenerator[ScriptedServer]:
    appended = AudioWire(audio_of=base64_audio("audio", type="input_audio_buffer.append"))
    async with ScriptedServer(talk, http=answer, audio=appended) as server:
        yield server


UNEQUAL_BY_NATURE = frozenset({"host", "sec-websocket-key", "content-length"})
"""Headers that differ between two requests of the same client, or follow from the rest."""


def sent_in_head(head: RequestHead) -> dict[str, object]:
    sent: dict[str, object] = {"method": head.method, "target": head.target}
    for name, value in head.headers.items():
        if name.lower() not in UNEQUAL_BY_NATURE:
            value = re.sub(r"boundary=\S+", "boundary=*", value)
            sent[f"header {name.lower()}"] = re.sub(r"/\d+(\.\d+)+", "/*", value)
    return sent


def sent_over_socket(connection: Connection) -> Sent:
    update, *others = [cast("dict[str, object]", json.loads(text)) for text in connection.texts]
    appends = [json.loads(cast("str", frame.message)) for frame in connection.received if frame.audio is not None]
    return {
        **sent_in_head(connection.head),
        **leaves("update", update),
        "other texts": others,
        "append: fields beside its type and audio": sorted({*appends[0]} - {"type", "audio"}),
        "bytes of the first appends": [len(frame.audio) for frame in connection.received if frame.audio][:3],
        "audio": hashlib.sha256(connection.audio).hexdigest(),
    }


def leaves(name: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        return {name: value}
    items = cast("dict[str, object]", value).items()
    return {path: leaf for key, each in items for path, leaf in leaves(f"{name}.{key}", each).items()}


def sent_as_form(exchange: Exchange) -> Sent:
    sent = sent_in_head(exchange.head)
    boundary = exchange.head.headers["Content-Type"].partition("boundary=")[2].strip('"').encode()
    names: list[str] = []
    for part in bytes(exchange.body).split(b"--" + boundary)[1:-1]:
        head, _, content = part[2:-2].partition(b"\r\n\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n"))
        disposition = headers["content-disposition"]
        name = disposition.partition('; name="')[2].partition('"')[0]
        names.append(name)
        short = content.decode() if len(content) < 100 else hashlib.sha256(content).hexdigest()
        contents = cast("list[str]", sent.setdefault(f"part {name}: content", []))
        contents.append(short)
        sent[f"part {name}: disposition"] = disposition
        sent[f"part {name}: type"] = headers.get("content-type")
    return {**sent, "order of the parts": names}


# -- the same calls with our client --------------------------------------------------------------------------------


def client(config: str, url: str, **options: object) -> STT:
    return create_stt(config, base_url=url, api_key="k", max_pace=1e6, **options)


async def stream(url: str, **options: object) -> None:
    async with client("kotoba/realtime:en", url, **options) as stt, stt.stream(sample_rate=16000) as stream:
        audio = SAMPLES + PAUSE + SAMPLES
        for at in range(0, len(audio), CHUNK):
            await stream.send_frame(audio[at : at + CHUNK])
        stream.end_input()
        await stream.transcript()


async def job(url: str, **options: object) -> None:
    async with client("kotoba/jobs:en", url, **options) as stt:
        await (await stt.submit(GARDEN)).wait(poll_interval=0.1)


async def one_shot(url: str, **options: object) -> None:
    async with client("kotoba/one-shot:en", url, **options) as stt:
        await stt.recognize(GARDEN)


# -- the differences -----------------------------------------------------------------------------------------------

Call = tuple[str, Mapping[str, object], Callable[[str], Awaitable[None]]]

WORDS = ["the garden", "gate"]
KANA = {"human_name": "kana"}

CALLS: Mapping[str, Call] = {
    "0.1.1 bare stream": ("stream", {}, stream),
    "0.1.1 stream": (
        "stream",
        {"keywords": WORDS},
        lambda url: stream(url, keywords=WORDS, turn_detection=False, timestamps=False),
    ),
    "0.3.0 bare stream": ("stream", {}, stream),
    "0.3.0 stream": (
        "stream",
        {"keywords": WORDS, "style_preference": KANA, "turn_detection": {"silence_duration_ms": 400}},
        lambda url: stream(url, keywords=WORDS, kana=True, silence_duration_ms=400, timestamps=False),
    ),
    "0.1.1 job": ("job", {"with_timestamps": True}, lambda url: job(url, with_timestamps=True)),
    "0.3.0 job": ("job", {"style_preference": KANA}, lambda url: job(url, kana=True)),
    "0.3.0 bare transcribe": ("transcribe", {}, one_shot),
    "0.3.0 transcribe": (
        "transcribe",
        {"with_timestamps": True, "keywords": WORDS, "diarization": True, "style_preference": KANA},
        lambda url: one_shot(url, with_timestamps=True, keywords=WORDS, diarization=True, kana=True),
    ),
}
STREAMS = tuple(name for name in CALLS if name.endswith("stream"))
JOBS = ("0.1.1 job", "0.3.0 job")
ONE_SHOTS = ("0.3.0 bare transcribe", "0.3.0 transcribe")
FILES = (*JOBS, *ONE_SHOTS)
BARE = ("0.1.1 bare stream", "0.3.0 bare stream")


@dataclass(frozen=True)
class Difference:
    """In which calls, in which field, what the SDK sends and what we send (``None``: nothing), and why so."""

    calls: Sequence[str]
    field: str
    theirs: object
    ours: object
    why: str
    flavours: Sequence[str] = ("sync", "async")


TYPED = "text/plain; charset=utf-8"
IDENTIFIES = "names the client, and nobody has to know"
ITS_LIBRARY = "what the HTTP library sends by itself, without a meaning here"
TURNS = "deployments disagree on what they do when nobody says, so it is always said: with turns, as agents need"
SAYS_THE_DEFAULT = "what a part without a type is anyway (RFC 7578, section 4.4)"

DIFFERENCES = [
    # What is said on the socket.
    Difference(("0.3.0 bare stream",), "update.session.turn_detection.type", None, "server_vad", TURNS),
    Difference(("0.3.0 bare stream",), "update.session.turn_detection.silence_duration_ms", None, 800, TURNS),
    Difference(("0.1.1 bare stream",), "update.session.turn_detection", False, None, TURNS),
    Difference(("0.1.1 bare stream",), "update.session.turn_detection.type", None, "server_vad", TURNS),
    Difference(("0.1.1 bare stream",), "update.session.turn_detection.silence_duration_ms", None, 800, TURNS),
    Difference(
        BARE,
        "update.session.input_audio_transcription.timestamps",
        None,
        True,
        "times say what has been heard when a connection is lost; timestamps=false leaves them out",
    ),
    Difference(
        STREAMS,
        "append: fields beside its type and audio",
        ["event_id"],
        [],
        "optional; what comes back of it, the documents disagree on",
    ),
    Difference(
        STREAMS,
        "bytes of the first appends",
        [3200, 3200, 3200],
        [1600, 1600, 1600],
        "50 ms a message, however long the pieces are that are pushed",
    ),
    Difference(
        STREAMS,
        "header sec-websocket-extensions",
        "permessage-deflate; client_max_window_bits",
        None,
        "audio does not get smaller by it",
    ),
    # The forms, and what follows.
    Difference(FILES, "part file: type", "audio/x-wav", "audio/wav", "the same by another name; the content decides"),
    Difference(FILES, "part with_timestamps: type", None, TYPED, SAYS_THE_DEFAULT),
    Difference(FILES, "part language: type", None, TYPED, SAYS_THE_DEFAULT),
    Difference(("0.3.0 job",), "part human_name: type", None, TYPED, SAYS_THE_DEFAULT),
    Difference(ONE_SHOTS, "part file_format: type", None, TYPED, SAYS_THE_DEFAULT),
    Difference(("0.3.0 transcribe",), "part diarization: type", None, TYPED, SAYS_THE_DEFAULT),
    Difference(("0.3.0 transcribe",), "part keywords: type", None, TYPED, SAYS_THE_DEFAULT),
    Difference(("0.3.0 transcribe",), "part kana: type", None, TYPED, SAYS_THE_DEFAULT),
    # What libraries send of their own accord.
    Difference(STREAMS, "header user-agent", "Python/* websockets/*", "Python/* aiohttp/*", IDENTIFIES),
    Difference(FILES, "header user-agent", "python-requests/*", "Python/* aiohttp/*", IDENTIFIES, ["sync"]),
    Difference(FILES, "header user-agent", "python-httpx/*", "Python/* aiohttp/*", IDENTIFIES, ["async"]),
    Difference(STREAMS, "header accept", None, "*/*", ITS_LIBRARY),
    Difference(STREAMS, "header accept-encoding", None, "gzip, deflate", ITS_LIBRARY),
    Difference(FILES, "header connection", "keep-alive", None, "the default of HTTP/1.1"),
]


@pytest.mark.parametrize("flavour", ["sync", "async"])
@pytest.mark.parametrize("name", CALLS)
async def test_what_is_sent_differs_as_listed(
    sdk: Callable[[str], Sdk], recorder: ScriptedServer, name: str, flavour: str
) -> None:
    """In each field of a request both say the same, or the table says why they do not; method, target and the audio
    are among the fields.
    """
    call, options, ours_of = CALLS[name]
    url = f"{recorder.url}/v1"
    release = f"kotoba-{name.split()[0]}"
    await asyncio.to_thread(sdk(release).run, "kotoba_sdk.py", flavour, call, url, str(GARDEN), json.dumps(options))
    theirs = recorded(recorder)
    await ours_of(url)
    ours = recorded(recorder)
    found = {
        field: (theirs.get(field), ours.get(field))
        for field in {**theirs, **ours}
        if theirs.get(field) != ours.get(field)
    }
    assert found == {
        each.field: (each.theirs, each.ours) for each in DIFFERENCES if name in each.calls and flavour in each.flavours
    }
    assert {"method", "target", "header authorization"} < theirs.keys()
    audio = hashlib.sha256(SAMPLES + PAUSE + SAMPLES if call == "stream" else GARDEN.read_bytes()).hexdigest()
    assert audio in (theirs.get("audio"), *cast("list[str]", theirs.get("part file: content", [])))


def recorded(recorder: ScriptedServer) -> Sent:
    """The one call since the last time."""
    connections, requests = list(recorder.connections), list(recorder.requests)
    recorder.connections.clear()
    recorder.requests.clear()
    if connections:
        (connection,) = connections
        assert not requests
        return sent_over_socket(connection)
    upload, *others = requests
    # The polls are signed like the upload, by the same client.
    assert {each.head.headers["Authorization"] for each in others} <= {upload.head.headers["Authorization"]}
    return {**sent_as_form(upload), "requests after it": [f"{each.head.method} {each.head.target}" for each in others]}
