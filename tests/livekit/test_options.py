"""Which models, options and credentials go together, before anything is sent."""

from __future__ import annotations

import sys

import pytest

import stt_livekit
from stt_core.errors import ConfigError, MissingExtraError
from stt_core.factory import create_stt
from stt_core.options import fields
from stt_livekit import PROVIDER, LiveKitSTT
from stt_livekit.options_assemblyai import AssemblyAIOptions
from stt_livekit.options_cartesia import CartesiaOptions, Ink2Options, InkWhisperOptions
from stt_livekit.options_deepgram import DeepgramFluxOptions, DeepgramOptions
from stt_livekit.options_others import GoogleOptions, InworldOptions, OpenAIOptions, XaiOptions
from stt_livekit.options_speechmatics import SpeechmaticsOptions
from stt_livekit.upstreams import UPSTREAMS

SECRET = "a-secret-that-is-long-enough-for-everybody"  # noqa: S105
NAMES = ("LIVEKIT_INFERENCE_API_KEY", "LIVEKIT_INFERENCE_API_SECRET", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, "LIVEKIT_INFERENCE_URL", "LIVEKIT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LIVEKIT_API_KEY", "APIkey")
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)


# -- models: section 1.6 -------------------------------------------------------------------------------------------


def test_the_declaration_is_right() -> None:
    """Names, maps and options fit together, and every family's upstream provider is known."""
    PROVIDER.verify()
    assert {family.name for family in PROVIDER.families} == set(UPSTREAMS)


@pytest.mark.parametrize(
    ("config", "family", "model"),
    [
        ("livekit", "auto", None),
        ("livekit/auto", "auto", "auto"),
        ("livekit/acme/one:en", "auto", "acme/one"),
        ("livekit/deepgram", "deepgram", "deepgram"),
        ("livekit/deepgram/nova-3:multi", "deepgram", "deepgram/nova-3"),
        ("livekit/deepgram/nova-3-general", "deepgram", "deepgram/nova-3-general"),
        ("livekit/deepgram/nova-2-phonecall", "deepgram", "deepgram/nova-2-phonecall"),
        ("livekit/deepgram/nova-9", "deepgram", "deepgram/nova-9"),
        ("livekit/deepgram/flux-general", "deepgram/flux", "deepgram/flux-general"),
        ("livekit/deepgram/flux-general-multi", "deepgram/flux", "deepgram/flux-general-multi"),
        ("livekit/deepgram/flux-9", "deepgram/flux", "deepgram/flux-9"),
        ("livekit/cartesia", "cartesia", "cartesia"),
        ("livekit/cartesia/ink-whisper:en", "cartesia/ink-whisper", "cartesia/ink-whisper"),
        ("livekit/cartesia/ink-whisper-2030", "cartesia/ink-whisper", "cartesia/ink-whisper-2030"),
        ("livekit/cartesia/ink-2", "cartesia/ink-2", "cartesia/ink-2"),
        ("livekit/cartesia/ink-3", "cartesia", "cartesia/ink-3"),
        ("livekit/assemblyai", "assemblyai", "assemblyai"),
        ("livekit/assemblyai/universal-3-6-pro", "assemblyai", "assemblyai/universal-3-6-pro"),
        ("livekit/speechmatics/enhanced", "speechmatics", "speechmatics/enhanced"),
        ("livekit/speechmatics/linden-1", "speechmatics/linden", "speechmatics/linden-1"),
        ("livekit/xai/stt-1", "xai", "xai/stt-1"),
        ("livekit/inworld/inworld-stt-1", "inworld", "inworld/inworld-stt-1"),
        ("livekit/google/gemini-3.5-transcribe-live", "google", "google/gemini-3.5-transcribe-live"),
        ("livekit/openai", "openai", "openai"),
        ("livekit/openai/gpt-live-transcribe", "openai", "openai/gpt-live-transcribe"),
    ],
)
def test_every_model_has_its_family(config: str, family: str, model: str | None) -> None:
    """Those of the seed and of the newest client, the vendors alone, and what is not known yet."""
    settings = create_stt(config).settings
    assert (settings.family.name, settings.model) == (family, model)


