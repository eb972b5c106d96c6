"""A watch on a real PostgreSQL: what it sees, what may not disturb it, what may not be lost."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from snapshot.file.errors import DatabaseError
from snapshot.file.reader import Snapshot
from snapshot.watch.look import Look, LookResult, judge
from snapshot.watch.loop import UNSURE, Done, Failed, Recovered
from snapshot.watch.postgresql import PostgresqlProbe
from tests.command import COMMAND, SECONDS
from tests.factories import world
from tests.live import wait_until
from tests.postgresql import PASSWORD, Server, engine, run_server
from tests.watched import EVERY, Watched

pytestmark = pytest.mark.system

MOVE = "UPDATE host SET country = 'US' WHERE id = 3"
OTHER = "INSERT INTO another VALUES (1)"
READER = "only_reads"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server with a role that may only read, and a database of somebody else."""
    with run_server() as server:
        server.execute(f"CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}'")
        server.create("elsewhere")
        server.execute("CREATE TABLE another (id INTEGER)", database="elsewhere")
        server.create_filled("filled", world())
        server.execute(
            "CREATE TABLE another (id INTEGER)",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}",
            database="filled",
        )
        yield server


class Database:
    """A database with the rows of the small world, as a role sees it that may only read."""

    def __init__(self, server: Server, name: str) -> None:
        """Copy the filled one."""
        self.server, self.name = server, name
        server.execute(f"CREATE DATABASE {name} TEMPLATE filled")
        self.url = server.url(name, user=READER)

    def execute(self, *commands: str) -> None:
        """Commit each command."""
        self.server.execute(*commands, database=self.name)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Give a connection that stays open and commits each command."""
        with engine(self.server.url(self.name)) as own, own.connect() as connection:
            yield connection

    def terminate(self, program: str) -> None:
        """End a program's connections, as an administrator would."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE application_name = '{program}' AND datname = '{self.name}'"
        )


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    """A database of its own for each test."""
    yield Database(server, "mm")
    server.execute("DROP DATABASE mm WITH (FORCE)")


class Eye:
    """A probe and what it saw first."""

    def __init__(self, database: Database) -> None:
        """Look once."""
        self.probe = PostgresqlProbe(database.url)
        self.before = self.look()

    def look(self) -> Look:
        """Look, knowing nothing of an earlier look."""
        found = self.probe.look(None)
        assert found is not None
        return found

    def verdict(self) -> tuple[LookResult, list[str]]:
        """What happened since the first look."""
        now = self.probe.look(self.before)
        assert now is not None
        return judge(self.before, now)

    def until_counted(self) -> list[str]:
        """Look until the counters say where something changed, which may take seconds."""
        wait_until("counted", lambda: self.verdict()[0] is LookResult.CHANGED, SECONDS)
        return self.verdict()[1]


@pytest.fixture
def eye(database: Database) -> Iterator[Eye]:
    """A probe on the database of the test."""
    eye = Eye(database)
    yield eye
    eye.probe.close()


@pytest.mark.parametrize(
    ("commands", "names"),
    [
        pytest.param([MOVE], ["host"], id="update"),
        pytest.param(["DELETE FROM host_category_url WHERE id = 110"], ["host_category_url"],
                     id="delete"),
        pytest.param(["INSERT INTO netblock_country VALUES (1, '192.0.2.0/24', 'AT')"],
                     ["netblock_country"], id="insert"),
        pytest.param(["TRUNCATE host_netblock"], ["host_netblock"], id="truncate"),
        pytest.param(["ALTER TABLE host_netblock RENAME TO old_netblock",
                      "CREATE TABLE host_netblock (LIKE old_netblock)"], ["host_netblock"],
                     id="another table"),
        pytest.param(["DROP TABLE host_peer_asn"], ["host_peer_asn"], id="dropped"),
    ],
)  # fmt: skip
def test_a_change(database: Database, eye: Eye, commands: list[str], names: list[str]) -> None:
    """What a commit changed is named, to a role that may only read."""
    database.execute(*commands)
    assert eye.until_counted() == names


@pytest.mark.parametrize(
    ("commands", "verdicts"),
    [
        pytest.param(["SELECT count(*) FROM host"], [LookResult.NOTHING], id="a read"),
        pytest.param(["SELECT pg_stat_reset()"], [LookResult.NOTHING], id="statistics reset"),
        pytest.param([OTHER], [LookResult.UNSURE], id="another table"),
        pytest.param(["BEGIN; " + OTHER + "; ROLLBACK"], [LookResult.UNSURE], id="rolled back"),
    ],
)
def test_no_change(
    database: Database, eye: Eye, commands: list[str], verdicts: list[LookResult]
) -> None:
    """A change of other tables is NOTHING or UNSURE."""
    database.execute(*commands)
    assert eye.verdict()[0] in verdicts


