"""Which options, languages and endpoints go together, before anything is sent."""

from __future__ import annotations

import typing

import pytest

from stt_cartesia import PROVIDER
from stt_cartesia.options import (
    CARRIES,
    LANGUAGES,
    Ink2Model,
    Ink2Options,
    InkPreviewModel,
    InkWhisperModel,
    InkWhisperOptions,
)
from stt_cartesia.stt import CartesiaSTT, Ink2Arguments, InkWhisperArguments
from stt_core.errors import ConfigError
from stt_core.factory import create_stt
from stt_core.options import CommonOptions, fields


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", "sk_car_test")
    monkeypatch.delenv("CARTESIA_BASE_URL", raising=False)


def test_the_declaration_is_right() -> None:
    """Names, maps and options fit together."""
    PROVIDER.verify()


def test_ink_whisper_speaks_its_languages_only() -> None:
    """3.2: a closed list, the 99 of Whisper and Cantonese."""
    assert len(LANGUAGES) == len(set(LANGUAGES)) == 100
    with pytest.raises(ConfigError, match="language `eo` is not among"):
        create_stt("cartesia/ink-whisper:eo")


@pytest.mark.parametrize(
    ("config", "surface"),
    [
        ("cartesia", "manual"),
        ("cartesia/ink-whisper-2025-06-04:fr", "manual"),
        ("cartesia/ink-whisper-2030-01-01", "manual"),
        ("cartesia/ink-2", "turns"),
        ("cartesia/ink-2-2026-10-01:en-GB", "turns"),
        ("cartesia/ink-2?endpoint=manual", "manual"),
        ("cartesia/ink-preview", "turns"),
        ("cartesia/ink-preview-7:en-US", "turns"),
        ("cartesia/ink-preview:multi", "turns"),
        ("cartesia/ink-preview:fr", "manual"),
        ("cartesia/ink-preview?endpoint=manual", "manual"),
    ],
)
def test_the_endpoint_follows_from_model_and_language(config: str, surface: str) -> None:
    """14.1.1: and says what it can do."""
    stt = create_stt(config)
    assert stt.capabilities.flush == ("native" if surface == "manual" else "silence")
    assert stt.capabilities.turns is (surface == "turns")
    assert stt.create_runner(stt.settings).carries == CARRIES["manual" if surface == "manual" else "turns"]


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("cartesia/ink-whisper?endpoint=turns", "not served by the endpoint `turns`"),
        ("cartesia/ink-2:de", "`de` is not among en"),
        ("cartesia/ink-2?min_volume=0.1", "option of cartesia/ink-whisper"),
        ("cartesia/ink-whisper?keyterm=Ink", "option of cartesia/ink-2"),
        ("cartesia/ink-whisper?keyterms=Ink", "does not support `keyterms`"),
        ("cartesia/ink-2?endpoint=manual&turn_end_threshold=0.1", "belongs to the endpoint `turns`"),
        ("cartesia/ink-2?close_word=done", "belongs to the endpoint `manual`"),
        ("cartesia/ink-preview:fr?turn_end_threshold=0.1", "belongs to the endpoint `turns`"),
        ("cartesia/ink-preview:fr?endpoint=turns", "takes no language, and `fr`"),
        ("cartesia/ink-preview:multi?endpoint=manual", "hears one language"),
        ("cartesia/ink-3", "no model `ink-3`"),
        ("cartesia/ink-whisper?min_volume=1.5", "from 0 to 1"),
        ("cartesia/ink-2?turn_start_threshold=0.95", "from 0.5 to 0.9"),
        ("cartesia/ink-2?turn_eager_end_threshold=0.2", "from 0.3 to 0.8"),
        ("cartesia/ink-2?turn_end_threshold=0.6", "from 0.05 to 0.5"),
        ("cartesia/ink-2?turn_end_timeout_ms=100", "from 640 to 11200"),
        ("cartesia/ink-2?turn_start_threshold=0.6&turn_eager_end_threshold=0.6", "above `turn_eager_end_threshold`"),
        ("cartesia/ink-2?turn_eager_end_threshold=0.3&turn_end_threshold=0.4", "above `turn_end_threshold`"),
        ("cartesia/ink-2?turn_start_threshold=0.5&turn_end_threshold=0.5", "above `turn_end_threshold`"),
        ("cartesia/ink-2?api_version=newest", "a date such as"),
        ("cartesia/ink-whisper?punctuation=false", "no switch for `punctuation`"),
        ("cartesia/ink-whisper?diarization=true", "no switch for `diarization`"),
        ("cartesia/ink-2?word_timestamps=true", "no switch for `word_timestamps`"),
    ],
)
def test_what_does_not_go_together_is_refused_at_once(config: str, complaint: str) -> None:
    """14.1.1: nothing is accepted and then dropped; the message says what is accepted."""
    with pytest.raises(ConfigError) as caught:
        create_stt(config)
    assert complaint in str(caught.value)