def test_the_aligned_models_are_those_of_livekits_client() -> None:
    """1.6: eighteen, a frozen list; and the general ids of the seed, which are the same models."""
    aligned = {
        model
        for family in PROVIDER.families
        if family.carries.times == "session"
        for model in family.models
        if "/" in model
    }
    assert len(aligned - {"deepgram/nova-3-general", "deepgram/nova-2-general"}) == 18


@pytest.mark.parametrize("tag", ["multi", "en", "de", "es", "fr", "ja", "pt", "zh", "hi", "pt-BR", "tlh"])
def test_every_language_goes_through(tag: str) -> None:
    """1.6: the list of LiveKit's client is a hint for editors."""
    assert create_stt(f"livekit/deepgram/nova-3:{tag}").settings.vendor_language == tag


@pytest.mark.parametrize(
    ("model", "head", "language"),
    [
        ("deepgram/nova-3:en", "deepgram/nova-3", "en"),
        ("deepgram/nova-3:multi", "deepgram/nova-3", "multi"),
        ("deepgram:pt-BR", "deepgram", "pt-BR"),
        ("deepgram/nova-3", "deepgram/nova-3", None),
        ("prov/model:v2:en", "prov/model:v2", "en"),
        ("nonsense", "nonsense", None),
    ],
)
def test_a_model_string_is_read_as_livekits_client_reads_it(model: str, head: str, language: str | None) -> None:
    """Section 3: the last colon; nothing before it gets lost (D17). The same in a config string."""
    for stt in (LiveKitSTT(model), create_stt(f"livekit/{model}")):
        assert (stt.settings.model, stt.settings.language) == (head, language)
    assert LiveKitSTT(model, language="de").settings.language == "de"


@pytest.mark.parametrize("model", ["", " ", ":en", "deepgram/nova-3:", "cartesia/ink-whisper:English"])
def test_what_is_no_model_string(model: str) -> None:
    """Section 3: LiveKit's client takes the first four for no model or no language."""
    with pytest.raises(ConfigError):
        LiveKitSTT(model)


# -- options: section 1.6 ------------------------------------------------------------------------------------------

SHARED = {"interim_results", "fallback", "gateway_timeout", "gateway_retries"}
DOCUMENTED = {
    # Deepgram's own `extra` and `channels` would be the framework's.
    DeepgramOptions: """filler_words interim_results endpointing punctuate smart_format keywords keyterm
        profanity_filter numerals mip_opt_out vad_events diarize dictation detect_language no_delay utterance_end
        redact replace search tag version callback callback_method""",
    DeepgramFluxOptions: """eager_eot_threshold eot_threshold eot_timeout_ms keyterm mip_opt_out tag detect_language
        language_hint""",
    CartesiaOptions: """min_volume max_silence_duration_secs turn_start_threshold turn_eager_end_threshold
        turn_end_threshold turn_end_timeout_ms keyterm""",
    InkWhisperOptions: "min_volume max_silence_duration_secs",
    Ink2Options: "turn_start_threshold turn_eager_end_threshold turn_end_threshold turn_end_timeout_ms keyterm",
    AssemblyAIOptions: """format_turns end_of_turn_confidence_threshold min_end_of_turn_silence_when_confident
        max_turn_silence keyterms_prompt language_detection inactivity_timeout prompt speaker_labels agent_context
        previous_context_n_turns voice_focus voice_focus_threshold mode""",
    SpeechmaticsOptions: """domain output_locale max_delay max_delay_mode diarization speaker_sensitivity max_speakers
        prefer_current_speaker enable_partials enable_entities punctuation_overrides additional_vocab
        end_of_utterance_silence_trigger audio_filtering_config transcript_filtering_config""",
    XaiOptions: "diarize endpointing format interim_results",
    InworldOptions: """enable_voice_profile voice_profile_top_n include_word_timestamps audio_encoding
        inactivity_timeout_seconds end_of_turn_confidence_threshold min_end_of_turn_silence_when_confident prompts
        vad_threshold""",
    GoogleOptions: "language_codes custom_vocabulary",
    OpenAIOptions: "languages prompt keywords delay noise_reduction",
}


