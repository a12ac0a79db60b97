"""Deepgram behind the gateway: nova, which is fed segments, and Flux, which finds turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, cast

from stt_core.options import Default, Doc, Range, Unit

from .options import GatewayOptions

__all__ = ["DeepgramFluxModel", "DeepgramFluxOptions", "DeepgramModel", "DeepgramOptions", "check_flux", "terms"]

DeepgramModel = Literal[
    "deepgram",
    "deepgram/nova-3",
    "deepgram/nova-3-general",
    "deepgram/nova-3-medical",
    "deepgram/nova-2",
    "deepgram/nova-2-general",
    "deepgram/nova-2-medical",
    "deepgram/nova-2-conversationalai",
    "deepgram/nova-2-phonecall",
]
"""The vendor alone leaves the model to the gateway; other ids of Deepgram's are passed on."""

DeepgramFluxModel = Literal["deepgram/flux-general", "deepgram/flux-general-en", "deepgram/flux-general-multi"]

_Terms = str | list[str]


class DeepgramOptions(GatewayOptions, total=False):
    """Deepgram's nova models. Deepgram's own ``extra`` and ``channels`` go through the framework's ``extra``."""

    filler_words: Annotated[
        bool, Doc("Whether `uh` and `um` are kept."), Default(None, "the gateway's, true as published")
    ]
    endpointing: Annotated[
        int,
        Range(ge=0),
        Unit("ms"),
        Doc("A silence of this length finalises what was said before it."),
        Default(None, "the gateway's, 25 as published"),
    ]
    punctuate: Annotated[
        bool, Doc("Whether the text is punctuated."), Default(None, "the gateway's, true (before 2026: false)")
    ]
    smart_format: Annotated[
        bool, Doc("Whether dates, amounts and the like are written as usual."), Default(None, "the gateway's")
    ]
    keyterm: Annotated[
        _Terms,
        Doc("Terms to listen for; nova-3 only, about 500 tokens in all. The portable `keyterms` comes to this."),
        Default(None, "none"),
    ]
    keywords: Annotated[
        list[tuple[str, float]],
        Doc("Terms to listen for, each with a boost; nova-2. The portable `keyterms` with weights comes to this."),
        Default(None, "none"),
    ]
    profanity_filter: Annotated[bool, Doc("Whether profane words are masked."), Default(None, "the gateway's")]
    numerals: Annotated[bool, Doc("Whether numbers are written in digits."), Default(None, "the gateway's")]
    dictation: Annotated[
        bool, Doc("Whether spoken commands such as `comma` are obeyed; needs `punctuate`."), Default(None, "false")
    ]
    diarize: Annotated[bool, Doc("Whether speakers are told apart."), Default(None, "the gateway's, false")]
    detect_language: Annotated[
        bool, Doc("Whether the language is found out instead of asked for."), Default(None, "the gateway's, false")
    ]
    no_delay: Annotated[
        bool,
        Doc("Whether formatted text comes without waiting for what follows."),
        Default(None, "the gateway's, true as published"),
    ]
    vad_events: Annotated[bool, Doc("Whether Deepgram marks the beginning of speech."), Default(None, "false")]
    utterance_end: Annotated[
        bool,
        Doc("Whether Deepgram marks the end of an utterance."),
        Default(None, "the gateway's, true as published"),
    ]
    mip_opt_out: Annotated[
        bool,
        Doc("Whether the audio is kept out of Deepgram's training; the gateway keeps it out, whatever is given."),
        Default(None, "true"),
    ]
    redact: Annotated[_Terms, Doc("What to redact: `pci`, `numbers` and the like."), Default(None, "nothing")]
    replace: Annotated[_Terms, Doc("Terms to replace, each as `term:replacement`."), Default(None, "none")]
    search: Annotated[_Terms, Doc("Terms to search for in the audio."), Default(None, "none")]
    tag: Annotated[_Terms, Doc("Labels in Deepgram's usage reports."), Default(None, "none")]
    version: Annotated[str, Doc("Of the model."), Default(None, "latest")]
    callback: Annotated[str, Doc("A URL that Deepgram sends results to, as well."), Default(None, "none")]
    callback_method: Annotated[str, Doc("The HTTP method of `callback`."), Default(None, "Deepgram's, post")]


class DeepgramFluxOptions(GatewayOptions, total=False):
    """Flux. A *lower* threshold ends a turn *earlier* (the other way round than Cartesia's ink-2)."""

    eot_threshold: Annotated[
        float,
        Range(ge=0.5, le=0.9),
        Doc("How sure Flux has to be that the turn has ended."),
        Default(None, "Deepgram's, 0.7 as published"),
    ]
    eager_eot_threshold: Annotated[
        float,
        Range(ge=0.3, le=0.9),
        Doc("How sure it has to be that the turn has probably ended (PREFLIGHT_TRANSCRIPT)."),
        Default(None, "the gateway's, 0.5 as published"),
    ]
    eot_timeout_ms: Annotated[
        int,
        Range(ge=500, le=10000),
        Unit("ms"),
        Doc("The longest silence inside a turn."),
        Default(None, "Deepgram's, 5000 as published"),
    ]
    keyterm: Annotated[
        _Terms, Doc("Terms to listen for; the portable `keyterms` comes to this."), Default(None, "none")
    ]
    language_hint: Annotated[
        _Terms, Doc("Languages that may be spoken, of flux-general-multi."), Default(None, "Deepgram finds out")
    ]
    detect_language: Annotated[bool, Doc("Whether the language is found out."), Default(None, "the gateway's")]
    mip_opt_out: Annotated[
        bool,
        Doc("Whether the audio is kept out of Deepgram's training; the gateway keeps it out, whatever is given."),
        Default(None, "true"),
    ]
    tag: Annotated[_Terms, Doc("Labels in Deepgram's usage reports."), Default(None, "none")]


def terms(keyterms: object) -> Mapping[str, object]:
    """The portable ``keyterms`` as Deepgram takes them: with weights as ``keywords``, where 1 is no boost."""
    given = cast("Sequence[str | tuple[str, float]]", keyterms)
    if all(isinstance(term, str) for term in given):
        return {"keyterm": list(given)}
    return {"keywords": [(term, 1.0) if isinstance(term, str) else term for term in given]}


def check_flux(options: Mapping[str, object]) -> str | None:
    """What is wrong between the options of Flux."""
    eager, sure = options.get("eager_eot_threshold"), options.get("eot_threshold")
    if isinstance(eager, float) and isinstance(sure, float) and eager > sure:
        return f"`eager_eot_threshold` may not be above `eot_threshold`, and {eager:g} is above {sure:g}"
    return None
