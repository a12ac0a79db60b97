"""The pytest plugin: a promise that could not be put to the test is shown as that, never as a pass.

A test that raises :class:`~stt_core.testing.contract.NotProven` has the outcome ``NOT PROVEN`` of its own: it does not
fail the run, it is counted apart, and a section at the end says what was missing. Load it with
``-p stt_core.testing.plugin``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

__all__: list[str] = []

_CATEGORY = "not proven"


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
