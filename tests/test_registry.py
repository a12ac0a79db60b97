"""What a config and its options come to for a provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Literal, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from stt_core import registry
from stt_core.config import ModelConfig, parse
from stt_core.errors import ConfigError
from stt_core.options import Default, Doc, Range, Secret
from stt_core.registry import (
    Always,
    EnvVar,
    ModelFamily,
    Provider,
    Resolved,
    registered,
    resolve,
    split_chain_options,
)


class Ink(TypedDict, total=False):
    keyterm: Annotated[list[str], Doc("Terms.")]
    start: Annotated[float, Doc("Where a turn starts."), Range(ge=0, le=1), Default(0.8)]
    end: Annotated[float, Doc("Where a turn ends."), Range(ge=0, le=1), Default(0.2)]
    interim_results: Annotated[bool, Doc("Interims.")]
    diarize: Annotated[bool, Doc("Speakers.")]
    diarize_kind: Annotated[Literal["speaker", "channel"], Doc("How.")]


class Whisper(TypedDict, total=False):
    least_volume: Annotated[float, Doc("Below is silence."), Range(ge=0, le=1)]
    fetch_url: Annotated[str, Doc("Where the audio is."), Secret()]


class Deep(TypedDict, total=False):
    hints: Annotated[list[str | tuple[str, float]], Doc("Terms.")]


def diarization(value: object) -> Mapping[str, object]:
    if isinstance(value, bool):
        return {"diarize": value}
    return {"diarize": True, "diarize_kind": value}


def ordered(options: Mapping[str, object]) -> str | None:
    start, end = options.get("start", 0.8), options.get("end", 0.2)
    assert isinstance(start, float)
    assert isinstance(end, float)
    return None if start > end else "`start` has to be above `end`"


ACME = Provider(
    name="acme",
    families=(
        ModelFamily(
            name="ink",
            options=Ink,
            models=("ink-2",),
            default_model="ink-2",
            languages=("en", "cmn"),
            language_map={"zh": "cmn"},
            default_language="en",
            portable={"keyterms": "keyterm", "diarization": diarization, "punctuation": Always(True)},
            check=ordered,
        ),
        ModelFamily(name="whisper", options=Whisper, models=("whisper-1",), portable={"word_timestamps": Always(True)}),
    ),
    client="stt_acme.stt:AcmeSTT",
    env=(EnvVar("ACME_API_KEY", "api_key", required=True),),
)
GATE = Provider(
    name="gate",
    families=(
        ModelFamily(
            name="any",
            options=Deep,
            open_models=True,
            portable={"keyterms": "hints", "profanity_filter": Always(False)},
        ),
    ),
    client="stt_gate.stt:GateSTT",
)


@pytest.fixture(autouse=True, scope="module")
def known() -> Iterator[None]:
    with registered(ACME), registered(GATE):
        yield


def look_up(config: str, /, language: str | None = None, **options: object) -> Resolved:
    (member,) = parse(config)
    return resolve(member, options, language=language)


def refusal(config: str, /, language: str | None = None, **options: object) -> str:
    with pytest.raises(ConfigError) as caught:
        look_up(config, language, **options)
    return str(caught.value)


def test_what_is_left_open_is_filled_in() -> None:
    """A bare provider comes to its first family's model and language, and the framework's defaults; nothing is sent."""
    found = look_up("acme")
    assert (found.provider, found.family.name, found.model, found.label) == (ACME, "ink", "ink-2", "acme/ink-2")
    assert (found.language, found.vendor_language) == ("en", "en")
    assert (found.stt["connect_timeout"], found.stream["flush_timeout"]) == (10.0, 5.0)
    assert (found.options, found.portable) == ({}, {})


def test_a_model_left_to_the_vendor() -> None:
    """Without a default model and language none is there to be sent; an open family passes any id and tag on."""
    found = look_up("gate")
    assert (found.model, found.language, found.vendor_language, found.label) == (None, None, None, "gate")
    assert (look_up("gate/a/b:pt_br").model, look_up("gate/a/b:pt_br").vendor_language) == ("a/b", "pt-BR")


def test_options_are_told_apart() -> None:
    """Framework, portable and family options go where they belong, text and Python values alike."""
    found = look_up(
        "acme/ink-2:zh-Hans?max_retries=2&replay_seconds=5&start=0.9&keyterms=a",
        extra={"new": 1},
        interim_results=False,
    )
    assert (found.stt["max_retries"], found.stt["extra"], found.stream["replay_seconds"]) == (2, {"new": 1}, 5.0)
    assert found.options == {"start": 0.9, "keyterm": ["a"], "interim_results": False}
    assert found.portable == {"keyterms": ["a"], "interim_results": False}
    assert (found.language, found.vendor_language) == ("zh-Hans", "cmn")


def test_keywords_beat_the_string() -> None:
    """Also the language, and also where one says it in its own words and the other in the vendor's."""
    found = look_up("acme/ink-2:zh?start=0.9&keyterm=a&max_retries=2", "en", start=0.7, keyterms=["b"], max_retries=3)
    assert (found.language, found.options, found.stt["max_retries"]) == ("en", {"start": 0.7, "keyterm": ["b"]}, 3)
    found = look_up("acme/ink-2?keyterms=a", keyterm=["b"])
    assert (found.options, found.portable) == ({"keyterm": ["b"]}, {})


