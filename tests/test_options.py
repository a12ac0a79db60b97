"""Options: what a TypedDict declares, what text and values are accepted, and how a refusal reads."""

from __future__ import annotations

import contextlib
import math
import ssl
import subprocess
import sys
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, NotRequired, Required, get_type_hints

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from stt_core import checks, schema
from stt_core.config import OptionText, parse
from stt_core.errors import ConfigError
from stt_core.options import (
    FRAMEWORK,
    ChainOptions,
    ChainSettings,
    Default,
    Doc,
    Length,
    OptionsType,
    Pattern,
    PortableOptions,
    Range,
    Secret,
    StreamOptions,
    StreamSettings,
    STTOptions,
    STTSettings,
    Unit,
    fields,
    validate,
    with_defaults,
)


class Translation(TypedDict, total=False):
    target_languages: Required[Annotated[list[str], Doc("Into which languages."), Length(le=5)]]
    enable_partials: Annotated[bool, Doc("Interim translations too.")]


class Vocabulary(TypedDict):
    content: Annotated[str, Doc("The word.")]
    sounds_like: NotRequired[Annotated[list[str], Doc("How it sounds.")]]


class Fetch(TypedDict, total=False):
    url: Annotated[str, Doc("Where the audio is."), Secret()]


class Options(TypedDict, total=False):
    on: Annotated[bool, Doc("A switch."), Default(False)]
    count: Annotated[int, Doc("A count."), Range(ge=1, le=10), Default(3)]
    wait: Annotated[float, Doc("A wait."), Range(gt=0), Unit("s"), Default(0.4)]
    mode: Annotated[Literal["fast", "slow"], Doc("A mode."), Default(None, "the server's")]
    rate: Annotated[Literal[8000, 16000], Doc("A rate."), Unit("Hz")]
    label: Annotated[str, Doc("A label."), Pattern(r"[a-z]+", "lower case letters")]
    title: Annotated[str, Doc("A title."), Length(ge=1, le=5)]
    limit: Annotated[float | None, Doc("A limit or none.")]
    terms: Annotated[list[str], Doc("Terms."), Length(le=3)]
    words: Annotated[str | list[str], Doc("One or more.")]
    weights: Annotated[list[tuple[str, float]], Doc("Weighted terms."), Range(ge=0)]
    either: Annotated[list[str | tuple[str, float]], Doc("Terms, weighted or not.")]
    diarize: Annotated[bool | Literal["speaker", "channel"], Doc("Speakers.")]
    translation: Annotated[Translation, Doc("Translation.")]
    vocabulary: Annotated[list[Vocabulary], Doc("Words.")]
    document: Annotated[str | Mapping[str, object], Doc("A document or its path.")]
    counts: Annotated[dict[str, int], Doc("Counts by name.")]
    fetch: Annotated[Fetch, Doc("Fetched audio.")]
    key: Annotated[str, Doc("A secret."), Secret]
    pin: Annotated[str, Doc("A secret in digits."), Pattern(r"[0-9]+", "digits"), Secret()]
    context: Annotated[ssl.SSLContext, Doc("An object.")]


def check(**values: object) -> dict[str, object]:
    return validate(Options, values, owner="acme/one")


def read(query: str) -> dict[str, object]:
    return validate(Options, parse(f"acme?{query}")[0].options, owner="acme/one")


def refusal(**values: object) -> str:
    with pytest.raises(ConfigError) as caught:
        check(**values)
    return str(caught.value)


