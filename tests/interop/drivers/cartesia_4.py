"""Drives cartesia 4.x: cartesia_4.py manual|auto|batch|bare URL WAV."""

import asyncio
import json
import sys
import wave

from cartesia import AsyncCartesia, Cartesia

CHUNK = 3200


def show(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def chunks(path: str) -> list[bytes]:
    with wave.open(path) as file:
        data = file.readframes(file.getnframes())
    return [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]


async def manual(url: str, path: str) -> None:
    client = AsyncCartesia(api_key="sk_test", base_url=url)
    async with client.stt.manual_finalize.websocket(
        model="ink-whisper", language="en", encoding="pcm_s16le", sample_rate=16000
    ) as socket:
        for chunk in chunks(path):
            await socket.send_raw(chunk)
        await socket.send("finalize")
        await socket.send("close")
        async for event in socket:
            show(**event.to_dict())
            if event.type == "done":
                break
    await client.close()


async def auto(url: str, path: str) -> None:
    client = AsyncCartesia(api_key="sk_test", base_url=url)
    async with client.stt.auto_finalize.websocket(
        model="ink-2",
        encoding="pcm_s16le",
        sample_rate=16000,
        keyterm=["the garden", "C++"],
        turn_start_threshold=0.7,
        turn_end_timeout_ms=4500,
    ) as socket:
        for chunk in chunks(path):
            await socket.send_raw(chunk)
        await socket.send({"type": "config", "turn": {"end_threshold": 0.25}})
        await socket.send({"type": "close"})
        async for event in socket:
            show(**event.to_dict())
    await client.close()


def batch(url: str, path: str) -> None:
    client = Cartesia(api_key="sk_test", base_url=url)
    with open(path, "rb") as file:  # noqa: PTH123
        found = client.stt.transcribe(file=file, model="ink-whisper", language="en", timestamp_granularities=["word"])
    show(**found.to_dict())


def bare(url: str, path: str) -> None:
    client = Cartesia(api_key="sk_test", base_url=url)
    audio = b"".join(chunks(path))
    found = client.stt.transcribe(file=audio, model="ink-whisper", encoding="pcm_s16le", sample_rate=16000)
    show(**found.to_dict())


mode, url, path = sys.argv[1:]
if mode == "manual":
    asyncio.run(manual(url, path))
elif mode == "auto":
    asyncio.run(auto(url, path))
elif mode == "batch":
    batch(url, path)
else:
    bare(url, path)
