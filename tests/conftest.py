"""How tests that cannot run are treated: counted and named, and failed where all must run."""

import gc
import os
from collections.abc import Generator, Iterable
from typing import TypeVar

import pytest

from tests.clients.matrix import Matrix
from tests.examples import use_fewer
from tests.few_reports import tell_little
from tests.memory_files import use_memory
from tests.system import CANNOT

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def pytest_configure(config: pytest.Config) -> None:
    """Collect the client matrix; choose how many random examples there are, and where files go."""
    config.pluginmanager.register(Matrix(config))
    use_fewer()
    use_memory(config)
    tell_little(config)
    gc.disable()


def pytest_collection_finish() -> None:
    """Let the collector of garbage look at what tests make, and not at 8,000 tests each time.

    It looks seldom: at Python's 700 objects it takes a seventh of the run, and for a module that is
    parsed to a tree three times as long as the parser. The command's processes keep the 700.
    """
    gc.set_threshold(100_000)
    gc.enable()
    gc.freeze()


def _all_must_run(report: Report) -> Report:
    """The report, with a skip turned into a failure when REQUIRE_ALL is 1, as in CI."""
    expected_failure = hasattr(report, "wasxfail")
    must_run = os.environ.get("REQUIRE_ALL") == "1"
    if report.skipped and not expected_failure and must_run and not _cannot_run(report):
        report.outcome = "failed"
        report.longrepr = f"not run, but REQUIRE_ALL=1: {_reason(report)}"
    return report


def _cannot_run(report: Report) -> bool:
    return _reason(report).startswith(CANNOT)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a skipped test was skipped, without pytest's own prefix."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that skips itself where all must run."""
    return _all_must_run((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module that skips itself where all must run."""
    return _all_must_run((yield))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each test that was not run, with the reason, and count the system tests."""
    skipped = terminalreporter.getreports("skipped")
    if skipped:
        terminalreporter.section("not run")
    for report in skipped:
        terminalreporter.line(f"{report.nodeid}: {_reason(report)}")
    outcomes = ("passed", "failed", "error", "xfailed")
    system = _system_tests([r for name in outcomes for r in terminalreporter.getreports(name)])
    ran = {report.nodeid for report in system if report.when == "call"}
    not_run = {report.nodeid for report in [*system, *_system_tests(skipped)]} - ran
    if ran or not_run:
        terminalreporter.section("system tests")
        terminalreporter.line(f"{len(ran)} run, {len(not_run)} not run")


def _system_tests(
    reports: Iterable[pytest.TestReport | pytest.CollectReport],
) -> list[pytest.TestReport]:
    """The reports of tests that are marked as system tests."""
    tests = [report for report in reports if isinstance(report, pytest.TestReport)]
    return [report for report in tests if "system" in report.keywords]
