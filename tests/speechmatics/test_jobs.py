"""Jobs over REST: what is sent, and what is made of each answer. The vendor's side is typed by hand from its facts."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from stt_core.errors import (
    APIError,
    AudioError,
    AudioFileNotFoundError,
    AuthenticationError,
    ConfigError,
    JobError,
    JobExpiredError,
    JobFailedError,
    JobNotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    ResultNotReadyError,
    ServerError,
    UnsupportedError,
)
from stt_core.factory import create_stt
from stt_core.jobs import JobStatus
from stt_core.testing.clock import virtual_time
from stt_core.testing.faults import BAD_GATEWAY, Answer, BlackHole, Exchange, HttpPlan, ScriptedServer, Status

if TYPE_CHECKING:
    from stt_core.stt import STT

KEY = "a-key-wherever-this-is-seen-it-leaks"
WAV = Path(__file__).parents[1] / "data" / "speech" / "weather.wav"
CREATED = "2026-03-02T10:00:00.123Z"
DOCUMENT = cast("dict[str, Any]", json.loads((Path(__file__).parent / "documents" / "call.json").read_text()))


def details(status: str = "done", job_id: str = "k3v9m2p0qz", **more: Any) -> dict[str, Any]:
    """3.7; with nulls, as the echo of a config has them."""
    config = {"type": "transcription", "transcription_config": {"language": "en"}, "notification_config": None}
    return {"id": job_id, "status": status, "created_at": CREATED, "data_name": "call.wav", "config": config, **more}


class Vendor:
    """Answers by path. Each answer of a list is for one request, the last one for all that follow."""

    def __init__(self, answers: Mapping[str, Answer | list[Answer]] | None = None) -> None:
        self.answers: dict[str, Answer | list[Answer]] = {
            "POST /v2/jobs": Answer({"id": "k3v9m2p0qz"}, 201),
            "GET /v2/jobs/k3v9m2p0qz": Answer({"job": details()}),
            "GET /v2/jobs/k3v9m2p0qz/transcript": Answer(DOCUMENT, headers={"Request-Id": "r-9"}),
            **(answers or {}),
        }

    async def __call__(self, exchange: Exchange) -> Answer:
        found = self.answers.get(f"{exchange.head.method} {exchange.head.path}")
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        return found or Answer({"code": 404, "error": "Job not found"}, 404, {"Request-Id": "r-4"})


@asynccontextmanager
async def vendor(
    answers: Mapping[str, Answer | list[Answer]] | None = None, plan: HttpPlan = (), **options: Any
) -> AsyncGenerator[tuple[STT, ScriptedServer]]:
    async with ScriptedServer(http=Vendor(answers), http_plan=plan) as server:
        given = {"api_key": KEY, "base_url": f"{server.url}/v2", **options}
        async with create_stt("speechmatics/enhanced:en", **given) as stt:
            yield stt, server


def sent(server: ScriptedServer) -> list[str]:
    return [f"{each.head.method} {each.head.target}" for each in server.requests]


def parts(exchange: Exchange) -> dict[str, tuple[str, bytes]]:
    """The parts of a form: the headers and the content of each."""
    boundary = exchange.head.headers["Content-Type"].partition("boundary=")[2]
    found: dict[str, tuple[str, bytes]] = {}
    for part in bytes(exchange.body).split(b"--" + boundary.encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        assert name is not None
        found[name[1].decode()] = (head.decode(), content.removesuffix(b"\r\n"))
    return found


def config_of(exchange: Exchange) -> dict[str, Any]:
    return json.loads(parts(exchange)["config"][1])


# -- submitting ----------------------------------------------------------------------------------------------------


@virtual_time
async def test_a_file_is_submitted_polled_and_fetched() -> None:
    """3: with the bytes as they are, a config, and `wait=0`, because the server would hold its answers back else."""
    running = Answer({"job": details("running")})
    async with vendor({"GET /v2/jobs/k3v9m2p0qz": [running, running, Answer({"job": details()})]}) as (stt, server):
        transcript = await stt.recognize(WAV, diarization=True, timeout=60)
    assert transcript.text == "Good day. He said “well-known!” 17 May 2026 – $5? Um"
    assert (transcript.job_id, transcript.request_id) == ("k3v9m2p0qz", "r-9")
    poll = "GET /v2/jobs/k3v9m2p0qz?wait=0"
    assert sent(server) == [
        "POST /v2/jobs",
        poll,
        poll,
        poll,
        "GET /v2/jobs/k3v9m2p0qz/transcript?format=json-v2&wait=0",
    ]
    form = parts(server.requests[0])
    assert list(form) == ["config", "data_file"]
    assert form["data_file"][1] == WAV.read_bytes()
    config = config_of(server.requests[0])
    assert config.pop("tracking")["reference"].startswith("stt-core-")
    assert config == {
        "type": "transcription",
        "transcription_config": {"language": "en", "model": "enhanced", "diarization": "speaker"},
    }
    assert {each.head.headers["Authorization"] for each in server.requests} == {f"Bearer {KEY}"}


@virtual_time
@pytest.mark.parametrize(
    ("audio", "options", "name", "content_type"),
    [
        (("memo.flac", b"fLaC" + bytes(20)), {}, "memo.flac", "audio/flac"),
        (b"ID3\x04" + bytes(20), {}, "audio.mp3", "audio/mpeg"),
        (io.BytesIO(b"OggS" + bytes(20)), {}, "audio.ogg", "audio/ogg"),
        (("Größe.mp3", b"ID3\x04" + bytes(20)), {}, "audio.mp3", "audio/mpeg"),
        (bytes(3200), {"sample_rate": 16000, "encoding": "pcm_s16le"}, "audio.wav", "audio/wav"),
        (bytes(800), {"sample_rate": 8000, "encoding": "pcm_mulaw"}, "audio.wav", "audio/wav"),
        (("amr.amr", b"#!AMR\n" + bytes(20)), {}, "amr.amr", "application/octet-stream"),
    ],
)
async def test_each_upload_has_its_name_and_type(
    audio: Any, options: dict[str, Any], name: str, content_type: str
) -> None:
    """6: the vendor's client calls everything `audio/wav`. Bare samples get a header, because none is taken bare."""
    async with vendor() as (stt, server):
        await stt.submit(audio, **options)
    head, content = parts(server.requests[0])["data_file"]
    assert f'filename="{name}"' in head
    assert f"Content-Type: {content_type}" in head
    if options:
        assert content[:4] == b"RIFF"


