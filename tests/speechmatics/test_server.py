"""Speechmatics' server half over real sockets: what section 11 of the facts asks of an emulator, for any backend."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import aiohttp
import pytest
from typing_extensions import override

from stt_core.audio.frames import AudioFormat
from stt_core.audio.wav import wav_header
from stt_core.errors import AuthenticationError, STTError
from stt_core.events import Word
from stt_core.server import Host
from stt_core.testing.faults import Answer, Exchange, ScriptedServer
from stt_core.testing.scripted import ScriptedSTT
from stt_core.transcript import Segment, Transcript
from stt_speechmatics import fetching, notifying
from stt_speechmatics import server as server_module

if TYPE_CHECKING:
    from stt_core.audio.decode import AudioInput
    from stt_core.registry import Resolved

Json = dict[str, object]

WAV = wav_header(AudioFormat(8000), 32000) + bytes(32000)
"""Two seconds."""

HELLO = Transcript(
    "Good day.",
    "en",
    2.0,
    segments=[
        Segment("Good day.", words=[Word("Good", 0.3, 0.61, 0.99), Word("day.", 0.61, 1.02, 0.97)], language="en"),
    ],
)


class Told(ScriptedSTT):
    """Hears what it is told to, and not before it is told to go on."""

    def __init__(self, outcome: Transcript | STTError = HELLO, *, held: bool = False) -> None:
        super().__init__()
        self.outcome = outcome
        self.go = asyncio.Event()
        self.calls: list[Resolved] = []
        self.heard: list[bytes] = []
        self.at_once = 0
        self.most_at_once = 0
        self._changed = asyncio.Condition()
        if not held:
            self.go.set()

    @override
    async def recognize_audio(self, audio: AudioInput, settings: Resolved) -> Transcript:
        self.calls.append(settings)
        with audio.open_binary() as file:
            self.heard.append(file.read())
        await self._count(1)
        try:
            await self.go.wait()
        finally:
            await self._count(-1)
        if isinstance(self.outcome, STTError):
            raise self.outcome
        return self.outcome

    async def running(self, jobs: int) -> None:
        """Waits until so many are being recognised."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.at_once == jobs)

    async def _count(self, more: int) -> None:
        async with self._changed:
            self.at_once += more
            self.most_at_once = max(self.most_at_once, self.at_once)
            self._changed.notify_all()


class Reply:
    def __init__(self, response: aiohttp.ClientResponse, text: str) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = text

    @property
    def json(self) -> Json:
        return cast("Json", json.loads(self.text))

    @property
    def job(self) -> Json:
        return cast("Json", self.json["job"])

    @property
    def error(self) -> tuple[int, object]:
        assert self.json["code"] == self.status
        return self.status, self.json["error"]


def config(**fields: object) -> Json:
    """A job in English; ``transcription`` holds more of its transcription_config."""
    transcription = cast("Json", fields.pop("transcription", {}))
    return {"type": "transcription", "transcription_config": {"language": "en", **transcription}, **fields}


CONFIG = json.dumps(config())


class Server:
    def __init__(self, host: Host, http: aiohttp.ClientSession) -> None:
        self.host = host
        self.http = http
        self.url = host.urls["speechmatics"]
        self.root = self.url.removesuffix("/v2")

    async def ask(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **query: object) -> Reply:
        url = (self.root if path.startswith(("/v1", "/container")) else self.url) + path
        asked = {name: str(value) for name, value in query.items()}
        async with self.http.request(method, url, params=asked, headers=headers) as response:
            return Reply(response, await response.text())

    async def get(self, path: str, **query: object) -> Reply:
        return await self.ask("GET", path, headers=None, **query)

    async def post(
        self,
        form: Mapping[str, tuple[str | None, str | bytes]],
        path: str = "/jobs",
        *,
        headers: Mapping[str, str] | None = None,
        **query: object,
    ) -> Reply:
        body = aiohttp.FormData(default_to_multipart=True)
        for name, (file_name, content) in form.items():
            body.add_field(name, content, filename=file_name)
        url = (self.root if path.startswith("/container") else self.url) + path
        asked = {name: str(value) for name, value in query.items()}
        async with self.http.post(url, data=body, params=asked, headers=headers) as response:
            return Reply(response, await response.text())

    async def submit(self, asked: object = None, *, path: str = "/jobs", **more: object) -> Reply:
        """With a recording of two seconds, unless the config has ``fetch_data``."""
        asked = config() if asked is None else asked
        form: dict[str, tuple[str | None, str | bytes]] = {"config": (None, json.dumps(asked))}
        if not isinstance(asked, dict) or "fetch_data" not in asked:
            form["data_file"] = ("call.wav", WAV)
        return await self.post(form, path, **more)  # pyright: ignore[reportArgumentType]

    async def submitted(self, asked: object = None) -> str:
        reply = await self.submit(asked)
        assert reply.status == 201, reply.text
        return cast("str", reply.json["id"])

    async def done(self, asked: object = None) -> str:
        job_id = await self.submitted(asked)
        assert (await self.get(f"/jobs/{job_id}", wait=60)).job["status"] != "running"
        return job_id

    async def ids(self, **query: object) -> Sequence[str]:
        jobs = cast("list[Json]", (await self.get("/jobs", **query)).json["jobs"])
        return [cast("str", job["id"]) for job in jobs]


