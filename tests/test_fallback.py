"""Chains: no word is lost when members fail, the caller hears who serves and why, and who was ill is asked again."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, cast
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stt_core
from stt_core.errors import (
    AllProvidersFailedError,
    AudioFileNotFoundError,
    AuthenticationError,
    BadRequestError,
    ConfigError,
    ConnectionLostError,
    ConnectTimeoutError,
    ServerError,
    STTError,
    STTTimeoutError,
    UnsupportedError,
)
from stt_core.events import SpeechEvent, SpeechEventType
from stt_core.fallback import FallbackSTT
from stt_core.jobs import JobBackend, JobInfo, JobStatus
from stt_core.options import ChainOptions, with_defaults
from stt_core.runner import AudioChunk, EndOfInput
from stt_core.testing.clock import virtual_time, virtual_time_run
from stt_core.testing.contract.scripted import TONES
from stt_core.testing.scripted import FULL, Fault, ScriptedRunner, ScriptedSTT, utterance
from stt_core.transcript import Transcript

if TYPE_CHECKING:
    from stt_core.audio.decode import AudioInput
    from stt_core.audio.source import AudioLike
    from stt_core.options import ChainSettings
    from stt_core.provider import Capabilities
    from stt_core.registry import Resolved
    from stt_core.runner import AudioSource, EventSink, Runner

RATE = 16000
PIECE = (np.sin(np.arange(RATE // 20) * 0.3) * 8000).astype("<i2").tobytes()
"""50 ms of something that is no silence: silence is not replayed."""
SCRIPT = [*utterance("one two three four", start=0.5, end=2.5), *utterance("five six", start=4.0, end=5.0)]
WORDS = "one two three four five six"
SWITCHED = SpeechEventType.PROVIDER_SWITCHED
FINAL = SpeechEventType.FINAL_TRANSCRIPT


def chain_settings(**options: float | None) -> ChainSettings:
    return cast("ChainSettings", with_defaults(ChainOptions, options))


def member(*faults: Fault, **options: float) -> ScriptedSTT:
    return ScriptedSTT(SCRIPT, faults=faults, **options)  # pyright: ignore[reportArgumentType]


def refusing(times: int = 99, error: STTError | None = None) -> list[Fault]:
    return [Fault(number, "refuse", error or ConnectionLostError("refused")) for number in range(times)]


class Mute(ScriptedRunner):
    """Takes everything and says nothing."""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        sink.connected()
        while not isinstance(item := await source.receive(), EndOfInput):
            if isinstance(item, AudioChunk):
                self.heard.append((item.start, item.end))
        return


class BlackHole(ScriptedRunner):
    """Never answers."""

    async def run(self, source: AudioSource, sink: EventSink) -> None:
        await asyncio.get_running_loop().create_future()


class With(ScriptedSTT):
    """A member with a runner of another kind, whose files and start may fail."""

    def __init__(
        self,
        runner: type[ScriptedRunner] = ScriptedRunner,
        *,
        file: Transcript | STTError | float | None = None,
        **options: float,
    ) -> None:
        super().__init__(SCRIPT, **options)  # pyright: ignore[reportArgumentType]
        self.runner = runner
        self.file = file
        self.files = 0
        self.prewarmed = 0
        self.ill: STTError | None = None

    def create_runner(self, settings: Resolved) -> Runner:
        runner = self.runner(self.cues, faults=self.faults, carries=self.carries, exact=self.exact)
        self.runners.append(runner)
        return runner

    async def recognize_audio(self, audio: AudioInput, settings: Resolved) -> Transcript:
        with audio.open_binary() as file:
            assert file.read(4)
        self.files += 1
        if isinstance(self.file, STTError):
            raise self.file
        if isinstance(self.file, float):
            await asyncio.sleep(self.file)
        return self.file if isinstance(self.file, Transcript) else Transcript(WORDS)

    async def prewarm(self) -> None:
        self.prewarmed += 1
        if self.ill is not None:
            raise self.ill


async def events_of(stt: FallbackSTT, seconds: float = 6.0) -> list[SpeechEvent]:
    async with stt.stream(sample_rate=RATE) as stream:
        for _ in range(round(seconds * 20)):
            stream.push_frame(PIECE)
            await asyncio.sleep(0.05)
        stream.end_input()
        return [event async for event in stream]


def speech() -> bytes:
    with wave.open(str(Path(__file__).parent / "data" / "speech" / "weather.wav")) as file:
        return file.readframes(file.getnframes()) * 3


def said(events: list[SpeechEvent]) -> str:
    return Transcript.from_finals([event.alternatives[0] for event in events if event.type is FINAL]).text


def switches(events: list[SpeechEvent]) -> list[SpeechEvent]:
    return [event for event in events if event.type is SWITCHED]


# -- live streams --------------------------------------------------------------------------------------------------


@virtual_time
async def test_a_member_that_refuses_hands_the_stream_to_the_next() -> None:
    """At once, with the reason; and no word is missing or there twice."""
    chain = FallbackSTT([member(*refusing(error=AuthenticationError("no", status=401))), member()])
    async with chain:
        events = await events_of(chain)
    (switch,) = switches(events)
    assert isinstance(switch.error, AuthenticationError)
    assert (switch.provider, switch.previous_provider) == ("scripted", "scripted")
    assert said(events) == WORDS
    assert events[0] is switch


@virtual_time
async def test_a_black_hole_costs_its_connect_timeout() -> None:
    """And not a moment more."""
    async with (
        FallbackSTT([With(BlackHole, connect_timeout=0.5), member()]) as chain,
        chain.stream(sample_rate=RATE) as stream,
    ):
        event = await anext(stream)
        assert event.type is SWITCHED
        assert isinstance(event.error, ConnectTimeoutError)
        assert (await anext(stream)).type is SpeechEventType.CONNECTED
        assert asyncio.get_running_loop().time() == pytest.approx(0.5)  # pyright: ignore[reportUnknownMemberType]


@pytest.mark.parametrize("at", [0.6, 1.2, 2.0, 2.7, 3.0, 4.6])
@virtual_time
async def test_members_killed_in_the_middle_of_a_sentence_lose_no_word(at: float) -> None:
    """The first drops and is not there any more, the second takes over and is killed too, the third goes on."""
    first = member(Fault(at, "drop"), *[Fault(number, "refuse") for number in range(1, 99)])
    second = member(Fault(at + 0.3, "drop"), *[Fault(number, "refuse") for number in range(1, 99)])
    async with FallbackSTT([first, second, member()]) as chain:
        events = await events_of(chain)
    assert said(events) == WORDS
    assert len(switches(events)) == 2
    times = [data.start_time for event in events if event.type is FINAL for data in event.alternatives]
    assert times == sorted(time for time in times if time is not None)


@settings(max_examples=60, deadline=None)
@given(
    drops=st.lists(st.floats(0.1, 5.9), max_size=5),
    refusals=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), max_size=6),
    exact=st.booleans(),
    times=st.sampled_from(["session", "none"]),
)
def test_whatever_drops_when_every_word_comes(
    drops: list[float], refusals: list[tuple[int, int]], exact: bool, times: Literal["session", "none"]
) -> None:
    """The last member is always there. Words come once, but where the wire has no times, when they may come twice."""

    def ill(which: int) -> ScriptedSTT:
        faults = [Fault(at, "drop") for at in drops[which::2]]
        faults += [Fault(number, "refuse") for where, number in refusals if where == which]
        return ScriptedSTT(SCRIPT, faults=faults, carries=replace(FULL, times=times), exact=exact)

    async def run() -> list[SpeechEvent]:
        async with FallbackSTT([ill(0), ill(1), member()]) as chain:
            return await events_of(chain)

    events = virtual_time_run(run())
    heard = said(events).split()
    assert list(dict.fromkeys(heard)) == WORDS.split()
    if exact or times == "session":
        assert heard == WORDS.split()
    assert not [event for event in events if event.type is SpeechEventType.AUDIO_LOST]


@virtual_time
async def test_what_may_have_been_said_by_a_member_without_times_is_marked() -> None:
    """The next one has times, and nothing to compare them with: it may repeat, and says so."""
    untimed = ScriptedSTT(SCRIPT, carries=replace(FULL, times="none", words=False), faults=[Fault(3.0, "drop")])
    untimed.faults += [Fault(number, "refuse") for number in range(1, 9)]
    async with FallbackSTT([untimed, member()]) as chain:
        events = await events_of(chain)
    finals = [event for event in events if event.type is FINAL]
    assert [(event.text, event.replayed) for event in finals] == [
        ("one two three four", False),
        ("three four", True),
        ("five six", False),
    ]


@virtual_time
async def test_when_all_fail_the_causes_are_told() -> None:
    """One for each member."""
    async with FallbackSTT(
        [member(*refusing(error=AuthenticationError("key", status=401))), member(*refusing(), max_retries=1)]
    ) as chain:
        with pytest.raises(AllProvidersFailedError) as caught:
            await events_of(chain, 0.0)
    assert [type(cause) for cause in caught.value.causes] == [AuthenticationError, ConnectionLostError]


@virtual_time
async def test_the_deadline_bounds_the_outage() -> None:
    """However many retries would be left."""
    members = [member(*refusing(), max_retries=50) for _ in range(2)]
    async with FallbackSTT(members, chain=chain_settings(deadline=7)) as chain:
        with pytest.raises(AllProvidersFailedError):
            await events_of(chain, 0.0)
    assert asyncio.get_running_loop().time() <= 7


@virtual_time
async def test_a_member_that_hears_speech_and_says_nothing_is_left() -> None:
    """After so much speech, which the next one hears again from the beginning."""
    mute = With(Mute)
    async with (
        FallbackSTT([mute, member()], chain=chain_settings(progress_timeout=2)) as chain,
        chain.stream(sample_rate=RATE) as stream,
    ):
        stream.push_frame(speech())
        stream.end_input()
        events = [event async for event in stream]
    (switch,) = switches(events)
    assert "said nothing" in str(switch.error)
    assert said(events) == WORDS


@virtual_time
async def test_silence_is_no_reason_to_leave_a_member() -> None:
    """Minutes of nothing said, with noise on the line."""
    noise = np.random.default_rng(5).normal(0, 300, 60 * RATE).astype("<i2").tobytes()
    async with (
        FallbackSTT([With(Mute), member()], chain=chain_settings(progress_timeout=2)) as chain,
        chain.stream(sample_rate=RATE) as stream,
    ):
        for _ in range(5):
            await stream.send_frame(noise)
        stream.end_input()
        assert not switches([event async for event in stream])


@virtual_time
async def test_finals_that_do_not_come_at_the_end_are_asked_of_the_next() -> None:
    """A caller who has hung up gets his last words all the same."""
    stalling = member(Fault(4.5, "stall"))
    async with FallbackSTT([stalling, member()]) as chain:
        events = await events_of(chain)
    assert said(events) == WORDS
    assert len(switches(events)) == 1


@virtual_time
async def test_a_flush_is_answered_by_whoever_serves_then() -> None:
    """With the finals of that span."""
    async with (
        FallbackSTT([member(Fault(1.0, "drop"), Fault(1, "refuse")), member()]) as chain,
        chain.stream(sample_rate=RATE) as stream,
    ):
        stream.push_frame(PIECE * 60)
        (final,) = await stream.flush()
        assert final.text == "one two three four"


@virtual_time
async def test_turn_events_that_a_member_does_not_have_are_derived() -> None:
    """And say so; those of the others are theirs."""
    bare = ScriptedSTT(SCRIPT, carries=replace(FULL, turns=False))
    async with FallbackSTT([member(Fault(3.0, "drop"), Fault(1, "refuse")), bare]) as chain:
        events = await events_of(chain)
    kinds = (SpeechEventType.START_OF_SPEECH, SpeechEventType.END_OF_SPEECH)
    assert [(event.type, event.derived) for event in events if event.type in kinds] == [
        (kinds[0], False),
        (kinds[1], False),
        (kinds[0], True),
        (kinds[1], True),
    ]


@virtual_time
async def test_options_reach_a_member_before_it_serves() -> None:
    """Also those that were changed while another one served."""
    seen: list[str | None] = []

    class Noting(With):
        def create_runner(self, settings: Resolved) -> Runner:
            seen.append(settings.language)
            return super().create_runner(settings)

    first = member(Fault(2.0, "drop"), Fault(1, "refuse"))
    async with FallbackSTT([first, Noting()]) as chain, chain.stream(sample_rate=RATE, language="en") as stream:
        stream.push_frame(PIECE * 30)
        await stream.update_options(language="de")
        stream.push_frame(PIECE * 90)
        stream.end_input()
        assert (await stream.transcript()).text == WORDS
    assert seen[-1] == "de"


@virtual_time
async def test_update_options_reaches_all_members_and_their_streams() -> None:
    """Or none, when one does not take it."""
    members = [member(), member()]
    async with FallbackSTT(members) as chain, chain.stream(sample_rate=RATE) as stream:
        await chain.update_options(language="de", drain_timeout=8)
        assert [stt.settings.language for stt in members] == ["de", "de"]
        with pytest.raises(ConfigError):
            await chain.update_options(language="fr", no_such_option=1)
        assert [stt.settings.language for stt in members] == ["de", "de"]
        stream.end_input()


@virtual_time
async def test_local_members_are_made_ready_when_a_stream_opens() -> None:
    """So that they can take over warm."""
    last = With()
    async with FallbackSTT([member(), last]) as chain, chain.stream(sample_rate=RATE):
        await asyncio.sleep(1)
        assert last.prewarmed == 1


# -- who is well ---------------------------------------------------------------------------------------------------


@virtual_time
async def test_a_member_that_failed_is_left_alone_until_a_probe_finds_it_well() -> None:
    """New streams begin with one that is well, and later with the first again; probes carry no audio."""
    first, second = With(), With()
    first.faults = [Fault(0, "refuse")]
    first.ill = ServerError("still down", status=503)
    async with FallbackSTT([first, second], chain=chain_settings(probe_interval=30)) as chain:
        await events_of(chain)
        assert list(chain.down) == [first.settings.label]
        served = len(second.runners)
        await events_of(chain)
        assert len(second.runners) == served + 1
        assert first.runners[-1].heard == []
        await asyncio.sleep(60)
        assert chain.down
        first.ill, first.faults = None, []
        await asyncio.sleep(60)
        assert not chain.down
        assert said(await events_of(chain)) == WORDS
        assert first.runners[-1].heard


@virtual_time
async def test_getting_ready_does_not_wait_for_a_member_that_never_is() -> None:
    """It is ill, and the others are ready."""

    class Hanging(With):
        async def prewarm(self) -> None:
            await asyncio.get_running_loop().create_future()

    def elsewhere(settings: Resolved) -> bool:
        return False

    hanging, last = Hanging(connect_timeout=2), With()
    with patch("stt_core.fallback.is_local", elsewhere):  # the scripted provider is one of this machine
        async with FallbackSTT([hanging, last]) as chain:
            await chain.prewarm()
            assert asyncio.get_running_loop().time() == pytest.approx(2)  # pyright: ignore[reportUnknownMemberType]
            assert [type(error) for error in chain.down.values()] == [ConnectTimeoutError]
            assert last.prewarmed == 1


@virtual_time
async def test_nothing_is_left_behind_when_it_is_closed() -> None:
    """No probe, no member."""
    first = member(*refusing())
    async with FallbackSTT([first, member()]) as chain:
        await events_of(chain)
        assert chain.down
    with pytest.raises(stt_core.StreamClosedError):
        first.stream(sample_rate=RATE)


@virtual_time
async def test_cancelling_is_no_failure() -> None:
    """Of nobody."""
    async with FallbackSTT([With(file=100.0), member()]) as chain:
        task = asyncio.create_task(chain.recognize(b"RIFF" + bytes(100)))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not chain.down


# -- files ---------------------------------------------------------------------------------------------------------


def wav() -> bytes:
    from stt_core.audio import write_wav

    file = io.BytesIO()
    write_wav(file, TONES.data, TONES.format)
    return file.getvalue()


def as_named(data: bytes) -> AudioLike:
    return "a.wav", data


def as_file(data: bytes) -> AudioLike:
    return io.BytesIO(data)


def as_pipe(data: bytes) -> AudioLike:
    return cast("BinaryIO", io.BufferedReader(Pipe(data)))


@pytest.mark.parametrize("make", [bytes, as_named, as_file, as_pipe])
@virtual_time
async def test_a_file_goes_to_the_next_member_whole(make: Callable[[bytes], AudioLike]) -> None:
    """Also when it can be read only once."""
    first, second = With(file=ServerError("down", status=503)), With()
    async with FallbackSTT([first, second]) as chain:
        assert (await chain.recognize(make(wav()))).text == WORDS
        assert (first.files, second.files) == (1, 1)
        assert list(chain.down) == [first.settings.label]
        await chain.recognize(wav())
        assert (first.files, second.files) == (1, 2)


class Pipe(io.RawIOBase):
    """Can be read once."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._file.readinto(buffer)


