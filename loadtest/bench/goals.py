"""What the server is to cost, and whether it does."""

from collections.abc import Callable

from msgspec import Struct

from loadtest.bench.figures import Run
from loadtest.common.tables import MEGABYTE


class Goal(Struct, frozen=True):
    """A figure of a run, which is not to be above a limit; `measured` gives None without it."""

    name: str
    unit: str
    limit: float
    measured: Callable[[Run], float | None]


class Verdict(Struct, frozen=True):
    """A goal beside what was measured."""

    name: str
    unit: str
    limit: float
    measured: float

    @property
    def met(self) -> bool:
        """Whether it is no more than the limit."""
        return self.measured <= self.limit

    @property
    def text(self) -> str:
        """Met, or missed by how much."""
        return "met" if self.met else f"missed by {self.measured - self.limit:.3g} {self.unit}"


def _cpu(case: str) -> Callable[[Run], float | None]:
    def measured(run: Run) -> float | None:
        found = run.find(case)
        return found.cpu if found else None

    return measured


def _above(case: str, floor: str) -> Callable[[Run], float | None]:
    def measured(run: Run) -> float | None:
        found, least = run.find(case), run.find(floor)
        return found.cpu - least.cpu if found and least else None

    return measured


def _ratio(
    upper: Callable[[Run], float | None], lower: Callable[[Run], float | None]
) -> Callable[[Run], float | None]:
    def measured(run: Run) -> float | None:
        above, below = upper(run), lower(run)
        return above / below if above is not None and below is not None and below > 0 else None

    return measured


def _memory(run: Run) -> float | None:
    return run.memory.total / MEGABYTE if run.memory else None


_OURS, _CLOSE = _cpu("ours"), _cpu("ours-close")

GOALS = (
    Goal("CPU a request, keep-alive", "us", 32, _OURS),
    Goal("CPU a request, a connection each", "us", 70, _CLOSE),
    Goal("above this run's floor, keep-alive", "us", 20, _above("ours", "floor")),
    Goal(
        "above this run's floor, a connection each", "us", 20, _above("ours-close", "floor-close")
    ),
    Goal("unknown repository", "us", 100, _cpu("unknown")),
    Goal("redirect of a path=", "us", 30, _cpu("redirect")),
    Goal("PSS, supervisor and two workers", "MB", 120, _memory),
    Goal(
        "above the floor, scale 2.5 against 1",
        "times",
        1.2,
        _ratio(_above("ours-2.5", "floor-2.5"), _above("ours", "floor")),
    ),
    Goal("request log on, keep-alive", "times", 1.1, _ratio(_cpu("log"), _OURS)),
    Goal("request log on, a connection each", "times", 1.1, _ratio(_cpu("log-close"), _CLOSE)),
)
"""The goals, on scale 1 of the data set; megabytes are millions of bytes."""


def verdicts(run: Run) -> list[Verdict]:
    """Return the goals whose figures a run has."""
    found = [(goal, goal.measured(run)) for goal in GOALS]
    return [
        Verdict(goal.name, goal.unit, goal.limit, measured)
        for goal, measured in found
        if measured is not None
    ]
