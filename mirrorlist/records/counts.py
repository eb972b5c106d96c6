"""The counters of all workers, in shared memory: no lock, no message, no file.

Each process counts in a slot of its own, so it never waits for another one; readers add the slots
up. When a process dies, its slot stays as it is and the next process counts on in it: a total never
falls. Each row of the labels below stands for a cell; a list costs two additions, one for its
labels and one for the client's country. Behind its counters a slot has room for the notice of its
process (`blackboard`), which ends with the process.
"""

import fcntl
import mmap
import os
import time
from bisect import bisect_left
from collections.abc import Iterator
from enum import IntEnum
from itertools import product
from string import ascii_uppercase

from msgspec import Struct

from mirrorlist.lists.selection import Tier
from mirrorlist.records.blackboard import CELL_BYTES, NOTICE_CELLS, Notice

ENDPOINTS = (
    *("metalink", "mirrorlist", "explain", "repositories", "rsyncFilter", "health"),
    "other",
)
STATUSES = ("200", "302", "400", "404", "405", "408", "414", "431", "500", "503", "other")
NO_TIER = "none"
TIERS = (*(str(tier).lower().replace(" ", "_") for tier in Tier), NO_TIER)
"""The first tier of a list that has hosts; `none` for an answer without hosts."""

OTHER_COUNTRY = "other"
COUNTRIES = (*(a + b for a in ascii_uppercase for b in ascii_uppercase), OTHER_COUNTRY)
"""The countries of clients of lists; `other` is for unknown ones and odd codes."""

BOUNDS = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025)
"""The upper bounds of the classes of time, in seconds; the last class has no bound."""

RequestLabels = tuple[str, str, str]


class Count(IntEnum):
    """Everything else that is counted; these numbers only grow."""

    UNKNOWN_REPOSITORIES = 0
    LOG_LINES_WRITTEN = 1
    LOG_LINES_LOST = 2
    SWAPS = 3
    SWAPS_REFUSED = 4
    ERRORS = 5
    STARTS_REFUSED = 6
    ERRORS_SURVIVED = 7
    MESSAGES_LOST = 8
    CONNECTIONS_GAVE_WAY = 9
    STATISTICS_WRITTEN = 10
    STATISTICS_OTHER = 11
    DAMAGED_SUMS = 12


class Level(IntEnum):
    """Numbers that rise and fall, added up over the processes; a new process begins with 0."""

    LOG_QUEUED_BYTES = 0
    LOG_OUTAGES = 1
    STATISTICS_WAITING = 2
    SPOOL_OUTAGES = 3


_TIER_OF = {tier: index for index, tier in enumerate((*Tier, None))}
_STATUS_OF = {int(status): at for at, status in enumerate(STATUSES) if status.isdigit()}
_ENDPOINT_OF = {endpoint: at for at, endpoint in enumerate(ENDPOINTS)}
_REQUESTS = len(ENDPOINTS) * len(STATUSES) * len(TIERS)
# The cells of a slot: requests, classes of time, their nanoseconds, counts, levels, countries.
_TIMES = _REQUESTS
_NANOSECONDS = _TIMES + len(BOUNDS) + 1
_COUNTS = _NANOSECONDS + 1
_LEVELS = _COUNTS + len(Count)
_COUNTRIES = _LEVELS + len(Level)
# Not added up: the process id, its last beat, how many beats there were, and its notice.
_PROCESS = _COUNTRIES + len(COUNTRIES)
_BEAT = _PROCESS + 1
_TURNS = _BEAT + 1
_NOTICE = _TURNS + 1
_CELLS = _NOTICE + NOTICE_CELLS
# The values of the common cell, which is 0 at first.
_DRAINING, _ENDING = 1, 2
# The cell for a list's status and first tier, to which that of its endpoint is added.
_LIST_OF = {
    (status, tier): at * len(TIERS) + index
    for status, at in _STATUS_OF.items()
    for tier, index in _TIER_OF.items()
}
_ENDPOINT_CELLS = len(STATUSES) * len(TIERS)
_COUNTRY_OF = {country: _COUNTRIES + at for at, country in enumerate(COUNTRIES)}
_OTHER = _COUNTRY_OF[OTHER_COUNTRY]


class Totals(Struct, frozen=True):
    """The sums over all processes since the start; `times` are requests by class of time."""

    requests: dict[RequestLabels, int]
    times: list[int]
    seconds: float
    counts: dict[Count, int]
    levels: dict[Level, int]
    countries: dict[str, int]


class Slot:
    """One process's part of the shared memory: its counters, its beat and its notice."""

    def __init__(
        self,
        cells: memoryview | None = None,
        common: memoryview | None = None,
        number: int | None = None,
    ) -> None:
        """Take the cells, which no other process writes, and those that all share.

        Without cells it makes its own. `number` is its index among the slots that are added up.
        `notice` is the process's report of itself.
        """
        self.number = number
        self._cells = _own(_CELLS) if cells is None else cells
        self.notice = Notice(self._cells[_NOTICE:])
        self._common = _own(1) if common is None else common

    @property
    def is_draining(self) -> bool:
        """Whether load balancers are to go elsewhere: the server drains, or ends."""
        return bool(self._common[0])

    def add_list(self, endpoint: int, status: int, tier: Tier | None, country: str) -> None:
        """Count a list, 0 for a metalink and 1 for a mirrorlist, and its client's country.

        Takes about 0.2 us.
        """
        cells = self._cells
        cells[_LIST_OF[status, tier] + endpoint * _ENDPOINT_CELLS] += 1
        if country:
            cells[_COUNTRY_OF.get(country, _OTHER)] += 1

    def add_request(self, endpoint: int, status: int, tier: Tier | None) -> None:
        """Count a request; `endpoint` is its index in ENDPOINTS (`endpoint_index`).

        A status that is not in STATUSES counts as `other`. Takes about 0.2 us.
        """
        kind = endpoint * len(STATUSES) + _STATUS_OF.get(status, len(STATUSES) - 1)
        self._cells[kind * len(TIERS) + _TIER_OF[tier]] += 1

    def add_time(self, nanoseconds: int) -> None:
        """Count an answer's time."""
        self._cells[_TIMES + bisect_left(_BOUNDS, nanoseconds)] += 1
        self._cells[_NANOSECONDS] += nanoseconds

    def add(self, count: Count, more: int = 1) -> None:
        """Count an event, or several."""
        self._cells[_COUNTS + count] += more

    def set(self, level: Level, value: int) -> None:
        """Set a number of this process that rises and falls."""
        self._cells[_LEVELS + level] = value

    def begin(self, process: int, now: float) -> None:
        """Write the process's id and its first beat, which is not one of its loop."""
        self._cells[_PROCESS] = process
        self.beat(now)
        self._cells[_TURNS] = 0

    def beat(self, now: float) -> None:
        """Write that this process still answers; `now` is in seconds of the monotonic clock."""
        self._cells[_BEAT] = int(now * 1000)
        self._cells[_TURNS] += 1


