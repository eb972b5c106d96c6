"""What is counted of requests, by which labels, and which sums of it the database keeps.

A cube is a set of labels: the sums of the cube `repo,arch` are the requests of each pair of
repository and arch. A sum of a cube is known by its key, a number that is made of its labels, so
that no program has to ask a database for it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter
from typing import Any

from msgspec import Struct

from snapshot.stats.spool import DAY_SECONDS, Batch

REQUEST = ("kind", "repo", "arch", "country", "tier", "status", "client", "family", "countme")
"""The labels of a request."""
HOST = ("host", "tier")
"""The labels of a host that is named first."""
HOSTS: tuple[tuple[str, ...], ...] = (HOST, ("host",))
"""The cubes of hosts."""
LABELS = (*REQUEST, "host")
"""All labels, in the order of the columns of `stat_key`."""

NOT_LOGGED = "(not logged)"
"""Stands for what the line of a log does not say."""

# The bits of a key that its cube decides, and its cube and first value; all values decide the rest.
_CUBE_BITS, _FIRST_BITS, _KEY_BITS = 8, 12, 64
_STEP, _HALF = 1 << _KEY_BITS - _CUBE_BITS - _FIRST_BITS, 1 << _KEY_BITS - 1

Cube = tuple[str, ...]

CUBES: tuple[Cube, ...] = (
    ("repo", "arch", "country"),
    ("repo", "kind", "tier", "status", "family"),
    ("repo", "arch", "client", "countme"),
    ("kind", "tier", "status", "client", "family"),
    ("country", "client", "countme"),
    ("repo", "arch"),
    *((label,) for label in REQUEST),
    (),
)
"""The cubes of requests: each comes after those of which it can be summed up."""

HOURLY = frozenset([*((label,) for label in REQUEST), (), ("repo", "arch"), *HOSTS])
"""The cubes of which the database keeps hours and months too; of the others it keeps days."""

Values = tuple[str, ...]
Detail = Mapping[tuple[int, Values], int]
"""Requests by hour (its first second since 1970) and the values of REQUEST."""


def name(cube: Cube) -> str:
    """Return a cube's name: its labels with commas, or `all` without labels."""
    return ",".join(cube) or "all"


def key(cube: Cube, values: Values) -> int:
    """Return the key of a sum: 64 bits, signed.

    8 bits are of the cube and 12 of the first value, so that the keys that a question is about are
    neighbours in an index. The others are of all values: of 200,000 keys, two are equal in one of
    500,000 databases.
    """
    whole = "\0".join((name(cube), *values)).encode("utf-8", "surrogateescape")
    rest = int.from_bytes(blake2b(whole, digest_size=8).digest(), "big") & (_STEP - 1)
    return _head(cube, values[0] if len(values) > 1 else "") + rest


def neighbours(cube: Cube, where: Mapping[str, str]) -> tuple[int, int]:
    """Return bounds of the keys that a cube has for these values of labels."""
    first = where.get(cube[0]) if len(cube) > 1 else None
    if first is not None:
        return _head(cube, first), _head(cube, first) + _STEP - 1
    lowest = _hash(name(cube), 1) * (_STEP << _FIRST_BITS) - _HALF
    return lowest, lowest + (_STEP << _FIRST_BITS) - 1


@lru_cache(1 << 16)
def _head(cube: Cube, first: str) -> int:
    """Return the lowest key of a cube's first value; empty if it has only one."""
    return (_hash(name(cube), 1) << _FIRST_BITS | _hash(first, 2) >> 4) * _STEP - _HALF


def _hash(text: str, size: int) -> int:
    """Return as many bytes of a hash, as a number."""
    data = text.encode("utf-8", "surrogateescape")
    return int.from_bytes(blake2b(data, digest_size=size).digest(), "big")


class Sums(Struct, frozen=True):
    """The sums of one cube: requests by the first second of an hour or day, and the values."""

    cube: Cube
    requests: dict[tuple[int, Values], int]

    def by_day(self) -> "Sums":
        """Return the sums of the days."""
        if not any(second % DAY_SECONDS for second in {second for second, _ in self.requests}):
            return self
        found: dict[tuple[int, Values], int] = {}
        for (second, values), count in self.requests.items():
            at = second - second % DAY_SECONDS, values
            found[at] = found.get(at, 0) + count
        return Sums(self.cube, found)


def details(batches: Iterable[Batch]) -> dict[tuple[int, Values], int]:
    """Return all counts of some batches, one for each hour and combination of labels."""
    found: dict[tuple[int, Values], int] = {}
    for batch in batches:
        for row in batch.counts:
            at = (row.hour, _values(row))
            found[at] = found.get(at, 0) + row.requests
    return found


def _values(row: Any) -> Values:
    return (
        row.kind,
        row.repository,
        row.arch,
        row.country,
        row.tier,
        str(row.status),
        row.client,
        str(row.family),
        str(row.countme),
    )


def sums(detail: Detail) -> Iterator[Sums]:
    """Yield the sums of each cube of requests, by hour."""
    made: list[tuple[Cube, Detail]] = [(REQUEST, detail)]
    for cube in CUBES:
        fit = [one for one in made if {*cube} <= {*one[0]}]
        source, counts = min(fit, key=lambda one: len(one[1]))
        found = _summed(cube, source, counts)
        made.append((cube, found))
        yield Sums(cube, found)


def hosts(batches: Iterable[Batch]) -> list[Sums]:
    """Return how often each host was named first, by hour, with its tier and without."""
    found: dict[tuple[int, Values], int] = {}
    for batch in batches:
        for row in batch.hosts:
            at = (row.hour, (row.host, row.tier))
            found[at] = found.get(at, 0) + row.times
    return [Sums(cube, _summed(cube, HOST, found)) for cube in HOSTS]


def _summed(cube: Cube, source: Cube, counts: Detail) -> dict[tuple[int, Values], int]:
    pick = _picker(cube, source)
    found: dict[tuple[int, Values], int] = {}
    for (second, values), count in counts.items():
        at = second, pick(values)
        found[at] = found.get(at, 0) + count
    return found


def _picker(cube: Cube, source: Cube) -> Callable[[Values], Values]:
    places = [source.index(label) for label in cube]
    if not places:
        return lambda values: ()
    if len(places) == 1:
        (place,) = places
        return lambda values: (values[place],)
    return itemgetter(*places)