@virtual_time
async def test_a_member_that_hangs_takes_half_of_the_time_at_most() -> None:
    """The rest is for those behind it."""
    async with FallbackSTT([With(file=1000.0), With(file=30.0)]) as chain:
        assert (await chain.recognize(wav(), timeout=100)).text == WORDS
        assert asyncio.get_running_loop().time() == pytest.approx(80)  # pyright: ignore[reportUnknownMemberType]
    async with FallbackSTT([With(file=1000.0), With(file=1000.0)], chain=chain_settings(deadline=10)) as chain:
        with pytest.raises(AllProvidersFailedError) as caught:
            await chain.recognize(wav())
        assert [type(cause) for cause in caught.value.causes] == [STTTimeoutError, STTTimeoutError]


@virtual_time
async def test_what_is_wrong_with_the_audio_or_the_call_is_nobodys_failure() -> None:
    """It is raised, and no member is ill for it."""
    async with FallbackSTT([With(), With()]) as chain:
        with pytest.raises(AudioFileNotFoundError):
            await chain.recognize("/no/such/file.wav")
        with pytest.raises(ConfigError, match="no_such"):
            await chain.recognize(wav(), no_such=1)
        with pytest.raises(ConfigError, match="poll_interval"):
            await chain.recognize(wav(), poll_interval=1)
        assert not chain.down


