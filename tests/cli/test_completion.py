"""What the shell completes: commands, and config strings piece by piece."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stt_core.cli.completion import complete_config

DOCS = Path(__file__).parents[2] / "docs" / "command-line.md"
SETUP = 'eval "$(_STT_COMPLETE=bash_source stt)"; COMP_WORDBREAKS=${COMP_WORDBREAKS//[:=]/}; '


def in_bash(*words: str) -> list[str]:
    """What bash offers for the last of the words, with what the docs have people put into ~/.bashrc."""
    typed = " ".join(f"'{word}'" for word in words)
    line = f"COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}"
    program = f'{SETUP} {line}; _stt_completion stt; printf "%s\\n" "${{COMPREPLY[@]}}"'
    environment = {**os.environ, "PATH": f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", program], env=environment, capture_output=True, text=True, check=True)  # noqa: S607
    return done.stdout.split("\n")[:-1]


def test_bash_completes_commands_and_configs() -> None:
    """The real shell function, in a real bash: a command, then a config string after -m and as an argument."""
    assert SETUP.removesuffix("; ") in DOCS.read_text("utf-8")
    assert in_bash("stt", "tr") == ["transcribe"]
    assert in_bash("stt", "transcribe", "-m", "lab/a") == ["lab/alpha-1", "lab/alpha-2"]
    assert in_bash("stt", "explain", "lab/beta-1:") == ["lab/beta-1:en", "lab/beta-1:pt"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("la", ["lab", "lab/alpha-1", "lab/alpha-2", "lab/beta-1"]),
        ("lab/b", ["lab/beta-1"]),
        ("lab:", ["lab:en", "lab:pt", "lab:cmn", "lab:zh"]),
        ("lab/beta-1:p", ["lab/beta-1:pt"]),
        ("lab/alpha-9:p", ["lab/alpha-9:pt"]),
        ("lab/beta-1:pt?d", ["lab/beta-1:pt?depth=", "lab/beta-1:pt?drain_timeout="]),
        ("lab?speed=1&key", ["lab?speed=1&keyterms="]),
        ("lab?channel_mode=m", ["lab?channel_mode=mix"]),
        ("fake | lab/b", ["fake | lab/beta-1"]),
        ("nobody/", []),
        ("nobody:", []),
        ("lab/gamma:", []),
        ("lab/gamma?", []),
    ],
)
def test_a_config_is_completed_piece_by_piece(typed: str, offered: list[str]) -> None:
    """Providers and models, then languages, then options and their choices; of what is not there, nothing."""
    import click

    ctx = click.Context(click.Command("stt"))
    assert [item.value for item in complete_config(ctx, click.Option(["-m"]), typed)] == offered
