"""A provider for the tests of the command line: it says what a file is called, and some names mean something else."""

from __future__ import annotations

import asyncio
import sys
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, TypedDict, Unpack

from stt_core.errors import AudioError, ConfigError, ServerError, UnsupportedError
from stt_core.events import SpeechData, SpeechEvent, SpeechEventType
from stt_core.options import CommonOptions, Doc
from stt_core.provider import Capabilities, Carries, ModelFamily, Provider
from stt_core.runner import AudioChunk
from stt_core.stt import STT
from stt_core.transcript import Transcript

if TYPE_CHECKING:
    from stt_core.audio.decode import AudioInput
    from stt_core.config import ModelConfig
    from stt_core.registry import Resolved
    from stt_core.runner import AudioSource, EventSink


class FakeOptions(TypedDict, total=False):
    """What the fake takes."""

    meet: Annotated[int, Doc("How many files have to be there before any is done.")]


PROVIDER = Provider(
    "fake",
    (
        ModelFamily(
            "fake", options=FakeOptions, models=("one",), default_model="one", capabilities=Capabilities(batch=True)
        ),
        ModelFamily("live", options=FakeOptions, models=("deaf", "polite"), capabilities=Capabilities(streaming=True)),
    ),
    client="stt_fake:FakeSTT",
)


class Live:
    """It takes audio and says on stderr when it begins and when the input ends; ``deaf`` never comes to its own end."""

    carries = Carries()

    def __init__(self, *, ends: bool) -> None:
        self._ends = ends

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        """See :class:`stt_core.runner.Runner`."""
        sink.connected()
        print("fake: the input has begun", file=sys.stderr, flush=True)
        while isinstance(await source.receive(), AudioChunk):
            pass
        print("fake: the input has ended", file=sys.stderr, flush=True)
        if not self._ends:
            await asyncio.get_running_loop().create_future()
        sink.emit(SpeechEvent(SpeechEventType.FINAL_TRANSCRIPT, [SpeechData("that was all")]))


class FakeSTT(STT):
    """The fake."""

    provider_name = "fake"

    def __init__(self, model: str | ModelConfig | None = None, **options: Unpack[CommonOptions]) -> None:
        super().__init__(model, **options)
        self._running = 0
        self._most = 0
        self._met = asyncio.Event()

    def create_runner(self, settings: Resolved) -> Live:
        """The model ``one`` hears files only."""
        if settings.model == "one":
            raise UnsupportedError("the fake cannot stream")
        return Live(ends=settings.model == "polite")

    async def recognize_audio(self, audio: AudioInput, settings: Resolved) -> Transcript:
        """What the file's name says."""
        name = PurePath(audio.name).stem
        self._running += 1
        self._most = max(self._most, self._running)
        if self._running >= int(str(settings.options.get("meet", 0))):
            self._met.set()
        await self._met.wait()
        await asyncio.sleep(0)
        self._running -= 1
        match name:
            case "broken":
                raise AudioError(f"{audio.name}: no audio")
            case "refused":
                raise ServerError("the vendor\nfailed")
            case "unasked":
                raise ConfigError("unasked: this is not how to ask")
            case "slow":
                await asyncio.get_running_loop().create_future()
            case "most":
                return Transcript(f"at most {self._most}", duration=2.0)
            case _:
                pass
        return Transcript(f"this is {name}", duration=2.0)