@virtual_time
async def test_an_upload_says_how_long_it_is() -> None:
    """Gateways need not take what does not; only what begins in the middle of a file, or nowhere, cannot know."""
    data = WAV.read_bytes()
    with WAV.open("rb") as file, WAV.open("rb") as middle:
        middle.seek(44)
        async with vendor() as (stt, server):
            for audio in (WAV, file, data, ("a.wav", data)):
                await stt.submit(audio)
            await stt.submit(middle, sample_rate=16000, encoding="pcm_s16le")
            await stt.submit(("rest.flac", io.BytesIO(b"fLaC" + data)))
    for exchange in server.requests[:5]:
        assert exchange.head.headers["Content-Length"] == str(exchange.body_bytes)
    assert [parts(each)["data_file"][1] for each in server.requests] == [data] * 5 + [b"fLaC" + data]


@virtual_time
async def test_the_server_can_fetch_the_audio() -> None:
    """4: a URL in place of the audio, or none and `fetch_data`; nothing is uploaded then."""
    url = "https://bucket.example/talk.mp3?signature=4711"
    async with vendor() as (stt, server):
        await stt.submit(url)
        fetch_data = {"url": url, "auth_headers": ["Authorization: Bearer 4712"]}
        await stt.submit(cast("Any", None), fetch_data=fetch_data)
        transcript = await stt.recognize(url, job_config={"language": "de"})
        assert transcript.text
        clashes: list[tuple[Any, dict[str, Any]]] = [
            (url, {"fetch_data": fetch_data}),
            (WAV, {"job_config": {"fetch_data": fetch_data}}),
        ]
        for audio, options in clashes:
            with pytest.raises(ConfigError, match="fetch_data") as caught:
                await stt.submit(audio, **options)
            assert "4711" not in str(caught.value)
        with pytest.raises(AudioError, match="empty"):
            await stt.submit(cast("Any", None))
    posts = [each for each in server.requests if each.head.method == "POST"]
    assert [list(parts(each)) for each in posts] == [["config"]] * 3
    assert [config_of(each)["fetch_data"] for each in posts] == [{"url": url}, fetch_data, {"url": url}]


