"""Kotoba: Japanese first, and English, Korean and Chinese; live, for files, and as jobs.

Kotoba has three APIs, and which of them exists depends on what was deployed. Each is a model here: ``kotoba/jobs``,
``kotoba/one-shot`` and ``kotoba/realtime``. ``kotoba`` alone takes the one that fits the call, among those whose
address is configured. What ``kotoba-sdk`` offers for speech to text is all here:

=====================================================================  ===============================================
SDK 0.3.0 (and 0.1.x where it differs)                                 here
=====================================================================  ===============================================
``KotobaClient(api_key=…)``, ``KOTOBA_API_KEY``                        the same
``url=``, ``KOTOBA_ASR_REST_URL``                                      ``rest_url=``, or ``base_url=`` for both
``asr_ws_url=``, ``KOTOBA_ASR_URL``                                    ``ws_url=``, for this object alone; the same
``timeout=30``, ``max_retries=3``                                      ``request_timeout``, ``connect_timeout``;
                                                                       ``max_retries``, also for live streams
``client.asr.transcribe(path)``                                        ``await stt.recognize(audio)`` of
                                                                       ``kotoba/one-shot``, or of ``kotoba``
``transcribe(path, batch=True)``; ``transcribe(path)`` (0.1.x)         ``recognize`` of ``kotoba/jobs``
``poll_interval=``, ``poll_backoff=``, ``max_poll_interval=``,         ``poll_interval=``, ``backoff=``,
``timeout=``                                                           ``max_poll_interval=``, ``timeout=``
``submit_job``, ``get_job``                                            ``await stt.submit(audio)``;
                                                                       ``stt.job(id).status()``, ``.result()``
``language=``                                                          the same, in BCP-47
``with_timestamps=``                                                   the same; portable ``word_timestamps`` (one-shot)
``keywords=``                                                          the same; portable ``keyterms``
``diarization=``                                                       the same
``style_preference=`` with ``human_name="kana"``                       ``kana=True``
``file_format="pcm_s16le_16"``                                         ``recognize(…, encoding=, sample_rate=)``
``stream(…)``, ``send_audio``, ``commit``, ``feed``                    ``stt.stream(…)``, ``push_frame``,
                                                                       ``end_input``, ``feed``
``turn_detection=``, ``ServerVAD(silence_duration_ms=…)``              ``turn_detection=``, ``silence_duration_ms=``
``timestamps=``                                                        the same, on unless told otherwise
``transcribe_stream(chunks, …)``                                       ``stt.stream(source=chunks).text()``
``partial_transcript``, ``final_transcript``                           INTERIM_ (all of the turn), FINAL_TRANSCRIPT
``result.segments``, ``.utterances``                                   ``transcript.segments``, with ``speaker_id``
``result.metadata``                                                    ``transcript.language``, ``.duration``, ``.raw``
=====================================================================  ===============================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stt_core.provider import Always, Capabilities, EnvVar, ModelFamily, Provider

from .options import (
    CARRIES,
    LANGUAGE_MAP,
    JobsOptions,
    KotobaOptions,
    OneShotOptions,
    RealtimeOptions,
    check,
    keywords_from,
)
from .wire import DEFAULT_LANGUAGE, LANGUAGES

if TYPE_CHECKING:
    from .stt import KotobaSTT

__all__ = ["PROVIDER", "KotobaSTT"]


def __getattr__(name: str) -> object:
    if name != "KotobaSTT":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .stt import KotobaSTT

    return KotobaSTT


_PORTABLE = {"profanity_filter": Always(value=False), "punctuation": Always(value=True)}
_NO_SPEAKERS = {"diarization": Always(value=False)}
_NO_WORDS = {"word_timestamps": Always(value=False)}
_KEYTERMS = {"keyterms": keywords_from}
_NO_INTERIMS = {"interim_results": Always(value=False)}

PROVIDER = Provider(
    "kotoba",
    families=(
        ModelFamily(
            "any",
            options=KotobaOptions,
            languages=LANGUAGES,
            language_map=LANGUAGE_MAP,
            portable={**_PORTABLE, **_KEYTERMS, "word_timestamps": "with_timestamps"},
            check=check,
            capabilities=Capabilities(
                streaming=True,
                batch=True,
                jobs=True,
                interim_results=True,
                turns=True,
                words=True,
                diarization=True,
                keyterms=True,
            ),
            carries=CARRIES["realtime"],
            doc="Whichever fits the call and is configured: realtime for streams, one-shot for files, jobs to submit.",
        ),
        ModelFamily(
            "realtime",
            options=RealtimeOptions,
            models=("realtime",),
            languages=LANGUAGES,
            language_map=LANGUAGE_MAP,
            default_language=DEFAULT_LANGUAGE,
            portable={**_PORTABLE, **_KEYTERMS, **_NO_SPEAKERS, **_NO_WORDS},
            check=check,
            capabilities=Capabilities(streaming=True, interim_results=True, turns=True, keyterms=True),
            carries=CARRIES["realtime"],
            doc="Live, over a WebSocket; what was heard of a lost connection stays heard.",
        ),
        ModelFamily(
            "one-shot",
            options=OneShotOptions,
            models=("one-shot",),
            languages=LANGUAGES,
            language_map=LANGUAGE_MAP,
            portable={**_PORTABLE, **_KEYTERMS, **_NO_INTERIMS, "word_timestamps": "with_timestamps"},
            check=check,
            capabilities=Capabilities(batch=True, words=True, diarization=True, keyterms=True),
            carries=CARRIES["one-shot"],
            kind="jobs",
            doc="Files, answered at once, with words, speakers and the language heard.",
        ),
        ModelFamily(
            "jobs",
            options=JobsOptions,
            models=("jobs",),
            languages=LANGUAGES,
            language_map=LANGUAGE_MAP,
            default_language=DEFAULT_LANGUAGE,
            portable={**_PORTABLE, **_NO_SPEAKERS, **_NO_WORDS, **_NO_INTERIMS},
            check=check,
            capabilities=Capabilities(jobs=True),
            carries=CARRIES["jobs"],
            kind="jobs",
            doc="Files, submitted and asked after, with timed segments.",
        ),
    ),
    client="stt_kotoba.stt:KotobaSTT",
    server="stt_kotoba.server:KotobaServer",
    env=(
        EnvVar("KOTOBA_API_KEY", "api_key", doc="Kotoba's key, or fal.ai's for its hosts; containers may need none."),
        EnvVar("KOTOBA_ASR_REST_URL", "rest_url", required=True, doc="The REST API, /v1 included."),
        EnvVar("KOTOBA_ASR_URL", "ws_url", required=True, doc="The WebSocket."),
    ),
    doc="Japanese, English, Korean and Chinese: live, for files, and as jobs.",
)
