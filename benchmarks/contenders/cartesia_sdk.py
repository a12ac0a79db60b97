"""Cartesia's own SDK, 2.0.x and 4.x."""

from __future__ import annotations

from typing import Any

import client
from cartesia import AsyncCartesia, __version__

NEW = int(__version__.partition(".")[0]) >= 3
MODEL: dict[str, Any] = {"model": "ink-whisper", "language": "en", "encoding": "pcm_s16le", "sample_rate": 16000}


class Session:
    shared: dict[str, AsyncCartesia] = {}  # noqa: RUF012

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.send = self.push = socket.send_raw if NEW else socket.send

    @classmethod
    async def open(cls, url: str, dialect: str) -> Session:
        if not NEW:
            url = url.replace("127.0.0.1", "localhost")  # elsewhere it insists on TLS
        if url not in cls.shared:
            cls.shared[url] = AsyncCartesia(api_key="sk_test", base_url=url)
        stt = cls.shared[url].stt
        if NEW:
            return cls(await stt.manual_finalize.websocket(**MODEL).__aenter__())
        return cls(await stt.websocket(**MODEL))

    async def end(self) -> None:
        if NEW:
            await self.socket.send("close")
        else:
            await self.socket.send("done")

    async def read(self, see: client.See) -> None:
        if NEW:
            async for event in self.socket:
                if event.type == "transcript":
                    see(event.text)
                elif event.type == "done":
                    return
        else:
            async for message in self.socket.receive():
                if message["type"] == "transcript":
                    see(message["text"])

    async def close(self) -> None:
        await self.socket.close()


async def upload(url: str, dialect: str, path: str) -> client.Answer:
    meter = client.Meter()
    api = AsyncCartesia(api_key="sk_test", base_url=url)
    await api.stt.transcribe(file=client.beginning(path), model="ink-whisper", language="en")
    before = client.peak_rss()
    meter.start()
    with open(path, "rb") as file:  # noqa: ASYNC230, PTH123
        await api.stt.transcribe(file=file, model="ink-whisper", language="en")
    meter.stop()
    await api.close()
    return {"cpu": meter.cpu, "wall": meter.wall, "memory": client.peak_rss() - before}


if __name__ == "__main__":
    client.serve(Session, upload=upload)
