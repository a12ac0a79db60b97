"""Which options, languages and models go together, before anything is sent."""

from __future__ import annotations

import typing

import pytest

from stt_core.errors import ConfigError
from stt_core.factory import create_stt
from stt_core.options import CommonOptions, fields
from stt_speechmatics import PROVIDER
from stt_speechmatics.languages import LANGUAGES, NOT_IDENTIFIED, locale_of, tag_of
from stt_speechmatics.options import EnhancedModel, EnhancedOptions, MeliaModel, MeliaOptions
from stt_speechmatics.stt import EnhancedArguments, MeliaArguments, SpeechmaticsSTT


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHMATICS_API_KEY", "a-key-for-tests")
    monkeypatch.delenv("SPEECHMATICS_BATCH_URL", raising=False)
    monkeypatch.delenv("SM_MANAGEMENT_PLATFORM_URL", raising=False)


def test_the_declaration_is_right() -> None:
    """Names, maps and options fit together."""
    PROVIDER.verify()


def test_the_class_is_typed_as_it_is_registered() -> None:
    """Each family's models and options are those of an overload."""
    typed = [(typing.get_args(EnhancedModel), EnhancedOptions), (typing.get_args(MeliaModel), MeliaOptions)]
    assert [(family.models, family.options) for family in PROVIDER.families] == typed
    overloads = [each.__annotations__ for each in typing.get_overloads(SpeechmaticsSTT.__init__)]
    assert [(each["model"], each["options"]) for each in overloads[:2]] == [
        ("EnhancedModel | None", "Unpack[EnhancedArguments]"),
        ("MeliaModel", "Unpack[MeliaArguments]"),
    ]
    for arguments, family in ((EnhancedArguments, PROVIDER.families[0]), (MeliaArguments, PROVIDER.families[1])):
        assert set(fields(arguments)) == {*fields(CommonOptions), *fields(family.options)}
        missing = {name for name in fields(CommonOptions) if not family.takes(name)} - {"language"}
        assert not missing & {"keyterms", "diarization", "punctuation", "word_timestamps"}


def test_nothing_given_is_what_the_current_client_sends() -> None:
    """7: enhanced, in English."""
    stt = create_stt("speechmatics")
    assert (stt.settings.model, stt.settings.vendor_language) == ("enhanced", "en")


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("en-GB", "en"),
        ("pt-BR", "pt"),
        ("zh", "cmn"),
        ("zh-Hant-TW", "cmn"),
        ("nb", "no"),
        ("auto", "auto"),
        ("en_ms", "en_ms"),
    ],
)
def test_languages_are_tags_here_and_codes_there(tag: str, code: str) -> None:
    """5.2: Mandarin is cmn, and no code has a region."""
    assert create_stt("speechmatics", language=tag).settings.vendor_language == code


def test_the_list_of_languages_is_closed() -> None:
    """5.2: 64 and `auto`; `multi` is melia-1's."""
    assert len(set(LANGUAGES)) == len(LANGUAGES)
    assert set(LANGUAGES) > NOT_IDENTIFIED
    with pytest.raises(ConfigError, match="`tlh` is not among"):
        create_stt("speechmatics:tlh")
    with pytest.raises(ConfigError, match="`multi` is not among"):
        create_stt("speechmatics/enhanced:multi")
    assert create_stt("speechmatics/melia-1:multi").settings.vendor_language == "multi"


@pytest.mark.parametrize(
    ("tag", "locale"),
    [
        ("en-GB", "en-GB"),
        ("en", None),
        ("en-NZ", None),
        ("zh-TW", "cmn-Hant"),
        ("zh-Hans-CN", "cmn-Hans"),
        ("de-AT", None),
    ],
)
def test_a_tag_may_ask_for_a_spelling(tag: str, locale: str | None) -> None:
    """5.2: regional English and the script of Mandarin are an `output_locale`."""
    assert locale_of(tag) == locale


