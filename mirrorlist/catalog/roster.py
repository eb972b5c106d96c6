"""The hosts with their URLs, and all that follows from them alone.

A roster outlives its snapshot if the next one has the same hosts and URLs. Most changes of the
database come from the crawler, which finds that a host has other directories than before: then
everything that was compiled here, and the kept orders, stay in use.
"""

from collections.abc import Mapping, Sequence
from itertools import count

from msgspec import structs

from mirrorlist.catalog.kept import Kept
from mirrorlist.catalog.ranks import Ranks
from mirrorlist.catalog.urls import Url, first, make_url, offered
from mirrorlist.request.query import MAX_LIST_ELEMENTS, Wish
from snapshot.file.reader import Snapshot

# Bytes that a worker keeps. `listed` keeps this many for each host, but at least the first number.
KINDS_BYTES, KINDS_BYTES_A_HOST = 4 << 20, 20_000
NUMBERS_BYTES = 6 << 20
PROTOCOLS_BYTES = 256 << 10
CARRIERS_BYTES = 8 << 20

_NUMBERS = count(1)
# "`global` is all public hosts" (docs/protocol.md#parameters), in upper case as all of country= is.
GLOBAL = "GLOBAL"
# Stands for all countries asked for that no host and no continent has.
_NOWHERE = "--"
# Stand for protocols asked for that no URL has.
_NO_PROTOCOLS = tuple([f"?{number}" for number in range(MAX_LIST_ELEMENTS)])

Kind = tuple[int, frozenset[str] | None, int, frozenset[str] | None]


class Offered(dict[int, tuple[Url, ...]]):
    """The URLs that a kind of list gives for each host; `hosts` are these hosts as a set."""

    __slots__ = ("hosts",)

    hosts: int


class Carriers:
    """The hosts that may be offered for a directory.

    `public` are those for all clients, as a set of `Ranks`. `nearby` has the number of these hosts
    of each continent that has some: equal hosts, equal number.
    """

    __slots__ = ("_bits", "nearby", "number", "public", "size")

    def __init__(self, bits: int, public: int, nearby: Mapping[str, int]) -> None:
        """Take all hosts as bits by their indexes, the public ones, and numbers by continent."""
        # One number as a set: a test of membership is a shift, and a host takes one bit.
        self._bits = bits
        self.public = public
        self.nearby = nearby
        # Stands for these carriers in keys of caches, which so do not keep them in memory.
        self.number = next(_NUMBERS)
        # About how many bytes they take.
        self.size = 500 + bits.bit_length() // 3 + 80 * len(nearby)

    def __bool__(self) -> bool:
        """Return whether there is any host."""
        return self._bits != 0

    def __contains__(self, host: int) -> bool:
        """Return whether a host is one of them."""
        return self._bits >> host & 1 == 1


