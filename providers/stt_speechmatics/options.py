"""Speechmatics' models and their options: those of a job (:mod:`.config`), and those of its client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Annotated, Literal, TypedDict, cast

from stt_core.errors import ConfigError
from stt_core.options import Default, Doc, Length, Pattern, Range, Unit

from .config import Blocks, Transcription
from .wire import MAX_TTL, MIN_TTL, Region

__all__ = [
    "CLIENT",
    "DEFAULT_TTL",
    "FOR_JWT",
    "TARGETS",
    "EnhancedModel",
    "EnhancedOptions",
    "MeliaModel",
    "MeliaOptions",
    "check_enhanced",
    "check_melia",
    "diarization_of",
    "punctuation_from",
    "vocabulary_from",
]

EnhancedModel = Literal["enhanced", "standard", "oak-1"]
"""``oak-1`` is in the vendor's SDK and in no document of its."""

MeliaModel = Literal["melia-1"]
"""Several languages in one recording; in the regions eu1 and us1."""

DEFAULT_TTL = 60

_URL = Pattern(r"https?://[^\s/?#]+[^\s]*", "a URL that begins with http:// or https://")


class ClientOptions(TypedDict, total=False):
    """What is about the API and not about the recording."""

    job_config: Annotated[
        str | PathLike[str] | Mapping[str, object],
        Doc(
            "The vendor's own document for a job, as a mapping or the path of a JSON file, nested as the API has it or "
            "flat as the vendor's older client had it. Options given together with it win."
        ),
        Default(None, "none"),
    ]
    region: Annotated[
        Region,
        Doc("Where jobs are kept and recognised; a job is known only there."),
        Default(None, "that of the account, as the vendor's clients have it"),
    ]
    on_prem: Annotated[
        bool,
        Doc("The server is a container of one's own: it needs no key, and neither waits, lists nor deletes."),
        Default(value=False),
    ]
    parallel_engines: Annotated[
        int, Range(ge=1), Doc("With `on_prem`: how many engines share the job."), Default(None, "the server's")
    ]
    user_id: Annotated[str, Length(ge=1), Doc("With `on_prem`: whose job it is."), Default(None, "nobody's")]
    wait: Annotated[
        int,
        Range(ge=0, le=600),
        Unit("s"),
        Doc("How long the server may hold the answer to a question after a job that is not done."),
        Default(0),
    ]
    ttl: Annotated[
        int,
        Range(ge=MIN_TTL, le=MAX_TTL),
        Unit("s"),
        Doc("With auth=jwt: how long a temporary key is good for."),
        Default(DEFAULT_TTL),
    ]
    client_ref: Annotated[
        str,
        Length(ge=1),
        Doc("With auth=jwt: an end user; a key made for one sees no jobs but his."),
        Default(None, "nobody"),
    ]
    mp_url: Annotated[
        str,
        _URL,
        Doc("With auth=jwt: where temporary keys are minted."),
        Default(None, "SM_MANAGEMENT_PLATFORM_URL; else the vendor's, or beside the API where that is another host"),
    ]


CLIENT = tuple(ClientOptions.__annotations__)
"""The options that are no part of a job's config."""

FOR_JWT = ("ttl", "client_ref", "mp_url")


class EnhancedOptions(Transcription, Blocks, ClientOptions, total=False):
    """The options of ``enhanced`` and ``standard``."""

    diarization: Annotated[
        bool | str,
        Pattern(r"none|speaker|channel", "`none`, `speaker` or `channel`"),
        Doc("Whether speakers, or channels, are told apart; true is `speaker`."),
        Default(value=False),
    ]


class MeliaOptions(EnhancedOptions, total=False):
    """The options of ``melia-1``."""

    language_hints: Annotated[
        list[str], Length(ge=1), Doc("Speechmatics' codes of the languages to expect."), Default(None, "none")
    ]
    language_hints_strict: Annotated[bool, Doc("No other language than the hints."), Default(value=False)]


# -- portable options ----------------------------------------------------------------------------------------------

TARGETS = {"keyterms": "additional_vocab", "punctuation": "punctuation_overrides"}
"""Portable options, and the one that each comes to."""


def vocabulary_from(keyterms: object) -> Mapping[str, object]:
    """The portable ``keyterms`` as Speechmatics takes them: without weights.

    Raises:
        ConfigError: a term has one.
    """
    terms = cast("Sequence[str | tuple[str, float]]", keyterms)
    for term in terms:
        if not isinstance(term, str):
            raise ConfigError(
                f"speechmatics: keyterms have no weights here; give `{term[0]}` alone", provider="speechmatics"
            )
    return {"additional_vocab": list(terms)}


def punctuation_from(punctuation: object) -> Mapping[str, object]:
    """The portable ``punctuation``: without it no mark is permitted."""
    return {} if punctuation else {"punctuation_overrides": {"permitted_marks": []}}


def diarization_of(given: object) -> str:
    """The option ``diarization`` as the API has it."""
    if isinstance(given, bool):
        return "speaker" if given else "none"
    return cast("str", given)


# -- what goes together --------------------------------------------------------------------------------------------


def check_enhanced(options: Mapping[str, object]) -> str | None:
    """What is wrong between the options, as far as that does not depend on the language."""
    return _check_on_prem(options) or _check_diarization(options)


def check_melia(options: Mapping[str, object]) -> str | None:
    """The same for melia-1."""
    region = options.get("region", "eu1")
    if region not in ("eu1", "us1"):
        return f"melia-1 is served in the regions eu1 and us1, and `region` is {region}"
    if options.get("language_hints_strict") and "language_hints" not in options:
        return "`language_hints_strict` needs `language_hints`"
    return check_enhanced(options)


def _check_on_prem(options: Mapping[str, object]) -> str | None:
    if options.get("on_prem"):
        for name in ("region", "wait"):
            if options.get(name):
                return f"`{name}` is for the vendor's own servers, and `on_prem` says that this is none"
        return None
    for name in ("parallel_engines", "user_id"):
        if name in options:
            return f"`{name}` is for a server of one's own: say so with `on_prem`"
    return None


def _check_diarization(options: Mapping[str, object]) -> str | None:
    if "job_config" in options:
        return None  # the document may say which
    diarization = diarization_of(options.get("diarization", False))
    for name, needed in (("speaker_diarization_config", "speaker"), ("channel_diarization_labels", "channel")):
        if name in options and diarization != needed:
            return f"`{name}` needs diarization={needed}, and it is {diarization}"
    return None
