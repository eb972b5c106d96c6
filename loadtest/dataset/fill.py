"""Fills a database in bulk, whole or not at all: PostgreSQL by COPY, SQLite as a new file."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import psycopg
from sqlalchemy import Connection, create_engine, insert, inspect, text
from sqlalchemy.exc import DBAPIError

from loadtest.common.progress import Phases
from loadtest.dataset.coverage import DirRow
from loadtest.dataset.tree_rows import Tables
from snapshot.demo.tables import alembic_version, create_tables_in
from snapshot.export import schema
from snapshot.export.url import URL
from snapshot.file.errors import DatabaseError

GIANT = schema.host_category_dir
"""The one table that is too big for anything but a stream."""

_COLUMNS = ", ".join(GIANT.c.keys())
# Building the giant's indexes is what takes longest; 64 MB is PostgreSQL's cautious default.
_SORT_MEMORY = "256MB"

# What the giant's constraints and indexes are, as statements that drop and add them.
_CONSTRAINTS = """
    SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
           format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
                  pg_get_constraintdef(oid))
    FROM pg_constraint
    WHERE conrelid = 'host_category_dir'::regclass AND contype IN ('p', 'u', 'f')
    ORDER BY array_position('{p,u,f}', contype::text)
"""
_INDEXES = """
    SELECT format('DROP INDEX %s', indexrelid::regclass), pg_get_indexdef(indexrelid)
    FROM pg_index
    WHERE indrelid = 'host_category_dir'::regclass
    ORDER BY 2
"""


class DatabaseRows(NamedTuple):
    """The rows to write: those of host_category_dir as a stream, all others by table."""

    tables: Tables
    giant: Callable[[], Iterator[DirRow]]
    giant_count: int


def fill_postgresql(url: URL, rows: DatabaseRows, replace: bool, phases: Phases) -> None:
    """Make MirrorManager's tables again and fill them, in one transaction.

    Raises DatabaseError if it cannot, or if there are rows and `replace` is false.
    """
    engine = create_engine(url.text(password=None))
    try:
        with engine.begin() as connection:
            _make_room(connection, url, replace)
            create_tables_in(connection)
            insert_tables(connection, rows.tables, phases)
            _copy_giant(connection, rows, phases)
            _set_sequences(connection)
        with (
            phases.phase("vacuum, analyze"),
            engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        ):
            names = ", ".join(table.name for table in schema.metadata.sorted_tables)
            # As autovacuum leaves it, so that no export pays for the first read of new rows.
            connection.execute(text(f"VACUUM (ANALYZE) {names}"))
    except (DBAPIError, psycopg.Error) as error:
        raise DatabaseError(f"{display(url)}: {_first_line(error)}") from error
    finally:
        engine.dispose()


def refuse_rows(shown: str, tables: list[str]) -> None:
    """Raise DatabaseError if there are tables with rows; `shown` is the database's name."""
    if tables:
        names = ", ".join(tables[:3]) + (" ..." if len(tables) > 3 else "")
        raise DatabaseError(
            f"{shown}: there are rows in {names}; give another database, or --replace to lose them"
        )


def insert_tables(connection: Connection, tables: Tables, phases: Phases) -> None:
    """Insert the rows of all tables, parents first."""
    total = sum(map(len, tables.values()))
    with phases.phase("other tables", total) as done:
        inserted = 0
        for table in schema.metadata.sorted_tables:
            if rows := tables.get(table.name):
                connection.execute(insert(table), rows)
                inserted += len(rows)
                done(inserted)


def display(url: URL) -> str:
    """Return a URL for people, without password and options."""
    kind = url.drivername.partition("+")[0]
    return url._replace(drivername=kind, query={}).text(password="***")


def _make_room(connection: Connection, url: URL, replace: bool) -> None:
    present = set(inspect(connection).get_table_names())
    ours = [table for table in schema.metadata.sorted_tables if table.name in present]
    if not replace:
        filled = [
            table.name
            for table in ours
            if table is not alembic_version and _has_rows(connection, table.name)
        ]
        refuse_rows(display(url), filled)
    schema.metadata.drop_all(connection)


def _has_rows(connection: Connection, table: str) -> bool:
    return connection.execute(text(f"SELECT 1 FROM {table} LIMIT 1")).first() is not None


def _copy_giant(connection: Connection, rows: DatabaseRows, phases: Phases) -> None:
    constraints = connection.execute(text(_CONSTRAINTS)).all()
    _execute(connection, [drop for drop, _ in reversed(constraints)])
    indexes = connection.execute(text(_INDEXES)).all()
    _execute(connection, [drop for drop, _ in indexes])
    raw = connection.connection.driver_connection
    if not isinstance(raw, psycopg.Connection):
        raise TypeError(f"not psycopg's connection: {raw!r}")
    counted = phases.counted(GIANT.name, rows.giant(), rows.giant_count)
    with raw.cursor() as cursor, cursor.copy(f"COPY {GIANT.name} ({_COLUMNS}) FROM STDIN") as copy:
        for row in counted:
            copy.write_row(row)
    with phases.phase("constraints, indexes"):
        connection.execute(text(f"SET LOCAL maintenance_work_mem = '{_SORT_MEMORY}'"))
        _execute(connection, [add for _, add in (*constraints, *indexes)])


def _execute(connection: Connection, statements: list[str]) -> None:
    for statement in statements:
        connection.execute(text(statement))


def _set_sequences(connection: Connection) -> None:
    """Let the sequences go on after the ids that the rows brought."""
    for table in schema.metadata.sorted_tables:
        if "id" in table.c:
            name = table.name
            sequence = f"pg_get_serial_sequence('{name}', 'id')"
            connection.execute(
                text(f"SELECT setval({sequence}, max(id)) FROM {name} HAVING max(id) IS NOT NULL")
            )


def _first_line(error: Exception) -> str:
    cause = str(getattr(error, "orig", None) or error).strip()
    return cause.splitlines()[0] if cause else type(error).__name__
