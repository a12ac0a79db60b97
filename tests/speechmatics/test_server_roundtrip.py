"""Both halves against each other: what a provider says, and what a client asks, comes through Speechmatics' API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from stt_core import create_stt
from stt_core.audio.frames import AudioFormat
from stt_core.audio.wav import wav_header
from stt_core.errors import (
    AuthenticationError,
    JobError,
    JobExpiredError,
    JobFailedError,
    JobNotFoundError,
    PermissionDeniedError,
    ResultNotReadyError,
    STTError,
)
from stt_core.events import Word
from stt_core.server import Form, Host
from stt_core.testing.faults import Answer, Exchange, ScriptedServer
from stt_core.testing.scripted import ScriptedSTT
from stt_core.transcript import Segment, Transcript
from stt_speechmatics.asked import read_job
from stt_speechmatics.reading import dump, parse
from stt_speechmatics.replies import document_of
from stt_speechmatics.results import read_transcript

if TYPE_CHECKING:
    from stt_core.audio.decode import AudioInput
    from stt_core.registry import Resolved
    from stt_speechmatics.stt import SpeechmaticsSTT

Json = dict[str, object]

WAV = wav_header(AudioFormat(8000), 32000) + bytes(32000)


class Told(ScriptedSTT):
    """Hears what it is told to, when it is told to."""

    def __init__(self, outcome: Transcript | STTError) -> None:
        super().__init__()
        self.outcome = outcome
        self.go = asyncio.Event()

    @override
    async def recognize_audio(self, audio: AudioInput, settings: Resolved) -> Transcript:
        await self.go.wait()
        if isinstance(self.outcome, STTError):
            raise self.outcome
        return self.outcome


# -- what is said ----------------------------------------------------------------------------------------------------

SECONDS = st.integers(0, 1000).map(lambda tenths: tenths / 10)
WORDS = st.builds(
    Word,
    text=st.text("abcé9'-", min_size=1, max_size=6).map(lambda text: f"x{text}x"),
    start_time=SECONDS | st.none(),
    end_time=SECONDS | st.none(),
    confidence=st.integers(0, 100).map(lambda percent: percent / 100) | st.none(),
    speaker_id=st.sampled_from(["S1", "S2", "Ann"]) | st.none(),
    language=st.sampled_from(["en", "de", "zh"]) | st.none(),
)


@given(st.lists(st.tuples(WORDS, st.sampled_from(["", "", ",", ".", "?!"])), min_size=2), st.booleans())
def test_words_come_through_as_they_were(spoken: Sequence[tuple[Word, str]], told_apart: bool) -> None:
    """Text, times, confidence, speaker and language of every word, and the text of the whole; unknown stays unknown."""
    words: list[Word] = []
    for word, marks in spoken:
        word.text = word.text.rstrip(",.?!") + marks
        words.append(word)
        if not told_apart:
            word.speaker_id = None
    text = " ".join(word.text for word in words)
    form = Form()
    transcription = {"language": "auto", **({"diarization": "speaker"} if told_apart else {})}
    form.add_field("config", json.dumps({"type": "transcription", "transcription_config": transcription}))
    document = document_of(
        Transcript(text, segments=[Segment(text, words=words)]),
        read_job(form),
        {"id": "x", "created_at": "2026-03-02T10:00:00.123Z", "data_name": ""},
        datetime(2026, 3, 2, tzinfo=UTC),
    )
    found = read_transcript(parse(dump(document)))
    assert (found.text, found.words) == (text, words)


# -- what is asked -----------------------------------------------------------------------------------------------------

HELLO = Transcript("Good day.", "en", 2.0, words=[Word("Good", 0.3, 0.6, 0.9), Word("day.", 0.6, 1.0, 0.8)])


@asynccontextmanager
async def both(
    outcome: Transcript | STTError = HELLO,
    *,
    held: bool = False,
    path: str = "",
    hosts: Sequence[str] = (),
    api_key: str | None = "k",
    **options: object,
) -> AsyncGenerator[tuple[SpeechmaticsSTT, Told]]:
    told = Told(outcome)
    if not held:
        told.go.set()
    async with Host(told, fetch_hosts=hosts, max_jobs=3) as host:
        url = host.urls["speechmatics"].replace("/v2", f"{path}/v2")
        async with create_stt("speechmatics", base_url=url, api_key=api_key, **options) as stt:
            yield cast("SpeechmaticsSTT", stt), told


async def test_our_client_recognises_through_our_server() -> None:
    """Polling as it always does, with the server holding its answers back, and with a temporary key."""
    for client in (both(), both(wait=30), both(auth="jwt", ttl=60, client_ref="ann")):
        async with client as (stt, _):
            found = await stt.recognize(WAV, poll_interval=0.01)
            assert (found.text, found.language, found.duration) == ("Good day.", "en", 2.0)
            assert [(word.text, word.start_time, word.end_time) for word in found.words or ()] == [
                ("Good", 0.3, 0.6),
                ("day.", 0.6, 1.0),
            ]


async def test_a_job_is_followed_from_submit_to_delete() -> None:
    """By its id alone; every rendering is the server's own."""
    async with both(held=True) as (stt, told):
        job = stt.job((await stt.submit(("memo.wav", WAV), tracking={"title": "One"})).id)
        info = await job.info()
        assert (info.state, info.vendor_state, info.name, info.duration) == ("processing", "running", "memo.wav", 2)
        with pytest.raises(ResultNotReadyError):
            await job.result()
        with pytest.raises(JobError, match="running"):
            await job.delete()
        told.go.set()
        assert (await job.wait(poll_interval=0.01)).text == "Good day."
        assert await job.result("txt") == "Good day."
        assert "-->" in await job.result("srt")
        assert "done" in await stt.job_log(job.id)
        assert [each.id async for each in stt.list_jobs()] == [job.id]
        await job.delete()
        assert (await job.status()).vendor_state == "deleted"
        assert [each.id async for each in stt.list_jobs()] == []
        with pytest.raises(JobNotFoundError):
            await stt.job("xxxxxxxxxx").status()
        assert (await stt.usage())["summary"] == []


