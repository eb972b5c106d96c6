"""Measures how soon a change reaches clients: from COMMIT to the file, and to every worker.

    python -m loadtest.freshness --database postgresql://mm@db/scratch --output runs/freshness.json

The database must be one to throw away, filled by `loadtest.dataset`. Each change is what a crawler
commits: 5,000 directories that one host lost or has again. What an idle watch costs is measured
first. All figures are of `mirrorlist watch` and `mirrorlist serve` as processes of their own; each
worker is asked, over a connection that it has accepted, which snapshot it answers from, again and
again until it is another one.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import click
import msgspec
import psycopg
from msgspec import Struct

from loadtest.crawl import DIRECTORIES, crawl, crawled_hosts
from loadtest.figures import percentile
from loadtest.machine import Machine, figures_file, this_machine
from loadtest.processes import cpu_seconds, pss_bytes
from loadtest.progress import show_phases
from loadtest.servers import Servers
from loadtest.workers import Worker, all_serve, each_worker, worker_pids
from snapshot.export.database import parse_url
from snapshot.file.reader import Snapshot

_LATE_SECONDS = 60.0
_LOOK_SECONDS = 0.002
# What was published is at rest, and the looks of the watch fall anywhere between two changes.
_LEAST_PAUSE, _MOST_PAUSE = 3.0, 6.0
_TRANSACTIONS = "SELECT xact_commit FROM pg_stat_database WHERE datname = %s"
_BACKEND = "SELECT pid FROM pg_stat_activity WHERE application_name = 'mirrorlist watch'"

Connection = psycopg.Connection[tuple[object, ...]]


class Idle(Struct, frozen=True):
    """What a watch costs while nothing changes; the backend is PostgreSQL's process for it."""

    seconds: float
    cpu_seconds_an_hour: float
    backend_cpu_seconds_an_hour: float
    transactions_a_minute: float
    pss_bytes: int


class Change(Struct, frozen=True):
    """One change: the host, the rows touched, and seconds from the end of COMMIT.

    `seconds` are those to the new file, `served` those to the first moment when every worker
    answers from it.
    """

    host: int
    rows: int
    seconds: float
    served: float


class Run(Struct, frozen=True):
    """All figures of a run with where they were made."""

    machine: Machine
    idle: Idle
    changes: list[Change]
    said: list[str]


@click.command()
@click.option("--database", required=True, metavar="URL", help="Filled by loadtest.dataset.")
@click.option("--asn", type=click.Path(path_type=Path), help="As of `mirrorlist watch`.")
@click.option("--workers", default=2, show_default=True, help="Of the server.")
@click.option("--changes", default=100, show_default=True, help="Transactions.")
@click.option("--idle", default=60.0, show_default=True, help="Seconds of an idle watch.")
@click.option("--seed", default=1, show_default=True, help="Other hosts, other pauses.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    callback=figures_file,
    help="Write all figures there (JSON), over none but other figures.",
)
def main(
    database: str,
    asn: Path | None,
    workers: int,
    changes: int,
    idle: float,
    seed: int,
    output: Path | None,
) -> None:
    """Measure from COMMIT to the published file, and to every worker."""
    with tempfile.TemporaryDirectory() as name, show_phases() as phases:
        options = ["--asn", str(asn)] if asn else []
        snapshot, said = Path(name) / "mm.snap", Path(name) / "said"
        with phases.phase("idle"):
            cost = _idle(database, snapshot, said, options, idle)
        with (
            _watch(database, snapshot, said, options),
            _connect(database) as connection,
            Servers() as servers,
        ):
            server = servers.ours(snapshot, ["--workers", str(workers)])
            with each_worker(server, worker_pids(server, workers)) as each:
                found = _changes(connection, snapshot, each, Random(seed), changes)
                measured = list(phases.counted("changes", found, changes))
        run = Run(this_machine(), cost, measured, said.read_text().splitlines())
    if output:
        output.write_bytes(msgspec.json.format(msgspec.json.encode(run)) + b"\n")
    click.echo(summary(run))


def summary(run: Run) -> str:
    """Return the figures in a few lines."""
    idle = run.idle
    return (
        f"{_line('file', [change.seconds for change in run.changes])}\n"
        f"{_line('every worker', [change.served for change in run.changes])}\n"
        f"idle: {idle.cpu_seconds_an_hour:.1f} s CPU an hour,"
        f" {idle.backend_cpu_seconds_an_hour:.1f} s in PostgreSQL,"
        f" {idle.transactions_a_minute:.0f} transactions a minute, {idle.pss_bytes / 1e6:.0f} MB"
    )