def test_codes_become_tags_again() -> None:
    """What stands for several languages is none."""
    assert [tag_of(code) for code in ("cmn", "de", "auto", "multi", "en_ms", "")] == [
        "zh",
        "de",
        None,
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("speechmatics/premium", "no model `premium`"),
        ("speechmatics?diarization=everyone", "`none`, `speaker` or `channel`"),
        ("speechmatics?domain=law", "it takes `medical` or `finance` or `bilingual-en`"),
        ("speechmatics?output_locale=en-NZ", "en-GB"),
        ("speechmatics?max_delay_mode=slow", "`fixed` or `flexible`"),
        ("speechmatics?region=eu9", "`eu1`"),
        ("speechmatics?ttl=59", "from 60 to 86400 (s)"),
        ("speechmatics?ttl=600", "auth='jwt'"),
        ("speechmatics?client_ref=me", "auth='jwt'"),
        ("speechmatics?wait=-1", "from 0 to 600 (s)"),
        ("speechmatics?wait=20&request_timeout=20", "`request_timeout` gives up after 20 s"),
        ("speechmatics?on_prem=true&region=eu1", "`on_prem` says that this is none"),
        ("speechmatics?on_prem=true&wait=3", "`on_prem` says that this is none"),
        ("speechmatics?on_prem=true", "set SPEECHMATICS_BATCH_URL or pass base_url="),
        ("speechmatics?parallel_engines=2", "say so with `on_prem`"),
        ("speechmatics?on_prem=true&parallel_engines=0", "of at least 1"),
        ("speechmatics?user_id=me", "say so with `on_prem`"),
        ("speechmatics?region=eu1&base_url=http://localhost/v2", "both say where"),
        ("speechmatics/melia-1?region=au1", "eu1 and us1"),
        ("speechmatics?language_hints=en", "speechmatics/melia"),
        ("speechmatics/melia-1?language_hints_strict=true", "needs `language_hints`"),
        ("speechmatics?channel_diarization_labels=a", "needs diarization=channel"),
        ("speechmatics?diarization=true&channel_diarization_labels=a", "needs diarization=channel, and it is speaker"),
        ('speechmatics?speaker_diarization_config={"get_speakers":true}', "needs diarization=speaker"),
        ("speechmatics?diarization=channel&channel_diarization_labels=a b", "letters, digits"),
        ("speechmatics?profanity_filter=true", "no switch for `profanity_filter`"),
        ("speechmatics?word_timestamps=false", "always true"),
        ("speechmatics?keyterms=Acme:2", "no weights"),
        (
            'speechmatics?translation_config={"target_languages":["a","b","c","d","e","f"]}',
            "translation_config.target_languages",
        ),
        ('speechmatics?fetch_data={"url":"https://a.b/c?sig=4711"}', "a URL with a secret"),
        ('speechmatics?fetch_data={"url":"https://a.b/4711"}', "`fetch_data.url` is a secret"),
        ("speechmatics?transcription_config={}", "has no option `transcription_config`"),
    ],
)
def test_what_does_not_go_together_is_refused_at_once(config: str, complaint: str) -> None:
    """Nothing is accepted and then dropped; the message says what is accepted, and shows no secret."""
    with pytest.raises(ConfigError) as caught:
        create_stt(config)
    assert complaint in str(caught.value)
    assert "4711" not in str(caught.value)


