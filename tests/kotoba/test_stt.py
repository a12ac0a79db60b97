"""The client half over REST, against a server on loopback that says what Kotoba is documented to say."""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from stt_core.audio.frames import AudioFormat
from stt_core.audio.wav import WavReader, wav_header
from stt_core.errors import (
    AudioError,
    AuthenticationError,
    BadRequestError,
    ConfigError,
    ConnectionLostError,
    JobFailedError,
    JobNotFoundError,
    JobTimeoutError,
    ProtocolError,
    RateLimitError,
    ResultNotReadyError,
    ServerError,
    STTError,
    UnsupportedError,
)
from stt_core.factory import create_stt
from stt_core.testing.faults import (
    BAD_GATEWAY,
    Answer,
    CutResponse,
    CutUpload,
    Exchange,
    HttpPlan,
    Refuse,
    ScriptedServer,
    Status,
)
from stt_kotoba.stt import KotobaSTT

soundfile = importlib.import_module("soundfile")  # it ships no types

KEY = "kotoba_very_secret"
RATE = 16000
SPEECH = Path(__file__).parents[1] / "data" / "speech" / "message.wav"
ONE_SHOT = {
    "language_code": "en",
    "language_probability": 0.98,
    "text": "Good morning.",
    "words": [{"text": "Good", "type": "word", "start": 0.08, "end": 0.32, "speaker_id": None}],
    "audio_duration_secs": 1.4,
}
DONE = {
    "state": "done",
    "transcription": "本日は晴れです。",
    "segments": [{"text": "本日は晴れです。", "start": 0.16, "end": 1.92}],
}
STILL = Answer('{"detail":"still processing"}', 202)


@dataclass
class Vendor:
    """Answers with the next answer; uploads with a job's id or a transcript where there is none."""

    answers: list[Answer] = field(default_factory=list[Answer])

    async def __call__(self, exchange: Exchange) -> Answer:
        if exchange.head.method == "GET":
            return self.answers.pop(0) if self.answers else Answer(json.dumps(DONE))
        if exchange.head.path.endswith("/transcription_jobs"):
            return Answer('{"job_id":"j-1"}', 202)
        return self.answers.pop(0) if self.answers else Answer(json.dumps(ONE_SHOT), headers={"X-Request-Id": "r-9"})


@asynccontextmanager
async def serving(*answers: Answer, http_plan: HttpPlan = (), key: str = KEY) -> AsyncGenerator[ScriptedServer]:
    async with ScriptedServer(http=Vendor(list(answers)), http_plan=http_plan, body_limit=1 << 22) as server:
        yield server
        assert not server.places_of(key, allowed_headers=["Authorization"])


def client(server: ScriptedServer, model: str = "kotoba/one-shot", **options: object) -> KotobaSTT:
    given = {"api_key": KEY, "base_url": f"{server.url}/v1", "retry_interval": 0.0, **options}
    return cast("KotobaSTT", create_stt(model, **cast("dict[str, str]", given)))


def wav(seconds: float = 0.1) -> bytes:
    audio_format = AudioFormat(RATE)
    size = audio_format.bytes_for(seconds)
    return wav_header(audio_format, size) + bytes(size)


def tone(seconds: float = 0.3) -> bytes:
    return (np.sin(np.arange(round(seconds * RATE)) / 8) * 12000).astype("<i2").tobytes()


def parts(exchange: Exchange) -> list[tuple[str, dict[str, str], bytes]]:
    """The multipart body, taken apart by hand: name, headers, content."""
    boundary = exchange.head.headers["Content-Type"].partition("boundary=")[2].strip('"').encode()
    found: list[tuple[str, dict[str, str], bytes]] = []
    for part in bytes(exchange.body).split(b"--" + boundary)[1:-1]:
        head, _, content = part[2:-2].partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        found.append((headers["Content-Disposition"].split('name="', 1)[1].split('"', 1)[0], headers, content))
    return found


def fields(exchange: Exchange) -> list[tuple[str, str]]:
    return [(name, content.decode()) for name, _, content in parts(exchange) if name != "file"]


