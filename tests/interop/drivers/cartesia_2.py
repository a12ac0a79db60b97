"""Drives cartesia 2.0.x: cartesia_2.py sync|async|batch|bare URL WAV."""

import asyncio
import json
import sys
import wave

from cartesia import AsyncCartesia, Cartesia

CHUNK = 3200


def show(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def samples(path: str) -> bytes:
    with wave.open(path) as file:
        return file.readframes(file.getnframes())


def chunks(data: bytes) -> list[bytes]:
    return [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]


def run_sync(url: str, path: str) -> None:
    client = Cartesia(api_key="sk_test", base_url=url)
    socket = client.stt.websocket(
        model="ink-whisper", language="en", encoding="pcm_s16le", sample_rate=16000, max_silence_duration_secs=0.6
    )
    for chunk in chunks(samples(path)):
        socket.send(chunk)
    socket.send("finalize")
    socket.send("done")
    for message in socket.receive():
        show(**message)
    socket.close()


async def run_async(url: str, path: str) -> None:
    client = AsyncCartesia(api_key="sk_test", base_url=url)
    socket = await client.stt.websocket(
        model="ink-whisper", language="en", encoding="pcm_s16le", sample_rate=16000, min_volume=0.1
    )
    for chunk in chunks(samples(path)):
        await socket.send(chunk)
    await socket.send("finalize")
    await socket.send("done")
    async for message in socket.receive():
        show(**message)
    await socket.close()
    await client.close()


def run_batch(url: str, path: str) -> None:
    client = Cartesia(api_key="sk_test", base_url=url)
    with open(path, "rb") as file:  # noqa: PTH123
        found = client.stt.transcribe(file=file, model="ink-whisper", language="en", timestamp_granularities=["word"])
    show(
        text=found.text,
        language=found.language,
        duration=found.duration,
        words=[[word.word, word.start, word.end] for word in found.words or []],
    )


def run_bare(url: str, path: str) -> None:
    client = Cartesia(api_key="sk_test", base_url=url)
    found = client.stt.transcribe(file=samples(path), model="ink-whisper", encoding="pcm_s16le", sample_rate=16000)
    show(text=found.text)


mode, url, path = sys.argv[1:]
if mode == "sync":
    run_sync(url, path)
elif mode == "async":
    asyncio.run(run_async(url, path))
elif mode == "batch":
    run_batch(url, path)
else:
    run_bare(url, path)
