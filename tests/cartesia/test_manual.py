"""The codec of `/stt/websocket`; the sections are those of the protocol notes that the vectors are from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_cartesia.manual import ManualCodec, WordTimes
from stt_core.audio.frames import AudioFormat
from stt_core.config import parse as parse_config
from stt_core.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConfigError,
    ProtocolError,
    RateLimitError,
    ServerError,
)
from stt_core.events import SpeechData, SpeechEvent, SpeechEventType
from stt_core.registry import resolve
from stt_core.transcript import Transcript
from stt_core.transport.codec import Acknowledged, Failed, Finished

if TYPE_CHECKING:
    from stt_core.transport.codec import Incoming

INTERIM = SpeechEventType.INTERIM_TRANSCRIPT
FINAL = SpeechEventType.FINAL_TRANSCRIPT
LIVE = AudioFormat(16000)


def codec(
    config: str = "cartesia/ink-whisper:en",
    *,
    pushed: AudioFormat = LIVE,
    times: WordTimes | None = None,
    **options: object,
) -> ManualCodec:
    return ManualCodec(resolve(parse_config(config)[0], options), pushed, times=times)


def say(at: ManualCodec, **fields: object) -> Sequence[Incoming]:
    return at.receive(json.dumps({"type": "transcript", "request_id": "r-1", **fields}))


def final(at: ManualCodec, text: str, **fields: object) -> SpeechData | None:
    (event,) = say(at, text=text, is_final=True, **fields)
    assert isinstance(event, SpeechEvent)
    assert event.type is FINAL
    return event.alternatives[0] if event.alternatives else None


def word(text: str, start: float, end: float) -> dict[str, object]:
    return {"word": text, "start": start, "end": end}


def times(data: SpeechData | None) -> list[tuple[float | None, float | None]]:
    return [(each.start_time, each.end_time) for each in (data and data.words) or ()]


def hear(at: ManualCodec, seconds: float) -> None:
    at.audio(bytes(at.audio_format.bytes_for(seconds)))


# -- the handshake: sections 2 and 4.1 -----------------------------------------------------------------------------


def test_the_query_has_the_fields_and_the_order_of_the_vendors_sdk() -> None:
    """4.1, SDK 2.0.6; without its api_key and cartesia_version, which are headers here."""
    url = codec("cartesia/ink-whisper:en?min_volume=0.1&max_silence_duration_secs=0.4").url
    assert url == (
        "wss://api.cartesia.ai/stt/websocket?model=ink-whisper&encoding=pcm_s16le&sample_rate=16000&language=en"
        "&min_volume=0.1&max_silence_duration_secs=0.4"
    )


def test_what_is_not_set_is_not_sent() -> None:
    """The server's defaults are the server's."""
    assert [name for name, _ in parse_qsl(urlsplit(codec().url).query)] == [
        "model",
        "encoding",
        "sample_rate",
        "language",
    ]


@pytest.mark.parametrize(("tag", "code"), [("pt-BR", "pt"), ("jv", "jw"), ("nb-NO", "no"), ("yue", "yue")])
def test_languages_are_sent_in_the_vendors_code(tag: str, code: str) -> None:
    """3.2: no regions, and a few codes of its own."""
    assert f"&language={code}" in codec(f"cartesia/ink-whisper:{tag}").url


@pytest.mark.parametrize(
    ("base", "start"),
    [
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/stt/websocket?"),
        ("https://proxy.example/cartesia/", "wss://proxy.example/cartesia/stt/websocket?"),
        ("wss://eu.example", "wss://eu.example/stt/websocket?"),
    ],
)
def test_the_base_url_is_http_or_ws(base: str, start: str) -> None:
    """2.1; also where the vendor's SDK would insist on TLS for 127.0.0.1."""
    settings = resolve(parse_config("cartesia/ink-whisper")[0], {})
    assert ManualCodec(settings, LIVE, base_url=base).url.startswith(start)


