"""A provider for the tests of what is told about providers: something of everything that can be declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypedDict

from stt_core.options import Default, Doc, Range, Secret, Unit
from stt_core.provider import Always, Capabilities, Carries, EnvVar, ModelFamily, Provider


class Inner(TypedDict, total=False):
    """What stands inside an option."""

    width: Annotated[int, Doc("How wide.")]


class AlphaOptions(TypedDict, total=False):
    """What alpha takes."""

    speed: Annotated[float, Range(ge=0.5, le=2), Unit("s"), Doc("How fast."), Default(1.0)]
    hints: Annotated[list[str], Doc("What to listen for."), Default(None, "none")]
    who: Annotated[str, Doc("Who is told apart.")]
    pin: Annotated[str, Secret(), Doc("A number of yours.")]
    frame: Annotated[Inner, Doc("What is around it.")]


class BetaOptions(TypedDict, total=False):
    """What beta takes."""

    speed: Annotated[float, Range(ge=0.5, le=2), Unit("s"), Doc("How fast."), Default(1.5)]
    keyterms: Annotated[list[str], Doc("What to listen for.")]
    depth: Annotated[int, Doc("How deep."), Default(3)]


def _who(value: object) -> Mapping[str, object]:
    return {"who": "everybody" if value is True else str(value)}


PROVIDER = Provider(
    "lab",
    (
        ModelFamily(
            "alpha",
            options=AlphaOptions,
            models=("alpha-1", "alpha-2"),
            default_model="alpha-1",
            open_models=True,
            model_prefix="alpha-",
            languages=("en", "pt", "cmn"),
            language_map={"zh": "cmn"},
            default_language="en",
            portable={"keyterms": "hints", "punctuation": Always(value=True), "diarization": _who},
            capabilities=Capabilities(streaming=True, batch=True, words=True, diarization=True, flush="native"),
            carries=Carries(words=True, confidence=True, times="session"),
            doc="The first.",
        ),
        ModelFamily(
            "beta",
            options=BetaOptions,
            models=("beta-1",),
            languages=("en", "pt"),
            portable={"punctuation": Always(value=False)},
            capabilities=Capabilities(streaming=True, turns=True, keyterms=True),
            carries=Carries(turns=True),
            kind="local",
            doc="The second.",
        ),
    ),
    client="stt_nowhere:LabSTT",
    env=(
        EnvVar("LAB_KEY", "api_key", required=True, doc="From the laboratory."),
        EnvVar("OLD_LAB_KEY", "api_key", required=True),
        EnvVar("LAB_SECRET", "api_secret"),
        EnvVar("LAB_URL", "base_url"),
    ),
    doc="A laboratory.",
)
