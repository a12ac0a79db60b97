"""A submission over a bad network: the job is there once, and never twice."""

from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stt_core.errors import (
    AudioError,
    BadRequestError,
    ConnectionLostError,
    RateLimitError,
    STTError,
)
from stt_core.factory import create_stt
from stt_core.testing.clock import virtual_time, virtual_time_run
from stt_core.testing.faults import (
    BAD_GATEWAY,
    Answer,
    BlackHole,
    CutResponse,
    CutUpload,
    Exchange,
    HttpPlan,
    Refuse,
    ScriptedServer,
    Status,
)
from stt_speechmatics.submitting import TOKEN_DETAIL

if TYPE_CHECKING:
    from stt_core.stt import STT
    from stt_core.testing.faults import FaultServer

KEY = "a-key-wherever-this-is-seen-it-leaks"
WAV = Path(__file__).parents[1] / "data" / "speech" / "weather.wav"


class Account:
    """Takes every job that it is told of whole; lists them, as late as it is told to."""

    def __init__(self, *, listed_after: int = 0, note: Literal["tracking", "config"] = "tracking") -> None:
        self.configs: list[dict[str, Any]] = []
        self.lists = 0
        self._listed_after = listed_after
        self._note = note

    async def __call__(self, exchange: Exchange) -> Answer:
        if exchange.head.method == "POST":
            self.configs.append(self._config(bytes(exchange.body)))
            return Answer({"id": f"job{len(self.configs)}"}, 201)
        self.lists += 1
        shown = self.configs if self.lists > self._listed_after else []
        return Answer({"jobs": [self._details(number, config) for number, config in reversed([*enumerate(shown, 1)])]})

    @staticmethod
    def _config(body: bytes) -> dict[str, Any]:
        _, _, rest = body.partition(b'name="config"\r\n\r\n')
        return json.loads(rest.partition(b"\r\n--")[0])

    def _details(self, number: int, config: dict[str, Any]) -> dict[str, Any]:
        noted = config["tracking"] if self._note == "tracking" else config
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        return {"id": f"job{number}", "status": "running", "created_at": now, "data_name": "", self._note: noted}


@asynccontextmanager
async def account(
    plan: HttpPlan = (), behind: Account | None = None, **options: Any
) -> AsyncGenerator[tuple[STT, Account, FaultServer]]:
    behind = behind or Account()
    async with ScriptedServer(http=behind, http_plan=plan) as server:
        given = {"api_key": KEY, "base_url": f"{server.url}/v2", "retry_interval": 0.05, **options}
        async with create_stt("speechmatics", **given) as stt:
            yield stt, behind, server


def methods(server: FaultServer) -> list[str]:
    return [each.head.method for each in server.requests]


@virtual_time
@pytest.mark.parametrize("cut", [CutResponse(0), CutResponse(3, "eof")])
@pytest.mark.parametrize("note", ["tracking", "config"])
async def test_a_job_whose_answer_is_lost_is_found_again(cut: CutResponse, note: Literal["tracking", "config"]) -> None:
    """3.1: by the token, wherever the server echoes it; nothing is sent twice."""
    async with account({0: [cut]}, Account(note=note)) as (stt, behind, server):
        job = await stt.submit(WAV)
    assert (job.id, len(behind.configs), methods(server)) == ("job1", 1, ["POST", "GET"])


@virtual_time
async def test_a_job_that_is_listed_late_is_found_too() -> None:
    """A server may still be at it when the connection is lost: it is looked for twice."""
    async with account({0: [CutResponse(0)]}, Account(listed_after=1)) as (stt, behind, server):
        job = await stt.submit(WAV)
    assert (job.id, len(behind.configs), methods(server)) == ("job1", 1, ["POST", "GET", "GET"])


