"""Pages that a child process makes: the page is the same, and the memory stays with the child."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from mirrorlist.status.admin import Reply
from mirrorlist.status.apart import Apart, Compiled
from tests.left_open import left_open, open_files
from tests.live import ROOT

_HERE = os.getpid()


def by_whom(compiled: Compiled) -> Reply:
    """Say which process makes this page."""
    return Reply(200, b"%d" % os.getpid(), "text/html", (("x-a", "b"), ("x-c", "d")))


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
    reply = Apart().made(by_whom)
    assert int(reply.body) != os.getpid()
    assert reply == by_whom({})._replace(body=reply.body)
    assert Apart().made(lambda _: Reply(200, b"x" * 3_000_000)).body == b"x" * 3_000_000


def test_what_was_compiled_is_kept() -> None:
    """What a child has compiled is there for the next one."""

    def page(compiled: Compiled) -> Reply:
        known = b",".join(sorted(compiled.values()))
        compiled[str(len(compiled))] = b"%d" % len(compiled)
        return Reply(200, known)

    apart = Apart()
    assert [apart.made(page).body for _ in range(3)] == [b"", b"0", b"0,1"]


def test_a_child_that_dies() -> None:
    """If a child ends without a page, or in the middle of it, the page is made here."""

    def page(compiled: Compiled) -> Reply:
        if os.getpid() != _HERE:
            os._exit(3)
        return by_whom(compiled)

    assert Apart().made(page) == by_whom({})


def test_an_error() -> None:
    """An error of a page is raised, as if the page had been made here."""

    def page(compiled: Compiled) -> Reply:
        raise ImportError("no such library")

    with pytest.raises(ImportError, match="no such library"):
        Apart().made(page)


def test_a_child_that_hangs() -> None:
    """A child that hangs is killed, and the page is made here."""

    def page(compiled: Compiled) -> Reply:
        if os.getpid() != _HERE:
            time.sleep(60)
        return by_whom(compiled)

    assert Apart(0.05).made(page) == by_whom({})


def test_no_pipe() -> None:
    """If the system refuses what a child needs, the page is made here."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        reply = Apart().made(by_whom)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert reply == by_whom({})


def test_the_template_engine_stays_outside() -> None:
    """What makes pages for people stays in the child; what makes those for programs is loaded."""
    code = """
import sys, time
from mirrorlist.records.counts import Counts
from mirrorlist.status.admin_process import Observer, load_pages, pages
load_pages()
print("prometheus_client" in sys.modules)
counts = Counts(1)
found = pages(counts, 900, Observer(counts, None), time.time)
for _ in range(2):
    for path in ("/status", "/chain.html"):
        reply = found["GET", path]()
        assert reply.status == 200 and b"</html>" in reply.body, reply
assert found["GET", "/metrics"]().status == 200
print("jinja2" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True\nFalse\n", "")
