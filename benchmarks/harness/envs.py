"""The environments of the peers: one requirements file for each, here or among those of the interop tests."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
ROOT = HERE.parent
FOLDERS = (HERE / "envs", ROOT / "tests" / "interop" / "envs")
HOMES = ROOT / ".interop"
"""Shared with the interop tests, which make theirs by the same rule."""


def requirements(name: str) -> Path:
    return next(path for folder in FOLDERS if (path := folder / f"{name}.txt").exists())


def home(name: str) -> Path:
    digest = hashlib.sha256(requirements(name).read_bytes() + sys.version.encode()).hexdigest()[:12]
    return HOMES / f"{name}-{digest}"


def installed(name: str) -> Path | None:
    """Its interpreter; ``None`` where there is none."""
    place = home(name)
    return place / "bin" / "python" if (place / ".done").exists() else None


def site_packages(name: str) -> Path | None:
    place = home(name)
    return next(place.glob("lib/python3*/site-packages"), None) if (place / ".done").exists() else None


def install(name: str) -> None:
    """Once for each content of its file."""
    if installed(name) is not None:
        return
    place = home(name)
    print(f"installing {name}", flush=True)
    venv.create(place, with_pip=True, clear=True)
    subprocess.run(  # noqa: S603
        [place / "bin" / "python", "-m", "pip", "install", "--quiet", "--requirement", requirements(name)], check=True
    )
    (place / ".done").touch()
