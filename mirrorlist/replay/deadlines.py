"""Ends connections whose whole answer takes too long, for example with one byte a second.

A socket's own timeout does not do this, because it begins again with each byte.
"""

import socket
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_LOOK_SECONDS = 0.1


class Deadlines:
    """The time until which each connection must have its whole answer."""

    def __init__(self, seconds: float) -> None:
        """Take the seconds for each answer.

        A thread checks the connections ten times a second, and ends with this object.
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
        """End a connection if the block takes too long, and raise TimeoutError."""
        with self._lock:
            self._until[connection] = time.monotonic() + self._seconds
        try:
            yield
        finally:
            with self._lock:
                until = self._until.pop(connection, None)
        if until is None:
            # Raised even without an error: an answer that was cut short may look whole.
            raise TimeoutError(f"no whole answer within {self._seconds:.0f} s")


def _end_the_late(
    until: dict[socket.socket, float], lock: threading.Lock, gone: threading.Event
) -> None:
    while not gone.wait(_LOOK_SECONDS):
        now = time.monotonic()
        with lock:
            for one in [one for one, end in until.items() if now > end]:
                del until[one]
                # Shut down but not closed: the reading thread sees the end, and closes the socket.
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
