"""Work that takes longer than a list may wait for: one piece at a time, beside the event loop.

Whatever anybody asks for, no more than `MOST_WAITING` wait: who comes then is told to come again.
Nothing is begun that nobody waits for any more, and what is under way looks now and then whether
it still has somebody, and ends if not.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from typing import TypeVar

from mirrorlist.errors import MirrorlistError

MOST_WAITING = 16
# A connection whose answer is not there by then is cut off.
MOST_SECONDS = 60.0
# Where the app finds in its scope what says how the client's connection is.
PRESENCE = "mirrorlist.presence"
# What a client that is one too many is told to wait.
RETRY_SECONDS = 10

T = TypeVar("T")
Check = Callable[[], None]
"""Called between steps; raises Abandoned if nobody waits for the result any more."""


class Presence(IntEnum):
    """How a client's connection is."""

    THERE = 0
    SILENT = 1
    """It sends no more, as one that left does, and as one that only has no more to say."""
    GONE = 2


class Busy(MirrorlistError):
    """As many wait as may."""


class Abandoned(MirrorlistError):
    """Nobody waits for the result any more."""


def nobody_looks() -> None:
    """Do nothing: for work that nobody ends."""


def there() -> Presence:
    """Return that a client is there, where nobody knows better."""
    return Presence.THERE


class Jobs:
    """One thread and those that wait for it; for one event loop."""

    def __init__(
        self, name: str, seconds: float = MOST_SECONDS, most_waiting: int = MOST_WAITING
    ) -> None:
        """Take the seconds after which nobody waits any more, whatever the connection says."""
        self._name = name
        self._thread = ThreadPoolExecutor(1, name)
        self._seconds = seconds
        self._most = most_waiting + 1
        self.count = 0

    async def do(self, work: Callable[[Check], T], presence: Callable[[], Presence] = there) -> T:
        """Return what some work returns; raises Busy at once, Abandoned, or what it raises."""
        if self.count >= self._most:
            raise Busy
        deadline = time.monotonic() + self._seconds

        def check() -> None:
            here = presence()
            # A half-closed connection is served where it keeps nobody waiting.
            if here is Presence.GONE or (here is Presence.SILENT and self.count > 1):
                raise Abandoned
            if time.monotonic() >= deadline:
                raise Abandoned

        def begin() -> T:
            check()
            return work(check)

        self.count += 1
        try:
            return await self._begun(begin)
        finally:
            self.count -= 1

    def _begun(self, begin: Callable[[], T]) -> "asyncio.Future[T]":
        try:
            return asyncio.get_running_loop().run_in_executor(self._thread, begin)
        # The system refuses the thread for now. The work is queued all the same, so the queue goes.
        except RuntimeError as error:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = ThreadPoolExecutor(1, self._name)
            raise Busy from error
