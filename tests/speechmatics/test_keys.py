"""Temporary keys: minted once for all who wait, renewed before they expire, minted anew when they are refused."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stt_core.errors import (
    AuthenticationError,
    ConnectionLostError,
    PermissionDeniedError,
    ProtocolError,
    ServerError,
    StreamClosedError,
    STTError,
)
from stt_core.factory import create_stt
from stt_core.testing.clock import virtual_time
from stt_core.testing.faults import Answer, Exchange, HttpPlan, ScriptedServer
from stt_speechmatics.keys import MARGIN, TemporaryKeys

if TYPE_CHECKING:
    from stt_core.stt import STT

KEY = "the-key-of-the-account-wherever-this-is-seen-it-leaks"
WAV = Path(__file__).parents[1] / "data" / "speech" / "weather.wav"


class Mint:
    """Gives keys, in as many seconds of the loop's clock as it is told; or raises."""

    def __init__(self, *, seconds: float = 1.0, error: STTError | None = None) -> None:
        self.minted = 0
        self.seconds = seconds
        self.error = error

    async def __call__(self) -> str:
        self.minted += 1
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return f"key {self.minted}"


def keys(mint: Mint, ttl: float = 60) -> TemporaryKeys:
    return TemporaryKeys(mint, ttl, clock=asyncio.get_running_loop().time)


@virtual_time
async def test_all_who_wait_get_one_key() -> None:
    """A hundred at once, and whoever comes while it is good."""
    mint = Mint()
    shared = keys(mint)
    assert set(await asyncio.gather(*(shared.get() for _ in range(100)))) == {"key 1"}
    await asyncio.sleep(60 - MARGIN - 1 - 0.01)
    assert await shared.get() == "key 1"
    assert mint.minted == 1


@virtual_time
async def test_a_key_is_renewed_before_it_expires() -> None:
    """Its time counts from when it was asked for, and it is not used in its last seconds."""
    mint = Mint()
    shared = keys(mint)
    await shared.get()
    await asyncio.sleep(60 - MARGIN - 1)
    assert set(await asyncio.gather(shared.get(), shared.get())) == {"key 2"}


@virtual_time
async def test_one_who_stops_waiting_does_not_stop_the_others() -> None:
    """Nor does the key get lost when nobody waits any more."""
    mint = Mint()
    shared = keys(mint)
    first, second = asyncio.create_task(shared.get()), asyncio.create_task(shared.get())
    await asyncio.sleep(0.5)
    first.cancel()
    assert await second == "key 1"
    shared.drop(shared.number)
    last = asyncio.create_task(shared.get())
    await asyncio.sleep(0.5)
    last.cancel()
    await asyncio.sleep(1)
    assert await shared.get() == "key 2"
    assert mint.minted == 2


@virtual_time
async def test_a_failure_is_everybodys_and_not_kept() -> None:
    """All who waited get it; the next one asks again."""
    mint = Mint(error=ServerError("no"))
    shared = keys(mint)
    found = await asyncio.gather(*(shared.get() for _ in range(20)), return_exceptions=True)
    assert [type(each) for each in found] == [ServerError] * 20
    assert mint.minted == 1
    mint.error = None
    assert await shared.get() == "key 2"


@virtual_time
async def test_a_failure_that_nobody_waits_for_is_quiet() -> None:
    """The loop has nothing to complain about (virtual_time fails when it does)."""
    shared = keys(Mint(error=ServerError("no")))
    waiting = asyncio.create_task(shared.get())
    await asyncio.sleep(0.5)
    waiting.cancel()
    await asyncio.sleep(1)


@virtual_time
async def test_a_key_that_was_refused_is_not_used_again() -> None:
    """Unless another one is in use by then."""
    mint = Mint()
    shared = keys(mint)
    await shared.get()
    shared.drop(shared.number)
    assert await shared.get() == "key 2"
    shared.drop(1)
    assert await shared.get() == "key 2"


@virtual_time
async def test_closing_ends_the_minting() -> None:
    """Whoever waits is told."""
    shared = keys(Mint(seconds=1000))
    waiting = asyncio.create_task(shared.get())
    await asyncio.sleep(1)
    await shared.aclose()
    with pytest.raises(StreamClosedError):
        await waiting


# -- through the client --------------------------------------------------------------------------------------------


