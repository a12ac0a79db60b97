"""What Speechmatics' own SDKs send, compared field by field with what our client sends for the same call."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
import pytest_asyncio

from stt_core import create_stt
from stt_core.testing.faults import Answer, Exchange, ScriptedServer

if TYPE_CHECKING:
    from conftest import Sdk

    from stt_core.stt import STT
    from stt_core.testing.faults import RequestHead
    from stt_speechmatics.stt import SpeechmaticsSTT

GARDEN = Path(__file__).parents[1] / "data" / "speech" / "garden.wav"
JOB = "k3v9m2p0qz"

Sent = Mapping[str, str]
"""A request: what each of its fields holds."""


# -- recording -----------------------------------------------------------------------------------------------------

DETAILS = {"id": JOB, "status": "done", "created_at": "2026-03-02T10:00:00.123Z", "data_name": "a.wav", "duration": 3}
DOCUMENT: Mapping[str, object] = {
    "format": "2.9",
    "job": {"id": JOB, "created_at": "2026-03-02T10:00:00.123Z", "data_name": "a.wav", "duration": 3},
    "metadata": {"created_at": "2026-03-02T10:00:04.5Z", "type": "transcription"},
    "results": [],
}


async def answer(exchange: Exchange) -> Answer:
    head = exchange.head
    if head.path.endswith("/api_keys"):
        return Answer('{"apikey_id": null, "key_value": "a.b.c"}', 201)
    if head.path.endswith("/transcript"):
        plain = head.query.get("format") in ("txt", "srt")
        return Answer("Good day.", content_type="text/plain") if plain else Answer(json.dumps(DOCUMENT))
    if head.method == "POST":
        return Answer(json.dumps({"id": JOB}), 201)
    if head.path.endswith("/jobs"):
        return Answer('{"jobs": []}')
    return Answer(json.dumps({"job": {**DETAILS, "status": "deleted" if head.method == "DELETE" else "done"}}))


@pytest_asyncio.fixture
async def recorder() -> AsyncGenerator[ScriptedServer]:
    async with ScriptedServer(http=answer) as server:
        yield server


UNEQUAL_BY_NATURE = frozenset({"host", "content-length"})
"""Headers that follow from the rest."""


def sent_in_head(head: RequestHead) -> dict[str, str]:
    path, _, query = head.target.partition("?")
    sent = {"method": head.method, "path": path}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        sent[f"query {name}"] = value
    for name, value in head.headers.items():
        if name.lower() not in UNEQUAL_BY_NATURE:
            value = re.sub(r"boundary=\S+", "boundary=*", value)
            value = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "*", value)
            sent[f"header {name.lower()}"] = re.sub(r"(/|v)\d+(\.\d+)+", r"\1*", value)
    return sent


def sent_in(exchange: Exchange) -> Sent:
    sent = sent_in_head(exchange.head)
    content_type = exchange.head.headers.get("Content-Type", "")
    if content_type.startswith("application/json"):
        sent.update(flattened("body", json.loads(bytes(exchange.body))))
    _, _, boundary = content_type.partition("boundary=")
    names: list[str] = []
    for part in bytes(exchange.body).split(b"--" + boundary.strip('"').encode())[1:-1] if boundary else ():
        head, _, content = part[2:-2].partition(b"\r\n\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n"))
        disposition = headers["content-disposition"]
        names.append(disposition.partition('name="')[2].partition('"')[0])
        sent[f"part {names[-1]}: disposition"] = disposition
        sent[f"part {names[-1]}: type"] = headers.get("content-type", "none")
        if names[-1] == "config":
            sent.update(flattened("config", json.loads(content)))
        else:
            sent[f"part {names[-1]}: content"] = hashlib.sha256(content).hexdigest()
    return {**sent, "order of the parts": ", ".join(names)} if names else sent


def flattened(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inside in cast("Mapping[str, object]", value).items():
            yield from flattened(f"{path}.{name}", inside)
    else:
        yield path, re.sub(r"[0-9a-f]{24}", "*", json.dumps(value))


# -- the same calls with our client --------------------------------------------------------------------------------

Ours = Callable[["STT"], Awaitable[object]]


async def submit(stt: STT) -> None:
    await stt.submit(GARDEN)


async def rich(stt: STT) -> None:
    await stt.submit(
        GARDEN,
        enable_entities=True,
        diarization="speaker",
        translation_config={"target_languages": ["es", "fr"]},
        summarization_config={"content_type": "conversational", "summary_length": "brief"},
    )


async def pair(stt: STT) -> None:
    await stt.submit(
        ("memo.wav", GARDEN.read_bytes()),
        diarization="speaker",
        output_config={"srt_overrides": {"max_line_length": 20, "max_lines": 1}},
        summarization_config={"content_type": "auto", "summary_length": "brief", "summary_type": "bullets"},
    )


async def fetch(stt: STT) -> None:
    with_headers = {"url": "https://files.example/a.wav", "auth_headers": ["X-Token: hush"]}
    await cast("SpeechmaticsSTT", stt).submit(None, fetch_data=with_headers)


async def engines(stt: STT) -> None:
    await stt.submit(GARDEN, on_prem=True, parallel_engines=2, user_id="me")


async def info(stt: STT) -> None:
    await stt.job(JOB).info()


async def listed(stt: STT) -> None:
    _ = [job async for job in stt.list_jobs(limit=10, created_before=datetime(2026, 3, 2, 10, tzinfo=UTC))]


async def listed_all(stt: STT) -> None:
    _ = [job async for job in stt.list_jobs()]


async def delete(stt: STT) -> None:
    await stt.job(JOB).delete()


async def force(stt: STT) -> None:
    await stt.job(JOB).delete(force=True)


async def document(stt: STT) -> None:
    await stt.job(JOB).result()


async def text(stt: STT) -> None:
    await stt.job(JOB).result("txt")


async def subtitles(stt: STT) -> None:
    await stt.job(JOB).result("srt")


async def jwt(stt: STT) -> None:
    _ = [job async for job in stt.list_jobs(limit=1)]


# -- the differences -----------------------------------------------------------------------------------------------

BATCH: Mapping[str, Ours] = {
    "submit": submit,
    "rich": rich,
    "fetch": fetch,
    "engines": engines,
    "info": info,
    "list": listed,
    "delete": delete,
    "json": document,
    "txt": text,
    "srt": subtitles,
    "jwt": jwt,
}
OLDER: Mapping[str, Ours] = {
    "submit": submit,
    "pair": pair,
    "fetch": fetch,
    "status": info,
    "list": listed_all,
    "delete": delete,
    "force": force,
    "json-v2": document,
    "txt": text,
}
CALLS: Mapping[str, tuple[str, str, str, Ours]] = {
    **{
        f"{release} {kind} {mode}": (f"speechmatics-batch-{release}", "speechmatics_batch.py", f"{kind} {mode}", ours)
        for release, kind in (("0.4.7", "AsyncClient"), ("1.1.0", "AsyncClient"), ("1.1.0", "Client"))
        for mode, ours in {**BATCH, **({} if release == "0.4.7" else {"force": force})}.items()
    },
    **{
        f"5.0.0 BatchClient {mode}": ("speechmatics-python-5.0.0", "speechmatics_python.py", mode, ours)
        for mode, ours in OLDER.items()
    },
}


REQUESTS = (*CALLS, *(f"{name} mint" for name in CALLS if name.endswith("jwt")))
"""Those of the calls; temporary keys are minted by one more."""

OLD_CLIENT = [name for name in REQUESTS if "BatchClient" in name]
NEW_CLIENT = [name for name in CALLS if "BatchClient" not in name]
BLOCKING = [name for name in REQUESTS if "1.1.0 Client" in name]
SUBMIT = ("submit", "rich", "pair", "fetch", "engines")
NEW_MODEL = [name for name in CALLS if name.startswith("1.1.0") and name.endswith(("submit", "fetch", "engines"))]
"""Where the SDK says `model` too; where it is told an operating point, it says that."""


def those(*endings: str, among: Sequence[str] = REQUESTS, but: Sequence[str] = ()) -> Sequence[str]:
    """Whose names end in one of these words."""
    return [name for name in among if name.split()[-1] in endings and name not in but]


@dataclass(frozen=True)
class Difference:
    """In which calls, in which field, what the SDK sends and what we send (``None``: nothing), and why so."""

    calls: Sequence[str]
    field: str
    theirs: str | None
    ours: str | None
    why: str


IDENTIFIES = "names the client, and nobody has to know"
NEW_NAME = "the name that the API has for it now; the other is deprecated"
SAME_TYPE = "the server reads the part as JSON, whatever it is called"

DIFFERENCES = [
    # The config of a job.
    Difference(
        those(*SUBMIT),
        "config.tracking.reference",
        None,
        '"stt-core-*"',
        "by which a job is found whose answer was lost, so that nothing is billed twice",
    ),
    Difference(
        (*those(*SUBMIT, among=NEW_CLIENT, but=NEW_MODEL), *those("pair")),
        "config.transcription_config.operating_point",
        '"enhanced"',
        None,
        NEW_NAME,
    ),
    Difference(
        those(*SUBMIT, but=NEW_MODEL),
        "config.transcription_config.model",
        None,
        '"enhanced"',
        f"{NEW_NAME}; where neither was said, ours says what it chose",
    ),
    # The form.
    Difference(
        those(*SUBMIT, among=BLOCKING),
        "part config: type",
        "application/json",
        "text/plain; charset=utf-8",
        SAME_TYPE,
    ),
    Difference(those(*SUBMIT, among=OLD_CLIENT), "part config: type", "none", "text/plain; charset=utf-8", SAME_TYPE),
    Difference(
        those("submit", "pair", among=OLD_CLIENT),
        "part data_file: type",
        "audio/x-wav",
        "audio/wav",
        "the same by another name; ours is by the content (the newer SDK says audio/wav of everything)",
    ),
    Difference(
        those("engines"),
        "header x-sm-processing-data",
        '{"parallel_engines": 2, "user_id": "me"}',
        '{"parallel_engines":2,"user_id":"me"}',
        "the same JSON without spaces",
    ),
    # Questions after jobs.
    Difference(
        those("info", "status", "json", "json-v2", "txt", "srt"),
        "query wait",
        None,
        "0",
        "no answer is held back, unless the option `wait` asks for it: pauses are the client's",
    ),
    Difference(those("json"), "query format", None, "json-v2", "the default, said"),
    Difference(
        those("list", among=BLOCKING),
        "query created_before",
        "2026-03-02T10%3A00%3A00.000Z",
        "2026-03-02T10:00:00.000Z",
        "a colon may stand in a query as it is (RFC 3986, section 3.4)",
    ),
    Difference(
        those("list", among=OLD_CLIENT), "query limit", None, "100", "a page; ours goes on to those that follow"
    ),
    Difference(those("delete", among=OLD_CLIENT), "query force", "false", None, "the default"),
    # Temporary keys.
    Difference(those("mint"), "body.region", '"eu"', None, "deprecated, and without effect"),
    # What says who asks, and what libraries send of their own accord.
    Difference(
        those("submit", "pair", "fetch", "status", "list", among=OLD_CLIENT),  # other queries take its place
        "query sm-sdk",
        "python-5.0.0.post1",
        None,
        IDENTIFIES,
    ),
    Difference(
        [*OLD_CLIENT, *those("mint", among=BLOCKING)],
        "header user-agent",
        "python-httpx/*",
        "Python/* aiohttp/*",
        IDENTIFIES,
    ),
    Difference(NEW_CLIENT, "header user-agent", "speechmatics-batch-v* python/*", "Python/* aiohttp/*", IDENTIFIES),
    Difference(
        NEW_CLIENT, "header x-request-id", "*", None, "one for all requests of a client, so it tells none of them apart"
    ),
    Difference(OLD_CLIENT, "header accept-charset", "utf-8", None, "answers are UTF-8 in any case"),
    Difference(
        [*BLOCKING, *OLD_CLIENT],
        "header connection",
        "keep-alive",
        None,
        "the default of HTTP/1.1",
    ),
]


@pytest.mark.parametrize("name", CALLS)
async def test_what_is_sent_differs_as_listed(sdk: Callable[[str], Sdk], recorder: ScriptedServer, name: str) -> None:
    """In each field of a request both say the same, or the table says why they do not; method, path, query, the config
    field by field and the recording are among the fields.
    """
    environment, driver, mode, ours_of = CALLS[name]
    url = f"{recorder.url}/v2"
    await asyncio.to_thread(sdk(environment).run, driver, mode, url, str(GARDEN))
    theirs = [sent_in(request) for request in recorder.requests]
    signed = {"auth": "jwt", "client_ref": "ann"} if name.endswith("jwt") else {}
    async with create_stt("speechmatics", base_url=url, api_key="sm_test", **signed) as stt:
        await ours_of(stt)
    ours = [sent_in(request) for request in recorder.requests[len(theirs) :]]
    names = [f"{name} mint", name] if name.endswith("jwt") else [name]
    for request, one, other in zip(names, theirs, ours, strict=True):
        found = {
            field: (one.get(field), other.get(field))
            for field in {**one, **other}
            if one.get(field) != other.get(field)
        }
        assert found == {each.field: (each.theirs, each.ours) for each in DIFFERENCES if request in each.calls}
        assert {"method", "path", "header authorization"} < one.keys()
        assert ("part data_file: content" in one) is (request.split()[-1] in ("submit", "rich", "pair", "engines"))


def test_every_difference_is_one() -> None:
    """Each of the table is met by some call, so that none is left behind when a client changes."""
    assert all(each.calls and set(each.calls) <= set(REQUESTS) for each in DIFFERENCES)
