"""Looks at a PostgreSQL database: one or two statements on a kept connection.

The numbers of running transactions tell that one ended, in any database of the server. Only then
the counters of the tables are asked, which say where: they are written up to ten seconds after a
commit that follows another one closely, and on a standby never. A table's file tells what no
counter does: TRUNCATE, or a table restored under its old name. Nothing is installed, and every
role may ask this.
"""

from typing import Any

import psycopg
from sqlalchemy import URL

from snapshot.export.database import display, explain, parse_url
from snapshot.export.postgresql import connect
from snapshot.export.source import TABLES
from snapshot.file.errors import DatabaseError
from snapshot.watch.look import Look

# Not the newest transaction's number alone: one that began early may end late.
_VERSION = "concat(extract(epoch FROM pg_postmaster_start_time()), ' ', {snapshot}())"
_SNAPSHOT, _OLD_SNAPSHOT = "pg_current_snapshot", "txid_current_snapshot"
_FIRST_WITH_SNAPSHOT = 130000

# A name stands for a table, for a partitioned one, or for a view of some; in the end it is tables
# that change.
_MARKS = """
WITH RECURSIVE read(name, oid) AS (
    SELECT name, to_regclass(name)::oid FROM unnest(ARRAY[{tables}]) AS name
    UNION
    SELECT read.name, below.oid FROM read CROSS JOIN LATERAL (
        SELECT inhrelid FROM pg_inherits WHERE inhparent = read.oid
        UNION ALL
        SELECT d.refobjid FROM pg_rewrite r JOIN pg_depend d ON d.objid = r.oid
        WHERE r.ev_class = read.oid
            AND d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
    ) AS below(oid)
)
SELECT {version}, read.name, string_agg(concat_ws('/', read.oid, pg_relation_filenode(read.oid),
    pg_stat_get_tuples_inserted(read.oid), pg_stat_get_tuples_updated(read.oid),
    pg_stat_get_tuples_deleted(read.oid)), ' ' ORDER BY read.oid)
FROM read WHERE read.oid IS NOT NULL GROUP BY read.name
"""


class PostgresqlProbe:
    """Looks at the PostgreSQL database of a URL, which may stand in a file: see `parse_url`."""

    def __init__(self, database: str) -> None:
        """Take the URL; connects with the first look."""
        self._database = database
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._version = self._marks = ""

    def look(self, since: Look | None) -> Look | None:
        """Return what the database looks like now; see `Probe`."""
        # Read anew for each connection: the password in the file may be a new one.
        url = parse_url(self._database)
        try:
            connection = self._connection or self._connect(url)
            if since is not None and self._ask(connection, self._version) == [(since.version,)]:
                return since
            found = self._ask(connection, self._marks)
        except (psycopg.Error, UnicodeError, OSError) as error:
            self.close()
            raise DatabaseError(explain(url, error)) from error
        marks = {str(name): str(mark) for _, name, mark in found}
        return Look(str(found[0][0]) if found else "", marks)

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def shown(self) -> str:
        """Say what is looked at, for people, without a password."""
        return f"{display(parse_url(self._database))}: {len(TABLES)} tables' counters"

    def _connect(self, url: URL) -> psycopg.Connection[tuple[Any, ...]]:
        self._connection = connect(url, "mirrorlist watch", autocommit=True)
        old = self._connection.info.server_version < _FIRST_WITH_SNAPSHOT
        version = _VERSION.format(snapshot=_OLD_SNAPSHOT if old else _SNAPSHOT)
        tables = ", ".join(f"'{name}'" for name in TABLES)
        self._version = f"SELECT {version}"
        self._marks = _MARKS.format(version=version, tables=tables)
        return self._connection

    @staticmethod
    def _ask(
        connection: psycopg.Connection[tuple[Any, ...]], question: str
    ) -> list[tuple[Any, ...]]:
        # One message. A setting of the session instead would outlive us in a pooler.
        cursor = connection.execute(f"BEGIN READ ONLY; {question}; COMMIT".encode())
        cursor.nextset()
        return cursor.fetchall()