def test_after_a_reset_of_the_statistics(database: Database, eye: Eye) -> None:
    """With counters at zero a change is seen as ever."""
    database.execute(MOVE)
    eye.until_counted()
    database.execute("SELECT pg_stat_reset()")
    eye.before = eye.look()
    database.execute(MOVE)
    assert eye.until_counted() == ["host"]


def test_another_database(server: Server, eye: Eye) -> None:
    """What happens in another database of the server is unsure."""
    server.execute(OTHER, database="elsewhere")
    assert eye.verdict()[0] is LookResult.UNSURE


def test_a_second_commit_closely_after(database: Database, eye: Eye) -> None:
    """A commit whose counters are late is unsure at first, never nothing."""
    with database.connection() as connection:
        connection.exec_driver_sql(MOVE)
        eye.before = eye.look()
        connection.exec_driver_sql(MOVE)
        assert eye.verdict()[0] is not LookResult.NOTHING
        assert eye.until_counted() == ["host"]


def test_a_long_transaction(database: Database, eye: Eye) -> None:
    """A transaction that began before others and ends after them moves no xmax, and is seen."""
    with database.connection() as early:
        early.exec_driver_sql("BEGIN")
        early.exec_driver_sql(MOVE)
        database.execute(OTHER)
        eye.before = eye.look()
        early.exec_driver_sql("COMMIT")
        now = eye.look()
        assert now.version.split(":")[1] == eye.before.version.split(":")[1]
        assert eye.verdict()[0] is not LookResult.NOTHING


def test_views_of_tables(database: Database, eye: Eye) -> None:
    """Where views stand for the tables, a change of the tables behind them is seen."""
    database.execute(
        "CREATE SCHEMA kept",
        "ALTER TABLE site SET SCHEMA kept",
        "CREATE VIEW between AS SELECT * FROM kept.site",
        "CREATE VIEW site AS SELECT id, name, private, admin_active, user_active FROM between",
    )
    eye.before = eye.look()
    database.execute("UPDATE kept.site SET name = 'another' WHERE id = 1")
    assert eye.until_counted() == ["site"]


def test_partitions(database: Database, eye: Eye) -> None:
    """Where a table has partitions, a change of one is seen."""
    database.execute(
        "DROP TABLE host_category_dir",
        "CREATE TABLE host_category_dir (id INTEGER, directory_id INTEGER) PARTITION BY LIST (id)",
        "CREATE TABLE first PARTITION OF host_category_dir DEFAULT",
    )
    eye.before = eye.look()
    database.execute("INSERT INTO host_category_dir VALUES (1, 2)")
    assert eye.until_counted() == ["host_category_dir"]


def test_one_connection(database: Database, eye: Eye) -> None:
    """All looks go over one connection, in transactions that cannot write."""
    question = "SELECT pid, query FROM pg_stat_activity WHERE application_name = 'mirrorlist watch'"
    found = set()
    with database.connection() as connection:
        for _ in range(5):
            eye.look()
            found |= {tuple(row) for row in connection.exec_driver_sql(question)}
    assert len({pid for pid, _ in found}) == 1
    assert all(query.startswith("BEGIN READ ONLY;") for _, query in found)


def test_a_connection_that_was_cut(database: Database, eye: Eye) -> None:
    """A cut connection is one error in a line; the next look can still tell what happened."""
    database.terminate("mirrorlist watch")
    with pytest.raises(DatabaseError, match="terminating connection") as caught:
        eye.verdict()
    assert "\n" not in str(caught.value)
    assert eye.verdict() == (LookResult.NOTHING, [])
    database.terminate("mirrorlist watch")
    with pytest.raises(DatabaseError):
        eye.verdict()
    database.execute(MOVE)
    assert eye.until_counted() == ["host"]


def test_the_server_restarts(server: Server, eye: Eye) -> None:
    """After a restart nobody is sure, even if nothing was committed."""
    server.stop()
    with pytest.raises(DatabaseError):
        eye.verdict()
    server.start()
    assert eye.verdict()[0] is not LookResult.NOTHING


@pytest.fixture
def watched(database: Database, tmp_path: Path) -> Iterator[Watched]:
    """A watch that has made its first export."""
    watched = Watched(tmp_path, database.url)
    watched.until_told(Done)
    yield watched
    watched.probe.close()


