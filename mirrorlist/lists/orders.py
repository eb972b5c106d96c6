"""Orders of hosts that were drawn and rendered, kept for a few requests more.

Most of what a list costs is drawing and rendering an order, so both are used again. A *region* is
the hosts of all tiers of countries together, drawn by bandwidth; the tiers are cut out of it
without changing what stands before what, which is the same as drawing each of them, and so all
countries of a continent share its draws. A *choice* is a region cut for one country, or for all
countries without hosts of their own; its list is rendered and given to `reuse` requests. Its first
place, which bears the load, is not the region's: it is drawn for each rendering, by a sequence that
visits the hosts evenly (Weyl's, with the golden ratio, from a random start), so the shares are
those of the bandwidths over few renderings too.

Both are known by what they consist of (URLs, weights, countries), not by the snapshot, so they
outlive a snapshot in which nothing of them changed. Memory is bounded in bytes: what was not asked
for lately goes first.
"""

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate, count, filterfalse
from math import log
from random import Random
from weakref import WeakValueDictionary

from msgspec import Struct

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.catalog.urls import Url
from mirrorlist.lists.listing import Kind, Listing, make_template
from mirrorlist.lists.selection import Offer, Tier, draw
from snapshot.file.model import Host

DEFAULT_REUSE = 16
# Of one worker: lists are as long as there are hosts, and as many.
BYTES_A_HOST = 44_000
FEWEST_BYTES = 8 << 20
_GOLDEN = (5**0.5 - 1) / 2
_FEW = 1000
# Roughly what they take: a key, a choice, a host in it, a region, a host there, an order.
_KEY_BYTES, _CHOICE_BYTES, _CHOSEN_BYTES = 140, 500, 8
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
    """A region cut into tiers, for the clients of one country, and its list for a while.

    `said` is what a heading says was used; `is_global`: the nearer tiers had too few hosts that
    count, `nearer`;
    `order`: the list that is kept, for `left` more requests; `is_recent` and `generation`: when
    it was asked for.
    """

    __slots__ = (
        *("__weakref__", "_firsts", "_kind", "_region", "_turn"),
        *(
            "generation",
            "is_global",
            "is_recent",
            "left",
            "nearer",
            "order",
            "said",
            "size",
            "tier",
        ),
    )

    def __init__(
        self,
        region: Region,
        parts: Sequence[tuple[Listing, ...]],
        kind: Kind,
        said: bytes,
        is_global: bool,
        turn: float,
        tier: Tier | None = None,
        nearer: int = 0,
    ) -> None:
        """Take the parts in order; `turn`, from 0 up to 1, is where to begin.

        `tier` is that of the first part.
        """
        self.said, self.is_global, self.tier, self.nearer = said, is_global, tier, nearer
        self.order: Order | None = None
        # Below 0: not asked for at all. Most are asked for once, and their list is not kept.
        self.left = -1
        self.is_recent = False
        self.generation = -1
        self._region = region
        self._kind = kind
        # Whatever is in none of these is in the last part.
        self._firsts = tuple(parts[:-1]) or tuple(parts)
        self._turn = turn
        self.size = _CHOICE_BYTES + _CHOSEN_BYTES * sum(map(len, self._firsts)) + len(said)

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


