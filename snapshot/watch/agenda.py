"""When to export: after changes have come to rest, soon in any case, and every so often.

Knows no clock and no database: times are arguments, in seconds of a clock that never goes back.
"""

# Programs commit in several steps; the last one is waited for.
QUIET_SECONDS = 0.5
# A database that changes all the time is exported nevertheless.
GATHER_SECONDS = 1.0
# Transactions of which no counter tells are mostly those of other tables and databases.
UNSURE_SECONDS = 10.0
_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 1.0, 30.0
_NEVER = float("-inf")


class Agenda:
    """What waits to be exported, and from when on it is due."""

    def __init__(self, every: float, now: float) -> None:
        """Begin with an export at once; `every` is the longest time without one."""
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
        """What waits, in the order in which it came; nothing when only the time has come."""
        return list(self._reasons)

    def add(self, now: float, reasons: list[str], sure: bool = True) -> None:
        """Add a change; one that is not sure is no hurry."""
        if not self._reasons:
            self._first = now
        elif sure and not self._sure:
            # Now it is known what it was.
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
        """Take note of an export that has begun and ended well, or that had better not be tried
        again before something changes.
        """
        if self._reasons and not self._sure:
            self._unsure_since = began
        self._reasons, self._sure = {}, False
        self._full_at = now + self._every
        self._retry_at, self._failures = _NEVER, 0

    def failed(self, now: float) -> None:
        """Take note of an export that is to be tried again: soon, then less and less often."""
        pause = min(_FIRST_RETRY_SECONDS * 2.0**self._failures, _LAST_RETRY_SECONDS)
        self._retry_at = now + pause
        self._failures += 1

    def retry(self) -> None:
        """Forget the pause after a failure: its cause seems to be gone."""
        self._retry_at, self._failures = _NEVER, 0
