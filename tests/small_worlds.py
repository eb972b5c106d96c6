"""Catalogs made without a database: a handful of mirrors around one directory.

`Mirror` is what a test says of a host; `small_catalog` compiles mirrors through a snapshot file.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.lists.place import locate
from mirrorlist.lists.situation import Situation
from mirrorlist.lists.target import find_target
from mirrorlist.request.address import Address, parse_address
from mirrorlist.request.client import Client
from mirrorlist.request.query import parse_query
from snapshot.export.netblock import Netblock, flatten, make_ranges, parse_netblock
from snapshot.file.model import (
    Category,
    CategoryHost,
    Directory,
    FileDetail,
    Host,
    NetblockHosts,
    Ranges,
    Report,
    SnapshotData,
)
from snapshot.file.reader import Snapshot
from snapshot.file.writer import encode

DIRECTORY = "top/dir"
FILE = "boot.iso"
# Two continents of two countries each, and a country on none.
CONTINENTS = {"DE": "EU", "FR": "EU", "US": "NA", "CA": "NA"}
DETAIL = FileDetail(1, 2, b"", b"", b"\x01" * 32, b"")

Chain = tuple[NetblockHosts, ...]


@dataclass(frozen=True)
class Mirror:
    """A host: active, public, with an https URL, up to date, if nothing else is said."""

    country: str = "DE"
    bandwidth: int = 100
    private: bool = False
    inactive: int = 0
    asns: tuple[int, ...] = ()
    allowed: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ("https",)
    netblocks: tuple[str, ...] = ()
    carries: bool = True
    has_category: bool = True
    urls: tuple[str, ...] = ()

    @property
    def offerable(self) -> bool:
        """Whether it may stand in the directory's host set."""
        ready = self.carries and self.has_category and not self.inactive
        return ready and bool(self.urls or self.protocols)


@dataclass(frozen=True)
class Everywhere:
    """GeoIP by which all addresses are in one country, or None is known."""

    here: str | None
    name: str = "test"

    def country(self, address: Address) -> str | None:
        """Return that country."""
        return self.here

    def prefix_length(self, address: Address) -> int:
        """Return 0: all addresses are there."""
        return 0


def small_catalog(*mirrors: Mirror, asns: dict[str, int] | None = None) -> Catalog:
    """Return a catalog of mirrors, whose ids and names are 1 and `host1.example`, and so on."""
    return catalog_of(small_data(mirrors, asns or {}))


def catalog_of(data: SnapshotData) -> Catalog:
    """Return a catalog of a snapshot's data."""
    with tempfile.NamedTemporaryFile(suffix=".snap") as file:
        Path(file.name).write_bytes(encode(data))
        return Catalog(Snapshot(file.name))


def small_data(mirrors: tuple[Mirror, ...], asns: dict[str, int]) -> SnapshotData:
    """Return the data of a snapshot with the directories `top` and `top/dir`."""
    host_set = sum(1 << index for index, mirror in enumerate(mirrors) if mirror.offerable)
    chains, ranges = _netblocks(mirrors)
    return SnapshotData(
        read=1000,
        hosts=[_host(index, mirror) for index, mirror in enumerate(mirrors)],
        categories=[Category(1, "Top", "top", _category_hosts(mirrors))],
        host_sets=[host_set],
        directories=[Directory(name, 0, 0, True, 0) for name in ("top", DIRECTORY)],
        repositories=[],
        redirects={},
        file_details={1: {FILE: (DETAIL,)}},
        continents=CONTINENTS,
        netblock_chains=chains,
        netblock_ranges=ranges,
        country_ranges=make_ranges([], []),
        asn_ranges=_ranges({parse_netblock(text): asn for text, asn in asns.items()}),
        report=Report({}, ()),
    )


def small_situation(
    catalog: Catalog,
    query: str = "",
    address: str = "203.0.113.1",
    country: str | None = None,
    minimum: int = 5,
    metalink: bool = False,
) -> Situation:
    """Return what a client asks of the directory, or of its file on a metalink."""
    path = f"{DIRECTORY}/{FILE}" if metalink else DIRECTORY
    parsed = parse_query(f"path={path}&{query}".encode(), metalink)
    near = parse_address(address)
    assert near is not None
    client = Client(near, near, "peer")
    target, place = find_target(parsed, catalog), locate(client, catalog, Everywhere(country))
    return Situation(parsed, client, place, target, catalog, minimum)


def _host(index: int, mirror: Mirror) -> Host:
    return Host(
        index + 1,
        f"host{index + 1}.example",
        "site",
        mirror.country,
        mirror.bandwidth,
        mirror.private,
        mirror.inactive,
        mirror.asns,
        mirror.allowed,
    )


def _category_hosts(mirrors: tuple[Mirror, ...]) -> tuple[CategoryHost, ...]:
    return tuple(
        CategoryHost(
            index,
            False,
            mirror.urls or tuple(f"{p}://host{index + 1}.example/top" for p in mirror.protocols),
        )
        for index, mirror in enumerate(mirrors)
        if mirror.has_category
    )


def _netblocks(mirrors: tuple[Mirror, ...]) -> tuple[list[Chain], Ranges]:
    named: dict[Netblock, list[int]] = {}
    for index, mirror in enumerate(mirrors):
        for text in () if mirror.inactive else mirror.netblocks:
            named.setdefault(parse_netblock(text), []).append(index)
    chains: list[Chain] = []
    ranges: list[list[tuple[int, int]]] = []
    nothing: Chain = ()
    for version in (4, 6):
        hosts = [
            (netblock, NetblockHosts(netblock.prefix_length, tuple(dict.fromkeys(indexes))))
            for netblock, indexes in named.items()
            if netblock.version == version
        ]
        flat = flatten(hosts, nothing, lambda value, around: (value, *around))
        chains += [chain for _, chain in flat if chain and chain not in chains]
        ranges.append([(start, chains.index(c) + 1 if c else 0) for start, c in flat])
    return chains, make_ranges(ranges[0], ranges[1])


def _ranges(named: dict[Netblock, int]) -> Ranges:
    flat = [
        flatten([item for item in named.items() if item[0].version == version], 0, lambda v, _: v)
        for version in (4, 6)
    ]
    return make_ranges(flat[0], flat[1])
