"""The goals for the server's costs at scale 1 of the data set, and whether a run reaches them."""

from collections.abc import Callable

from loadtest.bench.figures import BenchRun
from loadtest.common.tables import MEGABYTE, Goal

_Costs = dict[str, float]


def _above(costs: _Costs, case: str, floor: str) -> float:
    return costs[case] - costs[floor]


# The name of a goal, its unit, the most, and what it is measured by: the CPU time of each case
# in microseconds a request. Megabytes are millions of bytes.
_GOALS: tuple[tuple[str, str, float, Callable[[_Costs], float]], ...] = (
    ("CPU a request, keep-alive", "us", 32, lambda cost: cost["ours"]),
    ("CPU a request, a connection each", "us", 70, lambda cost: cost["ours-close"]),
    ("above this run's floor, keep-alive", "us", 20, lambda cost: _above(cost, "ours", "floor")),
    (
        "above this run's floor, a connection each", "us", 20,
        lambda cost: _above(cost, "ours-close", "floor-close"),
    ),
    ("unknown repository", "us", 100, lambda cost: cost["unknown"]),
    ("redirect of a path=", "us", 30, lambda cost: cost["redirect"]),
    ("PSS, supervisor and two workers", "MB", 120, lambda cost: cost["memory"] / MEGABYTE),
    (
        "above the floor, scale 2.5 against 1", "times", 1.2,
        lambda cost: _above(cost, "ours-2.5", "floor-2.5") / _above(cost, "ours", "floor"),
    ),
    ("request log on, keep-alive", "times", 1.1, lambda cost: cost["log"] / cost["ours"]),
    (
        "request log on, a connection each", "times", 1.1,
        lambda cost: cost["log-close"] / cost["ours-close"],
    ),
)  # fmt: skip


def verdicts(run: BenchRun) -> list[Goal]:
    """Return the goals whose figures a run has."""
    costs = {one.case: one.cpu for one in run.figures}
    if run.memory:
        costs["memory"] = run.memory.total
    found = []
    for name, unit, limit, measured in _GOALS:
        try:
            found.append(Goal(name, unit, limit, measured(costs)))
        except (KeyError, ZeroDivisionError):
            continue
    return found
