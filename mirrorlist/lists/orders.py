"""Orders of hosts that were drawn, kept for a few requests more.

Most of what a list costs is drawing and rendering an order, so both are used again: the order of a
choice is given to `reuse` requests, countries share the draws of a region (`choice`), and the list
of an order is kept where it is asked for often (`bodies`).

Choices and regions are known by what they consist of (URLs, weights, countries), not by their
snapshot, so a new snapshot that changes nothing of them goes on with them. Memory is bounded in
bytes; what was not asked for recently goes first.
"""

from array import array
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from itertools import chain, count
from operator import attrgetter
from random import Random
from weakref import WeakValueDictionary

from msgspec import msgpack

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.catalog.urls import Url
from mirrorlist.lists.bodies import Bodies, KeptChoice
from mirrorlist.lists.choice import Choice, Order, Region, order_of
from mirrorlist.lists.defaults import DEFAULT_REUSE
from mirrorlist.lists.listing import Listing, ListKind
from mirrorlist.lists.selection import Offer, Tier, draw
from snapshot.file.model import Host

# What one worker keeps. It grows with the hosts: more hosts make lists longer, and make more of
# them, because more countries have hosts.
BYTES_A_HOST = 39_000
FEWEST_BYTES = 8 << 20
# This many sequences of URLs are remembered before old ones are dropped.
_FEW = 1000
# Roughly the memory of a key.
_KEY_BYTES = 140
# Roughly the memory of a table of a kind of list, and of each host in it.
_TABLE_BYTES, _ENTRY_BYTES = 500, 100
# How many keys get a second chance when one is added: the work for a new key has a limit.
_CHANCES = 16

_NUMBER = attrgetter("number")
# By the struct's own fields: one that is added is part of the key without further ado.
_BUT_HOSTS = [name for name in Offer.__struct_fields__ if name not in ("parts", "urls")]


class _Table(dict[int, Listing]):
    """What one kind of list says of each host by its index, found when it is first asked for."""

    def __init__(
        self,
        urls: Mapping[int, Sequence[Url]],
        hosts: Sequence[Host],
        find: Callable[[Sequence[Url], Host], Listing],
    ) -> None:
        """Take the URLs of the hosts, and what finds the listing of a host with its URLs."""
        self.urls = urls
        self._hosts, self._find = hosts, find

    def __missing__(self, host: int) -> Listing:
        found = self[host] = self._find(self.urls[host], self._hosts[host])
        return found


