"""The config string: its grammar, its law, and what it refuses."""

from __future__ import annotations

import pickle
import traceback
from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stt_core import config
from stt_core.config import ModelConfig, OptionText
from stt_core.errors import ConfigError

LETTERS = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
AWKWARD = st.text(" |:?&=%+/{}\"'\\ab", min_size=1)
CONTROLS = st.text("\t\n\r\x00\x85\u2028 |a", min_size=1)
LANGUAGES = st.sampled_from(["en", "pt-BR", "zh_Hans_CN", "multi", "cmn_en_ms_ta"])
# None of these prefixes makes the name of a secret.
NAMES = st.from_regex(r"opt_[a-z0-9]{0,6}", fullmatch=True)
MODELS = (st.text(LETTERS, min_size=1) | AWKWARD).filter(lambda text: text.strip() != "" and "://" not in text)
VALUES = (st.text(LETTERS) | AWKWARD | CONTROLS).filter(lambda text: "://" not in text).map(OptionText)
MEMBERS = st.builds(
    ModelConfig,
    st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True),
    st.none() | MODELS,
    st.none() | LANGUAGES,
    st.dictionaries(NAMES, VALUES | st.lists(VALUES, min_size=2, max_size=4).map(tuple), max_size=4),
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | AWKWARD
JSON_LIKE = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


@given(st.lists(MEMBERS, min_size=1, max_size=3))
def test_what_is_written_is_read_back(chain: list[ModelConfig]) -> None:
    """parse(format(x)) == x for every member, whatever is in its model and its values."""
    assert config.parse(config.format(chain)) == tuple(chain)


@given(
    st.text('ab/:?&=%| +{}"25C7', max_size=40)
    | st.text(max_size=40)
    | st.binary().map(lambda raw: raw.decode("latin-1"))
)
@example("a||b")
@example("a | | b")
@example("a/b%3Ac:d?x=%7C | b")
@example("a/b |:en | c")
@example("a?x=%ff")
@example("a?x=%")
@example("a/%00")
@example("a?x=\ud800")
@example("a?x=%F0%9F%98%80")
@example("a?x=" + "[" * 100_000)
@example("a?x=" + '{"a":' * 5_000 + "1" + "}" * 5_000)
@example('a?x={"a":' + "9" * 10_000 + "}")
def test_any_text_parses_or_is_refused(text: str) -> None:
    """parse raises nothing but ConfigError, and parse(format(parse(s))) == parse(s) for all that it takes."""
    try:
        chain = config.parse(text)
    except ConfigError:
        return
    assert config.parse(config.format(chain)) == chain


@given(JSON_LIKE)
@example(10**5000)
def test_any_mapping_is_taken_or_refused(value: object) -> None:
    """A mapping of JSON-like values becomes a string that reads back, or a ConfigError."""
    try:
        text = config.format(config.parse({"provider": "a", "options": {"x": value}}))
        again = config.parse(text)
    except ConfigError:
        return
    assert config.format(again) == text


@pytest.mark.parametrize(
    ("text", "provider", "model", "language"),
    [
        ("kotoba", "kotoba", None, None),
        ("kotoba:ja", "kotoba", None, "ja"),
        ("cartesia/ink-2", "cartesia", "ink-2", None),
        ("livekit/deepgram/nova-3:multi", "livekit", "deepgram/nova-3", "multi"),
        ("livekit/a/b:c:d", "livekit", "a/b:c", "d"),
        ("livekit/a%3Ab%3Fc%2Fd", "livekit", "a:b?c/d", None),
        ("livekit/a%3Ab:en", "livekit", "a:b", "en"),
        ("  pocketsphinx/en-us \n", "pocketsphinx", "en-us", None),
    ],
)
def test_the_head(text: str, provider: str, model: str | None, language: str | None) -> None:
    """The model follows the first slash, the language the last colon, and nothing between them is lost."""
    assert config.parse(text) == (ModelConfig(provider, model, language),)