@asynccontextmanager
async def serving(
    stt: ScriptedSTT | str | None = None, *, key: str | None = "k", **options: object
) -> AsyncGenerator[Server]:
    async with (
        Host(stt or Told(), **options) as host,  # pyright: ignore[reportArgumentType]  (some of its own)
        aiohttp.ClientSession(headers={} if key is None else bearer(key)) as http,
    ):
        yield Server(host, http)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


# -- a job's life ----------------------------------------------------------------------------------------------------


async def test_a_job_runs_and_is_done() -> None:
    """The answer to a submit is the id; then the job runs, with what is known of it, until it is done."""
    stt = Told(held=True)
    async with serving(stt) as server:
        reply = await server.submit(config(tracking={"title": "One", "reference": "r-1"}))
        job_id = cast("str", reply.json["id"])
        assert (reply.status, list(reply.json)) == (201, ["id"])
        assert re.fullmatch("[a-z0-9]{10}", job_id)
        running = (await server.get(f"/jobs/{job_id}", wait=0)).job
        assert (running["id"], running["status"], running["data_name"]) == (job_id, "running", "call.wav")
        assert running["duration"] == 2
        assert running["config"] == config(tracking={"title": "One", "reference": "r-1"})
        assert running["tracking"] == {"title": "One", "reference": "r-1"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", cast("str", running["created_at"]))
        assert "errors" not in running
        stt.go.set()
        assert (await server.get(f"/jobs/{job_id}", wait=30)).job == {**running, "status": "done"}
    assert stt.heard == [WAV]


async def test_a_question_waits_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds, here a minute, where the client does not say: a short job is done in the first answer."""
    assert server_module.DEFAULT_WAIT == 2
    monkeypatch.setattr(server_module, "DEFAULT_WAIT", 60)
    stt = Told(held=True)
    async with serving(stt) as server:
        job_id = await server.submitted()
        asked = asyncio.create_task(server.get(f"/jobs/{job_id}"))
        transcript = asyncio.create_task(server.get(f"/jobs/{job_id}/transcript", format="txt"))
        for _ in range(3):  # by when the server has these two
            await server.get(f"/jobs/{job_id}", wait=0)
        assert not asked.done()
        stt.go.set()
        assert (await asked).job["status"] == "done"
        assert (await transcript).text == "Good day."


async def test_a_transcript_comes_in_three_formats() -> None:
    """json-v2 in the vendor's media type or the plain one, text, and subtitles."""
    async with serving() as server:
        job_id = await server.done()
        path = f"/jobs/{job_id}/transcript"
        document = await server.get(path)
        assert document.headers["Content-Type"] == "application/vnd.speechmatics.v2+json"
        assert (await server.get(path, format="json-v2")).json == document.json
        plain = await server.ask("GET", path, headers={"Accept": "application/json"})
        assert (plain.headers["Content-Type"], plain.json) == ("application/json", document.json)
        assert cast("Json", document.json["job"])["id"] == job_id
        text = await server.get(path, format="txt")
        assert (text.headers["Content-Type"], text.text) == ("text/plain; charset=utf-8", "Good day.")
        subtitles = await server.get(path, format="srt")
        assert subtitles.text == "1\n00:00:00,300 --> 00:00:01,020\nGood day.\n"
        for wrong in ("json", "vtt", ""):
            assert (await server.get(path, format=wrong)).error == (
                422,
                "format in query should be one of [json-v2 txt srt]",
            )


@pytest.mark.parametrize(("form_of", "holds"), [("json-v2", '"Good"'), ("txt", "Good day."), ("srt", "-->")])
async def test_a_submit_that_waits_brings_the_transcript_along(form_of: str, holds: str) -> None:
    """Under the name of its format; json-v2 as an object, the others as texts."""
    async with serving() as server:
        reply = await server.submit(wait=30, format=form_of)
        assert (reply.status, reply.json["status"]) == (201, "done")
        assert holds in json.dumps(reply.json[form_of])
        assert isinstance(reply.json[form_of], dict) is (form_of == "json-v2")
        assert set(reply.json) == {"id", "status", form_of}


async def test_a_submit_that_waits_in_vain_says_how_the_job_stands() -> None:
    """201 all the same: created while it runs, rejected without a reason, and no wait at all without the parameter."""
    stt = Told(held=True)
    async with serving(stt) as server:
        assert (await server.submit(wait=0)).json["status"] == "created"
        assert "status" not in (await server.submit()).json
    async with serving(Told(STTError("no speech in it"))) as server:
        reply = await server.submit(wait=30)
        assert (reply.status, reply.json["status"], set(reply.json)) == (201, "rejected", {"id", "status"})


async def test_a_job_whose_provider_fails_is_rejected_with_the_reason() -> None:
    """In `errors`, with a time; there is no transcript then."""
    async with serving(Told(AuthenticationError("the provider refused", status=401))) as server:
        job_id = await server.done()
        job = (await server.get(f"/jobs/{job_id}")).job
        assert job["status"] == "rejected"
        (error,) = cast("list[Json]", job["errors"])
        assert error["message"] == "the provider refused"
        assert str(error["timestamp"]).endswith("Z")
        assert (await server.get(f"/jobs/{job_id}/transcript")).error == (404, "Job not found")
        assert "the provider refused" in (await server.get(f"/jobs/{job_id}/log")).text


async def test_an_unknown_job_and_a_transcript_that_is_not_there_yet_look_alike() -> None:
    """404 `Job not found` for both, as documented; the detail tells them apart for people."""
    async with serving(Told(held=True)) as server:
        job_id = await server.submitted()
        pending = await server.get(f"/jobs/{job_id}/transcript", wait=0)
        unknown = await server.get("/jobs/xxxxxxxxxx/transcript")
        assert pending.error == unknown.error == (404, "Job not found")
        assert "running" in cast("str", pending.json["detail"])
        assert (await server.get("/jobs/xxxxxxxxxx")).error == (404, "Job not found")


async def test_a_running_job_is_deleted_only_by_force() -> None:
    """423 without; with force=true it stops, and nothing is left of it but its place among the deleted ones."""
    stt = Told(held=True)
    async with serving(stt) as server:
        job_id = await server.submitted()
        waiting = asyncio.create_task(server.get(f"/jobs/{job_id}", wait=30))
        assert (await server.ask("DELETE", f"/jobs/{job_id}")).error == (423, "Resource Locked")
        assert (await server.ask("DELETE", f"/jobs/{job_id}", force="false")).status == 423
        assert (await server.get(f"/jobs/{job_id}", wait=0)).job["status"] == "running"
        deleted = await server.ask("DELETE", f"/jobs/{job_id}", force="true")
        assert (deleted.status, deleted.job["id"], deleted.job["status"]) == (200, job_id, "deleted")
        assert (await waiting).job["status"] == "deleted"
        assert (await server.get(f"/jobs/{job_id}/transcript")).error == (404, "Job not found")
        assert (await server.ask("DELETE", f"/jobs/{job_id}", force="true")).error == (404, "Job not found")
        assert (await server.ask("DELETE", "/jobs/xxxxxxxxxx")).error == (404, "Job not found")
        assert await server.ids() == []
        assert await server.ids(include_deleted="true") == [job_id]
        await stt.running(0)


async def test_a_job_that_is_done_is_deleted_without_force() -> None:
    """Its status is `deleted` from then on."""
    async with serving() as server:
        job_id = await server.done()
        assert (await server.ask("DELETE", f"/jobs/{job_id}")).job["status"] == "deleted"
        assert (await server.get(f"/jobs/{job_id}")).job["status"] == "deleted"


async def test_a_job_that_is_not_kept_any_more_has_expired() -> None:
    """410, which is not the 404 of one that never was; it is listed among the deleted ones."""
    async with serving(max_jobs=1) as server:
        first = await server.done()
        second = await server.done()
        assert (await server.get(f"/jobs/{first}")).error == (410, "Job Expired")
        assert (await server.get(f"/jobs/{first}/transcript")).error == (410, "File Expired")
        assert (await server.ask("DELETE", f"/jobs/{first}")).error == (410, "Job Expired")
        assert await server.ids() == [second]
        assert await server.ids(include_deleted="true") == [second, first]
        jobs = cast("list[Json]", (await server.get("/jobs", include_deleted="true")).json["jobs"])
        assert [job["status"] for job in jobs] == ["done", "expired"]


async def test_jobs_run_side_by_side_but_not_all_at_once() -> None:
    """Four at a time; the others wait and come to their turn, and when all places are taken a submit is a 429."""
    stt = Told(held=True)
    async with serving(stt, max_jobs=9) as server:
        ids = await asyncio.gather(*(server.submitted() for _ in range(9)))
        await stt.running(4)
        assert (await server.submit()).error == (429, "Max concurrent running jobs exceeded")
        stt.go.set()
        for job_id in ids:
            assert (await server.get(f"/jobs/{job_id}", wait=30)).job["status"] == "done"
        assert stt.most_at_once == 4
        assert (await server.submit()).status == 201


async def test_a_job_has_a_log() -> None:
    """Plain text, a line for each thing that happened."""
    async with serving() as server:
        job_id = await server.done()
        log = await server.get(f"/jobs/{job_id}/log")
        assert log.headers["Content-Type"].startswith("text/plain")
        assert [line.split(" ", 1)[1] for line in log.text.splitlines()] == ["created", "running", "done"]
        assert (await server.get("/jobs/xxxxxxxxxx/log")).status == 404


# -- what is submitted -------------------------------------------------------------------------------------------------


async def test_the_language_is_the_clients() -> None:
    """Not the one that the provider takes where nobody says; with `auto` and `multi` it is left to the provider."""
    stt = Told()
    async with serving(stt) as server:
        for code in ("de", "cmn", "auto", "multi"):
            await server.done(config(transcription={"language": code}))
    assert [call.language for call in stt.calls] == ["de", "zh", None, None]


@pytest.mark.parametrize("path", ["/jobs", "/jobs/"])
async def test_both_spellings_of_the_path_take_jobs(path: str) -> None:
    """The vendor's example for curl has a slash at the end."""
    async with serving() as server:
        assert (await server.submit(path=path, wait=30)).json["status"] == "done"


async def test_a_config_may_come_as_a_file_and_with_fields_that_nobody_knows() -> None:
    """curl's `config=@job.json`; the vendor's own SDKs send fields that its API does not document, and nulls."""
    odd = config(
        new_block={"a": 1},
        notification_config=None,
        sentiment_analysis_config={"enable_sentiment": True},
        transcription={"new_field": 1, "additional_vocab": None, "enable_partials": True},
    )
    async with serving() as server:
        reply = await server.post(
            {"config": ("job.json", json.dumps(odd)), "data_file": ("call.wav", WAV), "text_file": ("t", "x")}
        )
        assert reply.status == 201
        job = (await server.get(f"/jobs/{reply.json['id']}")).job
        assert (job["data_name"], job["config"]) == ("call.wav", odd)


@pytest.mark.parametrize(
    ("form", "error", "says"),
    [
        ({"data_file": ("a.wav", WAV)}, "Job rejected", "`config`"),
        ({"config": (None, "")}, "Job rejected", "`config`"),
        ({"config": (None, "{"), "data_file": ("a.wav", WAV)}, "Job rejected", "JSON"),
        ({"config": (None, "[]"), "data_file": ("a.wav", WAV)}, "Job rejected", "object"),
        ({"config": (None, " " * (1 << 18) + "{}"), "data_file": ("a.wav", WAV)}, "Job rejected", "262144"),
        ({"config": (None, CONFIG)}, "Missing data_file", "data_file"),
        ({"config": (None, CONFIG), "data_file": ("a.wav", b"")}, "Job rejected due to invalid audio", "empty"),
        ({"config": (None, CONFIG), "data_file": ("a.raw", bytes(9000))}, "Job rejected due to invalid audio", "a.raw"),
    ],
)
async def test_a_form_that_makes_no_job_is_a_400(
    form: Mapping[str, tuple[str | None, str | bytes]], error: str, says: str
) -> None:
    """With the vendor's name of the error, and a detail that says what is missing."""
    async with serving() as server:
        reply = await server.post(form)
        assert reply.error == (400, error)
        assert says in cast("str", reply.json["detail"])
        assert await server.ids(include_deleted="true") == []


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"type": "alignment"}, "Job rejected", "alignment"),
        ({"type": None}, "Job rejected", "`type`"),
        ({"transcription_config": None}, "No language selected", "language"),
        ({"transcription_config": {"language": ""}}, "Job rejected", "language"),
        ({"transcription_config": {"language": "xx"}}, "Job rejected", "xx"),
        ({"transcription_config": {"language": "ja"}}, "Job rejected", "ja"),
        ({"transcription_config": {"language": "en", "diarization": "who"}}, "Job rejected", "diarization"),
        (
            {"transcription_config": {"language": "en", "model": "standard", "operating_point": "standard"}},
            "Job rejected",
            "operating_point",
        ),
        (
            {"transcription_config": {"language": "en", "speaker_diarization_config": {"speaker_sensitivity": 2}}},
            "Job rejected",
            "speaker_sensitivity",
        ),
        (
            {"translation_config": {"target_languages": ["a", "b", "c", "d", "e", "f"]}},
            "Job rejected",
            "target_languages",
        ),
        ({"translation_config": {}}, "Job rejected", "target_languages"),
        ({"topic_detection_config": {"topics": ["x"] * 11}}, "Job rejected", "topics"),
        ({"fetch_data": {}}, "Job rejected", "url"),
    ],
)
async def test_a_config_that_is_not_accepted_is_a_400_with_the_path(wrong: Json, error: str, says: str) -> None:
    """Before the job comes about."""
    async with serving("pocketsphinx/en-us") as server:
        reply = await server.submit({**config(), **wrong})
        assert reply.error == (400, error)
        assert says in cast("str", reply.json["detail"])