async def test_what_cannot_be_taken_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    """3.9: formats and size; a file that is not there; a config that is wrong."""
    huge = tmp_path / "huge.wav"
    with huge.open("wb") as file:
        file.write(b"RIFF")
        file.truncate(1 << 30)
    async with create_stt("speechmatics", api_key=KEY) as stt:
        with pytest.raises(AudioError, match="no audio/webm"):
            await stt.submit(b"\x1a\x45\xdf\xa3" + bytes(40))
        with pytest.raises(AudioError, match="fetches itself"):
            await stt.submit(huge)
        with pytest.raises(FileNotFoundError) as caught:
            await stt.recognize("not/there.wav")
        assert isinstance(caught.value, AudioFileNotFoundError)
        with pytest.raises(ConfigError, match="target_languages"):
            await stt.recognize(WAV, translation_config={"target_languages": ["a"] * 6})


# -- asking --------------------------------------------------------------------------------------------------------


@virtual_time
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (details("running"), JobStatus("processing", "running")),
        (details("created"), JobStatus("processing", "created")),
        (details("done", errors=[{"timestamp": CREATED, "message": "callback failed"}]), JobStatus("done", "done")),
        (
            details("rejected", errors=[{"timestamp": CREATED, "message": "no speech"}, {"message": "really"}]),
            JobStatus("error", "rejected", ("no speech", "really")),
        ),
        (details("deleted"), JobStatus("error", "deleted")),
        (details("expired"), JobStatus("error", "expired")),
        (details("paused"), JobStatus("error", "paused")),
    ],
)
async def test_every_state_is_read(answer: dict[str, Any], status: JobStatus) -> None:
    """3.7: errors of a job that is done are no reasons of a failure; a state that nobody knows is none to wait for."""
    async with vendor({"GET /v2/jobs/k3v9m2p0qz": Answer({"job": answer})}) as (stt, _):
        assert await stt.job("k3v9m2p0qz").status() == status


@virtual_time
async def test_a_job_tells_what_is_known() -> None:
    """3.7: also when most of it is missing or null."""
    whole = details("done", duration=42, errors=None, tracking={"title": "t"}, lang="en", data_name="call.wav")
    bare = {"id": "k3v9m2p0qz", "status": "running", "created_at": "yesterday", "data_name": "", "duration": None}
    async with vendor({"GET /v2/jobs/k3v9m2p0qz": [Answer({"job": whole}), Answer({"job": bare})]}) as (stt, _):
        job = stt.job("k3v9m2p0qz")
        info = await job.info()
        assert (info.id, info.state, info.name, info.duration) == ("k3v9m2p0qz", "done", "call.wav", 42)
        assert info.created_at == datetime(2026, 3, 2, 10, 0, 0, 123000, UTC)
        assert info.raw["lang"] == "en"
        info = await job.info()
        assert (info.state, info.name, info.duration, info.created_at) == ("processing", None, None, None)


GONE = Answer({"code": 410, "error": "Job Expired", "detail": "kept for a week"}, 410, {"Request-Id": "r-5"})
NOT_FOUND = Answer({"code": 404, "error": "Job not found"}, 404, {"Request-Id": "r-4"})


@virtual_time
async def test_unknown_and_expired_are_told_apart() -> None:
    """3.3: 404 and 410; with the vendor's request id."""
    async with vendor({"GET /v2/jobs/k3v9m2p0qz": [NOT_FOUND, GONE, GONE, NOT_FOUND, GONE]}) as (stt, server):
        job = stt.job("k3v9m2p0qz")
        with pytest.raises(JobNotFoundError) as unknown:
            await job.status()
        assert (unknown.value.job_id, unknown.value.request_id) == ("k3v9m2p0qz", "r-4")
        assert await job.status() == JobStatus("error", "expired")
        with pytest.raises(JobExpiredError) as expired:
            await job.info()
        assert expired.value.request_id == "r-5"
        assert "kept for a week" in str(expired.value)
        with pytest.raises(JobNotFoundError):
            await job.wait()
        with pytest.raises(JobExpiredError):
            await job.wait()
        assert len(server.requests) == 5