def file(exchange: Exchange) -> tuple[str, str, bytes]:
    """Its name, its content type and itself."""
    ((_, headers, content),) = [part for part in parts(exchange) if part[0] == "file"]
    return headers["Content-Disposition"].partition('filename="')[2].strip('"'), headers["Content-Type"], content


# -- one-shot: section 5 -------------------------------------------------------------------------------------------


async def test_a_file_is_answered_at_once(tmp_path: Path) -> None:
    """The form in the SDK's order, the key in a header, nothing of the audio touched."""
    path = tmp_path / "call.wav"
    path.write_bytes(wav())
    async with serving() as server, client(server, keyterms=["GPU", "Kyoto"]) as stt:
        transcript = await stt.recognize(path, language="en-GB", word_timestamps=True, kana=True, diarization=True)
    (exchange,) = server.requests
    assert (exchange.head.method, exchange.head.target) == ("POST", "/v1/speech-to-text")
    assert exchange.head.headers["Authorization"] == f"Bearer {KEY}"
    assert fields(exchange) == [
        ("file_format", "other"),
        ("with_timestamps", "true"),
        ("language", "en"),
        ("diarization", "true"),
        ("keywords", "GPU"),
        ("keywords", "Kyoto"),
        ("kana", "true"),
    ]
    assert file(exchange) == ("call.wav", "audio/wav", wav())
    assert (transcript.text, transcript.language, transcript.duration) == ("Good morning.", "en", 1.4)
    assert [(each.text, each.start_time) for each in transcript.words or ()] == [("Good", 0.08)]
    assert (transcript.request_id, transcript.raw) == ("r-9", ONE_SHOT)


async def test_what_was_not_asked_for_is_not_sent() -> None:
    """The deployment's language among it; `extra` is, as it is."""
    async with serving() as server, client(server, extra={"beam": 3, "tags": ["a", "b"], "fast": True}) as stt:
        await stt.recognize(io.BytesIO(wav()))
    assert fields(server.requests[0]) == [
        ("file_format", "other"),
        ("with_timestamps", "false"),
        ("beam", "3"),
        ("tags", "a"),
        ("tags", "b"),
        ("fast", "true"),
    ]


async def test_a_field_that_no_form_can_hold_is_refused() -> None:
    """Before anything is sent."""
    async with serving() as server, client(server, extra={"a": {"b": 1}}) as stt:
        with pytest.raises(ConfigError, match="`a` goes into a form"):
            await stt.recognize(wav())
        assert not server.requests


async def test_bare_samples_of_the_one_kind_that_is_taken_go_bare() -> None:
    """`pcm_s16le_16`; all others get a WAV header."""
    async with serving() as server, client(server) as stt:
        await stt.recognize(tone(), encoding="pcm_s16le", sample_rate=RATE)
        await stt.recognize(tone(), encoding="pcm_s16le", sample_rate=8000)
        await stt.recognize(tone(), encoding="pcm_s16le", sample_rate=RATE, channels=2)
        await stt.recognize(np.zeros(1600, np.float32), sample_rate=RATE)
    first, *others = server.requests
    assert fields(first)[0] == ("file_format", "pcm_s16le_16")
    assert file(first) == ("audio.pcm", "application/octet-stream", tone())
    for exchange in others:
        assert fields(exchange)[0] == ("file_format", "other")
        assert file(exchange)[:2] == ("audio.wav", "audio/wav")
        assert file(exchange)[2].startswith(b"RIFF")


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [("WAV", "audio/wav"), ("FLAC", "audio/flac"), ("OGG", "audio/ogg"), ("MP3", "audio/mpeg")],
)
@pytest.mark.parametrize("model", ["kotoba/one-shot", "kotoba/jobs"])
async def test_containers_that_kotoba_takes_go_as_they_are(model: str, kind: str, content_type: str) -> None:
    """Not decoded, and named by their content where the name does not say it."""
    audio = io.BytesIO()
    soundfile.write(audio, np.zeros(RATE), RATE, format=kind)
    async with serving() as server, client(server, model) as stt:
        await stt.recognize(audio.getvalue())
    assert file(server.requests[0])[1:] == (content_type, audio.getvalue())


