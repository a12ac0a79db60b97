"""Kotoba's own SDK."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import client
from kotoba import AsyncKotobaClient

TEXTS = {"partial_transcript", "final_transcript"}


def make(url: str) -> AsyncKotobaClient:
    return AsyncKotobaClient(api_key="k", url=f"{url}/v1", asr_ws_url=url.replace("http", "ws", 1) + "/v1/realtime")


class Session:
    shared: dict[str, AsyncKotobaClient] = {}  # noqa: RUF012

    def __init__(self, session: Any) -> None:
        self.session = session
        self.send = self.push = session.send_audio

    @classmethod
    async def open(cls, url: str, dialect: str) -> Session:
        if url not in cls.shared:
            cls.shared[url] = make(url)
        session = cls.shared[url].asr.stream(language="ja", sample_rate=16000)
        return cls(await session.__aenter__())

    async def end(self) -> None:
        await self.session.commit()

    async def read(self, see: client.See) -> None:
        async for event in self.session:
            if event.type in TEXTS:
                see(event.text)

    async def close(self) -> None:
        await self.session.__aexit__(None, None, None)


async def transcribe(api: AsyncKotobaClient, path: Path) -> str:
    job = await api.asr.submit_job(path, language="ja")
    while (status := await api.asr.get_job(job.job_id)).state == "processing":  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return status.transcription


def small_file(data: bytes) -> Path:
    """It takes nothing but paths."""
    with tempfile.NamedTemporaryFile(suffix=".wav", delete=False) as file:
        file.write(data)
    return Path(file.name)


async def upload(url: str, dialect: str, path: str) -> client.Answer:
    meter = client.Meter()
    async with AsyncKotobaClient(api_key="k", url=f"{url}/v1", timeout=300.0) as api:
        await transcribe(api, small_file(client.beginning(path)))
        before = client.peak_rss()
        meter.start()
        await transcribe(api, Path(path))
        meter.stop()
    return {"cpu": meter.cpu, "wall": meter.wall, "memory": client.peak_rss() - before}


async def jobs(url: str, dialect: str, count: int, at_once: int, size: int) -> client.Answer:
    audio = small_file(client.frame(1) * (size // client.FRAME))
    meter, places = client.Meter(), asyncio.Semaphore(at_once)
    async with AsyncKotobaClient(api_key="k", url=f"{url}/v1") as api:

        async def one() -> str:
            async with places:
                return await transcribe(api, audio)

        await one()
        meter.start()
        texts = await asyncio.gather(*(one() for _ in range(count)))
        meter.stop()
    return {"cpu": meter.cpu, "wall": meter.wall, "done": sum(map(bool, texts))}


if __name__ == "__main__":
    client.serve(Session, upload=upload, jobs=jobs)
