"""The goals for the server's costs at scale 1 of the data set, and whether a run reaches them."""

from collections.abc import Callable

from loadtest.bench.figures import BenchRun
from loadtest.common.tables import MEGABYTE, Goal

_Costs = dict[str, float]


def _above(costs: _Costs, case: str, floor: str) -> float:
    return costs[case] - costs[floor]


def _lists(case: str) -> Callable[[_Costs], float]:
    return lambda cost: cost[case] / cost["ours"]


# The name of a goal, its unit, the most, and what it is measured by: the CPU time of each case
# in microseconds a request. Costs are compared with others of the same run, because machines
# differ. Megabytes are millions of bytes.
_GOALS: tuple[tuple[str, str, float, Callable[[_Costs], float]], ...] = (
    ("kept connections", "floors", 2.2, lambda cost: cost["ours"] / cost["floor"]),
    (
        "kept connections, of mirrorlist-server's", "%", 8.3,
        lambda cost: 100 * cost["ours"] / cost["theirs"],
    ),
    ("a connection each", "floors", 0.7, lambda cost: cost["ours-close"] / cost["floor-close"]),
    (
        "a connection each, of mirrorlist-server's", "%", 12.5,
        lambda cost: 100 * cost["ours-close"] / cost["theirs-close"],
    ),
    *(
        (name, "lists", 2.0, _lists(name))
        for name in ("redirect", "unknown", "countries", "protocols", "path")
    ),
    ("PSS, two workers and the admin process", "MB", 120, lambda cost: cost["memory"] / MEGABYTE),
    ("the same after a look at its pages", "MB", 120, lambda cost: cost["looked"] / MEGABYTE),
    (
        "above the floor, scale 2.5 against 1, a KB of list", "times", 1.2,
        lambda cost: (
            _above(cost, "ours-2.5", "floor-2.5") / _above(cost, "ours", "floor")
            / (cost["KB-2.5"] / cost["KB"])
        ),
    ),
    ("request log on, keep-alive", "times", 1.05, lambda cost: cost["log"] / cost["ours"]),
    (
        "request log on, a connection each", "times", 1.05,
        lambda cost: cost["log-close"] / cost["ours-close"],
    ),
)  # fmt: skip


def verdicts(run: BenchRun) -> list[Goal]:
    """Return the goals whose figures a run has."""
    costs = {one.case: one.cpu for one in run.figures}
    for name, case in (("KB", "ours"), ("KB-2.5", "ours-2.5")):
        if found_case := run.find(case):
            costs[name] = found_case.median(lambda load: load.mean_bytes) / 1000
    if run.memory:
        costs["memory"] = sum(run.memory.loaded.values())
        costs["looked"] = sum(run.memory.looked.values())
    found = []
    for name, unit, limit, measured in _GOALS:
        try:
            found.append(Goal(name, unit, limit, measured(costs)))
        except (KeyError, ZeroDivisionError):
            continue
    return found
