"""Pages that a child process makes, because its end gives back all memory that they took.

The template engine and what it compiles take 7 MB of a process that has made a page once. People
look at these pages seldom; programs read others. A child takes 50 ms of CPU, most of it for loading
the engine; what it compiled is kept for the next one.
"""

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import msgspec

from mirrorlist.process.parent import at_parents_end
from mirrorlist.status.admin import Reply

Compiled = dict[str, bytes]
"""Compiled templates by their key; what makes a page adds those that it had to compile."""
Make = Callable[[Compiled], Reply]
_SECONDS = 5.0
_READ_BYTES = 1 << 16

_ANSWER = msgspec.msgpack.Decoder(tuple[Reply, Compiled])


class Apart:
    """Makes pages in children, one at a time, and keeps the templates that they compiled."""

    def __init__(self, seconds: float = _SECONDS) -> None:
        """Take the seconds after which a child is killed."""
        self._seconds = seconds
        self._compiled: Compiled = {}

    def made(self, make: Make) -> Reply:
        """Return a page; raises what `make` raises.

        A page that a child cannot make is made here: if the system refuses a process, if the page
        has an error, which is raised here then, or if the child hangs. It may, because a fork
        copies locks that other threads of this process hold.
        """
        try:
            answer = self._from_child(make)
            reply, self._compiled = _ANSWER.decode(answer)
        except (OSError, ValueError):
            return make(self._compiled)
        return reply

    def _from_child(self, make: Make) -> bytes:
        reader, writer = os.pipe()
        child = 0
        try:
            try:
                if not (child := os.fork()):
                    self._answer(make, writer)
            finally:
                os.close(writer)
            return self._read(reader)
        finally:
            os.close(reader)
            if child:
                _end(child)

    def _read(self, reader: int) -> bytes:
        """Return all that a child writes; raises TimeoutError if it does not end in time."""
        deadline = time.monotonic() + self._seconds
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        found = bytearray()
        while poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            if not (part := os.read(reader, _READ_BYTES)):
                return bytes(found)
            found += part
        raise TimeoutError(f"the page was not made within {self._seconds:g} s")

    def _answer(self, make: Make, writer: int) -> NoReturn:
        """Make the page in the child, and end it; without an answer the parent makes the page."""
        try:
            at_parents_end(signal.SIGKILL)
            compiled = dict(self._compiled)
            answer = msgspec.msgpack.encode((make(compiled), compiled))
            with open(writer, "wb", buffering=0, closefd=False) as pipe:
                while answer:
                    answer = answer[pipe.write(answer) :]
        finally:
            # Never return: above here is a copy of the parent's code.
            os._exit(0)


def _end(child: int) -> None:
    """End a child that has answered, or that does not, and wait for it."""
    with suppress(OSError):
        os.kill(child, signal.SIGKILL)
    with suppress(OSError):
        os.waitpid(child, 0)
