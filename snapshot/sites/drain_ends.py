"""Ends drains at their time, beside the prober of `mirrorlist run`."""

import time
from collections.abc import Callable
from contextlib import suppress

from snapshot.export.database import parse_url
from snapshot.file.errors import BackendError
from snapshot.sites.database import writing
from snapshot.sites.drains import end_drains, next_end
from snapshot.sites.reading import read_only

_LOOK_SECONDS = 1.0
# Another process may have begun a drain: that is read this often.
_READ_SECONDS = 5.0


class DrainEnds:
    """Brings mirrors back when their time is over; `step` is for a thread of its own."""

    def __init__(
        self, database: str, say: Callable[[str], object], clock: Callable[[], float] = time.time
    ) -> None:
        """Take the database; `say` receives a line for each mirror that is back."""
        self._url, self._say, self._clock = parse_url(database), say, clock
        self._next: int | None = None
        self._read_at = 0.0

    def step(self) -> None:
        """End what is over, and wait for a second."""
        with suppress(BackendError):
            self.look()
        time.sleep(_LOOK_SECONDS)

    def look(self) -> None:
        """End what is over; raises BackendError if the database cannot be used now."""
        now = self._clock()
        if not 0 <= now - self._read_at < _READ_SECONDS:
            with read_only(self._url) as connection:
                self._next = next_end(connection)
            self._read_at = now
        if self._next is not None and self._next <= now:
            with writing(self._url, create=False) as connection:
                for name in end_drains(connection, int(now)):
                    self._say(f"{name}: the time of its drain is over; it is offered again")
                self._next = next_end(connection)
