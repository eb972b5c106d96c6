"""Orders of hosts that were drawn and rendered, kept for a few more requests.

A list costs mostly the drawing and rendering of its order. So both are shared: `reuse` requests get
the same list of a choice, and the countries of a continent share the draws of a region (`choice`).

Choices and regions are known by what they consist of (URLs, weights, countries), not by their
snapshot, so a new snapshot that changes nothing of them goes on with them. Memory is bounded in
bytes; what was not asked for recently goes first.
"""

from array import array
from collections import deque
from collections.abc import Sequence
from hashlib import blake2b
from itertools import count
from random import Random
from weakref import WeakValueDictionary

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.catalog.urls import Url
from mirrorlist.lists.choice import Choice, Order, Region, rendered
from mirrorlist.lists.listing import Listing, ListKind
from mirrorlist.lists.selection import Offer, Tier, draw
from snapshot.file.model import Host

DEFAULT_REUSE = 16
# What one worker keeps. It grows with the hosts: more hosts make lists longer, and make more of
# them, because more countries have hosts.
BYTES_A_HOST = 44_000
FEWEST_BYTES = 8 << 20
# This many sequences of URLs are remembered before old ones are dropped.
_FEW = 1000
# Roughly the memory of a key.
_KEY_BYTES = 140


class KeptChoice:
    """A choice as it is kept, with its list for a while.

    `order` is the list, which `left` more requests get. `is_recent` says that the choice was asked
    for since `Orders` last considered its list; `generation` is the last generation of keys that it
    was asked for in. `said` repeats the choice's own, so that a request that finds a list touches
    one object and not two.
    """

    __slots__ = (
        "__weakref__",
        "choice",
        "generation",
        "is_recent",
        "left",
        "order",
        "said",
        "size",
    )

    def __init__(self, choice: Choice) -> None:
        """Take a new choice, without a list."""
        self.choice = choice
        self.said = choice.said
        self.size = choice.size
        self.order: Order | None = None
        # Below 0: no request has asked for it. Most choices are asked for only once, so the list
        # of the first request is not kept.
        self.left = -1
        self.is_recent = False
        self.generation = -1


