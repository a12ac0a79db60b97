"""Much of it: one recording of hundreds of megabytes, and hundreds of recordings at once."""

from __future__ import annotations

import asyncio
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from stt_core.audio.frames import AudioFormat
from stt_core.audio.wav import wav_header
from stt_core.events import Word
from stt_core.factory import create_stt
from stt_core.server import Host
from stt_core.testing.faults import Answer, Exchange, ScriptedServer
from stt_core.testing.scripted import ScriptedSTT
from stt_core.transcript import Segment, Transcript

if TYPE_CHECKING:
    from stt_core.audio.decode import AudioInput
    from stt_core.registry import Resolved

KEY = "a-key-for-tests"
RATE = 16000
SMALL, LARGE = 30_000_000, 300_000_000
FLAT = 2_000_000
"""Bytes by which the peaks may differ."""

JOBS, AT_ONCE = 300, 100


async def takes(exchange: Exchange) -> Answer:
    if exchange.head.method == "POST":
        return Answer({"id": "k3v9m2p0qz"}, 201)
    if exchange.head.path.endswith("/transcript"):
        return Answer({"format": "2.9", "job": {"id": "k3v9m2p0qz"}, "results": []})
    return Answer({"job": {"id": "k3v9m2p0qz", "status": "done"}})


def sparse(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.write(wav_header(AudioFormat(RATE), size))
        file.truncate(44 + size)  # nothing of it is on the disk
    return path


async def test_an_upload_takes_no_memory(tmp_path: Path) -> None:
    """A file of 300 MB needs no more than one of 30 MB."""
    peaks: list[int] = []
    async with (
        ScriptedServer(http=takes, body_limit=4096) as server,
        create_stt("speechmatics", api_key=KEY, base_url=f"{server.url}/v2") as stt,
    ):
        await stt.recognize(sparse(tmp_path / "call.wav", 1000))  # pays for imports
        for size in (SMALL, LARGE):
            path = sparse(tmp_path / "call.wav", size)
            tracemalloc.start()
            await stt.recognize(path)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            posted = [each for each in server.requests if each.head.method == "POST"]
            assert 44 + size < posted[-1].body_bytes < 44 + size + 2000
    assert peaks[1] - peaks[0] < FLAT, f"peaks of {peaks} bytes"


class Counter(ScriptedSTT):
    """Hears how long each recording is."""

    @override
    async def recognize_audio(self, audio: AudioInput, settings: Resolved) -> Transcript:
        with audio.open_binary() as file:
            said = str(len(file.read()))
        word = Word(said, 0.0, 0.1, 1.0, language="en")
        return Transcript(said, "en", 0.1, segments=[Segment(said, words=[word], language="en")])


async def test_many_jobs_at_once() -> None:
    """Each gets its own result, however many run, and none is left behind."""
    turns = asyncio.Semaphore(AT_ONCE)

    async with (
        Counter() as counter,
        Host(counter, max_jobs=JOBS, max_sessions=2 * AT_ONCE) as host,
        create_stt("speechmatics", api_key=KEY, base_url=host.urls["speechmatics"], max_retries=20) as stt,
    ):

        async def one(number: int) -> tuple[str, str | None]:
            async with turns:
                data = wav_header(AudioFormat(RATE), 2 * number) + bytes(2 * number)
                transcript = await stt.recognize((f"{number}.wav", data), poll_interval=0.2)
                return transcript.text, transcript.job_id

        found = await asyncio.gather(*(one(number) for number in range(1, JOBS + 1)))
        assert [text for text, _ in found] == [str(44 + 2 * number) for number in range(1, JOBS + 1)]
        listed = [job.id async for job in stt.list_jobs()]
        assert sorted(listed) == sorted(str(job_id) for _, job_id in found)
