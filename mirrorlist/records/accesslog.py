"""The request log that MirrorManager's statistics read: one line a resolved request.

A worker collects its lines, and one of its threads writes them: no answer waits for a disk or for
the reader of a pipe. Lines are collected up to a limit; beyond it they are lost, and counted.
"""

import sys
import threading
import time
from contextlib import suppress
from enum import Enum
from queue import Empty, SimpleQueue

from mirrorlist.errors import StartError
from mirrorlist.process.messages import Say, safely
from mirrorlist.process.threads import Threads
from mirrorlist.records.logfile import STANDARD_OUTPUT, LogFile, first_and_last
from mirrorlist.records.logline import LogEntry, MakeLine, begins_a_line, make_line_maker

MOST_QUEUED = 8 << 20
"""A worker collects at most this many bytes of lines."""

_FLUSH_SECONDS = 1.0
# A batch beyond the limit of bytes is written before its second is over. A batch has no more
# lines than can be joined in half a millisecond, in which the worker's loop waits for the GIL.
_BATCH_BYTES, _BATCH_LINES = 256 << 10, 8192
# At the end a worker waits this long for a reader that does not read its pipe.
_CLOSE_SECONDS = 3.0
# A write that takes longer is an outage too: for example to a network disk that is gone.
STUCK_SECONDS = 5.0


class _Wish(Enum):
    FLUSH = "flush"
    REOPEN = "reopen"
    END = "end"


