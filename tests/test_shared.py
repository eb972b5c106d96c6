"""Pages that take long: each is made for all who wait for it, and nobody else waits."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from mirrorlist.process.threads import Threads
from mirrorlist.status.admin import Admin, Reply
from mirrorlist.status.shared import Shared, in_thread
from mirrorlist.status.site_pages import SiteShown, site_routes
from mirrorlist.web.listener import listen
from snapshot.sites.keeper_state import KeeperState
from tests.live import Response, exchange, request


class Counting:
    """Makes pages that are numbered, while it may go on."""

    def __init__(self) -> None:
        """Begin with none; the first page waits for `go_on`."""
        self.begun = 0
        self.go_on = asyncio.Event()

    async def __call__(self) -> Reply:
        """Make the next page."""
        self.begun += 1
        body = b"%d" % self.begun
        await self.go_on.wait()
        return Reply(200, body)


def asked(shared: Shared, times: int) -> list[asyncio.Task[Reply]]:
    """Ask for a page at once."""
    return [asyncio.create_task(shared()) for _ in range(times)]


def test_many_ask_at_once() -> None:
    """All who ask before a page is begun get it; all who ask meanwhile get the next one."""

    async def run() -> None:
        make = Counting()
        shared = Shared(make)
        first = asked(shared, 50)
        while not make.begun:
            await asyncio.sleep(0)
        others = asked(shared, 50)
        await asyncio.sleep(0)
        # A client that leaves takes the page from nobody else.
        others.pop(0).cancel()
        make.go_on.set()
        assert {one.body for one in await asyncio.gather(*first)} == {b"1"}
        assert {one.body for one in await asyncio.gather(*others)} == {b"2"}
        assert make.begun == 2

    asyncio.run(run())


def test_an_error() -> None:
    """All who wait get an error, and the next page is made."""
    errors = [ZeroDivisionError("first")]

    async def make() -> Reply:
        if errors:
            raise errors.pop()
        return Reply(200, b"")

    async def run() -> None:
        shared = Shared(make)
        found = await asyncio.gather(*asked(shared, 3), return_exceptions=True)
        assert [str(one) for one in found] == ["first"] * 3
        assert (await shared()).status == 200

    asyncio.run(run())


def test_another_loop() -> None:
    """An event loop that takes the place of one that ended waits for nothing of that."""
    makings: list[Callable[[], Awaitable[object]]] = [asyncio.Event().wait]

    async def make() -> Reply:
        await (makings.pop() if makings else lambda: asyncio.sleep(0))()
        return Reply(200, b"")

    async def leave() -> None:
        for _ in range(2):
            asked(shared, 1)
            # The first page is begun, and the second one waits for its turn.
            await asyncio.sleep(0.01)

    async def ask() -> int:
        return (await asyncio.wait_for(shared(), 10)).status

    shared = Shared(make)
    asyncio.run(leave())
    assert asyncio.run(ask()) == 200


def test_in_a_thread() -> None:
    """What a function returns or raises comes back from a thread that no process waits for."""

    def make() -> Reply:
        return Reply(200, repr(threading.current_thread().daemon).encode())

    def fail() -> Reply:
        raise ZeroDivisionError

    assert asyncio.run(in_thread(make)).body == b"True"
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_thread(fail))


def test_a_database_that_is_locked() -> None:
    """While the page of a site waits for its database, other pages of the keeper are answered."""
    begun, go_on = threading.Event(), threading.Event()

    def mirrors() -> tuple[list[object], str | None]:
        begun.set()
        go_on.wait(30)
        return [], "the database is locked"

    site = SiteShown(KeeperState(), mirrors)  # type: ignore[arg-type]
    listener = listen("127.0.0.1", 0)
    admin = Admin(listener, {**site_routes(site), ("GET", "/page"): lambda: Reply(200, b"here")})
    port: int = listener.getsockname()[1]
    found: list[Response] = []

    def ask() -> None:
        found.append(exchange(port, request(b"/site", headers=[b"Accept: text/html"])))

    admin.start(Threads(print))
    asking = [threading.Thread(target=ask) for _ in range(5)]
    for one in asking:
        one.start()
    assert begun.wait(30)
    assert exchange(port, request(b"/page")).body == b"here"
    assert exchange(port, request(b"/site")).status == 200
    go_on.set()
    for one in asking:
        one.join()
    admin.stop()
    assert all(b"the database is locked" in one.body for one in found)