@virtual_time
@pytest.mark.parametrize(
    ("job", "error"),
    [
        (Answer({"job": details("running")}), ResultNotReadyError),
        (Answer({"job": details("done")}), ResultNotReadyError),
        (Answer({"job": details("rejected", errors=[{"message": "no speech"}])}), JobFailedError),
        (Answer({"job": details("deleted")}), JobExpiredError),
        (NOT_FOUND, JobNotFoundError),
        (GONE, JobExpiredError),
    ],
)
async def test_a_transcript_that_is_not_there_says_why(job: Answer, error: type[JobError]) -> None:
    """3.4: one 404 stands for three things, and the job tells which."""
    answers = {"GET /v2/jobs/k3v9m2p0qz": job, "GET /v2/jobs/k3v9m2p0qz/transcript": NOT_FOUND}
    async with vendor(answers) as (stt, _):
        for form in (None, "srt"):
            with pytest.raises(error) as caught:
                await stt.job("k3v9m2p0qz").result(form)
            assert type(caught.value) is error
            assert caught.value.job_id == "k3v9m2p0qz"
            assert caught.value.request_id is not None
            if isinstance(caught.value, JobFailedError):
                assert caught.value.reasons == ("no speech",)


@virtual_time
async def test_an_expired_file_is_expired() -> None:
    """3.4: 410 on the transcript of a job that is still known."""
    async with vendor({"GET /v2/jobs/k3v9m2p0qz/transcript": Answer({"code": 410, "error": "File Expired"}, 410)}) as (
        stt,
        _,
    ):
        with pytest.raises(JobExpiredError, match="File Expired"):
            await stt.job("k3v9m2p0qz").result()


@virtual_time
async def test_a_rejected_job_fails_with_its_reasons() -> None:
    """3.7: LID, fetching, audio; what signs a URL is not repeated."""
    message = "unable to fetch audio https://me:pw4711@a.b/c.mp3?X-Sig=4712: http status code 404"
    rejected = Answer({"job": details("rejected", errors=[{"timestamp": CREATED, "message": message}])})
    async with vendor({"GET /v2/jobs/k3v9m2p0qz": rejected}) as (stt, _):
        with pytest.raises(JobFailedError) as caught:
            await stt.recognize(WAV)
    assert caught.value.reasons == ("unable to fetch audio https://a.b/c.mp3?*** http status code 404",)
    assert "rejected" in str(caught.value)


@virtual_time
async def test_renderings_are_the_vendors_bytes() -> None:
    """3.4: whatever the content type."""
    srt = "1\r\n00:00:00,300 --> 00:00:01,020\r\nGood day.\r\n\r\n"
    json_type = "application/vnd.speechmatics.v2+json"
    answers = [Answer(srt, content_type="text/plain"), Answer("Good day.\n"), Answer(DOCUMENT, content_type=json_type)]
    async with vendor({"GET /v2/jobs/k3v9m2p0qz/transcript": answers}) as (stt, server):
        job = stt.job("k3v9m2p0qz")
        assert await job.result("srt") == srt
        assert await job.result("txt") == "Good day.\n"
        assert await job.result("json") == DOCUMENT
        assert await job.result("json-v2") == DOCUMENT
        with pytest.raises(ConfigError, match="'docx'"):
            await job.result("docx")
    assert [each.head.query["format"] for each in server.requests] == ["srt", "txt", "json-v2", "json-v2"]


@virtual_time
async def test_one_failed_poll_does_not_end_the_wait() -> None:
    """9: HTML of a gateway, 429 with its wait, a connection that is lost."""
    plan = {1: [BAD_GATEWAY], 2: [Status(429, "<html>slow down</html>", retry_after=3)], 3: [Status(503)]}
    async with vendor(plan=plan) as (stt, server):
        transcript = await stt.recognize(WAV)
    assert transcript.text
    assert len(server.requests) == 6


@virtual_time
async def test_a_server_that_is_gone_is_asked_again() -> None:
    """Before anybody would think that the job takes so long; `request_timeout` says otherwise."""
    clock = asyncio.get_running_loop().time
    async with vendor(plan={0: [BlackHole()]}, wait=5) as (stt, _):
        assert (await stt.job("k3v9m2p0qz").status()).state == "done"
        assert 35 < clock() < 36
    async with vendor(plan={0: [BlackHole()]}, request_timeout=2) as (stt, _):
        started = clock()
        assert (await stt.job("k3v9m2p0qz").status()).state == "done"
        assert 2 < clock() - started < 3


