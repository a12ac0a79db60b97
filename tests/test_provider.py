"""What a provider declares: models, languages, halves, and what is wrong with a declaration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Required

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from stt_core.errors import ConfigError, MissingExtraError, UnsupportedError
from stt_core.options import Doc
from stt_core.provider import Always, ModelFamily, Provider, normalize_language


class Own(TypedDict, total=False):
    hints: Annotated[list[str], Doc("Terms.")]
    diarization: Annotated[bool, Doc("Speakers.")]


class Framework(TypedDict, total=False):
    base_url: Annotated[str, Doc("Taken.")]


class Parameter(TypedDict, total=False):
    encoding: Annotated[str, Doc("Taken.")]


class Undocumented(TypedDict, total=False):
    hints: list[str]


class Demanding(TypedDict, total=False):
    hints: Required[Annotated[list[str], Doc("Terms.")]]


FAMILY = ModelFamily(name="one", options=Own, models=("one-1", "one-2"), default_model="one-1")
PROVIDER = Provider(name="acme", families=(FAMILY,), client="stt_core.errors:STTError")


def as_it_is(value: object) -> dict[str, object]:
    return {"diarization": value}


def test_a_right_declaration_is_accepted() -> None:
    """All that a family may say at once."""
    family = replace(
        FAMILY,
        languages=("en", "cmn"),
        language_map={"zh": "cmn"},
        default_language="en",
        portable={
            "keyterms": "hints",
            "punctuation": Always(True),
            "diarization": as_it_is,
        },
    )
    replace(PROVIDER, families=(family,), server="stt_core.errors:STTError").verify()


WRONG: list[tuple[Provider, str]] = [
    (replace(PROVIDER, name="Acme"), "lower case"),
    (replace(PROVIDER, client="stt_core.errors"), "package.module:Name"),
    (replace(PROVIDER, server="stt_core.errors."), "package.module:Name"),
    (replace(PROVIDER, families=()), "no model family"),
    (
        replace(PROVIDER, families=(FAMILY, replace(FAMILY, models=("one-3",), default_model=None))),
        "one is there twice",
    ),
    (replace(PROVIDER, families=(FAMILY, replace(FAMILY, name="two"))), "model one-1 is there twice"),
    *(
        (replace(PROVIDER, families=(family,)), says)
        for family, says in (
            (replace(FAMILY, default_model="one-3"), "default model one-3"),
            (replace(FAMILY, languages=("en",), default_language="de"), "language `de`"),
            (replace(FAMILY, options=Framework), "`base_url` of the family one is the framework's"),
            (replace(FAMILY, options=Parameter), "`encoding` of the family one is the framework's"),
            (replace(FAMILY, options=Undocumented), "Undocumented.hints has no Doc"),
            (replace(FAMILY, options=Demanding), "`hints` of the family one is required"),
            (replace(FAMILY, portable={"keyterm": "hints"}), "no portable option; did you mean `keyterms`?"),
            (replace(FAMILY, portable={"language": "hints"}), "`language`"),
            (replace(FAMILY, portable={"keyterms": "hint"}), "maps `keyterms` to `hint`, which it does not declare"),
            (replace(FAMILY, portable={"diarization": "hints"}), "declares `diarization` and maps it"),
        )
    ),
]


@pytest.mark.parametrize(("provider", "says"), WRONG)
def test_a_wrong_declaration_is_refused(provider: Provider, says: str) -> None:
    """verify says what is wrong, and with whom."""
    with pytest.raises(ConfigError) as caught:
        provider.verify()
    assert says in str(caught.value)
    assert provider.name in str(caught.value)


# Models


OPEN = replace(
    PROVIDER,
    families=(
        FAMILY,
        ModelFamily(name="deep", options=Own, models=("deep/nova",), open_models=True, model_prefix="deep/"),
        ModelFamily(name="flux", options=Own, models=("deep/flux",), open_models=True, model_prefix="deep/flux"),
        ModelFamily(name="any", options=Own, open_models=True),
    ),
)


@pytest.mark.parametrize(
    ("model", "family"),
    [
        (None, "one"),
        ("one-2", "one"),
        ("deep/nova", "deep"),
        ("deep/nova-9", "deep"),
        ("deep/flux", "flux"),
        ("deep/flux-9", "flux"),
        ("one-3", "any"),
    ],
)
def test_the_family_of_a_model(model: str | None, family: str) -> None:
    """A known model counts first, then the longest prefix that is open to it; no model means the first family."""
    assert OPEN.family_for(model).name == family


def test_an_unknown_model_of_closed_families() -> None:
    """The error names the model, what there is and the nearest."""
    with pytest.raises(ConfigError, match="no model `one-11`; it has one-1, one-2; did you mean `one-1`"):
        PROVIDER.family_for("one-11")


# Languages


@pytest.mark.parametrize(
    ("tag", "spelling"),
    [
        ("EN", "en"),
        ("en_us", "en-US"),
        ("pt-br", "pt-BR"),
        ("ZH-hans-cn", "zh-Hans-CN"),
        ("es-419", "es-419"),
        ("sl-rozaj-biske", "sl-rozaj-biske"),
        ("de-x-FOO", "de-x-foo"),
        ("Multi", "multi"),
    ],
)
def test_the_spelling_of_a_language(tag: str, spelling: str) -> None:
    """Case and separators are brought into BCP-47's form."""
    assert normalize_language(tag) == spelling


