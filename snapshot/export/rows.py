"""Rows of MirrorManager's tables, as every reader of them gives them to the rules."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from snapshot.export.directories import Carried
from snapshot.file.model import PackedSums, RequestShape

# Is called with how far the read is: a phase's name, steps done, steps in all.
Progress = Callable[[str, int, int], None]


class HostRow(NamedTuple):
    """A host; site_id may be NULL in old databases."""

    id: int
    name: str
    site_id: int | None
    admin_active: bool
    user_active: bool
    country: str | None
    bandwidth_int: int | None
    private: bool
    asn: int | None
    asn_clients: bool


class SiteRow(NamedTuple):
    """A site with the flags that hold for all its hosts."""

    id: int
    name: str
    private: bool
    admin_active: bool
    user_active: bool


class CategoryRow(NamedTuple):
    """A category and the directory that is its topdir."""

    id: int
    name: str
    topdir_id: int | None


class HostCategoryRow(NamedTuple):
    """A host carrying a category."""

    id: int
    host_id: int | None
    category_id: int | None
    always_up2date: bool


class UrlRow(NamedTuple):
    """A public or private URL of a host category."""

    id: int
    host_category_id: int
    url: str | None
    private: bool


class DirectoryRow(NamedTuple):
    """A directory; ctime in seconds since 1970, UTC."""

    id: int
    name: str
    readable: bool
    ctime: int | None


class CategoryDirectoryRow(NamedTuple):
    """A directory being in a category."""

    category_id: int
    directory_id: int


class RepositoryRow(NamedTuple):
    """A repository; clients can ask for it only if it has prefix, version, arch and directory."""

    id: int
    prefix: str | None
    version_id: int | None
    arch_id: int | None
    directory_id: int | None
    disabled: bool


class ArchRow(NamedTuple):
    """An arch's name."""

    id: int
    name: str


class FileDetailRow(NamedTuple):
    """One version of a file; hashes are hexadecimal text."""

    id: int
    directory_id: int
    filename: str
    timestamp: int | None
    size: int | None
    md5: str | None
    sha1: str | None
    sha256: str | None
    sha512: str | None


class NetblockRow(NamedTuple):
    """Free text that should name a network, an address or a DNS name."""

    id: int
    host_id: int | None
    netblock: str | None


class CountryAllowedRow(NamedTuple):
    """A country whose clients may be offered a host."""

    id: int
    host_id: int | None
    country: str


class PeerAsnRow(NamedTuple):
    """A further ASN that a host serves."""

    id: int
    host_id: int | None
    asn: int


class RedirectRow(NamedTuple):
    """A prefix that stands for another."""

    id: int
    from_repo: str
    to_repo: str | None


class ContinentRow(NamedTuple):
    """A country that counts for another continent."""

    id: int
    country: str
    continent: str


class NetblockCountryRow(NamedTuple):
    """A network whose clients count for a country, whatever GeoIP says."""

    id: int
    netblock: str
    country: str


class Rows(NamedTuple):
    """All rows that an export reads, all of one moment.

    `up2date` waits until the largest table is read, and returns what it says. `reduced` is when
    `mirrorlist sites apply` last took something away, in seconds since 1970, and `request_shapes`
    are the requests that a site's file allows in other words. `file_sums` are those of packages, if
    they are wanted. `newest` has the files to mirror, by their directory, if they are wanted.
    """

    sites: list[SiteRow]
    hosts: list[HostRow]
    categories: list[CategoryRow]
    host_categories: list[HostCategoryRow]
    urls: list[UrlRow]
    directories: list[DirectoryRow]
    category_directories: list[CategoryDirectoryRow]
    up2date: Callable[[], Carried]
    repositories: list[RepositoryRow]
    arches: list[ArchRow]
    file_details: list[FileDetailRow]
    netblocks: list[NetblockRow]
    countries_allowed: list[CountryAllowedRow]
    peer_asns: list[PeerAsnRow]
    redirects: list[RedirectRow]
    continents: list[ContinentRow]
    netblock_countries: list[NetblockCountryRow]
    reduced: int | None = None
    request_shapes: tuple[RequestShape, ...] = ()
    file_sums: PackedSums | None = None
    newest: Mapping[str, str] | None = None

    def counts(self) -> dict[str, int]:
        """Return the number of rows read, by table."""
        counts = {table: len(getattr(self, field)) for field, (table, _) in SMALL.items()}
        counts[LARGE] = self.up2date().rows
        return dict(sorted(counts.items()))


SMALL = {
    "sites": ("site", SiteRow),
    "hosts": ("host", HostRow),
    "categories": ("category", CategoryRow),
    "host_categories": ("host_category", HostCategoryRow),
    "urls": ("host_category_url", UrlRow),
    "directories": ("directory", DirectoryRow),
    "category_directories": ("category_directory", CategoryDirectoryRow),
    "repositories": ("repository", RepositoryRow),
    "arches": ("arch", ArchRow),
    "file_details": ("file_detail", FileDetailRow),
    "netblocks": ("host_netblock", NetblockRow),
    "countries_allowed": ("host_country_allowed", CountryAllowedRow),
    "peer_asns": ("host_peer_asn", PeerAsnRow),
    "redirects": ("repository_redirect", RedirectRow),
    "continents": ("country_continent_redirect", ContinentRow),
    "netblock_countries": ("netblock_country", NetblockCountryRow),
}
"""The table and the type of a row for each field of `Rows`, but for the largest table."""
LARGE = "host_category_dir"
"""The name of the largest table, which `up2date` is made of."""
TABLES = (*(table for table, _ in SMALL.values()), LARGE)
"""The names of the tables that an export reads."""