@pytest.mark.parametrize(
    ("pushed", "sent"),
    [
        (AudioFormat(8000, 1, "pcm_mulaw"), AudioFormat(8000, 1, "pcm_mulaw")),
        (AudioFormat(44100, 2, "pcm_s16le"), AudioFormat(44100, 1, "pcm_s16le")),
        (AudioFormat(24000, 1, "pcm_f32le"), AudioFormat(24000, 1, "pcm_f32le")),
        (AudioFormat(96000, 1, "pcm_s32le"), AudioFormat(48000, 1, "pcm_s32le")),
        (AudioFormat(4000, 1, "pcm_alaw"), AudioFormat(8000, 1, "pcm_alaw")),
    ],
)
def test_audio_passes_through_as_pushed_where_it_can(pushed: AudioFormat, sent: AudioFormat) -> None:
    """3.3: mono, every encoding, the rates that are in use; what the query declares is what is sent."""
    chosen = codec(pushed=pushed)
    assert chosen.audio_format == sent
    declared = dict(parse_qsl(urlsplit(chosen.url).query))
    assert (declared["encoding"], declared["sample_rate"]) == (sent.encoding, str(sent.sample_rate))


def test_rate_and_encoding_can_be_chosen() -> None:
    """3.3: pcm_f16le too, which nobody can push."""
    chosen = codec("cartesia/ink-whisper?upstream_encoding=pcm_f16le&upstream_sample_rate=24000")
    assert "encoding=pcm_f16le&sample_rate=24000" in chosen.url
    assert chosen.audio_format == AudioFormat(24000, 1, "pcm_f32le")
    assert chosen.audio(b"\x00\x00\x00\x3f") == b"\x00\x38"


def test_extra_fields_go_into_the_query_and_secrets_do_not() -> None:
    """A new field needs no release; a key in a URL is a key in every log."""
    chosen = codec(extra={"new_field": ["a b", 1], "language": "de", "min_volume": None})
    assert chosen.url.endswith("language=de&new_field=a%20b&new_field=1")
    with pytest.raises(ConfigError, match="api_key="):
        _ = codec(extra={"api_key": "sk_car_x"}).url
    with pytest.raises(ConfigError, match="`nested`"):
        _ = codec(extra={"nested": {"a": 1}}).url


# -- what we say: section 4.2 --------------------------------------------------------------------------------------


def test_the_commands_are_bare_words() -> None:
    """4.2: no quotes, no JSON; audio is a binary frame as it is."""
    at = codec()
    assert list(at.opening()) == []
    assert at.audio(b"\x01\x02") == b"\x01\x02"
    assert list(at.flush()) == ["finalize"]
    assert at.keep_alive() is None


def test_the_end_finalizes_what_is_left_and_closes() -> None:
    """Section 12: the cleanest end is finalize, then close; with nothing left close alone."""
    at = codec()
    at.audio(b"\0\0")
    assert list(at.end()) == ["finalize", "close"]
    flushed = codec()
    flushed.audio(b"\0\0")
    flushed.flush()
    assert list(flushed.end()) == ["close"]
    assert list(codec().end()) == ["close"]


def test_the_older_word_for_the_end_can_be_chosen() -> None:
    """4.2 and 15.3: `done` is what clients before SDK 3 send."""
    assert list(codec("cartesia/ink-whisper?close_word=done").end()) == ["done"]


def test_idle_connections_are_kept_with_silence() -> None:
    """Section 7: 20 s without a message may end a session; the interval is a setting, 0 is off."""
    idle = codec().policy.idle
    assert idle is not None
    assert (idle.after, idle.silence, idle.only_in_turn) == (10.0, 0.1, False)
    assert codec("cartesia/ink-whisper?idle_silence_after=0").policy.idle is None


def test_a_close_without_done_is_no_clean_end() -> None:
    """4.4.5 and 8.4: `done` is the acknowledgement, and 1008 is not tried again."""
    policy = codec().policy
    assert policy.ends == "message"
    assert not policy.end_close_codes
    assert 1008 in policy.not_retryable_closes
    assert not policy.not_retryable_closes & {1000, 1001, 1005, 1006, 1011, 1012, 1013}


# -- what the server says: sections 4.3 and 4.4 --------------------------------------------------------------------


