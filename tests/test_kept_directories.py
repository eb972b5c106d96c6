"""An export that reads only what changed: the same snapshot as a full one, after any change."""

import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from snapshot.export.database import parse_url, read_only
from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.export.kept import DIFFERED, FULL_SECONDS, WITHOUT_HASH, KeptDirectories
from snapshot.export.opened import Opened
from snapshot.export.pipeline import ExportResult
from snapshot.file.errors import DatabaseError
from snapshot.file.reader import Snapshot
from tests.command import COMMAND
from tests.examples import fewer
from tests.factories import make_database, world
from tests.postgresql import Server, run_server
from tests.random_rows import CHANGES, Changes
from tests.statements import calling, statements
from tests.watched import Watched

Execute = Callable[..., None]
SEEDS = range(20261127, 20261131)
STEPS = 60
# Of two host categories: the directories 1 and 2 of host 1, twice each.
TWICE = [
    "DELETE FROM host_category_dir WHERE host_category_id = 11",
    *(
        "INSERT INTO host_category_dir (host_category_id, path, up2date, directory_id)"
        f" VALUES (11, '{path}', true, {directory})"
        for path, directory in (("a", 1), ("/a", 1), ("b", 2), ("/b", 2))
    ),
]


class Time:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


class Pair:
    """A database, and exports of it: with kept directories, and without."""

    def __init__(self, folder: Path, url: str, execute: Execute) -> None:
        """Make the first export."""
        self.url, self.execute, self.clock = url, execute, Time()
        self.kept, self.opened = KeptDirectories(self.clock), Opened()
        self._incremental = Job(folder / "incremental.snap", max_loss=None)
        self._full = Job(folder / "full.snap", max_loss=None)
        self.result = self.same()

    def same(self, why: object = None) -> ExportResult:
        """Export in both ways, and compare all that is known of the two snapshots."""
        result = self.export()
        export(self.url, self._full)
        made, full = Snapshot(self._incremental.output), Snapshot(self._full.output)
        assert made.id == full.id, why
        assert made.report == full.report, why
        assert not result.differed, why
        return result

    def export(self, stop: Callable[[str], None] = lambda phase: None) -> ExportResult:
        """Export with kept directories; `stop` is called at each phase of the read."""
        return export(
            self.url,
            self._incremental,
            progress=lambda phase, done, total: stop(phase),
            kept=self.kept,
            opened=self.opened,
        )

    def read(self) -> tuple[list[str], object]:
        """Read the directories alone; returns the statements on them, and the directories."""
        with statements() as sent, read_only(parse_url(self.url)) as connection:
            found = self.kept.read(connection)
        return [one for one in sent if "host_category_dir" in one], found


def _run(seed: int, pair: Pair, steps: int) -> None:
    changes = Changes(seed)
    done = []
    for _ in range(steps):
        name, sql = changes.next()
        done.append(name)
        pair.execute(*sql)
        pair.same((seed, done))


