"""Drawing: an order of hosts, a region of hosts that are drawn together, a choice cut out of it.

A *region* is the hosts of all tiers of countries together, drawn by bandwidth. A *choice* cuts the
tiers out of a region's draw, for one country or for all countries without hosts of their own. The
hosts of a tier keep the order of the draw, and that is the same as drawing the tier alone: so all
countries of a continent share the draws of one region.

The first host of a list bears nearly all of its load, so it is not taken from the region's draw. It
is chosen for each rendering by a sequence that visits the hosts evenly (Weyl's, with the golden
ratio, from a random start): its shares are those of the bandwidths after a few renderings already.
"""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, count, filterfalse
from math import log
from random import Random

from msgspec import Struct

from mirrorlist.lists.listing import Listing, Listings
from mirrorlist.lists.numbered import Numbered
from mirrorlist.lists.selection import Tier
from snapshot.stats.spool import OTHER

# The fractional parts of the multiples of the golden ratio divide 0 to 1 as evenly as any sequence
# can, however many there are (multiplicative hashing, Knuth, The Art of Computer Programming 3).
_GOLDEN = (5**0.5 - 1) / 2
# Roughly the bytes of a choice, of a region, of a host in that, of an order.
_CHOICE_BYTES, _REGION_BYTES, _DRAWN_BYTES, _ORDER_BYTES = 560, 500, 26, 250


class Lead(Struct, frozen=True, eq=False, gc=False):
    """The first host of an order, by its name, and its tier; `code` is for a counter's key."""

    code: int
    host: str
    tier: Tier | None


STATUS_SHIFT, FIRST_LEAD = 16, 1024
"""An answer without hosts has its status, shifted, in the place of a lead's code."""

_NO_OTHERS = Listings()

LEADS = Numbered(Lead, STATUS_SHIFT, 1 << 20, OTHER, None, first=FIRST_LEAD)
"""All leads; the rest is for those beyond a million, which no snapshots have."""


class Order(Struct, frozen=True, gc=False):
    """An order of hosts: those `ahead`, then those of `known` at `indexes`.

    `tier` is that of the first one; `lead` is the code of both, 0 for an order without hosts.
    Thousands of orders are kept, and an index takes a byte or two where a reference takes eight.
    """

    known: Listings
    indexes: Sequence[int]
    tier: Tier | None = None
    lead: int = 0
    ahead: Sequence[Listing] = ()

    @property
    def hosts(self) -> list[Listing]:
        """The hosts in their order."""
        return [*self.ahead, *[self.known[index] for index in self.indexes]]

    @property
    def first(self) -> str:
        """The first URL, for a redirect; only for an order that has a host."""
        one = self.ahead[0] if self.ahead else self.known[self.indexes[0]]
        return one.urls[0].base


def order_of(hosts: Sequence[Listing], tier: Tier | None = None) -> Order:
    """Return the order of hosts that stand in it already: nobody keeps it."""
    lead = LEADS.find(hosts[0].name, tier).code if hosts else 0
    return Order(_NO_OTHERS, (), tier, lead, hosts)


class Region:
    """Hosts that are drawn together, by bandwidth; an index stands for each of them."""

    __slots__ = ("__weakref__", "_left", "_order", "hosts", "size")

    def __init__(self, hosts: Sequence[Listing]) -> None:
        """Take the hosts, in any order."""
        self.hosts = Listings(hosts)
        self._order: Sequence[int] = ()
        self._left = 0
        self.size = _REGION_BYTES + _DRAWN_BYTES * len(hosts)

    def next(self, reuse: int, rng: Random) -> Sequence[int]:
        """Return an order of indexes: the last one, or every `reuse` times a new one.

        Drawn as `shuffle.weighted` does. A draw costs about 0.3 us a host.
        """
        if not self._left:
            # 1.0 - random() is above 0, and so has a logarithm; random() itself may be 0.
            random = rng.random
            keys = [log(1.0 - random()) * one.inverse for one in self.hosts]
            drawn = sorted(range(len(keys)), key=keys.__getitem__, reverse=True)
            self._order = self.compact(drawn)
            self._left = reuse
        self._left -= 1
        return self._order

    def compact(self, indexes: Sequence[int]) -> Sequence[int]:
        """Return indexes in as few bytes as the number of hosts allows."""
        count = len(self.hosts)
        if count <= 1 << 8:
            return bytes(indexes)
        return array("H" if count <= 1 << 16 else "L", indexes)


class Choice:
    """A region cut into tiers, for the clients of one country.

    `said` is the part of a heading that says what was used. `nearer` is how many usable hosts the
    tiers before the global one have; `is_global` says that they were too few, so the global tier is
    there. `tier` is the tier of the first part.
    """

    __slots__ = ("_firsts", "_region", "_turn", "is_global", "nearer", "said", "tier")

    def __init__(
        self,
        region: Region,
        parts: Sequence[tuple[Listing, ...]],
        said: bytes,
        is_global: bool,
        turn: float,
        tier: Tier | None = None,
        nearer: int = 0,
    ) -> None:
        """Take the parts in order; `turn` (0 to 1) is where the sequence of first hosts begins."""
        self.said, self.is_global, self.tier, self.nearer = said, is_global, tier, nearer
        self._region = region
        index_of = dict(zip(region.hosts, count())).__getitem__
        # The last part needs no list of its own: it has all hosts that these leave.
        firsts = tuple(parts[:-1]) or tuple(parts)
        self._firsts = tuple([region.compact([*map(index_of, part)]) for part in firsts])
        self._turn = turn

    @property
    def size(self) -> int:
        """About how many bytes it takes with an order, without its region."""
        hosts = self._region.hosts
        index_bytes = len(bytes(self._region.compact([0])))
        count = sum(map(len, self._firsts)) + len(hosts)
        return _CHOICE_BYTES + _ORDER_BYTES + index_bytes * count + len(self.said)

    def drawn(self, reuse: int, rng: Random) -> Order:
        """Return a new order."""
        indexes = self._region.compact(self._arranged(reuse, rng))
        hosts = self._region.hosts
        lead = LEADS.find(hosts[indexes[0]].name, self.tier).code if indexes else 0
        return Order(hosts, indexes, self.tier, lead)

    def _arranged(self, reuse: int, rng: Random) -> list[int]:
        if not self._firsts:
            return []
        first = self._first_host()
        indexes: list[int] = []
        rest = self._region.next(reuse, rng)
        for part in map(frozenset, self._firsts):
            # Filtering keeps the region's order within the tier.
            indexes += filter(part.__contains__, rest)
            rest = list(filterfalse(part.__contains__, rest))
        indexes.remove(first)
        return [first, *indexes, *rest]

    def _first_host(self) -> int:
        """Return the index of the next first host."""
        # `turn` is a point on the bandwidths laid end to end; the host there is the first. Its
        # steps are even, so each host is first in proportion to its bandwidth.
        nearest, hosts = self._firsts[0], self._region.hosts
        sums = list(accumulate([hosts[index].weight for index in nearest]))
        self._turn = (self._turn + _GOLDEN) % 1.0
        return nearest[min(bisect_right(sums, self._turn * sums[-1]), len(nearest) - 1)]


def before(near: Sequence[Listing], order: Order, tier: Tier | None = None) -> Order:
    """Return an order with some hosts, the first of them of a tier, before all others."""
    if not near:
        return order
    known = order.known
    forward = {known.index(one) for one in near if one in known}
    rest = [*filterfalse(forward.__contains__, order.indexes)]
    return Order(known, rest, tier, LEADS.find(near[0].name, tier).code, near)
