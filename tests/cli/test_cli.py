"""The `stt` command with a provider that says what the test wants; real speech goes through it in test_readme.py."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import wave
from collections.abc import AsyncIterator, Callable, Sequence, Sized
from pathlib import Path
from typing import Self

import pytest

from stt_core.cli import main
from stt_core.cli import stream as stream_command
from stt_core.cli import transcribe as transcribe_command
from stt_core.cli.screen import Screen
from stt_core.errors import AudioError, ConfigError, ServerError, STTError
from stt_core.events import AudioSpan, SpeechData, SpeechEvent, SpeechEventType


def event(kind: SpeechEventType, text: str = "") -> SpeechEvent:
    return SpeechEvent(kind, [SpeechData(text)] if text else [], provider="fake")


FINAL, INTERIM = SpeechEventType.FINAL_TRANSCRIPT, SpeechEventType.INTERIM_TRANSCRIPT


class FakeTranscript:
    def __init__(self, text: str) -> None:
        self.text = text

    def to(self, form: str) -> str:
        return f"{form}: {self.text}"


class FakeSTT:
    """Recognises every file as its own name, and every stream as the events that it was given."""

    def __init__(
        self, *, fails: dict[str, STTError] | None = None, says: Sequence[SpeechEvent | STTError] = ()
    ) -> None:
        self.fails = fails or {}
        self.says = says
        self.config: str | None = "never made"
        self.stream_options: dict[str, object] = {}
        self.heard: list[Sized] = []
        self.on_audio: Callable[[], object] = lambda: None
        self.on_file: Callable[[], object] = lambda: None
        self.on_end: Callable[[], object] = lambda: None

    def create(self, config: str | None) -> Self:
        self.config = config
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def recognize(self, path: Path) -> FakeTranscript:
        self.on_file()
        await asyncio.sleep(0)
        if path.name in self.fails:
            raise self.fails[path.name]
        return FakeTranscript(path.stem)

    def stream(self, *, source: AsyncIterator[Sized], **options: object) -> Self:
        self.source = source
        self.stream_options = options
        return self

    async def __aiter__(self) -> AsyncIterator[SpeechEvent]:
        async for piece in self.source:
            self.heard.append(piece)
            self.on_audio()
        self.on_end()
        await asyncio.sleep(0)
        for said in self.says:
            if isinstance(said, STTError):
                raise said
            yield said


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSTT:
    fake = FakeSTT()
    monkeypatch.setattr(transcribe_command, "create_stt", fake.create)
    monkeypatch.setattr(stream_command, "create_stt", fake.create)
    return fake


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    paths = [tmp_path / name for name in ("one.wav", "two.wav", "three.wav")]
    for path in paths:
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(bytes(1600))
    return [str(path) for path in paths]


def test_results_go_to_stdout_and_the_rest_to_stderr(
    fake: FakeSTT, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """stdout holds one result per file, in the order of the arguments, and nothing else; the exit code is 0."""
    assert main(["transcribe", *files, "-m", "some/config"]) == 0
    out, err = capsys.readouterr()
    assert out == "txt: one\ntxt: two\ntxt: three\n"
    assert all(file in err for file in files)
    assert fake.config == "some/config"


def test_without_a_config_the_library_chooses(fake: FakeSTT, files: list[str]) -> None:
    """The command has no default of its own: the environment's or the embedded one is the library's to find."""
    assert main(["transcribe", files[0]]) == 0
    assert fake.config is None


def test_a_file_that_fails_does_not_stop_the_others(
    fake: FakeSTT, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The other files are still written, the failure is one line that names its file, and the exit code is 1."""
    fake.fails["one.wav"] = AudioError("one.wav: no audio")
    fake.fails["two.wav"] = ServerError("the vendor\nfailed")
    assert main(["transcribe", *files]) == 1
    out, err = capsys.readouterr()
    assert out == "txt: three\n"
    assert f"stt: {files[1]}: the vendor failed\n" in err
    assert "stt: one.wav: no audio\n" in err


