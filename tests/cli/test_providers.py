"""`stt providers`: what is registered is told, all of it, and no value of a variable."""

from __future__ import annotations

import json
import sys
from dataclasses import fields as parts_of
from pathlib import Path
from typing import Any

import pytest

from stt_core.cli import main
from stt_core.cli.layout import Page
from stt_core.options import PortableOptions, StreamOptions, STTOptions, fields
from stt_core.provider import Capabilities, Carries
from stt_core.registry import providers

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.setenv("OLD_LAB_KEY", "a-very-secret-key")
    monkeypatch.setenv("LAB_KEY", "  ")
    for name in ("LAB_SECRET", "LAB_URL"):
        monkeypatch.delenv(name, raising=False)


def test_all_are_listed_with_what_they_need(capsys: Capture) -> None:
    """Every provider is there with its models; of variables that stand for each other one is enough."""
    assert main(["providers"]) == 0
    out, err = capsys.readouterr()
    assert all(f"\n  {name} " in f"\n{out}" for name in providers())
    assert "A laboratory. Models: alpha-1, alpha-2, beta-1." in out
    assert " lab LAB_KEY or OLD_LAB_KEY (is set), LAB_SECRET (is not set, not always needed)" in " ".join(out.split())
    assert "secret" not in out
    assert err == ""