def test_a_commit_in_the_middle_of_an_export(database: Database, watched: Watched) -> None:
    """What is committed after an export began to read is published by the next one."""
    phases = iter([*range(5), *[None] * 1000])

    def write(phase: str) -> None:
        if next(phases) == 4:
            database.execute(MOVE)

    watched.during = write
    watched.time.put("hook")
    watched.until_told(Done)
    assert watched.snapshot.hosts[2].country == "FR"
    watched.until_told(Done)
    assert watched.snapshot.hosts[2].country == "US"
    assert watched.progress.backlog == 0


def test_others_all_the_time(database: Database, watched: Watched) -> None:
    """Transactions of others export once in ten seconds at most, and change nothing."""
    before = watched.progress.exports
    for _ in range(60):
        database.execute(OTHER)
        watched.rest(1.0)
    assert 3 <= watched.progress.exports - before <= 7
    assert watched.done.reasons == [UNSURE]
    assert watched.progress.published == 1


def test_a_change_while_the_server_is_away(
    server: Server, database: Database, watched: Watched
) -> None:
    """A server that stops is told once; what changed before the watch is back is published."""
    server.stop()
    watched.until_told(Failed)
    # First that it went, then that it is not there; no more, however long it takes.
    assert len(watched.rest(60.0)) <= 1
    assert watched.rest(60.0) == []
    assert PASSWORD not in watched.failed
    server.start()
    database.execute(MOVE)
    watched.until_told(Recovered)
    watched.until_told(Done)
    assert watched.snapshot.hosts[2].country == "US"
    assert watched.progress.connected


def test_an_export_that_is_cut(database: Database, watched: Watched) -> None:
    """An export whose connection is cut is tried again soon, and its change is not lost."""

    def cut(phase: str) -> None:
        watched.during = lambda phase: None
        database.terminate("mirrorlist export")

    database.execute(MOVE)
    watched.during = cut
    watched.until_told(Failed)
    assert watched.progress.backlog == 1
    watched.until_told(Done)
    assert watched.snapshot.hosts[2].country == "US"
    assert watched.rest(EVERY - 20) == []


class Running:
    """`mirrorlist watch` as a process."""

    def __init__(self, database: Database, folder: Path) -> None:
        """Start it, and wait for the first file."""
        self.output, self._printed = folder / "mm.snap", folder / "printed"
        with self._printed.open("wb") as printed:
            self.process = subprocess.Popen(
                [*COMMAND, "watch", "--output", str(self.output), "--admin", "127.0.0.1:0"],
                env={"PATH": "/usr/bin:/bin", "MIRRORLIST_DATABASE": database.url},
                stdout=printed,
                stderr=printed,
            )
        self.wait_for("start: ")

    def wait_for(self, text: str) -> None:
        """Wait until a text was printed."""
        wait_until(text, lambda: text in self.printed or self.process.poll() is not None, SECONDS)
        assert self.process.poll() is None, self.printed

    @property
    def printed(self) -> str:
        """All that was printed so far."""
        return self._printed.read_text()

    def end(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@pytest.fixture
def running(database: Database, tmp_path: Path) -> Iterator[Running]:
    """A running watch."""
    running = Running(database, tmp_path)
    yield running
    running.process.kill()
    running.process.wait()


def test_from_commit_to_file(database: Database, running: Running) -> None:
    """A process of its own publishes what a transaction changed."""
    database.execute(MOVE)
    running.wait_for("host: published")
    assert Snapshot(running.output).hosts[2].country == "US"
    assert PASSWORD not in running.printed
    assert running.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ended_within_an_export(
    database: Database, running: Running, number: signal.Signals
) -> None:
    """A signal in the middle of an export ends it with 0 and leaves nothing half-written."""
    question = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name = 'mirrorlist export' AND wait_event_type = 'Lock'"
    )
    before = running.output.read_bytes()
    with database.connection() as connection, database.connection() as other:
        connection.exec_driver_sql("BEGIN; LOCK TABLE host_category_dir IN ACCESS EXCLUSIVE MODE")
        running.process.send_signal(signal.SIGUSR1)
        wait_until(
            "the export waits",
            lambda: bool(other.exec_driver_sql(question).scalar_one()),
            SECONDS,
        )
        assert running.end(number) == 0
    assert {file.name for file in running.output.parent.iterdir()} == {"mm.snap", "printed"}
    assert running.output.read_bytes() == before
    assert "Traceback" not in running.printed


def test_killed(database: Database, running: Running) -> None:
    """After a watch was killed another one can begin."""
    assert running.end(signal.SIGKILL) == -signal.SIGKILL
    database.execute(MOVE)
    again = Running(database, running.output.parent)
    wait_until("published", lambda: Snapshot(again.output).hosts[2].country == "US", SECONDS)
    assert again.end(signal.SIGTERM) == 0
    assert {file.name for file in running.output.parent.iterdir()} == {
        *("mm.snap", "mm.snap.1", "printed"),
    }
