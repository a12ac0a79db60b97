"""A constructor that fails leaves no key in a frame of its error, its cause or its context (promise S12)."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import pytest

import stt_core
from stt_core.errors import ConfigError, STTError
from stt_core.registry import get_provider, providers

if TYPE_CHECKING:
    from stt_core.stt import STT

SECRET = "sk-that-must-not-be-seen"  # noqa: S105


def our_frames(error: BaseException | None) -> list[str]:
    """What an error tracker would send home of the library's frames."""
    found: list[str] = []
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if str(frame.f_globals.get("__name__", "")).startswith("stt_"):
                found += [repr(value) for value in frame.f_locals.values()]
        error = error.__cause__ or error.__context__
    return found


def with_key() -> list[str]:
    return [name for name in providers() if any(variable.meaning == "api_key" for variable in get_provider(name).env)]


@pytest.mark.parametrize("name", with_key())
@pytest.mark.parametrize("through", ["class", "create_stt"])
def test_a_constructor_that_fails_shows_no_key(name: str, through: str) -> None:
    """Called by whichever way, with an option that does not exist."""
    provider = get_provider(name)
    keys: dict[str, object] = {"api_key": SECRET}
    if any(variable.meaning == "api_secret" for variable in provider.env):
        keys["api_secret"] = SECRET
    client = cast("Callable[..., STT]", provider.load_client())
    with pytest.raises(ConfigError) as caught:
        if through == "class":
            client(None, no_such_option=1, **keys)
        else:
            stt_core.create_stt(name, no_such_option=1, **keys)
    assert not [text for text in our_frames(caught.value) if SECRET in text]
    assert SECRET not in str(caught.value)


def test_the_search_finds_a_key_in_a_frame() -> None:
    """Or the test above would prove nothing."""

    def careless(key: str) -> None:
        raise STTError("no")

    careless.__globals__["__name__"], name = "stt_careless", careless.__globals__["__name__"]
    try:
        with pytest.raises(STTError) as caught:
            careless(SECRET)
        assert [text for text in our_frames(caught.value) if SECRET in text]
    finally:
        careless.__globals__["__name__"] = name
