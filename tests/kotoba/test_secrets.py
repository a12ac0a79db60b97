"""No secret of a call over Kotoba is seen anywhere: not its key, nor a password in an address or ``proxy``.

The contract kit looks for the key in what it can see of any provider (S12). This looks at everything that hangs on the
objects of this one, and for the passwords in URLs too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import fields, is_dataclass
from traceback import walk_tb
from typing import TYPE_CHECKING, cast

import pytest

from stt_core import create_stt
from stt_core.errors import AuthenticationError, ConfigError, STTError
from stt_core.server import Host
from stt_core.testing.counted import CountedSTT, counted_audio
from stt_core.testing.faults import (
    AudioSent,
    AudioWire,
    Close,
    ConnectProxy,
    CutResponse,
    Drop,
    FaultProxy,
    Plan,
    Refuse,
    Send,
    Status,
    base64_audio,
)
from stt_core.testing.scripted import utterance

if TYPE_CHECKING:
    from stt_core.stt import STT
    from stt_core.testing.faults import HttpPlan
    from stt_core.testing.faults.plan import SocketFault

RATE = 16000
KEY = "nobody-sees-this-key"  # not of a form that could be told from a word
PASSWORD = "url-pass-nobody-sees"  # noqa: S105
PROXY_PASSWORD = "proxy-pass-nobody-sees"  # noqa: S105
SECRETS = (KEY, PASSWORD, PROXY_PASSWORD)
AUDIO = counted_audio(3.0, voiced=[(0.5, 2.5)])
WIRE = AudioWire(audio_of=base64_audio("audio", type="input_audio_buffer.append"))
REASON = f"Invalid API key: {KEY}"
QUOTED = Status(401, f'{{"detail": "{REASON}"}}', content_type="application/json")


class Ears(logging.Handler):
    """Everything that is logged by anybody: the message and all that a formatter could print."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard += [record.getMessage(), repr(vars(record))]
        if record.exc_info and record.exc_info[1] is not None:
            self.errors.append(record.exc_info[1])


@pytest.fixture(autouse=True)
def ears() -> Iterator[Ears]:
    """At DEBUG, and nothing was heard at the end."""
    listening, root = Ears(), logging.getLogger()
    level = root.level
    root.addHandler(listening)
    root.setLevel(logging.DEBUG)
    yield listening
    root.setLevel(level)
    root.removeHandler(listening)
    assert listening.heard
    assert not leaks(*listening.heard)
    for error in listening.errors:
        check_error(error)


def leaks(*texts: str) -> list[str]:
    return [text for text in texts if any(secret in text for secret in SECRETS)]


def is_ours(module: str) -> bool:
    return module.partition(".")[0] in ("stt_core", "stt_kotoba") and not module.startswith(
        ("stt_core.testing", "stt_core.server")
    )


def family(error: BaseException) -> Iterator[BaseException]:
    known: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and each not in known:
            known.append(each)
            waiting += [each.__cause__, each.__context__]
            yield each


def check_error(error: BaseException) -> None:
    """Text, attributes, causes and contexts, and the locals of our frames with all that hangs on them."""
    for each in family(error):
        assert not leaks(str(each), repr(each), repr(vars(each)))
        for frame, line in walk_tb(each.__traceback__):
            module = str(frame.f_globals.get("__name__", ""))
            if is_ours(module):
                found = {name: value for name, value in frame.f_locals.items() if leaks(repr(value))}
                assert not found, f"{module}:{line} {list(found)}"


