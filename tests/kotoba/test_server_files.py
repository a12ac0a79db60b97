"""The REST surfaces of Kotoba's server half: jobs, one-shot requests, and refusals in the vendor's shapes."""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import tracemalloc
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import aiohttp
import numpy as np
import pytest

from stt_core.audio.frames import AudioFormat
from stt_core.audio.wav import wav_header
from stt_core.errors import APIError, RateLimitError, STTError, STTTimeoutError
from stt_core.events import Word
from stt_core.server import Host
from stt_core.testing.scripted import FULL, Fault, ScriptedSTT, utterance
from stt_core.transcript import Segment, Transcript
from stt_kotoba.replies import job_segments, language_code, one_shot_words

if TYPE_CHECKING:
    from stt_core.stt import STT

soundfile = importlib.import_module("soundfile")  # it ships no types

RATE = 8000
SECOND = bytes(2 * RATE)
WAV = wav_header(AudioFormat(RATE), 3 * len(SECOND)) + 3 * SECOND
SPEECH = Path(__file__).parents[1] / "data" / "speech"
GARDEN = (SPEECH / "garden.wav").read_bytes()
WORDS = (SPEECH / "garden.txt").read_text().strip()

TWO = [*utterance("book a table", start=0.1, end=1.0), *utterance("for two", start=1.6, end=2.0)]

JOBS = "/transcription_jobs"
ONE_SHOT = "/speech-to-text"

Json = dict[str, object]