@virtual_time
async def test_the_server_may_hold_its_answers() -> None:
    """3.3: `wait`, where the caller wants it."""
    async with vendor(wait=20) as (stt, server):
        await stt.recognize(WAV)
    assert sent(server)[1] == "GET /v2/jobs/k3v9m2p0qz?wait=20"


# -- deleting and listing ------------------------------------------------------------------------------------------


@virtual_time
async def test_a_running_job_survives_a_delete_without_force() -> None:
    """3.5: 423, and the error says so."""
    locked = Answer({"code": 423, "error": "Resource Locked"}, 423, {"Request-Id": "r-6"})
    answers = {"DELETE /v2/jobs/k3v9m2p0qz": [locked, Answer({"job": details("deleted")}), NOT_FOUND]}
    async with vendor(answers) as (stt, server):
        job = stt.job("k3v9m2p0qz")
        with pytest.raises(JobError, match=r"goes on: delete\(force=True\)") as caught:
            await job.delete()
        assert caught.value.request_id == "r-6"
        await job.delete(force=True)
        with pytest.raises(JobNotFoundError):
            await job.delete()
    target = "DELETE /v2/jobs/k3v9m2p0qz"
    assert sent(server) == [target, f"{target}?force=true", target]


class Shelf:
    """3.2: jobs, the newest first, at most so many at once; `created_before` to the millisecond."""

    def __init__(self, created: list[datetime]) -> None:
        self.jobs = sorted(enumerate(created), key=lambda pair: pair[1], reverse=True)

    async def __call__(self, exchange: Exchange) -> Answer:
        query = exchange.head.query
        before = datetime.fromisoformat(query["created_before"]) if "created_before" in query else None
        found = [
            details(job_id=f"job{number}", created_at=created.isoformat().replace("+00:00", "Z"))
            for number, created in self.jobs
            if before is None or created < before
        ]
        return Answer({"jobs": found[: min(int(query["limit"]), 100)]})


START = datetime(2026, 3, 2, tzinfo=UTC)


