"""The counts of a collector that stays, written by its loop and read by its pages in a thread."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from snapshot.file.errors import SpoolError, UnreadableSpool
from snapshot.stats import spool
from snapshot.stats.collecting import Collected, waiting_files

# Reading files for the number of their requests may delay the next collection by this long.
_COUNT_SECONDS = 2.0


class Waiting(Struct, frozen=True):
    """The files that wait; `oldest` is when the first came, in seconds since 1970.

    `requests` are those of the files that were read; `uncounted` files were not.
    """

    files: int = 0
    requests: int = 0
    uncounted: int = 0
    oldest: float | None = None


class Progress:
    """The counts since the start; `outage_since` is in seconds since 1970, None without one.

    `error` says why files wait, and `is_held` that it is about single files, not the database.
    """

    def __init__(self, spools: Sequence[Path], clock: Callable[[], float] = time.time) -> None:
        """Take the spools, whose files are looked at whenever a page is asked for."""
        self.done = Collected()
        self.damaged = self.collections = self.failed = 0
        self.last_seconds = self.all_seconds = 0.0
        self.success_at: float | None = None
        self.outage_since: float | None = None
        self.error: str | None = None
        self.is_held = False
        self._spools, self._clock = spools, clock
        self._requests: dict[Path, int] = {}
        self._received = 0
        self._lock = threading.Lock()

    def look(self) -> tuple[int, Waiting]:
        """Return how many files have come, and what waits now; raises SpoolError."""
        paths = waiting_files(self._spools)
        came = []
        for path in paths:
            # A collection has it.
            with suppress(OSError):
                came.append(path.stat().st_ctime)
        with self._lock:
            known = [self._requests[one] for one in paths if one in self._requests]
            # While files are added they are in neither number: what has come never becomes less.
            total = self.done.files + self.damaged + len(came)
            self._received = max(self._received, total)
            waiting = Waiting(
                len(came), sum(known), max(0, len(came) - len(known)), min(came, default=None)
            )
            return self._received, waiting

    def take(self, done: Collected) -> None:
        """Count what a collection did, also one that failed in the middle."""
        with self._lock:
            mine = self.done
            mine.files += done.files
            mine.batches += done.batches
            mine.again += done.again
            mine.requests += done.requests
            mine.other += done.other
            self.damaged += len(done.set_aside)

    def succeed(self, seconds: float, held: Sequence[str] = ()) -> None:
        """Count a collection that ended well, but for files that stay, with a line for each."""
        self.collections += 1
        self.last_seconds, self.success_at = seconds, self._clock()
        self.all_seconds += seconds
        self._trouble(shown_of(held), is_held=bool(held))
        with self._lock:
            self._requests.clear()

    def _trouble(self, error: str | None, *, is_held: bool) -> None:
        self.error, self.is_held = error, is_held
        if error is None:
            self.outage_since = None
        elif self.outage_since is None:
            self.outage_since = self._clock()

    def fail(self, error: Exception) -> None:
        """Count a collection that failed."""
        self.failed += 1
        self._trouble(str(error) or repr(error), is_held=False)

    def count(self, seconds: float = _COUNT_SECONDS) -> None:
        """Read the files that wait for the number of their requests, for this long at most."""
        end = time.monotonic() + seconds
        with suppress(SpoolError):
            for path in waiting_files(self._spools):
                if time.monotonic() > end:
                    return
                if path not in self._requests:
                    self._count(path)

    def _count(self, path: Path) -> None:
        requests = 0
        try:
            requests = sum(one.requests for one in spool.read(path))
        except UnreadableSpool:
            return
        # A damaged one is told of by the next collection that reaches it.
        except (SpoolError, FileNotFoundError):
            pass
        with self._lock:
            self._requests[path] = requests


def shown_of(held: Sequence[str]) -> str | None:
    """Return one line about files that stay, or None without one."""
    if not held:
        return None
    more = f" (and {len(held) - 1:,} more)" if held[1:] else ""
    return f"{held[0]}{more}"