class Answer:
    def __init__(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        self.status = response.status
        self.headers = response.headers
        self.json = cast("Json", json.loads(body))

    @property
    def error(self) -> Json:
        """The envelope's."""
        assert self.json.keys() == {"error"}
        error = cast("Json", self.json["error"])
        assert error.keys() == {"type", "code", "message", "param"}
        return error

    @property
    def problem(self) -> Json:
        """The one of a 422."""
        assert self.status == 422
        (problem,) = cast("list[Json]", self.json["detail"])
        assert problem.keys() == {"loc", "msg", "type"}
        return problem


class Server:
    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.http = http

    async def post(self, path: str, file: bytes | None = WAV, fields: Mapping[str, str] | None = None) -> Answer:
        form = aiohttp.FormData()
        form.add_field("kind", "multipart", content_type="text/plain")  # a content type makes it one
        for name, value in (fields or {}).items():
            form.add_field(name, value)
        if file is not None:
            form.add_field("file", file, filename="call.wav", content_type="audio/wav")
        async with self.http.post(self.url + path, data=form) as response:
            return Answer(response, await response.read())

    async def get(self, path: str) -> Answer:
        async with self.http.get(self.url + path) as response:
            return Answer(response, await response.read())

    async def submit(self, **fields: str) -> str:
        answer = await self.post(JOBS, fields=fields)
        assert (answer.status, answer.json.keys()) == (202, {"job_id"})
        return cast("str", answer.json["job_id"])

    async def finish(self, job_id: str) -> Json:
        """Asks until there is an answer."""
        while (answer := await self.get(f"{JOBS}/{job_id}")).status == 202:
            assert answer.json == {"detail": "still processing"}
            await asyncio.sleep(0.02)  # as clients do
        assert answer.status == 200
        return answer.json


@asynccontextmanager
async def serving(
    stt: STT | str | None = None, *, authorization: str | None = "Bearer k", **options: object
) -> AsyncGenerator[Server]:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with (
        Host(stt or ScriptedSTT(TWO), **options) as host,  # pyright: ignore[reportArgumentType]  (some of its own)
        aiohttp.ClientSession(headers=headers) as http,
    ):
        yield Server(host.urls["kotoba"], http)


class Waiting(ScriptedSTT):
    """Recognises a file when it is told to."""

    def __init__(self) -> None:
        super().__init__(TWO)
        self.go = asyncio.Event()

    async def recognize(self, *arguments: object, **options: object) -> Transcript:
        await self.go.wait()
        return Transcript("done")


# -- jobs ----------------------------------------------------------------------------------------------------------


async def test_a_job_is_submitted_polled_and_done() -> None:
    """202 and an id, 202 as long as it takes, then 200 with the text; it can be asked for again."""
    stt = Waiting()
    async with serving(stt) as server:
        job_id = await server.submit(language="en", with_timestamps="false")
        for _ in range(2):
            answer = await server.get(f"{JOBS}/{job_id}")
            assert (answer.status, answer.json) == (202, {"detail": "still processing"})
        stt.go.set()
        for _ in range(2):
            assert await server.finish(job_id) == {"state": "done", "transcription": "done", "segments": None}


async def test_a_jobs_segments_come_when_times_were_asked_for() -> None:
    """The backend's, with times in seconds; none where it has no times."""
    untimed = ScriptedSTT(TWO, carries=replace(FULL, words=False, times="none"))
    async with serving() as server:
        done = await server.finish(await server.submit(language="en", with_timestamps="true"))
    async with serving(untimed) as server:
        bare = await server.finish(await server.submit(with_timestamps="true"))
    assert done == {
        "state": "done",
        "transcription": "book a table for two",
        "segments": [{"text": "book a table", "start": 0.1, "end": 1.0}, {"text": "for two", "start": 1.6, "end": 2.0}],
    }
    assert (bare["transcription"], bare["segments"]) == ("book a table for two", [])


async def test_a_job_that_fails_says_why() -> None:
    """200 and the state `error`, in the words of the provider behind."""
    async with serving() as server:
        failed = await server.finish(cast("str", (await server.post(JOBS, b"this is no audio")).json["job_id"]))
    assert (failed["state"], failed.keys()) == ("error", {"state", "error_message"})
    assert "audio" in cast("str", failed["error_message"])


async def test_an_unknown_job_is_not_found() -> None:
    """With the vendor's words; ids of any form, and those of jobs that have expired."""
    async with serving(keep_jobs=0) as server:
        job_id = await server.submit()
        while (answer := await server.get(f"{JOBS}/{job_id}")).status != 404:
            assert answer.status in (200, 202)
        assert answer.json == {"detail": "Job not found"}
        assert (await server.get(f"{JOBS}/nonsense")).json == {"detail": "Job not found"}


async def test_more_jobs_than_there_is_room_for_are_refused() -> None:
    """429 and when to come again; a job that is over makes room."""
    stt = Waiting()
    async with serving(stt, max_jobs=1) as server:
        job_id = await server.submit()
        full = await server.post(JOBS)
        assert (full.status, full.error["type"], full.error["code"]) == (429, "limitation", "rate_limit_error")
        assert full.headers["Retry-After"] == "1"
        stt.go.set()
        await server.finish(job_id)
        assert await server.submit() != job_id


async def test_a_job_outlives_its_upload() -> None:
    """Real speech, of which the server has a copy of its own."""
    async with serving("pocketsphinx/en-us") as server:
        answer = await server.post(JOBS, GARDEN, {"language": "en", "with_timestamps": "true"})
        done = await server.finish(cast("str", answer.json["job_id"]))
    assert done["transcription"] == WORDS
    segments = cast("list[dict[str, float]]", done["segments"])
    assert segments
    assert all(0 <= segment["start"] < segment["end"] <= 3.5 for segment in segments)


# -- one-shot ------------------------------------------------------------------------------------------------------


async def test_a_file_is_transcribed_at_once() -> None:
    """All fields that the vendor's SDK requires are there; words are not, unless something is asked of them."""
    async with serving("pocketsphinx/en-us") as server:
        answer = await server.post(ONE_SHOT, GARDEN, {"file_format": "other", "with_timestamps": "false"})
    assert answer.status == 200
    duration = answer.json.pop("audio_duration_secs")
    assert duration == pytest.approx(3.465, abs=0.01)
    assert answer.json == {"language_code": "en", "language_probability": 1.0, "text": WORDS, "words": []}


async def test_words_and_what_is_between_them_are_the_text() -> None:
    """With their times, and with the confidence as its logarithm."""
    async with serving() as server:
        answer = await server.post(ONE_SHOT, fields={"language": "en", "with_timestamps": "true"})
    words = cast("list[Json]", answer.json["words"])
    assert words[:2] == [
        {"text": "book", "type": "word", "start": 0.1, "end": 0.4, "speaker_id": None, "logprob": -0.105361},
        {"text": " ", "type": "spacing", "start": 0.4, "end": 0.4, "speaker_id": None},
    ]
    assert "".join(cast("str", word["text"]) for word in words) == answer.json["text"] == "book a table for two"


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
async def test_containers_are_uploaded_as_they_are(container: str) -> None:
    """Whatever the server can decode; its name tells nothing."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros(3 * RATE, np.int16), RATE, format=container)
    async with serving() as server:
        answer = await server.post(ONE_SHOT, file.getvalue())
    assert answer.json["text"] == "book a table for two"
    assert answer.json["audio_duration_secs"] == pytest.approx(3.0, abs=0.2)


async def test_a_probability_is_not_made_up() -> None:
    """1 for a language that was asked for, or is the only one; 0, which tells nothing, for one that was heard."""
    async with serving() as server:
        asked = (await server.post(ONE_SHOT, fields={"language": "en"})).json
        heard = (await server.post(ONE_SHOT)).json
    assert (asked["language_code"], asked["language_probability"]) == ("en", 1.0)
    assert (heard["language_code"], heard["language_probability"]) == ("en", 0.0)


async def test_bare_samples_are_at_16_khz() -> None:
    """`pcm_s16le_16`; twice as long as they would be as a file of 8 kHz."""
    async with serving() as server:
        answer = await server.post(ONE_SHOT, bytes(16000 * 2 * 3), {"file_format": "pcm_s16le_16"})
    assert (answer.json["text"], answer.json["audio_duration_secs"]) == ("book a table for two", 3.0)


async def test_speakers_are_told_apart_only_by_those_that_can() -> None:
    """Of a deployment that cannot, to ask for it is an error; `false` is none."""
    async with serving() as server:
        refused = await server.post(ONE_SHOT, fields={"diarization": "true"})
        assert (refused.status, refused.error["code"]) == (400, "invalid_parameters")
        assert refused.error["param"] == "diarization"
        assert (await server.post(ONE_SHOT, fields={"diarization": "false"})).status == 200


# -- forms ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [JOBS, ONE_SHOT])
@pytest.mark.parametrize(
    ("file", "fields", "field", "kind"),
    [
        (None, {}, "file", "missing"),
        (WAV, {"with_timestamps": "maybe"}, "with_timestamps", "bool_parsing"),
    ],
)
async def test_a_field_of_the_wrong_type_is_a_422(
    path: str, file: bytes | None, fields: dict[str, str], field: str, kind: str
) -> None:
    """As FastAPI words it, with the place and the type of the problem."""
    async with serving() as server:
        answer = await server.post(path, file, fields)
    assert (answer.problem["loc"], answer.problem["type"]) == (["body", field], kind)


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [(ONE_SHOT, "file_format", "mp3"), (JOBS, "human_name", "romaji"), (ONE_SHOT, "kana", "x")],
)
async def test_a_value_that_is_not_among_those_known_is_a_422(path: str, field: str, value: str) -> None:
    """Each path has its own fields; those of the other one are nothing to complain about."""
    async with serving() as server:
        assert (await server.post(path, fields={field: value})).problem["loc"] == ["body", field]
        other = ONE_SHOT if path == JOBS else JOBS
        assert (await server.post(other, fields={field: value})).status in (200, 202)


@pytest.mark.parametrize("path", [JOBS, ONE_SHOT])
async def test_what_is_no_form_is_a_422(path: str) -> None:
    """The file is what it lacks. What begins as a form and is none is a 400."""
    async with serving() as server:
        for body, kind in ((b"{}", "application/json"), (WAV, "audio/wav")):
            async with server.http.post(server.url + path, data=body, headers={"Content-Type": kind}) as response:
                assert Answer(response, await response.read()).problem["loc"] == ["body", "file"]
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        async with server.http.post(server.url + path, data=b"no part", headers=headers) as response:
            assert response.status == 400


@pytest.mark.parametrize("path", [JOBS, ONE_SHOT])
async def test_a_language_is_one_that_the_backend_speaks(path: str) -> None:
    """Kotoba's four codes, of those what the provider behind knows; before anything is recognised."""
    async with serving("pocketsphinx/en-us") as server:
        for code in ("ja", "en-US", "xx"):
            refused = await server.post(path, fields={"language": code})
            assert (refused.status, refused.error["code"]) == (400, "unsupported_language")
            assert code in cast("str", refused.error["message"])


@pytest.mark.parametrize("path", [JOBS, ONE_SHOT])
async def test_uploads_are_bounded(path: str) -> None:
    """One that is too large is a 413, and an empty one is no audio."""
    async with serving(max_upload=1000) as server:
        assert (await server.post(path, bytes(2000))).status == 413
        assert (await server.post(path, b"")).error["param"] == "file"


@pytest.mark.parametrize("path", [JOBS, ONE_SHOT])
async def test_a_large_upload_takes_no_memory(path: str) -> None:
    """It goes to disk as it comes; client and server together hold a few of its pieces."""
    pieces, piece = 512, bytes(1 << 17)

    async def recording() -> AsyncGenerator[bytes]:
        for _ in range(pieces):
            yield piece

    stt = Waiting()
    stt.go.set()
    async with serving(stt) as server:
        form = aiohttp.FormData()
        form.add_field("file", recording(), filename="call.wav", content_type="audio/wav")
        tracemalloc.start()
        try:
            async with server.http.post(server.url + path, data=form) as response:
                assert response.status in (200, 202)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < pieces * len(piece) / 8


async def test_what_is_no_audio_is_the_clients_mistake() -> None:
    """A 400 that says so."""
    async with serving() as server:
        refused = await server.post(ONE_SHOT, b"this is no audio")
    assert (refused.status, refused.error["type"]) == (400, "invalid_request_error")


# -- who, and failures ---------------------------------------------------------------------------------------------


async def test_keys_are_asked_for_on_every_path() -> None:
    """Bearer and Key; without a good one a 401 with a detail."""
    wrong = ("Bearer k", "Basic sk", None)
    for authorization, status in (("Bearer sk", 404), ("Key sk", 404), *((each, 401) for each in wrong)):
        async with serving(authorization=authorization, api_keys=["sk"]) as server:
            answer = await server.get(f"{JOBS}/1")
            assert answer.status == status
            if status == 401:
                assert answer.json == {"detail": "Unauthorized"}
                assert (await server.post(JOBS)).status == (await server.post(ONE_SHOT)).status == 401


async def test_what_is_not_there_is_a_404() -> None:
    """Also under the paths that are there, with methods that are not."""
    async with serving() as server:
        for path in ("/nothing", JOBS, "/realtime/"):
            answer = await server.get(path)
            assert (answer.status, answer.error["code"]) == (404, "invalid_url")


@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        (RateLimitError("busy", status=429, retry_after=7), 429, "rate_limit_error", "7"),
        (APIError.for_status(503)("down", status=503), 503, "worker_unavailable", None),
        (STTTimeoutError("too slow"), 504, "timeout_error", None),
        (APIError.for_status(401)("our key", status=401), 502, "internal_error", None),
    ],
)
async def test_a_backend_that_fails_is_an_error_of_the_servers(
    error: STTError, status: int, code: str, retry_after: str | None
) -> None:
    """With the code that Kotoba has for it; its key is not blamed for ours."""
    stt = ScriptedSTT(TWO, faults=[Fault(0, "refuse", error)], max_retries=0)
    async with serving(stt) as server:
        answer = await server.post(ONE_SHOT)
    assert (answer.status, answer.error["code"]) == (status, code)
    assert answer.headers.get("Retry-After") == retry_after


