"""Registers the contract kit's plugin, unless it was loaded by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stt_core.testing import plugin

if TYPE_CHECKING:
    import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Conftests below the root cannot use pytest_plugins."""
    if not config.pluginmanager.is_registered(plugin):
        config.pluginmanager.register(plugin)
