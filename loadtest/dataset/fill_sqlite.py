"""Fills a SQLite database: a new file, renamed into place when it is whole."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError

from loadtest.common.progress import Phases
from loadtest.dataset.fill import GIANT, DatabaseRows, insert_tables, refuse_rows
from snapshot.demo.tables import create_tables_in
from snapshot.export.url import URL
from snapshot.file.errors import DatabaseError, OutputError

_MODE = 0o644
# The file is thrown away if anything fails, so it needs neither journal nor sync on the way.
_PRAGMAS = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -65536")
_INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql > ''"


def fill_sqlite(url: URL, rows: DatabaseRows, replace: bool, phases: Phases) -> None:
    """Write a SQLite database with all rows in place of an older one.

    Raises DatabaseError if there are rows and `replace` is false, or if the file that is there
    is not a SQLite database; OutputError if it cannot be written.
    """
    path = Path(url.database or "").absolute()
    filled = _filled_tables(path) if path.exists() and path.stat().st_size else []
    if not replace:
        refuse_rows(str(path), filled)
    with _new_file(path) as new:
        engine = create_engine(URL("sqlite", database=str(new)).text(password=None))
        try:
            with engine.begin() as connection:
                _write(connection, rows, phases)
        except DBAPIError as error:
            raise OutputError(f"{path}: cannot be written: {error.orig}") from error
        finally:
            engine.dispose()


def _filled_tables(path: Path) -> list[str]:
    """Which tables have rows, also those that are not MirrorManager's."""
    uri = f"file:{quote(str(path))}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return [
                name
                for (name,) in found.fetchall()
                if name != "alembic_version"
                and connection.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone()
            ]
    except sqlite3.Error as error:
        raise DatabaseError(f"{path}: not a SQLite database that can be read: {error}") from error


@contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """Give an empty file beside `path`; rename it over `path` unless the block fails."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    os.close(handle)
    new = Path(name)
    try:
        yield new
        new.chmod(_MODE)
        # SQLite would take an older database's journal for one of the new database.
        for ending in ("-journal", "-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _write(connection: Connection, rows: DatabaseRows, phases: Phases) -> None:
    for pragma in _PRAGMAS:
        connection.exec_driver_sql(f"PRAGMA {pragma}")
    create_tables_in(connection)
    insert_tables(connection, rows.tables, phases)
    indexes = connection.exec_driver_sql(_INDEXES, (GIANT.name,)).all()
    for name, _ in indexes:
        connection.exec_driver_sql(f"DROP INDEX {name}")
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        raise TypeError(f"not sqlite3's connection: {raw!r}")
    counted = phases.counted(GIANT.name, rows.giant(), rows.giant_count)
    # Sorted in the order of the table's index, which makes filling the index fast too.
    raw.executemany(f"INSERT INTO {GIANT.name} VALUES (?, ?, ?, ?, ?)", counted)
    with phases.phase("indexes, analyze"):
        for _, create in indexes:
            connection.exec_driver_sql(create)
        connection.exec_driver_sql("ANALYZE")