class Orders:
    """All choices and regions of a worker, bounded in bytes.

    Half of these are for lists: whichever was not asked for since the last look goes (the
    clock algorithm). The others are for choices by their keys, in two generations: what is not
    asked for while the younger one fills is forgotten with the older one.
    """

    def __init__(self, reuse: int = DEFAULT_REUSE, most_bytes: int = FEWEST_BYTES) -> None:
        """Take how many requests get one list, at least 1, and how much may be kept."""
        self.reuse = reuse
        self._most_bytes = most_bytes
        self._numbers = count()
        self._young: dict[object, Choice] = {}
        self._old: dict[object, Choice] = {}
        self._young_bytes = self._generation = 0
        self._regions: WeakValueDictionary[bytes, Region] = WeakValueDictionary()
        self._choices: WeakValueDictionary[bytes, Choice] = WeakValueDictionary()
        self._listings: WeakValueDictionary[object, Listing] = WeakValueDictionary()
        self._by_urls: dict[int, tuple[Sequence[Url], Listing]] = {}
        self._by_urls_bytes = 0
        self._rendered: deque[Choice] = deque()
        self._rendered_bytes = 0

    def find(self, key: object) -> Choice | None:
        """Return the choice that is kept by a key."""
        found = self._young.get(key)
        if found is None:
            found = self._old.pop(key, None)
            if found is not None:
                self._keep(key, found)
        return found

    def add(
        self, key: object, offer: Offer, catalog: Catalog, kind: Kind, said: bytes, rng: Random
    ) -> Choice:
        """Keep a choice by a key; `offer` is of tiers of countries."""
        parts = [self.listings(part.hosts, offer, catalog) for part in offer.parts]
        is_global = any(part.tier is Tier.GLOBAL for part in offer.parts)
        tier = offer.first
        content = _content(*parts, rest=repr((kind, said, _but_hosts(offer))).encode())
        choice = self._choices.get(content)
        if choice is None:
            region = self._region([one for part in parts for one in part])
            choice = Choice(region, parts, kind, said, is_global, rng.random(), tier, offer.nearer)
            self._choices[content] = choice
        self._keep(key, choice)
        return choice

    def next(self, choice: Choice, rng: Random) -> Order:
        """Return an order of a choice: the last one, or every `reuse` times a new one."""
        choice.is_recent = True
        if choice.left > 0 and choice.order is not None:
            choice.left -= 1
            return choice.order
        order = choice.drawn(self.reuse, rng)
        if choice.left < 0:
            choice.left = 0
        else:
            self._keep_order(choice, order)
        return order

    def listings(self, hosts: Sequence[int], offer: Offer, catalog: Catalog) -> tuple[Listing, ...]:
        """Return what lists say of hosts; the same of a host in all snapshots that agree."""
        known = self._by_urls
        found = []
        for host in hosts:
            urls = offer.urls[host]
            # Of one catalog the URLs of a host are one object for each kind of list.
            seen = known.get(id(urls))
            if seen is not None and seen[0] is urls:
                found.append(seen[1])
            else:
                found.append(self._remember(urls, catalog.hosts[host]))
        return tuple(found)

    @property
    def size(self) -> int:
        """About how many bytes are kept."""
        choices = {id(one): one for one in (*self._young.values(), *self._old.values())}
        keys = _KEY_BYTES * (len(self._young) + len(self._old))
        regions = sum(region.size for region in self._regions.values())
        return self._rendered_bytes + keys + regions + sum(one.size for one in choices.values())

    def _keep_order(self, choice: Choice, order: Order) -> None:
        if choice.order is None:
            self._rendered.append(choice)
        else:
            self._rendered_bytes -= choice.order.size
        choice.order, choice.left = order, self.reuse - 1
        self._rendered_bytes += order.size
        while self._rendered_bytes > self._most_bytes // 2:
            self._look()

    def _look(self) -> None:
        """Forget the list that was looked at longest ago, unless it was asked for since."""
        choice = self._rendered.popleft()
        if choice.is_recent or choice.order is None:
            choice.is_recent = False
            self._rendered.append(choice)
        else:
            self._rendered_bytes -= choice.order.size
            choice.order, choice.left = None, -1

    def _keep(self, key: object, choice: Choice) -> None:
        self._young[key] = choice
        self._young_bytes += _KEY_BYTES
        # Several keys may have one choice.
        if choice.generation != self._generation:
            choice.generation = self._generation
            self._young_bytes += choice.size
        if self._young_bytes > self._most_bytes // 4:
            self._old, self._young, self._young_bytes = self._young, {}, 0
            self._generation += 1

    def _region(self, hosts: Sequence[Listing]) -> Region:
        content = _content(hosts)
        found = self._regions.get(content)
        if found is None:
            found = self._regions[content] = Region(hosts)
        return found

    def _remember(self, urls: Sequence[Url], host: Host) -> Listing:
        listing = self._listing(urls, host)
        size = listing.size
        # The URLs of a snapshot that is gone, or of lists that nobody asks for again.
        is_full = self._by_urls_bytes + size > self._most_bytes // 4
        if is_full or len(self._by_urls) > 4 * len(self._listings) + _FEW:
            self._by_urls.clear()
            self._by_urls_bytes = 0
        self._by_urls[id(urls)] = urls, listing
        self._by_urls_bytes += size
        return listing

    def _listing(self, urls: Sequence[Url], host: Host) -> Listing:
        key = tuple(url.base for url in urls), host.country, host.private, host.bandwidth
        found = self._listings.get(key)
        if found is None:
            found = self._listings[key] = Listing(urls, host, next(self._numbers))
        return found


def room(hosts: int) -> int:
    """Return how many bytes to keep with so many hosts: 19 MB with 430."""
    return max(FEWEST_BYTES, BYTES_A_HOST * hosts)


def _content(*parts: Sequence[Listing], rest: bytes = b"") -> bytes:
    """Return a digest of sets of listings, in order."""
    digest = blake2b(rest, digest_size=16)
    for part in parts:
        digest.update(array("Q", sorted([one.number for one in part])))
        digest.update(b"|")
    return digest.digest()


def _but_hosts(offer: Offer) -> list[object]:
    """Return all that an offer says beside its hosts and URLs, which listings stand for."""
    names = [name for name in Offer.__struct_fields__ if name not in ("parts", "urls")]
    return [[part.tier for part in offer.parts], *[getattr(offer, name) for name in names]]


def rendered(hosts: list[Listing], kind: Kind, tier: Tier | None = None) -> Order:
    """Return an order of hosts as it is."""
    return Order(hosts, make_template(hosts, kind), tier)


def drawn(offer: Offer, catalog: Catalog, kind: Kind, rng: Random, orders: Orders | None) -> Order:
    """Return an order of an offer that nobody keeps."""
    return of_hosts(draw(offer, catalog.weights, rng), offer, catalog, kind, orders)


def of_hosts(
    hosts: Sequence[int], offer: Offer, catalog: Catalog, kind: Kind, orders: Orders | None
) -> Order:
    """Return an order of hosts of an offer as they are."""
    if orders is not None:
        return rendered(list(orders.listings(hosts, offer, catalog)), kind, offer.first)
    listings = [Listing(offer.urls[one], catalog.hosts[one], 0) for one in hosts]
    return rendered(listings, kind, offer.first)


def before(near: Sequence[Listing], order: Order, kind: Kind, tier: Tier | None = None) -> Order:
    """Return an order with some hosts, the first of them of a tier, before all others."""
    forward = set(near)
    rest = [one for one in order.hosts if one not in forward]
    return rendered([*near, *rest], kind, tier or order.tier)
