"""No secret of a call is seen anywhere: not the key, nor a temporary one, nor what opens the URL of a recording."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

import pytest

from stt_core.errors import ConfigError, STTError
from stt_core.factory import create_stt
from stt_core.testing.clock import virtual_time
from stt_core.testing.faults import Answer, CutResponse, CutUpload, Exchange, HttpPlan, Refuse, ScriptedServer, Status
from stt_core.transport.http import HttpResponse

if TYPE_CHECKING:
    from stt_core.stt import STT

KEY = "nobody-sees-this-key"  # not of a form that could be told from a word
TEMPORARY = "eyJhbGciOi.eyJzdWIiOi.nobody-sees-this-token"
SIGNATURE = "nobody-sees-this-signature"
HEADER = "nobody-sees-this-header"
SECRETS = (KEY, TEMPORARY, SIGNATURE, HEADER)
URL = f"https://bucket.example/talk.mp3?X-Signature={SIGNATURE}"
WAV = Path(__file__).parents[1] / "data" / "speech" / "weather.wav"
FETCH = {"url": URL, "auth_headers": [f"Authorization: Bearer {HEADER}"]}


class Ears(logging.Handler):
    """Everything that is logged by anybody: the message and all that a formatter could print."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard += [record.getMessage(), repr(vars(record))]


@pytest.fixture(autouse=True)
def ears() -> Iterator[Ears]:
    listening, root = Ears(), logging.getLogger()
    level = root.level
    root.addHandler(listening)
    root.setLevel(logging.DEBUG)
    yield listening
    root.setLevel(level)
    root.removeHandler(listening)
    assert not leaks(*listening.heard)


def leaks(*texts: str) -> list[str]:
    return [text for text in texts if any(secret in text for secret in SECRETS)]


def check_error(error: BaseException | None, known: frozenset[int] = frozenset()) -> None:
    """Text, attributes, notes, causes and contexts, and the locals of our frames."""
    if error is None or id(error) in known:
        return
    assert not leaks(str(error), repr(error), repr(vars(error)))
    for frame, line in walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] in ("stt_core", "stt_speechmatics") and not module.startswith("stt_core.testing"):
            found = [name for name, value in frame.f_locals.items() if leaks(repr(value))]
            assert not found, f"{module}:{line} {found}"
    known |= {id(error)}
    check_error(error.__cause__, known)
    check_error(error.__context__, known)


def quoting(exchange: Exchange) -> Answer:
    """A vendor at its worst: it repeats what it was sent."""
    text = f"{dict(exchange.head.headers)} {bytes(exchange.body[:2000]).decode('latin-1')}"
    return Answer({"code": 400, "error": "Job rejected", "detail": text}, 400)


class Vendor:
    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.quotes = ""

    async def __call__(self, exchange: Exchange) -> Answer:
        if self.quotes and self.quotes in f"{exchange.head.method} {exchange.head.path}":
            return quoting(exchange)
        if exchange.head.path == "/v1/api_keys":
            return Answer({"key_value": TEMPORARY}, 201)
        if exchange.head.path.endswith("/transcript"):
            return Answer({"format": "2.9", "job": {"id": "job1"}, "results": []})
        if exchange.head.path.startswith("/v2/jobs/"):
            return Answer({"job": self.job})
        return Answer({"id": "job1", "jobs": [self.job]}, 201 if exchange.head.method == "POST" else 200)


@asynccontextmanager
async def vendor(plan: HttpPlan = (), **options: Any) -> AsyncGenerator[tuple[STT, Vendor, ScriptedServer]]:
    behind = Vendor({"id": "job1", "status": "done", "config": {"fetch_data": {"url": URL}}})
    async with (
        ScriptedServer(http=behind, http_plan=plan) as server,
        create_stt(
            "speechmatics",
            **{"api_key": KEY, "base_url": f"{server.url}/v2", "max_retries": 2, "retry_interval": 0.01, **options},
        ) as stt,
    ):
        yield stt, behind, server
        for secret in SECRETS[:2]:
            places = server.places_of(secret, allowed_headers=["Authorization"])
            assert not [place for place in places if not place.endswith(".answer")]
        assert not leaks(*(each.head.target for each in server.requests))


