"""The fault matrix over the WebSocket: no word is lost, and none comes twice where the wire tells what was processed.

Two servers are behind it: our own half, which says turns, and one that says each word as soon as it has heard it, with
a resume point behind every one.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from stt_core.errors import AuthenticationError, BadRequestError, DrainTimeoutError, QuotaError, STTError
from stt_core.events import SpeechEvent, SpeechEventType
from stt_core.factory import create_stt
from stt_core.server import Host
from stt_core.testing.counted import CountedSTT, counted_audio
from stt_core.testing.faults import (
    EVERY,
    Accepted,
    Alter,
    AudioSent,
    AudioWire,
    BlackHole,
    ClientSends,
    Close,
    Corrupt,
    Delay,
    DelayResults,
    Drop,
    Duplicate,
    FaultProxy,
    FaultServer,
    HalfOpen,
    KeepOpen,
    Peer,
    Plan,
    Refuse,
    Repeat,
    ScriptedServer,
    Send,
    ServerSends,
    Stall,
    Status,
    StopReading,
    Swallow,
    base64_audio,
    matching,
)
from stt_core.testing.scripted import utterance

if TYPE_CHECKING:
    from stt_core.testing.faults.messages import Match
    from stt_core.testing.faults.plan import SocketFault

KEY = "kotoba_test"
RATE = 16000
STEP = RATE // 100  # samples that counted audio marks alike
SENTENCES = [("the quick brown fox jumps", 0.5, 3.0), ("over a lazy dog", 4.0, 6.0), ("and runs away again", 7.0, 9.0)]
WORDS = " ".join(text for text, _, _ in SENTENCES).split()
SCRIPT = [cue for text, start, end in SENTENCES for cue in utterance(text, start=start, end=end)]
AUDIO = counted_audio(10.0, voiced=[(start, end) for _, start, end in SENTENCES])
WIRE = AudioWire(audio_of=base64_audio("audio", type="input_audio_buffer.append"))

DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"
COMMITTED = "input_audio_buffer.committed"
FINAL = SpeechEventType.FINAL_TRANSCRIPT

is_result = matching(type=DELTA)
is_turn = matching(type=COMPLETED)
is_commit = matching(type="input_audio_buffer.commit")


def spans(sentences: Sequence[tuple[str, float, float]]) -> list[tuple[str, int, int]]:
    """Every word with its first step and the one behind its last."""
    found: list[tuple[str, int, int]] = []
    for text, start, end in sentences:
        words = text.split()
        length = (end - start) * 100 / len(words)
        found += [
            (word, round(start * 100 + index * length), round(start * 100 + (index + 1) * length))
            for index, word in enumerate(words)
        ]
    return found


class Listener:
    """Kotoba, word by word: what it hears of counted audio, with times and a resume point behind every word."""

    def __init__(self, sentences: Sequence[tuple[str, float, float]] = SENTENCES, *, completes: bool = True) -> None:
        self.spans = spans(sentences)
        self.completes = completes

    async def __call__(self, peer: Peer) -> None:
        await say(peer, "transcription_session.created", event_id="e")
        heard: dict[int, int] = {}  # step -> samples of the session up to its end
        at = quiet = 0
        timed = vad = False
        turn: list[str] = []
        async for text in peer:
            message = json.loads(text)
            kind = message["type"]
            if kind == "transcription_session.update":
                timed = message["session"]["input_audio_transcription"].get("timestamps", False)
                vad = message["session"]["turn_detection"] is not False
                await say(peer, "transcription_session.updated", event_id="e", session=message["session"])
            elif kind == "input_audio_buffer.append":
                levels = np.abs(np.frombuffer(base64.b64decode(message["audio"]), "<i2").astype(np.int32))
                for offset in np.flatnonzero(levels):
                    heard[int(levels[offset]) - 4096] = at + int(offset) + 1
                at += len(levels)
                quiet = 0 if levels.any() else quiet + len(levels)
                for word, first, end in self.new(heard, turn):
                    times = {"start_ms": heard[first] / 16 - 10, "end_ms": heard[end - 1] / 16}
                    fields = {**times, "audio_processed_ms": times["end_ms"]} if timed else {}
                    await say(peer, DELTA, item_id=None, delta=f" {word}" if turn else word, **fields)
                    turn.append(word)
                if vad and quiet >= 0.4 * RATE and turn:
                    await say(peer, COMPLETED, item_id="i", transcript=" ".join(turn))
                    turn.clear()
            elif kind == "input_audio_buffer.commit":
                if turn and self.completes:
                    await say(peer, COMPLETED, item_id="i", transcript=" ".join(turn))
                await say(peer, COMMITTED, event_id="e")

    def new(self, heard: dict[int, int], turn: list[str]) -> Iterator[tuple[str, int, int]]:
        """The words that are heard whole, each once in a session; they are forgotten as they are said."""
        for word, first, end in self.spans:
            if first in heard and end - 1 in heard and heard[first] < heard[end - 1]:
                yield word, first, end
                for step in range(first, end):
                    heard.pop(step, None)


async def say(peer: Peer, kind: str, **fields: object) -> None:
    await peer.send(json.dumps({"type": kind, **fields}))


@asynccontextmanager
async def vendor(server: str, plan: Plan) -> AsyncGenerator[FaultServer]:
    """Kotoba on a bad network: its server half, with a provider behind that hears what is in the audio, or words."""
    if server == "words":
        async with ScriptedServer(Listener(), plan, audio=WIRE) as network:
            yield network
    else:
        stt = CountedSTT(SCRIPT)
        async with stt, Host(stt) as host, FaultProxy(host.urls["kotoba"], plan, audio=WIRE) as network:
            yield network
    assert not list(network.places_of(KEY, allowed_headers=["authorization"]))


@pytest.fixture(autouse=True)
def no_key_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever goes wrong, at whatever level: the key is not in a record (promise S12)."""
    caplog.set_level("DEBUG", "stt_core")
    yield
    records = caplog.get_records("call")
    assert records
    assert not [record for record in records if KEY in repr(vars(record)) + record.getMessage()]


