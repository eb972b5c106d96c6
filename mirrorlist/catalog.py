"""A snapshot compiled into serving form: what every answer looks up.

What stays mapped: directories, their names, host sets, file details. What is compiled when a
worker loads: hosts, URLs, repositories, ranges; and, when first asked for, the hosts of each
host set by country (947 host sets on a production-size set).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import count

from mirrorlist.address import Address
from mirrorlist.closest import ClosestNames
from mirrorlist.netblock import RangeTable
from mirrorlist.urls import Url, first, make_url, offered
from snapshot.model import FileDetail, NetblockHosts
from snapshot.reader import Snapshot

MOST_SUGGESTIONS = 10
MOST_KINDS = 256
MOST_NUMBERS = 20_000

_NUMBERS = count(1)


class Carriers:
    """The hosts that may be offered for a directory; the public ones also by country."""

    def __init__(self, hosts: tuple[int, ...], catalog: "Catalog") -> None:
        """Take the hosts of a host set, by rising index."""
        self._bits = sum(1 << host for host in hosts)
        self.public = tuple(host for host in hosts if not catalog.hosts[host].private)
        by_country: dict[str, list[int]] = defaultdict(list)
        for host in self.public:
            by_country[catalog.hosts[host].country].append(host)
        self.by_country = {country: tuple(found) for country, found in by_country.items()}

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return self._bits != 0

    def __contains__(self, host: int) -> bool:
        """Return whether a host is one of them."""
        return self._bits >> host & 1 == 1


class Catalog:
    """Everything that answers are made from; never changes once it is made."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Compile a snapshot; raises MalformedSnapshot if it contradicts itself."""
        self.snapshot = snapshot
        self.id = snapshot.id
        self.read = snapshot.read
        self.hosts = snapshot.hosts
        self.weights = [host.bandwidth for host in snapshot.hosts]
        self._barred: dict[str, frozenset[int]] = {}
        self.categories = snapshot.categories
        self.redirects = snapshot.redirects
        self.continents = snapshot.continents
        self.repositories = {
            (repository.prefix, repository.arch): repository.directory
            for repository in snapshot.repositories
        }
        # One disabled arch disables the prefix for all, as at the incumbent.
        self.disabled = frozenset(
            repository.prefix for repository in snapshot.repositories if repository.disabled
        )
        self._urls = [
            {host.host: tuple(make_url(url) for url in host.urls) for host in category.hosts}
            for category in snapshot.categories
        ]
        self._countries: dict[str, list[str]] = defaultdict(list)
        for country, continent in sorted(snapshot.continents.items()):
            self._countries[continent].append(country)
        self._netblocks = RangeTable(snapshot.netblock_ranges)
        self._chains = snapshot.netblock_chains
        self._country_ranges = RangeTable(snapshot.country_ranges)
        self._asns = RangeTable(snapshot.asn_ranges)
        self._of_asn: dict[int, list[int]] = {}
        for index, host in enumerate(snapshot.hosts):
            for asn in dict.fromkeys(host.asns):
                self._of_asn.setdefault(asn, []).append(index)
        self._listed: dict[object, dict[int, tuple[Url, ...]]] = {}
        self._carriers: dict[int, Carriers] = {}
        self._numbers: dict[object, int] = {}
        self._arches: dict[str, list[str]] = defaultdict(list)
        for prefix, arch in self.repositories:
            self._arches[prefix].append(arch)
        self._closest = ClosestNames(self._arches.keys() - self.disabled)

    def age(self, now: float) -> int:
        """Return how many seconds ago the database was read; `now` is seconds since 1970."""
        return max(0, int(now) - self.read)

    def carriers(self, host_set: int) -> Carriers:
        """Return the hosts of a host set; compiled once, so bounded by the host sets."""
        found = self._carriers.get(host_set)
        if found is None:
            found = self._carriers[host_set] = Carriers(self.snapshot.host_set(host_set), self)
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

    def file_details(self, directory: int, file: str) -> tuple[FileDetail, ...]:
        """Return a file's versions, newest first; none if there are no details of it."""
        return self.snapshot.file_details(directory).get(file, ())

    def netblocks(self, address: Address) -> tuple[NetblockHosts, ...]:
        """Return the netblocks around an address with their hosts, longest prefix first."""
        found = self._netblocks.find(address)
        return self._chains[found - 1] if found else ()

    def has_netblock(self, address: Address) -> bool:
        """Return whether any host named a netblock around an address, or around the one within."""
        return bool(
            self._netblocks.find(address)
            or (address.version == 6 and self._netblocks.find(address.tunnelled))
        )

    def number_of(self, thing: object) -> int:
        """Return a number that stands for a thing of this catalog, and for nothing of another."""
        found = self._numbers.get(thing)
        if found is None:
            # What clients can think up has no end; whatever had a number gets another one.
            if len(self._numbers) >= MOST_NUMBERS:
                self._numbers.clear()
            found = self._numbers[thing] = next(_NUMBERS)
        return found

    def asn(self, address: Address) -> int | None:
        """Return the ASN of an address if some host has it."""
        return self._asns.find(address if address.version == 4 else address.tunnelled) or None

    def of_asn(self, asn: int) -> Sequence[int]:
        """Return the hosts that have an ASN, by rising index."""
        return self._of_asn.get(asn, ())

    def netblock_country(self, address: Address) -> str | None:
        """Return the country that the database gives an address, whatever GeoIP says."""
        found = self._country_ranges.find(address)
        if not found and address.version == 6:
            found = self._country_ranges.find(address.tunnelled)
        return chr(found >> 8) + chr(found & 0xFF) if found else None

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

    def closest(self, prefix: str, arch: str) -> list[tuple[str, str]]:
        """Return the known repositories whose names are closest to one that is unknown."""
        found: list[tuple[str, str]] = []
        for known in self._closest.find(prefix, MOST_SUGGESTIONS):
            arches = self._arches[known]
            same = [known_arch for known_arch in arches if known_arch == arch]
            found += [(known, known_arch) for known_arch in same or arches]
        return found[:MOST_SUGGESTIONS]
