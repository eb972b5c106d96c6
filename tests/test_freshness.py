"""The measurement of freshness: its figures in words."""

import pytest

from loadtest.freshness import Change, Idle, Run, summary
from loadtest.machine import Machine

MACHINE = Machine("", "", "", "", 2, "", "")


@pytest.mark.parametrize(
    ("count", "p50", "p99"),
    [
        pytest.param(1, "1.00", "1.00", id="one"),
        pytest.param(100, "50.50", "99.00", id="a hundred"),
        pytest.param(101, "51.00", "100.00", id="one more"),
    ],
)
def test_summary(count: int, p50: str, p99: str) -> None:
    """p99 is the least value that 99 of a hundred changes do not exceed."""
    changes = [Change(1, 5000, float(second), second + 0.25) for second in range(count, 0, -1)]
    run = Run(MACHINE, Idle(60.0, 1.5, 0.9, 61.2, 80_000_000), changes, [])
    first, served, second = summary(run).splitlines()
    assert f"{count} changes: p50 {p50} s, p99 {p99} s, least 1.00 s" in first
    assert f"to every worker, {count} changes: " in served
    assert f"least 1.25 s, most {count}.25 s" in served
    assert second == (
        "idle: 1.5 s CPU an hour, 0.9 s in PostgreSQL, 61 transactions a minute, 80 MB"
    )