async def everything(stt: STT) -> list[STTError]:
    """All calls; the errors that they raise are looked at."""
    client: Any = stt
    job = stt.job("job1")

    async def listed() -> None:
        _ = [each async for each in stt.list_jobs()]

    works = [
        lambda: stt.recognize(WAV),
        lambda: stt.recognize(URL),
        lambda: client.submit(None, fetch_data=FETCH),
        lambda: stt.submit(WAV, job_config={"notification_config": FETCH}),
        job.status,
        job.info,
        job.wait,
        lambda: job.result("srt"),
        job.delete,
        listed,
        stt.prewarm,
        client.usage,
        lambda: client.job_log("job1"),
        lambda: client.request("GET", "/usage"),
    ]
    errors: list[STTError] = []
    for work in works:
        try:
            found = await work()
        except STTError as error:
            check_error(error)
            errors.append(error)
        else:
            assert isinstance(found, dict | str | HttpResponse) or not leaks(repr(found))  # the vendor's own, as it is
        assert not leaks(repr(stt), repr(job), repr(stt.settings), repr(vars(stt)))
    return errors


PLANS: list[Any] = [
    [],
    [Refuse()],
    [CutUpload(50)],
    [CutResponse(3)],
    [Status(401, f"<html>{KEY} is no key</html>")],
    [Status(500, f'{{"code": 500, "error": "{KEY}", "detail": "{TEMPORARY}"}}')],
]


@virtual_time
@pytest.mark.parametrize("auth", [None, "jwt"])
@pytest.mark.parametrize("plan", PLANS, ids=repr)
async def test_whatever_fails(plan: HttpPlan, auth: str | None) -> None:
    """Good calls, lost ones and refused ones, with either kind of key."""
    async with vendor(plan, auth=auth) as (stt, _, _):
        assert bool(await everything(stt)) is bool(plan)


@virtual_time
@pytest.mark.parametrize("where", ["POST /v2/jobs", "GET", "api_keys"])
async def test_a_vendor_that_repeats_what_it_was_sent(where: str) -> None:
    """Its words are kept, and the secrets in them are not."""
    async with vendor(auth="jwt") as (stt, behind, _):
        behind.quotes = where
        assert await everything(stt)


@virtual_time
async def test_a_job_that_was_rejected_quotes_its_url() -> None:
    """3.7: the reasons are free text."""
    async with vendor() as (stt, behind, _):
        behind.job = {"id": "job1", "status": "rejected", "errors": [{"message": f"cannot fetch {URL}: 404"}]}
        errors = await everything(stt)
    assert [error for error in errors if "https://bucket.example/talk.mp3?***" in str(error)]


@pytest.mark.parametrize(
    "options",
    [
        {"fetch_data": {"url": f"ftp://{SIGNATURE}"}},
        {"fetch_data": {"url": URL, "auth_headers": [HEADER]}},
        {"fetch_data": {**FETCH, "more": 1}},
        {"job_config": {"fetch_data": FETCH, "language": 3}},
        {"job_config": {"fetch_data": FETCH, "transcription_config": {"language": "multi"}}},
        {"job_config": {"notification_config": [FETCH] * 4}},
    ],
)
async def test_a_wrong_option_is_refused_without_its_secrets(options: dict[str, Any]) -> None:
    """At the STT and at the call."""
    async with create_stt("speechmatics", api_key=KEY) as stt:
        with pytest.raises(ConfigError) as caught:
            await stt.submit(WAV, **options)
        check_error(caught.value)
    if "job_config" not in options:
        with pytest.raises(ConfigError) as caught:
            create_stt("speechmatics", api_key=KEY, **options)
        check_error(caught.value)