async def test_a_body_that_is_no_form_is_malformed() -> None:
    """400, in the vendor's words."""
    async with serving() as server, server.http.post(f"{server.url}/jobs", json={}) as response:
        assert (response.status, (await response.json())["error"]) == (400, "Malformed request")


async def test_an_upload_that_is_too_large_is_a_413() -> None:
    """Which names the limit."""
    async with serving(max_upload=1000) as server:
        reply = await server.submit()
        assert reply.status == 413
        assert "1000" in cast("str", reply.json["detail"])


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.999])
async def test_an_upload_that_breaks_off_makes_no_job(part: float) -> None:
    """Wherever it does; the server goes on."""
    async with serving() as server:
        body = b"".join(
            (
                b'--b\r\nContent-Disposition: form-data; name="config"\r\n\r\n' + CONFIG.encode() + b"\r\n",
                b'--b\r\nContent-Disposition: form-data; name="data_file"; filename="a.wav"\r\n\r\n' + WAV + b"\r\n",
                b"--b--\r\n",
            )
        )
        _, writer = await asyncio.open_connection("127.0.0.1", server.host.port)
        writer.write(
            b"POST /speechmatics/v2/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n"
            b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body[: int(len(body) * part)]
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert await server.ids(include_deleted="true") == []
        job_id = await server.submitted()
        assert await server.ids() == [job_id]


async def test_headers_for_other_servers_are_not_echoed() -> None:
    """They hold keys, and whoever sees the job would see them; everything else comes back as it was sent."""
    async with serving(Told(held=True), fetch_hosts=["127.0.0.1:9"]) as server:
        sent = config(
            fetch_data={"url": "http://127.0.0.1:9/a.wav", "auth_headers": ["Authorization: Bearer hush"]},
            notification_config=[{"url": "http://127.0.0.1:9/done", "auth_headers": ["X-Key: hush"]}],
        )
        job = (await server.get(f"/jobs/{await server.submitted(sent)}", wait=0)).job
        assert job["config"] == config(
            fetch_data={"url": "http://127.0.0.1:9/a.wav"},
            notification_config=[{"url": "http://127.0.0.1:9/done"}],
        )


# -- lists -------------------------------------------------------------------------------------------------------------


async def test_a_list_is_continued_from_its_oldest_job() -> None:
    """The newest first; created_before takes the page that follows, and no job is lost or comes twice."""
    async with serving() as server:
        ids = [await server.submitted() for _ in range(7)]
        assert await server.ids() == ids[::-1]
        pages: list[str] = []
        query: Json = {"limit": 3}
        while jobs := cast("list[Json]", (await server.get("/jobs", **query)).json["jobs"]):
            assert len(jobs) <= 3
            pages += [cast("str", job["id"]) for job in jobs]
            query["created_before"] = jobs[-1]["created_at"]
        assert pages == ids[::-1]
        assert await server.ids(created_before="2020-01-01T00:00:00.000000000Z", created_after="x") == []


@pytest.mark.parametrize(
    ("path", "query", "error"),
    [
        ("/jobs", {"limit": "ten"}, "limit in query must be of type int64"),
        ("/jobs", {"limit": "9" * 5000}, "limit in query must be of type int64"),
        ("/jobs", {"limit": "0"}, "limit in query should be greater than or equal to 1"),
        ("/jobs", {"limit": "101"}, "limit in query should be less than or equal to 100"),
        ("/jobs", {"created_before": "yesterday"}, "created_before in query must be of type date-time"),
        ("/jobs", {"include_deleted": "maybe"}, "include_deleted in query must be of type boolean"),
        ("/jobs/x", {"wait": "-1"}, "wait in query should be greater than or equal to 0"),
        ("/usage", {"since": "today"}, "since in query must be of type date"),
    ],
)
async def test_a_query_that_is_not_accepted_is_a_422(path: str, query: Mapping[str, str], error: str) -> None:
    """With the complaint in the place of the error's name."""
    async with serving(Told(held=True)) as server:
        path = path.replace("x", await server.submitted())
        assert (await server.get(path, **query)).error == (422, error)


# -- keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "keys"), [(None, []), (None, ["sk"]), ("other", ["sk"])])
async def test_without_a_good_key_the_gateway_answers_in_html(key: str | None, keys: Sequence[str]) -> None:
    """As the vendor's does, on every path."""
    async with serving(key=key, api_keys=keys) as server:
        for method, path in (
            ("GET", "/jobs"),
            ("POST", "/jobs"),
            ("GET", "/jobs/x"),
            ("GET", "/jobs/x/transcript"),
            ("DELETE", "/jobs/x"),
            ("GET", "/usage"),
            ("POST", "/v1/api_keys"),
        ):
            reply = await server.ask(method, path)
            assert (reply.status, reply.headers["Content-Type"]) == (401, "text/html"), path
            assert reply.text.startswith("<html>")


async def minted(server: Server, key: str, *, kind: str = "batch", **body: object) -> tuple[int, str]:
    url = f"{server.root}/v1/api_keys"
    async with server.http.post(url, params={"type": kind}, json=body, headers=bearer(key)) as response:
        return response.status, (await response.json()).get("key_value", "")


@pytest.mark.parametrize("keys", [[], ["sk"]])
async def test_temporary_keys_are_good_for_everything_but_more_of_them(keys: Sequence[str]) -> None:
    """Also on a server that takes any key, where one that it made itself must not stand for any."""
    async with serving(key=None, api_keys=keys) as server:
        status, key = await minted(server, "sk", ttl=60, region="eu")
        assert (status, key.count(".")) == (201, 2)
        assert (await server.ask("GET", "/jobs", headers=bearer(key))).status == 200
        assert (await server.ask("GET", "/usage", headers=bearer(key))).status == 200
        assert (await minted(server, key, ttl=60))[0] == 403
        _, other = await minted(server, "sk", kind="rt", ttl=60)
        assert (await server.ask("GET", "/jobs", headers=bearer(other))).status == 401
        keys_of_host = server.host._keys  # pyright: ignore[reportPrivateUsage]
        expired = keys_of_host.mint({"type": "batch"}, seconds=-1)
        assert (await server.ask("GET", "/jobs", headers=bearer(expired))).status == 401


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("batch", {}),
        ("batch", {"ttl": 59}),
        ("batch", {"ttl": 86401}),
        ("batch", {"ttl": "60"}),
        ("batch", {"ttl": True}),
        ("batch", {"ttl": 60, "client_ref": 1}),
        ("flow", {"ttl": 60}),
    ],
)
async def test_a_temporary_key_needs_a_ttl_and_a_type(kind: str, body: Json) -> None:
    """60 to 86400 seconds; batch, rt or tts."""
    async with serving() as server:
        assert (await minted(server, "k", kind=kind, **body))[0] == 400