def test_the_documented_session() -> None:
    """4.3: deltas with leading spaces, flush_done after the finals, done at the end."""
    at = codec()
    hear(at, 1.8)
    at.flush()
    first = final(
        at,
        "Book a table",
        duration=1.1,
        language="en",
        words=[word("Book", 0.1, 0.32), word("a", 0.32, 0.38), word("table", 0.38, 0.8)],
    )
    second = final(at, " for two.", duration=0.7, language="en")
    assert first is not None
    assert second is not None
    assert (first.text, first.language, first.start_time, first.end_time) == ("Book a table", "en", 0.1, 0.8)
    assert times(first) == [(0.1, 0.32), (0.32, 0.38), (0.38, 0.8)]
    assert (second.prefix, second.text, second.words) == (" ", "for two.", None)
    assert first.raw["duration"] == 1.1
    (flushed,) = at.receive('{"type":"flush_done","request_id":"r-1"}')
    assert flushed == Acknowledged(exact=True)
    at.audio(bytes(3200))
    at.end()
    third = final(at, " Thanks.")
    assert third is not None
    assert Transcript.from_finals([first, second, third]).text == "Book a table for two. Thanks."
    assert list(at.receive('{"type":"done","request_id":"r-1"}')) == [Finished()]


def test_an_interim_is_the_text_since_the_last_final() -> None:
    """4.4.2: it replaces the interim before, and the final replaces it."""
    at = codec()
    final(at, "Book")
    (event,) = say(at, text="ing now", is_final=False)
    assert isinstance(event, SpeechEvent)
    assert (event.type, event.text, event.alternatives[0].prefix, event.request_id) == (INTERIM, "ing now", "", "r-1")
    (event,) = say(at, text=" now", is_final=False)
    assert isinstance(event, SpeechEvent)
    assert event.alternatives[0].prefix == " "
    data = final(at, "ing now then")
    assert data is not None
    assert (data.prefix, data.text) == ("", "ing now then")


def test_interims_can_be_left_out() -> None:
    """The wire has no switch for them."""
    at = codec("cartesia/ink-whisper?interim_results=false")
    assert list(say(at, text="x", is_final=False)) == []
    assert final(at, "x") is not None


def test_missing_fields_mean_what_the_vendors_parser_takes_them_for() -> None:
    """10.2: request_id "", text "", is_final false; null is missing."""
    (event,) = codec().receive('{"type":"transcript"}')
    assert event == SpeechEvent(INTERIM, ())
    (event,) = say(codec(), text="x", is_final=True, request_id=None, duration=None, language=None, words=None)
    assert isinstance(event, SpeechEvent)
    assert event.request_id is None
    assert (event.alternatives[0].language, event.alternatives[0].words) == (None, None)


def test_an_empty_final_has_no_text() -> None:
    """4.3: text may be empty; and a run of dots is text (4.4.7)."""
    assert final(codec(), "") is None
    data = final(codec(), "...")
    assert data is not None
    assert data.text == "..."


def test_unknown_types_and_fields_are_nothing_to_complain_about() -> None:
    """14.2: extra fields, an unknown type."""
    at = codec()
    assert list(at.receive('{"type":"speech.level","value":3}')) == []
    assert final(at, "x", turn_id=7) is not None


@pytest.mark.parametrize(
    "message",
    [
        "not json",
        b"\x00\x01",
        '{"type":"transcript","text":5,"is_final":true}',
        '{"type":"transcript","text":"x","is_final":true,"words":"x"}',
        '{"type":"transcript","text":"x","is_final":true,"words":[1]}',
        '{"type":"transcript","text":"x","is_final":true,"words":[{"word":"x","start":"now","end":1}]}',
    ],
)
def test_what_the_protocol_does_not_allow_is_a_protocol_error(message: str | bytes) -> None:
    """14.2: a non-JSON text frame, a binary frame, mistyped fields."""
    with pytest.raises(ProtocolError):
        codec().receive(message)


# -- assembly ------------------------------------------------------------------------------------------------------

SENTENCES = st.lists(st.text("abc.,é語", min_size=1, max_size=6), min_size=1, max_size=8).map(" ".join)


@given(SENTENCES, st.lists(st.integers(0, 60), max_size=10))
def test_any_split_into_finals_joins_to_what_was_said(text: str, cuts: list[int]) -> None:
    """4.4.1: verbatim, whether a cut is between words, inside one, or leaves a piece of nothing but a space."""
    at = codec()
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(bounds)]
    finals = [data for piece in pieces if (data := final(at, piece)) is not None]
    assert Transcript.from_finals(finals).text == text
    assert all(data.text == data.text.strip() for data in finals)


