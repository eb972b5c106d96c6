"""Writes what a worker counts into the spool, a folder that a collector empties.

Each minute, and at the stop, the counts are written whole into a hidden file, which is then
renamed: from then on a collector may take it, and it never changes. While many files wait there,
the hidden file is written again each minute with what was added, and renamed once an hour; while
too many wait, it is not renamed at all. So counts are added up before anybody can have seen them,
and a crash costs a minute at most. Hidden files of processes that are gone are renamed by the next.
"""

import fcntl
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mirrorlist.errors import StartError
from mirrorlist.process.messages import Say, safely
from mirrorlist.process.threads import Threads
from mirrorlist.records.backlog import Backlog, look_at_spool
from mirrorlist.records.tables import MOST_KEYS, Tables
from mirrorlist.records.tally import Tally
from snapshot.stats.spool import MOST_NAME, SUFFIX, encode, remove_parts
from snapshot.stats.spool import write as write_whole

EVERY_SECONDS = 60.0
"""A crash costs the counts of this long at most."""

HELD_SECONDS = 3600
"""While many files wait, a file is begun this often."""

MANY = Backlog(files=1000, size=64 << 20)
"""With more than one of these, files are begun once an hour."""
TOO_MANY = Backlog(files=20_000, size=1 << 30)
"""With more than one of these, no file is begun."""

# At the end a worker waits this long for a disk that does not answer.
_CLOSE_SECONDS = 2.0
_HIDDEN = re.compile(r"\.(\d+-([0-9a-f]{32})-\d+" + re.escape(SUFFIX) + r")\.open")
_LOCK = re.compile(r"\.([0-9a-f]{32})\.lock")


class Spooler:
    """The thread of a worker that writes its counts.

    `written` and `others` count requests, in all and those under OTHER; `failures` counts writes
    that failed. `waiting` is how many requests no file has that a collector can take.
    """

    def __init__(
        self, folder: Path, tally: Tally, say: Say, clock: Callable[[], float] = time.time
    ) -> None:
        """Take a folder that `prepare` has made, and what counts; `say` is for the operator."""
        self.written = self.others = self.failures = self.waiting = 0
        self.is_out = False
        self._others_written = 0
        self._folder, self._tally, self._clock = folder, tally, clock
        self._say = safely(say)
        self._server = (folder / ".server").read_text().strip()
        self._held = Tables(clock(), tally.key)
        self._source, self._sequence = "", 1
        # While it is locked, nobody takes this process for one that is gone.
        self.lock = -1
        # A file that is written and must only be renamed.
        self._due: tuple[Path, Path] | None = None
        self._is_ending, self._ended = False, threading.Event()
        self._has_begun = False

    def start(self, threads: Threads) -> None:
        """Begin to write each minute, in a thread; after a fork, so that each process is one."""
        # An error of this is told when the first counts are written.
        with suppress(OSError):
            self._begin()
        threads.go_on("statistics", self._step)
        self._has_begun = True

    def close(self) -> None:
        """Write what is left; what cannot be written within 2 s is lost."""
        if self._has_begun:
            self._is_ending = True
            self._tally.is_full.set()
            self._ended.wait(_CLOSE_SECONDS)
        else:
            self.write(is_last=True)
        if self.waiting:
            self._say(
                f"warning: {self._folder}: at the stop, statistics of {self.waiting} requests"
                " are lost"
            )

    def write(self, is_last: bool = False) -> None:
        """Write what was counted; the disk may take its time."""
        self._take()
        try:
            if not self._source:
                self._begin()
            was_due = self._due is not None
            self._store(is_last)
            self._publish()
            if was_due:
                # There was only room for one.
                self._store(is_last)
                self._publish()
            self._tell_end()
        except OSError as error:
            self._fail(error)

    def _begin(self) -> None:
        # Drawn by each process for itself: two batches never have one name.
        source = os.urandom(16).hex()
        self.lock = _lock(self._folder / f".{source}.lock")
        self._source = source
        publish_left(self._folder)

    def _step(self) -> bool:
        due = time.monotonic() + EVERY_SECONDS
        while (left := due - time.monotonic()) > 0 and not self._is_ending:
            # Set by the tally too, which has many answers to count.
            if self._tally.is_full.wait(left) and not self._is_ending:
                self._take()
        is_last = self._is_ending
        try:
            self.write(is_last)
        finally:
            if is_last:
                with suppress(OSError):
                    os.unlink(self._folder / f".{self._source}.lock")
                self._ended.set()
        return is_last

    def _take(self) -> None:
        now = self._clock()
        taken = self._tally.take(now)
        if not self._held.is_empty:
            self._held.add(taken)
        else:
            taken.begun = now if taken.is_empty else self._held.ended
            self._held = taken
        self.waiting = self._held.requests
        self.others = self._others_written + self._held.others

    def _store(self, is_last: bool) -> None:
        """Write the hidden file, and make it due if it is time for it."""
        held = self._held
        if held.is_empty:
            return
        batch = held.batch(self._source, self._sequence, self._server, self._tally.key.id)
        hidden = write_whole(self._folder, f".{batch.file_name}.open", encode([batch]))
        if self._due is None and (is_last or self._may_publish()):
            self._due = hidden, self._folder / batch.file_name
            self._sequence += 1
            self._others_written += held.others
            self.written += held.requests
            self._held = Tables(held.ended, self._tally.key)

    def _may_publish(self) -> bool:
        backlog = look_at_spool(self._folder)
        if backlog.is_over(TOO_MANY):
            return False
        if not backlog.is_over(MANY):
            return True
        # A clock that was set back ends the wait too.
        is_new = 0 <= self._clock() - self._held.begun < HELD_SECONDS
        return not is_new or self._held.keys > MOST_KEYS // 2

    def _publish(self) -> None:
        if self._due is not None:
            # If there was an error before, the file may be where it belongs nevertheless.
            with suppress(FileNotFoundError):
                os.rename(*self._due)
            self._due = None
        self.waiting = self._held.requests

    def _tell_end(self) -> None:
        if self.is_out:
            self.is_out = False
            self._say(f"{self._folder}: statistics are written again; nothing is lost")

    def _fail(self, error: OSError) -> None:
        self.failures += 1
        if not self.is_out:
            self.is_out = True
            self._say(
                f"warning: {self._folder}: statistics cannot be written: {error.strerror};"
                " they are kept in memory, and written as soon as that is possible"
            )


