"""What a snapshot says: frozen structs, no behaviour.

Hosts, categories, host sets and directories are numbered by their place in the snapshot
(their *index*, from 0); `id` is always the id in MirrorManager's database.
"""

from collections.abc import Sequence
from enum import IntFlag
from typing import NamedTuple

from msgspec import Struct


class Inactive(IntFlag):
    """Which of the four active flags are off; a host is active when all four are on.

    Source: docs/mirrormanager.md#active-hosts (mirrorlist-server asks for all four).
    """

    HOST_ADMIN = 1
    HOST_USER = 2
    SITE_ADMIN = 4
    SITE_USER = 8


class Host(Struct, frozen=True, array_like=True):
    """One mirror with the fields that decide who is offered it; bandwidth in Mbit/s, 1 to 10000."""

    id: int
    name: str
    site: str
    country: str
    bandwidth: int
    private: bool
    inactive: int
    asns: tuple[int, ...]
    countries_allowed: tuple[str, ...]


class CategoryHost(Struct, frozen=True, array_like=True):
    """A host that has a category, with its public URLs in the order of their ids."""

    host: int
    always_up2date: bool
    urls: tuple[str, ...]


class Category(Struct, frozen=True, array_like=True):
    """A tree that hosts carry below its topdir."""

    id: int
    name: str
    topdir: str
    hosts: tuple[CategoryHost, ...]


class Directory(Struct, frozen=True):
    """One path of the tree; category and host_set are None when it is in no category.

    The host set holds the hosts that may be offered for it: active, with a public URL, and
    up to date here or always up to date. ctime is in seconds since 1970, UTC.
    """

    name: str
    category: int | None
    host_set: int | None
    readable: bool
    ctime: int


class Repository(Struct, frozen=True, array_like=True):
    """A prefix and arch that stand for a directory."""

    prefix: str
    arch: str
    directory: int
    disabled: bool


class FileDetail(Struct, frozen=True, array_like=True):
    """One accepted version of a file; 0 and empty bytes mean unknown."""

    timestamp: int
    size: int
    md5: bytes
    sha1: bytes
    sha256: bytes
    sha512: bytes


class FileSum(NamedTuple):
    """What is known of a single file, such as a package: its bytes and its SHA-256."""

    size: int
    sha256: bytes


class PackedSums(NamedTuple):
    """Sums of many single files as the bytes of two sections (`snapshot.file.filesums`)."""

    places: bytes
    sums: bytes


class NetblockHosts(Struct, frozen=True, array_like=True):
    """The hosts that named one netblock, by its prefix length."""

    prefix_length: int
    hosts: tuple[int, ...]


class Ranges(Struct, frozen=True):
    """Address ranges of both families: a value holds from its start to the next start.

    Starts are integers in rising order; value 0 means that nothing is known.
    """

    starts4: Sequence[int]
    values4: Sequence[int]
    starts6: Sequence[int]
    values6: Sequence[int]


class LeftOut(Struct, frozen=True, array_like=True):
    """A database row that could not be used, and why."""

    table: str
    id: int | None
    reason: str


class KnownName(Struct, frozen=True, array_like=True):
    """The addresses of a DNS name, and when they were seen (seconds since 1970, UTC)."""

    seen: int
    addresses: tuple[str, ...]


class Report(Struct, frozen=True, array_like=True):
    """What the exporter read: rows a table, and the rows it left out.

    `origin` is `database`, or `cache` for mirrorlist-server's file, which holds less. `notes` are
    lines about troubles that no single row causes; `names` are DNS answers for netblocks' names.
    `reduced` is when a site's file last took something away on purpose, or None.
    """

    row_counts: dict[str, int]
    left_out: tuple[LeftOut, ...]
    origin: str = "database"
    notes: tuple[str, ...] = ()
    names: dict[str, KnownName] = {}
    reduced: int | None = None


class History(Struct, frozen=True):
    """When exports first showed what they show of each directory; seconds since 1970, UTC.

    `moments` has one entry a directory, in the directories' order: the `cursor` of the first export
    that showed the directory as it is now, or 0 if the first known export, that of `since`, did.
    `cursor` is the time of the database read, or the previous cursor plus one if that is later.
    """

    since: int
    cursor: int
    moments: Sequence[int]


class RequestShape(Struct, frozen=True, array_like=True):
    """Requests in other words than `repo=` and `arch=`, and what each of them asks for.

    `names` are the parameters that count, sorted. A key of `requests` is a path, which is empty for
    those of all lists, then `?`, then these parameters with their values, joined by `&`. Its value
    is a prefix and an arch. An arch that begins with `$` stands for all arches of the prefix.
    """

    names: tuple[str, ...]
    requests: dict[str, tuple[str, str]]


class SnapshotData(Struct, frozen=True):
    """Everything that one snapshot holds, ready to be written.

    Host sets are integers whose bit i stands for the host of index i; directories are sorted
    by the UTF-8 bytes of their names. `read` is the time of the database read in seconds
    since 1970, UTC. `newest` are the files to mirror of directories that also have older
    packages, with line feeds between; None if they are not wanted. `history` is None if no change
    times are known, `file_sums` if none are wanted.
    """

    read: int
    hosts: list[Host]
    categories: list[Category]
    host_sets: list[int]
    directories: list[Directory]
    repositories: list[Repository]
    redirects: dict[str, str]
    file_details: dict[int, dict[str, tuple[FileDetail, ...]]]
    continents: dict[str, str]
    netblock_chains: list[tuple[NetblockHosts, ...]]
    netblock_ranges: Ranges
    country_ranges: Ranges
    asn_ranges: Ranges
    report: Report
    history: History | None = None
    request_shapes: tuple[RequestShape, ...] = ()
    file_sums: PackedSums | None = None
    newest: dict[int, str] | None = None
