"""What a process that stays says to people: it can neither fail nor wait.

Standard error may be closed, on a full disk, or a pipe that nobody reads. A line that cannot be
written now is lost and counted, and the program that wanted to say it goes on.
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
    """A text stream of lines that takes whatever is written to it; `lost` counts lines.

    Several threads may write: a line is put together for each of them apart, without a lock that
    a fork could leave closed.
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
        """Return whether somebody looks at it."""
        return os.isatty(self._file)

    def writable(self) -> bool:
        """Return true."""
        return True

    def write(self, text: str | bytes) -> int:
        """Take text, as click writes it also in bytes; whole lines are written now or lost."""
        if isinstance(text, bytes):
            text = text.decode(self.encoding, self.errors)
        whole, end, rest = (self._begun.pop(threading.get_ident(), "") + text).rpartition("\n")
        if rest:
            self._begun[threading.get_ident()] = rest
        if end:
            self._lines(whole + end)
        return len(text)

    def flush(self) -> None:
        """Write what is no whole line yet."""
        if rest := self._begun.pop(threading.get_ident(), ""):
            self._lines(rest)

    def close(self) -> None:
        """Write what is no whole line yet; the file itself stays open."""
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
            while left:
                left = left[self._outlet.push(left[: select.PIPE_BUF]) :]
        except (OSError, ValueError):
            return False
        return True


def stay() -> None:
    """Let nothing that this process ever prints fail or wait; to be called by each that stays."""
    fill_standard()
    for name, file in (("stdout", 1), ("stderr", 2)):
        before = getattr(sys, name)
        if not isinstance(before, Unfailing):
            # What a closed one, or one on a full disk, did not take is not for the next one.
            with suppress(OSError, ValueError, AttributeError):
                before.flush()
            setattr(sys, name, cast(TextIO, Unfailing(file)))


def fill_standard() -> None:
    """Lead standard files that were closed at the start to nowhere.

    Otherwise the next file or socket that is opened has the number 2, and gets all errors.
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
    """Return how many lines this process, and those that it was forked from, could not say."""
    return sum(getattr(stream, "lost", 0) for stream in (sys.stdout, sys.stderr))


def safely(say: Say) -> Say:
    """Return what says the same and never raises."""

    def said(text: str) -> None:
        with suppress(Exception):
            say(text)

    return said


def print_trouble() -> None:
    """Print the traceback of the exception that is handled; never raises."""
    with suppress(Exception):
        traceback.print_exc()
