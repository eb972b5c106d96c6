"""A connection to a database of either kind, with the same calls for both.

Statements have parameters like %(name)s. SQLAlchemy is not imported, because that takes longer than
to read a small database.
"""

import os
import re
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import psycopg

POSTGRESQL, SQLITE = "postgresql", "sqlite"
STATEMENT = "mirrorlist.statement"
"""The audit event before each statement, with its text: a test counts them, or kills there."""
_PARAMETER = re.compile(r"%\((\w+)\)s")
# Rows of a stream that are in memory at a time.
_AT_ONCE = 10_000
# "A view counts as its table." (docs/mirrormanager.md#views-instead-of-tables)
_SQLITE_NAMES = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
_POSTGRESQL_NAMES = """SELECT relname FROM pg_catalog.pg_class
    WHERE relkind IN ('r', 'p', 'v') AND relpersistence <> 't'
    AND relnamespace <> 'pg_catalog'::regnamespace AND pg_catalog.pg_table_is_visible(oid)"""

Row = tuple[Any, ...]
Parameters = Mapping[str, Any]
NONE: Parameters = MappingProxyType({})


class Session(Protocol):
    """A connection that reads; only `cut_off` may be called while another thread uses it."""

    kind: str
    """POSTGRESQL or SQLITE."""

    def query(self, sql: str, parameters: Parameters = NONE) -> list[Row]:
        """Execute a statement and return its rows."""

    def ask(self, sql: str) -> Callable[[], list[Row]]:
        """Execute a statement and return what makes its rows, also while another thread reads."""

    def query_binary(self, sql: str, parameters: Parameters = NONE) -> list[Row]:
        """Do as `query`; PostgreSQL sends bytes as they are, not as two digits for each."""

    def stream(self, sql: str) -> Iterator[Row]:
        """Execute a statement and yield its rows, of which only some are in memory."""

    def names(self) -> set[str]:
        """Return the tables and views that are there and need no schema's name before them."""

    def may_read(self, table: str) -> bool:
        """Return whether the user may read a table; a failed SELECT would end the transaction."""

    def cut_off(self) -> None:
        """Make another thread's statement fail at once."""


class SqliteSession:
    """A file."""

    kind = SQLITE

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take a connection that begins no transaction by itself."""
        self._connection = connection

    def _run(self, sql: str, parameters: Parameters = NONE) -> sqlite3.Cursor:
        sys.audit(STATEMENT, sql)
        return self._connection.execute(_PARAMETER.sub(r":\1", sql), dict(parameters))

    def query(self, sql: str, parameters: Parameters = NONE) -> list[Row]:
        """See `Session`."""
        return self._run(sql, parameters).fetchall()

    def ask(self, sql: str) -> Callable[[], list[Row]]:
        """See `Session`."""
        return partial(list, self.query(sql))

    def query_binary(self, sql: str, parameters: Parameters = NONE) -> list[Row]:
        """See `Session`."""
        return self.query(sql, parameters)

    def stream(self, sql: str) -> Iterator[Row]:
        """See `Session`."""
        yield from self._run(sql)

    def execute(self, sql: str, parameters: Parameters = NONE) -> int:
        """Execute a statement and return how many rows it changed."""
        return self._run(sql, parameters).rowcount

    def names(self) -> set[str]:
        """See `Session`."""
        return {name for (name,) in self.query(_SQLITE_NAMES)}

    def may_read(self, table: str) -> bool:
        """See `Session`."""
        return True

    def cut_off(self) -> None:
        """See `Session`."""
        self._connection.interrupt()


class PostgresqlSession:
    """A connection to a server."""

    kind = POSTGRESQL

    def __init__(self, connection: "psycopg.Connection[Row]") -> None:
        """Take a connection that begins no transaction by itself."""
        self._connection = connection

    def _run(
        self, sql: str, parameters: Parameters = NONE, *, binary: bool = False
    ) -> "psycopg.Cursor[Row]":
        sys.audit(STATEMENT, sql)
        # Without parameters a percent sign is one; the statements are our own text.
        return self._connection.execute(sql.encode(), parameters or None, binary=binary)

    def query(self, sql: str, parameters: Parameters = NONE) -> list[Row]:
        """See `Session`."""
        return self._run(sql, parameters).fetchall()

    def ask(self, sql: str) -> Callable[[], list[Row]]:
        """See `Session`."""
        # All that the server sent is in memory now, and is not yet Python's.
        return self._run(sql).fetchall

    def query_binary(self, sql: str, parameters: Parameters = NONE) -> list[Row]:
        """See `Session`."""
        return self._run(sql, parameters, binary=True).fetchall()

    def stream(self, sql: str) -> Iterator[Row]:
        """See `Session`."""
        sys.audit(STATEMENT, sql)
        # A cursor with a name is one of the server's.
        with self._connection.cursor("mirrorlist") as cursor:
            cursor.itersize = _AT_ONCE
            yield from cursor.execute(sql.encode())

    def execute(self, sql: str, parameters: Parameters = NONE) -> int:
        """Execute a statement and return how many rows it changed."""
        return self._run(sql, parameters).rowcount

    def names(self) -> set[str]:
        """See `Session`."""
        return {name for (name,) in self.query(_POSTGRESQL_NAMES)}

    def may_read(self, table: str) -> bool:
        """See `Session`."""
        sql = "SELECT has_table_privilege(%(table)s::text, 'SELECT')"
        return bool(self.query(sql, {"table": table})[0][0])

    def cut_off(self) -> None:
        """See `Session`."""
        import psycopg

        # As if the server had gone. To cancel the statement would take a second connection, which
        # might wait for a server that cannot be reached. A connection that is lost is cut already.
        with (
            suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self._connection.fileno())) as own,
        ):
            own.shutdown(socket.SHUT_RDWR)
