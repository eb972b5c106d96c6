"""Decides when to export: shortly after a change, and regularly without one.

This module uses no clock and no database: times are arguments, in seconds of a monotonic clock.
"""

# Programs commit in several steps, so an export waits until there was no change for this long.
QUIET_SECONDS = 0.1
# An export waits no longer than this for changes to end.
GATHER_SECONDS = 1.0
# A transaction that no table's counter shows mostly concerns other tables or databases. Exports for
# such transactions alone begin at least this far apart.
UNSURE_SECONDS = 10.0
_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 1.0, 30.0
_NEVER = float("-inf")


class Agenda:
    """The changes that wait for an export, and when that export is due."""

    def __init__(self, every: float, now: float) -> None:
        """Make the first export due at once; `every` is the longest time between two exports."""
        self._every = every
        self._full_at = now
        self._first = self._last = 0.0
        self._reasons: dict[str, None] = {}
        self._sure = False
        self._unsure_since = _NEVER
        self._retry_at = _NEVER
        self._failures = 0

    @property
    def reasons(self) -> list[str]:
        """Why to export, oldest first; empty if an export is due only because of `every`."""
        return list(self._reasons)

    def add(self, now: float, reasons: list[str], sure: bool = True) -> None:
        """Add a change; one that is not `sure` may concern other tables, so its export can wait."""
        if not self._reasons:
            self._first = now
        elif sure and not self._sure:
            # The new reasons say what has changed, so the vague ones are dropped.
            self._reasons = {}
        self._last = now
        self._reasons |= dict.fromkeys(reasons)
        self._sure = self._sure or sure

    def due_at(self) -> float:
        """Return when to export next."""
        at = self._full_at
        if self._reasons:
            rested = min(self._last + QUIET_SECONDS, self._first + GATHER_SECONDS)
            least = _NEVER if self._sure else self._unsure_since + UNSURE_SECONDS
            at = min(at, max(rested, least))
        return max(at, self._retry_at)

    def done(self, began: float, now: float) -> None:
        """Record an export that succeeded, or that would fail again until something changes."""
        if self._reasons and not self._sure:
            self._unsure_since = began
        self._reasons, self._sure = {}, False
        self._full_at = now + self._every
        self._retry_at, self._failures = _NEVER, 0

    def failed(self, now: float) -> None:
        """Record an export that failed and is to be tried again, after a pause that doubles."""
        pause = min(_FIRST_RETRY_SECONDS * 2.0**self._failures, _LAST_RETRY_SECONDS)
        self._retry_at = now + pause
        self._failures += 1

    def retry(self) -> None:
        """End the pause after a failure, because its cause seems to be gone."""
        self._retry_at, self._failures = _NEVER, 0
