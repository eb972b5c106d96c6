"""What counts as a change of a database: looks at a SQLite file, and what is made of them."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapshot.export.database import parse_url
from snapshot.file.errors import DatabaseError
from snapshot.watch.look import Look, LookResult, judge
from snapshot.watch.probes import make_probe
from snapshot.watch.sqlite import SqliteProbe

OLD = Look("1", {"host": "a", "site": "b"})


@pytest.mark.parametrize(
    ("now", "verdict", "names"),
    [
        pytest.param(OLD, LookResult.NOTHING, [], id="equal"),
        pytest.param(Look("1", {"host": "c"}), LookResult.NOTHING, [], id="counted late"),
        pytest.param(Look("2", OLD.marks), LookResult.UNSURE, [], id="not counted"),
        pytest.param(Look("2", {"host": "c", "site": "b"}), LookResult.CHANGED, ["host"], id="one"),
        pytest.param(Look("2", {"host": "a"}), LookResult.CHANGED, ["site"], id="gone"),
        pytest.param(Look("2", {**OLD.marks, "x": ""}), LookResult.CHANGED, ["x"], id="new"),
    ],
)
def test_judge(now: Look, verdict: LookResult, names: list[str]) -> None:
    """Nothing committed is no change, whatever was counted since; else the counters say where."""
    assert judge(OLD, now) == (verdict, names)


def test_nothing_to_compare_with() -> None:
    """Without an earlier look nobody can tell."""
    assert judge(None, OLD) == (LookResult.UNSURE, [])


class Database:
    """A SQLite file, its probe, and another program that writes."""

    def __init__(self, path: Path) -> None:
        """Make a file with one table, and look at it once."""
        self.path = path
        self.write("CREATE TABLE host (id INTEGER)")
        self.probe = SqliteProbe(parse_url(f"sqlite:///{path}"))
        self.before = self.look()

    def write(self, *statements: str) -> None:
        """Commit statements over a connection of its own."""
        with sqlite3.connect(self.path) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    def look(self) -> Look | None:
        """Look, knowing nothing of an earlier look."""
        return self.probe.look(None)

    def verdict(self) -> LookResult:
        """What happened since the first look."""
        assert self.before is not None
        now = self.probe.look(self.before)
        assert now is not None
        return judge(self.before, now)[0]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A database that is looked at."""
    database = Database(tmp_path / "mm.sqlite")
    yield database
    database.probe.close()


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_commit(database: Database, mode: str) -> None:
    """Another connection's commit is seen, one that is rolled back or only reads is not."""
    database.write(f"PRAGMA journal_mode = {mode}")
    database.before = database.look()
    writer = sqlite3.connect(database.path)
    writer.execute("INSERT INTO host VALUES (1)")
    writer.rollback()
    assert writer.execute("SELECT count(*) FROM host").fetchone() == (0,)
    assert database.verdict() is LookResult.NOTHING
    writer.execute("INSERT INTO host VALUES (1)")
    assert database.verdict() is LookResult.NOTHING
    writer.commit()
    assert database.verdict() is LookResult.CHANGED
    writer.close()


def test_another_file(database: Database) -> None:
    """A file that was renamed over it is seen."""
    other = Database(database.path.with_name("other"))
    other.probe.close()
    os.replace(other.path, database.path)
    assert database.verdict() is LookResult.CHANGED


def test_copied_over(database: Database) -> None:
    """Bytes that were copied over it may have the same number of commits: nobody is sure."""
    content = database.path.read_bytes()
    database.path.write_bytes(content[:-1] + b"\x01")
    assert database.verdict() is LookResult.UNSURE


def test_held_by_a_writer(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a writer holds the file nothing can be said, and nothing is lost."""
    monkeypatch.setattr("snapshot.watch.sqlite._BUSY_SECONDS", 0.0)
    database.probe.close()
    database.before = database.look()
    writer = sqlite3.connect(database.path, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    writer.execute("INSERT INTO host VALUES (1)")
    assert database.look() is None
    writer.execute("COMMIT")
    assert database.verdict() is LookResult.CHANGED
    writer.close()


def test_gone_and_back(database: Database) -> None:
    """A file that is gone is an error in one line; when one is back, a change."""
    content = database.path.read_bytes()
    database.path.unlink()
    for _ in range(2):
        with pytest.raises(DatabaseError, match="no such database file"):
            database.look()
    database.path.write_bytes(content)
    assert database.verdict() is LookResult.CHANGED


def test_a_file_at_home(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of a URL with ~/ is the one that an export reads."""
    monkeypatch.setenv("HOME", str(database.path.parent))
    at_home = make_probe(f"sqlite:///~/{database.path.name}")
    assert at_home.look(None)
    at_home.close()


def test_not_a_database(database: Database) -> None:
    """A file of another kind is an error in one line."""
    database.path.unlink()
    database.path.write_bytes(b"no database at all, but long enough to be looked at" * 99)
    with pytest.raises(DatabaseError, match="not a database"):
        database.look()
