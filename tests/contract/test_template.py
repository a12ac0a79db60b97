"""The template that strangers copy: the kit would not pass it if any part of it were missing.

That it passes as it is shows in its own tests, `examples/stt_template/tests`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from types import ModuleType
from unittest.mock import patch

import pytest

from stt_core.plugins import registered
from stt_core.testing.clock import virtual_time_run
from stt_core.testing.contract import (
    CHECKS,
    NotProven,
    PromiseBroken,
    Subject,
    ending,
    failing,
    liveness,
    loss,
    updating,
)
from stt_template import PROVIDER, server, stt, wire
from stt_template.contract import subjects

Check = Callable[[Subject], Awaitable[None]]

SUBSET: Sequence[Check] = (
    loss.files_are_whole,
    ending.nothing_pushed_ends_clean,
    loss.every_word_is_final,
    ending.flush_returns_its_span,
    updating.an_update_arrives_and_loses_nothing,
    liveness.silence_is_not_death,
    ending.peer_that_never_acknowledges_the_end,
    failing.strangers_are_turned_away,
    failing.what_fails_behind_is_told,
    failing.refusals_for_good_are_one_attempt,
)
"""Of the whole kit, which takes ten seconds, those that find what is missing, the quickest first."""

(SUBJECT,) = subjects()


@pytest.fixture(autouse=True)
def installed_template() -> Iterator[None]:
    """As if it were."""
    with registered(PROVIDER):
        yield


def methods(*modules: ModuleType) -> Iterator[tuple[type, str]]:
    """Every method of every class that the modules define, private ones included."""
    for module in modules:
        for owner in vars(module).values():
            if inspect.isclass(owner) and owner.__module__ == module.__name__:
                yield from ((owner, name) for name, value in vars(owner).items() if inspect.isfunction(value))


METHODS = list(methods(wire, stt, server))


async def first_broken(subject: Subject) -> Exception | None:
    """What the first check says that finds a promise broken; or why there is nothing to check."""
    for check in SUBSET:
        try:
            async with subject.environment():
                try:
                    await check(subject)
                except NotProven:
                    continue
        except Exception as error:  # noqa: BLE001  (of a server half that does not start, too)
            return error
    return None


def test_nothing_is_broken_as_it_is() -> None:
    """The checks below find nothing where nothing is missing, and they are the kit's."""
    assert virtual_time_run(first_broken(SUBJECT)) is None
    assert {check for checks in CHECKS.values() for check in checks} >= set(SUBSET)


def test_both_halves_and_the_codec_are_looked_through() -> None:
    """No class of the template is passed over."""
    found = {owner.__name__ for owner, _ in METHODS}
    assert found == {"TemplateCodec", "TemplateSTT", "TemplateServer", "Session"}
    assert len(METHODS) > 20


@pytest.mark.parametrize(("owner", "name"), METHODS, ids=[f"{owner.__name__}.{name}" for owner, name in METHODS])
def test_no_method_can_be_left_out(owner: type, name: str) -> None:
    """With any method that does nothing, and gives nothing, a promise is broken."""
    stub = _nothing_later if inspect.iscoroutinefunction(vars(owner)[name]) else _nothing
    with patch.object(owner, name, stub):
        error = virtual_time_run(first_broken(SUBJECT))
    # A server half without routes does not even start.
    assert isinstance(error, TypeError if name == "routes" else PromiseBroken), error


def _nothing(*_: object, **__: object) -> None: ...


async def _nothing_later(*_: object, **__: object) -> None: ...