class Jobs(JobBackend):
    """Takes every job, or none."""

    def __init__(self, error: STTError | None = None) -> None:
        self.error = error

    async def submit(self, audio: AudioInput, settings: Resolved) -> str:
        if self.error is not None:
            raise self.error
        return "job-1"

    async def status(self, job_id: str, settings: Resolved) -> JobStatus:
        return JobStatus("done", "done")

    async def info(self, job_id: str, settings: Resolved) -> JobInfo:
        return JobInfo(job_id, "done", "done")

    async def result(self, job_id: str, settings: Resolved) -> Transcript:
        return Transcript(WORDS, job_id=job_id)


class JobSTT(ScriptedSTT):
    """Recognises files by jobs."""

    def __init__(self, error: STTError | None = None) -> None:
        super().__init__(SCRIPT)
        self.error = error

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, jobs=True)

    def create_jobs(self) -> JobBackend:
        return Jobs(self.error)

    def uses_jobs(self, settings: Resolved) -> bool:
        return True


@virtual_time
async def test_jobs_go_to_the_first_member_that_takes_them() -> None:
    """Whoever has none is passed over; whose a job is only its id's giver knows."""
    async with FallbackSTT([With(), JobSTT(ServerError("down", status=503)), JobSTT()]) as chain:
        job = await chain.submit(wav())
        assert (await job.result()).text == WORDS
        assert (await chain.recognize(wav(), poll_interval=1)).text == WORDS
        for call in (lambda: chain.job("a"), chain.list_jobs):
            with pytest.raises(UnsupportedError, match="which member"):
                call()
    async with FallbackSTT([With(), With()]) as chain:
        with pytest.raises(UnsupportedError, match="no member"):
            await chain.submit(wav())


