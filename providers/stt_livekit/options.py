"""What every model behind the gateway takes, and what the upstream providers' wires have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Required, TypedDict, cast

from stt_core.errors import ConfigError
from stt_core.options import Default, Doc, Pattern, Range, Unit
from stt_core.provider import Carries

if TYPE_CHECKING:
    from stt_core.registry import Resolved

    from .wire import FallbackMember

__all__ = [
    "ALIGNED",
    "GATEWAY_RETRIES",
    "GATEWAY_TIMEOUT",
    "UNALIGNED",
    "AutoModel",
    "FallbackModel",
    "GatewayOptions",
    "Upstream",
    "fallback_of",
    "plain_terms",
    "upstream_fields",
]

AutoModel = Literal["auto"]
"""The gateway chooses."""

GATEWAY_TIMEOUT = 10.0
GATEWAY_RETRIES = 3


_ModelId = Annotated[str, Pattern(r"[^\s:{}]+", "a model's id without a language (the session's is kept)")]


class FallbackModel(TypedDict, total=False):
    """A model that the gateway goes on to by itself when the one before it fails."""

    model: Required[Annotated[_ModelId, Doc("Its id.")]]
    extra: Annotated[Mapping[str, object], Doc("Its upstream provider's own options."), Default(None, "none")]


class GatewayOptions(TypedDict, total=False):
    """What the gateway takes with every model; all that a model takes of which the library knows nothing else.

    The options of such a model go through ``extra``, as does an option that one of the known upstream providers has
    added since, or calls like an argument of the library (Deepgram's ``extra`` and ``channels``).
    """

    interim_results: Annotated[
        bool, Doc("Whether a stream tells what it has heard before it is sure."), Default(value=True)
    ]
    fallback: Annotated[
        list[_ModelId | FallbackModel],
        Doc(
            "Models that the gateway goes on to by itself when this one fails, in their order. A chain of providers "
            "(`livekit/… | cartesia/…`) is the library's own, goes beyond the gateway, and replays what was not "
            "recognised yet."
        ),
        Default(None, "none"),
    ]
    gateway_timeout: Annotated[
        float,
        Range(gt=0),
        Unit("s"),
        Doc("How long the gateway may take to reach the upstream provider (`connection.timeout`)."),
        Default(GATEWAY_TIMEOUT),
    ]
    gateway_retries: Annotated[
        int,
        Range(ge=0),
        Doc("How often the gateway tries the upstream provider again (`connection.retries`)."),
        Default(GATEWAY_RETRIES),
    ]


_OWN = frozenset({"fallback", "gateway_timeout", "gateway_retries"})
"""Options of :class:`GatewayOptions` that the gateway reads itself, outside of the upstream provider's ``extra``."""

# -- what an upstream provider is like -----------------------------------------------------------------------------

ALIGNED = Carries(interims=True, words=True, confidence=True, speakers=True, language=True, times="session")
"""Models whose words LiveKit's own client aligns with the audio."""

UNALIGNED = Carries(interims=True, words=True, confidence=True, speakers=True, language=True, times="none", lag=3.0)
"""All others: what stands in ``start`` and ``duration`` need not be the text's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """An upstream provider behind the gateway, as far as it shows through the gateway's wire.

    Attributes:
        carries: what comes through.
        max_pace: times real time at which it takes a backlog.
        turns: it waits for the end of a turn by its own clock, and takes missing audio for a slow network.
        sample_rate: the only one that it takes, in Hz; ``None`` takes what was pushed.
        interims_switch: it has the option ``interim_results`` itself.
        empty_after_end: an empty interim behind the last ``session.finalize`` is its answer that nothing was said.
    """

    carries: Carries
    max_pace: float = 1.5
    turns: bool = False
    sample_rate: int | None = None
    interims_switch: bool = False
    empty_after_end: bool = False


def upstream_fields(settings: Resolved, upstream: Upstream) -> dict[str, object]:
    """What goes into ``settings.extra``: the options given, under the vendor's names, and the user's ``extra``."""
    left_out = _OWN if upstream.interims_switch else _OWN | {"interim_results"}
    own = {name: value for name, value in settings.options.items() if name not in left_out}
    return {**own, **settings.stt["extra"]}


def fallback_of(options: Mapping[str, object]) -> list[FallbackMember]:
    """The models of ``fallback``, as they go over the wire."""
    members = cast("Sequence[str | FallbackModel]", options.get("fallback", ()))
    full = [FallbackModel(model=member) if isinstance(member, str) else member for member in members]
    return [{"model": member["model"], "extra": member.get("extra")} for member in full]


# -- portable options ----------------------------------------------------------------------------------------------


def plain_terms(name: str, item: Callable[[str], object] = str) -> Callable[[object], Mapping[str, object]]:
    """How a family takes ``keyterms`` whose upstream provider knows no weights: as its option ``name``.

    Raises:
        ConfigError: a term has a weight.
    """

    def translate(keyterms: object) -> Mapping[str, object]:
        terms = cast("Sequence[str | tuple[str, float]]", keyterms)
        weighted = [term[0] for term in terms if not isinstance(term, str)]
        if weighted:
            raise ConfigError(f"keyterms have no weights here: leave that of `{weighted[0]}` out", provider="livekit")
        return {name: [item(cast("str", term)) for term in terms]}

    return translate