def test_a_call_of_its_own_is_checked_too() -> None:
    """The language of one stream may not fit the endpoint of another."""
    stt = create_stt("cartesia/ink-preview?endpoint=turns")
    with pytest.raises(ConfigError, match="takes no language"):
        stt.create_runner(stt.settings.with_options(language="fr"))


@pytest.mark.parametrize(
    "options", [{"turn_end_threshold": 0.1}, {"turn_start_threshold": 0.9, "turn_eager_end_threshold": 0.8}]
)
def test_one_threshold_alone_is_for_the_server_to_judge(options: dict[str, object]) -> None:
    """5.1: its defaults have moved, so that only what was given is compared."""
    assert create_stt("cartesia/ink-2", **options).settings.options == options


def test_keyterms_are_bounded_and_have_no_weights() -> None:
    """4.1: 100 terms, 1200 characters in all."""
    assert create_stt("cartesia/ink-2", keyterms=["x" * 12] * 100).settings.options["keyterm"] == ["x" * 12] * 100
    for keyterms, complaint in (
        (["x"] * 101, "at most 100"),
        (["x" * 13] * 100, "1300 characters"),
        ([("Acme", 1.5)], "no weights"),
        (["Acme", " "], "an empty term"),
    ):
        with pytest.raises(ConfigError, match=complaint):
            create_stt("cartesia/ink-2", keyterms=keyterms)


def test_a_missing_key_is_named() -> None:
    """Once, and before anything is sent."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("CARTESIA_API_KEY")
        with pytest.raises(ConfigError, match="CARTESIA_API_KEY"):
            create_stt("cartesia/ink-whisper")
        create_stt("cartesia/ink-whisper", auth="a-token")


@pytest.mark.parametrize("value", [{"access_token": "x"}, {"nested": {}}])
def test_extra_is_looked_at_before_anything_is_sent(value: dict[str, object]) -> None:
    """A secret in a URL, or what no URL can say."""
    with pytest.raises(ConfigError, match="extra: "):
        create_stt("cartesia/ink-whisper", extra=value)


def test_the_class_is_typed_as_it_is_registered() -> None:
    """Each family's models and options are those of an overload."""
    typed = [
        (typing.get_args(InkWhisperModel), InkWhisperOptions),
        (typing.get_args(Ink2Model), Ink2Options),
        (typing.get_args(InkPreviewModel), Ink2Options),
    ]
    assert [(family.models, family.options) for family in PROVIDER.families] == typed
    overloads = [each.__annotations__ for each in typing.get_overloads(CartesiaSTT.__init__)]
    assert [(each["model"], each["options"]) for each in overloads[:2]] == [
        ("InkWhisperModel | None", "Unpack[InkWhisperArguments]"),
        ("Ink2Model | InkPreviewModel", "Unpack[Ink2Arguments]"),
    ]
    for arguments, options in ((InkWhisperArguments, InkWhisperOptions), (Ink2Arguments, Ink2Options)):
        assert {*fields(options), *fields(CommonOptions)} == set(fields(arguments))
