"""Filling a database with the load test's data: the same rows in both kinds, nothing lost."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from loadtest.dataset.__main__ import main
from loadtest.dataset.coverage import DirRow
from loadtest.dataset.dataset import Dataset, fill
from snapshot.demo.tables import create_tables
from snapshot.file.errors import BackendError, DatabaseError
from tests.dataset_rows import QUIET, SMALL, all_rows, fill_small, opened
from tests.factories import make_database
from tests.postgresql import PASSWORD, Server, engine, run_server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server for this module's tests."""
    with run_server() as server:
        yield server


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments), "--scale", str(SMALL)])


def _definitions(path: Path) -> list[tuple[str, str]]:
    with opened(path) as connection:
        return sorted(
            connection.execute(
                "SELECT name, coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE 'sqlite_s%'"
            )
        )


def _one_site(path: Path) -> str:
    """A SQLite database of MirrorManager's with a single row."""
    return make_database(path, {"site": [{"name": "Mine", "created_by": "me"}]})


def test_sqlite_has_all_definitions(tmp_path: Path) -> None:
    """A filled SQLite database has each table and index that an empty one has."""
    fill_small(f"sqlite:///{tmp_path / 'filled'}")
    make_database(tmp_path / "empty", {})
    assert _definitions(tmp_path / "filled") == _definitions(tmp_path / "empty")


def test_sqlite_with_rows_is_kept(tmp_path: Path) -> None:
    """A SQLite database with a row stays as it is, to the byte."""
    url = _one_site(tmp_path / "mm")
    before = (tmp_path / "mm").read_bytes()
    done = _run("--database", url)
    assert done.exit_code == 3
    assert "there are rows in site;" in done.stderr
    assert "--replace" in done.stderr
    assert (tmp_path / "mm").read_bytes() == before


def test_sqlite_of_somebody_else_is_kept(tmp_path: Path) -> None:
    """A SQLite database with rows in any table is kept, not only MirrorManager's."""
    with closing(sqlite3.connect(tmp_path / "mm")) as connection, connection:
        connection.execute("CREATE TABLE holiday AS SELECT 'photo' AS name")
    with pytest.raises(DatabaseError, match="there are rows in holiday"):
        fill_small(f"sqlite:///{tmp_path / 'mm'}")


def test_no_other_file_is_replaced(tmp_path: Path) -> None:
    """A file that is no SQLite database stays even with --replace."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam, " * 50)
    done = _run("--database", f"sqlite:///{path}", "--replace")
    assert done.exit_code == 3
    assert "not a SQLite database" in done.stderr
    assert path.read_text().startswith("Dear Sir")


def test_replace_replaces(tmp_path: Path) -> None:
    """With --replace old rows go, and so does what belongs to the old file."""
    url = _one_site(tmp_path / "mm")
    (tmp_path / "mm-wal").write_text("of the old file")
    done = _run("--database", url, "--replace")
    assert done.exit_code == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mm"]
    assert all(name != "Mine" for _, name, *_ in all_rows(url)["site"])


def _breaking(rows: int) -> Iterator[DirRow]:
    yield from (DirRow(id, 1, f"/{id}", True, 1) for id in range(1, rows))
    raise RuntimeError("power cut")


def test_failure_keeps_sqlite(tmp_path: Path) -> None:
    """When filling fails half-way the old file stays, and no other one is left."""
    url = _one_site(tmp_path / "mm")
    before = (tmp_path / "mm").read_bytes()
    rows = Dataset(SMALL, 1).rows(noise=False)._replace(giant=lambda: _breaking(100))
    with pytest.raises(RuntimeError, match="power cut"):
        fill(url, rows, True, QUIET)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"mm": before}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["--database", "mysql://x/y"], 2, "mysql: not a kind", id="other kind"),
        pytest.param(["--database", "sqlite:////none/mm"], 1, "/none/mm: cannot be", id="folder"),
        pytest.param(
            ["--database", f"postgresql://mm:{PASSWORD}@127.0.0.1:1/mm"],
            3,
            "postgresql://mm:***@127.0.0.1:1/mm",
            id="nobody there",
        ),
    ],
)
def test_errors_are_one_line(arguments: list[str], code: int, words: str) -> None:
    """What goes wrong is said in one line without a password, with the project's exit codes."""
    done = _run(*arguments)
    assert done.exit_code == code
    error = done.stderr.splitlines()[-1]
    assert error.startswith("Error: ")
    assert words in error
    assert PASSWORD not in done.output


CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"


def _query(url: str, sql: str) -> list[tuple[object, ...]]:
    with engine(url) as database, database.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(sql)]


@pytest.mark.system
def test_both_databases_have_the_same_rows(server: Server, tmp_path: Path) -> None:
    """PostgreSQL and SQLite hold the same rows, in all tables."""
    urls = [server.create("same"), f"sqlite:///{tmp_path / 'mm'}"]
    for url in urls:
        fill_small(url, noise=True)
    postgresql, sqlite = map(all_rows, urls)
    assert postgresql == sqlite


@pytest.mark.system
def test_postgresql_has_all_definitions(server: Server) -> None:
    """A filled PostgreSQL database has each constraint and index that an empty one has."""
    filled, empty = server.create("filled"), server.create("empty_one")
    fill_small(filled)
    with engine(empty) as database:
        create_tables(database)
    assert _query(filled, CONSTRAINTS) == _query(empty, CONSTRAINTS)
    assert _query(filled, INDEXES) == _query(empty, INDEXES)


@pytest.mark.system
def test_postgresql_with_rows_is_kept(server: Server) -> None:
    """A PostgreSQL database with rows stays as it is unless they are to be replaced."""
    url = server.create("kept")
    fill_small(url)
    before = all_rows(url)
    with pytest.raises(DatabaseError, match=r"there are rows in .*; give another database"):
        fill_small(url, seed=2)
    assert all_rows(url) == before
    fill_small(url, seed=2, replace=True)
    assert all_rows(url)["host"] != before["host"]


@pytest.mark.system
def test_failure_keeps_postgresql(server: Server) -> None:
    """When filling fails half-way, the old tables and rows of PostgreSQL stay."""
    url = server.create("failed")
    fill_small(url)
    before = all_rows(url)
    twice = Dataset(SMALL, 1).rows(noise=False)
    broken = twice._replace(giant=lambda: iter([*twice.giant(), *twice.giant()]))
    with pytest.raises(BackendError, match="could not create unique index"):
        fill(url, broken, True, QUIET)
    assert all_rows(url) == before