def _line(what: str, seconds: list[float]) -> str:
    return (
        f"COMMIT to {what}, {len(seconds)} changes: p50 {statistics.median(seconds):.2f} s,"
        f" p99 {percentile(seconds, 99):.2f} s, least {min(seconds):.2f} s,"
        f" most {max(seconds):.2f} s"
    )


@contextmanager
def _watch(database: str, snapshot: Path, said: Path, options: list[str]) -> Iterator[int]:
    """Run a watch, from its first export on; gives its process."""
    snapshot.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "mirrorlist.cli", "watch", "--output", str(snapshot)),
        *("--every", "3600", "--admin", "127.0.0.1:0", *options),
    ]
    environment = {**os.environ, "MIRRORLIST_DATABASE": database}
    with said.open("wb") as file, subprocess.Popen(command, env=environment, stderr=file) as watch:
        try:
            _await(snapshot, None)
            yield watch.pid
        finally:
            watch.terminate()
    if watch.returncode:
        raise SystemExit(f"the watch ended with {watch.returncode}:\n{said.read_text()}")


def _await(snapshot: Path, before: int | None) -> float:
    """Wait for another file in the snapshot's place; returns when that was."""
    deadline = time.monotonic() + _LATE_SECONDS
    while time.monotonic() < deadline:
        if _inode(snapshot) not in (None, before):
            return time.monotonic()
        time.sleep(_LOOK_SECONDS)
    raise SystemExit(f"no new snapshot within {_LATE_SECONDS:.0f} s")


def _inode(snapshot: Path) -> int | None:
    try:
        return snapshot.stat().st_ino
    except FileNotFoundError:
        return None


def _changes(
    connection: Connection, snapshot: Path, workers: list[Worker], chance: Random, count: int
) -> Iterator[Change]:
    hosts = [int(str(host)) for (host,) in connection.execute(crawled_hosts(DIRECTORIES))]
    connection.commit()
    for _ in range(count):
        time.sleep(chance.uniform(_LEAST_PAUSE, _MOST_PAUSE))
        host, before, old = chance.choice(hosts), _inode(snapshot), Snapshot(snapshot).id
        rows = connection.execute(crawl(host, DIRECTORIES)).rowcount
        connection.commit()
        committed = time.monotonic()
        written = _await(snapshot, before)
        served = _await_workers(workers, old)
        yield Change(host, rows, round(written - committed, 3), round(served - committed, 3))
        if not all_serve(workers, Snapshot(snapshot).id):
            raise SystemExit("a worker answers from another snapshot than the published one")


def _await_workers(workers: list[Worker], old: str) -> float:
    """Wait until no worker answers from the old snapshot any more; returns when that was."""
    deadline = time.monotonic() + _LATE_SECONDS
    while time.monotonic() < deadline:
        if all(worker.snapshot() != old for worker in workers):
            return time.monotonic()
        time.sleep(_LOOK_SECONDS)
    raise SystemExit(f"not every worker has the new snapshot within {_LATE_SECONDS:.0f} s")


def _idle(database: str, snapshot: Path, said: Path, options: list[str], seconds: float) -> Idle:
    # From elsewhere, so that these questions are not counted.
    with _connect(database, "postgres") as connection:
        transactions = _transactions(connection, database)
        with _watch(database, snapshot, said, options) as watch:
            time.sleep(_LEAST_PAUSE)
            backend = int(str(connection.execute(_BACKEND).fetchall()[0][0]))
            before, begin = [cpu_seconds(watch), cpu_seconds(backend)], time.monotonic()
            time.sleep(seconds)
            spent = time.monotonic() - begin
            after, pss = [cpu_seconds(watch), cpu_seconds(backend)], pss_bytes(watch)
            own, its = ((b - a) / spent * 3600 for a, b in zip(before, after, strict=True))
        # Backends that ended have told what they did.
        time.sleep(_LEAST_PAUSE)
        connection.commit()
        transactions = _transactions(connection, database) - transactions
    minutes = (spent + _LEAST_PAUSE) / 60
    return Idle(round(spent, 1), round(own, 2), round(its, 2), transactions / minutes, pss)


def _transactions(connection: Connection, database: str) -> int:
    name = parse_url(database).database
    found = connection.execute(_TRANSACTIONS, (name,)).fetchall()
    connection.commit()
    return int(str(found[0][0]))


def _connect(database: str, name: str | None = None) -> Connection:
    url = parse_url(database)
    _, options = url.get_dialect()().create_connect_args(url.set(database=name or url.database))
    return psycopg.connect(**options)


if __name__ == "__main__":
    main()
