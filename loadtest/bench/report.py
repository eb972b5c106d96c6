"""A run of the bench as tables: costs, beside the other server, start, memory, goals."""

from statistics import median

from loadtest.bench.cases import INCUMBENT, OURS
from loadtest.bench.figures import Figures, Run
from loadtest.bench.goals import verdicts
from loadtest.common.records import record
from loadtest.common.tables import MEGABYTE, Sheet

_NOTE = (
    "CPU is user and system time of the server's whole process tree, divided by the requests;"
    " medians over interleaved rounds, least and most beside them. PSS counts a shared page by"
    " its share, with whatever else runs."
)


def sheets(run: Run) -> list[Sheet]:
    """Return all tables of a run that have a row."""
    found = [_costs(run), _beside(run), _starts(run), _memory(run), _goals(run)]
    return [one for one in found if one.rows]


def text(run: Run) -> str:
    """Return what is kept of a run for people."""
    details = run.versions | run.settings
    return record(run.machine, "what a request costs", details, sheets(run), _NOTE)


def _costs(run: Run) -> Sheet:
    head = ["case", "CPU us", "least-most", "requests/s", "p50 ms", "p99 ms", "mean bytes"]
    return Sheet(
        "CPU a request", [*head, "PSS MB, before-after"], [_cost(one) for one in run.figures]
    )


def _cost(one: Figures) -> list[str]:
    least, most = one.spread
    before, after = one.rounds[0].pss_before, one.rounds[-1].pss_after
    return [
        one.case,
        f"{one.cpu:.1f}",
        f"{least:.1f}-{most:.1f}",
        f"{one.a_second:,.0f}",
        f"{one.p50:.2f}",
        f"{one.p99:.2f}",
        f"{one.mean_bytes:,.0f}",
        f"{before / MEGABYTE:.1f}-{after / MEGABYTE:.1f}",
    ]


def _beside(run: Run) -> Sheet:
    """Each case of the incumbent beside ours of the same kind."""
    rows = []
    for theirs in run.figures:
        name, _, kind = theirs.case.partition("-")
        ours = run.find({"": OURS, "close": f"{OURS}-close"}.get(kind, kind))
        if name == INCUMBENT and ours:
            cells = [f"{ours.cpu:.1f}", f"{theirs.cpu:.1f}", f"{theirs.cpu / ours.cpu:.1f}"]
            rows.append([ours.case, *cells])
    return Sheet("CPU a request, us", ["case", "ours", "incumbent", "times"], rows)


def _starts(run: Run) -> Sheet:
    kinds = {
        "from exec to listening": [one.listening for one in run.starts],
        "the first answer": [one.first for one in run.starts],
        "the second answer": [one.second for one in run.starts],
        "from exec to the first answer": [one.cold for one in run.starts],
    }
    rows = [
        [name, f"{median(found):.1f}", f"{min(found):.1f}-{max(found):.1f}"]
        for name, found in kinds.items()
        if found
    ]
    return Sheet("Start", ["", "ms", "least-most"], rows)


def _memory(run: Run) -> Sheet:
    found = run.memory
    title = "PSS with two workers, MB"
    if found is None:
        return Sheet(title, [], [])
    pairs = [
        ("supervisor", found.supervisor_before, found.supervisor),
        *(
            (f"worker {number}", before, after)
            for number, (before, after) in enumerate(
                zip(found.workers_before, found.workers, strict=True), 1
            )
        ),
        ("all", found.supervisor_before + sum(found.workers_before), found.total),
    ]
    rows = [[name, f"{one / MEGABYTE:.1f}", f"{two / MEGABYTE:.1f}"] for name, one, two in pairs]
    return Sheet(title, ["", "at the start", f"after {found.requests:,} requests"], rows)


def _goals(run: Run) -> Sheet:
    rows = [
        [one.name, f"{one.limit:g} {one.unit}", f"{one.measured:.3g} {one.unit}", one.text]
        for one in verdicts(run)
    ]
    return Sheet("Goals, at scale 1", ["figure", "at most", "measured", ""], rows)