async def test_a_key_for_an_end_user_sees_his_jobs_alone() -> None:
    """Others' are unknown to him, and usage is forbidden; the account's own key sees all."""
    async with serving() as server:
        keys = {name: bearer((await minted(server, "k", ttl=60, client_ref=name))[1]) for name in ("ann", "bob")}
        ids = {name: cast("str", (await server.submit(headers=key)).json["id"]) for name, key in keys.items()}
        own = await server.submitted()
        for name, other in (("ann", "bob"), ("bob", "ann")):
            listed = await server.ask("GET", "/jobs", headers=keys[name])
            assert [job["id"] for job in cast("list[Json]", listed.json["jobs"])] == [ids[name]]
            assert (await server.ask("GET", f"/jobs/{ids[name]}", headers=keys[name])).status == 200
            for path in (f"/jobs/{ids[other]}", f"/jobs/{own}", f"/jobs/{ids[other]}/transcript"):
                assert (await server.ask("GET", path, headers=keys[name])).error == (404, "Job not found")
            assert (await server.ask("DELETE", f"/jobs/{ids[other]}", headers=keys[name])).status == 404
            assert (await server.ask("GET", "/usage", headers=keys[name])).error == (403, "Forbidden")
        assert await server.ids() == [own, ids["bob"], ids["ann"]]