@virtual_time
async def test_refusals_of_the_request_go_on_to_the_next_member() -> None:
    """Another vendor may take what one does not."""
    async with FallbackSTT([With(file=BadRequestError("too long", status=400)), With()]) as chain:
        assert (await chain.recognize(wav())).text == WORDS


# -- made from a string --------------------------------------------------------------------------------------------


async def test_a_string_makes_a_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options go to all; what is about a network to those that have one; each member's own are in its part."""
    monkeypatch.setenv("CARTESIA_API_KEY", "from the environment")
    async with stt_core.create_stt(
        "cartesia/ink-whisper:en?min_volume=0.2 | pocketsphinx/en-us",
        max_retries=2,
        proxy="http://localhost:9",
        deadline=30,
    ) as stt:
        assert isinstance(stt, FallbackSTT)
        assert repr(stt) == "<FallbackSTT cartesia/ink-whisper | pocketsphinx/en-us>"
        cartesia, engine = stt.members
        assert cartesia.options["min_volume"] == 0.2
        assert cartesia.stt["proxy"] == "http://localhost:9"
        assert (cartesia.stt["max_retries"], engine.stt["max_retries"]) == (2, 2)
        assert engine.stt["proxy"] is None
        assert stt.capabilities.streaming
        assert (cartesia.family.capabilities.turns, engine.family.capabilities.turns) == (False, True)
        assert not stt.capabilities.turns