class Roster:
    """Hosts, URLs, categories and continents in serving form."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Compile the roster of a snapshot; raises MalformedSnapshot if it contradicts itself."""
        self.hosts = snapshot.hosts
        self.categories = snapshot.categories
        self.continents = snapshot.continents
        self.weights = [host.bandwidth for host in snapshot.hosts]
        self._urls = [
            {host.host: tuple(make_url(url) for url in host.urls) for host in category.hosts}
            for category in snapshot.categories
        ]
        self._of_asn: dict[int, list[int]] = {}
        for index, host in enumerate(snapshot.hosts):
            # A host may name its own ASN as a peer ASN too.
            for asn in dict.fromkeys(host.asns):
                self._of_asn.setdefault(asn, []).append(index)
        self._protocols = [
            frozenset(url.protocol for urls in hosts.values() for url in urls)
            for hosts in self._urls
        ]
        countries = (GLOBAL, *self.continents, *(host.country for host in self.hosts))
        # One string object for each name, whatever text a client sent.
        self._known = {one: one for one in countries}
        self._surroundings: dict[str, tuple[str | None, int]] = {}
        kinds = max(KINDS_BYTES, KINDS_BYTES_A_HOST * len(self.hosts))
        self._listed = Kept[Kind, Offered](kinds, _listed_size)
        self._most = Kept[tuple[int, frozenset[str]], int](PROTOCOLS_BYTES, _most_size)
        self._carriers = Kept[int, Carriers](CARRIERS_BYTES // 3, _carriers_size)
        self._nearby = Kept[int, int](CARRIERS_BYTES // 3, _nearby_size)
        self.ranks = Ranks(self.hosts, self.continents)
        self._public = self.ranks.of(
            [index for index, host in enumerate(self.hosts) if not host.private]
        )
        self._numbers = Kept[tuple[object, ...], int](NUMBERS_BYTES, _number_size)

    def is_of(self, snapshot: Snapshot) -> bool:
        """Return whether a snapshot has the same hosts, URLs and continents: takes about 1 ms."""
        return (
            self.hosts == snapshot.hosts
            and self.categories == snapshot.categories
            and self.continents == snapshot.continents
        )

    def carriers(self, bits: int) -> Carriers:
        """Return the hosts of a host set; compiled once, and one object for equal sets."""
        found = self._carriers.find(bits)
        if found is None:
            public = self.ranks.of_indexes(bits) & self._public
            nearby = {
                continent: self._near(public & on)
                for continent, on in self.ranks.on_continent.items()
                if public & on
            }
            found = self._carriers.keep(bits, Carriers(bits, public, nearby))
        return found

    def _near(self, hosts: int) -> int:
        """Return the number of public hosts of a continent."""
        return self._nearby.find(hosts) or self._nearby.keep(hosts, next(_NUMBERS))

    def urls(self, category: int, host: int) -> tuple[Url, ...]:
        """Return a host's public URLs of a category, in the order of their ids."""
        return self._urls[category].get(host, ())

    def listed(
        self, category: int, protocols: frozenset[str] | None, only: frozenset[str] | None
    ) -> Offered:
        """Return the URLs that a kind of list gives for each host; a host without any is left out.

        docs/protocol.md#the-urls-of-a-host: with `protocols` "the first URLs of the host that have
        one of the protocols, at most as many as there are distinct protocols". With `only` it is
        one URL a host: the first that also has one of these. Kept for the kinds in use.
        """
        known, most = (None, 0) if protocols is None else self.named(category, protocols)
        key = category, known, most, only
        # Nearly always among the young ones: a single look into a dictionary.
        found = self._listed.young.get(key) or self._listed.find(key)
        if found is None:
            found = Offered()
            for host, urls in self._urls[category].items():
                left = offered(urls, known, most)
                if only is not None:
                    left = first(urls, only if known is None else only & known)
                if left:
                    # If no URL is left out, share the tuple that all kinds share.
                    found[host] = urls if len(left) == len(urls) else tuple(left)
            found.hosts = self.ranks.of(found)
            self._listed.keep(key, found)
        return found

    def named(
        self, category: int, protocols: frozenset[str] | None
    ) -> tuple[frozenset[str] | None, int]:
        """Return the known ones of the protocols named, and how many URLs a host may have.

        Equal results lead to equal lists, whatever unknown protocols a client names beside them.
        """
        if protocols is None:
            return None, 0
        known = protocols & self._protocols[category]
        # An unknown protocol still raises the number of URLs that a host may have, but not over
        # the number that some host has.
        most = self._most.find((category, known))
        if most is None:
            counts = [
                sum([url.protocol in known for url in urls])
                for urls in self._urls[category].values()
            ]
            most = self._most.keep((category, known), max(counts, default=0))
        return known, min(len(protocols), most)

    def known(self, wish: Wish, category: int) -> Wish:
        """Return the wish, made of known names alone, that leads to the same lists of a category.

        Wishes with the same lists become equal, so the result is part of the keys of caches, and
        clients cannot fill these with invented names. All other fields are carried as they are.
        """
        asked = wish.protocols
        if not wish.countries and (asked is None or asked <= self._protocols[category]):
            return wish
        protocols, most = self.named(category, wish.protocols)
        if protocols is not None:
            # Unknown protocols count in how many URLs of a host are listed: placeholders keep the
            # number.
            protocols |= frozenset(_NO_PROTOCOLS[: max(0, most - len(protocols))])
        countries = self.named_countries(wish.countries)
        if not countries and protocols == wish.protocols:
            return wish
        return structs.replace(wish, protocols=protocols, countries=countries)

    def named_countries(self, countries: Sequence[str]) -> tuple[str, ...]:
        """Return the known ones of the countries asked for.

        If all of them are unknown, the result is `_NOWHERE`, which still says that countries were
        asked for: then the near tiers are not consulted.
        """
        known = self._known
        return tuple([known[one] for one in countries if one in known]) or (
            (_NOWHERE,) if countries else ()
        )

    def carries_category(self, category: int, host: int) -> bool:
        """Return whether a host has a category, perhaps without a public URL."""
        return host in self._urls[category]

    def of_asn(self, asn: int) -> Sequence[int]:
        """Return the hosts that have an ASN, in the order of their indexes."""
        return self._of_asn.get(asn, ())

    def surroundings(self, country: str) -> tuple[str | None, int]:
        """Return the continent of a country, and the hosts that may be offered to its clients.

        Countries that are equal in both, and have no hosts of their own, have the same tiers.
        """
        found = self._surroundings.get(country)
        if found is None:
            found = self.continents.get(country), self._open_to(country)
            # Equal ones are one object, because many keys hold them.
            found = next((other for other in self._surroundings.values() if other == found), found)
            self._surroundings[country] = found
        return found

    def _open_to(self, country: str) -> int:
        allowed = [host.countries_allowed for host in self.hosts]
        return self.ranks.of(
            [index for index, only in enumerate(allowed) if not only or country in only]
        )

    def number_of(self, thing: tuple[object, ...]) -> int:
        """Return a number that stands for a thing of this roster, and for nothing of another."""
        # Clients can invent any number of queries, so old numbers are forgotten; a thing that comes
        # again then gets a new number, which no other thing ever had.
        return self._numbers.find(thing) or self._numbers.keep(thing, next(_NUMBERS))


# About how many bytes a pair takes, its entry in a dictionary included.


def _listed_size(key: Kind, value: Offered) -> int:
    return 700 + sum([100 + 8 * len(urls) for urls in value.values()])


def _most_size(key: tuple[int, frozenset[str]], value: int) -> int:
    return 500 + 32 * len(key[1])


def _carriers_size(key: int, value: Carriers) -> int:
    return 200 + value.size


def _nearby_size(key: int, value: int) -> int:
    return 250 + key.bit_length() // 7


def _number_size(key: tuple[object, ...], value: int) -> int:
    # The names in a wish are shared with the roster: only references to them are counted.
    wishes = [one for one in key if isinstance(one, Wish)]
    return 900 + sum([8 * len(one.countries) + 64 * len(one.protocols or ()) for one in wishes])
