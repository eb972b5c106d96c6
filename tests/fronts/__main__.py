"""Measures rolling restarts behind haproxy: `python -m tests.fronts` prints the table of
docs/operations.md#a-restart-that-costs-no-request.
"""

import tempfile
from pathlib import Path

import click

from loadtest import options
from loadtest.common.mix import known_only, make_mix, read_data
from loadtest.common.progress import show_phases
from loadtest.common.records import this_machine
from loadtest.common.tables import markdown, sheet
from loadtest.dataset.prepared import prepare
from tests.fronts.rolling import Found, cases, roll_under_load

_REQUESTS = 20_000
_COLUMNS = {
    "haproxy and servers": lambda one: one.case.name,
    "rolling restarts": lambda one: one.rolls,
    "requests": lambda one: f"{one.load.requests:,}",
    "failed": lambda one: one.failures,
    "p99, ms": lambda one: f"{one.load.p99:.0f}",
    "slowest, ms": lambda one: f"{one.load.slowest:.0f}",
}


@options.program
@options.number("--seconds", 40, "Of load for each case.", 10)
@options.number("--drain", 5, "Seconds of the servers' --drain.", 1)
@options.scale()
@options.directory()
def main(seconds: float, drain: float, scale: float, directory: Path) -> None:
    """Restart two servers in turn while clients ask, with haproxy's lines of contrib/."""
    with show_phases() as phases:
        files = prepare(directory, scale, 1, phases)
        data = known_only(read_data(files.log, files.snapshot))
        lines = make_mix(data, "day", 1, _REQUESTS)
        metalink = next(line.split()[0] for line in lines if line.startswith("/metalink"))
        found: list[Found] = []
        for case in cases(metalink, drain):
            with phases.phase(case.name), tempfile.TemporaryDirectory() as name:
                place = Path(name)
                found.append(roll_under_load(files.snapshot, place, case, lines, int(seconds)))
    machine = this_machine()
    where = f"{machine.date}, {machine.cores} cores {machine.cpu}"
    click.echo(markdown(sheet("Rolling restarts", found, _COLUMNS)))
    click.echo(f"{machine.command}, {machine.commit}, {where}")


if __name__ == "__main__":
    main()
