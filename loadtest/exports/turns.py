"""Measures by turns what a whole export and one of a changed host cost, beside the database's part.

    python -m loadtest.exports.turns --database postgresql://mm@db/scratch --asn asn.txt --record

The database must be one to throw away, filled by `loadtest.dataset`. In each round three things are
done one after the other, so that a busy machine slows down all of them: the aggregate, which is the
statement that MirrorManager's exporter and ours sent for host_category_dir until December 2026; a
process that exports everything; and the export of a watch after 5,000 directories of one host
changed. The aggregate's rows are not even made into Python's objects.
"""

import gc
import tempfile
import time
from pathlib import Path
from random import Random
from statistics import median

import click
import psycopg
from msgspec import Struct

from loadtest import options
from loadtest.common.cost import cost
from loadtest.common.progress import show_phases
from loadtest.common.records import Machine, keep, record, this_machine
from loadtest.common.tables import Sheet, show
from loadtest.dataset.crawl import DIRECTORIES, crawl, crawled_hosts
from snapshot.export.asn_file import AsnFile
from snapshot.export.database import parse_url
from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.export.kept import KeptDirectories
from snapshot.export.opened import Opened
from snapshot.export.postgresql import connect
from snapshot.file.reader import Snapshot

_AGGREGATE = """
SELECT directory_id, string_agg(host_category_id::text, ','), count(*), min(id)
FROM host_category_dir WHERE up2date GROUP BY directory_id
"""

Connection = psycopg.Connection[tuple[object, ...]]


class Turn(Struct, frozen=True):
    """Seconds of one round.

    `read` is the part of `changed` that reads the database, and applies most rules meanwhile.
    """

    aggregate: float
    whole: float
    changed: float
    read: float


class TurnsRun(Struct, frozen=True):
    """All rounds of a run with where they were made."""

    machine: Machine
    turns: list[Turn]


@options.program
@options.database()
@click.option("--asn", type=options.FILE, required=True, help="As of `mirrorlist export`.")
@options.number("--rounds", 9, "Of all three.", 1)
@options.seed("Another seed, other hosts.")
@options.record("export-turns")
def main(database: str, asn: Path, rounds: int, seed: int, path: Path | None) -> None:
    """Measure a whole export and one of a changed host beside the database's part."""
    with tempfile.TemporaryDirectory() as name, show_phases() as phases:
        scene = _Scene(database, asn, Path(name), Random(seed))
        turns = [scene.turn() for _ in phases.counted("rounds", range(rounds), rounds)]
    run = TurnsRun(this_machine(), turns)
    show([table(turns)])
    if path:
        keep(
            run,
            path,
            record(run.machine, "exports by turns", {"rounds": str(rounds)}, [table(turns)]),
        )


def table(turns: list[Turn]) -> Sheet:
    """Return the medians, and each as a ratio to the aggregate of its own round."""
    rows = []
    for name, words in (
        ("aggregate", "the aggregate in PostgreSQL"),
        ("whole", "a whole export, process start to exit"),
        ("changed", "a watch's export of one changed host"),
        ("read", "the same, until the database is read"),
    ):
        seconds = [getattr(turn, name) for turn in turns]
        ratios = [getattr(turn, name) / turn.aggregate for turn in turns]
        rows.append([words, f"{median(seconds):.2f}", f"{median(ratios):.2f}"])
    return Sheet("Exports by turns", ["", "seconds", "aggregates"], rows)


class _Scene:
    def __init__(self, database: str, asn: Path, folder: Path, chance: Random) -> None:
        self._database, self._folder, self._chance = database, folder, chance
        self._job = Job(folder / "watch.snap", asn=AsnFile(asn))
        self._whole = [
            *("export", "--database", database, "--output", str(folder / "whole.snap")),
            *("--asn", str(asn)),
        ]
        self._kept, self._opened = KeptDirectories(), Opened()
        self._connection = _connect(database)
        self._hosts = [host for (host,) in self._connection.execute(crawled_hosts(DIRECTORIES))]
        gc.disable()
        export(database, self._job, kept=self._kept, opened=self._opened)

    def turn(self) -> Turn:
        """Do all three once; ends the program if the snapshots differ."""
        self._connection.execute(crawl(int(str(self._chance.choice(self._hosts))), DIRECTORIES))
        begin = time.perf_counter()
        self._connection.execute(_AGGREGATE)
        aggregate = time.perf_counter() - begin
        whole, _, _ = cost(self._whole)
        begin = time.perf_counter()
        result = export(self._database, self._job, kept=self._kept, opened=self._opened)
        changed = time.perf_counter() - begin
        gc.collect()
        if Snapshot(self._folder / "whole.snap").id != result.id:
            raise SystemExit("the whole export and the watch's give different snapshots")
        reads = [phase.seconds for phase in result.phases if phase.name == "reading the database"]
        return Turn(round(aggregate, 3), whole, round(changed, 3), round(reads[0], 3))


def _connect(database: str) -> Connection:
    connection = connect(parse_url(database), "mirrorlist loadtest", autocommit=True)
    # As much memory as an export asks for, so that both group in memory.
    connection.execute("SET work_mem = '128MB'")
    return connection


if __name__ == "__main__":
    main()
