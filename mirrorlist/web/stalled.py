"""Cuts off clients that take nothing while the server ends.

A client that sends many requests and reads no answer would hold the end up until the deadline of
its connection. A slow client that reads goes on: its system takes bytes all the time.
"""

import asyncio
import fcntl
import struct
import termios
from collections.abc import Collection
from typing import Protocol

LOOK_SECONDS = 0.1
STALL_SECONDS = 2.0
"""A client that takes no byte of its answers for this long is not waited for."""

_INT = struct.Struct("i")


class Connection(Protocol):
    """A connection in any of its forms."""

    @property
    def transport(self) -> asyncio.Transport:
        """The transport that holds the bytes that the system does not take yet."""
        ...


async def cut_off_stalled(connections: Collection[Connection]) -> None:
    """Go on for ever: end each connection that has answers to send and whose client takes none."""
    loop = asyncio.get_running_loop()
    # By transport, because a connection may change its form.
    seen: dict[asyncio.Transport, tuple[int, float]] = {}
    while True:
        now, before = loop.time(), seen
        seen = {}
        for transport in [one.transport for one in connections]:
            if left := _left(transport):
                known, since = before.get(transport, (left, now))
                seen[transport] = left, since if known == left else now
                if now - seen[transport][1] >= STALL_SECONDS:
                    transport.abort()
        await asyncio.sleep(LOOK_SECONDS)


def _left(transport: asyncio.Transport) -> int:
    """Return how many bytes the client has not taken yet; 0 if the system has all of them."""
    waiting = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket") if waiting else None
    if sock is None:
        return waiting
    try:
        # What the system holds changes long before it takes more from this process.
        (held,) = _INT.unpack(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(_INT.size)))
    except OSError:
        held = 0
    return waiting + int(held)
