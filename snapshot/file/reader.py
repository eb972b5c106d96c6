"""Reads a snapshot: mapped, verified, each section decoded when it is first asked for."""

import hashlib
import os
import struct
from array import array
from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

import msgspec

from snapshot.file import sections
from snapshot.file.errors import MalformedSnapshot
from snapshot.file.filesums import INDEX, SUMS, FileSums
from snapshot.file.format import NO_SEAL, open_container
from snapshot.file.integers import numbers_of
from snapshot.file.model import (
    Category,
    Directory,
    FileDetail,
    FileSum,
    History,
    Host,
    NetblockHosts,
    PackedSums,
    Ranges,
    Report,
    Repository,
    RequestShape,
)
from snapshot.file.nametable import Names
from snapshot.file.verifying import verify

T = TypeVar("T")

# A decoded byte may take fifty bytes of memory; a production-size set has 125 KB of hosts' URLs.
MAX_MESSAGE_BYTES = 8 << 20
# Larger, because each of millions of rows may be reported; only `inspect` reads the report.
MAX_REPORT_BYTES = 128 << 20
# A decoded byte takes a byte; only the rsync filter reads these.
MAX_NEWEST_BYTES = 64 << 20
_MOST = {"report": MAX_REPORT_BYTES, "newest": MAX_NEWEST_BYTES}
# The latest time that `datetime` can express.
_LAST_SECOND = 253_402_300_799

# Sections that do not change an answer, or that change with each export.
_NO_CONTENT = frozenset(("report", "history"))

