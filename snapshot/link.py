"""A connection that writes in bulk: the same statements for PostgreSQL and SQLite.

It is a session of `snapshot.export.session` that also writes. SQLAlchemy is not imported, because
that takes longer than a scan that finds nothing new.
"""

import re
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from snapshot.export.database import database_path, explain, parse_url
from snapshot.export.session import NONE as NONE
from snapshot.export.session import POSTGRESQL as POSTGRESQL
from snapshot.export.session import SQLITE as SQLITE
from snapshot.export.session import STATEMENT as STATEMENT
from snapshot.export.session import Parameters, PostgresqlSession, SqliteSession
from snapshot.export.session import Row as Row
from snapshot.export.url import URL
from snapshot.file.errors import BusyScan, DatabaseError, RefusedRows

if TYPE_CHECKING:
    import psycopg

_BUSY_SECONDS = 10.0
_LOCK_SECONDS = 60
_LAST_SECONDS = 3.0
_COPY_ROWS = 1000
# After this many of its own instructions, some milliseconds, SQLite looks at the clock.
_STEPS = 100_000
_SCAN, _STATS, _PACKAGES = "mirrorlist scan", "mirrorlist stats", "mirrorlist packages"
# What to do about a driver's error, for a program or, without one, for all.
_ADVICE = (
    ("no such table|relation .* does not exist", "is it MirrorManager's? check the URL", _SCAN),
    (
        "permission denied for",
        "docs/scan.md (Before the first scan) has the rights of the role",
        _SCAN,
    ),
    (
        "permission denied for|must be owner of",
        "docs/statistics-database.md (Rights in PostgreSQL) has the rights of the role",
        _STATS,
    ),
    (
        "permission denied|must be owner of|read-only transaction",
        "docs/packages.md (Rights in PostgreSQL) has the rights of the role",
        _PACKAGES,
    ),
    ("no such table|relation .* does not exist", "is it MirrorManager's? check the URL", _PACKAGES),
    ("no such database file", "mirrorlist stats collect, or import, makes it", _STATS),
    ("readonly database", "let this user write the file and its folder", ""),
)
# The first half of the key of an advisory lock: "mirr" in ASCII.
_LOCK_CLASS = 0x6D697272


class Link(Protocol):
    """A connection; `query` and `execute` raise DatabaseError."""

    kind: str
    """POSTGRESQL or SQLITE."""

    codec: str
    """The encoding of the database's texts, by its name in Python."""

    def begin(self) -> None:
        """Begin the transaction that writes."""

    def begin_reading(self, seconds: int) -> None:
        """Begin to read only; what then takes more than these seconds ends with an error."""

    def query(self, sql: str, parameters: Parameters = NONE) -> list[Row]:
        """Execute a statement and return its rows."""

    def execute(self, sql: str, parameters: Parameters = NONE) -> int:
        """Execute a statement and return how many rows it changed."""

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Write many rows into a table, without a look at what it has."""

    def lock(self, category: int) -> None:
        """Exclude other scans of a category until the end; raises BusyScan."""

    def wait_alone(self, subject: int) -> None:
        """Wait until no other transaction is alone with a subject; then be it, to the end of it."""

    def tables(self, names: Sequence[str]) -> set[str]:
        """Return those of some tables that the database has."""

    def may_create(self) -> bool:
        """Whether this role may create a table."""

    def end(self, *, commit: bool) -> None:
        """End the transaction."""

    def safe_codec(self) -> str:
        """Return an encoding, by its name in Python, of which the database holds all characters."""


def temporary(link: Link, table: str, columns: Mapping[str, str], rows: Iterable[Row]) -> None:
    """Make a temporary table, again if it is there, of columns with their types, and fill it."""
    link.execute(f"DROP TABLE IF EXISTS {table}")
    shape = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    link.execute(f"CREATE TEMPORARY TABLE {table} ({shape})")
    link.load(table, list(columns), rows)
    if link.kind == POSTGRESQL:
        # Without it, a plan is made for a table of a thousand rows.
        link.execute(f"ANALYZE {table}")


@contextmanager
def linked(database: str, program: str = _SCAN, *, create: bool = False) -> Iterator[Link]:
    """Connect to a database; an open transaction is rolled back. Raises DatabaseError.

    PostgreSQL shows `program` in its list of sessions. With `create`, a missing file of SQLite is
    made.
    """
    url = parse_url(database)
    path = database_path(url)
    connecting = _postgresql(url, program) if path is None else _sqlite(url, path, program, create)
    with connecting as link:
        yield link


@contextmanager
def _told(url: URL, kinds: tuple[type[Exception], ...], program: str) -> Iterator[None]:
    """Turn a driver's errors into one line, without a password."""
    try:
        yield
    except kinds as error:
        line = explain(url, error).replace("cannot be read", "cannot be used")
        kind = RefusedRows if _is_about_rows(error) else DatabaseError
        raise kind(f"{line}{_advice(line, program)}") from error


def _is_about_rows(error: Exception) -> bool:
    """Return whether what was to be written is the trouble, and would be at another time too."""
    state = getattr(error, "sqlstate", None) or ""
    # Data exceptions, and "index row size exceeds btree maximum".
    return (
        isinstance(error, UnicodeError | OverflowError | sqlite3.DataError)
        or type(error).__name__ == "DataError"
        or state.startswith("22")
        or state == "54000"
    )


