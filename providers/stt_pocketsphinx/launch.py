"""How a worker process is started, so that it finds what the caller has and nothing that it should not."""

from __future__ import annotations

import importlib.util
import os
import site
import sys
from collections.abc import Iterator
from pathlib import Path

from stt_core.errors import MissingExtraError, UnsupportedError

__all__ = ["command", "environment"]


def command() -> list[str]:
    """The command that starts a worker with the caller's interpreter.

    Raises:
        MissingExtraError: the engine's packages are not installed.
        UnsupportedError: there is no interpreter to start (Python embedded in another program).
    """
    for module in ("pocketsphinx", "webrtcvad"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(
                f'the embedded engine needs the package {module}: pip install "stt-core[local]"',
                provider="pocketsphinx",
            )
    if not sys.executable:
        raise UnsupportedError("the embedded engine needs a Python interpreter to start", provider="pocketsphinx")
    # -P: a json.py in the working directory is not the json that the worker wants.
    return [sys.executable, "-P", *(["-s"] if sys.flags.no_user_site else []), "-m", "stt_pocketsphinx.worker"]


def environment() -> dict[str, str]:
    """What a worker needs of the caller's environment: keys and tokens are none of its business.

    Its path is its own interpreter's, and before it those folders from which the caller has the engine's packages and
    that are no site-packages: a source tree, or whatever the caller put on ``sys.path``.
    """
    keep = (
        "HOME",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "PYTHONHOME",
        "PYTHONUSERBASE",
        "PYTHONNOUSERSITE",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONPYCACHEPREFIX",
        "SYSTEMROOT",
    )
    own = {name: os.environ[name] for name in keep if name in os.environ}
    known = {*site.getsitepackages(), site.getusersitepackages()}
    roots = dict.fromkeys(root for root in _roots() if root not in known)
    return {**own, "PYTHONPATH": os.pathsep.join(roots)} if roots else own


def _roots() -> Iterator[str]:
    for module in ("stt_pocketsphinx", "stt_core", "pocketsphinx", "webrtcvad"):
        spec = importlib.util.find_spec(module)
        if spec is None:
            continue
        if spec.submodule_search_locations:
            yield str(Path(next(iter(spec.submodule_search_locations))).absolute().parent)
        elif spec.origin:
            yield str(Path(spec.origin).absolute().parent)
