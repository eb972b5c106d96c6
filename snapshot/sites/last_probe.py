"""When `mirrorlist sites probe` last asked the mirrors, as a watch sees in the database."""

import time
from collections.abc import Callable
from contextlib import suppress

from snapshot.export.database import parse_url, read_only
from snapshot.export.session import Session
from snapshot.export.site_rows import URL_STATE
from snapshot.file.errors import BackendError

LOOK_SECONDS = 60.0
# Databases of MirrorManager have no such table, and hardly ever get one.
_ABSENT_SECONDS = 600.0
# A watch looks between two looks for changes, which must not wait for who has locked the table.
_LOCK_SECONDS = 0.1


class LastProbe:
    """Looks every minute; `at` is in seconds since 1970, None if no mirror was ever asked.

    `seen` is how many different times were found.
    """

    def __init__(self, database: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the URL of the database, which is looked at when `look` is called first."""
        self.at: int | None = None
        self.seen = 0
        self._database, self._clock = database, clock
        self._next = float("-inf")

    def look(self) -> None:
        """Look if it is time; a database that does not answer changes nothing."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + LOOK_SECONDS
        with (
            suppress(BackendError),
            read_only(parse_url(self._database), _LOCK_SECONDS) as session,
        ):
            if _is_there(session):
                [(at,)] = session.query(f"SELECT max(checked) FROM {URL_STATE}")
                self._note(at)
            else:
                self.at, self._next = None, now + _ABSENT_SECONDS

    def _note(self, at: int | None) -> None:
        self.seen += at is not None and at != self.at
        self.at = at


def _is_there(session: Session) -> bool:
    return URL_STATE in session.names() and session.may_read(URL_STATE)
