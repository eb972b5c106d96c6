"""Tells systemd the state of this process: one datagram a message, as sd_notify(3) describes.

A module of our own, because none of the packages fits: sdnotify (of 2017) may wait for ever in the
process that must not wait, systemd-python needs a compiler and the headers of libsystemd, and
cysystemd brings its own copy of libsystemd for what is a `sendto`.
"""

import math
import os
import socket
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress

from mirrorlist.process.manager import Manager, State

SOCKET = "NOTIFY_SOCKET"
_WATCHDOG, _WATCHED = "WATCHDOG_USEC", "WATCHDOG_PID"
_READY, _ALIVE = "READY=1", "WATCHDOG=1"
# Each message waits at most this long for room in systemd's queue.
_TELL_SECONDS = 1.0
_EVERY_SECONDS = 5.0
_SOON_SECONDS = 0.05
# systemd.service(5) recommends half of the time; a look may be late, or one message may be lost.
_LOOKS_A_WATCHDOG = 3
# A reload that has shown no effect by then is over too: the database is away, for example.
_RELOAD_SECONDS = 30.0
# A century: longer times do not fit into systemd's numbers.
_LONGEST_SECONDS = 100 * 366 * 86400.0


class Systemd(Manager):
    """A systemd that has asked to be told, by the environment of this process.

    Nothing stays open between two messages, so no forked process has anything of it.
    """

    def __init__(
        self,
        environment: MutableMapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the variables out of the environment, so that no program started here has them."""
        # A first @ stands for the null byte of a name that is not in the file system (unix(7)).
        address = environment.pop(SOCKET)
        self._address = f"\0{address[1:]}" if address[:1] == "@" else address
        watched = environment.pop(_WATCHED, str(os.getpid()))
        seconds = _seconds(environment.pop(_WATCHDOG, ""))
        is_watched = seconds > 0 and watched == str(os.getpid())
        limit = seconds / _LOOKS_A_WATCHDOG if is_watched else math.inf
        self._every = min(_EVERY_SECONDS, limit)
        self._clock = clock
        self._next = 0.0
        self._state: Callable[[], State] | None = None
        # The state after which READY=1 is to be told; None once it is told.
        self._before: int | None = 0
        self._reload_ends = math.inf
        self._turns = 0
        self._said = ""

    @property
    def pause(self) -> float:
        """The seconds until the next look, at most."""
        return self._every if self._before is None else _SOON_SECONDS

    def starting(self, text: str, seconds: float) -> None:
        """Tell what the start waits for, and for how many seconds at most."""
        self._tell(_status(text), _extended(seconds))

    def begin(self, state: Callable[[], State]) -> None:
        """Take what returns the state of this process."""
        self._state = state

    def look(self) -> None:
        """Tell the state, if it is time for that; never waits for long and never raises."""
        now = self._clock()
        if self._state is None or now < self._next:
            return
        found = self._state()
        is_over = found.done != self._before or now >= self._reload_ends
        is_ready = self._before is not None and is_over
        lines = [_READY] * is_ready + [_ALIVE] * (found.turns != self._turns)
        if (lines or found.text != self._said) and self._tell(*lines, _status(found.text)):
            self._turns, self._said = found.turns, found.text
            self._before = None if is_ready else self._before
        self._next = now + self.pause

    def reloading(self) -> None:
        """Tell that this process was asked to look for something new. May be called by signals."""
        # While it starts, READY=1 is still to come anyway.
        if self._state is not None and self._before is None:
            self._before = self._state().done
            self._next, self._reload_ends = 0.0, self._clock() + _RELOAD_SECONDS
            # The kernel's clock, which is also Python's: systemd asks for it since release 253.
            self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, text: str, seconds: float = 0) -> None:
        """Tell that the end has begun, and within how many seconds it will come."""
        self._state = None
        more = [_extended(seconds)] * bool(seconds)
        self._tell("STOPPING=1", _status(text), *more)

    def _tell(self, *lines: str) -> bool:
        """Send a message; returns whether it was taken."""
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(_TELL_SECONDS)
            # The text may name a file whose name is not UTF-8.
            channel.sendto("\n".join(lines).encode(errors="replace"), self._address)
            return True
        return False


def _extended(seconds: float) -> str:
    """Return the line by which systemd waits at least this long for the next message."""
    return f"EXTEND_TIMEOUT_USEC={round(min(seconds, _LONGEST_SECONDS) * 1e6)}"


def _status(text: str) -> str:
    """Return the line of a text, which has no line feed: that would begin another message."""
    return f"STATUS={' '.join(text.split())}"


def _seconds(microseconds: str) -> float:
    """Return the time of a variable of systemd; 0 if it is absent or is not a number."""
    try:
        return min(float(microseconds) / 1e6, _LONGEST_SECONDS)
    except ValueError:
        return 0.0