async def call(network: FaultServer, audio: bytes = AUDIO, **options: object) -> list[SpeechEvent]:
    """Ten seconds of speech, twenty times faster than real."""
    stt = create_stt(
        "kotoba/realtime:en",
        api_key=KEY,
        base_url=network.url,
        max_pace=20.0,
        retry_interval=0.05,
        max_retries=8,
        liveness_timeout=1.0,
        connect_timeout=1.0,
        **cast("dict[str, bool]", options),
    )
    async with stt, stt.stream(sample_rate=RATE) as stream:
        await stream.send_frame(audio)
        stream.end_input()
        return [event async for event in stream]


def said(events: Sequence[SpeechEvent]) -> list[str]:
    return " ".join(event.text for event in events if event.type is FINAL).split()


def check_nothing_is_missing(events: Sequence[SpeechEvent]) -> None:
    """An estimate may repeat a word or two for each reconnect, marked as replayed."""
    words = said(events)
    remaining = iter(words)
    missing = [word for word in WORDS if word not in remaining]
    assert not missing, words
    assert not Counter(words) - Counter(WORDS) or any(event.replayed for event in events if event.type is FINAL)


DROPS: dict[str, list[SocketFault]] = {
    "at once": [Drop(Accepted())],
    "in silence": [Drop(AudioSent(0.2))],
    "in the first word": [Drop(AudioSent(0.7))],
    "in the middle": [Drop(AudioSent(1.7))],
    "between sentences": [Drop(AudioSent(3.5))],
    "before a delta": [Drop(ServerSends(is_result, 2, "before"))],
    "during a delta": [Drop(ServerSends(is_result, 2, "during"))],
    "after a delta": [Drop(ServerSends(is_result, 2, "after"))],
    "before a final": [Drop(ServerSends(is_turn, 0, "before"))],
    "during a final": [Drop(ServerSends(is_turn, 0, "during"))],
    "after a final": [Drop(ServerSends(is_turn, 0, "after"))],
    "before the last final": [Drop(ServerSends(is_turn, 2, "before"))],
    "before committed": [Drop(ServerSends(matching(type=COMMITTED), 0, "before"))],
    "closed before committed": [Close(1000, "", ClientSends(is_commit)), Swallow(matching(type=COMMITTED))],
    "in good order": [Drop(AudioSent(1.7), "eof")],
    "with an outage": [Drop(AudioSent(1.0), outage=0.3)],
    "half open": [HalfOpen(AudioSent(1.7))],
    "1000": [Close(1000, "", AudioSent(1.7))],
    "1001": [Close(1001, "going away", AudioSent(1.7))],
    "1011": [Close(1011, "", AudioSent(4.5))],
    "no code": [Close(None, "", AudioSent(1.7))],
    "never updated": [Swallow(matching(type="transcription_session.updated"))],
    "no capacity": [Send(['{"type":"error","code":"capacity","message":"No available batch slot"}'], AudioSent(1.7))],
    "an error": [Send(['{"type":"error","error":"internal"}'], AudioSent(1.7))],
    "fal's error": [Send(['{"type":"x-fal-error","message":"gone","code":"503"}'])],
    "not json": [Corrupt("truncated", nth=2)],
    "oversized": [Corrupt("oversized", nth=2)],
    "bad utf-8": [Corrupt("bad utf-8", nth=2)],
    "bad opcode": [Corrupt("bad opcode", nth=2)],
    "late": [Delay(0.2)],
    "refused": [Refuse()],
    "black hole": [BlackHole()],
    "503": [Status(503, retry_after=0.1)],
    "500": [Status(500, "oops")],
    "429": [Status(429, retry_after=0.1)],
    "slow reader": [StopReading(AudioSent(1.0), seconds=0.3)],
}


