"""An engine for all SQLite files: SQLAlchemy compiles a statement once, whatever the file."""

import sqlite3
from collections.abc import Callable
from contextvars import ContextVar

from sqlalchemy import Connection, NullPool, create_engine, event


class SqliteEngine:
    """Opens connections to SQLite files, each of which is closed when it is given back.

    What SQLAlchemy makes of a statement is kept by its engine. A command opens a database some
    times, and the keeper of a site every few seconds: with an engine for each of them, most of
    their time would be compiling.
    """

    def __init__(self, begin: str) -> None:
        """Take the statement that begins a transaction."""
        self._opener = ContextVar[Callable[[], sqlite3.Connection]]("opener")
        # A connection is opened within `connect`, by the thread that calls it.
        self._engine = create_engine(
            "sqlite://", creator=lambda: self._opener.get()(), poolclass=NullPool
        )

        @event.listens_for(self._engine, "begin")
        def begin_transaction(connection: Connection) -> None:
            # With isolation_level=None, Python's sqlite3 begins no transaction by itself.
            connection.exec_driver_sql(begin)

    def connect(self, opener: Callable[[], sqlite3.Connection]) -> Connection:
        """Return a connection to the file that `opener` opens."""
        token = self._opener.set(opener)
        try:
            return self._engine.connect()
        finally:
            self._opener.reset(token)
