"""Which models, options, languages and addresses go together, before anything is sent."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import cast

import pytest

from stt_core.config import parse
from stt_core.errors import ConfigError, UnsupportedError
from stt_core.factory import create_stt
from stt_core.options import CommonOptions, OptionsType, fields
from stt_core.registry import resolve
from stt_kotoba import PROVIDER
from stt_kotoba.options import (
    JobsModel,
    JobsOptions,
    KotobaOptions,
    OneShotModel,
    OneShotOptions,
    RealtimeModel,
    RealtimeOptions,
)
from stt_kotoba.stt import JobsArguments, KotobaArguments, KotobaSTT, OneShotArguments, RealtimeArguments

REST, LIVE = "KOTOBA_ASR_REST_URL", "KOTOBA_ASR_URL"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOTOBA_API_KEY", "k")
    monkeypatch.delenv(REST, raising=False)
    monkeypatch.delenv(LIVE, raising=False)


def options(config: str, **given: object) -> Mapping[str, object]:
    return resolve(parse(config)[0], given).options


def test_the_declaration_is_right() -> None:
    """Names, maps and options fit together."""
    PROVIDER.verify()


@pytest.mark.parametrize(
    ("model", "arguments", "own"),
    [
        (JobsModel, JobsArguments, JobsOptions),
        (OneShotModel, OneShotArguments, OneShotOptions),
        (RealtimeModel, RealtimeArguments, RealtimeOptions),
        (None, KotobaArguments, KotobaOptions),
    ],
)
def test_the_overloads_are_what_is_registered(model: object, arguments: OptionsType, own: OptionsType) -> None:
    """A type checker refuses what the registry refuses."""
    family = PROVIDER.family_for(None if model is None else typing.get_args(model)[0])
    assert family.options is own
    assert fields(arguments).keys() == fields(own).keys() | fields(CommonOptions).keys()
    assert len(typing.get_overloads(KotobaSTT.__init__)) == len(PROVIDER.families) + 1


def test_portable_options_have_kotobas_names() -> None:
    """Each family maps them, or refuses them."""
    assert options("kotoba/realtime", keyterms=["GPU"]) == {"keywords": ["GPU"]}
    assert options("kotoba/one-shot", keyterms=["GPU"], word_timestamps=True, diarization=True) == {
        "keywords": ["GPU"],
        "with_timestamps": True,
        "diarization": True,
    }
    assert options("kotoba/jobs", punctuation=True, profanity_filter=False) == {}
    assert options("kotoba?keyterms=渋谷駅&keyterms=GPU&interim_results=false") == {
        "keywords": ["渋谷駅", "GPU"],
        "interim_results": False,
    }


@pytest.mark.parametrize(
    ("config", "given", "complaint"),
    [
        ("kotoba/jobs", {"keyterms": ["a"]}, "`keyterms`"),
        ("kotoba/jobs", {"word_timestamps": True}, "`word_timestamps`, which is always false"),
        ("kotoba/jobs", {"diarization": True}, "`diarization`, which is always false"),
        ("kotoba/jobs", {"turn_detection": False}, "it is an option of kotoba/any, kotoba/realtime"),
        ("kotoba/realtime", {"with_timestamps": True}, "it is an option of kotoba/any, kotoba/one-shot, kotoba/jobs"),
        ("kotoba/realtime", {"word_timestamps": True}, "`word_timestamps`, which is always false"),
        ("kotoba/realtime", {"keyterms": [("a", 2.0)]}, "no weights here; give `a` alone"),
        ("kotoba/realtime", {"keywords": [" "]}, "`keywords` has an empty term"),
        ("kotoba/realtime", {"keywords": "abc"}, "keywords"),
        ("kotoba/realtime", {"silence_duration_ms": -1}, "silence_duration_ms"),
        ("kotoba/realtime", {"turn_detection": False, "silence_duration_ms": 3}, "for turn_detection=true"),
        ("kotoba/realtime", {"kana_field": "kana"}, "says how kana=true is spelt"),
        ("kotoba/one-shot", {"diarization": "speaker"}, "true or false"),
        ("kotoba/one-shot", {"ws_url": "ws://h"}, "ws_url"),
        ("kotoba/realtime:fr", {}, "language `fr` is not among"),
        ("kotoba/batch", {}, "has no model `batch`"),
        ("kotoba/realtime", {"ws_url": "h/realtime"}, "a URL that begins with"),
    ],
)
def test_what_does_not_go_together_is_refused(config: str, given: dict[str, object], complaint: str) -> None:
    """Nothing is accepted and then dropped."""
    with pytest.raises(ConfigError) as refused:
        options(config, **given)
    assert complaint in str(refused.value)


# -- addresses: sections 1 and 2 -----------------------------------------------------------------------------------


def kotoba(config: str = "kotoba", **given: object) -> KotobaSTT:
    return cast("KotobaSTT", create_stt(config, **cast("dict[str, str]", given)))


def addresses(stt: KotobaSTT) -> tuple[str | None, str | None]:
    found: list[str | None] = []
    for meaning in ("rest_url", "ws_url"):
        try:
            found.append(stt.addresses.get(meaning, stt.settings))
        except ConfigError:
            found.append(None)
    return found[0], found[1]


async def test_each_object_has_addresses_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument beats base_url, which beats the environment; nothing is shared by the process."""
    monkeypatch.setenv(REST, "https://env/v1")
    monkeypatch.setenv(LIVE, "wss://env/v1/realtime")
    assert addresses(kotoba()) == ("https://env/v1", "wss://env/v1/realtime")
    assert addresses(kotoba(base_url="http://base/v1/")) == ("http://base/v1/", "http://base/v1/realtime")
    both = kotoba(base_url="http://base/v1", rest_url="http://rest", ws_url="ws://live/asr")
    assert addresses(both) == ("http://rest", "ws://live/asr")
    assert addresses(kotoba()) == ("https://env/v1", "wss://env/v1/realtime")


