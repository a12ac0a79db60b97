"""The pytest plugin, loaded wherever stt-core is installed (``-p no:stt_core`` leaves it out).

``pytest --stt-provider NAME`` runs the contract kit over a provider: over what its package offers in a module
``contract`` (see :mod:`stt_core.testing.contract.finding`), else over a local provider and a sample. NAME is a
provider's name, or ``package:PROVIDER`` for one that is not installed as a plugin. The tests of the working directory
run beside only when they are named.

A promise that could not be put to the test is shown as that, never as a pass: a test that raises
:class:`~stt_core.testing.contract.NotProven` has the outcome ``NOT PROVEN`` of its own. It does not fail the run, it is
counted apart, and a section at the end says what was missing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

__all__: list[str] = []

_CATEGORY = "not proven"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--stt-provider`` and ``--stt-sample``."""
    group = parser.getgroup("stt-core")
    group.addoption(
        "--stt-provider",
        action="append",
        default=[],
        metavar="NAME",
        help="run the contract kit over this provider (a name, or package:PROVIDER); may be given several times",
    )
    group.addoption(
        "--stt-sample",
        type=Path,
        metavar="WAV",
        help="clear speech for a provider that listens, with its words in a .txt of the same name",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Without a word about other tests there are none."""
    if _providers(config) and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Adds the kit's."""
    if names := _providers(config):
        from .contract.items import collect

        items += collect(session, names, config.getoption("stt_sample"))


def _providers(config: pytest.Config) -> list[str]:
    return cast("list[str]", config.getoption("stt_provider"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Takes note of what could not be proven."""
    report = yield
    # The kit needs numpy: whoever has raised its exception has imported it already.
    error = call.excinfo.value if call.excinfo is not None else None
    if error is not None and type(error).__name__ == "NotProven" and type(error).__module__.startswith("stt_core."):
        report.outcome = "skipped"  # to pytest: neither passed nor failed
        path, line, _ = report.location
        report.longrepr = (path, line or 0, str(error))
        report.user_properties.append((_CATEGORY, str(error)))
    return report


def pytest_report_teststatus(
    report: pytest.CollectReport | pytest.TestReport,
) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Gives it a category and a letter of its own."""
    if isinstance(report, pytest.TestReport) and _reason(report) is not None:
        return _CATEGORY, "N", ("NOT PROVEN", {"yellow": True})
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says what was missing."""
    reports = [report for report in terminalreporter.getreports(_CATEGORY) if isinstance(report, pytest.TestReport)]
    if reports:
        terminalreporter.section("promises not proven", sep="=", yellow=True)
        for report in reports:
            terminalreporter.write_line(f"NOT PROVEN {report.nodeid}: {_reason(report)}", yellow=True)


def _reason(report: pytest.TestReport) -> object:
    return dict(report.user_properties).get(_CATEGORY)
