"""What is drawn over on a terminal: interims and progress, in the width that there is."""

from __future__ import annotations

import asyncio
import fcntl
import io
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Callable, Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from stt_core.cli.inplace import InPlace, note
from stt_core.cli.progress import Ticking
from stt_core.cli.screen import Screen
from stt_core.errors import AudioError
from stt_core.events import AudioSpan, SpeechData, SpeechEvent, SpeechEventType
from stt_core.testing.clock import virtual_time

if TYPE_CHECKING:
    from pathlib import Path

FINAL, INTERIM = SpeechEventType.FINAL_TRANSCRIPT, SpeechEventType.INTERIM_TRANSCRIPT
ERASE = "\r\x1b[K"


FAINT, PLAIN = "\x1b[2m", "\x1b[0m"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def event(kind: SpeechEventType, text: str = "") -> SpeechEvent:
    return SpeechEvent(kind, [SpeechData(text)] if text else [], provider="fake")


@contextmanager
def screen_on(terminal: io.StringIO, *, term: str = "xterm", columns: int = 12) -> Generator[Screen]:
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(terminal):
        patch.setenv("TERM", term)
        patch.setenv("COLUMNS", str(columns))
        patch.setenv("NO_COLOR", "1")
        with Screen() as screen:
            yield screen


def test_interims_are_rewritten_in_place() -> None:
    """Each interim replaces the last with as much of its end as fits, the final replaces them, and nothing is left."""
    terminal = Terminal()
    with screen_on(terminal) as screen:
        for said in (event(INTERIM, "one"), event(INTERIM, "one two three"), event(FINAL, "one two three")):
            screen.show(said)
        screen.show(event(INTERIM, "\u4e00\u4e8c\u4e09\u56db\u4e94"))
    assert terminal.getvalue() == (
        f"{ERASE}one{ERASE}…wo three{ERASE}one two three\n{ERASE}…\u4e8c\u4e09\u56db\u4e94{ERASE}"
    )


def test_an_interim_that_came_to_nothing_goes_with_its_segment() -> None:
    """A segment may end without a final; its interim does not stay below the next note."""
    terminal = Terminal()
    with screen_on(terminal) as screen:
        screen.show(event(INTERIM, "hm"))
        screen.show(event(SpeechEventType.END_OF_SPEECH))
        note("something")
    assert terminal.getvalue() == f"{ERASE}hm{ERASE}"


def test_outages_are_told_on_stderr_and_the_interim_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    """A reconnect, a switch of provider and lost audio are each one line beside the results."""
    terminal = Terminal()
    with screen_on(terminal) as screen:
        screen.show(event(INTERIM, "one"))
        screen.show(SpeechEvent(SpeechEventType.RECONNECTING, provider="one", error=AudioError("why\nnot")))
        screen.show(
            SpeechEvent(
                SpeechEventType.PROVIDER_SWITCHED, provider="two", previous_provider="one", error=AudioError("why")
            )
        )
        screen.show(SpeechEvent(SpeechEventType.AUDIO_LOST, span=AudioSpan(1, 2.5)))
    assert capsys.readouterr().err == (
        "stt: reconnecting to one: why not\n"
        "stt: two takes over from one: why\n"
        "stt: lost the audio from 1.00 to 2.50 s\n"
    )
    assert terminal.getvalue() == ERASE + "one" + 3 * (ERASE + ERASE + "one") + ERASE


@pytest.mark.parametrize("reason", ["pipe", "dumb"])
def test_what_cannot_be_written_over_is_not_shown(reason: str) -> None:
    """In a pipe, and on a terminal without control sequences, there are finals only."""
    terminal = io.StringIO() if reason == "pipe" else Terminal()
    with screen_on(terminal, term="dumb" if reason == "dumb" else "xterm") as screen:
        screen.show(event(INTERIM, "one"))
        screen.show(event(FINAL, "one two"))
    assert terminal.getvalue() == "one two\n"