# Sections that are decoded to objects of their own, which outlive the file. Each has an attribute
# with its name.
_DECODED = frozenset(
    (
        *("hosts", "categories", "repositories", "redirects", "continents", "netblock_chains"),
        *("netblock_ranges", "country_ranges", "asn_ranges", "request_shapes", "newest"),
    )
)

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
        rest: Callable[[], object] = lambda: None,
    ) -> None:
        """Open a snapshot file; raises a SnapshotError that says what is wrong with it.

        With a key (of `snapshot.file.seal`), a file that is not sealed with the key is refused.
        Sections with the same bytes as in the snapshot `before` are neither verified nor decoded
        again: what was decoded is then the same objects. `rest` is called about once a millisecond
        of work, so that a thread can let others run.
        """
        self.path = os.fspath(path)
        container = open_container(path, key)
        rest()
        header = container.header
        self.format = f"{header.major}.{header.minor}"
        self.id = header.id.hex()
        self.built = header.built
        self.read = header.read
        self.sealed = header.seal != NO_SEAL
        # What is in memory: of the section that stays in the file, there are only zeros.
        self._sections = {name: data for name, data in container.sections.items() if name != SUMS}
        self._sizes = [(name, len(data)) for name, data in container.sections.items()]
        self._left = container.left
        if not (0 <= self.built <= _LAST_SECOND and 0 <= self.read <= _LAST_SECOND):
            raise MalformedSnapshot(f"{self.path}: malformed: the header has a time that never is")
        # The names of the sections that are as in the snapshot before.
        self.unchanged = self._same_as(before)
        if before is not None:
            self._take_over(before, self.unchanged)
        rest()
        verify(self, self.unchanged, rest)

    @property
    def section_sizes(self) -> list[tuple[str, int]]:
        """The name and size in bytes of each section."""
        return self._sizes

    def section_digests(self) -> dict[str, bytes]:
        """A digest of each content section's bytes, by name; equal bytes, equal digest.

        `file_sums` has no digest here: where it differs, the digests in `file_index` differ too.
        """
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
    def request_shapes(self) -> tuple[RequestShape, ...]:
        """Requests in other words than `repo=` and `arch=`; most snapshots have none."""
        if "request_shapes" not in self._sections:
            return ()
        return self._message("request_shapes", tuple[RequestShape, ...])

    @cached_property
    def newest(self) -> dict[int, str]:
        """The files to mirror of directories that also have older packages, a line for each.

        Without `export --newest` it is empty.
        """
        if "newest" not in self._sections:
            return {}
        return self._message("newest", dict[int, str])

    @property
    def has_newest(self) -> bool:
        """Whether it is known which packages are the newest."""
        return "newest" in self._sections

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
        table, count = self.history_table, self.directory_count
        if table is None:
            return History(self.read, self.read, array("q", bytes(8 * count)))
        return self.guard("history", lambda: table.history(count))

    @property
    def has_change_times(self) -> bool:
        """Whether the change time of any directory is known; an imported cache has none."""
        return any(self.directory_table.ctimes)

    @property
    def directory_count(self) -> int:
        """The number of directories."""
        return self.directory_table.count

    @property
    def host_set_count(self) -> int:
        """The number of distinct host sets."""
        return self.host_set_table.count

    def find_directory(self, name: str) -> int | None:
        """Return the index of the directory of that name, or None."""
        sought = name.encode(errors="replace")
        return self.guard("directory_names", lambda: self.name_table.find(sought))

    def place_of(self, index: int) -> tuple[int | None, int | None]:
        """Return the category and the host set of a directory, without decoding its name."""
        return self.guard("directories", lambda: self.directory_table.place_of(index))

    def directory(self, index: int) -> Directory:
        """Return the directory of an index."""

        def get() -> Directory:
            return self.directory_table.get(index, self.name_table[index].decode())

        return self.guard("directories", get)

    def directory_names(self) -> list[str]:
        """Return the names of all directories, sorted by their bytes."""
        return self.guard(
            "directory_names", lambda: [name.decode() for name in self.name_table.all()]
        )

    def directories(self) -> list[Directory]:
        """Return all directories, in the order of their names' bytes."""
        return self.guard("directories", lambda: self.directory_table.all(self.directory_names()))

    def host_sets_of_directories(self) -> list[int | None]:
        """Return the index of each directory's host set; None for one in no category."""
        return [
            None if host_set == sections.NO_HOST_SET else host_set
            for host_set in self.directory_table.host_sets
        ]

    def categories_of_directories(self) -> list[int | None]:
        """Return the index of each directory's category; None for one in no category."""
        return [
            None if category == sections.NO_CATEGORY else category
            for category in self.directory_table.categories
        ]

    def host_set(self, index: int) -> tuple[int, ...]:
        """Return the indexes of the hosts of a host set, rising."""
        return numbers_of(self.host_set_bits(index), self._indexes)

    def host_set_bits(self, index: int) -> int:
        """Return a host set as an integer whose bit i is the host of index i."""
        return self.guard("host_sets", lambda: self.host_set_table[index])

    def host_set_size(self, index: int) -> int:
        """Return the number of hosts of a host set."""
        return self.host_set_bits(index).bit_count()

    def file_details(self, directory: int) -> dict[str, tuple[FileDetail, ...]]:
        """Return the files of a directory that have details, each newest first."""
        return self.guard("file_details", lambda: self.file_detail_table.get(directory))

    @cached_property
    def file_sum_table(self) -> FileSums | None:
        """The stored sums of single files; None if the snapshot was exported without."""
        has_sums = any(name == SUMS for name, _ in self._sizes)
        if INDEX not in self._sections and not has_sums:
            return None
        if not has_sums:
            raise self.malformed(SUMS, "the section is missing")
        return self._section(INDEX, lambda data: FileSums(data, self._left))

    def file_sum(self, path: str) -> FileSum | None:
        """Return the size and SHA-256 of a file, None if they are not known; raises DamagedSums."""
        return self.file_sum_table.find(path) if self.file_sum_table else None

    def packed_sums(self) -> PackedSums | None:
        """Return the sections of single files' sums; None without, or if they are damaged now."""
        table = self.file_sum_table
        return table.packed(bytes(self._sections[INDEX])) if table else None

    def counts(self) -> dict[str, int]:
        """Return how many of each thing the snapshot holds; decodes all of it."""
        urls = sum(len(host.urls) for category in self.categories for host in category.hosts)
        details = sum(
            len(versions)
            for directory in self.file_detail_table.directories()
            for versions in self.file_details(directory).values()
        )
        sums = self.file_sum_table
        return {
            "hosts": len(self.hosts),
            "directories": self.directory_count,
            "repositories": len(self.repositories),
            "host_sets": self.host_set_count,
            "urls": urls,
            "file_details": details,
            **({"file_sums": sums.count} if sums else {}),
        }

    @cached_property
    def name_table(self) -> Names:
        """The stored names of the directories."""
        return self._section("directory_names", Names)

    @cached_property
    def directory_table(self) -> sections.Directories:
        """The stored directories, without their names."""
        return self._section("directories", sections.Directories)

    @cached_property
    def _indexes(self) -> list[int]:
        return list(range(len(self.hosts)))

    @cached_property
    def history_table(self) -> sections.HistoryTable | None:
        """The stored history; None in a file of format 1.0."""
        if "history" not in self._sections:
            return None
        return self._section("history", sections.HistoryTable)

    @cached_property
    def host_set_table(self) -> sections.HostSets:
        """The stored host sets."""
        return self._section("host_sets", sections.HostSets)

    @cached_property
    def file_detail_table(self) -> sections.FileDetailTable:
        """The stored file details."""
        return self._section("file_details", sections.FileDetailTable)

    def _same_as(self, before: "Snapshot | None") -> frozenset[str]:
        """Return the names of the sections that have the same bytes in a snapshot before."""
        known = before._sections if before else {}
        # Copies, because two memoryviews would be compared item by item.
        return frozenset(
            name
            for name, data in self._sections.items()
            if name in known and bytes(known[name]) == bytes(data)
        )

    def _take_over(self, before: "Snapshot", unchanged: frozenset[str]) -> None:
        """Take what was decoded of unchanged sections, unless it refers to the file before."""
        for name in _DECODED & unchanged:
            if name in before.__dict__:
                self.__dict__[name] = before.__dict__[name]
        if "directory_names" in unchanged:
            self.name_table.take_over(before.name_table)

    def _message(self, name: str, kind: type[T]) -> T:
        def decode(data: memoryview) -> T:
            most = _MOST.get(name, MAX_MESSAGE_BYTES)
            if len(data) > most:
                raise ValueError(f"{len(data):,} bytes, more than the limit of {most:,}")
            return msgspec.msgpack.decode(data, type=kind)

        return self._section(name, decode)

    def _section(self, name: str, decode: Callable[[memoryview], T]) -> T:
        if name not in self._sections:
            raise self.malformed(name, "the section is missing")
        return self.guard(name, lambda: decode(self._sections[name]))

    def guard(self, name: str, read: Callable[[], T]) -> T:
        """Return what a function reads in a section; raises MalformedSnapshot if it cannot."""
        try:
            return read()
        except _CONTRADICTIONS as error:
            raise self.malformed(name, str(error)) from error

    def malformed(self, name: str, why: str) -> MalformedSnapshot:
        """Return the error of a section that contradicts itself or another one."""
        return MalformedSnapshot(f"{self.path}: malformed: section {name!r}: {why}")