@virtual_time
@pytest.mark.parametrize("after", [0, 1, 50, 300, 4_096, 65_536, 100_000, WAV.stat().st_size])
@pytest.mark.parametrize("how", ["reset", "eof"])
async def test_an_upload_that_is_cut_is_made_again(after: int, how: Literal["reset", "eof"]) -> None:
    """At any point: once it is known that the job is not there."""
    async with account({0: [CutUpload(after, how)]}) as (stt, behind, server):
        job = await stt.submit(WAV)
    assert (job.id, len(behind.configs)) == ("job1", 1)
    assert methods(server) == ["POST", "GET", "GET", "POST"]
    assert WAV.read_bytes() in bytes(server.requests[3].body)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3000), st.sampled_from(["reset", "eof"]))
def test_wherever_it_is_cut(after: int, how: Literal["reset", "eof"]) -> None:
    """In the config, between the parts, in the audio, at its end."""

    async def run() -> None:
        async with account({0: [CutUpload(after, how)]}) as (stt, behind, _):
            assert (await stt.submit(("memo.wav", b"RIFF" + bytes(2000)))).id == "job1"
        assert len(behind.configs) == 1

    virtual_time_run(run())


@virtual_time
@pytest.mark.parametrize("fault", [BAD_GATEWAY, Status(500), Status(504, "<html>late</html>"), Refuse()])
async def test_a_gateway_that_fails_may_have_passed_the_job_on(fault: Any) -> None:
    """So the job is looked for before it is sent again."""
    async with account({0: [fault]}) as (stt, behind, server):
        await stt.submit(WAV)
    assert len(behind.configs) == 1
    assert methods(server) == ["POST", "GET", "GET", "POST"]


@virtual_time
async def test_a_submission_that_takes_too_long_may_be_taken() -> None:
    """`request_timeout` bounds each attempt."""
    async with account({0: [BlackHole()]}, request_timeout=5) as (stt, behind, server):
        await stt.submit(WAV)
    assert len(behind.configs) == 1
    assert methods(server) == ["POST", "GET", "GET", "POST"]


@virtual_time
async def test_a_refusal_is_no_job() -> None:
    """429 is made again without a look, when the vendor says; 400 is not made again."""
    async with account({0: [Status(429, retry_after=2)]}) as (stt, behind, server):
        await stt.submit(WAV)
        assert (len(behind.configs), methods(server)) == (1, ["POST", "POST"])
    async with account([Status(400, '{"code": 400, "error": "Job rejected"}')]) as (stt, _, server):
        with pytest.raises(BadRequestError):
            await stt.submit(WAV)
        assert methods(server) == ["POST"]
    async with account([Status(429)], max_retries=2) as (stt, _, server):
        with pytest.raises(RateLimitError):
            await stt.submit(WAV)
        assert methods(server) == ["POST"] * 3


@virtual_time
async def test_without_a_look_it_is_not_sent_again() -> None:
    """Where nobody can say whether the job is there, the first error is raised, and says how to find it."""
    async with account({0: [CutResponse(0)], **{number: [Status(503)] for number in range(1, 20)}}) as (
        stt,
        behind,
        server,
    ):
        with pytest.raises(ConnectionLostError) as caught:
            await stt.submit(WAV)
    assert len(behind.configs) == 1
    assert methods(server).count("POST") == 1
    reference = behind.configs[0]["tracking"]["reference"]
    assert [note for note in caught.value.__notes__ if reference in note]


@virtual_time
async def test_the_budget_is_one() -> None:
    """`max_retries` bounds the submissions; without any there is one attempt, and no look."""
    async with account([CutUpload(10)], max_retries=0) as (stt, _, server):
        with pytest.raises(ConnectionLostError):
            await stt.submit(WAV)
        assert methods(server) == ["POST"]
    async with account({number: [CutUpload(10)] for number in (0, 3, 6)}, max_retries=2) as (stt, _, server):
        with pytest.raises(ConnectionLostError):
            await stt.submit(WAV)
        assert methods(server) == ["POST", "GET", "GET"] * 2 + ["POST"]