DEEP: list[tuple[str, dict[str, object]]] = [
    ("translation_config.target_languages", {"translation_config": {"target_languages": ["a"] * 6}}),
    ("translation_config.target_languages", {"translation_config": {}}),
    ("summarization_config.summary_length", {"summarization_config": {"summary_length": "short"}}),
    ("summarization_config.content_type", {"summarization_config": {"content_type": "gossip"}}),
    ("summarization_config.summary_type", {"summarization_config": {"summary_type": "poem"}}),
    ("topic_detection_config.topics", {"topic_detection_config": {"topics": ["t"] * 11}}),
    ("audio_events_config.types[1]", {"audio_events_config": {"types": ["music", "rain"]}}),
    ("output_config.srt_overrides.max_lines", {"output_config": {"srt_overrides": {"max_lines": 0}}}),
    ("tracking.tags", {"tracking": {"tags": "one"}}),
    ("notification_config[0].method", {"notification_config": [{"url": "https://a.b", "method": "get"}]}),
    ("notification_config[0].url", {"notification_config": [{"contents": []}]}),
    (
        "notification_config[0].auth_headers[0]",
        {"notification_config": [{"url": "https://a.b", "auth_headers": ["x"]}]},
    ),
    ("notification_config", {"notification_config": [{"url": "https://a.b"}] * 4}),
    ("additional_vocab", {"additional_vocab": ["word"] * 1001}),
    ("additional_vocab[0]", {"additional_vocab": ["one two three four five six seven"]}),
    ("additional_vocab[1].content", {"additional_vocab": ["ok", {"sounds_like": ["a"]}]}),
    ("punctuation_overrides.sensitivity", {"punctuation_overrides": {"sensitivity": 1.1}}),
    ("punctuation_overrides.permitted_marks[0]", {"punctuation_overrides": {"permitted_marks": ["?!"]}}),
    ("audio_filtering_config.volume_threshold", {"audio_filtering_config": {"volume_threshold": 101}}),
    (
        "transcript_filtering_config.replacements[0].to",
        {"transcript_filtering_config": {"replacements": [{"from": "a"}]}},
    ),
    (
        "speaker_diarization_config.speakers[0].label",
        {
            "diarization": True,
            "speaker_diarization_config": {"speakers": [{"label": "S1", "speaker_identifiers": ["x"]}]},
        },
    ),
    (
        "speaker_diarization_config.speaker_sensitivity",
        {"diarization": True, "speaker_diarization_config": {"speaker_sensitivity": -1}},
    ),
    (
        "language_identification_config.low_confidence_action",
        {"language_identification_config": {"low_confidence_action": "guess"}},
    ),
    ("fetch_data.url", {"fetch_data": {"url": "ftp://a.b/c?sig=4711"}}),
    ("fetch_data.auth_headers[0]", {"fetch_data": {"url": "https://a.b", "auth_headers": ["4711"]}}),
]


@pytest.mark.parametrize(("path", "options"), DEEP)
def test_a_deep_field_is_refused_with_its_path(path: str, options: dict[str, object]) -> None:
    """4: ranges, enums, lengths and what is missing, before anything is sent; secrets are not shown."""
    with pytest.raises(ConfigError) as caught:
        create_stt("speechmatics", **options)
    assert f"`{path}`" in str(caught.value)
    assert "4711" not in str(caught.value)


def test_deep_options_can_be_written_into_a_config_string() -> None:
    """As JSON; what is flat as it is."""
    stt = create_stt(
        "speechmatics:en?enable_entities=true&additional_vocab=gnocchi&additional_vocab=Acme"
        '&summarization_config={"summary_length":"brief"}&sentiment_analysis_config=true'
    )
    assert stt.settings.options == {
        "enable_entities": True,
        "additional_vocab": ["gnocchi", "Acme"],
        "summarization_config": {"summary_length": "brief"},
        "sentiment_analysis_config": True,
    }


def test_a_missing_key_is_named() -> None:
    """Once, and before anything is sent; a container of one's own needs none."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("SPEECHMATICS_API_KEY")
        with pytest.raises(ConfigError, match="SPEECHMATICS_API_KEY"):
            create_stt("speechmatics")
        with pytest.raises(ConfigError, match="SPEECHMATICS_API_KEY"):
            create_stt("speechmatics", auth="jwt")
        create_stt("speechmatics", auth="a-token")
        create_stt("speechmatics", on_prem=True, base_url="http://appliance:18000/v2")


def test_capabilities_say_what_is_native() -> None:
    """Files by jobs; streams are made of them."""
    able = create_stt("speechmatics").capabilities
    assert (able.jobs, able.batch, able.streaming, able.words, able.diarization) == (True, False, False, True, True)
