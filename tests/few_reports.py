"""What a process of pytest-xdist tells of a test: its outcome, and what fails before or after it.

xdist sends six messages for each test, which with 8,600 tests takes longer than their collection.
"""

import pytest
from _pytest.runner import runtestprotocol


class FewReports:
    """Runs each test as pytest does, and is silent about what passed before and after it."""

    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        """Run a test, and tell of it."""
        for report in runtestprotocol(item, log=False, nextitem=nextitem):
            if report.when == "call" or not report.passed:
                item.ihook.pytest_runtest_logreport(report=report)
        return True


def tell_little(config: pytest.Config) -> None:
    """Use this in a process of xdist, unless somebody asks for what is not told."""
    wanted = config.option
    asked = wanted.verbose > 0 or wanted.durations is not None or wanted.xmlpath
    if hasattr(config, "workerinput") and not asked:
        config.pluginmanager.register(FewReports())
