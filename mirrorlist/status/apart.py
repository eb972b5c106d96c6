"""Pages that a child process makes, because its end gives back all memory that they took.

The template engine and what it compiles take 7 MB of a process that has made a page once. People
look at these pages seldom; programs read others. A child takes 50 ms of CPU, most of it for loading
the engine; what it compiled is kept for the next one. Meanwhile other pages are answered.
"""

import asyncio
import gc
import math
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import msgspec

from mirrorlist.process.parent import at_parents_end
from mirrorlist.process.signals import HELD
from mirrorlist.status.admin import Reply

Compiled = dict[str, bytes]
"""Compiled templates by their key; what makes a page adds those that it had to compile."""
Make = Callable[[Compiled], Reply]
_SECONDS = 5.0
_READ_BYTES = 1 << 16
_STANDARD = 3
# A child that was killed ends within milliseconds, unless it hangs in the kernel.
_LOOKS, _LOOK_SECONDS = 100, 0.01

_ANSWER = msgspec.msgpack.Decoder(tuple[Reply, Compiled])


class Apart:
    """Makes pages in children, and keeps the templates that they compiled."""

    def __init__(self, seconds: float = _SECONDS) -> None:
        """Take the seconds after which a child is killed."""
        self._seconds = seconds
        self._compiled: Compiled = {}
        # Children that did not end after SIGKILL.
        self._left: set[int] = set()

    async def made(self, make: Make) -> Reply:
        """Return a page; raises what `make` raises.

        If the system refuses a process, or a page has an error, which is raised then, it is made
        here; if a child hangs, the answer is 503. It may hang, because a fork copies locks that
        other threads hold, and this process must answer other pages.
        """
        try:
            answer = await self._from_child(make)
            reply, compiled = _ANSWER.decode(answer)
        except TimeoutError:
            text = f"This page was not made within {self._seconds:g} s. Ask again.\n"
            return Reply(503, text.encode())
        except (OSError, ValueError):
            return make(self._compiled)
        self._compiled = {**self._compiled, **compiled}
        return reply

    async def _from_child(self, make: Make) -> bytes:
        """Return what a child writes; raises OSError, and TimeoutError if it does not end."""
        self._left = {one for one in self._left if not _has_ended(one)}
        if self._left:
            raise TimeoutError
        reader, writer = os.pipe()
        try:
            try:
                if not (child := os.fork()):
                    self._answer(make, writer)
            finally:
                os.close(writer)
            try:
                async with asyncio.timeout(self._seconds):
                    return await _read(reader)
            finally:
                await self._end(child)
        finally:
            os.close(reader)

    def _answer(self, make: Make, writer: int) -> NoReturn:
        """Make the page in the child, and end it; without an answer the parent makes the page."""
        try:
            _leave_parent(writer)
            # The kernel ends it, even if the parent is stopped meanwhile.
            signal.alarm(math.ceil(self._seconds) + 1)
            compiled = dict(self._compiled)
            answer = msgspec.msgpack.encode((make(compiled), compiled))
            with open(writer, "wb", buffering=0, closefd=False) as pipe:
                while answer:
                    answer = answer[pipe.write(answer) :]
        finally:
            # Never return: above here is a copy of the parent's code.
            os._exit(0)

    async def _end(self, child: int) -> None:
        """End a child that has answered, or that does not, and wait for it."""
        with suppress(OSError):
            os.kill(child, signal.SIGKILL)
        for _ in range(_LOOKS):
            if _has_ended(child):
                return
            await asyncio.sleep(_LOOK_SECONDS)
        self._left.add(child)


def _leave_parent(writer: int) -> None:
    """Let a child hear and hold nothing that is the parent's, except the pipe `writer`.

    While it held a client's connection, the client would not see that the parent closes it.
    """
    at_parents_end(signal.SIGKILL)
    for heard in HELD:
        signal.signal(heard, signal.SIG_IGN)
    # What is garbage already may close a number that stands for another file by then.
    gc.freeze()
    with suppress(OSError):
        for number in map(int, os.listdir("/proc/self/fd")):
            if number >= _STANDARD and number != writer:
                # The listing's own descriptor is closed by now.
                with suppress(OSError):
                    os.close(number)


async def _read(reader: int) -> bytes:
    """Return all that comes from a pipe; raises OSError."""
    loop = asyncio.get_running_loop()
    found, is_over = bytearray(), loop.create_future()

    def take() -> None:
        try:
            part = os.read(reader, _READ_BYTES)
        except OSError as error:
            loop.remove_reader(reader)
            is_over.set_exception(error)
            return
        found.extend(part)
        if not part:
            loop.remove_reader(reader)
            is_over.set_result(None)

    loop.add_reader(reader, take)
    try:
        await is_over
    finally:
        loop.remove_reader(reader)
    return bytes(found)


def _has_ended(child: int) -> bool:
    """Return whether a child has ended; a zombie is waited for."""
    try:
        return os.waitpid(child, os.WNOHANG)[0] != 0
    except OSError:
        return True
