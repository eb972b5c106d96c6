"""Opens a database for one transaction that writes, and makes a missing one."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, create_engine, event, inspect
from sqlalchemy.exc import DBAPIError

from snapshot.demo.tables import create_tables_in
from snapshot.export.database import database_file, explain
from snapshot.export.declared import own_metadata
from snapshot.export.rows import TABLES
from snapshot.export.url import URL
from snapshot.file.errors import DatabaseError, OutputError
from snapshot.file.wholefile import check_regular
from snapshot.sites.kept_engine import SqliteEngine

_BUSY_SECONDS = 30.0
# IMMEDIATE: a transaction that reads first and writes later could find the file changed.
_SQLITE = SqliteEngine("BEGIN IMMEDIATE")


@contextmanager
def writing(url: URL, *, create: bool = True, commit: bool = True) -> Iterator[Connection]:
    """Begin a transaction that is committed at the end of the block, or rolled back by an error.

    With `create`, an empty database gets MirrorManager's tables first, and a missing SQLite file is
    made. Without `commit`, all is rolled back.
    """
    file = database_file(url)
    is_new = file is not None and not os.path.lexists(file)
    if file is not None:
        _check_file(file, create)
    # What is not committed is not written: then a missing file does not come into being at all.
    opened = Path(":memory:") if is_new and not commit else file
    connecting = _postgresql(url) if opened is None else _sqlite(opened)
    done = False
    try:
        with connecting as connection, connection.begin():
            _prepare(connection, create)
            yield connection
            if not commit:
                connection.rollback()
        done = commit
    except (DBAPIError, sqlite3.Error) as error:
        text = explain(url, error).replace("cannot be read", "cannot be written")
        raise DatabaseError(f"{text}; nothing was written") from error
    finally:
        if is_new and file is not None and not done:
            _remove_empty(file)


def _remove_empty(file: Path) -> None:
    """Remove the file that this writer made, unless another one has it or has written to it."""
    with suppress(sqlite3.Error, OSError):
        if file.stat().st_size:
            return
        with closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            if not file.stat().st_size:
                file.unlink()


def undo_unfinished(url: URL) -> None:
    """Undo what a writer that was killed left unfinished in a SQLite file.

    The first that opens the file for writing does it; those that only read could not read before.
    """
    file = database_file(url)
    if file is not None and os.path.exists(file):
        with suppress(sqlite3.Error), closing(sqlite3.connect(file)) as connection:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()


def _check_file(file: Path, create: bool) -> None:
    try:
        check_regular(file)
    except FileNotFoundError as error:
        if not create:
            raise DatabaseError(
                f"{file}: no such database; run `mirrorlist sites apply`"
            ) from error
        if not file.parent.is_dir():
            raise OutputError(f"{file}: cannot be written: no such folder") from error
    except OSError as error:
        raise DatabaseError(f"{file}: cannot be written: {error.strerror}") from error


def _prepare(connection: Connection, create: bool) -> None:
    present = {*inspect(connection).get_table_names()}
    if not present and create:
        create_tables_in(connection)
    elif present.isdisjoint(TABLES) or not {*TABLES} - {"host_peer_asn"} <= present:
        raise DatabaseError(
            "not a MirrorManager database, because tables are missing; nothing was written;"
            " give a database of MirrorManager, an empty one or a new SQLite file"
        )
    # SQLAlchemy would ask the database for each table, once more.
    missing = [table for table in own_metadata.sorted_tables if table.name not in present]
    own_metadata.create_all(connection, missing, checkfirst=False)


@contextmanager
def _sqlite(file: Path) -> Iterator[Connection]:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(file, isolation_level=None, timeout=_BUSY_SECONDS)
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    with _SQLITE.connect(connect) as connection:
        yield connection


@contextmanager
def _postgresql(url: URL) -> Iterator[Connection]:
    from snapshot.export.postgresql import connect

    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(url, "mirrorlist sites")
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # One apply at a time: a second one waits, and then sees what the first one wrote.
        connection.exec_driver_sql("SET LOCAL lock_timeout = '30s'")
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7460011)")

    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
