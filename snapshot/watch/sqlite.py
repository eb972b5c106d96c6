"""Looks at a SQLite database: the number of its commits on a kept connection, and its file."""

import os
import sqlite3
from pathlib import Path

from sqlalchemy import URL

from snapshot.export.database import connect_sqlite, display, explain, no_database_file
from snapshot.file.errors import DatabaseError
from snapshot.watch.look import Look

_NAME = "the database"
# A writer who holds it for longer is not waited for: the next look comes.
_BUSY_SECONDS = 0.2


class SqliteProbe:
    """Looks at the SQLite file of a URL."""

    def __init__(self, url: URL) -> None:
        """Take the URL; opens the file with the first look."""
        self._url = url
        self._path = Path(url.database or "").absolute()
        self._connection: sqlite3.Connection | None = None
        self._opened = 0
        self._file = (0, 0)

    def look(self, since: Look | None) -> Look | None:
        """Return what the database looks like now; see `Probe`."""
        try:
            now = os.stat(self._path)
            if self._connection is None or self._file != (now.st_dev, now.st_ino):
                self._open()
            assert self._connection is not None
            (commits,) = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) in (
                sqlite3.SQLITE_BUSY,
                sqlite3.SQLITE_LOCKED,
            ):
                return None
            self.close()
            raise DatabaseError(explain(self._url, error)) from error
        except OSError as error:
            self.close()
            raise no_database_file(self._path, error) from error
        except DatabaseError:
            self.close()
            raise
        # The number is of this connection alone: after another one nothing can be told.
        mark = f"{self._opened} {commits}"
        # Somebody who copies another file over this one may leave its number as it was.
        look = Look(f"{mark} {now.st_mtime_ns} {now.st_size}", {_NAME: mark})
        return since if look == since else look

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def shown(self) -> str:
        """Say what is looked at, for people."""
        return f"{display(self._url)}: its commits"

    def _open(self) -> None:
        self.close()
        self._connection = connect_sqlite(self._path, _BUSY_SECONDS)
        self._opened += 1
        opened = os.stat(self._path)
        self._file = (opened.st_dev, opened.st_ino)
