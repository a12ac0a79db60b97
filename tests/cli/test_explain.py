"""`stt explain`: what a string comes to and what another one changes, from the registration alone."""

from __future__ import annotations

import socket
from typing import Annotated, NoReturn, TypedDict

import pytest

from stt_core.cli import main
from stt_core.cli.wording import shown
from stt_core.options import Doc, Secret, Unit, fields

Capture = pytest.CaptureFixture[str]


class Own(TypedDict, total=False):
    pin: Annotated[str, Secret(), Doc("A number of yours.")]
    speed: Annotated[float, Unit("s"), Doc("How fast.")]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, and no socket."""

    def refuse(*args: object, **options: object) -> NoReturn:
        pytest.fail("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setenv("LAB_URL", "https://user:a-very-secret-key@lab.example")
    for name in ("LAB_KEY", "OLD_LAB_KEY", "LAB_SECRET"):
        monkeypatch.delenv(name, raising=False)


def told(capsys: Capture, *arguments: str) -> dict[str, dict[str, str]]:
    """The rows of each section; those before the first one under ""."""
    assert main(["explain", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "secret" not in out
    sections: dict[str, dict[str, str]] = {}
    title = ""
    for line in out.splitlines():
        if line.startswith("  "):
            name, _, text = line.strip().partition("  ")
            sections.setdefault(title, {})[name] = text.strip()
        elif line:
            title = line.removesuffix(":")
    return sections


def test_what_a_string_comes_to(capsys: Capture) -> None:
    """Provider, model, the language and the vendor's code for it, and what is still needed; no value of a variable."""
    facts = told(capsys, "lab/alpha-2:zh")["lab/alpha-2:zh"]
    assert facts["provider"] == "lab: A laboratory."
    assert facts["model"] == "alpha-2 (of alpha): The first."
    assert facts["language"] == "zh, which is cmn for lab alpha"
    assert facts["needs"] == "LAB_KEY or OLD_LAB_KEY (is not set), LAB_SECRET (is not set, not always needed)"
    assert facts["goes to"] == "the URL in LAB_URL"


def test_what_is_left_open(capsys: Capture) -> None:
    """The model and the language by default say that they are, and what was not given has its declared default."""
    found = told(capsys, "lab")
    assert found["lab"]["model"] == "alpha-1, the default (of alpha): The first."
    assert found["lab"]["language"] == "en, the default"
    assert found["Its own options by default"] == {
        "speed": "1.0 s",
        "hints": "none",
        "who": "not sent",
        "pin": "not sent",
        "frame": "not sent",
    }
    assert found["The framework's options by default"]["connect_timeout"] == "10.0 s"
    assert found["The framework's options by default"]["proxy"].startswith("HTTPS_PROXY, ")
    assert "base_url" not in found["The framework's options by default"]  # its variable is set


def test_what_portable_options_turn_into(capsys: Capture) -> None:
    """Each says what is sent for it, under which of the vendor's names, and is no default any more."""
    config = "lab?keyterms=Acme&keyterms=Kyoto&punctuation=true&diarization=true&speed=2&connect_timeout=3"
    found = told(capsys, config)
    assert found["Options given"] == {
        "keyterms": '["Acme", "Kyoto"]; sent as hints=["Acme", "Kyoto"]',
        "punctuation": "true; always so, nothing is sent",
        "diarization": "true; sent as who=everybody",
        "speed": "2.0 s",
        "connect_timeout": "3.0 s",
    }
    assert found["Its own options by default"].keys() == {"pin", "frame"}
    assert "connect_timeout" not in found["The framework's options by default"]
    assert found["Portable options not given"]["profanity_filter"] == "not supported"


def test_a_local_engine_has_no_options_of_the_network(capsys: Capture) -> None:
    """What it would refuse is not among its defaults."""
    found = told(capsys, "lab/beta-1")
    assert found["lab/beta-1"]["works as"] == "local"
    assert "goes to" not in found["lab/beta-1"]
    assert found["The framework's options by default"].keys() & {"proxy", "ssl", "drain_timeout"} == {"drain_timeout"}


