"""From options and from the vendor's own document to the config of a job, as it is sent."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.errors import ConfigError
from stt_core.factory import create_stt
from stt_speechmatics.configured import configured, nested


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHMATICS_API_KEY", "a-key-for-tests")


def config(
    member: str = "speechmatics", /, call: Mapping[str, Any] | None = None, **options: object
) -> dict[str, object]:
    """What is sent for a call with these options, on an STT with those."""
    return configured(create_stt(member, **options).settings.with_options(**(call or {})))


def transcription(found: Mapping[str, object]) -> Mapping[str, object]:
    return cast("Mapping[str, object]", found["transcription_config"])


def test_nothing_given_is_what_the_current_client_sends() -> None:
    """7: not a field more."""
    assert config() == {"type": "transcription", "transcription_config": {"language": "en", "model": "enhanced"}}


def test_every_option_has_its_place() -> None:
    """4 and 4.1: flat ones inside transcription_config, blocks beside it, portable ones under the vendor's names."""
    found = config(
        "speechmatics/standard:es?domain=bilingual-en&enable_entities=true&max_delay_mode=flexible",
        keyterms=["gnocchi"],
        punctuation=False,
        diarization=True,
        speaker_diarization_config={"speaker_sensitivity": 0.7},
        audio_filtering_config={"volume_threshold": 3.4},
        transcript_filtering_config={"remove_disfluencies": True, "replacements": [{"from": "/a+/", "to": "b"}]},
        notification_config={"url": "https://a.b/c", "contents": ["transcript.txt"]},
        tracking={"title": "t", "details": {"any": [None, {"thing": None}]}},
        output_config={"srt_overrides": {"max_line_length": 40}},
        translation_config={"target_languages": ["en"]},
        summarization_config=True,
        sentiment_analysis_config=True,
        topic_detection_config={"topics": ["price"]},
        auto_chapters_config=False,
        audio_events_config={"types": ["music"]},
    )
    assert found == {
        "type": "transcription",
        "transcription_config": {
            "language": "es",
            "model": "standard",
            "domain": "bilingual-en",
            "enable_entities": True,
            "max_delay_mode": "flexible",
            "additional_vocab": [{"content": "gnocchi"}],
            "punctuation_overrides": {"permitted_marks": []},
            "diarization": "speaker",
            "speaker_diarization_config": {"speaker_sensitivity": 0.7},
            "audio_filtering_config": {"volume_threshold": 3.4},
            "transcript_filtering_config": {"remove_disfluencies": True, "replacements": [{"from": "/a+/", "to": "b"}]},
        },
        "notification_config": [{"url": "https://a.b/c", "contents": ["transcript.txt"]}],
        "tracking": {"title": "t", "details": {"any": [None, {"thing": None}]}},
        "output_config": {"srt_overrides": {"max_line_length": 40}},
        "translation_config": {"target_languages": ["en"]},
        "summarization_config": {},
        "sentiment_analysis_config": {},
        "topic_detection_config": {"topics": ["price"]},
        "audio_events_config": {"types": ["music"]},
    }


def test_melia_takes_its_hints() -> None:
    """4.1."""
    found = config("speechmatics/melia-1:multi?language_hints=en&language_hints=ja&language_hints_strict=true")
    assert transcription(found) == {
        "language": "multi",
        "model": "melia-1",
        "language_hints": ["en", "ja"],
        "language_hints_strict": True,
    }


def test_a_regional_tag_is_a_spelling() -> None:
    """5.2: unless the option says another one."""
    assert transcription(config("speechmatics:en-GB"))["output_locale"] == "en-GB"
    assert transcription(config("speechmatics:en-GB?output_locale=en-AU"))["output_locale"] == "en-AU"
    assert transcription(config("speechmatics:zh-TW")) == {
        "language": "cmn",
        "model": "enhanced",
        "output_locale": "cmn-Hant",
    }


def test_extra_goes_in_unchecked() -> None:
    """Deeply: a field that the vendor has added needs no release."""
    found = config(extra={"transcription_config": {"mood": "good"}, "new_config": {}})
    assert found["new_config"] == {}
    assert transcription(found) == {"language": "en", "model": "enhanced", "mood": "good"}


# -- the vendor's own document -------------------------------------------------------------------------------------

