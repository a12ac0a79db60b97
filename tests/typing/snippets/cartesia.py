"""What a type checker accepts of CartesiaSTT, and what it refuses; see ``test_typing.py``."""

from stt_cartesia import CartesiaSTT

CartesiaSTT()
CartesiaSTT("ink-whisper", language="fr", min_volume=0.1, max_silence_duration_secs=0.4, batch_path="/stt")
CartesiaSTT("ink-2", keyterm=["Acme"], turn_end_threshold=0.2, endpoint="turns", keyterms=["Acme"])
CartesiaSTT("ink-preview", turn_end_timeout_ms=3000, connect_timeout=5.0)

CartesiaSTT("ink-2", min_volume=0.1)  # refused
CartesiaSTT("ink-whisper", turn_end_threshold=0.2)  # refused
CartesiaSTT(keyterm=["Acme"])  # refused
CartesiaSTT("ink-3")  # refused
CartesiaSTT("ink-2", endpoint="both")  # refused: endpoint