class AccessLog:
    """Collects lines and writes them in batches, whole, so that workers can share a file.

    `written` and `lost` count lines.
    """

    def __init__(
        self,
        path: str,
        make_line: MakeLine | None = None,
        tell: Say | None = None,
    ) -> None:
        """Take a path, or `-` for standard output; raises StartError if it cannot be written.

        `tell` gets a line for the operator when an outage begins and when it is over.
        """
        self.written = self.lost = 0
        self._make_line = make_line or make_line_maker("classic", "full")
        self._say = safely(tell or _tell)
        self._lines: list[str] = []
        # Each number is written by one thread only: the one that answers, or the one that writes.
        self._collected = self._taken = 0
        self._mark = _BATCH_BYTES
        self._lost_seen = 0
        # The lines lost in the present outage; None without an outage.
        self._outage_lost: int | None = None
        self._wishes: SimpleQueue[_Wish] = SimpleQueue()
        self._writing = threading.Lock()
        # The time when the write under way began, on the monotonic clock.
        self._began: float | None = None
        self._has_thread, self._ended = False, threading.Event()
        _refuse_foreign(path)
        try:
            self._file = LogFile(path)
        except OSError as error:
            raise StartError(f"{path}: the log cannot be written: {error.strerror}") from error

    @property
    def queued(self) -> int:
        """How many bytes of lines wait to be written."""
        return self._collected - self._taken

    def write(self, entry: LogEntry, now: float) -> None:
        """Collect an entry's line; `now` is in seconds since 1970, UTC. Takes about 1 us."""
        line = self._make_line(entry, now)
        if self._collected - self._taken >= self._mark and self._is_full():
            self.lost += 1
            return
        # In this order `queued` never falls below 0.
        self._collected += len(line)
        self._lines.append(line)

    @property
    def is_out(self) -> bool:
        """Whether lines cannot be written at the moment."""
        return self._outage_lost is not None

    def start(self, threads: Threads | None = None) -> None:
        """Begin to write each second, in a thread; after a fork, which no thread survives."""
        # An error of this opening is reported when the first line is written.
        with suppress(OSError):
            self._file.reopen()
        (threads or Threads(self._say)).go_on("request log", self._step)

    def look(self, now: float) -> None:
        """Tell of an outage if a write hangs; to be called now and then by another thread.

        `now` is in seconds of the monotonic clock.
        """
        began = self._began
        if began is not None and now - began > STUCK_SECONDS:
            self._begin_outage("the disk does not answer")

    def reopen(self) -> None:
        """Ask the thread to write the collected lines and then open the file again; never waits.

        May be called in a signal handler.
        """
        self._wishes.put(_Wish.REOPEN)

    def close(self) -> None:
        """Write the collected lines; lines that cannot be written within 3 s are lost."""
        if self._has_thread:
            self._wishes.put(_Wish.END)
            self._ended.wait(_CLOSE_SECONDS)
        else:
            self.flush()
        # All lines from now on are lost.
        self._mark = -1
        if self._lines:
            self.lost += len(self._lines)
            self._say(f"warning: {self._file.name}: at the stop, lines of the request log are lost:"
                      f" {len(self._lines)}")  # fmt: skip

    def flush(self) -> None:
        """Write the collected lines at once, and wait until they are written."""
        with self._writing:
            try:
                error = self._flush()
            finally:
                self._began = None
            # While it cannot be written, once a second is often enough to try.
            self._mark = MOST_QUEUED if error else _BATCH_BYTES
            self._report(error)

    def _is_full(self) -> bool:
        """Ask for a flush, once; return whether there is no room for another line."""
        if self._mark == _BATCH_BYTES:
            self._mark = MOST_QUEUED
            self._wishes.put(_Wish.FLUSH)
        return self._collected - self._taken >= self._mark

    def _step(self) -> bool:
        """Do the next thing that was asked for; returns whether it is the end."""
        self._has_thread = True
        wish = self._next_wish()
        try:
            self.flush()
            if wish is _Wish.REOPEN:
                self._reopen()
        finally:
            if wish is _Wish.END:
                self._ended.set()
        return wish is _Wish.END

    def _next_wish(self) -> _Wish:
        try:
            return self._wishes.get(timeout=_FLUSH_SECONDS)
        except Empty:
            return _Wish.FLUSH

    def _flush(self) -> OSError | None:
        """Write batches until no line is left; return why one could not be written."""
        error = None
        while error is None and (count := min(len(self._lines), _BATCH_LINES)):
            # The other thread only appends meanwhile, so the lines that are read here are the
            # lines that are deleted.
            batch = "".join(self._lines[:count]).encode("ascii", "replace")
            self._began = time.monotonic()
            size, error = self._file.append(batch)
            if error:
                count = batch.count(b"\n", 0, size)
            del self._lines[:count]
            self._taken += size
            self.written += count
        return error

    def _report(self, error: OSError | None) -> None:
        """Report the beginning and the end of an outage, once each."""
        lost, self._lost_seen = self.lost - self._lost_seen, self.lost
        if error or lost:
            too_fast = "lines come faster than it takes them"
            self._begin_outage(str(error.strerror) if error else too_fast)
            self._outage_lost = (self._outage_lost or 0) + lost
        elif self._outage_lost is not None:
            self._say(f"{self._file.name}: the request log is written again;"
                      f" lines lost: {self._outage_lost}")  # fmt: skip
            self._outage_lost = None

    def _begin_outage(self, why: str) -> None:
        if self._outage_lost is None:
            self._outage_lost = 0
            self._say(f"warning: {self._file.name}: the request log cannot be written: {why};"
                      f" beyond {MOST_QUEUED >> 20} MiB lines are lost")  # fmt: skip

    def _reopen(self) -> None:
        try:
            self._file.reopen()
        except OSError as error:
            self._say(
                f"warning: {self._file.name}: the request log cannot be opened again:"
                f" {error.strerror}; the old file is still written"
            )


def _refuse_foreign(path: str) -> None:
    """Raise StartError for a file that is not a log, because lines would spoil it."""
    if path == STANDARD_OUTPUT:
        return
    try:
        first, last = first_and_last(path)
    except OSError:
        # The file is not there yet; or this user may write it but not read it, as with some logs.
        return
    if (first or last) and not begins_a_line(first) and not begins_a_line(last):
        raise StartError(
            f"{path}: not written to: it is not a request log, as its lines begin otherwise;"
            " move it away or choose another --log"
        )


def _tell(text: str) -> None:
    sys.stderr.write(f"mirrorlist: {text}\n")
    sys.stderr.flush()
