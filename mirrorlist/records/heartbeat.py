"""Whether workers still answer: each worker's event loop tells once a second that it runs.

Whoever looks from outside counts its own looks and compares no clocks: a machine that was asleep,
a container that was frozen, or a clock that was set makes nobody look dead.
"""

import time
from collections.abc import Callable, Mapping

HUNG_SECONDS = 60.0
"""After how long without a beat a worker is killed, so that another takes its place."""

BEAT_SECONDS = 1.0


class HeartbeatMonitor:
    """Sees for how long each worker has been silent, as long as somebody looks."""

    def __init__(
        self,
        beats: Callable[[], Mapping[int, float]],
        look_seconds: float,
        hung_seconds: float = HUNG_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take where to read the last beats, how often somebody looks, and when that is too long.

        What lies between two looks counts at most twice what should: we may have been stopped too.
        """
        self._beats, self._clock = beats, clock
        self._most, self._hung_seconds = 2 * look_seconds, hung_seconds
        self._looked = clock()
        self._seen: dict[int, tuple[float, float]] = {}

    def hung(self) -> list[int]:
        """Look, and return the processes that have been silent for too long."""
        now = self._clock()
        passed, self._looked = min(self._most, now - self._looked), now
        before, self._seen = self._seen, {}
        for process, beat in self._beats().items():
            last, silent = before.get(process, (beat, -passed))
            self._seen[process] = beat, (silent + passed if last == beat else 0.0)
        return [one for one, (_, silent) in self._seen.items() if silent >= self._hung_seconds]