class Vendor:
    """2.1: mints keys of 60 s and more; takes those that it still knows."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.refused: set[str] = set()
        self.answers: list[Answer] = []

    async def __call__(self, exchange: Exchange) -> Answer:
        authorization = exchange.head.headers["Authorization"]
        if exchange.head.path == "/v1/api_keys":
            assert authorization == f"Bearer {KEY}"
            assert exchange.head.query == {"type": "batch"}
            self.requests.append(json.loads(bytes(exchange.body)))
            if self.answers:
                return self.answers.pop(0)
            return Answer({"apikey_id": None, "key_value": f"eyJ.temporary.{len(self.requests)}"}, 201)
        if not authorization.startswith("Bearer eyJ.temporary.") or authorization in self.refused:
            return Answer("<html>401 Authorization Required</html>", 401)
        if exchange.head.method == "POST":
            return Answer({"id": "job1"}, 201)
        if exchange.head.path.endswith("/transcript"):
            return Answer({"format": "2.9", "results": []})
        return Answer({"job": {"id": "job1", "status": "done"}, "jobs": []})


@asynccontextmanager
async def vendor(plan: HttpPlan = (), **options: Any) -> AsyncGenerator[tuple[STT, Vendor, ScriptedServer]]:
    behind = Vendor()
    async with (
        ScriptedServer(http=behind, http_plan=plan) as server,
        create_stt("speechmatics", **{"api_key": KEY, "auth": "jwt", "base_url": f"{server.url}/v2", **options}) as stt,
    ):
        yield stt, behind, server


@virtual_time
async def test_a_hundred_calls_mint_one_key() -> None:
    """Whatever they ask for; the account's own key goes nowhere else."""
    async with vendor(ttl=120) as (stt, behind, server):
        await asyncio.gather(*(stt.recognize(WAV) for _ in range(100)))
    assert behind.requests == [{"ttl": 120}]
    assert len(server.requests) == 301
    used = {each.head.headers["Authorization"] for each in server.requests if each.head.path != "/v1/api_keys"}
    assert used == {"Bearer eyJ.temporary.1"}


@virtual_time
async def test_each_end_user_has_a_key() -> None:
    """2.1: `client_ref` isolates them; for one call, too."""
    async with vendor(client_ref="ann") as (stt, behind, _):
        await stt.submit(WAV)
        await stt.submit(WAV, client_ref="bob")
        await stt.submit(WAV)
    assert behind.requests == [{"ttl": 60, "client_ref": "ann"}, {"ttl": 60, "client_ref": "bob"}]


@virtual_time
async def test_a_key_that_is_refused_is_minted_anew_once() -> None:
    """S9: it may have expired; the second 401 is meant."""
    async with vendor() as (stt, behind, server):
        await stt.submit(WAV)
        behind.refused.add("Bearer eyJ.temporary.1")
        job = await stt.submit(WAV)
        assert (job.id, len(behind.requests)) == ("job1", 2)
        assert WAV.read_bytes() in bytes(server.requests[-1].body)
        behind.refused |= {f"Bearer eyJ.temporary.{number}" for number in range(10)}
        with pytest.raises(AuthenticationError) as caught:
            await job.status()
        assert len(behind.requests) == 3
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.body)
    assert KEY not in shown
    assert "temporary" not in shown


@virtual_time
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer("<html>401</html>", 401), AuthenticationError),
        (Answer({"code": 403, "error": "Forbidden", "detail": "too many keys"}, 403), PermissionDeniedError),
        (Answer({"apikey_id": None}, 201), ProtocolError),
    ],
)
async def test_a_bad_key_is_told(answer: Answer, kind: type[STTError]) -> None:
    """And nothing is submitted."""
    async with vendor() as (stt, behind, server):
        behind.answers = [answer]
        with pytest.raises(kind):
            await stt.recognize(WAV)
        assert [each.head.path for each in server.requests] == ["/v1/api_keys"]


@virtual_time
async def test_a_key_that_does_not_come_at_once_is_asked_for_again() -> None:
    """Within the budget of the call; nobody looks for a job that cannot be there."""
    async with vendor() as (stt, behind, server):
        behind.answers = [Answer("<html>502</html>", 502), Answer("<html>503</html>", 503)]
        await stt.submit(WAV)
        assert [each.head.path for each in server.requests] == [*["/v1/api_keys"] * 3, "/v2/jobs"]
        behind.answers = [Answer("<html>502</html>", 502)]
        behind.refused = {"Bearer eyJ.temporary.3"}
        assert (await stt.job("job1").status()).state == "done"


@virtual_time
async def test_where_keys_are_minted(monkeypatch: pytest.MonkeyPatch) -> None:
    """`mp_url`, the environment, or beside the API: a gateway's key is not sent to the vendor."""
    async with vendor() as (_, behind, server):
        for options in ({"mp_url": f"{server.url}/v1/"}, {"mp_url": server.url}, {}):
            async with create_stt(
                "speechmatics", api_key=KEY, auth="jwt", base_url=f"{server.url}/v2", **options
            ) as stt:
                await stt.prewarm()
        monkeypatch.setenv("SM_MANAGEMENT_PLATFORM_URL", server.url)
        async with create_stt("speechmatics", api_key=KEY, auth="jwt", base_url=f"{server.url}/v2") as stt:
            await stt.prewarm()
        assert len(behind.requests) == 4
    async with create_stt(
        "speechmatics", api_key=KEY, auth="jwt", mp_url="http://localhost:1/v1", max_retries=0
    ) as stt:
        with pytest.raises(ConnectionLostError):
            await stt.prewarm()