@pytest.mark.parametrize(
    ("config", "variable"), [("kotoba/jobs", REST), ("kotoba/one-shot", REST), ("kotoba/realtime", LIVE)]
)
async def test_the_address_that_a_model_needs_has_to_be_there(
    config: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, and with the variable's name; the other address does not help, and empty counts as unset."""
    other = LIVE if variable == REST else REST
    monkeypatch.setenv(other, "http://127.0.0.1:1/v1")
    monkeypatch.setenv(variable, " ")
    with pytest.raises(ConfigError, match=variable):
        kotoba(config)
    monkeypatch.setenv(variable, "http://127.0.0.1:1/v1")
    kotoba(config)


async def test_an_address_that_no_parser_takes_is_said_to_be_none() -> None:
    """Once it is used, and not as a ValueError."""
    stt = kotoba("kotoba/one-shot", rest_url="http://[::1/v1")
    with pytest.raises(ConfigError, match="base_url"):
        await stt.recognize(b"RIFF")
    await stt.aclose()


async def test_an_address_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable, and not its value."""
    monkeypatch.setenv(REST, "user:secret@host")
    with pytest.raises(ConfigError, match=REST) as refused:
        kotoba()
    assert "secret" not in str(refused.value)


async def test_with_one_address_only_the_calls_that_need_the_other_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """`kotoba` alone can do what its addresses allow, and says so."""
    with pytest.raises(ConfigError, match=f"{REST}.*{LIVE}"):
        kotoba()
    live = kotoba(ws_url="ws://127.0.0.1:1")
    assert (live.capabilities.streaming, live.capabilities.batch, live.capabilities.jobs) == (True, False, False)
    with pytest.raises(ConfigError, match=REST):
        await live.submit(b"RIFF")
    rest = kotoba(rest_url="http://127.0.0.1:1")
    assert (rest.capabilities.streaming, rest.capabilities.batch, rest.capabilities.jobs) == (False, True, True)
    await live.aclose()
    await rest.aclose()


@pytest.mark.parametrize("host", ["fal.run", "queue.fal.run", "api.kotobatech.ai"])
async def test_hosts_that_answer_nobody_without_a_key_take_one(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container of one's own may need none: the header is left out, as Kotoba's SDK does."""
    monkeypatch.delenv("KOTOBA_API_KEY")
    with pytest.raises(ConfigError, match="KOTOBA_API_KEY"):
        kotoba(base_url=f"https://{host}/v1")
    kotoba(base_url=f"https://{host}/v1", api_key="k")
    await kotoba(base_url="http://localhost/v1").aclose()


async def test_models_without_jobs_say_so() -> None:
    """`submit` is for jobs, and for `kotoba` alone."""
    for config in ("kotoba/realtime", "kotoba/one-shot"):
        stt = kotoba(config, base_url="http://127.0.0.1:1/v1")
        with pytest.raises(UnsupportedError, match="has no jobs"):
            await stt.submit(b"RIFF")
        await stt.aclose()
