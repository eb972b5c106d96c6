"""What one process writes about itself, and others read while it writes."""

import mmap
import os
import signal

import pytest

from mirrorlist.records.blackboard import CELL_BYTES, MOST_NOTICE_BYTES, NOTICE_CELLS, Notice
from mirrorlist.records.counts import Counts


def shared_cells() -> memoryview:
    """Return cells for one notice, which forked processes share."""
    return memoryview(mmap.mmap(-1, NOTICE_CELLS * CELL_BYTES)).cast("Q")


def test_nothing_yet() -> None:
    """A notice that was never written is empty."""
    assert Notice(shared_cells()).read() == b""


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, MOST_NOTICE_BYTES])
def test_any_text(size: int) -> None:
    """A text of any size up to the limit is read as it was written, in place of a longer one."""
    notice = Notice(shared_cells())
    notice.write(b"-" * MOST_NOTICE_BYTES)
    notice.write(b"x" * size)
    assert notice.read() == b"x" * size


def test_one_byte_too_many() -> None:
    """A text over the limit is an error, and the one before it can still be read."""
    notice = Notice(shared_cells())
    notice.write(b"one")
    with pytest.raises(ValueError, match="4097 bytes, the limit is 4096"):
        notice.write(b"x" * (MOST_NOTICE_BYTES + 1))
    assert notice.read() == b"one"


def test_never_half_of_it() -> None:
    """A reader gets a whole text even while a text is written, however fast texts change."""
    cells = shared_cells()
    if not (writer := os.fork()):
        notice, texts = Notice(cells), [bytes([at]) * (at * 16 - 1) for at in range(1, 256)]
        while True:
            for text in texts:
                notice.write(text)
    try:
        notice, seen = Notice(cells), set[bytes]()
        while len(seen) < 40:
            seen.add(notice.read())
            # On a machine with one free core the writer writes on, up to anywhere in a text.
            os.sched_yield()
    finally:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
    assert {len(text) for text in seen} <= {0, *(text[0] * 16 - 1 for text in seen if text)}
    assert all(len(set(text)) <= 1 for text in seen)


def test_a_writer_that_died() -> None:
    """After an end in the middle of a write nothing is read, until the successor has written."""
    cells = shared_cells()
    Notice(cells).write(b"one")
    # As if between its two writings of the version, the first of the cells.
    cells[0] += 1
    assert Notice(cells).read() == b""
    successor = Notice(cells)
    successor.write(b"two")
    assert successor.read() == b"two"


def test_a_place_in_each_slot() -> None:
    """Each process has a notice of its own, beside its counters, and neither spoils the other."""
    counts = Counts(2)
    first = counts.claim()
    if not (process := os.fork()):
        counts.claim().notice.write(b"\xff" * MOST_NOTICE_BYTES)
        os._exit(0)
    os.waitpid(process, 0)
    assert counts.notices() == [b"\xff" * MOST_NOTICE_BYTES]
    first.notice.write(b"\xff" * MOST_NOTICE_BYTES)
    assert len(counts.notices()) == 2
    assert counts.totals() == Counts(2).totals()
    assert not counts.is_draining
