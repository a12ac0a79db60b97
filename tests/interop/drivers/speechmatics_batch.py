"""Drives speechmatics-batch 0.4.x and 1.x: speechmatics_batch.py MODE URL WAV [PLACE].

``methods`` and ``errors`` do what the package's own description shows, and ``sync`` the same with the client that 1.x
has beside; PLACE is where the recording is served. The other modes are one call each, for a server that records it.
"""

import asyncio
import inspect
import io
import json
import os
import sys
import wave

from speechmatics import batch
from speechmatics.batch import (
    AsyncClient,
    ConnectionConfig,
    FetchData,
    FormatType,
    JobConfig,
    JobStatus,
    JobType,
    JWTAuth,
    OperatingPoint,
    SummarizationConfig,
    TranscriptionConfig,
    TranslationConfig,
)

NEW = hasattr(batch, "Client")
KEY = "sm_test"


def show(what: str, **fields: object) -> None:
    print(json.dumps({"what": what, **fields}), flush=True)


def shown(transcript: object) -> dict[str, object]:
    return {
        "text": transcript.transcript_text,
        "confidence": transcript.confidence,
        "words": [
            [item.alternatives[0].content, item.start_time, item.end_time]
            for item in transcript.results
            if item.type == "word"
        ],
        "duration": transcript.job.duration,
    }


def long_recording(path: str) -> io.BytesIO:
    """The same over and over: half a minute, which takes longer to recognise than a question about it."""
    found = io.BytesIO()
    with wave.open(path) as source, wave.open(found, "wb") as file:
        file.setparams(source.getparams())
        samples = source.readframes(source.getnframes())
        for _ in range(9):
            file.writeframes(samples)
    found.seek(0)
    return found


def rich(**fields: object) -> JobConfig:
    return JobConfig(
        type=JobType.TRANSCRIPTION,
        transcription_config=TranscriptionConfig(
            language="en",
            operating_point=OperatingPoint.ENHANCED,
            enable_entities=True,
            diarization="speaker",
        ),
        translation_config=TranslationConfig(target_languages=["es", "fr"]),
        summarization_config=SummarizationConfig(content_type="conversational", summary_length="brief"),
        **fields,
    )


# -- what the description shows ------------------------------------------------------------------------------------


async def run_methods(url: str, path: str, place: str) -> None:
    os.environ["SPEECHMATICS_API_KEY"] = KEY
    os.environ["SPEECHMATICS_BATCH_URL"] = url
    async with AsyncClient() as client:
        show("quick start", **shown(await client.transcribe(path, polling_interval=0.2)))

    auth = JWTAuth(KEY, ttl=60, mp_url=url.removesuffix("/v2"))
    async with AsyncClient(auth=auth) as client:
        show("jwt", **shown(await client.transcribe(path, polling_interval=0.2)))
        show("jwt keys", same=await auth.get_auth_headers() == await auth.get_auth_headers())

    async with AsyncClient(api_key=KEY, url=url) as client:
        config = JobConfig(
            type=JobType.TRANSCRIPTION,
            transcription_config=TranscriptionConfig(language="en", enable_entities=True, diarization="speaker"),
        )
        job = await client.submit_job(path, config=config)
        result = await client.wait_for_completion(job.id, polling_interval=0.2, timeout=300.0)
        show("workflow", id=job.id, status=job.status, **shown(result))

        result = await client.transcribe(path, config=rich(), polling_interval=0.2)
        show(
            "advanced",
            summary=result.summary,
            translations=result.translations,
            errors=[result.metadata.translation_errors, result.metadata.summarization_errors],
            config=result.metadata.transcription_config,
        )

        with open(path, "rb") as file:  # noqa: ASYNC230, PTH123
            job = await client.submit_job(file)
        statuses = [(await client.get_job_info(job.id)).status]
        while statuses[-1] == JobStatus.RUNNING:
            statuses.append((await client.get_job_info(job.id)).status)
        details = await client.get_job_info(job.id)
        show("manual", id=job.id, status=statuses[-1], name=details.data_name, duration=details.duration)
        show("formats", **await formats(client, job.id))

        listed = await client.list_jobs()
        show("list", ids=[each.id for each in listed], first=[each.id for each in await client.list_jobs(limit=1)])
        older = await client.list_jobs(created_before=listed[1].created_at)
        show("list before", ids=[each.id for each in older])
        await client.delete_job(job.id)
        show("delete", ids=[each.id for each in await client.list_jobs()])

        fetched = rich(fetch_data=FetchData(url=place, auth_headers=["X-Token: hush"]))
        show("fetch", **shown(await client.transcribe(None, config=fetched, polling_interval=0.2)))
        show("stream", **shown(await client.transcribe(io.BytesIO(read(path)), polling_interval=0.2)))

    async with AsyncClient(api_key=KEY, url=url.replace("/v2", "/container/v2")) as client:
        result = await client.transcribe(path, parallel_engines=2, user_id="me", polling_interval=0.2)
        show("container", id=result.job.id, **shown(result))

    settings = ConnectionConfig(connect_timeout=30.0, operation_timeout=600.0)
    async with AsyncClient(conn_config=settings) as client:
        show("connection", **shown(await client.transcribe(path, polling_interval=0.2)))


