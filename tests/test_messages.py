"""What is said can neither fail nor wait, whatever becomes of standard error."""

import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from mirrorlist.process.messages import Unfailing, lost_lines, print_trouble, safely
from mirrorlist.process.outlet import Outlet
from tests.live import ROOT

LONG = "long " * 2000 + "\n"


def full_disk() -> tuple[int, int]:
    """A disk without room."""
    return os.open("/dev/full", os.O_WRONLY), -1


def no_reader() -> tuple[int, int]:
    """A pipe whose reader is gone."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer, -1


def idle_reader() -> tuple[int, int]:
    """A pipe whose reader never reads."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while os.write(writer, b"x" * select.PIPE_BUF):
            pass
    # As a shell gives it: the one who writes would wait for ever.
    os.set_blocking(writer, True)
    return writer, reader


def idle_socket() -> tuple[int, int]:
    """A socket, as a service manager gives it, whose other side never reads."""
    ours, other = socket.socketpair()
    ours.setblocking(False)
    with suppress(BlockingIOError):
        while ours.send(b"x" * 4096):
            pass
    ours.setblocking(True)
    return ours.detach(), other.detach()


def closed() -> tuple[int, int]:
    """What has been closed by somebody since."""
    return -1, -1


KINDS = [full_disk, no_reader, idle_reader, idle_socket, closed]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def spoilt(request: pytest.FixtureRequest) -> Iterator[Unfailing]:
    """A stream that nothing can be written to."""
    make: Callable[[], tuple[int, int]] = request.param
    file, other = make()
    opened = file if file >= 0 else os.open(os.devnull, os.O_WRONLY)
    stream = Unfailing(opened)
    if file < 0:
        os.close(opened)
    yield stream
    for one in (file, other):
        if one >= 0:
            os.close(one)


def test_takes_everything(spoilt: Unfailing) -> None:
    """Lines are lost and counted, and nobody who says them fails or waits."""
    spoilt.write("one\ntwo\n")
    spoilt.write(LONG)
    spoilt.write("not a whole")
    assert spoilt.lost == 3
    spoilt.flush()
    assert spoilt.lost == 4


def test_a_traceback_is_lost_too(spoilt: Unfailing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Python prints itself goes the same way."""
    monkeypatch.setattr(sys, "stderr", spoilt)
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        print_trouble()
    assert lost_lines() >= 3


def test_what_was_lost_is_said() -> None:
    """When somebody reads again, he is told how many lines he has missed."""
    writer, reader = idle_reader()
    stream = Unfailing(writer)
    stream.write("one\ntwo\n")
    read_all(reader)
    stream.write("three\n")
    assert read_all(reader) == b"mirrorlist: lines lost before this one: 2\nthree\n"
    assert stream.lost == 2
    os.close(writer)
    os.close(reader)


def test_a_shared_pipe_stays_as_it_is() -> None:
    """Others who write to the same pipe still wait for its reader, as they expect."""
    reader, writer = os.pipe()
    stream = Unfailing(writer)
    stream.write(LONG)
    assert os.get_blocking(writer)
    assert read_all(reader) == LONG.encode()
    os.close(writer)
    os.close(reader)


def test_a_pipe_of_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the pipe cannot be opened once more, as in many containers, nobody waits either."""
    writer, reader = idle_reader()

    def refuse(*_: object) -> int:
        raise PermissionError

    with monkeypatch.context() as patch:
        # Root may open everything, so that nothing real refuses.
        patch.setattr(os, "open", refuse)
        outlet = Outlet(writer)
    with pytest.raises(BlockingIOError):
        outlet.push(b"line\n")
    read_all(reader)
    assert outlet.push(b"line\n") == 5
    assert read_all(reader) == b"line\n"
    os.close(writer)
    os.close(reader)


def test_a_say_that_fails() -> None:
    """A failure of the function that prints a message does not reach the caller."""

    def fails(text: str) -> None:
        raise OSError

    safely(fails)("text")


CLOSED = """
import os, sys
from mirrorlist.process.messages import stay
stay()
file = os.open("/dev/null", os.O_RDONLY)
sys.stderr.write("line\\n")
sys.stdout.write("line\\n")
os._exit(0 if file > 2 else 9)
"""


@pytest.mark.parametrize("closing", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_closed_at_the_start(closing: str) -> None:
    """No file that is opened later gets the number of a closed one, and so all that is said."""
    command = f"exec {sys.executable} -c '{CLOSED}' {closing}"
    assert subprocess.run(["sh", "-c", command], cwd=ROOT, timeout=20).returncode == 0


def read_all(reader: int) -> bytes:
    """Return what is in a pipe."""
    os.set_blocking(reader, False)
    found = b""
    with suppress(BlockingIOError):
        while piece := os.read(reader, 1 << 20):
            found += piece
    return found
