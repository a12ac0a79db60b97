"""The embedded engine: pocketsphinx with its American English model, in processes of this machine. No key, no network.

Four models: free dictation, where about three words in ten are wrong, for a first try, for tests that need real speech
and as the last member of a chain; and three that know what to expect and are right where that is said: spoken digits, a
grammar, keyphrases. Text is lower case, without punctuation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stt_core.provider import Always, Capabilities, Carries, ModelFamily, Portable, Provider

from .configure import check_digits, check_en_us, check_grammar, check_keyphrase
from .options import DigitsOptions, EnUsOptions, GrammarOptions, KeyphraseOptions

if TYPE_CHECKING:
    from .stt import PocketsphinxSTT

__all__ = ["PROVIDER", "PocketsphinxSTT"]


def __getattr__(name: str) -> object:
    if name != "PocketsphinxSTT":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .stt import PocketsphinxSTT

    return PocketsphinxSTT


_PORTABLE: dict[str, Portable] = {
    "diarization": Always(value=False),
    "profanity_filter": Always(value=False),
    "punctuation": Always(value=False),
}
_DICTATION = Capabilities(
    streaming=True, batch=True, interim_results=True, turns=True, words=True, flush="native", update="reconnect"
)
_DICTATED = Carries(turns=True, interims=True, words=True, confidence=True, language=True, times="session")
_BOUNDED = replace(_DICTATED, confidence=False)

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
            portable=_PORTABLE,
            check=check_en_us,
            capabilities=_DICTATION,
            carries=_DICTATED,
            doc="Free dictation, lower case, without punctuation; about three words in ten are wrong.",
        ),
        ModelFamily(
            "digits",
            options=DigitsOptions,
            models=("digits",),
            default_model="digits",
            languages=("en",),
            default_language="en",
            portable=_PORTABLE,
            check=check_digits,
            capabilities=_DICTATION,
            carries=_BOUNDED,
            doc="Spoken digits, as in phone numbers and PINs; other speech is rejected.",
        ),
        ModelFamily(
            "grammar",
            options=GrammarOptions,
            models=("grammar",),
            default_model="grammar",
            languages=("en",),
            default_language="en",
            portable=_PORTABLE,
            check=check_grammar,
            capabilities=_DICTATION,
            carries=_BOUNDED,
            doc="What a JSGF grammar allows; other speech is rejected.",
        ),
        ModelFamily(
            "keyphrase",
            options=KeyphraseOptions,
            models=("keyphrase",),
            default_model="keyphrase",
            languages=("en",),
            default_language="en",
            portable={**_PORTABLE, "interim_results": Always(value=False)},
            check=check_keyphrase,
            capabilities=replace(_DICTATION, interim_results=False),
            carries=replace(_BOUNDED, interims=False),
            doc="A phrase as soon as it is heard, in whatever else is said: for wake words.",
        ),
    ),
    client="stt_pocketsphinx.stt:PocketsphinxSTT",
    kind="local",
    doc="The embedded engine: American English, offline, no key.",
)