OURS = ("in the first word", "in the middle", *(fault for fault in DROPS if "final" in fault), "before committed")
"""Those that depend on what the server says when, over our own half too."""


@pytest.mark.parametrize(
    ("server", "fault"), [*(("words", fault) for fault in DROPS), *(("turns", fault) for fault in OURS)]
)
async def test_every_word_comes_once(server: str, fault: str) -> None:
    """On the first connection something happens; every word is in the finals, once, and none is heard again."""
    async with vendor(server, {0: DROPS[fault]}) as network:
        events = await call(network)
        sent = network.audio_bytes / 2 / RATE
    assert said(events) == WORDS
    assert {event.settlement for event in events if event.type is FINAL and not event.promoted} == {"exact"}
    assert not [event for event in events if event.type is SpeechEventType.AUDIO_LOST]
    # What was unsettled: a sentence and the pause behind it, and what was on its way.
    assert sent <= 10.0 + 5.0


@pytest.mark.parametrize("timestamps", [True, False])
@pytest.mark.parametrize("seed", range(4))
async def test_no_word_is_lost_when_results_come_late(timestamps: bool, seed: int) -> None:
    """Results lag by 0.3 to 2 s of audio, and every connection is cut somewhere; with times each word comes once."""
    plan: dict[int, list[SocketFault]] = {
        number: [DelayResults(seed), Drop(AudioSent(0.9 + (seed * 7 + number * 3) % 5))] for number in range(4)
    }
    plan |= {number: [DelayResults(seed)] for number in range(4, 12)}
    async with vendor("words", plan) as network:
        events = await call(network, timestamps=timestamps)
    if timestamps:
        assert said(events) == WORDS
    else:
        check_nothing_is_missing(events)


def having(field: str) -> Match:
    return lambda message: isinstance(message, str) and f'"{field}"' in message


NO_TIMES = Alter(missing=["start_ms", "end_ms", "audio_processed_ms"], match=having("start_ms"))


@pytest.mark.parametrize("asked", [True, False], ids=["not given", "not asked for"])
@pytest.mark.parametrize("fault", ["in the middle", "before a delta", "after a final", "before committed", "1011"])
async def test_without_times_no_word_is_lost(fault: str, asked: bool) -> None:
    """What is said twice then is marked as replayed; a deployment may also not know what it was asked for."""
    async with vendor("words", {0: DROPS[fault], EVERY: [NO_TIMES]}) as network:
        check_nothing_is_missing(await call(network, timestamps=asked))


async def test_the_next_connection_begins_at_the_resume_point() -> None:
    """`audio_processed_ms`: in the middle of a sentence, and nothing before it goes over the wire again."""
    text = " ".join(f"word{number}" for number in range(24))
    sentences = [(text, 0.0, 12.0)]
    audio = counted_audio(12.5, voiced=[(0.0, 12.0)])
    listener = Listener(sentences)
    async with ScriptedServer(listener, {0: [Drop(AudioSent(6.2), "eof")]}, audio=WIRE) as network:
        events = await call(network, audio)
        last = [json.loads(answer) for answer in network.connections[0].answers if DELTA in answer][-1]
        first = abs(int(np.frombuffer(network.connections[1].audio[:2], "<i2")[0])) - 4096
    assert said(events) == text.split()
    assert first * 10 == round(last["audio_processed_ms"] / 10) * 10
    finals = [event for event in events if event.type is FINAL]
    assert len(finals) == 2, "what was heard before the drop is kept, and the rest is another final"