class Orders:
    """All choices and regions of a worker, bounded in bytes.

    Half of the bytes are for rendered lists. When they are full, lists are considered in turn, and
    the first that was not asked for since its last turn goes: the clock algorithm (Corbato 1968),
    which needs one mark at each request and no sorting.

    The other half is for choices by their keys, in two generations: keys that are not asked for
    while the younger generation fills are forgotten with the older one.
    """

    def __init__(self, reuse: int = DEFAULT_REUSE, most_bytes: int = FEWEST_BYTES) -> None:
        """Take how many requests get one list, at least 1, and how much may be kept."""
        self.reuse = reuse
        self._most_bytes = most_bytes
        self._numbers = count()
        self._young: dict[object, KeptChoice] = {}
        self._old: dict[object, KeptChoice] = {}
        self._young_bytes = self._generation = 0
        self._regions: WeakValueDictionary[bytes, Region] = WeakValueDictionary()
        self._choices: WeakValueDictionary[bytes, KeptChoice] = WeakValueDictionary()
        self._listings: WeakValueDictionary[object, Listing] = WeakValueDictionary()
        self._by_urls: dict[int, tuple[Sequence[Url], Listing]] = {}
        self._by_urls_bytes = 0
        self._rendered: deque[KeptChoice] = deque()
        self._rendered_bytes = 0

    def find(self, key: object) -> KeptChoice | None:
        """Return the choice that is kept by a key."""
        found = self._young.get(key)
        if found is None:
            # Asked for again in time: the key moves to the young ones and stays.
            found = self._old.pop(key, None)
            if found is not None:
                self._keep(key, found)
        return found

    def add(
        self, key: object, offer: Offer, catalog: Catalog, kind: ListKind, said: bytes, rng: Random
    ) -> KeptChoice:
        """Keep a choice by a key, and return it; `offer` has tiers of countries only."""
        parts = [self.listings(part.hosts, offer, catalog) for part in offer.parts]
        is_global = any(part.tier is Tier.GLOBAL for part in offer.parts)
        tier = offer.first
        # All that decides about the list's bytes, but for chance and the path. Equal content is one
        # choice, whichever snapshot, query or country it comes from.
        content = _content(*parts, rest=repr((kind, said, _but_hosts(offer))).encode())
        kept = self._choices.get(content)
        if kept is None:
            region = self._region([one for part in parts for one in part])
            # Workers begin at different points, so that together they share out evenly too.
            turn = rng.random()
            choice = Choice(region, parts, kind, said, is_global, turn, tier, offer.nearer)
            kept = self._choices[content] = KeptChoice(choice)
        self._keep(key, kept)
        return kept

    def next(self, kept: KeptChoice, rng: Random) -> Order:
        """Return an order of a choice: the last one, or every `reuse` times a new one."""
        kept.is_recent = True
        if kept.left > 0 and kept.order is not None:
            kept.left -= 1
            return kept.order
        order = kept.choice.drawn(self.reuse, rng)
        if kept.left < 0:
            # The first request: its list is not kept, the list of the second one is.
            kept.left = 0
        else:
            self._keep_order(kept, order)
        return order

    def listings(self, hosts: Sequence[int], offer: Offer, catalog: Catalog) -> tuple[Listing, ...]:
        """Return what lists say of hosts: one object a host, until a snapshot says otherwise."""
        known = self._by_urls
        found = []
        for host in hosts:
            urls = offer.urls[host]
            # A catalog has one object with a host's URLs for each kind of list, so its identity is
            # the cheapest key. The object is kept beside it: no other one can get its id meanwhile.
            seen = known.get(id(urls))
            if seen is not None and seen[0] is urls:
                found.append(seen[1])
            else:
                found.append(self._remember(urls, catalog.hosts[host]))
        return tuple(found)

    @property
    def size(self) -> int:
        """About how many bytes are kept."""
        # Several keys may lead to one choice, which is counted once.
        choices = {id(one): one for one in (*self._young.values(), *self._old.values())}
        keys = _KEY_BYTES * (len(self._young) + len(self._old))
        regions = sum(region.size for region in self._regions.values())
        return self._rendered_bytes + keys + regions + sum(one.size for one in choices.values())

    def _keep_order(self, kept: KeptChoice, order: Order) -> None:
        if kept.order is None:
            self._rendered.append(kept)
        else:
            self._rendered_bytes -= kept.order.size
        kept.order, kept.left = order, self.reuse - 1
        self._rendered_bytes += order.size
        while self._rendered_bytes > self._most_bytes // 2:
            self._evict()

    def _evict(self) -> None:
        """Consider the list whose last turn was longest ago: it goes, or gets a second chance."""
        kept = self._rendered.popleft()
        if kept.is_recent or kept.order is None:
            # Asked for since its last turn. The mark is taken away, so it goes at its next turn
            # unless a request sets the mark again.
            kept.is_recent = False
            self._rendered.append(kept)
        else:
            # As new: the list of the next request is not kept either.
            self._rendered_bytes -= kept.order.size
            kept.order, kept.left = None, -1

    def _keep(self, key: object, kept: KeptChoice) -> None:
        self._young[key] = kept
        self._young_bytes += _KEY_BYTES
        # Several keys may lead to one choice, whose bytes count once in a generation.
        if kept.generation != self._generation:
            kept.generation = self._generation
            self._young_bytes += kept.size
        # A quarter for each of the two generations: together half of all bytes.
        if self._young_bytes > self._most_bytes // 4:
            # Choices and regions that only the older generation refers to are freed.
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
        # Most of these are then URLs of a snapshot that is gone, or of lists that clients no longer
        # ask for. Those in use are remembered again at once.
        is_full = self._by_urls_bytes + size > self._most_bytes // 4
        if is_full or len(self._by_urls) > 4 * len(self._listings) + _FEW:
            self._by_urls.clear()
            self._by_urls_bytes = 0
        self._by_urls[id(urls)] = urls, listing
        self._by_urls_bytes += size
        return listing

    def _listing(self, urls: Sequence[Url], host: Host) -> Listing:
        # All that a `Listing` renders or draws by: two hosts that agree in it are one.
        key = tuple(url.base for url in urls), host.country, host.private, host.bandwidth
        found = self._listings.get(key)
        if found is None:
            found = self._listings[key] = Listing(urls, host, next(self._numbers))
        return found


def room(hosts: int) -> int:
    """Return how many bytes to keep with this many hosts: 19 MB with 430."""
    return max(FEWEST_BYTES, BYTES_A_HOST * hosts)


def _content(*parts: Sequence[Listing], rest: bytes = b"") -> bytes:
    """Return a digest of sets of listings: the order of the sets counts, not that within a set."""
    # 16 bytes: among a billion choices two digests are equal with a chance of 1e-21.
    digest = blake2b(rest, digest_size=16)
    for part in parts:
        digest.update(array("Q", sorted([one.number for one in part])))
        digest.update(b"|")
    return digest.digest()


def _but_hosts(offer: Offer) -> list[object]:
    """Return all that an offer says, except its hosts and URLs: the listings stand for these."""
    # By the struct's own fields: one that is added is part of the key without further ado.
    names = [name for name in Offer.__struct_fields__ if name not in ("parts", "urls")]
    return [[part.tier for part in offer.parts], *[getattr(offer, name) for name in names]]


def drawn(
    offer: Offer, catalog: Catalog, kind: ListKind, rng: Random, orders: Orders | None
) -> Order:
    """Return an order of an offer, drawn for one request."""
    return of_hosts(draw(offer, catalog.weights, rng), offer, catalog, kind, orders)


def of_hosts(
    hosts: Sequence[int], offer: Offer, catalog: Catalog, kind: ListKind, orders: Orders | None
) -> Order:
    """Return the order of hosts of an offer that a caller has drawn already."""
    if orders is not None:
        return rendered(list(orders.listings(hosts, offer, catalog)), kind, offer.first)
    listings = [Listing(offer.urls[one], catalog.hosts[one], 0) for one in hosts]
    return rendered(listings, kind, offer.first)
