"""The messages of a long-running process: writing one can neither fail nor wait.

Standard error may be closed, on a full disk, or a pipe without a reader. A line that cannot be
written at once is lost and counted, and the program goes on.
"""

import io
import os
import select
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO, cast

from mirrorlist.process.outlet import Outlet

Say = Callable[[str], None]
_STANDARD = 3


class Unfailing(io.TextIOBase):
    """A text stream that never raises; `lost` counts the lines that could not be written.

    Several threads may write: each thread's line is put together separately, without a lock, which
    a fork could copy while it is held.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, file: int) -> None:
        """Take the number of an open file."""
        self.lost = 0
        self._file = file
        self._outlet = Outlet(file)
        self._unsaid = 0
        self._begun: dict[int, str] = {}

    def fileno(self) -> int:
        """Return the number of the file."""
        return self._file

    def isatty(self) -> bool:
        """Return whether the file is a terminal."""
        return os.isatty(self._file)

    def writable(self) -> bool:
        """Return true."""
        return True

    def write(self, text: str | bytes) -> int:
        """Take text, or bytes, which click writes; whole lines are written at once or lost."""
        if isinstance(text, bytes):
            text = text.decode(self.encoding, self.errors)
        whole, end, rest = (self._begun.pop(threading.get_ident(), "") + text).rpartition("\n")
        if rest:
            self._begun[threading.get_ident()] = rest
        if end:
            self._lines(whole + end)
        return len(text)

    def flush(self) -> None:
        """Write the beginning of a line that has no end yet."""
        if rest := self._begun.pop(threading.get_ident(), ""):
            self._lines(rest)

    def close(self) -> None:
        """Write the beginning of a line that has no end yet; the file itself stays open."""
        super().close()
        self._outlet.close()

    def _lines(self, text: str) -> None:
        if self._unsaid and self._push(f"mirrorlist: lines lost before this one: {self._unsaid}\n"):
            self._unsaid = 0
        for line in text.splitlines(keepends=True):
            if not self._push(line):
                self.lost += 1
                self._unsaid += 1

    def _push(self, line: str) -> bool:
        left = line.encode(self.encoding, self.errors)
        try:
            # POSIX: a write of up to PIPE_BUF bytes into a pipe is whole, or does not happen.
            while left:
                left = left[self._outlet.push(left[: select.PIPE_BUF]) :]
        except (OSError, ValueError):
            return False
        return True


def stay() -> None:
    """Make printing safe: it can no longer fail or wait. Each long-running process calls this."""
    fill_standard()
    for name, file in (("stdout", 1), ("stderr", 2)):
        before = getattr(sys, name)
        if not isinstance(before, Unfailing):
            # Text that a closed file or a full disk did not take is dropped with the old stream.
            with suppress(OSError, ValueError, AttributeError):
                before.flush()
            setattr(sys, name, cast(TextIO, Unfailing(file)))


def fill_standard() -> None:
    """Open /dev/null for each standard file that was closed when the process started.

    Otherwise the next file or socket that is opened gets the number 2, and then all error messages.
    """
    for file in range(_STANDARD):
        try:
            os.fstat(file)
        except OSError:
            while (opened := os.open(os.devnull, os.O_RDWR)) < file:
                pass
            os.set_inheritable(opened, True)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def lost_lines() -> int:
    """Return how many lines this process, and those it was forked from, could not write."""
    return sum(getattr(stream, "lost", 0) for stream in (sys.stdout, sys.stderr))


def safely(say: Say) -> Say:
    """Return a function that says the same texts and never raises."""

    def said(text: str) -> None:
        with suppress(Exception):
            say(text)

    return said


def print_trouble() -> None:
    """Print the traceback of the exception that is being handled; never raises."""
    with suppress(Exception):
        traceback.print_exc()