def refusal_of(query: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(query)
    return str(caught.value)


# Text


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("on=true", True),
        ("on=false", False),
        ("count=7", 7),
        ("count=%2B7", 7),
        ("wait=0.5", 0.5),
        ("wait=5e-1", 0.5),
        ("wait=2", 2.0),
        ("mode=fast", "fast"),
        ("rate=8000", 8000),
        ("label=abc", "abc"),
        ("limit=1", 1.0),
        ("terms=one", ["one"]),
        ("terms=one&terms=two", ["one", "two"]),
        ("words=one", "one"),
        ("words=one&words=two", ["one", "two"]),
        ("weights=a:b:1.5", [("a:b", 1.5)]),
        ("weights=a:1&weights=b:2", [("a", 1.0), ("b", 2.0)]),
        ("either=a&either=b:2&either=c:d", ["a", ("b", 2.0), "c:d"]),
        ("diarize=true", True),
        ("diarize=speaker", "speaker"),
        ('translation={"target_languages":["es"]}', {"target_languages": ["es"]}),
        ('vocabulary={"content":"x"}&vocabulary={"content":"y"}', [{"content": "x"}, {"content": "y"}]),
        ("document=job.json", "job.json"),
        ('document={"a":[1,null]}', {"a": [1, None]}),
        ('counts={"a":1}', {"a": 1}),
    ],
)
def test_text_becomes_what_the_type_asks_for(query: str, value: object) -> None:
    """Text of a config string is converted by the option's type, and is plain Python afterwards."""
    ((_, converted),) = read(query).items()
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    "query",
    [
        "on=True",
        "on=1",
        "on=yes",
        "on=",
        "count=1.0",
        "count=1_0",
        "count=%20 1",
        "count=0x1",
        "count=%D9%A1",
        "wait=nan",
        "wait=inf",
        "wait=1e999",
        "wait=",
        "wait=1,5",
        "rate=44100",
        "label=ABC",
        "title=",
        "title=sixsix",
        "weights=a",
        "weights=a:b",
        "weights=a:-1",
        "diarize=yes",
        "terms=a&terms=b&terms=c&terms=d",
        "translation=es",
        "translation=[1]",
        'translation={"target_languages":["es"],"target_languages":["fr"]}',
        'translation={"target_languages":["es"]',
        'counts={"a":NaN}',
        'counts={"a":true}',
        'counts={"a":' + "9" * 5000 + "}",
        "limit=None",
        "context=x",
    ],
)
def test_other_text_is_refused(query: str) -> None:
    """Nothing is guessed: booleans are exactly true and false, numbers are plain ASCII and finite, JSON is JSON."""
    refusal_of(query)


def test_a_repeated_scalar_is_refused() -> None:
    """A key that takes one value may stand once."""
    assert "`count` was given more than once; it takes a whole number from 1 to 10" in refusal_of("count=1&count=2")


# Values


def test_python_values() -> None:
    """Values of the declared types pass unchanged; an int serves as float, a tuple as list, a list as pair."""
    context = ssl.create_default_context()
    given: dict[str, object] = {
        "on": True,
        "wait": 2,
        "limit": None,
        "terms": ("a", "longer"),
        "weights": [["a", 1]],
        "diarize": False,
        "translation": {"target_languages": ["es", "fr"], "enable_partials": True},
        "document": {"a": object},
        "context": context,
        "key": "secret",
    }
    assert check(**given) == {**given, "terms": ["a", "longer"], "weights": [("a", 1.0)]}
    assert type(check(wait=2)["wait"]) is float


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("on", 1),
        ("on", "true"),
        ("on", None),
        ("count", True),
        ("count", 1.0),
        ("count", "1"),
        ("count", 0),
        ("count", 11),
        ("wait", "abc"),
        ("wait", "0.4"),
        ("wait", False),
        ("wait", 0),
        ("wait", math.nan),
        ("wait", math.inf),
        ("wait", 10**400),
        ("mode", "FAST"),
        ("rate", 8000.0),
        ("rate", True),
        ("label", 7),
        ("terms", "a"),
        ("terms", [1]),
        ("terms", {"a"}),
        ("words", [["a"]]),
        ("weights", [("a",)]),
        ("weights", [("a", "b")]),
        ("translation", [("target_languages", ["es"])]),
        ("counts", {1: 1}),
        ("context", ssl.SSLContext),
    ],
)
def test_values_of_another_type_are_refused(name: str, value: object) -> None:
    """Python values are not converted: neither 1 to true nor "0.4" to a number; NaN and infinity are no numbers."""
    assert f"option `{name}" in refusal(**{name: value})


# Against pydantic


class Judged(TypedDict, total=False):
    boolean: Annotated[bool, Doc("x")]
    integer: Annotated[int, Doc("x")]
    number: Annotated[float, Doc("x")]
    text: Annotated[str, Doc("x")]
    nothing: Annotated[None, Doc("x")]
    choice: Annotated[Literal["a", 1, True], Doc("x")]
    boolean_or_text: Annotated[bool | str, Doc("x")]
    integer_or_nothing: Annotated[int | None, Doc("x")]
    number_or_boolean: Annotated[float | bool, Doc("x")]
    text_or_texts: Annotated[str | list[str], Doc("x")]
    integers: Annotated[list[int], Doc("x")]
    numbers_or_nothing: Annotated[list[float | None], Doc("x")]
    pair: Annotated[tuple[str, float], Doc("x")]
    terms: Annotated[list[str | tuple[str, float]], Doc("x")]
    counts: Annotated[dict[str, int], Doc("x")]
    lists: Annotated[dict[str, list[str]], Doc("x")]
    anything: Annotated[Mapping[str, object], Doc("x")]


