"""Looks at a SQLite database: PRAGMA data_version on a kept connection, and its file's state."""

import os
import sqlite3
from pathlib import Path

from snapshot.export.database import (
    connect_sqlite,
    database_file,
    display,
    no_database_file,
    unreadable,
)
from snapshot.export.url import URL
from snapshot.file.errors import DatabaseError
from snapshot.watch.look import Look

NAME = "the database"
"""What a change of a SQLite database is called: no counter tells of tables."""
# If a writer has the file locked for longer than this, the look is left to the next second.
_BUSY_SECONDS = 0.2


class SqliteProbe:
    """Looks at the SQLite file of a URL."""

    def __init__(self, url: URL) -> None:
        """Take the URL; opens the file with the first look."""
        self._url = url
        self._path = database_file(url) or Path()
        self._connection: sqlite3.Connection | None = None
        self._opened = 0
        self._file = (0, 0)

    def look(self, since: Look | None) -> Look | None:
        """Return what the database looks like now; see `Probe`."""
        try:
            look = self._look()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) in (
                sqlite3.SQLITE_BUSY,
                sqlite3.SQLITE_LOCKED,
            ):
                return None
            self.close()
            raise unreadable(self._url, error) from error
        except OSError as error:
            self.close()
            raise no_database_file(self._path, error) from error
        except DatabaseError:
            self.close()
            raise
        return since if look == since else look

    def _look(self) -> Look:
        now = os.stat(self._path)
        if self._connection is None or self._file != (now.st_dev, now.st_ino):
            self._open()
        assert self._connection is not None
        (commits,) = self._connection.execute("PRAGMA data_version").fetchone()
        # "The integer values returned by two invocations of "PRAGMA data_version" from the same
        # connection will be different if changes were committed to the database by any other
        # connection in the interim" (https://sqlite.org/pragma.html#pragma_data_version). Values of
        # two connections cannot be compared, so the connection's number is a part of the mark.
        mark = f"{self._opened} {commits}"
        # A file that is copied over this one may have the same data_version: time and size of the
        # file tell that. The rest of `FileState` is left out on purpose: a new mode or a hard link
        # changes the ctime, and is not a commit.
        return Look(f"{mark} {now.st_mtime_ns} {now.st_size}", {NAME: mark})

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def shown(self) -> str:
        """Return the database and what is looked at, for people."""
        return f"{display(self._url)}: its commits"

    def _open(self) -> None:
        self.close()
        self._connection = connect_sqlite(self._path, _BUSY_SECONDS)
        self._opened += 1
        opened = os.stat(self._path)
        self._file = (opened.st_dev, opened.st_ino)