@pytest.mark.parametrize("completes", [True, False])
async def test_without_turns_a_final_comes_once_at_the_end(completes: bool) -> None:
    """7.4: whether `completed` follows `commit` or not, and whatever was lost on the way."""
    plan = {0: [Drop(AudioSent(5.0))]}
    async with ScriptedServer(Listener(completes=completes), plan, audio=WIRE) as network:
        events = await call(network, turn_detection=False)
    assert said(events) == WORDS


@pytest.mark.parametrize(
    ("status", "error"), [(400, BadRequestError), (401, AuthenticationError), (402, QuotaError), (404, STTError)]
)
async def test_a_refusal_for_good_is_one_attempt(status: int, error: type[STTError]) -> None:
    """The vendor's status and words, once, and no key in it."""
    async with vendor("words", [Status(status, '{"detail":"because of this"}')]) as network:
        with pytest.raises(error, match="because of this") as caught:
            await call(network)
        assert len(network.connections) == 1
    assert KEY not in repr(caught.value) + str(caught.value)


async def test_rejected_settings_are_not_retried() -> None:
    """An error frame with a code that will not pass: 7.6."""
    refusal = {"type": "invalid_request_error", "code": "unsupported_language", "message": "no ko", "param": "language"}
    message = json.dumps({"type": "error", "error": refusal})
    async with vendor("words", [Send([message])]) as network:
        with pytest.raises(BadRequestError, match="no ko") as caught:
            await call(network)
        assert len(network.connections) == 1
    assert (caught.value.code, caught.value.status) == ("unsupported_language", 400)


NUISANCES: dict[str, list[SocketFault]] = {
    "unknown fields": [Alter(values={"turn_id": 7, "novelty": {"a": [1]}})],
    "no item ids": [Alter(missing=["item_id"], match=having("item_id"))],
    "no event ids": [Alter(missing=["event_id"], match=having("event_id"))],
    "no times": [Alter(missing=["start_ms", "end_ms"], match=having("start_ms"))],
    "null times": [Alter(values={"start_ms": None, "end_ms": None}, match=having("start_ms"))],
    "unknown messages": [Send(['{"type":"news","text":"x"}'], AudioSent(1.0))],
    "empty deltas": [Repeat(json.dumps({"type": DELTA, "delta": ""}), 0.02)],
}


@pytest.mark.parametrize("server", ["turns", "words"])
@pytest.mark.parametrize("nuisance", NUISANCES)
async def test_what_may_be_missing_or_new_changes_no_word(server: str, nuisance: str) -> None:
    """Optional fields, nulls, unknown fields and unknown messages cost nothing, not even a reconnect."""
    async with vendor(server, NUISANCES[nuisance]) as network:
        events = await call(network)
        assert len(network.connections) == 1
    assert said(events) == WORDS