def test_a_new_connection_begins_with_a_new_word() -> None:
    """The first text of a session has no leading space, and may stand behind others; not in Japanese."""
    data = final(codec(), "and so on")
    assert data is not None
    assert data.prefix == " "
    data = final(codec("cartesia/ink-whisper:ja"), "こんにちは")
    assert data is not None
    assert data.prefix == ""


@given(SENTENCES, st.lists(st.integers(1, 60), max_size=6))
def test_finals_that_repeat_the_session_are_cut_when_asked_for(text: str, cuts: list[int]) -> None:
    """4.4.4: an opt-in, because ordinary speech repeats itself too."""
    at = codec("cartesia/ink-whisper?cumulative_finals=true")
    heads = [text[: min(cut, len(text))] for cut in sorted(cuts)] + [text]
    finals = [data for head in heads if (data := final(at, head)) is not None]
    assert Transcript.from_finals(finals).text == text


def test_repeated_words_stay_without_that_switch() -> None:
    """4.4.4: "no" and then "no no" are three words."""
    at = codec()
    finals = [final(at, "no"), final(at, " no no")]
    assert Transcript.from_finals([data for data in finals if data]).text == "no no no"


# -- flush_done: section 4.4, rules 3 and 4 ------------------------------------------------------------------------

FLUSH_DONE = '{"type":"flush_done","request_id":"r-1"}'


def flush(at: ManualCodec, *finals: str, late: bool = False) -> bool:
    """One flush, with its finals before the acknowledgement or after it: whether that was exact."""
    hear(at, 0.1)
    at.flush()
    for text in () if late else finals:
        final(at, text)
    (acknowledged,) = at.receive(FLUSH_DONE)
    for text in finals if late else ():
        final(at, text)
    assert isinstance(acknowledged, Acknowledged)
    return acknowledged.exact


def test_finals_before_the_acknowledgement_make_it_exact() -> None:
    """4.4.3: any number of them; an empty flush is exact once the order is known."""
    at = codec()
    assert not flush(at)
    assert flush(at, "a", " b")
    assert flush(at)


def test_finals_behind_the_acknowledgement_are_kept_and_it_is_exact_no_more() -> None:
    """4.4.4: the order of 2025."""
    at = codec()
    assert not flush(at, "a", late=True)
    assert not flush(at, "b", late=True)
    assert not flush(at, "c")


def test_a_final_behind_new_audio_says_nothing_about_the_order() -> None:
    """A silence finalises too."""
    at = codec()
    assert flush(at, "a")
    hear(at, 0.1)
    final(at, "b")
    assert flush(at, "c")


# -- word times: section 4.4, rule 6 -------------------------------------------------------------------------------


def test_times_that_go_on_are_the_sessions() -> None:
    """The second final's words lie behind the first one's."""
    at = codec()
    hear(at, 4)
    assert times(final(at, "a", words=[word("a", 0.5, 1.0)])) == [(0.5, 1.0)]
    data = final(at, " b", words=[word("b", 1.0, 3.5)])
    assert times(data) == [(1.0, 3.5)]
    assert data is not None
    assert (data.start_time, data.end_time) == (1.0, 3.5)


def test_times_that_begin_again_are_a_windows_and_no_longer_trusted() -> None:
    """LiveKit's report: relative to a window that no field tells. The words stay."""
    at = codec()
    hear(at, 9)
    final(at, "a", words=[word("a", 0.5, 3.0)])
    data = final(at, " b", words=[word("b", 0.1, 2.0)])
    assert times(data) == [(None, None)]
    assert data is not None
    assert (data.words is not None, data.start_time, data.end_time) == (True, None, None)
    assert times(final(at, " c", words=[word("c", 5.0, 6.0)])) == [(None, None)]


def test_times_of_audio_that_was_not_sent_are_not_trusted() -> None:
    """They cannot be true."""
    at = codec()
    hear(at, 1)
    assert times(final(at, "a", words=[word("a", 0.5, 2.0)])) == [(None, None)]


def test_the_next_connection_does_not_trust_them_either() -> None:
    """What one session has shown holds for the stream."""
    shared = WordTimes()
    first, second = codec(times=shared), codec(times=shared)
    final(first, "a", words=[word("a", 8.0, 9.0)])
    hear(second, 3)
    assert times(final(second, "a", words=[word("a", 0.5, 1.0)])) == [(None, None)]


