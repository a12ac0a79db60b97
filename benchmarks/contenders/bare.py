"""The shortest straightforward aiohttp programs that do the same on the wire, with ``json``, and nothing else."""

from __future__ import annotations

import asyncio
import base64
import json

import aiohttp
import client

PATHS = {"cartesia": "/stt/websocket", "livekit": "/v1/stt", "kotoba": "/v1/realtime"}
KINDS = {"interim_transcript", "final_transcript"}


class Session:
    def __init__(self, http: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse, dialect: str) -> None:
        self.http, self.socket = http, socket
        self.read = getattr(self, f"read_{dialect}")
        self.send = self.push = self.push_binary if dialect == "cartesia" else getattr(self, f"push_{dialect}")
        self.dialect = dialect

    @classmethod
    async def open(cls, url: str, dialect: str) -> Session:
        http = aiohttp.ClientSession()
        socket = await http.ws_connect(f"{url}{PATHS[dialect]}", headers={"Authorization": "Bearer k"}, max_msg_size=0)
        if dialect == "livekit":
            settings = {"sample_rate": "16000", "encoding": "pcm_s16le", "extra": {}, "language": "en"}
            await socket.send_str(json.dumps({"type": "session.create", "settings": settings}))
            await socket.receive()
        elif dialect == "kotoba":
            session = {"input_audio_format": "pcm16", "input_audio_transcription": {"target_language": "ja"}}
            await socket.receive()
            await socket.send_str(json.dumps({"type": "transcription_session.update", "session": session}))
            await socket.receive()
        return cls(http, socket, dialect)

    async def push_binary(self, data: bytes) -> None:
        await self.socket.send_bytes(data)

    async def push_livekit(self, data: bytes) -> None:
        audio = base64.b64encode(data).decode()
        await self.socket.send_str(json.dumps({"type": "input_audio", "audio": audio}))

    async def push_kotoba(self, data: bytes) -> None:
        audio = base64.b64encode(data).decode()
        await self.socket.send_str(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))

    async def end(self) -> None:
        if self.dialect == "cartesia":
            await self.socket.send_str("close")
        elif self.dialect == "livekit":
            await self.socket.send_str('{"type": "session.finalize"}')
            await self.socket.send_str('{"type": "session.close"}')
        else:
            await self.socket.send_str('{"type": "input_audio_buffer.commit"}')

    async def read_cartesia(self, see: client.See) -> None:
        async for message in self.socket:
            fields = json.loads(message.data)
            if fields["type"] == "transcript":
                see(fields["text"])
            elif fields["type"] == "done":
                return

    async def read_livekit(self, see: client.See) -> None:
        async for message in self.socket:
            fields = json.loads(message.data)
            if fields["type"] in KINDS:
                see(fields["transcript"])
            elif fields["type"] == "session.closed":
                return

    async def read_kotoba(self, see: client.See) -> None:
        text = ""
        async for message in self.socket:
            fields = json.loads(message.data)
            if fields["type"].endswith(".delta"):
                text += fields["delta"]
                see(text)
            elif fields["type"].endswith(".completed"):
                text = ""
                see(fields["transcript"])
            elif fields["type"] == "input_audio_buffer.committed":
                return

    async def close(self) -> None:
        await self.socket.close()
        await self.http.close()


def form_of(dialect: str, file: object) -> tuple[str, aiohttp.FormData]:
    form = aiohttp.FormData()
    if dialect == "speechmatics":
        form.add_field("config", json.dumps({"type": "transcription", "transcription_config": {"language": "en"}}))
        form.add_field("data_file", file, filename="a.wav")
        return "/v2/jobs", form
    if dialect == "kotoba":
        form.add_field("language", "ja")
        form.add_field("file", file, filename="a.wav")
        return "/v1/transcription_jobs", form
    form.add_field("model", "ink-whisper")
    form.add_field("file", file, filename="a.wav")
    return "/stt", form


async def job(http: aiohttp.ClientSession, url: str, dialect: str, file: object) -> str:
    path, form = form_of(dialect, file)
    async with http.post(url + path, data=form, headers={"Authorization": "Bearer k"}) as response:
        answer = await response.json()
    if dialect == "cartesia":
        return answer["text"]
    place = f"{url}{path}/{answer['job_id' if dialect == 'kotoba' else 'id']}"
    while True:
        async with http.get(place) as response:
            answer, status = await response.json(), response.status
        if dialect == "kotoba" and status == 200:
            return answer["transcription"]
        if dialect == "speechmatics" and answer["job"]["status"] == "done":
            break
        await asyncio.sleep(0.02)
    async with http.get(f"{place}/transcript?format=json-v2") as response:
        document = await response.json()
    return " ".join(item["alternatives"][0]["content"] for item in document["results"])


async def upload(url: str, dialect: str, path: str) -> client.Answer:
    meter = client.Meter()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as http:
        await job(http, url, dialect, client.beginning(path))
        before = client.peak_rss()
        meter.start()
        with open(path, "rb") as file:  # noqa: ASYNC230, PTH123
            await job(http, url, dialect, file)
        meter.stop()
    return {"cpu": meter.cpu, "wall": meter.wall, "memory": client.peak_rss() - before}


async def jobs(url: str, dialect: str, count: int, at_once: int, size: int) -> client.Answer:
    audio = client.frame(1) * (size // client.FRAME)
    meter, places = client.Meter(), asyncio.Semaphore(at_once)
    async with aiohttp.ClientSession() as http:

        async def one() -> str:
            async with places:
                return await job(http, url, dialect, audio)

        await one()
        meter.start()
        texts = await asyncio.gather(*(one() for _ in range(count)))
        meter.stop()
    return {"cpu": meter.cpu, "wall": meter.wall, "done": sum(map(bool, texts))}


if __name__ == "__main__":
    client.serve(Session, upload=upload, jobs=jobs)
