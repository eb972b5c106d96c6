"""Lets users as dnf makes them at a server: `make loadtest`; a table at the end.

    python -m loadtest.crowd --users 200 --seconds 60 --workers 2

The data set is that of `loadtest.bench`. Ends with 1 if an answer was not what it should be.
"""

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from loadtest import options
from loadtest.common.processes import cpu_seconds, pss_bytes
from loadtest.common.progress import show_phases
from loadtest.common.servers import ROOT, Server, Servers
from loadtest.common.tables import MEGABYTE, sheet, show
from loadtest.crowd.users import LOG, SNAPSHOT
from loadtest.dataset.stage import Stage, prepare

_LOCUSTFILE = Path(__file__).with_name("locustfile.py")
_LAST_LINES = 5
# What locust counted of one kind of users: its columns, with text in them.
_Kind = dict[str, str]


@options.program
@options.number("--users", 100, "All of them are there after a quarter of the time.", 1)
@options.number("--seconds", 30, "How long.", 1)
@options.number("--workers", 1, "Of the server.", 1)
@options.scale()
@options.directory()
def main(users: int, seconds: int, workers: int, scale: float, directory: Path) -> None:
    """Let users of three kinds at a server: normal day, release day, unknown repositories."""
    with show_phases() as phases:
        stage = prepare(directory, scale, 1, phases)
        with Servers() as servers, phases.phase(f"{users} users for {seconds} s"):
            words = ["--geoip", str(stage.geoip), "--workers", str(workers)]
            server = servers.ours(stage.snapshot, words)
            used = cpu_seconds(server.pid)
            kinds = _crowd(server, stage, users, seconds)
            used = cpu_seconds(server.pid) - used
            memory = pss_bytes(server.pid)
            servers.check()
    _show(kinds)
    requests, failures = (
        sum(int(one[name]) for one in kinds) for name in ("Request Count", "Failure Count")
    )
    click.echo(
        f"the server: {used * 1e6 / max(1, requests):.0f} us of CPU a request,"
        f" {memory / MEGABYTE:.1f} MB (PSS)"
    )
    if failures or not requests:
        raise click.ClickException(f"{failures} of {requests} answers were not as they should be")


def _show(kinds: list[_Kind]) -> None:
    table = sheet("What users saw", kinds, {
        "users": lambda one: one["Name"],
        "requests": lambda one: f"{int(one['Request Count']):,}",
        "failures": lambda one: one["Failure Count"],
        "p50 ms": lambda one: one["50%"],
        "p95 ms": lambda one: one["95%"],
        "p99 ms": lambda one: one["99%"],
        "requests/s": lambda one: f"{float(one['Requests/s']):.0f}",
    })  # fmt: skip
    show([table])


def _crowd(server: Server, stage: Stage, users: int, seconds: int) -> list[_Kind]:
    """Run locust to its end; raises an error of one line if it does not count anything."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "locust", "-f", str(_LOCUSTFILE), "--headless"]
        command += ["--host", server.url, "-u", str(users), "-t", f"{seconds}s"]
        command += ["-r", f"{users * 4 / seconds:g}", "--only-summary"]
        command += ["--csv", f"{name}/figures", "--exit-code-on-error", "0"]
        files = {LOG: str(stage.log), SNAPSHOT: str(stage.snapshot)}
        run = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **files},
            capture_output=True,
            text=True,
            check=False,
        )
        found = Path(name, "figures_stats.csv")
        if run.returncode or not found.exists():
            last = run.stderr.strip().splitlines()[-_LAST_LINES:]
            raise click.ClickException(f"locust ended with {run.returncode}: {' / '.join(last)}")
        with found.open(newline="") as file:
            # The last row is the sum of all.
            return [one for one in csv.DictReader(file) if one["Name"] != "Aggregated"]


if __name__ == "__main__":
    main()