@pytest.mark.parametrize("head", [b"\x00\x00\x00\x18ftypM4A ", b"\x1a\x45\xdf\xa3webm", b"\xff\xf1\x50\x80"])
async def test_containers_that_we_do_not_decode_go_too(head: bytes) -> None:
    """M4A, WebM and AAC need nothing installed here."""
    async with serving() as server, client(server) as stt:
        await stt.recognize(("memo.bin", head + bytes(500)))
    assert file(server.requests[0])[2] == head + bytes(500)


@pytest.mark.parametrize("kind", ["AIFF", "AU", "CAF", "W64"])
@pytest.mark.parametrize("model", ["kotoba/one-shot", "kotoba/jobs"])
async def test_what_kotoba_does_not_take_becomes_a_wav_file(model: str, kind: str) -> None:
    """Anything that soundfile decodes is taken here, at its own rate and with its own channels."""
    audio = io.BytesIO()
    samples = np.stack([np.frombuffer(tone(), "<i2"), np.zeros(len(tone()) // 2, np.int16)], axis=1)
    soundfile.write(audio, samples, RATE, format=kind, subtype="PCM_16")
    async with serving() as server, client(server, model) as stt:
        await stt.recognize(("käse.ext", audio.getvalue()))
    name, content_type, content = file(server.requests[0])
    assert (name, content_type) == ("audio.wav", "audio/wav")
    with WavReader(io.BytesIO(content)) as reader:
        assert (reader.sample_rate, reader.channels, reader.duration) == (RATE, 2, 0.3)
        assert np.array_equal((reader.read(RATE) * 32768).astype("<i2"), samples)


async def test_what_nobody_can_decode_is_said_before_the_upload() -> None:
    """Text is no audio."""
    async with serving() as server, client(server) as stt:
        with pytest.raises(AudioError, match="cannot be decoded"):
            await stt.recognize(b"this is no audio at all")
        with pytest.raises(FileNotFoundError):
            await stt.recognize("nowhere.wav")
        assert not server.requests


SMALL, LARGE = 5 << 20, 50 << 20


@pytest.mark.parametrize(("model", "kind"), [("kotoba/jobs", "wav"), ("kotoba/one-shot", "wav"), ("kotoba/jobs", "au")])
async def test_a_large_file_takes_no_more_memory_than_a_small_one(model: str, kind: str, tmp_path: Path) -> None:
    """Uploaded as it is or converted on the way. The files are sparse: nothing of them is on the disk."""
    peaks: list[int] = []
    path = tmp_path / f"call.{kind}"
    async with ScriptedServer(http=Vendor(), body_limit=0) as server, client(server, model) as stt:
        for size in (SMALL, SMALL, LARGE):  # the first one also pays for imports
            head = wav_header(AudioFormat(RATE), size)
            if kind == "au":  # big-endian: offset, size, 16 bit linear, rate, channels
                head = b".snd" + np.array([24, size, 3, RATE, 1], ">u4").tobytes()
            with path.open("wb") as sparse:
                sparse.write(head)
                sparse.truncate(len(head) + size)
            tracemalloc.start()
            await stt.recognize(path)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            upload = [exchange for exchange in server.requests if exchange.head.method == "POST"][-1]
            assert size < upload.body_bytes < size + 2000
    assert peaks[2] - peaks[1] < 1 << 20, f"peaks of {peaks} bytes"


async def test_a_request_is_repeated_where_it_can_be_read_again() -> None:
    """Nothing of a failed one is kept; after `Retry-After`, or what a gateway says."""
    plan: HttpPlan = {0: [BAD_GATEWAY], 1: [Status(429, retry_after=0)], 2: [CutUpload(100)], 3: [CutResponse(10)]}
    async with serving(http_plan=plan) as server, client(server) as stt:
        assert (await stt.recognize(wav())).text == "Good morning."
        assert len(server.requests) == 5
        assert file(server.requests[-1])[2] == wav()
        server.http_plan = {5: [BAD_GATEWAY]}
        with pytest.raises(ServerError, match="HTTP 502"):
            await stt.recognize(iter([tone()]), encoding="pcm_s16le", sample_rate=RATE)
        assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("status", "error"), [(400, BadRequestError), (401, AuthenticationError), (413, BadRequestError)]
)
async def test_a_refusal_is_kotobas_own_words_without_the_key(status: int, error: type[STTError]) -> None:
    """6: told once; promise S12: not a key that the server quotes."""
    refusal = Status(status, json.dumps({"error": {"code": "x", "message": f"because of {KEY}", "param": "file"}}))
    async with ScriptedServer(http=Vendor(), http_plan=[refusal]) as server, client(server) as stt:
        with pytest.raises(error, match="because of") as caught:
            await stt.recognize(wav())
        assert len(server.requests) == 1
    assert KEY not in str(caught.value) + repr(vars(caught.value))


async def test_an_answer_of_another_api_is_none() -> None:
    """A 200 is not enough."""
    for body in ("[]", "oops", '{"text":"a"}'):
        async with serving(Answer(body)) as server, client(server, max_retries=0) as stt:
            with pytest.raises(ProtocolError):
                await stt.recognize(wav())


# -- jobs: section 4 -----------------------------------------------------------------------------------------------


async def test_a_job_from_its_upload_to_its_text() -> None:
    """4.1, 4.2: 202 means not yet; the polling knobs are recognize's; the form is the SDK's."""
    seen: list[str] = []
    async with serving(STILL, STILL) as server, client(server, "kotoba/jobs") as stt:
        transcript = await stt.recognize(
            ("meeting.wav", wav()),
            with_timestamps=True,
            kana=True,
            poll_interval=0,
            on_progress=lambda progress: seen.append(progress.status.vendor_state),
        )
    upload, *polls = server.requests
    assert upload.head.target == "/v1/transcription_jobs"
    assert fields(upload) == [("language", "ja"), ("with_timestamps", "true"), ("human_name", "kana")]
    assert file(upload) == ("meeting.wav", "audio/wav", wav())
    assert {(poll.head.method, poll.head.target) for poll in polls} == {("GET", "/v1/transcription_jobs/j-1")}
    assert {each.head.headers["Authorization"] for each in server.requests} == {f"Bearer {KEY}"}
    assert seen == ["processing", "processing", "done"]
    assert (transcript.text, transcript.job_id) == ("本日は晴れです。", "j-1")
    assert [(each.start_time, each.end_time) for each in transcript.segments or ()] == [(0.16, 1.92)]


async def test_a_job_is_found_again_by_its_id() -> None:
    """Another object, another process: nothing but the id is needed."""
    async with (
        serving(STILL, STILL) as server,
        client(server, "kotoba/jobs") as stt,
        client(server, "kotoba/jobs") as other,
    ):
        job = other.job((await stt.submit(wav(), language="en")).id)
        assert fields(server.requests[0])[0] == ("language", "en")
        assert (await job.status()).state == "processing"
        with pytest.raises(ResultNotReadyError):
            server.http_plan = ()
            await client_without_retries(other, job.id)
        assert (await job.status()).state == "done"
        info = await job.info()
        assert (info.id, info.state, info.errors, info.created_at) == ("j-1", "done", (), None)
        assert await job.result("json") == DONE
        with pytest.raises(ConfigError, match="no result format 'srt'"):
            await job.result("srt")


async def client_without_retries(stt: KotobaSTT, job_id: str) -> None:
    await stt.job(job_id).result()


async def test_a_job_that_fails_says_why() -> None:
    """With the server's own text, in `wait`, `result` and `info`."""
    failed = Answer('{"state":"error","error_message":"no speech found"}')
    async with serving(failed, failed, failed) as server, client(server, "kotoba/jobs") as stt:
        with pytest.raises(JobFailedError, match="no speech found") as caught:
            await stt.recognize(wav(), timeout=9)
        assert (caught.value.reasons, caught.value.job_id) == (("no speech found",), "j-1")
        job = stt.job("j-1")
        assert (await job.info()).errors == ("no speech found",)
        with pytest.raises(JobFailedError, match="no speech found"):
            await job.result()


@pytest.mark.parametrize(
    "answer",
    [
        Answer('{"detail":"Job not found"}', 404),
        Answer('{"detail":[{"loc":["path","job_id"],"msg":"not a UUID","type":"x"}]}', 422),
    ],
)
async def test_an_unknown_id_is_no_job(answer: Answer) -> None:
    """4.2: 404, and 422 where it cannot be one; nobody asks again."""
    for call in ("status", "info", "result", "wait"):
        async with serving(answer) as server, client(server, "kotoba/jobs") as stt:
            with pytest.raises(JobNotFoundError, match=r"Job not found|not a UUID") as caught:
                await getattr(stt.job("j-9"), call)()
            assert caught.value.job_id == "j-9"
            assert len(server.requests) == 1


async def test_a_job_that_is_not_done_in_time_goes_on() -> None:
    """The deadline is a TimeoutError too, and says the id."""
    async with serving(*[STILL] * 500) as server, client(server, "kotoba/jobs") as stt:
        with pytest.raises(JobTimeoutError) as caught:
            await stt.recognize(wav(), timeout=0.3, poll_interval=0.01, backoff=1)
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.job_id == "j-1"


POLL_FAULTS: dict[str, HttpPlan] = {
    "502": {1: [BAD_GATEWAY]},
    "429": {1: [Status(429, retry_after=0)]},
    "503": {1: [Status(503)], 2: [Status(503)]},
    "reset": {1: [Refuse()]},
    "cut short": {1: [CutResponse(20)]},
    "not json": {1: [Status(200, "oops")]},
}


@pytest.mark.parametrize("fault", POLL_FAULTS)
async def test_a_poll_that_fails_does_not_end_the_wait(fault: str) -> None:
    """Within the budget; the job is submitted once."""
    async with serving(STILL, http_plan=POLL_FAULTS[fault]) as server, client(server, "kotoba/jobs") as stt:
        assert (await stt.recognize(wav(), poll_interval=0)).text == "本日は晴れです。"
        assert len([each for each in server.requests if each.head.method == "POST"]) == 1


SUBMIT_FAULTS: dict[str, tuple[HttpPlan, type[STTError]]] = {
    "422": ({0: [Status(422, '{"detail":[{"loc":["body","file"],"msg":"required","type":"x"}]}')]}, BadRequestError),
    "429": ({0: [Status(429, retry_after=3)]}, RateLimitError),
    "502": ({0: [BAD_GATEWAY]}, ServerError),
    "upload cut short": ({0: [CutUpload(10)]}, ConnectionLostError),
    "answer cut short": ({0: [CutResponse(3)]}, ConnectionLostError),
    "no id": ({0: [Status(202, "{}")]}, ProtocolError),
}


@pytest.mark.parametrize("fault", SUBMIT_FAULTS)
async def test_a_job_is_never_submitted_twice(fault: str) -> None:
    """Whatever happens to the upload: Kotoba has no way to tell a repetition, and both would be paid."""
    plan, error = SUBMIT_FAULTS[fault]
    async with serving(http_plan=plan) as server, client(server, "kotoba/jobs") as stt:
        with pytest.raises(error) as caught:
            await stt.recognize(wav())
        assert len(server.requests) == 1
    if isinstance(caught.value, RateLimitError):
        assert caught.value.retry_after == 3


async def test_what_kotoba_cannot_do_with_jobs_is_said() -> None:
    """4.1: there is no list and nothing to delete."""
    async with serving() as server, client(server, "kotoba/jobs") as stt:
        with pytest.raises(UnsupportedError, match="does not list jobs"):
            _ = [job async for job in stt.list_jobs()]
        with pytest.raises(UnsupportedError, match="cannot delete"):
            await stt.job("j-1").delete()
        assert not server.requests


# -- which, where and who ------------------------------------------------------------------------------------------


async def test_kotoba_alone_takes_what_fits_the_call() -> None:
    """One-shot for files, jobs to submit; options of another API are refused in a call, and borne by the object."""
    async with serving() as server, client(server, "kotoba", turn_detection=False, keywords=["GPU"]) as stt:
        assert (await stt.recognize(wav())).text == "Good morning."
        assert (await (await stt.submit(wav())).wait()).text == "本日は晴れです。"
        with pytest.raises(ConfigError, match="`timestamps` has no effect on this call, which goes to kotoba/one-shot"):
            await stt.recognize(wav(), timestamps=False)
        with pytest.raises(ConfigError, match="`diarization` has no effect on this call, which goes to kotoba/jobs"):
            await stt.submit(wav(), diarization=True)
        with pytest.raises(ConfigError, match="poll_interval"):
            await stt.recognize(wav(), poll_interval=1)
    assert [each.head.path.rpartition("/")[2] for each in server.requests] == [
        "speech-to-text",
        "transcription_jobs",
        "j-1",
    ]
    assert ("keywords", "GPU") in fields(server.requests[0])


async def test_two_objects_in_one_process_have_their_own_addresses() -> None:
    """2: Kotoba's SDK has one registry for all of them."""
    async with serving() as one, serving() as two, client(one) as a, client(two) as b:
        await asyncio.gather(a.recognize(wav()), b.recognize(wav()), a.recognize(wav()))
        assert (len(one.requests), len(two.requests)) == (2, 1)


async def test_a_container_without_keys_gets_no_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """3: the header is left out; a token may stand in the key's place, and is asked for anew."""
    monkeypatch.delenv("KOTOBA_API_KEY", raising=False)
    tokens = iter(["t-1", "t-2"])
    async with serving() as server:
        async with KotobaSTT("one-shot", base_url=server.url) as stt:
            await stt.recognize(wav())
        async with KotobaSTT("one-shot", base_url=server.url, auth=lambda: next(tokens)) as stt:
            await stt.recognize(wav())
            await stt.recognize(wav())
    assert [each.head.headers.get("Authorization") for each in server.requests] == [None, "Bearer t-1", "Bearer t-2"]


async def test_a_raw_request_is_signed() -> None:
    """For what this library does not know."""
    async with serving(Answer('{"ok":true}')) as server, client(server) as stt:
        assert (await stt.request("GET", "/models")).json() == {"ok": True}
        head = server.requests[0].head
        assert (head.target, head.headers["Authorization"]) == ("/v1/models", f"Bearer {KEY}")


async def test_prewarming_costs_nothing_where_nothing_sleeps() -> None:
    """1: only fal.ai has something to wake."""
    async with serving() as server, client(server) as stt:
        await stt.prewarm()
        assert not server.requests


async def test_fal_is_woken_and_gets_its_key_in_its_own_way() -> None:
    """1, 3: the probe stands beside the app's `/v1`. It is reached through a proxy here, which sees whole addresses."""
    app = "http://fal.run/Kotoba-Technologies/kotoba-stt"
    async with (
        ScriptedServer(http=Vendor([Answer("{}")])) as proxy,
        client(proxy, base_url=None, rest_url=f"{app}/v1/", proxy=proxy.url) as stt,
    ):
        await stt.prewarm()
        await stt.recognize(wav())
        heads = [exchange.head for exchange in proxy.requests]
    assert [head.target for head in heads] == [f"{app}/model_and_cuda_availability", f"{app}/v1/speech-to-text"]
    assert {head.headers["Authorization"] for head in heads} == {f"Key {KEY}"}


@pytest.mark.parametrize("model", ["kotoba/one-shot", "kotoba/jobs", "kotoba"])
async def test_what_takes_whole_files_streams_in_pieces(model: str) -> None:
    """Each stretch of speech is a request, or a job, of its own; nothing is asked of a WebSocket."""
    speech = SPEECH.read_bytes()[44:]
    async with (
        serving() as server,
        client(server, model, base_url=None, rest_url=f"{server.url}/v1") as stt,
        stt.stream(sample_rate=RATE, language="en") as stream,
    ):
        await stream.send_frame(bytes(RATE) + speech + bytes(3 * RATE))
        stream.end_input()
        text = (await stream.transcript()).text
        assert text == ("本日は晴れです。" if model == "kotoba/jobs" else "Good morning.")
        assert not server.connections
        upload = server.requests[0]
        assert upload.head.path.endswith("jobs") == (model == "kotoba/jobs")
        assert 0.5 * len(speech) < len(file(upload)[2]) <= len(speech) + 2 * RATE
