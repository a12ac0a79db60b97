"""What a type checker accepts of LiveKitSTT, and what it refuses; see ``test_typing.py``."""

from stt_livekit import DeepgramOptions, LiveKitSTT

# Each vendor's own options, the portable ones and the framework's, with every model of it.

LiveKitSTT(
    "deepgram/nova-3",
    language="en",
    filler_words=False,
    endpointing=50,
    keywords=[("Acme", 1.5)],
    keyterm="Acme",
    redact=["pci"],
    interim_results=True,
    fallback=["cartesia/ink-whisper", {"model": "assemblyai", "extra": {"format_turns": True}}],
    gateway_timeout=2.0,
    gateway_retries=0,
    keyterms=["Acme", ("Globex", 2.0)],
    diarization=True,
    connect_timeout=5.0,
    max_pace=2.0,
    extra={"channels": 2},
)
LiveKitSTT("deepgram", punctuate=True, smart_format=True)
LiveKitSTT("deepgram/flux-general", eot_threshold=0.8, eager_eot_threshold=0.4, eot_timeout_ms=3000, language_hint="en")
LiveKitSTT("cartesia", min_volume=0.1, turn_end_threshold=0.2)
LiveKitSTT("cartesia/ink-whisper", min_volume=0.1, max_silence_duration_secs=0.4)
LiveKitSTT("cartesia/ink-2", turn_start_threshold=0.8, turn_end_timeout_ms=3000, keyterm=["Acme"])
LiveKitSTT("assemblyai", format_turns=True, mode="balanced", voice_focus="near-field", keyterms_prompt=["Acme"])
LiveKitSTT("speechmatics/enhanced", diarization="speaker", max_delay_mode="fixed", additional_vocab=[{"content": "a"}])
LiveKitSTT("speechmatics/linden-1", diarization=True, punctuation_overrides={"permitted_marks": [","]})
LiveKitSTT("xai/stt-1", diarize=True, endpointing=300, format=True)
LiveKitSTT("inworld/inworld-stt-1", voice_profile_top_n=3, audio_encoding="LINEAR16")
LiveKitSTT("google/gemini-3.5-transcribe-live", language_codes=["en"], custom_vocabulary=["Acme"])
LiveKitSTT("openai/gpt-live-transcribe", delay="low", noise_reduction="far_field", languages=["en"])

# Options that were put together before.

OPTIONS: DeepgramOptions = {"endpointing": 50, "keyterm": ["Acme"]}
LiveKitSTT("deepgram/nova-3", **OPTIONS)

# No model, the gateway's choice, a model that is not known.

LiveKitSTT()
LiveKitSTT(api_key="k", api_secret="s", language="multi")  # noqa: S106
LiveKitSTT("auto", gateway_retries=1)
LiveKitSTT("acme/one:en", extra={"anything": [1]})

# An option of another vendor's.

LiveKitSTT("deepgram/nova-3", min_volume=0.1)  # refused
LiveKitSTT("deepgram/nova-3", turn_end_threshold=0.1)  # refused
LiveKitSTT("deepgram/flux-general", endpointing=50)  # refused
LiveKitSTT("cartesia/ink-2", min_volume=0.1)  # refused
LiveKitSTT("cartesia/ink-whisper", keyterm="Acme")  # refused
LiveKitSTT("assemblyai", filler_words=False)  # refused
LiveKitSTT("xai/stt-1", punctuate=True)  # refused
LiveKitSTT("acme/one", min_volume=0.1)  # refused
LiveKitSTT(min_volume=0.1)  # refused

# A value that is none of the option's, and an option that nobody has.

LiveKitSTT("deepgram/nova-3", endpointing="50")  # refused: endpointing
LiveKitSTT("deepgram/nova-3", keywords=["Acme"])  # refused: keywords
LiveKitSTT("assemblyai", mode="fast")  # refused: mode
LiveKitSTT("openai", delay=1)  # refused: delay
LiveKitSTT("deepgram/nova-3", fallback=[{"extra": {}}])  # refused: fallback
LiveKitSTT("deepgram/nova-3", endpiontng=50)  # refused
LiveKitSTT("deepgram/nova-3", sample_rate=16000)  # refused
