"""Many files: recognised side by side, written in their order."""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from typing import TYPE_CHECKING

import click

from ..audio.decode import open_audio
from ..config import parse
from ..errors import STTError
from ..factory import create_stt, default_config
from ..registry import get_provider
from .inplace import note
from .outcome import report
from .progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..stt import STT
    from ..transcript import Transcript, TranscriptFormat

__all__ = ["Writer", "transcribe_all"]

_AT_ONCE = 4

_AHEAD = 4
"""Files per place that may be begun before an earlier one is done: their results wait for it."""


async def transcribe_all(files: tuple[Path, ...], config: str | None, parallel: int | None, writer: Writer) -> int:
    """Recognise files, several at once, and write their results in the order of the files.

    Args:
        files: at least one.
        config: who recognises.
        parallel: how many at once; ``None`` for as many as make sense.
        writer: where results go.

    Returns:
        the exit code.
    """
    parallel = parallel or _at_once(config)
    places = asyncio.Semaphore(parallel)
    waiting: deque[tuple[Path, asyncio.Task[Transcript | STTError]]] = deque()
    async with create_stt(config) as stt:
        with Progress(len(files)) as progress:

            async def recognized(file: Path) -> Transcript | STTError:
                async with places:
                    return await _recognize(stt, file, progress)

            async def write_next() -> None:
                file, task = waiting[0]
                result = await task
                waiting.popleft()
                progress.clear()
                writer.write(file, result)

            try:
                for file in files:
                    waiting.append((file, asyncio.create_task(recognized(file))))
                    if len(waiting) >= parallel * _AHEAD:
                        await write_next()
                while waiting:
                    await write_next()
            except asyncio.CancelledError:
                progress.clear()
                for file, task in waiting:
                    if task.done() and not task.cancelled():
                        writer.write(file, task.result())
                note(f"stopped: {len(files) - writer.written} of {len(files)} files are not transcribed")
                raise
            finally:
                for _, task in waiting:
                    task.cancel()
                await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)
    return writer.code


async def _recognize(stt: STT, file: Path, progress: Progress) -> Transcript | STTError:
    run = progress.begin(file)
    run.duration = await asyncio.to_thread(_duration, file)
    try:
        transcript = await stt.recognize(file)
    except STTError as error:
        progress.end(run, failed=True)
        return error
    if transcript.duration is not None:
        run.duration = transcript.duration
    progress.end(run)
    return transcript


def _duration(file: Path) -> float | None:
    """Seconds, if the file says so. Nothing depends on it: what is wrong with the file, recognition will say."""
    if not file.is_file():  # a pipe can be read once
        return None
    try:
        with open_audio(file) as reader:
            return reader.duration
    except STTError:
        return None


def _at_once(config: str | None) -> int:
    first = parse(config or default_config())[0]
    provider = get_provider(first.provider)
    local = (provider.family_for(first.model).kind or provider.kind) == "local"
    return min(_AT_ONCE, os.cpu_count() or 1) if local else _AT_ONCE


class Writer:
    """Where results go, and the exit code that they come to.

    Args:
        form: what to write.
        targets: the file that each file's result is written to; ``None`` for stdout.
        several: results on stdout have to be told apart.
        verbose: show where an error came from.

    Attributes:
        written: files whose result was written.
    """

    def __init__(
        self, form: TranscriptFormat, targets: Mapping[Path, Path] | None, *, several: bool, verbose: bool
    ) -> None:
        self.written = 0
        self._form: TranscriptFormat = form
        self._targets = targets
        self._several = several
        self._verbose = verbose
        self._failures: set[int] = set()

    @property
    def code(self) -> int:
        """0 if nothing failed, 2 if nothing was written and how it was asked for is to blame, else 1."""
        if not self._failures:
            return 0
        return 1 if self.written else min(self._failures)

    def write(self, file: Path, result: Transcript | STTError) -> None:
        """Write a file's result, or say why there is none."""
        try:
            if isinstance(result, STTError):
                raise result
            self._deliver(file, result.to(self._form).removesuffix("\n"))
        except STTError as error:
            about = "" if file.name in str(error) else f"{file}: "
            self._failures.add(report(error, verbose=self._verbose, about=about))
            if self._several and self._targets is None and self._form == "json":
                click.echo(json.dumps({"file": str(file), "error": str(error)}, ensure_ascii=False))

    def _deliver(self, file: Path, text: str) -> None:
        if self._targets is not None:
            target = self._targets[file]
            try:
                target.write_text(f"{text}\n", encoding="utf-8")
            except OSError as error:
                note(f"{target} cannot be written: {error.strerror}")
                self._failures.add(1)
                return
        elif not self._several:
            click.echo(text)
        elif self._form == "json":
            click.echo(json.dumps({"file": str(file), "transcript": json.loads(text)}, ensure_ascii=False))
        else:
            gap = "\n" if self.written else ""
            click.echo(f"{gap}==> {file} <==\n{text}")
        self.written += 1