@pytest.mark.parametrize("options", DOCUMENTED, ids=lambda options: options.__name__)
def test_every_field_is_there_and_explained(options: type[DeepgramOptions]) -> None:
    """1.6: the fields of LiveKit's TypedDicts and the gateway's own; each with a text, and its default in words."""
    declared = fields(options)
    assert set(declared) == SHARED | set(DOCUMENTED[options].split())
    assert all(each.default is not None and each.doc.endswith(".") for each in declared.values())


def test_nothing_is_sent_for_what_is_not_set() -> None:
    """Defaults have changed between versions (Deepgram's `punctuate`), so that they are the gateway's."""
    for family in PROVIDER.families:
        assert create_stt("livekit/" + family.models[0]).settings.options == {}


@pytest.mark.parametrize(
    ("config", "options"),
    [
        (
            "deepgram",
            {
                "filler_words": True,
                "interim_results": True,
                "endpointing": 25,
                "punctuate": False,
                "smart_format": True,
                "keywords": [("Acme", 1.5)],
                "keyterms": ["Acme"],
                "profanity_filter": True,
                "numerals": True,
                "mip_opt_out": True,
            },
        ),
        ("cartesia", {"min_volume": 0.1, "max_silence_duration_secs": 0.4}),
        (
            "assemblyai",
            {
                "format_turns": False,
                "end_of_turn_confidence_threshold": 0.01,
                "min_end_of_turn_silence_when_confident": 0,
                "max_turn_silence": 1000,
                "keyterms_prompt": ["Acme"],
            },
        ),
    ],
)
def test_every_option_of_the_seed_works(config: str, options: dict[str, object]) -> None:
    """As a keyword with the vendor alone, as there; `keyterms` comes to what is `keyterm` now."""
    given = create_stt(f"livekit/{config}", **options).settings.options
    renamed = {"keyterm" if name == "keyterms" else name: value for name, value in options.items()}
    assert given == renamed