def test_the_options() -> None:
    """Options are split at ?, & and the first =, then decoded; a plus is a plus; a repeated key makes a tuple."""
    (member,) = config.parse("a/b?x=1%2B1=2?3&y=a+b&z=%20&y=c%26d&empty=")
    assert member.options == {"x": "1+1=2?3", "y": ("a+b", "c&d"), "z": " ", "empty": ""}
    assert isinstance(member.options["x"], OptionText)
    assert {type(value) for value in cast("tuple[str, str]", member.options["y"])} == {OptionText}


def test_a_chain() -> None:
    """Members are joined by a bar between spaces; a bar elsewhere belongs to where it stands."""
    chain = config.parse("cartesia/ink-2:en | livekit/deepgram/nova-3?tag=a|b | pocketsphinx/en-us")
    assert [member.provider for member in chain] == ["cartesia", "livekit", "pocketsphinx"]
    assert chain[1].options == {"tag": "a|b"}


def test_only_what_must_be_is_escaped() -> None:
    """A written config stays readable: & and % and the separator in a value, : and ? in a model."""
    member = ModelConfig("a", "m:n?o/p&q=r", "en", {"x": "1&2%3 | 4=5?6:7+8"})
    assert config.format(member) == "a/m%3An%3Fo/p&q=r:en?x=1%262%253 %7C 4=5?6:7+8"


def test_python_values_are_written_as_text() -> None:
    """Booleans, numbers, lists, pairs and mappings of a mapping config have a form in the string."""
    (member,) = config.parse(
        {
            "provider": "a",
            "options": {"b": True, "i": 5, "f": 0.5, "l": ["x", "y"], "p": [("t", 1.5), ("u", 2)], "m": {"k": ["é&"]}},
        }
    )
    assert config.format(member) == 'a?b=true&i=5&f=0.5&l=x&l=y&p=t:1.5&p=u:2&m={"k":["é%26"]}'


def test_a_mapping_or_a_list_of_members() -> None:
    """A mapping with the same fields, a parsed member and a list of any of them are configs too."""
    fields = {"provider": "a", "model": "b", "language": "en", "options": {"x": 1}}
    member = ModelConfig("a", "b", "en", {"x": 1})
    assert config.parse(fields) == config.parse(member) == (member,)
    assert config.parse([fields, "c | d", member]) == (member, ModelConfig("c"), ModelConfig("d"), member)


def test_a_config_keeps_its_own_copy() -> None:
    """Changing the mapping afterwards does not change the config."""
    terms = ["a"]
    (member,) = config.parse({"provider": "a", "options": {"terms": terms}})
    terms.append("b")
    assert member.options == {"terms": ["a"]}


def test_a_config_can_be_pickled_and_hashed() -> None:
    """Members travel between processes and serve as keys."""
    chain = config.parse("a/b:en?x=1&x=2 | c")
    assert pickle.loads(pickle.dumps(chain)) == chain  # noqa: S301 - our own bytes
    assert len({*chain, *chain}) == 2


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("", "empty"),
        (" | ", "member 1 of the chain is empty"),
        ("a | ", "member 2 of the chain is empty"),
        ("a||b", "provider's name"),
        ("/model", "provider's name"),
        ("a/", "after 'a/' comes the model's id"),
        ("a/b:", "%3A"),
        ("a/b:n%20o", "language tag"),
        ("a/b:English-as-she-is-spoke-everywhere", "language tag"),
        ("a?", "option 1 has no value"),
        ("a?x", "option 1 has no value"),
        ("a?x=1&", "option 2 has no value"),
        ("a?x y=1", "option 1 has no name"),
        ("a?x=%zz", "value of `x` has a '%'"),
        ("a?x=%ff", "value of `x` is not UTF-8"),
        ("a/\x00", "printable"),
        (b"a", "not bytes"),
        (7, "not int"),
        ([], "at least one member"),
        ([["a"]], "not another list"),
        ({"model": "b"}, "provider's name"),
        ({"provider": "a", "modle": "b"}, "'modle' is none of them"),
        ({"provider": "a", "options": [1]}, "options are a mapping"),
        ({"provider": "a", "options": {"x": object()}}, "keyword option"),
        ({"provider": "a", "options": {"x y": 1}}, "letters, digits"),
    ],
)
def test_a_wrong_config_is_explained(wrong: object, says: str) -> None:
    """Each mistake gets a ConfigError that says what was expected there."""
    with pytest.raises(ConfigError) as caught:
        config.parse(cast("str", wrong))
    assert says in str(caught.value)