def test_each_file_gets_its_own_in_the_folder(
    fake: FakeSTT, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With -o the folder is made and holds <name>.<format>; stdout stays empty."""
    folder = tmp_path / "deep" / "out"
    assert main(["transcribe", *files, "-f", "srt", "-o", str(folder)]) == 0
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "one.srt": "srt: one\n",
        "two.srt": "srt: two\n",
        "three.srt": "srt: three\n",
    }
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing command"),
        (["transcribe"], "Missing argument"),
        (["transcribe", "no-such-file.wav"], "no-such-file.wav"),
        (["transcribe", "one.wav", "--formt", "srt"], "--formt"),
        (["transcribe", "one.wav", "two.wav", "-f", "srt"], "-o DIR"),
        (["transcribe", "one.wav", "twin/one.wav", "-o", "out"], "twin/one.wav would both be written to out/one.txt"),
        (["transcribe", "one.wav", "-o", "two.wav/out"], "two.wav/out cannot be made"),
        (["stream", "one.wav", "--sample-rate", "8000"], "a file says its own"),
        (["stream", "-"], "--sample-rate 16000"),
        (["stream", "-", "--sample-rate", "1"], "--sample-rate"),
        (["stream", "-", "--sample-rate", "8000", "--encoding", "mp3"], "pcm_mulaw"),
    ],
    ids=str,
)
def test_bad_usage_is_one_line_and_2(
    fake: FakeSTT,
    files: list[str],
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What cannot be meant is refused before a provider is made, in one line that says what to do."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "twin").mkdir()
    (tmp_path / "twin" / "one.wav").write_bytes(Path(files[0]).read_bytes())
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err
    assert "--help" in err
    assert fake.config == "never made"


@pytest.mark.parametrize(("error", "code"), [(ConfigError("no such\nmodel"), 2), (ServerError("no such\nmodel"), 1)])
def test_an_error_is_one_line_unless_its_origin_is_asked_for(
    fake: FakeSTT, files: list[str], error: STTError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong configuration is 2 and a failed recognition 1; -v adds the traceback."""
    fake.says = [error]
    assert main(["stream", files[0]]) == code
    assert capsys.readouterr().err == "stt: no such model\n"
    assert main(["stream", files[0], "-v"]) == code
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("\nstt: no such model\n")


def test_without_click_the_extra_is_named(
    files: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`stt` is installed without its extra too; then it says in one line which one it needs."""
    monkeypatch.setitem(sys.modules, "click", None)
    assert main(["transcribe", files[0]]) == 2
    assert 'pip install "stt-core[cli]"' in capsys.readouterr().err


def test_a_file_is_streamed_whole_and_as_what_it_is(
    fake: FakeSTT, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Finals come on lines of their own; in a pipe there are no interims."""
    fake.says = [event(INTERIM, "one"), event(FINAL, "one two"), event(INTERIM, "three"), event(FINAL, "three four")]
    assert main(["stream", files[0]]) == 0
    assert capsys.readouterr().out == "one two\nthree four\n"
    assert fake.stream_options == {"sample_rate": 8000, "channels": 1, "encoding": "pcm_f32le"}
    assert sum(len(piece) for piece in fake.heard) == 800


def test_broken_audio_is_a_failed_recognition(
    fake: FakeSTT, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is no audio is one line and 1."""
    (tmp_path / "notes.wav").write_text("this is not audio at all, whatever its name says")
    assert main(["stream", str(tmp_path / "notes.wav")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_ctrl_c_ends_the_input_and_not_the_results(
    fake: FakeSTT, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What was said until then is still printed, and the exit code is 0; the handler does not stay behind."""
    before = signal.getsignal(signal.SIGINT)
    fake.on_audio = lambda: signal.raise_signal(signal.SIGINT)
    fake.says = [event(FINAL, "one two")]
    assert main(["stream", files[0]]) == 0
    assert capsys.readouterr().out == "one two\n"
    assert len(fake.heard) == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_ends_at_once(fake: FakeSTT, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever does not want to wait for the rest need not: 130, without a traceback."""
    fake.on_audio = lambda: signal.raise_signal(signal.SIGINT)
    fake.on_end = lambda: signal.raise_signal(signal.SIGINT)
    assert main(["stream", files[0]]) == 130
    assert capsys.readouterr().err == ""


def test_transcribing_stops_at_ctrl_c(fake: FakeSTT, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C between files ends the command with 130 and without a traceback."""
    fake.on_file = lambda: signal.raise_signal(signal.SIGINT)
    assert main(["transcribe", *files]) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_stdin_is_read_to_its_end_as_described(
    fake: FakeSTT, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Raw bytes arrive unchanged and in order, from a pipe and from a redirected file."""
    data = bytes(range(256)) * 100
    if kind == "file":
        (tmp_path / "raw").write_bytes(data)
        source = os.open(tmp_path / "raw", os.O_RDONLY)
    else:
        source, end = os.pipe()
        os.write(end, data)
        os.close(end)
    fake.says = [event(FINAL, "done")]
    with os.fdopen(source, "rb") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert main(["stream", "-", "--sample-rate", "8000", "--encoding", "pcm_mulaw", "--channels", "2"]) == 0
    assert fake.stream_options == {"sample_rate": 8000, "channels": 2, "encoding": "pcm_mulaw"}
    assert b"".join(piece for piece in fake.heard if isinstance(piece, bytes)) == data


def test_ctrl_c_ends_a_silent_stdin(fake: FakeSTT, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that says nothing does not keep the command from ending."""
    source, end = os.pipe()
    os.write(end, b"12")
    fake.on_audio = lambda: signal.raise_signal(signal.SIGINT)
    with os.fdopen(source, "rb") as stdin, os.fdopen(end, "wb"):
        monkeypatch.setattr(sys, "stdin", stdin)
        assert main(["stream", "-", "--sample-rate", "8000"]) == 0
    assert fake.heard == [b"12"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_interims_are_rewritten_in_place_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each interim replaces the last, the final replaces them all, and nothing of them is left at the end."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "10")
    with Screen() as screen:
        screen.show(event(INTERIM, "one"))
        screen.show(event(INTERIM, "one two three"))
        screen.show(event(FINAL, "one two three"))
        screen.show(event(INTERIM, "\u4e00\u4e8c\u4e09\u56db\u4e94"))
    erase = "\r\x1b[K"
    assert terminal.getvalue() == (
        f"{erase}one{erase}two three{erase}one two three\n{erase}\u4e8c\u4e09\u56db\u4e94{erase}"
    )


def test_outages_are_told_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """A reconnect, a switch of provider and lost audio are each one line beside the results."""
    with Screen() as screen:
        screen.show(SpeechEvent(SpeechEventType.RECONNECTING, provider="one", error=AudioError("why")))
        screen.show(
            SpeechEvent(
                SpeechEventType.PROVIDER_SWITCHED, provider="two", previous_provider="one", error=AudioError("why")
            )
        )
        screen.show(SpeechEvent(SpeechEventType.AUDIO_LOST, span=AudioSpan(1, 2.5)))
    assert capsys.readouterr() == (
        "",
        "stt: reconnecting to one: why\nstt: two takes over from one: why\nstt: lost the audio from 1.00 to 2.50 s\n",
    )


def test_a_reader_that_goes_away_is_no_crash() -> None:
    """`stt ... | head -1` ends without a traceback when head has gone."""
    program = """if True:
        import sys
        from stt_core.cli.outcome import carry_out
        async def work():
            sys.stdin.readline()
            print("x", flush=True)
            return 0
        sys.exit(carry_out(work(), verbose=False))
    """
    with subprocess.Popen(
        [sys.executable, "-E", "-c", program],  # PYTHONUNBUFFERED would leave nothing to flush at exit
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdin
        assert process.stderr
        process.stdout.close()
        process.stdin.close()
        assert (process.wait(), process.stderr.read()) == (1, "")