def prepare(folder: Path) -> None:
    """Make the folder of a spool, with the server's name in it; raises StartError."""
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        name = folder / ".server"
        if not name.exists():
            write_whole(folder, ".server", f"{_own_name()}-{os.urandom(2).hex()}\n".encode())
        # Some network file systems have no locks.
        with suppress(BlockingIOError), _locked(name):
            pass
    except OSError as error:
        raise StartError(f"{folder}: the spool cannot be written: {error.strerror}") from error


def publish_left(folder: Path) -> None:
    """Rename the hidden files of processes that are gone, or remove them; raises OSError."""
    remove_parts(folder)
    left: dict[str, list[str]] = {}
    for name in sorted(os.listdir(folder)):
        if found := _LOCK.fullmatch(name):
            left.setdefault(found[1], [])
        elif found := _HIDDEN.fullmatch(name):
            left.setdefault(found[2], []).append(found[1])
    for source, names in left.items():
        path = folder / f".{source}.lock"
        # Their process is there, or another one does the same at this moment.
        with suppress(BlockingIOError), _locked(path):
            for name in names:
                with suppress(FileNotFoundError):
                    os.rename(folder / f".{name}.open", folder / name)
            with suppress(FileNotFoundError):
                os.unlink(path)


def _lock(path: Path) -> int:
    """Return a handle of a file that is locked until it is closed, by the kernel at the latest.

    Raises BlockingIOError if another process has locked it.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another process may have taken this file for one that was left, and removed it.
            if os.fstat(handle).st_nlink:
                return handle
        except OSError:
            os.close(handle)
            raise
        os.close(handle)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = _lock(path)
    try:
        yield
    finally:
        os.close(handle)


def _own_name() -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[: MOST_NAME // 2] or "server"