def parts(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from cast("dict[object, object]", value).values()
    elif isinstance(value, list | tuple | set | frozenset):
        yield from cast("list[object]", value)
    elif is_ours(type(value).__module__):
        yield from getattr(value, "__dict__", {}).values()
        for kind in type(value).__mro__:
            slots = cast("object", kind.__dict__.get("__slots__", ()))
            for name in (slots,) if isinstance(slots, str) else cast("tuple[str, ...]", slots):
                yield getattr(value, name, None)
        if is_dataclass(value):
            yield from (getattr(value, field.name) for field in fields(value))


def check_objects(*roots: object) -> None:
    """The ``repr`` of every object of ours that can be reached, as error trackers and debuggers show them."""
    known: set[int] = set()
    keep: list[object] = []  # ids are reused
    waiting: list[object] = list(roots)
    seen = 0
    while waiting:
        value = waiting.pop()
        if id(value) in known:
            continue
        known.add(id(value))
        keep.append(value)
        waiting += parts(value)
        if is_ours(type(value).__module__):
            seen += 1
            assert not leaks(repr(value)), f"repr of {type(value).__qualname__}"
    assert seen > 10


@asynccontextmanager
async def vendor(plan: Plan = (), http_plan: HttpPlan = ()) -> AsyncGenerator[tuple[FaultProxy, dict[str, object]]]:
    """Kotoba behind a proxy that wants a password, and the options of a client that has both secrets."""
    stt = CountedSTT(utterance("the quick brown fox", start=0.5, end=2.5))
    async with (
        stt,
        Host(stt) as host,
        FaultProxy(host.urls["kotoba"], plan, http_plan=http_plan, audio=WIRE) as server,
        ConnectProxy(username="me", password=PROXY_PASSWORD) as proxy,
    ):
        yield (
            server,
            {
                "api_key": KEY,
                "base_url": server.url,
                "proxy": proxy.url.replace("://", f"://me:{PROXY_PASSWORD}@"),
                "max_pace": 20.0,
                "max_retries": 2,
                "retry_interval": 0.01,
            },
        )
        places = server.places_of(KEY, allowed_headers=["Authorization"])
        theirs = ("answer", "close_reason", "sent")
        assert not [place for place in places if not place.rpartition(".")[2].startswith(theirs)]
        assert not server.places_of(PROXY_PASSWORD)
        for head in [each.head for each in (*server.connections, *server.requests)]:
            assert KEY not in head.target
        assert all(KEY not in repr(tunnel) or tunnel.method != "CONNECT" for tunnel in proxy.tunnels)


def client(model: str, options: dict[str, object]) -> STT:
    return create_stt(f"kotoba/{model}", **cast("dict[str, str]", options))


async def listen(stt: STT) -> list[str]:
    """A call, looked at before, in the middle and after; its errors too."""
    async with stt.stream(sample_rate=RATE) as stream:
        check_objects(stt, stream)
        try:
            await stream.send_frame(AUDIO)
            stream.end_input()
            texts: list[str] = []
            async for event in stream:
                check_objects(stt, stream, event)
                if event.error is not None:
                    check_error(event.error)
                texts.append(event.text)
        except STTError as error:
            check_error(error)
            check_objects(stt, stream, error)
            raise
    return texts


async def test_a_good_call_and_one_that_was_dropped() -> None:
    """Nor one whose handshake was refused for a while."""
    plan: Plan = {0: [Drop(AudioSent(1.0))], 1: [Refuse()]}
    async with vendor(plan) as (server, options), client("realtime", options) as stt:
        assert "the quick brown fox" in await listen(stt)
        assert len(server.connections) == 3


QUOTES: dict[str, tuple[str, list[SocketFault]]] = {
    "handshake": ("Invalid API key", [QUOTED]),
    "handshake in text": ("may not", [Status(403, f"Forbidden: {KEY} may not")]),
    "message": (
        "Invalid API key",
        [Send([f'{{"type": "error", "error": {{"code": "invalid_api_key", "message": "{REASON}"}}}}'], AudioSent(0.5))],
    ),
    "close reason": ("Invalid API key", [Close(1008, REASON, AudioSent(0.5))]),
}


@pytest.mark.parametrize("quote", QUOTES)
async def test_a_vendor_that_quotes_the_key(quote: str) -> None:
    """Its words are kept, and the key in them is not: in the error, and in the log of what came."""
    words, plan = QUOTES[quote]
    async with vendor(plan) as (server, options), client("realtime", options) as stt:
        with pytest.raises(STTError, match=words):
            await listen(stt)
        assert any(connection.faults for connection in server.connections)


async def test_a_malformed_message_that_quotes_the_key() -> None:
    """What a codec trips over is in its error and in the frames of that."""
    async with vendor({0: [Send([f'{{"type": "error", "{REASON}'], AudioSent(0.5))]}) as (server, options):
        async with client("realtime", options) as stt:
            assert "the quick brown fox" in " ".join(await listen(stt))
        assert len(server.connections) == 2


@pytest.mark.parametrize("model", ["one-shot", "jobs"])
@pytest.mark.parametrize(
    "http_plan", [(), [QUOTED], [Refuse()], [CutResponse(5)], [Status(500, KEY)]], ids=lambda plan: repr(plan)[:30]
)
async def test_files(model: str, http_plan: HttpPlan) -> None:
    """Uploads and polls: good, refused with the key quoted, and cut."""
    async with vendor(http_plan=http_plan) as (server, options), client(model, options) as stt:
        try:
            await stt.recognize(AUDIO, sample_rate=RATE, encoding="pcm_s16le")
        except STTError as error:
            check_error(error)
        check_objects(stt)
        assert server.requests


@pytest.mark.parametrize("plan", [(), [QUOTED]], ids=["good", "refused"])
async def test_a_token_is_a_secret_too(plan: Plan) -> None:
    """It is asked for anew for each connection, and kept nowhere."""

    async def mint() -> str:
        await asyncio.sleep(0)
        return KEY

    async with vendor(plan) as (_, options):
        del options["api_key"]
        async with client("realtime", {**options, "auth": mint}) as stt:
            with pytest.raises(AuthenticationError) if plan else nullcontext():
                await listen(stt)


@pytest.mark.parametrize(("model", "option"), [("realtime", "ws_url"), ("one-shot", "rest_url"), ("jobs", "base_url")])
async def test_a_password_in_an_address_and_a_key_do_not_go_together(model: str, option: str) -> None:
    """Both would be the one Authorization header: an error that says so, at once."""
    async with vendor() as (server, options):
        address = str(options["base_url"]).replace("://", f"://user:{PASSWORD}@")
        async with client(model, {**options, option: address}) as stt:
            check_objects(stt)
            with pytest.raises(ConfigError, match="base_url") as caught:
                await (
                    listen(stt) if model == "realtime" else stt.recognize(AUDIO, sample_rate=RATE, encoding="pcm_s16le")
                )
        assert not server.connections + server.requests
    check_error(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("base_url", f"ftp://user:{PASSWORD}@host"),
        ("ws_url", f"user:{PASSWORD}@host"),
        ("proxy", f"http://me:{PROXY_PASSWORD}@:x"),
        ("api_key", f"{KEY}\n{KEY}"),
    ],
)
async def test_a_wrong_option_is_not_quoted_if_it_may_hold_a_secret(name: str, value: str, ears: Ears) -> None:
    """The error says which option it is."""
    ears.heard.append("")
    options: dict[str, object] = {"api_key": KEY, "base_url": "http://127.0.0.1:1", name: value}
    with pytest.raises(ConfigError, match=name) as caught:
        async with client("realtime", options) as stt:
            await listen(stt)
    check_error(caught.value)


async def test_a_missing_address_shows_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is raised while the object is made has no secret in its frames."""
    monkeypatch.delenv("KOTOBA_ASR_URL", raising=False)
    with pytest.raises(ConfigError, match="KOTOBA_ASR_URL") as caught:
        client("realtime", {"api_key": KEY})
    check_error(caught.value)
    logging.getLogger("stt_core").debug("so that something was heard")


async def test_a_config_string_has_no_password() -> None:
    """Config strings end up in logs."""
    with pytest.raises(ConfigError, match="ws_url") as caught:
        create_stt(f"kotoba/realtime?ws_url=ws://user:{PASSWORD}@host", api_key=KEY)
    check_error(caught.value)
    logging.getLogger("stt_core").debug("so that something was heard")