@virtual_time
@pytest.mark.parametrize("step", [0.0, 0.0004, 0.3])
@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
async def test_all_jobs_are_listed_once(count: int, step: float) -> None:
    """3.2: page after page, also when jobs of one millisecond are on both sides of a page's end."""
    created = [START + timedelta(seconds=step * number) for number in range(count)]
    if not step:
        created = [START + timedelta(milliseconds=number // 60) for number in range(count)]
    async with (
        ScriptedServer(http=Shelf(created)) as server,
        create_stt("speechmatics", api_key=KEY, base_url=f"{server.url}/v2") as stt,
    ):
        ids = [job.id async for job in stt.list_jobs()]
    assert sorted(ids) == sorted(f"job{number}" for number in range(count))
    assert len(server.requests) <= count // 100 + 2


@virtual_time
async def test_a_millisecond_with_more_jobs_than_a_page_ends() -> None:
    """3.2: no cursor reaches the rest of them; what is older is listed all the same."""
    created = [START] * 20 + [START + timedelta(milliseconds=1)] * 150
    async with (
        ScriptedServer(http=Shelf(created)) as server,
        create_stt("speechmatics", api_key=KEY, base_url=f"{server.url}/v2") as stt,
    ):
        ids = [job.id async for job in stt.list_jobs()]
    assert len(ids) == len(set(ids)) == 120
    assert set(ids) >= {f"job{number}" for number in range(20)}


@virtual_time
async def test_a_list_can_be_bounded() -> None:
    """By number, by time, and with the deleted ones; pages are fetched as they are needed."""
    created = [START + timedelta(seconds=number) for number in range(250)]
    async with (
        ScriptedServer(http=Shelf(created)) as server,
        create_stt("speechmatics", api_key=KEY, base_url=f"{server.url}/v2") as stt,
    ):
        ids = [job.id async for job in stt.list_jobs(limit=3)]
        assert ids == ["job249", "job248", "job247"]
        before = START + timedelta(seconds=120)
        ids = [job.id async for job in stt.list_jobs(limit=110, created_before=before, include_deleted=True)]
        assert ids == [f"job{number}" for number in range(119, 9, -1)]
    assert sent(server)[0] == "GET /v2/jobs?limit=3"
    assert server.requests[1].head.query == {
        "limit": "100",
        "created_before": "2026-03-02T00:02:00.000Z",
        "include_deleted": "true",
    }


# -- log, usage, raw requests --------------------------------------------------------------------------------------


@virtual_time
async def test_log_and_usage() -> None:
    """3.6."""
    usage: dict[str, Any] = {"since": "2026-03-01", "until": "2026-03-02", "summary": [], "details": []}
    answers = {
        "GET /v2/jobs/k3v9m2p0qz/log": [
            Answer("line one\n"),
            Answer({"code": 404, "error": "Log file not available"}, 404),
        ],
        "GET /v2/usage": [Answer(usage), Answer({"code": 403, "error": "Forbidden"}, 403)],
        "GET /v2/jobs": Answer({"jobs": []}),
    }
    async with vendor(answers) as (stt, server):
        client = cast("Any", stt)
        assert await client.job_log("k3v9m2p0qz") == "line one\n"
        with pytest.raises(JobNotFoundError):
            await client.job_log("k3v9m2p0qz")
        assert await client.usage(since=date(2026, 3, 1), until=date(2026, 3, 2)) == usage
        with pytest.raises(PermissionDeniedError):
            await client.usage()
        response = await stt.request("GET", "/jobs", params=[("limit", "1")])
        assert response.json() == {"jobs": []}
        await stt.prewarm()
    assert sent(server)[2] == "GET /v2/usage?since=2026-03-01&until=2026-03-02"
    assert sent(server)[-2:] == ["GET /v2/jobs?limit=1"] * 2


# -- errors --------------------------------------------------------------------------------------------------------


@virtual_time
@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (
            Answer({"code": 400, "error": "Job rejected", "detail": "bad config"}, 400),
            APIError,
            "Job rejected: bad config",
        ),
        (Answer("<html><h1>401</h1></html>", 401), AuthenticationError, "HTTP 401"),
        (Answer({"code": 401, "error": "Unauthorized"}, 401), AuthenticationError, "is the key right"),
        (
            Answer({"code": 403, "error": "Forbidden", "detail": "Entitlement check failed"}, 403),
            PermissionDeniedError,
            "Ent",
        ),
        (Answer("<html>too large</html>", 413), APIError, "fetch_data"),
        (Answer({"code": 429, "error": "Max concurrent running jobs exceeded"}, 429), RateLimitError, "Max concurrent"),
        (Answer({"detail": "Server busy: 2 engines asked"}, 503), ServerError, "Server busy"),
        (Answer("no JSON and no HTML", 400), APIError, "no JSON and no HTML"),
        (Answer({"code": 400, "error": 7, "detail": None}, 400), APIError, "HTTP 400"),
    ],
)
async def test_refusals_are_errors_in_the_vendors_words(answer: Answer, kind: type[APIError], said: str) -> None:
    """2.1 and 3.8: JSON, JSON of a container, and HTML of a gateway; with the request id."""
    answer = Answer(answer.body, answer.status, {"Request-Id": "r-7"})
    async with vendor({"POST /v2/jobs": answer, "GET /v2/jobs": Answer({"jobs": []})}, max_retries=0) as (stt, _):
        with pytest.raises(kind) as caught:
            await stt.submit(WAV)
    error = caught.value
    assert (error.status, error.request_id, error.provider) == (answer.status, "r-7", "speechmatics")
    assert said in str(error)


@virtual_time
@pytest.mark.parametrize("body", ["", "[]", "{", '{"job": 3}', '{"job": {"status": 3}}', '{"job": {"errors": {}}}'])
async def test_a_garbled_answer_is_a_protocol_error(body: str) -> None:
    """And no KeyError or TypeError."""
    async with vendor({"GET /v2/jobs/k3v9m2p0qz": Answer(body)}, max_retries=1) as (stt, server):
        with pytest.raises(ProtocolError):
            await stt.job("k3v9m2p0qz").info()
        assert len(server.requests) == 2