@pytest.mark.parametrize("seed", SEEDS)
def test_random_changes_of_sqlite(tmp_path: Path, seed: int) -> None:
    """SQLite is read as a whole; after each change the snapshot is that of a full export."""
    path = tmp_path / "mm.sqlite"

    def execute(*sql: str) -> None:
        with closing(sqlite3.connect(path)) as connection:
            for statement in sql:
                connection.execute(statement)
            connection.commit()

    _run(seed, Pair(tmp_path, make_database(path, world()), execute), fewer(12))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server with a filled database, which each test copies."""
    with run_server() as server:
        server.create_filled("filled", world())
        yield server


@pytest.fixture
def pair(tmp_path: Path, server: Server) -> Iterator[Pair]:
    """The small world in PostgreSQL, exported once in both ways."""
    server.execute("CREATE DATABASE mm TEMPLATE filled")
    try:
        yield Pair(
            tmp_path,
            server.url("mm"),
            # For psycopg, a single percent sign begins a parameter.
            lambda *sql: server.execute(*(one.replace("%", "%%") for one in sql), database="mm"),
        )
    finally:
        server.execute("DROP DATABASE mm WITH (FORCE)")


@pytest.mark.system
@pytest.mark.parametrize("seed", SEEDS)
def test_random_changes(pair: Pair, seed: int) -> None:
    """After each change of a random sequence the snapshot is that of a full export."""
    _run(seed, pair, STEPS)


@pytest.mark.system
@pytest.mark.parametrize("name", [*CHANGES])
def test_each_change(pair: Pair, name: str) -> None:
    """Each kind of change alone, three times."""
    changes = Changes(len(name))
    for _ in range(3):
        pair.execute(*changes.next(name)[1])
        pair.same(name)


@pytest.mark.system
def test_a_fresh_process(tmp_path: Path, pair: Pair) -> None:
    """After many changes between two exports, another process finds the same snapshot."""
    changes = Changes(SEEDS[0])
    for _ in range(40):
        pair.execute(*changes.next()[1])
    made = pair.export()
    output = tmp_path / "other.snap"
    command = [*COMMAND, "export", "--database", pair.url, "--output", str(output)]
    subprocess.run([*command, "--force"], check=True, capture_output=True)
    assert Snapshot(output).id == made.id


@pytest.mark.system
def test_only_what_changed_is_read(pair: Pair) -> None:
    """Without a change the fingerprints are read alone, after one the sets that changed."""
    marks, before = pair.read()
    assert ["string_agg" in one for one in marks] == [False]
    pair.execute("UPDATE host_category_dir SET up2date = false WHERE host_category_id = 31")
    assert len(pair.read()[0]) == 1, "nothing is left of the host category, so nothing is read"
    pair.execute("UPDATE host_category_dir SET up2date = true WHERE host_category_id = 31")
    sent, found = pair.read()
    assert ["ANY" in one for one in sent] == [False, True]
    assert found == before
    pair.execute("UPDATE host_category_dir SET up2date = false WHERE directory_id = 2")
    sent, _ = pair.read()
    assert ["ANY" in one for one in sent] == [False, False], "most changed, so all are read"
    pair.same()


@pytest.mark.system
@pytest.mark.parametrize(
    "change",
    [
        # An exclusive or of hashes would keep nothing of either pair.
        pytest.param("directory_id = 3 WHERE directory_id = 2", id="xor"),
        # The sums of the ids are equal: 1 + 1 + 2 + 2 = 6, and so are their numbers.
        pytest.param(
            "directory_id = CASE path WHEN 'a' THEN 3 ELSE 1 END WHERE true", id="sum of ids"
        ),
        pytest.param("host_category_id = 21, path = 'n' WHERE path = '/b'", id="moved"),
    ],
)
def test_changes_that_cancel_each_other(pair: Pair, change: str) -> None:
    """The same number of rows with other directories is another fingerprint."""
    pair.execute(*TWICE)
    pair.same()
    pair.execute(f"UPDATE host_category_dir SET {change} AND host_category_id = 11")
    pair.same()


@pytest.mark.system
@pytest.mark.parametrize("phase", ["host_category_dir", "repository", "host_netblock"])
def test_an_aborted_export(pair: Pair, server: Server, phase: str) -> None:
    """An export that loses its connection before or after the directories spoils nothing."""
    changes = Changes(3)

    def end(now: str) -> None:
        if now == f"reading {phase}":
            pair.execute(*changes.next("rows are deleted")[1])
            pair.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'mirrorlist export'"
            )

    pair.execute("DELETE FROM host_category_dir WHERE host_category_id = 31")
    with pytest.raises(DatabaseError):
        pair.export(end)
    pair.same()


@pytest.mark.system
def test_an_export_aborted_between_fingerprints_and_sets(pair: Pair) -> None:
    """Fingerprints whose sets could not be read are forgotten, so the sets are read next time."""

    def end(statement: str) -> None:
        if "ANY(" in statement:
            pair.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'mirrorlist export'"
            )

    pair.execute("UPDATE host_category_dir SET directory_id = 1 WHERE host_category_id = 31")
    with calling(end), pytest.raises(DatabaseError):
        pair.export()
    pair.same()


@pytest.mark.system
def test_a_restored_backup(pair: Pair, server: Server) -> None:
    """A database that was restored from a backup, or another one under its name, is noticed."""
    pair.execute("DELETE FROM host_category_dir WHERE host_category_id < 60")
    pair.same()
    server.execute("DROP DATABASE mm WITH (FORCE)", "CREATE DATABASE mm TEMPLATE filled")
    assert pair.same().id == pair.result.id
    pair.execute("TRUNCATE host_category_dir")
    pair.same()


@pytest.mark.system
def test_a_full_export(pair: Pair) -> None:
    """After half an hour everything is read; kept directories that are wrong lose, and are told."""
    pair.clock.now = FULL_SECONDS
    sent, right = pair.read()
    assert len(sent) == 2
    assert (pair.kept.said, pair.kept.differed) == (None, False)
    pair.clock.now = 1.5 * FULL_SECONDS
    assert len(pair.read()[0]) == 1
    # What no way of changing a database should bring about.
    pair.kept._sets[31] = pair.kept._sets[12]
    _, wrong = pair.read()
    assert wrong != right
    pair.clock.now = 2 * FULL_SECONDS
    assert pair.read()[1] == right
    assert (pair.kept.said, pair.kept.differed) == (DIFFERED, True)
    pair.same()


@pytest.mark.system
def test_the_watch_counts_it(tmp_path: Path, pair: Pair) -> None:
    """The watch prints a line and counts full exports that found other directories."""
    watched = Watched(tmp_path, pair.url)
    watched.until(lambda: watched.progress.exports == 1)
    watched.kept._sets.clear()
    watched.kept._sets[31] = pair.kept._sets[12]
    for _ in range(10):
        watched.rest(FULL_SECONDS / 6)
    watched.probe.close()
    assert watched.progress.differed == 1
    assert [event for event in watched.told if event == (DIFFERED,)] == [(DIFFERED,)]
    assert Snapshot(watched.output).id == pair.result.id


@pytest.mark.system
def test_without_the_hash(pair: Pair) -> None:
    """Where the hash function may not be called, everything is read, and one line says so."""
    pair.execute(
        "REVOKE EXECUTE ON FUNCTION hashint8extended FROM PUBLIC", "CREATE ROLE poor LOGIN"
    )
    pair.execute(
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO poor", "ALTER ROLE poor PASSWORD 'x'"
    )
    try:
        pair.url = pair.url.replace("mm:s3cret", "poor:x")
        assert [pair.same().said, pair.same().said] == [WITHOUT_HASH, None]
    finally:
        pair.execute("DROP OWNED BY poor", "DROP ROLE poor")


@pytest.mark.system
def test_a_widened_column(pair: Pair) -> None:
    """Ids that need eight bytes are kept, also where some host categories need only four."""
    pair.execute(
        "ALTER TABLE host_category_dir ALTER COLUMN directory_id TYPE BIGINT",
        "ALTER TABLE category_directory ALTER COLUMN directory_id TYPE BIGINT",
        "ALTER TABLE directory ALTER COLUMN id TYPE BIGINT",
        "INSERT INTO directory (id, name, readable) VALUES (5000000002, 'pub/linux/far', true)",
        "INSERT INTO category_directory (category_id, directory_id) VALUES (1, 5000000002)",
        "INSERT INTO host_category_dir (host_category_id, path, up2date, directory_id)"
        " VALUES (31, 'far', true, 5000000002)",
    )
    pair.same()
    assert [5000000002 in one for one in pair.kept._sets.values()].count(True) == 1


@pytest.mark.system
def test_a_view(pair: Pair) -> None:
    """The fingerprints of a view are read like those of a table."""
    pair.execute(
        "ALTER TABLE host_category_dir RENAME TO hidden",
        "CREATE VIEW host_category_dir AS SELECT * FROM hidden WHERE host_category_id <> 51",
    )
    pair.same()