@given(
    text=st.text(st.sampled_from("ab \u4e00\uac00\u0301\u0e33\U0001f600\x1b\n\t"), max_size=30),
    columns=st.integers(1, 30),
    keep=st.sampled_from(("start", "end")),
)
def test_a_line_never_wraps(text: str, columns: int, keep: str) -> None:
    """Whatever the characters and the width: there is room left for "^C", and there is no control sequence."""
    terminal = Terminal()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERM", "xterm")
        patch.setenv("COLUMNS", str(columns))
        patch.setenv("NO_COLOR", "1")
        line = InPlace(terminal, keep="end" if keep == "end" else "start")
        line.show(text)
        shown = terminal.getvalue().removeprefix(ERASE)
        line.clear()
    assert shown.isprintable()
    assert cell_len(shown) <= max(columns - 3, 1)
    whole = " ".join(text.replace("\x1b", " ").split())
    if cell_len(whole) <= max(columns - 3, 1):
        assert shown == whole
    else:
        assert "…" in shown


@virtual_time
async def test_progress_is_shown_at_once_and_every_second() -> None:
    """As long as there is something to say; afterwards the line is gone and no timer is left."""
    terminal = Terminal()
    says = ""
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(terminal):
        patch.setenv("TERM", "xterm")
        patch.setenv("NO_COLOR", "1")
        with Ticking(lambda seconds: says and f"{says} {seconds:.0f}") as ticking:
            ticking.show()
            await asyncio.sleep(1.5)
            says = "working for"
            ticking.show()
            await asyncio.sleep(2.5)
            says = ""
            await asyncio.sleep(5)
        await asyncio.sleep(5)
    shown = ("working for 2", "working for 2", "working for 4")
    assert terminal.getvalue() == "".join(f"{ERASE}{each}" for each in shown) + ERASE


class Pty:
    """A terminal of its own with a command in it."""

    def __init__(self, command: list[str], columns: int) -> None:
        self._end, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            command,
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(inside)

    def rest(self) -> str:
        """All that it printed, once it has ended."""
        printed = b""
        while True:
            try:
                piece = os.read(self._end, 4096)
            except OSError:  # how Linux tells that nobody has the other end any more
                piece = b""
            if not piece:
                break
            printed += piece
        os.close(self._end)
        self.process.wait(30)
        return printed.decode()


@pytest.mark.parametrize("columns", [14, 200])
def test_a_stream_on_a_real_terminal(
    columns: int, recording: Callable[..., str], script: Callable[..., str], command: Path
) -> None:
    """The interims of a stream are drawn in place, faint, in the terminal's own width; what stays are the finals."""
    inside = Pty([str(command), "stream", recording("call.wav", 1.5), "-m", script("one two three four")], columns)
    drawn = inside.rest()
    assert inside.process.returncode == 0, drawn
    interims = {14: ["one", "one two", "…two three"], 200: ["one", "one two", "one two three"]}[columns]
    nothing, *shown, final = drawn.split(ERASE)
    assert (nothing, final) == ("", "one two three four\r\n")
    # One that is not read in time is overwritten by the next, so that some may be missing.
    rest = iter(interims)
    assert shown
    assert all(line in rest for line in (line.removeprefix(FAINT).removesuffix(PLAIN) for line in shown))
    assert all(line.startswith(FAINT) and line.endswith(PLAIN) for line in shown)


def test_progress_on_a_real_terminal(recording: Callable[..., str], command: Path) -> None:
    """The line that says what is being done is gone when the result is printed; what took how long stays."""
    inside = Pty([str(command), "transcribe", recording("one.wav", 63), "-m", "fake"], 200)
    progress, result = inside.rest().rsplit(ERASE, 1)
    assert f"{ERASE}{FAINT}stt: transcribing one.wav" in progress
    assert result.startswith("stt: one.wav: 2.0 s of audio in ")
    assert result.endswith("\r\nthis is one\r\n")
