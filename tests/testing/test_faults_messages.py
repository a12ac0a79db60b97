"""What the fault server does to messages, without a socket."""

from __future__ import annotations

import json
from collections import Counter

from aiohttp import WSMsgType
from hypothesis import given, settings
from hypothesis import strategies as st

from stt_core.testing.faults import (
    DelayResults,
    Duplicate,
    Reorder,
    Swallow,
    base64_audio,
    binary_audio,
    frame,
    leaves,
    matching,
)
from stt_core.testing.faults.messages import Raw, altered
from stt_core.testing.faults.plan import EVERY, Drop, SocketFault, Status, faults_of
from stt_core.testing.faults.rewrite import Delays, Rewriter

MESSAGES = st.lists(st.sampled_from("abc"), max_size=30)
CHANGES = st.lists(
    st.builds(Reorder, st.sampled_from("abc").map(matching), st.none() | st.integers(0, 3), st.integers(1, 4))
    | st.builds(Duplicate, st.sampled_from("abc").map(matching), st.none() | st.integers(0, 3)),
    max_size=4,
)


def ignore(_: SocketFault) -> None:
    pass


def rewritten(faults: list[SocketFault], messages: list[str]) -> list[object]:
    rewriter = Rewriter(faults, ignore)
    return [*(new for message in messages for new in rewriter.rewrite(message)), *rewriter.rest()]


@settings(deadline=None)
@given(MESSAGES)
def test_nothing_changes_without_a_plan(messages: list[str]) -> None:
    """What comes in goes out."""
    assert rewritten([], messages) == messages


@settings(deadline=None)
@given(CHANGES, MESSAGES)
def test_nothing_is_lost_by_reordering_and_duplicating(faults: list[SocketFault], messages: list[str]) -> None:
    """Every message comes out, and none that never came in."""
    before, after = Counter(messages), Counter(map(str, rewritten(faults, messages)))
    assert after >= before
    assert set(after) == set(before)


@settings(deadline=None)
@given(MESSAGES, st.integers(0, 5))
def test_nth_is_one_message(messages: list[str], nth: int) -> None:
    """Exactly the n-th that matches is touched, if there is one."""
    touched = rewritten([Swallow(matching("a"), nth)], messages)
    at = [index for index, message in enumerate(messages) if message == "a"][nth : nth + 1]
    assert touched == [message for index, message in enumerate(messages) if index not in at]


@settings(deadline=None)
@given(MESSAGES)
def test_swallowing_for_the_client_leaves_the_servers_messages(messages: list[str]) -> None:
    """The two directions have nothing to do with each other."""
    faults: list[SocketFault] = [Swallow(matching("a"), sender="client")]
    assert rewritten(faults, messages) == messages
    assert [Rewriter(faults, ignore).passes(message) for message in messages] == [m != "a" for m in messages]


@settings(deadline=None)
@given(st.integers(), st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=20))
def test_delays_keep_the_order(seed: int, arrivals: list[tuple[float, bool]]) -> None:
    """A message never overtakes another, waits no less than is due, and the end of the connection comes last."""
    delays, positions = Delays(DelayResults(seed, 0.3, 2.0), 0), sorted(position for position, _ in arrivals)
    until = [delays.until(position, "x") for position in positions]
    assert until == sorted(until)
    assert all(0.3 <= due - position <= 2.0 + 1e-9 for due, position in zip(until, positions, strict=True))
    assert delays.until(0, None) == (until[-1] if until else 0)


def test_delays_differ_between_connections() -> None:
    """A plan for all connections does not delay them all alike."""
    fault = DelayResults(1)
    first, again, second = (Delays(fault, number).until(0, "x") for number in (0, 0, 1))
    assert first == again != second


@settings(deadline=None)
@given(st.binary(max_size=70_000))
def test_frames_are_well_formed_unless_told_otherwise(payload: bytes) -> None:
    """Their header says what RFC 6455 wants for each of the three lengths."""
    made = frame(payload, WSMsgType.BINARY)
    assert made[0] == 0x82
    size, head = made[1], 2
    if size == 126:
        size, head = int.from_bytes(made[2:4], "big"), 4
        assert size > 125
    elif size == 127:
        size, head = int.from_bytes(made[2:10], "big"), 10
        assert size > 0xFFFF
    assert (size, made[head:]) == (len(payload), payload)


def test_frames_with_anything_wrong() -> None:
    """Every field of the header can be set."""
    assert frame(b"x", 3) == b"\x83\x01x"
    assert frame(b"x", fin=False) == b"\x01\x01x"
    assert frame(b"x", rsv=7) == b"\xf1\x01x"
    assert frame(b"x", masked=True) == b"\x81\x81\0\0\0\0x"
    assert frame(b"x", length=5) == b"\x81\x05x"


def test_matching() -> None:
    """By the whole text, or by fields of a JSON object; anything else is no match and no error."""
    assert matching("flush")("flush")
    assert not matching("flush")('"flush"')
    final = matching(type="transcript", is_final=True)
    assert final('{"type": "transcript", "is_final": true, "text": ""}')
    for other in ('{"type": "transcript"}', '{"type": "transcript", "is_final": false}', "[]", "{", b"{}"):
        assert not final(other)
    assert matching(text=None)('{"text": null}')
    assert not matching(text=None)("{}")


def test_audio_in_messages() -> None:
    """Binary messages, or base64 in a field of the right kind of JSON object."""
    assert binary_audio(b"xy") == b"xy"
    assert binary_audio("xy") is None
    audio = base64_audio("audio", type="append")
    assert audio('{"type": "append", "audio": "eHk="}') == b"xy"
    assert audio('{"type": "other", "audio": "eHk="}') is None
    assert audio('{"type": "append", "audio": null}') is None
    assert audio(b"xy") is None


NAMES = st.text("abc", min_size=1, max_size=2)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.dictionaries(NAMES, JSON, max_size=3))
def test_every_leaf_can_be_nulled_and_taken_away(document: dict[str, object]) -> None:
    """leaves() names all fields, and each of them can be altered."""
    text = json.dumps(document)
    for path in leaves(text):
        *way, name = path.split(".")
        nulled, taken = json.loads(altered(text, missing=[], values={path: None})), json.loads(text)
        taken = json.loads(altered(text, missing=[path], values={}))
        for step in way:
            nulled = nulled[int(step) if isinstance(nulled, list) else step]
            taken = taken[int(step) if isinstance(taken, list) else step]
        assert nulled[int(name) if isinstance(nulled, list) else name] is None
        original = json.loads(text)
        for step in way:
            original = original[int(step) if isinstance(original, list) else step]
        assert len(taken) == len(original) - 1


def test_plans() -> None:
    """A list is for all connections; a mapping by number, with those of all before."""
    drop, status = Drop(), Status(500)
    assert faults_of([drop], 7) == [drop]
    plan = {EVERY: [drop], 1: [status]}
    assert [list(faults_of(plan, number)) for number in (0, 1)] == [[drop], [drop, status]]


def test_faults_are_data() -> None:
    """They compare by what they say, so that a test can look for one, and can be keys."""
    assert Drop() == Drop()
    assert Status(503, retry_after=1) != Status(503)
    assert len({Drop(), Drop(), Status(503), Raw(b""), Swallow(matching(type="done"))}) == 4
