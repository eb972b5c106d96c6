"""Reads a snapshot: mapped, verified, each section decoded when it is first asked for."""

import hashlib
import os
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import compress
from typing import TypeVar

import msgspec

from snapshot.file import sections
from snapshot.file.errors import MalformedSnapshot
from snapshot.file.format import NO_SEAL, open_container
from snapshot.file.model import (
    Category,
    Directory,
    FileDetail,
    History,
    Host,
    NetblockHosts,
    Ranges,
    Report,
    Repository,
)
from snapshot.file.nametable import Names, verify_text

T = TypeVar("T")

# A decoded byte may take fifty bytes of memory; a production-size set has 125 KB of hosts' URLs.
MAX_MESSAGE_BYTES = 8 << 20
# Larger, because each of millions of rows may be reported; only `inspect` reads the report.
MAX_REPORT_BYTES = 128 << 20
_MAX_BANDWIDTH = 1 << 31
# The latest time that `datetime` can express.
_LAST_SECOND = 253_402_300_799

# Sections that do not change an answer, or that change with each export.
_NO_CONTENT = frozenset(("report", "history"))

# The errors that decoding arbitrary bytes may raise.
_CONTRADICTIONS = (
    ValueError,
    TypeError,
    IndexError,
    RecursionError,
    struct.error,
    msgspec.MsgspecError,
)


