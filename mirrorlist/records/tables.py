"""What was counted since a spool file was begun: by hour the requests, by day the addresses.

A request is one integer, whose parts are the numbers of objects that the answer had at hand; names
are found when a file is written. Memory is bounded: see the constants, and docs/statistics.md.
"""

from array import array
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mirrorlist.lists.choice import FIRST_LEAD, LEADS, Lead
from mirrorlist.lists.label import LABELS
from mirrorlist.lists.place import COUNTRIES
from mirrorlist.records.sitekey import SiteKey
from mirrorlist.records.sketches import Sketches
from snapshot.stats.spool import (
    DAY_SECONDS,
    KEY_BITS,
    MOST_ROWS,
    NO_TIER,
    OTHER,
    Batch,
    CountRow,
    Packed,
    PackedHour,
    UnknownRow,
)

MOST_KEYS = 50_000
"""The most frequent keys that are kept of an hour; the rest is counted under OTHER."""
MOST_HOURS = 1000
"""This many hours are kept in memory while no file can be written; what is older becomes one."""
MOST_UNKNOWN = 200
"""This many names of unknown repositories are kept of a day at most."""
MOST_DAYS = 40
"""Of this many days, while no file can be written."""

# By the two bits of a key above those for the client's software.
_FAMILIES = (0, 0, 4, 6)
Numbers = NDArray[np.int64]
_Counted = tuple[Numbers, Numbers]


class Chunk(NamedTuple):
    """Requests of an hour, given by its first second: their codes, and their addresses' blocks."""

    hour: int
    codes: "array[int]"
    addresses: bytes


