"""Requests that came within one turn of the event loop, answered together at its end.

While the loop reads sockets it runs in the kernel's code and its own; while lists are made, in
ours. Answering in turns leaves each of them its place in the processor's cache.
"""

import asyncio
from typing import Protocol

from mirrorlist.process.messages import print_trouble


class Staged(Protocol):
    """A connection with a request that waits for the end of a turn."""

    def answer(self) -> None:
        """Answer it."""

    def cut_off(self) -> None:
        """End at once."""


class Turn:
    """The connections whose requests wait for the end of this turn of the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the loop."""
        self._loop = loop
        self._staged: list[Staged] = []

    def stage(self, connection: Staged) -> None:
        """Answer a connection at the end of this turn."""
        if not self._staged:
            self._loop.call_soon(self.end)
        self._staged.append(connection)

    def end(self) -> None:
        """Answer all that wait, in the order in which they came; also before the turn's end."""
        staged, self._staged = self._staged, []
        for connection in staged:
            try:
                connection.answer()
            except Exception:
                # An error in one connection must not reach the others.
                print_trouble()
                connection.cut_off()
