"""What users of Kotoba's SDK do today, written with this library: a file (scenario 1), a stream (2), jobs (3).

The three stand here as a user writes them. Key and addresses come from the environment, which is how they get to our
server half; the only additions are polls without a wait and `max_pace`, so that nobody waits for speech to be spoken.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from stt_core import create_stt
from stt_core.errors import ConfigError, JobFailedError, JobNotFoundError, STTError
from stt_core.server import Host
from stt_core.testing.counted import CountedSTT, counted_audio
from stt_core.testing.faults import FaultProxy, matching
from stt_core.testing.scripted import Cue, ScriptedSTT, utterance

if TYPE_CHECKING:
    from stt_core.audio.decode import AudioInput
    from stt_core.registry import Resolved
    from stt_core.stt import STT
    from stt_core.transcript import Transcript

soundfile = importlib.import_module("soundfile")  # it ships no types

KEY = "kotoba_on_no_wire_but_in_its_header"
FILE_RATE = 16000
SENTENCES = [("本日は晴れです。", 0.2, 1.0), ("明日も。", 1.4, 1.9)]
SCRIPT = [cue for text, start, end in SENTENCES for cue in utterance(text, start=start, end=end)]
for each in SCRIPT:
    for data in each.event.alternatives:
        data.prefix = ""  # Japanese
BROKEN = b"fLaC and then nothing that is music" * 20


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's, with a key and without a proxy."""
    monkeypatch.setenv("KOTOBA_API_KEY", KEY)
    for name in ("KOTOBA_ASR_REST_URL", "KOTOBA_ASR_URL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@asynccontextmanager
async def kotoba(behind: STT | None = None) -> AsyncGenerator[FaultProxy]:
    """Kotoba's server half, with a scripted provider behind; the key is seen in no other place than its header."""
    stt = behind or ScriptedSTT(SCRIPT)
    async with stt, Host(stt) as host, FaultProxy(host.urls["kotoba"], body_limit=1 << 22) as vendor:
        yield vendor
        assert not vendor.places_of(KEY, allowed_headers=["Authorization"])


def recording(kind: str) -> bytes:
    audio = io.BytesIO()
    soundfile.write(audio, np.zeros(2 * FILE_RATE), FILE_RATE, format=kind)
    return audio.getvalue()


class Stuck(ScriptedSTT):
    """Never done with a file, until it is let go."""

    def __init__(self) -> None:
        super().__init__(SCRIPT)
        self.go = asyncio.Event()

    async def recognize_audio(self, audio: AudioInput, settings: Resolved) -> Transcript:
        await self.go.wait()
        return await super().recognize_audio(audio, settings)


# -- 1: Kotoba, a file, blocking, with segments --------------------------------------------------------------------


def scenario_1(
    path: str | Path, *, with_timestamps: bool = True, timeout: float = 900, poll_interval: float = 2
) -> tuple[Transcript, list[tuple[float | None, float | None, str]] | None]:
    with create_stt("kotoba/jobs:ja").sync() as stt:
        t = stt.recognize(path, with_timestamps=with_timestamps, timeout=timeout, poll_interval=poll_interval)
        rows = None if t.segments is None else [(s.start_time, s.end_time, s.text) for s in t.segments]
    return t, rows


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
async def test_1(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only the key and the REST address are set; every container goes as it is and comes back alike."""
    path = tmp_path / f"meeting.{kind.lower()}"
    path.write_bytes(recording(kind))
    async with kotoba() as vendor:
        monkeypatch.setenv("KOTOBA_ASR_REST_URL", vendor.url)
        t, rows = await asyncio.to_thread(scenario_1, path, poll_interval=0)
        upload = vendor.requests[0]
        assert path.read_bytes() in upload.body
    assert t.text == "本日は晴れです。明日も。"
    assert rows == [(start, end, text) for text, start, end in SENTENCES]
    assert upload.head.headers["Authorization"] == f"Bearer {KEY}"


async def test_1_without_times(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the option there are no segments."""
    path = tmp_path / "meeting.wav"
    path.write_bytes(recording("WAV"))
    async with kotoba() as vendor:
        monkeypatch.setenv("KOTOBA_ASR_REST_URL", vendor.url)
        t, rows = await asyncio.to_thread(scenario_1, path, with_timestamps=False, poll_interval=0)
    assert (t.text, rows) == ("本日は晴れです。明日も。", None)


async def test_1_a_job_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the server's own text."""
    path = tmp_path / "meeting.mp3"
    path.write_bytes(BROKEN)
    async with kotoba() as vendor:
        monkeypatch.setenv("KOTOBA_ASR_REST_URL", vendor.url)
        with pytest.raises(JobFailedError) as failed:
            await asyncio.to_thread(scenario_1, path, poll_interval=0)
    assert failed.value.reasons
    assert failed.value.reasons[0] in str(failed.value)


async def test_1_a_deadline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An old `except TimeoutError` still holds."""
    path = tmp_path / "meeting.wav"
    path.write_bytes(recording("WAV"))
    behind = Stuck()
    async with kotoba(behind) as vendor:
        monkeypatch.setenv("KOTOBA_ASR_REST_URL", vendor.url)
        with pytest.raises(TimeoutError, match="goes on at kotoba"):
            await asyncio.to_thread(scenario_1, path, timeout=0.3, poll_interval=0.05)
        behind.go.set()


# -- 2: Kotoba, live deltas ----------------------------------------------------------------------------------------

LIVE_RATE = 48000
FIRST, SECOND = ("the first sentence", 0.2, 1.2), ("and the second", 2.5, 3.5)
LIVE_AUDIO = counted_audio(4.5, voiced=[(start, end) for _, start, end in (FIRST, SECOND)], sample_rate=LIVE_RATE)
LIVE_CUES: list[Cue] = [cue for text, start, end in (FIRST, SECOND) for cue in utterance(text, start=start, end=end)]
CHUNK = LIVE_RATE // 50 * 2
CUT = LIVE_RATE * 2 * 2  # bytes: behind the first sentence


async def microphone(heard: asyncio.Event | None = None) -> AsyncIterator[bytes]:
    """Goes on speaking only once the first words have been read."""
    for at in range(0, len(LIVE_AUDIO), CHUNK):
        if at == CUT and heard is not None:
            await heard.wait()
        yield LIVE_AUDIO[at : at + CHUNK]


async def scenario_2(heard: asyncio.Event) -> tuple[list[str], str]:
    pieces: list[str] = []
    async with (
        create_stt("kotoba/realtime", max_pace=1e6) as stt,
        stt.stream(source=microphone(heard), language="en", sample_rate=48000, keyterms=["Kyoto", "GPU"]) as s,
    ):
        async for piece in s.text():
            pieces.append(piece)
            heard.set()
        return pieces, (await s.transcript()).text


async def test_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first piece comes before the source ends; all of them together are the transcript."""
    async with kotoba(CountedSTT(LIVE_CUES)) as vendor:
        monkeypatch.setenv("KOTOBA_ASR_URL", vendor.url + "/realtime")
        async with asyncio.timeout(20):
            pieces, text = await scenario_2(asyncio.Event())
        (connection,) = vendor.connections
    assert text == "the first sentence and the second"
    assert "".join(pieces).strip() == text
    assert len(pieces) == 2
    update = next(message for message in connection.texts if matching(type="transcription_session.update")(message))
    assert '"keywords":["Kyoto","GPU"]' in update
    assert '"input_audio_sample_rate":48000' in update


def scenario_2_sync(source: Iterator[bytes]) -> tuple[list[str], str]:
    pieces: list[str] = []
    with (
        create_stt("kotoba/realtime", max_pace=1e6).sync() as stt,
        stt.stream(source=source, language="en", sample_rate=48000, keyterms=["Kyoto", "GPU"]) as s,
    ):
        for piece in s.text():
            pieces += [piece]
        return pieces, s.transcript().text


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()} - {"stt_core event loop"}


async def test_2_without_async(monkeypatch: pytest.MonkeyPatch) -> None:
    """From a plain generator of bytes; no thread of the call stays behind."""
    before = threads()
    async with kotoba(CountedSTT(LIVE_CUES)) as vendor:
        monkeypatch.setenv("KOTOBA_ASR_URL", vendor.url + "/realtime")
        chunks = (LIVE_AUDIO[at : at + CHUNK] for at in range(0, len(LIVE_AUDIO), CHUNK))
        pieces, text = await asyncio.to_thread(scenario_2_sync, chunks)
    assert text == "the first sentence and the second"
    assert "".join(pieces).strip() == text
    assert {name for name in threads() - before if not name.startswith("asyncio_")} == set()


class MicrophoneUnpluggedError(Exception):
    """The user's own."""


async def test_2_a_source_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exception reaches the loop, behind what was recognised of what it had given."""

    def source() -> Iterator[bytes]:
        for at in range(0, CUT, CHUNK):
            yield LIVE_AUDIO[at : at + CHUNK]
        raise MicrophoneUnpluggedError

    seen: list[str] = []
    async with kotoba(CountedSTT(LIVE_CUES)) as vendor:
        monkeypatch.setenv("KOTOBA_ASR_URL", vendor.url + "/realtime")

        def read() -> None:
            with (
                create_stt("kotoba/realtime", max_pace=1e6).sync() as stt,
                stt.stream(source=source(), language="en", sample_rate=48000) as s,
            ):
                seen.extend(s.text())

        with pytest.raises(MicrophoneUnpluggedError):
            await asyncio.to_thread(read)
    assert "".join(seen).strip() == "the first sentence"


async def test_2_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The REST address does not help a stream: the error names the variable that would."""
    monkeypatch.setenv("KOTOBA_ASR_REST_URL", "http://127.0.0.1:1/v1")
    with pytest.raises(ConfigError, match="KOTOBA_ASR_URL"):
        await scenario_2(asyncio.Event())


# -- 3: Kotoba or Speechmatics, own polling, another process, a progress bar ---------------------------------------


class Failed(Exception):  # noqa: N818  (what the user's own fail() does)
    """The user's own."""


async def scenario_3(
    stt: STT, other_stt: STT, path: str | Path, tick: Callable[[], object], *, seconds: float = 2
) -> Transcript:
    def fail(reasons: object) -> Transcript:
        raise Failed(reasons)

    job = await stt.submit(path)
    saved = job.id
    job = other_stt.job(saved)
    while (st := await job.status()).state == "processing":
        tick()
        await asyncio.sleep(seconds)
    return await job.result() if st.state == "done" else fail((await job.info()).errors)


async def test_3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Submitted by one object, picked up by another, which asks until it is done."""
    path = tmp_path / "call.mp3"
    path.write_bytes(recording("MP3"))
    behind, ticks = Stuck(), 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        if ticks == 3:
            behind.go.set()

    async with kotoba(behind) as vendor:
        monkeypatch.setenv("KOTOBA_ASR_REST_URL", vendor.url)
        async with create_stt("kotoba/jobs:ja") as stt, create_stt("kotoba/jobs") as other_stt:
            t = await scenario_3(stt, other_stt, path, tick, seconds=0)
    assert t.text == "本日は晴れです。明日も。"
    assert ticks >= 3


async def test_3_a_job_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It shows the vendor's state and the reason."""
    path = tmp_path / "call.mp3"
    path.write_bytes(BROKEN)
    async with kotoba() as vendor:
        monkeypatch.setenv("KOTOBA_ASR_REST_URL", vendor.url)
        async with create_stt("kotoba/jobs:ja") as stt:
            job = await stt.submit(path)
            with pytest.raises(JobFailedError):
                await job.wait(poll_interval=0)
            st = await job.status()
            assert (st.state, st.vendor_state) == ("error", "error")
            with pytest.raises(Failed) as failed:
                await scenario_3(stt, stt, path, lambda: None, seconds=0)
    assert cast("tuple[tuple[str, ...]]", failed.value.args)[0] == st.reasons != ()


async def test_3_an_unknown_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said to be none."""
    async with kotoba() as vendor:
        monkeypatch.setenv("KOTOBA_ASR_REST_URL", vendor.url)
        async with create_stt("kotoba/jobs") as stt:
            with pytest.raises(JobNotFoundError) as missing:
                await stt.job("no-such-job").status()
    assert isinstance(missing.value, STTError)
    assert missing.value.job_id == "no-such-job"
