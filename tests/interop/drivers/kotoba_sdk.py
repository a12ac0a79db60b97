"""Drives kotoba-sdk 0.1.x and later: kotoba_sdk.py sync|async CALL URL WAV [OPTIONS], see CALLS at the end.

OPTIONS is a JSON object of arguments for the call, beside the language and, for a stream, the rate.
"""

import asyncio
import json
import sys
import threading
import time
import wave

from kotoba import AsyncKotobaClient, KotobaClient

CHUNK = 3200
PAUSE = bytes(2 * 16000)


def show(**fields: object) -> None:
    # In one piece: the source of a stream runs in a thread of its own.
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def chunks(path: str) -> list[bytes]:
    with wave.open(path) as file:
        data = file.readframes(file.getnframes())
    return [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]


def show_result(found) -> None:
    show(**found.model_dump(exclude={"audio"}))


def show_event(event) -> None:
    show(type=event.type, text=event.text, message=event.metadata)


# -- sync ----------------------------------------------------------------------------------------------------------


def transcribe(client, path, **options) -> None:
    show_result(client.asr.transcribe(path, language="en", **options))


def job(client, path, **options) -> None:
    submitted = client.asr.submit_job(path, language="en", **options)
    while True:
        status = client.asr.get_job(submitted.job_id)
        show(job_id=submitted.job_id, **status.model_dump(mode="json"))
        if status.state != "processing":
            return
        time.sleep(0.1)


def missing(client, path, **options) -> None:
    try:
        client.asr.get_job("nonsense")
    except Exception as error:  # noqa: BLE001
        show(error=type(error).__name__, status=getattr(error, "status_code", None))


def stream(client, path, **options) -> None:
    """The source does not end before the first delta has come."""
    told = threading.Event()

    def source():
        yield from chunks(path)
        yield PAUSE
        show(told=told.wait(30))
        yield from chunks(path)

    for delta in client.asr.transcribe_stream(source(), language="en", sample_rate=16000, **options):
        told.set()
        show(delta=delta)


def session(client, path, **options) -> None:
    with client.asr.stream(language="en", sample_rate=16000, **options) as opened:
        for chunk in chunks(path):
            opened.send_audio(chunk)
        opened.commit()
        for event in opened:
            show_event(event)


# -- async ---------------------------------------------------------------------------------------------------------


async def transcribe_async(client, path, **options) -> None:
    show_result(await client.asr.transcribe(path, language="en", **options))


async def job_async(client, path, **options) -> None:
    submitted = await client.asr.submit_job(path, language="en", **options)
    while True:
        status = await client.asr.get_job(submitted.job_id)
        show(job_id=submitted.job_id, **status.model_dump(mode="json"))
        if status.state != "processing":
            return
        await asyncio.sleep(0.1)


async def missing_async(client, path, **options) -> None:
    try:
        await client.asr.get_job("nonsense")
    except Exception as error:  # noqa: BLE001
        show(error=type(error).__name__, status=getattr(error, "status_code", None))


async def stream_async(client, path, **options) -> None:
    told = asyncio.Event()

    async def source():
        for chunk in chunks(path):
            yield chunk
        yield PAUSE
        await asyncio.wait_for(told.wait(), 30)
        show(told=True)
        for chunk in chunks(path):
            yield chunk

    async for delta in client.asr.transcribe_stream(source(), language="en", sample_rate=16000, **options):
        told.set()
        show(delta=delta)


async def session_async(client, path, **options) -> None:
    async with client.asr.stream(language="en", sample_rate=16000, **options) as opened:
        for chunk in chunks(path):
            await opened.send_audio(chunk)
        await opened.commit()
        async for event in opened:
            show_event(event)


CALLS = {
    "transcribe": (transcribe, transcribe_async),
    "job": (job, job_async),
    "missing": (missing, missing_async),
    "stream": (stream, stream_async),
    "session": (session, session_async),
}


async def main_async(call, path, options, **urls) -> None:
    async with AsyncKotobaClient(api_key="k", **urls) as client:
        await call(client, path, **options)


flavour, name, url, path = sys.argv[1:5]
options = json.loads(sys.argv[5]) if len(sys.argv) > 5 else {}
urls = {"url": url, "asr_ws_url": url.replace("http", "ws", 1) + "/realtime"}
if flavour == "sync":
    CALLS[name][0](KotobaClient(api_key="k", **urls), path, **options)
else:
    asyncio.run(main_async(CALLS[name][1], path, options, **urls))
