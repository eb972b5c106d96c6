"""Measures what a request costs, beside the floor of the machine and a running mirrorlist-server.

    python -m loadtest.bench --quick
    python -m loadtest.bench --scale 1 --scale 2.5 --incumbent http://127.0.0.1:3001 \\
        --incumbent-pid 1234 --record

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
from loadtest.bench.cases import MEMORY, START, Case, all_cases, chosen
from loadtest.bench.figures import Figures, Memory, Round, Run, Start
from loadtest.bench.measuring import Measuring, Plan
from loadtest.bench.report import sheets, text
from loadtest.common.progress import Phases, show_phases
from loadtest.common.records import keep, this_machine
from loadtest.common.servers import Server, Servers, running
from loadtest.common.tables import show
from loadtest.common.wrk import CONNECTIONS, wrk_version
from loadtest.dataset.stage import prepare

_QUICK_LINES, _QUICK_REQUESTS = 2_000, 2_000
_LIBRARIES = ("uvicorn", "uvloop", "httptools")


class Wanted(msgspec.Struct, frozen=True):
    """What a run is asked for, by its options."""

    only: tuple[str, ...]
    seconds: int
    warm: int
    rounds: int
    scale: tuple[float, ...]
    lines: int
    seed: int
    requests: int
    directory: Path
    incumbent: str | None
    incumbent_pid: int | None

    @property
    def plan(self) -> Plan:
        """How long and how much a case is measured."""
        return Plan(self.seconds, self.warm, self.seed, self.lines)

    def theirs(self) -> Server | None:
        """Return the running mirrorlist-server; raises an error of one line if it is none."""
        if self.incumbent is None or self.incumbent_pid is None:
            return None
        return running(self.incumbent, self.incumbent_pid)


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
@click.option("--incumbent", metavar="URL", help="A running server to measure beside ours.")
@click.option("--incumbent-pid", type=int, metavar="N", help="The top of its process tree.")
@options.record("server")
def main(quick: bool, path: Path | None, **wishes: Any) -> None:
    """Measure what a request costs the server: CPU, memory, time."""
    wanted = Wanted(**wishes)
    if (wanted.incumbent is None) != (wanted.incumbent_pid is None):
        raise click.UsageError("--incumbent and --incumbent-pid go together")
    if quick:
        wanted = msgspec.structs.replace(
            wanted,
            seconds=1,
            warm=0,
            rounds=1,
            requests=_QUICK_REQUESTS,
            lines=min(wanted.lines, _QUICK_LINES),
        )
    run = _run(wanted)
    show(sheets(run))
    if path:
        keep(run, path, text(run))


def _run(wanted: Wanted) -> Run:
    cases = all_cases(wanted.scale, wanted.incumbent is not None)
    names = chosen([MEMORY, START, *(case.name for case in cases)], wanted.only)
    wrk, theirs, machine = wrk_version(), wanted.theirs(), this_machine()
    with (
        tempfile.TemporaryDirectory() as folder,
        show_phases() as phases,
        Servers() as servers,
    ):
        measuring = _measuring(wanted, Path(folder), servers, theirs, phases)
        # First, while nothing else runs that would share its pages.
        memory = _memory(measuring, wanted.requests, phases) if MEMORY in names else None
        starts = _starts(measuring, wanted.rounds, phases) if START in names else []
        cases = [case for case in cases if case.name in names]
        figures = _figures(measuring, cases, wanted.rounds, phases)
    versions = {"wrk": wrk, **{name: version(name) for name in _LIBRARIES}}
    return Run(machine, versions, _settings(wanted), figures, starts, memory)


def _measuring(
    wanted: Wanted, folder: Path, servers: Servers, theirs: Server | None, phases: Phases
) -> Measuring:
    stages = {
        scale: prepare(wanted.directory, scale, wanted.seed, phases) for scale in wanted.scale
    }
    return Measuring(servers, stages, wanted.plan, folder, theirs)


def _memory(measuring: Measuring, requests: int, phases: Phases) -> Memory:
    with phases.phase(MEMORY, requests) as done:
        return measuring.memory(requests, done)


def _starts(measuring: Measuring, rounds: int, phases: Phases) -> list[Start]:
    with phases.phase(START):
        # The first one brings the files into memory.
        return [measuring.start() for _ in range(rounds + 1)][1:]


def _figures(
    measuring: Measuring, cases: Sequence[Case], rounds: int, phases: Phases
) -> list[Figures]:
    """Measure all cases round by round."""
    found: dict[str, list[Round]] = {case.name: [] for case in cases}
    for number in range(1, rounds + 1):
        with phases.phase(f"round {number} of {rounds}", len(cases)) as done:
            for place, case in enumerate(cases):
                done(place)
                found[case.name].append(measuring.measure(case))
    return [Figures(name, measured) for name, measured in found.items()]


def _settings(wanted: Wanted) -> dict[str, str]:
    scales = " and ".join(f"{scale:g}" for scale in wanted.scale)
    names = ("seconds", "warm", "rounds", "lines", "seed")
    asked = {name: str(getattr(wanted, name)) for name in names}
    return {"connections": str(CONNECTIONS), "workers": "1", **asked, "scales": scales}


if __name__ == "__main__":
    main()
