"""Connections that only read, a few of them, for the pages.

Each page is read in one transaction, so its numbers are of one moment. A connection that has not
failed is kept for the next page.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from snapshot.export.database import parse_url
from snapshot.file.errors import DatabaseError, QuestionError
from snapshot.link import POSTGRESQL, Link, linked

MOST_CONNECTIONS = 4
"""Further pages wait."""
_SECONDS = 10.0
_PROGRAM = "mirrorlist stats"
# Compiling a plan takes longer than running it.
_READ_ONLY = "SET default_transaction_read_only = on; SET jit = off; SET statement_timeout ="
_READ_ONLY += " {milliseconds:.0f}"
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

T = TypeVar("T")


class Reader:
    """Reads a database from several threads; raises DatabaseError if it cannot be used."""

    def __init__(self, database: str, seconds: float = _SECONDS) -> None:
        """Take the URL, and how long a page may wait for a connection, and for a statement.

        Raises DatabaseURLError.
        """
        parse_url(database)
        self._database, self._seconds = database, seconds
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._kept: list[tuple[ExitStack, Link]] = []
        self._lock = threading.Lock()

    def read(self, question: Callable[[Link], T]) -> T:
        """Return what a function reads, in a transaction that only reads."""
        if not self._room.acquire(timeout=self._seconds):
            raise DatabaseError(
                f"the database is busy with {MOST_CONNECTIONS} other pages; try again in a minute"
            )
        try:
            return self._read(question)
        finally:
            self._room.release()

    def _read(self, question: Callable[[Link], T]) -> T:
        kept = self._take()
        if kept:
            try:
                return self._on(*kept, question)
            except DatabaseError:
                # The server may have been restarted since; a new connection tells.
                self.close()
        with ExitStack() as stack:
            link = stack.enter_context(linked(self._database, _PROGRAM))
            if link.kind == POSTGRESQL:
                link.execute(_READ_ONLY.format(milliseconds=1000 * self._seconds))
            else:
                link.execute("PRAGMA query_only = ON")
            return self._on(stack.pop_all(), link, question)

    def _on(self, connection: ExitStack, link: Link, question: Callable[[Link], T]) -> T:
        """Read on a connection, and keep it, unless it has failed."""
        refusal: QuestionError | None = None
        with connection:
            link.execute(_BEGIN if link.kind == POSTGRESQL else "BEGIN")
            try:
                found = question(link)
            except QuestionError as error:
                refusal = error
            link.end(commit=False)
            # SQLite's connections belong to their thread, and cost nothing to open.
            if link.kind == POSTGRESQL:
                with self._lock:
                    self._kept.append((connection.pop_all(), link))
        if refusal:
            raise refusal
        return found

    def _take(self) -> tuple[ExitStack, Link] | None:
        with self._lock:
            return self._kept.pop() if self._kept else None

    def close(self) -> None:
        """Close the connections that are kept."""
        while kept := self._take():
            kept[0].close()