JUDGED: Mapping[str, pydantic.TypeAdapter[object]] = {
    name: pydantic.TypeAdapter(hint) for name, hint in get_type_hints(Judged).items()
}
SCALARS = st.sampled_from(["", "a", "1", "true", 0, 1, -1, 0.0, 1.0, 1.5, True, False, None]) | st.integers(-9, 9)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.tuples(inner, inner)
        | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(st.sampled_from(sorted(JUDGED)), VALUES)
def test_values_are_judged_as_pydantic_does(name: str, value: object) -> None:
    """What pydantic's strict mode accepts is accepted with the same result, and what is accepted, it accepts."""
    oracle = JUDGED[name]
    try:
        expected = [oracle.validate_python(value, strict=True)]
    except pydantic.ValidationError:
        expected = []
    try:
        ours = [validate(Judged, {name: value}, owner="x")[name]]
    except ConfigError:
        ours = []
    if expected:
        assert repr(ours) == repr(expected)
    if ours:
        assert repr(oracle.validate_python(ours[0], strict=True)) == repr(ours[0])


@given(st.dictionaries(st.sampled_from(list(Options.__annotations__)), VALUES | st.text().map(OptionText), max_size=3))
def test_a_wrong_value_raises_nothing_but_config_errors(values: dict[str, object]) -> None:
    """Whatever is given for whichever option: checked options, or a ConfigError."""
    with contextlib.suppress(ConfigError):
        assert check(**values).keys() == values.keys()


# Messages


REFUSALS: list[tuple[dict[str, object], str]] = [
    ({"wait": "abc"}, "acme/one: option `wait` was given 'abc'; it takes a number above 0 (s)"),
    ({"count": 11}, "acme/one: option `count` was given 11; it takes a whole number from 1 to 10"),
    ({"mode": "fats"}, "acme/one: option `mode` was given 'fats'; it takes `fast` or `slow`; did you mean `fast`?"),
    ({"diarize": "speakr"}, "it takes true or false or `speaker` or `channel`; did you mean `speaker`?"),
    ({"label": "A"}, "option `label` was given 'A'; it takes lower case letters"),
    ({"terms": list("abcd")}, "option `terms` was given 4 items; it takes a list of at most 3 items"),
    ({"terms": ["a", 2]}, "option `terms[1]` was given 2; it takes text"),
    ({"either": ["a", ("b", "c")]}, "option `either[1][1]` was given 'c'; it takes a number"),
    ({"counts": {"a": 1, "b": "x"}}, "option `counts.b` was given 'x'; it takes a whole number"),
    (
        {"translation": {"target_languages": list("abcdef")}},
        "option `translation.target_languages` was given 6 items; it takes a list of at most 5 items",
    ),
    ({"translation": {}}, "option `translation.target_languages` is required"),
    (
        {"translation": {"target_language": []}},
        "there is no option `translation.target_language`; accepted: target_languages, enable_partials; "
        "did you mean `target_languages`?",
    ),
    ({"vocabulary": [{"content": "a"}, {"sounds_like": []}]}, "option `vocabulary[1].content` is required"),
    ({"title": "x" * 500}, "x…'; it takes text of 1 to 5 characters"),
]


@pytest.mark.parametrize(("values", "message"), REFUSALS)
def test_a_refusal_names_path_value_and_what_is_accepted(values: dict[str, object], message: str) -> None:
    """The message has the path to the value, the value, what is accepted and the nearest match."""
    assert message in refusal(**values)


def test_an_unknown_option_is_named_with_the_nearest() -> None:
    """The misspelt name, what is accepted, and the likeliest meant."""
    message = refusal(coutn=1)
    assert "there is no option `coutn`" in message
    assert message.endswith("did you mean `count`?")


HIDDEN = "hunter2"


@pytest.mark.parametrize(
    "values",
    [
        {"key": [HIDDEN]},
        {"pin": HIDDEN},
        {"key": {"a": HIDDEN}},
        {"fetch": {"url": [HIDDEN]}},
        {"label": f"http://u:{HIDDEN}@x"},
        {"label": f"https://x?token={HIDDEN}"},
        {"translation": OptionText(f'{{"a": "{HIDDEN}"')},
        {"key": OptionText(HIDDEN)},
        {"fetch": OptionText(f'{{"url": "{HIDDEN}"}}')},
    ],
)
def test_a_secret_is_not_shown(values: dict[str, object]) -> None:
    """The value of a secret option, and what looks like a secret, is in no message, cause, context or frame of ours."""
    with pytest.raises(ConfigError) as caught:
        check(**values)
    assert HIDDEN not in str(caught.value)
    assert caught.value.__context__ is None
    for frame, _ in traceback.walk_tb(caught.value.__traceback__):
        if frame.f_globals["__name__"] in (checks.__name__, schema.__name__):
            assert HIDDEN not in repr(frame.f_locals)


