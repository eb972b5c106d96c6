"""Clients that ask for lists as dnf does, and notice every answer that is not a list."""

import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from random import Random
from urllib.parse import urlsplit

from msgspec import Struct

from loadtest.common.judging import answer_fault
from loadtest.common.mix import HEADERS
from loadtest.common.servers import get

_SECONDS = 10.0
_LEAST_PAUSE, _MOST_PAUSE = 0.002, 0.03
# As dnf: a connection for each list.
_HEADERS = HEADERS | {"Connection": "close"}


class Failure(Struct, frozen=True):
    """An answer that a client cannot use: its time (seconds since 1970), request and fault."""

    time: float
    target: str
    address: str
    why: str


class Clients:
    """Clients in threads of their own, from the start of the block to its end.

    A connection that breaks is tried once more, as librepo does: `retried` counts these.
    """

    def __init__(self, url: str, mix: Sequence[str], seed: int, count: int) -> None:
        """Take the server's URL, and lines `TARGET ADDRESS` for known repositories."""
        parts = urlsplit(url)
        self._where = parts.hostname or "", parts.port
        self._mix = mix
        self._end = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number, Random(f"{seed} client {number}")))
            for number in range(count)
        ]
        self._asked = [0] * count
        self.retried: list[str] = []
        self.failures: list[Failure] = []
        self.slowest = 0.0

    def __enter__(self) -> "Clients":
        """Begin to ask."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ask no more."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    @property
    def asked(self) -> int:
        """How many lists were asked for."""
        return sum(self._asked)

    def _run(self, number: int, rng: Random) -> None:
        while not self._end.is_set():
            target, address = rng.choice(self._mix).split()
            began = time.monotonic()
            why = self._tried(target, address)
            self.slowest = max(self.slowest, time.monotonic() - began)
            self._asked[number] += 1
            if why:
                self.failures.append(Failure(time.time(), target, address, why))
            self._end.wait(rng.uniform(_LEAST_PAUSE, _MOST_PAUSE))

    def _tried(self, target: str, address: str) -> str | None:
        """Return why there is no list, or None."""
        try:
            return self._ask(target, address)
        except (OSError, HTTPException) as error:
            self.retried.append(repr(error))
        try:
            return self._ask(target, address)
        except (OSError, HTTPException) as error:
            return f"no answer at the second try either: {error!r}"

    def _ask(self, target: str, address: str) -> str | None:
        connection = HTTPConnection(*self._where, timeout=_SECONDS)
        try:
            return answer_fault(target, *get(connection, target, address, _HEADERS))
        finally:
            connection.close()
