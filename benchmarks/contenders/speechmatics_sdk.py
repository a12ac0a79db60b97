"""Speechmatics' own SDK for files, 0.4.x and 1.x."""

from __future__ import annotations

import asyncio
import inspect
import io
from typing import Any

import client
from speechmatics.batch import AsyncClient, ConnectionConfig

KNOBS: dict[str, Any] = {
    name: value
    for name, value in {"polling_interval": 0.02, "polling_backoff": 1.0}.items()
    if name in inspect.signature(AsyncClient.transcribe).parameters
}


def make(url: str) -> AsyncClient:
    settings = ConnectionConfig(connect_timeout=30.0, operation_timeout=600.0)
    return AsyncClient(api_key="k", url=f"{url}/v2", conn_config=settings)


async def upload(url: str, dialect: str, path: str) -> client.Answer:
    meter = client.Meter()
    async with make(url) as api:
        await api.transcribe(io.BytesIO(client.beginning(path)), **KNOBS)
        before = client.peak_rss()
        meter.start()
        await api.transcribe(path, **KNOBS)
        meter.stop()
    return {"cpu": meter.cpu, "wall": meter.wall, "memory": client.peak_rss() - before}


async def jobs(url: str, dialect: str, count: int, at_once: int, size: int) -> client.Answer:
    audio = client.frame(1) * (size // client.FRAME)
    meter, places = client.Meter(), asyncio.Semaphore(at_once)
    async with make(url) as api:

        async def one() -> str:
            async with places:
                return (await api.transcribe(io.BytesIO(audio), **KNOBS)).transcript_text

        await one()
        meter.start()
        texts = await asyncio.gather(*(one() for _ in range(count)))
        meter.stop()
    return {"cpu": meter.cpu, "wall": meter.wall, "done": sum(map(bool, texts))}


if __name__ == "__main__":
    client.serve(upload=upload, jobs=jobs)