def test_without_a_config_it_is_the_one_in_force(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """What commands without -m take."""
    monkeypatch.setenv("STT_CORE_MODEL", "lab:pt")
    assert "lab:pt" in told(capsys)


def test_a_chain_is_told_member_by_member(capsys: Capture) -> None:
    """Each as if it stood alone, and the framework's defaults that hold for all of them once."""
    found = told(capsys, "lab:pt?drain_timeout=3 | lab/beta-1?depth=4")
    assert found["lab:pt?drain_timeout=3"]["language"] == "pt"
    assert found["lab/beta-1?depth=4"]["language"] == "none is sent: the vendor decides"
    assert found["The framework's options by default"].keys() & {"proxy", "drain_timeout", "flush_timeout"} == {
        "flush_timeout"
    }
    assert "deadline" in found["Options of the chain, as arguments of create_stt"]


def test_what_a_swap_costs(capsys: Capture) -> None:
    """Options that the other refuses, languages, abilities: lost, gained, or different."""
    config = "lab:zh?hints=Acme&diarization=true&speed=2&punctuation=true&drain_timeout=3"
    found = told(capsys, config, "lab/beta-1")
    assert found["Lost"] == {
        "language": "zh is refused: the language `zh` is not among en, pt",
        "languages": "cmn, zh",
        "hints": "refused: there is no such option; given as `keyterms` it is taken",
        "diarization": "refused: there is no such option",
        "punctuation": "refused: lab/beta-1 has no switch for `punctuation`, which is always false",
        "batch": "files are streamed",
        "words": "there are no words one by one",
        "confidence": "nothing says how sure it is",
        "times": "results have no times",
        "own options": "who, pin, frame",
    }
    assert found["Gained"] == {
        "turns": "finds the ends of turns",
        "keyterms": "can be told terms to listen for",
        "own options": "depth",
    }
    assert found["Different"] == {"flush": "reconnect instead of native", "works as": "local instead of socket"}
    assert found["Options given that it takes, too"] == {"speed": "2.0 s", "drain_timeout": "3.0 s"}


def test_what_a_swap_changes_of_what_both_have(capsys: Capture) -> None:
    """The same option with another value or default, and the same language under another code."""
    found = told(capsys, "lab/beta-1:en?speed=1", "lab:zh?speed=2")
    assert found["Different"]["language"] == "zh, which is cmn for lab alpha; before: en"
    assert found["Different"]["speed"] == "2.0 s; before: 1.0 s"
    assert told(capsys, "lab/beta-1:en", "lab")["Different"]["speed"] == "by default 1.0 s; before: 1.5 s"
    assert told(capsys, "lab/beta-1:en", "lab")["Options given that it takes, too"] == {"language": "en"}


def test_files_that_go_by_jobs_are_not_lost(capsys: Capture) -> None:
    """Where whole files cannot be sent at once, they can be submitted."""
    found = told(capsys, "lab", "errands")
    assert found["Different"]["batch"] == "files are recognised as jobs"
    assert "batch" not in found["Lost"]


def test_a_swap_for_the_same_loses_nothing(capsys: Capture) -> None:
    """No difference is made up."""
    assert main(["explain", "lab:zh?speed=2", "lab/alpha-1:zh"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "From lab:zh?speed=2 to lab/alpha-1:zh",
        "",
        "Options given that it takes, too:",
        "  speed  2.0 s",
        "",
        "Nothing is lost.",
    ]


def test_a_chain_in_its_place_is_compared_member_by_member(capsys: Capture) -> None:
    """Any of them may have to serve."""
    assert main(["explain", "lab/beta-1", "lab | lab/alpha-2"]) == 0
    out = capsys.readouterr().out
    assert "From lab/beta-1 to lab\n" in out
    assert "From lab/beta-1 to lab/alpha-2\n" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lab?sped=1"], "did you mean `speed`?"),
        (["lab", "lab/gamma"], "lab has no model `gamma`"),
        (["lab?base_url=https://user:a-very-secret-key@lab.example"], "`base_url` is a URL with a secret in it"),
        (["lab?pin=a-very-secret-key"], "has no place in a config string"),
    ],
)
def test_what_comes_to_nothing_is_one_line(arguments: list[str], said: str, capsys: Capture) -> None:
    """Exit code 2, what is accepted, and no secret."""
    assert main(["explain", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err
    assert "secret-key" not in err


def test_a_value_that_may_be_a_secret_is_not_shown() -> None:
    """Config strings refuse them, and nothing else is explained today; this is for the day when that changes."""
    pin = fields(Own)["pin"]
    assert shown(pin, "1234") == shown(None, "https://user:password@lab.example") == "(not shown)"
    assert shown(fields(Own)["speed"], 2.0) == "2.0 s"
