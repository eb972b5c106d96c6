"""What all workers have counted, in memory that they share: no lock, no message, no file.

Each process counts in a slot of its own, so none waits for another; whoever asks adds the slots
up. A slot stays as it is when its process dies, and the next one goes on in it: a total never
falls. Each row of the labels below stands for a cell; a request costs one addition.
"""

import fcntl
import mmap
import os
from bisect import bisect_left
from collections.abc import Iterator
from enum import IntEnum
from itertools import product

from msgspec import Struct

from mirrorlist.selection import Tier

ENDPOINTS = ("metalink", "mirrorlist", "explain", "repositories", "health", "other")
STATUSES = ("200", "302", "400", "404", "405", "408", "414", "431", "500", "503", "other")
NO_TIER = "none"
TIERS = (*(str(tier).lower().replace(" ", "_") for tier in Tier), NO_TIER)
"""The first tier of a list that has hosts; `none` for one without and for all that is no list."""

BOUNDS = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025)
"""Up to how many seconds an answer takes in each class of time; the last class has no bound."""

RequestLabels = tuple[str, str, str]


class Count(IntEnum):
    """What else is counted; it only grows."""

    UNKNOWN_REPOSITORIES = 0
    LOG_LINES_WRITTEN = 1
    LOG_LINES_LOST = 2
    SWAPS = 3
    SWAPS_REFUSED = 4
    ERRORS = 5


class Level(IntEnum):
    """What rises and falls, the sum over the processes; a new one in a slot begins with 0."""

    LOG_QUEUED_BYTES = 0


_TIER_OF = {tier: place for place, tier in enumerate((*Tier, None))}
_STATUS_OF = {int(status): at for at, status in enumerate(STATUSES) if status.isdigit()}
_ENDPOINT_OF = {endpoint: at for at, endpoint in enumerate(ENDPOINTS)}
_REQUESTS = len(ENDPOINTS) * len(STATUSES) * len(TIERS)
# The cells of a slot, each 8 bytes: requests, classes of time, their nanoseconds, counts, levels.
_TIMES = _REQUESTS
_NANOSECONDS = _TIMES + len(BOUNDS) + 1
_COUNTS = _NANOSECONDS + 1
_LEVELS = _COUNTS + len(Count)
_CELLS = _LEVELS + len(Level)
_CELL_BYTES = 8


class Totals(Struct, frozen=True):
    """The sums over all processes since the start; `times` are requests by class of time."""

    requests: dict[RequestLabels, int]
    times: list[int]
    seconds: float
    counts: dict[Count, int]
    levels: dict[Level, int]


class Slot:
    """Where one process counts."""

    def __init__(self, cells: memoryview) -> None:
        """Take the cells, which nobody else writes."""
        self._cells = cells

    def add_request(self, endpoint: int, status: int, tier: Tier | None) -> None:
        """Count a request; `endpoint` is its place in ENDPOINTS (`endpoint_place`).

        A status that is none of STATUSES counts as `other`. Takes about 0.2 us.
        """
        kind = endpoint * len(STATUSES) + _STATUS_OF.get(status, len(STATUSES) - 1)
        self._cells[kind * len(TIERS) + _TIER_OF[tier]] += 1

    def add_time(self, nanoseconds: int) -> None:
        """Count how long an answer took."""
        self._cells[_TIMES + bisect_left(_BOUNDS, nanoseconds)] += 1
        self._cells[_NANOSECONDS] += nanoseconds

    def add(self, count: Count, more: int = 1) -> None:
        """Count something that happened, perhaps several times."""
        self._cells[_COUNTS + count] += more

    def set(self, level: Level, value: int) -> None:
        """Say how much there is of something in this process."""
        self._cells[_LEVELS + level] = value


class Counts:
    """The shared memory; made before the workers are forked."""

    def __init__(self, processes: int) -> None:
        """Make a slot for each of the processes that count at the same time."""
        self._slots = processes
        size = max(1, processes) * _CELLS * _CELL_BYTES
        # A file without a name, as a file has locks that end with whoever holds them.
        self._file = os.memfd_create("mirrorlist-counts", os.MFD_CLOEXEC)
        os.ftruncate(self._file, size)
        self._cells = memoryview(mmap.mmap(self._file, size)).cast("Q")

    def claim(self) -> Slot:
        """Return a slot that is this process's until it ends; it goes on from its last owner.

        To be called once in a process. Where all slots are taken it is one that nobody adds up.
        """
        for number in range(self._slots):
            # Freed by the kernel when the process ends, even by kill -9; a fork has it not.
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
            except OSError:
                continue
            cells = self._cells[number * _CELLS : (number + 1) * _CELLS]
            for level in Level:
                cells[_LEVELS + level] = 0
            return Slot(cells)
        return Slot(memoryview(bytearray(_CELLS * _CELL_BYTES)).cast("Q"))

    def totals(self) -> Totals:
        """Return the sums; may be called by any process at any time."""
        cells = [sum(self._cells[at::_CELLS].tolist()) for at in range(_CELLS)]
        counted = zip(_labels(), cells, strict=False)
        return Totals(
            requests={labels: count for labels, count in counted if count},
            times=cells[_TIMES:_NANOSECONDS],
            seconds=cells[_NANOSECONDS] / 1e9,
            counts={count: cells[_COUNTS + count] for count in Count},
            levels={level: cells[_LEVELS + level] for level in Level},
        )


def endpoint_place(path: str) -> int:
    """Return the place in ENDPOINTS of a request's path, under any prefix."""
    last = path.rpartition("/")[2]
    if path.startswith("/health/"):
        last = "health"
    return _ENDPOINT_OF.get(last, _ENDPOINT_OF["other"])


_BOUNDS = tuple(round(bound * 1e9) for bound in BOUNDS)


def _labels() -> Iterator[RequestLabels]:
    return product(ENDPOINTS, STATUSES, TIERS)
