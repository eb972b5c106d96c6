"""A run of the bench as tables: costs, beside the other server, start, memory, goals."""

from statistics import median

from loadtest.bench.cases import FLOOR, OURS, SLOW, THEIRS
from loadtest.bench.figures import BenchRun, CaseFigures
from loadtest.bench.goals import verdicts
from loadtest.common.records import record
from loadtest.common.tables import MEGABYTE, Sheet, goals_sheet, sheet

_NOTE = (
    "CPU is user and system time of the server's whole process tree, divided by the requests;"
    " medians over interleaved rounds, least and most beside them; `floors` is the cost in that of"
    " the floor, `theirs, times` that of mirrorlist-server in this one, both of the same run. PSS"
    " counts a shared page by its share, with whatever else runs."
)


def sheets(run: BenchRun) -> list[Sheet]:
    """Return all tables of a run that have a row."""
    found = [_costs(run), _beside(run), _starts(run), _memory(run)]
    found.append(goals_sheet("Goals, at scale 1", verdicts(run)))
    return [one for one in found if one.rows]


def text(run: BenchRun) -> str:
    """Return what is kept of a run for people."""
    details = run.versions | run.settings
    return record(run.machine, "what a request costs", details, sheets(run), _NOTE)


def _costs(run: BenchRun) -> Sheet:
    return sheet("CPU a request", run.figures, {
        "case": lambda one: one.case,
        "CPU us": lambda one: f"{one.cpu:.1f}",
        "least-most": lambda one: "-".join(f"{cpu:.1f}" for cpu in one.spread),
        "floors": lambda one: _times(one, run.find(_floor_of(one.case))),
        "theirs, times": lambda one: _times(run.find(_theirs_of(one.case)), one),
        "requests/s": lambda one: f"{one.median(lambda load: load.a_second):,.0f}",
        "p50 ms": lambda one: f"{one.median(lambda load: load.p50):.2f}",
        "p99 ms": lambda one: f"{one.median(lambda load: load.p99):.2f}",
        "mean bytes": lambda one: f"{one.median(lambda load: load.mean_bytes):,.0f}",
        "PSS MB, before-after": lambda one: (
            f"{_mb(one.rounds[0].pss_before)}-{_mb(one.rounds[-1].pss_after)}"
        ),
    })  # fmt: skip


def _floor_of(case: str) -> str:
    """Return the name of the floor for kept connections or new ones, at a case's scale."""
    _, dash, last = case.rpartition("-")
    return FLOOR + (dash + last if last in ("close", "2.5") else "")


def _theirs_of(case: str) -> str:
    """Return the case of mirrorlist-server that is most like a case."""
    if case in SLOW:
        return f"{THEIRS}-{case}"
    return f"{THEIRS}-close" if case.endswith("-close") else THEIRS


def _times(one: CaseFigures | None, other: CaseFigures | None) -> str:
    """Return a case's cost in that of another one."""
    return f"{one.cpu / other.cpu:.2f}" if one and other else ""


def _mb(size: int) -> str:
    return f"{size / MEGABYTE:.1f}"


def _beside(run: BenchRun) -> Sheet:
    """Each case of mirrorlist-server beside ours of the same kind."""
    rows = []
    for theirs in run.figures:
        name, _, kind = theirs.case.partition("-")
        ours = run.find({"": OURS, "close": f"{OURS}-close"}.get(kind, kind))
        if name == THEIRS and ours:
            cells = [f"{ours.cpu:.1f}", f"{theirs.cpu:.1f}", f"{theirs.cpu / ours.cpu:.1f}"]
            rows.append([ours.case, *cells])
    return Sheet("CPU a request, us", ["case", "ours", "theirs", "times"], rows)


def _starts(run: BenchRun) -> Sheet:
    kinds = {
        "from exec to listening": [one.listening for one in run.starts],
        "the first answer": [one.first for one in run.starts],
        "the second answer": [one.second for one in run.starts],
        "from exec to the first answer": [one.cold for one in run.starts],
    }
    return sheet("Start", kinds.items() if run.starts else (), {
        "": lambda one: one[0],
        "ms": lambda one: f"{median(one[1]):.1f}",
        "least-most": lambda one: f"{min(one[1]):.1f}-{max(one[1]):.1f}",
    })  # fmt: skip


def _memory(run: BenchRun) -> Sheet:
    title = "PSS with two workers and the admin process, MB"
    if (found := run.memory) is None:
        return Sheet(title, [], [])
    states = [
        {**one, "all": sum(one.values())} for one in (found.start, found.loaded, found.looked)
    ]
    return sheet(title, list(states[0]), {
        "": lambda name: name,
        "at the start": lambda name: _mb(states[0][name]),
        f"after {found.requests:,} requests": lambda name: _mb(states[1][name]),
        "after a look at all admin pages": lambda name: _mb(states[2][name]),
    })  # fmt: skip