def test_a_secret_option_is_refused_in_a_config_string() -> None:
    """An option marked Secret may be given as a keyword only."""
    assert check(fetch={"url": "https://x"}) == {"fetch": {"url": "https://x"}}
    assert "`fetch.url` is a secret" in refusal_of('fetch={"url":"https://x"}')


# Declarations


def test_fields_describe_the_options() -> None:
    """Everything a help text or a table needs is in the field."""
    described = fields(Options)
    assert list(described) == list(Options.__annotations__)
    wait = described["wait"]
    assert (wait.type, wait.doc, wait.range, wait.unit) == ("float", "A wait.", Range(gt=0), Unit("s"))
    assert (str(wait.default), str(described["on"].default), str(described["mode"].default)) == (
        "0.4",
        "false",
        "the server's",
    )
    assert described["mode"].choices == ("fast", "slow")
    assert described["diarize"].choices == ("speaker", "channel")
    assert described["either"].type == "list[str | tuple[str, float]]"
    assert described["key"].secret
    assert not described["wait"].secret
    assert described["translation"].fields["target_languages"].required
    assert not described["translation"].fields["enable_partials"].required
    assert described["vocabulary"].fields["content"].required


if TYPE_CHECKING:
    from decimal import Decimal


class NoDoc(TypedDict, total=False):
    bare: Annotated[int, Range(ge=0)]


class NestedNoDoc(TypedDict, total=False):
    inside: Annotated[list[NoDoc], Doc("Outside.")]


class Unchecked(TypedDict, total=False):
    when: Annotated[complex, Doc("No such check.")]


class Unknown(TypedDict, total=False):
    lost: Annotated[Decimal, Doc("Nobody imported it.")]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (NoDoc, "NoDoc.bare has no Doc"),
        (NestedNoDoc, "NoDoc.bare has no Doc"),
        (Unchecked, "Unchecked.when has the type"),
        (Unknown, "imported at run time"),
    ],
)
def test_a_wrong_declaration_is_refused(options: OptionsType, says: str) -> None:
    """An option without a Doc, or of a type that cannot be checked, is an error of its TypedDict."""
    with pytest.raises(ConfigError, match=says):
        fields(options)


@pytest.mark.parametrize("options", [*FRAMEWORK, PortableOptions])
def test_the_shared_options_are_documented(options: OptionsType) -> None:
    """Every option of the framework has a text, and a default unless it is portable."""
    for field in fields(options).values():
        assert field.doc.endswith(".")
        assert field.default is not None or options is PortableOptions


def test_the_defaults_of_the_design() -> None:
    """The defaults that the documentation promises, from the one place where they are written."""
    assert with_defaults(STTOptions, {}) == {
        "base_url": None,
        "connect_timeout": 10.0,
        "request_timeout": None,
        "max_retries": 5,
        "retry_interval": 1.0,
        "proxy": None,
        "ssl": True,
        "extra": {},
    }
    assert with_defaults(StreamOptions, {"max_pace": 2.0}) == {
        "liveness_timeout": 10.0,
        "flush_timeout": 5.0,
        "drain_timeout": 10.0,
        "replay_seconds": 60.0,
        "max_pace": 2.0,
        "upstream_sample_rate": None,
        "channel_mode": "mix",
    }
    assert with_defaults(ChainOptions, {}) == {"deadline": None, "probe_interval": 60.0, "progress_timeout": 15}


def test_defaults_are_not_shared() -> None:
    """A caller that changes its `extra` changes nobody else's."""
    assert with_defaults(STTOptions, {})["extra"] is not with_defaults(STTOptions, {})["extra"]


@pytest.mark.parametrize(
    ("options", "settings"),
    [(STTOptions, STTSettings), (StreamOptions, StreamSettings), (ChainOptions, ChainSettings)],
)
def test_settings_are_the_options_with_nothing_left_open(options: OptionsType, settings: OptionsType) -> None:
    """The typed view of the filled-in options has the same names and types."""
    assert get_type_hints(settings) == get_type_hints(options)


@pytest.mark.parametrize("options", FRAMEWORK)
def test_every_default_is_acceptable(options: OptionsType) -> None:
    """What is filled in would pass the check itself."""
    defaults = with_defaults(options, {})
    assert validate(options, defaults, owner="x") == defaults


def test_declaring_and_checking_options_imports_nothing_heavy() -> None:
    """No validator is built: options work without pydantic, numpy, aiohttp and asyncio."""
    code = (
        "import sys\n"
        "from stt_core.options import STTOptions, validate\n"
        "validate(STTOptions, {'max_retries': 1}, owner='x')\n"
        "print(*{'pydantic', 'numpy', 'aiohttp', 'asyncio', 'importlib.metadata'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
