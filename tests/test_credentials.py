"""Credentials: where they come from, what beats what, and that nothing shows them."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Mapping
from typing import TypedDict, cast

import pytest

from stt_core import credentials
from stt_core.credentials import Credential, resolve_credentials
from stt_core.errors import AuthenticationError, ConfigError, ConnectionLostError, STTError
from stt_core.provider import EnvVar, ModelFamily, Provider


class Own(TypedDict, total=False):
    pass


PLAIN = Provider(
    name="acme",
    families=(ModelFamily(name="one", options=Own),),
    client="x.stt:X",
    env=(
        EnvVar("ACME_API_KEY", "api_key", required=True),
        EnvVar("ACME_REST_URL", "rest_url"),
        EnvVar("ACME_URL", "ws_url"),
    ),
)
PAIRED = Provider(
    name="gate",
    families=PLAIN.families,
    client="x.stt:X",
    env=(
        EnvVar("GATE_INFERENCE_KEY", "api_key", required=True),
        EnvVar("GATE_KEY", "api_key", required=True),
        EnvVar("GATE_INFERENCE_SECRET", "api_secret", required=True),
        EnvVar("GATE_SECRET", "api_secret", required=True),
    ),
    auth_modes=("jwt",),
)
OPTIONAL = Provider(name="free", families=PLAIN.families, client="x.stt:X", env=(EnvVar("FREE_API_KEY", "api_key"),))
LOCAL = Provider(name="near", families=PLAIN.families, client="x.stt:X", kind="local")

SECRET = "5f3e-very-secret"  # noqa: S105 - made up


async def minted() -> str:
    await asyncio.sleep(0)
    return SECRET


@pytest.mark.parametrize(
    ("argument", "environ", "key"),
    [
        ("given", {"ACME_API_KEY": "set"}, "given"),
        (None, {"ACME_API_KEY": "set"}, "set"),
        ("", {"ACME_API_KEY": "set"}, "set"),
        (" ", {"ACME_API_KEY": " set\n"}, "set"),
        (" given\n", {}, "given"),
        (lambda: "called", {"ACME_API_KEY": "set"}, "called"),
        (minted, {}, SECRET),
    ],
)
async def test_an_argument_beats_the_environment(
    argument: Credential | None, environ: Mapping[str, str], key: str
) -> None:
    """A key given counts first, then the variable; empty and blank are unset; callables may be asynchronous."""
    found = resolve_credentials(PLAIN, api_key=argument, environ=environ)
    assert await found.api_key() == await found.auth() == key


async def test_the_first_variable_that_is_set_counts() -> None:
    """Of several variables for the same thing the order of the declaration decides."""
    environ = {"GATE_KEY": "k2", "GATE_INFERENCE_KEY": "k1", "GATE_SECRET": "s2", "GATE_INFERENCE_SECRET": ""}
    found = resolve_credentials(PAIRED, environ=environ)
    assert (await found.api_key(), await found.api_secret()) == ("k1", "s2")


async def test_a_callable_is_asked_for_every_connection() -> None:
    """Nothing is cached: a short-lived token is minted each time."""
    tokens = iter(["one", "two"])
    found = resolve_credentials(PLAIN, auth=lambda: next(tokens), environ={})
    assert [await found.auth(), await found.auth()] == ["one", "two"]


async def test_auth_stands_for_key_and_secret() -> None:
    """With a token of the caller's own neither is required; without one auth() is the key."""
    found = resolve_credentials(PAIRED, auth="token", environ={})
    assert await found.auth() == "token"
    assert found.has("auth")
    assert not found.has("api_key")
    with pytest.raises(ConfigError, match="no api_key: set GATE_INFERENCE_KEY or GATE_KEY or pass api_key="):
        await found.api_key()


async def test_an_auth_mode_says_how_to_use_the_key() -> None:
    """A word that the provider declares is no token: the key is still needed, and read from where it was."""
    environ = {"GATE_KEY": "k", "GATE_SECRET": "s"}
    found = resolve_credentials(PAIRED, auth="jwt", environ=environ)
    assert found.mode == "jwt"
    assert not found.has("auth")
    assert await found.api_key() == "k"
    with pytest.raises(ConfigError, match="api_key"):
        resolve_credentials(PAIRED, auth="jwt", environ={})
    assert resolve_credentials(PLAIN, auth="jwt", environ={}).mode is None


