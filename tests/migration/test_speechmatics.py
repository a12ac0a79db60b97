"""What users of Speechmatics' SDKs do today, written with this library: scenarios 3 to 5, against our server half.

The scenarios stand here as a user writes them. Key and addresses come from the environment, which is how they get to
the server half.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from stt_core import create_stt
from stt_core.errors import (
    AuthenticationError,
    BadRequestError,
    ConfigError,
    JobError,
    JobFailedError,
    JobNotFoundError,
    JobTimeoutError,
    STTError,
)
from stt_core.events import Word
from stt_core.server import Host
from stt_core.testing.faults import BAD_GATEWAY, FaultProxy
from stt_core.testing.scripted import ScriptedSTT
from stt_core.transcript import Segment, Transcript, Translation

if TYPE_CHECKING:
    from stt_core.audio.decode import AudioInput
    from stt_core.jobs import JobInfo
    from stt_core.registry import Resolved
    from stt_core.stt import STT

KEY = "a-key-wherever-this-is-seen-it-leaks"
SPEECH = Path(__file__).parents[1] / "data" / "speech" / "weather.wav"
WAV = SPEECH.read_bytes()

TALK = Transcript(
    "Good day. Hello.",
    "en",
    2.0,
    segments=[
        Segment(
            "Good day.",
            speaker_id="S1",
            words=[Word("Good", 0.3, 0.6, 0.9, "S1"), Word("day.", 0.6, 1.0, 0.9, "S1")],
            language="en",
        ),
        Segment("Hello.", " ", speaker_id="S2", words=[Word("Hello.", 1.2, 1.6, 0.9, "S2")], language="en"),
    ],
    summary="They greet.",
    translations={
        "es": Translation("Buenos días. Hola.", [Segment("Buenos días. Hola.", "", 0.3, 1.6)]),
        "fr": Translation("Bonjour. Salut.", [Segment("Bonjour. Salut.", "", 0.3, 1.6)]),
    },
)


class Listener(ScriptedSTT):
    """Hears the talk, once it is told to go on; or fails."""

    def __init__(self, *, error: STTError | None = None, held: bool = False) -> None:
        super().__init__()
        self.error = error
        self.go = threading.Event()
        self.heard: list[bytes] = []
        if not held:
            self.go.set()

    @override
    async def recognize_audio(self, audio: AudioInput, settings: Resolved) -> Transcript:
        with audio.open_binary() as file:
            self.heard.append(file.read())
        await asyncio.to_thread(self.go.wait)
        if self.error is not None:
            raise self.error
        return TALK


@pytest.fixture
def call(tmp_path: Path) -> Path:
    """An MP3."""
    path = tmp_path / "call.mp3"
    sf: Any = importlib.import_module("soundfile")
    data, rate = sf.read(SPEECH, dtype="int16")
    sf.write(path, data, rate, format="MP3")
    return path


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """An M4A."""
    path = tmp_path / "talk.m4a"
    sf: Any = importlib.import_module("soundfile")
    av: Any = importlib.import_module("av")
    samples, rate = sf.read(SPEECH, dtype="int16")
    with av.open(str(path), "w", format="ipod") as out:
        stream = out.add_stream("aac", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = rate
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's, with a key and without a proxy."""
    monkeypatch.setenv("SPEECHMATICS_API_KEY", KEY)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Serves a listener behind a network that may fail; the environment leads there."""

    @asynccontextmanager
    async def serve(listener: Listener, *api_keys: str) -> AsyncGenerator[FaultProxy]:
        async with Host(listener, api_keys=api_keys) as host, FaultProxy(f"http://localhost:{host.port}") as proxy:
            monkeypatch.setenv("SPEECHMATICS_BATCH_URL", f"{proxy.url}/speechmatics/v2")
            monkeypatch.setenv("SM_MANAGEMENT_PLATFORM_URL", f"{proxy.url}/speechmatics/v1")
            yield proxy

    return serve


def content(path: Path) -> bytes:
    return path.read_bytes()


def asked(proxy: FaultProxy, what: str) -> list[str]:
    targets = [f"{each.head.method} {each.head.target}" for each in proxy.requests]
    return [target for target in targets if what in target]


# -- 3: own polling, another process, a progress bar ---------------------------------------------------------------


class Bar:
    def __init__(self, listener: Listener) -> None:
        self.ticks = 0
        self._listener = listener

    def tick(self) -> None:
        self.ticks += 1
        if self.ticks == 2:
            self._listener.go.set()


async def scenario_3(
    stt: STT, other_stt: STT, bar: Bar, save: Callable[[str], object], load: Callable[[], str], call: Path
) -> Transcript | Sequence[str]:
    def fail(errors: Sequence[str]) -> Sequence[str]:
        return errors

    job = await stt.submit(call)
    save(job.id)
    job = other_stt.job(load())
    while (st := await job.status()).state == "processing":
        bar.tick()
        await asyncio.sleep(0.01)
    return await job.result() if st.state == "done" else fail((await job.info()).errors)


async def test_own_polling(serving: Callable[..., Any], call: Path, tmp_path: Path) -> None:
    """The bar ticks, another STT has the result; a rejected job has its reasons; an unknown one is not found."""
    note, uploaded = tmp_path / "id", content(call)
    listener = Listener(held=True)
    async with serving(listener), create_stt("speechmatics") as stt, create_stt("speechmatics") as other:
        bar = Bar(listener)
        t = await scenario_3(stt, other, bar, note.write_text, note.read_text, call)
        assert isinstance(t, Transcript)
        assert (t.text, t.job_id, bar.ticks) == (TALK.text, note.read_text(), 2)
        assert listener.heard == [uploaded]

        listener.error = BadRequestError("nobody speaks", status=400)
        errors = await scenario_3(stt, other, bar, note.write_text, note.read_text, call)
        assert not isinstance(errors, Transcript)
        assert "nobody speaks" in errors[0]
        status = await other.job(note.read_text()).status()
        assert (status.state, status.vendor_state) == ("error", "rejected")
        with pytest.raises(JobFailedError) as rejected:
            await stt.job(note.read_text()).wait()
        assert rejected.value.reasons == tuple(errors)
        with pytest.raises(JobNotFoundError):
            await other.job("nosuchjob0").status()


# -- 4: rich configuration, short-lived tokens ---------------------------------------------------------------------


async def scenario_4(talk: Path, use: Callable[..., None], *, timeout: float = 300) -> None:
    async with create_stt(
        "speechmatics/enhanced:en", auth="jwt", ttl=60, connect_timeout=30, request_timeout=600
    ) as stt:
        t = await stt.recognize(
            talk,
            diarization="speaker",
            enable_entities=True,
            timeout=timeout,
            translation_config={"target_languages": ["es", "fr"]},
            summarization_config={"summary_length": "brief"},
        )
        assert t.translations is not None
        use(t.to("txt", speakers=True), t.confidence, t.summary, t.translations["es"])


async def test_rich_configuration(serving: Callable[..., Any], talk: Path) -> None:
    """Everything arrives, and one failed poll does not end the wait."""
    listener = Listener()
    used: list[Any] = []
    uploaded = content(talk)
    async with serving(listener) as proxy:
        proxy.http_plan = {2: [BAD_GATEWAY]}
        await scenario_4(talk, lambda *args: used.extend(args))
    assert used == [
        "S1: Good day.\nS2: Hello.",
        pytest.approx(0.9),
        "They greet.",
        Translation("Buenos días. Hola.", [Segment("Buenos días. Hola.", "", 0.3, 1.6, language="es")]),
    ]
    assert listener.heard == [uploaded]
    assert [each.faults for each in proxy.requests if each.faults] == [[BAD_GATEWAY]]
    assert not proxy.places_of(KEY, allowed_headers={"Authorization"})
    signed = {each.head.headers["Authorization"] == f"Bearer {KEY}": each.head.path for each in proxy.requests}
    assert signed[True] == "/speechmatics/v1/api_keys"
    assert b'name="data_file"; filename="talk.m4a"' in bytes(proxy.requests[1].body)


async def test_a_hundred_calls_mint_one_token(serving: Callable[..., Any], talk: Path) -> None:
    """Whatever they ask."""
    async with serving(Listener()) as proxy, create_stt("speechmatics/enhanced:en", auth="jwt", ttl=60) as stt:
        transcripts = await asyncio.gather(*(stt.recognize(talk, poll_interval=0.05) for _ in range(100)))
    assert {transcript.text for transcript in transcripts} == {TALK.text}
    assert len({transcript.job_id for transcript in transcripts}) == 100
    assert len(asked(proxy, "api_keys")) == 1


async def test_mistakes_are_told_apart(serving: Callable[..., Any], talk: Path, tmp_path: Path) -> None:
    """A bad key, a missing file, six languages: each before any upload; a deadline."""
    held = Listener(held=True)
    async with serving(held, "another-key-entirely") as proxy:
        with pytest.raises(AuthenticationError):
            await scenario_4(talk, print)
        with pytest.raises(FileNotFoundError):
            await scenario_4(tmp_path / "not there.m4a", print)
        async with create_stt("speechmatics/enhanced:en", auth="jwt") as stt:
            with pytest.raises(ConfigError, match=r"translation_config\.target_languages"):
                await stt.recognize(talk, translation_config={"target_languages": ["es", "fr", "de", "it", "pt", "nl"]})
        assert not asked(proxy, "/jobs")
    async with serving(held):
        with pytest.raises(TimeoutError) as late:
            await scenario_4(talk, print, timeout=0.5)
        assert isinstance(late.value, JobTimeoutError)
        assert late.value.job_id
        held.go.set()


# -- 5: the older blocking client's day ----------------------------------------------------------------------------


@contextmanager
def appliance(listener: Listener) -> Generator[tuple[str, FaultProxy]]:
    """In a thread of its own, because the scenario blocks."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    stack: list[Any] = []

    async def start() -> tuple[str, FaultProxy]:
        host = Host(listener)
        await host.__aenter__()
        proxy = FaultProxy(f"http://localhost:{host.port}")
        await proxy.__aenter__()
        stack.extend((proxy, host))
        return f"{proxy.url}/speechmatics/v2", proxy

    async def stop() -> None:
        for each in stack:
            await each.__aexit__(None, None, None)
        await loop.shutdown_default_executor()

    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result()
    finally:
        listener.go.set()
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def scenario_5(base_url: str, data: bytes, job_config: object) -> tuple[str, Any, list[str], JobInfo]:
    with create_stt("speechmatics/enhanced:en", base_url=base_url).sync() as stt:
        job = stt.submit(("memo.wav", data), job_config=job_config)
        job.wait()
        srt = job.result("srt")
        doc = job.result("json")
        ids = [j.id for j in stt.list_jobs()]
        info = job.info()
        job.delete(force=True)
    return srt, doc, ids, info


