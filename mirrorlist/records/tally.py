"""Counts the answers of a worker for the statistics.

An answer costs the loop a number that says all that is counted, and 16 bytes for the address. They
are not looked at again by the loop: what an answer refers to has left the processor's cache soon.
Another thread counts them, many at once, and forgets the addresses: within a minute, unless a disk
hangs.
"""

from array import array
from collections import Counter
from threading import Event, Lock

from mirrorlist.lists.answer import Answer
from mirrorlist.lists.choice import STATUS_SHIFT
from mirrorlist.lists.label import Label
from mirrorlist.lists.place import Place
from mirrorlist.records.sitekey import BLOCK_BYTES, SiteKey
from mirrorlist.records.tables import Chunk, Tables
from mirrorlist.request.client import Client
from mirrorlist.request.query import typed
from snapshot.stats.spool import DAY_SECONDS, HOUR_SECONDS

CHUNK = 4096
"""So many answers are given to the other thread together."""
MANY = 16
"""After this many chunks, the other thread is woken: it has 20 ms of work."""
_TOO_MANY = 16 * MANY
"""After this many, 25 MB, the loop does the other thread's work: a disk hangs."""


class Tally:
    """What a worker counts; one thread adds, and one other takes it from time to time.

    `begin` and `end` enclose the hour in which answers are counted; `turn` begins another one.
    `is_full` is set when it should be taken soon.
    """

    def __init__(self, key: SiteKey) -> None:
        """Take the site's key; before the first `turn` it is no hour."""
        self.begin = self.end = 0
        self.is_full = Event()
        self.key = key
        # Always these objects: appending, copying and deleting from their beginning are atomic.
        # The address comes last: so there is a code for each.
        self._codes, self._addresses = array("q"), bytearray()
        self._unknown: list[tuple[str, str]] = []
        self._tables = Tables(0, key)
        self._lock = Lock()

    def turn(self, now: float) -> None:
        """Begin the hour of a time in seconds since 1970, UTC, which may also lie in the past."""
        self._hand_over()
        self.begin = int(now // HOUR_SECONDS) * HOUR_SECONDS
        self.end = self.begin + HOUR_SECONDS

    def add(self, label: Label, found: Answer, client: Client, place: Place, software: int) -> None:
        """Count an answer in this hour; `software` is an index in CLIENTS.

        The address is the one that the client connects from, even if it asks for another by ip=; an
        unknown client has none.
        """
        version, value = client.near
        # 2 and 3 in two bits above those of the software stand for IPv4 and IPv6.
        self._codes.append(
            label.code
            + (found.lead or found.status << STATUS_SHIFT)
            + place.code
            + (version << 3 if value else 0)
            + software
        )
        self._addresses += value.to_bytes(BLOCK_BYTES, "big")
        if len(self._codes) >= CHUNK:
            self._hand_over()

    def add_unknown(self, repository: str, arch: str) -> None:
        """Count the names of an unknown repository."""
        self._unknown.append((repository, arch))
        if len(self._unknown) >= CHUNK:
            self._hand_over()

    def take(self, now: float) -> Tables:
        """Return what was counted since this was last called, and begin again."""
        self._hand_over()
        with self._lock:
            taken, self._tables = self._tables, Tables(now, self.key)
            self.is_full.clear()
        taken.ended = now
        taken.settle()
        return taken

    def _hand_over(self) -> None:
        with self._lock:
            self._hand_over_unknown()
            addresses = bytes(self._addresses)
            codes = self._codes[: len(addresses) // BLOCK_BYTES]
            if not codes:
                return
            waiting = self._tables.add_chunk(Chunk(self.begin, codes, addresses))
            del self._codes[: len(codes)], self._addresses[: len(addresses)]
            if waiting >= _TOO_MANY:
                self._tables.settle()
        if waiting >= MANY:
            self.is_full.set()

    def _hand_over_unknown(self) -> None:
        unknown = self._unknown[:]
        day = self.begin - self.begin % DAY_SECONDS
        for (repository, arch), count in Counter(unknown).items():
            # With the characters that answers repeat.
            self._tables.add_unknown(day, typed(repository), typed(arch), count)
        del self._unknown[: len(unknown)]
