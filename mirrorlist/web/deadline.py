"""The one deadline of a connection: when something is done unless it gets on before."""

import asyncio
from collections.abc import Callable


def _nothing() -> None:
    """What an ended deadline does."""


class Deadline:
    """Calls something at a time that can be moved; until `end` there always is such a time.

    Moving it on is two additions: most deadlines are moved before they come, so the timer is
    left where it is if that is earlier, and looks again when it fires.
    """

    __slots__ = ("_at", "_expired", "_loop", "_timer", "since")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None], seconds: float
    ) -> None:
        """Call `expired` so many seconds from now, and again for each time that is set by then."""
        self._loop = loop
        self._expired = expired
        self._timer: asyncio.TimerHandle | None = None
        self.set(seconds)

    def set(self, seconds: float) -> None:
        """Move it to so many seconds from now; `since` is this moment, on the loop's clock."""
        self.since = self._loop.time()
        self._at = self.since + seconds
        if self._timer is None or self._timer.when() > self._at:
            self._look_at(self._at)

    def end(self) -> None:
        """Never call anything, whatever is set later, and refer to nothing."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._expired = None, _nothing

    def _look_at(self, time: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._expired is not _nothing:
            self._timer = self._loop.call_at(time, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._loop.time() < self._at:
            self._look_at(self._at)
        else:
            self._expired()
