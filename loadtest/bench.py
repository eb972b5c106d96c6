"""Measures what a request costs, beside the floor of the machine and a running incumbent.

    python -m loadtest.bench --quick
    python -m loadtest.bench --scale 1 --scale 2.5 --incumbent http://127.0.0.1:3001 \\
        --incumbent-pid 1234 --record

Needs wrk. The data set is made when first asked for, and kept in a folder. The cases take turns
round after round, as a machine is not equally fast all the time.
"""

import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import click
import msgspec

from loadtest.cases import MEMORY, START, Case, all_cases, chosen
from loadtest.figures import Figures, Memory, Round, Run, Start
from loadtest.machine import this_machine
from loadtest.measuring import Measuring, Plan
from loadtest.mix import read_data
from loadtest.progress import Phases, show_phases
from loadtest.report import record, sheets, show
from loadtest.servers import Server, Servers, running
from loadtest.sizes import BIGGEST, SMALLEST
from loadtest.stage import CACHE, prepare
from loadtest.wrk import CONNECTIONS, wrk_version
from snapshot.file.errors import BackendError

_RUNS = Path(__file__).parent / "runs"
_QUICK_LINES, _QUICK_REQUESTS = 2_000, 2_000
_LIBRARIES = ("uvicorn", "uvloop", "httptools")


class Wanted(msgspec.Struct, frozen=True):
    """What a run is asked for."""

    only: tuple[str, ...]
    scales: tuple[float, ...]
    plan: Plan
    rounds: int
    requests: int
    incumbent: tuple[str, int] | None


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Cases, such as ours or 'floor*'.")
@click.option(
    "--seconds",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="How long a round of a case is.",
)
@click.option(
    "--warm",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="How long each of our servers warms up.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Rounds; figures are their medians.",
)
@click.option("--quick", is_flag=True, help="One cold round of a second, to see that it works.")
@click.option(
    "--scale",
    type=click.FloatRange(SMALLEST, BIGGEST),
    multiple=True,
    default=(1.0,),
    show_default=True,
    help="Size of the data set; a second one is measured beside it.",
)
@click.option(
    "--lines",
    type=click.IntRange(100),
    default=200_000,
    show_default=True,
    help="Requests of a mix, repeated.",
)
@click.option("--seed", default=1, show_default=True, help="Another seed, other requests.")
@click.option(
    "--requests",
    type=click.IntRange(1),
    default=1_000_000,
    show_default=True,
    help="After so many memory is looked at.",
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=CACHE,
    show_default=True,
    help="Where the data set is kept.",
)
@click.option("--incumbent", metavar="URL", help="A running server to measure beside ours.")
@click.option("--incumbent-pid", type=int, metavar="N", help="The top of its process tree.")
@click.option(
    "--record",
    "folder",
    is_flag=False,
    flag_value=str(_RUNS),
    metavar="[FOLDER]",
    type=click.Path(path_type=Path),
    help="Write DATE-server.json and .md to loadtest/runs, or to another folder.",
)
def main(
    only: tuple[str, ...],
    seconds: int,
    warm: int,
    rounds: int,
    quick: bool,
    scale: tuple[float, ...],
    lines: int,
    seed: int,
    requests: int,
    directory: Path,
    incumbent: str | None,
    incumbent_pid: int | None,
    folder: Path | None,
) -> None:
    """Measure what a request costs the server: CPU, memory, time."""
    if (incumbent is None) != (incumbent_pid is None):
        raise click.UsageError("--incumbent and --incumbent-pid go together")
    if quick:
        seconds, warm, rounds = 1, 0, 1
        lines, requests = min(lines, _QUICK_LINES), _QUICK_REQUESTS
    there = (incumbent, incumbent_pid) if incumbent and incumbent_pid else None
    wanted = Wanted(only, scale, Plan(seconds, warm, seed, lines), rounds, requests, there)
    try:
        run = _run(wanted, directory)
    except BackendError as error:
        sys.stderr.write(f"bench: error: {error}\n")
        raise SystemExit(error.exit_code) from error
    show(sheets(run))
    if folder:
        _write(run, folder)


def _run(wanted: Wanted, directory: Path) -> Run:
    cases = all_cases(wanted.scales, wanted.incumbent is not None)
    names = chosen([MEMORY, START, *(case.name for case in cases)], wanted.only)
    wrk = wrk_version()
    theirs = running(*wanted.incumbent) if wanted.incumbent else None
    machine = this_machine()
    with (
        tempfile.TemporaryDirectory() as folder,
        show_phases() as phases,
        Servers() as servers,
    ):
        measuring = _measuring(wanted, directory, Path(folder), servers, theirs, phases)
        # First, while nothing else runs that would share its pages.
        memory = _memory(measuring, wanted.requests, phases) if MEMORY in names else None
        starts = _starts(measuring, wanted.rounds, phases) if START in names else []
        cases = [case for case in cases if case.name in names]
        figures = _figures(measuring, cases, wanted.rounds, phases)
    versions = {"wrk": wrk, **{name: version(name) for name in _LIBRARIES}}
    return Run(machine, versions, _settings(wanted), figures, starts, memory)


def _measuring(
    wanted: Wanted,
    directory: Path,
    folder: Path,
    servers: Servers,
    theirs: Server | None,
    phases: Phases,
) -> Measuring:
    seed = wanted.plan.seed
    stages = {scale: prepare(directory, scale, seed, phases) for scale in wanted.scales}
    datas = {scale: read_data(stage.log, stage.snapshot) for scale, stage in stages.items()}
    return Measuring(servers, stages, datas, wanted.plan, folder, theirs)


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
    plan = wanted.plan
    return {
        "connections": str(CONNECTIONS),
        "workers": "1",
        "seconds a round": str(plan.seconds),
        "warm-up seconds": str(plan.warm),
        "rounds": str(wanted.rounds),
        "scales": " and ".join(f"{scale:g}" for scale in wanted.scales),
        "requests of a mix": f"{plan.lines:,}",
        "seed": str(plan.seed),
    }


def _write(run: Run, folder: Path) -> None:
    path = folder / f"{run.machine.date[:10]}-server.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(run)) + b"\n")
        path.with_suffix(".md").write_text(record(run), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be written: {error.strerror}") from None
    click.echo(f"written: {path}, {path.with_suffix('.md')}")


if __name__ == "__main__":
    main()
