"""The hosts with their URLs, and all that follows from them alone.

It outlives a snapshot in which nothing of them changed: the scans of mirrors that change only which
directories they have are most of what happens, and then everything that was compiled here, and the
kept orders, go on.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import count

from mirrorlist.urls import Url, first, make_url, offered
from snapshot.model import Host
from snapshot.reader import Snapshot

MOST_KINDS = 256
MOST_NUMBERS = 20_000
# Host sets that no snapshot has any more go with the others when there are so many.
MOST_CARRIERS = 8192

_NUMBERS = count(1)


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
        self._surroundings: dict[str, tuple[str | None, frozenset[int]]] = {}
        self._barred: dict[str, frozenset[int]] = {}
        self._listed: dict[object, dict[int, tuple[Url, ...]]] = {}
        self._carriers: dict[tuple[int, ...], Carriers] = {}
        self._numbers: dict[object, int] = {}

    def is_of(self, snapshot: Snapshot) -> bool:
        """Return whether a snapshot has the very same: takes about 1 ms."""
        return (
            self.hosts == snapshot.hosts
            and self.categories == snapshot.categories
            and self.continents == snapshot.continents
        )

    def carriers(self, indexes: tuple[int, ...]) -> Carriers:
        """Return the hosts of a host set; compiled once, and one object for equal sets."""
        found = self._carriers.get(indexes)
        if found is None:
            if len(self._carriers) >= MOST_CARRIERS:
                self._carriers.clear()
            found = self._carriers[indexes] = Carriers(indexes, self.hosts)
        return found

    def urls(self, category: int, host: int) -> tuple[Url, ...]:
        """Return a host's public URLs of a category, in the order of their ids."""
        return self._urls[category].get(host, ())

    def listed(
        self, category: int, protocols: frozenset[str] | None, only: frozenset[str] | None
    ) -> Mapping[int, Sequence[Url]]:
        """Return the URLs that a kind of list gives for each host; no host is without any.

        At most as many as there are `protocols`, each of one of them; with `only` the first one
        of these. Kept for the kinds that are asked for most.
        """
        key = category, protocols, only
        found = self._listed.get(key)
        if found is None:
            found = {}
            for host, urls in self._urls[category].items():
                left = offered(urls, protocols)
                if left := left if only is None else first(left, only):
                    found[host] = tuple(left)
            # Whoever thinks up protocols pays for himself.
            if len(self._listed) < MOST_KINDS:
                self._listed[key] = found
        return found

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
        found = self._barred.get(country)
        if found is None:
            found = self._barred[country] = frozenset(
                index
                for index, host in enumerate(self.hosts)
                if host.countries_allowed and country not in host.countries_allowed
            )
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

    def number_of(self, thing: object) -> int:
        """Return a number that stands for a thing of this roster, and for nothing of another."""
        found = self._numbers.get(thing)
        if found is None:
            # What clients can think up has no end; whatever had a number gets another one.
            if len(self._numbers) >= MOST_NUMBERS:
                self._numbers.clear()
            found = self._numbers[thing] = next(_NUMBERS)
        return found
