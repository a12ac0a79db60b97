"""What Template's models can be told, and what their wire tells."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from stt_core.options import Default, Doc, Range, Unit
from stt_core.provider import Carries

__all__ = ["CARRIES", "LANGUAGES", "TemplateModel", "TemplateOptions"]

TemplateModel = Literal["swift-1", "swift-2"]

LANGUAGES = ("de", "en", "fr")
"""A closed list, in Template's codes; ``en-US`` becomes ``en`` by itself."""

CARRIES = Carries(interims=True, words=True, times="session")
"""Words with times since the session's first sample. Turns are not marked: the framework infers them."""


class TemplateOptions(TypedDict, total=False):
    """Options of both models."""

    end_silence: Annotated[
        float, Range(ge=0.1, le=5.0), Unit("s"), Doc("How long a pause makes the text before it final."), Default(0.8)
    ]
