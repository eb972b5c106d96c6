"""Whether workers still answer: each worker's event loop writes a beat once a second.

The observer adds up the time between its own checks, and does not compare a beat with a clock. So a
machine that was asleep, a container that was frozen, or a clock that was set makes no worker look
dead.
"""

import time
from collections.abc import Callable, Mapping

HUNG_SECONDS = 60.0
"""A worker is killed and replaced after these seconds without a beat."""

BEAT_SECONDS = 1.0


class HeartbeatMonitor:
    """Measures how long each worker has been silent, over the checks that are made."""

    def __init__(
        self,
        beats: Callable[[], Mapping[int, float]],
        look_seconds: float,
        hung_seconds: float = HUNG_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the last beats, the seconds between two checks, and those that are too long.

        The time between two checks counts as at most twice these seconds, because this process may
        have been stopped itself.
        """
        self._beats, self._clock = beats, clock
        self._most, self._hung_seconds = 2 * look_seconds, hung_seconds
        self._looked = clock()
        self._seen: dict[int, tuple[float, float]] = {}

    def hung(self) -> list[int]:
        """Check all workers, and return the processes that have been silent for too long."""
        now = self._clock()
        passed, self._looked = min(self._most, now - self._looked), now
        before, self._seen = self._seen, {}
        for process, beat in self._beats().items():
            last, silent = before.get(process, (beat, -passed))
            self._seen[process] = beat, (silent + passed if last == beat else 0.0)
        return [one for one, (_, silent) in self._seen.items() if silent >= self._hung_seconds]
