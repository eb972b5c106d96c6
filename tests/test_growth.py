"""How numbers that are kept elsewhere get into a slot."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from mirrorlist.process.messages import Unfailing
from mirrorlist.records.counts import Count, Counts
from mirrorlist.records.growth import Growth
from mirrorlist.status.admin_process import run_admin
from mirrorlist.web.listener import listen
from mirrorlist.workers.run import make_check
from tests.live import exchange, request, wait_until


@pytest.mark.parametrize(
    ("begin", "counted"),
    [pytest.param(0, [3, 3, 10], id="from nothing"), pytest.param(2, [1, 1, 8], id="from more")],
)
def test_growth(begin: int, counted: list[int]) -> None:
    """The slot has what came since the beginning, each of it once, however often one looks."""
    counts = Counts(1)
    numbers = iter((3, 3, 10))
    growth = Growth(counts.claim(), Count.MESSAGES_LOST, lambda: next(numbers), begin)
    found = []
    for _ in range(3):
        growth.add()
        found.append(counts.totals().counts[Count.MESSAGES_LOST])
    assert found == counted


def test_several_in_one_slot() -> None:
    """Two that count the same are added up, and one of another kind stands apart."""
    counts = Counts(1)
    slot = counts.claim()
    for count, number in ((Count.SWAPS, 1), (Count.ERRORS, 2), (Count.ERRORS, 3)):
        Growth(slot, count, lambda number=number: number).add()  # type: ignore[misc]
    found = counts.totals().counts
    assert (found[Count.SWAPS], found[Count.ERRORS]) == (1, 5)


@contextmanager
def full_disk() -> Iterator[Unfailing]:
    """Standard error on a disk without room, as in a process that stays; a line is lost already."""
    before, file = sys.stderr, os.open("/dev/full", os.O_WRONLY)
    sys.stderr = stream = Unfailing(file)
    stream.write("lost before the fork\n")
    try:
        yield stream
    finally:
        sys.stderr = before
        os.close(file)


def lost(counts: Counts) -> int:
    """How many lines all processes have lost."""
    return counts.totals().counts[Count.MESSAGES_LOST]


def test_lines_that_the_supervisor_lost() -> None:
    """The supervisor counts each line that it lost, those of its start among them."""
    counts, found = Counts(1), []
    check = make_check(counts)
    with full_disk() as stream:
        for _ in range(2):
            check()
            found.append(lost(counts))
            stream.write("another\n")
    assert found == [1, 2]


def test_lines_that_the_admin_process_lost() -> None:
    """The admin process counts what it lost itself, and not what was lost before its fork."""
    counts, (reader, writer) = Counts(1), os.pipe()
    with full_disk() as stream, listen("127.0.0.1", 0) as listener:
        if not (process := os.fork()):
            os.close(writer)
            try:
                say = partial(print, file=stream)
                run_admin(listener, counts, 1.0, None, None, (), say, reader)
                os._exit(0)
            finally:
                os._exit(1)
        port = listener.getsockname()[1]
    os.close(reader)
    assert exchange(port, request(b"/health/live")).body == b"OK\n"
    # Means nothing to it, and it says so.
    os.kill(process, signal.SIGUSR1)
    wait_until("the line is lost", lambda: lost(counts) == 1)
    # The end of the lifeline.
    os.close(writer)
    assert os.waitpid(process, 0)[1] == 0
    assert lost(counts) == 1
