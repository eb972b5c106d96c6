"""The hosts with their URLs, and all that follows from them alone.

A roster outlives its snapshot if the next one has the same hosts and URLs. Most changes of the
database come from the crawler, which finds that a host has other directories than before: then
everything that was compiled here, and the kept orders, stay in use.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import count

from msgspec import Struct, structs

from mirrorlist.catalog.kept import Kept
from mirrorlist.catalog.urls import Url, first, make_url, offered
from mirrorlist.request.query import MAX_LIST_ELEMENTS, Wish
from snapshot.file.integers import numbers_of
from snapshot.file.model import Host
from snapshot.file.reader import Snapshot

# Bytes that a worker keeps. `listed` keeps this many for each host, but at least the first number.
KINDS_BYTES, KINDS_BYTES_A_HOST = 4 << 20, 20_000
NUMBERS_BYTES = 6 << 20
PROTOCOLS_BYTES = 256 << 10
BARRED_BYTES = 1 << 20
CARRIERS_BYTES = 24 << 20
GROUPS_BYTES = 1 << 20

_NUMBERS = count(1)
# "`global` is all public hosts" (docs/protocol.md#parameters), in upper case as all of country= is.
GLOBAL = "GLOBAL"
# Stands for all countries asked for that no host and no continent has.
_NOWHERE = "--"
# Stand for protocols asked for that no URL has.
_NO_PROTOCOLS = tuple([f"?{number}" for number in range(MAX_LIST_ELEMENTS)])

Kind = tuple[int, frozenset[str] | None, int, frozenset[str] | None]
Offered = dict[int, tuple[Url, ...]]


class Nearby(Struct, frozen=True):
    """The public hosts of a continent among some carriers, by country; the countries sorted.

    `number` stands for them in keys of caches.
    """

    number: int
    by_country: dict[str, tuple[int, ...]]
    countries: list[str]


class Carriers:
    """The hosts that may be offered for a directory; the public ones also by country.

    `by_continent` are the countries that have public ones, sorted. `nearby` has the number of the
    hosts of each continent that has public ones: equal hosts, equal number.
    """

    def __init__(
        self, bits: int, public: tuple[int, ...], nearby: Mapping[str | None, Nearby]
    ) -> None:
        """Take all hosts as bits, the public ones, and those by continent; None: on no continent.

        Each continent of `nearby` has a host.
        """
        # One number as a set: a test of membership is a shift, and a host takes one bit.
        self._bits = bits
        self.public = public
        self.by_country: dict[str, tuple[int, ...]] = {}
        for found in nearby.values():
            self.by_country |= found.by_country
        known = {place: found for place, found in nearby.items() if place is not None}
        self.by_continent = {place: found.countries for place, found in known.items()}
        self.nearby = {place: found.number for place, found in known.items()}
        # Stands for these carriers in keys of caches, which so do not keep them in memory.
        self.number = next(_NUMBERS)
        # About how many bytes they take; the hosts of each country are counted with `Nearby`.
        self.size = 1000 + 8 * len(public) + 108 * len(self.by_country) + 80 * len(nearby)

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
        self._surroundings: dict[str, tuple[str | None, frozenset[int]]] = {}
        kinds = max(KINDS_BYTES, KINDS_BYTES_A_HOST * len(self.hosts))
        self._barred = Kept[str, frozenset[int]](BARRED_BYTES, _barred_size)
        self._listed = Kept[Kind, Offered](kinds, _listed_size)
        self._most = Kept[tuple[int, frozenset[str]], int](PROTOCOLS_BYTES, _most_size)
        self._carriers = Kept[int, Carriers](CARRIERS_BYTES // 3, _carriers_size)
        self._nearby = Kept[tuple[str | None, int], Nearby](CARRIERS_BYTES // 3, _nearby_size)
        self._groups = Kept[tuple[int, ...], tuple[int, ...]](GROUPS_BYTES, _group_size)
        self._indexes = list(range(len(self.hosts)))
        self._public = self._bits_of(lambda host: not host.private)
        self._on = {
            continent: self._public
            & self._bits_of(lambda host: self.continents.get(host.country) == continent)  # noqa: B023
            for continent in (*dict.fromkeys(self.continents.values()), None)
        }
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
            # Most new sets differ from another one by a host, so most continents are known.
            nearby = {
                continent: self._near(continent, bits & on)
                for continent, on in self._on.items()
                if bits & on
            }
            public = numbers_of(bits & self._public, self._indexes)
            found = self._carriers.keep(bits, Carriers(bits, public, nearby))
        return found

    def _near(self, continent: str | None, bits: int) -> Nearby:
        """Return public hosts of a continent; one object for equal hosts."""
        key = continent, bits
        found = self._nearby.find(key)
        if found is None:
            by_country: dict[str, list[int]] = defaultdict(list)
            for index in numbers_of(bits, self._indexes):
                by_country[self.hosts[index].country].append(index)
            tuples = {country: self._one(tuple(hosts)) for country, hosts in by_country.items()}
            found = self._nearby.keep(key, Nearby(next(_NUMBERS), tuples, sorted(tuples)))
        return found

    def _one(self, group: tuple[int, ...]) -> tuple[int, ...]:
        """Return the one object for the equal groups of a country's hosts.

        Most host sets differ in few countries: 798 of them have 31,072 groups, 839 different ones.
        """
        return self._groups.find(group) or self._groups.keep(group, group)

    def _bits_of(self, holds: Callable[[Host], bool]) -> int:
        """Return the hosts of which something holds, as bits."""
        return sum([1 << index for index, host in enumerate(self.hosts) if holds(host)])

    def urls(self, category: int, host: int) -> tuple[Url, ...]:
        """Return a host's public URLs of a category, in the order of their ids."""
        return self._urls[category].get(host, ())

    def listed(
        self, category: int, protocols: frozenset[str] | None, only: frozenset[str] | None
    ) -> Mapping[int, Sequence[Url]]:
        """Return the URLs that a kind of list gives for each host; a host without any is left out.

        docs/protocol.md#the-urls-of-a-host: with `protocols` "the first URLs of the host that have
        one of the protocols, at most as many as there are distinct protocols". With `only` it is
        one URL a host: the first that also has one of these. Kept for the kinds in use.
        """
        known, most = self.named(category, protocols)
        key = category, known, most, only
        found = self._listed.find(key)
        if found is None:
            found = {}
            for host, urls in self._urls[category].items():
                left = offered(urls, known, most)
                if only is not None:
                    left = first(urls, only if known is None else only & known)
                if left:
                    # If no URL is left out, share the tuple that all kinds share.
                    found[host] = urls if len(left) == len(urls) else tuple(left)
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
        if wish.protocols is None and not wish.countries:
            return wish
        protocols, most = self.named(category, wish.protocols)
        if protocols is not None:
            # Unknown protocols count in how many URLs of a host are listed: placeholders keep the
            # number.
            protocols |= frozenset(_NO_PROTOCOLS[: max(0, most - len(protocols))])
        countries = self.named_countries(wish.countries)
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

    def barred(self, country: str) -> frozenset[int]:
        """Return the hosts that may not be offered to clients of a country."""
        found = self._barred.find(country)
        if found is None:
            found = frozenset(
                index
                for index, host in enumerate(self.hosts)
                if host.countries_allowed and country not in host.countries_allowed
            )
            self._barred.keep(country, found)
        return found

    def surroundings(self, country: str) -> tuple[str | None, frozenset[int]]:
        """Return the continent of a country, and the hosts that may not be offered to its clients.

        Countries that are equal in both, and have no hosts of their own, have the same tiers.
        """
        found = self._surroundings.get(country)
        if found is None:
            found = self.continents.get(country), self.barred(country)
            # Equal ones are one object, because many keys hold them.
            found = next((other for other in self._surroundings.values() if other == found), found)
            self._surroundings[country] = found
        return found

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


def _barred_size(key: str, value: frozenset[int]) -> int:
    return 400 + 40 * len(value)


def _carriers_size(key: int, value: Carriers) -> int:
    return 200 + value.size


def _nearby_size(key: tuple[str | None, int], value: Nearby) -> int:
    return 700 + sum([160 + 8 * len(hosts) for hosts in value.by_country.values()])


def _group_size(key: tuple[int, ...], value: tuple[int, ...]) -> int:
    return 200 + 8 * len(key)


def _number_size(key: tuple[object, ...], value: int) -> int:
    # The names in a wish are shared with the roster: only references to them are counted.
    wishes = [one for one in key if isinstance(one, Wish)]
    return 900 + sum([8 * len(one.countries) + 64 * len(one.protocols or ()) for one in wishes])