# -- usage and request ids ---------------------------------------------------------------------------------------------


async def test_usage_leaves_the_current_day_out() -> None:
    """So of what was done just now nothing is said."""
    async with serving() as server:
        await server.done()
        usage = (await server.get("/usage", since="2026-01-01", until="2999-01-01")).json
        assert usage == {"since": "2026-01-01", "until": "2999-01-01", "summary": [], "details": []}
        assert set((await server.get("/usage")).json) == {"since", "until", "summary", "details"}


async def test_every_answer_names_its_request() -> None:
    """By the client's own id where it has one that fits into a header."""
    async with serving() as server:
        for path in ("/jobs", "/jobs/xxxxxxxxxx", "/nothing"):
            reply = await server.ask("GET", path, headers={"X-Request-Id": "mine-1"})
            assert reply.headers["Request-Id"] == "mine-1"
            assert len((await server.get(path)).headers["Request-Id"]) == 36
        reply = await server.ask("GET", "/jobs", headers={"X-Request-Id": "x" * 500})
        assert len(reply.headers["Request-Id"]) == 36
        assert (await server.get("/nothing")).error[0] == 404


# -- fetch_data --------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(notifying, "PAUSES", (0.0, 0.0, 0.0))


async def test_a_recording_is_fetched_from_where_the_operator_allows() -> None:
    """With the headers given, by the vendor's user agent; the job has no name of a file, and no duration at first."""

    async def http(exchange: Exchange) -> Answer:
        return Answer(WAV, content_type="audio/wav")

    stt = Told(held=True)
    async with ScriptedServer(http=http) as files, serving(stt, fetch_hosts=[files.url[7:]]) as server:
        fetch = {"url": f"{files.url}/calls/1.wav?sig=1", "auth_headers": ["X-Key: hush"]}
        job_id = await server.submitted(config(fetch_data=fetch))
        await stt.running(1)
        job = (await server.get(f"/jobs/{job_id}", wait=0)).job
        assert (job["data_name"], job["status"]) == ("", "running")
        assert "duration" not in job
        stt.go.set()
        assert (await server.get(f"/jobs/{job_id}", wait=30)).job["duration"] == 2
        (request,) = files.requests
        assert request.head.headers["X-Key"] == "hush"
        assert request.head.headers["User-Agent"] == "Speechmatics-API/2.0"
    assert stt.heard == [WAV]


