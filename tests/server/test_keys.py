"""Who may use a server: keys in constant time, tokens that end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core.errors import ConfigError
from stt_core.server import ApiKeys
from stt_core.server.keys import read_jwt, sign_jwt


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_with_keys_exactly_those_are_accepted() -> None:
    """Nothing that only begins or ends like one, and nothing empty."""
    keys = ApiKeys(["first", "zweiter-schlüssel"])
    assert all(map(keys.accept, ("first", "zweiter-schlüssel")))
    assert not any(map(keys.accept, (None, "", "firs", "first ", "FIRST", "second", "\udc80")))


def test_without_keys_anything_that_is_not_empty_is() -> None:
    """An emulator on a laptop takes what its user has in the environment, but a client has to send something."""
    keys = ApiKeys()
    assert (bool(keys), keys.accept("x"), keys.accept(""), keys.accept(None)) == (False, True, False, False)


def test_an_empty_key_is_refused() -> None:
    """It would be matched by no credential, and may be a variable that was not set."""
    with pytest.raises(ConfigError, match="empty"):
        ApiKeys(["good", ""])


def test_keys_are_not_in_a_repr() -> None:
    """An object that ends up in a log or a traceback keeps them to itself."""
    assert "secret-key" not in repr(ApiKeys(["secret-key"]))


def test_a_token_is_good_until_it_expires() -> None:
    """Its claims come back as they were given; afterwards the server still knows that it was its own."""
    clock = Clock()
    keys = ApiKeys(["k"], now=clock)
    token = keys.mint({"grants": {"stt": True}}, seconds=60)
    claims = keys.read_token(token)
    assert claims is not None
    assert claims["grants"] == {"stt": True}
    clock.now += 59
    assert keys.read_token(token)
    clock.now += 1
    assert keys.read_token(token) is None
    assert keys.knows(token)
    assert not keys.accept(token)


def test_a_token_of_another_server_is_not_known() -> None:
    """Each server signs with a secret of its own."""
    token = ApiKeys().mint({}, seconds=60)
    assert ApiKeys().read_token(token) is None
    assert not ApiKeys().knows(token)


def test_a_token_that_the_client_signs_needs_one_of_the_keys() -> None:
    """With keys the signature is checked with each of them; without, only that it has not expired."""
    clock = Clock()
    good, old = (sign_jwt({"iss": "app", "exp": clock.now + more}, b"two") for more in (60, -1))
    assert ApiKeys(["one", "two"], now=clock).read_signed(good)
    assert ApiKeys(["one"], now=clock).read_signed(good) is None
    assert ApiKeys(["two"], now=clock).read_signed(old) is None
    assert ApiKeys(now=clock).read_signed(good)
    assert ApiKeys(now=clock).read_signed(old) is None


def test_an_unsigned_token_is_none() -> None:
    """A header that names another algorithm, or none, does not get around the signature."""
    unsigned = "eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5OTk5OTl9."
    assert read_jwt(unsigned, b"secret") is None
    head, _, tail = sign_jwt({"exp": 9e9}, b"secret").partition(".")
    assert read_jwt(f"{head}.{tail}", b"secret")
    assert read_jwt(f"eyJhbGciOiJIUzUxMiJ9.{tail}", b"secret") is None


@given(st.text() | st.from_regex(r"[\w-]+\.[\w-]+\.[\w-]*", fullmatch=True))
def test_any_text_can_be_looked_at(text: str) -> None:
    """Rubbish is no token, and no exception."""
    keys = ApiKeys(["k"])
    assert keys.read_token(text) is None
    assert keys.read_signed(text) is None
    assert keys.accept(text) == (text == "k")


@given(st.text(max_size=20), st.integers(0, 200), st.characters(categories=["Ll", "Lu", "Nd"]))
def test_a_token_that_was_changed_is_not_known(name: str, place: int, other: str) -> None:
    """Whatever character of it is another."""
    secret = b"secret"
    token = sign_jwt({"name": name}, secret)
    at = place % (token.rfind("."))
    changed = token[:at] + other + token[at + 1 :]
    assert changed == token or read_jwt(changed, secret) is None
