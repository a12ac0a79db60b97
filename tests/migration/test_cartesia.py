"""What users of Cartesia's SDKs do today, written with this library: a WebSocket (scenario 6) and a file (scenario 7).

The two scenarios stand here as a user writes them. Key and address come from the environment, which is how they get to
our server half; the only other addition is `max_pace`, so that nobody waits for speech to be spoken.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import tracemalloc
import wave
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import pytest
from aiohttp import web

import stt_core
from stt_core import create_stt
from stt_core.audio.frames import AudioFormat
from stt_core.audio.wav import wav_header
from stt_core.errors import AudioError, ConfigError
from stt_core.events import SpeechEvent, SpeechEventType
from stt_core.server import Host
from stt_core.testing.faults import AudioSent, ConnectProxy, Drop, FaultProxy, Peer, ScriptedServer, ThrowawayCA
from stt_core.testing.scripted import ScriptedSTT, utterance

if TYPE_CHECKING:
    from stt_core.options import STTOptions
    from stt_core.transcript import Transcript

KEY = "sk_car_on_no_wire_but_in_its_header"
RATE = 16000
SPEECH = Path(__file__).parents[1] / "data" / "speech"
SENTENCES = ("message", "garden", "weather")
TEXTS = [(SPEECH / f"{name}.txt").read_text("utf-8").strip() for name in SENTENCES]
PAUSE = bytes(2 * RATE)
"""A second of silence, after which a sentence is over for the embedded engine."""

FINAL = SpeechEventType.FINAL_TRANSCRIPT


def samples(name: str) -> bytes:
    with wave.open(str(SPEECH / f"{name}.wav")) as file:
        return file.readframes(file.getnframes())


def chunks_of_640_bytes(audio: bytes) -> Iterator[bytes]:
    return (audio[at : at + 640] for at in range(0, len(audio), 640))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's, with a key and without a proxy."""
    monkeypatch.setenv("CARTESIA_API_KEY", KEY)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def base_url(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda url: monkeypatch.setenv("CARTESIA_BASE_URL", url)


# -- 6: Cartesia, WebSocket ----------------------------------------------------------------------------------------


async def scenario_6(chunks: Iterable[bytes], *, concurrently: bool = False) -> tuple[list[SpeechEvent], Transcript]:
    seen: list[SpeechEvent] = []
    async with (
        create_stt("cartesia/ink-whisper:en?min_volume=0.1&max_silence_duration_secs=0.4", max_pace=1e6) as stt,
        stt.stream(sample_rate=16000, encoding="pcm_s16le") as s,
    ):

        async def read() -> None:
            seen.extend([ev async for ev in s])

        reading = asyncio.create_task(read()) if concurrently else None
        for chunk in chunks:
            await s.send_frame(chunk)
        await s.flush()
        s.end_input()
        await (reading or read())
        full = await s.transcript()
    return seen, full


@pytest.mark.parametrize("concurrently", [False, True], ids=["read at the end", "read concurrently"])
async def test_6_real_speech(base_url: Callable[[str], None], concurrently: bool) -> None:
    """The same finals however they are read; words with their times; every space is there once."""
    audio = PAUSE.join(samples(name) for name in SENTENCES)
    async with Host("pocketsphinx/en-us") as host:
        base_url(host.urls["cartesia"])
        events, full = await scenario_6(chunks_of_640_bytes(audio), concurrently=concurrently)
    finals = [event.alternatives[0] for event in events if event.type is FINAL]
    assert [(final.prefix, final.text) for final in finals] == list(zip(("", " ", " "), TEXTS, strict=True))
    assert full.text == " ".join(TEXTS)
    words = [word for final in finals for word in final.words or []]
    assert [word.text for word in words] == full.text.split()
    times = [time for word in words for time in (word.start_time, word.end_time) if time is not None]
    assert len(times) == 2 * len(words)
    assert times == sorted(times)
    assert times[-1] <= len(audio) / 2 / RATE


async def test_6_an_hour_without_a_reader(base_url: Callable[[str], None]) -> None:
    """No deadlock, nothing dropped, and the last minute's words at their own time, although nobody reads until then."""
    minutes = [
        utterance(f"this is minute {minute}", start=minute * 60 + 1.0, end=minute * 60 + 3.0, interims=False)
        for minute in range(60)
    ]
    loud = (b"\0\x20\0\xe0" * (RATE // 2)) * 2
    audio = (bytes(2 * RATE) + loud + bytes(2 * RATE * 57) for _ in minutes)
    script = ScriptedSTT([cue for cues in minutes for cue in cues])
    async with asyncio.timeout(60), script, Host(script) as host:
        base_url(host.urls["cartesia"])
        events, full = await scenario_6(chunk for minute in audio for chunk in chunks_of_640_bytes(minute))
    finals = [event.alternatives[0] for event in events if event.type is FINAL]
    assert [final.text for final in finals] == [f"this is minute {minute}" for minute in range(60)]
    assert (finals[-1].start_time, finals[-1].end_time) == (59 * 60 + 1.0, 59 * 60 + 3.0)
    assert full.duration == 3600
    assert SpeechEventType.AUDIO_LOST not in {event.type for event in events}


async def test_6_a_wav_header_is_refused(base_url: Callable[[str], None]) -> None:
    """It is an error that says what to do, not noise for the recogniser: none of it is sent."""
    async with ScriptedServer(ignore) as server:
        base_url(server.url)
        with pytest.raises(AudioError, match=r"WAV file.*feed"):
            await scenario_6(chunks_of_640_bytes((SPEECH / "garden.wav").read_bytes()))
    assert server.audio_bytes == 0


async def ignore(peer: Peer) -> None:
    async for _ in peer:
        pass


async def test_6_the_key_is_in_its_header_alone(
    base_url: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the URL, not in a message, not in a log at any level; and there it does serve."""
    caplog.set_level(logging.DEBUG)
    script = ScriptedSTT(utterance("turn the light on", start=0.2, end=1.0))
    async with script, Host(script, api_keys=[KEY]) as host, FaultProxy(host.urls["cartesia"]) as wire:
        base_url(wire.url)
        events, full = await scenario_6(chunks_of_640_bytes(PAUSE))
        assert full.text == "turn the light on"
        assert wire.places_of(KEY) == ["connections[0].headers[X-API-Key]"]
        assert wire.places_of(KEY, allowed_headers=["X-API-Key"]) == []
    assert caplog.records
    assert KEY not in caplog.text
    assert KEY not in repr(events)


@pytest.mark.parametrize("seconds", [1.5, 3.3, 5.5], ids=["the first sentence", "the pause", "the second sentence"])
async def test_6_a_socket_cut_half_way(base_url: Callable[[str], None], seconds: float) -> None:
    """No word is lost and none comes twice, in whichever sentence the connection goes away."""
    audio = PAUSE.join([samples("message"), samples("garden")])
    async with (
        Host("pocketsphinx/en-us") as host,
        FaultProxy(host.urls["cartesia"], {0: [Drop(AudioSent(seconds))]}) as wire,
    ):
        base_url(wire.url)
        events, full = await scenario_6(chunks_of_640_bytes(audio))
        assert [connection.ended_by for connection in wire.connections] == ["fault", "server"]
    assert full.text == " ".join(TEXTS[:2])
    assert [event.type for event in events].count(SpeechEventType.RECONNECTING) == 1


# -- 7: Cartesia, batch --------------------------------------------------------------------------------------------


def scenario_7(config: str, **more: Unpack[STTOptions]) -> Transcript:
    with open("raw.pcm", "rb") as f:  # noqa: PTH123  (as users write it)
        return stt_core.transcribe(f, config, word_timestamps=True, encoding="pcm_s16le", sample_rate=16000, **more)


@pytest.fixture
def raw_pcm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Bare samples of the second sentence, in the folder that the user works in."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "raw.pcm"
    path.write_bytes(samples("garden"))
    return path


@pytest.mark.usefixtures("raw_pcm")
@pytest.mark.parametrize("config", ["cartesia/ink-whisper:en", "pocketsphinx/en-us"])
async def test_7_the_same_call_for_both(base_url: Callable[[str], None], config: str) -> None:
    """Text, duration and the words with their times; only the string differs."""
    async with Host("pocketsphinx/en-us") as host:
        base_url(host.urls["cartesia"])
        t = await asyncio.to_thread(scenario_7, config)
    assert t.text == TEXTS[1]
    assert t.duration == pytest.approx(3.465, abs=0.01)
    assert t.words is not None
    assert [word.text for word in t.words] == TEXTS[1].split()
    starts = [word.start_time for word in t.words if word.start_time is not None]
    assert len(starts) == len(t.words)
    assert starts == sorted(starts)


@pytest.mark.usefixtures("raw_pcm")
@pytest.mark.parametrize("unset", [None, ""], ids=["unset", "empty"])
async def test_7_without_a_key(
    base_url: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, unset: str | None
) -> None:
    """One error, which names the variable; nothing is sent."""
    if unset is None:
        monkeypatch.delenv("CARTESIA_API_KEY")
    else:
        monkeypatch.setenv("CARTESIA_API_KEY", unset)
    async with ScriptedServer() as server:
        base_url(server.url)
        with pytest.raises(ConfigError, match="CARTESIA_API_KEY") as caught:
            await asyncio.to_thread(scenario_7, "cartesia/ink-whisper:en")
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert (server.requests, server.connections) == ([], [])


@pytest.mark.usefixtures("raw_pcm")
async def test_7_through_the_environments_proxy(
    base_url: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """HTTPS_PROXY is respected for files and for sockets; what it sees is where to, and no key."""
    ca = ThrowawayCA()
    trusted = str(ca.write_pem(tmp_path / "ca.pem"))
    script = ScriptedSTT(utterance("turn the light on", start=0.2, end=1.0))
    async with (
        script,
        Host(script) as host,
        FaultProxy(host.urls["cartesia"], ssl_context=ca.server_context()) as vendor,
        ConnectProxy() as proxy,
    ):
        base_url(vendor.url)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        t = await asyncio.to_thread(scenario_7, "cartesia/ink-whisper:en", ssl=trusted)
        assert t.text == "turn the light on"
        async with create_stt("cartesia/ink-whisper:en", ssl=trusted) as stt:
            await stt.prewarm()
            async with stt.stream(sample_rate=RATE, source=[PAUSE]) as stream:
                assert (await stream.transcript()).text == "turn the light on"
        assert {(tunnel.method, f"https://{tunnel.host}:{tunnel.port}") for tunnel in proxy.tunnels} == {
            ("CONNECT", vendor.url)
        }
        assert len(vendor.connections) == 1
        assert len(vendor.requests) == 2
        assert KEY not in repr([tunnel.headers for tunnel in proxy.tunnels])


# Whatever grows with the file grows ten times as much from one size to the other: were as little as 1 % of it kept, the
# peaks would lie 2.7 MB apart. What may lie between them would be 15 MB for the 2 GB that Cartesia takes.
SMALL, LARGE = 30 << 20, 300 << 20
FLAT = 2 << 20


@asynccontextmanager
async def counting() -> AsyncGenerator[tuple[str, list[int]]]:
    """A server that counts what it is sent, and keeps nothing."""
    counts: list[int] = []

    async def count(request: web.Request) -> web.Response:
        counts.append(0)
        async for piece in request.content.iter_any():
            counts[-1] += len(piece)
        return web.json_response({"text": "all of it"})

    app = web.Application()
    app.router.add_post("/stt", count)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", counts
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("kind", ["raw.pcm", "call.wav"])
async def test_7_flat_memory(base_url: Callable[[str], None], raw_pcm: Path, kind: str) -> None:
    """A file of 300 MB takes no more memory than one of 30 MB, as bare samples and as it is."""
    path = raw_pcm.with_name(kind)
    peaks: list[int] = []
    async with counting() as (url, counts):
        base_url(url)
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for size in (SMALL, SMALL, LARGE):  # the first one also pays for imports
            header = wav_header(AudioFormat(RATE), size) if kind == "call.wav" else b""
            with path.open("wb") as file:
                file.write(header)
                file.truncate(len(header) + size)  # sparse: nothing of it is on the disk
            tracemalloc.start()
            if kind == "raw.pcm":
                t = await asyncio.to_thread(scenario_7, "cartesia/ink-whisper:en")
            else:
                t = await asyncio.to_thread(stt_core.transcribe, path, "cartesia/ink-whisper:en")
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert t.text == "all of it"
            assert size < counts[-1] < size + 2000
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident
    assert peaks[2] - peaks[1] < FLAT, f"peaks of {peaks} bytes"
    assert resident < 100 << 10, f"{resident} KB resident"
