"""Drives speechmatics-python 5.x: speechmatics_python.py MODE URL WAV [PLACE].

``methods`` does what the documentation of its BatchClient shows; PLACE is where the recording is served. The other
modes are one call each, for a server that records it.
"""

import io
import json
import sys
import tempfile
import wave
from pathlib import Path

import httpx
from speechmatics import batch_client
from speechmatics.batch_client import BatchClient
from speechmatics.exceptions import JobNotFoundException, TranscriptionError
from speechmatics.models import (
    BatchTranscriptionConfig,
    ConnectionSettings,
    FetchData,
    SRTOverrides,
    SummarizationConfig,
)

batch_client.POLLING_DURATION = 0.5  # 15 s between two questions are for longer recordings
CONFIG = {"type": "transcription", "transcription_config": {"language": "en"}}


def show(what: str, **fields: object) -> None:
    print(json.dumps({"what": what, **fields}), flush=True)


def fails(what: str, call: object, *arguments: object, **options: object) -> None:
    try:
        show(what, error=None, result=call(*arguments, **options))
    except (JobNotFoundException, TranscriptionError) as error:
        show(what, error=type(error).__name__)
    except httpx.HTTPStatusError as error:
        show(what, error=error.response.status_code, body=error.response.text)


def long_recording(path: str) -> bytes:
    """The same over and over: half a minute, which takes longer to recognise than a question about it."""
    found = io.BytesIO()
    with wave.open(path) as source, wave.open(found, "wb") as file:
        file.setparams(source.getparams())
        samples = source.readframes(source.getnframes())
        for _ in range(9):
            file.writeframes(samples)
    return found.getvalue()


def flat() -> BatchTranscriptionConfig:
    return BatchTranscriptionConfig(
        language="en",
        operating_point="enhanced",
        diarization="speaker",
        srt_overrides=SRTOverrides(max_line_length=20, max_lines=1),
        summarization_config=SummarizationConfig(),
    )


def run_methods(url: str, path: str, place: str) -> None:
    settings = ConnectionSettings(url=url, auth_token="sm_test")  # noqa: S106
    client = BatchClient(settings)
    client.connect()
    show("connect", jobs=client.list_jobs())
    client.close()

    with BatchClient(settings) as client:
        job_id = client.submit_job(path, CONFIG)
        show("wait", text=client.wait_for_completion(job_id))
        show("status", job=client.check_job_status(job_id))
        for form in ("json-v2", "json", "txt", "srt"):
            show(f"result {form}", result=client.get_job_result(job_id, form))
        fails("result docx", client.get_job_result, job_id, "docx")

        pair = client.submit_job(("memo.wav", Path(path).read_bytes()), flat())
        show(
            "pair",
            result=client.wait_for_completion(pair, "srt"),
            name=client.check_job_status(pair)["job"]["data_name"],
        )
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(CONFIG, file)
            file.flush()
            show("file", text=client.wait_for_completion(client.submit_job(path, file.name), "txt"))
        fetched = BatchTranscriptionConfig(language="en", fetch_data=FetchData(url=place))
        fetched_id = client.submit_job(None, fetched)
        # As long as such a job runs it has no duration, which wait_for_completion() does not bear.
        client.send_request("GET", f"jobs/{fetched_id}", params={"wait": 60})
        show("fetch", text=client.wait_for_completion(fetched_id))

        several = [job for _, job in client.submit_jobs([path, path, path], CONFIG, concurrency=2)]
        show("several", texts=[client.get_job_result(job, "txt") for job in several])
        ids = [job["id"] for job in client.list_jobs()]
        show("list", ids=ids, all={job_id, pair, fetched_id, *several} <= set(ids))
        show("raw", count=len(client.send_request("GET", "jobs", params={"limit": 2}).json()["jobs"]))

        show("delete", said=client.delete_job(job_id), id=job_id)
        running = client.submit_job(("long.wav", long_recording(path)), CONFIG)
        fails("delete running", client.delete_job, running)
        show("delete by force", said=client.delete_job(running, force=True), id=running)
        for name, call in (
            ("unknown status", client.check_job_status),
            ("unknown result", client.get_job_result),
            ("unknown delete", client.delete_job),
        ):
            fails(name, call, "xxxxxxxxxx")
        fails(
            "bad config", client.submit_job, path, {"type": "transcription", "transcription_config": {"language": "xx"}}
        )


def run_call(mode: str, url: str, path: str) -> None:
    with BatchClient(ConnectionSettings(url=url, auth_token="sm_test")) as client:  # noqa: S106
        if mode == "submit":
            client.submit_job(path, CONFIG)
        elif mode == "pair":
            client.submit_job(("memo.wav", Path(path).read_bytes()), flat())
        elif mode == "fetch":
            config = {**CONFIG, "fetch_data": {"url": "https://files.example/a.wav", "auth_headers": ["X-Token: hush"]}}
            client.submit_job(None, config)
        elif mode == "status":
            client.check_job_status("k3v9m2p0qz")
        elif mode == "list":
            client.list_jobs()
        elif mode == "delete":
            client.delete_job("k3v9m2p0qz")
        elif mode == "force":
            client.delete_job("k3v9m2p0qz", force=True)
        else:
            client.get_job_result("k3v9m2p0qz", mode)


mode, url, path, *rest = sys.argv[1:]
if mode == "methods":
    run_methods(url, path, rest[0])
else:
    run_call(mode, url, path)
