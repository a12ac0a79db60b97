"""The codec of a gateway session; the sections are those of the protocol notes that the vectors are from."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.audio.frames import AudioFormat
from stt_core.config import parse as parse_config
from stt_core.errors import BadRequestError, ProtocolError, ServerError
from stt_core.events import SpeechData, SpeechEvent, SpeechEventType
from stt_core.registry import resolve
from stt_core.transcript import Transcript
from stt_core.transport.codec import Acknowledged, Failed, Finished, Finishing, IdlePolicy, Opened, Reply
from stt_livekit.codec import GatewayCodec, Habits

if TYPE_CHECKING:
    from stt_core.registry import Resolved
    from stt_core.transport.codec import Incoming, Message

START = SpeechEventType.START_OF_SPEECH
INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
PREFLIGHT = SpeechEventType.PREFLIGHT_TRANSCRIPT
CANCELLED = SpeechEventType.PREFLIGHT_CANCELLED
FINAL = SpeechEventType.FINAL_TRANSCRIPT
END = SpeechEventType.END_OF_SPEECH
LIVE = AudioFormat(16000)
CLOSE = Reply(('{"type":"session.close"}',))
QUIET = Finishing(3.0)


def settings_of(config: str, **options: object) -> Resolved:
    return resolve(parse_config(config)[0], options)


def codec(
    config: str = "livekit/deepgram/nova-3:en",
    *,
    pushed: AudioFormat = LIVE,
    habits: Habits | None = None,
    **options: object,
) -> GatewayCodec:
    return GatewayCodec(settings_of(config, **options), pushed, habits=habits)


def sent(messages: Sequence[Message] | None) -> list[object]:
    return [json.loads(message) for message in messages or ()]


def created(at: GatewayCodec) -> dict[str, object]:
    (message,) = at.opening()
    document: dict[str, object] = json.loads(message)
    return document


def extra(at: GatewayCodec) -> object:
    settings = created(at)["settings"]
    assert isinstance(settings, dict)
    return settings["extra"]  # pyright: ignore[reportUnknownVariableType]


def say(at: GatewayCodec, kind: str, /, **fields: object) -> Sequence[Incoming]:
    return at.receive(json.dumps({"type": kind, **fields}))


def event(at: GatewayCodec, kind: str, transcript: str, /, **fields: object) -> SpeechEvent:
    found = [item for item in say(at, kind, transcript=transcript, **fields) if isinstance(item, SpeechEvent)]
    return next(each for each in found if each.type in (INTERIM, PREFLIGHT, FINAL))


def data(at: GatewayCodec, kind: str, transcript: str, /, **fields: object) -> SpeechData:
    return event(at, kind, transcript, **fields).alternatives[0]


def kinds(items: Sequence[Incoming]) -> list[SpeechEventType]:
    return [item.type for item in items if isinstance(item, SpeechEvent)]


def word(text: str, start: float | None = None, end: float | None = None, **fields: object) -> dict[str, object]:
    times = {} if start is None else {"start": start, "end": end}
    return {"word": text, **times, **fields}


# -- what is said: section 1.2 -------------------------------------------------------------------------------------


def test_the_session_of_livekits_own_client() -> None:
    """1.2, newest dialect, with its defaults; `connection` is about the gateway's attempts, not ours."""
    assert created(codec("livekit/deepgram/nova-3:en", max_retries=9, connect_timeout=1.0)) == {
        "type": "session.create",
        "model": "deepgram/nova-3",
        "settings": {"sample_rate": "16000", "encoding": "pcm_s16le", "language": "en", "extra": {}},
        "connection": {"timeout": 10.0, "retries": 3},
    }
    assert codec().url == "wss://agent-gateway.livekit.cloud/v1/stt?model=deepgram/nova-3"


def test_no_model_and_no_language() -> None:
    """The gateway chooses; nothing is in the query (D16)."""
    at = codec("livekit")
    assert at.url == "wss://agent-gateway.livekit.cloud/v1/stt"
    assert "model" not in created(at)
    assert created(at)["settings"] == {"sample_rate": "16000", "encoding": "pcm_s16le", "extra": {}}
    at = codec("livekit/auto")
    assert at.url.endswith("/stt?model=auto")
    assert "model" not in created(at)