class Tables:
    """The counts of a while; not for two threads at once."""

    def __init__(self, begun: float, key: SiteKey) -> None:
        """Begin without any; `begun` is in seconds since 1970, UTC."""
        self._key = key
        self.begun = self.ended = begun
        self.sketches = Sketches()
        self._chunks: list[Chunk] = []
        self._counts: dict[int, _Counted] = {}
        self._others: Counter[int] = Counter()
        self._unknown: dict[int, Counter[tuple[str, str]]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing was counted."""
        return not (self._chunks or self._counts or self._others or self._unknown)

    @property
    def keys(self) -> int:
        """How many keys it has, once it is settled."""
        return sum(len(keys) for keys, _ in self._counts.values())

    @property
    def requests(self) -> int:
        """How many requests were counted, once it is settled."""
        return sum(int(counts.sum()) for _, counts in self._counts.values()) + self.others

    @property
    def others(self) -> int:
        """How many requests were counted under OTHER."""
        return self._others.total()

    def add_chunk(self, chunk: Chunk) -> int:
        """Take requests; return how many chunks wait to be counted."""
        self._chunks.append(chunk)
        return len(self._chunks)

    def settle(self) -> None:
        """Count the requests that were taken."""
        chunks, self._chunks = self._chunks, []
        for hour, of_hour in groupby(chunks, lambda chunk: chunk.hour):
            these = list(of_hour)
            keys = np.concatenate([np.frombuffer(one.codes, np.int64) for one in these])
            self._join(hour, [(keys, np.ones(len(keys), np.int64))])
            day = hour - hour % DAY_SECONDS
            marks = self._key.marks(day, b"".join([one.addresses for one in these]))
            self.sketches.see(day, keys, marks)

    def add_unknown(self, day: int, repository: str, arch: str, count: int = 1) -> None:
        """Count a name of an unknown repository, for which there may be no room."""
        names = self._unknown.setdefault(day, Counter())
        names[repository, arch] += count
        if len(names) > MOST_UNKNOWN:
            # Misra and Gries, Finding repeated elements, 1982: what came often enough stays, and
            # each count is a lower bound. A step takes away what as many requests have brought, so
            # no sequence of names makes it dear.
            self._unknown[day] = names - Counter(dict.fromkeys(names, min(names.values())))

    def add(self, later: "Tables") -> None:
        """Add what was counted later, which is then used up."""
        self.ended = later.ended
        for hour, counted in later._counts.items():
            self._join(hour, [counted])
        self._others.update(later._others)
        self.sketches.add(later.sketches)
        for day, names in later._unknown.items():
            self._unknown[day] = Counter(
                dict((self._unknown.get(day, Counter()) + names).most_common(MOST_UNKNOWN))
            )
        while len(self._unknown) > MOST_DAYS:
            del self._unknown[min(self._unknown)]
        # A file with more rows would be refused.
        while len(self._counts) > MOST_HOURS or (self.keys > MOST_ROWS and len(self._counts) > 1):
            oldest = min(self._counts)
            self._others[oldest] += int(self._counts.pop(oldest)[1].sum())

    def batch(self, source: str, sequence: int, server: str, key: str) -> Batch:
        """Return it as it stands in a spool file."""
        self.settle()
        return Batch(
            source=source,
            sequence=sequence,
            server=server,
            begun=int(self.begun),
            ended=int(self.ended),
            counts=tuple(self._other_rows()),
            unknown=tuple(self._unknown_rows()),
            sketches=tuple(self.sketches.rows()),
            key=key,
            other=self.others,
            packed=_pack(self._counts),
        )

    def _join(self, hour: int, more: list[_Counted]) -> None:
        """Add counts to those of an hour."""
        parts = [self._counts[hour], *more] if hour in self._counts else more
        keys, where = np.unique(np.concatenate([one for one, _ in parts]), return_inverse=True)
        counts = np.zeros(len(keys), np.int64)
        np.add.at(counts, where, np.concatenate([one for _, one in parts]))
        if len(keys) > MOST_KEYS:
            most = np.sort(np.argsort(counts, kind="stable")[-MOST_KEYS:])
            self._others[hour] += int(counts.sum() - counts[most].sum())
            keys, counts = keys[most], counts[most]
        self._counts[hour] = keys, counts

    def _other_rows(self) -> Iterator[CountRow]:
        for hour, count in self._others.items():
            yield CountRow(hour, OTHER, OTHER, OTHER, OTHER, OTHER, 0, OTHER, 0, 0, count)

    def _unknown_rows(self) -> Iterator[UnknownRow]:
        for day, names in self._unknown.items():
            for (repository, arch), count in names.items():
                yield UnknownRow(day, repository, arch, count)


def _pack(counts: dict[int, _Counted]) -> Packed:
    """Return counts with the names of what they are about."""
    keys = np.concatenate([np.empty(0, np.int64), *(one for one, _ in counts.values())])
    columns, shift = [], 0
    for bits in KEY_BITS:
        columns.append((keys >> shift) & ((1 << bits) - 1))
        shift += bits
    _, origins, leads, labels = columns
    named = [np.unique(column, return_inverse=True) for column in (origins, leads, labels)]
    packed, shift = columns[0], KEY_BITS[0]
    for (_, index), bits in zip(named, KEY_BITS[1:], strict=True):
        packed = packed + (index.astype(np.int64) << shift)
        shift += bits
    origins, leads, labels = (numbers.tolist() for numbers, _ in named)
    return Packed(
        tuple(map(_label, labels)),
        tuple(map(_lead, leads)),
        tuple(map(_origin, origins)),
        tuple(_hours(counts, packed)),
    )


def _hours(counts: dict[int, _Counted], packed: Numbers) -> Iterator[PackedHour]:
    at = 0
    for hour, (keys, times) in counts.items():
        own = packed[at : at + len(keys)]
        at += len(keys)
        order = np.argsort(own)
        steps = np.diff(own[order], prepend=0)
        yield PackedHour(hour, _bytes(steps), _bytes(times[order]))


def _bytes(numbers: Numbers) -> bytes:
    return numbers.astype("<i8").tobytes()


def _label(number: int) -> tuple[str, str, str, int, int]:
    label = LABELS.by_number(number)
    return label.kind, label.repository, label.arch, label.countme, label.status


def _origin(number: int) -> tuple[str, int]:
    return COUNTRIES.by_number(number >> 2).name, _FAMILIES[number & 3]


def _lead(number: int) -> tuple[str, str, int]:
    if number < FIRST_LEAD:
        return "", NO_TIER, number
    lead = LEADS.by_number(number)
    return lead.host, tier_name(lead), 0


def tier_name(lead: Lead) -> str:
    """Return the name of a tier as metrics have it."""
    return NO_TIER if lead.tier is None else str(lead.tier).lower().replace(" ", "_")
