"""stt-core."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import client

from stt_core import STT, SpeechEventType, STTError, create_stt

if TYPE_CHECKING:
    from stt_core.stream import RecognizeStream

logging.getLogger("stt_core").setLevel(logging.ERROR)  # each reconnect is a warning

KEY, SECRET = "sk_bench", "a-secret-of-thirty-two-characters"
UNTHROTTLED = 1e6


def make(url: str, dialect: str, **options: Any) -> STT:
    if dialect == "cartesia":
        return create_stt("cartesia/ink-whisper:en", api_key=KEY, base_url=url, **options)
    if dialect == "livekit":
        base = f"{url}/v1"
        return create_stt("livekit/deepgram/nova-3:en", api_key=KEY, api_secret=SECRET, base_url=base, **options)
    if dialect == "kotoba":
        return create_stt("kotoba/realtime:ja", api_key=KEY, base_url=f"{url}/v1", **options)
    return create_stt("speechmatics:en", api_key=KEY, base_url=f"{url}/v2", **options)


class Session:
    shared: dict[tuple[str, str], STT] = {}  # noqa: RUF012

    def __init__(self, stream: RecognizeStream) -> None:
        self.stream = stream
        self.push = stream.push_frame
        self.send = stream.send_frame

    @classmethod
    async def open(cls, url: str, dialect: str) -> Session:
        stt = cls.shared.get((url, dialect))
        if stt is None:
            stt = cls.shared[url, dialect] = make(url, dialect, max_pace=UNTHROTTLED)
        return cls(stt.stream(sample_rate=client.RATE))

    async def end(self) -> None:
        self.stream.end_input()

    async def read(self, see: client.See) -> None:
        async for event in self.stream:
            if event.alternatives:
                see(event.alternatives[0].text)

    async def close(self) -> None:
        await self.stream.aclose()


def make_for_files(url: str, dialect: str) -> STT:
    if dialect == "kotoba":
        return create_stt("kotoba/jobs:ja", api_key=KEY, base_url=f"{url}/v1")
    return make(url, dialect)


async def upload(url: str, dialect: str, path: str) -> client.Answer:
    async with make_for_files(url, dialect) as stt:
        await stt.recognize(("warm.wav", client.beginning(path)))
        before, meter = client.peak_rss(), client.Meter()
        meter.start()
        await stt.recognize(path)
        meter.stop()
    return {"cpu": meter.cpu, "wall": meter.wall, "memory": client.peak_rss() - before}


async def jobs(url: str, dialect: str, count: int, at_once: int, size: int) -> client.Answer:
    audio = client.frame(1) * (size // client.FRAME)
    options: dict[str, Any] = {"poll_interval": 0.02, "backoff": 1.0}
    meter, places = client.Meter(), asyncio.Semaphore(at_once)
    async with make_for_files(url, dialect) as stt:

        async def one() -> str:
            async with places:
                return (await stt.recognize(audio, sample_rate=client.RATE, encoding="pcm_s16le", **options)).text

        await one()
        meter.start()
        texts = await asyncio.gather(*(one() for _ in range(count)))
        meter.stop()
    return {"cpu": meter.cpu, "wall": meter.wall, "done": sum(map(bool, texts))}


async def failover(url: str, hole: str, timeout: float, second: str, sample: str, warm: bool) -> client.Answer:
    """The first member never answers the handshake; when is the second one connected, and when are there words?"""
    name = "cartesia/ink-whisper:en"
    options: dict[str, Any] = {"api_key": {"cartesia": KEY, "livekit": KEY}, "connect_timeout": timeout}
    first = f"{name}?base_url={hole.replace(':', '%3A')}&max_retries=0"
    if second == "livekit":
        options["api_secret"] = {"livekit": SECRET}
        chain = f"{first} | livekit/deepgram/nova-3:en?base_url={url.replace(':', '%3A')}/v1"
    else:
        chain = f"{first} | {second}"
    result: client.Answer = {}
    async with create_stt(chain, **options) as stt:
        if warm:
            with suppress(TimeoutError, STTError):  # the first one does not answer that either
                await asyncio.wait_for(stt.prewarm(), 10)
        began = time.monotonic()
        async with stt.stream(source=Path(sample)) as stream:
            async for event in stream:
                if event.type is SpeechEventType.PROVIDER_SWITCHED:
                    result.setdefault("switched", time.monotonic() - began)
                elif event.type is SpeechEventType.CONNECTED:
                    result.setdefault("connected", time.monotonic() - began)
                elif event.alternatives:
                    result.setdefault("text", time.monotonic() - began)
                    break
    return result


if __name__ == "__main__":
    client.serve(Session, upload=upload, jobs=jobs, failover=failover)
