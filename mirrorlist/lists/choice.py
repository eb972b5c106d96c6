"""Drawing: an order of hosts, a region of hosts that are drawn together, a choice cut out of it.

A *region* is the hosts of all tiers of countries together, drawn by bandwidth; the tiers are cut
out of it without changing which host stands before which, which is the same as drawing each of
them, and so all countries of a continent share its draws. A *choice* is a region cut for one
country, or for all countries without hosts of their own. The first host, which bears the load, is
not the region's: it is drawn for each rendering, by a sequence that visits the hosts evenly
(Weyl's, with the golden ratio, from a random start), so the shares are those of the bandwidths over
few renderings too.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, filterfalse
from math import log
from random import Random

from msgspec import Struct

from mirrorlist.lists.listing import Listing, ListKind, make_template
from mirrorlist.lists.selection import Tier

# Multiples of the golden ratio, less their whole parts, fill 0 to 1 as evenly as any can at every
# length (multiplicative hashing, Knuth, The Art of Computer Programming, volume 3).
_GOLDEN = (5**0.5 - 1) / 2
# Roughly what they take: a choice, a host in it, a region, a host there, an order.
_CHOICE_BYTES, _CHOSEN_BYTES = 500, 8
_REGION_BYTES, _DRAWN_BYTES, _ORDER_BYTES = 400, 16, 250


class Order(Struct, frozen=True):
    """An order of hosts, its first one's tier, and its template, which lacks but the path."""

    hosts: list[Listing]
    template: bytes
    tier: Tier | None = None

    @property
    def first(self) -> str:
        """The first URL, for a redirect; there is a host."""
        return self.hosts[0].urls[0].base

    @property
    def size(self) -> int:
        """About how many bytes it takes, without what is shared."""
        return _ORDER_BYTES + len(self.template) + _CHOSEN_BYTES * len(self.hosts)


class Region:
    """Hosts that are drawn together, by bandwidth."""

    __slots__ = ("__weakref__", "_hosts", "_left", "_order", "size")

    def __init__(self, hosts: Sequence[Listing]) -> None:
        """Take the hosts, in any order."""
        self._hosts = tuple(hosts)
        self._order: list[Listing] = []
        self._left = 0
        self.size = _REGION_BYTES + _DRAWN_BYTES * len(hosts)

    def next(self, reuse: int, rng: Random) -> list[Listing]:
        """Return an order: the last one, or every `reuse` times a new one.

        As sorting by random() ** (1 / weight), largest first (Efraimidis and Spirakis 2006); the
        logarithm keeps large weights apart. A draw costs about 0.4 us a host.
        """
        if not self._left:
            random = rng.random
            keys = {one: log(1.0 - random()) * one.inverse for one in self._hosts}
            self._order = sorted(keys, key=keys.__getitem__, reverse=True)
            self._left = reuse
        self._left -= 1
        return self._order


class Choice:
    """A region cut into tiers, for the clients of one country.

    `said` is what a heading says was used; `is_global`: the nearer tiers had too few hosts that
    count, `nearer`; `tier` is that of the first part.
    """

    __slots__ = ("_firsts", "_kind", "_region", "_turn", "is_global", "nearer", "said", "tier")

    def __init__(
        self,
        region: Region,
        parts: Sequence[tuple[Listing, ...]],
        kind: ListKind,
        said: bytes,
        is_global: bool,
        turn: float,
        tier: Tier | None = None,
        nearer: int = 0,
    ) -> None:
        """Take the parts in order; `turn`, from 0 up to 1, is where to begin."""
        self.said, self.is_global, self.tier, self.nearer = said, is_global, tier, nearer
        self._region = region
        self._kind = kind
        # A host that is in none of these is in the last part.
        self._firsts = tuple(parts[:-1]) or tuple(parts)
        self._turn = turn

    @property
    def size(self) -> int:
        """About how many bytes it takes, without its region."""
        return _CHOICE_BYTES + _CHOSEN_BYTES * sum(map(len, self._firsts)) + len(self.said)

    def drawn(self, reuse: int, rng: Random) -> Order:
        """Return a new order."""
        return rendered(self._arranged(reuse, rng), self._kind, self.tier)

    def _arranged(self, reuse: int, rng: Random) -> list[Listing]:
        if not self._firsts:
            return []
        nearest = self._firsts[0]
        sums = list(accumulate([one.weight for one in nearest]))
        self._turn = (self._turn + _GOLDEN) % 1.0
        first = nearest[min(bisect_right(sums, self._turn * sums[-1]), len(nearest) - 1)]
        hosts: list[Listing] = []
        rest = self._region.next(reuse, rng)
        for part in map(frozenset, self._firsts):
            hosts += filter(part.__contains__, rest)
            rest = list(filterfalse(part.__contains__, rest))
        hosts.remove(first)
        return [first, *hosts, *rest]


def rendered(hosts: list[Listing], kind: ListKind, tier: Tier | None = None) -> Order:
    """Return an order of hosts as it is."""
    return Order(hosts, make_template(hosts, kind), tier)


def before(
    near: Sequence[Listing], order: Order, kind: ListKind, tier: Tier | None = None
) -> Order:
    """Return an order with some hosts, the first of them of a tier, before all others."""
    forward = set(near)
    rest = [one for one in order.hosts if one not in forward]
    return rendered([*near, *rest], kind, tier or order.tier)