def test_options_go_upstream_under_their_own_names() -> None:
    """1.6: pairs are lists in JSON; what the user merges in is not looked at; nothing that was not set is there."""
    at = codec(
        "livekit/deepgram/nova-2",
        filler_words=False,
        endpointing=50,
        keywords=[("Acme", 1.5)],
        interim_results=True,
        extra={"channels": 2, "endpointing": 60},
    )
    assert extra(at) == {
        "filler_words": False,
        "endpointing": 60,
        "keywords": [["Acme", 1.5]],
        "interim_results": True,
        "channels": 2,
    }


@pytest.mark.parametrize(
    ("config", "options", "sends"),
    [
        ("deepgram/nova-3", {"keyterms": ["a", "b"]}, {"keyterm": ["a", "b"]}),
        ("deepgram/nova-3", {"keyterm": "a"}, {"keyterm": "a"}),
        ("deepgram/nova-2", {"keyterms": ["a", ("b", 2.0)]}, {"keywords": [["a", 1.0], ["b", 2.0]]}),
        ("deepgram/nova-3", {"diarization": True, "punctuation": False}, {"diarize": True, "punctuate": False}),
        ("deepgram/nova-3", {"profanity_filter": True}, {"profanity_filter": True}),
        ("deepgram/flux-general", {"keyterms": ["a"], "eot_threshold": 0.8}, {"keyterm": ["a"], "eot_threshold": 0.8}),
        ("cartesia/ink-2", {"keyterms": ["a"]}, {"keyterm": ["a"]}),
        ("cartesia/ink-whisper", {"min_volume": 0.1, "punctuation": True}, {"min_volume": 0.1}),
        ("assemblyai", {"keyterms": ["a"], "diarization": True}, {"keyterms_prompt": ["a"], "speaker_labels": True}),
        ("assemblyai", {"punctuation": True}, {"format_turns": True}),
        ("speechmatics/enhanced", {"keyterms": ["a"]}, {"additional_vocab": [{"content": "a"}]}),
        ("speechmatics/enhanced", {"diarization": True}, {"diarization": "speaker"}),
        ("speechmatics/standard", {"diarization": False}, {"diarization": "none"}),
        ("speechmatics/linden-1", {"diarization": "channel"}, {"diarization": "channel"}),
        ("speechmatics/enhanced", {"punctuation": False}, {"punctuation_overrides": {"permitted_marks": []}}),
        ("speechmatics/enhanced", {"punctuation": True}, {}),
        ("xai/stt-1", {"diarization": True, "interim_results": False}, {"diarize": True, "interim_results": False}),
        ("assemblyai", {"interim_results": False}, {}),
        ("google/gemini-3.5-transcribe-live", {"keyterms": ["a"]}, {"custom_vocabulary": ["a"]}),
        ("openai/gpt-live-transcribe", {"keyterms": ["a"]}, {"keywords": ["a"]}),
        ("acme/one", {"extra": {"whatever": [1]}}, {"whatever": [1]}),
    ],
)
def test_portable_options_become_the_vendors(config: str, options: dict[str, object], sends: object) -> None:
    """1.6: each upstream provider has its own name for the terms to listen for and for telling speakers apart."""
    assert extra(GatewayCodec(settings_of(f"livekit/{config}", **options), LIVE)) == sends


def test_models_to_fall_back_on() -> None:
    """1.2: in their order, with their own extra or null; the gateway's own attempts can be set."""
    at = codec(
        fallback=["cartesia/ink-whisper", {"model": "assemblyai", "extra": {"format_turns": True}}],
        gateway_timeout=2.5,
        gateway_retries=0,
    )
    assert created(at)["fallback"] == {
        "models": [
            {"model": "cartesia/ink-whisper", "extra": None},
            {"model": "assemblyai", "extra": {"format_turns": True}},
        ]
    }
    assert created(at)["connection"] == {"timeout": 2.5, "retries": 0}
    assert extra(at) == {}


@pytest.mark.parametrize(
    ("config", "pushed", "rate"),
    [
        ("livekit/deepgram/nova-3", AudioFormat(48000, 2), 48000),
        ("livekit/deepgram/nova-3", AudioFormat(8000, 1, "pcm_mulaw"), 8000),
        ("livekit/deepgram/nova-3", AudioFormat(44100, 1, "pcm_f32le"), 44100),
        ("livekit/deepgram/nova-3", AudioFormat(96000), 48000),
        ("livekit/deepgram/nova-3?upstream_sample_rate=16000", AudioFormat(48000), 16000),
        ("livekit/openai", AudioFormat(16000), 24000),
    ],
)
def test_audio_goes_out_at_the_rate_at_which_it_came(config: str, pushed: AudioFormat, rate: int) -> None:
    """1.2: signed 16 bit, one channel; OpenAI takes 24 kHz only (1.6). What is declared is what is sent."""
    at = codec(config, pushed=pushed)
    assert at.audio_format == AudioFormat(rate)
    settings = created(at)["settings"]
    assert isinstance(settings, dict)
    assert settings["sample_rate"] == str(rate)


