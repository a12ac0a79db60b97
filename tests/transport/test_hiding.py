"""Secrets that were sent are not in what comes back."""

from __future__ import annotations

import pytest

from stt_core.transport.hiding import hiding


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "a-long-secret"},
        {"Authorization": "Bearer a-long-secret"},
        {"authorization": "a-long-secret"},
        {"X-Client-Token": "a-long-secret", "Accept": "key"},
    ],
    ids=lambda headers: " ".join(headers),
)
def test_a_secret_is_hidden_wherever_it_stands(headers: dict[str, str]) -> None:
    """With its scheme and without; every time."""
    hide = hiding(headers)
    said = "Bearer a-long-secret is not a-long-secret: key"
    assert "a-long-secret" not in hide(said)
    assert hide(said).endswith(": key")
    assert "a-long-secret" not in repr(hide)


def test_what_is_no_secret_stays() -> None:
    """Other headers, and keys so short that words would be torn: an emulator's may be any letter."""
    hide = hiding({"Cartesia-Version": "2025-04-16", "X-API-Key": "k", "Authorization": "Bearer key"})
    assert hide("a key of 2025-04-16: k") == "a key of 2025-04-16: k"


def test_the_longer_of_two_secrets_goes_first() -> None:
    """Nothing of it is left behind."""
    assert hiding({"X-API-Key": "secret-key", "X-Token": "secret-key-2"})("secret-key-2") == "***"


def test_what_a_header_was_made_of_is_hidden_too() -> None:
    """A token is signed with a secret, and names the key that goes with it."""
    hide = hiding({"Authorization": "Bearer the-token"}, ["the-api-key", "the-api-secret"])
    assert hide("the-token of the-api-key by the-api-secret") == "*** of *** by ***"
