"""The surface without ``async``: complete, usable from anywhere, and gone without a trace."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING

import pytest

import stt_core
from stt_core.errors import AudioError, ConfigError, StreamClosedError, STTTimeoutError, UnsupportedError
from stt_core.events import SpeechEventType
from stt_core.jobs import Job, JobBackend, JobInfo, JobProgress, JobStatus
from stt_core.stream import RecognizeStream
from stt_core.stt import STT
from stt_core.sync import SyncJob, SyncStream, SyncSTT
from stt_core.testing.scripted import ScriptedSTT, utterance
from stt_core.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stt_core.audio.decode import AudioInput
    from stt_core.registry import Resolved

RATE = 16000
SECOND = bytes(2 * RATE)
SCRIPT = [*utterance("turn the light on", start=0.2, end=1.0), *utterance("thank you", start=2.0, end=2.5)]
WORDS = "turn the light on thank you"

FOR_PROVIDERS = {
    "close_provider",
    "create_jobs",
    "create_runner",
    "error_from",
    "http",
    "provider_name",
    "recognize_audio",
    "sign",
    "sync",
    "uses_jobs",
}


class Backend(JobBackend):
    """Takes a job, and is asked three times until it is done."""

    formats = ("txt",)

    def __init__(self) -> None:
        self.asked = 0

    async def submit(self, audio: AudioInput, settings: Resolved) -> str:
        return "job-1"

    async def status(self, job_id: str, settings: Resolved) -> JobStatus:
        self.asked += 1
        return JobStatus("done", "done") if self.asked % 3 == 0 else JobStatus("processing", "running")

    async def info(self, job_id: str, settings: Resolved) -> JobInfo:
        return JobInfo(job_id, "done", "done")

    async def result(self, job_id: str, settings: Resolved) -> Transcript:
        return Transcript(job_id)

    async def rendering(self, job_id: str, format: str, settings: Resolved) -> bytes:  # noqa: A002
        return format.encode()

    async def delete(self, job_id: str, settings: Resolved, *, force: bool) -> None:
        return None

    async def list(
        self, settings: Resolved, *, limit: int | None, created_before: object, include_deleted: bool
    ) -> AsyncIterator[JobInfo]:
        for number in range(3):
            yield JobInfo(f"job-{number}", "done", "done")


class JobSTT(ScriptedSTT):
    """Recognises files by jobs, and has a coroutine of its own."""

    def create_jobs(self) -> JobBackend:
        return Backend()

    def uses_jobs(self, settings: Resolved) -> bool:
        return True

    async def access_token(self, *, seconds: int) -> str:
        await asyncio.sleep(0)
        return f"token for {seconds}"


def scripted() -> SyncSTT[ScriptedSTT]:
    return ScriptedSTT(SCRIPT).sync()


def three_seconds() -> Iterator[bytes]:
    for _ in range(30):
        yield bytes(RATE // 5)


def run_script(program: str, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


# -- the surface ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("original", "twin"), [(STT, SyncSTT), (RecognizeStream, SyncStream), (Job, SyncJob)])
def test_every_public_member_has_a_twin_with_the_same_parameters(original: type, twin: type) -> None:
    """Names, kinds and defaults; ``aclose`` is ``close``."""
    names = {name for name in dir(original) if not name.startswith("_")} - FOR_PROVIDERS
    assert {"recognize", "text", "wait"} & names
    for name in names:
        theirs: object = getattr(original, name)
        ours: object = getattr(twin, {"aclose": "close"}.get(name, name))
        attribute = isinstance(theirs, property) or theirs is None
        assert attribute == isinstance(ours, property), name
        if callable(theirs) and callable(ours):
            assert not inspect.iscoroutinefunction(ours)
            for mine, other in zip(
                inspect.signature(ours).parameters.values(), inspect.signature(theirs).parameters.values(), strict=True
            ):
                assert (mine.name, mine.kind, mine.default) == (other.name, other.kind, other.default), name


def test_what_is_public_for_users_and_what_for_providers_is_known() -> None:
    """A new hook for providers has to be named as one here, or it needs a twin."""
    documented = {
        name for name, member in inspect.getmembers(STT) if (inspect.getdoc(member) or "").startswith("For providers")
    }
    assert documented == FOR_PROVIDERS - {"provider_name", "sync"}


# -- streams -------------------------------------------------------------------------------------------------------


def test_a_stream_is_fed_from_a_plain_iterator_and_read_with_a_plain_for() -> None:
    """Feeding goes on beside reading."""
    with scripted() as stt, stt.stream(sample_rate=RATE, source=three_seconds()) as stream:
        finals = [event.text for event in stream if event.type is SpeechEventType.FINAL_TRANSCRIPT]
        assert stream.transcript().text == " ".join(finals) == WORDS
        assert stream.finished
        assert stream.usage.audio_duration == pytest.approx(3.0)  # pyright: ignore[reportUnknownMemberType]


def test_text_gives_every_word_once() -> None:
    """And can be left in the middle."""
    with scripted() as stt:
        with stt.stream(sample_rate=RATE, source=three_seconds()) as stream:
            assert "".join(stream.text()).strip() == WORDS
        with stt.stream(sample_rate=RATE, source=three_seconds()) as stream:
            for piece in stream.text():
                assert piece.strip() == "turn the light on"
                break


def test_a_stream_is_fed_by_hand() -> None:
    """In one thread: send, flush, end, then read."""
    with scripted() as stt, stt.stream(sample_rate=RATE) as stream:
        stream.push_frame(SECOND)
        stream.send_frame(bytes(RATE))
        (final,) = stream.flush()
        assert final.text == "turn the light on"
        stream.update_options(flush_timeout=3)
        stream.push_frame(SECOND)
        stream.push_frame_threadsafe(bytes(RATE))
        assert [event.text for event in stream.flush()] == ["thank you"]
        stream.end_input()
        assert "".join(stream.text()).strip() == WORDS
        assert stream.timings.connect is not None


def test_an_exception_of_the_iterator_reaches_the_loop() -> None:
    """As it is; and no thread stays behind."""

    def broken() -> Iterator[bytes]:
        yield SECOND
        raise LookupError("the microphone is gone")

    with (
        scripted() as stt,
        stt.stream(sample_rate=RATE, source=broken()) as stream,
        pytest.raises(LookupError, match="the microphone is gone"),
    ):
        list(stream)
    assert not [thread for thread in threading.enumerate() if thread.name == "stt stream source"]


def test_wrong_audio_is_told_to_who_pushed_it() -> None:
    """And not to the reader."""
    with scripted() as stt, stt.stream(sample_rate=RATE) as stream:
        with pytest.raises(AudioError):
            stream.push_frame(b"RIFF0000WAVEfmt " + SECOND)
        stream.end_input()
        with pytest.raises(StreamClosedError):
            stream.push_frame(SECOND)


# -- files, jobs, the provider's own -------------------------------------------------------------------------------


def test_files_and_jobs() -> None:
    """All of them wait."""
    told: list[JobProgress] = []
    with JobSTT(SCRIPT).sync() as stt:
        assert stt.recognize(SECOND, sample_rate=RATE, encoding="pcm_s16le", poll_interval=0).text == "job-1"
        job = stt.submit(SECOND, sample_rate=RATE, encoding="pcm_s16le")
        assert job.id == "job-1"
        assert job.status().state == "processing"
        assert job.wait(poll_interval=0, on_progress=told.append).text == "job-1"
        assert stt.job("other").result().text == "other"
        assert job.result("txt") == "txt"
        assert job.info().vendor_state == "done"
        job.delete(force=True)
        assert [info.id for info in stt.list_jobs()] == ["job-0", "job-1", "job-2"]
    assert [progress.status.state for progress in told] == ["processing", "done"]


def test_a_coroutine_of_the_provider_has_its_twin_too() -> None:
    """Typed through ``run``, short without."""
    with JobSTT(SCRIPT).sync() as stt:
        assert stt.access_token(seconds=3) == "token for 3"
        assert stt.run(stt.stt.access_token(seconds=4)) == "token for 4"
        with pytest.raises(AttributeError, match="has no attribute 'token'"):
            _ = stt.token


def test_errors_are_those_of_the_coroutines() -> None:
    """Config, unsupported, closed."""
    stt = scripted()
    with pytest.raises(ConfigError):
        stt.recognize(SECOND, sample_rate=RATE, encoding="pcm_s16le", colour="red")
    with pytest.raises(UnsupportedError):
        stt.job("a")
    stt.close()
    stt.close()
    with pytest.raises(StreamClosedError):
        stt.stream(sample_rate=RATE)


def test_transcribe_needs_one_line() -> None:
    """With what ``recognize`` takes."""
    with pytest.raises(STTTimeoutError):
        stt_core.transcribe(SECOND, "scripted", sample_rate=RATE, encoding="pcm_s16le", timeout=1e-9)
    assert stt_core.transcribe(SECOND, "scripted", sample_rate=RATE, encoding="pcm_s16le").text == ""


# -- anywhere ------------------------------------------------------------------------------------------------------


async def test_it_works_where_a_loop_is_running() -> None:
    """As in a notebook; an STT that the running loop uses is not taken away from it."""
    with scripted() as stt:
        assert stt.recognize(bytes(6 * RATE), sample_rate=RATE, encoding="pcm_s16le").text == WORDS
    async with ScriptedSTT(SCRIPT) as stt, stt.stream(sample_rate=RATE):
        with pytest.raises(UnsupportedError, match="belongs to an event loop"):
            stt.sync()


def test_several_threads_share_one() -> None:
    """Each gets its own words."""
    with scripted() as stt, ThreadPoolExecutor(8) as pool:

        def work(_: int) -> str:
            with stt.stream(sample_rate=RATE, source=three_seconds()) as stream:
                return "".join(stream.text()).strip()

        assert list(pool.map(work, range(24))) == [WORDS] * 24


def test_one_thread_feeds_while_another_reads() -> None:
    """As audio callbacks and agents do."""
    with scripted() as stt, stt.stream(sample_rate=RATE) as stream:

        def feed() -> None:
            for piece in three_seconds():
                stream.send_frame(piece)
            stream.end_input()

        feeding = threading.Thread(target=feed)
        feeding.start()
        assert "".join(stream.text()).strip() == WORDS
        feeding.join()


def test_a_blocking_call_in_a_callback_says_what_is_wrong() -> None:
    """It would wait for itself."""
    with JobSTT(SCRIPT).sync() as stt:

        def nested(progress: JobProgress) -> None:
            stt.job(progress.job_id).status()

        with pytest.raises(UnsupportedError, match="callback"):
            stt.job("a").wait(on_progress=nested)


def test_the_callers_context_is_the_coroutines() -> None:
    """Log filters and tracers look into it."""
    request: ContextVar[str] = ContextVar("request", default="none")
    seen: list[str] = []
    request.set("mine")
    with JobSTT(SCRIPT).sync() as stt:
        stt.job("a").wait(poll_interval=0, on_progress=lambda _: seen.append(request.get()))
    assert set(seen) == {"mine"}


PRELUDE = """
import os, signal, sys, threading
from stt_core.testing.scripted import ScriptedSTT, utterance
stt = ScriptedSTT(utterance("hello there", start=0.1, end=0.9)).sync()
def words(stt=stt):
    with stt.stream(sample_rate=16000) as stream:
        stream.push_frame(bytes(64000)); stream.end_input()
        return "".join(stream.text()).strip()
