"""Ends connections whose answer takes too long as a whole, however it comes: a byte a second, say.

A socket's own timeout begins again with each byte.
"""

import socket
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_LOOK_SECONDS = 0.1


class Deadlines:
    """Until when each connection may take for what it is doing."""

    def __init__(self, seconds: float) -> None:
        """Take the seconds for each answer; looks ten times a second, in a thread of its own.

        The thread ends with this object.
        """
        self._seconds = seconds
        self._until: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        gone = threading.Event()
        weakref.finalize(self, gone.set)
        work = self._until, self._lock, gone
        threading.Thread(target=_end_the_late, args=work, name="deadlines", daemon=True).start()

    @contextmanager
    def over(self, connection: socket.socket) -> Iterator[None]:
        """End a connection if the block takes too long; raises TimeoutError then."""
        with self._lock:
            self._until[connection] = time.monotonic() + self._seconds
        try:
            yield
        finally:
            with self._lock:
                until = self._until.pop(connection, None)
        if until is None:
            # What was read until then may look like a whole answer.
            raise TimeoutError(f"no whole answer within {self._seconds:.0f} s")


def _end_the_late(
    until: dict[socket.socket, float], lock: threading.Lock, gone: threading.Event
) -> None:
    while not gone.wait(_LOOK_SECONDS):
        now = time.monotonic()
        with lock:
            for one in [one for one, end in until.items() if now > end]:
                del until[one]
                # Not closed: who reads from it sees its end, and closes it.
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