async def test_lists_of_any_length_are_read_to_their_end() -> None:
    """Page after page, with what is gone where it is asked for; the oldest has expired."""
    async with both() as (stt, _):
        ids = [(await stt.submit(WAV)).id for _ in range(3)]
        for job_id in ids:
            await stt.job(job_id).wait(poll_interval=0.01)
        ids.append((await stt.submit(WAV)).id)
        assert [each.id async for each in stt.list_jobs()] == ids[:0:-1]
        assert [each.id async for each in stt.list_jobs(include_deleted=True)] == ids[::-1]
        assert [each.id async for each in stt.list_jobs(limit=2)] == ids[:1:-1]
        with pytest.raises(JobExpiredError):
            await stt.job(ids[0]).result()


async def test_reasons_arrive_as_they_were_given() -> None:
    """Of a job that failed, of a key that is wrong or too narrow, and of a recording that cannot be fetched."""
    async with both(JobFailedError("there is no speech in it")) as (stt, _):
        with pytest.raises(JobFailedError) as failed:
            await stt.recognize(WAV, poll_interval=0.01)
        assert failed.value.reasons == ("there is no speech in it",)
    async with both(auth="jwt", client_ref="ann") as (stt, _):
        with pytest.raises(PermissionDeniedError):
            await stt.usage()
    async with (
        Host(Told(HELLO), api_keys=["right"]) as host,
        create_stt("speechmatics", base_url=host.urls["speechmatics"], api_key="wrong") as stt,
    ):
        with pytest.raises(AuthenticationError):
            await stt.recognize(WAV)


async def test_a_url_goes_through_to_who_fetches_it() -> None:
    """The recording is never on the client's side; a place that is not allowed is an error before any job."""

    async def http(exchange: Exchange) -> Answer:
        return Answer(WAV if exchange.head.path == "/a.wav" else "", 200 if exchange.head.path == "/a.wav" else 404)

    async with ScriptedServer(http=http) as files, both(hosts=[files.url[7:]]) as (stt, _):
        assert (await stt.recognize(f"{files.url}/a.wav", poll_interval=0.01)).text == "Good day."
        with pytest.raises(JobFailedError) as failed:
            await stt.recognize(f"{files.url}/b.wav", poll_interval=0.01)
        assert failed.value.reasons == ("unable to fetch audio: http status code 404",)
        with pytest.raises(STTError, match="--fetch-host"):
            await stt.recognize("https://files.example/a.wav")


async def test_our_client_works_with_the_container() -> None:
    """Without a key, with several engines."""
    async with both(path="/container", on_prem=True, api_key=None) as (stt, _):
        found = await stt.recognize(WAV, parallel_engines=2, user_id="me", poll_interval=0.01)
        assert found.text == "Good day."
        await stt.prewarm()


async def test_a_server_before_speechmatics_itself_changes_nothing() -> None:
    """The config goes on field by field, but for what is between a client and its server; the answer comes whole."""
    told = Told(HELLO)
    told.go.set()
    async with Host(told) as upstream:
        behind = create_stt("speechmatics", base_url=upstream.urls["speechmatics"], api_key="k", wait=30)
        async with (
            behind,
            Host(behind) as host,
            create_stt("speechmatics", base_url=host.urls["speechmatics"], api_key="k", wait=30) as stt,
        ):
            found = await stt.recognize(
                WAV,
                tracking={"title": "One"},
                topic_detection_config={"topics": ["weather"]},
                enable_entities=True,
                additional_vocab=["Kyoto"],
            )
            (job,) = [cast("Json", job.raw) async for job in behind.list_jobs()]
    assert found.text == "Good day."
    assert "topic_detection_errors" in cast("Json", cast("Json", found.raw)["metadata"])
    config = cast("Json", job["config"])
    assert config["topic_detection_config"] == {"topics": ["weather"]}
    assert config["transcription_config"] == {
        "language": "en",
        "model": "enhanced",
        "enable_entities": True,
        "additional_vocab": [{"content": "Kyoto"}],
    }
    assert "title" not in cast("Json", config["tracking"])
