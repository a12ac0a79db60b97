"""Speechmatics' own SDKs against ``stt serve`` with the embedded engine behind it, on speech."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from typing_extensions import override

if TYPE_CHECKING:
    from conftest import Sdk

SPEECH = Path(__file__).parents[1] / "data" / "speech"
GARDEN = str(SPEECH / "garden.wav")
WORDS = (SPEECH / "garden.txt").read_text("utf-8").strip()
SUBTITLES = "1\n00:00:00,100 --> 00:00:03,300\nshe opened the door and\nwalked slowly into the garden\n"

Json = Mapping[str, object]
Said = Mapping[str, Json]
"""What a driver printed, by its name for it."""

RELEASES = ("0.4.7", "1.1.0")


class Silent(SimpleHTTPRequestHandler):
    @override
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def files() -> Iterator[str]:
    """Where recordings are served, for `fetch_data`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=SPEECH)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def said(sdk: Callable[[str], Sdk], serve: Callable[..., dict[str, str]], files: str) -> Callable[..., Said]:
    """Runs a driver once, on a server of its own."""

    @functools.cache
    def run(name: str, mode: str, *arguments: str) -> Said:
        urls = serve("-m", "pocketsphinx/en-us", "--fetch-host", files, *arguments, until="speechmatics")
        driver = "speechmatics_python.py" if "python" in name else "speechmatics_batch.py"
        lines = sdk(name).run(driver, mode, urls["speechmatics"], GARDEN, f"http://{files}/garden.wav")
        return {cast("str", line["what"]): line for line in lines}

    return run


@pytest.fixture(params=RELEASES)
def methods(request: pytest.FixtureRequest, said: Callable[..., Said]) -> Said:
    return said(f"speechmatics-batch-{request.param}", "methods")


def words_of(line: Json) -> Sequence[object]:
    return [word for word, _, _ in cast("Sequence[tuple[str, float, float]]", line["words"])]


# -- speechmatics-batch --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["quick start", "jwt", "workflow", "fetch", "stream", "connection", "container"])
def test_every_way_of_the_description_gives_the_words(methods: Said, how: str) -> None:
    """With times, a mean confidence and the duration; a speaker that nobody told apart is shown by 0.4.7 alone."""
    found = methods[how]
    assert cast("str", found["text"]).removeprefix("SPEAKER UU: ") == WORDS
    assert words_of(found) == WORDS.split()
    times = [at for _, *span in cast("Sequence[tuple[str, float, float]]", found["words"]) for at in span]
    assert times == sorted(times)
    assert 0.5 < cast("float", found["confidence"]) < 1
    assert found["duration"] == 3


def test_a_temporary_key_serves_several_requests(methods: Said) -> None:
    """It is minted once and good until it expires."""
    assert methods["jwt keys"]["same"] is True


def test_what_the_engine_cannot_do_is_told(methods: Said) -> None:
    """Translations and summaries are missing, and the metadata says why; the config comes back."""
    found = methods["advanced"]
    assert (found["summary"], found["translations"]) == (None, None)
    kinds = [each["type"] for errors in cast("list[list[Json]]", found["errors"]) for each in errors]
    assert kinds == ["translation_failed", "summarization_failed"]
    assert cast("Json", found["config"])["diarization"] == "speaker"


def test_a_job_can_be_followed_by_hand(methods: Said) -> None:
    """Until it is done; then its transcript comes in every format."""
    found = methods["manual"]
    assert (found["status"], found["name"], found["duration"]) == ("done", "garden.wav", 3)
    formats = methods["formats"]
    assert (formats["json"], formats["txt"], formats["srt"]) == (WORDS, WORDS, SUBTITLES)


def test_jobs_are_listed_the_newest_first_until_they_are_deleted(methods: Said) -> None:
    """A limit, and a time before which they were made."""
    job_id = methods["manual"]["id"]
    ids = cast("list[str]", methods["list"]["ids"])
    assert ids[0] == job_id
    assert methods["list"]["first"] == [job_id]
    assert methods["list before"]["ids"] == ids[2:]
    assert methods["delete"]["ids"] == ids[1:]


