"""Orders of hosts that were drawn and rendered, kept for a few requests more.

Most of what a list costs is drawing and rendering an order, so both are used again: the list of a
choice is given to `reuse` requests, and countries share the draws of a region (`choice`).

Choices and regions are known by what they consist of (URLs, weights, countries), not by the
snapshot, so they outlive a snapshot in which nothing of them changed. Memory is bounded in bytes:
what was not asked for lately goes first.
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
# Of one worker: lists are as long as there are hosts, and as many.
BYTES_A_HOST = 44_000
FEWEST_BYTES = 8 << 20
_FEW = 1000
# Roughly what a key takes.
_KEY_BYTES = 140


class KeptChoice:
    """A choice as it is kept, with its list for a while.

    `order`: the list, for `left` more requests; `is_recent` and `generation`: when the choice was
    asked for. `said` is the choice's own: a request that finds a list touches nothing else of it.
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
        """Take a choice that nobody has asked for."""
        self.choice = choice
        self.said = choice.said
        self.size = choice.size
        self.order: Order | None = None
        # Below 0: not asked for at all. Most are asked for once, and their list is not kept.
        self.left = -1
        self.is_recent = False
        self.generation = -1


class Orders:
    """All choices and regions of a worker, bounded in bytes.

    Half of these are for lists: the first that was not asked for since it was last considered goes
    (the clock algorithm, which needs no more at a request than a mark). The others are for choices
    by their keys, in two generations: what is not asked for while the younger one fills is
    forgotten with the older one.
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
            found = self._old.pop(key, None)
            if found is not None:
                self._keep(key, found)
        return found

    def add(
        self, key: object, offer: Offer, catalog: Catalog, kind: ListKind, said: bytes, rng: Random
    ) -> KeptChoice:
        """Keep a choice by a key; `offer` is of tiers of countries."""
        parts = [self.listings(part.hosts, offer, catalog) for part in offer.parts]
        is_global = any(part.tier is Tier.GLOBAL for part in offer.parts)
        tier = offer.first
        content = _content(*parts, rest=repr((kind, said, _but_hosts(offer))).encode())
        kept = self._choices.get(content)
        if kept is None:
            region = self._region([one for part in parts for one in part])
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
            kept.left = 0
        else:
            self._keep_order(kept, order)
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
        """Forget the list that was considered longest ago, unless it was asked for since."""
        kept = self._rendered.popleft()
        if kept.is_recent or kept.order is None:
            # A second chance: it goes the next time, if it is not asked for until then.
            kept.is_recent = False
            self._rendered.append(kept)
        else:
            self._rendered_bytes -= kept.order.size
            kept.order, kept.left = None, -1

    def _keep(self, key: object, kept: KeptChoice) -> None:
        self._young[key] = kept
        self._young_bytes += _KEY_BYTES
        # Several keys may have one choice.
        if kept.generation != self._generation:
            kept.generation = self._generation
            self._young_bytes += kept.size
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


def drawn(
    offer: Offer, catalog: Catalog, kind: ListKind, rng: Random, orders: Orders | None
) -> Order:
    """Return an order of an offer that nobody keeps."""
    return of_hosts(draw(offer, catalog.weights, rng), offer, catalog, kind, orders)


def of_hosts(
    hosts: Sequence[int], offer: Offer, catalog: Catalog, kind: ListKind, orders: Orders | None
) -> Order:
    """Return an order of hosts of an offer as they are."""
    if orders is not None:
        return rendered(list(orders.listings(hosts, offer, catalog)), kind, offer.first)
    listings = [Listing(offer.urls[one], catalog.hosts[one], 0) for one in hosts]
    return rendered(listings, kind, offer.first)