@pytest.mark.parametrize("hosts", [[], ["files.example:8443"], ["example"]])
async def test_nothing_is_fetched_from_elsewhere(hosts: Sequence[str]) -> None:
    """A 400 at the submit, which tells the operator's option and not the URL."""
    async with serving(fetch_hosts=hosts) as server:
        reply = await server.submit(config(fetch_data={"url": "https://files.example/a.wav?sig=hush"}))
        assert reply.error == (400, "Job rejected")
        assert "--fetch-host" in reply.text
        assert "hush" not in reply.text


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize(("status", "attempts"), [(404, 1), (503, 4)])
async def test_a_recording_that_cannot_be_fetched_rejects_the_job(status: int, attempts: int) -> None:
    """Every attempt is one more error of the job; what will not change is not tried again."""

    async def http(exchange: Exchange) -> Answer:
        return Answer("no", status)

    async with ScriptedServer(http=http) as files, serving(fetch_hosts=[files.url[7:]]) as server:
        job_id = await server.done(config(fetch_data={"url": f"{files.url}/a.wav?sig=hush"}))
        job = (await server.get(f"/jobs/{job_id}")).job
        errors = cast("list[Json]", job["errors"])
        assert job["status"] == "rejected"
        assert [error["message"] for error in errors] == [
            f"unable to fetch audio: http status code {status}"
        ] * attempts
        assert len(files.requests) == attempts