@virtual_time
async def test_what_can_be_read_only_once_is_sent_once() -> None:
    """A pipe: the job is looked for all the same."""
    async with account({0: [CutUpload(10)]}) as (stt, _, server):
        read, write = os.pipe()
        with os.fdopen(write, "wb") as end:
            end.write(b"fLaC" + bytes(1000))
        with os.fdopen(read, "rb", buffering=0) as pipe, pytest.raises(ConnectionLostError):
            await stt.submit(cast("io.RawIOBase", pipe))
        assert methods(server) == ["POST", "GET", "GET"]
    async with account({0: [CutResponse(0)]}) as (stt, _, server):
        read, write = os.pipe()
        with os.fdopen(write, "wb") as end:
            end.write(b"fLaC" + bytes(1000))
        with os.fdopen(read, "rb", buffering=0) as pipe:
            assert (await stt.submit(cast("io.RawIOBase", pipe))).id == "job1"
        assert methods(server) == ["POST", "GET"]


@virtual_time
async def test_a_container_cannot_be_asked() -> None:
    """12: it lists what runs, without tracking; so it is not sent again."""
    async with account({0: [CutResponse(0)]}, on_prem=True) as (stt, _, server):
        with pytest.raises(ConnectionLostError) as caught:
            await stt.submit(WAV)
        assert caught.value.__notes__
        assert methods(server) == ["POST"]


@virtual_time
async def test_the_callers_own_tracking_stays() -> None:
    """With a reference of the caller's the token is among the details; both can be found again."""
    tracking = {"reference": "order 66", "tags": ["a"], "details": {"who": "me"}}
    async with account({0: [CutResponse(0)]}) as (stt, behind, server):
        job = await stt.submit(WAV, tracking=tracking)
        assert (job.id, methods(server)) == ("job1", ["POST", "GET"])
        await stt.submit(WAV, tracking={"title": "t"})
    first, second = (config["tracking"] for config in behind.configs)
    token = first["details"].pop(TOKEN_DETAIL)
    assert token.startswith("stt-core-")
    assert first == tracking
    assert second["title"] == "t"
    assert second["reference"].startswith("stt-core-")
    assert second["reference"] != token


@virtual_time
async def test_another_job_is_not_taken_for_it() -> None:
    """Two recordings submitted at once, both answers lost: each finds its own."""
    async with account({number: [CutResponse(0)] for number in (0, 1)}) as (stt, behind, _):
        jobs = await asyncio.gather(*(stt.submit(WAV, tracking={"title": title}) for title in ("a", "b")))
    assert {job.id for job in jobs} == {"job1", "job2"}
    titles = {f"job{number}": config["tracking"]["title"] for number, config in enumerate(behind.configs, 1)}
    assert [titles[job.id] for job in jobs] == ["a", "b"]


@virtual_time
async def test_a_file_that_cannot_be_read_is_an_audio_error(tmp_path: Path) -> None:
    """And is not tried again."""
    empty = tmp_path / "empty.wav"
    empty.write_bytes(b"")
    async with account() as (stt, _, server):
        with pytest.raises(AudioError, match="empty"):
            await stt.submit(empty)
        assert not server.requests


faults = st.sampled_from(
    [
        None,
        CutUpload(0),
        CutUpload(500),
        CutResponse(0),
        CutResponse(2),
        BAD_GATEWAY,
        Status(503),
        Status(429),
        Refuse(),
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(faults, max_size=8), st.integers(0, 3))
def test_whatever_happens_no_job_is_there_twice(plan: Sequence[Any], max_retries: int) -> None:
    """A submission that succeeds has made one job, and returns it; one that fails has made one at the most."""

    async def run() -> None:
        planned = {number: [fault] for number, fault in enumerate(plan) if fault is not None}
        async with account(planned, max_retries=max_retries) as (stt, behind, _):
            try:
                job = await stt.submit(("memo.wav", b"RIFF" + bytes(2000)))
            except STTError:
                assert len(behind.configs) <= 1
            else:
                assert (job.id, len(behind.configs)) == ("job1", 1)

    virtual_time_run(run())
