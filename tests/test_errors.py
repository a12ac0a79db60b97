"""The exception tree."""

from __future__ import annotations

import copy
import errno
import inspect
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_core import errors
from stt_core.errors import (
    AllProvidersFailedError,
    APIError,
    AudioFileNotFoundError,
    AuthenticationError,
    BadRequestError,
    ConfigError,
    ConnectionLostError,
    JobError,
    JobFailedError,
    NotFoundError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    ServerError,
    STTError,
)

CLASSES: dict[str, type[STTError]] = {name: getattr(errors, name) for name in errors.__all__}
LINE = re.compile(r"^    (?P<indent>[│├└─ ]*)(?P<name>[A-Za-z]+Error)(\((?P<arguments>[a-z]+)\))?( \((?P<twin>\w+)\))?")


def drawn_tree() -> dict[str, tuple[str | None, str | None]]:
    """The parent and the builtin twin of each class, as the module's docstring draws them."""
    tree: dict[str, tuple[str | None, str | None]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := LINE.match(line):
            depth = len(match["indent"]) // 4
            del path[depth:]
            tree[match["name"]] = (path[-1] if path else None, match["twin"])
            path.append(match["name"])
    return tree


def test_the_tree_is_as_drawn() -> None:
    """The drawing in the docstring has every class at its place, with its builtin twin, and nothing else."""
    actual = {
        name: (
            next((base.__name__ for base in cls.__bases__ if issubclass(base, STTError)), None),
            next(
                (base.__name__ for base in cls.__bases__ if base.__module__ == "builtins" and base is not Exception),
                None,
            ),
        )
        for name, cls in CLASSES.items()
    }
    assert drawn_tree() == actual


def test_all_classes_are_exported() -> None:
    """__all__ has every class of the module."""
    defined = {
        name for name, value in vars(errors).items() if inspect.isclass(value) and value.__module__ == errors.__name__
    }
    assert set(errors.__all__) == defined


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("ConfigError", ValueError),
        ("MissingExtraError", ImportError),
        ("AudioError", ValueError),
        ("AudioFileNotFoundError", FileNotFoundError),
        ("STTTimeoutError", TimeoutError),
        ("ConnectTimeoutError", TimeoutError),
        ("JobTimeoutError", TimeoutError),
    ],
)
def test_older_except_clauses_hold(name: str, twin: type[Exception]) -> None:
    """What was caught by a builtin exception still is, and prints our message and nothing else."""
    with pytest.raises(twin) as raised:
        raise CLASSES[name]("what went wrong")
    assert str(raised.value) == "what went wrong"


words = st.none() | st.text(max_size=8)
flags = st.none() | st.booleans()
texts = st.text(max_size=20)


def any_of(cls: type[STTError]) -> st.SearchStrategy[STTError]:
    """Instances with everything set that the class takes."""
    if issubclass(cls, APIError):
        status, wait = st.none() | st.integers(100, 599), st.none() | st.floats(0, 100)
        return st.builds(
            cls,
            texts,
            status=status,
            code=words,
            retry_after=wait,
            body=words,
            provider=words,
            request_id=words,
            retryable=flags,
        )
    if issubclass(cls, JobFailedError):
        reasons = st.lists(st.text(), max_size=3)
        return st.builds(cls, texts, reasons=reasons, job_id=words, provider=words, request_id=words, retryable=flags)
    if issubclass(cls, JobError):
        return st.builds(cls, texts, job_id=words, provider=words, request_id=words, retryable=flags)
    if issubclass(cls, AudioFileNotFoundError):
        return st.builds(cls, texts, path=words, provider=words)
    if issubclass(cls, AllProvidersFailedError):
        return st.builds(cls, texts, provider=words)
    return st.builds(cls, texts, provider=words, request_id=words, retryable=flags)


def pickled(error: STTError, protocol: int = pickle.DEFAULT_PROTOCOL) -> STTError:
    return pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - it reads what it has just written


def attributes(error: BaseException) -> dict[str, object]:
    extra = {name: getattr(error, name) for name in ("errno", "filename") if hasattr(error, name)}
    return {"type": type(error), "text": str(error), "args": error.args, **vars(error), **extra}


@given(st.sampled_from(list(CLASSES.values())).flatmap(any_of))
def test_errors_survive_pickling_and_copying(error: STTError) -> None:
    """All attributes come through, in every protocol, so that an error can leave a worker process."""
    copies = [pickled(error, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for twin in [*copies, copy.copy(error), copy.deepcopy(error)]:
        assert attributes(twin) == attributes(error)


def test_what_was_set_later_survives_too() -> None:
    """The stream adds the provider's name to an error that a codec made."""
    error = ConnectionLostError("gone")
    error.provider, error.retryable = "scripted", False
    error.add_note("on a Tuesday")
    twin = pickled(error)
    assert (twin.provider, twin.retryable, twin.__notes__) == ("scripted", False, ["on a Tuesday"])


def test_the_causes_of_a_failed_chain_survive() -> None:
    """Each member's error comes through with its attributes."""
    error = AllProvidersFailedError("all failed", causes=[RateLimitError("slow", retry_after=3.0), ConfigError("bad")])
    twin = pickled(error)
    assert isinstance(twin, AllProvidersFailedError)
    assert [attributes(cause) for cause in twin.causes] == [attributes(cause) for cause in error.causes]


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (200, APIError),
        (302, APIError),
        (400, BadRequestError),
        (401, AuthenticationError),
        (402, QuotaError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (405, BadRequestError),
        (408, ServerError),
        (413, BadRequestError),
        (415, BadRequestError),
        (422, BadRequestError),
        (429, RateLimitError),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
        (529, ServerError),
    ],
)
def test_each_status_has_its_class(status: int, cls: type[APIError]) -> None:
    """The class for an HTTP status is exactly the one of the table."""
    assert APIError.for_status(status) is cls


RETRYABLE = {
    "ConnectTimeoutError",
    "ConnectionLostError",
    "DrainTimeoutError",
    "FlushTimeoutError",
    "JobTimeoutError",
    "ProtocolError",
    "RateLimitError",
    "ResultNotReadyError",
    "STTTimeoutError",
    "ServerError",
}


def test_only_what_may_pass_is_retryable() -> None:
    """Outages, time-outs and load are worth another try; a refused key or request is not, unless its maker says so."""
    assert {name for name, cls in CLASSES.items() if cls().retryable} == RETRYABLE
    assert AuthenticationError("token expired", retryable=True).retryable
    assert not ServerError("do not come back", retryable=False).retryable


def test_a_chain_is_retryable_when_a_member_is() -> None:
    """One member that may be back is enough."""
    assert AllProvidersFailedError(causes=[ConfigError("bad"), ConnectionLostError("gone")]).retryable
    assert not AllProvidersFailedError(causes=[ConfigError("bad")]).retryable


def test_a_missing_file_is_one_in_the_systems_terms() -> None:
    """errno and filename are those of a FileNotFoundError."""
    error = AudioFileNotFoundError("no such file", path="a.wav")
    assert (error.errno, error.filename, str(error)) == (errno.ENOENT, "a.wav", "no such file")