@pytest.mark.parametrize("value", [None, [], [None], [[1, 2, 3]]])
def test_what_has_no_form_in_a_string_is_refused(value: object) -> None:
    """format does not drop a value that it cannot write."""
    with pytest.raises(ConfigError, match="no form in a config string"):
        config.format(config.parse({"provider": "a", "options": {"x": value}}))


SECRET = "5f3e-very-secret"  # noqa: S105 - made up


@pytest.mark.parametrize(
    "leak",
    [
        f"a?api_key={SECRET}",
        f"a?API-KEY={SECRET}",
        f"a?apiKey={SECRET}",
        f"a?%61pi_key={SECRET}",
        f"a?api_secret={SECRET}",
        f"a?auth={SECRET}",
        f"a?token={SECRET}",
        f"a?access_token={SECRET}",
        f"a?key={SECRET}",
        f"a?secret={SECRET}",
        f"a?password={SECRET}",
        f"a?acme_api_key={SECRET}",
        f"a?x=1 | b/c:en?authorization=Bearer%20{SECRET}",
        f"a?api_key={SECRET}&x=%zz",
        f"a?x=%zz&api_key={SECRET}",
        f"a?api_key={SECRET}%zz",
        f"a?api_key {SECRET}",
        f"a?base_url=https://user:{SECRET}@example.com/v1",
        f"a?base_url=https%3A//{SECRET}%40example.com",
        f"a?proxy=http://{SECRET}@proxy:3128",
        f"a?base_url=https://example.com/?x=1&api_key={SECRET}",
        f"a?base_url=https://example.com/?token={SECRET}",
        f"a/https://u:{SECRET}@example.com",
        f"https://u:{SECRET}@example.com",
        f'a?extra={{"access_token":"{SECRET}"}}',
        f'a?fetch_data={{"url":"https://x","auth_headers":["{SECRET}"]}}',
        f'a?fetch_data={{"url":"https://u:{SECRET}@x"}}',
        {"provider": "a", "options": {"api_key": SECRET}},
        {"provider": "a", "api_key": SECRET},
        {"provider": "a", "options": {"extra": {"deep": [{"password": SECRET}]}}},
        ["b", f"a?jwt={SECRET}"],
    ],
)
def test_a_secret_is_refused_and_not_repeated(leak: config.Config) -> None:
    """A config with a secret is refused, and the error (its causes, contexts and our frames) does not hold it."""
    with pytest.raises(ConfigError) as caught:
        config.parse(leak)
    error = caught.value
    assert SECRET not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_globals["__name__"] == config.__name__:
            assert SECRET not in repr(frame.f_locals)


@pytest.mark.parametrize("depth", [40, 600, 100_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    """A config is not a way to exhaust the stack, neither as JSON nor as a mapping; text that is no JSON stays text."""
    value: object = 1
    for _ in range(min(depth, 5_000)):
        value = [value]
    with pytest.raises(ConfigError, match="nested more than"):
        config.parse({"provider": "a", "options": {"x": value}})
    if depth < 1_000:
        with pytest.raises(ConfigError, match="nested more than"):
            config.parse("a?x=" + '{"a":' * depth + "1" + "}" * depth)
    assert config.parse("a?x=" + '{"a":' * depth)[0].options == {"x": '{"a":' * depth}


@pytest.mark.parametrize("name", ["keyterm", "keyterms", "keywords", "max_tokens", "tokens", "author", "monkey"])
def test_an_option_that_only_sounds_like_a_secret_is_taken(name: str) -> None:
    """Key terms are no keys."""
    assert config.parse(f"a?{name}=x")[0].options == {name: "x"}


def test_a_plain_url_is_taken() -> None:
    """A base URL without user information is an ordinary value."""
    assert config.parse("a?base_url=http://127.0.0.1:8000/v1?x=1@2")[0].options == {
        "base_url": "http://127.0.0.1:8000/v1?x=1@2"
    }
