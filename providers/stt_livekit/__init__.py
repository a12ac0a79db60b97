"""The LiveKit inference gateway: many vendors' models over one wire, each with options of its own.

What LiveKit's own client (``livekit.agents.inference.STT``) offers for speech to text is all here:

=====================================================================  ===============================================
livekit-agents 1.2 (and 1.8 where it differs)                          here
=====================================================================  ===============================================
``STT("deepgram/nova-3", language="en")``, ``"deepgram/nova-3:en"``    ``create_stt("livekit/deepgram/nova-3:en")``, or
                                                                       ``LiveKitSTT("deepgram/nova-3", language="en")``
``STT("deepgram")``: the vendor alone                                  ``livekit/deepgram``
``STT()``: no model; ``STT("auto")`` (1.8)                             ``livekit``; ``livekit/auto``
any other text as a model                                              the same: ``livekit/acme/one``
``extra_kwargs={"filler_words": False}``                               ``filler_words=False``, checked; what is not
                                                                       known here goes through ``extra={…}``
``extra_kwargs={"keyterms": […]}``; ``keyterm`` (1.8)                  ``keyterms``, for every vendor that has some;
                                                                       ``keyterm`` and the others' own names
``fallback=`` (1.8)                                                    the same; and chains, ``livekit/… | cartesia/…``
``conn_options=``: ``timeout``, ``max_retry``, ``retry_interval``      ``connect_timeout``, ``max_retries``,
                                                                       ``retry_interval``; for the gateway's own
                                                                       attempts ``gateway_timeout, gateway_retries``
``base_url=``, ``LIVEKIT_INFERENCE_URL``                               the same
``api_key=``, ``api_secret=``, ``LIVEKIT_INFERENCE_API_KEY`` and       the same, in the same order; ``auth=`` takes a
``…_SECRET``, ``LIVEKIT_API_KEY`` and ``…_SECRET``                     token in place of both
``http_session=``                                                      the same
``sample_rate=``, ``encoding=``                                        ``stt.stream(sample_rate=, encoding=)`` describes
                                                                       what is pushed; ``upstream_sample_rate``
``stream.push_frame()``, ``flush()``, ``end_input()``                  the same; ``await flush()`` does finalise
``update_options(model=, language=)``; ``extra_kwargs=`` (1.8)         ``await stt.update_options(…)``, for open
                                                                       streams too
``SpeechEventType`` and its six kinds                                  the same six, and more; see
                                                                       :class:`stt_core.events.SpeechEventType`
``SpeechData.metadata`` (1.8)                                          ``SpeechData.raw``
``recognize()``, which raises                                          ``await stt.recognize(file)``, over a stream
=====================================================================  ===============================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from stt_core.provider import Always, Capabilities, EnvVar, ModelFamily, Provider

from .options import AutoModel, FallbackModel, GatewayOptions, plain_terms
from .options_assemblyai import AssemblyAIModel, AssemblyAIOptions, check_assemblyai
from .options_cartesia import (
    CartesiaModel,
    CartesiaOptions,
    Ink2Model,
    Ink2Options,
    InkWhisperModel,
    InkWhisperOptions,
    check_cartesia,
)
from .options_deepgram import (
    DeepgramFluxModel,
    DeepgramFluxOptions,
    DeepgramModel,
    DeepgramOptions,
    check_flux,
    terms,
)
from .options_others import (
    GoogleModel,
    GoogleOptions,
    InworldModel,
    InworldOptions,
    OpenAIModel,
    OpenAIOptions,
    XaiModel,
    XaiOptions,
)
from .options_speechmatics import (
    LindenModel,
    SpeechmaticsModel,
    SpeechmaticsOptions,
    diarization,
    punctuation,
    vocabulary_item,
)
from .upstreams import UPSTREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stt_core.options import OptionsType
    from stt_core.provider import Portable

    from .stt import LiveKitSTT

__all__ = [
    "PROVIDER",
    "AssemblyAIOptions",
    "CartesiaOptions",
    "DeepgramFluxOptions",
    "DeepgramOptions",
    "FallbackModel",
    "GatewayOptions",
    "GoogleOptions",
    "InworldOptions",
    "LiveKitSTT",
    "OpenAIOptions",
    "SpeechmaticsOptions",
    "XaiOptions",
]


def __getattr__(name: str) -> object:
    if name != "LiveKitSTT":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .stt import LiveKitSTT

    return LiveKitSTT


_PLAIN: Mapping[str, Portable] = {
    "diarization": Always(value=False),
    "profanity_filter": Always(value=False),
    "punctuation": Always(value=True),
}
_SPEECHMATICS: Mapping[str, Portable] = {
    **_PLAIN,
    "diarization": diarization,
    "punctuation": punctuation,
    "keyterms": plain_terms("additional_vocab", vocabulary_item),
}


def _family(
    name: str,
    options: OptionsType,
    models: object,
    *,
    prefix: str,
    portable: Mapping[str, Portable],
    check: Callable[[Mapping[str, object]], str | None] | None = None,
    doc: str,
) -> ModelFamily:
    carries = UPSTREAMS[name].carries
    timed = carries.times == "session"
    return ModelFamily(
        name,
        options=options,
        models=get_args(models),
        open_models=True,
        model_prefix=prefix,
        portable={"word_timestamps": Always(value=timed), **portable} if portable else {},
        check=check,
        capabilities=Capabilities(
            streaming=True,
            interim_results=True,
            words=timed,
            diarization="diarization" in portable and not isinstance(portable["diarization"], Always),
            keyterms="keyterms" in portable,
            flush="native",
            update="in_band",
        ),
        carries=carries,
        doc=doc,
    )


PROVIDER = Provider(
    "livekit",
    families=(
        _family(
            "auto",
            GatewayOptions,
            AutoModel,
            prefix="",
            portable={},
            doc="Whatever the gateway chooses, and models that are not known here: their options go through `extra`.",
        ),
        _family(
            "deepgram",
            DeepgramOptions,
            DeepgramModel,
            prefix="deepgram/",
            portable={"diarization": "diarize", "punctuation": "punctuate", "keyterms": terms},
            doc="Deepgram's nova models; a segment ends after a short silence.",
        ),
        _family(
            "deepgram/flux",
            DeepgramFluxOptions,
            DeepgramFluxModel,
            prefix="deepgram/flux",
            portable={**_PLAIN, "keyterms": plain_terms("keyterm")},
            check=check_flux,
            doc="Deepgram's Flux, which finds the turns itself.",
        ),
        _family(
            "cartesia",
            CartesiaOptions,
            CartesiaModel,
            prefix="cartesia/",
            portable={**_PLAIN, "keyterms": plain_terms("keyterm")},
            check=check_cartesia,
            doc="Cartesia, where the gateway chooses the model.",
        ),
        _family(
            "cartesia/ink-whisper",
            InkWhisperOptions,
            InkWhisperModel,
            prefix="cartesia/ink-whisper",
            portable=_PLAIN,
            check=check_cartesia,
            doc="Cartesia's ink-whisper: many languages.",
        ),
        _family(
            "cartesia/ink-2",
            Ink2Options,
            Ink2Model,
            prefix="cartesia/ink-2",
            portable={**_PLAIN, "keyterms": plain_terms("keyterm")},
            check=check_cartesia,
            doc="Cartesia's ink-2, which finds the turns itself; no words, no times.",
        ),
        _family(
            "assemblyai",
            AssemblyAIOptions,
            AssemblyAIModel,
            prefix="assemblyai/",
            portable={
                **_PLAIN,
                "diarization": "speaker_labels",
                "punctuation": "format_turns",
                "keyterms": plain_terms("keyterms_prompt"),
            },
            check=check_assemblyai,
            doc="AssemblyAI's streaming models.",
        ),
        _family(
            "speechmatics",
            SpeechmaticsOptions,
            SpeechmaticsModel,
            prefix="speechmatics/",
            portable=_SPEECHMATICS,
            doc="Speechmatics; a segment ends on flush(), or after `end_of_utterance_silence_trigger`.",
        ),
        _family(
            "speechmatics/linden",
            SpeechmaticsOptions,
            LindenModel,
            prefix="speechmatics/linden",
            portable=_SPEECHMATICS,
            doc="Speechmatics' linden, which finds the turns itself; no times.",
        ),
        _family(
            "xai",
            XaiOptions,
            XaiModel,
            prefix="xai/",
            portable={**_PLAIN, "diarization": "diarize"},
            doc="xAI.",
        ),
        _family(
            "inworld",
            InworldOptions,
            InworldModel,
            prefix="inworld/",
            portable=_PLAIN,
            doc="Inworld; no times.",
        ),
        _family(
            "google",
            GoogleOptions,
            GoogleModel,
            prefix="google/",
            portable={**_PLAIN, "keyterms": plain_terms("custom_vocabulary")},
            doc="Google's Gemini; no times.",
        ),
        _family(
            "openai",
            OpenAIOptions,
            OpenAIModel,
            prefix="openai/",
            portable={**_PLAIN, "keyterms": plain_terms("keywords")},
            doc="OpenAI, at 24 kHz; a segment ends on flush(); no times.",
        ),
    ),
    client="stt_livekit.stt:LiveKitSTT",
    server="stt_livekit.server:LiveKitServer",
    env=(
        EnvVar("LIVEKIT_INFERENCE_API_KEY", "api_key", required=True),
        EnvVar("LIVEKIT_API_KEY", "api_key", required=True, doc="Where LIVEKIT_INFERENCE_API_KEY is not set."),
        EnvVar("LIVEKIT_INFERENCE_API_SECRET", "api_secret", required=True),
        EnvVar("LIVEKIT_API_SECRET", "api_secret", required=True, doc="Where LIVEKIT_INFERENCE_API_SECRET is not set."),
        EnvVar("LIVEKIT_INFERENCE_URL", "base_url", doc="Another gateway, as LiveKit's own client takes it."),
    ),
    changes_model=True,
    doc="LiveKit's inference gateway: Deepgram, Cartesia, AssemblyAI, Speechmatics, xAI and others, live.",
)
