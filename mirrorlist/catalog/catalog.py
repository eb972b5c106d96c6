"""A snapshot compiled into serving form: every answer looks its facts up here.

Directories, their names, host sets and file details stay mapped. Repositories, ranges and the
roster of hosts and URLs are compiled when a snapshot is loaded; the roster only if it differs from
that of the snapshot before. The hosts of a host set by country are compiled when first asked for (a
production-size snapshot has 947 host sets).
"""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property

from mirrorlist.catalog.closest import ClosestNames
from mirrorlist.catalog.kept import Kept
from mirrorlist.catalog.ranges import Edges, RangeTable
from mirrorlist.catalog.roster import CARRIERS_BYTES, Carriers, Roster
from mirrorlist.request.address import Address
from mirrorlist.request.query import spelling
from snapshot.file.errors import DamagedSums
from snapshot.file.model import FileDetail, FileSum, NetblockHosts, RequestShape
from snapshot.file.reader import Snapshot

MOST_SUGGESTIONS = 10
# Sections that decide what a query asks for, beside the roster; host sets decide who has it.
_NAMING = frozenset(
    (
        *("repositories", "redirects", "request_shapes", "directory_names"),
        *("file_details", "file_index"),
    )
)
# An index of more would cost a worker tens of megabytes, for the sake of mistakes.
_MOST_PATHS = 10_000