class Orders:
    """All choices and regions of a worker, bounded in bytes.

    A third of the bytes is for rendered lists. The rest is for choices by their keys, each choice
    with its order. If there is no room, the oldest key goes, but a key whose choice was asked for
    since it was last looked at gets a second chance (the CLOCK algorithm: Corbató, A paging
    experiment with the Multics system, 1968). So a hit only sets a mark, and all room is in use.
    """

    def __init__(self, reuse: int = DEFAULT_REUSE, most_bytes: int = FEWEST_BYTES) -> None:
        """Take how many requests get one list, at least 1, and how much may be kept."""
        self.reuse = reuse
        self._most_bytes = most_bytes
        self._numbers = count()
        self._kept: dict[object, KeptChoice] = {}
        self._keys: deque[object] = deque()
        self._kept_bytes = 0
        self._regions: WeakValueDictionary[bytes, Region] = WeakValueDictionary()
        # Those that have keys. References that are weak would take 100 bytes more for each.
        self._choices: dict[bytes, KeptChoice] = {}
        self._listings: WeakValueDictionary[object, Listing] = WeakValueDictionary()
        self._tables: dict[int, _Table] = {}
        self._by_urls: dict[int, tuple[Sequence[Url], Listing]] = {}
        self._by_urls_bytes = 0
        self.bodies = Bodies(most_bytes // 3, self._choices.values)

    def find(self, key: object) -> KeptChoice | None:
        """Return the choice that is kept by a key."""
        return self._kept.get(key)

    def add(
        self, key: object, offer: Offer, catalog: Catalog, kind: ListKind, said: bytes, rng: Random
    ) -> KeptChoice:
        """Keep a choice by a key, and return it; `offer` has tiers of countries only."""
        parts = [self.listings(part.hosts, offer, catalog) for part in offer.parts]
        is_global = any(part.tier is Tier.GLOBAL for part in offer.parts)
        tier = offer.first
        # All that decides about the list's bytes, but for chance and the path. Equal content is one
        # choice, whichever snapshot, query or country it comes from.
        content = _content(*parts, rest=msgpack.encode((kind, said, *_but_hosts(offer))))
        kept = self._choices.get(content)
        if kept is None:
            region = self._region([*chain.from_iterable(parts)])
            # Workers begin at different points, so that together they share out evenly too.
            turn = rng.random()
            choice = Choice(region, parts, said, is_global, turn, tier, offer.nearer)
            kept = self._choices[content] = KeptChoice(choice, content)
        self._keep(key, kept)
        return kept

    def next(self, kept: KeptChoice, rng: Random) -> Order:
        """Return an order of a choice: the last one, or every `reuse` times a new one."""
        kept.is_asked = True
        if kept.left and kept.order is not None:
            kept.left -= 1
            return kept.order
        kept.order, kept.left, kept.path = kept.choice.drawn(self.reuse, rng), self.reuse - 1, None
        return kept.order

    def listings(self, hosts: Sequence[int], offer: Offer, catalog: Catalog) -> tuple[Listing, ...]:
        """Return what lists say of hosts: one object a host, until a snapshot says otherwise."""
        urls = offer.urls
        # A catalog has one object with the URLs of a kind of list, so its identity is the cheapest
        # key. The table keeps that object: no other one can get its id meanwhile.
        table = self._tables.get(id(urls))
        if table is None or table.urls is not urls:
            table = self._new_table(urls, catalog.hosts)
        return tuple(map(table.__getitem__, hosts))

    @property
    def size(self) -> int:
        """About how many bytes are kept."""
        return self.bodies.bytes + self._kept_bytes

    def _keep(self, key: object, kept: KeptChoice) -> None:
        self._kept[key] = kept
        self._keys.append(key)
        self._kept_bytes += _KEY_BYTES
        # Several keys may have one choice.
        if not kept.keys:
            self._kept_bytes += kept.size
        kept.keys += 1
        chances = _CHANCES
        while self._kept_bytes > self._most_bytes - self.bodies.most_bytes:
            chances -= self._drop_oldest(chances > 0)

    def _drop_oldest(self, may_stay: bool) -> bool:
        """Forget the oldest key, or, if it may stay and was asked for, make it the newest one."""
        key = self._keys.popleft()
        kept = self._kept[key]
        if may_stay and kept.is_asked:
            kept.is_asked = False
            self._keys.append(key)
            return True
        del self._kept[key]
        kept.keys -= 1
        self._kept_bytes -= _KEY_BYTES
        if not kept.keys:
            self._kept_bytes -= kept.size
            del self._choices[kept.content]
        return False

    def _region(self, hosts: Sequence[Listing]) -> Region:
        content = _content(hosts)
        found = self._regions.get(content)
        if found is None:
            found = self._regions[content] = Region(hosts)
        return found

    def _new_table(self, urls: Mapping[int, Sequence[Url]], hosts: Sequence[Host]) -> _Table:
        # A table takes memory for the hosts that are asked for, but clients can invent kinds.
        self._by_urls_bytes += _TABLE_BYTES
        self._forget_if_full(0)
        table = self._tables[id(urls)] = _Table(urls, hosts, self._find)
        return table

    def _find(self, urls: Sequence[Url], host: Host) -> Listing:
        """Return what a list says of a host with URLs that no table has yet."""
        seen = self._by_urls.get(id(urls))
        if seen is not None and seen[0] is urls:
            self._by_urls_bytes += _ENTRY_BYTES
            return seen[1]
        listing = self._listing(urls, host)
        size = listing.size + _ENTRY_BYTES
        self._forget_if_full(size)
        self._by_urls[id(urls)] = urls, listing
        self._by_urls_bytes += size
        return listing

    def _forget_if_full(self, size: int) -> None:
        # Most of these are then URLs of a snapshot that is gone, or of lists that clients no longer
        # ask for. Those in use are remembered again at once.
        is_full = self._by_urls_bytes + size > self._most_bytes // 4
        if is_full or len(self._by_urls) > 4 * len(self._listings) + _FEW:
            self._tables.clear()
            self._by_urls.clear()
            self._by_urls_bytes = 0

    def _listing(self, urls: Sequence[Url], host: Host) -> Listing:
        # All that a `Listing` renders, draws or counts by: two hosts that agree in it are one.
        bases = tuple(url.base for url in urls)
        key = bases, host.name, host.country, host.private, host.bandwidth
        found = self._listings.get(key)
        if found is None:
            found = self._listings[key] = Listing(urls, host, next(self._numbers))
        return found


def room(hosts: int) -> int:
    """Return how many bytes to keep with this many hosts: 17 MB with 430."""
    return max(FEWEST_BYTES, BYTES_A_HOST * hosts)


def _content(*parts: Sequence[Listing], rest: bytes = b"") -> bytes:
    """Return a digest of sets of listings: the order of the sets counts, not that within a set."""
    # 16 bytes: among a billion choices two digests are equal with a chance of 1e-21.
    digest = blake2b(rest, digest_size=16)
    for part in parts:
        digest.update(array("Q", sorted(map(_NUMBER, part))))
        digest.update(b"|")
    return digest.digest()


def _but_hosts(offer: Offer) -> list[object]:
    """Return all that an offer says, except its hosts and URLs: the listings stand for these."""
    return [[part.tier for part in offer.parts], *[getattr(offer, name) for name in _BUT_HOSTS]]


def drawn(offer: Offer, catalog: Catalog, rng: Random, orders: Orders | None) -> Order:
    """Return an order of an offer that nobody keeps."""
    return of_hosts(draw(offer, catalog.weights, rng), offer, catalog, orders)


def of_hosts(
    hosts: Sequence[int], offer: Offer, catalog: Catalog, orders: Orders | None = None
) -> Order:
    """Return the order of hosts of an offer that a caller has drawn already."""
    if orders is not None:
        return order_of(orders.listings(hosts, offer, catalog), offer.first)
    listings = [Listing(offer.urls[one], catalog.hosts[one], 0) for one in hosts]
    return order_of(listings, offer.first)