@pytest.mark.parametrize(
    ("provider", "arguments", "says"),
    [
        (PLAIN, {}, ["acme: there is no api_key: set ACME_API_KEY or pass api_key="]),
        (PAIRED, {}, ["GATE_INFERENCE_KEY or GATE_KEY", "GATE_INFERENCE_SECRET or GATE_SECRET", "api_secret="]),
        (PAIRED, {"api_key": SECRET}, ["gate: there is no api_secret"]),
        (PLAIN, {"api_key": SECRET, "api_secret": SECRET}, ["api_secret= is given, which it has no use for"]),
        (LOCAL, {"api_key": SECRET}, ["near: api_key= is given, which it has no use for"]),
        (LOCAL, {"auth": SECRET}, ["auth= is given, which it has no use for"]),
        (PLAIN, {"api_key": SECRET.encode()}, ["api_key= is a bytes, not text or a function"]),
        (PLAIN, {"api_key": f"{SECRET}\r\nX: y"}, ["api_key= has a line break"]),
    ],
)
def test_what_is_missing_or_wrong_is_named_and_not_shown(
    provider: Provider, arguments: Mapping[str, object], says: list[str]
) -> None:
    """One error names variables and arguments; it has no secret in its text, its chain or our frames."""
    environ = {"OTHER_SECRET": SECRET}
    with pytest.raises(ConfigError) as caught:
        resolve_credentials(provider, **cast("dict[str, str]", dict(arguments)), environ=environ)
    for part in says:
        assert part in str(caught.value)
    assert caught.value.provider == provider.name
    assert_hidden(caught.value)


def test_providers_that_need_nothing() -> None:
    """A local engine, and a provider whose key is optional, work without."""
    assert not resolve_credentials(LOCAL, environ={}).has("api_key")
    assert not resolve_credentials(OPTIONAL, environ={}).has("api_key")


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read when the credentials are resolved, not when the module is imported."""
    monkeypatch.setenv("ACME_API_KEY", "set")
    assert resolve_credentials(PLAIN).has("api_key")
    monkeypatch.delenv("ACME_API_KEY")
    with pytest.raises(ConfigError, match="ACME_API_KEY"):
        resolve_credentials(PLAIN)


def test_a_repr_has_no_secret() -> None:
    """What is printed says where each credential is from."""
    found = resolve_credentials(PAIRED, api_key=SECRET, environ={"GATE_SECRET": SECRET})
    assert repr(found) == "<Credentials of gate, api_key from api_key=, api_secret from GATE_SECRET>"


def failing(error: Exception) -> Credential:
    def give() -> str:
        raise error

    return give


@pytest.mark.parametrize(
    ("credential", "error", "says"),
    [
        (cast("Credential", lambda: None), ConfigError, "api_key= is a NoneType, not text"),
        (lambda: " ", ConfigError, "api_key= gave no text"),
        (lambda: f"{SECRET}\nX: y", ConfigError, "line break"),
        (failing(ValueError("x")), ConfigError, "raised ValueError"),
        (failing(OSError("x")), ConnectionLostError, "raised OSError"),
        (failing(TimeoutError()), ConnectionLostError, "raised TimeoutError"),
        (failing(AuthenticationError("no")), AuthenticationError, "no"),
    ],
)
async def test_a_callable_that_fails(credential: Credential, error: type[STTError], says: str) -> None:
    """Only this library's errors come out: a network error is worth another try, the caller's own pass through."""
    found = resolve_credentials(PLAIN, api_key=credential, environ={})
    with pytest.raises(error) as caught:
        await found.api_key()
    assert says in str(caught.value)
    assert_hidden(caught.value)


def assert_hidden(error: BaseException) -> None:
    """No secret in the text of an error and of those before it, nor in the frames of the module that raised it."""
    chain: BaseException | None = error
    while chain is not None:
        assert SECRET not in str(chain)
        for frame, _ in traceback.walk_tb(chain.__traceback__):
            if frame.f_globals["__name__"] == credentials.__name__:
                assert SECRET not in repr(frame.f_locals)
        chain = chain.__cause__ or chain.__context__


# URLs


def test_the_url_of_a_provider() -> None:
    """The option beats the environment, the environment the vendor's own."""
    found = resolve_credentials(PLAIN, api_key="k", environ={"ACME_REST_URL": "https://env/v1", "ACME_URL": " "})
    assert found.url("rest_url", given="https://option/v1", default="https://vendor/v1") == "https://option/v1"
    assert found.url("rest_url", default="https://vendor/v1") == "https://env/v1"
    assert found.url("ws_url", default="wss://vendor/v1") == "wss://vendor/v1"
    with pytest.raises(ConfigError, match="acme: there is no ws_url: set ACME_URL or pass base_url="):
        found.url("ws_url")


def test_a_variable_that_holds_no_url_is_named() -> None:
    """The error names the variable and not its value, which may be a misplaced key."""
    found = resolve_credentials(PLAIN, api_key="k", environ={"ACME_URL": SECRET})
    with pytest.raises(ConfigError, match="ACME_URL is not a URL") as caught:
        found.url("ws_url")
    assert SECRET not in str(caught.value)