class Snapshot:
    """One verified snapshot file; any contradiction within it raises MalformedSnapshot."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        key: bytes | None = None,
        before: "Snapshot | None" = None,
    ) -> None:
        """Open a snapshot file; raises a SnapshotError that says what is wrong with it.

        With a key (of `snapshot.file.seal`), a file that is not sealed with the key is refused.
        Sections with the same bytes as in the snapshot `before` are not verified again.
        """
        self.path = os.fspath(path)
        container = open_container(path, key)
        header = container.header
        self.format = f"{header.major}.{header.minor}"
        self.id = header.id.hex()
        self.built = header.built
        self.read = header.read
        self.sealed = header.seal != NO_SEAL
        self._sections = container.sections
        if not (0 <= self.built <= _LAST_SECOND and 0 <= self.read <= _LAST_SECOND):
            raise MalformedSnapshot(f"{self.path}: malformed: the header has a time that never is")
        self._verify_parts(before)
        self._verify_columns()

    @property
    def section_sizes(self) -> list[tuple[str, int]]:
        """The name and size in bytes of each section."""
        return [(name, len(data)) for name, data in self._sections.items()]

    def section_digests(self) -> dict[str, bytes]:
        """A digest of each content section's bytes, by name; equal bytes, equal digest."""
        return {
            name: hashlib.blake2b(data, digest_size=16).digest()
            for name, data in self._sections.items()
            if name not in _NO_CONTENT
        }

    @cached_property
    def hosts(self) -> list[Host]:
        """Every host that belongs to a site, by rising id."""
        return self._message("hosts", list[Host])

    @cached_property
    def categories(self) -> list[Category]:
        """Every category with its hosts and their URLs, by rising id."""
        return self._message("categories", list[Category])

    @cached_property
    def repositories(self) -> list[Repository]:
        """Every repository that stands for a directory, sorted by prefix and arch."""
        return self._message("repositories", list[Repository])

    @cached_property
    def redirects(self) -> dict[str, str]:
        """Prefixes that stand for another prefix."""
        return self._message("redirects", dict[str, str])

    @cached_property
    def continents(self) -> dict[str, str]:
        """The continent of each country."""
        return self._message("continents", dict[str, str])

    @cached_property
    def netblock_chains(self) -> list[tuple[NetblockHosts, ...]]:
        """For each value of netblock_ranges less one: the netblocks there, longest first."""
        return self._message("netblock_chains", list[tuple[NetblockHosts, ...]])

    @cached_property
    def report(self) -> Report:
        """What the exporter read and left out."""
        return self._message("report", Report)

    @cached_property
    def netblock_ranges(self) -> Ranges:
        """Ranges whose value is a place in netblock_chains, plus one."""
        return self._section("netblock_ranges", sections.unpack_ranges)

    @cached_property
    def country_ranges(self) -> Ranges:
        """Ranges that override GeoIP; the value is the country's two letters, first one high."""
        return self._section("country_ranges", sections.unpack_ranges)

    @cached_property
    def asn_ranges(self) -> Ranges:
        """Ranges whose value is an ASN that some host has."""
        return self._section("asn_ranges", sections.unpack_ranges)

    @cached_property
    def history(self) -> History:
        """When exports first showed each directory as it is now.

        A snapshot without this section is taken for the first one: nothing changed before it.
        """
        table, count = self._history, self.directory_count
        if table is None:
            return History(self.read, self.read, array("q", bytes(8 * count)))
        return self._guard("history", lambda: table.history(count))

    @property
    def has_change_times(self) -> bool:
        """Whether the change time of any directory is known; an imported cache has none."""
        return any(self._directories.ctimes)

    @property
    def directory_count(self) -> int:
        """The number of directories."""
        return self._directories.count

    @property
    def host_set_count(self) -> int:
        """The number of distinct host sets."""
        return self._host_sets.count

    def find_directory(self, name: str) -> int | None:
        """Return the index of the directory of that name, or None."""
        sought = name.encode(errors="replace")
        return self._guard("directory_names", lambda: self._names.find(sought))

    def place_of(self, index: int) -> tuple[int | None, int | None]:
        """Return the category and the host set of a directory, without decoding its name."""
        return self._guard("directories", lambda: self._directories.place_of(index))

    def directory(self, index: int) -> Directory:
        """Return the directory of an index."""

        def get() -> Directory:
            return self._directories.get(index, self._names[index].decode())

        return self._guard("directories", get)

    def directory_names(self) -> list[str]:
        """Return the names of all directories, sorted by their bytes."""
        return self._guard("directory_names", lambda: [name.decode() for name in self._names.all()])

    def directories(self) -> list[Directory]:
        """Return all directories, in the order of their names' bytes."""
        return self._guard("directories", lambda: self._directories.all(self.directory_names()))

    def host_sets_of_directories(self) -> list[int | None]:
        """Return the index of each directory's host set; None for one in no category."""
        return [
            None if host_set == sections.NO_HOST_SET else host_set
            for host_set in self._directories.host_sets
        ]

    def categories_of_directories(self) -> list[int | None]:
        """Return the index of each directory's category; None for one in no category."""
        return [
            None if category == sections.NO_CATEGORY else category
            for category in self._directories.categories
        ]

    def host_set(self, index: int) -> tuple[int, ...]:
        """Return the indexes of the hosts of a host set, rising."""
        bits = self._guard("host_sets", lambda: self._host_sets[index])
        # Reading the binary text backwards is ten times faster than shifting bit by bit, and
        # `_indexes` shares one int object an index, which takes a quarter of the memory.
        return tuple(compress(self._indexes, map(int, f"{bits:b}"[::-1])))

    def host_set_size(self, index: int) -> int:
        """Return the number of hosts of a host set."""
        return self._guard("host_sets", lambda: self._host_sets[index]).bit_count()

    def file_details(self, directory: int) -> dict[str, tuple[FileDetail, ...]]:
        """Return the files of a directory that have details, each newest first."""
        return self._guard("file_details", lambda: self._file_details.get(directory))

    def counts(self) -> dict[str, int]:
        """Return how many of each thing the snapshot holds; decodes all of it."""
        urls = sum(len(host.urls) for category in self.categories for host in category.hosts)
        details = sum(
            len(versions)
            for directory in self._file_details.directories()
            for versions in self.file_details(directory).values()
        )
        return {
            "hosts": len(self.hosts),
            "directories": self.directory_count,
            "repositories": len(self.repositories),
            "host_sets": self.host_set_count,
            "urls": urls,
            "file_details": details,
        }

    @cached_property
    def _names(self) -> Names:
        return self._section("directory_names", Names)

    @cached_property
    def _directories(self) -> sections.Directories:
        return self._section("directories", sections.Directories)

    @cached_property
    def _indexes(self) -> list[int]:
        return list(range(len(self.hosts)))

    @cached_property
    def _history(self) -> sections.HistoryTable | None:
        if "history" not in self._sections:
            return None
        return self._section("history", sections.HistoryTable)

    @cached_property
    def _host_sets(self) -> sections.HostSets:
        return self._section("host_sets", sections.HostSets)

    @cached_property
    def _file_details(self) -> sections.FileDetailTable:
        return self._section("file_details", sections.FileDetailTable)

    def _verify_parts(self, before: "Snapshot | None") -> None:
        """Verify the two large parts that take longest, if they changed."""
        if not self._is_as_in(before, "directory_names"):
            self._guard("directory_names", self._names.verify)
        if not self._is_as_in(before, "file_details") or not self._is_as_in(before, "directories"):
            count = self.directory_count
            self._guard("file_details", lambda: self._file_details.verify(count))

    def _is_as_in(self, before: "Snapshot | None", name: str) -> bool:
        # Copies, because two memoryviews would be compared item by item.
        sections = before._sections if before else {}
        same = name in sections and name in self._sections
        return same and bytes(sections[name]) == bytes(self._sections[name])

    def _verify_columns(self) -> None:
        # Whole columns are checked at C speed, so that no later lookup can point outside.
        directories = self._directories
        if self._names.count != directories.count:
            raise self._malformed("directories", "another number of names")
        self._guard("host_sets", lambda: self._host_sets.verify(len(self.hosts), directories.count))
        for value in set(directories.host_sets) - {sections.NO_HOST_SET}:
            if value >= self._host_sets.count:
                raise self._malformed("directories", "a host set that does not exist")
        for value in set(directories.categories) - {sections.NO_CATEGORY}:
            if value >= len(self.categories):
                raise self._malformed("directories", "a category that does not exist")
        dated = self._history.directories if self._history else ()
        if max(dated, default=-1) >= directories.count:
            raise self._malformed("history", "a directory that does not exist")
        if any(self._host_sets[at] >> len(self.hosts) for at in range(self.host_set_count)):
            raise self._malformed("host_sets", "a host that does not exist")
        if any(not 1 <= host.bandwidth <= _MAX_BANDWIDTH for host in self.hosts):
            raise self._malformed("hosts", "a bandwidth out of range")
        if not all(map(_is_country, (*self.country_ranges.values4, *self.country_ranges.values6))):
            raise self._malformed("country_ranges", "a value that is no country")
        for repository in self.repositories:
            if not 0 <= repository.directory < directories.count:
                raise self._malformed("repositories", "a directory that does not exist")
        if any(not 0 <= chain <= len(self.netblock_chains) for chain in self._chain_numbers()):
            raise self._malformed("netblock_ranges", "a chain that does not exist")
        self._verify_hosts("categories", (one.host for row in self.categories for one in row.hosts))
        named = (host for chain in self.netblock_chains for one in chain for host in one.hosts)
        self._verify_hosts("netblock_chains", named)
        for name, texts in self._texts():
            self._guard(name, lambda: verify_text("/".join(texts)))  # noqa: B023
        for ranges in ("netblock_ranges", "country_ranges", "asn_ranges"):
            if not _is_rising(getattr(self, ranges)):
                raise self._malformed(ranges, "starts that do not rise")

    def _texts(self) -> Iterator[tuple[str, Iterable[str]]]:
        """Everything that may stand in a list, by section."""
        for host in self.hosts:
            yield "hosts", (host.name, host.site, host.country, *host.countries_allowed)
        for category in self.categories:
            urls = (url for host in category.hosts for url in host.urls)
            yield "categories", (category.name, category.topdir, *urls)
        for repository in self.repositories:
            yield "repositories", (repository.prefix, repository.arch)
        yield "redirects", (*self.redirects, *self.redirects.values())
        yield "continents", (*self.continents, *self.continents.values())

    def _chain_numbers(self) -> set[int]:
        return {*self.netblock_ranges.values4, *self.netblock_ranges.values6}

    def _verify_hosts(self, section: str, hosts: Iterable[int]) -> None:
        if any(not 0 <= host < len(self.hosts) for host in hosts):
            raise self._malformed(section, "a host that does not exist")

    def _message(self, name: str, kind: type[T]) -> T:
        def decode(data: memoryview) -> T:
            most = MAX_REPORT_BYTES if name == "report" else MAX_MESSAGE_BYTES
            if len(data) > most:
                raise ValueError(f"{len(data):,} bytes, more than the limit of {most:,}")
            return msgspec.msgpack.decode(data, type=kind)

        return self._section(name, decode)

    def _section(self, name: str, decode: Callable[[memoryview], T]) -> T:
        if name not in self._sections:
            raise self._malformed(name, "the section is missing")
        return self._guard(name, lambda: decode(self._sections[name]))

    def _guard(self, name: str, read: Callable[[], T]) -> T:
        try:
            return read()
        except _CONTRADICTIONS as error:
            raise self._malformed(name, str(error)) from error

    def _malformed(self, name: str, why: str) -> MalformedSnapshot:
        return MalformedSnapshot(f"{self.path}: malformed: section {name!r}: {why}")


def _is_country(value: int) -> bool:
    letters = bytes((value >> 8 & 0xFF, value & 0xFF))
    return not value or (value < 1 << 16 and letters.isalnum())


def _is_rising(ranges: Ranges) -> bool:
    return all(sorted(one) == list(one) for one in (ranges.starts4, ranges.starts6))
