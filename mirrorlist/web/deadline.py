"""The one deadline of a connection: it ends the present state unless the state changes first."""

import asyncio
from collections.abc import Callable

# uvloop gives no timer for what is due within the millisecond.
_LEAST_SECONDS = 0.002


def _nothing() -> None:
    """Do nothing: the action of an ended deadline."""


class Deadline:
    """Calls a function at a time that can be moved; until `end` there always is such a time.

    Nearly all deadlines are moved on before they come, so moving on must be cheap: it leaves an
    earlier timer alone. When that timer fires, it is set again to the deadline that holds then.
    """

    __slots__ = ("_expired", "_loop", "_timer", "at", "since")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None], seconds: float
    ) -> None:
        """Call `expired` this many seconds from now, and again whenever `set` is called later."""
        self._loop = loop
        self._expired = expired
        self._timer: asyncio.TimerHandle | None = None
        self.set(seconds)

    def set(self, seconds: float) -> None:
        """Move it to this many seconds from now; `since` is this moment on the loop's clock."""
        self.since = self._loop.time()
        self.at = self.since + seconds
        if self._timer is None or self._timer.when() > self.at:
            self._fire_at(self.at)

    def end(self) -> None:
        """Call nothing from now on, even after a later `set`, and refer to nothing."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._expired = None, _nothing

    def _fire_at(self, time: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._expired is not _nothing:
            self._timer = self._loop.call_at(
                max(time, self._loop.time() + _LEAST_SECONDS), self._fire
            )

    def _fire(self) -> None:
        self._timer = None
        if self._loop.time() < self.at:
            self._fire_at(self.at)
        else:
            self._expired()