"""


def test_a_child_process_makes_its_own() -> None:
    """After a fork the thread is gone: what was made before says so, what is made after works."""
    output = run_script(
        PRELUDE
        + """
print(words())
sys.stdout.flush()
if (child := os.fork()) == 0:
    from stt_core.errors import StreamClosedError
    try:
        words()
    except StreamClosedError as error:
        print(error)
    print(words(ScriptedSTT(utterance("a child", start=0.1, end=0.9)).sync()))
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
print(words())
stt.close()
""",
    )
    first, refused, in_child, after = output.splitlines()
    assert first == after == "hello there"
    assert "made before a fork" in refused
    assert in_child == "a child"


@pytest.mark.parametrize("ending", ["", "sys.exit()", "stream = stt.stream(sample_rate=16000)", "stt.close()"])
def test_what_was_left_open_is_closed_at_exit(ending: str) -> None:
    """Without a warning, an error or a hang, in development mode."""
    assert run_script(f"{PRELUDE}\nprint(words())\n{ending}", "-X", "dev", "-W", "error") == "hello there\n"


def test_ctrl_c_interrupts_a_wait_and_leaves_the_rest_usable() -> None:
    """The stream can be read on."""
    output = run_script(
        PRELUDE
        + """
from stt_core.events import SpeechEventType
with stt.stream(sample_rate=16000) as stream:
    assert next(stream).type is SpeechEventType.CONNECTED
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        next(stream)
    except KeyboardInterrupt:
        print("interrupted")
    stream.push_frame(bytes(64000)); stream.end_input()
    print("".join(stream.text()).strip())
stt.close()
""",
    )
    assert output == "interrupted\nhello there\n"