def test_audio_flush_and_end() -> None:
    """1.2: flush() finalises at the gateway (D15), and so does the end."""
    at = codec()
    assert json.loads(at.audio(b"\1\2")) == {"type": "input_audio", "audio": base64.b64encode(b"\1\2").decode()}
    assert sent([*at.flush(), *at.end()]) == [{"type": "session.finalize"}, {"type": "session.finalize"}]
    assert at.keep_alive() is None


def test_how_upstream_providers_are_treated() -> None:
    """AssemblyAI takes no backlog faster than it was spoken; who finds turns is sent the silence inside one."""
    assert codec("livekit/assemblyai").policy.max_pace == 1.0
    assert codec().policy.max_pace == 1.5
    for model in ("cartesia/ink-2", "deepgram/flux-general"):
        assert codec(f"livekit/{model}").policy.idle == IdlePolicy(0.5, silence=0.5, only_in_turn=True)
    assert codec().policy.idle == IdlePolicy(5.0, silence=0.1)
    assert codec().policy.ready == "handshake", "LiveKit's client does not wait for `session.created` either"


# -- updates: section 1.2 ------------------------------------------------------------------------------------------


def updated(at: GatewayCodec, **options: object) -> list[object] | None:
    language = options.pop("language", None)
    messages = at.update(at.settings.with_options(language=None if language is None else str(language), **options))
    return None if messages is None else sent([*messages])


def test_an_update_says_what_changes() -> None:
    """Sparse, in band; the upstream options as a whole, so that it does not matter how they are merged."""
    at = codec(endpointing=50, filler_words=True)
    assert updated(at, language="de") == [{"type": "session.update", "settings": {"language": "de"}}]
    assert updated(at, endpointing=300) == [
        {"type": "session.update", "settings": {"extra": {"endpointing": 300, "filler_words": True}}}
    ]
    assert updated(at, model="deepgram/nova-3-medical") == [
        {"type": "session.update", "settings": {"model": "deepgram/nova-3-medical"}}
    ]
    assert updated(at, max_pace=3.0) == []
    settings = created(at)["settings"]
    assert isinstance(settings, dict)
    assert (settings["language"], at.settings.model) == ("de", "deepgram/nova-3-medical"), "of the next connection"


def test_what_cannot_be_updated_takes_a_new_session() -> None:
    """What only `session.create` says, and a model whose wire carries something else."""
    at = codec()
    for options in (
        {"fallback": ["cartesia"]},
        {"gateway_retries": 1},
        {"upstream_sample_rate": 8000},
        {"model": "cartesia/ink-2"},
    ):
        assert updated(at, **options) is None


# -- what is heard: section 1.3 ------------------------------------------------------------------------------------


def test_a_transcript_with_everything() -> None:
    """1.3: times from the session's start, words with speakers, `extra` as raw."""
    at = codec()
    found = event(
        at,
        "final_transcript",
        "Book a table.",
        session_id="s-1",
        request_id="r-1",
        language="en-US",
        start=1.0,
        duration=0.5,
        confidence=0.93,
        words=[word("Book", 1.0, 1.2, confidence=0.9, speaker_id="S1"), word("table.", 1.3, 1.5, confidence=0.8)],
        speaker_id="S1",
        extra={"sentiment": "fine"},
    )
    assert (found.type, found.request_id) == (FINAL, "r-1")
    best = found.alternatives[0]
    assert (best.text, best.prefix, best.language) == ("Book a table.", " ", "en-US")
    assert (best.start_time, best.end_time, best.confidence, best.speaker_id) == (1.0, 1.5, 0.93, "S1")
    assert [(each.text, each.start_time, each.end_time) for each in best.words or ()] == [
        ("Book", 1.0, 1.2),
        ("table.", 1.3, 1.5),
    ]
    assert [(each.confidence, each.speaker_id) for each in best.words or ()] == [(0.9, "S1"), (0.8, None)]
    assert best.raw == {"sentiment": "fine"}