def test_options_in_a_config_string() -> None:
    """Booleans, numbers, pairs, lists and mappings, as documented for all providers."""
    stt = create_stt(
        "livekit/deepgram/nova-2:en?filler_words=false&endpointing=50&keywords=Acme:1.5&keyterm=a&keyterm=b"
        '&fallback=cartesia/ink-whisper&fallback={"model":"assemblyai","extra":{"format_turns":true}}'
    )
    assert stt.settings.options == {
        "filler_words": False,
        "endpointing": 50,
        "keywords": [("Acme", 1.5)],
        "keyterm": ["a", "b"],
        "fallback": ["cartesia/ink-whisper", {"model": "assemblyai", "extra": {"format_turns": True}}],
    }


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("deepgram/nova-3?min_volume=0.1", "no option `min_volume`; it is an option of livekit/cartesia, "),
        ("deepgram/nova-3?turn_end_threshold=0.1", "it is an option of livekit/cartesia, livekit/cartesia/ink-2"),
        ("deepgram/flux-general?endpointing=50", "it is an option of livekit/deepgram, livekit/xai"),
        ("cartesia/ink-2?min_volume=0.1", "it is an option of livekit/cartesia, livekit/cartesia/ink-whisper"),
        ("cartesia/ink-whisper?keyterm=a", "it is an option of livekit/deepgram"),
        ("xai/stt-1?keyterms=a", "does not support `keyterms`"),
        ("acme/one?min_volume=0.1", "livekit/acme/one has no option `min_volume`; it is an option of livekit/cartesia"),
        ("auto?keyterms=a", "does not support `keyterms`"),
        ("deepgram/nova-3?endpoint=50", "did you mean `endpointing`?"),
        ("cartesia?min_volume=1.5", "from 0 to 1"),
        ("cartesia/ink-2?turn_start_threshold=0.95", "from 0.5 to 0.9"),
        ("cartesia/ink-2?turn_eager_end_threshold=0.7", "from 0.3 to 0.6"),
        ("cartesia/ink-2?turn_end_threshold=0.6", "from 0.05 to 0.5"),
        ("cartesia/ink-2?turn_end_timeout_ms=100", "from 640 to 11200"),
        ("cartesia/ink-2?turn_eager_end_threshold=0.3&turn_end_threshold=0.4", "above `turn_end_threshold`"),
        ("deepgram/flux-general?eot_threshold=0.4", "from 0.5 to 0.9"),
        ("deepgram/flux-general?eager_eot_threshold=0.8&eot_threshold=0.7", "may not be above `eot_threshold`"),
        ("deepgram/nova-3?endpointing=-1", "of at least 0"),
        ("speechmatics/enhanced?max_delay=0.5", "from 0.7 to 4"),
        ("speechmatics/enhanced?diarization=voices", "`channel_and_speaker_change`"),
        ("speechmatics/enhanced?max_delay_mode=slow", "`flexible` or `fixed`"),
        ("assemblyai?mode=fast", "`min_latency`"),
        ("assemblyai?prompt=x&keyterms=y", "exclude each other"),
        ("xai/stt-1?endpointing=6000", "from 0 to 5000"),
        ("inworld/inworld-stt-1?voice_profile_top_n=21", "from 1 to 20"),
        ("openai?delay=long", "`xhigh`"),
        ("openai?upstream_sample_rate=16000", "24000 Hz only"),
        ("deepgram/nova-3?keyterms=a&keyterm=b", "`keyterms` and `keyterm` set the same thing"),
        ("cartesia/ink-whisper?diarization=true", "no switch for `diarization`"),
        ("cartesia/ink-2?word_timestamps=true", "no switch for `word_timestamps`"),
        ("deepgram?fallback=cartesia/ink-whisper:en", "without a language (the session's is kept)"),
        ("deepgram?fallback=", "takes a model's id"),
        ('deepgram?fallback={"name":"x"}', "there is no option `fallback[0].name`"),
        ("deepgram?gateway_timeout=0", "above 0"),
        ("deepgram/nova-3?model=x", "has no option `model`"),
    ],
)
def test_what_does_not_go_together_is_refused_at_once(config: str, complaint: str) -> None:
    """Nothing is accepted and then dropped; the message says whose option it is, and what is accepted."""
    with pytest.raises(ConfigError) as caught:
        create_stt(f"livekit/{config}")
    assert complaint in str(caught.value)


@pytest.mark.parametrize("model", ["cartesia/ink-2", "assemblyai", "speechmatics/enhanced", "openai"])
def test_terms_have_no_weights_but_deepgrams(model: str) -> None:
    """A weight is not dropped."""
    with pytest.raises(ConfigError, match="no weights here: leave that of `Acme` out"):
        create_stt(f"livekit/{model}", keyterms=["a", ("Acme", 1.5)])


def test_terms_for_cartesia_are_bounded() -> None:
    """1.6: 100 terms, 1200 characters in all."""
    create_stt("livekit/cartesia/ink-2", keyterms=["x" * 12] * 100)
    for keyterm in (["x"] * 101, ["x" * 13] * 100, "x" * 1201):
        with pytest.raises(ConfigError, match="Cartesia takes 100 of 1200"):
            create_stt("livekit/cartesia/ink-2", keyterm=keyterm)


def test_another_model_is_looked_up_like_the_first() -> None:
    """update_options(model=…): its options are those of its family."""
    settings = create_stt("livekit/deepgram/nova-3:de", endpointing=50).settings
    assert settings.with_options(model="deepgram/nova-2").label == "livekit/deepgram/nova-2"
    with pytest.raises(ConfigError, match="livekit/cartesia/ink-2 has no option `endpointing`"):
        settings.with_options(model="cartesia/ink-2")