NESTED = {
    "type": "transcription",
    "transcription_config": {"language": "de", "operating_point": "standard", "diarization": "speaker"},
    "output_config": {"srt_overrides": {"max_line_length": 20, "max_lines": 1}},
    "tracking": {"title": "memo", "reference": "r-1"},
}
FLAT = {
    "language": "de",
    "operating_point": "standard",
    "diarization": "speaker",
    "srt_overrides": {"max_line_length": 20, "max_lines": 1},
    "tracking": {"title": "memo", "reference": "r-1"},
}


@pytest.mark.parametrize("form", [NESTED, FLAT], ids=["nested", "flat"])
@pytest.mark.parametrize("as_file", [True, False])
def test_the_older_clients_day(form: dict[str, Any], as_file: bool, tmp_path: Path) -> None:
    """The document arrives unchanged, the SRT is the server's bytes, and the job is gone at the end."""
    path = tmp_path / "job.json"
    path.write_text(json.dumps(form))
    listener = Listener()
    with appliance(listener) as (base_url, proxy):
        srt, doc, ids, info = scenario_5(base_url, WAV, str(path) if as_file else form)
        rendered = [each.answer for each in proxy.requests if each.head.query.get("format") == "srt"]
        sent = bytes(proxy.requests[0].body)
        deleted = asked(proxy, "DELETE")
    assert [srt.encode()] == rendered
    assert doc["job"]["id"] == info.id
    assert doc["results"]
    assert ids == [info.id]
    assert deleted == [f"DELETE /speechmatics/v2/jobs/{info.id}?force=true"]
    assert listener.heard == [WAV]
    config = json.loads(sent.partition(b'name="config"\r\n\r\n')[2].partition(b"\r\n--")[0])
    assert config["tracking"].pop("details")
    assert config == NESTED


def test_keyword_options_win_and_nothing_else_is_asked_for(tmp_path: Path) -> None:
    """Over the document's; a format that does not exist is refused without a request; a running job survives."""
    listener = Listener(held=True)
    with (
        appliance(listener) as (base_url, proxy),
        create_stt("speechmatics/enhanced:en", base_url=base_url).sync() as stt,
    ):
        job = stt.submit(("memo.wav", WAV), job_config=FLAT, diarization="channel", language="fr")
        config = job.info().raw["config"]
        assert isinstance(config, dict)
        assert config["transcription_config"] == {
            "language": "fr",
            "operating_point": "standard",
            "diarization": "channel",
        }
        before = len(proxy.requests)
        with pytest.raises(ConfigError, match="docx"):
            job.result("docx")
        assert len(proxy.requests) == before
        with pytest.raises(JobError, match="goes on"):
            job.delete()
        assert job.status().state == "processing"
        clash = {"language": "de", "transcription_config": {"language": "en"}}
        with pytest.raises(ConfigError, match=r"job_config\.transcription_config\.language"):
            stt.submit(("memo.wav", WAV), job_config=clash)
        job.delete(force=True)
