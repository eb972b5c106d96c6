"""Connections that ask once: accepted, read, answered and closed without a transport.

A transport and a protocol for a single request cost more than its answer. So the listening socket
is read here: the bytes that came with a new connection are read at once, and if they are one
request that is recognised (`shapes`), the answer is written to the socket itself. A connection that
stays, sends anything else or does not take its whole answer becomes a connection of the event loop,
with all that was read.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress

from mirrorlist.process.messages import print_trouble
from mirrorlist.web.front import Front
from mirrorlist.web.light import First, LightConnection

CAN_ENTER = hasattr(socket, "TCP_DEFER_ACCEPT")
"""Whether this system can tell of a connection when its first bytes have come: Linux can."""

DEFER_SECONDS = 1
"""The kernel tells of a connection without bytes this much later."""

PAUSE_SECONDS = 0.1
"""Nothing is accepted for this long after the process ran out of descriptors."""

# Accepted in one turn of the loop, so that kept connections have their turn too.
_MOST_AT_ONCE = 32
# At the end, this many times as many: more than a socket's queue holds.
_MOST_TURNS = 128
# More than any request that is recognised; the connection reads the rest of others.
_READ_BYTES = 16 * 1024
_NOT_NOW = (BlockingIOError, InterruptedError)


class Entrance:
    """Accepts on a listening socket; an object of uvicorn's list of servers."""

    def __init__(self, listener: socket.socket, front: Front) -> None:
        """Take a socket that listens, and the front of its connections."""
        self._listener = listener
        self._front = front
        self._adopted: set[asyncio.Task[None]] = set()
        self._is_closed = False
        # `accept()` is this, and an object for each descriptor: 5 us that most have no use for.
        self._accept_one: Callable[[], tuple[int, object]] = listener._accept  # type: ignore[attr-defined]
        listener.setblocking(False)
        # A Unix socket has no such option, and needs none.
        with suppress(OSError):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, DEFER_SECONDS)
        self._open()

    def close(self) -> None:
        """Accept nothing more, but for those who have connected already.

        The kernel resets the others once the socket is closed. A balancer that has sent its request
        by then takes that for an answer that failed, and tries no other server.
        """
        if self._is_closed:
            return
        for _ in range(_MOST_TURNS):
            if not self._accept():
                break
        self._is_closed = self._front.is_ending = True
        self._front.loop.remove_reader(self._listener)

    async def wait_closed(self) -> None:
        """Return when all that were accepted are connections of the loop."""
        if self._adopted:
            await asyncio.wait(self._adopted)

    def _open(self) -> None:
        self._front.loop.add_reader(self._listener, self._accept)

    def _accept(self) -> bool:
        """Accept some connections; returns whether others may wait."""
        for _ in range(_MOST_AT_ONCE):
            try:
                client, address = self._accept_one()
            except (*_NOT_NOW, ConnectionAbortedError):
                return False
            except OSError:
                self._pause()
                return False
            self._take(client, str(address[0]) if isinstance(address, tuple) else None)
        return True

    def _take(self, client: int, peer: str | None) -> None:
        """Answer a connection and close it, or make it one of the loop."""
        try:
            first = self._answered(client, peer)
        except Exception:
            # An error in one connection must not reach the others.
            print_trouble()
            first = None
        if first is None:
            os.close(client)
        else:
            self._adopt(client, first)

    def _pause(self) -> None:
        """Wait until those that give way have ended: no descriptor is left."""
        self._front.make_way()
        self._front.loop.remove_reader(self._listener)
        self._front.loop.call_later(PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        if not self._is_closed:
            self._open()

    def _answered(self, client: int, peer: str | None) -> First | None:
        """Answer what came with a connection; returns what is left to do, None if nothing is."""
        os.set_blocking(client, False)
        try:
            data = os.read(client, _READ_BYTES)
        except _NOT_NOW:
            return First()
        except OSError:
            data = b""
        if not data:
            return None
        request = self._front.recognise(data)
        if request is None:
            return First(data)
        unsent = _send(client, self._front.answer(request, peer))
        if unsent is None or not (unsent or request.shape.keep_alive):
            return None
        return First(b"", unsent, request.shape.keep_alive)

    def _adopt(self, client: int, first: First) -> None:
        listener = self._listener
        connection = socket.socket(listener.family, listener.type, listener.proto, fileno=client)
        task = self._front.loop.create_task(self._make_connection(connection, first))
        self._adopted.add(task)
        task.add_done_callback(self._adopted.discard)

    async def _make_connection(self, client: socket.socket, first: First) -> None:
        def make() -> LightConnection:
            connection = LightConnection(self._front)
            connection.begin_with(first)
            return connection

        try:
            await self._front.loop.connect_accepted_socket(make, client)
        except OSError:
            # The client has gone already.
            client.close()


def _send(client: int, answer: list[bytes]) -> bytes | None:
    """Return what the socket did not take of an answer in pieces; None if the client has gone."""
    try:
        sent = os.writev(client, answer)
    except _NOT_NOW:
        sent = 0
    except OSError:
        return None
    return b"" if sent == sum(map(len, answer)) else b"".join(answer)[sent:]
