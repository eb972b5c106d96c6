"""Work beside the event loop: how many may wait, and what nobody waits for."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from mirrorlist.process.jobs import PRESENCE, Abandoned, Busy, Check, Jobs, Presence
from mirrorlist.web.protocol import LimitedProtocol

FOREVER = 1000.0


class Held:
    """Work that holds the thread until it may go on."""

    def __init__(self) -> None:
        """Begin shut."""
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.names: list[str] = []
        self.done: list[str] = []

    def work(self, name: str) -> Callable[[Check], str]:
        """Return work that waits, then looks whether it is still wanted."""

        def work(check: Check) -> str:
            self.names.append(name)
            self.begun.set()
            self.may_end.wait(10)
            check()
            self.done.append(name)
            return name

        return work

    async def occupy(self, jobs: Jobs, presence: Callable[[], Presence]) -> "asyncio.Task[str]":
        """Let the thread begin with work called first."""
        task = asyncio.create_task(jobs.do(self.work("first"), presence))
        await asyncio.to_thread(self.begun.wait, 10)
        return task


def _is(presence: Presence) -> Callable[[], Presence]:
    return lambda: presence


def test_so_many_may_wait() -> None:
    """Beside the running jobs this many wait; the next is refused at once; then all are done."""

    async def run() -> None:
        held, jobs = Held(), Jobs("test", FOREVER, most_waiting=3)
        first = await held.occupy(jobs, _is(Presence.THERE))
        waiting = [asyncio.create_task(jobs.do(held.work(str(n)))) for n in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await jobs.do(held.work("one too many"))
        held.may_end.set()
        assert await asyncio.gather(first, *waiting) == ["first", "0", "1", "2"]
        assert jobs.count == 0
        assert await jobs.do(held.work("later")) == "later"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("presence", "done"),
    [
        pytest.param(Presence.THERE, ["first", "second"], id="there"),
        pytest.param(Presence.SILENT, [], id="half closed, and another waits"),
        pytest.param(Presence.GONE, [], id="gone"),
    ],
)
def test_who_has_gone(presence: Presence, done: list[str]) -> None:
    """Work whose client has gone is not begun, and ends at its next step if it is under way."""

    async def run() -> list[str]:
        held, jobs = Held(), Jobs("test", FOREVER)
        now = [Presence.THERE]
        first = await held.occupy(jobs, lambda: now[0])
        second = asyncio.create_task(jobs.do(held.work("second"), lambda: now[0]))
        last = asyncio.create_task(jobs.do(held.work("last")))
        await asyncio.sleep(0)
        now[0] = presence
        held.may_end.set()
        results = await asyncio.gather(first, second, last, return_exceptions=True)
        assert results[2] == "last"
        assert all(isinstance(one, Abandoned) for one in results[:2]) is (not done)
        # The first was under way when they left, the second is not even begun.
        assert held.names == ["first", *done[1:], "last"]
        return held.done

    assert asyncio.run(run()) == [*done, "last"]


def test_a_half_closed_connection_alone() -> None:
    """A client that sends no more is answered where nobody else waits."""

    async def run() -> str:
        return await Jobs("test", FOREVER).do(lambda check: "done", _is(Presence.SILENT))

    assert asyncio.run(run()) == "done"


def test_a_refused_thread_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the system refuses threads all are told to come again, and none of it is done later."""
    done: list[str] = []

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def ask(jobs: Jobs, name: str) -> None:
        await jobs.do(lambda check: done.append(name))

    async def run() -> None:
        jobs = Jobs("refused")
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            for _ in range(100):
                with pytest.raises(Busy):
                    await ask(jobs, "refused")
        await ask(jobs, "taken")

    asyncio.run(run())
    assert done == ["taken"]


def test_what_waited_too_long() -> None:
    """Work is not begun when its time is over."""

    async def run() -> None:
        held = Held()
        held.may_end.set()
        with pytest.raises(Abandoned):
            await Jobs("test", 0.0).do(held.work("late"))
        assert held.done == []

    asyncio.run(run())


async def _seen(leave: Callable[[asyncio.StreamWriter], object]) -> list[Presence]:
    """What an app on a real connection is told before and after its client does something."""
    begun, seen = asyncio.Event(), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        presence = scope[PRESENCE]
        seen.append(presence())
        begun.set()
        for _ in range(60):
            if presence() is not seen[0]:
                break
            await asyncio.sleep(0.005)
        seen.append(presence())
        begun.clear()

    loop = asyncio.get_running_loop()
    config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
    config.load()
    state = ServerState()
    server = await loop.create_server(
        lambda: LimitedProtocol(config, state, {}, loop), "127.0.0.1", 0
    )
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.wait_for(begun.wait(), 5)
    leave(writer)
    await asyncio.wait(state.tasks)
    writer.close()
    server.close()
    return seen


@pytest.mark.parametrize(
    ("leave", "after"),
    [
        pytest.param(lambda writer: writer.write_eof(), Presence.SILENT, id="closes its half"),
        pytest.param(lambda writer: writer.transport.abort(), Presence.SILENT, id="closes both"),
        pytest.param(lambda writer: writer.write(b"no HTTP\r\n\r\n"), None, id="goes on"),
    ],
)
def test_how_a_connection_is(
    leave: Callable[[asyncio.StreamWriter], object], after: Presence | None
) -> None:
    """A real connection says that its client sends no more, which is all that a close shows."""
    before, found = asyncio.run(_seen(leave))
    assert before is Presence.THERE
    assert found is (after or Presence.THERE)