async def test_a_file_and_a_url_are_not_taken_together() -> None:
    """It could not be said which of the two is meant."""
    async with serving(fetch_hosts=["files.example"]) as server:
        asked = json.dumps(config(fetch_data={"url": "https://files.example/a.wav"}))
        reply = await server.post({"config": (None, asked), "data_file": ("a.wav", WAV)})
        assert reply.error == (400, "Job rejected")
        for line in ("no colon", "Host: evil", "X: a\r\nY: b", "Content-Length: 1"):
            fetch = {"url": "https://files.example/a.wav", "auth_headers": [line]}
            assert (await server.submit(config(fetch_data=fetch))).error == (400, "Job rejected"), line


# -- notification_config -----------------------------------------------------------------------------------------------


async def notified(
    stt: Told, *, answers: Sequence[int] = (204,), count: int = 1, **notification: object
) -> tuple[list[Exchange], Json]:
    """What a callback was sent for a job, and the job."""
    over = asyncio.Event()
    statuses = iter(answers)

    async def http(exchange: Exchange) -> Answer:
        if len(receiver.requests) == count:
            over.set()
        return Answer("", next(statuses))

    async with ScriptedServer(http=http) as receiver, serving(stt, fetch_hosts=[receiver.url[7:]]) as server:
        told = {"url": f"{receiver.url}/done?me=1", "auth_headers": ["X-Key: hush"], **notification}
        job_id = await server.submitted(config(notification_config=[told]))
        await over.wait()
        while not (await server.get(f"/jobs/{job_id}/log")).text.endswith("notified\n"):
            pass
        return list(receiver.requests), (await server.get(f"/jobs/{job_id}")).job


async def test_a_callback_gets_the_transcript_as_an_attachment() -> None:
    """Unless it asks for something else; with its own headers, and the id and the outcome in the query."""
    (request,), job = await notified(Told())
    assert (request.head.method, request.head.path) == ("POST", "/done")
    assert request.head.query == {"me": "1", "id": job["id"], "status": "success"}
    assert (request.head.headers["X-Key"], request.head.headers["User-Agent"]) == ("hush", "Speechmatics-API/2.0")
    assert request.head.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert b'name="data_file"; filename="transcript.json"' in request.body
    assert b'"content":"Good"' in request.body
    assert job["status"] == "done"


@pytest.mark.parametrize(
    ("contents", "content_type", "holds"),
    [
        ([], "application/octet-stream", [b""]),
        (["transcript.txt"], "text/plain; charset=utf-8", [b"Good day."]),
        (["transcript"], "application/vnd.speechmatics.v2+json", [b'"results":']),
        (["jobinfo"], "application/json", [b'"data_name":"call.wav"']),
        (["jobinfo", "transcript.srt"], "multipart/form-data", [b'name="jobinfo"', b'name="transcript.srt"', b"-->"]),
    ],
)
async def test_a_callback_gets_what_it_asks_for(
    contents: Sequence[str], content_type: str, holds: Sequence[bytes]
) -> None:
    """One thing as it is, several as attachments, nothing as nothing."""
    (request,), _ = await notified(Told(), contents=contents, method="put")
    assert request.head.method == "PUT"
    assert request.head.headers["Content-Type"].startswith(content_type)
    assert all(each in request.body for each in holds)
    assert bool(request.body) is bool(contents)


@pytest.mark.usefixtures("no_pauses")
async def test_a_callback_is_tried_again_and_never_spoils_the_job() -> None:
    """Until a 2xx; what went wrong is among the errors of a job that is done all the same."""
    requests, job = await notified(Told(), answers=(503, 500, 200), count=3)
    assert len(requests) == 3
    assert job["status"] == "done"
    assert [error["message"] for error in cast("list[Json]", job["errors"])] == [
        "unable to send the notification: http status code 503",
        "unable to send the notification: http status code 500",
    ]
    requests, job = await notified(Told(), answers=(404,))
    assert (len(requests), len(cast("list[Json]", job["errors"]))) == (1, 1)


async def test_a_callback_is_told_of_a_failure_too() -> None:
    """With no transcript, because there is none."""
    (request,), job = await notified(Told(STTError("no speech in it")), contents=["transcript", "jobinfo"])
    assert (request.head.query["status"], job["status"]) == ("error", "rejected")
    assert b"no speech in it" in request.body
    assert b'name="transcript"' not in request.body
    assert [error["message"] for error in cast("list[Json]", job["errors"])] == ["no speech in it"]