# -- documents -----------------------------------------------------------------------------------------------------


def words_of(*timed: tuple[str, float, float]) -> list[Word]:
    return [Word(text, start, end) for text, start, end in timed]


def test_words_without_spaces_get_none() -> None:
    """Japanese: together they are the text; punctuation goes with the word that it touches."""
    words = words_of(("本日", 0.1, 0.5), ("は", 0.5, 0.6), ("晴れ", 0.7, 1.0), ("明日", 1.5, 1.9))
    found = one_shot_words(Transcript("本日は晴れ。明日", words=words), timestamps=True)
    assert [(word["text"], word["type"]) for word in found] == [
        ("本日", "word"),
        ("は", "word"),
        ("晴れ。", "word"),
        ("明日", "word"),
    ]


def test_speakers_are_numbered_as_they_appear() -> None:
    """Whatever the provider behind calls them; a space belongs to who spoke before. Times only when asked for."""
    words = words_of(("hi", 0.0, 0.2), ("hello", 0.5, 0.9), ("bob", 1.0, 1.2))
    for word, label in zip(words, ("S7", "S2", "S7"), strict=True):
        word.speaker_id = label
    found = one_shot_words(Transcript("hi hello bob", words=words), timestamps=False)
    assert [word["speaker_id"] for word in found] == [f"speaker_{number}" for number in (1, 1, 2, 2, 1)]
    assert all(word["start"] is word["end"] is None for word in found)


