"""Opens a database for one transaction that reads, by SQLAlchemy's expressions."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError

from snapshot.export.database import LOCK_SECONDS, database_file, open_sqlite, unreadable
from snapshot.export.url import URL
from snapshot.sites.kept_engine import SqliteEngine

# Without BEGIN, each SELECT would see the database as it is at that moment.
_SQLITE = SqliteEngine("BEGIN")


@contextmanager
def read_only(url: URL) -> Iterator[Connection]:
    """Connect and begin one consistent read-only transaction; raises DatabaseError."""
    try:
        connecting = _postgresql(url) if database_file(url) is None else _sqlite(url)
        with connecting as connection:
            yield connection
    except (DBAPIError, UnicodeDecodeError, sqlite3.Error) as error:
        raise unreadable(url, error) from error


def _sqlite(url: URL) -> Connection:
    return _SQLITE.connect(partial(open_sqlite, url))


@contextmanager
def _postgresql(url: URL) -> Iterator[Connection]:
    # Imported here, because a site in a SQLite file needs no PostgreSQL driver.
    from snapshot.export.postgresql import connect

    engine = create_engine(
        "postgresql+psycopg://",
        isolation_level="REPEATABLE READ",
        execution_options={"postgresql_readonly": True},
        creator=lambda: connect(url, "mirrorlist sites"),
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A migration that has locked a table must not block the read for ever.
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS:.0f}s'")

    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
