"""Speechmatics: transcription of files by jobs (the batch API), in some sixty languages, with analysis of the talk.

What the vendor's Python clients offer for batch is all here:

=====================================================================  ===============================================
``speechmatics-batch`` 0.4.7 and 1.1.0; ``BatchClient`` (older)        here
=====================================================================  ===============================================
``AsyncClient(api_key=…)``, ``Client``; ``BatchClient(token)``         ``create_stt("speechmatics/enhanced:en")``,
                                                                       ``.sync()``; ``api_key=``,
                                                                       ``SPEECHMATICS_API_KEY``
``JWTAuth(key, ttl=, client_ref=, mp_url=)``;                          ``auth="jwt"``, ``ttl``, ``client_ref``,
``generate_temp_token=True``                                           ``mp_url``, ``SM_MANAGEMENT_PLATFORM_URL``
``url=``, ``SPEECHMATICS_BATCH_URL``; ``ConnectionSettings(url)``      ``base_url=``, the same variable; ``region``
``ConnectionConfig(connect_timeout, operation_timeout)``               ``connect_timeout``, ``request_timeout``
``TranscriptionConfig(operating_point=, model=)``                      the model: ``speechmatics/standard``
``TranscriptionConfig(language=, …)``                                  the language, and options of the same names
``JobConfig(…)``, ``BatchTranscriptionConfig(…)``, a dict, a path      options of the same names; ``job_config=``
``parallel_engines=``, ``user_id=``                                    the same, with ``on_prem``
``transcribe(audio, config=, polling_interval=, timeout=)``            ``await stt.recognize(audio, poll_interval=,
                                                                       timeout=, …)``
``submit_job(audio)``, with ``FetchData(url)`` and no audio            ``job = await stt.submit(audio)``, with a URL in
                                                                       place of the audio
``get_job_info(id)``, ``check_job_status(id)``                         ``await stt.job(id).status()``, ``.info()``
``wait_for_completion(id, …)``                                         ``await stt.job(id).wait(…)``
``get_transcript(id, format_type)``,                                   ``await stt.job(id).result(format)``
``get_job_result(id, transcription_format)``
``list_jobs(limit=, created_before=)``                                 ``stt.list_jobs(limit=, created_before=)``
``delete_job(id, force=)``                                             ``await stt.job(id).delete(force=)``
``send_request(method, path)``                                         ``await stt.request(method, path)``
``transcript_text``, ``confidence``, ``summary``, ``translations`` …   ``text``, ``to("txt", speakers=True)`` and
                                                                       fields of the same names; ``raw``
=====================================================================  ===============================================

Beside them: ``await stt.job_log(id)``, ``await stt.usage()``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stt_core.provider import Always, Capabilities, Carries, EnvVar, ModelFamily, Provider

from .languages import LANGUAGE_MAP, LANGUAGES, MULTI
from .options import EnhancedOptions, MeliaOptions, check_enhanced, check_melia, punctuation_from, vocabulary_from

if TYPE_CHECKING:
    from .stt import SpeechmaticsSTT

__all__ = ["PROVIDER", "SpeechmaticsSTT"]


def __getattr__(name: str) -> object:
    if name != "SpeechmaticsSTT":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .stt import SpeechmaticsSTT

    return SpeechmaticsSTT


_PORTABLE = {
    "interim_results": Always(value=False),
    "keyterms": vocabulary_from,
    "profanity_filter": Always(value=False),
    "punctuation": punctuation_from,
    "word_timestamps": Always(value=True),
}
_CAPABILITIES = Capabilities(jobs=True, words=True, diarization=True, keyterms=True, flush="native", update="in_band")
_CARRIES = Carries(words=True, confidence=True, speakers=True, language=True, times="session")

PROVIDER = Provider(
    "speechmatics",
    families=(
        ModelFamily(
            "enhanced",
            options=EnhancedOptions,
            models=("enhanced", "standard", "oak-1"),
            default_model="enhanced",
            languages=LANGUAGES,
            language_map=LANGUAGE_MAP,
            default_language="en",
            portable=_PORTABLE,
            check=check_enhanced,
            capabilities=_CAPABILITIES,
            carries=_CARRIES,
            doc="Files, by jobs: accurate (enhanced), or quicker and cheaper (standard).",
        ),
        ModelFamily(
            "melia",
            options=MeliaOptions,
            models=("melia-1",),
            default_model="melia-1",
            languages=(*LANGUAGES, MULTI),
            language_map=LANGUAGE_MAP,
            default_language="en",
            portable=_PORTABLE,
            check=check_melia,
            capabilities=_CAPABILITIES,
            carries=_CARRIES,
            doc="Files, by jobs: several languages in one recording.",
        ),
    ),
    client="stt_speechmatics.stt:SpeechmaticsSTT",
    server="stt_speechmatics.server:SpeechmaticsServer",
    env=(
        EnvVar("SPEECHMATICS_API_KEY", "api_key", doc="Not needed for a container of one's own (on_prem)."),
        EnvVar("SPEECHMATICS_BATCH_URL", "base_url", doc="Where the API is, with /v2."),
        EnvVar("SM_MANAGEMENT_PLATFORM_URL", "token_url", doc="Where temporary keys are minted."),
    ),
    auth_modes=("jwt",),
    kind="jobs",
    doc="Files, by jobs, with speakers, translations, summaries and more.",
)