NESTED: Mapping[str, object] = {
    "type": "transcription",
    "transcription_config": {
        "language": "de",
        "operating_point": "standard",
        "diarization": "speaker",
        "additional_vocab": ["Aachen", {"content": "Köln", "sounds_like": ["Kölln"]}],
    },
    "notification_config": [{"url": "https://a.b/c", "contents": [], "auth_headers": ["Authorization: x"]}],
    "translation_config": {"target_languages": ["en"]},
    "sentiment_analysis_config": {"enable_sentiment": True},
    "output_config": {"srt_overrides": {"max_line_length": 30, "max_lines": 1}},
}
FLAT: Mapping[str, object] = {
    "language": "de",
    "operating_point": "standard",
    "diarization": "speaker",
    "additional_vocab": ["Aachen", {"content": "Köln", "sounds_like": ["Kölln"]}],
    "notification_config": {"url": "https://a.b/c", "contents": [], "auth_headers": ["Authorization: x"]},
    "translation_config": {"target_languages": ["en"]},
    "sentiment_analysis_config": {"enable_sentiment": True},
    "srt_overrides": {"max_line_length": 30, "max_lines": 1},
}
SENT: Mapping[str, object] = {
    **NESTED,
    "transcription_config": {
        "language": "de",
        "operating_point": "standard",
        "diarization": "speaker",
        "additional_vocab": [{"content": "Aachen"}, {"content": "Köln", "sounds_like": ["Kölln"]}],
    },
}


@pytest.mark.parametrize("document", [NESTED, FLAT], ids=["nested", "flat"])
def test_a_document_goes_as_it_is(document: Mapping[str, object], tmp_path: Path) -> None:
    """7 and 8: as a mapping and as a file, in both forms; model and language are the document's."""
    path = tmp_path / "job.json"
    path.write_text(json.dumps(document))
    for form in (document, path, str(path)):
        assert config("speechmatics/enhanced:en", call={"job_config": form}) == SENT
    assert config(f"speechmatics?job_config={path}") == SENT
    assert config("speechmatics", job_config=document) == SENT


def test_options_given_with_a_document_win(caplog: pytest.LogCaptureFixture) -> None:
    """Field by field, and the log has the path of what was not used."""
    caplog.set_level(logging.INFO, "stt_speechmatics")
    found = config(
        "speechmatics",
        call={"job_config": NESTED, "language": "fr", "diarization": "channel", "keyterms": ["Paris"]},
        translation_config={"target_languages": ["es"]},
        enable_entities=True,
    )
    assert transcription(found) == {
        "language": "fr",
        "operating_point": "standard",
        "diarization": "channel",
        "additional_vocab": [{"content": "Paris"}],
        "enable_entities": True,
    }
    assert found["translation_config"] == {"target_languages": ["en"]}  # of the call, and the option of the STT
    told = [record.getMessage() for record in caplog.records]
    assert [each for each in told if "job_config.transcription_config.diarization" in each]
    assert not [each for each in told if "translation_config.target" in each]


def test_a_block_is_not_mixed_with_another() -> None:
    """The headers for one host are not sent to the next."""
    document = {"fetch_data": {"url": "https://one.example/a", "auth_headers": ["Authorization: one"]}}
    found = config(call={"job_config": document, "fetch_data": {"url": "https://two.example/b"}})
    assert found["fetch_data"] == {"url": "https://two.example/b"}


def test_nulls_are_left_out() -> None:
    """3.7: an echoed config has them, and may be sent again; in the caller's own details they stay."""
    echo = {
        "type": "transcription",
        "transcription_config": {"language": "en", "model": "enhanced", "additional_vocab": None},
        "summarization_config": None,
        "output_config": {"srt_overrides": None},
        "notification_config": [{"url": "https://a.b/c", "contents": None}],
        "tracking": {"reference": "r", "title": None, "details": {"a": None}},
    }
    assert nested(echo) == {
        "type": "transcription",
        "transcription_config": {"language": "en", "model": "enhanced"},
        "output_config": {},
        "notification_config": [{"url": "https://a.b/c"}],
        "tracking": {"reference": "r", "details": {"a": None}},
    }