@virtual_time
async def test_every_record_of_a_job_has_its_id(caplog: pytest.LogCaptureFixture) -> None:
    """In the message and as `job_id` of the record; never a key."""
    caplog.set_level(logging.DEBUG, "stt_speechmatics")
    answers = {"DELETE /v2/jobs/k3v9m2p0qz": Answer({"job": details("deleted")})}
    async with vendor(answers) as (stt, _):
        job = await stt.submit(WAV)
        await job.wait()
        await job.delete()
    records = [record for record in caplog.records if record.name == "stt_speechmatics"]
    assert [record.getMessage() for record in records] == [
        "the job k3v9m2p0qz submitted",
        "the job k3v9m2p0qz is done",
        "the job k3v9m2p0qz transcribed",
        "the job k3v9m2p0qz went without what failed: "
        "translation: unsupported_translation_pair: en to tlh is not available",
        "the job k3v9m2p0qz deleted",
    ]
    assert {record.__dict__["job_id"] for record in records} == {"k3v9m2p0qz"}
    assert KEY not in caplog.text


# -- where -----------------------------------------------------------------------------------------------------------


@virtual_time
@pytest.mark.parametrize(
    ("base", "path"), [("", "/v2/jobs"), ("/", "/v2/jobs"), ("/v2/", "/v2/jobs"), ("/gate/sm/v2", "/gate/sm/v2/jobs")]
)
async def test_the_base_url_is_kept(base: str, path: str) -> None:
    """1: with its path; one without any gets `/v2`, as by the vendor's older client."""
    async with (
        ScriptedServer(http=Vendor({f"GET {path}": Answer({"jobs": []})})) as server,
        create_stt("speechmatics", api_key=KEY, base_url=f"{server.url}{base}") as stt,
    ):
        await stt.prewarm()
    assert sent(server) == [f"GET {path}?limit=1"]


async def test_a_region_has_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """1: an argument beats the environment, and that beats the vendor's default."""
    monkeypatch.setenv("SPEECHMATICS_API_KEY", KEY)
    monkeypatch.delenv("SPEECHMATICS_BATCH_URL", raising=False)

    async def url(**options: Any) -> str:
        async with create_stt("speechmatics", **options) as stt:
            return (await stt.sign("/jobs"))[0]

    assert await url() == "https://asr.api.speechmatics.com/v2/jobs"
    monkeypatch.setenv("SPEECHMATICS_BATCH_URL", "https://gateway.example/v2")
    assert await url() == "https://gateway.example/v2/jobs"
    assert await url(region="au1") == "https://au1.asr.api.speechmatics.com/v2/jobs"
    assert await url(base_url="ws://localhost:1/v2") == "http://localhost:1/v2/jobs"


@virtual_time
async def test_a_container_of_ones_own_knows_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """12: no key, no `wait`, no list, no delete, no usage; engines and the user in a header."""
    monkeypatch.delenv("SPEECHMATICS_API_KEY", raising=False)
    options: dict[str, Any] = {"api_key": None, "on_prem": True, "parallel_engines": 4, "user_id": "me"}
    async with vendor({"GET /v2/jobs": Answer({"active_jobs": []})}, **options) as (stt, server):
        await stt.prewarm()
        await stt.recognize(WAV)
        with pytest.raises(UnsupportedError, match="deletes no jobs"):
            await stt.job("k3v9m2p0qz").delete()
        with pytest.raises(UnsupportedError, match="lists only what runs"):
            stt.list_jobs()
        with pytest.raises(UnsupportedError, match="usage"):
            await cast("Any", stt).usage()
    assert sent(server) == [
        "GET /v2/jobs",
        "POST /v2/jobs",
        "GET /v2/jobs/k3v9m2p0qz",
        "GET /v2/jobs/k3v9m2p0qz/transcript?format=json-v2",
    ]
    assert not any("Authorization" in each.head.headers for each in server.requests)
    header = server.requests[1].head.headers["X-SM-Processing-Data"]
    assert json.loads(header) == {"parallel_engines": 4, "user_id": "me"}


@virtual_time
async def test_a_large_transcript_does_not_hold_the_loop_up() -> None:
    """It is read in a thread; the result is the same."""
    document = {**DOCUMENT, "results": DOCUMENT["results"] * 400}
    async with vendor({"GET /v2/jobs/k3v9m2p0qz/transcript": Answer(document)}) as (stt, _):
        threads = 0
        to_thread = asyncio.to_thread

        async def counting(*args: Any) -> Any:
            nonlocal threads
            threads += 1
            return await to_thread(*args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio, "to_thread", counting)
            transcript = await stt.job("k3v9m2p0qz").result()
    assert threads == 1
    assert len(transcript.words or ()) == 400 * 11
