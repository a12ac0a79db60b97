"""What a server may ask of the provider behind it."""

from __future__ import annotations

from stt_core.factory import create_stt
from stt_core.server import Backend

KOTOBA = "kotoba/realtime:en?base_url=http://localhost:9/v1"


async def test_what_is_not_taken_is_left_out_and_what_always_is_so_is_taken() -> None:
    """An option of its own, a portable one, one without a switch; no wish is none."""
    async with create_stt(KOTOBA) as stt:
        backend = Backend(stt)
        wishes = {
            "kana": True,
            "keyterms": ["x"],
            "punctuation": True,
            "diarization": True,
            "top": 1,
            "timestamps": None,
        }
        assert backend.options(wishes) == {"kana": True, "keyterms": ["x"], "punctuation": True}
        assert (backend.speaks("ko"), backend.speaks("de")) == (True, False)


async def test_of_a_chain_every_member_has_to_take_it() -> None:
    """Whichever of them answers, what was asked for is no error and the language is the one."""
    async with create_stt(f"{KOTOBA} | pocketsphinx/en-us") as stt:
        backend = Backend(stt)
        assert backend.options({"kana": True, "profanity_filter": False}) == {"profanity_filter": False}
        assert (backend.speaks("en"), backend.speaks("ja")) == (True, False)
