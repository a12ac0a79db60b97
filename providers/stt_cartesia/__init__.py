"""Cartesia: ink-whisper in 100 languages, live and for files; ink-2, which finds turns, in English.

What Cartesia's own Python SDKs offer for speech to text is all here:

=====================================================================  ===============================================
SDK 2.0.6 (and 4.x where it differs)                                   here
=====================================================================  ===============================================
``Cartesia(api_key=…)``; ``token=`` (4.x)                              ``api_key=``, ``CARTESIA_API_KEY``; ``auth=``
``base_url=``, ``CARTESIA_BASE_URL`` (4.x)                             the same
``timeout=60``                                                         ``connect_timeout``, ``request_timeout``,
                                                                       ``liveness_timeout``, ``drain_timeout``
``httpx_client=``, ``max_num_connections=``                            ``http_session=``, ``proxy=``, ``ssl=``
``request_options={"max_retries": …}``; ``max_retries=`` (4.x)         ``max_retries``, also for live streams
``request_options={"additional_query_parameters": …}``,                ``extra={…}``
``extra_query``, ``extra_body`` (4.x)
``client.stt.websocket(model=, language=)``;                           ``create_stt("cartesia/ink-whisper:en")``, then
``client.stt.manual_finalize.websocket(…)`` (4.x)                      ``stt.stream()``
``client.stt.auto_finalize.websocket(…)`` (4.x)                        ``create_stt("cartesia/ink-2:en")``;
                                                                       ``endpoint=manual|turns`` forces one
``encoding=``, ``sample_rate=``                                        ``stt.stream(encoding=, sample_rate=)`` describes
                                                                       what is pushed; ``upstream_encoding``,
                                                                       ``upstream_sample_rate`` change what is sent
``min_volume=``, ``max_silence_duration_secs=``                        the same
``keyterm=``, ``turn_…_threshold=``, ``turn_end_timeout_ms=`` (4.x)    the same; portable ``keyterms``
``ws.send(bytes)``                                                     ``push_frame()``, ``send_frame()``
``ws.send("finalize")``                                                ``await stream.flush()``
``ws.send("done")``; ``send("close")`` (4.x)                           ``stream.end_input()``; ``close_word=close|done``
``send({"type": "config", …})`` (4.x)                                  ``await stream.update_options(…)``
``ws.receive()``, ``ws.transcribe(chunks)``                            ``async for event in stream``,
                                                                       ``stt.stream(source=chunks)``
``transcript``: ``text``, ``is_final``, ``words``, ``language``        FINAL_ and INTERIM_TRANSCRIPT; all else that
                                                                       came (``duration``) in ``alternatives[0].raw``
``turn.start``, ``.update``, ``.eager_end``, ``.resume``, ``.end``     START_OF_SPEECH, INTERIM_TRANSCRIPT,
                                                                       PREFLIGHT_TRANSCRIPT, PREFLIGHT_CANCELLED,
                                                                       FINAL_TRANSCRIPT with END_OF_SPEECH
``ws.close()``                                                         ``await stream.aclose()``
``on_reconnecting=`` (4.x), which loses what was said                  always, with replay; RECONNECTING
``client.stt.transcribe(file=, model=, language=)``                    ``await stt.recognize(file)``
``timestamp_granularities=["word"]``                                   ``word_timestamps=True``
``transcribe(encoding=, sample_rate=)`` of bare samples                ``recognize(…, encoding=, sample_rate=)``
``client.auth.access_token(grants=, expires_in=)``                     ``await stt.access_token(…)``
``cartesia_version``                                                   ``api_version=``
=====================================================================  ===============================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stt_core.provider import Always, Capabilities, EnvVar, ModelFamily, Provider

from .options import (
    CARRIES,
    LANGUAGE_MAP,
    LANGUAGES,
    Ink2Options,
    InkWhisperOptions,
    check_ink_2,
    check_ink_preview,
    check_ink_whisper,
    keyterm_from,
    without_region,
)

if TYPE_CHECKING:
    from .stt import CartesiaSTT

__all__ = ["PROVIDER", "CartesiaSTT"]


def __getattr__(name: str) -> object:
    if name != "CartesiaSTT":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .stt import CartesiaSTT

    return CartesiaSTT


_TURNS = Capabilities(
    streaming=True, interim_results=True, turns=True, keyterms=True, flush="silence", update="in_band"
)
_PORTABLE = {
    "diarization": Always(value=False),
    "profanity_filter": Always(value=False),
    "punctuation": Always(value=True),
}
_PORTABLE_INK_2 = {**_PORTABLE, "keyterms": keyterm_from, "word_timestamps": Always(value=False)}

PROVIDER = Provider(
    "cartesia",
    families=(
        ModelFamily(
            "ink-whisper",
            options=InkWhisperOptions,
            models=("ink-whisper", "ink-whisper-2025-06-04"),
            default_model="ink-whisper",
            open_models=True,
            model_prefix="ink-whisper-",
            languages=LANGUAGES,
            language_map=LANGUAGE_MAP,
            default_language="en",
            portable=_PORTABLE,
            check=check_ink_whisper,
            capabilities=Capabilities(
                streaming=True, batch=True, interim_results=True, words=True, flush="native", update="reconnect"
            ),
            carries=CARRIES["manual"],
            doc="100 languages, live and for files; a segment ends on flush() or after a silence.",
        ),
        ModelFamily(
            "ink-2",
            options=Ink2Options,
            models=("ink-2",),
            default_model="ink-2",
            open_models=True,
            model_prefix="ink-2-",
            languages=("en",),
            default_language="en",
            portable=_PORTABLE_INK_2,
            check=check_ink_2,
            capabilities=_TURNS,
            carries=CARRIES["turns"],
            doc="English, live; it finds the turns itself.",
        ),
        ModelFamily(
            "ink-preview",
            options=Ink2Options,
            models=("ink-preview",),
            default_model="ink-preview",
            open_models=True,
            model_prefix="ink-preview",
            language_map=without_region,
            portable=_PORTABLE_INK_2,
            check=check_ink_preview,
            capabilities=_TURNS,
            carries=CARRIES["turns"],
            doc="What comes after ink-2, live; without a language it hears which is spoken.",
        ),
    ),
    client="stt_cartesia.stt:CartesiaSTT",
    server="stt_cartesia.server:CartesiaServer",
    env=(
        EnvVar("CARTESIA_API_KEY", "api_key", required=True, doc="A key that begins with sk_car_."),
        EnvVar("CARTESIA_BASE_URL", "base_url", doc="Another host, as Cartesia's own SDK takes it."),
    ),
    doc="ink-whisper and ink-2: live and for files.",
)
