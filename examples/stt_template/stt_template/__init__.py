"""Template: one model, live over a WebSocket and for whole files over HTTP."""

from __future__ import annotations

from stt_core.provider import Always, Capabilities, EnvVar, ModelFamily, Provider

from .options import CARRIES, LANGUAGES, TemplateOptions

__all__ = ["PROVIDER"]

PROVIDER = Provider(
    "template",
    families=(
        ModelFamily(
            "swift",
            options=TemplateOptions,
            models=("swift-1", "swift-2"),
            default_model="swift-2",
            languages=LANGUAGES,
            default_language="en",
            portable={
                "diarization": Always(value=False),
                "interim_results": Always(value=True),
                "punctuation": Always(value=True),
                "word_timestamps": Always(value=True),
            },
            capabilities=Capabilities(
                streaming=True, batch=True, interim_results=True, words=True, flush="native", update="in_band"
            ),
            carries=CARRIES,
            doc="Live and for files.",
        ),
    ),
    client="stt_template.stt:TemplateSTT",
    server="stt_template.server:TemplateServer",
    env=(
        EnvVar("TEMPLATE_API_KEY", "api_key", required=True),
        EnvVar("TEMPLATE_BASE_URL", "base_url", doc="Another host."),
    ),
    doc="A vendor that does not exist: copy this package to write your own.",
)
