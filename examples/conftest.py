"""What the tests of the examples find in the environment of a reader, and not in ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stt_core.plugins import registered
from stt_template import PROVIDER


@pytest.fixture(autouse=True)
def installed_template() -> Iterator[None]:
    """The template, which is not installed here, as if it were."""
    with registered(PROVIDER):
        yield