def test_the_language_as_an_option() -> None:
    """language= in the string or among the options is the language; two that differ are refused."""
    assert look_up("acme/ink-2?language=zh").vendor_language == "cmn"
    assert look_up("acme/ink-2:en?language=en").language == "en"
    assert "two languages" in refusal("acme/ink-2:en?language=zh")


def test_a_portable_option_goes_with_all_that_it_came_to() -> None:
    """When a later layer gives it anew, nothing of its earlier translation stays behind."""
    found = look_up("acme/ink-2?diarization=speaker")
    assert found.options == {"diarize": True, "diarize_kind": "speaker"}
    assert found.with_options(diarization=False).options == {"diarize": False}
    assert look_up("acme/ink-2?diarization=speaker", diarization=False).options == {"diarize": False}


def test_both_words_for_one_thing() -> None:
    """In one place the portable and the vendor's word for the same option are a contradiction."""
    assert "`keyterms` and `keyterm` set the same thing" in refusal("acme/ink-2?keyterm=a&keyterms=a")
    assert "`diarization` and `diarize` set the same thing" in refusal("acme", diarization=True, diarize=True)


def test_a_portable_value_that_the_model_cannot_take() -> None:
    """The refusal speaks of the option that was given: a weight is not dropped, a fixed switch not ignored."""
    assert "acme/ink-2, for `keyterms`: option `keyterm[0]`" in refusal("acme", keyterms=[("a", 1.5)])
    assert "for `diarization`: option `diarize_kind` was given 'room'; it takes `speaker`" in refusal(
        "acme?diarization=room"
    )
    assert look_up("acme?punctuation=true").options == {}
    assert "`punctuation`, which is always true" in refusal("acme?punctuation=false")


UNKNOWN: list[tuple[str, dict[str, object], str, str]] = [
    ("acme/ink-2?strat=0.5", {}, "has no option `strat`", "did you mean `start`?"),
    ("acme/ink-2?max_retry=1", {}, "has no option `max_retry`", "did you mean `max_retries`?"),
    ("acme/ink-2?least_volume=0.1", {}, "has no option `least_volume`; it is an option of acme/whisper", ""),
    ("gate/x", {"least_volume": 0.1}, "gate/x has no option `least_volume`; it is an option of acme/whisper", ""),
    (
        "acme/ink-2",
        {"word_timestamps": True},
        "does not support `word_timestamps`; it is an option of acme/whisper",
        "",
    ),
    ("acme/whisper-1", {"keyterms": ["a"]}, "does not support `keyterms`; it is an option of acme/ink, ", ""),
    ("acme/ink-2?deadline=3", {}, "`deadline` is an option of a chain as a whole", ""),
]


@pytest.mark.parametrize(("config", "options", "says", "hint"), UNKNOWN)
def test_an_unknown_option(config: str, options: dict[str, object], says: str, hint: str) -> None:
    """What was wrong, who else takes it (the same provider first), what is accepted, and the nearest match."""
    message = refusal(config, None, **options)
    assert says in message
    assert message.endswith(hint)
    assert "deadline" in says or "beside the framework's options it takes " in message


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("acne", "did you mean `acme`?"),
        ("acme/ink-3", "acme has no model `ink-3`; it has ink-2, whisper-1; did you mean `ink-2`?"),
        ("acme/ink-2:de", "acme/ink-2: the language `de` is not among cmn, en, zh"),
        ("acme/ink-2?start=2", "acme/ink-2: option `start` was given '2'; it takes a number from 0 to 1"),
        ("acme/ink-2?max_retries=-1", "option `max_retries` was given '-1'; it takes a whole number of at least 0"),
        ("acme/ink-2?channel_mode=mox", "it takes `mix` or `split`; did you mean `mix`?"),
        ("acme/ink-2?keyterms=a&punctuation=yes", "option `punctuation` was given 'yes'; it takes true or false"),
        ("acme/ink-2?start=0.1", "acme/ink-2: `start` has to be above `end`"),
        ("acme/whisper-1?fetch_url=https://x", "`fetch_url` is a secret"),
    ],
)
def test_a_wrong_config_is_refused(config: str, says: str) -> None:
    """Before anything is sent, with what is accepted."""
    assert says in refusal(config)


# Per call


