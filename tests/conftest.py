"""For all tests: what the shell that started them has set does not matter."""

from __future__ import annotations

import os
import signal


def pytest_configure() -> None:
    """Programs that tests interrupt must hear of it: what a shell starts in the background ignores Ctrl-C, and so
    would they. And their output is buffered, as it is wherever nobody has said otherwise.
    """
    os.environ.pop("PYTHONUNBUFFERED", None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
