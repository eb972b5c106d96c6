"""Lets users that behave like dnf ask a server (`make loadtest`), and prints a table.

    python -m loadtest.crowd --users 200 --seconds 60 --workers 2

The data set is that of `loadtest.bench`. Ends with 1 if an answer was not what it should be.
"""

import os
import subprocess
import sys
import tempfile
from itertools import accumulate
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from loadtest import options
from loadtest.common.processes import cpu_seconds, pss_bytes
from loadtest.common.progress import show_phases
from loadtest.common.servers import ROOT, Server, Servers
from loadtest.common.tables import MEGABYTE, Sheet, sheet, show
from loadtest.crowd.users import LOG, SNAPSHOT
from loadtest.dataset.prepared import ScaleFiles, prepare

_LOCUSTFILE = Path(__file__).with_name("locustfile.py")
_LAST_LINES = 5


class Entry(Struct, frozen=True):
    """What locust counted for one kind of users: how often each time in ms, and for how long."""

    name: str
    num_requests: int
    num_failures: int
    response_times: dict[int, int]
    start_time: float
    last_request_timestamp: float | None

    def percentile(self, percent: float) -> int:
        """Return within how many milliseconds this many percent of the answers came."""
        times = sorted(self.response_times.items())
        for (time, _), count in zip(times, accumulate(count for _, count in times), strict=True):
            if count * 100 >= percent * self.num_requests:
                return time
        return 0

    @property
    def a_second(self) -> float:
        """Requests a second."""
        seconds = (self.last_request_timestamp or self.start_time) - self.start_time
        return self.num_requests / seconds if seconds > 0 else 0.0


@options.program
@options.number("--users", 100, "All of them are there after a quarter of the time.", 1)
@options.number("--seconds", 30, "How long.", 1)
@options.number("--workers", 1, "Of the server.", 1)
@options.scale()
@options.directory()
def main(users: int, seconds: int, workers: int, scale: float, directory: Path) -> None:
    """Let three kinds of users ask a server: normal day, release day, unknown repositories."""
    with show_phases() as phases:
        files = prepare(directory, scale, 1, phases)
        with Servers() as servers, phases.phase(f"{users} users for {seconds} s"):
            words = ["--geoip", str(files.geoip), "--workers", str(workers)]
            server = servers.ours(files.snapshot, words)
            used = cpu_seconds(server.pid)
            entries = _crowd(server, files, users, seconds)
            used = cpu_seconds(server.pid) - used
            memory = pss_bytes(server.pid)
            servers.check()
    show([users_sheet(entries)])
    requests = sum(one.num_requests for one in entries)
    click.echo(
        f"the server: {used * 1e6 / max(1, requests):.0f} us of CPU a request,"
        f" {memory / MEGABYTE:.1f} MB (PSS)"
    )
    failures = sum(one.num_failures for one in entries)
    if failures or not requests:
        raise click.ClickException(f"{failures} of {requests} answers were not as they should be")


def users_sheet(entries: list[Entry]) -> Sheet:
    """Return the table of the kinds of users."""
    return sheet("What users saw", sorted(entries, key=lambda one: one.name), {
        "users": lambda one: one.name,
        "requests": lambda one: f"{one.num_requests:,}",
        "failures": lambda one: one.num_failures,
        "p50 ms": lambda one: one.percentile(50),
        "p95 ms": lambda one: one.percentile(95),
        "p99 ms": lambda one: one.percentile(99),
        "requests/s": lambda one: f"{one.a_second:.0f}",
    })  # fmt: skip


def _crowd(server: Server, files: ScaleFiles, users: int, seconds: int) -> list[Entry]:
    """Run locust to its end; raises an error of one line if it does not count anything."""
    with tempfile.TemporaryDirectory() as name:
        output = Path(name, "figures")
        command = [sys.executable, "-m", "locust", "-f", str(_LOCUSTFILE), "--headless"]
        command += ["--host", server.url, "-u", str(users), "-t", f"{seconds}s"]
        command += ["-r", f"{users * 4 / seconds:g}"]
        # Written at the very end; what --csv writes may lack the last seconds.
        command += ["--json-file", str(output), "--only-summary", "--exit-code-on-error", "0"]
        variables = {LOG: str(files.log), SNAPSHOT: str(files.snapshot)}
        run = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        found = output.with_suffix(".json")
        if run.returncode or not found.exists():
            last = run.stderr.strip().splitlines()[-_LAST_LINES:]
            raise click.ClickException(f"locust ended with {run.returncode}: {' / '.join(last)}")
        return msgspec.json.decode(found.read_bytes(), type=list[Entry], strict=False)


if __name__ == "__main__":
    main()
