"""What people do: each is the right result or a typed error that says what to do."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import stt_core
from stt_core.audio.wav import write_wav
from stt_core.errors import AudioError, AudioFileNotFoundError, ConfigError, STTTimeoutError

SPEECH = Path(__file__).parent / "data" / "speech"
GARDEN = SPEECH / "garden.wav"
WORDS = (SPEECH / "garden.txt").read_text("utf-8").strip()

SCRIPT = f"import stt_core\nprint(stt_core.transcribe({str(GARDEN)!r}).text)\n"


def run(*arguments: str, stdin: str | None = None, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        input=stdin,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout.strip()


def test_an_unguarded_script(tmp_path: Path) -> None:
    """No ``if __name__ == "__main__"`` is needed, and a struct.py lying about does the engine's process no harm."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "script.py").write_text(SCRIPT, "utf-8")
    (tmp_path / "folder" / "struct.py").write_text("raise SystemExit('the wrong struct')", "utf-8")
    assert run(str(tmp_path / "script.py"), cwd=tmp_path / "folder") == WORDS


def test_a_script_from_stdin(tmp_path: Path) -> None:
    """``python -`` has no file that a child could import again."""
    assert run("-", stdin=SCRIPT, cwd=tmp_path) == WORDS


def test_from_a_thread() -> None:
    """The engine's process is started and ended from a loop in any thread."""
    results: list[str] = []
    thread = threading.Thread(target=lambda: results.append(stt_core.transcribe(GARDEN).text))
    thread.start()
    thread.join()
    assert results == [WORDS]


async def test_inside_a_running_loop() -> None:
    """As in a notebook: transcribe() blocks the loop, and works."""
    assert stt_core.transcribe(GARDEN).text == WORDS


def test_every_kind_of_source(tmp_path: Path) -> None:
    """A path, bytes, a name with bytes, a file object, an array: the same words."""
    data = GARDEN.read_bytes()
    samples = np.frombuffer(data[44:], "<i2")
    mislabelled = tmp_path / "song.mp3"
    mislabelled.write_bytes(data)
    with GARDEN.open("rb") as file:
        assert stt_core.transcribe(file).text == WORDS
    assert stt_core.transcribe(("garden.wav", data)).text == WORDS
    assert stt_core.transcribe(mislabelled).text == WORDS
    assert stt_core.transcribe(samples, sample_rate=16000).text == WORDS


def test_telephone_audio(tmp_path: Path) -> None:
    """8 kHz mu-law and three channels are read as what they are."""
    from stt_core.audio.convert import Converter
    from stt_core.audio.frames import AudioFormat

    speech = GARDEN.read_bytes()[44:]
    wide = AudioFormat(16000)
    three = np.repeat(np.frombuffer(speech, "<i2")[:, None], 3, axis=1)
    write_wav(tmp_path / "three.wav", three.tobytes(), AudioFormat(16000, 3))
    assert stt_core.transcribe(tmp_path / "three.wav").text == WORDS
    narrow = AudioFormat(8000, 1, "pcm_mulaw")
    converter = Converter(wide, narrow, mode="file")
    mulaw = converter.convert(speech) + converter.flush()
    heard = stt_core.transcribe(mulaw, sample_rate=8000, encoding="pcm_mulaw").text.split()
    assert len(set(heard) & set(WORDS.split())) >= 6


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("empty.wav", b"", AudioError),
        ("noise.wav", b"this is not audio at all, is it? " * 20, AudioError),
        ("header.wav", GARDEN.read_bytes()[:20], AudioError),
        ("missing.wav", None, AudioFileNotFoundError),
    ],
)
def test_what_is_no_audio(tmp_path: Path, name: str, content: bytes | None, error: type[Exception]) -> None:
    """Typed, naming the file, before the engine is asked."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=name):
        stt_core.transcribe(tmp_path / name)


def test_a_missing_file_is_also_the_builtin_error() -> None:
    """Old ``except FileNotFoundError`` clauses hold."""
    with pytest.raises(FileNotFoundError):
        stt_core.transcribe("nowhere.wav")


def test_a_truncated_file_gives_what_is_there(tmp_path: Path) -> None:
    """The first half of the samples is the first half of the words."""
    data = GARDEN.read_bytes()
    (tmp_path / "half.wav").write_bytes(data[: len(data) // 2 + 1])
    half = stt_core.transcribe(tmp_path / "half.wav").text
    assert half.split()[:4] == WORDS.split()[:4]
    assert len(half.split()) < len(WORDS.split())


def test_silence_is_no_words() -> None:
    """Nothing said is an empty transcript with its duration, and no error."""
    transcript = stt_core.transcribe(bytes(32000), sample_rate=16000, encoding="pcm_s16le")
    assert (transcript.text, transcript.words, transcript.duration) == ("", [], 1.0)


def test_a_deadline_is_kept() -> None:
    """The timeout bounds everything, and is caught by ``except TimeoutError``."""
    with pytest.raises(STTTimeoutError):
        stt_core.transcribe(GARDEN, timeout=0.01)
    with pytest.raises(TimeoutError):
        stt_core.transcribe(GARDEN, timeout=0.01)


def test_an_option_without_effect_is_refused() -> None:
    """Nothing is accepted and then dropped."""
    with pytest.raises(ConfigError, match="base_url"):
        stt_core.create_stt("pocketsphinx/en-us", base_url="http://example.com")
    with pytest.raises(ConfigError, match="language"):
        stt_core.create_stt("pocketsphinx/en-us:ja")


def test_many_calls_at_once() -> None:
    """Each in a worker of its own, none with the words of another."""

    async def main() -> list[str]:
        async with stt_core.create_stt() as stt:
            names = ["garden", "message", "weather"]
            transcripts = await asyncio.gather(*(stt.recognize(SPEECH / f"{name}.wav") for name in names))
            return [transcript.text for transcript in transcripts]

    expected = [(SPEECH / f"{name}.txt").read_text("utf-8").strip() for name in ("garden", "message", "weather")]
    assert asyncio.run(main()) == expected