def test_what_is_absent_is_unknown() -> None:
    """Promise S11: no confidence of 1.0, no language "en", no times of 0, whatever LiveKit's client makes of it."""
    silent: list[dict[str, object]] = [
        {},
        {
            "language": None,
            "start": None,
            "duration": None,
            "confidence": None,
            "words": None,
            "speaker_id": None,
            "extra": None,
        },
        {"language": "", "start": 0, "duration": 0, "words": []},
    ]
    for fields in silent:
        best = data(codec(), "final_transcript", "Hi", **fields)
        assert best == SpeechData("Hi", " ")


def test_what_stands_for_several_languages_is_none() -> None:
    """`multi` is asked for, and not heard."""
    assert data(codec("livekit/deepgram/nova-3:multi"), "final_transcript", "Hi", language="multi").language is None


def test_the_text_of_a_segment_without_times_of_its_own_has_those_of_its_words() -> None:
    """1.3: start and duration are 0 where nobody has filled them in."""
    best = data(codec(), "final_transcript", "a b", start=0, duration=0, words=[word("a", 1.0, 1.2), word("b", 1.2, 2)])
    assert (best.start_time, best.end_time) == (1.0, 2.0)
    best = data(codec(), "final_transcript", "a b", start=1.0, duration=1.5, words=[word("a", 0, 0), word("b", 0, 0)])
    assert (best.start_time, best.end_time) == (1.0, 2.5)
    assert [each.start_time for each in best.words or ()] == [None, None]


@pytest.mark.parametrize(
    "config", ["cartesia/ink-2", "speechmatics/linden-1", "inworld/x", "google/x", "openai", "auto", "acme/one"]
)
def test_models_that_are_not_aligned_have_no_times(config: str) -> None:
    """1.3, 1.6: ink-2 says as `start` where its audio began, and as `duration` what it has billed."""
    at = codec(f"livekit/{config}")
    words = [word("Hi", 0.1, 0.4, confidence=0.5)]
    best = data(at, "final_transcript", "Hi", start=0, duration=5.4, words=words)
    assert (best.start_time, best.end_time) == (None, None)
    assert [(each.start_time, each.end_time) for each in best.words or ()] == (
        [] if config == "cartesia/ink-2" else [(None, None)]
    )
    assert at.carries.times == "none"


def test_a_fallback_that_is_not_aligned_takes_the_times_away() -> None:
    """1.6: nobody knows which of them is speaking."""
    assert codec(fallback=["cartesia/ink-whisper"]).carries.times == "session"
    carries = codec(fallback=["cartesia/ink-2"]).carries
    assert (carries.times, carries.lag, carries.preflight, carries.turns) == ("none", 3.0, True, False)


def test_times_of_another_clock_are_not_trusted() -> None:
    """A final that begins before the end of the one before it: no time of the stream after it, reconnects or not."""
    habits = Habits()
    at = codec(habits=habits)
    assert data(at, "final_transcript", "a", start=5.0, duration=1.0).end_time == 6.0
    assert data(at, "interim_transcript", "b", start=1.0, duration=1.0).end_time is None
    assert data(at, "final_transcript", "b", start=5.9, duration=1.0).end_time == 6.9
    assert data(at, "final_transcript", "c", start=0.2, duration=1.0, words=[word("c", 0.2, 1.2)]) == SpeechData(
        "c", " ", words=data(codec(), "final_transcript", "c", words=[word("c")]).words
    )
    assert data(at, "final_transcript", "d", start=8.0, duration=1.0).end_time is None
    assert data(codec(habits=habits), "final_transcript", "e", start=1.0, duration=1.0).end_time is None
    assert data(codec(), "final_transcript", "f", start=1.0, duration=1.0).end_time == 2.0


def test_words_out_of_order_are_not_trusted() -> None:
    """Nor one that ends before it begins."""
    assert data(codec(), "final_transcript", "a b", words=[word("a", 2.0, 2.1), word("b", 1.0, 1.1)]).end_time is None
    assert data(codec(), "final_transcript", "a", words=[word("a", 2.0, 1.1)]).end_time is None


def test_the_messages_that_are_no_transcripts() -> None:
    """1.3: the session's id serves as the request's; a beginning of speech is our reading where no turns are marked."""
    at = codec()
    assert say(at, "session.created", session_id="s-1") == (Opened("s-1"),)
    assert say(at, "start_of_speech") == (SpeechEvent(START, derived=True),)
    assert event(at, "interim_transcript", "Hi").request_id == "s-1"
    assert say(codec(), "session.created") == (Opened(None),)
    assert say(at, "session.closed") == (Finished(),)
    assert say(at, "news", text="x") == ()
    assert say(at, "") == ()
    assert at.receive("{}") == ()