WRONG: Mapping[str, tuple[str, str, str]] = {
    "bad key": ("BatchError", "AuthenticationError", "Invalid API key"),
    "missing file": ("BatchError", "BatchError", "No such file"),
    "no audio": ("BatchError", "BatchError", "Job rejected due to invalid audio"),
    "language": ("BatchError", "BatchError", "xx"),
    "unknown": ("JobError", "JobError", "Job not found"),
    "unknown transcript": ("JobError", "TranscriptNotReadyError", "xxxxxxxxxx|Job not found"),
    "unknown delete": ("JobError", "JobError", "Job not found"),
    "rejected": ("JobError", "JobError", "was rejected"),
    "too slow": ("TimeoutError", "TimeoutError", "did not complete within 0.5 seconds"),
    "running": ("JobError", "JobError", "Resource Locked|force=True"),
}
"""What each release raises, and what it says (either of)."""


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("what", WRONG)
def test_errors_are_those_that_the_sdk_knows(said: Callable[..., Said], release: str, what: str) -> None:
    """0.4.7 wraps a refused key, which is its own doing."""
    found = said(f"speechmatics-batch-{release}", "errors", "--api-key", "right")[what]
    *kinds, says = WRONG[what]
    assert found["error"] == kinds[RELEASES.index(release)]
    assert any(each in cast("str", found["message"]) for each in says.split("|"))


def test_the_newest_release_deletes_by_force(said: Callable[..., Said]) -> None:
    """A running job has no transcript yet, and is deleted; whoever waits for it is told."""
    found = said("speechmatics-batch-1.1.0", "errors", "--api-key", "right")
    assert found["not ready"]["error"] == "TranscriptNotReadyError"
    assert "was deleted before it finished" in cast("str", found["deleted"]["message"])
    assert len(cast("list[str]", found["over"]["ids"])) == 1  # the one that was rejected


def test_the_newest_release_waits_inside_requests(said: Callable[..., Said]) -> None:
    """Its blocking client: a submit that brings the transcript along, in each format, for an end user's key."""
    found = said("speechmatics-batch-1.1.0", "sync")
    for how in ("transcribe", "polled", "fetch"):
        assert (found[how]["text"], words_of(found[how])) == (WORDS, WORDS.split())
    assert found["text"]["text"] == found["transcript"]["text"] == WORDS
    assert (found["submit"]["status"], found["submit"]["transcript"]) == ("done", SUBTITLES)
    assert (found["info"]["status"], found["list"]["count"], found["delete"]["status"]) == ("done", 4, "deleted")
    assert (found["force"]["status"], found["force"]["then"]) == ("created", "deleted")


# -- speechmatics-python -------------------------------------------------------------------------------------------


@pytest.fixture
def older(said: Callable[..., Said]) -> Said:
    return said("speechmatics-python-5.0.0", "methods")


def test_the_older_client_waits_for_the_text(older: Said) -> None:
    """From a path, a pair, a config file and a URL."""
    assert older["connect"]["jobs"] == []
    for how in ("wait", "file", "fetch"):
        assert older[how]["text"] == WORDS
    assert older["several"]["texts"] == [WORDS] * 3
    job = cast("Json", cast("Json", older["status"]["job"])["job"])
    assert (job["status"], job["data_name"], job["duration"]) == ("done", "garden.wav", 3)


def test_the_older_client_gets_every_format(older: Said) -> None:
    """json is its own name for json-v2; the layout of subtitles is that of the config."""
    document = cast("Json", older["result json-v2"]["result"])
    assert document == older["result json"]["result"]
    items = cast("list[dict[str, list[Json]]]", document["results"])
    assert [item["alternatives"][0]["content"] for item in items] == WORDS.split()
    assert (older["result txt"]["result"], older["result srt"]["result"]) == (WORDS, SUBTITLES)
    assert older["result docx"]["error"] == "TranscriptionError"
    cues = [cue.split("\n")[2:] for cue in cast("str", older["pair"]["result"]).strip().split("\n\n")]
    assert {len(cue) for cue in cues} == {1}
    assert max(len(line) for cue in cues for line in cue) <= 20
    assert older["pair"]["name"] == "memo.wav"


def test_the_older_client_lists_and_deletes(older: Said) -> None:
    """All of its jobs; one that runs only by force, and one that is not known is an exception of its own."""
    assert older["list"]["all"] is True
    assert older["raw"]["count"] == 2
    assert older["delete"]["said"] == f"Job {older['delete']['id']} deleted"
    assert older["delete running"]["error"] == 423
    assert older["delete by force"]["said"] == f"Job {older['delete by force']['id']} deleted"
    for what in ("unknown status", "unknown result", "unknown delete"):
        assert older[what]["error"] == "JobNotFoundException"
    assert older["bad config"]["error"] == 400