def _advice(line: str, program: str) -> str:
    """Return what to do about a driver's error, for those that a first run meets."""
    of_program = [row for row in _ADVICE if program.startswith(row[2])]
    found = (advice for pattern, advice, _ in of_program if re.search(pattern, line))
    return "".join(f"; {advice}" for advice in found)


@contextmanager
def _sqlite(url: URL, path: Path, program: str, create: bool) -> Iterator[Link]:
    # OverflowError: a number of a listing that is larger than any of SQLite's.
    with _told(url, (sqlite3.Error, UnicodeError, OverflowError), program):
        if not path.is_file() and not create:
            line = f"{path}: no such database file"
            raise DatabaseError(f"{line}{_advice(line, program)}")
        connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS)
        try:
            yield _Sqlite(connection)
        finally:
            connection.close()


@contextmanager
def _postgresql(url: URL, program: str) -> Iterator[Link]:
    import psycopg

    from snapshot.export.postgresql import connect

    with _told(url, (psycopg.Error, UnicodeError), program):
        connection = connect(url, program, autocommit=True)
        try:
            yield _Postgresql(connection)
        finally:
            with suppress(psycopg.Error):
                connection.close()


class _Sqlite(SqliteSession):
    """A file, in which a transaction excludes every other writer."""

    codec = "utf-8"

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._run("PRAGMA temp_store = MEMORY")

    def begin(self) -> None:
        self._run("BEGIN IMMEDIATE")

    def begin_reading(self, seconds: int) -> None:
        end = time.monotonic() + seconds
        self._connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
        sys.audit(STATEMENT, sql)
        self._connection.executemany(sql, rows)

    def lock(self, category: int) -> None:
        """Nothing more to do: the transaction excludes other writers of the file."""

    def wait_alone(self, subject: int) -> None:
        """Nothing more to do: the transaction excludes other writers of the file."""

    def tables(self, names: Sequence[str]) -> set[str]:
        return self.names() & {*names}

    def may_create(self) -> bool:
        return True

    def end(self, *, commit: bool) -> None:
        self._run("COMMIT" if commit else "ROLLBACK")

    def safe_codec(self) -> str:
        return "utf-8"


def _copied(rows: Sequence[Row], width: int) -> str | None:
    """Return rows as COPY takes them, or None if a value is not as it is written.

    The driver looks at each value, which takes four times as long.
    """
    if not {*map(type, chain.from_iterable(rows))} <= {str, int}:
        return None
    line = "\t".join(["%s"] * width) + "\n"
    text = "".join([line % tuple(row) for row in rows])
    is_plain = "\\" not in text and "\r" not in text and text.count("\n") == len(rows)
    return text if is_plain and text.count("\t") == len(rows) * (width - 1) else None


class _Postgresql(PostgresqlSession):
    """A session, whose advisory lock excludes other scans while the primary is listed, too."""

    def __init__(self, connection: "psycopg.Connection[Row]") -> None:
        from snapshot.export.postgresql import codec_of

        super().__init__(connection)
        self.codec = codec_of(connection)

    def begin(self) -> None:
        self._run(f"BEGIN; SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")

    def begin_reading(self, seconds: int) -> None:
        # For this transaction alone: a pooler would pass the session's setting on.
        self._run(f"BEGIN READ ONLY; SET LOCAL statement_timeout = '{seconds}s'")

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        from snapshot.export.postgresql import client_codec_of

        sql = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        sys.audit(STATEMENT, sql)
        # The driver would send a text to a database without an encoding in ASCII alone.
        left, codec = iter(rows), client_codec_of(self._connection)
        with self._connection.cursor() as cursor, cursor.copy(sql.encode()) as copy:
            while some := [*islice(left, _COPY_ROWS)]:
                text = _copied(some, len(columns))
                if text is not None:
                    copy.write(text.encode(codec))
                else:
                    for row in some:
                        copy.write_row(row)

    def lock(self, category: int) -> None:
        sql = f"SELECT pg_try_advisory_lock({_LOCK_CLASS}, %(category)s)"
        # The session of a scan that has just ended lasts a moment longer than its process.
        end = time.monotonic() + _LAST_SECONDS
        while not self.query(sql, {"category": category})[0][0]:
            if time.monotonic() > end:
                raise BusyScan("another scan of this category is running; this one changes nothing")
            time.sleep(0.05)

    def wait_alone(self, subject: int) -> None:
        self._run(f"SELECT pg_advisory_xact_lock({_LOCK_CLASS}, {subject})")

    def tables(self, names: Sequence[str]) -> set[str]:
        quoted = ", ".join(f"'{name}'" for name in names)
        sql = f"SELECT n FROM unnest(ARRAY[{quoted}]) AS n WHERE to_regclass(n) IS NOT NULL"
        return {name for (name,) in self.query(sql)}

    def may_create(self) -> bool:
        sql = "SELECT has_schema_privilege(current_schema(), 'CREATE')"
        return bool(self.query(sql)[0][0])

    def end(self, *, commit: bool) -> None:
        self._run("COMMIT" if commit else "ROLLBACK")

    def safe_codec(self) -> str:
        from snapshot.export.postgresql import safe_codec_of

        return safe_codec_of(self._connection)