def read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read()


async def formats(client: AsyncClient, job_id: str) -> dict[str, object]:
    return {
        "json": (await client.get_transcript(job_id, format_type=FormatType.JSON)).transcript_text,
        "txt": await client.get_transcript(job_id, format_type=FormatType.TXT),
        "srt": await client.get_transcript(job_id, format_type=FormatType.SRT),
    }


async def run_errors(url: str, path: str, place: str) -> None:
    async with AsyncClient(api_key="wrong", url=url) as client:
        await fails("bad key", client.list_jobs())
    async with AsyncClient(api_key="right", url=url) as client:
        await fails("missing file", client.submit_job(path + ".missing"))
        await fails("no audio", client.submit_job(io.BytesIO(b"this is no audio")))
        await fails("language", client.submit_job(path, transcription_config=TranscriptionConfig(language="xx")))
        await fails("unknown", client.get_job_info("xxxxxxxxxx"))
        await fails("unknown transcript", client.get_transcript("xxxxxxxxxx"))
        await fails("unknown delete", client.delete_job("xxxxxxxxxx"))
        fetched = rich(fetch_data=FetchData(url=place + ".missing"))
        await fails("rejected", client.transcribe(None, config=fetched, polling_interval=0.2))

        job = await client.submit_job(long_recording(path))
        await fails("too slow", client.wait_for_completion(job.id, polling_interval=0.2, timeout=0.5))
        await fails("running", client.delete_job(job.id))
        if NEW:
            await fails("not ready", client.get_transcript(job.id, wait=0))
            await client.delete_job(job.id, force=True)
            await fails("deleted", client.wait_for_completion(job.id))
        show("over", ids=[each.id for each in await client.list_jobs()])


async def fails(what: str, call: object) -> None:
    try:
        result = await call
    except Exception as error:  # noqa: BLE001
        show(what, error=type(error).__name__, message=str(error))
    else:
        show(what, error=None, message=repr(result))


def run_sync(url: str, path: str, place: str) -> None:
    auth = JWTAuth(KEY, mp_url=url.removesuffix("/v2"), client_ref="ann")
    with batch.Client(auth=auth, url=url) as client:
        show("transcribe", **shown(client.transcribe(path, wait=60)))
        show("polled", **shown(client.transcribe(path)))
        show("text", text=client.transcribe(path, wait=60, format_type=FormatType.TXT))
        job = client.submit_job(path, wait=60, format_type=FormatType.SRT)
        show("submit", status=job.status, transcript=job.transcript)
        show("info", status=client.get_job_info(job.id, wait=10).status)
        show("transcript", text=client.get_transcript(job.id, wait=10).transcript_text)
        show("list", count=len(client.list_jobs(limit=100)))
        client.delete_job(job.id)
        show("delete", status=client.get_job_info(job.id).status)
        running = client.submit_job(long_recording(path), wait=0)
        client.delete_job(running.id, force=True)
        show("force", status=running.status, then=client.get_job_info(running.id).status)
        fetched = rich(fetch_data=FetchData(url=place))
        show("fetch", **shown(client.transcribe(None, config=fetched, wait=60)))


# -- one call each -------------------------------------------------------------------------------------------------


async def made(result: object) -> object:
    return await result if inspect.isawaitable(result) else result


async def run_call(kind: type, mode: str, url: str, path: str) -> None:
    if mode == "jwt":
        auth = JWTAuth(KEY, ttl=60, mp_url=url.removesuffix("/v2"), client_ref="ann")
        client = kind(auth=auth, url=url)
        await made(client.list_jobs(limit=1))
        await made(client.close())
        return
    client = kind(api_key=KEY, url=url)
    if mode == "submit":
        await made(client.submit_job(path))
    elif mode == "rich":
        await made(client.submit_job(path, config=rich()))
    elif mode == "fetch":
        config = JobConfig(
            type=JobType.TRANSCRIPTION,
            fetch_data=FetchData(url="https://files.example/a.wav", auth_headers=["X-Token: hush"]),
            transcription_config=TranscriptionConfig(),
        )
        await made(client.submit_job(None, config=config))
    elif mode == "engines":
        await made(client.submit_job(path, parallel_engines=2, user_id="me"))
    elif mode == "info":
        await made(client.get_job_info("k3v9m2p0qz"))
    elif mode == "list":
        await made(client.list_jobs(limit=10, created_before="2026-03-02T10:00:00.000Z"))
    elif mode == "delete":
        await made(client.delete_job("k3v9m2p0qz"))
    elif mode == "force":
        await made(client.delete_job("k3v9m2p0qz", force=True))
    else:
        await made(client.get_transcript("k3v9m2p0qz", format_type=FormatType(mode)))
    await made(client.close())


mode, url, path, *rest = sys.argv[1:]
if mode == "methods":
    asyncio.run(run_methods(url, path, rest[0]))
elif mode == "errors":
    asyncio.run(run_errors(url, path, rest[0]))
elif mode == "sync":
    run_sync(url, path, rest[0])
else:
    name, _, mode = mode.partition(" ")
    asyncio.run(run_call(getattr(batch, name), mode, url, path))
