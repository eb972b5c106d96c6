"""Pages that take long: made once for all who wait for them, while other pages are answered."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from mirrorlist.status.admin import Reply, json_reply


class Shared:
    """A page that is made once for all who ask for it before it is begun; see `AnyRoutes`.

    Many who ask at once so cost two makings. A page that is begun already may not show what
    happened since, so who asks then waits for the next one.
    """

    def __init__(self, make: Callable[[], Awaitable[Reply]]) -> None:
        """Take what makes the page."""
        self._make = make
        self._begin(None)

    def _begin(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop, self._turn = loop, asyncio.Lock()
        self._next: asyncio.Task[Reply] | None = None

    async def __call__(self) -> Reply:
        """Return a page that was begun after this call; raises what its making raises."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # After an error the listener goes on with a new loop.
            self._begin(loop)
        page = self._next
        if page is None:
            page = self._next = loop.create_task(self._in_turn())
        # A client that leaves takes the page from nobody else.
        return await asyncio.shield(page)

    async def _in_turn(self) -> Reply:
        async with self._turn:
            self._next = None
            return await self._make()


async def in_thread(make: Callable[[], Reply]) -> Reply:
    """Return what a function returns; `asyncio.to_thread` would let the process wait for it."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Reply] = loop.create_future()

    def set_once(what: Callable[[], None]) -> None:
        if not found.done():
            what()

    def put(what: Callable[[], None]) -> None:
        # The loop may have ended meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(set_once, what)

    def run() -> None:
        try:
            reply = make()
        except Exception as error:
            put(partial(found.set_exception, error))
        else:
            put(partial(found.set_result, reply))

    try:
        threading.Thread(target=run, name="page", daemon=True).start()
    except (RuntimeError, MemoryError, OSError) as error:
        return json_reply({"error": f"the system refuses a thread: {error}"}, 503)
    return await found