@given(st.from_regex(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,3}", fullmatch=True))
def test_a_spelling_is_stable(tag: str) -> None:
    """Normalising twice is normalising once, and only case and separators change."""
    spelt = normalize_language(tag)
    assert normalize_language(spelt) == spelt
    assert spelt.lower() == tag.replace("_", "-").lower()


CLOSED = replace(FAMILY, languages=("en", "pt", "cmn", "no", "cmn_en_ms_ta"), language_map={"zh": "cmn", "nb": "no"})


@pytest.mark.parametrize(
    ("tag", "language", "code"),
    [
        ("en", "en", "en"),
        ("en-GB", "en-GB", "en"),
        ("pt_br", "pt-BR", "pt"),
        ("zh-Hant-TW", "zh-Hant-TW", "cmn"),
        ("cmn", "cmn", "cmn"),
        ("nb-NO", "nb-NO", "no"),
        ("cmn_en_ms_ta", "cmn-EN-MS-TA", "cmn_en_ms_ta"),
    ],
)
def test_a_closed_list_of_languages(tag: str, language: str, code: str) -> None:
    """A tag is mapped, found in the list, or tried again without its last part."""
    assert CLOSED.match_language(tag) == (language, code)


@pytest.mark.parametrize("tag", ["de", "English", "", "-", "multi", "e", "x" * 500])
def test_a_language_that_a_closed_list_does_not_have(tag: str) -> None:
    """It is refused with the list."""
    with pytest.raises(ConfigError, match="is not among cmn, cmn-EN-MS-TA, en, nb, no, pt, zh"):
        CLOSED.match_language(tag)


@pytest.mark.parametrize(("tag", "code"), [("pt-br", "pt-BR"), ("zh-CN", "cmn"), ("multi", "multi"), ("auto", "auto")])
def test_an_open_list_of_languages(tag: str, code: str) -> None:
    """Without a list every tag goes through as it is, unless it is mapped."""
    assert replace(FAMILY, language_map={"zh": "cmn"}).match_language(tag)[1] == code


@pytest.mark.parametrize("tag", ["English", "", "en US", "e", "12", "en-toolongapart"])
def test_an_open_list_is_one_of_languages(tag: str) -> None:
    """What is no language tag is refused even there."""
    with pytest.raises(ConfigError, match="not a BCP-47 language tag"):
        FAMILY.match_language(tag)


def test_languages_by_a_function() -> None:
    """A callable maps what it knows; what it does not know is tried shorter, then looked up in the list."""
    codes: Callable[[str], str | None] = {"zh-Hant": "cmn-Hant"}.get
    family = replace(FAMILY, languages=("en",), language_map=codes)
    assert family.match_language("zh-hant-tw") == ("zh-Hant-TW", "cmn-Hant")
    assert family.match_language("en-US") == ("en-US", "en")
    with pytest.raises(ConfigError, match="not among en"):
        family.match_language("zh")


# Halves


def test_the_halves_are_imported_on_demand() -> None:
    """Dotted names become the objects; a provider without a server half says so."""
    assert PROVIDER.load_client() is __import__("stt_core.errors").errors.STTError
    assert replace(PROVIDER, server="stt_core.provider:Always").load_server() is Always
    with pytest.raises(UnsupportedError, match="no server half"):
        PROVIDER.load_server()


@pytest.mark.parametrize(
    "client", ["stt_no_such_package:X", "stt_core.errors:NoSuchError", "stt_core.errors:annotations"]
)
def test_a_broken_half_is_a_config_error(client: str) -> None:
    """Neither a missing module or attribute nor something that is no class comes out raw."""
    with pytest.raises(ConfigError, match="of the provider acme"):
        replace(PROVIDER, client=client).load_client()


def test_a_missing_extra_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error that names the extra to install reaches the user as it is."""

    def missing(name: str) -> object:
        raise MissingExtraError(f"{name} needs an extra")

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(MissingExtraError):
        PROVIDER.load_client()
