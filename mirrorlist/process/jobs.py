"""Work that takes longer than a list may: one job at a time, in a thread beside the event loop.

At most `MOST_WAITING` requests wait for a job; the next one is told to ask again later. A job whose
client has left is not begun, and a job under way checks at intervals whether its client is still
there, and ends if not.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from typing import TypeVar

from mirrorlist.errors import MirrorlistError

MOST_WAITING = 16
# "No request waits longer than 60 s" (docs/protocol.md#what-changed-for-rsync).
MOST_SECONDS = 60.0
# The key in an ASGI scope for a function that returns the client's `Presence`.
PRESENCE = "mirrorlist.presence"
# A client that finds too many waiting is told to ask again after these seconds.
RETRY_SECONDS = 10

T = TypeVar("T")
Check = Callable[[], None]
"""Called between the steps of a job; raises Abandoned if its client has left."""


class Presence(IntEnum):
    """Whether a client is still at the other end of its connection."""

    THERE = 0
    SILENT = 1
    """The client closed its half: it has left, or it has only nothing more to send."""
    GONE = 2


class Busy(MirrorlistError):
    """As many requests wait as may wait."""


class Abandoned(MirrorlistError):
    """The client of a job has left, or its time is over."""


def nobody_looks() -> None:
    """Do nothing: the check of a job that has no client who could leave."""


def there() -> Presence:
    """Return that a client is there: for servers that do not say when it leaves."""
    return Presence.THERE


class Jobs:
    """One thread, and the requests that wait for it; used from one event loop."""

    def __init__(
        self, name: str, seconds: float = MOST_SECONDS, most_waiting: int = MOST_WAITING
    ) -> None:
        """Take the seconds after which a job is given up, even if its client is still there."""
        self._name = name
        self._thread = ThreadPoolExecutor(1, name)
        self._seconds = seconds
        self._most = most_waiting + 1
        self.count = 0

    async def do(self, work: Callable[[Check], T], presence: Callable[[], Presence] = there) -> T:
        """Return the result of some work; raises Busy at once, Abandoned, or the work's error."""
        if self.count >= self._most:
            raise Busy
        deadline = time.monotonic() + self._seconds

        def check() -> None:
            here = presence()
            # "A client that closes its half of the connection looks like a client that left: it is
            # served only while no other request waits" (docs/protocol.md#what-changed-for-rsync).
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
        # The system refuses a thread at present, but the executor has queued the work already. A
        # new executor keeps the refused work from being done later, for a client that got a 503.
        except RuntimeError as error:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = ThreadPoolExecutor(1, self._name)
            raise Busy from error
