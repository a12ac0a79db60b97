"""The pytest plugin, loaded wherever stt-core is installed (``-p no:stt_core`` leaves it out).

``pytest --stt-provider NAME`` runs the contract kit over a provider: over what its package offers in a module
``contract`` (see :mod:`stt_core.testing.contract.finding`), else over a local provider and a sample. NAME is a
provider's name, or ``package:PROVIDER`` for one that is not installed as a plugin. The tests of the working directory
run beside only when they are named. A section at the end says of each promise whether it is PROVEN, BROKEN (and what
was seen) or NOT PROVEN (and why).

A promise that could not be put to the test is shown as that, never as a pass: a test that raises
:class:`~stt_core.testing.contract.NotProven` has the outcome ``NOT PROVEN`` of its own. It is counted apart, and fails
the run only with ``--stt-strict``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from .contract.report import Outcome

__all__: list[str] = []

_OUTCOME = "stt-core promise"
_CATEGORY = "not proven"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--stt-provider``, ``--stt-sample`` and ``--stt-strict``."""
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
    group.addoption(
        "--stt-strict", action="store_true", help="a promise that could not be put to the test fails the run"
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
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Takes note of what could not be proven, and keeps tracebacks through the kit out of its verdicts."""
    report = yield
    if call.when == "call" and (outcome := cast("Outcome | None", getattr(item, "outcome", None))) is not None:
        texts = [item.nodeid.partition("::")[0], str(outcome.promise), str(outcome.state), outcome.reason]
        report.user_properties.append((_OUTCOME, texts))
    error = None if call.excinfo is None else call.excinfo.value
    if _is_verdict(error, "NotProven"):
        report.user_properties.append((_CATEGORY, str(error)))
        path, line, _ = report.location
        if item.config.getoption("stt_strict"):
            report.longrepr = str(error)
        else:
            report.outcome = "skipped"  # to pytest: neither passed nor failed
            report.longrepr = (path, line or 0, str(error))
    elif _is_verdict(error, "PromiseBroken") and _outcome(report) is not None:
        report.longrepr = str(error)
        if item.config.get_verbosity() < 2:
            report.sections = []  # what was logged on the way, of which there is a lot
    return report


def _is_verdict(error: BaseException | None, name: str) -> bool:
    # By name: the kit needs numpy, and whoever has raised its exceptions has imported that already.
    return error is not None and type(error).__name__ == name and type(error).__module__.startswith("stt_core.")


def pytest_report_teststatus(
    report: pytest.CollectReport | pytest.TestReport,
) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Gives it a category and a letter of its own."""
    if isinstance(report, pytest.TestReport) and _reason(report) is not None and not report.failed:
        return _CATEGORY, "N", ("NOT PROVEN", {"yellow": True})
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says what came of each promise, and what could not be proven elsewhere."""
    reports = [
        report
        for each in terminalreporter.stats.values()
        for report in each
        if isinstance(report, pytest.TestReport) and report.when == "call"
    ]
    promised: dict[str, list[list[str]]] = {}
    for report in reports:
        if (outcome := _outcome(report)) is not None:
            promised.setdefault(outcome[0], []).append(outcome[1:])
    for subject, outcomes in promised.items():
        _tell(terminalreporter, subject, outcomes)
    doubts = [report for report in reports if _reason(report) is not None and _outcome(report) is None]
    if doubts:
        terminalreporter.section("promises not proven", sep="=", yellow=True)
        for report in doubts:
            terminalreporter.write_line(f"NOT PROVEN {report.nodeid}: {_reason(report)}", yellow=True)


def _tell(terminalreporter: pytest.TerminalReporter, subject: str, outcomes: list[list[str]]) -> None:
    from .contract.report import Outcome, Promise, Report, State

    report = Report(subject, [Outcome(Promise(promise), State(state), why) for promise, state, why in outcomes])
    terminalreporter.section(f"what {subject} promises", sep="=")
    for promise in Promise:
        for outcome in (each for each in report if each.promise is promise):
            colour = {State.PROVEN: "green", State.BROKEN: "red", State.NOT_PROVEN: "yellow"}[outcome.state]
            first, *more = outcome.explain()
            terminalreporter.write_line(first, **{colour: True})
            for line in more:
                terminalreporter.write_line(line)
    counts = [f"{len(report.in_state(state))} {state.lower()}" for state in State if report.in_state(state)]
    terminalreporter.write_line(", ".join(counts))


def _outcome(report: pytest.TestReport) -> list[str] | None:
    return cast("list[str] | None", dict(report.user_properties).get(_OUTCOME))


def _reason(report: pytest.TestReport) -> object:
    return dict(report.user_properties).get(_CATEGORY)