class Catalog:
    """Everything that answers are made from; never changes once it is made."""

    def __init__(self, snapshot: Snapshot, before: "Catalog | None" = None) -> None:
        """Compile a snapshot; raises MalformedSnapshot if it contradicts itself.

        `before` is the catalog in use until now: what did not change is taken from it.
        """
        self.snapshot = snapshot
        self.id = snapshot.id
        self.read = snapshot.read
        self.roster: Roster = _roster(snapshot, before.roster if before else None)
        self.hosts = self.roster.hosts
        self.weights = self.roster.weights
        self.categories = self.roster.categories
        self.continents = self.roster.continents
        self.urls = self.roster.urls
        self.listed = self.roster.listed
        self.carries_category = self.roster.carries_category
        self.of_asn = self.roster.of_asn
        self.ranks = self.roster.ranks
        self.surroundings = self.roster.surroundings
        self.number_of = self.roster.number_of
        self.known = self.roster.known
        # One object as long as queries ask for the same directories and files, with the same
        # details: only hosts and the directories' categories may differ.
        self.naming: object = before.naming if before and self._names_as(before) else object()
        self._carriers = Kept[int, Carriers](CARRIERS_BYTES // 3, _size)
        self.redirects = snapshot.redirects
        self.request_shapes = snapshot.request_shapes
        self.request_paths = _paths(snapshot.request_shapes)
        # Of $basearch and the like, which clients fill in.
        self.open_arches = _open_arches(snapshot.request_shapes)
        self.repositories = {
            (repository.prefix, repository.arch): repository.directory
            for repository in snapshot.repositories
        }
        self.archs = frozenset(arch for _, arch in self.repositories)
        # "a repository with this prefix is disabled, in any arch" (docs/protocol.md#errors):
        # mirrorlist-server does the same.
        self.disabled = frozenset(
            repository.prefix for repository in snapshot.repositories if repository.disabled
        )
        self._netblocks = RangeTable(snapshot.netblock_ranges)
        self._chains = snapshot.netblock_chains
        self._country_ranges = RangeTable(snapshot.country_ranges)
        self._asns = RangeTable(snapshot.asn_ranges)
        self._edges = _edges(snapshot, before)
        self._arches: dict[str, list[str]] = defaultdict(list)
        for prefix, arch in filter(self._is_askable, self.repositories):
            self._arches[prefix].append(arch)
        self._closest: ClosestNames = (
            before._closest
            if before and _is_same(snapshot, before, "repositories", "redirects")
            else ClosestNames(self._arches.keys() - self.disabled)
        )
        # Those names of repositories and arches that are spelled otherwise in a URL: few or none.
        spelled = {name: spelling(name) for name in {*self._arches, *self.archs}}
        self.spelled = {name: other for name, other in spelled.items() if other != name}

    def _names_as(self, before: "Catalog") -> bool:
        mine, theirs = (
            _NAMING.intersection(name for name, _ in one.snapshot.section_sizes)
            for one in (self, before)
        )
        return self.roster is before.roster and mine == theirs and mine <= self.snapshot.unchanged

    def _is_askable(self, repository: tuple[str, str]) -> bool:
        """Return whether a query with these names gets a list, so that they can be suggested."""
        prefix, arch = repository
        target = self.redirects.get(prefix, prefix)
        # "`repo` containing `source` means `arch=source`" (docs/protocol.md#the-target).
        is_reached = "source" not in prefix or arch == "source"
        return is_reached and target not in self.disabled and (target, arch) in self.repositories

    def arches(self, prefix: str) -> list[str]:
        """Return the arches of a prefix for which a list can be asked."""
        return self._arches.get(prefix, [])

    def age(self, now: float) -> int:
        """Return how many seconds ago the database was read; `now` is seconds since 1970."""
        return max(0, int(now) - self.read)

    def carriers(self, host_set: int) -> Carriers:
        """Return the hosts of a host set."""
        found = self._carriers.find(host_set)
        if found is None:
            found = self.roster.carriers(self.snapshot.host_set_bits(host_set))
            self._carriers.keep(host_set, found)
        return found

    def file_details(self, directory: int, name: str, file: str) -> tuple[FileDetail, ...]:
        """Return a file's versions, newest first; empty if no details of it are known.

        `name` is the directory's. What is not in memory is read from the snapshot's file, which
        takes microseconds if the system has it in its cache; a damaged sum counts as unknown.
        """
        known = self.snapshot.file_details(directory).get(file, ())
        if known or not file:
            return known
        found = self.file_sum(f"{name}/{file}" if name else file)
        return (FileDetail(0, found.size, b"", b"", found.sha256, b""),) if found else ()

    def file_sum(self, path: str) -> FileSum | None:
        """Return the size and SHA-256 of a package by its whole path, None if they are unknown."""
        # What damages a bucket is counted there, and told by the refresher.
        with suppress(DamagedSums):
            return self.snapshot.file_sum(path)
        return None

    def netblocks(self, address: Address) -> tuple[NetblockHosts, ...]:
        """Return the netblocks around an address with their hosts, longest prefix first."""
        found = self._netblocks.find(address)
        return self._chains[found - 1] if found else ()

    def has_netblock(self, address: Address) -> bool:
        """Return whether any host named a netblock around an address or its tunnelled address."""
        return bool(
            self._netblocks.find(address)
            or (address.version == 6 and self._netblocks.find(address.tunnelled))
        )

    def is_known(self, address: Address) -> bool:
        """Return whether anything but GeoIP may know an address, or the one within it."""
        return address in self._edges or (address.version == 6 and address.tunnelled in self._edges)

    def is_block_known(self, address: Address) -> bool:
        """Return whether anything but GeoIP may know any address of an address's block."""
        return self._edges.has_block(address)

    def asn(self, address: Address) -> int | None:
        """Return the ASN of an address if a host has it too, else None."""
        # 6to4 and Teredo addresses have no ASN of their own: the IPv4 address within them counts
        # (docs/protocol.md#whose-address-counts).
        return self._asns.find(address if address.version == 4 else address.tunnelled) or None

    def netblock_country(self, address: Address) -> str | None:
        """Return the country that `netblock_country` gives an address, or None."""
        # The literal address first: an operator may have given a tunnel's network a country.
        found = self._country_ranges.find(address)
        if not found and address.version == 6:
            found = self._country_ranges.find(address.tunnelled)
        # The two letters are the two bytes of the range's value.
        return chr(found >> 8) + chr(found & 0xFF) if found else None

    def closest(self, prefix: str, arch: str) -> list[tuple[str, str]]:
        """Return the known repositories whose names are closest to an unknown one."""
        found: list[tuple[str, str]] = []
        for known in self._closest.find(prefix, MOST_SUGGESTIONS):
            arches = self._arches[known]
            # The arch asked for, if the prefix has it: the mistake is then in the prefix.
            if arch in arches:
                found.append((known, arch))
            else:
                found += [(known, known_arch) for known_arch in arches]
        return found[:MOST_SUGGESTIONS]

    @cached_property
    def closest_paths(self) -> ClosestNames:
        """The paths of requests in other words, to be suggested; made when first asked for."""
        paths = self.request_paths if len(self.request_paths) <= _MOST_PATHS else ()
        return ClosestNames(path.decode() for path in paths)


def _paths(shapes: Iterable[RequestShape]) -> frozenset[bytes]:
    """Return the paths of requests in other words, from their /metalink/ or /mirrorlist/ on."""
    keys = (key.partition("?")[0] for shape in shapes for key in shape.requests)
    return frozenset(path.encode() for path in keys if path)


def _open_arches(shapes: Iterable[RequestShape]) -> frozenset[str]:
    arches = (arch for shape in shapes for _, arch in shape.requests.values())
    return frozenset(arch for arch in arches if arch[:1] == "$")


def _size(host_set: int, carriers: Carriers) -> int:
    return 200 + carriers.size


def _roster(snapshot: Snapshot, before: Roster | None) -> Roster:
    return before if before is not None and before.is_of(snapshot) else Roster(snapshot)


def _edges(snapshot: Snapshot, before: Catalog | None) -> Edges:
    names = "netblock_ranges", "country_ranges", "asn_ranges"
    if before is not None and _is_same(snapshot, before, *names):
        return before._edges
    return Edges(*[getattr(snapshot, name) for name in names])


def _is_same(snapshot: Snapshot, before: Catalog, *names: str) -> bool:
    """Return whether parts of a snapshot are those of the one before: it takes unchanged ones."""
    return all(getattr(snapshot, name) is getattr(before.snapshot, name) for name in names)
