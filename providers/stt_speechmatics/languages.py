"""Speechmatics' codes of languages, and what they are in BCP-47."""

from __future__ import annotations

__all__ = ["AUTO", "LANGUAGES", "LANGUAGE_MAP", "MULTI", "NOT_IDENTIFIED", "UNSPACED", "locale_of", "tag_of"]

AUTO = "auto"
"""The server identifies the language."""

MULTI = "multi"
"""melia-1 hears several languages in one recording."""

_CODES = """
ar ar_en ba eu be bn bg yue ca hr cs da nl en eo et fi fr gl de el he hi hu id ia ga it ja ko lv lt ms en_ms mt cmn
cmn_en cmn_en_ms_ta mr mn no fa pl pt ro ru sk sl es sw sv tl ta en_ta th tr uk ur ug vi cy
"""

LANGUAGES = (AUTO, *_CODES.split())
"""A closed list without regions; those with ``_`` in them are of speakers who mix languages."""

NOT_IDENTIFIED = frozenset(["bn", "yue", "eo", "ia", "ga", "mt", "tl", "ur", "ug", "sw"])
"""What ``auto`` never finds."""

LANGUAGE_MAP = {"zh": "cmn", "nb": "no", "nn": "no", "iw": "he", "fil": "tl", "in": "id"}
"""BCP-47 to the code where they differ; ``pt-BR`` becomes ``pt`` by itself."""

UNSPACED = frozenset(["ja", "cmn", "yue", "zh", "th"])
"""Written without spaces between words."""

_LOCALES = {
    "en-GB": "en-GB",
    "en-US": "en-US",
    "en-AU": "en-AU",
    "zh-Hans": "cmn-Hans",
    "zh-CN": "cmn-Hans",
    "zh-SG": "cmn-Hans",
    "zh-Hant": "cmn-Hant",
    "zh-TW": "cmn-Hant",
    "cmn-Hans": "cmn-Hans",
    "cmn-Hant": "cmn-Hant",
}


def locale_of(tag: str) -> str | None:
    """The ``output_locale`` that a BCP-47 tag asks for: the spelling of English, the script of Mandarin."""
    while tag:
        if tag in _LOCALES:
            return _LOCALES[tag]
        tag = tag.rpartition("-")[0]
    return None


def tag_of(code: str) -> str | None:
    """A code as BCP-47; ``None`` for one that stands for no single language (``auto``, ``multi``, ``en_ms``)."""
    if not code or code in (AUTO, MULTI) or "_" in code:
        return None
    return {"cmn": "zh"}.get(code, code)
