"""Looks at a PostgreSQL database: one or two statements on a kept connection.

pg_current_snapshot() changes when a transaction ends, in any database of the server. Only then the
probe reads the tables' counters, which say where. Counters are late by up to ten seconds if commits
follow each other closely, and a standby has none. They miss TRUNCATE and a table that was restored
under its old name, but both give the table another file, so its file number (pg_relation_filenode)
is read too. The probe installs nothing, and every role may run its statements.

Most looks see nothing new, and there are 14,400 an hour. So such a look is one statement of libpq,
without a cursor of psycopg, which would cost four times as much.
"""

from typing import Any

import psycopg
from psycopg.errors import error_from_result
from psycopg.generators import execute
from psycopg.pq import ExecStatus

from snapshot.export.database import display, parse_url, unreadable
from snapshot.export.postgresql import connect
from snapshot.export.rows import TABLES
from snapshot.watch.look import Look

# A snapshot lists the running transactions. The number of the newest transaction alone would not
# do, because a transaction that began earlier may end later. After a restart of the server, nothing
# is certain, so its start time is a part of the version.
_VERSION = "date_part('epoch', pg_postmaster_start_time()), {snapshot}()"
_SNAPSHOT, _OLD_SNAPSHOT = "pg_current_snapshot", "txid_current_snapshot"
_FIRST_WITH_SNAPSHOT = 130000

# A name may be a table, a partitioned table, or a view ("A view counts as its table.",
# docs/mirrormanager.md#views-instead-of-tables). The query follows each name to the tables that
# hold its rows, because only those have counters.
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
SELECT concat_ws(' ', {version}), read.name, string_agg(concat_ws('/', read.oid,
    pg_relation_filenode(read.oid), pg_stat_get_tuples_inserted(read.oid),
    pg_stat_get_tuples_updated(read.oid), pg_stat_get_tuples_deleted(read.oid)),
    ' ' ORDER BY read.oid)
FROM read WHERE read.oid IS NOT NULL GROUP BY read.name
"""


class PostgresqlProbe:
    """Looks at the PostgreSQL database of a URL, which may stand in a file: see `parse_url`."""

    def __init__(self, database: str) -> None:
        """Take the URL; connects with the first look."""
        self._database = database
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._version = self._marks = b""

    def look(self, since: Look | None) -> Look | None:
        """Return what the database looks like now; see `Probe`."""
        try:
            connection = self._connection or self._connect()
            if since is not None and _one_row(connection, self._version) == since.version:
                return since
            found = _all_rows(connection, self._marks)
        except (psycopg.Error, UnicodeError, OSError) as error:
            self.close()
            raise unreadable(parse_url(self._database), error) from error
        marks = {str(name): str(mark) for _, name, mark in found}
        return Look(str(found[0][0]) if found else "", marks)

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def shown(self) -> str:
        """Return the database and what is looked at, for people, without a password."""
        return f"{display(parse_url(self._database))}: {len(TABLES)} tables' counters"

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        # The URL's file is read each time, because its password may have changed.
        connection = connect(parse_url(self._database), "mirrorlist watch", autocommit=True)
        self._connection = connection
        old = connection.info.server_version < _FIRST_WITH_SNAPSHOT
        version = _VERSION.format(snapshot=_OLD_SNAPSHOT if old else _SNAPSHOT)
        tables = ", ".join(f"'{name}'" for name in TABLES)
        self._version = f"SELECT {version}".encode()
        self._marks = _MARKS.format(version=version, tables=tables).encode()
        return connection


def _one_row(connection: psycopg.Connection[Any], question: bytes) -> str:
    """Return the values of the only row of a statement that writes nothing."""
    pgconn = connection.pgconn
    pgconn.send_query(question)
    results = connection.wait(execute(pgconn))
    if not results:
        raise psycopg.OperationalError("the connection was lost")
    result = results[0]
    if result.status != ExecStatus.TUPLES_OK:
        raise error_from_result(result)
    values = (result.get_value(0, column) for column in range(result.nfields))
    return " ".join((value or b"").decode("ascii") for value in values)


def _all_rows(connection: psycopg.Connection[Any], question: bytes) -> list[tuple[Any, ...]]:
    # All in one message, which costs one round trip. BEGIN READ ONLY instead of a setting of
    # the session, which a connection pooler would pass on to its next client.
    cursor = connection.execute(b"BEGIN READ ONLY; %b; COMMIT" % question)
    cursor.nextset()
    return cursor.fetchall()
