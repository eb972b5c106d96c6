"""Ends connections whose answer takes too long as a whole, however it comes: a byte a second, say.

A socket's own timeout begins again with each byte.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_LOOK_SECONDS = 0.1


class Deadlines:
    """Until when each connection may take for what it is doing."""

    def __init__(self, seconds: float) -> None:
        """Take the seconds for each answer; looks ten times a second, in a thread."""
        self._seconds = seconds
        self._until: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._run, name="deadlines", daemon=True).start()

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

    def _run(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            with self._lock:
                for one in [one for one, until in self._until.items() if now > until]:
                    del self._until[one]
                    # Not closed: whoever reads from it sees its end, and closes it.
                    with suppress(OSError):
                        one.shutdown(socket.SHUT_RDWR)