LIES: dict[str, list[SocketFault]] = {
    "a delta twice": [Duplicate(is_result)],
    "a turn twice": [Duplicate(is_turn)],
    "a delta that never comes": [Swallow(is_result, nth=1)],
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_vendor_that_lies_loses_no_word(lie: str) -> None:
    """`completed` has the turn whole, whatever its deltas were."""
    async with vendor("words", {0: LIES[lie]}) as network:
        events = await call(network)
    remaining = iter(said(events))
    assert all(word in remaining for word in WORDS)


@pytest.mark.parametrize("nothing", ["silence", "empty deltas"])
async def test_an_end_that_is_never_acknowledged(nothing: str) -> None:
    """After drain_timeout the stream ends: clean, because the resume point says that every word came."""
    noise = Stall(ClientSends(is_commit))
    if nothing == "empty deltas":
        noise = Repeat(json.dumps({"type": DELTA, "delta": ""}), 0.05, ClientSends(is_commit))
    plan: list[SocketFault] = [KeepOpen(), Swallow(matching(type=COMMITTED)), noise]
    async with vendor("words", plan) as network:
        events: list[SpeechEvent] = []
        stt = create_stt("kotoba/realtime:en", api_key=KEY, base_url=network.url, max_pace=20.0, drain_timeout=0.5)
        async with stt, stt.stream(sample_rate=RATE) as stream:
            await stream.send_frame(AUDIO)
            stream.end_input()
            with suppress(DrainTimeoutError):
                async for event in stream:
                    events.append(event)  # noqa: PERF401  (what came before the error counts)
        assert len(network.connections) == 1
    assert said(events) == WORDS


# -- without a fault -----------------------------------------------------------------------------------------------


async def test_the_first_delta_comes_before_the_source_ends() -> None:
    """Feeder and receiver run side by side: a source that waits for the first word gets it."""
    heard = asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        for at in range(0, len(AUDIO), 640):
            if at == 2 * RATE * 2:
                await heard.wait()
            yield AUDIO[at : at + 640]

    async with vendor("words", ()) as network:
        stt = create_stt("kotoba/realtime:en", api_key=KEY, base_url=network.url, max_pace=20.0)
        async with asyncio.timeout(20), stt, stt.stream(sample_rate=RATE, source=source()) as stream:
            pieces: list[str] = []
            async for piece in stream.text():
                pieces.append(piece)
                heard.set()
            transcript = await stream.transcript()
    assert "the quick brown".startswith(pieces[0]), "deltas are increments, and told as they come"
    assert "".join(pieces) == transcript.text == " ".join(WORDS)


async def test_a_flush_is_a_new_session_that_hears_nothing_again() -> None:
    """There is no other way to finalise; times go on, and the text behind the flush is not repeated."""
    async with vendor("words", ()) as network:
        stt = create_stt("kotoba/realtime:en", api_key=KEY, base_url=network.url, max_pace=20.0, turn_detection=False)
        async with stt, stt.stream(sample_rate=RATE) as stream:
            await stream.send_frame(AUDIO[: 7 * RATE])
            first = await stream.flush()
            await stream.send_frame(AUDIO[7 * RATE :])
            second = await stream.flush()
            stream.end_input()
            events = [event async for event in stream]
        assert [len(connection.texts) for connection in network.connections] == [2, 2, 2], "an update and a commit"
    assert [event.text for event in first] == ["the quick brown fox jumps"]
    assert [event.text for event in second] == ["over a lazy dog and runs away again"]
    assert said(events) == WORDS
    times = [(event.alternatives[0].start_time, event.alternatives[0].end_time) for event in (*first, *second)]
    assert times == [(0.5, 3.0), (4.0, 9.0)]


async def test_a_turn_ends_although_the_microphone_has_stopped() -> None:
    """Only audio lets a turn end: silence takes the place of what is not pushed, and is counted apart."""
    async with vendor("words", ()) as network:
        stt = create_stt("kotoba/realtime:en", api_key=KEY, base_url=network.url, max_pace=20.0)
        async with asyncio.timeout(20), stt, stt.stream(sample_rate=RATE) as stream:
            await stream.send_frame(AUDIO[: 6 * RATE])
            text = await anext(event.text async for event in stream if event.type is FINAL)
            assert text == "the quick brown fox jumps"
            assert stream.usage.injected_duration > 0


async def test_files_are_streamed_where_there_is_only_a_socket() -> None:
    """`kotoba` alone, with the WebSocket's address and no other."""
    async with vendor("words", ()) as network:
        stt = create_stt("kotoba:en", api_key=KEY, ws_url=f"{network.url}/asr?x=1".replace("http", "ws"), max_pace=20.0)
        async with stt:
            transcript = await stt.recognize(AUDIO, sample_rate=RATE, encoding="pcm_s16le")
            head = network.connections[0].head
    assert transcript.text.split() == WORDS
    assert head.target == "/asr?x=1", "the address is used as it is"
    assert head.headers["Authorization"] == f"Bearer {KEY}"


async def test_fal_gets_its_key_in_its_own_way() -> None:
    """`Key` instead of `Bearer`. It is reached through a proxy here, which sees whole addresses."""
    address = "ws://fal.run/Kotoba-Technologies/kotoba-streaming-stt/v1/realtime"
    async with vendor("words", ()) as network:
        stt = create_stt("kotoba/realtime:en", api_key=KEY, ws_url=address, proxy=network.url, max_pace=20.0)
        async with stt, stt.stream(sample_rate=RATE) as stream:
            await stream.send_frame(AUDIO)
            stream.end_input()
            assert (await stream.transcript()).text.split() == WORDS
        head = network.connections[0].head
    assert head.target == address.replace("ws", "http", 1)
    assert head.headers["Authorization"] == f"Key {KEY}"