def test_words_that_are_not_in_the_text_are_said_all_the_same() -> None:
    """A text with figures, say: nothing is lost, and the words behind find their places again."""
    words = words_of(("at", 0.0, 0.1), ("seven", 0.2, 0.5), ("o'clock", 0.6, 1.0))
    found = one_shot_words(Transcript("at 7 o'clock", words=words), timestamps=True)
    assert [word["text"] for word in found if word["type"] == "word"] == ["at", "seven", "o'clock"]


def test_words_without_a_time_say_none() -> None:
    """Half a span is none."""
    (found,) = one_shot_words(Transcript("hi", words=[Word("hi", 0.5)]), timestamps=True)
    assert (found["start"], found["end"]) == (None, None)
    assert one_shot_words(Transcript("hi"), timestamps=True) == []


def test_segments_of_words_are_sentences() -> None:
    """A provider with words alone: their text stands as it is, cut behind sentences and at long pauses."""
    words = words_of(("Yes", 0.1, 0.4), ("It", 0.5, 0.6), ("is", 0.6, 0.8), ("well", 2.0, 2.3), ("then", 2.3, 2.6))
    assert job_segments(Transcript("Yes. It is, well then", words=words)) == [
        {"text": "Yes.", "start": 0.1, "end": 0.4},
        {"text": "It is,", "start": 0.5, "end": 0.8},
        {"text": "well then", "start": 2.0, "end": 2.6},
    ]


def test_segments_have_the_times_of_their_words_or_are_left_out() -> None:
    """The wire has no segment without times."""
    segments = [Segment("hi", words=[Word("hi", 0.5, 0.7)]), Segment("there")]
    assert job_segments(Transcript("hi there", segments=segments)) == [{"text": "hi", "start": 0.5, "end": 0.7}]


def test_a_language_has_a_code_of_kotobas() -> None:
    """The wire has to have one: undetermined, where nobody knows."""
    assert [language_code(tag) for tag in ("en", "en-US", "cmn", "zh-TW", "de", None)] == [
        "en",
        "en",
        "zh",
        "zh",
        "de",
        "und",
    ]
