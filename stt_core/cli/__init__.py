"""The ``stt`` command: recognition results on stdout, everything else on stderr.

Exit codes: 0 done; 1 recognition failed; 2 bad usage or configuration; 130 and 143 cut short by Ctrl-C or SIGTERM; 141
nobody reads stdout any more.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        args: the arguments after the program's name; those of the process by default.
    """
    if find_spec("click") is None or find_spec("rich") is None:
        print('stt: the command line is an extra of its own: pip install "stt-core[cli]"', file=sys.stderr)
        return 2
    try:
        from .app import run

        return run(args)
    except KeyboardInterrupt:
        return 130