async def test_a_callback_elsewhere_is_refused_at_the_submit() -> None:
    """As is one that wants what this server does not keep."""
    async with serving(fetch_hosts=["files.example"]) as server:
        for told, says in (
            ({"url": "https://other.example/done"}, "--fetch-host"),
            ({"url": "https://files.example/done", "contents": ["data"]}, "`data`"),
            ({"url": "https://files.example/done", "contents": ["all"]}, "contents"),
        ):
            reply = await server.submit(config(notification_config=[told]))
            assert reply.error == (400, "Job rejected")
            assert says in cast("str", reply.json["detail"])


# -- on premises -------------------------------------------------------------------------------------------------------

JOBS = "/container/v2/jobs"


async def test_a_container_takes_jobs_without_a_key() -> None:
    """Ids of twenty hexadecimal figures; a question is answered at once, and the request's id is in the job."""
    stt = Told(held=True)
    async with serving(stt, key=None) as server:
        reply = await server.submit(path=JOBS, headers={"X-Request-Id": "mine-1"}, wait=30)
        assert (reply.status, list(reply.json)) == (201, ["id"])
        job_id = cast("str", reply.json["id"])
        assert re.fullmatch("[0-9a-f]{20}", job_id)
        job = (await server.get(f"{JOBS}/{job_id}", wait=30)).job
        assert (job["status"], job["request_id"]) == ("running", "mine-1")
        unnamed = await server.submit(path=JOBS)
        job = (await server.get(f"{JOBS}/{unnamed.json['id']}")).job
        assert job["request_id"] == unnamed.headers["Request-Id"]
        stt.go.set()
        while (await server.get(f"{JOBS}/{job_id}")).job["status"] == "running":
            pass
        assert (await server.get(f"{JOBS}/{job_id}/transcript", format="txt")).text == "Good day."
        assert "done" in (await server.get(f"{JOBS}/{job_id}/log")).text


async def test_a_container_counts_its_engines() -> None:
    """GET /jobs says who has how many; a job that asks for more than are free is a 503 in the container's own words."""
    stt = Told(held=True)
    async with serving(stt, key=None) as server:
        three = {"X-SM-Processing-Data": '{"parallel_engines": 3, "user_id": "me"}'}
        job_id = (await server.submit(path=JOBS, headers=three)).json["id"]
        assert (await server.get(JOBS)).json == {
            "active_jobs": [{"job_id": job_id, "parallel_engines": 3}],
            "max_engines": 4,
            "unused_engines": 1,
        }
        busy = await server.submit(path=JOBS, headers={"X-SM-Processing-Data": '{"parallel_engines": 2}'})
        assert (busy.status, list(busy.json)) == (503, ["detail"])
        assert str(busy.json["detail"]).startswith("Server busy: ")
        assert (await server.submit(path=JOBS)).status == 201
        stt.go.set()
        while (await server.get(JOBS)).json["unused_engines"] != 4:
            pass
        for wrong in ("3", '{"parallel_engines": 0}', '{"parallel_engines": "2"}', "{"):
            reply = await server.submit(path=JOBS, headers={"X-SM-Processing-Data": wrong})
            assert reply.error == (400, "Job rejected"), wrong


async def test_engines_are_not_given_out_twice() -> None:
    """Of submits that come at the same time no more are taken than there are engines for."""
    async with serving(Told(held=True), key=None) as server:
        two = {"X-SM-Processing-Data": '{"parallel_engines": 2}'}
        replies = await asyncio.gather(*(server.submit(path=JOBS, headers=two) for _ in range(6)))
        assert sorted(reply.status for reply in replies) == [201, 201, 503, 503, 503, 503]


async def test_a_container_neither_deletes_nor_tells_usage() -> None:
    """Nor does it know the jobs of the service on the internet, or the service those of the container."""
    async with serving() as server:
        job_id = (await server.submit(path=JOBS)).json["id"]
        own = await server.submitted()
        assert (await server.ask("DELETE", f"{JOBS}/{job_id}")).status == 404
        assert (await server.get("/container/v2/usage")).status == 404
        assert (await server.get(f"{JOBS}/{own}")).error == (404, "Job not found")
        assert (await server.get(f"/jobs/{job_id}")).error == (404, "Job not found")
        assert await server.ids() == [own]
        for probe in ("/container/live", "/container/ready"):
            assert (await server.get(probe)).status == 200


async def test_a_container_asks_for_a_key_where_the_server_does() -> None:
    """Keys keep others out of the whole server; a temporary one is not known on premises."""
    async with serving(key=None, api_keys=["sk"]) as server:
        assert (await server.submit(path=JOBS)).status == 401
        assert (await server.submit(path=JOBS, headers=bearer("sk"))).status == 201
        _, key = await minted(server, "sk", ttl=60)
        assert (await server.submit(path=JOBS, headers=bearer(key))).status == 403
