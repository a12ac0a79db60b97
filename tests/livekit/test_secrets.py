"""No secret of a session is seen anywhere: not the API secret, not the key, not the token that is made of them.

The contract kit looks for them in what it can see of any provider (S12). This lets a gateway quote them inside a
session, and looks at the token, which nobody has given.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from traceback import walk_tb
from typing import TYPE_CHECKING

import pytest

from stt_core.errors import ConfigError, STTError
from stt_core.factory import create_stt
from stt_core.testing.faults import AudioWire, Peer, ScriptedServer, base64_audio
from stt_livekit import LiveKitSTT

if TYPE_CHECKING:
    from stt_core.testing.faults.messages import Json

KEY = "APInobodySeesThisKey"
SECRET = "nobody-sees-this-secret-which-is-long-enough"  # noqa: S105
RATE = 16000
AUDIO = AudioWire(audio_of=base64_audio("audio", type="input_audio"))

Quote = Callable[[str], "Mapping[str, Json] | str"]


class Ears(logging.Handler):
    """Everything that is logged by anybody: the message and all that a formatter could print."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard += [record.getMessage(), repr(vars(record))]


@pytest.fixture
def ears() -> Iterator[Ears]:
    listening, root = Ears(), logging.getLogger()
    level = root.level
    root.addHandler(listening)
    root.setLevel(logging.DEBUG)
    yield listening
    root.setLevel(level)
    root.removeHandler(listening)


def shown_by(error: BaseException | None) -> Iterator[str]:
    """Text and attributes of an error, its causes and contexts, and the locals of our frames."""
    while error is not None:
        yield from (str(error), repr(error), repr(vars(error)))
        for frame, _ in walk_tb(error.__traceback__):
            module = str(frame.f_globals.get("__name__", ""))
            if module.startswith(("stt_core", "stt_livekit")) and not module.startswith("stt_core.testing"):
                # An object whose __init__ has failed has no repr yet.
                yield from (repr(value) for name, value in frame.f_locals.items() if name != "self")
        error = error.__cause__ or error.__context__


async def session(said: Quote, ears: Ears, *, closes: str = "") -> tuple[BaseException, list[str]]:
    """A session in which the gateway quotes its token, key and secret; the error it ends with, and the secrets."""

    async def quoting(peer: Peer) -> None:
        await peer.receive()
        token = peer.connection.head.headers["Authorization"].partition(" ")[2]
        message = said(f"{token} of {KEY} by {SECRET}")
        if closes:
            await peer.close(1008, closes.format(KEY))
        await peer.send(message)
        await peer.receive()

    async with ScriptedServer(quoting, audio=AUDIO) as server:
        stt = LiveKitSTT("deepgram/nova-3", api_key=KEY, api_secret=SECRET, base_url=server.url, max_retries=0)
        async with stt, stt.stream(sample_rate=RATE) as stream:
            await stream.send_frame(b"\0\x20" * RATE)
            with pytest.raises(STTError) as caught:
                _ = [event async for event in stream]
        token = server.connections[0].head.headers["Authorization"].partition(" ")[2]
        assert ears.heard
        assert not [text for text in (repr(stt), repr(stream), repr(vars(stt))) if SECRET in text or token in text]
        assert not server.places_of(SECRET) or all(".sent[" in place for place in server.places_of(SECRET))
    return caught.value, [token, KEY, SECRET]


QUOTES: dict[str, Quote] = {
    "refused": lambda quoted: {"type": "error", "message": f"bad: {quoted}", "code": 401},
    "failed": lambda quoted: {"type": "error", "message": f"bad: {quoted}", "code": 500},
    "malformed": lambda quoted: f'{{"type":"error","bad: {quoted}',
    "mistyped": lambda quoted: {"type": "final_transcript", "transcript": "a", "start": f"bad: {quoted}"},
}


@pytest.mark.parametrize("quote", QUOTES)
async def test_a_gateway_that_quotes_them(quote: str, ears: Ears) -> None:
    """Its words are kept, and what is secret in them is not: in the error, and in the log of what came."""
    error, secrets = await session(QUOTES[quote], ears)
    assert "bad: " in str(error)
    seen = [*shown_by(error), *ears.heard]
    assert not [text for text in seen if any(secret in text for secret in secrets)]


async def test_a_close_that_quotes_the_key(ears: Ears) -> None:
    """The reason of a close is kept as well."""
    error, secrets = await session(lambda _: "{}", ears, closes="no such key: {}")
    assert "no such key: ***" in str(error)
    assert not [text for text in [*shown_by(error), *ears.heard] if any(secret in text for secret in secrets)]


async def test_a_handshake_shows_nothing() -> None:
    """It holds the token and what it was made of."""
    stt = LiveKitSTT(api_key=KEY, api_secret=SECRET)
    handshake = await stt.handshake("ws://user:password@gateway/v1/stt")
    token = handshake.headers["Authorization"].partition(" ")[2]
    assert token.count(".") == 2
    assert not [secret for secret in (token, KEY, SECRET, "password") if secret in repr(handshake)]


@pytest.mark.parametrize(
    "secret",
    [f"{SECRET}\n{SECRET}", f"-----BEGIN PUBLIC KEY-----{SECRET}-----END PUBLIC KEY-----"],
    ids=["two lines", "a public key"],
)
async def test_a_wrong_one_is_not_quoted(secret: str) -> None:
    """The error says what is wrong with it."""
    with pytest.raises(ConfigError, match="secret") as caught:
        stt = create_stt("livekit", api_key=KEY, api_secret=secret)
        assert isinstance(stt, LiveKitSTT)
        await stt.handshake("ws://h")
    assert not [text for text in shown_by(caught.value) if SECRET in text]