WRONG: list[tuple[dict[str, object], str]] = [
    ({"transcription_config": {"diarisation": "speaker"}}, "`job_config.transcription_config.diarisation`"),
    ({"diarization": "everyone"}, "`job_config.diarization`"),
    ({"type": "alignment"}, "`job_config.type`"),
    (
        {"translation_config": {"target_languages": list("abcdef")}},
        "`job_config.translation_config.target_languages`",
    ),
    ({"notification_config": [{"contents": []}]}, "`job_config.notification_config[0].url`"),
    (
        {"language": "en", "transcription_config": {"language": "de"}},
        "`job_config.language` and `job_config.transcription_config.language` differ",
    ),
    (
        {"srt_overrides": {"max_lines": 1}, "output_config": {"srt_overrides": {"max_lines": 2}}},
        "`job_config.srt_overrides` and `job_config.output_config.srt_overrides` differ",
    ),
    ({"model": "enhanced", "operating_point": "standard"}, "`transcription_config.operating_point` are the same"),
    ({"language": "multi"}, "`transcription_config.language` is multi"),
    ({"language_hints": ["en"]}, "`transcription_config.language_hints` is for melia-1"),
    ({"language": "auto", "output_locale": "en-GB"}, "`transcription_config.output_locale` is en-GB"),
    ({"language": "de", "output_locale": "en-GB"}, "no way to write the language `de`"),
    (
        {"language_identification_config": {"low_confidence_action": "use_default_language"}},
        "`language_identification_config.default_language` is missing",
    ),
    (
        {"language": "auto", "language_identification_config": {"expected_languages": ["en", "mt"]}},
        "`language_identification_config.expected_languages[1]` is `mt`",
    ),
    (
        {
            "speaker_diarization_config": {
                "speakers": [{"label": name, "speaker_identifiers": ["x"] * 26} for name in ("Ann", "Bob")]
            }
        },
        "has 52 speaker_identifiers",
    ),
    ({"fetch_data": {"url": "4711"}}, "`job_config.fetch_data.url` was given a value that is not shown"),
]


@pytest.mark.parametrize(("document", "complaint"), WRONG)
def test_a_document_is_checked_before_it_is_sent(document: dict[str, object], complaint: str) -> None:
    """With the path of what is wrong; no secret is shown."""
    with pytest.raises(ConfigError) as caught:
        config(call={"job_config": document})
    assert complaint in str(caught.value)
    assert "4711" not in str(caught.value)


def test_identification_needs_auto() -> None:
    """4: as an option it would have no effect else."""
    with pytest.raises(ConfigError, match="needs the language `auto`"):
        config(language_identification_config={"expected_languages": ["en", "de"]})
    found = config("speechmatics:auto", language_identification_config={"expected_languages": ["en", "de"]})
    assert transcription(found)["language"] == "auto"


@pytest.mark.parametrize(
    ("content", "complaint"), [(None, "cannot be read"), ("{", "is no JSON"), ("[1]", "holds no JSON object")]
)
def test_a_file_that_is_none_is_named(content: str | None, complaint: str, tmp_path: Path) -> None:
    """With the reason, and without its folder."""
    path = tmp_path / "job.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=f"'job.json' {complaint}"):
        config(call={"job_config": path})


FIELDS: Mapping[str, object] = {
    "language": "de",
    "diarization": "channel",
    "enable_entities": True,
    "domain": "finance",
    "max_delay_mode": "fixed",
    "punctuation_overrides": {"sensitivity": 0.4},
    "translation_config": {"target_languages": ["en"]},
    "summarization_config": {},
    "tracking": {"title": "t"},
}
INSIDE = {"language", "diarization", "enable_entities", "domain", "max_delay_mode", "punctuation_overrides"}


@given(st.sets(st.sampled_from(sorted(FIELDS))), st.sets(st.sampled_from(sorted(INSIDE))))
def test_both_forms_are_one(names: set[str], lifted: set[str]) -> None:
    """However many of the fields stand at the top, the config is the same."""
    flat = {name: FIELDS[name] for name in names if name not in INSIDE or name in lifted}
    inner = {name: FIELDS[name] for name in names if name in INSIDE and name not in lifted}
    whole = {name: FIELDS[name] for name in names if name not in INSIDE}
    expected = {"transcription_config": {name: FIELDS[name] for name in names & INSIDE}, **whole}
    assert nested({**flat, "transcription_config": inner}) == expected
