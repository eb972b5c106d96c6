"""The hosts with their URLs, and all that follows from them alone.

It outlives a snapshot in which nothing of them changed: the scans of mirrors that change only which
directories they have are most of what happens, and then everything that was compiled here, and the
kept orders, go on.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import count

from msgspec import structs

from mirrorlist.catalog.kept import Kept
from mirrorlist.catalog.urls import Url, first, make_url, offered
from mirrorlist.request.query import MAX_LIST_ELEMENTS, Wish
from snapshot.file.model import Host
from snapshot.file.reader import Snapshot

# What a worker keeps, in bytes; of the kinds of lists so much a host, but not less than this.
KINDS_BYTES, KINDS_BYTES_A_HOST = 4 << 20, 20_000
NUMBERS_BYTES = 6 << 20
PROTOCOLS_BYTES = 256 << 10
BARRED_BYTES = 1 << 20
CARRIERS_BYTES = 24 << 20

_NUMBERS = count(1)
# As a client asks for hosts of all countries.
GLOBAL = "GLOBAL"
# Stands for countries that were asked for and that nobody knows.
_NOWHERE = "--"
# Stand for protocols that were asked for and that no URL has.
_NO_PROTOCOLS = tuple([f"?{number}" for number in range(MAX_LIST_ELEMENTS)])

Kind = tuple[int, frozenset[str] | None, int, frozenset[str] | None]
Offered = dict[int, tuple[Url, ...]]


class Carriers:
    """The hosts that may be offered for a directory; the public ones also by country."""

    def __init__(self, indexes: tuple[int, ...], hosts: Sequence[Host]) -> None:
        """Take the indexes of a host set, rising, and all hosts."""
        self._bits = sum(1 << index for index in indexes)
        self.public = tuple(index for index in indexes if not hosts[index].private)
        by_country: dict[str, list[int]] = defaultdict(list)
        for index in self.public:
            by_country[hosts[index].country].append(index)
        self.by_country = {country: tuple(found) for country, found in by_country.items()}
        # Stands for them in keys, which then keep nothing of them in memory.
        self.number = next(_NUMBERS)
        # About how many bytes it takes; the indexes themselves are shared.
        self.size = 300 + 8 * len(indexes) + 16 * len(self.public) + 160 * len(by_country)

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return self._bits != 0

    def __contains__(self, host: int) -> bool:
        """Return whether a host is one of them."""
        return self._bits >> host & 1 == 1


class Roster:
    """Hosts, URLs, categories and continents in serving form."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Compile those of a snapshot; raises MalformedSnapshot if it contradicts itself."""
        self.hosts = snapshot.hosts
        self.categories = snapshot.categories
        self.continents = snapshot.continents
        self.weights = [host.bandwidth for host in snapshot.hosts]
        self._urls = [
            {host.host: tuple(make_url(url) for url in host.urls) for host in category.hosts}
            for category in snapshot.categories
        ]
        self._countries: dict[str, list[str]] = defaultdict(list)
        for country, continent in sorted(snapshot.continents.items()):
            self._countries[continent].append(country)
        self._of_asn: dict[int, list[int]] = {}
        for index, host in enumerate(snapshot.hosts):
            for asn in dict.fromkeys(host.asns):
                self._of_asn.setdefault(asn, []).append(index)
        self._protocols = [
            frozenset(url.protocol for urls in hosts.values() for url in urls)
            for hosts in self._urls
        ]
        countries = (GLOBAL, *self.continents, *(host.country for host in self.hosts))
        self._known = {one: one for one in countries}
        self._surroundings: dict[str, tuple[str | None, frozenset[int]]] = {}
        kinds = max(KINDS_BYTES, KINDS_BYTES_A_HOST * len(self.hosts))
        self._barred = Kept[str, frozenset[int]](BARRED_BYTES, _barred_size)
        self._listed = Kept[Kind, Offered](kinds, _listed_size)
        self._most = Kept[tuple[int, frozenset[str]], int](PROTOCOLS_BYTES, _most_size)
        self._carriers = Kept[tuple[int, ...], Carriers](CARRIERS_BYTES // 2, _carriers_size)
        self._numbers = Kept[tuple[object, ...], int](NUMBERS_BYTES, _number_size)

    def is_of(self, snapshot: Snapshot) -> bool:
        """Return whether a snapshot has the very same: takes about 1 ms."""
        return (
            self.hosts == snapshot.hosts
            and self.categories == snapshot.categories
            and self.continents == snapshot.continents
        )

    def carriers(self, indexes: tuple[int, ...]) -> Carriers:
        """Return the hosts of a host set; compiled once, and one object for equal sets."""
        found = self._carriers.find(indexes)
        if found is None:
            found = self._carriers.keep(indexes, Carriers(indexes, self.hosts))
        return found

    def urls(self, category: int, host: int) -> tuple[Url, ...]:
        """Return a host's public URLs of a category, in the order of their ids."""
        return self._urls[category].get(host, ())

    def listed(
        self, category: int, protocols: frozenset[str] | None, only: frozenset[str] | None
    ) -> Mapping[int, Sequence[Url]]:
        """Return the URLs that a kind of list gives for each host; no host is without any.

        At most as many as there are `protocols`, each of one of them; with `only` the first one
        that is also of these. Kept for the kinds that are in use.
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
                    # Where nothing is left out it is the one that is there already.
                    found[host] = urls if len(left) == len(urls) else tuple(left)
            self._listed.keep(key, found)
        return found

    def named(
        self, category: int, protocols: frozenset[str] | None
    ) -> tuple[frozenset[str] | None, int]:
        """Return which protocols are known among those named, and how many URLs a host may have.

        Sets that lead to the same lists are equal then, whatever else a client thinks up.
        """
        if protocols is None:
            return None, 0
        known = protocols & self._protocols[category]
        most = self._most.find((category, known))
        if most is None:
            counts = [
                sum([url.protocol in known for url in urls])
                for urls in self._urls[category].values()
            ]
            most = self._most.keep((category, known), max(counts, default=0))
        return known, min(len(protocols), most)

    def known(self, wish: Wish, category: int) -> Wish:
        """Return the wish that leads to the same lists of a category with what is known alone.

        Wishes that lead to the same lists are equal then, so it stands in keys; whatever clients
        think up is not in it. Fields that need no such care are carried as they are.
        """
        protocols, most = self.named(category, wish.protocols)
        if protocols is not None:
            # How many are named decides how many URLs of a host are listed.
            protocols |= frozenset(_NO_PROTOCOLS[: max(0, most - len(protocols))])
        countries = self.named_countries(wish.countries)
        return structs.replace(wish, protocols=protocols, countries=countries)

    def named_countries(self, countries: Sequence[str]) -> tuple[str, ...]:
        """Return those of the countries asked for that anything is known of.

        If that is not one of them, something that stands for having asked.
        """
        known = self._known
        return tuple([known[one] for one in countries if one in known]) or (
            (_NOWHERE,) if countries else ()
        )

    def carries_category(self, category: int, host: int) -> bool:
        """Return whether a host has a category at all."""
        return host in self._urls[category]

    def of_asn(self, asn: int) -> Sequence[int]:
        """Return the hosts that have an ASN, by rising index."""
        return self._of_asn.get(asn, ())

    def neighbours(self, country: str) -> list[str]:
        """Return the other countries of a country's continent, sorted; none if it has none."""
        continent = self.continents.get(country)
        return [other for other in self._countries.get(continent or "", ()) if other != country]

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
        """Return the continent of a country, and the hosts that may not be offered to it.

        Countries that have these in common and no hosts of their own have the same tiers.
        """
        found = self._surroundings.get(country)
        if found is None:
            found = self.continents.get(country), self.barred(country)
            # One object for equal ones: they stand in a great many keys.
            found = next((other for other in self._surroundings.values() if other == found), found)
            self._surroundings[country] = found
        return found

    def number_of(self, thing: tuple[object, ...]) -> int:
        """Return a number that stands for a thing of this roster, and for nothing of another."""
        # What clients can think up has no end; whatever is forgotten gets another number.
        return self._numbers.find(thing) or self._numbers.keep(thing, next(_NUMBERS))


# About how many bytes a pair takes, the place in a dictionary included.


def _listed_size(key: Kind, value: Offered) -> int:
    return 700 + sum([100 + 8 * len(urls) for urls in value.values()])


def _most_size(key: tuple[int, frozenset[str]], value: int) -> int:
    return 500 + 32 * len(key[1])


def _barred_size(key: str, value: frozenset[int]) -> int:
    return 400 + 40 * len(value)


def _carriers_size(key: tuple[int, ...], value: Carriers) -> int:
    return 200 + value.size


def _number_size(key: tuple[object, ...], value: int) -> int:
    # The names in its wish are the roster's own.
    wishes = [one for one in key if isinstance(one, Wish)]
    return 900 + sum([8 * len(one.countries) + 64 * len(one.protocols or ()) for one in wishes])