def test_turns_of_a_model_that_marks_them() -> None:
    """1.3: `start_of_speech` once a turn; a final is its end, also one without text."""
    at = codec("livekit/cartesia/ink-2")
    assert say(at, "start_of_speech") == (SpeechEvent(START),)
    assert kinds(say(at, "interim_transcript", transcript="Hi")) == [INTERIM]
    assert kinds(say(at, "preflight_transcript", transcript="Hi there")) == [PREFLIGHT]
    assert kinds(say(at, "final_transcript", transcript="Hi there.")) == [FINAL, END]
    assert kinds(say(at, "final_transcript", transcript="")) == [FINAL, END]


def test_a_turn_that_goes_on_after_all() -> None:
    """1.3: the gateway does not say so; there is more text of the turn."""
    at = codec("livekit/deepgram/flux-general")
    say(at, "preflight_transcript", transcript="Book")
    (cancelled, more) = say(at, "interim_transcript", transcript="Book a table")
    assert cancelled == SpeechEvent(CANCELLED, derived=True)
    assert kinds([more]) == [INTERIM]
    say(at, "preflight_transcript", transcript="Book a table")
    assert kinds(say(at, "preflight_transcript", transcript="Book a table for two")) == [PREFLIGHT]
    assert kinds(say(at, "final_transcript", transcript="Book a table for two")) == [FINAL]
    assert kinds(say(at, "interim_transcript", transcript="And")) == [INTERIM]


def test_an_empty_interim_is_nothing() -> None:
    """1.3: LiveKit's client drops it too; xAI says one a second."""
    at = codec()
    say(at, "interim_transcript", transcript="Hi")
    assert say(at, "interim_transcript", transcript="") == ()
    assert say(at, "preflight_transcript", transcript="  ") == ()


def test_interims_that_nobody_wants() -> None:
    """Also of a model that cannot be told so."""
    at = codec("livekit/assemblyai", interim_results=False)
    assert say(at, "interim_transcript", transcript="Hi") == ()
    assert kinds(say(at, "final_transcript", transcript="Hi")) == [FINAL]


@pytest.mark.parametrize(
    ("text", "prefix"), [("Hi", " "), (" Hi", " "), ("語", ""), (" 語", " "), ("สวัสดี", ""), ("안녕", " "), ("1", " ")]
)
def test_segments_are_a_space_apart(text: str, prefix: str) -> None:
    """But for scripts that have none between words."""
    assert data(codec(), "final_transcript", text).prefix == prefix


@pytest.mark.parametrize(
    "message",
    [
        b"\0\1",
        "[]",
        "{",
        '{"type":1}',
        '{"type":"final_transcript","transcript":7}',
        '{"type":"final_transcript","transcript":"a","start":"0"}',
        '{"type":"final_transcript","transcript":"a","words":[7]}',
        '{"type":"error","code":"many"}',
    ],
)
def test_what_the_protocol_does_not_allow(message: Message) -> None:
    """D8: a dropped connection, which is made again, and not the end of the stream."""
    with pytest.raises(ProtocolError) as caught:
        codec().receive(message)
    assert caught.value.retryable


@pytest.mark.parametrize(("code", "kind"), [(400, BadRequestError), (503, ServerError)])
def test_an_error_is_the_end_of_the_session(code: int, kind: type[Exception]) -> None:
    """1.3: with the gateway's words and code."""
    (failed,) = say(codec(), "error", message="no such model", code=code)
    assert isinstance(failed, Failed)
    assert failed.fatal
    assert isinstance(failed.error, kind)
    assert "no such model" in str(failed.error)


# -- flush and end: sections 1.3 and 1.4 ---------------------------------------------------------------------------


def test_an_acknowledged_flush_is_not_exact() -> None:
    """1.3: trailing transcripts may come behind it."""
    at = codec()
    at.flush()
    assert say(at, "session.finalized") == (Acknowledged(exact=False),)


def test_the_end_of_a_gateway_that_says_everything() -> None:
    """1.4: finals, the acknowledgement, then our goodbye and the gateway's."""
    at = codec()
    at.end()
    assert say(at, "final_transcript", transcript="Hi")[1:] == (QUIET,)
    assert say(at, "session.finalized") == (Acknowledged(exact=False), CLOSE, QUIET)
    assert say(at, "session.closed") == (Finished(),)


