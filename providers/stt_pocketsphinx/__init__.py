"""The embedded engine: pocketsphinx with its English model, in processes of this machine. No key, no network.

About one word in four is wrong in free dictation, fewer in clear speech; text is lower case, without punctuation. It is
there for a first try, for tests that need real speech, and as the last member of a chain.
"""

from __future__ import annotations

from stt_core.provider import Always, Capabilities, Carries, ModelFamily, Provider

from .options import EnUsOptions

__all__ = ["PROVIDER"]

PROVIDER = Provider(
    "pocketsphinx",
    families=(
        ModelFamily(
            "en-us",
            options=EnUsOptions,
            models=("en-us",),
            default_model="en-us",
            languages=("en",),
            default_language="en",
            portable={
                "diarization": Always(value=False),
                "profanity_filter": Always(value=False),
                "punctuation": Always(value=False),
            },
            capabilities=Capabilities(
                streaming=True,
                batch=True,
                interim_results=True,
                turns=True,
                words=True,
                flush="native",
                update="reconnect",
            ),
            carries=Carries(turns=True, interims=True, words=True, confidence=True, language=True, times="session"),
            doc="General English, lower case, without punctuation.",
        ),
    ),
    client="stt_pocketsphinx.stt:PocketsphinxSTT",
    kind="local",
    doc="The embedded engine: English, offline, no key.",
)
