"""Measures what a request costs, beside the floor of the machine and a running mirrorlist-server.

    python -m loadtest.bench --quick
    python -m loadtest.bench --scale 1 --scale 2.5 --theirs http://127.0.0.1:3001 \\
        --theirs-pid 1234 --record

Needs wrk. The data set is made when first asked for, and kept in a folder. The cases take turns
round after round, because a machine is not equally fast all the time.
"""

import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import msgspec

from loadtest import options
from loadtest.bench.cases import MEMORY, START, BenchCase, all_cases, chosen
from loadtest.bench.figures import BenchRun, CaseFigures, Memory, Round, Start
from loadtest.bench.measuring import BenchPlan, Measuring
from loadtest.bench.report import sheets, text
from loadtest.common.progress import Phases, show_phases
from loadtest.common.records import keep, this_machine
from loadtest.common.servers import Server, Servers, running
from loadtest.common.tables import show
from loadtest.common.wrk import CONNECTIONS, wrk_version
from loadtest.dataset.prepared import prepare

_QUICK_LINES, _QUICK_REQUESTS = 2_000, 2_000
_LIBRARIES = ("uvicorn", "uvloop", "httptools")


@options.program
@click.option("--only", multiple=True, metavar="NAME", help="Cases, such as ours or 'floor*'.")
@options.number("--seconds", 5, "How long a round of a case is.", 1)
@options.number("--warm", 10, "How long each of our servers warms up, in seconds.")
@options.number("--rounds", 3, "Rounds; figures are their medians.", 1)
@click.option("--quick", is_flag=True, help="One cold round of a second, to see that it works.")
@options.scales(1.0)
@options.number("--lines", 200_000, "Requests of a mix, repeated.", 100)
@options.seed()
@options.number("--requests", 1_000_000, "Memory is looked at after this many.", 1)
@options.directory()
@click.option("--theirs", "url", metavar="URL", help="A running mirrorlist-server to compare with.")
@click.option("--theirs-pid", "pid", type=int, metavar="N", help="The top of its process tree.")
@options.record("server")
def main(quick: bool, url: str | None, pid: int | None, path: Path | None, **wishes: Any) -> None:
    """Measure what a request costs the server: CPU, memory, time."""
    if (url is None) != (pid is None):
        raise click.UsageError("--theirs and --theirs-pid go together")
    plan = BenchPlan(**wishes)
    if quick:
        lines = min(plan.lines, _QUICK_LINES)
        short = {"seconds": 1, "warm": 0, "rounds": 1, "requests": _QUICK_REQUESTS}
        plan = msgspec.structs.replace(plan, lines=lines, **short)
    cases = all_cases(plan.scale, url is not None)
    names = chosen([MEMORY, START, *(case.name for case in cases)], plan.only)
    theirs = running(url, pid) if url and pid else None
    run = _run(plan, [case for case in cases if case.name in names], names, theirs)
    show(sheets(run))
    if path:
        keep(run, path, text(run))


def _run(
    plan: BenchPlan, cases: list[BenchCase], names: list[str], theirs: Server | None
) -> BenchRun:
    versions = {"wrk": wrk_version(), **{name: version(name) for name in _LIBRARIES}}
    machine = this_machine()
    with (
        tempfile.TemporaryDirectory() as folder,
        show_phases() as phases,
        Servers() as servers,
    ):
        files = {size: prepare(plan.directory, size, plan.seed, phases) for size in plan.scale}
        measuring = Measuring(servers, files, plan, Path(folder), theirs)
        # First, while nothing else runs that would share its pages.
        memory = _memory(measuring, plan.requests, phases) if MEMORY in names else None
        starts = _starts(measuring, plan.rounds, phases) if START in names else []
        figures = _figures(measuring, cases, plan.rounds, phases)
    return BenchRun(machine, versions, _settings(plan), figures, starts, memory)


def _memory(measuring: Measuring, requests: int, phases: Phases) -> Memory:
    with phases.phase(MEMORY, requests) as done:
        return measuring.memory(requests, done)


def _starts(measuring: Measuring, rounds: int, phases: Phases) -> list[Start]:
    with phases.phase(START):
        # The first one brings the files into memory.
        return [measuring.start() for _ in range(rounds + 1)][1:]


def _figures(
    measuring: Measuring, cases: Sequence[BenchCase], rounds: int, phases: Phases
) -> list[CaseFigures]:
    """Measure all cases round by round."""
    found: dict[str, list[Round]] = {case.name: [] for case in cases}
    for number in range(1, rounds + 1):
        with phases.phase(f"round {number} of {rounds}", len(cases)) as done:
            for index, case in enumerate(cases):
                done(index)
                found[case.name].append(measuring.measure(case))
    return [CaseFigures(name, measured) for name, measured in found.items()]


def _settings(plan: BenchPlan) -> dict[str, str]:
    scales = " and ".join(f"{scale:g}" for scale in plan.scale)
    names = ("seconds", "warm", "rounds", "lines", "seed")
    asked = {name: str(getattr(plan, name)) for name in names}
    return {"connections": str(CONNECTIONS), "workers": "1", **asked, "scales": scales}


if __name__ == "__main__":
    main()