def test_the_end_of_a_gateway_that_acknowledges_first() -> None:
    """1.3: with text open, its final is waited for."""
    at = codec()
    say(at, "interim_transcript", transcript="Hi")
    at.end()
    assert say(at, "session.finalized") == (Acknowledged(exact=False), Finishing(None))
    assert say(at, "final_transcript", transcript="Hi")[1:] == (CLOSE, QUIET)
    assert say(at, "interim_transcript", transcript="and")[1:] == (Finishing(None),)
    assert say(at, "final_transcript", transcript="and so on")[1:] == (QUIET,), "goodbye is said once"


def test_the_end_of_a_gateway_that_acknowledges_first_and_says_no_interims() -> None:
    """Nobody knows what is to come: not hurried by a goodbye."""
    at = codec(interim_results=False)
    at.end()
    assert say(at, "session.finalized") == (Acknowledged(exact=False), QUIET)
    assert say(at, "final_transcript", transcript="Hi")[1:] == (CLOSE, QUIET)


def test_the_end_of_a_gateway_that_says_nothing_about_it() -> None:
    """1.4: three quiet seconds behind a final, as LiveKit's client has it; without one it is no end (D5)."""
    at = codec()
    say(at, "final_transcript", transcript="before")
    at.end()
    assert say(at, "interim_transcript", transcript="Hi")[1:] == (Finishing(None),)
    assert say(at, "interim_transcript", transcript="") == ()
    assert say(at, "final_transcript", transcript="Hi there")[1:] == (QUIET,)


def test_a_session_that_is_closed_without_an_answer() -> None:
    """1.4: at the very moment of the end it may be closed for another reason; the second time it is the answer."""
    habits = Habits()
    at = codec(habits=habits)
    say(at, "final_transcript", transcript="before")
    at.end()
    (failed,) = say(at, "session.closed")
    assert isinstance(failed, Failed)
    assert failed.error.retryable
    assert at.policy.ends == "message"
    at = codec(habits=habits)
    at.end()
    assert say(at, "session.closed") == (Finished(),)
    assert at.policy.ends == "close"
    at = codec()
    at.end()
    say(at, "final_transcript", transcript="Hi")
    assert say(at, "session.closed") == (Finished(),), "a final is an answer"


def test_an_earlier_flush_is_not_the_end() -> None:
    """Its acknowledgement comes when the end has been asked for."""
    at = codec()
    at.flush()
    at.end()
    assert say(at, "session.finalized") == (Acknowledged(exact=False),)
    assert say(at, "session.finalized") == (Acknowledged(exact=False), CLOSE, QUIET)


def test_the_end_of_xai() -> None:
    """1.3: an empty interim a second, for ever: where no text is open, the first one is the answer."""
    at = codec("livekit/xai/stt-1")
    assert say(at, "interim_transcript", transcript="") == ()
    at.end()
    assert say(at, "interim_transcript", transcript="") == (QUIET,)
    assert say(at, "interim_transcript", transcript="") == (), "and puts nothing off"
    at = codec("livekit/xai/stt-1")
    say(at, "interim_transcript", transcript="Hi")
    at.end()
    assert say(at, "interim_transcript", transcript="") == (), "a final is to come"


# -- any session ---------------------------------------------------------------------------------------------------

finals = st.lists(st.text("ab 語.", max_size=6), max_size=6)


@given(finals)
def test_joined_finals_are_the_whole(texts: list[str]) -> None:
    """No word is glued to its neighbour, none is torn; what is empty is left out."""
    at = codec()
    said = [
        item.alternatives[0]
        for text in texts
        for item in say(at, "final_transcript", transcript=text)
        if isinstance(item, SpeechEvent) and item.alternatives
    ]
    whole = Transcript.from_finals(said, duration=1.0).text
    assert "".join(whole.split()) == "".join("".join(texts).split())
    assert "aa" not in whole or any("aa" in text for text in texts)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 10)), max_size=8))
def test_times_that_are_told_are_in_order(spans: list[tuple[float, float]]) -> None:
    """Whatever a gateway says, the times of finals that are passed on go forward, up to the tolerance."""
    at = codec()
    told: list[float] = []
    for start, duration in spans:
        best = data(at, "final_transcript", "a", start=start, duration=duration)
        if best.start_time is not None and best.end_time is not None:
            assert best.start_time >= max(told, default=0.0) - 0.25
            told.append(best.end_time)
