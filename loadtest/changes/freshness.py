"""Measures how soon a change reaches clients: from COMMIT to the file, and to every worker.

    python -m loadtest.changes.freshness --database postgresql://mm@db/scratch --record

The database must be one to throw away, filled by `loadtest.dataset`. Each change is what a crawler
commits: 5,000 directories that one host lost or has again. What an idle watch costs is measured
first. All figures are of `mirrorlist watch` and `mirrorlist serve` as processes of their own; each
worker is asked, over a connection that it has accepted, which snapshot it answers from, again and
again until it is another one.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from statistics import median

import click
import psycopg
from msgspec import Struct

from loadtest import options
from loadtest.common.processes import cpu_seconds, pss_bytes, until
from loadtest.common.progress import show_phases
from loadtest.common.records import Machine, keep, record, this_machine
from loadtest.common.servers import Servers
from loadtest.common.tables import MEGABYTE, Sheet, percentile, show
from loadtest.common.workers import Worker, all_serve, each_worker, worker_pids
from loadtest.dataset.crawl import DIRECTORIES, crawl, crawled_hosts
from snapshot.export.database import parse_url
from snapshot.export.url import libpq_parameters
from snapshot.file.reader import Snapshot

_LATE_SECONDS = 60.0
_LOOK_SECONDS = 0.002
# Long enough that the last publication is over. The pause is random, so that changes fall at any
# moment between two looks of the watch.
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


class FreshnessRun(Struct, frozen=True):
    """All figures of a run with where they were made."""

    machine: Machine
    idle: Idle
    changes: list[Change]
    said: list[str]


@options.program
@options.database()
@click.option("--asn", type=options.FILE, help="As of `mirrorlist watch`.")
@options.number("--workers", 2, "Of the server.", 1)
@options.number("--changes", 100, "Transactions.", 1)
@options.number("--idle", 60.0, "Seconds of an idle watch.")
@options.seed("Another seed, other hosts and pauses.")
@options.record("freshness")
def main(
    database: str,
    asn: Path | None,
    workers: int,
    changes: int,
    idle: float,
    seed: int,
    path: Path | None,
) -> None:
    """Measure from COMMIT to the published file, and to every worker."""
    with tempfile.TemporaryDirectory() as name, show_phases() as phases:
        words = ["--asn", str(asn)] if asn else []
        snapshot, said = Path(name) / "mm.snap", Path(name) / "said"
        with phases.phase("idle"):
            cost = _idle(database, snapshot, said, words, idle)
        with (
            _watch(database, snapshot, said, words),
            _connect(database) as connection,
            Servers() as servers,
        ):
            server = servers.ours(snapshot, ["--workers", str(workers)])
            with each_worker(server, worker_pids(server, workers)) as each:
                found = _changes(connection, snapshot, each, Random(seed), changes)
                measured = list(phases.counted("changes", found, changes))
        run = FreshnessRun(this_machine(), cost, measured, said.read_text().splitlines())
    show(sheets(run))
    if path:
        details = {"workers": str(workers), "seed": str(seed)}
        title = "how soon a change reaches clients"
        keep(run, path, record(run.machine, title, details, sheets(run)))


def sheets(run: FreshnessRun) -> list[Sheet]:
    """Return the figures as tables."""
    idle = run.idle
    head = ["from COMMIT to", "changes", "p50 s", "p99 s", "least s", "most s"]
    rows = [
        _row("the file", [change.seconds for change in run.changes]),
        _row("every worker", [change.served for change in run.changes]),
    ]
    costs = [
        ["CPU, seconds an hour", f"{idle.cpu_seconds_an_hour:.1f}"],
        ["CPU in PostgreSQL, seconds an hour", f"{idle.backend_cpu_seconds_an_hour:.1f}"],
        ["transactions a minute", f"{idle.transactions_a_minute:.0f}"],
        ["memory (PSS), MB", f"{idle.pss_bytes / MEGABYTE:.0f}"],
    ]
    return [Sheet("Freshness", head, rows), Sheet("An idle watch", ["", "cost"], costs)]


def _row(what: str, seconds: list[float]) -> list[str]:
    found = (median(seconds), percentile(seconds, 99), min(seconds), max(seconds))
    return [what, str(len(seconds)), *(f"{value:.2f}" for value in found)]


@contextmanager
def _watch(database: str, snapshot: Path, said: Path, words: list[str]) -> Iterator[int]:
    """Run a watch, from its first export on; gives its process."""
    snapshot.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "mirrorlist.cli", "watch", "--output", str(snapshot)),
        *("--every", "3600", "--admin", "127.0.0.1:0", *words),
    ]
    environment = {**os.environ, "MIRRORLIST_DATABASE": database}
    with said.open("wb") as file, subprocess.Popen(command, env=environment, stderr=file) as watch:
        try:
            _await("a first file", snapshot.exists)
            yield watch.pid
        finally:
            watch.terminate()
    if watch.returncode:
        raise SystemExit(f"the watch ended with {watch.returncode}:\n{said.read_text()}")


def _await(what: str, holds: Callable[[], bool]) -> float:
    return until(what, holds, _LATE_SECONDS, _LOOK_SECONDS)


def _is_another(snapshot: Path, before: int | None) -> bool:
    """Say whether there is another file in the snapshot's place."""
    return _inode(snapshot) not in (None, before)


def _all_left(workers: list[Worker], old: str) -> bool:
    return all(worker.snapshot() != old for worker in workers)


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
        written = _await("a new file", partial(_is_another, snapshot, before))
        served = _await("a new snapshot in every worker", partial(_all_left, workers, old))
        yield Change(host, rows, round(written - committed, 3), round(served - committed, 3))
        if not all_serve(workers, Snapshot(snapshot).id):
            raise SystemExit("a worker answers from another snapshot than the published one")


def _idle(database: str, snapshot: Path, said: Path, words: list[str], seconds: float) -> Idle:
    # From elsewhere, so that these questions are not counted.
    with _connect(database, "postgres") as connection:
        transactions = _transactions(connection, database)
        with _watch(database, snapshot, said, words) as watch:
            time.sleep(_LEAST_PAUSE)
            backend = int(str(connection.execute(_BACKEND).fetchall()[0][0]))
            before, begin = [cpu_seconds(watch), cpu_seconds(backend)], time.monotonic()
            time.sleep(seconds)
            spent = time.monotonic() - begin
            after, pss = [cpu_seconds(watch), cpu_seconds(backend)], pss_bytes(watch)
            own, its = ((b - a) / spent * 3600 for a, b in zip(before, after, strict=True))
        # A backend reports its transactions at the latest when it ends.
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
    return psycopg.connect(**libpq_parameters(url._replace(database=name or url.database)))


if __name__ == "__main__":
    main()
