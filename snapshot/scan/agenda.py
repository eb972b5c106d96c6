"""Decides what of a category to scan, and when: shortly after an event, and regularly without one.

This module uses no clock and no database: times are arguments, in seconds of a monotonic clock.
"""

from msgspec import Struct, field

# A push touches many files: a scan waits until there was no event for this long.
QUIET_SECONDS = 0.5
# A scan waits no longer than this for events to end.
GATHER_SECONDS = 5.0
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 1.0, 60.0
# If more paths than this wait, the whole category is scanned.
MOST_PATHS = 1000
_NEVER = float("-inf")

WHOLE = ""
"""The path of an event that concerns the whole category."""


class Progress(Struct):
    """The counts of a category since the start.

    Times whose names end in `_at` are seconds since 1970. Times whose names end in `_since` are of
    `time.monotonic`, so that ages are right after the clock was set.
    """

    received: int = 0
    processed: int = 0
    waiting_since: float | None = None
    succeeded: int = 0
    unchanged: int = 0
    failed: int = 0
    last_seconds: float = 0.0
    all_seconds: float = 0.0
    success_at: float | None = None
    error: str | None = None
    error_at: float | None = None
    directories: int = 0
    repositories: int = 0
    problems: int = 0

    @property
    def backlog(self) -> int:
        """How many events no successful scan has taken yet."""
        return self.received - self.processed

    def waiting(self, now: float) -> float:
        """Return for how many seconds the oldest event has waited; 0 if none waits."""
        return 0.0 if self.waiting_since is None else max(0.0, now - self.waiting_since)


class _Events(Struct):
    """Events of which one scan takes all; `first` and `last` are when they came."""

    paths: dict[str, None] = field(default_factory=dict)
    count: int = 0
    first: float = 0.0
    last: float = 0.0

    def add(self, path: str, now: float) -> None:
        if not self.count:
            self.first = now
        self.count, self.last = self.count + 1, now
        if WHOLE not in self.paths:
            self.paths[path] = None
        if path == WHOLE or len(self.paths) > MOST_PATHS:
            self.paths = {WHOLE: None}


class Agenda:
    """The events of a category that wait for a scan, and when that scan is due."""

    def __init__(self, every: float, now: float) -> None:
        """Make the first scan due at once; `every` is the longest time between whole scans."""
        self.progress = Progress()
        self._every = every
        self._whole_at = now
        self._waiting = _Events()
        self._taken = _Events()
        self._is_whole = False
        self._retry_at = _NEVER
        self._failures = 0

    def add(self, path: str, now: float) -> None:
        """Add an event, of a path or WHOLE."""
        self._waiting.add(path, now)
        self.progress.received += 1
        if self.progress.waiting_since is None:
            self.progress.waiting_since = now

    def ask_whole(self, now: float) -> None:
        """Make a whole scan due, although no event asks for one."""
        self._whole_at = min(self._whole_at, now)

    def due_at(self) -> float:
        """Return when to scan next."""
        at = self._whole_at
        if self._waiting.count:
            rested = self._waiting.last + QUIET_SECONDS
            at = min(at, rested, self._waiting.first + GATHER_SECONDS)
        return max(at, self._retry_at)

    def late(self, now: float) -> float:
        """Return for how many seconds an event or the regular scan has waited; 0 if none does."""
        return max(self.progress.waiting(now), now - self._whole_at, 0.0)

    def begin(self, now: float) -> tuple[str, ...]:
        """Begin a scan of all that waits; return its paths, without one for the whole category."""
        self._taken, self._waiting = self._waiting, _Events()
        self._is_whole = WHOLE in self._taken.paths or now >= self._whole_at
        return () if self._is_whole else tuple(self._taken.paths)

    def done(self, now: float) -> None:
        """End a scan that succeeded."""
        self.progress.processed += self._taken.count
        self._taken = _Events()
        self.progress.waiting_since = self._waiting.first if self._waiting.count else None
        if self._is_whole:
            self._whole_at = now + self._every
        self._retry_at, self._failures = _NEVER, 0

    def failed(self, now: float) -> None:
        """End a scan that failed: its events wait again, for a pause that doubles."""
        taken, self._waiting = self._waiting, self._taken
        for path in taken.paths:
            self._waiting.add(path, taken.last)
        self._waiting.count += taken.count - len(taken.paths)
        self._taken = _Events()
        self._retry_at = now + min(FIRST_RETRY_SECONDS * 2.0**self._failures, LAST_RETRY_SECONDS)
        # More would be a number that is too large for a float.
        self._failures = min(self._failures + 1, 30)