# -- credentials and URL: section 1.1 ------------------------------------------------------------------------------


async def credentials_of(stt: object) -> tuple[str, str]:
    assert isinstance(stt, LiveKitSTT)
    handshake = await stt.handshake("ws://h/stt")
    key, secret = handshake.secrets
    return key, secret


async def test_credentials_are_looked_up_in_the_documented_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key and secret each for itself: the argument, LIVEKIT_INFERENCE_API_…, LIVEKIT_API_…; empty counts as unset."""
    assert await credentials_of(LiveKitSTT()) == ("APIkey", SECRET)
    monkeypatch.setenv("LIVEKIT_INFERENCE_API_KEY", "APIinference")
    monkeypatch.setenv("LIVEKIT_INFERENCE_API_SECRET", " ")
    assert await credentials_of(LiveKitSTT()) == ("APIinference", SECRET)
    monkeypatch.setenv("LIVEKIT_INFERENCE_API_SECRET", SECRET + "2")
    assert await credentials_of(LiveKitSTT()) == ("APIinference", SECRET + "2")
    assert await credentials_of(LiveKitSTT(api_key="APIargument", api_secret=SECRET + "3")) == (
        "APIargument",
        SECRET + "3",
    )


def test_a_missing_credential_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both, each with its variables and its argument; a token needs neither."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError) as caught:
        LiveKitSTT()
    assert "set LIVEKIT_INFERENCE_API_KEY or LIVEKIT_API_KEY or pass api_key=" in str(caught.value)
    assert "set LIVEKIT_INFERENCE_API_SECRET or LIVEKIT_API_SECRET or pass api_secret=" in str(caught.value)
    LiveKitSTT(auth="a-token")


def test_the_url_is_looked_up_in_the_documented_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument, LIVEKIT_INFERENCE_URL, the staging gateway for who is on a staging server, LiveKit's."""
    assert LiveKitSTT().base_url == "https://agent-gateway.livekit.cloud/v1"
    monkeypatch.setenv("LIVEKIT_URL", "wss://mine.staging.livekit.cloud")
    assert LiveKitSTT().base_url == "https://agent-gateway.staging.livekit.cloud/v1"
    monkeypatch.setenv("LIVEKIT_URL", "wss://mine.livekit.cloud")
    assert LiveKitSTT().base_url == "https://agent-gateway.livekit.cloud/v1"
    monkeypatch.setenv("LIVEKIT_INFERENCE_URL", "http://gateway:1/v1")
    assert LiveKitSTT().base_url == "http://gateway:1/v1"
    assert LiveKitSTT(base_url="ws://h/v1").base_url == "ws://h/v1"


async def test_a_secret_that_is_none_is_an_error_of_its_own() -> None:
    """And it is nowhere in it."""
    pem = "-----BEGIN PUBLIC KEY-----MIGf-----END PUBLIC KEY-----"
    with pytest.raises(ConfigError, match="no secret") as caught:
        await LiveKitSTT(api_secret=pem).handshake("ws://h/stt")
    assert caught.value.__context__ is None


def test_without_pyjwt_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is made, not when it is used; with a token of one's own nothing is missing."""
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(MissingExtraError, match=r"stt-core\[livekit\]"):
        LiveKitSTT()
    LiveKitSTT(auth="a-token")


def test_what_the_package_exports_is_there() -> None:
    """The class, which is loaded when it is asked for, and the options; and nothing else."""
    assert stt_livekit.LiveKitSTT is LiveKitSTT
    assert all(getattr(stt_livekit, name) for name in stt_livekit.__all__)
    name = "LiveKitTTS"
    with pytest.raises(AttributeError, match="no attribute 'LiveKitTTS'"):
        getattr(stt_livekit, name)
