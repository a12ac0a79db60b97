"""The upstream providers behind the gateway, by the name of their model family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from .options import ALIGNED, UNALIGNED, Upstream, fallback_of
from .options_others import OPENAI_SAMPLE_RATE

if TYPE_CHECKING:
    from stt_core.provider import Carries
    from stt_core.registry import Resolved

__all__ = ["UPSTREAMS", "carries_of", "upstream_of"]

_TURNS = replace(UNALIGNED, preflight=True)

UPSTREAMS: Mapping[str, Upstream] = {
    # What the gateway chooses, and what nothing is known about.
    "auto": Upstream(carries=_TURNS),
    "deepgram": Upstream(carries=ALIGNED, interims_switch=True),
    "deepgram/flux": Upstream(carries=replace(ALIGNED, preflight=True), turns=True),
    "cartesia": Upstream(carries=_TURNS),
    "cartesia/ink-whisper": Upstream(carries=ALIGNED),
    # It always says no words, where its audio began as `start`, and what it billed as `duration`; a final ends a turn.
    "cartesia/ink-2": Upstream(carries=replace(_TURNS, turns=True, words=False), turns=True),
    # It ends a session whose audio comes faster than it is spoken.
    "assemblyai": Upstream(carries=ALIGNED, max_pace=1.0),
    "speechmatics": Upstream(carries=ALIGNED),
    "speechmatics/linden": Upstream(carries=UNALIGNED),
    # After the last audio it says an empty interim each second, and never that this was all.
    "xai": Upstream(carries=ALIGNED, interims_switch=True, empty_after_end=True),
    "inworld": Upstream(carries=UNALIGNED),
    "google": Upstream(carries=UNALIGNED),
    "openai": Upstream(carries=UNALIGNED, sample_rate=OPENAI_SAMPLE_RATE),
}


def upstream_of(settings: Resolved) -> Upstream:
    """The upstream provider that serves these settings, as long as it does not fail."""
    return UPSTREAMS[settings.family.name]


def carries_of(settings: Resolved) -> Carries:
    """What comes through, whichever of the model and its ``fallback`` says it."""
    carries = upstream_of(settings).carries
    for member in fallback_of(settings.options):
        other = UPSTREAMS[settings.provider.family_for(member["model"]).name].carries
        carries = replace(
            carries,
            turns=carries.turns and other.turns,
            preflight=carries.preflight or other.preflight,
            words=carries.words or other.words,
            times="session" if carries.times == other.times == "session" else "none",
            lag=max(carries.lag, other.lag),
        )
    return carries