class Counts:
    """The shared memory; made before the workers are forked."""

    def __init__(self, processes: int) -> None:
        """Make a slot for each of the processes that count at the same time."""
        self._claimed = processes
        # Two more than are claimed: for the supervisor and for the admin process.
        self._slots = processes + 2
        # One more cell behind the slots says whether the server drains or ends.
        size = (self._slots * _CELLS + 1) * CELL_BYTES
        # A file without a name, because locks on a file end with the process that holds them.
        self._file = os.memfd_create("mirrorlist-counts", os.MFD_CLOEXEC)
        os.ftruncate(self._file, size)
        self._cells = memoryview(mmap.mmap(self._file, size)).cast("Q")

    def claim(self) -> Slot:
        """Return a slot that is this process's until it ends; it goes on from its last owner.

        To be called once in a process. If all slots are taken, it is one that is not added up.
        """
        for number in range(self._claimed):
            # The kernel releases the lock when the process ends, even after kill -9; forked
            # children do not inherit it.
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
            except OSError:
                continue
            slot = self._slot(number)
            for level in Level:
                slot.set(level, 0)
            slot.notice.write(b"")
            slot.begin(os.getpid(), time.monotonic())
            return slot
        return Slot()

    @property
    def supervisor(self) -> Slot:
        """The slot of the process that forks the others."""
        return self._slot(self._claimed)

    @property
    def admin_process(self) -> Slot:
        """The slot of the admin process."""
        return self._slot(self._claimed + 1)

    def _slot(self, number: int) -> Slot:
        cells = self._cells[number * _CELLS : (number + 1) * _CELLS]
        return Slot(cells, self._cells[self._slots * _CELLS :], number)

    def beats(self) -> dict[int, float]:
        """Return the time of the last beat of each process that claimed a slot.

        In seconds of the monotonic clock; the last beats of dead processes are among them.
        """
        slots = (self._cells[at * _CELLS : (at + 1) * _CELLS] for at in range(self._claimed))
        return {slot[_PROCESS]: slot[_BEAT] / 1000 for slot in slots if slot[_PROCESS]}

    def turns(self) -> int:
        """Return how often the loops of the processes in the slots have beaten; 0 before any."""
        return sum(self._cells[at * _CELLS + _TURNS] for at in range(self._claimed))

    def drain(self) -> None:
        """Let all processes know that load balancers are to go elsewhere."""
        self._cells[self._slots * _CELLS] = _DRAINING

    def end(self) -> None:
        """Let all processes know that the server ends now."""
        self._cells[self._slots * _CELLS] = _ENDING

    @property
    def is_draining(self) -> bool:
        """Whether load balancers are to go elsewhere: the server drains, or ends."""
        return bool(self._cells[self._slots * _CELLS])

    @property
    def is_ending(self) -> bool:
        """Whether the server ends, after a drain if there was one."""
        return self._cells[self._slots * _CELLS] == _ENDING

    def notices(self) -> list[bytes]:
        """Return the notice of each process; those of dead processes are among them."""
        slots = (self._slot(number) for number in range(self._claimed))
        return [text for slot in slots if (text := slot.notice.read())]

    def totals(self) -> Totals:
        """Return the sums; may be called by any process at any time."""
        slots = self._cells[: self._slots * _CELLS]
        cells = [sum(slots[at::_CELLS].tolist()) for at in range(_PROCESS)]
        counted = zip(_labels(), cells, strict=False)
        return Totals(
            requests={labels: count for labels, count in counted if count},
            times=cells[_TIMES:_NANOSECONDS],
            seconds=cells[_NANOSECONDS] / 1e9,
            counts={count: cells[_COUNTS + count] for count in Count},
            levels={level: cells[_LEVELS + level] for level in Level},
            countries={
                country: count
                for country, count in zip(COUNTRIES, cells[_COUNTRIES:_PROCESS], strict=True)
                if count
            },
        )


def _own(cells: int) -> memoryview:
    return memoryview(bytearray(cells * CELL_BYTES)).cast("Q")


def endpoint_index(path: str) -> int:
    """Return the index in ENDPOINTS of a request's path, under any prefix."""
    last = path.rpartition("/")[2]
    if path.startswith("/health/"):
        last = "health"
    return _ENDPOINT_OF.get(last, _ENDPOINT_OF["other"])


_BOUNDS = tuple(round(bound * 1e9) for bound in BOUNDS)


def _labels() -> Iterator[RequestLabels]:
    return product(ENDPOINTS, STATUSES, TIERS)