def test_an_interim_is_judged_for_itself() -> None:
    """It may still change, so it proves nothing."""
    at = codec()
    hear(at, 2)
    (event,) = say(at, text="a", is_final=False, words=[word("a", 8.0, 9.0)])
    assert isinstance(event, SpeechEvent)
    assert times(event.alternatives[0]) == [(None, None)]
    assert times(final(at, "a", words=[word("a", 0.5, 1.0)])) == [(0.5, 1.0)]


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 2)), max_size=8), st.floats(0, 20))
def test_a_time_is_never_beyond_what_was_sent_and_never_goes_back(
    spans: list[tuple[float, float]], sent: float
) -> None:
    """Whatever a server says, within the tolerances."""
    at = codec()
    hear(at, sent)
    last = 0.0
    for start, length in spans:
        for begin, end in times(final(at, " w", words=[word("w", start, start + length)])):
            if begin is not None and end is not None:
                assert last - 0.25 <= begin <= end <= sent + 0.51
                last = end


def test_words_can_be_left_out() -> None:
    """And with them every doubt about their times."""
    data = final(codec("cartesia/ink-whisper?word_timestamps=false"), "a", words=[word("a", 0.0, 0.1)])
    assert data is not None
    assert (data.words, data.end_time) == (None, None)


# -- errors: section 8 ---------------------------------------------------------------------------------------------


def fail(at: ManualCodec, **fields: object) -> tuple[APIError, bool]:
    (failed,) = at.receive(json.dumps({"type": "error", **fields}))
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, APIError)
    return failed.error, failed.fatal


@pytest.mark.parametrize(
    ("fields", "kind", "retryable"),
    [
        ({"status_code": 400, "title": "Invalid model", "error_code": "model_not_found"}, BadRequestError, False),
        ({"message": "bad key", "code": 401}, AuthenticationError, False),
        ({"status_code": 429, "message": "8 of 8"}, RateLimitError, True),
        ({"status_code": 500, "message": "oops"}, ServerError, True),
        ({"message": "who knows"}, APIError, False),
        ({"error": "who knows"}, APIError, False),
    ],
)
def test_an_error_before_anything_worked_ends_the_session(
    fields: dict[str, object], kind: type[APIError], retryable: bool
) -> None:
    """14.1.4: there is no hello, so that the first error frame is what the settings get."""
    error, fatal = fail(codec(), **fields)
    assert (type(error), error.retryable, fatal) == (kind, retryable, True)


def test_a_400_in_a_working_session_is_only_reported() -> None:
    """Section 12: clients in production go on; the end, once asked for, has to be acknowledged."""
    at = codec()
    final(at, "a")
    assert fail(at, status_code=400, message="unknown command")[1] is False
    assert fail(at, status_code=402, message="no credits")[1] is True
    at.end()
    assert fail(at, status_code=400, message="unknown command")[1] is True


def test_an_unexplained_error_in_a_working_session_is_tried_again() -> None:
    """It cannot be the settings."""
    at = codec()
    final(at, "a")
    error, fatal = fail(at, message="who knows")
    assert (error.retryable, fatal) == (True, True)


# -- updates: promise S14 ------------------------------------------------------------------------------------------


def test_what_is_in_the_query_takes_a_new_connection() -> None:
    """4.1: nothing of it can change mid-stream; what only we know about changes at once."""
    at = codec()
    assert at.update(at.settings.with_options(min_volume=0.2)) is None
    assert at.update(at.settings.with_options(language="de")) is None
    assert at.update(at.settings.with_options(upstream_sample_rate=8000)) is None
    assert at.update(at.settings.with_options(upstream_encoding="pcm_alaw")) is None
    assert at.update(at.settings.with_options(api_version="2026-03-01")) is None
    assert at.update(at.settings.with_options(idle_silence_after=5)) is None
    assert list(at.update(at.settings.with_options(close_word="done")) or ()) == []
    assert list(at.end()) == ["done"]
    assert list(at.update(at.settings.with_options(interim_results=False)) or ()) == []
    assert list(say(at, text="x", is_final=False)) == []


def test_ink_2_can_be_told_to_listen_here() -> None:
    """3.1: ink-2 is served by both; keyterm goes with it."""
    url = codec("cartesia/ink-2?endpoint=manual", keyterms=["Ink 2"]).url
    assert url.endswith("/stt/websocket?model=ink-2&encoding=pcm_s16le&sample_rate=16000&language=en&keyterm=Ink%202")
