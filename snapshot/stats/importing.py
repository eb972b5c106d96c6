"""Counts old logs into the database, each line once.

A log is known by its content: the digest of its first line, how many bytes were taken, and their
digest. So a log that was renamed or packed is known again, and of one that has grown only the new
lines are taken.
"""

import gc
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle
from mmap import mmap
from multiprocessing import get_context
from pathlib import Path

from msgspec import Struct

from snapshot.file.errors import LogError
from snapshot.link import Link, linked
from snapshot.stats import adding, loglines
from snapshot.stats.logfiles import BLOCK_BYTES, MOST_LINE, blocks, first_line
from snapshot.stats.logforms import Counted, Reading
from snapshot.stats.loglines import Raw
from snapshot.stats.tables import SUBJECT, day_of, prepare
from snapshot.stats.texts import fit

_PROGRAM = "mirrorlist stats import"
_KNOWN = "SELECT bytes, digest FROM stat_import WHERE first = %(first)s"
_NOTE = """INSERT INTO stat_import (first, bytes, digest, name, requests, added)
    VALUES (%(first)s, %(bytes)s, %(digest)s, %(name)s, %(requests)s, %(added)s)"""
# Blocks that wait for a process: more would only fill the memory.
_WAITING = 2
# A log of fewer bytes is counted sooner than another process is started.
_SMALL = 8 << 20

Known = Mapping[int, str]
"""The digests of what was taken of logs that begin so, by the number of bytes."""


class Imported(Struct):
    """What an import of a file did."""

    path: str
    """The file."""
    requests: int = 0
    """Requests that were added."""
    escaped: int = 0
    """How many of them have a name that the database's encoding lacks characters for."""
    before: int = 0
    """Bytes, unpacked, that an earlier import had taken."""
    passed: int = 0
    """Lines of requests for something else than a list."""
    unread: int = 0
    """Lines that are torn or foreign; with it the last line, if it has no end yet."""
    shown: list[str] = []
    """Some of them."""
    seconds: float = 0.0
    """How long it took."""
    problem: str = ""
    """Why nothing of it was added, if it is not a log, or cannot be read."""


class _Read(Struct):
    counted: Counted
    end: int
    digest: str
    before: int
    unended: bytes


def import_logs(paths: Sequence[Path], database: str, reading: Reading) -> Iterator[Imported]:
    """Add the requests in some logs, and yield what each gave; raises DatabaseError."""
    for path in paths:
        try:
            yield _import(path, database, reading)
        except LogError as error:
            yield Imported(path=str(path), problem=str(error))


def _import(path: Path, database: str, reading: Reading) -> Imported:
    began = time.monotonic()
    first = first_line(path)
    with linked(database, _PROGRAM, create=True) as link:
        prepare(link, [])
        known = _known(link, first)
        read = _read(path, known, reading)
        found = read.counted
        if found.unread and not found.requests and not found.passed and not read.before:
            raise LogError(
                f"{path}: no line of a log that we know; one of its lines: {found.shown[0][:80]}"
            )
        escaped = _write(link, path, first, known, read) if read.end > read.before else 0
    unended = [read.unended.decode("utf-8", "replace")] if read.unended else []
    return Imported(
        path=str(path),
        requests=found.requests,
        escaped=escaped,
        before=read.before,
        passed=found.passed,
        unread=found.unread + len(unended),
        shown=[*found.shown, *unended],
        seconds=round(time.monotonic() - began, 3),
    )


def _known(link: Link, first: str) -> dict[int, str]:
    return {int(size): str(digest) for size, digest in link.query(_KNOWN, {"first": first})}


def _write(link: Link, path: Path, first: str, known: Known, read: _Read) -> int:
    """Add what was read, and return how many requests have a name with escapes."""
    contents = [
        adding.Content(detail, [], has_hours=has_hours)
        for detail, has_hours in ((read.counted.dated, False), (read.counted.timed, True))
        if detail
    ]
    today = day_of(int(time.time()))
    prepare(link, {day for one in contents for day in one.days()}, adding.detailed(today))
    link.begin()
    link.wait_alone(SUBJECT)
    if _known(link, first) != known:
        raise LogError(f"{path}: another import took it meanwhile; this one adds nothing")
    values = {"first": first, "bytes": read.end, "digest": read.digest}
    values |= {"name": fit(path.name, link.safe_codec())}
    values |= {"requests": read.counted.requests, "added": int(time.time())}
    link.execute(_NOTE, values)
    escaped = sum(adding.write(link, one, today) for one in contents)
    link.end(commit=True)
    return escaped


def _read(path: Path, known: Known, reading: Reading) -> _Read:
    """Count the lines behind what is known."""
    before = _taken(path, known)
    read = _Read(Counted(), 0, "", before, b"")
    total = loglines.nothing()
    size = path.stat().st_size
    with counters(reading, 1 if size < _SMALL else os.cpu_count() or 1) as those:
        turns = cycle(those)
        for block in blocks(path, [before]):
            if not block.data.endswith(b"\n"):
                read.unended = block.data
                continue
            read.end, read.digest = block.end, block.digest
            if block.end > before:
                next(turns).take(block.data)
        for one in those:
            total.add(one.give())
    read.counted = loglines.take_apart(total, reading)
    return read


def _taken(path: Path, known: Known) -> int:
    """Return how many bytes of a log an earlier import has taken."""
    found = 0
    for block in blocks(path, known) if known else ():
        if known.get(block.end) == block.digest:
            found = block.end
        if block.end >= max(known):
            break
    return found


class _Here:
    """Counts blocks, and gives their sum."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._total = loglines.nothing()

    def take(self, data: bytes | memoryview) -> None:
        loglines.count_into(self._total, data, self._reading)

    def give(self) -> Raw:
        return self._total


class _Elsewhere:
    """Does the same in a process of its own, which adds the blocks up: it gives one sum.

    The process sees the blocks in memory that both share: a pipe would take a third of the time.
    """

    def __init__(self, stack: ExitStack, reading: Reading) -> None:
        self._shared = [mmap(-1, BLOCK_BYTES + MOST_LINE) for _ in range(_WAITING)]
        given = (reading, self._shared)
        pool = ProcessPoolExecutor(1, get_context("fork"), _use, given)
        self._pool = stack.enter_context(pool)
        self._waiting = deque[Future[None]]()
        self._taken = 0

    def take(self, data: bytes) -> None:
        if len(self._waiting) == _WAITING:
            self._waiting.popleft().result()
        place = self._taken % _WAITING
        self._taken += 1
        self._shared[place][: len(data)] = data
        self._waiting.append(self._pool.submit(_take, place, len(data)))

    def give(self) -> Raw:
        for one in self._waiting:
            one.result()
        return self._pool.submit(_give).result()


@contextmanager
def counters(reading: Reading, processes: int) -> "Iterator[Sequence[_Here | _Elsewhere]]":
    """Give what counts blocks by `take`, and gives their sum by `give`: processes, or this one."""
    if processes == 1:
        yield [_Here(reading)]
        return
    with ExitStack() as stack:
        yield [_Elsewhere(stack, reading) for _ in range(processes)]


class _Process:
    """What a counting process uses for all blocks: given once, before the fork."""

    counter: _Here
    shared: Sequence[mmap]


def _use(reading: Reading, shared: Sequence[mmap]) -> None:
    gc.disable()
    _Process.counter, _Process.shared = _Here(reading), shared


def _take(place: int, length: int) -> None:
    with memoryview(_Process.shared[place]) as view:
        _Process.counter.take(view[:length])


def _give() -> Raw:
    return _Process.counter.give()