def test_another_model_for_one_call() -> None:
    """Where the provider changes models it is looked up like the first; its options are checked as of its family."""
    with registered(replace(ACME, name="agile", changes_model=True)):
        changed = look_up("agile/ink-2:en").with_options(model="whisper-1", least_volume=0.5)
        assert (changed.label, changed.family.name, changed.language) == ("agile/whisper-1", "whisper", "en")
        assert changed.with_options(model=None, least_volume=0.1).label == "agile/whisper-1"
        for model, says in (("ink-3", "no model `ink-3`"), (3, "cannot become 3"), ("whisper-1", "no option `start`")):
            with pytest.raises(ConfigError, match=says):
                look_up("agile/ink-2?start=0.9").with_options(model=model)
    with pytest.raises(ConfigError, match="acme/ink-2 cannot become 'whisper-1' in this way"):
        look_up("acme").with_options(model="whisper-1")


def test_options_for_one_call() -> None:
    """They beat those of the config for this call, are checked in the same way, and change nothing for the others."""
    stt = look_up("acme/ink-2:en?keyterm=a", start=0.9)
    call = stt.with_options(language="zh", keyterms=["b"], connect_timeout=3, end=0.3)
    assert (call.vendor_language, call.stt["connect_timeout"]) == ("cmn", 3.0)
    assert call.options == {"start": 0.9, "keyterm": ["b"], "end": 0.3}
    assert (stt.vendor_language, stt.options) == ("en", {"keyterm": ["a"], "start": 0.9})
    assert stt.with_options() is stt
    assert stt.with_options(language=None) is stt
    with pytest.raises(ConfigError, match="`start` has to be above `end`"):
        stt.with_options(end=0.95)
    with pytest.raises(ConfigError, match="no option `sart`"):
        stt.with_options(sart=0.95)


GIVEN = st.fixed_dictionaries(
    {},
    optional={
        "keyterm": st.lists(st.sampled_from("abc")),
        "keyterms": st.lists(st.sampled_from("abc")),
        "diarization": st.booleans() | st.sampled_from(["speaker", "channel"]),
        "diarize_kind": st.sampled_from(["speaker", "channel"]),
        "start": st.floats(0.5, 1),
        "language": st.sampled_from(["en", "zh"]),
        "max_retries": st.integers(0, 9),
    },
)


def change(found: Resolved, update: Mapping[str, object]) -> Resolved:
    rest = {name: value for name, value in update.items() if name != "language"}
    return found.with_options(language=cast("str | None", update.get("language")), **rest)


@given(st.lists(GIVEN, max_size=8))
def test_updates_add_up(updates: list[dict[str, object]]) -> None:
    """Each update either changes exactly what it names or is refused; what is kept does not grow with their number."""
    found = look_up("acme/ink-2")
    for update in updates:
        contradiction = {"keyterm", "keyterms"} <= update.keys() or (
            isinstance(update.get("diarization"), str) and "diarize_kind" in update
        )
        if contradiction:
            with pytest.raises(ConfigError, match="set the same thing"):
                change(found, update)
            continue
        before, found = found, change(found, update)
        terms = update.get("keyterms", update.get("keyterm"))
        assert found.options.get("keyterm") == (before.options.get("keyterm") if terms is None else terms)
        assert found.options.get("start") == update.get("start", before.options.get("start"))
        assert found.language == update.get("language", before.language)
        assert found.stt["max_retries"] == update.get("max_retries", before.stt["max_retries"])
        names = [name for layer in found.layers for name in layer]
        assert len(names) == len(set(names))


def test_a_repr_shows_no_value() -> None:
    """A proxy or base URL may hold a password."""
    found = look_up("acme/ink-2:en", proxy="http://user:hunter2@proxy:3128")
    assert repr(found) == "<Resolved acme/ink-2:en language, proxy>"


# Chains


def test_options_of_a_chain() -> None:
    """What belongs to the chain is split off and filled in; the rest goes to every member."""
    chain, rest = split_chain_options({"deadline": 3, "keyterms": ["a"]})
    assert chain == {"deadline": 3.0, "progress_timeout": 15.0, "probe_interval": 60.0}
    assert rest == {"keyterms": ["a"]}
    with pytest.raises(ConfigError, match="a chain: option `deadline`"):
        split_chain_options({"deadline": 0})


def test_portable_options_hold_for_all_members() -> None:
    """Each member translates them into its own words."""
    members = parse("acme/ink-2 | gate/x")
    assert [resolve(member, {"keyterms": ["a"]}).options for member in members] == [
        {"keyterm": ["a"]},
        {"hints": ["a"]},
    ]


def test_a_config_made_by_hand() -> None:
    """Values of a mapping or a ModelConfig are Python values: text is not converted."""
    assert resolve(ModelConfig("acme", options={"start": 0.9})).options == {"start": 0.9}
    with pytest.raises(ConfigError, match=r"option `start` was given '0\.9'"):
        resolve(ModelConfig("acme", options={"start": "0.9"}))


def test_the_names_for_provider_packages_are_in_one_place() -> None:
    """All that __all__ names is there."""
    for name in registry.__all__:
        assert getattr(registry, name) is not None
