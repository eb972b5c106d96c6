"""Pages that a child process makes: the page is the same, and the memory stays with the child."""

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import psutil
import pytest

from mirrorlist.process.signals import HELD
from mirrorlist.process.threads import Threads
from mirrorlist.status import apart as module
from mirrorlist.status.admin import Admin, AnyRoutes, Reply
from mirrorlist.status.apart import Apart, Compiled, Make
from mirrorlist.web.listener import listen
from tests.left_open import left_open, open_files
from tests.live import ROOT, exchange, read_to_end, request, wait_until

_HERE = os.getpid()


def by_whom(compiled: Compiled) -> Reply:
    """Say which process makes this page."""
    return Reply(200, b"%d" % os.getpid(), "text/html", (("x-a", "b"), ("x-c", "d")))


def in_child(do: Callable[[], object]) -> Make:
    """Return what makes the page of `by_whom`, and first does something if it is a child."""

    def page(compiled: Compiled) -> Reply:
        if os.getpid() != _HERE:
            do()
        return by_whom(compiled)

    return page


def hang() -> None:
    """Do not end."""
    time.sleep(60)


def made(apart: Apart, make: Make) -> Reply:
    """Ask for a page, on an event loop that begins and ends with it."""
    return asyncio.run(apart.made(make))


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Hold that no child, no zombie and no open file of a page is left."""
    children, files = _children(), open_files()
    yield
    assert not _children() - children
    assert not left_open(files)


def _children() -> set[int]:
    return {one.pid for one in psutil.Process().children()}


def test_a_child_makes_the_page() -> None:
    """The page comes from another process, whole, with its headers; then that process is gone."""
    reply = made(Apart(), by_whom)
    assert int(reply.body) != os.getpid()
    assert reply == by_whom({})._replace(body=reply.body)
    assert made(Apart(), lambda _: Reply(200, b"x" * 3_000_000)).body == b"x" * 3_000_000


def test_what_was_compiled_is_kept() -> None:
    """What a child has compiled is there for the next one."""

    def page(compiled: Compiled) -> Reply:
        known = b",".join(sorted(compiled.values()))
        compiled[str(len(compiled))] = b"%d" % len(compiled)
        return Reply(200, known)

    apart = Apart()
    assert [made(apart, page).body for _ in range(3)] == [b"", b"0", b"0,1"]


def test_a_child_that_dies() -> None:
    """If a child ends without a page, or in the middle of it, the page is made here."""
    assert made(Apart(), in_child(lambda: os._exit(3))) == by_whom({})
    assert made(Apart(), in_child(lambda: os.kill(os.getpid(), signal.SIGKILL))) == by_whom({})


def test_an_error() -> None:
    """An error of a page is raised, as if the page had been made here."""

    def page(compiled: Compiled) -> Reply:
        raise ImportError("no such library")

    with pytest.raises(ImportError, match="no such library"):
        made(Apart(), page)


def test_a_child_that_hangs() -> None:
    """A child that hangs is killed, and this process, which might hang too, does not try."""
    apart = Apart(0.05)
    reply = made(apart, in_child(hang))
    assert reply.status == 503
    assert reply.body == b"This page was not made within 0.05 s. Ask again.\n"
    assert made(Apart(), by_whom).status == 200


def test_a_child_that_cannot_be_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other child is begun beside it; it is waited for when the next page is asked for."""
    apart, others = Apart(0.05), _children()
    with monkeypatch.context() as patched:
        patched.setattr(module, "_LOOKS", 0)
        patched.setattr(module, "_has_ended", lambda child: False)
        assert [made(apart, in_child(hang)).status for _ in range(3)] == [503] * 3
        (left,) = _children() - others
        # It stays a zombie until somebody waits for it.
        os.waitid(os.P_PID, left, os.WEXITED | os.WNOWAIT)
    wait_until("a page is made", lambda: made(apart, by_whom).status == 200)


def test_a_stop_meanwhile() -> None:
    """A child ends with the event loop that waits for it."""

    async def leave() -> None:
        asyncio.create_task(apart.made(in_child(hang)))  # noqa: RUF006
        while not _children() - others:
            await asyncio.sleep(0.01)

    apart, others = Apart(), _children()
    asyncio.run(leave())
    assert made(apart, by_whom).status == 200


def test_a_parent_that_is_killed() -> None:
    """A child ends with its parent, even if it hangs."""
    code = """
import asyncio, os, time
from mirrorlist.status.apart import Apart
def page(compiled):
    os.write(1, b"%d\\n" % os.getpid())
    time.sleep(60)
asyncio.run(Apart(60).made(page))
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    wait_until("it has ended", lambda: not is_there(child))


def is_there(process: psutil.Process) -> bool:
    """Return whether a process runs; a zombie is its new parent's business."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_other_pages_meanwhile() -> None:
    """While a child hangs, others are answered, and a connection that we close is closed."""
    apart, others = Apart(1), _children()
    slowly = partial(apart.made, in_child(hang))
    routes: AnyRoutes = {("GET", "/slow"): slowly, ("GET", "/page"): _here}
    listener = listen("127.0.0.1", 0)
    admin = Admin(listener, routes)
    port: int = listener.getsockname()[1]
    admin.start(Threads(print))
    with (
        ExitStack() as stack,
        socket.create_connection(("127.0.0.1", port), 10) as other,
        socket.create_connection(("127.0.0.1", port), 10) as slow,
    ):
        stack.callback(admin.stop)
        # Once this is answered, the connections before it are accepted.
        assert exchange(port, request(b"/page")).body == b"here"
        slow.sendall(request(b"/slow"))
        while not _children() - others:
            time.sleep(0.01)
        child = _children() - others
        other.sendall(request(b"/page"))
        assert read_to_end(other).endswith(b"here")
        assert _children() - others == child
        assert read_to_end(slow).startswith(b"HTTP/1.1 503 ")


def _here() -> Reply:
    return Reply(200, b"here")


def test_what_a_child_holds() -> None:
    """A child holds the standard files and its pipe, and hears no signal that is the parent's."""

    def page(compiled: Compiled) -> Reply:
        opened = {int(name) for name in os.listdir("/proc/self/fd")}
        heard = [one.name for one in HELD if signal.getsignal(one) is not signal.SIG_IGN]
        return Reply(200, repr((len(opened - {0, 1, 2}), heard, signal.alarm(0))).encode())

    with socket.create_server(("127.0.0.1", 0)):
        # The second file is that of the listing.
        assert made(Apart(), page).body == b"(2, [], 6)"


def test_no_pipe() -> None:
    """If the system refuses what a child needs, the page is made here."""

    async def refused() -> Reply:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.open(os.devnull, os.O_RDONLY)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
        try:
            return await Apart().made(by_whom)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert asyncio.run(refused()) == by_whom({})


def test_the_template_engine_stays_outside() -> None:
    """What makes pages for people stays in the child; what makes those for programs is loaded."""
    code = """
import asyncio, sys, time
from mirrorlist.records.counts import Counts
from mirrorlist.status.admin_process import Observer, load_pages, pages
load_pages()
print("prometheus_client" in sys.modules)
counts = Counts(1)
found = pages(counts, 900, Observer(counts, None), time.time)
for _ in range(2):
    for path in ("/status", "/chain.html"):
        reply = asyncio.run(found["GET", path]())
        assert reply.status == 200 and b"</html>" in reply.body, reply
assert found["GET", "/metrics"]().status == 200
print("jinja2" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True\nFalse\n", "")
