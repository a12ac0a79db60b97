"""inference.STT of livekit-agents."""

from __future__ import annotations

import logging

import aiohttp
import client
from livekit import rtc
from livekit.agents import inference

logging.getLogger("livekit").setLevel(logging.CRITICAL)
KEY, SECRET = "APIdevkey", 4 * "a-secret-of-the-api-"


class Session:
    shared: dict[str, inference.STT] = {}  # noqa: RUF012

    def __init__(self, stream: inference.SpeechStream) -> None:
        self.stream = stream
        self.send = self.push

    @classmethod
    async def open(cls, url: str, dialect: str) -> Session:
        if url not in cls.shared:
            cls.shared[url] = inference.STT(
                model="deepgram/nova-3",
                language="en",
                base_url=f"{url}/v1",
                api_key=KEY,
                api_secret=SECRET,
                http_session=aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)),
            )
        return cls(cls.shared[url].stream())

    def push(self, data: bytes) -> None:
        self.stream.push_frame(rtc.AudioFrame(data, client.RATE, 1, len(data) // 2))

    async def end(self) -> None:
        self.stream.end_input()

    async def read(self, see: client.See) -> None:
        async for event in self.stream:
            if event.alternatives:
                see(event.alternatives[0].text)

    async def close(self) -> None:
        await self.stream.aclose()


if __name__ == "__main__":
    client.serve(Session)