def test_credentials_of_a_chain_are_given_by_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """One key for all would be sent to the wrong vendor."""
    monkeypatch.delenv("CARTESIA_API_KEY", raising=False)
    config = "cartesia/ink-2 | pocketsphinx/en-us"
    stt_core.create_stt(config, api_key={"cartesia": "secret-of-cartesia"})
    with pytest.raises(ConfigError, match="mapping from provider to credential") as caught:
        stt_core.create_stt(config, api_key="secret-of-cartesia")
    assert "secret" not in str(caught.value)
    for nobodys in ({}, {"kotoba": "secret-of-kotoba"}):
        with pytest.raises(ConfigError, match="CARTESIA_API_KEY"):
            stt_core.create_stt(config, api_key=nobodys)
    with pytest.raises(ConfigError, match="cartesia"):
        stt_core.create_stt(config, api_key={"cartsia": "secret-of-cartesia"})


def test_the_same_credentials_serve_whatever_the_string_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that has keys for several vendors does not change when its string does."""
    for name in ("CARTESIA_API_KEY", "SPEECHMATICS_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    keys = {"cartesia": "secret-of-cartesia", "speechmatics": "secret-of-speechmatics"}
    for config in ("cartesia/ink-2", "speechmatics/enhanced", "cartesia/ink-2 | speechmatics/enhanced", "pocketsphinx"):
        stt_core.create_stt(config, api_key=keys)


def test_an_option_that_a_member_does_not_take_is_refused() -> None:
    """Nothing is accepted and then dropped."""
    with pytest.raises(ConfigError, match="min_volume"):
        stt_core.create_stt("cartesia/ink-whisper | pocketsphinx/en-us", min_volume=0.2, api_key={"cartesia": "k"})
    with pytest.raises(ConfigError, match="deadline"):
        stt_core.create_stt("pocketsphinx/en-us", deadline=3)


def test_a_chain_without_async() -> None:
    """Its twin is the same as any other's."""
    members: Sequence[ScriptedSTT] = [member(*refusing()), member()]
    with FallbackSTT(members).sync() as stt, stt.stream(sample_rate=RATE) as stream:
        stream.push_frame(PIECE * 120)
        stream.end_input()
        assert "".join(stream.text()).strip() == WORDS