def test_a_plugin_that_is_broken_is_listed_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Whoever installed it wants to know why it is not among the providers."""
    info = tmp_path / "stt_torn-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stt-torn\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[stt_core.providers]\ntorn = stt_torn:PROVIDER\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert main(["providers"]) == 0
    assert "torn importing stt_torn:PROVIDER raised ModuleNotFoundError" in " ".join(capsys.readouterr().out.split())
    assert document(capsys)["broken"].keys() == {"torn"}


def test_one_is_told_whole(capsys: Capture) -> None:
    """Models, languages, variables, portable options and the options' texts, types, units and defaults are there."""
    assert main(["providers", "lab"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for told in (
        "LAB_KEY is not set, and needed. From the laboratory.",
        "OLD_LAB_KEY is set.",
        "LAB_URL is not set.",
        "models alpha-1 (the default), alpha-2, any other that begins with alpha-",
        "languages en, pt, cmn and, written zh for cmn",
        "if none is given en",
        "does by itself streaming, batch, words, diarization, flush: native, update: reconnect",
        "results tell words, confidence, times: session, lag 1 s",
        "keyterms sent as hints",
        "diarization sent in the vendor's way",
        "punctuation always true",
        "profanity_filter not supported",
        "speed How fast. It takes a number from 0.5 to 2 (s). [default: 1.0]",
        "hints What to listen for. It takes a list, each item text. [default: none]",
        "frame What is around it. It takes a mapping (JSON in a config string). width How wide. It takes a whole",
        "lab, beta: The second.",
        "works as local",
        "connect_timeout How long the provider may take until it is ready for audio.",
    ):
        assert told in out
    assert "secret" not in out


def test_one_family_is_told_alone(capsys: Capture) -> None:
    """NAME/MODEL leaves the other families out: some providers have many."""
    assert main(["providers", "lab/beta-1"]) == 0
    out = capsys.readouterr().out
    assert "lab, beta" in out
    assert "lab, alpha" not in out


@pytest.mark.parametrize(("name", "said"), [("labs", "did you mean `lab`?"), ("lab/gamma", "lab has no model `gamma`")])
def test_one_that_is_not_there(name: str, said: str, capsys: Capture) -> None:
    """Exit code 2, one line, and the nearest match."""
    assert main(["providers", name]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err


@pytest.mark.parametrize("columns", ["30", "60", "300"])
def test_no_line_is_wider_than_the_terminal(columns: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Lines end between words; only a single word that is longer than all there is may stand out."""
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["providers", "lab"]) == 0
    for line in capsys.readouterr().out.splitlines():
        assert len(line) < int(columns) or len(line.split()) == 1


def test_no_line_ends_inside_a_name(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Models are copied from here, and some have hyphens."""
    monkeypatch.setenv("COLUMNS", "40")
    page = Page()
    page.rows([("models", "a-model-with-hyphens, " * 20)], title="A-title-with-hyphens " * 10)
    page.show()
    words = capsys.readouterr().out.split()
    assert set(words) == {"models", "a-model-with-hyphens,", "A-title-with-hyphens", ":"}


def document(capsys: Capture, *arguments: str) -> Any:
    assert main(["providers", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_document_has_everything_that_is_declared(capsys: Capture) -> None:
    """Every provider, family, model, option and flag of the registration is in the JSON form, under its own name."""
    told = document(capsys)
    assert [each["name"] for each in told["providers"]] == list(providers())
    for described, provider in zip(told["providers"], providers().values(), strict=True):
        assert [env["name"] for env in described["environment"]] == [env.name for env in provider.env]
        for family, declared in zip(described["families"], provider.families, strict=True):
            assert family["models"] == list(declared.models)
            assert family["capabilities"].keys() == {part.name for part in parts_of(Capabilities)}
            assert family["carries"].keys() == {part.name for part in parts_of(Carries)}
            assert [option["name"] for option in family["options"]] == list(fields(declared.options))
            assert family["portable"].keys() == {
                name for name in fields(PortableOptions) if name != "language" and declared.takes(name)
            }
    assert [option["name"] for option in told["options"]["stt"]] == list(fields(STTOptions))
    assert [option["name"] for option in told["options"]["stream"]] == list(fields(StreamOptions))


def test_the_document_keeps_its_form(capsys: Capture) -> None:
    """Programs read it: what a family and its options look like, to the letter; one provider has the form of all."""
    told = document(capsys, "lab")
    assert told.keys() == {"providers", "broken", "options"}
    (lab,) = told["providers"]
    assert {key: value for key, value in lab.items() if key != "families"} == {
        "name": "lab",
        "doc": "A laboratory.",
        "kind": "socket",
        "server": False,
        "auth_modes": [],
        "environment": [
            {"name": "LAB_KEY", "meaning": "api_key", "required": True, "doc": "From the laboratory.", "set": False},
            {"name": "OLD_LAB_KEY", "meaning": "api_key", "required": True, "doc": "", "set": True},
            {"name": "LAB_SECRET", "meaning": "api_secret", "required": False, "doc": "", "set": False},
            {"name": "LAB_URL", "meaning": "base_url", "required": False, "doc": "", "set": False},
        ],
    }
    alpha, beta = lab["families"]
    portable = {"keyterms": {"option": "hints"}, "diarization": {"computed": True}, "punctuation": {"always": True}}
    assert {key: alpha[key] for key in alpha if key not in ("options", "capabilities", "carries")} == {
        "name": "alpha",
        "doc": "The first.",
        "kind": "socket",
        "models": ["alpha-1", "alpha-2"],
        "default_model": "alpha-1",
        "open_models": True,
        "model_prefix": "alpha-",
        "languages": ["en", "pt", "cmn"],
        "language_map": {"zh": "cmn"},
        "default_language": "en",
        "portable": portable,
        "refuses": [],
    }
    assert alpha["options"][0] == {
        "name": "speed",
        "doc": "How fast.",
        "type": "float",
        "accepts": "a number from 0.5 to 2 (s)",
        "choices": [],
        "range": {"ge": 0.5, "gt": None, "le": 2, "lt": None},
        "unit": "s",
        "default": {"value": 1.0, "text": "1.0"},
        "secret": False,
        "required": False,
        "fields": [],
    }
    assert alpha["options"][3]["secret"]
    assert [inner["name"] for inner in alpha["options"][4]["fields"]] == ["width"]
    assert (beta["kind"], beta["portable"]["keyterms"]) == ("local", {"option": "keyterms"})
    assert "proxy" in beta["refuses"]
